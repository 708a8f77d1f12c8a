"""What threads cost: known or unknown, once and never twice, and divided only where that was asked for."""

import json
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ampcommit.amp import wire
from ampcommit.amp.costs import Book, Row, known
from ampcommit.amp.store import Store, path_of
from ampcommit.amp.usage import Cost
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT
from tests.test_store import NOW, YESTERDAY

P, C, O = ThreadId(PARENT), ThreadId(CHILD), ThreadId(OTHER)  # noqa: E741  # the other
POOL = [ThreadId(f"T-00000000-0000-4000-8000-00000000000{number}") for number in range(6)]

NAMES = {PARENT: "parent", CHILD: "child", OTHER: "other"}

Costs = Mapping[ThreadId, Cost]
Groups = defaultdict[int, Counter[tuple[ThreadId, ...]]]


def cost(usd: str | None, within: ThreadId | None = None, *, expired: bool = False) -> Cost:
    """Return what a thread cost."""
    return Cost(None if usd is None else Decimal(usd), expired=expired, within=within)


def priced(usd: Mapping[str, str | None], subs: Mapping[str, list[str]] | None = None, **titles: str) -> None:
    """Put into the store what Amp says of some threads: dollars, or None where it does not tell any more."""
    store = Store(path_of(os.environ))
    store.begin()
    for thread in usd:
        entry = {"id": thread, "creatorUserID": "u", "title": titles.get(NAMES[thread])}
        store.take([wire.Entry.model_validate(entry)])
    store.usage.unpriced(YESTERDAY, NOW)
    for due in list(store.usage.due()):
        amount = usd[due.thread]
        answer = {"threadID": due.thread, "subThreadIDs": (subs or {}).get(due.thread, [])}
        body = json.dumps(answer)[:-1] + f', "usage": {amount}}}'
        store.usage.keep([(due, None if amount is None else wire.usage(body.encode(), due.thread), True)], NOW)
    store.close()


def money(row: Row) -> str | None:
    """Return the dollars of *row* as text."""
    return None if row.usd is None else str(Decimal(row.usd.numerator) / Decimal(row.usd.denominator))


# What a row of some commits costs.


def test_a_thread_belongs_to_the_row_that_has_all_of_its_commits() -> None:
    """A thread with commits in two rows is in neither of them, and both say so; the sum has it once."""
    total = {(P,): 3, (C,): 1, (): 2}
    book = Book(total, {P: cost("10.00"), C: cost("2.50")}, split=False)
    first, second, whole = book.row({}, {(P,): 1, (): 2}), book.row({}, {(P,): 2, (C,): 1}), book.row({}, total)

    assert [(row.commits, row.linked, row.threads) for row in (first, second, whole)] == [
        (3, 1, 1),
        (3, 3, 2),
        (6, 4, 2),
    ]
    assert [money(row) for row in (first, second, whole)] == [None, "2.5", "12.5"]
    assert [row.shared for row in (first, second, whole)] == [1, 1, 0]


def test_what_is_divided_adds_up_to_the_whole_exactly() -> None:
    """Ten dollars over three commits lose no cent, although no decimal is a third of them."""
    book = Book({(P,): 3}, {P: cost("10.00")}, split=True)
    parts = [book.row({}, {(P,): 1}) for _ in range(3)]

    assert sum(row.usd or 0 for row in parts) == 10
    assert [row.shared for row in parts] == [0, 0, 0]


def test_a_commit_of_two_threads_costs_what_both_cost() -> None:
    """Each thread pays for it; none of them twice."""
    row = Book({(P, C): 1}, {P: cost("1.25"), C: cost("2.50")}, split=False).row({}, {(P, C): 1})

    assert (row.commits, row.threads, money(row)) == (1, 2, "3.75")


@pytest.mark.parametrize("split", [False, True])
def test_a_thread_within_another_is_never_counted_again(split: bool) -> None:
    """The cost of a main thread contains that of its sub-threads, at any depth, also in one commit of both."""
    total = {(P,): 1, (C, P): 1, (O,): 2}
    costs = {P: cost("9"), C: cost("4", P), O: cost("1", C)}
    book = Book(total, costs, split=split)

    assert (money(book.row({}, total)), book.row({}, total).unknown) == ("9", 0)
    assert money(book.row({}, {(O,): 1})) == ("2.25" if split else None)
    rows = {row.about["thread"]: (row.about["within"], money(row)) for row in book.threads({})}
    assert rows == {P: (None, "9"), C: (P, None), O: (P, None)}


def test_a_main_thread_without_commits_pays_for_those_of_its_sub_threads() -> None:
    """It stands in the list of threads with no commits, so that the list adds up to the sum."""
    book = Book({(C,): 2}, {C: cost(None, P), P: cost("7")}, split=False)
    rows = {row.about["thread"]: row for row in book.threads({P: "Parse it"})}

    assert (rows[C].commits, money(rows[C]), rows[C].about["within"], rows[C].unknown) == (2, None, P, 0)
    assert (rows[P].commits, rows[P].share, money(rows[P]), rows[P].about["title"]) == (0, None, "7", "Parse it")
    assert money(book.row({}, {(C,): 2})) == "7"


def test_threads_that_contain_each_other_are_counted_once() -> None:
    """Who contains whom in a circle is unknown; one of them is taken, and the same one for all."""
    costs = {P: cost("3", C), C: cost("5", P), O: cost("1", P)}
    book = Book({(P,): 1, (C,): 1, (O,): 1}, costs, split=False)

    assert money(book.row({}, {(P,): 1, (C,): 1, (O,): 1})) == money(
        Book({(P,): 1}, costs, split=False).row({}, {(P,): 1})
    )


def test_unknown_is_not_nothing() -> None:
    """Where no cost is known the sum is unknown; where some are, it is that of those, and the others are counted."""
    total: Mapping[tuple[ThreadId, ...], int] = {(P,): 1, (C,): 1, (O,): 1}
    assert money(Book(total, {}, split=True).row({}, total)) is None
    book = Book(total, {P: cost("0"), C: cost(None)}, split=False)
    row = book.row({}, total)

    assert (money(row), row.unknown) == ("0", 2)
    assert {one.about["thread"]: one.unknown for one in book.threads({})} == {P: 0, C: 1, O: 1}


def test_what_amp_no_longer_tells_is_a_lower_bound() -> None:
    """An expired amount is kept and marked, an expired thread without one is unknown."""
    book = Book({(P,): 1, (C,): 1}, {P: cost("3", expired=True), C: cost(None, expired=True)}, split=False)
    rows = {row.about["thread"]: row for row in book.threads({})}

    assert (money(rows[P]), rows[P].at_least, money(rows[C]), rows[C].unknown) == ("3", True, None, 1)
    assert book.row({}, {(P,): 1}).at_least
    assert not book.row({}, {(C,): 1}).at_least


def test_an_amount_with_endless_digits_is_rounded() -> None:
    """A number that a server made up takes no memory."""
    book = Book({(P,): 1}, {P: cost("1.5e0"), C: cost("1e-99999999")}, split=False)

    assert money(book.row({}, {(P,): 1})) == "1.5"
    assert money(Book({(C,): 1}, {C: cost("1e-99999999")}, split=False).row({}, {(C,): 1})) == "0"


def test_the_list_of_threads_begins_with_the_busiest() -> None:
    """A commit of two threads counts for both; equal ones stand in the order of their ids."""
    book = Book({(P,): 1, (P, C): 2, (O,): 1, (): 9}, {}, split=False)

    assert [(row.about["thread"], row.commits) for row in book.threads({})] == [(P, 3), (C, 2), (O, 1)]


# For whatever commits and costs there are.

AMOUNTS = st.none() | st.decimals("0", "1000", places=4)
COSTS = st.lists(st.tuples(AMOUNTS, st.none() | st.integers(0, 5)), min_size=6, max_size=6)
COMMITS = st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=3, unique=True), st.integers(0, 3)), max_size=30)


def made(commits: list[tuple[list[int], int]], costs: list[tuple[Decimal | None, int | None]]) -> tuple[Costs, Groups]:
    """Return costs as the store tells them, and the commits in groups."""
    found = {}
    for thread, (usd, main) in zip(POOL, costs, strict=True):
        contained = main is not None and POOL[main] != thread and costs[main][0] is not None
        found[thread] = Cost(usd, expired=False, within=POOL[main] if contained and main is not None else None)
    groups: Groups = defaultdict(Counter)
    for links, group in commits:
        groups[group][tuple(POOL[link] for link in links)] += 1
    return found, groups


@given(COMMITS, COSTS)
@example([([0], 0), ([0], 1), ([0], 2)], [(Decimal(1), None)] * 6)
def test_the_parts_are_the_whole(
    commits: list[tuple[list[int], int]], costs: list[tuple[Decimal | None, int | None]]
) -> None:
    """Divided, all rows together cost what the sum says; as do the threads, divided or not."""
    known_costs, groups = made(commits, costs)
    total = sum(groups.values(), Counter())
    for split in (True, False):
        book = Book(total, known_costs, split=split)
        whole = book.row({}, total)
        rows = [book.row({}, tally) for tally in groups.values()]
        parts = sum((row.usd or Fraction() for row in rows), Fraction())

        assert parts == (whole.usd or 0) if split else parts <= (whole.usd or 0)
        assert sum(row.usd or 0 for row in book.threads({})) == (whole.usd or 0)
        assert (whole.usd is None) == all(row.usd is None for row in book.threads({}))
        assert all(row.shared + row.unknown <= row.threads for row in [whole, *rows])
        assert whole.shared == 0


@given(COMMITS, COSTS)
def test_no_cost_is_counted_twice(
    commits: list[tuple[list[int], int]], costs: list[tuple[Decimal | None, int | None]]
) -> None:
    """Undivided, an amount stands in one row at most, and never beside one that contains it."""
    # Powers of two: from any sum one can tell what it was made of.
    known_costs, groups = made(
        commits, [(usd and Decimal(2**number), main) for number, (usd, main) in enumerate(costs)]
    )
    book = Book(sum(groups.values(), Counter()), known_costs, split=False)
    seen: set[int] = set()
    for tally in groups.values():
        usd = book.row({}, tally).usd or Fraction()
        amounts = {number for number in range(6) if int(usd) >> number & 1}

        assert sum(2**number for number in amounts) == usd
        assert seen.isdisjoint(amounts)
        seen |= amounts
    inside = {POOL.index(thread): known_costs[thread].within for thread in POOL}
    assert not [one for one in seen if (main := inside[one]) and POOL.index(main) in seen]


# What the store tells.


def test_costs_and_titles_come_from_the_store(sealed: Path) -> None:
    """Of each thread, and of those that contain it; titles only where threads are listed."""
    assert sealed.exists()
    priced({PARENT: "12.345678901234", OTHER: None}, {PARENT: [CHILD]}, parent="Parse it", other="Lex it")
    notices: list[str] = []
    costs, titles = known({C, O, P}, os.environ, notices, titled="thread")

    assert {thread: (one.usd, one.expired, one.within) for thread, one in costs.items()} == {
        C: (None, False, P),
        P: (Decimal("12.345678901234"), False, None),
        O: (None, True, None),
    }
    assert titles == {P: "Parse it", O: "Lex it"}
    assert known({C}, os.environ, notices, titled="month")[1] == {}
    assert notices == []


def test_without_a_store_nothing_is_known() -> None:
    """A clone of somebody without Amp's API works; one notice says what would help, and no store is made."""
    notices: list[str] = []

    assert known({P}, os.environ, notices, titled="thread") == ({}, {})
    assert notices == ["what threads cost is unknown: nothing is known of threads here; run `ampcommit sync`"]
    assert not Path(path_of(os.environ)).exists()


def test_where_no_thread_is_known_nobody_asks_for_costs() -> None:
    """A history of people alone has nothing to say about money."""
    notices: list[str] = []

    assert (known(set(), os.environ, notices, titled="month"), notices) == (({}, {}), [])


def test_a_store_that_is_damaged_within_costs_only_the_costs() -> None:
    """What turns out to be wrong while it is read is a notice with its hint, too."""
    priced({PARENT: "1"})
    with closing(sqlite3.connect(path_of(os.environ))) as file:
        file.execute("DROP TABLE usage")
        file.commit()
    notices: list[str] = []

    assert known({P}, os.environ, notices, titled="thread") == ({}, {})
    assert "is damaged: no such table: usage (hint: " in notices[0]


def test_a_damaged_store_costs_only_the_costs() -> None:
    """What is wrong with the store is a notice with its hint."""
    priced({PARENT: "1"})
    Path(path_of(os.environ)).write_bytes(b"no database" * 1000)
    notices: list[str] = []

    assert known({P}, os.environ, notices, titled="month") == ({}, {})
    assert len(notices) == 1
    assert "is damaged" in notices[0]
    assert "(hint: move it away" in notices[0]
