"""The notes that are here: which refs there are is read from files, and whose word each one is."""

import json
import os
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from ampcommit.errors import RecordError
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.fetching import FORK
from ampcommit.notes.noted import Line, Shelf, shelves
from ampcommit.notes.shared import REF, REMOTES, publishable, unite
from ampcommit.place import Place
from ampcommit.record import Record, Sha, parsed
from tests.conftest import CHILD, Repo
from tests.test_record import record_of

A, B = Sha("a" * 40), Sha("b" * 40)
ORIGIN = f"{REMOTES}origin"


class Entry(Protocol):
    """What stands on a line of the ledger."""

    def to_bytes(self) -> bytes:
        """Return the line."""


def noted(*entries: Entry) -> list[bytes]:
    """Return what is shared of *entries*, those that never are included."""
    lines = []
    for entry in entries:
        fields = {name: value for name, value in json.loads(entry.to_bytes()).items() if name not in ("prev", "branch")}
        lines.append(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode())
    return lines


def record_in(repo: Repo, commit: str, thread: str = CHILD, **others: Any) -> Record:
    """Return a record of a *commit* that is in the repository, with its tree."""
    return record_of(commit, thread, **{"tree": Sha(repo("rev-parse", f"{commit}^{{tree}}")), **others})


def share(repo: Repo, notes: Mapping[Sha, Collection[bytes]], ref: str = REF) -> None:
    """Put lines into the notes of commits."""
    place = Place.of_folder(Git(str(repo.path)))
    unite(Git(place.git_dir, clean(os.environ, place.git_dir)), place, ref, notes)


def here(repo: Repo) -> list[Shelf]:
    """Return the notes that are in the repository."""
    return shelves(Place.of_folder(Git(str(repo.path))), os.environ)


def told(repo: Repo) -> list[tuple[str, str | None]]:
    """Return who tells something there."""
    return [(shelf.known_by, shelf.remote) for shelf in here(repo)]


def test_a_clone_without_notes_asks_git_nothing(repo: Repo) -> None:
    """Whether there are notes is read from files: without a single process the answer is no."""
    place = Place.of_folder(Git(str(repo.path)))
    (repo.path / ".git" / "packed-refs").write_text("# pack-refs with: peeled\n" + "1" * 40 + " refs/heads/main\n")

    assert shelves(place, {"PATH": ""}) == []


def test_shared_records_come_before_claims(repo: Repo) -> None:
    """What is under the team's ref is shared; what was fetched from a remote is that remote's claim."""
    share(repo, {A: [b"2"]}, f"{REMOTES}team/upstream")
    share(repo, {A: [b"3"]}, ORIGIN)
    assert told(repo) == [("claim", "origin"), ("claim", "team/upstream")]
    share(repo, {A: [b"1"]})

    assert told(repo) == [("shared", None), ("claim", "origin"), ("claim", "team/upstream")]
    assert [[line.text for _, lines in shelf.of([A]) for line in lines] for shelf in here(repo)] == [
        [b"1"],
        [b"3"],
        [b"2"],
    ]


def test_a_remote_that_has_nothing_else_is_not_asked(repo: Repo) -> None:
    """After a share both refs name the same commit; only what a fork said is told apart even then."""
    share(repo, {A: [b"1"]})
    repo("update-ref", ORIGIN, REF)
    repo("update-ref", REMOTES + FORK, REF)

    assert told(repo) == [("shared", None), ("claim", "fork")]


@pytest.mark.parametrize("linked", [False, True], ids=["clone", "work tree"])
def test_packed_refs_are_seen(repo: Repo, tmp_path: Path, *, linked: bool) -> None:
    """Git packs refs when it likes; a loose one is newer than a packed one. Linked work trees have the same notes."""
    repo.commit("-q", "-m", "Begin")
    share(repo, {A: [b"1"]})
    share(repo, {A: [b"2"]}, ORIGIN)
    repo("pack-refs", "--all")
    share(repo, {B: [b"3"]})
    if linked:
        repo("worktree", "add", "-q", str(tmp_path / "wt"))
        repo = Repo(tmp_path / "wt")

    assert told(repo) == [("shared", None), ("claim", "origin")]
    assert dict(here(repo)[0].of([A, B])).keys() == {A, B}


def test_what_is_no_ref_is_passed_over(repo: Repo) -> None:
    """A lock that a crash left, an empty file, a folder and a FIFO are no notes."""
    folder = repo.path / ".git" / "refs" / "notes" / "ampcommit-remote"
    folder.mkdir(parents=True)
    (folder / "origin.lock").write_text("1" * 40)
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")
    (folder.parent / "ampcommit").mkdir()

    assert told(repo) == []


def test_where_refs_are_in_a_table_git_is_asked(tmp_path: Path) -> None:
    """A repository with a reftable has no files to look at."""
    made = subprocess.run(
        ["git", "init", "-q", "--ref-format=reftable", str(tmp_path / "r")], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this git knows no reftable")
    repo = Repo(tmp_path / "r")
    assert told(repo) == []
    share(repo, {A: [b"1"]})
    share(repo, {A: [b"2"]}, ORIGIN)

    assert told(repo) == [("shared", None), ("claim", "origin")]


def test_a_folder_called_reftable_is_asked_about_too(repo: Repo) -> None:
    """Any git answers what its refs are."""
    (repo.path / ".git" / "reftable").mkdir()
    share(repo, {A: [b"1"]})

    assert told(repo) == [("shared", None)]


def test_a_shared_line_is_read_as_one_of_the_ledger() -> None:
    """What a shared line lacks is filled in with null; what somebody put there instead does not count."""
    mine = record_of(A)
    shared = publishable(mine.to_bytes())
    assert shared
    assert noted(mine) == [shared[1]]
    for text in (shared[1], shared[1] + b" \r", shared[1][:-1] + b',"branch":"evil","prev":7}'):
        record = Record.from_bytes(Line(text, "shared").whole)
        assert (record.commit, record.branch, record.prev) == (A, None, None)
    assert Line(mine.to_bytes()).whole == mine.to_bytes()
    for text in (b"", b"{}", b"]", b"\xff"):
        with pytest.raises(RecordError):
            parsed(Line(text, "claim").whole)
