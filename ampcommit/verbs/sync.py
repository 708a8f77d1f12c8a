"""`ampcommit sync`: the threads of a workspace and what they cost, from Amp's External API into the store."""

import asyncio
import os
import time
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

from ampcommit.amp.access import access
from ampcommit.amp.asking import ask_each
from ampcommit.amp.client import Client
from ampcommit.amp.exchange import PATIENT
from ampcommit.amp.store import OUTCOMES, Store, moment_of, path_of
from ampcommit.amp.usage import text_of
from ampcommit.errors import LedgerError, RemoteError, SetupError
from ampcommit.files import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ampcommit.amp.exchange import Patience
    from ampcommit.amp.usage import Due
    from ampcommit.amp.wire import Page, Usage

TOLD_FOR = timedelta(days=90)
"""How long Amp tells what a thread cost; so far back, too, threads are listed again, because they may have changed."""

WEEK = timedelta(days=7)
"""How often everything is listed."""

_DAY = timedelta(days=1)  # between two questions about what Amp does not tell; and between its idea of an age and ours
# Threads may be synced first in one moment, and whether `after` leaves that out is not known.
_TIE = timedelta(seconds=1)
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
    not tell any more, of `untold` ones not yet, and `failed` ones are left for the next run, for the `reason` that the
    first of them had.
    `problem` is what ended the run early.
    """

    def __init__(self, path: str, asked: Asked) -> None:
        self.path = path
        self.asked = asked
        self.since: datetime | None = None
        self.listed = dict.fromkeys(OUTCOMES, 0)
        self.unusable = 0
        self.due: int | None = None
        self.filled = self.expired = self.untold = self.failed = 0
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
        if done.failed and done.problem is None:
            what = f"what {done.failed} of {done.due} threads cost could not be fetched: {done.reason}"
            done.problem = RemoteError(what, hint="run `ampcommit sync` again: it asks for these again")
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
        self._now = datetime.now(UTC)
        self._answers: list[tuple[Due, Usage | None, bool]] = []
        self._kept = time.monotonic()

    async def whole(self) -> None:
        """List, and ask what threads cost, as far as that is wanted."""
        async with self._client:
            await self._list(_Extent(self._store, self._done.asked, self._now))
            if self._done.asked.usage:
                await self._price_all()

    async def _price_all(self) -> None:
        """Ask what threads cost until nobody is left to be asked for."""
        times = (text_of(self._now - _DAY), text_of(self._now))
        left = self._done.due = self._store.usage.unpriced(*times)
        while left and not self._done.asked.dry_run:
            await self._price(self._done.asked.concurrent)
            # Where Amp does not tell what a thread cost, those within it are asked for.
            left = self._store.usage.unpriced(*times, further=True)
            self._done.due += left

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
        try:
            ended = await ask_each(self._store.usage.due(), self._ask, self._failed, concurrent=concurrent)
        finally:
            self._keep()
        if ended:
            raise ended

    async def _ask(self, due: "Due") -> None:
        usage = await self._client.usage(due.thread)
        # A thread of which Amp does not say when it changed, or that it does not tell yet, is asked for again.
        final = self._old(due) or (usage is not None and due.as_of != "")
        self._answers.append((due, usage, final))
        if len(self._answers) >= _AT_ONCE or time.monotonic() - self._kept > 1:
            self._keep()

    def _failed(self, _: "Due", error: RemoteError) -> None:
        self._done.failed += 1
        self._done.reason = self._done.reason or str(error)

    def _old(self, due: "Due") -> bool:
        """Say whether the thread is so old that Amp does not tell any more, by Amp's clock and by ours."""
        moment = moment_of(due.born)
        born = moment.timestamp() if moment else due.thread.began
        now = min(self._client.server_time or self._now, self._now)
        return born is None or now.timestamp() - born >= (TOLD_FOR - _DAY).total_seconds()

    def _keep(self) -> None:
        """Write down the answers that have come."""
        answers, self._answers = self._answers, []
        if answers:
            self._store.usage.keep(answers, text_of(self._now))
        for _, usage, final in answers:
            self._done.filled += usage is not None
            self._done.expired += usage is None and final
            self._done.untold += usage is None and not final
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
        # The newest thread here: if our clock is ahead, no thread must be left out.
        recent = min(now, store.newest() or now) - TOLD_FOR
        self._whole = asked.since is None and (asked.full or not _within_a_week(store.noted("listed"), now))
        if not self._whole:
            self.after: datetime | None = asked.since or recent
            return
        reached = None if asked.full else store.noted("reached")
        begun = store.noted("begun") if reached else None
        if begun is None or not _within_a_week(begun, now):
            begun, reached = now, None
        self.after = min(reached - _TIE, recent) if reached else None
        self.begun = {"begun": text_of(begun)} if reached else {"begun": text_of(begun), "reached": ""}
        self.ended = {"listed": text_of(begun), "begun": "", "reached": ""}

    def reached(self, page: "Page") -> dict[str, str]:
        """Return the note that the list has come to the end of *page*."""
        synced = [entry.first_synced for entry in page.entries if entry.first_synced]
        return {"reached": text_of(min(synced))} if synced and self._whole else {}


def _within_a_week(when: datetime | None, now: datetime) -> bool:
    """Say whether *when* is a time of the last week; one that lies ahead was noted by a clock that was wrong."""
    return when is not None and timedelta() <= now - when < WEEK
