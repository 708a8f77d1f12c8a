"""What is set up in a clone, as the user sees it."""

from ampcommit.escape import terminal
from ampcommit.render.paper import Paper, print_json
from ampcommit.setup.managers import clashes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.verbs.doctor import Examination
    from ampcommit.verbs.install import HookState, Setup

_STATES = {
    "installed": "installed",
    "outdated": "of another version or place: run `ampcommit install` again",
    "broken": "cannot run: run `ampcommit install` again",
    "foreign": "somebody else's hook; `ampcommit install` keeps it running",
    "by hand": "calls ampcommit, put there by hand",
    "absent": "not installed: run `ampcommit install`",
}
_CLASH = "somebody else's hook, beside another one that was kept: `ampcommit doctor` says what to do"
_NO_REMOTE = "nothing comes with `git fetch`; with a remote: run `ampcommit install --share` again"
_MIXED_TEAM = """\
Not everybody here commits with Amp? Then demand the link only of the agent's own commits:
  git config ampcommit.authors agent                          (this clone)
  git config -f .ampcommit ampcommit.authors agent            (everybody, once .ampcommit is committed)"""


def setup(found: "Setup", *, as_json: bool, verb: str) -> None:
    """Show what is set up: hooks, ledger, and the policy with where each value came from."""
    if as_json:
        print_json(_setup_json(found))
        return
    out = Paper()
    if found.elsewhere:
        out.say(f"{'hooks':<12} {terminal(found.folder, 1000)}  (core.hooksPath; `ampcommit install` says what to do)")
    for hook in (*found.hooks, *[found.pushing] * found.shares):
        colour = "green" if hook.state in ("installed", "by hand") else "yellow"
        kept = f"; {hook.earlier} runs before it" if hook.earlier else ""
        out.say(f"{hook.name:<12} ", (_state(hook, found, verb), colour), kept)
    if found.shares and verb != "uninstall":
        names = ", ".join(terminal(name) for name in found.fetched)
        told = f"the records of {names} come with `git fetch`" if names else _NO_REMOTE
        out.say(f"{'shared':<12} {told}")
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


def _state(hook: "HookState", found: "Setup", verb: str) -> str:
    """Return what is to say of *hook*: its state, and the way out of it."""
    if hook.state == "absent" and verb == "uninstall":
        return "not installed"
    if hook.state == "foreign" and found.elsewhere:
        return "somebody else's hook"
    if hook.state == "foreign" and clashes(hook.path):
        return _CLASH
    said = _STATES[hook.state]
    return said.replace("ampcommit install`", "ampcommit install --share`") if hook is found.pushing else said


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
        "share": {"path": found.pushing.path, "state": found.pushing.state, "earlier": found.pushing.earlier}
        | {"fetched": found.fetched},
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


def examined(found: "Examination", *, as_json: bool) -> None:
    """Show which hooks ran, and what is off."""
    if as_json:
        print_json(_examined_json(found))
        return
    out = Paper()
    for seen in found.trial.hooks.values():
        out.say(f"{seen.name:<12} ", _RAN[seen.ran])
    for finding in found.findings:
        out.say((f"{finding.level}:", _COLOURS[finding.level]), f" {terminal(finding.message, 1000)}")
        out.say(f" hint: {terminal(finding.hint, 1000)}")
    if not found.needs_mending:
        proved = all(seen.ran for seen in found.trial.hooks.values())
        out.say("nothing needs mending" if proved else "nothing is known to need mending")


_RAN = {True: ("ran", "green"), False: ("did not run", "red"), None: ("not proved", "yellow")}
_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


def _examined_json(found: "Examination") -> dict[str, object]:
    seen = found.trial.hooks
    return {
        "schema": "ampcommit.doctor/1",
        "top": found.setup.place.top,
        "folder": found.setup.folder,
        "hooks": [
            {
                "hook": hook.name,
                "path": hook.path,
                "state": hook.state,
                "started": seen[hook.name].started,
                "ran": seen[hook.name].ran,
            }
            for hook in found.setup.hooks
        ],
        "findings": [finding.as_dict() for finding in found.findings],
        "needs_mending": found.needs_mending,
    }
