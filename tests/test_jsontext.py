"""JSON from outside says what it says, or is refused; it never takes the reader along."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.jsontext import decoded


def test_numbers_keep_their_digits() -> None:
    """Decimal numbers are exact; a number that is too long to be one is nothing."""
    assert decoded(b'{"a": [0.10, 1, 1e999999999999999999999], "b": ' + b"9" * 5000 + b"}") == {
        "a": [Decimal("0.10"), 1, None],
        "b": None,
    }


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"{} {}"], ids=repr)
def test_what_is_no_json_is_one_kind_of_failure(text: bytes) -> None:
    """Whatever is wrong with it, whoever reads has one exception to expect."""
    with pytest.raises(ValueError, match=r".*"):
        decoded(text)


def test_the_reader_says_how_objects_are_made() -> None:
    """What the standard library's reader takes, this one passes on."""
    assert decoded(b'{"a": 1, "a": 2}', object_pairs_hook=list) == [("a", 1), ("a", 2)]


@settings(deadline=None, database=None)
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    """No input raises anything else, and what both read means the same."""
    try:
        found = decoded(text)
    except ValueError:
        return
    assert json.loads(json.dumps(found, default=float)) == json.loads(text, parse_float=float) or "." in repr(found)
