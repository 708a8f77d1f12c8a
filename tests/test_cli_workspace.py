"""`ampcommit stats` and `sync` as a shell sees them: what the options mean, alone and together, and how they end."""

import csv
import io
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from pytest_httpx import HTTPXMock

from tests.conftest import CHILD, OTHER, PARENT, Done, Repo, Run, command
from tests.server import Reply, Workspace
from tests.test_costs import priced
from tests.test_stats import NO_STORE, made

Sync = Callable[..., Done]

THREAD = "T-00000001-0000-4000-8000-000000000000"


@pytest.fixture
def amp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with one thread, which is the one that the environment names."""
    with Workspace() as workspace:
        workspace.add(THREAD, usd=1.25, created="2026-11-01T00:00:00Z", synced="2026-11-01T00:00:00Z", title="\x1b[2J")
        for name, value in workspace.environ.items():
            monkeypatch.setenv(name, value)
        yield workspace


@pytest.fixture
def sync(run: Run) -> Sync:
    """Return a function that runs `ampcommit sync`, in process."""
    return partial(run, "sync")


def test_sync_says_what_it_did(amp: Workspace, sync: Sync) -> None:
    """A summary, exit 0, and nothing on stderr; no secret and no title in it."""
    done = sync()

    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(
        "threads   1 new, 0 updated, 0 unchanged\ncosts     1 filled, 0 expired, 0 untold, 0 failed\n"
    )
    assert not {amp.client_secret, *amp.issued, "\x1b"} & set(done.out.split())
    assert sync("--json").data["threads"]["unchanged"] == 1


@pytest.mark.parametrize("status", [200, 404])
def test_sync_asks_where_amp_itself_is(
    sync: Sync, monkeypatch: pytest.MonkeyPatch, httpx_mock: HTTPXMock, status: int
) -> None:
    """Without AMP_URL it is Amp's own address; where there is no such list, that is an error behind the summary."""
    monkeypatch.setenv("AMPCOMMIT_CLIENT_ID", "id")
    monkeypatch.setenv("AMPCOMMIT_CLIENT_SECRET", "secret")
    httpx_mock.add_response(url="https://auth.ampcode.com/oauth2/token", json={"access_token": "t"})
    httpx_mock.add_response(status, url="https://ampcode.com/api/v2/threads?limit=100", json={"threads": []})

    done = sync()

    assert done.out.startswith("threads   0 new, 0 updated, 0 unchanged\n")
    assert (done.status, len(done.err.splitlines())) == ((0, 0) if status == 200 else (5, 2))


def test_sync_takes_a_date(amp: Workspace, sync: Sync) -> None:
    """A date is midnight in UTC; a time of day may have a zone."""
    assert sync("--since", "2026-11-02", "--json").data["since"] == "2026-11-02T00:00:00.000Z"
    assert sync("--since", "2026-11-02T01:00:00+02:00", "--json").data["since"] == "2026-11-01T23:00:00.000Z"
    assert amp.requests[1].query["after"].startswith("2026-11-02T00:00:00")


def test_sync_can_leave_things_out(amp: Workspace, sync: Sync) -> None:
    """A dry run, the whole list, no costs, one request at a time."""
    assert sync("--dry-run", "--json").data["dry_run"] is True
    assert sync("--no-usage", "--json", "--concurrency", "1").data["usage"] is None
    assert sync("--full", "--json").data["since"] is None
    assert len(amp.seen("/usage")) == 1


@pytest.mark.parametrize(
    "args",
    [
        ("--since", "yesterday"),
        ("--since", "9999-12-31"),
        ("--since", "0001-01-01T00:00:00+14:00"),
        ("--since", "2026-11-01", "--full"),
        ("--concurrency", "0"),
        ("--concurrency", "33"),
        ("T-1",),
    ],
    ids=" ".join,
)
def test_sync_refuses_what_it_cannot_do(amp: Workspace, sync: Sync, args: tuple[str, ...]) -> None:
    """Exit 2, two lines, and no request."""
    done = sync(*args)

    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 2)
    assert amp.requests == []


def test_sync_ends_with_5_where_amp_did_not_give_all(amp: Workspace, sync: Sync) -> None:
    """A cost that failed is a warning, a list that failed an error; both have their summary first."""
    usage = f"/api/v2/threads/{THREAD}/usage"
    amp.on(usage, Reply(200, b"<html>"))
    done = sync("--json")
    assert (done.status, done.parsed["usage"]["failed"], done.parsed["complete"]) == (5, 1, False)
    assert done.err.splitlines() == [
        "error: what 1 of 1 threads cost could not be fetched: Amp's answer is not what a thread cost",
        " hint: run `ampcommit sync` again: it asks for these again",
    ]

    amp.on("/api/v2/threads", Reply(403))
    done = sync()
    assert (done.status, done.out[:39]) == (5, "threads   0 new, 0 updated, 0 unchanged")
    assert [line[:7] for line in done.err.splitlines()] == ["error: ", " hint: "]


def test_sync_without_credentials_says_how_to_give_them(sync: Sync) -> None:
    """Exit 5, and both ways are named."""
    done = sync()

    assert (done.status, done.out) == (5, "")
    assert "AMPCOMMIT_CLIENT_ID" in done.err
    assert "git credential approve" in done.err


@pytest.fixture
def stats(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `ampcommit stats` in the repository, in process."""
    monkeypatch.setenv("COLUMNS", "80")
    return partial(run, "stats")


@pytest.fixture
def spanning(repo: Repo) -> Repo:
    """A repository of three commits in two months, by two threads."""
    made(repo, PARENT, date="2026-01-10T12:00:00 +0000")
    made(repo, PARENT, date="2026-02-10T12:00:00 +0000")
    made(repo, CHILD, date="2026-02-11T12:00:00 +0000")
    return repo


def test_the_months_of_a_clone_are_counted(stats: Run, spanning: Repo) -> None:
    """Without options: the sum, and a line for each month."""
    assert spanning.head()
    priced({PARENT: "10.00", CHILD: "2.50"})
    done = stats()

    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "3 commits in HEAD: 3 linked (100 %), 2 threads, USD 12.50",
        "month    commits   linked   share  threads           USD  shared  unknown",
        "2026-01        1        1   100 %        1        shared       1        0",
        "2026-02        2        2   100 %        2          2.50       1        0",
    ]


@pytest.mark.parametrize("by", ["month", "thread", "author", "repository", "commit"])
def test_every_kind_of_row_can_be_asked_for(stats: Run, spanning: Repo, by: str) -> None:
    """In each of the three forms, which tell the same."""
    assert spanning.head()
    priced({PARENT: "10.00", CHILD: "2.50"})
    found, lines = stats("--by", by, "--json").data, list(csv.DictReader(io.StringIO(stats("--by", by, "--csv").out)))

    assert (found["schema"], found["by"], found["range"]) == ("ampcommit.stats/1", by, "HEAD")
    assert [list(row) for row in found["rows"]] == [list(line) for line in lines]
    assert [row["commits"] for row in found["rows"]] == [int(line["commits"]) for line in lines]
    assert len(stats("--by", by).out.splitlines()) == 2 + len(lines)


def test_costs_are_divided_where_that_is_asked_for(stats: Run, spanning: Repo) -> None:
    """The rows add up to the sum then."""
    assert spanning.head()
    priced({PARENT: "10.00", CHILD: "2.50"})
    found = stats("--split", "--json").data

    assert found["split"] is True
    assert [row["usd"] for row in found["rows"]] == [5, 7.5]
    assert found["summary"]["usd"] == 12.5


def test_a_range_is_counted_alone(stats: Run, spanning: Repo) -> None:
    """What is named, as git names it."""
    assert spanning.head()
    found = stats("HEAD~1..HEAD", "--json").parsed

    assert (found["range"], found["summary"]["commits"], found["summary"]["usd"]) == ("HEAD~1..HEAD", 1, None)


def test_without_a_store_the_costs_are_unknown(stats: Run, spanning: Repo) -> None:
    """One line on stderr says what would help; the result is there, and so is the exit code."""
    assert spanning.head()
    done = stats("--json")

    assert (done.status, done.err) == (0, f"warning: {NO_STORE}\n")
    assert done.parsed["summary"]["usd"] is None
    assert done.parsed["summary"]["threads_without_usd"] == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--json", "--csv"], "two forms"),
        (["--by", "week"], "week"),
        (["nosuch"], "no commits 'nosuch'"),
        ([""], "must not be empty"),
        (["a", "b"], "unexpected"),
    ],
)
def test_a_misuse_is_two_lines(stats: Run, spanning: Repo, args: list[str], says: str) -> None:
    """Exit 2, what is wrong, and what to do; nothing is counted."""
    assert spanning.head()
    done = stats(*args)

    assert (done.status, done.out) == (2, "")
    assert [line[:7] for line in done.err.splitlines()] == ["error: ", " hint: "]
    assert says in done.err


def test_an_empty_repository_is_two_lines(stats: Run) -> None:
    """There is nothing to count before the first commit."""
    done = stats()

    assert (done.status, done.out) == (2, "")
    assert done.err == "error: there are no commits here yet\n hint: make one, or name a RANGE\n"


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_reader_may_have_enough(repo: Repo, form: list[str]) -> None:
    """`ampcommit stats | head -1` ends in silence."""
    text = b"commit refs/heads/main\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\ndata 6\nAdd it\n"
    made(repo, OTHER)
    repo("fast-import", "--quiet", stdin=text + b"from refs/heads/main^0\n\n" + 2999 * (text + b"\n"))
    assert repo("rev-list", "--count", "main") == "3001"
    argv = [*command("stats", "--by", "commit"), *form]
    with subprocess.Popen(argv, cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read(10)
        child.stdout.close()

        assert child.stderr.read().decode().splitlines() in ([], [f"warning: {NO_STORE}"])
        assert child.wait(60) == 0
