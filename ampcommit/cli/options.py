"""Options that several commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def insist(value: str | None) -> str | None:
    """Refuse an empty *value*: a variable of a script that was never set."""
    if value == "":
        raise typer.BadParameter("must not be empty")
    return value
