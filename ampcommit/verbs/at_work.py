"""The thread at work, set by hand or shown: the verbs `use` and `current`."""

import os

from ampcommit.current import USE_SECONDS, Current, current, use_file
from ampcommit.errors import SetupError
from ampcommit.files import make_own_folder, write_atomic
from ampcommit.gitcmd import Git
from ampcommit.guess import guesses
from ampcommit.link import named
from ampcommit.place import Place
from ampcommit.record import ThreadId, moment
from ampcommit.settings import read_settings, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 10
"""How many candidates are listed where nobody names the thread."""


class AtWork(Current):
    """
    What `current` shows: what is known (or guessed: `source` is `guess` then), and for how long.

    A message is no source here: there is none. `since` and `ends` (ISO 8601, UTC) say when the word behind
    `use` was given or last confirmed by a commit, and when it ends without another. `candidates` are guesses
    with where each was found, the likeliest first; they are looked for only where neither the agent nor a
    person names the thread, and the first is `thread` then.
    """

    __slots__ = ("candidates", "ends", "since")

    def __init__(
        self, known: Current, *, set_at: float | None = None, candidates: "list[tuple[ThreadId, str]] | None" = None
    ) -> None:
        self.candidates = candidates or []
        thread, source = (self.candidates[0][0], "guess") if self.candidates else (known.thread, known.source)
        super().__init__(thread, source, known.inside, known.warnings, known.variable)
        self.since = None if set_at is None else moment(set_at)
        self.ends = None if set_at is None else moment(set_at + USE_SECONDS)


def use(text: str, environ: "Mapping[str, str]", folder: str = ".") -> ThreadId:
    """Let the thread that *text* names be the current one of the work tree that *folder* belongs to."""
    git = Git(folder, environ)
    place = Place.of_folder(git)
    if place.top == place.git_dir:
        # What is set in a bare repository holds for none of its work trees.
        raise SetupError("there is no work tree here", hint="run it where you commit")
    thread = named(text, read_settings(git, environ, top=place.top).hosts)
    make_own_folder(place.private)
    write_atomic(use_file(place), f"{thread}\n".encode("ascii"), mode=0o600)
    return thread


def use_none(environ: "Mapping[str, str]", folder: str = ".") -> bool:
    """Take back what `use` set in the work tree that *folder* belongs to; say whether there was anything."""
    try:
        os.unlink(use_file(Place.of_folder(Git(folder, environ))))
    except FileNotFoundError:
        return False
    return True


def at_work(environ: "Mapping[str, str]", folder: str = ".") -> AtWork:
    """Return the thread at work in the work tree that *folder* belongs to, and how that is known."""
    git = Git(folder, environ)
    place = Place.of_folder(git)
    known = current(environ, place)
    if known.thread:
        return AtWork(known, set_at=_set_at(place) if known.source == "use" else None)
    remote = repository(read_settings(git, environ, top=place.top).remotes)
    return AtWork(known, candidates=guesses(environ, place.top, most=MOST, remote=remote))


def _set_at(place: Place) -> float | None:
    """Return when the thread in use was set or last confirmed (Unix time); None if it was taken back meanwhile."""
    try:
        return os.stat(use_file(place)).st_mtime
    except OSError:
        return None
