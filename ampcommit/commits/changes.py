"""What many commits change, to be compared: by whom and when, of which tree, with which patch."""

import re

from ampcommit.batch import LACKING, PATIENCE
from ampcommit.errors import GitError, SetupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ampcommit.gitcmd import Git

_KINDS = ("cat-file", "--batch-check", "--buffer")
_CHANGES = ("diff-tree", "--stdin", "-r", "--root", "--no-renames", "--no-ext-diff", "--no-textconv")
_RAW = (*_CHANGES, "--raw", "--no-abbrev")
_DIFFS = (*_CHANGES, "-p", "--full-index")
_NEXT = re.compile(rb"\n(?=[0-9a-f]{40}(?:[0-9a-f]{24})?\n)")  # lines of a diff begin otherwise
_BINARY = re.compile(rb"^index (\S+)[^\n]*\nBinary files ", re.MULTILINE)
_FILES = (b"10", b"12")  # modes of files and links; the commit of a submodule lies elsewhere

_NO_FILES = {
    40: b"4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: b"6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The tree without files, which a root commit changes, by the length of ids."""


class Head:
    """
    What a commit object says above its message.

    `author` is the whole line, with the date, empty if it has none; `made` is the committer's time (Unix time; 0
    if it does not tell).
    """

    __slots__ = ("author", "commit", "made", "parents", "tree")

    def __init__(self, commit: bytes, tree: bytes, parents: list[bytes], author: bytes, made: int) -> None:
        self.commit = commit
        self.tree = tree
        self.parents = parents
        self.author = author
        self.made = made


def heads(git: "Git", commits: "Iterable[bytes]") -> "Iterator[Head | None]":
    """Yield what git has of each of *commits*, in order; None for one that is not here, or is no commit."""
    question = bytearray()
    for commit in commits:
        question += commit + b"\n"
    rest = b""
    try:
        for piece in git.stream("cat-file", "--batch", "--buffer", stdin=bytes(question)) if question else ():
            rest += piece
            at = 0
            while (end := rest.find(b"\n", at)) >= 0:
                name, kind, *size = rest[at:end].split(b" ")
                stop = end + 2 + int(size[0]) if size else end + 1  # a line feed follows each object
                if stop > len(rest):
                    break
                yield _head(name, rest[end + 1 : stop - 1]) if kind == b"commit" else None
                at = stop
            rest = rest[at:]
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error


def _head(commit: bytes, text: bytes) -> Head:
    fields = [line.partition(b" ") for line in text.partition(b"\n\n")[0].split(b"\n")]
    parents = [value for key, _, value in fields if key == b"parent"]
    people = {key: value for key, _, value in reversed(fields) if key in (b"author", b"committer")}
    made = people.get(b"committer", b"").split(b" ")[-2:-1]
    time = int(made[0]) if made and made[0].isdigit() and len(made[0]) < 20 else 0
    return Head(commit, fields[0][2], parents, people.get(b"author", b""), time)


def bases(git: "Git", commits: list[Head]) -> dict[bytes, bytes]:
    """Return for each of *commits* the tree that it changes; none for a merge, and where its parent is not here."""
    parents = list(dict.fromkeys(head.parents[0] for head in commits if len(head.parents) == 1))
    trees = {head.commit: head.tree for head in heads(git, parents) if head}
    found = {head.commit: trees.get(head.parents[0]) for head in commits if len(head.parents) == 1}
    found |= {head.commit: _NO_FILES[len(head.commit)] for head in commits if not head.parents}
    return {commit: tree for commit, tree in found.items() if tree}


def patches(git: "Git", commits: list[bytes]) -> dict[bytes, bytes]:
    """
    Return what `git patch-id --stable` says of each of *commits* whose change can be read.

    The same for two commits whose changes differ in line numbers, blanks and the order of files at most.
    """
    found = {}
    for diffs in _answers(git, _DIFFS, _whole(git, commits)):
        listed = git("patch-id", "--stable", stdin=diffs, deadline=PATIENCE).split()
        ids = dict(zip(listed[1::2], listed[::2], strict=True))
        for commit, diff in _parted(diffs):
            # git passes over what stands behind a NUL and, before 2.39, over what is in files that are no text.
            if commit in ids and b"\0" not in diff:
                found[commit] = b" ".join([ids[commit], *_BINARY.findall(diff)])
    return found


def _whole(git: "Git", commits: list[bytes]) -> list[bytes]:
    """Return those of *commits* whose files are here: in a partial clone git ends at the first that is not."""
    files: dict[bytes, set[bytes]] = {}
    changed: set[bytes] = set()
    for answer in _answers(git, _RAW, commits):
        for line in answer.split(b"\n")[:-1]:
            if line.startswith(b":"):
                mode, new_mode, file, new_file, _ = line[1:].split(b" ", 4)
                changed |= {one for kind, one in ((mode, file), (new_mode, new_file)) if kind.startswith(_FILES)}
            else:
                changed = files[line] = set()
    asked = sorted(set().union(*files.values()))
    lines = [line for answer in _answers(git, _KINDS, asked) for line in answer.split(b"\n")]
    lacking = {line.partition(b" ")[0] for line in lines if line.endswith(b" missing")}
    return [commit for commit, named in files.items() if named.isdisjoint(lacking)]


def _answers(git: "Git", question: tuple[str, ...], lines: list[bytes]) -> "Iterator[bytes]":
    """Yield git's answer about *lines*, in pieces where it is more than we read at once, and without what fails."""
    if not lines:
        return
    try:
        yield git(*question, stdin=b"\n".join([*lines, b""]), deadline=PATIENCE)
    except GitError:
        half = len(lines) // 2
        if half:
            yield from _answers(git, question, lines[:half])
            yield from _answers(git, question, lines[half:])


def _parted(diffs: bytes) -> "Iterator[tuple[bytes, bytes]]":
    """Yield each commit in git's answer with its diff."""
    start = 0
    for end in (*(found.end() for found in _NEXT.finditer(diffs)), len(diffs)):
        commit, _, diff = diffs[start:end].partition(b"\n")
        yield commit, diff
        start = end
