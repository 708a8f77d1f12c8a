"""
The commits of a range, as a stream: what each one says, and on demand what it changes.

What a name means is asked in the clone, where refs are. What a commit says is asked in a git dir of our
own over the same objects, without configuration, attributes and refs: a `trailer.<name>.key` in a clone's
configuration shows git a trailer that nobody else sees, and no option takes that back.
"""

import os
from contextlib import contextmanager
from functools import cached_property
from tempfile import TemporaryDirectory

from ampcommit.errors import GitError, MisuseError, SetupError
from ampcommit.files import read_regular
from ampcommit.gitcmd import Git, clean
from ampcommit.message import BLANK, Trailer
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ampcommit.place import Place

BATCH = 500
"""Commits that one git process is asked for: they bound the memory, and the number of processes."""

WHOLE = "fetch all of the history: git fetch --unshallow (in GitHub Actions: fetch-depth: 0)"
"""What to do in a shallow clone."""

LACKING = "objects are not here: let git fetch them, or work in a full clone"
"""What to do in a partial clone; nothing is fetched for a verdict."""

_PATIENCE = 600.0  # long histories
_SHALLOW_LIMIT = 64 * 1024 * 1024
_LOG = (
    "log",
    "--no-walk=unsorted",
    "--stdin",
    "-z",
    "--encoding=UTF-8",
    # No field can hold NUL, and no unfolded trailer a line feed.
    "--format=%H%x00%P%x00%s%x00%B%x00%(trailers:only,unfold)",
)
_FIELDS = 5
# --raw: a colon before each path tells paths from commits, whatever somebody calls a file.
_PATHS = ("diff-tree", "--stdin", "-r", "-z", "--root", "--raw", "--no-renames")
# -U0: with context, changes of two branches that stand close together look like the merge's own.
_OWN = ("diff-tree", "--stdin", "-r", "--cc", "-U0", "--no-renames")


class Range:
    """
    What a range names: its commits' `ids`, newest first, and `revisions`, which name the same to git.

    `base` is the commit that the range starts from, and None for a commit by itself.
    """

    __slots__ = ("base", "ids", "revisions")

    def __init__(self, revisions: list[str], ids: list[Sha], base: Sha | None) -> None:
        self.revisions = revisions
        self.ids = ids
        self.base = base


class Commit:
    """A commit as git shows it: its parents, its subject (git's `%s`), its message in UTF-8, its trailers."""

    __slots__ = ("_batch", "id", "message", "parents", "subject", "trailers")

    def __init__(self, fields: list[bytes], batch: "_Batch") -> None:
        self.id = Sha(fields[0].decode("ascii"))
        self.parents = [Sha(parent) for parent in fields[1].decode("ascii").split()]
        self.subject = fields[2].decode("utf-8", "replace")
        self.message = fields[3]
        self.trailers = [_trailer(line) for line in fields[4].split(b"\n")[:-1]]
        self._batch = batch

    @property
    def merge(self) -> bool:
        """Say whether it has two or more parents."""
        return len(self.parents) > 1

    def paths(self) -> list[str]:
        """Return every path that differs from the first parent; a rename has two."""
        return self._batch.paths.get(self.id, [])

    def own_changes(self) -> bool:
        """Say whether this merge holds what none of its parents has."""
        return self.id in self._batch.own_changes


class _Batch:
    """Commits that git was asked for at once; when something is asked about one's trees, it is about all of theirs."""

    def __init__(self, git: Git, ids: list[Sha]) -> None:
        self._git = git
        fields = [field for answer in _asked(git, _LOG, list(ids)) for field in answer.split(b"\0")[:-1]]
        if len(fields) != _FIELDS * len(ids) or fields[::_FIELDS] != [one.encode() for one in ids]:
            raise GitError("git's answer is not about the commits that were asked for")
        self.commits = [Commit(fields[at : at + _FIELDS], self) for at in range(0, len(fields), _FIELDS)]

    @cached_property
    def paths(self) -> dict[Sha, list[str]]:
        """The changed paths of each commit that has any."""
        found: dict[Sha, list[str]] = {}
        lines = [" ".join([commit.id, *commit.parents[:1]]) for commit in self.commits]
        for answer in _asked(self._git, _PATHS, lines):
            words = iter(answer.split(b"\0")[:-1])
            changed: list[str] = []
            for word in words:
                if word.startswith(b":"):
                    changed.append(os.fsdecode(next(words)))
                else:
                    changed = found[Sha(word.decode("ascii"))] = []
        return found

    @cached_property
    def own_changes(self) -> set[Sha]:
        """The merges whose combined diff is not empty."""
        found = set()
        merges = {commit.id.encode(): commit.id for commit in self.commits if commit.merge}
        for answer in _asked(self._git, _OWN, list(merges.values())):
            header = b""
            for line in answer.split(b"\n")[:-1]:
                if line in merges:  # no line of a combined diff is an id alone
                    header = line
                else:
                    found.add(merges[header])
        return found


class History:
    """
    The commits of one clone; `objects` is git without the clone's refs and settings, for questions by full id.

    `shallow` says whether git cut the history off when it fetched.
    """

    def __init__(self, place: "Place", environ: "Mapping[str, str]", room: str) -> None:
        inside = clean(environ, place.git_dir)
        self._refs = Git(place.git_dir, inside)
        apart = {"GIT_DIR": room, "GIT_ATTR_NOSYSTEM": "1"}
        apart["GIT_OBJECT_DIRECTORY"] = inside.get("GIT_OBJECT_DIRECTORY", os.path.join(place.common_dir, "objects"))
        inside.pop("GIT_COMMON_DIR", None)
        self.objects = Git(place.git_dir, inside | apart)
        cut = read_regular(os.path.join(place.common_dir, "shallow"), _SHALLOW_LIMIT) or b""
        self._cut = frozenset(cut.decode("ascii", "replace").split())
        _furnish(room, self._refs("rev-parse", "--show-object-format").decode("ascii").strip())

    @property
    def shallow(self) -> bool:
        """Say whether older commits were left out when this clone was fetched."""
        return bool(self._cut)

    def commit(self, name: str) -> Sha | None:
        """Return the commit that *name* stands for in this clone; None if there is none."""
        question = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return Sha.maybe(self._refs(*question, ok=(0, 1, 128)).decode("ascii").strip())

    def named(self, text: str) -> Range:
        """
        Return what *text* names: `A..B`, `A...B`, or one revision, which is that commit alone.

        `MisuseError` if it names no commits to check, `SetupError` if they may be where a shallow clone ends.
        """
        if not text or text.startswith(("-", "^")) or text.endswith("^@") or "\0" in text:
            raise MisuseError(f"{text!a} is no range of commits", hint="name one as git does: main..HEAD, or HEAD")
        try:
            found = self._revisions(text)
            alone = len(found) == 1 or text.endswith("^!")
            if alone:
                found = self._revisions(f"{found[0]}^!")
            revisions = self._revisions(*[f"{one}^{{commit}}" for one in found])
        except GitError as error:
            message = f"there are no commits {text!a} here"
            if self._cut:
                raise SetupError(f"{message}, and this clone is shallow", hint=WHOLE) from error
            raise MisuseError(message, hint="name them as git does: main..HEAD, or HEAD") from error
        ids = self._listed(revisions[::-1])  # of `A...B` git takes A first, and names it last
        if not alone and not self._cut.isdisjoint(ids):
            raise SetupError(f"{text!a} goes beyond the commits of this shallow clone", hint=WHOLE)
        return Range(revisions, ids, None if alone else Sha(revisions[1].removeprefix("^")))

    def up_to(self, end: Sha, range_: Range) -> set[Sha]:
        """Return which commits of *range_* are *end* or its ancestors."""
        return set(range_.ids).difference(self._listed([*range_.revisions, f"^{end}"]))

    def commits(self, range_: Range) -> "Iterator[Commit]":
        """Yield the commits of *range_*, newest first as `git log` lists them."""
        for at in range(0, len(range_.ids), BATCH):
            yield from _Batch(self.objects, range_.ids[at : at + BATCH]).commits

    def _revisions(self, *names: str) -> list[str]:
        """Return what *names* stand for: full ids, with `^` before those that are left out."""
        return self._refs("rev-parse", "--revs-only", *names, "--").decode("ascii").split()

    def _listed(self, revisions: list[str]) -> list[Sha]:
        return [Sha(one) for one in self._refs("rev-list", *revisions, "--", deadline=_PATIENCE).decode().split()]


@contextmanager
def opened(place: "Place", environ: "Mapping[str, str]") -> "Iterator[History]":
    """Open the history of the clone at *place*; its commits answer while it is open, and nothing is written there."""
    try:
        room = TemporaryDirectory(prefix="ampcommit-")
    except OSError as error:
        raise SetupError(f"no temporary folder: {error.strerror}", hint="set TMPDIR to one that is writable") from error
    with room as path:
        yield History(place, environ, path)


def _furnish(room: str, object_format: str) -> None:
    """Make of the folder *room* what git takes for a repository."""
    os.mkdir(os.path.join(room, "refs"))
    config = "[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = " + object_format
    for name, text in (("HEAD", "ref: refs/heads/none"), ("config", config)):
        with open(os.path.join(room, name), "w", encoding="ascii") as file:
            file.write(text + "\n")


def _asked(git: Git, question: tuple[str, ...], lines: list[str]) -> "Iterator[bytes]":
    """Yield git's answer about all *lines* on its standard input, in pieces where it is more than we read at once."""
    try:
        answer = git(*question, stdin="\n".join([*lines, ""]).encode("ascii"), deadline=_PATIENCE)
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
