"""Everything the user sees of a command: results on stdout, talk on stderr, JSON where it is asked for."""

import json
import sys

from rich.console import Console
from rich.text import Text

from ampcommit.escape import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ampcommit.install import Setup
    from ampcommit.ledger import Report as Checked
    from ampcommit.show import Shown

_STATES = {
    "installed": "installed",
    "outdated": "of another version or place: run `ampcommit install` again",
    "broken": "cannot run: run `ampcommit install` again",
    "foreign": "somebody else's hook; `ampcommit install` keeps it running",
    "by hand": "calls ampcommit, put there by hand",
    "absent": "not installed: run `ampcommit install`",
}
_MIXED_TEAM = """\
Not everybody here commits with Amp? Then demand the link only of the agent's own commits:
  git config ampcommit.authors agent                          (this clone)
  git config -f .ampcommit ampcommit.authors agent            (everybody, once .ampcommit is committed)"""


class Paper(Console):
    """Where lines for people go: never wrapped, because long ids and links must survive a pipe."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True, emoji=False, markup=False)

    def say(self, *parts: "str | tuple[str, str]") -> None:
        """Print *parts* on one line; a pair is text and its style."""
        self.print(Text.assemble(*parts))

    def on_broken_pipe(self) -> None:
        """Let the command line decide what it means that nobody reads."""
        raise BrokenPipeError


def print_json(value: object) -> None:
    """Print *value* as JSON on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")


def setup(found: "Setup", *, as_json: bool, verb: str) -> None:
    """Show what is set up: hooks, ledger, and the policy with where each value came from."""
    if as_json:
        print_json(_setup_json(found))
        return
    out = Paper()
    if found.elsewhere:
        out.say(f"{'hooks':<12} {terminal(found.folder, 1000)}  (core.hooksPath; `ampcommit install` says what to do)")
    for hook in found.hooks:
        colour = "green" if hook.state in ("installed", "by hand") else "yellow"
        kept = f"; {hook.earlier} runs before it" if hook.earlier else ""
        state = _STATES[hook.state]
        if hook.state == "absent" and verb == "uninstall":
            state = "not installed"
        if hook.state == "foreign" and found.elsewhere:
            state = "somebody else's hook"
        out.say(f"{hook.name:<12} ", (state, colour), kept)
    out.say(f"{'ledger':<12} {terminal(found.place.ledger, 1000)}")
    if verb == "uninstall":
        out.say(f"{'':<12} (kept; remove it if you no longer want it)")
        return
    out.say(f"{'python':<12} {terminal(found.python, 1000)}")
    if found.used:
        out.say(f"{'thread':<12} {found.used} (set by hand for this work tree; `ampcommit use --none` ends that)")
    out.say(f"{'amp':<12} {terminal(found.amp, 1000) if found.amp else 'not found when the hooks were installed'}")
    if found.amp and found.settings.clone["resolve"] == "background":
        out.say(f"{'':<12} (asked in the background for chains not known here, with the key that is set up for Amp;")
        out.say(f"{'':<12} to end that: git config ampcommit.resolve never)")
    _policy(out, found)


def _policy(out: Paper, found: "Setup") -> None:
    out.say("policy")
    for name, value in found.settings.values.items():
        shown = (
            " ".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else value
        )
        out.say(f"  {name:<10} {terminal(str(shown)) or '(none)':<16} from {found.settings.origins[name]}")
    for text in found.settings.warnings + found.settings.problems:
        out.say(("warning:", "yellow"), f" {terminal(text)}")
    if found.settings["authors"] == "everyone":
        out.say(_MIXED_TEAM)


def _setup_json(found: "Setup") -> dict[str, object]:
    values, origins = found.settings.values, found.settings.origins
    return {
        "schema": "ampcommit.status/1",
        "top": found.place.top,
        "folder": found.folder,
        "hooks": [
            {"hook": hook.name, "path": hook.path, "state": hook.state, "earlier": hook.earlier} for hook in found.hooks
        ],
        "works": found.works,
        "python": found.python,
        "package": found.package,
        "amp": found.amp,
        "resolve": found.settings.clone["resolve"],
        "use": found.used,
        "ledger": found.place.ledger,
        "policy": {name: {"value": values[name], "from": origins[name]} for name in values},
        "problems": found.settings.problems,
        "warnings": found.settings.warnings,
    }


def shown(found: "Shown", *, as_json: bool) -> None:
    """Show what is known of a commit."""
    if as_json:
        print_json(_shown_json(found))
        return
    out = Paper()
    out.say((found.commit, "bold"), f" {terminal(found.subject)}")
    if not found.threads:
        out.say("no thread is known for this commit: neither a record nor a link in its message")
        return
    _labelled(out, "thread", [thread.url for thread in found.threads])
    _labelled(out, "chain", [thread.url for thread in found.chain] + [STATE_TEXT.get(found.chain_state, "")])
    _labelled(out, "found by", [_SOURCE_TEXT.get(str(found.source), str(found.source))])
    _labelled(out, "evidence", [_evidence(found)])


def _labelled(out: Paper, label: str, texts: list[str]) -> None:
    for text in texts:
        out.say(f"{label:<9} {terminal(text)}")
        label = ""


STATE_TEXT = {
    "complete": "(complete: back to the thread where the work began)",
    "partial": "(partial: of an earlier thread nothing is known on this machine)",
    "cycle": "(the threads name each other in a circle)",
    "unknown": "(unknown: nothing on this machine tells what came before this thread)",
}
_SOURCE_TEXT = {
    "env": "the agent's own environment",
    "message": "the link in the message",
    "use": "a person, with `ampcommit use`",
}


def _evidence(found: "Shown") -> str:
    if not found.records:
        return "a link in the message, and no record in this clone's ledger"
    checked = "the hook had checked the message" if found.validated else "the hook had not checked the message"
    return f"recorded {found.records[-1].get('time')}; {checked}"


def _shown_json(found: "Shown") -> dict[str, object]:
    return {
        "schema": "ampcommit.show/1",
        "commit": found.commit,
        "threads": found.threads,
        "chain": found.chain,
        "chain_state": found.chain_state,
        "source": found.source,
        "records": found.records,
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


def text(found: "Iterable[str]") -> None:
    """Print lines for another program to draw."""
    for line in found:
        sys.stdout.write(f"{line}\n")


def warnings(found: "Iterable[str]") -> None:
    """Say on stderr what went wrong on the way."""
    for line in found:
        sys.stderr.write(f"warning: {line}\n")
