"""Where a hook runs is read from git's own files, and agrees with what git would have said."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ampcommit.errors import GitError, SetupError
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from tests.conftest import Repo

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def agreed(repo: Repo, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Place:
    """Stand at the top of *repo* as a hook does, check that place and git agree on everything, return the place."""
    monkeypatch.chdir(repo.path)
    place = Place.of_hook(environ)

    def asked(*args: str) -> str | None:
        done = repo.run(*args, ok=False, env=environ)
        return None if done.returncode else os.fsdecode(done.stdout).removesuffix("\n")

    assert os.path.realpath(place.git_dir) == asked("rev-parse", "--absolute-git-dir")
    assert os.path.realpath(place.common_dir) == os.path.realpath(asked("rev-parse", "--git-common-dir") or "")
    assert place.private == os.path.join(place.git_dir, "ampcommit")
    assert place.state == os.path.join(place.common_dir, "ampcommit")
    assert os.path.dirname(place.ledger) == place.state
    ref = asked("symbolic-ref", "-q", "HEAD")
    assert place.branch() == (ref and ref.removeprefix("refs/heads/"))
    assert place.head() == asked("rev-parse", "-q", "--verify", "HEAD")
    return place


def with_two_commits(repo: Repo) -> Repo:
    """Give the repository a file and two commits."""
    for text in ("one", "two"):
        (repo.path / "f").write_text(text)
        repo("add", "f")
        repo("commit", "-q", "-m", text)
    return repo


@pytest.fixture
def grown(repo: Repo) -> Repo:
    """A repository with a file and two commits."""
    return with_two_commits(repo)


def test_main_work_tree(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E01: in the main work tree, the private folder is the one of the clone."""
    place = agreed(grown, monkeypatch)

    assert place.private == place.state == os.path.join(".git", "ampcommit")


def test_linked_work_tree(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E03: a linked work tree shares the ledger with the clone and keeps its notes to itself."""
    grown("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    place = agreed(Repo(tmp_path / "linked"), monkeypatch)

    assert place.private != place.state
    assert os.path.realpath(place.state) == str(grown.path / ".git" / "ampcommit")


def test_submodule(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E04: a submodule has a ledger of its own."""
    outer = Repo(tmp_path / "outer")
    grown("init", "-q", str(outer.path))
    outer("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(grown.path), "in")
    place = agreed(Repo(outer.path / "in"), monkeypatch)

    assert os.path.realpath(place.state) == str(outer.path / ".git" / "modules" / "in" / "ampcommit")


def test_linked_work_tree_of_a_submodule(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E03, E04: both at once."""
    outer = Repo(tmp_path / "outer")
    grown("init", "-q", str(outer.path))
    outer("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(grown.path), "in")
    outer("-C", "in", "worktree", "add", "-q", str(tmp_path / "linked"))

    agreed(Repo(tmp_path / "linked"), monkeypatch)


def test_separate_git_dir(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E04: `git init --separate-git-dir` leaves a file in place of `.git`."""
    grown("init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"))

    agreed(grown, monkeypatch)


def test_linked_folder(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.git` that is a symbolic link to a folder is that folder."""
    (grown.path / ".git").rename(tmp_path / "elsewhere")
    (grown.path / ".git").symlink_to(tmp_path / "elsewhere")

    agreed(grown, monkeypatch)


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_git_dir_variable(grown: Repo, monkeypatch: pytest.MonkeyPatch, relative: bool) -> None:
    """E06: `git --git-dir` tells the hook where it is, in either form."""
    agreed(grown, monkeypatch, GIT_DIR=".git" if relative else str(grown.path / ".git"))


def test_git_dir_variable_names_a_file(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E06: GIT_DIR may name the file that stands for the folder."""
    grown("worktree", "add", "-q", str(tmp_path / "linked"))

    agreed(Repo(tmp_path / "linked"), monkeypatch, GIT_DIR=str(tmp_path / "linked" / ".git"))


def test_bare_with_a_work_tree(grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E05: a bare repository that is given a work tree."""
    grown("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    (tmp_path / "tree").mkdir()

    agreed(Repo(tmp_path / "tree"), monkeypatch, GIT_DIR=str(tmp_path / "bare"), GIT_WORK_TREE=".")


def test_odd_folder(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E15: blanks, quotes, line feeds, and bytes that are not UTF-8 in the path are nothing special."""
    odd = tmp_path / os.fsdecode(b"a b'\"\nc\xff")
    repo("init", "-q", str(odd))

    agreed(Repo(odd), monkeypatch)


def test_unborn_branch(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E33: before the first commit there is a branch, and no commit."""
    place = agreed(repo, monkeypatch)

    assert (place.branch(), place.head()) == ("main", None)


def test_detached_head(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E33: with a detached HEAD there is a commit, and no branch."""
    grown("checkout", "-q", "--detach", "HEAD^")
    place = agreed(grown, monkeypatch)

    assert (None, grown.head()) == (place.branch(), place.head())


def test_orphan_branch(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E33: `git checkout --orphan` is an unborn branch again."""
    grown("checkout", "-q", "--orphan", "fresh")

    assert agreed(grown, monkeypatch).head() is None


def test_sha256(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E35: longer ids are read as well."""
    repo("init", "-q", "--object-format=sha256", str(tmp_path / "long"))
    long = Repo(tmp_path / "long")
    long.commit("-q", "-m", "x")

    assert len(agreed(long, monkeypatch).head() or "") == 64


def test_packed_refs(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `git gc` the branch is found among its likes, and a newer loose one wins."""
    for name in ("a", "main2", "mai", "x/main", "refs/heads/main"):
        grown("update-ref", f"refs/heads/{name}", "HEAD^")
    grown("tag", "-a", "-m", "x", "main", "HEAD^")
    grown("pack-refs", "--all")
    packed = agreed(grown, monkeypatch).head()
    grown.commit("-q", "-m", "newer")

    assert packed != agreed(grown, monkeypatch).head()


BRANCHES = ["feature/one/two", "ünï", "a.b", "x@y", "quote'\"", "$(touch${IFS}x)", "a;b", "\u2028", "%n", "long" * 50]


@pytest.mark.parametrize("name", [*map(os.fsencode, BRANCHES), b"caf\xe9"], ids=repr)
@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_odd_branches(grown: Repo, monkeypatch: pytest.MonkeyPatch, name: bytes, packed: bool) -> None:
    """S07: any branch that git accepts has its name and its commit, byte for byte."""
    grown("checkout", "-q", "-b", os.fsdecode(name))
    if packed:
        grown("pack-refs", "--all")

    assert os.fsdecode(name) == agreed(grown, monkeypatch).branch()


def test_head_of_another_kind(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEAD that names something other than a branch is on no branch, and never on one of another name."""
    grown("tag", "heads/x")
    grown("symbolic-ref", "HEAD", "refs/tags/heads/x")
    monkeypatch.chdir(grown.path)

    assert Place.of_hook({}).branch() is None


STUB = "ref: refs/heads/.invalid\n"
"""What stands in the file HEAD where refs are in a reftable."""


@pytest.fixture
def tabled(tmp_path: Path) -> Repo:
    """An empty repository whose refs are in a reftable."""
    path = tmp_path / "tabled"
    made = subprocess.run(["git", "init", "-q", "--ref-format=reftable", str(path)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this git has no reftable: it came with 2.45")
    assert (path / ".git" / "HEAD").read_text() == STUB
    return Repo(path)


def test_reftable(tabled: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E35, E33: where refs are no files git is asked, about an unborn branch, a branch, and none."""
    assert (agreed(tabled, monkeypatch).branch(), agreed(tabled, monkeypatch).head()) == ("main", None)
    tabled.commit("-q", "-m", "x")
    assert agreed(tabled, monkeypatch).head() == tabled.head()
    tabled("checkout", "-q", "--detach")
    assert agreed(tabled, monkeypatch).branch() is None


def test_linked_work_tree_with_reftable(tabled: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E35, E03: each work tree has a HEAD of its own, in a reftable of its own."""
    tabled.commit("-q", "-m", "x")
    tabled("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "s\u00efde")
    Repo(tmp_path / "linked").commit("-q", "-m", "y")

    assert agreed(Repo(tmp_path / "linked"), monkeypatch).head() != agreed(tabled, monkeypatch).head()
    tree = tmp_path / "linked"
    assert (
        agreed(Repo(tree), monkeypatch, GIT_DIR=str(tabled.path / ".git" / "worktrees" / "linked")).branch()
        == "s\u00efde"
    )


@pytest.mark.parametrize(
    ("says", "known"),
    [
        ("symbolic-ref) echo refs/heads/main;; rev-parse) echo {id};; cat-file) echo 'A missing\nB missing'", True),
        ("symbolic-ref) exit 1;; rev-parse) exit 1;; cat-file) echo 'A missing\n{id} commit 9'", False),
    ],
    ids=["branch", "detached, unborn, reverting"],
)
def test_what_git_says_of_a_reftable(
    grown: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, known: bool
) -> None:
    """E35: an answer of git stands for the file, and no answer for none; also tried where git knows no reftable."""
    (tmp_path / "git").write_text(f"#!/bin/sh\ncase $1 in {says.format(id='1' * 40)};; esac\n")
    (tmp_path / "git").chmod(0o755)
    (grown.path / ".git" / "HEAD").write_text(STUB)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(grown.path)
    place = Place.of_hook({})

    assert (place.branch(), place.head()) == (("main", "1" * 40) if known else (None, None))
    assert place.replaying() is not known


def test_no_file_tells_and_no_git(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E35: where neither knows where HEAD is, that is git's failure, and nothing is made up."""
    (grown.path / ".git" / "HEAD").write_text(STUB)
    monkeypatch.chdir(grown.path)

    with pytest.raises(GitError, match="HEAD"):
        Place.of_hook({}).branch()


# How git comes to replay commits, or to merge, and stops in the middle.
STOPPED = {
    "rebase": ("rebase", "side"),
    "rebase --apply": ("rebase", "--apply", "side"),
    "rebase --interactive": ("-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "-i", "HEAD^"),
    "cherry-pick": ("cherry-pick", "side"),
    "cherry-pick of many": ("cherry-pick", "side^", "side"),
    "cherry-pick --no-commit": ("cherry-pick", "--no-commit", "side"),
    "revert": ("revert", "--no-edit", "HEAD^"),
    "revert --no-commit": ("revert", "--no-commit", "HEAD"),
    "am": ("am", "-q", "0002-side.patch"),
    "merge": ("merge", "side"),
    "merge --no-commit": ("merge", "--no-commit", "-s", "ours", "side"),
}
REPLAYING = [name for name in STOPPED if not name.startswith(("merge", "cherry-pick --no-commit"))]


@pytest.fixture
def stopped(grown: Repo, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Repo]:
    """Stop git in the middle of what STOPPED calls by this name."""

    def stop(name: str, repo: Repo = grown) -> Repo:
        repo("checkout", "-q", "-b", "side", "HEAD^")
        for text in ("side one", "side two"):
            (repo.path / "f").write_text(text)
            repo("commit", "-q", "-a", "-m", "side")
        repo("format-patch", "-q", "-2")
        repo("checkout", "-q", "main")
        (repo.path / "f").write_text("three")
        repo("commit", "-q", "-a", "-m", "three")
        repo.run(*STOPPED[name], ok=False)
        monkeypatch.chdir(repo.path)
        return repo

    return stop


@pytest.mark.parametrize("name", STOPPED)
def test_in_the_middle_with_reftable(
    stopped: Callable[[str, Repo], Repo], tabled: Repo, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """E23, E35: there CHERRY_PICK_HEAD and REVERT_HEAD are no files; commits of others are known all the same."""
    place = agreed(stopped(name, with_two_commits(tabled)), monkeypatch)

    assert (name in REPLAYING) == place.replaying()
    assert name.startswith(("rebase", "am")) == place.rebasing()
    assert name.startswith("merge") == place.merging()


@pytest.mark.parametrize("name", STOPPED)
def test_in_the_middle(stopped: Callable[[str], Repo], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """E23, E28: while git replays commits they may be somebody else's, and the hook knows; a merge is our own."""
    place = agreed(stopped(name), monkeypatch)

    assert (name in REPLAYING) == place.replaying()
    assert name.startswith(("rebase", "am")) == place.rebasing()
    assert name.startswith("merge") == place.merging()


@pytest.mark.parametrize(
    "name", ["rebase", "rebase --apply", "cherry-pick", "cherry-pick of many", "revert", "am", "merge"]
)
def test_after_giving_up(stopped: Callable[[str], Repo], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """When it is over, it is over: the next commit is the committer's own again."""
    repo = stopped(name)
    repo(name.split(maxsplit=1)[0], "--abort")
    place = agreed(repo, monkeypatch)

    assert (place.replaying(), place.merging()) == (False, False)


def test_in_the_middle_elsewhere(
    stopped: Callable[[str], Repo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E23: a rebase that is stuck in one work tree says nothing about the others."""
    stopped("rebase")("worktree", "add", "-q", str(tmp_path / "linked"))

    assert not agreed(Repo(tmp_path / "linked"), monkeypatch).replaying()


def test_from_a_folder_below(grown: Repo) -> None:
    """E06: a command may be run anywhere inside the work tree."""
    (grown.path / "a" / "b").mkdir(parents=True)
    place = Place.of_folder(Git(str(grown.path / "a" / "b")))

    assert (str(grown.path / ".git"), str(grown.path)) == (place.git_dir, place.top)
    assert grown.head() == place.head()


def test_from_a_linked_work_tree(grown: Repo, tmp_path: Path) -> None:
    """V10, C20: a command in a linked work tree finds the ledger of the clone."""
    grown("worktree", "add", "-q", str(tmp_path / "linked"))
    place = Place.of_folder(Git(str(tmp_path / "linked")))

    assert os.path.realpath(place.ledger) == str(grown.path / ".git" / "ampcommit" / "ledger.jsonl")
    assert str(tmp_path / "linked") == place.top


def test_from_a_bare_repository(grown: Repo, tmp_path: Path) -> None:
    """V05: a server has no work tree."""
    grown("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    place = Place.of_folder(Git(str(tmp_path / "bare")))

    assert str(tmp_path / "bare") == place.git_dir == place.top == place.common_dir


def test_from_a_folder_with_an_odd_name(repo: Repo, tmp_path: Path) -> None:
    """E15: a line feed at the end of a path belongs to the path."""
    odd = str(tmp_path / os.fsdecode(b"a b'\"\nc\xff\n"))
    repo("init", "-q", odd)
    place = Place.of_folder(Git(odd))

    assert (os.path.join(odd, ".git"), odd) == (place.git_dir, place.top)


def test_outside_of_a_repository(tmp_path: Path) -> None:
    """S06: where there is no repository, that is what is said."""
    with pytest.raises(SetupError, match="not a git repository") as caught:
        Place.of_folder(Git(str(tmp_path)))

    assert "inside a git repository" in caught.value.hint


def test_in_somebody_elses_repository(repo: Repo) -> None:
    """E40: git's refusal to work in another owner's repository is passed on."""
    theirs = {**os.environ, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}

    with pytest.raises(SetupError, match="dubious ownership"):
        Place.of_folder(Git(str(repo.path), theirs))


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        ("1.9.5", False),
        ("2.30.9", False),
        ("2.31", True),
        ("2.39.5 (Apple Git-154)", True),
        ("2.45.1.windows.1", True),
        ("3.0.0-rc1", True),
        ("next", True),
        ("", True),
    ],
)
def test_the_oldest_git(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, accepted: bool
) -> None:
    """With a git that is too old, commands say so; a version that cannot be read is given a chance."""
    real = shutil.which("git")
    script = (
        f'#!/bin/sh\nfor last; do :; done\n[ "$last" = version ] || exec {real} "$@"\necho "git version {version}"\n'
    )
    (tmp_path / "git").write_text(script)
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    if accepted:
        assert str(repo.path) == Place.of_folder(Git(str(repo.path))).top
    else:
        with pytest.raises(SetupError, match=f"git {version} is too old"):
            Place.of_folder(Git(str(repo.path)))


@relaxed
@given(st.binary(max_size=200), st.sampled_from(["HEAD", "packed-refs", "refs/heads/main", "commondir"]))
@example(b"ref: refs/heads/a\0b\n", "HEAD")
@example(b"ref: /etc/passwd\n", "HEAD")
@example(b"ref: refs/heads/" + b"x" * 400 + b"\n", "HEAD")
@example(b"\0\n", "commondir")
@example(b"0" * 5000, "HEAD")
def test_damaged_files_of_git_are_survived(tmp_path: Path, content: bytes, name: str) -> None:
    """Whatever stands in git's files, nothing is raised, and a commit is a commit id or unknown."""
    folder = tmp_path / "damaged"
    (folder / "refs" / "heads").mkdir(parents=True, exist_ok=True)
    (folder / "commondir").unlink(missing_ok=True)
    for usual in ("refs/heads/main", "packed-refs"):
        (folder / usual).write_bytes(b"")
    (folder / "HEAD").write_bytes(b"ref: refs/heads/main\n")
    (folder / name).write_bytes(content)
    place = Place(str(folder))

    assert place.head() is None or len(place.head() or "") in (40, 64)
    assert place.branch() is None or isinstance(place.branch(), str)


@pytest.mark.parametrize("target", ["n\0ul", "nowhere", "", ".git"])
def test_a_damaged_pointer_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """A `.git` file that leads nowhere, or to itself, leaves everything unknown."""
    (tmp_path / ".git").write_text(f"gitdir: {target}\n")
    monkeypatch.chdir(tmp_path)
    place = Place.of_hook({})

    assert (place.branch(), place.head(), place.replaying()) == (None, None, False)


def test_what_stands_beside_the_ledger_is_as_open_as_the_ledger(tmp_path: Path) -> None:
    """E39: without a ledger nothing is open to others."""
    place = Place(str(tmp_path))
    assert (place.amp, place.mode()) == (os.path.join(place.state, "amp"), 0o600)
    (tmp_path / "ampcommit").mkdir()
    (tmp_path / "ampcommit" / "ledger.jsonl").touch()
    os.chmod(place.ledger, 0o660)

    assert place.mode() == 0o660


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of any repository nothing is known, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    place = Place.of_hook({})

    assert (place.branch(), place.head(), place.replaying(), place.merging()) == (None, None, False, False)
    assert list(tmp_path.iterdir()) == []


def test_a_fifo_for_a_head(tmp_path: Path) -> None:
    """C13: a FIFO in the place of HEAD makes nobody wait."""
    os.mkfifo(tmp_path / "HEAD")

    assert Place(str(tmp_path)).head() is None
