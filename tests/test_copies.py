"""What is said of commits, own, shared and claimed: what of it may stand in the note of another commit."""

import json

import pytest

from ampcommit.carried import Carry
from ampcommit.ledger import digest
from ampcommit.notes.copies import CLAIMS, OWN, SHARED, Sayings, made_from
from ampcommit.notes.shared import REF, Notes, publishable, unite
from ampcommit.record import Sha
from ampcommit.verbs.carry import FORK
from tests.conftest import CHILD, OTHER, Repo
from tests.test_carry import Team
from tests.test_record import record_of
from tests.test_rewritten import became

A, B, C, D = (Sha(letter * 40) for letter in "abcd")


@pytest.fixture
def team(repo: Repo) -> Team:
    """A clone with one commit on main."""
    return Team(repo)


def sayings(team: Team) -> Sayings:
    """Return what is said in the clone."""
    return Sayings(team.ledger, Notes(team.git), Notes(team.git, FORK))


def signature(line: bytes) -> bytes:
    """Return a line that claims to be the signature of *line*."""
    return json.dumps({"v": 1, "kind": "signature", "of": digest(line), "signature": "x"}).encode()


def shared(team: Team, commit: Sha, *lines: bytes, ref: str = REF) -> None:
    """Put *lines* into the note of *commit*."""
    unite(team.git, team.place, ref, {commit: lines})


def line(commit: Sha, thread: str = CHILD) -> bytes:
    """Return a record of *commit* as it is shared."""
    told = publishable(record_of(commit, thread).to_bytes())
    assert told
    return told[1]


def test_what_is_both_own_and_shared_counts_once(team: Team) -> None:
    """The line of the ledger and that of the note say the same."""
    team.ledger.append(record_of(A))
    shared(team, A, line(A))

    copies = sayings(team).copies([A], claims=False)

    assert (copies.own, copies.shared, copies.claims, copies.lines) == (1, 0, 0, {line(A)})


def test_what_is_never_shared_is_not_copied(team: Team) -> None:
    """Rebuilt records, guesses, damaged lines, foreign ones, and those about other commits stay where they are."""
    team.ledger.append(record_of(A, source="rebuilt"), became(B, A, None, "tree"))
    shared(team, A, b"hello", b"[]", b'{"kind":"commit"', line(C), signature(line(C)), signature(b"hello"))

    copies = sayings(team).copies([A], claims=True)

    assert (copies.lines, copies.own, copies.shared, copies.unrecorded) == (set(), 0, 0, {A})


def test_signatures_go_with_what_they_sign(team: Team) -> None:
    """Whoever signed a record signed its copy, too."""
    shared(team, A, line(A), signature(line(A)), signature(line(B)))

    assert sayings(team).copies([A], claims=False).lines == {line(A), signature(line(A))}


def test_the_way_back_is_followed_and_copied(team: Team) -> None:
    """A commit that was amended and then squashed has what was recorded first; circles end."""
    way = [became(D, C), became(C, B), became(B, C)]
    team.ledger.append(*way[:2])
    shared(team, C, publishable(way[2].to_bytes())[1])  # type: ignore[index]
    carry = Carry(new=A, commits=[B, A], source="range")
    shared(team, A, carry.to_note())
    shared(team, D, line(D))

    copies = sayings(team).copies([A], claims=False)

    assert len(copies.lines) == 5
    assert (copies.shared, copies.unrecorded) == (1, set())


def test_claims_lead_nowhere_unless_they_are_wanted(team: Team) -> None:
    """A line of a fork does not make an own record one of another commit."""
    team.ledger.append(record_of(B))
    shared(team, A, publishable(became(B, A).to_bytes())[1], line(A, OTHER), ref=FORK)  # type: ignore[index]

    left_out = sayings(team).copies([A], claims=False)
    taken = sayings(team).copies([A], claims=True)

    assert (left_out.own, left_out.claims, left_out.lines, left_out.unrecorded) == (0, 2, set(), {A})
    assert (taken.claims, len(taken.lines), taken.unrecorded) == (2, 3, {A})


def test_who_is_known(team: Team) -> None:
    """A record that may be shared, and a line that says what a commit was made from; not a rebuilt record."""
    team.ledger.append(record_of(A), record_of(B, source="rebuilt"), became(A, C, None, "tree"))
    shared(team, D, Carry(new=D, commits=[A], source="tree").to_note(), line(A))
    said = sayings(team)

    assert said.known([A, B, C, D]) == {A, C, D}
    assert said.recorded([A, B, C, D]) == set()
    assert [told.new for told in said.carried([A, B, C, D])] == [D]
    shared(team, B, line(B))
    assert sayings(team).recorded([A, B]) == {B}


def test_parents_are_those_of_a_record(team: Team) -> None:
    """What else is said of a commit tells nothing of them."""
    shared(team, A, line(B), b"x")
    assert sayings(team).parents(A) == []
    team.ledger.append(became(B, A), record_of(A, parents=[C]))

    assert sayings(team).parents(A) == [C]


def test_lines_are_told_as_they_stand(team: Team) -> None:
    """Each by who says it."""
    team.ledger.append(record_of(A))
    shared(team, B, b"1")
    shared(team, B, b"2", ref=FORK)
    said = sayings(team)

    assert {who: said.of(who, [A, B]) for who in (OWN, SHARED, CLAIMS)} == {
        OWN: {A: list(team.ledger.lines())},
        SHARED: {B: [b"1"]},
        CLAIMS: {B: [b"2"]},
    }


@pytest.mark.parametrize(
    ("fields", "olds"),
    [
        ({"kind": "rewrite", "new": A, "old": B}, [B]),
        ({"kind": "carry", "new": A, "commits": [B, C, A]}, [B, C]),
        ({"kind": "carry", "new": A, "commits": [B, 1, "x"]}, [B]),
        ({"kind": "carry", "new": A, "commits": {}}, []),
        ({"kind": "rewrite", "new": A}, []),
        ({"kind": "rewrite", "new": B, "old": A}, []),
        ({"kind": ["rewrite"], "new": A, "old": B}, []),
        ([], []),
    ],
)
def test_what_a_line_leads_to(fields: object, olds: list[Sha]) -> None:
    """Lines of other kinds, about other commits, and without sense lead nowhere."""
    assert made_from(json.dumps(fields).encode(), A) == olds
