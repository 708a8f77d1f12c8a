"""What is told of a commit, in the ledger and in notes: its records, and those of the commits that became it."""

from ampcommit.carried import Carry
from ampcommit.errors import RecordError
from ampcommit.notes.noted import CLAIM, KNOWN_BY, OWN, RANK, SHARED, Line
from ampcommit.notes.shared import known_thread
from ampcommit.record import Record, parsed
from ampcommit.resolved import Resolved
from ampcommit.rewritten import MOST, Rewrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ampcommit.notes.noted import Shelf
    from ampcommit.record import Sha

CARRY = "carry"
"""The `command` of a step from a commit of a branch to the one that the branch was squashed into."""

TOLD = ("git", "reflog")
"""How rewritten commits are known that git told of; the others are known by what they hold."""

SURE = (*TOLD, "range", "message", "ref")
"""The same with those of a squashed branch that was carried over because somebody, or its request, named it."""

_COMMIT = b'{"v":1,"kind":"commit",'


class Step:
    """
    That *old* became *new*, as *line* tells; `command` and `source` are as in kind `rewrite`, or those of a carry.

    `known_by` is the weakest of what leads here.
    """

    __slots__ = ("command", "known_by", "line", "new", "old", "source")

    def __init__(
        self, *, old: "Sha", new: "Sha", command: str | None, source: str, line: Line, known_by: str = OWN
    ) -> None:
        self.old = old
        self.new = new
        self.command = command
        self.source = source
        self.line = line
        self.known_by = known_by


class Found:
    """
    A record and the *line* that it stands on; `known_by` is the weakest of what leads to it.

    `via` is how a step on the way is known that nobody told of, nearest to the commit; None where all were told.
    """

    __slots__ = ("known_by", "line", "record", "via")

    def __init__(self, record: Record, line: Line) -> None:
        self.record = record
        self.line = line
        self.known_by = line.known_by
        self.via: str | None = None


class Learned:
    """What became known of a *chain* later, and the *line* that it stands on."""

    __slots__ = ("chain", "line")

    def __init__(self, chain: Resolved, line: Line) -> None:
        self.chain = chain
        self.line = line


class Trace:
    """
    What is told of a commit: `records`, its own behind those that it was made from; `steps`, nearest first.

    `chains` is what notes on the way tell of threads.
    """

    __slots__ = ("chains", "records", "steps")

    def __init__(self) -> None:
        self.chains: list[Resolved] = []
        self.records: list[Found] = []
        self.steps: list[Step] = []


class Facts:
    """What one keeper of lines tells of *commit*: the steps that lead to it, and records of it and of their olds."""

    __slots__ = ("chains", "records", "steps")

    def __init__(self, commit: "Sha", lines: "Iterable[Line]") -> None:
        told = [one for line in lines for one in read(line)]
        self.chains = [one for one in told if isinstance(one, Learned)]
        # A note may hold copies of what was said of others; where no step there leads to them, they say nothing here.
        self.steps, named = _led(commit, [one for one in told if isinstance(one, Step)])
        self.records = [one for one in told if isinstance(one, Found) and one.record.commit in named]


def _led(commit: "Sha", steps: "list[Step]") -> "tuple[list[Step], set[Sha]]":
    """Return those of *steps* that lead to *commit*, one behind the other, and all commits on the way."""
    if not steps:
        return [], {commit}
    into: dict[Sha, list[Step]] = {}
    for step in steps:
        into.setdefault(step.new, []).append(step)
    found, seen, waiting = [], {commit}, [commit]
    for new in waiting:  # it grows meanwhile
        found += into.get(new, [])
        olds = [step.old for step in into.get(new, []) if step.old not in seen]
        waiting += dict.fromkeys(olds)
        seen.update(olds)
    return found, seen


class Kept:
    """
    Lines about commits, from all who keep some: the clone's own ledger, as *own* searches it, and notes.

    With notes, `fetch` asks git about many commits at once.
    """

    def __init__(self, own: "Callable[[Sha], Iterable[bytes]]", shelves: "Sequence[Shelf]" = ()) -> None:
        self._own = own
        self._shelves = shelves
        self._told: dict[Sha, list[Facts]] = {}

    @property
    def noted(self) -> bool:
        """Say whether there are notes."""
        return bool(self._shelves)

    def fetch(self, commits: "Iterable[Sha]") -> None:
        """Learn what notes say of *commits* and of those that became them; what was learned before is forgotten."""
        self._told = {}
        if self._shelves:
            self._learn(commits)

    def about(self, commit: "Sha") -> list[Facts]:
        """Return what each keeper tells of *commit* who knows it, the clone itself first."""
        if not self._shelves:
            return self._mine(commit)
        if commit not in self._told:
            self._learn([commit])
        return self._told[commit]

    def _mine(self, commit: "Sha") -> list[Facts]:
        lines = list(map(Line, self._own(commit)))
        return [Facts(commit, lines)] if lines else []

    def _learn(self, commits: "Iterable[Sha]") -> None:
        waiting = [one for one in dict.fromkeys(commits) if one not in self._told]
        while waiting:
            asked = self._with_olds(waiting)
            olds: list[Sha] = []
            for shelf in self._shelves:
                for commit, lines in shelf.of(asked):
                    facts = Facts(commit, lines)
                    self._told[commit].append(facts)
                    olds += [step.old for step in facts.steps]
            waiting = [old for old in dict.fromkeys(olds) if old not in self._told]

    def _with_olds(self, commits: "list[Sha]") -> "list[Sha]":
        """Take over what the clone itself says of *commits* and of all that it says became them; return which."""
        asked = list(commits)
        seen = set(asked)
        for commit in asked:  # it grows meanwhile
            self._told[commit] = self._mine(commit)
            for facts in self._told[commit]:
                olds = [step.old for step in facts.steps if step.old not in seen and step.old not in self._told]
                asked += dict.fromkeys(olds)
                seen.update(olds)
        return asked


def traced(
    commit: "Sha",
    kept: Kept,
    *,
    weakest: str = KNOWN_BY[-1],
    every: bool = True,
    counts: "Callable[[Line], bool] | None" = None,
) -> Trace:
    """
    Follow what is *kept* from *commit* back to what it was made from; without *every* no further than to a record.

    Lines that are known by less than the *weakest* do not count, nor do those for which *counts* says so.
    """
    trace = _Tracing(kept, RANK[weakest], counts or _any)
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


def believed(commit: "Sha", kept: Kept, *, every: bool = True) -> Trace:
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

    def __init__(self, kept: Kept, most: int, counts: "Callable[[Line], bool]") -> None:
        self.found = Trace()
        self._kept = kept
        self._most = most
        self._counts = counts
        self._copies: dict[Sha, list[Found]] = {}
        self._steps: dict[Sha, list[Step]] = {}

    def records(self, commit: "Sha", rank: int, via: str | None) -> list[Found]:
        """Return the records of *commit*, the better known ones last."""
        told = self._kept.about(commit)
        self.found.chains += [one.chain for facts in told for one in facts.chains if self._usable(one.line)]
        mine: list[Found] = []
        for one in [one for facts in told for one in facts.records if self._usable(one.line)]:
            its = mine if one.record.commit == commit else self._copies.setdefault(one.record.commit, [])
            its.append(one)
        mine += _beside(mine, self._copies.pop(commit, []))
        for one in mine:
            one.via = via
            one.known_by = KNOWN_BY[max(rank, RANK[one.line.known_by])]
        return sorted(mine, key=lambda one: -RANK[one.known_by])

    def steps(self, commit: "Sha", rank: int) -> "Iterator[Step]":
        """Yield the steps that lead to *commit* from others, each of these once."""
        told = [step for facts in self._kept.about(commit) for step in facts.steps if self._usable(step.line)]
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


def read(line: Line) -> "Iterator[Found | Learned | Step]":
    """Yield what *line* says; nothing for other kinds, and for a damaged one, which `ledger check` reports."""
    try:
        kind = "commit" if line.text.startswith(_COMMIT) else parsed(line.text).get("kind")
        if kind == "commit":
            yield Found(Record.from_bytes(line.whole, known_thread), line)
        elif kind == "rewrite":
            told = Rewrite.from_bytes(line.whole)
            yield Step(old=told.old, new=told.new, command=told.command, source=told.source, line=line)
        elif kind == "chain":
            yield Learned(Resolved.from_bytes(line.whole), line)
        elif kind == CARRY:
            carry = Carry.from_bytes(line.whole)
            for old in carry.commits:
                yield Step(old=old, new=carry.new, command=CARRY, source=carry.source, line=line)
    except RecordError:
        return
