"""
What git's `pre-push` does for us: publish the records of the commits that are pushed.

A push waits for it for some seconds at most, and never fails by it: the sharing itself runs in a process group of its
own, without a terminal, which is ended when its time is over. No library: the hook runs Python without them.
"""

import os
import signal
import subprocess
import sys
import time

from ampcommit.call import say
from ampcommit.errors import AmpcommitError
from ampcommit.escape import terminal
from ampcommit.gitcmd import Git, clean
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ampcommit.call import Call
    from ampcommit.settings import Settings

    Share = Callable[..., object]
    RemoteOf = Callable[[Git, Place, Settings], str]

SECONDS = 5.0
"""What a push waits for us, at most."""

SHARING = "AMPCOMMIT_SHARING"
"""The variable that is set where we push ourselves."""

# Of those seconds: what sharing has for itself, when it is told to end, and how long it may then take to clean up,
# which is longer than it gives git for that.
_FOR_SHARING, _TOLD, _CLEANING_UP = 4.0, 4.2, 0.7
_STEP = 0.01
_CODE = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what talks to the remote is ended, too
sys.path.append(sys.argv[1])
from ampcommit.pushing import publish
from ampcommit.verbs.share import remote_of, share
sys.exit(publish(sys.argv[2], sys.stdin.read(), os.environ, share, remote_of))
"""
_NOT_SHARED = "warning: ampcommit: the records of what is pushed are not shared"
_AGAIN = "`ampcommit share` tries again"


def pre_push(call: "Call") -> int:
    """Publish the records of the commits that git is about to push, or say in one line why not; return 0."""
    if call.environ.get(SHARING) or not os.path.exists(call.place.ledger):
        return 0
    name, pushed = _told(call)
    if pushed and (said := _limited(name, pushed, call.environ)):
        say(f"{_NOT_SHARED}: {said}; {_AGAIN}")
    return 0


def publish(name: str, pushed: str, environ: "Mapping[str, str]", share: "Share", remote_of: "RemoteOf") -> int:
    """
    Let *share* publish the records of what is *pushed* to the remote *name*; return 1, having said why, if it cannot.

    *pushed* is what `git rev-list --stdin` reads. Records go to the one remote that *remote_of* names, because
    all that are shared go with them; what is pushed elsewhere is published only if the clone has a remote for records.
    """
    try:
        git, place = Git(environ=environ), Place.of_hook(environ)
        settings = read_settings(git, environ, index=os.path.join(place.git_dir, "index"))
        own_way = bool(settings.clone["shareRemote"])
        if settings.mode == "off" or not (own_way or name in settings.remotes):
            return 0
        remote = remote_of(git, place, settings)
        if not own_way and name != remote:
            return 0
        if commits := _commits(name, pushed, place, environ):
            share(environ, ".", remote=remote, commits=commits, seconds=_FOR_SHARING)
    except (AmpcommitError, OSError) as error:
        say(str(error))
        return 1
    return 0


def _told(call: "Call") -> tuple[str, str]:
    """Return the name of the remote, and what is pushed to it in the words of `git rev-list --stdin`."""
    lines = [line.rsplit(" ", 3) for line in call.fed.split("\n")]  # a local name may have blanks in it: `:/words`
    name = call.args[0] if call.args else ""
    if not call.fed and call.environ.get("PRE_COMMIT"):  # it keeps what git says to itself, but for one ref
        of = call.environ.get
        name = name or of("PRE_COMMIT_REMOTE_NAME", "")
        lines = [["", of("PRE_COMMIT_TO_REF", ""), of("PRE_COMMIT_REMOTE_BRANCH", ""), of("PRE_COMMIT_FROM_REF", "")]]
    pushed = ""
    for _, new, ref, old in (line for line in lines if len(line) == 4):
        if not ref.startswith("refs/notes/") and _is_object(new):
            pushed += f"{new}\n" + (f"^{old}\n" if _is_object(old) else "")
    return name, pushed


def _is_object(name: str) -> bool:
    """Say whether *name* is a full id; git says with zeros that there is nothing."""
    return Sha.maybe(name) is not None and bool(name.strip("0"))


def _commits(name: str, pushed: str, place: Place, environ: "Mapping[str, str]") -> frozenset[Sha]:
    """Return the commits of *pushed* that the remote *name* does not have yet, as far as this clone knows."""
    git = Git(environ=clean(environ, place.git_dir))
    known = ("--not", f"--remotes={name}") if name else ()
    # What was forced away may never have been here.
    listed = git("rev-list", "--ignore-missing", "--stdin", *known, stdin=pushed.encode("ascii"))
    return frozenset(map(Sha, listed.decode("ascii").split()))


def _limited(name: str, pushed: str, environ: "Mapping[str, str]") -> str:
    """Publish in a process of its own; return why that was not possible, nothing if it was."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CODE, package, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environ,
        start_new_session=True,  # no terminal to ask at, and one group to end
    ) as process:
        ended = False
        try:
            _, said = process.communicate(pushed.encode("ascii"), timeout=_TOLD)
            ended = True
        except subprocess.TimeoutExpired:
            return f"it took longer than {SECONDS:g} seconds"
        finally:
            if not ended:
                end(process, _CLEANING_UP)
    lines = said.decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line), f"it ended with status {process.returncode}")
    return terminal(last) if process.returncode else ""


def end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Tell the whole group of *process* to end, which leaves no lock behind; after *seconds* kill whoever is left."""
    until = time.monotonic() + seconds
    try:
        try:
            os.killpg(process.pid, signal.SIGTERM)
            while time.monotonic() < until:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(_STEP)
        finally:  # also where we are told to end meanwhile
            os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # nobody is left, which macOS calls a lack of permission
