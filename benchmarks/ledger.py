"""
What the ledger costs as it grows: an append, and `ampcommit show` of one commit, at 1,000 and 1,000,000 records.

    python benchmarks/ledger.py [--records N] [--json]

The floors of the same run: a bare append of a line, and one under a lock.
"""

import argparse
import fcntl
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ampcommit.ledger import Ledger, digest
from ampcommit.record import Record, Sha, ThreadId

REPEATS = 300


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ampcommit-bench-") as folder:
        rows = [row for count in (1_000, options.records) for row in _measured(Path(folder), count)]
    if options.as_json:
        print(json.dumps({"rows": rows}))
        return
    print(f"python {sys.version.split()[0]}, medians\n")
    for row in rows:
        print(f"{row['records']:>9,} records  {row['what']:<44} {row['value']:>10.2f} {row['unit']}")


def _measured(folder: Path, count: int) -> list[dict[str, object]]:
    repo = folder / str(count)
    commit = repository(repo)
    path = repo / ".git" / "ampcommit" / "ledger.jsonl"
    fill(path, count, commit)
    ledger, line = Ledger(str(path)), _record(7, commit).to_bytes() + b"\n"
    numbers = itertools.count(count)
    scratch = folder / "scratch"
    rows: list[dict[str, object]] = []

    def row(what: str, value: float, unit: str) -> None:
        rows.append({"records": count, "what": what, "value": round(value, 3), "unit": unit})

    row("floor: open, append a line, close", _median(lambda: _append(scratch, line, locked=False)) * 1e6, "µs")
    row("floor: the same under a lock", _median(lambda: _append(scratch, line, locked=True)) * 1e6, "µs")
    row("append to the ledger", _median(lambda: ledger.append(_record(7, f"{next(numbers):040x}"))) * 1e6, "µs")
    command = shutil.which("ampcommit") or sys.exit("install ampcommit first")
    shows = [
        _timed(lambda: subprocess.run([command, "show", commit], cwd=repo, check=True, capture_output=True))
        for _ in range(9)
    ]
    row("`ampcommit show` of one commit, whole process", statistics.median(shows), "s")
    row("size of the ledger", path.stat().st_size / 1e6, "MB")
    return rows


def repository(path: Path) -> str:
    """Make a repository with one commit and return that."""

    def git(*args: str) -> str:
        return subprocess.run(["git", *args], capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q", str(path))
    git(
        "-C",
        str(path),
        "-c",
        "user.name=B",
        "-c",
        "user.email=b@example.com",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
    )
    return git("-C", str(path), "rev-parse", "HEAD")


def fill(path: Path, count: int, commit: str) -> None:
    """Write *count* records, the wanted commit in the middle."""
    path.parent.mkdir()
    before = None
    with path.open("wb") as out:
        for number in range(count):
            record = _record(number, commit if number == count // 2 else f"{number:040x}")
            record.prev = before
            line = record.to_bytes()
            before = digest(line)
            out.write(line + b"\n")


def _record(number: int, commit: str) -> Record:
    thread, parent = (ThreadId(f"T-01a1f7e3-{part:04x}-740f-8034-{number:012x}") for part in (2, 1))
    return Record(
        commit=Sha(commit),
        tree=Sha(f"{number + 1:040x}"),
        parents=[Sha(f"{number + 2:040x}")],
        links=[thread],
        chain=[thread, parent],
        chain_state="complete",
        source="env",
        validated=True,
        branch="main",
        repo="example.com/team/demo",
        time="2026-11-20T08:15:30Z",
        by="ampcommit 0.1.0",
    )


def _append(path: Path, line: bytes, *, locked: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if locked:
        fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(fd, line)
    os.close(fd)


def _median(action: Callable[[], object]) -> float:
    return statistics.median(_timed(action) for _ in range(REPEATS))


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
