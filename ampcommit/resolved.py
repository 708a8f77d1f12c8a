"""A chain that became known after its commit was recorded: the ledger's kind `chain`; see docs/record.md."""

from ampcommit.errors import RecordError
from ampcommit.record import VERSION, ThreadId, as_list, as_text, as_text_or_none, canonical, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self


class Resolved:
    """
    What was learned of the threads behind *thread*.

    `chain` and `chain_state` are those of a record; `parents` holds the parents of each thread of the
    chain whose parents are known, and `source` says who told of the thread itself.
    """

    __slots__ = ("by", "chain", "chain_state", "parents", "prev", "source", "thread", "time")

    def __init__(
        self,
        *,
        thread: ThreadId,
        chain: list[ThreadId],
        chain_state: str,
        parents: dict[ThreadId, list[ThreadId]],
        source: str,
        time: str,
        by: str,
        prev: str | None = None,
    ) -> None:
        self.thread = thread
        self.chain = chain
        self.chain_state = chain_state
        self.parents = parents
        self.source = source
        self.time = time
        self.by = by
        self.prev = prev

    def to_bytes(self) -> bytes:
        """Return the one line that stands for this, without its line feed."""
        fields = {
            "v": VERSION,
            "kind": "chain",
            "thread": self.thread,
            "chain": self.chain,
            "chain_state": self.chain_state,
            "parents": self.parents,
            "source": self.source,
            "time": self.time,
            "by": self.by,
            "prev": self.prev,
        }
        return canonical(fields)

    def repeats(self, recent: bytes) -> bool:
        """Say whether the last of the *recent* lines tells the same chain."""
        try:
            said = self.from_bytes(recent.removesuffix(b"\n").rpartition(b"\n")[2])
        except RecordError:
            return False
        return (said.thread, said.chain, said.chain_state) == (self.thread, self.chain, self.chain_state)

    @classmethod
    def from_bytes(cls, line: bytes) -> "Self":
        """Read one line of kind `chain`; fields that this version does not know are ignored."""
        fields = parsed(line)
        try:
            if fields["kind"] != "chain":
                raise RecordError("a line is of another kind")
            known = fields["parents"]
            if not isinstance(known, dict):
                raise RecordError("a field of a record has the wrong type")
            return cls(
                thread=ThreadId(as_text(fields["thread"])),
                chain=_threads(fields["chain"]),
                chain_state=as_text(fields["chain_state"]),
                parents={ThreadId(thread): _threads(parents) for thread, parents in known.items()},
                source=as_text(fields["source"]),
                time=as_text(fields["time"]),
                by=as_text(fields["by"]),
                prev=as_text_or_none(fields["prev"]),
            )
        except KeyError as error:
            raise RecordError(f"a record lacks the field {error}") from error


def resolutions(lines: "Iterable[bytes]") -> "Iterator[Resolved]":
    """Yield what those of *lines* say that are of kind `chain`; damaged ones are for `ledger check` to report."""
    for line in lines:
        try:
            yield Resolved.from_bytes(line)
        except RecordError:
            continue


def edges(lines: "Iterable[bytes]") -> dict[ThreadId, list[ThreadId]]:
    """Return the parents of each thread that *lines* tell of; a later line wins."""
    found: dict[ThreadId, list[ThreadId]] = {}
    for told in resolutions(lines):
        found.update(told.parents)
    return {thread: list(dict.fromkeys(parents)) for thread, parents in found.items()}


def _threads(value: object) -> list[ThreadId]:
    return [ThreadId(as_text(thread)) for thread in as_list(value)]
