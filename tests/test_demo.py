"""The demo: the whole thing in a throw-away repository, and nothing left of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ampcommit.cli.demo import LAST, MIDDLE, NEXT, ROOT, Stage, demo
from ampcommit.errors import AmpcommitError, MisuseError, SetupError
from ampcommit.ledger import Ledger
from ampcommit.record import ThreadId
from ampcommit.verbs.install import package
from ampcommit.verbs.show import show
from tests.conftest import Repo

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temp folder of this test's own, empty, and a current folder that is no repository."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_demo_shows_a_chain_of_three_and_leaves_nothing(temp: Path, capsys: Capture) -> None:
    """In seconds, offline, one sees a linked commit, a refusal, the way out, what a colleague gets, and the ledger."""
    demo("", Stage())
    out, err = capsys.readouterr()

    assert re.search(rf"chain +\S+/{LAST}\n +\S+/{MIDDLE}\n +\S+/{ROOT}\n +\(complete", out)
    assert out.count("found by  the agent's own environment") == 3
    assert re.search(rf"thread +\S+/{LAST}\n +\S+/{NEXT}\n", out), "an amend from another thread loses nothing"
    assert "error: AC101" in out
    assert "go on with your message" in out
    assert re.search(r"origin: 5 published, 0 received.*origin: 0 published, 5 received", out, re.DOTALL)
    assert len(re.findall(r"^  \w{12}  T-.* shared ", out, re.MULTILINE)) == 3
    assert "5 lines, 0 problems" in out
    assert (err, list(temp.iterdir())) == ("", [])


@pytest.mark.usefixtures("temp")
def test_a_demo_that_is_kept_can_be_played_with(tmp_path: Path, capsys: Capture) -> None:
    """The repository that stays holds commits, records and hooks like any other."""
    (tmp_path / "keep").mkdir()
    demo("keep", Stage())
    repo = Repo(tmp_path / "keep" / "repo")
    found = show("HEAD~1", os.environ, str(repo.path))
    ledger = Ledger(str(repo.path / ".git" / "ampcommit" / "ledger.jsonl"))

    assert (found.threads, found.chain, found.chain_state) == ([LAST], [LAST, MIDDLE, ROOT], "complete")
    assert f"cd {repo.path} && ampcommit show HEAD~1" in capsys.readouterr().out
    assert [json.loads(line)["source"] for line in ledger.lines()] == ["env", "env", "message", "env", "git"]
    assert ledger.check().problems == []
    assert repo.commit("-m", "Note more", ok=False).returncode == 1


def test_the_demo_touches_nothing_of_the_user(temp: Path, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set up outside, inside a thread or with hooks of everybody, the demo plays by itself."""
    before = sorted(sealed.rglob("*"))
    monkeypatch.setenv("AMPCOMMIT_MODE", "off")
    monkeypatch.setenv("AGENT", "amp")
    monkeypatch.setenv("AMP_CURRENT_THREAD_ID", "T-00000000-0000-7000-8000-000000000000")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")
    (sealed / ".gitconfig").write_text("[core]\n\thooksPath = /nonexistent\n[commit]\n\tgpgSign = true\n")
    demo("", Stage())

    assert (before, list(temp.iterdir())) == (sorted(sealed.rglob("*")), [])


def test_the_demo_runs_the_very_ampcommit_that_plays_it(temp: Path, tmp_path: Path) -> None:
    """From a checkout that is installed nowhere, or beside another version, it shows its own code."""
    shutil.copytree(Path(package()) / "ampcommit", tmp_path / "copy" / "ampcommit")
    (tmp_path / "copy" / "ampcommit" / "__init__.py").write_text('__version__ = "9.9.9"\n')
    play = "import sys; sys.path.insert(0, sys.argv[1]); "
    play += "from ampcommit.cli.app import main; main(['demo', '--keep', 'keep'])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-P", "-c", play, str(tmp_path / "copy")], env=env, capture_output=True, check=True)
    ledger = Ledger(str(tmp_path / "keep" / "repo" / ".git" / "ampcommit" / "ledger.jsonl"))

    assert {json.loads(line)["by"] for line in ledger.lines()} == {"ampcommit 9.9.9"}
    assert list(temp.iterdir()) == []


@pytest.mark.usefixtures("temp")
@pytest.mark.parametrize("name", ["full", "file", "link"])
def test_what_is_there_already_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """A folder that is not empty is somebody's work."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "work").write_text("work\n")
    (tmp_path / "file").write_text("work\n")
    (tmp_path / "link").symlink_to("/nonexistent")
    with pytest.raises(MisuseError) as caught:
        demo(name, Stage())

    assert (caught.value.exit_code, "is there already" in str(caught.value)) == (2, True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["work"]


def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Let every `git commit` fail with a status of its own."""
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    real = shutil.which("git")
    stop = f"case \"$*\" in *' -q -m '*) printf '%s' '{said}' >&2; exit 9;; esac"
    git.write_text(f'#!/bin/sh\n{stop}\nexec {real} "$@"\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(("said", "hint"), [("no pen\n", "no pen"), ("", "--keep DIR")], ids=["said", "silent"])
def test_a_demo_that_does_not_work_says_so(
    temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, hint: str
) -> None:
    """A demo that pretends is worth nothing: what git said is the hint, and still nothing is left."""
    failing(tmp_path, monkeypatch, said)
    with pytest.raises(AmpcommitError, match="expected status 0") as caught:
        demo("", Stage())

    assert hint in caught.value.hint
    assert list(temp.iterdir()) == []


def test_without_git_there_is_no_demo(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said, as by every other command."""
    monkeypatch.setenv("PATH", str(temp))
    with pytest.raises(SetupError, match="git") as caught:
        demo("", Stage())

    assert (caught.value.exit_code, list(temp.iterdir())) == (3, [])


@pytest.mark.parametrize("thread", [ROOT, MIDDLE, LAST])
def test_the_ids_of_the_demo_are_like_amps_own(thread: ThreadId) -> None:
    """A UUID of version 7 begins with the time."""
    assert thread[16] == "7"


def test_the_stage_shows_what_was_typed_and_printed(capsys: Capture) -> None:
    """A demo looks like a terminal, and plays no tricks on it."""
    stage = Stage()
    stage.scene("1. [A] scene")
    stage.typed("git commit -m '[red]'")
    stage.printed("one\ntwo \x1b[2J [red]x[-]\n")

    out = capsys.readouterr().out.splitlines()
    assert out == ["", "1. [A] scene", "$ git commit -m '[red]'", "  one", "  two \\x1b[2J [red]x[-]"]
