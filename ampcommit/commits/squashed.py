"""
Which branch a commit was made of, as a forge makes it: many commits become one, with a message and a date of its own.

Told by what both have in common. A gap is better than a wrong attribution: where two branches fit equally, none does.
"""

import re
from collections import Counter
from functools import cached_property

from ampcommit.batch import PATIENCE, Batch
from ampcommit.carried import MESSAGE, MOST, PATCH, REF, TREE
from ampcommit.commits.changes import heads
from ampcommit.commits.history import Range
from ampcommit.errors import GitError
from ampcommit.link import KEY, parse
from ampcommit.record import Sha, ThreadId
from ampcommit.rules import Case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ampcommit.batch import Commit
    from ampcommit.commits.history import History
    from ampcommit.gitcmd import Git
    from ampcommit.settings import Settings

    Request = tuple[str, int]

PLACES = ("refs/heads", "refs/remotes", "refs/pull", "refs/merge-requests")
"""Where branches are."""

_REQUEST = re.compile(r"refs/(?:remotes/[^/]+/)?(pull|pr|merge-requests)/([1-9][0-9]{0,8})(?:/head)?")
_MERGED = re.compile(r"refs/(?:remotes/)?(?:[^/]+/)?(?:pull|merge-requests)/[0-9]+/(?:merge|train)")
_IN_SUBJECT = re.compile(rb"\(([#!])([1-9][0-9]{0,8})\)\s*$")
_SEE = re.compile(rb"^See merge request \S*!([1-9][0-9]{0,8})\s*$", re.MULTILINE)
_LINKED = re.compile(rb"^[ \t]*%b[ \t]*:[ \t]*(\S+)[ \t]*$" % KEY.encode(), re.MULTILINE | re.IGNORECASE)
_DIFF = ("diff-tree", "-r", "-p", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
_RAW = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff")
_BINARY = re.compile(rb"^index (\S+)[^\n]*\nBinary files ", re.MULTILINE)


class Branch:
    """
    A branch as one commit may have been made of it: its `tip`, the `refs` there, its `commits`, oldest first.

    `base` is the commit that it started from, as far as that is one; `named` says that the message names its request.
    """

    __slots__ = ("base", "commits", "named", "refs", "tip")

    def __init__(self, tip: Sha, refs: list[str], commits: list[Sha], base: Sha | None, *, named: bool) -> None:
        self.tip = tip
        self.refs = refs
        self.commits = commits
        self.base = base
        self.named = named


class _Growth:
    """The commits that a branch has on its own, those here that it grew from (`met`), and the paths that it changes."""

    __slots__ = ("met", "own", "paths")

    def __init__(self, own: set[Sha], met: set[Sha], paths: set[str]) -> None:
        self.own = own
        self.met = met
        self.paths = paths


class Fit:
    """The branches that fit a commit, and how that is known (`source`): more than one is none."""

    __slots__ = ("branches", "source")

    def __init__(self, source: str, branches: list[Branch]) -> None:
        self.source = source
        self.branches = branches


class Squashes:
    """
    What of a clone could be made into one commit: the branches that are here, behind a *range_* of commits.

    *refs* is a git that sees the clone's refs. *carried* are commits that were made into another one already.
    """

    def __init__(
        self, history: "History", refs: "Git", settings: "Settings", range_: Range, carried: "Iterable[Sha]" = ()
    ) -> None:
        self._git = history.objects
        self._refs = refs
        self._settings = settings
        self._carried = set(carried)
        self._tips = _tips(refs)
        self._numbers = {tip: _numbers(refs) for tip, refs in self._tips.items()}
        self._grown: dict[Sha, _Growth] = {}
        before = [one for one in range_.revisions if one.startswith("^")]
        told = [one for piece in history.told(Range([*range_.tips, *self._tips, *before])) for one in piece]
        self._graph = {_sha(commit): [_sha(one) for one in parents.split()] for commit, parents, _ in told}
        self._range = {one for tip in range_.tips if tip in self._graph for one in self._reach(tip, set())}
        self._batch = Batch(history.objects, told)

    def take(self, commits: "Iterable[Sha]") -> None:
        """Take it over that *commits* were made into another one."""
        self._carried.update(commits)

    def fit(self, new: Sha) -> Fit | None:
        """Return the branches from which *new*, a commit of the range with one parent, was made, if any."""
        branches = list(self._branches(new))
        named = [branch for branch in branches if branch.named]
        ways = (
            (MESSAGE, named, self._by_message),
            (TREE, branches, self._by_tree),
            (PATCH, branches, self._by_patch),
            (REF, named, self._by_ref),
        )
        for source, among, fits in ways:
            found = [branch for branch in among if fits(new, branch)]
            # A branch that the message names fits better than another one.
            found = [branch for branch in found if branch.named] or found
            if found:
                return Fit(source, found)
        return None

    @property
    def commits(self) -> list[Sha]:
        """All commits of branches and range, newest first."""
        return list(self._graph)

    def links(self, commit: Sha) -> "list[ThreadId]":
        """Return the accepted links in the message of *commit*."""
        one = self._commits[commit]
        return Case(one.message, one.trailers, self._settings).links

    def _named(self, *commits: Sha) -> "set[ThreadId]":
        """Return every thread that messages link to, wherever: a forge puts many messages into one."""
        texts = [self._commits[commit].message for commit in commits]
        values = [value.decode("utf-8", "replace") for text in texts for value in _LINKED.findall(text)]
        found = {link for value in values if isinstance(link := parse(value, self._settings.hosts), ThreadId)}
        return found.union(*map(self.links, commits))

    def _by_message(self, new: Sha, branch: Branch) -> bool:
        links = self._named(new)
        return bool(links) and links == self._named(*branch.commits)

    def _by_tree(self, new: Sha, branch: Branch) -> bool:
        before, tree = self._tree(self._graph[new][0]), self._tree(new)
        # On another base the commit would have another change than the branch, as the last one of a rebase has.
        based = branch.base is not None and self._tree(branch.base) == before != tree
        return based and tree == self._tree(branch.tip)

    def _by_patch(self, new: Sha, branch: Branch) -> bool:
        base, paths = branch.base, self._commits[new].paths()
        if base is None or not paths or not self._paths(branch.commits).issuperset(paths):
            return False
        patch = self._patch(self._graph[new][0], new)
        return patch is not None and patch == self._patch(base, branch.tip)

    def _by_ref(self, new: Sha, branch: Branch) -> bool:
        if branch.base is None or not self._named(*branch.commits) >= self._named(new):
            return False
        mine, theirs = self._changed(self._graph[new][0], new), self._changed(branch.base, branch.tip)
        unlike = [path for path in theirs if mine.get(path) != theirs[path]]
        # Only what others had changed meanwhile can have been in conflict.
        there = mine.keys() == theirs.keys() and all(mine[path][0] != theirs[path][0] for path in unlike)
        return there and len(unlike) < len(theirs)

    def _paths(self, commits: "Iterable[Sha]") -> set[str]:
        return {path for one in commits for path in self._commits[one].paths()}

    def _branches(self, new: Sha) -> "Iterator[Branch]":
        """Yield the branches that may fit *new*, without what is behind it, or became another commit before."""
        behind, requests = self._reach(new, set()), self._requests(new)
        paths = self._commits[new].paths()
        for tip, refs in self._tips.items():
            # A branch is older than what is made of it, and does not have it.
            if tip in behind or tip not in self._graph or self._heads[tip][1] > self._heads[new][1]:
                continue
            growth, named = self._growth(tip, behind), not requests.isdisjoint(self._numbers[tip])
            alike = named or self._tree(tip) == self._tree(new) or growth.paths.issuperset(paths)
            if new in growth.met or not alike:
                continue
            own = growth.own - self._carried
            if tip in own and len(own) <= MOST:
                yield Branch(tip, refs, self._sorted(tip, own), self._base(own, new, tip), named=named)

    def _growth(self, tip: Sha, behind: set[Sha]) -> _Growth:
        """Return what the branch at *tip* has that is not *behind* a commit of the range."""
        if tip not in self._grown:
            self._grown[tip] = self._grow(tip, self._range)
        known = self._grown[tip]
        # For nearly all it is the same whichever commit of the range is asked about.
        return known if behind.issuperset(known.met) else self._grow(tip, behind)

    def _grow(self, tip: Sha, without: set[Sha]) -> _Growth:
        own = self._reach(tip, without)
        met = {parent for one in own for parent in self._graph[one] if parent in self._graph} - own
        return _Growth(own, met, self._paths(own))

    def _sorted(self, tip: Sha, own: set[Sha]) -> list[Sha]:
        """Return the commits of a branch, oldest first."""
        children = Counter(parent for one in own for parent in self._graph[one])
        found = [tip]
        for one in found:  # it grows meanwhile
            for parent in self._graph[one]:
                children[parent] -= 1
                if parent in own and not children[parent]:
                    found.append(parent)
        return found[::-1]

    def _reach(self, start: Sha, without: set[Sha]) -> set[Sha]:
        """Return *start* and the commits before it, as far as they are read, but for those in *without* and before."""
        seen, waiting = {start}, [start]
        for one in waiting:  # it grows meanwhile
            for parent in self._graph[one]:
                if parent in self._graph and parent not in seen and parent not in without:
                    seen.add(parent)
                    waiting.append(parent)
        return seen

    def _base(self, own: set[Sha], new: Sha, tip: Sha) -> Sha | None:
        """Return the commit that the branch with its *own* commits started from; git's choice where there are more."""
        outside = {parent for commit in own for parent in self._graph[commit]} - own
        if len(outside) == 1:
            return outside.pop()
        met = self._refs("merge-base", self._graph[new][0], tip, ok=(0, 1), deadline=PATIENCE).decode("ascii")
        return Sha.maybe(met.strip())

    def _requests(self, new: Sha) -> "set[Request]":
        """Return the requests that the message of *new* names, or that of the merge which brought it."""
        found: set[Request] = set()
        for commit in (new, *self._merges.get(new, ())):
            text = self._commits[commit].message
            if commit == new and (subject := _IN_SUBJECT.search(text.partition(b"\n")[0])):
                found.add(("pull" if subject[1] == b"#" else "merge-requests", int(subject[2])))
            seen = {int(number) for number in _SEE.findall(text)}
            found |= {("merge-requests", number) for number in seen if len(seen) == 1}
        return found

    @cached_property
    def _merges(self) -> dict[Sha, list[Sha]]:
        """The merges that brought a commit to where it is, by that commit."""
        found: dict[Sha, list[Sha]] = {}
        for commit, parents in self._graph.items():
            for parent in parents[1:]:
                found.setdefault(parent, []).append(commit)
        return found

    @cached_property
    def _commits(self) -> "dict[Sha, Commit]":
        return {one.id: one for one in self._batch.commits}

    @cached_property
    def _heads(self) -> dict[Sha, tuple[bytes, int]]:
        """Tree and committer's time of each commit here, and of its parents."""
        every = dict.fromkeys(one for commit, parents in self._graph.items() for one in (commit, *parents))
        found = heads(self._git, [one.encode("ascii") for one in every])
        return {_sha(head.commit): (head.tree, head.made) for head in found if head}

    def _tree(self, commit: Sha) -> bytes:
        return self._heads[commit][0] if commit in self._heads else b""

    def _changed(self, base: Sha, tip: Sha) -> "dict[bytes, tuple[bytes, bytes]]":
        """Return what stood at each path that changed from *base* to *tip*, before and afterwards."""
        words = self._git(*_RAW, base, tip, deadline=PATIENCE).split(b"\0")
        told = zip(words[1::2], (word[1:].split() for word in words[::2]), strict=False)
        return {path: (b"%b %b" % (mode, old), b"%b %b" % (now, new)) for path, (mode, now, old, new, _) in told}

    def _patch(self, base: Sha, tip: Sha) -> bytes | None:
        """Return what `git patch-id --stable` says of what changed from *base* to *tip*; None where that is unknown."""
        try:
            diff = self._git(*_DIFF, base, tip, deadline=PATIENCE)
            ids = self._git("patch-id", "--stable", stdin=diff, deadline=PATIENCE).split()
        except GitError:
            return None  # files are not here, or it is too long to be compared
        # git passes over what stands behind a NUL and, before 2.39, over what is in files that are no text.
        return b" ".join([ids[0], *_BINARY.findall(diff)]) if ids and b"\0" not in diff else None


def _tips(git: "Git") -> dict[Sha, list[str]]:
    """Return the refs of each commit that ends a branch, without the merges that a forge makes to try a request."""
    tips: dict[Sha, list[str]] = {}
    question = ("for-each-ref", "--format=%(objectname) %(objecttype) %(refname)", *PLACES)
    for line in git(*question, deadline=PATIENCE).decode("utf-8", "backslashreplace").splitlines():
        commit, kind, ref = line.split(" ", 2)
        if kind == "commit" and not _MERGED.fullmatch(ref):
            tips.setdefault(Sha(commit), []).append(ref)
    return tips


def _numbers(refs: list[str]) -> "set[Request]":
    """Return the requests that *refs* are named for."""
    named = [found for ref in refs if (found := _REQUEST.fullmatch(ref))]
    return {("merge-requests" if one[1].startswith("merge") else "pull", int(one[2])) for one in named}


def _sha(commit: bytes) -> Sha:
    return Sha(commit.decode("ascii"))
