"""The hook `commit-msg`: the link of the current thread goes in, the message is judged, a note is left."""

import os

from ampcommit import note
from ampcommit.call import Call, say
from ampcommit.current import Current, current
from ampcommit.errors import AmpcommitError
from ampcommit.files import read_regular, write_atomic
from ampcommit.gitcmd import version
from ampcommit.link import KEY
from ampcommit.message import Draft, Trailer, linked, trailers
from ampcommit.note import LIMIT
from ampcommit.rules import Case, Grounds, judged
from ampcommit.settings import Settings, repository
from ampcommit.threads import Offline, walk

REJECTED = 33
"""The status of a hook process when the policy rejects; the shim makes 1 of it."""

DRAFT = '-e -F "$(git rev-parse --git-path COMMIT_EDITMSG)"'
"""What makes git go on with the draft of a refused commit; a refused merge keeps its own."""


def commit_msg(call: Call) -> int:
    """Add the link of the current thread where it is missing, judge the message, leave a note."""
    settings = call.settings()
    if settings.mode == "off":
        note.skip(call.place, call.parent)
        return 0
    note.discard(call.place)
    draft = _draft(call, settings)
    if b"\0" in draft.text or draft.untouched(_template(call, settings)):
        return 0  # git aborts, as the user expects
    at_work = current(call.environ, call.place)
    for warning in at_work.warnings:
        say(f"warning: ampcommit: {warning}")
    stamped, seen = _linked(call, draft, at_work, settings)
    case = _case(call, stamped, seen, at_work, settings)
    if _refused(call, case, settings, draft):
        return REJECTED
    if stamped is not draft:
        write_atomic(call.args[0], stamped.text)
        if at_work.source == "use":
            say(f"ampcommit: linked to {at_work.thread}, the thread set by hand for this work tree")
    if case.links:
        _leave_note(call, case, at_work, stamped.kept(), settings)
    return 0


def _draft(call: Call, settings: Settings) -> Draft:
    text = read_regular(call.args[0], LIMIT) if call.args else None
    if text is None:
        raise AmpcommitError("the message cannot be read, or is longer than 16 MiB: it was not checked")
    editor = call.environ.get("GIT_EDITOR") != ":"  # git says so when it starts none
    cleanup = settings.config.get("commit.cleanup", "")
    return Draft(text, comment=_comment(call, settings), cleanup=cleanup, editor=editor)


def _comment(call: Call, settings: Settings) -> bytes:
    """Return what begins a comment line: since git 2.45 a string, and the key that stands last counts."""
    names = [name for name in settings.config if name.startswith("core.comment")]
    if "core.commentstring" in names and version(call.git) < (2, 45):
        names.remove("core.commentstring")
    return os.fsencode(settings.config[names[-1]]) if names and settings.config[names[-1]] else b"#"


def _template(call: Call, settings: Settings) -> bytes | None:
    """Return the text of `commit.template`, with which an editor began; without an editor git does not look at it."""
    if call.environ.get("GIT_EDITOR") == ":":
        return None
    path = settings.config.get("commit.template", "")
    if path.startswith("~/"):
        path = call.environ.get("HOME", "") + path[1:]
    return read_regular(path, LIMIT) if path else None


def _linked(call: Call, draft: Draft, at_work: Current, settings: Settings) -> tuple[Draft, list[Trailer]]:
    """Return the draft with the link to the current thread as the last one, and the trailers that git sees then."""
    seen = trailers(draft.kept(), call.environ)
    # What git replays may be somebody else's commit: it gets no link of ours.
    if at_work.thread is None or not settings["autolink"] or call.place.replaying():
        return draft, seen
    before = Case(draft.kept(), seen, settings)
    no_subject = before.subject.lower().startswith(f"{KEY}:".lower()) and not before.links
    said = at_work.source == "use" and before.links  # what the message says weighs more than what was set by hand
    if no_subject or said or before.links[-1:] == [at_work.thread]:
        return draft, seen
    stamped = linked(draft, at_work.thread.url, seen, call.environ)
    if stamped is None:
        say("warning: ampcommit: git would not see a link in this message; it stays as it was")
        return draft, seen
    return stamped, [*seen, Trailer(KEY.encode(), at_work.thread.url.encode())]


def _case(call: Call, draft: Draft, seen: list[Trailer], at_work: Current, settings: Settings) -> Case:
    """Return what the rules look at."""
    offline = Offline(call.environ)
    return Case(
        draft.kept(),
        seen,
        settings,
        at_work=at_work,
        chain_of=lambda thread: walk(thread, offline),
        demanded=settings["authors"] == "everyone" or at_work.inside,
        grounds=Grounds(merge=call.place.merging(), exists=call.git.has_commit, paths=lambda: _staged(call)),
    )


def _staged(call: Call) -> list[str]:
    listed = call.git("diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z")
    return os.fsdecode(listed).split("\0")[:-1]


def _refused(call: Call, case: Case, settings: Settings, draft: Draft) -> bool:
    """Show the findings; say whether the commit must be refused, and then also how to go on."""
    findings = judged(case, settings)
    for finding in findings:
        if call.place.replaying():
            finding.level = "warning"
        say(f"{finding.level}: {finding.code} {finding.message}")
        say(f" hint: {finding.hint}")
    if not any(finding.level == "error" for finding in findings):
        return False
    if os.isatty(2) and not case.links and not case.inside:
        _offer_guesses(call, repository(settings.remotes))
    say(f" hint: go on with your message{_way_on(call, draft)}")
    return True


def _way_on(call: Call, draft: Draft) -> str:
    """Return the command that goes on with the draft that git kept, as the end of a sentence."""
    if os.path.basename(call.args[0]) != "COMMIT_EDITMSG":
        return ": git commit"  # a merge: git takes MERGE_MSG by itself
    # Without -v git would take the diff below the scissors for a part of the message.
    return f" (add --amend if you were amending): git commit {'-v ' if draft.has_diff else ''}{DRAFT}"


def _offer_guesses(call: Call, remote: str | None) -> None:
    """Name threads that a person may have meant; to a terminal only, where nobody copies them blindly."""
    from ampcommit.guess import guesses

    for thread, where in guesses(call.environ, call.place.top, remote=remote):
        say(f" hint: perhaps {KEY}: {thread.url} ({where}: a guess)")


def _leave_note(call: Call, case: Case, at_work: Current, message: bytes, settings: Settings) -> None:
    chain = walk(case.links[-1], Offline(call.environ))
    note.Note(
        pid=call.parent,
        head=call.place.head(),
        links=case.links,
        source=at_work.source_of(case.links[-1]),
        validated=True,
        chain=chain.threads,
        chain_state=chain.state,
        repo=repository(settings.remotes),
        resolve=settings.clone["resolve"] == "background",
        message=message,
    ).leave(call.place)
