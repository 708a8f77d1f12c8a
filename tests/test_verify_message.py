"""The policy over one message, as `verify --message` gives it."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ampcommit.errors import MisuseError, PolicyError, SetupError
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.verbs.verify_message import message
from tests.conftest import CHILD, OTHER, PARENT, Repo, url

SUBJECT = "Add the parser"
LINK = f"Amp-Thread-ID: {url(PARENT)}"
LINKED = f"{SUBJECT}\n\n{LINK}\n"
OLDER = f"Amp-Thread: {url(PARENT)}"
SCISSORS = "# ------------------------ >8 ------------------------"
COAUTHOR = "Co-authored-by: Amp <amp@ampcode.com>"
REVERT = 'Revert "Add the parser"\n\nThis reverts commit {}.\n'


@pytest.fixture
def here(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """An empty repository, in which this process runs."""
    monkeypatch.chdir(repo.path)
    return repo


pytestmark = pytest.mark.usefixtures("here")


def read(path: str, environ: Mapping[str, str] = os.environ) -> tuple[Report, Verdict]:
    """Judge the message in *path*; return the report and its only verdict."""
    report = message(path, environ)
    [verdict] = report
    assert (report.range, verdict.commit, report.summary()["checked"]) == (None, None, 1)
    assert report.exit_code == (verdict.status == "fail")
    return report, verdict


def judged(text: str | bytes, config: str = "", env: dict[str, str] | None = None) -> tuple[Report, Verdict]:
    """Judge a message in the current repository, under a policy in git config."""
    if config:
        Repo(Path.cwd())("config", *config.split(" ", 1))
    Path("MSG").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read("MSG", {**os.environ, **(env or {})})


def codes(text: str, config: str = "", env: dict[str, str] | None = None) -> list[str]:
    """Return the codes of the findings of a message."""
    return [finding.code for finding in judged(text, config, env)[1].findings]


def counts(text: str, config: str = "") -> dict[str, int]:
    """Return what is not zero in the summary."""
    return {name: count for name, count in judged(text, config)[0].summary().items() if count and name != "checked"}


# Verdicts.


def test_a_linked_message_passes() -> None:
    """A message with its link is all that is asked."""
    _, verdict = judged(LINKED)

    assert (verdict.status, list(verdict.threads), list(verdict.findings)) == ("pass", [PARENT], [])
    assert (verdict.subject, verdict.exempt_by, verdict.agent) == (SUBJECT, None, True)


VERDICTS = {
    "no link": (f"{SUBJECT}\n", "", ["AC101"]),
    "displaced": (f"{SUBJECT}\n\n{LINK}\n\nCo-authored-by: A <a@example.com>\n", "", ["AC102"]),
    "malformed": (f"{SUBJECT}\n\nAmp-Thread-ID: {PARENT}\n", "", ["AC103"]),
    "another host": (f"{SUBJECT}\n\nAmp-Thread-ID: https://evil.example/threads/{PARENT}\n", "", ["AC104"]),
    "trusted host": (LINKED.replace("ampcode.com", "amp.example.com"), "ampcommit.host amp.example.com", []),
    "long subject": (f"{'x' * 73}\n\n{LINK}\n", "", ["AC201"]),
    "short body": (LINKED, "ampcommit.minBody 10", ["AC202"]),
    "no link, mode off": (f"{SUBJECT}\n", "ampcommit.mode off", []),
    "no link, a person": (f"{SUBJECT}\n", "ampcommit.authors agent", []),
    "short subject, a person": ("x\n", "ampcommit.authors agent", []),
    "link in prose": (f"{SUBJECT}\n\nsee {url(PARENT)}\n", "ampcommit.linkIn message", []),
    "key of older clients": (f"{SUBJECT}\n\n{OLDER}\n", "ampcommit.linkIn message", []),
    "key of older clients as a trailer": (f"{SUBJECT}\n\n{OLDER}\n", "", ["AC101"]),
    "P24 link below the scissors": (f"{SUBJECT}\n\n{SCISSORS}\n\n{LINK}\n", "", ["AC102"]),
}
"""Text, policy and findings: of a message, and of a commit with it."""


@pytest.mark.parametrize(("text", "config", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_every_kind_of_message_has_its_finding(text: str, config: str, expected: list[str]) -> None:
    """What the hook would say of a message is said here, too."""
    assert codes(text, config) == expected


def test_nothing_is_cleaned_away() -> None:
    """The text is that of a commit: a line with a hash sign is part of it."""
    assert judged(f"# {SUBJECT}\n\n{LINK}\n")[1].status == "pass"


@pytest.mark.parametrize(("mode", "status"), [("require", "fail"), ("warn", "pass"), ("off", "pass")])
def test_the_mode_decides_over_pass_and_fail(mode: str, status: str) -> None:
    """Only a finding of level error fails."""
    assert judged("x\n", f"ampcommit.mode {mode}")[1].status == status


def test_an_exempt_message_says_by_what() -> None:
    """Who reads the report sees why nothing was asked; a link is not asked of it, and one that is wrong still fails."""
    _, verdict = judged("fixup! Add the parser\n")

    assert (verdict.status, verdict.exempt_by) == ("exempt", "fixup")
    assert codes("fixup! Add the parser\n\nAmp-Thread-ID: nonsense\n") == ["AC103"]
    assert judged(f"fixup! Add the parser\n\n{LINK}\n")[1].status == "pass"


def test_a_revert_is_exempt_where_the_commit_exists(here: Repo) -> None:
    """The sentence that git writes is checked against the repository."""
    here.commit("-q", "-m", SUBJECT)
    tree, blob = here("rev-parse", "HEAD^{tree}"), here("hash-object", "-w", "--stdin", stdin=b"x")

    assert judged(REVERT.format(here.head()), "ampcommit.exempt revert")[1].exempt_by == "revert"
    for named in ("0" * 40, tree, blob, "HEAD", here.head()[:12], ""):
        assert codes(REVERT.format(named)) == ["AC101"]


def test_no_branch_stands_in_for_the_commit_of_a_revert(here: Repo) -> None:
    """A message that names no commit is not completed by what refs are called here."""
    here.commit("-q", "-m", SUBJECT)
    here("branch", "{commit}")

    assert codes('Revert "Add the parser"\n', "ampcommit.exempt revert") == ["AC101"]


@pytest.mark.parametrize("kind", ["merge", "path:*", "bot:*", "before:{}"])
def test_what_only_a_commit_can_be_frees_no_message(here: Repo, kind: str) -> None:
    """A message changes no paths, has no parents and comes before nothing."""
    here.commit("-q", "-m", SUBJECT)
    (here.path / "file").write_text("1")
    here("add", "-A")

    assert codes("Merge branch 'side'\n", f"ampcommit.exempt {kind.format(here.head())}") == ["AC101"]


@pytest.mark.parametrize(
    ("text", "env", "demanded"),
    [
        (f"{SUBJECT}\n", {}, False),
        (f"{SUBJECT}\n", {"AGENT": "amp"}, True),
        (f"{SUBJECT}\n", {"AMP_CURRENT_THREAD_ID": PARENT}, True),
        (f"{SUBJECT}\n\n{COAUTHOR}\n", {}, True),
        (f"{SUBJECT}\n\n{COAUTHOR.upper()}\n", {}, True),
        (f"{SUBJECT}\n\nCo-authored-by: Somebody <s@example.com>\n", {}, False),
        (f"{SUBJECT}\n\n> {LINK}\n", {}, True),
        (f"{SUBJECT}\n\nAmp-Thread: lost\n", {}, False),
    ],
    ids=[
        "person",
        "background shell",
        "thread",
        "co-author",
        "case",
        "another co-author",
        "text with our key",
        "text with the key of older clients",
    ],
)
def test_with_authors_agent_the_agents_messages_are_known(text: str, env: dict[str, str], demanded: bool) -> None:
    """A message is the agent's if the agent says so, in the environment or in the text."""
    report, verdict = judged(text, "ampcommit.authors agent", env)

    assert (report.exit_code, report.summary()["not_agent"]) == (int(demanded), int(not demanded))
    assert verdict.agent == demanded


def test_with_link_in_message_the_key_of_older_clients_is_the_agents() -> None:
    """`Amp-Thread` counts as our key where a link may stand anywhere, and nowhere else."""
    text = f"{SUBJECT}\n\n* AMP-thread: lost\n\nmore\n"
    judged(text, "ampcommit.linkIn message")

    assert codes(text, "ampcommit.authors agent") == ["AC101"]


def test_another_thread_than_the_one_at_work_is_found(january: Path) -> None:
    """With a known chain, the last link must be the thread at work (AC105)."""
    assert january.exists()
    assert codes(LINKED, env={"AMP_CURRENT_THREAD_ID": CHILD}) == ["AC105"]
    assert codes(LINKED, env={"AMP_CURRENT_THREAD_ID": PARENT}) == []
    assert codes(LINKED, env={"AMP_CURRENT_THREAD_ID": OTHER}) == ["AC105"]


def test_a_variable_that_leaked_from_an_older_thread_accuses_nobody(january: Path) -> None:
    """The child came of the parent, so that a link to it is the later one."""
    assert january.exists()
    assert codes(LINKED.replace(PARENT, CHILD), env={"AMP_CURRENT_THREAD_ID": PARENT}) == []


def test_the_counts_add_up() -> None:
    """The summary says in numbers what the verdicts say in words."""
    assert counts(LINKED) == {"passed": 1, "linked": 1}
    assert counts("x\n") == {"failed": 1, "warnings": 1}
    assert counts("fixup! x\n") == {"exempt": 1}
    assert counts("Add a person's work\n", "ampcommit.authors agent") == {"passed": 1, "not_agent": 1}


def test_git_is_the_judge_with_nobodys_configuration(here: Repo) -> None:
    """S11, P05: what this clone takes for a trailer is not what the others will see."""
    here("config", "trailer.note.key", "Note")
    here("config", "trailer.separators", "=")

    assert codes(f"{SUBJECT}\n\nprose\nprose\nprose\nNote: x\n{LINK}\n") == ["AC102"]
    assert codes(LINKED) == []


# The policy.


def test_the_report_says_which_policy_was_asked(here: Repo) -> None:
    """Where the policy came from stands in the report; without a file it is null."""
    assert judged(LINKED)[0].policy_from is None
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = warn\n")
    report, _ = judged(LINKED)

    assert (report.mode, report.policy_from, report.notices) == ("warn", str(here.path / ".ampcommit"), [])


def test_a_staged_policy_counts(here: Repo) -> None:
    """The policy is the one that the hook would use."""
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")
    here("add", ".ampcommit")
    (here.path / ".ampcommit").unlink()

    assert judged("x\n")[0].mode == "off"
    index = (here.path / ".git" / "index").rename(here.path / ".git" / "other")
    assert judged("x\n", env={"GIT_INDEX_FILE": str(index)})[0].mode == "off"


def test_what_weighs_more_counts(here: Repo) -> None:
    """As in the hook, git config stands above the file, and the environment above both."""
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")

    assert judged(LINKED)[0].mode == "off"
    assert judged(LINKED, "ampcommit.mode warn")[0].mode == "warn"
    assert judged(LINKED, env={"AMPCOMMIT_MODE": "require"})[0].mode == "require"


@pytest.mark.parametrize(
    "config", ["ampcommit.mode sometimes", "ampcommit.evidence 50", "ampcommit.minBody many", "ampcommit.exempt all"]
)
def test_half_a_policy_gives_no_verdict(config: str) -> None:
    """Who asks for a verdict is told that the policy cannot be used: exit 2, never a silent pass."""
    with pytest.raises(PolicyError) as caught:
        judged(LINKED, config)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert config.split(maxsplit=1)[0].partition(".")[2] in str(caught.value)


def test_a_key_that_nobody_knows_is_noted(here: Repo) -> None:
    """A key of a newer version, or one that is misspelt, is said to do nothing, wherever it stands."""
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tnosuch = 1\n\tresolve = never\n")
    report, _ = judged(LINKED, "ampcommit.another key")

    assert report.exit_code == 0
    assert [word in notice for word, notice in zip(("nosuch", "resolve", "another"), report.notices, strict=True)] == [
        True
    ] * 3


def test_no_record_is_demanded_of_a_message() -> None:
    """What is no commit yet cannot have been recorded."""
    assert codes(LINKED, "ampcommit.record true") == []


def test_a_broken_policy_file_is_a_warning(here: Repo) -> None:
    """For one message the defaults hold, as in the hook, and the report says so."""
    (here.path / ".ampcommit").write_text("[broken\n")
    report, _ = judged("x\n")

    assert (report.mode, report.exit_code, len(report.notices)) == ("require", 1, 1)


# The message.


def test_a_message_on_standard_input_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash means standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINKED.encode())))

    assert list(read("-")[1].threads) == [PARENT]


def test_a_message_in_no_encoding_is_judged() -> None:
    """Bytes are bytes."""
    assert list(judged(b"Caf\xe9 parser\n\n" + LINK.encode())[1].threads) == [PARENT]


def test_a_message_with_nul_is_judged() -> None:
    """S14: git refuses to commit it; what it would not show anybody is no link."""
    assert [one.code for one in judged(b"Add the parser\0\n\n" + LINK.encode() + b"\n")[1].findings] == ["AC102"]
    assert judged(LINKED.encode() + b"\0")[1].status == "pass"


@pytest.mark.parametrize("text", ["", "\n", " \t\n\n"])
def test_an_empty_message_is_a_misuse(text: str) -> None:
    """Nothing was checked is not the same as nothing was found (S06)."""
    with pytest.raises(MisuseError, match="empty"):
        judged(text)


def test_a_closed_standard_input_is_a_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be read, nothing was checked."""
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where descriptor 0 is closed
    with pytest.raises(MisuseError, match="standard input is closed"):
        message("-", os.environ)


def test_a_message_of_more_than_we_look_at_is_a_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long is said to be too long, from a file as from standard input (P44)."""
    text = b"Add\n\n" + b"x" * 16 * 1024 * 1024
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    Path("MSG").write_bytes(text)
    for path in ("-", "MSG"):
        with pytest.raises(MisuseError, match="16 MiB"):
            message(path, os.environ)


@pytest.mark.parametrize("path", ["nosuch", ".", "", "/dev/null/x", "-x", "a\0b"])
def test_a_message_that_is_not_there_is_a_misuse(path: str) -> None:
    """A wrong path is exit 2."""
    with pytest.raises(MisuseError, match="cannot read") as caught:
        message(path, os.environ)

    assert caught.value.exit_code == 2


def test_a_message_behind_a_link_is_read() -> None:
    """Who names a file on the command line means what it leads to."""
    Path("MSG").write_text(LINKED)
    Path("link").symlink_to("MSG")

    assert list(read("link")[1].threads) == [PARENT]


def test_a_message_in_a_pipe_is_read() -> None:
    """A process substitution of a shell is a file like any other."""
    with subprocess.Popen(["printf", "%s", LINKED], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert list(read(f"/dev/fd/{child.stdout.fileno()}")[1].threads) == [PARENT]


def test_outside_a_repository_is_the_environments_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository there is no policy: exit 3."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MSG").write_text(LINKED)
    with pytest.raises(SetupError) as caught:
        message("MSG", os.environ)

    assert caught.value.exit_code == 3


def test_a_bare_repository_is_one(here: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no work tree and no index, the defaults hold."""
    here("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    monkeypatch.chdir(tmp_path / "bare")
    report, verdict = judged(LINKED)

    assert (report.policy_from, verdict.status) == (None, "pass")
