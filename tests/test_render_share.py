"""What `share` shows: what it is at on a terminal, a summary, lines as they are, and JSON."""

import json
import os
import sys

import pytest

from ampcommit.record import Sha
from ampcommit.render import share as render_share
from ampcommit.verbs.share import Plan, Shared, Standing
from tests.conftest import on_real_terminal

A = Sha("a" * 40)


def done() -> Shared:
    """Return what a run did."""
    shared = Shared("ori\x1bgin")
    shared.published, shared.received, shared.tries, shared.seconds = 1234, 5, 1, 2.34
    return shared


def test_a_summary_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Published, received, tries and seconds; what went wrong on the way stands on stderr."""
    found = done()
    render_share.shared(found, as_json=False)
    found.tries, found.notices = 3, ["odd \x1b"]
    render_share.shared(found, as_json=False)

    assert capsys.readouterr() == (
        "".join(f"ori\\x1bgin: 1,234 published, 5 received; {tries}, 2.3 s\n" for tries in ("1 try", "3 tries")),
        "warning: odd \\x1b\n",
    )


def test_the_json_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    """One object with all numbers."""
    render_share.shared(done(), as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "schema": "ampcommit.share/1",
        "remote": "ori\x1bgin",
        "published": 1234,
        "received": 5,
        "tries": 1,
        "seconds": 2.34,
    }


def test_how_remotes_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each remote; what nobody fetched is not known, and not zero."""
    found = [Standing("origin", 1000, 2), Standing("new", None, 3)]
    render_share.standings(found, as_json=False)
    render_share.standings(found, as_json=True)

    *lines, text = capsys.readouterr().out.splitlines()
    assert lines == ["origin: 2 unpublished, 1,000 shared", "new: 3 unpublished, nothing was fetched from it yet"]
    assert json.loads(text) == {
        "schema": "ampcommit.share-status/1",
        "remotes": [
            {"remote": "origin", "shared": 1000, "unpublished": 2},
            {"remote": "new", "shared": None, "unpublished": 3},
        ],
    }


def test_what_stays_here_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """What keeps records from being shared stands on stderr, however many remotes there are."""
    render_share.standings([Standing("x", 1, 0, ["odd \x1b"]), Standing("y", 1, 0, ["odd \x1b"])], as_json=False)

    assert capsys.readouterr().err == "warning: odd \\x1b\n"


def plan(*, signed: bool = False) -> Plan:
    """Return what would go out."""
    return Plan("origin", [(A, b"\xff\x1b[2J"), (A, b"{}")], ["odd"], signed=signed)


def test_a_plan_is_printed_byte_for_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """In a pipe each line is what goes out, behind its commit."""
    render_share.planned(plan(), as_json=False)
    sys.stdout.flush()

    out, err = capfdbinary.readouterr()
    assert out == b"%b \xff\x1b[2J\n%b {}\n" % (A.encode(), A.encode())
    assert err == b"warning: odd\n"


def test_a_plan_tells_of_signatures(capsys: pytest.CaptureFixture[str]) -> None:
    """Signatures go with the lines, but are not made for a look."""
    render_share.planned(plan(signed=True), as_json=True)

    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "schema": "ampcommit.share-plan/1",
        "remote": "origin",
        "lines": [{"commit": A, "line": "\\xff\x1b[2J"}, {"commit": A, "line": "{}"}],
        "signed": True,
    }
    assert "signature" in err


_SHOWN = """
import sys
from ampcommit.render import share as render_share
from ampcommit.record import Sha
from ampcommit.verbs.share import Plan, Shared
done = Shared("origin")
with render_share.Watching(done) as watching:
    done.stage, done.tries = "pushing", 2
    watching.refresh()
render_share.planned(Plan("origin", [(Sha("a" * 40), b"\\xff\\x1b[2J" + b"x" * 300)], [], signed=False), as_json=False)
"""


def test_a_terminal_shows_the_stage_and_obeys_nothing() -> None:
    """S01: on a terminal there is a line that tells what is done; what others wrote into notes is escaped."""
    said = on_real_terminal(_SHOWN, os.environ | {"TERM": "xterm"})

    assert b"origin: pushing, try 2" in said
    assert b"\\xff\\x1b[2J" + b"x" * 300 in said
    assert b"\x1b[2J" not in said


def test_a_pipe_shows_no_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody looks there is nothing but the result."""
    with render_share.Watching(done()) as watching:
        watching.refresh()

    assert capsys.readouterr() == ("", "")


def test_the_stage_is_one_line() -> None:
    """The first try is not counted out."""
    found = Shared("ori\x1bgin")
    watching = render_share.Watching(found)

    watching.get_renderables()
    assert watching.tasks[0].description == "ori\\x1bgin: reading the ledger"
