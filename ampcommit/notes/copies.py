"""
What is said of commits, as lines that may stand in the note of another commit.

This clone's ledger says them (own), the notes that a team shares (shared), or those of a fork (claims).
"""

from itertools import chain

from ampcommit.carried import MOST, carryings
from ampcommit.errors import SetupError
from ampcommit.notes.fetching import FORK
from ampcommit.notes.noted import CLAIM, OWN, RANK, SHARED, Line, Shelf
from ampcommit.notes.records import Records
from ampcommit.notes.shared import REF, REMOTES, Notes, publishable
from ampcommit.notes.sshsig import bodies, framed, key_in
from ampcommit.notes.told import CARRY, Found, Kept, Step, read
from ampcommit.record import canonical, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ampcommit.carried import Carry
    from ampcommit.gitcmd import Git
    from ampcommit.ledger import Ledger
    from ampcommit.record import Sha

_MADE = (b'"rewrite"', b'"carry"')


class Copies:
    """
    The `lines` about some commits, for the note of another one, and how many records of whom are known.

    Those of a fork are counted whether they are among the lines or not. Of the commits in `unrecorded` there is no
    own or shared record.
    """

    __slots__ = ("claims", "lines", "own", "shared", "unrecorded")

    def __init__(self, lines: set[bytes], counts: dict[str, int], unrecorded: "set[Sha]") -> None:
        self.lines = lines
        self.own, self.shared, self.claims = (counts[who] for who in (OWN, SHARED, CLAIM))
        self.unrecorded = unrecorded


class Sayings:
    """What *ledger*, the shared notes that *git* sees and those of a fork say; all of them are only read."""

    def __init__(self, ledger: "Ledger", git: "Git") -> None:
        self._ledger = ledger
        self._records = Records(ledger)
        self._shared = Shelf(Notes(git, REF))
        self._kept = Kept(self._records.lines, [self._shared, Shelf(Notes(git, REMOTES + FORK), FORK)])

    def known(self, commits: "Sequence[Sha]") -> "set[Sha]":
        """Return those of *commits* that have an own or shared record, or that somebody made from others."""
        self._kept.fetch(commits)
        return {one for one in commits if any(_knows(one, told) for told in _told(self._kept, one, SHARED))}

    def recorded(self, commits: "Sequence[Sha]") -> "set[Sha]":
        """Return those of *commits* that have a shared record."""
        said = ((one, told) for one, lines in self._shared.of(commits) for line in lines for told in read(line))
        return {one for one, told in said if isinstance(told, Found) and told.record.commit == one}

    def carrying(self, commits: "Sequence[Sha]") -> "set[Sha]":
        """Return those of *commits* that carry others, as own and shared lines say."""
        self._kept.fetch(commits)
        told = [step for one in commits for step in _told(self._kept, one, SHARED) if isinstance(step, Step)]
        return {step.new for step in told if step.command == CARRY}.intersection(commits)

    def carries(self, commit: "Sha") -> "Iterator[Carry]":
        """Yield what own lines say that *commit* carries."""
        return carryings(self._records.lines(commit), commit)

    def origins(self) -> "Iterator[tuple[Sha, Sha]]":
        """Yield what own and shared lines say was made from what: a new commit, and an old one."""
        own = ((line, OWN) for line in self._ledger.lines())
        shared = ((line, SHARED) for _, text in self._shared.notes.texts() for line in text.split(b"\n"))
        for text, who in chain(own, shared):
            if any(kind in text for kind in _MADE):
                yield from ((step.new, step.old) for step in read(Line(text, who)) if isinstance(step, Step))

    def way(self, base: "Sha", head: "Sha") -> "list[Sha]":
        """Return the commits from *head*, which is not here, back to *base* as records tell them, oldest first."""
        found: dict[Sha, None] = {}
        one = head
        while one != base:
            told = [said for said in _told(self._kept, one, SHARED) if isinstance(said, Found) and _knows(one, said)]
            parents = [parent for said in told for parent in said.record.parents]
            if not parents or one in found:
                hint = "fetch the branch, or the records of whoever made it: ampcommit share"
                raise SetupError(f"{one} is not here, and no record leads from it to {base}", hint=hint)
            found[one] = None
            one = parents[0]
        return list(found)[::-1]

    def copies(self, commits: "Sequence[Sha]", *, claims: bool) -> Copies:
        """Return what is said of *commits* and of those they were made from; with *claims* what a fork says, too."""
        self._kept.fetch(commits)
        surely, everything = (_Collected(self._kept, commits, weakest) for weakest in (SHARED, CLAIM))
        counts = surely.counts() | {CLAIM: len(everything.tellers) - len(surely.tellers)}
        return Copies((everything if claims else surely).lines, counts, surely.unrecorded(commits))


class _Collected:
    """
    The `lines` about commits, and about those that they were made from in turn, which a note may have.

    `tellers` has who tells the records among them; nobody counts who is known by less than *weakest*.
    """

    def __init__(self, kept: Kept, commits: "Sequence[Sha]", weakest: str) -> None:
        self.lines: set[bytes] = set()
        self.tellers: dict[bytes, str] = {}
        self._recorded: set[Sha] = set()
        self._origins: dict[Sha, set[Sha]] = {}
        every = list(dict.fromkeys(commits))
        seen = set(every)
        for new in every:  # it grows meanwhile
            told = _told(kept, new, weakest)
            steps = [one for one in told if isinstance(one, Step)]
            for step in steps:
                self._origins.setdefault(step.new, set()).add(step.old)
            olds = [old for old in dict.fromkeys(step.old for step in steps) if old not in seen][: MOST - len(seen)]
            every += olds
            seen.update(olds)
            self._copy(told)

    def _copy(self, told: "list[Found | Step]") -> None:
        records = {one.line.text: one.record.commit for one in told if isinstance(one, Found)}
        # A line that carries many commits tells as many steps.
        for line in {(one.line.text, one.line.known_by): one.line for one in told}.values():
            if (shared := publishable(line.text)) is None:
                continue
            if commit := records.get(line.text):
                self._recorded.add(commit)
            signatures = _signatures(line)
            if signatures and not _is_plain(line.text, shared[1]):
                continue  # without what we do not know of it, nobody would have signed it
            copy = line.text if signatures else shared[1]
            self.lines |= {copy, *signatures}
            if commit:
                self.tellers[copy] = min(line.known_by, self.tellers.get(copy, CLAIM), key=lambda who: RANK[who])

    def counts(self) -> dict[str, int]:
        """Return how many records whom has to thank for them."""
        return {who: list(self.tellers.values()).count(who) for who in RANK}

    def unrecorded(self, commits: "Sequence[Sha]") -> "set[Sha]":
        """Return those of *commits* that have no record, nor has any commit that became it."""
        return {one for one in commits if self._recorded.isdisjoint(self._all_before(one))}

    def _all_before(self, commit: "Sha") -> "set[Sha]":
        seen, waiting = {commit}, [commit]
        for one in waiting:  # it grows meanwhile
            new = self._origins.get(one, set()) - seen
            waiting += new
            seen |= new
        return seen


def _told(kept: Kept, commit: "Sha", weakest: str) -> "list[Found | Step]":
    """Return the records and steps that *kept* has about *commit*, the better known ones first."""
    found: list[Found | Step] = []
    for facts in kept.about(commit):
        found += [*facts.records, *facts.steps]
    return [one for one in found if RANK[one.line.known_by] <= RANK[weakest]]


def _knows(commit: "Sha", told: "Found | Step") -> bool:
    """Say whether what was *told* is a record of *commit* that may be shared, or that it was made from another one."""
    if isinstance(told, Step):
        return told.new == commit != told.old
    return told.record.commit == commit and publishable(told.line.text) is not None


def _signatures(line: Line) -> list[bytes]:
    """Return the lines of its note that sign *line*, in the one form that such a line has."""
    return [framed(line.text, body) for body in bodies(line.text, line.note) if key_in(body)]


def _is_plain(text: bytes, shared: bytes) -> bool:
    """Say whether *text* holds what is *shared* of it and nothing else, in whatever order."""
    fields = parsed(text)
    return fields == parsed(shared) and canonical(fields) == text
