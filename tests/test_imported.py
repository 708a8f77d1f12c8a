"""The ledger's kind `import`: what others say, kept so that it is never taken for a word of our own."""

import json
from pathlib import Path

import pytest

from ampcommit.carried import Carry
from ampcommit.errors import RecordError
from ampcommit.imported import Imported, claims, identity
from ampcommit.ledger import Ledger
from ampcommit.notes.records import Records
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.rewritten import Rewrite, rewritings
from ampcommit.verbs.resolve import pending
from tests.conftest import CHILD, OTHER, PARENT, learned

A, B, C, D = (Sha(letter * 40) for letter in "abcd")
NOW = "2026-11-21T08:00:00Z"
BY = "ampcommit 0.1.0"


def record(commit: Sha = A, thread: str = CHILD, branch: str | None = "main", prev: str | None = None) -> Record:
    """Return a record of *commit*."""
    return Record(
        commit=commit,
        tree=B,
        parents=[],
        links=[ThreadId(PARENT), ThreadId(thread)],
        chain=[ThreadId(thread)],
        chain_state="unknown",
        source="env",
        validated=True,
        branch=branch,
        repo="git.example.com/team/demo",
        time=NOW,
        by=BY,
        prev=prev,
    )


def rewrite(old: Sha, new: Sha) -> Rewrite:
    """Return the line that says that *old* became *new*."""
    return Rewrite(old=old, new=new, command="amend", source="git", time=NOW, by=BY)


def carry(new: Sha, *commits: Sha) -> Carry:
    """Return the line that says that *new* was made of *commits*."""
    return Carry(new=new, commits=list(commits), source="range", time=NOW, by=BY)


def imported(line: bytes) -> Imported:
    """Return what a line says, as it was imported from a file."""
    said = Imported.of_line(line, "jsonl", "team.jsonl")
    assert said
    return said


def traced(**changes: object) -> Imported:
    """Return what a trace says, but for *changes*."""
    told: dict[str, object] = {
        "id": "1",
        "timestamp": NOW,
        "links": [CHILD],
        "chain": [CHILD],
        "chain_state": "unknown",
    }
    said = json.dumps(told | changes).encode()
    return Imported(of="trace", about=A, links=[ThreadId(CHILD)], said=said, form="agent-trace", origin=None, time=NOW)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    (tmp_path / "state").mkdir()
    return Ledger(str(tmp_path / "state" / "ledger.jsonl"))


def test_an_import_survives_its_bytes() -> None:
    """What is written is what is read, byte for byte, as docs/record.md describes it."""
    said = imported(record().to_bytes())
    line = said.to_bytes()
    fields = json.loads(line)

    assert Imported.from_bytes(line).to_bytes() == line
    assert list(fields) == ["v", "kind", "of", "about", "links", "said", "format", "from", "time", "by", "prev"]
    assert (fields["of"], fields["about"], fields["from"]) == ("commit", A, "team.jsonl")
    assert json.loads(fields["said"]) == {k: v for k, v in json.loads(record().to_bytes()).items() if k != "prev"}
    assert (said.chain, said.chain_state) == ([CHILD], "unknown")


def test_each_kind_of_line_says_what_it_is_about() -> None:
    """Records, rewritings and carryings are about a commit, a chain about threads alone."""
    lines = [record().to_bytes(), rewrite(A, B).to_bytes(), carry(C, A, B).to_bytes(), learned(OTHER).to_bytes()]

    assert [(one.of, one.about, one.links) for one in map(imported, lines)] == [
        ("commit", A, [PARENT, CHILD]),
        ("rewrite", B, []),
        ("carry", C, []),
        ("chain", None, [OTHER]),
    ]
    assert imported(lines[1]).chain == []


def test_a_line_of_a_note_is_read_like_one_of_a_ledger() -> None:
    """Shared records have neither `prev` nor `branch`; the branch makes no other record of one."""
    fields = json.loads(record().to_bytes())
    del fields["prev"], fields["branch"]
    note = imported(json.dumps(fields).encode())

    assert note.told["branch"] is None
    assert note.key == imported(record(branch='a","repo":"b\\').to_bytes()).key == identity(note.said)
    assert note.key != imported(record(thread=OTHER).to_bytes()).key


def test_a_claim_of_a_claim_is_the_same_claim() -> None:
    """What was imported elsewhere keeps its origin, its time and who wrote it down."""
    first = imported(record().to_bytes())
    first.prev = "sha256:" + "0" * 64
    again = Imported.of_line(first.to_bytes(), "jsonl", "other.jsonl")

    assert again
    assert (again.origin, again.prev, again.key) == ("team.jsonl", None, first.key)


@pytest.mark.parametrize("kind", ["head", "signature", "of a time to come"])
def test_a_kind_of_no_use_is_passed_over(kind: str) -> None:
    """Lines that only a note needs, and those that this version does not know, are no failure."""
    assert Imported.of_line(json.dumps({"v": 1, "kind": kind}).encode(), "jsonl", None) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no record"),
        (b'{"v":true,"kind":"commit"}', "no record"),
        (b'{"v":"1","kind":"commit"}', "no record"),
        (b'{"v":2,"kind":"commit"}', "a newer ampcommit"),
        (b'{"v":1}', "wrong type"),
        (b'{"v":1,"kind":["commit"]}', "wrong type"),
        (b'{"v":1,"kind":"commit"}', "lacks the field"),
        (b'{"v":1,"kind":"import"}', "lacks the field"),
    ],
)
def test_a_damaged_line_is_refused(line: bytes, reason: str) -> None:
    """What is no line of a ledger becomes none."""
    with pytest.raises(RecordError, match=reason):
        Imported.of_line(line, "jsonl", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "commit"},
        {"about": None},
        {"about": B},
        {"about": "HEAD"},
        {"links": [CHILD]},
        {"links": None},
        {"said": "{}"},
        {"said": {}},
        {"of": "chain"},
        {"of": "trace"},
        {"of": "head"},
        {"format": 1},
        {"from": 1},
        {"time": None},
        {"prev": 1},
    ],
)
def test_an_import_holds_what_it_names(changes: dict[str, object]) -> None:
    """A line that says something else than the words in it is damaged."""
    line = json.dumps(json.loads(imported(record().to_bytes()).to_bytes()) | changes).encode()

    with pytest.raises(RecordError):
        Imported.from_bytes(line)


def test_what_a_trace_says_is_held_too() -> None:
    """Its commit, its threads and a chain that begins with the last of them; nothing that a trace never says."""
    assert Imported.from_bytes(traced(validated=True, source=None).to_bytes()).chain_state == "unknown"
    wrong: list[dict[str, object]]
    wrong = [{"chain": [OTHER]}, {"chain": [CHILD, 1]}, {"chain_state": 1}, {"x": 1.5}, {"x": {}}, {"x": [[]]}]
    for changes in wrong:
        with pytest.raises(RecordError):
            Imported.from_bytes(traced(**changes).to_bytes())
    for change in ('"about":null', '"links":[]'):
        line = json.dumps(json.loads(traced().to_bytes()) | json.loads(f"{{{change}}}")).encode()
        with pytest.raises(RecordError):
            Imported.from_bytes(line)


def test_traces_of_many_edits_say_one_thing() -> None:
    """An agent leaves one for each edit: id and time make no other claim, the commit and the chain do."""
    assert traced().key == traced(id="2", timestamp="later").key
    assert traced().key != traced(chain_state="complete").key


def test_a_repetition_is_seen() -> None:
    """The same words, from whatever file, are said once in a moment."""
    said = imported(record().to_bytes())

    assert said.repeats(said.to_bytes() + b"\n")
    assert not said.repeats(imported(record(B).to_bytes()).to_bytes())


def test_an_import_is_never_a_word_of_our_own(ledger: Ledger) -> None:
    """No reader of records, rewritings or chains takes a claim for one, and no own record is lost beside it."""
    lines = [record().to_bytes(), rewrite(A, B).to_bytes(), learned(OTHER).to_bytes()]
    ledger.append(*map(imported, lines), again=True)

    assert Records(ledger).of(A, every=True) == Records(ledger).of(B, every=True) == []
    assert (ledger.records("commit", A), list(rewritings(ledger.lines(), B)), pending(ledger)) == ([], [], [])
    assert ledger.find(b'"kind":"commit"') == ledger.find(b'"kind":"chain"') == ledger.find(b'"commit":"') == []
    ledger.append(record(), rewrite(A, B), learned(OTHER))
    assert len(list(ledger.lines())) == 6
    assert ledger.check().problems == []


def test_a_damaged_import_is_found_by_the_check(ledger: Ledger) -> None:
    """`ledger check` reads imports as it reads records."""
    ledger.append(imported(record().to_bytes()))
    content = Path(ledger.path).read_bytes()
    Path(ledger.path).write_bytes(content.replace(b'"about":"a', b'"about":"b'))

    assert ledger.check().problems == ["line 1: an import does not hold what it names"]


def test_the_claims_about_a_commit_are_found(ledger: Ledger) -> None:
    """Those about what it was made from, as others say, come first; circles end, damaged lines are passed over."""
    made = [rewrite(A, B).to_bytes(), carry(C, B, B).to_bytes(), rewrite(C, A).to_bytes()]
    said = [record(A, OTHER).to_bytes(), record(C).to_bytes(), record(D).to_bytes()]
    ledger.append(*map(imported, [*said, *made]), again=True)
    with Path(ledger.path).open("ab") as file:
        file.write(json.dumps({"v": 1, "kind": "import", "about": C}).encode() + b"\n")

    assert [(told.about, told.links) for told in claims(ledger, C)] == [(A, [PARENT, OTHER]), (C, [PARENT, CHILD])]
    assert claims(ledger, Sha("e" * 40)) == []
