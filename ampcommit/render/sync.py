"""What the user sees of `sync`: on a terminal how far it is, and at the end what was done."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ampcommit.amp.usage import text_of
from ampcommit.escape import terminal
from ampcommit.render.paper import Paper, print_json, warnings
from ampcommit.render.streams import heard_or_not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from ampcommit.verbs.sync import Synced


class Watching(Progress):
    """How far a run is, on stderr during the `with` block if that is a terminal; it looks at *done* by itself."""

    def __init__(self, done: "Synced") -> None:
        self._done = done
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        super().__init__(
            *columns,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        for what in ("threads", "costs"):
            self.add_task(what, total=None, visible=what == "threads")

    def get_renderables(self) -> "Iterable[RenderableType]":
        """Bring the bars up to date, and return them."""
        if self.task_ids:  # not while this is made
            done, (threads, costs) = self._done, self.task_ids
            listed, priced = sum(done.listed.values()), done.filled + done.expired + done.untold + done.failed
            self.update(threads, completed=listed, total=None if done.due is None else listed)
            self.update(costs, completed=priced, total=done.due, visible=done.due is not None)
        return super().get_renderables()


def synced(done: "Synced", *, as_json: bool) -> None:
    """Show what a run did; what ended it early is for the command line to say."""
    said = [terminal(notice, 1000) for notice in done.notices]
    if done.unusable:
        said.append(f"{done.unusable} entries of the list have no id or no creator, and were left out")
    warnings(said)
    with heard_or_not():
        if as_json:
            print_json(_json(done))
        else:
            _lines(done)


def _lines(done: "Synced") -> None:
    out = Paper()
    since = f", first synced since {text_of(done.since)}" if done.since else ""
    out.say(f"threads   {_counts(done.listed)}{since}")
    if done.due is not None and done.asked.dry_run:
        out.say(f"costs     {done.due:,} would be asked for")
    elif done.due is not None:
        out.say(f"costs     {_counts(_outcomes(done))}")
    out.say(f"requests  {done.requests:,} in {done.seconds:.1f} s")
    kept = "a dry run, nothing was kept" if done.asked.dry_run else terminal(done.path, 1000)
    nouns = {"threads": "thread", "users": "user", "repositories": "repository"}
    size = ", ".join(f"{number:,} {nouns[name] if number == 1 else name}" for name, number in done.size.items())
    out.say(f"store     {size}: {kept}")


def _outcomes(done: "Synced") -> dict[str, int]:
    return {"filled": done.filled, "expired": done.expired, "untold": done.untold, "failed": done.failed}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _json(done: "Synced") -> dict[str, object]:
    return {
        "schema": "ampcommit.sync/1",
        "dry_run": done.asked.dry_run,
        "since": done.since and text_of(done.since),
        "threads": {**done.listed, "unusable": done.unusable},
        "usage": {"due": done.due, **_outcomes(done)} if done.asked.usage else None,
        "requests": done.requests,
        "seconds": round(done.seconds, 3),
        "store": {"path": done.path, **done.size},
        "complete": done.problem is None,
    }
