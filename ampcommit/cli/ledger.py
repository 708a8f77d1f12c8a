"""The commands about the ledger: `ledger check`, `list`, `path`, `rebuild`, `export`, `import`."""

import os
import sys
from contextlib import contextmanager
from typing import Annotated

import typer

from ampcommit.cli.options import AsJson, insist
from ampcommit.errors import MisuseError
from ampcommit.render.streams import heard_or_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

app = typer.Typer(help="Look into the ledger of this clone.", no_args_is_help=True)


@app.command("check")
def ledger_check(as_json: AsJson = False) -> None:
    """Check that no line of the ledger was changed, removed or cut off."""
    from ampcommit.render import ledger as render
    from ampcommit.verbs.check import check

    report, notices = check(os.environ)
    with heard_or_not():
        render.check(report, notices, as_json=as_json)
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
    from ampcommit.render import ledger as render
    from ampcommit.verbs.show import listed

    render.lines(listed(commit or "", thread or "", os.environ))


@app.command("path")
def ledger_path(as_json: AsJson = False) -> None:
    """Print where the ledger is."""
    from ampcommit.render import ledger as render
    from ampcommit.verbs.show import ledger_of

    render.path(ledger_of(os.environ).path, as_json=as_json)


@app.command("rebuild")
def ledger_rebuild(
    range_: Annotated[
        str, typer.Argument(metavar="[RANGE]", help="Commits as git names them; all of HEAD and the local branches.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Record what is missing of commits that no hook saw, from what they say and what they resemble."""
    from ampcommit.render import ledger as render
    from ampcommit.verbs import rebuild as verb

    render.rebuilt(verb.rebuild(range_, os.environ, dry_run=dry_run), as_json=as_json)


@app.command("export")
def ledger_export(
    range_: Annotated[
        str | None,
        typer.Argument(
            metavar="[RANGE]", callback=insist, help="Commits as git names them; without it all that is known."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="jsonl, agent-trace or in-toto.")] = "jsonl",
    output: Annotated[
        str | None, typer.Option(metavar="FILE", callback=insist, help="Write it there, whole or not.")
    ] = None,
) -> None:
    """Print what the ledger says for another clone or another program, one JSON object a line."""
    from ampcommit.render import ledger as render
    from ampcommit.verbs.export import Export

    found = Export(range_ or "", form, os.environ)
    render.exported(found, output or "")


@app.command("import")
def ledger_import(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What was exported; - reads stdin.")],
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="jsonl or agent-trace; without it each line tells by itself."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is new.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep what another ledger, or Agent Trace records, say: as claims, beside our own records."""
    from ampcommit.render import ledger as render
    from ampcommit.verbs import imports as verb

    with _opened(file) as (source, name):
        done = verb.imports(source, name, form, os.environ, dry_run=dry_run)
    render.imported(done, as_json=as_json)
    raise typer.Exit(2 if done.in_vain else 0)


@contextmanager
def _opened(file: str) -> "Iterator[tuple[BinaryIO, str | None]]":
    """Open what a person names, and say what it is called."""
    if file == "-":
        if sys.stdin is None:
            raise MisuseError("standard input is closed", hint="name a file, or give lines")
        yield sys.stdin.buffer, None
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115  # closed below
    except (OSError, ValueError) as error:  # the second: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise MisuseError(f"cannot read {file!a}: {reason}", hint="name a file of lines, or - for stdin") from error
    with stream:
        yield stream, os.path.basename(file)
