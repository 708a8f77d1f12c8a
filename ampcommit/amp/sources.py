"""What is known of threads, and who is asked: what was learned, files here, the ledger, the store, and Amp."""

import os
import weakref

from ampcommit.amp.store import existing
from ampcommit.errors import RemoteError, SetupError
from ampcommit.record import Sha, ThreadId, canonical
from ampcommit.resolved import edges
from ampcommit.threadfile import children_named, fields_of, parents_named
from ampcommit.threads import LIMIT, Offline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from ampcommit.amp.ampcli import Amp
    from ampcommit.amp.store import Store
    from ampcommit.ledger import Ledger

    T = TypeVar("T")

_FIELDS = ("relationships", "originThreadID", "env", "title")


class Thread:
    """
    What is known of one thread.

    `state` is known, missing (nothing is there) or broken (a file is there, and it does not tell). `parents` is
    None where they are not known, `source` then None too. `commits` are those whose message links the thread, with
    the time of the record, in the order of the ledger; None where there is no ledger to ask. Those that became others
    are in `rewritten`, with what they became in the end.
    """

    __slots__ = ("children", "commits", "parents", "rewritten", "source", "state", "thread", "title")

    def __init__(self, thread: ThreadId) -> None:
        self.thread = thread
        self.state = "missing"
        self.parents: list[ThreadId] | None = None
        self.children: list[ThreadId] = []
        self.source: str | None = None
        self.title: str | None = None
        self.commits: dict[Sha, str] | None = None
        self.rewritten: dict[Sha, Sha] = {}


class Sources:
    """
    What is asked for parents, in this order: what was learned, files here, the ledger, the store, and, if given, *amp*.

    A store that cannot be used is a warning, and is not asked again.
    """

    def __init__(self, environ: "Mapping[str, str]", amp: "Amp | None" = None, *, keep: bool = False) -> None:
        self.offline = Offline(environ)
        self._environ = environ
        self.amp = amp
        self.keep = keep  # what Amp's own files tell, too: reading them again costs less than a new file for each
        self.ledger: Ledger | None = None
        self.threads: dict[ThreadId, Thread] = {}
        self.warnings: list[str] = []
        self.why_not: str | None = None  # why nobody can be asked at all
        self._frozen: dict[ThreadId, list[ThreadId]] = {}
        self._lines: dict[ThreadId, list[bytes]] = {}
        self._all_told = False
        self._listed: dict[ThreadId, list[ThreadId]] = {}  # children as a thread itself names them
        self._store: Store | None = None
        self._opened = False
        self._new: set[ThreadId] = set()  # what the store told of them is not remembered yet

    def lines_of(self, thread: ThreadId) -> list[bytes]:
        """Return the lines of the ledger that name *thread*; it is searched once for each."""
        if thread not in self._lines:
            self._lines[thread] = self.ledger.find(canonical(thread)) if self.ledger else []
        return self._lines[thread]

    def _told(self, thread: ThreadId) -> list[ThreadId] | None:
        """Return the parents that the ledger tells: lines that name a thread hold all that is said of it."""
        if thread not in self._frozen and not self._all_told:
            self.remember_edges(self.lines_of(thread))
        return self._frozen.get(thread)

    def parents_of(self, thread: ThreadId) -> list[ThreadId] | None:
        """Return the parents of *thread*; None if nobody knows."""
        found = self.known_here(thread)
        if found.parents is None and self.amp:
            self._ask(self.amp, found)
        if thread in self._new and found.parents is not None:
            self._new.remove(thread)
            if self.keep or len(self.threads) <= LIMIT:  # hooks follow no more, and writing a file takes its time
                self.offline.keep(thread, "api", found.parents)
        return found.parents

    def known_here(self, thread: ThreadId) -> Thread:
        """Return what is known of *thread* without asking anybody."""
        if thread not in self.threads:
            self.threads[thread] = self._look_up(thread)
        return self.threads[thread]

    def children_of(self, thread: ThreadId) -> list[ThreadId]:
        """Return the children that *thread* itself names, except those whose own word is another."""
        own = self.known_here(thread).parents or ()
        said = [(child, self.known_here(child).parents) for child in dict.fromkeys(self._listed.get(thread, ()))]
        return [child for child, parents in said if (child not in own if parents is None else thread in parents)]

    def _look_up(self, thread: ThreadId) -> Thread:
        found = Thread(thread)
        if learned := self.offline.recall(thread):
            found.state, found.parents, found.source = "known", learned.parents, learned.source
        for source, path in self.offline.files(thread):
            fields = fields_of(path, _FIELDS)
            if fields and ThreadId.maybe(fields.get("id")) == thread:
                self._take(found, source, fields, kept=path.endswith(".json"))
                if found.parents is not None:
                    break
            elif found.state == "missing" and os.path.lexists(path):
                found.state = "broken"
        if found.parents is None and (told := self._told(thread)) is not None:
            found.state, found.parents, found.source = "known", told, "ledger"
        if found.parents is None or not found.title:
            self._add_synced(found)
        return found

    def _add_synced(self, found: Thread) -> None:
        """Add what the store tells; that it names no parent proves nothing."""
        known = self._of_store(lambda store: store.known(found.thread))
        if known:
            self._tell(found, known.parent, known.title)

    def _tell(self, found: Thread, parent: ThreadId | None, title: str | None) -> None:
        found.title = found.title or title
        if found.parents is None and parent not in (None, found.thread):
            found.state, found.parents, found.source = "known", [parent], "api"
            self._new.add(found.thread)
        if found.state == "missing":
            found.state = "known"

    def _of_store(self, question: "Callable[[Store], T]") -> "T | None":
        """Return what the store answers; None where there is none that can be used."""
        if not self._opened:
            self._opened = True
            self._store = existing(self._environ, self.warnings)
            if self._store:
                weakref.finalize(self, self._store.close)
        try:
            return question(self._store) if self._store else None
        except SetupError as error:
            self._store = None
            self.warnings.append(f"{error} (hint: {error.hint})")
        return None

    def _take(self, found: Thread, source: str, fields: "Mapping[str, object]", *, kept: bool) -> None:
        """Take over what data of the thread tell; *kept*: they are whole, so what they tell is remembered."""
        title = fields.get("title")
        found.state = "known"
        found.title = found.title or (title if isinstance(title, str) else None) or None
        self._listed.setdefault(found.thread, []).extend(children_named(fields))
        if found.parents is None:
            found.parents = parents_named(fields, found.thread, client_written=source == "local")
            if found.parents is not None:
                found.source = source
                if kept and (self.keep or source != "local"):
                    self.offline.keep(found.thread, source, found.parents)

    def _ask(self, amp: "Amp", found: Thread) -> None:
        try:
            fields = amp.export(found.thread)
        except RemoteError as error:
            self.warnings.append(f"{found.thread}: {error}")
            return
        known, found.title = found.title, ""  # Amp's own title is the one of now
        self._take(found, "amp", fields, kept=True)
        found.title = found.title or known

    def remember_edges(self, lines: "Iterable[bytes]") -> None:
        """Take over what lines of kind `chain` say of who came from whom; a later line wins."""
        self._frozen.update(edges(lines))

    def everywhere(self) -> dict[ThreadId, list[ThreadId]]:
        """Return the children of every thread that some data here name as a parent, or that names them itself."""
        names: set[str] = set()
        for folder in self.offline.folders():
            try:
                names.update(os.listdir(folder))
            except OSError:
                continue  # not there
        found = {ThreadId.maybe(name.removesuffix(".amptmp").removesuffix(".json")) for name in names}
        if self.ledger:
            self.remember_edges(self.ledger.find(b'"kind":"chain"'))
            self._all_told = True  # so that nothing is searched for each of them
        synced = self._of_store(lambda store: list(store.handed_off())) or ()
        every = {*self.threads, *self._frozen, *filter(None, found)}
        for thread, parent, title in synced:
            if thread not in every:  # no file tells of it, nor does the ledger
                every.add(thread)
                self._tell(self.threads.setdefault(thread, Thread(thread)), parent, title)
        return self.among(sorted(every))

    def among(self, threads: "Iterable[ThreadId]") -> dict[ThreadId, list[ThreadId]]:
        """Return parents with their children, as *threads* themselves tell."""
        children: dict[ThreadId, dict[ThreadId, None]] = {}
        for thread in threads:
            for parent in self.known_here(thread).parents or ():
                children.setdefault(parent, {})[thread] = None
            for child in self.children_of(thread):
                children.setdefault(thread, {})[child] = None
        return {parent: list(its) for parent, its in children.items()}
