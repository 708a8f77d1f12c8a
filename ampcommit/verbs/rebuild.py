"""`ledger rebuild`: what the ledger lacks of the commits that are here is put together from the commits themselves."""

import os
import re
from contextlib import nullcontext

from ampcommit.batch import LACKING
from ampcommit.commits.attach import PATCH, TREE, Recorded
from ampcommit.commits.changes import heads
from ampcommit.commits.history import History, Range, opened
from ampcommit.errors import GitError, SetupError
from ampcommit.files import Lock, make_own_folder
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.link import KEY
from ampcommit.notes.records import Records
from ampcommit.place import Place
from ampcommit.record import BY, Record, Sha, ThreadId, moment
from ampcommit.rewritten import Rewrite
from ampcommit.rules import Case
from ampcommit.settings import Settings, read_settings, repository, shared_mode
from ampcommit.threads import Chain, Offline, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ampcommit.batch import Told

_AT_ONCE = 1000
"""Lines that are written under one lock: a commit that is made meanwhile waits for it."""

_MENTION = KEY.lower().encode()
_SCHEME = b"https://"
_ABOUT = re.compile(rb'"(?:commit|new)":"([0-9a-f]+)"')


class Rebuilt:
    """
    What a run did, in numbers of commits, each of which counts once.

    Of the `checked` ones, something was `known`; `recorded` have links of their own; `by_tree` and `by_patch` were
    attached to a recorded commit. `ambiguous` ones could be attached to several; of `unread` ones the objects that
    would tell are not here; `unknown` is the rest. With `dry_run` nothing was written.
    """

    __slots__ = (
        "ambiguous",
        "by_patch",
        "by_tree",
        "checked",
        "dry_run",
        "known",
        "ledger",
        "notices",
        "recorded",
        "unknown",
        "unread",
    )

    def __init__(self, ledger: str, *, dry_run: bool) -> None:
        self.ledger = ledger
        self.dry_run = dry_run
        self.checked = self.known = self.recorded = self.by_tree = self.by_patch = 0
        self.ambiguous = self.unread = self.unknown = 0
        self.notices: list[str] = []

    @property
    def added(self) -> int:
        """How many lines the ledger lacked."""
        return self.recorded + self.by_tree + self.by_patch


def rebuild(asked: str, environ: "Mapping[str, str]", folder: str = ".", *, dry_run: bool = False) -> Rebuilt:
    """
    Record what is missing of the commits that *asked* names, as git does; empty: all of `HEAD` and the local branches.

    Lines that are there stay as they are, and a second run adds none. With *dry_run* nothing is written.
    """
    git = Git(folder, environ)
    place = Place.of_folder(git)
    settings = read_settings(git, environ, top=place.top)
    ledger = Ledger(place.ledger, shared_mode(git))
    done = Rebuilt(ledger.path, dry_run=dry_run)
    done.notices += settings.warnings + settings.problems
    with opened(place, environ) as history:
        commits = _commits(history, Git(place.git_dir, clean(environ, place.git_dir)), asked)
        done.checked = len(commits)
        with nullcontext() if dry_run or not commits else _alone(ledger):
            run = _Run(history, ledger, settings, Offline(environ), done)
            run.attach(run.record(commits))
    done.known = done.checked - done.added - done.ambiguous - done.unread - done.unknown
    return done


def _alone(ledger: Ledger) -> Lock:
    """Return what keeps two runs from writing the same lines; commits that are made meanwhile do not wait for it."""
    make_own_folder(os.path.dirname(ledger.path))
    return Lock(f"{ledger.path}.rebuild")


def _commits(history: History, git: Git, asked: str) -> list[str]:
    """Return the ids of the commits that are *asked* for, oldest first, as far back as a shallow clone goes."""
    head = history.commit("HEAD")
    range_ = history.named(asked) if asked else Range([*filter(None, [head]), *history.under("refs/heads/")])
    if range_.alone:
        return range_.revisions
    question = "\n".join([*range_.revisions, ""]).encode("ascii")
    try:
        # What a commit-graph says of parents is not asked.
        listed = git.stream("-c", "core.commitGraph=false", "rev-list", "--reverse", "--stdin", stdin=question)
        return b"".join(listed).decode("ascii").split()
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error


class _Run:
    """One run over many commits: first those that speak for themselves, then those that resemble a recorded one."""

    def __init__(self, history: History, ledger: Ledger, settings: Settings, offline: Offline, done: Rebuilt) -> None:
        self._history = history
        self._ledger = ledger
        self._settings = settings
        self._repo = repository(settings.remotes)
        self._offline = offline
        self._chains: dict[ThreadId, Chain] = {}
        self._recorded = Recorded(history.objects, ledger)
        self._new: set[Sha] = set()
        self._seen = len(ledger.whole())
        self._told: set[str] = set()  # of which somebody wrote since
        self._done = done

    def record(self, commits: "Sequence[str]") -> list[Sha]:
        """Record those of *commits* that have links of their own and no record; return those that have neither."""
        recorded = self._recorded.among({one.encode("ascii") for one in commits})
        missing = [one for one in commits if one.encode("ascii") not in recorded]
        silent = []
        for piece in self._history.told(Range(missing, alone=True)):
            linked = self._linked(piece)
            added = self._append(list(self._records(piece, linked)))
            self._done.recorded += len(added)
            self._new.update(added)
            silent += [Sha(one[0].decode("ascii")) for one in piece if one[0] not in linked]
        return silent

    def attach(self, commits: list[Sha]) -> None:
        """Attach those of *commits* of which nothing is known to the recorded ones that they were made from."""
        records = Records(self._ledger)
        silent = [one for one in commits if not self._known(one, records)]
        found = self._recorded.found(silent, self._new)
        added = self._append([match.rewrite(new) for new, match in found.matches.items()])
        sources = [found.matches[new].source for new in added]
        done = self._done
        done.by_tree, done.by_patch = sources.count(TREE), sources.count(PATCH)
        done.ambiguous, done.unread = len(found.ambiguous), len(found.unread)
        done.unknown = len(silent) - len(found.matches) - done.ambiguous - done.unread

    def _known(self, commit: Sha, records: Records) -> bool:
        """Say whether a commit that became this one has a record, as far as the ledger tells."""
        before = self._recorded.origins.before(commit.encode("ascii"))
        return bool(before) and (bool(records.of(commit)) or any(one.decode("ascii") in self._new for one in before))

    def _linked(self, told: "list[Told]") -> dict[bytes, list[ThreadId]]:
        """Return the accepted links of each commit that has any, as `show` sees them."""
        anywhere = self._settings["linkIn"] == "message"
        lower = ((one, one[2].lower()) for one in told)
        maybe = [one for one, text in lower if _MENTION in text or (anywhere and _SCHEME in text)]
        batch = self._history.batch(maybe)
        links = {one.name: Case(one.message, one.trailers, self._settings).links for one in batch.commits}
        return {commit: found for commit, found in links.items() if found}

    def _records(self, told: "list[Told]", linked: dict[bytes, list[ThreadId]]) -> "Iterator[Record]":
        """Yield the records of those commits that have links."""
        trees = {head.commit: head.tree for head in heads(self._history.objects, linked) if head}
        now = moment()
        for commit, parents, _ in told:
            if links := linked.get(commit):
                chain = self._chain(links[-1])
                yield Record(
                    commit=Sha(commit.decode("ascii")),
                    tree=Sha(trees[commit].decode("ascii")),
                    parents=[Sha(parent) for parent in parents.decode("ascii").split()],
                    links=links,
                    chain=chain.threads,
                    chain_state=chain.state,
                    source="rebuilt",
                    validated=False,
                    branch=None,
                    repo=self._repo,
                    time=now,
                    by=BY,
                )

    def _chain(self, thread: ThreadId) -> Chain:
        if thread not in self._chains:
            self._chains[thread] = walk(thread, self._offline)
        return self._chains[thread]

    def _append(self, entries: "Sequence[Record | Rewrite]") -> list[Sha]:
        """Write *entries*, except about commits of which somebody else wrote meanwhile; return which ones are left."""
        added: list[Sha] = []
        for start in range(0, len(entries), _AT_ONCE):
            text = self._ledger.whole()
            self._told.update(one[1].decode("ascii") for one in _ABOUT.finditer(text, self._seen))
            self._seen = len(text)
            lines = {one: line for line in entries[start : start + _AT_ONCE] if (one := _about(line)) not in self._told}
            if lines and not self._done.dry_run:
                self._ledger.append(*lines.values(), again=True)
            added += lines
        return added


def _about(line: Record | Rewrite) -> Sha:
    return line.commit if isinstance(line, Record) else line.new
