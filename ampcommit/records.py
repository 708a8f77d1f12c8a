"""
What the ledger says of many commits: one pass finds where their ids stand, then each question reads its own lines.

A million records take 8 MB. Asking `Ledger.records` for each commit would search the whole ledger each time.
"""

import re
from array import array
from bisect import bisect_left
from functools import cached_property

from ampcommit.errors import RecordError
from ampcommit.record import Record, parsed
from ampcommit.rewritten import MOST, rewritings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    from ampcommit.ledger import Ledger
    from ampcommit.record import Sha, ThreadId

_NAMED = re.compile(rb'"(?:commit|new)"\s*:\s*"([0-9a-f]{40}(?:[0-9a-f]{24})?)"')
_PARTS = 256
"""Parts of the index: sorting needs the memory of one part only."""

_OFFSET_BITS = 40
_KEY_MASK = (1 << 64 - _OFFSET_BITS) - 1


class Said:
    """What a record says of its commit: links, repository, how its thread was found, whether `commit-msg` judged it."""

    __slots__ = ("links", "repo", "source", "thread", "validated")

    def __init__(
        self, links: "list[ThreadId]", source: str, thread: "ThreadId", validated: bool, repo: str | None = None
    ) -> None:
        self.links = links
        self.repo = repo
        self.source = source
        self.thread = thread
        self.validated = validated


class Records:
    """
    The records of one clone by commit, as *ledger* held them at the first question.

    `LedgerError` where the ledger cannot be opened; one that is not there says nothing.
    """

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger = ledger

    @property
    def present(self) -> bool:
        """Say whether there is a ledger with at least one line."""
        return bool(self._text)

    def of(self, commit: "Sha", *, every: bool = False) -> list[Said]:
        """
        Return what the records of *commit* say, oldest first; damaged ones are for `problems` to tell.

        Where it has none, and with *every* in any case, those of the commits that were rewritten into it speak for it.
        """
        found: list[Said] = []
        seen, waiting = {commit}, [commit]
        while waiting and (every or not found):
            found = [said for one in waiting for line in self._lines(one) if (said := _said(line, one))] + found
            told = [told.old for one in waiting for told in rewritings(self._lines(one), one) if told.old not in seen]
            waiting = list(dict.fromkeys(told)) if len(seen) < MOST else []
            seen.update(waiting)
        return found

    def problems(self) -> list[str]:
        """Return what `ledger check` finds; it reads the whole ledger."""
        return self._ledger.check().problems

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

    def _lines(self, commit: "Sha") -> "Iterator[bytes]":
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


def _place(commit: bytes) -> tuple[int, int]:
    """Return the part of the index for *commit*, and its entries there but for the offset."""
    # Python's hash: spread evenly whatever the ids are, and no other process needs to know it.
    code = hash(commit)
    return code % _PARTS, (code // _PARTS & _KEY_MASK) << _OFFSET_BITS


def _said(line: bytes, commit: "Sha") -> Said | None:
    """Return what *line* says of *commit*; None where it is about something else, or damaged."""
    try:
        record = Record.from_bytes(line) if parsed(line).get("kind") == "commit" else None
    except RecordError:
        return None
    if record is None or record.commit != commit:
        return None
    return Said(record.links, record.source, record.thread, record.validated, record.repo)
