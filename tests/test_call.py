"""One call of a hook: who started it, where it happens, what it says."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampcommit.call import Call, say
from tests.conftest import Repo

tells_names = pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="this system does not tell names")


@pytest.fixture
def git(tmp_path: Path) -> Iterator[int]:
    """A running process whose name is `git`."""
    sleep = shutil.which("sleep")
    assert sleep
    program = shutil.copy(sleep, tmp_path / "git")
    process = subprocess.Popen([program, "60"])
    while Path(f"/proc/{process.pid}/comm").read_text() != "git\n":
        pass  # between fork and exec it has our name
    yield process.pid
    process.kill()
    process.wait()


@tells_names
def test_git_as_the_parent_is_known(git: int) -> None:
    """Where git itself started the hook, its process id ties the two hooks of one commit together."""
    assert Call({}, git, []).parent == git


@tells_names
def test_another_parent_tells_nothing() -> None:
    """A hook manager between git and us may start each hook from another process."""
    assert Call({}, os.getpid(), []).parent == 0


def test_a_system_that_does_not_tell_is_believed() -> None:
    """Without /proc, as on macOS, git's habit of starting hooks itself counts."""
    assert Call({}, 99_999_999, []).parent == 99_999_999


def test_a_call_knows_its_place_from_the_environment() -> None:
    """Git says where its folder is; where it does not, it is `.git`."""
    assert Call({"GIT_DIR": "/x/y.git"}, 0, []).place.git_dir == "/x/y.git"
    assert Call({}, 0, []).place.git_dir == ".git"


@pytest.fixture
def here(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """The empty repository, in which this process runs as git would run a hook."""
    monkeypatch.chdir(repo.path)
    return repo


def test_what_the_script_asked_already_is_not_asked_again(here: Repo) -> None:
    """The one question to git's configuration is enough for both."""
    here("config", "ampcommit.mode", "warn")

    assert Call(os.environ, 0, [], "local\tampcommit.mode off").settings().mode == "off"
    assert Call(os.environ, 0, []).settings().mode == "warn"


def test_problems_of_the_policy_are_said(here: Repo, capfd: pytest.CaptureFixture[str]) -> None:
    """A hook goes on with what is left of a policy, and says what it could not use."""
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = sometimes\n\tamp = x\n\tho\x01st = x\n")
    (here.path / ".ampcommit").write_text(
        '[ampcommit]\n\tmode = sometimes\n\tamp = x\n[ampcommit "\\u202e"]\n\tx = y\n'
    )
    call = Call(os.environ, 0, [])
    assert call.settings() is call.settings()
    lines = capfd.readouterr().err.splitlines()

    assert len(lines) == 3
    assert all(line.startswith("warning: ampcommit: .ampcommit: ") and line.isprintable() for line in lines)


@pytest.mark.parametrize("name", ["", "index.lock"], ids=["own", "named"])
def test_a_policy_that_is_only_staged_is_found(here: Repo, name: str) -> None:
    """With `git commit -a` git works on another index, and says which."""
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")
    here("add", ".ampcommit")
    (here.path / ".ampcommit").unlink()
    environ = dict(os.environ)
    if name:
        environ["GIT_INDEX_FILE"] = str((here.path / ".git" / "index").rename(here.path / ".git" / name))

    assert Call(environ, 0, []).settings().mode == "off"


def test_what_is_said_is_one_line_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Talk goes to stderr, and never to stdout."""
    say("Größe \udcff")

    assert capfd.readouterr() == ("", "Größe \\udcff\n")


def test_where_nobody_listens_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed or full stderr costs nobody a commit."""

    def closed(*_: object) -> int:
        raise BrokenPipeError

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", closed)
        say("nobody hears this")
