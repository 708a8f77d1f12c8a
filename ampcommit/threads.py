"""
The parents of a thread as this machine knows them offline, and the one walker over them.

`role` in a relationship is the role of the thread that holds the list: `role: "child"` names
my parent. Amp's client writes that entry for every hand-off; the parent's own entry may be missing.
"""

import os
import stat
import time

from ampcommit.files import make_folder, read_regular, write_atomic
from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LIMIT = 100
"""How many threads a hook follows; `docs/limits.md`."""

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of a thread file that we look into; Amp's own client refuses more than 50 MiB."""

LAST_CLIENT_WRITTEN = 1777897475
"""Build time (Unix) of the newest client seen to write what it exports; later, no parent proves nothing."""

_CHUNK = 256 * 1024
_OVERLAP = 32
_PARSED_WHOLE = 2 * 1024 * 1024
_VALUE_USUAL, _VALUE_LIMIT = 8192, 1024 * 1024
_CACHE_LIMIT = 16384
_ORDER = ("handoff", "fork")
_NAMING = ("relationships", "originThreadID")


class Chain:
    """A thread and those it came from, nearest first; `state` says how far the walk got."""

    __slots__ = ("state", "threads")

    def __init__(self, threads: list[ThreadId], state: str) -> None:
        self.threads = threads
        self.state = state


def walk(start: ThreadId, parents_of: "Callable[[ThreadId], list[ThreadId] | None]", limit: int = LIMIT) -> Chain:
    """
    Follow *parents_of* (None: not known) from *start*, breadth first, to at most *limit* threads.

    The state is `complete` (every thread's parents are known), `cycle`, `unknown` (nothing is
    known of *start* itself) or `partial`.
    """
    known: dict[ThreadId, list[ThreadId]] = {}
    order, at, partial = [start], 0, False
    seen = {start}
    while at < len(order):
        thread = order[at]
        at += 1
        parents = parents_of(thread)
        if parents is None:
            partial = True
            continue
        known[thread] = parents
        new = [parent for parent in dict.fromkeys(parents) if parent not in seen]
        partial = partial or len(order) + len(new) > limit
        new = new[: limit - len(order)]
        seen.update(new)
        order += new
    if start not in known:
        return Chain([start], "unknown")
    return Chain(order, "cycle" if _circular(known) else "partial" if partial else "complete")


def _circular(parents: "dict[ThreadId, list[ThreadId]]") -> bool:
    """Say whether some thread is its own ancestor: take away threads whose children are gone until none is left."""
    waiting = dict.fromkeys(parents, 0)
    for its in parents.values():
        for parent in its:
            if parent in waiting:
                waiting[parent] += 1
    free = [thread for thread, children in waiting.items() if not children]
    for thread in free:  # grows while we go
        for parent in parents[thread]:
            if parent in waiting:
                waiting[parent] -= 1
                if not waiting[parent]:
                    free.append(parent)
    return len(free) < len(waiting)


class Offline:
    """
    What this machine knows: parents learned before, Amp's thread files, exports that somebody put into our folder.

    Call it with a thread for the list of its parents: empty for a root, None when nothing is
    known. A file is looked into once: what the parents of a thread are never changes.
    """

    __slots__ = ("_exports", "_learned", "_threads")

    def __init__(self, environ: "Mapping[str, str]") -> None:
        base = data_home(environ)
        self._learned = base and os.path.join(base, "ampcommit", "parents")
        self._exports = base and os.path.join(base, "ampcommit", "threads")
        self._threads = base and os.path.join(base, "amp", "threads")

    def __call__(self, thread: ThreadId) -> list[ThreadId] | None:
        if not (self._learned and self._threads and self._exports):
            return None
        learned = os.path.join(self._learned, thread)
        parents = _remembered(learned)
        if parents is not None:
            return parents
        local = os.path.join(self._threads, f"{thread}.json")
        source, parents = "local", _parents_in(local, thread, client_written=True)
        if parents is None and not os.path.lexists(local):
            # The January client can leave a fresh thread so; it may still be written to, so nothing is kept of it.
            parents = _parents_in(f"{local}.amptmp", thread, client_written=True)
            if parents is not None:
                return parents
        if parents is None:
            source, parents = "export", _parents_in(os.path.join(self._exports, f"{thread}.json"), thread)
        if parents is not None:
            _remember(learned, source, parents)
        return parents


def data_home(environ: "Mapping[str, str]") -> str | None:
    """Return `$XDG_DATA_HOME` or its default; None where neither it nor HOME is set."""
    base = environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(base):
        return base
    home = environ.get("HOME", "")
    return os.path.join(home, ".local", "share") if os.path.isabs(home) else None


def _remembered(path: str) -> list[ThreadId] | None:
    """Read what `_remember` wrote; anything else counts as nothing."""
    content = read_regular(path, _CACHE_LIMIT) or b""
    header = content.partition(b"\n")[0].split()
    if header[:1] != [b"1"] or len(header) != 3 or not content.endswith(b"\n"):
        return None
    parents = [ThreadId.maybe(line) for line in content.decode("ascii", "replace").splitlines()[1:]]
    return None if None in parents else [parent for parent in parents if parent]


def _remember(path: str, source: str, parents: list[ThreadId]) -> None:
    """Keep *parents* with where and when they were learned: a line `1 <source> <time>`, then an id a line."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        make_folder(os.path.dirname(path))
        write_atomic(path, "\n".join([f"1 {source} {when}", *parents, ""]).encode("ascii"), mode=0o600)
    except OSError:
        pass  # only speed is lost


def _parents_in(path: str, thread: ThreadId, *, client_written: bool = False) -> list[ThreadId] | None:
    """Return the parents that the thread file *path* names; None if it is missing, broken or another thread's."""
    fields = _fields(path, _NAMING if client_written else (*_NAMING, "env"))
    if fields is None or ThreadId.maybe(fields.get("id")) != thread:
        return None
    parents = _handed_off_from(fields)
    if parents == [] and not client_written and _client_time(fields) > LAST_CLIENT_WRITTEN:
        return None  # from the server generation, no parent in the list is no proof of a root
    return parents


def _fields(path: str, names: "tuple[str, ...]") -> "dict[str, object] | None":
    """Return the few top-level fields that we use, without parsing megabytes of conversation."""
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
            fields[name] = _value(fd, at)
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


def _handed_off_from(fields: "dict[str, object]") -> list[ThreadId] | None:
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


def _client_time(fields: "dict[str, object]") -> float:
    """Return the build time in the version of the client that wrote the thread; infinity when it does not say."""
    value: object = fields
    for name in ("env", "initial", "platform", "clientVersion"):
        value = value.get(name) if isinstance(value, dict) else None
    build = str(value).removeprefix("0.0.").partition("-")[0]
    return int(build) if build.isascii() and build.isdigit() and len(build) < 12 else float("inf")
