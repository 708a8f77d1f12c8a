"""Pictures of chains: what is drawn is what is known, and no title or subject is more than text in any of them."""

import functools
import html
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.amp.sources import Sources
from ampcommit.escape import terminal
from ampcommit.ledger import Ledger
from ampcommit.record import Sha, ThreadId
from ampcommit.render.draw import as_json, dot, mermaid, sequence, tree
from ampcommit.verbs.chain import Lineage, lineage
from tests.conftest import CHILD, OTHER, PARENT, ROOT, url
from tests.test_chain import number, sha, thread_file
from tests.test_record import record_of

PACKAGES = ("mermaid@11.17.2", "jsdom@29.1.1")
ENVIRON = dict(os.environ)  # of the session: npm needs its settings, and its cache

relaxed = settings(deadline=None, database=None, max_examples=60)

NODE = """
import { JSDOM } from 'jsdom';
const dom = new JSDOM('<body></body>', { pretendToBeVisual: true });
globalThis.window = dom.window;
globalThis.document = dom.window.document;
// What Mermaid measures; there is no layout here.
dom.window.SVGElement.prototype.getBBox = () => ({ x: 0, y: 0, width: 100, height: 20 });
dom.window.SVGElement.prototype.getComputedTextLength = () => 50;
globalThis.CSSStyleSheet = class { cssRules = []; replaceSync() {} insertRule() {} };
const mermaid = (await import('mermaid')).default;
mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' });
let input = '';
for await (const piece of process.stdin) input += piece;
const lines = (all, parts) => [...all].map((one) => parts(one).map((part) => part.trim()));
const broken = (one) => one.innerHTML.split(/<br ?\\/?>/).map((piece) => {
  const part = document.createElement('p');
  part.innerHTML = piece;
  return part.textContent;
});
const verdicts = [];
for (const [number, { text, render }] of JSON.parse(input).entries()) {
  try {
    const verdict = { type: (await mermaid.parse(text)).diagramType };
    if (render) {
      const { svg } = await mermaid.render(`g${number}`, text);
      const page = new dom.window.DOMParser().parseFromString(svg, 'text/html');
      verdict.labels = lines(page.querySelectorAll('.nodeLabel p'), broken);
      verdict.actors = lines(page.querySelectorAll('text.actor'), (one) => [one.textContent]);
      verdict.messages = lines(page.querySelectorAll('text.messageText'), (one) => [one.textContent]);
      verdict.alive = page.querySelectorAll('script, img, a, b, iframe, [onerror], [onclick]').length;
    }
    verdicts.push(verdict);
  } catch (error) {
    verdicts.push({ error: String(error.message).slice(0, 500) });
  }
}
console.log(JSON.stringify(verdicts));
"""

Parents = Mapping[int, list[int] | None]


def drawn(
    parents: Parents,
    *,
    asked: int = 0,
    listed: Parents | None = None,
    titles: Mapping[int, str] | None = None,
    commits: Iterable[Mapping[str, Any]] = (),
    home: bool = True,
    down: bool = False,
    around: bool = False,
) -> Lineage:
    """
    Return the picture of numbered threads with these *parents* (None: a file that does not tell).

    *listed* are the children that they name themselves, *commits* fields of records in a ledger.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "amp" / "threads"
        files.mkdir(parents=True)
        for at, its in parents.items():
            fields = thread_file(number(at), map(number, its or ()), map(number, (listed or {}).get(at) or ()))
            fields |= {"title": (titles or {}).get(at)} | ({"relationships": [{}]} if its is None else {})
            text = json.dumps(fields, indent=2)
            (files / f"{number(at)}.json").write_text(text)
        ledger = Ledger(f"{folder}/ledger.jsonl")
        for one in commits:
            ledger.append(record_of(**one))
        environ = {"XDG_DATA_HOME": folder} if home else {}
        return lineage(number(asked), Sources(environ), ledger, down=down, around=around)


def short(text: str) -> str:
    """Return *text* with numbers in the place of ids: `@0` for the link of a thread, `0` for its id."""
    text = re.sub(r"https://ampcode.com/threads/T-[0-9a-f-]{24}([0-9a-f]{12})", lambda at: f"@{int(at[1], 16)}", text)
    return re.sub(r"T-[0-9a-f-]{24}([0-9a-f]{12})", lambda at: f"{int(at[1], 16)}", text)


def branches(found: Lineage, subjects: Mapping[Sha, str] | None = None, **way: bool) -> list[str]:
    """Return the lines of the tree."""
    return [short(line) for line in tree(found, subjects or {}, **way)]


def arrows(lines: Iterable[str]) -> set[tuple[int, str, int]]:
    """Return the arrows of a flow chart or a graph, between numbers of threads."""
    text = short("\n".join(lines))
    names = dict(re.findall(r'^ *(t\d+)\["(\d+)', text, re.MULTILINE))
    found = re.findall(r"^ *(\w+) (-->|-\.->) (\w+)$", text, re.MULTILINE)
    graph = re.findall(r'^ *"(\d+)" (->) "(\d+)"(?: \[style=(dashed)\])?;$', text, re.MULTILINE)
    return {(int(names[here]), "dashed" if "." in arrow else "", int(names[there])) for here, arrow, there in found} | {
        (int(here), style, int(there)) for here, _, there, style in graph
    }


# --- trees

GAP = "? nothing is known of this thread here"

TREES: dict[str, tuple[Parents, list[str]]] = {
    "root": ({0: []}, ["@0"]),
    "row": ({0: [1], 1: [2], 2: []}, ["@0  ◀", "@1", "@2"]),
    "T01 unknown": ({}, ["@0", f"   {GAP}"]),
    "T01 gap": ({0: [1]}, ["@0  ◀", "@1", f"   {GAP}"]),
    "T06 does not tell": ({0: [1], 1: None}, ["@0  ◀", "@1", "   ? what came before it is not known"]),
    "T04 fork": ({0: [1, 2], 1: [], 2: []}, ["@0  ◀", "├─ @1", "└─ @2"]),
    "T04 gap in a fork": ({0: [1, 2], 2: []}, ["@0  ◀", "├─ @1", f"│     {GAP}", "└─ @2"]),
    "T04 rows behind a fork": (
        {0: [1, 2], 1: [3], 3: [], 2: [4], 4: []},
        ["@0  ◀", "├─ @1", "│  @3", "└─ @2", "   @4"],
    ),
    "T04 fork behind a fork": (
        {0: [1, 2], 1: [3, 4], 2: [], 3: [], 4: []},
        ["@0  ◀", "├─ @1", "│  ├─ @3", "│  └─ @4", "└─ @2"],
    ),
    "T04 diamond": (
        {0: [1, 2], 1: [3], 2: [3], 3: [4], 4: []},
        ["@0  ◀", "├─ @1", "│  @3", "│  @4", "└─ @2", "   └─ 3 (drawn above)"],
    ),
    "T03 itself": ({0: [0]}, ["@0", "└─ 0 (drawn above)"]),
    "T03 two": ({0: [1], 1: [0]}, ["@0  ◀", "@1", "└─ 0 (drawn above)"]),
    "T03 rho": ({0: [1], 1: [2], 2: [1]}, ["@0  ◀", "@1", "@2", "└─ 1 (drawn above)"]),
}


@pytest.mark.parametrize(("parents", "expected"), TREES.values(), ids=TREES)
def test_a_tree_upwards(parents: Parents, expected: list[str]) -> None:
    """Threads in a row stand below each other, forks are indented, nothing is drawn twice, gaps are said."""
    assert expected == branches(drawn(parents))


def test_a_broken_file_is_said(amp_home: Path) -> None:
    """T02: where a file is there and cannot be read, the picture says so."""
    (amp_home / f"{CHILD}.json").write_text("{")
    found = lineage(ThreadId(CHILD), Sources(os.environ), None)

    assert list(tree(found, {})) == [url(CHILD), "   ? its file cannot be read"]
    assert "? its file cannot be read" in html.unescape("\n".join(dot(found)))


FAMILY: Parents = {1: [], 2: [1], 3: [1], 4: [3, 5], 5: [], 6: [4]}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (1, ["@1  ◀", "├─ @2", "└─ @3", "   @4", "   @6"]),
        (3, ["@3  ◀", "@4", "@6"]),
        (6, ["@6"]),
    ],
)
def test_a_tree_downwards(asked: int, expected: list[str]) -> None:
    """Downwards the thread asked for stands first, and what came of it below."""
    assert expected == branches(drawn(FAMILY, asked=asked, down=True), down=True)


@pytest.mark.parametrize("asked", [3, 5, 6])
def test_all_that_hangs_together_has_several_roots(asked: int) -> None:
    """T04: each root begins a tree of its own, behind an empty line; the thread asked for is marked."""
    lines = branches(drawn(FAMILY, asked=asked, around=True), around=True)
    trees = [list(its) for empty, its in itertools.groupby(lines, lambda line: not line) if not empty]

    assert sorted(line.strip("├└─ ◀")[:2] for line, *_ in trees) == ["@1", "@5"]
    assert lines.count("") == 1
    assert [line for line in lines if "◀" in line] == [line for line in lines if f"@{asked}" in line]
    assert len(lines) == 8
    assert sum("4 (drawn above)" in line for line in lines) == 1


def test_a_circle_beside_a_root_is_drawn_too() -> None:
    """T03: what no root leads to stands in a tree of its own, and nothing is left out."""
    lines = branches(drawn({0: [1, 2], 1: [], 2: [3], 3: [2]}, around=True), around=True)

    assert lines == ["@1", "@0  ◀", "", "@2", "├─ 0 (drawn above)", "└─ @3", "   └─ 2 (drawn above)"]


def test_a_child_that_only_its_parent_knows_is_no_root() -> None:
    """T05: it stands below the parent that names it, once, with its gap."""
    found = drawn({0: []}, listed={0: [1]}, around=True)

    assert branches(found, around=True) == ["@0  ◀", "@1", f"   {GAP}"]
    assert arrows(mermaid(found)) == arrows(dot(found)) == {(0, "", 1)}


def test_commits_stand_below_their_thread() -> None:
    """Each commit has its subject; one without any is bare, and of one that is not in this clone that is said."""
    records = [{"commit": sha(at), "links": [number(at % 2)]} for at in range(1, 5)]
    found = drawn({0: [1, 2], 1: [], 2: []}, commits=records, titles={0: "Zero"})
    lines = branches(found, {sha(1): "One", sha(2): "Two", sha(4): ""})

    assert lines == [
        "@0  “Zero”  ◀",
        "│  000000000000 Two",
        "│  000000000000",
        "├─ @1",
        "│     000000000000 One",
        "│     000000000000 (not in this clone)",
        "└─ @2",
    ]


ROW = {"commit": sha(1), "thread": number(0), "chain": [number(at) for at in range(3)]}


def test_a_chain_that_only_a_record_tells() -> None:
    """A recorded chain is a row, without gaps; its arrows are dashed, because only the order is known."""
    found = drawn({}, commits=[ROW])

    assert branches(found, {sha(1): "One"}) == ["@0  ◀", "│  000000000000 One", "@1", "@2"]
    assert arrows(mermaid(found)) == arrows(dot(found)) == {(1, "dashed", 0), (2, "dashed", 1)}
    assert "gap" not in "\n".join(list(mermaid(found))[-1:])
    assert "?" not in "\n".join(dot(found))


def test_a_recorded_chain_that_is_known_in_part() -> None:
    """What a thread itself tells is drawn as such in the recorded row."""
    found = drawn({0: [1]}, commits=[ROW])

    assert branches(found) == ["@0  ◀", "│  000000000000 (not in this clone)", "@1", "@2"]
    assert arrows(mermaid(found)) == arrows(dot(found)) == {(1, "", 0), (2, "dashed", 1)}


def test_a_recorded_chain_in_other_directions() -> None:
    """Downwards it is not drawn; of all that hangs together it is a part, with what else is known of its threads."""
    below, around = (drawn({3: [2]}, commits=[ROW], down=down, around=not down) for down in (True, False))

    assert branches(below, down=True) == ["@0", "   000000000000 (not in this clone)"]
    assert arrows(mermaid(below)) == set()
    assert branches(around, around=True) == [
        "@2",
        "├─ @1",
        "│  @0  ◀",
        "│     000000000000 (not in this clone)",
        "└─ @3",
    ]
    assert arrows(mermaid(around)) == arrows(dot(around)) == {(1, "dashed", 0), (2, "dashed", 1), (2, "", 3)}


def test_a_row_with_known_forks() -> None:
    """T04: where a thread of a recorded row has several parents, no arrow is drawn that skips a part of the row."""
    row = ROW | {"chain": [number(at) for at in range(4)]}
    found = drawn({0: [1, 2]}, commits=[row])

    assert branches(found)[-3:] == ["@1", "@2", "@3"]
    assert arrows(dot(found)) == {(1, "", 0), (2, "dashed", 1), (3, "dashed", 2)}


GRAPH = st.dictionaries(st.integers(0, 6), st.none() | st.lists(st.integers(0, 6), max_size=3), max_size=7)


@relaxed
@given(GRAPH, GRAPH, st.sampled_from(["up", "down", "around"]))
def test_every_thread_is_drawn_once(parents: Parents, listed: Parents, way: str) -> None:
    """T03, T04: however threads are tangled, each has one place in every picture, and each arrow stands there once."""
    found = drawn(parents, listed=listed, down=way == "down", around=way == "around")
    lines = branches(found, down=way == "down", around=way == "around")
    links = [line.strip("├└│─ ◀") for line in lines if "@" in line]
    again = [line.split(" (")[0].strip("├└│─ ") for line in lines if "(drawn above)" in line]
    here = {int(thread[-12:], 16) for thread in found.threads}
    charts = [[line for line in drawing(found) if "-> " in line or "--> " in line] for drawing in (mermaid, dot)]

    assert sorted(links) == sorted(f"@{at}" for at in here)
    assert {int(at) for at in again} <= here
    assert sum("◀" in line for line in lines) == (len(here) > 1)
    assert arrows(mermaid(found)) == arrows(dot(found))
    assert all(len(chart) == len(set(chart)) == len(arrows(dot(found))) for chart in charts)
    assert {(parent, child) for parent, _, child in arrows(dot(found))} >= {
        (parent, int(thread[-12:], 16))
        for thread, one in found.threads.items()
        for parent in (int(its[-12:], 16) for its in one.parents or ())
        if parent in here
    }


def test_a_long_row_is_drawn() -> None:
    """T08: a thousand threads in a row are a thousand lines without indentation, and no picture takes long."""
    found = drawn({at: [at + 1] for at in range(1000)})
    start = time.monotonic()

    assert branches(found)[1:-1] == [f"@{at}" for at in range(1, 1001)]
    assert len(list(sequence(found, {}))) == 1001 + 2 + 1000
    assert len(list(mermaid(found))) == len(list(dot(found))) + 2
    assert time.monotonic() - start < 30


# --- JSON


@pytest.mark.usefixtures("january")
def test_the_json_is_the_promise(tmp_path: Path) -> None:
    """The fields of `ampcommit.chain/1`, in order, with full ids."""
    ledger = Ledger(str(tmp_path / "ledger.jsonl"))
    ledger.append(record_of(sha(1), CHILD))
    found = as_json(lineage(ThreadId(CHILD), Sources(os.environ), ledger))

    assert json.dumps(found) == json.dumps(
        {
            "schema": "ampcommit.chain/1",
            "thread": CHILD,
            "status": "complete",
            "chain": [CHILD, PARENT],
            "threads": [
                {
                    "thread": CHILD,
                    "state": "known",
                    "parents": [PARENT],
                    "children": [],
                    "source": "local",
                    "commits": [sha(1)],
                    "rewritten": {},
                    "web": None,
                },
                {
                    "thread": PARENT,
                    "state": "known",
                    "parents": [],
                    "children": [CHILD],
                    "source": "local",
                    "commits": [],
                    "rewritten": {},
                    "web": None,
                },
            ],
        }
    )


def test_what_is_unknown_is_null() -> None:
    """T01: an unknown is null, never absent, never an empty list that could mean none."""
    found = as_json(lineage(ThreadId(CHILD), Sources({}), None))

    assert json.loads(json.dumps(found)) == {
        "schema": "ampcommit.chain/1",
        "thread": CHILD,
        "status": "unknown",
        "chain": [CHILD],
        "threads": [
            {
                "thread": CHILD,
                "state": "missing",
                "parents": None,
                "children": [],
                "source": None,
                "commits": None,
                "rewritten": {},
                "web": None,
            }
        ],
    }


def test_the_json_holds_no_titles() -> None:
    """S15: titles may hold secrets; they are shown to people only."""
    assert "secret" not in json.dumps(as_json(drawn({0: []}, titles={0: "secret"})))


# --- sequence diagrams

STAMP = 0x01A1F7E30000  # what `number(0)` holds, in milliseconds


def when(at: float) -> str:
    """Return the time that many seconds after thread 0 began, as a record has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(STAMP / 1000 + at))


def told(found: Lineage, subjects: Mapping[Sha, str] | None = None) -> tuple[list[str], list[str]]:
    """Return the participants of the sequence diagram in their order, and what happens, with numbers for threads."""
    head, *lines = list(sequence(found, subjects or {}))
    names = {"git": "git"}
    for line in lines[: len(found.threads)]:
        _, name, _, label = line.strip().split(" ", 3)
        names[name] = short(label.partition("<br/>")[0])
    events = [re.fullmatch(r"    (\w+)-+>>(\w+): (.*)", line) for line in lines[len(found.threads) + 1 :]]

    assert (head, lines[len(found.threads)]) == ("sequenceDiagram", "    participant git")
    assert list(names) == ["git", *(f"t{at}" for at in range(len(found.threads)))]
    return list(names.values())[1:], [f"{names[one[1]]}>{names[one[2]]} {one[3]}" for one in events if one]


def test_a_step_that_only_a_record_tells_is_dashed_in_time_too() -> None:
    """The order is known, and which thread came from which is not."""
    record = {"commit": Sha("a" * 40), "links": [number(2)], "chain": [number(2), number(1), number(0)]}
    found = drawn({}, asked=2, commits=[record])
    lines = [line.strip() for line in sequence(found, {})]

    assert found.recorded
    assert [line for line in lines if "continued as" in line] == [
        "t0-->>t1: continued as",
        "t1-->>t2: continued as",
    ]


def test_a_sequence_is_told_in_time() -> None:
    """Threads begin at the time in their ids, commits stand at the time of their records."""
    ids = {"root": 1_000, "child": 20_000, "grandchild": 50_000}
    root, child, grandchild = ids.values()
    records = [
        {"commit": Sha("b" * 40), "thread": number(child), "time": when(30)},
        {"commit": Sha("d" * 40), "thread": number(root), "time": when(60)},
        {"commit": Sha("a" * 40), "thread": number(root), "time": when(10)},
        {"commit": Sha("c" * 40), "thread": number(grandchild), "time": when(55)},
    ]
    found = drawn({grandchild: [child], child: [root], root: []}, asked=grandchild, commits=records)
    names, events = told(found, {Sha("a" * 40): "First", Sha("c" * 40): ""})

    assert names == [str(root), str(child), str(grandchild)]
    assert events == [
        f"{root}>git aaaaaaaaaaaa First",
        f"{root}>{child} continued as",
        f"{child}>git bbbbbbbbbbbb",
        f"{child}>{grandchild} continued as",
        f"{grandchild}>git cccccccccccc",
        f"{root}>git dddddddddddd",
    ]


def test_a_child_older_than_its_parent_is_drawn_after_it() -> None:
    """T22: links say who came from whom, whatever the clocks said; commits do not stand before their thread begins."""
    record = {"commit": Sha("a" * 40), "thread": number(1_000), "time": when(2)}
    names, events = told(drawn({1_000: [9_000], 9_000: [5_000], 5_000: []}, asked=1_000, commits=[record]))

    assert names == ["5000", "9000", "1000"]
    assert events == ["5000>9000 continued as", "9000>1000 continued as", "1000>git aaaaaaaaaaaa"]


def old(at: int) -> ThreadId:
    """Return the id of an old thread, which does not hold a time."""
    return ThreadId(f"T-ffffffff-ffff-4000-8000-{at:012x}")


def aged(parents: Mapping[int, list[int]], commits: Mapping[int, str], asked: int = 0) -> Lineage:
    """Return the picture of old threads with these parents and times of commits."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "amp" / "threads"
        files.mkdir(parents=True)
        for at, its in parents.items():
            (files / f"{old(at)}.json").write_text(json.dumps(thread_file(old(at), map(old, its)), indent=2))
        ledger = Ledger(f"{folder}/ledger.jsonl")
        for at, moment in commits.items():
            ledger.append(record_of(sha(at + 1), old(at), time=moment))
        return lineage(old(asked), Sources({"XDG_DATA_HOME": folder}), ledger)


def test_old_threads_without_times_stand_in_the_order_of_their_links() -> None:
    """T22: version 4 ids hold no time; a row of them is told from its root on."""
    names, events = told(aged({0: [1], 1: [2], 2: [3], 3: []}, {}))

    assert names == ["3", "2", "1", "0"]
    assert events == ["3>2 continued as", "2>1 continued as", "1>0 continued as"]


def test_old_threads_begin_with_their_first_commit() -> None:
    """Of parents whose ids hold no time the one with the older commit stands first; what is no time is no time."""
    moments = {0: "", 1: "2026-11-20T08:00:00Z", 2: "2026-11-20T00:00:00-09:00", 3: "2026-11-20T07:59:59"}
    names, events = told(aged({0: [1, 2, 3], 1: [], 2: [], 3: []}, moments))

    assert names == ["3", "1", "2", "0"]
    assert [event.split()[0] for event in events] == ["3>git", "1>git", "1>0", "2>0", "3>0", "0>git", "2>git"]


TIMES = [
    "",
    "x",
    "yesterday",
    "2026-13-45",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "24:00",
    "\ud800",
]


@pytest.mark.parametrize("moment", TIMES, ids=repr)
@pytest.mark.parametrize("thread", [number(0), old(0)], ids=["7", "4"])
def test_an_odd_time_costs_only_the_order(thread: ThreadId, moment: str) -> None:
    """S16: whatever stands where a record's time should be, the commit is in the picture."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"{folder}/ledger.jsonl")
        ledger.append(record_of(Sha("a" * 40), thread, time=moment))
        found = lineage(thread, Sources({}), ledger)

    assert told(found)[1] == ["0>git aaaaaaaaaaaa"]


CIRCLES: dict[str, dict[int, list[int]]] = {
    "itself": {0: [0]},
    "two": {0: [1], 1: [0]},
    "rho": {0: [1], 1: [2], 2: [3], 3: [1]},
    "two circles": {0: [1, 2], 1: [0], 2: [0, 3], 3: []},
}


@pytest.mark.parametrize("parents", CIRCLES.values(), ids=CIRCLES)
def test_a_circle_is_told_once(parents: dict[int, list[int]]) -> None:
    """T03: threads that came from each other all have their place, and every link is told."""
    names, events = told(drawn(parents))

    assert sorted(map(int, names)) == sorted(parents)
    assert len(events) == sum(map(len, parents.values()))


@relaxed
@given(
    st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda at: at[0] < at[1]))
)
def test_no_thread_begins_before_the_one_it_came_from(order: list[int], links: set[tuple[int, int]]) -> None:
    """T04, T22: participants stand in the order of their links first, and of their times second."""
    parents: dict[int, list[int] | None] = {at: [] for at in order}
    for parent, child in sorted(links):
        parents[order[child]] = [*(parents[order[child]] or []), order[parent]]
    found = drawn(parents, asked=order[0], around=True)
    names, events = told(found)
    pairs = [(parent, child) for parent, _, child in arrows(dot(found))]

    assert all(names.index(str(parent)) < names.index(str(child)) for parent, child in pairs)
    assert len(events) == len(pairs)
    assert all(
        int(here) < int(there) or any(str(parent) in names[: at + 1] for parent, child in pairs if child == int(there))
        for at, (here, there) in enumerate(itertools.pairwise(names))
    )


def test_a_thousand_threads_in_a_zigzag() -> None:
    """T08: an order that is wrong everywhere takes no longer than a right one."""
    row = [at * 2 if at % 2 else 4_000 - at * 2 for at in range(1_000)]
    found = drawn({child: [parent] for child, parent in itertools.pairwise(row)}, asked=row[0])
    start = time.monotonic()
    names, _ = told(found)

    assert [int(name) for name in names] == row[::-1]
    assert time.monotonic() - start < 10


# --- hostile titles and subjects

HOSTILE = {
    "plain": "Add a parser",
    "escape codes": "\x1b[2J\x1b[31mred\x1b[0m",
    "OSC 8": "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "OSC 52": "\x1b]52;c;ZXZpbA==\x1b\\",
    "C1": "\x9b2J\x90q\x9c",
    "bell, backspace, return": "safe\rowned\b\b\x07",
    "bidi": "\u202egpj.exe\u2066 abc \u2069\u200f",
    "zero width": "a\u200bb\ufeffc\u2060\u00ad",
    "tags": "a\U000e0041\U000e007f",
    "quotes": "\"double\" 'single' “both”",
    "closing quote": '"];\nt0["',
    "full-width quote": "\uff02\uff3d",
    "backslashes": '\\ \\\\ \\n \\" \\N \\G \\L \\',
    "arrow": "t0 --> t1",
    "arrow of a sequence": "t0->>git: x",
    "end": "end",
    "keywords": "subgraph x; end; style t0 fill:#f00; click t0 href",
    "style": "style a:b#c; classDef x fill:#f00;",
    "statement": "]; digraph evil { a -> b",
    "entities": "#quot; #35; &quot; &#34; &lt;b&gt;x&lt;/b&gt; #lt;b#gt; &amp;",
    "semicolons": ";;; a; b",
    "directive": "%%{init: {'theme': 'evil'}}%%",
    "comment": "%% gone",
    "front matter": "---\ntitle: x\n---",
    "backticks": "`**bold**` ```",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)><b>x</b>",
    "line break": "a<br>b<br/>c",
    "link": "[x](javascript:alert(1)) <a href='x'>y</a>",
    "Markdown": "**b** _i_ __u__ ~~s~~ # h > q | t |",
    "list": "- item",
    "star": "* item",
    "plus": "+ item",
    "numbered": "1. item",
    "numbered otherwise": "1) item",
    "heading": "# Heading",
    "underline": "=====",
    "rule": "-----",
    "icon": "fa:fa-car fab:fa-github fa-x",
    "dollars": "$ $$ $$$ $",
    "formula": "$$\\frac{1}{2}$$",
    "newlines": "a\nb\r\nc\u2028d\x85e\x0bf\x0cg\u2029h",
    "NUL": "a\0b",
    "long": "x" * 5000,
    "long and escaped": '"' * 5000,
    "emoji": "\U0001f469\u200d\U0001f4bb \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1e9\U0001f1ea",
    "lone surrogates": "a\ud800b\udfffc",
    "combining": "e\u0301\u0489\u0334",
    "other scripts": "שלום 你好 ½ ² Ⅷ ٣ \uff46\uff55\uff4c\uff4c",
    "annotation": "::error file=a::owned%0A",
    "words of a sequence": "Note over t0,git: x",
    "alias": "x as y as z",
    "wrapped": "wrap: x nowrap: y",
    "numbers": "autonumber 0 1",
    "a thread": f"{PARENT} {url(OTHER)}",
    "blanks": "  \u3000 a \u00a0 \t b  ",
    "private": "\ue000\U0010ffff\ufffe",
}
"""What a title or a subject may hold; each is text, and nothing else, wherever it is drawn."""

COMMIT = Sha("a" * 40)


def scene(text: str) -> Lineage:
    """Return a picture of three threads of which one has this title, and a commit."""
    commits = [{"commit": COMMIT, "thread": number(0)}]
    return drawn({0: [1], 1: [2]}, titles={0: text, 1: "Root"}, commits=commits)


PICTURES: dict[str, Callable[[Lineage, Mapping[Sha, str]], Iterable[str]]] = {
    "tree": tree,
    "mermaid": lambda found, _: mermaid(found),
    "dot": lambda found, _: dot(found),
    "sequence": sequence,
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_harmless(name: str, text: str) -> None:
    """T17, S01, S03: every picture has the lines that it has with any other title, each of printable characters."""
    draw = PICTURES[name]
    lines = list(draw(scene(text), {COMMIT: text}))
    usual = list(draw(scene("Title"), {COMMIT: "Subject"}))

    assert len(usual) == len(lines)
    assert all(line.isprintable() for line in lines)
    assert all(len(line) < 1500 for line in lines)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_tree_shows_what_was_said(text: str) -> None:
    """T17: the title and the subject are there, with escapes in the place of what a terminal would act on."""
    lines = list(tree(scene(text), {COMMIT: text}))

    assert lines[0] == f"{number(0).url}  “{terminal(text, 100)}”  ◀"
    assert lines[1] == f"│  aaaaaaaaaaaa {terminal(text, 100)}".rstrip()


QUOTED = r'"((?:[^"\\]|\\[n"\\])*)"'
STATEMENT = re.compile(
    rf"    (?:node \[shape=box\];|{QUOTED} \[label={QUOTED}(?:, style=dashed)?(?:, penwidth=3)?\];"
    rf"|{QUOTED} -> {QUOTED}(?: \[style=dashed\])?;)"
)


def unquoted(text: str) -> list[str]:
    """Return the lines that Graphviz shows for the inside of a quoted string."""
    pieces = re.split(r"\\(.)", text)
    shown = "".join({"n": "\n"}.get(piece, piece) if at % 2 else piece for at, piece in enumerate(pieces))
    return html.unescape(shown).split("\n")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_graph_can_be_parsed(text: str) -> None:
    """T17: whatever a title holds, it is one quoted string of a label, and shows what was said."""
    begin, *lines, end = dot(scene(text))
    statements = [STATEMENT.fullmatch(line) for line in lines]

    assert (begin, end) == ("digraph chain {", "}")
    assert all(statements)
    labels = {one[1]: unquoted(one[2]) for one in statements if one and one[2]}
    assert labels[number(0)] == [number(0), terminal(text, 100), "1 commit"]
    assert labels[number(2)] == [number(2), GAP]


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
def test_graphviz_shows_what_was_said() -> None:
    """T17: Graphviz itself draws every title letter by letter."""
    graphs = "\n".join(line for text in HOSTILE.values() for line in dot(scene(text)))
    done = subprocess.run(["dot", "-Tsvg"], input=graphs.encode(), capture_output=True, check=True, timeout=300)
    said = {shown(html.unescape(text)) for text in re.findall(r"<text[^>]*>(.*?)</text>", done.stdout.decode())}

    assert {shown(terminal(text, 100)) for text in HOSTILE.values()} <= said


# --- Mermaid itself

SCENES: dict[str, Callable[[], Lineage]] = {
    **{name: functools.partial(drawn, parents) for name, (parents, _) in TREES.items()},
    "family": lambda: drawn(FAMILY, asked=3, around=True),
    "recorded": lambda: drawn({}, commits=[ROW]),
    "recorded, around": lambda: drawn({3: [2]}, commits=[ROW], around=True),
    "old": lambda: aged({0: [1, 2], 1: [], 2: []}, {1: "2026-11-20T08:00:00Z"}),
    "long": lambda: drawn({at: [at + 1] for at in range(400)}),
}


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Mermaid and a script that reads diagrams; the test is skipped where that cannot be had."""
    folder = tmp_path_factory.mktemp("node")
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not on PATH")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    try:
        done = subprocess.run(command, cwd=folder, env=ENVIRON, capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install Mermaid in time")
    if done.returncode:
        pytest.skip(f"npm cannot install Mermaid: {done.stderr.decode(errors='replace')[:200]}")
    (folder / "read.mjs").write_text(NODE)
    return folder


@pytest.fixture(scope="module")
def verdicts(node: Path) -> dict[str, dict[str, Any]]:
    """What Mermaid makes of every diagram, by name; one process reads them all."""
    texts = {}
    for name, build in SCENES.items():
        found = build()
        texts[f"flow {name}"], texts[f"time {name}"] = mermaid(found), sequence(found, {})
    for name, text in HOSTILE.items():
        found = scene(text)
        texts[f"flow of {name}"], texts[f"time of {name}"] = mermaid(found), sequence(found, {COMMIT: text})
    for page in PAGES:
        blocks = re.findall(r"^```mermaid\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        texts |= {f"page {page.name} {number}": iter([block]) for number, block in enumerate(blocks)}
    asked = [{"text": "\n".join(lines), "render": " of " in name} for name, lines in texts.items()]
    done = subprocess.run(
        ["node", "read.mjs"],
        cwd=node,
        env=ENVIRON,
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
        timeout=300,
    )
    if done.returncode:  # what Mermaid refuses is a verdict; this is a Node that is too old for it
        pytest.skip(f"node cannot run Mermaid: {done.stderr.decode(errors='replace')[:200]}")
    return dict(zip(texts, json.loads(done.stdout), strict=True))


def test_mermaid_reads_the_pictures_in_the_documents(verdicts: dict[str, dict[str, Any]]) -> None:
    """What docs/sources.md opens with is drawn where people read it."""
    pictures = {name: verdict for name, verdict in verdicts.items() if name.startswith("page ")}

    assert pictures["page sources.md 0"] == {"type": "sequence"}
    assert [name for name, verdict in pictures.items() if "type" not in verdict] == []


@pytest.mark.parametrize("name", SCENES)
def test_mermaid_reads_every_shape(verdicts: dict[str, dict[str, Any]], name: str) -> None:
    """T01, T03, T04: every shape of a chain is a flow chart and a sequence diagram that Mermaid understands."""
    assert verdicts[f"flow {name}"] == {"type": "flowchart-v2"}
    assert verdicts[f"time {name}"] == {"type": "sequence"}


def shown(text: str) -> str:
    """Return *text* as people see it, with blanks as a browser shows them, whatever stands for a backslash."""
    return " ".join(text.translate({0x29F5: "\\", 0xFF04: "$", 0xFF1A: ":"}).split())


@pytest.mark.parametrize("name", HOSTILE)
def test_mermaid_shows_what_was_said(verdicts: dict[str, dict[str, Any]], name: str) -> None:
    """T17, S03: Mermaid draws the title and the subject letter by letter; nothing in them is markup or alive."""
    flow, time_ = verdicts[f"flow of {name}"], verdicts[f"time of {name}"]
    said = shown(terminal(HOSTILE[name], 100))

    assert (flow.get("error"), time_.get("error"), flow["alive"], time_["alive"]) == (None, None, 0, 0)
    assert [[shown(line) for line in label] for label in flow["labels"]] == [
        [number(0), said, "1 commit"],
        [number(1), "Root"],
        [number(2), GAP],
    ]
    assert {shown(line) for actor in time_["actors"] for line in actor} == {
        *(number(at) for at in range(3)),
        said,
        "Root",
        GAP,
        "git",
    }
    assert [shown(message[0]) for message in time_["messages"]] == [
        "continued as",
        "continued as",
        f"aaaaaaaaaaaa {said}",
    ]
