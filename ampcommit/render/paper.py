"""Everything the user sees of a command: results on stdout, talk on stderr, JSON where it is asked for."""

import json
import sys

from rich.console import Console
from rich.text import Text

from ampcommit.escape import PIECE, defused, defused_json, terminal
from ampcommit.notes.noted import KNOWN_BY, OWN
from ampcommit.notes.told import CARRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ampcommit.imported import Imported
    from ampcommit.notes.told import Step
    from ampcommit.record import Sha, ThreadId
    from ampcommit.verbs.show import Shown


_NAMED = 8  # commits in one line
ADDRESS = 10_000
"""How many characters of an address are shown: half of one leads nowhere."""


class Paper(Console):
    """Where lines for people go: never wrapped, because long ids and links must survive a pipe."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True, emoji=False, markup=False)

    def say(self, *parts: "str | tuple[str, str]") -> None:
        """Print *parts* on one line; a pair is text and its style."""
        harmless = [defused(part) if isinstance(part, str) else (defused(part[0]), part[1]) for part in parts]
        self.print(Text.assemble(*harmless))

    def on_broken_pipe(self) -> None:
        """Let the command line decide what it means that nobody reads."""
        raise BrokenPipeError


def print_json(value: object) -> None:
    """Print *value* as JSON on one line, in which no CI runner finds a command."""
    sys.stdout.write(defused_json(json.dumps(value, ensure_ascii=True)) + "\n")


def shown(found: "Shown", *, as_json: bool) -> None:
    """Show what is known of a commit."""
    warnings(found.warnings)
    if as_json:
        print_json(_shown_json(found))
        return
    out = Paper()
    out.say((found.commit, "bold"), f" {terminal(found.subject)}")
    if not found.threads:
        out.say("no thread is known for this commit: neither a record nor a link in its message")
        _on_the_web(out, found)
        _claims(out, found)
        return
    _labelled(out, "thread", [thread.url + _added_by(thread, found) for thread in found.threads])
    _labelled(out, "chain", [thread.url for thread in found.chain] + [STATE_TEXT.get(found.chain_state, "")])
    _labelled(out, "found by", [_source(found) + _teller(found)])
    _labelled(out, "evidence", [_evidence(found)])
    _on_the_web(out, found)
    _labelled(out, "made from", list({told.old: _origin(told) for told in found.rewritten}.values()))
    _claims(out, found)


def _added_by(thread: "ThreadId", found: "Shown") -> str:
    """Return who alone tells of *thread*, where that is neither this clone nor who tells of the last one."""
    tellers = {one["known_by"] for one in found.records if thread in one.get("links", ())}
    best = next((who for who in KNOWN_BY if who in tellers), OWN)
    return "" if best in (OWN, found.known_by) else f" ({_told_by(best, found.remote)})"


def _on_the_web(out: Paper, found: "Shown") -> None:
    _labelled(out, "web", [found.page] if found.page else [], limit=ADDRESS)
    if request := found.request:
        _labelled(out, "request", [f"{request.url} ({request.mark} {_KNOWN_BY[request.source]})"], limit=ADDRESS)


def _claims(out: Paper, found: "Shown") -> None:
    """Tell what was imported, last: whoever wrote the file says so."""
    _labelled(out, "claimed", [_claim(told, found) for told in found.claims])


def _claim(told: "Imported", found: "Shown") -> str:
    origin = f"imported from {told.origin}" if told.origin else "imported"
    about = f", of {told.about[:12]}" if told.about and told.about != found.commit else ""
    return f"{told.links[-1].url} (a claim, {terminal(origin)}{about})"


def _labelled(out: Paper, label: str, texts: list[str], limit: int = PIECE) -> None:
    for text in texts:
        out.say(f"{label:<9} {terminal(text, limit)}")
        label = ""


STATE_TEXT = {
    "complete": "(complete: back to the thread where the work began)",
    "partial": "(partial: of an earlier thread nothing is known on this machine)",
    "cycle": "(the threads name each other in a circle)",
    "unknown": "(unknown: nothing on this machine tells what came before this thread)",
}
_SOURCE_TEXT = {
    "env": "the agent's own environment",
    "message": "the link in the message",
    "use": "a person, with `ampcommit use`",
    "rebuilt": "the link in the message, read later",
    "tree": "a recorded commit with the same tree, author and date",
    "patch-id": "a recorded commit with the same patch, author and date",
}
_CARRIED_TEXT = {
    "tree": "carried over from a branch that ends with the same tree",
    "patch-id": "carried over from a branch with the same patch",
}


_KNOWN_BY = {
    "subject": "in the subject",
    "message": "in the message",
    "ref": "by a ref that was fetched",
}


def _source(found: "Shown") -> str:
    """Return how the thread was found; of what only resembles the commit, the nearest step says what it is."""
    source = str(found.source)
    command = next((told.command for told in found.rewritten if told.source == source), None)
    text = _CARRIED_TEXT.get(source) if command == CARRY else None
    return text or _SOURCE_TEXT.get(source, source)


def _teller(found: "Shown") -> str:
    """Return who says how the thread was found, where that is somebody else."""
    return f" ({_told_by(found.known_by, found.remote)})" if found.known_by in ("shared", "claim") else ""


def _told_by(known_by: object, remote: str | None) -> str:
    claimed = f"a claim fetched from {remote}" if remote else "a claim that was fetched"
    return claimed if known_by == "claim" else "shared record"


def _evidence(found: "Shown") -> str:
    if not found.records:
        return "a link in the message, and no record"
    last = found.records[-1]
    if last["known_by"] == "own":
        recorded = f"recorded here {last.get('time')}"
    else:
        recorded = f"{_told_by(last['known_by'], found.remote)}, recorded {last.get('time')}"
    checked = "the hook had checked the message" if found.validated else "the hook had not checked the message"
    return f"{recorded}; {checked}"


def told_by_others(known_by: "Mapping[Sha, str]") -> None:
    """Say which commits are known from notes alone, not from this clone's ledger."""
    for who, text in (("shared", "from shared records"), ("claim", "from claims that were fetched")):
        found = [commit[:12] for commit, teller in known_by.items() if teller == who]
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        if found:
            Paper().say(f"({text}: {', '.join(found[:_NAMED])}{more})")


def _origin(told: "Step") -> str:
    how = told.command or {"tree": "same tree", "patch-id": "same patch"}.get(told.source, told.source)
    derived = _DERIVED.get(told.source, "") if told.command else ""
    by = f", {_told_by(told.known_by, told.line.remote)}" if told.known_by != "own" else ""
    return f"{told.old} ({terminal(how)}{derived}{by})"


_DERIVED = {
    "reflog": ", derived from the reflog",
    "tree": ", same tree",
    "patch-id": ", same patch",
    "range": ", named by a person",
    "message": ", by its request and its links",
    "ref": ", by its request",
}


def _shown_json(found: "Shown") -> dict[str, object]:
    return {
        "schema": "ampcommit.show/1",
        "commit": found.commit,
        "threads": found.threads,
        "chain": found.chain,
        "chain_state": found.chain_state,
        "source": found.source,
        "known_by": found.known_by,
        "remote": found.remote,
        "records": found.records,
        "rewritten": [
            {
                "old": told.old,
                "new": told.new,
                "command": told.command,
                "source": told.source,
                "known_by": told.known_by,
            }
            for told in found.rewritten
        ],
        "claims": [
            {
                "commit": told.about,
                "threads": told.links,
                "chain": told.chain,
                "chain_state": told.chain_state,
                "of": told.of,
                "format": told.form,
                "from": told.origin,
                "time": told.time,
            }
            for told in found.claims
        ],
        "web": {"commit": found.page, "request": found.request and found.request.as_dict()} if found.page else None,
    }


def text(found: "Iterable[str]") -> None:
    """Print lines for another program to draw."""
    for line in found:
        sys.stdout.write(f"{line}\n")


def warnings(found: "Iterable[str]") -> None:
    """Say on stderr what went wrong on the way."""
    for line in found:
        sys.stderr.write(f"warning: {line}\n")
