"""
Lines of kind `head`: how far the ledger of a clone had come when it was shared; made, and compared with the ledger.

A clone is known to others by a random number, which stands in a file of its own.
"""

import os
import re
import secrets

from ampcommit.files import Lock, entered, make_own_folder, read_regular, write_atomic
from ampcommit.ledger import digest
from ampcommit.record import BY, VERSION, canonical, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ampcommit.ledger import Ledger
    from ampcommit.place import Place

START = b'{"v":1,"kind":"head","clone":"'
"""How such a line begins."""

_HEAD = re.compile(
    rb'\{"v":1,"kind":"head","clone":"([0-9a-f]{32})","count":([1-9]\d{0,15}),"digest":"(sha256:[0-9a-f]{64})".*\}'
)
_CLONE_LIMIT = 64


def head(clone: str, count: int, last: bytes) -> bytes:
    """Return the line that says how far the ledger of *clone* has come: *count* lines, and the digest of the *last*."""
    fields = {"v": VERSION, "kind": "head", "clone": clone, "count": count, "digest": digest(last)}
    return canonical(fields | {"time": moment(), "by": BY})


def number_of(place: "Place") -> str:
    """Return the number by which others know this clone; it is made where there is none."""
    path, mode = _file(place), place.mode()
    if not known_number(place):
        make_own_folder(place.state, entered(mode))
        with Lock(f"{path}.lock", mode=mode):
            if not known_number(place):  # nobody was faster
                write_atomic(path, secrets.token_hex(16).encode("ascii") + b"\n", mode=mode)
    return known_number(place)


def known_number(place: "Place") -> str:
    """Return the number of this clone, nothing if it has none yet."""
    kept = (read_regular(_file(place), _CLONE_LIMIT) or b"").decode("ascii", "replace").strip()
    return kept if re.fullmatch("[0-9a-f]{32}", kept) else ""


def contradicted(ledger: "Ledger", place: "Place", lines: "Iterable[bytes]") -> list[str]:
    """Return, in a sentence at most, how heads of this clone among *lines* of notes contradict the *ledger*."""
    told = _told(known_number(place), lines)
    wrong, count = [], 0
    for count, line in enumerate(ledger.lines() if told else (), 1):
        if count in told and told.pop(count) != {digest(line)}:
            wrong.append(count)
    if not wrong and not told:
        return []
    first = f"line {wrong[0]} of the ledger was another one" if wrong else ""
    first = first or f"the ledger had {max(told)} lines, and has {count}"
    why = "it was rewritten, or replaced, or somebody who may push notes made that up"
    return [
        f"notes tell that {first}: {why}; if you replaced it, remove {_file(place)}: then this is a clone of its own"
    ]


def _told(clone: str, lines: "Iterable[bytes]") -> dict[int, set[str]]:
    """Return what heads of *clone* among *lines* tell: the digests of a line of the ledger, by its number."""
    told: dict[int, set[str]] = {}
    for line in lines:
        found = _HEAD.fullmatch(line)
        if found and found[1] == clone.encode("ascii"):
            told.setdefault(int(found[2]), set()).add(found[3].decode("ascii"))
    return told


def _file(place: "Place") -> str:
    return os.path.join(place.state, "clone")
