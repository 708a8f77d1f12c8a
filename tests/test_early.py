"""What begins before the command line is there changes nothing but the time it takes."""

import json
import os
import sys

import pytest

from ampcommit.__main__ import start
from ampcommit.cli.early import early
from tests.conftest import PARENT, Repo, url


@pytest.mark.parametrize(
    "args", [[], ["verify"], ["verify", "HEAD"], ["show", "--all"], ["--all"], ["chain", "verify", "--all"]], ids=str
)
def test_nothing_else_begins(repo: Repo, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """Only `verify --all` is known from its words alone."""
    repo.commit("-q", "-m", "One")
    monkeypatch.chdir(repo.path)

    with early(args) as begun:
        assert begun is None


def test_all_of_a_history_begins(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git has told by then is what it tells whoever asks."""
    for subject in ("One", "Two"):
        repo.commit("-q", "-m", subject)
    monkeypatch.chdir(repo.path)

    with early(["verify", "--all"]) as begun:
        assert begun is not None
        place, history = begun
        told = [one for piece in history.told(history.everything()) for one in piece]
    assert [one[0].decode() for one in told] == repo("rev-list", "HEAD").split()
    assert place.git_dir == str(repo.path / ".git")


def test_what_fails_is_the_commands_to_say(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a repository nothing begins, and nothing is said twice."""
    monkeypatch.chdir(str(tmp_path))

    with early(["verify", "--all"]) as begun:
        assert begun is None


@pytest.mark.usefixtures("startable")
@pytest.mark.parametrize("more", [[], ["HEAD"], ["--policy-from", "HEAD"]], ids=str)
def test_the_command_is_the_same(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], more: list[str]
) -> None:
    """With what has begun, or where it is not wanted after all, the verdicts are those of the command alone."""
    repo.commit("-q", "-m", "Add the parser", "--trailer", f"Amp-Thread-ID: {url(PARENT)}")
    repo.commit("-q", "-m", "Add nothing")
    monkeypatch.chdir(repo.path)
    monkeypatch.setattr(sys, "argv", ["ampcommit", "verify", "--all", "--json", *more])
    with pytest.raises(SystemExit) as left:
        start()
    out = capfd.readouterr().out

    assert left.value.code == (2 if more == ["HEAD"] else 1)
    assert more == ["HEAD"] or json.loads(out)["summary"]["checked"] == 2


@pytest.mark.usefixtures("startable")
def test_an_interrupt_at_the_very_start_is_one(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the command line could look after it an interrupt ends with 130, too, and without a traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(repo.path)
    monkeypatch.setattr(sys, "argv", ["ampcommit", "verify", "--all"])
    monkeypatch.setattr(os, "posix_spawnp", interrupted)
    with pytest.raises(SystemExit) as left:
        start()

    assert left.value.code == 130
