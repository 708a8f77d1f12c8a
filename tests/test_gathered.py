"""What notes tell of threads, and the picture of a chain with the commits of colleagues in it."""

import json
import os
from pathlib import Path
from typing import Any

from ampcommit.amp.sources import Sources
from ampcommit.ledger import Ledger
from ampcommit.notes.gathered import Gathered, became
from ampcommit.notes.shared import OVERSIZE, REF, REMOTES
from ampcommit.record import Sha, ThreadId
from ampcommit.resolved import Resolved
from ampcommit.verbs.chain import Lineage, look_up
from tests.conftest import CHILD, OTHER, PARENT, Repo, Run
from tests.test_noted import Entry, here, noted, share
from tests.test_record import record_of
from tests.test_rewritten import became as rewriting
from tests.test_traced import carry

A, B, C, D = (Sha(letter * 40) for letter in "abcd")
ORIGIN = f"{REMOTES}origin"


def handed_off(child: str, *parents: str) -> Resolved:
    """Return the line that tells where *child* came from."""
    threads = [ThreadId(one) for one in (child, *parents)]
    return Resolved(
        thread=threads[0],
        chain=threads,
        chain_state="complete",
        parents={threads[0]: threads[1:], **{one: [] for one in threads[1:]}},
        source="amp",
        time="2026-11-21T08:00:00Z",
        by="ampcommit 0.1.0",
    )


def own(repo: Repo, *entries: Entry) -> None:
    """Let the ledger hold *entries*."""
    state = repo.path / ".git" / "ampcommit"
    state.mkdir(exist_ok=True)
    (state / "ledger.jsonl").write_bytes(b"".join(entry.to_bytes() + b"\n" for entry in entries))


def picture(repo: Repo, thread: str = CHILD, **options: bool) -> Lineage:
    """Return the picture of a thread."""
    return look_up(thread, os.environ, folder=str(repo.path), **options)


def commits(found: Lineage, thread: str = CHILD) -> list[tuple[str, str]]:
    """Return the commits of a thread, each with who tells of it."""
    its = found.threads[ThreadId(thread)].commits or {}
    return [(one[0], found.known_by[one]) for one in its]


def test_commits_of_colleagues_are_in_the_picture(repo: Repo) -> None:
    """Own commits come first, then shared ones by their time, then claims; each is listed once."""
    own(repo, record_of(A))
    share(repo, {one: noted(record_of(one, time=time)) for one, time in ((A, "1"), (C, "3"), (B, "2"))})
    share(repo, {one: noted(record_of(one)) for one in (B, D)}, ORIGIN)

    assert commits(picture(repo)) == [("a", "own"), ("b", "shared"), ("c", "shared"), ("d", "claim")]


def test_a_commit_with_two_notes_is_one_commit(repo: Repo) -> None:
    """Who made the notes with git may have left one in a folder and one beside it."""
    [line] = noted(record_of(A))
    share(repo, {A: [line]})
    blob = repo("hash-object", "-w", "--stdin", stdin=line).strip()
    tree = repo("mktree", stdin=f"100644 blob {blob}\t{A[2:]}".encode())
    entries = f"100644 blob {blob}\t{A}\n040000 tree {tree}\t{A[:2]}"
    repo("update-ref", REF, repo("commit-tree", "-m", "two", repo("mktree", stdin=entries.encode())))

    assert commits(picture(repo)) == [("a", "shared")]
    assert len(Gathered(here(repo)).lines_of(ThreadId(CHILD))) == 1


def test_without_notes_the_picture_is_that_of_the_ledger(repo: Repo) -> None:
    """Nothing is added, and every commit is known by the clone itself."""
    own(repo, record_of(A))

    assert commits(picture(repo)) == [("a", "own")]


def test_who_came_from_whom_may_be_shared(repo: Repo) -> None:
    """A colleague's line tells the chain; the source says that it was shared, or only claimed."""
    share(repo, {A: noted(handed_off(CHILD, PARENT))}, ORIGIN)
    found = picture(repo)
    assert (found.chain, found.status) == ([CHILD, PARENT], "complete")
    assert {one.source for one in found.threads.values()} == {"claim"}
    share(repo, {A: noted(handed_off(CHILD, OTHER))})
    found = picture(repo)
    assert (found.chain, found.threads[ThreadId(CHILD)].source) == ([CHILD, OTHER], "shared")
    own(repo, handed_off(CHILD, PARENT))
    found = picture(repo)

    assert (found.chain, found.threads[ThreadId(CHILD)].source) == ([CHILD, PARENT], "ledger")


def test_a_chain_that_only_others_tell_is_called_that(repo: Repo, run: Run) -> None:
    """Nobody takes a stranger's word for "complete": text and pictures mark what only notes tell, JSON has `source`."""
    share(repo, {A: noted(handed_off(CHILD, PARENT))})
    assert picture(repo).by_others == {CHILD: "shared", PARENT: "shared"}
    out = run("chain", CHILD).out
    assert out.count("what came before it is told by shared records alone") == 2
    assert "(if the shared records are right: " in out
    for form in ("mermaid", "dot"):
        assert run("chain", CHILD, "--format", form).out.count("told by shared records alone") == 2
    assert "continued as (told by shared records alone)" in run("chain", CHILD, "--sequence").out
    own(repo, handed_off(CHILD, PARENT))

    assert picture(repo).by_others == {}
    assert "shared records" not in run("chain", CHILD).out


def test_a_row_that_only_a_foreign_record_tells_is_called_that(repo: Repo, run: Run) -> None:
    """A record is believed where nothing else is known; whose it is, is said. The own one of the same state wins."""
    record = record_of(A, chain=[ThreadId(CHILD), ThreadId(PARENT)])
    share(repo, {A: noted(record)}, ORIGIN)
    assert picture(repo).by_others == {CHILD: "claim", PARENT: "claim"}
    assert "(if the claims that were fetched are right: " in run("chain", CHILD, "--down").out
    own(repo, record)

    assert (picture(repo).recorded, picture(repo).by_others) == (True, {})


def test_a_note_that_is_too_long_is_a_warning(repo: Repo) -> None:
    """What is not read is named."""
    share(repo, {A: noted(record_of(A))})
    repo.commit("-q", "-m", "Begin")
    repo("notes", f"--ref={REF}", "add", "-F", "-", stdin=b"x" * (OVERSIZE + 1))

    assert picture(repo).warnings == [f"a note of more than 1 MiB was not read, of: {repo.head()[:12]}"]


def test_the_way_down_leads_to_threads_of_colleagues(repo: Repo) -> None:
    """What came of a thread in another clone is seen here."""
    share(repo, {A: noted(handed_off(CHILD, PARENT), record_of(A))})
    found = picture(repo, PARENT, down=True)

    assert list(found.threads) == [PARENT, CHILD]
    assert commits(found) == [("a", "shared")]


def test_a_shared_record_tells_its_chain(repo: Repo) -> None:
    """Where nothing else is known of a thread, the chain of a shared record is."""
    share(repo, {A: noted(record_of(A, chain=[ThreadId(CHILD), ThreadId(PARENT)]))})
    found = picture(repo)

    assert (found.chain, found.status, found.recorded) == ([CHILD, PARENT], "complete", True)
    share(repo, {A: noted(record_of(A, chain=[ThreadId(CHILD), ThreadId(PARENT), ThreadId(OTHER)]))}, ORIGIN)
    assert picture(repo).chain == [CHILD, PARENT]


def test_what_commits_became_is_shared_too(repo: Repo) -> None:
    """A rewritten or a carried commit stands behind what it became, whoever tells; a mere likeness does not."""
    share(repo, {A: noted(record_of(A)), B: noted(record_of(B), rewriting(A, B)), C: noted(carry(C, B), record_of(B))})
    one = picture(repo).threads[ThreadId(CHILD)]
    assert (one.commits, one.rewritten) == ({}, {A: C, B: C})
    own(repo, record_of(D), carry(A, D, source="tree"))
    one = picture(repo).threads[ThreadId(CHILD)]
    assert (list(one.commits or ()), one.rewritten) == ([D], {A: C, B: C})
    own(repo, record_of(D), rewriting(B, D))

    assert picture(repo).threads[ThreadId(CHILD)].rewritten == {A: D, B: D}


def test_a_record_in_a_strangers_note_is_none(repo: Repo) -> None:
    """A record counts in the note of its own commit, or where the note leads to it; foreign lines say nothing."""
    broken = noted(record_of(C))[0].replace(b'"validated":true', b'"validated":1')
    share(repo, {A: [*noted(record_of(B)), b"hello", b'{"kind":"chain"'], C: [broken]})

    assert commits(picture(repo)) == []


def test_the_ledger_tells_what_became_of_commits(repo: Repo) -> None:
    """Damaged lines are passed over, and a circle ends."""
    own(repo, rewriting(A, B), rewriting(B, C), carry(D, A))
    ledger = Ledger(str(repo.path / ".git" / "ampcommit" / "ledger.jsonl"))
    with Path(ledger.path).open("ab") as stream:
        stream.write(b'{"kind":"rewrite"}\n{"kind":"commit"}\n')

    assert became(ledger, Gathered()) == {A: D, B: C}
    own(repo, rewriting(A, B), rewriting(B, A))
    assert became(Ledger(ledger.path), Gathered()) == {}


def test_nothing_is_read_of_notes_that_are_not_there(repo: Repo) -> None:
    """A picture outside of what is shared costs nothing."""
    gathered = Gathered(here(repo))

    assert gathered.teach(Sources(os.environ), Ledger("nosuch")) == {}
    assert gathered.commits_of(ThreadId(CHILD)) == {}
    assert gathered.lines_of(ThreadId(CHILD)) == []


def test_each_note_is_looked_at_once(repo: Repo) -> None:
    """A commit of several threads is asked for once."""
    both = [ThreadId(PARENT), ThreadId(CHILD)]
    share(repo, {A: noted(record_of(A, links=both)), B: noted(record_of(B))})
    share(repo, {D: noted(carry(D, C), record_of(C, OTHER), record_of(D))})
    gathered = Gathered(here(repo))

    assert list(gathered.commits_of(ThreadId(PARENT))) == [A]
    assert list(gathered.commits_of(ThreadId(CHILD))) == [A, B, D]
    assert len(gathered.lines_of(ThreadId(CHILD))) == 4


def test_the_command_says_which_commits_are_shared(run: Run, repo: Repo) -> None:
    """In the JSON each commit of the picture has who tells; the tree names those that others told of."""
    own(repo, record_of(A))
    share(repo, {B: noted(record_of(B))})
    share(repo, {C: noted(record_of(C))}, ORIGIN)
    data: dict[str, Any] = run("chain", CHILD, "--json").data

    assert data["known_by"] == {A: "own", B: "shared", C: "claim"}
    shown = run("chain", CHILD).out.splitlines()
    assert shown[-2:] == [f"(from shared records: {B[:12]})", f"(from claims that were fetched: {C[:12]})"]
    assert json.loads(run("chain", CHILD, "--format", "json").out) == data
