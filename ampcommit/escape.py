"""Text from outside, made harmless for the place where it is printed."""

PIECE = 200
"""How many characters of a foreign value are shown to people."""


def terminal(text: "str | bytes", limit: int = PIECE) -> str:
    """
    Return *text* on one line, without anything that a terminal acts on.

    Control characters, direction marks, zero-width characters and bytes that are
    not UTF-8 become backslash escapes; what exceeds *limit* characters is cut.
    """
    if isinstance(text, bytes):
        # A character has at most four bytes: no need to decode a megabyte to show a line.
        text = text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    piece = text[:limit]
    if not piece.isprintable():
        piece = "".join(char if char.isprintable() else _escaped(char) for char in piece)
    return piece + ("…" if len(text) > limit else "")


def defused(text: str) -> str:
    """Return *text* without two number signs in a row: CI runners obey `##[error]` and its like anywhere in a line."""
    while "##" in text:
        text = text.replace("##", "# #")
    return text


def defused_json(text: str) -> str:
    """Return *text*, which is JSON, saying the same without two number signs in a row."""
    return text.replace("##", "#\\u0023")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
