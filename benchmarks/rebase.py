"""
What our hooks cost a rebase of recorded commits, against the same rebase with hooks that only start a shell.

    python benchmarks/rebase.py [--commits N] [--rounds N] [--json]

Every round rebases the same branch without hooks, with four `exit 0` shell hooks and with ours, one after the other.
What is reported are medians, and the median of the differences to the shell hooks of the same round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ampcommit import shim
from ampcommit.ledger import Ledger
from ampcommit.verbs.install import install

THREAD = "T-01a1f7e3-ab93-740f-8034-4597204e1dc0"
KINDS = ("bare", "shell", "ours")


class Branch:
    """A repository with a branch of many commits, each of which changes one line."""

    def __init__(self, folder: Path, env: dict[str, str], commits: int) -> None:
        self.folder = folder
        self.env = env
        self.commits = commits
        self.git("init", "-q", str(folder))
        pieces = [_commit("refs/heads/main", "base", "base\n")]
        for number in range(commits):
            start = "" if number else "from refs/heads/main\n"
            pieces.append(_commit("refs/heads/topic", f"file{number % 50}", f"line {number}\n", start))
        pieces.append(_commit("refs/heads/main", "more", "more\n"))
        self.git("fast-import", "--quiet", stdin="".join(pieces))
        self.git("checkout", "-q", "topic")
        self.start = self.git("rev-parse", "topic").strip()

    def git(self, *args: str, stdin: str = "") -> str:
        """Return what `git *args` printed; it must succeed."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.folder if self.folder.exists() else None,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"git {args[0]}: {done.stderr}")
        return done.stdout

    def rebase(self) -> float:
        """Rebase the branch as it was at the start, and return the seconds that took."""
        self.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "-B", "topic", self.start)
        start = time.perf_counter()
        self.git("rebase", "-q", "--no-ff", "main", "topic")
        return time.perf_counter() - start


def _commit(ref: str, path: str, text: str, start: str = "") -> str:
    message = f"Change {path} for the sake of it\n\nAmp-Thread-ID: https://ampcode.com/threads/{THREAD}\n"
    head = f"commit {ref}\nauthor B <b@example.com> 1500000000 +0000\ncommitter B <b@example.com> 1500000000 +0000\n"
    return f"{head}data {len(message)}\n{message}{start}M 100644 inline {path}\ndata {len(text)}\n{text}\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--commits", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ampcommit-bench-") as folder:
        branches = _branches(Path(folder), options.commits)
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind in KINDS:
                times[kind].append(branches[kind].rebase())
        known = _carried(branches["ours"])
    extra = [ours - shell for ours, shell in zip(times["ours"], times["shell"], strict=True)]
    found: dict[str, object] = {f"{kind}_s": round(statistics.median(times[kind]), 3) for kind in KINDS}
    found |= {"commits": options.commits, "rounds": options.rounds, "carried": known}
    found |= {"over_shell_s": round(statistics.median(extra), 3), "most_over_shell_s": round(max(extra), 3)}
    if options.as_json:
        print(json.dumps(found))
        return
    print(f"{options.commits} commits, {options.rounds} rounds, medians; {known} of {options.commits} carried on\n")
    for kind, label in zip(KINDS, ("no hooks", "four `exit 0` shell hooks", "ampcommit"), strict=True):
        print(f"{label:<28}{found[f'{kind}_s']:>8} s")
    print(f"{'over the shell hooks':<28}{found['over_shell_s']:>8} s (at most {found['most_over_shell_s']} s)")


def _branches(folder: Path, commits: int) -> dict[str, Branch]:
    foreign = ("GIT_", "AMP", "AGENT", "XDG_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    env |= {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "true"}
    (folder / ".gitconfig").write_text("[user]\n\tname = B\n\temail = b@example.com\n[gc]\n\tauto = 0\n")
    branches = {kind: Branch(folder / kind, env, commits) for kind in KINDS}
    for name in shim.HOOKS:
        hook = branches["shell"].folder / ".git" / "hooks" / name
        hook.write_text("#!/bin/sh\nexit 0\n")
        hook.chmod(0o755)
    os.environ.update({"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"})
    install(str(branches["ours"].folder))
    return branches


def _carried(branch: Branch) -> int:
    """Return how many commits of the last rebase have a record, and a line that says what they were."""
    new = branch.git("rev-list", "main..topic").split()
    ledger = Ledger(str(branch.folder / ".git" / "ampcommit" / "ledger.jsonl"))
    text = b"\n".join(ledger.lines())
    return sum(f'"commit":"{one}"'.encode() in text and f'"new":"{one}"'.encode() in text for one in new)


if __name__ == "__main__":
    main()
