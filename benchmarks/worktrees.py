"""
What is recorded when many work trees of one clone commit at once, and what that costs.

    python benchmarks/worktrees.py [--worktrees N] [--commits N] [--json]

Each work tree has an agent of its own, which commits as fast as it can. Afterwards every commit must have
one record, in the thread of its work tree, and `ampcommit ledger check` must find nothing. The same commits
are made in clones without hooks, before and after; the ratio is to the mean of these two. It ends with 1 if
a record is missing, twice there, or in a wrong thread.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ampcommit.ledger import Ledger
from ampcommit.verbs.install import install, interpreter

LOOP = """
for n in $(seq "$1"); do
	git commit -q --allow-empty -m "Parse part $n of the log" || exit
done
"""


def main() -> None:
    """Measure, print, and end with 1 if anything is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--worktrees", type=int, default=16)
    parser.add_argument("--commits", type=int, default=200, help="of each work tree")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ampcommit-bench-") as folder:
        result = _measured(Path(folder), options.worktrees, options.commits)
    if options.as_json:
        print(json.dumps(result))
    else:
        _print_table(result)
    counts = {result[name] for name in ("commits", "lines", "records", "own")}
    sys.exit(0 if counts == {options.worktrees * options.commits} and result["check"] == "clean" else 1)


def _measured(folder: Path, worktrees: int, commits: int) -> dict[str, Any]:
    env = _environment(folder)
    bare = [_seconds(_clone(folder / "before", worktrees, env), commits, env)]
    clone = _clone(folder / "ours", worktrees, env, hooks=True)
    seconds = _seconds(clone, commits, env)
    bare.append(_seconds(_clone(folder / "after", worktrees, env), commits, env))
    ledger = Ledger(str(folder / "ours" / ".git" / "ampcommit" / "ledger.jsonl"))
    records = [record for record in map(json.loads, ledger.lines()) if record["kind"] == "commit"]
    mean = sum(bare) / len(bare)
    return {
        "python": interpreter(),
        "git": _git(folder, env, "version").split()[2],
        "worktrees": worktrees,
        "commits": int(_git(folder / "ours", env, "rev-list", "--count", "--min-parents=1", "--branches")),
        "lines": len(records),
        "records": len({record["commit"] for record in records}),
        "own": sum(record["thread"] == record["branch"] for record in records),
        "check": _checked(folder / "ours", env),
        "seconds": round(seconds, 2),
        "bare_seconds": round(mean, 2),
        "ratio": round(seconds / mean, 2),
    }


def _checked(repo: Path, env: dict[str, str]) -> str:
    """Return what `ampcommit ledger check` finds, `clean` if nothing."""
    command = shutil.which("ampcommit") or sys.exit("install ampcommit first")
    done = subprocess.run([command, "ledger", "check"], cwd=repo, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else "clean"


def _environment(folder: Path) -> dict[str, str]:
    foreign = ("GIT_", "AMP", "AGENT", "XDG_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    (folder / ".gitconfig").write_text("[user]\n\tname = B\n\temail = b@example.com\n[gc]\n\tauto = 0\n")
    os.environ.update({"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"})  # for `install`
    return env | {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false"}


def _clone(path: Path, worktrees: int, env: dict[str, str], *, hooks: bool = False) -> dict[str, Path]:
    """Make a repository with so many work trees; return them by their thread, which is the name of the branch too."""
    _git(path.parent, env, "init", "-q", str(path))
    _git(path, env, "commit", "-q", "--allow-empty", "-m", "Begin")
    trees = {}
    for number in range(worktrees):
        thread = f"T-01a1f7e3-ab93-740f-8034-{number:012x}"
        trees[thread] = path.with_name(f"{path.name}-{number}")
        _git(path, env, "worktree", "add", "-q", "-b", thread, str(trees[thread]))
    if hooks:
        install(str(path))
        _git(path, env, "config", "ampcommit.resolve", "never")  # nobody is to be asked for these threads
    return trees


def _seconds(trees: dict[str, Path], commits: int, env: dict[str, str]) -> float:
    """Let every work tree make so many commits, all at once; return how long that took."""
    start = time.perf_counter()
    running = []
    for thread, path in trees.items():
        agent = env | {"AGENT": "amp", "AGENT_THREAD_ID": thread, "AMP_CURRENT_THREAD_ID": thread}
        running.append(
            subprocess.Popen(["sh", "-c", LOOP, "sh", str(commits)], cwd=path, env=agent, stderr=subprocess.PIPE)
        )
    heard = Counter(process.communicate()[1].decode(errors="replace") for process in running)
    if set(heard) != {""}:
        sys.exit("".join(heard))
    return time.perf_counter() - start


def _git(folder: Path, env: dict[str, str], *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def _print_table(result: dict[str, Any]) -> None:
    print(f"python {sys.version.split()[0]}, git {result['git']}, {result['worktrees']} work trees at once\n")
    print(f"commits                     {result['commits']:>9,}")
    print(f"records in the ledger       {result['lines']:>9,}")
    print(f"commits that have one       {result['records']:>9,}")
    print(f"records in their own thread {result['own']:>9,}")
    print(f"ampcommit ledger check      {result['check']:>9}")
    print(f"seconds                     {result['seconds']:>9.2f}")
    print(f"seconds without hooks       {result['bare_seconds']:>9.2f}")
    print(f"ratio                       {result['ratio']:>9.2f}")


if __name__ == "__main__":
    main()
