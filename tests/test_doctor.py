"""What `doctor` says of a setup: a dead hook is never silent, and what is off comes with what to do."""

import itertools
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit import shim
from ampcommit.verbs import install as verb
from ampcommit.verbs.doctor import Examination, doctor
from ampcommit.verbs.install import package
from tests.conftest import PARENT, ROOT, Repo, Run, url

HOSTILE = "#!/bin/sh\necho 'error: \033[31mno ticket' >&2\nexit 1\n"


def hook(repo: Repo, name: str = "commit-msg") -> Path:
    """Return where git looks for a hook."""
    return repo.path / ".git" / "hooks" / name


def put(path: Path, text: str, mode: int = 0o755) -> Path:
    """Write a script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def examined(repo: Repo, seconds: float = 30) -> Examination:
    """Let the doctor look at *repo*."""
    return doctor(os.environ, str(repo.path), seconds=seconds)


def codes(found: Examination, level: str = "") -> list[str]:
    """Return the codes of the findings, of one level if that is given."""
    return [one.code for one in found.findings if level in ("", one.level)]


def ran(found: Examination) -> dict[str, bool | None]:
    """Return what the trial showed of each hook."""
    return {name: seen.ran for name, seen in found.trial.hooks.items()}


def snapshot(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that is below *folders*: names, permissions, times of change, contents."""
    found = {}
    for path in sorted(one for folder in folders for one in folder.rglob("*")):
        seen = path.lstat()
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path)] = (seen.st_mode, seen.st_mtime_ns, content)
    return found


def only(found: Examination, code: str) -> str:
    """Return the message of the one finding with *code*."""
    (one,) = (one for one in found.findings if one.code == code)
    assert one.hint
    return one.message


# A setup in order.


def test_a_sound_setup_is_proved_by_four_hooks(installed: Repo) -> None:
    """Each of the four hooks is seen at work, and there is nothing to say."""
    found = examined(installed)

    assert ran(found) == dict.fromkeys(shim.HOOKS, True)
    assert (found.findings, found.needs_mending) == ([], False)


def test_nothing_of_the_users_changes(installed: Repo, sealed: Path, agent: Callable[[str], None]) -> None:
    """The proof leaves refs, index, objects, work tree, ledger, home and temporary folder as they were."""
    agent(PARENT)
    (installed.path / "draft").write_text("not committed\n")
    installed.commit("-m", "Say what changes")
    before = snapshot(installed.path, sealed)
    index = installed.run("ls-files", "--stage").stdout

    assert examined(installed).findings == []

    assert snapshot(installed.path, sealed) == before
    assert installed.run("ls-files", "--stage").stdout == index


@pytest.mark.usefixtures("installed")
def test_the_command_says_so_and_ends_with_0(run: Run) -> None:
    """A sound setup is a line for each hook and the exit status 0."""
    done = run("doctor")

    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [f"{name:<12} ran" for name in shim.HOOKS] + ["nothing needs mending"]
    assert run("doctor", "--json").data["needs_mending"] is False


def test_no_repository_is_said(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a repository, and with a git too old, there is nothing to examine: two lines and 3."""
    monkeypatch.chdir(tmp_path)

    assert run("doctor").status == 3

    put(tmp_path / "old" / "git", "#!/bin/sh\necho git version 2.20.1\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}{os.pathsep}{os.environ['PATH']}")
    done = run("doctor")

    assert (done.status, done.err.splitlines()[0]) == (3, "error: git 2.20.1 is too old")


@pytest.mark.parametrize("seen", ["bare", "linked", "below"])
def test_it_works_wherever_git_does(installed: Repo, tmp_path: Path, seen: str) -> None:
    """E03, E05, E06: a bare clone, a linked work tree and a folder below the top are examined alike."""
    installed("config", "ampcommit.mode", "warn")
    installed.commit("-m", "Begin to say what changes")
    place = tmp_path / "there"
    if seen == "bare":
        installed("clone", "-q", "--bare", str(installed.path), str(place))
        verb.install(str(place))
    elif seen == "linked":
        installed("worktree", "add", "-q", str(place))
    else:
        place = installed.path / "below"
        place.mkdir()

    assert doctor(os.environ, str(place)).findings == []


# Dead hooks: each state is found, named, and ends with 1.


def absent(path: Path) -> None:
    """Remove the hook."""
    path.unlink()


def not_executable(path: Path) -> None:
    """Take the permission."""
    path.chmod(0o644)


def dead_link(path: Path) -> None:
    """Put a link to nothing in its place."""
    path.unlink()
    path.symlink_to("/nonexistent/hook")


def a_folder(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    """Put a FIFO in its place."""
    path.unlink()
    os.mkfifo(path, 0o755)


def python_gone(path: Path) -> None:
    """Let the script name an interpreter that is not there."""
    put(path, shim.fast(path.name, "/nonexistent/python", package()))


def package_gone(path: Path) -> None:
    """Let the script name a package that is not there."""
    put(path, shim.fast(path.name, verb.interpreter(), "/nonexistent/site-packages"))


def garbled(path: Path) -> None:
    """Spoil the script."""
    put(path, path.read_text().replace("\npython=", "\npython='"))


def empty(path: Path) -> None:
    """Empty the script: git runs it all the same."""
    put(path, "")


def somebody_elses(path: Path) -> None:
    """Let another tool have written its own."""
    put(path, "#!/bin/sh\n# https://pre-commit.com\nexit 0\n")


def no_command(path: Path) -> None:
    """Put the portable script there where the command is not on PATH."""
    put(path, shim.portable(path.name).replace("command -v ampcommit", "command -v ampcommit-is-gone"))


def defective(path: Path) -> None:
    """Let Python fail."""
    put(path, shim.fast(path.name, "/bin/false", package()))


def interpreter_gone(path: Path) -> None:
    """E10, E19: name an interpreter that is gone in the first line."""
    put(path, f"#!/nonexistent/venv/bin/python -I\nampcommit hook {path.name}\n")


def interpreter_not_found(path: Path) -> None:
    """Name an interpreter that is not on PATH."""
    put(path, "#!/usr/bin/env ampcommit-python\n")


DEAD: dict[Callable[[Path], None], str] = {
    absent: "hook-absent",
    not_executable: "hook-not-executable",
    dead_link: "hook-no-file",
    a_folder: "hook-no-file",
    a_pipe: "hook-no-file",
    python_gone: "hook-interpreter-gone",
    package_gone: "hook-interpreter-gone",
    garbled: "hook-interpreter-gone",
    empty: "hook-foreign",
    somebody_elses: "hook-foreign",
    no_command: "hook-without-effect",
    defective: "hook-without-effect",
    interpreter_gone: "hook-interpreter-gone",
    interpreter_not_found: "hook-interpreter-gone",
}


# Each state once, with one hook after the other, and two of them with every hook.
CASES = [*zip(DEAD, itertools.cycle(shim.HOOKS), strict=False)]
CASES += [case for case in itertools.product((absent, somebody_elses), shim.HOOKS) if case not in CASES]


@pytest.mark.parametrize(("kill", "name"), CASES)
def test_a_dead_hook_is_never_silent(installed: Repo, run: Run, kill: Callable[[Path], None], name: str) -> None:
    """E10, E11, E19, E20: whichever hook died, and of what, the doctor ends with 1 and names it; others are proved."""
    kill(hook(installed, name))

    done = run("doctor", "--json")
    errors = [one for one in done.data["findings"] if one["level"] == "error"]

    assert (done.status, done.data["needs_mending"]) == (1, True)
    assert [one["code"] for one in errors] == [DEAD[kill]]
    assert name in errors[0]["message"]
    assert errors[0]["hint"]
    assert [one["hook"] for one in done.data["hooks"] if one["ran"] is not True] == [name]


def test_a_dead_hook_is_shown(installed: Repo, run: Run) -> None:
    """A person sees which hook did not run, why, and what to do; stderr stays empty."""
    not_executable(hook(installed, "post-merge"))

    done = run("doctor")

    assert (done.status, done.err) == (1, "")
    assert done.out.splitlines() == [
        "commit-msg   ran",
        "post-commit  ran",
        "post-merge   did not run",
        "post-rewrite ran",
        f"error: {hook(installed, 'post-merge')} is not executable: git passes it over",
        f" hint: chmod +x {hook(installed, 'post-merge')}",
    ]


def test_a_clone_without_install_says_so(repo: Repo) -> None:
    """Nothing is installed: four errors, and each says how that is mended."""
    found = examined(repo)

    assert codes(found) == ["hook-absent"] * 4
    assert {one.hint for one in found.findings} == {"run `ampcommit install`"}


def test_what_the_script_said_is_told(installed: Repo) -> None:
    """Where a hook runs and does nothing, its own words say why."""
    no_command(hook(installed))

    message = only(examined(installed), "hook-without-effect")

    assert message == "commit-msg runs without effect: error: the command ampcommit is not on PATH"


def test_a_file_that_nobody_may_run_is_told_apart(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system forbids programs, `chmod` is not blamed."""
    path, ask = str(hook(installed)), os.access
    monkeypatch.setattr(os, "access", lambda one, mode: ask(one, mode) and (one, mode) != (path, os.X_OK))

    assert "its file system or its owner forbids it" in only(examined(installed), "hook-not-executable")


def test_a_script_of_another_place_still_runs_and_is_named(installed: Repo, tmp_path: Path) -> None:
    """A hook of another place of ampcommit works, and is worth a warning: it may be of another version."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(Path(package()) / "ampcommit", copy / "ampcommit", ignore=shutil.ignore_patterns("__pycache__"))
    put(hook(installed), shim.fast("commit-msg", verb.interpreter(), str(copy)))

    found = examined(installed)

    assert (codes(found), found.needs_mending, ran(found)["commit-msg"]) == (["hook-outdated"], False, True)


# Hooks elsewhere.


@pytest.mark.parametrize("value", ["shared", "{tmp}/shared", "~/shared", "/dev/null"])
@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_hooks_shadowed_by_another_folder(installed: Repo, tmp_path: Path, value: str, scope: str) -> None:
    """E12: ours are in the clone's own folder and git looks elsewhere; where that is set is said."""
    installed("config", scope, "core.hooksPath", value.format(tmp=tmp_path))

    found = examined(installed)
    message = only(found, "hooks-shadowed")

    assert (codes(found), found.needs_mending) == (["hooks-shadowed"], True)
    assert "which is no folder" in message
    assert "git config --file " in found.findings[0].hint
    assert (".gitconfig" if scope == "--global" else ".git/config") in message


def test_hooks_shadowed_by_hooks_of_others(installed: Repo) -> None:
    """E12: where the other folder has hooks, those that lead nowhere are named with it."""
    put(installed.path / "shared" / "commit-msg", "#!/bin/sh\n")
    installed("-c", "ampcommit.mode=off", "config", "core.hooksPath", "shared")

    found = examined(installed)

    assert codes(found, "error") == ["hooks-shadowed", "hook-foreign"]
    assert "which is no folder" not in only(found, "hooks-shadowed")


def test_a_folder_that_is_missing(repo: Repo) -> None:
    """E12: without hooks of ours, it is the missing folder that is named."""
    repo("config", "core.hooksPath", ".githooks")

    found = examined(repo)

    assert codes(found) == ["hooks-folder-missing"]
    assert only(found, "hooks-folder-missing").endswith("which is no folder: git runs no hook at all")


@pytest.mark.parametrize("there", [True, False])
def test_a_hooks_folder_that_is_a_link(repo: Repo, tmp_path: Path, there: bool) -> None:
    """E11: the clone's own folder may be a link to a folder of others, without any core.hooksPath, or to nothing."""
    shutil.rmtree(repo.path / ".git" / "hooks")
    (repo.path / ".git" / "hooks").symlink_to(tmp_path / "shared")
    if there:
        (tmp_path / "shared").mkdir()

    found = examined(repo)

    assert codes(found) == ["hook-absent"] * 4
    assert {one.hint for one in found.findings} == {"`ampcommit install` says what to add there"}


def test_setting_the_path_for_one_command_is_seen(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E08: `git -c core.hooksPath=…` has no file to name and no command that ends it but its own end."""
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.hooksPath'='/dev/null'")

    found = examined(installed)

    assert found.findings[0].hint.endswith("or end that: clear GIT_CONFIG_COUNT and -c")


def test_a_folder_of_others_that_calls_us_is_fine(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E12, E14: portable scripts in a shared folder are proved like installed ones."""
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
    if not shutil.which("ampcommit"):
        pytest.skip("the command ampcommit is not beside this interpreter")
    for name in shim.HOOKS:
        put(repo.path / "shared" / name, (ROOT / "hooks" / name).read_text())
    repo("config", "core.hooksPath", "shared")

    found = examined(repo)

    assert (found.findings, ran(found)) == ([], dict.fromkeys(shim.HOOKS, True))


def husky(repo: Repo) -> Path:
    """Make what husky 9 makes, with ours behind it; return the folder of the files that people write."""
    folder = repo.path / ".husky"
    called = (
        '#!/bin/sh\nn=$(basename "$0")\ns=$(dirname "$(dirname "$0")")/$n\n[ ! -f "$s" ] && exit 0\nsh -e "$s" "$@"\n'
    )
    put(folder / "_" / "h", called)
    put(folder / "_" / ".gitignore", "*")
    for name in shim.HOOKS:
        put(folder / "_" / name, '#!/usr/bin/env sh\n. "$(dirname "$0")/h"')
        put(folder / name, shim.fast(name, verb.interpreter(), package()), 0o644)
    repo("config", "core.hooksPath", ".husky/_")
    return folder


def test_husky_is_proved_through_its_own_scripts(repo: Repo) -> None:
    """E14: husky's folder leads to the files beside it, executable or not."""
    husky(repo)

    found = examined(repo)

    assert (ran(found), codes(found, "error")) == (dict.fromkeys(shim.HOOKS, True), [])


def test_a_file_that_husky_misses_is_named(repo: Repo) -> None:
    """E14: husky's own script is there, the one that it calls is not: that is the one to write."""
    folder = husky(repo)
    (folder / "post-merge").unlink()

    message = only(examined(repo), "hook-absent")

    assert message == f"post-merge is not installed: there is no {folder / 'post-merge'}"


def test_a_work_tree_without_the_folder_is_named(repo: Repo, tmp_path: Path) -> None:
    """E13: a relative path leads nowhere in another work tree: it is an error here and there."""
    husky(repo)
    repo("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "Begin")
    repo("worktree", "add", "-q", str(tmp_path / "other"))

    here, there = examined(repo), doctor(os.environ, str(tmp_path / "other"))

    assert codes(here, "error") == ["work-tree-without-hooks"]
    assert only(here, "work-tree-without-hooks").startswith(
        f"in the work tree {tmp_path / 'other'} git runs no commit-msg"
    )
    assert codes(there, "error") == ["hooks-folder-missing"]
    assert codes(there, "note") == ["work-tree-apart"]


def test_a_work_tree_that_is_gone_or_broken_is_passed_over(installed: Repo, tmp_path: Path) -> None:
    """C20: nobody commits in a work tree that was deleted or that git cannot read."""
    installed("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "Begin")
    for name in ("gone", "broken"):
        installed("worktree", "add", "-q", str(tmp_path / name))
    shutil.rmtree(tmp_path / "gone")
    (tmp_path / "broken" / ".git").write_text("gitdir: /nonexistent\n")

    assert examined(installed).findings == []


# Hooks of others beside ours.


def test_an_earlier_hook_that_refuses_leaves_the_proof_open(installed: Repo) -> None:
    """E09, F05: a hook before ours refuses what the trial commits: that is said, with its words, and is no error."""
    put(hook(installed, f"commit-msg{shim.EARLIER}"), HOSTILE)

    found = examined(installed)

    assert (codes(found), found.needs_mending) == (["hook-refuses"], False)
    assert only(found, "hook-refuses").endswith(": error: \033[31mno ticket")
    assert ran(found) == dict.fromkeys(shim.HOOKS, True) | {"commit-msg": None}


def test_an_earlier_hook_that_cannot_run_is_an_error(installed: Repo) -> None:
    """With its interpreter gone it refuses every commit, not only those of the trial."""
    put(installed.path / ".git" / "hooks" / f"commit-msg{shim.EARLIER}", "#!/nowhere/python3\n")
    found = examined(installed)

    assert ("hook-earlier-gone" in codes(found), found.needs_mending) == (True, True)


def test_a_hook_between_two_others_is_told_apart(installed: Repo) -> None:
    """Where a tool wrote over ours while another hook was kept, install would refuse: doctor says what to do first."""
    hook = installed.path / ".git" / "hooks" / "post-commit"
    put(Path(f"{hook}{shim.EARLIER}"), "#!/bin/sh\n: one\n")
    put(hook, "#!/bin/sh\n: another\n")
    found = examined(installed)

    assert "move the other one away" in next(one.hint for one in found.findings if one.code == "hook-foreign")


def test_a_hook_that_refuses_without_a_word(installed: Repo) -> None:
    """Silence is told as such."""
    put(hook(installed, f"commit-msg{shim.EARLIER}"), "#!/bin/sh\nexit 1\n")

    assert only(examined(installed), "hook-refuses").endswith("not proved: it said nothing")


def test_what_a_hook_says_reaches_no_terminal(installed: Repo, run: Run) -> None:
    """S01: words of a foreign hook are shown escaped."""
    put(hook(installed, f"commit-msg{shim.EARLIER}"), HOSTILE)

    done = run("doctor")

    assert (done.status, "\033" in done.out) == (0, False)
    assert "commit-msg   not proved" in done.out
    assert "error: \\x1b[31mno ticket" in done.out


def test_a_hook_that_hangs_is_named(installed: Repo) -> None:
    """A hook that waits for ever is ended, with what it started, and named; dead hooks behind it are still found."""
    put(hook(installed, f"post-merge{shim.EARLIER}"), "#!/bin/sh\nsleep 77 &\nsleep 77\n")
    hook(installed, "post-commit").unlink()

    found = examined(installed, seconds=5)

    assert codes(found) == ["hook-hangs", "hook-absent"]
    assert only(found, "hook-hangs").startswith("post-merge did not end within 5 seconds")
    assert ran(found) == dict.fromkeys(shim.HOOKS)


def test_git_that_cannot_commit_is_said(installed: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git itself makes no commit, nothing is proved, and that is an error."""
    real = shutil.which("git")
    put(tmp_path / "bin" / "git", f'#!/bin/sh\n[ "$1" = merge ] && echo no merge today && exit 1\nexec {real} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    found = examined(installed)

    assert codes(found) == ["trial-failed"]
    assert only(found, "trial-failed").endswith(": no merge today")


@pytest.mark.parametrize("what", ["commit-msg", "commit-msg.before-ampcommit", "."])
def test_what_everybody_can_write_is_named(installed: Repo, what: str) -> None:
    """E39: whoever can write a hook runs what they like as its owner; devices are nobody's hooks."""
    path = hook(installed, what)
    if not path.exists():
        put(path, "#!/bin/sh\n")
    path.chmod(0o777)

    found = examined(installed)

    assert (codes(found), found.needs_mending) == (["hook-writable"], False)
    assert found.findings[0].hint == f"chmod o-w {shlex.quote(os.path.normpath(path))}"


def test_a_device_is_nobodys_hook(installed: Repo) -> None:
    """Everybody can write /dev/null, and nobody shall change that."""
    installed("config", "core.hooksPath", "/dev/null")
    assert os.stat("/dev/null").st_mode & stat.S_IWOTH

    assert codes(examined(installed)) == ["hooks-shadowed"]


def with_new_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a git on PATH that says it is 2.54 and knows the hooks that configuration names."""
    real = shutil.which("git")
    script = (
        '#!/bin/sh\ncase "$*" in\n*version) echo git version 2.54.0 ;;\n'
        f'*"hook list"*) printf "ours\\0" ;;\n*) exec {real} "$@" ;;\nesac\n'
    )
    put(tmp_path / "new" / "git", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}{os.pathsep}{os.environ['PATH']}")


def test_a_hook_in_gits_configuration_beside_ours(
    installed: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E44: git runs both, so that one of them is too much."""
    installed("config", "hook.ours.event", "commit-msg")
    installed("config", "hook.ours.command", "ampcommit hook commit-msg")
    with_new_git(tmp_path, monkeypatch)

    found = examined(installed)

    assert codes(found, "warning") == ["hook-twice"]
    assert only(found, "hook-twice").startswith("git runs ampcommit twice as commit-msg: ")


# The policy, and Amp's own settings.


def test_a_policy_that_switches_everything_off(installed: Repo) -> None:
    """`mode = off` is said, and the hooks are proved all the same."""
    installed("config", "ampcommit.mode", "off")

    found = examined(installed)

    assert (codes(found), codes(found, "note")) == (["mode-off"], ["mode-off"])
    assert ran(found) == dict.fromkeys(shim.HOOKS, True)


@pytest.mark.parametrize("setting", [("authors", "agent"), ("autolink", "false"), ("minBody", "500"), ("exempt", "")])
def test_no_policy_hinders_the_proof(installed: Repo, setting: tuple[str, str]) -> None:
    """Whatever is demanded here, the commits of the trial are made."""
    installed("config", f"ampcommit.{setting[0]}", setting[1])

    assert examined(installed).findings == []


def test_a_policy_with_a_mistake(installed: Repo) -> None:
    """What hooks warn of at each commit is said here too."""
    installed("config", "ampcommit.mode", "sometimes")

    assert codes(examined(installed), "warning") == ["policy"]


def amp_off(sealed: Path) -> Path:
    """Switch Amp's own trailer off in the user's settings."""
    return put(sealed / ".config" / "amp" / "settings.json", '{"amp.git.commit.ampThread.enabled": false}', 0o644)


def test_amps_own_trailer_switched_off(installed: Repo, sealed: Path) -> None:
    """It is a note as long as the hook adds the link, and says where that is set."""
    path = amp_off(sealed)

    found = examined(installed)

    assert codes(found, "note") == codes(found) == ["amp-trailer-off"]
    assert f"false in {path}): commit-msg does" in only(found, "amp-trailer-off")


def test_nobody_adds_the_link(installed: Repo, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the policy switches the hook's link off, too, both places where Amp's is off are warnings."""
    amp_off(sealed)
    monkeypatch.setenv("AMP_DISABLE_AMP_THREAD_TRAILER", "1")
    installed("config", "ampcommit.autolink", "false")

    found = examined(installed)

    assert codes(found) == ["amp-trailer-off"] * 2
    assert codes(found, "warning") == ["amp-trailer-off"] * 2
    assert found.findings[0].message.endswith("(AMP_DISABLE_AMP_THREAD_TRAILER=1): nobody does")
    assert found.findings[0].hint == "to have Amp do it, unset AMP_DISABLE_AMP_THREAD_TRAILER"


def test_the_gravest_comes_first(installed: Repo, sealed: Path) -> None:
    """Errors stand before warnings, warnings before notes."""
    amp_off(sealed)
    installed("config", "ampcommit.hots", "x")
    hook(installed, "post-merge").unlink()

    assert [one.level for one in examined(installed).findings] == ["error", "warning", "note"]


def test_what_the_ledger_has_is_looked_at(installed: Repo) -> None:
    """C12, AC302: damage of the ledger is an error of the setup."""
    (installed.path / ".git" / "ampcommit" / "ledger.jsonl").write_text("{}\n")

    assert codes(examined(installed), "error") == ["ledger-damaged"]


def test_a_link_of_the_trial_is_nobodys(installed: Repo) -> None:
    """The made-up threads of the trial appear nowhere in the clone."""
    examined(installed)

    kept = b"".join(path.read_bytes() for path in installed.path.rglob("*") if path.is_file())
    assert url("T-00000000-0000-4000-8000-000000000001").encode() not in kept


# Sharing.


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (shim.fast("pre-push", "/bin/sh", package()), "share-outdated"),
        (shim.fast("pre-push", "/nonexistent", package()), "share-broken"),
        ("#!/bin/sh\n", "share-absent"),
        ("", "share-absent"),
        ('#!/bin/sh\nampcommit hook pre-push "$@"\n', ""),
    ],
)
def test_a_push_that_publishes_nothing_is_named(repo: Repo, text: str, code: str) -> None:
    """Where records are to be shared, what keeps a push from it is a warning; nothing is pushed to find out."""
    repo("remote", "add", "origin", "/nowhere")
    verb.install(str(repo.path), sharing=True)
    assert codes(examined(repo)) == []
    path = hook(repo, "pre-push")
    path.unlink()
    if text:
        put(path, text)
    found = examined(repo)

    assert (codes(found, "warning"), found.needs_mending) == ([code] if code else [], False)


def test_a_push_hook_of_others_is_nobodys_business(installed: Repo) -> None:
    """Who does not share has no finding, whatever stands there; that everybody can write it is one."""
    put(hook(installed, "pre-push"), "#!/bin/sh\n")
    assert codes(examined(installed)) == []
    hook(installed, "pre-push").chmod(0o777)

    assert codes(examined(installed)) == ["hook-writable"]
