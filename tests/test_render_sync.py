"""What `sync` shows: a bar on a terminal, a summary for people and for programs."""

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ampcommit.errors import RemoteError
from ampcommit.render import sync as render_sync
from ampcommit.verbs.sync import Asked, Synced
from tests.conftest import command
from tests.server import Workspace, data

SINCE = datetime(2026, 8, 23, 8, 15, 30, tzinfo=UTC)


def done(**fields: object) -> Synced:
    """Return what a run did, with *fields* otherwise than in a fine one."""
    synced = Synced("/home/you/threads.db", Asked())
    synced.listed = {"new": 1200, "updated": 3, "unchanged": 0}
    synced.due, synced.filled, synced.expired, synced.requests, synced.seconds = 1203, 1200, 3, 1216, 9.14
    synced.size = {"threads": 1203, "users": 1, "repositories": 2}
    for name, value in fields.items():
        assert hasattr(synced, name)
        setattr(synced, name, value)
    return synced


def test_a_summary_has_four_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Threads, costs, requests and the store, each on a line."""
    render_sync.synced(done(since=SINCE), as_json=False)

    assert capsys.readouterr() == (
        (
            "threads   1,200 new, 3 updated, 0 unchanged, first synced since 2026-08-23T08:15:30.000Z\n"
            "costs     1,200 filled, 3 expired, 0 untold, 0 failed\n"
            "requests  1,216 in 9.1 s\n"
            "store     1,203 threads, 1 user, 2 repositories: /home/you/threads.db\n"
        ),
        "",
    )


def test_a_dry_run_says_what_it_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was kept, and no cost was asked for."""
    render_sync.synced(done(asked=Asked(dry_run=True), filled=0, expired=0), as_json=False)

    out = capsys.readouterr().out
    assert "costs     1,203 would be asked for\n" in out
    assert out.endswith(": a dry run, nothing was kept\n")


def test_costs_that_nobody_asked_for_have_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Without costs, and where the list failed, the summary says nothing of them."""
    render_sync.synced(done(due=None), as_json=False)

    assert "costs" not in capsys.readouterr().out


def test_what_is_missing_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """S01: notices and unusable entries are warnings, without anything that a terminal acts on."""
    render_sync.synced(done(notices=["a \x1b[2J b"], unusable=2), as_json=False)

    assert capsys.readouterr().err.splitlines() == [
        "warning: a \\x1b[2J b",
        "warning: 2 entries of the list have no id or no creator, and were left out",
    ]


@pytest.mark.parametrize("fields", [{}, {"problem": RemoteError("x")}], ids=["fine", "a problem"])
def test_json_has_every_field(capsys: pytest.CaptureFixture[str], fields: dict[str, object]) -> None:
    """The JSON is complete, and says whether the run was."""
    render_sync.synced(done(since=SINCE, **fields), as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "schema": "ampcommit.sync/1",
        "dry_run": False,
        "since": "2026-08-23T08:15:30.000Z",
        "threads": {"new": 1200, "updated": 3, "unchanged": 0, "unusable": 0},
        "usage": {"due": 1203, "filled": 1200, "expired": 3, "untold": 0, "failed": 0},
        "requests": 1216,
        "seconds": 9.14,
        "store": {"path": "/home/you/threads.db", "threads": 1203, "users": 1, "repositories": 2},
        "complete": not fields,
    }


def test_json_without_costs_and_without_a_beginning_has_null(capsys: pytest.CaptureFixture[str]) -> None:
    """What was not asked for is null, never absent."""
    render_sync.synced(done(asked=Asked(usage=False), due=None), as_json=True)

    assert '"since": null' in (out := capsys.readouterr().out)
    assert '"usage": null' in out


def test_one_is_not_many(capsys: pytest.CaptureFixture[str]) -> None:
    """A store of one thread, one user and one repository says so."""
    render_sync.synced(done(size={"threads": 1, "users": 1, "repositories": 1}), as_json=False)

    assert "1 thread, 1 user, 1 repository: " in capsys.readouterr().out


def test_a_terminal_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar shows threads, then costs too, and is gone at the end."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    synced = done(due=None, filled=0, expired=0)
    with open(theirs, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        with render_sync.Watching(synced) as watching:
            watching.refresh()
            synced.due, synced.filled, synced.expired, synced.failed = 1203, 700, 20, 1
            watching.refresh()
        screen.write("THE END")
    seen = b""
    while b"THE END" not in seen:
        seen += os.read(ours, 65536)
    os.close(ours)

    assert b"costs" not in seen.partition(b"1203/1203")[0].rpartition(b"threads")[0]
    assert re.search(rb"threads.*1203/1203", seen)
    assert re.search(rb"costs.*721/1203", seen)
    assert seen.endswith(b"\x1b[2KTHE END")  # the last line, wiped


def test_a_pipe_stays_silent() -> None:
    """Where stderr is no terminal, nothing is drawn."""
    with Workspace() as amp:
        amp.on("/api/v2/threads", data({"threads": []}))
        environ = {**os.environ, **amp.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        finished = subprocess.run(command("sync"), env=environ, capture_output=True, check=True)

    assert finished.stderr == b""
