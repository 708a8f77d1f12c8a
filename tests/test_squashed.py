"""Which branch a commit was made of: what decides, and what leaves it open. tests/test_carry.py has the forges."""

import os
from pathlib import Path

import pytest

from ampcommit.carried import MOST
from ampcommit.commits.history import Range, opened
from ampcommit.commits.squashed import Fit, Squashes
from ampcommit.errors import SetupError
from ampcommit.gitcmd import Git, clean
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.settings import read_settings
from ampcommit.verbs.carry import find
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_carry import Team
from tests.test_changes import commit_of

LINK = f"Amp-Thread-ID: {url(CHILD)}"


@pytest.fixture
def team(repo: Repo) -> Team:
    """A clone with one commit on main."""
    return Team(repo)


def fit(repo: Repo | Path, new: str, before: str, *carried: Sha) -> Fit | None:
    """Return what fits the commit *new*, in the range behind *before*."""
    path = str(repo.path if isinstance(repo, Repo) else repo)
    place = Place.of_folder(Git(path))
    refs = Git(place.git_dir, clean(os.environ, place.git_dir))
    with opened(place, os.environ) as history:
        settings = read_settings(Git(path), os.environ, top=place.top)
        range_ = Range([new, f"^{before}"])
        return Squashes(history, refs, settings, range_, carried).fit(Sha(new))


def test_links_are_read_wherever_a_forge_puts_them(team: Team) -> None:
    """Of a message that holds several, git sees the trailers of the last one alone."""
    team.branch()
    for number, thread in enumerate((PARENT, CHILD, OTHER)):
        team.recorded(thread, by="nobody", **{f"x{number}": "1\n"})
    team.pull(1)
    team.repo("checkout", "-q", "main")
    new = team.squash(f"{team.github()}\n\nAmp-Thread-ID: nothing\n")

    found = fit(team.repo, new, team.base)

    assert found
    assert (found.source, found.branches[0].named) == ("message", True)


@pytest.mark.parametrize("ref", ["refs/remotes/origin/pull/1", "refs/remotes/upstream/pr/1/head"])
def test_requests_that_were_fetched_to_elsewhere_are_known(team: Team, ref: str) -> None:
    """People have their own refspecs for them."""
    team.branch()
    tip = team.recorded(by="nobody", x="1\n")
    team.repo("update-ref", ref, tip)
    team.repo("checkout", "-q", "main")
    new = team.squash(f"Add the topic to it (#1)\n\n{LINK}")

    found = fit(team.repo, new, team.base)

    assert found
    assert found.source == "message"


def test_an_empty_change_fits_nothing(team: Team) -> None:
    """All empty commits are alike."""
    team.branch()
    team.made("Change nothing at all")
    team.pull(1)
    team.repo("checkout", "-q", "main")

    assert fit(team.repo, team.made("Change nothing at all (#1)"), team.base) is None


def test_a_branch_with_another_beginning_has_no_base(team: Team) -> None:
    """Without a commit in common there is no change of the branch as a whole to be compared."""
    elsewhere = commit_of(team.repo, {"a": b"1\n"})
    team.repo("branch", "apart", commit_of(team.repo, {"a": b"2\n"}, elsewhere))
    more = commit_of(team.repo, {"b": b"1\n"})
    team.repo("branch", "joined", commit_of(team.repo, {"a": b"2\n"}, elsewhere, more))
    new = commit_of(team.repo, {"a": b"2\n"}, team.base)
    team.pull(1, "apart")
    named = team.repo("commit-tree", "-p", team.base, "-m", "Add it (#1)", f"{new}^{{tree}}")

    assert fit(team.repo, new, team.base) is None
    assert fit(team.repo, named, team.base) is None


def test_a_long_branch_is_none(team: Team) -> None:
    """More commits than a line can hold are the history of something else."""
    tree = team.repo("rev-parse", "HEAD^{tree}")
    assert tree
    stream = "".join(
        f"commit refs/heads/long\ncommitter T <t@e.c> {1400000001 + number} +0000\ndata 1\nx\n"
        + (f"from {team.base}\n" if not number else "")
        + "M 100644 inline x\ndata 1\nx\n"
        for number in range(MOST + 1)
    )
    team.repo("fast-import", "--quiet", stdin=stream.encode())
    new = team.made("Add the same file at once", x="x")

    assert fit(team.repo, new, team.base) is None


def test_what_was_carried_before_is_no_branch_any_more(team: Team) -> None:
    """The same work is not brought twice."""
    team.branch()
    tip = team.recorded(by="nobody", x="1\n")
    team.repo("checkout", "-q", "main")
    new = team.squash("Add the topic to it")

    assert fit(team.repo, new, team.base)
    assert fit(team.repo, new, team.base, tip) is None


def test_a_merge_and_its_sides_come_oldest_first(team: Team) -> None:
    """However the branch grew, what was made of others stands behind them."""
    team.branch()
    one = team.made("Work on one side here", x="1\n")
    team.branch("side", team.base)
    two = team.made("Work on another side here", y="1\n")
    team.repo("checkout", "-q", "topic")
    team.repo("merge", "-q", "--no-ff", "-m", "Join the two sides", "side")
    merge = team.repo.head()
    new = team.squash("Add the topic to it", onto="main")

    found = fit(team.repo, new, team.base)

    assert found
    (branch,) = found.branches
    assert branch.commits[-1] == merge
    assert set(branch.commits[:-1]) == {one, two}
    assert branch.base == team.base


def test_in_a_partial_clone_nothing_is_fetched(team: Team, tmp_path: Path) -> None:
    """Where files are not here, changes are not compared; trees are enough for the rest."""
    team.branch()
    team.recorded(by="nobody", x="1\n")
    team.repo("checkout", "-q", "main")
    team.made("Go on with something else", other="1\n")
    new = team.squash("Add the topic to it")
    team.repo("config", "uploadpack.allowFilter", "true")
    path = tmp_path / "partial"
    team.repo("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{team.repo.path}", str(path))
    packs = sorted((path / ".git" / "objects" / "pack").iterdir())

    assert fit(team.repo, new, f"{new}~1")
    assert fit(path, new, f"{new}~1") is None
    assert sorted((path / ".git" / "objects" / "pack").iterdir()) == packs


def test_damaged_objects_are_said(team: Team) -> None:
    """A history that cannot be read is the environment's fault."""
    team.branch()
    lost = team.made("Work that will be lost", x="1\n")
    team.made("Work behind it here", x="2\n")
    team.repo("checkout", "-q", "main")
    team.made("Go on with something else", other="1\n")
    (team.repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()

    with pytest.raises(SetupError):
        find("", os.environ, str(team.repo.path))
