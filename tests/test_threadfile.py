"""What a thread file says of where the thread came from, and nothing that it does not say."""

import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.record import ThreadId
from ampcommit.threadfile import FILE_LIMIT, LAST_CLIENT_WRITTEN, children_named, fields_of, parents_in, parents_named
from tests.conftest import AMP, CHILD, OTHER, PARENT
from tests.test_files import failing
from tests.test_record import NO_THREADS, values

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LAYOUTS: dict[str, Callable[[object], str]] = {
    "indented": lambda document: json.dumps(document, indent=2, ensure_ascii=False),
    "compact": lambda document: json.dumps(document, separators=(",", ":")),
    "tabs": lambda document: json.dumps(document, indent="\t"),
    "CRLF": lambda document: json.dumps(document, indent=2).replace("\n", "\r\n"),
}


def entry(thread: object = PARENT, kind: object = "handoff", role: object = "child") -> dict[str, object]:
    """Return one entry of a thread's list of relationships."""
    return {"threadID": thread, "type": kind, "role": role, "messageIndex": 2, "createdAt": 1795160252659}


def document(thread: object = CHILD, **fields: object) -> dict[str, object]:
    """Return what the file of *thread* holds, with *fields*."""
    usual = {"v": 15, "id": thread, "created": 1795160252656, "messages": [{"role": "user", "content": [{}]}]}
    return usual | fields


def put(folder: Path, content: object, thread: str = CHILD) -> Path:
    """Write the file of *thread*: bytes or text as they are, anything else as the client writes it."""
    path = folder / f"{thread}.json"
    text = content if isinstance(content, bytes | str) else LAYOUTS["indented"](content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def parents(folder: Path, thread: str = CHILD, *, client_written: bool = True) -> list[ThreadId] | None:
    """Return the parents that the file of *thread* in *folder* names."""
    return parents_in(str(folder / f"{thread}.json"), ThreadId(thread), client_written=client_written)


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
    tmp_path: Path, fields: dict[str, object], expected: list[str] | None, layout: Callable[[object], str]
) -> None:
    """T04, T06, T07, T11, T12: hand-offs, then forks; a contradiction, or an entry nobody knows, makes it unknown."""
    put(tmp_path, layout(document(**fields)))

    assert expected == parents(tmp_path)


@pytest.mark.parametrize("layout", [LAYOUTS["indented"], LAYOUTS["compact"]], ids=["indented", "compact"])
@pytest.mark.parametrize("hostile", NO_THREADS.values(), ids=NO_THREADS)
def test_a_hostile_parent_is_refused(tmp_path: Path, hostile: str, layout: Callable[[object], str]) -> None:
    """T13: what is no thread id is no parent and no file name, and the thread is not called a root instead."""
    put(tmp_path, layout(document(relationships=[entry(hostile)])).encode("utf-8", "backslashreplace"))

    assert parents(tmp_path) is None


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(["id", "relationships", "originThreadID", "env", "messages", "title", "created"]),
        values | st.sampled_from([CHILD, PARENT]) | st.lists(values | st.builds(entry, st.sampled_from([PARENT, 1]))),
    ),
    st.booleans(),
)
def test_every_layout_says_the_same(tmp_path: Path, fields: dict[str, Any], client_written: bool) -> None:
    """How a thread was written down does not change what it says, whatever it says."""
    answers = []
    for layout in LAYOUTS.values():
        put(tmp_path, layout(document(**fields)))
        answers.append(parents(tmp_path, client_written=client_written))

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
    tmp_path: Path, layout: str, key: str, twice: tuple[object, object], expected: list[str] | None
) -> None:
    """T11: a key that stands twice is read as every JSON parser, and the client itself, reads it."""
    first, last = twice
    text = LAYOUTS[layout](document() | {"second": first, key: last})
    put(tmp_path, text.replace('"second"', f'"{key}"'))
    if key == "id":  # as it stands first in the usual document
        put(tmp_path, LAYOUTS[layout]({"second": first, "id": last}).replace('"second"', '"id"'))

    assert expected == parents(tmp_path)


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
def test_a_broken_file_is_unknown(tmp_path: Path, content: bytes) -> None:
    """T02, T10, T23: what is no thread is unknown, not a root, and costs nobody a commit."""
    put(tmp_path, content)

    assert parents(tmp_path) is None


@pytest.mark.parametrize("layout", ["indented", "compact"])
def test_a_cut_file_is_never_taken_for_a_root(tmp_path: Path, layout: str) -> None:
    """T02, T16: a file cut off anywhere names its parent or is unknown."""
    whole = LAYOUTS[layout](json.loads((AMP / f"2026-01/threads-agent-handoff/{CHILD}.json").read_text())).encode()
    answers = []
    for end in {*range(0, len(whole), 3), *range(len(whole) - 400, len(whole))}:
        put(tmp_path, whole[:end])
        answers.append(parents(tmp_path))

    assert all(answer in (None, [PARENT]) for answer in answers)


@pytest.mark.parametrize(
    "messages",
    ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "9" * 100_000, "NaN"],
    ids=["arrays", "objects", "digits", "NaN"],
)
def test_what_the_conversation_holds_does_not_matter(tmp_path: Path, messages: str) -> None:
    """T10: in the client's layout, only the few fields that we use are parsed at all."""
    put(tmp_path, WHOLE.replace('\n  "messages": [', f'\n  "messages": {messages},\n  "old": ['))

    assert parents(tmp_path) == [PARENT]


@pytest.mark.parametrize("size", [200 << 20, FILE_LIMIT + 1])
def test_a_file_too_large_is_not_read(tmp_path: Path, size: int) -> None:
    """T09: the cap is above what the client itself accepts, and beyond it nothing is read."""
    os.truncate(put(tmp_path, WHOLE), size)

    assert parents(tmp_path) is None


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_large_file_is_read(tmp_path: Path, first: bool) -> None:
    """T09: a conversation of 50 MB, the most that the client writes, is looked into from end to end."""
    fields = {"relationships": [entry()]} if first else {}
    put(tmp_path, LAYOUTS["indented"](document(**fields, title="x" * (50 << 20), meta={}, originThreadID=PARENT)))

    assert parents(tmp_path) == [PARENT]


CHUNK = 256 * 1024


@pytest.mark.parametrize("border", [CHUNK, 2 * CHUNK - 32, 3 * CHUNK - 64])
@pytest.mark.parametrize("side", ["before", "behind"])
@pytest.mark.parametrize(("key", "value"), [("relationships", [entry()]), ("originThreadID", PARENT)])
def test_a_field_across_the_border_of_what_is_read_at_once(
    tmp_path: Path, border: int, side: str, key: str, value: object
) -> None:
    """A parent is found wherever in the file it stands, counted from the beginning or from the end."""
    fields = {"title": "", key: value} if side == "before" else {key: value, "title": ""}
    usual = LAYOUTS["indented"](document(**fields))
    label = usual.index(f'\n  "{key}"')
    room = label if side == "before" else len(usual) - label
    wrong = []
    for distance in range(border - 64, border + 33):
        put(tmp_path, usual.replace('"title": "', '"title": "' + "x" * (distance - room)))
        if parents(tmp_path) != [PARENT]:
            wrong.append(distance - border)

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
def test_only_the_threads_own_fields_count(tmp_path: Path, fields: dict[str, object], layout: str) -> None:
    """S16: what a prompt or a tool put into the conversation cannot pass for the thread's own fields."""
    put(tmp_path, LAYOUTS[layout](document(relationships=[entry()]) | fields))

    assert parents(tmp_path) == [PARENT]


# --- T14, T15, T16: what is no file, or none any more


@pytest.mark.parametrize(
    "target", [f"{PARENT}.json", "nowhere", f"{CHILD}.json", "/etc/passwd", "/dev/zero", "/proc/self/environ", "."]
)
def test_a_link_is_not_followed(january: Path, target: str) -> None:
    """T14: a link in place of a thread file is not opened, wherever it leads."""
    path = january / f"{CHILD}.json"
    path.unlink()
    path.symlink_to(target)

    assert parents(january) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "folder"])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """T14: nobody waits for the other end of a FIFO."""
    make(tmp_path / f"{CHILD}.json")

    assert parents(tmp_path) is None


@pytest.mark.parametrize("call", ["open", "pread", "preadv", "fstat"])
@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.EMFILE], ids=errno.errorcode.get)
def test_an_unreadable_file_is_unknown(january: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
    """T15: a file that cannot be read is unknown; nothing is left open."""
    before = len(os.listdir("/dev/fd"))
    monkeypatch.setattr(os, call, failing(error))
    found = parents(january)
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

    assert parents(january) in (None, [PARENT])


def test_a_file_that_is_cut_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T16: the search through a file ends where the file ends by then."""
    path = put(tmp_path, document(title="x" * (1 << 20), relationships=[entry()]))
    preadv = os.preadv

    def cut_short(fd: int, buffers: list[bytearray], at: int) -> int:
        os.truncate(path, 1000)
        return preadv(fd, buffers, at)

    monkeypatch.setattr(os, "preadv", cut_short)

    assert parents(tmp_path) is None


# --- what may come from a server that keeps relationships elsewhere

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


def written_by(version: object) -> dict[str, object]:
    """Return the environment of a thread that a client of this version began."""
    return {"initial": {"platform": {"clientVersion": version}}}


@pytest.mark.parametrize("layout", ["indented", "compact"])
@pytest.mark.parametrize(("version", "trusted"), CLIENTS, ids=str)
def test_an_export_without_parents(tmp_path: Path, version: object, trusted: bool, layout: str) -> None:
    """From the server generation, or a client that does not say, an empty list is no proof of a root."""
    put(tmp_path, LAYOUTS[layout](document(env=written_by(version), relationships=[])))

    assert ([] if trusted else None) == parents(tmp_path, client_written=False)


@pytest.mark.parametrize("env", [None, [], "x", {}, {"initial": None}, {"initial": {"platform": []}}], ids=str)
def test_an_export_that_does_not_say_which_client(tmp_path: Path, env: object) -> None:
    """T12: whatever stands where the client's version should be, nothing is concluded from it."""
    put(tmp_path, document(env=env))

    assert parents(tmp_path, client_written=False) is None


def test_an_export_with_a_parent_is_believed(tmp_path: Path) -> None:
    """A parent that is named is a parent, whichever client exported the thread."""
    put(tmp_path, document(env=written_by("0.0.1790142911-g7618fb"), relationships=[entry()]))

    assert parents(tmp_path, client_written=False) == [PARENT]


def test_what_the_client_wrote_itself_is_believed(tmp_path: Path) -> None:
    """No parent means root, whatever the version: clients write the child's side always."""
    put(tmp_path, document(env=written_by("0.0.1790142911-g7618fb")))

    assert parents(tmp_path) == []


# --- children

CHILDREN: dict[str, tuple[object, list[str]]] = {
    "none": ([], []),
    "hand-off": ([entry(OTHER, role="parent")], [OTHER]),
    "fork": ([entry(OTHER, "fork", "parent")], [OTHER]),
    "in their order": ([entry(OTHER, "fork", "parent"), entry(PARENT, role="parent")], [OTHER, PARENT]),
    "twice": ([entry(OTHER, role="parent"), entry(OTHER, "fork", "parent")], [OTHER]),
    "a parent": ([entry(PARENT), entry(OTHER, role="parent")], [OTHER]),
    "capitals": ([entry(OTHER.upper(), role="parent")], [OTHER]),
    "T06 mention": ([entry(OTHER, "mention", "parent")], []),
    "T06 unknown type": ([entry(OTHER, "spawn", "parent"), entry(PARENT, role="parent")], [PARENT]),
    "T06 unknown role": ([entry(OTHER, role="sibling")], []),
    "T12 odd entries": ([None, 1, "x", [], {}, entry(OTHER, role="parent")], [OTHER]),
    "T12 odd type": ([entry(OTHER, ["handoff"], "parent")], []),
    "T12 odd role": ([entry(OTHER, role={"parent": 1})], []),
    "T12 odd thread": ([entry(7, role="parent"), entry(None, role="parent")], []),
    "T12 an object": ({"0": entry(OTHER, role="parent")}, []),
    "T12 null": (None, []),
    "T12 a word": (OTHER, []),
}


@pytest.mark.parametrize(("entries", "expected"), CHILDREN.values(), ids=CHILDREN)
def test_the_children_that_a_thread_lists(entries: object, expected: list[str]) -> None:
    """T06, T12: hand-offs and forks in the order of the list; what is odd is left out, and hides nothing else."""
    assert expected == children_named(document(relationships=entries))


@pytest.mark.parametrize("hostile", NO_THREADS.values(), ids=NO_THREADS)
def test_a_hostile_child_is_left_out(hostile: str) -> None:
    """T13: what is no thread id never becomes one."""
    assert children_named(document(relationships=[entry(hostile, role="parent")])) == []


def test_a_thread_without_a_list_has_no_children_that_we_know_of() -> None:
    """An absent list is an empty one."""
    assert children_named({}) == []


@relaxed
@given(st.dictionaries(st.sampled_from(["id", "relationships", "originThreadID", "env"]), values))
def test_any_data_have_parents_and_children_or_none(fields: dict[str, object]) -> None:
    """T12: whatever the data of a thread hold, asking for its relatives never fails."""
    relatives = [*children_named(fields), *(parents_named(fields, ThreadId(CHILD)) or ())]

    assert all(isinstance(relative, ThreadId) for relative in relatives)


# --- the fields themselves

NAMES = ("relationships", "originThreadID", "env", "title")


@pytest.mark.parametrize("layout", ["indented", "compact"])
def test_fields_are_returned_as_they_stand(tmp_path: Path, layout: str) -> None:
    """What is asked for is there, with the id, and what the file lacks is absent."""
    path = put(tmp_path, LAYOUTS[layout](document(title='An "odd" \\ title \u2028', relationships=[entry()])))
    found = fields_of(str(path), NAMES)

    assert found is not None
    assert (found["id"], found["title"], found["relationships"]) == (CHILD, 'An "odd" \\ title \u2028', [entry()])
    assert "env" not in found


LONG: dict[str, Mapping[str, object]] = {
    "title": {"title": "x" * (3 << 20)},
    "environment": {"env": {"initial": {"tags": ["x" * (3 << 20)]}}},
}


@pytest.mark.parametrize("fields", LONG.values(), ids=LONG)
def test_what_else_is_too_long_hides_no_parent(tmp_path: Path, fields: dict[str, object]) -> None:
    """T09: a title that nobody could read is left out, and the parents are known all the same."""
    found = fields_of(str(put(tmp_path, document(relationships=[entry()], **fields))), NAMES)

    assert found is not None
    assert found["relationships"] == [entry()]
    assert not set(fields) & set(found)


def test_a_deep_environment_hides_no_parent(tmp_path: Path) -> None:
    """T10: a nesting bomb where it is not needed does no harm."""
    text = LAYOUTS["indented"](document(relationships=[entry()], env="@"))
    found = fields_of(str(put(tmp_path, text.replace('"@"', "[" * 100_000))), NAMES)

    assert found is not None
    assert set(found) == {"id", "relationships"}


def test_a_list_that_is_too_long_is_no_root(tmp_path: Path) -> None:
    """T09: fifty thousand children exceed what is read; then the parents are unknown, in bounded time."""
    put(tmp_path, document(relationships=[entry(OTHER, role="parent")] * 50_000))

    assert parents(tmp_path) is None


# --- the real client's files


def test_the_titles_of_real_threads() -> None:
    """Of every sample the few fields are found as a JSON parser finds them."""
    files = sorted(AMP.glob("2026-0[15]/threads*/*.json"))
    for file in files:
        whole = json.loads(file.read_text())
        found = fields_of(str(file), NAMES)

        assert found == {name: whole[name] for name in ("id", *NAMES) if name in whole}
    assert len(files) == 9
