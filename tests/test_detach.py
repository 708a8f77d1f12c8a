"""The resolver that post-commit starts: alone, once, and in nobody's way."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from ampcommit.amp.ampcli import record
from ampcommit.detach import REQUESTS, start_resolver
from ampcommit.place import Place
from ampcommit.record import ThreadId
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo

Spawned = list[tuple[list[str], dict[str, str]]]


def until(true: Callable[[], object]) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def place(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A clone for which `install` has found an amp."""
    monkeypatch.chdir(repo.path)
    found = Place(".git")
    record(found, "/opt/amp")
    return found


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    """What would be started, instead of starting it."""
    found: Spawned = []

    def spawn(_: str, argv: list[str], environ: dict[str, str], **__: object) -> int:
        found.append((argv, environ))
        return 0

    monkeypatch.setattr(os, "posix_spawn", spawn)
    return found


def request(place: Place, thread: str = CHILD) -> Path:
    """Return where a hook leaves that it wants to know of *thread*."""
    return Path(place.state) / REQUESTS / thread


def test_a_request_is_left_and_a_run_started(place: Place, spawned: Spawned) -> None:
    """The run is told which clone it works for, and finds there for whom."""
    start_resolver(ThreadId(CHILD), place, {"AGENT": "amp", "HOME": "/h"})

    [(argv, environ)] = spawned
    assert request(place).read_bytes() == b""
    assert argv[:3] == [sys.executable, "-I", "-S"]
    assert argv[-2:] == [os.path.abspath(".git"), os.getcwd()]
    assert environ == {"HOME": "/h"}


@pytest.mark.parametrize("ci", ["true", "1", "woodpecker"])
def test_in_ci_nobody_is_asked(place: Place, spawned: Spawned, ci: str) -> None:
    """A build leaves no process behind."""
    start_resolver(ThreadId(CHILD), place, {"CI": ci})

    assert (spawned, request(place).exists()) == ([], False)


@pytest.mark.parametrize(
    ("content", "age", "starts"),
    [(b"", 1, 0), (b"", 3600, 1), (b"given up\n", 3600, 0), (b"given up\n", 2 * 86400, 1), (b"", -3600, 1)],
    ids=["under way", "died", "given up", "given up long ago", "from the future"],
)
def test_what_was_asked_is_not_asked_again_at_every_commit(
    place: Place, spawned: Spawned, content: bytes, age: int, starts: int
) -> None:
    """A run that is under way answers, one that died is replaced, and what Amp does not tell is asked once a day."""
    path = request(place)
    path.parent.mkdir()
    path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    start_resolver(ThreadId(CHILD), place, {})

    assert len(spawned) == starts
    assert not starts or path.read_bytes() == b""


def test_two_threads_are_two_requests(place: Place, spawned: Spawned) -> None:
    """Each is asked for; which of the runs answers does not matter."""
    for thread in (CHILD, PARENT):
        start_resolver(ThreadId(thread), place, {})

    assert len(spawned) == len(list(request(place).parent.iterdir())) == 2


def test_where_no_session_can_be_made_a_group_must_do(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every system can start a process in a session of its own."""
    asked: list[dict[str, object]] = []

    def spawn(*_: object, **how: object) -> int:
        asked.append(how)
        if "setsid" in how:
            raise NotImplementedError
        return 0

    monkeypatch.setattr(os, "posix_spawn", spawn)
    start_resolver(ThreadId(CHILD), place, {})

    assert [set(how) for how in asked] == [{"file_actions", "setsid"}, {"file_actions", "setpgroup"}]


def test_a_run_that_cannot_be_started_costs_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is made and recorded; the answer is left to the next command."""

    def spawn(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(os, "posix_spawn", spawn)
    start_resolver(ThreadId(CHILD), place, {})


STAND_IN = """
import json, os, sys
run = os.getppid()
held = [os.readlink(f"/proc/{run}/fd/{fd}") for fd in os.listdir(f"/proc/{run}/fd")] if sys.platform == "linux" else []
seen = {"session": os.getsid(run), "run": run, "held": held}
with open(TOLD + ".new", "w") as file:
    json.dump(seen, file)
os.rename(TOLD + ".new", TOLD)
raise SystemExit(1)
"""
START = """
import os, sys
from ampcommit.detach import start_resolver
from ampcommit.place import Place
from ampcommit.record import ThreadId
reader, writer = os.pipe()
os.set_inheritable(writer, True)
start_resolver(ThreadId(sys.argv[1]), Place(".git"), os.environ)
print(f"pipe:[{os.fstat(writer).st_ino}]")
"""


def test_the_run_has_a_session_and_descriptors_of_its_own(repo: Repo, tmp_path: Path) -> None:
    """No pipe of ours stays open, no terminal can end it, and it goes on when we are gone."""
    told, amp = tmp_path / "told", tmp_path / "amp"
    amp.write_text(f"#!{sys.executable}\nTOLD = {str(told)!r}{STAND_IN}")
    amp.chmod(0o755)
    record(Place(str(repo.path / ".git"), str(repo.path)), str(amp))
    environ = os.environ | {"AMP_API_KEY": "k", "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", START, CHILD]
    # If the run had this stdout, reading it would wait for the run.
    done = subprocess.run(argv, cwd=repo.path, env=environ, check=True, capture_output=True, text=True, timeout=20)
    until(told.exists)
    seen = json.loads(told.read_text())
    os.kill(seen["run"], 9)

    assert seen["session"] == seen["run"] != os.getsid(0)
    assert done.stdout.strip() not in seen["held"]


TELLING = r"""
import json, os, sys
seen = [dict(os.environ)]
if os.path.exists("/proc/self/environ"):
    with open(f"/proc/{os.getppid()}/environ", "rb") as file:
        seen.append(dict(os.fsdecode(pair).partition("=")[::2] for pair in file.read().split(b"\0")[:-1]))
with open(TOLD + ".new", "w") as file:
    json.dump({"run": os.getppid(), "folder": os.getcwd(), "seen": seen}, file)
os.rename(TOLD + ".new", TOLD)
raise SystemExit(1)
"""


def test_the_run_and_amp_see_nothing_that_git_told_its_hook(
    repo: Repo, agent: Callable[[str], None], tmp_path: Path
) -> None:
    """E02: what git says of one repository to its hooks would lead astray whoever works in another one."""
    from ampcommit.verbs.install import install

    told, amp = tmp_path / "told", tmp_path / "amp"
    amp.write_text(f"#!{sys.executable}\nTOLD = {str(told)!r}{TELLING}")
    amp.chmod(0o755)
    repo("config", "ampcommit.amp", str(amp))
    repo.commit("-q", "-m", "Begin")
    repo("worktree", "add", "-q", str(tmp_path / "wt"))
    install(str(repo.path))
    agent(CHILD)
    # All that `git rev-parse --local-env-vars` names and a commit bears: hooks get a good part of it and more.
    environ = {"AMP_API_KEY": "k", "AMP_THREAD_ID": OTHER, "AI_AGENT": "amp", "GIT_SSH_COMMAND": "false"}
    environ |= {"GIT_DIR": str(repo.path / ".git" / "worktrees" / "wt"), "GIT_WORK_TREE": str(tmp_path / "wt")}
    environ |= {"GIT_INDEX_FILE": str(tmp_path / "index"), "GIT_OBJECT_DIRECTORY": str(repo.path / ".git" / "objects")}
    environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "x.y", "GIT_CONFIG_VALUE_0": "z", "GIT_PREFIX": "a/"}
    Repo(tmp_path / "wt").run("-c", "a.b=c", "commit", "-q", "--allow-empty", "-m", "Add the parser", env=environ)
    until(told.exists)
    said = json.loads(told.read_text())
    os.kill(said["run"], 9)
    hidden = {*repo("rev-parse", "--local-env-vars").split(), *environ, "AGENT", "AGENT_THREAD_ID"} - {"AMP_API_KEY"}

    assert said["folder"] == "/"
    for seen in said["seen"]:
        assert not hidden.intersection(seen)
        assert not [name for name in seen if name.startswith("GIT_")]
        assert (seen["AMP_API_KEY"], seen["HOME"]) == ("k", os.environ["HOME"]), "what amp needs"


def test_a_commit_in_a_thread_that_nobody_knows_is_answered_behind_its_back(
    repo: Repo, agent: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The May export is fetched while the developer goes on, and the ledger and the next hook know the chain."""
    from ampcommit.verbs.install import install

    exports = AMP / "2026-05" / "threads-exported"
    child, parent = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09", "T-01a1f7e4-a2a3-73ba-b37f-b07db4084237"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "amp").write_text(f'#!/bin/sh\nexec cat "{exports}/$3.json"\n')
    (tmp_path / "bin" / "amp").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("AMP_API_KEY", "sgamp_user_x")
    install(str(repo.path))
    agent(child)
    repo.commit("-q", "-m", "Say what changes")
    ledger = repo.path / ".git" / "ampcommit" / "ledger.jsonl"
    until(lambda: ledger.read_bytes().count(b"\n") == 2)
    repo.commit("-q", "-m", "Say what else changes")
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]

    assert [line["kind"] for line in lines] == ["commit", "chain", "commit"]
    assert [line["chain_state"] for line in lines] == ["unknown", "complete", "complete"]
    assert lines[1]["chain"] == lines[2]["chain"] == [child, parent]
    assert lines[1]["source"] == "amp"
