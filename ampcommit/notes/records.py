"""
What is recorded of many commits: one pass finds where the ledger names them, and notes are asked for many at once.

A million records take 8 MB. Asking `Ledger.records` for each commit would search the whole ledger each time.
"""

import re
from array import array
from bisect import bisect_left
from functools import cached_property

from ampcommit.errors import LedgerError
from ampcommit.notes.noted import OWN, SHARED, passed_over
from ampcommit.notes.told import Kept
from ampcommit.notes.traced import believed, traced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from mmap import mmap

    from ampcommit.ledger import Ledger
    from ampcommit.notes.noted import Line, Shelf, Signed, Trees
    from ampcommit.notes.told import Found
    from ampcommit.notes.traced import Trace
    from ampcommit.record import Sha, ThreadId

UNSIGNED = "nobody signed it"
"""What is wrong with a record, or a line that leads to it, that has no signature."""

_NAMED = re.compile(rb'"(?:commit|new)"\s*:\s*"([0-9a-f]{40}(?:[0-9a-f]{24})?)"')
_PARTS = 256
"""Parts of the index: sorting needs the memory of one part only."""

_OFFSET_BITS = 40
_KEY_MASK = (1 << 64 - _OFFSET_BITS) - 1


class Said:
    """
    What a record says of its commit: links, repository, how its thread was found, whether `commit-msg` judged it.

    `known_by` and, for a claim, `remote` tell who says so; `fault` is what is wrong with its signature, or with that of
    a line that leads to it, where signatures are asked for.
    """

    __slots__ = (
        "fault",
        "known_by",
        "links",
        "remote",
        "repo",
        "source",
        "thread",
        "validated",
    )

    def __init__(
        self,
        links: "list[ThreadId]",
        source: str,
        thread: "ThreadId",
        validated: bool,
        repo: str | None = None,
        *,
        known_by: str = OWN,
        remote: str | None = None,
        fault: str | None = None,
    ) -> None:
        self.links = links
        self.repo = repo
        self.source = source
        self.thread = thread
        self.validated = validated
        self.known_by = known_by
        self.remote = remote
        self.fault = fault


class Proof:
    """
    How far records count: not the clone's own with *damage* to its ledger, with *signed* none without a signature.

    *fork* says that the commits come from a fork, whose records cannot be here; *later* finds a thread in which the
    work of another one had gone on when the commit was made.
    """

    __slots__ = ("damage", "fork", "later", "signed")

    def __init__(
        self,
        damage: str | None = None,
        *,
        fork: bool = False,
        signed: bool = False,
        later: "Callable[[ThreadId], ThreadId | None]" = lambda _: None,
    ) -> None:
        self.damage = damage
        self.fork = fork
        self.signed = signed
        self.later = later


class Records:
    """
    The records of one clone by commit: those in *ledger*, as it was at the first question, and in notes on *shelves*.

    With *signed* only what it says is signed counts, and nothing of the ledger, where nothing is. With *trees* no
    shared record of a commit counts that names another tree. `LedgerError` where the ledger cannot be opened; one that
    is not there says nothing.
    """

    def __init__(
        self,
        ledger: "Ledger",
        shelves: "Sequence[Shelf]" = (),
        signed: "Signed | None" = None,
        trees: "Trees | None" = None,
    ) -> None:
        self._ledger = ledger
        self._shelves = shelves
        self._signed = signed
        self._faults: dict[Line, str | None] = {}
        self._kept = Kept(self.lines, shelves, trees)

    @property
    def present(self) -> bool:
        """Say whether there is a ledger with at least one line, or a note."""
        return bool(self._shelves) or bool(self._text)

    @property
    def noted(self) -> bool:
        """Say whether there are notes, which are worth asking about many commits at once."""
        return bool(self._shelves)

    def fetch(self, commits: "Iterable[Sha]") -> None:
        """Ask the notes about all of *commits* at once, before each of them is asked for."""
        self._faults = {}
        self._kept.fetch(commits)

    def passed_over(self) -> list[str]:
        """Return sentences about the notes that were too long to be read."""
        return passed_over(self._shelves)

    def of(self, commit: "Sha", *, every: bool = False) -> list[Said]:
        """
        Return what the records of *commit* say, oldest first; damaged ones are for `problems` to tell.

        Where it has none, and with *every* in any case, those of the commits that became it speak for it. Claims
        count where nothing else does.
        """
        if self._signed:
            return self._proven(commit, every)
        return [_said(one) for one in self.trace(commit, every=every).records]

    def trace(self, commit: "Sha", *, every: bool = True) -> "Trace":
        """Return what is told of *commit*, claims where nothing else is, whether anything is signed or not."""
        return believed(commit, self._kept, every=every)

    def made(self, commit: "Sha") -> str | None:
        """
        Return when the work in *commit* was recorded first, where somebody but the agent said of which thread it is.

        None where that is not known, of all that it was made from.
        """
        found = traced(commit, self._kept, weakest=SHARED, counts=self._counts)
        recorded = {one.record.commit for one in found.records}
        sources = {one.record.source for one in found.records}
        if not sources <= {"message", "use"} or not recorded >= {commit, *(step.old for step in found.steps)}:
            return None
        return min(one.record.time for one in found.records)

    def lines(self, commit: "Sha") -> "Iterator[bytes]":
        """Yield, in order and each once, the lines that may be about *commit*."""
        part, key = _place(commit.encode("ascii"))
        entries, stop = self._index[part], 0
        for number in range(bisect_left(entries, key), len(entries)):
            here = entries[number] - key
            if here >> _OFFSET_BITS:
                return
            if here < stop:
                continue  # the line before this one, once more
            start, stop = self._text.rfind(b"\n", 0, here) + 1, self._text.find(b"\n", here)
            yield self._text[start:stop]

    def problems(self) -> list[str]:
        """Return what `ledger check` finds; it reads the whole ledger."""
        return self._ledger.check().problems

    def _proven(self, commit: "Sha", every: bool) -> list[Said]:
        """Return what signed records say, wherever they came from; without any, the others, with what is wrong."""
        found = traced(commit, self._kept, every=every, counts=self._counts)
        if found.records:
            return [_said(one) for one in found.records]
        found = traced(commit, self._kept, every=every)
        leading = _worst(*(self._fault(step.line) for step in found.steps))
        return [_said(one, _worst(self._fault(one.line), leading)) for one in found.records]

    def _counts(self, line: "Line") -> bool:
        return self._signed is None or self._fault(line) is None

    def _fault(self, line: "Line") -> str | None:
        """Return what is wrong with the signature of *line*, which is judged once."""
        if line not in self._faults:
            self._faults[line] = self._judged(line)
        return self._faults[line]

    def _judged(self, line: "Line") -> str | None:
        try:
            signer = self._signed(line.text, line.note) if self._signed and line.note else None
        except LedgerError as error:
            return str(error)
        return None if signer else UNSIGNED

    @cached_property
    def _text(self) -> "mmap | bytes":
        return self._ledger.whole()

    @cached_property
    def _index(self) -> "list[array[int]]":
        """Where ids of commits stand: numbers of some bits of the id's hash, then the offset, sorted in each part."""
        parts = [array("Q") for _ in range(_PARTS)]
        for named in _NAMED.finditer(self._text):
            part, key = _place(named[1])
            parts[part].append(key | named.start())
        for number, part_of_it in enumerate(parts):
            parts[number] = array("Q", sorted(part_of_it))
        return parts


def _place(commit: bytes) -> tuple[int, int]:
    """Return the part of the index for *commit*, and its entries there but for the offset."""
    # Python's hash: spread evenly whatever the ids are, and no other process needs to know it.
    code = hash(commit)
    return code % _PARTS, (code // _PARTS & _KEY_MASK) << _OFFSET_BITS


def _worst(*faults: str | None) -> str:
    """Return what is wrong with signatures that are not all good: a bad one before a missing one."""
    return next((fault for fault in faults if fault not in (None, UNSIGNED)), None) or UNSIGNED


def _said(found: "Found", fault: str | None = None) -> Said:
    record = found.record
    return Said(
        record.links,
        record.source,
        record.thread,
        record.validated,
        record.repo,
        known_by=found.known_by,
        remote=found.line.remote,
        fault=fault,
    )
