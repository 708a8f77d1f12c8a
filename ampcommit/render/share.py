"""What the user sees of `share`: on a terminal what it is at, and at the end what was done, or what would be."""

import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ampcommit.escape import terminal
from ampcommit.render.paper import Paper, print_json, warnings
from ampcommit.render.streams import heard_or_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from ampcommit.verbs.share import Plan, Shared, Standing


class Watching(Progress):
    """What a run is at, on stderr during the `with` block if that is a terminal; it looks at *done* by itself."""

    def __init__(self, done: "Shared") -> None:
        self._done = done
        super().__init__(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self.add_task("", total=None)

    def get_renderables(self) -> "Iterable[RenderableType]":
        """Bring the line up to date, and return it."""
        if self.task_ids:  # not while this is made
            done = self._done
            again = f", try {done.tries}" if done.tries > 1 else ""
            self.update(self.task_ids[0], description=f"{terminal(done.remote)}: {done.stage}{again}")
        return super().get_renderables()


def shared(done: "Shared", *, as_json: bool) -> None:
    """Show what a run did."""
    warnings(terminal(notice, 1000) for notice in done.notices)
    with heard_or_not():
        if as_json:
            counts = {"published": done.published, "received": done.received, "tries": done.tries}
            print_json(
                {"schema": "ampcommit.share/1", "remote": done.remote, **counts, "seconds": round(done.seconds, 3)}
            )
            return
        tries = f"{done.tries} tries" if done.tries > 1 else "1 try"
        counted = f"{done.published:,} published, {done.received:,} received"
        Paper().say(f"{terminal(done.remote)}: {counted}; {tries}, {done.seconds:.1f} s")


def standings(found: "Sequence[Standing]", *, as_json: bool) -> None:
    """Show how the remotes stand, as far as the last fetch tells."""
    warnings(terminal(notice, 1000) for notice in dict.fromkeys(notice for one in found for notice in one.notices))
    if as_json:
        rows = [{"remote": one.remote, "shared": one.shared, "unpublished": one.unpublished} for one in found]
        print_json({"schema": "ampcommit.share-status/1", "remotes": rows})
        return
    out = Paper()
    for one in found:
        shared = "nothing was fetched from it yet" if one.shared is None else f"{one.shared:,} shared"
        out.say(f"{terminal(one.remote)}: {one.unpublished:,} unpublished, {shared}")


def planned(plan: "Plan", *, as_json: bool) -> None:
    """Print the lines that would be published, byte for byte, each behind its commit; what else there is on stderr."""
    said = [terminal(notice, 1000) for notice in plan.notices]
    if plan.signed:
        said.append(
            "a line with a signature would go with each line of the ledger that has none, and a head with those; "
            "signing may ask for a key, and is not done"
        )
    warnings(said)
    if as_json:
        rows = [{"commit": commit, "line": line.decode("utf-8", "backslashreplace")} for commit, line in plan.lines]
        print_json({"schema": "ampcommit.share-plan/1", "remote": plan.remote, "lines": rows, "signed": plan.signed})
        return
    seen = sys.stdout.isatty()  # notes of other people may hold what a terminal obeys
    with heard_or_not():
        for commit, line in plan.lines:
            shown = terminal(line.decode("utf-8", "backslashreplace"), 4 * len(line)).encode() if seen else line
            sys.stdout.buffer.write(commit.encode("ascii") + b" " + shown + b"\n")
