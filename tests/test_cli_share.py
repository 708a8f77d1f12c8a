"""`ampcommit share` as a shell sees it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Repo, Run
from tests.githost import Hub, keep
from tests.test_shared import A, record


@pytest.fixture
def hub(tmp_path: Path, repo: Repo) -> Hub:
    """A bare repository that is the origin of the one in which commands run; its ledger has a record."""
    hub = Hub(tmp_path)
    repo("remote", "add", "origin", str(hub.path))
    keep(repo, [record(A)])
    return hub


def test_share_publishes(hub: Hub, run: Run) -> None:
    """The status before and after, the sharing itself, and the note that everybody can then read."""
    assert run("share", "--status").out == "origin: 1 unpublished, nothing was fetched from it yet\n"
    done = run("share")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("origin: 1 published, 0 received; 1 try")
    assert run("share", "--json").data["published"] == 0
    assert run("share", "--status", "--json").data["remotes"] == [{"remote": "origin", "shared": 1, "unpublished": 0}]
    assert '"kind":"commit"' in hub.lines(A)[0]


def test_a_dry_run_asks_nobody(hub: Hub, run: Run) -> None:
    """Each line on stdout is the commit, a blank and the line that would go out."""
    done = run("share", "--dry-run")

    lines = [line.partition(" ") for line in done.out.splitlines()]
    assert [(commit, json.loads(line)["kind"]) for commit, _, line in lines] == [(A, "commit"), (A, "head")]
    assert hub("for-each-ref") == ""
    assert len(run("share", "--dry-run", "--json").data["lines"]) == 2


def test_another_remote(hub: Hub, run: Run, tmp_path: Path) -> None:
    """A remote that is named is the one that is meant."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "other.git")], check=True)

    assert run("share", str(tmp_path / "other.git")).status == 0
    assert hub("for-each-ref") == ""


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("--status", "--dry-run"), 2, "two questions"),
        (("",), 2, "must not be empty"),
        (("/nowhere/at/all",), 5, "cannot fetch from /nowhere/at/all"),
    ],
)
def test_a_failure_is_two_lines(hub: Hub, run: Run, args: tuple[str, ...], status: int, said: str) -> None:
    """What happened, and what to do."""
    assert hub.path.exists()
    done = run("share", *args)

    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert done.err.splitlines()[0].startswith("error: ")
    assert done.err.splitlines()[1].startswith(" hint: ")


def test_without_a_remote_there_is_a_hint(run: Run) -> None:
    """Nobody to share with: exit 3, and how to name one."""
    done = run("share")

    assert done.status == 3
    assert "ampcommit.shareRemote" in done.err
