"""Where a thread came from, as this machine knows it: never invented, never guessed, learned once."""

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.record import ThreadId
from ampcommit.threads import FILE_LIMIT, LAST_CLIENT_WRITTEN, LIMIT, Chain, Offline, data_home, walk
from tests.conftest import AMP, CHILD, OTHER, PARENT
from tests.test_files import failing
from tests.test_record import NO_THREADS, values

relaxed = settings(deadline=None, database=None)

MAY = AMP / "2026-05" / "threads-exported"
JANUARY = AMP / "2026-01" / "threads"

LAYOUTS: dict[str, Callable[[object], str]] = {
    "indented": lambda document: json.dumps(document, indent=2, ensure_ascii=False),
    "compact": lambda document: json.dumps(document, separators=(",", ":")),
    "tabs": lambda document: json.dumps(document, indent="\t"),
    "CRLF": lambda document: json.dumps(document, indent=2).replace("\n", "\r\n"),
}


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


def entry(thread: object = PARENT, kind: object = "handoff", role: object = "child") -> dict[str, object]:
    """Return one entry of a thread's list of relationships."""
    return {"threadID": thread, "type": kind, "role": role, "messageIndex": 2, "createdAt": 1795160252659}


def document(**fields: object) -> dict[str, object]:
    """Return what the file of CHILD holds, with *fields*."""
    usual = {"v": 15, "id": CHILD, "created": 1795160252656, "messages": [{"role": "user", "content": [{}]}]}
    return usual | fields


def put(folder: Path, content: object, thread: str = CHILD) -> Path:
    """Write the file of *thread*: bytes or text as they are, anything else as the client writes it."""
    path = folder / f"{thread}.json"
    text = content if isinstance(content, bytes | str) else LAYOUTS["indented"](content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


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
    (january / f"{CHILD}.json.amptmp").write_text(LAYOUTS["indented"](document(relationships=[entry(OTHER)])))
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


# --- T04, T06, T07, T12, T13: what a file may say

SAID: dict[str, tuple[dict[str, object], list[str] | None]] = {
    "nothing": ({}, []),
    "no relationships": ({"relationships": []}, []),
    "hand-off": ({"relationships": [entry()]}, [PARENT]),
    "fork": ({"relationships": [entry(kind="fork")]}, [PARENT]),
    "origin": ({"originThreadID": PARENT, "forkPointIndex": 3}, [PARENT]),
    "no origin": ({"originThreadID": None}, []),
    "origin that is the fork": ({"originThreadID": PARENT, "relationships": [entry(kind="fork")]}, [PARENT]),
    "origin beside a hand-off": ({"originThreadID": OTHER, "relationships": [entry()]}, [PARENT]),
    "mention": ({"relationships": [entry(kind="mention")]}, []),
    "mention, derived": ({"relationships": [entry(kind="mention", role="parent")]}, []),
    "unknown type": ({"relationships": [entry(kind="spawn"), entry()]}, None),
    "unknown type, derived": ({"relationships": [entry(OTHER, "spawn", role="parent"), entry()]}, [PARENT]),
    "unknown role": ({"relationships": [entry(role="sibling")]}, None),
    "child's child": ({"relationships": [entry(OTHER, role="parent"), entry()]}, [PARENT]),
    "both roles": ({"relationships": [entry(), entry(role="parent")]}, None),
    "both roles, two kinds": ({"relationships": [entry(), entry(kind="fork", role="parent")]}, None),
    "origin beside a mention": ({"originThreadID": OTHER, "relationships": [entry(kind="mention")]}, [OTHER]),
    "origin beside a child": ({"originThreadID": OTHER, "relationships": [entry(role="parent")]}, [OTHER]),
    "both, by origin": ({"originThreadID": PARENT, "relationships": [entry(role="parent")]}, None),
    "mentioned parent": ({"relationships": [entry(), entry(kind="mention", role="parent")]}, [PARENT]),
    "two parents": ({"relationships": [entry(OTHER), entry(PARENT)]}, [OTHER, PARENT]),
    "fork before hand-off": ({"relationships": [entry(OTHER, "fork"), entry()]}, [PARENT, OTHER]),
    "twice the same": ({"relationships": [entry(), entry(), entry(kind="fork")]}, [PARENT]),
    "itself": ({"relationships": [entry(CHILD)]}, [CHILD]),
    "capitals": ({"relationships": [entry(PARENT.upper())]}, [PARENT]),
    "sub-thread": ({"mainThreadID": PARENT}, []),
    "null": ({"relationships": None}, None),
    "an object": ({"relationships": {"0": entry()}}, None),
    "a word": ({"relationships": PARENT}, None),
    "a number": ({"relationships": 1}, None),
    "true": ({"relationships": True}, None),
    "odd entry": ({"relationships": [None, entry()]}, None),
    "empty entry": ({"relationships": [{}, entry()]}, None),
    "odd type": ({"relationships": [entry(kind=["handoff"])]}, None),
    "odd role": ({"relationships": [entry(role={"child": 1})]}, None),
    "no thread in an entry": ({"relationships": [{"type": "handoff", "role": "child"}]}, None),
    "a number for a thread": ({"relationships": [entry(1)]}, None),
    "a number for an origin": ({"originThreadID": 1}, None),
    "an object for an origin": ({"originThreadID": {"threadID": PARENT}}, None),
    "odd types elsewhere": ({"created": "x", "messages": None, "env": 3, "title": [], "v": {}}, []),
    "a field of the future": ({"lineage": [PARENT], "relationships": [entry()]}, [PARENT]),
    "no id": ({"id": None, "relationships": [entry()]}, None),
    "a number for an id": ({"id": 7, "relationships": [entry()]}, None),
    "a list for an id": ({"id": [CHILD], "relationships": [entry()]}, None),
    "another thread's id": ({"id": OTHER, "relationships": [entry()]}, None),
    "id in capitals": ({"id": CHILD.upper(), "relationships": [entry()]}, [PARENT]),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("fields", "expected"), SAID.values(), ids=SAID)
def test_what_a_file_says_of_its_parents(
    amp_home: Path, fields: dict[str, object], expected: list[str] | None, layout: Callable[[object], str]
) -> None:
    """T04, T06, T07, T11, T12: hand-offs, then forks; a contradiction, or an entry nobody knows, makes it unknown."""
    put(amp_home, layout(document(**fields)))

    assert expected == parents()


@pytest.mark.parametrize("layout", [LAYOUTS["indented"], LAYOUTS["compact"]], ids=["indented", "compact"])
@pytest.mark.parametrize("hostile", NO_THREADS.values(), ids=NO_THREADS)
def test_a_hostile_parent_is_refused(amp_home: Path, hostile: str, layout: Callable[[object], str]) -> None:
    """T13: what is no thread id is no parent and no file name, and the thread is not called a root instead."""
    put(amp_home, layout(document(relationships=[entry(hostile)])).encode("utf-8", "backslashreplace"))

    assert parents() is None


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(["id", "relationships", "originThreadID", "env", "messages", "title", "created"]),
        values | st.sampled_from([CHILD, PARENT]) | st.lists(values | st.builds(entry, st.sampled_from([PARENT, 1]))),
    ),
    st.sampled_from(["amp", "ampcommit"]),
)
def test_every_layout_says_the_same(fields: dict[str, Any], owner: str) -> None:
    """How a thread was written down does not change what it says, whatever it says."""
    answers = []
    for layout in LAYOUTS.values():
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home) / owner / "threads"
            folder.mkdir(parents=True)
            put(folder, layout(document(**fields)))
            answers.append(Offline({"XDG_DATA_HOME": home})(ThreadId(CHILD)))

    assert [answers[0]] * len(LAYOUTS) == answers


@pytest.mark.parametrize("layout", ["indented", "compact"])
@pytest.mark.parametrize(
    ("key", "twice", "expected"),
    [
        ("relationships", ([entry(OTHER)], [entry()]), [PARENT]),
        ("relationships", ([entry()], []), []),
        ("originThreadID", (OTHER, PARENT), [PARENT]),
        ("id", (OTHER, CHILD), []),
        ("id", (CHILD, OTHER), None),
    ],
)
def test_of_two_equal_keys_the_last_counts(
    amp_home: Path, layout: str, key: str, twice: tuple[object, object], expected: list[str] | None
) -> None:
    """T11: a key that stands twice is read as every JSON parser, and the client itself, reads it."""
    first, last = twice
    text = LAYOUTS[layout](document() | {"second": first, key: last})
    put(amp_home, text.replace('"second"', f'"{key}"'))
    if key == "id":  # as it stands first in the usual document
        put(amp_home, LAYOUTS[layout]({"second": first, "id": last}).replace('"second"', '"id"'))

    assert expected == parents()


# --- T02, T09, T10, T23: what is no thread file

WHOLE = LAYOUTS["indented"](document(relationships=[entry()]))
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n",
    "garbage": bytes(range(256)) * 8,
    "HTML": b"<!DOCTYPE html>\n<html><title>Sign in</title></html>\n",
    "NUL fill": bytes(4096),
    "NUL tail": WHOLE.encode()[:-40] + bytes(40),
    "two documents": WHOLE.encode() + WHOLE.encode(),
    "two documents on lines": WHOLE.encode() + b"\n" + WHOLE.encode() + b"\n",
    "two compact documents": LAYOUTS["compact"](document()).encode() * 2,
    "array": LAYOUTS["indented"]([document()]).encode(),
    "text": b'"text"',
    "number": b"1",
    "null": b"null",
    "BOM": b"\xef\xbb\xbf" + WHOLE.encode(),
    "UTF-16": WHOLE.encode("utf-16"),
    "Latin-1": LAYOUTS["compact"](document()).encode()[:-1] + b',"title":"caf\xe9"}',
    "conflict": b"<<<<<<< HEAD\n" + WHOLE.encode(),
    "nested, compact": b'{"id":"%b","relationships":%b%b}' % (CHILD.encode(), b"[" * 100_000, b"]" * 100_000),
    "nested, indented": b'{\n  "id": "%b",\n  "relationships": %b%b\n}'
    % (CHILD.encode(), b"[" * 100_000, b"]" * 100_000),
    "nested objects": b'{\n  "id": "%b",\n  "originThreadID": %b\n}' % (CHILD.encode(), b'{"a":' * 100_000),
    "nested elsewhere, compact": b'{"id":"%b","messages":%b%b}' % (CHILD.encode(), b"[" * 100_000, b"]" * 100_000),
    "digits": b'{"id":"%b","originThreadID":%b}' % (CHILD.encode(), b"9" * 100_000),
    "digits, indented": b'{\n  "id": "%b",\n  "originThreadID": %b\n}' % (CHILD.encode(), b"9" * 100_000),
    "NaN": b'{\n  "id": "%b",\n  "originThreadID": NaN\n}' % CHILD.encode(),
    "long list": LAYOUTS["indented"](document(relationships=[entry(), {"comment": "x" * (2 << 20)}])).encode(),
    "list without end": b'{\n  "id": "%b",\n  "relationships": [\n    {}\n}' % CHILD.encode(),
    "value without end": b'{\n  "id": "%b\n}' % CHILD.encode(),
    "torn id": b'{\n  "id": "%b",\n  "v": 1\n}' % CHILD[:-1].encode(),
    "compact and huge": LAYOUTS["compact"](document(title="x" * (3 << 20))).encode(),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_unknown(amp_home: Path, content: bytes) -> None:
    """T02, T10, T23: what is no thread is unknown, not a root, and costs nobody a commit."""
    put(amp_home, content)

    assert parents() is None


@pytest.mark.parametrize("layout", ["indented", "compact"])
def test_a_cut_file_is_never_taken_for_a_root(amp_home: Path, layout: str) -> None:
    """T02, T16: a file cut off anywhere names its parent or is unknown."""
    whole = LAYOUTS[layout](json.loads((AMP / f"2026-01/threads-agent-handoff/{CHILD}.json").read_text())).encode()
    answers = []
    for end in {*range(0, len(whole), 3), *range(len(whole) - 400, len(whole))}:
        put(amp_home, whole[:end])
        answers.append(Offline(os.environ)(ThreadId(CHILD)))
        shutil.rmtree(memory(), ignore_errors=True)

    assert all(answer in (None, [PARENT]) for answer in answers)


@pytest.mark.parametrize(
    "messages",
    ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "9" * 100_000, "NaN"],
    ids=["arrays", "objects", "digits", "NaN"],
)
def test_what_the_conversation_holds_does_not_matter(amp_home: Path, messages: str) -> None:
    """T10: in the client's layout, only the few fields that we use are parsed at all."""
    put(amp_home, WHOLE.replace('\n  "messages": [', f'\n  "messages": {messages},\n  "old": ['))

    assert parents() == [PARENT]


@pytest.mark.parametrize("size", [200 << 20, FILE_LIMIT + 1])
def test_a_file_too_large_is_not_read(amp_home: Path, size: int) -> None:
    """T09: the cap is above what the client itself accepts, and beyond it nothing is read."""
    os.truncate(put(amp_home, WHOLE), size)

    assert parents() is None


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_large_file_is_read(amp_home: Path, first: bool) -> None:
    """T09: a conversation of 50 MB, the most that the client writes, is looked into from end to end."""
    fields = {"relationships": [entry()]} if first else {}
    put(amp_home, LAYOUTS["indented"](document(**fields, title="x" * (50 << 20), meta={}, originThreadID=PARENT)))

    assert parents() == [PARENT]


CHUNK = 256 * 1024


@pytest.mark.parametrize("border", [CHUNK, 2 * CHUNK - 32, 3 * CHUNK - 64])
@pytest.mark.parametrize("side", ["before", "behind"])
@pytest.mark.parametrize(("key", "value"), [("relationships", [entry()]), ("originThreadID", PARENT)])
def test_a_field_across_the_border_of_what_is_read_at_once(
    amp_home: Path, border: int, side: str, key: str, value: object
) -> None:
    """A parent is found wherever in the file it stands, counted from the beginning or from the end."""
    fields = {"title": "", key: value} if side == "before" else {key: value, "title": ""}
    usual = LAYOUTS["indented"](document(**fields))
    label = usual.index(f'\n  "{key}"')
    room = label if side == "before" else len(usual) - label
    wrong = []
    for distance in range(border - 64, border + 33):
        put(amp_home, usual.replace('"title": "', '"title": "' + "x" * (distance - room)))
        if Offline(os.environ)(ThreadId(CHILD)) != [PARENT]:
            wrong.append(distance - border)
        shutil.rmtree(memory(), ignore_errors=True)

    assert wrong == []


FAKE = f'\n  "relationships": [\n    {{"threadID": "{OTHER}", "type": "handoff", "role": "child"}}\n  ],\n  "x": "'


@pytest.mark.parametrize(
    "fields",
    [
        {"title": FAKE},
        {"title": FAKE.strip()},
        {"messages": [{"text": FAKE, FAKE: 1}]},
        {"messages": [{"relationships": [entry(OTHER)], "originThreadID": OTHER, "id": OTHER}]},
        {"meta": {"relationships": [entry(OTHER)], "id": OTHER}},
        {FAKE: FAKE},
    ],
    ids=["value", "value without line feed", "in a message", "field of a message", "field of an object", "key"],
)
@pytest.mark.parametrize("layout", ["indented", "compact"])
def test_only_the_threads_own_fields_count(amp_home: Path, fields: dict[str, object], layout: str) -> None:
    """S16: what a prompt or a tool put into the conversation cannot pass for the thread's own fields."""
    put(amp_home, LAYOUTS[layout](document(relationships=[entry()]) | fields))

    assert parents() == [PARENT]


# --- T14, T15, T16: what is no file, or none any more


@pytest.mark.parametrize(
    "target", [f"{PARENT}.json", "nowhere", f"{CHILD}.json", "/etc/passwd", "/dev/zero", "/proc/self/environ", "."]
)
def test_a_link_is_not_followed(january: Path, target: str) -> None:
    """T14: a link in place of a thread file is not opened, wherever it leads."""
    path = january / f"{CHILD}.json"
    path.unlink()
    path.symlink_to(target)

    assert parents() is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "folder"])
def test_what_is_no_file_is_not_read(amp_home: Path, make: Callable[[Path], None]) -> None:
    """T14: nobody waits for the other end of a FIFO."""
    make(amp_home / f"{CHILD}.json")
    make(amp_home / f"{OTHER}.json.amptmp")

    assert parents(CHILD) is parents(OTHER) is None


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


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize("call", ["open", "pread", "preadv", "fstat"])
@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.EMFILE], ids=errno.errorcode.get)
def test_an_unreadable_file_is_unknown(monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
    """T15: a file that cannot be read is unknown; nothing is left open."""
    before = len(os.listdir("/dev/fd"))
    monkeypatch.setattr(os, call, failing(error))
    found = Offline(os.environ)(ThreadId(CHILD))
    monkeypatch.undo()

    assert found is None
    assert before == len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("left", [0, 40, 2000])
def test_a_file_that_shrinks_while_it_is_read(january: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """T16: a file that somebody cuts short under our hands is unknown."""
    preadv = os.preadv

    def cut_short(fd: int, buffers: list[bytearray], at: int) -> int:
        got = preadv(fd, buffers, at)
        os.truncate(january / f"{CHILD}.json", left)
        return got

    monkeypatch.setattr(os, "preadv", cut_short)

    assert parents() in (None, [PARENT])


def test_a_file_that_is_cut_before_it_is_read(january: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T16: the search through a file ends where the file ends by then."""
    path = january / f"{CHILD}.json"
    put(january, LAYOUTS["indented"](document(title="x" * (1 << 20), relationships=[entry()])))
    preadv = os.preadv

    def cut_short(fd: int, buffers: list[bytearray], at: int) -> int:
        os.truncate(path, 1000)
        return preadv(fd, buffers, at)

    monkeypatch.setattr(os, "preadv", cut_short)
    found = Offline(os.environ)(ThreadId(CHILD))

    assert found is None


# --- exports, whose client may be of the server generation

CLIENTS: list[tuple[object, bool]] = [
    (f"0.0.{LAST_CLIENT_WRITTEN}-g2324e1", True),
    ("0.0.1769314944-g5070a1", True),
    (f"0.0.{LAST_CLIENT_WRITTEN + 1}-g2324e1", False),
    ("0.0.1790142911-g7618fb", False),
    ("0.0.99999999999999-g0", False),
    ("1.4.0", False),
    ("dev", False),
    ("", False),
    ("0.0.\u0661-g0", False),
    (None, False),
    (["0.0.1769314944"], False),
]


@pytest.mark.parametrize("layout", ["indented", "compact"])
@pytest.mark.parametrize(("version", "trusted"), CLIENTS, ids=str)
def test_an_export_without_parents(exports: Path, version: object, trusted: bool, layout: str) -> None:
    """From the server generation, or a client that does not say, an empty list is no proof of a root."""
    env = {"initial": {"platform": {"clientVersion": version}}}
    put(exports, LAYOUTS[layout](document(env=env, relationships=[])))

    assert ([] if trusted else None) == parents()


@pytest.mark.parametrize("env", [None, [], "x", {}, {"initial": None}, {"initial": {"platform": []}}], ids=str)
def test_an_export_that_does_not_say_which_client(exports: Path, env: object) -> None:
    """T12: whatever stands where the client's version should be, nothing is concluded from it."""
    put(exports, LAYOUTS["indented"](document(env=env)))

    assert parents() is None


def test_an_export_with_a_parent_is_believed(exports: Path) -> None:
    """A parent that is named is a parent, whichever client exported the thread."""
    env = {"initial": {"platform": {"clientVersion": "0.0.1790142911-g7618fb"}}}
    put(exports, document(env=env, relationships=[entry()]))

    assert parents() == [PARENT]


def test_what_the_client_wrote_itself_is_believed(amp_home: Path) -> None:
    """In Amp's own folder no parent means root, whatever the version: clients write the child's side always."""
    env = {"initial": {"platform": {"clientVersion": "0.0.1790142911-g7618fb"}}}
    put(amp_home, document(env=env))

    assert parents() == []


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

    assert Offline(environ)(ThreadId(CHILD)) is None
    assert list(tmp_path.iterdir()) == []


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
