"""What the user sees of the commands about threads: pictures of chains, what was learned, who is at work."""

from rich.console import Console
from rich.status import Status

from ampcommit.escape import terminal
from ampcommit.render.paper import STATE_TEXT, Paper, print_json, warnings
from ampcommit.render.streams import heard_or_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ampcommit.verbs.at_work import AtWork
    from ampcommit.verbs.chain import Lineage
    from ampcommit.verbs.resolve import Outcome


def chain(found: "Lineage", drawn: "Iterable[str]", *, up: bool) -> None:
    """Show a chain as a tree, and how far it is known; downwards nobody can say that it is complete."""
    out = Paper()
    for line in drawn:
        out.say(line)
    if up:
        sure = found.status == "complete" and not found.by_others.keys() & set(found.chain)
        out.say((STATE_TEXT[found.status], "green" if sure else "yellow"))
    else:
        out.say("(as far as this machine knows)")
    for who, text in (("shared", "shared records are"), ("claim", "claims that were fetched are")):
        if who in found.by_others.values():
            out.say((f"(if the {text} right: nothing here tells what came before some of these threads)", "yellow"))


def asking() -> Status:
    """Return what shows, on a terminal only, that Amp is being asked."""
    return Console(stderr=True).status("asking Amp …")


def resolved(found: "Iterable[Outcome]", *, as_json: bool) -> "list[Outcome]":
    """Show what becomes of each thread while it is asked for, and return it."""
    outcomes = []
    with asking() as working:
        for outcome in found:
            outcomes.append(outcome)
            working.stop()
            if not as_json:
                with heard_or_not():
                    Paper().say(_resolved_line(outcome))
            working.start()
    with heard_or_not():
        if as_json:
            print_json({"schema": "ampcommit.resolve/1", "threads": [outcome.as_dict() for outcome in outcomes]})
        elif not outcomes:
            Paper().say("nothing to resolve: every chain in the ledger is known")
    return outcomes


def _resolved_line(outcome: "Outcome") -> str:
    count = len(outcome.chain.threads)
    why = f": {terminal(outcome.problem, 1000)}" if outcome.problem else ""
    return f"{outcome.thread} {outcome.chain.state}, {count} thread{'s' if count > 1 else ''}{why}"


def at_work(found: "AtWork", *, as_json: bool) -> None:
    """Show which thread is at work, how that is known, and what else it may be."""
    warnings(f"ampcommit: {warning}" for warning in found.warnings)
    candidates = [{"thread": thread, "from": where} for thread, where in found.candidates]
    if as_json:
        print_json(
            {
                "schema": "ampcommit.current/1",
                "thread": found.thread,
                "source": found.source,
                "inside": found.inside,
                "variable": found.variable,
                "ends": found.ends,
                "candidates": candidates,
            }
        )
        return
    out = Paper()
    if found.thread and found.source != "guess":
        out.say(f"{found.thread.url}  ({_how(found)})")
        return
    out.say("no thread is at work here" + (", though Amp is: it did not say which" if found.inside else ""))
    if found.candidates:
        out.say("perhaps one of these; a guess is never written into a message:")
    for thread, where in found.candidates:
        out.say(f"  {thread.url}  ({where})")


def _how(found: "AtWork") -> str:
    if found.source == "env":
        return f"{found.variable} in the environment"
    return f"set by hand {found.since}; ends {found.ends} without a commit, or with `ampcommit use --none`"
