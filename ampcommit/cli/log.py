"""The command line of `log`: declare, delegate, show."""

import os
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson, insist


def log(
    commits: Annotated[
        str | None,
        typer.Argument(metavar="RANGE", callback=insist, help="Commits as git log names them; without it all of HEAD."),
    ] = None,
    *,
    most: Annotated[int | None, typer.Option("-n", metavar="N", min=0, help="At most so many, the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is known of commits: the thread, how long its chain is, how that is known, and who tells."""
    from ampcommit.render import log as render
    from ampcommit.verbs import log as verb

    with verb.log(commits or "", os.environ, most=most) as found:
        render.shown(found, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Give *app* the command."""
    app.command()(log)
