"""What `verify` found, in the forms that other programs read; and the words that all forms share."""

from ampcommit import __version__
from ampcommit.escape import PIECE, defused_json, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ampcommit.gate.verdict import Report, Verdict
    from ampcommit.record import Finding

    Write = Callable[[str], object]

RULES = {  # what each finding says
    "AC101": "The message has no link to an Amp thread.",
    "AC102": "A line with the key of the link is no trailer for git.",
    "AC103": "The value of the trailer is not a well-formed link to a thread.",
    "AC104": "The link leads to a host that is not trusted.",
    "AC105": "The last link is not the thread at work.",
    "AC106": "The record of the commit names another thread than its message.",
    "AC107": "The linked thread had been handed off to a later one.",
    "AC108": "A merge adds changes of its own.",
    "AC201": "The subject is shorter or longer than the policy allows.",
    "AC202": "The body is shorter than the policy allows.",
    "AC301": "The ledger has no record of the commit.",
    "AC302": "The ledger is damaged.",
    "AC401": "Amp does not know the thread.",
    "AC402": "The thread worked in another repository.",
}
_INDEX = {code: index for index, code in enumerate(RULES)}
_PLACE = ".ampcommit"  # some readers demand a file and a line, and a commit is none: the policy that it does not meet
_LONG = 1000
HELD = 1 << 22  # bytes of a report that stay in memory


def shown(text: str, limit: int = _LONG) -> str:
    """Return *text* on one line, bounded and printable, as `terminal` does."""
    # Nearly all text is fine as it is, and looking at it letter by letter would be felt in a million commits.
    return text if len(text) <= limit and text.isprintable() else terminal(text, limit)


def told(finding: "Finding") -> str:
    """Return what is wrong, and what to do about it."""
    hint = f" (hint: {shown(finding.hint)})" if finding.hint else ""
    return shown(finding.message) + hint


def line(finding: "Finding") -> str:
    """Return all that is said of a finding, on one line."""
    return f"{finding.level} {finding.code} {told(finding)}"


def subject(verdict: "Verdict") -> str:
    """Return the first line of the message as a person may see it."""
    return shown(verdict.subject, PIECE)


def name(verdict: "Verdict", digits: int | None = None) -> str:
    """Return the id of the commit, or its first *digits*; `message` for what is no commit yet."""
    return verdict.commit[:digits] if verdict.commit else "message"


def floored(share: float | None) -> float | None:
    """Return *share* with one decimal, never rounded up."""
    return None if share is None else int(share * 10) / 10


def percent(share: float | None) -> str:
    """Return *share* in words that never say 100 % or 0 % of what only comes close."""
    if share is None:
        return "unknown"
    return "less than 0.1 %" if 0 < share < 0.1 else f"{floored(share):g} %"


def too_few(report: "Report") -> str:
    """Return what to say of a share of links that is below the one asked for."""
    share = percent(report.coverage)
    return f"too few links: {share} of the commits that must be linked are; {report.min_coverage} % were asked for"


class Writer:
    """What writers share: they take in each verdict as it passes, and write at most so many findings."""

    every = False  # whether verdicts without findings are of interest

    def __init__(self, write: "Write", report: "Report", *, most: int | None = None) -> None:
        self.write = write
        self.report = report
        self.most = most
        self.found = 0

    def verdict(self, verdict: "Verdict") -> None:
        """Take in one verdict."""
        for finding in self.wanted(verdict):
            self.found += 1
            if self.most is None or self.found <= self.most:
                self.finding(verdict, finding)

    def wanted(self, verdict: "Verdict") -> "Sequence[Finding]":
        """Return the findings that are printed and counted here."""
        return verdict.findings

    def finding(self, verdict: "Verdict", finding: "Finding") -> None:
        """Write one finding of *verdict*."""

    def end(self) -> None:
        """Write what is known when the last verdict was read."""

    def close(self) -> None:
        """Give back what was taken from the system."""


def _json(value: object) -> str:
    import json

    return defused_json(json.dumps(value, ensure_ascii=True))


class Json(Writer):
    """The JSON that is promised (`ampcommit.verify/1`), one commit a line, never cut."""

    every = True
    _between = "\n"

    def __init__(self, write: "Write", report: "Report", *, most: int | None = None) -> None:
        super().__init__(write, report, most=most)
        policy = _json({"mode": report.mode, "from": report.policy_from})
        write(f'{{"schema": "ampcommit.verify/1", "range": {_json(report.range)}, "policy": {policy}, "commits": [')

    def verdict(self, verdict: "Verdict") -> None:
        """Write one commit."""
        fields = {
            "commit": verdict.commit,
            "status": verdict.status,
            "exempt_by": shown(verdict.exempt_by) if verdict.exempt_by else None,
            "threads": list(verdict.threads),
            "findings": [{key: shown(text) for key, text in one.as_dict().items()} for one in verdict.findings],
            "subject": subject(verdict),
        }
        self.write(self._between + _json(fields))
        self._between = ",\n"

    def end(self) -> None:
        """Write counts and notices."""
        report = self.report
        summary = _json({**report.summary(), "coverage": floored(report.coverage)})
        self.write(f'\n], "summary": {summary}, "notices": {_json([shown(one) for one in report.notices])}}}\n')


class Issues(Writer):
    """A JSON list of findings, one a line, each with a fingerprint that no other one has."""

    _between = "\n"
    _of: "Verdict | None" = None
    _seen: dict[str, int]

    def put(self, fields: dict[str, object]) -> None:
        """Write one finding."""
        self.write(self._between + _json(fields))
        self._between = ",\n"

    def mark(self, verdict: "Verdict", finding: "Finding") -> str:
        """Return the fingerprint; a second finding that says the same of a commit is told from the first."""
        import hashlib  # costs milliseconds, and few reports need it

        if verdict is not self._of:
            self._of, self._seen = verdict, {}
        text = f"{name(verdict)}\0{finding.code}\0{finding.message}"
        self._seen[text] = times = self._seen.get(text, 0) + 1
        text += f"\0{times}" if times > 1 else ""
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class GitLab(Issues):
    """GitLab's Code Quality report."""

    _between = "[\n"

    def finding(self, verdict: "Verdict", finding: "Finding") -> None:
        """Write one finding."""
        self.put(
            {
                "description": f"{finding.code} {name(verdict, 12)}: {told(finding)}",
                "check_name": finding.code,
                "fingerprint": self.mark(verdict, finding),
                "severity": "major" if finding.level == "error" else "minor",
                "location": {"path": _PLACE, "lines": {"begin": 1}},
            }
        )

    def end(self) -> None:
        """Close the list."""
        self.write("[]\n" if self._between == "[\n" else "\n]\n")


class Sarif(Issues):
    """SARIF 2.1.0, one run."""

    def __init__(self, write: "Write", report: "Report", *, most: int | None = None) -> None:
        super().__init__(write, report, most=most)
        rules = [{"id": code, "shortDescription": {"text": text}} for code, text in RULES.items()]
        tool = _json({"driver": {"name": "ampcommit", "version": __version__, "rules": rules}})
        schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
        write(f'{{"$schema": "{schema}", "version": "2.1.0", "runs": [{{"tool": {tool}, "results": [')

    def finding(self, verdict: "Verdict", finding: "Finding") -> None:
        """Write one finding."""
        where = {"artifactLocation": {"uri": _PLACE}, "region": {"startLine": 1}}
        commit = {"name": name(verdict, 12), "fullyQualifiedName": name(verdict)}
        commit["kind"] = "commit" if verdict.commit else "message"
        self.put(
            {
                "ruleId": finding.code,
                "ruleIndex": _INDEX.get(finding.code, -1),
                "level": finding.level,
                "message": _message(told(finding)),
                "locations": [{"physicalLocation": where, "logicalLocations": [commit]}],
                # The name that GitHub looks at; without it all findings of a rule would be one, being in one line.
                "partialFingerprints": {"primaryLocationLineHash": f"{self.mark(verdict, finding)}:1"},
            }
        )

    def end(self) -> None:
        """Write how the run went."""
        said = [{"level": "warning", "message": _message(shown(notice))} for notice in self.report.notices]
        if self.report.short:
            said.append({"level": "error", "message": _message(too_few(self.report))})
        run = {"executionSuccessful": True, "exitCode": self.report.exit_code, "toolExecutionNotifications": said}
        self.write(f'\n], "invocations": [{_json(run)}]}}]}}\n')


def _message(text: str) -> dict[str, str]:
    # Viewers put arguments into braces and make links of brackets (sections 3.11.5 and 3.11.6).
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "] (")}


class JUnit(Writer):
    """A JUnit report: one test case a commit."""

    every = True

    def __init__(self, write: "Write", report: "Report", *, most: int | None = None) -> None:
        import tempfile

        super().__init__(write, report, most=most)
        self._cases = tempfile.SpooledTemporaryFile(HELD)  # noqa: SIM115  # what comes first is known last

    def verdict(self, verdict: "Verdict") -> None:
        """Write one test case; what is not detailed any more still fails."""
        inside = ""
        if verdict.status == "fail":
            inside = self._failure([finding for finding in verdict.findings if finding.level == "error"])
        elif verdict.exempt_by:
            inside = f'<skipped message="{_xml(shown(verdict.exempt_by))}"/>'
        warnings = [line(finding) for finding in verdict.findings if finding.level != "error"]
        inside += _element("system-out", warnings)
        title = _xml(f"{name(verdict, 12)} {subject(verdict)}")
        case = f'<testcase classname="ampcommit.verify" name="{title}"'
        self._put(f"{case}>{inside}</testcase>\n" if inside else f"{case}/>\n")

    def _failure(self, errors: "list[Finding]") -> str:
        room = len(errors) if self.most is None else max(0, self.most - self.found)
        self.found += len(errors)
        detailed = errors[:room]
        message = f' message="{_xml(shown(errors[0].message))}"' if detailed else ""
        said = _xml("\n".join(line(finding) for finding in detailed))
        return f'<failure type="{errors[0].code}"{message}>{said}</failure>'

    def end(self) -> None:
        """Write the counts, the test cases, and what there is to say of the whole."""
        counts = self.report.summary()
        tests, failures, skipped = counts["checked"], counts["failed"], counts["exempt"]
        numbers = f'name="ampcommit verify" tests="{tests}" failures="{failures}" skipped="{skipped}" errors="0"'
        said = [f"warning: {shown(notice)}" for notice in self.report.notices]
        self._put(_element("system-err", said + [too_few(self.report)] * self.report.short))
        self.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {numbers}>\n<testsuite {numbers}>\n')
        self._cases.seek(0)
        while piece := self._cases.read(1 << 16):
            self.write(piece.decode("ascii"))
        self.write("</testsuite>\n</testsuites>\n")

    def _put(self, text: str) -> None:
        self._cases.write(text.encode("ascii", "xmlcharrefreplace"))

    def close(self) -> None:
        """Give the temporary file back."""
        self._cases.close()


def _element(tag: str, lines: list[str]) -> str:
    text = _xml("\n".join(lines))
    return f"<{tag}>{text}</{tag}>\n" if lines else ""


def _xml(text: str) -> str:
    """Escape printable *text* for XML, attributes too; two number signs could be a command to a CI runner."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("##", "#&#35;")):
        text = text.replace(char, entity)
    return text
