"""What a scratch copy takes over of a setup, and what it leaves behind."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ampcommit.gitcmd import Git
from ampcommit.setup import scratch as module
from ampcommit.setup.scratch import BRANCH, Scratch, scratch, surroundings
from ampcommit.verbs.install import status
from tests.conftest import PARENT, Repo


@contextmanager
def copied(repo: Repo) -> Iterator[Scratch]:
    """Make a scratch copy of *repo*."""
    setup = status(str(repo.path))
    with scratch(Git(str(repo.path)), setup.place, setup.folder, os.environ) as copy:
        yield copy


def asked(copy: Scratch, *args: str) -> str:
    """Return what git says in the scratch copy."""
    return os.fsdecode(Git(copy.work, copy.environ)(*args)).removesuffix("\n")


def value(copy: Scratch, key: str) -> str:
    """Return what the configuration of the scratch copy itself says of *key*; nothing if it does not."""
    return os.fsdecode(Git(copy.work, copy.environ)("config", "--local", "-z", "--get", key, ok=(0, 1)))[:-1]


def files(copy: Scratch) -> list[str]:
    """Return the files in the work tree of the scratch copy."""
    found = [path.relative_to(copy.work) for path in Path(copy.work).rglob("*") if path.is_file()]
    return sorted(str(path) for path in found if path.parts[0] != ".git")


def commit(repo: Repo, **contents: str) -> None:
    """Commit files, in whose names `__` stands for a slash and `_` at the start for a dot."""
    for name, text in contents.items():
        path = repo.path / (f".{name[1:]}" if name[0] == "_" else name).replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    repo("add", "-A", "-f")
    repo("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "Begin")


def test_it_is_a_repository_of_its_own(installed: Repo) -> None:
    """Objects, refs and ledger of the copy are its own, and gone afterwards."""
    with copied(installed) as copy:
        assert asked(copy, "rev-parse", "--absolute-git-dir") == copy.git_dir
        assert asked(copy, "symbolic-ref", "HEAD") == f"refs/heads/{BRANCH}"
        assert not os.path.exists(os.path.join(copy.git_dir, "objects", "info", "alternates"))
        assert not os.path.exists(os.path.join(copy.git_dir, "ampcommit"))
        assert stat.S_IMODE(os.stat(os.path.dirname(copy.work)).st_mode) == 0o700

    assert not os.path.exists(os.path.dirname(copy.work))


def test_only_our_hooks_and_only_those_that_git_would_run(installed: Repo) -> None:
    """Each hook hands over to the real one, by its own path; the rest, and what is not executable, stays away."""
    folder = installed.path / ".git" / "hooks"
    (folder / "pre-commit").write_text("#!/bin/sh\n")
    (folder / "pre-commit").chmod(0o755)
    (folder / "post-merge").chmod(0o644)
    (folder / "commit-msg").write_text('#!/bin/sh\necho "$0" "$@"; cat\nexit 7\n')

    with copied(installed) as copy:
        argv = [os.path.join(copy.hooks, "commit-msg"), "a b", "*"]
        done = subprocess.run(argv, input="fed", capture_output=True, text=True, check=False)

        assert sorted(os.listdir(copy.hooks)) == ["commit-msg", "post-commit", "post-rewrite"]
        assert (done.returncode, done.stdout) == (7, f"{folder / 'commit-msg'} a b *\nfed")
        assert copy.started() == ["commit-msg"]


def test_the_settings_of_the_clone_are_there(installed: Repo) -> None:
    """What hooks may ask is as in the clone, byte for byte, whatever it holds."""
    odd = 'a\\"b\nc\td#;\r [x] \u00e9 '
    installed("config", "ampcommit.authors", "agent")
    installed("config", 'odd.a.B\\"c.d', odd)
    installed("config", "trailer.amp.key", "Amp-Thread-ID")
    with (installed.path / ".git" / "config").open("a") as file:
        file.write("[yes]\n\tsay\n")

    with copied(installed) as copy:
        assert value(copy, "ampcommit.authors") == "agent"
        assert value(copy, 'odd.a.B\\"c.d') == odd
        assert value(copy, "trailer.amp.key") == "Amp-Thread-ID"
        assert asked(copy, "config", "--type=bool", "yes.say") == "true"


def test_what_leads_elsewhere_or_is_secret_stays_away(installed: Repo, tmp_path: Path) -> None:
    """S15: no remote, no include, no path of the clone itself, no password, in whatever name it hides."""
    left = {
        "remote.origin.url": "https://user:SECRET@example.com/x",
        "branch.main.remote": "origin",
        "url.https://SECRET@example.com.insteadOf": "x",
        "http.extraHeader": "Authorization: SECRET",
        "credential.helper": "SECRET",
        "core.sshCommand": "ssh -i SECRET",
        "core.fsmonitor": "true",
        "include.path": str(tmp_path / "more"),
        "ours.apiToken": "SECRET",
        "ours.proxy": "https://u:SECRET@example.com",
        "core.worktree": str(installed.path),
    }
    (tmp_path / "more").write_text("[ours]\n\tincluded = yes\n")
    for key, text in left.items():
        installed("config", key, text)

    with copied(installed) as copy:
        config = Path(copy.git_dir, "config").read_text()
        assert "SECRET" not in config
        assert [key for key in left if value(copy, key) not in ("", "false")] == []
        assert value(copy, "ours.included") == "yes"


def test_nothing_is_signed_and_nothing_goes_on_behind(installed: Repo) -> None:
    """No passphrase is asked for, and no maintenance begins, whatever the user has set for all clones."""
    for key in ("commit.gpgSign", "core.fsmonitor", "maintenance.auto"):
        installed("config", "--global", key, "true")

    with copied(installed) as copy:
        for key in ("commit.gpgSign", "core.fsmonitor", "maintenance.auto"):
            assert asked(copy, "config", "--get", key) == "false"
        assert asked(copy, "config", "--get", "core.hooksPath") == copy.hooks


def test_hooks_in_the_configuration_for_other_events_are_switched_off(installed: Repo) -> None:
    """E44: with git 2.54 a linter may stand in the configuration; only what git runs for our hooks stays on."""
    installed("config", "--global", "hook.lint.event", "pre-merge-commit")
    installed("config", "--global", "hook.lint.command", "false")
    installed("config", "hook.both.command", "true")
    installed("config", "hook.both.event", "pre-commit")
    installed("config", "--add", "hook.both.event", "commit-msg")

    with copied(installed) as copy:
        assert value(copy, "hook.lint.enabled") == "false"
        assert value(copy, "hook.both.enabled") == ""


def test_sha256_stays_sha256(tmp_path: Path) -> None:
    """E35: ids of the copy are as long as those of the clone."""
    Repo(tmp_path)("init", "-q", "--object-format=sha256", "repo")

    with copied(Repo(tmp_path / "repo")) as copy:
        assert asked(copy, "rev-parse", "--show-object-format") == "sha256"


def test_another_ref_format_is_asked_for(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E35: where the clone has the reftable format, git is told to give it to the copy."""
    real = shutil.which("git")
    # An older git knows neither the format nor the option.
    script = (
        f'#!/bin/sh\nfor word; do shift; case $word in --ref-format=*) echo "$word" >{tmp_path}/told ;; '
        f'*) set -- "$@" "$word" ;; esac; done\ncase "$*" in *"config --list"*) '
        f'printf "local\\0extensions.refstorage\\nreftable\\0" ;; *) exec {real} "$@" ;; esac\n'
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(script)
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    with copied(repo):
        assert (tmp_path / "told").read_text() == "--ref-format=reftable\n"


def test_who_has_no_identity_gets_one(installed: Repo, sealed: Path) -> None:
    """Hooks can be tried before anybody told git a name; who has one keeps it."""
    with copied(installed) as copy:
        assert "GIT_AUTHOR_NAME" not in copy.environ
    (sealed / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    with copied(installed) as copy:
        assert asked(copy, "var", "GIT_COMMITTER_IDENT").startswith("ampcommit doctor <")


def test_the_environment_belongs_to_no_repository_and_no_thread(
    installed: Repo,
) -> None:
    """E02, S12: what git says of one repository, and an agent of its thread, is not handed on; the rest is."""
    mine = {"GIT_DIR": "x", "GIT_INDEX_FILE": "x", "AGENT": "amp", "AMP_THREAD_ID": PARENT, "GIT_CONFIG_COUNT": "0"}
    kept = {"GIT_CONFIG_NOSYSTEM": "1", "AMPCOMMIT_HOST": "amp.example.com", "PATH": os.environ["PATH"]}

    assert surroundings(Git(str(installed.path)), mine | kept) == kept


# Files.


def test_files_that_hooks_may_need_are_there(installed: Repo) -> None:
    """Hooks look for their scripts from the top of the work tree; the rest of a big repository is not copied."""
    commit(installed, _tool="1", readme="2", tools__run="3", src__code="4", _husky__commit_msg="5", ci__lib="6")
    (installed.path / "tools" / "run").chmod(0o755)
    installed("-c", "core.hooksPath=/dev/null", "commit", "-qam", "Make it run")

    with copied(installed) as copy:
        assert files(copy) == [".husky/commit_msg", ".tool", "readme", "tools/run"]
        assert os.access(os.path.join(copy.work, "tools", "run"), os.X_OK)
        assert not os.access(os.path.join(copy.work, "readme"), os.X_OK)
        assert asked(copy, "ls-files") == ""


def test_the_folder_of_the_hooks_is_there(repo: Repo) -> None:
    """What hooks of the repository call beside them is copied, whatever its folder is called."""
    commit(repo, ci__hooks__lib="1")
    repo("config", "core.hooksPath", "ci/hooks")

    with copied(repo) as copy:
        assert files(copy) == ["ci/hooks/lib"]


def test_nobodys_uncommitted_work_is_copied(installed: Repo) -> None:
    """The files are those of the last commit."""
    commit(installed, readme="committed")
    (installed.path / "readme").write_text("draft")
    (installed.path / "new").write_text("draft")

    with copied(installed) as copy:
        assert files(copy) == ["readme"]
        assert Path(copy.work, "readme").read_text() == "committed"


def test_what_hook_managers_read_is_as_they_read_it(installed: Repo) -> None:
    """E14: who has just added us to lefthook.yml need not commit that to see whether it works."""
    commit(installed, readme="1")
    for name in (
        "lefthook.yml",
        "lefthook-local.yml",
        ".pre-commit-config.yaml",
        ".ampcommit",
        ".config/lefthook.toml",
    ):
        (installed.path / name).parent.mkdir(exist_ok=True)
        (installed.path / name).write_text("draft")
    (installed.path / ".lefthook").mkdir()
    (installed.path / ".git" / "info" / "lefthook.checksum").write_text("as it was")

    with copied(installed) as copy:
        assert len(files(copy)) == 6
        assert Path(copy.git_dir, "info", "lefthook.checksum").read_text() == "as it was"


def test_a_changed_configuration_wins_over_the_committed_one(installed: Repo) -> None:
    """E14: a manager acts on the file of the work tree, and so does the trial."""
    commit(installed, lefthook="1", lefthook_json="2")
    (installed.path / "lefthook_json").write_text("changed")

    with copied(installed) as copy:
        assert Path(copy.work, "lefthook_json").read_text() == "changed"


def test_programs_of_the_clone_are_found(installed: Repo) -> None:
    """E14: lefthook may be installed in node_modules, which is not copied."""
    with copied(installed) as copy:
        assert copy.environ["PATH"] == os.environ["PATH"]
    (installed.path / "node_modules" / ".bin").mkdir(parents=True)
    with copied(installed) as copy:
        assert copy.environ["PATH"].endswith(f"{os.pathsep}{installed.path}/node_modules/.bin")


def test_links_and_submodules_are_not_followed(installed: Repo, tmp_path: Path) -> None:
    """A link could lead a hook that writes to a file of the user's."""
    Repo(tmp_path)("init", "-q", "sub")
    commit(Repo(tmp_path / "sub"), readme="1")
    (installed.path / "link").symlink_to(tmp_path / "victim")
    installed("-c", "protocol.file.allow=always", "submodule", "-q", "add", str(tmp_path / "sub"), "tools")
    commit(installed, readme="1")

    with copied(installed) as copy:
        assert files(copy) == [".gitmodules", "readme"]


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b".git. ", b"git~1", b".g\xe2\x80\x8cit", b"."])
def test_no_file_leaves_the_work_tree(installed: Repo, name: bytes) -> None:
    """S08: a hostile tree that names a way out, or a git dir, plants nothing."""
    blob = installed("hash-object", "-w", "--stdin", stdin=b"planted").encode()
    inner = b"100755 config\0" + bytes.fromhex(blob.decode())
    tree = installed("hash-object", "--literally", "-w", "-t", "tree", "--stdin", stdin=inner)
    outer = b"40000 " + name + b"\0" + bytes.fromhex(tree)
    top = installed("hash-object", "--literally", "-w", "-t", "tree", "--stdin", stdin=outer)
    installed("update-ref", "HEAD", installed("commit-tree", "-m", "Begin", top))

    with copied(installed) as copy:
        assert files(copy) == []
        assert not [path for path in Path(copy.work).parent.rglob("config") if path.read_text() == "planted"]


def test_big_things_are_left_out(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy has a bound, in bytes and in files."""
    commit(installed, a="x" * 60, b="x" * 60, c="x" * 30, d="", e="")
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    monkeypatch.setattr(module, "_MOST_FILES", 3)

    with copied(installed) as copy:
        assert files(copy) == ["a", "c", "d"]


def test_a_name_that_is_taken_is_passed_over(installed: Repo) -> None:
    """A tree that names one path twice is broken, and stops nobody."""
    blob = bytes.fromhex(installed("hash-object", "-w", "--stdin", stdin=b"1"))
    inner = installed("hash-object", "--literally", "-w", "-t", "tree", "--stdin", stdin=b"100644 x\0" + blob)
    outer = b"100644 .a\0" + blob + b"40000 .a\0" + bytes.fromhex(inner)
    top = installed("hash-object", "--literally", "-w", "-t", "tree", "--stdin", stdin=outer)
    installed("update-ref", "HEAD", installed("commit-tree", "-m", "Begin", top))

    with copied(installed) as copy:
        assert files(copy) == [".a"]


def test_a_broken_history_stops_nobody(installed: Repo) -> None:
    """Where git cannot read HEAD's tree, hooks are tried without files."""
    missing = "1" * 40
    text = f"tree {missing}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nBegin\n".encode()
    made = installed("hash-object", "--literally", "-w", "-t", "commit", "--stdin", stdin=text)
    (installed.path / ".git" / "refs" / "heads" / "main").write_text(f"{made}\n")

    with copied(installed) as copy:
        assert files(copy) == []


def test_what_a_partial_clone_lacks_is_not_fetched(installed: Repo, tmp_path: Path) -> None:
    """V04: files whose content is elsewhere are left out; nobody is asked for them."""
    commit(installed, readme="1", other="2")
    installed("config", "uploadpack.allowFilter", "true")
    url = f"file://{installed.path}"
    Repo(tmp_path)("clone", "-q", "--no-checkout", "--filter=blob:none", url, "partial")
    partial = Repo(tmp_path / "partial")

    before = sorted((tmp_path / "partial" / ".git").rglob("*"))

    with copied(partial) as copy:
        assert files(copy) == []
    assert sorted((tmp_path / "partial" / ".git").rglob("*")) == before


def test_a_temporary_folder_that_runs_no_programs(installed: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /tmp may hold no programs, hooks could not run there: the copy is made beside the ledger."""
    usual = tempfile.gettempdir()
    ask = os.statvfs

    class Barred:
        f_flag = getattr(os, "ST_NOEXEC", 8)

    monkeypatch.setattr(os, "ST_NOEXEC", 8, raising=False)
    monkeypatch.setattr(os, "statvfs", lambda path: Barred() if path == usual else ask(path))

    with copied(installed) as copy:
        assert copy.work.startswith(f"{installed.path}/.git/ampcommit/")
    assert not list((installed.path / ".git" / "ampcommit").glob("ampcommit-doctor-*"))

    shutil.rmtree(installed.path / ".git" / "ampcommit")
    with copied(installed) as copy:
        assert copy.work.startswith(os.path.realpath(usual))


def test_hooks_with_any_name_are_found(tmp_path: Path) -> None:
    """E15: a path may hold blanks, quotes and line feeds."""
    path = tmp_path / "a 'b\" $(c)\n\\d"
    path.mkdir()
    Repo(path)("init", "-q")
    script = path / ".git" / "hooks" / "commit-msg"
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh\necho here\n")
    script.chmod(0o755)
    commit(Repo(path), readme="1")

    with copied(Repo(path)) as copy:
        assert subprocess.check_output([os.path.join(copy.hooks, "commit-msg")]) == b"here\n"
        assert files(copy) == ["readme"]
