"""A file of ours that SQLite keeps: private, made once, brought up to date, and refused where it cannot be used."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ampcommit.amp.database import Database
from ampcommit.errors import SetupError

FIRST = "CREATE TABLE things (name TEXT PRIMARY KEY, size INTEGER);\n CREATE INDEX by_size ON things (size)"
SECOND = "ALTER TABLE things ADD COLUMN colour TEXT;\n UPDATE things SET colour = 'red'"
NOBODY = 65534

CHILD = f"""
import os, resource, signal, sqlite3, sys, time
from ampcommit.amp.database import Database
from ampcommit.errors import SetupError
FIRST, SECOND = {FIRST!r}, {SECOND!r}
path = sys.argv[1]
"""


def opened(path: Path, *migrations: str, patience: float = 5) -> Database:
    """Open the file with the tables of the first version, or with those that are given."""
    return Database(str(path), migrations or (FIRST,), patience=patience)


@contextmanager
def child(script: str, *args: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run *script* in a process of its own, which ends with the block."""
    argv = [sys.executable, "-c", CHILD + script, *map(str, args)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def said_by(script: str, *args: str | Path) -> bytes:
    """Return what *script* printed; it must end well."""
    with child(script, *args) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    return out


def refusal(path: Path, *migrations: str, patience: float = 5) -> SetupError:
    """Return why the file was refused, when it was opened, read or written."""

    def use() -> None:
        with opened(path, *migrations, patience=patience) as file:
            for row in file("SELECT * FROM things"):
                file("UPDATE things SET size = size + 1 WHERE name = ?", row[:1])

    with pytest.raises(SetupError) as failed:
        use()
    assert failed.value.hint
    return failed.value


def mode_of(path: Path) -> int:
    """Return the permissions of *path*."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file is to be."""
    return tmp_path / "of ours" / "it's.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A file of several pages."""
    with opened(path) as file, file.change():
        file.many("INSERT INTO things VALUES (?, ?)", [(f"thing {n:0200}", n) for n in range(500)])
    return path


# --- What a file is


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_everything_is_private(path: Path, umask: int) -> None:
    """Titles of threads are nobody else's business, whatever the umask: not in the file, nor in those beside it."""
    before = os.umask(umask)
    try:
        with opened(path) as file, file.change():
            file("INSERT INTO things VALUES ('a', 1)")
            modes = {one.name: mode_of(one) for one in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], 0o600)
    assert mode_of(path.parent) == 0o700


def test_what_was_written_is_there(filled: Path) -> None:
    """A file is closed and opened again."""
    with opened(filled) as file:
        assert file("SELECT count(*), sum(size) FROM things") == [(500, 124750)]


def test_a_change_is_whole_or_not_at_all(filled: Path) -> None:
    """What fails in the middle leaves nothing behind, and the file can be used on."""

    def change(file: Database, then: Callable[[], object]) -> None:
        with file.change():
            file("DELETE FROM things")
            then()

    with opened(filled) as file:
        with pytest.raises(KeyboardInterrupt):
            change(file, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(SetupError):
            change(file, lambda: file("INSERT INTO things VALUES ('a', 1), ('a', 2)"))

        assert file("SELECT count(*) FROM things") == [(500,)]
        with file.change():
            file("INSERT INTO things VALUES ('a', 1)")


def test_a_copy(filled: Path, tmp_path: Path) -> None:
    """A copy holds what is in the file at that time, and is as private."""
    copy = tmp_path / "copy" / "copy.db"
    with opened(filled) as file:
        file("DELETE FROM things WHERE size > 0")
        file.copy_to(str(copy))
        file("DELETE FROM things")
        (tmp_path / "link").symlink_to(filled)
        with pytest.raises(SetupError, match="no regular file"):
            file.copy_to(str(tmp_path / "link"))

    assert mode_of(copy) == 0o600
    with opened(copy) as file:
        assert file("SELECT size FROM things") == [(0,)]


def test_a_defect_of_ours_is_not_explained_away(path: Path) -> None:
    """What is used after it was closed is no damaged file."""
    with opened(path) as file:
        pass
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        file("SELECT 1")


# --- What stands in its place


@pytest.mark.parametrize("kind", ["dead link", "link", "folder", "pipe"])
def test_what_is_no_file_is_refused(path: Path, tmp_path: Path, kind: str) -> None:
    """A link is not followed, a folder is left alone, and a pipe makes nobody wait."""
    target = tmp_path / "target"
    path.parent.mkdir()
    if kind.endswith("link"):
        path.symlink_to(target)
    if kind == "link":
        target.write_bytes(b"")
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)

    assert str(refusal(path)) == f"{path} is no regular file"
    assert not target.exists() or target.read_bytes() == b""


def test_a_file_where_the_folder_should_be(path: Path) -> None:
    """The system's own words say what is wrong."""
    path.parent.write_text("x")

    assert str(refusal(path)).startswith(f"{path} cannot be used: ")


FOREIGN = ["PRAGMA application_id = 1", "PRAGMA user_version = 1", "CREATE TABLE things (name)"]


@pytest.mark.parametrize("statement", FOREIGN)
def test_another_programs_file_stays_as_it_is(path: Path, statement: str) -> None:
    """A database that we did not make is neither used nor changed by a byte."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute(statement)
        other.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()

    assert str(refusal(path)) == f"{path} belongs to another program"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("left", [b"", None], ids=["empty", "none"])
def test_an_empty_file_is_filled(path: Path, left: bytes | None) -> None:
    """A process that was killed before it wrote anything leaves no damage."""
    path.parent.mkdir()
    if left is not None:
        path.write_bytes(left)
    with opened(path) as file:
        assert file("SELECT * FROM things") == []


# --- Versions


def test_a_newer_version_is_left_alone(filled: Path) -> None:
    """What a newer ampcommit wrote is not touched by an older one, which says so."""
    opened(filled, FIRST, SECOND).close()
    before = filled.read_bytes()
    failed = refusal(filled)

    assert "written by a newer ampcommit (version 2, this one knows 1)" in str(failed)
    assert "upgrade" in failed.hint
    assert filled.read_bytes() == before


def test_an_older_version_is_brought_up_to_date(filled: Path) -> None:
    """Nothing is lost on the way, and it happens once."""
    for _ in range(2):
        with opened(filled, FIRST, SECOND) as file:
            assert file("SELECT count(*), min(colour) FROM things") == [(500, "red")]
            assert file("PRAGMA user_version") == [(2,)]


def test_a_migration_that_fails_changes_nothing(filled: Path) -> None:
    """Half a version is none."""
    refusal(filled, FIRST, "CREATE TABLE others (a); INSERT INTO nothing VALUES (1)")
    with opened(filled) as file:
        assert file("SELECT name FROM sqlite_master WHERE type = 'table'") == [("things",)]


@pytest.mark.parametrize("old", [False, True], ids=["made", "migrated"])
def test_many_processes_at_once(path: Path, old: bool) -> None:
    """Two runs that both find a file missing, or old, make it once, and neither fails."""
    script = (
        "print(flush=True); sys.stdin.read()\n"
        "with Database(path, (FIRST, SECOND)) as file: file('INSERT INTO things VALUES (?, 1, 2)', (sys.argv[2],))"
    )
    if old:
        opened(path).close()
    running = [child(script, path, str(number)) for number in range(6)]
    processes = [one.__enter__() for one in running]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]

    assert ended == [(b"", 0)] * 6
    with opened(path, FIRST, SECOND) as file:
        assert file("SELECT count(*) FROM things") == [(6,)]


# --- Damage


def cut(path: Path) -> None:
    """Take away the second half."""
    os.truncate(path, path.stat().st_size // 2)


def page(path: Path) -> None:
    """Put a page of the web there."""
    path.write_text("<!DOCTYPE html><html><body>Sign in</body></html>" * 300)


def overwrite(path: Path) -> None:
    """Overwrite all but the first page."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def garble(path: Path) -> None:
    """Put bytes into texts that are no UTF-8."""
    path.write_bytes(path.read_bytes().replace(b"thing 000", b"thing \xff\xfe\x07"))


def rename(path: Path) -> None:
    """Put a byte that is no text into what a table is made with, which SQLite then quotes."""
    path.write_bytes(path.read_bytes().replace(b"TABLE things", b"T\xffBLE things"))


def strip(path: Path) -> None:
    """Take away the tables, but not the version."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE things")


@pytest.mark.parametrize("spoil", [cut, page, overwrite, garble, rename, strip])
def test_a_damaged_file_is_said_to_be_so(filled: Path, spoil: Callable[[Path], None]) -> None:
    """The hint can be pasted into a shell: it moves the file away, and then all goes on with a new one."""
    spoil(filled)
    failed = refusal(filled)

    assert str(failed).startswith(f"{filled} is damaged: ")
    assert "\x07" not in str(failed)
    subprocess.run(["sh", "-c", failed.hint.partition("makes a new one: ")[2]], check=True)
    assert Path(f"{filled}.damaged").exists()
    with opened(filled) as file:
        assert file("SELECT * FROM things") == []


def test_a_write_ahead_log_that_was_left_behind(filled: Path) -> None:
    """Where only the file itself was removed, the log beside it does not bring old things back."""
    with opened(filled) as file:
        file("DELETE FROM things")
        log = Path(f"{filled}-wal").read_bytes()
    assert log
    filled.unlink()
    Path(f"{filled}-wal").write_bytes(log)
    with opened(filled) as file:
        assert file("SELECT count(*) FROM things") == [(0,)]
        assert file("PRAGMA integrity_check") == [("ok",)]


# --- Others at the same file

HOLD = """
file = Database(path, (FIRST,))
file('BEGIN IMMEDIATE')
file('DELETE FROM things')
"""
ALONE = """
file = sqlite3.connect(path)
file.execute('PRAGMA locking_mode = EXCLUSIVE')
file.execute('DELETE FROM things')
file.commit()
"""
ROLLED = """
file = sqlite3.connect(path, isolation_level=None)
file.execute('PRAGMA journal_mode = DELETE')
file.execute('BEGIN IMMEDIATE')
"""
EVER = "input()"
MOMENT = "time.sleep(0.3); file.close()"


@contextmanager
def held(script: str, end: str, path: Path) -> Iterator[None]:
    """Let another process do *script*, and then *end* while the block runs."""
    with child(f"{script}\nprint(flush=True)\n{end}", path) as process:
        assert process.stdout
        process.stdout.readline()
        yield


def test_readers_see_what_was_there_before(filled: Path) -> None:
    """Nobody who reads waits for somebody who writes."""
    with held(HOLD, EVER, filled), opened(filled, patience=0) as file:
        assert file("SELECT count(*) FROM things") == [(500,)]


@pytest.mark.parametrize("script", [HOLD, ALONE], ids=["writing", "opening"])
def test_a_file_that_stays_locked(filled: Path, script: str) -> None:
    """Who waits in vain for another program says so after a time, and changes nothing."""
    with held(script, EVER, filled):
        failed = refusal(filled, patience=0.2)

    assert str(failed) == f"{filled} is locked by another program"


def test_a_file_that_is_locked_for_a_moment(filled: Path) -> None:
    """Who is patient gets it."""
    with held(HOLD, MOMENT, filled), opened(filled, patience=30) as file:
        file("INSERT INTO things VALUES ('a', 1)")
        assert file("SELECT count(*) FROM things") == [(501,)]


def test_the_way_to_write_waits_too(filled: Path) -> None:
    """To write ahead is a change for which SQLite itself does not wait; we do, and not for ever."""
    with held(ROLLED, EVER, filled):
        assert str(refusal(filled, patience=0.2)) == f"{filled} is locked by another program"
    with held(ROLLED, MOMENT, filled), opened(filled, patience=30) as file:
        assert file("PRAGMA journal_mode") == [("wal",)]


def test_an_error_while_it_is_prepared(filled: Path) -> None:
    """A disk that does not let SQLite write ahead at all is not waited for."""
    script = (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: Database(path, (FIRST, SECOND), patience=600)\n"
        "except SetupError as error: print(error)"
    )
    with closing(sqlite3.connect(filled)) as other:
        other.execute("PRAGMA journal_mode = DELETE")

    assert b"cannot be used: " in said_by(script, filled)


def test_opening_it_twice_keeps_the_locks(filled: Path) -> None:
    """A process that opens the file once more, and closes it, still holds it: no other takes the log away."""
    script = (
        "other = sqlite3.connect(path, timeout=0)\n"
        "try: other.execute('PRAGMA journal_mode = DELETE')\n"
        "except sqlite3.OperationalError as error: print(error)"
    )
    with opened(filled) as file:
        file("DELETE FROM things WHERE size > 9")
        opened(filled).close()

        assert said_by(script, filled) == b"database is locked\n"


def test_a_killed_writer(filled: Path) -> None:
    """A process that is killed in the middle of a change leaves nothing of it, and no lock."""
    with held(HOLD, EVER, filled):
        pass
    with opened(filled, patience=0) as file:
        assert file("SELECT count(*) FROM things") == [(500,)]
        assert file("PRAGMA integrity_check") == [("ok",)]


# --- Disks and permissions

FILL = """
file = Database(path, (FIRST,))
number = 0
def fill():
    global number
    while True:
        with file.change():
            file.many("INSERT INTO things VALUES (?, ?)", [(f"{number:04} {n:0500}", number) for n in range(100)])
        number += 1
"""
FULL = """
try: fill()
except SetupError as error: print(error, error.hint, sep='\\n')
try: fill()
except SetupError: pass
os.unlink(f"{os.path.dirname(path)}/ballast")
with file.change(): file("INSERT INTO things VALUES ('a', -1)")
assert file("SELECT size, count(*) FROM things GROUP BY size") == [(-1, 1)] + [(n, 100) for n in range(number)], number
assert file("PRAGMA integrity_check") == [("ok",)]
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """What did not fit is not there, what was there stays, and when there is room again all goes on."""
    argv = ["unshare", "-m", "sh", "-c"]
    mount = 'set -e; mount -t tmpfs -o size=1m,mode=700 none "$1"; dd if=/dev/zero of="$1/ballast" bs=1k count=300; '
    run = 'shift; exec "$@"'
    done = shutil.which(argv[0]) and subprocess.run([*argv, mount, "sh", tmp_path], capture_output=True, check=False)
    if not done or done.returncode:
        pytest.skip("nobody but root can mount a small disk, and only on Linux")
    script = [sys.executable, "-c", CHILD + FILL + FULL, str(tmp_path / "t.db")]
    ended = subprocess.run([*argv, mount + run, "sh", tmp_path, *script], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"{tmp_path}/t.db cannot be used: ")
    assert "make room" in ended.stdout


def test_a_limit_on_the_size_of_files(path: Path) -> None:
    """At the limit that the system sets a change is refused, and those before it stay."""
    script = (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000,) * 2)\n"
        "try: fill()\n"
        "except SetupError as error: print(number, error)"
    )
    number, _, said = said_by(FILL + script, path).decode().partition(" ")

    assert "cannot be used: " in said
    with opened(path) as file:
        assert file("SELECT count(DISTINCT size), count(*) FROM things") == [(int(number), 100 * int(number))]
        assert file("PRAGMA integrity_check") == [("ok",)]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user for whom permissions hold; the test runs as that user."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
def test_a_folder_that_cannot_be_written(unprivileged: Path, there: bool) -> None:
    """Where no file can be made, that is said."""
    path = unprivileged / "t.db"
    if there:
        opened(path).close()
    unprivileged.chmod(0o500)

    assert str(refusal(path)).startswith(f"{path} cannot be used: ")
    assert "permission" in refusal(path).hint


def test_a_file_that_cannot_be_written(unprivileged: Path) -> None:
    """What may only be read is read; a change is refused."""
    path = unprivileged / "t.db"
    with opened(path) as file:
        file("INSERT INTO things VALUES ('a', 1)")
    path.chmod(0o400)
    with opened(path) as file:
        assert file("SELECT size FROM things") == [(1,)]

    assert "cannot be used: " in str(refusal(path))
