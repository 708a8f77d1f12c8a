"""What Amp's own settings say of the trailer that its client adds; see docs/hooks.md."""

import json
import os
import re

from ampcommit.files import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "amp.git.commit.ampThread.enabled"
"""The setting with which Amp's client adds the link to a plain `git commit`, or does not."""

SWITCH = "AMP_DISABLE_AMP_THREAD_TRAILER"
"""The variable that says the same to the newest client."""

MANAGED = ("/etc/ampcode/managed-settings.json", "/Library/Application Support/ampcode/managed-settings.json")
"""Where a company's settings are, on Linux and on macOS."""

_LIMIT = 1024 * 1024
# Possessive: a quote that nobody closes ends with the text, and no way through it is tried twice.
_STRING = r'"(?:\\.|[^"\\])*+(?:"|\Z)'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*(?:.*?\*/|.*)", re.DOTALL)
_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


def switched_off(
    environ: "Mapping[str, str]", folder: str, top: str, managed: "tuple[str, ...]" = MANAGED
) -> list[str]:
    """
    Return where Amp's own link is switched off for who works in *folder* of the work tree *top*; nothing is executed.

    A workspace's settings win over the user's.
    """
    found = [SWITCH] if environ.get(SWITCH, "").lower() in ("1", "true") else []
    found += [path for path in managed if _value(path) is False]
    for path in (_nearest(folder, top), _of_user(environ)):
        if path and (value := _value(path)) is not None:
            return [*found, path] if value is False else found
    return found


def _nearest(folder: str, top: str) -> str | None:
    """Return the settings file of the workspace: the nearest one from *folder* up to *top*."""
    here, top = os.path.realpath(folder), os.path.realpath(top)
    while True:
        if path := _present(os.path.join(here, ".amp", "settings")):
            return path
        if here in (top, os.path.dirname(here)):
            return None
        here = os.path.dirname(here)


def _of_user(environ: "Mapping[str, str]") -> str | None:
    if named := environ.get("AMP_SETTINGS_FILE", ""):
        return named
    base = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(environ.get("HOME", ""), ".config")
    return _present(os.path.join(base, "amp", "settings")) if os.path.isabs(base) else None


def _present(stem: str) -> str | None:
    return next((stem + ending for ending in (".json", ".jsonc") if os.path.lexists(stem + ending)), None)


def _value(path: str) -> object:
    """Return what the settings file *path* says of our key; None where it says nothing that we can read."""
    # A link is fine: many keep their settings elsewhere.
    text = (read_regular(os.path.realpath(path), _LIMIT) or b"").decode("utf-8-sig", "replace")
    try:
        settings = json.loads(_COMMA.sub(r"\1", _COMMENT.sub(r"\1", text)))
    except (ValueError, RecursionError):
        return None
    return settings.get(KEY) if isinstance(settings, dict) else None
