"""
How long it takes to share many records: from one clone, united from ten, and from eight at the same moment.

    python benchmarks/share.py [--records N] [--json]

All of it goes through a bare repository on the same disk. Each clone has records of its own and some that others
have as well; the order in which those of ten are united must not matter for the bytes of the tree.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.notes.shared import REF, REMOTES, Notes, unite
from ampcommit.place import Place
from ampcommit.record import BY, Record, Sha, ThreadId, moment
from ampcommit.verbs.share import share, standings

CLONES, AT_ONCE = 10, 8
_BATCH = 5000


def timed(what: Callable[[], object]) -> float:
    """Return the seconds that *what* takes."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


class Ground:
    """A folder with bare repositories, clones of them, and the ids of many commits."""

    def __init__(self, folder: Path, environ: Mapping[str, str], many: int) -> None:
        self.folder = folder
        self.environ = dict(environ)
        self.git("init", "-q", "--bare", "commits.git")
        said = [
            f"commit refs/heads/main\ncommitter B <b@example.com> {1500000000 + number} +0000\ndata 0\n"
            for number in range(many)
        ]
        self.git("-C", "commits.git", "fast-import", "--quiet", stdin="".join(said))
        self.commits = self.git("-C", "commits.git", "rev-list", "--reverse", "main").split()

    def git(self, *args: str, stdin: str = "") -> str:
        """Return what `git *args` printed; it must succeed."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.folder,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"git {args[0]}: {done.stderr}")
        return done.stdout

    def hub(self, name: str) -> None:
        """Make a bare repository to share through."""
        self.git("clone", "-q", "--bare", "commits.git", name)

    def clone(self, hub: str, name: str, commits: Sequence[str]) -> str:
        """Return the folder of a clone of *hub* with records of *commits*."""
        self.git("clone", "-q", "--no-checkout", hub, name)
        state = self.folder / name / ".git" / "ampcommit"
        state.mkdir()
        ledger = Ledger(str(state / "ledger.jsonl"))
        for start in range(0, len(commits), _BATCH):
            ledger.append(*(_record(commit) for commit in commits[start : start + _BATCH]), again=True)
        return str(self.folder / name)

    def tree(self, name: str) -> str:
        """Return the tree of the notes of a repository."""
        return self.git("-C", name, "rev-parse", "refs/notes/ampcommit^{tree}").strip()

    def recorded(self, name: str) -> int:
        """Count the commits that have a record in the notes of a repository."""
        folder = str(self.folder / name)
        notes = Notes(Git(folder, clean(self.environ, folder)))
        return sum(any(b'"kind":"commit"' in line for line in lines) for _, lines in notes.everything())


def _record(commit: str) -> Record:
    number = int(commit[:8], 16)
    chain = [ThreadId(f"T-019bf111-2222-7333-8444-{number - number % 7 + step:012x}") for step in range(3)]
    return Record(
        commit=Sha(commit),
        tree=Sha(commit),
        parents=[Sha(commit)],
        links=chain[:1],
        chain=chain,
        chain_state="complete",
        source="env",
        validated=True,
        branch="main",
        repo="git.example.com/team/demo",
        time="2026-11-21T08:00:00Z",
        by=BY,
    )


def one(ground: Ground) -> dict[str, float]:
    """Publish everything from a fresh clone, then have nothing to publish, then look."""
    ground.hub("one.git")
    folder = ground.clone("one.git", "one", ground.commits)
    environ = ground.environ
    found = {
        "publish": timed(lambda: share(environ, folder)),
        "again": timed(lambda: share(environ, folder)),
        "status": timed(lambda: standings(environ, folder)),
    }
    fresh = ground.clone("one.git", "fresh", ())
    found["receive"] = timed(lambda: share(environ, fresh))
    git = Git(fresh, clean(environ, f"{fresh}/.git"))
    found["look-up"] = timed(lambda: Notes(git).of([Sha(ground.commits[0])]))
    found["look-up of all"] = timed(lambda: Notes(git).of(map(Sha, ground.commits)))
    if ground.recorded("one.git") != len(ground.commits):
        sys.exit("a record did not arrive")
    return found


def parts(commits: Sequence[str], clones: int) -> list[Sequence[str]]:
    """Return for each clone its own part of *commits*, and half of the next one's, which that one has as well."""
    size = len(commits) // clones
    return [commits[number * size : number * size + size + size // 2] for number in range(clones)]


def ten(ground: Ground) -> dict[str, float]:
    """Let ten clones publish, each through a repository of its own, and unite all of that in two orders."""
    for number, part in enumerate(parts(ground.commits, CLONES)):
        ground.hub(f"hub{number}.git")
        share(ground.environ, ground.clone(f"hub{number}.git", f"clone{number}", part))
    trees, seconds = set(), 0.0
    for name, turn in (("there", 1), ("back", -1)):
        folder = ground.clone("commits.git", name, ())
        place = Place(f"{folder}/.git", folder)
        git = Git(place.git_dir, clean(ground.environ, place.git_dir))
        start = time.perf_counter()
        for number in range(CLONES)[::turn]:
            ref = f"{REMOTES}hub{number}"
            git("fetch", "-q", f"{ground.folder}/hub{number}.git", f"{REF}:{ref}", deadline=600)
            unite(git, place, REF, {}, [Sha(git("rev-parse", ref).decode("ascii").strip())])
        seconds += time.perf_counter() - start
        trees.add(ground.tree(name))
    if len(trees) != 1:
        sys.exit("the order mattered")
    return {"unite ten clones": seconds / 2}


def eight(ground: Ground) -> dict[str, float]:
    """Let eight clones share at the same moment; every record arrives."""
    ground.hub("eight.git")
    some = ground.commits[: len(ground.commits) // 10]
    clones = [ground.clone("eight.git", f"eight{number}", part) for number, part in enumerate(parts(some, AT_ONCE))]
    start = time.perf_counter()
    command = [sys.executable, "-m", "ampcommit", "share", "--json"]
    running = [subprocess.Popen(command, cwd=path, env=ground.environ, stdout=subprocess.PIPE) for path in clones]
    said = [json.loads(process.communicate()[0] or b"{}") for process in running]
    seconds = time.perf_counter() - start
    expected = {commit for part in parts(some, AT_ONCE) for commit in part}
    if any(process.returncode for process in running) or ground.recorded("eight.git") != len(expected):
        sys.exit("a record did not arrive")
    return {"eight at once": seconds, "tries at most": max(one["tries"] for one in said)}


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description="Measure how long sharing takes.")
    options.add_argument("--records", type=int, default=100_000)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1"}
        environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
        ground = Ground(Path(folder), environ, asked.records)
        found = one(ground) | ten(ground) | eight(ground)
    if asked.json:
        print(json.dumps({"records": asked.records, "time": moment()} | found))
        return
    print(f"{asked.records:,} records; seconds")
    for name, seconds in found.items():
        print(f"{name:<20}{seconds:>8.2f}")


if __name__ == "__main__":
    main()
