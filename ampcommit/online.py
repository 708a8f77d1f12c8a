"""`verify --online`: what Amp says of the threads that commits link. Warnings, as Amp is not part of the repository."""

import asyncio
from contextlib import closing, nullcontext
from itertools import islice

from ampcommit.access import access
from ampcommit.client import Client, Refused
from ampcommit.errors import RemoteError, SetupError
from ampcommit.exchange import PATIENT
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import Finding
from ampcommit.settings import read_settings, repository
from ampcommit.store import existing
from ampcommit.verdict import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ampcommit.access import Access
    from ampcommit.exchange import Patience
    from ampcommit.record import ThreadId
    from ampcommit.store import Store

_AT_ONCE = 256  # verdicts that wait while Amp is asked about their threads
_CONCURRENT = 4
_ROW = 3  # failures in a row after which Amp is not asked for more


class Online:
    """
    The findings AC401 and AC402 for verdicts that pass.

    AC401: Amp does not know the thread, asked now. AC402: the thread worked in other repositories than this clone's,
    as the last `ampcommit sync` learned.
    """

    def __init__(self, environ: "Mapping[str, str]", folder: str = ".", patience: "Patience" = PATIENT) -> None:
        self._environ = environ
        self._access: Access = access(environ)
        self._patience = patience
        git = Git(folder, environ)
        remotes = read_settings(git, environ, top=Place.of_folder(git).top).remotes
        self._here = {name.lower() for url in remotes.values() if (name := repository({"": url}))}
        self._known: dict[ThreadId, bool | None] = {}  # None: Amp did not say
        self._in_a_row = 0
        self._why = ""

    def __call__(self, verdicts: "Iterable[Verdict | int]", notices: list[str]) -> "Iterator[Verdict | int]":
        """Yield *verdicts* with what Amp says of their threads; *notices* get what could not be asked."""
        waiting = iter(verdicts)
        store = self._store(notices)
        with asyncio.Runner() as runner, closing(store) if store else nullcontext():
            client = Client(self._access, patience=self._patience, concurrent=_CONCURRENT)
            try:
                while some := list(islice(waiting, _AT_ONCE)):
                    judged = [one for one in some if isinstance(one, Verdict)]
                    runner.run(self._ask(client, [thread for one in judged for thread in one.threads]))
                    for one in judged:
                        one.findings = [*one.findings, *self._findings(one, store)]
                    yield from some
            finally:
                runner.run(client.__aexit__(None, None, None))
        if silent := sum(known is None for known in self._known.values()):
            notices.append(f"AC401 was not checked for {silent} of {len(self._known)} threads: {self._why}")

    def _store(self, notices: list[str]) -> "Store | None":
        """Return what was learned of where threads worked; None, and a notice, where there is nothing to compare."""
        if not self._here:
            notices.append("AC402 was not checked: this clone has no remote")
            return None
        try:
            store = existing(self._environ)
        except SetupError as error:
            notices.append(f"AC402 was not checked: {error}")
            return None
        if store is None:
            notices.append("AC402 was not checked: run `ampcommit sync` first, which learns where threads worked")
        return store

    async def _ask(self, client: Client, threads: "list[ThreadId]") -> None:
        """Ask whether Amp knows those of *threads* about which it has not been asked yet."""
        unasked = iter([thread for thread in dict.fromkeys(threads) if thread not in self._known])

        async def worker() -> None:
            for thread in unasked:
                self._known[thread] = await self._is_known(client, thread)

        await asyncio.gather(*(worker() for _ in range(_CONCURRENT)))

    async def _is_known(self, client: Client, thread: "ThreadId") -> bool | None:
        if self._in_a_row >= _ROW:
            return None
        try:
            known = await client.knows(thread)
        except RemoteError as error:
            self._in_a_row = _ROW if isinstance(error, Refused) else self._in_a_row + 1
            self._why = str(error)
            return None
        self._in_a_row = 0
        return known

    def _findings(self, verdict: Verdict, store: "Store | None") -> "Iterator[Finding]":
        for thread in verdict.threads:
            if self._known[thread] is False:
                text = f"Amp does not know the thread {thread}"
                hint = "it is deleted, of another workspace, or never was; `ampcommit chain` shows what is known here"
                yield Finding("AC401", "warning", text, hint)
            known = store.known(thread) if store else None
            if known and known.repositories and self._here.isdisjoint(name.lower() for name in known.repositories):
                text = f"the thread {thread} worked in {', '.join(known.repositories)}"
                yield Finding("AC402", "warning", text, "look whether the commit links the thread that wrote it")
