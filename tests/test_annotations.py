"""Lines for people and for GitHub's runner: what a commit says is never obeyed, linked or drawn."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from ampcommit.escape import defused
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.record import Finding, ThreadId
from ampcommit.render.annotations import GitHub, Lines, counted, more
from tests.conftest import CHILD, PARENT
from tests.test_formats import HOSTILE, golden, missing, plain, sample, sha, verdict, written

TAGS = {"h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br", "ul", "li"}


def lines(report: Report, **options: Any) -> list[str]:
    """Return the lines that people get."""
    return defused(written(Lines, report, **options)).splitlines()


def github(report: Report, **options: Any) -> list[str]:
    """Return the lines that the runner gets."""
    return defused(written(GitHub, report, **options)).splitlines()


def of_message(**more: Any) -> Report:
    """Return the report on a message that is no commit yet."""
    return Report(None, "require", None, [Verdict(None, b"Add the parser\n", **more)])


# Lines.


def test_a_finding_is_a_line_and_a_commit_that_passes_is_none() -> None:
    """What is wrong stands with its commit and its hint; then come the counts."""
    report = Report("A..B", "require", None, [verdict(1, "x"), verdict(2, "y", missing(), linked=False)])
    counts = "1 passed, 1 failed, 0 exempt; 1 linked (50 % of those that must be)"

    assert lines(report) == [
        f"{sha(2)} error AC101 the message has no link to an Amp thread (hint: let Amp commit, or add a link)",
        f"2 commits checked: {counts}; 0 not agent; 0 warnings",
    ]


def test_one_of_a_kind_is_singular() -> None:
    """The counts are a sentence, and what is unknown is called so."""
    short = Finding("AC201", "warning", "the subject has 3 characters, fewer than 10", "")
    report = Report("A..B", "require", None, [verdict(1, "x", short, linked=False, agent=False)])

    assert lines(report) == [
        f"{sha(1)} warning AC201 the subject has 3 characters, fewer than 10",
        "1 commit checked: 1 passed, 0 failed, 0 exempt; 0 linked (share unknown); 1 not agent; 1 warning",
    ]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"threads": [ThreadId(CHILD), ThreadId(PARENT)]}, f"message: pass: {CHILD} {PARENT}"),
        ({"exempt_by": "fixup"}, "message: exempt (fixup): no link"),
        ({"exempt_by": "path:\x1b[2J##["}, "message: exempt (path:\\x1b[2J# #[): no link"),
        ({"findings": [missing("no link")]}, "message: fail: no link"),
    ],
)
def test_a_message_has_an_outcome_and_no_counts(what: dict[str, Any], says: str) -> None:
    """One message is judged in one line."""
    assert lines(of_message(**what))[-1] == says


def test_too_few_links_are_said() -> None:
    """Who asked for a share learns that it was missed, and by how much."""
    report = Report("A..B", "require", None, [verdict(1, "x"), verdict(2, "y", linked=False)], min_coverage=90)

    assert lines(report)[-1] == "too few links: 50 % of the commits that must be linked are; 90 % were asked for"
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("most", "count", "says"),
    [
        (0, 0, "… and 3 more findings"),
        (2, 2, "… and 1 more finding"),
        (3, 3, None),
        (9, 3, None),
        (None, 3, None),
    ],
)
@pytest.mark.parametrize("maker", [lines, github])
def test_as_many_findings_as_asked_for_are_printed(maker: Any, most: int | None, count: int, says: str | None) -> None:
    """The counts are of all, and what is left out is said."""
    report = plain()
    out = maker(report, most=most)

    assert len(out) == count + (says is not None) + 1
    assert says is None or out[-2] == says
    assert out[-1] == counted(report)
    assert out[-1].startswith("3 commits checked: 0 passed, 3 failed")


@pytest.mark.parametrize("maker", [lines, github])
def test_quiet_is_errors_alone(maker: Any) -> None:
    """No warnings, no counts, no sentence on what was left out."""
    short = Finding("AC201", "warning", "the subject has 3 characters, fewer than 10", "")
    found = [verdict(1, "x", short), verdict(2, "y", short, missing(), missing()), verdict(3, "z")]

    out = maker(Report("A..B", "require", None, found, min_coverage=100), quiet=True, most=1)
    assert len(out) == 1
    assert "AC101" in out[0]
    assert maker(Report("A..B", "require", None, [verdict(1, "x", short)]), quiet=True) == []


@pytest.mark.parametrize("maker", [lines, github])
def test_quiet_says_why_it_failed(maker: Any) -> None:
    """Too few links fail a run without any finding, so that line is printed all the same."""
    found = [verdict(1, "x"), verdict(2, "y", linked=False)]

    [said] = maker(Report("A..B", "require", None, found, min_coverage=90), quiet=True)
    assert said == "too few links: 50 % of the commits that must be linked are; 90 % were asked for"
    assert maker(Report("A..B", "require", None, found, min_coverage=50), quiet=True) == []


def test_the_summary_of_a_policy_that_is_off_says_so(tmp_path: Path) -> None:
    """Where nothing was judged nobody reads that commits meet the policy."""
    said = page(tmp_path / "summary.md", Report("A..B", "off", None, [verdict(1, "x")]))

    assert "Nothing was judged: the policy says `mode = off`." in said
    assert "meets the policy" not in said


def test_the_rest_is_counted_in_words() -> None:
    """One is no plural."""
    assert (more(1), more(2)) == ("… and 1 more finding", "… and 2 more findings")


# The runner.


def commands(line: str) -> list[str]:
    """Return the command in *line* as GitHub's runner finds it: `::name …::` at its start, `##[name …]` anywhere."""
    if line.strip().startswith("::") and "::" in line.strip()[2:]:
        return [line.strip()[2:].partition("::")[0]]
    return [line.partition("##[")[2]] if "##[" in line else []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("maker", [lines, github])
def test_a_commit_cannot_give_orders_to_the_runner(maker: Any, text: str) -> None:
    """The commands in our lines are ours, one a finding, on one line, with a title that we gave (S02)."""
    bad, odd = Finding("AC103", "error", text, text), Finding("AC201", "warning", text, text)
    found = [verdict(1, text, *[bad, odd] * 12), verdict(2, text, exempt_by=text)]
    out = maker(Report("A..B", "require", None, found))

    ours = [f"{level} title={code} {sha(1)[:12]}" for level, code in (("error", "AC103"), ("warning", "AC201"))] * 10
    assert [command for line in out for command in commands(line)] == (ours if maker is github else [])
    assert len(out) == 25
    assert all(line.isprintable() and len(line) < 3000 for line in out)


def test_an_annotation_reads_as_it_was_written() -> None:
    """The runner's own escapes are the way to say a percent sign, and a colon in a title is none of its grammar."""
    report = Report("A..B", "require", None, [verdict(1, "x", Finding("A:C,1%", "error", "100%, 3: %0A", ""))])

    assert github(report)[0] == f"::error title=A%3AC%2C1%25 {sha(1)[:12]}::100%25, 3: %250A"


def test_what_github_would_not_show_is_a_plain_line() -> None:
    """Ten errors and ten warnings are annotations, each on its own account; none is lost."""
    odd = Finding("AC201", "warning", "short", "")
    found = [verdict(number, "x", missing()) for number in range(1, 13)]
    out = github(Report("A..B", "require", None, [*found, verdict(20, "x", odd)]))

    assert [line.startswith("::error ") for line in out] == [True] * 10 + [False] * 4
    assert out[10].startswith(f"{sha(11)} error AC101 ")
    assert out[12] == f"::warning title=AC201 {sha(20)[:12]}::short"


@pytest.mark.parametrize("count", range(2, 12))
def test_number_signs_never_meet(count: int) -> None:
    """However many of them there are, two never stand side by side, and each is still there."""
    text = defused(f"a{'#' * count}[error]")

    assert "##" not in text
    assert text.replace(" ", "") == f"a{'#' * count}[error]"


# The page.


class Tags(HTMLParser):
    """What a page has in it when it is drawn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(page))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.attributes += [attr for attr in attrs if attr[0] != "style"]  # where a column is aligned

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data


def page(path: Path, report: Report, **options: Any) -> str:
    """Return the job summary that is written of *report*."""
    github(report, page=str(path), **options)
    return path.read_bytes().decode()


def test_a_page_is_byte_for_byte_what_it_was(tmp_path: Path) -> None:
    """A verdict, the counts, the findings, the notices."""
    assert page(tmp_path / "summary.md", sample()) == golden("github-summary.md")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_page_draws_nothing_that_a_commit_asks_for(tmp_path: Path, text: str) -> None:
    """No link, image, mention, element or row comes from a subject, a finding or a notice (S03)."""
    bad = Finding("AC103", "error", text, text)
    said = page(tmp_path / "summary.md", Report("A..B", "require", None, [verdict(1, text, bad)], notices=[text]))
    drawn = Tags(said)

    assert drawn.tags <= TAGS
    assert drawn.attributes == []
    assert said.count("<tr>") == 2
    for line in said.splitlines():
        if line.startswith(("<tr><td>", "<li>")):  # where foreign text stands: letters, digits and entities
            bare = line.replace("<br>hint: ", "")
            assert not set(bare) & set("`|[]*_@\\!()~:\"'")
    assert [label for label in ("@octocat", "#123", "http:", "www.", "<script") if label in said] == []
    assert (drawn.text.count(text[:100]) >= 4) == text.isprintable()


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (lambda: Report("A..A", "require", None, []), "Nothing was checked."),
        (lambda: Report("A..B", "require", None, [verdict(1, "x")]), "The commit meets the policy."),
        (lambda: plain(1), "The commit does not meet the policy."),
        (of_message, "The message meets the policy."),
        (lambda: of_message(findings=[missing()]), "The message does not meet the policy."),
        (lambda: plain(3), "3 of 3 commits do not meet the policy."),
        (lambda: Report("A..B", "require", None, [verdict(1, "x"), verdict(2, "x", missing())]), "1 of 2 commits does"),
        (lambda: Report("A..B", "require", None, [verdict(1, "x"), verdict(2, "x")]), "All 2 commits meet the policy."),
        (
            lambda: Report("A..B", "require", None, [verdict(1, "x", linked=False)], min_coverage=50),
            "The commit meets the policy. Too few links: 0 % of the commits that must be linked are; 50 % were asked",
        ),
    ],
)
def test_a_page_begins_with_the_verdict(tmp_path: Path, report: Any, says: str) -> None:
    """One sentence says it all."""
    said = page(tmp_path / "summary.md", report())

    assert said.startswith(f"## ampcommit verify\n\n{says}")


def test_a_page_without_findings_has_no_table_of_them(tmp_path: Path) -> None:
    """Nothing is left empty."""
    said = page(tmp_path / "summary.md", Report("A..B", "require", None, [verdict(1, "x")]))

    assert said.endswith("| 1 | 1 | 0 | 0 | 1 | 100 % | 0 | 0 |\n")


def test_a_page_has_a_hundred_rows_and_says_how_many_it_has_not(tmp_path: Path) -> None:
    """A page is for reading."""
    said = page(tmp_path / "summary.md", plain(200))

    assert said.count("<tr><td>") == 100
    assert said.endswith("</table>\n\n… and 100 more findings\n")


def test_a_limit_holds_for_the_page(tmp_path: Path) -> None:
    """What was not asked for is not in the table."""
    said = page(tmp_path / "summary.md", plain(3), most=1)

    assert said.count("<tr><td>") == 1
    assert "… and 2 more findings\n" in said
    assert "<table>" not in page(tmp_path / "other.md", plain(3), most=0)


def test_a_page_is_added_to_what_others_wrote(tmp_path: Path) -> None:
    """Two checks in one step are both there, whatever the first left open."""
    path = tmp_path / "summary.md"
    path.write_text("somebody's last line")
    page(path, plain(1))
    said = page(path, plain(1))

    assert said.startswith("somebody's last line\n## ampcommit verify\n")
    assert said.count("\n\n## ampcommit verify\n") == 1


def test_a_page_stays_below_what_github_takes(tmp_path: Path) -> None:
    """A page that is too large would not be shown at all, so rows are left out, and that is said."""
    path = tmp_path / "summary.md"
    heavy = Finding("AC103", "error", "|" * 1000, "<" * 1000)
    report = Report("A..B", "require", None, [verdict(one, "x", heavy) for one in range(100)])
    said = page(path, report)

    assert 800 << 10 < len(said.encode()) < 1 << 20
    assert 50 < said.count("<tr><td>") < 100
    assert f"… and {100 - said.count('<tr><td>')} more findings\n" in said
    assert report.notices == []


def test_a_full_file_stays_as_it_is(tmp_path: Path) -> None:
    """A little more would cost what others wrote."""
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (900 << 10))
    report = plain(1)
    page(path, report)

    assert path.stat().st_size == 900 << 10
    assert report.notices == ["the job summary was not written: the file is full"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "Is a directory"), ("/no/summary.md", "No such file or directory"), ("/a\0b", "embedded null byte")],
)
def test_a_page_that_cannot_be_written_is_a_notice(tmp_path: Path, name: str, reason: str) -> None:
    """A report does not fail for the want of a page."""
    report = plain(1)
    out = github(report, page=f"{tmp_path}{name}")

    assert report.notices == [f"the job summary was not written: {reason}"]
    assert out[-1].startswith("1 commit checked")
