"""Reading ahead of whoever listens, so that git goes on while something else is done."""

from threading import Thread

from ampcommit.errors import AmpcommitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

HELD = 32 * 1024 * 1024
"""Bytes after which nothing more is read ahead."""

_PATIENCE = 0.5


class Ahead:
    """
    The *pieces* of an answer, which a thread reads until somebody listens, or `HELD` bytes are there.

    They are read once, and an error that ends them is raised there. `close` ends thread (`reader`) and answer.
    """

    def __init__(self, pieces: "Generator[bytes]") -> None:
        self._pieces = pieces
        self._held: list[bytes] = []
        self._wanted = False
        self._error: AmpcommitError | None = AmpcommitError("reading git's answer broke off")
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        size = 0
        try:
            for piece in self._pieces:
                self._held.append(piece)
                size += len(piece)
                if self._wanted or size > HELD:
                    break  # who listens reads the rest: two threads would be in each other's way
            self._error = None
        except AmpcommitError as error:
            self._error = error

    def __iter__(self) -> "Iterator[bytes]":
        self._wanted = True
        self.reader.join()
        yield from self._held
        if self._error:
            raise self._error
        yield from self._pieces

    def close(self) -> None:
        """End what nobody wants to read."""
        self._wanted = True
        self.reader.join(_PATIENCE)
        if not self.reader.is_alive():
            self._pieces.close()
        # Else git has not said anything yet: it ends when it does, or with us.
