"""What a push does for the records of its commits: they arrive, or a line says why not, and git pushes all the same."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from ampcommit import hook, pushing, shim
from ampcommit.call import Call
from ampcommit.errors import SetupError
from ampcommit.notes import remotes
from ampcommit.pushing import SECONDS, SHARING, publish
from ampcommit.verbs import install
from tests.conftest import PARENT, Repo
from tests.test_shim import script

Enter = Callable[[str], None]

NOTES = "refs/notes/ampcommit"
NOTHING = "0" * 40
SAID = "warning: ampcommit: the records of what is pushed are not shared: "


def bare(path: Path) -> Repo:
    """Make a bare repository."""
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
    return Repo(path)


@pytest.fixture
def server(repo: Repo, tmp_path: Path, agent: Enter) -> Repo:
    """The remote `origin` of a clone that shares, in which an agent is at work."""
    made = bare(tmp_path / "server.git")
    repo("remote", "add", "origin", str(made.path))
    install.install(str(repo.path), sharing=True)
    agent(PARENT)
    repo.commit("-q", "-m", "Add the parser")
    return made


def shared(server: Repo) -> set[str]:
    """Return the commits of which *server* has records."""
    if server.run("rev-parse", "-q", "--verify", NOTES, ok=False).returncode:
        return set()
    return {line.split()[1] for line in server("notes", "--ref", "ampcommit", "list").splitlines()}


def push(repo: Repo, *args: str, env: dict[str, str] | None = None) -> str:
    """Push, which must go well; return what was said."""
    return repo.run("push", "-q", *args, env=env).stderr.decode()


# What arrives.


def test_the_records_of_what_is_pushed_arrive(repo: Repo, server: Repo) -> None:
    """A push publishes the records of its commits, without a word, and of no others."""
    first = repo.head()
    repo.commit("-q", "-m", "Add the printer")

    assert push(repo, "origin", f"{first}:refs/heads/main") == ""
    assert shared(server) == {first}
    assert push(repo, "origin", "main") == ""
    assert shared(server) == {first, repo.head()}
    assert server("rev-parse", "main") == repo.head()


def test_what_an_amended_commit_was_goes_with_it(repo: Repo, server: Repo) -> None:
    """A check of an amended and rebased commit finds the records of what it was made of, and those of no other."""
    first = repo.head()
    repo("commit", "-q", "--amend", "--allow-empty", "-m", "Add the better parser")
    amended = repo.head()
    repo.commit("-q", "-m", "Add the printer")

    assert push(repo, "origin", f"{amended}:refs/heads/main") == ""
    assert shared(server) == {first, amended}


@pytest.mark.parametrize("name", ["topic", "it's 日本"])
def test_several_refs_and_tags_are_one_push(repo: Repo, server: Repo, name: str) -> None:
    """Branches, tags, what they hold, and revisions with words in them: all of it counts."""
    ref = name.replace(" ", "-")
    repo("tag", "light")
    repo("checkout", "-q", "-b", ref)
    repo.commit("-q", "-m", "Add the printer")
    repo("tag", "-a", "-m", "Heavy", "heavy")
    repo("tag", "blob", repo("hash-object", "-w", "--stdin", stdin=b"x"))
    commits = set(repo("rev-list", "--all").split())

    assert push(repo, "origin", ":/Add the printer:refs/heads/words", ref, "light", "heavy", "blob") == ""
    assert shared(server) == commits
    assert len(commits) == 2


def test_what_was_forced_away_elsewhere_is_no_obstacle(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """The remote may have a commit that never was here."""
    other = Repo(tmp_path / "other")
    subprocess.run(["git", "init", "-q", str(other.path)], check=True)
    other.commit("-q", "-m", "Somebody's", "--no-verify")
    other("push", "-q", str(server.path), "HEAD:main")

    assert push(repo, "-f", "origin", "main") == ""
    assert shared(server) == {repo.head()}


@pytest.mark.parametrize("where", ["folder", "work tree", "git dir", "another folder"])
def test_from_wherever_git_is_run(repo: Repo, server: Repo, tmp_path: Path, where: str) -> None:
    """A folder within, a linked work tree, the git dir itself, and `--git-dir`."""
    (repo.path / "sub").mkdir()
    tree = tmp_path / "tree"
    if where == "work tree":
        repo("worktree", "add", "-q", "--detach", str(tree))
    folder = {"folder": repo.path / "sub", "work tree": tree, "git dir": repo.path / ".git"}.get(where, tmp_path)
    by_name = ["--git-dir", str(repo.path / ".git")] if where == "another folder" else []

    assert Repo(folder).run(*by_name, "push", "-q", "origin", "HEAD:refs/heads/main").stderr == b""
    assert shared(server) == {repo.head()}


def test_the_clone_s_own_way_for_records(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """With `ampcommit.shareRemote` every push publishes there and nowhere else, also one to an address."""
    private = bare(tmp_path / "private.git")
    repo("remote", "add", "private", str(private.path))
    repo("config", "ampcommit.shareRemote", "private")
    assert push(repo, "origin", "main") == ""
    first = repo.head()
    assert (shared(private), shared(server)) == ({first}, set())

    repo.commit("-q", "-m", "Add the printer")
    assert push(repo, str(server.path), "main:other") == ""
    assert (shared(private), shared(server)) == ({first, repo.head()}, set())


# What is no push of records.


def test_other_remotes_get_no_records(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """All that is shared goes with a record, so no push to another remote or to an address publishes any."""
    public = bare(tmp_path / "public.git")
    repo("remote", "add", "public", str(public.path))

    assert push(repo, "public", "main") == ""
    assert push(repo, str(public.path), "main:again") == ""
    assert push(repo, str(server.path), "main") == ""
    assert (shared(public), shared(server)) == (set(), set())


@pytest.mark.usefixtures("sealed")
def test_a_clone_without_remotes_pushes_to_an_address(repo: Repo, server: Repo) -> None:
    """Where records could go nowhere, nothing is said of it."""
    repo("remote", "remove", "origin")

    assert push(repo, str(server.path), "main") == ""
    assert shared(server) == set()


def test_nothing_to_push_is_nothing_to_share(repo: Repo, server: Repo) -> None:
    """A push of what is there, of a deletion, and of notes themselves: no word, no record, no recursion."""
    push(repo, "--no-verify", "origin", "main", "main:topic")
    repo("notes", "add", "-m", "mine")
    repo("notes", "--ref", "ampcommit", "add", "-m", "by hand")

    assert push(repo, "origin", "main") == ""
    assert push(repo, "origin", ":topic") == ""
    assert push(repo, "origin", "refs/notes/commits") == ""
    assert shared(server) == set()
    assert push(repo, "origin", NOTES) == ""


@pytest.mark.parametrize("why", ["mode off", "no ledger", "sharing already"])
def test_where_nothing_is_to_be_shared(repo: Repo, server: Repo, why: str) -> None:
    """Switched off, without a ledger, and inside of our own push, a push is a push."""
    env = {"AMPCOMMIT_MODE": "off"} if why == "mode off" else {SHARING: "1"} if why == "sharing already" else {}
    if why == "no ledger":
        (repo.path / ".git" / "ampcommit" / "ledger.jsonl").unlink()

    assert push(repo, "origin", "main", env=env) == ""
    assert (shared(server), server("rev-parse", "main")) == (set(), repo.head())


# Earlier hooks.


def test_an_earlier_hook_sees_what_it_always_saw(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """It runs first, with git's arguments and the same bytes; then the records are published."""
    install.uninstall(str(repo.path))
    script(repo.path / ".git" / "hooks" / "pre-push", f'printf "<%s>" "$@" >"{tmp_path}/args"; cat >"{tmp_path}/fed"')
    install.install(str(repo.path), sharing=True)
    repo("branch", "topic")

    assert push(repo, "origin", "main", "topic") == ""
    assert (tmp_path / "args").read_text() == f"<origin><{server.path}>"
    lines = [f"refs/heads/{name} {repo.head()} refs/heads/{name} {NOTHING}\n" for name in ("main", "topic")]
    assert (tmp_path / "fed").read_text() == "".join(lines)
    assert shared(server) == {repo.head()}


@pytest.mark.parametrize("reads", ["cat >/dev/null; ", ""])
def test_a_veto_stands_and_nothing_is_shared(repo: Repo, server: Repo, reads: str) -> None:
    """What an earlier hook refuses is not pushed, and of what is not pushed no record is published."""
    script(repo.path / ".git" / "hooks" / f"pre-push{shim.EARLIER}", f"{reads}exit 7")

    assert repo.run("push", "-q", "origin", "main", ok=False).returncode == 1
    assert (shared(server), server("for-each-ref")) == (set(), "")


def test_an_earlier_hook_need_not_read(repo: Repo, server: Repo) -> None:
    """A hook that leaves unread what git feeds it, be it more than a pipe holds, costs neither push nor records."""
    script(repo.path / ".git" / "hooks" / f"pre-push{shim.EARLIER}", "exit 0")
    head = repo.head()
    repo("update-ref", "--stdin", stdin="".join(f"create refs/tags/t{n} {head}\n" for n in range(1500)).encode())

    assert push(repo, "origin", "main", "--tags") == ""
    assert shared(server) == {head}


def test_nothing_is_fed_where_git_feeds_nothing(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """A push of what is there already feeds no line, and no empty one either."""
    push(repo, "origin", "main")
    script(repo.path / ".git" / "hooks" / f"pre-push{shim.EARLIER}", f'cat >"{tmp_path}/fed"')

    assert push(repo, "origin", "main") == ""
    assert (tmp_path / "fed").read_bytes() == b""
    assert shared(server) == {repo.head()}


# What cannot be shared.


def test_a_remote_that_is_gone_costs_one_line(repo: Repo, server: Repo) -> None:
    """The push goes well, and the line says what to do."""
    repo("remote", "add", "private", "/nowhere at all")
    repo("config", "ampcommit.shareRemote", "private")
    said = push(repo, "origin", "main")

    assert said.startswith(SAID)
    assert said.endswith("`ampcommit share` tries again\n")
    assert said.count("\n") == 1
    assert server("rev-parse", "main") == repo.head()


def test_a_remote_that_refuses_notes_costs_one_line(repo: Repo, server: Repo) -> None:
    """The branch is pushed where notes may not be."""
    script(server.path / "hooks" / "update", 'case $1 in refs/notes/*) echo "\x1b[31mno notes here" >&2; exit 1;; esac')
    said = push(repo, "origin", "main")

    assert said.startswith(SAID)
    assert (said.count("\n"), "\x1b" in said) == (1, False)
    assert (shared(server), server("rev-parse", "main")) == (set(), repo.head())


def test_a_remote_that_does_not_answer_costs_seconds(repo: Repo, server: Repo) -> None:
    """Nobody waits for ever: the push goes on after five seconds, and nothing of it goes on behind its back."""
    repo("config", "protocol.ext.allow", "always")
    repo("config", "remote.slow.url", "ext::sleep 98765")
    repo("config", "ampcommit.shareRemote", "slow")
    begun = time.monotonic()
    said = push(repo, "origin", "main")

    assert time.monotonic() - begun < SECONDS + 5
    assert (said.startswith(SAID), said.count("\n")) == (True, 1)
    assert server("rev-parse", "main") == repo.head()
    assert not running("sleep 98765")


def running(words: str) -> bool:
    """Say whether a process is there whose command line begins like this."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(line.startswith(words) for line in listed.splitlines())


def test_a_password_is_not_asked_for(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """No terminal is asked, and no dialog of the desktop opens for what nobody waits for."""
    seen = tmp_path / "seen"
    asked = script(tmp_path / "ask", f'echo asked >>"{seen}"; echo secret')
    helper = script(tmp_path / "git-remote-strange", f'printf "%s\\n" "$GIT_TERMINAL_PROMPT" >>"{seen}"; exit 1')
    repo("remote", "add", "private", "strange::x")
    repo("config", "ampcommit.shareRemote", "private")
    path = f"{Path(helper).parent}{os.pathsep}{os.environ['PATH']}"
    said = push(repo, "origin", "main", env={"PATH": path, "SSH_ASKPASS": asked, "DISPLAY": ":0"})

    assert said.startswith(SAID)
    assert set(seen.read_text().split()) == {"0"}
    assert server("rev-parse", "main") == repo.head()


def called(repo: Repo, *args: str, fed: str = "", **environ: str) -> Call:
    """Return the call of the hook in *repo*, as git makes it."""
    env = {**os.environ, "GIT_DIR": str(repo.path / ".git"), **environ}
    return Call(env, 0, list(args), None, fed.removesuffix("\n"))


@pytest.fixture
def stuck(tmp_path: Path) -> dict[str, str]:
    """An environment in which git never answers, and heeds no friendly signal."""
    name = script(tmp_path / "stuck" / "git", "trap '' TERM\nwhile :; do sleep 0.1; done")
    return {"PATH": f"{Path(name).parent}{os.pathsep}{os.environ['PATH']}"}


def stuck_git(environ: dict[str, str]) -> str:
    """Return how the command line of that git begins."""
    return f"/bin/sh {environ['PATH'].split(os.pathsep)[0]}/git "


@pytest.mark.usefixtures("server")
def test_whoever_heeds_no_signal_is_killed(
    repo: Repo, stuck: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """First all are told to end, so that git removes its locks; a moment later whoever is left is killed."""
    line = f"refs/heads/main {repo.head()} refs/heads/main {NOTHING}\n"
    begun = time.monotonic()

    assert pushing.pre_push(called(repo, "origin", "x", fed=line, **stuck)) == 0
    assert time.monotonic() - begun < SECONDS + 5
    assert capfd.readouterr().err == f"{SAID}it took longer than 5 seconds; `ampcommit share` tries again\n"
    assert not running(stuck_git(stuck))


@pytest.mark.usefixtures("server")
def test_an_interrupt_ends_all_of_it(repo: Repo, stuck: dict[str, str]) -> None:
    """Ctrl-C is for the push; what was started in a group of its own is ended with it."""
    code = "import sys; sys.path.append(sys.argv[1]); from ampcommit.hook import main"
    code += "; sys.exit(main('pre-push', 0, ['origin', 'x']))"
    line = f"refs/heads/main {repo.head()} refs/heads/main {NOTHING}\n"
    argv = [install.interpreter(), "-I", "-S", "-c", code, install.package()]
    with subprocess.Popen(argv, cwd=repo.path, env={**os.environ, **stuck}, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(line.encode())
        process.stdin.close()
        until = time.monotonic() + 4
        while not running(stuck_git(stuck)) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)

        assert process.wait(10) == hook.INTERRUPTED
    assert not running(stuck_git(stuck))


@pytest.mark.usefixtures("server")
def test_who_heeds_the_signal_is_not_waited_for(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt in the hook itself leaves nobody behind, and takes no longer than it must."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    line = f"refs/heads/main {repo.head()} refs/heads/main {NOTHING}\n"
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        call = called(repo, "origin", "x", fed=line)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", script(tmp_path / "python", "exec sleep 87654"))
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(KeyboardInterrupt):
                pushing.pre_push(call)
    finally:
        signal.signal(signal.SIGALRM, before)

    assert not running("sleep 87654")


@pytest.mark.usefixtures("server")
def test_our_own_push_starts_nothing(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where we push ourselves, and where there is no ledger, no process is started."""
    assert SHARING == remotes.SHARING
    line = f"refs/heads/main {repo.head()} refs/heads/main {NOTHING}\n"
    started = tmp_path / "started"
    monkeypatch.setattr(sys, "executable", script(tmp_path / "python", f': >"{started}"'))
    assert pushing.pre_push(called(repo, "origin", "x", fed=line, **{SHARING: "1"})) == 0
    (repo.path / ".git" / "ampcommit" / "ledger.jsonl").unlink()
    assert pushing.pre_push(called(repo, "origin", "x", fed=line)) == 0

    assert not started.exists()


def test_a_python_that_dies_costs_one_line(
    repo: Repo, server: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever becomes of the process that shares, its last word or its status is told."""
    line = f"refs/heads/main {repo.head()} refs/heads/main {NOTHING}\n"
    for text, says in (("exit 3", "it ended with status 3"), ("echo Traceback >&2; echo Boom >&2; exit 1", "Boom")):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", script(tmp_path / "python", text))
            assert pushing.pre_push(called(repo, "origin", "x", fed=line)) == 0
        assert capfd.readouterr().err == f"{SAID}{says}; `ampcommit share` tries again\n"
    assert shared(server) == set()


# What the process that shares is told.


class Told:
    """Stands for the verb: keeps what it was asked to publish, or fails."""

    def __init__(self, remote: str = "origin", error: Exception | None = None) -> None:
        self.remote = remote
        self.error = error
        self.asked: list[tuple[object, ...]] = []

    def remote_of(self, *_: object) -> str:
        """Return the remote to which records go."""
        return self.remote

    def share(self, _: object, folder: str, *, remote: str, commits: frozenset[str], seconds: float) -> None:
        """Note what is asked."""
        self.asked.append((folder, remote, commits))
        assert 0 < seconds < SECONDS
        if self.error:
            raise self.error


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("name", "config", "remote"),
    [
        ("origin", "", "origin"),
        ("elsewhere", "", ""),
        ("other", "", ""),
        ("other", "other", "other"),
        ("https://example.com/r", "origin", "origin"),
        ("", "origin", "origin"),
    ],
)
def test_records_go_to_one_remote(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, name: str, config: str, remote: str
) -> None:
    """To the remote of the records, if the push goes there, or if records have a remote of their own."""
    monkeypatch.chdir(repo.path)
    repo("config", "remote.other.url", "/nowhere")
    if config:
        repo("config", "ampcommit.shareRemote", config)
    told = Told(config or "origin")

    assert publish(name, f"{repo.head()}\n", dict(os.environ), told.share, told.remote_of) == 0
    assert told.asked == ([(".", remote, {repo.head()})] if remote else [])


@pytest.mark.usefixtures("server")
def test_what_the_remote_has_is_not_asked_for(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the remote had when it was last fetched is no part of the push; with the mode off nothing is."""
    monkeypatch.chdir(repo.path)
    old = repo.head()
    repo("update-ref", "refs/remotes/origin/main", old)
    told = Told()
    assert publish("origin", f"{old}\n", dict(os.environ), told.share, told.remote_of) == 0
    assert told.asked == []
    repo.commit("-q", "-m", "Add the printer")
    pushed = f"{repo.head()}\n^{'1' * 40}\n"
    off = {**os.environ, "AMPCOMMIT_MODE": "off"}
    assert publish("origin", pushed, off, told.share, told.remote_of) == 0
    assert told.asked == []

    assert publish("origin", pushed, dict(os.environ), told.share, told.remote_of) == 0
    assert told.asked == [(".", "origin", {repo.head()})]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("error", [SetupError("there is none", hint="look"), OSError(28, "No space left on device")])
def test_a_failure_is_said_and_is_a_status(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    """What went wrong is one line for the hook to pass on."""
    monkeypatch.chdir(repo.path)
    told = Told(error=error)

    assert publish("origin", f"{repo.head()}\n", dict(os.environ), told.share, told.remote_of) == 1
    assert capfd.readouterr().err == f"{error}\n"


# Other ways to be called.


@pytest.mark.parametrize("kind", ["by the framework", "with a name"])
def test_the_pre_commit_framework_says_it_in_variables(repo: Repo, server: Repo, kind: str) -> None:
    """It keeps standard input to itself, and names one ref; a new history without a base has none."""
    says = {"PRE_COMMIT": "1", "PRE_COMMIT_REMOTE_NAME": "origin", "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/main"}
    whole = called(repo, **says)
    assert pushing.pre_push(whole) == 0
    assert shared(server) == set()

    refs = {"PRE_COMMIT_FROM_REF": NOTHING, "PRE_COMMIT_TO_REF": repo.head()}
    args = ["origin", str(server.path)] if kind == "with a name" else []
    assert pushing.pre_push(called(repo, *args, **says, **refs)) == 0
    assert shared(server) == {repo.head()}


@pytest.mark.parametrize("fed", ["", "\n", "nonsense", "a b c", f"x y refs/heads/main {NOTHING}", "\udcff b c d"])
def test_words_that_git_does_not_say_are_no_push(
    repo: Repo, server: Repo, capfd: pytest.CaptureFixture[str], fed: str
) -> None:
    """Whoever else calls the hook, with whatever words, does no harm."""
    assert pushing.pre_push(called(repo, "origin", fed=fed)) == 0
    assert pushing.pre_push(called(repo, fed=fed)) == 0
    assert (capfd.readouterr().err, shared(server)) == ("", set())


def test_git_lfs_and_ours_both_run(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """E14: the hook of git-lfs, as that writes it, gets its lines and its arguments."""
    install.uninstall(str(repo.path))
    lfs = '#!/bin/sh\ncommand -v git-lfs >/dev/null 2>&1 || { exit 2; }\ngit lfs pre-push "$@"\n'
    script(tmp_path / "bin" / "git-lfs", f'echo "$@" >"{tmp_path}/lfs"; cat >>"{tmp_path}/lfs"')
    path = repo.path / ".git" / "hooks" / "pre-push"
    path.write_text(lfs)
    path.chmod(0o755)
    found = install.install(str(repo.path), sharing=True)
    env = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    assert found.pushing.earlier == "git-lfs"
    assert push(repo, "origin", "main", env=env) == ""
    head = repo.head()
    said = f"pre-push origin {server.path}\nrefs/heads/main {head} refs/heads/main {NOTHING}\n"
    assert (tmp_path / "lfs").read_text() == said
    assert shared(server) == {head}
    install.uninstall(str(repo.path))
    assert path.read_text() == lfs


def test_the_portable_script_does_the_same(repo: Repo, server: Repo, tmp_path: Path) -> None:
    """Copied by hand, it publishes; where the command is missing, or fails, git pushes all the same."""
    path = repo.path / ".git" / "hooks" / "pre-push"
    path.write_text(shim.portable("pre-push"))
    argv = [sys.executable, "-P", "-m", "ampcommit"]
    paths = os.pathsep.join(filter(None, sys.path))
    command = tmp_path / "bin" / "ampcommit"
    script(command, f'PYTHONPATH={shlex.quote(paths)} exec {shlex.join(argv)} "$@"')
    env = {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
    assert push(repo, "origin", "main", env=env) == ""
    assert shared(server) == {repo.head()}

    for status in (1, 33, 70, 130):
        script(command, f"exit {status}")
        push(repo, "origin", f"main:status{status}", env=env)
    command.unlink()
    without = [folder for folder in os.environ["PATH"].split(os.pathsep) if not shutil.which("ampcommit", path=folder)]
    assert "is not on PATH" in push(repo, "origin", "main:gone", env={"PATH": os.pathsep.join(without)})
    assert len(server("for-each-ref", "refs/heads").splitlines()) == 6
