"""Shared records: what of a ledger's line leaves the machine, and notes read and united under a lock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ampcommit.carried import Carry
from ampcommit.errors import GitError, LedgerError
from ampcommit.files import Lock
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.shared import FIELDS, OVERSIZE, REF, Notes, publishable, shareable, unite
from ampcommit.place import Place
from ampcommit.record import Record, Sha, ThreadId
from ampcommit.resolved import Resolved
from ampcommit.rewritten import Rewrite
from tests.conftest import CHILD, PARENT, ROOT, Repo

A, B, C = (Sha(letter * 40) for letter in "abc")
TIME, BY = "2026-11-21T08:00:00Z", "ampcommit 0.1.0"


def record(commit: Sha = A, thread: str = CHILD, source: str = "env") -> Record:
    """Return a record of *commit*."""
    links = [ThreadId(PARENT), ThreadId(thread)]
    return Record(
        commit=commit,
        tree=B,
        parents=[C],
        links=links,
        chain=links[::-1],
        chain_state="complete",
        source=source,
        validated=True,
        branch="secret-plan",
        repo="git.example.com/team/demo",
        time=TIME,
        by=BY,
        prev="sha256:" + "0" * 64,
    )


def rewrite(source: str = "git") -> Rewrite:
    """Return what says that A became B."""
    return Rewrite(old=A, new=B, command=None, source=source, time=TIME, by=BY)


def learned() -> Resolved:
    """Return what says where the child came from."""
    child, parent = ThreadId(CHILD), ThreadId(PARENT)
    return Resolved(
        thread=child,
        chain=[child, parent],
        chain_state="complete",
        parents={child: [parent], parent: []},
        source="amp",
        time=TIME,
        by=BY,
    )


@pytest.fixture
def place(repo: Repo) -> Place:
    """The place of an empty repository."""
    return Place(str(repo.path / ".git"), str(repo.path))


@pytest.fixture
def git(place: Place) -> Git:
    """Git without anybody's settings there."""
    return Git(place.git_dir, clean(os.environ, place.git_dir))


def put(repo: Repo, path: str, text: bytes) -> None:
    """Put *text* at *path* into the tree of the notes, as somebody else might."""
    head = f"commit {REF}\ncommitter T <t@example.com> 1 +0000\ndata 0\n".encode()
    old = repo("for-each-ref", "--format=%(objectname)", REF)
    from_ = f"from {old}\n".encode() if old else b""
    said = head + from_ + f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n"
    repo("fast-import", "--quiet", stdin=said)


def test_neither_branch_nor_digest_is_shared() -> None:
    """A shared record is the ledger's line without `prev` and `branch`, in the canonical form."""
    whole = record().to_bytes()
    shared = publishable(whole)

    assert shared
    assert shared[0] == A
    assert shared[1] == whole.replace(b'"branch":"secret-plan",', b"").partition(b',"prev"')[0] + b"}"
    assert publishable(shared[1]) == shared, "a shared line says the same of itself"


def test_the_list_of_fields_is_whole() -> None:
    """Each field of a record that is not shared is one of those that docs/sharing.md calls private."""
    carry = Carry(new=A, commits=[B], source="range", time=TIME, by=BY)
    for line in (record().to_bytes(), rewrite().to_bytes(), learned().to_bytes(), carry.to_bytes()):
        fields = json.loads(line)
        assert set(fields) - {"v", "kind", *FIELDS[fields["kind"]]} <= {"prev", "branch"}
        text = (ROOT / "docs" / "sharing.md").read_text()
        assert all(f"`{field}`" in text for field in FIELDS[fields["kind"]])


def test_a_field_that_this_version_does_not_know_is_not_shared() -> None:
    """What a later version, or somebody's editor, adds to a line of the ledger does not leave the machine."""
    fields = json.loads(record().to_bytes()) | {"title": "Make me rich", "author": "me"}

    assert publishable(json.dumps(fields).encode()) == publishable(record().to_bytes())


def test_each_kind_has_its_commit() -> None:
    """A rewriting and a carrying go to the new commit; what was learned of a thread tells of no commit by itself."""
    carry = Carry(new=C, commits=[A, B], source="tree", time=TIME, by=BY).to_bytes()

    assert publishable(rewrite().to_bytes()) == (B, rewrite().to_bytes().replace(b',"prev":null', b""))
    assert publishable(carry) == (C, carry.replace(b',"prev":null', b""))
    assert publishable(learned().to_bytes()) is None
    told = shareable(learned().to_bytes())
    assert told
    assert told[0]["thread"] == CHILD
    assert told[1] == learned().to_bytes().replace(b',"prev":null', b"")


@pytest.mark.parametrize(
    "line",
    [
        record(source="rebuilt").to_bytes(),
        rewrite("tree").to_bytes(),
        rewrite("patch-id").to_bytes(),
        record().to_bytes().replace(b'"kind":"commit"', b'"kind":"import"'),
        record().to_bytes().replace(b'"kind":"commit"', b'"kind":"else"'),
        record().to_bytes().replace(b'"kind":"commit"', b'"kind":["commit"]'),
        record().to_bytes().replace(b'"v":1', b'"v":2'),
        record().to_bytes().replace(b'"validated":true', b'"validated":1'),
        record().to_bytes().replace(b'"repo"', b'"report"'),
        record().to_bytes().replace(b'"parents":["', b'"parents":["x'),
        record().to_bytes()[:-9],
        learned().to_bytes().replace(b'"parents":{', b'"parents":[],"x":{'),
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_what_is_no_first_hand_record_stays_here(line: bytes) -> None:
    """What was imported, rebuilt or guessed, is unknown or damaged is never shared."""
    assert (shareable(line), publishable(line)) == (None, None)


def test_odd_characters_have_the_one_form() -> None:
    """A line has the same bytes wherever it is made, whatever stands in it."""
    odd = record()
    odd.repo = 'a"b\\c\n\x7f\u2028ü'
    shared = publishable(odd.to_bytes())

    assert shared
    assert shared[1] in odd.to_bytes().replace(b'"branch":"secret-plan",', b"").replace(b',"prev"', b'},"prev"')


def test_a_ref_that_is_not_there_has_no_notes(git: Git) -> None:
    """Before anybody shared anything, nothing is known, and that is no failure."""
    notes = Notes(git)

    assert (notes.tip, notes.of([A]), list(notes.everything()), list(notes.beyond(Notes(git)))) == (None, {}, [], [])


def test_what_is_united_is_read(git: Git, place: Place) -> None:
    """Notes hold lines for commits that are not here; nothing new writes nothing."""
    tip = unite(git, place, REF, {A: [b"two", b"one"], B: []})
    notes = Notes(git)

    assert tip == notes.tip
    assert notes.of([A, B, A]) == {A: [b"one", b"two"]}
    assert list(notes.everything()) == [(A, [b"one", b"two"])]
    assert unite(git, place, REF, {A: {b"two"}}) is None
    assert unite(git, place, REF, {}) is None
    assert unite(git, place, "refs/notes/other", {}) is None


def test_who_shares_is_nobodys_business(git: Git, place: Place, repo: Repo) -> None:
    """The commits of the notes name neither the user nor the machine, in the history and in the reflog."""
    unite(git, place, REF, {A: [b"one"]}, message="Share more\xff")

    assert repo("log", "-1", "--format=%an <%ae> %cn <%ce> %s", REF) == (
        "ampcommit <share@ampcommit.invalid> ampcommit <share@ampcommit.invalid> Share more\xff"
    )
    assert repo("log", "-1", "-g", "--format=%gn %ge", REF) == "ampcommit share@ampcommit.invalid"


@pytest.mark.parametrize("many", [3, 100])
def test_a_note_is_found_at_any_depth(git: Git, repo: Repo, many: int) -> None:
    """Few commits are looked for one by one, many in the list of all: the answer is the same."""
    names = [Sha(f"{number:040x}") for number in range(many)]
    put(repo, names[0], b"x\n\na")
    put(repo, f"00/00/{names[1][4:]}", b"b\n")
    put(repo, f"00/{names[1][2:]}", b"c\n")
    put(repo, f"00/{names[2][2:]}", b"\n")

    assert Notes(git).of(names) == {names[0]: [b"a", b"x"], names[1]: [b"b", b"c"]}


def test_who_asks_again_and_again_gets_the_same_answer(git: Git, place: Place) -> None:
    """Whoever asks about one commit after the other is answered from the list of all notes in the end."""
    unite(git, place, REF, {A: [b"one"], B: [b"two"]})
    notes = Notes(git)

    assert [notes.of([commit]) for commit in (A, C, B) * 30] == [{A: [b"one"]}, {}, {B: [b"two"]}] * 30


def test_a_note_is_searched_as_it_stands(git: Git, repo: Repo) -> None:
    """For a search nothing is put in order, and two notes of one commit come one behind the other."""
    put(repo, A, b"x\n\na\n")
    put(repo, f"aa/{A[2:]}", b"a")
    put(repo, B, b"")
    put(repo, C, b"c\n" * OVERSIZE)
    notes = Notes(git)

    assert sorted(notes.texts()) == [(A, b"a"), (A, b"x\n\na\n")]
    assert notes.oversized == [C]
    assert list(notes.everything()) == [(A, [b"a", b"x"])]


def test_a_note_that_is_too_long_is_named(git: Git, place: Place, repo: Repo) -> None:
    """A note of 50 MB is passed over by those who read and named; who unites keeps every byte of it."""
    long = b"x" * 49 + b"\n"
    put(repo, A, long + b"y\n" * (OVERSIZE * 25))
    put(repo, B, b"b\n")
    notes = Notes(git)

    assert notes.of([A, B]) == {B: [b"b"]}
    assert notes.oversized == [A]
    unite(git, place, REF, {B: [b"c"]})
    assert repo.run("cat-file", "blob", f"{REF}:{A}").stdout == long + b"y\n" * (OVERSIZE * 25)


def test_what_one_has_beyond_the_other(git: Git, place: Place) -> None:
    """The difference of two refs is told by line."""
    unite(git, place, "refs/notes/x", {A: [b"1"], B: [b"2"], C: [b"3"]})
    unite(git, place, "refs/notes/y", {A: [b"1", b"4"], C: [b"3"]})
    x, y = Notes(git, "refs/notes/x"), Notes(git, "refs/notes/y")

    assert list(x.beyond(y)) == [(B, [b"2"])]
    assert list(y.beyond(x)) == [(A, [b"4"])]
    unite(git, place, "refs/notes/y", {B: [b"x" * OVERSIZE]})
    assert list(x.beyond(Notes(git, "refs/notes/y"))) == [], "what the other says of B cannot be read"


def test_notes_of_others_are_merged(git: Git, place: Place, repo: Repo) -> None:
    """The union has all tips as parents, so that everybody can push it; one that holds all others is taken as it is."""
    unite(git, place, "refs/notes/x", {A: [b"1"]})
    unite(git, place, "refs/notes/y", {A: [b"2"]})
    x, y = (Sha(repo("rev-parse", f"refs/notes/{name}")) for name in "xy")

    assert unite(git, place, REF, {}, [x]) == x
    both = unite(git, place, REF, {B: [b"3"]}, [y, x])
    assert both
    assert set(repo("log", "-1", "--format=%P", both).split()) == {x, y}
    assert Notes(git).of([A, B]) == {A: [b"1", b"2"], B: [b"3"]}
    assert unite(git, place, REF, {}, [x, y]) is None
    assert unite(git, place, "refs/notes/x", {}, [both, y]) == both


def test_ten_in_any_order_are_the_same_bytes(git: Git, place: Place, repo: Repo) -> None:
    """Ten clones with disjoint and overlapping records end up with the same tree, in whatever order they unite."""
    names = [Sha(f"{number * 0x1234567:040x}") for number in range(40)]
    for clone in range(10):
        part = names[clone * 2 : clone * 2 + 20]
        unite(git, place, f"refs/notes/c{clone}", {one: [b"%d" % (clone // 3), b"all"] for one in part})
    tips = [Sha(repo("rev-parse", f"refs/notes/c{clone}")) for clone in range(10)]

    trees = set()
    for number, order in enumerate((tips, tips[::-1], tips[5:] + tips[:5])):
        for tip in order:
            unite(git, place, f"refs/notes/u{number}", {}, [tip])
        trees.add(repo("rev-parse", f"refs/notes/u{number}^{{tree}}"))
    unite(git, place, "refs/notes/at-once", {}, tips)

    assert trees == {repo("rev-parse", "refs/notes/at-once^{tree}")}


def test_the_union_of_notes_that_a_person_edits(git: Git, place: Place, repo: Repo) -> None:
    """`core.notesRef` and `notes.rewriteRef` set to our ref: what git adds there is kept, and ours as well."""
    repo("config", "core.notesRef", REF)
    repo("config", "notes.rewriteRef", REF)
    repo.commit("-qm", "one")
    old = Sha(repo.head())
    unite(git, place, REF, {old: [b"ours"]})
    repo("notes", "append", "-m", "a person's remark")
    repo.commit("-q", "--amend", "-m", "two")
    unite(git, place, REF, {old: [b"more"]})

    assert Notes(git).of([old, Sha(repo.head())]) == {
        old: [b"a person's remark", b"more", b"ours"],
        Sha(repo.head()): [b"a person's remark", b"ours"],
    }
    assert "a person's remark" in repo("log", "-1", "--notes=ampcommit")


def test_a_notes_ref_that_is_checked_out(git: Git, place: Place, repo: Repo, tmp_path: Path) -> None:
    """A work tree of the notes themselves is in nobody's way."""
    unite(git, place, REF, {A: [b"1"]})
    repo("worktree", "add", "-q", str(tmp_path / "wt"), REF)
    Repo(tmp_path / "wt")("symbolic-ref", "HEAD", REF)

    assert unite(git, place, REF, {A: [b"2"]})
    assert Notes(git).of([A]) == {A: [b"1", b"2"]}


_WRITER = """
import os, sys
from ampcommit.gitcmd import Git, clean
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.notes.shared import REF, unite
place = Place(sys.argv[1])
git = Git(place.git_dir, clean(os.environ, place.git_dir))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 5):
    unite(git, place, REF, {Sha(f"{number:040x}"): [b"%d" % number], Sha("f" * 40): [b"%d" % number]})
"""


def test_nobody_loses_a_note_to_another_writer(git: Git, place: Place) -> None:
    """C01: 40 unions by eight processes at once are all there, of different commits and of the same one."""
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, place.git_dir, str(start)], cwd=ROOT)
        for start in range(0, 40, 5)
    ]

    assert [writer.wait(120) for writer in writers] == [0] * 8
    names = [Sha(f"{number:040x}") for number in range(40)]
    found = Notes(git).of([*names, Sha("f" * 40)])
    assert [found[name] for name in names] == [[b"%d" % number] for number in range(40)]
    assert len(found[Sha("f" * 40)]) == 40


def test_a_writer_who_hangs_is_named(git: Git, place: Place) -> None:
    """C05: who holds the lock for too long is no reason to wait for ever."""
    unite(git, place, REF, {A: [b"1"]})

    with Lock(os.path.join(place.state, "share.lock")), pytest.raises(LedgerError, match=r"share\.lock") as told:
        unite(git, place, REF, {A: [b"2"]}, patience=0.1)
    assert "run this again" in told.value.hint
    assert unite(git, place, REF, {A: [b"2"]})


def hook(repo: Repo, script: str) -> None:
    """Let *script* run whenever a ref of the clone moves, with what happens to it as the argument."""
    file = repo.path / ".git" / "hooks" / "reference-transaction"
    who = "export GIT_AUTHOR_NAME=P GIT_AUTHOR_EMAIL=p@e GIT_COMMITTER_NAME=P GIT_COMMITTER_EMAIL=p@e"
    file.write_text(f'#!/bin/sh\ntest -z "$INSIDE" || exit 0\nexport INSIDE=1\n{who}\n{script}\n')
    file.chmod(0o755)


def test_who_does_not_know_the_lock_loses_nothing(git: Git, place: Place, repo: Repo) -> None:
    """A `git notes add` between our look and our write is seen, and what it wrote is kept."""
    repo.commit("-qm", "one")
    head = Sha(repo.head())
    add = f"git notes --ref=ampcommit add -m person {head} || exit 0"
    hook(repo, f"case $1 in prepared) test -e .done || exit 1;; aborted) touch .done; {add};; esac")

    assert unite(git, place, REF, {head: [b"ours"]})
    assert Notes(git).of([head]) == {head: [b"ours", b"person"]}


def test_a_ref_that_may_not_move_says_so(git: Git, place: Place, repo: Repo) -> None:
    """A hook of the user's that vetoes is no lost race: it is said, at once."""
    hook(repo, "test $1 != prepared")

    with pytest.raises(GitError, match="update-ref"):
        unite(git, place, REF, {A: [b"1"]})
    assert Notes(git).tip is None


def test_a_ref_that_never_stands_still_ends_it(git: Git, place: Place, repo: Repo) -> None:
    """Somebody who moves the ref again and again, without the lock, makes us give up in bounded time."""
    repo.commit("-qm", "one")
    head = Sha(repo.head())
    hook(repo, f"case $1 in prepared) exit 1;; aborted) git notes --ref=ampcommit append -m again {head};; esac")

    with pytest.raises(GitError, match="others keep moving refs/notes/ampcommit"):
        unite(git, place, REF, {head: [b"1"]})
    assert Notes(git).of([head]) == {head: [b"again"]}
