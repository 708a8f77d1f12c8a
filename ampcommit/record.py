"""
The nouns: thread ids, commit ids, findings, and what is known of one commit.

A record has one canonical byte form, `Record.to_bytes`; docs/record.md is its description.
"""

import time

from ampcommit import __version__
from ampcommit.errors import RecordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

VERSION = 1
"""The record format that this version writes (field `v`)."""

BY = f"ampcommit {__version__}"
"""Who writes a line of the ledger (field `by`)."""

_HEX = frozenset("0123456789abcdef")
_ID_LENGTH, _ID_DIGITS = 38, 32  # of the id of a thread


class ThreadId(str):
    """
    The id of one Amp thread, `T-` and a UUID; if you hold one, it is well formed.

    Amp's clients make UUIDs of version 7, older threads carry version 4, so no version
    is asked for. Letter case does not matter on the way in; inside it is lower case.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> "Self":
        lower = text.lower()
        digits = lower[2:].replace("-", "")
        if (
            not text.isascii()
            or len(text) != _ID_LENGTH
            or lower[:2] != "t-"
            or lower[10:26:5] != "----"
            or len(digits) != _ID_DIGITS
            or not _HEX.issuperset(digits)
        ):
            raise RecordError(
                "not an Amp thread id", hint="a thread id looks like T-019bf111-2222-7333-8444-555566667777"
            )
        return super().__new__(cls, "T" + lower[1:])

    @classmethod
    def maybe(cls, text: object) -> "Self | None":
        """Return *text* as an id, or None when it is anything else."""
        try:
            return cls(text) if isinstance(text, str) else None
        except RecordError:
            return None

    @property
    def url(self) -> str:
        """The canonical link; Amp writes this host even when it talks to another."""
        return f"https://ampcode.com/threads/{self}"

    @property
    def began(self) -> float | None:
        """When the thread began, in seconds since 1970, if its id tells: UUIDs of version 7 do."""
        return int(self[2:10] + self[11:15], 16) / 1000 if self[16] == "7" else None


class Sha(str):
    """A full object id (SHA-1 or SHA-256); if you hold one, it is well formed."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Self":
        if len(text) not in (40, 64) or not _HEX.issuperset(text):
            raise RecordError("not a full commit id", hint="a commit id has 40 or 64 lower-case hexadecimal digits")
        return super().__new__(cls, text)

    @classmethod
    def maybe(cls, text: str) -> "Self | None":
        """Return *text* as an id, or None when it is anything else."""
        try:
            return cls(text)
        except RecordError:
            return None


class Finding:
    """One reason why a commit does not meet the policy."""

    __slots__ = ("code", "hint", "level", "message")

    def __init__(self, code: str, level: str, message: str, hint: str) -> None:
        self.code = code
        self.level = level
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """Return the fields as the JSON of `verify` has them."""
        return {"code": self.code, "level": self.level, "message": self.message, "hint": self.hint}


class Record:
    """What was known of one commit when it was recorded; the ledger's kind `commit`."""

    __slots__ = (
        "branch",
        "by",
        "chain",
        "chain_state",
        "commit",
        "links",
        "parents",
        "prev",
        "repo",
        "source",
        "thread",
        "time",
        "tree",
        "validated",
    )

    def __init__(
        self,
        *,
        commit: Sha,
        tree: Sha,
        parents: list[Sha],
        links: list[ThreadId],
        chain: list[ThreadId],
        chain_state: str,
        source: str,
        validated: bool,
        branch: str | None,
        repo: str | None,
        time: str,
        by: str,
        prev: str | None = None,
    ) -> None:
        self.commit = commit
        self.tree = tree
        self.parents = parents
        self.thread = links[-1]
        self.links = links
        self.chain = chain
        self.chain_state = chain_state
        self.source = source
        self.validated = validated
        self.branch = branch
        self.repo = repo
        self.time = time
        self.by = by
        self.prev = prev

    def to_bytes(self) -> bytes:
        """Return the one line that stands for this record, without its line feed."""
        fields = {
            "v": VERSION,
            "kind": "commit",
            "commit": self.commit,
            "tree": self.tree,
            "parents": self.parents,
            "thread": self.thread,
            "links": self.links,
            "chain": self.chain,
            "chain_state": self.chain_state,
            "source": self.source,
            "validated": self.validated,
            "branch": self.branch,
            "repo": self.repo,
            "time": self.time,
            "by": self.by,
            "prev": self.prev,
        }
        return canonical(fields)

    def repeats(self, recent: bytes) -> bool:
        """Say whether one of the *recent* lines is about this commit: two hook managers may call us for one commit."""
        return f'"kind":"commit","commit":"{self.commit}"'.encode() in recent

    @classmethod
    def from_bytes(cls, line: bytes, thread: "Callable[[str], ThreadId]" = ThreadId) -> "Self":
        """
        Read one line of kind `commit`; fields that this version does not know are ignored.

        Who reads many lines says how a *thread* is read: most lines name one that the line before names, too.
        """
        fields = parsed(line)
        try:
            record = cls(
                commit=Sha(as_text(fields["commit"])),
                tree=Sha(as_text(fields["tree"])),
                parents=[Sha(as_text(parent)) for parent in as_list(fields["parents"])],
                links=[thread(as_text(link)) for link in as_list(fields["links"])],
                chain=[thread(as_text(one)) for one in as_list(fields["chain"])],
                chain_state=as_text(fields["chain_state"]),
                source=as_text(fields["source"]),
                validated=as_flag(fields["validated"]),
                branch=as_text_or_none(fields["branch"]),
                repo=as_text_or_none(fields["repo"]),
                time=as_text(fields["time"]),
                by=as_text(fields["by"]),
                prev=as_text_or_none(fields["prev"]),
            )
        except KeyError as error:
            raise RecordError(f"a record lacks the field {error}") from error
        except IndexError as error:
            raise RecordError("a record has no link") from error
        if record.thread != fields.get("thread"):
            raise RecordError("a record's thread is not the last of its links")
        return record


def moment(seconds: float | None = None) -> str:
    """Return a time (Unix time; None: now) as records have it: UTC, `YYYY-MM-DDThh:mm:ssZ`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def as_text(value: object) -> str:
    """Return *value* if it is a string; anything else is a `RecordError`."""
    if not isinstance(value, str):
        raise RecordError("a field of a record has the wrong type")
    return value


def as_flag(value: object) -> bool:
    """Return *value* if it is a boolean; anything else is a `RecordError`."""
    if not isinstance(value, bool):
        raise RecordError("a field of a record has the wrong type")
    return value


def as_text_or_none(value: object) -> str | None:
    """Return *value* if it is a string or null; anything else is a `RecordError`."""
    return None if value is None else as_text(value)


def as_list(value: object) -> "list[object]":
    """Return *value* if it is a list; anything else is a `RecordError`."""
    if not isinstance(value, list):
        raise RecordError("a field of a record has the wrong type")
    return value


def parsed(line: bytes) -> "dict[str, Any]":
    """Return the JSON object on *line*; anything else is a `RecordError`."""
    import json  # never in a hook: hooks only write

    try:
        fields = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecordError("a line is not JSON") from error
    if not isinstance(fields, dict):
        raise RecordError("a line is not a JSON object")
    return fields


def canonical(value: object) -> bytes:
    """Return *value* (dict, list, str, int, bool, None) as JSON: UTF-8, no spaces, fields in the order given."""
    return _json(value).encode("utf-8", "backslashreplace")


def _json(value: object) -> str:
    # Importing json costs a hook 8 ms; what a record holds needs these few lines.
    if isinstance(value, str):
        return '"' + value.translate(_QUOTED) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    raise RecordError(f"a record cannot hold a {type(value).__name__}")


# What JSON demands, and the separators that some line readers split at.
_QUOTED = {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F, 0x85, 0x2028, 0x2029)}
_QUOTED |= {ord('"'): '\\"', ord("\\"): "\\\\"}
