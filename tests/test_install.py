"""Hooks in, hooks out: reversible, harmless to what others put there, refused where it cannot work."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

import ampcommit
from ampcommit import shim
from ampcommit.errors import InstallError, SetupError
from ampcommit.setup.recipes import LINES, Elsewhere
from ampcommit.verbs.install import install, interpreter, package, status, uninstall
from tests.conftest import PARENT, Repo, url

Enter = Callable[[str], None]
Snapshot = dict[str, tuple[int, bytes]]

FOREIGN = b"#!/bin/sh\n# caf\xe9, not UTF-8\necho foreign >>.git/ran\n"


def snapshot(folder: Path) -> Snapshot:
    """Return everything below *folder*: name, mode, and content or target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (seen.st_mode, content)
    return found


def hook(repo: Repo, name: str = "commit-msg") -> Path:
    """Return where git looks for a hook."""
    return repo.path / ".git" / "hooks" / name


def put(path: Path, content: bytes = FOREIGN, mode: int = 0o755) -> Path:
    """Write a hook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def states(folder: Path | str) -> list[str]:
    """Return the state of each hook."""
    return [found.state for found in status(str(folder)).hooks]


def refused(repo: Repo, error: type[SetupError] = InstallError) -> SetupError:
    """Try to install where that is refused, with nothing written anywhere."""
    before = snapshot(repo.path.parent)
    with pytest.raises(error) as caught:
        install(str(repo.path))
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert before == snapshot(repo.path.parent)
    return caught.value


# In and out.


def test_install_puts_all_hooks_in_place(repo: Repo) -> None:
    """After one command the clone has what it needs, and says so."""
    setup = install(str(repo.path))

    assert setup.works
    assert [found.state for found in setup.hooks] == ["installed"] * 4
    assert [found.name for found in setup.hooks] == ["commit-msg", "post-commit", "post-merge", "post-rewrite"]
    assert os.access(hook(repo), os.X_OK)


def test_the_ledger_is_there_from_the_start(repo: Repo) -> None:
    """The folder of the ledger is the owner's alone."""
    install(str(repo.path))
    folder = repo.path / ".git" / "ampcommit"

    assert (stat.S_IMODE(folder.stat().st_mode), (folder / "ledger.jsonl").stat().st_size) == (0o700, 0)


def test_no_policy_is_written(repo: Repo) -> None:
    """What a team demands is for the team to write down."""
    install(str(repo.path))

    assert repo("status", "--porcelain") == ""


def test_out_again_is_as_before(repo: Repo) -> None:
    """After uninstall nothing of ours is left but the ledger."""
    before = snapshot(repo.path)
    install(str(repo.path))
    setup = uninstall(str(repo.path))
    after = {name: value for name, value in snapshot(repo.path).items() if not name.startswith(".git/ampcommit")}

    assert before == after
    assert [found.state for found in setup.hooks] == ["absent"] * 4
    assert (repo.path / ".git" / "ampcommit" / "ledger.jsonl").exists()


def test_installing_thrice_is_installing_once(repo: Repo) -> None:
    """The second and third time change nothing, and no hook of ours becomes an earlier one (E10)."""
    put(hook(repo))
    install(str(repo.path))
    before = snapshot(repo.path)
    install(str(repo.path))
    install(str(repo.path))

    assert before == snapshot(repo.path)


def test_uninstalling_where_nothing_is_does_nothing(repo: Repo) -> None:
    """Uninstall can be run at any time."""
    before = snapshot(repo.path)
    uninstall(str(repo.path))

    assert before == snapshot(repo.path)


def test_status_changes_nothing(repo: Repo) -> None:
    """Looking is free."""
    put(hook(repo))
    before = snapshot(repo.path)

    assert states(repo.path) == ["foreign", "absent", "absent", "absent"]
    assert before == snapshot(repo.path)


def test_a_missing_hooks_folder_is_made(repo: Repo, agent: Enter) -> None:
    """Some templates come without one (E11)."""
    shutil.rmtree(repo.path / ".git" / "hooks", ignore_errors=True)
    install(str(repo.path))
    agent(PARENT)
    repo.commit("-q", "-m", "Add the parser")

    assert repo.links() == [url(PARENT)]


# What was there before.


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o644, 0o555])
def test_an_earlier_hook_comes_back_byte_for_byte(repo: Repo, mode: int) -> None:
    """What was there before is there again afterwards, with its mode (E09)."""
    put(hook(repo), mode=mode)
    before = snapshot(repo.path)
    install(str(repo.path))
    assert hook(repo, f"commit-msg{shim.EARLIER}").read_bytes() == FOREIGN
    uninstall(str(repo.path))

    assert before.items() <= snapshot(repo.path).items()
    assert not hook(repo, f"commit-msg{shim.EARLIER}").exists()


def test_an_earlier_hook_keeps_running(repo: Repo, agent: Enter) -> None:
    """Both run, and git sees one."""
    put(hook(repo))
    put(hook(repo, "post-commit"))
    install(str(repo.path))
    agent(PARENT)
    repo.commit("-q", "-m", "Add the parser")

    assert (repo.path / ".git" / "ran").read_text() == "foreign\nforeign\n"
    assert repo.links() == [url(PARENT)]


def test_a_hook_that_was_switched_off_stays_off(repo: Repo, agent: Enter) -> None:
    """A hook that is not executable does not begin to run by our doing (E11)."""
    put(hook(repo), mode=0o644)
    install(str(repo.path))
    agent(PARENT)
    repo.commit("-q", "-m", "Add the parser")

    assert not (repo.path / ".git" / "ran").exists()


@pytest.mark.parametrize("target", ["/nonexistent/hook", "commit-msg.real"], ids=["dead", "alive"])
def test_a_link_in_the_place_of_a_hook_is_not_written_through(repo: Repo, agent: Enter, target: str) -> None:
    """A link is put aside as it is, runs if it ran before, and comes back as it was (E11)."""
    put(hook(repo, "commit-msg.real"))
    hook(repo).symlink_to(target)
    before = snapshot(repo.path)
    install(str(repo.path))
    agent(PARENT)
    repo.commit("-q", "-m", "Add the parser")
    uninstall(str(repo.path))

    assert repo.links() == [url(PARENT)]
    assert (repo.path / ".git" / "ran").exists() == (target == "commit-msg.real")
    assert {name: before[name] for name in before if "hooks" in name}.items() <= snapshot(repo.path).items()


def test_a_hook_that_somebody_put_in_the_place_of_ours_stays(repo: Repo) -> None:
    """Uninstall removes only what we wrote."""
    install(str(repo.path))
    put(hook(repo))
    uninstall(str(repo.path))

    assert hook(repo).read_bytes() == FOREIGN
    assert not hook(repo, "post-commit").exists()


def test_a_hook_from_a_template_is_kept(tmp_path: Path) -> None:
    """What `git init` copied is an earlier hook like any other (E41)."""
    put(tmp_path / "template" / "hooks" / "commit-msg")
    subprocess.run(["git", "init", "-q", f"--template={tmp_path / 'template'}", str(tmp_path / "r")], check=True)

    assert install(str(tmp_path / "r")).hooks[0].earlier == "a hook of this repository"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("# File generated by pre-commit: https://pre-commit.com", "pre-commit"),
        ("call_lefthook run", "lefthook"),
        (". husky.sh", "husky"),
        ('git lfs post-commit "$@"', "git-lfs"),
        ("# From Gerrit Code Review", "Gerrit"),
        ("echo mine", "a hook of this repository"),
    ],
)
def test_the_writer_of_the_earlier_hook_is_named(repo: Repo, text: str, name: str) -> None:
    """A person sees whose hook runs before ours (E14)."""
    put(hook(repo), f"#!/bin/sh\n{text}\n".encode())

    assert [found.earlier for found in install(str(repo.path)).hooks] == [name, None, None, None]


# Where it is refused.


@pytest.mark.parametrize("name", shim.HOOKS)
def test_a_name_that_is_taken_is_a_refusal(repo: Repo, name: str) -> None:
    """Nothing is overwritten, and no hook is half installed."""
    put(hook(repo, name))
    put(hook(repo, f"{name}{shim.EARLIER}"), b"#!/bin/sh\n# another\n")

    assert shim.EARLIER in str(refused(repo))


@pytest.mark.parametrize("name", shim.HOOKS)
def test_a_folder_where_a_hook_would_be_kept_is_a_refusal(repo: Repo, name: str) -> None:
    """The script would take it for a hook that was there before, and fail (E11)."""
    hook(repo, f"{name}{shim.EARLIER}").mkdir()

    assert f"{name}{shim.EARLIER} is a folder" in str(refused(repo))


@pytest.mark.parametrize("name", shim.HOOKS)
def test_a_folder_in_the_place_of_a_hook_is_a_refusal(repo: Repo, name: str) -> None:
    """What is no file is not moved (E11)."""
    hook(repo, name).mkdir()

    assert "is a folder" in str(refused(repo))


@pytest.mark.parametrize("name", ["hooks", "ampcommit"])
def test_a_file_in_the_place_of_a_folder_is_a_refusal(repo: Repo, name: str) -> None:
    """What cannot work is explained, not a defect."""
    shutil.rmtree(repo.path / ".git" / name, ignore_errors=True)
    (repo.path / ".git" / name).write_text("a file\n")

    assert str(refused(repo, SetupError))


@pytest.mark.parametrize(
    "value",
    ["{top}/.githooks", ".githooks", "../shared", "{top}/../shared", "~/hooks", ".git/../.githooks"],
    ids=["absolute", "work tree", "relative outside", "outside", "tilde", "dots"],
)
@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_hooks_folder_that_is_not_the_clones_own_is_a_refusal(repo: Repo, value: str, scope: str) -> None:
    """What belongs to a team, to another manager or to all clones is not written to; the recipe is printed (E12)."""
    put(repo.path / ".githooks" / "commit-msg")
    repo("config", scope, "core.hooksPath", value.format(top=repo.path))

    error = refused(repo)
    assert isinstance(error, Elsewhere)
    for name in shim.HOOKS:
        assert f"\n{LINES[name]}\n" in error.recipe


@pytest.mark.parametrize("scope", ["local", "global"])
def test_hooks_that_are_switched_off_are_a_refusal(repo: Repo, scope: str) -> None:
    """Where no hook can run, the way to switch them on is named (E12)."""
    repo("config", f"--{scope}", "core.hooksPath", "/dev/null")
    error = refused(repo)

    assert isinstance(error, Elsewhere)
    assert ("switched off" in str(error), error.recipe) == (True, "")
    assert ("--global --unset" in error.hint) == (scope == "global")


def test_a_hooks_folder_that_is_a_link_is_a_refusal(repo: Repo, tmp_path: Path) -> None:
    """A link out of the git dir leads to somebody else's folder."""
    (tmp_path / "shared").mkdir()
    shutil.rmtree(repo.path / ".git" / "hooks", ignore_errors=True)
    (repo.path / ".git" / "hooks").symlink_to(tmp_path / "shared")

    assert str(refused(repo))


@pytest.mark.parametrize("value", [".git/own", "{top}/.git/hooks", "{top}/.git/a/b"])
def test_a_hooks_folder_inside_the_git_dir_is_fine(repo: Repo, agent: Enter, value: str) -> None:
    """Where only this clone looks, we may write."""
    repo("config", "core.hooksPath", value.format(top=repo.path))

    assert install(str(repo.path)).works
    agent(PARENT)
    repo.commit("-q", "-m", "Add the parser")
    assert repo.links() == [url(PARENT)]


def test_uninstall_touches_no_folder_of_others(repo: Repo) -> None:
    """Scripts that a team copied into its own folder are not ours to remove."""
    shared = put(repo.path / ".githooks" / "commit-msg", shim.portable("commit-msg").encode())
    repo("config", "core.hooksPath", ".githooks")
    before = snapshot(repo.path)
    with pytest.raises(InstallError) as caught:
        uninstall(str(repo.path))

    assert str(shared.parent) in str(caught.value)
    assert before == snapshot(repo.path)


def test_the_amp_on_path_is_noted_and_forgotten(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks and commands never search PATH for it: `install` does, and says so; a later one without it forgets it."""
    amp = put(tmp_path / "bin" / "amp", b"#!/bin/sh\n")
    before = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{amp.parent}:{before}")
    assert install(str(repo.path)).amp == status(str(repo.path)).amp == str(amp)

    monkeypatch.setenv("PATH", before)
    assert status(str(repo.path)).amp == str(amp)
    assert install(str(repo.path)).amp is None


def test_an_amp_that_is_configured_is_noted(repo: Repo, tmp_path: Path) -> None:
    """Who names it need not have it on PATH."""
    repo("config", "ampcommit.amp", str(tmp_path / "amp"))

    assert install(str(repo.path)).amp == str(tmp_path / "amp")


def test_uninstall_forgets_amp(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started any more for a clone without our hooks."""
    amp = put(tmp_path / "bin" / "amp", b"#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{amp.parent}:{os.environ['PATH']}")
    install(str(repo.path))

    assert uninstall(str(repo.path)).amp is None


def test_an_amp_of_the_repository_is_not_noted(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a checkout brings is never run."""
    put(repo.path / "bin" / "amp", b"#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{repo.path / 'bin'}:{os.environ['PATH']}")

    assert install(str(repo.path)).amp is None


def test_uninstall_finds_what_a_new_hooks_path_hides(repo: Repo) -> None:
    """Hooks of ours that git no longer looks at go as well, and the earlier ones come back."""
    hook = put(repo.path / ".git" / "hooks" / "commit-msg")
    before = hook.read_bytes()
    install(str(repo.path))
    repo("config", "core.hooksPath", ".githooks")
    with pytest.raises(InstallError, match="there nothing was changed"):
        uninstall(str(repo.path))

    assert before == hook.read_bytes()
    assert not (hook.parent / "post-commit").exists()


def denied(*_: object, **__: object) -> NoReturn:
    """Fail, as a system call that somebody forbids."""
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_a_hook_that_cannot_be_replaced_comes_back(repo: Repo, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """Whatever fails while ours is put in its place, the earlier hook keeps its name and runs."""
    install(str(repo.path))
    uninstall(str(repo.path))
    put(hook(repo))
    before = snapshot(repo.path)
    monkeypatch.setattr(os, "replace", denied)
    if not links:
        monkeypatch.setattr(os, "link", denied)
    with pytest.raises(InstallError, match="Permission denied"):
        install(str(repo.path))

    assert before == snapshot(repo.path)


def test_without_hard_links_an_earlier_hook_is_kept_all_the_same(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems know one name for one file."""
    put(hook(repo))
    monkeypatch.setattr(os, "link", denied)

    assert install(str(repo.path)).works
    uninstall(str(repo.path))
    assert hook(repo).read_bytes() == FOREIGN


def test_a_throw_away_repository_may_use_throw_away_code(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What need not last may be installed from an environment that does not."""
    python = tmp_path / "uv" / "archive-v0" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(interpreter())
    monkeypatch.setattr(sys, "_base_executable", str(python))
    refused(repo)

    assert install(str(repo.path), lasting=False).works


@pytest.mark.parametrize(
    "path", ["/home/u/.cache/uv/archive-v0/abc/bin/python", "/home/u/.local/pipx/.cache/abc/bin/python3"]
)
def test_a_throw_away_environment_is_a_refusal(repo: Repo, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Hooks that stop working with the next clean-up are not installed."""
    monkeypatch.setattr(sys, "_base_executable", path)

    assert "throw-away" in str(refused(repo))


def test_a_throw_away_package_is_a_refusal(repo: Repo, tmp_path: Path) -> None:
    """The same holds for the package, as `uvx` unpacks it."""
    folder = tmp_path / "uv" / "archive-v0" / "abc"
    shutil.copytree(Path(package()) / "ampcommit", folder / "ampcommit")
    argv = [sys.executable, "-P", "-m", "ampcommit", "install"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
    done = subprocess.run(argv, cwd=repo.path, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, "throw-away" in done.stderr) == (3, True)
    assert not hook(repo).exists()


def test_code_that_the_repository_tracks_is_a_refusal(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who changes a branch must not change what the hooks run."""
    python = put(repo.path / "tools" / "python")
    repo("add", ".")
    monkeypatch.setattr(sys, "_base_executable", str(python))

    assert "is a file of this repository" in str(refused(repo))


def test_untracked_code_in_the_work_tree_is_fine(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment beside the code, ignored by git, is what many have."""
    python = repo.path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(interpreter())
    (repo.path / "package").mkdir()
    monkeypatch.setattr(sys, "_base_executable", str(python))

    assert install(str(repo.path)).works


def test_a_place_that_git_does_not_answer_for_is_not_tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a bare repository nothing is a file of a work tree."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    monkeypatch.setattr(sys, "_base_executable", str(put(bare / "bin" / "python", b"#!/bin/sh\n")))

    assert install(str(bare)).works


@pytest.mark.parametrize("version", ["2.30.9", "1.8.3.1", "2.9"])
@pytest.mark.parametrize("verb", [install, uninstall, status])
def test_an_old_git_is_a_refusal(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Callable[[str], object], version: str
) -> None:
    """What we cannot work with is named with what is needed."""
    put(tmp_path / "bin" / "git", f"#!/bin/sh\necho git version {version}\n".encode())
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(SetupError) as caught:
        verb(str(repo.path))

    assert (caught.value.exit_code, "2.31" in caught.value.hint) == (3, True)


@pytest.mark.parametrize("version", ["2.31.0", "2.100.1.windows.2", "3.0", "2.47.0-rc1 (Apple Git-1)"])
def test_any_newer_git_is_fine(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Vendors append what they like to a version."""
    real = shutil.which("git")
    script = f'#!/bin/sh\ncase "$*" in *version) echo \'git version {version}\';; *) exec {real} "$@";; esac\n'
    put(tmp_path / "bin" / "git", script.encode())
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert install(str(repo.path)).works


def test_outside_a_repository_is_a_refusal(tmp_path: Path) -> None:
    """Exit code 3 says that the surroundings do not allow it."""
    with pytest.raises(SetupError) as caught:
        install(str(tmp_path))

    assert (caught.value.exit_code, "inside a git repository" in caught.value.hint) == (3, True)


# Sharing.


def config(repo: Repo) -> bytes:
    """Return the configuration of the clone."""
    return (repo.path / ".git" / "config").read_bytes()


@pytest.fixture
def remote(repo: Repo) -> Repo:
    """A clone with a remote."""
    repo("remote", "add", "origin", "/nowhere")
    return repo


def test_sharing_is_for_who_asks(remote: Repo) -> None:
    """Without `--share` there is no hook at a push, and no remote is asked for more."""
    before = config(remote)
    setup = install(str(remote.path))

    assert (setup.works, setup.shares, setup.pushing.state, setup.fetched) == (True, False, "absent", [])
    assert config(remote) == before
    assert not hook(remote, "pre-push").exists()


def test_sharing_is_installed_and_taken_out_again(remote: Repo) -> None:
    """The hook and the refspec come and go together, once, and leave no byte behind."""
    put(hook(remote, "pre-push"))
    before = snapshot(remote.path)
    setup = install(str(remote.path), sharing=True)
    assert (setup.works, setup.shares, setup.fetched) == (True, True, ["origin"])
    assert (setup.pushing.state, setup.pushing.earlier) == ("installed", "a hook of this repository")
    assert [found.name for found in setup.hooks] == list(shim.HOOKS)
    once = snapshot(remote.path)
    install(str(remote.path), sharing=True)
    assert snapshot(remote.path) == once

    setup = uninstall(str(remote.path))
    after = {name: value for name, value in snapshot(remote.path).items() if not name.startswith(".git/ampcommit")}
    assert (setup.shares, setup.pushing.state, after) == (False, "foreign", before)


def test_installing_again_keeps_what_shares(remote: Repo) -> None:
    """After an upgrade a plain `install` writes that hook anew, too, also where another tool replaced it."""
    install(str(remote.path), sharing=True)
    path = put(hook(remote, "pre-push"), shim.fast("pre-push", "/bin/sh", package()).encode())
    found = status(str(remote.path))
    assert (found.pushing.state, found.works) == ("outdated", False)
    assert install(str(remote.path)).pushing.state == "installed"

    put(hook(remote, f"pre-push{shim.EARLIER}"), b"#!/bin/sh\n# before\n")
    put(path, b"#!/bin/sh\n# before\n")
    assert (status(str(remote.path)).pushing.state, install(str(remote.path)).pushing.state) == ("foreign", "installed")


def test_sharing_without_a_remote_waits_for_one(repo: Repo) -> None:
    """A clone that has no remote yet gets the hook; its configuration stays as it is until there is one."""
    before = config(repo)
    setup = install(str(repo.path), sharing=True)
    assert (setup.works, setup.shares, setup.fetched) == (True, True, [])
    assert config(repo) == before
    repo("remote", "add", "origin", "/nowhere")

    assert install(str(repo.path), sharing=True).fetched == ["origin"]


@pytest.mark.parametrize(("value", "fetched"), [("private", ["private"]), ("https://example.com/r.git", [])])
def test_records_with_a_remote_of_their_own_are_fetched_there(remote: Repo, value: str, fetched: list[str]) -> None:
    """With `ampcommit.shareRemote` that remote is asked, and no other; an address has no line in the configuration."""
    remote("remote", "add", "private", "/nowhere")
    remote("config", "ampcommit.shareRemote", value)

    assert install(str(remote.path), sharing=True).fetched == fetched


def test_a_folder_of_others_is_told_of_pushes_only_for_sharing(remote: Repo) -> None:
    """E12: where git looks elsewhere, the line for `pre-push` is printed to who asks; then the rest is set."""
    remote("config", "core.hooksPath", ".githooks")
    for name in shim.HOOKS:
        put(remote.path / ".githooks" / name, f"#!/bin/sh\n{LINES[name]}\n".encode())
    assert install(str(remote.path)).works
    before = snapshot(remote.path)
    with pytest.raises(Elsewhere) as caught:
        install(str(remote.path), sharing=True)
    assert (snapshot(remote.path), "commit" in caught.value.recipe.replace("ampcommit", "")) == (before, False)
    put(remote.path / ".githooks" / "pre-push", f"#!/bin/sh\n{LINES['pre-push']}\n".encode())

    setup = install(str(remote.path), sharing=True)
    assert (setup.works, setup.pushing.state, setup.fetched) == (True, "by hand", ["origin"])


def test_uninstall_where_git_looks_elsewhere_ends_the_fetching(remote: Repo) -> None:
    """What is in this clone's own configuration goes, whoever owns the hooks."""
    before = config(remote)
    install(str(remote.path), sharing=True)
    remote("config", "core.hooksPath", ".githooks")
    with pytest.raises(InstallError):
        uninstall(str(remote.path))
    remote("config", "--unset", "core.hooksPath")

    assert config(remote).replace(b"[core]\n", b"") == before.replace(b"[core]\n", b"")
    assert not hook(remote, "pre-push").exists()


# Anywhere.


@pytest.mark.parametrize(
    "name",
    ["with space", "it's", '"q"', "new\nline", "$(touch owned)", "`touch owned`", "-dash", "%s", "*", "a\\b", "日本"],
)
def test_a_repository_in_any_folder(tmp_path: Path, agent: Enter, name: str) -> None:
    """Whatever a folder is called, hooks work in it (E15)."""
    path = tmp_path / name
    subprocess.run(["git", "init", "-q", "--", str(path)], check=True)
    agent(PARENT)

    assert install(str(path)).works
    repo = Repo(path)
    assert repo.commit("-q", "-m", "Add the parser").stderr == b""
    assert repo.links() == [url(PARENT)]
    assert [found.state for found in uninstall(str(path)).hooks] == ["absent"] * 4
    assert not list(tmp_path.rglob("owned"))


def test_a_repository_in_a_folder_that_is_no_utf_8(tmp_path: Path, agent: Enter) -> None:
    """Names of files are bytes (E15)."""
    path = os.path.join(str(tmp_path), os.fsdecode(b"caf\xe9"))
    subprocess.run(["git", "init", "-q", path], check=True)
    agent(PARENT)

    assert install(path).works
    assert Repo(Path(path)).commit("-q", "-m", "Add the parser").stderr == b""
    assert Repo(Path(path)).links() == [url(PARENT)]


def test_from_a_folder_within(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any folder of the work tree will do, and so will the current one."""
    (repo.path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(repo.path / "a" / "b")

    assert install().works
    assert status().works
    assert status().place.top == str(repo.path)
    assert not uninstall().works


def test_a_linked_work_tree_shares_the_hooks(repo: Repo, tmp_path: Path) -> None:
    """Installed in one work tree is installed in all."""
    repo.commit("-q", "-m", "Begin")
    repo("worktree", "add", "-q", str(tmp_path / "wt"))

    assert install(str(tmp_path / "wt")).works
    assert states(repo.path) == ["installed"] * 4


# What is there.


def test_a_script_of_another_version_is_outdated_and_replaced(repo: Repo) -> None:
    """After an upgrade or a move, installing again is enough."""
    put(hook(repo), shim.fast("commit-msg", "/bin/sh", package()).encode())

    assert states(repo.path) == ["outdated", "absent", "absent", "absent"]
    assert not status(str(repo.path)).works
    assert install(str(repo.path)).works
    assert not hook(repo, f"commit-msg{shim.EARLIER}").exists()


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (shim.fast("commit-msg", "/nonexistent/python", package()), 0o755),
        (shim.fast("commit-msg", interpreter(), "/nonexistent"), 0o755),
        (shim.fast("commit-msg", interpreter(), package()), 0o644),
        (shim.fast("commit-msg", interpreter(), package()).replace("python='", "python=", 1), 0o755),
        (shim.fast("commit-msg", interpreter(), package()).replace(f"python='{interpreter()}'", "python=", 1), 0o755),
    ],
    ids=["interpreter gone", "package gone", "not executable", "garbled", "emptied"],
)
def test_a_hook_that_cannot_run_is_broken_and_mended(repo: Repo, text: str, mode: int) -> None:
    """Status says that commits are not checked, before somebody wonders; installing again mends it (E19, E20)."""
    put(hook(repo), text.encode(), mode)

    assert states(repo.path)[0] == "broken"
    assert install(str(repo.path)).works


def test_a_portable_script_is_as_good(repo: Repo) -> None:
    """Who copied the portable scripts has them installed."""
    for name in shim.HOOKS:
        put(hook(repo, name), shim.portable(name).encode())

    assert status(str(repo.path)).works


def test_a_call_in_somebody_elses_hook_counts(repo: Repo) -> None:
    """Who calls us from a hook of their own is set up, by hand."""
    for name in shim.HOOKS:
        put(hook(repo, name), f'#!/bin/sh\nampcommit hook {name} "$@"\n'.encode())

    assert (states(repo.path), status(str(repo.path)).works) == (["by hand"] * 4, True)


def test_what_cannot_be_read_is_foreign(repo: Repo) -> None:
    """A link or a folder in the place of a hook is not ours."""
    hook(repo).symlink_to("/nonexistent")
    hook(repo, "post-commit").mkdir()

    assert states(repo.path) == ["foreign", "foreign", "absent", "absent"]


def test_status_knows_the_policy_and_where_it_comes_from(repo: Repo) -> None:
    """A person sees what is demanded here and who said so."""
    (repo.path / ".ampcommit").write_text("[ampcommit]\n\tmode = warn\n")
    repo("config", "ampcommit.minBody", "5")
    settings = status(str(repo.path)).settings

    assert (settings["mode"], settings.origins["mode"]) == ("warn", ".ampcommit")
    assert (settings["minBody"], settings.origins["minBody"]) == (5, "git config")


def test_the_hooks_outlive_a_virtual_environment() -> None:
    """What is recorded is the interpreter below the environment, and the folder of the package."""
    assert interpreter() == getattr(sys, "_base_executable", sys.executable)
    assert package() == str(Path(ampcommit.__file__).parent.parent)


def test_without_a_base_the_interpreter_itself_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every Python says what is below it."""
    monkeypatch.setattr(sys, "_base_executable", "")

    assert interpreter() == sys.executable
