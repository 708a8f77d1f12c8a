"""`ampcommit sync`: the threads of a workspace and what they cost, from Amp's External API into the store."""

import asyncio
import os
import time
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

from ampcommit.access import access
from ampcommit.client import Client, Refused
from ampcommit.errors import LedgerError, RemoteError, SetupError
from ampcommit.exchange import PATIENT
from ampcommit.files import Lock
from ampcommit.store import OUTCOMES, Store, path_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ampcommit.exchange import Patience
    from ampcommit.store import Due
    from ampcommit.wire import Page, Usage

TOLD = timedelta(days=90)
"""How long Amp tells what a thread cost; so far back, too, threads are listed again, because they may have changed."""

WEEK = timedelta(days=7)
"""How often everything is listed."""

_SLACK = timedelta(days=1)  # between Amp's idea of a thread's age and ours
_TIE = timedelta(
    seconds=1
)  # threads may be synced first in one moment, and whether `after` leaves that out is not known
_ROW = 10  # failures in a row after which Amp is not asked for more
_AT_ONCE = 100  # answers that are written in one change


class Asked:
    """
    What a run is to do: list threads first synced from *since* on, or *full*: all of them; fetch *usage*, or not.

    With `dry_run` nothing is kept. At most *concurrent* requests are under way at once.
    """

    __slots__ = ("concurrent", "dry_run", "full", "since", "usage")

    def __init__(
        self,
        since: datetime | None = None,
        *,
        full: bool = False,
        usage: bool = True,
        dry_run: bool = False,
        concurrent: int = 4,
    ) -> None:
        self.since = since
        self.full = full
        self.usage = usage
        self.dry_run = dry_run
        self.concurrent = concurrent


class Synced:
    """
    What a run did. It can be looked at while it runs.

    `since` is where the list began, None: at the first thread. `listed` counts threads by outcome; `unusable` entries
    had no id or no creator. Of the `due` threads, the cost of `filled` ones is known now, of `expired` ones Amp does
    not tell any more, and `failed` ones are left for the next run, for the `reason` that the first of them had.
    `problem` is what ended the run early.
    """

    def __init__(self, path: str, asked: Asked) -> None:
        self.path = path
        self.asked = asked
        self.since: datetime | None = None
        self.listed = dict.fromkeys(OUTCOMES, 0)
        self.unusable = 0
        self.due: int | None = None
        self.filled = self.expired = self.failed = 0
        self.requests = 0
        self.seconds = 0.0
        self.size: dict[str, int] = {}
        self.notices: list[str] = []
        self.reason: str | None = None
        self.problem: RemoteError | None = None


def sync(
    asked: Asked,
    environ: "Mapping[str, str]",
    watch: "Callable[[Synced], AbstractContextManager[object]]" = nullcontext,
    patience: "Patience" = PATIENT,
) -> Synced:
    """
    Bring the store up to date as it is *asked*, and return what was done, also where Amp did not give all.

    *watch* is told before it begins, and left when it has ended.
    """
    begun = time.monotonic()
    allowed = access(environ)
    allowed.credentials()  # without them nothing is made
    path = path_of(environ)
    done = Synced(path, asked)
    with _opened(path, dry_run=asked.dry_run) as store, watch(done):
        client = Client(allowed, patience=patience, concurrent=asked.concurrent)
        try:
            asyncio.run(_Run(store, client, done).whole())
        except RemoteError as error:
            done.problem = error
        finally:
            done.requests, done.notices = client.requests, client.notices
        done.size = store.size()
    done.seconds = time.monotonic() - begun
    return done


@contextmanager
def _opened(path: str, *, dry_run: bool) -> "Iterator[Store]":
    """Open the store for one run at a time; for a dry run, a copy of it."""
    with ExitStack() as stack:
        if dry_run:
            folder = stack.enter_context(TemporaryDirectory(prefix="ampcommit-"))
            copy = os.path.join(folder, "threads.db")
            if os.path.lexists(path):
                with closing(Store(path)) as kept:
                    kept.copy_to(copy)
            path = copy
        else:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            try:
                stack.enter_context(Lock(f"{path}.lock", patience=0))
            except LedgerError:
                raise SetupError("another `ampcommit sync` is at work", hint="wait until it has ended") from None
        yield stack.enter_context(closing(Store(path)))


class _Run:
    """One run: the list, page by page, then the cost of each thread whose cost is not known as it is now."""

    def __init__(self, store: Store, client: Client, done: Synced) -> None:
        self._store = store
        self._client = client
        self._done = done
        self._answers: list[tuple[Due, Usage | None]] = []
        self._kept = time.monotonic()
        self._in_a_row = 0

    async def whole(self) -> None:
        """List, and ask what threads cost, as far as that is wanted."""
        asked = self._done.asked
        async with self._client:
            await self._list(_Extent(self._store, asked, datetime.now(UTC)))
            if asked.usage:
                self._done.due = self._store.unpriced()
                if not asked.dry_run:
                    await self._price(asked.concurrent)

    async def _list(self, extent: "_Extent") -> None:
        """List threads page by page; each page is kept before the next one is asked for."""
        self._done.since = extent.after
        self._store.begin()
        self._store.note(**extent.begun)
        async for page in self._client.pages(after=extent.after):
            for outcome, count in self._store.take(page.entries, **extent.reached(page)).items():
                self._done.listed[outcome] += count
            self._done.unusable += page.unusable
        self._store.note(**extent.ended)

    async def _price(self, concurrent: int) -> None:
        """Ask what threads cost, oldest first; answers that came before a failure are kept."""
        due = self._store.due()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrent):
                    group.create_task(self._worker(due))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._keep()

    async def _worker(self, due: "Iterator[Due]") -> None:
        """Ask what threads cost, one after the other; all workers share *due*, and each takes what comes next."""
        for one in due:
            try:
                usage = await self._client.usage(one.thread)
            except Refused:
                raise  # it would be the same for all others
            except RemoteError as error:
                self._failed(error)
                self._in_a_row += 1
                if self._in_a_row >= _ROW:
                    raise
                continue
            self._in_a_row = 0
            if usage is None and not self._old(one):
                self._failed(RemoteError(f"Amp does not tell what {one.thread} cost"))
                continue
            self._answers.append((one, usage))
            if len(self._answers) >= _AT_ONCE or time.monotonic() - self._kept > 1:
                self._keep()

    def _failed(self, error: RemoteError) -> None:
        self._done.failed += 1
        self._done.reason = self._done.reason or str(error)

    def _old(self, due: "Due") -> bool:
        """Say whether the thread is so old that Amp does not tell any more, by Amp's own clock."""
        born = datetime.fromisoformat(due.born).timestamp() if due.born else due.thread.began
        now = self._client.server_time or datetime.now(UTC)
        return born is None or now.timestamp() - born >= (TOLD - _SLACK).total_seconds()

    def _keep(self) -> None:
        """Write down the answers that have come."""
        answers, self._answers = self._answers, []
        if answers:
            self._store.price(answers)
        known = sum(usage is not None for _, usage in answers)
        self._done.filled += known
        self._done.expired += len(answers) - known
        self._kept = time.monotonic()


class _Extent:
    """
    How much of the list a run asks for, and the notes by which the next run knows how far it came.

    Amp filters by when it first learned of a thread, so the newest of them say nothing of changes of the others.
    An unfinished list of everything is continued, since its order does not change.
    """

    def __init__(self, store: Store, asked: Asked, now: datetime) -> None:
        self.begun: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        newest = _moment(store.newest())
        # The newest thread here: if our clock is ahead, no thread must be left out.
        recent = min(filter(None, (now, newest))) - TOLD
        self._whole = asked.since is None and (asked.full or not _within_a_week(store.noted("listed"), now))
        if not self._whole:
            self.after: datetime | None = asked.since or recent
            return
        reached = None if asked.full else _moment(store.noted("reached"))
        begun = store.noted("begun") if reached else None
        if begun is None or not _within_a_week(begun, now):
            begun, reached = text_of(now), None
        self.after = min(reached - _TIE, recent) if reached else None
        self.begun = {"begun": begun} if reached else {"begun": begun, "reached": ""}
        self.ended = {"listed": begun, "begun": "", "reached": ""}

    def reached(self, page: "Page") -> dict[str, str]:
        """Return the note that the list has come to the end of *page*."""
        last = page.entries[-1].first_synced if page.entries and self._whole else None
        return {"reached": text_of(last)} if last else {}


def _within_a_week(text: str | None, now: datetime) -> bool:
    """Say whether *text* is a time of the last week; one that lies ahead was noted by a clock that was wrong."""
    when = _moment(text)
    return when is not None and timedelta() <= now - when < WEEK


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
