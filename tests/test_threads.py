"""Where a thread came from, as this machine knows it: never invented, never guessed, learned once."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.record import ThreadId
from ampcommit.threads import LIMIT, Chain, Offline, data_home, walk
from tests.conftest import AMP, CHILD, OTHER, PARENT
from tests.test_files import failing
from tests.test_threadfile import document, entry, put

relaxed = settings(deadline=None, database=None)

MAY = AMP / "2026-05" / "threads-exported"
JANUARY = AMP / "2026-01" / "threads"


@pytest.fixture
def ours(sealed: Path) -> Path:
    """Our own folder below the data folder of the sealed home."""
    folder = sealed / ".local" / "share" / "ampcommit"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def exports(ours: Path) -> Path:
    """Our folder of exported threads."""
    (ours / "threads").mkdir()
    return ours / "threads"


def memory() -> Path:
    """Return the folder of what was learned."""
    return Path(os.environ["HOME"]) / ".local" / "share" / "ampcommit" / "parents"


def parents(thread: str = CHILD) -> list[ThreadId] | None:
    """
    Return the parents of *thread*, after checking what holds for every answer.

    What is known is remembered, what is not known leaves no trace, and asking again changes nothing.
    """
    found = Offline(os.environ)(ThreadId(thread))

    assert (memory() / thread).exists() == (found is not None)
    assert found == Offline(os.environ)(ThreadId(thread))
    return found


def number(at: int) -> ThreadId:
    """Return the id of the thread with this number."""
    return ThreadId(f"T-00000000-0000-4000-8000-{at:012x}")


def walked(graph: dict[int, list[int]], limit: int = LIMIT) -> tuple[list[int], str]:
    """Walk from thread 0 over *graph*; no thread is asked for twice, or listed twice."""
    asked: list[ThreadId] = []

    def parents_of(thread: ThreadId) -> list[ThreadId] | None:
        asked.append(thread)
        at = int(thread[-12:], 16)
        return [number(parent) for parent in graph[at]] if at in graph else None

    chain = walk(number(0), parents_of, limit)

    assert len(asked) == len(set(asked)) <= limit
    assert len(chain.threads) == len(set(chain.threads)) <= limit
    assert chain.threads[0] == number(0)
    return [int(thread[-12:], 16) for thread in chain.threads], chain.state


# --- the real client's files


@pytest.mark.usefixtures("january")
def test_the_child_names_its_parent() -> None:
    """`role` is the role of the thread that holds the list: the child's entry names the parent."""
    assert parents(CHILD) == [PARENT]


@pytest.mark.usefixtures("january")
def test_the_parent_has_no_parent_because_of_its_child() -> None:
    """The parent's own entry about its child does not turn the chain around."""
    assert parents(PARENT) == []


@pytest.mark.usefixtures("january")
def test_a_chain_of_two() -> None:
    """A hand-off by the agent is followed to its root, nearest thread first."""
    chain = walk(ThreadId(CHILD), Offline(os.environ))

    assert (chain.threads, chain.state) == ([CHILD, PARENT], "complete")


def test_the_other_threads_of_january(amp_home: Path) -> None:
    """Of the client's own files, one is a hand-off, and all others are roots."""
    files = sorted(JANUARY.glob("*.json"))
    for file in files:
        shutil.copy(file, amp_home)
    found = {file.stem[:15]: parents(file.stem) for file in files}

    child = found.pop("T-01a1f7e3-0902")
    assert child == ["T-01a1f7e2-bb71-70ee-8b15-63b5192bcb75"]
    assert [[]] * (len(files) - 1) == list(found.values())


def test_a_thread_that_january_left_unfinished(amp_home: Path) -> None:
    """A fresh thread that is there only as `.amptmp` is a root for now, which is not remembered."""
    thread = "T-01a1f7e1-c470-718e-955a-52b5910886f9"
    shutil.copy(JANUARY / f"{thread}.json.amptmp", amp_home)

    assert Offline(os.environ)(ThreadId(thread)) == []
    assert not memory().exists()


def test_an_unfinished_write_does_not_hide_the_file(january: Path) -> None:
    """A leftover `.amptmp` beside the file counts for nothing, not even when the file is broken."""
    (january / f"{CHILD}.json.amptmp").write_text(json.dumps(document(relationships=[entry(OTHER)]), indent=2))
    whole = parents(CHILD)
    shutil.rmtree(memory())
    (january / f"{CHILD}.json").write_bytes(b"{")

    assert whole == [PARENT]
    assert parents(CHILD) is None


def test_the_exports_of_may(exports: Path) -> None:
    """What the May client exports names the parents on the child's side, and a root is a root."""
    for file in MAY.iterdir():
        shutil.copy(file, exports)

    assert parents("T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09") == [OTHER]
    assert parents(OTHER) == []


# --- T01, T05: what is missing


def test_a_thread_that_is_nowhere_is_unknown(amp_home: Path) -> None:
    """T01, T21: of a thread without a file nothing is known, and nothing is made up."""
    assert list(amp_home.iterdir()) == []
    assert parents() is None
    assert described(walk(ThreadId(CHILD), Offline(os.environ))) == ("unknown", [CHILD])


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ((1, "complete"), (9, "cycle")),
        ((1, "cycle"), (9, "partial")),
        ((2, "partial"), (1, "unknown")),
        ((3, "partial"), (2, "partial")),
        ((1, "unknown"), (0, "a state of the future")),
    ],
)
def test_one_chain_says_more_than_another(more: tuple[int, str], less: tuple[int, str]) -> None:
    """The better state counts first, then how many threads there are; nothing says more than itself."""
    big, small = (Chain([number(at) for at in range(count)], state) for count, state in (more, less))

    assert (big.says_more_than(small), small.says_more_than(big), big.says_more_than(big)) == (True, False, False)


def described(chain: Chain) -> tuple[str, list[ThreadId]]:
    """Return state and threads of *chain*."""
    return chain.state, chain.threads


def test_a_missing_parent_ends_the_chain(january: Path) -> None:
    """T01: the part of the chain that is known is shown, and called partial."""
    (january / f"{PARENT}.json").unlink()

    assert described(walk(ThreadId(CHILD), Offline(os.environ))) == ("partial", [CHILD, PARENT])


def test_the_parents_side_alone_proves_nothing_of_the_child(january: Path) -> None:
    """T05: where only the parent knows of the hand-off, the child's parents are unknown."""
    (january / f"{CHILD}.json").unlink()

    assert parents(CHILD) is None


@pytest.mark.parametrize("hostile", ["../x", "/etc/passwd", "T-*", PARENT + "\n"])
def test_what_is_no_thread_id_is_no_file_name(amp_home: Path, hostile: str) -> None:
    """T13: a chain ends before a parent whose id could lead anywhere else."""
    put(amp_home, document(relationships=[entry(hostile)]))

    assert described(walk(ThreadId(CHILD), Offline(os.environ))) == ("unknown", [CHILD])


# --- T02, T14, T15: what is no file, and no folder


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, Path.touch], ids=["FIFO", "folder", "empty"])
@pytest.mark.parametrize("ending", [".json", ".json.amptmp"])
def test_what_is_no_thread_file_tells_nothing(amp_home: Path, make: Callable[[Path], None], ending: str) -> None:
    """T02, T14: nobody waits, nothing is known, and nothing is remembered."""
    make(amp_home / f"{CHILD}{ending}")

    assert parents() is None


SPOILED: dict[str, Callable[[Path], object]] = {
    "missing": Path.exists,
    "a file": lambda path: path.touch(),
    "a loop": lambda path: path.symlink_to(path),
    "a FIFO": os.mkfifo,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_without_a_folder_of_threads_nothing_is_known(amp_home: Path, spoil: Callable[[Path], object]) -> None:
    """T15: a commit is fine without Amp's folder, or with something else in its place."""
    amp_home.rmdir()
    spoil(amp_home)

    assert parents() is None


def test_a_folder_of_threads_may_be_a_link(january: Path, tmp_path: Path) -> None:
    """T15: where a person keeps that folder is theirs to decide."""
    january.rename(tmp_path / "elsewhere")
    january.symlink_to(tmp_path / "elsewhere")

    assert parents() == [PARENT]


def test_the_data_folder_may_be_a_link(january: Path, tmp_path: Path) -> None:
    """T15: what is learned is remembered, too, where the data folder is kept elsewhere."""
    share = january.parent.parent
    share.rename(tmp_path / "elsewhere")
    share.symlink_to(tmp_path / "elsewhere")

    assert parents() == [PARENT]


# --- exports


def test_an_export_of_the_server_generation_is_no_proof_of_a_root(exports: Path) -> None:
    """What is exported without parents may have some elsewhere; in Amp's own folder it has none."""
    put(exports, document())
    unknown = parents()
    (exports.parent.parent / "amp").mkdir()
    exports.rename(exports.parent.parent / "amp" / "threads")

    assert (unknown, parents()) == (None, [])


def test_an_export_stands_in_for_a_broken_file(amp_home: Path, exports: Path) -> None:
    """Where Amp's own file is broken, what somebody exported counts."""
    put(amp_home, b"{")
    put(exports, document(relationships=[entry()]))

    assert parents() == [PARENT]


def test_amps_own_file_comes_first(amp_home: Path, exports: Path) -> None:
    """Of two files the one that Amp keeps is asked."""
    put(amp_home, document(relationships=[entry(PARENT)]))
    put(exports, document(relationships=[entry(OTHER)]))

    assert parents() == [PARENT]


# --- what was learned before


def test_parents_are_learned_once(january: Path) -> None:
    """What the parents of a thread are is final: the file is not looked into again, and may go."""
    first = parents(CHILD)
    put(january, document(relationships=[entry(OTHER)]))
    second = parents(CHILD)
    shutil.rmtree(january)

    assert [first, second, parents(CHILD)] == [[PARENT]] * 3


@pytest.mark.usefixtures("january")
def test_what_was_learned_is_readable_and_private() -> None:
    """The memory is a few lines of text: how and when it was learned, then a parent a line."""
    parents(CHILD)
    parents(PARENT)
    path = memory() / CHILD

    assert path.read_text().split()[:2] == ["1", "local"]
    assert path.read_text().splitlines()[1:] == [PARENT]
    assert (memory() / PARENT).read_text().splitlines()[1:] == []
    assert [stat.S_IMODE(os.stat(place).st_mode) for place in (path, memory())] == [0o600, 0o700]


def test_where_it_was_learned_is_kept(exports: Path) -> None:
    """A parent learned from an export is marked so."""
    put(exports, document(relationships=[entry()]))
    parents()

    assert (memory() / CHILD).read_text().startswith("1 export 20")


HEADER = b"1 local 2026-11-20T08:15:30Z"
FORGOTTEN: dict[str, bytes] = {
    "empty": b"",
    "another version": b"2 local 2026-11-20T08:15:30Z\n" + OTHER.encode() + b"\n",
    "no header": OTHER.encode() + b"\n",
    "no version": b"1" + OTHER.encode(),
    "no id": HEADER + b"\nx\n",
    "an id and more": HEADER + b"\n" + OTHER.encode() + b"\n../x\n",
    "torn id": HEADER + b"\n" + OTHER.encode()[:20],
    "torn header": HEADER[:10],
    "torn after the version": HEADER[:2],
    "header without its end": HEADER,
    "an id without its end": HEADER + b"\n" + OTHER.encode(),
    "NUL fill": bytes(80),
    "not ASCII": HEADER + b"\n" + OTHER.encode() + b"\xff\n",
    "too long": HEADER + b"\n" + (OTHER.encode() + b"\n") * 1000,
}


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize("content", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_broken_memory_is_ignored(content: bytes) -> None:
    """C12: a memory that is damaged in any way is asked of the files again, and mended."""
    memory().mkdir(parents=True)
    (memory() / CHILD).write_bytes(content)

    assert parents(CHILD) == [PARENT]
    assert (memory() / CHILD).read_text().startswith("1 local 20")


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize(
    "spoil",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path)],
    ids=["FIFO", "folder", "device", "loop"],
)
def test_what_is_no_memory_is_ignored(spoil: Callable[[Path], None]) -> None:
    """S08: something else in the place of the memory makes nobody wait, and the answer is right."""
    memory().mkdir(parents=True)
    spoil(memory() / CHILD)

    assert Offline(os.environ)(ThreadId(CHILD)) == [PARENT]


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize("call", ["mkdir", "write", "replace"])
@pytest.mark.parametrize("error", [errno.EROFS, errno.ENOSPC, errno.EACCES], ids=errno.errorcode.get)
def test_a_memory_that_cannot_be_written_costs_only_time(
    monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    """E37, E38: with a read-only or full home the answer is the same, and nothing half-written is left."""
    monkeypatch.setattr(os, call, failing(error))
    found = Offline(os.environ)(ThreadId(CHILD))
    monkeypatch.undo()

    assert found == [PARENT]
    assert list(memory().glob("*")) == []


def test_a_file_in_the_place_of_our_folder(january: Path) -> None:
    """T15: what is in the way of our folder stays there."""
    (january.parent.parent / "ampcommit").write_text("precious")

    assert Offline(os.environ)(ThreadId(CHILD)) == [PARENT]
    assert (january.parent.parent / "ampcommit").read_text() == "precious"


def test_amps_folder_is_never_written_to(january: Path) -> None:
    """Amp's own folder is read, and nothing else."""
    before = {path.name: path.read_bytes() for path in january.iterdir()}
    walk(ThreadId(CHILD), Offline(os.environ))

    assert before == {path.name: path.read_bytes() for path in january.iterdir()}


def test_what_was_learned_is_kept_with_its_source(ours: Path) -> None:
    """Whoever learns a parent elsewhere keeps it for everybody."""
    Offline(os.environ).keep(ThreadId(CHILD), "amp", [ThreadId(PARENT)])
    learned = Offline(os.environ).recall(ThreadId(CHILD))

    assert learned is not None
    assert (learned.parents, learned.source, learned.time[:2]) == ([PARENT], "amp", "20")
    assert (ours / "parents" / CHILD).exists()


# --- where the data is


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, "/h/.local/share"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/x"),
        ({"XDG_DATA_HOME": "/x"}, "/x"),
        ({"HOME": "/h", "XDG_DATA_HOME": ""}, "/h/.local/share"),
        ({"HOME": "/h", "XDG_DATA_HOME": "x"}, "/h/.local/share"),
        ({"HOME": "/h", "XDG_DATA_HOME": "../x"}, "/h/.local/share"),
        ({"HOME": "/h", "XDG_DATA_HOME": "~/x"}, "/h/.local/share"),
        ({"HOME": ""}, None),
        ({"HOME": "h"}, None),
        ({"XDG_DATA_HOME": "x"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_data_folder(environ: dict[str, str], expected: str | None) -> None:
    """E16: the data folder is where the specification says; a relative one is ignored, and none is none."""
    assert expected == data_home(environ)


@pytest.mark.parametrize("environ", [{}, {"HOME": "", "XDG_DATA_HOME": "x"}], ids=["none", "relative"])
def test_without_a_home_nothing_is_known_and_nothing_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """E16: a commit by a process without HOME leaves nothing in the repository or anywhere else."""
    monkeypatch.chdir(tmp_path)

    offline = Offline(environ)
    offline.keep(ThreadId(CHILD), "amp", [])

    assert (offline(ThreadId(CHILD)), offline.recall(ThreadId(CHILD))) == (None, None)
    assert (offline.files(ThreadId(CHILD)), offline.folders()) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_the_folders_whose_files_are_named_for_threads() -> None:
    """What was learned, what Amp's client wrote, what somebody exported."""
    assert Offline({"XDG_DATA_HOME": "/x"}).folders() == [
        "/x/ampcommit/parents",
        "/x/amp/threads",
        "/x/ampcommit/threads",
    ]


# --- the walk

GRAPHS: dict[str, tuple[dict[int, list[int]], list[int], str]] = {
    "unknown": ({}, [0], "unknown"),
    "unknown, others known": ({1: []}, [0], "unknown"),
    "root": ({0: []}, [0], "complete"),
    "chain": ({0: [1], 1: [2], 2: []}, [0, 1, 2], "complete"),
    "T01 missing parent": ({0: [1]}, [0, 1], "partial"),
    "T01 missing further up": ({0: [1], 1: [2]}, [0, 1, 2], "partial"),
    "T03 itself": ({0: [0]}, [0], "cycle"),
    "T03 parent's own parent": ({0: [1], 1: [1]}, [0, 1], "cycle"),
    "T03 two": ({0: [1], 1: [0]}, [0, 1], "cycle"),
    "T03 rho": ({0: [1], 1: [2], 2: [3], 3: [1]}, [0, 1, 2, 3], "cycle"),
    "T03 cycle beside a root": ({0: [1, 2], 1: [], 2: [0]}, [0, 1, 2], "cycle"),
    "T03 cycle beside a gap": ({0: [1, 2], 2: [0]}, [0, 1, 2], "cycle"),
    "T04 two parents": ({0: [2, 1], 1: [], 2: []}, [0, 2, 1], "complete"),
    "T04 one of two missing": ({0: [1, 2], 2: []}, [0, 1, 2], "partial"),
    "T04 diamond": ({0: [1, 2], 1: [3], 2: [3], 3: []}, [0, 1, 2, 3], "complete"),
    "T04 short cut": ({0: [2, 1], 1: [2], 2: []}, [0, 2, 1], "complete"),
    "T04 nearest first": ({0: [1, 2], 1: [3], 2: [], 3: [4], 4: []}, [0, 1, 2, 3, 4], "complete"),
    "a parent twice": ({0: [1, 1], 1: []}, [0, 1], "complete"),
}


@pytest.mark.parametrize(("graph", "threads", "state"), GRAPHS.values(), ids=GRAPHS)
def test_a_walk(graph: dict[int, list[int]], threads: list[int], state: str) -> None:
    """T01, T03, T04: the chain is every thread once, nearest first, and its state says how far it goes."""
    assert (threads, state) == walked(graph)


@pytest.mark.parametrize(
    ("length", "state"), [(LIMIT - 1, "complete"), (LIMIT, "complete"), (LIMIT + 1, "partial"), (10_000, "partial")]
)
def test_a_long_chain_is_followed_to_the_limit(length: int, state: str) -> None:
    """T08: a chain longer than the limit is partial, and never said to be complete."""
    graph = {at: [at + 1] for at in range(length - 1)} | {length - 1: []}

    assert (list(range(min(length, LIMIT))), state) == walked(graph)


def test_a_wide_chain_is_followed_to_the_limit() -> None:
    """T09: a thread with many thousand parents costs no more than the limit."""
    graph: dict[int, list[int]] = {0: list(range(1, 50_000))} | {at: [] for at in range(1, 50_000)}

    assert (list(range(LIMIT)), "partial") == walked(graph)


def test_the_limit_can_be_one() -> None:
    """With room for one thread, there is one thread."""
    assert walked({0: [1], 1: []}, limit=1) == ([0], "partial")
    assert walked({0: []}, limit=1) == ([0], "complete")


def circular(graph: dict[int, list[int]], seen: Iterable[int]) -> bool:
    """Say, by looking at every thread's ancestors, whether one of *seen* is its own."""
    for start in seen:
        ancestors: set[int] = set()
        ahead = list(graph.get(start, []))
        while ahead:
            at = ahead.pop()
            if at not in ancestors:
                ancestors.add(at)
                ahead += graph.get(at, [])
        if start in ancestors:
            return True
    return False


@relaxed
@given(st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3)))
def test_any_walk_ends_with_the_truth(graph: dict[int, list[int]]) -> None:
    """T03, T04: however threads are tangled, the state is the right one."""
    threads, state = walked(graph)
    known = [thread for thread in threads if thread in graph]
    expected = (
        "unknown"
        if 0 not in graph
        else "cycle"
        if circular(graph, threads)
        else "complete"
        if len(known) == len(threads)
        else "partial"
    )

    assert expected == state
