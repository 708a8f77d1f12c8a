"""What is known of many commits: the same as `show` tells of each, at the price of one pass."""

import os
from pathlib import Path
from typing import Any

import pytest

from ampcommit.ledger import Ledger
from ampcommit.notes.shared import OVERSIZE, REF, REMOTES
from ampcommit.record import Sha, ThreadId
from ampcommit.verbs.log import Row, log
from ampcommit.verbs.show import known
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_gathered import handed_off
from tests.test_noted import noted, record_in, share
from tests.test_record import record_of
from tests.test_rewritten import became
from tests.test_traced import carry

ORIGIN = f"{REMOTES}origin"


def rows(repo: Repo, asked: str = "", most: int | None = None) -> list[Row]:
    """Return what is known of the commits that are asked for."""
    with log(asked, os.environ, str(repo.path), most=most) as found:
        assert found.asked == (asked or "HEAD")
        return list(found.rows)


def save(repo: Repo, *threads: str, message: str = "Add the parser") -> Sha:
    """Make a commit that links *threads*."""
    links = [word for thread in threads for word in ("--trailer", f"Amp-Thread-ID: {url(thread)}")]
    repo.commit("-q", "-m", message, *links)
    return Sha(repo.head())


def ledger(repo: Repo) -> Ledger:
    """Return the ledger of the repository, which may not exist yet."""
    (repo.path / ".git" / "ampcommit").mkdir(exist_ok=True)
    return Ledger(str(repo.path / ".git" / "ampcommit" / "ledger.jsonl"))


def brief(row: Row) -> tuple[Any, ...]:
    """Return what a row tells, to be compared."""
    return (row.commit, row.subject, row.threads, row.chain.threads, row.chain.state, row.source, row.known_by)


@pytest.fixture
def mixed(repo: Repo) -> Repo:
    """Commits of every kind: without a link, with one, recorded here, shared, claimed, amended, squashed, matched."""
    save(repo)
    save(repo, CHILD)
    mine, theirs, foreign = save(repo, CHILD), save(repo, PARENT, CHILD), save(repo, OTHER)
    amended, squashed, alike, other = save(repo, CHILD), save(repo), save(repo), save(repo, OTHER)
    same = save(repo, PARENT)
    gone = [Sha(letter * 40) for letter in "abcd"]
    chain = [ThreadId(CHILD), ThreadId(PARENT)]
    ledger(repo).append(
        record_of(mine, CHILD, chain=chain),
        record_of(gone[0], PARENT, source="use"),
        became(gone[0], amended),
        became(gone[0], same),
        record_of(gone[3], PARENT, chain_state="partial"),
        became(gone[3], alike, None, "tree"),
        became(gone[3], other),
    )
    share(repo, {theirs: noted(record_in(repo, theirs, CHILD, links=chain[::-1], source="message"))})
    share(repo, {squashed: noted(carry(squashed, gone[1]), record_of(gone[1], CHILD))})
    share(repo, {foreign: noted(record_in(repo, foreign, OTHER, chain_state="unknown"))}, ORIGIN)
    return repo


def test_a_row_tells_what_show_tells(mixed: Repo) -> None:
    """Whatever a commit is known by, both commands say the same of it."""
    found = rows(mixed)
    told = [known(row.commit, os.environ, str(mixed.path)) for row in found]

    assert [brief(row) for row in found] == [
        (one.commit, one.subject, one.threads, one.chain, one.chain_state, one.source, one.known_by) for one in told
    ]
    assert [row.remote for row in found] == [one.remote for one in told]
    assert {row.known_by for row in found} == {None, "own", "shared", "claim", "message"}


def test_only_so_many_are_listed(mixed: Repo) -> None:
    """The newest ones, or those of a range."""
    assert [row.commit for row in rows(mixed, most=2)] == [mixed("rev-parse", name) for name in ("HEAD", "HEAD~1")]
    assert len(rows(mixed, "HEAD~3..HEAD")) == 3


def test_a_chain_that_became_known_later_counts(repo: Repo) -> None:
    """Lines of kind chain tell it, in the ledger or in the note; the one that says most counts, damaged ones do not."""
    own, theirs = save(repo, CHILD), save(repo, OTHER)
    ledger(repo).append(record_of(own, CHILD, chain_state="unknown"))
    assert [row.chain.state for row in rows(repo)] == ["unknown", "unknown"]
    ledger(repo).append(handed_off(CHILD, PARENT), handed_off(CHILD), handed_off(OTHER, PARENT))
    with Path(ledger(repo).path).open("ab") as stream:
        stream.write(b'{"v":1,"kind":"chain"}\n')
    assert [row.chain.threads for row in rows(repo)] == [[OTHER, PARENT], [CHILD, PARENT]]
    share(
        repo, {theirs: noted(record_in(repo, theirs, OTHER, chain_state="partial"), handed_off(OTHER, PARENT, CHILD))}
    )

    assert [row.chain.threads for row in rows(repo)] == [[OTHER, PARENT, CHILD], [CHILD, PARENT]]


def test_files_of_threads_are_asked_once(repo: Repo, january: Path) -> None:
    """Where nothing was recorded, what lies here tells the chain of each thread."""
    assert january.exists()
    save(repo, CHILD)
    save(repo, CHILD)

    assert [row.chain.threads for row in rows(repo)] == [[CHILD, PARENT]] * 2


def test_a_shallow_clone_says_what_it_lacks(mixed: Repo, tmp_path: Path) -> None:
    """What is not here is not listed, and that is said; a policy that cannot be used is told of too."""
    mixed("clone", "-q", "--depth=2", f"file://{mixed.path}", str(tmp_path / "cut"))
    copy = Repo(tmp_path / "cut")
    copy("config", "ampcommit.mode", "sometimes")
    with log("", os.environ, str(copy.path)) as found:
        assert len(list(found.rows)) == 2
        assert any("shallow" in notice for notice in found.notices)
        assert any("sometimes" in notice or "mode" in notice for notice in found.notices)


def test_of_shared_records_the_messages_thread_is_told(repo: Repo) -> None:
    """Neither the order of bytes nor a made-up tree decides which thread a row has; `show` tells the same."""
    commit = save(repo, CHILD)
    copies = [record_in(repo, commit, PARENT), record_in(repo, commit, OTHER), record_of(commit, PARENT, source="use")]
    share(repo, {commit: noted(record_in(repo, commit, CHILD), *copies)})
    [row] = rows(repo)

    assert (row.threads[-1], row.known_by, row.source) == (CHILD, "shared", "env")
    assert row.threads == known(commit, os.environ, str(repo.path)).threads


def test_a_note_that_is_too_long_is_named_at_the_end(repo: Repo) -> None:
    """The notices are complete once all commits were read."""
    commits = [save(repo) for _ in range(12)]
    for commit in commits[:10]:
        repo("notes", f"--ref={REF}", "add", "-F", "-", commit, stdin=b"x" * (OVERSIZE + 1))
    with log("", os.environ, str(repo.path)) as found:
        assert found.notices == []
        assert len(list(found.rows)) == 12
        [said] = found.notices

    assert said.startswith("a note of more than 1 MiB was not read, of: ")
    assert said.endswith(" and 2 more")
