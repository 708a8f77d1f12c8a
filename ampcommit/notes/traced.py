"""What is told of a commit, in the ledger and in notes: its records, and those of the commits that became it."""

from ampcommit.notes.noted import CLAIM, KNOWN_BY, OWN, RANK, SHARED, Line
from ampcommit.notes.told import SURE, Found
from ampcommit.rewritten import MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ampcommit.notes.told import Kept, Step
    from ampcommit.record import Sha, ThreadId
    from ampcommit.resolved import Resolved


class Trace:
    """
    What is told of *commit*: `records`, its own behind those that it was made from; `steps`, nearest first.

    `chains` is what notes on the way tell of threads.
    """

    __slots__ = ("chains", "commit", "records", "steps")

    def __init__(self, commit: "Sha") -> None:
        self.commit = commit
        self.chains: list[Resolved] = []
        self.records: list[Found] = []
        self.steps: list[Step] = []

    @property
    def disputed(self) -> bool:
        """Say whether the records of the commit that weigh most are not this clone's, and name several threads."""
        its = [one for one in self.records if one.record.commit == self.commit]
        last = its[-1].known_by if its else OWN
        return last != OWN and len({one.record.thread for one in its if one.known_by == last}) > 1

    def prefer(self, thread: "ThreadId") -> None:
        """Let of records of the commit that others tell equally well those of *thread* weigh most."""

        def weight(one: Found) -> tuple[bool, int, bool]:
            its = one.record.commit == self.commit
            return its, -RANK[one.known_by] * its, its and one.known_by != OWN and one.record.thread == thread

        self.records.sort(key=weight)


def traced(
    commit: "Sha",
    kept: "Kept",
    *,
    weakest: str = KNOWN_BY[-1],
    every: bool = True,
    counts: "Callable[[Line], bool] | None" = None,
) -> Trace:
    """
    Follow what is *kept* from *commit* back to what it was made from; without *every* no further than to a record.

    Lines that are known by less than the *weakest* do not count, nor do those for which *counts* says so.
    """
    trace = _Tracing(commit, kept, RANK[weakest], counts or _any)
    reached: dict[Sha, tuple[int, str | None]] = {commit: (0, None)}
    level = [commit]
    while level and (every or not trace.found.records):
        trace.found.records[:0] = [one for new in level for one in trace.records(new, *reached[new])]
        following = [step for new in level for step in trace.steps(new, reached[new][0])]
        level = []
        for step in sorted(following, key=lambda step: RANK[step.known_by]):
            if step.old not in reached and len(reached) < MOST:
                via = reached[step.new][1] or (None if step.source in SURE else step.source)
                reached[step.old] = (RANK[step.known_by], via)
                level.append(step.old)
        trace.found.steps += [step for step in following if step.old != commit]
    return trace.found


def believed(commit: "Sha", kept: "Kept", *, every: bool = True) -> Trace:
    """Follow *commit* back through what is known here and what is shared; claims count where that tells nothing."""
    found = traced(commit, kept, weakest=SHARED, every=every)
    if found.records or not kept.noted:
        return found
    claimed = traced(commit, kept, weakest=CLAIM, every=every)
    return claimed if claimed.records else found


def best(records: "Sequence[Found]") -> tuple[str, Found]:
    """Return how the last thread of *records* was found, and which of those with that thread says so: the best."""
    newest = records[-1]
    same = [one for one in records if one.record.thread == newest.record.thread and one.via is None]
    if not same:
        return newest.via or newest.record.source, newest
    one = max(same, key=lambda one: (one.record.source in ("env", "use"), -RANK[one.known_by]))
    return one.record.source, one


class _Tracing:
    """One way back through what is *kept*, with copies of what is said of commits that are still to be reached."""

    def __init__(self, commit: "Sha", kept: "Kept", most: int, counts: "Callable[[Line], bool]") -> None:
        self.found = Trace(commit)
        self._kept = kept
        self._most = most
        self._counts = counts
        self._copies: dict[Sha, list[Found]] = {}
        self._steps: dict[Sha, list[Step]] = {}

    def records(self, commit: "Sha", rank: int, via: str | None) -> list[Found]:
        """Return the records of *commit*, the better known ones last."""
        told = self._kept.about(commit)
        self.found.chains += [one.chain for its in told for one in its.chains if self._usable(one.line)]
        mine: list[Found] = []
        for one in [one for its in told for one in its.records if self._usable(one.line)]:
            pile = mine if one.record.commit == commit else self._copies.setdefault(one.record.commit, [])
            pile.append(one)
        mine += _beside(mine, self._copies.pop(commit, []))
        for one in mine:
            one.via = via
            one.known_by = KNOWN_BY[max(rank, RANK[one.line.known_by])]
        return sorted(mine, key=lambda one: -RANK[one.known_by])

    def steps(self, commit: "Sha", rank: int) -> "Iterator[Step]":
        """Yield the steps that lead to *commit* from others, each of these once."""
        told = [step for its in self._kept.about(commit) for step in its.steps if self._usable(step.line)]
        for step in told:
            if step.new != commit:
                self._steps.setdefault(step.new, []).append(step)
        seen = {commit}
        for step in (*told, *self._steps.pop(commit, ())):
            if step.new == commit and step.old not in seen:
                seen.add(step.old)
                step.known_by = KNOWN_BY[max(rank, RANK[step.line.known_by])]
                yield step

    def _usable(self, line: Line) -> bool:
        return RANK[line.known_by] <= self._most and self._counts(line)


def _any(_: Line) -> bool:
    return True


def _beside(records: list[Found], copies: list[Found]) -> list[Found]:
    """Return those of the *copies* that are not among the *records*, each once."""
    told = {(one.line.known_by, one.line.text): one for one in copies}
    for one in records if told else ():
        told.pop((one.line.known_by, one.line.text), None)
    return list(told.values())
