"""
One SQLite file of ours: made private, brought up to date, and used, or an error that says why not.

Whoever reads can do so while somebody writes (write-ahead log). A change is there whole or not at all, also after a
`kill -9`; a power cut may lose the newest ones, which the next run fetches again.
"""

import os
import shlex
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, contextmanager, suppress

from ampcommit.errors import SetupError
from ampcommit.files import make_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Self

    Row = tuple[Any, ...]

PATIENCE = 10.0
"""Seconds to wait for another program that is writing."""

_OURS = 0x416D7063  # "Ampc", where SQLite keeps a number for the program that a file belongs to
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")  # the last: a table or a column is gone
_HELD = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_STEP = 0.01  # seconds between two tries


class Database:
    """
    The file *path*, whose tables the scripts *migrations* make, one for each version; close it after use.

    It is made where it is missing. `SetupError` if it is damaged, locked for longer than *patience* seconds, of a
    newer version, of another program, or cannot be written.
    """

    def __init__(self, path: str, migrations: "Sequence[str]", *, patience: float = PATIENCE) -> None:
        self.path = path
        with self._explained(), ExitStack() as failed:
            _make(path)
            self._connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
            failed.callback(self._connection.close)
            self._prepare(migrations, patience)
            failed.pop_all()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __call__(self, statement: str, values: "Sequence[object]" = ()) -> "list[Row]":
        """Return the rows that *statement* gives."""
        with self._explained():
            return self._connection.execute(statement, values).fetchall()

    def many(self, statement: str, rows: "Iterable[Sequence[object]]") -> None:
        """Run *statement* once for each of *rows*."""
        with self._explained():
            self._connection.executemany(statement, rows)

    @contextmanager
    def change(self) -> "Iterator[None]":
        """Make all that is done in the block one change: it is there at its end, or nothing of it is."""
        try:
            self("BEGIN IMMEDIATE")
            yield
            self("COMMIT")
        finally:
            if self._connection.in_transaction:  # some failures have ended it already
                with suppress(sqlite3.Error):  # what failed first is to be told
                    self._connection.rollback()

    def copy_to(self, path: str) -> None:
        """Write what is in the file now into a new file *path*, private too."""
        with self._explained():
            _make(path)
            with closing(sqlite3.connect(path)) as other:
                self._connection.backup(other)

    def damaged(self, said: str) -> SetupError:
        """Return the error that says that the file is damaged."""
        moved = f"mv {shlex.quote(self.path)} {shlex.quote(self.path + '.damaged')}"
        hint = f"move it away, and the next sync makes a new one: {moved}"
        return SetupError(f"{self.path} is damaged: {said}", hint=hint)

    def _prepare(self, migrations: "Sequence[str]", patience: float) -> None:
        run = self._connection.execute
        version = self._version(migrations)  # first, because another program's file stays as it is
        self._write_ahead(patience)
        run("PRAGMA synchronous = NORMAL")
        if version < len(migrations):
            with self.change():  # another process may have done it meanwhile
                for script in migrations[self._version(migrations) :]:
                    for statement in script.split(";"):
                        run(statement)
                run(f"PRAGMA application_id = {_OURS}")
                run(f"PRAGMA user_version = {len(migrations)}")

    def _write_ahead(self, patience: float) -> None:
        """Let SQLite write ahead; where the file system cannot do that, it stays with what it can."""
        until, done = time.monotonic() + patience, False
        while not done:
            try:
                done = bool(self._connection.execute("PRAGMA journal_mode = WAL"))
            except sqlite3.OperationalError as error:
                # For this one SQLite does not wait itself, where another process does the same.
                if not error.sqlite_errorname.startswith(_HELD) or time.monotonic() > until:
                    raise
                time.sleep(_STEP)

    def _version(self, migrations: "Sequence[str]") -> int:
        """Return how many of *migrations* the file has seen."""
        # In this order: what another process, which makes the file in this moment, writes last is read first.
        ((tables,),) = self("SELECT count(*) FROM sqlite_master")
        ((version,),) = self("PRAGMA user_version")
        ((owner,),) = self("PRAGMA application_id")
        if owner != _OURS and (tables or version):
            raise SetupError(f"{self.path} belongs to another program", hint="move it away, or set XDG_DATA_HOME")
        if version > len(migrations):
            what = f"{self.path} was written by a newer ampcommit (version {version}, this one knows {len(migrations)})"
            raise SetupError(what, hint="upgrade ampcommit; or move the file away, and the next sync makes a new one")
        return int(version)

    @contextmanager
    def _explained(self) -> "Iterator[None]":
        """Say of a failure what it is, and what to do."""
        try:
            yield
        except UnicodeDecodeError as error:  # of names of tables, and in what SQLite says of them
            raise self.damaged("names in it are no text") from error
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.ProgrammingError):
                raise  # a defect of ours
            raise self._reason(error) from error

    def _reason(self, error: Exception) -> SetupError:
        # Of texts that are not UTF-8 only Python complains, and it quotes them.
        kind = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT" if isinstance(error, sqlite3.Error) else "")
        said = str(error.strerror if isinstance(error, OSError) else error).partition(" with text ")[0]
        if kind.startswith(_DAMAGED):
            return self.damaged(said)
        if kind.startswith(_HELD):
            return SetupError(f"{self.path} is locked by another program", hint="wait until it has ended, or end it")
        return SetupError(f"{self.path} cannot be used: {said}", hint="make room or give permission, then run it again")


def _make(path: str) -> None:
    """Make the file *path*, for nobody else to read, if nothing is there; what is there must be a file."""
    make_folder(os.path.dirname(path))
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)  # SQLite's other files follow this one
    except FileExistsError:
        # It is not opened: to close it would drop the locks that this process may hold on it.
        if stat.S_ISREG(os.lstat(path).st_mode):
            return
        raise SetupError(f"{path} is no regular file", hint="a link or a folder is not used; move it away") from None
    try:
        os.fchmod(fd, 0o600)  # whatever the umask
    finally:
        os.close(fd)
