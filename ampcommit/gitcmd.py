"""The one door to the git executable: bytes in, bytes out, a deadline, or `GitError`."""

import os
import select
import time

from ampcommit.errors import GitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE = 5.0
"""Seconds that git may take for one question; `interpret-trailers` before 2.45 can run for ever."""

LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are read; no question that we ask has a longer one."""

_CHUNK = 65536
_MOMENT = 0.0001
_KILL, _PIPE = 9, 13  # SIGKILL and SIGPIPE: the module signal imports enum, 4 ms


class Git:
    """Git, run in the folder and with the environment given here."""

    __slots__ = ("_environ", "_folder")

    def __init__(self, folder: str | None = None, environ: "Mapping[str, str] | None" = None) -> None:
        self._folder = folder
        self._environ = os.environ if environ is None else environ

    def __call__(
        self, *args: str, stdin: bytes = b"", ok: "tuple[int, ...]" = (0,), deadline: float = DEADLINE
    ) -> bytes:
        """Return what `git *args` printed; an exit status that is not in *ok* is a `GitError`."""
        where = ("-C", self._folder) if self._folder else ()
        try:
            status, out, said = _spawned(("git", *where, *args), stdin, self._environ, deadline)
        except TimeoutError as error:
            raise GitError(f"git {_verb(args)} did not answer in {deadline:g} seconds") from error
        except FileNotFoundError as error:
            raise GitError("git is not on PATH", hint="install git 2.31 or newer") from error
        except OSError as error:
            raise GitError(f"git cannot be started: {error.strerror}", hint="put git 2.31 or newer on PATH") from error
        if status not in ok:
            raise GitError(f"git {_verb(args)} ended with status {status}: {_reason(said)}")
        return out

    def has_commit(self, name: str) -> bool:
        """Say whether *name* names a commit that is here."""
        return bool(self("rev-parse", "-q", "--verify", f"{name}^{{commit}}", ok=(0, 1, 128)))


def version(git: Git) -> tuple[int, int]:
    """Return the first two numbers of git's version; one that we cannot read counts as new."""
    words = git("version").decode("ascii", "replace").split()
    numbers = [int(part) for part in "".join(words[2:3]).split(".")[:2] if part.isdigit()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (99, 0)


def clean(environ: "Mapping[str, str]", git_dir: str = os.devnull) -> dict[str, str]:
    """
    Return *environ* for questions whose answer must not depend on anybody's settings.

    No user or system configuration, no `-c` from the command line (Amp's own rewrite sets
    `trailer.*` there), no replaced or grafted objects, nothing fetched. With the default
    *git_dir* git is in no repository at all, and reads no repository's configuration either.
    """
    objects = () if git_dir == os.devnull else _OBJECTS
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name in objects}
    return kept | {
        "GIT_DIR": git_dir,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "HOME": os.devnull,  # the same for git 2.31, which does not know GIT_CONFIG_GLOBAL
        "XDG_CONFIG_HOME": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


# Where objects are; inside pre-receive they are nowhere else.
_OBJECTS = ("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def _reason(said: bytes) -> str:
    """Return the line in which git says what is wrong; advice stands around it."""
    lines = said.decode("utf-8", "replace").splitlines() or [""]
    return next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[0])


def _verb(args: "tuple[str, ...]") -> str:
    """Return the git command in *args*, behind `-c name=value` pairs."""
    rest = list(args)
    while rest[0] == "-c":
        del rest[:2]
    return rest[0]


def _spawned(
    argv: "tuple[str, ...]", stdin: bytes, environ: "Mapping[str, str]", deadline: float
) -> tuple[int, bytes, bytes]:
    """
    Run *argv* and return its status, stdout and stderr; `TimeoutError` (and no process left) past *deadline* seconds.

    This is what we need of subprocess, whose import costs a hook 13 ms.
    """
    until = time.monotonic() + deadline
    pipes: list[tuple[int, int]] = []
    ours: set[int] = set()
    try:
        try:
            for _ in range(3):
                pipes.append(os.pipe())
            theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
            actions = [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(theirs)]
            pid = os.posix_spawnp(argv[0], argv, environ, file_actions=actions, setsigdef=(_PIPE,))
        finally:
            for at, (reader, writer) in enumerate(pipes):
                os.close(writer if at else reader)
                ours.add(reader if at else writer)
        status = None
        try:
            out, said = _exchanged(pipes[0][1], stdin, (pipes[1][0], pipes[2][0]), ours, until)
            status = _awaited(pid, until)
        finally:
            if status is None:  # too slow, too long, interrupted
                os.kill(pid, _KILL)
                os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), out, said
    finally:
        for fd in ours:
            os.close(fd)


def _exchanged(
    to_child: int, stdin: bytes, sources: tuple[int, int], ours: set[int], until: float
) -> "tuple[bytes, bytes]":
    """Feed *stdin* to the child while reading what it says, so that neither waits for the other; *ours* are open."""
    said: dict[int, list[bytes]] = {fd: [] for fd in sources}
    left, size = memoryview(stdin), 0
    os.set_blocking(to_child, False)
    waiting = select.poll()  # select() cannot look at a descriptor above 1023
    for fd, event in ((to_child, select.POLLOUT), *((fd, select.POLLIN) for fd in sources)):
        waiting.register(fd, event)

    def done(fd: int) -> None:
        waiting.unregister(fd)
        ours.remove(fd)
        os.close(fd)

    while not ours.isdisjoint(sources):
        if not left and to_child in ours:
            done(to_child)  # the child reads until here
        ready = waiting.poll(max(0.0, until - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError
        for fd, _ in ready:
            if fd == to_child:
                left = _written(to_child, left)
                continue
            piece = os.read(fd, _CHUNK)
            said[fd].append(piece)
            size += len(piece)
            if not piece:
                done(fd)
        if size > LIMIT:
            raise GitError("git's answer is too long")
    out, err = (b"".join(said[fd]) for fd in sources)
    return out, err


def _awaited(pid: int, until: float) -> int:
    """Return the wait status of a child that has closed its output and should be gone in a moment."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() >= until:
            raise TimeoutError
        time.sleep(_MOMENT)


def _written(to_child: int, left: memoryview) -> memoryview:
    """Write what fits and return the rest; a child that stopped listening gets no more."""
    try:
        return left[os.write(to_child, left[:_CHUNK]) :]
    except BrokenPipeError:
        return left[:0]
