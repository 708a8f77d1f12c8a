"""
One thread as Amp's client wrote it down: the few fields that we use, without parsing megabytes of conversation.

`role` in a relationship is the role of the thread that holds the list: `role: "child"` names
my parent. Amp's client writes that entry for every hand-off; the parent's own entry may be missing.
"""

import os
import stat

from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of a thread file that we look into; Amp's own client refuses more than 50 MiB."""

LAST_CLIENT_WRITTEN = 1777897475
"""Build time (Unix) of the newest client seen to write what it exports; later, no parent proves nothing."""

_CHUNK = 256 * 1024
_OVERLAP = 32
_PARSED_WHOLE = 2 * 1024 * 1024
_VALUE_USUAL, _VALUE_LIMIT = 8192, 1024 * 1024
_ORDER = ("handoff", "fork")
_NAMING = ("relationships", "originThreadID")


def parents_in(path: str, thread: ThreadId, *, client_written: bool = False) -> list[ThreadId] | None:
    """Return the parents that the thread file *path* names; None if it is missing, broken or another thread's."""
    fields = fields_of(path, _NAMING if client_written else (*_NAMING, "env"))
    return None if fields is None else parents_named(fields, thread, client_written=client_written)


def parents_named(
    fields: "Mapping[str, object]", thread: ThreadId, *, client_written: bool = False
) -> list[ThreadId] | None:
    """
    Return the parents that the data of *thread* name, hand-offs before forks: empty for a root, None if unknown.

    What is not *client_written* may come from a server that keeps relationships elsewhere.
    """
    if ThreadId.maybe(fields.get("id")) != thread:
        return None
    parents = _handed_off_from(fields)
    if parents == [] and not client_written and _client_time(fields) > LAST_CLIENT_WRITTEN:
        return None  # from the server generation, no parent in the list is no proof of a root
    return parents


def children_named(fields: "Mapping[str, object]") -> list[ThreadId]:
    """Return the threads that were handed off or forked from the one whose data these are, as far as it lists them."""
    entries = fields.get("relationships")
    found = [
        ThreadId.maybe(entry.get("threadID"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and entry.get("role") == "parent" and entry.get("type") in _ORDER
    ]
    return list(dict.fromkeys(child for child in found if child))


def fields_of(path: str, names: "tuple[str, ...]") -> "dict[str, object] | None":
    """Return `id` and the top-level fields *names*; more where a small file had to be parsed. None: no thread data."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or not 0 < seen.st_size <= FILE_LIMIT:
            return None
        return _picked(fd, seen.st_size, names)
    except (OSError, ValueError, RecursionError):
        return None  # unreadable, cut off, nested too deep: broken
    finally:
        os.close(fd)


def _picked(fd: int, size: int, names: "tuple[str, ...]") -> "dict[str, object] | None":
    # Amp's client writes JSON with two spaces of indentation. No JSON string can hold a line feed, so a line
    # that begins with exactly two spaces and a quote is a top-level field, whatever stands in the conversation.
    head, tail = os.pread(fd, _CHUNK, 0), os.pread(fd, 8, max(0, size - 8))
    if size < _CHUNK and head.count(b"\n}") > 1:
        return None  # two documents
    if head.startswith(b'{\n  "') and tail.rstrip().endswith(b"\n}"):
        fields = {"id": _value(fd, at + 8) if (at := head.rfind(b'\n  "id": ')) >= 0 else None}
        for name, at in _backwards(fd, size, names):
            try:
                fields[name] = _value(fd, at)
            except (ValueError, RecursionError):
                if name in _NAMING:
                    raise
                continue  # a title without end hides no parent
            if name == "relationships" and "env" not in names and _names_a_parent(fields[name]):
                break  # what else there is names no other parent
        return fields
    if size > _PARSED_WHOLE:
        return None
    import json

    whole = json.loads(os.pread(fd, size, 0).decode("utf-8"))
    return whole if isinstance(whole, dict) else None


def _backwards(fd: int, size: int, names: "tuple[str, ...]") -> "Iterator[tuple[str, int]]":
    """
    Yield top-level fields and where their values begin, from the end of the file: of equal keys JSON takes the last.

    Amp's client writes the fields that we want behind the conversation, so the search is short where there
    is a parent. One buffer is read into again and again. A memory map would be simpler, and would kill the
    hook if somebody cut the file short meanwhile.
    """
    labels = {name: f'\n  "{name}": '.encode() for name in names}
    buffer, end = bytearray(_CHUNK), size
    while end > 0 and labels:
        start = max(0, end - _CHUNK)
        got = os.preadv(fd, [memoryview(buffer)[: end - start]], start)
        if got < end - start:
            raise ValueError("cut off while we read")
        for name, label in list(labels.items()):
            here = buffer.rfind(label, 0, got)
            if here >= 0:
                del labels[name]
                yield name, start + here + len(label)
        # The chunks overlap, so that a label across their border is seen.
        end = start + _OVERLAP if start else 0


def _value(fd: int, at: int) -> object:
    """Return the value that begins at *at* in indented JSON; `ValueError` if it is cut off, or longer than we read."""
    for limit in (_VALUE_USUAL, _VALUE_LIMIT):
        piece = os.pread(fd, limit, at)
        line, feed, _ = piece.partition(b"\n")
        closing = {b"[": b"\n  ]", b"{": b"\n  }"}.get(line.rstrip(b"\r"))
        if closing:
            end = piece.find(closing)
            line, feed = piece[: end + len(closing)], piece[end : end + 1] if end >= 0 else b""
        if feed:
            return _decoded(line.rstrip(b",\r"))
    raise ValueError("cut off, or too long")


def _decoded(value: bytes) -> object:
    if value[:3] == b'"T-' and value.count(b'"') == 2 and value.endswith(b'"') and b"\\" not in value:
        return value[1:-1].decode("ascii")
    import json  # costs 8 ms, and only when a thread is seen for the first time

    return json.loads(value.decode("utf-8"))


def _names_a_parent(entries: object) -> bool:
    if not isinstance(entries, list):
        return False
    return any(isinstance(one, dict) and one.get("role") == "child" and one.get("type") in _ORDER for one in entries)


def _handed_off_from(fields: "Mapping[str, object]") -> list[ThreadId] | None:
    """Return the parents in order: hand-offs, then forks; None where an entry cannot be understood."""
    entries = fields.get("relationships", [])
    if not isinstance(entries, list):
        return None
    found: dict[str, list[ThreadId]] = {kind: [] for kind in _ORDER}
    children = set()
    for entry in entries:
        if not isinstance(entry, dict):
            return None
        kind, role = entry.get("type"), entry.get("role")
        if kind == "mention" or (kind not in _ORDER and role == "parent"):
            continue
        if kind not in _ORDER or role not in ("child", "parent"):
            return None  # something newer than we are: it may name a parent
        other = ThreadId.maybe(entry.get("threadID"))
        if role == "parent":
            children.add(other)
        elif other is None:
            return None  # there is a parent, and we cannot say which
        else:
            found[kind].append(other)
    origin = fields.get("originThreadID")
    if origin is not None and not (found["handoff"] or found["fork"]):
        fork = ThreadId.maybe(origin)
        if fork is None:
            return None
        found["fork"].append(fork)
    parents = list(dict.fromkeys(found["handoff"] + found["fork"]))
    return None if children.intersection(parents) else parents  # both parent and child: no telling


def _client_time(fields: "Mapping[str, object]") -> float:
    """Return the build time in the version of the client that wrote the thread; infinity when it does not say."""
    value: object = fields
    for name in ("env", "initial", "platform", "clientVersion"):
        value = value.get(name) if isinstance(value, dict) else None
    build = str(value).removeprefix("0.0.").partition("-")[0]
    return int(build) if build.isascii() and build.isdigit() and len(build) < 12 else float("inf")
