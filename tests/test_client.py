"""The External API, with answers made up by pytest-httpx; the same flows over real sockets are in test_network.py."""

import asyncio
import json
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qs

import httpx
import pytest
from pytest_httpx import HTTPXMock

from ampcommit.amp.access import Access, access
from ampcommit.amp.client import CONTENTS, META, Client, Refused
from ampcommit.amp.exchange import Patience
from ampcommit.errors import RemoteError
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT

T = TypeVar("T")

ME = "the-id"
SECRET = "s+cr/t%9c1d"  # noqa: S105  # of nothing
QUOTED = "s%2Bcr%2Ft%259c1d"
TOKEN_URL = "https://auth.ampcode.com/oauth2/token"  # noqa: S105  # an address
LIST = "https://ampcode.com/api/v2/threads"
QUICK = Patience(attempts=2, first_wait=0.001, longest_wait=1.0, deadline=5.0, body=100_000)
THREAD = ThreadId(CHILD)
USAGE = {"threadID": CHILD, "subThreadIDs": [OTHER], "usage": 1.25, "models": [{"model": "m", "usage": 1.25}]}


def allowed(**more: str) -> Access:
    """Return an access with credentials."""
    return access({"AMPCOMMIT_CLIENT_ID": ME, "AMPCOMMIT_CLIENT_SECRET": SECRET} | more)


def use(what: Callable[[Client], Awaitable[T]], concurrent: int = 4) -> tuple[T, Client]:
    """Let a new client do *what*; return what comes of it, and the client."""

    async def using() -> tuple[T, Client]:
        async with Client(allowed(), patience=QUICK, concurrent=concurrent) as client:
            return await what(client), client

    return asyncio.run(using())


async def ids(client: Client, **how: Any) -> list[str]:
    """Return the ids on all pages."""
    return [entry.id async for page in client.pages(**how) for entry in page.entries]


def token(httpx_mock: HTTPXMock, text: str = "tok-1", seconds: object = 3600, **how: Any) -> None:
    """Let the token endpoint give a token."""
    said = {"access_token": text, "token_type": "Bearer", "expires_in": seconds}
    httpx_mock.add_response(url=TOKEN_URL, method="POST", json=said, **how)


def sent(httpx_mock: HTTPXMock, path: str) -> list[httpx.Request]:
    """Return the requests for *path*."""
    return [request for request in httpx_mock.get_requests() if request.url.path == path]


def refused(what: Callable[[Client], Awaitable[object]], kind: type[RemoteError] = Refused) -> str:
    """Return the two lines of what is refused; they hold no secret, and neither does a traceback."""
    with pytest.raises(kind) as error:
        use(what)
    assert isinstance(error.value, kind)
    text = f"{error.value} | {error.value.hint}"
    told = text + "".join(traceback.format_exception(error.value))
    assert not [hidden for hidden in (SECRET, QUOTED, "tok-1", "tok-2") if hidden in told]
    return text


def test_pages_are_followed_to_the_end(httpx_mock: HTTPXMock) -> None:
    """The list is asked page by page, with the cursor of the page before, until there is none."""
    token(httpx_mock)
    first = {"threads": [{"id": PARENT, "creatorUserID": "u"}], "nextCursor": "c &1"}
    httpx_mock.add_response(json=first, headers={"Date": "Fri, 20 Nov 2026 08:15:31 GMT"})
    httpx_mock.add_response(json={"threads": [{"id": CHILD, "creatorUserID": "u"}], "nextCursor": ""})
    after = datetime(2026, 11, 20, 9, 15, 30, tzinfo=timezone(timedelta(hours=1)))

    found, client = use(lambda client: ids(client, after=after, before=after + timedelta(microseconds=5), limit=7))

    assert found == [PARENT, CHILD]
    assert client.requests == 3
    assert client.notices == []
    assert client.server_time == datetime(2026, 11, 20, 8, 15, 31, tzinfo=UTC)
    queries = [dict(request.url.params) for request in sent(httpx_mock, "/api/v2/threads")]
    asked = {"limit": "7", "after": "2026-11-20T08:15:30Z", "before": "2026-11-20T08:15:30.000005Z"}
    assert queries == [asked, asked | {"cursor": "c &1"}]


def test_the_newest_time_counts(httpx_mock: HTTPXMock) -> None:
    """The server's time does not go back, though answers overtake each other."""
    token(httpx_mock, headers={"Date": "Fri, 20 Nov 2026 08:15:31 GMT"})
    httpx_mock.add_response(json=USAGE, headers={"Date": "Fri, 20 Nov 2026 08:15:30 GMT"})

    _, client = use(lambda client: client.usage(THREAD))

    assert client.server_time == datetime(2026, 11, 20, 8, 15, 31, tzinfo=UTC)


def test_the_token_is_asked_for_as_documented(httpx_mock: HTTPXMock) -> None:
    """Client credentials go to the token endpoint alone: quoted in the header, with both scopes in the form."""
    token(httpx_mock)
    httpx_mock.add_response(json={"threads": []})

    use(ids)

    asked, listed = httpx_mock.get_requests()
    assert asked.method == "POST"
    assert asked.headers["authorization"] == httpx.BasicAuth(ME, QUOTED)._auth_header  # noqa: SLF001
    assert parse_qs(asked.content.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": [f"{META} {CONTENTS}"],
    }
    assert listed.headers["authorization"] == "Bearer tok-1"
    assert "after" not in listed.url.params


def test_a_token_is_used_until_it_ends(httpx_mock: HTTPXMock) -> None:
    """One token serves many requests, also where nothing is said of its end."""
    for seconds in (3600, None, 10**18):
        token(httpx_mock, seconds=seconds)
        for _ in range(2):
            httpx_mock.add_response(json={"threads": []})

        async def twice(client: Client) -> None:
            await ids(client)
            await ids(client)

        assert use(twice)[1].requests == 3


def test_a_short_token_is_renewed_at_half_its_life(httpx_mock: HTTPXMock) -> None:
    """A token that holds a second is renewed after half a second, one that holds no time each time."""
    for seconds, pause in ((1, 0.6), (0, 0)):
        token(httpx_mock, "tok-1", seconds)
        token(httpx_mock, "tok-2")
        for _ in range(3):
            httpx_mock.add_response(json={"threads": []})

        async def spread(client: Client, pause: float = pause) -> None:
            await ids(client)
            await asyncio.sleep(pause)
            await ids(client)
            await ids(client)

        use(spread)
        bearers = [request.headers["authorization"] for request in sent(httpx_mock, "/api/v2/threads")]
        assert bearers[-3:] == ["Bearer tok-1", "Bearer tok-2", "Bearer tok-2"]


def test_a_token_that_is_refused_is_renewed_once(httpx_mock: HTTPXMock) -> None:
    """N02: 401 costs one new token, however many requests meet it at once."""
    given = iter(["tok-1", "tok-2"])

    async def judged(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)  # so that all of them are under way
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": next(given)})
        fine = request.headers["authorization"] == "Bearer tok-2"
        return httpx.Response(200, json=USAGE) if fine else httpx.Response(401, json={"error": "over"})

    httpx_mock.add_callback(judged, is_reusable=True)

    async def many(client: Client) -> list[object]:
        return await asyncio.gather(*[client.usage(THREAD) for _ in range(4)])

    found, client = use(many)

    assert len(found) == 4
    assert client.requests == 10
    assert len(sent(httpx_mock, "/oauth2/token")) == 2


def test_a_second_refusal_is_final(httpx_mock: HTTPXMock) -> None:
    """N02: a new token that is not accepted either is the end."""
    token(httpx_mock, "tok-1")
    token(httpx_mock, "tok-2")
    httpx_mock.add_response(401, json={"error": f"tok-2 and tok-1 are {SECRET}\x1b[31m"}, is_reusable=True)

    text = refused(lambda client: client.usage(THREAD))

    assert "Amp does not accept the client's token: (hidden) and (hidden) are (hidden)\\x1b[31m" in text
    assert len(httpx_mock.get_requests()) == 4


@pytest.mark.parametrize(
    ("what", "scope"), [(ids, META), (lambda client: client.knows(THREAD), CONTENTS)], ids=["list", "messages"]
)
def test_a_missing_scope_is_named(
    httpx_mock: HTTPXMock, what: Callable[[Client], Awaitable[object]], scope: str
) -> None:
    """N02: 403 names the scope that is missing: the one that Amp names, else the documented one."""
    for headers, named in ({}, scope), ({"WWW-Authenticate": 'Bearer realm="x", scope="a:b c\x7f"'}, "a:b c\\x7f"):
        token(httpx_mock)
        httpx_mock.add_response(403, json={"error": "insufficient scope\n::error::x"}, headers=headers)

        text = refused(what)

        assert f"the client lacks the scope {named}: insufficient scope\\n::error::x |" in text


def test_an_undocumented_scope_is_not_made_up(httpx_mock: HTTPXMock) -> None:
    """N02: nobody says which scope usage takes; the failure says that, too, and names one that Amp names."""
    token(httpx_mock)
    httpx_mock.add_response(403)

    assert "which scope this takes is not documented" in refused(lambda client: client.usage(THREAD))

    token(httpx_mock)
    httpx_mock.add_response(403, headers={"WWW-Authenticate": 'Bearer scope="a:b"'})
    assert "lacks the scope a:b" in refused(lambda client: client.usage(THREAD))


def test_404_has_three_meanings(httpx_mock: HTTPXMock) -> None:
    """N02: no usage any more, a thread that Amp does not know, and an API that is not there."""
    token(httpx_mock, is_reusable=True)
    httpx_mock.add_response(404, method="GET", json={"error": "not found"}, is_reusable=True)

    assert use(lambda client: client.usage(THREAD))[0] is None
    assert "has no list of threads" in refused(lambda client: client.knows(THREAD))
    text = refused(ids, RemoteError)
    assert "https://ampcode.com has no list of threads" in text
    assert "AMP_URL" in text

    async def read(client: Client) -> None:
        async for _ in client.messages(THREAD):
            pass

    assert f"does not know the thread {CHILD}" in refused(read, RemoteError)


def test_a_scope_that_is_the_token_is_not_told(httpx_mock: HTTPXMock) -> None:
    """N11: a server that says the token back where it should name a scope does not get it printed."""
    token(httpx_mock)
    httpx_mock.add_response(403, url=f"{LIST}?limit=100", headers={"WWW-Authenticate": 'Bearer scope="tok-1"'})

    assert "the scope (hidden)" in refused(ids)


def test_threads_that_are_not_known_are_told_from_an_api_that_is_not_there(httpx_mock: HTTPXMock) -> None:
    """N02: at the first thread that is not known, and only then, the list of threads is asked for."""
    token(httpx_mock)
    httpx_mock.add_response(404, url=f"{LIST}/{CHILD}/messages?limit=1", is_reusable=True)
    httpx_mock.add_response(url=f"{LIST}?limit=1", json={"threads": []})

    async def twice(client: Client) -> list[bool]:
        return [await client.knows(THREAD), await client.knows(THREAD)]

    assert use(twice)[0] == [False, False]


def test_a_token_that_cannot_be_had_is_asked_for_once(httpx_mock: HTTPXMock) -> None:
    """Of many who need a token at once, one asks for it, and what it learns holds for all."""
    httpx_mock.add_response(500, url=TOKEN_URL, is_reusable=True)

    async def many(client: Client) -> list[object]:
        return list(await asyncio.gather(*(client.usage(THREAD) for _ in range(5)), return_exceptions=True))

    found, client = use(many)

    assert {type(one) for one in found} == {Refused}
    assert client.requests == QUICK.attempts


def test_usage_is_read(httpx_mock: HTTPXMock) -> None:
    """What a thread cost comes with its models and sub-threads, in exact dollars."""
    token(httpx_mock)
    httpx_mock.add_response(url=f"{LIST}/{CHILD}/usage", json=USAGE)

    found, _ = use(lambda client: client.usage(THREAD))

    assert found is not None
    assert (found.usd, found.sub_threads, found.models[0].usd) == (Decimal("1.25"), [OTHER], Decimal("1.25"))


def test_messages_are_followed_to_the_end(httpx_mock: HTTPXMock) -> None:
    """Messages come page by page, too; whether a thread is known, the first one tells."""
    token(httpx_mock, is_reusable=True)
    for number, cursor in ((1, "2"), (2, None)):
        said = {"messages": [{"messageID": number, "messageVersion": 3}], "nextCursor": cursor}
        httpx_mock.add_response(method="GET", json=said)

    async def read(client: Client) -> list[int | str]:
        return [one.id async for page in client.messages(THREAD, limit=1) for one in page.messages]

    assert use(read)[0] == [1, 2]
    assert [request.url.params.get("cursor") for request in sent(httpx_mock, f"/api/v2/threads/{CHILD}/messages")] == [
        None,
        "2",
    ]

    httpx_mock.add_response(method="GET", json={"messages": []})
    assert use(lambda client: client.knows(THREAD))[0] is True
    assert httpx_mock.get_requests()[-1].url.params["limit"] == "1"


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"]])
def test_a_cursor_that_repeats_ends_the_list(httpx_mock: HTTPXMock, cursors: list[str]) -> None:
    """N10: a list that goes in a circle is a failure, not a loop."""
    token(httpx_mock)
    for cursor in cursors:
        httpx_mock.add_response(json={"threads": [], "nextCursor": cursor})

    assert "a cursor came twice" in refused(ids, RemoteError)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\0",
        b"[]",
        b"null",
        b'{"threads": {}}',
        b'{"threads": [], "nextCursor": 5}',
        b"\xff\xfe[",
        b"[" * 99999,
    ],
)
def test_a_body_of_another_kind_is_told(httpx_mock: HTTPXMock, body: bytes) -> None:
    """N06: HTML, NUL, another type, nesting without end: a failure, not a defect."""
    token(httpx_mock)
    httpx_mock.add_response(content=body)
    assert refused(ids, RemoteError)

    token(httpx_mock)
    httpx_mock.add_response(content=body)
    assert refused(lambda client: client.knows(THREAD), RemoteError)


def test_the_usage_of_another_thread_is_not_taken(httpx_mock: HTTPXMock) -> None:
    """N06: an answer about another thread is none."""
    token(httpx_mock)
    httpx_mock.add_response(json=USAGE | {"threadID": OTHER})

    assert "another thread" in refused(lambda client: client.usage(THREAD), RemoteError)


def test_other_statuses_are_told(httpx_mock: HTTPXMock) -> None:
    """A status that nobody expects is a failure with what Amp says."""
    for status, words in ((204, "status 204 |"), (400, "status 400: limit \\x07 is odd |")):
        token(httpx_mock)
        httpx_mock.add_response(status, json={"error": "limit \a is odd"} if status == 400 else None)

        assert words in refused(ids, RemoteError)


def test_without_the_scope_for_contents_the_list_is_there(httpx_mock: HTTPXMock) -> None:
    """A client that may not see contents gets the list without them, and a notice, once."""
    httpx_mock.add_response(400, url=TOKEN_URL, json={"error": "invalid_scope"})
    token(httpx_mock, seconds=0)
    token(httpx_mock)
    httpx_mock.add_response(json={"threads": []}, is_reusable=True)

    async def twice(client: Client) -> None:
        await ids(client)
        await ids(client)

    _, client = use(twice)

    assert client.notices == [f"titles and repositories stay unknown: the client lacks the scope {CONTENTS}"]
    scopes = [parse_qs(request.content.decode())["scope"] for request in sent(httpx_mock, "/oauth2/token")]
    assert scopes == [[f"{META} {CONTENTS}"], [META], [META]]


def test_a_client_without_any_scope_is_refused(httpx_mock: HTTPXMock) -> None:
    """A client that may not see the list either is refused, with the scope's name."""
    httpx_mock.add_response(400, url=TOKEN_URL, json={"error": "invalid_scope"}, is_reusable=True)

    assert f"no token for the scope {META}: invalid_scope" in refused(ids)
    assert len(httpx_mock.get_requests()) == 2


@pytest.mark.parametrize(("status", "said"), [(401, None), (401, "x"), (400, "invalid_client")])
def test_wrong_credentials_are_told_with_their_origin(httpx_mock: HTTPXMock, status: int, said: str | None) -> None:
    """N02: an id or a secret that is not accepted says where it came from, and is not shown."""
    httpx_mock.add_response(status, url=TOKEN_URL, json={"error": said, "error_description": f"bad {SECRET} {QUOTED}"})

    text = refused(ids)

    assert "which come from the environment: bad (hidden) (hidden) |" in text


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (403, Refused), (404, RemoteError), (418, RemoteError), (204, RemoteError)]
)
def test_no_token_for_another_reason_is_told(httpx_mock: HTTPXMock, status: int, kind: type[RemoteError]) -> None:
    """What else a token endpoint says leads to its address."""
    httpx_mock.add_response(status, url=TOKEN_URL, content=b"<html>")

    text = refused(ids, kind)

    assert f"no token: status {status} |" in text
    assert "AMPCOMMIT_TOKEN_URL" in text


@pytest.mark.parametrize("said", [{}, {"access_token": 5}, {"access_token": ""}, {"access_token": "a\r\nb"}, [], None])
def test_a_token_that_is_none_is_told(httpx_mock: HTTPXMock, said: object) -> None:
    """N06: a token endpoint that gives no token, or one that fits no header, is a failure."""
    httpx_mock.add_response(url=TOKEN_URL, json=said)

    assert "not an access token" in refused(ids, RemoteError)


def test_the_token_goes_to_no_other_host(httpx_mock: HTTPXMock) -> None:
    """N08: neither the API nor the token endpoint can send a secret elsewhere."""
    httpx_mock.add_response(307, url=TOKEN_URL, headers={"Location": "https://evil.example/t"})
    assert "auth.ampcode.com/oauth2/token points to evil.example" in refused(ids, RemoteError)

    token(httpx_mock)
    httpx_mock.add_response(302, headers={"Location": "http://ampcode.com/api/v2/threads"})
    assert "points to ampcode.com" in refused(ids, RemoteError)
    assert {request.url.host for request in httpx_mock.get_requests()} == {"ampcode.com", "auth.ampcode.com"}


def test_nothing_is_deleted_and_no_thread_fetched(httpx_mock: HTTPXMock) -> None:
    """Whether a thread can be fetched by itself is not known, so that is not asked for; nor is anything changed."""
    token(httpx_mock)
    httpx_mock.add_response(url=f"{LIST}?limit=100", json={"threads": []})
    httpx_mock.add_response(url=f"{LIST}/{CHILD}/usage", json=USAGE)
    httpx_mock.add_response(url=f"{LIST}/{CHILD}/messages?limit=1", json={"messages": []})

    async def all_of_it(client: Client) -> None:
        await ids(client)
        await client.usage(THREAD)
        await client.knows(THREAD)

    use(all_of_it)

    assert [request.method for request in httpx_mock.get_requests()] == ["POST", "GET", "GET", "GET"]


def test_a_transport_can_be_given() -> None:
    """Another way to the server can be put in, as tests and proxies of one's own do."""

    def answer(request: httpx.Request) -> httpx.Response:
        said: dict[str, object] = {"access_token": "t"} if request.method == "POST" else {"threads": []}
        return httpx.Response(200, content=json.dumps(said).encode())

    async def using() -> list[str]:
        async with Client(allowed(), transport=httpx.MockTransport(answer)) as client:
            return await ids(client)

    assert asyncio.run(using()) == []


def test_no_text_of_a_client_holds_a_secret(httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture) -> None:
    """N11: neither the objects' texts nor any log of any library shows token or secret."""
    caplog.set_level(0)
    token(httpx_mock)
    httpx_mock.add_response(json={"threads": []})

    _, client = use(ids)

    texts = [repr(client), str(client), repr(allowed()), caplog.text]
    assert not [text for text in texts for hidden in (SECRET, QUOTED, "tok-1") if hidden in text]


def test_a_token_is_not_fetched_before_it_is_needed(httpx_mock: HTTPXMock) -> None:
    """A client that is not used asks nobody for anything, and needs no credentials."""

    async def idle() -> int:
        async with Client(access({})) as client:
            return client.requests

    begun = time.monotonic()

    assert asyncio.run(idle()) == 0
    assert httpx_mock.get_requests() == []
    assert time.monotonic() - begun < 30
