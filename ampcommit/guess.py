"""
Threads that may be the one at work: what Amp's client last noted for this checkout or at all, and thread files.

A guess is shown to a person, with where it comes from; it is never written into a message. The client
writes its notes after a run, so they can be a thread behind, and thread files can be months old.
"""

import os

from ampcommit.files import read_regular
from ampcommit.record import ThreadId
from ampcommit.settings import repository
from ampcommit.threadfile import fields_of
from ampcommit.threads import Offline, data_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Trees = list[tuple[object, object]]

MOST = 3
"""How many guesses a refusal shows."""

_SMALL = 65536
_FILES = 50  # that are looked into, of each kind
_TREES = 20  # of one thread
_URI = 3 * 4096  # characters: the longest path, every byte of it percent-encoded


def guesses(
    environ: "Mapping[str, str]", top: str, most: int = MOST, remote: str | None = None
) -> list[tuple[ThreadId, str]]:
    """
    Return at most *most* threads with a sentence on where each was found, the likeliest first.

    *top* is the work tree, *remote* host and path of the repository as `settings.repository`
    gives them; without it a thread file counts only by the folder that it names.
    """
    first: dict[ThreadId, str] = {}
    for thread, where in _found(environ, os.path.realpath(top), remote):
        first.setdefault(thread, where)
        if len(first) >= most:
            break
    return list(first.items())


def _found(environ: "Mapping[str, str]", top: str, remote: str | None) -> "Iterator[tuple[ThreadId, str]]":
    base = data_home(environ)
    if base is None:
        return
    amp, offline = os.path.join(base, "amp"), Offline(environ)
    for thread in _of_checkout(os.path.join(amp, "last-threads"), top):
        yield thread, "the last one in this checkout"
    for thread in _of_session(os.path.join(amp, "session.json")):
        if not _elsewhere(thread, offline, top, remote):
            yield thread, "the last one on this machine"
    _, local, exported = offline.folders()
    for path in _newest((local, exported), "T-"):
        named = ThreadId.maybe(os.path.basename(path).removesuffix(".json"))
        if named and (where := _place_of(_trees(path, named), top, remote)):
            yield named, where


def _of_checkout(folder: str, top: str) -> list[ThreadId]:
    """Return the threads that the September client noted for the work tree *top*, newest first."""
    from hashlib import sha256

    # The file names begin with this much of the digest of the work tree's real path.
    mark = sha256(os.fsencode(top)).hexdigest()[:16]
    contents = [read_regular(path, _SMALL) or b"" for path in _newest((folder,), f"{mark}-")]
    return [
        thread for text in contents if (thread := ThreadId.maybe(text.decode("ascii", "replace").strip().strip('"')))
    ]


def _of_session(path: str) -> list[ThreadId]:
    """Return the threads that the client's session state names: the last ones of the whole machine."""
    import json

    try:
        state = json.loads(read_regular(path, _SMALL) or b"{}")
    except (ValueError, RecursionError):
        return []
    names = ("lastThreadId", "lastExecuteThreadId")
    values = [state.get(name) for name in names] if isinstance(state, dict) else []
    return [thread for thread in map(ThreadId.maybe, values) if thread]


def _elsewhere(thread: ThreadId, offline: Offline, top: str, remote: str | None) -> bool:
    """Say whether files of *thread* name folders and repositories, and only others; no word is no reason to drop it."""
    trees = [tree for _, path in offline.files(thread) for tree in _trees(path, thread)]
    return bool(trees) and _place_of(trees, top, remote) is None


def _place_of(trees: "Trees", top: str, remote: str | None) -> str | None:
    """Return what a thread with these *trees* has to do with the work tree *top*; None: nothing that we can see."""
    if any(top in _folders(uri) for uri, _ in trees):
        return "a thread that was started in this folder"
    # The generations of the client write the same address in different ways.
    if remote and any(isinstance(url, str) and repository({"": url}) == remote for _, url in trees):
        return "a thread of this repository"
    return None


def _trees(path: str, thread: ThreadId) -> "Trees":
    """Return URI and repository address of the workspaces that *thread* began with, whatever these values are."""
    fields = fields_of(path, ("env",)) or {}
    if ThreadId.maybe(fields.get("id")) != thread:
        return []
    value = fields.get("env")
    for name in ("initial", "trees"):
        value = value.get(name) if isinstance(value, dict) else None
    found: Trees = []
    for tree in value[:_TREES] if isinstance(value, list) else ():
        uri, cloned = (tree.get("uri"), tree.get("repository")) if isinstance(tree, dict) else (None, None)
        found.append((uri, cloned.get("url") if isinstance(cloned, dict) else None))
    return [(uri, url) for uri, url in found if uri is not None or url is not None]


def _folders(uri: object) -> set[str]:
    """Return the real paths that a local file URI may mean: it may be percent-encoded or plain."""
    if not isinstance(uri, str) or not uri.startswith("file:///") or len(uri) > _URI:
        return set()
    from urllib.parse import unquote_to_bytes

    path = uri.removeprefix("file://")
    try:
        return {os.path.realpath(os.fsdecode(way)) for way in (path.encode(), unquote_to_bytes(path))}
    except ValueError:
        return set()  # a NUL, half of a surrogate pair


def _newest(folders: "tuple[str, ...]", prefix: str) -> list[str]:
    """Return the JSON files in *folders* whose names begin with *prefix*, the last written first, and not too many."""
    paths = []
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        paths += [os.path.join(folder, name) for name in names if name.startswith(prefix) and name.endswith(".json")]
    return sorted(paths, key=_age)[:_FILES]


def _age(path: str) -> float:
    try:
        return -os.lstat(path).st_mtime
    except OSError:
        return 0.0
