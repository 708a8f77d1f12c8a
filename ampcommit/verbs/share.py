"""`share`: what the ledger says of commits, published as git notes through a remote, and united with everybody's."""

import re
import time
from contextlib import nullcontext

from ampcommit.errors import MisuseError, RemoteError, SetupError
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger, digest
from ampcommit.notes.fetching import named, tracking
from ampcommit.notes.heads import contradicted, number_of
from ampcommit.notes.published import Published
from ampcommit.notes.remotes import TRIES, Remote, hidden, pause
from ampcommit.notes.shared import PATIENCE, REF, REMOTES, Notes, unite
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from ampcommit.settings import Settings

    Pairs = list[tuple[Sha, bytes]]

SECONDS = 120.0
"""How long a run may take with the remote."""

_RECORD = re.compile(rb'\{"v":\d+,"kind":"(?:commit|rewrite|carry|chain)"')
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

    __slots__ = ("notices", "remote", "shared", "unpublished")

    def __init__(self, remote: str, shared: int | None, unpublished: int, notices: "Iterable[str]" = ()) -> None:
        self.remote = remote
        self.shared = shared
        self.unpublished = unpublished
        self.notices = list(notices)


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
        own = Published(clone.ledger, commits)
        while not _shared_once(clone, own, there, done, until):
            if done.tries == TRIES or time.monotonic() >= until:
                hint = "the records are kept here; run `ampcommit share` again when it is quieter"
                raise RemoteError(f"others were faster {done.tries} times at {there.shown}", hint=hint)
            pause(done.tries, until)
    done.seconds = time.monotonic() - begun
    return done


def _shared_once(clone: "_Clone", own: Published, there: Remote, done: Shared, until: float) -> bool:
    """Fetch, unite and push; say whether that was all, or somebody else pushed in between."""
    done.tries += 1
    done.stage = "fetching"
    there.fetch(until)
    done.stage = "uniting"
    mine, theirs = Notes(clone.objects), Notes(clone.objects, there.ref)
    done.received += _records(theirs.beyond(mine)) if theirs.tip != mine.tip else 0
    additions = clone.additions(own, mine, theirs)
    if done.tries == 1:
        done.notices += [*own.notices(), *contradicted(clone.ledger, clone.place, own.heads)]
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
    own = Published(clone.ledger)
    new = own.beyond(mine, theirs)
    lines = [(commit, line) for commit, lines in mine.beyond(theirs) for line in lines]
    lines += new and [*new, (new[-1][0], own.head(number_of(clone.place)))]
    others = dict.fromkeys(one for notes in (mine, theirs) for one in notes.oversized if one not in own.oversized)
    clone.notices += own.notices() + [f"the note of {one} is too long to be looked at" for one in others]
    return Plan(hidden(clone.remote), sorted(set(lines)), clone.notices, signed=clone.signs)


def standings(environ: "Mapping[str, str]", folder: str = ".", *, remote: str = "") -> list[Standing]:
    """Return how the remotes stand whose notes were fetched, and the one that would be shared with; nobody is asked."""
    clone = _Clone(environ, folder, remote)
    listed = clone.objects("for-each-ref", "--format=%(refname)", REMOTES).decode("utf-8", "surrogateescape")
    refs = {tracking(clone.remote): clone.remote}
    if not remote:
        refs |= {ref: named(ref) for ref in listed.splitlines() if ref not in refs}
    own, mine = Published(clone.ledger), Notes(clone.objects)
    found: list[Standing] = []
    for ref, name in refs.items():
        theirs = Notes(clone.objects, ref)
        unpublished = len(own.beyond(mine, theirs)) + _records(mine.beyond(theirs))
        shared = _records(theirs.everything()) if theirs.tip else None
        found.append(Standing(hidden(name), shared, unpublished, own.notices()))
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


def _signs(settings: "Settings") -> bool:
    """Say whether lines are signed; who wanted something else than yes or no gets nothing published unsigned."""
    wanted = settings.clone["sign"]
    if isinstance(wanted, bool):
        return wanted
    raise SetupError("ampcommit.sign is neither true nor false", hint="git config ampcommit.sign true, or false")


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
        self.signs = _signs(settings)

    def additions(self, own: Published, mine: Notes, theirs: Notes) -> dict[Sha, set[bytes]]:
        """Return the lines that neither *mine* nor *theirs* have: records, a head, signatures."""
        signing = self.signs and own.signable
        new = own.beyond(mine, theirs)
        wanted = self._unsigned(own, mine, theirs) if signing else []
        if new or wanted:  # a ledger that has nothing new to say tells of no clone
            head = ((new or wanted)[-1][0], own.head(number_of(self.place)))
            new += [head, *(self._signatures([*wanted, head]) if signing else [])]
        found: dict[Sha, set[bytes]] = {}
        for commit, line in new:
            found.setdefault(commit, set()).add(line)
        return found

    def _unsigned(self, own: Published, *notes: Notes) -> "Pairs":
        """
        Return those lines of our ledger that our key has not signed: others do not speak for us.

        Nothing that only notes tell is among them: anybody could have us sign anything.
        """
        from ampcommit.notes.signing import own_key  # only who signs needs ssh-keygen
        from ampcommit.notes.sshsig import signed_with

        key = own_key(self.git, self._environ)
        ours, signed = {line for _, line in own.lines}, set[tuple[Sha, str]]()
        wanted = dict.fromkeys(own.lines)
        for one in notes:
            for commit, said in own.noted(one, own.lines):
                signed.update((commit, name) for name in signed_with(key, said))
                wanted.update(dict.fromkeys((commit, line) for line in said if line in ours))  # what `carry` copied
        return [(commit, line) for commit, line in own.writable(list(wanted)) if (commit, digest(line)) not in signed]

    def _signatures(self, wanted: "Pairs") -> "Pairs":
        """Return what signs the *wanted* lines, each of them signed once, in how many notes it may stand."""
        from ampcommit.notes.signing import sign

        lines = list(dict.fromkeys(line for _, line in wanted))
        made = dict(zip(lines, sign(lines, self.git, self._environ), strict=True))
        return [(commit, made[line]) for commit, line in wanted]


def _records(notes: "Iterable[tuple[Sha, list[bytes]]]") -> int:
    """Count the records in *notes*."""
    return sum(1 for _, lines in notes for line in lines if _RECORD.match(line))
