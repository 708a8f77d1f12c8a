"""`carry`: a commit that a forge made of a branch gets what is known of the branch's commits, in ledger and notes."""

from ampcommit.batch import PATIENCE
from ampcommit.carried import MOST, RANGE, Carry
from ampcommit.commits.attach import Recorded
from ampcommit.commits.history import History, Range, opened
from ampcommit.commits.squashed import Squashes
from ampcommit.commits.touched import present
from ampcommit.errors import MisuseError
from ampcommit.forge import ci
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.notes.copies import Copies, Sayings
from ampcommit.notes.shared import OVERSIZE, REF, Notes, unite
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.rules import Case
from ampcommit.settings import read_settings, shared_mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEARCHED = 1000
"""Commits that are looked at where nobody says how many: the newest ones."""

ROOM = OVERSIZE // 2
"""Bytes that a note has at most when copies were added: there is room left for signatures and for heads."""

_NAME_THEM = "name the commits of the branch and what was made of them: ampcommit carry main..topic HEAD"


class Transfer:
    """
    What `target` was made of: `commits`, oldest first, known by `source`, and what is said of them (`copies`).

    `refs` are those of the branch, where it was searched for. It is `rebased` where the target is one commit of the
    branch, on another base. Of the commits without a record, `linked` have links in their messages. It is `new` if
    the ledger or the notes lacked anything of it.
    """

    __slots__ = ("commits", "copies", "linked", "new", "rebased", "refs", "source", "target")

    def __init__(
        self,
        target: Sha,
        commits: "Sequence[Sha]",
        source: str,
        copies: Copies,
        *,
        linked: int,
        refs: "Sequence[str]" = (),
        rebased: bool = False,
    ) -> None:
        self.target = target
        self.commits = list(commits)
        self.source = source
        self.copies = copies
        self.linked = linked
        self.refs = list(refs)
        self.rebased = rebased
        self.new = False


class Outcome:
    """
    What a run did, or with `dry_run` would do.

    Of the `checked` commits the search left out those that were `known`, found nothing for those in `unknown`, and
    several branches, whose refs it names, for those in `ambiguous`. `claims` says that a fork's records were taken.
    """

    __slots__ = ("ambiguous", "carried", "checked", "claims", "dry_run", "known", "notices", "unknown")

    def __init__(self, *, dry_run: bool, claims: bool) -> None:
        self.dry_run = dry_run
        self.claims = claims
        self.carried: list[Transfer] = []
        self.checked = self.known = 0
        self.unknown: list[Sha] = []
        self.ambiguous: dict[Sha, list[str]] = {}
        self.notices: list[str] = []


def carry(
    asked: str,
    target: str,
    environ: "Mapping[str, str]",
    folder: str = ".",
    *,
    dry_run: bool = False,
    claims: bool = False,
) -> Outcome:
    """Say that the commit *target* was made of the commits of the range *asked*; with *claims* a fork's word counts."""
    place = Place.of_folder(Git(folder, environ))
    with opened(place, environ) as history:
        run = _Run(history, place, environ, folder, Outcome(dry_run=dry_run, claims=claims))
        run.take_range(asked, target)
        return run.finish()


def find(
    asked: str, environ: "Mapping[str, str]", folder: str = ".", *, dry_run: bool = False, claims: bool = False
) -> Outcome:
    """
    Search the branches that the commits of the range *asked* were made of.

    Empty: what a push brought, as the surroundings tell, or what HEAD has since the last commit that carries others.
    """
    place = Place.of_folder(Git(folder, environ))
    with opened(place, environ) as history:
        run = _Run(history, place, environ, folder, Outcome(dry_run=dry_run, claims=claims))
        run.search(run.named(asked) if asked else run.recent(ci.requested(environ)))
        return run.finish()


class _Run:
    """One run: what it takes is written at the end."""

    def __init__(
        self, history: History, place: Place, environ: "Mapping[str, str]", folder: str, outcome: Outcome
    ) -> None:
        git = Git(folder, environ)
        self._history = history
        self._place = place
        self._git = Git(place.git_dir, clean(environ, place.git_dir))
        self._settings = read_settings(git, environ, top=place.top)
        self._ledger = Ledger(place.ledger, shared_mode(git))
        self._sayings = Sayings(self._ledger, self._git)
        self._outcome = outcome
        outcome.notices += self._settings.warnings + self._settings.problems

    def named(self, asked: str) -> Range:
        """Return the range that a person named; of one commit alone what it adds to its parents."""
        range_ = self._history.named(asked)
        if not range_.alone:
            return range_
        ((told,),) = self._history.told(range_)
        return Range([*range_.tips, *[f"^{parent}" for parent in told[1].decode("ascii").split()]])

    def recent(self, request: "ci.Request | None") -> Range:
        """Return what a push to the receiving branch brought, else what HEAD has since a commit that carries others."""
        if request and request.own and request.head:
            base = self._history.commit(request.base) if request.base else None
            return self.named(f"{base}..{request.head}" if base else request.head)
        head = self._history.commit("HEAD")
        if head is None:
            raise MisuseError("there are no commits here", hint=_NAME_THEM)
        listed = self._git("rev-list", f"--max-count={SEARCHED + 1}", head).decode("ascii").split()
        carrying = self._sayings.carrying([Sha(one) for one in listed])
        last = next((one for one in listed if one in carrying), None)
        if last is None and len(listed) > SEARCHED:
            self._outcome.notices.append(f"only the newest {SEARCHED} commits were looked at; name a range for others")
            last = listed[-1]
        return Range([head, f"^{last}"] if last else [head], alone=False)

    def take_range(self, asked: str, target: str) -> None:
        """Take it over that *target* was made of the commits of the range *asked*."""
        self._history.refuse_ambiguous(target)
        new = self._history.commit(target)
        if new is None:
            raise MisuseError(f"there is no commit {target!a} here", hint=_NAME_THEM)
        linked = self._range(asked, new)
        self._outcome.checked = 1
        self._add(new, list(linked), RANGE, {one for one, links in linked.items() if links})

    def _range(self, asked: str, new: Sha) -> dict[Sha, bool]:
        """Return the commits of *asked* that are not behind *new*, oldest first, and whether their messages link."""
        base, _, head = (Sha.maybe(end) for end in asked.partition(".."))
        if base and head and not self._git.has_commit(head):
            self._refuse_older(new, [base, *(recorded := self._sayings.way(base, head))])
            return dict.fromkeys(recorded, False)
        range_ = self.named(asked)
        if len(range_.tips) != 1:
            raise MisuseError(f"{asked!a} names two branches", hint=_NAME_THEM)
        self._compare(range_)
        told = [one for piece in self._history.told(Range([*range_.revisions, f"^{new}"])) for one in piece][::-1]
        if not told:
            raise MisuseError(f"{asked!a} names no commits that {new} does not have behind it", hint=_NAME_THEM)
        self._refuse_older(new, range_.tips)
        if len(told) > MOST:
            raise MisuseError(f"{asked!a} names more than {MOST} commits", hint=_NAME_THEM)
        return {
            one.id: bool(Case(one.message, one.trailers, self._settings).links)
            for one in self._history.batch(told).commits
        }

    def _compare(self, range_: Range) -> None:
        """Refuse a base that has nothing to do with the branch: all of another history would be carried."""
        if range_.base is None or self._history.shallow:
            return
        if not self._git("merge-base", range_.base, range_.tips[0], ok=(0, 1), deadline=PATIENCE):
            raise MisuseError(f"{range_.base} and {range_.tips[0]} have no commit in common", hint=_NAME_THEM)

    def _refuse_older(self, new: Sha, ends: "Sequence[Sha]") -> None:
        """Refuse a target that is among *ends*, or behind one: a commit is not made of those that came after it."""
        target = Range([new], alone=True)
        here = present(self._history.objects, ends)
        if new in ends or any(self._history.parted(target, end)[1].tips for end in here):
            raise MisuseError(f"{new} came before commits that it would be made of", hint=_NAME_THEM)

    def search(self, range_: Range) -> None:
        """Search what each commit of *range_* was made of, unless that is known or the commit is a merge."""
        told = [one for piece in self._history.told(range_) for one in piece]
        single = [Sha(one[0].decode("ascii")) for one in told if one[1] and b" " not in one[1]][::-1]
        known = self._sayings.known(single)
        self._outcome.checked, self._outcome.known = len(single), len(known)
        silent = [one for one in single if one not in known]
        if not silent:
            return
        squashes = Squashes(self._history, self._git, self._settings, range_, self._done(range_))
        self._rebased([one for one in silent if not self._squashed(one, squashes)], squashes)

    def _done(self, range_: Range) -> set[Sha]:
        """Return the commits of which *range_*, or what is behind it, has another one already, as it is told."""
        made: dict[Sha, list[Sha]] = {}
        for new, old in self._sayings.origins():
            made.setdefault(new, []).append(old)
        here = Range(list(present(self._history.objects, list(made))), alone=True)
        waiting = [one for tip in range_.tips for one in self._history.parted(here, tip)[1].tips]
        done: set[Sha] = set()
        for one in waiting:  # it grows meanwhile
            olds = set(made.get(one, ())) - done
            waiting += olds
            done |= olds
        return done

    def _squashed(self, new: Sha, squashes: Squashes) -> bool:
        """Say whether branches fit *new*, and take it over where that is one."""
        fit = squashes.fit(new)
        if fit is None:
            return False
        if len(fit.branches) > 1:
            self._outcome.ambiguous[new] = [ref for branch in fit.branches for ref in branch.refs]
            return True
        (branch,) = fit.branches
        squashes.take(branch.commits)
        linked = {one for one in branch.commits if squashes.links(one)}
        self._add(new, branch.commits, fit.source, linked, refs=branch.refs)
        return True

    def _rebased(self, silent: list[Sha], squashes: Squashes) -> None:
        """Take over which of *silent* are recorded commits on another base, as `ledger rebuild` finds them."""
        also = self._sayings.recorded(squashes.commits) - set(silent)
        found = Recorded(self._history.objects, self._ledger).found(silent, also)
        for new in [one for one in silent if one in found.matches]:
            match = found.matches[new]
            self._add(new, [match.old], match.source, set(), rebased=True)
        self._outcome.unknown = [one for one in silent if one not in found.matches]

    def _add(
        self,
        new: Sha,
        commits: list[Sha],
        source: str,
        linked: set[Sha],
        *,
        refs: "Sequence[str]" = (),
        rebased: bool = False,
    ) -> None:
        copies = self._sayings.copies(commits, claims=self._outcome.claims)
        count = len(copies.unrecorded & linked)
        self._outcome.carried.append(Transfer(new, commits, source, copies, linked=count, refs=refs, rebased=rebased))

    def finish(self) -> Outcome:
        """Write what is lacking, to the notes and then to the ledger, and return what was done."""
        additions: dict[Sha, set[bytes]] = {}
        entries = []
        noted = (notes := Notes(self._git, REF)).of([one.target for one in self._outcome.carried])
        for one in self._outcome.carried:
            told = [carry for carry in self._sayings.carries(one.target) if set(carry.commits) == set(one.commits)]
            # In words of our own: those that somebody has shared may say anything of how it is known.
            carry = told[0] if told else Carry(new=one.target, commits=one.commits, source=one.source)
            lines = self._lines(one, carry.to_note(), noted.get(one.target, []))
            additions[one.target] = set() if one.target in notes.oversized else lines
            entries += [] if told else [carry]
            one.new = bool(additions[one.target]) or not told
        self._outcome.notices += [
            f"the note of {one} is too long to be read, and is left alone" for one in notes.oversized
        ]
        if any(additions.values()) and not self._outcome.dry_run:
            # In this order: a search that is begun again takes what the ledger tells for done.
            unite(self._git, self._place, REF, additions, message="Carry records to squashed commits")
        if entries and not self._outcome.dry_run:
            self._ledger.append(*entries)
        return self._outcome

    def _lines(self, one: Transfer, carry: bytes, note: "Sequence[bytes]") -> set[bytes]:
        """Return what the *note* lacks: the line *carry* and the copies, unless nobody could read so much."""
        lines = {carry, *one.copies.lines}
        if sum(len(line) + 1 for line in lines.union(note)) > ROOM:
            lines = {carry}
            self._outcome.notices.append(
                f"the note of {one.target} would be too long with copies of records: it has none"
            )
        return lines.difference(note)
