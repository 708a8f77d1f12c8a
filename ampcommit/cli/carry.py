"""The command `carry`."""

import os
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson, insist
from ampcommit.errors import MisuseError


def add_to(app: typer.Typer) -> None:
    """Declare this command."""
    app.command()(carry)


def carry(
    range_: Annotated[
        str | None,
        typer.Argument(
            metavar="[RANGE]", callback=insist, help="Commits of a branch: BASE..HEAD; with --find those to look at."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Argument(metavar="[TARGET]", callback=insist, help="The commit that was made of them.")
    ] = None,
    *,
    search: Annotated[bool, typer.Option("--find", help="Find out by itself what was made of which branch.")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="Take also what only the notes of a fork say.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep what is known of a branch's commits for the one that a squash merge made of them."""
    from ampcommit.render import carry as render
    from ampcommit.verbs import carry as verb

    hint = "ampcommit carry main..topic HEAD, or ampcommit carry --find"
    if search and target is not None:
        raise MisuseError("--find takes one range at most, and finds what was made of what by itself", hint=hint)
    if search:
        found = verb.find(range_ or "", os.environ, dry_run=dry_run, claims=claims)
    elif range_ is None or target is None:
        raise MisuseError("name the commits of a branch, and the one that was made of them", hint=hint)
    else:
        found = verb.carry(range_, target, os.environ, dry_run=dry_run, claims=claims)
    render.carried(found, as_json=as_json)
