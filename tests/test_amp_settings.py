"""What Amp's settings files say of its trailer: read as its client does, bounded, never executed."""

import os
from pathlib import Path

import pytest

from ampcommit.setup.amp_settings import MANAGED, switched_off
from tests.conftest import ROOT

OFF = '{"amp.git.commit.ampThread.enabled": false}'
ON = '{"amp.git.commit.ampThread.enabled": true}'


def put(path: Path, text: str = OFF) -> Path:
    """Write a settings file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def user(sealed: Path) -> Path:
    """Where the user's settings are; the file is not there yet."""
    return sealed / ".config" / "amp" / "settings.json"


def off(top: Path, folder: Path | None = None) -> list[str]:
    """Return where the trailer is switched off for who works in *folder*."""
    return switched_off(os.environ, str(folder or top), str(top), managed=())


def test_nobody_switched_it_off(tmp_path: Path) -> None:
    """Without any file, Amp adds the link."""
    assert off(tmp_path) == []


def test_the_users_file(user: Path, tmp_path: Path) -> None:
    """The user's own file is named."""
    put(user)

    assert off(tmp_path) == [str(user)]


@pytest.mark.parametrize(
    "text",
    [
        '{ // why: "//" and /* here\n "amp.git.commit.ampThread.enabled" : false, }',
        '/* { */ {"url": "https://x/*", "a": ["//", 1, ], /* , */ "amp.git.commit.ampThread.enabled": false\n, }\n//',
        '\ufeff{"a\\"//": 1, "amp.git.commit.ampThread.enabled": false}',
    ],
)
def test_comments_and_trailing_commas_are_accepted(user: Path, tmp_path: Path, text: str) -> None:
    """Amp's client takes them, and text in quotes is no comment."""
    put(user, text)

    assert off(tmp_path) == [str(user)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ON,
        "{}",
        "[]",
        "null",
        '{"amp.git.commit.ampThread.enabled": 0}',
        '{"amp.git.commit.coauthor.enabled": false}',
        '{"note": "\\"amp.git.commit.ampThread.enabled\\": false"}',
        f"// {OFF}",
        f"{{}} /* {OFF}",
        f'{OFF} "',
        "[" * 100_000,
        "/*" * 500_000,
        '"' * 99_999,
        "," * 99_999,
        "\0",
        "{" + " " * (1 << 20) + '"amp.git.commit.ampThread.enabled": false}',
    ],
    ids=range(17),
)
def test_what_says_nothing_is_nothing(user: Path, tmp_path: Path, text: str) -> None:
    """T02, T10: a broken, huge or hostile file, another value and another key switch nothing off, at once."""
    put(user, text)

    assert off(tmp_path) == []


def test_the_second_name_counts_where_the_first_is_missing(user: Path, tmp_path: Path) -> None:
    """`settings.jsonc` is read only if there is no `settings.json`."""
    second = put(user.with_suffix(".jsonc"))
    assert off(tmp_path) == [str(second)]

    put(user, ON)
    assert off(tmp_path) == []


def test_a_workspace_wins_over_the_user(user: Path, tmp_path: Path) -> None:
    """The nearest file from the folder up to the top of the work tree decides, where it says anything."""
    put(user)
    outer = put(tmp_path / "repo" / ".amp" / "settings.json", ON)
    inner = put(tmp_path / "repo" / "sub" / ".amp" / "settings.jsonc")
    put(tmp_path / ".amp" / "settings.json")

    assert off(tmp_path / "repo", tmp_path / "repo" / "sub") == [str(inner)]
    assert off(tmp_path / "repo") == []
    outer.write_text("{}")
    assert off(tmp_path / "repo") == [str(user)]


def test_a_folder_outside_of_the_top_ends_at_the_root(tmp_path: Path) -> None:
    """In a git dir there is no work tree above: the search ends."""
    assert off(tmp_path / "elsewhere", tmp_path) == []


def test_the_variable_that_names_another_file(user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AMP_SETTINGS_FILE` stands for the user's file."""
    put(user)
    other = put(tmp_path / "other.json", ON)
    monkeypatch.setenv("AMP_SETTINGS_FILE", str(other))

    assert off(tmp_path) == []


def test_xdg_and_no_home(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E16: `XDG_CONFIG_HOME` counts if it is absolute; without it and HOME there is no file of the user's."""
    path = put(tmp_path / "xdg" / "amp" / "settings.json")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert off(tmp_path) == [str(path)]

    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert off(tmp_path) == []
    put(sealed / ".config" / "amp" / "settings.json")
    assert len(off(tmp_path)) == 1
    monkeypatch.delenv("HOME")
    assert off(tmp_path) == []


@pytest.mark.parametrize(("value", "says"), [("1", 1), ("true", 1), ("0", 0), ("", 0), ("yes", 0)])
def test_the_variable_that_switches_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, says: int
) -> None:
    """`1` and `true` switch it off; `0` has no effect."""
    monkeypatch.setenv("AMP_DISABLE_AMP_THREAD_TRAILER", value)

    assert off(tmp_path) == ["AMP_DISABLE_AMP_THREAD_TRAILER"] * says


def test_settings_of_a_company(user: Path, tmp_path: Path) -> None:
    """Managed settings are named beside the user's; a link to a file is followed, as dotfiles need it."""
    put(tmp_path / "real.json")
    user.parent.mkdir(parents=True)
    user.symlink_to(tmp_path / "real.json")
    managed = (str(tmp_path / "real.json"), str(tmp_path / "missing.json"))

    assert switched_off(os.environ, str(tmp_path), str(tmp_path), managed) == [managed[0], str(user)]
    assert MANAGED[0] == "/etc/ampcode/managed-settings.json"


@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling"])
def test_a_file_that_is_none(user: Path, tmp_path: Path, kind: str) -> None:
    """T14: nobody waits for a pipe."""
    user.parent.mkdir(parents=True)
    if kind == "fifo":
        os.mkfifo(user)
    elif kind == "folder":
        user.mkdir()
    else:
        user.symlink_to("/nonexistent")

    assert off(tmp_path) == []


def test_the_documents_name_what_is_read() -> None:
    """The setting and the variable stand in the documents."""
    text = (ROOT / "docs" / "hooks.md").read_text()

    assert "amp.git.commit.ampThread.enabled" in text
    assert "AMP_DISABLE_AMP_THREAD_TRAILER" in text


@pytest.mark.parametrize("content", ['"\\"' + '"' * 500_001, "/*" * 400_000, ",\n" * 400_000])
def test_a_hostile_file_takes_no_longer_than_its_length(tmp_path: Path, content: str) -> None:
    """Whatever a cloned repository brings along is read once from end to end."""
    (tmp_path / ".amp").mkdir()
    (tmp_path / ".amp" / "settings.json").write_text(content)

    assert switched_off({}, str(tmp_path), str(tmp_path)) == []
