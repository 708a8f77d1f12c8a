"""The External API over real sockets: a server on loopback that misbehaves in the ways servers and networks do."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from ampcommit.amp.access import access
from ampcommit.amp.client import CONTENTS, Client, Refused
from ampcommit.amp.exchange import Patience
from ampcommit.errors import RemoteError
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT, ROOT, Repo
from tests.server import ENDLESS, Reply, Server, Workspace, bomb, data, redirect, self_signed

T = TypeVar("T")

QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=2.0, deadline=5.0, body=1_000_000)
HASTY = Patience(attempts=2, first_wait=0.01, deadline=0.8, body=1_000_000)
THREAD = ThreadId(CHILD)
LIST = "/api/v2/threads"
WHEN = ["2026-11-20T08:15:30Z", "2026-11-20T09:15:30Z", "2026-11-20T10:15:30Z"]


@pytest.fixture
def amp() -> Iterator[Workspace]:
    """A workspace with three threads, of which two have usage."""
    with Workspace() as workspace:
        for thread, synced, usd in zip((PARENT, CHILD, OTHER), WHEN, (1.25, 0.5, None), strict=True):
            workspace.add(thread, title="Say it", synced=synced, repositories=["https://example.com/r"], usd=usd)
        yield workspace


def use(
    amp: Workspace,
    what: Callable[[Client], Awaitable[T]],
    patience: Patience = QUICK,
    environ: dict[str, str] | None = None,
) -> T:
    """Let a new client of *amp* do *what*; no secret stands in what is raised."""

    async def using() -> T:
        async with Client(access(amp.environ | (environ or {})), patience=patience) as client:
            return await what(client)

    return asyncio.run(using())


def failure(
    amp: Workspace,
    what: Callable[[Client], Awaitable[object]],
    patience: Patience = QUICK,
    kind: type[RemoteError] = RemoteError,
    environ: dict[str, str] | None = None,
) -> str:
    """Return the two lines of what fails."""
    with pytest.raises(RemoteError) as error:
        use(amp, what, patience, environ)
    assert isinstance(error.value, kind)
    text = f"{error.value} | {error.value.hint}"
    assert not [hidden for hidden in (amp.client_secret, *amp.issued) if hidden in text]
    return text


async def ids(client: Client) -> list[str]:
    """Return the ids of all pages of two threads each."""
    return [entry.id async for page in client.pages(limit=2) for entry in page.entries]


async def usage(client: Client) -> object:
    """Return what the one thread cost."""
    return await client.usage(THREAD)


def test_the_whole_flow(amp: Workspace) -> None:
    """Token, pages, usage and messages come over real connections, which are kept open."""
    amp.messages[CHILD] = 5

    async def all_of_it(client: Client) -> None:
        entries = [entry async for page in client.pages(limit=2) for entry in page.entries]
        assert [entry.id for entry in entries] == [PARENT, CHILD, OTHER]
        assert entries[0].title == "Say it"
        found = await asyncio.gather(*(client.usage(entry.id) for entry in entries))
        assert [one and str(one.usd) for one in found] == ["1.25", "0.5", None]
        assert [len(page.messages) async for page in client.messages(THREAD, limit=2)] == [2, 2, 1]
        assert await client.knows(THREAD)
        assert not await client.knows(ThreadId(PARENT.replace("6e81", "6e82")))
        late = [entry.id async for page in client.pages(after=entries[1].first_synced) for entry in page.entries]
        assert late == [CHILD, OTHER]
        assert client.requests == len(amp.requests) == 13
        assert client.server_time is not None

    use(amp, all_of_it)
    assert amp.connections <= 4


def test_nobody_listens() -> None:
    """N01: a refused connection is told within seconds."""
    with Workspace() as amp:
        pass
    begun = time.monotonic()

    assert "127.0.0.1" in (text := failure(amp, ids)), text
    assert "cannot be reached" in text
    assert time.monotonic() - begun < 30


def test_a_dead_proxy_is_told(amp: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """N01: where a proxy that is not there stands in the way, the failure says where to look."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://u:hush-9c1d@127.0.0.1:{taken.getsockname()[1]}")

        text = failure(amp, ids, environ={"AMPCOMMIT_TOKEN_URL": "https://localhost/t"})

    assert "hush-9c1d" not in text
    assert "cannot be reached" in text
    assert "HTTPS_PROXY" in text


def test_a_proxy_does_not_hear_what_is_said_to_this_machine(amp: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """N11: http is for loopback because nobody listens there, so it goes around every proxy."""
    with Server() as proxy:
        for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)

        assert use(amp, ids) == [PARENT, CHILD, OTHER]
        assert proxy.connections == 0


@pytest.mark.parametrize("path", ["/oauth2/token", LIST, "/usage"])
@pytest.mark.parametrize(
    "reply",
    [Reply(reset_after=0), Reply(body=b"x" * 5000, reset_after=2000), Reply(raw=b""), Reply(503), Reply(429)],
    ids=["reset", "reset in the body", "closed", "503", "429"],
)
def test_one_mishap_is_got_over(amp: Workspace, path: str, reply: Reply) -> None:
    """N01: a connection that breaks once, wherever, and N04: a server that fails once, cost one more request."""
    amp.fail(1, reply, path=path)

    async def both(client: Client) -> int:
        assert await ids(client) == [PARENT, CHILD, OTHER]
        assert await usage(client)
        return client.requests

    assert use(amp, both) == 5


def test_a_connection_that_breaks_each_time_is_told(amp: Workspace) -> None:
    """N01: a reset in the midst of the body, each time, is told after a few tries."""
    amp.on(LIST, Reply(body=b"x" * 5000, reset_after=2000))

    assert "broke off: Connection reset by peer (3 tries)" in failure(amp, ids)
    assert len(amp.seen(LIST)) == 3


def test_what_is_refused_is_told_apart(amp: Workspace) -> None:
    """N02: wrong secret, missing scope, and what is not there are three different failures."""
    wrong = {"AMPCOMMIT_CLIENT_SECRET": "wrong"}
    assert "come from the environment" in failure(amp, ids, kind=Refused, environ=wrong)

    amp.on(LIST, data({"error": "not found"}, 404))
    assert "has no list of threads" in failure(amp, ids)

    amp.scopes = {Workspace.META}
    text = failure(amp, lambda client: client.knows(THREAD), kind=Refused)
    assert f"lacks the scope {CONTENTS}" in text

    amp.on(LIST, data({"error": "no"}, 401))
    assert "does not accept the client's token" in failure(amp, ids, kind=Refused)


def test_a_token_that_ends_is_renewed(amp: Workspace) -> None:
    """N02: a token that is revoked in the midst of the list costs one more token."""

    async def revoked(client: Client) -> list[str]:
        found: list[str] = []
        async for page in client.pages(limit=1):
            found += [entry.id for entry in page.entries]
            if len(found) == 2:
                amp.revoke()
        return found

    assert use(amp, revoked) == [PARENT, CHILD, OTHER]
    assert len(amp.issued) == 2


def test_a_short_wait_is_kept_by_all(amp: Workspace) -> None:
    """N03: after 429 with Retry-After nobody asks before that time."""
    amp.fail(2, data({}, 429, {"Retry-After": "1"}), path="/usage")

    async def many(client: Client) -> None:
        await asyncio.gather(*(usage(client) for _ in range(12)))

    use(amp, many)

    times = [request.time for request in amp.seen("/usage")]
    assert len(times) == 13
    assert max(later - sooner for sooner, later in pairwise(times)) > 0.8


def test_a_long_wait_ends_the_run(amp: Workspace) -> None:
    """N03: after 429 with a day to wait, that is told at once."""
    amp.on(LIST, data({}, 429, {"Retry-After": "86400"}))

    assert "asks to wait 24 hours" in failure(amp, ids)
    assert len(amp.seen(LIST)) == 1


def test_a_server_that_fails_each_time_is_left_alone(amp: Workspace) -> None:
    """N04: a server that fails for good is asked a few times."""
    amp.on(LIST, Reply(500, b"<h1>Oh</h1>"))

    assert "answered 500 (3 tries)" in failure(amp, ids)
    assert len(amp.seen(LIST)) == 3


@pytest.mark.parametrize(
    "reply",
    [
        Reply(silent=True),
        Reply(drip_headers=0.05),
        Reply(body=b"x" * 1000, drip_body=0.05),
        Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 3, drip_headers=0.05),
        Reply(body=b" ", length=ENDLESS, drip_body=0.02),
    ],
    ids=["silent", "headers", "body", "early answers", "endless"],
)
def test_a_drip_has_a_time_limit(amp: Workspace, reply: Reply) -> None:
    """N05: the limit is for the whole answer; a byte now and then does not move it. The way is free afterwards."""
    amp.fail(1, reply, path="/usage")
    amp.fail(2, reply, path="/usage")
    begun = time.monotonic()

    async def then(client: Client) -> object:
        with pytest.raises(RemoteError, match=r"did not answer in 0\.8 seconds|fell silent|\(2 tries\)"):
            await usage(client)
        return await usage(client)

    assert use(amp, then, HASTY)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body=b'{"threads": []}', length=500), "broke off (3 tries)"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"), "broke off (3 tries)"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "broke off (3 tries)"),
        (Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "broke off (3 tries)"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), "broke off (3 tries)"),
        (Reply(body=b'{"threads"\0: []}'), "not a list of threads"),
        (Reply(body=b"<html>Hello</html>"), "not a list of threads"),
        (Reply(raw=b'HTTP/1.1 200 OK\r\n\r\n{"threads": [{"id": '), "not a list of threads"),
        (data([]), "not a list of threads"),
        (data({"threads": {"id": CHILD}}), "not a list of threads"),
    ],
)
def test_a_broken_answer_is_told(amp: Workspace, reply: Reply, words: str) -> None:
    """N06: truncated, of a wrong length, no HTTP, NUL, HTML, another type: each is a failure in words."""
    amp.on(LIST, reply)

    assert words in failure(amp, ids)


def test_an_answer_about_another_thread_is_none(amp: Workspace) -> None:
    """N06: the id must be the one that was asked for."""
    amp.usage[CHILD] = amp.usage[PARENT]

    assert "another thread" in failure(amp, usage)


def test_an_endless_body_has_a_limit(amp: Workspace) -> None:
    """N07: a body without an end is cut at the limit, and not asked for again."""
    amp.on(LIST, Reply(body=b"[" * 65536, length=ENDLESS))

    assert "more than 1000000 bytes" in failure(amp, ids)
    assert len(amp.seen(LIST)) == 1


BOMBED = """
import asyncio, resource, sys
from ampcommit.amp.access import access
from ampcommit.amp.client import Client
from ampcommit.errors import RemoteError

async def main():
    async with Client(access(dict(zip(sys.argv[1::2], sys.argv[2::2])))) as client:
        try:
            async for page in client.pages():
                pass
        except RemoteError as error:
            print(error)

def used():
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // 1024 if sys.platform == "darwin" else size

before = used()
asyncio.run(main())
print(used() - before)
"""


def test_a_bomb_does_not_fill_the_memory(amp: Workspace) -> None:
    """N07: 256 MB in a quarter of a megabyte are unpacked up to the limit, and no further."""
    amp.on(LIST, bomb(256 * 1024 * 1024))
    given = [part for pair in amp.environ.items() for part in pair]

    # The system counts what a process was before it became another program: here that is a shell.
    argv = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", BOMBED, *given]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)

    said, grown = done.stdout.splitlines()
    assert "more than 33554432 bytes" in said
    assert int(grown) < 130 * 1024  # KiB: the limit is 32 MiB, and a piece is kept while it is added


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_token_elsewhere(amp: Workspace, status: int) -> None:
    """N08: neither another host, nor http, nor itself is followed to."""
    with Server() as evil:
        evil.on("/t", data({"access_token": "x"}))
        for where in (f"{evil.url}/t", "http://ampcode.com/", f"{amp.url}{LIST}"):
            for path in (LIST, "/oauth2/token"):
                amp.fail(1, redirect(where, status), path=path)
                assert f"(status {status}): nothing is sent there" in failure(amp, ids)
        assert evil.connections == 0


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """N09: an unknown certificate ends it at once, without a request; named in SSL_CERT_FILE, it counts."""
    certificate, key = self_signed(tmp_path)
    with Workspace(tls=(certificate, key)) as amp:
        text = failure(amp, ids)

        assert "cannot be trusted: self" in text
        assert "SSL_CERT_FILE" in text
        assert amp.requests == []
        assert amp.connections <= 1

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert use(amp, ids) == []


def test_a_server_without_tls_is_refused(amp: Workspace) -> None:
    """N09: where https is asked and something else answers, no token is sent in the clear."""
    environ = {name: value.replace("http://", "https://") for name, value in amp.environ.items()}

    assert "cannot be trusted" in failure(amp, ids, environ=environ)
    assert amp.requests == []


def test_a_list_in_a_circle_ends(amp: Workspace) -> None:
    """N10: pages whose cursors repeat end the list with a failure."""
    amp.on(LIST, *(data({"threads": [], "nextCursor": cursor}) for cursor in "aba"))

    assert "a cursor came twice" in failure(amp, ids)
    assert len(amp.seen(LIST)) == 3


def test_secrets_go_into_headers_alone(amp: Workspace) -> None:
    """N11: neither token nor secret stands in a path, a query or a body that arrives."""
    use(amp, ids)
    use(amp, usage)

    seen = "".join(request.target + request.body.decode() for request in amp.requests)
    assert not [hidden for hidden in (amp.client_id, amp.client_secret, *amp.issued) if hidden in seen]


def test_no_process_shows_a_secret(amp: Workspace) -> None:
    """N11: what a command that fails in every way prints, defects and logs included, holds no secret."""
    amp.fail(3, data({"error": f"{amp.client_secret} tok-0-2f1d"}, 403), path="")
    code = (
        "import asyncio, logging, os, sys; logging.basicConfig(level=0)\n"
        "from ampcommit.amp.access import access\nfrom ampcommit.amp.client import Client\n"
        "async def main():\n"
        "    async with Client(access(os.environ)) as client:\n"
        "        print(client, client._exchange)\n"
        "        async for page in client.pages(limit=1):\n"
        "            print(page, page.entries, client.notices)\n"
        "asyncio.run(main(), debug=True)\n"
    )

    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        cwd=ROOT,
        env=os.environ | amp.environ,
        capture_output=True,
        check=False,
    )

    said = (done.stdout + done.stderr).decode()
    assert "Refused" in said
    assert "(hidden)" in said
    assert not [hidden for hidden in (amp.client_secret, *amp.issued) if hidden in said]


def test_commits_talk_to_nobody(installed: Repo) -> None:
    """N12: with hooks installed, a commit, an amend and a merge open no connection, whatever the variables name."""
    with Workspace() as amp:
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        environ = amp.environ | dict.fromkeys(proxies, amp.url)
        environ |= {"AGENT": "amp", "AGENT_THREAD_ID": CHILD, "AMP_CURRENT_THREAD_ID": CHILD}

        installed.commit("-qm", "Say what changes", env=environ)
        installed.commit("-q", "--amend", "-m", "Say it better", env=environ)
        installed.run("checkout", "-qb", "side", env=environ)
        installed.commit("-qm", "Say what changes elsewhere", env=environ)
        installed.run("checkout", "-q", "main", env=environ)
        installed.run("merge", "-q", "--no-ff", "--no-edit", "side", env=environ)
        time.sleep(0.5)  # what a hook starts has begun by then

        assert installed.links() == [f"https://ampcode.com/threads/{CHILD}"]
        assert amp.connections == 0


def test_an_interrupt_leaves_cleanly(amp: Workspace) -> None:
    """An interrupted run closes its connections and says nothing but that it was interrupted."""
    amp.on(LIST, Reply(silent=True))
    code = (
        "import asyncio, os\nfrom ampcommit.amp.access import access\nfrom ampcommit.amp.client import Client\n"
        "async def main():\n"
        "    async with Client(access(os.environ)) as client:\n"
        "        async for page in client.pages():\n"
        "            pass\n"
        "try:\n    asyncio.run(main())\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env=os.environ | amp.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    until = time.monotonic() + 60
    while not amp.seen(LIST) and time.monotonic() < until:
        time.sleep(0.01)

    child.send_signal(2)

    assert child.communicate(timeout=60)[0].decode() == "interrupted\n"


def test_a_question_that_is_given_up_frees_the_way(amp: Workspace) -> None:
    """A task that is cancelled takes no connection with it: as many others as before can ask."""
    amp.fail(1, Reply(silent=True), path="/usage")
    amp.fail(2, Reply(body=b"x" * 1000, drip_body=0.05), path="/usage")

    async def given_up() -> None:
        async with Client(access(amp.environ), patience=QUICK, concurrent=1) as client:
            for _ in range(2):
                task = asyncio.ensure_future(usage(client))
                await asyncio.sleep(0.3)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await usage(client)

    asyncio.run(given_up())


def test_many_at_once_stay_within_the_limit(amp: Workspace) -> None:
    """However many ask, no more connections are open than are allowed."""

    async def many() -> None:
        async with Client(access(amp.environ), patience=QUICK, concurrent=3) as client:
            await asyncio.gather(*(usage(client) for _ in range(60)))

    asyncio.run(many())

    assert amp.connections <= 3
    assert len(amp.seen("/usage")) == 60


def test_the_workspace_keeps_the_rules(amp: Workspace) -> None:
    """The server that stands for Amp pages, hides and refuses as the API is documented to do."""
    with Server() as plain:
        plain.on("/x", lambda request: data(request.form, 201))
        with socket.create_connection(("127.0.0.1", plain.port), 10) as line:
            line.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b")
            assert line.recv(10_000).endswith(json.dumps({"a": "b"}).encode())
        assert plain.answer(plain.requests[0]).status == 404
    amp.scopes = {Workspace.META}

    async def limited(client: Client) -> None:
        entries = [entry async for page in client.pages(limit=1) for entry in page.entries]
        assert [(entry.title, entry.repositories) for entry in entries] == [(None, None)] * 3
        assert len(client.notices) == 1
        with pytest.raises(RemoteError, match="limit must be between 1 and 100"):
            await anext(client.pages(limit=101))

    use(amp, limited)
