"""A commit that carries the work of others: the kind `carry` of ledger and notes; see docs/record.md."""

from ampcommit.errors import RecordError
from ampcommit.record import BY, VERSION, Sha, as_list, as_text, as_text_or_none, canonical, moment, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

RANGE, MESSAGE, TREE, PATCH, REF = "range", "message", "tree", "patch-id", "ref"
"""How it is known (`source`): a person named the range, or what the branch has in common with the commit."""

MOST = 5_000
"""Commits that one line names at most: with ids of SHA-256 a third of what a note may have."""


class Carry:
    """
    The commit *new* was made of *commits*, which a branch had, oldest first.

    `source` says how that is known: somebody named the `range`, or the branch has the same links as the `message`,
    the same `tree` or the same `patch-id`, or it is the `ref` that the message names. `time` is now unless it is
    given.
    """

    __slots__ = ("by", "commits", "new", "prev", "source", "time")

    def __init__(
        self,
        *,
        new: Sha,
        commits: list[Sha],
        source: str,
        time: str | None = None,
        by: str = BY,
        prev: str | None = None,
    ) -> None:
        self.new = new
        self.commits = commits
        self.source = source
        self.time = moment() if time is None else time
        self.by = by
        self.prev = prev

    def to_bytes(self) -> bytes:
        """Return the one line that stands for this in a ledger, without its line feed."""
        return canonical(self._fields() | {"prev": self.prev})

    def to_note(self) -> bytes:
        """Return the same as a note has it: what was shared follows no line."""
        return canonical(self._fields())

    def _fields(self) -> dict[str, object]:
        return {
            "v": VERSION,
            "kind": "carry",
            "new": self.new,
            "commits": list(self.commits),
            "source": self.source,
            "time": self.time,
            "by": self.by,
        }

    def repeats(self, recent: bytes) -> bool:
        """Say whether one of the *recent* lines tells of the same commits."""
        return self.to_bytes().partition(b'"source"')[0] in recent

    @classmethod
    def from_bytes(cls, line: bytes) -> "Self":
        """Read one line of kind `carry`; fields that this version does not know are ignored, a note has no `prev`."""
        fields = parsed(line)
        try:
            if fields["kind"] != "carry":
                raise RecordError("a line is of another kind")
            commits = as_list(fields["commits"])
            if not 0 < len(commits) <= MOST:
                raise RecordError("a line tells of no commits, or of too many")
            return cls(
                new=Sha(as_text(fields["new"])),
                commits=[Sha(as_text(commit)) for commit in commits],
                source=as_text(fields["source"]),
                time=as_text(fields["time"]),
                by=as_text(fields["by"]),
                prev=as_text_or_none(fields.get("prev")),
            )
        except KeyError as error:
            raise RecordError(f"a record lacks the field {error}") from error


def carryings(lines: "Iterable[bytes]", new: Sha) -> "Iterator[Carry]":
    """Yield those of *lines* that tell what *new* was made of; damaged ones are for `check`."""
    for line in lines:
        try:
            told = Carry.from_bytes(line)
        except RecordError:
            continue
        if told.new == new:
            yield told
