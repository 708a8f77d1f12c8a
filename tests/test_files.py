"""Files are replaced whole, read only where they are files, and locked so that nobody waits for ever."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import LedgerError
from ampcommit.files import (
    Lock,
    ensure_streams,
    entered,
    make_folder,
    make_own_folder,
    read_all,
    read_regular,
    remove,
    write_all,
    write_atomic,
)
from tests.conftest import ROOT

HOLD = f"""
import sys
sys.path.append({str(ROOT)!r})
from ampcommit.files import Lock
with Lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


PLANTED: dict[str, Callable[[Path, Path], object]] = {
    "link": Path.symlink_to,
    "FIFO": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
}
"""What may stand in the place of a file of ours: made at a path, a link with a target."""


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Whatever happens, no descriptor is left open."""
    before = open_files()
    yield
    assert before == open_files()


def open_files() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/dev/fd"))


def void(*_: object) -> None:
    """Do nothing."""


def failing(error: int, call: Callable[..., None] = void) -> Callable[..., None]:
    """Return an OS call that fails with *error*, after it has done what *call* does."""

    def fail(*args: Any) -> None:
        call(*args)
        raise OSError(error, os.strerror(error))

    return fail


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    """Set the umask of this process for one test."""
    before = os.umask(0o022)
    yield lambda mask: void(os.umask(mask))
    os.umask(before)


def mode(path: Path | str) -> int:
    """Return the permissions of *path*."""
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_a_closed_stream_is_opened_on_nothing(fd: int) -> None:
    """E16: with a stream closed, no file of ours gets its number and somebody's output."""
    kept = os.dup(fd)
    os.close(fd)
    ensure_streams()
    at = os.fstat(fd)
    os.dup2(kept, fd)
    os.close(kept)

    assert os.path.samestat(os.stat(os.devnull), at)


def test_streams_that_are_open_stay() -> None:
    """Where nothing is closed, nothing is opened."""
    before = os.fstat(0)
    ensure_streams()

    assert os.path.samestat(before, os.fstat(0))


def test_a_small_file_is_read(tmp_path: Path) -> None:
    """A file of exactly the limit is read whole, byte for byte."""
    (tmp_path / "f").write_bytes(b"\0\xff\r\n" * 4)

    assert read_regular(str(tmp_path / "f"), 16) == b"\0\xff\r\n" * 4
    assert read_regular(str(tmp_path / "f"), 15) is None


@pytest.mark.parametrize(
    "name",
    ["missing", "link", "dangling", "loop", "folder", "fifo", "file/below", "n\0ul", "long" * 100, ""],
    ids=["missing", "link", "dangling", "loop", "folder", "FIFO", "below a file", "NUL", "too long", "empty"],
)
def test_what_is_no_file_is_not_read(tmp_path: Path, name: str) -> None:
    """T14, S08: only a regular file is read; nothing else makes us wait, fail, or follow it."""
    (tmp_path / "file").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")

    assert read_regular(f"{tmp_path}/{name}" if name else "", 100) is None


def test_a_device_is_not_read() -> None:
    """T14: an endless device is not a file."""
    assert read_regular("/dev/zero", 100) is None


def test_short_reads_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C08: a system that hands out a file in pieces loses none of them."""
    (tmp_path / "f").write_bytes(b"in pieces")
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, 2)))

    assert read_regular(str(tmp_path / "f"), 100) == b"in pieces"


def test_a_file_that_shrinks_ends_early(tmp_path: Path) -> None:
    """T16: a file cut short while it is read gives what is left of it."""
    (tmp_path / "f").write_bytes(b"short")
    with (tmp_path / "f").open("rb") as stream:
        content = read_all(stream.fileno(), 100)

    assert content == b"short"


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C08: a system that takes a line in pieces gets all of them."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    with (tmp_path / "f").open("wb") as stream:
        write_all(stream.fileno(), b"in pieces")

    assert (tmp_path / "f").read_bytes() == b"in pieces"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The new content is there, and nothing beside it."""
    path = tmp_path / "f"
    write_atomic(str(path), b"old")
    write_atomic(str(path), b"new", durable=True)

    assert path.read_bytes() == b"new"
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("call", ["write", "replace", "fsync", "open", "close"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    """C08, C09: a full or broken disk is an error, and the file is as it was."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    close = os.close
    monkeypatch.setattr(os, call, failing(error, close if call == "close" else void))
    with pytest.raises(OSError, match=os.strerror(error)):
        write_atomic(str(path), b"new", durable=True)
    monkeypatch.undo()

    assert path.read_bytes() == b"old"
    assert [path] == list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C16, E43: Ctrl-C in the middle of a write leaves the old file and no other."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(str(tmp_path / "f"), b"new")

    assert list(tmp_path.iterdir()) == []


def test_only_a_durable_write_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook does not wait for the disk: a broken `fsync` is nothing to it."""
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    write_atomic(str(tmp_path / "f"), b"new")

    assert (tmp_path / "f").read_bytes() == b"new"


def test_a_durable_write_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C10: the file reaches the disk before its new name does, and the name before we go on."""
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(fd: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def replaced(old: str, new: str) -> None:
        steps.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_atomic(str(tmp_path / "f"), b"new", durable=True)

    assert steps == ["file", "rename", "folder"]


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    """S08: a planted link does not lead our writing elsewhere."""
    victim, path = tmp_path / "victim", tmp_path / "f"
    victim.write_bytes(b"precious")
    path.symlink_to(victim)
    write_atomic(str(path), b"new")

    assert victim.read_bytes() == b"precious"
    assert not path.is_symlink()


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    """S08: not even by way of the file that we write aside."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f"f.{os.getpid()}.tmp").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_atomic(str(tmp_path / "f"), b"new")

    assert victim.read_bytes() == b"precious"
    assert [victim] == list(tmp_path.iterdir())


def test_a_fifo_in_place_of_the_temporary_file_does_not_hang(tmp_path: Path) -> None:
    """C13: nobody waits for somebody to read a FIFO, and it is out of the way afterwards."""
    script = (
        "import os, sys; sys.path.append(sys.argv[1]); path = sys.argv[2];"
        "from ampcommit.files import write_atomic; os.mkfifo(f'{path}.{os.getpid()}.tmp'); write_atomic(path, b'new')"
    )
    argv = [sys.executable, "-c", script, str(ROOT), str(tmp_path / "f")]
    subprocess.run(argv, stderr=subprocess.DEVNULL, check=False, timeout=5)

    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_in_the_way_is_an_error(tmp_path: Path) -> None:
    """A folder of that name stays, and nothing is left beside it."""
    (tmp_path / "f").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(str(tmp_path / "f"), b"new")

    assert [tmp_path / "f"] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_a_new_file_obeys_the_umask(tmp_path: Path, umask: Callable[[int], None], mask: int, expected: int) -> None:
    """E39: a message that we rewrite is as readable as git would make it."""
    umask(mask)
    write_atomic(str(tmp_path / "f"), b"")

    assert expected == mode(tmp_path / "f")


def test_removing_what_is_gone_is_fine(tmp_path: Path) -> None:
    """A file that somebody else removed first is removed."""
    (tmp_path / "f").write_bytes(b"")
    remove(str(tmp_path / "f"))
    remove(str(tmp_path / "f"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0, 0o077, 0o777], ids=oct)
@pytest.mark.parametrize("wanted", [0o700, 0o770, 0o775], ids=oct)
def test_a_folder_has_its_permissions_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], None], mask: int, wanted: int
) -> None:
    """E39: a private folder is private and a shared one shared, whatever the umask of who made it."""
    umask(mask)
    make_folder(str(tmp_path / "new"), wanted)

    assert wanted == mode(tmp_path / "new")


def test_a_folder_is_made_with_those_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing path is made, absolute or relative."""
    monkeypatch.chdir(tmp_path)
    make_folder(str(tmp_path / "a" / "b"))
    make_folder("c")

    assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "c").is_dir()


def test_a_folder_below_a_link_is_made(tmp_path: Path) -> None:
    """E15: where somebody keeps `.git` or the home's folders is theirs to decide: a link above ours is followed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    make_folder(str(tmp_path / "link" / "a"))
    make_folder(str(tmp_path / "link" / "b" / "c"))

    assert {tmp_path / "real" / "a", tmp_path / "real" / "b"} == set((tmp_path / "real").iterdir())


@pytest.mark.parametrize("target", ["real", "nowhere"])
def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    """S08: a link planted in place of our own folder does not lead our writing elsewhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / target)
    with pytest.raises(OSError, match="ours"):
        make_own_folder(str(tmp_path / "ours"))

    assert list((tmp_path / "real").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_of_our_own_is_made_where_there_is_none(tmp_path: Path) -> None:
    """The first commit of a clone makes our folder, private, and the next one finds it."""
    for _ in range(2):
        make_own_folder(str(tmp_path / "ours"))

    assert mode(tmp_path / "ours") == 0o700


def test_folders_above_are_not_open_to_everybody(tmp_path: Path, umask: Callable[[int], None]) -> None:
    """E39: with an umask of 0, nobody else can put a folder of theirs in the place of ours."""
    umask(0)
    make_folder(str(tmp_path / "above" / "ours"))

    assert not mode(tmp_path / "above") & stat.S_IWOTH


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Permissions that somebody chose are not changed."""
    (tmp_path / "f").mkdir(mode=0o750)
    make_folder(str(tmp_path / "f"))

    assert mode(tmp_path / "f") == 0o750


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """T15: what stands in the way is not removed."""
    (tmp_path / "f").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        make_folder(str(tmp_path / "f"))

    assert (tmp_path / "f").read_bytes() == b"precious"


def test_a_folder_made_by_another_process_meanwhile_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C02: of two first commits at once, neither fails because the other was faster."""
    mkdir = os.mkdir

    def beaten(path: str, mode: int) -> None:
        mkdir(path, mode)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    monkeypatch.setattr(os, "mkdir", beaten)
    make_folder(str(tmp_path / "f"))

    assert (tmp_path / "f").is_dir()


def test_a_lock_is_for_one_at_a_time(tmp_path: Path) -> None:
    """C05: who cannot get the lock in time is told so, and what to do."""
    path = str(tmp_path / "lock")
    with Lock(path), pytest.raises(LedgerError, match="another process has held") as caught, Lock(path, patience=0.02):
        pass

    assert "ledger rebuild" in caught.value.hint


def test_a_lock_is_free_afterwards(tmp_path: Path) -> None:
    """Even when the work under the lock failed, the next one gets it."""
    path = str(tmp_path / "lock")
    with pytest.raises(RuntimeError), Lock(path):
        raise RuntimeError
    with Lock(path, patience=0):
        held = os.path.exists(path)

    assert held


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    """Who comes second waits for the first to finish."""
    done: list[str] = []
    first = Lock(str(tmp_path / "lock"))

    def finish() -> None:
        done.append("first")
        first.__exit__()

    first.__enter__()
    later = threading.Timer(0.03, finish)
    later.start()
    with Lock(str(tmp_path / "lock"), patience=30):
        done.append("second")
    later.join()

    assert done == ["first", "second"]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock `lock` until its stdin ends."""
    argv = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_lock_holds_against_other_processes(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    """C05: a process that is stuck with the lock costs the others their patience, not for ever."""
    with pytest.raises(LedgerError), Lock(str(tmp_path / "lock"), patience=0.02):
        pass

    assert holder.poll() is None


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    """C04, C06: `kill -9` leaves a file, but no lock."""
    holder.kill()
    holder.wait()
    with Lock(str(tmp_path / "lock"), patience=0):
        free = True

    assert free


@pytest.mark.parametrize("content", [b"", b"99999999\n", b"1 elsewhere\n", b"\0\xff"], ids=repr)
def test_what_a_lock_file_holds_does_not_matter(tmp_path: Path, content: bytes) -> None:
    """C04: a lock file left by anybody, with anything in it, locks nothing and is kept."""
    path = tmp_path / "lock"
    path.write_bytes(content)
    with Lock(str(path), patience=0):
        pass

    assert content == path.read_bytes()


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """S08: no file is made where a planted link points."""
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), Lock(str(tmp_path / "lock")):
        pass

    assert not (tmp_path / "victim").exists()


def test_a_folder_in_place_of_the_lock_is_an_error(tmp_path: Path) -> None:
    """C13: that is said at once, not after the patience."""
    (tmp_path / "lock").mkdir()
    with pytest.raises(OSError, match="directory"), Lock(str(tmp_path / "lock"), patience=1e9):
        pass


def test_a_fifo_in_place_of_the_lock_does_not_hang(tmp_path: Path) -> None:
    """C13: a FIFO may serve as the lock or be refused, but nobody waits for its other end."""
    os.mkfifo(tmp_path / "lock")
    try:
        with Lock(str(tmp_path / "lock"), patience=0):
            pass
    except (LedgerError, OSError):
        pass

    assert stat.S_ISFIFO((tmp_path / "lock").stat().st_mode)


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C17: where the kernel cannot lock, we refuse instead of writing unguarded."""
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)), Lock(str(tmp_path / "lock")):
        pass


def test_a_lock_has_the_permissions_asked_for(tmp_path: Path, umask: Callable[[int], None]) -> None:
    """A lock is private unless more is asked for."""
    umask(0)
    with Lock(str(tmp_path / "a")), Lock(str(tmp_path / "b"), mode=0o660):
        modes = (mode(tmp_path / "a"), mode(tmp_path / "b"))

    assert modes == (0o600, 0o660)


def test_the_lock_is_not_inherited(tmp_path: Path) -> None:
    """C19: a program that we start while holding the lock does not keep it."""
    lock = str(tmp_path / "lock")
    with Lock(lock):
        child = subprocess.Popen(["sleep", "60"])
    with Lock(lock, patience=0):
        free = True
    child.kill()
    child.wait()

    assert free


@pytest.mark.parametrize(("file", "folder"), [(0o600, 0o700), (0o660, 0o770), (0o664, 0o775), (0o640, 0o750)])
def test_whoever_may_read_a_file_may_enter_its_folder(file: int, folder: int) -> None:
    """Files that are shared lie in folders that are shared as far."""
    assert entered(file) == folder
