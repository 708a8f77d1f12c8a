"""Standard streams that are closed, full, or that nobody reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ampcommit.render.streams import heard_or_not
from tests.conftest import OTHER, Repo

AMPCOMMIT = f'ampcommit() {{ "{sys.executable}" -P -m ampcommit "$@"; }}; '


def play(repo: Repo, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which `ampcommit` is the command."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        ["bash", "-c", AMPCOMMIT + script], cwd=repo.path, env=environ, capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize("reader", ["true", "head -c 1"])
@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("verify main~300..main", 1),
        ("verify --message MSG", 1),
        ("verify --message MSG --json", 1),
        ("ledger check", 4),
        (f"resolve {OTHER} {OTHER}", 5),
        (f"resolve {OTHER} --json", 5),
        ("ledger list", 0),
    ],
)
def test_a_verdict_does_not_depend_on_its_reader(repo: Repo, command: str, status: int, reader: str) -> None:
    """A gate whose output goes to `head` or `grep -q` is still a gate, and says nothing of the pipe."""
    message = "commit refs/heads/main\ncommitter T <t@example.com> 1500000000 +0000\ndata 1\nx\n"
    repo.run("fast-import", "--quiet", stdin=(message * 301).encode())
    (repo.path / "MSG").write_text("Fix the parser\n")
    folder = repo.path / ".git" / "ampcommit"
    folder.mkdir()
    (folder / "ledger.jsonl").write_text("damaged\n" * 5000)
    done = play(repo, f"{{ ampcommit {command}; echo $? >status; }} | {reader}")

    assert (repo.path / "status").read_text() == f"{status}\n"
    assert b"Broken pipe" not in done.stderr
    assert b"defect" not in done.stderr


def unread() -> None:
    """Fail as a write does that nobody reads."""
    raise BrokenPipeError


def test_what_nobody_reads_goes_nowhere() -> None:
    """The rest of the output is thrown away, and the program goes on."""
    kept = os.dup(1)
    try:
        with heard_or_not():
            unread()
        assert os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_obstacle(repo: Repo, tmp_path: Path, closed: str) -> None:
    """A verdict is reached whatever the caller has closed."""
    (repo.path / "MSG").write_text("Fix the parser\n")

    assert play(repo, f"ampcommit verify --message MSG {closed}").returncode == 1
    assert list(tmp_path.iterdir()) == [repo.path]
