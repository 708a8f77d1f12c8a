"""One question to a server over HTTP, answered within a time limit and in bounded memory, or `RemoteError`."""

import asyncio
import os
import random
import ssl
import time
import zlib
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from socket import gaierror
from typing import cast
from urllib.parse import urlsplit

import httpx

from ampcommit import __version__
from ampcommit.errors import RemoteError, SetupError
from ampcommit.escape import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_LONGEST_BACK_OFF = 8.0
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"ampcommit/{__version__}"}
_GZIP = 16 + zlib.MAX_WBITS
_UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, UnicodeError)
_LATER, _THEN = "try again later", "run the command again then"
_NETWORK = "look at the network, and at HTTPS_PROXY, ALL_PROXY and NO_PROXY"


class Patience:
    """
    How often a question is asked, how long one try may take, and how much may be answered.

    Tries come *first_wait* seconds apart, then twice that, and so on, each shortened at random; a server that asks
    for a longer wait gets it, up to *longest_wait*. *deadline* is for one try in all; *body* counts bytes.
    """

    __slots__ = ("attempts", "body", "deadline", "first_wait", "longest_wait")

    def __init__(
        self,
        *,
        attempts: int = 4,
        first_wait: float = 0.5,
        longest_wait: float = 60.0,
        deadline: float = 60.0,
        body: int = 32 * 1024 * 1024,
    ) -> None:
        self.attempts = attempts
        self.first_wait = first_wait
        self.longest_wait = longest_wait
        self.deadline = deadline
        self.body = body


PATIENT = Patience()
"""The patience of a program that nobody waits for."""


class Answer:
    """What a server said: the status, the decoded body, and the headers, whose names are found in any case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: "Mapping[str, str]") -> None:
        self.status = status
        self.body = body
        self.headers = headers

    @property
    def date(self) -> datetime | None:
        """The server's own time, if it said it."""
        return _http_date(self.headers.get("date", ""))


class _Trouble(Exception):  # noqa: N818  # not an end: it leads to the next try
    """A try that led to nothing; another may do better. *wait* is what the server asks for, in seconds."""

    def __init__(self, what: str, *, hint: str = _NETWORK, wait: float | None = None) -> None:
        super().__init__(what)
        self.hint = hint
        self.wait = wait


class Held(RemoteError):  # noqa: N818  # an answer of the server's, which a caller may expect
    """The server asks to be left alone for longer than anybody waits."""


class Exchange:
    """The way to servers: at most *concurrent* questions at once; `requests` counts what was sent."""

    __slots__ = ("_client", "_free_at", "_patience", "_turn", "requests")

    def __init__(
        self, *, patience: Patience = PATIENT, concurrent: int = 4, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.requests = 0
        self._patience = patience
        self._client = _client(patience, concurrent, transport)
        self._turn = asyncio.Semaphore(concurrent)
        self._free_at = 0.0  # until then a server asked to be left alone

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(
        self,
        method: str,
        url: str,
        *,
        params: "Mapping[str, str | int] | None" = None,
        headers: "Mapping[str, str] | None" = None,
        form: "Mapping[str, str] | None" = None,
        basic: tuple[str, str] | None = None,
    ) -> Answer:
        """
        Return the answer to *method* *url*, with *form* as the body and *basic* as name and password.

        Tried again where that can help: after 429, after a server's own failure, when the connection breaks or takes
        too long. `RemoteError` when that does not help, for a redirect, and for an answer that is too long.
        """
        try:
            request = self._client.build_request(method, url, params=params, headers=headers, data=form)
        except httpx.InvalidURL:
            raise RemoteError(f"{_where(url)} cannot be asked: the address is not valid") from None
        if basic is not None:
            request.headers["Authorization"] = "Basic " + b64encode(":".join(basic).encode()).decode()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._tried(request)
            except _Trouble as trouble:
                if attempt >= self._patience.attempts:
                    times = f" ({attempt} tries)" if attempt > 1 else ""
                    raise RemoteError(f"{_where(url)} {trouble}{times}", hint=trouble.hint) from None
                await self._rest(attempt, trouble, url)

    async def _rest(self, attempt: int, trouble: _Trouble, url: str) -> None:
        """Wait for the next try; what a server asks for, it asks of all who speak to it."""
        if not trouble.wait:
            most = min(self._patience.first_wait * 2 ** (attempt - 1), _LONGEST_BACK_OFF)
            await asyncio.sleep(random.uniform(0, most))  # noqa: S311  # it spreads the load, and hides nothing
        elif trouble.wait > self._patience.longest_wait:
            raise Held(f"{_where(url)} asks to wait {_spoken(trouble.wait)}", hint=_THEN) from None
        else:
            self._free_at = max(self._free_at, time.monotonic() + trouble.wait)

    async def _tried(self, request: httpx.Request) -> Answer:
        """Return the answer to one try; `_Trouble` where another could be better."""
        async with self._turn:
            while (wait := self._free_at - time.monotonic()) > 0:  # noqa: ASYNC110  # it is moved meanwhile
                await asyncio.sleep(wait)
            self.requests += 1
            try:
                async with asyncio.timeout(self._patience.deadline):
                    answer = await self._answered(request)
            except TimeoutError:
                raise _Trouble(f"did not answer in {self._patience.deadline:g} seconds", hint=_LATER) from None
            except (httpx.RequestError, UnicodeError) as error:
                raise _failure(error, _where(request.url)) from None
        if answer.status == 429 or answer.status >= 500:
            raise _Trouble(f"answered {answer.status}", hint=_LATER, wait=_asked_wait(answer))
        return answer

    async def _answered(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = await self._body(response)
        finally:
            await response.aclose()
        return Answer(response.status_code, body, response.headers)

    async def _body(self, response: httpx.Response) -> bytes:
        """Return the decoded body. Decoding is ours: httpx makes a thousand bytes of one, and layer upon layer."""
        limit = self._patience.body
        coding = response.headers.get("content-encoding", "identity").lower()
        if coding not in ("identity", "gzip"):
            raise RemoteError(f"{_where(response.url)} answered in a coding that nobody asked for", hint=_REPORT)
        unpack = zlib.decompressobj(_GZIP) if coding == "gzip" else None
        body = bytearray()
        async for piece in cast("httpx.AsyncByteStream", response.stream):
            body += piece if unpack is None else _unpacked(unpack, piece, limit - len(body) + 1)
            if len(body) > limit:
                raise RemoteError(f"{_where(response.url)} answered with more than {limit} bytes", hint=_REPORT)
        if unpack is not None and body and not unpack.eof:  # of nothing, some servers say that it is packed
            raise _Trouble("broke off within its answer")
        return bytes(body)


_REPORT = "look at AMP_URL; if that is right, report it"


def _client(patience: Patience, concurrent: int, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    try:
        client = httpx.AsyncClient(
            headers=_HEADERS,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=concurrent, max_keepalive_connections=concurrent),
            timeout=patience.deadline / 2,
            transport=transport,
            event_hooks={"response": [_refuse_redirect]},  # before httpx makes a request of it
            mounts={"http://": None},  # plain http is for this machine: a proxy would read the token
        )
    except (httpx.InvalidURL, ImportError, ValueError, OSError):
        # What it says could quote a proxy's password.
        raise SetupError(
            "the way to the network is not set up: a proxy that cannot be used, or no certificates",
            hint="look at HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR; socks needs httpx[socks]",
        ) from None
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return client


def _where(url: httpx.URL | str) -> str:
    """Return host and path of *url*, without the query: a cursor could be a secret."""
    parts = urlsplit(str(url))
    return terminal(f"{parts.netloc.rpartition('@')[2]}{parts.path}")


async def _refuse_redirect(response: httpx.Response) -> None:
    if not 300 <= response.status_code < 400:
        return
    try:
        host = urlsplit(response.headers.get("location", "")).hostname or "itself"
    except ValueError:
        host = "nowhere"
    where, status = _where(response.url), response.status_code
    raise RemoteError(
        f"{where} points to {terminal(host, 100)} (status {status}): nothing is sent there",
        hint="look at AMP_URL and AMPCOMMIT_TOKEN_URL",
    )


def _unpacked(unpack: "zlib._Decompress", piece: bytes, most: int) -> bytes:
    """Return what *piece* unpacks to, or the first *most* bytes of it."""
    if unpack.eof:
        raise _Trouble("sent more than its answer")  # which the unpacker would keep, without an end
    try:
        return unpack.decompress(piece, most)
    except zlib.error:
        raise _Trouble("sent a damaged answer") from None


def _failure(error: Exception, where: str) -> Exception:
    """Return what is to be raised for *error*; its own words could quote what was sent."""
    if isinstance(error, _UNREACHED):
        what = "cannot be reached"
    else:
        what = "fell silent" if isinstance(error, httpx.TimeoutException) else "broke off"
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            if isinstance(seen, ssl.SSLEOFError):
                break
            reason = getattr(seen, "verify_message", "") or getattr(seen, "reason", "") or "TLS failed"
            return RemoteError(
                f"{where} cannot be trusted: {terminal(reason)}",
                hint="if the certificate is your company's own, name the file of its authority in SSL_CERT_FILE",
            )
        if isinstance(seen, OSError) and seen.errno:
            # asyncio puts the address into the text; names that are not found have numbers of their own.
            return _Trouble(f"{what}: {seen.strerror if isinstance(seen, gaierror) else os.strerror(seen.errno)}")
        seen = seen.__cause__ or seen.__context__
    return _Trouble(what)


def _asked_wait(answer: Answer) -> float | None:
    """Return the seconds that `Retry-After` asks for, by the server's own clock; None where it asks for nothing."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:12])
    until = _http_date(said)
    if until is None:
        return None
    return max(0.0, (until - (answer.date or datetime.now(UTC))).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _spoken(seconds: float) -> str:
    """Return *seconds* in words, in the largest unit that fits."""
    sizes = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
    return next(f"{seconds / size:.0f} {unit}" for size, unit in sizes if seconds >= 2 * size or size == 1)
