"""Standard output and standard error: made usable, and never a reason to end otherwise."""

import io
import os
import sys
from contextlib import contextmanager

from ampcommit.files import ensure_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def prepare_streams() -> None:
    """Make stdout and stderr usable, whatever state they were handed to us in."""
    ensure_streams()
    sys.stdout, sys.stderr = sys.stdout or open(1, "w"), sys.stderr or open(2, "w")  # noqa: SIM115  # were closed
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still shows the rest


@contextmanager
def heard_or_not() -> "Iterator[None]":
    """Go on where nobody reads what is printed: a verdict does not depend on its reader."""
    try:
        yield
    except BrokenPipeError:
        mute()


def mute() -> None:
    """Let what is still to be written to stdout go nowhere, so that the interpreter ends in silence."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def tell(text: str) -> None:
    """Write *text* to stderr, if anybody listens."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens
