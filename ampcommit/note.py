"""
What `commit-msg` leaves for `post-commit`: it lies in the work tree's own git dir, each note replaces the last.

Lines of a name and its values, an empty line, then the message as git should keep it. The one
line `skip <pid>` is written by the shims alone; it tells their `post-commit` to start nothing.
"""

import os

from ampcommit.errors import RecordError
from ampcommit.files import make_own_folder, read_regular, remove, write_atomic
from ampcommit.record import Sha, ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.place import Place

LIMIT = 16 * 1024 * 1024
"""Bytes of a message that we look at; a longer one passes unchecked, with a word about it."""

_FEED = "\n"


class Note:
    """What `commit-msg` saw: where the commit was about to go, the thread, its chain, and the verdict."""

    __slots__ = ("chain", "chain_state", "head", "links", "message", "pid", "repo", "resolve", "source", "validated")

    def __init__(
        self,
        *,
        pid: int,
        head: Sha | None,
        links: list[ThreadId],
        source: str,
        validated: bool,
        chain: list[ThreadId],
        chain_state: str,
        repo: str | None,
        resolve: bool,
        message: bytes,
    ) -> None:
        self.pid = pid
        self.head = head
        self.links = links
        self.source = source
        self.validated = validated
        self.chain = chain
        self.chain_state = chain_state
        self.repo = repo
        self.resolve = resolve  # may Amp be asked for the chain, behind the commit's back?
        self.message = message

    def leave(self, place: "Place") -> None:
        """Write the note, in place of any other."""
        lines = [
            f"pid {self.pid}",
            f"head {self.head or ''}",
            f"links {' '.join(self.links)}",
            f"source {self.source}",
            f"validated {int(self.validated)}",
            f"chain {' '.join(self.chain)}",
            f"chain_state {self.chain_state}",
            f"repo {(self.repo or '').partition(_FEED)[0]}",
            f"resolve {int(self.resolve)}",
            "\n",
        ]
        make_own_folder(place.private)
        text = "\n".join(lines).encode("utf-8", "surrogateescape")
        write_atomic(_path(place), text + self.message, mode=0o600)


def skip(place: "Place", pid: int) -> None:
    """Tell the shim of `post-commit` that there is nothing to record of the commit that process *pid* makes."""
    make_own_folder(place.private)
    write_atomic(_path(place), f"skip {pid}\n".encode(), mode=0o600)


def take(place: "Place") -> Note | None:
    """Return the note and remove it: it is used once. None if there is none, or it cannot be understood."""
    left = read(_path(place))
    discard(place)
    return left


def read(path: str) -> Note | None:
    """Return the note in the file *path*, which stays; None if there is none, or it cannot be understood."""
    content = read_regular(path, LIMIT + 65536)
    if content is None:
        return None
    head, separator, message = content.partition(b"\n\n")
    if not separator:
        return None
    fields = dict(line.partition(" ")[::2] for line in head.decode("utf-8", "surrogateescape").split("\n"))
    if not fields.get("links"):
        return None
    try:
        return Note(
            pid=int(fields["pid"]),
            head=Sha(fields["head"]) if fields["head"] else None,
            links=[ThreadId(link) for link in fields["links"].split()],
            source=fields["source"],
            validated=fields["validated"] == "1",
            chain=[ThreadId(thread) for thread in fields["chain"].split()],
            chain_state=fields["chain_state"],
            repo=fields["repo"] or None,
            resolve=fields["resolve"] == "1",
            message=message,
        )
    except (KeyError, ValueError, RecordError):
        return None


def discard(place: "Place") -> None:
    """Remove the note, if there is one."""
    remove(_path(place))


def _path(place: "Place") -> str:
    return os.path.join(place.private, "note")
