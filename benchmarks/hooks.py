"""
What both hooks cost a `git commit`, against a commit without hooks and against hooks that do nothing.

    python benchmarks/hooks.py [--rounds N] [--json]

Every round makes one commit of each kind, one after the other, and what is reported is the median
of the differences to the bare commit of the same round: the machine's speed may drift, the
proportions hold. A commit that Amp has rewritten, and an amend, are compared with the same command without
hooks: what git itself needs for them is not ours. The unit of comparison is two hooks that start
an isolated Python and do nothing.
"""

import argparse
import json
import os
import shutil
import stat
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ampcommit.verbs.install import install, interpreter

THREAD = "T-01a1f7e3-ab93-740f-8034-4597204e1dc0"
LINK = f"Amp-Thread-ID: https://ampcode.com/threads/{THREAD}"
MESSAGE = "Parse a line of the log\n\nThe columns are separated by blanks; a quoted blank stays.\n"
AMP_REWRITE = ("-c", "trailer.AmpThread.key=Amp-Thread-ID", "-c", "trailer.AmpThread.ifexists=replace")

Prepare = Callable[[], None]


class Kind:
    """One kind of commit: where it is made, how, and what happens just before."""

    def __init__(
        self,
        label: str,
        repo: Path,
        env: dict[str, str],
        *,
        amp: bool = False,
        amend: bool = False,
        before: Prepare | None = None,
    ) -> None:
        self.label = label
        self.repo = repo
        self.env = env
        self.amp = amp
        self.amend = amend
        self.before = before
        rewrite, trailer = (AMP_REWRITE, ("--trailer", LINK)) if amp else ((), ())
        self.argv = ["git", *rewrite, "commit", "-q", "--allow-empty", *trailer, *(("--amend",) if amend else ())]
        self.times: list[float] = []

    def commit(self) -> None:
        """Make one commit and note how long it took, in milliseconds."""
        if self.before:
            self.before()
        # An amend that changes nothing within a second would make the same commit again.
        argv = [*self.argv, "-m", MESSAGE, *(("-m", f"Amended {len(self.times)} times.") if self.amend else ())]
        start = time.perf_counter()
        done = subprocess.run(argv, cwd=self.repo, env=self.env, capture_output=True, check=False)
        self.times.append((time.perf_counter() - start) * 1000)
        if done.returncode or (done.stderr and b"error" in done.stderr):
            sys.exit(f"{self.label}: {done.stderr.decode(errors='replace')}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ampcommit-bench-") as folder:
        kinds = _kinds(Path(folder))
        for kind in kinds:  # one round to warm up
            kind.commit()
            kind.times.clear()
        for _ in range(options.rounds):
            for kind in kinds:
                kind.commit()
    rows = _rows(kinds)
    if options.as_json:
        print(json.dumps({"rounds": options.rounds, "python": interpreter(), "git": _git_version(), "rows": rows}))
    else:
        _print_table(rows, options.rounds)


def _kinds(folder: Path) -> list[Kind]:
    home = folder / "home"
    home.mkdir()
    foreign = ("GIT_", "AMP", "AGENT", "XDG_")
    human = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    human |= {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false"}
    (home / ".gitconfig").write_text("[user]\n\tname = B\n\temail = b@example.com\n[gc]\n\tauto = 0\n")
    agent = human | {"AGENT": "amp", "AGENT_THREAD_ID": THREAD, "AMP_CURRENT_THREAD_ID": THREAD}
    reference = f"#!/bin/sh\nexec '{interpreter()}' -I -S -c pass\n"
    os.environ.update({"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"})

    def ours(name: str, *config: str) -> Path:
        repo = _repository(folder / name)
        install(str(repo))
        if config:
            subprocess.run(["git", "config", *config], cwd=repo, check=True)
        return repo

    policy = ours("policy")
    (policy / ".ampcommit").write_text("[ampcommit]\n\tminBody = 10\n")
    kinds = [
        Kind("bare git commit", _repository(folder / "bare"), human),
        Kind("bare git commit, as Amp rewrites it", _repository(folder / "rewritten"), agent, amp=True),
        Kind("two `exit 0` shell hooks", _with_hooks(folder / "shell", "#!/bin/sh\nexit 0\n"), human),
        Kind("two empty `python -I -S` hooks", _with_hooks(folder / "empty", reference), human),
        Kind("ampcommit: link added, recorded", ours("ours"), agent),
        Kind("ampcommit: Amp added the link", ours("amp"), agent, amp=True),
        Kind("ampcommit: with a .ampcommit", policy, agent),
        Kind("ampcommit: thread file of 50 KB just changed", ours("small"), agent, before=_thread_file(home, 50_000)),
        Kind(
            "ampcommit: thread file of 50 MB just changed", ours("large"), agent, before=_thread_file(home, 50_000_000)
        ),
        Kind("bare git commit --amend", _begun(_repository(folder / "bare-amend"), human), human, amend=True),
        Kind("ampcommit: amend, carried on", _begun(ours("amend"), agent), agent, amend=True),
        Kind("ampcommit: mode = off", ours("off", "ampcommit.mode", "off"), human),
        Kind("ampcommit: authors = agent, no agent", ours("agent", "ampcommit.authors", "agent"), human),
    ]
    return kinds + _others(folder, human)


def _others(folder: Path, env: dict[str, str]) -> list[Kind]:
    """Return the hooks of other tools, where they are installed."""
    kinds = []
    if shutil.which("gitlint"):
        repo = _repository(folder / "gitlint")
        _write_hook(repo / ".git" / "hooks" / "commit-msg", '#!/bin/sh\nexec gitlint --msg-filename "$1" run-hook\n')
        kinds.append(Kind("gitlint", repo, env))
    if shutil.which("pre-commit"):
        repo = _repository(folder / "pre-commit")
        (repo / ".pre-commit-config.yaml").write_text("repos: []\n")
        subprocess.run(["git", "add", "."], cwd=repo, env=env, check=True)
        subprocess.run(["pre-commit", "install"], cwd=repo, env=env, check=True, capture_output=True)
        kinds.append(Kind("pre-commit without any check", repo, env))
    return kinds


def _repository(path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(path)], check=True, capture_output=True)
    subprocess.run(["git", "remote", "add", "origin", "git@example.com:team/demo.git"], cwd=path, check=True)
    return path


def _begun(path: Path, env: dict[str, str]) -> Path:
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "Begin the parser"], cwd=path, env=env, check=True)
    return path


def _with_hooks(path: Path, script: str) -> Path:
    _repository(path)
    for name in ("commit-msg", "post-commit"):
        _write_hook(path / ".git" / "hooks" / name, script)
    return path


def _write_hook(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _thread_file(home: Path, size: int) -> Prepare:
    """Return what makes the thread's file new to ampcommit: written this moment, its parents not yet learned."""
    data = home / ".local" / "share"
    path = data / "amp" / "threads" / f"{THREAD}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    block = [{"type": "text", "text": "x" * 900}]
    message = {"role": "user", "messageId": 0, "content": block, "userState": {"currentlyVisibleFiles": []}}
    parent = {"threadID": THREAD.replace("T-01a1f7e3", "T-01a1f7e2"), "type": "handoff", "role": "child"}
    thread = {"v": 9, "id": THREAD, "created": 1, "messages": [message] * (size // 1150), "relationships": [parent]}
    text = json.dumps(thread, indent=2)

    def change() -> None:
        shutil.rmtree(data / "ampcommit" / "parents", ignore_errors=True)
        path.write_text(text)

    return change


def _rows(kinds: list[Kind]) -> list[dict[str, object]]:
    plain, rewritten, _, empty = kinds[:4]
    amended = next(kind for kind in kinds if kind.amend)
    unit = _over(empty.times, plain.times)
    rows: list[dict[str, object]] = []
    for kind in kinds:
        bare = rewritten if kind.amp else amended if kind.amend else plain
        over = _over(kind.times, bare.times)
        median = statistics.median(kind.times)
        rows.append(
            {"kind": kind.label, "ms": round(median, 2), "over": round(over, 2), "ratio": round(over / unit, 2)}
        )
    return rows


def _over(times: list[float], bare: list[float]) -> float:
    return statistics.median(mine - base for mine, base in zip(times, bare, strict=True))


def _git_version() -> str:
    return subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[2]


def _print_table(rows: list[dict[str, object]], rounds: int) -> None:
    print(f"python {sys.version.split()[0]} ({interpreter()}), git {_git_version()}, {rounds} rounds, medians\n")
    print(f"{'commit':<48} {'ms':>8} {'over bare':>10} {'x empty':>8}")
    for row in rows:
        print(f"{row['kind']:<48} {row['ms']:>8.2f} {row['over']:>10.2f} {row['ratio']:>8.2f}")


if __name__ == "__main__":
    main()
