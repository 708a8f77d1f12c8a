"""The refspec for notes: it brings them, and whatever is missing, no fetch fails by it."""

import subprocess
from pathlib import Path

import pytest

from ampcommit.gitcmd import Git
from ampcommit.notes.fetching import fetch_from, fetch_no_more, fetched_from, named, refspec, tracking
from tests.conftest import Repo

NOTES = "refs/notes/ampcommit"
FETCHED = "refs/notes/ampcommit-remote/origin"


@pytest.fixture
def server(repo: Repo, tmp_path: Path) -> Repo:
    """A bare repository, which is the remote `origin` and has the branch of the clone."""
    bare = Repo(tmp_path / "server.git")
    subprocess.run(["git", "init", "-q", "--bare", str(bare.path)], check=True)
    repo.commit("-q", "-m", "Begin")
    repo("remote", "add", "origin", str(bare.path))
    repo("push", "-q", "origin", "main")
    return bare


def git(repo: Repo) -> Git:
    """Return git in the clone."""
    return Git(str(repo.path))


def test_it_is_set_once_and_taken_out_without_a_trace(repo: Repo, server: Repo) -> None:
    """Setting it again changes nothing; afterwards the configuration is what it was, to the byte."""
    config = repo.path / ".git" / "config"
    before = config.read_bytes()

    assert server.path.exists()
    assert fetch_from(git(repo), "origin")
    once = config.read_bytes()
    assert fetch_from(git(repo), "origin")
    assert config.read_bytes() == once != before
    assert fetched_from(git(repo)) == ["origin"]
    fetch_no_more(git(repo))
    fetch_no_more(git(repo))
    assert (config.read_bytes(), fetched_from(git(repo))) == (before, [])


def test_a_fetch_brings_the_notes(repo: Repo, server: Repo) -> None:
    """What others published stands in a ref of its own, which nothing merges, and which follows a rewritten remote."""
    fetch_from(git(repo), "origin")
    for text in ("one", "two"):
        server("update-ref", "-d", NOTES)
        server("notes", "--ref", "ampcommit", "add", "-m", text, "main")
        repo("fetch", "-q")
        assert repo("rev-parse", FETCHED) == server("rev-parse", NOTES)
    repo("pull", "-q", "origin", "main")

    assert repo.run("rev-parse", "-q", "--verify", NOTES, ok=False).returncode == 1


@pytest.mark.usefixtures("server")
def test_a_remote_without_notes_is_fetched_as_ever(repo: Repo) -> None:
    """Git refuses to fetch anything where a ref that is named outright is missing; a pattern may match nothing."""
    fetch_from(git(repo), "origin")

    assert repo.run("fetch", "origin").returncode == 0
    assert repo.run("fetch", "--all", "--prune").returncode == 0
    assert repo.run("pull", "-q", "origin", "main").returncode == 0


def test_pruning_takes_only_what_the_remote_lost(repo: Repo, server: Repo) -> None:
    """With `fetch.prune` the notes of other remotes, of forks and our own stay."""
    repo("config", "fetch.prune", "true")
    fetch_from(git(repo), "origin")
    server("notes", "--ref", "ampcommit", "add", "-m", "one", "main")
    others = [NOTES, *(f"refs/notes/ampcommit-remote/{name}" for name in ("fork", "myorigin", "origins"))]
    for ref in others:
        repo("update-ref", ref, "HEAD")
    repo("fetch", "-q")
    assert repo.run("rev-parse", "-q", "--verify", FETCHED).returncode == 0
    server("update-ref", "-d", NOTES)
    repo("fetch", "-q")

    assert repo("for-each-ref", "--format=%(refname)", "refs/notes").split("\n") == others


@pytest.mark.usefixtures("server")
def test_a_renamed_remote_keeps_it_and_can_lose_it(repo: Repo) -> None:
    """`git remote rename` leaves our line with its old ref; it is found there, too, and taken out."""
    fetch_from(git(repo), "origin")
    repo("remote", "rename", "origin", "up")

    assert fetched_from(git(repo)) == ["up"]
    fetch_no_more(git(repo))
    assert repo("config", "--get-all", "remote.up.fetch") == "+refs/heads/*:refs/remotes/up/*"


@pytest.mark.parametrize("remote", ["", "nowhere", "https://example.com/r", "a\nb", "bare"])
def test_what_is_no_remote_with_branches_is_left_alone(repo: Repo, remote: str) -> None:
    """An address, no remote at all, one that names no branches to fetch, and what can be no name."""
    repo("config", "remote.bare.url", "/nowhere")
    before = (repo.path / ".git" / "config").read_bytes()

    assert not fetch_from(git(repo), remote)
    assert (repo.path / ".git" / "config").read_bytes() == before


@pytest.mark.parametrize("name", ["team/alice", "fork", "Ümlaut", "with.dot", "UPPER", "two words"])
def test_any_name_of_a_remote_will_do(repo: Repo, server: Repo, name: str) -> None:
    """What git takes for the name of a remote can have its notes."""
    repo("config", f"remote.{name}.url", str(server.path))
    repo("config", f"remote.{name}.fetch", "+refs/heads/*:refs/remotes/other/*")
    server("notes", "--ref", "ampcommit", "add", "-m", "one", "main")
    assert fetch_from(git(repo), name)
    repo("fetch", "-q", name)

    assert fetched_from(git(repo)) == [name]
    assert repo("rev-parse", tracking(name)) == server("rev-parse", NOTES)


def test_every_remote_has_a_ref_of_its_own() -> None:
    """A name of git's stands in the ref as it is; an address, and what is no name for a ref, goes by its digest."""
    for name in ("origin", "up-stream", "b.c", "7", "forks"):
        assert tracking(name) == f"refs/notes/ampcommit-remote/{name}"
    odd = ["https://x.example/a.git", "../x", "a..b", "x.lock", "a b", "/x", "a/", "-x", "a/.b", "a%2Fb", ""]
    assert len({tracking(name) for name in odd}) == len(odd)
    assert all(tracking(name).startswith("refs/notes/ampcommit-remote/address-") for name in odd)


def test_a_ref_tells_the_name(repo: Repo) -> None:
    """Two remotes never share a ref, none is a folder of another one, and none is what CI says that a fork claims."""
    repo.commit("-q", "-m", "Begin")
    names = ["team", "team/notes", "team/notes/x", "fork", "Fork", "fork/x", "address-1", "a.lock/b", "origin"]
    for name in names:
        repo("update-ref", tracking(name), "HEAD")

    refs = repo("for-each-ref", "--format=%(refname)", "refs/notes/ampcommit-remote").splitlines()
    assert sorted(map(named, refs)) == sorted(names)
    assert tracking("team/notes") == "refs/notes/ampcommit-remote/team%2Fnotes"
    assert "refs/notes/ampcommit-remote/fork" not in [ref.lower() for ref in refs]
    assert named("refs/notes/ampcommit-remote/fork") == "fork"
    assert tracking(named(tracking("https://x.example/a"))) != tracking("https://x.example/a")


def test_the_refspec_is_a_pattern() -> None:
    """The documents name it, and people copy it."""
    assert refspec("origin") == "+refs/notes*/ampcommit:refs/notes*/ampcommit-remote/origin"
