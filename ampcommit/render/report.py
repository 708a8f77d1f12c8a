"""Where the findings of `verify` go: to stdout as they come, into a file that is whole or absent, onto a terminal."""

import os
import stat
import sys
from contextlib import closing, contextmanager

from ampcommit.errors import MisuseError, SetupError
from ampcommit.escape import defused
from ampcommit.files import remove, write_all
from ampcommit.render.annotations import GitHub, Lines
from ampcommit.render.formats import HELD, GitLab, Json, JUnit, Sarif, name, shown, subject, too_few
from ampcommit.render.streams import heard_or_not, mute, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Self

    from rich.live import Live

    from ampcommit.errors import AmpcommitError
    from ampcommit.gate.verdict import Report, Verdict
    from ampcommit.record import Finding
    from ampcommit.render.formats import Write, Writer

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")
_WHOLE: "dict[str, type[Writer]]" = {"json": Json, "gitlab": GitLab, "sarif": Sarif, "junit": JUnit}
EVERY = frozenset(form for form, writer in _WHOLE.items() if writer.every)
"""The forms that tell of every commit, not only of those with findings."""

_ROWS = 1000
_COLOURS = {"error": "red", "warning": "yellow"}


def publish(
    report: "Report",
    form: str = "text",
    *,
    output: str = "",
    max_findings: int | None = None,
    quiet: bool = False,
    environ: "Mapping[str, str]",
) -> None:
    """
    Read *report* and print it in the form *form*, into the file *output* if one is named.

    At most *max_findings* findings are printed; with *quiet* people see errors alone. Neither changes
    counts or exit code, nor does a reader who has enough.
    """
    if form not in FORMATS:
        raise MisuseError(f"there is no format {form!a}", hint=f"the formats are {', '.join(FORMATS)}")
    for_people = form not in _WHOLE and not output
    drawn = form == "text" and not output and sys.stdout.isatty()
    with _place(output, streaming=for_people) as write:
        if form in _WHOLE:
            writer = _WHOLE[form](write, report, most=max_findings)
        else:
            writer = _lines(form, write, report, environ, most=max_findings, quiet=quiet, drawn=drawn)
        # Lines that stream to a terminal, or by way of a pager, must not meet one that comes and goes.
        silent = quiet or not sys.stderr.isatty() or (for_people and not drawn)
        with closing(writer):
            _feed(writer, report, None if silent else environ)
            writer.end()
    if not quiet:
        said = report.notices + [too_few(report)] * (report.short and not for_people)
        tell("".join(f"warning: {defused(shown(text))}\n" for text in said))


def _lines(
    form: str,
    write: "Write",
    report: "Report",
    environ: "Mapping[str, str]",
    *,
    most: int | None,
    quiet: bool,
    drawn: bool,
) -> "Writer":
    """Return the writer of lines, none of which can be a command to a CI runner unless we mean it."""

    def harmless(text: str) -> None:
        write(defused(text))

    if form == "github":
        page = environ.get("GITHUB_STEP_SUMMARY", "")
        return GitHub(harmless, report, most=most, quiet=quiet, page=page)
    if drawn:
        return Drawn(harmless, report, environ, most=most, quiet=quiet)
    return Lines(harmless, report, most=most, quiet=quiet)


def _feed(writer: "Writer", report: "Report", watched: "Mapping[str, str] | None") -> None:
    """Let *writer* see the verdicts; with the environment *watched*, a person sees how many there were."""
    if watched is None:
        _pass(report, writer)
        return
    with Progress(report, watched):
        _pass(report, writer)


def _pass(report: "Report", writer: "Writer") -> None:
    every, take = writer.every, writer.verdict
    for verdict in report:  # a million times: the less, the better
        if every or verdict.findings:
            take(verdict)


class Drawn(Lines):
    """A table for a terminal, and the counts under it."""

    def __init__(
        self, write: "Write", report: "Report", environ: "Mapping[str, str]", *, most: int | None, quiet: bool
    ) -> None:
        super().__init__(write, report, most=_ROWS if most is None else min(most, _ROWS), quiet=quiet)
        self._environ = environ
        self._rows: list[tuple[str, ...]] = []

    def finding(self, verdict: "Verdict", finding: "Finding") -> None:
        """Keep one finding: the widths of a table are known at its end."""
        hint = f"\nhint: {shown(finding.hint)}" if finding.hint else ""
        what = (shown(finding.message), hint, subject(verdict))
        self._rows.append((name(verdict, 12), finding.level, finding.code, *what))

    def end(self) -> None:
        """Write the table and the counts."""
        if self._rows:
            self._draw()
        super().end()

    def _draw(self) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        paper = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, _environ=self._environ)
        table = Table(box=None, pad_edge=False)
        for head in ("commit", "level", "code"):
            table.add_column(head, no_wrap=True)
        table.add_column("what", overflow="fold")
        table.add_column("subject", overflow="ellipsis", no_wrap=True, max_width=paper.width // 4)
        for commit, level, code, message, hint, first in self._rows:
            what = Text.assemble(message, (hint, "dim"))
            table.add_row(commit, Text(level, _COLOURS[level]), code, what, first)
        with paper.capture() as drawn:
            paper.print(table)
        self.write(drawn.get())


class Progress:
    """How many commits were checked, on stderr, from the second second on; gone at the end of the `with` block."""

    def __init__(self, report: "Report", environ: "Mapping[str, str]") -> None:
        import threading

        self._report = report
        self._environ = environ
        self._live: Live | None = None
        # A clock of its own: reading the verdicts should not be slowed by looking at one.
        self._clock = threading.Timer(1, self._show)

    def __enter__(self) -> "Self":
        self._clock.daemon = True
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._clock.cancel()
        self._clock.join()
        if self._live:
            self._live.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        spinner = Spinner("dots")

        def look() -> Spinner:
            spinner.update(text=f"checking… {self._report.checked:,} commits")
            return spinner

        paper = Console(stderr=True, _environ=self._environ)
        self._live = Live(get_renderable=look, console=paper, refresh_per_second=4, transient=True)
        self._live.start()


# Places. Each is a `with` block that yields a function to write with, and that leaves nothing half done.


def _place(output: str, *, streaming: bool) -> "AbstractContextManager[Write]":
    """Return where a report goes; that it cannot go there is said before anything is read."""
    if not output:
        return _straight() if streaming else _spooled(_to_stdout)
    try:
        fd = os.open(output, os.O_WRONLY)  # waits for the reader of a FIFO
    except FileNotFoundError:
        return _beside(output)
    except (OSError, ValueError) as error:  # the second: a NUL in the path
        raise _refusal(output, error) from error
    target = os.fstat(fd)
    if stat.S_ISREG(target.st_mode) or os.path.samestat(target, os.fstat(1)):
        os.close(fd)
    else:
        return _through(fd)
    # Whoever names the file that stdout goes to (/dev/stdout) means what a shell has opened, perhaps for appending.
    return _spooled(_to_stdout) if os.path.samestat(target, os.fstat(1)) else _beside(output)


@contextmanager
def _straight() -> "Iterator[Write]":
    """Write to stdout at once."""
    yield _say
    with heard_or_not():
        sys.stdout.flush()


def _say(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:  # the verdicts that nobody reads are judged all the same
        mute()


@contextmanager
def _spooled(put: "Callable[[bytes], object]") -> "Iterator[Write]":
    """Keep what is written, and *put* it out when it is complete."""
    import tempfile

    with tempfile.SpooledTemporaryFile(HELD) as spool:
        yield lambda text: spool.write(text.encode())
        spool.seek(0)
        with heard_or_not():
            while piece := spool.read(1 << 20):
                put(piece)


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


@contextmanager
def _through(fd: int) -> "Iterator[Write]":
    """Write through *fd*, a FIFO or a device, what is complete."""
    try:
        with _spooled(lambda data: write_all(fd, data)) as write:
            yield write
    finally:
        os.close(fd)


@contextmanager
def _beside(output: str) -> "Iterator[Write]":
    """Write into a new file, which takes the place of *output* when it is complete."""
    path = os.path.realpath(output)
    aside = os.path.join(os.path.dirname(path), f".ampcommit-{os.urandom(6).hex()}.tmp")
    try:
        try:
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise _refusal(output, error) from error
        with open(fd, "w", encoding="utf-8", newline="\n") as file:
            yield file.write
        os.replace(aside, path)
    finally:
        remove(aside)


def _refusal(output: str, error: Exception) -> "AmpcommitError":
    reason = getattr(error, "strerror", None) or str(error)
    wrong = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError | ValueError)
    hint = "name a file that you may write, in a folder that is there"
    return (MisuseError if wrong else SetupError)(f"cannot write {output!a}: {reason}", hint=hint)
