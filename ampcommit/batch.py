"""Commits that have to be looked at: what each one says, and on demand its trailers and what it changes."""

import os
import re
from functools import cached_property
from itertools import chain

from ampcommit.errors import GitError, SetupError
from ampcommit.message import BLANK, Trailer, plain_trailers
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ampcommit.gitcmd import Git

    Told = tuple[bytes, bytes, bytes]

LACKING = "objects are missing or damaged here: git fsck tells which; a full clone has them all"
"""What to do in a partial or broken clone; nothing is fetched for a verdict."""

PATIENCE = 600.0
"""Seconds for a question about a long history."""

# No unfolded trailer can hold a line feed.
_TRAILERS = ("log", "--no-walk=unsorted", "--stdin", "-z", "--encoding=UTF-8", "--format=%H%x00%(trailers:only,unfold)")
# --raw: a colon before each path tells paths from commits, whatever somebody calls a file.
_PATHS = ("diff-tree", "--stdin", "-r", "-z", "--root", "--raw", "--no-renames")
_KINDS = ("cat-file", "--batch-check=%(objectname) %(objecttype)")
_REVERTED = re.compile(rb"This reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)(?![0-9a-f])")
# -U0: with context, changes of two branches that stand close together look like the merge's own.
# log, not diff-tree: that one hands over each commit by itself, and we would wake up for it.
_ASKED = ("log", "--no-walk=unsorted", "--stdin", "--no-renames", "--format=%H")
_MIXED = (
    *_ASKED,
    "-c",
    "--raw",
)  # trees are enough to tell: few merges mix, and in a partial clone no file may be here
_OWN = (*_ASKED, "--cc", "-U0")


class Commit:
    """
    A commit that has to be looked at: its message in UTF-8, and what git answers about it.

    It is a `merge` with two or more parents; `name` is its id as git told it.
    """

    __slots__ = ("_batch", "_parents", "merge", "message", "name")

    def __init__(self, told: "Told", batch: "Batch") -> None:
        self.name, self._parents, self.message = told
        self.merge = b" " in self._parents
        self._batch = batch

    @property
    def id(self) -> Sha:
        """The full id."""
        return Sha(self.name.decode("ascii"))

    @property
    def parents(self) -> list[Sha]:
        """The parents, in git's order."""
        return [Sha(parent) for parent in self._parents.decode("ascii").split()]

    @property
    def trailers(self) -> list[Trailer]:
        """The trailers, as git sees them."""
        plain = plain_trailers(self.message)
        return self._batch.trailers[self.name] if plain is None else plain

    def paths(self) -> list[str]:
        """Return every path that differs from the first parent; a rename has two."""
        return self._batch.paths.get(self.name, [])

    def own_changes(self) -> bool:
        """Say whether this merge holds what none of its parents has."""
        return self.name in self._batch.own_changes

    def exists(self, name: str) -> bool:
        """Say whether *name*, which this message calls reverted, is a commit that is here."""
        return name.encode("ascii") in self._batch.reverted


class Batch:
    """Commits about which git is asked at once: what one of them needs is found out for all."""

    def __init__(self, git: "Git", told: "Sequence[Told]") -> None:
        self._git = git
        self._told = told
        self._mixed: Iterator[bytes] | None = None

    @property
    def commits(self) -> list[Commit]:
        """The commits, made anew each time."""
        # The batch keeps none: in a circle all of this, a running git too, would wait for the garbage collector.
        return [Commit(one, self) for one in self._told]

    @property
    def _merges(self) -> list[bytes]:
        return [commit for commit, parents, _ in self._told if b" " in parents]

    def begin(self) -> None:
        """Let git begin with which merges mix files of their parents, which takes it some time."""
        if merges := self._merges:
            answer = self._git.stream(*_MIXED, stdin=b"\n".join([*merges, b""]))
            self._mixed = chain([next(answer, b"")], answer)

    @cached_property
    def trailers(self) -> dict[bytes, list[Trailer]]:
        """The trailers of each commit about which only git can tell."""
        ids = [one[0] for one in self._told if plain_trailers(one[2]) is None]
        fields = [field for answer in _asked(self._git, _TRAILERS, ids) for field in answer.split(b"\0")[:-1]]
        if fields[::2] != ids:
            raise GitError("git's answer is not about the commits that were asked for")
        return {
            one: [_trailer(line) for line in text.split(b"\n")[:-1]]
            for one, text in zip(ids, fields[1::2], strict=True)
        }

    @cached_property
    def paths(self) -> dict[bytes, list[str]]:
        """The changed paths of each commit that has any."""
        found: dict[bytes, list[str]] = {}
        lines = [b" ".join([one[0], *one[1].split()[:1]]) for one in self._told]
        for answer in _asked(self._git, _PATHS, lines):
            words = iter(answer.split(b"\0")[:-1])
            changed: list[str] = []
            for word in words:
                if word.startswith(b":"):
                    changed.append(os.fsdecode(next(words)))
                else:
                    changed = found[word] = []
        return found

    @cached_property
    def own_changes(self) -> set[bytes]:
        """The merges whose combined diff is not empty."""
        if self._mixed is None:
            self.begin()
        try:
            mixed = _followed(self._merges, self._mixed or ())
            question = b"\n".join([*sorted(mixed), b""])
            return _followed(mixed, self._git.stream(*_OWN, stdin=question)) if mixed else mixed
        except GitError as error:
            self._mixed = None  # half an answer must not be taken for one when somebody asks again
            raise SetupError(str(error), hint=LACKING) from error

    @cached_property
    def reverted(self) -> set[bytes]:
        """Of the ids that messages name as reverted, those of commits that are here."""
        named = {one for _, _, text in self._told for one in _REVERTED.findall(text)}
        found = [line.split() for answer in _asked(self._git, _KINDS, sorted(named)) for line in answer.splitlines()]
        return {words[0] for words in found if words[1:] == [b"commit"]}


def _followed(ids: "Iterable[bytes]", pieces: "Iterable[bytes]") -> set[bytes]:
    """Return those of *ids* behind which git printed anything; no line of a combined diff is an id alone."""
    known, found = frozenset(ids), set()
    header, rest = b"", b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line in known:
                header = line
            elif line:
                found.add(header)
    return found


def _asked(git: "Git", question: tuple[str, ...], lines: list[bytes]) -> "Iterator[bytes]":
    """Yield git's answer about all *lines* on its standard input, in pieces where it is more than we read at once."""
    if not lines:
        return  # git would answer about HEAD
    try:
        answer = git(*question, stdin=b"\n".join([*lines, b""]), deadline=PATIENCE)
    except GitError as error:
        if len(lines) < 2:
            raise SetupError(str(error), hint=LACKING) from error
        half = len(lines) // 2
        yield from _asked(git, question, lines[:half])
        yield from _asked(git, question, lines[half:])
    else:
        yield answer


def _trailer(line: bytes) -> Trailer:
    key, _, value = line.partition(b":")
    return Trailer(key.strip(BLANK), value.strip(BLANK))
