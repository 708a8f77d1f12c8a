"""
Threads that may be the one at work: what Amp's client last noted for this checkout, or at all.

A guess is shown to a person who was refused, with where it comes from; it is never written
into a message. The client writes these files after a run, so they can be a thread behind.
"""

import os

from ampcommit.files import read_regular
from ampcommit.record import ThreadId
from ampcommit.threads import data_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 3
"""How many guesses are shown."""

_SMALL = 65536


def guesses(environ: "Mapping[str, str]", top: str) -> list[tuple[ThreadId, str]]:
    """Return threads with a sentence on where each was found, the likeliest first; *top* is the work tree."""
    base = data_home(environ)
    if base is None:
        return []
    amp = os.path.join(base, "amp")
    found = [
        (thread, "the last one in this checkout") for thread in _of_checkout(os.path.join(amp, "last-threads"), top)
    ]
    found += [(thread, "the last one on this machine") for thread in _of_session(os.path.join(amp, "session.json"))]
    first = dict(reversed(found))
    return [(thread, first[thread]) for thread in dict.fromkeys(thread for thread, _ in found)][:MOST]


def _of_checkout(folder: str, top: str) -> list[ThreadId]:
    """Return the threads that the September client noted for the work tree *top*, newest first."""
    from hashlib import sha256

    # The file names begin with this much of the digest of the work tree's real path.
    mark = sha256(os.fsencode(os.path.realpath(top))).hexdigest()[:16]
    try:
        names = [name for name in os.listdir(folder) if name.startswith(f"{mark}-") and name.endswith(".json")]
    except OSError:
        return []
    paths = sorted((os.path.join(folder, name) for name in names), key=_age)
    contents = [read_regular(path, _SMALL) or b"" for path in paths]
    return [
        thread for text in contents if (thread := ThreadId.maybe(text.decode("ascii", "replace").strip().strip('"')))
    ]


def _of_session(path: str) -> list[ThreadId]:
    """Return the threads that the client's session state names."""
    import json

    try:
        state = json.loads(read_regular(path, _SMALL) or b"{}")
    except (ValueError, RecursionError):
        return []
    names = ("lastThreadId", "lastExecuteThreadId")
    values = [state.get(name) for name in names] if isinstance(state, dict) else []
    return [thread for thread in map(ThreadId.maybe, values) if thread]


def _age(path: str) -> float:
    try:
        return -os.lstat(path).st_mtime
    except OSError:
        return 0.0
