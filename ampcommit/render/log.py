"""What the user sees of `log`: a line for each commit, or one JSON object that is printed as it comes about."""

import json
import sys

from ampcommit.escape import defused, terminal
from ampcommit.render.paper import Paper, warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.verbs.log import Log, Row

_SHORT = 12
_HEAD = f"{'commit':{_SHORT}}  {'thread':38}  {'chain':>5}  {'found by':<8}  {'known by':<8}  subject"
_FOUND_BY = {"patch-id": "patch"}


def shown(found: "Log", *, as_json: bool) -> None:
    """Show what is known of commits, and what is to be said about that, before and behind it."""
    said = len(found.notices)
    warnings(terminal(notice, 1000) for notice in found.notices)
    if as_json:
        _json(found)
    else:
        _lines(found)
    warnings(terminal(notice, 1000) for notice in found.notices[said:])


def _lines(found: "Log") -> None:
    for number, row in enumerate(found.rows):
        if not number:
            Paper().say((_HEAD, "bold"))
        sys.stdout.write(f"{_line(row)}\n")  # rich would take ten times as long


def _line(row: "Row") -> str:
    thread = row.threads[-1] if row.threads else "-"
    how = terminal(_FOUND_BY.get(row.source or "-", row.source or "-"), 20)
    who = row.known_by or "-"
    subject = defused(terminal(row.subject))
    return f"{row.commit[:_SHORT]}  {thread:38}  {_length(row):>5}  {how:<8}  {who:<8}  {subject}".rstrip()


def _length(row: "Row") -> str:
    """Return how many threads the chain has, with a sign where more may be behind them."""
    if not row.threads:
        return "-"
    sign = {"complete": "", "cycle": "", "partial": "+"}.get(row.chain.state)
    return "?" if sign is None else f"{len(row.chain.threads)}{sign}"


def _json(found: "Log") -> None:
    """Print one object, commit by commit: there may be very many."""
    head = json.dumps({"schema": "ampcommit.log/1", "range": found.asked})
    sys.stdout.write(f'{head[:-1]}, "commits": [')
    between = ""
    for row in found.rows:
        sys.stdout.write(between + json.dumps(_fields(row)))
        between = ", "
    sys.stdout.write("]}\n")


def _fields(row: "Row") -> dict[str, object]:
    return {
        "commit": row.commit,
        "threads": row.threads,
        "chain": row.chain.threads,
        "chain_state": row.chain.state,
        "source": row.source,
        "known_by": row.known_by,
        "remote": row.remote,
        "subject": row.subject,
    }
