"""The threads behind a thread and those that came of it, with the commits of each: what `ampcommit chain` asks."""

from ampcommit.amp.sources import Sources, Thread
from ampcommit.errors import MisuseError, RecordError, SetupError
from ampcommit.escape import terminal
from ampcommit.forge.compared import spans
from ampcommit.forge.requests import Commit, Request, Web, web_of
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.link import named
from ampcommit.notes.gathered import Gathered, became
from ampcommit.notes.noted import CLAIM, OWN, SHARED, shelves
from ampcommit.place import Place
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.settings import read_settings
from ampcommit.threads import RANK, Chain, walk
from ampcommit.verbs.show import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ampcommit.notes.noted import Line


LIMIT = 100_000
"""How many threads are followed; what lies behind them is a gap."""

_FEW = 6  # so many searches of the ledger cost less than reading every line of it


class Pages:
    """The pages on the web of a thread: what its commits changed together, each of them, and their requests."""

    def __init__(self, compare: str | None, commits: dict[Sha, str], requests: dict[Sha, Request]) -> None:
        self.compare = compare
        self.commits = commits
        self.requests = requests

    def as_dict(self) -> dict[str, object]:
        """Return what is promised in JSON: each request once."""
        requests: dict[int, dict[str, object]] = {}
        for one in self.requests.values():
            requests.setdefault(one.number, one.as_dict())
        return {"compare": self.compare, "commits": self.commits, "requests": list(requests.values())}


class Lineage:
    """The thread *asked* for, the way up from it (`chain`, `status`), and every thread of the picture in order."""

    def __init__(self, asked: ThreadId) -> None:
        self.asked = asked
        self.status = "unknown"
        self.chain: list[ThreadId] = [asked]
        self.threads: dict[ThreadId, Thread] = {}
        self.recorded = False  # a record alone tells the chain: which of its threads came from which is not known
        self.teller = OWN  # whose record that is: own, shared, claim
        self.known_by: dict[Sha, str] = {}  # who tells of each commit: own, shared, claim
        self.web: dict[ThreadId, Pages] = {}  # of threads with commits, where the clone's forge is known
        self.warnings: list[str] = []

    @property
    def by_others(self) -> dict[ThreadId, str]:
        """Who tells what came before a thread, where this clone does not: shared records, or claims."""
        told = {name: one.source for name, one in self.threads.items()}
        if self.recorded:
            told |= {name: self.teller for name in self.chain if name in told and told[name] is None}
        return {name: who for name, who in told.items() if who in (SHARED, CLAIM)}


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
        from ampcommit.amp.ampcli import find  # costs the others nothing

        sources.amp = find(git, place, environ)
    asked = _asked(text, environ, folder, place)
    gathered = Gathered(shelves(place, environ))
    return lineage(asked, sources, Ledger(place.ledger), gathered, down=down, around=around)


def _asked(text: str, environ: "Mapping[str, str]", folder: str, place: Place) -> ThreadId:
    if thread := ThreadId.maybe(text.removeprefix("@")):
        return thread
    if "://" in text:
        return named(text, read_settings(Git(folder, environ), environ, top=place.top).hosts)
    try:
        shown = known(text, environ, folder).threads
    except MisuseError as error:
        hint = "name a thread, T-…, its link, or a commit as git does"
        raise MisuseError(f"{text!a} is neither a thread nor a commit here", hint=hint) from error
    if shown:
        return shown[-1]
    raise MisuseError(f"no thread is known for the commit {text!a}", hint="`ampcommit show` says what is known of it")


def subjects(found: Lineage, environ: "Mapping[str, str]", folder: str = ".") -> dict[Sha, str]:
    """Return the subjects of the commits in the picture, as far as they are in this clone."""
    if not (commits := _commits_of(found)):
        return {}
    reader = _reader(Place.of_folder(Git(folder, environ)), environ)
    return {one.commit: one.subject for one in _read(reader, commits)}


def described(found: Lineage, environ: "Mapping[str, str]", folder: str = ".") -> dict[Sha, str]:
    """Add to the picture what the web has of its commits, and return their subjects."""
    if not (commits := _commits_of(found)):
        return {}
    git = Git(folder, environ)
    place = Place.of_folder(git)
    web, reader = web_of(git, place, environ), _reader(place, environ)
    here = {one.commit: one for one in _read(reader, commits, messages=web is not None)}
    if web:
        found.web = _pages(found, web, here, reader)
    return {commit: one.subject for commit, one in here.items()}


def add_web(found: Lineage, environ: "Mapping[str, str]", folder: str = ".") -> None:
    """Add to the picture what the web has of its commits; where git does not answer, nothing is known of that."""
    try:
        described(found, environ, folder)
    except SetupError:
        found.web = {}


def _commits_of(found: Lineage) -> list[Sha]:
    threads = found.threads.values()
    return [one for thread in threads for one in (*(thread.commits or ()), *thread.rewritten.values())]


def _reader(place: Place, environ: "Mapping[str, str]") -> Git:
    return Git(place.git_dir, clean(environ, place.git_dir))


def _read(reader: Git, commits: "Iterable[Sha]", *, messages: bool = False) -> "Iterator[Commit]":
    """Yield those of *commits* that are here, their *messages* only where these are wanted."""
    question = ["log", "--no-walk=unsorted", "--ignore-missing", "--no-show-signature", "--encoding=UTF-8", "--stdin"]
    form = f"--format=%H%x00%P%x00%s%x00{'%B' if messages else ''}"
    asked = "\n".join([*commits, ""]).encode("ascii")
    fields = reader(*question, "-z", form, stdin=asked, deadline=60).split(b"\0")
    for commit, parents, subject, message in zip(*[iter(fields)] * 4, strict=False):
        yield Commit(Sha(commit.decode("ascii")), parents, subject, message)


def _pages(found: Lineage, web: Web, here: "Mapping[Sha, Commit]", reader: Git) -> dict[ThreadId, Pages]:
    """Return the pages of each thread that has commits."""
    groups = {name: list(one.commits) for name, one in found.threads.items() if one.commits}
    requests = web.requests(here[one] for one in {one: 0 for its in groups.values() for one in its} if one in here)
    first = {one.commit: one.parents[0] if one.parents else None for one in here.values()}
    several = {name: its for name, its in groups.items() if len(its) > 1 and here.keys() >= set(its)}
    compares = {}
    for name, (oldest, newest) in spans(reader, several, first).items():
        if base := first[oldest]:
            compares[name] = web.forge.compare(base, newest)
    return {
        name: Pages(
            compares.get(name),
            {one: web.forge.commit(one) for one in its},
            {one: requests[one] for one in its if one in requests},
        )
        for name, its in groups.items()
    }


def lineage(
    asked: ThreadId,
    sources: Sources,
    ledger: Ledger | None,
    gathered: Gathered | None = None,
    *,
    down: bool = False,
    around: bool = False,
) -> Lineage:
    """Return the picture of *asked*: the way up, with *down* the way down, with *around* all that hangs on it."""
    found = Lineage(asked)
    sources.ledger = ledger
    gathered = gathered or Gathered()
    tellers = gathered.teach(sources, ledger) if ledger else {}
    up = walk(asked, sources.parents_of, LIMIT)
    recorded, teller = _recorded(asked, sources.lines_of(asked), gathered.lines_of(asked))
    # A record that leaves out what is known here is not the better one.
    if recorded and RANK.get(recorded.state, 0) > RANK[up.state] and set(up.threads) <= set(recorded.threads):
        up, found.recorded, found.teller = recorded, True, teller
    found.chain, found.status = up.threads, up.state
    shown = _shown(found, sources, down=down, around=around)
    found.threads = {thread: sources.threads[thread] for thread in shown}
    for thread, one in found.threads.items():
        if one.source == "ledger":
            one.source = tellers.get(thread, one.source)
    if ledger:
        _add_commits(found, _commits(ledger, found.threads, sources), gathered, became(ledger, gathered))
    found.warnings = [terminal(warning, 1000) for warning in [*sources.warnings, *gathered.passed_over()]]
    return found


def _add_commits(
    found: Lineage,
    own: "Mapping[ThreadId, Mapping[Sha, str]]",
    gathered: Gathered,
    ends: "Mapping[Sha, Sha]",
) -> None:
    """Add to each thread its commits: those of the ledger, then those that only notes tell of."""
    for name, one in found.threads.items():
        noted = gathered.commits_of(name)
        commits = {**own[name], **{commit: time for commit, (time, _) in noted.items() if commit not in own[name]}}
        found.known_by |= {commit: known_by for commit, (_, known_by) in noted.items() if commit not in found.known_by}
        found.known_by |= dict.fromkeys(own[name], OWN)
        one.rewritten = {commit: ends[commit] for commit in commits if commit in ends}
        one.commits = {commit: time for commit, time in commits.items() if commit not in one.rewritten}


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


def _recorded(asked: ThreadId, own: "Iterable[bytes]", noted: "Iterable[Line]") -> tuple[Chain | None, str]:
    """Return the best chain that a record tells of *asked*, and who tells: of equal ones the newest own one."""
    told = [(record, line.known_by) for line in noted for record in _records([line.whole])]
    told += [(record, OWN) for record in _records(own)]
    chains = [
        (Chain(list(dict.fromkeys(record.chain)), record.chain_state), who)
        for record, who in reversed(told)
        if record.thread == asked and record.chain[:1] == [asked]
    ]
    return max(chains, key=lambda one: RANK.get(one[0].state, 0), default=(None, OWN))


def _records(lines: "Iterable[bytes]") -> "Iterator[Record]":
    for line in lines:
        try:
            yield Record.from_bytes(line)
        except RecordError:
            continue  # another kind, or damaged: `ledger check` reports that


def _commits(ledger: Ledger, threads: "Iterable[ThreadId]", sources: Sources) -> dict[ThreadId, dict[Sha, str]]:
    """Return for each thread the commits that link it, as the ledger has them."""
    found: dict[ThreadId, dict[Sha, str]] = {thread: {} for thread in threads}
    if len(found) <= _FEW:
        for thread, commits in found.items():
            for record in _records(sources.lines_of(thread)):
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
