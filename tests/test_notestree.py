"""Trees of notes: the same folders as git's, the same bytes in any order, and nothing lost that others put there."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.errors import GitError
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.notestree import Union, contents, depths, entries, joined, lines_of, note_of, notes_in, places
from tests.conftest import Repo

A, B = "a" * 40, "b" * 40


def objects(repo: Repo) -> Git:
    """Return git without anybody's settings, in *repo*."""
    return Git(str(repo.path), clean(os.environ, str(repo.path / ".git")))


def tree_of(repo: Repo, files: Mapping[str, bytes | str]) -> str:
    """Return the tree with these *files*; a string is a mode, a blank and an id."""
    said = [b"commit refs/heads/made\ncommitter T <t@example.com> 1 +0000\ndata 0\n"]
    for path, text in files.items():
        if isinstance(text, str):
            said.append(f"M {text} {path}\n".encode())
        else:
            said.append(f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n")
    repo("fast-import", "--quiet", "--force", stdin=b"".join(said))
    return repo("rev-parse", "refs/heads/made^{tree}")


def written(repo: Repo, trees: list[str], additions: Mapping[bytes, set[bytes]] | None = None) -> str:
    """Return the tree that the union of *trees* and *additions* is."""
    git = objects(repo)
    found = [entries(git, tree) for tree in trees]
    union = Union(git, found, additions or {})
    base = trees[0] if trees else repo("mktree", stdin=b"")
    commit = repo("commit-tree", "-m", "base", base)
    said = b"commit refs/heads/union\ncommitter T <t@example.com> 1 +0000\ndata 0\nfrom %b\n" % commit.encode()
    repo("fast-import", "--quiet", "--force", stdin=said + b"".join(union.commands(found[0] if found else {})))
    return repo("rev-parse", "refs/heads/union^{tree}")


def files(repo: Repo, tree: str) -> dict[str, str]:
    """Return what *tree* holds: path -> mode and id."""
    rows = [row.partition("\t") for row in repo("ls-tree", "-r", "-z", tree).split("\0")[:-1]]
    return {path: entry for entry, _, path in rows}


def text(repo: Repo, tree: str, path: str) -> bytes:
    """Return what stands in *tree* at *path*."""
    return repo.run("cat-file", "blob", f"{tree}:{path}").stdout


def blob(repo: Repo, data: bytes) -> str:
    """Return the id of a blob."""
    return repo("hash-object", "-w", "--stdin", stdin=data)


def test_a_note_is_the_sorted_set_of_its_lines() -> None:
    """The one form is that of git's `cat_sort_uniq`: no empty lines, sorted as bytes, each once."""
    assert joined(lines_of(b"b\n\na\nb\n\xff")) == b"a\nb\n\xff\n"
    assert joined([]) == b""


def test_paths_of_notes_are_told_from_others() -> None:
    """A note is a regular file whose path spells a whole id, in folders of two digits."""
    entry = f"100644 blob {B}".encode()

    assert note_of(A.encode(), entry) == A.encode()
    assert note_of(b"aa/" + A[2:].encode(), entry) == A.encode()
    assert note_of(b"aa/aa/" + A[4:].encode(), entry) == A.encode()
    for path in (b"a/" + A[1:].encode(), A[:39].encode(), b"README", A.upper().encode(), b"aaa/" + A[3:].encode()):
        assert note_of(path, entry) is None
    assert note_of(A.encode(), f"120000 blob {B}".encode()) is None
    assert note_of(A.encode(), f"160000 commit {B}".encode()) is None


def test_every_depth_is_a_path() -> None:
    """A note is looked for where any git could have put it."""
    found = list(depths(A))

    assert found[:3] == [A, "aa/" + A[2:], "aa/aa/" + A[4:]]
    assert len(found) == 20
    assert {path.replace("/", "") for path in found} == {A}


def test_contents_come_in_the_order_of_the_questions(repo: Repo) -> None:
    """What is absent, is no blob, or exceeds the limit has its place in the answer, too."""
    large, small, empty = blob(repo, b"x\n" * 2_000_000), blob(repo, b"one\ntwo"), blob(repo, b"")
    folder = repo("mktree", stdin=b"")
    asked = [one.encode() for one in (small, A, large, folder, empty, f"{folder}:{A}", small)]
    git = objects(repo)

    assert list(contents(git, asked, 1000)) == [
        (7, b"one\ntwo"),
        (-1, b""),
        (4_000_000, b""),
        (-1, b""),
        (0, b""),
        (-1, b""),
        (7, b"one\ntwo"),
    ]
    assert list(contents(git, [large.encode(), small.encode()])) == [(4_000_000, b"x\n" * 2_000_000), (7, b"one\ntwo")]
    assert list(contents(git, [])) == []


@pytest.mark.parametrize("many", [1, 40, 300, 2000, 30_000])
def test_folders_are_those_of_git(repo: Repo, many: int) -> None:
    """Who unites with `git notes merge` and who unites with us get the same tree: nobody shuffles the other's."""
    names = [hashlib.sha1(b"%d" % number).hexdigest() for number in range(many)]  # noqa: S324  # git's ids are such
    ours = written(repo, [], {name.encode(): {b"a line"} for name in names})
    repo("update-ref", "refs/notes/ours", repo("commit-tree", "-m", "ours", ours))
    repo.commit("-qm", "one more")

    repo("notes", "--ref=gits", "add", "-m", "x", "HEAD")
    repo("notes", "--ref=gits", "merge", "-q", "-s", "cat_sort_uniq", "refs/notes/ours")
    repo("notes", "--ref=gits", "remove", "HEAD")

    assert repo("rev-parse", "refs/notes/gits^{tree}") == ours


def test_no_folder_is_opened_over_somebody_elses_file() -> None:
    """A file `ab` of other people stays a file: notes that would lie in a folder `ab` stand beside it."""
    names = [b"%02x%038x" % (start, number) for start in range(256) for number in range(2)]

    free, beside = dict(places(names)), dict(places(names, {b"ab"}))

    assert free[b"ab" + b"0" * 38] == b"ab/" + b"0" * 38
    assert beside[b"ab" + b"0" * 38] == b"ab" + b"0" * 38
    assert {name for name in names if free[name] != beside[name]} == {name for name in names if name[:2] == b"ab"}


def test_what_only_one_has_keeps_its_bytes(repo: Repo) -> None:
    """A note that nobody else has is kept byte for byte, in the form in which somebody wrote it."""
    tree = tree_of(repo, {A: b"z\na\n\nno line feed"})
    other = tree_of(repo, {B: b"\n"})

    both = written(repo, [tree, other])

    assert text(repo, both, A) == b"z\na\n\nno line feed"
    assert text(repo, both, B) == b"\n"


def test_notes_of_one_object_become_one(repo: Repo) -> None:
    """Notes in folders of different depth, and lines that are new, end up in one note."""
    tree = tree_of(repo, {A: b"one\n", f"aa/{A[2:]}": b"two\n", f"aa/aa/{A[4:]}": b"one\n"})

    assert len(notes_in(entries(objects(repo), tree))[A.encode()]) == 3
    assert files(repo, written(repo, [tree])).keys() == {A}
    assert text(repo, written(repo, [tree], {A.encode(): {b"three"}}), A) == b"one\nthree\ntwo\n"


def test_a_line_that_is_there_changes_nothing(repo: Repo) -> None:
    """What is said already is not written again, whatever stands around it."""
    tree = tree_of(repo, {A: b"z\n\na\n"})
    git = objects(repo)

    assert Union(git, [entries(git, tree)], {A.encode(): {b"a"}}).texts == {}
    assert written(repo, [tree], {A.encode(): {b"a"}}) == tree


def test_a_note_that_says_it_all_is_used_as_it_is(repo: Repo) -> None:
    """Where one note has all lines of the others in the one form, no new one is written."""
    short, long = tree_of(repo, {A: b"a\n"}), tree_of(repo, {A: b"a\nb\n"})
    git = objects(repo)

    assert Union(git, [entries(git, short), entries(git, long)], {}).texts == {}
    assert written(repo, [short, long]) == written(repo, [long, short]) == long


def test_what_is_no_note_is_kept(repo: Repo) -> None:
    """A README, folders, links and submodules of other people in the tree stay where they are."""
    foreign: dict[str, bytes | str] = {
        "README": b"hello\n",
        "ab/notes.txt": b"x\n",
        '"\\303\\244 \\012"': b"umlaut and line feed\n",
        A: f"160000 {B}",
        "link": f"120000 {blob(repo, b'README')}",
    }
    tree = tree_of(repo, foreign)
    one = tree_of(repo, {B: b"a\n"})

    assert files(repo, written(repo, [tree, one])) == files(repo, tree) | files(repo, one)
    assert written(repo, [one, tree]) == written(repo, [tree, one])


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", "a:b"])
def test_a_name_that_no_git_takes_is_dropped(repo: Repo, name: str) -> None:
    """Nobody can break everybody's sharing by a name such as `.git`, wherever it comes from; all else stays."""
    inner = repo("mktree", stdin=f"100644 blob {blob(repo, b'x')}\tconfig\n".encode())
    fine = f"100644 blob {blob(repo, b'x')}\tfine\n"
    evil = repo("mktree", stdin=f"040000 tree {inner}\t{name}\n{fine}".encode())
    ours = tree_of(repo, {A: b"a\n"})

    assert files(repo, written(repo, [ours, evil])).keys() == {A, "fine"}
    assert files(repo, written(repo, [evil, ours])).keys() == {A, "fine"}
    assert files(repo, written(repo, [evil])).keys() == {"fine"}


def test_a_note_goes_before_what_is_none(repo: Repo) -> None:
    """Where a note and something else want the same place, the note has it, whoever comes first."""
    note = tree_of(repo, {A: b"a\n"})
    for other in (tree_of(repo, {A: f"160000 {B}"}), tree_of(repo, {f"{A}/x": b"x\n"})):
        assert written(repo, [note, other]) == written(repo, [other, note]) == note


def test_of_two_other_things_one_is_kept(repo: Repo) -> None:
    """Whichever side comes first, everybody keeps the same one of two, and of a file and a folder the folder."""
    one, two, folder = (tree_of(repo, {path: data}) for path, data in [("x", b"1"), ("x", b"2"), ("x/y", b"3")])

    assert written(repo, [one, two]) == written(repo, [two, one])
    assert written(repo, [one, folder]) == written(repo, [folder, one]) == folder


def test_a_note_that_is_not_here_is_not_lost(repo: Repo) -> None:
    """In a partial clone a note that has to be read, and is not here, ends it: nothing is written without it."""
    listed = f"100644 blob {B}\t{A}\n".encode()
    tree = repo("mktree", "--missing", stdin=listed)
    git = objects(repo)

    with pytest.raises(GitError, match="is not here") as told:
        Union(git, [entries(git, tree)], {A.encode(): {b"a"}})
    assert "--refetch" in told.value.hint


def test_a_commit_of_notes_of_sha256(tmp_path: Path) -> None:
    """Ids of 64 digits are ids as well, and those of 40 are then something else."""
    Repo(tmp_path)("init", "-q", "--object-format=sha256", str(tmp_path / "repo"))
    repo = Repo(tmp_path / "repo")
    tree = tree_of(repo, {"c" * 64: b"b\n", A: b"x\n"})

    found = written(repo, [tree], {b"c" * 64: {b"a"}})

    assert text(repo, found, "c" * 64) == b"a\nb\n"
    assert notes_in(entries(objects(repo), found)).keys() == {b"c" * 64}


_LINE = st.binary(min_size=1, max_size=3).filter(lambda line: not set(line) & set(b"\n\0"))
_TEXT = st.lists(_LINE, min_size=1, max_size=4).map(b"\n".join)
_NOTES = st.dictionaries(st.sampled_from([A, B, "c" * 40]), _TEXT, max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sides=st.tuples(_NOTES, _NOTES, _NOTES))
def test_the_union_is_one_of_sets(tmp_path: Path, sides: tuple[dict[str, bytes], ...]) -> None:
    """It is commutative, associative and idempotent, byte for byte, and equal to git's `cat_sort_uniq`."""
    path = tmp_path / "repo"
    if not path.exists():
        Repo(tmp_path)("init", "-q", str(path))
    repo = Repo(path)
    a, b, c = (tree_of(repo, side) for side in sides)

    both = written(repo, [a, b])
    assert both == written(repo, [b, a])
    assert written(repo, [both, c]) == written(repo, [a, written(repo, [b, c])]) == written(repo, [c, b, a])
    assert written(repo, [both, both]) == written(repo, [both, a]) == both

    for name, tree in (("x", a), ("y", b)):
        repo("update-ref", f"refs/notes/{name}", repo("commit-tree", "-m", name, tree))
    repo("notes", "--ref=x", "merge", "-q", "-s", "cat_sort_uniq", "refs/notes/y")
    assert repo("rev-parse", "refs/notes/x^{tree}") == both
