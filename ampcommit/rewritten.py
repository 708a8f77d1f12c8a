"""A commit that became another one: the ledger's kind `rewrite`; see docs/record.md."""

from ampcommit.errors import RecordError
from ampcommit.record import BY, VERSION, Sha, as_text, as_text_or_none, canonical, moment, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

MOST = 10_000
"""Commits that are followed back from one; nobody amends that often."""

TOLD = ("git", "reflog")
"""The sources of pairs that git told of; the others are known by what both commits hold."""


class Rewrite:
    """
    The commit *old* became *new*.

    `command` is git's (`amend`, `rebase`), None where nobody knows. `source` says how the pair is known: `git` named
    it, it was derived from the `reflog`, or old and new have the same `tree` or `patch-id`. `time` is now unless
    it is given.
    """

    __slots__ = ("by", "command", "new", "old", "prev", "source", "time")

    def __init__(
        self,
        *,
        old: Sha,
        new: Sha,
        command: str | None,
        source: str,
        time: str | None = None,
        by: str = BY,
        prev: str | None = None,
    ) -> None:
        self.old = old
        self.new = new
        self.command = command
        self.source = source
        self.time = moment() if time is None else time
        self.by = by
        self.prev = prev

    def to_bytes(self) -> bytes:
        """Return the one line that stands for this, without its line feed."""
        fields = {
            "v": VERSION,
            "kind": "rewrite",
            "old": self.old,
            "new": self.new,
            "command": self.command,
            "source": self.source,
            "time": self.time,
            "by": self.by,
            "prev": self.prev,
        }
        return canonical(fields)

    def repeats(self, recent: bytes) -> bool:
        """Say whether one of the *recent* lines tells of the same two commits."""
        return self.to_bytes().partition(b'"command"')[0] in recent

    @classmethod
    def from_bytes(cls, line: bytes) -> "Self":
        """Read one line of kind `rewrite`; fields that this version does not know are ignored."""
        fields = parsed(line)
        try:
            if fields["kind"] != "rewrite":
                raise RecordError("a line is of another kind")
            return cls(
                old=Sha(as_text(fields["old"])),
                new=Sha(as_text(fields["new"])),
                command=as_text_or_none(fields["command"]),
                source=as_text(fields["source"]),
                time=as_text(fields["time"]),
                by=as_text(fields["by"]),
                prev=as_text_or_none(fields["prev"]),
            )
        except KeyError as error:
            raise RecordError(f"a record lacks the field {error}") from error


def rewritings(lines: "Iterable[bytes]", new: Sha) -> "Iterator[Rewrite]":
    """Yield those of *lines* that tell what became *new*, each old commit once; damaged ones are for `check`."""
    seen = {new}
    for line in lines:
        try:
            told = Rewrite.from_bytes(line)
        except RecordError:
            continue
        if told.new == new and told.old not in seen:
            seen.add(told.old)
            yield told
