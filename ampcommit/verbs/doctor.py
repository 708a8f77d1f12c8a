"""The verb `doctor`: a trial shows whether the hooks run, and what is off is said in sentences."""

import os
import shlex
import stat

from ampcommit.errors import GitError
from ampcommit.gitcmd import Git
from ampcommit.record import Finding
from ampcommit.setup import managers
from ampcommit.setup.amp_settings import KEY, SWITCH, switched_off
from ampcommit.setup.scratch import runnable, scratch, surroundings
from ampcommit.shim import EARLIER, HOOKS, is_ours
from ampcommit.verbs import install
from ampcommit.verbs.trial import SECONDS, tried
from ampcommit.verbs.upkeep import upkeep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ampcommit.verbs.install import HookState, Setup
    from ampcommit.verbs.trial import Trial, Tried

_TREES = 50
_ADD_THERE = "`ampcommit install` says what to add there"
_SILENT = "it said nothing"
_COPIED = "the trial had the files of the last commit"


class Examination:
    """What the trial showed of each hook of a setup, and the findings, the gravest first."""

    def __init__(self, setup: "Setup", trial: "Trial", findings: list[Finding]) -> None:
        self.setup = setup
        self.trial = trial
        self.findings = sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.level))

    @property
    def needs_mending(self) -> bool:
        """Say whether something must be mended before every commit is linked and recorded."""
        return any(finding.level == "error" for finding in self.findings)


def doctor(environ: "Mapping[str, str]", folder: str = ".", *, seconds: float = SECONDS) -> Examination:
    """Try the hooks of the clone that *folder* belongs to, for at most *seconds*, and look for what is off."""
    git = Git(folder, environ)
    setup = install.status(folder)
    with scratch(git, setup.place, setup.folder, environ) as copy:
        trial = tried(copy, seconds)
    findings = [*_of_trial(trial), *_of_hooks(git, setup, trial), *_of_work_trees(git, setup, trial, environ)]
    findings += [*_of_policy(setup), *upkeep(git, setup.place, environ), *_of_amp(setup, trial, environ, folder)]
    return Examination(setup, trial, findings)


def _of_trial(trial: "Trial") -> "Iterator[Finding]":
    """Say what kept the trial from proving everything."""
    if trial.hung:
        message = f"{trial.hung} did not end within {trial.seconds:g} seconds; what comes after it was not tried"
        yield Finding("hook-hangs", "error", message, "it, or what it calls, waits for something: run it by hand")
    if trial.failed is not None:
        message = f"git could not make the commits of the trial: {trial.failed or _SILENT}"
        yield Finding("trial-failed", "error", message, "mend that first, then run `ampcommit doctor` again")
    if trial.refused is not None:
        message = f"commit-msg refused the commit of the trial, so that it is not proved: {trial.refused or _SILENT}"
        hint = f"make a commit, and look at it with `ampcommit show`; {_COPIED}"
        yield Finding("hook-refuses", "warning", message, hint)


def _of_hooks(git: Git, setup: "Setup", trial: "Trial") -> "Iterator[Finding]":
    dead = [hook for hook in setup.hooks if trial.hooks[hook.name].ran is not True]
    elsewhere = list(_of_folder(git, setup)) if dead and setup.elsewhere else []
    yield from elsewhere
    configured = managers.configured(git)
    for hook in setup.hooks:
        path = os.path.join(setup.folder, hook.name)
        script = managers.read_script(os.path.realpath(path))
        if hook in dead:
            found = _of_dead(hook, path, script, trial.hooks[hook.name], setup)
            yield from (one for one in found if not elsewhere or one.code != "hook-absent")
        elif hook.state == "outdated":
            message = f"{hook.name} is of another version or place of ampcommit"
            yield Finding("hook-outdated", "warning", message, "run `ampcommit install` again")
        if runnable(path + EARLIER) and (
            gone := managers.lacking(managers.read_script(os.path.realpath(path + EARLIER)))
        ):
            message = f"the hook that runs before ours cannot run: {gone} is gone, which {path}{EARLIER} needs"
            yield Finding("hook-earlier-gone", "error", message, "mend that hook, or remove it")
        if hook.name in configured and (is_ours(script) or managers.calls_us(script, hook.name)):
            message = f"git runs ampcommit twice as {hook.name}: from {path}, and from its configuration"
            yield Finding("hook-twice", "warning", message, "keep one of them; `git config --edit` opens the other")
    yield from _of_sharing(setup)
    yield from _of_permissions(setup)


def _of_sharing(setup: "Setup") -> "Iterator[Finding]":
    """Say what keeps a push from publishing records, where it is meant to; the trial pushes nothing."""
    hook, again = setup.pushing, "run `ampcommit install --share` again"
    if hook.state in ("outdated", "broken"):
        off = "is of another version or place of ampcommit" if hook.state == "outdated" else "cannot run"
        yield Finding(f"share-{hook.state}", "warning", f"{hook.name}, which publishes records, {off}", again)
    elif setup.fetched and hook.state in ("foreign", "absent"):
        message = f"records are fetched here, and no push publishes any: {hook.name} is not ours"
        yield Finding("share-absent", "warning", message, f"{again}; or publish them with `ampcommit share`")


def _of_permissions(setup: "Setup") -> "Iterator[Finding]":
    """Say which hooks, or their folder, everybody can write."""
    names = [hook.name + ending for hook in (*setup.hooks, setup.pushing) for ending in ("", EARLIER)]
    paths = [setup.folder, *(os.path.join(setup.folder, name) for name in names), *(hook.path for hook in setup.hooks)]
    for path in dict.fromkeys(paths):
        if (os.path.isdir(path) or os.path.isfile(path)) and os.stat(path).st_mode & stat.S_IWOTH:
            message = f"everybody can write {path}, and so run what they like as you"
            yield Finding("hook-writable", "warning", message, f"chmod o-w {shlex.quote(path)}")


def _of_folder(git: Git, setup: "Setup") -> "Iterator[Finding]":
    """Say that git looks for hooks where ours are not, or where nothing is."""
    told = os.fsdecode(git("config", "-z", "--show-scope", "--show-origin", "--get", "core.hooksPath", ok=(0, 1)))
    if not told:
        return  # the folder itself is a link
    _, origin, _ = told.split("\0", 2)
    file = os.path.join(setup.place.top, origin.removeprefix("file:")) if origin.startswith("file:") else ""
    clear = f"git config --file {shlex.quote(file)} --unset core.hooksPath" if file else "clear GIT_CONFIG_COUNT and -c"
    own = os.path.join(setup.place.common_dir, "hooks")
    missing = "" if os.path.isdir(setup.folder) else ", which is no folder: git runs no hook at all"
    leads = f"core.hooksPath ({origin.removeprefix('file:')}) sends git to {setup.folder}{missing}"
    if any(managers.is_ours(os.path.join(own, name)) for name in HOOKS):
        message = f"the hooks in {own} do not run: {leads}"
        yield Finding("hooks-shadowed", "error", message, f"{_ADD_THERE}; or end that: {clear}")
    elif missing:
        yield Finding("hooks-folder-missing", "error", leads, f"make that folder with its hooks; or end that: {clear}")


def _of_dead(hook: "HookState", path: str, script: bytes, seen: "Tried", setup: "Setup") -> "Iterator[Finding]":
    """Say why *hook*, for which git looks at *path*, does not run."""
    add = _ADD_THERE if setup.elsewhere else "run `ampcommit install`"
    said = f": {seen.said}" if seen.said else ""
    absent = next((one for one in (path, hook.path) if not os.path.lexists(one)), None)
    if absent:
        yield Finding("hook-absent", "error", f"{hook.name} is not installed: there is no {absent}", add)
    elif not os.path.isfile(path):
        message = f"{path} is no file that git could run: a folder, a pipe, or a link to nothing"
        yield Finding("hook-no-file", "error", message, f"move it away; then {add}")
    elif not runnable(path):
        why = "its file system or its owner forbids it" if os.stat(path).st_mode & 0o111 else "git passes it over"
        hint = f"chmod +x {shlex.quote(path)}"
        yield Finding("hook-not-executable", "error", f"{path} is not executable: {why}", hint)
    elif gone := managers.lacking(script):
        message = f"{hook.name} cannot run: {gone} is gone"
        yield Finding("hook-interpreter-gone", "error", message, "run `ampcommit install` again, or mend the hook")
    elif seen.ran is False and hook.state == "foreign":
        message = f"{hook.path} is somebody else's hook, and does not lead to ampcommit{said}"
        if managers.clashes(hook.path):
            add = f"keep one of it and {hook.path}{EARLIER}, move the other one away; then run `ampcommit install`"
        elif not setup.elsewhere:
            add += "; it keeps that hook"
        yield Finding("hook-foreign", "error", message, add)
    elif seen.ran is False:
        message = f"{hook.name} {'runs without effect' if seen.started else 'is there, and git did not start it'}{said}"
        yield Finding("hook-without-effect", "error", message, f"mend what it says, or {add} again; {_COPIED}")


def _of_work_trees(git: Git, setup: "Setup", trial: "Trial", environ: "Mapping[str, str]") -> "Iterator[Finding]":
    """Say which other work trees of the clone look for hooks elsewhere: git silently runs none that is not there."""
    listed = os.fsdecode(git("worktree", "list", "--porcelain")).split("\n")
    trees = [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
    outside = surroundings(git, environ)
    for tree in [tree for tree in trees if os.path.lexists(os.path.join(tree, ".git"))][:_TREES]:
        try:
            told = Git(tree, outside)("rev-parse", "--path-format=absolute", "--git-path", "hooks")
        except GitError:
            continue  # it belongs to somebody else, or is broken
        folder = os.fsdecode(told).removesuffix("\n")
        if os.path.realpath(folder) == os.path.realpath(setup.folder):
            continue
        alive = [name for name in HOOKS if trial.hooks[name].ran is not False]
        here = [name for name in alive if runnable(os.path.join(setup.folder, name))]
        missing = [name for name in here if not runnable(os.path.join(folder, name))]
        if missing:
            message = f"in the work tree {tree} git runs no {', no '.join(missing)}: it looks into {folder} there"
            hint = "make that folder there too, or set an absolute core.hooksPath"
            yield Finding("work-tree-without-hooks", "error", message, hint)
        else:
            message = f"the work tree {tree} has a hooks folder of its own, {folder}"
            yield Finding("work-tree-apart", "note", message, "run `ampcommit doctor` there, too")


def _of_policy(setup: "Setup") -> "Iterator[Finding]":
    settings = setup.settings
    for text in settings.warnings + settings.problems:
        yield Finding("policy", "warning", text, "docs/policy.md lists what a policy may say")
    if settings.mode == "off":
        message = (
            f"mode = off ({settings.origins['mode']}): here the hooks do nothing; they were tried as if it were warn"
        )
        yield Finding("mode-off", "note", message, "to have them work: git config ampcommit.mode require")


def _of_amp(setup: "Setup", trial: "Trial", environ: "Mapping[str, str]", folder: str) -> "Iterator[Finding]":
    """Say where Amp's own trailer is switched off; that is grave only where nobody else adds the link."""
    ours = trial.hooks["commit-msg"].ran and setup.settings["autolink"] and setup.settings.mode != "off"
    for where in switched_off(environ, folder, setup.place.top):
        what = f"{SWITCH}=1" if where == SWITCH else f"{KEY} = false in {where}"
        message = f"Amp adds no link by itself ({what}): {'commit-msg does' if ours else 'nobody does'}"
        both = f"unset {SWITCH}" if where == SWITCH else "set it to true"
        hint = f"nothing, as long as commit-msg runs; to have both, {both}" if ours else f"to have Amp do it, {both}"
        yield Finding("amp-trailer-off", "note" if ours else "warning", message, hint)
