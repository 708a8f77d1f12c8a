"""`ledger export`: the ledger for another clone, and its facts for other programs."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import MisuseError, SetupError
from ampcommit.interchange.agent_trace import OURS
from ampcommit.ledger import Ledger
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.verbs.export import FORMS, Export
from tests.conftest import CHILD, OTHER, PARENT, Repo, learned, url
from tests.test_agent_trace import schema
from tests.test_imported import NOW, carry, imported, record, rewrite

__all__ = ["schema"]

GONE = Sha("d" * 40)


def ledger_of(repo: Repo) -> Ledger:
    """Return the ledger of a repository, made ready."""
    ledger = Ledger(str(repo.path / ".git" / "ampcommit" / "ledger.jsonl"))
    if not Path(ledger.path).exists():
        Path(ledger.path).parent.mkdir(exist_ok=True)
        ledger.prepare()
    return ledger


def exported(repo: Repo, form: str = "jsonl", asked: str = "", notices: int = 0) -> list[dict[str, Any]]:
    """Return the objects that are exported, having said *notices* things."""
    found = Export(asked, form, os.environ, str(repo.path))
    objects = [json.loads(line) for line in found.lines()]
    assert len(found.notices) == notices, found.notices
    return objects


def made(repo: Repo, name: str | bytes = "a", thread: str = CHILD) -> Sha:
    """Commit a change of the file *name*, and record that it is from *thread*."""
    path = Path(os.fsdecode(os.path.join(os.fsencode(repo.path), os.fsencode(name))))
    path.write_text(f"{path.exists() and path.read_text()}x")
    repo("add", "--all")
    repo.commit("-q", "-m", "Say what changes")
    commit = Sha(repo.head())
    told = record(commit, thread)
    told.links = told.chain = [ThreadId(thread)]
    ledger_of(repo).append(told)
    return commit


def test_a_ledger_is_moved_as_it_is(repo: Repo) -> None:
    """Every line of every kind, in order and byte for byte, but for the digest of the line before."""
    commit = made(repo)
    ledger = ledger_of(repo)
    ledger.append(rewrite(commit, GONE), carry(GONE, commit), learned(PARENT), imported(record(GONE).to_bytes()))
    lines = [*Export("", "jsonl", os.environ, str(repo.path)).lines()]

    assert [line[:-1] for line in lines] == [line.rpartition(b',"prev":')[0] for line in ledger.lines()]
    assert [json.loads(line)["kind"] for line in lines] == ["commit", "rewrite", "carry", "chain", "import"]


def test_a_ledger_of_nothing_is_no_line(repo: Repo) -> None:
    """Without a ledger, and without a commit, there is nothing to say, in any form."""
    for form in FORMS:
        assert exported(repo, form) == []


def test_lines_of_other_programs_are_moved_too(repo: Repo) -> None:
    """What is no canonical JSON stays the same object; what is no JSON is counted and left out."""
    made(repo)
    with Path(ledger_of(repo).path).open("ab") as file:
        file.write(b'{"prev": null, "kind": "future", "x": [1]}\n{"kind":["odd"],"x":1.5}\n{"kind":\n\xff\n')

    assert exported(repo, notices=1)[1:] == [{"kind": "future", "x": [1]}, {"kind": ["odd"], "x": 1.5}]
    assert exported(repo, asked="HEAD", notices=1)[1:] == []


def test_a_range_takes_all_that_is_said_of_it(repo: Repo) -> None:
    """Records of the commits and of those that they were made from, the ways there, claims, and chains of threads."""
    made(repo, thread=OTHER)
    commit = made(repo, thread=CHILD)
    ledger = ledger_of(repo)
    ledger.append(record(GONE), rewrite(GONE, commit), carry(commit, GONE), learned(PARENT), learned(OTHER))
    ledger.append(imported(record(commit).to_bytes()), rewrite(commit, GONE))

    kinds = [one["kind"] for one in exported(repo, asked="HEAD~1..HEAD")]
    assert kinds == ["commit", "commit", "rewrite", "carry", "chain", "import", "rewrite"]
    assert [one["thread"] for one in exported(repo, asked="HEAD~1")] == [OTHER, OTHER]


def test_a_commit_without_a_record_is_passed_over(repo: Repo) -> None:
    """Only what the ledger knows is told, oldest first."""
    first = made(repo)
    repo.commit("-q", "-m", "By hand")
    second = made(repo)

    assert [one["vcs"]["revision"] for one in exported(repo, "agent-trace")] == [first, second]
    assert exported(repo, "agent-trace", "HEAD~1") == exported(repo, asked="HEAD~1") == []


def test_every_branch_is_told_and_no_commit_that_is_left_behind(repo: Repo) -> None:
    """Without a range it is what HEAD and the local branches reach; a detached HEAD counts."""
    first = made(repo)
    repo("checkout", "-q", "-b", "side")
    second = made(repo)
    repo("checkout", "-q", "--detach", "main")
    third = made(repo)
    commits = {one["vcs"]["revision"] for one in exported(repo, "agent-trace")}
    assert commits == {first, second, third}

    repo("reset", "-q", "--hard", "main")
    assert {one["vcs"]["revision"] for one in exported(repo, "agent-trace")} == {first, second}


def test_a_trace_names_the_files_of_the_commit(repo: Repo, schema: Any) -> None:
    """Each changed path by its new name, from the top of the repository, also where it is asked from below."""
    (repo.path / "sub").mkdir()
    made(repo, "sub/a")
    repo("mv", "sub/a", "sub/\u00e9 b")
    made(repo, "new")
    below = Export("HEAD", "agent-trace", os.environ, str(repo.path / "sub"))
    (told,) = [json.loads(line) for line in below.lines()]

    schema.validate(told)
    assert [one["path"] for one in told["files"]] == ["new", "sub/\u00e9 b"]
    assert told["timestamp"] == "2017-07-14T02:40:00Z"
    assert [one["url"] for file in told["files"] for one in file["conversations"]] == [url(CHILD)] * 2
    assert told["metadata"][OURS]["chain_state"] == "unknown"


def test_every_exported_trace_is_what_the_schema_says(repo: Repo, schema: Any) -> None:
    """Empty commits, merges, a commit without a parent, names that JSON cannot write: each record holds."""
    made(repo, b"caf\xe9")
    made(repo, "a\nb")
    repo("checkout", "-q", "-b", "side")
    made(repo, "c")
    repo("checkout", "-q", "main")
    made(repo, "d")
    repo("merge", "-q", "--no-edit", "side")
    ledger_of(repo).append(record(Sha(repo.head())))
    repo.commit("-q", "-m", "Nothing")
    ledger_of(repo).append(record(Sha(repo.head())))
    told = exported(repo, "agent-trace", notices=1)

    for one in told:
        schema.validate(one)
    assert sorted(file["path"] for one in told for file in one["files"]) == ["a\nb", "c", "d"]
    assert len(told) == 6


def test_the_same_ledger_gives_the_same_bytes(repo: Repo) -> None:
    """Nothing in a trace or a statement depends on when, where and how often it is exported."""
    made(repo)
    for form in FORMS:
        first, second = ([*Export("", form, os.environ, str(repo.path)).lines()] for _ in range(2))
        assert first == second


def test_what_was_amended_is_told_of_what_it_became(repo: Repo) -> None:
    """The record of the old commit speaks for the new one, under the new one's id."""
    old = made(repo)
    repo.commit("-q", "--amend", "-m", "Better")
    new = Sha(repo.head())
    ledger_of(repo).append(rewrite(old, new))
    (told,) = exported(repo, "in-toto")

    assert told["subject"][0]["digest"] == {"gitCommit": new}
    assert told["subject"][1]["digest"] == {"gitTree": repo.head("%T")}
    assert (told["predicate"]["thread"], told["predicate"]["validated"]) == (CHILD, False)


def test_claims_of_others_are_not_stated(repo: Repo) -> None:
    """What was imported leaves as an import only: nobody else's word becomes ours."""
    repo.commit("-q", "-m", "By hand")
    ledger_of(repo).append(imported(record(Sha(repo.head())).to_bytes()))

    assert exported(repo, "agent-trace") == exported(repo, "in-toto") == []
    assert [one["kind"] for one in exported(repo)] == ["import"]


def test_a_shallow_clone_tells_what_it_knows(repo: Repo, tmp_path: Path) -> None:
    """S09: where history is cut off, the oldest commit changed nobody knows what; that is said."""
    made(repo)
    made(repo)
    git_clone = ("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "clone"))
    repo(*git_clone)
    clone = Repo(tmp_path / "clone")
    ledger_of(clone).append(record(Sha(clone.head())))
    (told,) = exported(clone, "agent-trace", notices=1)

    assert (told["vcs"]["revision"], told["files"]) == (clone.head(), [])


@pytest.mark.parametrize("asked", ["nosuch", "HEAD..nosuch", "--all", "-x"])
def test_a_range_that_names_nothing_is_a_misuse(repo: Repo, asked: str) -> None:
    """S05, S06: nothing is exported for a name that git does not know, nor for an option in its place."""
    made(repo)
    for form in FORMS:
        with pytest.raises(MisuseError):
            exported(repo, form, asked)


def test_a_form_that_is_none_is_a_misuse(repo: Repo) -> None:
    """The hint names those that are."""
    with pytest.raises(MisuseError) as caught:
        Export("", "csv", os.environ, str(repo.path))

    assert caught.value.hint == "the formats are jsonl, agent-trace, in-toto"


def test_broken_history_is_said(repo: Repo) -> None:
    """A parent that is gone is a failure with a hint, and no half of a list."""
    first = made(repo)
    made(repo)
    (repo.path / ".git" / "objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(SetupError) as caught:
        exported(repo, "in-toto")

    assert "git fsck" in caught.value.hint


def test_ids_of_64_digits(tmp_path: Path, agent: Callable[[str], None]) -> None:
    """A repository with SHA-256 is exported like any other."""
    agent(CHILD)
    repo = Repo(tmp_path)
    repo("init", "-q", "--object-format=sha256", ".")
    commit = made(repo)
    again = Record.from_bytes(next(ledger_of(repo).lines()))

    assert (len(commit), again.time) == (64, NOW)
    assert exported(repo, "in-toto")[0]["subject"][0]["digest"] == {"gitCommit": commit}
    assert exported(repo, "agent-trace")[0]["vcs"]["revision"] == commit
