"""
What git runs: a table from the name of a hook to its function.

The policy may refuse a commit; a defect of ours may not. No library, and in the hooks of a commit no
network and no more of the standard library than tests/test_house.py lists for each.
"""

import os
import select

from ampcommit.call import Call, say
from ampcommit.errors import OUTCOMES, AmpcommitError
from ampcommit.escape import terminal
from ampcommit.files import ensure_streams, make_own_folder, write_atomic
from ampcommit.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130
_FED = ("post-rewrite", "pre-push")
_PATIENCE = 5000  # milliseconds without a word
_MOST = 64 * 1024 * 1024


def main(name: str, parent: int, args: list[str], asked: bool = False) -> int:
    """
    Run the hook *name* and return its status: 0, 33 (the policy rejects) or 130 (interrupted).

    *parent* is the process that started the script, 0 where that tells nothing; *asked* says that
    the script has asked `git config --get-regexp` already, and hands the answer over on stdin.
    """
    try:
        ensure_streams()
        config = _read_stdin() if asked else None
        return _function(name)(Call(os.environ, parent, args, config, _read_stdin() if name in _FED else ""))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (AmpcommitError, OSError) as error:
        say(f"error: ampcommit: {terminal(str(error))}")
        hint = terminal(getattr(error, "hint", "")) or "`ampcommit status` looks at this setup"
        say(f" hint: {OUTCOMES.get(name, 'git goes on')}; {hint}")
    except Exception as error:  # a defect of ours costs nobody a commit
        say(f"error: defect in ampcommit: {terminal(repr(error))}")
        say(f" hint: {OUTCOMES.get(name, 'git goes on')}; please report this{_reported(error)}")
    return 0


def _read_stdin() -> str:
    """Return what git feeds; whoever else started us, and left the pipe open, does not make a commit wait for ever."""
    if os.isatty(0):
        return ""
    pieces, size = [], 0
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    while size < _MOST and waiting.poll(_PATIENCE) and (piece := os.read(0, 65536)):
        pieces.append(piece)
        size += len(piece)
    return os.fsdecode(b"".join(pieces)).removesuffix("\n")


def _function(name: str) -> "Callable[[Call], int]":
    # Each hook loads its own half only.
    if name == "commit-msg":
        from ampcommit.linking import commit_msg

        return commit_msg
    if name == "post-commit":
        from ampcommit.recording import post_commit

        return post_commit
    if name == "post-merge":
        from ampcommit.recording import post_merge

        return post_merge
    if name == "post-rewrite":
        from ampcommit.rewriting import post_rewrite

        return post_rewrite
    if name == "pre-push":
        from ampcommit.pushing import pre_push

        return pre_push
    raise AmpcommitError(f"this version has no hook {name}", hint="upgrade ampcommit, or take the hook out")


def _reported(error: Exception) -> str:
    """Write what a report needs to a file of our own, and return how to say so."""
    import traceback

    try:
        folder = Place.of_hook(os.environ).state
        make_own_folder(folder)
        path = os.path.join(folder, "defect.txt")
        write_atomic(path, "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace"))
    except OSError:
        return ""
    return f", with {path}"
