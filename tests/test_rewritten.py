"""The ledger's kind `rewrite`, and the way back from a commit to those it was made from."""

import json
from pathlib import Path

import pytest

from ampcommit.errors import RecordError
from ampcommit.ledger import Ledger
from ampcommit.record import Sha
from ampcommit.rewritten import MOST, Rewrite, origins, rewritings

A, B, C, D = (Sha(letter * 40) for letter in "abcd")


def became(old: Sha, new: Sha, command: str | None = "amend", source: str = "git") -> Rewrite:
    """Return the line that says that *old* became *new*."""
    return Rewrite(old=old, new=new, command=command, source=source, time="2026-11-21T08:00:00Z", by="ampcommit 0.1.0")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    (tmp_path / "state").mkdir()
    return Ledger(str(tmp_path / "state" / "ledger.jsonl"))


@pytest.mark.parametrize("command", ["amend", "rebase", None])
def test_a_rewriting_survives_its_bytes(command: str | None) -> None:
    """What is written is what is read, byte for byte, as docs/record.md describes it."""
    line = became(A, B, command).to_bytes()

    assert Rewrite.from_bytes(line).to_bytes() == line
    assert list(json.loads(line)) == ["v", "kind", "old", "new", "command", "source", "time", "by", "prev"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "commit"},
        {"old": None},
        {"old": "HEAD"},
        {"new": "ab"},
        {"command": 1},
        {"source": None},
        {"time": 4},
        {"prev": []},
    ],
)
def test_a_damaged_rewriting_is_refused(changes: dict[str, object]) -> None:
    """A line with something else in it is no rewriting."""
    line = json.dumps(json.loads(became(A, B).to_bytes()) | changes).encode()

    with pytest.raises(RecordError):
        Rewrite.from_bytes(line)


@pytest.mark.parametrize("field", ["kind", "old", "new", "command", "source", "time", "by", "prev"])
def test_a_rewriting_lacks_nothing(field: str) -> None:
    """A line without one of its fields is no rewriting, and the error names the field."""
    fields = json.loads(became(A, B).to_bytes())
    del fields[field]

    with pytest.raises(RecordError, match=field):
        Rewrite.from_bytes(json.dumps(fields).encode())


def test_the_last_line_is_not_said_again(ledger: Ledger) -> None:
    """Two hook managers may tell us of the same amend."""
    ledger.append(became(A, B))
    ledger.append(became(A, B))
    ledger.append(became(A, C))

    assert [Rewrite.from_bytes(line).new for line in ledger.lines()] == [B, C]


def test_a_damaged_line_is_found_by_the_check(ledger: Ledger) -> None:
    """`ledger check` reads rewritings as it reads records."""
    ledger.append(became(A, B))
    content = Path(ledger.path).read_bytes()
    Path(ledger.path).write_bytes(content.replace(b'"amend"', b"4"))

    assert ledger.check().problems == ["line 1: a field of a record has the wrong type"]


def test_the_way_back_is_nearest_first(ledger: Ledger) -> None:
    """A commit that was amended and then squashed knows all that it was made from."""
    ledger.append(became(A, B), became(B, D, "rebase"), became(C, D, "rebase"))

    assert [(told.old, told.new) for told in origins(ledger, D)] == [(B, D), (C, D), (A, B)]
    assert origins(ledger, A) == []


def test_a_circle_ends(ledger: Ledger) -> None:
    """Commits that became each other (an amend and its undoing) are followed once."""
    ledger.append(became(A, B), became(B, A), became(A, A))

    assert [told.old for told in origins(ledger, B)] == [A]


def test_what_only_mentions_a_commit_is_no_way_back() -> None:
    """Lines of other commits, damaged ones, and what was told before are passed over."""
    lines = [became(B, C).to_bytes(), b'{"new":"' + A.encode() + b'"', became(B, A).to_bytes(), became(B, A).to_bytes()]

    assert [told.old for told in rewritings(lines, A)] == [B]


def test_the_way_back_is_bounded(ledger: Ledger) -> None:
    """A commit that claims to be made from very many is followed so far and no farther."""
    ids = [Sha(f"{number:040x}") for number in range(MOST + 100)]
    ledger.append(*(became(old, A) for old in ids))
    ledger.append(became(C, ids[-1]))

    assert len(origins(ledger, A)) == len(ids)
