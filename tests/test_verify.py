"""The policy over one message, as `verify --message` gives it, and over commits."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit.errors import MisuseError, PolicyError, SetupError
from ampcommit.verify import Report, commits, message
from tests.conftest import CHILD, OTHER, PARENT, Repo, url

Enter = Callable[[str], None]

SUBJECT = "Add the parser"
LINK = f"Amp-Thread-ID: {url(PARENT)}"
LINKED = f"{SUBJECT}\n\n{LINK}\n"
SCISSORS = "# ------------------------ >8 ------------------------"
COAUTHOR = "Co-authored-by: Amp <amp@ampcode.com>"


@pytest.fixture
def here(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """An empty repository, in which this process runs."""
    monkeypatch.chdir(repo.path)
    return repo


def judged(text: str | bytes, config: str = "", env: dict[str, str] | None = None) -> Report:
    """Judge a message in the current repository, under a policy in git config."""
    if config:
        Repo(Path.cwd())("config", *config.split(" ", 1))
    Path("MSG").write_bytes(text if isinstance(text, bytes) else text.encode())
    report = message("MSG", {**os.environ, **(env or {})})
    assert report.range is None
    assert report.summary()["checked"] == 1
    assert report.exit_code == (report.verdicts[0].status == "fail")
    return report


def codes(text: str, config: str = "", env: dict[str, str] | None = None) -> list[str]:
    """Return the codes of the findings of a message."""
    return [finding.code for finding in judged(text, config, env).verdicts[0].findings]


def counts(text: str, config: str = "") -> dict[str, int]:
    """Return what is not zero in the summary."""
    return {name: count for name, count in judged(text, config).summary().items() if count and name != "checked"}


# Verdicts.

pytestmark = pytest.mark.usefixtures("here")


def test_a_linked_message_passes() -> None:
    """A message with its link is all that is asked."""
    verdict = judged(LINKED).verdicts[0]

    assert (verdict.status, verdict.threads, verdict.findings) == ("pass", [PARENT], [])
    assert (verdict.commit, verdict.exempt_by) == (None, None)


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
    "link in prose": (f"{SUBJECT}\n\nsee {url(PARENT)}\n", "ampcommit.linkIn message", []),
    "P24 link below the scissors": (f"{SUBJECT}\n\n{SCISSORS}\n\n{LINK}\n", "", ["AC102"]),
}


@pytest.mark.parametrize(("text", "config", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_every_kind_of_message_has_its_finding(text: str, config: str, expected: list[str]) -> None:
    """What the hook would say of a message is said here, too."""
    assert codes(text, config) == expected


def test_nothing_is_cleaned_away() -> None:
    """The text is that of a commit: a line with a hash sign is part of it."""
    assert judged(f"# {SUBJECT}\n\n{LINK}\n").verdicts[0].status == "pass"


@pytest.mark.parametrize(("mode", "status"), [("require", "fail"), ("warn", "pass"), ("off", "pass")])
def test_the_mode_decides_over_pass_and_fail(mode: str, status: str) -> None:
    """Only a finding of level error fails."""
    assert judged("x\n", f"ampcommit.mode {mode}").verdicts[0].status == status


def test_an_exempt_message_says_by_what() -> None:
    """Who reads the report sees why nothing was asked; a link is not asked of it, and one that is wrong still fails."""
    verdict = judged("fixup! Add the parser\n").verdicts[0]

    assert (verdict.status, verdict.exempt_by) == ("exempt", "fixup")
    assert codes("fixup! Add the parser\n\nAmp-Thread-ID: nonsense\n") == ["AC103"]


def test_a_revert_is_exempt_where_the_commit_exists(here: Repo) -> None:
    """The sentence that git writes is checked against the repository."""
    here.commit("-q", "-m", SUBJECT)
    revert = 'Revert "Add the parser"\n\nThis reverts commit {}.\n'

    assert judged(revert.format(here.head()), "ampcommit.exempt revert").verdicts[0].exempt_by == "revert"
    assert codes(revert.format("0" * 40)) == ["AC101"]


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
    ],
    ids=["person", "background shell", "thread", "co-author", "case", "another co-author", "text with our key"],
)
def test_with_authors_agent_the_agents_messages_are_known(text: str, env: dict[str, str], demanded: bool) -> None:
    """A message is the agent's if the agent says so, in the environment or in the text."""
    report = judged(text, "ampcommit.authors agent", env)

    assert (report.exit_code, report.summary()["not_agent"]) == (int(demanded), int(not demanded))


def test_another_thread_than_the_one_at_work_is_found(january: Path) -> None:
    """With a known chain, the last link must be the thread at work (AC105)."""
    assert january.exists()
    assert codes(LINKED, env={"AMP_CURRENT_THREAD_ID": CHILD}) == ["AC105"]
    assert codes(LINKED, env={"AMP_CURRENT_THREAD_ID": PARENT}) == []
    assert codes(LINKED, env={"AMP_CURRENT_THREAD_ID": OTHER}) == ["AC105"]


def test_the_counts_add_up() -> None:
    """The summary says in numbers what the verdicts say in words."""
    assert counts(LINKED) == {"passed": 1, "linked": 1}
    assert counts("x\n") == {"failed": 1, "warnings": 1}
    assert counts("fixup! x\n") == {"exempt": 1}
    assert counts("Add a person's work\n", "ampcommit.authors agent") == {"passed": 1, "not_agent": 1}


# The policy.


def test_the_report_says_which_policy_was_asked(here: Repo) -> None:
    """Where the policy came from stands in the report; without a file it is null."""
    assert judged(LINKED).policy_from is None
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = warn\n")
    report = judged(LINKED)

    assert (report.mode, report.policy_from) == ("warn", str(here.path / ".ampcommit"))


def test_a_staged_policy_counts(here: Repo) -> None:
    """The policy is the one that the hook would use."""
    (here.path / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")
    here("add", ".ampcommit")
    (here.path / ".ampcommit").unlink()

    assert judged("x\n").mode == "off"
    index = (here.path / ".git" / "index").rename(here.path / ".git" / "other")
    assert judged("x\n", env={"GIT_INDEX_FILE": str(index)}).mode == "off"


@pytest.mark.parametrize(
    "config",
    [
        "ampcommit.mode sometimes",
        "ampcommit.nosuch key",
        "ampcommit.record true",
        "ampcommit.evidence 50",
        "ampcommit.minBody many",
    ],
)
def test_half_a_policy_gives_no_verdict(config: str) -> None:
    """Who asks for a verdict is told that the policy cannot be used: exit 2, never a silent pass."""
    with pytest.raises(PolicyError) as caught:
        judged(LINKED, config)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert config.split(maxsplit=1)[0].partition(".")[2] in str(caught.value)


def test_a_broken_policy_file_is_a_warning(here: Repo) -> None:
    """For one message the defaults hold, as in the hook, and the report says so."""
    (here.path / ".ampcommit").write_text("[broken\n")
    report = judged("x\n")

    assert (report.mode, report.exit_code, len(report.warnings)) == ("require", 1, 1)


# The message.


def test_a_message_on_standard_input_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash means standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINKED.encode())))

    assert message("-", os.environ).verdicts[0].threads == [PARENT]


def test_a_message_in_no_encoding_is_judged() -> None:
    """Bytes are bytes."""
    assert judged(b"Caf\xe9 parser\n\n" + LINK.encode()).verdicts[0].threads == [PARENT]


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


@pytest.mark.parametrize("path", ["nosuch", ".", "", "/dev/null/x", "-x"])
def test_a_message_that_is_not_there_is_a_misuse(path: str) -> None:
    """A wrong path is exit 2."""
    with pytest.raises(MisuseError, match="cannot read") as caught:
        message(path, os.environ)

    assert caught.value.exit_code == 2


def test_a_message_behind_a_link_is_read() -> None:
    """Who names a file on the command line means what it leads to."""
    Path("MSG").write_text(LINKED)
    Path("link").symlink_to("MSG")

    assert message("link", os.environ).verdicts[0].threads == [PARENT]


def test_outside_a_repository_is_the_environments_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository there is no policy: exit 3."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MSG").write_text(LINKED)
    with pytest.raises(SetupError) as caught:
        message("MSG", os.environ)

    assert caught.value.exit_code == 3


# Commits.

BASE = "Begin the project"
POLICY = ".ampcommit"
REVERT = 'Revert "Add the parser"\n\nThis reverts commit {}.\n'
MOVED = f"{SUBJECT}\n\n{LINK}\n\nCo-authored-by: A <a@example.com>\n"


def begun(repo: Repo, *lines: str, name: str = POLICY) -> str:
    """Commit a policy of these lines, tag the commit `base`, and return its id."""
    if lines:
        (repo.path / name).write_text("[ampcommit]\n" + "".join(f"\t{line}\n" for line in lines))
        repo("add", "-A")
    repo.commit("-q", "-m", BASE)
    repo("tag", "base")
    return repo.head()


def add(repo: Repo, text: str | bytes = LINKED, **files: str) -> str:
    """Commit with exactly this message, and *files* (`_` stands for a slash); return the id."""
    for name, content in files.items():
        path = repo.path / name.replace("_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    repo("add", "-A")
    raw = text if isinstance(text, bytes) else text.encode()
    repo.commit("-q", "--no-verify", "--cleanup=verbatim", "-F", "-", stdin=raw)
    return repo.head()


def over(range_: str = "base..HEAD", *, allow_fixup: bool = False, **environ: str) -> Report:
    """Judge a range of the current repository."""
    report = commits(range_, {**os.environ, **environ}, allow_fixup=allow_fixup)
    assert report.range == range_
    assert report.exit_code == any(verdict.status == "fail" for verdict in report.verdicts)
    return report


def outcomes(range_: str = "base..HEAD", *, allow_fixup: bool = False) -> list[str]:
    """Return of each commit, the oldest first, its status, what exempts it and its findings."""
    verdicts = over(range_, allow_fixup=allow_fixup).verdicts[::-1]
    return [
        " ".join([v.status, *filter(None, [v.exempt_by]), *(f"{f.code}:{f.level}" for f in v.findings)])
        for v in verdicts
    ]


def fork(repo: Repo, evil: bool = False) -> str:
    """Merge a branch of one commit into `main`, both linked; an evil merge adds a file; return the id."""
    repo("checkout", "-q", "-b", "side")
    add(repo, side="1")
    repo("checkout", "-q", "main")
    add(repo, main="1")
    repo("merge", "-q", "--no-ff", "--no-commit", "side")
    return add(repo, "Merge branch 'side'\n", **({"evil": "1"} if evil else {}))


def test_each_commit_has_its_verdict(here: Repo) -> None:
    """The newest first, each with its full id, its threads and its findings; the counts add up."""
    base = begun(here, "mode = require")
    ids = [add(here, text) for text in (LINKED, "No link at all\n", MOVED, f"x\n\n{LINK}\n")]
    report = over()

    assert [verdict.commit for verdict in report.verdicts] == ids[::-1]
    assert [verdict.threads for verdict in report.verdicts] == [[PARENT], [], [], [PARENT]]
    assert outcomes() == ["pass", "fail AC101:error", "pass AC102:warning", "pass AC201:warning"]
    assert (report.exit_code, report.mode, report.policy_from, report.warnings) == (1, "require", base, [])
    assert report.summary() == {
        "checked": 4,
        "passed": 3,
        "failed": 1,
        "exempt": 0,
        "linked": 2,
        "not_agent": 0,
        "warnings": 2,
    }


@pytest.mark.parametrize(("text", "config", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_a_commit_is_judged_as_its_message(here: Repo, text: str, config: str, expected: list[str]) -> None:
    """Hook and `verify` share their rules: what the one demands, the other does."""
    begun(here, *([config.removeprefix("ampcommit.").replace(" ", " = ")] if config else []))
    add(here, text)
    (verdict,) = over().verdicts

    assert [finding.code for finding in verdict.findings] == expected


def test_nothing_to_check_is_said(here: Repo) -> None:
    """S06: an empty range passes, and nobody can take that for a range without findings."""
    begun(here, "mode = require")
    report = over("HEAD..base")

    assert (report.exit_code, report.summary()["checked"]) == (0, 0)
    assert report.warnings == ["there is no commit in HEAD..base: nothing was checked"]


def test_a_range_that_is_none_is_a_misuse(here: Repo) -> None:
    """S05, S06: exit 2, before anything else is asked."""
    begun(here, "nosuch = 1")
    for range_ in ("", "--output=x", "nosuch..HEAD", "HEAD^{tree}"):
        with pytest.raises(MisuseError) as caught:
            over(range_)
        assert "policy" not in caught.value.hint


def test_a_shallow_clone_without_the_base_is_the_environments_fault(
    here: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V02: exit 3, with the setting that mends it."""
    base = begun(here)
    add(here)
    here("clone", "-q", "--depth", "1", f"file://{here.path}", str(tmp_path / "cut"))
    monkeypatch.chdir(tmp_path / "cut")
    with pytest.raises(SetupError) as caught:
        over(f"{base}..HEAD")

    assert (caught.value.exit_code, "fetch-depth: 0" in caught.value.hint) == (3, True)
    assert outcomes("HEAD") == ["pass"]


def test_a_folder_inside_and_a_linked_work_tree_are_the_repository(
    here: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V10: where one stands does not matter."""
    begun(here, "minBody = 5")
    add(here, sub_file="1")
    here("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    expected = outcomes()

    assert expected == ["fail AC202:error"]
    assert commits("base..HEAD", os.environ, str(here.path / "sub")).exit_code == 1
    monkeypatch.chdir(tmp_path / "linked")
    assert outcomes() == expected


# Which policy counts for commits.


def test_the_policy_is_the_one_where_the_range_starts(here: Repo) -> None:
    """S09: a branch cannot weaken the policy that it is judged by; a commit alone is judged by that at HEAD."""
    base = begun(here, "mode = require", "minBody = 5")
    (here.path / POLICY).write_text("[ampcommit]\n\tmode = off\n")
    weak = add(here, "Weaken the policy\n")
    add(here, "No link at all\n")
    here("branch", "old", "base")

    assert outcomes() == ["fail AC101:error AC202:error"] * 2
    for range_ in ("base..HEAD", "base...HEAD", "old..", "base^{}..HEAD"):
        assert over(range_).policy_from == base
    assert over("HEAD^-").policy_from == weak
    for range_ in ("HEAD", "HEAD^!", "base"):
        report = over(range_)
        assert (report.policy_from, report.mode, len(report.verdicts)) == (here.head(), "off", 1)


def test_without_a_policy_the_defaults_hold(here: Repo) -> None:
    """A notice says so, because a file that was forgotten looks the same."""
    base = begun(here)
    add(here, "No link at all\n")
    report = over()

    assert (report.mode, report.policy_from, report.exit_code) == ("require", None, 1)
    assert report.warnings == [f"no .ampcommit at {base}: the defaults hold"]


def test_a_head_that_is_unborn_has_no_policy(here: Repo) -> None:
    """In a bare repository HEAD may name a branch that nobody ever pushed."""
    begun(here, "mode = off")
    here("symbolic-ref", "HEAD", "refs/heads/unborn")

    assert over("base").warnings == ["no .ampcommit at HEAD: the defaults hold"]


def test_nothing_in_the_clone_changes_the_policy(here: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """S10: no configuration, no environment, no file in the work tree or the index."""
    begun(here, "minBody = 5")
    add(here, "No link at all\n")
    expected = outcomes()
    here("config", "ampcommit.mode", "off")
    here("config", "--global", "ampcommit.minBody", "0")
    monkeypatch.setenv("AMPCOMMIT_MODE", "off")
    monkeypatch.setenv("AMPCOMMIT_NOSUCH", "1")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'ampcommit.mode=off'")
    (here.path / POLICY).write_text("[ampcommit]\n\tmode = off\n")
    here("add", "-A")

    assert outcomes() == expected == ["fail AC101:error AC202:error"]


def test_who_verifies_does_not_matter(here: Repo, agent: Enter, january: Path) -> None:
    """An agent that verifies gets the verdict that everybody gets; its own thread is not asked for."""
    assert january.exists()
    begun(here, "authors = agent")
    add(here)
    add(here, "A person's work\n")
    expected = outcomes()
    agent(CHILD)

    assert outcomes() == expected == ["pass", "pass"]
    assert over().summary()["not_agent"] == 1


@pytest.mark.parametrize("line", ["mode = sometimes", "nosuch = 1", "record = true", "evidence = 50", "exempt = all"])
def test_half_a_policy_judges_no_commit(here: Repo, line: str) -> None:
    """A key or value that this version cannot enforce is exit 2, never a silent pass."""
    begun(here, line)
    add(here)
    with pytest.raises(PolicyError) as caught:
        over()

    assert (caught.value.exit_code, line.split(maxsplit=1)[0] in str(caught.value)) == (2, True)


def test_a_broken_policy_judges_no_commit(here: Repo) -> None:
    """Where a hook goes on with the defaults, a verdict would be a lie."""
    begun(here, "mode = off", "[broken")
    add(here)
    with pytest.raises(PolicyError, match="broken"):
        over()


def test_a_policy_that_was_not_fetched_judges_no_commit(
    here: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V04: the defaults are not what holds where the policy is unknown: exit 3."""
    begun(here, "mode = off")
    add(here)
    here("config", "uploadpack.allowFilter", "true")
    here("clone", "-q", "--bare", "--filter=tree:0", f"file://{here.path}", str(tmp_path / "partial"))
    monkeypatch.chdir(tmp_path / "partial")
    with pytest.raises(SetupError) as caught:
        over()

    assert (caught.value.exit_code, bool(caught.value.hint)) == (3, True)


@pytest.mark.parametrize(("mode", "expected"), [("warn", "pass AC101:warning"), ("off", "pass")])
def test_a_milder_mode_fails_no_commit(here: Repo, mode: str, expected: str) -> None:
    """What is a warning in the hook is one here; where nothing is validated, nothing is."""
    begun(here, f"mode = {mode}")
    add(here, "No link at all\n")

    assert outcomes() == [expected]


# What a commit says of its threads.


@pytest.mark.parametrize(
    ("text", "loose", "strict"),
    [
        (MOVED, "pass AC102:warning", "fail AC102:error"),
        (MOVED.replace(LINK, f"> * **Amp-Thread-ID:** {url(PARENT)}"), "pass AC102:warning", "fail AC102:error"),
        (MOVED.replace("\n", "\r\n"), "pass AC102:warning", "fail AC102:error"),
        (MOVED.replace(url(PARENT), PARENT), "fail AC102:error", "fail AC102:error"),
        (f"{SUBJECT}\n\nAmp-Thread-ID: of no use\n\nThe end\n", "fail AC102:error", "fail AC102:error"),
        (f"{SUBJECT}\n\n{LINK}\n\n{LINK}\n", "pass AC102:warning", "pass AC102:warning"),
        (
            f"{SUBJECT}\n\n{LINK}\n\nAmp-Thread-ID: x\n",
            "fail AC102:warning AC103:error",
            "fail AC102:warning AC103:error",
        ),
    ],
    ids=["moved", "decorated", "CRLF", "bare id", "prose", "beside another", "beside a bad one"],
)
def test_a_displaced_link_is_an_error_only_where_the_file_says_so(
    here: Repo, text: str, loose: str, strict: str
) -> None:
    """V09, P06, P07: a forge that squashes moves links; a line with our key and no link is no excuse."""
    begun(here)
    add(here, text)
    assert outcomes() == [loose]
    here("tag", "-d", "base")
    begun(here, "linkIn = trailer")
    add(here, text)
    assert outcomes() == [strict]


@pytest.mark.parametrize(
    ("text", "demanded"),
    [
        ("A person's work\n", False),
        (f"{SUBJECT}\n\n{COAUTHOR}\n", True),
        (f"{SUBJECT}\n\n{COAUTHOR.lower()}\n", True),
        (f"{SUBJECT}\n\n{COAUTHOR}\n\nMore\n", False),
        (f"{SUBJECT}\n\nCo-authored-by: Somebody <s@example.com>\n", False),
        (f"{SUBJECT}\n\n> Amp-Thread-ID: lost\n\nMore\n", True),
    ],
    ids=["person", "co-author", "case", "no trailer", "another co-author", "text with our key"],
)
def test_with_authors_agent_the_agents_commits_are_known(here: Repo, text: str, demanded: bool) -> None:
    """A commit is the agent's if it says so; every other one passes, and is counted apart."""
    begun(here, "authors = agent")
    add(here, text)
    report = over()

    assert (report.exit_code, report.summary()["not_agent"]) == (int(demanded), int(not demanded))


def test_git_is_the_judge_whatever_it_is_told_here(here: Repo) -> None:
    """S11, P05: a clone's configuration makes no trailer of a line, and none of a trailer."""
    begun(here)
    add(here, f"{SUBJECT}\n\nprose\nprose\nprose\nNote: x\nAmp-Thread-ID: lost\n")
    add(here)
    expected = outcomes()
    here("config", "trailer.note.key", "Note")
    here("config", "trailer.separators", "=")

    assert outcomes() == expected == ["fail AC102:error", "pass"]


def test_what_stands_in_for_a_commit_is_not_judged(here: Repo) -> None:
    """S13: a replacement is one clone's own."""
    begun(here)
    good = add(here)
    bad = add(here, "No link at all\n")
    here("replace", bad, good)

    assert outcomes() == ["pass", "fail AC101:error"]


def test_a_commit_with_nul_is_judged_by_what_git_shows(here: Repo) -> None:
    """S14: a link that git shows nobody is none."""
    begun(here)
    commit = subprocess.run(["git", "cat-file", "commit", "HEAD"], capture_output=True, check=True).stdout
    hidden = commit + b"\nmore\0\n\n" + LINK.encode() + b"\n"
    shown = commit + b"\n" + LINK.encode() + b"\n\0\n\nmore\n"
    for raw, expected in ((hidden, "fail AC101:error"), (shown, "pass")):
        made = here("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)
        assert outcomes(made) == [expected]


# Exemptions of commits.


def test_a_fixup_is_exempt_only_where_it_is_allowed(here: Repo) -> None:
    """A branch that others build on should hold none; who verifies a branch in the making says so."""
    begun(here)
    add(here, "fixup! Add the parser\n")

    assert outcomes() == ["fail AC101:error"]
    assert outcomes(allow_fixup=True) == ["exempt fixup"]


def test_a_merge_is_exempt_if_it_adds_nothing(here: Repo) -> None:
    """V07: both sides are judged, each commit once, and the merge itself carries no link."""
    begun(here)
    fork(here)

    assert sorted(outcomes()) == ["exempt merge", "pass", "pass"]
    assert sorted(outcomes("base...HEAD")) == ["exempt merge", "pass", "pass"]
    assert outcomes("HEAD") == ["exempt merge"]


def test_a_merge_with_changes_of_its_own_is_judged(here: Repo) -> None:
    """V07: what a merge adds was written by somebody; only the form of its subject is still git's."""
    begun(here, "minSubject = 60")
    fork(here, evil=True)

    assert outcomes("HEAD") == ["fail AC101:error"]


def test_a_merge_is_judged_where_the_policy_says_so(here: Repo) -> None:
    """An exemption that the policy does not name does not hold."""
    begun(here, "exempt =")
    fork(here)

    assert sorted(outcomes()) == ["fail AC101:error", "pass", "pass"]


def test_a_revert_is_exempt_if_the_commit_exists(here: Repo) -> None:
    """The sentence that git writes is checked against the repository."""
    begun(here, "exempt = revert")
    add(here, REVERT.format(add(here)))
    add(here, REVERT.format("0" * 40))

    assert outcomes() == ["pass", "exempt revert", "fail AC101:error"]


def test_paths_exempt_a_commit_if_all_of_them_match(here: Repo) -> None:
    """Every changed path counts, and both names of a rename."""
    begun(here, "exempt = path:docs/*")
    add(here, "Write the docs\n", docs_a="x" * 99)
    add(here, "Write both\n", docs_b="1", code="1")
    here("mv", "docs/a", "a")
    add(here, "Move a page out\n")
    add(here, "Change nothing\n")

    assert outcomes() == ["exempt path:docs/*"] + ["fail AC101:error"] * 3


def test_paths_of_a_merge_are_those_it_brings_in(here: Repo) -> None:
    """A merge into a branch changes what its first parent did not have."""
    begun(here, "exempt = path:side")
    fork(here)

    assert outcomes("HEAD^-")[-1] == "exempt path:side"


def test_what_came_before_a_commit_is_exempt(here: Repo) -> None:
    """A repository with a past adopts a policy: that commit and its ancestors are free, on every branch."""
    first = begun(here)
    last = add(here, "The last of old\n")
    here("checkout", "-q", "--orphan", "apart")
    apart = add(here, "Another root\n")
    here("checkout", "-q", "main")
    here("tag", "-d", "base")
    begun(here, f"exempt = before:{last[:12]}", "exempt = before:apart")
    new = add(here, "No link at all\n")
    here("merge", "-q", "--allow-unrelated-histories", "-m", "Merge what is apart", "apart")
    found = {verdict.commit: (verdict.status, verdict.exempt_by) for verdict in over().verdicts}

    assert found == {apart: ("exempt", "before:apart"), new: ("fail", None), here.head(): ("fail", None)}
    assert outcomes(first) == outcomes(last) == [f"exempt before:{last[:12]}"]


def test_a_commit_before_which_all_is_free_must_be_there(here: Repo, tmp_path: Path) -> None:
    """An exemption that nobody can apply is exit 2; in a shallow clone the history may be what is missing."""
    begun(here, "exempt = before:nosuch")
    add(here)
    with pytest.raises(PolicyError, match="before:nosuch"):
        over()
    add(here)
    here("clone", "-q", "--depth", "2", f"file://{here.path}", str(tmp_path / "cut"))
    with pytest.raises(SetupError, match="shallow") as caught:
        commits("HEAD~1..HEAD", os.environ, str(tmp_path / "cut"))
    assert caught.value.exit_code == 3


def test_no_name_in_a_commit_makes_a_bot(here: Repo) -> None:
    """Anybody can write a name; without the forge's word it frees nothing."""
    begun(here, "exempt = bot:*")
    add(here, "Bump a dependency\n")

    assert outcomes() == ["fail AC101:error"]


def test_an_exempt_commit_with_a_bad_link_fails(here: Repo) -> None:
    """No exemption covers AC103 and AC104."""
    end = begun(here)
    bad = add(here, f"{SUBJECT}\n\nAmp-Thread-ID: x\n")
    here("tag", "-f", "base")
    begun_again = add(here, LINKED, **{POLICY: f"[ampcommit]\n\texempt = before:{bad}\n"})

    assert outcomes(bad) == ["fail before:" + bad + " AC103:error"]
    assert outcomes(end) == ["exempt before:" + bad]
    assert outcomes(begun_again) == ["pass"]
