"""Text from outside does nothing to a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampcommit.escape import PIECE, terminal

HOSTILE = {
    "colour": ("\x1b[31mred", "\\x1b[31mred"),
    "erase": ("\x1b[2J", "\\x1b[2J"),
    "window title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "hidden link": (
        "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\",
        "\\x1b]8;;https://evil.example\\x1b\\x\\x1b]8;;\\x1b\\",
    ),
    "clipboard": ("\x1b]52;c;eA==\x07", "\\x1b]52;c;eA==\\x07"),
    "C1 control": ("\x9b31m", "\\x9b31m"),
    "backspace": ("safe\b\b\b\bevil", "safe\\x08\\x08\\x08\\x08evil"),
    "carriage return": ("safe\revil", "safe\\revil"),
    "line feed": ("one\n::error::two", "one\\n::error::two"),
    "tab": ("a\tb", "a\\tb"),
    "NUL": ("a\0b", "a\\x00b"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "right-to-left override": ("\u202etxt.exe", "\\u202etxt.exe"),
    "zero-width space": ("amp\u200bcode", "amp\\u200bcode"),
    "soft hyphen": ("amp\u00adcode", "amp\\xadcode"),
    "byte-order mark": ("\ufeffkey", "\\ufeffkey"),
    "no-break space": ("a\u00a0b", "a\\xa0b"),
    "tag characters": ("\U000e0041", "\\U000e0041"),
    "lone surrogate": ("\udcff", "\\udcff"),
    "private use": ("\ue000", "\\ue000"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_what_a_terminal_acts_on_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Nobody's terminal is coloured, cleared or lied to by a message."""
    assert shown == terminal(text)


@pytest.mark.parametrize(
    "text", ["", "Fix the parser", "Größe, naïve, 日本語, emoji 🎉", "back\\slash", "%s {0} $(touch x)"]
)
def test_what_people_write_is_shown_as_it_is(text: str) -> None:
    """Ordinary text of any language stays readable."""
    assert terminal(text) == text


def test_bytes_that_are_no_utf_8_are_shown_as_escapes() -> None:
    """A message in an unknown encoding can be shown."""
    assert terminal(b"caf\xe9 \x1b") == "caf\\xe9 \\x1b"


@pytest.mark.parametrize(
    "text", ["a" * (PIECE + 1), b"a" * (PIECE + 1), b"a" * 1_000_000], ids=["str", "bytes", "1 MB"]
)
def test_a_long_text_is_cut(text: str | bytes) -> None:
    """Two hundred kilobytes of somebody's value do not fill a screen."""
    assert terminal(text) == "a" * PIECE + "…"


def test_a_text_of_exactly_the_limit_is_not_cut() -> None:
    """An ellipsis means that something is missing."""
    assert "é" * 5 == terminal("é" * 5, 5) == terminal("é".encode() * 5, 5)


def test_a_cut_in_the_middle_of_a_character_shows_no_part_of_it() -> None:
    """Where bytes are cut, no character is torn that would have been shown."""
    assert terminal("🎉🎉🎉🎉".encode(), 2) == "🎉🎉…"


@given(st.one_of(st.text(), st.binary()), st.integers(1, 50))
def test_whatever_comes_in_one_printable_line_of_bounded_length_comes_out(text: str | bytes, limit: int) -> None:
    """There is no text that breaks a line of output."""
    shown = terminal(text, limit)

    assert all(char.isprintable() for char in shown)
    assert all(unicodedata.category(char)[0] not in "CZ" or char == " " for char in shown)
    assert len(shown) <= 10 * limit + 1
