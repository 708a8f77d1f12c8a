"""The command line of `verify`: declare, delegate, show."""

import os
import sys
from contextlib import nullcontext
from functools import partial
from typing import Annotated

import typer

from ampcommit.cli.options import insist
from ampcommit.errors import MisuseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from ampcommit.commits.history import History
    from ampcommit.gate.ranges import Asked
    from ampcommit.gate.verdict import Report


_Range = Annotated[
    str | None, typer.Argument(metavar="RANGE", callback=insist, help="Commits: A..B, A...B, or one revision.")
]
_All = Annotated[bool, typer.Option("--all", help="All branches, tags and HEAD.")]
_Stdin = Annotated[bool, typer.Option("--stdin", help="Ids, or lines of pre-receive or pre-push.")]
_Message = Annotated[
    str | None,
    typer.Option("--message", metavar="FILE", callback=insist, help="Judge this message; - reads stdin."),
]
_PolicyFrom = Annotated[
    str | None,
    typer.Option("--policy-from", metavar="COMMIT", callback=insist, help="Take the policy committed there."),
]
_AllowFixup = Annotated[bool, typer.Option("--allow-fixup", help="Let the policy exempt fixups.")]
_MinCoverage = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=100, help="Fail only below N % linked commits.")
]
_Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json, github, gitlab, sarif or junit.")]
_AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
_Output = Annotated[
    str | None,
    typer.Option("--output", metavar="FILE", callback=insist, help="Write the report there, whole or not."),
]
_MaxFindings = Annotated[int | None, typer.Option(metavar="N", min=0, help="Print at most so many findings.")]
_RequireSigned = Annotated[bool, typer.Option("--require-signed", help="Demand a signed record: AC303, AC304.")]
_AllowedSigners = Annotated[
    str | None,
    typer.Option("--allowed-signers", metavar="FILE", callback=insist, help="Who may sign; else .ampcommit-signers."),
]
_Online = Annotated[bool, typer.Option("--online", help="Ask Amp about the threads, too: AC401, AC402.")]
_Quiet = Annotated[bool, typer.Option("--quiet", help="Print only what fails.")]


def verify(
    context: typer.Context,
    commits: _Range = None,
    *,
    everything: _All = False,
    stdin: _Stdin = False,
    message: _Message = None,
    policy_from: _PolicyFrom = None,
    allow_fixup: _AllowFixup = False,
    min_coverage: _MinCoverage = None,
    form: _Format = "text",
    as_json: _AsJson = False,
    output: _Output = None,
    max_findings: _MaxFindings = None,
    require_signed: _RequireSigned = False,
    allowed_signers: _AllowedSigners = None,
    online: _Online = False,
    quiet: _Quiet = False,
) -> None:
    """
    Check commits, or a message, against the policy.

    Without RANGE: what the CI system or the push asks for, else what is not in the upstream yet, else HEAD.
    """
    if (commits is not None) + everything + stdin + (message is not None) > 1:
        raise MisuseError("only one thing can be checked", hint="name a RANGE, --all, --stdin, or --message FILE")
    if message and any((policy_from, allow_fixup, min_coverage is not None, require_signed, allowed_signers, online)):
        raise _about_commits()
    from ampcommit.render.report import EVERY, publish

    form = "json" if as_json else form
    judging = _of_message(message) if message else None
    if judging is None:
        asking = partial(_asked, commits=commits, everything=everything, stdin=stdin)
        judged = partial(_of_commits(online), asking, os.environ, allow_fixup=allow_fixup, min_coverage=min_coverage)
        judged = partial(judged, policy_from=policy_from or "", signers=_signers(allowed_signers, require_signed))
        judging = judged(every=online or form in EVERY, begun=context.obj)
    with judging as report:
        publish(report, form, output=output or "", max_findings=max_findings, quiet=quiet, environ=os.environ)
    raise typer.Exit(report.exit_code)


def _signers(path: str | None, demanded: bool) -> str | None:
    """Return the file that says who may sign (empty: the committed one); None where no signature is demanded."""
    if path and not demanded:
        raise MisuseError("--allowed-signers is about signed records", hint="add --require-signed")
    return (path or "") if demanded else None


def _about_commits() -> MisuseError:
    options = "--policy-from, --allow-fixup, --min-coverage, --require-signed, --allowed-signers and --online"
    return MisuseError(f"{options} are about commits", hint="a message is judged by the policy of the hooks here")


def _of_commits(online: bool) -> "Callable[..., AbstractContextManager[Report]]":
    """Return what judges commits; *online*: with what Amp says of their threads."""
    from ampcommit.verbs import verify as verb

    if not online:
        return verb.commits
    from ampcommit.verbs.online import Online  # httpx costs the others nothing

    return partial(verb.commits, also=Online(os.environ))


def _of_message(path: str) -> "AbstractContextManager[Report]":
    from ampcommit.verbs import verify_message

    return nullcontext(verify_message.message(path, os.environ))


def _asked(history: "History", *, commits: str | None, everything: bool, stdin: bool) -> "Asked":
    from ampcommit.gate import ranges

    if commits:
        return ranges.named(history, commits)
    if everything:
        return ranges.everything(history)
    if stdin:
        return ranges.listed(history, _lines(ranges.LINE + 1))
    return ranges.surrounding(history, os.environ)


def _lines(limit: int) -> "Iterator[bytes]":
    """Return what stands on standard input line by line, no more than *limit* bytes of each at once."""
    if sys.stdin is None:
        raise MisuseError("standard input is closed", hint="give ids, or lines as git gives them to a hook")
    return iter(lambda: sys.stdin.buffer.readline(limit), b"")


def add_to(app: typer.Typer) -> None:
    """Give *app* the command."""
    app.command()(verify)
