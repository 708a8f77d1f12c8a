"""What is known of one commit: its records, here and in notes, or at least what its own message says."""

import os
from itertools import count

from ampcommit.errors import GitError, MisuseError, RecordError, SetupError
from ampcommit.forge.requests import Commit, web_of
from ampcommit.gitcmd import Git, clean
from ampcommit.imported import claims
from ampcommit.ledger import Ledger
from ampcommit.link import named
from ampcommit.message import trailers
from ampcommit.notes.noted import OWN, Line, passed_over, shelves, trees
from ampcommit.notes.records import Records
from ampcommit.notes.shared import publishable
from ampcommit.notes.told import Kept, Step
from ampcommit.notes.traced import believed, best
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId, canonical, parsed
from ampcommit.resolved import resolutions
from ampcommit.rules import Case, unique
from ampcommit.settings import read_settings
from ampcommit.threads import Chain, Offline, by_now, furthest, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from ampcommit.forge.requests import Request
    from ampcommit.imported import Imported
    from ampcommit.notes.told import Found
    from ampcommit.notes.traced import Trace
    from ampcommit.resolved import Resolved

NEWEST = 10_000
"""Recorded commits among which `show` looks for the one that an unknown commit was made from."""


_FEW = 64  # so many searches of the ledger cost less than finding once where it names any commit
_IMPORT = b'"kind":"import"'


class Shown:
    """A commit with its threads (the last link last), its chain (nearest first) and the records behind both."""

    def __init__(self, commit: Sha, subject: str) -> None:
        self.commit = commit
        self.subject = subject
        self.threads: list[ThreadId] = []
        self.chain: list[ThreadId] = []
        self.chain_state = "unknown"
        self.source: str | None = None
        self.validated: bool | None = None
        self.known_by: str | None = None  # who tells the last thread: own, shared, claim, or the message alone
        self.remote: str | None = None  # that a claim was fetched from
        self.records: list[dict[str, Any]] = []  # as they stand in the ledger or a note, each with its `known_by`
        self.rewritten: list[Step] = []  # what led to it, nearest first
        self.claims: list[Imported] = []  # what was imported about it, and about what it was made from
        self.page: str | None = None  # on the web
        self.request: Request | None = None
        self.warnings: list[str] = []


def show(revision: str, environ: "Mapping[str, str]", folder: str = ".") -> Shown:
    """Return what is known of the commit that *revision* names, and where it is on the web."""
    git = Git(folder, environ)
    place = Place.of_folder(git)
    commit = _commit(git, place, revision, environ)
    shown = _known(commit, git, place, environ)
    if web := web_of(git, place, environ):
        shown.page = web.forge.commit(commit.commit)
        shown.request = web.requests([commit]).get(commit.commit)
    return shown


def known(revision: str, environ: "Mapping[str, str]", folder: str = ".") -> Shown:
    """Return what is known here of the commit that *revision* names."""
    git = Git(folder, environ)
    place = Place.of_folder(git)
    return _known(_commit(git, place, revision, environ), git, place, environ)


def _known(commit: Commit, git: Git, place: Place, environ: "Mapping[str, str]") -> Shown:
    shown = Shown(commit.commit, commit.subject)
    ledger, noted = Ledger(place.ledger), shelves(place, environ)
    kept = Kept(_searching(ledger), noted, trees(place, environ))
    kept.fetch([shown.commit])
    trace = believed(shown.commit, kept)
    shown.rewritten = trace.steps
    recorded = any(one.record.commit == shown.commit for one in trace.records)
    links = _links(commit.message, git, place, environ) if trace.disputed or not recorded else []
    if links:
        trace.prefer(links[-1])
    _take(shown, trace, ledger, environ)
    if not recorded:
        _said(shown, links, lambda last: _now(last, Chain([last], "unknown"), ledger, trace.chains, environ))
    if not shown.threads and (told := _resembling(shown.commit, ledger, place, environ)):
        trace = believed(told.old, kept)
        shown.rewritten = [told, *trace.steps, *shown.rewritten]
        _take(shown, trace, ledger, environ, told.source)
    shown.claims = _claimed(ledger, [shown.commit, *(told.old for told in shown.rewritten)])
    shown.warnings = passed_over(noted)
    return shown


def _searching(ledger: Ledger) -> "Callable[[Sha], Iterable[bytes]]":
    """Return what finds the lines about a commit in *ledger*; notes may name thousands of them."""
    records, asked = Records(ledger), count()
    return lambda one: ledger.find(canonical(one)) if next(asked) < _FEW else records.lines(one)


def _take(shown: Shown, trace: "Trace", ledger: Ledger, environ: "Mapping[str, str]", via: str | None = None) -> None:
    """Take over the records of the commit, and of those that were rewritten into it, if there are any."""
    told = (publishable(one.line.text) for one in trace.records if one.line.known_by == OWN)
    mine = {one[1] for one in told if one}  # what was shared of them says it once more
    if records := [one for one in trace.records if one.line.known_by == OWN or one.line.text not in mine]:
        shown.records = [parsed(one.line.text) | {"known_by": one.known_by} for one in records]
        _recorded(shown, records, via)
        now = _now(shown.threads[-1], Chain(shown.chain, shown.chain_state), ledger, trace.chains, environ)
        shown.chain, shown.chain_state = now.threads, now.state


def _claimed(ledger: Ledger, commits: list[Sha]) -> "list[Imported]":
    """Return what imports say of *commits*, each once, and of the first one last."""
    if ledger.whole().find(_IMPORT) < 0:
        return []
    found = {one.to_bytes(): one for commit in dict.fromkeys(reversed(commits)) for one in claims(ledger, commit)}
    return list(found.values())


def _resembling(commit: Sha, ledger: Ledger, place: Place, environ: "Mapping[str, str]") -> Step | None:
    """Return from which of the newest recorded commits this one was made, as `ledger rebuild` would write it down."""
    if not ledger.whole():
        return None
    from ampcommit.commits.attach import Recorded  # few commits need it
    from ampcommit.commits.history import opened

    try:
        with opened(place, environ) as history:
            match = Recorded(history.objects, ledger, NEWEST).found([commit]).matches.get(commit)
    except SetupError:  # objects of other commits are broken; this one is as unknown as before
        return None
    return Step(old=match.old, new=commit, command=None, source=match.source, line=Line(b"")) if match else None


def _commit(git: Git, place: Place, revision: str, environ: "Mapping[str, str]") -> Commit:
    try:
        named = git("rev-parse", "--verify", "--quiet", "--end-of-options", revision).decode("ascii").strip()
        commit = Sha(git("rev-parse", "--verify", "--quiet", f"{named}^{{commit}}").decode("ascii").strip())
    except (GitError, RecordError, ValueError) as error:
        raise MisuseError(
            f"there is no commit {revision!a} here", hint="name one as git does: HEAD~1, an id"
        ) from error
    reader = Git(folder=place.git_dir, environ=clean(environ, place.git_dir))
    question = ["log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%P%x00%s%x00%B%x00"]
    parents, subject, message, _ = reader(*question, commit, "--").split(b"\0", 3)
    return Commit(commit, parents, subject, message)


def _recorded(shown: Shown, records: "list[Found]", via: str | None) -> None:
    """
    Unite the records of the commit; of those with its last thread, the best informed says how that was found.

    Where git did not say itself that they are about this commit, that is how it was found. Only its own message
    can have been checked.
    """
    newest = records[-1].record
    shown.threads = unique([link for one in records for link in one.record.links])
    shown.chain, shown.chain_state = newest.chain, newest.chain_state
    found, teller = best(records)
    shown.source, shown.known_by = via or found, teller.known_by
    remotes = [line.remote for line in (teller.line, *(told.line for told in shown.rewritten)) if line.remote]
    shown.remote = next(iter(remotes), None)
    shown.validated = any(one.record.validated for one in records if one.record.commit == shown.commit)


def _now(
    thread: ThreadId, said: Chain, ledger: Ledger, shared: "list[Resolved]", environ: "Mapping[str, str]"
) -> Chain:
    """Return what is known by now of the chain of *thread*: as *said*, or as files, the ledger or notes tell since."""

    def later() -> "Iterator[Chain | None]":
        yield walk(thread, Offline(environ))
        yield furthest([*resolutions(ledger.find(b'"kind":"chain"', canonical(thread))), *shared]).get(thread)

    return by_now(said, later())


def _links(message: bytes, git: Git, place: Place, environ: "Mapping[str, str]") -> list[ThreadId]:
    """Return the links that git sees in the message."""
    settings = read_settings(git, environ, top=place.top)
    return list(Case(message, trailers(message, environ), settings).links)


def _said(shown: Shown, links: list[ThreadId], chain: "Callable[[ThreadId], Chain]") -> None:
    """Add the *links* of the message: a claim, where the commit itself has no record."""
    if links and shown.threads[-1:] != links[-1:]:
        now = chain(links[-1])
        shown.chain, shown.chain_state, shown.source = now.threads, now.state, "message"
        shown.known_by, shown.remote = "message", None
        shown.validated = False if shown.records else None
    shown.threads = unique([*shown.threads, *links])


def listed(commit: str, thread: str, environ: "Mapping[str, str]", folder: str = ".") -> "Iterator[bytes]":
    """
    Yield the lines of the ledger as they are: those of *commit*, those that name *thread*, or both.

    Among them is what was imported about them. An empty string asks for nothing in particular.
    """
    ledger = ledger_of(environ, folder)
    if not commit and not thread:
        yield from ledger.lines()
        return
    wanted = {
        "commit": _full(commit, environ, folder) if commit else "",
        "thread": _thread(thread, environ, folder) if thread else "",
    }
    for line in ledger.find(*[canonical(value) for value in wanted.values() if value]):
        try:
            fields = parsed(line)
        except RecordError:
            continue  # `ledger check` reports it
        named = [fields.get("thread")]
        for name in ("links", "chain"):
            named += fields[name] if isinstance(fields.get(name), list) else []
        if wanted["commit"] in ("", fields.get("commit"), fields.get("about")) and (
            not thread or wanted["thread"] in named
        ):
            yield line


def _full(commit: str, environ: "Mapping[str, str]", folder: str) -> str:
    """Return the full id of *commit*; one that git has forgotten is taken as it is if it is a full id."""
    if full := Sha.maybe(commit.lower()):
        return full
    git = Git(folder, environ)
    return _commit(git, Place.of_folder(git), commit, environ).commit


def _thread(text: str, environ: "Mapping[str, str]", folder: str) -> str:
    """Return the thread that *text* names: an id in any case, `@T-…`, or a link."""
    git = Git(folder, environ)
    return named(text, read_settings(git, environ, top=Place.of_folder(git).top).hosts)


def ledger_of(environ: "Mapping[str, str]", folder: str = ".") -> Ledger:
    """Return the ledger of the clone that *folder* belongs to."""
    return Ledger(os.path.realpath(Place.of_folder(Git(folder, environ)).ledger))
