"""Files as a guest writes them: replaced whole, appended under a lock, never through a link."""

import os
import stat
import time

from ampcommit.errors import LedgerError

_STEP = 0.005  # seconds between two tries for a lock


def ensure_streams() -> None:
    """Open /dev/null where stdin, stdout or stderr is closed, so that no file of ours gets their number."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def read_regular(path: str, limit: int) -> bytes | None:
    """Return what the regular file *path* holds; None if there is none, it is a link, or exceeds *limit* bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a FIFO must not make us wait
    except (OSError, ValueError):  # the second: a NUL in the path
        return None
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > limit:
            return None
        return read_all(fd, seen.st_size)
    finally:
        os.close(fd)


def open_made(path: str, flags: int, mode: int) -> int:
    """
    Open the file *path*, making it where it is missing with exactly *mode*, whatever the umask.

    Links are not followed, and a FIFO makes nobody wait.
    """
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(fd, mode)  # not os.umask before: that belongs to all threads
    return fd


def read_all(fd: int, size: int) -> bytes:
    """Return the next *size* bytes of *fd*, fewer only where the file ends."""
    pieces = []
    while size > 0 and (piece := os.read(fd, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte of *data*; a short write is continued, a full disk is an `OSError`."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def write_atomic(path: str, data: bytes, *, mode: int = 0o666, durable: bool = False) -> None:
    """
    Replace *path* with *data* in one step, keeping the old file on failure; *mode* is subject to the umask.

    Hooks do not wait for the disk. With *durable* the file, then its name, are there when this returns.
    """
    # Beside the target, because a rename is atomic only within a file system.
    aside = f"{path}.{os.getpid()}.tmp"
    try:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
        try:
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(aside, path)
    except BaseException:
        remove(aside)
        raise
    if durable:
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove(path: str) -> None:
    """Remove the file *path*; that it is gone already is fine."""
    try:
        os.unlink(path)
    except OSError:
        pass


def make_folder(path: str, mode: int = 0o700) -> None:
    """Make the folder *path* and those missing above it; *mode* holds for each of them, whatever the umask."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above:
        make_folder(above, mode)
    _make_one(path, mode)


def make_own_folder(path: str, mode: int = 0o700) -> None:
    """Make the folder *path* inside git's, which must be there; a link in its place is not followed."""
    if os.path.islink(path):
        raise NotADirectoryError(f"{path} is a link, where a folder of ours should be")
    if not os.path.isdir(path):
        _make_one(path, mode)


def entered(mode: int) -> int:
    """Return the permissions of a folder for files of *mode*: whoever may read them may enter."""
    return mode | (mode & 0o444) >> 2


def _make_one(path: str, mode: int) -> None:
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return  # another process made it in this moment
    os.chmod(path, mode | os.stat(path).st_mode & stat.S_ISGID)  # a shared clone's folders hand down their group


class Lock:
    """
    An exclusive lock for a `with` block, on a file that is never removed.

    The kernel drops it when the process ends, however it ends; nothing has to be
    cleaned up after a `kill -9`. Who cannot get it within *patience* seconds gets a
    `LedgerError`.
    """

    __slots__ = ("_fd", "_mode", "_path", "_patience")

    def __init__(self, path: str, *, patience: float = 2.0, mode: int = 0o600) -> None:
        self._path = path
        self._patience = patience
        self._mode = mode
        self._fd = -1

    def __enter__(self) -> None:
        fd = open_made(self._path, os.O_RDWR, self._mode)
        until = time.monotonic() + self._patience
        try:
            while not _taken(fd):
                if time.monotonic() >= until:
                    raise LedgerError(
                        f"another process has held {self._path} for {self._patience:g} seconds",
                        hint="if it hangs, end it; `ampcommit ledger rebuild` records what was not",
                    )
                time.sleep(_STEP)
            self._fd = fd
        finally:
            if self._fd < 0:
                os.close(fd)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)  # closing releases; no second descriptor of this file exists


def _taken(fd: int) -> bool:
    import fcntl  # only who writes the ledger locks

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
