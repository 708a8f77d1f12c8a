"""The commands about the setup of a clone: `install`, `uninstall`, `status`, `doctor`."""

import os
from typing import Annotated

import typer

from ampcommit.cli_options import AsJson


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
    from ampcommit import install as verb
    from ampcommit import recipes, render_setup, shim

    hooks = (*shim.HOOKS, *shim.SHARING) if share else shim.HOOKS
    if lines:
        _show_lines(recipes.printed(hooks), hooks, as_json=as_json)
        return
    try:
        found = verb.install(sharing=share)
    except recipes.Elsewhere as error:
        _show_lines(error.recipe, hooks, as_json=as_json)
        raise
    render_setup.setup(found, as_json=as_json, verb="install")
    advice = recipes.advice(hook.earlier for hook in (*found.hooks, found.pushing))
    if advice and not as_json:
        typer.echo(advice, err=True)


def uninstall(as_json: AsJson = False) -> None:
    """Take the hooks out of this clone; what was there before comes back."""
    from ampcommit import install as verb
    from ampcommit import render_setup

    render_setup.setup(verb.uninstall(), as_json=as_json, verb="uninstall")


def status(as_json: AsJson = False) -> None:
    """Say what is set up here and which policy holds."""
    from ampcommit import install as verb
    from ampcommit import render_setup

    render_setup.setup(verb.status(), as_json=as_json, verb="status")


def doctor(as_json: AsJson = False) -> None:
    """Prove that the hooks run, and say what is off."""
    from ampcommit import doctor as verb
    from ampcommit import render_setup
    from ampcommit.streams import heard_or_not

    found = verb.doctor(os.environ)
    with heard_or_not():
        render_setup.examined(found, as_json=as_json)
    raise typer.Exit(1 if found.needs_mending else 0)


def _show_lines(text: str, hooks: tuple[str, ...], *, as_json: bool) -> None:
    """Print *text*, which holds the lines for *hooks* of one's own, or those lines alone as JSON."""
    from ampcommit import recipes, render

    if as_json:
        render.print_json({"schema": "ampcommit.hooks/1", "hooks": {hook: recipes.LINES[hook] for hook in hooks}})
    else:
        typer.echo(text, nl=False)
