"""
What `ampcommit chain` costs, whole processes: long chains from local files, and one thread in a large ledger.

    python benchmarks/chain.py [--records N] [--json]

Cold: nothing about the threads was learned before. Warm: the same command again. Beside them stands what
the same interpreter needs for `ampcommit --version`, which no command can go below.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ledger import fill, repository


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ampcommit-bench-") as folder:
        rows = _measured(Path(folder), options.records)
    if options.as_json:
        print(json.dumps({"rows": rows}))
        return
    print(f"python {sys.version.split()[0]}, medians\n")
    for row in rows:
        print(f"{row['what']:<56} {row['seconds']:>7.3f} s {row['mb']:>7.0f} MB")


def _measured(folder: Path, records: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []

    def row(what: str, home: Path, cwd: Path, *args: str, forget: bool = False, repeats: int = 7) -> None:
        seen = [_run(home, cwd, *args, forget=forget) for _ in range(repeats)]
        rows.append(
            {
                "what": what,
                "seconds": round(statistics.median(seconds for seconds, _ in seen), 3),
                "mb": round(max(mb for _, mb in seen)),
            }
        )

    plain = folder / "plain"
    repository(plain)
    row("ampcommit --version", folder, plain, "--version")
    for count in (1_000, 10_000):
        home, last = folder / f"home-{count}", _threads(folder / f"home-{count}", count)
        repeats = 5 if count > 1_000 else 7
        row(f"chain of {count:,} local threads, cold", home, plain, "chain", last, forget=True, repeats=repeats)
        row(f"chain of {count:,} local threads, warm", home, plain, "chain", last, repeats=repeats)
    large = folder / "large"
    commit = repository(large)
    fill(large / ".git" / "ampcommit" / "ledger.jsonl", records, commit)
    thread = f"T-01a1f7e3-0002-740f-8034-{records // 2:012x}"
    row(f"chain of one thread, {records:,} records", folder, large, "chain", thread)
    return rows


def _threads(home: Path, count: int) -> str:
    """Write a chain of *count* threads as the January client would, each handed off from the one before."""
    folder = home / ".local" / "share" / "amp" / "threads"
    folder.mkdir(parents=True)
    ids = [f"T-01a1f7e3-ab93-740f-8034-{number:012x}" for number in range(count)]
    for number, thread in enumerate(ids):
        entry = {"threadID": ids[number - 1], "type": "handoff", "role": "child", "messageIndex": 4}
        content = [{"type": "text", "text": "x" * 2000}]
        fields = {
            "v": 9,
            "id": thread,
            "created": 1795160213763 + number,
            "messages": [{"role": "user", "messageId": 0, "content": content}],
            "relationships": [entry] if number else [],
            "title": f"Step {number}",
        }
        (folder / f"{thread}.json").write_text(json.dumps(fields, indent=2))
    return ids[-1]


def _run(home: Path, cwd: Path, *args: str, forget: bool) -> tuple[float, float]:
    """Return how long the command took, in seconds, and how much memory it needed, in MB."""
    if forget:
        shutil.rmtree(home / ".local" / "share" / "ampcommit", ignore_errors=True)
    command = shutil.which("ampcommit") or sys.exit("install ampcommit first")
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    start = time.perf_counter()
    with subprocess.Popen([command, *args], cwd=cwd, env=environ, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{args}: status {process.returncode}")
    return seconds, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


if __name__ == "__main__":
    main()
