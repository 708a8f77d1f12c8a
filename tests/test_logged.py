"""Commits as git tells of them: which ones a range names, in which pieces they come, and the links they have."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ampcommit.commits.history import History, opened
from ampcommit.commits.logged import Messages, Reader, gathered, named
from ampcommit.errors import MisuseError, SetupError
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.settings import Settings
from tests.conftest import CHILD, PARENT, Repo, url
from tests.test_rules import policy


@contextmanager
def history_of(repo: Repo) -> Iterator[tuple[Place, History]]:
    """Open the history of the repository."""
    place = Place.of_folder(Git(str(repo.path)))
    with opened(place, os.environ) as history:
        yield place, history


def subjects(repo: Repo, asked: str = "", most: int | None = None) -> list[str]:
    """Return the messages of the commits that are asked for."""
    with history_of(repo) as (place, history):
        reader = Reader(place, os.environ, named(history, asked), most)
        return [told[4].decode().strip() for piece in reader for told in piece]


@pytest.fixture
def three(repo: Repo) -> Repo:
    """A repository with three commits."""
    for word in ("One", "Two", "Three"):
        repo.commit("-q", "-m", word)
    return repo


def test_commits_are_named_as_git_log_takes_them(three: Repo) -> None:
    """A revision means all before it, a range what is in it, and one commit can be asked for alone."""
    assert subjects(three) == subjects(three, "main") == ["Three", "Two", "One"]
    assert subjects(three, "HEAD~2..HEAD") == ["Three", "Two"]
    assert subjects(three, "HEAD~1^!") == ["Two"]


def test_no_more_come_than_are_wanted(three: Repo) -> None:
    """The newest come first."""
    assert (subjects(three, most=2), subjects(three, most=0)) == (["Three", "Two"], [])


def test_without_commits_there_is_nothing_to_tell(repo: Repo) -> None:
    """A repository without commits is a misuse with a hint."""
    with pytest.raises(MisuseError) as caught:
        subjects(repo)

    assert caught.value.hint


def test_a_broken_commit_is_told_of(three: Repo) -> None:
    """Objects that are gone are named as git names them."""
    name = three("rev-parse", "HEAD~1")
    with history_of(three) as (place, history):
        range_ = named(history, "")
        (three.path / ".git" / "objects" / name[:2] / name[2:]).unlink()
        with pytest.raises(SetupError) as caught:
            list(Reader(place, os.environ, range_))

    assert "git fsck" in caught.value.hint


def test_pieces_are_put_together() -> None:
    """Whoever asks git about many commits at once waits for enough of them, and gets all."""
    pieces: list[list[tuple[bytes, ...]]] = [[(str(number).encode(),)] for number in range(5)]

    assert [len(piece) for piece in gathered(pieces, 2)] == [2, 2, 1]
    assert [len(piece) for piece in gathered([], 2)] == [0]


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        (f"Add it\n\nAmp-Thread-ID: {url(CHILD)}\n", policy(), [CHILD]),
        (f"Add it\n\nX: y\nAmp-Thread-ID: {url(PARENT)}\nAmp-Thread-ID: {url(CHILD)}\n", policy(), [PARENT, CHILD]),
        (f"Add it\n\nsee {url(CHILD)}\n", policy(("linkIn", "message")), [CHILD]),
        (f"Add it\n\nsee {url(CHILD)}\n", policy(), []),
        ("Add it\n\nAmp-Thread-ID: nothing\n", policy(), []),
        ("Add it\n", policy(("linkIn", "message")), []),
    ],
    ids=["plain", "two", "anywhere", "no trailer", "no link", "nothing"],
)
def test_links_are_those_that_the_policy_accepts(
    repo: Repo, text: str, settings: Settings, expected: list[str]
) -> None:
    """Messages beyond doubt are read at once, for the others git is asked."""
    repo.commit("-q", "-F", "-", stdin=text.encode())
    with history_of(repo) as (place, history):
        told = [one for piece in Reader(place, os.environ, named(history, "")) for one in piece]
        links = Messages(history, settings).of(told)

    assert list(links.get(repo.head().encode(), ())) == expected
