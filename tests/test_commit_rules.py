"""What only a commit can tell: merges that add something, and what the ledger of this clone says of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ampcommit import rules
from ampcommit.gate import commit_rules
from ampcommit.gate.commit_rules import (
    CHECKS,
    is_recorded,
    is_signed,
    linked_the_latest,
    merge_adds_nothing,
    record_agrees,
)
from ampcommit.ledger import Ledger
from ampcommit.message import trailers
from ampcommit.notes.records import UNSIGNED, Proof, Said
from ampcommit.record import Finding, ThreadId
from ampcommit.rules import Case, Grounds
from ampcommit.settings import Settings
from tests.conftest import CHILD, OTHER, PARENT, Repo, learned, url
from tests.test_rules import policy
from tests.test_verify import BARE, add, outcomes, over
from tests.test_verify_message import COAUTHOR, LINK, LINKED, SUBJECT

Enter = Callable[[str], None]
Check = Callable[[Case, Settings], Iterator[Finding]]
MERGE = Grounds(merge=True)
EVIL = Grounds(merge=True, own_changes=lambda: True)
UNHOOKED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": os.devnull}


# The checks by themselves.


def said(thread: str, known_by: str = "own", fault: str | None = None) -> Said:
    """Return what a record with one link says."""
    remote = "\x1b[31mfork" if known_by == "claim" else None
    one = ThreadId(thread)
    return Said([one], "env", one, validated=True, known_by=known_by, remote=remote, fault=fault)


def found(
    check: Check,
    text: str,
    *pairs: tuple[str, str],
    grounds: Grounds | None = None,
    records: list[Said] | None = None,
    damage: str | None = None,
    demanded: bool = True,
    proof: Proof | None = None,
) -> list[Finding]:
    """Return what *check* finds; each finding must be complete."""
    raw, settings = text.encode(), policy(*pairs)
    seen = trailers(raw, os.environ)
    proof = proof or Proof(damage)
    case = Case(raw, seen, settings, grounds=grounds, records=records, proof=proof, demanded=demanded)
    findings = list(check(case, settings))
    for finding in findings:
        assert finding.level in ("error", "warning")
        assert finding.message.isprintable()
        assert finding.hint
        assert len(finding.message) < 500
    return findings


def levels(check: Check, text: str, *pairs: tuple[str, str], **about: object) -> list[str]:
    """Return code and level of what *check* finds."""
    return [f"{one.code}:{one.level}" for one in found(check, text, *pairs, **about)]  # type: ignore[arg-type]


def test_every_check_is_asked_and_named_in_its_docstring() -> None:
    """The rules of messages come first, then those of commits; each says which findings it yields."""
    assert (
        *rules.CHECKS,
        merge_adds_nothing,
        record_agrees,
        linked_the_latest,
        is_recorded,
        is_signed,
    ) == CHECKS
    assert all((check.__doc__ or "").startswith("AC") for check in CHECKS)
    assert {name for name in vars(commit_rules) if name.startswith(("merge_", "record_", "is_", "linked_"))} == {
        check.__name__ for check in CHECKS[len(rules.CHECKS) :]
    }


def test_a_merge_that_adds_something_is_told_why_it_is_not_exempt() -> None:
    """AC108 stands beside AC101: else nobody understands why this merge needs a link."""
    [finding] = found(merge_adds_nothing, "Merge branch 'side'\n", grounds=EVIL)

    assert (finding.code, finding.level) == ("AC108", "warning")
    assert "none of its parents" in finding.message
    assert "link it" in finding.hint


@pytest.mark.parametrize(
    ("text", "pairs", "grounds", "demanded"),
    [
        ("Merge branch 'side'\n", [], MERGE, True),
        ("Add the parser\n", [], Grounds(), True),
        (f"Merge it\n\nAmp-Thread-ID: {url(PARENT)}\n", [], EVIL, True),
        ("Merge it\n\nAmp-Thread-ID: x\n", [], EVIL, True),
        ("Merge it\n", [("exempt", "fixup")], EVIL, True),
        ("Merge it\n", [], EVIL, False),
        ("Merge it\n", [], Grounds(merge=True, own_changes=lambda: True, before="before:v1"), True),
        ("Merge it\n", [("exempt", "merge"), ("exempt", "bot:x")], Grounds(merge=True, bot="x"), True),
    ],
    ids=["clean", "no merge", "linked", "badly linked", "not exempt", "a person's", "of old", "a bot's"],
)
def test_other_merges_have_nothing_to_explain(
    text: str, pairs: list[tuple[str, str]], grounds: Grounds, demanded: bool
) -> None:
    """AC108 is for a merge that lacks its link and would be exempt if it added nothing."""
    assert levels(merge_adds_nothing, text, *pairs, grounds=grounds, demanded=demanded) == []


def test_a_record_of_another_thread_is_named() -> None:
    """AC106 says both threads; it is an error only where the policy demands records."""
    [finding] = found(record_agrees, LINKED, records=[said(OTHER), said(CHILD)])

    assert PARENT in finding.message
    assert CHILD in finding.message
    assert (finding.code, finding.level) == ("AC106", "warning")
    assert levels(record_agrees, LINKED, ("record", "true"), records=[said(CHILD)]) == ["AC106:error"]


def test_one_record_that_agrees_is_enough() -> None:
    """Where two hook managers recorded a commit, or a message was changed and changed back, nobody is accused."""
    assert found(record_agrees, LINKED, records=[said(CHILD), said(PARENT), said(OTHER)]) == []


@pytest.mark.parametrize(
    ("text", "records"),
    [(BARE, [said(PARENT)]), (LINKED, []), (LINKED, None)],
    ids=["no link", "no record", "no ledger"],
)
def test_a_record_can_only_disagree_with_a_link(text: str, records: list[Said] | None) -> None:
    """Without a link there is AC101, without a record there may be AC301."""
    assert levels(record_agrees, text, ("record", "true"), records=records) == []


def test_only_the_last_link_must_be_the_recorded_thread() -> None:
    """A commit of several threads is recorded with the last one."""
    text = f"{SUBJECT}\n\n{LINK}\nAmp-Thread-ID: {url(CHILD)}\n"

    assert found(record_agrees, text, records=[said(CHILD)]) == []
    assert levels(record_agrees, text, records=[said(PARENT)]) == ["AC106:warning"]


def test_a_commit_without_its_record_fails_where_the_policy_demands_one() -> None:
    """AC301 is for a linked commit; AC302 for one whose record proves nothing."""
    demand = ("record", "true")

    assert levels(is_recorded, LINKED, demand, records=[]) == ["AC301:error"]
    assert levels(is_recorded, LINKED, demand, records=[], damage="line 1: x") == ["AC301:error"]
    assert levels(is_recorded, LINKED, demand, records=[said(PARENT)], damage="line 1: x") == ["AC302:error"]
    assert levels(is_recorded, LINKED, demand, records=[said(PARENT)]) == []
    for records, text in (([], BARE), (None, LINKED)):
        assert levels(is_recorded, text, demand, records=records, damage="line 1: x") == []
    assert levels(is_recorded, LINKED, records=[], damage="line 1: x") == []


DEMAND = ("record", "true")


def test_a_shared_record_counts_as_one() -> None:
    """AC301, AC302: what is shared proves as much as the ledger, also where that is damaged."""
    for records in ([said(PARENT, "shared")], [said(PARENT), said(PARENT, "shared")]):
        assert levels(is_recorded, LINKED, DEMAND, records=records, damage="line 1: x") == []
    both = [said(PARENT), said(PARENT, "claim")]
    assert levels(is_recorded, LINKED, DEMAND, records=both, damage="line 1: x") == ["AC302:error"]


def test_a_claim_is_no_record_and_says_so() -> None:
    """AC301: who pushed the commit pushed the record, too; the name of a remote does not speak to the terminal."""
    [finding] = found(is_recorded, LINKED, DEMAND, records=[said(PARENT, "claim")])

    assert (finding.code, finding.level) == ("AC301", "error")
    assert "only a claim, fetched from \\x1b[31mfork" in finding.message
    assert "let `ampcommit share` take it in" in finding.hint
    [finding] = found(is_recorded, LINKED, DEMAND, records=[said(PARENT, "claim")], proof=Proof(fork=True))
    assert (finding.level, "a fork only claims them" in finding.hint) == ("warning", True)
    assert levels(is_recorded, LINKED, records=[said(PARENT, "claim")]) == []


def test_a_fork_cannot_have_shared_anything_here() -> None:
    """AC301 is a warning for a commit of a fork, whose author may not push notes to this repository."""
    assert levels(is_recorded, LINKED, DEMAND, records=[], proof=Proof(fork=True)) == ["AC301:warning"]
    [finding] = found(is_recorded, LINKED, DEMAND, records=[])
    assert "ampcommit share" in finding.hint


def test_a_claim_that_disagrees_is_a_warning() -> None:
    """AC106 is an error only by a record that counts; one whose signature is missing says nothing at all."""
    assert levels(record_agrees, LINKED, DEMAND, records=[said(CHILD, "claim")]) == ["AC106:warning"]
    assert levels(record_agrees, LINKED, DEMAND, records=[said(CHILD, "shared")]) == ["AC106:error"]
    assert levels(record_agrees, LINKED, DEMAND, records=[said(CHILD, "shared", UNSIGNED)]) == []
    signed = Proof(signed=True)
    assert levels(record_agrees, LINKED, records=[said(CHILD, "claim")], proof=signed) == ["AC106:error"]


def test_a_later_thread_is_named() -> None:
    """AC107 says which thread the work had gone on in, and is never more than a warning."""
    later = Proof(later=lambda thread: ThreadId(CHILD) if thread == PARENT else None)
    [finding] = found(linked_the_latest, LINKED, DEMAND, records=[said(PARENT)], proof=later)

    assert (finding.code, finding.level) == ("AC107", "warning")
    assert PARENT in finding.message
    assert CHILD in finding.message
    assert PARENT in finding.hint
    for text, records, proof in ((LINKED, [], later), (BARE, [said(PARENT)], later), (LINKED, [said(PARENT)], None)):
        assert levels(linked_the_latest, text, records=records, proof=proof) == []


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([UNSIGNED], ["AC303:error"]),
        ([UNSIGNED, "a key of \x1b[31m nobody"], ["AC304:error"]),
        ([None], []),
        ([], []),
    ],
    ids=["unsigned", "bad", "signed", "no record"],
)
def test_signatures_are_judged_where_they_are_demanded(faults: list[str | None], expected: list[str]) -> None:
    """AC303, AC304: a bad signature is worse than none; what is exempt needs none."""
    records = [said(PARENT, "shared", fault) for fault in faults]

    assert levels(is_signed, LINKED, records=records, proof=Proof(signed=True)) == expected
    assert levels(is_signed, BARE, records=records, proof=Proof(signed=True)) == []
    assert levels(is_signed, LINKED, ("exempt", "merge"), grounds=MERGE, records=records) == []


def test_who_demands_signatures_demands_records() -> None:
    """AC301: taking all records away is no way around a signature; unsigned ones have their own findings."""
    proof = Proof("line 1: x", signed=True)

    assert levels(is_recorded, LINKED, records=[], proof=proof) == ["AC301:error"]
    assert levels(is_recorded, LINKED, DEMAND, records=[], proof=Proof(fork=True, signed=True)) == ["AC301:error"]
    assert levels(is_recorded, LINKED, records=[said(PARENT, fault=UNSIGNED)], proof=proof) == []


def test_what_is_wrong_with_the_ledger_is_shown_without_what_a_terminal_acts_on() -> None:
    """A line of the ledger does not speak to the terminal."""
    [finding] = found(is_recorded, LINKED, ("record", "true"), records=[said(PARENT)], damage="line 1: \x1b[31m\u202e")

    assert "line 1: \\x1b[31m" in finding.message


def test_an_exemption_is_used_only_where_a_record_is_missing() -> None:
    """A merge that has all it needs passes as what it is; one without a record is excused."""
    settings = policy(("record", "true"))
    for records, damage, excused in (
        ([said(PARENT)], None, None),
        ([], None, "merge"),
        ([said(PARENT)], "line 1: x", "merge"),
    ):
        case = Case(LINKED.encode(), trailers(LINKED.encode(), os.environ), settings, grounds=MERGE, records=records)
        case.proof = Proof(damage)
        assert rules.judged(case, settings, CHECKS) == []
        assert case.excused == excused


# Over the ledger of a clone.


@pytest.fixture
def clone(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A clone with hooks, in which this process runs."""
    monkeypatch.chdir(installed.path)
    return installed


def ledger(repo: Repo) -> Path:
    """Return the ledger of the clone."""
    return repo.path / ".git" / "ampcommit" / "ledger.jsonl"


def demanding(repo: Repo, *lines: str) -> str:
    """Commit a policy of these lines without hooks; the commits behind it are those to judge."""
    (repo.path / ".ampcommit").write_text("[ampcommit]\n" + "".join(f"\t{line}\n" for line in lines))
    repo("add", "-A")
    repo.commit("-q", "-m", "Begin the project", env=UNHOOKED)
    repo("tag", "-f", "base")
    return repo.head()


def save(repo: Repo, subject: str = SUBJECT) -> str:
    """Commit as the agent does: the hook adds the link and records the commit."""
    repo.commit("-q", "-m", subject)
    assert repo.links()
    return repo.head()


def rewrite(repo: Repo, line: int, old: str, new: str) -> None:
    """Change *old* to *new* in one line of the ledger."""
    lines = ledger(repo).read_text().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    ledger(repo).write_text("".join(lines))


def test_a_commit_that_the_hooks_recorded_has_its_record(clone: Repo, agent: Enter) -> None:
    """With `record = true` what Amp commits passes: amended, picked and rebased as well."""
    demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    picked = save(clone)
    clone.commit("-q", "--amend", "-m", "Say it better")
    clone("checkout", "-q", "-b", "other", "HEAD~1")
    clone("commit", "-q", "--allow-empty", "-m", "Begin elsewhere")
    clone("cherry-pick", "--allow-empty", picked)
    clone("rebase", "-q", "--keep-empty", "main")

    assert outcomes() == ["pass"] * 4
    assert over().counts == {"checked": 4, "passed": 4, "linked": 4}


def test_a_commit_past_the_hooks_has_none(clone: Repo, agent: Enter) -> None:
    """AC301: a link that was written somewhere else; without `record = true` it is as good as any."""
    demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    clone.commit("-q", "-m", SUBJECT, "-m", LINK, env=UNHOOKED)
    clone.commit("-q", "-m", "No link at all", env=UNHOOKED)
    clone.commit("-q", "-m", SUBJECT, "-m", "Amp-Thread-ID: x", env=UNHOOKED)
    clone.commit("-q", "--no-verify", "-m", SUBJECT, "-m", LINK)

    assert outcomes() == ["pass", "fail AC301:error", "fail AC101:error", "fail AC103:error", "pass"]
    [finding] = over("HEAD~3", policy_from="base").verdicts[0].findings
    assert "where the commit was made" in finding.hint
    lenient = demanding(clone, "record = false")
    assert outcomes("base~4^..base~1", policy_from=lenient) == ["pass", "fail AC101:error", "fail AC103:error", "pass"]


@pytest.mark.parametrize("content", [None, b"", b'{"v":1'], ids=["none", "empty", "torn"])
def test_where_nothing_was_ever_recorded_each_record_is_missing(
    clone: Repo, agent: Enter, content: bytes | None, tmp_path: Path
) -> None:
    """AC301: CI has another clone, and `record = true` is no silent pass there; neither is it after a loss."""
    demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    clone("clone", "-q", ".", str(tmp_path / "ci"))
    copy = Repo(tmp_path / "ci")
    if content is not None:
        ledger(copy).parent.mkdir()
        ledger(copy).write_bytes(content)

    assert over(folder=copy.path).outcomes == ["fail AC301:error"]
    assert over(folder=copy.path, min_coverage=0).exit_code == 1
    assert outcomes() == ["pass"]


def test_an_edited_record_tells_of_another_thread(clone: Repo, agent: Enter) -> None:
    """AC106: a warning by default; where records are demanded it is an error, and the broken chain another."""
    strict = demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    save(clone)
    mild = demanding(clone, "mode = require")
    for line in (1, 0):
        rewrite(clone, line, PARENT, OTHER)
        broken = " AC302:error" if line == 0 else ""
        expected = [f"fail AC106:error{broken}"] if line == 0 else ["pass"]
        assert outcomes("base~3..base~1", policy_from=strict) == [*expected, f"fail AC106:error{broken}"]
    assert outcomes("base~3..base~1", policy_from=mild) == ["pass AC106:warning"] * 2
    assert OTHER in over("base~1", policy_from=mild).verdicts[0].findings[0].message


def damaged(repo: Repo) -> None:
    """Change what the ledger says of the branch."""
    rewrite(repo, 0, '"branch":"main"', '"branch":"mine"')


def removed(repo: Repo) -> None:
    """Take the first line away."""
    ledger(repo).write_text("".join(ledger(repo).read_text().splitlines(keepends=True)[1:]))


def torn(repo: Repo) -> None:
    """Leave half a line behind, as a crash does."""
    with ledger(repo).open("a") as stream:
        stream.write('{"v":1,"kind":"com')


def garbled(repo: Repo) -> None:
    """Put a line of nonsense in between, with what a terminal acts on."""
    lines = ledger(repo).read_text().splitlines(keepends=True)
    ledger(repo).write_text("".join([lines[0], '{"v":1,"kind":"commit","commit":"\x1b[31m"}\n', *lines[1:]]))


@pytest.mark.parametrize(
    ("damage", "first"),
    [
        (damaged, "fail AC302:error"),
        (removed, "fail AC301:error"),
        (torn, "fail AC302:error"),
        (garbled, "fail AC302:error"),
    ],
)
def test_a_damaged_ledger_proves_nothing(clone: Repo, agent: Enter, damage: Callable[[Repo], None], first: str) -> None:
    """AC302: with `record = true` no record of a ledger that is not whole counts, and the hint says where to look."""
    demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    save(clone)
    assert outcomes() == ["pass", "pass"]
    damage(clone)

    assert outcomes() == [first, "fail AC302:error"]
    [finding] = over("HEAD", policy_from="base").verdicts[0].findings
    assert "ampcommit ledger check" in finding.hint
    assert finding.message.isprintable()
    lenient = demanding(clone, "mode = require")
    assert outcomes("base~3..base~1", policy_from=lenient) == ["pass", "pass"]


def test_with_mode_warn_the_ledger_only_warns(clone: Repo, agent: Enter) -> None:
    """AC106, AC301, AC302: a team that starts out softly sees everything, and nothing fails."""
    demanding(clone, "record = true", "mode = warn")
    agent(PARENT)
    save(clone)
    save(clone)
    clone.commit("-q", "-m", SUBJECT, "-m", LINK, env=UNHOOKED)
    rewrite(clone, 0, PARENT, OTHER)

    assert outcomes() == ["pass AC106:warning AC302:warning", "pass AC302:warning", "pass AC301:warning"]
    assert over().exit_code == 0


def test_with_mode_off_the_ledger_is_not_asked(clone: Repo, agent: Enter) -> None:
    """Where nothing is validated, records are not, either."""
    demanding(clone, "mode = require")
    agent(PARENT)
    save(clone)
    removed(clone)
    off = demanding(clone, "record = true", "mode = off")

    assert outcomes("base~1", policy_from=off) == ["pass"]


def test_merges_have_their_records(clone: Repo, agent: Enter) -> None:
    """A merge has its record, whether `git merge` made it or `git commit` concluded it."""
    demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    for conclude in (["merge", "-q", "--no-ff", "-m", "Merge it", "side"], ["merge", "--no-ff", "--no-commit", "side"]):
        clone("checkout", "-q", "-b", "side", "HEAD~1")
        (clone.path / f"side{len(conclude)}").write_text("1")
        clone("add", "-A")
        save(clone)
        clone("checkout", "-q", "main")
        clone(*conclude)
        clone("branch", "-D", "side")
    assert outcomes("HEAD", policy_from="base") == ["pass"]
    clone.commit("-q", "-m", "Merge it again")

    assert outcomes("HEAD", policy_from="base") == ["pass"]
    assert over().counts == {"checked": 5, "passed": 5, "linked": 5}


def test_what_came_before_needs_no_record_and_may_have_one(clone: Repo, agent: Enter) -> None:
    """Commits of old are free where the record is missing, and pass where it is there; AC106 has no exemption."""
    agent(PARENT)
    clone.commit("-q", "-m", SUBJECT, "-m", LINK, env=UNHOOKED)
    save(clone)
    old = save(clone)
    demanding(clone, "record = true", f"exempt = before:{old}")

    assert outcomes("base~3") == [f"exempt before:{old}"]
    assert outcomes("base~2") == outcomes("base~1") == ["pass"]
    rewrite(clone, 1, PARENT, OTHER)
    assert outcomes("base~1") == ["fail AC106:error"]
    rewrite(clone, 0, '"branch":"main"', '"branch":"mine"')
    assert outcomes("base~2") == [f"exempt before:{old}"]


def test_a_record_of_the_agents_own_shell_makes_a_commit_the_agents(clone: Repo, agent: Enter) -> None:
    """With `authors = agent` what the environment said at the commit counts; what a person set or wrote does not."""
    demanding(clone, "authors = agent")
    agent(PARENT)
    recorded = save(clone)
    bare = add(clone, BARE, UNHOOKED)
    assert outcomes() == ["pass", "pass"]
    assert over().counts["not_agent"] == 1
    rewrite(clone, 0, f'"commit":"{recorded}"', f'"commit":"{bare}"')

    assert outcomes() == ["pass", "fail AC101:error"]
    for source in ("use", "message", "none"):
        rewrite(clone, 0, '"source":"env"', f'"source":"{source}"')
        assert outcomes() == ["pass", "pass"]
        rewrite(clone, 0, f'"source":"{source}"', '"source":"env"')


def test_a_linked_commit_that_only_the_record_knows_for_the_agents_is_not_counted_apart(
    clone: Repo, agent: Enter
) -> None:
    """Its trailer is text with our key already; the co-author alone demands a link, with a ledger as without."""
    demanding(clone, "authors = agent")
    agent(PARENT)
    save(clone)
    add(clone, f"{SUBJECT}\n\n{COAUTHOR}\n", UNHOOKED)
    add(clone, f"{SUBJECT}\n\nmore\n", UNHOOKED)

    assert outcomes() == ["pass", "fail AC101:error", "pass"]
    assert over().counts == {"checked": 3, "passed": 2, "failed": 1, "linked": 1, "not_agent": 1}


def test_all_work_trees_share_the_records(clone: Repo, agent: Enter, tmp_path: Path) -> None:
    """V10: a commit that was made in one work tree has its record in all of them, and where there is none."""
    demanding(clone, "record = true")
    agent(PARENT)
    clone("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    save(Repo(tmp_path / "linked"))
    for folder in (clone.path, tmp_path / "linked", clone.path / ".git"):
        assert over("base..other", folder).outcomes == ["pass"]


def test_other_lines_of_the_ledger_say_nothing_of_a_commit(clone: Repo, agent: Enter) -> None:
    """A chain that became known later is no record, and does no harm to those that are."""
    demanding(clone, "record = true")
    agent(PARENT)
    save(clone)
    Ledger(str(ledger(clone))).append(learned(PARENT))
    save(clone)

    assert len(ledger(clone).read_bytes().splitlines()) == 3
    assert outcomes() == ["pass", "pass"]
