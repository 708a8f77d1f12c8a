"""What `verify` found as lines for people, and on GitHub as annotations and a job summary."""

from ampcommit.render.formats import Writer, line, name, percent, shown, subject, told, too_few

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ampcommit.gate.verdict import Report, Verdict
    from ampcommit.record import Finding
    from ampcommit.render.formats import Write

_SHOWN = 10  # so many errors of a step are annotations on GitHub, and so many warnings
_ROWS = 100
_ROOM = 900 << 10  # bytes; a job summary of more than 1 MiB is not shown at all
_DATA = {ord(char): f"%{ord(char):02X}" for char in "%\r\n"}
_PROPERTY = {ord(char): f"%{ord(char):02X}" for char in "%\r\n:,"}
_ENTITIES = {code: f"&#{code};" for code in range(0x21, 0x7F) if not chr(code).isalnum()}
_HEADS = ("checked", "passed", "failed", "exempt", "linked", "share", "not agent", "warnings")


def counted(report: "Report") -> str:
    """Return the counts of *report* on one line."""
    counts = report.summary()
    share = "share unknown" if report.coverage is None else f"{percent(report.coverage)} of those that must be"
    return (
        f"{_amount(counts['checked'], 'commit')} checked: {counts['passed']} passed, {counts['failed']} failed, "
        f"{counts['exempt']} exempt; {counts['linked']} linked ({share}); {counts['not_agent']} not agent; "
        f"{_amount(counts['warnings'], 'warning')}"
    )


def more(number: int) -> str:
    """Say how many findings are not shown."""
    return f"… and {_amount(number, 'more finding')}"


def _amount(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Lines(Writer):
    """One line a finding, then the counts; of a message, what becomes of it."""

    def __init__(self, write: "Write", report: "Report", *, most: int | None = None, quiet: bool = False) -> None:
        super().__init__(write, report, most=most)
        self.quiet = quiet
        self.every = report.range is None
        self._last: Verdict | None = None

    def verdict(self, verdict: "Verdict") -> None:
        """Take in one verdict."""
        self._last = verdict
        super().verdict(verdict)

    def wanted(self, verdict: "Verdict") -> "Sequence[Finding]":
        """Return the findings that people are told."""
        if self.quiet:
            return [finding for finding in verdict.findings if finding.level == "error"]
        return verdict.findings

    def finding(self, verdict: "Verdict", finding: "Finding") -> None:
        """Write one finding."""
        self.write(f"{name(verdict)} {line(finding)}\n")

    def end(self) -> None:
        """Write what was left out, and the counts."""
        if self.quiet:
            self.write(f"{too_few(self.report)}\n" if self.report.short else "")
            return
        if self.most is not None and self.found > self.most:
            self.write(f"{more(self.found - self.most)}\n")
        message = self._last if self.report.range is None else None
        self.write(f"{_outcome(message) if message else counted(self.report)}\n")
        if self.report.short:
            self.write(f"{too_few(self.report)}\n")


def _outcome(verdict: "Verdict") -> str:
    how = f" ({shown(verdict.exempt_by)})" if verdict.exempt_by else ""
    return f"message: {verdict.status}{how}: {shown(' '.join(verdict.threads)) or 'no link'}"


class GitHub(Lines):
    """Lines of which the first are annotations; and a page for the job summary, where there is a file for it."""

    def __init__(
        self, write: "Write", report: "Report", *, most: int | None = None, quiet: bool = False, page: str = ""
    ) -> None:
        super().__init__(write, report, most=most, quiet=quiet)
        self._page = page  # its path
        self._rows: list[str] = []
        self._left = {"error": _SHOWN, "warning": _SHOWN}

    def finding(self, verdict: "Verdict", finding: "Finding") -> None:
        """Write one finding; what GitHub would not show as an annotation is a plain line."""
        self._left[finding.level] -= 1
        if self._left[finding.level] >= 0:
            title = f"{finding.code} {name(verdict, 12)}".translate(_PROPERTY)
            self.write(f"::{finding.level} title={title}::{told(finding).translate(_DATA)}\n")
        else:
            super().finding(verdict, finding)
        if self._page and len(self._rows) < _ROWS:
            self._rows.append(_row(verdict, finding))

    def end(self) -> None:
        """Write the counts and the page; that there can be no page is said, and costs nothing else."""
        super().end()
        if not self._page:
            return
        try:
            with open(self._page, "ab") as file:
                file.write(self._summary(file.tell()))
        except (OSError, ValueError) as error:  # the second: a NUL in the path, or no room
            reason = getattr(error, "strerror", None) or str(error)
            self.report.notices.append(f"the job summary was not written: {reason}")

    def _summary(self, taken: int) -> bytes:
        """Return the page for a file in which *taken* bytes are there already."""
        top, bottom = _top(self.report), _notices(self.report)
        if taken:
            top = f"\n{top}"  # what stands there may lack its line feed
        room = _ROOM - taken - len(f"{top}{_TABLE}{bottom}".encode())
        if room < 0:
            raise ValueError("the file is full")
        rows = ""
        left = self.found
        for row in self._rows:
            room -= len(row.encode())
            if room < 0:
                break
            rows += row
            left -= 1
        table = f"{_TABLE}{rows}</table>\n" if rows else ""
        rest = f"\n{more(left)}\n" if left else ""
        return f"{top}{table}{rest}{bottom}".encode()


# A table in HTML: inside it nothing is Markdown, neither pipes nor names of people, and `code` is left alone by GitHub.
_TABLE = """
<table>
<tr><th>commit</th><th>level</th><th>finding</th><th>what</th><th>subject</th></tr>
"""


def _row(verdict: "Verdict", finding: "Finding") -> str:
    what = _code(shown(finding.message)) + (f"<br>hint: {_code(shown(finding.hint))}" if finding.hint else "")
    cells = (_code(name(verdict, 12)), finding.level, finding.code, what, _code(subject(verdict)))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _code(text: str) -> str:
    return f"<code>{text.translate(_ENTITIES)}</code>"


def _top(report: "Report") -> str:
    counts = [str(count) for count in report.summary().values()]
    counts.insert(5, percent(report.coverage))
    table = "".join(f"| {' | '.join(row)} |\n" for row in (_HEADS, ["---:"] * len(_HEADS), counts))
    short = f" {too_few(report).capitalize()}." if report.short else ""
    return f"## ampcommit verify\n\n{_judgement(report)}{short}\n\n{table}"


def _judgement(report: "Report") -> str:
    checked, failed = report.summary()["checked"], report.summary()["failed"]
    if not checked:
        return "Nothing was checked."
    if report.mode == "off":
        return "Nothing was judged: the policy says `mode = off`."
    if checked == 1:
        what = "commit" if report.range is not None else "message"
        return f"The {what} {'does not meet' if failed else 'meets'} the policy."
    if failed:
        return f"{failed} of {checked} commits {'does' if failed == 1 else 'do'} not meet the policy."
    return f"All {checked} commits meet the policy."


def _notices(report: "Report") -> str:
    items = "".join(f"<li>{_code(shown(notice))}</li>\n" for notice in report.notices[:_ROWS])
    return f"\nNotices:\n\n<ul>\n{items}</ul>\n" if items else ""
