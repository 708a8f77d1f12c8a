"""In which threads the work of another one went on, and from when on, as the ledger and shared records tell."""

import re
from datetime import datetime
from functools import cached_property

from ampcommit.errors import LedgerError
from ampcommit.notes.noted import SHARED
from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

    from ampcommit.ledger import Ledger
    from ampcommit.notes.noted import Shelf, Signed
    from ampcommit.record import Sha

_MARGIN = 60.0  # seconds: a commit and the id of a thread are dated by two clocks
_TRIES = 16
# The text of a JSON string has its quotation marks escaped: it cannot look like this.
_CHAIN = re.compile(rb'"chain":\["(T-[0-9a-f-]{36})",("T-[^\]]*)\]')
_PARENTS = re.compile(rb'"(T-[0-9a-f-]{36})":\[("T-[^\]]*)\]')


class _Later:
    """A thread that came of another one, when it *began*, and the commit in whose note that stands."""

    __slots__ = ("began", "note", "thread")

    def __init__(self, began: float, thread: ThreadId, note: "Sha | None") -> None:
        self.began = began
        self.note = note
        self.thread = thread


class Handoffs:
    """
    What is known of threads that came of others; it is read at the first question.

    With *signed*, what only somebody who did not sign says does not count, and nor does the clone's own *ledger*.
    """

    def __init__(self, ledger: "Ledger", shelves: "Sequence[Shelf]", signed: "Signed | None" = None) -> None:
        self._ledger = ledger
        self._shared = next((shelf for shelf in shelves if shelf.known_by == SHARED), None)
        self._signed = signed

    def before(self, thread: ThreadId, time: str) -> ThreadId | None:
        """Return the first thread in which the work of *thread* had gone on by *time*; None if none is known."""
        until = _seconds(time) - _MARGIN
        after = [one for one in self._known.get(thread.encode("ascii"), ()) if one.began < until]
        after.sort(key=lambda one: one.began)
        if self._signed and self._shared and after:
            notes = self._shared.notes.of([one.note for one in after[:_TRIES] if one.note])
            after = [
                one for one in after if one.note in notes and _is_signed(notes[one.note], one, thread, self._signed)
            ]
        return after[0].thread if after else None

    @cached_property
    def _known(self) -> dict[bytes, list[_Later]]:
        """The threads that came of each thread; without signatures to look at, the first one is enough."""
        found: dict[bytes, list[_Later]] = {}
        for note, later, earlier in self._pairs():
            thread = ThreadId.maybe(later.decode("ascii"))
            began = thread.began if thread else None
            if thread and began is not None:
                for one in earlier.split(b'"')[1::2]:
                    known = found.setdefault(one, [])
                    known.append(_Later(began, thread, note))
                    if not self._signed:
                        known[:] = [min(known, key=lambda one: one.began)]
        return found

    def _pairs(self) -> "Iterator[tuple[Sha | None, bytes, bytes]]":
        """Yield a thread, and in quotation marks some that it came from, with the commit of the note that says so."""
        if not self._signed:
            yield from ((None, *pair) for pair in _told_in(self._ledger.whole()))
        for note, text in self._shared.notes.texts() if self._shared else ():
            yield from ((note, *pair) for pair in _told_in(text))


def _told_in(text: "bytes | mmap") -> "Iterator[tuple[bytes, bytes]]":
    for form in (_CHAIN, _PARENTS):
        yield from ((told[1], told[2]) for told in form.finditer(text))


def _is_signed(note: "Sequence[bytes]", later: _Later, thread: ThreadId, signed: "Signed") -> bool:
    """Say whether somebody signed a line of *note* that tells it: that it names both threads is not enough."""
    for line in note:
        try:
            if _tells(line, later.thread.encode("ascii"), b'"%b"' % thread.encode("ascii")) and signed(line, note):
                return True
        except LedgerError:
            continue  # one bad signature; another line may have a good one
    return False


def _tells(line: bytes, later: bytes, earlier: bytes) -> bool:
    """Say whether *line* tells that the work of *earlier*, in quotation marks, went on in *later*."""
    return any(told == later and earlier in olds for told, olds in _told_in(line))


def _seconds(time: str) -> float:
    """Return a record's time in seconds since 1970; one that says none lies before everything."""
    try:
        return datetime.fromisoformat(time).timestamp() if time.endswith("Z") else 0.0
    except (ValueError, OverflowError):
        return 0.0
