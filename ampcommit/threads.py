"""The parents of a thread as this machine knows them offline, and the one walker over them."""

import os

from ampcommit.files import make_folder, read_regular, write_atomic
from ampcommit.record import ThreadId, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ampcommit.resolved import Resolved

LIMIT = 100
"""How many threads a hook follows; `docs/limits.md`."""

RANK = {"unknown": 0, "partial": 1, "cycle": 2, "complete": 3}
"""The states of a chain, and how much they say."""

_LEARNED_LIMIT = 16384


class Chain:
    """A thread and those it came from, nearest first; `state` says how far the walk got."""

    __slots__ = ("state", "threads")

    def __init__(self, threads: list[ThreadId], state: str) -> None:
        self.threads = threads
        self.state = state

    def says_more_than(self, other: "Chain") -> bool:
        """Say whether this tells more of the same thread: a better state, or as good a one of more threads."""
        mine, its = ((RANK.get(one.state, 0), len(one.threads)) for one in (self, other))
        return mine > its


def furthest(told: "Iterable[Resolved]") -> dict[ThreadId, Chain]:
    """Return for each thread the chain that says most, of those that became known later; of equal ones the first."""
    found: dict[ThreadId, Chain] = {}
    for one in told:
        chain = Chain(one.chain, one.chain_state)
        if one.thread not in found or chain.says_more_than(found[one.thread]):
            found[one.thread] = chain
    return found


def by_now(said: Chain, later: "Iterable[Chain | None]") -> Chain:
    """Return the best of what was *said* of a chain and what *later* tells; where it was whole, that is not asked."""
    if RANK.get(said.state, 0) <= RANK["partial"]:
        for chain in later:
            said = chain if chain and chain.says_more_than(said) else said
    return said


def walk(start: ThreadId, parents_of: "Callable[[ThreadId], list[ThreadId] | None]", limit: int = LIMIT) -> Chain:
    """
    Follow *parents_of* (None: not known) from *start*, breadth first, to at most *limit* threads.

    The state is `complete` (every thread's parents are known), `cycle`, `unknown` (nothing is
    known of *start* itself) or `partial`.
    """
    known: dict[ThreadId, list[ThreadId]] = {}
    order, at, partial = [start], 0, False
    seen = {start}
    while at < len(order):
        thread = order[at]
        at += 1
        parents = parents_of(thread)
        if parents is None:
            partial = True
            continue
        known[thread] = parents
        new = [parent for parent in dict.fromkeys(parents) if parent not in seen]
        partial = partial or len(order) + len(new) > limit
        new = new[: limit - len(order)]
        seen.update(new)
        order += new
    if start not in known:
        return Chain([start], "unknown")
    return Chain(order, "cycle" if _circular(known) else "partial" if partial else "complete")


def _circular(parents: "dict[ThreadId, list[ThreadId]]") -> bool:
    """Say whether some thread is its own ancestor: take away threads whose children are gone until none is left."""
    waiting = dict.fromkeys(parents, 0)
    for its in parents.values():
        for parent in its:
            if parent in waiting:
                waiting[parent] += 1
    free = [thread for thread, children in waiting.items() if not children]
    for thread in free:  # grows while we go
        for parent in parents[thread]:
            if parent in waiting:
                waiting[parent] -= 1
                if not waiting[parent]:
                    free.append(parent)
    return len(free) < len(waiting)


class Offline:
    """
    What this machine knows: parents learned before, Amp's thread files, exports that somebody put into our folder.

    Call it with a thread for the list of its parents: empty for a root, None when nothing is
    known. A file is looked into once: what the parents of a thread are never changes.
    """

    __slots__ = ("_base",)

    def __init__(self, environ: "Mapping[str, str]") -> None:
        self._base = data_home(environ)

    def __call__(self, thread: ThreadId) -> list[ThreadId] | None:
        learned = self.recall(thread)
        if learned:
            return learned.parents
        for source, path in self.files(thread):
            if not os.path.lexists(path):
                continue
            from ampcommit.threadfile import parents_in  # only for a thread that is new here

            parents = parents_in(path, thread, client_written=source == "local")
            if parents is not None:
                if path.endswith(".json"):  # what is still being written to is looked into again
                    self.keep(thread, source, parents)
                return parents
        return None

    def recall(self, thread: ThreadId) -> "Learned | None":
        """Return what was learned of the parents of *thread* before."""
        return _remembered(os.path.join(self._base, "ampcommit", "parents", thread)) if self._base else None

    def keep(self, thread: ThreadId, source: str, parents: list[ThreadId]) -> None:
        """Remember what *source* told; where that is impossible only speed is lost."""
        if self._base:
            _remember(os.path.join(self._base, "ampcommit", "parents", thread), source, parents)

    def files(self, thread: ThreadId) -> list[tuple[str, str]]:
        """Return where data of *thread* may lie, best first: `local` is Amp's own file, `export` one in our folder."""
        if not self._base:
            return []
        local = os.path.join(self._base, "amp", "threads", f"{thread}.json")
        export = os.path.join(self._base, "ampcommit", "threads", f"{thread}.json")
        # The January client can leave a fresh thread under the name that it writes to.
        unfinished = [] if os.path.lexists(local) else [("local", f"{local}.amptmp")]
        return [("local", local), *unfinished, ("export", export)]

    def folders(self) -> list[str]:
        """Return the folders whose files are named for threads: learned parents, Amp's files, exports."""
        below = (("ampcommit", "parents"), ("amp", "threads"), ("ampcommit", "threads"))
        return [os.path.join(self._base, *names) for names in below] if self._base else []


class Learned:
    """The parents of a thread, with where (`local`, `export`, `api`, `amp`) and when they were learned."""

    __slots__ = ("parents", "source", "time")

    def __init__(self, parents: list[ThreadId], source: str, time: str) -> None:
        self.parents = parents
        self.source = source
        self.time = time


def data_home(environ: "Mapping[str, str]") -> str | None:
    """Return `$XDG_DATA_HOME` or its default; None where neither it nor HOME is set."""
    base = environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(base):
        return base
    home = environ.get("HOME", "")
    return os.path.join(home, ".local", "share") if os.path.isabs(home) else None


def _remembered(path: str) -> Learned | None:
    """Read what `_remember` wrote; anything else counts as nothing."""
    content = (read_regular(path, _LEARNED_LIMIT) or b"").decode("ascii", "replace")
    header, *named = content.splitlines() or [""]
    version, _, origin = header.partition(" ")
    source, _, when = origin.partition(" ")
    if version != "1" or not source or not when or " " in when or not content.endswith("\n"):
        return None
    parents = [parent for parent in map(ThreadId.maybe, named) if parent]
    return Learned(parents, source, when) if len(parents) == len(named) else None


def _remember(path: str, source: str, parents: list[ThreadId]) -> None:
    """Keep *parents* with where and when they were learned: a line `1 <source> <time>`, then an id a line."""
    when = moment()
    try:
        make_folder(os.path.dirname(path))
        write_atomic(path, "\n".join([f"1 {source} {when}", *parents, ""]).encode("ascii"), mode=0o600)
    except OSError:
        pass  # only speed is lost
