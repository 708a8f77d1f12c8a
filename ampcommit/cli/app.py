"""The command line: declare, delegate, render."""

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ampcommit import __version__
from ampcommit.cli import carry, ledger, log, setup, share, threads, verify, workspace
from ampcommit.cli.options import AsJson
from ampcommit.errors import AmpcommitError, MisuseError, SetupError
from ampcommit.escape import defused, terminal
from ampcommit.files import write_atomic
from ampcommit.render.streams import heard_or_not, mute, prepare_streams, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    help="Provenance for commits that an agent wrote.",
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ampcommit {__version__}")
        raise typer.Exit


@app.callback()
def top(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Provenance for commits that an agent wrote."""


setup.add_to(app)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def hook(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The hook, as git names it.")],
    parent: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Do what git asks of the hook NAME; for hook scripts and hook managers."""
    from ampcommit.hook import main as run

    # Where the system does not tell (macOS), the parent may be a hook manager, another one for each hook.
    known = parent if os.path.isdir("/proc/self") else 0
    raise typer.Exit(run(name, known, context.args))


verify.add_to(app)


@app.command()
def show(
    commit: Annotated[str, typer.Argument(help="A commit, as git names it.")] = "HEAD", as_json: AsJson = False
) -> None:
    """Show what is known of a commit: its threads, the chain behind them, the evidence."""
    from ampcommit.render import paper
    from ampcommit.verbs import show as verb

    paper.shown(verb.show(commit, os.environ), as_json=as_json)


log.add_to(app)
threads.add_to(app)
carry.add_to(app)
share.add_to(app)
workspace.add_to(app)


@app.command()
def demo(
    keep: Annotated[str, typer.Option("--keep", metavar="DIR", help="Leave the repository there to play with.")] = "",
) -> None:
    """Show the whole thing in a throw-away repository, offline, in seconds."""
    from ampcommit.cli import demo as verb

    verb.demo(keep, verb.Stage())


app.add_typer(ledger.app, name="ledger")


def main(argv: "Sequence[str] | None" = None, begun: object = None) -> None:
    """Run the command line, with *begun* in the command's context; a failure leaves as two lines and an exit code."""
    prepare_streams()
    try:
        status = app(args=argv, prog_name="ampcommit", standalone_mode=False, obj=begun)
        with heard_or_not():
            sys.stdout.flush()
    except TyperException as error:
        text = error.format_message()
        context = getattr(error, "ctx", None)  # of the command that was meant, where it came so far
        hint = f"{context.command_path if context else 'ampcommit'} --help"
        status = _fail(MisuseError(text, hint=hint)) if text else error.exit_code
    except AmpcommitError as error:
        status = _fail(error)
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except (BrokenPipeError, SystemExit):  # the second is how the help pages say the first
        mute()
        status = 0  # who read us has enough
    except OSError as error:
        mute()
        where = f" {error.filename}" if error.filename else ""
        status = _fail(
            SetupError(f"{error.strerror or error}{where}", hint="make room or give permission, then run it again")
        )
    except Exception as error:
        status = _defect(error)
    raise SystemExit(status or 0)


def _fail(error: AmpcommitError) -> int:
    hint = f" hint: {terminal(error.hint, 1000)}\n" if error.hint else ""
    tell(defused(f"error: {terminal(str(error), 1000)}\n{hint}"))
    return error.exit_code


def _defect(error: Exception) -> int:
    """Leave what a report needs in a file, and say where."""
    import tempfile
    import traceback

    about = f"ampcommit {__version__}, python {sys.version}\n\n{''.join(traceback.format_exception(error))}"
    try:
        path = os.path.join(tempfile.mkdtemp(prefix="ampcommit-"), "defect.txt")
        write_atomic(path, about.encode("utf-8", "backslashreplace"))
        hint = f"please report it with {path}"
    except OSError:
        hint = "please report it"
    tell(defused(f"error: defect in ampcommit: {terminal(repr(error))}\n hint: {hint}\n"))
    return AmpcommitError.exit_code
