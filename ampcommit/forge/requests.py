"""Which pull or merge request a commit came with: as its message says, or the refs of requests that were fetched."""

import re

from ampcommit.errors import GitError
from ampcommit.forge.pages import PATIENCE, Forge, forge_at, remote_of
from ampcommit.gitcmd import Git, clean
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ampcommit.place import Place

_NUMBER = "([1-9][0-9]{0,8})"
_IN_SUBJECT = {
    "github": re.compile(rf"^Merge pull request #{_NUMBER} from |\(#{_NUMBER}\)$"),
    "gitlab": re.compile(rf"\(!{_NUMBER}\)$"),
}
_SEE = re.compile(rf"^See merge request (\S*)!{_NUMBER}\s*$", re.MULTILINE)
# The refs of requests under the forge's own names, and where people have them fetched to.
_COPIED = re.compile(rf"(pull|merge-requests)/{_NUMBER}/head")
_FOLLOWED = re.compile(rf"(pull|pr|merge-requests)/{_NUMBER}(?:/head)?")
_KIND = {"pull": "github", "pr": "github", "merge-requests": "gitlab"}


class Commit:
    """What of a commit tells about its request."""

    __slots__ = ("commit", "message", "parents", "subject")

    def __init__(self, commit: Sha, parents: bytes, subject: bytes, message: bytes) -> None:
        self.commit = commit
        self.parents = [Sha(parent) for parent in parents.decode("ascii").split()]
        self.subject = subject.decode("utf-8", "replace")
        self.message = message


class Request:
    """A pull or merge request, its page, and how it is known: by the `subject`, the `message` or a `ref`."""

    __slots__ = ("mark", "number", "source", "url")

    def __init__(self, forge: Forge, number: int, source: str) -> None:
        self.number = number
        self.url = forge.request(number)
        self.mark = f"{forge.mark}{number}"
        self.source = source

    def as_dict(self) -> dict[str, object]:
        """Return what is promised in JSON."""
        return {"number": self.number, "url": self.url, "source": self.source}


def told(commit: Commit, forge: Forge) -> Request | None:
    """Return the request that the message of *commit* names."""
    if found := _IN_SUBJECT[forge.kind].search(commit.subject.rstrip()):
        return Request(forge, int(next(filter(None, found.groups()))), "subject")
    if forge.kind == "gitlab" and len(commit.parents) > 1:
        # A merge that came from another project names a request of that one.
        message = commit.message.decode("utf-8", "replace")
        own = ("", forge.path.lower())
        seen = {int(number) for path, number in _SEE.findall(message) if path.lower() in own}
        if len(seen) == 1:
            return Request(forge, seen.pop(), "message")
    return None


class Refs:
    """The refs of requests in a clone: for each kind of forge the numbers at each tip, and the default branch."""

    def __init__(self, remote: str, listed: bytes) -> None:
        self.tips: dict[str, dict[str, set[int]]] = {"github": {}, "gitlab": {}}
        self.default: str | None = None
        self.kinds: set[str] = set()  # of forges, as far as the names of refs tell
        tracked = f"refs/remotes/{remote}/"
        for line in listed.decode("utf-8", "replace").split("\n"):
            commit, _, ref = line.partition(" ")
            name = ref.removeprefix(tracked)
            if name == ref:
                self._take(commit, _COPIED.fullmatch(ref.removeprefix("refs/")), certain=True)
            elif name == "HEAD":
                self.default = commit
            else:
                # Other forges have pull requests, too, and people call them alike.
                self._take(commit, _FOLLOWED.fullmatch(name), certain=name.startswith("merge"))

    def _take(self, commit: str, found: "re.Match[str] | None", *, certain: bool) -> None:
        if found:
            kind = _KIND[found[1]]
            self.tips[kind].setdefault(commit, set()).add(int(found[2]))
            self.kinds.update([kind] if certain else ())


class Web:
    """What the web has of a clone: its forge, and the requests of its commits."""

    def __init__(self, forge: Forge, remote: str, reader: Git, refs: Refs | None = None) -> None:
        self.forge = forge
        self._remote = remote
        self._reader = reader
        self._refs = refs  # asked for where somebody wants to know

    def requests(self, commits: "Iterable[Commit]") -> "dict[Sha, Request]":
        """Return the requests of *commits*, as far as anything tells them."""
        every = {one.commit: told(one, self.forge) for one in commits}
        found = {commit: request for commit, request in every.items() if request}
        if silent := every.keys() - found.keys():
            for commit, number in self._by_refs(silent).items():
                found[commit] = Request(self.forge, number, "ref")
        return found

    def _by_refs(self, commits: "set[Sha]") -> "dict[Sha, int]":
        """Return the numbers of the requests that end in *commits*, or that alone have one of them."""
        self._refs = refs = self._refs or _refs(self._reader, self._remote)
        tips = refs.tips[self.forge.kind]
        numbers = {commit: tips[commit] for commit in commits & tips.keys()}
        if tips and refs.default and (inside := commits - tips.keys()):
            numbers |= self._within(inside, tips, refs.default)
        return {commit: min(its) for commit, its in numbers.items() if len(its) == 1}

    def _within(self, commits: "set[Sha]", tips: "Mapping[str, set[int]]", default: str) -> "dict[Sha, set[int]]":
        """Return the requests that contain *commits*, for those that the *default* branch has not; at most two each."""
        asked = "\n".join([*tips, f"^{default}", ""]).encode("ascii")
        try:
            listed = self._reader("rev-list", "--topo-order", "--parents", "--stdin", stdin=asked, deadline=PATIENCE)
        except GitError:
            return {}
        found: dict[Sha, set[int]] = {}
        having = {tip: set(numbers) for tip, numbers in tips.items()}
        for line in listed.decode("ascii").split("\n"):
            name, *parents = line.split(" ")
            its = having.pop(name, set())
            if name in commits:
                found[Sha(name)] = its
            for parent in parents:
                known = having.setdefault(parent, set())
                if len(known) < 2:  # not one alone
                    known |= its
        return found


def _refs(reader: Git, remote: str) -> Refs:
    homes = [f"refs/remotes/{remote}/{name}" for name in (*_KIND, "HEAD")]
    question = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/pull", "refs/merge-requests", *homes]
    try:
        return Refs(remote, reader(*question, deadline=PATIENCE))
    except GitError:
        return Refs(remote, b"")


def web_of(git: Git, place: "Place", environ: "Mapping[str, str]") -> Web | None:
    """Return what the web has of the clone; None where git's settings name no forge that we know, or do not answer."""
    try:
        remote = remote_of(git, place, environ)
    except GitError:
        return None
    if remote is None:
        return None
    reader, kind, refs = Git(place.git_dir, clean(environ, place.git_dir)), remote.kind, None
    if kind is None:
        refs = _refs(reader, remote.name)
        kind = next(iter(refs.kinds)) if len(refs.kinds) == 1 else None
    forge = forge_at(remote.base, kind) if kind else None
    return Web(forge, remote.name, reader, refs) if forge else None
