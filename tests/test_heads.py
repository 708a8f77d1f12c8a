"""Heads: how far a ledger had come is told in one form, and contradicts a ledger that is another one."""

import json
from pathlib import Path

import pytest

from ampcommit.ledger import Ledger, digest
from ampcommit.notes.heads import START, contradicted, head, known_number, number_of
from ampcommit.place import Place
from tests.test_published import kept
from tests.test_shared import A, B, C, record


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The place of a clone."""
    (tmp_path / "ampcommit").mkdir()
    return Place(str(tmp_path))


@pytest.fixture
def ledger(place: Place) -> Ledger:
    """A ledger of three lines in that clone."""
    return kept(Path(place.state), record(A), record(B), record(C))


def told(place: Place, ledger: Ledger, count: int) -> bytes:
    """Return the head of the first *count* lines of *ledger*."""
    return head(number_of(place), count, [*ledger.lines()][count - 1])


def test_a_head_has_one_form(place: Place) -> None:
    """It begins as others look for it, and names the clone, the lines and the digest of the last."""
    line = head(number_of(place), 3, b"x")
    fields = json.loads(line)

    assert line.startswith(START)
    assert list(fields) == ["v", "kind", "clone", "count", "digest", "time", "by"]
    assert (fields["clone"], fields["count"], fields["digest"]) == (known_number(place), 3, digest(b"x"))


def test_a_ledger_that_grew_is_the_same(place: Place, ledger: Ledger) -> None:
    """Whatever came behind the line that was counted contradicts nothing."""
    assert contradicted(ledger, place, [told(place, ledger, count) for count in (1, 3, 2, 3)]) == []
    assert contradicted(ledger, place, []) == []


def test_a_ledger_that_was_rewritten_is_told_from_it(place: Place, ledger: Ledger) -> None:
    """The first line that is another one is named, and both explanations, and what to do."""
    heads = [told(place, ledger, count) for count in (1, 2, 3)]
    Path(ledger.path).unlink()
    kept(Path(place.state), record(A), record(C), record(B))

    [said] = contradicted(ledger, place, heads)
    assert "line 2 of the ledger was another one" in said
    assert "or somebody who may push notes made that up" in said
    assert f"remove {place.state}/clone" in said


def test_a_ledger_that_was_cut_off_is_told_from_it(place: Place, ledger: Ledger) -> None:
    """What no `prev` can tell: lines that are missing at the end."""
    last = told(place, ledger, 3)
    text = Path(ledger.path).read_bytes().splitlines(keepends=True)
    Path(ledger.path).write_bytes(b"".join(text[:1]))

    assert "the ledger had 3 lines, and has 1:" in contradicted(ledger, place, [last])[0]
    Path(ledger.path).unlink()
    assert "the ledger had 3 lines, and has 0:" in contradicted(ledger, place, [last])[0]


def test_what_others_counted_says_nothing(place: Place, ledger: Ledger) -> None:
    """Heads of other clones, and what only looks like a head, contradict nothing; nor does any without a number."""
    ours = told(place, ledger, 3).replace(digest([*ledger.lines()][2]).encode(), digest(b"x").encode())
    assert contradicted(ledger, place, [ours])
    number = number_of(place).encode()

    for line in (
        ours.replace(number, b"7" * 32),
        ours.replace(b'"count":3', b'"count":0'),
        ours.replace(b'"count":3', b'"count":' + b"9" * 30),
        ours[:-1],
        b'{"x":' + ours + b"}",
        b"",
    ):
        assert contradicted(ledger, place, [line]) == []
    Path(place.state, "clone").unlink()
    assert contradicted(ledger, place, [ours]) == []
    assert not Path(place.state, "clone").exists()
