"""What the ledger says of many commits: records, what they were made from, chains that were learned later."""

from pathlib import Path

import pytest

from ampcommit.interchange.facts import Fact, Facts
from ampcommit.ledger import Ledger
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.resolved import Resolved
from ampcommit.rewritten import MOST, Rewrite
from tests.conftest import CHILD, OTHER, PARENT
from tests.test_imported import NOW, A, B, C, D, carry, imported, record, rewrite


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    (tmp_path / "state").mkdir()
    return Ledger(str(tmp_path / "state" / "ledger.jsonl"))


def learnt(*chain: str, state: str = "complete") -> Resolved:
    """Return the line that tells a chain."""
    threads = [ThreadId(thread) for thread in chain]
    return Resolved(
        thread=threads[0], chain=threads, chain_state=state, parents={}, source="amp", time=NOW, by="ampcommit 0.1.0"
    )


def known(ledger: Ledger, commit: Sha = A) -> Fact:
    """Return what the ledger says of *commit*, of which it says something."""
    fact = Facts(ledger, [commit]).of(commit)
    assert fact
    return fact


def said(commit: Sha, thread: str, source: str = "env", *, validated: bool = True) -> Record:
    """Return a record of *commit* by *thread* alone."""
    one = record(commit, thread)
    one.links, one.source, one.validated = [ThreadId(thread)], source, validated
    return one


def test_a_record_is_a_fact(ledger: Ledger) -> None:
    """Threads, chain, source and verdict are those of the record; other commits have none."""
    ledger.append(record())
    fact = known(ledger)

    assert (fact.commit, fact.thread, fact.links) == (A, CHILD, [PARENT, CHILD])
    assert (fact.chain.threads, fact.chain.state, fact.source, fact.validated) == ([CHILD], "unknown", "env", True)
    assert Facts(ledger, [A]).of(B) is None
    assert Facts(Ledger(ledger.path + ".none"), [A]).of(A) is None


def test_what_a_commit_was_made_from_speaks_for_it(ledger: Ledger) -> None:
    """Own links come last, and only its own message can have been checked."""
    ledger.append(said(A, OTHER), said(C, PARENT), rewrite(A, B), carry(D, B, C), said(D, CHILD, validated=False))
    fact = known(ledger, D)

    assert (set(fact.links[:2]), fact.links[-1]) == ({OTHER, PARENT}, CHILD)
    assert (fact.source, fact.validated) == ("env", False)
    assert known(ledger, B).links == [OTHER]
    assert known(ledger, B).validated is False


def test_how_it_is_known_is_as_sure_as_the_way_there(ledger: Ledger) -> None:
    """Git's word keeps the source of the record; what only resembles it is called what it is."""
    ledger.append(said(A, CHILD), rewrite(A, B))
    ledger.append(Rewrite(old=A, new=C, command=None, source="tree", time=NOW), carry(D, A))

    assert [known(ledger, commit).source for commit in (B, C, D)] == ["env", "tree", "range"]


def test_the_best_informed_record_says_how_the_thread_was_found(ledger: Ledger) -> None:
    """A record from the agent's shell outweighs one from the message alone."""
    ledger.append(said(A, CHILD, "use"), rewrite(A, B), said(B, CHILD, "message"))

    assert known(ledger, B).source == "use"


def test_what_was_learned_later_completes_a_chain(ledger: Ledger) -> None:
    """The line that says most counts, of the thread that the commit is from, and never one that says less."""
    ledger.append(said(A, CHILD))
    ledger.append(learnt(CHILD, PARENT, state="partial"), learnt(CHILD, PARENT, OTHER), learnt(CHILD, PARENT))
    assert (known(ledger).chain.threads, known(ledger).chain.state) == ([CHILD, PARENT, OTHER], "complete")

    ledger.append(said(B, OTHER), learnt(OTHER, state="unknown"))
    assert known(ledger, B).chain.state == "unknown"
    facts = Facts(ledger, [B])
    assert (facts.of(B) is None, facts.of(B) is None) == (False, False)


def test_circles_and_long_ways_end(ledger: Ledger) -> None:
    """Commits that were made from each other are taken once, and nobody follows more than so many."""
    ledger.append(rewrite(A, B), rewrite(B, A), said(A, CHILD))
    assert len(known(ledger, B).records) == 1

    ids = [Sha(f"{number:040x}") for number in range(MOST + 5)]
    with Path(ledger.path).open("ab") as file:
        file.writelines(rewrite(old, D).to_bytes() + b"\n" for old in ids)
    assert len(Facts(ledger, [D]).origins(D)) == MOST


def test_damaged_lines_say_nothing(ledger: Ledger) -> None:
    """`ledger check` tells of them; imports are no facts of ours."""
    ledger.append(said(A, CHILD), imported(record(B).to_bytes()))
    with Path(ledger.path).open("ab") as file:
        file.write(b'{"kind":"commit","commit":"%s"}\n' % A.encode())
        file.write(record(A, OTHER).to_bytes()[:-1] + b',"commit":"%s"}\n' % C.encode())
        file.write(b'{"kind":"rewrite","new":"%s"}\n{"kind":"chain","thread":"%s"}\n' % (A.encode(), CHILD.encode()))
        file.write(b'{"kind":"chain","thread":"nobody"}\n')

    assert known(ledger).links == [CHILD]
    assert Facts(ledger, [B]).of(B) is None
