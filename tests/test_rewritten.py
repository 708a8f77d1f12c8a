"""The ledger's kind `rewrite`: its bytes, and which lines tell what a commit was made from."""

import json
from pathlib import Path

import pytest

from ampcommit.errors import RecordError
from ampcommit.ledger import Ledger
from ampcommit.record import Sha
from ampcommit.rewritten import Rewrite, rewritings

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


def test_what_only_mentions_a_commit_is_no_way_back() -> None:
    """Lines of other commits, damaged ones, and what was told before are passed over."""
    lines = [became(B, C).to_bytes(), b'{"new":"' + A.encode() + b'"', became(B, A).to_bytes(), became(B, A).to_bytes()]

    assert [told.old for told in rewritings(lines, A)] == [B]
