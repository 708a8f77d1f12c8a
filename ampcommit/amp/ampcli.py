"""
The `amp` executable, asked for one thread: `amp threads export`, under a hard time limit.

Where it is was decided at install, or is said in git's configuration; PATH is searched by `install`
alone, and what lies inside the repository is never run.
"""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import time

from ampcommit.current import cleared
from ampcommit.errors import RemoteError, SetupError
from ampcommit.escape import terminal
from ampcommit.files import make_own_folder, read_regular, remove, write_atomic
from ampcommit.record import ThreadId
from ampcommit.settings import read_settings
from ampcommit.threadfile import FILE_LIMIT
from ampcommit.threads import data_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from ampcommit.gitcmd import Git
    from ampcommit.place import Place

_SAID_LIMIT = 4096  # bytes of stderr that are kept; more is read, and forgotten
_CHUNK = 65536
_STEP = 0.01  # seconds between two looks whether amp has ended
_PATH_LIMIT = 8192
_SECRETS_LIMIT = 1024 * 1024
_TELLING = 8  # characters from which on a value of the environment is kept out of error texts

# Control sequences, strings for the terminal (titles, links), and what else ESC begins.
_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")

_INSTALL = "run ampcommit install where amp is on PATH, or set git config ampcommit.amp /path/to/amp"
_OUTSIDE = "install amp elsewhere; this holds, too, where a home folder, or all of the disk, is the work tree"
_KEY = "run `amp login`, or set AMP_API_KEY"


class NotThere(RemoteError):  # noqa: N818  # an answer of Amp's, which a caller may expect
    """Amp does not know the thread."""


class Amp:
    """The executable *path*, run with *environ*; what it is asked must be answered within *seconds*."""

    __slots__ = ("_environ", "_path", "_seconds")

    def __init__(self, path: str, environ: "Mapping[str, str]", seconds: float = 10.0) -> None:
        self._path = path
        self._environ = environ
        self._seconds = seconds

    def export(self, thread: ThreadId) -> dict[str, object]:
        """Return the data of *thread* that amp prints; whatever else happens is a `RemoteError`."""
        status, out, said = self._run("threads", "export", thread)
        if status:
            raise self._failure(status, said, thread)
        hint = f"look at what `amp threads export {thread}` prints"
        try:
            fields = json.loads(out.decode("utf-8"))
        except (ValueError, RecursionError):
            # The cause would hold the whole conversation.
            raise RemoteError("amp did not print a thread", hint=hint) from None
        if not isinstance(fields, dict):
            raise RemoteError("amp did not print a thread", hint=hint)
        if ThreadId.maybe(fields.get("id")) != thread:
            raise RemoteError("amp printed another thread than the one asked for", hint=hint)
        return fields

    def _run(self, *args: str) -> tuple[int, bytearray, bytearray]:
        """Run amp; return its status, stdout and the beginning of stderr. Nothing of its process group stays."""
        until = time.monotonic() + self._seconds
        try:
            process = subprocess.Popen(
                [self._path, *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                close_fds=True,
                cwd="/",  # amp reads settings and plugins from its folder, and none shall come from a repository
                env=cleared(self._environ) | {"NO_COLOR": "1", "TERM": "dumb"},
                start_new_session=True,
            )
        except OSError as error:
            raise RemoteError(f"amp cannot be started: {error.strerror}", hint=_INSTALL) from error
        try:
            out, said = self._heard(process, until)
        finally:
            _end(process)
        return process.returncode, out, said

    def _heard(self, process: "subprocess.Popen[bytes]", until: float) -> tuple[bytearray, bytearray]:
        """Return what amp says until it ends; children of it that keep its output open are not waited for."""
        out, said = bytearray(), bytearray()
        with selectors.DefaultSelector() as waiting:
            for pipe, heard in zip(_pipes(process), (out, said), strict=True):
                os.set_blocking(pipe.fileno(), False)
                waiting.register(pipe, selectors.EVENT_READ, heard)
            ended = False
            while True:
                ready = [key for key, _ in waiting.select(0 if ended else _STEP)]
                if ended and not any(key.data is out or len(said) < _SAID_LIMIT for key in ready):
                    return out, said
                for key in ready:
                    piece = os.read(key.fd, _CHUNK)
                    if not piece:
                        waiting.unregister(key.fileobj)
                    key.data.extend(piece if key.data is out else piece[: _SAID_LIMIT - len(said)])
                if len(out) > FILE_LIMIT:
                    raise RemoteError(
                        f"amp printed more than {FILE_LIMIT >> 20} MiB", hint="so long a thread is not read"
                    )
                if time.monotonic() >= until:
                    hint = "run amp in a terminal to see what it waits for; old versions without a key wait for ever"
                    raise RemoteError(f"amp did not answer in {self._seconds:g} seconds", hint=hint)
                ended = ended or _has_ended(process)

    def _failure(self, status: int, said: bytearray, thread: ThreadId) -> RemoteError:
        """Return what a *status* other than 0 means, from the first line of stderr that has a word in it."""
        if len(said) >= _SAID_LIMIT:  # half a key at the cut would not be recognised
            del said[max(said.rfind(b" "), said.rfind(b"\n")) + 1 :]
        # As the environment is decoded, so that a key looks the same in both.
        text = _ESCAPES.sub("", said.decode("utf-8", "surrogateescape"))
        if re.search(rf"Thread \S*{thread}\S* does not exist", text, re.IGNORECASE):
            hint = "amp uploads a new thread only after the turn: ask again later"
            return NotThere(f"Amp does not know the thread {thread}", hint=hint)
        lines = _without_secrets(text, self._environ).splitlines()
        reason = next((line.strip() for line in lines if any(map(str.isalnum, line))), "")
        how = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
        hint = f"try `amp threads export {thread}`; if it asks you to log in: {_KEY}"
        return RemoteError(f"amp {how}" + (f": {terminal(reason)}" if reason else ""), hint=hint)


def find(git: "Git", place: "Place", environ: "Mapping[str, str]") -> Amp:
    """Return the amp of git's configuration or the environment, else the one recorded at install."""
    path = str(read_settings(git, environ, top=place.top).clone["amp"]) or recorded(place)
    if not path:
        raise SetupError("it is not known where amp is", hint=_INSTALL)
    shown = terminal(path)
    if not os.path.isabs(path):
        raise SetupError(f"{shown}, named as amp, is not an absolute path", hint=_INSTALL)
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise SetupError(f"{shown}, named as amp, is not an executable file", hint=_INSTALL)
    around = place.ground(path)
    if around:
        raise SetupError(f"{shown} is not run: it lies inside the repository in {terminal(around)}", hint=_OUTSIDE)
    if not has_key(environ):
        raise RemoteError("there is no key for Amp", hint=_KEY)
    return Amp(path, environ)


def has_key(environ: "Mapping[str, str]") -> bool:
    """Say whether amp has a key: without one, old clients begin a login and never end."""
    return bool(_keys(environ))


def recorded(place: "Place") -> str | None:
    """Return the path that was recorded at install."""
    path = os.fsdecode(read_regular(place.amp, _PATH_LIMIT) or b"").removesuffix("\n")
    return path if path and "\n" not in path else None


def record(place: "Place", path: str) -> None:
    """Keep *path* as the amp of this clone."""
    if "\n" in path:
        raise SetupError(f"the path of amp has a line feed: {terminal(path)}", hint="give amp another path")
    make_own_folder(place.state)
    write_atomic(place.amp, os.fsencode(f"{path}\n"), mode=0o600)
    os.chmod(place.amp, place.mode())  # whatever the umask


def forget(place: "Place") -> None:
    """Keep no amp for this clone."""
    remove(place.amp)


def on_path(place: "Place", environ: "Mapping[str, str]") -> str | None:
    """Return the amp on PATH; None without one, and for one that is relative or inside the repository."""
    path = shutil.which("amp", path=environ.get("PATH", ""))
    return path if path and os.path.isabs(path) and not place.ground(path) else None


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        # Looked at, not reaped: until its group is killed, nobody else may get its number.
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except (AttributeError, ChildProcessError):  # macOS before Python 3.13; a caller that ignores SIGCHLD
        return process.poll() is not None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of amp's process group, close its pipes, take its status."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # nobody is left, which macOS calls a lack of permission
    for pipe in _pipes(process):
        pipe.close()
    process.wait()


def _pipes(process: "subprocess.Popen[bytes]") -> "list[IO[bytes]]":
    return [pipe for pipe in (process.stdout, process.stderr) if pipe]


def _keys(environ: "Mapping[str, str]") -> list[str]:
    """Return the keys that amp would find: in the environment, and in the file that its login writes."""
    keys: list[object] = [environ.get("AMP_API_KEY")]
    home = data_home(environ)
    # A link is fine: it is the user's own file, wherever it is kept.
    stored = read_regular(os.path.realpath(os.path.join(home, "amp", "secrets.json")), _SECRETS_LIMIT) if home else None
    try:
        secrets = json.loads((stored or b"").decode("utf-8"))
    except (ValueError, RecursionError):
        secrets = None
    if isinstance(secrets, dict):
        keys += [value for name, value in secrets.items() if name.startswith("apiKey@")]
    return [key for key in keys if isinstance(key, str) and key]


def _without_secrets(text: str, environ: "Mapping[str, str]") -> str:
    """Return *text* without keys of Amp's, and without values of the environment, where others keep theirs."""
    secrets = {*_keys(environ), *(value for value in environ.values() if len(value) >= _TELLING)}
    # The longest first: one may begin with another.
    literal = [re.escape(secret) for secret in sorted(secrets, key=len, reverse=True)]
    return re.sub(f"(?:{'|'.join([*literal, 'sg(?:amp|p)_'])})[A-Za-z0-9_-]*", "[hidden]", text)
