"""
What `ampcommit verify --all` costs, in units of the `git log` that reads the same messages.

    python benchmarks/verify.py [--commits N ...] [--rounds N] [--merges PERCENT] [--repo PATH] [--json]

The history is made with `git fast-import`: of a hundred commits `--merges` are clean merges, one has a link that a
squash merge has displaced, one has none, all others carry theirs, half of them with a co-author behind it. Floor and
tool run in pairs, one after the other; the ratio is the median of the pairs. `--repo` measures a repository of your
own instead. The whole process is timed, start of Python and command line included.

Then a pull request of a hundred commits is checked and, where they are installed, gitlint and commitlint judge some
hundred messages of the same history.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FLOOR = "GIT_FLUSH=0 git log --format=%H%x00%B%x00 | cat"
BODY = (
    "The old way read everything twice, which cost more than it gave.\n"
    "Now it is read once, and kept for as long as it is needed.\n"
)
SOME = 300
_TELLING = """
import resource, sys
from ampcommit.cli.app import main
try:
    main(sys.argv[2:])
finally:
    open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--commits", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--merges", type=int, default=2, help="merges in a hundred commits")
    parser.add_argument("--repo", type=Path, nargs="*", default=[])
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    command = shutil.which("ampcommit") or sys.exit("install ampcommit first")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="ampcommit-bench-") as folder:
        repos = options.repo
        for count in () if repos else options.commits:
            path = Path(folder) / str(count)
            history(path, count, options.merges)
            repos = [*repos, path]
        for repo in repos:
            rows += _measured(command, repo, options.rounds)
    if options.as_json:
        print(json.dumps({"rows": rows}))
        return
    print(f"python {sys.version.split()[0]}, {_said('git', '--version')}, medians of pairs\n")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def history(path: Path, count: int, merges: int = 2) -> None:
    """Make a repository of *count* commits on `main`, the newest by `HEAD`."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    importer = subprocess.Popen(["git", "-C", str(path), "fast-import", "--quiet"], stdin=subprocess.PIPE)
    with importer, importer.stdin or sys.exit(1) as stream:
        for piece in _imported(count, merges):
            stream.write(piece)


def _imported(count: int, merges: int) -> Iterator[bytes]:
    for at in range(count):
        merge = at > 100 and at % 100 < merges
        text = f"Merge branch 'part-{at}'\n" if merge else message(at)
        yield b"commit refs/heads/main\nmark :%d\n" % (at + 1)
        yield b"committer D <d@example.com> %d +0000\n" % (1_500_000_000 + 60 * at)
        yield b"data %d\n%s\n" % (len(text), text.encode())
        if at:
            yield b"from :%d\n" % at
        if merge:
            yield b"merge :%d\n" % (at - 20)
        else:
            yield b"M 644 inline part-%d/file-%d\ndata <<END\nline %d\nEND\n" % (at % 16, at // 16 % 20, at)


def message(at: int) -> str:
    """Return the message of commit number *at*."""
    thread = f"T-{at // 7:08x}-0000-7000-8000-{at // 7:012x}"
    link = f"Amp-Thread-ID: https://ampcode.com/threads/{thread}\n"
    author = "Co-authored-by: Amp <amp@ampcode.com>\n"
    ends = {97: f"\n{link}\n{author}", 98: ""}
    return f"Change part {at} of the thing in a way\n\n{BODY}" + ends.get(
        at % 100, f"\n{link}{author if at % 2 else ''}"
    )


def _measured(command: str, repo: Path, rounds: int) -> list[dict[str, object]]:
    count = int(_said("git", "-C", str(repo), "rev-list", "--count", "HEAD"))
    tool = [command, "verify", "--all", "--max-findings", "0"]
    pairs = []
    for _ in range(rounds if count < 500_000 else max(3, rounds // 2)):
        floor = _timed(["sh", "-c", f"{FLOOR} >/dev/null"], repo)
        pairs.append((_timed(tool, repo), floor))
    ratios = [mine / floor for mine, floor in pairs]
    rows: list[dict[str, object]] = [
        {
            "commits": count,
            "floor s": round(statistics.median(floor for _, floor in pairs), 2),
            "verify --all s": round(statistics.median(mine for mine, _ in pairs), 2),
            "ratio": round(statistics.median(ratios), 2),
            "from": round(min(ratios), 2),
            "to": round(max(ratios), 2),
            "peak MiB": _peak(tool, repo),
        }
    ]
    part = f"HEAD~{min(100, count - 1)}..HEAD"
    times = [_timed([command, "verify", part], repo) for _ in range(rounds)]
    rows.append({"commits": count, "a request of 100 s": round(statistics.median(times), 2)})
    rows += _others(command, repo, min(SOME, count - 1))
    return rows


def _others(command: str, repo: Path, some: int) -> Iterator[dict[str, object]]:
    """Yield what linters of messages take for *some* commits, and what we do."""
    part = f"HEAD~{some}..HEAD"
    lines = {
        "ampcommit": [command, "verify", part],
        "gitlint": ["gitlint", "--commits", part],
        "commitlint": ["commitlint", "--from", f"HEAD~{some}", "--extends", "@commitlint/config-conventional"],
    }
    for name, line in lines.items():
        if shutil.which(line[0]):
            yield {"commits judged": some, "by": name, "s": round(_timed(line, repo), 2)}


def _timed(line: list[str], repo: Path) -> float:
    start = time.perf_counter()
    subprocess.run(line, cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def _peak(line: list[str], repo: Path) -> int:
    """Return the peak of resident memory in MiB of our own process, without git's."""
    with tempfile.NamedTemporaryFile() as told:
        child = [sys.executable, "-c", _TELLING, told.name, *line[1:]]
        subprocess.run(child, cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        size = int(told.read() or b"0")
    return size >> (20 if sys.platform == "darwin" else 10)


def _said(*line: str) -> str:
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
