"""Crashes: whatever ends a writer, at whichever system call, no line that was there or was reported is lost."""

import calendar
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ampcommit import shim
from ampcommit.files import Lock
from ampcommit.ledger import Ledger, digest
from ampcommit.verbs import install
from tests.conftest import OTHER, PARENT, THOROUGH, Repo
from tests.test_commits import FAILURES, Enter, Failure, failed, put, sh
from tests.test_ledger import another, child, intact, sha

TRACE = "strace -qq -y -o .git/trace -e trace=%file,%desc,exit_group"


def at_work(thread: str) -> dict[str, str]:
    """Return the environment of an agent at work in *thread*."""
    return {**os.environ, "AGENT": "amp", "AGENT_THREAD_ID": thread, "AMP_CURRENT_THREAD_ID": thread}


def ledger_of(repo: Repo) -> Ledger:
    """Return the ledger of a clone, named by its main work tree."""
    return Ledger(str(repo.path / ".git" / "ampcommit" / "ledger.jsonl"))


def bytes_of(path: str) -> bytes:
    """Return what a file holds, nothing if it is not there."""
    return Path(path).read_bytes() if os.path.exists(path) else b""


def recorded(repo: Repo) -> dict[str, dict[str, Any]]:
    """Return the record of each commit, once the ledger is sound: whole, no commit twice, none that does not exist."""
    ledger = ledger_of(repo)
    assert ledger.check().problems == []
    records = [record for record in map(json.loads, ledger.lines()) if record["kind"] == "commit"]
    ids = "".join(f"{record['commit']}\n" for record in records)
    known = repo("cat-file", "--batch-check=%(objecttype)", stdin=ids.encode()).splitlines()
    assert known == ["commit"] * len(records)
    found = {record["commit"]: record for record in records}
    assert len(found) == len(records)
    return found


def said(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return the lines on stderr, without the shell's own word about a process that was killed."""
    return [line for line in done.stderr.decode().splitlines() if line != "Killed"]


def linked(repo: Repo, count: int) -> dict[str, Path]:
    """Add so many work trees and return them by the thread that is at work in each; its branch has the same name."""
    trees = {}
    for number in range(count):
        thread = f"T-00000000-0000-7000-8000-0000000000{number:02x}"
        trees[thread] = repo.path.with_name(f"wt{number}")
        repo("worktree", "add", "-q", "-b", thread, str(trees[thread]))
    return trees


# --- C07, C08: every system call of an append, through the hook that git runs


@pytest.fixture(scope="session")
def strace() -> None:
    """Skip the test where no system call can be made to fail."""
    if not shutil.which("strace") or not shutil.which("prlimit"):
        pytest.skip("strace and prlimit are not both here (Debian and Ubuntu: the packages strace and util-linux)")
    argv = ["strace", "-qq", "-o", os.devnull, "-e", "inject=chdir:error=EIO", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")


class Point(NamedTuple):
    """A moment of a hook: the system call at place *at* among those from its first look at our files on."""

    at: int
    name: str
    nth: int  # among the calls of this name there
    ours: bool  # it is about the ledger or its lock


class Traced:
    """A clone in which one hook runs under strace: the interpreter itself, and not the programs that it starts."""

    def __init__(self, repo: Repo, hook: str, start: str) -> None:
        self.repo = repo
        self._start = start  # the path from which on we look
        self._before: list[str] = []
        python = put(repo.path / ".git" / "python", f"#!/bin/sh\nexec $INJECTED '{install.interpreter()}' \"$@\"\n")
        put(repo.path / ".git" / "hooks" / hook, shim.fast(hook, str(python), install.package()))

    def commit(self, injected: str = "") -> list[str]:
        """Make a commit, which must come to be whatever becomes of the hook; return what was said."""
        was = self.repo.head()
        done = self.repo.commit("-q", "-m", "Add the next part", env={"INJECTED": injected})
        assert was == self.repo.head("%P"), injected
        return said(done)

    def points(self) -> list[Point]:
        """Return the system calls on files that the last commit's hook made from the one about the start on."""
        _, calls = self._calls()
        names = [call.partition("(")[0] for call in calls]
        return [
            Point(at, name, names[: at + 1].count(name), "/ledger.jsonl" in calls[at]) for at, name in enumerate(names)
        ]

    def inject(self, point: Point, fault: str) -> str:
        """Return what makes strace inject *fault* at *point*, if nothing happens before that did not last time."""
        before, calls = self._calls()
        self._before = before if calls else self._before
        nth = sum(call.startswith(f"{point.name}(") for call in self._before) + point.nth
        return f" -e inject={point.name}:{fault}:when={nth}"

    def hit(self, point: Point) -> bool:
        """Say whether the last commit's hook met its fault at *point*; in how many pieces git speaks is up to git."""
        _, calls = self._calls()
        return point.at < len(calls) and ("(INJECTED)" in calls[point.at] or point.at == len(calls) - 1)

    def _calls(self) -> tuple[list[str], list[str]]:
        """Return the last hook's system calls, before the start and from there on."""
        lines = (self.repo.path / ".git" / "trace").read_text(errors="replace").splitlines()
        calls = [line for line in lines if line.partition("(")[0].isidentifier() and not line.startswith("mmap(")]
        first = next((at for at, call in enumerate(calls) if self._start in call), len(calls))
        return calls[:first], calls[first:]


class Start(NamedTuple):
    """What a commit finds: the ledger as it was or none, what a crash left behind it, room for so many bytes more."""

    kept: bool = True
    torn: bytes = b""
    room: int | None = None


FRESH, LATER, CRASHED = Start(kept=False), Start(), Start(torn=b'{"v":1,"kind":"comm')
STARTS = {"first commit": FRESH, "later commit": LATER, "after a crash": CRASHED}


class Stage:
    """A clone in which each disturbed commit finds the same ledger."""

    def __init__(self, repo: Repo, start: Start) -> None:
        self._repo = repo
        self._ledger = ledger_of(repo)
        for _ in range(2):
            repo.commit("-q", "-m", "Begin the parser")
        self._traced = Traced(repo, "post-commit", "/ledger.jsonl.lock")
        self._before = bytes_of(self._ledger.path) if start.kept else b""
        self._torn = start.torn
        self._limit = ""
        if start.room is not None:
            self._before += padding(self._before)
            self._limit = f"prlimit --fsize={len(self._before) + start.room} "

    def points(self) -> list[Point]:
        """Return every system call on files that an undisturbed hook makes from its first look at the lock on."""
        heard = self._disturbed("")
        assert not heard or bytes_of(self._ledger.path) == self._before  # half a line is taken back
        points = self._traced.points()
        assert {"openat", "flock", "write", "close", "exit_group"} <= {point.name for point in points}
        return points

    def disturb(self, point: Point, fault: str) -> str:
        """
        Make a commit with *fault* at *point*, and an undisturbed one behind it; return what became of its record.

        The commit is made, every line stays, nothing torn is lost, and who heard of no error has a record.
        The commit behind it is recorded, without a word, in a ledger that is sound again.
        """
        where = f"{fault} at {point}"
        heard = self._hit(point, fault)
        after = bytes_of(self._ledger.path)
        *lines, cut = after.removeprefix(self._before).split(b"\n")
        there = bool(lines) and json.loads(lines[-1])["commit"] == self._repo.head()
        assert after.startswith(self._before), where
        assert len(lines) == there, where
        assert self._torn in cut or self._torn in bytes_of(f"{self._ledger.path}.torn"), where
        assert [line.split(": ")[0] for line in (*heard[:1], *heard[-1:])] == ["error", " hint"] * bool(heard), where
        assert heard or there, where
        self._go_on(after.removesuffix(cut), cut, where)
        if there:
            return "recorded, not said" if heard else "recorded"
        return "cut off" if cut else "not recorded"

    def _hit(self, point: Point, fault: str) -> list[str]:
        """Make commits until one has met with *fault* at *point*; return what it said."""
        for _ in range(9):
            heard = self._disturbed(self._traced.inject(point, fault))
            if self._traced.hit(point):
                return heard
        raise AssertionError(f"{point} is never reached")

    def _go_on(self, whole: bytes, cut: bytes, where: str) -> None:
        """Make an undisturbed commit and see that it is recorded behind all lines, and what was cut off kept aside."""
        assert self._traced.commit() == [], where
        assert bytes_of(self._ledger.path).startswith(whole), where
        assert cut in bytes_of(f"{self._ledger.path}.torn"), where
        assert self._repo.head() in recorded(self._repo), where

    def _disturbed(self, inject: str) -> list[str]:
        """Make a commit from the start of this stage; return what was said."""
        put_back(self._ledger, self._before + self._torn)
        return self._traced.commit(f"{self._limit}{TRACE}{inject}")


def put_back(ledger: Ledger, content: bytes) -> None:
    """Let the ledger hold *content* and nothing lie beside it; without content there is none."""
    for path in Path(ledger.path).parent.iterdir():
        path.unlink()
    if content:
        ledger.prepare()
        Path(ledger.path).write_bytes(content)


def padding(lines: bytes) -> bytes:
    """Return a long line of a kind to come that fits behind *lines*; what strace writes is shorter than that."""
    before = digest(lines.rsplit(b"\n", 2)[-2])
    fields = {"v": 1, "kind": "padding", "fill": "x" * 200_000, "prev": before}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def swept(repo: Repo, start: Start, faults: Callable[[Point], list[str]]) -> set[str]:
    """Disturb a commit by every one of *faults* at every point, in two clones at once; return what became of them."""
    twin = Repo(repo.path.with_name("twin"))
    shutil.copytree(repo.path, twin.path)
    stages = [Stage(repo, start), Stage(twin, start)]
    points, same = (stage.points() for stage in stages)
    todo = [(point, fault) for point in points for fault in faults(point)]
    assert points == same

    def disturb(number: int) -> set[str]:
        return {stages[number].disturb(point, fault) for point, fault in todo[number::2]}

    with ThreadPoolExecutor(2) as pool:
        return set().union(*pool.map(disturb, range(2)))


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    ("start", "outcomes"),
    [
        (FRESH, {"not recorded", "recorded, not said"}),
        (LATER, {"not recorded", "recorded, not said"}),
        (CRASHED, {"not recorded", "recorded, not said", "cut off"}),
        (Start(room=100), {"not recorded", "cut off"}),
    ],
    ids=[*STARTS, "room for half a line"],
)
def test_a_hook_killed_at_any_system_call(installed: Repo, agent: Enter, start: Start, outcomes: set[str]) -> None:
    """C07: `kill -9` of the hook costs no line that was there, and nothing that it leaves stops the next commit."""
    agent(PARENT)

    assert swept(installed, start, lambda _: ["signal=KILL"]) == outcomes


ERRORS = {
    "openat": ["error=EIO", "error=ENOSPC", "error=EMFILE"],
    "write": ["error=EIO", "error=ENOSPC"],
    "ftruncate": ["error=EIO", "error=ENOSPC"],
    "flock": ["error=EIO", "error=ENOLCK"],
    "exit_group": [],
}


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_any_system_call_may_fail(installed: Repo, agent: Enter, start: Start) -> None:
    """C08, C17: whichever call of an append the system refuses, the commit is made, and the old lines stay."""
    agent(PARENT)
    kinds = None if start == LATER or THOROUGH else 1  # what else a call may say is tried where most commits begin
    outcomes = swept(installed, start, lambda point: ERRORS.get(point.name, ["error=EIO"])[:kinds])

    assert {"recorded", "not recorded"} <= outcomes


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_system_call_may_be_interrupted(installed: Repo, agent: Enter, start: Start) -> None:
    """C08: a signal in the middle of an append (EINTR) costs nothing."""
    agent(PARENT)
    again = ("openat", "flock", "read", "pread64", "write", "ftruncate")

    def interrupted(point: Point) -> list[str]:
        return ["error=EINTR"] if point.ours and point.name in again else []

    assert swept(installed, start, interrupted) == {"recorded"}


@pytest.mark.usefixtures("strace")
def test_a_file_system_without_locks(installed: Repo, agent: Enter) -> None:
    """C17: where the system cannot lock, each commit is made and says in two lines that it has no record."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    before = bytes_of(ledger_of(installed).path)
    heard = Traced(installed, "post-commit", "/ledger.jsonl.lock").commit(f"{TRACE} -e inject=flock:error=ENOLCK")

    assert [line.split(": ")[0] for line in heard] == ["error", " hint"]
    assert "No locks available" in heard[0]
    assert before == bytes_of(ledger_of(installed).path)


@pytest.mark.usefixtures("strace")
def test_a_commit_msg_killed_at_any_system_call(installed: Repo, agent: Enter) -> None:
    """C07, F07: the message has its link or is as it was, and half a note is no note."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    traced = Traced(installed, "commit-msg", "/COMMIT_EDITMSG.")
    traced.commit(TRACE)
    outcomes = set()
    for point in traced.points():
        heard = traced.commit(f"{TRACE}{traced.inject(point, 'signal=KILL')}")
        if not traced.hit(point):
            continue
        record = recorded(installed).get(installed.head())
        outcomes.add((len(installed.links()), record is not None and record["validated"]))
        assert heard[0] == "error: ampcommit ended with status 137"
        assert (record is None) == (installed.links() == [])
        assert installed.head("%s") == "Add the next part"
        assert traced.commit() == []
        assert recorded(installed)[installed.head()]["validated"]

    assert outcomes == {(0, False), (1, False), (1, True)}


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(("room", "counts"), [(9_999, {0, 4}), (600, {0, 1})], ids=["room for all", "room for one"])
def test_a_post_rewrite_killed_at_any_system_call(installed: Repo, agent: Enter, room: int, counts: set[int]) -> None:
    """C07: of the lines that a rebase adds at once, all or the first are there, each whole; the next commit goes on."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    installed("branch", "topic")
    installed.commit("-q", "-m", "Add the printer")
    installed("checkout", "-q", "topic")
    for part in ("lexer", "scanner"):
        installed.commit("-q", "-m", f"Add the {part}")
    traced = Traced(installed, "post-rewrite", "/ledger.jsonl.lock")
    ledger = ledger_of(installed)
    before = bytes_of(ledger.path) + padding(bytes_of(ledger.path))

    def added(injected: str, room: int = room) -> list[tuple[str, str]]:
        put_back(ledger, before)
        installed("checkout", "-q", "-B", "work", "topic")
        environ = {"INJECTED": f"prlimit --fsize={len(before) + room} {TRACE}{injected}"}
        installed("rebase", "-q", "main", env=environ)
        content = bytes_of(ledger.path)
        assert content.startswith(before), injected
        lines = map(json.loads, content.removeprefix(before).split(b"\n")[:-1])
        return [(line["kind"], line.get("commit") or line["new"]) for line in lines]

    wanted = added("", 10_000)
    added("")
    seen = set()
    for point in filter(lambda point: point.ours, traced.points()):
        lines = added(traced.inject(point, "signal=KILL"))
        assert lines == wanted[: len(lines)], point
        installed.commit("-q", "-m", "Go on behind it")
        found = recorded(installed)
        assert installed.head() in found, point
        assert {commit for kind, commit in lines if kind == "commit"} <= set(found), point
        seen.add(len(lines))

    assert seen == counts


# --- C04, C05: who holds the lock is stuck, or dies


def stopped_with_lock(repo: Repo) -> tuple[subprocess.Popen[bytes], int]:
    """Start a commit whose hook stops with the lock in hand; return git's process and the id of the hook's."""
    Traced(repo, "post-commit", "/ledger.jsonl.lock")
    argv = ["git", "commit", "-q", "--allow-empty", "-m", "Get stuck with the lock"]
    env = {**os.environ, "INJECTED": f"{TRACE} -e inject=flock:signal=STOP"}
    git = subprocess.Popen(argv, cwd=repo.path, env=env, stderr=subprocess.PIPE)
    inode = os.stat(f"{ledger_of(repo).path}.lock").st_ino
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for lock in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, holder, where, *_ = lock.split()
            if kind == "FLOCK" and where.endswith(f":{inode}"):
                return git, int(holder)
        time.sleep(0.01)
    git.kill()
    raise AssertionError("the hook never took the lock")


@pytest.fixture
def tree(installed: Repo, agent: Enter) -> Repo:
    """A linked work tree of a clone in which a first commit was recorded."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    [path] = linked(installed, 1).values()
    return Repo(path)


@pytest.mark.usefixtures("strace")
def test_a_hook_that_is_stuck_with_the_lock_costs_no_commit(installed: Repo, tree: Repo) -> None:
    """C05: behind it others give up in time and say so; when it goes on, its own record is written."""
    git, holder = stopped_with_lock(installed)
    heard = said(tree.commit("-q", "-m", "Go on beside it"))
    missed = tree.head()
    os.kill(holder, signal.SIGCONT)
    _, err = git.communicate(timeout=20)
    heard_later = said(tree.commit("-q", "-m", "Go on behind it"))

    assert "another process has held" in heard[0]
    assert (len(heard), err, heard_later) == (2, b"", [])
    assert {installed.head(), tree.head()} <= set(recorded(installed))
    assert missed not in recorded(installed)


@pytest.mark.usefixtures("strace")
def test_a_hook_that_dies_with_the_lock_holds_nobody_up(installed: Repo, tree: Repo) -> None:
    """C04: who waits for the lock of a process that is killed gets it, and is recorded."""
    git, holder = stopped_with_lock(installed)
    argv = ["git", "commit", "-q", "--allow-empty", "-m", "Wait for it"]
    with subprocess.Popen(argv, cwd=tree.path, stderr=subprocess.PIPE) as waiting:
        time.sleep(0.3)
        os.kill(holder, signal.SIGKILL)
        _, heard = waiting.communicate(timeout=20)
    _, err = git.communicate(timeout=20)

    assert heard == b""
    assert b"status 137" in err
    assert tree.head() in recorded(installed)
    assert installed.head() not in recorded(installed)


def test_no_other_descriptor_can_drop_the_lock(tmp_path: Path) -> None:
    """C18: the lock stays while the same process opens and closes its file and the ledger elsewhere."""
    ledger = Ledger(str(tmp_path / "state" / "ledger.jsonl"))
    ledger.append(another())
    script = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    argv = [sys.executable, "-I", "-S", "-c", script, f"{ledger.path}.lock"]
    with Lock(f"{ledger.path}.lock"):
        Path(f"{ledger.path}.lock").read_bytes()
        assert ledger.check().problems == []
        held = subprocess.run(argv, capture_output=True, check=False)
    free = subprocess.run(argv, capture_output=True, check=False)

    assert b"BlockingIOError" in held.stderr
    assert free.returncode == 0


# --- C01, C07: many at once, and killed at any moment


KILLS, PARTS = (25, 12) if THOROUGH else (8, 4)
"""How often the commits of a work tree are killed, and how many are made in each, where many are at work."""


def moments(longest: float) -> Iterator[float]:
    """Yield times between 0 and *longest* for ever, spread as evenly as can be, neighbours far apart."""
    for number in itertools.count():
        yield (number * 0.6180339887) % 1 * longest


def test_a_hundred_writers_killed_at_any_moment(tmp_path: Path) -> None:
    """C07: of four at a time that write and are killed, every record that was reported is there, once."""
    ledger = Ledger(str(tmp_path / "state" / "ledger.jsonl"))
    script = "for number in range(int(sys.argv[2]), 1 << 60): append(number); print(number, flush=True)"

    def killed(first: int) -> list[int]:
        reported: list[int] = []
        for number, moment in zip(range(25), moments(0.05), strict=False):
            with child(ledger, script, str((first + number) << 32)) as writer:
                assert writer.stdout
                reported.append(int(writer.stdout.readline()))
                time.sleep(moment)
                writer.kill()
                reported += map(int, writer.stdout.read().split())
        return reported

    with ThreadPoolExecutor(4) as pool:
        reported = [number for part in pool.map(killed, range(1, 101, 25)) for number in part]
    ledger.append(another())
    count = sum(1 for _ in ledger.lines())
    written = Counter(line["commit"] for line in intact(ledger, count))

    assert {sha(number) for number in reported} <= set(written)
    assert set(written.values()) == {1}
    assert len(reported) + 1 <= count <= len(reported) + 1 + 100


def test_commits_killed_at_any_moment(installed: Repo, agent: Enter) -> None:
    """C07: of four work trees in which git and its hooks are killed again and again, no reported commit is missing."""
    agent(PARENT)
    begun = time.perf_counter()
    installed.commit("-q", "-m", "Begin the parser")
    longest = 4 * (time.perf_counter() - begun)
    trees = linked(installed, 4)

    def killed(thread: str) -> list[str]:
        made, kills = [], 0
        tree = Repo(trees[thread])
        for moment in moments(longest):
            if finished(thread, tree.path, moment):
                made.append(tree.head())
            else:
                kills += 1
            if kills == KILLS:
                break
        assert finished(thread, tree.path, 60)
        return [*made, tree.head()]

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(killed, trees))
    found = recorded(installed)

    assert sum(map(len, made)) > 4
    for thread, commits in zip(trees, made, strict=True):
        assert {found[commit]["thread"] for commit in commits} == {thread}
    assert all(record["branch"] == record["thread"] for record in list(found.values())[1:])


def finished(thread: str, path: Path, moment: float) -> bool:
    """Make a commit in the work tree *path*, and kill it with its hooks at *moment*; say whether it was done before."""
    argv = ["git", "commit", "-q", "--allow-empty", "-m", "Add the next part"]
    git = subprocess.Popen(argv, cwd=path, env=at_work(thread), stderr=subprocess.PIPE, start_new_session=True)
    try:
        _, heard = git.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        os.killpg(git.pid, signal.SIGKILL)
        git.communicate()
        folder = Path((path / ".git").read_text().removeprefix("gitdir: ").strip())
        for lock in (folder / "index.lock", folder / "HEAD.lock", folder.parents[1] / f"refs/heads/{thread}.lock"):
            lock.unlink(missing_ok=True)
        return False
    assert (git.returncode, heard) == (0, b"")
    return True


def test_sixteen_work_trees_lose_nothing(installed: Repo, agent: Enter) -> None:
    """C01: sixteen agents that commit at once, several times each, have each their records, all of them, each once."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    parts = " ".join(map(str, range(PARTS)))
    loop = f"for n in {parts}; do git commit -q --allow-empty -m 'Add part '$n || exit; done"
    running = {
        thread: subprocess.Popen(["sh", "-c", loop], cwd=path, env=at_work(thread), stderr=subprocess.PIPE)
        for thread, path in linked(installed, 16).items()
    }
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in running.values()]
    found = list(recorded(installed).values())[1:]

    assert ended == [(b"", 0)] * 16
    assert Counter((record["branch"], record["thread"]) for record in found) == {
        (name, name): PARTS for name in running
    }
    assert all(record["validated"] for record in found)


# --- C08: a disk that is full


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[str], None]:
    """Run a script that sees a disk of 64 KB at `$1`; others do not see it, and it is gone afterwards."""
    argv = ["unshare", "-m", "sh", "-c"]
    mount = 'set -e; mount -t tmpfs -o size=64k,mode=700 none "$1"; cd "$1"; '
    done = shutil.which(argv[0]) and subprocess.run([*argv, mount, "sh", tmp_path], capture_output=True, check=False)
    if not done or done.returncode:
        pytest.skip("nobody but root can mount a small disk, and only on Linux")

    def run(script: str, *args: str | Path) -> None:
        done = subprocess.run([*argv, mount + script, "sh", *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


FULL = """
cp -a "$2/." . && rm -f note
cat /dev/zero >fill 2>/dev/null || :
cd "$3"
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	git commit -q --allow-empty -m "Add part $n" 2>"$2/said.$n"
	git rev-parse HEAD >"$2/made.$n"
done
rm "$1/fill"
git commit -q --allow-empty -m 'Go on'
[ ! -e "$1/ledger.jsonl.torn" ]
cp "$1/ledger.jsonl" "$2"
"""


@pytest.mark.parametrize("where", ["main", "linked"])
def test_a_full_disk(installed: Repo, tree: Repo, small_disk: Callable[..., None], tmp_path: Path, where: str) -> None:
    """C08, E38: on a disk that is full commits are made and linked, what is lost is said, and what was there stays."""
    state = installed.path / ".git" / "ampcommit"
    before = bytes_of(ledger_of(installed).path)
    kept = tmp_path / "kept"
    shutil.copytree(state, kept)
    worked = installed if where == "main" else tree
    small_disk(FULL, state, kept, worked.path)
    shutil.copy(kept / "ledger.jsonl", state)
    found = recorded(installed)
    heard = {(kept / f"made.{n}").read_text().strip(): (kept / f"said.{n}").read_text() for n in range(1, 13)}

    assert len(heard) == 12
    assert bytes_of(ledger_of(installed).path).startswith(before)
    assert {"No space left" in text for text in heard.values()} <= ({True} if where == "main" else {True, False})
    assert {commit for commit, text in heard.items() if text == ""} <= set(found)
    assert {commit for commit in heard if commit in found} not in (set(), set(heard))
    assert worked.head() in found


# --- C14: clocks

YEAR = 365 * 86400
SHIFTED = """#!/bin/sh
shift 3; code=$1; shift
exec '{python}' -I -S -c "import time
now, then = time.time, time.gmtime
time.time = lambda: now() + $SHIFT
time.gmtime = lambda seconds=None: then(time.time() if seconds is None else seconds)
$code" "$@"
"""


def test_clocks_that_are_set_back_and_ahead(installed: Repo, agent: Enter) -> None:
    """C14: a year back, ten years ahead, before 1970: records stand in the order of their commits, and nobody waits."""
    agent(PARENT)
    state = installed.path / ".git" / "ampcommit"
    for name in ("commit-msg", "post-commit"):
        python = put(installed.path / ".git" / "python", SHIFTED.format(python=install.interpreter()))
        put(installed.path / ".git" / "hooks" / name, shim.fast(name, str(python), install.package()))
    clocks = []
    for shift in (0, -YEAR, 10 * YEAR, -86400 - int(time.time()), 0):
        clocks.append(int(time.time()) + shift)
        for path in (state, *state.iterdir()):
            os.utime(path, (clocks[-1], clocks[-1]))
        date = f"@{max(0, clocks[-1])} +0000"
        env = {"SHIFT": str(shift), "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
        assert said(installed.commit("-q", "-m", "Add the next part", env=env)) == []
    found = recorded(installed)
    times = [calendar.timegm(time.strptime(record["time"], "%Y-%m-%dT%H:%M:%SZ")) for record in found.values()]

    assert list(found) == installed("rev-list", "--topo-order", "--reverse", "HEAD").splitlines()
    assert all(abs(noted - clock) < 60 for noted, clock in zip(times, clocks, strict=True))


# --- F: what a commit that did not come to be leaves behind

KILLED = """\
printf '%s\\n' '#!/bin/sh' '[ "$1" != {state} ] || kill -9 $PPID' >.git/hooks/reference-transaction
chmod +x .git/hooks/reference-transaction"""
CLEARED = "rm -f .git/hooks/reference-transaction .git/*.lock .git/refs/heads/*.lock"
LEFT = {name: failure for name, failure in FAILURES.items() if name[:3] in ("F01", "F02", "F03", "F05", "F07")}
LEFT["F07 git killed in the transaction"] = Failure(KILLED.format(state="prepared"), CLEARED)


def note_of(repo: Repo) -> bytes:
    """Return the note that lies in the main work tree's git dir."""
    return bytes_of(str(repo.path / ".git" / "ampcommit" / "note"))


@pytest.mark.parametrize("failure", LEFT.values(), ids=LEFT)
def test_the_note_of_a_commit_that_did_not_happen_is_swept(installed: Repo, agent: Enter, failure: Failure) -> None:
    """F01 to F07: its note is there, is no record, and goes with the next commit."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    failed(installed, failure)
    left = note_of(installed)
    agent(OTHER)
    installed.commit("-q", "-m", "Add the scanner")

    assert b"\n\nTry the parser\n" in left
    assert note_of(installed) == b""
    assert [record["thread"] for record in recorded(installed).values()] == [PARENT, OTHER]


PERSON = "unset AGENT AGENT_THREAD_ID AMP_CURRENT_THREAD_ID;"
COMMIT = "commit -q --allow-empty -m 'Add the scanner'"
NEXT = {
    "commit": (f"git {COMMIT}", [OTHER]),
    "unjudged": (f"git {COMMIT} -n", []),
    "unjudged, same thread": (f"git {COMMIT} -n -m 'Amp-Thread-ID: https://ampcode.com/threads/{PARENT}'", [PARENT]),
    "amend": ("git commit -q --amend --allow-empty -m 'Begin the scanner'", [OTHER]),
    "amend, unjudged": ("git commit -q --amend --allow-empty --no-edit -n --date=now", [PARENT]),
    "cherry-pick": ("git cherry-pick side", [PARENT]),
    "revert": ("git revert --no-edit HEAD", []),
    "mode off": (f"git -c ampcommit.mode=off {COMMIT}", []),
    "a person's": (f"{PERSON} git -c ampcommit.authors=agent {COMMIT}", []),
    "a person's, unjudged": (f"{PERSON} git {COMMIT} -n", []),
    "merge": ("git merge -q --no-ff -m 'Bring in the scanner' side", None),
}


@pytest.mark.parametrize(("script", "links"), NEXT.values(), ids=NEXT)
def test_a_note_that_was_left_says_nothing_of_what_comes_next(
    installed: Repo, agent: Enter, script: str, links: list[str] | None
) -> None:
    """F07: whatever git makes next, judged or not, is recorded as what it is, and the note is gone."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    for branch in ("side", "main"):
        installed("checkout", "-q", "-B", branch, "main")
        (installed.path / branch).write_text("")
        installed("add", branch)
        installed.commit("-q", "-m", "Add to the parser")
    failed(installed, LEFT["F07 git killed in the transaction"])
    agent(OTHER)
    done = sh(installed, script)
    record = recorded(installed).get(installed.head())

    assert done.returncode == 0, done.stderr
    assert b"Try the parser" not in note_of(installed)
    assert links is None or (record["links"] if record else []) == links
    assert links is None or record is None or record["validated"] == (OTHER in links)


@pytest.mark.parametrize("script", ["git commit -q --allow-empty -m 'Add the scanner'", NEXT["amend"][0]])
def test_git_killed_before_the_hook_of_a_commit_that_is_made(installed: Repo, agent: Enter, script: str) -> None:
    """F07: such a commit has no record, rather than a false one; its note serves no other commit, an amend neither."""
    agent(PARENT)
    installed.commit("-q", "-m", "Begin the parser")
    sh(installed, KILLED.format(state="committed"))
    assert installed.commit("-q", "-m", "Add the parser", ok=False).returncode != 0
    sh(installed, CLEARED)
    gap = installed.head()
    assert gap not in recorded(installed)
    agent(OTHER)
    sh(installed, script)
    found = recorded(installed)

    assert gap not in found or (found[gap]["source"], found[gap]["validated"]) == ("message", False)
    assert found[installed.head()]["thread"] == OTHER
    assert note_of(installed) == b""
