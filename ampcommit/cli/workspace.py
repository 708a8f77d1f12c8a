"""The commands about all of the work of a workspace: `sync`, `stats`."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson, insist
from ampcommit.errors import MisuseError


class By(StrEnum):
    """What a row can be about."""

    MONTH = "month"
    THREAD = "thread"
    AUTHOR = "author"
    REPOSITORY = "repository"
    COMMIT = "commit"


def _moment(value: str | None) -> datetime | None:
    """Return the time that *value* names: a date, or RFC 3339; without a zone it is in UTC."""
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value)
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{value[:40]!a} is no date like 2026-11-20") from None
    if when > datetime.now(UTC):
        raise typer.BadParameter(f"{value[:40]!a} lies ahead")
    return when


def sync(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="List only threads that Amp saw first since then.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="List all threads.")] = False,
    no_usage: Annotated[bool, typer.Option("--no-usage", help="Do not ask what threads cost.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List, compare, and keep nothing.")] = False,
    concurrency: Annotated[int, typer.Option(metavar="N", min=1, max=32, help="At most so many requests at once.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Learn a workspace's threads, and what they cost, from Amp's External API."""
    begin = _moment(since)
    if begin and full:
        raise MisuseError("--since and --full contradict each other", hint="ask for one of them")
    from ampcommit.render import sync as render
    from ampcommit.verbs import sync as verb

    asked = verb.Asked(begin, full=full, usage=not no_usage, dry_run=dry_run, concurrent=concurrency)
    done = verb.sync(asked, os.environ, render.Watching)
    render.synced(done, as_json=as_json)
    if done.problem:
        raise done.problem


def stats(
    commits: Annotated[
        str | None,
        typer.Argument(metavar="RANGE", callback=insist, help="Commits as git log names them; without it all of HEAD."),
    ] = None,
    *,
    by: Annotated[
        By, typer.Option(metavar="WHAT", help="Rows: month, thread, author, repository or commit.")
    ] = By.MONTH,
    split: Annotated[bool, typer.Option("--split", help="Divide a thread's cost equally over its commits.")] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Count commits, how many of them are linked, their threads, and what those cost."""
    if as_json and as_csv:
        raise MisuseError("--json and --csv are two forms", hint="ask for one of them")
    from ampcommit.render import stats as render
    from ampcommit.verbs import stats as verb

    found = verb.stats(commits or "", os.environ, by=by.value, split=split)
    render.shown(found, as_json=as_json, as_csv=as_csv)


def add_to(app: typer.Typer) -> None:
    """Declare these commands."""
    app.command()(sync)
    app.command()(stats)
