"""Many threads are asked about at once: no more than allowed, and no longer than answers come."""

import asyncio

import pytest

from ampcommit.amp.asking import ask_each
from ampcommit.amp.client import Refused
from ampcommit.amp.exchange import Held
from ampcommit.errors import RemoteError, SetupError


def asked(
    numbers: int, failing: dict[int, Exception], *, concurrent: int = 1, most: int = 3
) -> tuple[RemoteError | None, list[int], list[int], int]:
    """Ask about some numbers; return what ended it, who answered, who failed, and how many were asked at once."""
    answered: list[int] = []
    failed: list[int] = []
    under_way = most_at_once = 0

    async def ask(number: int) -> None:
        nonlocal under_way, most_at_once
        under_way += 1
        most_at_once = max(most_at_once, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        if number in failing:
            raise failing[number]
        answered.append(number)

    def told(number: int, _: RemoteError) -> None:
        failed.append(number)

    ended = asyncio.run(ask_each(iter(range(numbers)), ask, told, concurrent=concurrent, most=most))
    return ended, answered, failed, most_at_once


def test_all_are_asked_and_so_many_at_once() -> None:
    """Each is asked once, and never more at a time than allowed."""
    ended, answered, failed, at_once = asked(20, {}, concurrent=4)

    assert (ended, sorted(answered), failed, at_once) == (None, list(range(20)), [], 4)


def test_single_failures_are_passed_over() -> None:
    """Who has no answer is told of, and the others are asked all the same."""
    ended, answered, failed, _ = asked(10, {number: RemoteError("no") for number in (0, 1, 3, 4, 9)})

    assert (ended, answered, failed) == (None, [2, 5, 6, 7, 8], [0, 1, 3, 4, 9])


def test_failures_in_a_row_end_it() -> None:
    """A server that only fails is left alone."""
    ended, answered, failed, _ = asked(10, {number: RemoteError(f"no {number}") for number in range(2, 10)})

    assert (str(ended), answered, failed) == ("no 4", [0, 1], [2, 3, 4])


@pytest.mark.parametrize("kind", [Refused, Held])
def test_what_holds_for_all_ends_it_at_once(kind: type[RemoteError]) -> None:
    """A refusal, and the wish to be left alone for long, are no failure of one thread."""
    ended, answered, failed, _ = asked(10, {4: kind("no")})

    assert (type(ended), answered, failed) == (kind, [0, 1, 2, 3], [])


def test_other_failures_come_through_as_they_are() -> None:
    """A full disk, say, ends everything with its own words, not in a group."""
    with pytest.raises(SetupError, match="full"):
        asked(10, {4: SetupError("full")}, concurrent=3)
