"""What the commands about the ledger show."""

import os
import stat
import sys

from ampcommit.errors import MisuseError
from ampcommit.escape import terminal
from ampcommit.files import remove
from ampcommit.render.paper import Paper, print_json, warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ampcommit.ledger import Report as Checked
    from ampcommit.verbs.export import Export
    from ampcommit.verbs.imports import Imports
    from ampcommit.verbs.rebuild import Rebuilt

_COUNTS = {
    "known": "known already",
    "recorded": "recorded from their links",
    "by_tree": "attached to a recorded commit with the same tree, author and date",
    "by_patch": "attached to a recorded commit with the same patch, author and date",
    "ambiguous": "left alone: several recorded commits could be meant",
    "unread": "left alone: objects are missing here",
    "unknown": "of which nothing is known",
}
_LINES = {
    "known": "known already",
    "passed": "of no use here: no link that is accepted, no commit, or another kind of line",
    "unplaced": "left alone: nobody can tell which commit they are about",
    "bad": "that cannot be used",
}


def check(found: "Checked", notices: "Sequence[str]" = (), *, as_json: bool) -> None:
    """Show what `ledger check` found; *notices* are what somebody should know who does not find it damaged."""
    warnings(terminal(notice, 1000) for notice in notices)
    if as_json:
        problems = list(found.problems)
        print_json(
            {
                "schema": "ampcommit.check/1",
                "path": found.path,
                "lines": found.count,
                "problems": problems,
                "notices": list(notices),
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


def exported(found: "Export", output: str) -> None:
    """Print what is exported, or write it into the file *output*, which is whole or as it was."""
    if output:
        _write(output, found.lines())
    else:
        lines(found.lines())
    warnings(found.notices)


def _write(output: str, found: "Iterable[bytes]") -> None:
    path = os.path.realpath(output)
    special = os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)
    aside = path if special else os.path.join(os.path.dirname(path), f".ampcommit-{os.urandom(6).hex()}.tmp")
    try:
        with open(aside, "wb" if special else "xb") as file:
            file.writelines(_ended(found))
        if not special:
            os.replace(aside, path)
    except OSError as error:
        hint = "name a file that you may write, in a folder that is there"
        raise MisuseError(f"cannot write {output!a}: {error.strerror}", hint=hint) from error
    finally:
        if not special:
            remove(aside)


def _ended(found: "Iterable[bytes]") -> "Iterator[bytes]":
    for line in found:
        yield line + b"\n"


def imported(found: "Imports", *, as_json: bool) -> None:
    """Show what `ledger import` did, or would do."""
    warnings(terminal(notice) for notice in [*found.notices, *found.problems])
    counts = {name: getattr(found, name) for name in ("added", *_LINES, "missing")}
    if as_json:
        head = {"schema": "ampcommit.import/1", "path": found.ledger, "dry_run": found.dry_run, "lines": found.lines}
        print_json(head | counts | {"problems": found.problems})
        return
    out = Paper()
    would = "would be added" if found.dry_run else "added"
    plural = "" if found.lines == 1 else "s"
    out.say(f"{found.lines} line{plural}, {found.added} {would}: {terminal(found.ledger, 1000)}")
    for name, what in _LINES.items():
        if counts[name]:
            out.say(f"{counts[name]:>8} {what}")
    if found.missing:
        out.say(f"{found.missing:>8} of the new ones about commits that are not here")
