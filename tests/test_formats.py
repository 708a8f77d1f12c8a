"""Reports for other programs: as their readers demand them, whatever stands in a commit."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import jsonschema
import pytest

from ampcommit import __version__
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.record import Finding, Sha, ThreadId
from ampcommit.render import formats
from ampcommit.render.formats import GitLab, Json, JUnit, Sarif, Writer, floored, percent
from tests.conftest import CHILD, DATA, PARENT

REPORTS = DATA / "reports"
HOSTILE = {
    "annotation": "::error file=a::owned",
    "older annotation": "x ##[error]owned ###[group]x ##vso[task.complete]",
    "line feed": "%0A::error::x\n::error::y\r::error::z",
    "end of cdata": "]]>",
    "script": "<script>alert(1)</script>",
    "end of element": "</failure></testcase><x a='\"'/>",
    "table": "| a | b |\\|",
    "mention": "@octocat #123 a@example.com",
    "image": "![x](http://e) [y](javascript:z) *b* _i_ `c` www.example.com",
    "terminal": "\x1b[2J\x1b]0;owned\x07 [red]x[/] \r\b\x9b31m",
    "control": "a\0b\ufffe\uffff\u202ec\u200bd\U0010ffff",
    "surrogate": "\ud800 \udcff",
    "languages": "Größe 日本 🎉 ##",
    "long": "<|x" * 100_000,
}
MAKERS = [Json, GitLab, Sarif, JUnit]


def sha(number: int) -> Sha:
    """Return a commit id that can be told from others."""
    return Sha(f"{number:02x}9f3c1d2e" * 4)


def verdict(number: int, first: str, *findings: Finding, linked: bool = True, **more: Any) -> Verdict:
    """Return a verdict on a commit with the first line *first*."""
    text = f"\n{first}\n\nBody\n".encode("utf-8", "surrogatepass")
    return Verdict(sha(number), text, [ThreadId(PARENT)] if linked else [], findings, **more)


def missing(message: str = "the message has no link to an Amp thread") -> Finding:
    """Return the finding that most commits have."""
    return Finding("AC101", "error", message, "let Amp commit, or add a link")


def plain(count: int = 3, **more: Any) -> Report:
    """Return a report of *count* commits, none of which is linked."""
    found = [verdict(number, "Add the parser", missing(), linked=False) for number in range(1, count + 1)]
    return Report("A..B", "require", None, found, **more)


def sample() -> Report:
    """Return the one report of which all golden files are made: everything that there is, much of it hostile."""
    twice = Finding("AC103", "error", "this is not a link: ##[error]owned %0A::error::x ]]> </failure>", "write <b>|")
    short = Finding("AC201", "warning", "the subject has 3 characters, fewer than 10", "")
    found = [
        verdict(1, "Add the parser"),
        verdict(2, "::error file=a::owned", missing(), linked=False),
        verdict(3, "| a | b | @octocat #123 ![x](http://e) <script>alert(1)</script>", twice, twice, short),
        verdict(4, "Merge branch 'topic'", linked=False, exempt_by='path:<"##[x]">'),
        verdict(5, "x\0\ufffe\u202e é 日本 ##[error]owned", short, Finding("AC999", "warning", "later", "update")),
        verdict(6, "Update the figures", linked=False, agent=False),
    ]
    notices = ["no .ampcommit at 9f3c: the defaults hold", "::error::x ##[error]x <b>@octocat</b>\n::error::y"]
    return Report("main..topic", "require", sha(9), found, notices=notices, min_coverage=90)


def written(maker: Callable[..., Writer], report: Report, **options: Any) -> str:
    """Return what a writer writes of *report*."""
    pieces: list[str] = []
    with closing(maker(pieces.append, report, **options)) as writer:
        for one in report:
            if writer.every or one.findings:
                writer.verdict(one)
        writer.end()
    return "".join(pieces)


def golden(name: str) -> str:
    """Return a golden file, with the version in its place."""
    return (REPORTS / name).read_bytes().decode().replace("@VERSION@", __version__)


def one(finding: Finding, first: str = "Add the parser", count: int = 1, **more: Any) -> Report:
    """Return a report of one commit with *count* times the same finding."""
    return Report("A..B", "require", None, [verdict(1, first, *[finding] * count, **more)])


def texts(value: Any) -> Iterable[str]:
    """Yield every string inside *value*."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    if isinstance(value, str):
        yield value


# What all have in common.


@pytest.mark.parametrize(
    ("maker", "name"),
    [(Json, "verify.json"), (GitLab, "gitlab.json"), (Sarif, "sarif.json"), (JUnit, "junit.xml")],
)
def test_a_report_is_byte_for_byte_what_it_was(maker: Callable[..., Writer], name: str) -> None:
    """Whoever reads a report relies on its form."""
    assert written(maker, sample()) == golden(name)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("maker", MAKERS)
def test_what_a_commit_says_stays_inside_its_place(maker: Callable[..., Writer], text: str) -> None:
    """Neither subject nor finding nor exemption nor notice can break a form, a terminal or a CI log (S01-S04)."""
    bad, odd = Finding("AC103", "error", text, text), Finding("AC201", "warning", text, text)
    found = [verdict(1, text, bad, odd), verdict(2, text, exempt_by=text)]
    out = written(maker, Report("A..B", "require", None, found, notices=[text]))

    assert out.isascii()
    assert "##" not in out
    assert all(char.isprintable() or char == "\n" for char in out)
    assert not [line for line in out.splitlines() if line.strip().startswith("::")]
    assert len(out) < 40_000
    if maker is JUnit:
        suite = ET.fromstring(out)[0]  # noqa: S314  # our own
        assert [case.tag for case in suite] == ["testcase", "testcase", "system-err"]
    else:
        json.loads(out)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_message_of_ten_megabytes_is_a_line(maker: Callable[..., Writer]) -> None:
    """What a commit can hold does not swell a report."""
    assert len(written(maker, one(missing(), "x" * 10_000_000))) < 4000


@pytest.mark.parametrize("maker", MAKERS)
def test_a_report_on_nothing_is_a_report(maker: Callable[..., Writer]) -> None:
    """An empty range has a form, too."""
    out = written(maker, Report("A..A", "require", None, []))

    assert ET.fromstring(out).get("tests") == "0" if maker is JUnit else json.loads(out) is not None  # noqa: S314


@pytest.mark.parametrize(
    ("share", "says", "number"),
    [
        (None, "unknown", None),
        (0.0, "0 %", 0.0),
        (0.01, "less than 0.1 %", 0.0),
        (0.1, "0.1 %", 0.1),
        (80.0, "80 %", 80.0),
        (100 * 2 / 3, "66.6 %", 66.6),
        (99.96, "99.9 %", 99.9),
        (100 * 999_999 / 1_000_000, "99.9 %", 99.9),
        (100.0, "100 %", 100.0),
    ],
)
def test_a_share_is_never_rounded_up(share: float | None, says: str, number: float | None) -> None:
    """Not all is not 100 %, and few are not none."""
    assert (percent(share), floored(share)) == (says, number)


def test_every_tenth_of_a_percent_is_exact() -> None:
    """A binary fraction costs nobody a tenth."""
    assert [floored(100 * part / 1000) for part in range(1001)] == [part / 10 for part in range(1001)]


def test_texts_are_bounded_once() -> None:
    """A text as long as the limit is whole, and one more is cut."""
    assert formats.shown("x" * 1000) == "x" * 1000
    assert formats.shown("x" * 1001) == "x" * 1000 + "…"


# JSON.


def test_the_json_is_what_was_promised() -> None:
    """Fields have their order; new ones stand behind the others."""
    found = json.loads(written(Json, sample()))

    assert list(found) == ["schema", "range", "policy", "commits", "summary", "notices"]
    assert found["policy"] == {"mode": "require", "from": sha(9)}
    assert list(found["commits"][1]) == ["commit", "status", "exempt_by", "threads", "findings", "subject"]
    assert [commit["status"] for commit in found["commits"]] == ["pass", "fail", "fail", "exempt", "pass", "pass"]
    assert found["commits"][1]["findings"] == [missing().as_dict()]
    counts = {"checked": 6, "passed": 3, "failed": 2, "exempt": 1, "linked": 3, "not_agent": 1, "warnings": 3}
    assert found["summary"] == {**counts, "coverage": 75.0}
    assert list(found["summary"]) == [*counts, "coverage"]


def test_what_is_unknown_is_null_in_json() -> None:
    """A message is no range and no commit, and nobody asked for its share."""
    message = Verdict(None, b"x\n", [ThreadId(CHILD), ThreadId(PARENT)], agent=False)
    found = json.loads(written(Json, Report(None, "warn", None, [message])))

    assert (found["range"], found["policy"]["from"], found["summary"]["coverage"]) == (None, None, None)
    assert found["commits"][0]["commit"] is None
    assert found["commits"][0]["threads"] == [CHILD, PARENT]


def test_one_commit_is_one_line_of_json() -> None:
    """Who cannot hold a million commits can still read them line by line, and none is left out."""
    lines = written(Json, plain(20), most=3).splitlines()

    assert [json.loads(line.rstrip(","))["commit"] for line in lines[1:-1]] == [sha(one) for one in range(1, 21)]


# GitLab.


def test_a_list_without_findings_is_empty() -> None:
    """Nothing found is an empty list, and not an empty file."""
    assert written(GitLab, Report("A..B", "require", None, [verdict(1, "Add the parser")])) == "[]\n"


@pytest.mark.parametrize("maker", [GitLab, Sarif])
def test_every_finding_has_its_own_fingerprint(maker: Callable[..., Writer]) -> None:
    """Two findings are never taken for one, and one is the same in the next run, whatever is found beside it."""
    first, second = marks(maker, plain(2)), marks(maker, plain(3))
    same, apart = marks(maker, one(missing(), count=3)), marks(maker, one(missing("another message")))

    assert first == second[:2]
    assert same[0] == first[0]
    assert len({*second, *same, *apart}) == 6


def marks(maker: Callable[..., Writer], report: Report) -> list[str]:
    """Return the fingerprints in a report."""
    found = json.loads(written(maker, report))
    if maker is GitLab:
        return [issue["fingerprint"] for issue in found]
    return [one["partialFingerprints"]["primaryLocationLineHash"] for one in found["runs"][0]["results"]]


@pytest.mark.parametrize(("most", "count"), [(None, 3), (0, 0), (2, 2), (3, 3), (9, 3)])
@pytest.mark.parametrize("maker", [GitLab, Sarif])
def test_as_many_findings_as_asked_for_are_listed(maker: Callable[..., Writer], most: int | None, count: int) -> None:
    """A limit cuts the list and leaves it whole in its form; the exit code is of all."""
    report = plain()
    found = json.loads(written(maker, report, most=most))

    assert len(found if maker is GitLab else found["runs"][0]["results"]) == count
    assert report.exit_code == 1


# SARIF.


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft4Validator:
    """The official schema of SARIF 2.1.0."""
    return jsonschema.Draft4Validator(json.loads((DATA / "sarif-schema-2.1.0.json").read_bytes()))


@pytest.mark.parametrize(
    "report",
    [
        sample,
        plain,
        lambda: Report("A..A", "require", None, []),
        lambda: Report(None, "require", None, [Verdict(None, b"x\n", (), [missing()])]),
        lambda: one(Finding("AC201", "warning", "", "")),
    ],
    ids=["sample", "plain", "empty", "message", "no words"],
)
def test_sarif_is_what_its_schema_says(schema: jsonschema.Draft4Validator, report: Callable[[], Report]) -> None:
    """The official schema accepts every report."""
    schema.validate(json.loads(written(Sarif, report())))


def test_sarif_knows_every_rule_and_its_own_version() -> None:
    """A reader finds the sentence of a code; a code that is not listed is no wrong one."""
    run = json.loads(written(Sarif, sample()))["runs"][0]
    driver = run["tool"]["driver"]

    assert (driver["name"], driver["version"]) == ("ampcommit", __version__)
    assert [rule["id"] for rule in driver["rules"]] == list(formats.RULES)
    for result in run["results"]:
        known = result["ruleId"] in formats.RULES
        assert result["ruleIndex"] == (list(formats.RULES).index(result["ruleId"]) if known else -1)
    assert {result["ruleIndex"] for result in run["results"]} == {0, 2, 8, -1}


def test_sarif_says_how_the_run_went() -> None:
    """Notices, too few links and the exit code are in the report."""
    ran = json.loads(written(Sarif, sample()))["runs"][0]["invocations"][0]

    assert (ran["executionSuccessful"], ran["exitCode"]) == (True, 1)
    said = ran["toolExecutionNotifications"]
    assert [one["level"] for one in said] == ["warning", "warning", "error"]
    assert said[2]["message"]["text"].startswith("too few links: 75 % ")


def test_sarif_names_a_message_as_such() -> None:
    """What is no commit yet is not given out as one."""
    report = Report(None, "require", None, [Verdict(None, b"x\n", (), [missing()])])
    where = json.loads(written(Sarif, report))["runs"][0]["results"][0]["locations"][0]["logicalLocations"]

    assert where == [{"name": "message", "fullyQualifiedName": "message", "kind": "message"}]


# JUnit.


def suite(report: Report, **options: Any) -> ET.Element:
    """Return the test suite that is written of *report*, its counts checked against those of the whole."""
    root = ET.fromstring(written(JUnit, report, **options))  # noqa: S314  # our own

    assert (root.tag, root.attrib) == ("testsuites", root[0].attrib)
    return root[0]


def test_junit_counts_what_it_lists() -> None:
    """One test case a commit; failed, exempt and passed as the summary has them."""
    found = suite(sample())
    cases = found.findall("testcase")

    assert [found.get(name) for name in ("tests", "failures", "skipped", "errors")] == ["6", "2", "1", "0"]
    assert [[part.tag for part in case] for case in cases] == [
        [],
        ["failure"],
        ["failure", "system-out"],
        ["skipped"],
        ["system-out"],
        [],
    ]
    assert cases[0].get("name") == f"{sha(1)[:12]} Add the parser"
    assert cases[0].get("classname") == "ampcommit.verify"


def test_junit_tells_every_error_with_its_hint() -> None:
    """The failure of a commit holds all that is wrong with it."""
    failure = suite(sample()).findall("testcase")[2][0]

    text = "AC103 this is not a link: ##[error]owned %0A::error::x ]]> </failure> (hint: write <b>|)"
    assert (failure.get("type"), failure.text) == ("AC103", f"error {text}\nerror {text}")


def test_junit_says_what_concerns_the_whole() -> None:
    """Notices and too few links stand at the end of the suite."""
    said = suite(sample())[-1]

    assert said.tag == "system-err"
    assert [line.partition(":")[0] for line in (said.text or "").splitlines()] == [
        "warning",
        "warning",
        "too few links",
    ]


@pytest.mark.parametrize(("most", "details"), [(None, [2, 2]), (0, [0, 0]), (1, [1, 0]), (3, [2, 1]), (9, [2, 2])])
def test_a_limit_cuts_details_and_no_failure(most: int | None, details: list[int]) -> None:
    """What fails is a failure in the report, with details or without."""
    found = [verdict(number, "x", missing(), missing("another")) for number in (1, 2)]
    parts = suite(Report("A..B", "require", None, found), most=most).findall("testcase/failure")

    assert [len((part.text or "").splitlines()) for part in parts] == details
    assert [part.get("message") is not None for part in parts] == [bool(detail) for detail in details]


def test_a_large_junit_report_arrives_whole() -> None:
    """What does not fit into memory comes from a file."""
    report = Report("A..B", "require", None, [verdict(one % 200, "x" * 200) for one in range(20_000)])

    assert len(suite(report)) == 20_000
