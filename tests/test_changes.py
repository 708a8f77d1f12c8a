"""What commits change, read so that nothing but the commits themselves decides whether two are alike."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ampcommit.commits.changes import bases, heads, patches
from ampcommit.commits.history import opened
from ampcommit.errors import SetupError
from ampcommit.gitcmd import PIECE, Git
from ampcommit.place import Place
from tests.conftest import Repo
from tests.test_batch import stand_in, written

NO_FILES = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Files = dict[str, bytes]


def tree_of(repo: Repo, files: Files) -> str:
    """Write the tree that holds *files*."""
    blobs = {name: repo("hash-object", "-w", "--stdin", stdin=content) for name, content in sorted(files.items())}
    return repo("mktree", stdin="".join(f"100644 blob {blob}\t{name}\n" for name, blob in blobs.items()).encode())


def commit_of(repo: Repo, files: Files, *parents: str, message: str = "Say what changes", **environ: str) -> str:
    """Write a commit that holds *files*, without any hook; nothing else of it differs from others but *environ*."""
    named = [word for parent in parents for word in ("-p", parent)]
    return repo("commit-tree", "-m", message, *named, tree_of(repo, files), env=environ)


@contextmanager
def objects(repo: Repo | Path) -> Iterator[Git]:
    """Return git without the settings of a clone."""
    path = repo.path if isinstance(repo, Repo) else repo
    with opened(Place.of_folder(Git(str(path))), os.environ) as history:
        yield history.objects


def alike(repo: Repo, *commits: str) -> int:
    """Return how many different patches *commits* have, each of which has one."""
    with objects(repo) as git:
        found = patches(git, [commit.encode() for commit in commits])
    assert set(found) == {commit.encode() for commit in commits}
    return len(set(found.values()))


def read(repo: Repo | Path, *commits: str) -> list[str]:
    """Return those of *commits* whose patch can be read."""
    with objects(repo) as git:
        return [commit.decode() for commit in patches(git, [commit.encode() for commit in commits])]


# --- what stands above the message


def test_a_commit_is_read_as_it_stands(repo: Repo) -> None:
    """Tree, parents and author line are those of the object, whatever stands in its message."""
    base = commit_of(repo, {"a": b"1\n"})
    told = f"tree x\nparent {base}\nauthor x\n\nauthor y"
    merge = commit_of(repo, {"a": b"2\n"}, base, commit_of(repo, {}), message=told, GIT_AUTHOR_NAME="Ünï Code")

    with objects(repo) as git:
        (head,) = heads(git, [merge.encode()])

    assert head
    assert (head.commit.decode(), head.tree.decode()) == (merge, repo("rev-parse", f"{merge}^{{tree}}"))
    assert [parent.decode() for parent in head.parents] == repo("log", "-1", "--format=%P", merge).split()
    assert head.author.decode() == "Ünï Code <t@example.com> 1500000000 +0000"


def test_what_is_no_commit_here_keeps_its_place(repo: Repo) -> None:
    """Of an id that git does not have, of a tag, a tree and a file, nothing is said, in order."""
    commit = commit_of(repo, {"a": b"1\n\n" * 100_000})
    repo("tag", "-a", "-m", "x", "v1", commit)
    others = [repo("rev-parse", name) for name in (f"{commit}^{{tree}}", f"{commit}:a", "v1")]

    with objects(repo) as git:
        told = list(heads(git, [one.encode() for one in ("0" * 40, commit, *others, "1" * 40, commit)]))

    assert [head and head.commit.decode() for head in told] == [None, commit, None, None, None, None, commit]


def test_nothing_is_asked_about_nothing(repo: Repo) -> None:
    """Without commits git is not started."""
    with objects(repo) as git:
        assert (list(heads(git, [])), bases(git, []), patches(git, [])) == ([], {}, {})


def test_commits_of_any_size_are_read(repo: Repo) -> None:
    """An answer that comes in many pieces is put together: long messages, and many short ones."""
    long = [commit_of(repo, {}, message="x" * 70_000 + str(number)) for number in range(40)]
    short = [commit_of(repo, {}, message=str(number)) for number in range(20)]
    mixed = [one for pair in zip(long, short * 2, strict=True) for one in pair]
    assert len(long) * 70_000 > PIECE * 2

    with objects(repo) as git:
        assert [head.commit.decode() for head in heads(git, [one.encode() for one in mixed]) if head] == mixed


def test_a_broken_object_is_not_there(repo: Repo) -> None:
    """What git cannot read counts as little as what it has cleaned away."""
    commit = commit_of(repo, {})
    path = repo.path / ".git" / "objects" / commit[:2] / commit[2:]
    path.chmod(0o600)
    path.write_bytes(b"x" * 50)

    with objects(repo) as git:
        assert list(heads(git, [commit.encode()])) == [None]


def test_a_git_that_fails_is_the_environments_fault(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an answer is not taken for one, and the hint says what to do."""
    commits = [commit_of(repo, {}, message=str(number)).encode() for number in range(2)]
    script = 'case "$*" in *--batch*) head -1 | "$real" "$@"; exit 1;; *) exec "$real" "$@";; esac'
    stand_in(tmp_path, monkeypatch, script)

    with objects(repo) as git, pytest.raises(SetupError, match="status 1") as caught:
        list(heads(git, commits))

    assert "git fsck" in caught.value.hint


def test_a_commit_without_an_author_has_none(repo: Repo) -> None:
    """What git itself does not make is read as far as it goes."""
    tree = tree_of(repo, {})
    (odd,) = written(repo, [f"tree {tree}\ncommitter T <t> 1 +0000\n\nauthor x\n".encode()])

    with objects(repo) as git:
        (head,) = heads(git, [odd.encode()])

    assert head
    assert (head.author, head.parents, head.tree.decode()) == (b"", [], tree)


def test_a_change_is_made_to_a_tree(repo: Repo) -> None:
    """That of the only parent; of a root commit the one without files; a merge has none."""
    root = commit_of(repo, {"a": b"1\n"})
    child = commit_of(repo, {"a": b"2\n"}, root)
    merge = commit_of(repo, {"a": b"2\n"}, root, child)

    with objects(repo) as git:
        found = bases(git, [head for head in heads(git, [one.encode() for one in (root, child, merge)]) if head])

    assert found == {root.encode(): NO_FILES.encode(), child.encode(): repo("rev-parse", f"{root}^{{tree}}").encode()}


def test_in_sha256_too(tmp_path: Path, repo: Repo) -> None:
    """The tree without files has another id there, and all else is the same (E35)."""
    repo("init", "-q", "--object-format=sha256", str(tmp_path / "other"))
    other = Repo(tmp_path / "other")
    root, empty = commit_of(other, {"a": b"1\n"}), commit_of(other, {})
    child = commit_of(other, {"a": b"1\n"}, empty)

    with objects(other) as git:
        found = bases(git, [head for head in heads(git, [one.encode() for one in (root, child, empty)]) if head])

    assert set(found.values()) == {other("rev-parse", f"{empty}^{{tree}}").encode()}
    assert (alike(other, root, child), read(other, empty)) == (1, [])


# --- patches

BEFORE = b"".join(b"line %d\n" % number for number in range(20))
AFTER = BEFORE.replace(b"line 10\n", b"line ten\n")
SAME: dict[str, tuple[Files, Files]] = {
    "other files": ({"f": BEFORE, "g": b"1\n"}, {"f": AFTER, "g": b"1\n"}),
    "other lines": ({"f": b"more\n" + BEFORE}, {"f": b"more\n" + AFTER}),
    "blanks": ({"f": BEFORE}, {"f": AFTER.replace(b"line ten", b"line  ten ")}),
}
OTHER: dict[str, tuple[Files, Files]] = {
    "more of it": ({"f": BEFORE}, {"f": AFTER.replace(b"line 19", b"line x")}),
    "another line": ({"f": BEFORE}, {"f": AFTER.replace(b"line ten", b"line 11")}),
    "another file": ({"g": BEFORE}, {"g": AFTER}),
    "a further file": ({"f": BEFORE}, {"f": AFTER, "g": b"1\n"}),
    "the way back": ({"f": AFTER}, {"f": BEFORE}),
    "other lines around": ({"f": BEFORE.replace(b"line 9", b"x")}, {"f": AFTER.replace(b"line 9", b"x")}),
    "moved": ({"f": BEFORE}, {"g": AFTER}),
}


def changed(repo: Repo, before: Files, after: Files) -> str:
    """Return a commit that makes *after* of *before*."""
    return commit_of(repo, after, commit_of(repo, before))


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME)
def test_a_change_is_known_again_elsewhere(repo: Repo, before: Files, after: Files) -> None:
    """What git's patch id passes over may differ: where the lines stand, what else is there, blanks."""
    assert alike(repo, changed(repo, {"f": BEFORE}, {"f": AFTER}), changed(repo, before, after)) == 1


@pytest.mark.parametrize(("before", "after"), OTHER.values(), ids=OTHER)
def test_another_change_is_another_one(repo: Repo, before: Files, after: Files) -> None:
    """Whatever else differs, it is not the same change."""
    assert alike(repo, changed(repo, {"f": BEFORE}, {"f": AFTER}), changed(repo, before, after)) == 2


def test_what_is_no_text_is_compared_whole(repo: Repo) -> None:
    """Two pictures in the same place are two changes, also for a git before 2.39, and so are bytes behind a NUL."""
    first = changed(repo, {"f": b"\0 1"}, {"f": b"\0 2"})
    elsewhere = changed(repo, {"f": b"\0 1", "g": b"1\n"}, {"f": b"\0 2", "g": b"1\n"})

    assert alike(repo, first, elsewhere) == 1
    assert alike(repo, first, changed(repo, {"f": b"\0 1"}, {"f": b"\0 3"})) == 2
    assert alike(repo, first, changed(repo, {"f": b"\0 4"}, {"f": b"\0 2"})) == 2
    assert alike(repo, changed(repo, {}, {"f": b"\0 1"}), changed(repo, {}, {"f": b"\0 2"})) == 2


def test_a_nul_far_down_is_not_compared(repo: Repo) -> None:
    """Git takes such a file for text and reads each line up to the NUL: then nothing is said."""
    late = b"line\n" * 5000

    assert read(repo, changed(repo, {"f": late}, {"f": late + b"a\0b\n"})) == []


def test_modes_links_and_submodules_are_changes(repo: Repo) -> None:
    """What a commit changes beside lines of text counts."""
    blob = repo("hash-object", "-w", "--stdin", stdin=b"1")
    modes = ["100644 blob", "100755 blob", "120000 blob", f"160000 commit {'a' * 40}", f"160000 commit {'b' * 40}"]
    entries = [f"{mode}\tf\n" if "commit" in mode else f"{mode} {blob}\tf\n" for mode in modes]
    trees = [repo("mktree", "--missing", stdin=entry.encode()) for entry in entries]
    base = repo("commit-tree", "-m", "x", trees[0])
    commits = [repo("commit-tree", "-m", "x", "-p", base, tree) for tree in trees[1:]]

    assert alike(repo, *commits, base) == len(trees)


def test_names_of_files_are_no_commits(repo: Repo) -> None:
    """A file may be called like a commit, like a line of git's answer, or hold one."""
    name = "a" * 40
    text = f"{name}\n\ndiff --git a/f b/f\n:100644 \nindex 1..2\nBinary files \n".encode()
    first = changed(repo, {"f": b"1\n"}, {"f": text, name: text, ": 100644": text, "missing": text})
    second = changed(
        repo, {"f": b"1\n", "g": b"1\n"}, {"f": text, name: text, ": 100644": text, "missing": text, "g": b"1\n"}
    )

    assert (alike(repo, first, second), read(repo, first)) == (1, [first])


def test_an_empty_change_has_no_patch(repo: Repo) -> None:
    """E21: a commit that changes nothing is like no other, and so is a merge."""
    base = commit_of(repo, {"a": b"1\n"})
    same, empty = commit_of(repo, {"a": b"1\n"}, base), commit_of(repo, {})
    merge = commit_of(repo, {"a": b"2\n"}, base, same)

    assert read(repo, same, empty, merge, base) == [base]


SETTINGS = [
    ["diff.noprefix", "true"],
    ["diff.algorithm", "patience"],
    ["diff.context", "0"],
    ["diff.external", "false"],
    ["diff.x.textconv", "false"],
    ["diff.x.command", "false"],
    ["diff.orderFile", "/dev/null"],
    ["diff.submodule", "log"],
    ["diff.ignoreSubmodules", "all"],
    ["core.quotePath", "false"],
    ["core.attributesFile", "../attributes"],
    ["core.bigFileThreshold", "1"],
    ["core.abbrev", "4"],
]


@pytest.mark.parametrize("attribute", ["-diff", "diff=x", "binary", "diff"])
def test_nothing_that_a_clone_sets_changes_the_answer(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, attribute: str
) -> None:
    """S11: settings, attributes, external diffs and replaced objects make nothing of two changes alike, or unlike."""
    first, second = (changed(repo, {"f": b"1\n"}, {"f": text}) for text in (b"2\n", b"3\n"))
    third = changed(repo, {"f": b"1\n", "g": b"1\n"}, {"f": b"2\n", "g": b"1\n"})
    with objects(repo) as git:
        before = patches(git, [one.encode() for one in (first, second, third)])
    for setting in SETTINGS:
        repo("config", *setting)
    for path in (".gitattributes", "attributes", ".git/info/attributes"):
        (repo.path / path).parent.mkdir(exist_ok=True)
        (repo.path / path).write_text(f"* {attribute}\n")
    repo("replace", second, first)
    repo("replace", f"{second}^{{tree}}", f"{first}^{{tree}}")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")

    with objects(repo) as git:
        assert patches(git, [one.encode() for one in (first, second, third)]) == before
    assert len(set(before.values())) == 2


def test_diffs_that_are_too_long_together_are_read_apart(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P44: where git's answer is more than we read at once, fewer are asked for; what is too long alone is left out."""
    commits = [changed(repo, {}, {name: b"1\n"}) for name in "abcdefg"]
    huge = commits.pop(3)
    # What would be too long never ends.
    script = f'in=$(cat); case "$in" in *{huge}*) exec yes;; esac; [ $(echo "$in" | wc -l) -le 2 ] || exec yes'
    script = f'case "$*" in *" -p "*) {script}; echo "$in" | exec "$real" "$@";; *) exec "$real" "$@";; esac'
    stand_in(tmp_path, monkeypatch, script)

    assert read(repo, *commits[:3], huge, *commits[3:]) == commits


@pytest.mark.parametrize(("kept", "count"), [("blob:none", 0), ("blob:limit=100", 2), ("tree:0", 0)])
def test_in_a_partial_clone_what_is_not_there_is_left_out(repo: Repo, tmp_path: Path, kept: str, count: int) -> None:
    """V04: no file is fetched to be compared, and what is here is compared all the same."""
    small = [changed(repo, {}, {name: b"1\n"}) for name in "ab"]
    large = changed(repo, {}, {"c": b"1\n" * 100})
    for number, commit in enumerate([small[0], large, small[1]]):
        repo("branch", f"b{number}", commit)
    repo("config", "uploadpack.allowFilter", "true")
    repo("clone", "-q", "--bare", f"--filter={kept}", f"file://{repo.path}", str(tmp_path / "partial"))

    assert sorted(read(tmp_path / "partial", small[0], large, small[1])) == sorted(small[:count])


def test_in_a_partial_clone_git_is_asked_no_more_often(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V04: however many commits lack their files, git is not started for each."""
    commits = [changed(repo, {}, {f"n{number}": b"%d\n" % number}) for number in range(20)]
    for number, commit in enumerate(commits):
        repo("branch", f"b{number}", commit)
    repo("config", "uploadpack.allowFilter", "true")
    repo("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
    with objects(tmp_path / "partial") as git:
        log.write_text("")

        assert patches(git, [commit.encode() for commit in commits]) == {}
        assert len(log.read_text().splitlines()) == 2
