"""What the user sees: one line a fact, JSON as promised, and nothing that a terminal acts on."""

import json
from typing import Any

import pytest

from ampcommit.forge.pages import Forge
from ampcommit.forge.requests import Request
from ampcommit.imported import Imported
from ampcommit.notes.noted import Line
from ampcommit.notes.told import Step
from ampcommit.record import Sha, ThreadId
from ampcommit.render import paper
from ampcommit.verbs.show import Shown
from tests.conftest import CHILD, OTHER, PARENT, url
from tests.test_record import record_of

Capture = pytest.CaptureFixture[str]

HOSTILE = "\x1b[2J\x1b]0;owned\x07 [red]x[/] \u202e\r\b\x9b31m"
LINK = f"Amp-Thread-ID: {url(PARENT)}"


def seen(capsys: Capture) -> list[str]:
    """Return the lines on stdout, none of which holds anything that a terminal acts on."""
    out = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in out)
    return out.splitlines()


def data(capsys: Capture) -> dict[str, Any]:
    """Return the one JSON object on stdout; nothing is said beside it."""
    out, err = capsys.readouterr()
    assert (out.count("\n"), out.isascii(), err) == (1, True, "")
    found: dict[str, Any] = json.loads(out)
    return found


# Show.


def known(**changes: Any) -> Shown:
    """Return a commit of which everything is known, except for *changes*."""
    shown = Shown(Sha("ab" * 20), "Add the parser")
    shown.threads, shown.chain = [ThreadId(CHILD)], [ThreadId(CHILD), ThreadId(PARENT)]
    shown.chain_state, shown.source, shown.validated = "complete", "env", True
    shown.known_by, shown.records = "own", [{"time": "2026-11-20T08:15:30Z", "known_by": "own"}]
    for name, value in changes.items():
        setattr(shown, name, value)
    return shown


def test_a_commit_is_shown_with_its_chain_and_evidence(capsys: Capture) -> None:
    """Every thread is a link that can be opened."""
    paper.shown(known(), as_json=False)

    assert seen(capsys) == [
        f"{'ab' * 20} Add the parser",
        f"thread    {url(CHILD)}",
        f"chain     {url(CHILD)}",
        f"          {url(PARENT)}",
        "          (complete: back to the thread where the work began)",
        "found by  the agent's own environment",
        "evidence  recorded here 2026-11-20T08:15:30Z; the hook had checked the message",
    ]


def test_a_thread_that_others_add_is_marked(capsys: Capture) -> None:
    """Who may push notes can add a thread beside an own record: it is not taken for one of this clone."""
    records = [
        {"time": "", "links": [PARENT], "known_by": "shared"},
        {"time": "", "links": [OTHER, CHILD], "known_by": "own"},
        {"time": "", "links": [CHILD], "known_by": "shared"},
    ]
    threads = [ThreadId(one) for one in (PARENT, OTHER, CHILD)]
    paper.shown(known(records=records, threads=threads), as_json=False)
    assert seen(capsys)[1:4] == [
        f"thread    {url(PARENT)} (shared record)",
        f"          {url(OTHER)}",
        f"          {url(CHILD)}",
    ]
    claims = [{"time": "", "links": [PARENT], "known_by": "claim"}]
    paper.shown(known(records=claims, threads=threads, known_by="message"), as_json=False)

    assert seen(capsys)[1] == f"thread    {url(PARENT)} (a claim that was fetched)"


def test_what_could_not_be_read_is_a_warning(capsys: Capture) -> None:
    """It stands on stderr, also beside JSON."""
    for as_json in (False, True):
        paper.shown(known(warnings=["a note was not read"]), as_json=as_json)
        assert capsys.readouterr().err == "warning: a note was not read\n"


@pytest.mark.parametrize("state", ["complete", "partial", "cycle", "unknown"])
def test_every_state_of_a_chain_is_explained(capsys: Capture, state: str) -> None:
    """Unknown is an answer, in words."""
    paper.shown(known(chain_state=state), as_json=False)

    assert any(line.strip().startswith(f"({state}: ") or "circle" in line for line in seen(capsys))


@pytest.mark.parametrize(
    ("source", "says"),
    [("env", "environment"), ("message", "the link in the message"), ("use", "a person"), ("newer", "newer")],
)
def test_every_source_is_explained(capsys: Capture, source: str, says: str) -> None:
    """Who says so is part of what is said; a word of a newer version is shown as it is."""
    paper.shown(known(source=source), as_json=False)

    assert any(line.startswith("found by ") and says in line for line in seen(capsys))


def test_what_was_not_checked_is_said(capsys: Capture) -> None:
    """A record of a commit that nobody judged says so."""
    paper.shown(known(validated=False), as_json=False)

    assert seen(capsys)[-1].endswith("the hook had not checked the message")


def test_a_claim_without_a_record_is_called_one(capsys: Capture) -> None:
    """A link alone is weaker than a record."""
    paper.shown(known(records=[], validated=None, source="message"), as_json=False)

    assert seen(capsys)[-1] == "evidence  a link in the message, and no record"


def test_a_commit_without_a_thread_is_shown_as_such(capsys: Capture) -> None:
    """Nothing is known, and that is said."""
    paper.shown(known(threads=[]), as_json=False)

    assert len(seen(capsys)) == 2


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (HOSTILE, "\\x1b[2J\\x1b]0;owned\\x07 [red]x[/] \\u202e\\r\\x08\\x9b31m"),
        ("[link=https://evil.example]x[/link] [bold", "[link=https://evil.example]x[/link] [bold"),
        ("Mend C:\\", "Mend C:\\"),
        ("\\[red]x", "\\[red]x"),
        (":smile: Größe 日本 🎉", ":smile: Größe 日本 🎉"),
        ("x" * 300, "x" * 200 + "…"),
    ],
    ids=["escapes", "markup", "backslash", "escaped markup", "languages", "long"],
)
def test_a_subject_is_shown_as_it_is_and_harmless(capsys: Capture, subject: str, shown: str) -> None:
    """What somebody wrote is text, and neither markup nor escapes (S01)."""
    paper.shown(known(subject=subject), as_json=False)

    assert seen(capsys)[0] == f"{'ab' * 20} {shown}"


def test_a_hostile_record_is_shown_harmless(capsys: Capture) -> None:
    """The ledger is data, too."""
    hostile = known(
        source=HOSTILE,
        chain_state=HOSTILE,
        remote=HOSTILE,
        known_by="claim",
        records=[{"time": HOSTILE, "known_by": "claim"}],
    )
    paper.shown(hostile, as_json=False)

    assert len(seen(capsys)) == 7


def test_the_json_of_a_commit(capsys: Capture) -> None:
    """The fields are those that are promised, ids in full, and records as they are."""
    paper.shown(known(), as_json=True)

    assert data(capsys) == {
        "schema": "ampcommit.show/1",
        "commit": "ab" * 20,
        "threads": [CHILD],
        "chain": [CHILD, PARENT],
        "chain_state": "complete",
        "source": "env",
        "known_by": "own",
        "remote": None,
        "records": [{"time": "2026-11-20T08:15:30Z", "known_by": "own"}],
        "rewritten": [],
        "claims": [],
        "web": None,
    }


@pytest.mark.parametrize(
    ("command", "source", "says"),
    [
        ("amend", "git", "(amend)"),
        ("amend", "reflog", "(amend, derived from the reflog)"),
        (None, "tree", "(same tree)"),
        (None, "patch-id", "(same patch)"),
        (None, "\x1b[2J", "(\\x1b[2J)"),
        ("carry", "range", "(carry, named by a person)"),
        ("carry", "message", "(carry, by its request and its links)"),
        ("carry", "ref", "(carry, by its request)"),
        ("carry", "tree", "(carry, same tree)"),
        ("carry", "patch-id", "(carry, same patch)"),
        ("carry", "newer", "(carry)"),
    ],
)
def test_what_a_commit_was_made_from_is_shown(capsys: Capture, command: str | None, source: str, says: str) -> None:
    """Each commit that went into this one stands there with how that is known, in both forms."""
    told = step(command, source)
    paper.shown(known(rewritten=[told]), as_json=False)
    assert seen(capsys)[-1] == f"made from {told.old} {says}"

    paper.shown(known(rewritten=[told]), as_json=True)
    fields = {"old": told.old, "new": told.new, "command": command, "source": source, "known_by": "own"}
    assert data(capsys)["rewritten"] == [fields]


@pytest.mark.parametrize(
    ("steps", "source", "says"),
    [
        ([("carry", "patch-id")], "patch-id", "carried over from a branch with the same patch"),
        ([("carry", "tree")], "tree", "carried over from a branch that ends with the same tree"),
        ([(None, "patch-id")], "patch-id", "a recorded commit with the same patch, author and date"),
        ([(None, "tree"), ("carry", "tree")], "tree", "a recorded commit with the same tree, author and date"),
        ([("amend", "git"), ("carry", "patch-id")], "patch-id", "carried over from a branch with the same patch"),
        ([("carry", "message")], "message", "the link in the message"),
    ],
)
def test_a_resemblance_says_what_resembles(
    capsys: Capture, steps: list[tuple[str | None, str]], source: str, says: str
) -> None:
    """A squashed branch has the patch of the commit, and neither its author nor its date."""
    paper.shown(known(source=source, rewritten=[step(*one) for one in steps]), as_json=False)

    assert f"found by  {says}" in seen(capsys)


CLAIMED = record_of(Sha("cd" * 20), PARENT).to_bytes()


@pytest.mark.parametrize("threads", [[ThreadId(CHILD)], []], ids=["with a thread", "without"])
def test_claims_are_told_last(capsys: Capture, threads: list[ThreadId]) -> None:
    """What was imported is called a claim, with the file and, where it is about another one, the commit."""
    claims = [Imported.of_line(CLAIMED, "jsonl", origin) for origin in ("team\x1b[2J.jsonl", None)]
    other = record_of(Sha("ab" * 20), CHILD).to_bytes()
    claims.append(Imported.of_line(other, "jsonl", "mine.jsonl"))
    paper.shown(known(threads=threads, claims=claims, rewritten=[step("amend", "git")]), as_json=False)

    assert seen(capsys)[-3:] == [
        f"claimed   {url(PARENT)} (a claim, imported from team\\x1b[2J.jsonl, of cdcdcdcdcdcd)",
        f"          {url(PARENT)} (a claim, imported, of cdcdcdcdcdcd)",
        f"          {url(CHILD)} (a claim, imported from mine.jsonl)",
    ]


def test_the_json_of_a_claim(capsys: Capture) -> None:
    """A claim says what it is about and where it came from."""
    paper.shown(known(claims=[Imported.of_line(CLAIMED, "jsonl", None)]), as_json=True)
    [claim] = data(capsys)["claims"]

    assert claim.pop("time")
    assert claim == {
        "commit": "cd" * 20,
        "threads": [PARENT],
        "chain": [PARENT],
        "chain_state": record_of(Sha("cd" * 20), PARENT).chain_state,
        "of": "commit",
        "format": "jsonl",
        "from": None,
    }


def step(command: str | None, source: str, known_by: str = "own", remote: str | None = None) -> Step:
    """Return a step that led to the commit."""
    line = Line(b"", known_by, remote)
    commits = {"old": Sha("cd" * 20), "new": Sha("ab" * 20)}
    return Step(**commits, command=command, source=source, line=line, known_by=known_by)


@pytest.mark.parametrize(
    ("known_by", "remote", "says"),
    [("shared", None, "shared record"), ("claim", "origin", "a claim fetched from origin")],
)
def test_who_tells_is_said(capsys: Capture, known_by: str, remote: str | None, says: str) -> None:
    """What others recorded is shown as theirs: how the thread was found, the record, and what led to it."""
    records = [{"time": "2026-11-20T08:15:30Z", "known_by": known_by}]
    told = [step("amend", "git", known_by, remote)]
    paper.shown(known(known_by=known_by, remote=remote, records=records, rewritten=told), as_json=False)
    lines = seen(capsys)

    assert f"found by  the agent's own environment ({says})" in lines
    assert f"evidence  {says}, recorded 2026-11-20T08:15:30Z; the hook had checked the message" in lines
    assert lines[-1] == f"made from {told[0].old} (amend, {says})"


def test_a_picture_says_which_commits_others_told_of(capsys: Capture) -> None:
    """Own records need no word; of very many commits only some are named."""
    commits = {Sha(f"{number:040x}"): "shared" for number in range(10)}
    paper.told_by_others({Sha("ab" * 20): "own", Sha("cd" * 20): "claim", **commits})

    shared, claims = seen(capsys)
    assert shared == f"(from shared records: {', '.join(one[:12] for one in list(commits)[:8])} and 2 more)"
    assert claims == "(from claims that were fetched: cdcdcdcdcdcd)"
    paper.told_by_others({Sha("ab" * 20): "own"})
    assert seen(capsys) == []


HUB, LAB = Forge("github", "https://github.com/owner/repo"), Forge("gitlab", "https://gitlab.com/group/repo")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(HUB, 12, "subject"), "request   https://github.com/owner/repo/pull/12 (#12 in the subject)"),
        (Request(HUB, 12, "ref"), "request   https://github.com/owner/repo/pull/12 (#12 by a ref that was fetched)"),
        (Request(LAB, 7, "message"), "request   https://gitlab.com/group/repo/-/merge_requests/7 (!7 in the message)"),
        (None, None),
    ],
)
@pytest.mark.parametrize("threads", [[ThreadId(CHILD)], []], ids=["with a thread", "without"])
def test_where_a_commit_is_on_the_web(
    capsys: Capture, request_: Request | None, says: str | None, threads: list[ThreadId]
) -> None:
    """Its page, its request and how that is known, in both forms, also where no thread is known."""
    page = HUB.commit("ab" * 20)
    paper.shown(known(threads=threads, page=page, request=request_), as_json=False)
    expected = [f"web       {page}", *([says] if says else [])]
    assert seen(capsys)[-len(expected) :] == expected

    paper.shown(known(threads=threads, page=page, request=request_), as_json=True)
    assert data(capsys)["web"] == {"commit": page, "request": request_ and request_.as_dict()}


def test_a_long_address_is_shown_whole(capsys: Capture) -> None:
    """Half an address leads nowhere."""
    page = Forge("gitlab", f"https://gitlab.com/{'/'.join(['group'] * 200)}/repo").commit("ab" * 20)
    paper.shown(known(page=page), as_json=False)

    assert seen(capsys)[-1] == f"web       {page}"


def test_what_is_unknown_is_null_in_json(capsys: Capture) -> None:
    """No field is absent."""
    paper.shown(Shown(Sha("ab" * 20), "Add the parser"), as_json=True)
    found = data(capsys)

    assert (found["source"], found["threads"], found["chain_state"]) == (None, [], "unknown")
    assert (found["known_by"], found["remote"]) == (None, None)
