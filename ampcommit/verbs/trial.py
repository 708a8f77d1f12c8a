"""
The trial: real commits in a scratch copy of a clone's setup, which show for each hook whether it runs.

No command here runs `pre-commit`. Each proof stands for itself, so that one dead hook hides no other.
"""

import os
import signal
import subprocess
import time

from ampcommit.errors import LedgerError
from ampcommit.files import remove
from ampcommit.gitcmd import Git
from ampcommit.ledger import Ledger
from ampcommit.link import KEY
from ampcommit.record import Sha, ThreadId, canonical
from ampcommit.rewritten import rewritings
from ampcommit.setup.scratch import BRANCH, Scratch
from ampcommit.shim import HOOKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

AT_WORK = ThreadId("T-00000000-0000-4000-8000-000000000001")
"""The made-up thread that is at work in the trial; `commit-msg` puts its link in."""

LINKED = ThreadId("T-00000000-0000-4000-8000-000000000002")
"""The made-up thread that the messages name themselves, so that they are recorded whatever `commit-msg` does."""

SECONDS = 30.0
"""How long the trial may take."""

_SAID = 65536
_CHUNK = 65536
_STEP = 0.005
_OF_GIT = ("Already up to date", "Not committing merge", "hint: ")  # what a refused merge says by itself
_ABOUT = "A trial in a scratch repository, made by `ampcommit doctor` and removed afterwards."
_MERGE = f"Merge branch '{BRANCH}'\n\n{_ABOUT}\n\n{KEY}: {LINKED.url}"
_PLAIN = f"chore: try the hooks\n\n{_ABOUT}\n\n{KEY}: {LINKED.url}"
_AGAIN = f"chore: try the hooks again\n\n{_ABOUT}\n\n{KEY}: {LINKED.url}"


class Tried:
    """One hook in the trial: did git start it, was its work seen (None: not proved either way), what was said."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = False
        self.ran: bool | None = None
        self.said = ""


class Trial:
    """
    What the trial showed of each hook, and what kept it from showing more.

    `refused` is what was said where `commit-msg` refused the trial's merge, `failed` what git said where it could
    not commit, `hung` the hook (or a git command) that did not end within `seconds`.
    """

    def __init__(self, seconds: float) -> None:
        self.hooks = {name: Tried(name) for name in HOOKS}
        self.seconds = seconds
        self.refused: str | None = None
        self.failed: str | None = None
        self.hung: str | None = None

    def note(self, name: str, *, ran: bool, said: str) -> None:
        """Note of the hook *name* whether its work was seen."""
        self.hooks[name].ran = ran
        self.hooks[name].said = said


class _Over(Exception):  # noqa: N818  # no failure of ours: the trial cannot go on
    """The trial ends here; what is known stands in the `Trial`."""


def tried(scratch: Scratch, seconds: float = SECONDS) -> Trial:
    """Make the commits of the trial in *scratch*, within *seconds*."""
    found = Trial(seconds)
    play = _Play(scratch, found)
    try:
        play.merge()
        play.commit()
        play.amend()
    except _Over:
        pass
    started = scratch.started()
    for name, seen in found.hooks.items():
        seen.started = name in started
    return found


class _Play:
    """One trial as it goes: each step runs git once more, and looks at what came of it."""

    def __init__(self, scratch: Scratch, found: Trial) -> None:
        self._scratch = scratch
        self._found = found
        self._until = time.monotonic() + found.seconds
        self._git = Git(scratch.work, scratch.environ)
        # The policy must not refuse what the trial commits, and nothing shall be asked of Amp.
        ours = {"AMPCOMMIT_MODE": "warn", "AMPCOMMIT_AUTOLINK": "true", "AMPCOMMIT_RESOLVE": "never"}
        agent = {"AGENT": "amp", "AGENT_THREAD_ID": AT_WORK, "AMP_CURRENT_THREAD_ID": AT_WORK}
        self._environ = scratch.environ | ours | agent | {"GIT_EDITOR": ":", "GIT_TERMINAL_PROMPT": "0"}
        self._ledger = Ledger(os.path.join(scratch.git_dir, "ampcommit", "ledger.jsonl"))

    def merge(self) -> None:
        """Merge two empty branches: `commit-msg` puts its link in, `post-merge` records the merge."""
        tree = self._git("hash-object", "-w", "-t", "tree", os.devnull).decode("ascii").strip()
        base = self._git("commit-tree", "-m", "Begin", tree).decode("ascii").strip()
        side = self._git("commit-tree", "-m", "Go on", "-p", base, tree).decode("ascii").strip()
        self._git("update-ref", f"refs/heads/{BRANCH}", base)
        command = ("merge", "-q", "--no-ff", "--no-edit", "-m", _MERGE)
        status, said = self._run(*command, side)
        if status == 0:
            self._found.note("commit-msg", ran=AT_WORK.encode() in self._message(), said=said)
        else:
            self._run("reset", "-q", "--hard")
            again, complaint = self._run(*command, "--no-verify", side)
            self._insist(again, complaint)
            self._found.refused, said = said, complaint
        self._found.note("post-merge", ran=self._recorded(), said=said)

    def commit(self) -> None:
        """Make a commit of which `post-commit` alone hears."""
        status, said = self._run("commit", "-q", "--allow-empty", "--no-verify", "-m", _PLAIN)
        self._insist(status, said)
        self._found.note("post-commit", ran=self._recorded(), said=said)

    def amend(self) -> None:
        """Amend it: `post-rewrite` tells what became of it. What others do after a commit, they have done once."""
        remove(os.path.join(self._scratch.hooks, "post-commit"))
        status, said = self._run("commit", "-q", "--amend", "--allow-empty", "--no-verify", "-m", _AGAIN)
        self._insist(status, said)
        head = self._head()
        try:
            told = any(rewritings(self._ledger.find(b'"new":' + canonical(head)), head))
        except LedgerError:
            told = False
        self._found.note("post-rewrite", ran=told, said=said)

    def _message(self) -> bytes:
        return self._git("log", "-1", "--no-show-signature", "--format=%B")

    def _head(self) -> Sha:
        return Sha(self._git("rev-parse", "HEAD").decode("ascii").strip())

    def _recorded(self) -> bool:
        """Say whether the commit at HEAD has a record."""
        try:
            return bool(self._ledger.records("commit", self._head()))
        except LedgerError:
            return False  # not a ledger that we wrote

    def _insist(self, status: int, said: str) -> None:
        if status:
            self._found.failed = said
            raise _Over

    def _run(self, *args: str) -> tuple[int, str]:
        """Run git as an agent does, with everything that it starts; return its status and the line that says most."""
        before = len(self._scratch.started())
        process = subprocess.Popen(
            ["git", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=self._scratch.work,
            env=self._environ,
            start_new_session=True,  # no terminal to ask at, and one group to end
        )
        pipe = process.stdout
        assert pipe is not None  # noqa: S101  # for the type checker: it was asked for
        try:
            said = _heard(process, pipe, self._until)
        finally:
            _end(process, pipe)
        if said is None:
            self._found.hung = (self._scratch.started()[before:] or [f"git {args[0]}"])[-1]
            raise _Over
        return process.returncode, _telling(said)


def _heard(process: "subprocess.Popen[bytes]", pipe: "IO[bytes]", until: float) -> bytes | None:
    """Return what *process* says until it ends, None if that takes too long; who keeps its output is not awaited."""
    os.set_blocking(pipe.fileno(), False)
    said = b""
    while True:
        ended = process.poll() is not None
        piece = pipe.read(_CHUNK)
        said += (piece or b"")[: _SAID - len(said)]
        if ended and (not piece or len(said) == _SAID):
            return said
        if time.monotonic() >= until:
            return None
        if not piece:
            time.sleep(_STEP)


def _end(process: "subprocess.Popen[bytes]", pipe: "IO[bytes]") -> None:
    """Kill what is left of the process group, and take its status."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # nobody is left, which macOS calls a lack of permission
    pipe.close()
    process.wait()


def _telling(said: bytes) -> str:
    """Return the line that says most: the first one that speaks of an error, else the first one that is not git's."""
    lines = [line.strip() for line in said.decode("utf-8", "backslashreplace").splitlines()]
    lines = [line for line in lines if line and not line.startswith(_OF_GIT)]
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else "")
