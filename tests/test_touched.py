"""Which paths commits changed, as git tells it of many at once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampcommit.commits.history import opened
from ampcommit.commits.touched import present, touched
from ampcommit.errors import SetupError
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import Sha
from tests.conftest import Repo


@pytest.fixture
def git(repo: Repo) -> Iterator[Git]:
    """Git over the objects of the repository, without its settings."""
    with opened(Place.of_folder(Git(str(repo.path))), {}) as history:
        yield history.objects


def made(repo: Repo, **files: str | None) -> Sha:
    """Commit *files*, of which those that are None go away."""
    for name, text in files.items():
        if text is None:
            (repo.path / name).unlink()
        else:
            (repo.path / name).write_text(text)
    repo("add", "--all")
    repo.commit("-q", "-m", "Say what changes")
    return Sha(repo.head())


def test_each_commit_has_its_paths(repo: Repo, git: Git) -> None:
    """Added, changed and removed ones; of a renamed file the new name; none where nothing changed."""
    text = "".join(f"line {number}\n" for number in range(50))
    commits = [made(repo, a=text, b="b", c="c"), made(repo, a=None, z=text + "more", b="B", c=None), made(repo)]

    assert [*touched(git, commits).values()] == [[b"a", b"b", b"c"], [b"b", b"c", b"z"], []]
    assert touched(git, []) == {}


def test_a_path_may_look_like_anything(repo: Repo, git: Git) -> None:
    """The id of another commit, a colon, a line feed, bytes that are no UTF-8: it stays a path."""
    first = made(repo, a="a")
    names = [b":colon", b"a\nb", b"caf\xe9", first.encode()]
    for name in names:
        (Path(repo.path) / name.decode("utf-8", "surrogateescape")).write_text("x")
    second = made(repo)

    assert touched(git, [second, first]) == {second: sorted(names), first: [b"a"]}


def test_a_merge_has_what_it_decided_itself(repo: Repo, git: Git) -> None:
    """What differs from all of its parents; a merge that only joins changed nothing."""
    base = made(repo, a="a", b="b")
    repo("checkout", "-q", "-b", "side")
    made(repo, a="side", c="c")
    repo("checkout", "-q", "-b", "other", base)
    made(repo, a="other")
    repo.run("merge", "-q", "side", ok=False)
    mixed = made(repo, a="both")
    repo("checkout", "-q", "-b", "third", base)
    made(repo, b="third")
    repo("merge", "-q", "--no-edit", "side")
    joined = Sha(repo.head())

    assert touched(git, [mixed, joined]) == {mixed: [b"a"], joined: []}


def test_where_files_are_missing_no_old_name_is_told(repo: Repo, git: Git) -> None:
    """S10: a partial clone has the names, not what is in the files; removed paths may be old names there."""
    text = "".join(f"line {number}\n" for number in range(50))
    first, second = made(repo, a=text, b="b"), made(repo, a=None, z=text + "more", b=None)
    blob = repo("rev-parse", f"{first}:a")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    assert touched(git, [second]) == {second: [b"z"]}


def test_where_a_parent_is_missing_nothing_is_told(repo: Repo, git: Git) -> None:
    """A shallow clone does not know what its oldest commits changed."""
    first, second = made(repo, a="a"), made(repo, a="b")
    (repo.path / ".git" / "objects" / first[:2] / first[2:]).unlink()

    assert touched(git, [first, second, Sha("a" * 40)]) == {}
    assert present(git, [first, second, second, Sha(repo("rev-parse", "HEAD^{tree}"))]) == {second}
    assert present(git, []) == set()


def test_broken_objects_are_said(repo: Repo, git: Git) -> None:
    """A tree that is gone is a failure with a hint, and so are all objects."""
    commit = made(repo, a="a")
    tree = repo("rev-parse", "HEAD^{tree}")
    (repo.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(SetupError) as caught:
        touched(git, [commit])
    assert "git fsck" in caught.value.hint

    with pytest.raises(SetupError) as caught:
        present(Git(str(repo.path), {"GIT_DIR": "/nowhere"}), [commit])
    assert "git fsck" in caught.value.hint


def test_nothing_is_left_behind(repo: Repo, git: Git) -> None:
    """Questions write nothing into the clone."""
    commit = made(repo, a="a")
    shutil.rmtree(repo.path / ".git" / "logs")
    before = sorted(str(path) for path in repo.path.rglob("*"))
    touched(git, [commit])

    assert sorted(str(path) for path in repo.path.rglob("*")) == before
