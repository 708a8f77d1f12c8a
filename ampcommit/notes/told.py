"""What lines of the ledger and of notes say of commits, read one by one, and kept by commit."""

from ampcommit.carried import Carry
from ampcommit.errors import RecordError
from ampcommit.notes.noted import OWN, Line
from ampcommit.notes.shared import known_thread
from ampcommit.record import Record, parsed
from ampcommit.resolved import Resolved
from ampcommit.rewritten import TOLD, Rewrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ampcommit.notes.noted import Shelf, Trees
    from ampcommit.record import Sha

CARRY = "carry"
"""The `command` of a step from a commit of a branch to the one that the branch was squashed into."""

SURE = (*TOLD, "range", "message", "ref")
"""The sources of steps that somebody told of: git, who named the branch that was carried over, or its request."""

LEVELS = 32
"""How often notes are asked what became of what they named; whoever can push some cannot make us ask for ever."""

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


class LaterChain:
    """What became known of a *chain* later, and the *line* that it stands on."""

    __slots__ = ("chain", "line")

    def __init__(self, chain: Resolved, line: Line) -> None:
        self.chain = chain
        self.line = line


class Account:
    """What one keeper of lines tells of *commit*: the steps that lead to it, and records of it and of their olds."""

    __slots__ = ("chains", "records", "steps")

    def __init__(self, commit: "Sha", lines: "Iterable[Line]") -> None:
        told = [one for line in lines for one in read(line)]
        self.chains = [one for one in told if isinstance(one, LaterChain)]
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

    With notes, `fetch` asks git about many commits at once. Where *trees* can be asked for, what others call a record
    of such a commit, and what names another tree, is passed over.
    """

    def __init__(
        self,
        own: "Callable[[Sha], Iterable[bytes]]",
        shelves: "Sequence[Shelf]" = (),
        trees: "Trees | None" = None,
    ) -> None:
        self._own = own
        self._shelves = shelves
        self._trees = trees
        self._told: dict[Sha, list[Account]] = {}

    @property
    def noted(self) -> bool:
        """Say whether there are notes."""
        return bool(self._shelves)

    def fetch(self, commits: "Iterable[Sha]") -> None:
        """Learn what notes say of *commits* and of those that became them; what was learned before is forgotten."""
        self._told = {}
        if self._shelves:
            self._learn(commits)

    def about(self, commit: "Sha") -> list[Account]:
        """Return what each keeper tells of *commit* who knows it, the clone itself first."""
        if not self._shelves:
            return self._mine(commit)
        if commit not in self._told:
            self._learn([commit])
        return self._told[commit]

    def _mine(self, commit: "Sha") -> list[Account]:
        lines = list(map(Line, self._own(commit)))
        return [Account(commit, lines)] if lines else []

    def _learn(self, commits: "Iterable[Sha]") -> None:
        wanted = waiting = list(dict.fromkeys(commits))
        for _ in range(LEVELS):
            waiting = self._level(waiting) if waiting else []
        self._with_olds(waiting)  # what notes say of these is simply not known
        if self._trees:
            self._sift(wanted, self._trees)

    def _level(self, commits: "list[Sha]") -> "list[Sha]":
        """Learn what is said of *commits* and of all that became them here; return which ones notes add to these."""
        asked = self._with_olds(commits)
        olds: list[Sha] = []
        for shelf in self._shelves:
            for commit, lines in shelf.of(asked):
                told = Account(commit, lines)
                self._told[commit].append(told)
                olds += [step.old for step in told.steps]
        return [old for old in dict.fromkeys(olds) if old not in self._told]

    def _sift(self, commits: "list[Sha]", trees: "Trees") -> None:
        """Pass over what others call records of *commits*, and what names another tree."""
        said = {commit: [one for its in self._told[commit] for one in its.records] for commit in commits}
        foreign = [commit for commit, its in said.items() if any(one.line.known_by != OWN for one in its)]
        for commit, tree in trees(foreign).items():
            for its in self._told[commit]:
                its.records = [one for one in its.records if _may_be_of(commit, tree, one)]

    def _with_olds(self, commits: "list[Sha]") -> "list[Sha]":
        """Take over what the clone itself says of *commits* and of all that it says became them; return which."""
        asked = list(commits)
        seen = set(asked)
        for commit in asked:  # it grows meanwhile
            self._told[commit] = self._mine(commit)
            for told in self._told[commit]:
                olds = [step.old for step in told.steps if step.old not in seen and step.old not in self._told]
                asked += dict.fromkeys(olds)
                seen.update(olds)
        return asked


def _may_be_of(commit: "Sha", tree: "Sha", found: Found) -> bool:
    return found.line.known_by == OWN or found.record.commit != commit or found.record.tree == tree


def read(line: Line) -> "Iterator[Found | LaterChain | Step]":
    """Yield what *line* says; nothing for other kinds, and for a damaged one, which `ledger check` reports."""
    try:
        kind = "commit" if line.text.startswith(_COMMIT) else parsed(line.text).get("kind")
        if kind == "commit":
            yield Found(Record.from_bytes(line.whole, known_thread), line)
        elif kind == "rewrite":
            told = Rewrite.from_bytes(line.whole)
            yield Step(old=told.old, new=told.new, command=told.command, source=told.source, line=line)
        elif kind == "chain":
            yield LaterChain(Resolved.from_bytes(line.whole), line)
        elif kind == CARRY:
            carry = Carry.from_bytes(line.whole)
            for old in carry.commits:
                yield Step(old=old, new=carry.new, command=CARRY, source=carry.source, line=line)
    except RecordError:
        return
