"""`ampcommit carry` as a shell sees it."""

import pytest

from tests.conftest import Repo, Run
from tests.test_carry import Team


@pytest.fixture
def squashed(repo: Repo) -> Team:
    """A clone in which a branch with an own and a claimed record was squashed."""
    team = Team(repo)
    team.branch()
    team.recorded(x="1\n")
    team.recorded(by="fork", y="1\n")
    team.squash("Add the topic to it")
    return team


def test_a_range_is_carried(squashed: Team, run: Run) -> None:
    """Exit 0, a summary, and the line is in the ledger; with --dry-run it is not."""
    dry = run("carry", "main~1..topic", "main", "--dry-run")
    assert (dry.status, dry.err, squashed.told(squashed.base)) == (0, "", [])
    assert dry.out.startswith("1 commit looked at, 1 would be written\n")

    done = run("carry", "main~1..topic", "main")

    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("1 commit looked at, 1 written\n")
    assert "1 record of a fork left out" in done.out
    assert run("carry", "main~1..topic", "main", "--json").data["carried"][0]["new"] is False
    assert run("carry", "main~1..topic", "main", "--claims", "--json").data["claims"] is True
    assert run("ledger", "check").status == 0


def test_a_search_needs_no_words(squashed: Team, run: Run) -> None:
    """Without a range it looks where something new may be; with one there."""
    assert squashed.told(squashed.base) == []
    assert run("carry", "--find", "main", "--dry-run", "--json").data["checked"] == 1
    found = run("carry", "--find", "--json").data

    assert [one["source"] for one in found["carried"]] == ["tree"]
    assert run("carry", "--find").out == "0 commits looked at, 0 written\n"


@pytest.mark.parametrize(
    "words", [[], ["main~1..topic"], ["--find", "main~1..topic", "main"], ["", "main"], ["topic", ""], ["--find", ""]]
)
def test_words_that_mean_nothing_are_refused(squashed: Team, run: Run, words: list[str]) -> None:
    """Exit 2 and a hint; nothing is written."""
    before = squashed.state()

    done = run("carry", *words)

    assert (done.status, done.out) == (2, "")
    assert " hint: " in done.err
    assert squashed.state() == before
