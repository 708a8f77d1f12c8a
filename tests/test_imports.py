"""`ledger import`: what others say becomes claims, each once, and whatever a file holds does no harm."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.errors import LedgerError, MisuseError
from ampcommit.files import Lock
from ampcommit.imported import Imported, claims
from ampcommit.record import Record, Sha, ThreadId, canonical
from ampcommit.resolved import Resolved
from ampcommit.verbs.export import Export
from ampcommit.verbs.imports import LIMIT, NAMED, Imports, imports
from tests.conftest import CHILD, OTHER, PARENT, Repo, command, learned, url
from tests.test_agent_trace import file, foreign
from tests.test_export import GONE, exported, ledger_of, made
from tests.test_imported import A, B, C, carry, imported, record, rewrite

SLOW = settings(
    deadline=None, database=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def taken(repo: Repo, *lines: bytes | dict[str, Any], form: str | None = None, dry_run: bool = False) -> Imports:
    """Import *lines* into a repository."""
    whole = b"".join((json.dumps(one).encode() if isinstance(one, dict) else one) + b"\n" for one in lines)
    return imports(io.BytesIO(whole), "team.jsonl", form, os.environ, str(repo.path), dry_run=dry_run)


def counts(done: Imports) -> dict[str, int]:
    """Return the counts that are not 0."""
    names = ("added", "known", "passed", "unplaced", "bad", "missing")
    return {name: count for name in names if (count := getattr(done, name))}


def held(repo: Repo) -> list[Imported]:
    """Return the imports that the ledger holds."""
    return [Imported.from_bytes(line) for line in ledger_of(repo).lines() if b'"kind":"import"' in line]


@pytest.fixture
def other(tmp_path: Path, repo: Repo) -> Repo:
    """Another repository, empty."""
    repo("init", "-q", str(tmp_path / "other"))
    return Repo(tmp_path / "other")


def moved(source: Repo, target: Repo, form: str = "jsonl") -> Imports:
    """Import into *target* what is exported from *source*."""
    return taken(target, *Export("", form, os.environ, str(source.path)).lines())


def test_records_of_another_ledger_become_claims(repo: Repo, other: Repo) -> None:
    """What was said is kept word for word, with the file that it came from; commits need not be here yet."""
    commit = made(repo)
    done = moved(repo, other)
    (told,) = held(other)

    assert (counts(done), done.lines, done.problems) == ({"added": 1, "missing": 1}, 1, [])
    assert (told.about, told.links, told.form, told.origin) == (commit, [CHILD], "jsonl", "team.jsonl")
    assert told.said == next(Export("", "jsonl", os.environ, str(repo.path)).lines())
    assert [one.about for one in claims(ledger_of(other), commit)] == [commit]
    assert ledger_of(other).check().problems == []


def test_a_second_import_adds_nothing(repo: Repo, other: Repo) -> None:
    """Neither the same file nor another one with the same words, nor the same line twice in one."""
    made(repo)
    ledger_of(repo).append(rewrite(A, B), carry(C, A), learned(PARENT), imported(record(GONE).to_bytes()))
    assert counts(moved(repo, other)) == {"added": 5, "missing": 4}
    before = Path(ledger_of(other).path).read_bytes()

    assert counts(moved(repo, other)) == {"known": 5}
    assert counts(moved(other, other)) == {"known": 5}
    assert Path(ledger_of(other).path).read_bytes() == before
    assert counts(taken(repo, record(B).to_bytes(), record(B).to_bytes())) == {"added": 1, "known": 1, "missing": 1}


def test_our_own_words_come_back_as_known(repo: Repo, other: Repo) -> None:
    """What somebody imported from us and exported again adds nothing here, nor does the shared form of a record."""
    made(repo)
    ledger_of(repo).append(rewrite(A, B), learned(PARENT))
    moved(repo, other)
    shared = json.loads(next(ledger_of(repo).lines()))
    del shared["prev"], shared["branch"]

    assert counts(moved(other, repo)) == {"known": 3}
    assert counts(taken(repo, shared)) == {"known": 1}
    assert [json.loads(line)["kind"] for line in ledger_of(repo).lines()] == ["commit", "rewrite", "chain"]


def test_an_own_record_is_not_overwritten(repo: Repo) -> None:
    """A claim about a recorded commit stands beside the record, which says what it said."""
    commit = made(repo)
    before = Path(ledger_of(repo).path).read_bytes()
    done = taken(repo, record(commit, OTHER).to_bytes())

    assert counts(done) == {"added": 1}
    assert Path(ledger_of(repo).path).read_bytes().startswith(before)
    assert [Record.from_bytes(line).thread for line, _ in ledger_of(repo).records("commit", commit)] == [CHILD]


def test_a_dry_run_writes_nothing(repo: Repo) -> None:
    """It counts what would be added, and leaves not even a folder."""
    repo.commit("-q", "-m", "By hand")
    assert counts(taken(repo, record().to_bytes(), record().to_bytes(), dry_run=True)) == {
        "added": 1,
        "known": 1,
        "missing": 1,
    }
    assert not (repo.path / ".git" / "ampcommit").exists()


def test_lines_of_no_use_are_counted(repo: Repo) -> None:
    """Kinds that only notes have, traces without a link of Amp's and without a commit say nothing here."""
    lines = [{"v": 1, "kind": "head"}, {"v": 1, "kind": "signature"}, foreign(vcs=None)]
    done = taken(repo, *lines, foreign(files=[file("a", "file:///home/x/t.jsonl")]))

    assert counts(done) == {"passed": 4}
    assert not done.in_vain


def test_bad_lines_are_named_by_number(repo: Repo) -> None:
    """What is sound between them is taken, empty lines count for nothing, and a line without end is one."""
    whole = b"\n".join([b"{", record().to_bytes(), b"  ", b"[]", b'{"v":2,"kind":"commit"}', b'{"files":1}', b"\0"])
    done = imports(io.BytesIO(whole), None, None, os.environ, str(repo.path))

    assert counts(done) == {"added": 1, "bad": 5, "missing": 1}
    assert done.problems == [
        "line 1: a line is not JSON",
        "line 4: a line is not a JSON object",
        "line 5: a newer ampcommit wrote it",
        "line 6: it is no Agent Trace record",
        "line 7: a line is not JSON",
    ]
    assert held(repo)[0].origin is None


def test_only_the_first_bad_lines_are_named(repo: Repo) -> None:
    """A film instead of a ledger is one failure, not a million sentences."""
    done = taken(repo, *[b"x"] * (NAMED + 5))

    assert (done.bad, len(done.problems), done.in_vain) == (NAMED + 5, NAMED, True)


def test_a_line_may_be_long_but_not_endless(repo: Repo) -> None:
    """N50: a megabyte is read; of what is longer nothing is, and the line behind it is the next one."""
    fits = record().to_bytes()[:-1] + b',"x":"' + b"y" * LIMIT
    fits = fits[: LIMIT - 2] + b'"}'
    done = taken(repo, fits, fits[:-2] + b'y"}', b"z" * (3 * LIMIT), record(B).to_bytes() + b"\r")

    assert counts(done) == {"added": 2, "bad": 2, "missing": 2}
    assert done.problems == [f"line {number}: it is longer than {LIMIT} bytes" for number in (2, 3)]
    assert counts(imports(io.BytesIO(b"z" * (2 * LIMIT)), None, None, os.environ, str(repo.path))) == {"bad": 1}


def test_a_form_can_be_insisted_on(repo: Repo) -> None:
    """Then a line of another one is a bad one; a form that is none is a misuse."""
    assert counts(taken(repo, record().to_bytes(), form="agent-trace")) == {"bad": 1}
    assert counts(taken(repo, foreign(version="0.1.0"), form="jsonl")) == {"bad": 1}
    with pytest.raises(MisuseError) as caught:
        taken(repo, form="in-toto")
    assert caught.value.hint == "the formats are jsonl, agent-trace"


def test_a_trace_is_a_claim_about_its_commit(repo: Repo) -> None:
    """Threads and tool are kept; traces of more edits of the same commit say nothing new."""
    repo.commit("-q", "-m", "By hand")
    commit = repo.head()
    told = foreign(version="0.1.0", vcs={"type": "git", "revision": commit}, tool={"name": "amp", "version": "9"})
    done = taken(repo, told, told | {"id": "2"})
    (line,) = held(repo)

    assert counts(done) == {"added": 1, "known": 1}
    assert (line.of, line.about, line.links, line.chain_state) == ("trace", commit, [CHILD], "unknown")
    assert (line.told["tool"], line.told["tool_version"], line.told["id"]) == ("amp", "9", told["id"])
    assert counts(taken(repo, told)) == {"known": 1}


def test_a_trace_of_what_our_own_records_say_adds_nothing(repo: Repo) -> None:
    """Own records outweigh claims: a trace counts only where it names a thread that they do not."""
    commit = made(repo)
    assert counts(moved(repo, repo, "agent-trace")) == {"known": 1}
    told = foreign(version="0.1.0", vcs={"type": "git", "revision": commit}, files=[file("a", url(OTHER))])
    assert counts(taken(repo, told)) == {"added": 1}


def test_traces_bring_the_facts_to_another_clone(repo: Repo, other: Repo) -> None:
    """What Agent Trace has room for survives: commit, links, chain, source, verdict; a second run adds nothing."""
    commits = [made(repo), made(repo, thread=OTHER)]
    assert counts(moved(repo, other, "agent-trace")) == {"added": 2, "missing": 2}
    assert counts(moved(repo, other, "agent-trace")) == {"known": 2}

    assert [(one.about, one.links, one.chain_state, one.told["source"]) for one in held(other)] == [
        (commits[0], [CHILD], "unknown", "env"),
        (commits[1], [OTHER], "unknown", "env"),
    ]


def test_the_reference_hook_names_the_commit_before(repo: Repo) -> None:
    """Its revision is HEAD at edit time: the claim is about the one commit made from that which has the file."""
    base = made(repo, "base")
    upon = {"vcs": {"type": "git", "revision": base}}
    told = foreign(files=[file("a", url(OTHER))], **upon)
    assert counts(taken(repo, told)) == {"unplaced": 1}

    child = made(repo, "a")
    repo("checkout", "-q", "-b", "side", base)
    made(repo, "b")
    assert counts(taken(repo, told, foreign(files=[file("none", url(OTHER))], **upon))) == {"added": 1, "unplaced": 1}
    assert [one.about for one in held(repo)] == [child]
    assert held(repo)[0].told["revision"] == base

    repo("checkout", "-q", "-b", "third", base)
    (repo.path / "also").write_text("x")
    made(repo, "a")
    assert counts(taken(repo, foreign(files=[file("a", url(PARENT))], **upon))) == {"unplaced": 1}


def test_hosts_of_the_policy_are_accepted(repo: Repo) -> None:
    """A company's own Amp is trusted where the clone trusts it, and what is wrong with the policy is said."""
    repo("config", "ampcommit.host", "amp.example.com")
    repo("config", "ampcommit.mode", "loud")
    told = foreign(version="0.1.0", files=[file("a", f"https://amp.example.com/threads/{OTHER}")])
    done = taken(repo, told)

    assert counts(done) == {"added": 1, "missing": 1}
    assert len(done.notices) == 1


def test_many_lines_are_taken_in_turns(repo: Repo) -> None:
    """Thousands of lines are as many claims, in the order of the file."""
    lines = [record(Sha(f"{number:040x}")).to_bytes() for number in range(2500)]

    assert counts(taken(repo, *lines)) == {"added": 2500, "missing": 2500}
    assert [one.about for one in held(repo)] == [f"{number:040x}" for number in range(2500)]
    assert counts(taken(repo, *lines)) == {"known": 2500}


def test_damaged_imports_of_the_ledger_are_passed_over(repo: Repo) -> None:
    """`ledger check` tells of them; other programs' lines are no words of ours."""
    with Path(ledger_of(repo).path).open("ab") as stream:
        stream.write(b'{"v":1,"kind":"import"}\n{"x":1}\n')

    assert counts(taken(repo, record().to_bytes())) == {"added": 1, "missing": 1}


SHAS = st.integers(0, 5).map(lambda number: Sha(f"{number:040x}"))
THREADS = st.sampled_from([ThreadId(one) for one in (CHILD, PARENT, OTHER)])
TEXTS = st.text(st.characters(), max_size=5) | st.just("\udc80")


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record that a hook could write."""
    links = draw(st.lists(THREADS, min_size=1, max_size=3, unique=True))
    return Record(
        commit=draw(SHAS),
        tree=draw(SHAS),
        parents=draw(st.lists(SHAS, max_size=2)),
        links=links,
        chain=[links[-1]],
        chain_state=draw(st.sampled_from(["unknown", "complete"])),
        source=draw(st.sampled_from(["env", "message", "rebuilt"])),
        validated=draw(st.booleans()),
        branch=draw(st.none() | TEXTS),
        repo=draw(st.none() | TEXTS),
        time=draw(TEXTS),
        by=draw(TEXTS),
    )


@st.composite
def chains(draw: st.DrawFn) -> Resolved:
    """Any chain that was learned."""
    thread = draw(THREADS)
    return Resolved(
        thread=thread, chain=[thread], chain_state="complete", parents={thread: []}, source="amp", time="", by=""
    )


LINES = st.lists(
    records() | chains() | st.builds(rewrite, SHAS, SHAS) | st.builds(carry, SHAS, SHAS, SHAS), max_size=12
)


def fill(repo: Repo, lines: "list[Any]") -> None:
    """Let the ledger of a repository hold *lines* and nothing else."""
    Path(ledger_of(repo).path).write_bytes(b"")
    ledger_of(repo).append(*lines, again=True)


def said(repo: Repo) -> set[bytes]:
    """Return what the exported lines of a repository say, imported or not."""
    lines = [Imported.of_line(canonical(one), "jsonl", None) for one in exported(repo)]
    return {one.key for one in lines if one}


@SLOW
@given(LINES)
def test_a_round_trip_keeps_every_fact(repo: Repo, other: Repo, lines: "list[Any]") -> None:
    """Exported, imported into an empty clone and exported again, a ledger says the same; twice says no more."""
    fill(repo, lines)
    fill(other, [])
    moved(repo, other)
    whole = Path(ledger_of(other).path).read_bytes()

    assert said(other) == said(repo)
    assert counts(moved(repo, other)).keys() <= {"known"}
    assert counts(moved(other, repo)).keys() <= {"known"}
    assert Path(ledger_of(other).path).read_bytes() == whole
    assert ledger_of(other).check().problems == []


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | THREADS | SHAS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
WHOLE = [
    json.loads(record().to_bytes()),
    json.loads(learned(OTHER).to_bytes()),
    json.loads(carry(C, A).to_bytes()),
    json.loads(imported(record().to_bytes()).to_bytes()),
    foreign(),
    foreign(version="0.1.0"),
]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A line that is nearly right, or not at all."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=60))
    fields = dict(draw(st.sampled_from(WHOLE)))
    for name in draw(st.lists(st.sampled_from([*fields]), max_size=2)):
        fields[name] = draw(VALUES)
    line = json.dumps(fields).encode()
    cut = draw(st.none() | st.integers(0, len(line)))
    return line[:cut]


@SLOW
@given(st.lists(mangled(), max_size=8))
def test_whatever_a_file_holds_is_counted(repo: Repo, lines: list[bytes]) -> None:
    """Any bytes end in counts and a sound ledger, and what was added once is known the second time."""
    fill(repo, [])
    done = taken(repo, *lines)

    assert done.lines <= sum(line.count(b"\n") + 1 for line in lines)
    assert ledger_of(repo).check().problems == []
    assert taken(repo, *lines).added == 0


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"v":1,"kind":"import","said":[', b'{"version":"1.0","files":['])
@pytest.mark.parametrize("depth", [100, 900, 990, 100_000])
def test_deep_nesting_is_a_bad_line(repo: Repo, opening: bytes, depth: int) -> None:
    """N50: no depth of brackets ends the run."""
    closing = b"]" * depth + {b"[": b"]", b"{": b"}"}[opening[:1]] if opening.endswith(b"[") else b""
    done = taken(repo, opening + b"[" * depth + closing, record().to_bytes())

    assert done.added == 1
    assert done.lines == 2


def test_a_ledger_that_is_none_is_refused(repo: Repo) -> None:
    """Nothing is read into a folder that stands where the ledger should."""
    path = Path(ledger_of(repo).path)
    path.unlink()
    path.mkdir()
    with pytest.raises(LedgerError):
        taken(repo, record().to_bytes())
    assert [*path.iterdir()] == []


def test_imports_at_the_same_time_add_each_line_once(repo: Repo, tmp_path: Path) -> None:
    """Two people, or a person and a script: whoever comes second finds the lines known."""
    repo.commit("-q", "-m", "By hand")
    whole = tmp_path / "team.jsonl"
    whole.write_bytes(b"".join(record(Sha(f"{number:040x}")).to_bytes() + b"\n" for number in range(1500)))
    running = [subprocess.Popen(command("ledger", "import", str(whole)), cwd=repo.path) for _ in range(3)]

    assert [one.wait(60) for one in running] == [0, 0, 0]
    assert len(held(repo)) == 1500
    assert ledger_of(repo).check().problems == []


def test_who_comes_during_a_long_import_is_told_to_come_again(repo: Repo) -> None:
    """Nothing was lost that could be rebuilt."""
    repo.commit("-q", "-m", "By hand")
    ledger = ledger_of(repo)
    ledger.prepare()

    with Lock(f"{ledger.path}.import"), pytest.raises(LedgerError, match="has held") as caught:
        taken(repo, record().to_bytes())
    assert "run this again" in caught.value.hint
    assert list(ledger.lines()) == []
