"""The threads behind a thread and those that came of it, with the commits of each: what `ampcommit chain` asks."""

import os

from ampcommit.errors import MisuseError, RecordError, RemoteError, SetupError
from ampcommit.escape import terminal
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.link import named
from ampcommit.place import Place
from ampcommit.record import Record, Sha, ThreadId, canonical
from ampcommit.resolved import edges
from ampcommit.settings import read_settings
from ampcommit.show import show
from ampcommit.threadfile import children_named, fields_of, parents_named
from ampcommit.threads import RANK, Chain, Offline, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ampcommit.ampcli import Amp

LIMIT = 100_000
"""How many threads are followed; what lies behind them is a gap."""

_FIELDS = ("relationships", "originThreadID", "env", "title")
_FEW = 6  # so many searches of the ledger cost less than reading every line of it


class Thread:
    """
    What is known of one thread.

    `state` is known, missing (nothing is there) or broken (a file is there, and it does not tell). `parents` is
    None where they are not known, `source` then None too. `commits` are those whose message links the thread, with
    the time of the record, in the order of the ledger; None where there is no ledger to ask.
    """

    __slots__ = ("children", "commits", "parents", "source", "state", "thread", "title")

    def __init__(self, thread: ThreadId) -> None:
        self.thread = thread
        self.state = "missing"
        self.parents: list[ThreadId] | None = None
        self.children: list[ThreadId] = []
        self.source: str | None = None
        self.title: str | None = None
        self.commits: dict[Sha, str] | None = None


class Lineage:
    """The thread *asked* for, the way up from it (`chain`, `status`), and every thread of the picture in order."""

    def __init__(self, asked: ThreadId) -> None:
        self.asked = asked
        self.status = "unknown"
        self.chain: list[ThreadId] = [asked]
        self.threads: dict[ThreadId, Thread] = {}
        self.recorded = False  # a record alone tells the chain: which of its threads came from which is not known
        self.warnings: list[str] = []


class Sources:
    """What is asked for parents, in this order: what was learned, files here, the ledger, and, if given, *amp*."""

    def __init__(self, environ: "Mapping[str, str]", amp: "Amp | None" = None, *, keep: bool = False) -> None:
        self.offline = Offline(environ)
        self.amp = amp
        self.keep = keep  # what Amp's own files tell, too: reading them again costs less than a new file for each
        self.ledger: Ledger | None = None
        self.threads: dict[ThreadId, Thread] = {}
        self.warnings: list[str] = []
        self.why_not: str | None = None  # why nobody can be asked at all
        self._frozen: dict[ThreadId, list[ThreadId]] = {}
        self._listed: dict[ThreadId, list[ThreadId]] = {}  # children as a thread itself names them

    @property
    def frozen(self) -> dict[ThreadId, list[ThreadId]]:
        """The parents that the ledger tells; it is searched for them once, and only if they are needed."""
        if self.ledger:
            lines, self.ledger = self.ledger.find(b'"kind":"chain"'), None
            self.remember_edges(lines)
        return self._frozen

    def parents_of(self, thread: ThreadId) -> list[ThreadId] | None:
        """Return the parents of *thread*; None if nobody knows."""
        found = self.known_here(thread)
        if found.parents is None and self.amp:
            self._ask(self.amp, found)
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
        if found.parents is None and thread in self.frozen:
            found.state, found.parents, found.source = "known", self.frozen[thread], "ledger"
        return found

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
            self._take(found, "amp", amp.export(found.thread), kept=True)
        except RemoteError as error:
            self.warnings.append(f"{found.thread}: {error}")

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
        return self.among(sorted({*self.threads, *self.frozen, *filter(None, found)}))

    def among(self, threads: "Iterable[ThreadId]") -> dict[ThreadId, list[ThreadId]]:
        """Return parents with their children, as *threads* themselves tell."""
        children: dict[ThreadId, dict[ThreadId, None]] = {}
        for thread in threads:
            for parent in self.known_here(thread).parents or ():
                children.setdefault(parent, {})[thread] = None
            for child in self.children_of(thread):
                children.setdefault(thread, {})[child] = None
        return {parent: list(its) for parent, its in children.items()}


def look_up(
    text: str,
    environ: "Mapping[str, str]",
    *,
    down: bool = False,
    around: bool = False,
    ask: bool = False,
    folder: str = ".",
) -> Lineage:
    """
    Return the picture of the thread that *text* names: by an id, a link, or a commit, whose last thread is meant.

    Outside a repository a thread can be looked up too, without commits. With *ask*, Amp is asked for what
    nobody here knows.
    """
    git = Git(folder, environ)
    try:
        place = Place.of_folder(git)
    except SetupError:
        if ask or (not ThreadId.maybe(text.removeprefix("@")) and "://" not in text):
            raise
        return lineage(named(text), Sources(environ), None, down=down, around=around)
    sources = Sources(environ)
    if ask:
        from ampcommit.ampcli import find  # costs the others nothing

        sources.amp = find(git, place, environ)
    asked = _asked(text, environ, folder, place)
    return lineage(asked, sources, Ledger(place.ledger), down=down, around=around)


def _asked(text: str, environ: "Mapping[str, str]", folder: str, place: Place) -> ThreadId:
    if ThreadId.maybe(text.removeprefix("@")) or "://" in text:
        return named(text, read_settings(Git(folder, environ), environ, top=place.top).hosts)
    if shown := show(text, environ, folder).threads:
        return shown[-1]
    raise MisuseError(f"no thread is known for the commit {text!a}", hint="`ampcommit show` says what is known of it")


def subjects(found: Lineage, environ: "Mapping[str, str]", folder: str = ".") -> dict[Sha, str]:
    """Return the subjects of the commits in the picture, as far as they are in this clone."""
    commits = [commit for thread in found.threads.values() for commit in thread.commits or ()]
    if not commits:
        return {}
    place = Place.of_folder(Git(folder, environ))
    reader = Git(place.git_dir, clean(environ, place.git_dir))
    question = ["log", "--no-walk=unsorted", "--ignore-missing", "--no-show-signature", "--encoding=UTF-8", "--stdin"]
    asked = "\n".join([*commits, ""]).encode("ascii")
    lines = reader(*question, "--format=%H %s", stdin=asked, deadline=60).decode("utf-8", "replace").split("\n")
    return {Sha(commit): subject for commit, _, subject in (line.partition(" ") for line in lines) if commit}


def lineage(
    asked: ThreadId, sources: Sources, ledger: Ledger | None, *, down: bool = False, around: bool = False
) -> Lineage:
    """Return the picture of *asked*: the way up, with *down* the way down, with *around* all that hangs on it."""
    found = Lineage(asked)
    lines = ledger.find(canonical(asked)) if ledger else []
    sources.ledger = ledger
    up = walk(asked, sources.parents_of, LIMIT)
    recorded = _recorded(asked, lines)
    # A record that leaves out what is known here is not the better one.
    if recorded and RANK.get(recorded.state, 0) > RANK[up.state] and set(up.threads) <= set(recorded.threads):
        up, found.recorded = recorded, True
    found.chain, found.status = up.threads, up.state
    shown = _shown(found, sources, down=down, around=around)
    found.threads = {thread: sources.threads[thread] for thread in shown}
    if ledger:
        for name, commits in _commits(ledger, found.threads, {asked: lines}).items():
            found.threads[name].commits = commits
    found.warnings = [terminal(warning) for warning in sources.warnings]
    return found


def _shown(found: Lineage, sources: Sources, *, down: bool, around: bool) -> list[ThreadId]:
    """Return the threads of the picture, each with its children."""
    children = sources.everywhere() if down or around else sources.among(found.chain)
    above: dict[ThreadId, list[ThreadId]] = {}
    for parent, its in children.items():
        for child in its:
            above.setdefault(child, []).append(parent)

    def relatives(thread: ThreadId) -> list[ThreadId]:
        row = found.chain if thread == found.asked else ()
        own = sources.known_here(thread).parents
        return [*(own or ()), *above.get(thread, ()), *row, *children.get(thread, ())]

    order = found.chain
    if down or around:
        order = walk(found.asked, relatives if around else lambda one: children.get(one, []), LIMIT).threads
    for thread in order:
        sources.known_here(thread).children = children.get(thread, [])
    return order


def _recorded(asked: ThreadId, lines: "Iterable[bytes]") -> Chain | None:
    """Return the best chain that a record tells of *asked*, of equal ones the newest."""
    records = [record for record in _records(lines) if record.thread == asked and record.chain[:1] == [asked]]
    told = [Chain(list(dict.fromkeys(record.chain)), record.chain_state) for record in reversed(records)]
    return max(told, key=lambda chain: RANK.get(chain.state, 0), default=None)


def _records(lines: "Iterable[bytes]") -> "Iterator[Record]":
    for line in lines:
        try:
            yield Record.from_bytes(line)
        except RecordError:
            continue  # another kind, or damaged: `ledger check` reports that


def _commits(
    ledger: Ledger, threads: "Iterable[ThreadId]", seen: dict[ThreadId, list[bytes]]
) -> dict[ThreadId, dict[Sha, str]]:
    """Return for each thread the commits that link it, as the ledger has them; *seen* are lines found before."""
    found: dict[ThreadId, dict[Sha, str]] = {thread: {} for thread in threads}
    if len(found) <= _FEW:
        for thread, commits in found.items():
            for record in _records(seen[thread] if thread in seen else ledger.find(canonical(thread))):
                if thread in record.links:
                    commits.setdefault(record.commit, record.time)
        return found
    for record in _records(line for line in ledger.lines() if _may_link(line, found)):
        for link in record.links:
            if link in found:
                found[link].setdefault(record.commit, record.time)
    return found


def _may_link(line: bytes, threads: "Mapping[ThreadId, object]") -> bool:
    """Say whether *line* may be a record that links one of *threads*, without parsing the whole of it."""
    _, key, rest = line.partition(b'"links":[')
    if not key:
        return b'"links"' in line  # another program's JSON
    return any(link in threads for link in rest.partition(b"]")[0].decode("ascii", "replace").split('"'))
