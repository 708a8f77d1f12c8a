"""The hook scripts: what they start, what they do not start, and what they make of it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit import shim
from ampcommit.verbs import install
from tests.conftest import PARENT, ROOT, Repo, url

Enter = Callable[[str], None]
Put = Callable[..., None]

LINK = f"Amp-Thread-ID: {url(PARENT)}"
ALL = (*shim.HOOKS, *shim.SHARING)
SHELLS = [path for path in map(shutil.which, ("dash", "bash", "busybox", "ksh", "zsh")) if path]


def script(path: Path, text: str) -> str:
    """Write a program and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def hooks(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put scripts of one kind in place, which run what the test says instead of ampcommit, or ampcommit itself."""

    def place(kind: str, text: str = "", package: str = "") -> None:
        real = f'PYTHONPATH="{os.pathsep.join(filter(None, sys.path))}" exec "{sys.executable}" -P -m ampcommit "$@"'
        ampcommit = script(tmp_path / "bin" / "ampcommit", text or real)
        python = script(tmp_path / "python", text) if text else install.interpreter()
        monkeypatch.setenv("PATH", f"{Path(ampcommit).parent}:{os.environ['PATH']}")
        for name in ALL:
            whole = shim.fast(name, python, package or install.package()) if kind == "fast" else shim.portable(name)
            script(repo.path / ".git" / "hooks" / name, whole.partition("\n")[2])

    return place


@pytest.fixture
def started(hooks: Put, tmp_path: Path) -> Callable[[], list[str]]:
    """Put fast hooks in place whose interpreter only says that it was started; return how often, and for which hook."""
    log = tmp_path / "started"
    hooks("fast", f'for word; do case $word in commit-msg|post-commit) echo "$word" >>"{log}"; break;; esac; done')

    def read() -> list[str]:
        return log.read_text().split() if log.exists() else []

    return read


# The text.


@pytest.mark.parametrize("hook", ALL)
def test_the_scripts_in_the_repository_are_what_the_package_writes(hook: str) -> None:
    """The folder hooks/ is for reading and copying; it says what the code says, and can be run."""
    path = ROOT / "hooks" / hook

    assert path.read_text() == shim.portable(hook)
    assert os.access(path, os.X_OK)


def test_every_script_in_the_repository_is_a_hook_of_ours() -> None:
    """No hook of an older version is left lying about."""
    assert {path.name for path in (ROOT / "hooks").iterdir()} == {*ALL, "pre-receive"}  # the gate of a server


@pytest.mark.parametrize("shell", SHELLS, ids=os.path.basename)
@pytest.mark.parametrize("hook", ALL)
def test_every_shell_can_read_the_scripts(hook: str, shell: str) -> None:
    """The scripts are plain POSIX shell."""
    argv = [shell, "sh", "-n"] if "busybox" in shell else [shell, "-n"]
    for text in (shim.fast(hook, "/usr/bin/python3", "/opt/it's here"), shim.portable(hook)):
        done = subprocess.run(argv, input=text.encode(), capture_output=True, check=False)

        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("hook", ALL)
def test_ours_are_recognised(hook: str) -> None:
    """Both kinds of script are known again, of this version and of any other."""
    assert shim.is_ours(shim.fast(hook, "/usr/bin/python3", "/opt").encode())
    assert shim.is_ours(shim.portable(hook).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"#!/bin/sh",
        b"#!/bin/sh\n",
        b"#!/bin/sh\nampcommit hook commit-msg\n",
        b"#!/bin/sh\n\n# ampcommit hook: commit-msg\n",
        b"# ampcommit hook: commit-msg\n",
        b"\xff\xfe\n\x00",
    ],
)
def test_other_scripts_are_not_taken_for_ours(text: bytes) -> None:
    """What we did not write is never replaced."""
    assert not shim.is_ours(text)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=50, deadline=None)
def test_a_quoted_word_is_one_word(text: str) -> None:
    """Whatever a path holds, the shell sees it as it is."""
    done = subprocess.run(["sh", "-c", f"printf %s {shim.quoted(text)}"], capture_output=True, check=True)

    assert done.stdout.decode() == text


@pytest.mark.parametrize(
    "name",
    ["with space", "it's", '"quoted"', "$(touch owned)", "`touch owned`", "new\nline", "ünï", "-dash", "a\\b", "*%"],
)
def test_a_package_in_any_folder_is_found(repo: Repo, agent: Enter, tmp_path: Path, name: str) -> None:
    """Wherever ampcommit was installed, its path is data (E15)."""
    package = tmp_path / name
    shutil.copytree(Path(install.package()) / "ampcommit", package / "ampcommit")
    for hook in shim.HOOKS:
        path = repo.path / ".git" / "hooks" / hook
        path.write_text(shim.fast(hook, install.interpreter(), str(package)))
        path.chmod(0o755)
    agent(PARENT)
    done = repo.commit("-q", "-m", "Add the parser")

    assert (done.stderr, repo.links()) == (b"", [url(PARENT)])
    assert not list(repo.path.glob("owned"))


# What becomes of the status of a hook process.

# status of the hook process -> status of the script of commit-msg, lines that it adds
STATUSES = {
    "0": (0, 0),
    "33": (1, 0),
    "130": (130, 0),
    "70": (0, 1),
    "1": (0, 2),
    "2": (0, 2),
    "126": (0, 2),
    "255": (0, 2),
}


@pytest.mark.parametrize("kind", ["fast", "portable"])
@pytest.mark.parametrize("status", STATUSES)
def test_only_a_rejection_and_an_interrupt_stop_a_commit(repo: Repo, hooks: Put, kind: str, status: str) -> None:
    """Both kinds of script turn 33 into 1, pass 130 on, and let everything else through with a word."""
    hooks(kind, f"exit {status}")
    done = subprocess.run([".git/hooks/commit-msg", "f"], cwd=repo.path, capture_output=True, check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == STATUSES[status]
    assert done.stdout == b""


@pytest.mark.parametrize("kind", ["fast", "portable"])
@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM"])
def test_a_killed_process_lets_the_commit_through(repo: Repo, hooks: Put, kind: str, name: str) -> None:
    """A hook process that dies of a signal is our failure."""
    hooks(kind, f"kill -{name} $$")
    done = subprocess.run([".git/hooks/commit-msg", "f"], cwd=repo.path, capture_output=True, check=False)

    assert done.returncode == 0
    assert b"goes on unchecked" in done.stderr


@pytest.mark.parametrize("status", STATUSES)
def test_post_commit_never_fails_by_our_doing(repo: Repo, hooks: Put, status: str) -> None:
    """The commit is made: only an earlier hook's status is passed on."""
    hooks("fast", f"exit {status}")

    assert (
        subprocess.run([".git/hooks/post-commit"], cwd=repo.path, stderr=subprocess.DEVNULL, check=False).returncode
        == 0
    )


@pytest.mark.parametrize("kind", ["fast", "portable"])
@pytest.mark.parametrize("status", [*STATUSES, "kill -KILL $$"])
def test_pre_push_never_fails_by_our_doing(repo: Repo, hooks: Put, kind: str, status: str) -> None:
    """Whatever becomes of us, also on Ctrl-C, git pushes; a rejection is none of this hook's answers."""
    hooks(kind, status if " " in status else f"exit {status}")
    done = subprocess.run([".git/hooks/pre-push", "o", "u"], cwd=repo.path, input=b"", capture_output=True, check=False)

    quiet = status in ("0", "130")
    assert (done.returncode, done.stdout, done.stderr == b"") == (0, b"", quiet)
    assert quiet or b"the push goes on" in done.stderr


@pytest.mark.parametrize("fed", [b"", b"a b c d\n", b"caf\xe9 b c d\n" * 3000])
@pytest.mark.parametrize("shell", SHELLS, ids=os.path.basename)
def test_what_git_feeds_at_a_push_reaches_both(repo: Repo, hooks: Put, tmp_path: Path, shell: str, fed: bytes) -> None:
    """The earlier hook and ours read the same bytes, whatever shell runs the script, and however many there are."""
    hooks("fast", f'cat >"{tmp_path}/ours"')
    argv = [shell, *["sh"] * ("busybox" in shell), ".git/hooks/pre-push", "origin", "url"]
    for _ in range(2):
        done = subprocess.run(argv, cwd=repo.path, input=fed, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "ours").read_bytes() == fed
        (tmp_path / "ours").unlink()
        script(repo.path / ".git" / "hooks" / f"pre-push{shim.EARLIER}", f'cat >"{tmp_path}/earlier"')

    assert (tmp_path / "earlier").read_bytes() == fed


def test_a_missing_command_lets_the_commit_through(repo: Repo, hooks: Put, tmp_path: Path) -> None:
    """On a machine without ampcommit the portable scripts are in nobody's way."""
    hooks("portable")
    (tmp_path / "bin" / "ampcommit").unlink()
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not Path(folder, "ampcommit").exists()]
    done = repo.commit("-q", "-m", "Add the parser", env={"PATH": os.pathsep.join(folders)})

    assert done.stderr.count(b"error: the command ampcommit is not on PATH\n hint: the commit ") == 2


@pytest.mark.parametrize("hook", ALL)
def test_the_arguments_reach_the_hook(repo: Repo, hooks: Put, tmp_path: Path, hook: str) -> None:
    """What git says to a hook arrives word for word, with who started it; the configuration comes on stdin."""
    hooks("fast", f"""printf '<%s>' "$@" >"{tmp_path / "args"}"; cat >"{tmp_path / "stdin"}" """)
    repo("remote", "add", "origin", "https://:secret@example.com/r")
    subprocess.run([f".git/hooks/{hook}", "a b", "", "$c"], cwd=repo.path, stdin=subprocess.DEVNULL, check=True)
    said = (tmp_path / "args").read_text()

    assert said.startswith("<-I><-S><-c>")
    assert f"<{install.package()}><{hook}><{os.getpid()}>" in said
    assert said.endswith("<a b><><$c>")
    assert "secret" not in said, "everybody can see the arguments of a process"
    assert ("remote.origin.url https://:secret@" in (tmp_path / "stdin").read_text()) == (hook == "commit-msg")


# What Python is not started for.


def play(repo: Repo, *args: str, env: dict[str, str] | None = None) -> None:
    """Make a commit quietly."""
    assert repo.commit("-q", "-m", "Add the parser", *args, env=env).stderr == b""


IDLE: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "mode off": ({"mode": "off"}, {}),
    "mode off by the environment": ({}, {"AMPCOMMIT_MODE": "off"}),
    "mode off inside a thread": ({"mode": "off"}, {"AGENT": "amp", "AMP_CURRENT_THREAD_ID": PARENT}),
    "authors agent": ({"authors": "agent"}, {}),
    "authors agent by the environment": ({}, {"AMPCOMMIT_AUTHORS": "agent"}),
    "authors agent, another agent": ({"authors": "agent"}, {"AGENT": "goose"}),
    "authors agent, empty variables": ({"authors": "agent"}, {"AGENT": "", "AMP_CURRENT_THREAD_ID": ""}),
}


@pytest.mark.parametrize(("config", "env"), IDLE.values(), ids=IDLE)
def test_python_is_not_started_where_nothing_can_be_due(
    repo: Repo, started: Callable[[], list[str]], config: dict[str, str], env: dict[str, str]
) -> None:
    """Where the policy has nothing to say of a commit, it costs two shell scripts."""
    for key, value in config.items():
        repo("config", f"ampcommit.{key}", value)
    play(repo, env=env)

    assert started() == []


BUSY: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing set": ({}, {}),
    "mode warn": ({"mode": "warn"}, {}),
    "mode misspelt": ({"mode": "Off"}, {}),
    "the environment outweighs the config": ({"mode": "off"}, {"AMPCOMMIT_MODE": "require"}),
    "authors everyone by the environment": ({"authors": "agent"}, {"AMPCOMMIT_AUTHORS": "everyone"}),
    "background shell": ({"authors": "agent"}, {"AGENT": "amp"}),
    "thread": ({"authors": "agent"}, {"AMP_CURRENT_THREAD_ID": PARENT}),
    "permission helper": ({"authors": "agent"}, {"AMP_THREAD_ID": PARENT}),
    "agent's thread": ({"authors": "agent"}, {"AGENT_THREAD_ID": PARENT}),
    "not a thread": ({"authors": "agent"}, {"AMP_CURRENT_THREAD_ID": "nonsense"}),
}


@pytest.mark.parametrize(("config", "env"), BUSY.values(), ids=BUSY)
def test_python_is_started_where_something_may_be_due(
    repo: Repo, started: Callable[[], list[str]], config: dict[str, str], env: dict[str, str]
) -> None:
    """The short cut is taken only where it changes nothing."""
    for key, value in config.items():
        repo("config", f"ampcommit.{key}", value)
    play(repo, env=env)

    assert started() == ["commit-msg", "post-commit"]


def test_a_thread_set_by_a_person_counts_as_at_work(repo: Repo, started: Callable[[], list[str]]) -> None:
    """With a thread set for this work tree there is a link to add, whoever the authors are."""
    repo("config", "ampcommit.authors", "agent")
    script(repo.path / ".git" / "ampcommit" / "use", PARENT)
    play(repo)

    assert started() == ["commit-msg", "post-commit"]


def test_the_last_value_in_the_configuration_wins(repo: Repo, started: Callable[[], list[str]]) -> None:
    """The script reads git's configuration as git does."""
    repo("config", "--global", "ampcommit.mode", "off")
    repo("config", "ampcommit.mode", "require")
    play(repo)

    assert started() == ["commit-msg", "post-commit"]


def test_a_commit_without_commit_msg_is_looked_at(repo: Repo, started: Callable[[], list[str]]) -> None:
    """A missing note is no reason to skip: `--no-verify` leaves none."""
    repo("config", "ampcommit.mode", "off")
    play(repo, "--no-verify")

    assert started() == ["post-commit"]


@pytest.mark.parametrize("note", ["skip 1", "skip", "skip ", "", "pid 1"])
def test_the_note_of_another_process_is_not_obeyed(repo: Repo, started: Callable[[], list[str]], note: str) -> None:
    """What an older commit left, which perhaps never happened, hides no later one."""
    path = repo.path / ".git" / "ampcommit" / "note"
    path.parent.mkdir()
    path.write_text(f"{note}\n")
    play(repo, "--no-verify")

    assert started() == ["post-commit"]


def test_a_skip_is_obeyed_once(repo: Repo, started: Callable[[], list[str]]) -> None:
    """The note is empty afterwards."""
    repo("config", "ampcommit.mode", "off")
    play(repo)

    assert started() == []
    assert (repo.path / ".git" / "ampcommit" / "note").read_bytes() == b""


def test_where_the_skip_cannot_be_noted_python_is_started(repo: Repo, started: Callable[[], list[str]]) -> None:
    """A file in the place of our folder costs some milliseconds, not a commit."""
    repo("config", "ampcommit.mode", "off")
    (repo.path / ".git" / "ampcommit").write_text("a file\n")
    play(repo)

    assert started() == ["commit-msg", "post-commit"]


@pytest.mark.usefixtures("started")
def test_a_planted_link_is_not_written_through(repo: Repo, tmp_path: Path) -> None:
    """Whatever lies in the place of the note, nothing outside our folder is changed (S08)."""
    repo("config", "ampcommit.mode", "off")
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    (repo.path / ".git" / "ampcommit").mkdir()
    (repo.path / ".git" / "ampcommit" / "note").symlink_to(victim)
    play(repo)

    assert victim.read_text() == "precious\n"


@pytest.mark.usefixtures("started")
def test_a_fifo_in_the_place_of_the_note_hangs_nobody(repo: Repo) -> None:
    """A commit does not wait for somebody to read a pipe (S08)."""
    repo("config", "ampcommit.mode", "off")
    (repo.path / ".git" / "ampcommit").mkdir()
    os.mkfifo(repo.path / ".git" / "ampcommit" / "note")
    argv = ["git", "commit", "-q", "--allow-empty", "-m", "Add the parser"]
    commit = subprocess.Popen(argv, cwd=repo.path, start_new_session=True)
    try:
        status = commit.wait(3)
    except subprocess.TimeoutExpired:
        os.killpg(commit.pid, signal.SIGKILL)
        status = commit.wait()

    assert status == 0


# The hook that was there before.


@pytest.mark.parametrize("hook", ALL)
def test_the_earlier_hook_runs_first_with_the_same_arguments(repo: Repo, hooks: Put, tmp_path: Path, hook: str) -> None:
    """What was there before ours sees what it always saw."""
    log = tmp_path / "log"
    hooks("fast", f'echo ours >>"{log}"')
    script(repo.path / ".git" / "hooks" / f"{hook}{shim.EARLIER}", f'echo "earlier $*" >>"{log}"')
    subprocess.run([f".git/hooks/{hook}", "a", "b"], cwd=repo.path, check=True)

    assert log.read_text() == "earlier a b\nours\n"


def test_an_earlier_veto_is_the_end(repo: Repo, hooks: Put, tmp_path: Path) -> None:
    """Where the earlier commit-msg refuses, ours is not asked, and its status stands."""
    hooks("fast", f': >"{tmp_path / "ran"}"')
    script(repo.path / ".git" / "hooks" / f"commit-msg{shim.EARLIER}", "exit 9")
    done = subprocess.run([".git/hooks/commit-msg", "f"], cwd=repo.path, capture_output=True, check=False)

    assert (done.returncode, (tmp_path / "ran").exists()) == (9, False)


def test_an_earlier_veto_of_a_push_is_the_end(repo: Repo, hooks: Put, tmp_path: Path) -> None:
    """Where the earlier pre-push refuses, ours is not asked, and its status stands."""
    hooks("fast", f': >"{tmp_path / "ran"}"')
    script(repo.path / ".git" / "hooks" / f"pre-push{shim.EARLIER}", "exit 9")
    done = subprocess.run([".git/hooks/pre-push", "o", "u"], cwd=repo.path, input=b"a b c d\n", check=False)

    assert (done.returncode, (tmp_path / "ran").exists()) == (9, False)


def test_an_earlier_post_commit_keeps_its_status(repo: Repo, hooks: Put, tmp_path: Path) -> None:
    """A failure of the earlier hook does not cost the record, and is passed on."""
    hooks("fast", f': >"{tmp_path / "ran"}"')
    script(repo.path / ".git" / "hooks" / f"post-commit{shim.EARLIER}", "exit 9")
    done = subprocess.run([".git/hooks/post-commit"], cwd=repo.path, capture_output=True, check=False)

    assert (done.returncode, (tmp_path / "ran").exists()) == (9, True)


@pytest.mark.parametrize("hook", ALL)
def test_an_earlier_hook_that_git_did_not_run_is_not_run(repo: Repo, hooks: Put, tmp_path: Path, hook: str) -> None:
    """Installing wakes no hook that was switched off (E11)."""
    hooks("fast", "exit 0")
    path = script(repo.path / ".git" / "hooks" / f"{hook}{shim.EARLIER}", f': >"{tmp_path / "ran"}"; exit 9')
    os.chmod(path, 0o644)

    assert subprocess.run([f".git/hooks/{hook}", "f"], cwd=repo.path, check=False).returncode == 0
    assert not (tmp_path / "ran").exists()


# The two kinds do the same.


class Scene:
    """A commit, and what both kinds of script must make of it: its status, its links, `validated` of the record."""

    def __init__(
        self,
        *args: str,
        thread: str = "",
        config: str = "",
        status: int = 0,
        links: int = 1,
        judged: bool | None = True,
    ) -> None:
        self.args = args
        self.env = {"AGENT": "amp", "AMP_CURRENT_THREAD_ID": thread} if thread else {}
        self.config = config.split()
        self.outcome = (status, links, judged)


SCENES = {
    "agent": Scene(thread=PARENT),
    "person": Scene(status=1, links=0, judged=None),
    "person with a link": Scene("--trailer", LINK),
    "--no-verify with a link": Scene("-n", "--trailer", LINK, judged=False),
    "--no-verify without": Scene("-n", links=0, judged=None),
    "mode off": Scene(thread=PARENT, config="ampcommit.mode off", links=0, judged=None),
    "authors agent": Scene(config="ampcommit.authors agent", links=0, judged=None),
    "malformed link": Scene("--trailer", f"Amp-Thread-ID: {PARENT}", status=1, links=0, judged=None),
}


@pytest.mark.parametrize("kind", ["fast", "portable"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_both_kinds_of_script_do_the_same(repo: Repo, hooks: Put, kind: str, scene: Scene) -> None:
    """Which script a clone uses makes a difference in time only."""
    hooks(kind)
    if scene.config:
        repo("config", *scene.config)
    done = repo.commit("-q", "-m", "Add the parser", *scene.args, ok=False, env=scene.env)
    ledger = repo.path / ".git" / "ampcommit" / "ledger.jsonl"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    judged = '"validated":true' in lines[-1] if lines else None

    assert (done.returncode, 0 if done.returncode else len(repo.links()), judged) == scene.outcome
    assert len(lines) <= 1
