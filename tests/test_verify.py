"""The policy over commits: each one judged once, by the policy of those who receive it, whatever stands around."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypedDict, Unpack

import pytest

from ampcommit.commits.history import History
from ampcommit.errors import AmpcommitError, LedgerError, MisuseError, PolicyError, SetupError
from ampcommit.gate.ranges import Asked, everything, listed, named, surrounding
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.verbs.verify import BATCH, commits
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_verify_message import COAUTHOR, LINK, LINKED, REVERT, SUBJECT, VERDICTS

Enter = Callable[[str], None]
Asking = Callable[[History], Asked]

BASE = "Begin the project"
BARE = "No link at all\n"
POLICY = ".ampcommit"
MOVED = f"{SUBJECT}\n\n{LINK}\n\nCo-authored-by: A <a@example.com>\n"


class Seen:
    """A report that was read to its end, and its verdicts as they came: the newest commit first."""

    def __init__(self, report: Report) -> None:
        self.verdicts = list(report)
        self.report = report
        self.notices = report.notices
        self.exit_code = report.exit_code
        self.ids = [str(verdict.commit) for verdict in self.verdicts]

    @property
    def outcomes(self) -> list[str]:
        """Of each commit, the oldest first, its status, what exempts it and its findings."""
        return [told(verdict) for verdict in self.verdicts[::-1]]

    @property
    def counts(self) -> dict[str, int]:
        """What is not zero in the summary."""
        return {name: number for name, number in self.report.summary().items() if number}


def told(verdict: Verdict) -> str:
    """Return status, exemption and findings of one commit."""
    words = [verdict.status, *filter(None, [verdict.exempt_by])]
    return " ".join(words + [f"{finding.code}:{finding.level}" for finding in verdict.findings])


class Options(TypedDict, total=False):
    """What a person may say on the command line beside the range."""

    allow_fixup: bool
    policy_from: str
    min_coverage: int
    signers: str


def asked(
    asking: Asking, folder: str | Path = ".", environ: dict[str, str] | None = None, **options: Unpack[Options]
) -> Seen:
    """Judge what *asking* finds in the repository at *folder*."""
    with commits(asking, environ or os.environ, str(folder), **options) as report:
        seen = Seen(report)
    if report.min_coverage is None:
        assert report.exit_code == any(verdict.status == "fail" for verdict in seen.verdicts)
    return seen


def over(
    range_: str = "base..HEAD",
    folder: str | Path = ".",
    environ: dict[str, str] | None = None,
    **options: Unpack[Options],
) -> Seen:
    """Judge a range of the repository at *folder*."""
    seen = asked(lambda history: named(history, range_), folder, environ, **options)
    assert seen.report.range == range_
    return seen


def outcomes(range_: str = "base..HEAD", **options: Unpack[Options]) -> list[str]:
    """Return what is said of each commit of the current repository, the oldest first."""
    return over(range_, **options).outcomes


@pytest.fixture
def here(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """An empty repository, in which this process runs."""
    monkeypatch.chdir(repo.path)
    return repo


pytestmark = pytest.mark.usefixtures("here")


def begun(repo: Repo, *lines: str) -> str:
    """Commit a policy of these lines, let `base` be that commit, and return its id."""
    if lines:
        (repo.path / POLICY).write_text("[ampcommit]\n" + "".join(f"\t{line}\n" for line in lines))
        repo("add", "-A")
    repo.commit("-q", "-m", BASE)
    repo("tag", "-f", "base")
    return repo.head()


def add(repo: Repo, text: str | bytes = LINKED, env: dict[str, str] | None = None, /, **files: str) -> str:
    """Commit with exactly this message, with *env* set, and *files* (`_` stands for a slash); return the id."""
    for name, content in files.items():
        path = repo.path / name.replace("_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    if files:
        repo("add", "-A")
    raw = text if isinstance(text, bytes) else text.encode()
    repo.commit("-q", "--no-verify", "--allow-empty-message", "--cleanup=verbatim", "-F", "-", stdin=raw, env=env)
    return repo.head()


def fork(repo: Repo, text: str = "Merge branch 'side'\n", *, evil: bool = False) -> str:
    """Merge a branch of one commit into `main`, both linked; an evil merge adds a file; return the id."""
    repo("checkout", "-q", "-b", "side")
    add(repo, side="1")
    repo("checkout", "-q", "main")
    add(repo, main="1")
    repo("merge", "-q", "--no-ff", "--no-commit", "side")
    return add(repo, text, **({"evil": "1"} if evil else {}))


def raw(repo: Repo, content: bytes) -> str:
    """Write *content* as a commit object, whatever git thinks of it."""
    return repo("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=content)


# Each commit has its verdict.


def test_each_commit_has_its_verdict(here: Repo) -> None:
    """The newest first, each with its full id, its threads and its findings; the counts add up."""
    base = begun(here, "mode = require")
    ids = [add(here, text) for text in (LINKED, BARE, MOVED, f"x\n\n{LINK}\n")]
    seen = over()

    assert seen.ids == ids[::-1]
    assert [list(verdict.threads) for verdict in seen.verdicts] == [[PARENT], [], [], [PARENT]]
    assert [verdict.subject for verdict in seen.verdicts] == ["x", SUBJECT, BARE.strip(), SUBJECT]
    assert seen.outcomes == ["pass", "fail AC101:error", "pass AC102:warning", "pass AC201:warning"]
    assert (seen.exit_code, seen.report.mode, seen.report.policy_from, seen.notices) == (1, "require", base, [])
    assert seen.report.summary() == {
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


FINDINGS = {
    "AC101": (BARE, "fail AC101:error"),
    "AC102": (f"{SUBJECT}\n\nAmp-Thread-ID: lost\n\nmore\n", "fail AC102:error"),
    "AC103": (f"{SUBJECT}\n\nAmp-Thread-ID: {PARENT}\n", "fail AC103:error"),
    "AC104": (f"{SUBJECT}\n\nAmp-Thread-ID: http://ampcode.com/threads/{PARENT}\n", "fail AC104:error"),
    "AC103 beside a good one": (f"{SUBJECT}\n\n{LINK}\nAmp-Thread-ID: x\n", "fail AC103:error"),
    "AC201 too short": (f"x\n\n{LINK}\n", "pass AC201:warning"),
    "AC201 too long": (f"{'x' * 73}\n\n{LINK}\n", "pass AC201:warning"),
    "AC201 longest": (f"{'x' * 72}\n\n{LINK}\n", "pass"),
    "AC201 in any script": (f"{'é' * 72}\n\n{LINK}\n", "pass"),
    "AC101 and AC201": ("x\n", "fail AC101:error AC201:warning"),
}


@pytest.mark.parametrize(("text", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_every_finding_has_its_level(here: Repo, text: str, expected: str) -> None:
    """What breaks a promise is an error; a limit that nobody set is advice."""
    begun(here)
    add(here, text)

    assert outcomes() == [expected]


def test_a_limit_of_the_policy_is_an_error(here: Repo) -> None:
    """AC201, AC202: a team that writes down a limit means it."""
    begun(here, "minSubject = 10", "maxSubject = 20", "minBody = 10")
    for subject, body in (
        ("x", "because of it\n\n"),
        ("x" * 21, "because of it\n\n"),
        (SUBJECT, ""),
        (SUBJECT, "x\n\n"),
    ):
        add(here, f"{subject}\n\n{body}{LINK}\n")
    add(here, f"{SUBJECT}\n\nbecause of it\n\n{LINK}\n")

    assert outcomes() == ["fail AC201:error"] * 2 + ["fail AC202:error"] * 2 + ["pass"]


def test_the_thread_of_who_verifies_is_not_asked_for(here: Repo, agent: Enter, january: Path) -> None:
    """AC105 is for a message in the making: an agent that verifies gets the verdict that everybody gets."""
    assert january.exists()
    begun(here, "authors = agent")
    add(here)
    add(here, "A person's work\n")
    expected = outcomes()
    agent(CHILD)

    assert outcomes() == expected == ["pass", "pass"]
    assert over().counts["not_agent"] == 1


# Which commits, how many, and in which order.


@pytest.fixture
def forked(here: Repo) -> Repo:
    """A branch `side` of two commits, and two on `main`; all linked but the last one on `main`; tags of both kinds."""
    begun(here, "mode = require")
    here("checkout", "-q", "-b", "side")
    add(here, side_1="1")
    add(here, side_2="2")
    here("tag", "-a", "-m", "x", "annotated")
    here("checkout", "-q", "main")
    add(here, main_1="1")
    here("tag", "plain")
    add(here, BARE)
    return here


RANGES = {
    "base..HEAD": (2, 1),
    "base..": (2, 1),
    "base..plain": (1, 0),
    "base..annotated": (2, 0),
    "plain..annotated": (2, 0),
    "annotated..main": (2, 1),
    "side...main": (4, 1),
    "plain...annotated": (3, 0),
    "HEAD": (1, 1),
    "HEAD^!": (1, 1),
    "annotated": (1, 0),
    "annotated^!": (1, 0),
    "HEAD~1": (1, 0),
    "HEAD^-": (1, 1),
    "HEAD..HEAD": (0, 0),
    "HEAD..base": (0, 0),
    "side..plain~1": (0, 0),
}


@pytest.mark.parametrize(("range_", "expected"), RANGES.items(), ids=RANGES)
def test_a_range_is_what_git_takes_it_for(forked: Repo, range_: str, expected: tuple[int, int]) -> None:
    """V01: the counts are right, and 1 says that something was found."""
    seen = over(range_)

    assert (seen.report.summary()["checked"], seen.exit_code) == expected
    assert [one for one in seen.notices if "nothing was checked" in one] == (
        [] if expected[0] else [f"there is no commit in {range_}: nothing was checked"]
    )
    if range_ not in ("HEAD", "annotated", "HEAD~1"):
        assert seen.ids == forked("rev-list", range_).split()


@pytest.mark.parametrize(
    "range_",
    [
        "",
        "--output=x",
        "-1",
        "nosuch..HEAD",
        "HEAD^{tree}",
        "HEAD:.ampcommit",
        "HEAD^99",
        "..nosuch",
        "HEAD^@",
        "^HEAD",
    ],
)
def test_a_range_that_is_none_is_a_misuse(forked: Repo, range_: str) -> None:
    """V01, S05, S06: exit 2, nothing is written, and never a word of commits that are fine."""
    before = sorted(os.listdir())
    with pytest.raises(MisuseError) as caught:
        over(range_)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert sorted(os.listdir(forked.path)) == before


def test_the_range_is_looked_at_before_the_policy(here: Repo) -> None:
    """Who names nothing hears about that first."""
    begun(here, "mode = sometimes")
    with pytest.raises(MisuseError) as caught:
        over("nosuch..HEAD")

    assert not isinstance(caught.value, PolicyError)


def test_nothing_to_check_is_said(here: Repo) -> None:
    """S06: an empty range passes, and nobody can take that for a range without findings."""
    begun(here, "mode = require")
    for seen in (over("HEAD..base"), asked(lambda history: listed(history, []))):
        assert (seen.exit_code, seen.report.summary()["checked"], seen.report.coverage) == (0, 0, None)
        assert seen.notices == [f"there is no commit in {seen.report.range}: nothing was checked"]


def test_the_order_is_that_of_git_log(here: Repo) -> None:
    """Those that git must be asked about wait for the answer, and nobody passes them."""
    begun(here, "mode = require")
    for number in range(6):
        add(here, LINKED)
        add(here, BARE if number % 2 else MOVED)
    fork(here)
    add(here, LINKED, {"GIT_COMMITTER_DATE": "1400000000 +0000"})
    add(here, f"{SUBJECT}\n\nprose\n{LINK}\nmore: x\n")
    seen = over()

    assert seen.ids == here("log", "--format=%H", "base..HEAD").split()
    assert len({told(verdict) for verdict in seen.verdicts[::2]}) > 1


def test_several_ranges_judge_a_commit_once(forked: Repo) -> None:
    """Two branches that are pushed together share commits."""
    forked("branch", "twin", "main~1")
    forked("branch", "other", "twin")
    lines = [
        f"{'0' * 40} {forked('rev-parse', name)} refs/heads/{name}\n".encode() for name in ("twin", "side", "other")
    ]
    forked("checkout", "-q", "-B", "main", "base")
    ids = sorted(forked("rev-list", "base..twin", "base..side").split())

    assert sorted(asked(lambda history: listed(history, lines)).ids) == ids
    assert sorted(asked(lambda history: listed(history, [*lines[:2], ids[0].encode()])).ids) == ids
    assert asked(lambda history: listed(history, [ids[0].encode()] * 2)).ids == ids[:1]


def test_all_of_a_clone_is_judged(forked: Repo) -> None:
    """Every branch and tag, each commit once."""
    forked("branch", "-D", "side")

    assert sorted(asked(everything).ids) == sorted(forked("rev-list", "--all").split())


# Many.


class Stream:
    """A history for `git fast-import`."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._marks = count(1)

    def commit(self, text: str | bytes, *parents: int, ref: str = "refs/heads/main", **files: str) -> int:
        """Add a commit with *files* (`_` stands for a slash) and return its mark."""
        mark, message = next(self._marks), text if isinstance(text, bytes) else text.encode()
        self._lines.append(b"commit %b\nmark :%d\n" % (ref.encode(), mark))
        self._lines.append(b"committer T <t@example.com> %d +0000\n" % (1500000000 + mark))
        self._lines.append(b"data %d\n%b\n" % (len(message), message))
        for word, parent in zip(("from", *["merge"] * len(parents)), parents, strict=False):
            self._lines.append(b"%b :%d\n" % (word.encode(), parent))
        for name, content in files.items():
            path = name.replace("_", "/").encode()
            self._lines.append(b"M 644 inline %b\ndata %d\n%b\n" % (path, len(content), content.encode()))
        return mark

    def into(self, repo: Repo) -> None:
        """Make it the history of *repo*."""
        repo("fast-import", "--quiet", stdin=b"".join(self._lines))


def mixed(policy: str, total: int) -> Stream:
    """Return *total* commits, a tenth of them of each kind, behind one that brings the *policy*."""
    stream = Stream()
    last = stream.commit(BASE, **{POLICY: policy})
    stream.commit(BASE, last, ref="refs/tags/base")
    for number in map(str, range(total // 10)):
        at = number[-1]  # few files: large trees are git's matter
        for text in (LINKED, LINKED + COAUTHOR + "\n", MOVED, f"{SUBJECT}\n\n> {LINK}\nmore: x\nprose\n"):
            last = stream.commit(text, last)
        last = stream.commit(BARE, last, **{f"docs_{at}": number})
        side = stream.commit(f"{SUBJECT}\n\n{LINK}\nprose\n", last, ref="refs/heads/side", **{f"s_{at}": number})
        last = stream.commit(BARE, last, **{f"m_{at}": number})
        last = stream.commit("Merge branch 'side'\n", last, side, **{f"s_{at}": number})
        last = stream.commit("Merge branch 'side' again\n", last, side, **{f"evil_{at}": number})
        last = stream.commit(f"{'x' * 80}\n\nCaf\u00e9\n\n{LINK}\n", last)
    return stream


MIXED = "[ampcommit]\n\texempt = merge\n\texempt = path:docs/*\n"


def counted(tenth: int) -> dict[str, int]:
    """Return the summary of so many commits of each kind."""
    return {
        "checked": 10 * tenth,
        "passed": 5 * tenth,
        "failed": 3 * tenth,
        "exempt": 2 * tenth,
        "linked": 3 * tenth,
        "warnings": 4 * tenth,
    }


@pytest.fixture
def asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A `git` on PATH that notes each time it is called, and hands over slowly what a long answer holds."""
    folder, log, real = tmp_path / "bin", tmp_path / "asked", shutil.which("git")
    folder.mkdir()
    (folder / "trickle").write_text(
        f"#!{sys.executable} -IS\nimport os, time\nwhile piece := os.read(0, 2048):\n"
        "    os.write(1, piece)\n    time.sleep(0.0002)\n"
    )
    (folder / "git").write_text(
        f'#!/bin/sh\necho "$*" >>"{log}"\n'
        f'case "$*" in *core.commitGraph=false*) "{real}" "$@" | "{folder}/trickle"; exit;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    for script in folder.iterdir():
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def so_far() -> list[str]:
        lines = log.read_text().splitlines()
        log.unlink()
        return lines

    return so_far


def test_thousands_of_commits_cost_no_more_questions_than_ten(tmp_path: Path, asks: Callable[[], list[str]]) -> None:
    """V06: the counts are right, and git is started as often for 5,000 commits as for ten, however slow it is."""
    questions = []
    for total in (10, 5000):
        repo = Repo(tmp_path / str(total))
        subprocess.run(["git", "init", "-q", str(repo.path)], check=True)
        mixed(MIXED, total).into(repo)
        asks()
        assert over("base^..main", repo.path).counts == counted(total // 10)
        questions.append(len(asks()))

    assert questions[0] == questions[1] < 30


def test_more_than_wait_at_once_stay_in_order(here: Repo) -> None:
    """V06: batch by batch the verdicts come as git lists the commits, none twice and none forgotten."""
    total = BATCH // 10 * 10 + 1000
    mixed(MIXED, total).into(here)
    seen = over("base^..main")

    assert seen.counts == counted(total // 10)
    assert seen.ids == here("log", "--format=%H", "base^..main").split()


def test_long_messages_do_not_wait_for_each_other(here: Repo) -> None:
    """P44: messages of megabytes are judged like any other, doubtful or not, and in order."""
    begun(here, "mode = require")
    body = "\n".join(["x" * 99] * 50_000)
    for text in (
        f"{SUBJECT}\n\n{body}\n\n{LINK}\n",
        f"{SUBJECT}\n\n{LINK}\n{body}\n",
        BARE,
        f"{SUBJECT}\n\n{body * 2}\n",
    ):
        add(here, text)

    assert outcomes() == ["pass", "pass AC102:warning", "fail AC101:error", "fail AC101:error"]
    assert over().ids == here("log", "--format=%H", "base..HEAD").split()


POLICIES: tuple[list[str], ...] = (
    [],
    ["authors = agent"],
    ["mode = off"],
    ["mode = warn"],
    ["linkIn = trailer"],
    ["linkIn = message"],
    ["minBody = 3"],
    ["exempt = before:half"],
    ["mode = off", "exempt = before:half", "exempt = merge"],
    ["authors = agent", "exempt = before:half"],
    ["exempt ="],
    ["exempt = merge", "exempt = revert", "exempt = path:side"],
)


def test_the_short_way_to_a_verdict_is_no_other_verdict(here: Repo) -> None:
    """Where a ledger has a line, each commit goes before the judge; the verdicts are those of the fast lane."""
    begun(here)
    texts = [text for text, _, _ in VERDICTS.values()]
    for at, text in enumerate([*texts, MOVED, f"{SUBJECT}\n\n{COAUTHOR}\n", "fixup! x\n", REVERT.format(here.head())]):
        add(here, text)
        if at == 9:
            here("tag", "half")
    fork(here)
    here("tag", "start", "base")
    here("tag", "end")
    here("checkout", "-q", "--orphan", "apart", "base")
    ledger = here.path / ".git" / "ampcommit" / "ledger.jsonl"
    ledger.parent.mkdir()
    for lines in POLICIES:
        policy = begun(here, *[line.replace("half", here("rev-parse", "half")) for line in lines])
        ledger.unlink(missing_ok=True)
        fast = over("start..end", policy_from=policy)
        ledger.write_text('{"v":1,"kind":"other"}\n')
        slow = over("start..end", policy_from=policy)

        assert (lines, fast.outcomes) == (lines, slow.outcomes)
        assert (fast.counts, fast.report.coverage) == (slow.counts, slow.report.coverage)
        assert [list(one.threads) for one in fast.verdicts] == [list(one.threads) for one in slow.verdicts]


# Where one stands.


def test_a_folder_inside_and_a_linked_work_tree_are_the_repository(
    here: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V10: where one stands does not matter."""
    begun(here, "minBody = 5")
    add(here, sub_file="1")
    here("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    here("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    expected = outcomes()

    assert expected == ["fail AC202:error"]
    for folder in (here.path / "sub", here.path / ".git", tmp_path / "linked", tmp_path / "bare"):
        assert over(folder=folder).outcomes == expected
        monkeypatch.chdir(folder)
        assert outcomes() == expected


def test_outside_a_repository_is_the_environments_fault(tmp_path: Path) -> None:
    """Where there are no commits, there is no verdict: exit 3."""
    with pytest.raises(SetupError) as caught:
        over(folder=tmp_path)

    assert caught.value.exit_code == 3


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


def test_a_range_inside_the_known_part_has_its_verdict(here: Repo, tmp_path: Path) -> None:
    """V03: a shallow clone that has all that is asked for is as good as any."""
    begun(here, "mode = warn")
    add(here)
    add(here, BARE)
    here("clone", "-q", "--depth", "3", f"file://{here.path}", str(tmp_path / "cut"))

    assert over("HEAD~2..HEAD", tmp_path / "cut").outcomes == ["pass", "pass AC101:warning"]


def test_nothing_is_written(here: Repo) -> None:
    """V05: a verdict leaves the repository, its git dir and the temporary folder as they were."""
    begun(here, "exempt = path:docs/*")
    fork(here)
    add(here, MOVED, docs_a="1")

    def files() -> list[tuple[str, float]]:
        return sorted((str(path), path.stat().st_mtime) for path in here.path.rglob("*"))

    before = files()
    assert len(over().verdicts) == 4
    assert files() == before


# Which policy counts.


def test_the_policy_is_the_one_where_the_range_starts(here: Repo) -> None:
    """S09: a branch cannot weaken the policy that it is judged by; a commit alone is judged by that at HEAD."""
    base = begun(here, "mode = require", "minBody = 5")
    (here.path / POLICY).write_text("[ampcommit]\n\tmode = off\n")
    here("add", POLICY)
    weak = add(here, "Weaken the policy\n")
    add(here, BARE)
    here("branch", "old", "base")

    assert outcomes() == ["fail AC101:error AC202:error"] * 2
    for range_ in ("base..HEAD", "base...HEAD", "old..", "base^{}..HEAD"):
        assert over(range_).report.policy_from == base
    assert over("HEAD^-").report.policy_from == weak
    for range_ in ("HEAD", "HEAD^!", "base"):
        seen = over(range_)
        assert (seen.report.policy_from, seen.report.mode, len(seen.verdicts)) == (here.head(), "off", 1)
        assert seen.notices == ["the policy says mode = off: nothing is judged"]


def another(path: Path) -> None:
    """Weaken the policy."""
    path.write_text("[ampcommit]\n\tmode = off\n")


def linked(path: Path) -> None:
    """Let the policy be a link."""
    path.unlink()
    path.symlink_to("elsewhere")


def opened(path: Path) -> None:
    """Let the policy be a folder."""
    path.unlink()
    path.mkdir()
    another(path / "x")


def broken(path: Path) -> None:
    """Let the policy be no file that git can read."""
    path.write_text("[ampcommit\n")


def nonsense(path: Path) -> None:
    """Let the policy hold a value that is none."""
    path.write_text("[ampcommit]\n\tmode = perhaps\n")


@pytest.mark.parametrize("change", [linked, opened, broken, nonsense])
def test_a_policy_that_cannot_be_used_is_not_let_in(here: Repo, change: Callable[[Path], object]) -> None:
    """Commits that bring a policy nobody could be judged by are exit 2, and the tip is named."""
    begun(here, "mode = require")
    change(here.path / POLICY)
    here("add", "-A")
    tip = add(here)
    with pytest.raises(PolicyError, match=f"^the policy that {tip} brings cannot be used: ") as caught:
        over()

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)


@pytest.mark.parametrize("change", [another, Path.unlink])
def test_who_changes_the_policy_is_named(here: Repo, change: Callable[[Path], object]) -> None:
    """S09: a notice says that the change does not count yet; what it makes of the file does not matter."""
    begun(here, "mode = require")
    change(here.path / POLICY)
    here("add", "-A")
    tip = add(here, BARE)
    seen = over()

    assert seen.outcomes == ["fail AC101:error"]
    assert seen.notices == [f"{tip} changes .ampcommit: that counts for commits after it was merged, not for these"]


def test_the_first_policy_is_a_change(here: Repo) -> None:
    """Adoption: the defaults hold for the branch that brings the file, and the notice says so."""
    base = begun(here)
    add(here, BARE)
    tip = add(here, BARE, **{POLICY: "[ampcommit]\n\tmode = off\n"})
    seen = over()

    assert seen.outcomes == ["fail AC101:error"] * 2
    assert seen.notices == [
        f"no .ampcommit at {base}: the defaults hold",
        f"{tip} changes .ampcommit: that counts for commits after it was merged, not for these",
    ]


def test_a_branch_that_is_behind_changes_no_policy(here: Repo) -> None:
    """Where the receiving branch changed its policy meanwhile, the branch that still has the old one did not."""
    begun(here, "mode = off")
    here("checkout", "-q", "-b", "topic")
    add(here, BARE)
    here("checkout", "-q", "main")
    add(here, LINKED, **{POLICY: "[ampcommit]\n\tmode = require\n"})
    here("checkout", "-q", "topic")

    assert (over("main..topic").outcomes, over("main..topic").notices) == (["fail AC101:error"], [])
    tip = add(here, LINKED, **{POLICY: "[ampcommit]\n\tmode = warn\n"})
    assert [notice.partition(" ")[0] for notice in over("main..topic").notices] == [tip]


def test_a_branch_of_another_root_changes_the_policy(here: Repo) -> None:
    """Without a common past there is no policy that it could have had before."""
    begun(here, "mode = warn")
    here("checkout", "-q", "--orphan", "apart")
    tip = add(here, BARE, **{POLICY: "[ampcommit]\n\tmode = off\n"})

    assert [notice.partition(" ")[0] for notice in over("base..apart").notices] == [tip]


def test_what_lies_in_branches_is_no_change(here: Repo) -> None:
    """Where nothing is about to be merged, other branches may have policies of their own."""
    begun(here, "mode = warn")
    here("checkout", "-q", "-b", "topic")
    add(here, LINKED, **{POLICY: "[ampcommit]\n\tmode = off\n"})
    here("checkout", "-q", "main")

    assert asked(everything).notices == over("topic").notices == []


def test_where_the_common_past_was_not_fetched_the_notice_stands(here: Repo, tmp_path: Path) -> None:
    """In a shallow clone nobody can tell who changed the policy: a notice too many, and the verdicts all the same."""
    begun(here, "mode = off")
    here("checkout", "-q", "-b", "topic")
    tip = [add(here, BARE) for _ in range(3)][-1]
    here("checkout", "-q", "main")
    add(here, LINKED, **{POLICY: "[ampcommit]\n\tmode = warn\n"})
    add(here, LINKED)
    here("clone", "-q", "--depth", "2", "--no-single-branch", f"file://{here.path}", str(tmp_path / "cut"))
    seen = over("origin/topic~1..origin/topic", tmp_path / "cut", policy_from="origin/main")

    assert seen.outcomes == ["pass AC101:warning"]
    assert [notice.partition(" ")[0] for notice in seen.notices] == [tip]
    assert over("main~1..topic", policy_from="main").notices == []


def test_without_a_policy_the_defaults_hold(here: Repo) -> None:
    """A notice says so, because a file that was forgotten looks the same."""
    base = begun(here)
    add(here, BARE)
    seen = over()

    assert (seen.report.mode, seen.report.policy_from, seen.exit_code) == ("require", None, 1)
    assert seen.notices == [f"no .ampcommit at {base}: the defaults hold"]


def test_a_head_that_is_unborn_has_no_policy(here: Repo) -> None:
    """In a bare repository HEAD may name a branch that nobody ever pushed."""
    begun(here, "mode = off")
    here("symbolic-ref", "HEAD", "refs/heads/unborn")

    assert over("base").notices == ["no .ampcommit at the receiving branch: the defaults hold"]


def test_a_person_may_name_the_policy(here: Repo) -> None:
    """Adoption: `--policy-from HEAD` judges by what the branch brings, and says where that stands."""
    begun(here, "mode = require")
    tip = add(here, BARE, **{POLICY: "[ampcommit]\n\tmode = warn\n"})
    here("tag", "-a", "-m", "x", "release")

    for name in ("HEAD", "main", tip, tip[:12], "release"):
        seen = over(policy_from=name)
        assert (seen.outcomes, seen.report.policy_from, seen.notices) == (["pass AC101:warning"], tip, [])
    assert outcomes(policy_from="base") == ["fail AC101:error"]


@pytest.mark.parametrize(
    "name", ["nosuch", "HEAD^{tree}", "HEAD:.ampcommit", "--all", "base..HEAD", "0" * 40, "HEAD^9"]
)
def test_a_policy_from_nowhere_judges_nothing(here: Repo, name: str) -> None:
    """What names no commit is exit 2, and the message repeats the name."""
    begun(here, "mode = off")
    with pytest.raises(MisuseError, match="--policy-from") as caught:
        over(policy_from=name)

    assert (caught.value.exit_code, name in str(caught.value), bool(caught.value.hint)) == (2, True, True)


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ("\tmode = sometimes\n", ":2: mode"),
        ("\n\tminBody = many\n", ":3: minBody"),
        ("\texempt = all\n", ":2: exempt"),
        ("\texempt = before:\n", ":2: exempt"),
        ("\tevidence = 50\n", "evidence is not enforced"),
        ("\trecord = perhaps\n", ":2: record"),
        ("\tmode\n", "mode needs a value"),
        ("[core]\n\tpager = x\n", "core.pager"),
        ("[include]\n\tpath = /etc/passwd\n", "include.path"),
        ('[ampcommit "sub"]\n\tmode = off\n', "ampcommit.sub.mode"),
        ("[broken\n", "broken"),
        ("\tmode = off\n\x00\x01\n", "broken"),
    ],
)
def test_half_a_policy_judges_no_commit(here: Repo, lines: str, word: str) -> None:
    """What this version cannot enforce or read is exit 2, with file and line where there is one; never a pass."""
    (here.path / POLICY).write_text(f"[ampcommit]\n{lines}")
    here("add", POLICY)
    begun(here)
    add(here)
    with pytest.raises(PolicyError) as caught:
        over()

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert word in str(caught.value)
    assert POLICY in str(caught.value)


def test_a_key_that_nobody_knows_is_noted(here: Repo) -> None:
    """A key of a newer version, or one that only a clone may set, does nothing, and a notice says so."""
    begun(here, "nosuch = 1", "resolve = never", "mode = warn", "amp = ./evil")
    add(here, BARE)
    seen = over()

    assert seen.outcomes == ["pass AC101:warning"]
    assert [word in notice for word, notice in zip(("nosuch", "resolve", "amp"), seen.notices, strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("kind", ["link", "folder", "submodule", "large"])
def test_what_is_no_small_file_is_no_policy(here: Repo, kind: str) -> None:
    """A link, a folder, another repository or 10 MB in place of the policy is exit 2, and is not followed or read."""
    path = here.path / POLICY
    if kind == "link":
        (here.path / "weak").write_text("[ampcommit]\n\tmode = off\n")
        path.symlink_to("weak")
    elif kind == "folder":
        path.mkdir()
        (path / POLICY).write_text("[ampcommit]\n\tmode = off\n")
    elif kind == "large":
        path.write_text("[ampcommit]\n\tmode = off\n" + "# x\n" * 2_621_440)
    else:
        here("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{POLICY}")
    if kind != "submodule":
        here("add", "-A")
    begun(here)
    add(here)
    with pytest.raises(PolicyError, match="not a small regular file") as caught:
        over()

    assert caught.value.exit_code == 2


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


@pytest.mark.parametrize(("mode", "expected"), [("warn", "pass AC101:warning AC201:warning"), ("off", "pass")])
def test_a_milder_mode_fails_no_commit(here: Repo, mode: str, expected: str) -> None:
    """What is a warning in the hook is one here; where nothing is validated, nothing is, and nothing is exempt."""
    begun(here, f"mode = {mode}", "minSubject = 20")
    add(here, BARE)
    fork(here)

    assert outcomes("HEAD~2") == [expected]
    assert outcomes("HEAD") == ["pass" if mode == "off" else "exempt merge"]
    assert over().exit_code == 0


# What stands around changes nothing.


def test_nothing_in_the_clone_changes_the_policy(here: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """S10: no configuration, no environment, no file in the work tree or the index."""
    begun(here, "minBody = 5")
    add(here, BARE)
    expected = outcomes()
    here("config", "ampcommit.mode", "off")
    here("config", "--global", "ampcommit.minBody", "0")
    monkeypatch.setenv("AMPCOMMIT_MODE", "off")
    monkeypatch.setenv("AMPCOMMIT_NOSUCH", "1")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'ampcommit.mode=off'")
    (here.path / POLICY).write_text("[ampcommit]\n\tmode = off\n")
    here("add", "-A")
    (here.path / ".git" / POLICY).write_text("[ampcommit]\n\tmode = off\n")

    assert outcomes() == expected == ["fail AC101:error AC202:error"]


@pytest.fixture
def varied(here: Repo) -> tuple[Repo, list[str]]:
    """A history of many kinds, and what is rightly said of it."""
    begun(here, "exempt = merge", "exempt = path:docs/*")
    add(here, f"{SUBJECT}\n\nprose\nprose\nprose\nNote: x\nAmp-Thread-ID: lost\n")
    add(here, f"{SUBJECT}\n\nprose\nSigned-off-by: x\n{LINK}\n")
    add(here, f"{SUBJECT}\n\nAmp-Thread-ID= {url(PARENT)}\n")
    add(here, BARE, docs_a="x" * 99)
    here("mv", "docs/a", "a")
    add(here, BARE)
    fork(here)
    here("checkout", "-q", "-B", "side", "HEAD~1")
    add(here, again="1")
    here("checkout", "-q", "main")
    here("merge", "-q", "--no-ff", "--no-commit", "side")
    add(here, "Merge branch 'side' again\n", evil="1")
    add(here, "Caf\u00e9 parser\n\n".encode("latin-1") + LINK.encode() + b"\n")
    return here, [
        "fail AC102:error",
        "pass",
        "fail AC101:error",
        "exempt path:docs/*",
        "fail AC101:error",
        "pass",
        "pass",
        "pass",
        "exempt merge",
        "fail AC101:error AC108:warning",
        "pass",
    ]


def evil(repo: Repo) -> tuple[str, Path]:
    """Return a program that leaves a file when it runs, and that file."""
    program, ran = repo.path / ".git" / "evil", repo.path / ".git" / "ran"
    program.write_text(f'#!/bin/sh\necho "$*" >>"{ran}"\n')
    program.chmod(0o755)
    return str(program), ran


CONFIG = (
    ("log.showSignature", "true", "gpg.program", "EVIL"),
    ("core.fsmonitor", "EVIL"),
    ("core.pager", "EVIL", "pager.log", "true"),
    ("core.hooksPath", "EVIL"),
    ("core.sshCommand", "EVIL"),
    ("credential.helper", "EVIL"),
    ("core.alternateRefsCommand", "EVIL"),
    ("uploadpack.packObjectsHook", "EVIL"),
    ("diff.external", "EVIL"),
    ("alias.log", "!EVIL", "alias.rev-parse", "!EVIL"),
    ("trailer.note.command", "EVIL", "trailer.note.key", "Note"),
    ("filter.x.process", "EVIL", "filter.x.required", "true", "diff.x.textconv", "EVIL", "diff.x.command", "EVIL"),
    ("extensions.partialClone", "origin", "remote.origin.url", "ext::EVIL", "remote.origin.promisor", "true"),
    ("include.path", "EVIL.config"),
    ("trailer.separators", "="),
    ("trailer.amp.key", "Amp-Thread-ID", "trailer.amp.ifexists", "replace"),
    ("i18n.logOutputEncoding", "UTF-16"),
    ("i18n.commitEncoding", "UTF-7"),
    ("format.pretty", "oneline"),
    ("color.ui", "always", "color.diff", "always"),
    ("log.decorate", "full", "log.date", "relative", "log.follow", "true"),
    ("log.diffMerges", "off", "diff.noprefix", "true"),
    ("log.mailmap", "true", "mailmap.file", "EVIL"),
    ("notes.displayRef", "refs/notes/*", "core.notesRef", "refs/notes/evil"),
    ("core.commentChar", "A"),
    ("core.quotePath", "false", "core.abbrev", "4"),
    ("diff.renames", "copies", "diff.context", "9", "diff.algorithm", "patience"),
    ("diff.orderFile", "EVIL", "diff.ignoreSubmodules", "all"),
    ("core.attributesFile", "EVIL"),
    ("core.bare", "true"),
    ("core.useReplaceRefs", "true"),
    ("submodule.recurse", "true", "feature.experimental", "true"),
)


def test_no_configuration_changes_a_verdict(varied: tuple[Repo, list[str]], sealed: Path) -> None:
    """S11, V12: whatever is configured, of the clone or of the user, the verdicts stay and nothing is run."""
    here, expected = varied
    program, ran = evil(here)
    Path(f"{program}.config").write_text("[trailer]\n\tseparators = =\n[ampcommit]\n\tmode = off\n")
    (here.path / ".git" / "info" / "attributes").write_text("* diff=x filter=x -text\n*.md diff\ndocs/* -diff\n")
    here("notes", "add", "-m", LINK, "base")
    pairs = [list(zip(line[::2], line[1::2], strict=True)) for line in CONFIG]
    config, before = here.path / ".git" / "config", (here.path / ".git" / "config").read_bytes()
    assert sum(map(len, pairs)) >= 24

    for line in pairs:
        for name, value in line:
            here("config", name, value.replace("EVIL", program))
        assert (line, outcomes()) == (line, expected)
        config.write_bytes(before)
    for scope in ("--global", "--local"):
        for name, value in (pair for line in pairs for pair in line):
            if not name.startswith("extensions."):
                here("config", scope, name, value.replace("EVIL", program))
        assert outcomes() == expected
    assert (sealed / ".gitconfig").stat().st_size > 500
    assert not ran.exists()


def poisons(here: Repo, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield environments that somebody may have left, each worse than the one before."""
    program, _ = evil(here)
    grafts, hostile = (
        tmp_path / "grafts",
        {"trailer.separators": "=", "log.showSignature": "true", "gpg.program": program},
    )
    grafts.write_text(f"{here.head()}\n")
    keys = {f"GIT_CONFIG_KEY_{at}": name for at, name in enumerate(hostile)}
    values = {f"GIT_CONFIG_VALUE_{at}": value for at, value in enumerate(hostile.values())}
    yield {"GIT_CONFIG_COUNT": str(len(hostile)), **keys, **values}
    yield {"GIT_CONFIG_PARAMETERS": "'trailer.separators==' 'ampcommit.mode=off' 'format.pretty=oneline'"}
    yield {"GIT_CONFIG_GLOBAL": str(tmp_path / "no"), "GIT_CONFIG_SYSTEM": str(tmp_path / "no"), "GIT_CONFIG": "no"}
    yield {
        "GIT_TRACE": "1",
        "GIT_TRACE2": "2",
        "GIT_TRACE_PACKET": "1",
        "GIT_TRACE_SETUP": "1",
        "GIT_CURL_VERBOSE": "1",
    }
    yield {"GIT_REPLACE_REF_BASE": "refs/evil/"}
    yield {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(tmp_path / "other" / ".git" / "objects")}
    yield {"GIT_NAMESPACE": "evil"}
    yield {"GIT_GRAFT_FILE": str(grafts), "GIT_SHALLOW_FILE": str(grafts)}
    yield {
        "GIT_EXTERNAL_DIFF": program,
        "GIT_PAGER": program,
        "PAGER": program,
        "GIT_SSH": program,
        "GIT_ASKPASS": program,
    }
    yield {"GIT_DIFF_OPTS": "-u9", "GIT_NOTES_DISPLAY_REF": "refs/notes/*", "GIT_NOTES_REF": "refs/notes/evil"}
    yield {
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_INDEX_FILE": "/nowhere",
        "GIT_PREFIX": "docs/",
        "GIT_DEFAULT_HASH": "sha256",
    }
    yield {
        "GIT_ATTR_SOURCE": "base",
        "GIT_FLUSH": "1",
        "GIT_OPTIONAL_LOCKS": "1",
        "GIT_CEILING_DIRECTORIES": "/nowhere",
    }
    yield {"GIT_ICASE_PATHSPECS": "1", "GIT_EXEC_PATH": str(tmp_path), "GIT_TEMPLATE_DIR": str(tmp_path)}
    yield {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "TZ": "Asia/Tokyo", "TERM": "xterm", "COLUMNS": "9", "LESS": "x"}


def test_no_environment_changes_a_verdict(
    varied: tuple[Repo, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """S12: whatever variables of git are set, the verdicts stay, nothing is run and nothing is said."""
    here, expected = varied
    other = Repo(tmp_path / "other")
    here("clone", "-q", ".", str(other.path))
    add(other, BARE)
    here("update-ref", f"refs/evil/{here.head()}", "base")
    every: dict[str, str] = {}
    capfd.readouterr()
    for environ in poisons(here, tmp_path):
        assert (environ, over(environ={**os.environ, **environ}).outcomes) == (environ, expected)
        every |= environ
    assert over(environ={**os.environ, **every}).outcomes == expected
    assert not (here.path / ".git" / "ran").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"])
def test_an_environment_that_leads_away_gives_no_verdict(here: Repo, tmp_path: Path, name: str) -> None:
    """S12: where objects or refs are said to be elsewhere, that is an error, never a pass."""
    begun(here, "mode = require")
    add(here, BARE)
    with pytest.raises(AmpcommitError) as caught:
        over(environ={**os.environ, name: str(tmp_path / "nowhere")})

    assert caught.value.exit_code in (2, 3)


def test_what_stands_in_for_a_commit_is_not_judged(here: Repo) -> None:
    """S13: a replacement, a graft and a cut are one clone's own."""
    begun(here)
    good = add(here)
    bad = add(here, BARE)
    here("replace", bad, good)
    assert outcomes() == ["pass", "fail AC101:error"]
    here("replace", "--delete", bad)
    (here.path / ".git" / "info" / "grafts").write_text(f"{bad} {here('rev-parse', 'base')}\n")
    assert outcomes() == ["pass", "fail AC101:error"]


def test_a_replaced_policy_is_not_asked(here: Repo) -> None:
    """S13: nor does a stand-in for the base, its tree or the file change what is demanded."""
    begun(here, "mode = off")
    weak = [here("rev-parse", f"base{name}") for name in ("^{commit}", "^{tree}", f":{POLICY}")]
    strict = begun(here, "mode = require")
    replaced = [here("rev-parse", f"base{name}") for name in ("^{commit}", "^{tree}", f":{POLICY}")]
    add(here, BARE)
    for real, stand_in in zip(replaced[1:], weak[1:], strict=True):
        here("replace", real, stand_in)

    assert outcomes() == ["fail AC101:error"]
    here("replace", *(replaced[0], weak[0]))
    seen = over()
    assert (seen.outcomes, seen.report.policy_from) == (["fail AC101:error"], strict)


PERSON = b"T <t@example.com> 1500000000 +0000"
TREE = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
HEADER = TREE + b"author %b\ncommitter %b\n" % (PERSON, PERSON)
HIDDEN = f"{SUBJECT}\n \n {LINK}\n".encode()
ODD = {
    "NUL above the link": (HEADER + f"\n{SUBJECT}\n\nmore\0\n\n{LINK}\n".encode(), "fail AC101:error"),
    "NUL behind the link": (HEADER + f"\n{LINKED}\0\n\nmore\n".encode(), "pass"),
    "NUL at once": (HEADER + f"\n\0{LINKED}".encode(), "fail AC101:error AC201:warning"),
    "no message": (HEADER, "fail AC101:error AC201:warning"),
    "nothing in it": (HEADER + b"\n", "fail AC101:error AC201:warning"),
    "blank lines": (HEADER + b"\n\n \t\n\n", "fail AC101:error AC201:warning"),
    "blank lines above": (HEADER + f"\n\n \n{LINKED}".encode(), "pass"),
    "no line feed at the end": (HEADER + f"\n{LINKED}".rstrip().encode(), "pass"),
    "CRLF": (HEADER + b"\n" + LINKED.replace("\n", "\r\n").encode(), "pass"),
    "link in a signature": (HEADER + b"gpgsig " + HIDDEN + b"\n" + BARE.encode(), "fail AC101:error"),
    "link in a merged tag": (HEADER + b"mergetag object x\n " + HIDDEN + b"\n" + BARE.encode(), "fail AC101:error"),
    "link in a header": (HEADER + LINK.encode() + b"\n\n" + BARE.encode(), "fail AC101:error"),
    "huge header": (HEADER + b"x-huge " + b"x" * 3_000_000 + b"\n\n" + LINKED.encode(), "pass"),
    "huge signature": (HEADER + b"gpgsig x\n" + b" x\n" * 300_000 + b"\n" + LINKED.encode(), "pass"),
    "encoding that is none": (HEADER + b"encoding no-such\n\n" + LINKED.encode(), "pass"),
    "encoding that lies": (HEADER + b"encoding UTF-8\n\nCaf\xe9 of the day\n\n" + LINK.encode() + b"\n", "pass"),
    "Latin-1": (
        HEADER + b"encoding ISO-8859-1\n\n" + ("\xe9" * 72).encode("latin-1") + f"\n\n{LINK}\n".encode(),
        "pass",
    ),
    "ten thousand trailers": (
        HEADER + f"\n{SUBJECT}\n\n".encode() + b"A: b\n" * 10_000 + LINK.encode() + b"\n",
        "pass",
    ),
    "ten thousand links": (HEADER + f"\n{SUBJECT}\n\n".encode() + f"{LINK}\n".encode() * 10_000, "pass"),
    "five thousand folds": (
        HEADER + f"\n{SUBJECT}\n\nA: b\n".encode() + b" c\n" * 5_000 + LINK.encode() + b"\n",
        "pass",
    ),
    "ten megabytes": (HEADER + f"\n{SUBJECT}\n\n".encode() + b"x\n\n" * 3_333_333 + LINK.encode() + b"\n", "pass"),
    "no author": (TREE + b"\n" + LINKED.encode(), "pass"),
    "no tree": (TREE.replace(b"4b", b"00") + HEADER.partition(b"\n")[2] + b"\n" + LINKED.encode(), "pass"),
}


@pytest.mark.parametrize(("content", "expected"), ODD.values(), ids=ODD)
def test_an_odd_object_is_judged_by_what_git_shows(here: Repo, content: bytes, expected: str) -> None:
    """S14: whatever the bytes of a commit are, it has a verdict, and a link that git shows nobody is none."""
    begun(here)
    odd = raw(here, content)

    assert outcomes(odd) == [expected]


@pytest.mark.parametrize("content", [b"", b"x", b"tree x\n\nx\n", TREE + b"parent " + b"1" * 40 + b"\n\nx\n"])
def test_what_is_no_commit_is_no_pass(here: Repo, content: bytes) -> None:
    """S14: an object that git cannot read as a commit ends the run with 2 or 3."""
    begun(here)
    odd = raw(here, content)
    with pytest.raises(AmpcommitError) as caught:
        over(f"base..{odd}")

    assert caught.value.exit_code in (2, 3)


def test_git_is_the_judge_whatever_it_is_told_here(here: Repo) -> None:
    """P05: a line that is a trailer to this clone alone is none."""
    begun(here)
    add(here, f"{SUBJECT}\n\nprose\nprose\nprose\nNote: x\n{LINK}\n")
    here("config", "trailer.note.key", "Note")
    assert here.links() == [url(PARENT)]

    assert outcomes() == ["pass AC102:warning"]


def test_a_link_is_a_claim_and_nothing_more_is_said(here: Repo) -> None:
    """S16, L17: an invented link and one from elsewhere pass as well formed; only a record tells more."""
    begun(here, "mode = require")
    forged = "T-deadbeef-dead-beef-dead-beefdeadbeef"
    add(here, LINKED.replace(PARENT, forged))
    add(here, LINKED)
    seen = over()

    assert seen.outcomes == ["pass", "pass"]
    assert [list(verdict.threads) for verdict in seen.verdicts] == [[PARENT], [forged]]
    assert seen.notices == []
    here("tag", "-d", "base")
    begun(here, "record = true")
    add(here, LINKED.replace(PARENT, forged))
    assert outcomes() == ["fail AC301:error"]
    [finding] = over().verdicts[0].findings
    assert "verified" not in finding.message + finding.hint


# What a commit says of its threads.


@pytest.mark.parametrize(
    ("text", "loose", "strict", "anywhere"),
    [
        (MOVED, "pass AC102:warning", "fail AC102:error", "pass AC102:warning"),
        (
            MOVED.replace(LINK, f"> * **Amp-Thread-ID:** {url(PARENT)}"),
            "fail AC102:error",
            "fail AC102:error",
            "pass AC102:warning",
        ),
        (MOVED.replace("\n", "\r\n"), "pass AC102:warning", "fail AC102:error", "pass AC102:warning"),
        (MOVED.replace(url(PARENT), PARENT), "fail AC102:error", "fail AC102:error", "fail AC102:error"),
        (f"{SUBJECT}\n\nAmp-Thread-ID: of no use\n\nThe end\n", *["fail AC102:error"] * 3),
        (f"{SUBJECT}\n\n{LINK}\n\n{LINK}\n", *["pass AC102:warning"] * 3),
        (f"{SUBJECT}\n\n{LINK}\n\nAmp-Thread-ID: x\n", *["fail AC102:warning AC103:error"] * 3),
        (f"{SUBJECT}\n\nsee {url(PARENT)}.\n", "fail AC101:error", "fail AC101:error", "pass"),
        (f"{SUBJECT}\n\nAmp-Thread: {url(PARENT)}\n", "fail AC101:error", "fail AC101:error", "pass"),
        (f"{SUBJECT}\n\nAmp-Thread: {url(PARENT)}\n\nmore\n", "fail AC101:error", "fail AC101:error", "pass"),
        (f"{SUBJECT}\n\nAmp-Thread: {PARENT}\n", "fail AC101:error", "fail AC101:error", "fail AC103:error"),
        (LINKED, "pass", "pass", "pass"),
    ],
    ids=[
        "moved",
        "decorated",
        "CRLF",
        "bare id",
        "prose",
        "beside another",
        "beside a bad one",
        "link in prose",
        "older key",
        "older key, moved",
        "older key, bare id",
        "trailer",
    ],
)
def test_where_a_link_may_stand_is_for_the_file_to_say(
    here: Repo, text: str, loose: str, strict: str, anywhere: str
) -> None:
    """V09, P06, P07: a forge that squashes moves links; a line with our key and no link is no excuse."""
    for lines, expected in (([], loose), (["linkIn = trailer"], strict), (["linkIn = message"], anywhere)):
        begun(here, *lines)
        add(here, text)
        assert (lines, outcomes()) == (lines, [expected])


@pytest.mark.parametrize("sign", ["> {}", "* {}", "- {}", "**{}**"])
def test_a_line_that_is_decorated_is_not_forgiven(here: Repo, sign: str) -> None:
    """Whoever quotes a line says that it is somebody else's; blanks before it say nothing."""
    begun(here)
    add(here, MOVED.replace(LINK, f" \t{LINK}"))
    add(here, MOVED.replace(LINK, sign.format(LINK)))

    assert outcomes() == ["pass AC102:warning", "fail AC102:error"]


def test_a_host_of_the_policy_is_forgiven_like_amps_own(here: Repo) -> None:
    """V09: a displaced link to the team's own server is as good a link as any."""
    text = MOVED.replace("ampcode.com", "amp.example.com")
    begun(here, "host = amp.example.com")
    add(here, text)
    assert outcomes() == ["pass AC102:warning"]
    begun(here, "host = other.example.com")
    add(here, text)
    assert outcomes() == ["fail AC102:error"]


SQUASHED = f"""Add the parser (#7)

* Add the lexer

{LINK}
Co-authored-by: Amp <amp@ampcode.com>

* Add the tests

    Amp-Thread-ID: {url(CHILD)}

* Say why Amp-Thread: {url(OTHER)}

---------

Co-authored-by: Amp <amp@ampcode.com>
"""


def test_a_squashed_branch_carries_the_links_of_its_commits(here: Repo) -> None:
    """P07, P50: several of our lines above the last block, indented, behind a subject, in both spellings."""
    for lines, expected, threads in (
        ([], "pass AC102:warning", []),
        (["linkIn = trailer"], "fail AC102:error", []),
        (["linkIn = message"], "pass AC102:warning", [PARENT, CHILD, OTHER]),
        (["linkIn = message", "authors = agent"], "pass AC102:warning", [PARENT, CHILD, OTHER]),
        (["authors = agent"], "pass AC102:warning", []),
    ):
        begun(here, *lines)
        add(here, SQUASHED)
        seen = over()
        assert (lines, seen.outcomes, list(seen.verdicts[0].threads)) == (lines, [expected], threads)
        assert "last paragraph" in seen.verdicts[0].findings[0].hint


@pytest.mark.parametrize(
    ("text", "demanded"),
    [
        ("A person's work\n", False),
        (f"{SUBJECT}\n\n{COAUTHOR}\n", True),
        (f"{SUBJECT}\n\n{COAUTHOR.lower()}\n", True),
        (f"{SUBJECT}\n\n{COAUTHOR}\n\nMore\n", False),
        (f"{SUBJECT}\n\nCo-authored-by: Somebody <s@example.com>\n", False),
        (f"{SUBJECT}\n\nCo-authored-by: Amp <amp@ampcode.com.example.com>\n", False),
        (f"{SUBJECT}\n\n> Amp-Thread-ID: lost\n\nMore\n", True),
        (f"{SUBJECT}\n\nAMP-THREAD-ID:\n", True),
        ("x\n", False),
        (f"{'x' * 99}\n\nAmp-Thread: lost\n", False),
        ("Merge branch 'side'\n", False),
        ("Explain what Amp-Thread-ID means\n", False),
    ],
)
def test_with_authors_agent_the_agents_commits_are_known(here: Repo, text: str, demanded: bool) -> None:
    """A commit is the agent's if it says so; every other one passes whatever its length, and is counted apart."""
    begun(here, "authors = agent", "minSubject = 10", "maxSubject = 30")
    add(here, text)
    seen = over()

    assert (seen.exit_code, seen.report.summary()["not_agent"]) == (int(demanded), int(not demanded))
    assert demanded or seen.outcomes == ["pass"]


def test_with_authors_agent_a_bad_link_of_a_person_still_fails(here: Repo) -> None:
    """A link that is there is checked whoever wrote it, and a good one counts as linked."""
    begun(here, "authors = agent")
    add(here, f"{SUBJECT}\n\nAmp-Thread-ID: x\n")
    add(here, LINKED)
    seen = over()

    assert seen.outcomes == ["fail AC103:error", "pass"]
    assert seen.counts == {"checked": 2, "passed": 1, "failed": 1, "linked": 1}


def test_with_link_in_message_the_key_of_older_clients_is_the_agents(here: Repo) -> None:
    """Where `Amp-Thread` counts as our key, text with it is the agent's; a link in a person's prose is not."""
    begun(here, "authors = agent", "linkIn = message")
    add(here, f"{SUBJECT}\n\nAmp-Thread: lost\n\nmore\n")
    add(here, f"{SUBJECT}\n\n* amp-thread: {url(PARENT)}\n")
    add(here, f"{SUBJECT}\n\nsee {url(PARENT)}\n")
    seen = over()

    assert seen.outcomes == ["fail AC101:error", "pass", "pass"]
    assert seen.counts == {"checked": 3, "passed": 2, "failed": 1, "linked": 2, "not_agent": 1}


# Exemptions.


def test_a_fixup_is_exempt_only_where_it_is_allowed(here: Repo) -> None:
    """A branch that others build on should hold none; who verifies a branch in the making says so."""
    begun(here)
    for word in ("fixup", "squash", "amend"):
        add(here, f"{word}! Add the parser\n")
    add(here, f"fixup! {'x' * 99}\n\n{LINK}\n")

    assert outcomes() == ["fail AC101:error"] * 3 + ["pass"]
    assert outcomes(allow_fixup=True) == ["exempt fixup"] * 3 + ["pass"]


def test_a_fixup_is_not_exempt_where_the_policy_names_none(here: Repo) -> None:
    """`--allow-fixup` lets the policy speak; it adds nothing to it."""
    begun(here, "exempt = merge")
    add(here, "fixup! Add the parser\n")

    assert outcomes(allow_fixup=True) == ["fail AC101:error"]


def test_a_merge_is_exempt_if_it_adds_nothing(here: Repo) -> None:
    """V07: both sides are judged, each commit once, and the merge itself carries no link."""
    begun(here)
    merge = fork(here)

    assert sorted(outcomes()) == ["exempt merge", "pass", "pass"]
    assert sorted(outcomes("base...HEAD")) == ["exempt merge", "pass", "pass"]
    assert sorted(over().ids) == sorted(here("rev-list", "base..HEAD").split())
    assert outcomes(merge) == ["exempt merge"]


def test_a_merge_with_changes_of_its_own_is_judged(here: Repo) -> None:
    """V07: what a merge adds was written by somebody (AC108); only the form of its subject is still git's."""
    begun(here, "minSubject = 60")
    fork(here, evil=True)

    assert outcomes("HEAD") == ["fail AC101:error AC108:warning"]


def test_a_conflict_that_was_resolved_by_hand_is_judged(here: Repo) -> None:
    """V07: a line that no parent has is the merge's own; what is taken from one parent or the other is not."""
    begun(here)
    add(here, file="1\n2\n3\n")
    here("checkout", "-q", "-b", "side")
    add(here, file="one\n2\n3\n")
    here("checkout", "-q", "main")
    add(here, file="uno\n2\n3\n")
    for line, expected in (("ein", "fail AC101:error AC108:warning"), ("one", "exempt merge"), ("uno", "exempt merge")):
        here.run("merge", "-q", "--no-ff", "--no-commit", "side", ok=False)
        add(here, "Merge branch 'side'\n", file=f"{line}\n2\n3\n")
        assert (line, outcomes("HEAD")) == (line, [expected])
        here("reset", "-q", "--hard", "HEAD~1")


def test_a_linked_merge_is_like_any_linked_commit(here: Repo) -> None:
    """A merge that carries its link passes, with changes of its own and without, and needs no exemption."""
    begun(here)
    fork(here, f"Merge branch 'side'\n\n{LINK}\n", evil=True)
    assert outcomes("HEAD") == ["pass"]
    here("commit", "-q", "--amend", "-m", "Merge", "-m", "Amp-Thread-ID: x")
    assert outcomes("HEAD") == ["fail AC103:error"]


def test_an_octopus_is_a_merge(here: Repo) -> None:
    """V07: three parents and more, with changes of its own and without."""
    begun(here, "mode = require")
    names = ["a", "b", "c"]
    for name in names:
        here("checkout", "-q", "-b", name, "base")
        add(here, **{name: "1"})
    here("checkout", "-q", "main")
    here("merge", "-q", "--no-ff", "-m", "Merge three", *names)
    assert len(here("log", "-1", "--format=%P").split()) == 4

    assert sorted(outcomes()) == ["exempt merge", "pass", "pass", "pass"]
    (here.path / "a").write_text("own")
    here("commit", "-q", "-a", "--amend", "--no-edit")
    assert outcomes("HEAD") == ["fail AC101:error AC108:warning"]


def test_a_merge_is_judged_where_the_policy_says_so(here: Repo) -> None:
    """An exemption that the policy does not name does not hold, and what a merge adds is then no matter."""
    begun(here, "exempt =")
    fork(here, evil=True)

    assert sorted(outcomes()) == ["fail AC101:error", "pass", "pass"]


def test_an_agents_merge_is_exempt_like_anybodys(here: Repo) -> None:
    """With `authors = agent` a merge by a person is not looked at; one by the agent needs a link only if it adds."""
    begun(here, "authors = agent")
    fork(here)
    assert outcomes("HEAD") == ["pass"]
    here("commit", "-q", "--amend", "-m", "Merge", "-m", COAUTHOR)
    assert outcomes("HEAD") == ["exempt merge"]
    (here.path / "evil").write_text("1")
    here("add", "-A")
    here("commit", "-q", "--amend", "--no-edit")
    assert outcomes("HEAD") == ["fail AC101:error AC108:warning"]


def test_a_revert_is_exempt_if_the_commit_exists(here: Repo) -> None:
    """The sentence that git writes is checked against the repository, whatever refs are called."""
    begun(here, "exempt = revert")
    first = add(here, file="1")
    here("revert", "--no-edit", "HEAD")
    here("branch", "{commit}")
    here("branch", "a" * 40)
    add(here, f"{REVERT.format(first).replace('Revert', 'Reapply')}")
    add(here, REVERT.format("0" * 40))
    add(here, 'Revert "Add the parser"\n')
    add(here, f"Undo the parser\n\nThis reverts commit {first}.\n")
    add(here, REVERT.format("a" * 40))
    add(here, REVERT.format(here("rev-parse", "HEAD^{tree}")))

    assert outcomes() == ["pass", "exempt revert", "exempt revert"] + ["fail AC101:error"] * 5


def test_a_revert_is_judged_where_the_policy_says_so(here: Repo) -> None:
    """By default a revert needs its link; its subject is git's all the same."""
    begun(here, "maxSubject = 20")
    first = add(here)
    add(here, REVERT.format(first))
    add(here, f"{REVERT.format(first)}\n{LINK}\n")

    assert outcomes() == ["pass", "fail AC101:error", "pass"]


def test_paths_exempt_a_commit_if_all_of_them_match(here: Repo) -> None:
    """Every changed path counts, and both names of a rename."""
    begun(here, "exempt = path:docs/*")
    add(here, "Write the docs\n", docs_a="x" * 99)
    add(here, "Write both\n", docs_b="1", code="1")
    here("mv", "docs/a", "a")
    add(here, "Move a page out\n")
    here("mv", "a", "docs/c")
    add(here, "Move a page in\n")
    here("mv", "docs/c", "docs/d")
    add(here, "Move a page within\n")
    add(here, "Change nothing\n")
    add(here, f"{SUBJECT}\n\nAmp-Thread-ID: x\n", docs_e="1")

    assert outcomes() == [
        "exempt path:docs/*",
        *["fail AC101:error"] * 3,
        "exempt path:docs/*",
        "fail AC101:error",
        "fail AC103:error",
    ]


def test_paths_of_any_name_are_read(here: Repo) -> None:
    """Names that look like something else, are no text, or are those of a first commit are names."""
    begun(here, "exempt = path:docs/*")
    names = [b"docs/\xff\xfe", b"docs/a\nb", b"docs/:100644", b"docs/" + here.head().encode(), b"docs/ x\t"]
    (here.path / "docs").mkdir()
    for name in names:
        Path(os.fsdecode(name)).write_text("1")
    here("add", "-A")
    add(here, "Write the docs\n")
    here("checkout", "-q", "--orphan", "apart")
    here("rm", "-rqf", "--cached", ".")
    here("add", "docs")
    root = add(here, "Begin with the docs\n")

    assert outcomes("main", policy_from="base") == ["exempt path:docs/*"]
    assert outcomes(root, policy_from="base") == ["exempt path:docs/*"]


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
    begun(here, f"exempt = before:{last}", f"exempt = before:{apart}")
    new = add(here, BARE)
    here("merge", "-q", "--allow-unrelated-histories", "-m", "Merge what is apart", "apart")
    found = {verdict.commit: (verdict.status, verdict.exempt_by) for verdict in over().verdicts}

    assert found == {apart: ("exempt", f"before:{apart}"), new: ("fail", None), here.head(): ("fail", None)}
    assert outcomes(first) == outcomes(last) == [f"exempt before:{last}"]
    everything_said = asked(everything)
    assert everything_said.counts["exempt"] == 3
    assert len(everything_said.ids) == len(set(everything_said.ids)) == len(here("rev-list", "--all").split())


def test_a_date_makes_no_commit_older(here: Repo) -> None:
    """A commit that is dated back stands behind the adoption all the same, and so does one before its parent."""
    old = add(here, BARE)
    begun(here, f"exempt = before:{old}")
    for moment in ("@1000000000 +0000", "@1 +0000", "@1499999999 +0000"):
        add(here, BARE, {"GIT_COMMITTER_DATE": moment, "GIT_AUTHOR_DATE": moment})

    assert outcomes() == ["fail AC101:error"] * 3
    assert asked(everything).counts == {"checked": 5, "failed": 4, "exempt": 1}


def test_a_side_branch_is_exempt_as_far_as_it_is_in_the_past(here: Repo) -> None:
    """What was merged before the adoption is free; a branch that began before it and was merged later is not."""
    root = begun(here)
    fork(here)
    here("tag", "adoption")
    here("checkout", "-q", "-b", "late", root)
    late = add(here, BARE, late="1")
    here("checkout", "-q", "-b", "other", "side")
    other = add(here, BARE, other="1")
    here("checkout", "-q", "main")
    for name in ("late", "other"):
        here("merge", "-q", "--no-ff", "-m", f"Merge {name}", name)
    before = f"before:{here('rev-parse', 'adoption')}"
    policy = begun(here, f"exempt = {before}", "exempt = merge")
    verdicts = asked(everything).verdicts
    newer = over("adoption..HEAD", policy_from=policy).verdicts

    assert {verdict.commit for verdict in verdicts if verdict.status == "fail"} == {late, other, policy}
    assert {verdict.commit for verdict in verdicts if verdict.exempt_by == before} == {root, before[7:]}
    assert {told(verdict) for verdict in newer} == {"fail AC101:error", "exempt merge"}


def test_commits_that_are_listed_are_parted_too(here: Repo) -> None:
    """Ids on standard input, older and newer than the adoption, each have their own verdict."""
    ids = [add(here, BARE) for _ in range(3)]
    policy = begun(here, f"exempt = before:{ids[1]}")
    ids.append(add(here, BARE))
    seen = asked(lambda history: listed(history, [one.encode() for one in ids]), policy_from=policy)

    assert {str(verdict.commit): told(verdict) for verdict in seen.verdicts} == dict(
        zip(ids, [f"exempt before:{ids[1]}"] * 2 + ["fail AC101:error"] * 2, strict=True)
    )


def test_a_commit_before_which_all_is_free_must_be_there(here: Repo, tmp_path: Path) -> None:
    """An exemption that nobody can apply is exit 2; in a shallow clone the history may be what is missing."""
    begun(here, f"exempt = before:{'dead' * 10}")
    add(here)
    with pytest.raises(PolicyError, match=r"before:dead.* names no commit here"):
        over()
    add(here)
    here("clone", "-q", "--depth", "2", f"file://{here.path}", str(tmp_path / "cut"))
    with pytest.raises(SetupError, match="shallow") as caught:
        over("HEAD~1..HEAD", tmp_path / "cut")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["HEAD^{tree}", "HEAD^{blob}"])
def test_a_commit_before_which_all_is_free_is_a_commit(here: Repo, name: str) -> None:
    """An id of something else is exit 2."""
    begun(here, "mode = require")
    found = here("rev-parse", "HEAD:.ampcommit" if "blob" in name else name)
    begun(here, f"exempt = before:{found}")
    add(here)
    with pytest.raises(PolicyError, match="names no commit"):
        over()


@pytest.mark.parametrize("name", ["HEAD", "main", "base", "HEAD^{tree}", "--all", "HEAD:.ampcommit", "^HEAD", "dead"])
def test_a_commit_before_which_all_is_free_has_its_full_id(here: Repo, name: str) -> None:
    """A branch or a tag would be somebody's to move: exit 2."""
    begun(here, f"exempt = before:{name}")
    add(here)
    with pytest.raises(PolicyError, match="must name its commit by the full id") as caught:
        over()
    assert caught.value.exit_code == 2


def test_whose_policy_counts_is_not_left_to_two_refs(here: Repo) -> None:
    """A tag that somebody pushed is not taken for the branch that `--policy-from` means."""
    begun(here, "mode = require")
    add(here)
    here("branch", "both", "base")
    here("tag", "both", "HEAD")
    with pytest.raises(MisuseError, match="'both' is the name of 2 refs here"):
        over(policy_from="both")
    assert over(policy_from="refs/heads/both").report.policy_from == here("rev-parse", "base")


def pull_request(repo: Repo, login: str | None, kind: str = "User") -> Seen:
    """Judge what the branch `topic` brings to `main`, in a pull request by *login*."""
    ends = {"head": {"sha": repo("rev-parse", "topic")}, "base": {"sha": repo("rev-parse", "main"), "ref": "main"}}
    event = repo.path / ".git" / "event.json"
    event.write_text(json.dumps({"pull_request": {**ends, "user": login and {"login": login, "type": kind}}}))
    names = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}
    environ = {**os.environ, **names, "GITHUB_ACTOR": "dependabot[bot]", "GITHUB_TRIGGERING_ACTOR": "dependabot[bot]"}
    return asked(lambda history: surrounding(history, environ), environ=environ)


@pytest.mark.parametrize(
    ("pattern", "login", "kind", "exempt"),
    [
        ("dependabot[bot]", "dependabot[bot]", "Bot", True),
        ("dependabot*", "dependabot[bot]", "Bot", True),
        ("*[bot]", "dependabot[bot]", "Bot", True),
        ("dependabot*", "renovate[bot]", "Bot", False),
        ("dependabot[bot]", "dependabotb", "Bot", False),
        ("dependabot*", "dependabot-fan", "User", False),
        ("*", "octocat", "User", False),
        ("*", None, "User", False),
    ],
)
def test_a_bot_is_exempt_if_the_forge_says_so(
    here: Repo, pattern: str, login: str | None, kind: str, exempt: bool
) -> None:
    """The author of the pull request counts, as the event names him; who started the run does not."""
    begun(here, f"exempt = bot:{pattern}")
    here("checkout", "-q", "-b", "topic")
    add(here, "Bump a dependency\n")
    add(here, f"Bump a dependency\n\nAmp-Thread-ID: https://evil.example/threads/{PARENT}\n")
    add(here, LINKED)

    assert pull_request(here, login, kind).outcomes == (
        [f"exempt bot:{pattern}", "fail AC104:error", "pass"]
        if exempt
        else ["fail AC101:error", "fail AC104:error", "pass"]
    )


def test_no_name_in_a_commit_makes_a_bot(here: Repo) -> None:
    """Anybody can write a name; without the forge's word it frees nothing."""
    begun(here, "exempt = bot:*", "exempt = bot:dependabot[bot]")
    name = "dependabot[bot]"
    names = {f"GIT_{who}_{what}": name for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    here("checkout", "-q", "-b", "topic")
    add(here, "Bump a dependency\n", names)
    add(
        here,
        f"Bump a dependency\n\nSigned-off-by: {name} <support@github.com>\nCo-authored-by: {name} <x>\n",
        names,
    )

    assert outcomes() == ["fail AC101:error"] * 2
    assert pull_request(here, "octocat").outcomes == ["fail AC101:error"] * 2


def test_an_exempt_commit_with_a_bad_link_fails(here: Repo) -> None:
    """No exemption covers AC103 and AC104."""
    end = begun(here)
    bad = add(here, f"{SUBJECT}\n\nAmp-Thread-ID: x\n")
    begun_again = add(here, LINKED, **{POLICY: f"[ampcommit]\n\texempt = before:{bad}\n"})

    assert outcomes(bad) == ["fail AC103:error"]
    assert outcomes(end) == [f"exempt before:{bad}"]
    assert outcomes(begun_again) == ["pass"]


@pytest.mark.parametrize("kind", ["merge", "revert", "fixup", "path:*", "before:end", "bot:*"])
@pytest.mark.parametrize(("value", "code"), [("x", "AC103"), (f"https://evil.example/threads/{PARENT}", "AC104")])
def test_no_exemption_covers_a_bad_link(here: Repo, kind: str, value: str, code: str) -> None:
    """A link that leads elsewhere is worse than none, whoever made the commit and however."""
    first = begun(here, f"exempt = {kind}")
    here("checkout", "-q", "-b", "topic")
    add(here, side="1")
    tree, parents = here("rev-parse", "HEAD^{tree}"), ("-p", "HEAD", "-p", "base")
    for begin in ("fixup! Add it", REVERT.format(here.head()).rstrip()):
        for both in (parents, parents[:2]):
            text = f"{begin}\n\nAmp-Thread-ID: {value}\n".encode()
            here("reset", "-q", "--hard", here("commit-tree", tree, *both, stdin=text))
    here("checkout", "-q", "--detach")
    policy = begun(here, f"exempt = {kind.replace('end', here('rev-parse', 'topic'))}")
    branch = f"{first}..topic"
    seen = (
        pull_request(here, "x[bot]", "Bot") if kind == "bot:*" else over(branch, allow_fixup=True, policy_from=policy)
    )

    assert [verdict.status for verdict in seen.verdicts] == ["fail"] * 4 + ["pass"]
    assert {finding.code for verdict in seen.verdicts for finding in verdict.findings} == {code}


# The share of linked commits.


def test_with_a_share_demanded_only_the_share_counts(here: Repo) -> None:
    """AC101 and AC102 are warnings, and the run fails only below N percent."""
    begun(here, "linkIn = trailer")
    for text in (LINKED, LINKED, BARE, MOVED):
        add(here, text)
    seen = over(min_coverage=50)

    assert seen.outcomes == ["pass", "pass", "pass AC101:warning", "pass AC102:warning"]
    assert (seen.report.coverage, seen.report.short) == (50.0, False)
    assert [over(min_coverage=least).exit_code for least in (0, 49, 50, 51, 100)] == [0, 0, 0, 1, 1]
    assert over().exit_code == 1


def test_a_share_forgives_nothing_else(here: Repo) -> None:
    """A bad link, or a limit that the policy sets, fails as ever."""
    begun(here, "minSubject = 10")
    add(here, f"{SUBJECT}\n\nAmp-Thread-ID: x\n")
    add(here, f"x\n\n{LINK}\n")

    assert over(min_coverage=0).outcomes == ["fail AC103:error", "fail AC201:error"]
    assert over(min_coverage=0).exit_code == 1


def test_exempt_commits_are_not_counted(here: Repo) -> None:
    """The share is of those from which a link is demanded: no merges, no fixups, nothing of old."""
    add(here, BARE)
    old = add(here, LINKED)
    begun(here, "exempt = merge", "exempt = fixup", f"exempt = before:{old}")
    fork(here)
    add(here, "fixup! x\n")
    seen = asked(everything, allow_fixup=True, min_coverage=100)

    assert seen.report.coverage == 75.0  # the one that brings the policy lacks its link
    assert over(allow_fixup=True, min_coverage=100).exit_code == 0


def test_commits_that_are_not_the_agents_are_not_counted(here: Repo) -> None:
    """With `authors = agent` the share is of the agent's commits."""
    begun(here, "authors = agent")
    for text in (BARE, BARE, LINKED, f"{SUBJECT}\n\n{COAUTHOR}\n"):
        add(here, text)
    seen = over(min_coverage=50)

    assert (seen.report.coverage, seen.exit_code) == (50.0, 0)
    assert seen.counts == {"checked": 4, "passed": 4, "linked": 1, "not_agent": 2, "warnings": 1}


def test_where_nothing_counts_there_is_no_share(here: Repo) -> None:
    """Unknown is neither 0 nor 100 percent, and no reason to fail."""
    begun(here, "authors = agent")
    add(here, BARE)
    for range_ in ("base..HEAD", "HEAD..HEAD"):
        seen = over(range_, min_coverage=100)
        assert (seen.report.coverage, seen.report.short, seen.exit_code) == (None, False, 0)


# The ledger of the clone.


def test_what_is_no_ledger_ends_the_run(here: Repo) -> None:
    """A link in place of the ledger is exit 4: nobody else's file is read as evidence."""
    begun(here, "mode = require")
    add(here)
    (here.path / ".git" / "ampcommit").mkdir()
    (here.path / ".git" / "ampcommit" / "ledger.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(LedgerError) as caught:
        over()

    assert caught.value.exit_code == 4
