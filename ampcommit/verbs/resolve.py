"""
Chains that no hook could know: asked of Amp, now or in the background, and kept where hooks find them.

Standard library alone: the background run is started by a hook, isolated, without any installed package.
"""

import os
import signal
import time

from ampcommit.amp.ampcli import find
from ampcommit.amp.sources import Sources
from ampcommit.current import cleared
from ampcommit.detach import REQUESTS
from ampcommit.errors import AmpcommitError, LedgerError, RecordError, RemoteError, SetupError
from ampcommit.files import Lock, open_made, write_all
from ampcommit.gitcmd import Git
from ampcommit.ledger import Ledger
from ampcommit.link import named
from ampcommit.place import Place
from ampcommit.record import BY, Record, ThreadId, canonical, moment
from ampcommit.resolved import Resolved, resolutions
from ampcommit.settings import read_settings, shared_mode
from ampcommit.threads import RANK, Chain, furthest, walk
from ampcommit.verbs.chain import LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WAITS = (0.0, 20.0, 60.0, 180.0)
"""Seconds before each try in the background: clients of 2026 upload a new thread only after the turn."""

TIME_LIMIT = 600
"""Seconds after which a background run ends, whatever it is doing."""


class Outcome:
    """
    What became of one thread: its chain now, who told of it, and why it is not whole if it is not.

    `failed` says that asking failed: who was asked and does not tell has answered.
    """

    __slots__ = ("chain", "failed", "problem", "source", "thread")

    def __init__(self, thread: ThreadId, chain: Chain, source: str | None, failure: str | None = None) -> None:
        still_open = RANK[chain.state] < RANK["cycle"]
        self.thread = thread
        self.chain = chain
        self.source = source
        self.failed = bool(still_open and failure)
        self.problem = failure or "Amp does not tell what came before" if still_open else None

    def as_dict(self) -> dict[str, object]:
        """Return the fields as the JSON of `resolve` has them."""
        return {
            "thread": self.thread,
            "chain": self.chain.threads,
            "chain_state": self.chain.state,
            "source": self.source,
            "problem": self.problem,
        }


def pending(ledger: Ledger) -> list[ThreadId]:
    """Return the threads of records whose chain was not known to its end, newest first."""
    known, found = furthest(resolutions(ledger.find(b'"kind":"chain"'))), {}
    for line in [*ledger.find(b'"chain_state":"unknown"'), *ledger.find(b'"chain_state":"partial"')]:
        try:
            record = Record.from_bytes(line)
        except RecordError:
            continue  # another kind, or damaged: `ledger check` reports that
        if record.thread not in known or RANK.get(known[record.thread].state, 0) < RANK["cycle"]:
            found[record.thread] = record.time
    return sorted(found, key=lambda thread: found[thread], reverse=True)


def resolve(threads: "Iterable[ThreadId]", sources: Sources, ledger: Ledger) -> "Iterator[Outcome]":
    """Walk the chain of each thread, asking as *sources* may, and append what became known to *ledger*."""
    for thread in threads:
        said = len(sources.warnings)
        chain = walk(thread, sources.parents_of, LIMIT)
        source = sources.known_here(thread).source
        # Looked up now, and not once for all: another run may be at the same threads.
        said_before = furthest(resolutions(ledger.find(b'"kind":"chain"', canonical(thread))))
        known = said_before.get(thread, Chain([thread], "unknown"))
        if source and chain.says_more_than(known):
            ledger.append(_entry(thread, chain, source, sources))
        yield Outcome(thread, chain, source, "; ".join(sources.warnings[said:]) or sources.why_not)


def _entry(thread: ThreadId, chain: Chain, source: str, sources: Sources) -> Resolved:
    parents = {one: sources.known_here(one).parents for one in chain.threads}
    return Resolved(
        thread=thread,
        chain=chain.threads,
        chain_state=chain.state,
        parents={one: its for one, its in parents.items() if its is not None},
        source=source,
        time=moment(),
        by=BY,
    )


def in_front(texts: list[str], environ: "Mapping[str, str]", folder: str = ".") -> "Iterator[Outcome]":
    """Resolve the threads that *texts* name, or all that are pending, while somebody waits."""
    git = Git(folder, environ)
    place = Place.of_folder(git)
    hosts = read_settings(git, environ, top=place.top).hosts
    ledger = Ledger(place.ledger, shared_mode(git))
    sources = Sources(environ, keep=True)
    try:
        sources.amp = find(git, place, environ)
    except (SetupError, RemoteError) as error:
        sources.why_not = f"{error}; {error.hint}"  # what lies here can be learned all the same
    return resolve([named(text, hosts) for text in texts] or pending(ledger), sources, ledger)


def background(git_dir: str, top: str, environ: "Mapping[str, str]", waits: "Iterable[float]" = WAITS) -> None:
    """
    Resolve what hooks of this clone have asked for; one run at a time, and at most `TIME_LIMIT` seconds.

    A thread that Amp does not know yet is tried again after each of *waits*; then it is left to the next
    command, and hooks do not ask for it again for a day.
    """
    before = {number: signal.signal(number, _give_up) for number in (signal.SIGALRM, signal.SIGTERM)}
    signal.alarm(TIME_LIMIT)
    place, environ = Place(git_dir, top), cleared(environ)
    folder = os.path.join(place.state, REQUESTS)
    try:
        amp = find(Git(git_dir, environ), place, environ)
        with Lock(os.path.join(place.state, "resolve.lock"), patience=0, mode=place.mode()):
            left: list[ThreadId] = []
            for wait in waits:
                time.sleep(wait)
                if read_settings(Git(git_dir, environ), environ, top=top).clone["resolve"] != "background":
                    return  # somebody has ended it meanwhile
                left = _one_round(folder, Sources(environ, amp, keep=True), Ledger(place.ledger))
                if not left:
                    return
            for thread in left:
                _give_up_on(os.path.join(folder, thread))
    except (AmpcommitError, OSError):
        return  # another run is at it, or there is nobody to ask: nobody listens to this process
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _one_round(folder: str, sources: Sources, ledger: Ledger) -> list[ThreadId]:
    """Try every request once; return those that are left."""
    left = []
    for outcome in resolve(_requested(folder), sources, ledger):
        if RANK[outcome.chain.state] < RANK["cycle"]:
            left.append(outcome.thread)
        else:
            os.unlink(os.path.join(folder, outcome.thread))
    return left


def _give_up_on(path: str) -> None:
    """Leave a word in the request, so that hooks do not ask again for a day."""
    fd = open_made(path, os.O_WRONLY, 0o600)
    try:
        write_all(fd, b"given up\n")
    finally:
        os.close(fd)


def _requested(folder: str) -> list[ThreadId]:
    """Return the threads that hooks asked for; those given up hold a word."""
    names = sorted(os.listdir(folder))
    waiting = [name for name in names if not os.lstat(os.path.join(folder, name)).st_size]
    return [thread for thread in map(ThreadId.maybe, waiting) if thread]


def _give_up(*_: object) -> None:
    raise LedgerError("a background run was ended")  # amp, if it runs, is killed on the way out
