"""Which commits stand on one line of history: the oldest and the newest of them, or nothing."""

import os
import shlex
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.forge.compared import STEPS, spans
from ampcommit.gitcmd import Git
from ampcommit.record import Sha, ThreadId
from tests.conftest import CHILD, OTHER, PARENT, Repo

relaxed = settings(deadline=None, database=None, max_examples=25)

NAMES = [ThreadId(name) for name in (CHILD, PARENT, OTHER)]


class History:
    """Numbered commits, each with the numbers of its parents, imported in one go; all have the same date."""

    def __init__(self, repo: Repo, parents: Mapping[int, Iterable[int]]) -> None:
        self.repo = repo
        lines = []
        for at, its in parents.items():
            lines.append(f"commit refs/heads/c{at}\nmark :{at}\ncommitter T <t@example.com> 1500000000 +0000\n")
            lines.append(f"data <<E\nNumber {at}\nE\n")
            lines += [f"{word} :{one}\n" for word, one in zip(["from", *["merge"] * 9], its, strict=False)]
            lines.append("\n")
        repo("fast-import", "--quiet", "--export-marks=marks", stdin="".join(lines).encode())
        marks = (repo.path / "marks").read_text().split()
        self.ids = {int(mark[1:]): Sha(one) for mark, one in zip(marks[::2], marks[1::2], strict=True)}
        self.numbers = {one: at for at, one in self.ids.items()}
        self.below = {self.ids[at]: next((self.ids[one] for one in its), None) for at, its in parents.items()}

    def spans(self, *groups: Iterable[int]) -> list[tuple[int, int] | None]:
        """Return the numbers of the oldest and the newest of each group; git is asked for what lies between."""
        asked = {name: [self.ids[at] for at in group] for name, group in zip(NAMES, groups, strict=False)}
        first = {one: self.below[one] for its in asked.values() for one in its}
        found = spans(Git(str(self.repo.path), os.environ), asked, first)
        ends = [found.get(name) for name in asked]
        return [(self.numbers[one[0]], self.numbers[one[1]]) if one else None for one in ends]


# 1-2-3-4-5-6 is the main line; 7-8 leave it at 2 and are merged as 5's second parent; 20 begins anew.
TREE: dict[int, list[int]] = {1: [], 2: [1], 3: [2], 4: [3], 7: [2], 8: [7], 5: [4, 8], 6: [5], 20: [], 21: [20]}

CASES: dict[str, tuple[list[int], tuple[int, int] | None]] = {
    "two in a row": ([3, 4], (3, 4)),
    "the other way round": ([4, 3], (3, 4)),
    "with gaps": ([6, 1, 3], (1, 6)),
    "all": ([1, 2, 3, 4, 5, 6], (1, 6)),
    "across a fork": ([1, 8], (1, 8)),
    "from the root": ([1, 2], (1, 2)),
    "one": ([4], (4, 4)),
    "a fork": ([3, 7], None),
    "a fork with what is below": ([2, 3, 7], None),
    "far behind a fork": ([6, 8], None),
    "only by the second parent": ([7, 5], None),
    "some by the second parent": ([4, 5, 8], None),
    "no common history": ([2, 21], None),
    "three, two of them in a row": ([20, 21, 6], None),
}


@pytest.fixture
def history(repo: Repo) -> History:
    """The history above."""
    return History(repo, TREE)


@pytest.mark.parametrize(("commits", "expected"), CASES.values(), ids=CASES)
def test_a_line_of_history(history: History, commits: list[int], expected: tuple[int, int] | None) -> None:
    """Commits that follow each other along first parents have ends; all others have none."""
    assert history.spans(commits) == [expected]


def test_many_groups_at_once(history: History) -> None:
    """Each is looked at for itself, and one that is no line hides no other."""
    assert history.spans([6, 1, 3], [3, 7], [20, 21]) == [(1, 6), None, (20, 21)]
    assert spans(Git(str(history.repo.path), os.environ), {}, {}) == {}


def test_a_short_look_is_followed_by_a_longer_one(repo: Repo) -> None:
    """Most questions are answered by little history; the others are asked again, and behind that nobody looks."""
    length = STEPS[0] + 500
    history = History(repo, {at: [at - 1] if at > 1 else [] for at in range(1, length + 1)})

    assert history.spans([length, 1], [length, length - 9]) == [(1, length), (length - 9, length)]


GRAPHS = st.integers(2, 9).flatmap(
    lambda size: st.tuples(
        st.tuples(*(st.lists(st.integers(1, at - 1), max_size=2, unique=True) for at in range(2, size + 1))),
        st.sets(st.integers(1, size), min_size=1, max_size=4),
    )
)


@relaxed
@given(GRAPHS)
def test_any_history_is_judged_as_its_first_parents_say(
    tmp_path_factory: pytest.TempPathFactory, graph: tuple[tuple[list[int], ...], set[int]]
) -> None:
    """A line is a line however history is tangled around it."""
    parents: dict[int, list[int]] = {1: [], **dict(enumerate(graph[0], 2))}
    repo = Repo(tmp_path_factory.mktemp("history"))
    repo("init", "-q")

    def down(at: int) -> set[int]:
        found = {at}
        while parents[at]:
            at = parents[at][0]
            found.add(at)
        return found

    newest = [at for at in graph[1] if graph[1] <= down(at)]
    expected = (min(graph[1]), newest[0]) if newest else None

    assert History(repo, parents).spans(graph[1]) == [expected]


def stand_in(folder: Path, deed: str) -> Path:
    """Put a git into *folder* that does *deed* when it is asked to list commits, and notes what it is asked."""
    log, git = folder / "asked", folder / "git"
    log.write_text("")
    git.write_text(
        f'#!/bin/sh\necho "$*" >>{shlex.quote(str(log))}\n'
        f'case " $* " in *\' rev-list \'*) {deed};; esac\nexec {shutil.which("git")} "$@"\n'
    )
    git.chmod(0o755)
    return log


@pytest.mark.parametrize("deed", ["exit 1", "exec sleep 30"])
def test_a_git_that_does_not_answer_tells_nothing(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    """What the first parents tell is told; for the rest nobody waits long."""
    stand_in(tmp_path, deed)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    begun = time.monotonic()

    assert history.spans([3, 4], [1, 6]) == [(3, 4), None]
    assert time.monotonic() - begun < 15


def test_git_is_asked_only_for_what_nobody_knows(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neighbours need no question; neither does a fork that is seen at once; what is left needs two at most."""
    log = stand_in(tmp_path, ":")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    history.spans([3, 4], [1, 2])
    history.spans([3, 7])
    assert log.read_text() == ""
    history.spans([1, 6], [2, 8], [1, 4])
    assert log.read_text().count("rev-list") == 1
    history.spans([2, 21])
    assert log.read_text().count("rev-list") == 3
