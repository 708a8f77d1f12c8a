"""The commands about the ledger, as they are typed."""

from pathlib import Path

import pytest

from tests.conftest import CHILD, PARENT, Repo, Run, url

UNHOOKED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/dev/null"}


def test_a_lost_ledger_is_rebuilt(run: Run, repo: Repo) -> None:
    """C15: what the commits themselves say is recorded again; a second run finds nothing to do."""
    for thread in (PARENT, CHILD):
        repo.commit("-q", "-m", "Add the parser", "-m", f"Amp-Thread-ID: {url(thread)}", env=UNHOOKED)
    dry = run("ledger", "rebuild", "--dry-run")
    assert (dry.status, dry.out.splitlines()[0].startswith("2 commits, 2 lines would be added")) == (0, True)
    assert run("ledger", "list").out == ""

    assert run("ledger", "rebuild", "--json").data["recorded"] == 2
    assert run("ledger", "rebuild", "HEAD~1..HEAD").out.splitlines()[1:] == ["       1 known already"]
    assert len(run("ledger", "list").out.splitlines()) == 2
    assert run("show", "--json").data["source"] == "rebuilt"
    assert run("ledger", "check").status == 0


@pytest.mark.parametrize("range_", ["nosuch", "--output=x", "HEAD..nosuch"])
def test_a_range_that_names_nothing_is_a_misuse(run: Run, repo: Repo, range_: str) -> None:
    """S05, S06: nothing is written for a name that git does not know, nor for an option in its place."""
    repo.commit("-q", "-m", "Add the parser")
    done = run("ledger", "rebuild", range_)

    assert (done.status, done.out) == (2, "")
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["error", " hint"]
    assert not Path(repo.path, "x").exists()
