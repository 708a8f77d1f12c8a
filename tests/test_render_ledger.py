"""What the commands about the ledger show: what was found, what was added, and records as they are."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import MisuseError
from ampcommit.ledger import Report as Checked
from ampcommit.render import ledger as render_ledger
from ampcommit.verbs.export import Export
from ampcommit.verbs.imports import Imports
from ampcommit.verbs.rebuild import Rebuilt
from tests.conftest import Repo
from tests.test_export import ledger_of, made
from tests.test_render_paper import HOSTILE, Capture, data, seen


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
        "notices": [],
        "set_aside_bytes": 7,
    }


def test_a_notice_is_no_damage(capsys: Capture) -> None:
    """What somebody may have made up stands on stderr as a warning, and in the JSON."""
    render_ledger.check(checked(), [HOSTILE], as_json=True)
    out, err = capsys.readouterr()

    assert json.loads(out)["notices"] == [HOSTILE]
    assert err.startswith("warning: ")
    assert "\x1b" not in err


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


@pytest.fixture
def export(repo: Repo) -> Export:
    """What is exported from a clone with one record and a damaged line."""
    made(repo)
    with Path(ledger_of(repo).path).open("ab") as file:
        file.write(b"{\n")
    return Export("", "jsonl", os.environ, str(repo.path))


def test_what_is_exported_goes_to_stdout(export: Export, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """One object a line; what is left out is said beside it."""
    render_ledger.exported(export, "")
    out, err = capfdbinary.readouterr()

    assert out.endswith(b'"}\n')
    assert err.startswith(b"warning: 1 of the ledger's lines are damaged")


def test_a_file_is_whole_or_as_it_was(export: Export, tmp_path: Path) -> None:
    """A file is replaced when all is written, through a link too, with the permissions of any new file."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old").write_text("old")
    (folder / "link").symlink_to("old")
    render_ledger.exported(export, str(folder / "link"))
    render_ledger.exported(export, str(folder / "new"))

    assert (folder / "link").is_symlink()
    assert (folder / "old").read_bytes() == (folder / "new").read_bytes() != b""
    assert stat.S_IMODE((folder / "new").stat().st_mode) & 0o600 == 0o600
    assert sorted(os.listdir(folder)) == ["link", "new", "old"]


class Broken(Export):
    """An export that ends in the middle."""

    def lines(self) -> Iterator[bytes]:
        """Yield a line, then fail."""
        yield b"{}"
        raise MisuseError("no such commit")


def test_a_failure_leaves_the_old_file(repo: Repo, tmp_path: Path) -> None:
    """Nobody finds half an export."""
    target = tmp_path / "old"
    target.write_text("old")
    with pytest.raises(MisuseError, match="no such commit"):
        render_ledger.exported(Broken("", "jsonl", os.environ, str(repo.path)), str(target))

    assert target.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["old", "repo"]


def test_a_device_is_written_through(export: Export) -> None:
    """`/dev/null` stays what it is."""
    render_ledger.exported(export, "/dev/null")

    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_place_that_cannot_be_written_is_a_misuse(export: Export, tmp_path: Path) -> None:
    """A folder that is not there, and one in place of the file."""
    for target in (tmp_path / "none" / "x", tmp_path):
        with pytest.raises(MisuseError, match="cannot write"):
            render_ledger.exported(export, str(target))


def done(*, dry_run: bool = False, **numbers: int) -> Imports:
    """Return what an import did."""
    found = Imports("/x/ledger.jsonl", dry_run=dry_run)
    for name, count in numbers.items():
        setattr(found, name, count)
    return found


def test_what_was_imported_is_counted(capsys: Capture) -> None:
    """What became of each line is a line of its own; what did not happen is none."""
    render_ledger.imported(done(added=3, known=1, passed=1, unplaced=1, bad=2, missing=2), as_json=False)
    render_ledger.imported(done(dry_run=True, added=1), as_json=False)

    assert seen(capsys) == [
        "8 lines, 3 added: /x/ledger.jsonl",
        "       1 known already",
        "       1 of no use here: no link that is accepted, no commit, or another kind of line",
        "       1 left alone: nobody can tell which commit they are about",
        "       2 that cannot be used",
        "       2 of the new ones about commits that are not here",
        "1 line, 1 would be added: /x/ledger.jsonl",
    ]


def test_the_json_of_an_import(capsys: Capture) -> None:
    """Machines get every number under its name and the lines that are bad; people get those on stderr."""
    found = done(added=1, bad=1)
    found.refuse(3, HOSTILE)
    render_ledger.imported(found, as_json=True)
    out, err = capsys.readouterr()

    assert err.startswith("warning: line 3: ")
    assert "\x1b" not in err
    assert json.loads(out) == {
        "schema": "ampcommit.import/1",
        "path": "/x/ledger.jsonl",
        "dry_run": False,
        "lines": 3,
        "added": 1,
        "known": 0,
        "passed": 0,
        "unplaced": 0,
        "bad": 2,
        "missing": 0,
        "problems": [f"line 3: {HOSTILE}"],
    }
