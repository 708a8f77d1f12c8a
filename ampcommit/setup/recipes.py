"""How to let hooks of other people call us: lines for scripts, and what other tools want in their configuration."""

import os

from ampcommit import shim
from ampcommit.errors import InstallError
from ampcommit.escape import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ampcommit.gitcmd import Git
    from ampcommit.place import Place

LINES = {
    "commit-msg": 'ampcommit hook commit-msg "$@" || case $? in 33|130) exit 1;; esac',
    "post-commit": "ampcommit hook post-commit || :",
    "post-merge": 'ampcommit hook post-merge "$@" || :',
    "post-rewrite": 'ampcommit hook post-rewrite "$@" || :',
    "pre-push": 'ampcommit hook pre-push "$@" || :',
}
"""The line of shell that calls us from a hook of somebody else's, without a failure of ours in git's way."""

_WHERE = {
    "commit-msg": ", behind everything that edits the message",
    "post-commit": "",
    "post-merge": "",
    "post-rewrite": ", before anything else that reads standard input",
    "pre-push": ", behind everything that may refuse the push; it reads standard input",
}
_FED = ("post-rewrite", "pre-push")
_JOB = """\
{hook}:
  jobs:
    - name: ampcommit
      run: {line}
"""
_ENTRY = """\
      - id: ampcommit-{id}
        name: ampcommit
        entry: ampcommit hook {hook}
        language: system
        stages: [{hook}]
"""


class Elsewhere(InstallError):  # noqa: N818  # where git looks for hooks, and no failure of anybody
    """Git runs hooks of a folder that is not this clone's own; `recipe` is what to add there, ready to paste."""

    def __init__(self, message: str, *, hint: str, recipe: str) -> None:
        super().__init__(message, hint=hint)
        self.recipe = recipe


def printed(hooks: "Iterable[str]" = shim.HOOKS, folder: str = "") -> str:
    """Return what calls us from scripts of one's own, each line with where it belongs."""
    blocks = (f"# {terminal(os.path.join(folder, hook), 1000)}{_WHERE[hook]}\n{LINES[hook]}\n" for hook in hooks)
    return "\n".join(blocks)


def advice(writers: "Iterable[str | None]") -> str:
    """Return what to know where scripts of these *writers* run before ours; nothing if there is nothing."""
    if "lefthook" not in writers:
        return ""
    return (
        "note: when lefthook.yml changes, lefthook puts its own scripts in the place of these\n"
        " hint: lefthook.yml can call ampcommit itself; docs/hooks.md says how"
    )


def elsewhere(git: "Git", place: "Place", folder: str, hooks: list[str], owner: str | None) -> Elsewhere:
    """
    Return the refusal to write into *folder*, where git looks for hooks, with what adds *hooks* there.

    *owner* is the tool that made the hooks in that folder.
    """
    whose, hint, recipe = _of_a_tool(owner, place, folder, hooks) or _of_a_person(git, place, folder, hooks)
    return Elsewhere(f"git runs the hooks in {folder}, {whose}: nothing was written", hint=hint, recipe=recipe)


def _of_a_tool(owner: str | None, place: "Place", folder: str, hooks: list[str]) -> tuple[str, str, str] | None:
    """Return whose *folder* is, what to do and what to add; None if no tool made what is there."""
    if owner == "husky":
        files = os.path.relpath(os.path.dirname(folder), place.top)
        return (
            "which is husky's",
            "add what stands above to the files that it names; husky runs them",
            printed(hooks, files),
        )
    if owner == "lefthook":
        hint = "put what stands above into lefthook.yml; lefthook runs it"
        return "where lefthook put its own", hint, _jobs(hooks)
    if owner == "pre-commit":
        hint = "put what stands above into .pre-commit-config.yaml; the pre-commit framework runs it"
        return "where the pre-commit framework put its own", hint, _entries(hooks)
    return None


def _of_a_person(git: "Git", place: "Place", folder: str, hooks: list[str]) -> tuple[str, str, str]:
    """Return whose *folder* is, what to do and what to add, where no tool made it."""
    scope = git("config", "--show-scope", "--get", "core.hooksPath", ok=(0, 1)).partition(b"\t")[0].decode()
    flag = f" --{scope}" if scope in ("global", "system", "worktree") else ""
    if os.path.exists(folder) and not os.path.isdir(folder):
        hint = f"to switch them on: git config{flag} --unset core.hooksPath; then install again"
        return "which is no folder (they are switched off)", hint, ""
    recipe = (
        f"{printed(hooks, folder)}\n# A script that is not there yet begins with #!/bin/sh, and must be executable.\n"
    )
    top = os.path.realpath(place.top)
    if os.path.commonpath([top, os.path.realpath(folder)]) == top:
        return "a folder of the work tree", "add what stands above to the scripts there", recipe
    own = shim.quoted(os.path.join(place.common_dir, "hooks"))
    hint = (
        f"add what stands above to the scripts there, or let this clone have its own: git config core.hooksPath {own}"
    )
    return "a folder for all your clones" if scope == "global" else "a folder outside of this clone", hint, recipe


def _jobs(hooks: list[str]) -> str:
    """Return what calls us from lefthook.yml."""
    jobs = []
    for hook in hooks:
        # A value of YAML must not end with a colon; lefthook puts the arguments in itself.
        line = LINES[hook].replace("$@", "{1}").replace("|| :", "|| true")
        jobs.append(_JOB.format(hook=hook, line=line) + ("      use_stdin: true\n" if hook in _FED else ""))
    return "".join(jobs)


def _entries(hooks: list[str]) -> str:
    """Return what calls us from .pre-commit-config.yaml."""
    always = "        always_run: true\n        pass_filenames: false\n"
    entries = (
        _ENTRY.format(hook=hook, id="share" if hook in shim.SHARING else hook)
        + ("" if hook == "commit-msg" else always)
        for hook in hooks
    )
    types = ", ".join(hooks)
    return f"default_install_hook_types: [{types}]\nrepos:\n  - repo: local\n    hooks:\n{''.join(entries)}"
