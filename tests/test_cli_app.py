"""The command line: exit codes, two-line failures, results on stdout and talk on stderr."""

import errno
import io
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ampcommit import __version__
from ampcommit.__main__ import start
from ampcommit.cli import app as cli
from tests.conftest import CHILD, PARENT, Done, Repo, Run, command, url

Enter = Callable[[str], None]

LINK = f"Amp-Thread-ID: {url(PARENT)}"
MAIN = Path(cli.__file__).parent.parent / "__main__.py"
IMPORTABLE = os.pathsep.join(filter(None, sys.path))  # what we can import, a child can, too


def spawned(repo: Repo, script: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which `ampcommit` is the command, as somebody's terminal would."""
    start = f'ampcommit() {{ "{sys.executable}" -P -m ampcommit "$@"; }}; '
    environ = {**os.environ, "PYTHONPATH": IMPORTABLE, **env}
    return subprocess.run(["bash", "-c", start + script], cwd=repo.path, env=environ, capture_output=True, check=False)


def failed(done: Done, status: int, *words: str) -> None:
    """Check that a command failed in two lines, with nothing on stdout."""
    lines = done.err.splitlines()
    assert (done.status, done.out) == (status, "")
    assert [line[:7] for line in lines] == ["error: ", " hint: "]
    assert all(line.isprintable() for line in lines)
    assert all(word in done.err for word in words)


# Commands.


def test_install_status_uninstall(run: Run, repo: Repo) -> None:
    """The three verbs of a set-up end well."""
    for verb in ("install", "status", "uninstall"):
        done = run(verb)

        assert (done.status, done.err) == (0, "")
        assert done.out
    assert not (repo.path / ".git" / "hooks" / "commit-msg").exists()


@pytest.mark.parametrize(
    ("args", "schema"),
    [
        (["install"], "status/1"),
        (["status"], "status/1"),
        (["uninstall"], "status/1"),
        (["show"], "show/1"),
        (["verify", "--message", "MSG"], "verify/1"),
        (["ledger", "check"], "check/1"),
        (["ledger", "path"], "path/1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_json_is_one_object_with_its_schema(run: Run, repo: Repo, args: list[str], schema: str) -> None:
    """V11: with --json there is JSON on stdout and nothing else anywhere."""
    repo.commit("-q", "-m", "Add the parser")
    (repo.path / "MSG").write_text(f"Add the parser\n\n{LINK}\n")
    done = run(*args, "--json")

    assert (done.status, done.data["schema"]) == (0, f"ampcommit.{schema}")


def test_the_version(run: Run) -> None:
    """What to put into a report."""
    assert run("--version").out == f"ampcommit {__version__}\n"


@pytest.mark.parametrize("args", [["--help"], ["show", "--help"], ["ledger", "--help"], ["hook", "--help"]], ids=str)
def test_help_is_a_result(run: Run, args: list[str]) -> None:
    """Who asks for help gets it on stdout."""
    done = run(*args)

    assert (done.status, done.err, "Usage: ampcommit" in done.out) == (0, "", True)


@pytest.mark.parametrize("args", [[], ["ledger"]], ids=["nothing", "ledger"])
def test_without_a_command_there_is_help_and_a_failure(run: Run, args: list[str]) -> None:
    """Nothing was asked, so nothing went well."""
    done = run(*args)

    assert (done.status, "Usage: ampcommit" in done.out + done.err) == (2, True)


def test_show_and_the_ledger_of_a_recorded_commit(run: Run, repo: Repo, agent: Enter, january: Path) -> None:
    """What the hooks recorded is what the commands show."""
    assert january.exists()
    agent(CHILD)
    run("install")
    repo.commit("-q", "-m", "Add the parser")

    assert run("show", "--json").data["chain"] == [CHILD, PARENT]
    assert url(PARENT) in run("show").out
    listed = run("ledger", "list", "--commit", "HEAD")
    assert run("show", "--json").data["records"] == [json.loads(listed.out) | {"known_by": "own"}]
    assert listed.out == run("ledger", "list", "--thread", PARENT).out == run("ledger", "list").out
    assert run("ledger", "list", "--thread", "T-00000000-0000-7000-8000-000000000000").out == ""
    assert run("ledger", "check").status == 0
    assert Path(run("ledger", "path").out.rstrip("\n")).read_text() == listed.out


@pytest.mark.parametrize("text", ["", "[ampcommit]\n\tmode = warn\n"], ids=["required", "warned"])
def test_verify_ends_with_one_where_something_is_wrong(run: Run, repo: Repo, text: str) -> None:
    """Exit code 1 is for findings of level error alone."""
    (repo.path / "MSG").write_text("Add the parser\n")
    (repo.path / ".ampcommit").write_text(text)

    assert run("verify", "--message", "MSG").status == int(not text)
    assert run("verify", "--message", "MSG", "--json").status == int(not text)


def test_the_hook_command_says_what_the_hook_says(run: Run, repo: Repo, agent: Enter) -> None:
    """The entry of other hook managers has the statuses of a hook process: 33 for a rejection."""
    (repo.path / "MSG").write_text("Add the parser\n")

    assert run("hook", "commit-msg", "MSG").status == 33
    agent(PARENT)
    assert run("hook", "commit-msg", "MSG").status == 0
    assert LINK in (repo.path / "MSG").read_text()
    repo.commit("-q", "-F", "MSG")
    assert run("hook", "post-commit").status == 0
    assert run("show", "--json").data["source"] == "env"


def test_the_hook_command_takes_what_git_gives(run: Run) -> None:
    """Arguments that look like options are arguments."""
    done = run("hook", "commit-msg", "--json", "--nosuch")

    assert (done.status, "it was not checked" in done.err) == (0, True)


# Failures.


def test_verify_judges_commits(run: Run, repo: Repo) -> None:
    """Exit 1 where a commit has no link; fixups are free only where somebody says so."""
    repo.commit("-q", "-m", "Add the parser", "--trailer", LINK)
    repo.commit("-q", "-m", "fixup! Add the parser")

    assert run("verify", "HEAD~1").status == 0
    assert run("verify", "HEAD~1..HEAD").status == 1
    done = run("verify", "HEAD~1..HEAD", "--allow-fixup")
    assert done.status == 0
    assert done.out.splitlines()[-1] == (
        "1 commit checked: 0 passed, 0 failed, 1 exempt; 0 linked (share unknown); 0 not agent; 0 warnings"
    )


@pytest.mark.parametrize(
    "args",
    [
        ["nosuch"],
        ["show", "--nosuch"],
        ["show", "HEAD", "HEAD"],
        ["verify"],
        ["verify", "--message"],
        ["hook"],
        ["ledger", "nosuch"],
        ["--nosuch"],
        ["show", "nosuch"],
        ["show", ""],
        ["verify", "--message", "nosuch"],
        ["verify", "HEAD", "--message", "MSG"],
        ["verify", "nosuch..HEAD"],
        ["ledger", "list", "--commit", "nosuch"],
        ["ledger", "list", "--commit", ""],
        ["ledger", "list", "--thread", "nosuch"],
        ["ledger", "list", "--thread", ""],
        ["demo", "--keep", "."],
        ["show", "\x1b[2J"],
        ["\x1b[2J\n"],
    ],
    ids=repr,
)
def test_a_misuse_is_two_lines_and_two(run: Run, args: list[str]) -> None:
    """What the command line cannot mean is exit 2; an empty value is not the same as no value (S06)."""
    failed(run(*args), 2)


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["--bogus"], "ampcommit"),
        (["nosuch"], "ampcommit"),
        (["verify", "--bogus"], "ampcommit verify"),
        (["verify", "HEAD", "HEAD"], "ampcommit verify"),
        (["verify", "--message"], "ampcommit"),  # typer does not tell whose option lacks its value
        (["show", "--bogus"], "ampcommit show"),
        (["hook"], "ampcommit hook"),
        (["ledger", "nosuch"], "ampcommit ledger"),
        (["ledger", "list", "--thread", ""], "ampcommit ledger list"),
    ],
    ids=repr,
)
def test_a_misuse_names_the_help_of_the_very_command(run: Run, args: list[str], meant: str) -> None:
    """The hint is a command that can be run, and that shows what would have been possible there."""
    assert run(*args).err.splitlines()[1] == f" hint: {meant} --help"
    assert f"Usage: {meant} " in run(*meant.split()[1:], "--help").out


def test_a_policy_that_cannot_be_used_is_two(run: Run, repo: Repo) -> None:
    """Half a policy gives no verdict."""
    (repo.path / "MSG").write_text(f"Add the parser\n\n{LINK}\n")
    repo("config", "ampcommit.mode", "sometimes")

    failed(run("verify", "--message", "MSG"), 2, "mode")


@pytest.mark.parametrize(
    "args",
    [["install"], ["uninstall"], ["status"], ["show"], ["ledger", "list"], ["ledger", "check"], ["ledger", "path"]],
)
def test_outside_a_repository_is_three(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """The surroundings do not allow it."""
    monkeypatch.chdir(tmp_path)

    failed(run(*args), 3, "inside a git repository")


@pytest.mark.parametrize(
    "args", [["install"], ["uninstall"], ["status"], ["show"], ["verify"], ["verify", "--all"], ["ledger", "list"]]
)
def test_somebody_elses_repository_is_three(
    run: Run, repo: Repo, sealed: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """S17: git's refusal is passed on with the way out, and the way out is not taken for the user."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    files = [sealed / ".gitconfig", repo.path / ".git" / "config"]
    before = [file.read_bytes() for file in files]

    failed(run(*args), 3, "dubious ownership", " hint: if you trust it", "--add safe.directory")
    assert [file.read_bytes() for file in files] == before
    assert not (repo.path / ".git" / "ampcommit").exists()


def test_a_hooks_folder_of_others_is_three(run: Run, repo: Repo) -> None:
    """The recipe is printed, and why and where is said in two lines."""
    repo("config", "core.hooksPath", ".husky/_")
    done = run("install")

    assert "# .husky/post-commit\nampcommit hook post-commit" in done.out
    failed(Done(done.status, "", done.err), 3, "nothing was written", "husky")


def test_without_git_is_three(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing is said."""
    monkeypatch.setenv("PATH", str(tmp_path))

    failed(run("status"), 3, "git is not on PATH")


def test_a_system_that_says_no_is_three(run: Run) -> None:
    """What the system does not allow is explained with the place where it did not."""
    done = run("demo", "--keep", "/dev/null/folder")

    assert (done.status, len(done.err.splitlines())) == (3, 2)
    assert done.err.startswith("error: Not a directory /dev/null/folder")


@pytest.mark.parametrize("args", [["ledger", "check"], ["ledger", "list"], ["show"]], ids=" ".join)
def test_a_ledger_that_is_no_file_is_four(run: Run, repo: Repo, args: list[str]) -> None:
    """Damage has a code of its own."""
    repo.commit("-q", "-m", "Add the parser")
    (repo.path / ".git" / "ampcommit" / "ledger.jsonl").mkdir(parents=True)

    failed(run(*args), 4, "ledger")


def test_a_damaged_ledger_is_four(run: Run, repo: Repo) -> None:
    """The check says which line, and what to do."""
    run("install")
    (repo.path / ".git" / "ampcommit" / "ledger.jsonl").write_text("<<<<<<< HEAD\n")
    done = run("ledger", "check")

    assert (done.status, "damaged line 1" in done.out) == (4, True)
    assert done.err.startswith(" hint: ")
    assert run("ledger", "check", "--json").status == 4


@pytest.fixture
def broken(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A git that answers nonsense in a real repository, and a folder of this test's own for reports."""
    assert repo.path.exists()
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text("#!/bin/sh\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_defect_is_seventy_and_leaves_a_report(run: Run, broken: Path) -> None:
    """What nobody thought of is two lines, and a file that holds what a report needs."""
    done = run("status")
    report = next(broken.glob("ampcommit-*/defect.txt"))

    failed(done, 70, "defect in ampcommit", f"please report it with {report}")
    assert report.read_text().startswith(f"ampcommit {__version__}, python 3.")
    assert "Traceback" in report.read_text()
    assert report.parent.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("broken")
def test_a_defect_where_no_report_can_be_written_is_still_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the report there are still two lines and no traceback."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "mkdir", full)
        done = run("status")

    failed(done, 70, "defect in ampcommit")


def test_an_interrupt_is_one_hundred_and_thirty(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no failure that needs words."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_spawnp", interrupted)
    done = run("status")

    assert (done.status, done.out, done.err) == (130, "", "")


def test_an_interrupt_at_the_very_end_is_one_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the results go out is the same."""

    class Stdout(io.StringIO):
        """A stream whose reader presses Ctrl-C."""

        def flush(self) -> None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Stdout())
        done = run("ledger", "check", "--json")

    assert (done.status, done.err) == (130, "")


# Streams.


@contextmanager
def without_a_reader(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """Let nobody read stdout or stderr any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        with monkeypatch.context() as patched:
            patched.setattr(sys, name, stream)
            yield
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writer)  # what is still buffered goes there
        os.close(null)


@pytest.mark.parametrize("args", [["status", "--json"], ["status"], ["--help"]], ids=" ".join)
def test_a_reader_that_is_gone_is_no_failure(run: Run, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """Who has read enough is not told anything, and nothing went wrong."""
    with without_a_reader(monkeypatch, "stdout"):
        done = run(*args)

    assert (done.status, done.err) == (0, "")


def test_where_nobody_hears_a_failure_its_code_stays(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed stderr changes nothing of the exit code."""
    with without_a_reader(monkeypatch, "stderr"):
        done = run("show", "nosuch")

    assert done.status == 2


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("args", ["status", "status --json", "ledger list", "show", "--help"])
def test_who_reads_only_the_beginning_breaks_nothing(installed: Repo, agent: Enter, args: str, buffered: str) -> None:
    """A reader that has enough is no failure, and no finding: `| head` ends well, in silence."""
    agent(PARENT)
    installed.commit("-q", "-m", "Add the parser")
    script = f"ampcommit {args} | true; echo ${{PIPESTATUS[0]}}"
    done = spawned(installed, script, PYTHONUNBUFFERED=buffered)

    assert done.stdout.split()[-1] in {b"0", b"141"}
    assert done.stderr == b""


@pytest.mark.parametrize("args", ["status", "status --json", "ledger list", "ledger path"])
def test_a_closed_stdout_breaks_nothing(installed: Repo, args: str) -> None:
    """Who closes stdout wants no results."""
    done = spawned(installed, f"ampcommit {args} >&-; echo $?")

    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.mark.parametrize("args", ["status", "status --json", "ledger path"])
def test_a_full_disk_is_no_defect_of_ours(installed: Repo, args: str) -> None:
    """A result that could not be written is a failure of the surroundings, in two lines."""
    done = spawned(installed, f"ampcommit {args} >/dev/full; echo $?")

    assert done.stdout == b"3\n"
    assert [line[:7] for line in done.stderr.decode().splitlines()] == ["error: ", " hint: "]
    assert b"defect" not in done.stderr


def test_all_streams_closed(installed: Repo) -> None:
    """A service without any stream can ask for an exit code."""
    done = spawned(installed, "ampcommit show nosuch <&- 2>&- >&-; echo $?")

    assert done.stdout == b"2\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_old_terminal_breaks_nothing(installed: Repo, encoding: str) -> None:
    """A character that a terminal does not have is no defect of ours."""
    installed("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "日本 🎉")
    script = "ampcommit show && echo x | ampcommit verify --message -; echo $?"
    done = spawned(installed, script, PYTHONIOENCODING=encoding)

    assert done.stdout.endswith(b"\n1\n")
    assert done.stderr == b""


@pytest.mark.parametrize("args", [["show"], ["status"], ["ledger", "check"]], ids=" ".join)
def test_nothing_that_a_terminal_acts_on_is_printed(run: Run, repo: Repo, args: list[str]) -> None:
    """Subjects, policies and ledgers are data (S01)."""
    run("install")
    hostile = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
    repo("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", f"Add {hostile}")
    (repo.path / ".ampcommit").write_text(f'[ampcommit "{hostile}"]\n\tx = y\n')
    (repo.path / ".git" / "ampcommit" / "ledger.jsonl").write_text(f'{{"v":1,"kind":"{hostile}\n')
    done = run(*args)

    assert all(char.isprintable() or char == "\n" for char in done.out + done.err)


def test_no_colour_in_a_pipe(installed: Repo) -> None:
    """What is piped on holds text alone."""
    done = spawned(installed, "unset NO_COLOR; ampcommit status", TERM="xterm-256color")

    assert b"\x1b" not in done.stdout


@pytest.mark.usefixtures("startable")
def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m ampcommit` and `ampcommit` are the same."""
    monkeypatch.setattr(sys, "argv", ["ampcommit", "--version"])
    for run in (lambda: runpy.run_path(str(MAIN), run_name="__main__"), start):
        with pytest.raises(SystemExit) as left:
            run()
        assert (left.value.code, capsys.readouterr().out) == (0, f"ampcommit {__version__}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_job_that_is_cancelled_leaves_no_file(repo: Repo, tmp_path: Path) -> None:
    """SIGTERM ends a run like an interrupt: status 130, and neither a report nor a temporary file stays."""
    repo.commit("-q", "-m", "Begin")
    out, room, bin_, real = tmp_path / "out", tmp_path / "room", tmp_path / "bin", shutil.which("git")
    for folder in (out, room, bin_):
        folder.mkdir()
    started = tmp_path / "started"
    slow = f'case " $* " in *" log "*) exec sleep 30;; *" ls-tree "*) : >"{started}";; esac'
    (bin_ / "git").write_text(f'#!/bin/sh\n{slow}\nexec "{real}" "$@"\n')
    (bin_ / "git").chmod(0o755)
    environ = {**os.environ, "PYTHONPATH": IMPORTABLE, "TMPDIR": str(room)}
    environ["PATH"] = f"{bin_}:{os.environ['PATH']}"
    words = command("verify", "--all", "--json", "--output", str(out / "report.json"))
    errors = tmp_path / "errors"  # a pipe would stay open as long as what stands in for git
    with (
        errors.open("wb") as said,
        subprocess.Popen(words, cwd=repo.path, env=environ, stdout=subprocess.DEVNULL, stderr=said) as child,
    ):
        for _ in range(1000):
            if started.exists() or child.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(0.3)  # the policy is read: now the commits are waited for
        child.terminate()
        child.wait(timeout=20)

    assert (child.returncode, started.exists(), "Traceback" in errors.read_text()) == (130, True, False)
    assert (list(out.iterdir()), list(room.iterdir())) == ([], [])


def test_the_module_can_be_run(installed: Repo) -> None:
    """`python -m ampcommit` is the command, and takes no module from the folder it is run in."""
    (installed.path / "typer.py").write_text("raise SystemExit(99)\n")
    env = {**os.environ, "PYTHONPATH": IMPORTABLE, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command("--version"), cwd=installed.path, env=env, capture_output=True, check=True)

    assert done.stdout.decode() == f"ampcommit {__version__}\n"
