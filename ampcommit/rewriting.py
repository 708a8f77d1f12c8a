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
from ampcommit.record import BY, Sha, ThreadId, canonical, moment
from ampcommit.recording import Made
from ampcommit.rewritten import Rewrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
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
    named, told = _known(ledger, pairs, linked)
    made = [commits[new] for new in dict.fromkeys(new for _, new in pairs) if new in linked and new not in named]
    entries: list[Entry] = [*_records(call, made, linked)]
    # Of a commit in the middle of a rebase nothing is recorded yet; it may stand for one that is.
    always = command == "amend" and call.place.rebasing()
    entries += [
        _rewrite(old, new, command, source)
        for old, new in pairs
        if (old, new) not in told and (always or old in linked or old in named)
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
    Return *pairs* without those in which git names a commit that somebody added on top of what the old one became.

    When a rebase stops and somebody commits, git takes the last commit for what the old one became. Whatever an
    old commit became has its author and date, or its message; or those of one that was squashed with it. Where that
    does not hold, one commit below with author and date of the old one is what was meant; of several, none.
    *commits* gains what is found.
    """
    authors: dict[Sha, set[bytes]] = {}
    for old, new in pairs:
        if old in commits:
            authors.setdefault(new, set()).add(commits[old].author)
    doubted = {pair for pair in pairs if _strange(commits.get(pair[0]), commits.get(pair[1]), authors)}
    below = _added(call, {new for _, new in pairs}) if doubted else {}
    right = []
    for old, new in pairs:
        found = below.get(commits[old].author, []) if (old, new) in doubted else [commits.get(new)]
        if len(found) == 1:
            commits.update({made.commit: made for made in found if made})
            right.append((old, found[0].commit if found[0] else new))
    return right


def _strange(old: Made | None, new: Made | None, authors: dict[Sha, set[bytes]]) -> bool:
    """Say whether nothing shows that *old* became *new*; *authors* are those of all that became a commit."""
    return bool(old and new and new.author not in authors[new.commit] and new.message != old.message)


def _added(call: Call, known: set[Sha]) -> dict[bytes, list[Made]]:
    """Return by author the commits that the rebase under way made, or somebody during it, but for those *known*."""
    folder = ("rebase-merge", "rebase-apply")
    onto, before = ([_line(call, f"{one}/{name}") for one in folder] for name in ("onto", "orig-head"))
    found: dict[bytes, list[Made]] = {}
    if any(onto):
        ends = [f"^{end}" for end in (*onto, *before) if end]
        for made in recording.told(call, f"--max-count={_MOST}", "HEAD", *ends, "--", walk=True):
            if made.commit not in known:
                found.setdefault(made.author, []).append(made)
    return found


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


def _known(ledger: "Ledger", pairs: "list[Pair]", linked: "Container[Sha]") -> "tuple[set[Sha], set[Pair]]":
    """
    Return of which commits in *pairs* the ledger says something, and which pairs it tells already.

    Old commits that are *linked* are not looked for: their messages say enough. What became of commits in this very
    moment can stand at the end only, unless somebody does the same once more; then it is said once more.
    """
    text = ledger.whole()
    recent = max(0, len(text) - _RECENT)
    named = _names(text, 0, [old for old, _ in pairs if old not in linked])
    named |= _names(text, recent, list(dict.fromkeys(new for _, new in pairs)))
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


def _rewrite(old: Sha, new: Sha, command: str, source: str) -> Rewrite:
    return Rewrite(
        old=old,
        new=new,
        command=command or None,
        source=source,
        time=moment(),
        by=BY,
    )
