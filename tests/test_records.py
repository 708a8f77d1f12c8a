"""What the ledger says of many commits: the same as one search for each, at the price of one pass."""

import json
import os
import tracemalloc
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.errors import LedgerError
from ampcommit.ledger import Ledger
from ampcommit.notes.records import UNSIGNED, Records, Said
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.rewritten import MOST, Rewrite
from tests.conftest import CHILD, OTHER, PARENT, Repo, learned
from tests.test_noted import here, noted, share
from tests.test_record import SHA1, SHA256, record_of, records, shas
from tests.test_traced import carry

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

MANY = 3000
"""Records enough for every part of the index to hold several."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger that does not exist yet."""
    return Ledger(str(tmp_path / "ledger.jsonl"))


def sha(number: int) -> Sha:
    """Return the commit id with this number."""
    return Sha(f"{number:040x}")


def write(ledger: Ledger, lines: Iterable[bytes], rest: bytes = b"") -> Records:
    """Let the ledger hold *lines*, then *rest*, and return its records."""
    Path(ledger.path).write_bytes(b"".join(line + b"\n" for line in lines) + rest)
    return Records(ledger)


def told(said: list[Said]) -> list[tuple[Any, ...]]:
    """Return what records say, to be compared."""
    return [(one.links, one.source, one.thread, one.validated) for one in said]


def expected(*written: Record) -> list[tuple[Any, ...]]:
    """Return what *written* records have to say."""
    return [(one.links, one.source, one.thread, one.validated) for one in written]


def varied(record: Record, **others: Any) -> bytes:
    """Return the line of *record* with *others* of its fields as given."""
    fields = json.loads(record.to_bytes()) | others
    return json.dumps(fields, separators=(",", ":")).encode()


# --- what a record says


def test_a_record_says_how_its_thread_was_found(ledger: Ledger) -> None:
    """Links, source, thread and the mark of `commit-msg` are those of the record."""
    links = [ThreadId(OTHER), ThreadId(CHILD)]
    ledger.append(record_of(SHA1, links=links, source="use", validated=False))

    (said,) = Records(ledger).of(SHA1)

    assert (links, "use", CHILD, False) == (said.links, said.source, said.thread, said.validated)


@pytest.mark.parametrize("commit", [SHA1, SHA256], ids=["sha1", "sha256"])
def test_a_commit_of_either_hash_is_found(ledger: Ledger, commit: Sha) -> None:
    """Repositories of SHA-256 have the same answers; an id that begins with another's is another."""
    found = write(ledger, [record_of(commit).to_bytes(), record_of(Sha(commit[:40] + "0" * 24)).to_bytes()])

    assert len(found.of(commit)) == 1
    assert found.of(Sha(commit[::-1])) == []


def test_several_records_of_a_commit_come_oldest_first(ledger: Ledger) -> None:
    """Where two hook managers recorded one commit, both records are told, in the order of the ledger."""
    both = [record_of(sha(1), CHILD), record_of(sha(1), PARENT)]
    ledger.append(both[0])
    ledger.append(record_of(sha(2)))
    ledger.append(both[1], again=True)

    assert expected(*both) == told(Records(ledger).of(sha(1)))


def test_a_commit_that_others_only_name_has_no_record(ledger: Ledger) -> None:
    """An id among parents, as a tree, as the name of a branch or in such a name is no record of that commit."""
    branch = f'","kind":"commit","commit":"{sha(9)}'
    named = record_of(sha(1), parents=[sha(2)], tree=sha(3), branch=sha(4))
    found = write(ledger, [named.to_bytes(), record_of(sha(5), branch=branch).to_bytes()])

    assert [found.of(sha(number)) for number in (2, 3, 4, 9)] == [[]] * 4
    assert [len(found.of(sha(number))) for number in (1, 5)] == [1, 1]


def test_only_lines_of_kind_commit_count(ledger: Ledger) -> None:
    """A chain that became known later is no record, nor is a line of a kind that is yet to be invented."""
    later = varied(record_of(sha(1)), kind="squash")
    found = write(ledger, [learned(CHILD).to_bytes(), later, later.replace(b'"kind":"squash",', b"")])

    assert found.of(sha(1)) == []


# --- what commits were rewritten into


def became(old: Sha, new: Sha) -> Rewrite:
    """Return the line that says that *old* became *new*."""
    return Rewrite(old=old, new=new, command="rebase", source="git", time="", by="")


def test_what_a_commit_was_made_from_speaks_for_it(ledger: Ledger) -> None:
    """A squash without links of its own has the records of all that went into it."""
    both = [record_of(sha(1), CHILD), record_of(sha(2), PARENT)]
    ledger.append(*both, became(sha(1), sha(3)), became(sha(2), sha(4)), became(sha(3), sha(5)), became(sha(4), sha(5)))

    assert expected(*both) == told(Records(ledger).of(sha(5)))


def test_a_record_of_its_own_speaks_before_others(ledger: Ledger) -> None:
    """Where the link was changed on purpose, the record of the new commit says so."""
    ledger.append(record_of(sha(1), CHILD), became(sha(1), sha(2)), record_of(sha(2), PARENT))

    assert expected(record_of(sha(2), PARENT)) == told(Records(ledger).of(sha(2)))


def test_rewriting_in_a_circle_ends(ledger: Ledger) -> None:
    """Lines that lead back to where they began say nothing."""
    ledger.append(became(sha(1), sha(2)), became(sha(2), sha(1)))

    assert Records(ledger).of(sha(2)) == []


def test_a_long_past_is_followed_so_far(ledger: Ledger) -> None:
    """More commits than anybody ever amended are not looked up."""
    ledger.append(*(became(sha(number), sha(0)) for number in range(1, MOST + 1)))
    ledger.append(became(sha(MOST + 1), sha(1)), record_of(sha(MOST + 1)))

    assert Records(ledger).of(sha(0)) == []


# --- ledgers of other versions


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"v":1,', b'"v":2,"signed_by":{"key":["x"]},'),
        lambda line: json.dumps(dict(reversed(json.loads(line).items())), separators=(",", ":")).encode(),
        lambda line: json.dumps(json.loads(line)).encode(),
        lambda line: json.dumps(json.loads(line), separators=("\t,\t", "\t:\t")).encode() + b"\r",
    ],
    ids=["newer", "other order", "blanks", "tabs"],
)
def test_a_record_of_another_writer_is_found(ledger: Ledger, change: Callable[[bytes], bytes]) -> None:
    """Unknown fields, another order and blanks do not hide a record."""
    found = write(ledger, [record_of(sha(0)).to_bytes(), change(record_of(sha(1)).to_bytes())])

    assert expected(record_of(sha(1))) == told(found.of(sha(1)))


def test_a_line_that_names_commits_inside_is_about_its_own(ledger: Ledger) -> None:
    """Fields of a newer version that name this commit again, or others, make no second record."""
    inside = {"of": [{"commit": sha(number)} for number in (1, 2, 1)]}
    found = write(ledger, [varied(record_of(sha(1)), rewritten=inside), record_of(sha(3)).to_bytes()])

    assert [len(found.of(sha(number))) for number in (1, 2, 3)] == [1, 0, 1]


# --- ledgers that are damaged, and none


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line[:-1],
        lambda line: b"x" + line,
        lambda line: b"[" + line + b"]",
        lambda line: line.replace(b'"tree"', b'"twig"'),
        lambda line: line.replace(b'"validated":true', b'"validated":"yes"'),
        lambda line: line.replace(b'"thread":"T-0', b'"thread":"T-f'),
        lambda line: line.replace(sha(1).encode(), sha(1).encode() + b'","commit":"none'),
    ],
    ids=["cut", "no JSON", "no object", "no tree", "wrong type", "another thread", "two ids"],
)
def test_a_damaged_record_says_nothing(ledger: Ledger, damage: Callable[[bytes], bytes]) -> None:
    """What cannot be read as a record is for `problems` to tell, and hides no other record."""
    good = [record_of(sha(number)).to_bytes() for number in (0, 1, 2)]
    found = write(ledger, [good[0], damage(good[1]), good[2]])

    assert [len(found.of(sha(number))) for number in (0, 1, 2)] == [1, 0, 1]
    assert [problem for problem in found.problems() if problem.startswith("line 2: ")]


def test_a_torn_line_is_no_record(ledger: Ledger) -> None:
    """C11: what a crash cut off does not count, even if only its line feed is missing."""
    found = write(ledger, [record_of(sha(0)).to_bytes()], rest=record_of(sha(1)).to_bytes())

    assert (found.present, len(found.of(sha(0))), found.of(sha(1))) == (True, 1, [])
    assert [problem for problem in found.problems() if "cut off" in problem]


@pytest.mark.parametrize("content", [None, b"", b'{"v":1'], ids=["none", "empty", "torn"])
def test_without_a_line_nothing_is_said(ledger: Ledger, content: bytes | None, tmp_path: Path) -> None:
    """A clone that never recorded a commit has no records, and none are made by asking."""
    if content is not None:
        Path(ledger.path).write_bytes(content)
    before = list(tmp_path.iterdir())
    found = Records(ledger)

    assert (found.present, found.of(SHA1)) == (False, [])
    assert list(tmp_path.iterdir()) == before


def test_a_sound_ledger_has_no_problems(ledger: Ledger) -> None:
    """Of a ledger that is in order, or not there, there is nothing to report."""
    assert Records(ledger).problems() == []
    ledger.append(record_of(sha(1)))
    ledger.append(record_of(sha(2)))

    assert (Records(ledger).present, Records(ledger).problems()) == (True, [])


@pytest.mark.parametrize("kind", ["link", "FIFO", "folder"])
@pytest.mark.parametrize("ask", [lambda it: it.present, lambda it: it.of(SHA1), lambda it: it.problems()])
def test_what_is_no_ledger_is_refused(ledger: Ledger, tmp_path: Path, kind: str, ask: Callable[[Records], Any]) -> None:
    """C13: a link, a FIFO or a folder in place of the ledger is an error whatever is asked, not an empty answer."""
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(record_of().to_bytes() + b"\n")
        os.symlink(tmp_path / "elsewhere", ledger.path)
    elif kind == "FIFO":
        os.mkfifo(ledger.path)
    else:
        os.mkdir(ledger.path)

    with pytest.raises(LedgerError, match="ledger"):
        ask(Records(ledger))


# --- many


def test_every_commit_of_many_is_found(ledger: Ledger) -> None:
    """Among thousands of records, some of one commit, each commit has its own and a stranger has none."""
    threads = [ThreadId(f"T-{number:08x}-2222-7333-8444-555566667777") for number in range(MANY)]
    found = write(
        ledger, (record_of(sha(number % (MANY - 100)), thread).to_bytes() for number, thread in enumerate(threads))
    )

    answers = [[said.thread for said in found.of(sha(number))] for number in range(MANY)]

    assert [[thread] for thread in threads[100 : MANY - 100]] == answers[100 : MANY - 100]
    assert [[threads[number], threads[MANY - 100 + number]] for number in range(100)] == answers[:100]
    assert answers[MANY - 100 :] == [[]] * 100


def test_one_commit_recorded_thousands_of_times(ledger: Ledger) -> None:
    """A ledger of nothing but one commit is read as well, in order."""
    found = write(ledger, (record_of(SHA1, validated=number % 3 == 0).to_bytes() for number in range(MANY)))

    assert [number % 3 == 0 for number in range(MANY)] == [said.validated for said in found.of(SHA1)]


def test_a_record_costs_few_bytes_of_memory(ledger: Ledger) -> None:
    """A million records need less than 40 MiB, because none is kept and none is read before it is asked for."""
    found = write(ledger, (record_of(sha(number)).to_bytes() for number in range(MANY)))
    tracemalloc.start()
    try:
        assert len(found.of(sha(7))) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 40 * MANY


def test_all_answers_are_of_one_moment(ledger: Ledger) -> None:
    """What is recorded while a long history is verified changes no answer, and the next run sees it."""
    ledger.append(record_of(sha(1)))
    found = Records(ledger)
    assert len(found.of(sha(1))) == 1
    ledger.append(record_of(sha(2)))
    assert len(ledger.records("commit", sha(2))) == 1

    assert (len(found.of(sha(1))), found.of(sha(2))) == (1, [])
    assert len(Records(ledger).of(sha(2))) == 1


@relaxed
@given(st.lists(records, max_size=6), st.integers(0, 5), shas)
def test_answers_are_those_of_a_search_for_each(
    tmp_path: Path, written: list[Record], same: int, stranger: Sha
) -> None:
    """Whatever the records are, and however often one commit has some, the pass finds what reading every line finds."""
    for record in written[: same + 1]:
        record.commit = written[0].commit
    found = write(Ledger(str(tmp_path / "ledger.jsonl")), (record.to_bytes() for record in written))

    for commit in {stranger, *(record.commit for record in written)}:
        assert expected(*(record for record in written if record.commit == commit)) == told(found.of(commit))


@relaxed
@given(st.lists(st.binary(), max_size=5))
def test_any_bytes_are_passed_over(tmp_path: Path, garbage: list[bytes]) -> None:
    """C12: whatever a damaged ledger holds around a record, the record is found."""
    lines = [record_of(SHA1).to_bytes(), *garbage, b'"commit":"' + SHA1.encode() + b'"', record_of(SHA1).to_bytes()]
    found = write(Ledger(str(tmp_path / "ledger.jsonl")), lines)

    assert expected(record_of(SHA1), record_of(SHA1)) == told(found.of(SHA1))


def test_each_line_is_judged_once(repo: Repo, ledger: Ledger) -> None:
    """A squash of very many records, none of them signed, costs a look at each line and no more."""
    olds = [sha(number) for number in range(200)]
    lines = noted(carry(sha(1000), *olds), *(record_of(old, PARENT) for old in olds))
    share(repo, {sha(1000): lines})
    asked: list[bytes] = []

    def signed(line: bytes, _: Collection[bytes]) -> str | None:
        asked.append(line)
        return None

    found = Records(ledger, here(repo), signed).of(sha(1000))

    assert ([one.fault for one in found], sorted(asked)) == ([UNSIGNED] * 200, sorted(lines))


def test_a_bad_signature_on_the_way_is_told_before_a_missing_one(repo: Repo, ledger: Ledger) -> None:
    """Who looks for what is wrong finds the worst of it, wherever it stands."""
    share(repo, {sha(2): noted(carry(sha(2), sha(1)), record_of(sha(1)), record_of(sha(2)))})

    def signed(line: bytes, _: Collection[bytes]) -> str | None:
        if b"carry" in line:
            raise LedgerError("forged")
        return None

    found = Records(ledger, here(repo), signed)

    assert [one.fault for one in found.of(sha(2), every=True)] == ["forged", "forged"]
    assert (found.noted, found.passed_over()) == (True, [])
