"""The same question about many threads: some at once, and no longer than answers come."""

import asyncio

from ampcommit.amp.client import Refused
from ampcommit.amp.exchange import Held
from ampcommit.errors import RemoteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

MOST = 10
"""Failures in a row after which nobody is asked for more."""


async def ask_each(
    those: "Iterator[T]",
    ask: "Callable[[T], Awaitable[None]]",
    failed: "Callable[[T, RemoteError], None]",
    *,
    concurrent: int,
    most: int = MOST,
) -> RemoteError | None:
    """
    *ask* about each of *those*, *concurrent* of them at once; *failed* is told of each that had no answer.

    Return what ended it early, if anything: a refusal or a long wait, which hold for all, or *most* failures in a row.
    """
    ended: list[RemoteError] = []
    in_a_row = 0

    async def worker() -> None:
        nonlocal in_a_row
        for one in those:  # shared: each worker takes what comes next
            try:
                await ask(one)
            except (Refused, Held) as error:
                ended.append(error)
            except RemoteError as error:
                failed(one, error)
                in_a_row += 1
                if in_a_row >= most:
                    ended.append(error)
            else:
                in_a_row = 0
            if ended:
                break

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrent):
                group.create_task(worker())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # a full disk, say: nobody expects a group
    return ended[0] if ended else None
