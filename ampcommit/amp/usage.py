"""What threads cost, as Amp tells it: whom to ask, what was answered, and whose cost contains whose."""

from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from decimal import Decimal

    from ampcommit.amp.database import Database, Row
    from ampcommit.amp.wire import Model, Usage

# Amp's number for a thread contains those of the threads within it. Where threads contain each other, which makes no
# sense, the one with the least id counts.
_ABOVE = """
    WITH RECURSIVE above (id) AS (
        SELECT main FROM sub_threads WHERE sub = {0}
        UNION SELECT x.main FROM above JOIN sub_threads x ON x.sub = above.id
    ) SELECT id FROM above
"""

# Each thread whose cost no other's contains, or will: when it began, and when it, or one within it, changed last.
_DUE = f"""
    CREATE TEMP TABLE due AS SELECT thread, q.as_of, born FROM (
        SELECT t.id AS thread, coalesce(t.created, t.first_synced, '') AS born, max(coalesce(t.updated, ''), coalesce((
            WITH RECURSIVE inside (id) AS (
                SELECT sub FROM sub_threads WHERE main = t.id
                UNION SELECT x.sub FROM inside JOIN sub_threads x ON x.main = inside.id
            ) SELECT max(s.updated) FROM inside JOIN threads s USING (id)), '')) AS as_of
        FROM threads t
        WHERE NOT EXISTS (
            SELECT 1 FROM threads m LEFT JOIN usage w ON w.thread = m.id
            WHERE m.id <> t.id AND m.id IN ({_ABOVE.format("t.id")}) AND (w.thread IS NULL OR w.usd IS NOT NULL)
                AND (m.id < t.id OR t.id NOT IN ({_ABOVE.format("m.id")}))
        )
    ) q LEFT JOIN usage u USING (thread) LEFT JOIN retries r USING (thread)
    WHERE thread NOT IN (SELECT thread FROM asked) AND (
        (u.thread IS NULL AND r.thread IS NULL) OR q.as_of > max(coalesce(u.as_of, ''), coalesce(r.as_of, ''))
        OR (r.at IS NOT NULL AND NOT (r.at > ? AND r.at <= ?))
    ) ORDER BY born, thread
"""  # noqa: S608  # our own text
_EXPIRED = """
    INSERT INTO usage VALUES (?, NULL, 1, ?) ON CONFLICT (thread) DO UPDATE SET expired = 1, as_of = excluded.as_of
"""
_MODEL = "INSERT INTO model_usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


_DEAREST = 10**12


class Due:
    """
    A thread to ask for its cost.

    `as_of` is the newest change that the answer will cover, empty where Amp does not tell of changes; `born` is when
    the thread began, empty where Amp does not tell that.
    """

    __slots__ = ("as_of", "born", "thread")

    def __init__(self, thread: ThreadId, as_of: str, born: str) -> None:
        self.thread = thread
        self.as_of = as_of
        self.born = born


class Cost:
    """
    What a thread cost, in US dollars with all threads within it; None where that is not known.

    `expired`: Amp does not tell any more, so the amount, if there is one, may be too low. `within` is a thread whose
    known cost contains this one's.
    """

    __slots__ = ("expired", "usd", "within")

    def __init__(self, usd: "Decimal | None", *, expired: bool, within: ThreadId | None) -> None:
        self.usd = usd
        self.expired = expired
        self.within = within


class UsageTables:
    """The tables of a store that are about usage."""

    __slots__ = ("_db",)

    def __init__(self, db: "Database") -> None:
        self._db = db

    def unpriced(self, yesterday: str, now: str, *, further: bool = False) -> int:
        """
        Begin to go through the threads whose cost is not known as it is now; return how many they are.

        Those of which Amp did not tell all are among them if they were not asked for between *yesterday* and *now*.
        With *further* those of the call before are not: what was learned of them can make others due.
        """
        if further:
            self._db("INSERT OR IGNORE INTO asked SELECT thread FROM due")
        else:
            self._db("DROP TABLE IF EXISTS temp.asked")
            self._db("CREATE TEMP TABLE asked (thread TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db("DROP TABLE IF EXISTS temp.due")
        self._db(_DUE, (yesterday, now))
        return int(self._db("SELECT count(*) FROM due")[0][0])

    def due(self) -> "Iterator[Due]":
        """Yield the threads that `unpriced` counted, oldest first, because Amp stops telling of the oldest."""
        last = 0
        while rows := self._db("SELECT *, rowid FROM due WHERE rowid > ? ORDER BY rowid LIMIT 500", (last,)):
            yield from (Due(one, *times) for text, *times, _ in rows if (one := ThreadId.maybe(text)))
            last = rows[-1][-1]

    def keep(self, answers: "Iterable[tuple[Due, Usage | None, bool]]", now: str) -> None:
        """
        Keep what threads cost; None: Amp does not tell, and what was known of such a thread stays.

        Behind each stands whether that is its last word, or the thread is to be asked for again a day after *now*.
        """
        with self._db.change():
            for due, usage, final in answers:
                if usage is not None:
                    self._known(due, usage)
                elif final:
                    self._db(_EXPIRED, (due.thread, due.as_of))
                self._db("DELETE FROM retries WHERE thread = ?", (due.thread,))
                if not final:
                    self._db("INSERT INTO retries VALUES (?, ?, ?)", (due.thread, due.as_of, now))

    def _known(self, due: Due, usage: "Usage") -> None:
        self._db("INSERT OR REPLACE INTO usage VALUES (?, ?, 0, ?)", (due.thread, str(usage.usd), due.as_of))
        self.contain(due.thread, usage.sub_threads)
        self._db("DELETE FROM model_usage WHERE thread = ?", (due.thread,))
        self._db.many(_MODEL, [(due.thread, number, *_model(one)) for number, one in enumerate(usage.models)])

    def contain(self, main: ThreadId | None, subs: "Iterable[ThreadId]") -> bool:
        """Take it over that *main* contains *subs*; say whether that is news."""
        news = [
            (sub, main)
            for sub in subs
            if main not in (None, sub)
            and not self._db("SELECT 1 FROM sub_threads WHERE sub = ? AND main = ?", (sub, main))
        ]
        self._db.many("INSERT OR IGNORE INTO sub_threads VALUES (?, ?)", news)
        return bool(news)

    def cost(self, thread: ThreadId) -> Cost:
        """Return what *thread* cost."""
        usd, expired = self._amount(thread)
        return Cost(usd, expired=expired, within=self._within(thread))

    def _within(self, thread: ThreadId) -> ThreadId | None:
        """Return a thread with a known cost that contains *thread*."""
        above = self._above(thread)
        for main in sorted(above):
            circular = main > thread and thread in self._above(main)
            if main != thread and not circular and self._amount(main)[0] is not None:
                return main
        return None

    def _above(self, thread: ThreadId) -> set[ThreadId]:
        rows = self._db(_ABOVE.format("?"), (thread,))
        return {main for (text,) in rows if (main := ThreadId.maybe(text))}

    def _amount(self, thread: ThreadId) -> "tuple[Decimal | None, bool]":
        from decimal import Decimal

        usd, expired = (self._db("SELECT usd, expired FROM usage WHERE thread = ?", (thread,)) or [(None, 0)])[0]
        if usd is None:
            return None, bool(expired)
        try:
            amount = Decimal(usd)
            if 0 <= amount < _DEAREST:  # NaN is neither
                return amount, bool(expired)
        except (ArithmeticError, ValueError, TypeError):
            pass
        raise self._db.damaged("an amount of money is none")


def _model(one: "Model") -> "Row":
    tokens = (one.input_tokens, one.output_tokens, one.cache_read_tokens, one.cache_creation_tokens)
    return (one.provider, one.model, one.requests, *tokens, None if one.usd is None else str(one.usd))


def text_of(moment: "datetime") -> str:
    """Return *moment*, a time in UTC, as it is kept."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
