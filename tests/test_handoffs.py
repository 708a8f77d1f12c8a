"""In which threads the work of another one went on: by their ids, and by what is known of who came from whom."""

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

import pytest

from ampcommit.errors import LedgerError
from ampcommit.ledger import Ledger
from ampcommit.notes.handoffs import Handoffs
from ampcommit.notes.shared import REMOTES
from ampcommit.record import Sha, ThreadId, moment
from ampcommit.resolved import Resolved
from tests.conftest import PARENT, Repo
from tests.test_noted import Entry, here, noted, share
from tests.test_record import record_of

A, B = Sha("a" * 40), Sha("b" * 40)
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z


def thread(seconds: float, number: int = 1) -> ThreadId:
    """Return a thread that began so many seconds after noon."""
    digits = f"{round((NOON + seconds) * 1000):012x}"
    return ThreadId(f"T-{digits[:8]}-{digits[8:]}-7000-8000-{number:012x}")


FIRST, SECOND, THIRD = thread(-3600), thread(0), thread(3600)
OLD = ThreadId("T-00000000-0000-4000-8000-000000000000")  # of a version whose ids tell no time


def later(seconds: float) -> str:
    """Return the time so many seconds after noon, as records have it."""
    return moment(NOON + seconds)


def chain(*threads: ThreadId, parents: bool = True) -> Resolved:
    """Return the line that tells where the first of *threads* came from."""
    told = {child: [parent] for child, parent in pairwise(threads)} if parents else {}
    return Resolved(
        thread=threads[0],
        chain=list(threads),
        chain_state="complete",
        parents=told,
        source="amp",
        time=later(0),
        by="ampcommit 0.1.0",
    )


def ledger(tmp_path: Path, *entries: Entry) -> Ledger:
    """Return a ledger that holds *entries*."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(entry.to_bytes() + b"\n" for entry in entries))
    return Ledger(str(path))


def test_a_thread_that_began_before_the_commit_is_a_later_one(tmp_path: Path) -> None:
    """AC107: what a record or a line of kind chain says of who came from whom, and the times in the ids."""
    for entry in (chain(SECOND, FIRST), record_of(A, SECOND, chain=[SECOND, FIRST])):
        found = Handoffs(ledger(tmp_path, entry), [])

        assert found.before(FIRST, later(120)) == SECOND
        assert found.before(FIRST, later(-120)) is None
        assert found.before(SECOND, later(120)) is None


def test_two_clocks_are_never_quite_the_same(tmp_path: Path) -> None:
    """A commit of the same minute is no finding."""
    found = Handoffs(ledger(tmp_path, chain(SECOND, FIRST)), [])

    assert [found.before(FIRST, later(seconds)) for seconds in (59, 60, 61)] == [None, None, SECOND]


def test_the_first_of_several_is_named(tmp_path: Path) -> None:
    """The nearest thread is told by `parents`, where the chain alone names only one that came long after."""
    far = Handoffs(ledger(tmp_path, chain(THIRD, SECOND, FIRST, parents=False)), [])
    assert (far.before(FIRST, later(120)), far.before(FIRST, later(7200))) == (None, THIRD)
    near = Handoffs(ledger(tmp_path, chain(THIRD, SECOND, FIRST)), [])

    assert (near.before(FIRST, later(120)), near.before(FIRST, later(7200))) == (SECOND, SECOND)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-21", "2026-11-21T12:59:00", "0000-00-00T00:00:00Z", "Z"])
def test_without_a_time_there_is_no_finding(tmp_path: Path, time: str) -> None:
    """Never guess: a record without a time, or with one of no zone, says nothing."""
    assert Handoffs(ledger(tmp_path, chain(SECOND, FIRST)), []).before(FIRST, time) is None


def test_an_id_that_tells_no_time_is_no_finding(tmp_path: Path) -> None:
    """Ids of other versions hold no time, and what is no id is none."""
    path = ledger(tmp_path, chain(OLD, FIRST)).path
    with Path(path).open("ab") as stream:
        stream.write(b'{"chain":["T-%b","%b"]}\n' % (b"-" * 36, FIRST.encode()))

    assert Handoffs(Ledger(path), []).before(FIRST, later(7200)) is None


def test_shared_lines_tell_it_as_well_and_claims_do_not(repo: Repo, tmp_path: Path) -> None:
    """A fork cannot make others' commits look late."""
    share(repo, {A: noted(chain(SECOND, FIRST))}, f"{REMOTES}fork")
    assert Handoffs(ledger(tmp_path), here(repo)).before(FIRST, later(120)) is None
    share(repo, {A: [b"hello", *noted(chain(SECOND, FIRST))]})

    assert Handoffs(ledger(tmp_path), here(repo)).before(FIRST, later(120)) == SECOND


def signed(line: bytes, _: Collection[bytes]) -> str | None:
    """Say who signed a line: an answer for each kind of them."""
    if b'"source":"bad"' in line:
        raise LedgerError("its signature is bad")
    return "a@x" if b'"source":"good"' in line else None


def test_only_signed_lines_count_where_signatures_are_demanded(repo: Repo, tmp_path: Path) -> None:
    """The own ledger is unsigned, and an unsigned or badly signed line is passed over for one that is signed."""
    line = noted(chain(SECOND, FIRST))[0]
    bad, good = (line.replace(b'"amp"', word) for word in (b'"bad"', b'"good"'))
    own = ledger(tmp_path, chain(SECOND, FIRST))
    assert Handoffs(own, [], signed).before(FIRST, later(120)) is None
    for note, expected in (([line], None), ([line, bad], None), ([line, bad, good], SECOND)):
        share(repo, {A: note})
        assert Handoffs(own, here(repo), signed).before(FIRST, later(120)) == expected


def test_a_signed_line_that_names_both_threads_is_no_hand_off(repo: Repo, tmp_path: Path) -> None:
    """AC107: who may push notes cannot add an unsigned chain to a signed line that only links both threads."""
    linked = noted(record_of(A, SECOND, links=[FIRST, SECOND], source="good"))
    backwards = noted(chain(FIRST, SECOND))[0].replace(b'"amp"', b'"good"')
    forged = b'{"x":1,"chain":["%b","%b"]}' % (SECOND.encode(), FIRST.encode())
    share(repo, {A: [*linked, backwards, forged]})

    assert Handoffs(ledger(tmp_path), here(repo)).before(FIRST, later(120)) == SECOND
    assert Handoffs(ledger(tmp_path), here(repo), signed).before(FIRST, later(120)) is None


def test_a_parent_of_any_thread_is_not_its_own_later_one(tmp_path: Path) -> None:
    """What nobody came from has nothing behind it."""
    assert Handoffs(ledger(tmp_path, chain(SECOND, FIRST)), []).before(ThreadId(PARENT), later(7200)) is None
