"""What `carry` shows to people and to programs."""

import json

import pytest

from ampcommit.notes.copies import Copies
from ampcommit.notes.noted import CLAIM, OWN, SHARED
from ampcommit.record import Sha
from ampcommit.render import carry as render_carry
from ampcommit.verbs.carry import Outcome, Transfer

A, B, C, D = (Sha(letter * 40) for letter in "abcd")


def copies(own: int = 2, shared: int = 0, claims: int = 0, unrecorded: int = 0) -> Copies:
    """Return so many records."""
    lacking = {Sha(f"{number:040x}") for number in range(unrecorded)}
    return Copies(set(), {OWN: own, SHARED: shared, CLAIM: claims}, lacking)


def outcome(*carried: Transfer, dry_run: bool = False, claims: bool = False) -> Outcome:
    """Return what a run did that looked at four commits."""
    found = Outcome(dry_run=dry_run, claims=claims)
    found.carried = list(carried)
    found.checked = 4
    return found


def shown(capsys: pytest.CaptureFixture[str], found: Outcome) -> list[str]:
    """Return the lines that people read."""
    render_carry.carried(found, as_json=False)
    return capsys.readouterr().out.splitlines()


def test_a_range_has_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What was made of what, how that is known, and how many records there are."""
    one = Transfer(A, [B, C], "range", copies(), linked=0)
    one.new = True

    assert shown(capsys, outcome(one)) == [
        "4 commits looked at, 1 written",
        f"{A} was made of 2 commits",
        "  known by its range",
        "  records: 2 own, 0 shared",
    ]


def test_what_was_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was written then; commits without a record are counted."""
    one = Transfer(A, [B], "ref", copies(0, 1, unrecorded=1), linked=1, refs=["refs/pull/1/head", "refs/heads/x"])

    assert shown(capsys, outcome(one)) == [
        "4 commits looked at, 0 written",
        f"{A} was made of 1 commit of refs/pull/1/head, refs/heads/x",
        "  known by the request that its message names; this was known already",
        "  records: 0 own, 1 shared",
        "  1 commit without a record, 1 with links of their own",
    ]


def test_a_search_says_what_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """What was known, ambiguous, not found, and claimed by a fork; names of refs cannot write on the terminal."""
    one = Transfer(A, [B], "tree", copies(claims=1), linked=0, rebased=True)
    one.new = True
    found = outcome(one, dry_run=True)
    found.known, found.unknown = 1, [C]
    found.ambiguous = {D: ["refs/heads/a\x1b[2J", "refs/heads/b"]}
    found.notices = ["only some \x1b were looked at"]

    render_carry.carried(found, as_json=False)

    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "4 commits looked at, 1 would be written, 1 known already, 1 ambiguous, 1 of which nothing was found",
        f"{A} is one commit of a branch, rebased: 1 commit",
        "  known by the same tree",
        "  records: 2 own, 0 shared",
        f"{D} is left alone, several branches fit: refs/heads/a\\x1b[2J, refs/heads/b",
        "1 record of a fork left out, which nobody here made; --claims takes them",
    ]
    assert told.err == "warning: only some \\x1b were looked at\n"


def test_claims_that_were_taken_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever answers for them reads how many they are."""
    one = Transfer(A, [B], "message", copies(claims=2), linked=0)

    lines = shown(capsys, outcome(one, claims=True))

    assert lines[-1] == "  records: 2 own, 0 shared, 2 claimed by a fork"


def test_programs_get_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The fields that docs/record.md promises, and no others."""
    one = Transfer(A, [B, C], "patch-id", copies(1, 2, 3, 1), linked=1, refs=["refs/heads/x"])
    one.new = True
    found = outcome(one)
    found.ambiguous, found.unknown, found.notices = {D: ["refs/heads/y"]}, [B], ["hello"]

    render_carry.carried(found, as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "schema": "ampcommit.carry/1",
        "dry_run": False,
        "checked": 4,
        "known": 0,
        "carried": [
            {
                "commit": A,
                "commits": [B, C],
                "source": "patch-id",
                "refs": ["refs/heads/x"],
                "rebased": False,
                "new": True,
                "records": {"own": 1, "shared": 2, "claims": 3},
                "unrecorded": 1,
                "linked": 1,
            }
        ],
        "ambiguous": [{"commit": D, "refs": ["refs/heads/y"]}],
        "unknown": [B],
        "claims": False,
        "notices": ["hello"],
    }
