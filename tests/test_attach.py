"""Which recorded commit another one was made from: each rule beside the least that breaks it."""

import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest

from ampcommit.commits.attach import Found, Origins, Recorded
from ampcommit.commits.history import opened
from ampcommit.errors import LedgerError
from ampcommit.gitcmd import Git
from ampcommit.ledger import Ledger
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.rewritten import MOST, Rewrite
from tests.conftest import Repo
from tests.test_batch import stand_in, written
from tests.test_changes import NO_FILES, Files, commit_of, tree_of
from tests.test_record import SHA1, record_of
from tests.test_rewritten import became

Known = tuple[str, str] | str | None

A: Files = {"a": b"".join(b"line %d\n" % number for number in range(20))}
B: Files = {"a": A["a"].replace(b"line 10\n", b"line ten\n")}
MORE: Files = {"more": b"1\n"}

MANY = 10_000
"""Records enough to weigh one of them."""


def ledger_of(repo: Repo) -> Ledger:
    """Return the ledger of a clone."""
    return Ledger(Place.of_folder(Git(str(repo.path))).ledger)


def record(repo: Repo, *commits: str) -> None:
    """Let the ledger of a clone hold a record of each of *commits*."""
    ledger_of(repo).append(*[record_of(commit) for commit in commits])


def rewrite(repo: Repo, *pairs: tuple[str, str]) -> None:
    """Let the ledger of a clone tell of rewritten commits."""
    ledger_of(repo).append(*[became(Sha(old), Sha(new)) for old, new in pairs])


def search(repo: Repo, *commits: str, also: tuple[str, ...] = (), newest: int = 0) -> Found:
    """Look for what *commits* were made from."""
    with opened(Place.of_folder(Git(str(repo.path))), os.environ) as history:
        recorded = Recorded(history.objects, ledger_of(repo), newest)
        return recorded.found([Sha(one) for one in commits], [Sha(one) for one in also])


def known(repo: Repo, commit: str, newest: int = 0) -> Known:
    """Return from which commit this one was made and how that is known; else whether it is ambiguous or unread."""
    found = search(repo, commit, newest=newest)
    if match := found.matches.get(Sha(commit)):
        assert not found.ambiguous | found.unread
        return match.old, match.source
    return "ambiguous" if commit in found.ambiguous else "unread" if commit in found.unread else None


@pytest.fixture
def base(repo: Repo) -> str:
    """A commit on which others are made."""
    return commit_of(repo, A)


@pytest.fixture
def old(repo: Repo, base: str) -> str:
    """A recorded commit."""
    old = commit_of(repo, B, base)
    record(repo, old)
    return old


# --- the tree

COMMITTER = {
    "GIT_COMMITTER_DATE": "1600000000 +0100",
    "GIT_COMMITTER_NAME": "C",
    "GIT_COMMITTER_EMAIL": "c@example.com",
}
AUTHORS = {
    "name": {"GIT_AUTHOR_NAME": "t"},
    "address": {"GIT_AUTHOR_EMAIL": "T@example.com"},
    "date": {"GIT_AUTHOR_DATE": "1500000001 +0000"},
    "time zone": {"GIT_AUTHOR_DATE": "1500000000 +0100"},
}


def test_an_older_commit_is_not_made_from_a_later_one(repo: Repo) -> None:
    """A backport that was recorded, with tree, author and date of the original, says nothing of the original."""
    base = commit_of(repo, A)
    first = commit_of(repo, B, base, GIT_COMMITTER_DATE="1500000000 +0000")
    later = commit_of(repo, B, base, message="Say more", GIT_COMMITTER_DATE="1500000001 +0000")
    record(repo, later)

    assert known(repo, first) is None


def test_a_commit_with_another_message_is_known_by_its_tree(repo: Repo, base: str, old: str) -> None:
    """E21: `commit-tree` with another message, another committer: the same tree, made of the same tree."""
    assert known(repo, commit_of(repo, B, base, message="Say more", **COMMITTER)) == (old, "tree")


def test_a_commit_on_a_reworded_parent_is_known_by_its_tree(repo: Repo, old: str) -> None:
    """Whoever rewords a commit in the middle of a stack makes all above it anew: another parent, with the same tree."""
    reworded = commit_of(repo, A, message="Say it better")

    assert known(repo, commit_of(repo, B, reworded)) == (old, "tree")


@pytest.mark.parametrize("author", AUTHORS.values(), ids=AUTHORS)
def test_another_author_or_date_is_another_commit(repo: Repo, base: str, old: str, author: dict[str, str]) -> None:
    """One letter, one second or the zone: it may be somebody else who came to the same, and nothing is attached."""
    assert old
    assert known(repo, commit_of(repo, B, base, message="x", **author)) is None
    assert known(repo, commit_of(repo, B | MORE, commit_of(repo, A | MORE), **author)) is None


def test_the_same_tree_of_another_one_is_another_change(repo: Repo, old: str) -> None:
    """A tree says what is there, not who changed what: the parent's tree has to be the same too."""
    assert old
    assert known(repo, commit_of(repo, B, commit_of(repo, MORE))) is None


def test_root_commits_add_to_nothing(repo: Repo) -> None:
    """E33: the first commit of a history is known by its tree, also with an empty commit before it."""
    root = commit_of(repo, A)
    record(repo, root)

    assert known(repo, commit_of(repo, A, message="x")) == (root, "tree")
    assert known(repo, commit_of(repo, A, commit_of(repo, {}))) == (root, "tree")
    assert known(repo, commit_of(repo, A, commit_of(repo, MORE))) is None


def test_in_sha256_too(tmp_path: Path, repo: Repo) -> None:
    """E35: nothing depends on how long an id is."""
    repo("init", "-q", "--object-format=sha256", str(tmp_path / "other"))
    other = Repo(tmp_path / "other")
    root, first = commit_of(other, A), commit_of(other, B, commit_of(other, A))
    record(other, root, first)

    assert known(other, commit_of(other, A, commit_of(other, {}))) == (root, "tree")
    assert known(other, commit_of(other, B | MORE, commit_of(other, A | MORE))) == (first, "patch-id")


# --- the patch


def test_a_restacked_commit_is_known_by_its_patch(repo: Repo, base: str, old: str) -> None:
    """E21: jj, Sapling and Graphite move a stack onto a new base with `commit-tree`: author and change stay."""
    onto = commit_of(repo, A | MORE, base, GIT_AUTHOR_DATE="1400000000 +0000")
    second = commit_of(repo, B | {"b": b"1\n"}, old)
    record(repo, second)
    moved = commit_of(repo, B | MORE, onto, **COMMITTER)

    assert known(repo, moved) == (old, "patch-id")
    assert known(repo, commit_of(repo, B | MORE | {"b": b"1\n"}, moved, **COMMITTER)) == (second, "patch-id")


def test_a_conflict_makes_another_change(repo: Repo, old: str) -> None:
    """Where the lines around had to be changed as well, nobody knows, and nothing is attached."""
    other = {"a": A["a"].replace(b"line 9\n", b"x\n")}

    assert old
    assert known(repo, commit_of(repo, {"a": B["a"].replace(b"line 9\n", b"x\n")}, commit_of(repo, other))) is None


def test_a_cherry_pick_without_hooks_is_known(repo: Repo, base: str, old: str) -> None:
    """What `git cherry-pick --edit` makes keeps author and date, whatever becomes of the message."""
    repo("reset", "-q", "--hard", commit_of(repo, A | MORE, base))
    repo("cherry-pick", old, env={"GIT_EDITOR": "sed -i s/Say/Tell/", **COMMITTER})

    assert known(repo, repo.head()) == (old, "patch-id")


# --- what is never attached


def test_empty_commits_are_not_alike(repo: Repo, base: str) -> None:
    """E21: unrelated commits that change nothing share one tree, its parent's tree, and no patch."""
    repo("reset", "-q", "--hard", base)
    first = repo("commit-tree", "-p", "HEAD", "-m", "x", "HEAD^{tree}")
    record(repo, first, commit_of(repo, {}), commit_of(repo, A, first, message="y"))

    assert [known(repo, commit_of(repo, A, base, message=text)) for text in ("1", "2", "3")] == [None] * 3
    assert known(repo, commit_of(repo, {}, message="1")) is None
    assert tree_of(repo, {}) == NO_FILES


def test_merges_are_not_alike(repo: Repo, base: str, old: str) -> None:
    """Of a merge nobody can tell whose change it holds, recorded or not."""
    side = commit_of(repo, A | MORE, base)
    merge = commit_of(repo, B | MORE, base, side)
    record(repo, merge)

    assert known(repo, commit_of(repo, B | MORE, base, side, message="x")) is None
    assert known(repo, commit_of(repo, B, base, side, message="x")) is None
    assert known(repo, commit_of(repo, B | MORE, base, message="x")) is None
    assert known(repo, commit_of(repo, B, base, message="x")) == (old, "tree")


def test_a_revert_of_a_revert_is_work_of_its_own(repo: Repo, old: str) -> None:
    """It shares tree, parent's tree and patch with what it brings back, and not the date; nor is the revert known."""
    repo("reset", "-q", "--hard", old)
    dates = [f"150000000{number} +0000" for number in (1, 2)]
    for date in dates:
        repo("revert", "--no-edit", "HEAD", env={"GIT_AUTHOR_DATE": date})

    assert [known(repo, repo("rev-parse", name)) for name in ("HEAD", "HEAD~1")] == [None, None]
    assert repo("rev-parse", "HEAD^{tree}", "HEAD~1^{tree}").split() == [tree_of(repo, B), tree_of(repo, A)]
    # Where all agrees there is nothing left to tell them apart.
    assert known(repo, commit_of(repo, B, commit_of(repo, A, old))) == (old, "tree")


def test_a_forge_that_squashes_several_commits_makes_another_one(repo: Repo, base: str, old: str) -> None:
    """The sum of two changes is neither; of one commit it is that commit if the forge keeps author and date."""
    second = commit_of(repo, B | MORE, old)
    record(repo, second)
    repo("reset", "-q", "--hard", base)
    repo("merge", "-q", "--squash", second)
    squashed = repo("commit-tree", "-p", base, "-m", "Say both (#1)", repo("write-tree"))
    kept = commit_of(repo, B, base, message="Say it (#1)")

    assert (known(repo, squashed), known(repo, kept)) == (None, (old, "tree"))
    assert known(repo, commit_of(repo, B, base, message="Say it (#1)", GIT_AUTHOR_DATE="1500000300 +0000")) is None


def test_what_git_has_cleaned_away_matches_nothing(repo: Repo, base: str, old: str) -> None:
    """E32: a record whose commit is gone tells of tree and parents, and not who made it: a gap."""
    new = commit_of(repo, B, base, message="x")
    repo("branch", "new", new)
    assert known(repo, new) == (old, "tree")
    repo("prune", "--expire=now")

    assert known(repo, new) is None


# --- several


def test_two_that_agree_are_ambiguous(repo: Repo, base: str, old: str) -> None:
    """Where two recorded commits are alike, either may be meant, and nothing is attached."""
    record(repo, commit_of(repo, B, base, message="y"))

    assert known(repo, commit_of(repo, B, base, message="x")) == "ambiguous"
    assert known(repo, commit_of(repo, B | MORE, commit_of(repo, A | MORE))) == "ambiguous"
    assert old


def test_the_tree_tells_what_the_patch_does_not(repo: Repo, base: str, old: str) -> None:
    """The stronger sign decides: of a commit and its copy on another base, the one with the same trees is meant."""
    record(repo, commit_of(repo, B | MORE, commit_of(repo, A | MORE)))

    assert known(repo, commit_of(repo, B, base, message="x")) == (old, "tree")


def test_of_one_lineage_the_last_is_meant(repo: Repo, base: str, old: str) -> None:
    """A commit that was reworded once and again is one commit, whatever the ways between."""
    middle, last = (commit_of(repo, B, base, message=text) for text in ("y", "z"))
    record(repo, last)
    new = commit_of(repo, B, base, message="x")
    assert known(repo, new) == "ambiguous"
    rewrite(repo, (old, middle), (middle, last))

    assert known(repo, new) == (last, "tree")


def test_a_circle_has_no_last(repo: Repo, base: str, old: str) -> None:
    """Amended there and back: either may be meant."""
    other = commit_of(repo, B, base, message="y")
    record(repo, other)
    rewrite(repo, (old, other), (other, old))

    assert known(repo, commit_of(repo, B, base, message="x")) == "ambiguous"


def test_three_of_two_lineages_are_ambiguous(repo: Repo, base: str, old: str) -> None:
    """That one of them is out of the question does not make two one."""
    others = [commit_of(repo, B, base, message=text) for text in "yz"]
    record(repo, *others)
    rewrite(repo, (old, others[0]))

    assert known(repo, commit_of(repo, B, base, message="x")) == "ambiguous"


def test_a_match_may_settle_others(repo: Repo, base: str, old: str) -> None:
    """What one run attaches is known to it: else the next one would find more."""
    copy = commit_of(repo, B, base, message="copy")
    last = commit_of(repo, B | MORE, commit_of(repo, A | MORE), message="last")
    record(repo, last)
    rewrite(repo, (copy, last))
    restacked = commit_of(repo, B | {"b": b"1\n"}, commit_of(repo, A | {"b": b"1\n"}))
    assert known(repo, restacked) == "ambiguous"
    found = search(repo, copy, restacked)

    assert {new: (match.old, match.source) for new, match in found.matches.items()} == {
        copy: (old, "tree"),
        restacked: (last, "patch-id"),
    }
    assert found.ambiguous == set()


def test_several_may_come_of_one(repo: Repo, base: str, old: str) -> None:
    """A commit that was copied twice is behind both copies."""
    copies = [commit_of(repo, B, base, message=text) for text in "xyz"]

    assert {match.old for match in search(repo, *copies).matches.values()} == {old}


# --- what counts as recorded


def test_a_damaged_record_is_none(repo: Repo, base: str, old: str) -> None:
    """C12: what nobody can read attaches nothing; a sound record of the same commit does, wherever it stands."""
    new = commit_of(repo, B, base, message="x")
    path = Path(ledger_of(repo).path)
    damaged = path.read_bytes().replace(b'"validated":true', b'"validated":7')
    path.write_bytes(damaged)
    assert known(repo, new) is None
    path.write_bytes(damaged + record_of(old).to_bytes() + b"\n" + damaged)

    assert known(repo, new) == (old, "tree")


@pytest.mark.parametrize(
    "fields",
    [{"kind": "import"}, {"of": [{"commit": "{old}"}], "commit": "a" * 40}, {"links": []}],
)
def test_another_line_about_a_commit_is_no_record(repo: Repo, base: str, fields: dict[str, object]) -> None:
    """Only what says from which thread a commit is can be attached."""
    other = commit_of(repo, B, base)
    line = json.dumps(json.loads(record_of(other).to_bytes()) | fields).replace("{old}", other)
    ledger_of(repo).prepare()
    Path(ledger_of(repo).path).write_text(line + "\n")

    assert known(repo, commit_of(repo, B, base, message="x")) is None


def test_a_commit_that_was_recorded_twice_is_one(repo: Repo, base: str, old: str) -> None:
    """Two hook managers may have recorded it."""
    record(repo, commit_of(repo, A | MORE), old)

    assert known(repo, commit_of(repo, B, base, message="x")) == (old, "tree")


def test_commits_without_an_author_are_not_alike(repo: Repo) -> None:
    """Where nobody is named, nobody is the same; git itself makes no such commit."""
    text = f"tree {tree_of(repo, A)}\ncommitter T <t@example.com> 1500000000 +0000\n\n"
    old, new = written(repo, [f"{text}{message}\n".encode() for message in "xy"])
    record(repo, old)

    assert known(repo, new) is None


def test_a_record_of_another_writer_counts(repo: Repo, base: str) -> None:
    """Blanks, order and fields that we do not know hide no record."""
    other = commit_of(repo, B, base)
    fields = {"new": {"commit": 1}, **dict(reversed(json.loads(record_of(other).to_bytes()).items()))}
    ledger_of(repo).prepare()
    Path(ledger_of(repo).path).write_text(json.dumps(fields) + "\n")

    assert known(repo, commit_of(repo, B, base, message="x")) == (other, "tree")


def test_those_count_that_are_about_to_be_recorded(repo: Repo, base: str) -> None:
    """Who puts a ledger together may name recorded commits that do not stand in it yet, in an empty one too."""
    other, new = commit_of(repo, B, base), commit_of(repo, B, base, message="x")

    assert search(repo, new).matches == {}
    assert search(repo, new, also=(other,)).matches[Sha(new)].old == other
    record(repo, commit_of(repo, A))
    assert search(repo, new, also=(other,)).matches[Sha(new)].old == other


def test_only_the_newest_are_looked_at(repo: Repo, base: str, old: str) -> None:
    """Who shall not wait for a long ledger looks at its end; what lies before that end is not found."""
    new = commit_of(repo, B, base, message="x")
    record(repo, *(f"{number:040x}" for number in range(9)))

    assert known(repo, new, newest=9) is None
    assert known(repo, new, newest=10) == known(repo, new, newest=11) == (old, "tree")


def test_which_have_a_record_of_their_own(repo: Repo, base: str, old: str) -> None:
    """Those that the ledger knows by their past alone, or by a damaged line, have none."""
    rewrite(repo, (old, base))
    text = record_of("a" * 40).to_bytes().replace(b'"tree"', b'"twig"')
    with Path(ledger_of(repo).path).open("ab") as file:
        file.write(text + b"\n")

    with opened(Place.of_folder(Git(str(repo.path))), os.environ) as history:
        recorded = Recorded(history.objects, ledger_of(repo))
        assert recorded.among({old.encode(), base.encode(), b"a" * 40, b"b" * 40}) == {old.encode()}


def test_no_ledger_is_no_match(repo: Repo, base: str) -> None:
    """A clone without records has nothing to attach to, and what is no ledger is an error."""
    assert search(repo, base).matches == search(repo).matches == {}
    ledger_of(repo).prepare()
    Path(ledger_of(repo).path).unlink()
    Path(ledger_of(repo).path).mkdir()

    with pytest.raises(LedgerError):
        search(repo, base)


# --- objects that are not here


def test_where_a_shallow_clone_ends_nothing_is_compared(repo: Repo, base: str, old: str, tmp_path: Path) -> None:
    """V03: what a commit changes is not known without its parent: not its whole tree, as git would show it there."""
    new = commit_of(repo, B, base, message="x")
    repo("branch", "old", old)
    repo("branch", "new", new)
    repo("clone", "-q", "--depth=1", "--no-single-branch", f"file://{repo.path}", str(tmp_path / "cut"))
    cut = Repo(tmp_path / "cut")
    record(cut, old)

    assert known(cut, new) == "unread"
    assert known(cut, commit_of(cut, B, message="root")) is None


def test_in_a_partial_clone_trees_are_enough(repo: Repo, base: str, old: str, tmp_path: Path) -> None:
    """V04: what is known by the tree needs no file; what needs files that are not here is told apart."""
    new = commit_of(repo, B, base, message="x")
    moved = commit_of(repo, B | MORE, commit_of(repo, A | MORE))
    for name, commit in (("old", old), ("new", new), ("moved", moved)):
        repo("branch", name, commit)
    repo("config", "uploadpack.allowFilter", "true")
    repo("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    partial = Repo(tmp_path / "partial")
    partial("config", "remote.origin.url", "/nonexistent")
    record(partial, old)

    assert (known(partial, new), known(partial, moved)) == ((old, "tree"), "unread")


def test_in_a_bare_clone_too(repo: Repo, base: str, old: str, tmp_path: Path) -> None:
    """A server has no work tree, and needs none."""
    new = commit_of(repo, B, base, message="x")
    repo("branch", "old", old)
    repo("branch", "new", new)
    repo("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare"))
    bare = Repo(tmp_path / "bare")
    record(bare, old)

    assert known(bare, new) == (old, "tree")


# --- many


@pytest.mark.parametrize("count", [2, 40])
def test_git_is_asked_a_constant_number_of_questions(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """However many commits are looked for among however many, each question is one process."""
    names = [f"n{number}" for number in range(count)]
    olds = [commit_of(repo, {name: b"1\n"}, commit_of(repo, {name: b"0\n"})) for name in names]
    news = [commit_of(repo, {name: b"1\n"}, commit_of(repo, {name: b"0\n"}), message="x") for name in names]
    moved = [commit_of(repo, {name: b"1\n"} | MORE, commit_of(repo, {name: b"0\n"} | MORE)) for name in names]
    record(repo, *olds)
    log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
    ledger = ledger_of(repo)
    with opened(Place.of_folder(Git(str(repo.path))), os.environ) as history:
        log.write_text("")
        found = Recorded(history.objects, ledger).found([Sha(one) for one in (*news, *moved)])

    assert [found.matches[Sha(one)].old for one in news] == [found.matches[Sha(one)].old for one in moved] == olds
    assert len(log.read_text().splitlines()) == 8


def test_a_record_costs_few_bytes_of_memory(repo: Repo, base: str, old: str) -> None:
    """Of a million records little more than their ids is held, because most do not agree with what is looked for."""
    new = commit_of(repo, B, base, message="x")
    line = record_of().to_bytes() + b"\n"
    peaks = []
    for _ in range(2):
        with Path(ledger_of(repo).path).open("ab") as file:
            file.writelines(line.replace(SHA1.encode(), b"%040x" % number, 1) for number in range(MANY))
        tracemalloc.start()
        try:
            assert search(repo, new).matches[Sha(new)].old == old
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    assert peaks[1] - peaks[0] < 250 * MANY


def test_a_lineage_ends_somewhere() -> None:
    """Nobody amends ten thousand times; a ledger that says so costs no more than that."""
    ids = [f"{number:040x}" for number in range(MOST + 10)]
    lines = [became(Sha(old), Sha(new)) for old, new in pairwise(ids)]
    found = Origins(b"\n".join(Rewrite.to_bytes(line) for line in lines))

    assert len(found.before(ids[-1].encode())) < MOST + 2
    assert found.before(ids[2].encode()) == {ids[0].encode(), ids[1].encode()}
    assert found.before(ids[0].encode()) == set()


def test_a_match_is_told_as_a_line_of_the_ledger(repo: Repo, base: str, old: str) -> None:
    """The line says how the pair is known, and that no command of git's told of it."""
    new = Sha(commit_of(repo, B, base, message="x"))
    line = search(repo, new).matches[new].rewrite(new)

    assert (line.old, line.new, line.command, line.source) == (old, new, None, "tree")
    assert Rewrite.from_bytes(line.to_bytes()).to_bytes() == line.to_bytes()
