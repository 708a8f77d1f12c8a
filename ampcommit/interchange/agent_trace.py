"""Agent Trace 0.1: a commit's facts as such a record, and what such a record says of a commit; docs/interchange.md."""

import os.path
import uuid

from ampcommit.errors import RecordError
from ampcommit.imported import TRACE, Imported
from ampcommit.link import parse
from ampcommit.record import Sha, ThreadId, canonical, moment
from ampcommit.rules import unique
from ampcommit.threads import RANK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ampcommit.interchange.facts import Fact

FORM = "agent-trace"
SPOKEN = "0.1.0"
"""The version of the format that is written."""

OURS = "com.ampcode.ampcommit"
"""Under which name of a record's `metadata` stands what the format has no field for."""

_IDS = uuid.UUID("c91c81e8-c8d5-442a-b62c-6838c56965b3")
_LAST = 253402300799  # the last second that RFC 3339 can write
_NO_FILES = (".sessions", ".shell-history", ".unknown")
"""Names that the format's reference hook writes where no file was edited."""

_NAME = 200
"""How many characters are kept of what a tool calls itself."""


def trace(fact: "Fact", made: int, paths: "Sequence[str]") -> "dict[str, object]":
    """Return the record of a commit that was made at *made* (Unix time) and changed *paths*."""
    conversation = _conversation(fact)
    return {
        "version": SPOKEN,
        "id": str(uuid.uuid5(_IDS, f"amp {fact.commit}")),
        "timestamp": moment(min(made, _LAST)),
        "vcs": {"type": "git", "revision": fact.commit},
        "tool": {"name": "amp"},  # no record tells its version
        "files": [{"path": path, "conversations": [conversation]} for path in paths],
        "metadata": {
            OURS: {
                "links": fact.links,
                "chain": fact.chain.threads,
                "chain_state": fact.chain.state,
                "source": fact.source,
                "validated": fact.validated,
            }
        },
    }


def _conversation(fact: "Fact") -> "dict[str, object]":
    """Return the conversation behind each file: nobody knows yet which lines came of it, so it claims none."""
    related = [{"type": "handoff-parent", "url": thread.url} for thread in fact.chain.threads[1:2]]
    if fact.chain.state == "complete":
        related += [{"type": "handoff-root", "url": thread.url} for thread in fact.chain.threads[1:][-1:]]
    said: dict[str, object] = {"url": fact.thread.url, "contributor": {"type": "unknown"}, "ranges": []}
    return said | {"related": related} if related else said


class Trace:
    """
    What an Agent Trace record says of threads and a commit.

    With `before` the `revision` is the commit that an edit of `paths` was made upon, not the one that holds it.
    """

    __slots__ = ("_origin", "_words", "before", "links", "paths", "revision")

    def __init__(self, fields: "dict[str, Any]", hosts: "tuple[str, ...]", origin: str | None = None) -> None:
        version, files = fields.get("version"), fields.get("files")
        if not isinstance(version, str) or not isinstance(files, list):
            raise RecordError("it is no Agent Trace record")
        own = _object(_object(fields.get("metadata")).get(OURS))
        said = _threads(own.get("links"))
        self.paths: set[str] = set()
        named = []
        for path, url in _urls(files):
            thread = parse(url, hosts)
            if isinstance(thread, ThreadId):
                self.paths.add(path)
                named.append(thread)
        self.links = said or unique(named)
        self.revision = _revision(_object(fields.get("vcs")))
        # The reference hook writes so, and what HEAD was before the commit.
        self.before = version.count(".") == 1 and not own
        self._origin = origin
        self._words = self._said(fields, own, version)

    def _said(self, fields: "dict[str, Any]", own: "dict[str, Any]", version: str) -> "dict[str, object]":
        tool = _object(fields.get("tool"))
        chain, state = _threads(own.get("chain")), own.get("chain_state")
        known = bool(chain) and chain[:1] == self.links[-1:] and isinstance(state, str) and state in RANK
        source, validated = own.get("source"), own.get("validated")
        return {
            "id": _short(fields.get("id")),
            "timestamp": _short(fields.get("timestamp")),
            "version": version[:_NAME],
            "tool": _short(tool.get("name")),
            "tool_version": _short(tool.get("version")),
            "revision": self.revision,
            "links": list(self.links),
            "chain": list(chain) if known else self.links[-1:],
            "chain_state": state if known else "unknown",
            "source": _short(source),
            "validated": validated if isinstance(validated, bool) else None,
        }

    def imported(self, about: Sha) -> Imported:
        """Return this as a line of the ledger about the commit *about*."""
        said = canonical(self._words)
        return Imported(of=TRACE, about=about, links=self.links, said=said, form=FORM, origin=self._origin)


def _urls(files: "list[Any]") -> "Iterator[tuple[str, str]]":
    """Yield the link of each conversation with the file that it is about, where that is one of a repository."""
    for file in map(_object, files):
        path, conversations = file.get("path"), file.get("conversations")
        if not isinstance(path, str) or not isinstance(conversations, list) or not _is_inside(path):
            continue
        for conversation in map(_object, conversations):
            url = conversation.get("url")
            if isinstance(url, str):
                yield path, url


def _is_inside(path: str) -> bool:
    """Say whether *path* names a file in a repository: the reference hook also writes other things there."""
    plain = os.path.normpath(path)
    return not (plain.startswith(("/", "../")) or plain in (*_NO_FILES, "..", ".") or plain[1:3] == ":\\")


def _revision(vcs: "dict[str, Any]") -> Sha | None:
    revision = vcs.get("revision")
    return Sha.maybe(revision.lower()) if vcs.get("type") == "git" and isinstance(revision, str) else None


def _threads(value: object) -> list[ThreadId]:
    """Return a list of thread ids; one that holds anything else is none."""
    found = [ThreadId.maybe(one) for one in value] if isinstance(value, list) else []
    return [one for one in found if one] if all(found) else []


def _object(value: object) -> "dict[str, Any]":
    return value if isinstance(value, dict) else {}


def _short(value: object) -> str | None:
    return value[:_NAME] if isinstance(value, str) else None
