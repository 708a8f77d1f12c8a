"""The commands about the ledger: `ledger check`, `ledger list`, `ledger path`, `ledger rebuild`."""

import os
from typing import Annotated

import typer

from ampcommit.cli_options import AsJson, insist
from ampcommit.streams import heard_or_not

app = typer.Typer(help="Look into the ledger of this clone.", no_args_is_help=True)


@app.command("check")
def ledger_check(as_json: AsJson = False) -> None:
    """Check that no line of the ledger was changed, removed or cut off."""
    from ampcommit import render_ledger
    from ampcommit.show import ledger_of

    report = ledger_of(os.environ).check()
    with heard_or_not():
        render_ledger.check(report, as_json=as_json)
    raise typer.Exit(4 if report.problems else 0)


@app.command("list")
def ledger_list(
    commit: Annotated[
        str | None, typer.Option(metavar="COMMIT", callback=insist, help="Only records of this commit.")
    ] = None,
    thread: Annotated[
        str | None, typer.Option(metavar="THREAD", callback=insist, help="Only records that name this thread.")
    ] = None,
) -> None:
    """Print records as they are, one JSON object a line."""
    from ampcommit import render_ledger
    from ampcommit.show import listed

    render_ledger.lines(listed(commit or "", thread or "", os.environ))


@app.command("path")
def ledger_path(as_json: AsJson = False) -> None:
    """Print where the ledger is."""
    from ampcommit import render_ledger
    from ampcommit.show import ledger_of

    render_ledger.path(ledger_of(os.environ).path, as_json=as_json)


@app.command("rebuild")
def ledger_rebuild(
    range_: Annotated[
        str, typer.Argument(metavar="[RANGE]", help="Commits as git names them; all of HEAD and the local branches.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Record what is missing of commits that no hook saw, from what they say and what they resemble."""
    from ampcommit import rebuild as verb
    from ampcommit import render_ledger

    render_ledger.rebuilt(verb.rebuild(range_, os.environ, dry_run=dry_run), as_json=as_json)
