"""
The hook `post-rewrite`: what was known of commits is carried to those that they became.

A rebase fires no other hook that we use for the commits that it picks, so they are recorded here too,
from their own links, with a number of questions to git that does not grow with them.
"""

import os

from ampcommit import recording
from ampcommit.call import Call
from ampcommit.files import read_regular
from ampcommit.gitcmd import Git, clean
from ampcommit.record import Sha, ThreadId, canonical
from ampcommit.recording import Made
from ampcommit.rewritten import Rewrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    from ampcommit.ledger import Entry, Ledger
    from ampcommit.message import Trailer
    from ampcommit.record import Record

    Pair = tuple[Sha, Sha]

_FEW = 16
"""Ids that are looked for in the ledger one by one; for more, it is read once."""

_ID = rb'"([0-9a-f]{40}|[0-9a-f]{64})"'
_NAMED = rb'"(?:commit|new)":' + _ID
_PAIR = rb'"old":' + _ID + rb',"new":' + _ID
_RECENT = 8 * 1024 * 1024
_SMALL = 4096
_MOST = 10_000
_AT_ONCE = 2000
_LIST = 64 * 1024 * 1024


def post_rewrite(call: Call) -> int:
    """Record what became of the commits that git (or its reflog) says were rewritten."""
    # The pre-commit framework hands git's argument over in the environment, and git's pairs not at all.
    command = call.args[0] if call.args else call.environ.get("PRE_COMMIT_REWRITE_COMMAND", "")
    pairs, source = _pairs(call, command)
    if not pairs or call.settings().mode == "off":
        return 0
    commits = _told(call, _ids(pairs))
    if command == "rebase":
        pairs = _put_right(call, pairs, commits)
    linked = _linked(call, list(commits.values()))
    ledger = recording.opened(call)
    named, told = _known(ledger, list(commits), pairs)
    # An old commit that nobody recorded may be a colleague's: its message will be gone before its link is asked for.
    made = [made for made in commits.values() if made.commit in linked and made.commit not in named]
    entries: list[Entry] = [*_records(call, made, linked)]
    # Of a commit in the middle of a rebase nothing is recorded yet; it may stand for one that is.
    always = command == "amend" and call.place.rebasing()
    entries += [
        Rewrite(old=pair[0], new=pair[1], command=command or None, source=source)
        for pair in pairs
        if pair not in told and (always or pair[0] in named or (pair[0] in commits and (linked.keys() & pair)))
    ]
    if entries:
        ledger.append(*entries)
    return 0


def _pairs(call: Call, command: str) -> "tuple[list[Pair], str]":
    """
    Return old and new commits in git's order, and how they are known.

    The pre-commit framework does not pass on what git feeds: then git's own list of a rebase tells, which is
    there until this hook has ended, and of an amend the reflog.
    """
    if call.fed:
        return _parsed(call.fed), "git"
    if command == "amend":
        return _amended(call), "reflog"
    for name in ("rebase-merge/rewritten-list", "rebase-apply/rewritten"):
        if listed := read_regular(os.path.join(call.place.git_dir, name), _LIST):
            return _parsed(listed.decode("ascii", "replace")), "git"
    return [], "git"


def _parsed(text: str) -> "list[Pair]":
    """Return the pairs in *text*, lines of an old id, a new one and perhaps more; other lines are none."""
    words = (line.split(" ") for line in text.split("\n"))
    pairs = [(Sha.maybe(line[0]), Sha.maybe(line[1])) for line in words if len(line) > 1]
    return [(old, new) for old, new in pairs if old and new and old != new]


def _amended(call: Call) -> "list[Pair]":
    """Return where HEAD was before an amend, and where it is, if its reflog tells that it was one."""
    git = Git(environ=clean(call.environ, call.place.git_dir))
    told = git("log", "-g", "-2", "--no-show-signature", "--format=%H %P%x00%gs", "HEAD", "--")
    listed = told.decode("utf-8", "replace")
    entries = [line.partition("\0") for line in listed.split("\n")[:-1]]
    if len(entries) < 2 or not entries[0][2].startswith(("commit (amend)", "rebase (")):
        return []
    (new, *parents), (old, *before) = (entry[0].split() for entry in entries)
    # In a rebase HEAD also moves from pick to pick; only an amend leaves the parents as they were.
    return _parsed(f"{old} {new}") if parents == before else []


def _ids(pairs: "list[Pair]") -> list[Sha]:
    return list(dict.fromkeys(one for pair in pairs for one in pair))


def _told(call: Call, ids: list[Sha]) -> dict[Sha, Made]:
    """Return the commits with these *ids* that are still here."""
    found = {}
    for start in range(0, len(ids), _AT_ONCE):
        asked = "\n".join([*ids[start : start + _AT_ONCE], ""]).encode("ascii")
        found.update({made.commit: made for made in recording.told(call, "--ignore-missing", "--stdin", stdin=asked)})
    return found


def _put_right(call: Call, pairs: "list[Pair]", commits: dict[Sha, Made]) -> "list[Pair]":
    """
    Return *pairs* without those in which git names a commit that the old one did not become.

    Git takes HEAD for what an old commit became, also where somebody has put a commit on top, and where a commit left
    nothing and HEAD is one of before. So author and date, or the message, must agree, unless the old one was squashed.
    Where they do not, one commit below with author and date of the old one is what was meant; of several, none.
    *commits* gains what the rebase made besides.
    """
    squashed = _squashed(call)
    doubted = {pair for pair in pairs if pair[0] not in squashed and _strange(*(commits.get(one) for one in pair))}
    if not doubted:
        return pairs
    added = [made for made in _added(call) if made.commit not in {new for _, new in pairs}]
    commits |= {made.commit: made for made in added}
    right = []
    for old, new in pairs:
        below = (
            [made.commit for made in added if made.author == commits[old].author] if (old, new) in doubted else [new]
        )
        right += [(old, one) for one in below if len(below) == 1]
    for new in {new for _, new in doubted} - {new for _, new in right}:
        del commits[new]  # of before, or recorded when it was made
    return right


def _strange(old: Made | None, new: Made | None) -> bool:
    """Say whether nothing shows that *old* became *new*."""
    return bool(old and new and new.author != old.author and new.message != old.message)


def _squashed(call: Call) -> set[Sha]:
    """Return the commits that the rebase under way was told to put into others."""
    done = read_regular(os.path.join(call.place.git_dir, "rebase-merge", "done"), _LIST) or b""
    words = (line.split() for line in done.decode("utf-8", "replace").split("\n"))
    named = (word for line in words if line and line[0] in ("squash", "s", "fixup", "f") for word in line[1:3])
    return {one for word in named if (one := Sha.maybe(word))}


def _added(call: Call) -> list[Made]:
    """Return the commits that the rebase under way made, or somebody during it."""
    folder = ("rebase-merge", "rebase-apply")
    onto, before = ([_line(call, f"{one}/{name}") for one in folder] for name in ("onto", "orig-head"))
    if not any(onto):
        return []
    ends = [f"^{end}" for end in (*onto, *before) if end]
    return recording.told(call, f"--max-count={_MOST}", "HEAD", *ends, "--", walk=True)


def _line(call: Call, name: str) -> Sha | None:
    """Return the commit that a small file in the git dir names."""
    text = read_regular(os.path.join(call.place.git_dir, name), _SMALL) or b""
    return Sha.maybe(text.decode("ascii", "replace").strip())


def _linked(call: Call, commits: list[Made]) -> dict[Sha, list[ThreadId]]:
    """Return the accepted links of each commit that has any."""
    from ampcommit.rules import Case

    seen = _trailers(call, commits)
    links = {made.commit: Case(made.message, seen[made.commit], call.settings()).links for made in commits}
    return {commit: found for commit, found in links.items() if found}


def _trailers(call: Call, commits: list[Made]) -> "dict[Sha, list[Trailer]]":
    """Return the trailers of each commit; git is asked about all those at once of which only git can tell."""
    from ampcommit.message import plain_trailers

    plain = {made.commit: plain_trailers(made.message) for made in commits}
    seen = {commit: found for commit, found in plain.items() if found is not None}
    doubtful = [made for made in commits if made.commit not in seen]
    if doubtful:
        from ampcommit.batch import Batch  # seldom needed

        git = Git(environ=clean(call.environ, call.place.git_dir))
        batch = Batch(git, [(made.commit.encode("ascii"), b"", made.message) for made in doubtful])
        seen |= {commit.id: commit.trailers for commit in batch.commits}
    return seen


def _known(ledger: "Ledger", ids: list[Sha], pairs: "list[Pair]") -> "tuple[set[Sha], set[Pair]]":
    """
    Return those of *ids* of which the ledger says something, and those of *pairs* that it tells already.

    What became of commits in this very moment can stand at the end only, unless somebody does the same once more;
    then it is said once more.
    """
    text = ledger.whole()
    recent = max(0, len(text) - _RECENT)
    news = {new for _, new in pairs}
    named = _names(text, 0, [one for one in ids if one not in news]) | _names(text, recent, list(news))
    if len(pairs) > _FEW:
        import re

        seen = {found.groups() for found in re.finditer(_PAIR, text[recent:])}
        return named, {(old, new) for old, new in pairs if (old.encode("ascii"), new.encode("ascii")) in seen}
    said = {(old, new): b'"old":%b,"new":%b' % (canonical(old), canonical(new)) for old, new in pairs}
    return named, {pair for pair, needle in said.items() if text.rfind(needle, recent) >= 0}


def _names(text: "mmap | bytes", start: int, ids: list[Sha]) -> set[Sha]:
    """Return those of *ids* of which a line from *start* on says something."""
    if len(ids) <= _FEW:
        needles = {one: [name + canonical(one) for name in (b'"commit":', b'"new":')] for one in ids}
        return {one for one in ids if any(text.rfind(needle, start) >= 0 for needle in needles[one])}
    import re  # 6 ms, which only a longer rebase pays

    wanted = {one.encode("ascii"): one for one in ids}
    found = (wanted.get(hit[1]) for hit in re.finditer(_NAMED, text[start:] if start else text))
    return {one for one in found if one}


def _records(call: Call, commits: list[Made], linked: dict[Sha, list[ThreadId]]) -> "Iterator[Record]":
    """Yield the records of *commits*, from their own links: they may be other people's."""
    if not commits:
        return
    from ampcommit.settings import repository
    from ampcommit.threads import Offline, walk

    offline, repo = Offline(call.environ), repository(call.settings().remotes)
    chains = {last: walk(last, offline) for last in dict.fromkeys(linked[made.commit][-1] for made in commits)}
    for made in commits:
        links = linked[made.commit]
        chain = chains[links[-1]]
        yield recording.record(call, made, links, recording.unjudged(links, chain, source="message", repo=repo))
