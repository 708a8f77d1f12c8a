"""
The hooks `post-commit` and `post-merge`: the commit that came to be is recorded.

What it says itself, its own links, is joined with the note that fits.
"""

import os

from ampcommit import note
from ampcommit.call import Call, say
from ampcommit.errors import AmpcommitError, GitError
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.note import Note
from ampcommit.record import BY, Record, Sha, ThreadId, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.threads import Chain

_FORMAT = "--format=%H%x00%T%x00%P%x00%an <%ae> %at%x00%B%x00"


class Made:
    """A commit as git has it: its ids, who wrote it when, and its message in UTF-8."""

    __slots__ = ("author", "commit", "message", "parents", "tree")

    def __init__(self, commit: bytes, tree: bytes, parents: bytes, author: bytes, message: bytes) -> None:
        self.commit = Sha(commit.decode("ascii").strip())
        self.tree = Sha(tree.decode("ascii"))
        self.parents = [Sha(parent) for parent in parents.decode("ascii").split()]
        self.author = author
        self.message = message


def post_commit(call: Call) -> int:
    """Record the commit at HEAD; a commit without a link leaves no record."""
    return _record_head(call)


def post_merge(call: Call) -> int:
    """Record the merge at HEAD if git made it just now: a fast-forward brings somebody else's, `--squash` none."""
    # The pre-commit framework hands git's argument over in the environment.
    squash = call.args[0] if call.args else call.environ.get("PRE_COMMIT_IS_SQUASH_MERGE")
    return 0 if squash == "1" else _record_head(call, merged=True)


def _record_head(call: Call, *, merged: bool = False) -> int:
    left = note.take(call.place)
    made, before = _commits(call, left.head if left else None)
    if left is None and merged and not _made_here(call, made):
        return 0
    same = left is not None and made.message == left.message
    # What commit-msg judged need not be judged again; another text (another hook, another clean-up) must.
    links = left.links if left and same else _links(call, made.message)
    known = left if left and _fits(left, call, made, before, links) else None
    if known is None and (not merged or _made_here(call, made)):
        known = _seen_now(call, links)
    if known is None:
        return 0
    opened(call).append(record(call, made, links, known))
    if known.source == "use":
        from ampcommit.current import keep_in_use

        keep_in_use(call.place)
    if known.resolve and known.chain_state in ("unknown", "partial") and os.path.lexists(call.place.amp):
        from ampcommit.detach import start_resolver

        start_resolver(links[-1], call.place, call.environ)
    return 0


def opened(call: Call) -> Ledger:
    """Return the ledger; only where it has to be made is git asked with which permissions."""
    if os.path.lexists(call.place.ledger):
        return Ledger(call.place.ledger)
    from ampcommit.settings import shared_mode

    return Ledger(call.place.ledger, shared_mode(call.git))


def _commits(call: Call, head: Sha | None) -> "tuple[Made, Made | None]":
    """Return the commit at HEAD and the one at *head*, where HEAD was when the note was left; in one question."""
    wanted = ("HEAD", head) if head else ("HEAD",)
    try:
        commits = told(call, *wanted, "--")
    except GitError:  # git has cleaned the old one away
        commits = told(call, "HEAD", "--")
    if not commits:
        raise AmpcommitError("git shows no commit at HEAD: nothing was recorded")
    # An amend that changes nothing gives the same commit again, and git shows it once.
    return commits[0], commits[-1] if commits[-1].commit == head else None


def told(call: Call, *wanted: str, stdin: bytes = b"", walk: bool = False) -> list[Made]:
    """Return the commits that *wanted* names to `git log`, each once; with *walk* also those behind them."""
    git = Git(environ=clean(call.environ, call.place.git_dir))
    question = ("log", "--no-show-signature", "--encoding=UTF-8", _FORMAT, *(() if walk else ("--no-walk=unsorted",)))
    fields = git(*question, *wanted, stdin=stdin).split(b"\0")
    return [Made(*fields[at : at + 5]) for at in range(0, len(fields) - 5, 5)]


def _made_here(call: Call, made: Made) -> bool:
    """Say whether HEAD is a merge that git made just now; no reflog, no answer."""
    if len(made.parents) < 2:
        return False
    git = Git(environ=clean(call.environ, call.place.git_dir))
    moved = git("log", "-g", "-1", "--no-show-signature", "--format=%gs", "HEAD", "--")
    return bool(moved.strip()) and b": Fast-forward" not in moved


def _links(call: Call, message: bytes) -> list[ThreadId]:
    """Return the accepted links of a message, as `verify` will see them."""
    from ampcommit.message import trailers
    from ampcommit.rules import Case

    return Case(message, trailers(message, call.environ), call.settings()).links


def _fits(left: Note, call: Call, made: Made, before: Made | None, links: list[ThreadId]) -> bool:
    """
    Say whether the note was left for this very commit.

    Its parents are where HEAD was then (for an amend: that commit's parents), its last link is
    the one noted, and the same git process started both hooks. Times are no test: git fixes
    the committer's time before the editor opens.
    """
    if left.pid and call.parent:
        if left.pid != call.parent:
            return False
    elif made.message != left.message:
        return False  # nobody says that it is the same commit, so the message must
    if links[-1:] != left.links[-1:]:
        return False
    follows = made.parents[:1] == ([left.head] if left.head else [])
    return follows or (before is not None and made.parents == before.parents)


def _seen_now(call: Call, links: list[ThreadId]) -> Note | None:
    """Return what is known of a commit for which no note fits; None if nothing is to be recorded."""
    from ampcommit.current import current
    from ampcommit.settings import repository
    from ampcommit.threads import Offline, walk

    settings = call.settings()
    if settings.mode == "off":
        return None
    at_work = current(call.environ, call.place)
    if not links:
        if at_work.inside and not call.place.rebasing():
            say("ampcommit: this commit has no link to its thread; `git commit --amend --no-edit` adds it")
        return None
    # While git replays commits they may be other people's: then only the commit itself speaks.
    source = "message" if call.place.replaying() else at_work.source_of(links[-1])
    known = unjudged(links, walk(links[-1], Offline(call.environ)), source=source, repo=repository(settings.remotes))
    known.resolve = settings.clone["resolve"] == "background"
    return known


def unjudged(links: list[ThreadId], chain: "Chain", *, source: str, repo: str | None) -> Note:
    """Return what is known of a commit that `commit-msg` did not see."""
    return Note(
        pid=0,
        head=None,
        links=links,
        source=source,
        validated=False,
        chain=chain.threads,
        chain_state=chain.state,
        repo=repo,
        resolve=False,
        message=b"",
    )


def record(call: Call, made: Made, links: list[ThreadId], known: Note) -> Record:
    """Return what is to be recorded of the commit *made*, whose *links* are these."""
    return Record(
        commit=made.commit,
        tree=made.tree,
        parents=made.parents,
        links=links,
        chain=known.chain,
        chain_state=known.chain_state,
        source=known.source,
        validated=known.validated,
        branch=call.place.branch(),
        repo=known.repo,
        time=moment(),
        by=BY,
    )
