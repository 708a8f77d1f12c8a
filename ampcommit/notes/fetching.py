"""The refs in which the notes of remotes stand here, and the line of git's configuration that brings them."""

import hashlib
import os
import re

from ampcommit.notes.shared import REF, REMOTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.gitcmd import Git

FORK = "fork"
"""The name under which CI puts the notes of a fork whose request it checks; no remote gets that ref."""

_ADDRESS = "address-"
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|[./](?=[A-Za-z0-9_-]))*")
_ESCAPED = re.compile("%([0-9A-F]{2})")
# A pattern, though it stands for one ref: git refuses to fetch anything from a remote that lacks a ref named outright,
# and a remote has these notes only once somebody shared. The star is where pruning finds nobody else's refs.
_STAR = "refs/notes*/"


def tracking(remote: str) -> str:
    """
    Return the ref for the notes of *remote*, which is no other one's, and no folder of others.

    An address, which need not be fit for a ref, goes by its digest.
    """
    if not _NAME.fullmatch(remote) or remote.endswith(".lock"):
        return f"{REMOTES}{_ADDRESS}{hashlib.sha256(os.fsencode(remote)).hexdigest()[:16]}"
    name = remote.replace("/", "%2F")
    taken = name.lower() == FORK or name.startswith(_ADDRESS)  # in small letters: some disks tell no others
    return REMOTES + (f"%{ord(name[0]):02X}{name[1:]}" if taken else name)


def named(ref: str) -> str:
    """Return the name of the remote whose notes stand in *ref*: `tracking` backwards."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), ref.removeprefix(REMOTES))


def refspec(remote: str) -> str:
    """Return the refspec that fetches the notes of *remote* into a ref of their own."""
    return f"+{REF}:{tracking(remote)}".replace("refs/notes/", _STAR)


def fetch_from(git: "Git", remote: str) -> bool:
    """
    Let `git fetch` bring the notes of *remote*; say whether it does now.

    One that is an address, or has no fetch refspec of its own, stays as it is: `share` fetches from it anyway.
    """
    wanted = refspec(remote)
    present = _asked(git, "config", "--get-all", f"remote.{remote}.fetch") if remote else []
    if not present:
        return False
    if wanted not in present:
        git("config", "--local", "--add", f"remote.{remote}.fetch", wanted)
    return True


def fetch_no_more(git: "Git") -> None:
    """Take our refspec out of every remote of this clone."""
    for key, value in _ours(git):
        git("config", "--local", "--fixed-value", "--unset-all", key, value)


def fetched_from(git: "Git") -> list[str]:
    """Return the remotes whose notes `git fetch` brings."""
    return [key[len("remote.") : -len(".fetch")] for key, _ in _ours(git)]


def _ours(git: "Git") -> list[tuple[str, str]]:
    start = f"+{REF}:{REMOTES}".replace("refs/notes/", _STAR)  # the rest is a name, which may be an old one
    entries = (e.partition("\n") for e in _asked(git, "config", "--local", "--get-regexp", r"^remote\..*\.fetch$"))
    return list(dict.fromkeys((key, value) for key, _, value in entries if value.startswith(start)))


def _asked(git: "Git", *args: str) -> list[str]:
    """Return the values that `git config` has, none where there are none."""
    return os.fsdecode(git(args[0], "-z", *args[1:], ok=(0, 1))).split("\0")[:-1]
