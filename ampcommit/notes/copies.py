"""
What is said of commits, as lines that may stand in the note of another commit.

This clone's ledger says them (own), the notes that a team shares (shared), or those of a fork (claims).
"""

import re

from ampcommit.carried import MOST, carryings
from ampcommit.errors import RecordError
from ampcommit.ledger import digest
from ampcommit.notes.shared import publishable
from ampcommit.record import Sha, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from mmap import mmap

    from ampcommit.carried import Carry
    from ampcommit.ledger import Ledger
    from ampcommit.notes.shared import Notes

OWN, SHARED, CLAIMS = "own", "shared", "claims"
"""Who says a line, the most trusted one first."""

_TRUSTED = (OWN, SHARED)
_NAMED = re.compile(rb'"(?:commit|new)"\s*:\s*"([0-9a-f]{40}(?:[0-9a-f]{24})?)"')


class Copies:
    """
    The `lines` about some commits, for the note of another one, and how many records of whom are known.

    Those of a fork are counted whether they are among the lines or not. Of the commits in `unrecorded` there is no
    own or shared record.
    """

    __slots__ = ("claims", "lines", "own", "shared", "unrecorded")

    def __init__(self, lines: set[bytes], counts: dict[str, int], unrecorded: set[Sha]) -> None:
        self.lines = lines
        self.own, self.shared, self.claims = (counts[who] for who in (OWN, SHARED, CLAIMS))
        self.unrecorded = unrecorded


class Sayings:
    """What *ledger*, the *shared* notes and those of a *fork* say; all of them are only read."""

    def __init__(self, ledger: "Ledger", shared: "Notes", fork: "Notes") -> None:
        self._ledger = ledger
        self._notes = {SHARED: shared, CLAIMS: fork}

    def of(self, who: str, commits: "Collection[Sha]") -> dict[Sha, list[bytes]]:
        """Return the lines in which *who* names some of *commits*, as they stand."""
        if who != OWN:
            return self._notes[who].of(commits)
        found: dict[Sha, list[bytes]] = {}
        for commit, line in _naming(self._ledger.whole(), {one.encode("ascii") for one in commits}):
            found.setdefault(Sha(commit.decode("ascii")), []).append(line)
        return found

    def known(self, commits: "Collection[Sha]") -> set[Sha]:
        """Return those of *commits* that have an own or shared record, or that somebody made from others."""
        said = [(one, line) for who in _TRUSTED for one, lines in self.of(who, commits).items() for line in lines]
        return {one for one, line in said if _record_of(line) == one or made_from(line, one)}

    def recorded(self, commits: "Collection[Sha]") -> set[Sha]:
        """Return those of *commits* that have a shared record."""
        said = self.of(SHARED, commits)
        return {one for one, lines in said.items() if any(_record_of(line) == one for line in lines)}

    def carried(self, commits: "Collection[Sha]") -> "list[Carry]":
        """Return what own and shared lines say that *commits* carry."""
        said = [self.of(who, commits) for who in _TRUSTED]
        return [carry for one in said for commit, lines in one.items() for carry in carryings(lines, commit)]

    def parents(self, commit: Sha) -> "list[Sha]":
        """Return the parents of *commit* as a record tells them, none if there is no record."""
        for line in (line for who in _TRUSTED for line in self.of(who, [commit]).get(commit, [])):
            if _record_of(line) == commit:
                return [Sha(parent) for parent in parsed(line)["parents"]]
        return []

    def copies(self, commits: "Sequence[Sha]", *, claims: bool) -> Copies:
        """Return what is said of *commits* and of those they were made from; with *claims* what a fork says, too."""
        surely = _Gathered(self, commits, _TRUSTED)
        everything = _Gathered(self, commits, (*_TRUSTED, CLAIMS))
        counts = surely.counts | {CLAIMS: everything.records - surely.records}
        return Copies((everything if claims else surely).lines, counts, surely.unrecorded(commits))


class _Gathered:
    """The lines of some *sources* about commits, and about those that they were made from in turn."""

    def __init__(self, sayings: Sayings, commits: "Sequence[Sha]", sources: "Sequence[str]") -> None:
        self._origins: dict[Sha, set[Sha]] = {}
        told: dict[bytes, str] = {}
        seen, waiting = set(commits), list(commits)
        while waiting:
            said = [(who, *named) for who in sources for named in sayings.of(who, waiting).items()]
            waiting = []
            for who, one, line in ((who, one, line) for who, one, lines in said for line in lines):
                told.setdefault(line, who)
                before = [old for old in made_from(line, one) if len(seen) < MOST]
                self._origins.setdefault(one, set()).update(before)
                waiting += [old for old in dict.fromkeys(before) if old not in seen]
                seen.update(before)
        self._sort(told, seen)

    def _sort(self, told: dict[bytes, str], about: set[Sha]) -> None:
        """Keep of the lines that were *told* what a note may have, and is *about* these commits."""
        self.lines: set[bytes] = set()
        self.counts = dict.fromkeys((OWN, SHARED, CLAIMS), 0)
        self._recorded: set[Sha] = set()
        for line, who in told.items():
            shared = publishable(line)
            if shared is None or shared[0] not in about:
                continue
            # A line of the ledger differs from the one in the notes by what is never shared.
            kept = shared[1] if who == OWN else line
            if kept not in self.lines and _record_of(line):
                self.counts[who] += 1
                self._recorded.add(shared[0])
            self.lines.add(kept)
        signed = {digest(line) for line in self.lines}
        self.lines |= {line for line in told if _signed_by(line) in signed}

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(self.counts.values())

    def unrecorded(self, commits: "Sequence[Sha]") -> set[Sha]:
        """Return those of *commits* that have no record, nor has any commit that became it."""
        return {one for one in commits if self._recorded.isdisjoint(self._all_before(one))}

    def _all_before(self, commit: Sha) -> set[Sha]:
        seen, waiting = {commit}, [commit]
        for one in waiting:  # it grows meanwhile
            new = self._origins.get(one, set()) - seen
            waiting += new
            seen |= new
        return seen


def made_from(line: bytes, new: Sha) -> list[Sha]:
    """Return the commits from which *new* was made, if *line* tells of that."""
    try:
        fields = parsed(line)
    except RecordError:
        return []
    olds = {"rewrite": [fields.get("old")], "carry": fields.get("commits")}.get(str(fields.get("kind")))
    if fields.get("new") != new or not isinstance(olds, list):
        return []
    return [old for old in (Sha.maybe(one) for one in olds if isinstance(one, str)) if old and old != new]


def _record_of(line: bytes) -> Sha | None:
    """Return the commit of which *line* is a record that may be shared."""
    shared = publishable(line)
    return shared[0] if shared and parsed(line)["kind"] == "commit" else None


def _signed_by(line: bytes) -> str | None:
    """Return the digest of the line that *line* is a signature of."""
    try:
        fields = parsed(line)
    except RecordError:
        return None
    return str(fields.get("of")) if fields.get("kind") == "signature" else None


def _naming(text: "mmap | bytes", commits: set[bytes]) -> "Iterator[tuple[bytes, bytes]]":
    """Yield the lines of *text* that name one of *commits*, behind it."""
    for named in _NAMED.finditer(text):
        if named[1] in commits:
            start, stop = text.rfind(b"\n", 0, named.start()) + 1, text.find(b"\n", named.start())
            yield named[1], text[start:stop]
