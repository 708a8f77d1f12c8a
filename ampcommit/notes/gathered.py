"""What notes tell of threads: who came from whom, and which commits link them; all notes are read once."""

import re
from functools import cached_property

from ampcommit.notes.noted import CLAIM, Line, passed_over
from ampcommit.notes.notestree import lines_of
from ampcommit.notes.told import SURE, Account, Step, read
from ampcommit.record import ThreadId
from ampcommit.resolved import edges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ampcommit.amp.sources import Sources
    from ampcommit.ledger import Ledger
    from ampcommit.notes.noted import Shelf
    from ampcommit.notes.told import Found, LaterChain
    from ampcommit.record import Sha

# Shared lines have one form; the text of a JSON string has its quotation marks escaped, and cannot look like this.
_LINKS = re.compile(rb'"links":\[("T-[^\]]*)\]')
_CHAIN = b'"kind":"chain"'
_BECAME = (b'"rewrite"', b'"carry"')


class Gathered:
    """Everything that notes on *shelves* tell of threads, the best known last; nothing is read before it is asked."""

    def __init__(self, shelves: "Sequence[Shelf]" = ()) -> None:
        self._shelves = shelves
        self._told: dict[tuple[int, Sha], Account] = {}

    def teach(self, sources: "Sources", ledger: "Ledger") -> dict[ThreadId, str]:
        """Let *sources* know who came from whom, the *ledger* before all others; return who else tells of a thread."""
        if not self._shelves:
            return {}
        told = [edges(lines) for lines, _ in self._read]
        for lines, _ in reversed(self._read):
            sources.remember_edges(lines)
        own = ledger.find(_CHAIN)
        sources.remember_edges(own)
        tellers: dict[ThreadId, str] = {}
        for shelf, parents in zip(self._shelves, told, strict=True):
            tellers |= {thread: shelf.known_by for thread in parents if thread not in tellers}
        for thread in edges(own):
            tellers.pop(thread, None)
        return tellers

    def lines_of(self, thread: ThreadId) -> list[Line]:
        """Return the records around *thread*; claims only without any others."""
        lines = [one.line for told in self._about(thread) for one in told.records]
        return [one for one in lines if one.known_by != CLAIM] or lines

    def passed_over(self) -> list[str]:
        """Return sentences about the notes that were too long to be read."""
        return passed_over(self._shelves)

    def commits_of(self, thread: ThreadId) -> "dict[Sha, tuple[str, str]]":
        """Return the commits whose records link *thread*: when that was recorded, and who tells; claims come last."""
        found: dict[Sha, tuple[str, str]] = {}
        for told in self._about(thread):
            for one in told.records:
                if thread in one.record.links:
                    found.setdefault(one.record.commit, (one.record.time, one.line.known_by))
        return dict(sorted(found.items(), key=lambda item: (item[1][1] == CLAIM, item[1][0])))

    def steps(self) -> "Iterator[tuple[Sha, Sha]]":
        """Yield which commit became which, as the notes tell that were looked at."""
        for told in self._told.values():
            yield from _sure(told.steps)

    def _about(self, thread: ThreadId) -> "list[Account]":
        """Return what the notes tell in which *thread* is linked, those on the first shelf first."""
        name = thread.encode("ascii")
        found = []
        for number, (_, linking) in enumerate(self._read):
            commits = dict.fromkeys(linking.get(name, ()))  # one with two notes stands there twice
            new = [commit for commit in commits if (number, commit) not in self._told]
            for commit, lines in self._shelves[number].of(new) if new else ():
                self._told[number, commit] = Account(commit, lines)
            found += [self._told[number, commit] for commit in commits if (number, commit) in self._told]
        return found

    @cached_property
    def _read(self) -> "list[tuple[list[bytes], dict[bytes, list[Sha]]]]":
        """For each shelf the lines about chains, and the commits in whose notes each thread is linked."""
        return [_gathered(shelf) for shelf in self._shelves]


def _gathered(shelf: "Shelf") -> "tuple[list[bytes], dict[bytes, list[Sha]]]":
    chains: list[bytes] = []
    linking: dict[bytes, list[Sha]] = {}
    for commit, text in shelf.notes.texts():
        for name in {name for told in _LINKS.findall(text) for name in told.split(b'"')[1::2]}:
            linking.setdefault(name, []).append(commit)
        if _CHAIN in text:
            chains += [line.whole for line in shelf.lines(lines_of(text)) if _CHAIN in line.text]
    return chains, linking


def became(ledger: "Ledger", gathered: Gathered) -> "dict[Sha, Sha]":
    """Return what each commit became in the end that the *ledger*, or notes, say was rewritten or carried over."""
    told = dict(gathered.steps())
    text = ledger.whole()
    if any(text.find(kind) >= 0 for kind in _BECAME):
        for line in ledger.lines():
            if any(kind in line for kind in _BECAME):
                told.update(_sure(read(Line(line))))
    return {old: end for old in told if (end := _end(old, told)) not in told}


def _sure(told: "Iterable[Found | LaterChain | Step]") -> "Iterator[tuple[Sha, Sha]]":
    """Yield which commit became which; what only resembles another commit may stand beside it."""
    yield from ((one.old, one.new) for one in told if isinstance(one, Step) and one.source in SURE)


def _end(commit: "Sha", told: "Mapping[Sha, Sha]") -> "Sha":
    """Return what *commit* became in the end; where that goes round in a circle, a commit of the circle."""
    seen = set()
    while commit in told and commit not in seen:
        seen.add(commit)
        commit = told[commit]
    return commit
