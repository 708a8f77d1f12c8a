"""`verify --online`: what Amp says of the threads that commits link. Warnings, as Amp is not part of the repository."""

import asyncio
import time
from contextlib import closing, nullcontext
from itertools import islice

from ampcommit.amp.access import access
from ampcommit.amp.asking import ask_each
from ampcommit.amp.client import Client
from ampcommit.amp.exchange import Patience
from ampcommit.amp.store import existing
from ampcommit.errors import AmpcommitError, RemoteError, SetupError
from ampcommit.gate.verdict import Verdict
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import Finding
from ampcommit.settings import read_settings, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ampcommit.amp.access import Access
    from ampcommit.amp.store import Store
    from ampcommit.record import ThreadId

_AT_ONCE = 256  # verdicts that wait while Amp is asked about their threads
_CONCURRENT = 4
_ROW = 3  # failures in a row after which Amp is not asked for more
_NAMED = 3  # repositories that a finding names
_HASTY = Patience(attempts=2, deadline=15.0, longest_wait=15.0)  # people wait for a check
_SECONDS = 120.0  # for all questions of a run


class Online:
    """
    The findings AC401 and AC402 for verdicts that pass.

    AC401: Amp does not know the thread, asked now. AC402: the thread worked in other repositories than this clone's,
    as the last `ampcommit sync` learned.
    """

    def __init__(
        self, environ: "Mapping[str, str]", folder: str = ".", patience: Patience = _HASTY, seconds: float = _SECONDS
    ) -> None:
        self._environ = environ
        self._access: Access = access(environ)
        self._patience = patience
        git = Git(folder, environ)
        remotes = read_settings(git, environ, top=Place.of_folder(git).top).remotes
        addresses = [git("ls-remote", "--get-url", "--", name).decode("utf-8", "replace").strip() for name in remotes]
        self._here = {name.lower() for address in addresses if (name := repository({"": address}))}
        self._known: dict[ThreadId, bool | None] = {}  # None: Amp did not say
        self._why = ""
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._ended = False

    def __call__(self, verdicts: "Iterable[Verdict | int]", notices: list[str]) -> "Iterator[Verdict | int]":
        """Yield *verdicts* with what Amp says of their threads; *notices* get what could not be asked."""
        waiting = iter(verdicts)
        store = self._store(notices)
        elsewhere = _Elsewhere(store, self._here, notices)
        with asyncio.Runner() as runner, closing(store) if store else nullcontext():
            client = self._client()
            try:
                while some := list(islice(waiting, _AT_ONCE)):
                    judged = [one for one in some if isinstance(one, Verdict)]
                    runner.run(self._ask(client, [thread for one in judged for thread in one.threads]))
                    for one in judged:
                        one.findings = [*one.findings, *self._findings(one, elsewhere)]
                    yield from some
            finally:
                if client:
                    runner.run(client.__aexit__(None, None, None))
        if silent := sum(known is None for known in self._known.values()):
            notices.append(f"AC401 was not checked for {silent} of {len(self._known)} threads: {self._why}")

    def _store(self, notices: list[str]) -> "Store | None":
        """Return what was learned of where threads worked; None, and a notice, where there is nothing to compare."""
        if not self._here:
            notices.append("AC402 was not checked: no remote of this clone names a repository on another machine")
            return None
        said: list[str] = []
        store = existing(self._environ, said)
        if store is None:
            why = next(iter(said), "run `ampcommit sync` first, which learns where threads worked")
            notices.append(f"AC402 was not checked: {why}")
        return store

    def _client(self) -> Client | None:
        """Return a client; None where the surroundings do not allow to ask: verdicts do not depend on them."""
        try:
            self._access.credentials()
            return Client(self._access, patience=self._patience, concurrent=_CONCURRENT)
        except AmpcommitError as error:
            self._why = str(error)
            return None

    async def _ask(self, client: Client | None, threads: "list[ThreadId]") -> None:
        """Ask whether Amp knows those of *threads* about which it has not been asked yet."""
        unasked = [thread for thread in dict.fromkeys(threads) if thread not in self._known]
        self._known.update(dict.fromkeys(unasked))

        if client is None or self._ended or not unasked:
            return

        async def ask(thread: "ThreadId") -> None:
            self._known[thread] = await client.knows(thread)

        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                ended = await ask_each(iter(unasked), ask, self._failed, concurrent=_CONCURRENT, most=_ROW)
        except TimeoutError:
            ended = RemoteError(f"Amp did not answer all of it in {self._seconds:g} seconds")
        if ended:
            self._ended, self._why = True, str(ended)

    def _failed(self, _: "ThreadId", error: RemoteError) -> None:
        self._why = str(error)

    def _findings(self, verdict: Verdict, elsewhere: "_Elsewhere") -> "Iterator[Finding]":
        for thread in verdict.threads:
            if self._known[thread] is False:
                text = f"Amp does not know the thread {thread}"
                hint = "it is deleted, of another workspace, or never was; `ampcommit chain` shows what is known here"
                yield Finding("AC401", "warning", text, hint)
            if where := elsewhere.names(thread):
                text = f"the thread {thread} worked in {where}"
                yield Finding("AC402", "warning", text, "look whether the commit links the thread that wrote it")


class _Elsewhere:
    """Where threads worked that did not work in one of the repositories *here*, as the *store* knows."""

    def __init__(self, store: "Store | None", here: set[str], notices: list[str]) -> None:
        self._store = store
        self._here = here
        self._notices = notices
        self._told: dict[ThreadId, str] = {}

    def names(self, thread: "ThreadId") -> str:
        """Return the repositories in which *thread* worked, if none of them is here; else nothing."""
        if thread not in self._told:
            self._told[thread] = self._looked_up(thread)
        return self._told[thread]

    def _looked_up(self, thread: "ThreadId") -> str:
        try:
            known = self._store.known(thread) if self._store else None
        except SetupError as error:
            self._notices.append(f"AC402 was not checked any further: {error}")
            self._store = None
            return ""
        names = [str(name) for name in known.repositories] if known else []
        if not self._here.isdisjoint(name.lower() for name in names):
            return ""
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return ", ".join(names[:_NAMED]) + more
