"""`ledger rebuild`: what was lost comes back from the commits, what no hook saw is found, and no more than that."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import LedgerError, MisuseError, SetupError
from ampcommit.files import Lock
from ampcommit.ledger import Ledger
from ampcommit.record import Sha
from ampcommit.verbs.rebuild import Rebuilt, rebuild
from ampcommit.verbs.show import ledger_of, show
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_batch import stand_in
from tests.test_changes import Files, commit_of
from tests.test_record import record_of
from tests.test_rewritten import became

AT_WORK = ("AGENT", "AGENT_THREAD_ID", "AMP_CURRENT_THREAD_ID")

Enter = Callable[[str], None]

A: Files = {"a": b"1\n"}
B: Files = {"a": b"2\n"}
MORE: Files = {"more": b"1\n"}
LINK = f"Say it\n\nAmp-Thread-ID: {url(PARENT)}"


def run(repo: Repo, asked: str = "", *, dry_run: bool = False) -> Rebuilt:
    """Rebuild, and let the ledger be sound afterwards; nothing that was there is changed."""
    ledger = here(repo)
    before = content(ledger)
    done = rebuild(asked, os.environ, str(repo.path), dry_run=dry_run)
    after = content(ledger)
    assert after.startswith(before)
    assert done.ledger == ledger.path
    assert after.count(b"\n") - before.count(b"\n") == (0 if dry_run else done.added)
    assert ledger.check().problems == []
    return done


def counted(repo: Repo, asked: str = "") -> dict[str, int]:
    """Rebuild once without writing, once with, and once more; return what was counted, but for nothing at all."""
    told = [counts(run(repo, asked, dry_run=True)), counts(run(repo, asked))]
    assert told[0] == told[1]
    again = run(repo, asked)
    added = sum(told[0].get(name, 0) for name in ("recorded", "by_tree", "by_patch"))
    assert (again.added, again.known) == (0, told[0].get("known", 0) + added)
    assert [getattr(again, name) for name in NUMBERS[5:]] == [told[0].get(name, 0) for name in NUMBERS[5:]]
    return told[0]


NUMBERS = ("checked", "known", "recorded", "by_tree", "by_patch", "ambiguous", "unread", "unknown")


def counts(done: Rebuilt) -> dict[str, int]:
    """Return what was counted, if it is not zero, of which all adds up."""
    found: dict[str, int] = {name: getattr(done, name) for name in NUMBERS}
    assert sum(found.values()) == 2 * done.checked
    return {name: count for name, count in found.items() if count}


def here(repo: Repo) -> Ledger:
    """Return the ledger of a clone."""
    return ledger_of(os.environ, str(repo.path))


def content(ledger: Ledger) -> bytes:
    """Return the bytes of a ledger, none if it is not there."""
    return Path(ledger.path).read_bytes() if Path(ledger.path).exists() else b""


def records(repo: Repo) -> list[dict[str, Any]]:
    """Return all lines of a ledger, parsed."""
    return [json.loads(line) for line in here(repo).lines()]


def on(repo: Repo, *commits: str) -> None:
    """Let branches name *commits*."""
    for number, commit in enumerate(commits):
        repo("branch", "-f", f"b{number}", commit)


# --- a ledger that was lost


@pytest.fixture
def worked(installed: Repo, agent: Enter, january: Path) -> Repo:
    """A clone with commits of two threads and of a person, with a remote."""
    assert january.exists()
    installed("remote", "add", "origin", "https://user:secret@git.example.com/team/demo.git")
    for thread in (PARENT, CHILD):
        agent(thread)
        installed.commit("-q", "-m", f"Say what {thread[-4:]} does")
    installed.commit("-q", "-n", "-m", "Say it by hand", env=dict.fromkeys(AT_WORK, ""))
    return installed


def test_a_lost_ledger_is_rebuilt_from_the_trailers(worked: Repo) -> None:
    """C15: links, chain, tree, parents and repository come back; how the thread was known, and the branch, do not."""
    before = records(worked)
    Path(here(worked).path).unlink()

    assert counted(worked) == {"checked": 3, "recorded": 2, "unknown": 1}
    after = records(worked)
    same = ("v", "kind", "commit", "tree", "parents", "thread", "links", "chain", "chain_state", "repo", "by")
    assert [{name: one[name] for name in same} for one in after] == [
        {name: one[name] for name in same} for one in before
    ]
    assert {(one["source"], one["validated"], one["branch"]) for one in after} == {("rebuilt", False, None)}
    assert show("HEAD~1", os.environ, str(worked.path)).source == "rebuilt"


def test_the_whole_folder_may_be_gone(worked: Repo) -> None:
    """C15: whatever a backup tool removed is made again, for the owner alone."""
    folder = Path(here(worked).path).parent
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    assert run(worked).recorded == 2
    assert [path.stat().st_mode & 0o777 for path in (folder, *folder.glob("*.jsonl"))] == [0o700, 0o600]


def test_a_ledger_that_was_rolled_back_gets_what_it_lacks(worked: Repo) -> None:
    """C15: what stands in it stays as it is, the rest comes behind it, once."""
    path = Path(here(worked).path)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    assert counted(worked) == {"checked": 3, "known": 1, "recorded": 1, "unknown": 1}
    assert [one["source"] for one in records(worked)] == ["env", "rebuilt"]


def test_a_torn_line_is_set_aside_and_replaced(worked: Repo) -> None:
    """C11: the record that a crash cut off is no record."""
    path = Path(here(worked).path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-1])

    done = rebuild("", os.environ, str(worked.path))
    assert (done.known, done.recorded) == (1, 1)
    assert here(worked).check().problems == []
    assert rebuild("", os.environ, str(worked.path)).added == 0


def test_a_damaged_record_is_replaced(worked: Repo) -> None:
    """C12: what cannot be read says nothing of its commit; the damage stays, and `ledger check` goes on to tell."""
    path = Path(here(worked).path)
    damaged = path.read_bytes().replace(b'"validated":true', b'"validated":[]', 1)
    path.write_bytes(damaged)

    assert rebuild("", os.environ, str(worked.path)).recorded == 1
    assert path.read_bytes().startswith(damaged)
    assert rebuild("", os.environ, str(worked.path)).added == 0


def test_nothing_is_missing_where_hooks_ran(worked: Repo) -> None:
    """A clone that has all its records gets none."""
    assert counted(worked) == {"checked": 3, "known": 2, "unknown": 1}


def test_records_come_oldest_first(repo: Repo) -> None:
    """As they would stand there if the hooks had run, however many branches there are."""
    commits: list[str] = []
    for number in range(6):
        date = {"GIT_COMMITTER_DATE": f"{1500000000 + number} +0000"}
        commits.append(commit_of(repo, A, *commits[-1:], message=LINK, **date))
    on(repo, *commits)

    assert counted(repo) == {"checked": 6, "recorded": 6}
    assert [one["commit"] for one in records(repo)] == commits


# --- links


@pytest.mark.parametrize(
    ("text", "links"),
    [
        (f"Amp-Thread-ID: {url(PARENT)}\nAmp-Thread-ID: {url(CHILD)}", [PARENT, CHILD]),
        (f"Amp-Thread-ID: {url(PARENT)}\nNumber: 1\n folded", [PARENT]),
        (f"amp-thread-id:{url(PARENT).upper().replace('HTTPS', 'https')}", []),
        (f"Amp-Thread-ID: {url(PARENT)}\n\nAnd more.", []),
        (f"Amp-Thread-ID: {PARENT}", []),
        (f"Amp-Thread-ID: {url(PARENT).replace('ampcode', 'evil')}", []),
        (f"See {url(PARENT)}", []),
        ("", []),
    ],
)
def test_links_are_those_that_are_shown(repo: Repo, text: str, links: list[str]) -> None:
    """A link is one if git sees a trailer and the link is accepted; the record says what `show` says without it."""
    on(repo, commit := commit_of(repo, A, message=f"Say it\n\n{text}"))
    found = show("b0", os.environ, str(repo.path)).threads

    assert counted(repo) == ({"checked": 1, "recorded": 1} if links else {"checked": 1, "unknown": 1})
    assert [one["links"] for one in records(repo)] == ([links] if links else [])
    assert (found, show(commit, os.environ, str(repo.path)).threads) == (links, links)


def test_what_the_settings_accept_is_a_link(repo: Repo) -> None:
    """Hosts of the team, and links anywhere in the message, count where the settings say so; else not."""
    texts = [LINK.replace("ampcode.com", "amp.example.com"), f"See {url(OTHER)} and below"]
    on(repo, *(commit_of(repo, A, message=text) for text in texts))
    assert run(repo, dry_run=True).recorded == 0
    repo("config", "ampcommit.host", "amp.example.com")
    assert run(repo, dry_run=True).recorded == 1
    repo("config", "ampcommit.linkIn", "message")

    assert run(repo).recorded == 2
    assert sorted(one["thread"] for one in records(repo)) == sorted([PARENT, OTHER])


def test_a_person_who_asks_is_answered(repo: Repo) -> None:
    """With `mode = off` hooks are silent, and this is no hook; what is wrong with the settings is told."""
    repo("config", "ampcommit.mode", "off")
    repo("config", "ampcommit.minBody", "many")
    repo("config", "ampcommit.colour", "red")
    on(repo, commit_of(repo, A, message=LINK))
    done = run(repo)

    assert (done.recorded, len(done.notices)) == (1, 2)


def test_a_linked_commit_known_by_its_past_gets_its_own_record(repo: Repo) -> None:
    """What it says itself is not in the records of those that it was made from."""
    old, new = commit_of(repo, A, message="x"), commit_of(repo, A, message=LINK)
    here(repo).append(record_of(old, OTHER), became(Sha(old), Sha(new)))
    on(repo, new)

    assert counted(repo) == {"checked": 1, "recorded": 1}
    assert show("b0", os.environ, str(repo.path)).threads == [OTHER, PARENT]


# --- commits without links


def test_a_restacked_stack_is_attached(repo: Repo) -> None:
    """E21: what `commit-tree` made of recorded commits is attached to them, each by what is left of it."""
    base = commit_of(repo, A)
    one = commit_of(repo, B, base, message=LINK)
    two = commit_of(repo, B | {"b": b"1\n"}, one, message=LINK)
    onto = commit_of(repo, A | MORE, base, message="Say more", GIT_AUTHOR_DATE="1400000000 +0000")
    moved = commit_of(repo, B | MORE, onto, message="Say it")
    top = commit_of(repo, B | MORE | {"b": b"1\n"}, moved, message="Say it again")
    reworded = commit_of(repo, B, base, message="Say it better")
    on(repo, top, two, reworded)

    assert counted(repo) == {"checked": 7, "recorded": 2, "by_tree": 1, "by_patch": 2, "unknown": 2}
    lines = [(line["old"], line["new"], line["command"], line["source"]) for line in records(repo)[2:]]
    assert sorted(lines) == sorted(
        [(one, reworded, None, "tree"), (one, moved, None, "patch-id"), (two, top, None, "patch-id")]
    )
    assert [show(commit, os.environ, str(repo.path)).threads for commit in (moved, top, reworded)] == [[PARENT]] * 3


def test_plumbing_that_changes_nothing_is_nobodys(repo: Repo) -> None:
    """E21: three empty commits on recorded ones, and a revert of a revert, stay unknown."""
    base = commit_of(repo, A)
    work = commit_of(repo, B, base, message=LINK)
    empty = [commit_of(repo, B, work, message=text) for text in ("1", "2", "3")]
    dates = [{"GIT_AUTHOR_DATE": f"150000000{number} +0000"} for number in (1, 2)]
    back = commit_of(repo, B, commit_of(repo, A, work, message="Revert", **dates[0]), message="Reapply", **dates[1])
    on(repo, back, *empty)

    assert counted(repo) == {"checked": 7, "recorded": 1, "unknown": 6}


def test_what_is_ambiguous_stays_as_it_is(repo: Repo) -> None:
    """Two recorded commits that are alike, and a third: nothing is attached, and it is counted."""
    base = commit_of(repo, A)
    on(repo, *(commit_of(repo, B, base, message=text) for text in (LINK, f"1{LINK}", "x")))

    assert counted(repo) == {"checked": 4, "recorded": 2, "ambiguous": 1, "unknown": 1}


def test_what_git_told_is_not_told_again(repo: Repo) -> None:
    """A commit whose past is recorded is known, also where that record is lost and comes back in the same run."""
    base = commit_of(repo, A)
    one, two = (commit_of(repo, B, base, message=text) for text in (LINK, f"1{LINK}"))
    news = [commit_of(repo, B, base, message=text) for text in "xy"]
    here(repo).append(record_of(one), *(became(Sha(old), Sha(new)) for old, new in zip((one, two), news, strict=True)))
    on(repo, one, two, *news)

    assert counted(repo) == {"checked": 5, "known": 3, "recorded": 1, "unknown": 1}


def test_a_past_of_which_nothing_is_known_is_none(repo: Repo) -> None:
    """After a rebase by a person lines lead nowhere; such commits are looked at like others."""
    base = commit_of(repo, A)
    work, copy = commit_of(repo, B, base, message=LINK), commit_of(repo, B, base, message="x")
    nobody = commit_of(repo, MORE, base)
    here(repo).append(became(Sha("a" * 40), Sha(copy)), became(Sha("b" * 40), Sha(nobody)))
    on(repo, work, copy, nobody)

    assert counted(repo) == {"checked": 4, "recorded": 1, "by_tree": 1, "unknown": 2}


# --- which commits


@pytest.fixture
def stack(repo: Repo) -> Repo:
    """A clone without a ledger: three linked commits on `main`, one each on a branch, a tag and a remote branch."""
    commits: list[str] = []
    for number in range(3):
        commits.append(commit_of(repo, A, *commits[-1:], message=f"{number} {LINK}"))
    repo("reset", "-q", "--hard", commits[-1])
    for ref in ("heads/side", "tags/v1", "remotes/origin/x"):
        repo("update-ref", f"refs/{ref}", commit_of(repo, A, commits[0], message=f"{ref} {LINK}"))
    return repo


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("", 4),
        ("main", 1),
        ("HEAD~2", 1),
        ("v1", 1),
        ("main^!", 1),
        ("main~1..", 1),
        ("main~2..HEAD", 2),
        ("side...main", 3),
        ("main..main", 0),
    ],
)
def test_commits_are_named_as_git_names_them(stack: Repo, asked: str, count: int) -> None:
    """A range is what git takes for one, a name is that commit alone, and no name all of the local branches."""
    assert counted(stack, asked) == ({"checked": count, "recorded": count} if count else {})


def test_a_detached_head_counts(stack: Repo) -> None:
    """What only HEAD reaches is here as well."""
    stack("checkout", "-q", "--detach", "v1")

    assert run(stack).recorded == 5


@pytest.mark.parametrize("asked", ["nosuch", "nosuch..HEAD", "--all", "HEAD^{tree}", "^HEAD"])
def test_what_names_no_commit_is_a_misuse(stack: Repo, asked: str) -> None:
    """A wrong name is exit 2 with a hint, and nothing is written."""
    with pytest.raises(MisuseError) as caught:
        rebuild(asked, os.environ, str(stack.path))

    assert caught.value.hint
    assert not Path(here(stack).path).exists()


def test_without_commits_there_is_nothing_to_do(repo: Repo) -> None:
    """An unborn branch is no error, and makes no ledger."""
    assert counts(run(repo)) == {}
    assert not Path(here(repo).path).parent.exists()


def test_without_a_repository_there_is_no_ledger(tmp_path: Path) -> None:
    """Exit 3 says that the surroundings do not allow it."""
    with pytest.raises(SetupError):
        rebuild("", os.environ, str(tmp_path))


def test_a_history_with_holes_is_the_environments_fault(stack: Repo) -> None:
    """Where a commit is missing that is no end of a shallow clone, git says so, and we say what to do."""
    commit = stack("rev-parse", "HEAD~1")
    (stack.path / ".git" / "objects" / commit[:2] / commit[2:]).unlink()

    with pytest.raises(SetupError) as caught:
        rebuild("", os.environ, str(stack.path))

    assert "git fsck" in caught.value.hint


# --- clones of every kind


def test_a_work_tree_has_the_ledger_of_its_clone(stack: Repo, tmp_path: Path) -> None:
    """What is rebuilt in one work tree is there for all."""
    stack("worktree", "add", "-q", "--detach", str(tmp_path / "wt"), "v1")

    assert run(Repo(tmp_path / "wt")).recorded == 5
    assert len(records(stack)) == 5


def test_a_bare_clone_is_one(stack: Repo, tmp_path: Path) -> None:
    """A server may have a ledger."""
    stack("clone", "-q", "--bare", str(stack.path), str(tmp_path / "bare"))

    assert counted(Repo(tmp_path / "bare")) == {"checked": 4, "recorded": 4}


def test_a_shallow_clone_gets_what_it_has(stack: Repo, tmp_path: Path) -> None:
    """V03: the commits that are here are recorded, with the parents that they have; at its end nothing is compared."""
    base = commit_of(stack, MORE, stack.head())
    on(stack, *(commit_of(stack, B, base, message=text) for text in (LINK, "x")))
    stack("clone", "-q", "--depth=1", "--no-single-branch", f"file://{stack.path}", str(tmp_path / "cut"))
    cut = Repo(tmp_path / "cut")
    for number in range(2):
        cut("branch", f"b{number}", f"origin/b{number}")

    assert counted(cut) == {"checked": 3, "recorded": 2, "unread": 1}
    assert [base] in [one["parents"] for one in records(cut)]


@pytest.mark.parametrize("kept", ["blob:none", "tree:0"])
def test_a_partial_clone_fetches_nothing(stack: Repo, tmp_path: Path, kept: str) -> None:
    """V04: links need no files; what would be compared by files that are not here is counted and left alone."""
    on(
        stack,
        *(
            commit_of(stack, files, commit_of(stack, base), message=text)
            for files, base, text in ((B, {}, LINK), (B | MORE, MORE, "x"), (B, {}, "y"))
        ),
    )
    stack("config", "uploadpack.allowFilter", "true")
    stack("clone", "-q", "--bare", f"--filter={kept}", f"file://{stack.path}", str(tmp_path / "partial"))
    partial = Repo(tmp_path / "partial")
    partial("config", "remote.origin.url", "/nonexistent")
    there = partial("count-objects", "-v")

    assert counted(partial) == {"checked": 9, "recorded": 5, "by_tree": 1, "unread": 2, "unknown": 1}
    assert partial("count-objects", "-v") == there


def test_sha256_is_rebuilt_too(repo: Repo, tmp_path: Path) -> None:
    """E35: ids of 64 digits."""
    repo("init", "-q", "--object-format=sha256", str(tmp_path / "other"))
    other = Repo(tmp_path / "other")
    base = commit_of(other, A)
    on(other, *(commit_of(other, B, base, message=text) for text in (LINK, "x")))

    assert counted(other) == {"checked": 3, "recorded": 1, "by_tree": 1, "unknown": 1}


# --- crashes, and others who write

MANY = 3000


def many(repo: Repo, count: int) -> None:
    """Let `main` hold so many linked commits."""
    person = "T <t@example.com> 1500000000 +0000"
    text = "".join(
        f"commit refs/heads/main\nauthor {person}\ncommitter {person}\ndata {len(LINK) + 6}\n{number:05} {LINK}\n"
        for number in range(count)
    )
    repo("fast-import", "--quiet", stdin=text.encode())


KILLED = """
import os, signal, sys
from ampcommit.verbs.rebuild import rebuild

room, write = int(sys.argv[1]), os.write

def writing(fd, data):
    global room
    if bytes(data[:5]) == b'{"v":':
        if room < len(data):
            write(fd, data[:room])
            os.kill(os.getpid(), signal.SIGKILL)
        room -= len(data)
    return write(fd, data)

os.write = writing
rebuild("", os.environ)
"""


def test_a_run_that_was_killed_is_taken_up_again(repo: Repo) -> None:
    """C07: whatever was written stays, and the next run adds the rest; no commit is lost or gets two records."""
    many(repo, MANY)
    written = b""
    for room in (0, 1, 700, 600_000, 700_000):
        argv = [sys.executable, "-c", KILLED, str(room)]
        assert subprocess.run(argv, cwd=repo.path, check=False).returncode == -signal.SIGKILL
        after = content(here(repo))
        assert after.startswith(written)
        written = after[: after.rfind(b"\n") + 1]
    assert MANY // 3 < written.count(b"\n") < MANY

    done = rebuild("", os.environ, str(repo.path))
    assert (done.checked, done.known + done.recorded) == (MANY, MANY)
    assert content(here(repo)).startswith(written)
    assert sorted(one["commit"] for one in records(repo)) == sorted(repo("rev-list", "main").split())
    assert here(repo).check().problems == []
    assert rebuild("", os.environ, str(repo.path)).added == 0


def test_what_was_recorded_meanwhile_is_not_recorded_twice(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that records a commit while a long run is under way is heeded."""
    base = commit_of(repo, A)
    commits = [commit_of(repo, B, base, message=text) for text in (LINK, f"1{LINK}")]
    copy = commit_of(repo, MORE, base, message="x")
    old = commit_of(repo, MORE, base)
    on(repo, *commits, copy)
    here(repo).append(record_of(old))
    later = Ledger(str(tmp_path / "later"))
    later.append(record_of(old), record_of(commits[0]), became(Sha(old), Sha(copy)))
    # git is asked for trees when what the ledger lacks is known already
    script = f'case "$*" in *--batch*) [ -e "$log" ] || cp "{later.path}" "{here(repo).path}"; : >"$log";; esac'
    assert content(later).startswith(content(here(repo)))
    stand_in(tmp_path, monkeypatch, f'{script}; exec "$real" "$@"')

    assert counts(rebuild("", os.environ, str(repo.path))) == {"checked": 4, "known": 2, "recorded": 1, "unknown": 1}
    assert sorted(one["commit"] for one in records(repo) if "commit" in one) == sorted([old, *commits])


def test_two_runs_do_not_write_the_same(stack: Repo) -> None:
    """The second one waits for a moment, then says that somebody is at work."""
    here(stack).prepare()
    with Lock(f"{here(stack).path}.rebuild"), pytest.raises(LedgerError, match="another process"):
        rebuild("", os.environ, str(stack.path))

    assert list(here(stack).lines()) == []


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_no_ledger_is_left_alone(stack: Repo, dry_run: bool) -> None:
    """C13: a folder in place of the ledger is an error, not an empty one."""
    Path(here(stack).path).mkdir(parents=True)

    with pytest.raises(LedgerError):
        rebuild("", os.environ, str(stack.path), dry_run=dry_run)


def test_a_ledger_of_a_newer_version_is_not_written_to(stack: Repo) -> None:
    """What a newer version wrote is read as far as it is understood, and not continued."""
    here(stack).prepare()
    Path(here(stack).path).write_bytes(b'{"v":2,"kind":"x","prev":null}\n')

    with pytest.raises(LedgerError, match="newer"):
        rebuild("", os.environ, str(stack.path))


def test_a_dry_run_makes_nothing(stack: Repo) -> None:
    """Not even the folder of the ledger."""
    assert run(stack, dry_run=True).recorded == 4
    assert not Path(here(stack).path).parent.exists()
