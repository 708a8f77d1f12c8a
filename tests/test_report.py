"""Where a report goes: whole or not at all, to whoever reads it, and never in the way of a verdict."""

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import GitError, MisuseError, SetupError
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.record import Finding
from ampcommit.render.report import FORMATS, publish
from ampcommit.verbs.install import package
from tests.conftest import DATA, ROOT, on_real_terminal
from tests.test_formats import HOSTILE, golden, missing, plain, sample, sha, verdict

Capture = pytest.CaptureFixture[str]

GOLDEN = {
    "text": "text.txt",
    "json": "verify.json",
    "github": "github.txt",
    "gitlab": "gitlab.json",
    "sarif": "sarif.json",
    "junit": "junit.xml",
}
WHOLE = ("json", "gitlab", "sarif", "junit")
TOO_FEW = "warning: too few links: 75 % of the commits that must be linked are; 90 % were asked for\n"
NOTICES = (
    "warning: no .ampcommit at 9f3c: the defaults hold\nwarning: ::error::x # #[error]x <b>@octocat</b>\\n::error::y\n"
)


def failing(error: BaseException) -> Report:
    """Return a report that breaks off after its second commit."""

    def verdicts() -> Iterator[Verdict]:
        yield verdict(1, "x", missing())
        yield verdict(2, "x", missing())
        raise error

    return Report("A..B", "require", None, verdicts())


def unread() -> Report:
    """Return a report that must not be read."""

    class Verdicts(list[Verdict]):
        def __iter__(self) -> Iterator[Verdict]:
            raise AssertionError("this report was read")

    return Report("A..B", "require", None, Verdicts())


# Every form.


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_is_byte_for_byte_what_it_was(form: str, capsys: Capture) -> None:
    """Results go to stdout, notices to stderr, in every form; what has no place in a form is said there, too."""
    report = sample()
    publish(report, form, environ={})
    out, err = capsys.readouterr()

    assert out == golden(GOLDEN[form])
    assert err == NOTICES + (TOO_FEW if form in WHOLE else "")
    assert report.exit_code == 1


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_goes_into_a_file(form: str, tmp_path: Path, capsys: Capture) -> None:
    """The file holds what stdout would have shown, and stdout nothing."""
    publish(sample(), form, output=str(tmp_path / "report"), environ={})
    out, err = capsys.readouterr()

    assert (tmp_path / "report").read_bytes().decode() == golden(GOLDEN[form])
    assert (out, err) == ("", NOTICES + TOO_FEW)
    assert os.listdir(tmp_path) == ["report"]


def test_all_golden_files_are_compared() -> None:
    """No form is left out."""
    assert set(GOLDEN) == set(FORMATS)
    assert {*GOLDEN.values(), "github-summary.md"} == set(os.listdir(DATA / "reports"))


def test_the_job_summary_goes_where_the_environment_says(tmp_path: Path, capsys: Capture) -> None:
    """With annotations there is a page, and nowhere else."""
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    publish(sample(), "text", environ=environ)
    assert os.listdir(tmp_path) == []

    publish(sample(), "github", environ=environ)
    assert (tmp_path / "summary.md").read_bytes().decode() == golden("github-summary.md")
    capsys.readouterr()


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path, capsys: Capture) -> None:
    """A notice that comes up at the very end is printed like the others."""
    report = Report("A..B", "require", None, [verdict(1, "x")])
    publish(report, "github", environ={"GITHUB_STEP_SUMMARY": str(tmp_path)})

    assert capsys.readouterr().err == "warning: the job summary was not written: Is a directory\n"
    assert report.exit_code == 0


@pytest.mark.parametrize("form", ["", "xml", "TEXT", "\x1b[2J"])
def test_a_form_that_is_none_is_refused(form: str) -> None:
    """The hint lists the forms."""
    with pytest.raises(MisuseError, match="there is no format") as caught:
        publish(unread(), form, environ={})

    assert caught.value.hint == "the formats are text, json, github, gitlab, sarif, junit"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_printed_is_a_command(form: str, text: str, capsys: Capture) -> None:
    """Nothing on stdout or stderr makes a terminal or a CI runner act, but for our annotations (S01-S03)."""
    found = [verdict(1, text, Finding("AC103", "error", text, text))]
    publish(Report("A..B", "require", None, found, notices=[text]), form, environ={})
    out, err = capsys.readouterr()

    for line in (out + err).splitlines():
        assert line.isprintable()
        assert "##" not in line
        assert not line.strip().startswith("::") or (form, line[:14]) == ("github", "::error title=")
    assert out.count("::error title=") == (form == "github")


@pytest.mark.parametrize("form", FORMATS)
def test_quiet_changes_lines_and_no_machine(form: str, capsys: Capture) -> None:
    """People see errors alone, and why the run failed; what programs read is the same."""
    publish(sample(), form, quiet=True, environ={})
    out, err = capsys.readouterr()

    everything = golden(GOLDEN[form])
    lines = everything.splitlines(keepends=True)
    wanted = "".join(line for line in lines if "error" in line.partition("AC")[0] or line.startswith("too few links"))
    assert out == (everything if form in WHOLE else wanted)
    assert out.count("\n") >= 3
    assert err == ""


@pytest.mark.parametrize(
    ("form", "most", "lines"), [("text", 1, 3), ("github", 0, 2), ("gitlab", 1, 3), ("sarif", 1, 3), ("json", 1, 5)]
)
def test_a_limit_changes_what_is_printed_alone(form: str, most: int, lines: int, capsys: Capture) -> None:
    """The exit code is of all findings, and JSON is never cut."""
    report = plain(3)
    publish(report, form, max_findings=most, environ={})

    assert capsys.readouterr().out.count("\n") == lines
    assert (report.exit_code, report.summary()["failed"]) == (1, 3)


def test_a_message_that_passes_has_its_line(capsys: Capture) -> None:
    """Of a message one wants to know what it is, not only what is wrong."""
    publish(Report(None, "require", None, [Verdict(None, b"x\n")]), environ={})

    assert capsys.readouterr().out == "message: pass: no link\n"


def test_a_pipe_loads_no_library(tmp_path: Path) -> None:
    """Who runs in CI does not wait for what draws tables."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); from ampcommit.render.report import publish; "
        "from ampcommit.gate.verdict import Report; "
        "publish(Report('A..B', 'require', None, []), environ={}); "
        "print({'rich', 'json', 'tempfile', 'hashlib', 'xml'} & {name.partition('.')[0] for name in sys.modules})"
    )
    argv = [sys.executable, "-I", "-S", "-c", code, package()]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[1] == "set()"


# Whole or not at all.


@pytest.mark.parametrize("error", [GitError("git said no"), KeyboardInterrupt(), OSError("disk")])
@pytest.mark.parametrize("form", FORMATS)
def test_a_report_that_breaks_off_leaves_no_file(form: str, error: BaseException, tmp_path: Path) -> None:
    """No partial file appears, and the old one stays."""
    (tmp_path / "old").write_text("the report of yesterday")
    for name in ("new", "old"):
        with pytest.raises(type(error)):
            publish(failing(error), form, output=str(tmp_path / name), environ={})

    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "the report of yesterday"


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_that_breaks_off_prints_no_half(form: str, capsys: Capture) -> None:
    """A form that a program reads does not appear; lines are as true as they were, and no counts follow them."""
    with pytest.raises(GitError):
        publish(failing(GitError("git said no")), form, environ={})

    assert len(capsys.readouterr().out.splitlines()) == (0 if form in WHOLE else 2)


def test_an_interrupt_leaves_no_file(tmp_path: Path) -> None:
    """A person who ends a long run finds neither a half report nor what it was written into."""
    run = (
        "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.test_report import *\n"
        "def verdicts():\n"
        "    for number in range(100000): yield verdict(1, 'x')\n"
        "    print('now', flush=True)\n"
        "    time.sleep(60)\n"
        "publish(Report('A..B', 'require', None, verdicts()), 'json', output='report', environ={})\n"
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", run], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout
    assert child.stdout.readline() == b"now\n"
    during = os.listdir(tmp_path)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)[1]

    assert b"KeyboardInterrupt" in said
    assert (len(during), os.listdir(tmp_path)) == (1, [])


def test_a_file_that_cannot_take_its_place_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at the last moment leaves the old report."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "report").write_text("old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        publish(plain(), "json", output=str(tmp_path / "report"), environ={})

    assert os.listdir(tmp_path) == ["report"]
    assert (tmp_path / "report").read_text() == "old"


def test_nothing_is_there_before_it_is_complete(tmp_path: Path) -> None:
    """Who waits for the file finds all of it."""
    seen: list[bool] = []

    def verdicts() -> Iterator[Verdict]:
        yield verdict(1, "x", missing())
        seen.append((tmp_path / "report").exists())

    publish(Report("A..B", "require", None, verdicts()), output=str(tmp_path / "report"), environ={})

    assert seen == [False]
    assert len((tmp_path / "report").read_text().splitlines()) == 2


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_report_has_the_permissions_of_any_new_file(umask: int, mode: int, tmp_path: Path) -> None:
    """The umask says who may read it."""
    before = os.umask(umask)
    try:
        publish(plain(), "sarif", output=str(tmp_path / "report"), environ={})
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == mode


def test_a_link_leads_to_the_report(tmp_path: Path) -> None:
    """Who names a link means what it leads to, there or not."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("old")
    for name in ("old", "new"):
        link = tmp_path / f"link-{name}"
        link.symlink_to(f"a/{name}")
        publish(plain(), output=str(link), environ={})

        assert link.is_symlink()
        assert "3 commits checked" in (tmp_path / "a" / name).read_text()
    assert sorted(os.listdir(tmp_path / "a")) == ["new", "old"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Is a directory"),
        ("no/report", "No such file or directory"),
        ("file/report", "Not a directory"),
        ("a\0b", "embedded null byte"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_at_once(name: str, reason: str, tmp_path: Path) -> None:
    """Nobody waits for a million commits to learn of a slip of the pen."""
    (tmp_path / "file").touch()
    kind = SetupError if len(name) > 255 else MisuseError
    with pytest.raises(kind, match=f"cannot write .*: {reason}") as caught:
        publish(unread(), "json", output=f"{tmp_path}/{name}", environ={})

    assert caught.value.hint == "name a file that you may write, in a folder that is there"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("there", [True, False])
def test_a_place_without_permission_is_refused_at_once(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is read only, or a folder that is, is a matter of the surroundings."""
    real = os.open

    def refuse(path: str, flags: int, mode: int = 0o777) -> int:
        if str(tmp_path) in path and (there or flags & os.O_CREAT):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, mode)

    if there:
        (tmp_path / "report").write_text("old")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SetupError, match=r"cannot write .*: Permission denied"):
        publish(unread(), "json", output=str(tmp_path / "report"), environ={})


@contextmanager
def reading(path: Path) -> Iterator[list[str]]:
    """Make a FIFO; what its reader had got when it ended is there afterwards."""
    os.mkfifo(path)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(path.read_text()), daemon=True)
    reader.start()
    yield got
    reader.join(10)


def test_a_pipe_with_a_name_gets_the_report(tmp_path: Path) -> None:
    """A FIFO stays one, and gets everything at the end."""
    with reading(tmp_path / "fifo") as got:
        publish(sample(), "sarif", output=str(tmp_path / "fifo"), environ={})

    assert got == [golden("sarif.json")]
    assert os.listdir(tmp_path) == ["fifo"]


def test_a_pipe_with_a_name_gets_no_half(tmp_path: Path) -> None:
    """Its reader sees the end of it, and nothing else."""
    with reading(tmp_path / "fifo") as got, pytest.raises(GitError):
        publish(failing(GitError("git said no")), "text", output=str(tmp_path / "fifo"), environ={})

    assert got == [""]


@pytest.mark.parametrize("name", ["/dev/stdout", "log"])
def test_who_names_stdout_means_what_the_shell_opened(name: str, tmp_path: Path) -> None:
    """What a log file held before is still there."""
    (tmp_path / "log").write_text("first\n")
    run = f"from tests.test_report import *; publish(plain(), 'text', output={name!r}, environ={{}})"
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("a") as log:
        subprocess.run([sys.executable, "-c", run], cwd=tmp_path, env=environ, stdout=log, check=True)

    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[0], len(lines)) == ("first", 5)
    assert os.listdir(tmp_path) == ["log"]


# A reader who has enough.


@contextmanager
def unheard() -> Iterator[None]:
    """Make standard output a pipe that nobody reads any more."""
    kept, told, (reads, writes) = os.dup(1), sys.stdout, os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as nobody:
        sys.stdout = nobody
        try:
            yield
        finally:
            sys.stdout = told
            os.dup2(1, writes)  # where what is left of it may go
            os.dup2(kept, 1)
            os.close(kept)


@pytest.mark.parametrize("count", [1, 2000])
@pytest.mark.parametrize("form", FORMATS)
def test_who_stops_reading_changes_no_verdict(form: str, count: int) -> None:
    """All commits are read, and the exit code is that of all."""
    last = verdict(9, "x", missing())
    report = Report("A..B", "require", None, [*[verdict(1, "x", Finding("AC201", "warning", "x", ""))] * count, last])
    with unheard():
        publish(report, form, environ={})
        assert os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev

    assert report.summary()["checked"] == count + 1
    assert report.exit_code == 1


# A terminal.


class Terminal:
    """A real terminal of 100 columns, in place of stdout or stderr, and what was written to it."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.file = os.fdopen(theirs, "w")
        self._pieces: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                self._pieces.append(piece)
        except OSError:
            pass  # how Linux says that the other end is closed

    def text(self) -> str:
        """Close the terminal and return all that was written to it."""
        self.file.close()
        self._reader.join(10)
        os.close(self._ours)
        return b"".join(self._pieces).decode().replace("\r\n", "\n")


LIVELY = {"COLUMNS": "100", "TERM": "xterm"}
PLAIN = {"TERM": "dumb"}


def on_terminal(monkeypatch: pytest.MonkeyPatch, report: Report, *args: Any, **options: Any) -> str:
    """Return what a person at a terminal sees of *report*."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal.file)
        publish(report, *args, environ=options.pop("environ", PLAIN), **options)
    return terminal.text()


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short id, level, code, what with its hint under it, and the subject; then the counts."""
    out = on_terminal(monkeypatch, plain(2), environ=LIVELY)
    lines = re.sub(r"\x1b\[[\d;]*m", "", out).splitlines()

    assert lines[0].split() == ["commit", "level", "code", "what", "subject"]
    assert lines[1].strip().split("  ") == [
        sha(1)[:12],
        "error",
        "AC101",
        "the message has no link to an Amp thread",
        "Add the parser",
    ]
    assert lines[2].strip() == "hint: let Amp commit, or add a link"
    assert lines[5].startswith("2 commits checked: 0 passed, 2 failed")
    assert len(lines) == 6


def test_a_table_is_coloured_for_who_likes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours come with a terminal, and NO_COLOR ends them."""
    assert "\x1b[31merror\x1b[0m" in on_terminal(monkeypatch, plain(1), environ=LIVELY)
    assert "\x1b[3" not in on_terminal(monkeypatch, plain(1), environ=LIVELY | {"NO_COLOR": "1"})


def test_a_table_without_rows_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all is well, the counts say so."""
    out = on_terminal(monkeypatch, Report("A..B", "require", None, [verdict(1, "x")]))

    assert out.startswith("1 commit checked: 1 passed, 0 failed, 0 exempt; 1 linked (100 % of those that must be); ")


@pytest.mark.parametrize(("most", "rows"), [(None, 1000), (2000, 1000), (3, 3), (0, 0)])
def test_a_table_has_at_most_a_thousand_rows(monkeypatch: pytest.MonkeyPatch, most: int | None, rows: int) -> None:
    """What is left out is said."""
    short = Finding("AC201", "warning", "short", "")
    report = Report("A..B", "require", None, [verdict(1, "x", *[short] * 1200)])
    lines = on_terminal(monkeypatch, report, max_findings=most).splitlines()

    assert len(lines) == rows + 2 + (rows > 0)
    assert lines[-2] == f"… and {1200 - rows} more findings"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_table_shows_what_a_commit_says_as_text(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """No escape, no markup, no emoji of the library's own, no command (S01)."""
    report = Report("A..B", "require", None, [verdict(1, f":smile: {text}", Finding("AC103", "error", text, text))])
    out = on_terminal(monkeypatch, report)

    assert all(char.isprintable() or char == "\n" for char in out)
    assert ":smile: " in out
    assert "##" not in out


def test_quiet_on_a_terminal_is_the_table_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors, and nothing beside them."""
    out = on_terminal(monkeypatch, sample(), quiet=True)

    assert "AC201" not in out
    assert "checked" not in out
    assert out.count("AC103") == 2


def test_annotations_stay_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only text has a table."""
    assert on_terminal(monkeypatch, sample(), "github") == golden("github.txt")


def slow(count: int = 3, pause: float = 0.0) -> Report:
    """Return a report of *count* times a thousand commits, the second of which is late."""

    def verdicts() -> Iterator[Verdict]:
        for number in range(count * 1024):
            if number in (1500, 3000):
                time.sleep(pause)
            yield verdict(1, "x")

    return Report("A..B", "require", None, verdicts())


def watched(monkeypatch: pytest.MonkeyPatch, report: Report, form: str, **options: Any) -> str:
    """Return what stderr shows a person at a terminal while *report* is read."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal.file)
        publish(report, form, environ=LIVELY, **options)
    return terminal.text()


def test_progress_is_shown_and_vanishes(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """After a second a person sees how far it got; at the end nothing of it is left."""
    out = watched(monkeypatch, slow(4, 0.7), "json")

    assert re.search(r"checking… [2-4],\d\d\d commits", out)
    assert out.endswith("\x1b[2K")
    assert len(json.loads(capsys.readouterr().out)["commits"]) == 4096


def test_progress_vanishes_when_it_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor comes back, whatever happened."""

    def verdicts() -> Iterator[Verdict]:
        yield from slow(3, 0.7)
        raise GitError("git said no")

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal.file)
    with pytest.raises(GitError):
        publish(Report("A..B", "require", None, verdicts()), "json", environ=LIVELY)
    monkeypatch.undo()

    assert terminal.text().rpartition("\x1b[?25")[2].startswith("h")


@pytest.mark.parametrize(
    ("form", "options"), [("text", {}), ("github", {}), ("json", {"quiet": True})], ids=["lines", "github", "quiet"]
)
def test_there_is_no_progress_where_it_would_disturb(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, form: str, options: dict[str, Any]
) -> None:
    """Lines that stream may pass the same terminal, and quiet is quiet."""
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() * 1000)

    assert watched(monkeypatch, slow(), form, **options) == ""
    assert capsys.readouterr().out != ""


def test_a_short_run_shows_no_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is done within a second needs no patience."""
    assert watched(monkeypatch, slow(), "text", output=str(tmp_path / "report")) == ""


def test_a_person_at_a_real_terminal_sees_a_table() -> None:
    """A process of its own with a terminal on both streams draws, and notices come after the table."""
    run = "from tests.test_report import *; publish(sample(), environ=os.environ)"

    text = on_real_terminal(run, os.environ | PLAIN).decode().replace("\r\n", "\n")

    assert text.startswith("commit ")
    assert text.endswith(f"3 warnings\n{TOO_FEW.removeprefix('warning: ')}{NOTICES}")
