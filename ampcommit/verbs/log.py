"""What is known of many commits: for each its last thread, how long the chain is, how that is known, and who tells."""

from contextlib import contextmanager

from ampcommit.commits.history import opened
from ampcommit.commits.logged import Messages, Reader, gathered, named
from ampcommit.gitcmd import Git
from ampcommit.ledger import Ledger
from ampcommit.message import subject_and_body
from ampcommit.notes.noted import shelves, trees
from ampcommit.notes.records import Records
from ampcommit.notes.traced import Trace, best
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId
from ampcommit.resolved import resolutions
from ampcommit.rules import unique
from ampcommit.settings import read_settings
from ampcommit.threads import Chain, Offline, by_now, furthest, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ampcommit.commits.logged import Told
    from ampcommit.resolved import Resolved

_CHAIN = b'"kind":"chain"'


class Row:
    """One commit with its threads (the last link last), as `show` has them."""

    __slots__ = ("chain", "commit", "known_by", "remote", "source", "subject", "threads")

    def __init__(self, commit: Sha, subject: str) -> None:
        self.commit = commit
        self.subject = subject
        self.threads: list[ThreadId] = []
        self.chain = Chain([], "unknown")
        self.source: str | None = None
        self.known_by: str | None = None
        self.remote: str | None = None


class Log:
    """
    The commits that *asked* names, to be read once while the log is open.

    *notices* are sentences for people, complete when all commits were read.
    """

    def __init__(self, asked: str, rows: "Iterable[Row]", notices: list[str]) -> None:
        self.asked = asked
        self.rows = rows
        self.notices = notices


@contextmanager
def log(asked: str, environ: "Mapping[str, str]", folder: str = ".", *, most: int | None = None) -> "Iterator[Log]":
    """Tell of the commits that *asked* names as `git log` takes it (empty: of `HEAD`), at *most* so many."""
    git = Git(folder, environ)
    place = Place.of_folder(git)
    settings = read_settings(git, environ, top=place.top)
    ledger = Ledger(place.ledger)
    with opened(place, environ) as history:
        range_ = named(history, asked)
        notices = settings.warnings + settings.problems
        if history.shallow:
            notices.append("this clone is shallow: commits that it lacks are not listed")
        records = Records(ledger, shelves(place, environ), trees=trees(place, environ))
        run = _Run(records, Messages(history, settings), _Chains(ledger, environ))
        yield Log(asked or "HEAD", run.rows(Reader(place, environ, range_, most), notices), notices)


class _Chains:
    """What is known now of the threads behind a thread, looked up once for each."""

    def __init__(self, ledger: Ledger, environ: "Mapping[str, str]") -> None:
        self._offline = Offline(environ)
        self._ledger = ledger
        self._known: dict[ThreadId, Chain] = {}
        self._learned: dict[ThreadId, Chain] | None = None

    def now(self, thread: ThreadId, said: Chain, shared: "Iterable[Resolved]") -> Chain:
        """Return what is known by now of the chain of *thread*: as *said*, as files or the ledger tell, or *shared*."""

        def later() -> "Iterator[Chain | None]":
            yield self._here(thread)
            yield furthest(shared).get(thread)

        return by_now(said, later())

    def _here(self, thread: ThreadId) -> Chain:
        if thread not in self._known:
            chain = walk(thread, self._offline)
            learned = self._later().get(thread)
            self._known[thread] = learned if learned and learned.says_more_than(chain) else chain
        return self._known[thread]

    def _later(self) -> dict[ThreadId, Chain]:
        if self._learned is None:
            self._learned = furthest(resolutions(self._ledger.find(_CHAIN)))
        return self._learned


class _Run:
    """One run over many commits, which are asked about together."""

    def __init__(self, records: Records, messages: Messages, chains: _Chains) -> None:
        self._records = records
        self._messages = messages
        self._chains = chains

    def rows(self, told: "Iterable[list[Told]]", notices: list[str]) -> "Iterator[Row]":
        """Yield a row for each commit; at the end, note what could not be read for them."""
        for piece in gathered(told) if self._records.noted else told:
            links = self._messages.of(piece)
            if self._records.noted:
                self._records.fetch(Sha(one[0].decode("ascii")) for one in piece)
            for commit, *_, text in piece:
                yield self._row(Sha(commit.decode("ascii")), text, links.get(commit, ()))
        notices += self._records.passed_over()

    def _row(self, commit: Sha, text: bytes, links: "Sequence[ThreadId]") -> Row:
        row = Row(commit, subject_and_body(text)[0])
        trace = self._records.trace(commit) if self._records.present else Trace(commit)
        if links:
            trace.prefer(links[-1])
        if trace.records:
            self._recorded(row, trace)
        if links and not any(one.record.commit == commit for one in trace.records):
            if row.threads[-1:] != list(links[-1:]):
                row.chain = self._chains.now(links[-1], Chain([links[-1]], "unknown"), trace.chains)
                row.source, row.known_by, row.remote = "message", "message", None
            row.threads = unique([*row.threads, *links])
        return row

    def _recorded(self, row: Row, trace: "Trace") -> None:
        """Take over what records tell, and what became known of the chain since."""
        newest = trace.records[-1].record
        row.threads = unique([link for one in trace.records for link in one.record.links])
        row.source, teller = best(trace.records)
        row.known_by = teller.known_by
        lines = (teller.line, *(step.line for step in trace.steps))
        row.remote = next((line.remote for line in lines if line.remote), None)
        row.chain = self._chains.now(newest.thread, Chain(newest.chain, newest.chain_state), trace.chains)
