"""What is known of threads, who is asked in which order, and how often."""

import gc
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ampcommit.amp.ampcli import Amp
from ampcommit.amp.sources import Sources
from ampcommit.amp.store import Store, path_of
from ampcommit.amp.wire import page
from ampcommit.ledger import Ledger
from ampcommit.record import ThreadId
from ampcommit.resolved import Resolved
from ampcommit.threads import LIMIT, Offline
from tests.conftest import AMP, CHILD, OTHER, PARENT
from tests.test_record import record_of

MAY_CHILD = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09"


class Counted(Ledger):
    """A ledger that counts how often it is searched."""

    __slots__ = ("searches",)

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.searches: list[bytes] = []

    def find(self, *needles: bytes) -> list[bytes]:
        """Search, and note for what."""
        self.searches.append(needles[0])
        return super().find(*needles)


@pytest.fixture
def ledger(tmp_path: Path) -> Counted:
    """An empty ledger."""
    (tmp_path / "git").mkdir()
    found = Counted(str(tmp_path / "git" / "ampcommit" / "ledger.jsonl"))
    found.prepare()
    return found


def tell(ledger: Ledger, *chain: str) -> None:
    """Append a line that tells a chain, each thread from the next."""
    threads = [ThreadId(thread) for thread in chain]
    ledger.append(
        Resolved(
            thread=threads[0],
            chain=threads,
            chain_state="complete",
            parents={thread: [parent] for thread, parent in itertools.pairwise(threads)},
            source="amp",
            time="2026-11-20T08:15:30Z",
            by="ampcommit 0.1.0",
        )
    )


def sources(ledger: Ledger | None = None, amp: Amp | None = None) -> Sources:
    """Return sources over the sealed home."""
    found = Sources(os.environ, amp)
    found.ledger = ledger
    return found


def stand_in(tmp_path: Path, script: str) -> Amp:
    """Return an amp that does what *script* says."""
    path = tmp_path / "amp"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Amp(str(path), os.environ)


def test_what_is_known_here_is_not_looked_up_in_the_ledger(january: Path, ledger: Counted) -> None:
    """A file that tells is enough; the ledger may be large."""
    assert january.exists()
    asked = sources(ledger)

    assert (asked.parents_of(ThreadId(CHILD)), asked.known_here(ThreadId(CHILD)).source) == ([PARENT], "local")
    assert ledger.searches == []


def test_a_thread_is_searched_for_once(ledger: Counted) -> None:
    """What the ledger says of its parents, and which commits name it, comes from one search."""
    ledger.append(record_of(thread=CHILD))
    asked = sources(ledger)
    for _ in range(2):
        assert asked.parents_of(ThreadId(CHILD)) is None
        assert len(asked.lines_of(ThreadId(CHILD))) == 1

    assert len(ledger.searches) == 1


def test_one_line_tells_of_a_whole_chain(ledger: Counted) -> None:
    """The threads further up need no search of their own."""
    tell(ledger, CHILD, PARENT, OTHER)
    asked = sources(ledger)

    assert [asked.parents_of(ThreadId(thread)) for thread in (CHILD, PARENT, OTHER)] == [[PARENT], [OTHER], None]
    assert len(ledger.searches) == 2
    assert asked.known_here(ThreadId(PARENT)).source == "ledger"


def test_of_all_threads_here_the_ledger_is_asked_at_once(amp_home: Path, ledger: Counted) -> None:
    """A thousand files that do not tell are not a thousand searches."""
    for number in range(20):
        (amp_home / f"T-01a1f7e3-a0f0-741a-b744-{number:012x}.json").write_text("broken")
    tell(ledger, CHILD, PARENT)

    assert sources(ledger).everywhere() == {PARENT: [CHILD]}
    assert len(ledger.searches) == 1


def test_without_a_ledger_there_is_nothing_to_search(amp_home: Path) -> None:
    """Outside a repository only this machine is asked."""
    assert amp_home.exists()
    assert (sources().parents_of(ThreadId(CHILD)), sources().lines_of(ThreadId(CHILD))) == (None, [])


def test_amp_is_asked_last_and_once(tmp_path: Path, ledger: Counted) -> None:
    """What amp says is taken over like a file; what it fails to say is a warning."""
    export = AMP / "2026-05" / "threads-exported" / f"{MAY_CHILD}.json"
    log = tmp_path / "log"
    asked = sources(ledger, stand_in(tmp_path, f'echo x >>"{log}"; [ "$3" = {MAY_CHILD} ] && cat "{export}"'))

    assert [asked.parents_of(ThreadId(MAY_CHILD)) for _ in range(2)] == [[OTHER]] * 2
    assert asked.known_here(ThreadId(MAY_CHILD)).source == "amp"
    assert log.read_text() == "x\n"
    assert asked.parents_of(ThreadId(CHILD)) is None
    assert [warning.partition(":")[0] for warning in asked.warnings] == [CHILD]


@pytest.mark.parametrize("keep", [False, True])
def test_amps_own_files_are_remembered_where_that_is_wanted(january: Path, sealed: Path, keep: bool) -> None:
    """Reading them again costs less than a new file for each, but what must last is kept."""
    assert january.exists()
    Sources(os.environ, keep=keep).parents_of(ThreadId(CHILD))

    assert (sealed / ".local" / "share" / "ampcommit" / "parents" / CHILD).exists() is keep


def test_the_childs_own_word_decides(january: Path) -> None:
    """T05, T07: a child that a thread names is one unless its own data say otherwise."""
    asked = sources()
    assert asked.children_of(ThreadId(PARENT)) == [CHILD]

    (january / f"{CHILD}.json").write_text(
        (january / f"{CHILD}.json").read_text().replace(f'"threadID": "{PARENT}"', f'"threadID": "{OTHER}"')
    )
    assert sources().children_of(ThreadId(PARENT)) == []
    (january / f"{CHILD}.json").unlink()
    assert sources().children_of(ThreadId(PARENT)) == [CHILD]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("x")], ids=["missing", "broken"])
def test_a_gap_is_missing_or_broken(january: Path, spoil: Callable[[Path], object]) -> None:
    """T01, T02: whether a file is there makes a difference to who wants to mend it."""
    spoil(january / f"{CHILD}.json")
    state = sources().known_here(ThreadId(CHILD)).state

    assert state == ("broken" if (january / f"{CHILD}.json").exists() else "missing")


def test_a_folder_that_is_gone_holds_no_threads(sealed: Path) -> None:
    """A machine on which Amp never ran knows nobody's children."""
    shutil.rmtree(sealed / ".local", ignore_errors=True)

    assert sources().everywhere() == {}


# --- What `ampcommit sync` brought


def sync(*entries: Mapping[str, object]) -> Path:
    """Put threads into the store, as Amp's API lists them; return where it is."""
    path = path_of(os.environ)
    with closing(Store(path)) as store:
        store.begin()
        store.take(page(json.dumps({"threads": [{"creatorUserID": "u", **one} for one in entries]}).encode()).entries)
    return Path(path)


def named(number: int) -> ThreadId:
    """Return the id of a thread."""
    return ThreadId(f"T-01a1f7e3-a0f0-741a-b744-{number:012x}")


HANDED_OFF: dict[str, object] = {"id": CHILD, "parentThreadID": PARENT, "title": "Add the parser"}


def test_the_store_tells_parents_and_titles() -> None:
    """The parent that Amp's API names counts; that it names none proves nothing, but the thread is known."""
    sync(HANDED_OFF, {"id": PARENT, "title": "Plan"})
    asked = sources()
    told = [asked.parents_of(ThreadId(thread)) for thread in (CHILD, PARENT, OTHER)]
    found = [asked.known_here(ThreadId(thread)) for thread in (CHILD, PARENT, OTHER)]

    assert told == [[PARENT], None, None]
    assert [one.source for one in found] == ["api", None, None]
    assert [one.state for one in found] == ["known", "known", "missing"]
    assert [one.title for one in found] == ["Add the parser", "Plan", None]
    assert asked.warnings == []


def test_what_the_store_told_is_learned() -> None:
    """Hooks, which do not open the store, find it where they look."""
    sync(HANDED_OFF)
    sources().parents_of(ThreadId(CHILD))
    learned = Offline(os.environ).recall(ThreadId(CHILD))

    assert learned
    assert (learned.parents, learned.source) == ([PARENT], "api")


@pytest.mark.parametrize("keep", [False, True])
def test_no_more_is_learned_of_a_long_chain_than_hooks_follow(keep: bool) -> None:
    """Writing a file for each of a thousand threads takes longer than the store, unless what is learned must last."""
    sync(*[{"id": named(n), "parentThreadID": named(n + 1)} for n in range(LIMIT + 50)])
    asked = Sources(os.environ, keep=keep)
    for number in range(LIMIT + 50):
        assert asked.parents_of(named(number)) == [named(number + 1)]

    assert len(os.listdir(asked.offline.folders()[0])) == LIMIT + 50 * keep


def test_better_sources_come_first(january: Path, ledger: Counted) -> None:
    """Files here and the ledger are asked before the store, for parents as for titles."""
    sync({**HANDED_OFF, "parentThreadID": OTHER}, {"id": PARENT, "parentThreadID": CHILD, "title": "Plan"})
    title = json.loads((january / f"{CHILD}.json").read_text())["title"]
    asked = sources(ledger)
    assert (asked.parents_of(ThreadId(CHILD)), asked.known_here(ThreadId(CHILD)).source) == ([PARENT], "local")
    assert asked.known_here(ThreadId(CHILD)).title == title

    (january / f"{PARENT}.json").unlink()
    tell(ledger, PARENT, OTHER)
    asked = sources(ledger)
    assert (asked.parents_of(ThreadId(PARENT)), asked.known_here(ThreadId(PARENT)).source) == ([OTHER], "ledger")
    assert asked.known_here(ThreadId(PARENT)).title == "Plan"


def test_amp_is_asked_where_the_store_does_not_tell(tmp_path: Path) -> None:
    """Amp is asked last, and its own title is the one of now."""
    export = AMP / "2026-05" / "threads-exported" / f"{MAY_CHILD}.json"
    log = tmp_path / "log"
    amp = stand_in(tmp_path, f'echo "$3" >>"{log}"; [ "$3" = {MAY_CHILD} ] && cat "{export}"')
    sync(HANDED_OFF, {"id": MAY_CHILD, "title": "An old title"}, {"id": PARENT, "title": "Plan"})
    asked = sources(amp=amp)
    told = [asked.parents_of(ThreadId(thread)) for thread in (CHILD, MAY_CHILD, PARENT)]

    assert told == [[PARENT], [OTHER], None]
    assert log.read_text().split() == [MAY_CHILD, PARENT]
    assert asked.known_here(ThreadId(MAY_CHILD)).title == json.loads(export.read_text())["title"]
    assert asked.known_here(ThreadId(PARENT)).title == "Plan"


def test_a_title_outlives_an_answer_without_one(tmp_path: Path) -> None:
    """What Amp does not say now, it said before."""
    fields = {"id": CHILD, "v": 1, "created": 1, "messages": []}
    sync({"id": CHILD, "title": "Add the parser"})
    asked = sources(amp=stand_in(tmp_path, f"echo '{json.dumps(fields)}'"))

    asked.parents_of(ThreadId(CHILD))

    assert asked.known_here(ThreadId(CHILD)).title == "Add the parser"
    assert asked.warnings == []


def test_children_that_only_the_store_tells(amp_home: Path, ledger: Counted) -> None:
    """The way down finds them, writes nothing for it, and believes a child's own file before the store."""
    assert amp_home.exists()
    tell(ledger, OTHER, named(3))
    sync(
        HANDED_OFF,
        {"id": named(1), "parentThreadID": PARENT},
        {"id": named(2), "parentThreadID": PARENT},
        {"id": OTHER, "parentThreadID": PARENT},
    )
    (amp_home / f"{named(2)}.json").write_text(
        json.dumps({"id": named(2), "v": 1, "created": 1, "messages": [], "originThreadID": named(3)})
    )
    asked = sources(ledger)

    assert asked.everywhere() == {PARENT: [named(1), CHILD], named(3): [named(2), OTHER]}
    assert asked.known_here(ThreadId(CHILD)).title == "Add the parser"
    assert not Path(asked.offline.folders()[0]).exists()
    assert asked.parents_of(ThreadId(CHILD)) == [PARENT]
    assert os.listdir(asked.offline.folders()[0]) == [CHILD]


def test_a_broken_file_stays_a_gap_to_mend(january: Path) -> None:
    """T02: that the store knows of a thread does not hide that its file tells nothing, unless the parent is known."""
    sync(HANDED_OFF, {"id": PARENT, "title": "Plan"})
    for thread in (CHILD, PARENT):
        (january / f"{thread}.json").write_text("x")
    found = [sources().known_here(ThreadId(thread)) for thread in (CHILD, PARENT)]

    assert [(one.state, one.title) for one in found] == [("known", "Add the parser"), ("broken", "Plan")]


def test_a_thread_is_not_its_own_parent() -> None:
    """A list that says so tells nothing."""
    sync({**HANDED_OFF, "parentThreadID": CHILD})

    assert sources().parents_of(ThreadId(CHILD)) is None


def test_the_store_is_closed_when_nobody_asks_any_more() -> None:
    """SQLite then takes its other files away."""
    path = sync(HANDED_OFF)
    asked = sources()
    asked.known_here(ThreadId(CHILD))
    assert len(os.listdir(path.parent)) == 3
    del asked
    gc.collect()

    assert os.listdir(path.parent) == ["threads.db"]


def newer(path: Path) -> None:
    """Let a newer version have written the file."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")


def garbled(path: Path) -> None:
    """Let the file be damaged where only questions find out."""
    path.write_bytes(path.read_bytes().replace(b"Add the", b"\xff\xff\xff\xff\xff\xff\xff"))


def folder(path: Path) -> None:
    """Let a folder stand in place of the file."""
    path.unlink()
    path.mkdir()


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "damaged": lambda path: path.write_text("<html>" * 100),
    "is damaged": garbled,
    "newer ampcommit": newer,
    "no regular file": folder,
}


@pytest.mark.parametrize(("said", "spoil"), UNUSABLE.items(), ids=["html", "garbled", "newer", "folder"])
def test_without_a_store_that_can_be_used_the_picture_goes_on(
    january: Path, said: str, spoil: Callable[[Path], object]
) -> None:
    """What is wrong is said once, with what to do, and all other sources are asked."""
    spoil(sync(HANDED_OFF, {"id": OTHER, "title": "Add the lexer"}))
    (january / f"{PARENT}.json").unlink()
    asked = sources()

    assert asked.known_here(ThreadId(OTHER)).state == "missing"
    assert asked.everywhere() == {PARENT: [CHILD]}
    assert asked.parents_of(ThreadId(PARENT)) is None
    (warning,) = asked.warnings
    assert said in warning
    assert " (hint: " in warning


def test_a_store_that_is_locked_is_waited_for_shortly() -> None:
    """A picture without it is better than none for a long time."""
    path = sync(HANDED_OFF)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("DELETE FROM users")
        began = time.monotonic()
        asked = sources()
        for thread in (CHILD, PARENT, OTHER):
            assert asked.parents_of(ThreadId(thread)) is None

        assert time.monotonic() - began < 8
    (warning,) = asked.warnings
    assert "is locked by another program (hint: " in warning


def test_a_python_without_sqlite(tmp_path: Path) -> None:
    """Where Python was built without it, the store is left out, and that is said."""
    sync(HANDED_OFF)
    (tmp_path / "sqlite3.py").write_text("import _sqlite3_is_not_here")
    argv = [sys.executable, "-m", "ampcommit", "chain", CHILD, "--json"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(argv, env=environ, cwd="/", capture_output=True, text=True, check=False)

    assert json.loads(done.stdout)["status"] == "unknown"
    assert done.stderr.count("what `ampcommit sync` learned cannot be read: No module named") == 1


def test_what_the_store_lacks_without_sqlite_is_said_once(monkeypatch: pytest.MonkeyPatch, january: Path) -> None:
    """All other sources are asked as before."""
    sync(HANDED_OFF)
    assert january.exists()
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    monkeypatch.delitem(sys.modules, "ampcommit.amp.database")
    asked = sources()

    assert [asked.parents_of(ThreadId(thread)) for thread in (CHILD, PARENT, OTHER)] == [[PARENT], [], None]
    assert len(asked.warnings) == 1
