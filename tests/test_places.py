"""The places and environments in which git runs our hooks: one life of a branch, lived in each of them."""

import os
import shlex
import shutil
import stat
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ampcommit import shim
from ampcommit.errors import InstallError
from ampcommit.gitcmd import Git, version
from ampcommit.verbs import install
from ampcommit.verbs.show import Shown, show
from tests.conftest import PARENT, Repo, Run, url
from tests.test_commits import REPLAYS, Workshop, put, records, rewrites, sh, sound

Enter = Callable[[str], None]

STRAIGHT = 'exec git "$@"'


class Spot(Repo):
    """
    A place where somebody works: git is started in *path*, with *before* in front of its command and with *env*.

    Files are put into *top*, and what is known is asked for in *asked*. `how` is the line of shell that runs git
    when something is done; to look at the outcome, git is always run plainly.
    """

    def __init__(
        self,
        path: Path,
        *before: str,
        top: Path | None = None,
        asked: Path | None = None,
        env: Mapping[str, str] | None = None,
        how: str = STRAIGHT,
    ) -> None:
        super().__init__(path)
        self.before = before
        self.top = top or path
        self.asked = asked or path
        self.env = dict(env or {})
        self.how = how

    def run(
        self, *args: str, ok: bool = True, env: Mapping[str, str] | None = None, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git as it is run here."""
        return super().run(*self.before, *args, ok=ok, env={**self.env, **(env or {})}, stdin=stdin)

    def do(self, *args: str) -> str:
        """Run git as it is run here, with all that is odd about this place; return what was said."""
        argv = ["sh", "-c", self.how, "sh", *self.before, *args]
        environ = {**os.environ, **self.env}
        done = subprocess.run(argv, cwd=self.path, env=environ, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return (done.stdout + done.stderr).decode(errors="replace")

    def put_in(self, name: str, *args: str) -> str:
        """Commit a new file; return what was said."""
        (self.top / name).write_text(f"{name}\n")
        return self.do("add", f":/{name}") + self.do("commit", "-q", *args)

    def made(self, name: str, *args: str) -> str:
        """Commit a new file without a word being said; return the id of the commit."""
        assert self.put_in(name, *args) == "", "quiet on success"
        return self.head()

    def known(self) -> Shown:
        """Return what `ampcommit show HEAD` knows here."""
        return show("HEAD", {**os.environ, **self.env}, str(self.asked))


def lived(spot: Spot) -> None:
    """Commit, amend, merge and rebase in this place; then everything is recorded, connected and known."""
    had = len(records(spot))
    trunk = spot("symbolic-ref", "--short", "HEAD")
    first = spot.made("base", "-m", "Begin the parser")
    begun = spot.made("more", "--amend", "-m", "Begin the small parser")
    spot.do("checkout", "-q", "-b", "topic")
    one, two = spot.made("one", "-m", "Add the scanner"), spot.made("two", "-m", "Add the printer")
    spot.do("checkout", "-q", "-b", "side", trunk)
    aside = spot.made("aside", "-m", "Add the reader")
    spot.do("checkout", "-q", trunk)
    assert spot.do("merge", "-q", "--no-ff", "--no-edit", "side") == ""
    merged = spot.head()
    assert spot.do("rebase", "-q", trunk, "topic") == ""
    moved = [spot.head("%P"), spot.head()]

    assert sound(spot)
    assert rewrites(spot)[-3:] == [
        (first, begun, "amend", "git"),
        (one, moved[0], "rebase", "git"),
        (two, moved[1], "rebase", "git"),
    ]
    recorded = {record["commit"]: record for record in records(spot)[had:]}
    branches = {first: trunk, begun: trunk, one: "topic", two: "topic", aside: "side", merged: trunk}
    assert set(recorded) == {*branches, *moved}
    for commit, branch in branches.items():
        seen = recorded[commit]
        assert (seen["branch"], seen["source"], seen["validated"]) == (branch, "env", True)
    assert recorded[merged]["parents"] == [begun, aside]
    assert {recorded[commit]["source"] for commit in moved} == {"message"}
    told_of(spot, moved[1], two)


def told_of(spot: Spot, commit: str, was: str) -> None:
    """Check what `show` knows of the *commit* at HEAD, which another one became."""
    known = spot.known()
    assert (known.commit, known.threads) == (commit, [PARENT])
    assert [told.old for told in known.rewritten] == [was]
    assert (known.source, known.validated) == ("env", False), "how its thread was found, not that its message was seen"


def made(path: Path, *options: str) -> Repo:
    """Make an empty repository."""
    subprocess.run(["git", "init", "-q", *options, "--", str(path)], check=True)
    return Repo(path)


def hooked(path: Path, *options: str) -> Repo:
    """Make an empty repository with the fast hooks."""
    repo = made(path, *options)
    install.install(str(path))
    return repo


def begun(repo: Repo) -> Repo:
    """Give the repository a first commit, of which nothing is recorded."""
    put(repo.path / "README", "Read me.\n", 0o644)
    repo("add", "README")
    repo("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "Begin")
    return repo


# Where the repository is, and where its git dir is.


def main_tree(tmp_path: Path) -> Spot:
    """An ordinary clone."""
    return Spot(hooked(tmp_path / "r").path)


def linked_tree(tmp_path: Path) -> Spot:
    """One of several work trees of a clone."""
    begun(hooked(tmp_path / "r"))("worktree", "add", "-q", "-b", "work", str(tmp_path / "wt"))
    return Spot(tmp_path / "wt")


def linked_tree_of_a_bare_clone(tmp_path: Path) -> Spot:
    """A clone that has no main work tree, as people make it for many work trees."""
    begun(made(tmp_path / "r"))("clone", "-q", "--bare", ".", str(tmp_path / "b"))
    install.install(str(tmp_path / "b"))
    Repo(tmp_path / "b")("worktree", "add", "-q", "-b", "work", str(tmp_path / "wt"))
    return Spot(tmp_path / "wt")


def submodule(tmp_path: Path) -> Spot:
    """Its git dir lies in that of the repository around it."""
    inner, outer = begun(made(tmp_path / "inner")), made(tmp_path / "outer")
    outer("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub")
    assert (outer.path / "sub" / ".git").is_file(), "its git dir is absorbed"
    install.install(str(outer.path / "sub"))
    return Spot(outer.path / "sub")


def linked_tree_of_a_submodule(tmp_path: Path) -> Spot:
    """Both at once."""
    spot = submodule(tmp_path)
    spot("worktree", "add", "-q", "-b", "work", str(tmp_path / "wt"))
    return Spot(tmp_path / "wt")


def separate_git_dir(tmp_path: Path) -> Spot:
    """Where `.git` is a file."""
    return Spot(hooked(tmp_path / "r", f"--separate-git-dir={tmp_path / 'elsewhere'}").path)


def bare_with_a_work_tree(tmp_path: Path) -> Spot:
    """Dotfiles: a bare repository beside the files."""
    hooked(tmp_path / "b", "--bare")
    (tmp_path / "w").mkdir()
    return Spot(tmp_path, "--git-dir=b", "--work-tree=w", top=tmp_path / "w", asked=tmp_path / "b")


def symbolic_link(tmp_path: Path) -> Spot:
    """A path that is not the real one."""
    (tmp_path / "link").symlink_to(hooked(tmp_path / "r").path)
    return Spot(tmp_path / "link")


# How git is told where it is.


def subdirectory(tmp_path: Path) -> Spot:
    """Below the top."""
    repo = hooked(tmp_path / "r")
    (repo.path / "sub").mkdir()
    return Spot(repo.path / "sub", top=repo.path)


def dash_c(tmp_path: Path) -> Spot:
    """From another folder."""
    spot = subdirectory(tmp_path)
    return Spot(tmp_path, "-C", "r/sub", top=spot.top, asked=spot.path)


def relative_git_dir(tmp_path: Path) -> Spot:
    """As options."""
    repo = hooked(tmp_path / "r")
    return Spot(tmp_path, "--git-dir=r/.git", "--work-tree=r", top=repo.path, asked=repo.path)


def variables(tmp_path: Path) -> Spot:
    """As variables, while the current folder is no part of the repository."""
    repo = hooked(tmp_path / "r")
    (tmp_path / "elsewhere").mkdir()
    env = {"GIT_DIR": str(repo.path / ".git"), "GIT_WORK_TREE": str(repo.path)}
    return Spot(tmp_path / "elsewhere", top=repo.path, env=env)


def relative_variables(tmp_path: Path) -> Spot:
    """As variables that are relative."""
    repo = hooked(tmp_path / "r")
    return Spot(tmp_path, top=repo.path, env={"GIT_DIR": "r/.git", "GIT_WORK_TREE": "r"})


def another_index(tmp_path: Path) -> Spot:
    """A script that works on an index of its own."""
    return Spot(hooked(tmp_path / "r").path, env={"GIT_INDEX_FILE": str(tmp_path / "another index")})


# Where git looks for hooks.


def command_on_path(tmp_path: Path) -> dict[str, str]:
    """Put the command `ampcommit` on PATH; return the environment with it."""
    start = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m ampcommit "$@"\n'
    return {"PATH": f"{put(tmp_path / 'bin' / 'ampcommit', start).parent}:{os.environ['PATH']}"}


def portable_hooks(folder: Path) -> Path:
    """Put the portable scripts into *folder*."""
    for name in shim.HOOKS:
        put(folder / name, shim.portable(name))
    return folder


def relative_hooks_path(tmp_path: Path) -> Spot:
    """Committed in the repository, and so there in each work tree."""
    repo = made(tmp_path / "r")
    portable_hooks(repo.path / ".githooks")
    repo("add", ".")
    begun(repo)("config", "core.hooksPath", ".githooks")
    repo("worktree", "add", "-q", "-b", "work", str(tmp_path / "wt"))
    return Spot(tmp_path / "wt", env=command_on_path(tmp_path))


def absolute_hooks_path(tmp_path: Path) -> Spot:
    """A team's folder."""
    repo = made(tmp_path / "r")
    repo("config", "core.hooksPath", str(portable_hooks(tmp_path / "the team's hooks")))
    return Spot(repo.path, env=command_on_path(tmp_path))


def global_hooks_path(tmp_path: Path) -> Spot:
    """One folder for all clones of a person."""
    portable_hooks(Path.home() / "my hooks")
    repo = made(tmp_path / "r")
    repo("config", "--global", "core.hooksPath", "~/my hooks")
    return Spot(repo.path, env=command_on_path(tmp_path))


def hooks_path_of_one_work_tree(tmp_path: Path) -> Spot:
    """With `extensions.worktreeConfig` each work tree may have a hooks path of its own."""
    repo = begun(made(tmp_path / "r"))
    repo("config", "extensions.worktreeConfig", "true")
    repo("worktree", "add", "-q", "-b", "work", str(tmp_path / "wt"))
    hooks = portable_hooks(tmp_path / "hooks")
    Repo(tmp_path / "wt")("config", "--worktree", "core.hooksPath", str(hooks))
    return Spot(tmp_path / "wt", env=command_on_path(tmp_path))


# What kind of repository it is.


def sha256(tmp_path: Path) -> Spot:
    """Ids of 64 digits."""
    return Spot(hooked(tmp_path / "r", "--object-format=sha256").path)


def needs_reftable(tmp_path: Path) -> None:
    """Skip where git does not know the reftable format."""
    argv = ["git", "init", "-q", "--ref-format=reftable", str(tmp_path / "try")]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("this git has no reftable: it came with 2.45")


def reftable(tmp_path: Path) -> Spot:
    """Refs that are no files."""
    needs_reftable(tmp_path)
    return Spot(hooked(tmp_path / "r", "--ref-format=reftable").path)


def linked_tree_with_reftable(tmp_path: Path) -> Spot:
    """A HEAD of its own that is no file."""
    needs_reftable(tmp_path)
    repo = begun(hooked(tmp_path / "r", "--ref-format=reftable"))
    repo("worktree", "add", "-q", "-b", "work", str(tmp_path / "wt"))
    return Spot(tmp_path / "wt")


def shallow_clone(tmp_path: Path) -> Spot:
    """A clone whose first commit lacks its parents."""
    origin = begun(made(tmp_path / "origin"))
    origin.commit("-q", "-m", "Go on")
    origin("clone", "-q", "--depth=1", f"file://{origin.path}", str(tmp_path / "r"))
    install.install(str(tmp_path / "r"))
    return Spot(tmp_path / "r")


def partial_clone(tmp_path: Path, lacking: str = "blob:none") -> Spot:
    """A clone that lacks what is in older commits, and whose origin is gone: nothing can be fetched."""
    origin = begun(made(tmp_path / "origin"))
    origin("config", "uploadpack.allowFilter", "true")
    for text in ("one", "two"):
        put(origin.path / "README", text, 0o644)
        origin("commit", "-q", "-a", "-m", text)
    origin("clone", "-q", f"--filter={lacking}", f"file://{origin.path}", str(tmp_path / "r"))
    (tmp_path / "origin").rename(tmp_path / "gone")
    install.install(str(tmp_path / "r"))
    return Spot(tmp_path / "r")


def treeless_clone(tmp_path: Path) -> Spot:
    """A clone that lacks even the trees of older commits."""
    return partial_clone(tmp_path, "tree:0")


def sparse_index(tmp_path: Path) -> Spot:
    """An index in which a folder is one entry."""
    repo = begun(hooked(tmp_path / "r"))
    for name in ("in", "out"):
        put(repo.path / name / "deep" / "file", name, 0o644)
    repo("add", ".")
    repo("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "Add folders")
    if repo.run("sparse-checkout", "init", "--cone", "--sparse-index", ok=False).returncode:
        pytest.skip("this git has no sparse index: it came with 2.32")
    repo("sparse-checkout", "set", "in")
    assert "out/" in repo("ls-files", "--sparse").splitlines() or not (repo.path / "out").exists()
    return Spot(repo.path)


def many_files(tmp_path: Path) -> Spot:
    """What `feature.manyFiles` makes of the index: version 4, without a hash of its own."""
    repo = hooked(tmp_path / "r")
    repo("config", "feature.manyFiles", "true")
    return Spot(repo.path)


def split_index(tmp_path: Path) -> Spot:
    """An index in two files."""
    repo = hooked(tmp_path / "r")
    repo("config", "core.splitIndex", "true")
    return Spot(repo.path)


def hooks_from_a_template(tmp_path: Path) -> Spot:
    """`init.templateDir` with our hooks in it: each new clone has them from the start, without `install`."""
    for name in shim.HOOKS:
        script = shim.fast(name, install.interpreter(), install.package())
        put(tmp_path / "template" / "hooks" / name, script)
    Repo(tmp_path)("config", "--global", "init.templateDir", str(tmp_path / "template"))
    return Spot(made(tmp_path / "r").path)


def trusted_owner(tmp_path: Path) -> Spot:
    """A repository of somebody else, which this person has told git to trust."""
    repo = hooked(tmp_path / "r")
    repo("config", "--global", "safe.directory", str(repo.path))
    return Spot(repo.path, env={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})


# What surrounds git.


def poor(path: Path, *variables: str) -> Spot:
    """Run git with next to nothing in the environment: *variables*, who commits, and which thread is at work."""
    who = [f"GIT_{role}_{what}=t@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    at_work = ["AGENT=amp", f"AMP_CURRENT_THREAD_ID={PARENT}"]
    git = shutil.which("git") or "git"
    return Spot(path, how=f'exec env -i {shlex.join([*at_work, *who, *variables, git])} "$@"')


def no_home(tmp_path: Path) -> Spot:
    """A service account."""
    return poor(hooked(tmp_path / "r").path, f"PATH={os.environ['PATH']}", "LC_ALL=C")


def missing_home(tmp_path: Path) -> Spot:
    """A home that is not there, a locale that nobody has."""
    return poor(hooked(tmp_path / "r").path, f"PATH={os.environ['PATH']}", "HOME=/nonexistent", "LC_ALL=xx.no-such")


def gui_client(tmp_path: Path) -> Spot:
    """A program that was not started from a shell."""
    return poor(hooked(tmp_path / "r").path, "PATH=/usr/bin:/bin", f"HOME={Path.home()}")


def closed_streams(tmp_path: Path) -> Spot:
    """A daemon that closed its streams."""
    return Spot(hooked(tmp_path / "r").path, how=f"{STRAIGHT} <&- >&- 2>&-")


def full_streams(tmp_path: Path) -> Spot:
    """A log on a full disk."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    return Spot(hooked(tmp_path / "r").path, how=f"{STRAIGHT} </dev/null >/dev/full 2>/dev/full")


# Hooks in git's configuration.


def needs_config_hooks() -> None:
    """Skip where git knows hooks only as files."""
    if version(Git()) < (2, 54):
        pytest.skip("this git has no hooks in its configuration: they came with 2.54")


def config_hooks(tmp_path: Path) -> Spot:
    """Scripts that git's configuration names."""
    needs_config_hooks()
    repo, scripts = made(tmp_path / "r"), portable_hooks(tmp_path / "the scripts")
    for name in shim.HOOKS:
        repo("config", f"hook.ampcommit-{name}.event", name)
        repo("config", f"hook.ampcommit-{name}.command", shlex.quote(str(scripts / name)))
    return Spot(repo.path, env=command_on_path(tmp_path))


def config_hooks_and_files(tmp_path: Path) -> Spot:
    """Whoever sets up both ways has every hook run twice."""
    spot = config_hooks(tmp_path)
    for name in shim.HOOKS:
        put(spot.path / ".git" / "hooks" / name, shim.fast(name, install.interpreter(), install.package()))
    return spot


PLACES = {
    "E01 main work tree": main_tree,
    "E03 linked work tree": linked_tree,
    "E03 linked work tree of a bare clone": linked_tree_of_a_bare_clone,
    "E04 submodule": submodule,
    "E04 linked work tree of a submodule": linked_tree_of_a_submodule,
    "E04 separate git dir": separate_git_dir,
    "E05 bare with a work tree": bare_with_a_work_tree,
    "symbolic link": symbolic_link,
    "E06 subdirectory": subdirectory,
    "E06 git -C": dash_c,
    "E06 relative --git-dir": relative_git_dir,
    "E06 GIT_DIR": variables,
    "E06 relative GIT_DIR": relative_variables,
    "E02 GIT_INDEX_FILE": another_index,
    "E12 relative hooksPath": relative_hooks_path,
    "E12 absolute hooksPath": absolute_hooks_path,
    "E12 global hooksPath with a tilde": global_hooks_path,
    "E12 hooksPath of one work tree": hooks_path_of_one_work_tree,
    "E35 sha256": sha256,
    "E35 reftable": reftable,
    "E35 linked work tree with reftable": linked_tree_with_reftable,
    "E35 sparse index": sparse_index,
    "many files": many_files,
    "split index": split_index,
    "E36 shallow clone": shallow_clone,
    "E36 partial clone": partial_clone,
    "E36 clone without trees": treeless_clone,
    "E40 trusted repository of another owner": trusted_owner,
    "E41 hooks from a template": hooks_from_a_template,
    "E16 no HOME": no_home,
    "E16 missing HOME": missing_home,
    "E18 GUI client": gui_client,
    "E44 hooks in the configuration": config_hooks,
    "E44 hooks in the configuration and files": config_hooks_and_files,
    "E16 closed streams": closed_streams,
    "E16 full streams": full_streams,
}


@pytest.mark.parametrize("build", PLACES.values(), ids=PLACES)
def test_a_branch_lives_anywhere(agent: Enter, tmp_path: Path, build: Callable[[Path], Spot]) -> None:
    """Wherever git is run, and however, every commit is recorded once and connected to what it was made from."""
    spot = build(tmp_path)
    agent(PARENT)
    lived(spot)


def test_the_last_commit_of_a_shallow_clone_can_be_amended(agent: Enter, tmp_path: Path) -> None:
    """E36: though its parents are not here, what it became is recorded, and connected to it."""
    origin = begun(made(tmp_path / "origin"))
    origin.commit("-q", "-m", "Begin the parser", "-m", f"Amp-Thread-ID: {url(PARENT)}")
    origin("clone", "-q", "--depth=1", f"file://{origin.path}", str(tmp_path / "r"))
    install.install(str(tmp_path / "r"))
    spot = Spot(tmp_path / "r")
    agent(PARENT)
    old = spot.head()
    new = spot.made("more", "--amend", "--no-edit")

    assert (sound(spot) or {})["validated"]
    assert rewrites(spot) == [(old, new, "amend", "git")]


PATHS = {
    "blank": b"a b",
    "apostrophe": b"it's",
    "quotation mark": b'"q"',
    "line feed": b"new\nline",
    "line feed at the end": b"end\n",
    "shell": b"$(touch owned)`touch owned`;touch owned",
    "dash": b"-n",
    "percent and star": b"%s * %d",
    "backslash": b"a\\nb",
    "UTF-8": "\u65e5\u672c".encode(),
    "no UTF-8": b"caf\xe9",
}


@pytest.mark.parametrize("name", PATHS.values(), ids=PATHS)
def test_a_branch_lives_in_a_folder_of_any_name(agent: Enter, tmp_path: Path, name: bytes) -> None:
    """E15: whatever the folders of the repository and of a linked work tree are called, all hooks do their work."""
    main = tmp_path / os.fsdecode(name)
    try:
        main.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    repo = begun(hooked(main))
    tree = tmp_path / "trees" / os.fsdecode(name)
    repo("worktree", "add", "-q", "-b", "work", str(tree))
    agent(PARENT)
    lived(Spot(tree))

    assert not list(tmp_path.rglob("owned"))


# Refs that are no files.

REVERTED = "git checkout -q topic; echo more >>one; git commit -q -n -a --amend --no-edit"
REVERTED += "; git revert --no-edit HEAD~1 && exit 1; git rm -q one; git commit -q --no-edit"
STRANGERS = ["F08 rebase", "E24 reword", "F11 cherry-pick", "cherry-pick conflict and commit", "conflict and commit"]


@pytest.mark.parametrize("name", [*STRANGERS, "cherry-pick conflict and --continue", "revert conflict and commit"])
def test_other_peoples_commits_get_no_link_where_refs_are_no_files(agent: Enter, tmp_path: Path, name: str) -> None:
    """E35, E23: with reftable CHERRY_PICK_HEAD is no file either; what git replays is not given the thread at work."""
    workshop = Workshop.of(reftable(tmp_path), None)
    agent(PARENT)
    workshop.play(REPLAYS.get(name, REVERTED))

    assert (workshop.threads(), records(workshop.repo)) == ([], [])


# What is known where no hook ran, or could run.

PAST = {
    "E20 --no-verify": "git commit -n",
    "E20 no hooks": "git -c core.hooksPath=/dev/null commit",
    "E20 not executable": "chmod -x .git/hooks/*; git commit",
    "E12 nowhere": "git config core.hooksPath /dev/null; git commit",
    "E13 no such folder": "git config core.hooksPath .githooks; git commit",
    "E21 commit-tree": 'f() { shift 2; git update-ref HEAD $(git commit-tree -p HEAD "$@" HEAD^{tree}); }; f',
}


@pytest.mark.parametrize("how", PAST.values(), ids=PAST)
def test_what_went_past_the_hooks_is_judged_by_its_content(installed: Repo, run: Run, how: str) -> None:
    """E20, E21: `verify` finds a missing link, however the hooks were got round, and a good one is as good as any."""
    installed("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "Begin the parser")
    made = []
    for link in ([], ["-m", f"Amp-Thread-ID: {url(PARENT)}"]):
        words = shlex.join(["-q", "--allow-empty", "-m", "Add the parser", *link])
        assert sh(installed, f"{how} {words}").returncode == 0
        made.append(installed.head())
    done = run("verify", "HEAD~2..HEAD", "--json")

    assert (done.status, done.judged) == (1, dict(zip(made, ["fail", "pass"], strict=True)))


def test_a_relative_hooks_path_is_another_one_in_each_work_tree(tmp_path: Path) -> None:
    """E13: where a linked work tree lacks the folder git runs no hook, without a word; `status` there says so."""
    repo = begun(made(tmp_path / "r"))
    portable_hooks(repo.path / ".githooks")
    repo("config", "core.hooksPath", ".githooks")
    repo("worktree", "add", "-q", str(tmp_path / "wt"))
    tree = Repo(tmp_path / "wt")

    assert tree.commit("-q", "-m", "Add the parser").stderr == b""
    assert install.status(str(repo.path)).works
    there = install.status(str(tree.path))
    assert not there.works
    assert {hook.state for hook in there.hooks} == {"absent"}
    with pytest.raises(InstallError, match=r"hooks in .*/wt/\.githooks"):
        install.install(str(tree.path))


def test_hooks_in_the_configuration_are_known_and_not_installed_twice(tmp_path: Path) -> None:
    """E44: who set hooks up in git's configuration is told that they are there, and gets no second ones."""
    spot = config_hooks(tmp_path)
    before = sorted(os.listdir(spot.path / ".git" / "hooks"))

    assert {hook.state for hook in install.status(str(spot.path)).hooks} == {"by hand"}
    assert install.install(str(spot.path)).works
    assert sorted(os.listdir(spot.path / ".git" / "hooks")) == before
    spot("config", "hook.ampcommit-commit-msg.enabled", "false")
    assert install.status(str(spot.path)).hooks[0].state == "absent"


# The interpreter and the package that the hooks need.


def dead(spot: Spot, *words: str) -> None:
    """Commit, amend, merge and rebase where the hooks cannot work: each says so in two lines, and git goes on."""
    trunk = spot("symbolic-ref", "--short", "HEAD")
    heard(spot.put_in("early", "-m", "Begin the parser"), *words)
    heard(spot.put_in("later", "--amend", "-m", "Begin the small parser"), *words)
    spot.do("checkout", "-q", "-b", "apart")
    heard(spot.put_in("apart", "-m", "Add the scanner"), *words)
    spot.do("checkout", "-q", trunk)
    heard(spot.do("merge", "-q", "--no-ff", "--no-edit", "apart"), *words)
    heard(spot.put_in("last", "-m", "Add the printer"), *words)
    heard(spot.do("rebase", "-q", "--onto", "HEAD~2", "HEAD~1"), *words)

    assert spot("log", "-2", "--format=%s") == "Add the printer\nBegin the small parser"


def heard(said: str, *words: str) -> None:
    """Check that hooks which failed for the reason in one of *words* said so, and what becomes of the commit."""
    lines = said.splitlines()
    assert lines, "a dead hook is never silent"
    assert all(line.startswith("error: ") and any(word in line for word in words) for line in lines[::2]), said
    assert all(line.startswith(" hint: ") for line in lines[1::2]), said
    assert len(lines) % 2 == 0


@pytest.mark.parametrize("becomes", ["moved", "deleted"])
def test_a_virtual_environment_may_go(agent: Enter, tmp_path: Path, becomes: str) -> None:
    """E19: without the environment that holds ampcommit people commit on, are told, and install from another one."""
    venv.create(tmp_path / "venv", symlinks=True)
    [site] = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    shutil.copytree(Path(install.package()) / "ampcommit", site / "ampcommit")
    spot = Spot(begun(made(tmp_path / "r")).path)
    code = "from ampcommit.verbs.install import install; install()"
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-I", "-c", code], cwd=spot.path, check=True)
    agent(PARENT)
    lived(spot)
    (tmp_path / "venv").rename(tmp_path / "elsewhere")
    if becomes == "deleted":
        shutil.rmtree(tmp_path / "elsewhere")

    assert {hook.state for hook in install.status(str(spot.path)).hooks} == {"broken"}
    dead(spot, "ampcommit cannot start")
    assert install.install(str(spot.path)).works
    spot("checkout", "-q", "-b", "afterwards")
    assert spot.made("after", "-m", "Add the writer") == records(spot)[-1]["commit"]


def pythons() -> dict[tuple[int, int], str]:
    """Return other interpreters of this machine: those on PATH, and those that lie beside this one."""
    on_path = filter(None, (shutil.which(f"python3.{minor}") for minor in range(6, 20)))
    beside = Path(sys.base_prefix).parent.glob("*/bin/python3")
    found = {}
    for python in [*on_path, *map(str, beside)]:
        argv = [python, "-I", "-c", "import sys; print(*sys.version_info[:2], sys.executable)"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor, path = done.stdout.rstrip("\n").split(" ", 2)
            found[int(major), int(minor)] = path
    found.pop(sys.version_info[:2], None)
    return found


def upgraded(tmp_path: Path, python: str) -> Spot:
    """Make a clone whose hooks find another Python under the path that they know."""
    (tmp_path / "python").symlink_to(python)
    repo = made(tmp_path / "r")
    for name in shim.HOOKS:
        put(repo.path / ".git" / "hooks" / name, shim.fast(name, str(tmp_path / "python"), install.package()))
    return Spot(repo.path)


def test_another_python_under_the_same_path_will_do(agent: Enter, tmp_path: Path) -> None:
    """E19: an upgrade puts another Python where the one at install was, and a package for one serves another."""
    newer = [python for number, python in pythons().items() if number >= (3, 11)]
    if not newer:
        pytest.skip("there is no other Python here, of 3.11 or newer")
    spot = upgraded(tmp_path, newer[-1])
    agent(PARENT)
    lived(spot)


def test_a_python_that_is_too_old_says_so(agent: Enter, tmp_path: Path) -> None:
    """E19: under a Python that does not understand us commits are made, and it is said."""
    older = [python for number, python in pythons().items() if number < (3, 8)]
    if not older:
        pytest.skip("there is no Python here that is older than 3.8")
    spot = upgraded(tmp_path, older[0])
    begun(spot)
    agent(PARENT)
    dead(spot, "ampcommit cannot start")


# Where nothing can be written.


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Let nobody write in *folder*, not even root."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.lstat().st_mode for path in paths if not path.is_symlink()}
    if os.geteuid() == 0:
        tried = ["sh", "-c", 'chattr +i "$1"', "sh", str(folder)]
        if subprocess.run(tried, capture_output=True, check=False).returncode:
            pytest.skip("root can write anywhere, and this file system has no chattr")
    changed = ["chattr", "-R", "+i", str(folder)] if os.geteuid() == 0 else ["chmod", "-R", "a-w", str(folder)]
    subprocess.run(changed, capture_output=True, check=True)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-R", "-i", str(folder)], check=True)
        for path, mode in modes.items():
            path.chmod(stat.S_IMODE(mode))


def test_where_our_folder_cannot_be_written_git_goes_on(agent: Enter, tmp_path: Path) -> None:
    """E37: each hook says in two lines that nothing was recorded, and the ledger is as it was."""
    spot = main_tree(tmp_path)
    agent(PARENT)
    lived(spot)
    ledger = spot.path / ".git" / "ampcommit" / "ledger.jsonl"
    before = ledger.read_bytes()
    with frozen(ledger.parent):
        dead(spot, "ermitted", "ermission")

    assert ledger.read_bytes() == before
    assert sound(spot) is None


ASKING = {
    "show": ["show", "HEAD"],
    "status": ["status"],
    "current": ["current"],
    "chain": ["chain", "HEAD"],
    "list": ["ledger", "list"],
    "check": ["ledger", "check"],
    "verify": ["verify", "HEAD~1..HEAD"],
}


@pytest.mark.parametrize("args", ASKING.values(), ids=ASKING)
def test_a_read_only_checkout_can_be_asked(agent: Enter, installed: Repo, run: Run, args: list[str]) -> None:
    """E37: who only looks needs no permission to write, and leaves nothing behind."""
    agent(PARENT)
    lived(Spot(installed.path))
    with frozen(installed.path):
        asked = run(*args)

    assert (asked.status, "error" in asked.err) == (0, False)


FULL = {
    "no room": 'cat /dev/zero >"$1/filled" 2>/dev/null || :',
    "no inodes": 'n=0; while { true >"$1/filled$n"; } 2>/dev/null; do n=$((n + 1)); done',
}
ON_A_FULL_DISK = """
mount -t tmpfs -o size=64k,nr_inodes=32,mode=700 none "$1" || exit 99
cp -p "$2"/* "$1" && {fill}
git commit -q --allow-empty -m 'Add the writer' && git commit -q --allow-empty --amend -m 'Add the small writer'
made=$?
cat "$1/ledger.jsonl" >"$3"
exit $made
"""


@pytest.mark.parametrize("fill", FULL.values(), ids=FULL)
def test_a_disk_that_is_really_full(agent: Enter, tmp_path: Path, fill: str) -> None:
    """E38: on a disk without room, or without inodes, commits are made, it is said, and no record is lost."""
    spot = main_tree(tmp_path)
    agent(PARENT)
    lived(spot)
    state = spot.path / ".git" / "ampcommit"
    shutil.copytree(state, tmp_path / "kept")
    before = (state / "ledger.jsonl").read_bytes()
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    argv = [*alone, "sh", "-c", ON_A_FULL_DISK.format(fill=fill), "sh", str(state), str(tmp_path / "kept")]
    try:
        done = subprocess.run([*argv, str(tmp_path / "after")], cwd=spot.path, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no unshare")
    if not (tmp_path / "after").exists():
        pytest.skip("here nobody may mount a file system of their own")
    after = (tmp_path / "after").read_bytes()

    assert done.returncode == 0, done.stderr
    assert spot.head("%s") == "Add the small writer"
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert after.startswith(before)
    assert after.endswith(b"}\n")


# Whose the repository is, and what was in it from the start.


def test_a_repository_of_somebody_else_is_left_to_git(
    installed: Repo, run: Run, sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E40: git's refusal is passed on with what to do about it, and nobody is made to trust anything."""
    before = (sealed / ".gitconfig").read_bytes(), (installed.path / ".git" / "config").read_bytes()
    if os.geteuid() == 0:
        shutil.chown(installed.path, 12345)
        shutil.chown(installed.path / ".git", 12345)
    else:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    for args in [["install"], ["uninstall"], *ASKING.values()]:
        refused = run(*args)
        assert (refused.status, "dubious ownership" in refused.err) == (3, True), args
        assert "safe.directory" in refused.err

    assert before == ((sealed / ".gitconfig").read_bytes(), (installed.path / ".git" / "config").read_bytes())


def test_hooks_of_a_template_run_before_ours(agent: Enter, tmp_path: Path) -> None:
    """E41: what `init.templateDir` put into a new clone goes on running, for each hook that we have."""
    for name in shim.HOOKS:
        put(tmp_path / "template" / "hooks" / name, f'#!/bin/sh\necho {name} >>"{tmp_path}/ran"\n')
    Repo(tmp_path)("config", "--global", "init.templateDir", str(tmp_path / "template"))
    spot = main_tree(tmp_path)
    agent(PARENT)
    lived(spot)

    assert set((tmp_path / "ran").read_text().split()) == set(shim.HOOKS)


def test_nothing_hostile_is_imported_by_any_hook(agent: Enter, tmp_path: Path) -> None:
    """E17: what lies in the work tree, or where PYTHON* variables point, is not ours and is not run."""
    spot = main_tree(tmp_path)
    evil, marker = tmp_path / "evil", tmp_path / "owned"
    for folder in (evil, spot.path):
        for name in ("json", "os", "re", "select", "fcntl", "time", "ampcommit", "sitecustomize", "hashlib"):
            put(folder / f"{name}.py", f"open({str(marker)!r}, 'w')\n", 0o644)
    spot("add", ".")
    spot.env = {name: str(evil) for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")}
    spot.env |= {"PYTHONSTARTUP": str(evil / "os.py"), "PYTHONWARNINGS": "error", "PYTHONINSPECT": "1"}
    agent(PARENT)
    lived(spot)

    assert not marker.exists()


HEREDOC = """
mkdir "$1" && mount -t tmpfs -o size=4k none "$1" || exit 99
cat /dev/zero >"$1/filled" 2>/dev/null
BASH_COMPAT=5.0 TMPDIR="$1" git commit -q --allow-empty -m 'Add the parser'
"""


def test_a_shell_without_room_for_its_temporary_files(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """E38: bash before 5.1, the sh of macOS, keeps here-documents in files; without room for them commits are made."""
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("there is no bash here")
    for name in shim.HOOKS:
        script = shim.fast(name, install.interpreter(), install.package())
        put(installed.path / ".git" / "hooks" / name, script.replace("/bin/sh", bash, 1))
    agent(PARENT)
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    argv = [*alone, "sh", "-c", HEREDOC, "sh", str(tmp_path / "full")]
    done = subprocess.run(argv, cwd=installed.path, capture_output=True, check=False)
    if done.returncode == 99:
        pytest.skip("here nobody may mount a file system of their own")

    assert done.returncode == 0, done.stderr
    assert sound(installed)


def test_no_hook_fetches_what_a_partial_clone_lacks(tmp_path: Path) -> None:
    """E36, N12: whether a reverted commit exists is asked of this clone alone."""
    origin = begun(made(tmp_path / "origin"))
    origin("config", "uploadpack.allowFilter", "true")
    origin("config", "uploadpack.allowAnySHA1InWant", "true")
    lacking = origin.head()
    origin("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "Go on")
    origin("clone", "-q", "--depth=1", "--filter=tree:0", f"file://{origin.path}", str(tmp_path / "r"))
    repo = Repo(tmp_path / "r")
    install.install(str(repo.path))
    repo("config", "ampcommit.exempt", "revert")
    repo("config", "ampcommit.mode", "warn")
    env = {"GIT_TRACE": str(tmp_path / "trace")}
    repo.commit("-q", "-m", 'Revert "Begin"', "-m", f"This reverts commit {lacking}.", env=env)

    assert "upload-pack" not in (tmp_path / "trace").read_text()


def test_a_relative_hooks_path_inside_the_git_dir_is_none_of_a_linked_work_tree(tmp_path: Path) -> None:
    """E13: there `.git` is a file, and git runs no hook; install and status say so instead of failing."""
    repo = begun(made(tmp_path / "r"))
    repo("config", "core.hooksPath", ".git/own")
    repo("worktree", "add", "-q", str(tmp_path / "wt"))
    assert {hook.state for hook in install.status(str(tmp_path / "wt")).hooks} == {"absent"}
    with pytest.raises(InstallError, match="own"):
        install.install(str(tmp_path / "wt"))
