"""What is known of a commit, and which records are found."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import MisuseError, SetupError
from ampcommit.imported import Imported
from ampcommit.ledger import Ledger
from ampcommit.notes.shared import OVERSIZE, REMOTES
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.resolved import Resolved
from ampcommit.verbs.rebuild import rebuild
from ampcommit.verbs.show import NEWEST, Shown, known, ledger_of, listed, show
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_changes import commit_of
from tests.test_noted import noted, record_in, share
from tests.test_record import record_of
from tests.test_rewritten import became
from tests.test_traced import carry

Enter = Callable[[str], None]

LINK = f"Amp-Thread-ID: {url(PARENT)}"
SUBJECT = "Add the parser"


@pytest.fixture
def linked(installed: Repo, agent: Enter, january: Path) -> Repo:
    """A clone with one commit of the child thread, recorded with its chain."""
    assert january.exists()
    agent(CHILD)
    installed.commit("-q", "-m", SUBJECT)
    return installed


def shown(repo: Repo, revision: str = "HEAD") -> Shown:
    """Return what is known of a commit."""
    return show(revision, os.environ, str(repo.path))


def lines(repo: Repo, commit: str = "", thread: str = "") -> list[dict[str, Any]]:
    """Return the records found, parsed."""
    return [json.loads(line) for line in listed(commit, thread, os.environ, str(repo.path))]


def foreign(repo: Repo, *texts: str) -> None:
    """Append lines that this version did not write."""
    with Path(ledger_of(os.environ, str(repo.path)).path).open("a") as file:
        file.writelines(f"{text}\n" for text in texts)


# One commit.


def test_a_recorded_commit_is_shown_with_its_chain(linked: Repo) -> None:
    """The record says which threads led here, and how that is known."""
    found = shown(linked)

    assert (found.commit, found.subject) == (linked.head(), SUBJECT)
    assert (found.threads, found.chain, found.chain_state) == ([CHILD], [CHILD, PARENT], "complete")
    assert (found.source, found.validated, len(found.records)) == ("env", True, 1)


@pytest.mark.parametrize("name", ["HEAD", "main", "@", "v1", ":/Add", "{full}", "{short}", "{upper}"])
def test_a_commit_is_named_as_git_names_it(linked: Repo, name: str) -> None:
    """Whatever names a commit for git names it for us."""
    linked("tag", "-a", "-m", "first", "v1")
    full = linked.head()

    assert shown(linked, name.format(full=full, short=full[:7], upper=full.upper())).commit == full


NO_COMMIT = [
    "nosuch",
    "",
    "HEAD^{tree}",
    "HEAD^99",
    "0" * 40,
    "--all",
    "--output=x",
    "-h",
    "a b",
    "^HEAD",
    "HEAD..HEAD",
]


@pytest.mark.parametrize("name", NO_COMMIT)
def test_what_names_no_commit_is_a_misuse(linked: Repo, name: str) -> None:
    """A wrong name is exit 2 with a hint, and never an option of git's (S05, S06)."""
    with pytest.raises(MisuseError) as caught:
        shown(linked, name)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert not (linked.path / "x").exists()


def test_a_commit_without_a_record_speaks_for_itself(repo: Repo, january: Path) -> None:
    """Where nothing was recorded, the link in the message is a claim, and its chain is looked up."""
    assert january.exists()
    repo.commit("-q", "-m", SUBJECT, "--trailer", f"Amp-Thread-ID: {url(CHILD)}")
    found = shown(repo)

    assert (found.threads, found.chain, found.chain_state) == ([CHILD], [CHILD, PARENT], "complete")
    assert (found.source, found.validated, found.records) == ("message", None, [])


def test_a_commit_without_a_link_is_shown_as_such(repo: Repo) -> None:
    """Unknown is an answer."""
    repo.commit("-q", "-m", SUBJECT)
    found = shown(repo)

    assert (found.threads, found.chain, found.chain_state, found.source) == ([], [], "unknown", None)


def test_a_link_on_a_host_of_the_policy_is_seen(repo: Repo) -> None:
    """What the policy trusts is a link for whoever looks."""
    repo("config", "ampcommit.host", "amp.example.com")
    repo.commit("-q", "-m", SUBJECT, "--trailer", LINK.replace("ampcode.com", "amp.example.com"))

    assert shown(repo).threads == [PARENT]


def test_several_records_of_one_commit_are_united(linked: Repo) -> None:
    """No thread that was recorded for a commit is hidden by a newer record."""
    newer = {**lines(linked)[0], "links": [OTHER], "thread": OTHER, "chain": [OTHER], "source": "message"}
    foreign(linked, json.dumps(newer))
    found = shown(linked)

    assert (found.threads, found.chain, found.source) == ([CHILD, OTHER], [OTHER], "message")
    assert len(found.records) == 2


STRANGE: dict[str, dict[str, Any]] = {
    "unknown kind": {"v": 1, "kind": "rewrite", "old": "{commit}", "new": "{commit}"},
    "another kind with a commit": {"v": 1, "kind": "chain", "commit": "{commit}"},
    "newer version": {"v": 9, "kind": "evidence", "commit": "{commit}", "links": None, "chain": 7, "thread": ["x"]},
    "no links": {"v": 1, "kind": "commit", "commit": "{commit}"},
    "null everywhere": {"v": 1, "kind": "commit", "commit": "{commit}", "links": None, "chain": None, "source": None},
    "wrong types": {"v": 1, "kind": "commit", "commit": "{commit}", "links": 5, "chain": {"a": 1}, "source": ["x"]},
    "lists in lists": {"v": 1, "kind": "commit", "commit": "{commit}", "links": [[], {}, None], "chain": [3]},
    "list of commits": {"v": 1, "kind": "carry", "commits": ["{commit}"], "commit": ["{commit}"]},
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_records_that_this_version_does_not_know_are_in_nobodys_way(linked: Repo, fields: dict[str, Any]) -> None:
    """Unknown kinds, fields and types are kept and ignored; what is known is still shown."""
    foreign(linked, json.dumps(fields).replace("{commit}", linked.head()))

    assert CHILD in shown(linked).threads
    assert lines(linked, commit=linked.head())[0]["thread"] == CHILD
    assert lines(linked, thread=CHILD)[0]["thread"] == CHILD


@pytest.mark.parametrize(
    "text", ["not JSON {commit} {thread}", '["{commit}", "{thread}"]', '{"commit":"{commit}"', "\0"]
)
def test_a_damaged_line_is_in_nobodys_way(linked: Repo, text: str) -> None:
    """What is damaged is for `ledger check` to report; the other records are still found."""
    foreign(linked, text.replace("{commit}", linked.head()).replace("{thread}", CHILD))

    assert shown(linked).threads == [CHILD]
    assert [line["thread"] for line in lines(linked, commit=linked.head())] == [CHILD]
    assert [line["thread"] for line in lines(linked, thread=CHILD)] == [CHILD]


def test_outside_a_repository_is_the_environments_fault(tmp_path: Path) -> None:
    """Exit 3 says that the surroundings do not allow it."""
    with pytest.raises(SetupError) as caught:
        show("HEAD", os.environ, str(tmp_path))

    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "config", ["log.showSignature true", "gpg.program ./owner", "core.pager ./owner", "i18n.logOutputEncoding UTF-16"]
)
def test_what_is_shown_does_not_depend_on_settings(linked: Repo, config: str) -> None:
    """Nothing that a repository configures is run, or changes what is shown (S11)."""
    linked("config", *config.split(" ", 1))

    assert (shown(linked).subject, shown(linked).threads) == (SUBJECT, [CHILD])


def test_the_real_message_is_shown(linked: Repo) -> None:
    """A replaced commit is not what was committed (S13)."""
    commit = linked.head()
    other = linked("commit-tree", "-m", "Another story", "HEAD^{tree}")
    linked("replace", commit, other)

    assert shown(linked, commit).subject == SUBJECT


# What became known later.


def open_commit(repo: Repo, agent: Enter) -> Repo:
    """Make a commit of the child thread while nobody here knows where it came from."""
    agent(CHILD)
    repo.commit("-q", "-m", SUBJECT)

    assert shown(repo).chain_state == "unknown"
    return repo


def learned(thread: str, chain: list[str], state: str) -> Resolved:
    """Return a line that tells the chain of *thread*."""
    return Resolved(
        thread=ThreadId(thread),
        chain=[ThreadId(one) for one in chain],
        chain_state=state,
        parents={},
        source="amp",
        time="2026-11-20T08:15:30Z",
        by="ampcommit 0.1.0",
    )


def test_a_chain_that_became_known_later_is_shown(installed: Repo, agent: Enter) -> None:
    """The line that says most counts; lines about other threads, and damaged ones, do not."""
    repo = open_commit(installed, agent)
    ledger = ledger_of(os.environ, str(repo.path))
    foreign(repo, json.dumps({"v": 1, "kind": "chain", "thread": CHILD}, separators=(",", ":")))
    for line in (
        learned(CHILD, [CHILD, PARENT], "partial"),
        learned(CHILD, [CHILD, PARENT, OTHER], "partial"),
        learned(CHILD, [CHILD], "a state of the future"),
        learned(PARENT, [PARENT, CHILD], "complete"),
    ):
        ledger.append(line)
    assert (shown(repo).chain, shown(repo).chain_state) == ([CHILD, PARENT, OTHER], "partial")

    ledger.append(learned(CHILD, [CHILD, OTHER], "complete"))
    assert (shown(repo).chain, shown(repo).chain_state) == ([CHILD, OTHER], "complete")


def test_what_lies_here_since_is_shown(installed: Repo, agent: Enter, january: Path) -> None:
    """Files that were brought in after the commit tell its chain; the record says what was known then."""
    files = list(january.iterdir())
    kept = [(file, file.read_bytes()) for file in files]
    for file in files:
        file.unlink()
    repo = open_commit(installed, agent)
    for file, content in kept:
        file.write_bytes(content)

    assert (shown(repo).chain, shown(repo).chain_state) == ([CHILD, PARENT], "complete")
    assert shown(repo).records[0]["chain_state"] == "unknown"


# What no hook saw.


@pytest.fixture
def copied(linked: Repo) -> Repo:
    """A clone with a recorded commit at HEAD, and a plumbing copy of it on another base at `moved`."""
    (linked.path / "f").write_text("1\n")
    linked("add", "f")
    linked.commit("-q", "-m", "Add a file")
    linked(
        "update-ref",
        "refs/heads/moved",
        commit_of(linked, {"f": b"1\n", "g": b"1\n"}, commit_of(linked, {"g": b"1\n"})),
    )
    return linked


def test_a_plumbing_copy_is_shown_with_what_it_was_made_from(copied: Repo) -> None:
    """E21: what `commit-tree` made of a recorded commit has its threads; how that is known is told, and no more."""
    reworded = commit_of(copied, {"f": b"1\n"}, copied("rev-parse", "HEAD~1"), message="Say it better")
    before = Path(ledger_of(os.environ, str(copied.path)).path).read_bytes()

    for revision, source in ((reworded, "tree"), ("moved", "patch-id")):
        found = shown(copied, revision)
        assert [(one.old, one.new, one.source) for one in found.rewritten] == [(copied.head(), found.commit, source)]
        assert (found.threads, found.chain, found.chain_state) == ([CHILD], [CHILD, PARENT], "complete")
        assert (found.source, found.validated) == (source, False)
        assert [fields["commit"] for fields in found.records] == [copied.head()]
    assert Path(ledger_of(os.environ, str(copied.path)).path).read_bytes() == before


def test_what_was_rebuilt_is_shown_the_same(copied: Repo) -> None:
    """`ledger rebuild` writes down what `show` finds by itself, and the one tells no more than the other."""
    before = shown(copied, "moved")
    assert rebuild("", os.environ, str(copied.path)).by_patch == 1
    after = shown(copied, "moved")

    for name in ("threads", "chain", "chain_state", "source", "validated", "records"):
        assert getattr(after, name) == getattr(before, name)
    assert [(one.old, one.source) for one in after.rewritten] == [(one.old, one.source) for one in before.rewritten]


def test_a_copy_of_a_rewritten_commit_knows_all_that_led_to_it(copied: Repo, agent: Enter) -> None:
    """What is behind the commit that was copied is behind the copy."""
    old = copied.head()
    agent(OTHER)
    copied("commit", "-q", "--amend", "-m", "Add a file again")
    ledger_of(os.environ, str(copied.path)).append(became(Sha(old), Sha(copied.head())))
    found = shown(copied, "moved")

    assert (found.threads, found.source) == ([CHILD, OTHER], "patch-id")
    assert [(one.old, one.source) for one in found.rewritten] == [(copied.head(), "patch-id"), (old, "git")]


def test_what_git_tells_of_a_copy_is_as_good_as_a_copy(copied: Repo) -> None:
    """A rebase of a plumbing copy: git's word for the last step, and for the first one what it is."""
    copy = copied("rev-parse", "moved")
    last = commit_of(copied, {"f": b"3\n"})
    lines = [became(Sha(copied.head()), Sha(copy), None, "patch-id"), became(Sha(copy), Sha(last))]
    ledger_of(os.environ, str(copied.path)).append(*lines)

    assert (shown(copied, last).threads, shown(copied, last).source, shown(copied, last).validated) == (
        [CHILD],
        "patch-id",
        False,
    )


def test_a_commit_that_says_it_itself_is_not_compared(copied: Repo) -> None:
    """A link of its own is what a commit is known by, whatever it resembles."""
    text = f"Say it\n\nAmp-Thread-ID: {url(OTHER)}"
    new = commit_of(copied, {"f": b"1\n"}, copied("rev-parse", "HEAD~1"), message=text)

    assert (shown(copied, new).threads, shown(copied, new).source, shown(copied, new).rewritten) == (
        [OTHER],
        "message",
        [],
    )


def test_what_leads_nowhere_is_shown_behind_what_was_found(copied: Repo) -> None:
    """A line about a commit of which nothing is known hides nothing, and stays to be seen."""
    copy = copied("rev-parse", "moved")
    ledger_of(os.environ, str(copied.path)).append(became(Sha("a" * 40), Sha(copy)))
    found = shown(copied, "moved")

    assert (found.threads, [one.source for one in found.rewritten]) == ([CHILD], ["patch-id", "git"])


def test_unrelated_commits_stay_unknown(copied: Repo) -> None:
    """Empty commits, two candidates, another date: unknown is an answer."""
    base = copied("rev-parse", "HEAD~1")
    empty = copied("commit-tree", "-p", "HEAD", "-m", "x", "HEAD^{tree}")
    dated = commit_of(copied, {"f": b"1\n"}, base, GIT_AUTHOR_DATE="1500000001 +0000")
    assert [shown(copied, one).threads for one in (empty, dated)] == [[], []]
    copied("reset", "-q", "--hard", base)
    (copied.path / "f").write_text("1\n")
    copied("add", "f")
    copied.commit("-q", "-m", "Add a file once more")

    assert (shown(copied, "moved").threads, shown(copied, "moved").rewritten) == ([], [])


def test_only_the_newest_records_are_compared(copied: Repo) -> None:
    """In a long ledger `show` looks at its end, so that nobody waits; docs/limits.md names the number."""
    with Path(ledger_of(os.environ, str(copied.path)).path).open("ab") as file:
        file.writelines(b'{"v":1,"kind":"commit","commit":"%040x"}\n' % number for number in range(NEWEST))

    assert shown(copied, "moved").threads == []
    assert shown(copied, "HEAD").threads == [CHILD]


def test_what_cannot_be_compared_is_unknown(copied: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for the comparison, a commit is as unknown as without it, and no error."""
    assert shown(copied, "moved").threads == [CHILD]
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")

    assert (shown(copied, "moved").threads, shown(copied, "HEAD").threads) == ([], [CHILD])


# Where it is on the web.

HUB = "https://github.com/owner/repo"


def on_the_web(repo: Repo, revision: str = "HEAD") -> tuple[str | None, dict[str, object] | None]:
    """Return the page of a commit, and its request."""
    found = shown(repo, revision)
    return found.page, found.request.as_dict() if found.request else None


@pytest.mark.parametrize(
    ("origin", "base"),
    [
        ("https://github.com/owner/repo.git", HUB),
        ("https://user:ghp_secret@github.com/owner/repo.git", HUB),
        ("ssh://git@ssh.github.com:443/owner/repo.git", HUB),
        ("git@github.com:owner/repo.git", HUB),
        ("https://github.corp.example:8443/owner/repo", "https://github.corp.example:8443/owner/repo"),
    ],
)
def test_a_commit_on_github(linked: Repo, origin: str, base: str) -> None:
    """Its page, and the request that its subject names, whichever way the remote is written."""
    linked("remote", "add", "origin", origin)
    linked.commit("-q", "-m", "Add the scanner (#12)")

    assert on_the_web(linked) == (
        f"{base}/commit/{linked.head()}",
        {"number": 12, "url": f"{base}/pull/12", "source": "subject"},
    )
    assert on_the_web(linked, "HEAD^") == (f"{base}/commit/{linked('rev-parse', 'HEAD^')}", None)


def test_a_commit_on_gitlab(linked: Repo) -> None:
    """Subgroups belong to the address; a merge names its request in its message."""
    linked("remote", "add", "origin", "git@gitlab.com:group/sub/repo.git")
    base = "https://gitlab.com/group/sub/repo/-"
    copy = linked("commit-tree", "-p", "HEAD", "-m", "Side", "HEAD^{tree}")
    linked("merge", "-q", "--no-ff", "-m", "Merge it\n\nSee merge request group/sub/repo!7", copy)

    assert on_the_web(linked) == (
        f"{base}/commit/{linked.head()}",
        {"number": 7, "url": f"{base}/merge_requests/7", "source": "message"},
    )


@pytest.mark.parametrize("origin", ["", "/srv/repo.git", "https://git.corp.example/owner/repo", "work:owner/repo"])
def test_a_commit_that_is_nowhere_on_the_web(linked: Repo, origin: str) -> None:
    """No remote, one on this machine, a forge that nobody names: nothing is guessed."""
    if origin:
        linked("remote", "add", "origin", origin)
    linked.commit("-q", "-m", "Add the scanner (#12)")

    assert on_the_web(linked) == (None, None)


def test_a_request_is_known_by_its_ref(linked: Repo) -> None:
    """Also for a commit of which no thread is known."""
    linked("remote", "add", "origin", HUB)
    other = linked("commit-tree", "-m", "Another story", "HEAD^{tree}")
    linked("update-ref", "refs/pull/3/head", other)

    assert shown(linked, other).threads == []
    assert on_the_web(linked, other)[1] == {"number": 3, "url": f"{HUB}/pull/3", "source": "ref"}


def test_the_web_costs_three_questions_at_most(linked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote, the refs, what they contain; without refs of requests one less, without a remote only the first."""
    log, real = tmp_path / "asked", shutil.which("git")
    (tmp_path / "git").write_text(f"#!/bin/sh\necho x >>'{log}'\nexec {real} \"$@\"\n")
    (tmp_path / "git").chmod(0o755)
    path = os.environ["PATH"]

    def more() -> int:
        counts = []
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{path}")
        for look in (known, show):
            log.write_text("")
            look("HEAD", os.environ, str(linked.path))
            counts.append(len(log.read_text().split()))
        monkeypatch.setenv("PATH", path)
        return counts[1] - counts[0]

    assert more() == 1
    linked("remote", "add", "origin", HUB)
    assert more() == 2
    linked("update-ref", "refs/remotes/origin/HEAD", "HEAD")
    linked("update-ref", "refs/pull/3/head", linked("commit-tree", "-p", "HEAD", "-m", "Next", "HEAD^{tree}"))
    assert more() == 3
    linked.commit("-q", "-m", "Add the scanner (#12)")
    assert more() == 1


# Records as they are.


def test_all_records_are_listed_as_they_are(linked: Repo) -> None:
    """Without a filter every line comes, byte for byte, in order, also those that are no records."""
    foreign(linked, "<<<<<<< HEAD")
    whole = Path(ledger_of(os.environ, str(linked.path)).path).read_bytes()

    assert b"".join(line + b"\n" for line in listed("", "", os.environ, str(linked.path))) == whole


def test_without_a_ledger_nothing_is_listed(repo: Repo) -> None:
    """A clone without hooks has no records, and that is no error."""
    repo.commit("-q", "-m", SUBJECT)

    assert lines(repo) == lines(repo, commit="HEAD") == lines(repo, thread=PARENT) == []


@pytest.mark.parametrize("name", ["HEAD", "{full}", "{short}", "{upper}"])
def test_records_of_one_commit(linked: Repo, name: str) -> None:
    """A commit is named in full or in short; only its own records come, not those of its children."""
    linked.commit("-q", "-m", "Add the scanner")
    full = linked.head()

    found = lines(linked, commit=name.format(full=full, short=full[:8], upper=full.upper()))
    assert [line["commit"] for line in found] == [full]


def test_records_of_a_commit_that_git_has_forgotten(linked: Repo) -> None:
    """The ledger outlives commits: a full id is looked up as it is."""
    foreign(linked, json.dumps({"v": 1, "kind": "import", "commit": "ab" * 20}))

    assert [line["kind"] for line in lines(linked, commit="ab" * 20)] == ["import"]


@pytest.mark.parametrize("name", ["nosuch", "abcdef0", "--all"])
def test_records_of_no_commit_are_a_misuse(linked: Repo, name: str) -> None:
    """An abbreviation of nothing is exit 2."""
    with pytest.raises(MisuseError):
        lines(linked, commit=name)


NAMES = ["{0}", "{1}", "@{0}", "https://ampcode.com/threads/{0}", "https://AMPCODE.com:443/threads/{1}/?a=b#c"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("thread", [CHILD, PARENT], ids=["last link", "ancestor"])
def test_records_of_one_thread(linked: Repo, name: str, thread: str) -> None:
    """A thread is named by its id in any case, as a mention or by its link; ancestors count."""
    assert [line["thread"] for line in lines(linked, thread=name.format(thread, thread.upper()))] == [CHILD]
    assert lines(linked, thread=OTHER) == []


def test_a_thread_is_named_by_a_link_on_a_host_of_the_policy(linked: Repo) -> None:
    """What the policy trusts can be pasted."""
    linked("config", "ampcommit.host", "amp.example.com")

    assert lines(linked, thread=url(CHILD).replace("ampcode.com", "amp.example.com"))


@pytest.mark.parametrize("name", ["T-1", "thread", "https://evil.example/threads/" + CHILD, "T-../../etc/passwd"])
def test_what_names_no_thread_is_a_misuse(linked: Repo, name: str) -> None:
    """A wrong name is exit 2 with a hint."""
    with pytest.raises(MisuseError) as caught:
        lines(linked, thread=name)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)


def test_records_of_a_commit_and_a_thread(linked: Repo) -> None:
    """Both filters hold at once."""
    first = linked.head()
    linked.commit("-q", "-m", "Add the scanner")

    assert [line["commit"] for line in lines(linked, commit=first, thread=CHILD)] == [first]
    assert lines(linked, commit=first, thread=OTHER) == []


def test_an_id_in_another_field_is_no_hit(linked: Repo) -> None:
    """A search by bytes is only the first step: parents and digests are not commits."""
    linked.commit("-q", "-m", "Add the scanner")
    foreign(linked, json.dumps({"v": 1, "kind": "x", "note": CHILD, "parents": [linked.head()]}))

    assert len(lines(linked, thread=CHILD)) == 2
    assert len(lines(linked, commit="HEAD")) == 1


def test_the_ledger_is_found_from_any_work_tree(linked: Repo, tmp_path: Path) -> None:
    """All work trees of a clone have one ledger."""
    linked("worktree", "add", "-q", str(tmp_path / "wt"))

    assert ledger_of(os.environ, str(tmp_path / "wt")).path == ledger_of(os.environ, str(linked.path)).path
    assert isinstance(ledger_of(os.environ, str(linked.path)), Ledger)


# What others recorded.


ORIGIN, FORK = f"{REMOTES}origin", f"{REMOTES}fork"


def plain(repo: Repo, thread: str = CHILD) -> Sha:
    """Make a commit that links *thread* where no hooks are."""
    repo.commit("-q", "-m", SUBJECT, "--trailer", f"Amp-Thread-ID: {url(thread)}")
    return Sha(repo.head())


def tellers(found: Shown) -> list[tuple[str, str]]:
    """Return commit and teller of each record."""
    return [(fields["commit"][0], fields["known_by"]) for fields in found.records]


def test_a_shared_record_is_shown_as_one(repo: Repo) -> None:
    """A reviewer sees what the author's clone recorded, and that it was shared."""
    commit = plain(repo)
    share(repo, {commit: noted(record_in(repo, commit, CHILD, chain=[ThreadId(CHILD), ThreadId(PARENT)]))})
    found = shown(repo)

    assert (found.threads, found.chain, found.source) == ([CHILD], [CHILD, PARENT], "env")
    assert (found.known_by, found.remote, found.validated) == ("shared", None, True)
    assert [fields["known_by"] for fields in found.records] == ["shared"]
    assert "branch" not in found.records[0]


def test_a_claim_is_shown_as_one(repo: Repo) -> None:
    """What was only fetched says from whom; what is shared weighs more, and then nothing of it is shown."""
    commit = plain(repo)
    share(repo, {commit: noted(record_in(repo, commit, CHILD), record_in(repo, commit, OTHER, time=""))}, FORK)
    found = shown(repo)
    assert ({*found.threads}, found.known_by, found.remote) == ({CHILD, OTHER}, "claim", "fork")
    assert len(found.records) == 2
    share(repo, {commit: noted(record_in(repo, commit, CHILD))})

    assert (shown(repo).threads, shown(repo).known_by, len(shown(repo).records)) == ([CHILD], "shared", 1)


def test_of_shared_records_the_messages_thread_is_shown(repo: Repo) -> None:
    """A stranger's copy with another thread, whatever its bytes, does not stand in for the one that the message links;
    nor does one with a made-up tree, even where it is the only one.
    """
    commit = plain(repo)
    for other in (OTHER, PARENT):
        share(repo, {commit: noted(record_in(repo, commit, CHILD), record_in(repo, commit, other))})
        found = shown(repo)
        assert (found.threads[-1], found.source, found.known_by) == (CHILD, "env", "shared")
    commit = plain(repo)
    share(repo, {commit: noted(record_of(commit, OTHER))})

    assert (shown(repo).threads, shown(repo).known_by) == ([CHILD], "message")


def test_a_shared_chain_of_the_messages_thread_is_shown(repo: Repo) -> None:
    """What a colleague learned of the chain counts for a commit without a record, too."""
    commit = plain(repo)
    share(repo, {commit: noted(learned(CHILD, [CHILD, PARENT], "complete"))})

    assert (shown(repo).chain, shown(repo).chain_state, shown(repo).known_by) == (
        [CHILD, PARENT],
        "complete",
        "message",
    )


def test_a_note_that_is_too_long_is_a_warning(repo: Repo) -> None:
    """What was not read is not silently passed over; the commit is shown as the message tells."""
    commit = plain(repo)
    repo("notes", f"--ref={ORIGIN}", "add", "-F", "-", commit, stdin=b"x" * (OVERSIZE + 1))

    assert (shown(repo).threads, shown(repo).known_by) == ([CHILD], "message")
    assert shown(repo).warnings == [
        f"a note of more than 1 MiB was not read, of: {commit[:12]}, as fetched from origin"
    ]


def test_the_message_alone_is_known_by_the_message(repo: Repo) -> None:
    """Notes of other commits, and foreign ones, say nothing of this one."""
    commit = plain(repo)
    share(repo, {commit: [b"hello"], Sha("a" * 40): noted(record_of("a" * 40))})
    found = shown(repo)

    assert (found.threads, found.source, found.known_by, found.records) == ([CHILD], "message", "message", [])
    repo.commit("-q", "-m", "Without a link")
    assert (shown(repo).known_by, shown(repo).remote) == (None, None)


def test_what_was_shared_from_here_is_shown_once(linked: Repo) -> None:
    """The own record and the shared one say the same; the own one is shown."""
    share(linked, {Sha(linked.head()): noted(Record.from_bytes(json.dumps(lines(linked)[0]).encode()))})
    found = shown(linked)

    assert ([fields["known_by"] for fields in found.records], found.known_by) == (["own"], "own")


def test_a_rebuilt_record_gives_way_to_one_that_saw_more(repo: Repo) -> None:
    """What was read from the message later knows less than what the agent's shell said; both are shown."""
    commit = plain(repo)
    assert rebuild("", os.environ, str(repo.path)).recorded == 1
    assert (shown(repo).source, shown(repo).known_by) == ("rebuilt", "own")
    share(repo, {commit: noted(record_in(repo, commit, CHILD))})
    found = shown(repo)

    assert (found.source, found.known_by) == ("env", "shared")
    assert [fields["known_by"] for fields in found.records] == ["shared", "own"]


def test_a_squashed_commit_shows_the_branch_that_was_carried(repo: Repo) -> None:
    """GitLab drops the body of the message: the notes still know all threads; so does a line of the own ledger."""
    repo.commit("-q", "-m", "Squash the branch")
    commit, branch = Sha(repo.head()), [Sha("a" * 40), Sha("b" * 40)]
    share(repo, {commit: noted(carry(commit, *branch), record_of(branch[0], PARENT), record_of(branch[1], CHILD))})
    found = shown(repo)

    assert (found.threads, found.source, found.known_by) == ([PARENT, CHILD], "env", "shared")
    assert [(one.old, one.command, one.source) for one in found.rewritten] == [
        (one, "carry", "range") for one in branch
    ]
    assert found.validated is False
    ledger = ledger_of(os.environ, str(repo.path))
    ledger.append(carry(commit, *branch))
    assert [one.known_by for one in shown(repo).rewritten] == ["own", "own"]
    assert shown(repo).known_by == "shared"


def test_a_rewritten_commit_shows_what_a_colleague_knew(repo: Repo) -> None:
    """Somebody rebased a commit, and shared what it was made from; who made that shared its record."""
    commit, old = plain(repo), Sha("a" * 40)
    share(repo, {commit: noted(became(old, commit))})
    share(repo, {old: noted(record_of(old, CHILD))}, ORIGIN)
    assert (shown(repo).source, shown(repo).known_by) == ("env", "claim")
    share(repo, {old: noted(record_of(old, CHILD))})

    assert (tellers(shown(repo)), shown(repo).known_by) == ([("a", "shared")], "shared")


def test_a_chain_in_the_note_is_taken_over(repo: Repo) -> None:
    """What a colleague learned of the chain later stands in the same note; what says less does not count."""
    commit = plain(repo)
    record = record_in(repo, commit, CHILD, chain_state="unknown")
    share(repo, {commit: noted(record, learned(CHILD, [CHILD, PARENT], "complete"), learned(OTHER, [OTHER], "cycle"))})

    assert (shown(repo).chain, shown(repo).chain_state) == ([CHILD, PARENT], "complete")


def test_of_a_squash_of_many_the_own_records_are_found(repo: Repo) -> None:
    """However many commits a note names, what the ledger says of each counts."""
    repo.commit("-q", "-m", "Squash the branch")
    commit, branch = Sha(repo.head()), [Sha(f"{number:040x}") for number in range(200)]
    share(repo, {commit: noted(carry(commit, *branch))})
    own = ledger_of(os.environ, str(repo.path))
    Path(own.path).parent.mkdir(exist_ok=True)
    own.append(*(record_of(old, CHILD) for old in branch))

    assert [fields["commit"] for fields in shown(repo).records] == branch


def test_a_copy_of_a_shared_commit_is_unknown(repo: Repo) -> None:
    """Only the own ledger is searched for what a commit resembles."""
    repo.commit("-q", "-m", SUBJECT)
    share(repo, {Sha("a" * 40): noted(record_of("a" * 40))})

    assert shown(repo).threads == []


def test_notes_cost_three_processes(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit is looked up in the notes with three more questions to git; without notes there is none."""
    commit = plain(repo)
    real = shutil.which("git")
    counted = tmp_path / "bin" / "git"
    counted.parent.mkdir()
    counted.write_text(f'#!/bin/sh\necho x >>"{tmp_path}/count"\nexec "{real}" "$@"\n')
    counted.chmod(0o755)
    counts = []
    for notes in ({}, {commit: noted(record_in(repo, commit, CHILD))}):
        if notes:
            share(repo, notes)
        (tmp_path / "count").write_text("")
        with monkeypatch.context() as patched:
            patched.setenv("PATH", f"{counted.parent}{os.pathsep}{os.environ['PATH']}")
            known("HEAD", os.environ, str(repo.path))
        counts.append(len((tmp_path / "count").read_text().splitlines()))

    assert counts[1] <= counts[0] + 3


# What was imported.


def claim(line: bytes) -> Imported:
    """Return what a line of somebody's ledger says, as it was imported."""
    said = Imported.of_line(line, "jsonl", "team.jsonl")
    assert said
    return said


def test_what_was_imported_is_a_claim_beside_the_rest(linked: Repo) -> None:
    """An import changes nothing of what is known, and is told apart from it, what the commit was made from first."""
    before, commit, old = shown(linked), Sha(linked.head()), Sha("a" * 40)
    assert before.claims == []
    ledger = ledger_of(os.environ, str(linked.path))
    records = [record_of(commit, OTHER), record_of(old, PARENT), record_of("b" * 40, PARENT)]
    for line in (became(old, commit).to_bytes(), *(one.to_bytes() for one in records)):
        ledger.append(claim(line))
    found = shown(linked)

    assert [(one.about, one.links) for one in found.claims] == [(old, [PARENT]), (commit, [OTHER])]
    assert (found.threads, found.chain, found.known_by) == (before.threads, before.chain, "own")
    assert found.records == before.records


def test_a_commit_of_which_only_a_claim_is_known_has_no_thread(repo: Repo) -> None:
    """Whoever wrote the file says so; nobody here does."""
    repo.commit("-q", "-m", SUBJECT)
    ledger_of(os.environ, str(repo.path)).append(claim(record_of(Sha(repo.head()), OTHER).to_bytes()))
    found = shown(repo)

    assert (found.threads, found.source, found.known_by, found.records) == ([], None, None, [])
    assert [one.links for one in found.claims] == [[OTHER]]


def test_what_is_claimed_of_an_amended_commit_is_not_lost(linked: Repo) -> None:
    """A claim is about the commit that it names; once that was amended, it is told of what it became, each once."""
    old = Sha(linked.head())
    ledger = ledger_of(os.environ, str(linked.path))
    ledger.append(claim(record_of(old, OTHER).to_bytes()))
    linked.commit("-q", "--amend", "-m", "Add a better parser")
    ledger.append(claim(became(old, Sha(linked.head())).to_bytes()))

    assert [(one.about, one.links) for one in shown(linked).claims] == [(old, [OTHER])]


def test_what_was_imported_about_a_commit_is_listed(linked: Repo) -> None:
    """`ledger list` finds claims by the commit that they are about, and by their threads, too."""
    commit = linked.head()
    ledger = ledger_of(os.environ, str(linked.path))
    ledger.append(claim(record_of(Sha(commit), OTHER).to_bytes()))
    ledger.append(claim(became(Sha("a" * 40), Sha(commit)).to_bytes()))

    assert [one["kind"] for one in lines(linked, commit)] == ["commit", "import", "import"]
    assert [one["about"] for one in lines(linked, commit, OTHER)] == [commit]
    assert lines(linked, "a" * 40) == []
