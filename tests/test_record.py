"""Nouns are well formed or not there at all; a record survives the way to its bytes and back."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ampcommit.errors import RecordError
from ampcommit.record import Finding, Record, Sha, ThreadId, canonical, parsed
from tests.conftest import CHILD, PARENT

relaxed = settings(deadline=None, database=None)

SHA1 = Sha("9f3c" * 10)
SHA256 = Sha("1b2d" * 16)

thread_ids = st.uuids().map(lambda uuid: ThreadId(f"T-{uuid}"))
shas = (st.binary(min_size=20, max_size=20) | st.binary(min_size=32, max_size=32)).map(lambda raw: Sha(raw.hex()))
# What git calls a branch is bytes; those that are not UTF-8 become lone surrogates, as os.fsdecode makes them.
names = st.none() | st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
records = st.builds(
    Record,
    commit=shas,
    tree=shas,
    parents=st.lists(shas, max_size=3),
    links=st.lists(thread_ids, min_size=1, max_size=3),
    chain=st.lists(thread_ids, max_size=4),
    chain_state=st.sampled_from(["complete", "partial", "cycle", "unknown"]),
    source=st.sampled_from(["env", "message", "use"]),
    validated=st.booleans(),
    branch=names,
    repo=names,
    time=st.just("2026-11-20T08:15:30Z"),
    by=st.text(),
    prev=st.none() | st.just("sha256:" + "0" * 64),
)


def record_of(commit: str = SHA1, thread: str = CHILD, **others: Any) -> Record:
    """Return a record of *commit*, made in *thread*, with *others* of its fields as given."""
    fields: dict[str, Any] = {
        "commit": Sha(commit),
        "tree": SHA1,
        "parents": [],
        "links": [ThreadId(thread)],
        "chain": [ThreadId(thread)],
        "chain_state": "complete",
        "source": "env",
        "validated": True,
        "branch": "main",
        "repo": "github.com/example/demo",
        "time": "2026-11-20T08:15:30Z",
        "by": "ampcommit 0.1.0",
    }
    return Record(**fields | others)


def fields_of(record: Record) -> dict[str, object]:
    """Return every field of *record*."""
    return {name: getattr(record, name) for name in Record.__slots__}


def well_formed(record: Record) -> bool:
    """Say whether every field of *record* has the type that its users rely on."""
    texts = (record.chain_state, record.source, record.time, record.by)
    return (
        all(Sha.maybe(sha) is not None for sha in (record.commit, record.tree, *record.parents))
        and all(ThreadId.maybe(thread) is not None for thread in (*record.links, *record.chain))
        and record.thread == record.links[-1]
        and all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in (record.branch, record.repo, record.prev))
        and isinstance(record.validated, bool)
    )


@relaxed
@given(records)
def test_a_record_comes_back_from_its_bytes(record: Record) -> None:
    """Whatever a branch is called, the record in the ledger says the same as the one that was written."""
    again = Record.from_bytes(record.to_bytes())

    assert fields_of(record) == fields_of(again)
    assert record.to_bytes() == again.to_bytes()


@relaxed
@given(records)
def test_a_record_is_one_line_for_every_reader(record: Record) -> None:
    """No program that reads the ledger line by line cuts a record in two."""
    line = record.to_bytes()

    assert [line] == line.splitlines()
    assert len(line.decode("utf-8").splitlines()) == 1


@relaxed
@given(records)
def test_a_record_is_plain_json(record: Record) -> None:
    """Any JSON parser reads the ledger, and finds the fields in the documented order."""
    fields = json.loads(record.to_bytes())

    assert list(fields)[:6] == ["v", "kind", "commit", "tree", "parents", "thread"]
    assert {"v": 1, "kind": "commit", **fields_of(record)} == fields


@relaxed
@given(values)
def test_canonical_json_says_what_was_meant(value: object) -> None:
    """The ledger's own JSON is read by others exactly as it was written."""
    assert value == json.loads(canonical(value))


@pytest.mark.parametrize("value", [1.5, b"x", (1,), {1}, Ellipsis, [[0.0]], {"x": float("nan")}], ids=repr)
def test_canonical_json_holds_nothing_inexact(value: object) -> None:
    """A value that JSON cannot hold exactly is refused, never rounded."""
    with pytest.raises(RecordError, match="cannot hold"):
        canonical(value)


@pytest.mark.parametrize("name", [name for name in Record.__slots__ if name != "thread"])
def test_a_record_without_a_field_is_refused(name: str) -> None:
    """Nothing is made up for a field that is missing."""
    fields = json.loads(record_of().to_bytes())
    del fields[name]

    with pytest.raises(RecordError):
        Record.from_bytes(json.dumps(fields).encode())


@relaxed
@given(st.sampled_from(Record.__slots__), values)
@example("commit", ["a"] * 40)
@example("parents", {SHA1: 1})
@example("parents", [["a"] * 40])
@example("parents", "")
@example("links", [])
@example("links", [1])
@example("branch", 1)
@example("repo", {})
@example("prev", [])
@example("thread", PARENT)
def test_a_field_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    """A record that was read is well formed, or it is not read at all."""
    fields = json.loads(record_of().to_bytes()) | {name: value}
    try:
        record = Record.from_bytes(json.dumps(fields).encode())
    except RecordError:
        return

    assert well_formed(record)


@relaxed
@given(st.sampled_from(Record.__slots__), values)
def test_what_was_read_is_written_as_it_was(name: str, value: object) -> None:
    """Reading a record turns nothing into something else: what is accepted is kept as it stands."""
    fields = json.loads(record_of().to_bytes()) | {name: value}
    try:
        record = Record.from_bytes(json.dumps(fields).encode())
    except RecordError:
        return

    assert fields == json.loads(record.to_bytes())


def test_a_field_from_the_future_is_ignored() -> None:
    """A record with a field that this version does not know is still read."""
    fields = json.loads(record_of().to_bytes()) | {"mood": "good"}

    assert Record.from_bytes(json.dumps(fields).encode()).commit == SHA1


def test_the_thread_must_be_the_last_link() -> None:
    """A record that contradicts itself is refused."""
    fields = json.loads(record_of().to_bytes()) | {"thread": PARENT}

    with pytest.raises(RecordError, match="not the last of its links"):
        Record.from_bytes(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0" * 64,
        b"null",
        b"[]",
        b'"text"',
        b"<<<<<<< HEAD",
        b'{"v":1',
        b'{"v":1}{"v":1}',
        b"\xef\xbb\xbf{}",
        b'{"v":\xff}',
        '{"v":1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"v":' + b"9" * 5000 + b"}",
    ],
    ids=[
        "empty",
        "NUL fill",
        "null",
        "array",
        "string",
        "conflict",
        "torn",
        "two",
        "BOM",
        "Latin-1",
        "UTF-16",
        "deep",
        "digits",
    ],
)
def test_a_line_that_is_no_object_is_explained(line: bytes) -> None:
    """C12: garbage in the ledger is a finding, never a traceback."""
    with pytest.raises(RecordError, match="a line is not"):
        parsed(line)


@relaxed
@given(st.binary())
def test_any_bytes_are_a_record_or_explained(line: bytes) -> None:
    """Whatever stands in the ledger, reading it fails in one documented way."""
    with pytest.raises(RecordError):
        Record.from_bytes(line)


@relaxed
@given(st.uuids(), st.booleans())
def test_a_thread_id_is_read_in_any_case(uuid: UUID, upper: bool) -> None:
    """An id may be typed in capitals; it is kept in small letters."""
    typed = f"T-{uuid}"

    assert f"T-{uuid}" == ThreadId(typed.upper() if upper else typed)


NO_THREADS = {
    "empty": "",
    "prefix": PARENT[2:],
    "word": "T-",
    "short": PARENT[:-1],
    "long": PARENT + "0",
    "line feed": PARENT + "\n",
    "blank": " " + PARENT,
    "NUL": PARENT + "\0",
    "not hex": PARENT[:-1] + "g",
    "dashes": PARENT.replace("-", ""),
    "dashes elsewhere": "T-01a1f7e3a-087-75c8-93d6-905e87056e81",
    "braces": "T-{01a1f7e3-a087-75c8-93d6-905e87056e8}",
    "variable": "T-${AMP_CURRENT_THREAD_ID}",
    "traversal": "T-../../etc/passwd",
    "absolute": "/etc/passwd",
    "option": "--output=x",
    "glob": "T-*",
    "full-width": PARENT.replace("0", "\uff10"),
    "Arabic digits": PARENT.replace("0", "\u0660"),
    "dotless": "\u0131-" + PARENT[2:],
    "link": "https://ampcode.com/threads/" + PARENT,
    "surrogate": PARENT[:-1] + "\udc80",
}


@pytest.mark.parametrize("text", NO_THREADS.values(), ids=NO_THREADS)
def test_other_text_is_no_thread_id(text: str) -> None:
    """L09, L10, T13: what is not exactly a thread id never becomes one, and so never a file name."""
    assert ThreadId.maybe(text) is None
    with pytest.raises(RecordError) as caught:
        ThreadId(text)
    assert "T-019bf111" in caught.value.hint


@relaxed
@given(values)
def test_anything_is_a_thread_id_or_none(value: object) -> None:
    """Asking whether something from outside is a thread id never fails."""
    assert ThreadId.maybe(value) is None


def test_a_thread_knows_its_link() -> None:
    """The link of a thread is the one that Amp itself writes."""
    assert f"https://ampcode.com/threads/{PARENT}" == ThreadId(PARENT).url


def test_a_thread_id_of_version_7_knows_when_the_thread_began() -> None:
    """Its first 48 bits are milliseconds; an id of another version holds no time."""
    assert ThreadId("T-019bf111-2222-7333-8444-555566667777").began == 0x019BF1112222 / 1000
    assert ThreadId("T-019bf111-2222-4333-8444-555566667777").began is None


@pytest.mark.parametrize("text", [SHA1, SHA256], ids=["SHA-1", "SHA-256"])
def test_a_full_commit_id_is_accepted(text: str) -> None:
    """E35: repositories of both kinds are served."""
    assert [Sha(text), Sha.maybe(text)] == [text, text]


@pytest.mark.parametrize(
    "text",
    ["", "HEAD", SHA1[:-1], SHA1 + "0", SHA1[:-1] + "\n", SHA1.upper(), SHA1[:-1] + "g", SHA1[:-1] + "\uff10"],
    ids=["empty", "name", "short", "long", "line feed", "capitals", "not hex", "full-width"],
)
def test_other_text_is_no_commit_id(text: str) -> None:
    """An abbreviated or damaged commit id is never taken for a commit."""
    assert Sha.maybe(text) is None
    with pytest.raises(RecordError, match="not a full commit id"):
        Sha(text)


def test_a_finding_has_the_fields_of_the_report() -> None:
    """A finding in JSON has a code, a level, a message and a way out."""
    finding = Finding("AC101", "error", "no link", "add it")

    assert finding.as_dict() == {"code": "AC101", "level": "error", "message": "no link", "hint": "add it"}
