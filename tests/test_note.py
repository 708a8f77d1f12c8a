"""What one hook leaves for the other: used once, replaced by the next, and never mistaken for anything else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ampcommit import note
from ampcommit.note import LIMIT, Note
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId
from tests.conftest import CHILD, PARENT, Repo
from tests.test_files import PLANTED
from tests.test_record import SHA1, SHA256, shas, thread_ids

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

notes = st.builds(
    Note,
    pid=st.integers(0, 1 << 22),
    head=st.none() | shas,
    links=st.lists(thread_ids, min_size=1, max_size=3),
    source=st.sampled_from(["env", "message", "use"]),
    validated=st.booleans(),
    chain=st.lists(thread_ids, max_size=3),
    chain_state=st.sampled_from(["complete", "partial", "cycle", "unknown"]),
    resolve=st.booleans(),
    repo=st.none() | st.just("github.com/example/d\u00e9mo") | st.just("host/caf\udce9"),
    message=st.binary() | st.sampled_from([b"\n\nx", b"pid 1\n\n", b"skip 1\n"]),
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A git dir without anything in it."""
    (tmp_path / "git dir").mkdir()
    return Place(str(tmp_path / "git dir"))


def file_of(place: Place) -> Path:
    """Return where the note of *place* lies."""
    return Path(place.private) / "note"


def fields_of(left: Note | None) -> dict[str, object]:
    """Return every field of a note."""
    return {name: getattr(left, name) for name in Note.__slots__}


def note_of(**others: Any) -> Note:
    """Return a note about a commit on SHA1 in CHILD, with *others* of its fields as given."""
    fields: dict[str, Any] = {
        "pid": 4711,
        "head": SHA1,
        "links": [ThreadId(CHILD)],
        "source": "env",
        "validated": True,
        "chain": [ThreadId(CHILD), ThreadId(PARENT)],
        "chain_state": "complete",
        "repo": "github.com/example/demo",
        "resolve": True,
        "message": b"subject\n\nbody\n",
    }
    return Note(**fields | others)


@relaxed
@given(notes)
def test_a_note_arrives_as_it_was_left(place: Place, left: Note) -> None:
    """Whatever the message holds, `post-commit` knows exactly what `commit-msg` saw."""
    left.leave(place)

    assert fields_of(left) == fields_of(note.take(place))


def test_a_note_is_used_once(place: Place) -> None:
    """F07: a note never serves a second commit, and nothing is left of it."""
    note_of().leave(place)

    assert note.take(place) is not None
    assert note.take(place) is None
    assert os.listdir(place.private) == []


def test_each_note_replaces_the_last(place: Place) -> None:
    """F05: a commit that was refused later leaves nothing to the one after it."""
    note_of(pid=1).leave(place)
    note_of(pid=2, head=None, repo=None).leave(place)

    assert os.listdir(place.private) == ["note"]
    assert {"pid": 2, "head": None, "repo": None}.items() <= fields_of(note.take(place)).items()


def test_a_note_is_its_writers_alone(place: Place) -> None:
    """S15: a message is nobody else's business."""
    before = os.umask(0)
    note_of().leave(place)
    os.umask(before)

    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (file_of(place), place.private)] == [0o600, 0o700]


def test_each_work_tree_has_its_own_note(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C01: two commits at once in two work trees do not take each other's notes."""
    repo.commit("-m", "x")
    repo("worktree", "add", "-q", str(tmp_path / "linked"))
    monkeypatch.chdir(repo.path)
    note_of().leave(Place.of_hook({}))
    monkeypatch.chdir(tmp_path / "linked")

    assert note.take(Place.of_hook({})) is None


def test_there_may_be_no_note(place: Place) -> None:
    """A commit with `--no-verify` finds none."""
    assert note.take(place) is None


def test_discarding_takes_the_note_away(place: Place) -> None:
    """A note that was discarded, once or twice, is gone."""
    note_of().leave(place)
    note.discard(place)
    note.discard(place)

    assert note.take(place) is None


def test_the_shim_is_told_to_skip(place: Place) -> None:
    """Where there is nothing to record, `post-commit` starts nothing: the note is the one line the script looks for."""
    note_of().leave(place)
    note.skip(place, 4711)

    assert file_of(place).read_bytes() == b"skip 4711\n"
    assert note.take(place) is None
    assert not file_of(place).exists()


def test_skipping_needs_no_folder(place: Place) -> None:
    """The very first commit of a clone may be one to skip."""
    note.skip(place, 1)

    assert file_of(place).is_file()


@relaxed
@given(st.binary())
@example(b"")
@example(b"skip 1\n")
@example(b"skip 1\n\n")
@example(b"\n\n")
@example(b"pid x\nhead \nlinks \n\n")
def test_any_bytes_are_a_note_or_none(place: Place, content: bytes) -> None:
    """C12: garbage in place of a note is as good as none, and is taken away."""
    file_of(place).parent.mkdir(parents=True, exist_ok=True)
    file_of(place).write_bytes(content)

    assert note.take(place) is None
    assert not file_of(place).exists()


DAMAGE = {
    "no field": (b"\nsource env", b""),
    "bad process": (b"pid 4711", b"pid x"),
    "endless process": (b"pid 4711", b"pid " + b"9" * 5000),
    "bad commit": (b"head ", b"head x"),
    "bad link": (b"links ", b"links x"),
    "no link": (b"links " + CHILD.encode(), b"links "),
    "bad chain": (b"chain T", b"chain X"),
    "cut off": (b"\n\nsubject\n\nbody\n", b""),
    "not UTF-8": (b"chain T", b"chain \xff"),
}


@pytest.mark.parametrize(("old", "new"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_note_is_none(place: Place, old: bytes, new: bytes) -> None:
    """A note that does not say everything says nothing."""
    note_of().leave(place)
    whole = file_of(place).read_bytes()
    assert old in whole
    file_of(place).write_bytes(whole.replace(old, new, 1))

    assert note.take(place) is None


def test_a_repository_cannot_forge_a_note(place: Place) -> None:
    """S15, S16: an address of a remote with line feeds in it does not say that a commit was validated."""
    note_of(validated=False, source="message", repo="host/a\nvalidated 1\nsource env\n\nother").leave(place)
    taken = note.take(place)

    assert taken is None or (taken.validated, taken.source) == (False, "message")


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_no_file_is_no_note(place: Place, tmp_path: Path, plant: Callable[[Path, Path], object]) -> None:
    """S08, C13: something else in the place of the note is not read, not followed, and makes nobody wait."""
    note_of().leave(place)
    file_of(place).rename(tmp_path / "real")
    plant(file_of(place), tmp_path / "real")

    assert note.take(place) is None
    assert (tmp_path / "real").exists()


@pytest.mark.parametrize("kind", ["link", "FIFO"])
def test_a_note_takes_the_place_of_what_was_planted(place: Place, tmp_path: Path, kind: str) -> None:
    """S08: writing a note does not write through a link, and does not wait for a reader."""
    note_of().leave(place)
    (tmp_path / "victim").write_bytes(b"precious")
    file_of(place).unlink()
    PLANTED[kind](file_of(place), tmp_path / "victim")
    note_of(pid=2).leave(place)

    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert fields_of(note.take(place))["pid"] == 2


def test_a_folder_that_is_a_link_is_not_followed(place: Place, tmp_path: Path) -> None:
    """S08: with a link planted in place of our folder, nothing is written where it leads."""
    (tmp_path / "victim").mkdir()
    os.symlink(tmp_path / "victim", place.private)
    with pytest.raises(OSError, match=r".*"):
        note_of().leave(place)

    assert os.listdir(tmp_path / "victim") == []


def test_a_git_dir_that_is_a_link_is_followed(tmp_path: Path) -> None:
    """E15: a `.git` that somebody keeps elsewhere is still theirs, and the very first note is left there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".git").symlink_to(tmp_path / "elsewhere")
    note_of().leave(Place(str(tmp_path / ".git")))

    assert note.take(Place(str(tmp_path / "elsewhere"))) is not None


def test_a_note_of_the_longest_message_arrives(place: Place) -> None:
    """P44: a message of the greatest length that we look at fits, with a thousand links beside it."""
    note_of(links=[ThreadId(CHILD)] * 1000, message=b"x" * LIMIT, head=Sha(SHA256)).leave(place)
    taken = note.take(place)

    assert taken is not None
    assert (len(taken.message), len(taken.links)) == (LIMIT, 1000)


def test_a_file_that_is_no_note_of_ours_is_not_loaded(place: Place) -> None:
    """A file of a gigabyte in the place of the note costs nothing."""
    note_of().leave(place)
    os.truncate(file_of(place), 1 << 30)

    assert note.take(place) is None
