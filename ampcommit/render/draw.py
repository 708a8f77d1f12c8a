"""
Pictures of a lineage: a tree for a terminal, Mermaid, Graphviz, and the JSON that the others are drawn from.

Whatever comes from outside (titles, subjects) is escaped for where it goes: nothing in it can end a
label, begin a statement, or reach a terminal as more than text.
"""

import heapq
import itertools
from datetime import UTC, datetime

from ampcommit.escape import defused, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ampcommit.amp.sources import Thread
    from ampcommit.record import Sha, ThreadId
    from ampcommit.verbs.chain import Lineage

    Subjects = Mapping[Sha, str]

_TITLE = 100  # characters
_PLAIN = frozenset(" ,/!?'")  # characters that neither Mermaid nor Markdown, which it reads in labels, cares for
# What Mermaid reads even behind the numbers (line ends, formulas, icons), and what looks the same.
_LOOKALIKES = {"\\n": "\u29f5n", "$$": "\uff04\uff04", ":fa-": "\uff1afa-"}
_BY_OTHERS = {"shared": "shared records alone", "claim": "claims alone that were fetched"}
_GAPS = {"missing": "nothing is known of this thread here", "broken": "its file cannot be read"}


def as_json(found: "Lineage") -> dict[str, object]:
    """Return the promise `ampcommit.chain/1`."""
    return {
        "schema": "ampcommit.chain/1",
        "thread": found.asked,
        "status": found.status,
        "chain": found.chain,
        "threads": [
            {
                "thread": one.thread,
                "state": one.state,
                "parents": one.parents,
                "children": one.children,
                "source": one.source,
                "commits": None if one.commits is None else list(one.commits),
                "rewritten": one.rewritten,
                "web": found.web[one.thread].as_dict() if one.thread in found.web else None,
            }
            for one in found.threads.values()
        ],
    }


def tree(found: "Lineage", subjects: "Subjects", *, down: bool = False, around: bool = False) -> "Iterator[str]":
    """
    Yield the lines of a tree: upwards from the thread asked for, or downwards from where it begins.

    Threads in a row stand below each other; only where the way forks it is indented.
    """
    above: dict[ThreadId, list[ThreadId]] = {thread: [] for thread in found.threads}
    below: dict[ThreadId, list[ThreadId]] = {thread: [] for thread in found.threads}
    for parent, child, _ in _edges(found):
        above[child].append(parent)
        below[parent].append(child)
    starts = [found.asked]
    if around:  # behind the roots, what no root leads to: circles
        starts = [*(thread for thread in found.threads if not above[thread]), found.asked, *found.threads]
    trees = _Trees(found, subjects, below if down or around else above)
    for start in starts:
        if start not in trees.drawn:
            if trees.drawn:
                yield ""
            yield from trees.branches(start)


class _Trees:
    """Trees that are drawn one after the other; *following* says which threads come behind each."""

    def __init__(self, found: "Lineage", subjects: "Subjects", following: "Mapping[ThreadId, list[ThreadId]]") -> None:
        self.drawn: set[ThreadId] = set()
        self._found = found
        self._doubts = _doubts(found)
        self._subjects = subjects
        self._following = following

    def branches(self, start: "ThreadId") -> "Iterator[str]":
        """Yield the lines of *start* and of all that follows it."""
        stack = [(start, "", "")]
        while stack:
            thread, lead, bar = stack.pop()
            if thread in self.drawn:
                yield f"{lead}{thread} (drawn above)"
                continue
            self.drawn.add(thread)
            after = self._following[thread]
            yield from self._entry(self._found.threads[thread], lead, bar + ("│ " if after else "  "))
            if len(after) == 1 and after[0] not in self.drawn:
                stack.append((after[0], bar, bar))
                continue
            for number, other in enumerate(reversed(after)):
                stack.append((other, bar + ("├─ " if number else "└─ "), bar + ("│  " if number else "   ")))

    def _entry(self, one: "Thread", lead: str, bar: str) -> "Iterator[str]":
        """Yield the lines of one thread: its link and title, its commits, their page, and what is not known."""
        title = f"  “{terminal(one.title, _TITLE)}”" if one.title else ""
        mark = "  ◀" if one.thread == self._found.asked and len(self._found.threads) > 1 else ""
        yield f"{lead}{one.thread.url}{title}{mark}"
        for commit in one.commits or ():
            known = commit in self._subjects
            subject = terminal(self._subjects[commit], _TITLE) if known else "(not in this clone)"
            yield f"{bar} {commit[:12]} {subject}{self._request(one.thread, commit)}".rstrip()
        for old, new in one.rewritten.items():
            if new not in (one.commits or ()):  # it went into a commit of another thread
                yield f"{bar} {old[:12]} became {new[:12]} {terminal(self._subjects.get(new, ''), _TITLE)}".rstrip()
        if (pages := self._found.web.get(one.thread)) and pages.compare:
            yield f"{bar} {pages.compare}"
        for doubt in self._doubts.get(one.thread, ()):
            yield f"{bar} {doubt}"

    def _request(self, thread: "ThreadId", commit: "Sha") -> str:
        """Return the request of *commit* where its subject does not name it already."""
        pages = self._found.web.get(thread)
        request = pages.requests.get(commit) if pages else None
        return f" ({request.mark} by {request.source})" if request and request.source != "subject" else ""


def mermaid(found: "Lineage") -> "Iterator[str]":
    """Yield a Mermaid flow chart: an arrow leads from a thread to each one that came of it."""
    names = {thread: f"t{number}" for number, thread in enumerate(found.threads)}
    gaps, doubts = _gaps(found), _doubts(found)
    yield "flowchart TD"
    for thread, one in found.threads.items():
        yield f'    {names[thread]}["{_mermaid_label(_label(one, doubts))}"]'
    for parent, child, told in _edges(found):
        yield f"    {names[parent]} {'-->' if told else '-.->'} {names[child]}"
    yield "    classDef gap stroke-dasharray: 4 4"
    yield "    classDef asked stroke-width: 3px"
    yield f"    class {names[found.asked]} asked"
    if gaps:
        yield f"    class {','.join(names[thread] for thread in gaps)} gap"


def dot(found: "Lineage") -> "Iterator[str]":
    """Yield a graph for Graphviz: an arrow leads from a thread to each one that came of it."""
    gaps, doubts = _gaps(found), _doubts(found)
    yield "digraph chain {"
    yield "    node [shape=box];"
    for thread, one in found.threads.items():
        style = ", style=dashed" if thread in gaps else ""
        bold = ", penwidth=3" if thread == found.asked else ""
        label = "\\n".join(map(_dot, _label(one, doubts)))
        yield f'    "{thread}" [label="{label}"{style}{bold}];'
    for parent, child, told in _edges(found):
        yield f'    "{parent}" -> "{child}"{"" if told else " [style=dashed]"};'
    yield "}"


def sequence(found: "Lineage", subjects: "Subjects") -> "Iterator[str]":
    """
    Yield a Mermaid sequence diagram of how threads and commits came about in time.

    A thread begins at the time in its id (UUIDs of version 7 hold it), a commit at the time of its record;
    a thread never begins before the one it came from.
    """
    began, doubts, others = _beginnings(found), _doubts(found), found.by_others
    place = {thread: number for number, thread in enumerate(began)}
    yield "sequenceDiagram"
    for thread, number in place.items():
        yield f"    participant t{number} as {_mermaid_label(_label(found.threads[thread], doubts)[:2])}"
    yield "    participant git"
    events = [
        (began[child], 0, place[child], f"t{place[parent]}{arrow}t{place[child]}: continued as{_by(others.get(child))}")
        for parent, child, told in _edges(found)
        for arrow in ["->>" if told else "-->>"]
    ]
    for thread, one in found.threads.items():
        for commit, time in (one.commits or {}).items():
            text = _mermaid(f"{commit[:12]} {terminal(subjects.get(commit, ''), _TITLE)}".rstrip())
            events.append((max(began[thread], _seconds(time)), 1, 0, f"t{place[thread]}->>git: {text}"))
    for *_, line in sorted(events, key=lambda event: event[:3]):
        yield f"    {line}"


def _beginnings(found: "Lineage") -> "dict[ThreadId, float]":
    """Return when each thread began, in seconds and in this order: none before one that it came from."""
    children: dict[ThreadId, list[ThreadId]] = {thread: [] for thread in found.threads}
    waiting = dict.fromkeys(found.threads, 0)
    for parent, child, _ in _edges(found):
        children[parent].append(child)
        waiting[child] += 1
    own = {thread: _own_time(one) for thread, one in found.threads.items()}
    eldest = sorted(own, key=lambda thread: own[thread], reverse=True)
    free = [(own[thread], thread) for thread in own if not waiting[thread]]
    heapq.heapify(free)
    began: dict[ThreadId, float] = {}
    while free or eldest:
        # Where nobody is free, there is a circle; it is cut at the eldest of those that are left.
        thread = heapq.heappop(free)[1] if free else eldest.pop()
        if thread in began:
            continue
        began[thread] = own[thread]
        for child in children[thread]:
            waiting[child] -= 1
            own[child] = max(own[child], began[thread])
            if not waiting[child]:
                heapq.heappush(free, (own[child], child))
    return began


def _own_time(one: "Thread") -> float:
    began = one.thread.began
    return min(filter(None, map(_seconds, (one.commits or {}).values())), default=0.0) if began is None else began


def _seconds(time: str) -> float:
    try:
        when = datetime.fromisoformat(time)
    except ValueError:
        return 0.0
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _edges(found: "Lineage") -> "Iterator[tuple[ThreadId, ThreadId, bool]]":
    """Yield parent, child, and whether that is known: of a row that a record alone tells only the order may be."""
    threads = found.threads
    row = found.chain if found.recorded else []
    for child, parent in itertools.pairwise(row):
        if child in threads and parent in threads:
            yield parent, child, parent in (threads[child].parents or ())
    in_row = frozenset(row)
    for thread, one in threads.items():
        # Behind the parents, children whose own word is not known.
        untold = (child for child in one.children if child in threads and threads[child].parents is None)
        pairs = [*((parent, thread) for parent in one.parents or ()), *((thread, child) for child in untold)]
        for parent, child in dict.fromkeys(pairs):
            if parent in threads and not (parent in in_row and child in in_row):
                yield parent, child, True


def _gaps(found: "Lineage") -> "dict[ThreadId, str]":
    """Return what to say of each thread whose parents are not known."""
    row = frozenset(found.chain if found.recorded else ())
    return {
        thread: f"? {_GAPS.get(one.state, 'what came before it is not known')}"
        for thread, one in found.threads.items()
        if one.parents is None and thread not in row
    }


def _doubts(found: "Lineage") -> "dict[ThreadId, list[str]]":
    """Return what to say of each thread whose parents are not known, or only by what others tell."""
    doubts = {thread: [gap] for thread, gap in _gaps(found).items()}
    for thread, who in found.by_others.items():
        doubts.setdefault(thread, []).append(f"what came before it is told by {_BY_OTHERS[who]}")
    return doubts


def _by(who: str | None) -> str:
    return f" (told by {_BY_OTHERS[who]})" if who else ""


def _label(one: "Thread", doubts: "Mapping[ThreadId, list[str]]") -> list[str]:
    """Return the lines of a label: the id, the title if there is one, how many commits, and what is in doubt."""
    lines = [str(one.thread)]
    if one.title:
        lines.append(terminal(one.title, _TITLE))
    if one.commits:
        lines.append(f"{len(one.commits)} commit{'s' if len(one.commits) > 1 else ''}")
    return lines + doubts.get(one.thread, [])


def _mermaid_label(lines: list[str]) -> str:
    """Return the lines of a label as one; the first is an id, which means nothing to Mermaid."""
    return "<br/>".join([lines[0], *map(_mermaid, lines[1:])])


def _mermaid(text: str) -> str:
    """Return *text* as Mermaid shows it: everything that means something there is written as a number."""
    text = terminal(text, 1000)
    for read, shown in _LOOKALIKES.items():
        text = text.replace(read, shown)
    return "".join(char if char.isalnum() or char in _PLAIN else f"#{ord(char)};" for char in text)


def _dot(text: str) -> str:
    return defused(terminal(text, 1000)).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
