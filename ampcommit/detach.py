"""The resolver that `post-commit` starts and does not wait for: it asks Amp what no file here tells."""

import os
import sys
import time

from ampcommit.current import cleared
from ampcommit.files import entered, make_own_folder, open_made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ampcommit.place import Place
    from ampcommit.record import ThreadId

REQUESTS = "asked"
"""Our folder of the clone in which a hook leaves a file for each thread it wants to know of."""

_CODE = """
import os, sys
sys.path.append(sys.argv[1])
from ampcommit.verbs.resolve import background
background(sys.argv[2], sys.argv[3], os.environ)
"""
_TRIED_AGAIN = 900  # seconds: longer than a run takes, so this one has died
_GIVEN_UP = 86400  # seconds for which nobody asks again


def start_resolver(thread: "ThreadId", place: "Place", environ: "Mapping[str, str]") -> None:
    """
    Start the background run for *thread*, if nobody asks already, and this is no CI.

    The process has a session of its own and no descriptor of ours: no pipe that somebody reads stays open.
    A failure costs nothing but the answer.
    """
    if environ.get("CI"):
        return
    try:
        if _requested(os.path.join(place.state, REQUESTS), thread, place.mode()):
            _spawn(os.path.abspath(place.git_dir), os.path.abspath(place.top), cleared(environ))
    except OSError:
        pass


def _requested(folder: str, thread: str, mode: int) -> bool:
    """Leave the request; say whether it is new, or so old that it may be tried again."""
    path = os.path.join(folder, thread)
    make_own_folder(folder, entered(mode))
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        os.close(open_made(path, os.O_WRONLY, mode))
        return True
    if 0 <= time.time() - seen.st_mtime < (_GIVEN_UP if seen.st_size else _TRIED_AGAIN):
        return False
    os.unlink(path)
    os.close(open_made(path, os.O_WRONLY, mode))
    return True


def _spawn(git_dir: str, top: str, environ: dict[str, str]) -> None:
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    argv = [sys.executable, "-I", "-S", "-c", _CODE, package, git_dir, top]
    actions: list[tuple[object, ...]] = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in map(int, os.listdir("/dev/fd")) if fd > 2 and _inherited(fd)]
    try:
        os.posix_spawn(sys.executable, argv, environ, file_actions=actions, setsid=True)
    except NotImplementedError:  # a system that cannot: at least a process group of its own
        os.posix_spawn(sys.executable, argv, environ, file_actions=actions, setpgroup=0)


def _inherited(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False  # the folder that was just listed
