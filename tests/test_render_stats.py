"""What the user sees of `stats`: numbers in columns, JSON and CSV as promised, and nothing that acts on anything."""

import csv
import io
import json
import os
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from ampcommit.amp.costs import Row
from ampcommit.record import ThreadId
from ampcommit.render import stats as render_stats
from ampcommit.verbs.stats import Stats
from tests.conftest import CHILD, PARENT, on_real_terminal
from tests.test_render_paper import HOSTILE, Capture, seen

P, C = ThreadId(PARENT), ThreadId(CHILD)
COUNTS = ["commits", "linked", "share", "threads", "usd", "at_least", "threads_without_usd", "shared_threads"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def row(usd: Fraction | str | None = None, **about: str | None) -> Row:
    """Return a row of four commits, three of them linked to two threads."""
    found = Row(about, {(): 1, (P,): 2, (C,): 1})
    found.usd = None if usd is None else Fraction(usd)
    return found


def changed(found: Row, **changes: Any) -> Row:
    """Return *found* with *changes*."""
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def counted(*rows: Row, by: str = "month", summary: Row | None = None, notices: tuple[str, ...] = ()) -> Stats:
    """Return what was counted in HEAD."""
    found = Stats("HEAD", by, summary or row("12.5"), rows, split=False)
    found.notices = [*notices]
    return found


def table(capsys: Capture, *rows: Row, **options: Any) -> list[str]:
    """Return the lines that a person sees."""
    render_stats.shown(counted(*rows, **options), as_json=False, as_csv=False)
    return seen(capsys)


def as_json(capsys: Capture, found: Stats) -> dict[str, Any]:
    """Return the one JSON object on one line, with all digits of its numbers."""
    render_stats.shown(found, as_json=True, as_csv=False)
    out, err = capsys.readouterr()
    assert (out.count("\n"), out.isascii(), err) == (1, True, "")
    parsed: dict[str, Any] = json.loads(out, parse_float=Decimal)
    return parsed


def as_csv(capsys: Capture, found: Stats) -> list[list[str]]:
    """Return the lines of CSV, each of which ends as RFC 4180 says."""
    render_stats.shown(found, as_json=False, as_csv=True)
    out = capsys.readouterr().out
    assert out.count("\r\n") == out.count("\n")
    return list(csv.reader(io.StringIO(out, newline="")))


# For people.


def test_months_are_a_table_under_their_sum(capsys: Capture) -> None:
    """Numbers stand on the right of their columns, money has two digits."""
    assert table(capsys, row("3.005", month="2026-01"), changed(row(month="2026-02"), shared=1, unknown=1)) == [
        "4 commits in HEAD: 3 linked (75 %), 2 threads, USD 12.50",
        "month    commits   linked   share  threads           USD  shared  unknown",
        "2026-01        4        3    75 %        2          3.00       0        0",
        "2026-02        4        3    75 %        2        shared       1        1",
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"usd": Fraction("0.125")}, "USD 0.12"),
        ({"usd": Fraction("3"), "at_least": True}, "USD at least 3.00"),
        ({"usd": Fraction("3"), "unknown": 1}, "USD 3.00 (1 thread of unknown cost)"),
        ({"usd": Fraction("3"), "unknown": 2}, "USD 3.00 (2 threads of unknown cost)"),
        ({"usd": None, "unknown": 2}, "USD unknown"),
    ],
)
def test_the_sum_says_what_is_not_known(capsys: Capture, changes: dict[str, Any], says: str) -> None:
    """A sum of some threads is not passed off as that of all."""
    assert table(capsys, summary=changed(row(), **changes)) == [
        f"4 commits in HEAD: 3 linked (75 %), 2 threads, {says}"
    ]


@pytest.mark.parametrize(
    ("tally", "says"),
    [
        ({}, "0 commits in HEAD: 0 linked, 0 threads"),
        ({(): 1}, "1 commit in HEAD: 0 linked (0 %), 0 threads"),
        ({(P,): 1}, "1 commit in HEAD: 1 linked (100 %), 1 thread, USD unknown"),
        ({(P,): 1, (): 1999}, "2000 commits in HEAD: 1 linked (<0.1 %), 1 thread, USD unknown"),
        ({(P,): 1999, (): 1}, "2000 commits in HEAD: 1999 linked (99.9 %), 1 thread, USD unknown"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(
    capsys: Capture, tally: dict[tuple[ThreadId, ...], int], says: str
) -> None:
    """100 % means all of them, and 0 % none."""
    assert table(capsys, summary=Row({}, tally)) == [says]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"usd": Fraction("1234567.891")}, "1234567.89"),
        ({"usd": Fraction("3"), "at_least": True}, "at least 3.00"),
        ({"unknown": 1}, "unknown"),
        ({"shared": 1}, "shared"),
        ({}, "-"),
    ],
)
def test_what_a_row_costs_is_a_number_or_a_word(capsys: Capture, changes: dict[str, Any], says: str) -> None:
    """Unknown, shared and without threads are three things."""
    line = table(capsys, changed(row(month=None), **changes))[2]

    assert line.split()[0] == "unknown"
    assert says in line


def test_threads_are_shown_with_their_titles(capsys: Capture) -> None:
    """The id is whole; a sub-thread says who pays for it."""
    first = row("3", thread=PARENT, title="Parse it", within=None)
    second = row(thread=CHILD, title="Look around", within=PARENT)

    assert table(capsys, first, second, by="thread")[1:] == [
        f"{'thread':<38}  commits           USD  title",
        f"{PARENT}        4          3.00  Parse it",
        f"{CHILD}        4             -  in {PARENT} Look around",
    ]


def test_other_rows_end_with_what_they_are_about(capsys: Capture) -> None:
    """Text of any length stands last, where it moves nothing; commits are shown with whole ids."""
    assert table(capsys, row(author="Ann", email="a@b"), by="author")[2].endswith("       0  Ann <a@b>")
    assert table(capsys, row(repository="git.example.com/x"), by="repository")[2].endswith("  git.example.com/x")
    assert table(capsys, row(repository=None), by="repository")[2].endswith("  unknown")
    line = table(capsys, row(commit="ab" * 32, subject="Add it"), by="commit")[2]
    assert line == f"{'ab' * 32}        2             -  Add it"


@pytest.mark.parametrize(
    ("by", "about"),
    [
        ("author", {"author": HOSTILE, "email": HOSTILE}),
        ("repository", {"repository": HOSTILE}),
        ("commit", {"commit": "ab" * 20, "subject": HOSTILE}),
        ("thread", {"thread": PARENT, "title": HOSTILE, "within": None}),
    ],
)
def test_hostile_text_is_shown_harmless(capsys: Capture, by: str, about: dict[str, str | None]) -> None:
    """S01: what somebody wrote is text, and neither markup nor escapes, also on one line of CSV and JSON."""
    assert "\\x1b[2J" in table(capsys, row(**about), by=by)[2]
    (line,) = as_csv(capsys, counted(row(**about), by=by))[1:]
    assert all(cell.isprintable() for cell in line)
    assert HOSTILE in as_json(capsys, counted(row(**about), by=by))["rows"][0].values()


def test_text_is_no_command_to_a_ci_runner(capsys: Capture) -> None:
    """S02: runners obey number signs anywhere in a line."""
    assert "##" not in "".join(table(capsys, row(commit="ab" * 20, subject="##[error]x"), by="commit"))


def test_notices_are_warnings_on_stderr(capsys: Capture) -> None:
    """S01: they may quote what is foreign."""
    render_stats.shown(counted(notices=(HOSTILE,)), as_json=True, as_csv=False)
    out, err = capsys.readouterr()

    assert json.loads(out)["rows"] == []
    assert err.startswith("warning: \\x1b[2J")


@pytest.mark.parametrize("colour", [False, True])
def test_a_terminal_gets_colour_unless_it_is_not_wanted(colour: bool) -> None:
    """Only the heads are bold, and `NO_COLOR` means none at all; lines are as long as they are."""
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "20"}
    if colour:
        del environ["NO_COLOR"]
    run = (
        "from tests.test_render_stats import *; render_stats.shown(counted(row(month='2026-01')), as_json=0, as_csv=0)"
    )

    text = on_real_terminal(run, environ)

    assert (b"\x1b[1m" in text) == (b"\x1b[" in text)
    assert len(text.splitlines()) == 3
    assert not (b"\x1b[3" in text and not colour)


# For programs.


def test_the_json_has_every_field(capsys: Capture) -> None:
    """What is unknown is null, and never absent."""
    found = counted(changed(row(month=None), shared=2), changed(row(Fraction(10, 4), month="2026-01"), at_least=True))
    counts = {"commits": 4, "linked": 3, "share": Decimal("75.0"), "threads": 2, "at_least": False}
    counts |= {"threads_without_usd": 0, "shared_threads": 0}

    assert as_json(capsys, found) == {
        "schema": "ampcommit.stats/1",
        "range": "HEAD",
        "by": "month",
        "split": False,
        "summary": counts | {"usd": Decimal("12.5")},
        "rows": [
            counts | {"month": None, "usd": None, "shared_threads": 2},
            counts | {"month": "2026-01", "usd": Decimal("2.5"), "at_least": True},
        ],
    }


@pytest.mark.parametrize("digits", ["0", "0.000000000001", "12345678.123456789012345678", "1000000"])
def test_numbers_have_all_of_their_digits(capsys: Capture, digits: str) -> None:
    """Dollars are written as the decimals they are, and never with an exponent."""
    found = counted(row(digits, month=None))
    assert as_json(capsys, found)["rows"][0]["usd"] == Decimal(digits)
    assert as_csv(capsys, counted(row(digits, month=None)))[1][5] == digits


def test_a_third_is_written_with_many_digits(capsys: Capture) -> None:
    """What has no end is rounded where nobody sees it."""
    third = as_json(capsys, counted(row(Fraction(10, 3), month=None)))["rows"][0]["usd"]

    assert abs(3 * third - 10) < Decimal("1e-20")


@pytest.mark.parametrize(
    ("by", "about"),
    [
        ("month", {"month": "2026-01"}),
        ("thread", {"thread": PARENT, "title": "x", "within": CHILD}),
        ("author", {"author": "Ann", "email": "a@b"}),
        ("repository", {"repository": "git.example.com/x"}),
        ("commit", {"commit": "ab" * 20, "subject": 'a, "b"'}),
    ],
)
def test_csv_begins_with_the_names_of_the_fields(capsys: Capture, by: str, about: dict[str, str]) -> None:
    """They are those of the JSON; an empty cell is unknown, and ids are whole."""
    assert as_csv(capsys, counted(row(**about), by=by)) == [
        [*about, *COUNTS],
        [*about.values(), "4", "3", "75.0", "2", "", "false", "0", "0"],
    ]


def test_csv_without_rows_has_its_head(capsys: Capture) -> None:
    """Who reads it by name finds the names."""
    assert as_csv(capsys, counted()) == [["month", *COUNTS]]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(capsys: Capture, text: str) -> None:
    """S03: a spreadsheet calculates nothing that an author wrote into a name."""
    line = as_csv(capsys, counted(row(author=text, email=f"{text}@x"), by="author"))[1]

    assert [cell[0] for cell in line[:2]] == ["'", "'"]
    assert as_json(capsys, counted(row(author=text, email="x"), by="author"))["rows"][0]["author"] == text


def test_a_long_title_is_whole_for_programs(capsys: Capture) -> None:
    """People see the beginning of it."""
    about = {"thread": PARENT, "title": "x" * 5000, "within": None}

    assert as_csv(capsys, counted(row(**about), by="thread"))[1][1] == "x" * 5000
    assert len(table(capsys, row(**about), by="thread")[2]) < 400
