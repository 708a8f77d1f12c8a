"""What is settled at a glance is settled as the judge would, and nothing is that leaves a doubt."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ampcommit.commits.plain import Plain
from ampcommit.gate.verdict import Verdict
from ampcommit.gitcmd import Git
from ampcommit.record import Sha
from ampcommit.settings import FILE, Settings, read_committed
from tests.conftest import OTHER, PARENT, Repo, examples, url
from tests.test_batch import LONG, SHAPES, answer, content, many, relaxed, said, verdicts, written
from tests.test_record import record_of

U = url(PARENT)
LINK = f"Amp-Thread-ID: {U}\n"

# `before:` names a commit whose ancestors most of the commits are.
POLICIES: dict[str, str] = {
    "the defaults": "",
    "agent": "authors = agent",
    "agent, warn": "authors = agent\nmode = warn",
    "agent, off": "authors = agent\nmode = off",
    "agent, limits": "authors = agent\nminSubject = 0\nmaxSubject = 9",
    "host": "host = amp.example.com",
    "limits given": "minSubject = 10\nmaxSubject = 72",
    "limits of one length": "minSubject = 14\nmaxSubject = 14",
    "limits of nothing": "minSubject = 0\nmaxSubject = 0",
    "limits that nobody meets": "minSubject = 80",
    "links anywhere": "linkIn = message",
    "agent, links anywhere": "linkIn = message\nauthors = agent",
    "links in trailers": "linkIn = trailer",
    "body": "minBody = 20",
    "warn": "mode = warn",
    "off": "mode = off",
    "record": "record = true",
    "record, agent": "record = true\nauthors = agent",
    "before": "exempt = before:{end}",
    "before, links anywhere": "exempt = before:{end}\nlinkIn = message",
    "before, limits given": "exempt = before:{end}\nminSubject = 10\nmaxSubject = 20",
    "before, body": "exempt = before:{end}\nminBody = 20",
    "before, warn": "exempt = before:{end}\nmode = warn",
    "before, off": "exempt = before:{end}\nmode = off",
    "before, agent": "exempt = before:{end}\nauthors = agent",
    "before, merge": "exempt = before:{end}\nexempt = merge",
    "no exemption": "exempt =",
    "reverts": "exempt = revert\nexempt = merge\nexempt = fixup",
    "paths": "exempt = path:*",
}


UNLINKED = {name for name in POLICIES if name.partition(", ")[2] in ("links anywhere", "body")}
UNLINKED |= {"limits of nothing", "limits that nobody meets", "links anywhere", "body", "record", "record, agent"}
"""Policies that ask for what cannot be seen at a glance."""


def policy_of(text: str) -> Settings:
    """Return the defaults with what *text* sets, as the policy file of a repository gives it."""
    found = Settings()
    found.apply([(key.strip().lower(), value.strip()) for key, value in _pairs(text)], FILE)

    assert (found.problems, found.warnings) == ([], [])
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(line.partition("=")[0], line.partition("=")[2]) for line in text.splitlines()]


def committed(repo: Repo, policy: str, commits: Sequence[Sha]) -> Sha:
    """Commit a policy, in which `{end}` is a commit behind every second of the *commits*."""
    (end,) = written(repo, [content(repo, b"end\n", parents=commits[::2])])
    text = f"[ampcommit]\n{policy.format(end=end)}\n".encode()
    blob = repo("hash-object", "-w", "--stdin", stdin=text)
    tree = repo("mktree", stdin=f"100644 blob {blob}\t.ampcommit\n".encode())
    (found,) = written(repo, [content(repo, b"policy\n", tree=tree)])
    return found


def described(found: list[Verdict]) -> list[tuple[Any, ...]]:
    """Return all that is said in each verdict, by commit."""
    return sorted(
        (one.commit, one.status, list(one.threads), [each.as_dict() for each in one.findings], one.exempt_by, one.agent)
        for one in found
    )


def judged(repo: Repo, commits: Sequence[Sha], policy_at: Sha) -> list[Verdict]:
    """Return the verdicts of the judge alone: where there are records, `verify` settles nothing at a glance."""
    ledger = repo.path / ".git" / "ampcommit" / "ledger.jsonl"
    ledger.parent.mkdir()
    ledger.write_bytes(record_of("9" * 40).to_bytes() + b"\n")
    try:
        return verdicts(repo, commits, policy_at)
    finally:
        ledger.unlink()
        ledger.parent.rmdir()


def agree(repo: Repo, commits: list[Sha], policy: str) -> tuple[int, int]:
    """Hold the glance against the judge, and return how many commits it knew to be linked, and to be silent."""
    policy_at = committed(repo, policy, commits)
    slow = judged(repo, commits, policy_at)

    assert described(verdicts(repo, commits, policy_at)) == described(slow)
    plain = Plain(read_committed(Git(str(repo.path)), policy_at))
    texts = dict(zip(commits, answer(repo, commits, "%B"), strict=True))
    linked = silent = 0
    for verdict in slow:
        assert verdict.commit
        text = texts[verdict.commit]
        if thread := plain.linked(text):
            linked += 1
            found = (list(verdict.threads), verdict.findings, verdict.status, verdict.exempt_by, verdict.agent)
            assert found == ([thread], [], "pass", None, True), text
        if plain.silent(text):
            silent += 1
            # Of a person nothing is asked; nothing else can be said without a look at the commit.
            assert list(verdict.threads) == [], text
            assert not verdict.findings or "authors = agent" not in policy, text
            assert verdict.agent == ("authors = agent" not in policy), text
    return linked, silent


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_settled_at_a_glance_is_what_the_judge_says(repo: Repo, name: str) -> None:
    """P01-P58, L01-L17: every kind of message has the same verdict with and without the short cut."""
    root = said(repo, (b"root\n", b""))
    commits = said(repo, *SHAPES.values()) + said(repo, *SHAPES.values(), parents=root * 2)
    linked, silent = agree(repo, list(dict.fromkeys(commits)), POLICIES[name])

    assert (linked == 0) == (name in UNLINKED)
    assert (silent == 0) == ("links anywhere" in name)


@settings(relaxed, max_examples=examples(50))
@given(many, st.sampled_from(sorted(POLICIES)))
@example([(f"x\n\n{LINK}".encode(), b"")], "limits of nothing")
@example([(f"Add the parser\n\n{LINK}".encode(), b"")], "record")
@example([(f"Add the parser\n\n{LINK}".encode(), b"")], "limits that nobody meets")
@example([(b"Add the parser\n", b"")], "before, off")
def test_any_message_has_the_verdict_of_the_judge(repo: Repo, messages: list[tuple[bytes, bytes]], name: str) -> None:
    """Whatever stands around a link, what is said at a glance is the judge's word."""
    agree(repo, list(dict.fromkeys(said(repo, *messages))), POLICIES[name])


def test_long_messages_have_the_verdict_of_the_judge(repo: Repo) -> None:
    """P44: megabytes in one message, or one line, are nothing else."""
    agree(repo, said(repo, *[(text, b"") for text in LONG.values()]), "")


LENGTHS = [(9, False), (10, True), (11, True), (71, True), (72, True), (73, False)]


@pytest.mark.parametrize(("length", "fits"), LENGTHS)
def test_the_subject_has_the_length_that_the_policy_asks_for(length: int, fits: bool) -> None:
    """The built-in limits count, at their very edges."""
    text = b"x" * length + b"\n\n" + LINK.encode()

    assert Plain(Settings()).linked(text) == (PARENT if fits else None)


@pytest.mark.parametrize(
    ("policy", "lengths"),
    [
        ("minSubject = 0\nmaxSubject = 3", [1, 2, 3]),
        ("minSubject = 2\nmaxSubject = 2", [2]),
        ("minSubject = 0\nmaxSubject = 0", []),
        ("minSubject = 3\nmaxSubject = 2", []),
        ("minSubject = 73", []),
        ("maxSubject = 9", []),
        ("minSubject = 999999\nmaxSubject = 999999", []),
    ],
)
def test_the_limits_are_those_of_the_policy(policy: str, lengths: list[int]) -> None:
    """Limits that contradict each other, or that no subject meets, leave everything to the judge."""
    plain = Plain(policy_of(policy))
    texts = [b"x" * length + b"\n\n" + LINK.encode() for length in range(100)]

    assert [at for at, text in enumerate(texts) if plain.linked(text)] == lengths


KNOWN = {
    "as Amp writes it": f"Add the parser\n\n{LINK}Co-authored-by: Amp <amp@ampcode.com>\n",
    "P01 a trailer": f"Add the parser\n\n{LINK}",
    "P08 another case": f"Add the parser\n\naMP-tHREAD-iD: {U}\n",
    "P18 among others": f"Add the parser\n\nIssue: 4\n{LINK}Signed-off-by: a\n",
    "P33 a hash sign": f"#123 mend the parser\n\n{LINK}",
    "a body": f"Add the parser\n\nProse.\n\n# more: x\n\tand\r\n{{'é'}}\n\n{LINK}",
    "a blank line more": f"Add the parser\n\nProse.\n\n\n\n{LINK}",
    "an empty value": f"Add the parser\n\nEmpty: \n{LINK}",
}
DOUBTED = {
    "P02 below prose": f"Add the parser\n\nprose\n{LINK}",
    "P03 in the subject": f"Add the parser\n{LINK}",
    "P08 no blank": f"Add the parser\n\nAmp-Thread-ID:{U}\n",
    "P10 a key like it": f"Add the parser\n\nAmp-Thread: {U}\n{LINK}",
    "P12 folded": f"Add the parser\n\nOther: x\n y\n{LINK}",
    "P17 several": f"Add the parser\n\n{LINK}Amp-Thread-ID: {url(OTHER)}\n",
    "P16 twice": f"Add the parser\n\n{LINK}{LINK}",
    "P24 scissors": f"Add the parser\n\n# ------------------------ >8 ------------------------\n\n{LINK}",
    "P33 a comment in the block": f"Add the parser\n\n# x\n{LINK}",
    "P36 CRLF": f"Add the parser\r\n\r\n{LINK}",
    "P37 a CR behind it": f"Add the parser\n\nAmp-Thread-ID: {U}\r\n",
    "P39 NBSP": f"Add the parser\n\u00a0\n{LINK}",
    "P40 no ASCII in the subject": f"Go to the café\n\n{LINK}",
    "P45 no line feed at the end": f"Add the parser\n\n{LINK[:-1]}",
    "P54 in prose, too": f"Add the parser\n\nof Amp-Thread-ID\n\n{LINK}",
    "L01 another host": f"Add the parser\n\nAmp-Thread-ID: https://ampcode.com.evil.io/threads/{PARENT}\n",
    "L09 upper case": f"Add the parser\n\nAmp-Thread-ID: {U[:-6]}{U[-6:].upper()}\n",
    "L14 a slash": f"Add the parser\n\nAmp-Thread-ID: {U}/\n",
    "a blank behind it": f"Add the parser\n\nAmp-Thread-ID: {U} \n",
    "a line behind it": f"Add the parser\n\n{LINK}\n",
    "a line before it": f"\nAdd the parser\n\n{LINK}",
    "a blank before the subject": f" Add the parser\n\n{LINK}",
    "a blank behind the subject": f"Add the parser \n\n{LINK}",
    "a tab in the subject": f"Add\tthe parser\n\n{LINK}",
    "DEL in the subject": f"Add \x7f the parser\n\n{LINK}",
    "blank lines above the block": f"Add the parser\n\n\n{LINK}",
    "nothing": "",
}


@pytest.mark.parametrize("text", KNOWN.values(), ids=KNOWN)
def test_the_shape_that_most_commits_have_is_known(text: str) -> None:
    """What leaves no doubt needs no judge: else a long history would take long."""
    found = Plain(Settings()).linked(text.encode())

    assert found == PARENT


@pytest.mark.parametrize("text", DOUBTED.values(), ids=DOUBTED)
def test_a_doubt_is_left_to_the_judge(text: str) -> None:
    """Whatever is not the plainest of shapes is not decided here."""
    assert Plain(Settings()).linked(text.encode()) is None


@pytest.mark.parametrize("policy", ["linkIn = message", "minBody = 1", "record = true"])
def test_a_policy_that_asks_for_more_leaves_it_to_the_judge(policy: str) -> None:
    """A link anywhere, a body and a record are not seen at a glance."""
    assert Plain(policy_of(policy)).linked(f"Add the parser\n\n{LINK}".encode()) is None


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("Add the parser\n", True),
        ("", True),
        (f"Add the parser\n\nsee {U}\n", True),
        (f"Add the parser\n\n{LINK}", False),
        ("Add the parser\n\n* AMP-THREAD-ID:\n", False),
        (f"Add the parser\n\nAmp-Thread: {U}\n", False),
        ("Add the parser\n\nCo-authored-by: Amp\n <AMP@ampcode.com>\n", False),
        ("Add the parser\n\nmail amp@ampcode.com\n", False),
    ],
)
def test_a_silent_message_names_neither_our_key_nor_amp(text: str, silent: bool) -> None:
    """A message counts as silent only where no check could find anything of Amp's in it."""
    assert Plain(Settings()).silent(text.encode()) == silent
    assert not Plain(policy_of("linkIn = message")).silent(text.encode())


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_messages_take_no_time_to_speak_of(text: bytes) -> None:
    """P44: the time grows with the length of a message, not with its square; 20,000 links once took half a minute."""
    before = time.process_time()
    Plain(Settings()).linked(text)
    Plain(Settings()).silent(text)

    assert time.process_time() - before < 2


def test_the_judge_is_asked_where_there_are_records(repo: Repo) -> None:
    """The other half of the comparison above is the judge's: with a ledger he finds that a record is missing."""
    commits = said(repo, (f"Add the parser\n\n{LINK}".encode(), b""))
    policy_at = committed(repo, "record = true", commits)
    found = judged(repo, commits, policy_at)

    assert [each.code for each in found[0].findings] == ["AC301"]
    assert not Path(os.path.join(repo.path, ".git", "ampcommit")).exists()
