"""The ledger: what was written stays, whoever writes at once, whatever breaks; and what was changed is seen."""

import errno
import hashlib
import itertools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.errors import LedgerError
from ampcommit.files import Lock
from ampcommit.ledger import Ledger, digest
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.resolved import Resolved
from tests.conftest import CHILD, OTHER, PARENT, ROOT
from tests.test_files import failing, mode
from tests.test_record import fields_of, names, record_of, records

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_numbers = itertools.count(10**9)  # beyond all that the processes of these tests count

PREAMBLE = f"""
import os, resource, signal, sys
sys.path.append({str(ROOT)!r})
from ampcommit.ledger import Ledger
from ampcommit.record import Record, Sha, ThreadId
def append(number):
    Ledger(sys.argv[1]).append(Record(
        commit=Sha(f"{{number:040x}}"), tree=Sha("0" * 40), parents=[], links=[ThreadId({CHILD!r})], chain=[],
        chain_state="unknown", source="env", validated=True, branch="main", repo=None, time="", by=""))
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger that does not exist yet."""
    return Ledger(str(tmp_path / "state" / "ledger.jsonl"))


def sha(number: int) -> Sha:
    """Return the commit id with this number."""
    return Sha(f"{number:040x}")


def another() -> Record:
    """Return the record of a commit that no other record is about."""
    return record_of(sha(next(_numbers)))


def filled(ledger: Ledger, count: int = 3) -> bytes:
    """Append *count* records, numbered from 0, and return what the file holds."""
    for number in range(count):
        ledger.append(record_of(sha(number)))
    return content_of(ledger)


def content_of(ledger: Ledger) -> bytes:
    """Return the bytes of the ledger."""
    return Path(ledger.path).read_bytes()


def beside(ledger: Ledger, ending: str) -> Path:
    """Return the file beside the ledger with this ending."""
    return Path(ledger.path + ending)


def intact(ledger: Ledger, count: int) -> list[dict[str, Any]]:
    """Check that the ledger holds *count* whole lines, each naming the one before; return them, parsed."""
    lines = content_of(ledger).split(b"\n")
    report = ledger.check()

    assert lines.pop() == b""
    assert lines == list(ledger.lines())
    assert ([], count) == (report.problems, report.count)
    fields = [json.loads(line) for line in lines]
    before = [None, *(f"sha256:{hashlib.sha256(line).hexdigest()}" for line in lines)]
    assert before[:-1] == [line["prev"] for line in fields]
    return fields


def child(ledger: Ledger, script: str, *args: str) -> subprocess.Popen[bytes]:
    """Start a process of its own that runs *script* on the ledger."""
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, ledger.path, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


# --- what was written stays


@relaxed
@given(st.lists(records, max_size=5, unique_by=lambda record: record.commit))
def test_records_come_back_as_they_were_written(tmp_path: Path, written: list[Record]) -> None:
    """Every record is read back as it was, in order, each naming the one before it."""
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    ledger = Ledger(str(tmp_path / "state" / "ledger.jsonl"))
    ledger.prepare()
    for record in written:
        ledger.append(record)

    intact(ledger, len(written))
    assert [fields_of(record) for record in written] == [fields_of(Record.from_bytes(line)) for line in ledger.lines()]


def test_a_commit_is_recorded_once_however_often_it_is_reported(ledger: Ledger) -> None:
    """E10: two hook managers that call us for one commit leave one record."""
    for number in (1, 1, 2, 2, 1):
        ledger.append(record_of(sha(number)))

    assert [sha(1), sha(2)] == [line["commit"] for line in intact(ledger, 2)]


def test_what_was_told_long_ago_is_told_again(ledger: Ledger) -> None:
    """Only the end of the ledger is looked at: a commit that comes to be once more costs no search."""
    ledger.append(record_of(sha(1)), *(another() for _ in range(300)))
    ledger.append(record_of(sha(1)))

    intact(ledger, 302)


def test_who_knows_better_can_repeat(ledger: Ledger) -> None:
    """A record that is damaged stands in nobody's way."""
    ledger.append(record_of(sha(1)))
    ledger.append(record_of(sha(1)), again=True)

    intact(ledger, 2)


def test_a_torn_record_of_the_same_commit_does_not_count(ledger: Ledger) -> None:
    """C07: a record that was cut off is written again."""
    before = filled(ledger, 1)
    Path(ledger.path).write_bytes(before + record_of(sha(5)).to_bytes())
    ledger.append(record_of(sha(5)))

    assert [sha(0), sha(5)] == [line["commit"] for line in intact(ledger, 2)]


def test_a_parents_record_does_not_stand_for_its_child(ledger: Ledger) -> None:
    """A commit whose id stands elsewhere in the last line is recorded."""
    ledger.append(record_of(sha(1), parents=[sha(2)], tree=sha(3), branch=f'","kind":"commit","commit":"{sha(2)}"'))
    ledger.append(record_of(sha(2)))
    ledger.append(record_of(sha(3)))

    intact(ledger, 3)


def test_without_a_ledger_there_is_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """Looking for a ledger that is not there finds nothing, and makes nothing."""
    report = ledger.check()

    assert (list(ledger.lines()), ledger.find(b"x"), ledger.records("commit", sha(1))) == ([], [], [])
    assert ([], 0, 0, ledger.path) == (report.problems, report.count, report.aside, report.path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_ledger_is_fine(ledger: Ledger) -> None:
    """A ledger that was made and not yet written to is in order."""
    ledger.prepare()

    assert [*ledger.find(b"x"), *ledger.lines()] == []
    assert intact(ledger, 0) == []


def test_a_line_is_never_changed(ledger: Ledger) -> None:
    """What was in the ledger is in it still after the next commit, byte for byte."""
    before = filled(ledger, 2)
    ledger.append(record_of(sha(9)))

    assert content_of(ledger).startswith(before)
    intact(ledger, 3)


def test_an_append_reads_only_the_end(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append costs the same in a ledger of a gigabyte as in an empty one."""
    last = filled(ledger, 1)
    os.truncate(ledger.path, 1 << 30)
    with Path(ledger.path).open("ab") as stream:
        stream.write(b"\n" + last)
    pread, sizes = os.pread, [0]

    def counted(fd: int, size: int, at: int) -> bytes:
        sizes.append(size)
        return pread(fd, size, at)

    monkeypatch.setattr(os, "pread", counted)
    ledger.append(another())

    assert sum(sizes) < 131_072


def test_short_writes_are_continued(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """C08: a system that takes a record in pieces gets all of them, in one line."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    filled(ledger)

    intact(ledger, 3)


@pytest.mark.parametrize("links", [60_000, 205_000, 350_000], ids=["2.5 MB", "of the longest message", "14 MB"])
def test_a_line_as_long_as_a_message_can_make_it(ledger: Ledger, links: int) -> None:
    """P44: behind a commit with more links than anybody can count, commits are recorded, and both are found."""
    filled(ledger, 1)
    long = json.dumps({"v": 1, "kind": "commit", "commit": sha(7), "links": [CHILD] * links}, separators=(",", ":"))
    with Path(ledger.path).open("ab") as stream:
        stream.write(long.encode() + b"\n")
    ledger.append(record_of(sha(8)))

    found = [ledger.records("commit", sha(number)) for number in (0, 7, 8)]
    assert [len(lines) for lines in found] == [1, 1, 1]
    assert digest(long.encode()) == found[2][0][1]["prev"]


# --- C11, C12: what a crash left

CUTS = [1, 2, 10, 100, 200, -200, -100, -10, -2, -1]
TAILS = {f"cut at {cut}": record_of().to_bytes()[:cut] for cut in CUTS} | {
    "whole but for the line feed": record_of().to_bytes(),
    "NUL fill": bytes(4096),
    "random": bytes(set(range(256)) - {10}) * 20,
    "carriage return": b"x\r",
    "3 MB of NUL": bytes(3 << 20),
}


@pytest.mark.parametrize("whole", [0, 2])
@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_torn_tail_is_set_aside(ledger: Ledger, tail: bytes, whole: int) -> None:
    """C11: what a crash cut off is reported, then kept byte for byte beside the ledger, which goes on."""
    ledger.prepare()
    filled(ledger, whole)
    with Path(ledger.path).open("ab") as stream:
        stream.write(tail)
    report = ledger.check()
    ledger.append(record_of(sha(9)))

    assert [f"line {whole + 1}: cut off; the next commit sets it aside"] == report.problems
    assert tail + b"\n" == beside(ledger, ".torn").read_bytes()
    assert sha(9) == intact(ledger, whole + 1)[-1]["commit"]
    assert len(tail) + 1 == ledger.check().aside


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["torn", "whole"])
def test_a_line_beyond_any_measure_is_explained(ledger: Ledger, end: bytes) -> None:
    """C12: behind a hundred megabytes without a line feed nothing is written, and nothing of it is loaded or lost."""
    before = filled(ledger, 1)
    os.truncate(ledger.path, len(before) + (100 << 20))
    with Path(ledger.path).open("ab") as stream:
        stream.write(end)
    with pytest.raises(LedgerError, match="many megabytes") as caught:
        ledger.append(another())

    assert "ledger check" in caught.value.hint
    assert os.path.getsize(ledger.path) == len(before) + (100 << 20) + len(end)


def test_every_torn_tail_is_kept(ledger: Ledger) -> None:
    """C07: a second crash does not cost what was kept of the first."""
    filled(ledger, 1)
    for tail in (b"first", b"second"):
        with Path(ledger.path).open("ab") as stream:
            stream.write(tail)
        ledger.append(another())

    assert beside(ledger, ".torn").read_bytes() == b"first\nsecond\n"
    intact(ledger, 3)


def test_a_torn_tail_is_not_shown(ledger: Ledger) -> None:
    """A line that is not whole is no record yet, wherever one looks for it."""
    filled(ledger, 1)
    with Path(ledger.path).open("ab") as stream:
        stream.write(record_of(sha(7)).to_bytes())

    assert [*ledger.find(sha(7).encode()), *ledger.records("commit", sha(7))] == []
    assert ledger.find(CHILD.encode()) == list(ledger.lines())


def test_a_ledger_of_nothing_but_a_torn_line_shows_nothing(ledger: Ledger) -> None:
    """C11: the very first record may be the one that was cut off."""
    ledger.prepare()
    Path(ledger.path).write_bytes(record_of().to_bytes())

    assert [*ledger.lines(), *ledger.find(b"x")] == []


def test_the_whole_lines_are_one_piece_of_memory(ledger: Ledger) -> None:
    """Who searches on his own sees every whole line and nothing of a torn one; without a ledger, nothing."""
    assert ledger.whole() == b""
    before = filled(ledger, 2)
    with Path(ledger.path).open("ab") as stream:
        stream.write(b"torn")

    assert before == ledger.whole()[:]


FOREIGN = [b"hello", b"", b"null", b"[]", b"<<<<<<< HEAD", bytes(500), b"[" * 100_000, b'{"v":1}', b'{"kind":"x"}']


@pytest.mark.parametrize("line", FOREIGN, ids=lambda line: repr(line[:12]))
def test_a_foreign_line_stays_and_is_reported(ledger: Ledger, line: bytes) -> None:
    """C12: a line that is not ours is neither removed nor followed; commits are recorded behind it."""
    before = filled(ledger, 1) + line + b"\n"
    Path(ledger.path).write_bytes(before)
    ledger.append(record_of(sha(9)))
    problems = ledger.check().problems

    assert content_of(ledger).startswith(before)
    assert [sha(9)] == [fields["commit"] for _, fields in ledger.records("commit", sha(9))]
    assert problems != []
    assert all(problem.startswith("line 2: ") for problem in problems)


@pytest.mark.parametrize("version", [2, 10, 999_999_999_999])
def test_a_newer_ledger_is_read_not_written(ledger: Ledger, version: int) -> None:
    """A newer version's ledger is refused for writing with a hint, and read as far as it is understood."""
    filled(ledger, 1)
    newer = {"v": version, "kind": "commit", "commit": sha(7), "prev": digest(next(ledger.lines()))}
    before = content_of(ledger) + json.dumps(newer, separators=(",", ":")).encode() + b"\n"
    Path(ledger.path).write_bytes(before)
    with pytest.raises(LedgerError, match="a newer ampcommit") as caught:
        ledger.append(another())

    assert "upgrade" in caught.value.hint
    assert before == content_of(ledger)
    assert sha(7) == intact(ledger, 2)[1]["commit"]


@pytest.mark.parametrize("kind", ["head", "later", "something new"])
def test_other_kinds_of_lines_are_kept(ledger: Ledger, kind: str) -> None:
    """A kind that this version does not know is no damage."""
    filled(ledger, 1)
    line = {"v": 1, "kind": kind, "prev": digest(next(ledger.lines()))}
    with Path(ledger.path).open("ab") as stream:
        stream.write(json.dumps(line).encode() + b"\n")
    ledger.append(another())

    assert kind == intact(ledger, 3)[1]["kind"]


def test_several_lines_are_written_at_once(ledger: Ledger) -> None:
    """One lock, one write: the lines of a long rebase stand there as if written one by one, none of them twice."""
    first, second = another(), another()
    ledger.append(first, first, second)
    ledger.append(second, another())
    ledger.append()

    assert [fields["commit"] for fields in intact(ledger, 3)][:2] == [first.commit, second.commit]


def test_of_several_lines_whole_ones_stay(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """C08: where the disk is full in the midst of them, half a line goes; a whole one may have its readers already."""
    filled(ledger, 2)
    write, calls = os.write, iter(range(9))

    def short(fd: int, data: bytes) -> int:
        if next(calls):
            raise NO_SPACE
        return write(fd, data[: len(data) * 2 // 3])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", short)
        with pytest.raises(OSError, match="No space"):
            ledger.append(another(), another(), another())

    intact(ledger, 4)


def test_a_chain_that_became_known_is_a_line_as_any(ledger: Ledger) -> None:
    """It follows the line before it, is checked as records are, and is not said twice in a row."""
    filled(ledger, 1)
    learned = Resolved(
        thread=ThreadId(CHILD),
        chain=[ThreadId(CHILD), ThreadId(PARENT)],
        chain_state="complete",
        parents={ThreadId(CHILD): [ThreadId(PARENT)], ThreadId(PARENT): []},
        source="amp",
        time="2026-11-20T08:15:30Z",
        by="ampcommit 0.1.0",
    )
    ledger.append(learned)
    ledger.append(learned)
    ledger.append(another())

    assert [line["kind"] for line in intact(ledger, 3)] == ["commit", "chain", "commit"]


def test_a_damaged_chain_line_is_reported(ledger: Ledger) -> None:
    """What cannot be read as a chain is damage, like a record that cannot be read."""
    ledger.prepare()
    with Path(ledger.path).open("ab") as stream:
        stream.write(b'{"v":1,"kind":"chain","prev":null}\n')

    assert [problem.partition(": ")[0] for problem in ledger.check().problems] == ["line 1"]


# --- S08, C13: what stands in the place of a file


def a_socket(path: Path) -> None:
    """Put a UNIX socket at *path*."""
    here = os.getcwd()
    os.chdir(path.parent)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    os.chdir(here)


PLANTED: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to(path.parent.parent / "victim"),
    "dangling link": lambda path: path.symlink_to(path.parent.parent / "nowhere"),
    "loop": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "socket": a_socket,
}


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file outside of our folder that must not be touched."""
    path = tmp_path / "victim"
    path.write_bytes(b"precious\n")
    yield path
    assert path.read_bytes() == b"precious\n"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("victim")
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_no_ledger_is_refused(ledger: Ledger, plant: Callable[[Path], object]) -> None:
    """S08, C13: a link, a FIFO or a folder in the place of the ledger is neither followed, nor waited for."""
    ledger.prepare()
    os.unlink(ledger.path)
    plant(Path(ledger.path))

    attempts: list[Callable[[], object]] = [
        lambda: ledger.append(another()),
        lambda: list(ledger.lines()),
        lambda: ledger.find(b"x"),
        lambda: ledger.records("commit", sha(1)),
        ledger.check,
    ]
    for attempt in attempts:
        with pytest.raises(LedgerError, match="ledger") as caught:
            attempt()
        assert ledger.path in caught.value.hint


@pytest.mark.usefixtures("victim")
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("before", [0, 2])
def test_what_is_no_lock_file_is_not_followed(ledger: Ledger, plant: Callable[[Path], object], before: int) -> None:
    """S08, C13: something else in the place of the lock is an error at once, or serves as the lock."""
    content = filled(ledger, before) if before else b""
    shutil.rmtree(Path(ledger.path).parent, ignore_errors=True)
    Path(ledger.path).parent.mkdir()
    Path(ledger.path).write_bytes(content)
    plant(beside(ledger, ".lock"))
    try:
        ledger.append(another())
    except (LedgerError, OSError):
        assert content == content_of(ledger)
    else:
        intact(ledger, before + 1)


@pytest.mark.usefixtures("victim")
@pytest.mark.parametrize("plant", [plant for name, plant in PLANTED.items() if name != "FIFO"])
def test_what_is_no_place_for_torn_lines_is_not_used(ledger: Ledger, plant: Callable[[Path], object]) -> None:
    """S08: where a torn line cannot be set aside it stays where it is, and nothing is lost."""
    before = filled(ledger, 1) + b"torn"
    Path(ledger.path).write_bytes(before)
    plant(beside(ledger, ".torn"))
    with pytest.raises((LedgerError, OSError)):
        ledger.append(another())

    assert before == content_of(ledger)


def test_a_fifo_for_torn_lines_does_not_hang(ledger: Ledger) -> None:
    """C13: nobody waits, with the lock in hand, for somebody to read a FIFO."""
    before = filled(ledger, 1) + b"torn"
    Path(ledger.path).write_bytes(before)
    os.mkfifo(beside(ledger, ".torn"))
    with child(ledger, "append(5)") as writer:
        try:
            _, said = writer.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            writer.kill()
            raise

    assert b"Error" in said
    assert before == content_of(ledger)


def test_a_folder_of_state_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """S08: with a link planted in place of our folder, nothing is written where it leads."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((LedgerError, OSError)):
        Ledger(str(tmp_path / "state" / "ledger.jsonl")).append(another())

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_planted_link_opens_nothing_to_everybody(tmp_path: Path) -> None:
    """S08, S18: the permissions of a link, which are everybody's, are not taken for those of the ledger."""
    (tmp_path / "ledger.jsonl").symlink_to("nowhere")
    with pytest.raises(LedgerError):
        Ledger(str(tmp_path / "ledger.jsonl")).append(another())

    assert all(not path.lstat().st_mode & stat.S_IWOTH for path in tmp_path.glob("*.lock"))


def test_a_git_dir_that_is_a_link_is_followed(tmp_path: Path) -> None:
    """E15: where somebody keeps the git dir is theirs to decide."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".git").symlink_to(tmp_path / "elsewhere")
    Ledger(str(tmp_path / ".git" / "ampcommit" / "ledger.jsonl")).append(another())

    intact(Ledger(str(tmp_path / "elsewhere" / "ampcommit" / "ledger.jsonl")), 1)


def test_a_file_in_the_place_of_our_folder_is_an_error(tmp_path: Path) -> None:
    """T15: what stands in the way of our folder stays there."""
    (tmp_path / "state").write_bytes(b"precious")
    with pytest.raises(OSError, match="state"):
        Ledger(str(tmp_path / "state" / "ledger.jsonl")).append(another())

    assert (tmp_path / "state").read_bytes() == b"precious"


@pytest.fixture
def unprivileged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in the test's folder as somebody to whom permissions apply."""
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    before = os.geteuid()
    if not before:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.parametrize(("path", "locked"), [("ledger.jsonl", 0), ("ledger.jsonl.lock", 0), (".", 0o500), (".", 0)])
def test_what_we_may_not_write_is_an_error(
    tmp_path: Path, path: str, locked: int, request: pytest.FixtureRequest
) -> None:
    """E37: without permission there is an error that names the file, and the ledger is as it was."""
    ledger = Ledger(os.path.join("state", "ledger.jsonl"))
    before = filled(Ledger(str(tmp_path / ledger.path)), 1)
    if path == "." and locked:
        (tmp_path / ledger.path).unlink()
        before = b""
    (tmp_path / "state" / path).chmod(locked)
    request.getfixturevalue("unprivileged")
    with pytest.raises((LedgerError, OSError)) as caught:
        ledger.append(another())

    os.seteuid(os.getuid())
    (tmp_path / "state" / path).chmod(0o700)
    assert "ledger.jsonl" in f"{caught.value} {getattr(caught.value, 'hint', '')}"
    assert before == (content_of(ledger) if before else b"")


@pytest.mark.usefixtures("unprivileged")
def test_a_ledger_that_we_may_not_read_is_an_error(tmp_path: Path) -> None:
    """E37: an unreadable ledger is not an empty one."""
    os.seteuid(os.getuid())
    (tmp_path / "ledger.jsonl").write_bytes(b"")
    (tmp_path / "ledger.jsonl").chmod(0)
    os.seteuid(os.geteuid() or 65534)

    ledger = Ledger("ledger.jsonl")
    with pytest.raises(LedgerError, match="Permission denied"):
        list(ledger.lines())
    with pytest.raises(LedgerError, match="Permission denied"):
        ledger.find(b"x")


# --- C08, E38: a disk that is full or broken


def breaking_after(size: int, error: BaseException) -> Callable[[int, bytes], int]:
    """Return a `write` that takes *size* bytes and then fails."""
    write, left = os.write, [size]

    def broken(fd: int, data: bytes) -> int:
        if not left[0]:
            raise error
        taken = write(fd, data[: left[0]])
        left[0] -= taken
        return taken

    return broken


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("size", [0, 1, 50, 300])
@pytest.mark.parametrize("error", [NO_SPACE, KeyboardInterrupt()], ids=["full", "interrupted"])
def test_a_full_disk_leaves_the_ledger_as_it_was(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, size: int, error: BaseException
) -> None:
    """C08, E38, E43: half a line is taken back, and the next commit is recorded."""
    before = filled(ledger, 2)
    monkeypatch.setattr(os, "write", breaking_after(size, error))
    with pytest.raises(type(error)):
        ledger.append(another())
    monkeypatch.undo()

    assert before == content_of(ledger)
    ledger.append(another())
    intact(ledger, 3)


def test_a_disk_that_takes_nothing_back_is_mended_later(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """C08: where even half a line cannot be taken back, the next writer sets it aside."""
    filled(ledger, 2)
    monkeypatch.setattr(os, "write", breaking_after(50, NO_SPACE))
    monkeypatch.setattr(os, "ftruncate", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        ledger.append(another())
    monkeypatch.undo()
    ledger.append(another())

    intact(ledger, 3)
    assert beside(ledger, ".torn").stat().st_size == 51


@pytest.mark.parametrize("call", ["write", "open", "ftruncate", "lseek", "read", "pread", "fstat"])
def test_a_torn_tail_that_cannot_be_set_aside_stays(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """C08: no step of setting a torn line aside loses it, whichever one fails."""
    filled(ledger, 1)
    with Path(ledger.path).open("ab") as stream:
        stream.write(b"torn")
    before = content_of(ledger)
    monkeypatch.setattr(os, call, failing(errno.EIO))
    with pytest.raises((LedgerError, OSError)):
        ledger.append(another())
    monkeypatch.undo()

    assert before == content_of(ledger)
    ledger.append(another())
    intact(ledger, 2)


def test_a_limit_on_the_size_of_files(ledger: Ledger) -> None:
    """E38: at the limit that the system sets, the record is refused, and those before it stay."""
    before = filled(ledger, 2)
    script = "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2); append(5)"
    with child(ledger, script, str(len(before) + 50)) as writer:
        _, said = writer.communicate()

    assert b"File too large" in said
    assert before == content_of(ledger)
    ledger.append(another())
    intact(ledger, 3)


# --- E39: permissions


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """Set the umask of this process for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


SHARED = [(0o600, 0o700), (0o660, 0o770), (0o664, 0o775), (0o640, 0o750), (0o666, 0o777)]


@pytest.mark.parametrize("mask", [0, 0o022, 0o077], ids=oct)
@pytest.mark.parametrize(("files", "folder"), SHARED, ids=[oct(files) for files, _ in SHARED])
def test_permissions_are_those_of_the_clone(
    tmp_path: Path, umask: Callable[[int], int], mask: int, files: int, folder: int
) -> None:
    """E39: ledger, lock and folder are as private or as shared as the clone, whatever the umask."""
    umask(mask)
    ledger = Ledger(str(tmp_path / "state" / "ledger.jsonl"), files)
    ledger.append(another())

    assert [files, files, folder] == [
        mode(path) for path in (ledger.path, f"{ledger.path}.lock", os.path.dirname(ledger.path))
    ]


@pytest.mark.parametrize("files", [0o600, 0o660], ids=oct)
@pytest.mark.parametrize("ending", [".torn", ".lock"])
def test_a_file_made_later_has_the_permissions_of_the_ledger(
    tmp_path: Path, umask: Callable[[int], int], files: int, ending: str
) -> None:
    """E39: what is made beside a shared ledger is shared, too, or the next person's commits go unrecorded."""
    umask(0o077)
    path = str(tmp_path / "state" / "ledger.jsonl")
    Ledger(path, files).append(another())
    with open(path, "ab") as stream:
        stream.write(b"torn")
    os.unlink(f"{path}.lock")
    Ledger(path).append(another())

    assert files == mode(path + ending)


def test_a_folder_that_a_hook_made_before_is_shared(tmp_path: Path) -> None:
    """E39: the note of the first commit makes the folder; the ledger of a shared clone must open it to the others."""
    (tmp_path / "state").mkdir(mode=0o700)
    Ledger(str(tmp_path / "state" / "ledger.jsonl"), 0o660).append(another())

    assert mode(tmp_path / "state") == 0o770


def test_the_group_of_a_shared_clone_is_kept(tmp_path: Path) -> None:
    """E39: in a folder whose files belong to its group, our folder's files do as well."""
    tmp_path.chmod(0o2770)
    Ledger(str(tmp_path / "state" / "ledger.jsonl"), 0o660).append(another())

    assert (tmp_path / "state").stat().st_mode & stat.S_ISGID


def test_the_ledger_stays_as_somebody_set_it(ledger: Ledger) -> None:
    """Permissions that were changed by hand are not changed back."""
    filled(ledger, 1)
    os.chmod(ledger.path, 0o644)
    ledger.append(another())

    assert mode(ledger.path) == 0o644


# --- C01 to C07: many writers, and writers that die


def test_many_writers_at_once(ledger: Ledger) -> None:
    """C01: eight processes that write 25 records each lose none, and the chain is whole."""
    script = "for number in range(int(sys.argv[2]), int(sys.argv[2]) + 25): append(number)"
    writers = [child(ledger, script, str(100 * number)) for number in range(8)]
    said = [writer.communicate()[1] for writer in writers]

    assert said == [b""] * 8
    expected = {sha(100 * writer + number) for writer in range(8) for number in range(25)}
    assert expected == {line["commit"] for line in intact(ledger, 200)}


def test_a_reader_beside_a_writer_sees_whole_lines(ledger: Ledger) -> None:
    """C03: at any moment the ledger reads as so many whole records, never fewer than before."""
    seen = 0
    with child(ledger, "for number in range(200): append(number)") as writer:
        while writer.poll() is None:
            report = ledger.check() if os.path.exists(ledger.path) else None
            assert report is None or not [problem for problem in report.problems if "cut off" not in problem]
            now = len(ledger.find(CHILD.encode()))
            assert now >= seen
            seen = now
        writer.communicate()

    intact(ledger, 200)


def test_a_writer_killed_at_any_time_loses_no_line(ledger: Ledger) -> None:
    """C07: `kill -9` costs at most the record in flight, and never one that was there."""
    total = 0
    for start in range(0, 8 * 10**6, 10**6):
        script = f"for number in range({start}, {start + 10**6}): append(number); print(number, flush=True)"
        with child(ledger, script) as writer:
            assert writer.stdout
            confirmed = sum(1 for _ in itertools.islice(writer.stdout, 12))
            before = content_of(ledger)
            writer.kill()
        after = content_of(ledger)
        assert after.startswith(before[: before.rfind(b"\n") + 1])
        assert after.count(b"\n") >= total + confirmed
        total = after.count(b"\n")
    ledger.append(another())

    intact(ledger, total + 1)


DYING = """
left = int(sys.argv[2])
def dying(call):
    def die(*args, **kwargs):
        global left
        left -= 1
        if not left:
            if call is os.write:
                call(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return die
for name in ("mkdir", "chmod", "open", "fchmod", "fstat", "pread", "lseek", "read", "write", "ftruncate", "close"):
    setattr(os, name, dying(getattr(os, name)))
append(5)
"""


@pytest.mark.parametrize("torn", [None, b"", b"torn"], ids=["first commit", "later commit", "after a crash"])
def test_a_writer_killed_at_every_step_loses_no_line(ledger: Ledger, torn: bytes | None) -> None:
    """C07: whichever call to the system is a writer's last, the ledger is sound, and the next commit is recorded."""
    steps = itertools.count(1)
    before = b"" if torn is None else filled(ledger, 2)
    for step in steps:
        shutil.rmtree(os.path.dirname(ledger.path), ignore_errors=True)
        if torn is not None:
            ledger.prepare()
            Path(ledger.path).write_bytes(before + torn)
        with child(ledger, DYING, str(step)) as writer:
            writer.communicate()
        after = content_of(ledger) if os.path.exists(ledger.path) else b""
        assert after.startswith(before)
        assert not torn or torn in after or torn in beside(ledger, ".torn").read_bytes()
        ledger.append(record_of(sha(9)))
        assert sha(9) == intact(ledger, after.count(b"\n") + 1)[-1]["commit"]
        if writer.returncode == 0:
            break
        assert writer.returncode == -signal.SIGKILL

    assert next(steps) > 5


def test_a_lock_that_is_held_costs_the_record_not_the_commit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """C05: behind a process that is stuck, the record is given up with a hint, and the ledger is as it was."""
    before = filled(ledger, 1)
    clock = itertools.count(time.monotonic())
    with Lock(f"{ledger.path}.lock"):
        monkeypatch.setattr(time, "monotonic", clock.__next__)  # a second between two looks at the clock
        with pytest.raises(LedgerError, match="another process has held") as caught:
            ledger.append(another())

    assert "ledger rebuild" in caught.value.hint
    assert before == content_of(ledger)


def test_a_ledger_that_vanishes_before_it_is_opened(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """C15: a ledger that somebody removes in this moment is an error, and the next commit begins a new one."""
    filled(ledger, 1)
    opened = os.open

    def vanishing(path: str, *args: int) -> int:
        if path == ledger.path:
            os.unlink(path)
        return opened(path, *args)

    monkeypatch.setattr(os, "open", vanishing)
    with pytest.raises(LedgerError, match="cannot open the ledger"):
        ledger.append(another())
    monkeypatch.undo()
    ledger.append(another())

    intact(ledger, 1)


def test_a_ledger_that_vanishes_while_it_is_checked(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """C15: a check of a ledger that is being removed ends with what there was, or with an explanation."""
    filled(ledger, 1)
    lstat = os.lstat

    def removed(path: str) -> os.stat_result:
        seen = lstat(path)
        if path == ledger.path:  # and nothing else that anybody looks at meanwhile
            os.unlink(path)
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", removed)
        try:
            count = ledger.check().count
        except LedgerError:
            count = 1

    assert count == 1


# --- what was changed is seen


def damaged(lines: list[bytes], how: str) -> tuple[list[bytes], int]:
    """Damage a ledger of five lines as *how* says; return its lines and the number of the one that tells."""
    one, two, three, four, five = lines
    edited = three.replace(b'"main"', b'"next"')
    return {
        "first removed": ([two, three, four, five], 1),
        "one removed": ([one, two, four, five], 3),
        "two removed": ([one, four, five], 2),
        "edited": ([one, two, edited, four, five], 4),
        "swapped": ([one, three, two, four, five], 2),
        "repeated": ([one, two, three, three, four, five], 4),
        "doubled": (lines + lines, 6),
        "inserted": ([one, two, record_of().to_bytes(), three, four, five], 3),
        "blank": ([one, b"", two, three, four, five], 2),
        "no JSON": ([one, two, three[:-1], four, five], 3),
        "no object": ([one, two, b"[]", four, five], 3),
        "no field": ([one, two, three.replace(b'"tree"', b'"twig"'), four, five], 3),
        "no kind": ([one, two, three.replace(b'"kind"', b'"mind"'), four, five], 3),
        "no version": ([one, two, three.replace(b'"v":1', b'"v":"1"'), four, five], 3),
        "bad id": ([one, two, three.replace(sha(2).encode(), b"0" * 39), four, five], 3),
        "another thread": ([one, two, three.replace(b'"thread":"T-0', b'"thread":"T-f'), four, five], 3),
    }[how]


DAMAGES = ["first removed", "one removed", "two removed", "edited", "swapped", "repeated", "doubled", "inserted"]
DAMAGES += ["blank", "no JSON", "no object", "no field", "no kind", "no version", "bad id", "another thread"]


@pytest.mark.parametrize("how", DAMAGES)
def test_damage_is_seen(ledger: Ledger, how: str) -> None:
    """C12, C15: what was removed, edited, moved or put in is reported, with the line where it shows."""
    filled(ledger, 5)
    lines, number = damaged(list(ledger.lines()), how)
    Path(ledger.path).write_bytes(b"".join(line + b"\n" for line in lines))
    report = ledger.check()

    assert len(lines) == report.count
    assert report.problems[0].startswith(f"line {number}: ")


def test_every_changed_byte_is_seen(ledger: Ledger) -> None:
    """Whichever byte of a line is changed, the line itself or the next one tells."""
    whole = filled(ledger, 2)
    unseen = []
    for at in range(whole.index(b"\n") + 1):
        Path(ledger.path).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        if not ledger.check().problems:
            unseen.append(at)

    assert unseen == []


def test_a_report_counts_without_limit(ledger: Ledger) -> None:
    """C12: a ledger of nothing but garbage is reported line by line."""
    ledger.prepare()
    Path(ledger.path).write_bytes(b"garbage\n" * 1000)
    report = ledger.check()

    assert (report.count, len(report.problems)) == (1000, 1000)


@relaxed
@given(st.binary())
def test_any_bytes_are_checked(tmp_path: Path, content: bytes) -> None:
    """C12: whatever a ledger holds, it can be checked, searched and written to, or the reason is said."""
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    ledger = Ledger(str(tmp_path / "state" / "ledger.jsonl"))
    ledger.prepare()
    Path(ledger.path).write_bytes(content)
    whole = content[: content.rfind(b"\n") + 1]

    assert [ledger.check().count, len(list(ledger.lines()))] == [whole.count(b"\n")] * 2
    ledger.append(record_of(sha(9)))
    assert content_of(ledger).startswith(whole)
    assert len(ledger.records("commit", sha(9))) == 1


# --- looking things up


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A ledger in which ids stand in all sorts of fields."""
    ledger.append(record_of(sha(1), CHILD, chain=[ThreadId(CHILD), ThreadId(PARENT)]))
    ledger.append(record_of(sha(2), PARENT, parents=[sha(1)], tree=sha(7)))
    ledger.append(record_of(sha(3), OTHER, links=[ThreadId(CHILD), ThreadId(OTHER)], parents=[sha(2), sha(8)]))
    ledger.append(record_of(sha(4), CHILD, branch=sha(3), repo=PARENT))
    return ledger


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("commit", sha(1), [1]),
        ("commit", sha(3), [3]),
        ("commit", sha(7), []),
        ("commit", sha(8), []),
        ("commit", sha(9), []),
        ("parents", sha(1), [2]),
        ("parents", sha(8), [3]),
        ("tree", sha(7), [2]),
        ("thread", CHILD, [1, 4]),
        ("thread", PARENT, [2]),
        ("thread", OTHER, [3]),
        ("links", CHILD, [1, 3, 4]),
        ("chain", PARENT, [1, 2]),
        ("branch", "main", [1, 2, 3]),
        ("branch", sha(3), [4]),
        ("source", "env", [1, 2, 3, 4]),
        ("commit", sha(1)[:39], []),
        ("no such field", CHILD, []),
    ],
)
def test_records_are_found_by_a_field(full: Ledger, field: str, value: str, expected: list[int]) -> None:
    """An id is looked for in the field that was named; where it stands elsewhere it does not count."""
    found = full.records(field, value)

    assert [sha(number) for number in expected] == [fields["commit"] for _, fields in found]
    assert all(json.loads(line) == fields for line, fields in found)


def test_lines_are_found_by_what_they_hold(full: Ledger) -> None:
    """A search returns the lines that hold everything, in order, each once and whole."""
    lines = list(full.lines())

    assert full.find(b"prev", CHILD.encode()) == full.find(CHILD.encode()) == [lines[0], lines[2], lines[3]]
    assert [lines[0]] == full.find(CHILD.encode(), PARENT.encode(), b"github.com")
    assert full.find(b'"v":1') == full.find(b"{") == lines
    assert full.find(b"nowhere", CHILD.encode()) == []


@pytest.mark.parametrize("line", [b'["%b"]', b'{"commit":"%b"', b'"%b"', b'{"commit":["%b"],"x":}'])
def test_a_line_that_cannot_be_read_is_not_found(full: Ledger, line: bytes) -> None:
    """A damaged line is for `check` to report; it does not hide the others."""
    with Path(full.path).open("ab") as stream:
        stream.write(line % sha(1).encode() + b"\n")

    assert [sha(1)] == [fields["commit"] for _, fields in full.records("commit", sha(1))]


@relaxed
@given(names.filter(bool))
def test_records_are_found_by_any_text(tmp_path: Path, name: str) -> None:
    """A branch is found whatever it is called."""
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    ledger = Ledger(str(tmp_path / "state" / "ledger.jsonl"))
    ledger.append(record_of(sha(1), branch=name))
    ledger.append(record_of(sha(2), branch="x" + name))

    assert [name] == [fields["branch"] for _, fields in ledger.records("branch", name)]


# --- the digest


@given(st.binary())
@settings(deadline=None, database=None)
def test_the_digest_is_plain_sha256(line: bytes) -> None:
    """Anybody can check the chain with `sha256sum`."""
    assert f"sha256:{hashlib.sha256(line).hexdigest()}" == digest(line)


def test_an_interpreter_that_has_its_digests_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python built without its own SHA-256 writes the same digests."""
    expected = digest(b"x")
    for name in ("_sha256", "_sha2"):
        monkeypatch.setitem(sys.modules, name, None)

    assert expected == digest(b"x")
