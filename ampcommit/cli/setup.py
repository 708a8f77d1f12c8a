"""The commands about the setup of a clone: `install`, `uninstall`, `status`, `doctor`."""

import os
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson


def add_to(app: typer.Typer) -> None:
    """Declare these commands."""
    for command in (install, uninstall, status, doctor):
        app.command()(command)


def install(
    as_json: AsJson = False,
    share: Annotated[
        bool, typer.Option("--share", help="Also publish records with each push, and fetch those of others.")
    ] = False,
    lines: Annotated[
        bool, typer.Option("--print", help="Print the lines for hooks of your own; write nothing.")
    ] = False,
) -> None:
    """Put the hooks into this clone."""
    from ampcommit import shim
    from ampcommit.render import setup as render
    from ampcommit.setup import recipes
    from ampcommit.verbs import install as verb

    hooks = (*shim.HOOKS, *shim.SHARING) if share else shim.HOOKS
    if lines:
        _show_lines(recipes.printed(hooks), hooks, as_json=as_json)
        return
    try:
        found = verb.install(sharing=share)
    except recipes.Elsewhere as error:
        _show_lines(error.recipe, hooks, as_json=as_json)
        raise
    render.setup(found, as_json=as_json, verb="install")
    advice = recipes.advice(hook.earlier for hook in (*found.hooks, found.pushing))
    if advice and not as_json:
        typer.echo(advice, err=True)


def uninstall(as_json: AsJson = False) -> None:
    """Take the hooks out of this clone; what was there before comes back."""
    from ampcommit.render import setup as render
    from ampcommit.verbs import install as verb

    render.setup(verb.uninstall(), as_json=as_json, verb="uninstall")


def status(as_json: AsJson = False) -> None:
    """Say what is set up here and which policy holds."""
    from ampcommit.render import setup as render
    from ampcommit.verbs import install as verb

    render.setup(verb.status(), as_json=as_json, verb="status")


def doctor(as_json: AsJson = False) -> None:
    """Prove that the hooks run, and say what is off."""
    from ampcommit.render import setup as render
    from ampcommit.render.streams import heard_or_not
    from ampcommit.verbs import doctor as verb

    found = verb.doctor(os.environ)
    with heard_or_not():
        render.examined(found, as_json=as_json)
    raise typer.Exit(1 if found.needs_mending else 0)


def _show_lines(text: str, hooks: tuple[str, ...], *, as_json: bool) -> None:
    """Print *text*, which holds the lines for *hooks* of one's own, or those lines alone as JSON."""
    from ampcommit.render import paper
    from ampcommit.setup import recipes

    if as_json:
        paper.print_json({"schema": "ampcommit.hooks/1", "hooks": {hook: recipes.LINES[hook] for hook in hooks}})
    else:
        typer.echo(text, nl=False)
