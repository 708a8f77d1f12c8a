"""What is said of commits, own, shared and claimed: what of it may stand in the note of another commit."""

import json

import pytest

from ampcommit.carried import Carry
from ampcommit.errors import SetupError
from ampcommit.notes.copies import Sayings
from ampcommit.notes.shared import REF, publishable, unite
from ampcommit.notes.sshsig import framed
from ampcommit.record import Sha
from tests.conftest import CHILD, OTHER, Repo
from tests.test_carry import CLAIMED, Team
from tests.test_record import record_of
from tests.test_rewritten import became
from tests.test_sshsig import key
from tests.test_sshsig import signature as body

A, B, C, D = (Sha(letter * 40) for letter in "abcd")


@pytest.fixture
def team(repo: Repo) -> Team:
    """A clone with one commit on main."""
    return Team(repo)


def sayings(team: Team) -> Sayings:
    """Return what is said in the clone."""
    return Sayings(team.ledger, team.git)


def signature(line: bytes) -> bytes:
    """Return a line that claims to be the signature of *line*."""
    return framed(line, body(key()))


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


def test_fields_that_nobody_knows_are_not_copied(team: Team) -> None:
    """Whatever somebody put beside a record, in its signature or instead of one, stays where it is."""
    odd = json.dumps(json.loads(line(A)) | {"prompt": "secret"}).encode()
    sealed = framed(line(A), b'x","prompt":"secret')
    shared(team, A, line(A), odd, sealed, sealed[:-1] + b" }")

    copies = sayings(team).copies([A], claims=False)

    assert (copies.lines, copies.shared, copies.unrecorded) == ({line(A)}, 1, set())


def test_what_is_signed_is_copied_as_it_was_signed_or_not_at_all(team: Team) -> None:
    """Without a field that we do not know the signature would not be one; in another order of fields it is."""
    fields = json.loads(line(A))
    turned = json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode()
    twice = line(B).replace(b'"repo":', b'"repo":"secret","repo":')
    more = json.dumps(json.loads(line(C)) | {"later": 1}, separators=(",", ":")).encode()
    for commit, text in ((A, turned), (B, twice), (C, more)):
        shared(team, commit, text, signature(text))

    copies = sayings(team).copies([A, B, C], claims=False)

    assert copies.lines == {turned, signature(turned)}
    assert (copies.shared, copies.unrecorded) == (1, set())


def test_our_own_line_is_copied_with_its_signature(team: Team) -> None:
    """The ledger has the line and the note what signs it, of a rewriting, too."""
    told = became(B, A)
    team.ledger.append(record_of(B), told)
    rewrite = publishable(told.to_bytes())
    assert rewrite
    shared(team, A, rewrite[1], signature(rewrite[1]))
    shared(team, B, line(B), signature(line(B)))

    copies = sayings(team).copies([A], claims=False)

    assert copies.lines == {rewrite[1], signature(rewrite[1]), line(B), signature(line(B))}
    assert (copies.own, copies.shared) == (1, 0)


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
    shared(team, A, publishable(became(B, A).to_bytes())[1], line(A, OTHER), ref=CLAIMED)  # type: ignore[index]

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
    assert said.carrying([A, B, C, D]) == {D}
    assert set(said.origins()) == {(C, A), (D, A)}
    shared(team, B, line(B))
    assert sayings(team).recorded([A, B]) == {B}


def test_records_lead_from_commit_to_commit(team: Team) -> None:
    """Own and shared ones; what else is said of a commit tells nothing of its parents, and circles lead nowhere."""
    shared(team, A, line(B), b"x")
    with pytest.raises(SetupError, match="no record leads"):
        sayings(team).way(C, A)
    told = publishable(record_of(B, parents=[C]).to_bytes())
    assert told
    shared(team, B, told[1])
    team.ledger.append(became(B, A), record_of(A, parents=[B]))

    assert sayings(team).way(C, A) == [B, A]
    shared(team, C, publishable(record_of(C, parents=[A]).to_bytes())[1])  # type: ignore[index]
    with pytest.raises(SetupError, match="no record leads"):
        sayings(team).way(D, A)


def test_what_we_say_is_carried_is_in_the_ledger(team: Team) -> None:
    """Lines of others about the same commit are not ours."""
    team.ledger.append(Carry(new=A, commits=[B], source="range"), record_of(A))
    shared(team, A, Carry(new=A, commits=[C], source="range").to_note())

    assert [told.commits for told in sayings(team).carries(A)] == [[B]]
