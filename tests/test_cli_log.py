"""The command line of `log`."""

import pytest

from tests.conftest import CHILD, Repo, Run
from tests.test_log import ORIGIN, ledger, save
from tests.test_noted import noted, record_in, share
from tests.test_record import record_of


@pytest.fixture
def saved(repo: Repo) -> Repo:
    """Three commits: of the ledger, of shared records, of a claim."""
    commits = [save(repo, CHILD) for _ in range(3)]
    ledger(repo).append(record_of(commits[0]))
    share(repo, {commits[1]: noted(record_in(repo, commits[1]))})
    share(repo, {commits[2]: noted(record_in(repo, commits[2]))}, ORIGIN)
    return repo


@pytest.mark.usefixtures("saved")
def test_commits_are_listed_with_who_tells(run: Run) -> None:
    """The newest first, as git lists them."""
    head, *lines = run("log").out.splitlines()

    assert head.startswith("commit ")
    assert [line.split()[3:5] for line in lines] == [["env", "claim"], ["env", "shared"], ["env", "own"]]


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(
    ("args", "count"), [((), 3), (("-n", "1"), 1), (("-n", "0"), 0), (("HEAD~1",), 2), (("HEAD~1..HEAD",), 1)]
)
def test_commits_are_named_as_git_log_names_them(run: Run, args: tuple[str, ...], count: int) -> None:
    """A range, a revision with all before it, and a number."""
    found = run("log", "--json", *args).data

    assert (found["schema"], len(found["commits"])) == ("ampcommit.log/1", count)


@pytest.mark.parametrize("args", [("",), ("nosuch",), ("--all",), ("-n", "-1"), ("-n", "x")])
def test_what_names_nothing_is_a_misuse(run: Run, repo: Repo, args: tuple[str, ...]) -> None:
    """Exit 2 with a hint."""
    save(repo)
    done = run("log", *args)

    assert (done.status, done.out) == (2, "")
    assert " hint: " in done.err


def test_without_commits_there_is_nothing_to_list(run: Run) -> None:
    """An unborn branch is said to be one."""
    done = run("log")

    assert done.status == 2
    assert "no commits here yet" in done.err
