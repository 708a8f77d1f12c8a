"""
The notes of a remote: fetched and pushed as the user talks to it, but nobody is asked for anything, in bounded time.

The user's own configuration says where the remote is and who we are. What would do more than move these notes is off.
"""

import os
import random
import re
import shlex
import subprocess
import tempfile
import time

from ampcommit.errors import GitError, RemoteError, SetupError
from ampcommit.escape import terminal
from ampcommit.notes.fetching import tracking
from ampcommit.notes.shared import REF
from ampcommit.pushing import end
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from ampcommit.gitcmd import Git

SHARING = "AMPCOMMIT_SHARING"
"""The variable by which hooks know that this push is ours."""

TRIES = 10
"""How often notes are united anew because somebody else pushed theirs in between."""

_SAID_LIMIT = 65536
_CONNECTING = 15  # seconds for ssh to reach the host
_LULL = 0.05
_HELD_TRIES = 5  # how often a lock is met before it counts as left behind
_GRACE = 0.5  # seconds for git to remove its locks when its time is over
_NOBODY = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "LC_ALL": "C",
    SHARING: "1",
}
# What the user may have set otherwise, and no option of fetch or push takes back: a server without push options
# refuses any. And git waits for another process of this clone, which writes for a moment.
_ALONE = ("-c", "push.pushOption=", "-c", "core.filesRefLockTimeout=200")
# No refmap: a configured `refs/notes/*:refs/notes/*` would replace what only this clone has.
_FETCH = (
    *_ALONE,
    "fetch",
    "--refmap=",
    "--no-tags",
    "--no-prune",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-write-commit-graph",
    "--no-progress",
)
_PUSH = (
    *_ALONE,
    "push",
    "--porcelain",
    "--no-verify",
    "--no-signed",
    "--no-follow-tags",
    "--recurse-submodules=no",
    "--no-progress",
)
_ABSENT = "couldn't find remote ref"
_OVERTAKEN = re.compile(
    r"is at \w+ but expected|reference already exists|unable to resolve reference '[^']+'\s*$"
    "|incorrect old value|failed to lock",
    re.MULTILINE,
)
_BEHIND = re.compile(r"\((fetch first|non-fast-forward)\)")
_HELD = re.compile(r"Unable to create '(.+\.lock)': File exists")
_IN_THE_WAY = re.compile(r"exists; cannot create|refname conflict")
_DENIED = re.compile("could not read|denied|prompts disabled|authentication failed|verification failed|error: 40[13]")
_SECRET = re.compile(r"//[^/\s]*@")
_TALK = ("From ", "To ", "warning: ", "hint: ", "remote: Enumerating", "remote: Counting", "remote: Total", "Done")
_VAGUE = "fatal: Could not read from remote repository."
_KEPT = "the records are kept here; run `ampcommit share` again"
_LEFT_THERE = (
    "a git that was killed there may have left this file: whoever keeps that repository removes it, then share again"
)
_RENAME_THERE = "a ref of the remote stands in the way: rename or delete it there, then share again"


class Remote:
    """
    The remote *name*, or the address that it is; everything with it is over within *seconds*.

    Records are fetched from where they are pushed. *git* asks as the user does, in *folder*; *objects* reads what
    is here.
    """

    def __init__(self, name: str, git: "Git", objects: "Git", environ: "Mapping[str, str]", folder: str) -> None:
        self.name = name
        self._where = _pushed_to(git, name)
        self._objects = objects
        self._folder = folder
        self._environ = {**environ, **_NOBODY, **_ssh(git, environ)}
        self._partial = bool(git("config", "--get-regexp", r"^remote\..*\.promisor$", ok=(0, 1)))
        self._mirror = ("-c", f"remote.{name}.mirror=false") if "=" not in name else ()
        self._held = 0

    @property
    def ref(self) -> str:
        """Where the notes of this remote stand, as they were fetched."""
        return tracking(self.name)

    @property
    def shown(self) -> str:
        """The name for people, without a password."""
        return hidden(self.name)

    def fetch(self, until: float) -> None:
        """Bring the remote's notes into `ref`; where it has none, there is no such ref afterwards."""
        before = self._fetched()
        status, said = self._brought(until)
        if status and _ABSENT in said.lower():
            self._forget(before)
        elif status and (held := _HELD.search(said)):
            raise _left_behind(held[1])
        elif status:
            raise self._refused("fetch from", _reason(said), said)
        elif self._partial:
            self._complete(until)

    def push(self, tip: Sha, until: float) -> str:
        """Make *tip* the remote's notes, and return nothing; or return how somebody else was faster."""
        before = self._fetched()
        status, out, said = self._run(until, *self._mirror, *_PUSH, "--", self._where, f"{tip}:{REF}")
        if not status:
            # What is pushed is pushed: whoever moved or holds this ref meanwhile fetched it, or somebody will.
            self._objects("update-ref", self.ref, tip, before or "0" * len(tip), ok=(0, 1, 128))
            return ""
        lines = [line.split("\t") for line in out.splitlines() if line.startswith("!")]
        reason = lines[0][-1] if lines else ""
        told = next((line for line in said.splitlines() if line.startswith("remote: ") and not _is_talk(line)), "")
        whole = f"{reason} {told}".strip() or _reason(said)
        self._held += bool(_HELD.search(whole))
        if _BEHIND.search(reason) or _OVERTAKEN.search(whole) or (_HELD.search(whole) and self._held < _HELD_TRIES):
            return reason
        raise self._refused("push to", whole, said)

    def _brought(self, until: float) -> tuple[int, str]:
        """Fetch, also where others fetch in this clone at the same moment; return git's status and what it says."""
        filters = ("--no-filter",) if self._partial else ()
        tried = 0
        while True:
            status, _, said = self._run(until, *_FETCH, *filters, "--", self._where, f"+{REF}:{self.ref}")
            tried += 1
            if not status or tried >= (_HELD_TRIES if _HELD.search(said) else TRIES if _OVERTAKEN.search(said) else 0):
                return status, said
            pause(2, until)

    def _fetched(self) -> str:
        """Return what `ref` names, nothing where it is not there."""
        return self._objects("rev-parse", "-q", "--verify", self.ref, ok=(0, 1)).decode("ascii").strip()

    def _forget(self, before: str) -> None:
        """Remove `ref` if it is what it was *before* we asked; who moved it meanwhile knows better."""
        if before:
            try:
                self._objects("update-ref", "-d", self.ref, before)
            except GitError as error:
                if self._fetched() != before:
                    return
                lock = os.fsdecode(self._objects("rev-parse", "--git-path", f"{self.ref}.lock").rstrip(b"\n"))
                if os.path.lexists(lock):
                    raise _left_behind(lock) from error
                raise

    def _complete(self, until: float) -> None:
        """Fetch the notes that a partial clone left out, all at once: git alone would fetch each by itself."""
        listed = b"".join(self._objects.stream("rev-list", "--objects", "--missing=print", self.ref))
        lacking = b"".join([line[1:] + b"\n" for line in listed.split(b"\n") if line.startswith(b"?")])
        if not lacking:
            return
        alone = ("-c", "fetch.negotiationAlgorithm=noop")  # else git says that it has the commits, and gets nothing
        status, _, said = self._run(until, *alone, *_FETCH, "--stdin", "--", self._where, stdin=lacking)
        if status:
            raise self._refused("fetch from", _reason(said), said)

    def _run(self, until: float, *args: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """Run git; return its status and what it says. Nothing of its process group stays."""
        seconds = until - time.monotonic()
        # Files, not pipes: what ssh leaves running for the next connection keeps them open.
        with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            source.write(stdin)
            source.seek(0)
            try:
                process = subprocess.Popen(
                    ["git", "-C", self._folder, *args],
                    stdin=source,
                    stdout=out,
                    stderr=said,
                    env=self._environ,
                    start_new_session=True,  # no terminal to ask at, and one group to end
                )
            except OSError as error:
                raise GitError(f"git cannot be started: {error.strerror}", hint="put git on PATH") from error
            try:
                status = process.wait(max(seconds, 0))
            except subprocess.TimeoutExpired:
                raise RemoteError(f"{self.shown} did not answer in time", hint=_KEPT) from None
            finally:
                end(process, _GRACE)
                process.wait()
            return status, _text(out), _text(said)

    def _refused(self, verb: str, reason: str, said: str) -> RemoteError:
        hint = _KEPT
        if _DENIED.search(said.lower()):
            hint = f"git must reach it without asking anybody: try `git ls-remote {hidden(self._where)}`; {_KEPT}"
        elif _HELD.search(reason):
            hint = _LEFT_THERE
        elif _IN_THE_WAY.search(reason):
            hint = _RENAME_THERE
        return RemoteError(f"cannot {verb} {self.shown}: {hidden(reason)}", hint=hint)


def hidden(text: str) -> str:
    """Return *text* for people, with no password in an address."""
    return terminal(_SECRET.sub("//", text))


def pause(lost: int, until: float) -> None:
    """Wait a moment, longer each time that the race was *lost*, and everybody another one; not beyond *until*."""
    moment = random.uniform(0, _LULL * 2 ** min(lost, 5))  # noqa: S311  # a delay, no secret
    time.sleep(max(0.0, min(moment, until - time.monotonic())))


def _left_behind(lock: str) -> SetupError:
    what = f"git cannot write the records that it fetched: the file {terminal(lock)} is in the way"
    return SetupError(what, hint=f"if no git runs in this clone, remove it: rm {terminal(shlex.quote(lock), 1000)}")


def _pushed_to(git: "Git", name: str) -> str:
    """Return *name*, or the first address to which that remote is pushed where it is not fetched from there alone."""
    fetched = git("remote", "get-url", "--", name, ok=(0, 2, 128))
    pushed = git("remote", "get-url", "--push", "--all", "--", name, ok=(0, 2, 128))
    return name if pushed == fetched else os.fsdecode(pushed.partition(b"\n")[0])


def _ssh(git: "Git", environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the variable that keeps ssh from asking; a program that does not know ssh's options stays as it is."""
    configured = git("config", "--get", "core.sshCommand", ok=(0, 1)).decode("utf-8", "surrogateescape").strip()
    variant = environ.get("GIT_SSH_VARIANT") or git("config", "--get", "ssh.variant", ok=(0, 1)).decode().strip()
    command = environ.get("GIT_SSH_COMMAND") or configured or shlex.quote(environ.get("GIT_SSH") or "ssh")
    if variant not in ("", "auto", "ssh") or "plink" in command.lower():
        return {}
    return {"GIT_SSH_COMMAND": f"{command} -oBatchMode=yes -oConnectTimeout={_CONNECTING}"}


def _text(stream: "IO[bytes]") -> str:
    """Return the beginning of what was written to *stream*."""
    stream.seek(0)
    return stream.read(_SAID_LIMIT).decode("utf-8", "replace")


def _is_talk(line: str) -> bool:
    return not line.removeprefix("remote:").strip() or line.startswith(_TALK)


def _reason(said: str) -> str:
    """Return the line in which git, or who connects for it, says what is wrong."""
    lines = [line for line in said.splitlines() if not _is_talk(line)]
    return next((line for line in lines if line != _VAGUE), "".join(lines[:1])) or "git does not say why"
