"""`ledger import`: what other ledgers and Agent Trace records say, kept as claims beside our own records."""

import os
from contextlib import ExitStack, contextmanager, nullcontext
from hashlib import blake2b
from itertools import islice

from ampcommit.commits.history import opened
from ampcommit.commits.touched import present, touched
from ampcommit.errors import LedgerError, MisuseError, RecordError
from ampcommit.files import Lock, make_own_folder
from ampcommit.gitcmd import Git, clean
from ampcommit.imported import TRACE, Imported, identity
from ampcommit.interchange import agent_trace
from ampcommit.interchange.agent_trace import Trace
from ampcommit.ledger import Ledger
from ampcommit.notes.records import Records
from ampcommit.place import Place
from ampcommit.record import Sha, parsed
from ampcommit.settings import read_settings, shared_mode
from ampcommit.verbs.export import LINES, unlinked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from ampcommit.commits.history import History

FORMS = (LINES, agent_trace.FORM)

LIMIT = 1 << 20
"""Bytes of a line above which it is not read."""

NAMED = 100
"""How many of the lines that cannot be used are named."""

_BUSY = "another import is at work; when it is done, run this again: what is known by then is not added twice"
_AT_ONCE = 1000
_KIND = 40  # bytes in which a line says its kind


class Imports:
    """
    What a run did, in numbers of lines, each of which counts once.

    Of those that were read, `added` are in the ledger now (with `dry_run` they would be), `known` ones were. Of an
    `unplaced` one nobody can tell which commit it is about, and `passed` ones say nothing that a ledger keeps.
    `bad` ones could not be understood; the first of them are named in `problems`. Of those that were added, `missing`
    ones are about commits that are not here.
    """

    __slots__ = (
        "added",
        "bad",
        "dry_run",
        "known",
        "ledger",
        "missing",
        "notices",
        "passed",
        "problems",
        "unplaced",
    )

    def __init__(self, ledger: str, *, dry_run: bool) -> None:
        self.ledger = ledger
        self.dry_run = dry_run
        self.added = self.known = self.passed = self.unplaced = self.bad = self.missing = 0
        self.problems: list[str] = []
        self.notices: list[str] = []

    @property
    def lines(self) -> int:
        """How many lines there were, but for empty ones."""
        return self.added + self.known + self.passed + self.unplaced + self.bad

    @property
    def in_vain(self) -> bool:
        """Say whether there was something to read, and none of it could be."""
        return bool(self.bad) and self.bad == self.lines

    def refuse(self, number: int, reason: object) -> None:
        """Count the line *number*, which cannot be used."""
        self.bad += 1
        if self.bad <= NAMED:
            self.problems.append(f"line {number}: {reason}")


def imports(
    source: "BinaryIO",
    name: str | None,
    form: str | None,
    environ: "Mapping[str, str]",
    folder: str = ".",
    *,
    dry_run: bool = False,
) -> Imports:
    """
    Take over what *source* says, a file called *name* (None: not a file), and what is not known yet.

    Without a *form* each line is taken for what it looks like.
    """
    if form not in (None, *FORMS):
        raise MisuseError(f"there is no format {form!a}", hint=f"the formats are {', '.join(FORMS)}")
    git = Git(folder, environ)
    place = Place.of_folder(git)
    settings = read_settings(git, environ, top=place.top)
    ledger = Ledger(place.ledger, shared_mode(git))
    done = Imports(ledger.path, dry_run=dry_run)
    done.notices += settings.warnings + settings.problems
    reader = _Reader(form, name, settings.hosts, done)
    with opened(place, environ) as history, nullcontext() if dry_run else _alone(ledger):
        run = _Run(history, Git(place.git_dir, clean(environ, place.git_dir)), ledger, done)
        said = reader.read(source)
        while some := list(islice(said, _AT_ONCE)):
            run.take(some)
    return done


@contextmanager
def _alone(ledger: Ledger) -> "Iterator[None]":
    """Keep two runs from writing the same lines; commits that are made meanwhile do not wait for it."""
    make_own_folder(os.path.dirname(ledger.path))
    with ExitStack() as held:
        try:
            held.enter_context(Lock(f"{ledger.path}.import"))
        except LedgerError as error:
            raise LedgerError(str(error), hint=_BUSY) from error
        yield


class _Reader:
    """Who makes sense of a file, line by line; what cannot be used is counted as *done*."""

    def __init__(self, form: str | None, origin: str | None, hosts: "tuple[str, ...]", done: Imports) -> None:
        self._form = form
        self._origin = origin
        self._hosts = hosts
        self._done = done

    def read(self, source: "BinaryIO") -> "Iterator[Imported | Trace]":
        """Yield what is said in *source* and can be of use."""
        for number, line in _lines(source):
            try:
                said = self._understood(line)
            except RecordError as error:
                self._done.refuse(number, error)
                continue
            if said is None or (isinstance(said, Trace) and not (said.links and said.revision)):
                self._done.passed += 1
            else:
                yield said

    def _understood(self, line: bytes | None) -> "Imported | Trace | None":
        if line is None:
            raise RecordError(f"it is longer than {LIMIT} bytes")
        fields = parsed(line)
        form = self._form or (LINES if "kind" in fields else agent_trace.FORM)
        if form == agent_trace.FORM:
            return Trace(fields, self._hosts, self._origin)
        return Imported.of_line(line, LINES, self._origin)


class _Run:
    """One run: what is new of what was said is appended."""

    def __init__(self, history: "History", git: Git, ledger: Ledger, done: Imports) -> None:
        self._history = history
        self._git = git
        self._ledger = ledger
        self._done = done
        self._own = Records(ledger)
        self._seen = set(_known(ledger))

    def take(self, said: "list[Imported | Trace]") -> None:
        """Append what is new of *said*."""
        entries = []
        children = self._children([one for one in said if isinstance(one, Trace) and one.before])
        for one in said:
            entry = self._placed(one, children) if isinstance(one, Trace) else one
            if entry is None:
                self._done.unplaced += 1
            elif (key := _digest(entry.key)) in self._seen or self._says_it(entry):
                self._done.known += 1
            else:
                self._seen.add(key)
                entries.append(entry)
        about = [entry.about for entry in entries if entry.about]
        here = present(self._history.objects, about)
        self._done.added += len(entries)
        self._done.missing += sum(commit not in here for commit in about)
        if entries and not self._done.dry_run:
            self._ledger.append(*entries, again=True)

    def _says_it(self, entry: Imported) -> bool:
        """Say whether records of our own name all threads that a trace names."""
        if entry.of != TRACE or entry.about is None:
            return False
        return {link for said in self._own.of(entry.about, every=True) for link in said.links}.issuperset(entry.links)

    def _placed(self, told: Trace, children: "dict[Sha, dict[Sha, set[str]]]") -> Imported | None:
        """Return *told* as a line about its commit; None where that cannot be told."""
        about = told.revision
        if told.before and about:
            fitting = [child for child, paths in children.get(about, {}).items() if paths & told.paths]
            about = fitting[0] if len(fitting) == 1 else None
        return told.imported(about) if about else None

    def _children(self, told: list[Trace]) -> "dict[Sha, dict[Sha, set[str]]]":
        """Return, for each commit that an edit was made upon, those made from it, with what they changed."""
        wanted = {one.revision for one in told if one.revision}
        made = {child: parent for child, parent in self._lineage() if parent in wanted} if wanted else {}
        found: dict[Sha, dict[Sha, set[str]]] = {}
        for child, paths in touched(self._history.objects, list(made)).items():
            found.setdefault(made[child], {})[child] = {os.fsdecode(path) for path in paths}
        return found

    def _lineage(self) -> "Iterator[tuple[Sha, Sha]]":
        """Yield each commit with its first parent."""
        rest = b""
        for piece in self._git.stream("-c", "core.commitGraph=false", "rev-list", "--parents", "--all"):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                names = line.decode("ascii").split(" ", 2)
                if len(names) > 1:
                    yield Sha(names[0]), Sha(names[1])


def _lines(source: "BinaryIO") -> "Iterator[tuple[int, bytes | None]]":
    """Yield each line that holds something, with its number; of one that is too long, nothing but that."""
    number = 0
    while line := source.readline(LIMIT + 2):
        number += 1
        long = len(line.rstrip(b"\r\n")) > LIMIT
        while not line.endswith(b"\n") and (line_goes_on := source.readline(LIMIT)):
            line, long = line_goes_on, True
        if long or line.strip():
            yield number, None if long else line


def _known(ledger: Ledger) -> "Iterator[bytes]":
    """Yield what the ledger says already, by its digest: our own lines, and what was imported."""
    for line in ledger.lines():
        if b'"kind":"import"' in line[:_KIND]:
            try:
                yield _digest(Imported.from_bytes(line).key)
            except RecordError:
                continue  # `ledger check` reports it
        elif alone := unlinked(line):
            yield _digest(identity(alone))


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()
