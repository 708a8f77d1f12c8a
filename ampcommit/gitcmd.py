"""The one door to the git executable: bytes in, bytes out, a deadline, or `GitError`."""

import os
import select
import time

from ampcommit.errors import GitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEADLINE = 5.0
"""Seconds that git may take for one question; `interpret-trailers` before 2.45 can run for ever."""

LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are read; no question that we ask has a longer one."""

PIECE = 1 << 20
"""Bytes that a stream yields at most at once."""

_CHUNK = 65536
_MOMENT = 0.0001
_LULL = 0.002  # of a long answer: waking up for each little write costs git and us more than we gain
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
        until = time.monotonic() + deadline
        child = self._started(args)
        try:
            out, said = _exchanged(child, stdin, until)
            status = child.awaited(until)
        except TimeoutError as error:
            raise GitError(f"git {_verb(args)} did not answer in {deadline:g} seconds") from error
        finally:
            child.end()
        if status not in ok:
            raise GitError(f"git {_verb(args)} ended with status {status}: {_reason(said)}")
        return out

    def stream(self, *args: str, stdin: bytes = b"") -> "Iterator[bytes]":
        """
        Yield what `git *args` prints as it comes, however long that takes.

        One piece is empty: it comes as soon as git has been told all of *stdin*, and can work while nobody listens.
        `GitError` behind the last piece if git ended with another status than 0. Who stops
        listening ends git.
        """
        said, told = b"", 0
        child = self._started(args)
        try:
            _widen(child.out)
            for fd, piece in child.heard(stdin, PIECE):
                if fd == child.out:
                    yield piece
                    told += len(piece)
                    if told > PIECE and len(piece) < PIECE >> 3:
                        time.sleep(_LULL)
                else:
                    said = (said + piece)[:_CHUNK]
            status = child.awaited(time.monotonic() + DEADLINE)
        except TimeoutError as error:
            raise GitError(f"git {_verb(args)} did not end") from error
        finally:
            child.end()
        if status:
            raise GitError(f"git {_verb(args)} ended with status {status}: {_reason(said)}")

    def _started(self, args: "tuple[str, ...]") -> "_Child":
        where = ("-C", self._folder) if self._folder else ()
        try:
            return _Child(("git", *where, *args), self._environ)
        except FileNotFoundError as error:
            raise GitError("git is not on PATH", hint="install git 2.31 or newer") from error
        except OSError as error:
            raise GitError(f"git cannot be started: {error.strerror}", hint="put git 2.31 or newer on PATH") from error

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


class _Child:
    """
    A running child, and the ends of its pipes that are ours.

    This is what we need of subprocess, whose import costs a hook 13 ms.
    """

    __slots__ = ("_pid", "_status", "err", "open", "out", "to")

    def __init__(self, argv: "tuple[str, ...]", environ: "Mapping[str, str]") -> None:
        pipes: list[tuple[int, int]] = []
        started = False
        try:
            for _ in range(3):
                pipes.append(os.pipe())
            theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
            actions = [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(theirs)]
            self._pid = os.posix_spawnp(argv[0], argv, environ, file_actions=actions, setsigdef=(_PIPE,))
            started = True
        finally:
            for at, (reader, writer) in enumerate(pipes):
                os.close(writer if at else reader)
                if not started:
                    os.close(reader if at else writer)
        self.to, self.out, self.err = pipes[0][1], pipes[1][0], pipes[2][0]
        self.open = {self.to, self.out, self.err}
        self._status: int | None = None

    def close(self, fd: int) -> None:
        """Close one of our ends."""
        self.open.remove(fd)
        os.close(fd)

    def heard(self, stdin: bytes, size: int, until: float | None = None) -> "Iterator[tuple[int, bytes]]":
        """
        Yield what the child says, at most *size* bytes at once, and where; `TimeoutError` if it goes on past *until*.

        It is fed *stdin* meanwhile, so that neither waits for the other; when all is written, nothing is yielded once.
        """
        left = memoryview(stdin)
        os.set_blocking(self.to, False)
        waiting = select.poll()  # select() cannot look at a descriptor above 1023
        waiting.register(self.to, select.POLLOUT)
        for fd in (self.out, self.err):
            waiting.register(fd, select.POLLIN)
        while not self.open.isdisjoint((self.out, self.err)):
            if not left and self.to in self.open:
                waiting.unregister(self.to)
                self.close(self.to)  # the child reads until here
                yield self.out, b""
                continue
            ready = waiting.poll(None if until is None else max(0.0, until - time.monotonic()) * 1000)
            if not ready:
                raise TimeoutError
            for fd, _ in ready:
                if fd == self.to:
                    left = _written(fd, left)
                elif piece := os.read(fd, size):
                    yield fd, piece
                else:
                    waiting.unregister(fd)
                    self.close(fd)

    def awaited(self, until: float) -> int:
        """Return the exit status of a child that has closed its output and should be gone in a moment."""
        while True:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended:
                self._status = os.waitstatus_to_exitcode(status)
                return self._status
            if time.monotonic() >= until:
                raise TimeoutError
            time.sleep(_MOMENT)

    def end(self) -> None:
        """Leave no process and no pipe behind: it was too slow, said too much, or nobody listens any more."""
        for fd in self.open:
            os.close(fd)
        self.open.clear()
        if self._status is None:
            os.kill(self._pid, _KILL)
            os.waitpid(self._pid, 0)


def _exchanged(child: _Child, stdin: bytes, until: float) -> "tuple[bytes, bytes]":
    """Feed *stdin* to the *child* and return all that it says."""
    said: dict[int, list[bytes]] = {child.out: [], child.err: []}
    size = 0
    for fd, piece in child.heard(stdin, _CHUNK, until):
        said[fd].append(piece)
        size += len(piece)
        if size > LIMIT:
            raise GitError("git's answer is too long")
    return b"".join(said[child.out]), b"".join(said[child.err])


def _written(to_child: int, left: memoryview) -> memoryview:
    """Write what fits and return the rest; a child that stopped listening gets no more."""
    try:
        return left[os.write(to_child, left[:_CHUNK]) :]
    except BrokenPipeError:
        return left[:0]


def _widen(pipe: int) -> None:
    """Let git run ahead by as much as is read at once, where the system allows it."""
    import fcntl  # only who reads a long answer

    try:
        fcntl.fcntl(pipe, getattr(fcntl, "F_SETPIPE_SZ", -1), PIECE)
    except OSError:
        pass  # more turns, the same answer
