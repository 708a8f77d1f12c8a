"""`ampcommit verify` as a shell sees it: what the options mean, alone and together, and how it ends."""

import io
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ampcommit.gate.ranges import LINE
from tests.conftest import OTHER, PARENT, Done, Repo, Run, url

FORMATS = ["text", "json", "github", "gitlab", "sarif", "junit"]
LINKED = f"Add the parser\n\nAmp-Thread-ID: {url(PARENT)}\n"
ZERO = "0" * 40


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `ampcommit verify` in the repository, in process."""
    monkeypatch.setenv("COLUMNS", "80")
    return partial(run, "verify")


@pytest.fixture
def ids(repo: Repo) -> dict[str, str]:
    """Fill the repository: a policy, then a commit with a link, a fixup, and one without a link at HEAD."""
    (repo.path / ".ampcommit").write_text("[ampcommit]\n\tmode = require\n")
    repo("add", ".ampcommit")
    made = {}
    texts = {"base": LINKED, "good": LINKED, "fixup": "fixup! Add the parser\n", "bad": "Add the lexer\n"}
    for name, text in texts.items():
        repo.commit("-q", "-m", text)
        made[name] = repo.head()
        repo("tag", name)
    (repo.path / "MSG").write_text(LINKED)
    return made


def refused(done: Done, *words: str, status: int = 2) -> None:
    """Check that nothing was judged: two lines on stderr, nothing on stdout."""
    assert (done.status, done.out) == (status, "")
    assert [line[:7] for line in done.err.splitlines()] == ["error: ", " hint: "]
    assert done.err.isascii()
    assert [word for word in words if word not in done.err] == []


# What is checked.


def test_a_range_alone_is_checked(run: Run, ids: dict[str, str]) -> None:
    """A range is what stands between its ends, a revision is one commit, and the exit code is 0 or 1."""
    done = run("base..good", "--json")
    assert (done.status, done.judged, done.err) == (0, {ids["good"]: "pass"}, "")
    assert done.data["policy"]["from"] == ids["base"]
    done = run("base..", "--json")
    assert (done.status, list(done.judged.values())) == (1, ["fail", "fail", "pass"])
    assert run("good", "--json").judged == {ids["good"]: "pass"}


def test_without_anything_the_surroundings_are_asked(
    run: Run, repo: Repo, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without RANGE it is HEAD, or what is not in the upstream yet, or what the CI system says."""
    assert run("--json").judged == {ids["bad"]: "fail"}
    repo("branch", "up", "good")
    repo("branch", "--set-upstream-to=up")
    assert set(run("--json").judged) == {ids["bad"], ids["fixup"]}
    monkeypatch.setenv("BUILDKITE", "true")
    monkeypatch.setenv("BUILDKITE_COMMIT", ids["good"])
    assert run("--json").judged == {ids["good"]: "pass", ids["base"]: "pass"}


def test_all_is_everything(run: Run, ids: dict[str, str]) -> None:
    """All commits are checked by the policy at HEAD."""
    done = run("--all", "--json")

    assert (done.status, set(done.judged), done.data["range"]) == (1, set(ids.values()), "--all")
    assert done.data["policy"]["from"] == ids["bad"]


def test_stdin_is_what_is_listed(run: Run, ids: dict[str, str]) -> None:
    """Ids and lines of hooks come on standard input; nothing there is said, and passes."""
    assert run("--stdin", "--json", stdin=f"{ids['good']}\n".encode()).judged == {ids["good"]: "pass"}
    line = f"{ids['good']} {ids['bad']} refs/heads/main\n".encode()
    assert set(run("--stdin", "--json", stdin=line).judged) == {ids["fixup"], ids["bad"]}
    done = run("--stdin")
    assert (done.status, done.out[:18]) == (0, "0 commits checked:")
    assert "there is no commit in --stdin: nothing was checked" in done.err


@pytest.mark.usefixtures("ids")
def test_a_message_is_judged(run: Run, repo: Repo) -> None:
    """A message comes from a file or, with a dash, from standard input; no commit is looked at."""
    done = run("--message", "MSG", "--json")
    assert (done.status, list(done.judged.values()), done.data["commits"][0]["threads"]) == (0, ["pass"], [PARENT])
    done = run("--message", "-", "--json", stdin=LINKED.replace(PARENT, OTHER).encode())
    assert done.data["commits"][0]["threads"] == [OTHER]
    (repo.path / "MSG").write_text("Add the lexer\n")
    assert run("--message=MSG").status == 1


@pytest.mark.parametrize(
    "args",
    [
        ("HEAD", "--all"),
        ("HEAD", "--stdin"),
        ("HEAD", "--message", "MSG"),
        ("--all", "--stdin"),
        ("--all", "--message", "MSG"),
        ("--stdin", "--message", "-"),
        ("HEAD", "--all", "--stdin", "--message=MSG"),
        ("nosuch", "--all"),
    ],
    ids=" ".join,
)
def test_one_thing_is_checked_at_a_time(run: Run, ids: dict[str, str], args: tuple[str, ...]) -> None:
    """Who names two things is not told about one of them."""
    refused(run(*args, stdin=f"{ids['good']}\n".encode()), "only one thing", "--all, --stdin, or --message FILE")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    "args", [("--policy-from=HEAD",), ("--allow-fixup",), ("--min-coverage=0",), ("--require-signed",)], ids=str
)
def test_a_message_takes_no_option_about_commits(run: Run, args: tuple[str, ...]) -> None:
    """An option that cannot count is refused, not passed over."""
    refused(run("--message", "MSG", *args), args[0].split("=", maxsplit=1)[0], "are about commits")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("args", [("base..", "HEAD"), ("base..", "--nosuch"), ("-x",), ("--message",), ("--output",)])
def test_what_the_command_does_not_know_is_a_misuse(run: Run, args: tuple[str, ...]) -> None:
    """Two ranges, other options, and an option without its value are exit 2."""
    refused(run(*args), "hint: ampcommit ", " --help")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    "args", [("",), ("--message=",), ("--policy-from=",), ("--output=",), ("--allowed-signers=",), ("--", "")], ids=str
)
def test_an_empty_value_is_a_misuse(run: Run, args: tuple[str, ...]) -> None:
    """S06: a variable that a script never set does not turn one question into another."""
    refused(run(*args), "must not be empty", args[0].rstrip("=").strip("-"))


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("text", ["--output=x", "-x", "--all", "--", "-"])
def test_a_range_is_no_option(run: Run, repo: Repo, text: str) -> None:
    """S05: behind two dashes there is a range, and nothing is written for it."""
    before = sorted(repo.path.iterdir())

    refused(run("--", text), f"'{text}' is no range of commits")
    assert sorted(repo.path.iterdir()) == before


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    "text", ["nosuch", "nosuch..HEAD", "HEAD^99", "HEAD^{tree}", os.fsdecode(b"m\xe4in..HEAD"), "ä"]
)
def test_what_is_not_here_is_no_range(run: Run, text: str) -> None:
    """S06: exit 2, never a range without commits."""
    refused(run(text), "there are no commits")


def test_only_an_environment_that_can_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outside a repository, with a broken event, with unknown ids: exit 3; in a new repository there is no HEAD: 2."""
    refused(run(), "there are no commits 'HEAD' here")
    refused(run("--stdin", stdin=b"a" * 40), "is not in this clone", status=3)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    refused(run(), "GITHUB_EVENT_PATH", status=3)
    monkeypatch.chdir(tmp_path)
    for args in (("HEAD",), ("--all",), ("--stdin",), ()):
        refused(run(*args), "inside a git repository", status=3)


# Standard input that cannot be used.


class Endless(io.RawIOBase):
    """The same bytes again and again, counted."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer)
        size = len(room) // len(self.piece) * len(self.piece)
        room[:size] = self.piece * (size // len(self.piece))
        self.count += size
        return size


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("piece", [b"a", b"\0", b"\xff", b" "])
def test_a_line_without_end_is_not_read(run: Run, piece: bytes) -> None:
    """Of a line only so much is read as a line may have."""
    source = Endless(piece)

    refused(run("--stdin", stdin=source), "too long at line 1")
    assert source.count < 4 * LINE


@pytest.mark.parametrize("line", ["", "id"])
def test_lines_without_end_are_not_read(run: Run, ids: dict[str, str], line: str) -> None:
    """Neither blank lines nor the same id for ever keep us."""
    source = Endless(ids["good"].encode() + b"\n" if line else b"\n")

    refused(run("--stdin", stdin=source), "too long at line 100001")
    assert source.count < 5_000_000


def test_garbage_on_standard_input_is_named(run: Run, ids: dict[str, str]) -> None:
    """The number of the line is said, what stands there is not repeated."""
    done = run("--stdin", stdin=f"{ids['good']}\n\n\x1b[2J\0\n".encode())

    refused(done, "line 3 of standard input is not understood")
    assert "2J" not in done.err


@pytest.mark.usefixtures("ids")
def test_a_closed_standard_input_is_a_misuse(run: Run, repo: Repo) -> None:
    """A process without standard input has no list, which is not the same as an empty one."""
    refused(run("--stdin", stdin=None), "standard input is closed")
    script = f'"{sys.executable}" -P -m ampcommit verify --stdin <&-'
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(["sh", "-c", script], cwd=repo.path, env=environ, capture_output=True, text=True, check=False)

    refused(Done(done.returncode, done.stdout, done.stderr), "standard input is closed")


def test_the_name_of_a_ref_is_shown_harmless(run: Run, ids: dict[str, str]) -> None:
    """S01: what somebody called a ref reaches no terminal as it is."""
    lines = [
        f"{ZERO} {ids['good']} refs/notes/".encode() + name + b"\n" for name in (b"\x1b[2J", b"\xff", "\u202e".encode())
    ]
    done = run("--stdin", stdin=b"".join(lines))

    assert (done.status, done.err.count("not checked")) == (0, 3)
    assert all(line.isprintable() for line in done.err.splitlines())


# How it is judged.


def test_the_policy_can_be_named(run: Run, repo: Repo, ids: dict[str, str]) -> None:
    """The policy of another commit counts where somebody says so; one that is not there is exit 2."""
    (repo.path / ".ampcommit").write_text("[ampcommit]\n\tmode = warn\n")
    repo.commit("-q", "-a", "-m", LINKED)
    bad = f"base..{ids['bad']}"
    assert (run(bad).status, run(bad, "--policy-from", "HEAD").status) == (1, 0)
    done = run("--policy-from=good", "--all", "--json")
    assert (done.status, done.data["policy"]["from"]) == (1, ids["good"])
    for name in ("nosuch", "-x", "HEAD^{tree}", "base..HEAD"):
        refused(run("base..", f"--policy-from={name}"), f"--policy-from '{name}' names no commit here")


def test_fixups_can_be_allowed(run: Run, ids: dict[str, str]) -> None:
    """A branch in the making may hold fixups, if somebody says so."""
    assert run("fixup").status == 1
    done = run("fixup", "--allow-fixup", "--json")

    assert (done.status, done.judged) == (0, {ids["fixup"]: "exempt"})


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(("least", "status"), [(0, 0), (33, 0), (34, 1), (100, 1)])
def test_a_share_of_links_can_be_enough(run: Run, least: int, status: int) -> None:
    """With a least share of links the run fails only below it: here, one of three."""
    done = run("base..", f"--min-coverage={least}", "--json")

    assert (done.status, done.parsed["summary"]["failed"], done.parsed["summary"]["warnings"]) == (status, 0, 2)


NUMBERS = ["-1", "101", "x", "", "1.5", "1e1", "0x10", "nan", " ", "1_0_1", "9" * 5000]


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_a_share_is_a_whole_number_of_percent(run: Run, number: str) -> None:
    """What is no number from 0 to 100 is exit 2."""
    refused(run("base..", f"--min-coverage={number}"), "--min-coverage")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("number", ["-1", "x", "", "1.5", "nan", "9" * 5000], ids=range(6))
def test_a_limit_is_a_whole_number(run: Run, number: str) -> None:
    """What is no number, or less than nothing, is exit 2."""
    refused(run("base..", f"--max-findings={number}"), "--max-findings")


# How it is shown.


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_same_verdict(run: Run, form: str) -> None:
    """The form does not change the exit code, for commits and for a message."""
    assert [run(what, f"--format={form}").status for what in ("base..good", "base..", "--message=MSG")] == [0, 1, 0]
    assert run("base..", "--format", form).out


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("form", ["nosuch", "", "JSON", "text ", "json,text", "\x1b[2J"])
def test_a_format_that_there_is_not_is_a_misuse(run: Run, form: str) -> None:
    """The formats that there are stand in the hint."""
    for what in ("base..", "--message=MSG"):
        refused(run(what, f"--format={form}"), "there is no format", ", ".join(FORMATS))


@pytest.mark.usefixtures("ids")
def test_json_has_two_names(run: Run) -> None:
    """`--json` is the same as `--format json`, whatever other form is asked for."""
    expected = run("base..", "--format", "json")

    assert expected.data["schema"] == "ampcommit.verify/1"
    for args in (("--json",), ("--json", "--format", "text"), ("--format=sarif", "--json")):
        done = run("base..", *args)
        assert (done.status, done.out, done.err) == (expected.status, expected.out, expected.err) == (1, done.out, "")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("form", FORMATS)
def test_a_report_can_go_to_a_file(run: Run, repo: Repo, form: str) -> None:
    """What would stand on stdout stands in the file, for commits and for a message, and the exit code is the same."""
    for what in ("base..", "--message=MSG"):
        shown = run(what, "--format", form)
        done = run(what, "--format", form, "--output", "report")
        assert (done.status, done.out) == (shown.status, "")
        assert (repo.path / "report").read_text() == shown.out
    refused(run("base..", "--output", "no/such/folder"), "cannot write 'no/such/folder'")


@pytest.mark.usefixtures("ids")
def test_a_misuse_leaves_no_report(run: Run, repo: Repo) -> None:
    """Who asks for nothing that there is finds no file that looks like an answer."""
    for args in (("nosuch",), ("base..", "--format=nosuch"), ("base..", "--policy-from=nosuch"), ("HEAD", "--all")):
        refused(run(*args, "--output", "report"))
    assert not (repo.path / "report").exists()


@pytest.mark.usefixtures("ids")
def test_findings_can_be_limited(run: Run) -> None:
    """A limit is about what is printed, not about counts or exit code."""
    lines = [run("base..", *args).out.splitlines() for args in ((), ("--max-findings=1",), ("--max-findings=0",))]

    assert [sum("AC101" in line for line in found) for found in lines] == [2, 1, 0]
    assert lines[0][-1] in lines[1]
    assert run("base..", "--max-findings=0").status == 1


@pytest.mark.usefixtures("ids")
def test_quiet_says_only_what_fails(run: Run) -> None:
    """Where nothing fails there is nothing to read."""
    done = run("base..good", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    done = run("base..", "--quiet")
    assert (done.status, done.out.count("AC101"), done.err) == (1, 2, "")


def test_the_help_is_tidy(run: Run) -> None:
    """At 80 columns no line is longer, no word is cut off, and every option has a sentence."""
    done = run("--help")
    lines = done.out.splitlines()

    assert (done.status, done.err) == (0, "")
    assert max(map(len, lines)) <= 80
    assert "…" not in done.out
    options = [line.split() for line in lines if line.startswith("│ --")]
    assert [words[1] for words in options] == [
        *("--all", "--stdin", "--message", "--policy-from", "--allow-fixup", "--min-coverage", "--format", "--json"),
        *("--output", "--max-findings", "--require-signed", "--allowed-signers", "--online", "--quiet", "--help"),
    ]
    assert all(len(words) > 4 for words in options)
    assert "verify [OPTIONS] [RANGE]" in done.out


@pytest.mark.usefixtures("ids")
def test_signers_are_named_for_signed_records(run: Run) -> None:
    """An option without the one that it is about is refused, and so is a demand that nobody could meet."""
    refused(run("HEAD", "--allowed-signers=signers"), "--allowed-signers", "--require-signed")
    refused(run("HEAD", "--require-signed"), "who may sign is not known", ".ampcommit-signers")
    refused(run("HEAD", "--require-signed", "--allowed-signers=nosuch"), "a request can change", ".ampcommit-signers")
    refused(run("HEAD", "--require-signed", "--allowed-signers=/nosuch"), "no file that can be read")


@pytest.mark.usefixtures("ids")
@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen here")
def test_a_record_is_demanded_where_signatures_are(run: Run, tmp_path: Path) -> None:
    """AC301: a linked commit without a record fails, whatever the policy says of records."""
    (tmp_path / "signers").write_text("")

    assert "AC301" in run("base..HEAD", "--require-signed", f"--allowed-signers={tmp_path}/signers").out
