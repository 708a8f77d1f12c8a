"""What is off in a clone's own files: ledger, lock, notes, leftovers; each with what to do."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit.amp import ampcli
from ampcommit.files import Lock
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import Finding
from ampcommit.verbs.install import install
from ampcommit.verbs.upkeep import FRESH, upkeep
from tests.conftest import CHILD, OTHER, PARENT, Repo, url

Enter = Callable[[str], None]


def looked(repo: Repo) -> list[Finding]:
    """Return what is off in *repo*."""
    git = Git(str(repo.path))
    found = list(upkeep(git, Place.of_folder(git), os.environ))
    assert all(one.message and one.hint for one in found)
    return found


def codes(repo: Repo) -> dict[str, str]:
    """Return the code of each finding with its level."""
    return {one.code: one.level for one in looked(repo)}


def state(repo: Repo) -> Path:
    """Return our folder in the clone."""
    return repo.path / ".git" / "ampcommit"


def old(path: Path) -> Path:
    """Let *path* be older than a note that may wait for its commit."""
    os.utime(path, (time.time() - 2 * FRESH,) * 2)
    return path


def test_a_sound_clone_has_nothing_to_say(installed: Repo, agent: Enter) -> None:
    """After an ordinary commit nothing is off."""
    agent(PARENT)
    installed.commit("-m", "Say what changes")

    assert looked(installed) == []


def test_a_clone_without_hooks_has_nothing_to_say(repo: Repo) -> None:
    """No ledger is needed where nothing was installed."""
    assert looked(repo) == []


# The folder and the ledger.


@pytest.mark.parametrize("kind", ["link", "file"])
def test_something_else_in_the_place_of_our_folder(installed: Repo, tmp_path: Path, kind: str) -> None:
    """S08: hooks write nothing through a link, so nothing is recorded there: an error."""
    shutil.rmtree(state(installed))
    if kind == "link":
        state(installed).symlink_to(tmp_path)
    else:
        state(installed).write_text("")

    assert codes(installed) == {"state-folder": "error"}


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_in_which_nothing_can_be_written(
    installed: Repo, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """E37: a read-only checkout records nothing, whether our folder is there or cannot be made."""
    if not there:
        shutil.rmtree(state(installed))
    barred, ask = str(state(installed) if there else installed.path / ".git"), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: ask(path, mode) and not (path == barred and mode & os.W_OK))

    assert codes(installed) == {"state-read-only": "error"}


def test_a_defect_that_a_hook_left(installed: Repo) -> None:
    """A hook that failed left what a report needs: it is not forgotten."""
    (state(installed) / "defect.txt").write_text("Traceback")

    (one,) = looked(installed)
    assert (one.code, one.level) == ("defect", "warning")
    assert str(state(installed) / "defect.txt") in one.hint


def test_a_ledger_that_is_gone(installed: Repo) -> None:
    """C15: where there was a ledger, its absence is said, and how to make it anew."""
    (state(installed) / "ledger.jsonl").unlink()

    (one,) = looked(installed)
    assert (one.code, one.level, one.hint) == ("ledger-missing", "warning", "run `ampcommit ledger rebuild`")


def test_a_damaged_ledger(installed: Repo) -> None:
    """C12: the first problem is told, the others are counted."""
    path = state(installed) / "ledger.jsonl"
    path.write_text("x\ny\nz\n")
    (one,) = looked(installed)
    assert (one.code, one.level) == ("ledger-damaged", "error")
    assert one.message == "the ledger is damaged: line 1: a line is not JSON, and 2 more"

    path.write_text("x\n")
    assert looked(installed)[0].message == "the ledger is damaged: line 1: a line is not JSON"


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_a_ledger_that_is_no_file(installed: Repo, kind: str) -> None:
    """C13: nothing is recorded into it, and nobody waits for it."""
    path = state(installed) / "ledger.jsonl"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")

    assert codes(installed) == {"ledger-unreadable": "error"}


def test_bytes_that_a_crash_cut_off(installed: Repo) -> None:
    """C11: what was set aside is named until somebody removes it; it needs no mending."""
    (state(installed) / "ledger.jsonl.torn").write_text('{"v":1,')

    (one,) = looked(installed)
    assert (one.code, one.level) == ("ledger-torn", "note")
    assert "7 bytes" in one.message


@pytest.mark.parametrize(("mode", "hint"), [(0o602, "chmod o-w "), (0o620, "chmod g-w "), (0o644, None)])
def test_a_ledger_that_others_can_write(installed: Repo, mode: int, hint: str | None) -> None:
    """E39, S18: whoever can write the ledger can say anything; reading it is another matter."""
    path = state(installed) / "ledger.jsonl"
    path.chmod(mode)

    assert [(one.code, one.hint) for one in looked(installed)] == ([("ledger-open", f"{hint}{path}")] if hint else [])


def test_a_shared_clone_is_shared(repo: Repo) -> None:
    """E39: what `core.sharedRepository` says is no complaint."""
    repo("config", "core.sharedRepository", "group")
    install(str(repo.path))

    assert looked(repo) == []


def test_a_ledger_that_cannot_be_written(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E37: nothing is recorded there."""
    path, ask = str(state(installed) / "ledger.jsonl"), os.access
    monkeypatch.setattr(os, "access", lambda one, mode: ask(one, mode) and not (one == path and mode & os.W_OK))

    assert codes(installed) == {"ledger-read-only": "error"}


def test_a_lock_that_is_held(installed: Repo) -> None:
    """C05: somebody holds the lock: it may be a moment or a process that hangs."""
    with Lock(str(state(installed) / "ledger.jsonl.lock")):
        assert codes(installed) == {"ledger-locked": "warning"}


def test_a_file_system_without_locks(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """C17: without flock nothing is recorded; that is said."""

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    (one,) = looked(installed)
    assert (one.code, one.level) == ("ledger-lock", "error")
    assert "No locks available" in one.message


def test_no_lock_is_made(installed: Repo) -> None:
    """Looking changes nothing."""
    (state(installed) / "ledger.jsonl.lock").unlink()

    assert looked(installed) == []
    assert not (state(installed) / "ledger.jsonl.lock").exists()


# Notes.


def left(repo: Repo, agent: Enter, thread: str = PARENT) -> Path:
    """Leave a note as `commit-msg` does, for a commit that is not there yet."""
    agent(thread)
    (repo.path / ".git" / "MSG").write_text(f"Say what changes\n\nAmp-Thread-ID: {url(thread)}\n")
    repo.run("-c", "gpg.program=false", "commit", "-S", "--allow-empty", "-F", ".git/MSG", ok=False)
    return old(state(repo) / "note")


def committed(repo: Repo, *args: str) -> str:
    """Make the commit without hooks, as a git whose post-commit died; return its id."""
    repo("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", *args)
    return repo.head()


def test_a_note_of_a_commit_that_did_not_come_to_be(installed: Repo, agent: Enter) -> None:
    """F01: signing failed; the note is harmless, and stays where it is."""
    path = left(installed, agent)
    before = path.read_bytes()

    (one,) = looked(installed)
    assert (one.code, one.level) == ("note-left", "note")
    assert path.read_bytes() == before


def test_a_note_of_this_moment_is_left_alone(installed: Repo, agent: Enter) -> None:
    """Somebody may be typing a passphrase."""
    os.utime(left(installed, agent))

    assert looked(installed) == []


@pytest.mark.parametrize("shape", ["root", "behind", "merge", "amend", "root amend", "edited"])
def test_a_note_that_never_became_a_record(installed: Repo, agent: Enter, shape: str) -> None:
    """F12: `post-commit` died between the commit and its record: the commit is named, and what records it."""
    if shape != "root":
        committed(installed, "-m", "Begin")
    if shape == "amend":
        committed(installed, "-m", "Go on")
    left(installed, agent)
    if shape == "edited":
        (installed.path / ".git" / "MSG").write_text(f"Another subject\n\nAmp-Thread-ID: {url(PARENT)}\n")
    if shape == "merge":
        installed("branch", "side", installed("commit-tree", "-m", "Aside", "-p", "HEAD", "HEAD^{tree}"))
        installed("-c", "core.hooksPath=/dev/null", "merge", "-q", "--no-ff", "-F", ".git/MSG", "side")
        made = installed.head()
    else:
        made = committed(installed, "-F", ".git/MSG", *(["--amend"] if "amend" in shape else []))

    (one,) = looked(installed)

    assert (one.code, one.level, one.hint) == ("note-unrecorded", "error", "run `ampcommit ledger rebuild`")
    assert one.message.startswith(f"commit {made} ")


def test_a_note_whose_commit_has_a_record_is_fine(installed: Repo, agent: Enter) -> None:
    """Once the ledger knows the commit, the note is nobody's concern."""
    path = left(installed, agent)
    kept = path.read_bytes()
    installed("commit", "-q", "--allow-empty", "-F", ".git/MSG")
    path.write_bytes(kept)
    old(path)

    assert looked(installed) == []


def test_a_commit_of_another_thread_does_not_fit(installed: Repo, agent: Enter) -> None:
    """F07: what came in that place instead is another commit; the note is of none."""
    left(installed, agent)
    committed(installed, "-m", f"Say something else\n\nAmp-Thread-ID: {url(OTHER)}")

    assert codes(installed) == {"note-left": "note"}


def test_a_note_of_a_history_that_is_gone(installed: Repo, agent: Enter) -> None:
    """E32: git has cleaned away what the note builds on."""
    committed(installed, "-m", "Begin")
    path = left(installed, agent)
    path.write_bytes(path.read_bytes().replace(installed.head().encode(), b"1" * 40))
    old(path)

    assert codes(installed) == {"note-left": "note"}


def test_a_note_beside_a_ledger_that_cannot_be_read(installed: Repo, agent: Enter) -> None:
    """C13: then the ledger is what has to be mended."""
    left(installed, agent)
    committed(installed, "-F", ".git/MSG")
    (state(installed) / "ledger.jsonl").unlink()
    (state(installed) / "ledger.jsonl").mkdir()

    assert codes(installed) == {"ledger-unreadable": "error"}


@pytest.mark.parametrize("text", ["", "skip 77\n", "garbage", "links \n\nx", "pid x\nlinks y\n\nz"])
def test_a_note_that_is_none(installed: Repo, text: str) -> None:
    """What `commit-msg` leaves where there is nothing to record, and what nobody understands, says nothing."""
    (state(installed) / "note").write_text(text)
    old(state(installed) / "note")

    assert looked(installed) == []


def test_notes_of_all_work_trees_are_looked_at(installed: Repo, tmp_path: Path, agent: Enter) -> None:
    """C01: a note lies in the git dir of its own work tree, and the doctor may be called from another one."""
    committed(installed, "-m", "Begin")
    installed("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    other = Repo(tmp_path / "other")
    agent(CHILD)
    message = f"Say what changes\n\nAmp-Thread-ID: {url(CHILD)}"
    other.run("-c", "gpg.program=false", "commit", "-S", "--allow-empty", "-m", message, ok=False)
    made = committed(other, "-m", message)
    old(installed.path / ".git" / "worktrees" / "other" / "ampcommit" / "note")

    for place in (installed, other):
        (one,) = looked(place)
        assert (one.code, made in one.message) == ("note-unrecorded", True)


# Amp.


def test_an_amp_that_is_gone(installed: Repo, tmp_path: Path) -> None:
    """Nobody would ever hear that the background run has nobody to ask."""
    ampcli.record(Place.of_folder(Git(str(installed.path))), str(tmp_path / "amp"))

    assert codes(installed) == {"amp-gone": "warning"}


@pytest.mark.parametrize(("days", "says"), [(0, 0), (29, 0), (31, 1)])
def test_thread_files_of_an_old_client(installed: Repo, january: Path, days: int, says: int) -> None:
    """T24: clients of today write none: the newest file tells how old all of them are."""
    files = sorted(january.iterdir())
    for path in files:
        os.utime(path, (time.time() - 500 * 86400,) * 2)
    os.utime(files[0], (time.time() - days * 86400,) * 2)

    assert [(one.code, one.level) for one in looked(installed)] == [("threads-stale", "note")] * says


def test_who_is_asked_instead_of_thread_files(installed: Repo, january: Path, tmp_path: Path) -> None:
    """Without `amp`, chains of new threads stay unknown: the note says how that ends."""
    (january / "notes.txt").write_text("no thread")
    for path in january.glob("T-*"):
        os.utime(path, (0, 0))
    assert "put `amp` on PATH" in looked(installed)[0].hint

    (tmp_path / "amp").write_text("#!/bin/sh\n")
    (tmp_path / "amp").chmod(0o755)
    ampcli.record(Place.of_folder(Git(str(installed.path))), str(tmp_path / "amp"))
    assert looked(installed)[0].hint == "nothing: chains of new threads come from `amp`"


def test_no_home_no_thread_files(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E16: without HOME there is nothing to look at."""
    monkeypatch.delenv("HOME")

    assert looked(installed) == []


def test_a_ledger_of_a_newer_version_is_named(installed: Repo) -> None:
    """Each commit says that it has no record; doctor says why, and what to do."""
    path = state(installed) / "ledger.jsonl"
    path.write_text('{"v":9,"kind":"commit","prev":null}\n')

    assert [finding.code for finding in looked(installed) if finding.level == "error"] == ["ledger-newer"]


def test_a_folder_in_place_of_the_lock_is_named(installed: Repo) -> None:
    """The file system is not to blame."""
    path = state(installed) / "ledger.jsonl.lock"
    path.unlink()
    path.mkdir()

    assert [finding.hint for finding in looked(installed) if finding.level == "error"] == ["move it away"]
