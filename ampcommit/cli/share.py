"""The command `share`."""

import os
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson, insist
from ampcommit.errors import MisuseError


def share(
    remote: Annotated[
        str | None,
        typer.Argument(
            metavar="REMOTE", callback=insist, help="Where to; without it ampcommit.shareRemote, then origin."
        ),
    ] = None,
    *,
    status: Annotated[bool, typer.Option("--status", help="Only say what is unpublished; no connection.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would go out; no connection.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the records of this clone as git notes, and bring those of others."""
    if status and dry_run:
        raise MisuseError("--status and --dry-run are two questions", hint="ask one of them")
    from ampcommit.render import share as render
    from ampcommit.verbs import share as verb

    name = remote or ""
    if status:
        render.standings(verb.standings(os.environ, remote=name), as_json=as_json)
    elif dry_run:
        render.planned(verb.planned(os.environ, remote=name), as_json=as_json)
    else:
        render.shared(verb.share(os.environ, remote=name, watching=render.Watching), as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Declare this command."""
    app.command()(share)
