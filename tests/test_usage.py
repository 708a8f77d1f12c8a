"""What threads cost: asked for while Amp tells it, kept whole, and counted once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from ampcommit.amp.store import Store
from ampcommit.errors import SetupError
from tests.test_store import NOW, YESTERDAY, at, cost, due, path, price, store, tables, thread, told

__all__ = ["path", "store"]  # fixtures


# --- Whose cost is asked for


def test_the_oldest_first(store: Store) -> None:
    """Amp stops telling of the oldest, so they are asked for first; those without a time are older than all."""
    store.take([told(1, createdAt=at(9)), told(2, createdAt=at(3)), told(3, firstSyncedAt=at(5)), told(5), told(4)])
    store.usage.unpriced(YESTERDAY, NOW)

    assert [(one.thread, one.born) for one in store.usage.due()] == [
        (thread(number), born) for number, born in [(4, ""), (5, ""), (2, at(3)), (3, at(5)), (1, at(9))]
    ]


def test_many_are_due(store: Store) -> None:
    """However many there are, each comes once, also while answers are taken over."""
    store.take([told(number, createdAt=at(number)) for number in range(1203)])
    store.usage.unpriced(YESTERDAY, NOW)
    found = []
    for one in store.usage.due():
        found.append(int(one.thread[-12:], 16))
        store.usage.keep([(one, cost(found[-1], "1"), True)], NOW)

    assert found == list(range(1203))
    assert due(store) == []


def test_threads_within_others_are_not_asked_for(store: Store) -> None:
    """A main thread's cost has that of its sub-threads in it; without it in the list, they are asked for."""
    store.take([told(1), told(2, mainThreadID=thread(1)), told(3, mainThreadID=thread(2))])
    store.take([told(4, mainThreadID=thread(4)), told(5, mainThreadID=thread(9))])

    assert due(store) == [1, 4, 5]
    store.take([told(9)])
    assert due(store) == [1, 4, 9]


def test_a_change_makes_it_due_again(store: Store) -> None:
    """What changed since its cost was told is asked for again, and nothing else."""
    store.take([told(1, 1), told(2, 1), told(3)])
    price(store)
    assert due(store) == []
    store.take([told(1, 1, title="A"), told(2, 2), told(3)])
    assert due(store) == [2]
    price(store)
    store.take([told(3, 1)])
    assert due(store) == [3]


@pytest.mark.parametrize("changed", [2, 3], ids=["within", "deep within"])
def test_a_change_within_makes_the_main_thread_due_again(store: Store, changed: int) -> None:
    """The cost of a thread grows with that of every thread within it."""
    store.take([told(1, 1), told(2, 1, mainThreadID=thread(1)), told(3, 1, mainThreadID=thread(2))])
    price(store)
    assert due(store) == []
    store.take([told(changed, 5)])

    assert due(store) == [1]
    price(store)
    assert due(store) == []


def test_threads_that_contain_each_other(store: Store) -> None:
    """A list that contradicts itself stops nobody: of a circle the first one counts, and nothing is counted twice."""
    store.take([told(1, 1, mainThreadID=thread(2)), told(2, 2, mainThreadID=thread(1)), told(3, 1)])

    assert due(store) == [1, 3]
    price(store, t1=cost(1, "5"))
    assert due(store) == []
    assert [store.usage.cost(thread(n)).within for n in (1, 2)] == [None, thread(1)]


def test_a_thread_within_one_that_expired_is_asked_for(store: Store) -> None:
    """Where Amp does not tell any more what the main thread cost, that of a younger thread within it is not lost."""
    store.take([told(1, 1), told(2, 1, mainThreadID=thread(1)), told(3, 1, mainThreadID=thread(2))])
    assert due(store) == [1]
    price(store, t1=None)

    assert due(store) == [2]
    price(store, t2=cost(2, "2"))
    assert due(store) == []
    assert [store.usage.cost(thread(n)).within for n in (1, 2, 3)] == [None, None, thread(2)]


def test_a_cost_contains_those_deep_within(store: Store) -> None:
    """However deep a thread lies within another, its money is counted there."""
    store.take([told(1, 1), told(2, 1, mainThreadID=thread(1)), told(3, 1, mainThreadID=thread(2))])
    price(store, t1=cost(1, "5"))

    assert [store.usage.cost(thread(n)).within for n in (1, 2, 3)] == [None, thread(1), thread(1)]


def test_what_is_not_final_is_asked_for_again_a_day_later(store: Store) -> None:
    """A thread without a cost yet, or without a word of when it changed, is asked for once a day; a clock may jump."""
    store.take([told(1, 1), told(2)])
    store.usage.unpriced(YESTERDAY, NOW)
    one, two = store.usage.due()
    first, second = (one, two) if one.thread == thread(1) else (two, one)
    store.usage.keep([(first, None, False), (second, cost(2, "1"), False)], NOW)

    assert due(store) == []
    assert store.usage.cost(thread(2)).usd == 1
    assert store.usage.unpriced(NOW, "2026-11-22T08:00:01.000Z") == 2  # a day later
    assert store.usage.unpriced("2025-11-20T08:00:00.000Z", "2025-11-21T08:00:00.000Z") == 2  # the clock was ahead
    store.take([told(1, 2)])
    assert due(store) == [1]
    price(store)
    store.usage.unpriced(NOW, "2026-11-22T08:00:01.000Z")
    store.usage.keep([(one, cost(2, "1"), True) for one in store.usage.due()], NOW)
    assert store.usage.unpriced(NOW, "2026-11-22T08:00:01.000Z") == 0


def test_expired(store: Store) -> None:
    """N02: what Amp does not tell any more is remembered, and asked for once more only after a change."""
    store.take([told(1, 1), told(2, 1)])
    price(store, t1=None, t2=cost(2, "1.5"))
    assert due(store) == []
    found = store.usage.cost(thread(1))
    assert (found.usd, found.expired) == (None, True)
    store.take([told(1, 2), told(2, 2)])
    assert due(store) == [1, 2]
    price(store, t1=None, t2=None)
    assert due(store) == []
    found = store.usage.cost(thread(2))
    assert (found.usd, found.expired) == (Decimal("1.5"), True)
    store.take([told(1, 3)])
    price(store, t1=cost(1, "3"))
    found = store.usage.cost(thread(1))
    assert (found.usd, found.expired) == (Decimal(3), False)


# --- Costs


@pytest.mark.parametrize("usd", ["0", "0.1", "1e-7", "12.3400", "0.30000000000000004", "999999999999.99"])
def test_money_stays_what_it_was(store: Store, usd: str) -> None:
    """No amount is rounded, and zeros stay."""
    store.take([told(1)])
    price(store, t1=cost(1, usd))
    found = store.usage.cost(thread(1))

    assert str(found.usd) == str(cost(1, usd).usd)
    assert (found.expired, found.within) == (False, None)


def test_costs_are_never_counted_twice(store: Store) -> None:
    """A thread whose cost is in that of another names the other; where that one's is not known, it stands alone."""
    store.take([told(2, 1, mainThreadID=thread(1)), told(3, 1)])
    price(store, t2=cost(2, "2"), t3=cost(3, "3"))
    assert [store.usage.cost(thread(n)).within for n in (1, 2, 3)] == [None, None, None]
    store.take([told(1, 2)])
    price(store, t1=None)
    assert store.usage.cost(thread(2)).within is None
    store.take([told(1, 3)])
    price(store, t1=cost(1, "5", subs=(3, 7)))

    assert [store.usage.cost(thread(n)).within for n in (1, 2, 3, 7)] == [None, thread(1), thread(1), thread(1)]
    assert [store.usage.cost(thread(n)).usd for n in (1, 2, 3, 7)] == [5, 2, 3, None]


def test_sub_threads_that_only_the_cost_names(store: Store) -> None:
    """A thread that an answer names as contained is not asked for, once it is listed."""
    store.take([told(1, 1)])
    price(store, t1=cost(1, "5", subs=(2, 2, 1)))
    store.take([told(2, 1)])

    assert due(store) == []
    store.take([told(2, 2)])
    assert due(store) == [1]


def test_models(store: Store, path: str) -> None:
    """What each model cost is kept, and replaced with the next answer."""
    one = '{"provider":"p","model":"m","requests":2,"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":5,'
    one += '"cacheCreationInputTokens":6,"usage":0.7}'
    store.take([told(1, 1)])
    price(store, t1=cost(1, "1", models=f"[{one}, {{}}, {one}]"))
    full = ("p", "m", 2, 3, 4, 5, 6, "0.7")

    assert tables(path)["model_usage"] == [(thread(1), 0, *full), (thread(1), 1, *[None] * 8), (thread(1), 2, *full)]
    store.take([told(1, 2)])
    price(store, t1=cost(1, "1", models="[{}]"))
    assert tables(path)["model_usage"] == [(thread(1), 0, *[None] * 8)]


def test_a_batch_of_costs_is_taken_over_whole_or_not_at_all(store: Store, path: str) -> None:
    """Whoever is interrupted asks for the same threads again."""
    store.take([told(1), told(2)])
    store.usage.unpriced(YESTERDAY, NOW)
    answers = [(one, cost(number, "1"), True) for number, one in enumerate(store.usage.due(), 1)]
    before = tables(path)

    def failing() -> Iterator[Any]:
        yield answers[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.usage.keep(failing(), NOW)
    assert tables(path) == before
    assert due(store) == [1, 2]


@pytest.mark.parametrize("amount", ["1x", "NaN", "sNaN", "Infinity", "1e400", "-5", b"\xff"], ids=repr)
def test_amounts_that_are_damaged(store: Store, path: str, amount: object) -> None:
    """What SQLite itself does not notice is noticed where it would be counted."""
    store.take([told(1), told(2, mainThreadID=thread(1))])
    price(store, t1=cost(1, "1"))
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE usage SET usd = ?", (amount,))
        file.commit()

    with pytest.raises(SetupError, match="is damaged: an amount of money is none"):
        store.usage.cost(thread(1))
