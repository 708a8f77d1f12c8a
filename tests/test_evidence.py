"""What `verify` judges by beside commits: shared records, claims and signatures, in a clone as CI has it."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from ampcommit.errors import MisuseError
from ampcommit.gate.ranges import surrounding
from ampcommit.gitcmd import Git
from ampcommit.notes.shared import OVERSIZE, REF, REMOTES, publishable
from ampcommit.notes.signing import sign
from ampcommit.notes.told import LEVELS
from ampcommit.record import Record, Sha, ThreadId
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_handoffs import FIRST, SECOND, chain, later
from tests.test_noted import Entry, noted, record_in, share
from tests.test_record import SHA1, record_of
from tests.test_rewritten import became
from tests.test_traced import carry
from tests.test_verify import add, asked, begun, outcomes, over
from tests.test_verify_message import LINKED

KEYGEN = shutil.which("ssh-keygen") or ""
needs_keygen = pytest.mark.skipif(not KEYGEN, reason="there is no ssh-keygen here")
FORK, ORIGIN = f"{REMOTES}fork", f"{REMOTES}origin"
GONE = Sha("9" * 40)


@pytest.fixture
def clone(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A clone without a ledger, as CI has it, under a policy that demands records."""
    monkeypatch.chdir(repo.path)
    begun(repo, "record = true")
    return repo


def made(repo: Repo, thread: str = PARENT) -> Sha:
    """Make a commit that links *thread*."""
    return Sha(add(repo, LINKED.replace(PARENT, thread)))


# Shared records and claims.


def test_a_shared_record_is_a_record(clone: Repo) -> None:
    """AC301 works from notes where there is no ledger; without them it says what to do."""
    commit = made(clone)
    assert outcomes() == ["fail AC301:error"]
    assert "`ampcommit share`" in over().verdicts[0].findings[0].hint
    share(clone, {commit: noted(record_in(clone, commit, PARENT))})

    assert outcomes() == ["pass"]


def test_a_record_of_another_thread_is_found_in_notes(clone: Repo) -> None:
    """AC106 works from shared records: an error, as from the ledger."""
    commit = made(clone)
    share(clone, {commit: noted(record_in(clone, commit, OTHER))})

    assert outcomes() == ["fail AC106:error"]


def test_a_squashed_commit_has_the_records_of_its_branch(clone: Repo) -> None:
    """What `carry` shared speaks for the commit that a forge made, though the branch is gone."""
    commit = made(clone)
    share(clone, {commit: noted(carry(commit, GONE), record_of(GONE, PARENT))})
    assert outcomes() == ["pass"]
    other = made(clone, CHILD)
    share(clone, {other: noted(record_of(GONE, CHILD))})

    assert outcomes() == ["pass", "fail AC301:error"]


@pytest.mark.parametrize("ref", [FORK, ORIGIN])
def test_a_claim_is_no_record(clone: Repo, ref: str) -> None:
    """AC301: what was only fetched is somebody's word, and the hint takes it in; a shared record beside it counts."""
    clone("checkout", "-q", "-b", "topic")
    commit = made(clone)
    share(clone, {commit: noted(record_in(clone, commit, PARENT))}, ref)
    assert outcomes("main..topic") == ["fail AC301:error"]
    [finding] = over("main..topic").verdicts[0].findings
    assert f"fetched from {ref.rpartition('/')[2]}" in finding.message
    assert "`ampcommit share`" in finding.hint
    assert request(clone, {"id": 2}) == ["pass AC301:warning"]
    share(clone, {commit: noted(record_in(clone, commit, PARENT))})

    assert outcomes("main..topic") == ["pass"]


def request(repo: Repo, head: object, **options: str) -> list[str]:
    """Judge what `topic` brings to `main` in a pull request of GitHub's, from the repository *head* to number 1."""
    ends = {"head": {"sha": repo("rev-parse", "topic"), "repo": head}}
    ends["base"] = {"sha": repo("rev-parse", "main"), "ref": "main", "repo": {"id": 1}}
    event = repo.path / ".git" / "event.json"
    event.write_text(json.dumps({"pull_request": ends}))
    environ = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request"}
    environ["GITHUB_EVENT_PATH"] = str(event)
    return asked(lambda history: surrounding(history, environ), environ=environ, **options).outcomes  # type: ignore[arg-type]


def merge_request(repo: Repo, source: str) -> list[str]:
    """The same in a merge request of GitLab's, from the project *source* to number 1."""
    environ = {**os.environ, "GITLAB_CI": "true", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    environ |= {
        "CI_COMMIT_SHA": repo("rev-parse", "topic"),
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": repo("rev-parse", "main"),
    }
    environ |= {"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": source}
    return asked(lambda history: surrounding(history, environ), environ=environ).outcomes


@pytest.mark.parametrize(
    "judge", [lambda repo, one: request(repo, {"id": one}), lambda repo, one: merge_request(repo, f"{one}")]
)
def test_without_any_record_a_forks_commit_is_warned_of(clone: Repo, judge: Callable[[Repo, int], list[str]]) -> None:
    """AC301: a warning where the forge says that the request is of a fork, whose author can share nothing here."""
    clone("checkout", "-q", "-b", "topic")
    made(clone)

    assert judge(clone, 1) == ["fail AC301:error"]
    assert judge(clone, 2) == ["pass AC301:warning"]


def test_a_fork_that_is_gone_is_one(clone: Repo) -> None:
    """AC301: a repository that was removed is named by no event, and cannot be the one that receives."""
    clone("checkout", "-q", "-b", "topic")
    made(clone)

    assert request(clone, None) == ["pass AC301:warning"]


@pytest.mark.parametrize("ref", [FORK, ORIGIN, REF])
def test_no_ref_makes_a_fork(clone: Repo, ref: str) -> None:
    """AC301 stays an error whatever refs came with the commits: who may push them may not loosen the policy."""
    clone("checkout", "-q", "-b", "topic")
    made(clone)
    share(clone, {GONE: [b"x"]}, ref)

    assert request(clone, {"id": 1}) == ["fail AC301:error"]
    assert outcomes("main..topic") == ["fail AC301:error"]


def test_a_shared_record_of_a_forks_commit_counts(clone: Repo) -> None:
    """AC106 stays an error in a fork's request, where the team shared who made the commit."""
    clone("checkout", "-q", "-b", "topic")
    commit = made(clone)
    share(clone, {commit: noted(record_in(clone, commit, OTHER))})

    assert request(clone, {"id": 2}) == ["fail AC106:error"]


def test_a_forks_claim_cannot_hide_what_is_shared(clone: Repo) -> None:
    """AC106 is judged by what the team shared, whatever a fork says of the same commit."""
    commit = made(clone)
    share(clone, {commit: noted(record_in(clone, commit, OTHER))})
    share(clone, {commit: noted(record_in(clone, commit, PARENT))}, FORK)

    assert outcomes() == ["fail AC106:error"]


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b'{"v":1,"kind":"commit"}\n'])
def test_foreign_notes_are_no_records(clone: Repo, content: bytes) -> None:
    """Notes of other people, empty ones and half ones prove nothing and break nothing."""
    commit = made(clone)
    clone("notes", f"--ref={REF}", "add", "--allow-empty", "-F", "-", commit, stdin=content)

    assert outcomes() == ["fail AC301:error"]


def test_a_shared_record_of_another_tree_is_of_another_commit(clone: Repo) -> None:
    """AC106: a copy of a record with another thread and a made-up tree, beside the real one, changes nothing."""
    commit = made(clone, PARENT)
    share(clone, {commit: noted(record_in(clone, commit, CHILD), record_of(commit, PARENT))})
    assert outcomes() == ["fail AC106:error"]
    other = made(clone, PARENT)
    share(clone, {other: noted(record_of(other, PARENT))})

    assert outcomes("HEAD~1..HEAD", policy_from="base") == ["fail AC301:error"]


@pytest.mark.parametrize(("ref", "whose"), [(REF, ""), (ORIGIN, ", as fetched from origin")])
def test_a_note_that_is_too_long_is_named(clone: Repo, ref: str, whose: str) -> None:
    """What is not read is not silently passed over: a notice names the commit."""
    commit = made(clone)
    clone("notes", f"--ref={ref}", "add", "-F", "-", commit, stdin=b"x" * (OVERSIZE + 1))
    found = over()

    assert found.outcomes == ["fail AC301:error"]
    assert f"a note of more than 1 MiB was not read, of: {commit[:12]}{whose}" in found.notices


@pytest.mark.parametrize("depth", [LEVELS - 1, 200])
def test_a_chain_of_rewritten_commits_in_notes_is_followed_so_far(
    clone: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    """Whoever can push notes, a fork too, cannot make us ask git for ever: what lies farther back is not known."""
    ids = [made(clone), *(Sha(f"{number:040x}") for number in range(depth))]
    told = {new: noted(became(old, new)) for new, old in pairwise(ids)}
    share(clone, told | {ids[-1]: noted(record_of(ids[-1], PARENT))})
    real, git = shutil.which("git"), tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f'#!/bin/sh\necho >>"{tmp_path}/count"\nexec "{real}" "$@"\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")

    assert outcomes() == (["pass"] if depth < LEVELS else ["fail AC301:error"])
    assert (tmp_path / "count").stat().st_size < LEVELS + 40


def test_a_record_of_the_agents_own_shell_may_be_shared(clone: Repo) -> None:
    """With `authors = agent` a shared record from the environment makes a commit the agent's."""
    begun(clone, "authors = agent")
    commit = Sha(add(clone, "Add the parser to it all\n"))
    assert outcomes() == ["pass"]
    share(clone, {commit: noted(record_in(clone, commit, PARENT))})

    assert outcomes() == ["fail AC101:error"]


def test_many_commits_are_asked_about_at_once(clone: Repo) -> None:
    """Notes of hundreds of commits are read in few questions, and each commit has its own answer."""
    commits = [made(clone, CHILD if number % 2 else PARENT) for number in range(12)]
    share(clone, {one: noted(record_in(clone, one, PARENT)) for one in commits})

    assert outcomes() == ["pass", "fail AC106:error"] * 6
    assert over("HEAD~1..HEAD", policy_from="base").outcomes == ["fail AC106:error"]


# A later hand-off.


def recorded(commit: Sha, time: str, source: str = "message", thread: ThreadId = FIRST) -> Record:
    """Return a record of that time and source."""
    return record_of(commit, thread, time=time, source=source)


def judged(repo: Repo, *entries: Entry) -> list[str]:
    """Return the findings for a commit of the first thread; in *entries* GONE stands for it."""
    commit = made(repo, FIRST)
    tree = repo("rev-parse", f"{commit}^{{tree}}")
    lines = [line.replace(GONE.encode(), commit.encode()) for line in noted(*entries)]
    lines = [line.replace(SHA1.encode(), tree.encode()) for line in lines]
    share(repo, {commit: lines})
    return over("HEAD", policy_from="base").outcomes


@pytest.mark.parametrize(
    ("source", "time", "expected"),
    [
        ("message", later(600), "pass AC107:warning"),
        ("use", later(600), "pass AC107:warning"),
        ("env", later(600), "pass"),
        ("rebuilt", later(600), "pass"),
        ("message", later(-600), "pass"),
        ("message", "", "pass"),
    ],
)
def test_a_later_hand_off_is_a_warning(clone: Repo, source: str, time: str, expected: str) -> None:
    """AC107: never where the agent itself named the thread, and never where a time is not known."""
    assert judged(clone, recorded(GONE, time, source), chain(SECOND, FIRST)) == [expected]


def test_a_rebased_commit_is_as_old_as_what_it_was_made_from(clone: Repo) -> None:
    """AC107: a rebase long after the hand-off is no finding; where the first record is missing, nobody knows."""
    old, other = Sha("8" * 40), Sha("7" * 40)
    late, early = recorded(GONE, later(600)), recorded(old, later(-600))

    assert judged(clone, late, early, became(old, GONE), chain(SECOND, FIRST)) == ["pass"]
    assert judged(clone, late, became(other, GONE), chain(SECOND, FIRST)) == ["pass"]
    assert judged(clone, late, recorded(old, later(900)), became(old, GONE), chain(SECOND, FIRST)) == [
        "pass AC107:warning"
    ]


# Signatures.


@pytest.fixture
def key(sealed: Path) -> Path:
    """A key without a passphrase, with which git would sign."""
    path = sealed / "id"
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def allowing(key: Path) -> str:
    """Return the line that allows *key*."""
    return f"me@example.com {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n"


def signing(repo: Repo, key: Path, lines: list[bytes]) -> list[bytes]:
    """Return *lines* with a signature of each."""
    repo("config", "user.signingKey", str(key))
    return [*lines, *sign(lines, Git(str(repo.path)), os.environ)]


@pytest.fixture
def strict(clone: Repo, key: Path) -> Callable[..., list[str]]:
    """The judge who demands signatures of the file in the base."""
    (clone.path / ".ampcommit-signers").write_text(allowing(key))
    begun(clone, "record = true")

    def judge(**options: str) -> list[str]:
        return over(**{"signers": "", **options}).outcomes  # type: ignore[arg-type]

    return judge


@needs_keygen
def test_a_signed_record_proves_itself(clone: Repo, key: Path, strict: Callable[..., list[str]]) -> None:
    """AC303: the record counts once it is signed, wherever it was fetched from."""
    commit = made(clone)
    line = noted(record_in(clone, commit, PARENT))
    assert strict() == ["fail AC301:error"]
    share(clone, {commit: line}, ORIGIN)
    assert (strict(), outcomes()) == (["fail AC303:error"], ["fail AC301:error"])
    share(clone, {commit: signing(clone, key, line)}, ORIGIN)

    assert strict() == ["pass"]


@needs_keygen
def test_the_ledger_is_unsigned(clone: Repo, strict: Callable[..., list[str]]) -> None:
    """AC303: what this very clone recorded is nobody's signed word, and whether it is damaged does not matter."""
    commit = made(clone)
    state = clone.path / ".git" / "ampcommit"
    state.mkdir()
    (state / "ledger.jsonl").write_bytes(record_of(commit, PARENT).to_bytes() + b"\nnonsense\n")

    assert (strict(), outcomes()) == (["fail AC303:error"], ["fail AC302:error"])


@needs_keygen
def test_a_strangers_signature_is_bad(clone: Repo, key: Path, strict: Callable[..., list[str]], tmp_path: Path) -> None:
    """AC304: signed by a stranger, or for another line; a good record beside it is not made worse."""
    stranger = tmp_path / "stranger"
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    commit = made(clone)
    line = noted(record_in(clone, commit, PARENT))
    share(clone, {commit: signing(clone, stranger, line)})
    assert strict() == ["fail AC304:error"]
    assert "allowed signers" in over(signers="").verdicts[0].findings[0].message
    share(clone, {commit: signing(clone, key, line)})

    assert strict() == ["pass"]


@needs_keygen
@pytest.mark.usefixtures("strict")
def test_what_leads_to_a_record_is_signed_too(clone: Repo, key: Path) -> None:
    """AC303: a signed record of another commit is no proof by way of an unsigned line."""
    for entry in (carry(GONE, Sha("8" * 40)), became(Sha("8" * 40), GONE)):
        commit = made(clone)
        way = [noted(entry)[0].replace(GONE.encode(), commit.encode())]
        record = signing(clone, key, noted(record_of("8" * 40, PARENT)))
        share(clone, {commit: [*way, *record]})
        assert over("HEAD", policy_from="base", signers="").outcomes == ["fail AC303:error"]
        share(clone, {commit: signing(clone, key, way)})
        assert over("HEAD", policy_from="base", signers="").outcomes == ["pass"]


@needs_keygen
def test_a_later_hand_off_is_signed_too(clone: Repo, key: Path, strict: Callable[..., list[str]]) -> None:
    """AC107: an unsigned chain says nothing where signatures are demanded."""
    commit = made(clone, FIRST)
    told = noted(chain(SECOND, FIRST))
    record = record_in(clone, commit, FIRST, time=later(600), source="message")
    share(clone, {commit: signing(clone, key, noted(record)), GONE: told})
    assert (strict(), outcomes()) == (["pass"], ["pass AC107:warning"])
    share(clone, {GONE: signing(clone, key, told)})

    assert strict() == ["pass AC107:warning"]


@needs_keygen
def test_the_file_of_signers_is_the_bases_or_the_one_that_is_named(
    clone: Repo, key: Path, strict: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Neither the commits to be checked, nor the work tree, nor the clone's settings say who may sign."""
    (clone.path / ".ampcommit-signers").write_text("")
    clone("config", "gpg.ssh.allowedSignersFile", str(tmp_path / "mine"))
    (tmp_path / "mine").write_text(allowing(key))
    empty = begun(clone, "record = true")
    commit = made(clone)
    share(clone, {commit: signing(clone, key, noted(record_in(clone, commit, PARENT)))})
    (clone.path / ".ampcommit-signers").write_text(allowing(key))

    assert strict(policy_from=empty) == ["fail AC304:error"]
    assert strict(signers=str(tmp_path / "mine")) == ["pass"]
    assert strict(policy_from=f"{empty}~1") == ["pass"]


@needs_keygen
@pytest.mark.parametrize("ref", [None, FORK, ORIGIN, REF])
def test_a_forks_request_is_no_way_around_signatures(clone: Repo, key: Path, tmp_path: Path, ref: str | None) -> None:
    """AC301, AC303: with `--require-signed` nothing becomes a warning, whatever a fork's event and notes say."""
    signers = tmp_path / "signers"
    signers.write_text(allowing(key))
    clone("checkout", "-q", "-b", "topic")
    commit = made(clone)
    demanded = {"signers": str(signers)}
    assert request(clone, {"id": 2}, **demanded) == ["fail AC301:error"]
    if ref:
        share(clone, {GONE: [b"x"]}, ref)
        assert request(clone, {"id": 2}, **demanded) == ["fail AC301:error"]
        share(clone, {commit: noted(record_in(clone, commit, PARENT))}, ref)
        assert request(clone, {"id": 2}, **demanded) == ["fail AC303:error"]
        share(clone, {commit: signing(clone, key, noted(record_in(clone, commit, OTHER)))}, ref)
        assert request(clone, {"id": 2}, **demanded) == ["fail AC106:error"]


@needs_keygen
def test_a_file_that_a_request_can_change_says_nothing_of_signers(clone: Repo, key: Path, tmp_path: Path) -> None:
    """S: exit 2 for a file of signers in a work tree or the git dir, by whatever name or link."""
    made(clone)
    (clone.path / "signers").write_text(allowing(key))
    (tmp_path / "link").symlink_to(clone.path / "signers")
    (tmp_path / "mine").write_text(allowing(key))
    (clone.path / "out").symlink_to(tmp_path / "mine")
    clone("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    (tmp_path / "tree" / "signers").write_text(allowing(key))
    for path in ("signers", clone.path / "signers", tmp_path / "link", "out", tmp_path / "tree" / "signers"):
        with pytest.raises(MisuseError, match="a request can change") as caught:
            over(signers=str(path))
        assert ".ampcommit-signers" in caught.value.hint

    assert over(signers=str(tmp_path / "mine")).outcomes == ["fail AC301:error"]


@needs_keygen
def test_who_may_sign_must_be_known(clone: Repo, tmp_path: Path) -> None:
    """Without a file there is no check that could pass by chance: exit 2, with a hint."""
    made(clone)
    for options in ({"signers": ""}, {"signers": str(tmp_path / "nosuch")}, {"signers": str(tmp_path)}):
        with pytest.raises(MisuseError) as caught:
            over(**options)  # type: ignore[arg-type]
        assert caught.value.hint


@needs_keygen
def test_no_signature_is_demanded_of_what_needs_no_record(clone: Repo, strict: Callable[..., list[str]]) -> None:
    """A commit without a link has AC101; it is not accused twice."""
    add(clone, "Add the parser to it all\n")

    assert strict() == ["fail AC101:error"]


def test_what_the_tests_share_is_what_is_shared() -> None:
    """The lines that these tests put into notes are those that `share` would put there."""
    mine = record_of(GONE, PARENT, links=[ThreadId(CHILD), ThreadId(PARENT)])

    assert publishable(mine.to_bytes()) == (GONE, noted(mine)[0])
    assert url(PARENT).encode() not in noted(mine)[0]
