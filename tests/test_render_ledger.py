"""What the commands about the ledger show: what was found, what was added, and records as they are."""

import json
import os
from typing import Any

import pytest

from ampcommit import render_ledger
from ampcommit.ledger import Report as Checked
from ampcommit.rebuild import Rebuilt
from tests.test_render import HOSTILE, Capture, data, seen


def checked(**changes: Any) -> Checked:
    """Return the report on a ledger of three lines in which nothing is wrong, except for *changes*."""
    report = Checked("/x/ledger.jsonl")
    report.count = 3
    for name, value in changes.items():
        setattr(report, name, value)
    return report


def test_a_sound_ledger_is_one_line(capsys: Capture) -> None:
    """How much was checked is said."""
    render_ledger.check(checked(), as_json=False)

    assert seen(capsys) == ["3 lines, 0 problems: /x/ledger.jsonl"]


def test_a_damaged_ledger_is_told_line_by_line(capsys: Capture) -> None:
    """Each problem, what was set aside, and what to do."""
    render_ledger.check(checked(problems=["line 2: not a record", f"line 3: {HOSTILE}"], aside=7), as_json=False)
    out, err = capsys.readouterr()

    assert out.splitlines()[1] == "damaged line 2: not a record"
    assert out.splitlines()[3] == "7 bytes of torn lines were set aside in /x/ledger.jsonl.torn"
    assert "\x1b" not in out
    assert err.startswith(" hint: ")


def test_the_json_of_a_check(capsys: Capture) -> None:
    """Machines get the same facts."""
    render_ledger.check(checked(problems=["line 2: not a record"], aside=7), as_json=True)

    assert data(capsys) == {
        "schema": "ampcommit.check/1",
        "path": "/x/ledger.jsonl",
        "lines": 3,
        "problems": ["line 2: not a record"],
        "set_aside_bytes": 7,
    }


def test_records_are_printed_byte_for_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Evidence is not reformatted on its way out."""
    render_ledger.lines(iter([b'{"v":1}', b"caf\xe9 <<<<<<<", b""]))

    assert capfdbinary.readouterr().out == b'{"v":1}\ncaf\xe9 <<<<<<<\n\n'


def test_a_path_is_printed_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A script gets the bytes that name the file."""
    render_ledger.path(os.fsdecode(b"/caf\xe9/ledger"), as_json=False)
    render_ledger.path("/x y", as_json=True)

    assert capfdbinary.readouterr().out == b'/caf\xe9/ledger\n{"schema": "ampcommit.path/1", "path": "/x y"}\n'


def rebuilt(*, dry_run: bool = False, **counts: int) -> Rebuilt:
    """Return what a run over eight commits did."""
    found = Rebuilt("/x/ledger.jsonl", dry_run=dry_run)
    found.checked = 8
    for name, count in counts.items():
        setattr(found, name, count)
    return found


def test_what_was_rebuilt_is_counted(capsys: Capture) -> None:
    """How each commit is known now is a line of its own; what did not happen is none."""
    render_ledger.rebuilt(rebuilt(known=1, recorded=3, by_tree=1, by_patch=1, ambiguous=1, unknown=1), as_json=False)

    assert seen(capsys) == [
        "8 commits, 5 lines added: /x/ledger.jsonl",
        "       1 known already",
        "       3 recorded from their links",
        "       1 attached to a recorded commit with the same tree, author and date",
        "       1 attached to a recorded commit with the same patch, author and date",
        "       1 left alone: several recorded commits could be meant",
        "       1 of which nothing is known",
    ]


def test_what_was_only_tried_is_called_so(capsys: Capture) -> None:
    """`--dry-run` says what would be, and objects that are missing are no reason to stop."""
    render_ledger.rebuilt(rebuilt(dry_run=True, recorded=3, unread=5), as_json=False)

    assert seen(capsys) == [
        "8 commits, 3 lines would be added: /x/ledger.jsonl",
        "       3 recorded from their links",
        "       5 left alone: objects are missing here",
    ]


def test_the_json_of_a_rebuilding(capsys: Capture) -> None:
    """Machines get every number under its name; what was noticed goes to stderr."""
    found = rebuilt(known=8)
    found.notices.append(HOSTILE)
    render_ledger.rebuilt(found, as_json=True)
    out, err = capsys.readouterr()

    assert err.startswith("warning: ")
    assert "\x1b" not in err
    assert json.loads(out) == {
        "schema": "ampcommit.rebuild/1",
        "path": "/x/ledger.jsonl",
        "dry_run": False,
        "checked": 8,
        "known": 8,
        "recorded": 0,
        "by_tree": 0,
        "by_patch": 0,
        "ambiguous": 0,
        "unread": 0,
        "unknown": 0,
    }
