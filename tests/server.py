"""
A small real HTTP/1.1 server on loopback, and on top of it Amp's External API in small.

`Server` answers by script, also in all the ways in which servers and networks misbehave. `Workspace` is the API with
threads that a test puts in. Both serve many connections at once from a thread of their own, on real sockets, so that
another process can talk to them, too.
"""

import asyncio
import base64
import gzip
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

import pytest

ENDLESS = -1
"""As the `length` of a reply: the body is sent again and again."""


class Request:
    """A request as it arrived: `query` and `headers` (names in lower case) hold the last value of each name."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method = method
        self.target = target
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = headers
        self.body = body
        self.time = time.monotonic()

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form in the body."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


class Reply:
    """
    What a request gets: *status*, *body* and *headers*, and how they misbehave.

    - `delay`: seconds before anything is sent.
    - `drip_headers`, `drip_body`: seconds before each byte.
    - `chunked`: the body comes in chunks, without a length.
    - `length`: the Content-Length that is claimed; longer than the body, the body is truncated. `ENDLESS`: the body is
      sent in chunks again and again until the client leaves.
    - `reset_after`: after so many bytes (headers and body) the connection is reset; 0: before anything is said.
    - `raw`: these bytes instead of all that.
    - `silent`: nothing is ever said.
    - `date`: the Date header; None: there is none.
    """

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        delay: float = 0.0,
        drip_headers: float = 0.0,
        drip_body: float = 0.0,
        chunked: bool = False,
        length: int | None = None,
        reset_after: int | None = None,
        raw: bytes | None = None,
        silent: bool = False,
        date: datetime | str | None = "now",
    ) -> None:
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        self.delay = delay
        self.drip_headers = drip_headers
        self.drip_body = drip_body
        self.endless = length == ENDLESS
        self.chunked = chunked or self.endless
        self.length = len(body) if length is None else length
        self.reset_after = reset_after
        self.raw = raw
        self.silent = silent
        self.date = datetime.now(UTC) if date == "now" else date

    @property
    def truncated(self) -> bool:
        """Whether less comes than is claimed, so that the connection has to be closed."""
        return self.raw is not None or (not self.chunked and self.length != len(self.body))

    def head(self) -> bytes:
        """Return the status line and the headers."""
        lines = [f"HTTP/1.1 {self.status} Said"]
        if isinstance(self.date, datetime):
            lines.append(f"Date: {format_datetime(self.date.astimezone(UTC), usegmt=True)}")
        elif self.date is not None:
            lines.append(f"Date: {self.date}")
        lines.append("Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {self.length}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def data(value: object, status: int = 200, headers: Mapping[str, str] | None = None, **how: Any) -> Reply:
    """Return the reply that is *value* as JSON."""
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}, **how)


def redirect(url: str, status: int = 302) -> Reply:
    """Return the reply that points to *url*."""
    return Reply(status, headers={"Location": url})


def bomb(size: int) -> Reply:
    """Return the reply whose body is small, and *size* bytes of zeros when it is unpacked."""
    return Reply(200, gzip.compress(b"\0" * size, 9), {"Content-Encoding": "gzip"})


Answering = Reply | Callable[[Request], Reply]


class _Rule:
    """A reply that the n-th request for *path* gets."""

    def __init__(self, path: str, nth: int, reply: Answering) -> None:
        self.path = path
        self.left = nth
        self.reply = reply


class Server:
    """
    A server on a free port of 127.0.0.1, for `with`; *tls* names the files of a certificate and its key.

    `on` scripts the replies of a path, `fail` those of single requests, whatever else answers. `requests` holds what
    arrived, `url` is where to ask, `connections` counts what was opened.
    """

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._scripts: dict[str, list[Answering]] = {}
        self._rules: list[_Rule] = []
        self._loop = asyncio.new_event_loop()
        self._talks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address of the server, without a slash at the end."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def on(self, path: str, *replies: Answering) -> Self:
        """Answer requests for *path* by *replies*, in turn; the last one stays."""
        self._scripts[path] = list(replies)
        return self

    def fail(self, nth: int, reply: Answering, *, path: str = "") -> Self:
        """Answer the *nth* request from now (1 is the next one) whose path holds *path* by *reply*."""
        self._rules.append(_Rule(path, nth, reply))
        return self

    def seen(self, path: str = "") -> list[Request]:
        """Return the requests so far whose path holds *path*."""
        return [request for request in self.requests if path in request.path]

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request that no script names."""
        return data({"error": f"there is no {request.path}"}, 404)

    def __enter__(self) -> Self:
        context = None
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
        self._thread.start()
        starting = asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=context)
        self._listening = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._listening.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.sleep(0)  # lets closed transports go

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one by one."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.connections += 1
        try:
            while (request := await _read(reader, writer)) is not None:
                self.requests.append(request)
                if not await _say(writer, self._reply(request)):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client left, or the test is over
        finally:
            self._talks.discard(task)
            writer.close()

    def _reply(self, request: Request) -> Reply:
        chosen: Answering | None = None
        for rule in self._rules:
            if rule.path in request.path:
                rule.left -= 1
                chosen = rule.reply if rule.left == 0 and chosen is None else chosen
        script = self._scripts.get(request.path)
        if chosen is None and script:
            chosen = script.pop(0) if len(script) > 1 else script[0]
        if chosen is None:
            return self.answer(request)
        return chosen if isinstance(chosen, Reply) else chosen(request)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """Return the next request; None when the client closes the connection, or speaks TLS to a server without."""
    begin = await reader.read(1)
    if not begin:
        return None
    if not begin.isalpha():
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return None
    head = (begin + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


async def _say(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Send *reply*; say whether the connection can go on."""
    await asyncio.sleep(reply.delay)
    if reply.silent:
        await asyncio.sleep(3600)
    head, body = reply.head(), reply.body
    if reply.raw is not None:
        head, body = reply.raw, b""
    elif reply.chunked and body:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n"
    if reply.chunked and not reply.endless:
        body += b"0\r\n\r\n"
    if reply.reset_after is not None:
        writer.write((head + body)[: reply.reset_after])
        await writer.drain()
        await asyncio.sleep(0.05 if reply.reset_after else 0)  # a reset overtakes what was sent
        _reset(writer)
        return False
    if not (reply.drip_headers or reply.drip_body or reply.endless):
        writer.write(head + body)  # at once, as servers do
    else:
        await _drip(writer, head, reply.drip_headers)
        await _drip(writer, body, reply.drip_body)
        while reply.endless:
            await _drip(writer, body, reply.drip_body)
    await writer.drain()
    return not reply.truncated


async def _drip(writer: asyncio.StreamWriter, text: bytes, pause: float) -> None:
    """Send *text* with a *pause* before each byte."""
    if not pause:
        writer.write(text)
        await writer.drain()
        return
    for at in range(len(text)):
        await asyncio.sleep(pause)
        writer.write(text[at : at + 1])
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a reset instead of an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Workspace(Server):
    """
    Amp's External API in small, for one workspace; `with Workspace() as amp: …`.

    Put threads in with `add` (before or while it serves; `threads` holds them, as the list gives them, and may be
    changed in place), take one out with `del amp.threads[id]`, and give `environ` to whatever asks: with it `AMP_URL`,
    the token endpoint, id and secret are right. `usage` holds what threads cost, by id; no entry: 404. `messages`
    holds how many messages a thread has (1 unless told).

    It checks id and secret, hands out tokens that hold `lifetime` seconds for those of the asked `scopes` that the
    client has, and refuses tokens that are over, unknown or `revoke`d (401) and scopes that are missing (403). The
    list is ordered by `firstSyncedAt`, obeys `limit` (1..100, else 400), `cursor`, `after` and `before` (both
    including), and leaves titles and repositories out without the scope for contents.

    To make it misbehave use `fail` and `on` of `Server`: `amp.fail(3, Reply(503), path="/usage")` fails the third
    request for usage from now, `amp.seen("/usage")` are those that arrived. The paths: `/oauth2/token`,
    `/api/v2/threads`, `/api/v2/threads/<id>/usage`, `/api/v2/threads/<id>/messages`.
    """

    META = "amp.api:workspace.threads.meta:view"
    CONTENTS = "amp.api:workspace.threads.contents:view"

    def __init__(self, *, lifetime: int = 3600, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(tls)
        self.client_id = "client-7f3a"
        self.client_secret = "s3cret/+:%~"  # noqa: S105  # of nothing
        self.lifetime = lifetime
        self.scopes = {self.META, self.CONTENTS}
        self.threads: dict[str, dict[str, Any]] = {}
        self.usage: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, int] = {}
        self.issued: list[str] = []
        self._tokens: dict[str, tuple[float, set[str]]] = {}

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which ampcommit talks to this workspace."""
        return {
            "AMP_URL": self.url,
            "AMPCOMMIT_TOKEN_URL": f"{self.url}/oauth2/token",
            "AMPCOMMIT_CLIENT_ID": self.client_id,
            "AMPCOMMIT_CLIENT_SECRET": self.client_secret,
        }

    def add(
        self,
        thread: str,
        *,
        creator: str = "user_01",
        title: str | None = None,
        created: str | None = None,
        updated: str | None = None,
        synced: str | None = None,
        main: str | None = None,
        parent: str | None = None,
        repositories: Sequence[str] | None = None,
        usd: float | None = None,
        models: Sequence[Mapping[str, Any]] = (),
        subs: Sequence[str] = (),
        **more: Any,
    ) -> None:
        """
        Put *thread* in: times are RFC 3339 texts (*synced* is `firstSyncedAt`), *repositories* URLs.

        With *usd* it has usage, which names *models* and sub-threads *subs*. What is None is absent; *more* is put
        into the list's entry as it is.
        """
        entry = {
            "id": thread,
            "creatorUserID": creator,
            "title": title,
            "createdAt": created,
            "updatedAt": updated,
            "firstSyncedAt": synced,
            "mainThreadID": main,
            "parentThreadID": parent,
            "repositories": None if repositories is None else [{"url": url} for url in repositories],
        }
        self.threads[thread] = {name: value for name, value in entry.items() if value is not None} | more
        if usd is not None:
            said = {"threadID": thread, "subThreadIDs": list(subs), "usage": usd, "models": list(models)}
            self.usage[thread] = said

    def revoke(self) -> None:
        """Make every token that was handed out invalid."""
        self._tokens.clear()

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth2/token":
            return self._token(request)
        if not request.path.startswith("/api/v2/threads"):
            return super().answer(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        until, scopes = self._tokens.get(token, (0.0, set()))
        if request.method != "GET" or scheme != "Bearer" or time.monotonic() >= until:
            return data({"error": "the token is not valid"}, 401, {"WWW-Authenticate": "Bearer"})
        thread, _, what = request.path.removeprefix("/api/v2/threads").removeprefix("/").partition("/")
        missing = self.CONTENTS if what == "messages" else self.META
        if missing not in scopes:
            header = f'Bearer error="insufficient_scope", scope="{missing}"'
            return data({"error": "insufficient scope"}, 403, {"WWW-Authenticate": header})
        return self._list(request.query, scopes) if not thread else self._one(thread, what, request.query)

    def _token(self, request: Request) -> Reply:
        basic = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        name, _, secret = basic.partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != (self.client_id, self.client_secret):
            return data({"error": "invalid_client"}, 401)
        scopes = set(request.form.get("scope", "").split())
        if request.method != "POST" or request.form.get("grant_type") != "client_credentials":
            return data({"error": "unsupported_grant_type"}, 400)
        if not scopes <= self.scopes:
            return data({"error": "invalid_scope"}, 400)
        token = f"tok-{len(self.issued)}-2f1d"
        self.issued.append(token)
        self._tokens[token] = (time.monotonic() + self.lifetime, scopes)
        return data({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime})

    def _list(self, query: Mapping[str, str], scopes: set[str]) -> Reply:
        limit = query.get("limit", "50")
        if not limit.isdigit() or not 1 <= int(limit) <= 100:
            return data({"error": "limit must be between 1 and 100"}, 400)
        after, before = _key(query.get("after", "")), _key(query.get("before", ""))
        ordered = sorted((_key(entry.get("firstSyncedAt", "")), name) for name, entry in self.threads.items())
        asked = [at for at in ordered if at[0] >= after and (not before or at[0] <= before)]
        if "cursor" in query:
            last = tuple(json.loads(base64.urlsafe_b64decode(query["cursor"])))
            asked = [at for at in asked if at > last]
        shown = asked[: int(limit)]
        hidden = set() if self.CONTENTS in scopes else {"title", "repositories"}
        found = [{k: v for k, v in self.threads[name].items() if k not in hidden} for _, name in shown]
        if len(shown) == len(asked):
            return data({"threads": found})
        return data({"threads": found, "nextCursor": base64.urlsafe_b64encode(json.dumps(shown[-1]).encode()).decode()})

    def _one(self, thread: str, what: str, query: Mapping[str, str]) -> Reply:
        if what == "usage" and thread in self.usage:
            return data(self.usage[thread])
        if what != "messages" or thread not in self.threads:
            return data({"error": "not found"}, 404)
        have, begin = self.messages.get(thread, 1), int(query.get("cursor", "0"))
        end = min(have, begin + int(query.get("limit", "50")))
        created = "2026-11-20T08:15:30.000Z"
        found = [{"messageID": at, "messageVersion": 1, "createdAt": created} for at in range(begin, end)]
        return data({"messages": found} | ({"nextCursor": str(end)} if end < have else {}))


def _key(when: str) -> float:
    return datetime.fromisoformat(when).timestamp() if when else 0.0


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that nobody signed, and its key; skips the test where there is no openssl."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes certificates, is not installed")
    certificate, key = folder / "server.pem", folder / "server.key"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*argv, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key
