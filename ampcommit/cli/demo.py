"""The whole thing in a throw-away repository: real hooks, real git, no network, a few seconds."""

import json
import os
import shlex
import subprocess
import sys
import tempfile

from ampcommit.errors import AmpcommitError, MisuseError
from ampcommit.escape import terminal
from ampcommit.gitcmd import Git
from ampcommit.link import KEY
from ampcommit.record import ThreadId
from ampcommit.render.paper import Paper
from ampcommit.verbs.install import package

# Ids as Amp's clients make them: UUIDs of version 7, whose first digits are the time.
ROOT = ThreadId("T-01a1f7e2-bb71-70ee-8b15-63b5192bcb75")
MIDDLE = ThreadId("T-01a1f7e3-0902-757a-8e8c-718c9b3f1a87")
LAST = ThreadId("T-01a1f7e3-ab93-740f-8034-4597204e1dc0")
NEXT = ThreadId("T-01a1f7e4-3c05-7d31-9a52-0e6b7f4c2d18")

_GOALS = {ROOT: "parse the log", MIDDLE: "continue with tests", LAST: "finish the docs", NEXT: "polish"}
# What Amp's client puts into a plain `git commit` of its shell tool.
_REWRITE = (
    *("-c", f"trailer.AmpThread.key={KEY}", "-c", "trailer.AmpThread.ifexists=replace"),
    *("-c", "trailer.AmpCoauth.key=Co-authored-by", "-c", "trailer.AmpCoauth.ifexists=addIfDifferent"),
)
_FOREIGN = ("GIT_", "AMP", "AGENT", "XDG_")


def demo(keep: str, stage: "Stage") -> None:
    """Play the demo on *stage*; leave the repository in the folder *keep* if that is given."""
    if not keep:
        with tempfile.TemporaryDirectory(prefix="ampcommit-demo-", ignore_cleanup_errors=True) as folder:
            _Play(folder, stage).run()
        return
    folder = os.path.abspath(keep)
    if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise MisuseError(f"{folder} is there already", hint="name a folder that does not exist yet")
    _Play(folder, stage).run()
    stage.scene("Left for you to play with")
    stage.typed(f"cd {shlex.quote(os.path.join(folder, 'repo'))} && ampcommit show HEAD~1")


class _Play:
    """One run: a home with three threads, a repository, and what is typed there."""

    def __init__(self, folder: str, stage: "Stage") -> None:
        self._stage = stage
        self._home = os.path.join(folder, "home")
        self._repo = os.path.join(folder, "repo")
        self._hub = os.path.join(folder, "hub.git")
        self._colleague = os.path.join(folder, "colleague")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        self._human = kept | {"HOME": self._home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "true"}
        # As the client's shell tool sets them; all generations do.
        self._agent = self._inside(LAST)

    def _inside(self, thread: ThreadId) -> dict[str, str]:
        return self._human | {"AGENT": "amp", "AGENT_THREAD_ID": thread, "AMP_CURRENT_THREAD_ID": thread}

    def run(self) -> None:
        Git()("version")  # says what to do where there is no git
        say, link = self._stage.scene, f"{KEY}: {LAST.url}"
        say("A thread that was handed off twice, and a repository with the hooks")
        self._prepare()
        self._install()
        self._stage.printed("commit-msg, post-commit, post-merge and post-rewrite are installed")

        say("1. The agent commits; Amp itself puts the link in. The chain behind it is remembered")
        self._write("log.py", "def parse(line):\n    return line.split()\n")
        self._git(self._agent, *_rewritten(LAST), "-q", "-m", "Parse a line of the log")
        self._ampcommit("show", "HEAD")

        say("2. The agent commits from a script: Amp's own rewrite misses this form, the hook does not")
        self._write("test_log.py", "from log import parse\n\nassert parse('a b') == ['a', 'b']\n")
        self._play(
            ["sh", "-c", 'git commit -q -m "Test the parser" -m "The smallest input that counts."'], self._agent, 0
        )
        self._git(self._human, "log", "-1", "--format=%B")
        self._ampcommit("show", "HEAD")

        say("3. A person commits by hand: refused, with the way out")
        self._write("notes.txt", "to do\n")
        self._git(self._human, "commit", "-q", "-m", "Note what is left to do", status=1)

        say("   … and goes through with the link")
        self._git(self._human, "commit", "-q", "-m", "Note what is left to do", "--trailer", link)
        self._ampcommit("show", "HEAD")

        self._amend()
        self._share()

        say("What the ledger holds")
        self._ampcommit("ledger", "check")

    def _install(self) -> None:
        # A throw-away environment is good enough for a throw-away repository.
        code = "from ampcommit.verbs.install import install; install(lasting=False)"
        self._stage.typed("ampcommit install")
        self._run([sys.executable, "-P", "-c", code], self._path(), 0)

    def _prepare(self) -> None:
        threads = os.path.join(self._home, ".local", "share", "amp", "threads")
        os.makedirs(threads)
        for thread, parent in ((ROOT, None), (MIDDLE, ROOT), (LAST, MIDDLE), (NEXT, LAST)):
            with open(os.path.join(threads, f"{thread}.json"), "w", encoding="utf-8") as file:
                json.dump(_thread(thread, parent), file, indent=2)
        with open(os.path.join(self._home, ".gitconfig"), "w", encoding="utf-8") as file:
            file.write("[user]\n\tname = Demo\n\temail = demo@example.com\n")
        subprocess.run(["git", "init", "-q", self._repo], env=self._human, check=True, capture_output=True)

    def _amend(self) -> None:
        self._stage.scene("4. Another thread amends: Amp replaces the link in the message; what was known stays known")
        self._git(self._inside(NEXT), *_rewritten(NEXT), "-q", "--amend", "--no-edit")
        self._git(self._human, "log", "-1", "--format=%(trailers:only)")
        self._ampcommit("show", "HEAD")

        self._stage.scene("The way back to the conversation where the work began, with the commits on it")
        self._ampcommit("chain", "HEAD")

    def _share(self) -> None:
        self._stage.scene("5. A colleague, in another clone: the records come through the remote that both have")
        self._quietly("init", "-q", "--bare", self._hub)
        self._quietly("remote", "add", "origin", self._hub)
        self._quietly("push", "-q", "origin", "HEAD:refs/heads/main")
        self._ampcommit("share")
        self._quietly("clone", "-q", "--branch", "main", self._hub, self._colleague)
        own, self._repo = self._repo, self._colleague
        self._ampcommit("share")
        self._ampcommit("log")
        self._repo = own

    def _quietly(self, *args: str) -> None:
        self._run(["git", *args], self._human, 0)

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self._repo, name), "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run(["git", "add", name], cwd=self._repo, env=self._human, check=True, capture_output=True)

    def _git(self, env: dict[str, str], *args: str, status: int = 0) -> None:
        self._play(["git", *args], env, status)

    def _ampcommit(self, *args: str) -> None:
        self._stage.typed(" ".join(("ampcommit", *map(_typed, args))))
        # -P: the folder of the demo is not searched for modules.
        self._stage.printed(self._run([sys.executable, "-P", "-m", "ampcommit", *args], self._path(), 0))

    def _path(self) -> dict[str, str]:
        """Return an environment in which the code that plays is the code that is shown."""
        path = os.pathsep.join(filter(None, (package(), os.environ.get("PYTHONPATH"))))
        return self._human | {"PYTHONPATH": path}

    def _play(self, argv: list[str], env: dict[str, str], status: int) -> None:
        self._stage.typed(" ".join(map(_typed, argv)))
        self._stage.printed(self._run(argv, env, status))

    def _run(self, argv: list[str], env: dict[str, str], status: int) -> str:
        """Run *argv*, return what a person would see, and insist on *status*: a demo that pretends is worth nothing."""
        done = subprocess.run(
            argv, cwd=self._repo, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != status:
            raise AmpcommitError(
                f"the demo expected status {status} of this command and got {done.returncode}",
                hint=done.stderr.strip() or "run it again with --keep DIR and look into the folder",
            )
        return done.stderr + done.stdout


def _rewritten(thread: ThreadId) -> tuple[str, ...]:
    """Return the arguments of a `git commit` that Amp's client has rewritten."""
    trailers = (f"{KEY}: {thread.url}", "Co-authored-by: Amp <amp@ampcode.com>")
    return (*_REWRITE, "commit", *(part for trailer in trailers for part in ("--trailer", trailer)))


def _typed(word: str) -> str:
    return word if word.replace("=", "").replace(".", "").replace("~", "").isalnum() else shlex.quote(word)


def _thread(thread: ThreadId, parent: ThreadId | None) -> dict[str, object]:
    """Return a thread as the January client writes it, as far as it matters here."""
    created = int(thread[2:10] + thread[11:15], 16)
    text = f"Continuing work from thread {parent}. {_GOALS[thread]}" if parent else _GOALS[thread]
    content = [{"type": "text", "text": text}]
    fields: dict[str, object] = {
        "v": 5,
        "id": thread,
        "created": created,
        "messages": [{"role": "user", "messageId": 0, "content": content, "meta": {"sentAt": created}}],
        "agentMode": "smart",
    }
    if parent:
        # The role is the owner's: this thread is the child, the one it names the parent.
        entry = {"threadID": parent, "type": "handoff", "role": "child", "messageIndex": 0, "createdAt": created}
        fields["relationships"] = [entry | {"comment": _GOALS[thread]}]
    return fields | {"nextMessageId": 1, "title": _GOALS[thread]}


class Stage:
    """Where the demo plays: what it says, the commands it types, what they print."""

    def __init__(self) -> None:
        self._out = Paper()

    def scene(self, text: str) -> None:
        """Announce what comes."""
        self._out.say("\n", (text, "bold"))

    def typed(self, command: str) -> None:
        """Show a command as a person types it."""
        self._out.say(("$", "green"), f" {command}")

    def printed(self, text: str) -> None:
        """Show what a command printed."""
        for line in text.splitlines():
            self._out.say(f"  {terminal(line, 1000)}")
