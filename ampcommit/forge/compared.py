"""From which commit to which one a compare page shows the work of several: where they stand on one line of history."""

from ampcommit.errors import GitError
from ampcommit.forge.pages import PATIENCE
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ampcommit.gitcmd import Git
    from ampcommit.record import ThreadId

    Span = tuple[Sha, Sha]

STEPS = (2_000, 100_000)
"""So many commits of the history are looked at: a few first, which are mostly enough."""


def spans(
    reader: "Git", groups: "Mapping[ThreadId, Iterable[Sha]]", below: "Mapping[Sha, Sha | None]"
) -> "dict[ThreadId, Span]":
    """
    Return the oldest and the newest of each group whose commits stand on one line of first parents.

    *below* has the first parent of each commit; git is asked for what lies between them, for all groups at once.
    """
    known, found = dict(below), {name: _span(frozenset(group), below) for name, group in groups.items()}
    for count in STEPS:
        unsettled = {name: frozenset(groups[name]) for name, span in found.items() if span is None}
        if not unsettled or not _learn(known, reader, count, frozenset().union(*unsettled.values())):
            break
        found |= {name: _span(group, known) for name, group in unsettled.items()}
    return {name: span for name, span in found.items() if span}


def _span(commits: "frozenset[Sha]", below: "Mapping[Sha, Sha | None]") -> "Span | tuple[()] | None":
    """Return the oldest and the newest of *commits*; nothing if they are no line, None if more must be known."""
    above: dict[Sha, Sha] = {}  # each with the next of them on the way down
    passed: set[Sha] = set()
    for one in commits:
        at = below.get(one)
        while at and at not in passed:
            passed.add(at)
            if at in commits:
                above[one] = at
                break
            at = below.get(at)
        else:
            if at:  # where another one came from, too
                return ()
    if len(above) < len(commits) - 1:
        return None
    (oldest,), (newest,) = commits - above.keys(), commits - set(above.values())
    return oldest, newest


def _learn(below: "dict[Sha, Sha | None]", reader: "Git", count: int, commits: "Iterable[Sha]") -> bool:
    """Add the first parents of *count* commits, from *commits* downwards; say whether git told them."""
    asked = "\n".join([*commits, ""]).encode("ascii")
    question = ["rev-list", "--first-parent", "--parents", f"--max-count={count}", "--stdin"]
    try:
        listed = reader(*question, stdin=asked, deadline=PATIENCE).decode("ascii")
    except GitError:
        return False
    for line in listed.splitlines():
        commit, *parents = map(Sha, line.split(" "))
        below[commit] = parents[0] if parents else None
    return True
