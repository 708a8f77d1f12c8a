"""Amp's External API, version 2: the threads of a workspace, what they cost, whether a thread is known."""

import asyncio
import math
import re
import time
from base64 import b64encode
from datetime import UTC
from urllib.parse import quote_plus

from ampcommit.amp import wire
from ampcommit.amp.exchange import PATIENT, Answer, Exchange, Patience
from ampcommit.errors import RemoteError
from ampcommit.escape import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime
    from typing import Any, Self, TypeVar

    import httpx

    from ampcommit.amp.access import Access
    from ampcommit.record import ThreadId

    _Paged = TypeVar("_Paged", wire.Page, wire.Messages)

META = "amp.api:workspace.threads.meta:view"
"""The scope of the list of threads."""

CONTENTS = "amp.api:workspace.threads.contents:view"
"""The scope of titles, repositories and messages."""

EARLY = 30.0
"""Seconds before its end in which a token is renewed; one that holds less than twice that, at half its life."""

_SCOPE = re.compile(r'\bscope="([^"]{1,300})"')
_SCOPES = "scopes are given to the client where it was made"
_ODD = "try again later; if that stays so, report it"


class Refused(RemoteError):  # noqa: N818  # an answer of Amp's, which a caller may expect
    """Amp refuses the client: asking for another thread is of no use."""


class Client:
    """
    A client of the API at *access*, for `async with`.

    `server_time` is the newest that Amp said, and `notices` tell what is not to be had. Whatever fails is a
    `RemoteError`; the token stays in memory, and out of every text.
    """

    __slots__ = (
        "_access",
        "_answered",
        "_exchange",
        "_failure",
        "_hidden",
        "_limited",
        "_missing",
        "_renew_at",
        "_renewing",
        "_token",
        "notices",
        "server_time",
    )

    def __init__(
        self,
        access: "Access",
        *,
        patience: Patience = PATIENT,
        concurrent: int = 4,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self.notices: list[str] = []
        self.server_time: datetime | None = None
        self._access = access
        self._exchange = Exchange(patience=patience, concurrent=concurrent, transport=transport)
        self._answered = False  # the list of threads is there
        self._failure: RemoteError | None = None  # why there is no new token
        self._hidden: tuple[str, ...] = ()
        self._limited = False  # titles and repositories are not for this client
        self._missing = RemoteError(
            f"{access.base} has no list of threads",
            hint="the External API is enabled for a workspace on request; or AMP_URL names another server",
        )
        self._renewing = asyncio.Lock()
        self._renew_at = 0.0
        self._token = ""

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *left: object) -> None:
        await self._exchange.__aexit__(*left)

    @property
    def requests(self) -> int:
        """How many requests were sent, in vain or not."""
        return self._exchange.requests

    def pages(
        self, *, after: "datetime | None" = None, before: "datetime | None" = None, limit: int = 100
    ) -> "AsyncIterator[wire.Page]":
        """Yield the list of threads that Amp saw first between *after* and *before*, page by page, oldest first."""
        asked: dict[str, str | int] = {"limit": limit}
        if after is not None:
            asked["after"] = _rfc3339(after)
        if before is not None:
            asked["before"] = _rfc3339(before)
        return self._paged("", META, asked, wire.page, self._missing)

    def messages(self, thread: "ThreadId", *, limit: int = 100) -> "AsyncIterator[wire.Messages]":
        """Yield the messages of *thread*, page by page."""
        missing = RemoteError(
            f"Amp does not know the thread {thread}", hint="it may be deleted, or belong to another workspace"
        )
        return self._paged(f"/{thread}/messages", CONTENTS, {"limit": limit}, wire.messages, missing)

    async def usage(self, thread: "ThreadId") -> "wire.Usage | None":
        """Return what *thread* cost; None where Amp does not know, or does not know any more."""
        answer = await self._got(f"/{thread}/usage", "")
        return None if answer.status == 404 else wire.usage(self._fine(answer), thread)

    async def knows(self, thread: "ThreadId") -> bool:
        """Say whether Amp knows *thread*, by asking for its first message."""
        answer = await self._got(f"/{thread}/messages", CONTENTS, {"limit": 1})
        if answer.status == 404:
            await self._reached()
            return False
        wire.messages(self._fine(answer))
        return True

    async def _reached(self) -> None:
        """Make sure that it is the API that does not know a thread, and not a server that knows no such API."""
        if not self._answered:
            answer = await self._got("", META, {"limit": 1})
            if answer.status == 404:
                raise Refused(str(self._missing), hint=self._missing.hint)
            wire.page(self._fine(answer))
            self._answered = True

    async def _paged(
        self,
        path: str,
        scope: str,
        asked: "dict[str, str | int]",
        read: "Callable[[bytes], _Paged]",
        missing: RemoteError,
    ) -> "AsyncIterator[_Paged]":
        seen: set[int] = set()
        while True:
            answer = await self._got(path, scope, asked)
            if answer.status == 404:
                raise missing
            page = read(self._fine(answer))
            yield page
            if page.cursor is None:
                return
            if hash(page.cursor) in seen:
                raise RemoteError("Amp's list goes in a circle: a cursor came twice", hint="run the command again")
            seen.add(hash(page.cursor))
            asked["cursor"] = page.cursor

    async def _got(self, path: str, scope: str, asked: "Mapping[str, str | int] | None" = None) -> Answer:
        """Return the answer about threads; a token that is not accepted is renewed once."""
        url = f"{self._access.base}/api/v2/threads{path}"
        token = await self._valid()
        answer = await self._sent("GET", url, params=asked, headers={"Authorization": f"Bearer {token}"})
        if answer.status == 401:
            token = await self._valid(token)
            answer = await self._sent("GET", url, params=asked, headers={"Authorization": f"Bearer {token}"})
        if answer.status == 401:
            raise Refused(
                f"Amp does not accept the client's token{self._words(answer)}",
                hint="look whether AMP_URL and AMPCOMMIT_TOKEN_URL belong together",
            )
        if answer.status == 403:
            raise self._forbidden(answer, scope)
        return answer

    async def _sent(self, method: str, url: str, **what: "Any") -> Answer:
        answer = await self._exchange.send(method, url, **what)
        when = answer.date
        if when is not None and (self.server_time is None or when > self.server_time):
            self.server_time = when
        return answer

    async def _valid(self, failed: str = "") -> str:
        """Return a token other than *failed*; of all who need a new one, one fetches it, and fails for all."""
        if self._stale(failed):
            before = self._failure
            async with self._renewing:
                if self._failure is not None and self._failure is not before:
                    raise Refused(str(self._failure), hint=self._failure.hint)
                if self._stale(failed):
                    await self._renew()
        return self._token

    def _stale(self, failed: str) -> bool:
        return self._token == failed or time.monotonic() >= self._renew_at

    async def _renew(self) -> None:
        """Fetch a token; without one nothing can be asked."""
        try:
            await self._fetch()
        except RemoteError as error:
            self._failure = error
            raise Refused(str(error), hint=error.hint) from None

    async def _fetch(self) -> None:
        """Fetch a token; a client that may not see contents gets one for the list alone."""
        began = time.monotonic()
        name, secret = (quote_plus(one, errors="surrogateescape") for one in self._access.credentials())
        self._hidden = (self._access.credentials()[1], secret, b64encode(f"{name}:{secret}".encode()).decode())
        answer = await self._asked_token(name, secret)
        if wire.fault(answer.body) == "invalid_scope" and answer.status == 400 and not self._limited:
            self._limited = True
            answer = await self._asked_token(name, secret)
        if answer.status != 200:
            raise self._unissued(answer)
        token = wire.token(answer.body)
        if self._limited and not self.notices:
            self.notices.append(f"titles and repositories stay unknown: the client lacks the scope {CONTENTS}")
        self._hidden += (self._token, token.text)
        self._token = token.text
        seconds = math.inf if token.seconds is None else token.seconds
        self._renew_at = began + max(seconds - EARLY, seconds / 2)

    async def _asked_token(self, name: str, secret: str) -> Answer:
        scope = META if self._limited else f"{META} {CONTENTS}"
        form = {"grant_type": "client_credentials", "scope": scope}
        return await self._sent("POST", self._access.token_url, form=form, basic=(name, secret))

    def _unissued(self, answer: Answer) -> RemoteError:
        fault, words = wire.fault(answer.body), self._words(answer)
        if answer.status == 401 or fault == "invalid_client":
            return Refused(
                f"Amp does not accept the client's id and secret, which come from {self._access.origin}{words}",
                hint=f"look at them, and whether they are for {self._access.token_url}",
            )
        if fault == "invalid_scope":
            return Refused(f"Amp gives no token for the scope {META}{words}", hint=_SCOPES)
        kind = Refused if answer.status in (400, 403) else RemoteError
        return kind(
            f"Amp gives no token: status {answer.status}{words}",
            hint=f"look whether {self._access.token_url} is the token endpoint (AMPCOMMIT_TOKEN_URL)",
        )

    def _forbidden(self, answer: Answer, scope: str) -> Refused:
        """Return the refusal, with the scope that is missing: the one that Amp names, else the documented one."""
        said = _SCOPE.search(answer.headers.get("www-authenticate", ""))
        scope = self._harmless(said[1]) if said else scope
        words = self._words(answer)
        if not scope:
            hint = f"which scope this takes is not documented; the client needs {META} at least"
            return Refused(f"Amp does not tell this client what threads cost{words}", hint=hint)
        return Refused(f"Amp refuses: the client lacks the scope {scope}{words}", hint=_SCOPES)

    def _fine(self, answer: Answer) -> bytes:
        """Return the body of an *answer* of status 200."""
        if answer.status != 200:
            raise RemoteError(f"Amp answered with status {answer.status}{self._words(answer)}", hint=_ODD)
        return answer.body

    def _words(self, answer: Answer) -> str:
        """Return what Amp says beside the status, escaped; it may say back what was sent, which is left out."""
        said = wire.reason(answer.body)
        return f": {self._harmless(said)}" if said else ""

    def _harmless(self, said: str) -> str:
        for hidden in filter(None, self._hidden):
            said = said.replace(hidden, "(hidden)")
        return terminal(said)


def _rfc3339(when: "datetime") -> str:
    return when.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
