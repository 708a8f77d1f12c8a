"""
The notes that are here: shared records, and what was fetched from a remote, which is that remote's claim.

Whether there are any is read from files, so that a clone without notes asks git nothing.
"""

import os

from ampcommit.files import read_regular
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.fetching import FORK, named
from ampcommit.notes.shared import OVERSIZE, REF, REMOTES, Notes
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ampcommit.place import Place

    Signed = Callable[[bytes, Sequence[bytes]], str | None]  # who signed a line of a note; `LedgerError`: nobody well
    Trees = Callable[[Iterable[Sha]], Mapping[Sha, Sha]]

OWN, SHARED, CLAIM = "own", "shared", "claim"
"""Who tells: this clone's own ledger, a shared record, a claim that was fetched; see docs/record.md."""

KNOWN_BY = (OWN, SHARED, CLAIM)
"""The same, the best first."""

RANK = {known_by: number for number, known_by in enumerate(KNOWN_BY)}
"""The place of each among these."""

_NAMED = 8  # notes in one sentence
_SMALL = 4096
_PACKED = 256 * 1024 * 1024


class Line:
    """One line about a commit, who tells it, and for a claim the remote; `note` holds all lines of its note."""

    __slots__ = ("known_by", "note", "remote", "text")

    def __init__(
        self, text: bytes, known_by: str = OWN, remote: str | None = None, note: "Sequence[bytes]" = ()
    ) -> None:
        self.text = text
        self.known_by = known_by
        self.remote = remote
        self.note = note

    @property
    def whole(self) -> bytes:
        """The line with the fields that a shared one lacks: readers of the ledger insist on them."""
        return self.text if self.known_by == OWN else self.text.rstrip()[:-1] + b',"branch":null,"prev":null}'


class Shelf:
    """The notes under one ref: shared records, or the claims of a *remote*."""

    __slots__ = ("notes", "remote")

    def __init__(self, notes: Notes, remote: str | None = None) -> None:
        self.notes = notes
        self.remote = remote

    @property
    def known_by(self) -> str:
        """Whether what stands there is shared or a claim."""
        return SHARED if self.remote is None else CLAIM

    def of(self, commits: "Collection[Sha]") -> "Iterator[tuple[Sha, list[Line]]]":
        """Yield those of *commits* that have a note, with its lines; git is asked about all of them at once."""
        for commit, note in self.notes.of(commits).items():
            yield commit, self.lines(note)

    def lines(self, note: "Sequence[bytes]") -> list[Line]:
        """Return the lines of a *note* that stands here."""
        return [Line(text, self.known_by, self.remote, note) for text in note]

    def passed_over(self) -> str | None:
        """Return a sentence about the notes that were asked for and are too long to be read; None without any."""
        names = [commit[:12] for commit in dict.fromkeys(self.notes.oversized)]
        if not names:
            return None
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        whose = f", as fetched from {self.remote}" if self.remote else ""
        return f"a note of more than {OVERSIZE >> 20} MiB was not read, of: {', '.join(names[:_NAMED])}{more}{whose}"


def shelves(place: "Place", environ: "Mapping[str, str]") -> list[Shelf]:
    """Return the notes that are here, the shared ones first; a remote that has nothing else is left out."""
    refs = _refs(place, environ)
    git = Git(place.git_dir, clean(environ, place.git_dir))
    found = [Shelf(Notes(git, REF))] if REF in refs else []
    for ref in sorted(refs.keys() - {REF}):
        if refs[ref] != refs.get(REF) or ref == REMOTES + FORK:
            found.append(Shelf(Notes(git, ref), named(ref)))
    return found


def passed_over(shelves: "Iterable[Shelf]") -> list[str]:
    """Return a sentence for each of the *shelves* with notes that were asked for and are too long to be read."""
    return [said for shelf in shelves if (said := shelf.passed_over())]


def trees(place: "Place", environ: "Mapping[str, str]") -> "Trees":
    """Return what tells the trees of commits, of those that are here."""
    git = Git(place.git_dir, clean(environ, place.git_dir))
    question = ("log", "--no-walk=unsorted", "--ignore-missing", "--no-show-signature", "--format=%H %T", "--stdin")

    def answer(commits: "Iterable[Sha]") -> dict[Sha, Sha]:
        asked = "".join(f"{commit}\n" for commit in commits)
        if not asked:
            return {}  # git would take that for HEAD
        told = git(*question, stdin=asked.encode("ascii"), deadline=60).decode("ascii").split()
        return {Sha(commit): Sha(tree) for commit, tree in zip(told[::2], told[1::2], strict=True)}

    return answer


def _refs(place: "Place", environ: "Mapping[str, str]") -> dict[str, bytes]:
    """Return the refs with notes of ours, and what each of them names."""
    if os.path.lexists(os.path.join(place.common_dir, "reftable")):
        git = Git(place.git_dir, clean(environ, place.git_dir))
        listed = git("for-each-ref", "--format=%(objectname) %(refname)", REF, REMOTES)
        return _named(listed)
    packed = read_regular(os.path.join(place.common_dir, "packed-refs"), _PACKED) or b""
    found = _named(packed) if REF.encode("ascii") in packed else {}
    for path in _loose(place.common_dir):
        value = (read_regular(os.path.join(place.common_dir, path), _SMALL) or b"").strip()
        if value and not path.endswith(".lock"):
            found[path] = value
    return found


def _named(listed: bytes) -> dict[str, bytes]:
    """Return our refs among *listed* ones, lines of an id and a name."""
    pairs = (line.partition(b" ") for line in listed.split(b"\n"))
    named = ((os.fsdecode(name), value) for value, _, name in pairs)
    return {name: value for name, value in named if name == REF or name.startswith(REMOTES)}


def _loose(common_dir: str) -> "Iterator[str]":
    """Yield the names of our refs that are files of their own."""
    yield REF
    for folder, _, names in os.walk(os.path.join(common_dir, REMOTES)):
        yield from (os.path.relpath(os.path.join(folder, name), common_dir) for name in names)
