"""
Shared records: lines of git notes under `refs/notes/ampcommit`; what of the ledger they are, read, united.

Git is asked with nobody's settings here: each `Git` that is handed in has an environment made by `gitcmd.clean`.
docs/sharing.md says which fields leave the machine.
"""

import json
import os
import time
from bisect import bisect_left
from contextlib import ExitStack
from functools import cached_property, lru_cache
from itertools import groupby
from operator import itemgetter

from ampcommit.errors import GitError, LedgerError, RecordError
from ampcommit.files import Lock, entered, make_own_folder
from ampcommit.notes.moving import moved, tip_of
from ampcommit.notes.notestree import Union, contents, depths, entries, is_refused, lines_of, listed
from ampcommit.record import (
    VERSION,
    Sha,
    ThreadId,
    as_flag,
    as_list,
    as_text,
    as_text_or_none,
    canonical,
    parsed,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from ampcommit.gitcmd import Git
    from ampcommit.place import Place

REF = "refs/notes/ampcommit"
"""The notes that a team shares."""

REMOTES = "refs/notes/ampcommit-remote/"
"""Before the name of a remote: its notes as they were fetched; `fork` for what a fork claims."""

OVERSIZE = 1 << 20
"""Bytes of a note above which it is not read: a record of ours takes a few hundred."""

PATIENCE = 30.0
"""Seconds that a writer waits for those who write notes at the same moment."""

_BUSY = "it may be sharing many records; if it hangs, end it, then run this again"
_FEW = 64  # commits up to which git looks for each note by itself; for more of them all names are listed
_TRIES = 5
_WHO = b"ampcommit <share@ampcommit.invalid>"  # of the commits of the notes: who shares is nobody's business
_ASIDE = b"refs/ampcommit/union"  # fast-import's name for what it makes; no such ref comes to be


known_thread = lru_cache(1 << 12)(ThreadId)
"""An id of a thread as `ThreadId` reads it, quicker for those read lately: most records name one of these."""


def _shas(value: object) -> list[Sha]:
    return [Sha(as_text(one)) for one in as_list(value)]


def _threads(value: object) -> list[ThreadId]:
    return [_thread(one) for one in as_list(value)]


def _parents(value: object) -> dict[ThreadId, list[ThreadId]]:
    if not isinstance(value, dict):
        raise RecordError("a field of a record has the wrong type")
    return {ThreadId(thread): _threads(parents) for thread, parents in value.items()}


def _sha(value: object) -> Sha:
    return Sha(as_text(value))


def _thread(value: object) -> ThreadId:
    return known_thread(as_text(value))


_CHAIN: "dict[str, Callable[[object], Any]]" = {"chain": _threads, "chain_state": as_text}
_KNOWN: "dict[str, Callable[[object], Any]]" = {"source": as_text, "time": as_text, "by": as_text}

FIELDS: "dict[str, dict[str, Callable[[object], Any]]]" = {
    "commit": {
        "commit": _sha,
        "tree": _sha,
        "parents": _shas,
        "thread": _thread,
        "links": _threads,
        **_CHAIN,
        "source": as_text,
        "validated": as_flag,
        "repo": as_text_or_none,
        "time": as_text,
        "by": as_text,
    },
    "rewrite": {"old": _sha, "new": _sha, "command": as_text_or_none, **_KNOWN},
    "carry": {"new": _sha, "commits": _shas, **_KNOWN},
    "chain": {"thread": _thread, **_CHAIN, "parents": _parents, **_KNOWN},
}
"""What leaves the machine, behind `v` and `kind`, by kind: fields in their order, and how each is read."""

ON = {"commit": "commit", "rewrite": "new", "carry": "new"}
"""The field that names the commit in whose note a line stands, by kind."""

_UNSHARED = {"commit": ("rebuilt",), "rewrite": ("tree", "patch-id")}
"""Sources of lines that anybody can put together again, or that are guesses."""


def shareable(line: bytes) -> "tuple[dict[str, Any], bytes] | None":
    """Return what of a *line* of the ledger is shared: its fields, and its one form; None for what never is."""
    try:
        fields = parsed(line)
        kind = fields.get("kind")
        if fields.get("v") != VERSION or not isinstance(kind, str) or kind not in FIELDS:
            return None
        told: dict[str, Any] = {"v": VERSION, "kind": kind} | {
            name: read(fields[name]) for name, read in FIELDS[kind].items()
        }
    except (RecordError, KeyError):
        return None  # damaged: `ledger check` reports it
    return None if told["source"] in _UNSHARED.get(kind, ()) else (told, _line(told))


def publishable(line: bytes) -> tuple[Sha, bytes] | None:
    """Return what of a *line* of the ledger is shared, and of which commit it tells; None for what tells of none."""
    told = shareable(line)
    on = ON.get(told[0]["kind"]) if told else None
    return (told[0][on], told[1]) if told and on else None


def _line(fields: "dict[str, Any]") -> bytes:
    """Return the canonical bytes of *fields*; json is quicker at what both of us write alike."""
    text = json.dumps(fields, separators=(",", ":"))
    return canonical(fields) if "\\" in text or "\x7f" in text else text.encode("ascii")


class Notes:
    """
    The notes under *ref*, as they were at the first question; a ref that is not there has none.

    `oversized` names the commits whose note was passed over because it is too long to be ours.
    """

    def __init__(self, git: "Git", ref: str = REF) -> None:
        self._git = git
        self._ref = ref
        self._asked = 0
        self.oversized: list[Sha] = []

    @cached_property
    def tip(self) -> Sha | None:
        """The commit that the ref names."""
        return tip_of(self._git, self._ref)

    def of(self, commits: "Iterable[Sha]") -> dict[Sha, list[bytes]]:
        """Return the lines of the notes of *commits*, sorted; whether these are here does not matter."""
        names = list(dict.fromkeys(commits))
        self._asked += len(names)
        if not self.tip:
            return {}
        if self._asked > _FEW:
            return dict(self._lines([one for name in names for one in self._known_of(name)]))
        asked = [f"{name} {self.tip}:{path}".encode("ascii") for name in names for path in depths(name)]
        return dict(self._lines(asked))

    def everything(self) -> "Iterator[tuple[Sha, list[bytes]]]":
        """Yield each commit that has a note, in the order of their ids, and its lines."""
        yield from self._lines(self.known)

    def texts(self) -> "Iterator[tuple[Sha, bytes]]":
        """Yield the same as it stands there, for who searches it: where a commit has several notes, each by itself."""
        yield from self._texts(self.known)

    def beyond(self, other: "Notes") -> "Iterator[tuple[Sha, list[bytes]]]":
        """Yield each commit of which these notes say what *other* does not, where that can be read, and those lines."""
        mine = sorted(set(self.known).difference(other.known))
        theirs = other.of(map(_commit, mine))
        for commit, lines in self._lines(mine):
            if commit not in other.oversized and (new := sorted(set(lines).difference(theirs.get(commit, ())))):
                yield commit, new

    @cached_property
    def known(self) -> list[bytes]:
        """All notes, sorted: each the commit, a blank, and the id of the note; a hundred thousand take 14 MB."""
        return listed(self._git, self.tip) if self.tip else []

    def _known_of(self, commit: Sha) -> "Iterator[bytes]":
        """Yield the notes of *commit*; there may be several, in folders of different depth."""
        start = commit.encode("ascii") + b" "
        for at in range(bisect_left(self.known, start), len(self.known)):
            if not self.known[at].startswith(start):
                return
            yield self.known[at]

    def _lines(self, asked: "list[bytes]") -> "Iterator[tuple[Sha, list[bytes]]]":
        """Yield the lines of each commit; notes of one commit stand behind each other in what is *asked*."""
        for commit, notes in groupby(self._texts(asked), key=itemgetter(0)):
            if lines := {line for _, text in notes for line in lines_of(text)}:
                yield commit, sorted(lines)

    def _texts(self, asked: "list[bytes]") -> "Iterator[tuple[Sha, bytes]]":
        """Yield the notes that are *asked* for: each a commit, a blank, and what names its note for git."""
        told = contents(self._git, [one.partition(b" ")[2] for one in asked], OVERSIZE)
        for one, (size, text) in zip(asked, told, strict=True):
            if size > OVERSIZE:
                self.oversized.append(_commit(one))
            elif text:
                yield _commit(one), text


def _commit(listed: bytes) -> Sha:
    return Sha(listed.partition(b" ")[0].decode("ascii"))


def unite(  # noqa: PLR0917  # in the order in which one tells of it
    git: "Git",
    place: "Place",
    ref: str,
    additions: "Mapping[Sha, Collection[bytes]]",
    parents: "Sequence[Sha]" = (),
    message: str = "Share records",
    *,
    patience: float = PATIENCE,
) -> Sha | None:
    """
    Make *ref* the union of what it is, of the notes at *parents*, and of *additions*: lines by commit.

    Return what it is now; None where it was that before. It is written under a lock, and the ref moves only from
    where it was seen: `GitError` where others, who do not know the lock, move it again and again.
    """
    make_own_folder(place.state, entered(place.mode()))
    added = {commit.encode("ascii"): lines for commit, lines in additions.items() if lines}
    with ExitStack() as held:
        try:
            held.enter_context(Lock(os.path.join(place.state, "share.lock"), patience=patience, mode=place.mode()))
        except LedgerError as error:
            raise LedgerError(str(error), hint=_BUSY) from error
        for _ in range(_TRIES):
            tip = tip_of(git, ref)
            new = _united(git, tip, [*filter(None, [tip]), *parents], added, message)
            if new is None or new == tip or moved(git, ref, tip, new, message):
                return None if new == tip else new
    raise GitError(f"others keep moving {ref}", hint="run this again")


def _united(
    git: "Git", tip: Sha | None, heads: "list[Sha]", added: "dict[bytes, Collection[bytes]]", message: str
) -> Sha | None:
    """Return a commit with the notes of all *heads* and what is *added*; None without any. Ours is at *tip*."""
    heads = list(dict.fromkeys(heads))
    if len(heads) > 1:
        heads = [Sha(one) for one in git("merge-base", "--independent", *heads).decode("ascii").split()]
    if not added and heads in ([], [tip]):
        return tip
    trees = {head: entries(git, head) for head in heads}
    heads.sort(key=lambda head: len(trees[head]), reverse=True)  # the less is to be written
    union = Union(git, [trees[head] for head in heads], added)
    if len(heads) == 1 and not union.texts and not any(map(is_refused, trees[heads[0]])):
        return heads[0]
    text = message.encode("utf-8", "backslashreplace")
    said = [b"commit %b\nmark :1\ncommitter %b %d +0000\n" % (_ASIDE, _WHO, time.time())]
    said.append(b"data %d\n%b\n" % (len(text), text))
    said += [b"%b %b\n" % (b"merge" if at else b"from", head.encode("ascii")) for at, head in enumerate(heads)]
    said += union.commands(trees[heads[0]] if heads else {})
    said.append(b"get-mark :1\nreset %b\n\ndone\n" % _ASIDE)
    # It moves no ref, but tells hooks about refs all the same.
    made = b"".join(
        git.stream(
            "-c", f"core.hooksPath={os.devnull}", "fast-import", "--quiet", "--done", "--force", stdin=b"".join(said)
        )
    )
    return Sha(made.decode("ascii").strip())
