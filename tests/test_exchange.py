"""One question over HTTP, with answers made up by pytest-httpx; the same over real sockets is in test_network.py."""

import asyncio
import errno
import gzip
import socket
import ssl
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock, IteratorStream

from ampcommit.amp.exchange import Answer, Exchange, Patience
from ampcommit.errors import RemoteError, SetupError

URL = "https://ampcode.com/api/v2/threads"
QUICK = Patience(attempts=3, first_wait=0.001, longest_wait=2.0, deadline=5.0, body=1000)
HIDDEN = "hush-9c1d"


def ask(patience: Patience = QUICK, url: str = URL, **what: Any) -> tuple[Answer, int]:
    """Ask once; return the answer and how many requests that took."""

    async def asking() -> tuple[Answer, int]:
        async with Exchange(patience=patience) as exchange:
            headers = {"Authorization": f"Bearer {HIDDEN}"}
            answer = await exchange.send("GET", url, headers=headers, params={"cursor": HIDDEN}, **what)
            return answer, exchange.requests

    return asyncio.run(asking())


def failure(patience: Patience = QUICK, url: str = URL) -> str:
    """Return the two lines of a question that fails."""
    with pytest.raises(RemoteError) as error:
        ask(patience, url)
    assert error.value.hint
    text = f"{error.value} | {error.value.hint}"
    assert HIDDEN not in text
    return text


def test_an_answer_is_what_came(httpx_mock: HTTPXMock) -> None:
    """Status, body, headers in any case, and the server's time are there; other statuses are the caller's matter."""
    when = datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)
    httpx_mock.add_response(404, content=b"{}", headers={"Date": format_datetime(when, usegmt=True)})

    answer, requests = ask()

    assert (answer.status, answer.body, answer.date, requests) == (404, b"{}", when, 1)
    assert answer.headers.get("DATE") == answer.headers["date"]


@pytest.mark.parametrize("said", ["", "now", "Fri, 99 Nov 2026 08:15:30 GMT", "Fri, 20 Nov 99999 08:15:30 GMT", "0"])
def test_a_date_that_is_none_is_none(said: str) -> None:
    """A server's clock that cannot be read is unknown."""
    assert Answer(200, b"", httpx.Headers({"date": said})).date is None


def test_a_date_without_a_zone_is_utc() -> None:
    """A date of the old spellings counts as the same moment."""
    assert Answer(200, b"", {"date": "Fri, 20 Nov 2026 08:15:30 -0000"}).date == datetime(
        2026, 11, 20, 8, 15, 30, tzinfo=UTC
    )


def test_a_form_and_a_password_are_sent(httpx_mock: HTTPXMock) -> None:
    """A form goes in the body, name and password in the header, as RFC 7617 says."""
    httpx_mock.add_response()

    async def asking() -> None:
        async with Exchange(patience=QUICK) as exchange:
            await exchange.send("POST", URL, form={"a": "b c"}, basic=("id", "x:y"))

    asyncio.run(asking())

    request = httpx_mock.get_request()
    assert request is not None
    assert request.content == b"a=b+c"
    assert request.headers["authorization"] == "Basic aWQ6eDp5"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
def test_a_server_that_recovers_is_asked_again(httpx_mock: HTTPXMock, status: int) -> None:
    """N04: one failure of the server costs one more request."""
    httpx_mock.add_response(status)
    httpx_mock.add_response(content=b"fine")

    answer, requests = ask()

    assert (answer.body, requests) == (b"fine", 2)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_stays_away_is_left_alone(httpx_mock: HTTPXMock, status: int) -> None:
    """N04: a server that fails each time is asked a few times, and what it said is told."""
    httpx_mock.add_response(status, is_reusable=True)

    assert f"ampcode.com/api/v2/threads answered {status} (3 tries)" in failure()
    assert len(httpx_mock.get_requests()) == 3
    assert f"answered {status} |" in failure(Patience(attempts=1))


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError(HIDDEN),
        httpx.RemoteProtocolError(HIDDEN),
        httpx.ProxyError(HIDDEN),
    ],
)
def test_a_broken_connection_is_tried_again(httpx_mock: HTTPXMock, error: Exception) -> None:
    """N01: what breaks on the way is tried again, and in the end told without what the library says."""
    httpx_mock.add_exception(error)
    httpx_mock.add_response()
    assert ask()[1] == 2

    httpx_mock.add_exception(error, is_reusable=True)
    text = failure()

    assert "(3 tries)" in text
    assert ("cannot be reached" in text) == isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError
    )
    assert ("fell silent" in text) == isinstance(error, httpx.ReadTimeout)


def test_what_the_system_says_is_told(httpx_mock: HTTPXMock) -> None:
    """N01: the reason that the system gives stands in the failure."""
    for cause, words in (
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
    ):
        error = httpx.ConnectError("no")
        error.__cause__ = cause
        httpx_mock.add_exception(error)

        assert f"cannot be reached: {words}" in failure(Patience(attempts=1))


def test_a_name_that_cannot_be_looked_up_is_no_defect(httpx_mock: HTTPXMock) -> None:
    """A proxy's name of empty labels makes the resolver say UnicodeError: the way to the server is not there."""
    httpx_mock.add_exception(UnicodeError("label empty"), is_reusable=True)

    assert "cannot be reached" in failure()


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ssl.SSLCertVerificationError(1, "verify failed"), "cannot be trusted: TLS failed"),
        (ssl.SSLError(1, "wrong version number"), "cannot be trusted: TLS failed"),
    ],
)
def test_tls_that_fails_is_final(httpx_mock: HTTPXMock, cause: Exception, words: str) -> None:
    """N09: a certificate that is not trusted stays so: one request, and the way to trust it."""
    error = httpx.ConnectError("tls")
    error.__cause__ = cause
    httpx_mock.add_exception(error)

    text = failure()

    assert words in text
    assert "SSL_CERT_FILE" in text


def test_tls_that_is_cut_off_is_tried_again(httpx_mock: HTTPXMock) -> None:
    """N01: a connection that ends within the handshake says nothing about trust."""
    error = httpx.ConnectError("tls")
    error.__cause__ = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    httpx_mock.add_exception(error)
    httpx_mock.add_response()

    assert ask()[1] == 2


def test_a_try_has_a_time_limit(httpx_mock: HTTPXMock) -> None:
    """N05: one try may take so long in all, whatever comes meanwhile."""

    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    httpx_mock.add_callback(slow, is_reusable=True)

    assert "did not answer in 0.05 seconds (2 tries)" in failure(Patience(attempts=2, first_wait=0, deadline=0.05))


def limited(httpx_mock: HTTPXMock, after: str, **headers: str) -> None:
    """Let the first answer be 429 with *after* as Retry-After, the second one fine."""
    httpx_mock.add_response(429, headers={"Retry-After": after, **headers})
    httpx_mock.add_response()


def test_a_short_wait_is_kept(httpx_mock: HTTPXMock) -> None:
    """N03: where the server asks to wait for a second, the next try comes after it."""
    limited(httpx_mock, "1")
    begun = time.monotonic()

    assert ask()[1] == 2
    assert time.monotonic() - begun >= 1.0


def test_a_wait_until_a_date_is_by_the_servers_clock(httpx_mock: HTTPXMock) -> None:
    """N03: a date is meant by the server's clock, however wrong that or ours is."""
    now = datetime(2031, 1, 1, tzinfo=UTC)
    soon, later = (format_datetime(now + timedelta(seconds=wait), usegmt=True) for wait in (1, 86400))
    limited(httpx_mock, soon, Date=format_datetime(now, usegmt=True))
    begun = time.monotonic()

    assert ask()[1] == 2
    assert 1.0 <= time.monotonic() - begun < 60

    httpx_mock.add_response(429, headers={"Retry-After": later, "Date": format_datetime(now, usegmt=True)})
    assert "asks to wait 24 hours" in failure()


def test_a_date_without_the_servers_clock_is_by_ours(httpx_mock: HTTPXMock) -> None:
    """N03: where the server does not say its time, ours must do; a date that is over asks for nothing."""
    now = datetime.now(UTC)
    limited(httpx_mock, format_datetime(now - timedelta(hours=1), usegmt=True))
    assert ask()[1] == 2

    httpx_mock.add_response(429, headers={"Retry-After": format_datetime(now + timedelta(hours=3), usegmt=True)})
    assert "asks to wait 3 hours" in failure()


@pytest.mark.parametrize("after", ["-1", "1.5", "soon", "", "\u0661", "0", "00"])
def test_a_wait_that_cannot_be_read_is_ours_to_choose(httpx_mock: HTTPXMock, after: str) -> None:
    """N03: what is no number of seconds and no date counts as not said."""
    httpx_mock.add_response(429, headers=[(b"Retry-After", after.encode())])
    httpx_mock.add_response()

    assert ask()[1] == 2


@pytest.mark.parametrize(
    ("after", "words"),
    [("86400", "24 hours"), ("3", "3 seconds"), ("150", "2 minutes"), ("604800", "7 days"), ("9" * 5000, "days")],
)
def test_a_long_wait_ends_the_run(httpx_mock: HTTPXMock, after: str, words: str) -> None:
    """N03: where the server asks for more than we wait, that is said, and nothing is asked again."""
    httpx_mock.add_response(429, headers={"Retry-After": after})

    text = failure()

    assert "asks to wait" in text
    assert words in text


def test_all_wait_when_one_is_told_to(httpx_mock: HTTPXMock) -> None:
    """N03: a wait that one question is told to keep, the others of the exchange keep as well."""
    limited(httpx_mock, "1")
    httpx_mock.add_response()
    sent: list[float] = []

    async def asking() -> None:
        async with Exchange(patience=QUICK, concurrent=1) as exchange:

            async def one() -> None:
                await exchange.send("GET", URL)
                sent.append(time.monotonic())

            await asyncio.gather(one(), one())

    begun = time.monotonic()
    asyncio.run(asking())

    assert min(sent) - begun >= 1.0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(httpx_mock: HTTPXMock, status: int) -> None:
    """N08: a redirect is a failure that names where it points to; nothing is sent there."""
    httpx_mock.add_response(status, headers={"Location": "https://evil.example/?x=1"})

    text = failure()

    assert f"points to evil.example (status {status})" in text
    assert len(httpx_mock.get_requests()) == 1


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (b"/elsewhere", "points to itself"),
        (b"https://[bad", "points to nowhere"),
        (b"https://\x9b31mevil/", "points to \\x9b31mevil"),
        (b"https://u:p@evil.example/", "points to evil.example"),
    ],
)
def test_an_odd_redirect_is_told_in_plain_letters(httpx_mock: HTTPXMock, location: bytes, words: str) -> None:
    """N08: whatever a redirect says, the terminal gets plain text."""
    httpx_mock.add_response(302, headers=[(b"Location", location)])

    assert words in failure()


def test_a_body_that_is_too_long_is_not_read(httpx_mock: HTTPXMock) -> None:
    """N07: an answer has a limit, to the byte, and is not asked for again."""
    httpx_mock.add_response(content=b"x" * 1000)
    assert len(ask()[0].body) == 1000

    httpx_mock.add_response(content=b"x" * 1001)
    assert "more than 1000 bytes" in failure()


def zipped(body: bytes) -> dict[str, Any]:
    """Return the arguments of a response whose body is packed."""
    # As a stream, so that the pieces arrive as they were packed.
    return {"stream": IteratorStream([body[at : at + 7] for at in range(0, len(body), 7)]), "headers": GZIP}


GZIP = {"Content-Encoding": "gzip"}


def test_a_packed_body_is_unpacked(httpx_mock: HTTPXMock) -> None:
    """An answer may be packed, and has the same limit then."""
    httpx_mock.add_response(**zipped(gzip.compress(bytes(range(250)) * 4)))
    assert ask()[0].body == bytes(range(250)) * 4

    httpx_mock.add_response(404, **zipped(b""))
    assert ask()[0].body == b""

    httpx_mock.add_response(**zipped(gzip.compress(b"\0" * 1001, mtime=0)))
    assert "more than 1000 bytes" in failure()


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (gzip.compress(b"abc", mtime=0)[:-4], "broke off"),
        (b"not packed", "damaged"),
        (gzip.compress(b"abc", mtime=0)[:-8] + bytes(8), "damaged"),
        (gzip.compress(b"abc", mtime=0) + bytes(100), "more than its answer"),
    ],
)
def test_a_damaged_body_is_asked_for_again(httpx_mock: HTTPXMock, packed: bytes, words: str) -> None:
    """N06: a packed answer that is cut off or damaged is tried again, then told."""
    httpx_mock.add_response(**zipped(packed))
    httpx_mock.add_response()
    assert ask()[1] == 2

    for _ in range(3):
        httpx_mock.add_response(**zipped(packed))
    assert words in failure()


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", "x\x80"])
def test_a_coding_that_nobody_asked_for_is_refused(httpx_mock: HTTPXMock, coding: str) -> None:
    """N07: layer upon layer, a small body becomes more than fits into memory: one layer is taken, and one kind."""
    # A stream, because a whole body is decoded when the response is made.
    stream, headers = IteratorStream([zlib.compress(b"{}")]), [(b"Content-Encoding", coding.encode("latin-1"))]
    httpx_mock.add_response(stream=stream, headers=headers)

    assert "a coding that nobody asked for" in failure()


def test_no_cookie_is_kept(httpx_mock: HTTPXMock) -> None:
    """What a server wants to be said back is not, and fills no memory."""
    httpx_mock.add_response(headers={"Set-Cookie": "a=b; Path=/"}, is_reusable=True)

    async def asking() -> None:
        async with Exchange(patience=QUICK) as exchange:
            await exchange.send("GET", URL)
            await exchange.send("GET", URL)

    asyncio.run(asking())

    assert not [request for request in httpx_mock.get_requests() if "cookie" in request.headers]


def test_an_address_that_is_none_is_told() -> None:
    """What httpx says to a bad address stays in the room."""
    for url in ("https://ampcode.com:port/x", f"https://ampcode.com/{'x' * 70000}"):
        with pytest.raises(RemoteError, match="the address is not valid"):
            asyncio.run(Exchange(patience=QUICK).send("GET", url))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "socks4://hush-9c1d@proxy.example"),
        ("HTTPS_PROXY", "https://u:hush-9c1d@proxy.example:port"),
        ("ALL_PROXY", "socks5://u:hush-9c1d@proxy.example"),
        ("SSL_CERT_FILE", "/nonexistent/hush-9c1d"),
    ],
)
def test_a_way_that_is_not_set_up_is_told(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """N01: a proxy of a kind that is not there, or no proxy at all, is a matter of the set-up, without its password."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "socksio", None)

    with pytest.raises(SetupError) as error:
        Exchange()

    assert variable in error.value.hint
    assert HIDDEN not in f"{error.value} {error.value.hint}"
