"""The ref of the notes: it moves from where it was seen, or two lines say what is in the way and what to do."""

import os
import re
from collections.abc import Callable

import pytest

from ampcommit.errors import GitError
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.moving import moved, tip_of
from ampcommit.notes.shared import REF, unite
from ampcommit.place import Place
from tests.conftest import Repo
from tests.test_shared import A, hook


@pytest.fixture
def git(repo: Repo) -> Git:
    """Git without anybody's settings."""
    return Git(str(repo.path / ".git"), clean(os.environ, str(repo.path / ".git")))


def locked(repo: Repo) -> None:
    """Leave a lock of git's behind."""
    lock = repo.path / ".git" / f"{REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()


def names(kind: str) -> Callable[[Repo], object]:
    """Return what makes the ref name an object of another *kind*."""

    def make(repo: Repo) -> None:
        made = repo("mktree", stdin=b"") if kind == "tree" else repo("hash-object", "-w", "--stdin", stdin=b"x")
        repo("update-ref", REF, made)

    return make


@pytest.mark.parametrize(
    ("obstacle", "said", "hint"),
    [
        (locked, r"ampcommit\.lock': File exists", "remove that file"),
        (lambda repo: hook(repo, "test $1 != prepared"), "hook", "reference-transaction"),
        (
            lambda repo: repo("update-ref", f"{REF}/x", "HEAD"),
            f"{REF}/x is in its way",
            f"git update-ref -d {REF}/x",
        ),
        (names("blob"), "names a blob", f"git update-ref -d {REF}"),
        (names("tree"), "names a tree", f"git update-ref -d {REF}"),
        (lambda repo: repo("update-ref", "refs/notes", "HEAD"), "refs/notes", "git for-each-ref refs/notes"),
    ],
    ids=["lock", "hook", "below", "blob", "tree", "above"],
)
def test_what_is_in_the_way_is_said(
    repo: Repo, git: Git, obstacle: Callable[[Repo], object], said: str, hint: str
) -> None:
    """Each obstacle is named with the next step, in the class of failures that the docs promise."""
    repo.commit("-qm", "one")
    obstacle(repo)

    with pytest.raises(GitError, match=said) as told:
        unite(git, Place(str(repo.path / ".git")), REF, {A: [b"1"]})
    assert (told.value.exit_code, "\n" in str(told.value)) == (3, False)
    assert re.search(re.escape(hint), told.value.hint)


def test_a_ref_moves_only_from_where_it_was_seen(repo: Repo, git: Git) -> None:
    """Whoever moved it meanwhile is seen, and that is no failure."""
    repo.commit("-qm", "one")
    one = tip_of(git, "HEAD")
    repo.commit("-qm", "two")
    two = tip_of(git, "HEAD")
    assert one
    assert two

    assert (tip_of(git, REF), moved(git, REF, None, one, "x")) == (None, True)
    assert (moved(git, REF, two, two, "x"), tip_of(git, REF)) == (False, one)
