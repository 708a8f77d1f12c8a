"""
Signatures of shared lines: made by `share` with the user's ssh key, checked by `verify` against allowed signers.

`ssh-keygen` does both; docs/sharing.md says what a signature proves. A signature stands in a line of its own.
"""

import base64
import os
import signal
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from ampcommit.errors import LedgerError, SetupError
from ampcommit.escape import terminal
from ampcommit.files import read_regular
from ampcommit.gitcmd import Git
from ampcommit.notes.sshsig import (
    BODY_LIMIT,
    NAMESPACE,
    armoured,
    bodies,
    body_of,
    by_digest,
    digest,
    framed,
    key_in,
    key_of,
)
from ampcommit.place import Place

ALLOWED_LIMIT = 1024 * 1024
"""Bytes that a file of allowed signers may have."""

SIGNATURES_TRIED = 16
"""Signatures of one line, by keys that are in the file, that are tried; anybody can add more to a note."""

_BATCH = 1000  # files for one ssh-keygen: their names fit into any command line
_LINES_TRIED = 16  # of the allowed signers, for one key
_PRINCIPALS_TRIED = 8
_CERTIFICATE = b"-cert-v01@openssh.com"  # how the names of its kinds end
_PROMPTS = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE")

_NEW_ENOUGH = "install OpenSSH 8.2 or newer, and put its ssh-keygen on PATH"
_SET_KEY = "name an ssh key: git config user.signingKey ~/.ssh/id_ed25519.pub"
_UNLOCK = "put the key into the agent: ssh-add <key>; nothing here asks for a passphrase"
_AGAIN = "who made the record signs and shares it again: ampcommit share, with ampcommit.sign = true"
_ALLOW = "if the signer is one of yours, add the key to the allowed signers of the base"
_TRY = "try it by hand: ssh-keygen -Y sign -n ampcommit -f <key> <any file>"


class BadSignature(LedgerError):  # noqa: N818  # what a line has, which a caller may expect
    """A line has signatures, and none of them is good."""


def sign(lines: Sequence[bytes], git: Git, environ: Mapping[str, str], seconds: float = 120.0) -> list[bytes]:
    """
    Return for each of *lines* the line that signs it, made with the ssh key that git would sign a commit with.

    A thousand of them may take ssh-keygen, and the agent behind it, this many *seconds*.
    """
    if not lines:
        return []
    place = Place.of_folder(git)
    program, key = _program(environ, place), _key(git, place)
    signed: list[bytes] = []
    for start in range(0, len(lines), _BATCH):
        signed += _signed(program, key, lines[start : start + _BATCH], environ, seconds)
    return signed


def own_key(git: Git, environ: Mapping[str, str], seconds: float = 120.0) -> bytes:
    """Return the public key that `sign` signs with; where only its private half is here, a signature tells it."""
    place = Place.of_folder(git)
    key = _key(git, place)
    # Where ssh-keygen looks, in its order.
    files = [os.fsencode(key[5:])] if key.startswith("key::") else [_read(key), _read(f"{key}.pub")]
    for file in files:
        if found := key_of(file):
            return found
    line = b"which key is it?"
    [signed] = _signed(_program(environ, place), key, [line], environ, seconds)
    return next(filter(None, map(key_in, bodies(line, [signed]))))


class Signers:
    """Those whose keys are in *allowed*, the text of an allowed-signers file as ssh-keygen describes it."""

    __slots__ = ("_allowed", "_environ", "_known", "_note", "_principals", "_program", "_seconds", "_signatures")

    def __init__(self, allowed: bytes, environ: Mapping[str, str], place: Place, seconds: float = 10.0) -> None:
        if len(allowed) > ALLOWED_LIMIT:
            raise SetupError(
                f"the file of allowed signers has more than {ALLOWED_LIMIT >> 10} KiB",
                hint="keep in it those who sign here; a cert-authority line stands for many",
            )
        self._allowed = allowed
        self._environ = environ
        self._program = _program(environ, place)
        self._seconds = seconds
        self._principals: dict[bytes, list[bytes]] = {}
        self._known: dict[tuple[str, bytes], str | None] = {}
        self._note: Collection[bytes] = ()
        self._signatures: dict[str, list[bytes]] = {}

    def signed_by(self, line: bytes, note_lines: Collection[bytes]) -> str | None:
        """
        Return who signed *line*, from the signature lines among *note_lines*; None if none is about it.

        The answer is a principal of the file, which may be a pattern. `BadSignature` if there are signatures, and
        none is a valid one of this very line, in our namespace, by a key that the file allows for it now.
        """
        if note_lines is not self._note:  # the lines of one note are asked about one behind the other
            self._note, self._signatures = note_lines, by_digest(note_lines)
        found = self._signatures.get(digest(line))
        if not found:
            return None
        keys = {body: key for body in found if (key := key_in(body))}
        if not keys:
            raise BadSignature("its signature is not one for a record", hint=_AGAIN)
        allowed = [body for body, key in keys.items() if self._lines_for(key)]
        if not allowed:
            raise BadSignature("it is signed with a key that is not among the allowed signers", hint=_ALLOW)
        for body in allowed[:SIGNATURES_TRIED]:
            principal = self._checked(line, body, keys[body])
            if principal is not None:
                return principal
        raise BadSignature("its signature is not valid for it, or its key may not sign records now", hint=_AGAIN)

    def _lines_for(self, key: bytes) -> list[bytes]:
        """Return the lines of the file that may speak of *key*; ssh-keygen decides whether they do."""
        word = base64.b64encode(key)
        certified = _CERTIFICATE in key[:64]
        if not certified and word not in self._allowed:
            return []
        lines = self._allowed.split(b"\n")
        found = [at for at in lines if word in at.split() or (certified and b"cert-authority" in at.lower())]
        return found[:_LINES_TRIED]

    def _checked(self, line: bytes, body: bytes, key: bytes) -> str | None:
        """Return the principal for whom ssh-keygen finds this signature of *line* good; each is asked about once."""
        name = digest(line)
        if (name, body) not in self._known:
            with tempfile.TemporaryDirectory(prefix="ampcommit-") as folder:
                _write(folder, "line", line)
                _write(folder, "signature", armoured(body))
                _write(folder, "allowed", self._allowed)
                if key not in self._principals:
                    self._principals[key] = self._found(folder, key)
                self._known[name, body] = self._verified(folder, self._principals[key])
        return self._known[name, body]

    def _found(self, folder: str, key: bytes) -> list[bytes]:
        """Return the principals of *key*, from each line by itself: ssh-keygen stops at the first, used or not."""
        found: dict[bytes, None] = {}
        for line in self._lines_for(key):
            _write(folder, "one", line + b"\n")
            _, out = self._asked(folder, "find-principals", "-f", "one")
            found.update(dict.fromkeys(out.split(b"\n")[:-1]))
        return list(found)[:_PRINCIPALS_TRIED]

    def _verified(self, folder: str, principals: list[bytes]) -> str | None:
        for principal in principals:
            good, _ = self._asked(folder, "verify", "-f", "allowed", "-n", NAMESPACE, "-I", os.fsdecode(principal))
            if good:
                return principal.decode("utf-8", "backslashreplace")
        return None

    def _asked(self, folder: str, verb: str, *args: str) -> tuple[bool, bytes]:
        """Say whether ssh-keygen agrees, and what it prints."""
        argv = [self._program, "-Y", verb, "-s", "signature", *args]
        status, out, said = _run(argv, folder, self._environ, self._seconds, stdin="line")
        if status:
            _require_new(said)
        return status == 0, out


def _key(git: Git, place: Place) -> str:
    """Return git's `user.signingKey`: the path of a file, or a public key whose private half an agent holds."""
    said = git("config", "--type=path", "--get", "user.signingKey", ok=(0, 1))
    key = os.fsdecode(said).removesuffix("\n")
    if not key:
        raise SetupError("there is no key to sign with", hint=_SET_KEY)
    if key.startswith(("key::", "ssh-")):
        return key if key.startswith("key::") else f"key::{key}"
    path = os.path.join(place.top, key)  # git looks from the top as well
    if not (os.path.isfile(path) or os.path.isfile(f"{path}.pub")):
        raise SetupError(f"user.signingKey is not an ssh key or its file: {terminal(key)}", hint=_SET_KEY)
    return path


def _read(path: str) -> bytes:
    return read_regular(os.path.realpath(path), BODY_LIMIT) or b""


def _program(environ: Mapping[str, str], place: Place) -> str:
    """Return the first `ssh-keygen` on PATH that does not lie in the repository."""
    for folder in filter(os.path.isabs, environ.get("PATH", "").split(os.pathsep)):
        path = os.path.join(folder, "ssh-keygen")
        if os.path.isfile(path) and os.access(path, os.X_OK) and not place.ground(path):
            return path
    raise SetupError("there is no ssh-keygen on PATH outside the repository", hint=_NEW_ENOUGH)


def _signed(program: str, key: str, lines: Sequence[bytes], environ: Mapping[str, str], seconds: float) -> list[bytes]:
    """Return the signature lines for a batch of *lines*."""
    names = [str(number) for number in range(len(lines))]
    with tempfile.TemporaryDirectory(prefix="ampcommit-") as folder:
        for name, line in zip(names, lines, strict=True):
            _write(folder, name, line)
        if key.startswith("key::"):
            _write(folder, "key.pub", os.fsencode(key[5:]) + b"\n")
            key = "key.pub"
        argv = [program, "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, *names]
        status, _, said = _run(argv, folder, environ, seconds)
        if status:
            raise _refusal(said)
        return [_signature_line(folder, name, line) for name, line in zip(names, lines, strict=True)]


def _signature_line(folder: str, name: str, line: bytes) -> bytes:
    """Return the line for the signature that ssh-keygen wrote for the file *name*."""
    body = body_of(read_regular(os.path.join(folder, f"{name}.sig"), BODY_LIMIT * 2) or b"")
    if not key_in(body):
        raise SetupError("ssh-keygen did not write a signature", hint=_TRY)
    return framed(line, body)


def _refusal(said: bytes) -> SetupError:
    """Return what it means that ssh-keygen did not sign."""
    _require_new(said)
    rows = said.decode("utf-8", "replace").replace("Enter passphrase:", "").splitlines()
    reason = next((row.strip() for row in reversed(rows) if row.strip()), "it does not say why")
    locked = any(word in said for word in (b"passphrase", b"No private key", b"agent"))
    return SetupError(f"ssh-keygen does not sign: {terminal(reason)}", hint=_UNLOCK if locked else _TRY)


def _require_new(said: bytes) -> None:
    """Raise a `SetupError` if ssh-keygen does not know what it was asked."""
    if b"usage: " in said.lower() or b"nsupported operation" in said:
        raise SetupError("this ssh-keygen is too old for signatures", hint=_NEW_ENOUGH)


def _write(folder: str, name: str, data: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as stream:
        stream.write(data)


def _run(
    argv: list[str], folder: str, environ: Mapping[str, str], seconds: float, stdin: str = os.devnull
) -> tuple[int, bytes, bytes]:
    """Run ssh-keygen in *folder* without a terminal or anybody to ask; return its status and what it says."""
    quiet = {name: value for name, value in environ.items() if name not in _PROMPTS}
    quiet |= {"SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    with open(os.path.join(folder, stdin), "rb") as source:
        try:
            process = subprocess.Popen(
                argv,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=quiet,
                start_new_session=True,
            )
        except OSError as error:
            raise SetupError(f"ssh-keygen cannot be started: {error.strerror}", hint=_NEW_ENOUGH) from error
    with process:
        try:
            out, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            hint = "look whether the agent, or a key in hardware, waits for you"
            raise SetupError(f"ssh-keygen did not answer in {seconds:g} seconds", hint=hint) from error
        finally:
            if process.returncode is None:
                with suppress(OSError):  # macOS: it has ended this moment
                    os.killpg(process.pid, signal.SIGKILL)  # not yet reaped: nobody else has this number
    return process.returncode, out, said
