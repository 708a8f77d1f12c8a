"""What of a ledger is shared: which lines, in whose notes, and what a commit was made of."""

import json
import os
from pathlib import Path

import pytest

from ampcommit.carried import Carry
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.notes.published import Published
from ampcommit.notes.shared import REF, Notes, unite
from ampcommit.place import Place
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.resolved import Resolved
from ampcommit.rewritten import MOST, Rewrite
from tests.conftest import CHILD, OTHER, Repo, learned
from tests.test_shared import A, B, C, record

D = Sha("d" * 40)


def unknown(commit: Sha, thread: str = CHILD) -> Record:
    """Return a record of *commit* that does not tell where its thread came from."""
    made = record(commit, thread)
    made.chain, made.chain_state = [ThreadId(thread)], "unknown"
    return made


def became(old: Sha, new: Sha, source: str = "git") -> Rewrite:
    """Return what says that *old* became *new*."""
    return Rewrite(old=old, new=new, command="amend", source=source)


def made_of(new: Sha, *commits: Sha) -> Carry:
    """Return what says that *new* was made of *commits*."""
    return Carry(new=new, commits=list(commits), source="tree")


def kept(folder: Path, *entries: Record | Rewrite | Carry | Resolved) -> Ledger:
    """Return a ledger with *entries*."""
    ledger = Ledger(str(folder / "ledger.jsonl"))
    ledger.append(*entries, again=True)
    return ledger


def told(published: Published, kind: str) -> list[Sha]:
    """Return the commits in whose notes lines of *kind* go, in their order."""
    return [commit for commit, line in published.lines if json.loads(line)["kind"] == kind]


def test_a_learned_chain_goes_to_each_commit_that_lacks_it(tmp_path: Path) -> None:
    """Who asks about any commit of a thread learns its chain, whatever was known when the commit was recorded."""
    ledger = kept(tmp_path, unknown(A), unknown(B), learned(CHILD), record(C), unknown(D), unknown(C, OTHER))

    assert sorted(told(Published(ledger), "chain")) == [A, B, D]
    assert Published(ledger).lines == Published(ledger).lines
    assert Published(ledger).lines[-1][0] == C, "the newest commit comes last"


def test_only_the_last_that_was_learned_goes_everywhere(tmp_path: Path) -> None:
    """What was learned before stands in one note each, so that notes do not grow with each look at a thread."""
    first = learned(CHILD)
    first.chain_state = "partial"
    ledger = kept(tmp_path, unknown(A), first, unknown(B), learned(CHILD), unknown(C))
    found = [(one, json.loads(line)["chain_state"]) for one, line in Published(ledger).lines if b'"chain","t' in line]

    assert sorted(found) == [(A, "complete"), (A, "partial"), (B, "complete"), (C, "complete")]


def test_a_thread_that_is_linked_beside_another_lacks_its_chain(tmp_path: Path) -> None:
    """The chain of a record is that of its last link: of the other links it tells what lies on that chain."""
    both = record(A)
    both.links = [ThreadId(OTHER), *both.links]
    ledger = kept(tmp_path, both, record(B, OTHER), learned(OTHER), learned(CHILD))

    assert [
        (commit, json.loads(line)["thread"]) for commit, line in Published(ledger).lines if b'"chain","t' in line
    ] == [(A, OTHER), (B, OTHER), (A, CHILD)]


def test_what_a_commit_was_made_of_goes_with_it(tmp_path: Path) -> None:
    """A hook publishes what is recorded of amended, rebased and carried commits, back to the first one."""
    ledger = kept(
        tmp_path, record(A), unknown(B), made_of(C, A, B), became(C, D), record(Sha("e" * 40)), learned(CHILD)
    )

    found = Published(ledger, [D])
    assert told(found, "commit") == [A, B]
    assert (told(found, "carry"), told(found, "rewrite"), told(found, "chain")) == ([C], [D], [B])
    assert set(found.lines) <= set(Published(ledger).lines)
    assert not found.signable
    assert Published(ledger).signable


@pytest.mark.parametrize("source", ["tree", "patch-id"])
def test_a_guess_leads_to_no_other_commit(tmp_path: Path, source: str) -> None:
    """What only resembles a commit is no part of what was pushed."""
    ledger = kept(tmp_path, record(A), became(A, B, source), record(B))

    assert told(Published(ledger, [B]), "commit") == [B]


def test_commits_in_a_circle_end(tmp_path: Path) -> None:
    """A reset to what a commit was before, and amended again, is followed once."""
    ledger = kept(tmp_path, record(A), became(A, B), became(B, A), became(A, A))

    assert told(Published(ledger, [A]), "commit") == [A]


def test_the_way_back_is_bounded(tmp_path: Path) -> None:
    """A ledger that names more commits than anybody has is followed so far and no further."""
    names = [Sha(f"{number:040x}") for number in range(MOST)]
    ledger = kept(tmp_path, made_of(A, *names), made_of(B, A, *(Sha(f"{number:040x}") for number in range(9, 12))))
    kept(tmp_path, record(names[-1]), record(names[0]))

    assert told(Published(ledger, [B]), "commit") == [names[0]]


def test_a_damaged_line_is_passed_over(tmp_path: Path) -> None:
    """What is no line of ours, or half of one, is not shared, and stops nothing."""
    ledger = kept(tmp_path, record(A))
    with Path(ledger.path).open("ab") as file:
        file.write(b'{"v":1,"kind":"chain",\n{"v":1,"kind":"commit","commit":"%b"\nx\n' % A.encode())

    assert [commit for commit, _ in Published(ledger).lines] == [A]
    assert [commit for commit, _ in Published(ledger, [A]).lines] == [A]


def test_a_note_that_is_too_long_gets_nothing(repo: Repo, tmp_path: Path) -> None:
    """Lines for it count as known while it is, and its commit is named."""
    place = Place(str(repo.path / ".git"), str(repo.path))
    git = Git(place.git_dir, clean(os.environ, place.git_dir))
    unite(git, place, REF, {A: [b"x" * 2_000_000], C: [b"x" * 2_000_000], B: [b"x"]})
    published = Published(kept(tmp_path, record(A), record(B)))

    assert [commit for commit, _ in published.beyond(Notes(git))] == [B]
    assert published.notices() == [f"the note of {A} is too long: what is recorded of it is not shared"]
    assert [commit for commit, _ in published.beyond(Notes(git, "refs/notes/none"))] == [A, B]
    assert published.notices() == []


def test_nothing_to_share_asks_nobody(repo: Repo, tmp_path: Path) -> None:
    """Without a line of ours no note is read."""
    git = Git(str(repo.path / "gone"))

    assert Published(Ledger(str(tmp_path / "none"))).beyond(Notes(git)) == []
    assert Published(kept(tmp_path, record(A)), []).lines == []
