"""What the user sees of `log`: lines that stay in their columns, JSON as promised, nothing that a terminal acts on."""

import json
from collections.abc import Iterator

import pytest

from ampcommit.record import Sha, ThreadId
from ampcommit.render import log as render_log
from ampcommit.threads import Chain
from ampcommit.verbs.log import Log, Row
from tests.conftest import CHILD, PARENT

Capture = pytest.CaptureFixture[str]


def row(state: str = "complete", source: str | None = "env", known_by: str | None = "own") -> Row:
    """Return a row of a thread and its parent."""
    one = Row(Sha("ab" * 20), "Add the parser")
    one.threads = [ThreadId(CHILD)]
    one.chain = Chain([ThreadId(CHILD), ThreadId(PARENT)], state)
    one.source, one.known_by = source, known_by
    return one


def lines(capsys: Capture, *rows: Row) -> list[str]:
    """Return what is shown of *rows*."""
    render_log.shown(Log("HEAD", rows, []), as_json=False)
    out = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in out)
    return out.splitlines()


def test_each_commit_is_a_line(capsys: Capture) -> None:
    """Under one head: commit, thread, length of the chain, how it was found, who tells, subject."""
    unknown = Row(Sha("cd" * 20), "Begin")
    head, first, second = lines(capsys, row(), unknown)

    assert head.split() == ["commit", "thread", "chain", "found", "by", "known", "by", "subject"]
    assert first.split() == ["ab" * 6, CHILD, "2", "env", "own", "Add", "the", "parser"]
    assert second.split() == ["cd" * 6, "-", "-", "-", "-", "Begin"]
    assert first.index("Add") == second.index("Begin") == head.index("subject")


@pytest.mark.parametrize(
    ("state", "length"), [("complete", "2"), ("cycle", "2"), ("partial", "2+"), ("unknown", "?"), ("newer", "?")]
)
def test_a_length_says_how_far_it_is_known(capsys: Capture, state: str, length: str) -> None:
    """A chain that may go on, or of which nothing is known, is not counted as a whole one."""
    assert lines(capsys, row(state))[1].split()[2] == length


def test_a_long_word_moves_nothing(capsys: Capture) -> None:
    """Every word that this version writes fits into its column."""
    found = [
        lines(capsys, row(source=source, known_by=who))[1]
        for source in ("patch-id", "rebuilt")
        for who in ("claim", "message")
    ]

    assert {line.index("Add") for line in found} == {found[0].index("Add")}


def test_without_commits_nothing_is_shown(capsys: Capture) -> None:
    """An empty range is an empty answer."""
    assert lines(capsys) == []
    render_log.shown(Log("A..B", [], ["a\x1b[31m"]), as_json=True)
    out, err = capsys.readouterr()

    assert json.loads(out) == {"schema": "ampcommit.log/1", "range": "A..B", "commits": []}
    assert err == "warning: a\\x1b[31m\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_noted_on_the_way_is_told_at_the_end(capsys: Capture, as_json: bool) -> None:
    """A notice that comes about while rows are read is a warning like those before."""
    notices = ["first"]

    def rows() -> Iterator[Row]:
        yield row()
        notices.append("a\x1b[31m")

    render_log.shown(Log("HEAD", rows(), notices), as_json=as_json)

    assert capsys.readouterr().err == "warning: first\nwarning: a\\x1b[31m\n"


def test_what_somebody_wrote_is_harmless(capsys: Capture) -> None:
    """S01: subjects and words of foreign records are text."""
    hostile = row(source="\x1b[2J")
    hostile.subject = "::error::\x1b]0;x\x07\u202e"

    assert "\\x1b[2J" in lines(capsys, hostile)[1]


def test_the_json_of_a_log(capsys: Capture) -> None:
    """One object on one line, ASCII, and no field is absent."""
    render_log.shown(Log("HEAD", [row(), Row(Sha("cd" * 20), "Größe")], []), as_json=True)
    out = capsys.readouterr().out
    first, second = json.loads(out)["commits"]

    assert (out.count("\n"), out.isascii()) == (1, True)
    assert first == {
        "commit": "ab" * 20,
        "threads": [CHILD],
        "chain": [CHILD, PARENT],
        "chain_state": "complete",
        "source": "env",
        "known_by": "own",
        "remote": None,
        "subject": "Add the parser",
    }
    assert second == {
        "commit": "cd" * 20,
        "threads": [],
        "chain": [],
        "chain_state": "unknown",
        "source": None,
        "known_by": None,
        "remote": None,
        "subject": "Größe",
    }
