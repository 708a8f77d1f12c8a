"""`ampcommit sync`: a workspace on loopback, over real sockets, into a real store."""

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpx import HTTPXMock

from ampcommit.amp.exchange import Patience
from ampcommit.amp.usage import text_of
from ampcommit.errors import MisuseError, RemoteError, SetupError
from ampcommit.verbs.sync import Asked, Synced, sync
from tests.conftest import command
from tests.server import Reply, Request, Workspace, data

NOW = datetime.now(UTC)
HASTY = Patience(attempts=2, first_wait=0.001, deadline=5)
"""Tests do not wait."""

USAGE = "/usage"


def name(number: int) -> str:
    """Return the id of a thread; its version says nothing of time."""
    return f"T-{number:08x}-0000-4000-8000-000000000000"


def ago(days: float) -> str:
    """Return the moment so many days ago, as Amp writes it."""
    return text_of(NOW - timedelta(days=days))


def add(amp: Workspace, number: int, days: float = 1, *, usd: float | None = 1.5, **more: str) -> None:
    """Put a thread in that began, changed and was synced so many *days* ago."""
    model = {"provider": "p", "model": "m", "requests": 3, "inputTokens": 10, "usage": usd}
    times = {"created": ago(days), "updated": ago(days), "synced": ago(days)} | more
    shown = {"title": f"Thread {number}", "creator": f"user_{number % 3}"}
    where = [f"https://name:secret@github.com/example/demo{number % 2}.git"]
    amp.add(name(number), **shown, **times, repositories=where, usd=usd, models=[model])


@pytest.fixture
def amp() -> Iterator[Workspace]:
    """A workspace on loopback, without threads."""
    with Workspace() as workspace:
        yield workspace


def run(amp: Workspace, asked: Asked | None = None, *, patience: Patience = HASTY) -> Synced:
    """Synchronise with *amp*, and count its requests anew."""
    amp.requests.clear()
    return sync(asked or Asked(), {**os.environ, **amp.environ}, patience=patience)


def store(home: Path) -> Path:
    """Return where the store is in the sealed home."""
    return home / ".local" / "share" / "ampcommit" / "threads.db"


@contextmanager
def opened(home: Path) -> Iterator[sqlite3.Connection]:
    """Open the store as any program may; what is changed is kept."""
    with closing(sqlite3.connect(store(home))) as connection:
        yield connection
        connection.commit()


def rows(home: Path, question: str) -> list[tuple[object, ...]]:
    """Return what the store answers."""
    with opened(home) as connection:
        return connection.execute(question).fetchall()


def dumped(home: Path) -> list[str]:
    """Return all that the store says of Amp, whenever it was learned."""
    with opened(home) as connection:
        return [line for line in connection.iterdump() if '"progress"' not in line and '"retries"' not in line]


def test_a_first_run_takes_everything(amp: Workspace, sealed: Path) -> None:
    """Threads, users, repositories without secrets, costs and models are in the store, and the counts are right."""
    for number in range(250):
        add(amp, number)

    done = run(amp)

    assert (done.listed, done.due, done.filled) == ({"new": 250, "updated": 0, "unchanged": 0}, 250, 250)
    assert (done.expired, done.failed, done.problem, done.since) == (0, 0, None, None)
    assert done.size == {"threads": 250, "users": 3, "repositories": 2}
    assert done.requests == len(amp.requests) == 1 + 3 + 250
    assert rows(sealed, "SELECT count(*), min(title), max(usd) FROM threads JOIN usage ON id = thread") == [
        (250, "Thread 0", "1.5")
    ]
    assert rows(sealed, "SELECT DISTINCT provider, model, requests, input_tokens, usd FROM model_usage") == [
        ("p", "m", 3, 10, "1.5")
    ]
    assert rows(sealed, "SELECT name FROM repositories ORDER BY name") == [
        ("github.com/example/demo0",),
        ("github.com/example/demo1",),
    ]
    assert b"secret" not in store(sealed).read_bytes()
    assert store(sealed).stat().st_mode & 0o777 == 0o600
    assert store(sealed).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("usage", [True, False])
def test_a_workspace_may_be_empty(httpx_mock: HTTPXMock, sealed: Path, usage: bool) -> None:
    """Without threads there is nothing to ask for, and the run is whole."""
    httpx_mock.add_response(url="https://auth.ampcode.com/oauth2/token", json={"access_token": "t", "expires_in": 60})
    httpx_mock.add_response(url="https://ampcode.com/api/v2/threads?limit=100", json={"threads": []})
    environ = {**os.environ, "AMPCOMMIT_CLIENT_ID": "id", "AMPCOMMIT_CLIENT_SECRET": "secret"}

    done = sync(Asked(usage=usage), environ)

    assert (done.problem, done.due, done.requests, done.size["threads"]) == (None, 0 if usage else None, 2, 0)
    assert rows(sealed, "SELECT name FROM progress") == [("listed",)]


def answering(httpx_mock: HTTPXMock, usage: dict[str, object]) -> dict[str, str]:
    """Let Amp's own addresses answer with one thread and its *usage*; return the environment to ask them."""
    entry = {"id": name(1), "creatorUserID": "u", "updatedAt": ago(1)}
    httpx_mock.add_response(url="https://auth.ampcode.com/oauth2/token", json={"access_token": "t"})
    httpx_mock.add_response(url="https://ampcode.com/api/v2/threads?limit=100", json={"threads": [entry]})
    httpx_mock.add_response(url=f"https://ampcode.com/api/v2/threads/{name(1)}/usage", json=usage)
    return {**os.environ, "AMPCOMMIT_CLIENT_ID": "id", "AMPCOMMIT_CLIENT_SECRET": "secret"}


def test_one_thread_has_one_cost(httpx_mock: HTTPXMock, sealed: Path) -> None:
    """A list of one thread leads to one question, and the run is whole."""
    done = sync(Asked(), answering(httpx_mock, {"threadID": name(1), "usage": 2}))

    assert (done.due, done.filled, done.problem) == (1, 1, None)
    assert rows(sealed, "SELECT usd FROM usage") == [("2",)]


def test_an_answer_about_another_thread_is_a_problem(httpx_mock: HTTPXMock, sealed: Path) -> None:
    """N06: what another thread cost is not taken for the answer."""
    done = sync(Asked(), answering(httpx_mock, {"threadID": name(2), "usage": 2}))

    assert (done.due, done.filled, done.failed) == (1, 0, 1)
    assert "what 1 of 1 threads cost could not be fetched: Amp told of another thread" in str(done.problem)
    assert rows(sealed, "SELECT usd FROM usage") == []


def test_an_api_that_is_not_there_is_said(httpx_mock: HTTPXMock) -> None:
    """N02: 404 for the list is a problem of its own, and the run has a summary all the same."""
    httpx_mock.add_response(url="https://auth.ampcode.com/oauth2/token", json={"access_token": "t"})
    httpx_mock.add_response(url="https://ampcode.com/api/v2/threads?limit=100", status_code=404)
    environ = {**os.environ, "AMPCOMMIT_CLIENT_ID": "id", "AMPCOMMIT_CLIENT_SECRET": "secret"}

    done = sync(Asked(), environ)

    assert str(done.problem) == "https://ampcode.com has no list of threads"
    assert (done.due, done.requests) == (None, 2)


def test_no_more_requests_than_allowed_are_under_way(amp: Workspace) -> None:
    """Requests use as many connections as may be under way at once, and no more."""
    for number in range(30):
        add(amp, number)

    run(amp, Asked(concurrent=3))

    assert amp.connections <= 3


def test_a_run_with_nothing_new_only_lists(amp: Workspace, sealed: Path) -> None:
    """The second run asks for a token and for the pages, and the store stays as it is."""
    for number in range(150):
        add(amp, number)
    run(amp)
    before = dumped(sealed)

    done = run(amp)

    assert [request.path for request in amp.requests] == ["/oauth2/token", "/api/v2/threads", "/api/v2/threads"]
    assert (done.listed["unchanged"], done.due) == (150, 0)
    assert dumped(sealed) == before


def test_what_changed_is_taken_over(amp: Workspace, sealed: Path) -> None:
    """A known thread that was updated is listed again, and its cost asked for again; no other's."""
    for number in range(3):
        add(amp, number, days=80)
    run(amp)
    amp.threads[name(1)] |= {"title": "Renamed", "updatedAt": ago(0)}
    amp.usage[name(1)]["usage"] = 2.25

    done = run(amp)

    assert done.listed == {"new": 0, "updated": 1, "unchanged": 2}
    assert [request.path for request in amp.seen(USAGE)] == [f"/api/v2/threads/{name(1)}/usage"]
    found = rows(sealed, "SELECT title, usd FROM threads JOIN usage ON id = thread WHERE title = 'Renamed'")
    assert found == [("Renamed", "2.25")]


def listings(amp: Workspace) -> list[str | None]:
    """Return from when on each page was asked for."""
    return [request.query.get("after") for request in amp.requests if request.path == "/api/v2/threads"]


def test_runs_list_90_days_and_once_a_week_everything(amp: Workspace, sealed: Path) -> None:
    """Between two whole lists only threads first synced in the last 90 days are listed."""
    add(amp, 1, days=300)
    add(amp, 2, days=1)
    assert run(amp).since is None

    done = run(amp)
    assert done.since is not None
    assert timedelta(days=90) < NOW - done.since < timedelta(days=92)
    assert done.listed["unchanged"] == 1
    assert [datetime.fromisoformat(str(after)) for after in listings(amp)] == [done.since]

    with opened(sealed) as connection:
        connection.execute("UPDATE progress SET value = ? WHERE name = 'listed'", (ago(7.1),))
    assert run(amp).since is None
    assert run(amp).since is not None


@pytest.mark.parametrize("days", [-30, -0.01, 8])
def test_a_clock_that_jumped_hides_nothing(amp: Workspace, sealed: Path, days: float) -> None:
    """Where the last whole list was noted by a clock that was ahead, or is long past, everything is listed."""
    add(amp, 1, days=300)
    run(amp)
    with opened(sealed) as connection:
        connection.execute("UPDATE progress SET value = ? WHERE name = 'listed'", (ago(days),))

    assert run(amp).since is None


def test_a_clock_that_is_ahead_leaves_no_thread_out(amp: Workspace) -> None:
    """The 90 days are counted back from the newest thread that is known, if our own clock is ahead of it."""
    add(amp, 1, days=400)
    run(amp)
    add(amp, 2, days=480)  # as if our clock had been right 400 days ago

    done = run(amp)

    assert done.listed == {"new": 1, "updated": 0, "unchanged": 1}


def test_sub_threads_are_contained_in_their_main_thread(amp: Workspace, sealed: Path) -> None:
    """The cost of a sub-thread is not asked for; when one changes, the main thread's cost is asked for anew."""
    add(amp, 1, usd=5)
    add(amp, 2, main=name(1))
    amp.usage[name(1)]["subThreadIDs"] = [name(2), name(3)]
    add(amp, 3, usd=2)
    run(amp)
    assert {request.path for request in amp.seen(USAGE)} <= {f"/api/v2/threads/{name(n)}/usage" for n in (1, 3)}
    amp.threads[name(2)]["updatedAt"] = ago(0)

    done = run(amp)

    assert (done.due, done.filled) == (1, 1)
    assert [request.path for request in amp.seen(USAGE)] == [f"/api/v2/threads/{name(1)}/usage"]
    assert rows(sealed, "SELECT sub FROM sub_threads ORDER BY sub") == [(name(2),), (name(3),)]


def test_costs_that_amp_forgot_are_remembered_as_expired(amp: Workspace, sealed: Path) -> None:
    """404 for a thread of more than 90 days is expired: not retried, until the thread changes."""
    add(amp, 1, days=100, usd=None)
    add(amp, 2, days=100)

    done = run(amp)
    assert (done.expired, done.filled, done.failed) == (1, 1, 0)
    assert rows(sealed, "SELECT usd, expired FROM usage ORDER BY thread") == [(None, 1), ("1.5", 0)]
    assert run(amp, Asked(full=True)).due == 0

    amp.threads[name(1)]["updatedAt"] = amp.threads[name(2)]["updatedAt"] = ago(0)
    del amp.usage[name(2)]
    assert run(amp, Asked(full=True)).expired == 2
    assert rows(sealed, "SELECT usd, expired FROM usage ORDER BY thread") == [(None, 1), ("1.5", 1)]
    assert run(amp, Asked(full=True)).due == 0


@pytest.mark.parametrize(
    "thread",
    [name(1), f"T-{int(NOW.timestamp() * 1000) >> 16:08x}-0000-7000-8000-000000000000"],
    ids=["dated", "of version 7"],
)
def test_the_cost_of_a_young_thread_is_not_given_up(amp: Workspace, sealed: Path, thread: str) -> None:
    """404 for a thread that cannot be expired yet is no failure; a day later the thread is asked for again."""
    created = ago(5) if thread == name(1) else None
    amp.add(thread, created=created)

    done = run(amp)
    assert (done.due, done.untold, done.failed, done.expired, done.reason) == (1, 1, 0, 0, None)
    assert run(amp).due == 0
    with opened(sealed) as connection:
        connection.execute("UPDATE retries SET at = ?", (ago(1.1),))
    amp.add(thread, created=created, usd=2)
    assert (run(amp).filled, run(amp).due) == (1, 0)


def test_age_is_by_the_clock_of_amp(amp: Workspace) -> None:
    """A clock of ours that is a year ahead makes no thread expired: Amp's answers carry the time."""
    amp.add(name(1), created=ago(100), synced=ago(100))
    amp.on(f"/api/v2/threads/{name(1)}/usage", Reply(404, date=NOW - timedelta(days=99)))
    amp.on("/oauth2/token", data({"access_token": "t", "expires_in": 60}, date=NOW - timedelta(days=99)))
    amp.on("/api/v2/threads", data({"threads": list(amp.threads.values())}, date=NOW - timedelta(days=99)))

    assert (run(amp).untold, run(amp).expired) == (1, 0)


def test_a_clock_of_amp_that_is_ahead_makes_nothing_expired(amp: Workspace) -> None:
    """Nor does one answer with a date of next year: both clocks have to say that a thread is old."""
    amp.add(name(1), created=ago(5), synced=ago(5))
    amp.on(f"/api/v2/threads/{name(1)}/usage", Reply(404, date=NOW + timedelta(days=365)))

    assert (run(amp).untold, run(amp).expired) == (1, 0)


def test_a_thread_within_one_that_expired_is_not_lost(amp: Workspace) -> None:
    """Where the main thread is too old, what a younger thread within it cost is asked for, in the same run."""
    add(amp, 1, days=200, usd=None)
    add(amp, 2, days=2, main=name(1))

    done = run(amp)
    assert (done.due, done.expired, done.filled) == (2, 1, 1)
    assert run(amp).due == 0


def test_without_a_word_of_changes_costs_are_asked_for_daily(amp: Workspace, sealed: Path) -> None:
    """A thread whose list entry has no time of its last change is asked for once a day, while Amp tells."""
    amp.add(name(1), created=ago(5), usd=1)
    amp.add(name(2), created=ago(200), usd=1)
    assert (run(amp).filled, run(amp).due) == (2, 0)
    amp.usage[name(1)]["usage"] = 50
    with opened(sealed) as connection:
        connection.execute("UPDATE retries SET at = ?", (ago(1.1),))

    assert (run(amp).filled, run(amp).due) == (1, 0)
    assert rows(sealed, "SELECT usd FROM usage ORDER BY thread") == [("50",), ("1",)]


def test_a_long_wait_ends_the_run(amp: Workspace) -> None:
    """N03: where Amp asks to wait for a day, the run ends at once, however many threads it is about."""
    for number in range(20):
        add(amp, number)
    for number in range(3, 20):
        amp.on(f"/api/v2/threads/{name(number)}/usage", Reply(429, headers={"Retry-After": "86400"}))

    done = run(amp, Asked(concurrent=1))

    assert (done.failed, len(amp.seen(USAGE))) == (0, done.filled + 1)
    assert "asks to wait 24 hours" in str(done.problem)


def test_a_thread_without_any_time_can_expire(amp: Workspace) -> None:
    """Of a thread about which only the two ids are known, 404 is final."""
    amp.add(name(1))

    assert (run(amp).expired, run(amp).due) == (1, 0)


def test_the_oldest_are_asked_for_first(amp: Workspace) -> None:
    """Costs are fetched in the order in which Amp will forget them."""
    for number, days in enumerate([5, 80, 20, 50]):
        add(amp, number, days)
    del amp.threads[name(3)]["createdAt"]

    run(amp, Asked(concurrent=1))

    assert [request.path.split("/")[4] for request in amp.seen(USAGE)] == [name(n) for n in (1, 3, 2, 0)]


def test_what_failed_is_left_for_the_next_run(amp: Workspace) -> None:
    """A thread for which Amp only has errors costs the others nothing, and is asked for again."""
    for number in range(20):
        add(amp, number)
    amp.on(f"/api/v2/threads/{name(4)}/usage", Reply(500))

    done = run(amp)
    assert (done.due, done.filled, done.failed) == (20, 19, 1)
    assert "what 1 of 20 threads cost could not be fetched: " in str(done.problem)
    assert "answered 500" in str(done.problem)

    amp.on(f"/api/v2/threads/{name(4)}/usage", data(amp.usage[name(4)]))
    assert (run(amp).filled, run(amp).due) == (1, 0)


def test_a_server_that_only_fails_is_not_asked_for_ever(amp: Workspace) -> None:
    """After ten failures in a row the run ends, with what it has."""
    for number in range(40):
        add(amp, number, days=40 - number)
    for number in range(5, 40):
        amp.on(f"/api/v2/threads/{name(number)}/usage", Reply(503))

    done = run(amp, Asked(concurrent=1))

    assert (done.filled, done.failed) == (5, 10)
    assert "answered 503" in str(done.problem)
    assert len(amp.seen(USAGE)) == 5 + 10 * HASTY.attempts


def test_a_client_that_is_refused_ends_the_run(amp: Workspace) -> None:
    """N02: a 403 for one thread is one for all; answers that came before are kept."""
    for number in range(8):
        add(amp, number, days=8 - number)
    amp.on(f"/api/v2/threads/{name(3)}/usage", Reply(403))

    done = run(amp, Asked(concurrent=1))

    assert (done.filled, done.failed, len(amp.seen(USAGE))) == (3, 0, 4)
    assert done.problem is not None
    assert run(amp).due == 5


def test_a_list_that_breaks_off_is_continued(amp: Workspace, sealed: Path) -> None:
    """A whole list that was interrupted goes on near where it ended; it is whole only at its end."""
    for number in range(350):
        add(amp, number, days=700 - number)
    amp.fail(4, Reply(500), path="/api/v2/threads")
    amp.fail(5, Reply(500), path="/api/v2/threads")

    done = run(amp, Asked(usage=False))
    assert (done.listed["new"], done.requests) == (300, 6)
    assert done.problem is not None

    done = run(amp, Asked(usage=False))
    assert (done.listed, done.problem) == ({"new": 50, "updated": 0, "unchanged": 100}, None)
    assert done.since is not None
    kept = dumped(sealed)
    assert run(amp, Asked(usage=False)).since != done.since  # from here on: 90 days

    assert run(amp, Asked(full=True)).listed["unchanged"] == 350
    assert kept[: kept.index("COMMIT;")] != []
    assert rows(sealed, "SELECT name FROM progress") == [("listed",)]


def test_an_interrupted_list_of_last_week_is_begun_anew(amp: Workspace, sealed: Path) -> None:
    """What was listed more than a week ago is not taken for current."""
    for number in range(150):
        add(amp, number, days=300 - number)
    amp.on("/api/v2/threads", amp.answer, Reply(404))
    assert run(amp, Asked(usage=False)).problem is not None
    with opened(sealed) as connection:
        connection.execute("UPDATE progress SET value = ? WHERE name = 'begun'", (ago(8),))
    amp.on("/api/v2/threads", amp.answer)

    assert run(amp, Asked(usage=False)).listed == {"new": 50, "updated": 0, "unchanged": 100}


def test_a_cursor_that_repeats_ends_the_run(amp: Workspace) -> None:
    """N10: a list that leads back to itself is an error, and what was read is kept."""
    entry = {"id": name(1), "creatorUserID": "u"}
    amp.on("/api/v2/threads", data({"threads": [entry], "nextCursor": "again"}))

    done = run(amp)

    assert "cursor" in str(done.problem)
    assert (done.listed["new"], len(amp.seen("/api/v2/threads"))) == (1, 2)
    assert done.size["threads"] == 1


def test_pages_may_repeat_and_come_in_any_order(amp: Workspace, sealed: Path) -> None:
    """Duplicate entries count once, and an older state of a thread never replaces a newer one."""
    new = {"id": name(1), "creatorUserID": "u", "title": "new", "updatedAt": ago(1)}
    old = {"id": name(1), "creatorUserID": "u", "title": "old", "updatedAt": ago(2)}
    other = {"id": name(2), "creatorUserID": "u", "title": None, "unheard": {"of": [1]}}
    for number, order in enumerate(itertools.permutations([[new], [old], [other, new, other]])):
        pages = [data({"threads": page, "nextCursor": str(at)}) for at, page in enumerate(order)]
        amp.on("/api/v2/threads", *pages, data({"threads": [{"id": "no thread"}, None, 7], "nextCursor": ""}))

        done = run(amp, Asked(usage=False, full=True))

        assert (sum(done.listed.values()), done.unusable) == (2, 3), number
        assert rows(sealed, "SELECT title FROM threads ORDER BY id") == [("new",), (None,)]


def test_titles_are_kept_as_they_are_and_bounded(amp: Workspace, sealed: Path) -> None:
    """Hostile titles are data; huge ones are cut, and broken characters replaced."""
    hostile = "\x1b]0;x\x07**[a](b)** `%%{init}%%` \u202e"
    for number, title in enumerate([hostile, "x" * 5_000_000, "\ud800"]):
        amp.add(name(number), title=title)

    run(amp, Asked(usage=False))

    assert rows(sealed, "SELECT title FROM threads ORDER BY id") == [(hostile,), ("x" * 1000,), ("?",)]


def test_only_a_part_can_be_asked_for(amp: Workspace) -> None:
    """With a date the list begins there, is not a whole one, and costs can be left out."""
    add(amp, 1, days=20)
    add(amp, 2, days=2)
    since = NOW - timedelta(days=10)

    done = run(amp, Asked(since, usage=False))
    assert (done.since, done.listed["new"], done.due) == (since, 1, None)

    assert run(amp).since is None


def test_a_dry_run_keeps_nothing(amp: Workspace, sealed: Path) -> None:
    """A dry run lists, compares and says how many costs it would ask for; there is not even a folder afterwards."""
    for number in range(3):
        add(amp, number)

    done = run(amp, Asked(dry_run=True))
    assert (done.listed["new"], done.due, done.filled, len(amp.seen(USAGE))) == (3, 3, 0, 0)
    assert not store(sealed).parent.exists()

    run(amp)
    before = dumped(sealed)
    add(amp, 3)
    amp.threads[name(0)] |= {"title": "x", "updatedAt": ago(0)}
    done = run(amp, Asked(dry_run=True))
    assert (done.listed, done.due) == ({"new": 1, "updated": 1, "unchanged": 2}, 2)
    assert dumped(sealed) == before


def test_two_runs_at_once_are_refused(amp: Workspace, sealed: Path) -> None:
    """Who comes second is told so before any request; a dry run may look all the while."""
    outcomes: list[str] = []

    def meanwhile(_: Request) -> Reply:
        try:
            sync(Asked(), {**os.environ, **amp.environ}, patience=HASTY)
        except SetupError as error:
            outcomes.append(str(error))
        return data({"threads": []})

    amp.on("/api/v2/threads", meanwhile)

    assert run(amp).problem is None
    assert outcomes == ["another `ampcommit sync` is at work"]
    assert len(amp.seen("token")) == 1
    assert store(sealed).exists()


def test_a_wrong_address_is_said_before_anything_is_made(sealed: Path) -> None:
    """A custom AMP_URL without a token endpoint is a misuse, and leaves no file."""
    with pytest.raises(MisuseError):
        sync(Asked(), {**os.environ, "AMP_URL": "https://amp.example.com"})

    assert not store(sealed).parent.exists()


def test_without_credentials_nothing_is_made(sealed: Path) -> None:
    """Where nobody knows id and secret, that is said, and no file is left."""
    with pytest.raises(RemoteError, match="no credentials"):
        sync(Asked(), os.environ)

    assert not store(sealed).parent.exists()


def started(amp: Workspace) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own."""
    environ = {**os.environ, **amp.environ}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command("sync", "--json", "--concurrency", "2"), env=environ, **pipes)  # type: ignore[call-overload,no-any-return]


def awaited(amp: Workspace, count: int, path: str = "") -> None:
    """Wait until so many requests for *path* have arrived."""
    until = time.monotonic() + 30
    while len(amp.seen(path)) < count:
        assert time.monotonic() < until
        time.sleep(0.005)


def filled(amp: Workspace) -> None:
    """Put 320 threads in, some of them within others."""
    for number in range(320):
        more = {"main": name(number - 1)} if number % 5 == 4 else {}
        add(amp, number, days=200 - number / 2, usd=None if number % 7 == 3 else number / 8, **more)


_UNDISTURBED: list[str] = []


def undisturbed(amp: Workspace, home: Path) -> list[str]:
    """Return what the store says after a run that nobody disturbed; one is enough."""
    if not _UNDISTURBED:
        environ = {**os.environ, **amp.environ, "XDG_DATA_HOME": str(home / ".local" / "share")}
        sync(Asked(), environ, patience=HASTY)
        _UNDISTURBED.extend(dumped(home))
    return _UNDISTURBED


@pytest.mark.parametrize("at", [1, 2, 4, 5, 30, 150, 200])
def test_a_killed_run_is_made_good_by_the_next(amp: Workspace, sealed: Path, tmp_path: Path, at: int) -> None:
    """Wherever a run is killed, two more end with the store of a run that nobody disturbed."""
    filled(amp)
    wanted = undisturbed(amp, tmp_path / "undisturbed")
    amp.requests.clear()
    amp.fail(at, Reply(silent=True))
    process = started(amp)
    awaited(amp, at)
    process.kill()
    process.communicate()

    done = run(amp)

    assert done.problem is None
    assert dumped(sealed) == wanted
    assert (run(amp).filled, dumped(sealed)) == (0, wanted)


def test_an_interrupt_keeps_what_came(amp: Workspace, sealed: Path) -> None:
    """Ctrl-C ends a run at once, with the status for that and no traceback; every answer that came is kept."""
    for number in range(60):
        add(amp, number)
    amp.fail(40, Reply(silent=True), path=USAGE)
    amp.fail(41, Reply(silent=True), path=USAGE)
    process = started(amp)
    awaited(amp, 41, USAGE)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (130, b"", b"")
    assert rows(sealed, "SELECT count(*) FROM usage") == [(39,)]


def test_memory_does_not_grow_with_the_number_of_threads(amp: Workspace, sealed: Path) -> None:
    """One page is held at a time: ten times the threads take hardly more memory."""
    code = (
        "import os, resource, sys; from ampcommit.verbs.sync import Asked, sync; sync(Asked(usage=False), os.environ); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    used = []
    for count in (200, 4000):
        for number in range(count):
            amp.add(name(number), title="x" * 800)
        environ = {**os.environ, **amp.environ, "XDG_DATA_HOME": str(sealed / str(count))}
        used.append(int(subprocess.check_output([sys.executable, "-c", code], env=environ)))

    assert used[1] < used[0] * 1.15, json.dumps(used)
