"""`share`: what the ledger says of commits, published as git notes through a remote, and united with everybody's."""

import os
import re
import secrets
import time
from contextlib import nullcontext

from ampcommit.errors import MisuseError, RemoteError, SetupError
from ampcommit.files import Lock, entered, make_own_folder, read_regular, write_atomic
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger, digest
from ampcommit.notes.remotes import TRIES, Remote, hidden, pause, tracking
from ampcommit.notes.shared import PATIENCE, REF, REMOTES, Notes, publishable, unite
from ampcommit.place import Place
from ampcommit.record import BY, VERSION, Sha, ThreadId, canonical, moment
from ampcommit.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ampcommit.settings import Settings

    Pairs = list[tuple[Sha, bytes]]

SECONDS = 120.0
"""How long a run may take with the remote."""

_RECORD = re.compile(rb'\{"v":\d+,"kind":"(?:commit|rewrite|carry|chain)"')
_ABOUT = re.compile(rb'"(?:commit|new)":"([0-9a-f]+)"')
_LEARNED = re.compile(rb'\{"v":1,"kind":"chain","thread":"(T-[0-9a-f-]{36})"')
_LINKS = re.compile(rb'\{"v":1,"kind":"commit",.*?"links":\[([^\]]*)\]')
_THREAD = re.compile(rb"T-[0-9a-f-]{36}")
_YES = ("true", "yes", "on", "1")
_CLONE_LIMIT = 64
_CHOOSE = "name one: ampcommit share REMOTE, or git config ampcommit.shareRemote REMOTE"


class Shared:
    """
    What a run did with `remote`: records `published` and `received`, how often it had to unite them (`tries`).

    `stage` is what it does now.
    """

    __slots__ = ("notices", "published", "received", "remote", "seconds", "stage", "tries")

    def __init__(self, remote: str) -> None:
        self.remote = remote
        self.published = self.received = self.tries = 0
        self.seconds = 0.0
        self.stage = "reading the ledger"
        self.notices: list[str] = []


class Standing:
    """How many records *remote* has, and how many it lacks, as far as the last fetch tells: None without one."""

    __slots__ = ("remote", "shared", "unpublished")

    def __init__(self, remote: str, shared: int | None, unpublished: int) -> None:
        self.remote = remote
        self.shared = shared
        self.unpublished = unpublished


class Plan:
    """The lines that would go to `remote`, each with the commit in whose note; `signed`: signatures go with them."""

    __slots__ = ("lines", "notices", "remote", "signed")

    def __init__(self, remote: str, lines: "Pairs", notices: list[str], *, signed: bool) -> None:
        self.remote = remote
        self.lines = lines
        self.notices = notices
        self.signed = signed


def share(
    environ: "Mapping[str, str]",
    folder: str = ".",
    *,
    remote: str = "",
    commits: "Collection[Sha] | None" = None,
    seconds: float = SECONDS,
    watching: "Callable[[Shared], AbstractContextManager[object]]" = nullcontext,
) -> Shared:
    """
    Publish the records of this clone to *remote*, and bring those that it has.

    With *commits* only what was recorded of them is published, and not signed: so a hook asks. `RemoteError` where
    the remote cannot be reached in *seconds* or refuses; what was united until then is kept, and the next run goes on.
    """
    until = (begun := time.monotonic()) + seconds
    clone = _Clone(environ, folder, remote)
    there = Remote(clone.remote, clone.git, clone.objects, environ, folder)
    done = Shared(there.shown)
    done.notices += clone.notices
    with watching(done):
        own = _Own(clone.ledger, commits)
        while not _shared_once(clone, own, there, done, until):
            if done.tries == TRIES or time.monotonic() >= until:
                hint = "the records are kept here; run `ampcommit share` again when it is quieter"
                raise RemoteError(f"others were faster {done.tries} times at {there.shown}", hint=hint)
            pause(done.tries, until)
    done.seconds = time.monotonic() - begun
    return done


def _shared_once(clone: "_Clone", own: "_Own", there: Remote, done: Shared, until: float) -> bool:
    """Fetch, unite and push; say whether that was all, or somebody else pushed in between."""
    done.tries += 1
    done.stage = "fetching"
    there.fetch(until)
    done.stage = "uniting"
    mine, theirs = Notes(clone.objects), Notes(clone.objects, there.ref)
    done.received += _records(theirs.beyond(mine)) if theirs.tip != mine.tip else 0
    additions = clone.additions(own, mine, theirs)
    patience = max(1.0, min(PATIENCE, until - time.monotonic()))
    unite(clone.objects, clone.place, REF, additions, [theirs.tip] if theirs.tip else [], patience=patience)
    now = Notes(clone.objects)
    if now.tip is None or now.tip == theirs.tip:
        return True
    published = _records(now.beyond(theirs))
    done.stage = "pushing"
    if there.push(now.tip, until):
        return False
    done.published = published
    return True


def planned(environ: "Mapping[str, str]", folder: str = ".", *, remote: str = "") -> Plan:
    """Return what `share` would publish to *remote*, as far as the last fetch tells; nobody is asked."""
    clone = _Clone(environ, folder, remote)
    mine, theirs = Notes(clone.objects), Notes(clone.objects, tracking(clone.remote))
    own = _Own(clone.ledger)
    new = own.beyond(mine, theirs)
    lines = [(commit, line) for commit, lines in mine.beyond(theirs) for line in lines]
    lines += new and [*new, (new[-1][0], own.head(clone.id()))]
    for notes in (mine, theirs):
        clone.notices += [f"the note of {one} is too long to be looked at" for one in notes.oversized]
    return Plan(hidden(clone.remote), sorted(set(lines)), clone.notices, signed=clone.signs)


def standings(environ: "Mapping[str, str]", folder: str = ".", *, remote: str = "") -> list[Standing]:
    """Return how the remotes stand whose notes were fetched, and the one that would be shared with; nobody is asked."""
    clone = _Clone(environ, folder, remote)
    listed = clone.objects("for-each-ref", "--format=%(refname)", REMOTES).decode("utf-8", "surrogateescape")
    refs = {clone.remote: tracking(clone.remote)}
    if not remote:
        refs |= {ref[len(REMOTES) :]: ref for ref in listed.splitlines() if ref not in refs.values()}
    own, mine = _Own(clone.ledger), Notes(clone.objects)
    found = []
    for name, ref in refs.items():
        theirs = Notes(clone.objects, ref)
        unpublished = len(own.beyond(mine, theirs)) + _records(mine.beyond(theirs))
        shared = _records(theirs.everything()) if theirs.tip else None
        found.append(Standing(hidden(name), shared, unpublished))
    return found


def remote_of(git: Git, place: Place, settings: "Settings") -> str:
    """Return the remote for records: the one that is set, else `origin`, the upstream's, or the only one."""
    remote = str(settings.clone["shareRemote"])
    known = list(settings.remotes)
    if not remote and "origin" in known:
        remote = "origin"
    if not remote and (branch := place.branch()):
        asked = git("config", "--get", f"branch.{branch}.remote", ok=(0, 1))
        upstream = asked.decode("utf-8", "surrogateescape").removesuffix("\n")
        remote = upstream if upstream in known else ""
    if not remote and len(known) == 1:
        remote = known[0]
    if not remote:
        what = "it is not clear which of the remotes is for records" if known else "this clone has no remote"
        raise SetupError(what, hint=_CHOOSE)
    return remote


class _Clone:
    """The clone in which we share: where it is, how it is set up, and with which remote."""

    def __init__(self, environ: "Mapping[str, str]", folder: str, remote: str) -> None:
        if remote.startswith("-"):
            raise MisuseError(f"{hidden(remote)} is no remote", hint=_CHOOSE)
        self._environ = environ
        self.git = Git(folder, environ)
        self.place = Place.of_folder(self.git)
        self.objects = Git(self.place.git_dir, clean(environ, self.place.git_dir))
        settings = read_settings(self.git, environ, top=self.place.top)
        self.notices = list(settings.warnings)
        self.ledger = Ledger(self.place.ledger)
        self.remote = remote or remote_of(self.git, self.place, settings)
        self.signs = str(settings.clone["sign"]).lower() in _YES

    def additions(self, own: "_Own", mine: Notes, theirs: Notes) -> dict[Sha, set[bytes]]:
        """Return the lines that neither *mine* nor *theirs* have: records, a head, signatures."""
        new = own.beyond(mine, theirs)
        new += new and [(new[-1][0], own.head(self.id()))]  # a ledger that has nothing new to say tells of no clone
        found: dict[Sha, set[bytes]] = {}
        for commit, line in [*new, *(self._signatures(own, new, mine, theirs) if self.signs and own.signable else [])]:
            found.setdefault(commit, set()).add(line)
        return found

    def _signatures(self, own: "_Own", new: "Pairs", *notes: Notes) -> "Pairs":
        """Return what signs those of our lines that our key has not signed: others do not speak for us."""
        from ampcommit.notes.signing import own_key, sign  # only who signs needs ssh-keygen
        from ampcommit.notes.sshsig import signed_with

        key = own_key(self.git, self._environ)
        lines = dict.fromkeys([*own.lines, *new])
        signed: set[tuple[Sha, str]] = set()
        ours = b'"kind":"head","clone":"%b"' % self.id().encode("ascii")
        for one in notes:
            for commit, said in one.of(commit for commit, _ in own.lines).items():
                signed.update((commit, name) for name in signed_with(key, said))
                lines.update(dict.fromkeys((commit, line) for line in said if ours in line))
        wanted = [(commit, line) for commit, line in lines if (commit, digest(line)) not in signed]
        made = sign([line for _, line in wanted], self.git, self._environ)
        return [(commit, line) for (commit, _), line in zip(wanted, made, strict=True)]

    def id(self) -> str:
        """Return the number by which others know this clone, a random one."""
        path, mode = os.path.join(self.place.state, "clone"), self.place.mode()
        if not _number(path):
            make_own_folder(self.place.state, entered(mode))
            with Lock(f"{path}.lock", mode=mode):
                if not _number(path):  # nobody was faster
                    write_atomic(path, secrets.token_hex(16).encode("ascii") + b"\n", mode=mode)
        return _number(path)


def _number(path: str) -> str:
    """Return the number that stands in *path*, nothing if that is something else."""
    kept = (read_regular(path, _CLONE_LIMIT) or b"").decode("ascii", "replace").strip()
    return kept if re.fullmatch("[0-9a-f]{32}", kept) else ""


class _Own:
    """
    What of *ledger* is shared, in its order, each with the commit in whose note.

    Of *commits* only, if they are given; then without what was learned of threads, which takes a look at all lines.
    """

    def __init__(self, ledger: Ledger, commits: "Collection[Sha] | None" = None) -> None:
        self._count, self._last = 0, b""
        lines = self._counted(ledger)
        if commits is not None:
            wanted = {one.encode("ascii") for one in commits}
            lines = (line for line in lines if (found := _ABOUT.search(line)) and found[1] in wanted)
        self.lines = list(dict.fromkeys(_told(lines)))
        self.signable = commits is None and bool(self.lines)

    def beyond(self, *notes: Notes) -> "Pairs":
        """Return those lines that none of *notes* has."""
        left = self.lines
        for one in notes:
            said = one.of(commit for commit, _ in left) if left else {}
            known = {commit: set(lines) for commit, lines in said.items()}
            left = [(commit, line) for commit, line in left if line not in known.get(commit, ())]
        return left

    def head(self, clone: str) -> bytes:
        """Return the line that says how far the ledger of *clone* has come: how many lines, the digest of the last."""
        fields = {"v": VERSION, "kind": "head", "clone": clone, "count": self._count, "digest": digest(self._last)}
        return canonical(fields | {"time": moment(), "by": BY})

    def _counted(self, ledger: Ledger) -> "Iterator[bytes]":
        for self._count, self._last in enumerate(ledger.lines(), 1):
            yield self._last


def _told(lines: "Iterable[bytes]") -> "Iterator[tuple[Sha, bytes]]":
    """
    Yield what of the *lines* of a ledger is shared.

    What was learned of a thread goes to the newest commit of that thread at that time, or to the first one
    after it: there it stays, however many commits follow.
    """
    newest: dict[ThreadId, Sha] = {}
    early: dict[bytes, list[bytes]] = {}
    for line in lines:
        told = publishable(line, newest)
        if told is None:
            if found := _LEARNED.match(line):
                early.setdefault(found[1], []).append(line)
            continue
        yield told
        for thread in _THREAD.findall(found[1]) if (found := _LINKS.match(told[1])) else ():
            newest[ThreadId(thread.decode("ascii"))] = told[0]
            for one in early.pop(thread, ()):
                yield from filter(None, [publishable(one, newest)])


def _records(notes: "Iterable[tuple[Sha, list[bytes]]]") -> int:
    """Count the records in *notes*."""
    return sum(1 for _, lines in notes for line in lines if _RECORD.match(line))
