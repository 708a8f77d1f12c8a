"""Guesses: what Amp's client last noted, shown with where it comes from."""

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ampcommit.guess import MOST, guesses
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo
from tests.test_files import PLANTED

SESSION = "T-01a1f7e6-b976-79af-b87b-6c99042f89b5"
EXECUTED = "T-01a1f7f0-5e9a-7bed-b2d0-240381091437"

CHECKOUT = "the last one in this checkout"
MACHINE = "the last one on this machine"
FOLDER = "a thread that was started in this folder"
REPOSITORY = "a thread of this repository"
DEMO = "github.com/example/demo"


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


# Thread files: where Amp was started, and of which repository that was a clone.


@pytest.fixture
def exported(sealed: Path) -> Path:
    """Our own folder for exports in the sealed home, empty."""
    folder = sealed / ".local" / "share" / "ampcommit" / "threads"
    folder.mkdir(parents=True)
    return folder


def tree(uri: object = None, address: object = None) -> dict[str, Any]:
    """Return one workspace of a thread, as Amp's client writes it; None leaves a field out."""
    repository = {} if address is None else {"repository": {"type": "git", "url": address}}
    return ({} if uri is None else {"uri": uri}) | repository


def begun(folder: Path, thread: str, *trees: object, age: float = 0) -> Path:
    """Write the file of a thread that began with *trees*, last changed *age* seconds ago."""
    return written(folder / f"{thread}.json", {"id": thread, "env": {"initial": {"trees": trees}}}, age)


def written(path: Path, document: object, age: float = 0) -> Path:
    """Write *document* as Amp's client would."""
    path.write_text(json.dumps(document, indent=2))
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def numbered(number: int) -> str:
    """Return one of many threads."""
    return f"T-01a1f7e3-a087-75c8-93d6-90{number:010d}"


def test_threads_of_the_real_client_are_found_by_their_folder(amp_home: Path) -> None:
    """The January client's own files say where each thread was started; the last changed comes first."""
    names = []
    for age, path in enumerate(sorted((AMP / "2026-01" / "threads").iterdir())):
        copy = shutil.copy(path, amp_home)
        os.utime(copy, (2_000_000_000 - age, 2_000_000_000 - age))
        names += [path.stem] if path.suffix == ".json" else []

    assert guesses(os.environ, "/home/dev/demo", most=10) == [(name, FOLDER) for name in names]
    assert len(names) == 5


def test_threads_of_the_real_client_are_found_by_their_repository(exported: Path, tmp_path: Path) -> None:
    """Another clone of the same repository knows an exported thread by the address that it names."""
    for path in (AMP / "2026-05" / "threads-exported").iterdir():
        shutil.copy(path, exported)

    found = guesses(os.environ, str(tmp_path), remote=DEMO)

    assert {where for _, where in found} == {REPOSITORY}
    assert len(found) == 2
    assert guesses(os.environ, str(tmp_path)) == []
    assert guesses(os.environ, str(tmp_path), remote="github.com/example/other") == []


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/example/demo",
        "https://github.com/example/demo.git",
        "https://someone:secret@GitHub.com:443/example/demo.git/",
        "git@github.com:example/demo.git",
        "ssh://git@github.com/example/demo",
    ],
)
def test_an_address_is_compared_by_what_it_means(amp_home: Path, tmp_path: Path, address: str) -> None:
    """However the client wrote the address of the remote, it is the same repository."""
    begun(amp_home, CHILD, tree("file:///elsewhere", address))

    assert guesses(os.environ, str(tmp_path), remote=DEMO) == [(CHILD, REPOSITORY)]


@pytest.mark.parametrize("form", ["file://{plain}", "file://{plain}/", "{uri}", "{uri}/", "file://{hex}", "{link}"])
def test_a_folder_is_compared_by_its_real_path(amp_home: Path, tmp_path: Path, form: str) -> None:
    """Encoded or plain, with a slash at the end or through a link: it is the same folder."""
    top, link = tmp_path / "my d\u00e9mo 100%25 #1", tmp_path / "link"
    top.mkdir()
    link.symlink_to(top)
    every = "".join("/" if byte == ord("/") else f"%{byte:02X}" for byte in os.fsencode(top))
    begun(amp_home, CHILD, tree(form.format(plain=top, uri=top.as_uri(), hex=every, link=link.as_uri())))

    assert guesses(os.environ, str(top)) == [(CHILD, FOLDER)]
    assert guesses(os.environ, str(link)) == [(CHILD, FOLDER)]


def test_one_of_several_workspaces_is_enough(amp_home: Path, tmp_path: Path) -> None:
    """A thread that began in several folders belongs to each."""
    begun(amp_home, CHILD, tree("file:///elsewhere"), tree(tmp_path.as_uri()))

    assert guesses(os.environ, str(tmp_path)) == [(CHILD, FOLDER)]


def test_a_linked_work_tree_has_its_own_threads(amp_home: Path, repo: Repo, tmp_path: Path) -> None:
    """What was started in one work tree is not said to be of another."""
    repo.commit("-q", "-m", "first")
    repo("worktree", "add", "-q", str(tmp_path / "linked"))
    begun(amp_home, PARENT, tree(repo.path.as_uri()))
    begun(amp_home, CHILD, tree((tmp_path / "linked").as_uri()))

    assert guesses(os.environ, str(repo.path)) == [(PARENT, FOLDER)]
    assert guesses(os.environ, str(tmp_path / "linked")) == [(CHILD, FOLDER)]


ODD_URIS: dict[str, Callable[[Path], object]] = {
    "another folder": lambda top: (top.parent / "other").as_uri(),
    "the folder above": lambda top: top.parent.as_uri(),
    "a folder inside": lambda top: (top / "src").as_uri(),
    "the beginning of another name": lambda top: f"{top.as_uri()}-2",
    "another scheme": lambda top: top.as_uri().replace("file:", "https:"),
    "a remote workspace": lambda top: f"vscode-remote://ssh-remote+host{top}",
    "a host": lambda top: f"file://host{top}",
    "a relative path": lambda _: "file://.",
    "no scheme": str,
    "nothing but the scheme": lambda _: "file://",
    "empty": lambda _: "",
    "encoded twice": lambda top: f"{top.as_uri()}%252F",
    "a NUL": lambda top: f"{top.as_uri()}%00",
    "a plain NUL": lambda top: f"{top.as_uri()}\0",
    "half a character": lambda top: f"{top.as_uri()}/\ud800",
    "not UTF-8": lambda top: f"{top.as_uri()}%ff",
    "too long": lambda top: f"{top.as_uri()}{'/.' * 10_000}",
    "long": lambda top: f"{top.as_uri()}{'/x' * 4000}",
    "a number": lambda _: 7,
    "a list": lambda top: [top.as_uri()],
    "an object": lambda top: {"path": str(top)},
    "true": lambda _: True,
}


@pytest.mark.parametrize("odd", ODD_URIS.values(), ids=ODD_URIS)
def test_an_odd_folder_is_not_this_one(
    amp: Path, amp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: Callable[[Path], object]
) -> None:
    """T19: a thread with an odd tree is never offered, not even as the last one on this machine."""
    monkeypatch.chdir(tmp_path)
    begun(amp_home, CHILD, tree(odd(tmp_path)))
    (amp / "session.json").write_text(f'{{"lastThreadId": "{CHILD}"}}')

    assert guesses(os.environ, str(tmp_path), remote=DEMO) == []


@pytest.mark.parametrize(
    "address",
    ["https://github.com/example/other", "/srv/demo.git", "", 7, ["x"], {}, True, "\ud800", "https://github.com\n/"],
    ids=repr,
)
def test_an_odd_address_is_not_this_repository(amp_home: Path, tmp_path: Path, address: object) -> None:
    """T19: only the very address of the clone's remote makes a thread one of this repository."""
    begun(amp_home, CHILD, tree(None, address))

    assert guesses(os.environ, str(tmp_path), remote=DEMO) == []
    assert guesses(os.environ, str(tmp_path)) == []


@pytest.mark.parametrize(
    "env",
    [
        None,
        7,
        [],
        {},
        {"initial": None},
        {"initial": []},
        {"initial": {}},
        {"initial": {"trees": None}},
        {"initial": {"trees": "file:///"}},
        {"initial": {"trees": {"uri": "file:///"}}},
        {"initial": {"trees": []}},
        {"initial": {"trees": [None, 7, "file:///", [], {}]}},
        {"initial": {"trees": [{"displayName": "demo", "repository": "https://github.com/example/demo"}]}},
        {"initial": {"trees": [{"repository": None}]}},
    ],
    ids=repr,
)
def test_a_thread_that_names_no_place_stays_the_machines_last_one(
    amp: Path, amp_home: Path, tmp_path: Path, env: object
) -> None:
    """Of a file without a word on folders nothing is made up; the session's thread keeps its label."""
    written(amp_home / f"{CHILD}.json", {"id": CHILD, "env": env})
    written(amp_home / f"{PARENT}.json", {"id": PARENT, "env": env})
    (amp / "session.json").write_text(f'{{"lastThreadId": "{CHILD}"}}')

    assert guesses(os.environ, str(tmp_path), remote=DEMO) == [(CHILD, MACHINE)]


@pytest.mark.parametrize(
    ("name", "thread"),
    [
        (f"{CHILD}.json", OTHER),
        (f"{CHILD}.json", None),
        (f"{CHILD}.json.amptmp", CHILD),
        (f"{CHILD}", CHILD),
        (f"{CHILD} (1).json", CHILD),
        (f"x{CHILD}.json", CHILD),
        ("T-.json", "T-"),
        ("T-*.json", CHILD),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_no_guess(
    amp_home: Path, tmp_path: Path, name: str, thread: str | None
) -> None:
    """Only a thread's own file, under the thread's own name, says where it was started."""
    written(amp_home / name, {"id": thread, "env": {"initial": {"trees": [tree(tmp_path.as_uri())]}}})

    assert guesses(os.environ, str(tmp_path)) == []


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'{\n  "id": ', b"\xff\xfe", b"[" * 100_000])
def test_a_broken_thread_file_is_no_guess(amp_home: Path, tmp_path: Path, content: bytes) -> None:
    """What cannot be read costs a guess and nothing else."""
    (amp_home / f"{CHILD}.json").write_bytes(content)
    begun(amp_home, PARENT, tree(tmp_path.as_uri()), age=60)

    assert guesses(os.environ, str(tmp_path)) == [(PARENT, FOLDER)]


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_no_thread_file_is_no_guess(
    amp_home: Path, tmp_path: Path, plant: Callable[[Path, Path], object]
) -> None:
    """S08: a link, a FIFO and a folder under a thread's name are left alone."""
    theirs = begun(tmp_path, CHILD, tree(tmp_path.as_uri()))
    plant(amp_home / f"{CHILD}.json", theirs)

    assert guesses(os.environ, str(tmp_path)) == []


def test_the_last_changed_thread_comes_first_wherever_it_lies(amp_home: Path, exported: Path, tmp_path: Path) -> None:
    """Amp's own files and exports are looked through together, and a thread in both is named once."""
    begun(amp_home, PARENT, tree(tmp_path.as_uri()), age=20)
    begun(exported, CHILD, tree(None, "https://github.com/example/demo"), age=10)
    begun(amp_home, OTHER, tree(tmp_path.as_uri()), age=30)
    begun(exported, OTHER, tree(tmp_path.as_uri()))

    assert guesses(os.environ, str(tmp_path), most=10, remote=DEMO) == [
        (OTHER, FOLDER),
        (CHILD, REPOSITORY),
        (PARENT, FOLDER),
    ]


@pytest.mark.parametrize(("newer", "found"), [(49, [(CHILD, FOLDER)]), (50, [])])
def test_only_the_newest_files_are_looked_into(
    amp_home: Path, exported: Path, tmp_path: Path, newer: int, found: list[tuple[str, str]]
) -> None:
    """However many thread files lie around, fifty are opened, in both folders together."""
    begun(amp_home, CHILD, tree(tmp_path.as_uri()), age=60)
    for number in range(newer):
        begun(exported if number % 2 else amp_home, numbered(number), tree("file:///elsewhere"))

    assert guesses(os.environ, str(tmp_path)) == found


def test_who_asks_for_more_guesses_gets_more(amp_home: Path, tmp_path: Path) -> None:
    """A refusal names few; a command may list them all."""
    for number in range(12):
        begun(amp_home, numbered(number), tree(tmp_path.as_uri()), age=number)

    assert [thread for thread, _ in guesses(os.environ, str(tmp_path))] == [numbered(one) for one in range(MOST)]
    assert [thread for thread, _ in guesses(os.environ, str(tmp_path), most=10)] == [numbered(one) for one in range(10)]


def test_notes_of_the_client_come_before_thread_files(
    amp: Path, amp_home: Path, noted: Callable[[str, str], None], tmp_path: Path
) -> None:
    """First the checkout's last thread, then the machine's, then whatever was started here."""
    noted("interactive-session", f'"{PARENT}"')
    (amp / "session.json").write_text(f'{{"lastThreadId": "{CHILD}"}}')
    for thread in (PARENT, CHILD, OTHER):
        begun(amp_home, thread, tree(tmp_path.as_uri()))

    assert guesses(os.environ, str(tmp_path)) == [(PARENT, CHECKOUT), (CHILD, MACHINE), (OTHER, FOLDER)]


# The session's thread is the machine's, and may be of another repository.


@pytest.mark.parametrize("sample", ["2026-01", "2026-05", "2026-09"])
def test_the_last_thread_of_each_generation_is_kept_where_nothing_else_is_known(
    amp: Path, tmp_path: Path, sample: str
) -> None:
    """Since there are no thread files any more, the machine's last thread is offered as just that."""
    shutil.copy(AMP / sample / "session.json", amp)

    found = guesses(os.environ, str(tmp_path), remote=DEMO)

    assert {where for _, where in found} == {MACHINE}
    assert len(found) == (1 if sample == "2026-01" else 2)


def test_the_last_thread_of_another_repository_is_not_offered(amp: Path, amp_home: Path, tmp_path: Path) -> None:
    """T19, T24: the January client's last thread, whose file names another folder and repository, is no guess here."""
    shutil.copy(AMP / "2026-01" / "session.json", amp)
    shutil.copytree(AMP / "2026-01" / "threads", amp_home, dirs_exist_ok=True)

    assert guesses(os.environ, str(tmp_path)) == []
    assert guesses(os.environ, str(tmp_path), remote="github.com/example/other") == []


def test_the_last_thread_is_kept_where_its_file_names_this_place(amp: Path, amp_home: Path, tmp_path: Path) -> None:
    """The machine's last thread may well be the one that was started here, or in another clone."""
    last = "T-01a1f7ef-b264-74eb-9476-a60ca3b9220a"
    shutil.copy(AMP / "2026-01" / "session.json", amp)
    shutil.copy(AMP / "2026-01" / "threads" / f"{last}.json", amp_home)

    assert guesses(os.environ, "/home/dev/demo") == [(last, MACHINE)]
    assert guesses(os.environ, str(tmp_path), remote=DEMO) == [(last, MACHINE)]


def test_an_export_tells_of_the_last_thread_too(amp: Path, amp_home: Path, exported: Path, tmp_path: Path) -> None:
    """T19: of two files of one thread it is enough that one names another place."""
    written(amp_home / f"{CHILD}.json", {"id": CHILD, "env": {}})
    begun(exported, CHILD, tree("file:///elsewhere"))
    begun(exported, PARENT, tree("file:///elsewhere"))
    (amp / "session.json").write_text(f'{{"lastThreadId": "{CHILD}", "lastExecuteThreadId": "{OTHER}"}}')

    assert guesses(os.environ, str(tmp_path)) == [(OTHER, MACHINE)]
