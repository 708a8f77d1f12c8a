"""The kind `carry`: a commit that was made of the commits of a branch."""

import json
from pathlib import Path

import pytest

from ampcommit.carried import MOST, Carry, carryings
from ampcommit.errors import RecordError
from ampcommit.ledger import Ledger
from ampcommit.notes.shared import publishable
from ampcommit.record import Sha

A, B, C, D = (Sha(letter * 40) for letter in "abcd")


def made_of(new: Sha, *commits: Sha, source: str = "range") -> Carry:
    """Return the line that says that *new* was made of *commits*."""
    return Carry(new=new, commits=list(commits), source=source, time="2026-11-21T08:00:00Z", by="ampcommit 0.1.0")


@pytest.mark.parametrize("prev", ["sha256:" + "0" * 64, None])
def test_a_carry_line_survives_its_bytes(prev: str | None) -> None:
    """What is written is what is read, byte for byte, as docs/record.md describes it."""
    told = made_of(A, B, C)
    told.prev = prev
    line = told.to_bytes()

    assert Carry.from_bytes(line).to_bytes() == line
    assert list(json.loads(line)) == ["v", "kind", "new", "commits", "source", "time", "by", "prev"]


def test_a_line_of_a_note_has_no_prev() -> None:
    """What was shared lost its `prev`, and is read all the same; unknown fields are ignored."""
    told = made_of(A, B)
    told.prev = "sha256:" + "0" * 64
    fields = json.loads(told.to_note()) | {"later": 1}

    assert "prev" not in fields
    assert publishable(told.to_bytes()) == (A, told.to_note())
    assert Carry.from_bytes(json.dumps(fields).encode()).commits == [B]


def test_the_time_is_now_unless_it_is_given() -> None:
    """A new line has the time and the writer by itself."""
    told = Carry(new=A, commits=[B], source="tree")

    assert told.time.endswith("Z")
    assert told.by.startswith("ampcommit ")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "rewrite"},
        {"new": "HEAD"},
        {"new": None},
        {"commits": []},
        {"commits": None},
        {"commits": "ab"},
        {"commits": ["ab"]},
        {"commits": [1]},
        {"commits": [A] * (MOST + 1)},
        {"source": None},
        {"time": 4},
        {"by": None},
        {"prev": []},
    ],
)
def test_a_damaged_carry_line_is_refused(changes: dict[str, object]) -> None:
    """A line with something else in it is no carry line, and neither is one of nothing or without end."""
    line = json.dumps(json.loads(made_of(A, B).to_bytes()) | changes).encode()

    with pytest.raises(RecordError):
        Carry.from_bytes(line)


@pytest.mark.parametrize("field", ["kind", "new", "commits", "source", "time", "by"])
def test_a_carry_line_lacks_nothing(field: str) -> None:
    """A line without one of its fields is no carry line, and the error names the field."""
    fields = json.loads(made_of(A, B).to_bytes())
    del fields[field]

    with pytest.raises(RecordError, match=field):
        Carry.from_bytes(json.dumps(fields).encode())


def test_the_last_line_is_not_said_again(tmp_path: Path) -> None:
    """The same commits carried twice in a row are one line, even if it is known in another way now."""
    ledger = Ledger(str(tmp_path / "ampcommit" / "ledger.jsonl"))
    ledger.append(made_of(A, B))
    ledger.append(made_of(A, B, source="tree"))
    ledger.append(made_of(A, B, C))

    assert [Carry.from_bytes(line).commits for line in ledger.lines()] == [[B], [B, C]]
    assert ledger.check().problems == []


def test_only_what_tells_of_the_commit_counts() -> None:
    """Lines about other commits, and damaged ones, are passed over."""
    lines = [made_of(A, B).to_bytes(), made_of(D, A).to_bytes(), b"{", made_of(A, C).to_bytes()]

    assert [told.commits for told in carryings(lines, A)] == [[B], [C]]


def test_a_damaged_line_is_found_by_the_check(tmp_path: Path) -> None:
    """`ledger check` reads carry lines as it reads records."""
    ledger = Ledger(str(tmp_path / "ampcommit" / "ledger.jsonl"))
    ledger.append(made_of(A, B))
    content = Path(ledger.path).read_bytes()
    Path(ledger.path).write_bytes(content.replace(b'"range"', b"4"))

    assert ledger.check().problems == ["line 1: a field of a record has the wrong type"]
