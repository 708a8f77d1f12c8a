"""Guesses: what Amp's client last noted, shown with where it comes from."""

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from ampcommit.guess import MOST, guesses
from tests.conftest import AMP, CHILD, OTHER, PARENT

SESSION = "T-01a1f7e6-b976-79af-b87b-6c99042f89b5"
EXECUTED = "T-01a1f7f0-5e9a-7bed-b2d0-240381091437"


@pytest.fixture
def amp(sealed: Path) -> Path:
    """Amp's data folder in the sealed home, empty."""
    folder = sealed / ".local" / "share" / "amp"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def noted(amp: Path, tmp_path: Path) -> Callable[[str, str], None]:
    """Let the September client note a thread for the work tree `tmp_path`, each newer than the one before."""
    (amp / "last-threads").mkdir()
    mark = sha256(os.fsencode(os.path.realpath(tmp_path))).hexdigest()[:16]
    ages = iter(range(1_000_000_000, 2_000_000_000, 60))

    def note(name: str, content: str) -> None:
        path = amp / "last-threads" / f"{mark}-{name}.json"
        path.write_text(content)
        age = next(ages)
        os.utime(path, (age, age))

    return note


def test_the_session_of_each_generation_is_read(amp: Path, tmp_path: Path) -> None:
    """The state that the September client wrote gives its last threads, called the machine's."""
    shutil.copy(AMP / "2026-09" / "session.json", amp)

    assert guesses(os.environ, str(tmp_path)) == [
        (SESSION, "the last one on this machine"),
        (EXECUTED, "the last one on this machine"),
    ]


def test_the_checkout_comes_first_and_its_newest_thread_before_all(
    amp: Path, noted: Callable[[str, str], None], tmp_path: Path
) -> None:
    """What was noted for this very work tree comes before the machine's last thread, and each is named once."""
    noted("interactive-session", f'"{PARENT}"')
    noted("0123456789abcdef-execute-session", f'"{CHILD}"')
    (amp / "session.json").write_text(f'{{"lastThreadId": "{PARENT}", "lastExecuteThreadId": "{OTHER}"}}')

    found = guesses(os.environ, str(tmp_path))

    assert [thread for thread, _ in found] == [CHILD, PARENT, OTHER]
    assert found[1][1] == "the last one in this checkout"


def test_another_checkout_is_not_this_one(amp: Path, tmp_path: Path) -> None:
    """A thread noted for another work tree is nobody's guess here."""
    shutil.copytree(AMP / "2026-09" / "last-threads", amp / "last-threads")

    assert guesses(os.environ, str(tmp_path)) == []


def test_no_more_than_a_few_are_shown(noted: Callable[[str, str], None], tmp_path: Path) -> None:
    """A refusal stays short."""
    for number in range(9):
        noted(f"{number}-execute-session", f'"T-01a1f7e3-a087-75c8-93d6-90{number:010d}"')

    assert len(guesses(os.environ, str(tmp_path))) == MOST


@pytest.mark.parametrize(
    "content", ["", "null", "[]", "[" * 100_000, '{"lastThreadId": 1}', "{", '{"lastThreadId": "T-../x"}']
)
def test_a_broken_state_is_no_guess(amp: Path, noted: Callable[[str, str], None], tmp_path: Path, content: str) -> None:
    """Whatever lies in Amp's folder, nothing is made up from it."""
    (amp / "session.json").write_text(content)
    noted("execute-session", content)

    assert guesses(os.environ, str(tmp_path)) == []


def test_without_a_home_there_is_no_guess(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without HOME knows no last thread."""
    monkeypatch.delenv("HOME")

    assert guesses(os.environ, str(tmp_path)) == []


def test_a_note_that_vanishes_is_no_failure(
    noted: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the client replaces in this moment costs a guess at most."""
    noted("execute-session", f'"{CHILD}"')

    def gone(_: str) -> os.stat_result:
        raise FileNotFoundError

    monkeypatch.setattr(os, "lstat", gone)

    assert [thread for thread, _ in guesses(os.environ, str(tmp_path))] == [CHILD]
