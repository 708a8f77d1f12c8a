"""
Commits that no hook saw: the recorded commit that each one was made from, as far as their content tells.

Plumbing that restacks commits (`git commit-tree`, jj, Sapling, Graphite) keeps the author, the author's date and
the change. Where these are those of one recorded commit, both are the same work. A gap is better than a wrong
attribution: merges, empty changes, what is ambiguous and what git has cleaned away match nothing.
"""

import re
from array import array
from functools import cached_property
from itertools import chain, repeat

from ampcommit.commits.changes import bases, heads, patches
from ampcommit.errors import RecordError
from ampcommit.record import Record, Sha, parsed
from ampcommit.rewritten import MOST, Rewrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from mmap import mmap

    from ampcommit.commits.changes import Head
    from ampcommit.gitcmd import Git
    from ampcommit.ledger import Ledger

TREE, PATCH = "tree", "patch-id"
"""How a pair is known: by the same tree, made of the same tree, or by the same `git patch-id --stable`."""

_NAMED = re.compile(rb'"commit"\s*:\s*"([0-9a-f]{40}(?:[0-9a-f]{24})?)"')
_KEY = b'"commit":"'
_REWRITTEN = re.compile(rb'"kind":"rewrite","old":"([0-9a-f]+)","new":"([0-9a-f]+)"')


class Match:
    """The recorded commit *old* from which another one was made; `source` says how that is known."""

    __slots__ = ("old", "source")

    def __init__(self, old: Sha, source: str) -> None:
        self.old = old
        self.source = source

    def rewrite(self, new: Sha) -> Rewrite:
        """Return the line of a ledger by which *new* was made from it."""
        return Rewrite(old=self.old, new=new, command=None, source=self.source)


class Found:
    """
    What became of a search: a match for some commits, for the others none.

    Those in `ambiguous` have several; those in `unread` might have one, but objects are not here to tell.
    """

    __slots__ = ("ambiguous", "matches", "unread")

    def __init__(self) -> None:
        self.matches: dict[Sha, Match] = {}
        self.ambiguous: set[Sha] = set()
        self.unread: set[Sha] = set()


class Origins:
    """Which commits became which, as the ledger in *text* tells."""

    __slots__ = ("_olds",)

    def __init__(self, text: "mmap | bytes") -> None:
        self._olds: dict[bytes, list[bytes]] = {}
        for told in _REWRITTEN.finditer(text):
            self.add(told[1], told[2])

    def add(self, old: bytes, new: bytes) -> None:
        """Take it over that *old* became *new*."""
        self._olds.setdefault(new, []).append(old)

    def before(self, commit: bytes) -> set[bytes]:
        """Return every other commit that became *commit*, at once or by and by."""
        seen, waiting = {commit}, [commit]
        for new in waiting:  # it grows meanwhile
            olds = self._olds.get(new, ()) if len(seen) < MOST else ()
            waiting += [old for old in dict.fromkeys(olds) if old not in seen]
            seen.update(olds)
        return seen - {commit}


class _Alike:
    """Commits of one author line and one change: `olds` are recorded, `news` are not."""

    __slots__ = ("news", "olds", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.olds: list[bytes] = []
        self.news: list[bytes] = []


class Recorded:
    """
    The recorded commits of a clone, as its *ledger* held them at the start; with *newest* only so many of them.

    *git* is one that no settings and attributes of the clone reach, such as `History.objects`.
    """

    def __init__(self, git: "Git", ledger: "Ledger", newest: int = 0) -> None:
        self._git = git
        self._text = ledger.whole()
        self._start = _start(self._text, newest) if newest else 0

    @cached_property
    def origins(self) -> Origins:
        """What the ledger tells of rewritten commits."""
        return Origins(self._text)

    def among(self, commits: "Collection[bytes]") -> set[bytes]:
        """Return those of *commits* that have a record of their own; a damaged one is none."""
        named = ((one.start(), one[1]) for one in _NAMED.finditer(self._text, self._start))
        return {commit for place, commit in named if commit in commits and self._is_record(place, commit)}

    def found(self, commits: "Iterable[Sha]", also: "Iterable[Sha]" = ()) -> Found:
        """Return from which recorded commit each of *commits*, which have no record, was made; *also* have one."""
        found = Found()
        mine, theirs = self._agreeing(_bytes(commits), _bytes(also))
        made = {head.commit: head.made for head in (*mine, *theirs)}
        based = bases(self._git, [*mine, *theirs])
        found.unread = {_sha(head.commit) for head in mine if len(head.parents) == 1 and head.commit not in based}
        mine, theirs = _changing(mine, based), _changing(theirs, based)
        alike = _alike(TREE, mine, theirs, {one.commit: based[one.commit] + one.tree for one in (*mine, *theirs)})
        placed = {new for group in alike for new in group.news}
        mine, theirs = _sharing([head for head in mine if head.commit not in placed], theirs)
        read = patches(self._git, [head.commit for head in (*mine, *theirs)])
        found.unread |= {_sha(head.commit) for head in mine if head.commit not in read}
        self._settle([*alike, *_alike(PATCH, mine, theirs, read)], found, made)
        return found

    def _agreeing(self, commits: list[bytes], also: list[bytes]) -> "tuple[list[Head], list[Head]]":
        """Return those of *commits*, and those recorded, whose author line one of the others has too."""
        if not commits or not (self._text or also):
            return [], []
        # Hashes, because few commits of a long history agree with a recorded one.
        authors = array("q", (hash(head.author) if head else 0 for head in heads(self._git, commits)))
        theirs = self._written_by(set(authors), also)
        shared = {hash(head.author) for head in theirs}
        mine = [commit for commit, author in zip(commits, authors, strict=True) if author in shared]
        return _sharing([head for head in heads(self._git, mine) if head], theirs)

    def _written_by(self, authors: set[int], also: list[bytes]) -> "list[Head]":
        """Return the recorded commits whose author line has one of these hashes, each once."""
        places = array("q")
        found = {}
        # The places are known by the time that git begins to answer.
        told = heads(self._git, chain(self._named(places), also))
        for head, place in zip(told, chain(places, repeat(-1)), strict=False):
            if (
                head
                and head.author
                and hash(head.author) in authors
                and (place < 0 or self._is_record(place, head.commit))
            ):
                found[head.commit] = head
        return list(found.values())

    def _named(self, places: "array[int]") -> "Iterator[bytes]":
        """Yield every commit that has perhaps a record, and put the place of that into *places*."""
        for named in _NAMED.finditer(self._text, self._start):
            places.append(named.start())
            yield named[1]

    def _is_record(self, place: int, commit: bytes) -> bool:
        """Say whether the line around *place* is a sound record of *commit*."""
        line = self._text[self._text.rfind(b"\n", 0, place) + 1 : self._text.find(b"\n", place)]
        try:
            return parsed(line).get("kind") == "commit" and Record.from_bytes(line).commit == commit.decode("ascii")
        except RecordError:
            return False

    def _settle(self, alike: list[_Alike], found: Found, made: "Mapping[bytes, int]") -> None:
        """
        Take over what is beyond doubt, until nothing more becomes so: a second run must find nothing new.

        A commit is made from an older one: one that was *made* later, or from this very one, is no candidate.
        """
        doubtful = sure = alike
        while doubtful and sure:
            for group in doubtful:
                group.olds = self._latest(group.olds)
            sure = [group for group in doubtful if len(group.olds) == 1]
            doubtful = [group for group in doubtful if len(group.olds) != 1]
            for old, new, source in ((group.olds[0], new, group.source) for group in sure for new in group.news):
                if made[old] > made[new] or new in self.origins.before(old):
                    continue
                found.matches[_sha(new)] = Match(_sha(old), source)
                if doubtful:
                    self.origins.add(old, new)
        found.ambiguous = {_sha(new) for group in doubtful for new in group.news}

    def _latest(self, commits: list[bytes]) -> list[bytes]:
        """Return those of *commits* that became none of the others."""
        if len(commits) == 1:
            return commits
        gone = set().union(*map(self.origins.before, commits))
        return [commit for commit in commits if commit not in gone]


def _alike(source: str, mine: "list[Head]", theirs: "list[Head]", changes: "Mapping[bytes, bytes]") -> list[_Alike]:
    """Return the groups of commits, of both kinds, that have an author line and a change in common."""
    groups: dict[tuple[bytes, bytes], _Alike] = {}
    for head in theirs:
        if head.commit in changes:
            groups.setdefault((head.author, changes[head.commit]), _Alike(source)).olds.append(head.commit)
    for head in mine:
        if group := groups.get((head.author, changes.get(head.commit, b""))):
            group.news.append(head.commit)
    return [group for group in groups.values() if group.news]


def _changing(commits: "list[Head]", based: dict[bytes, bytes]) -> "list[Head]":
    """Return those of *commits* whose tree is another one than the one they are based on."""
    return [head for head in commits if based.get(head.commit, head.tree) != head.tree]


def _sharing(mine: "list[Head]", theirs: "list[Head]") -> "tuple[list[Head], list[Head]]":
    """Return those of both lists whose author line is in the other."""
    shared = {head.author for head in mine} & {head.author for head in theirs}
    return [head for head in mine if head.author in shared], [head for head in theirs if head.author in shared]


def _start(text: "mmap | bytes", newest: int) -> int:
    """Return where the last *newest* records in *text* begin."""
    at = len(text)
    for _ in range(newest):
        if (at := text.rfind(_KEY, 0, at)) < 0:
            return 0
    return at


def _bytes(commits: "Iterable[Sha]") -> list[bytes]:
    return [commit.encode("ascii") for commit in commits]


def _sha(commit: bytes) -> Sha:
    return Sha(commit.decode("ascii"))
