"""A chain that was learned after its commit: a line of the ledger that comes back as it was written, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ampcommit.errors import RecordError
from ampcommit.ledger import Ledger
from ampcommit.record import ThreadId
from ampcommit.resolved import Resolved, edges
from tests.conftest import CHILD, OTHER, PARENT
from tests.test_record import record_of, thread_ids, values

relaxed = settings(deadline=None, database=None)

chains = st.builds(
    Resolved,
    thread=thread_ids,
    chain=st.lists(thread_ids, max_size=4),
    chain_state=st.sampled_from(["complete", "partial", "cycle"]),
    parents=st.dictionaries(thread_ids, st.lists(thread_ids, max_size=3), max_size=4),
    source=st.sampled_from(["local", "export", "amp"]),
    time=st.just("2026-11-20T08:15:30Z"),
    by=st.text(),
    prev=st.none() | st.just("sha256:" + "0" * 64),
)


def resolved(thread: str = CHILD, **others: Any) -> Resolved:
    """Return what was learned of *thread*: that it came of PARENT, a root; *others* of its fields as given."""
    fields: dict[str, Any] = {
        "thread": ThreadId(thread),
        "chain": [ThreadId(thread), ThreadId(PARENT)],
        "chain_state": "complete",
        "parents": {ThreadId(thread): [ThreadId(PARENT)], ThreadId(PARENT): []},
        "source": "amp",
        "time": "2026-11-20T08:15:30Z",
        "by": "ampcommit 0.1.0",
    }
    return Resolved(**fields | others)


def fields_of(said: Resolved) -> dict[str, object]:
    """Return every field of *said*."""
    return {name: getattr(said, name) for name in Resolved.__slots__}


def line(**others: object) -> bytes:
    """Return the line of `resolved()` as another program may write it, with *others* of its fields."""
    return json.dumps(json.loads(resolved().to_bytes()) | others).encode()


@relaxed
@given(chains)
def test_a_chain_comes_back_from_its_bytes(said: Resolved) -> None:
    """What is read from the ledger is what was learned."""
    again = Resolved.from_bytes(said.to_bytes())

    assert fields_of(said) == fields_of(again)
    assert said.to_bytes() == again.to_bytes()


@relaxed
@given(chains)
def test_a_chain_is_one_line_of_plain_json(said: Resolved) -> None:
    """Any JSON parser reads the line, and finds the documented fields in their order."""
    raw = said.to_bytes()
    fields = json.loads(raw)

    assert [raw] == raw.splitlines()
    assert list(fields) == ["v", "kind", "thread", "chain", "chain_state", "parents", "source", "time", "by", "prev"]
    assert {"v": 1, "kind": "chain", **fields_of(said)} == fields


@relaxed
@given(st.dictionaries(st.text().map("new {}".format), values))
def test_fields_from_the_future_are_ignored(others: dict[str, object]) -> None:
    """T20: what a newer version adds is in nobody's way."""
    assert fields_of(Resolved.from_bytes(line(**others))) == fields_of(resolved())


@pytest.mark.parametrize("name", ["kind", *Resolved.__slots__])
def test_a_chain_without_a_field_is_refused(name: str) -> None:
    """Nothing is made up for a field that is missing."""
    fields = json.loads(line())
    del fields[name]

    with pytest.raises(RecordError):
        Resolved.from_bytes(json.dumps(fields).encode())


def well_formed(said: Resolved) -> bool:
    """Say whether every field of *said* has the type that its users rely on."""
    threads = [said.thread, *said.chain, *said.parents, *(one for its in said.parents.values() for one in its)]
    return all(ThreadId.maybe(thread) == thread for thread in threads) and all(
        isinstance(text, str) for text in (said.chain_state, said.source, said.time, said.by, said.prev or "")
    )


@relaxed
@given(st.sampled_from(["kind", *Resolved.__slots__]), values)
@example("thread", PARENT[:-1])
@example("chain", {CHILD: 1})
@example("chain", [[CHILD]])
@example("chain", CHILD)
@example("parents", [CHILD])
@example("parents", {CHILD: PARENT})
@example("parents", {CHILD: None})
@example("parents", {"../x": []})
@example("parents", {CHILD: ["../x"]})
@example("chain_state", None)
@example("prev", 1)
def test_a_field_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    """T12, T13: a chain that was read is well formed, or it is not read at all."""
    try:
        said = Resolved.from_bytes(line(**{name: value}))
    except RecordError:
        return

    assert well_formed(said)


@pytest.mark.parametrize("kind", ["commit", "rewrite", "Chain", "", None, 1, ["chain"]], ids=repr)
def test_a_line_of_another_kind_is_refused(kind: object) -> None:
    """A record with the same fields is no chain."""
    with pytest.raises(RecordError, match="another kind"):
        Resolved.from_bytes(line(kind=kind))


@relaxed
@given(st.binary())
@example(record_of().to_bytes())
@example(b"[" * 100_000)
def test_any_bytes_are_a_chain_or_explained(raw: bytes) -> None:
    """C12: whatever stands in the ledger, reading it fails in one documented way."""
    with pytest.raises(RecordError):
        Resolved.from_bytes(raw)


REPEATED: dict[str, tuple[bytes, bool]] = {
    "the same": (resolved().to_bytes(), True),
    "the same at another time": (resolved(time="2027-01-01T00:00:00Z", prev="sha256:0").to_bytes(), True),
    "the same from elsewhere": (resolved(source="local", by="ampcommit 9").to_bytes(), True),
    "as another program writes it": (line(), True),
    "another thread": (resolved(OTHER).to_bytes(), False),
    "another chain": (resolved(chain=[ThreadId(CHILD)]).to_bytes(), False),
    "another state": (resolved(chain_state="partial").to_bytes(), False),
    "a record": (record_of().to_bytes(), False),
    "damaged": (resolved().to_bytes()[:-1], False),
    "empty": (b"", False),
}


@pytest.mark.parametrize(("before", "expected"), REPEATED.values(), ids=REPEATED)
def test_what_repeats_a_line(before: bytes, expected: bool) -> None:
    """The same chain of the same thread says nothing new, whoever told it and whenever."""
    assert expected == resolved().repeats(before)


def test_a_chain_is_not_written_twice_in_a_row(tmp_path: Path) -> None:
    """Two processes that learn the same leave one line; what came between is kept."""
    ledger = Ledger(str(tmp_path / "ledger.jsonl"))
    for entry in (resolved(), resolved(), record_of(), resolved()):
        ledger.append(entry)

    assert [json.loads(one)["kind"] for one in ledger.lines()] == ["chain", "commit", "chain"]
    assert ledger.check().problems == []


def test_a_later_line_wins() -> None:
    """Of several lines about one thread the last is believed; others stay."""
    first = resolved(parents={ThreadId(CHILD): [ThreadId(OTHER)], ThreadId(OTHER): []})

    assert edges([first.to_bytes(), resolved().to_bytes()]) == {CHILD: [PARENT], OTHER: [], PARENT: []}


def test_what_is_no_chain_tells_no_parents() -> None:
    """C12: records, damaged and foreign lines are passed over, and hide nothing behind them."""
    strange = [record_of().to_bytes(), b"", b"\xff", resolved(OTHER).to_bytes()[:-2], line(kind="x"), line(parents=[])]

    assert edges([*strange, resolved().to_bytes()]) == {CHILD: [PARENT], PARENT: []}
    assert edges([]) == {}


def test_a_parent_that_is_named_twice_counts_once() -> None:
    """A line that another program wrote does not double a parent."""
    assert edges([line(parents={CHILD: [PARENT, OTHER, PARENT.upper()]})]) == {CHILD: [PARENT, OTHER]}
