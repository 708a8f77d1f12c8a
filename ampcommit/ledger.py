"""
The ledger of one clone: append-only JSON Lines, each line naming the digest of the one before.

Writers hold one lock; readers need none, because a line is never changed. What a crash
cut off at the end is set aside by the next writer, never thrown away.
"""

import os
import stat
import sys

from ampcommit.errors import LedgerError, RecordError
from ampcommit.files import Lock, entered, make_own_folder, open_made, read_all, write_all
from ampcommit.record import VERSION, Record, canonical, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap
    from typing import Any, TypeAlias

    from ampcommit.carried import Carry
    from ampcommit.imported import Imported
    from ampcommit.resolved import Resolved
    from ampcommit.rewritten import Rewrite

    Entry: TypeAlias = Carry | Imported | Record | Resolved | Rewrite

_TAIL = 4096
_RECENT = 65536  # bytes at the end in which nothing is said twice
_LINE_LIMIT = 64 * 1024 * 1024
_ROOMS = {"carry": "carried.Carry", "chain": "resolved.Resolved", "import": "imported.Imported"}
_ROOMS |= {"rewrite": "rewritten.Rewrite"}


class Ledger:
    """The ledger file *path*; nothing is opened or made before it is needed."""

    __slots__ = ("_mode", "_seen", "path")

    def __init__(self, path: str, mode: int = 0o600) -> None:
        self.path = path
        self._mode = mode  # of a file that has to be made
        self._seen: mmap | bytes = b""

    def append(self, *entries: "Entry", again: bool = False) -> None:
        """
        Write *entries* behind the last line and set their `prev`; the cost does not depend on how many are there.

        Where not all of them can be written, the first ones may be there, each of them whole. What one of the last
        lines says already is not written twice, unless *again*. `LedgerError` where the file is not ours to write: a
        link, a FIFO, a folder, a newer format.
        """
        if not os.path.lexists(self.path):
            self.prepare()
        # What stands beside the ledger is as open to others as the ledger is.
        seen = os.lstat(self.path).st_mode
        mode = seen & 0o666 if stat.S_ISREG(seen) else self._mode
        with Lock(f"{self.path}.lock", mode=mode):
            fd = self._opened(os.O_RDWR | os.O_APPEND)
            try:
                self._write(fd, entries, mode, again)
            finally:
                os.close(fd)

    def _write(self, fd: int, entries: "tuple[Entry, ...]", mode: int, again: bool) -> None:
        size = self._mended(fd, mode)
        last = _last_line(fd, size)
        # Not only the last one: other work trees write in between when one commit is told twice.
        recent = os.pread(fd, _RECENT, max(0, size - _RECENT))
        lines = []
        for entry in entries:
            if not again and entry.repeats(recent):
                continue
            entry.prev = None if last is None else _successor(last)
            last = entry.to_bytes()
            lines += [last, b"\n"]
            recent += last + b"\n"
        written = False
        try:
            write_all(fd, b"".join(lines))
            written = True
        finally:
            if not written:
                # A full disk took half a line. Whole ones stay: somebody may be reading them.
                os.ftruncate(fd, max(size, _line_start(fd, os.fstat(fd).st_size)))

    def prepare(self) -> None:
        """Make the folder, the lock and an empty ledger, with the permissions of this clone whatever the umask."""
        folder = os.path.dirname(self.path)
        mode = entered(self._mode)
        make_own_folder(folder, mode)
        now = os.stat(folder).st_mode
        if mode & ~now:
            try:
                os.chmod(folder, stat.S_IMODE(now) | mode)  # a hook made it for its note
            except OSError:
                pass  # not ours: opening the ledger will tell whether that matters
        for path in (f"{self.path}.lock", self.path):
            os.close(open_made(path, os.O_WRONLY, self._mode))

    def lines(self) -> "Iterator[bytes]":
        """Yield every whole line, without its line feed; none if there is no ledger yet."""
        if not os.path.lexists(self.path):
            return
        with os.fdopen(self._opened(os.O_RDONLY), "rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    yield line[:-1]

    def find(self, *needles: bytes) -> list[bytes]:
        """Return, in order, the lines in which every one of *needles* occurs; a hit may mean anything."""
        if not os.path.lexists(self.path):
            return []
        return [line for line in _hits(self._mapped(), needles[0]) if all(needle in line for needle in needles[1:])]

    def whole(self) -> "mmap | bytes":
        """Return every whole line, as one piece of memory to search in; empty if there is no ledger yet."""
        return self._mapped() if os.path.lexists(self.path) else b""

    def _mapped(self) -> "mmap | bytes":
        """Return the whole lines as one piece of memory; it is the same one until the ledger has grown."""
        from mmap import PROT_READ, mmap  # of the hooks, post-rewrite alone searches

        fd = self._opened(os.O_RDONLY)
        try:
            # Whole lines are never cut off again, so that nothing of what is mapped can go away.
            whole = _line_start(fd, os.fstat(fd).st_size)
            if len(self._seen) != whole:
                self._seen = mmap(fd, whole, prot=PROT_READ) if whole else b""
        finally:
            os.close(fd)
        return self._seen

    def records(self, field: str, value: str) -> "list[tuple[bytes, dict[str, Any]]]":
        """Return the lines, raw and parsed, in which *field* is *value* or a list that holds it."""
        found = []
        for line in self.find(canonical(value)):
            try:
                fields = parsed(line)
            except RecordError:
                continue  # `check` reports it
            held = fields.get(field)
            if held == value or (isinstance(held, list) and value in held):
                found.append((line, fields))
        return found

    def check(self) -> "Report":
        """Read the whole ledger and say what is wrong with it."""
        report = Report(self.path)
        before: bytes | None = None
        for number, line in enumerate(self.lines(), 1):
            report.count += 1
            if problem := _problem(line, before):
                report.problems.append(f"line {number}: {problem}")
            before = line
        report.newer = before is not None and _is_newer(before)
        if self._torn():
            report.problems.append(f"line {report.count + 1}: cut off; the next commit sets it aside")
        report.aside = _regular_size(self._aside)
        return report

    @property
    def _aside(self) -> str:
        return f"{self.path}.torn"

    def _opened(self, flags: int) -> int:
        try:
            fd = os.open(self.path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, self._mode)
        except OSError as error:
            raise LedgerError(f"cannot open the ledger: {error.strerror}", hint=f"look at {self.path}") from error
        try:
            _insist_on_file(fd, self.path)
        except LedgerError:
            os.close(fd)
            raise
        return fd

    def _mended(self, fd: int, mode: int) -> int:
        """Return the size of the whole lines, having set aside what a crash left behind them."""
        size = os.fstat(fd).st_size
        if not size or os.pread(fd, 1, size - 1) == b"\n":
            return size
        whole = _line_start(fd, size)
        os.lseek(fd, whole, os.SEEK_SET)
        torn = open_made(self._aside, os.O_WRONLY | os.O_APPEND, mode)
        try:
            _insist_on_file(torn, self._aside)
            write_all(torn, read_all(fd, size - whole) + b"\n")
        finally:
            os.close(torn)
        os.ftruncate(fd, whole)
        return whole

    def _torn(self) -> bool:
        if not _regular_size(self.path):
            return False
        with os.fdopen(self._opened(os.O_RDONLY), "rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) != b"\n"


class Report:
    """What `check` found: how many lines, what is wrong, whether they end with a newer format, bytes set aside."""

    __slots__ = ("aside", "count", "newer", "path", "problems")

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0
        self.problems: list[str] = []
        self.newer = False
        self.aside = 0


def digest(line: bytes) -> str:
    """Return the digest by which the next line names *line* (without its line feed)."""
    name = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        sha256 = __import__(name).sha256  # hashlib costs a hook 3 ms
    except ImportError:  # an interpreter that gets its digests elsewhere
        from hashlib import sha256
    return f"sha256:{sha256(line).hexdigest()}"


def _insist_on_file(fd: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise LedgerError("the ledger is not a regular file", hint=f"look at {path}, move it away")


def _last_line(fd: int, size: int) -> bytes | None:
    """Return the last line without its line feed; None in an empty ledger."""
    if not size:
        return None
    start = _line_start(fd, size - 1)
    return os.pread(fd, size - 1 - start, start)


def _successor(last: bytes) -> str:
    """Return the `prev` of the line behind *last*; a newer format is a `LedgerError`."""
    if _is_newer(last):
        raise LedgerError("a newer ampcommit wrote this ledger", hint="upgrade ampcommit in this clone too")
    return digest(last)


def _is_newer(line: bytes) -> bool:
    version = line.partition(b'"v":')[2].partition(b",")[0]
    return version.isdigit() and int(version[:9]) > VERSION


def _line_start(fd: int, end: int) -> int:
    """Return where the line that ends before *end* begins."""
    step = _TAIL
    while step < _LINE_LIMIT:
        start = max(0, end - step)
        at = os.pread(fd, end - start, start).rfind(b"\n")
        if at >= 0 or not start:
            return start + at + 1
        step *= 8
    raise LedgerError("the ledger ends with a line of many megabytes", hint="run `ampcommit ledger check`")


def _hits(text: "mmap | bytes", needle: bytes) -> "list[bytes]":
    """Return the whole lines with *needle*."""
    found = []
    here = text.rfind(needle)  # from the end: twice as fast as from the start
    while here >= 0:
        start, stop = text.rfind(b"\n", 0, here) + 1, text.find(b"\n", here)
        found.append(text[start:stop])
        here = text.rfind(needle, 0, start)
    return found[::-1]


def _problem(line: bytes, before: bytes | None) -> str | None:
    """Say what is wrong with *line*, which follows *before*."""
    try:
        fields = parsed(line)
        version = fields.get("v")
        if not isinstance(version, int) or "kind" not in fields:
            return "not a record"
        if version <= VERSION and fields["kind"] == "commit":
            Record.from_bytes(line)
        if version <= VERSION and str(fields["kind"]) in _ROOMS:
            room, _, noun = _ROOMS[fields["kind"]].partition(".")
            # Never in a hook.
            getattr(__import__(f"ampcommit.{room}", fromlist=[noun]), noun).from_bytes(line)
    except RecordError as error:
        return str(error)
    expected = None if before is None else digest(before)
    if fields.get("prev") == expected:
        return None
    return "does not follow the line before it: something was changed or removed"


def _regular_size(path: str) -> int:
    try:
        seen = os.lstat(path)
    except OSError:
        return 0
    return seen.st_size if stat.S_ISREG(seen.st_mode) else 0
