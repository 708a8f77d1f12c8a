"""What is told of a commit, followed back through the ledger and through notes, and who tells each part of it."""

from pathlib import Path

import pytest

from ampcommit.carried import Carry
from ampcommit.ledger import Ledger
from ampcommit.notes.shared import REMOTES
from ampcommit.notes.told import CARRY, Kept
from ampcommit.notes.traced import Trace, believed, best, traced
from ampcommit.record import Sha, ThreadId, canonical
from ampcommit.rewritten import MOST
from tests.conftest import CHILD, OTHER, PARENT, Repo, learned
from tests.test_noted import Entry, here, noted, share
from tests.test_record import record_of
from tests.test_rewritten import became

A, B, C, D, E = (Sha(letter * 40) for letter in "abcde")
ORIGIN = f"{REMOTES}origin"


def carry(new: Sha, *commits: Sha, source: str = "range") -> Carry:
    """Return the line that says that *new* was made of *commits*."""
    return Carry(new=new, commits=list(commits), source=source, time="2026-11-21T08:00:00Z", by="ampcommit 0.1.0")


def kept(repo: Repo, *own: Entry) -> Kept:
    """Return what is told in the repository, whose ledger holds *own*."""
    ledger = Ledger(str(repo.path / ".git" / "ledger.jsonl"))
    Path(ledger.path).write_bytes(b"".join(entry.to_bytes() + b"\n" for entry in own))
    return Kept(lambda commit: ledger.find(canonical(commit)), here(repo))


def who(trace: Trace) -> list[tuple[str, str, str]]:
    """Return of each record the first letter of its commit, its thread and who tells."""
    return [(one.record.commit[0], one.record.thread, one.known_by) for one in trace.records]


def ways(trace: Trace) -> list[tuple[str, str, str]]:
    """Return of each step its two commits, and who tells."""
    return [(step.old[0], step.new[0], step.known_by) for step in trace.steps]


# Who tells.


def test_own_records_stand_behind_shared_ones_and_claims(repo: Repo) -> None:
    """The last one weighs most: what was recorded here; what a remote claims weighs least."""
    share(repo, {A: noted(record_of(A, PARENT))})
    share(repo, {A: noted(record_of(A, OTHER))}, ORIGIN)
    told = kept(repo, record_of(A, CHILD))

    assert who(traced(A, told)) == [("a", OTHER, "claim"), ("a", PARENT, "shared"), ("a", CHILD, "own")]
    assert who(believed(A, told)) == [("a", PARENT, "shared"), ("a", CHILD, "own")]
    assert who(traced(A, told, weakest="own")) == [("a", CHILD, "own")]


def test_claims_count_where_nothing_else_does(repo: Repo) -> None:
    """A claim is better than nothing, and is called one; without a record it adds no way back, either."""
    share(repo, {A: noted(record_of(A)), C: noted(became(D, C))}, ORIGIN)

    assert who(believed(A, kept(repo))) == [("a", CHILD, "claim")]
    assert who(believed(B, kept(repo))) == []
    assert ways(believed(C, kept(repo))) == []
    assert ways(traced(C, kept(repo))) == [("d", "c", "claim")]


def test_without_notes_the_ledger_alone_is_asked(repo: Repo) -> None:
    """A clone that shares nothing pays nothing, and `fetch` has nothing to do."""
    told = kept(repo, record_of(A), became(A, B))
    told.fetch([B])

    assert not told.noted
    assert who(believed(B, told)) == [("a", CHILD, "own")]
    assert who(believed(C, told)) == []


def test_who_tells_is_the_weakest_of_what_leads_there(repo: Repo) -> None:
    """An own record of a commit is a shared one's word for another commit, where only a note leads to it."""
    share(repo, {B: noted(became(A, B)), D: noted(record_of(D, PARENT))})
    share(repo, {C: noted(became(B, C))}, ORIGIN)
    told = kept(repo, record_of(A), became(D, E))

    assert who(traced(B, told)) == [("a", CHILD, "shared")]
    assert who(traced(C, told)) == [("a", CHILD, "claim")]
    assert ways(traced(C, told)) == [("b", "c", "claim"), ("a", "b", "claim")]
    assert who(traced(E, told)) == [("d", PARENT, "shared")]


def test_the_better_way_is_taken(repo: Repo) -> None:
    """Where ledger and notes tell of the same step, it is the clone's own word."""
    share(repo, {B: noted(became(A, B)), C: noted(became(A, C))}, ORIGIN)
    share(repo, {C: noted(became(B, C))})
    told = kept(repo, record_of(A), became(A, B))

    assert ways(traced(B, told)) == [("a", "b", "own")]
    assert who(believed(C, told)) == [("a", CHILD, "shared")]


# Copies.


def test_a_record_of_another_commit_counts_where_a_line_of_the_note_leads_to_it(repo: Repo) -> None:
    """A note that stands alone: carried commits, what they were made from, and their records; others are none."""
    lines = noted(carry(C, B), became(A, B), record_of(A), record_of(B, PARENT), record_of(D, OTHER))
    share(repo, {C: lines})

    assert who(traced(C, kept(repo))) == [("a", CHILD, "shared"), ("b", PARENT, "shared")]
    assert [(step.command, step.source) for step in traced(C, kept(repo)).steps] == [(CARRY, "range"), ("amend", "git")]
    assert who(traced(A, kept(repo))) == who(traced(D, kept(repo))) == []


def test_a_copy_says_nothing_once_more(repo: Repo) -> None:
    """What stands in the note of a commit and in that of the squash is told once."""
    share(repo, {B: noted(record_of(B)), C: noted(carry(C, B), record_of(B))})
    told = kept(repo)
    told.fetch([C, B])

    assert who(traced(C, told)) == [("b", CHILD, "shared")]


def test_a_step_of_the_ledger_gives_no_meaning_to_what_a_note_holds(repo: Repo) -> None:
    """A record of another commit in a note counts only by a line of that note."""
    share(repo, {C: noted(record_of(B))})

    assert who(traced(C, kept(repo, became(B, C)))) == []


# Records of the same commit.


@pytest.mark.parametrize("preferred", [PARENT, CHILD, OTHER])
def test_of_records_that_others_tell_the_one_of_a_thread_is_preferred(repo: Repo, preferred: str) -> None:
    """The order of bytes decides nothing; a better teller weighs more all the same."""
    share(repo, {A: noted(record_of(A, PARENT), record_of(A, CHILD), became(B, A)), B: noted(record_of(B, preferred))})
    share(repo, {A: noted(record_of(A, OTHER))}, ORIGIN)
    found = traced(A, kept(repo))
    found.prefer(ThreadId(preferred))
    order = [one.record.thread for one in found.records]

    assert found.disputed
    assert order[:2] == [preferred, OTHER]
    assert order[-1] == (preferred if preferred != OTHER else order[-1])
    mine = traced(A, kept(repo, record_of(A, PARENT), record_of(A, CHILD)))
    mine.prefer(ThreadId(PARENT))
    assert (mine.records[-1].record.thread, mine.disputed) == (CHILD, False)
    assert not traced(C, kept(repo)).disputed


# The way back.


def test_what_was_not_asked_for_at_once_is_asked_for_by_itself(repo: Repo) -> None:
    """`fetch` is for speed alone."""
    share(repo, {A: noted(record_of(A)), B: noted(became(A, B), became(C, B))})

    assert who(traced(B, kept(repo))) == [("a", CHILD, "shared")]


def test_a_circle_of_notes_ends(repo: Repo) -> None:
    """Commits that became each other, in notes and in the ledger, are followed once."""
    share(repo, {A: noted(became(B, A), became(A, A)), B: noted(became(A, B)), C: noted(carry(C, C, A))})

    assert ways(traced(A, kept(repo, became(C, B)))) == [
        ("b", "a", "shared"),
        ("c", "b", "shared"),
    ]


def test_a_note_that_names_very_many_is_followed_so_far(repo: Repo) -> None:
    """Whoever can push notes cannot make us read for ever."""
    ids = [Sha(f"{number:040x}") for number in range(MOST)]
    many = [carry(A, *ids[at : at + MOST // 2]) for at in (0, MOST // 2)]
    share(repo, {A: noted(*many), ids[-1]: noted(became(B, ids[-1])), B: noted(record_of(B))})
    told = traced(A, kept(repo))

    assert (len(told.steps), told.records) == (MOST, [])


def test_no_further_than_to_a_record(repo: Repo) -> None:
    """Without `every` a commit that has a record is not followed further."""
    share(repo, {A: noted(record_of(A)), B: noted(record_of(B, PARENT), became(A, B))})

    assert who(traced(B, kept(repo), every=False)) == [("b", PARENT, "shared")]
    assert who(traced(B, kept(repo))) == [("a", CHILD, "shared"), ("b", PARENT, "shared")]


def test_lines_can_be_left_out(repo: Repo) -> None:
    """Whoever asks says which lines count."""
    share(repo, {A: noted(record_of(A), learned(CHILD), became(B, A)), B: noted(record_of(B))})

    assert [one.thread for one in traced(A, kept(repo)).chains] == [CHILD]
    found = traced(A, kept(repo), counts=lambda line: b"rewrite" in line.text)
    assert (who(found), found.chains, ways(found)) == ([], [], [("b", "a", "shared")])


# The best informed.


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("env", "message"), ("env", "shared")),
        (("message", "message"), ("message", "own")),
        (("use", "env"), ("env", "own")),
        (("env", "rebuilt"), ("env", "shared")),
    ],
)
def test_the_best_informed_record_says_how_the_thread_was_found(
    repo: Repo, sources: tuple[str, str], expected: tuple[str, str]
) -> None:
    """Of a shared and an own record the one counts that saw more, then the own one."""
    share(repo, {A: noted(record_of(A, source=sources[0]))})
    source, found = best(traced(A, kept(repo, record_of(A, source=sources[1]))).records)

    assert (source, found.known_by) == expected


def test_a_record_that_was_only_matched_says_how(repo: Repo) -> None:
    """What nobody told, but trees did, is how the commit came by the record; also behind a step that somebody told."""
    told = kept(repo, record_of(A), became(A, B, None, "tree"), became(B, C), carry(D, C, source="message"))

    assert [best(traced(one, told).records)[0] for one in (A, B, C, D)] == ["env", "tree", "tree", "tree"]
    assert best(traced(A, kept(repo, record_of(A))).records)[0] == "env"
