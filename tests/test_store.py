"""What is known of Amp's threads: taken over whole, whatever the order; what they cost, asked for and counted once."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.amp.store import Store, existing, moment_of, path_of
from ampcommit.amp.wire import TEXT_LIMIT, Entry, Usage, page, usage
from ampcommit.errors import SetupError
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT

Table = list[tuple[Any, ...]]

YESTERDAY, NOW = "2026-11-20T08:00:00.000Z", "2026-11-21T08:00:00.000Z"
"""The times between which a thread of which Amp did not tell all is not asked for again."""


def thread(number: int) -> ThreadId:
    """Return the id of a thread."""
    return ThreadId(f"T-01a1f7e3-a0f0-741a-b744-{number:012x}")


def at(second: int) -> str:
    """Return a time of one day, as Amp tells it."""
    return f"2026-11-20T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def told(number: int, updated: int | None = None, **fields: object) -> Entry:
    """Return what a list says of a thread."""
    said = {"id": thread(number), "creatorUserID": "user_1", "updatedAt": None if updated is None else at(updated)}
    (entry,) = page(json.dumps({"threads": [said | fields]}).encode()).entries
    return entry


def cost(number: int, usd: str, *, subs: tuple[int, ...] = (), models: str = "[]") -> Usage:
    """Return what Amp says of the cost of a thread."""
    named = json.dumps([thread(sub) for sub in subs])
    body = f'{{"threadID":"{thread(number)}","usage":{usd},"subThreadIDs":{named},"models":{models}}}'
    return usage(body.encode(), thread(number))


def tables(path: str) -> dict[str, Table]:
    """Return all that is in the file."""
    with closing(sqlite3.connect(path)) as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: sorted(file.execute(f"SELECT * FROM {name}"), key=repr) for name in names}  # noqa: S608


def due(store: Store) -> list[int]:
    """Return the numbers of the threads whose cost is to be asked for."""
    count = store.usage.unpriced(YESTERDAY, NOW)
    found = [int(one.thread[-12:], 16) for one in store.usage.due()]
    assert len(found) == count
    return found


def price(store: Store, **costs: Usage | None) -> None:
    """Ask for the cost of all that is due; *costs* are the answers, `t1` for thread 1, else it cost nothing."""
    store.usage.unpriced(YESTERDAY, NOW)
    asked = [(one, int(one.thread[-12:], 16)) for one in store.usage.due()]
    store.usage.keep([(one, costs.get(f"t{number}", cost(number, "0")), True) for one, number in asked], NOW)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a store is to be."""
    return str(tmp_path / "ampcommit" / "threads.db")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    """An empty store in which a list is under way."""
    with closing(Store(path)) as made:
        made.begin()
        yield made


# --- Where it is


def test_where_it_is(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies beside what else was learned of threads."""
    assert path_of(os.environ) == str(sealed / ".local" / "share" / "ampcommit" / "threads.db")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert path_of(os.environ) == str(tmp_path / "ampcommit" / "threads.db")
    with pytest.raises(SetupError, match="neither HOME nor XDG_DATA_HOME"):
        path_of({})


def test_who_only_looks_makes_nothing(sealed: Path) -> None:
    """Where there is no store, none is made, and no folder for it."""
    notices: list[str] = []

    assert (existing(os.environ, notices), existing({}, notices), notices) == (None, None, [])
    assert list(sealed.glob(".local")) == []


def test_one_that_is_there(store: Store, path: str, tmp_path: Path) -> None:
    """What was taken over is known to whoever looks later; a copy of it, too."""
    store.take([told(1, title="Add the parser")])
    copy = tmp_path / "copy.db"
    store.copy_to(str(copy))
    found = existing({"XDG_DATA_HOME": str(tmp_path)}, [])
    assert found
    with closing(found):
        known = found.known(thread(1))
        assert known
        assert (found.path, known.title) == (path, "Add the parser")

    assert tables(str(copy)) == tables(path)


def test_a_dead_link_is_not_passed_over(tmp_path: Path) -> None:
    """Something is there, and whoever looks is told what."""
    (tmp_path / "ampcommit").mkdir()
    (tmp_path / "ampcommit" / "threads.db").symlink_to("nowhere")
    notices: list[str] = []

    assert existing({"XDG_DATA_HOME": str(tmp_path)}, notices) is None
    assert "no regular file (hint: " in notices[0]


def test_sqlite_is_loaded_with_the_store() -> None:
    """Who only may look for a store does not pay for SQLite, nor needs a Python that has it."""
    script = "import sys; from ampcommit.amp.store import existing; "
    script += "existing({'HOME': '/'}, []); print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)

    assert done.stdout == "False\n"


# --- Lists


def test_new_updated_unchanged(store: Store) -> None:
    """Each thread of a list counts once, as what it was when it came first."""
    assert store.take([told(1, 1), told(2, 1)]) == {"new": 2, "updated": 0, "unchanged": 0}
    assert store.take([told(2, 1), told(3, 1), told(3, 1)]) == {"new": 1, "updated": 0, "unchanged": 0}
    store.begin()
    assert store.take([told(1, 1), told(2, 2), told(4)]) == {"new": 1, "updated": 1, "unchanged": 1}
    assert store.take([told(1, 5)]) == {"new": 0, "updated": 0, "unchanged": 0}
    assert store.size() == {"threads": 4, "users": 1, "repositories": 0}


FULL = {
    "title": "Add the parser",
    "createdAt": at(1),
    "firstSyncedAt": at(2),
    "parentThreadID": OTHER,
    "mainThreadID": PARENT,
    "repositories": [{"url": "https://github.com/team/demo"}],
}


@pytest.mark.parametrize("absent", [{}, dict.fromkeys(FULL)], ids=["absent", "null"])
def test_what_is_not_told_stays(store: Store, path: str, absent: dict[str, None]) -> None:
    """Without a scope Amp leaves out titles and repositories; that takes nothing away."""
    store.take([told(1, 1, **FULL)])
    before = tables(path)
    store.take([told(1, 2, **absent)])
    after = tables(path)

    assert (before["threads"][0][4], after["threads"][0][4]) == (at(1), at(2))
    assert [row[:4] + row[5:] for row in after["threads"]] == [row[:4] + row[5:] for row in before["threads"]]
    assert {**after, "threads": []} == {**before, "threads": []}
    known = store.known(thread(1))
    assert known
    assert (known.creator, known.title, known.parent, known.repositories) == (
        "user_1",
        "Add the parser",
        OTHER,
        ["github.com/team/demo"],
    )


@pytest.mark.parametrize("updated", [1, None], ids=["older", "of unknown age"])
def test_older_entries_change_nothing(store: Store, path: str, updated: int | None) -> None:
    """A list that repeats what was does not undo what is."""
    store.take([told(1, 2, **FULL)])
    before = tables(path)
    old = {**FULL, "title": "Parser", "repositories": [], "parentThreadID": CHILD, "creatorUserID": "user_2"}
    store.begin()

    assert store.take([told(1, updated, **old)])["unchanged"] == 1
    assert tables(path) == before


def test_older_entries_fill_gaps(store: Store, path: str) -> None:
    """What nobody told since then is still worth knowing."""
    store.take([told(1, 1, **FULL), told(1, 2)])
    in_order = tables(path)
    with closing(Store(f"{path}.2")) as other:
        other.begin()
        other.take([told(1, 2), told(1, 1, **FULL)])
    turned = tables(f"{path}.2")

    assert turned["threads"] == in_order["threads"]
    assert turned["sub_threads"] == in_order["sub_threads"] == [(thread(1), PARENT)]


def test_undated_entries_are_taken_as_they_come(store: Store) -> None:
    """Amp promises no times; without them the last word counts."""
    store.take([told(1, title="A"), told(1, title="B")])
    known = store.known(thread(1))

    assert known
    assert known.title == "B"
    assert store.known(thread(2)) is None


def test_a_page_is_taken_over_whole_or_not_at_all(store: Store, path: str) -> None:
    """What fails in the middle of a page leaves no thread of it, no note, and no count."""
    store.take([told(1)], reached="1")
    before = tables(path)

    def failing() -> Iterator[Entry]:
        yield told(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.take(failing(), reached="2")

    assert tables(path) == before
    assert store.take([told(2)], reached="2")["new"] == 1


def test_notes(store: Store) -> None:
    """How far a list has come is kept with its pages; an empty text forgets it."""
    store.note(begun=at(1), listed=at(2))
    store.take([], reached=at(3))
    store.note(begun="")

    assert [store.noted(name) for name in ("begun", "listed", "reached")] == [None, moment_of(at(2)), moment_of(at(3))]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-20", b"\xff", 7, None], ids=str)
def test_times_that_are_damaged_are_not_known(store: Store, path: str, text: object) -> None:
    """What is no time with a zone counts as nothing: the list is then read from its beginning."""
    store.take([told(1, firstSyncedAt=at(5))], reached=at(1))
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE threads SET first_synced = ?", (text,))
        if text is not None:
            file.execute("UPDATE progress SET value = ?", (text,))
        file.commit()

    assert store.newest() is None
    assert text is None or store.noted("reached") is None


def test_the_newest(store: Store) -> None:
    """The time that Amp learned of the last thread is told as it was."""
    assert store.newest() is None
    store.take([told(1, firstSyncedAt=at(5)), told(2, firstSyncedAt="2026-11-20T02:00:00+01:00"), told(3)])

    assert store.newest() == moment_of(at(3600))


# --- Repositories


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (None, ["git.example.com/a", "github.com/team/b"]),
        ([], []),
        (
            [{"url": "https://github.com/team/c.git"}, {"url": "git@github.com:team/b"}],
            ["github.com/team/b", "github.com/team/c"],
        ),
        ([{"url": "file:///home/me/a"}, {"url": 7}, {}, "x", {"url": "/home/me/a"}], []),
    ],
    ids=["not told", "none", "others", "unusable"],
)
def test_repositories_follow_what_was_told_last(store: Store, then: object, left: list[str]) -> None:
    """Names are compared as those of remotes are; what cannot be told apart from a secret is left out."""
    at_first = [{"url": "ssh://git@git.example.com:2222/a.git", "dir": "x"}, {"url": "https://github.com/team/b"}]
    store.take([told(1, 1, repositories=at_first), told(2, 1, repositories=at_first[1:])])
    store.begin()
    taken = store.take([told(1, 1, repositories=then)])
    known = store.known(thread(1))

    assert known
    assert known.repositories == left
    assert taken["updated"] == (then is not None)
    assert store.size()["repositories"] == len({*left, "github.com/team/b"})


def test_secrets_in_urls_are_not_kept(store: Store, path: str, tmp_path: Path) -> None:
    """N11: no password and no token of a URL gets into any of the files, not even into what was deleted."""
    urls = [
        "https://me:s3cret@git.example.com/team/demo.git",
        "https://s3cret@git.example.com/team/demo",
        "https://git.example.com/team/demo?token=s3cret",
        "https://git.example.com/team/demo#s3cret",
        "me:s3cret@git.example.com:team/demo",
        "https://git.example.com:s3cret/team/demo",
        "s3cret::https://git.example.com/team/demo",
    ]
    for number, url in enumerate(urls):
        store.take([told(1, number, repositories=[{"url": url}]), told(number, 50, repositories=[{"url": url}])])
    store.copy_to(str(tmp_path / "copy.db"))
    files = [*Path(path).parent.iterdir(), tmp_path / "copy.db"]

    assert len(files) == 4
    assert not any(b"s3cret" in file.read_bytes() for file in files)
    assert b"git.example.com/team/demo" in (tmp_path / "copy.db").read_bytes()


# --- Titles

HOSTILE = [
    "\x1b[2J\x07",
    "'; DROP TABLE threads; --",
    "# **x** [a](javascript:b)",
    "graph TD; a-->b",
    "a\0b",
    "\u202e\ud83d\ude00",
]


@pytest.mark.parametrize("title", [*HOSTILE, "x" * TEXT_LIMIT, "\u00e9" * TEXT_LIMIT])
def test_titles_are_kept_as_they_are(store: Store, title: str) -> None:
    """Whoever shows a title makes it harmless; the store changes nothing."""
    store.take([told(1, title=title)])
    known = store.known(thread(1))

    assert known
    assert known.title == title.encode("utf-16", "surrogatepass").decode("utf-16")


def test_huge_titles_are_cut(store: Store) -> None:
    """What is longer than anybody reads does not fill the disk."""
    store.take([told(1, title="x" * 10_000_000)])
    known = store.known(thread(1))

    assert known
    assert known.title == "x" * TEXT_LIMIT


# --- Any order, any pages


@st.composite
def lists(draw: st.DrawFn) -> list[Entry]:
    """Entries of a few threads: what never changes is told or not, titles and places change with each update."""
    found = []
    for number in draw(st.lists(st.integers(0, 5), max_size=5, unique=True)):
        fixed = {
            "createdAt": at(number),
            "firstSyncedAt": at(number + 1),
            "parentThreadID": draw(st.sampled_from([PARENT, OTHER])),
        }
        mains = st.none() | st.integers(0, 6).map(thread)
        for updated in draw(st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=4, unique=True)):
            said: dict[str, object] = {name: value for name, value in fixed.items() if draw(st.booleans())}
            said |= {"title": f"Title {updated}", "mainThreadID": draw(mains)}
            said["repositories"] = [{"url": f"https://h/{draw(st.integers(0, 2))}"}]
            found += [told(number, updated, **said)] * draw(st.integers(1, 2))
    return found


@settings(max_examples=25, deadline=None)
@given(lists(), st.data())
def test_order_and_pages_make_no_difference(entries: list[Entry], data: st.DataObject) -> None:
    """Duplicate and reordered pages, and lists that were continued, end with the same store."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("one", "two"):
            left = data.draw(st.permutations(entries))
            with closing(Store(f"{folder}/{name}.db")) as store:
                store.begin()
                counts = {"new": 0, "updated": 0, "unchanged": 0}
                while left:
                    size = data.draw(st.integers(1, len(left)))
                    for outcome, count in store.take(left[:size]).items():
                        counts[outcome] += count
                    left = left[size:]
            assert counts == {"new": len({entry.id for entry in entries}), "updated": 0, "unchanged": 0}
            found.append(tables(f"{folder}/{name}.db"))

    assert found[0] == found[1]


# --- Killed

TAKE = """
import json, sys
from ampcommit.amp.store import Store
from ampcommit.amp.wire import page
def entries(number):
    said = [{"id": f"T-01a1f7e3-a0f0-741a-b744-{n:012x}", "creatorUserID": f"user_{n % 7}", "title": f"Title {n}",
             "mainThreadID": f"T-01a1f7e3-a0f0-741a-b744-{n // 10 * 10:012x}",
             "repositories": [{"url": f"https://h/{n % 5}"}]} for n in range(number * 50, number * 50 + 50)]
    return page(json.dumps({"threads": said}).encode()).entries
store = Store(sys.argv[1])
store.begin()
"""
PAGES = TAKE + "print(flush=True)\nfor number in range(20): store.take(entries(number), reached=str(number))"
HALF = (
    TAKE
    + "store.take(entries(0), reached='0')\ndef half():\n  yield from entries(1)[:25]\n  print(flush=True)\n  input()\n"
)
HALF += "store.take(half(), reached='1')"


def started(script: str, path: str) -> "subprocess.Popen[bytes]":
    """Start *script* in a process of its own, and wait for its first word."""
    process = subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    return process


def undisturbed(path: str) -> dict[str, Table]:
    """Return what a run ends with that nobody disturbs."""
    with started(PAGES, path) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    found = tables(path)
    assert len(found["threads"]) == 1000
    return found


@pytest.mark.parametrize("delay", [None, 0.0, 0.005, 0.02, 0.05, 0.08])
def test_killed_in_mid_page(path: str, tmp_path: Path, delay: float | None) -> None:
    """A run that is killed leaves whole pages and how far it came; the next ends like one that nobody disturbed."""
    with started(HALF if delay is None else PAGES, path) as process:
        time.sleep(delay or 0)
        process.kill()
    with closing(Store(path, patience=0)) as store:
        pages = [value for name, value in tables(path)["progress"] if name == "reached"]
        reached = int(pages[0]) if pages else -1
        assert store.size()["threads"] == 50 * (reached + 1)
        assert reached == 0 or delay is not None
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    assert undisturbed(path) == undisturbed(str(tmp_path / "other.db"))


def test_two_at_once(path: str, tmp_path: Path) -> None:
    """Two that take over the same list at the same time wait for each other, page by page, and lose nothing."""
    running = [started(PAGES, path) for _ in range(2)]
    for process in running:
        with process:
            process.communicate(timeout=60)

    assert [process.returncode for process in running] == [0, 0]
    assert undisturbed(path) == undisturbed(str(tmp_path / "other.db"))


# --- Chains


def test_whose_parent_is_known(store: Store, path: str) -> None:
    """The threads that came of others, in the order of their ids; what is damaged is left out."""
    store.take([told(2, parentThreadID=OTHER), told(1, parentThreadID=OTHER), told(3), told(4, parentThreadID="x")])
    assert list(store.handed_off()) == [(thread(1), OTHER, None), (thread(2), OTHER, None)]
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE threads SET id = 'T-0' WHERE id = ?", (thread(1),))
        file.commit()

    assert list(store.handed_off()) == [(thread(2), OTHER, None)]
