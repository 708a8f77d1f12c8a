"""What the trial proves of each hook, one by one, and that it ends whatever hooks do."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ampcommit import shim
from ampcommit.gitcmd import Git
from ampcommit.setup.scratch import Scratch, scratch
from ampcommit.verbs.install import status
from ampcommit.verbs.trial import AT_WORK, LINKED, tried
from tests.conftest import PARENT, Repo

Copy = Callable[[], Scratch]


@pytest.fixture
def copy(repo: Repo) -> Iterator[Copy]:
    """Return a function that makes a scratch copy of the repository as it is then."""
    with ExitStack() as made:

        def make() -> Scratch:
            setup = status(str(repo.path))
            return made.enter_context(scratch(Git(str(repo.path)), setup.place, setup.folder, os.environ))

        yield make


def put(repo: Repo, name: str, text: str) -> Path:
    """Write a hook."""
    path = repo.path / ".git" / "hooks" / name
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


def ticking(path: Path) -> str:
    """Return a line of shell that leaves a process behind; it writes to *path* as long as it lives."""
    return f"( while sleep 0.05; do echo >>{path}; done ) &\n"


def alive(path: Path) -> bool:
    """Say whether that process still writes to *path*."""
    before = path.stat().st_size if path.exists() else 0
    time.sleep(0.5)
    return (path.stat().st_size if path.exists() else 0) > before


@pytest.mark.usefixtures("installed")
def test_every_hook_is_seen_at_work(copy: Copy) -> None:
    """Each proof is what the hook left: a link, two records, and what became of a commit."""
    there = copy()

    found = tried(there)

    assert {name: (one.started, one.ran) for name, one in found.hooks.items()} == dict.fromkeys(
        shim.HOOKS, (True, True)
    )
    assert (found.refused, found.failed, found.hung) == (None, None, None)
    assert there.started() == ["commit-msg", "post-merge", "post-commit", "post-rewrite"]


@pytest.mark.parametrize("only", shim.HOOKS)
def test_each_proof_stands_for_itself(installed: Repo, copy: Copy, only: str) -> None:
    """One living hook among dead ones is proved, and nothing that it does is taken for another's work."""
    for name in shim.HOOKS:
        if name != only:
            (installed.path / ".git" / "hooks" / name).unlink()

    found = tried(copy())

    assert {name: one.ran for name, one in found.hooks.items()} == {name: name == only for name in shim.HOOKS}
    assert [name for name, one in found.hooks.items() if one.started] == [only]


@pytest.mark.parametrize("only", shim.HOOKS)
def test_one_dead_hook_hides_no_other(installed: Repo, copy: Copy, only: str) -> None:
    """With one hook dead the other three are proved all the same."""
    (installed.path / ".git" / "hooks" / only).unlink()

    found = tried(copy())

    assert [name for name, one in found.hooks.items() if not one.ran] == [only]


def test_hooks_that_prove_nothing_do_not_run(installed: Repo, tmp_path: Path, copy: Copy) -> None:
    """No pre-commit, no hook that calls it, and none of the others that git knows: they test, stash and write."""
    for sample in (installed.path / ".git" / "hooks").glob("*.sample"):
        put(installed, sample.name.removesuffix(".sample"), f"touch {tmp_path}/$(basename $0)\n")
    for name in ("pre-commit", "pre-merge-commit", "prepare-commit-msg", "reference-transaction", "post-checkout"):
        put(installed, name, f"touch {tmp_path}/{name}\n")
    put(installed, "commit-msg", f"touch {tmp_path}/commit-msg\n")
    before = set(tmp_path.iterdir())

    tried(copy())

    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"commit-msg"}


def test_earlier_hooks_run_once_each(installed: Repo, tmp_path: Path, copy: Copy) -> None:
    """What others do after a commit is done once for each hook, in the scratch copy."""
    for name in shim.HOOKS:
        put(installed, f"{name}{shim.EARLIER}", f'echo {name} >>{tmp_path}/log\necho x >"$PWD/left-behind"\n')

    there = copy()
    tried(there)

    assert (tmp_path / "log").read_text().split() == ["commit-msg", "post-merge", "post-commit", "post-rewrite"]
    assert os.path.exists(os.path.join(there.work, "left-behind"))
    assert not (installed.path / "left-behind").exists()


def test_who_refuses_is_quoted_and_passed_by(installed: Repo, copy: Copy) -> None:
    """A hook that refuses the merge leaves `commit-msg` open; the others are proved without it."""
    put(installed, f"commit-msg{shim.EARLIER}", "echo\necho one moment\necho Error: no ticket\nexit 1\n")

    found = tried(copy())

    assert (found.refused, found.hooks["commit-msg"].ran) == ("Error: no ticket", None)
    assert [found.hooks[name].ran for name in shim.HOOKS[1:]] == [True] * 3


def test_silence_is_a_refusal_too(installed: Repo, copy: Copy) -> None:
    """A hook may refuse without a word of its own."""
    put(installed, "commit-msg", "exit 1\n")

    assert tried(copy()).refused == ""


@pytest.mark.parametrize(
    ("name", "seconds", "proved"), [("commit-msg", 2, []), ("post-commit", 6, ["commit-msg", "post-merge"])]
)
def test_nothing_that_hangs_outlives_the_trial(
    installed: Repo, copy: Copy, name: str, seconds: float, proved: list[str]
) -> None:
    """A hook that waits is named and killed with its children; what was proved before stays proved."""
    tick = installed.path.parent / "tick"
    put(installed, f"{name}{shim.EARLIER}", f"{ticking(tick)}sleep 99\n")
    start = time.monotonic()

    found = tried(copy(), seconds=seconds)

    assert found.hung == name
    assert time.monotonic() - start < 60
    assert [one for one in shim.HOOKS if found.hooks[one].ran] == proved
    assert tick.exists()
    assert not alive(tick)


@pytest.mark.usefixtures("installed")
def test_git_itself_may_hang(copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none of the hooks was at work, the command of git is named."""
    real = shutil.which("git")
    (tmp_path / "git").write_text(f'#!/bin/sh\n[ "$1" = merge ] && exec sleep 60\nexec {real} "$@"\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert tried(copy(), seconds=1).hung == "git merge"


def test_a_child_in_the_background_is_not_awaited(installed: Repo, tmp_path: Path, copy: Copy) -> None:
    """A hook may leave something running that keeps its output open: it is ended with the trial."""
    put(installed, f"post-commit{shim.EARLIER}", ticking(tmp_path / "tick"))

    found = tried(copy())

    assert (found.hung, found.hooks["post-commit"].ran) == (None, True)
    assert not alive(tmp_path / "tick")


def test_a_child_that_escaped_is_not_awaited_either(installed: Repo, copy: Copy, tmp_path: Path) -> None:
    """One in a session of its own, which talks on and on, is beyond us, and keeps nobody waiting."""
    if not shutil.which("setsid"):
        pytest.skip("there is no setsid here")
    (tmp_path / "talk").write_text('while [ -e "$0" ]; do echo yes yes yes; done\n')
    put(installed, f"post-commit{shim.EARLIER}", f"setsid sh {tmp_path}/talk &\nsleep 0.2\n")

    found = tried(copy())
    (tmp_path / "talk").unlink()

    assert (found.hung, found.hooks["post-commit"].ran) == (None, True)


def test_a_hook_may_talk_without_end(installed: Repo, copy: Copy) -> None:
    """Megabytes of words are read and forgotten."""
    put(installed, f"commit-msg{shim.EARLIER}", "head -c 3000000 /dev/zero | tr '\\0' '\\n'\necho refused; exit 1\n")

    found = tried(copy())

    assert (found.hung, found.refused, found.hooks["post-merge"].ran) == (None, "", True)


@pytest.mark.usefixtures("installed")
def test_git_that_makes_no_merge_ends_the_trial(copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git fails with and without its hooks, what it says is kept, and no hook is called dead."""
    real = shutil.which("git")
    (tmp_path / "git").write_text(f'#!/bin/sh\n[ "$1" = merge ] && echo no merge && exit 1\nexec {real} "$@"\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    found = tried(copy())

    assert (found.failed, found.refused) == ("no merge", None)
    assert {one.ran for one in found.hooks.values()} == {None}


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_ledger_that_is_none_proves_nothing(installed: Repo, copy: Copy, kind: str) -> None:
    """Something else in the place of the scratch ledger is no record of ours."""
    make = "mkdir -p .git/ampcommit/ledger.jsonl" if kind == "folder" else "ln -s /dev/null .git/ampcommit/ledger.jsonl"
    put(installed, f"commit-msg{shim.EARLIER}", f"mkdir -p .git/ampcommit\n{make}\n")

    found = tried(copy())

    assert [name for name, one in found.hooks.items() if one.ran] == ["commit-msg"]
    assert "ledger" in found.hooks["post-merge"].said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMPCOMMIT_MODE", "off"),
        ("AMPCOMMIT_AUTOLINK", "false"),
        ("AMPCOMMIT_MINBODY", "999"),
        ("AMP_THREAD_ID", PARENT),
        ("GIT_EDITOR", "false"),
        ("GIT_INDEX_FILE", "/nonexistent/index"),
        ("GIT_REFLOG_ACTION", "pull: Fast-forward"),
        ("CI", "true"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_the_surroundings_do_not_disturb(copy: Copy, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """E02, E08, S12: what the caller's environment says of other commits is not said of these."""
    monkeypatch.setenv(name, value)

    assert {one.ran for one in tried(copy()).hooks.values()} == {True}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ampcommit.mode", "off"),
        ("commit.gpgSign", "true"),
        ("commit.template", "/nonexistent"),
        ("core.commentChar", ";"),
        ("core.logAllRefUpdates", "false"),
        ("merge.ff", "only"),
        ("merge.verifySignatures", "true"),
        ("trailer.ifexists", "replace"),
        ("user.useConfigOnly", "true"),
    ],
)
@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_the_configuration_does_not_disturb(installed: Repo, copy: Copy, scope: str, key: str, value: str) -> None:
    """S11: signing, other ways to merge, another comment character: the hooks are proved with all of it."""
    installed("config", scope, key, value)

    assert {one.ran for one in tried(copy()).hooks.values()} == {True}


@pytest.mark.usefixtures("installed")
def test_threads_of_the_trial_are_made_up(copy: Copy, sealed: Path) -> None:
    """The two threads are nobody's: nothing about them is learned, and no chain is asked for."""
    there = copy()
    tried(there)

    assert AT_WORK != LINKED
    assert not os.path.exists(os.path.join(there.git_dir, "ampcommit", "asked"))
    assert [path.name for path in sealed.iterdir()] == [".gitconfig"]
