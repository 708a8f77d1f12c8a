"""What lines of the ledger and of notes say of commits: which are read, how far, and which are believed."""

import json
import os
from collections.abc import Collection, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.gitcmd import Git
from ampcommit.notes.noted import Line, Shelf, trees
from ampcommit.notes.shared import OVERSIZE, REF
from ampcommit.notes.told import LEVELS, Account, Kept, Step, read
from ampcommit.notes.traced import traced
from ampcommit.place import Place
from ampcommit.record import Sha
from tests.conftest import CHILD, OTHER, PARENT, Repo
from tests.test_noted import here, noted, record_in, share
from tests.test_record import record_of
from tests.test_rewritten import became
from tests.test_traced import A, B, C, D, carry, kept, who

# How far.


def test_git_is_asked_once_for_all_that_the_ledger_tells(repo: Repo) -> None:
    """However often a commit was amended here, its notes are asked for at once."""
    share(repo, {A: noted(record_of(A))})
    told = kept(repo, became(A, B), became(B, C), became(C, D))
    asked: list[set[Sha]] = []
    [shelf] = here(repo)

    class Watched(Shelf):
        def of(self, commits: Collection[Sha]) -> Iterator[tuple[Sha, list[Line]]]:
            asked.append(set(commits))
            return super().of(commits)

    watched = Kept(
        lambda commit: [step.line.text for facts in told.about(commit) for step in facts.steps], [Watched(shelf.notes)]
    )
    watched.fetch([D])

    assert who(traced(D, watched)) == [("a", CHILD, "shared")]
    assert asked == [{A, B, C, D}]


def test_a_chain_of_notes_is_followed_so_far(repo: Repo) -> None:
    """Each level costs a question to git: of what lies behind so many, only the clone's own word is known."""
    ids = [A, *(Sha(f"{number:040x}") for number in range(200))]
    share(repo, {new: noted(became(old, new), record_of(new)) for new, old in pairwise(ids)})
    asked: list[set[Sha]] = []
    [shelf] = here(repo)

    class Watched(Shelf):
        def of(self, commits: Collection[Sha]) -> Iterator[tuple[Sha, list[Line]]]:
            asked.append(set(commits))
            return super().of(commits)

    own = {ids[LEVELS]: [record_of(ids[LEVELS], PARENT).to_bytes()]}
    told = traced(A, Kept(lambda commit: own.get(commit, []), [Watched(shelf.notes)]))

    assert (len(asked), len(told.steps), len(told.records)) == (LEVELS, LEVELS, LEVELS + 1)
    assert told.records[0].record.thread == PARENT


# Which records are believed.


def test_a_foreign_record_with_another_tree_is_of_another_commit(repo: Repo) -> None:
    """Whoever made up the tree of a commit that is here is not believed; an own record, and one of a commit that is not
    here, count as they are.
    """
    repo.commit("-q", "-m", "Begin")
    commit = Sha(repo.head())
    share(repo, {commit: noted(record_of(commit, OTHER), record_in(repo, commit)), A: noted(record_of(A))})
    asked = trees(Place.of_folder(Git(str(repo.path))), os.environ)
    own = [record_of(commit, PARENT).to_bytes()]
    told = Kept(lambda one: own if one == commit else [], here(repo), asked)
    letter = commit[0]

    assert who(traced(commit, told)) == [(letter, CHILD, "shared"), (letter, PARENT, "own")]
    assert who(traced(A, told)) == [("a", CHILD, "shared")]
    told.fetch([])
    assert asked([]) == {}


def test_what_a_note_says_of_carried_commits_is_not_held_against_its_own_tree(repo: Repo) -> None:
    """A squashed commit has another tree than those that it was made of."""
    repo.commit("-q", "-m", "Begin")
    commit = Sha(repo.head())
    share(repo, {commit: noted(carry(commit, A), record_of(A))})
    told = Kept(lambda _: [], here(repo), trees(Place.of_folder(Git(str(repo.path))), os.environ))

    assert who(traced(commit, told)) == [("a", CHILD, "shared")]


# Bad input.


HOSTILE = [
    b"",
    b"hello",
    b"\xff\xfe",
    b"[1]",
    b"{}",
    b'{"v":1,"kind":"commit",',
    b'{"v":1,"kind":"commit","commit":"' + b"a" * 40 + b'"}',
    b'{"v":1,"kind":["rewrite"],"new":"' + b"a" * 40 + b'"}',
    b'{"v":1,"kind":"carry","new":"' + b"a" * 40 + b'","commits":[]}',
    b'{"v":1,"kind":"head","clone":"x","count":1}',
    b'{"v":1,"kind":"signature","of":"sha256:0","signature":"x"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_not_ours_is_passed_over(repo: Repo, line: bytes) -> None:
    """Lines that are not JSON, not records, not sound or of other kinds hide nothing and break nothing."""
    assert list(read(Line(line))) == list(read(Line(line, "claim"))) == []
    share(repo, {A: [line, *noted(record_of(A))]})

    assert who(traced(A, kept(repo))) == [("a", CHILD, "shared")]


def test_a_note_of_50_megabytes_is_passed_over(repo: Repo) -> None:
    """Such a note is nobody's record, and is not even read."""
    text = b"\n".join([*noted(record_of(A)), b"x" * 50_000_000])
    blob = repo("hash-object", "-w", "--stdin", stdin=text)
    repo("notes", f"--ref={REF}", "add", "-C", blob, repo("hash-object", "-w", "--stdin", stdin=b"x"))
    named = Sha(repo("notes", f"--ref={REF}", "list").split()[1])
    share(repo, {A: noted(record_of(A))})

    assert len(text) > OVERSIZE
    assert (who(traced(named, kept(repo))), who(traced(A, kept(repo)))) == ([], [("a", CHILD, "shared")])


def test_a_note_that_git_made_is_read(repo: Repo) -> None:
    """Whoever writes notes by hand, with other ends of lines, is understood as far as the lines are sound."""
    repo.commit("-q", "-m", "Begin")
    commit = Sha(repo.head())
    spaced = json.dumps(json.loads(noted(record_of(commit))[0])).encode()
    repo("notes", f"--ref={REF}", "add", "-F", "-", stdin=b"hello\r\n\r\n" + spaced + b"\r\n")

    assert who(traced(commit, kept(repo))) == [(commit[0], CHILD, "shared")]


@settings(deadline=None, database=None, max_examples=60)
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_are_passed_over(lines: list[bytes]) -> None:
    """No line of a note is an error."""
    account = Account(A, [Line(line, "claim") for line in lines])

    assert all(isinstance(step, Step) for step in account.steps)
