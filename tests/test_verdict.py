"""What is said of one commit, and of all of them: read once, counted on the way."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.gate.verdict import COUNTS, Report, Verdict
from ampcommit.record import Finding, Sha, ThreadId
from tests.conftest import CHILD, PARENT

relaxed = settings(deadline=None, database=None)

COMMIT = Sha("0123456789abcdef0123456789abcdef01234567")

levels = st.lists(st.sampled_from(["error", "warning"]), max_size=3)


def finding(level: str) -> Finding:
    """Return a finding of some kind."""
    return Finding("AC101", level, "the message has no link", "add one")


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Make a verdict; most are of a linked commit that passes."""
    if draw(st.booleans()):
        return Verdict(COMMIT.encode(), b"Add the parser\n", (ThreadId(PARENT),))
    return Verdict(
        draw(st.sampled_from([None, COMMIT, COMMIT.encode()])),
        b"Add the parser\n",
        draw(st.lists(st.sampled_from([ThreadId(PARENT), ThreadId(CHILD)]), max_size=2)),
        [finding(level) for level in draw(levels)],
        exempt_by=draw(st.sampled_from([None, None, "merge", "before:x"])),
        agent=draw(st.booleans()),
    )


def read(found: list[Verdict], min_coverage: int | None = None) -> Report:
    """Return the report over some verdicts, read to its end."""
    report = Report("A..B", "require", None, iter(found), min_coverage=min_coverage)
    assert list(report) == found
    return report


def naive(found: list[Verdict]) -> dict[str, int]:
    """Count as a person would who goes through the list once for each number."""
    return {
        "checked": len(found),
        "passed": len([one for one in found if one.status == "pass"]),
        "failed": len([one for one in found if one.status == "fail"]),
        "exempt": len([one for one in found if one.status == "exempt"]),
        "linked": len([one for one in found if one.threads]),
        "not_agent": len([one for one in found if not one.agent]),
        "warnings": len([each for one in found for each in one.findings if each.level == "warning"]),
    }


# One commit.


def test_an_id_is_one_however_it_came() -> None:
    """Git gives bytes, a person text, and a message that is no commit yet has none."""
    assert Verdict(COMMIT.encode(), b"").commit == COMMIT
    assert Verdict(COMMIT, b"").commit == COMMIT
    assert Verdict(None, b"").commit is None
    assert isinstance(Verdict(COMMIT.encode(), b"").commit, Sha)


@pytest.mark.parametrize(
    ("found", "exempt_by", "status"),
    [
        ([], None, "pass"),
        (["warning"], None, "pass"),
        (["warning", "error"], None, "fail"),
        ([], "merge", "exempt"),
        (["warning"], "merge", "exempt"),
        (["error"], "merge", "fail"),
    ],
)
def test_the_status_is_that_of_the_worst_finding(found: list[str], exempt_by: str | None, status: str) -> None:
    """An error fails even an exempt commit; a warning fails none."""
    verdict = Verdict(COMMIT, b"", (), [finding(level) for level in found], exempt_by=exempt_by)

    assert verdict.status == status


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (b"", ""),
        (b"\n \n\t\r\n", ""),
        (b"Add the parser\n\nbody\n", "Add the parser"),
        (b"\n \n  Add the parser \r\nand more\n", "Add the parser"),
        ("größer\n".encode(), "größer"),
        (b"caf\xe9\n", "caf\N{REPLACEMENT CHARACTER}"),
        (b"\x1b[2J::error::x\n", "\x1b[2J::error::x"),
        (b"x" * 5000, "x" * 1000),
    ],
)
def test_the_subject_is_the_first_line(text: bytes, subject: str) -> None:
    """S01, P55: it is as it stands there, to be escaped by whoever shows it, and no more of it than anybody reads."""
    assert Verdict(COMMIT, text).subject == subject


# All of them.


@relaxed
@given(st.lists(verdicts(), max_size=40))
def test_counts_are_those_of_the_list(found: list[Verdict]) -> None:
    """Whatever was found: the summary is what a count of the list would be, in the order of the JSON."""
    report = read(found)

    assert report.summary() == naive(found)
    assert tuple(report.summary()) == COUNTS
    assert report.exit_code == any(one.status == "fail" for one in found)


@relaxed
@given(st.lists(verdicts(), max_size=40), st.integers(0, 100))
def test_coverage_is_the_share_of_linked_commits(found: list[Verdict], least: int) -> None:
    """Only commits of which a link is asked count: exempt ones and those of people do not."""
    report = read(found, least)
    asked = [one for one in found if one.exempt_by is None and one.agent]
    linked = [one for one in asked if one.threads]

    assert (report.coverage is None) == (not asked)
    assert report.coverage is None or round(report.coverage * len(asked)) == 100 * len(linked)
    assert report.short == (100 * len(linked) < least * len(asked))
    assert report.exit_code == (report.short or any(one.status == "fail" for one in found))


@pytest.mark.parametrize(
    ("linked", "count", "least", "short"),
    [
        (2, 3, 66, False),
        (2, 3, 67, True),
        (0, 5, 0, False),
        (0, 5, 1, True),
        (5, 5, 100, False),
        (999, 1000, 100, True),
    ],
)
def test_the_share_is_compared_exactly(linked: int, count: int, least: int, short: bool) -> None:
    """What is below is below, however little; what is met is met."""
    found = [Verdict(COMMIT, b"", (ThreadId(PARENT),) if number < linked else ()) for number in range(count)]

    assert read(found, least).short == short


def test_where_nothing_was_asked_there_is_no_share() -> None:
    """Of no commits, or of exempt ones alone, 0 % would be as wrong as 100 %."""
    exempt = Verdict(COMMIT, b"", exempt_by="merge")
    for found in ([], [exempt], [Verdict(COMMIT, b"", agent=False)]):
        report = read(found, 100)
        assert (report.coverage, report.short, report.exit_code) == (None, False, 0)


def test_nobody_asked_for_a_share() -> None:
    """Without a least share, none is too small."""
    report = read([Verdict(COMMIT, b"")])

    assert (report.coverage, report.short, report.exit_code) == (0, False, 0)


def test_verdicts_are_read_one_by_one() -> None:
    """A range may have a million commits: none is asked for before its turn, and none is kept."""
    asked: list[int] = []

    def stream() -> Iterator[Verdict]:
        for number in range(10):
            asked.append(number)
            yield Verdict(COMMIT, b"", (ThreadId(PARENT),))

    report = Report("A..B", "warn", f"{COMMIT}:.ampcommit", stream(), notices=["a notice"])
    reader = iter(report)
    assert asked == []
    next(reader)
    next(reader)

    assert asked == [0, 1]
    assert report.summary()["checked"] == 2
    assert (report.range, report.mode, report.policy_from) == ("A..B", "warn", f"{COMMIT}:.ampcommit")
    assert report.notices == ["a notice"]


def test_notices_are_the_list_that_was_given() -> None:
    """What is learned while the verdicts are read is among them at the end; each report has its own."""
    notices: list[str] = []
    report, other = Report(None, "off", None, [], notices=notices), Report(None, "off", None, [])
    notices.append("later")

    assert (report.notices, other.notices) == (["later"], [])
