"""The commands about the setup of a clone: `install`, `uninstall`, `status`."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Declare these commands."""
    for command in (install, uninstall, status):
        app.command()(command)


def install(as_json: AsJson = False) -> None:
    """Put the hooks into this clone."""
    from ampcommit import install as verb
    from ampcommit import render_setup

    render_setup.setup(verb.install(), as_json=as_json, verb="install")


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
