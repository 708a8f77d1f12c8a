"""What every test stands on: a sealed environment, no network, real git in a real repository."""

import gc
import io
import ipaddress
import itertools
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ampcommit.resolved import Resolved

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
AMP = DATA / "amp"

PARENT = "T-01a1f7e3-a087-75c8-93d6-905e87056e81"
CHILD = "T-01a1f7e3-a0f0-741a-b744-dc84b74290e9"
OTHER = "T-01a1f7e4-a2a3-73ba-b37f-b07db4084237"

_FOREIGN: tuple[str, ...] = ("GIT_", "AMP", "AGENT", "AI_AGENT", "XDG_", "CLAUDECODE")
_FOREIGN += ("GITHUB_", "GITLAB_", "CI", "BUILDKITE", "PRE_COMMIT")


THOROUGH = bool(os.environ.get("AMPCOMMIT_TESTS_THOROUGH"))


def examples(count: int) -> int:
    """Return how many examples to try where each starts processes: *count* if time does not matter, else a quarter."""
    return count if THOROUGH else count // 4


def url(thread: str) -> str:
    """Return the canonical link of *thread*."""
    return f"https://ampcode.com/threads/{thread}"


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Heed Ctrl-C, as the programs that tests start then do: a shell starts what is in the background deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


_NUMBERS = itertools.count()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder of the test's own; pytest's lists all there are to find its number, which takes minutes."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    return tmp_path_factory.mktemp(f"{name}{next(_NUMBERS)}", numbered=False)


CONFIG = "[user]\n\tname = T\n\temail = t@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"


def _sealed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp(f"home{next(_NUMBERS)}", numbered=False)
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_EDITOR", "false")
    monkeypatch.setenv("GIT_AUTHOR_DATE", "1500000000 +0000")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1500000000 +0000")
    monkeypatch.setenv("NO_COLOR", "1")
    (home / ".gitconfig").write_text(CONFIG)
    return home


@pytest.fixture(autouse=True)
def sealed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cut the test off from the machine it runs on; return its empty home."""
    return _sealed(tmp_path_factory, monkeypatch)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test that reaches for the network fail by name, not by timeout."""
    connect = socket.socket.connect

    def loopback_only(self: socket.socket, address: tuple[str, int]) -> None:
        if self.family != socket.AF_UNIX and not ipaddress.ip_address(address[0]).is_loopback:
            raise AssertionError(f"this test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", loopback_only)


class Repo:
    """A real repository, driven as a person would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self, *args: str, ok: bool = True, env: Mapping[str, str] | None = None, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `git *args` with *env* added to the environment; unless *ok* is false it must succeed."""
        environ = {**os.environ, **(env or {})}
        done = subprocess.run(
            ["git", *args], cwd=self.path, env=environ, input=stdin, capture_output=True, check=False, timeout=60
        )
        assert not ok or done.returncode == 0, done.stderr.decode(errors="replace")
        return done

    def __call__(self, *args: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None) -> str:
        """Return what `git *args` printed, without the last line feed."""
        return self.run(*args, env=env, stdin=stdin).stdout.decode(errors="surrogateescape").removesuffix("\n")

    def commit(
        self, *args: str, ok: bool = True, env: Mapping[str, str] | None = None, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Make an empty commit."""
        return self.run("commit", "--allow-empty", *args, ok=ok, env=env, stdin=stdin)

    def head(self, field: str = "%H") -> str:
        """Return a field of the commit at HEAD, as `git log --format` names it."""
        return self("log", "-1", f"--format={field}")

    def links(self) -> list[str]:
        """Return the values of our trailer in the commit at HEAD, as git sees them."""
        return self("log", "-1", "--format=%(trailers:key=Amp-Thread-ID,valueonly,unfold)").splitlines()


class Patterns:
    """An empty repository and one with hooks, as `git init` and `install` make them, to be copied by many tests."""

    def __init__(self, folder: Path) -> None:
        from ampcommit import shim
        from ampcommit.verbs import install

        self.empty, self.installed = folder / "empty", folder / "installed"
        for path in (self.empty, self.installed):
            subprocess.run(["git", "init", "-q", str(path)], check=True)
        install.install(str(self.installed))
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert not any(bytes(folder) in path.read_bytes() for path in files), "what names its place is of no other"
        self._hooks = shim.HOOKS
        self._seen = self._what_install_sees(self.empty)

    def put_hooks_into(self, path: Path) -> bool:
        """Copy what `install` made, unless it might make something else here; say whether that was done."""
        if self._what_install_sees(path) != self._seen:
            return False
        for name in self._hooks:
            shutil.copy(self.installed / ".git" / "hooks" / name, path / ".git" / "hooks")
        shutil.copytree(self.installed / ".git" / "ampcommit", path / ".git" / "ampcommit")
        return True

    def _what_install_sees(self, path: Path) -> tuple[object, ...]:
        configs = (Path.home() / ".gitconfig", path / ".git" / "config")
        environ = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith(_FOREIGN)}
        folders = (path, path / ".git", path / ".git" / "hooks")
        return environ, [config.read_bytes() for config in configs], [sorted(os.listdir(folder)) for folder in folders]


@pytest.fixture(scope="session")
def _patterns(tmp_path_factory: pytest.TempPathFactory) -> Patterns:
    with pytest.MonkeyPatch.context() as monkeypatch:
        _sealed(tmp_path_factory, monkeypatch)
        return Patterns(tmp_path_factory.mktemp("patterns", numbered=False))


def _copied(source: str, target: str) -> None:
    """Copy a file with its mode; git's samples, which nobody writes to, get another name instead."""
    if source.endswith(".sample"):
        os.link(source, target)
    else:
        shutil.copy(source, target)


@pytest.fixture
def repo(tmp_path: Path, _patterns: Patterns) -> Repo:
    """An empty repository without hooks."""
    return Repo(Path(shutil.copytree(_patterns.empty, tmp_path / "repo", copy_function=_copied)))


@pytest.fixture
def installed(repo: Repo, _patterns: Patterns) -> Repo:
    """An empty repository with the fast hooks in place."""
    if not _patterns.put_hooks_into(repo.path):
        from ampcommit.verbs import install

        install.install(str(repo.path))
    return repo


_MADE: dict[tuple[object, ...], Path] = {}


def once(repo: Repo, make: Callable[..., object], *args: object) -> Repo:
    """Let the new *repo* be as `make(repo, *args)` leaves one; what that made the first time is copied later on."""
    made = _MADE.get((make, *args))
    if made is not None:
        shutil.rmtree(repo.path)
        shutil.copytree(made, repo.path, symlinks=True)
        repo("update-index", "-q", "--refresh")  # the times of files are others
        return repo
    make(repo, *args)
    files = [path for path in repo.path.rglob("*") if path.is_file()]
    assert not any(bytes(repo.path) in path.read_bytes() for path in files), "what names its place is of no other"
    _MADE[make, *args] = Path(shutil.copytree(repo.path, repo.path.with_name("made once"), symlinks=True))
    return repo


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put this process into the shell of an agent at work in a thread."""

    def enter(thread: str) -> None:
        monkeypatch.setenv("AGENT", "amp")
        monkeypatch.setenv("AGENT_THREAD_ID", thread)
        monkeypatch.setenv("AMP_CURRENT_THREAD_ID", thread)

    return enter


@pytest.fixture
def amp_home(sealed: Path) -> Path:
    """Amp's own folder of thread files in the sealed home, empty."""
    folder = sealed / ".local" / "share" / "amp" / "threads"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def january(amp_home: Path) -> Path:
    """The January client's parent and child in Amp's own folder."""
    for file in (AMP / "2026-01" / "threads-agent-handoff").iterdir():
        shutil.copy(file, amp_home)
    return amp_home


class Done:
    """What became of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def data(self) -> dict[str, Any]:
        """The one JSON object on stdout, beside which nothing was said."""
        assert self.err == ""
        return self.parsed

    @property
    def parsed(self) -> dict[str, Any]:
        """The one JSON object on stdout, whatever was said beside it."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def judged(self) -> dict[str, str]:
        """The status of each commit in the JSON of `verify`."""
        return {commit["commit"]: commit["status"] for commit in self.parsed["commits"]}


Run = Callable[..., Done]


@pytest.fixture
def run(repo: Repo, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line in an empty repository, in process; a *stdin* of None is closed."""
    from ampcommit.cli import app as cli

    monkeypatch.chdir(repo.path)

    def call(*args: str, stdin: io.RawIOBase | bytes | None = b"") -> Done:
        source = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin and io.BufferedReader(stdin)
        monkeypatch.setattr(sys, "stdin", source and io.TextIOWrapper(source))
        with pytest.raises(SystemExit) as left:
            cli.main(args)
        return Done(int(left.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture
def startable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test call `start`: its end is a `SystemExit`, and what it changed of this process is put back."""
    before, heeded = gc.get_threshold(), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(os, "_exit", sys.exit)
    yield
    gc.set_threshold(*before)
    signal.signal(signal.SIGTERM, heeded)


def learned(thread: str) -> "Resolved":
    """Return the line of a ledger that says of *thread* that it came of no other."""
    from ampcommit.record import ThreadId
    from ampcommit.resolved import Resolved

    root = ThreadId(thread)
    return Resolved(
        thread=root,
        chain=[root],
        chain_state="complete",
        parents={root: []},
        source="amp",
        time="2026-11-20T08:15:30Z",
        by="ampcommit 0.1.0",
    )


def on_real_terminal(code: str, environ: Mapping[str, str]) -> bytes:
    """Return what a Python that runs *code* shows on a terminal of its own; it must succeed."""
    ours, theirs = pty.openpty()
    found = {**environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", code], env=found, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    assert child.wait(30) == 0
    return seen


def command(*args: str) -> list[str]:
    """Return the argument list that runs `ampcommit` in this interpreter."""
    return [sys.executable, "-m", "ampcommit", *args]
