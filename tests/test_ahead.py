"""Reading ahead: the whole answer, in order, whoever reads it."""

import threading
import time
from collections.abc import Generator

import pytest

from ampcommit.commits.ahead import HELD, Ahead
from ampcommit.errors import GitError


def pieces(count: int, size: int = 1, pause: float = 0.0, fails: bool = False) -> Generator[bytes]:
    """Yield *count* pieces that differ."""
    for number in range(count):
        time.sleep(pause)
        yield b"%d " % number * size
    if fails:
        raise GitError("git said no")


@pytest.mark.parametrize("pause", [0.0, 0.001])
@pytest.mark.parametrize("before", [0.0, 0.02])
def test_the_answer_is_whole_and_in_order(pause: float, before: float) -> None:
    """However much was read ahead, nothing is lost and nothing comes twice."""
    ahead = Ahead(pieces(50, pause=pause))
    time.sleep(before)

    assert b"".join(ahead) == b"".join(pieces(50))


def test_it_is_read_while_nobody_listens() -> None:
    """The answer has come on by the time that somebody asks."""
    seen = threading.Event()

    def answer() -> Generator[bytes]:
        yield b"a"
        seen.set()
        yield b"b"

    ahead = Ahead(answer())

    assert seen.wait(10)
    assert list(ahead) == [b"a", b"b"]


def test_what_is_held_is_bounded() -> None:
    """Memory does not grow with the answer."""
    read = 0

    def answer() -> Generator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield bytes(HELD // 10)

    ahead = Ahead(answer())
    ahead.reader.join()

    assert read == 11
    assert sum(map(len, ahead)) == 100 * (HELD // 10)


@pytest.mark.parametrize("before", [0.0, 0.05])
def test_an_error_is_raised_where_it_is_read(before: float) -> None:
    """A failure of git is not a short answer, whichever thread met it."""
    ahead = Ahead(pieces(5, pause=0.002, fails=True))
    time.sleep(before)
    found: list[bytes] = []

    with pytest.raises(GitError, match="git said no"):
        found.extend(ahead)
    assert b"".join(found) == b"".join(pieces(5))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_no_end_of_the_answer() -> None:
    """What broke off is never taken for whole."""

    def answer() -> Generator[bytes]:
        yield b"a"
        raise MemoryError

    with pytest.raises(Exception, match="broke off"):
        list(Ahead(answer()))


def test_what_nobody_reads_is_ended() -> None:
    """Neither the thread nor the answer outlives what wanted it."""
    ended = threading.Event()

    def answer() -> Generator[bytes]:
        try:
            while True:
                time.sleep(0.001)
                yield b"a"
        finally:
            ended.set()

    ahead = Ahead(answer())
    ahead.close()

    assert ended.is_set()
    assert not ahead.reader.is_alive()


def test_who_ends_it_does_not_wait_for_an_answer_that_does_not_come() -> None:
    """A command that is interrupted while git is silent ends all the same."""
    go = threading.Event()

    def answer() -> Generator[bytes]:
        go.wait(10)
        yield b"a"

    ahead = Ahead(answer())
    start = time.monotonic()
    ahead.close()

    assert time.monotonic() - start < 5
    go.set()
    ahead.reader.join(10)
    assert not ahead.reader.is_alive()
