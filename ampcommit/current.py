"""Which thread is at work here, and how that is known."""

import os
import time

from ampcommit.escape import terminal
from ampcommit.files import read_regular
from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ampcommit.place import Place

USE_SECONDS = 12 * 3600
"""How long a thread set by hand stays current without a commit."""

_SLACK = 60  # seconds by which clocks may differ; a word from the future is none

VARIABLES = ("AMP_CURRENT_THREAD_ID", "AGENT_THREAD_ID", "AMP_THREAD_ID")
"""Where Amp's shell tool and its permission helpers name the thread; the first one that answers wins."""


class Current:
    """
    The thread at work: `thread` (None: not known), its `source` (`env`, `use`, None), whether an agent is
    `inside` this process at all, `warnings` about values that could not be used, and with `env` the `variable`.
    """

    __slots__ = ("inside", "source", "thread", "variable", "warnings")

    def __init__(
        self,
        thread: ThreadId | None,
        source: str | None,
        inside: bool,
        warnings: list[str],
        variable: str | None = None,
    ) -> None:
        self.thread = thread
        self.source = source
        self.inside = inside
        self.warnings = warnings
        self.variable = variable

    def source_of(self, thread: ThreadId) -> str:
        """Return how *thread*, the last link of a message, is known: from the message alone, or from more."""
        return self.source if self.source and self.thread == thread else "message"


def current(environ: "Mapping[str, str]", place: "Place") -> Current:
    """Return what the agent's variables say, else what a person set for this work tree."""
    warnings: list[str] = []
    # Background shells of the newest client say AGENT=amp and nothing else.
    inside = environ.get("AGENT") == "amp"
    for name in VARIABLES:
        value = environ.get(name, "")
        if not value or (name == "AGENT_THREAD_ID" and not inside):  # other agents may set that one
            continue
        if thread := ThreadId.maybe(value):
            return Current(thread, "env", inside=True, warnings=warnings, variable=name)
        warnings.append(f"{name} is not a thread id and was ignored: {terminal(value, 60)}")
    used = in_use(place, time.time())
    return Current(used, "use" if used else None, inside=inside or used is not None, warnings=warnings)


def use_file(place: "Place") -> str:
    """Return the file that holds the thread a person set for this work tree; its age is the age of that word."""
    return os.path.join(place.private, "use")


def cleared(environ: "Mapping[str, str]") -> dict[str, str]:
    """Return *environ* without what git tells its hooks and an agent its shell: for what belongs to neither."""
    agent = (*VARIABLES, "AGENT", "AI_AGENT")
    return {name: value for name, value in environ.items() if not name.startswith("GIT_") and name not in agent}


def in_use(place: "Place", now: float) -> ThreadId | None:
    """Return the thread that a person set for this work tree less than `USE_SECONDS` before *now* (a Unix time)."""
    path = use_file(place)
    content = read_regular(path, 256)
    try:
        if content is None or not -_SLACK <= now - os.stat(path).st_mtime <= USE_SECONDS:
            return None
    except OSError:
        return None  # taken back in this moment
    return ThreadId.maybe(content.decode("ascii", "replace").strip())


def keep_in_use(place: "Place") -> None:
    """Let the twelve hours begin again: a commit was made with the thread that a person set."""
    try:
        os.utime(use_file(place))
    except OSError:
        pass  # ended in this moment, or on a read-only disk: then it ends as announced
