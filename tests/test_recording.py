"""The hook post-commit in process: which commit is recorded, from what, and how sure the record is."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ampcommit import __version__
from ampcommit.call import Call
from ampcommit.errors import AmpcommitError, LedgerError
from ampcommit.ledger import Ledger
from ampcommit.note import Note
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId
from ampcommit.recording import post_commit, post_merge
from tests.conftest import CHILD, OTHER, PARENT, Repo, url

Enter = Callable[[str], None]
Record = dict[str, Any]

SUBJECT = "Add the parser"
LINK = f"Amp-Thread-ID: {url(PARENT)}"
TEXT = f"{SUBJECT}\n\n{LINK}\n"


class Desk:
    """A repository without hooks, in which this process runs as git would run the hook."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.place = Place(".git")
        self.ledger = Ledger(self.place.ledger)

    def made(self, text: str = TEXT, *args: str) -> str:
        """Make a commit and return its id."""
        self.repo.commit("-q", "--allow-empty-message", "--cleanup=verbatim", "-F", "-", *args, stdin=text.encode())
        return self.repo.head()

    def leave(self, **changes: Any) -> None:
        """Leave a note that fits the next commit, except for *changes*."""
        fields = {
            "pid": 0,
            "head": self.place.head(),
            "links": [ThreadId(PARENT)],
            "source": "env",
            "validated": True,
            "chain": [ThreadId(PARENT), ThreadId(OTHER)],
            "chain_state": "complete",
            "repo": "github.com/example/demo",
            "resolve": False,
            "message": TEXT.encode(),
        }
        Note(**(fields | changes)).leave(self.place)

    def recorded(self, parent: int = 0) -> Record | None:
        """Run the hook; return the record it appended, None if it appended none."""
        before = len(list(self.ledger.lines()))
        assert post_commit(Call(os.environ, parent, [])) == 0
        lines = [json.loads(line) for line in self.ledger.lines()]
        assert self.ledger.check().problems == []
        assert len(lines) - before in (0, 1)
        return lines[-1] if len(lines) > before else None


@pytest.fixture
def desk(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk in an empty repository."""
    monkeypatch.chdir(repo.path)
    return Desk(repo)


def fields(record: Record | None, *names: str) -> list[Any]:
    """Return some fields of a record that must be there."""
    assert record is not None
    return [record[name] for name in names]


# With a note that fits.


def test_a_commit_with_its_note_is_recorded_as_the_note_says(desk: Desk) -> None:
    """What commit-msg saw is in the record; what git knows of the commit comes from git."""
    desk.leave()
    commit = desk.made()
    record = desk.recorded()

    assert fields(record, "commit", "tree", "parents") == [commit, desk.repo.head("%T"), []]
    assert fields(record, "thread", "links", "source", "validated") == [PARENT, [PARENT], "env", True]
    assert fields(record, "chain", "chain_state") == [[PARENT, OTHER], "complete"]
    assert fields(record, "branch", "repo", "by") == ["main", "github.com/example/demo", f"ampcommit {__version__}"]


def test_a_note_is_used_once(desk: Desk) -> None:
    """A second commit does not find the note of the first."""
    desk.leave()
    desk.made()
    desk.recorded()
    desk.made("Add the scanner\n")

    assert desk.recorded() is None


@pytest.mark.parametrize("text", [f"Again: {TEXT}", TEXT], ids=["new text", "nothing changed"])
def test_the_note_of_an_amend_fits(desk: Desk, text: str) -> None:
    """An amend has the parents that HEAD had; within one second it may even be the same commit again."""
    desk.made()
    desk.made()
    desk.leave(message=text.encode())
    desk.made(text, "--amend")

    assert fields(desk.recorded(), "validated") == [True]


def test_the_note_of_a_merge_fits(desk: Desk) -> None:
    """The first parent of a merge is where HEAD was."""
    base = desk.made()
    other = desk.repo("commit-tree", "-p", base, "-m", "other", "HEAD^{tree}")
    desk.leave()
    merge = desk.repo("commit-tree", "-p", base, "-p", other, "HEAD^{tree}", stdin=TEXT.encode())
    desk.repo("update-ref", "HEAD", merge)

    assert fields(desk.recorded(), "parents", "validated") == [[base, other], True]


def test_another_text_is_read_again(desk: Desk) -> None:
    """Where another hook changed the message behind us, its links are read from what git committed."""
    desk.leave(pid=7_000_001)
    desk.made(f"{SUBJECT}\n\nAmp-Thread-ID: {url(OTHER)}\n{LINK}\n")

    assert fields(desk.recorded(7_000_001), "links", "validated") == [[OTHER, PARENT], True]


def test_where_no_process_tells_another_text_does_not_fit(desk: Desk) -> None:
    """Through a hook manager only the text says that it is the commit which was judged."""
    desk.leave()
    desk.made(f"{SUBJECT}\n\nAmp-Thread-ID: {url(OTHER)}\n{LINK}\n")

    assert fields(desk.recorded(), "links", "validated") == [[OTHER, PARENT], False]


def test_a_link_that_another_hook_took_away_is_not_recorded(desk: Desk) -> None:
    """The commit itself speaks, not what commit-msg had seen."""
    desk.leave()
    desk.made(f"{SUBJECT}\n")

    assert desk.recorded() is None


@pytest.mark.parametrize(
    ("amp", "noted", "asks"),
    [
        ("/opt/amp", {"chain_state": "unknown", "resolve": True}, True),
        ("/opt/amp", {"chain_state": "partial", "resolve": True}, True),
        ("/opt/amp", {"chain_state": "complete", "resolve": True}, False),
        ("/opt/amp", {"chain_state": "cycle", "resolve": True}, False),
        ("/opt/amp", {"chain_state": "unknown", "resolve": False}, False),
        ("", {"chain_state": "unknown", "resolve": True}, False),
    ],
)
def test_amp_is_asked_where_that_helps_and_is_wanted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, amp: str, noted: dict[str, Any], asks: bool
) -> None:
    """A background run is started for an open chain, if `install` noted an amp and nobody said `never`."""
    started: list[object] = []
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: started.append(1))
    if amp:
        Path(desk.place.amp).parent.mkdir(exist_ok=True)
        Path(desk.place.amp).write_text(amp)
    desk.leave(**noted)
    desk.made()

    assert fields(desk.recorded(), "chain_state") == [noted["chain_state"]]
    assert bool(started) == asks


# With a note that does not fit.


def test_the_note_of_another_head_does_not_fit(desk: Desk) -> None:
    """What was noted for a commit elsewhere in history is not taken for this one."""
    desk.leave()
    desk.made()
    desk.leave(head=None)
    desk.made()

    assert fields(desk.recorded(), "validated", "source", "chain_state") == [False, "message", "unknown"]


def test_the_note_of_another_thread_does_not_fit(desk: Desk) -> None:
    """The last link of the commit must be the one that was noted."""
    desk.leave(links=[ThreadId(PARENT), ThreadId(OTHER)], message=b"Add the scanner\n", pid=7_000_001)
    desk.made()

    assert fields(desk.recorded(7_000_001), "links", "validated") == [[PARENT], False]


@pytest.mark.parametrize(
    ("noted", "here", "validated"),
    [(7_000_001, 7_000_001, True), (7_000_001, 7_000_002, False), (0, 7_000_002, True), (7_000_001, 0, True)],
    ids=["same git", "another git", "manager at first", "manager now"],
)
def test_one_git_process_starts_both_hooks(desk: Desk, noted: int, here: int, validated: bool) -> None:
    """Where git itself started both hooks, it must be the same git; where it did not, that tells nothing."""
    desk.leave(pid=noted)
    desk.made()

    assert fields(desk.recorded(here), "validated") == [validated]


def test_a_note_whose_head_git_has_forgotten_costs_no_record(desk: Desk) -> None:
    """A note from before a clean-up names a commit that is gone; the new commit is recorded all the same."""
    desk.leave(head=Sha("1" * 40))
    commit = desk.made()

    assert fields(desk.recorded(), "commit", "validated") == [commit, False]


def test_a_note_that_is_no_note_costs_no_record(desk: Desk) -> None:
    """Whatever lies there, the commit is recorded from its own links."""
    desk.leave()
    (desk.repo.path / ".git" / "ampcommit" / "note").write_bytes(b"\xff\n\n\0")
    desk.made()

    assert fields(desk.recorded(), "links", "validated") == [[PARENT], False]


# Without a note.


def test_without_a_note_the_commit_speaks_for_itself(desk: Desk, january: Path) -> None:
    """A commit that commit-msg did not see is recorded from its links, as not judged."""
    assert january.exists()
    desk.repo("remote", "add", "origin", "https://github.com/example/demo")
    desk.made(f"{SUBJECT}\n\nAmp-Thread-ID: {url(CHILD)}\n")
    record = desk.recorded()

    assert fields(record, "links", "source", "validated") == [[CHILD], "message", False]
    assert fields(record, "chain", "chain_state", "repo") == [[CHILD, PARENT], "complete", "github.com/example/demo"]


@pytest.mark.parametrize(("thread", "source"), [(PARENT, "env"), (OTHER, "message")], ids=["same", "another"])
def test_the_agent_confirms_only_its_own_thread(desk: Desk, agent: Enter, thread: str, source: str) -> None:
    """A link to another thread than the one at work is the message's claim alone."""
    agent(thread)
    desk.made()

    assert fields(desk.recorded(), "source") == [source]


@pytest.mark.parametrize("name", ["rebase-merge", "CHERRY_PICK_HEAD", "REVERT_HEAD"])
def test_while_git_replays_commits_the_agent_confirms_nothing(desk: Desk, agent: Enter, name: str) -> None:
    """A replayed commit of the same thread may be years old: only its message speaks."""
    agent(PARENT)
    desk.made()
    (desk.repo.path / ".git" / name).mkdir()

    assert fields(desk.recorded(), "source", "validated") == ["message", False]


def test_a_commit_without_a_link_is_not_recorded(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    """There is nothing to say of a person's commit."""
    desk.made(f"{SUBJECT}\n")

    assert desk.recorded() is None
    assert capfd.readouterr().err == ""
    assert not (desk.repo.path / ".git" / "ampcommit").exists()


def test_inside_a_thread_a_missing_link_is_said(desk: Desk, agent: Enter, capfd: pytest.CaptureFixture[str]) -> None:
    """One line says how to add it."""
    agent(PARENT)
    desk.made(f"{SUBJECT}\n")

    assert desk.recorded() is None
    assert capfd.readouterr().err.count("\n") == 1


def test_with_mode_off_nothing_is_recorded(desk: Desk) -> None:
    """A missing note is looked at, and the policy says no."""
    desk.repo("config", "ampcommit.mode", "off")
    desk.made()

    assert desk.recorded() is None


def test_what_is_wrong_with_the_policy_is_said_once(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    """However often a hook looks at the policy, a person reads a warning once."""
    (desk.repo.path / ".ampcommit").write_text("[broken\n")
    desk.made()
    desk.recorded()

    assert capfd.readouterr().err.count("is broken and not used") == 1


def test_links_in_prose_count_where_the_policy_says_so(desk: Desk) -> None:
    """With `linkIn = message` a link anywhere is a link (P54)."""
    desk.made(f"{SUBJECT}\n\nsee {url(PARENT)}\n")
    assert desk.recorded() is None
    desk.repo("config", "ampcommit.linkIn", "message")

    assert fields(desk.recorded(), "links") == [[PARENT]]


def test_a_bad_link_beside_a_good_one_is_not_recorded(desk: Desk) -> None:
    """Only accepted links are threads."""
    desk.made(f"{SUBJECT}\n\n{LINK}\nAmp-Thread-ID: https://ampcode.com.evil.example/threads/{OTHER}\n")

    assert fields(desk.recorded(), "links") == [[PARENT]]


def test_a_set_thread_lives_on_with_the_commit(desk: Desk) -> None:
    """A commit made with the thread that a person set begins the twelve hours anew."""
    desk.leave(source="use")
    use = desk.repo.path / ".git" / "ampcommit" / "use"
    use.write_text(f"{PARENT}\n")
    os.utime(use, (1, 1))
    desk.made()

    assert fields(desk.recorded(), "source") == ["use"]
    assert use.stat().st_mtime > 1


# Git and the disk.


@pytest.mark.parametrize("head", ["git checkout -q --detach", "git checkout -q -b a/b"])
def test_the_branch_is_what_head_names(desk: Desk, head: str) -> None:
    """A detached HEAD is no branch."""
    desk.made()
    desk.repo(*head.split()[1:])

    assert fields(desk.recorded(), "branch") == [None if "detach" in head else "a/b"]


def test_a_message_in_another_encoding_is_read(desk: Desk) -> None:
    """The record of a Latin-1 commit is like any other (P41)."""
    desk.repo("config", "i18n.commitEncoding", "ISO-8859-1")
    desk.repo.commit("-q", "-F", "-", stdin=f"Caf\xe9 parser\n\n{LINK}\n".encode("latin-1"))

    assert fields(desk.recorded(), "links") == [[PARENT]]


HOSTILE = {
    "S11 signature": "log.showSignature true",
    "S11 program": "gpg.program ./owner",
    "S11 pager": "core.pager ./owner",
    "S11 fsmonitor": "core.fsmonitor ./owner",
    "S11 format": "format.pretty oneline",
    "S11 notes": "notes.displayRef refs/notes/*",
    "P09 separators": "trailer.separators =",
    "S11 encoding": "i18n.logOutputEncoding UTF-16",
    "S11 colour": "color.ui always",
}


@pytest.mark.parametrize("config", HOSTILE.values(), ids=HOSTILE)
def test_settings_of_the_repository_neither_run_anything_nor_change_the_record(desk: Desk, config: str) -> None:
    """What is recorded does not depend on how somebody likes to see the log (S11)."""
    owner = desk.repo.path / "owner"
    owner.write_text("#!/bin/sh\n: >owned\n")
    owner.chmod(0o755)
    commit = desk.made()
    desk.repo("config", *config.split(" ", 1))

    assert fields(desk.recorded(), "commit", "links") == [commit, [PARENT]]
    assert not (desk.repo.path / "owned").exists()


@pytest.mark.parametrize("how", ["replace", "graft"])
def test_the_real_commit_is_recorded(desk: Desk, how: str) -> None:
    """Replacements and grafts are not what was committed (S13)."""
    first = desk.made("Begin the parser\n")
    commit = desk.made()
    if how == "replace":
        desk.repo("replace", commit, first)
    else:
        (desk.repo.path / ".git" / "info").mkdir(exist_ok=True)
        (desk.repo.path / ".git" / "info" / "grafts").write_text(f"{commit}\n")

    assert fields(desk.recorded(), "commit", "parents", "links") == [commit, [first], [PARENT]]


def test_a_git_that_shows_nothing_is_a_failure_that_is_said(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where git answers without an answer, nothing is made up."""
    desk.made()
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(AmpcommitError, match="nothing was recorded"):
        post_commit(Call(os.environ, 0, []))


@pytest.mark.usefixtures("desk")
def test_an_unborn_branch_is_a_failure_that_is_said() -> None:
    """Without a commit there is nothing to record."""
    with pytest.raises(AmpcommitError):
        post_commit(Call(os.environ, 0, []))


def test_a_ledger_that_cannot_be_written_is_a_failure_that_is_said(desk: Desk) -> None:
    """A record that is lost is not lost in silence (F12)."""
    desk.made()
    (desk.repo.path / ".git" / "ampcommit" / "ledger.jsonl").mkdir(parents=True)

    with pytest.raises(LedgerError):
        post_commit(Call(os.environ, 0, []))


@pytest.mark.parametrize(("shared", "mode"), [("", 0o600), ("group", 0o660), ("0664", 0o664)])
def test_a_new_ledger_has_the_permissions_of_the_clone(desk: Desk, shared: str, mode: int) -> None:
    """What a team shares, the whole team can write; otherwise it is the owner's alone (E39)."""
    if shared:
        desk.repo("config", "core.sharedRepository", shared)
    desk.made()
    desk.recorded()

    assert (desk.repo.path / ".git" / "ampcommit" / "ledger.jsonl").stat().st_mode & 0o777 == mode


def test_records_follow_each_other(desk: Desk) -> None:
    """Each record names the digest of the one before."""
    for number in range(3):
        desk.made(f"{SUBJECT} {number}\n\n{LINK}\n")
        desk.recorded()

    assert desk.ledger.check().count == 3


# Merges.


@pytest.fixture
def fork(desk: Desk) -> Desk:
    """A branch `side` beside the current one, which has moved on."""
    repo = desk.repo
    desk.made()
    repo("checkout", "-q", "-b", "side")
    desk.made("Add the scanner\n")
    repo("checkout", "-q", "main")
    desk.made("Add the printer\n")
    return desk


def merged(desk: Desk, *args: str, env: dict[str, str] | None = None) -> list[Record]:
    """Run the hook post-merge; return what it appended."""
    before = len(list(desk.ledger.lines()))
    assert post_merge(Call({**os.environ, **(env or {})}, 0, list(args))) == 0
    return [json.loads(line) for line in desk.ledger.lines()][before:]


def test_a_merge_is_recorded_from_its_note(fork: Desk) -> None:
    """E27: `git merge` runs commit-msg, and post-merge where others run post-commit."""
    text = f"Merge branch 'side'\n\n{LINK}\n"
    fork.leave(message=text.encode())
    fork.repo("merge", "-q", "--no-ff", "-m", text, "side")
    (record,) = merged(fork, "0")

    assert (record["commit"], record["parents"]) == (fork.repo.head(), fork.repo.head("%P").split())
    assert (record["source"], record["validated"]) == ("env", True)


def test_a_merge_without_a_note_is_recorded_from_its_links(fork: Desk) -> None:
    """E27: with `--no-verify` nobody looked at the message before."""
    fork.repo("merge", "-q", "--no-ff", "-m", f"Merge it\n\n{LINK}", "side")
    (record,) = merged(fork, "0")

    assert (record["thread"], record["source"], record["validated"]) == (PARENT, "message", False)


def test_a_fast_forward_is_nobodys_commit(fork: Desk) -> None:
    """E29: a merge that came from elsewhere is not recorded by who fetched it."""
    fork.repo("merge", "-q", "--no-ff", "-m", f"Merge it\n\n{LINK}", "side")
    merge = fork.repo.head()
    fork.repo("reset", "-q", "--hard", "HEAD^")
    fork.repo("merge", "-q", "--ff-only", merge)

    assert (fork.repo.head(), merged(fork, "0")) == (merge, [])


def test_a_commit_that_is_no_merge_was_not_merged_here(fork: Desk) -> None:
    """What a pull brought is mostly that: the reflog need not be asked."""
    fork.made()

    assert merged(fork, "0") == []


def test_without_a_reflog_only_a_note_tells_who_merged(fork: Desk) -> None:
    """Nothing else tells a merge from a fast-forward to one."""
    fork.repo("config", "core.logAllRefUpdates", "false")
    shutil.rmtree(fork.repo.path / ".git" / "logs")
    fork.repo("merge", "-q", "--no-ff", "-m", f"Merge it\n\n{LINK}", "side")

    assert merged(fork, "0") == []
    fork.leave(head=Sha(fork.repo("rev-parse", "HEAD^")), message=f"Merge it\n\n{LINK}\n".encode())
    assert len(merged(fork, "0")) == 1


@pytest.mark.parametrize(("args", "env"), [(["1"], {}), ([], {"PRE_COMMIT_IS_SQUASH_MERGE": "1"})])
def test_a_squash_made_no_commit(fork: Desk, args: list[str], env: dict[str, str]) -> None:
    """After `git merge --squash` HEAD is where it was, with a note that is for the commit to come."""
    fork.repo("merge", "-q", "--squash", "side")
    fork.leave()

    assert merged(fork, *args, env=env) == []
    assert os.path.exists(os.path.join(fork.place.private, "note"))
