"""
The commits of a range, as a stream: what each one says, and on demand what it changes.

What a name means is asked in the clone, where refs are. What a commit says is asked in a git dir of our
own over the same objects, without configuration, attributes and refs: a `trailer.<name>.key` in a clone's
configuration shows git a trailer that nobody else sees, and no option takes that back.
"""

import os
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory

from ampcommit.batch import LACKING, PATIENCE, Batch
from ampcommit.commits.ahead import Ahead
from ampcommit.errors import GitError, MisuseError, SetupError
from ampcommit.files import read_regular
from ampcommit.gitcmd import Git, clean
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from ampcommit.batch import Told
    from ampcommit.place import Place

WHOLE = "fetch all of the history: git fetch --unshallow (in GitHub Actions: fetch-depth: 0)"
"""What to do in a shallow clone."""

_SHALLOW_LIMIT = 64 * 1024 * 1024
# No field can hold NUL.
_LOG = ("log", "--stdin", "-z", "--encoding=UTF-8", "--format=%H%x00%P%x00%B")
_FIELDS = 3
_SHORTEST = 4  # digits of an id
_HEX = frozenset("0123456789abcdefABCDEF")
_NAMES = 1000
"""Ids in one command line."""


class Range:
    """
    Commits to read: `revisions` as git takes them, full ids with `^` before those that are left out.

    With `alone` it is the commits that are named, without those before them. `base` is the commit that
    a person named as the start.
    """

    __slots__ = ("alone", "base", "revisions")

    def __init__(self, revisions: "Sequence[str]", base: Sha | None = None, *, alone: bool = False) -> None:
        self.revisions = list(revisions)
        self.base = base
        self.alone = alone

    @property
    def bounded(self) -> bool:
        """Say whether the range starts somewhere."""
        return any(one.startswith("^") for one in self.revisions)

    @property
    def tips(self) -> list[Sha]:
        """The commits that the range ends with."""
        return [Sha(one) for one in self.revisions if not one.startswith("^")]


class History:
    """
    The commits of one clone; `objects` is git without the clone's refs and settings, for questions by full id.

    `shallow` says whether git cut the history off when it fetched.
    """

    def __init__(self, place: "Place", environ: "Mapping[str, str]", room: str) -> None:
        inside = clean(environ, place.git_dir)
        self._refs = Git(place.git_dir, inside)
        # GIT_FLUSH: else git hands over each commit by itself.
        apart = {"GIT_ATTR_NOSYSTEM": "1", "GIT_FLUSH": "0"}
        apart["GIT_OBJECT_DIRECTORY"] = inside.get("GIT_OBJECT_DIRECTORY", os.path.join(place.common_dir, "objects"))
        inside.pop("GIT_COMMON_DIR", None)
        self._cut = read_regular(os.path.join(place.common_dir, "shallow"), _SHALLOW_LIMIT) or b""
        object_format = self._refs("rev-parse", "--show-object-format").decode("ascii").strip()

        def git_in(folder: str, cut: bytes) -> Git:
            git_dir = os.path.join(room, folder)
            _furnish(git_dir, object_format, cut)
            return Git(place.git_dir, inside | apart | {"GIT_DIR": git_dir})

        self.objects = git_in("whole", b"")
        # Where git is told that the history is cut off, the commits there seem to have no parents.
        self._walk = git_in("cut", self._cut) if self._cut else self.objects
        self._begun: dict[bytes, Ahead] = {}
        self._all: Range | None = None

    @property
    def shallow(self) -> bool:
        """Say whether older commits were left out when this clone was fetched."""
        return bool(self._cut)

    def commit(self, name: str) -> Sha | None:
        """Return the commit that *name* stands for in this clone; None if there is none."""
        return self._object(f"{name}^{{commit}}")

    def blob(self, commit: Sha, path: str) -> Sha | None:
        """Return the id of what *commit* has at *path*; None if that is nothing."""
        return self._object(f"{commit}:{path}")

    def exists(self, name: Sha) -> bool:
        """Say whether any object has this id."""
        return self._object(f"{name}^{{object}}") is not None

    def branch(self) -> str:
        """Return the full name of the ref that `HEAD` is, whether it has commits or not; empty if it is none."""
        return self._refs("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).decode("utf-8", "surrogateescape").strip()

    def _object(self, name: str) -> Sha | None:
        question = ("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return Sha.maybe(self._refs(*question, ok=(0, 1, 128)).decode("ascii").strip())

    def named(self, text: str) -> Range:
        """
        Return what *text* names: `A..B`, `A...B`, or one revision, which is that commit alone.

        `MisuseError` if it names no commits to check, `SetupError` if they may be where a shallow clone ends.
        """
        if not text or text.startswith(("-", "^")) or text.endswith("^@") or "\0" in text:
            raise MisuseError(f"{text!a} is no range of commits", hint="name one as git does: main..HEAD, or HEAD")
        self.refuse_ambiguous(text)
        try:
            found = self._revisions(text)
            alone = len(found) == 1 or text.endswith("^!")
            revisions = self._revisions(*[f"{one}^{{commit}}" for one in (found[:1] if alone else found)])
        except GitError as error:
            message = f"there are no commits {text!a} here"
            other = any(words in str(error) for words in ("not a commit", "expected commit type"))
            if "error: " in str(error) and not other:  # it is the object, not the name
                raise SetupError(f"{message}: {error}", hint=LACKING) from error
            if self._cut:
                raise SetupError(f"{message}, and this clone is shallow", hint=WHOLE) from error
            raise MisuseError(message, hint="name them as git does: main..HEAD, or HEAD") from error
        # Of `A...B` git takes A first, and names it last.
        return Range(revisions[::-1], None if alone else Sha(revisions[1].removeprefix("^")), alone=alone)

    def refuse_ambiguous(self, text: str) -> None:
        """Refuse names that may mean two things: a tag that somebody pushed must not stand for what is meant."""
        for end in text.replace("...", "..").split(".."):
            name = end
            for sign in ("~", "^", "@{", ":"):
                name = name.partition(sign)[0]
            if not name or Sha.maybe(name):
                continue  # a full id is that object, whatever a ref is called
            full = [
                f"refs/{kind}" for kind in (f"heads/{name}", f"remotes/{name}", f"remotes/{name}/HEAD", f"tags/{name}")
            ]
            listed = os.fsdecode(self._refs("for-each-ref", "--format=%(refname)", *full)).split("\n")
            found = [one for one in full if one in listed]
            if len(found) > 1:
                hint = f"say which one: {found[0]}, or another"
                raise MisuseError(f"{name!a} is the name of {len(found)} refs here: {', '.join(found)}", hint=hint)
            if found and len(name) >= _SHORTEST and _HEX.issuperset(name):
                hint = f"write the id in full, or the ref: {found[0]}"
                raise MisuseError(f"{name!a} looks like an id, and is the name of a ref here", hint=hint)

    def everything(self) -> Range:
        """Return all that branches, remote-tracking branches, tags and `HEAD` reach; git is asked once."""
        if self._all is None:
            self._all = self._every()
        return self._all

    def _every(self) -> Range:
        listed = self._refs("for-each-ref", "--format=%(objectname)", "refs/heads/", "refs/remotes/", "refs/tags/")
        named = "\n".join([*filter(None, [self.commit("HEAD")]), listed.decode("ascii")])
        if not named:
            return Range([])
        # A tag may name anything; git passes over what is no commit.
        return Range(_listed(self.objects, "rev-list", "--no-walk=unsorted", "--stdin", stdin=named.encode("ascii")))

    def under(self, prefix: str) -> list[Sha]:
        """Return what the refs under *prefix* name."""
        return [Sha(one) for one in self._refs("for-each-ref", "--format=%(objectname)", prefix).decode().split()]

    def parted(self, range_: Range, end: Sha) -> tuple[Range, Range]:
        """Return *range_* without the commit *end* and its ancestors, and the rest of it."""
        tips = range_.tips
        if range_.alone:
            before = self._ancestors(tips, end)
            parts = [[tip for tip in tips if (tip in before) is is_before] for is_before in (False, True)]
            return Range(parts[0], alone=True), Range(parts[1], alone=True)
        left_out = [one for one in range_.revisions if one.startswith("^")]
        shared: dict[str, None] = {}
        for at in range(0, len(tips), _NAMES):
            meet = _listed(self._walk, "merge-base", "--all", end, *tips[at : at + _NAMES], ok=(0, 1))
            shared |= dict.fromkeys(meet)
        return Range([*range_.revisions, f"^{end}"]), Range([*shared, *left_out])

    def _ancestors(self, commits: list[Sha], end: Sha) -> set[Sha]:
        """Return which of *commits* are *end* or its ancestors; asking about each would take a process for each."""
        found, line = {one.encode("ascii"): one for one in commits}, b""
        question = "\n".join([*commits, f"^{end}", ""]).encode("ascii")
        for piece in _streamed(self._walk, "rev-list", "--stdin", stdin=question):
            *lines, line = (line + piece).split(b"\n")
            for one in lines:
                found.pop(one, None)
        return set(found.values())

    def begin(self, range_: Range) -> None:
        """Let git begin to tell of *range_*, a walk, and read ahead of `told`."""
        question = _question(range_)
        self._begun[question] = Ahead(_streamed(self._walk, *_LOG, stdin=question))

    def close(self) -> None:
        """End what has begun and was not read."""
        for ahead in self._begun.values():
            ahead.close()

    def told(self, range_: Range) -> "Iterator[list[Told]]":
        """
        Yield what git tells of each commit (id, parents with blanks between them, message), newest first, in pieces.

        `SetupError` if an object is not here or broken, or if the range goes beyond what a shallow clone has.
        """
        if not range_.tips:
            return
        question = _question(range_)
        if self._cut and not range_.alone:
            self._refuse_cut(question)
        rest: list[bytes] = [b""]
        git, walk = (self.objects, ("--no-walk=unsorted",)) if range_.alone else (self._walk, ())
        for piece in self._begun.pop(question, None) or _streamed(git, *_LOG, *walk, stdin=question):
            head, *tail = piece.split(b"\0")
            rest[-1] += head
            rest += tail
            whole = (len(rest) - 1) // _FIELDS * _FIELDS
            if whole:
                yield list(zip(rest[0:whole:3], rest[1:whole:3], rest[2:whole:3], strict=True))
                del rest[:whole]
        if rest != [b""]:
            raise SetupError("git's answer breaks off in the middle of a commit", hint="try again with a sound git")

    def _refuse_cut(self, question: bytes) -> None:
        roots = _listed(self._walk, "rev-list", "--stdin", "--max-parents=0", stdin=question)
        if not frozenset(self._cut.decode("ascii", "replace").split()).isdisjoint(roots):
            raise SetupError("these commits go beyond what this shallow clone has", hint=WHOLE)

    def batch(self, told: "Sequence[Told]") -> Batch:
        """Return as commits what was *told* of some, so that git is asked about all of them at once."""
        return Batch(self.objects, told)

    def _revisions(self, *names: str) -> list[str]:
        """Return what *names* stand for: full ids, with `^` before those that are left out."""
        return self._refs("rev-parse", "--revs-only", *names, "--").decode("ascii").split()


@contextmanager
def opened(place: "Place", environ: "Mapping[str, str]") -> "Iterator[History]":
    """Open the history of the clone at *place*; its commits answer while it is open, and nothing is written there."""
    try:
        room = TemporaryDirectory(prefix="ampcommit-")
    except OSError as error:
        raise _no_room(error) from error
    with room as path, closing(History(place, environ, path)) as history:
        yield history


def _no_room(error: OSError) -> SetupError:
    return SetupError(f"no temporary folder: {error.strerror}", hint="set TMPDIR to one that is writable")


def _listed(git: Git, *question: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> list[str]:
    """Return the ids with which *git* answers; `SetupError` if an object is not here or broken."""
    try:
        return git(*question, stdin=stdin, ok=ok, deadline=PATIENCE).decode("ascii").split()
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error


def _question(range_: Range) -> bytes:
    return "\n".join([*range_.revisions, ""]).encode("ascii")


def _streamed(git: Git, *question: str, stdin: bytes) -> "Generator[bytes]":
    """Yield git's answer as it comes; `SetupError` as above."""
    try:
        yield from git.stream(*question, stdin=stdin)
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error


def _furnish(room: str, object_format: str, cut: bytes) -> None:
    """Make of the folder *room* what git takes for a repository, cut off where the clone is."""
    # What the clone's objects/info/commit-graph says of parents and dates is not asked.
    core = "[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n\tcommitGraph = false\n"
    config = f"{core}[extensions]\n\tobjectFormat = {object_format}"
    files = {"HEAD": b"ref: refs/heads/none\n", "config": config.encode("ascii") + b"\n"}
    try:
        os.makedirs(os.path.join(room, "refs"))
        for name, content in (files | {"shallow": cut} if cut else files).items():
            with open(os.path.join(room, name), "wb") as file:
                file.write(content)
    except OSError as error:
        raise _no_room(error) from error
