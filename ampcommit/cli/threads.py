"""The commands about threads: `chain`, `resolve`, `use`, `current`."""

import os
from contextlib import nullcontext
from enum import StrEnum
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson
from ampcommit.errors import MisuseError


class Format(StrEnum):
    """How a chain can be drawn."""

    TREE = "tree"
    JSON = "json"
    MERMAID = "mermaid"
    DOT = "dot"


def add_to(app: typer.Typer) -> None:
    """Declare these commands."""
    for command in (chain, resolve, use, current):
        app.command()(command)


def chain(
    thread: Annotated[str, typer.Argument(help="A thread (id or link), or a commit: its last thread.")] = "HEAD",
    *,
    down: Annotated[bool, typer.Option("--down", help="What came of it, not what it came from.")] = False,
    around: Annotated[bool, typer.Option("--all", help="Everything that hangs together with it.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How to draw it.")] = Format.TREE,
    sequence: Annotated[bool, typer.Option("--sequence", help="A Mermaid sequence diagram, in time.")] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Ask Amp for what nobody here knows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a thread back to where the work began, with the commits of each thread on the way."""
    from ampcommit.render import draw, paper
    from ampcommit.render import threads as render
    from ampcommit.verbs import chain as verb

    if down and around:
        raise MisuseError("--down and --all are two pictures", hint="ask for one of them")
    with render.asking() if ask else nullcontext():
        found = verb.look_up(thread, os.environ, down=down, around=around, ask=ask)
    paper.warnings(found.warnings)
    if as_json or (form is Format.JSON and not sequence):
        verb.add_web(found, os.environ)
        paper.print_json(draw.as_json(found) | {"known_by": found.known_by})
        return
    if sequence:
        paper.text(draw.sequence(found, verb.subjects(found, os.environ)))
    elif form is Format.TREE:
        subjects = verb.described(found, os.environ)
        render.chain(found, draw.tree(found, subjects, down=down, around=around), up=not (down or around))
        paper.told_by_others(found.known_by)
    else:
        paper.text(draw.mermaid(found) if form is Format.MERMAID else draw.dot(found))


def resolve(
    threads: Annotated[list[str] | None, typer.Argument(help="Threads; without any, all that are open.")] = None,
    as_json: AsJson = False,
) -> None:
    """Learn the chains of threads, from files here and from Amp, and keep them."""
    from ampcommit.render import threads as render
    from ampcommit.verbs import resolve as verb

    outcomes = render.resolved(verb.in_front(threads or [], os.environ), as_json=as_json)
    raise typer.Exit(5 if any(outcome.failed for outcome in outcomes) else 0)


def use(
    thread: Annotated[str, typer.Argument(help="The thread that commits here belong to from now on.")] = "",
    none: Annotated[bool, typer.Option("--none", help="End it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set the current thread of this work tree by hand; it ends after 12 hours without a commit."""
    from ampcommit.render import paper
    from ampcommit.render import threads as render
    from ampcommit.verbs import at_work as verb

    if bool(thread) == none:
        raise MisuseError("name one thread, or --none", hint="ampcommit use T-…")
    if none:
        verb.use_none(os.environ)
    else:
        verb.use(thread, os.environ)
    found = verb.at_work(os.environ)
    if thread and found.source == "env":
        paper.warnings([f"it is set, but {found.variable} weighs more in this shell"])
    render.at_work(found, as_json=as_json)


def current(as_json: AsJson = False) -> None:
    """Say which thread is at work here, and how that is known."""
    from ampcommit.render import threads as render
    from ampcommit.verbs import at_work as verb

    render.at_work(verb.at_work(os.environ), as_json=as_json)
