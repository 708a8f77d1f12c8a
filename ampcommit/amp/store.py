"""
What is known of Amp's threads from its External API: who began them, where, what they cost.

One SQLite file for a person's machine, beside what else was learned of threads. It holds no messages. Everything in
it but the costs of threads that are older than Amp tells of can be fetched again.
"""

import os

from ampcommit.amp.usage import UsageTables, text_of
from ampcommit.errors import SetupError
from ampcommit.record import ThreadId
from ampcommit.settings import repository
from ampcommit.threads import data_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ampcommit.amp.database import Row
    from ampcommit.amp.wire import Entry, Repository

# Times are RFC 3339 in UTC with milliseconds, so that their order is that of the text. Money is a decimal in text.
_MIGRATIONS = (
    """
    CREATE TABLE users (id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE threads (
        id TEXT PRIMARY KEY, creator TEXT NOT NULL, title TEXT, created TEXT, updated TEXT, first_synced TEXT,
        parent TEXT
    ) WITHOUT ROWID;
    CREATE INDEX threads_by_parent ON threads (parent) WHERE parent IS NOT NULL;
    CREATE TABLE repositories (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE thread_repositories (
        thread TEXT NOT NULL, repository TEXT NOT NULL, PRIMARY KEY (thread, repository)
    ) WITHOUT ROWID;
    CREATE INDEX threads_by_repository ON thread_repositories (repository);
    CREATE TABLE sub_threads (sub TEXT NOT NULL, main TEXT NOT NULL, PRIMARY KEY (sub, main)) WITHOUT ROWID;
    CREATE INDEX sub_threads_by_main ON sub_threads (main);
    CREATE TABLE usage (thread TEXT PRIMARY KEY, usd TEXT, expired INTEGER NOT NULL, as_of TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE model_usage (
        thread TEXT NOT NULL, number INTEGER NOT NULL, provider TEXT, model TEXT, requests INTEGER,
        input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, cache_creation_tokens INTEGER,
        usd TEXT, PRIMARY KEY (thread, number)
    ) WITHOUT ROWID;
    CREATE TABLE retries (thread TEXT PRIMARY KEY, as_of TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE progress (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
    """,
)

_COLUMNS = "id, creator, title, created, updated, first_synced, parent"
_UPDATED = 4  # the place of `updated` among them

OUTCOMES = ("new", "updated", "unchanged")
"""What a thread of a list can be, compared with what was known."""


class Known:
    """What is known of one thread; what is not known is None, or empty."""

    __slots__ = ("creator", "parent", "repositories", "title")

    def __init__(self, creator: str, title: str | None, parent: ThreadId | None, repositories: list[str]) -> None:
        self.creator = creator
        self.title = title
        self.parent = parent
        self.repositories = repositories


def path_of(environ: "Mapping[str, str]") -> str:
    """Return where the store is, whether it is there or not."""
    home = data_home(environ)
    if home is None:
        raise SetupError("neither HOME nor XDG_DATA_HOME is set", hint="set one of them")
    return os.path.join(home, "ampcommit", "threads.db")


PATIENCE = 1.0
"""Seconds for which those wait for the store who can go on without it."""


def existing(environ: "Mapping[str, str]", notices: list[str]) -> "Store | None":
    """Return the store if there is one that can be used; why it cannot, as one of the *notices*. Nothing is made."""
    if data_home(environ) is None or not os.path.lexists(path_of(environ)):
        return None
    try:
        return Store(path_of(environ), PATIENCE)
    except SetupError as error:
        notices.append(f"{error} (hint: {error.hint})")
    except ImportError as error:  # a Python without SQLite
        notices.append(f"what `ampcommit sync` learned cannot be read: {error}")
    return None


class Store:
    """The store in the file *path*, made where it is missing; *patience* as for `Database`; close it after use."""

    def __init__(self, path: str, patience: float | None = None) -> None:
        from ampcommit.amp.database import PATIENCE, Database  # SQLite is loaded only where there is a store

        self._db = Database(path, _MIGRATIONS, patience=PATIENCE if patience is None else patience)
        self.usage = UsageTables(self._db)
        self.path = path
        self.close = self._db.close

    def copy_to(self, path: str) -> None:
        """Write a copy into a new file *path*."""
        self._db.copy_to(path)

    def begin(self) -> None:
        """Begin a list: from here on a thread that comes twice counts once."""
        self._db("DROP TABLE IF EXISTS temp.listed")
        self._db("CREATE TEMP TABLE listed (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def take(self, entries: "Iterable[Entry]", **progress: str) -> dict[str, int]:
        """
        Take over one page of the list with *progress* (see `note`), all of it or nothing; count the outcomes.

        What an entry does not tell stays as it was. One that is older than what is known, or does not say how old
        it is, only fills gaps, so that the order of entries makes no difference.
        """
        taken = dict.fromkeys(OUTCOMES, 0)
        with self._db.change():
            for entry in entries:
                before = self._row(entry.id)
                changed = self._take(entry, before)
                if self._db("SELECT 1 FROM listed WHERE id = ?", (entry.id,)):
                    continue
                self._db("INSERT INTO listed VALUES (?)", (entry.id,))
                taken["new" if before is None else "updated" if changed else "unchanged"] += 1
            self._note(progress)
        return taken

    def _row(self, thread: ThreadId) -> "Row | None":
        rows = self._db(f"SELECT {_COLUMNS} FROM threads WHERE id = ?", (thread,))  # noqa: S608  # our own names
        return rows[0] if rows else None

    def _take(self, entry: "Entry", before: "Row | None") -> bool:
        """Take over *entry*; say whether that changed anything."""
        times = [moment and text_of(moment) for moment in (entry.created, entry.updated, entry.first_synced)]
        row: Row = (entry.id, entry.creator, entry.title, *times, entry.parent)
        older = before is not None and (row[_UPDATED] or "") < (before[_UPDATED] or "")
        if before:
            better, other = (before, row) if older else (row, before)
            row = tuple(two if one is None else one for one, two in zip(better, other, strict=True))
        if row != before:
            self._db("INSERT OR IGNORE INTO users VALUES (?)", (row[1],))
            self._db(f"INSERT OR REPLACE INTO threads ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        gap = older and not self._repositories(entry.id)
        placed = (gap or not older) and self._place(entry.id, entry.repositories)
        return self.usage.contain(entry.main, [entry.id]) or placed or row != before

    def _place(self, thread: ThreadId, told: "Sequence[Repository] | None") -> bool:
        """Take over which repositories *thread* worked in, if that was *told*; say whether that changed anything."""
        if told is None:
            return False
        names = {name for one in told if (name := repository({"": one.url}))}  # without user names and passwords
        before = set(self._repositories(thread))
        for name in names - before:
            self._db("INSERT OR IGNORE INTO repositories VALUES (?)", (name,))
            self._db("INSERT INTO thread_repositories VALUES (?, ?)", (thread, name))
        for name in before - names:
            self._db("DELETE FROM thread_repositories WHERE thread = ? AND repository = ?", (thread, name))
            self._db(_FORGET, (name,))
        return names != before

    def _repositories(self, thread: ThreadId) -> list[str]:
        question = "SELECT repository FROM thread_repositories WHERE thread = ? ORDER BY repository"
        return [name for (name,) in self._db(question, (thread,))]

    def known(self, thread: ThreadId) -> Known | None:
        """Return what is known of *thread* beside its cost; None where it is not in the store."""
        row = self._row(thread)
        return Known(row[1], row[2], ThreadId.maybe(row[6]), self._repositories(thread)) if row else None

    def handed_off(self) -> "Iterator[tuple[ThreadId, ThreadId, str | None]]":
        """Yield the threads whose parent is known, with that and their title."""
        for row in self._db("SELECT id, parent, title FROM threads WHERE parent IS NOT NULL ORDER BY id"):
            thread, parent = ThreadId.maybe(row[0]), ThreadId.maybe(row[1])
            if thread and parent:
                yield thread, parent, row[2]

    def size(self) -> dict[str, int]:
        """Return how many threads, users and repositories are known."""
        return {
            name: int(self._db(f"SELECT count(*) FROM {name}")[0][0])  # noqa: S608  # our own names
            for name in ("threads", "users", "repositories")
        }

    def newest(self) -> "datetime | None":
        """Return when the thread that Amp learned of last was synced first."""
        return moment_of(self._db("SELECT max(first_synced) FROM threads")[0][0])

    def noted(self, name: str) -> "datetime | None":
        """Return the time that was noted of the progress of lists under *name*."""
        rows = self._db("SELECT value FROM progress WHERE name = ?", (name,))
        return moment_of(rows[0][0]) if rows else None

    def note(self, **progress: str) -> None:
        """Note how far lists have come; an empty text forgets a note."""
        with self._db.change():
            self._note(progress)

    def _note(self, progress: "Mapping[str, str]") -> None:
        for name, value in progress.items():
            self._db("DELETE FROM progress WHERE name = ?", (name,))
            if value:
                self._db("INSERT INTO progress VALUES (?, ?)", (name, value))


_FORGET = "DELETE FROM repositories WHERE name = ? AND name NOT IN (SELECT repository FROM thread_repositories)"


def moment_of(text: object) -> "datetime | None":
    """Return the time that was kept as *text*; None for anything else."""
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
