"""What the commands about the ledger show."""

import sys

from ampcommit.escape import terminal
from ampcommit.render import Paper, print_json, warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ampcommit.ledger import Report as Checked
    from ampcommit.rebuild import Rebuilt

_COUNTS = {
    "known": "known already",
    "recorded": "recorded from their links",
    "by_tree": "attached to a recorded commit with the same tree, author and date",
    "by_patch": "attached to a recorded commit with the same patch, author and date",
    "ambiguous": "left alone: several recorded commits could be meant",
    "unread": "left alone: objects are missing here",
    "unknown": "of which nothing is known",
}


def check(found: "Checked", *, as_json: bool) -> None:
    """Show what `ledger check` found."""
    if as_json:
        problems = list(found.problems)
        print_json(
            {
                "schema": "ampcommit.check/1",
                "path": found.path,
                "lines": found.count,
                "problems": problems,
                "set_aside_bytes": found.aside,
            }
        )
        return
    out = Paper()
    out.say(f"{found.count} lines, {len(found.problems)} problems: {terminal(found.path, 1000)}")
    for problem in found.problems:
        out.say(("damaged", "red"), f" {terminal(problem)}")
    if found.aside:
        out.say(f"{found.aside} bytes of torn lines were set aside in {terminal(found.path, 1000)}.torn")
    if found.problems:
        sys.stderr.write(" hint: keep a copy; the commits themselves still carry their links\n")


def lines(found: "Iterable[bytes]") -> None:
    """Print records as they are, byte for byte."""
    for line in found:
        sys.stdout.buffer.write(line + b"\n")


def path(found: str, *, as_json: bool) -> None:
    """Print a path, which may hold anything but NUL."""
    if as_json:
        print_json({"schema": "ampcommit.path/1", "path": found})
    else:
        sys.stdout.buffer.write(found.encode("utf-8", "surrogateescape") + b"\n")


def rebuilt(found: "Rebuilt", *, as_json: bool) -> None:
    """Show what `ledger rebuild` did, or would do."""
    warnings(terminal(notice) for notice in found.notices)
    counts = {name: getattr(found, name) for name in _COUNTS}
    if as_json:
        print_json(
            {"schema": "ampcommit.rebuild/1", "path": found.ledger, "dry_run": found.dry_run, "checked": found.checked}
            | counts
        )
        return
    out = Paper()
    would = "would be added" if found.dry_run else "added"
    plural = ["" if count == 1 else "s" for count in (found.checked, found.added)]
    counted = f"{found.checked} commit{plural[0]}, {found.added} line{plural[1]} {would}"
    out.say(f"{counted}: {terminal(found.ledger, 1000)}")
    for name, count in counts.items():
        if count:
            out.say(f"{count:>8} {_COUNTS[name]}")
