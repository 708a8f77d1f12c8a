"""`verify --online`: AC401 and AC402, asked of a workspace on loopback."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ampcommit.amp.exchange import Patience
from ampcommit.amp.store import Store
from ampcommit.amp.wire import page
from ampcommit.gate.verdict import Verdict
from ampcommit.record import ThreadId
from ampcommit.verbs.online import Online
from tests.conftest import CHILD, OTHER, PARENT, Repo, Run, url
from tests.server import Reply, Workspace

HERE = "https://github.com/Example/demo.git"


@pytest.fixture
def amp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace that knows one thread, and is the one that the environment names."""
    with Workspace() as workspace:
        for name, value in workspace.environ.items():
            monkeypatch.setenv(name, value)
        workspace.add(PARENT)
        yield workspace


@pytest.fixture
def store(sealed: Path) -> Path:
    """A store that knows where three threads worked."""
    path = sealed / ".local" / "share" / "ampcommit" / "threads.db"
    path.parent.mkdir(parents=True)
    kept = Store(str(path))
    kept.begin()
    told = '{"threads": ['
    told += f'{{"id": "{PARENT}", "creatorUserID": "u", "repositories": [{{"url": "{HERE.lower()}"}}]}},'
    told += f'{{"id": "{CHILD}", "creatorUserID": "u", "repositories": [{{"url": "git@x.org:a/b"}}]}},'
    told += f'{{"id": "{OTHER}", "creatorUserID": "u", "repositories": []}}]}}'
    kept.take(page(told.encode()).entries)
    kept.close()
    return path


def commit(repo: Repo, *threads: str) -> None:
    """Commit with links to *threads*."""
    trailers = [word for thread in threads for word in ("--trailer", f"Amp-Thread-ID: {url(thread)}")]
    repo.commit("-q", "--no-verify", "-m", "Say what changes", *trailers)


def findings(run: Run, *args: str) -> tuple[int, list[tuple[str, str]], str]:
    """Return the exit code, codes with levels, and what was said on stderr."""
    done = run("verify", "--online", "--json", *args)
    found = [(one["code"], one["level"]) for commit in done.parsed["commits"] for one in commit["findings"]]
    return done.status, found, done.err


def test_a_thread_that_amp_does_not_know_is_a_warning(run: Run, repo: Repo, amp: Workspace, store: Path) -> None:
    """AC401: a commit that links a thread which Amp does not know passes, with a warning."""
    assert store.exists()
    repo("remote", "add", "origin", HERE)
    commit(repo, PARENT)
    commit(repo, OTHER)
    commit(repo, OTHER, PARENT)

    status, found, said = findings(run, "--all")

    assert (status, found) == (0, [("AC401", "warning"), ("AC401", "warning")])
    assert "AC40" not in said
    assert [request.path.split("/")[4] for request in amp.seen("/messages")] in ([PARENT, OTHER], [OTHER, PARENT])
    assert {request.query["limit"] for request in amp.seen("/messages")} == {"1"}


def test_a_thread_of_another_repository_is_a_warning(run: Run, repo: Repo, amp: Workspace, store: Path) -> None:
    """AC402: a thread that worked elsewhere only, as the store knows; any remote of the clone counts as here."""
    assert store.exists()
    amp.add(CHILD)
    amp.add(OTHER)
    repo("remote", "add", "fork", "git@github.com:you/demo.git")
    repo("remote", "add", "upstream", HERE)
    for thread in (PARENT, CHILD, OTHER):
        commit(repo, thread)

    status, found, said = findings(run, "--all")

    assert (status, found) == (0, [("AC402", "warning")])
    assert "AC402 was not checked" not in said
    told = run("verify", "--online", "--all").out
    assert f"the thread {CHILD} worked in x.org/a/b" in told


@pytest.mark.parametrize("what", ["no remote", "no store", "damaged store"])
def test_what_cannot_be_compared_is_said(run: Run, repo: Repo, amp: Workspace, sealed: Path, what: str) -> None:
    """Without a remote, or without a store that can be read, AC402 is not checked, and that is said."""
    assert amp.port
    commit(repo, PARENT)
    if what != "no remote":
        repo("remote", "add", "origin", HERE)
    if what == "damaged store":
        path = sealed / ".local" / "share" / "ampcommit" / "threads.db"
        path.parent.mkdir(parents=True)
        path.write_text("<html>" * 1000)

    status, found, said = findings(run, "--all")

    assert (status, found) == (0, [])
    assert "AC402 was not checked" in said


def test_an_amp_that_does_not_answer_costs_no_verdict(run: Run, repo: Repo, amp: Workspace, store: Path) -> None:
    """A client that is refused, or a server that fails, leaves AC401 unchecked: said, and not the commit's fault."""
    assert store.exists()
    repo("remote", "add", "origin", HERE)
    commit(repo, OTHER)
    amp.scopes.discard(amp.CONTENTS)

    status, found, said = findings(run, "--all")

    assert (status, found) == (0, [])
    assert "AC401 was not checked for 1 of 1 threads" in said
    assert len(amp.seen("/messages")) == 1


def test_without_credentials_it_is_said(run: Run, repo: Repo, amp: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a fork's pull request there are no secrets: AC401 is not checked, and the verdicts stand."""
    monkeypatch.delenv("AMPCOMMIT_CLIENT_SECRET")
    commit(repo, PARENT)

    status, found, said = findings(run, "--all")

    assert (status, found, amp.requests) == (0, [], [])
    assert "AC401 was not checked for 1 of 1 threads: there are no credentials" in said


@pytest.mark.usefixtures("amp")
@pytest.mark.parametrize(
    "variable",
    [("HTTPS_PROXY", "::::"), ("ALL_PROXY", "socks5://127.0.0.1:1"), ("AMPCOMMIT_CLIENT_ID", "two\nlines")],
    ids=["proxy", "socks", "id"],
)
def test_surroundings_that_do_not_allow_to_ask_cost_no_verdict(
    run: Run, repo: Repo, monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]
) -> None:
    """A proxy that cannot be used, or credentials that are none, are said, and the verdicts stand."""
    commit(repo, PARENT)
    monkeypatch.setenv(*variable)

    status, found, said = findings(run, "--all")

    assert (status, found) == (0, [])
    assert "AC401 was not checked for 1 of 1 threads: " in said


@pytest.mark.parametrize(
    "change", ["DROP TABLE thread_repositories", "UPDATE thread_repositories SET repository = x'ff00'"], ids=str
)
def test_a_store_that_is_damaged_within_costs_no_verdict(
    run: Run, repo: Repo, amp: Workspace, store: Path, change: str
) -> None:
    """What turns out to be damaged while it is read is said, once, and the verdicts stand."""
    amp.add(CHILD)
    repo("remote", "add", "origin", HERE)
    for _ in range(3):
        commit(repo, CHILD)
    with closing(sqlite3.connect(store)) as file:
        file.execute(change)
        file.commit()

    status, found, said = findings(run, "--all")

    assert (status, {code for code, _ in found} - {"AC402"}) == (0, set())
    assert said.count("AC402 was not checked any further") == ("DROP" in change)


def test_all_questions_together_have_a_time_limit(repo: Repo, amp: Workspace) -> None:
    """A server that is slow with every answer holds nobody up for longer than that."""
    thread = ThreadId(OTHER)
    amp.on(f"/api/v2/threads/{OTHER}/messages", Reply(silent=True))
    online = Online(amp.environ, str(repo.path), Patience(attempts=1), seconds=0.2)
    notices: list[str] = []

    assert len(list(online(iter([Verdict(None, b"", [thread])]), notices))) == 1
    assert "Amp did not answer all of it in 0.2 seconds" in notices[-1]


def test_an_address_that_git_rewrites_is_here(run: Run, repo: Repo, amp: Workspace, store: Path) -> None:
    """A remote that is written down with a short name, or another door of the forge, is the same repository."""
    assert store.exists()
    amp.add(CHILD)
    repo("config", "url.git@ssh.github.com:.insteadOf", "gh:")
    repo("remote", "add", "origin", "gh:example/demo")
    commit(repo, PARENT)

    assert findings(run, "--all")[1] == []


def test_a_wrong_address_is_no_unknown_thread(run: Run, repo: Repo, amp: Workspace, store: Path) -> None:
    """Where the server knows no list of threads either, 404 says nothing of a thread."""
    assert store.exists()
    repo("remote", "add", "origin", HERE)
    commit(repo, OTHER)
    amp.on("/api/v2/threads", Reply(404))

    status, found, said = findings(run, "--all")

    assert (status, found) == (0, [])
    assert "has no list of threads" in said


def test_a_server_that_fails_is_not_asked_about_every_thread(repo: Repo, amp: Workspace) -> None:
    """After a few failures in a row Amp is left alone."""
    threads = [f"T-{number:08x}-0000-4000-8000-000000000000" for number in range(50)]
    for thread in threads:
        amp.on(f"/api/v2/threads/{thread}/messages", Reply(500))
    online = Online(amp.environ, str(repo.path), Patience(attempts=1))
    notices: list[str] = []
    verdicts: list[Verdict | int] = [7, *(Verdict(None, b"", [ThreadId(thread)]) for thread in threads)]
    passed = list(online(iter(verdicts), notices))

    assert passed == verdicts
    assert len(amp.seen("/messages")) <= 8
    assert any("AC401 was not checked for 50 of 50 threads" in notice for notice in notices)


def test_nothing_is_asked_where_nothing_is_judged(run: Run, repo: Repo, amp: Workspace) -> None:
    """With mode = off no thread leaves the machine."""
    (repo.path / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")
    repo("add", ".")
    commit(repo, OTHER)

    assert findings(run, "--all", "--policy-from=HEAD")[:2] == (0, [])
    assert amp.requests == []


def test_a_message_cannot_be_asked_about(run: Run, repo: Repo) -> None:
    """--online is about commits."""
    (repo.path / "MSG").write_text("x\n")

    assert run("verify", "--online", "--message", "MSG").status == 2


def test_a_custom_amp_needs_its_own_token_endpoint(run: Run, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is a misuse, before any commit is judged."""
    commit(repo, PARENT)
    monkeypatch.setenv("AMP_URL", "https://amp.example.com")

    done = run("verify", "--online", "--all")

    assert (done.status, done.out) == (2, "")


def test_the_store_is_left_as_it_is(run: Run, repo: Repo, amp: Workspace, store: Path) -> None:
    """Asking keeps nothing."""
    assert amp.port
    repo("remote", "add", "origin", HERE)
    commit(repo, CHILD)
    before = "\n".join(sqlite3.connect(store).iterdump())

    findings(run, "--all")

    assert "\n".join(sqlite3.connect(store).iterdump()) == before
