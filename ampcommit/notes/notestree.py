"""
Trees of git notes: where the note of a commit stands, what stands in it, and the union of several trees.

The same notes give the same tree, whoever unites them in whatever order: it has the folders that git itself makes.
What is no note, and may have been put there by anybody, is kept where it can be; not under a name that is refused.
"""

import re
from collections import Counter
from itertools import groupby

from ampcommit.errors import GitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ampcommit.gitcmd import Git

    Entries = dict[bytes, bytes]

_NOTE = re.compile(rb"(?:[0-9a-f]{2}/)*[0-9a-f]+")
_FILE = b"100644 blob "
_HEX_DIGITS = 16
_REFUSED = re.compile(rb"(?:\.\.?|\.git.*|git~.*|.*[\\:].*|)", re.IGNORECASE | re.DOTALL)
"""Names that no git takes into a tree, on one system or another."""


def lines_of(text: bytes) -> list[bytes]:
    """Return the lines of a note, without line feeds and empty ones."""
    return [line for line in text.split(b"\n") if line]


def joined(lines: "Iterable[bytes]") -> bytes:
    """Return the one form that a note with these *lines* has: sorted, each once, as git's `cat_sort_uniq` writes it."""
    return b"".join([line + b"\n" for line in sorted(set(lines))])


def entries(git: "Git", tree: str) -> "Entries":
    """Return everything in *tree*: path -> mode, type and id."""
    return dict(_read(git, tree))


def _read(git: "Git", tree: str) -> "Iterator[tuple[bytes, bytes]]":
    rest = b""
    for piece in git.stream("ls-tree", "-r", "-z", "--full-tree", tree):
        *whole, rest = (rest + piece).split(b"\0")
        for one in whole:
            entry, _, path = one.partition(b"\t")
            yield path, entry


def note_of(path: bytes, entry: bytes) -> bytes | None:
    """Return the id of the object whose note stands at *path*; None for what is no note."""
    name = path.replace(b"/", b"")
    fits = len(name) == len(entry) - entry.rfind(b" ") - 1 and entry.startswith(b"100")
    return name if fits and _NOTE.fullmatch(path) else None


def listed(git: "Git", tree: str) -> list[bytes]:
    """Return all notes in *tree*, sorted: the name of the object, a blank, and the id of its note."""
    return sorted(
        name + entry[entry.rfind(b" ") :] for path, entry in _read(git, tree) if (name := note_of(path, entry))
    )


def is_refused(path: bytes) -> bool:
    """Say whether no git would take *path* into a work tree, on one system or another."""
    return _NOTE.fullmatch(path) is None and any(map(_REFUSED.fullmatch, path.split(b"/")))


def notes_in(tree: "Entries") -> dict[bytes, list[bytes]]:
    """Return the ids of the notes of each object; there may be several, in folders of different depth."""
    found: dict[bytes, list[bytes]] = {}
    for path, entry in tree.items():
        name = note_of(path, entry)
        if name:
            found.setdefault(name, []).append(_id(entry))
    return found


def depths(name: str) -> "Iterator[str]":
    """Yield every path at which the note of *name* can stand."""
    for digits in range(0, len(name), 2):
        yield "".join(f"{name[at : at + 2]}/" for at in range(0, digits, 2)) + name[digits:]


def contents(git: "Git", questions: "Sequence[bytes]", limit: int | None = None) -> "Iterator[tuple[int, bytes]]":
    """
    Yield size and bytes of each blob that *questions* name, in order; -1 for what is not here, or no blob.

    Of one with more bytes than *limit* only the size is told.
    """
    if not questions:
        return
    answer = _Answer(git.stream("cat-file", "--batch", "--buffer", stdin=b"\n".join([*questions, b""])))
    for _ in questions:
        kind, _, size = answer.line().partition(b" ")[2].partition(b" ")
        if not size.isdigit():
            yield -1, b""
            continue
        number = int(size)
        wanted = kind == b"blob" and (limit is None or number <= limit)
        text = answer.take(number + 1)[:-1] if wanted else answer.skip(number + 1)
        yield number if kind == b"blob" else -1, text


class _Answer:
    """What git says in *pieces*, read as lines and as bytes of a known number."""

    def __init__(self, pieces: "Iterator[bytes]") -> None:
        self._pieces = pieces
        self._held = b""
        self._at = 0

    def line(self) -> bytes:
        """Return the next line, without its line feed."""
        while (end := self._held.find(b"\n", self._at)) < 0:
            self._held, self._at = self._held[self._at :] + next(self._pieces), 0
        line, self._at = self._held[self._at : end], end + 1
        return line

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        if len(self._held) - self._at < size:
            pieces, here = [self._held[self._at :]], len(self._held) - self._at
            while here < size:
                pieces.append(next(self._pieces))
                here += len(pieces[-1])
            self._held, self._at = b"".join(pieces), 0
        self._at += size
        return self._held[self._at - size : self._at]

    def skip(self, size: int) -> bytes:
        """Pass over the next *size* bytes, and return none."""
        while len(self._held) - self._at < size:
            size -= len(self._held) - self._at
            self._held, self._at = next(self._pieces), 0
        self._at += size
        return b""


def places(names: "list[bytes]", taken: "Collection[bytes]" = ()) -> "Iterator[tuple[bytes, bytes]]":
    """
    Yield each of the sorted *names* with the path of its note, in the folders that git makes for so many.

    Git opens folders of two digits where at least two names begin with each digit. A folder whose path is *taken* by
    something else is not opened.
    """
    return _placed(names, taken, 0, b"")


def _placed(names: "list[bytes]", taken: "Collection[bytes]", at: int, above: bytes) -> "Iterator[tuple[bytes, bytes]]":
    counts = Counter(name[at : at + 1] for name in names)
    if len(counts) < _HEX_DIGITS or min(counts.values()) < 2:
        yield from ((name, above + name[at:]) for name in names)
        return
    for digits, group in groupby(names, key=lambda name: name[at : at + 2]):
        folder = above + digits
        if folder in taken:
            yield from ((name, above + name[at:]) for name in group)
        else:
            yield from _placed(list(group), taken, at + 2, folder + b"/")


class Union:
    """
    What *trees* and *additions*, lines by the name of their object, are together.

    `entries` are the paths and what stands there; where that is new, `texts` holds it. `GitError` where a note
    that must be read is not here.
    """

    def __init__(self, git: "Git", trees: "Sequence[Entries]", additions: "Mapping[bytes, Collection[bytes]]") -> None:
        self.entries: Entries = {}
        self.texts: dict[bytes, bytes] = {}
        others = _others(trees)
        found = _found(trees)
        texts = _mixed(git, found, additions)
        names = sorted(found.keys() | texts.keys())
        for name, path in places(names, others):
            if name in texts:
                self.texts[path] = texts[name]
                self.entries[path] = b""
            else:
                self.entries[path] = _FILE + min(found[name])
        self.entries = {
            path: entry for path, entry in others.items() if not _covered(path, self.entries)
        } | self.entries

    def commands(self, base: "Entries") -> list[bytes]:
        """Return what tells `git fast-import` how to make this of *base*; nothing where it is the same."""
        if any(map(is_refused, base)):  # which fast-import may not even remove
            said, base = [b"deleteall\n"], {}
        else:
            said = [b"D %b\n" % _quoted(path) for path in base if path not in self.entries]
        for path, entry in self.entries.items():
            if path in self.texts:
                said.append(b"M 100644 inline %b\ndata %d\n%b\n" % (path, len(self.texts[path]), self.texts[path]))
            elif base.get(path) != entry:
                mode, _, name = entry.split(b" ")
                said.append(b"M %b %b %b\n" % (mode, name, _quoted(path)))
        return said


def _found(trees: "Sequence[Entries]") -> dict[bytes, set[bytes]]:
    """Return the different notes that *trees* have of each object."""
    found: dict[bytes, set[bytes]] = {}
    for tree in trees:
        for name, blobs in notes_in(tree).items():
            found.setdefault(name, set()).update(blobs)
    return found


def _mixed(
    git: "Git", found: dict[bytes, set[bytes]], additions: "Mapping[bytes, Collection[bytes]]"
) -> dict[bytes, bytes]:
    """Return the notes that have to be written, and leave in *found* one note of each object that has it already."""
    mixed = [name for name, blobs in found.items() if len(blobs) > 1 or name in additions]
    asked = list(dict.fromkeys(blob for name in mixed for blob in sorted(found[name])))
    known = {}
    for blob, (size, text) in zip(asked, contents(git, asked), strict=True):
        if size < 0:
            raise GitError(f"the note {blob.decode()} is not here", hint="fetch the notes again, with --refetch")
        known[blob] = text
    texts = {}
    for name in dict.fromkeys([*mixed, *additions]):
        blobs = found.get(name, set())
        lines = {line for blob in blobs for line in lines_of(known[blob])}
        if len(blobs) == 1 and lines.issuperset(additions[name]):
            continue  # byte for byte, whoever wrote it
        texts[name] = joined(lines.union(additions.get(name, ())))
        same = [blob for blob in blobs if known[blob] == texts[name]]
        if same:
            found[name] = set(same)
            del texts[name]
    return texts


def _others(trees: "Sequence[Entries]") -> "Entries":
    """Return what is no note: of two things at one path the greater one, of a file and a folder the folder."""
    found: Entries = {}
    for tree in trees:
        for path, entry in tree.items():
            if not note_of(path, entry) and not is_refused(path):
                found[path] = max(entry, found.get(path, b""))
    folders = {folder for path in found for folder in _folders(path)}
    return {path: entry for path, entry in found.items() if path not in folders}


def _covered(path: bytes, notes: "Entries") -> bool:
    return path in notes or any(folder in notes for folder in _folders(path))


def _folders(path: bytes) -> "Iterator[bytes]":
    """Yield the folders in which *path* lies."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)


def _id(entry: bytes) -> bytes:
    return entry[entry.rfind(b" ") + 1 :]


def _quoted(path: bytes) -> bytes:
    """Return *path* as fast-import reads every byte of it."""
    return b'"%b"' % b"".join(b"\\%03o" % byte for byte in path)
