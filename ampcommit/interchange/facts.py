"""What the ledger says of many commits, for other programs: the records of each one and of what it was made from."""

import re

from ampcommit.carried import Carry
from ampcommit.errors import RecordError
from ampcommit.record import Record, ThreadId
from ampcommit.resolved import resolutions
from ampcommit.rewritten import MOST, TOLD, Rewrite
from ampcommit.rules import unique
from ampcommit.threads import Chain, by_now, furthest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ampcommit.ledger import Ledger
    from ampcommit.record import Sha

_MADE = re.compile(rb'"kind":"(?:rewrite|carry)"')
_LEARNED = re.compile(rb'"kind":"chain","thread":"([^"]+)"')
_RECORDED = re.compile(rb'"kind":"commit","commit":"([0-9a-f]+)"')


class Fact:
    """
    What is known of one commit: its threads (the last link last), the chain, and how the thread was found.

    `records` are those behind it, what the commit was made from first.
    """

    __slots__ = ("chain", "commit", "links", "records", "source", "validated")

    def __init__(self, commit: "Sha", links: list[ThreadId], chain: Chain, source: str, records: list[Record]) -> None:
        self.commit = commit
        self.links = links
        self.chain = chain
        self.source = source
        self.records = records
        # Only its own message can have been checked.
        self.validated = any(record.validated for record in records if record.commit == commit)

    @property
    def thread(self) -> ThreadId:
        """The thread that the commit is from."""
        return self.links[-1]


class Facts:
    """The facts about *commits*, as *ledger* holds them now; one pass finds where they stand."""

    def __init__(self, ledger: "Ledger", commits: "Iterable[Sha]") -> None:
        self._text = ledger.whole()
        self._made: dict[Sha, list[tuple[Sha, str]]] = {}
        self._learned: dict[ThreadId, list[int]] = {}
        self._best: dict[ThreadId, Chain | None] = {}
        self._learn()
        wanted = {one.encode("ascii") for commit in commits for one in self.origins(commit)}
        self._places: dict[bytes, list[int]] = {}
        for hit in _RECORDED.finditer(self._text):
            if hit[1] in wanted:
                self._places.setdefault(hit[1], []).append(hit.start())

    def of(self, commit: "Sha") -> Fact | None:
        """Return what is known of *commit*; None if it has no record, nor what it was made from."""
        steps = self.origins(commit)
        records = [record for one in reversed(steps) for record in self._records(one)]
        if not records:
            return None
        newest = records[-1]
        links = unique([link for record in records for link in record.links])
        same = [record for record in records if record.thread == newest.thread and not steps[record.commit]]
        # The best informed of those that are surely about this commit says how its thread was found.
        known_by = max(same, key=lambda one: one.source in ("env", "use")).source if same else steps[newest.commit]
        chain = by_now(Chain(newest.chain, newest.chain_state), [self._chain(newest.thread)])
        return Fact(commit, links, chain, known_by, records)

    def origins(self, commit: "Sha") -> "dict[Sha, str]":
        """
        Return *commit* and those that it was made from, nearest first, and what that was told by where it is not sure.

        Commits that were made from each other in a circle end it.
        """
        found = {commit: ""}
        waiting = [commit]
        for one in waiting:  # it grows meanwhile
            for old, source in self._made.get(one, ()):
                if old not in found and len(found) < MOST:
                    found[old] = found[one] or ("" if source in TOLD else source)
                    waiting.append(old)
        return found

    def _learn(self) -> None:
        """Find what was made from what, and where more was learned of a thread."""
        for hit in _MADE.finditer(self._text):
            for new, olds, source in _making(self._line(hit.start())):
                self._made.setdefault(new, []).extend((old, source) for old in olds)
        for hit in _LEARNED.finditer(self._text):
            if thread := ThreadId.maybe(hit[1].decode("ascii", "replace")):
                self._learned.setdefault(thread, []).append(hit.start())

    def _records(self, commit: "Sha") -> "Iterator[Record]":
        for place in self._places.get(commit.encode("ascii"), ()):
            try:
                record = Record.from_bytes(self._line(place))
            except RecordError:
                continue  # `ledger check` reports it
            if record.commit == commit:
                yield record

    def _chain(self, thread: ThreadId) -> Chain | None:
        """Return what was learned of *thread* later; None if nothing was."""
        if thread not in self._best:
            told = furthest(resolutions(map(self._line, self._learned.get(thread, ()))))
            self._best[thread] = told.get(thread)
        return self._best[thread]

    def _line(self, place: int) -> bytes:
        return self._text[self._text.rfind(b"\n", 0, place) + 1 : self._text.find(b"\n", place)]


def _making(line: bytes) -> "Iterator[tuple[Sha, list[Sha], str]]":
    """Yield which commit was made from which ones, and how that is known, if *line* tells it."""
    for noun in (Rewrite, Carry):
        try:
            told = noun.from_bytes(line)
        except RecordError:
            continue
        yield told.new, told.commits if isinstance(told, Carry) else [told.old], told.source
