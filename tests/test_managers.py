"""Other people's hooks beside ours: whatever comes first, all of them run, and nothing of anybody's is lost."""

import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from ampcommit import shim
from ampcommit.errors import InstallError
from ampcommit.gitcmd import Git, version
from ampcommit.setup import managers
from ampcommit.verbs.install import install, interpreter, status, uninstall
from tests.conftest import PARENT, Repo, url
from tests.test_commits import put, records, rewrites
from tests.test_places import command_on_path

Enter = Callable[[str], None]
Made = Callable[[str], "Clone"]
Snapshot = dict[str, tuple[int, bytes]]

# What each hook of another tool does in these tests: say that it ran, refuse where it is asked to, keep what it is fed.
JOB = """\
echo "$1" >>.git/ran
case $1 in
commit-msg) ! grep -q VETO "$2" ;;
post-rewrite) cat >>.git/fed ;;
esac
"""
# How often git runs each hook in `lived` below.
RUNS = Counter({"commit-msg": 7, "post-commit": 6, "post-merge": 1, "post-rewrite": 2})
RUNS_WITHOUT_VETO = RUNS + Counter({"post-commit": 1})


PROGRAMS = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"


def found(name: str) -> str:
    """Return where a program is, beside this interpreter or on PATH; skip the test where it is nowhere."""
    path = shutil.which(name, path=PROGRAMS)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run_in(repo: Repo, *args: str, ok: bool = True) -> int:
    """Run a program in the work tree and return its status."""
    done = subprocess.run(args, cwd=repo.path, capture_output=True, check=False, timeout=120)
    assert not ok or done.returncode == 0, done.stderr.decode(errors="replace")
    return done.returncode


def snapshot(repo: Repo) -> Snapshot:
    """Return every hook of the clone with its mode and content."""
    folder = repo.path / ".git" / "hooks"
    return {path.name: (path.stat().st_mode, path.read_bytes()) for path in folder.iterdir()}


def hook(repo: Repo, name: str) -> Path:
    """Return where git looks for a hook."""
    return repo.path / ".git" / "hooks" / name


# The tools: real ones, and stand-ins that handle the files of others in the same way.


class Tool:
    """A tool with hooks of its own: those in `hooks` run, and `fed` says that they get what git feeds."""

    hooks: tuple[str, ...] = shim.HOOKS
    fed = True

    def prepare(self, repo: Repo) -> None:
        """Write what the tool is told to do."""

    def install(self, repo: Repo) -> None:
        """Put the hooks in place, as the tool's users do, whatever is there."""
        raise NotImplementedError

    def uninstall(self, repo: Repo) -> None:
        """Take them out, as the tool's users do."""
        raise NotImplementedError


class ByHand(Tool):
    """Scripts that a person wrote, in some language and some encoding."""

    def __init__(self, language: str) -> None:
        self.language = language

    def script(self, name: str) -> bytes:
        """Return the script of a hook."""
        if self.language == "sh":
            return f'#!/bin/sh\n# caf\xe9\nsh .git/job {name} "$@"\n'.encode("latin-1")
        if self.language == "perl":
            return f'#!{found("perl")}\nexec("sh", ".git/job", "{name}", @ARGV);\n'.encode()
        start = f"os.execvp('sh', ['sh', '.git/job', '{name}', *sys.argv[1:]])"
        return f"#!{interpreter()}\nimport os, sys\n{start}\n".encode()

    def install(self, repo: Repo) -> None:
        for name in self.hooks:
            path = hook(repo, name)
            path.unlink(missing_ok=True)
            path.write_bytes(self.script(name))
            path.chmod(0o755)

    def uninstall(self, repo: Repo) -> None:
        for name in self.hooks:
            if hook(repo, name).read_bytes() == self.script(name):
                hook(repo, name).unlink()


class Gerrit(Tool):
    """A hook that puts a `Change-Id` among the trailers, and is copied over whatever is there."""

    hooks = ("commit-msg",)
    SCRIPT = """\
#!/bin/sh
# Stands in for the hook of Gerrit Code Review.
sh .git/job commit-msg "$1" || exit 1
grep -q ^Change-Id: "$1" && exit 0
id=I$(git hash-object --stdin <"$1")
git interpret-trailers --no-divider --trailer "Change-Id: $id" <"$1" >"$1.tmp" && mv "$1.tmp" "$1"
"""

    def install(self, repo: Repo) -> None:
        put(hook(repo, "commit-msg"), self.SCRIPT)

    def uninstall(self, repo: Repo) -> None:
        if hook(repo, "commit-msg").read_text() == self.SCRIPT:
            hook(repo, "commit-msg").unlink()


class PreCommit(Tool):
    """The pre-commit framework."""

    fed = False
    CONFIG = """\
default_install_hook_types: [commit-msg, post-commit, post-merge, post-rewrite]
repos:
  - repo: local
    hooks:
      - {id: a, name: a, language: system, entry: sh .git/job commit-msg, stages: [commit-msg]}
"""
    OTHER = """\
      - {{id: {0}, name: b, language: system, entry: sh .git/job {0}, stages: [{0}], always_run: true, \
pass_filenames: false}}
"""

    def prepare(self, repo: Repo) -> None:
        self.program = found("pre-commit")
        others = "".join(self.OTHER.format(name) for name in self.hooks[1:])
        put(repo.path / ".pre-commit-config.yaml", self.CONFIG + others, 0o644)

    def install(self, repo: Repo) -> None:
        run_in(repo, self.program, "install")

    def uninstall(self, repo: Repo) -> None:
        run_in(repo, self.program, "uninstall")


class Legacy(Tool):
    """A stand-in for it: puts others' hooks aside as `.legacy`, runs them first and unfed, and never twice."""

    fed = False
    SCRIPT = """\
#!/bin/sh
# File generated by pre-commit: https://pre-commit.com
# A stand-in for it.
legacy="${{0%/*}}/{0}.legacy" status=0
if [ -n "$PRE_COMMIT_RUNNING_LEGACY" ]; then
	echo "started by what it started itself" >&2
	exit 1
fi
if [ -x "$legacy" ]; then
	PRE_COMMIT_RUNNING_LEGACY=1 "$legacy" "$@" </dev/null || status=$?
fi
sh .git/job {0} "$@" </dev/null || status=1
exit $status
"""

    def install(self, repo: Repo) -> None:
        for name in self.hooks:
            path = hook(repo, name)
            if path.exists() and path.read_text() != self.SCRIPT.format(name):
                path.rename(f"{path}.legacy")
            put(path, self.SCRIPT.format(name))

    def uninstall(self, repo: Repo) -> None:
        for name in self.hooks:
            path = hook(repo, name)
            if path.read_text() == self.SCRIPT.format(name):
                path.unlink()
                if hook(repo, f"{name}.legacy").exists():
                    hook(repo, f"{name}.legacy").rename(path)


class Lefthook(Tool):
    """lefthook."""

    JOBS = '{0}:\n  jobs:\n    - name: job\n      run: sh .git/job {0} "{{1}}"\n      use_stdin: {1}\n'

    def prepare(self, repo: Repo) -> None:
        self.program = found("lefthook")
        jobs = [self.JOBS.format(name, str(name == "post-rewrite").lower()) for name in self.hooks]
        put(repo.path / "lefthook.yml", "".join(jobs), 0o644)

    def install(self, repo: Repo) -> None:
        run_in(repo, self.program, "install", "--force")

    def uninstall(self, repo: Repo) -> None:
        run_in(repo, self.program, "uninstall")


class Old(Tool):
    """A stand-in for it: puts others' hooks aside as `.old`, does not run them, and comes back by itself."""

    SCRIPT = """\
#!/bin/sh
# LEFTHOOK: a stand-in for it.
call_lefthook()
{{
	shift
	if [ -e .git/changed ]; then
		rm .git/changed
		mv "${{0%.before-ampcommit}}" "${{0%.before-ampcommit}}.old"
		cp "$0" "${{0%.before-ampcommit}}"
	fi
	sh .git/job "$@"
}}

call_lefthook run {0} "$@"
"""

    def install(self, repo: Repo) -> None:
        for name in self.hooks:
            path = hook(repo, name)
            if path.exists() and path.read_text() != self.SCRIPT.format(name):
                path.rename(f"{path}.old")
            put(path, self.SCRIPT.format(name))

    def uninstall(self, repo: Repo) -> None:
        for path in hook(repo, "").iterdir():
            if path.exists() and b"LEFTHOOK" in path.read_bytes():
                path.unlink()
                if Path(f"{path}.old").exists():
                    Path(f"{path}.old").rename(path)


class Lfs(Tool):
    """git-lfs, the real one where *program* says so: it leaves the hooks of others alone, or writes over them."""

    hooks = ("post-commit", "post-merge")
    SCRIPT = '#!/bin/sh\ncommand -v git-lfs >/dev/null || exit 2\ngit lfs {0} "$@"\n'

    def __init__(self, program: str = "") -> None:
        self.program = program

    def prepare(self, repo: Repo) -> None:
        real = found(self.program) if self.program else "true"
        known = "post-checkout | post-commit | post-merge | pre-push"
        log = f'case $1 in {known}) echo "$1" >>.git/ran ;; esac\n'
        log += '[ "$1" != pre-push ] || { cat >.git/pushed; set -- --version; }\n'
        put(repo.path.parent / "lfs" / "git-lfs", f'#!/bin/sh\n{log}exec {real} "$@"\n')
        os.environ["PATH"] = f"{repo.path.parent / 'lfs'}{os.pathsep}{os.environ['PATH']}"

    def install(self, repo: Repo) -> None:
        if self.program:
            run_in(repo, "git", "lfs", "install", "--local", ok=False)
            run_in(repo, "git", "lfs", "update", "--force")
            return
        for name in (*self.hooks, "post-checkout", "pre-push"):
            put(hook(repo, name), self.SCRIPT.format(name))

    def uninstall(self, repo: Repo) -> None:
        if self.program:
            run_in(repo, "git", "lfs", "uninstall", "--local")
            return
        for name in (*self.hooks, "post-checkout", "pre-push"):
            if hook(repo, name).read_text() == self.SCRIPT.format(name):
                hook(repo, name).unlink()


TOOLS: dict[str, Callable[[], Tool]] = {
    "sh": lambda: ByHand("sh"),
    "gerrit": Gerrit,
    "pre-commit": PreCommit,
    "pre-commit's way": Legacy,
    "lefthook": Lefthook,
    "lefthook's way": Old,
    "git-lfs": lambda: Lfs("git-lfs"),
    "git-lfs's way": Lfs,
}
LANGUAGES: dict[str, Callable[[], Tool]] = {"python": lambda: ByHand("python"), "perl": lambda: ByHand("perl")}
RUN_OURS = ("pre-commit", "pre-commit's way")
every_tool = pytest.mark.parametrize("name", TOOLS)


class Clone(Repo):
    """A clone in which an agent works beside a tool."""

    def __init__(self, path: Path, tool: Tool) -> None:
        super().__init__(path)
        self.tool = tool
        path.mkdir(parents=True)
        self("init", "-q")
        shutil.rmtree(path / ".git" / "hooks", ignore_errors=True)
        (path / ".git" / "hooks").mkdir()
        put(path / ".git" / "job", JOB)
        tool.prepare(self)
        self("add", ".")
        self("commit", "-q", "--allow-empty", "-m", "Begin", env={"AMPCOMMIT_MODE": "off"})

    def ran(self) -> Counter[str]:
        """Return how often each hook of the tool ran since the last look."""
        log = self.path / ".git" / "ran"
        lines = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return Counter(line for line in lines if line in shim.HOOKS)

    def save(self, name: str, *args: str) -> str:
        """Commit a file of that name, and return the commit."""
        (self.path / name).write_text("text\n")
        self("add", name)
        self("commit", "-q", "-m", f"Add the file {name}", *args)
        return self.head()


@pytest.fixture
def made(tmp_path: Path, agent: Enter, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Return a function that makes a clone in which an agent works beside the tool of that name."""
    monkeypatch.setenv("PATH", os.environ["PATH"])  # put back what a tool does to it
    agent(PARENT)
    count = iter(range(99))
    return lambda name: Clone(tmp_path / f"{next(count)}" / "repo", (TOOLS | LANGUAGES)[name]())


def lived(clone: Clone, tag: str = "a", *, runs: bool | None = True) -> None:
    """
    Make a commit, an amend, a merge and a rebase; each is recorded once, and no more.

    The hooks of the tool run once each and keep their veto and what they are fed; or with *runs* false none runs,
    and with None nothing is asked of them.
    """
    known, told = {record["commit"] for record in records(clone)}, rewrites(clone)
    (clone.path / ".git" / "fed").unlink(missing_ok=True)
    clone.ran()
    clone("checkout", "-q", "-b", f"main-{tag}")
    start = clone.head()
    first = clone.save(f"{tag}1")
    clone("commit", "-q", "--amend", "-m", "Say more of the first one")
    commits = [first, clone.head()]
    clone("checkout", "-q", "-b", f"side-{tag}")
    commits.append(clone.save(f"{tag}2"))
    clone("checkout", "-q", f"main-{tag}")
    commits.append(clone.save(f"{tag}3"))
    clone("merge", "-q", "--no-ff", "-m", "Merge the side", f"side-{tag}")
    commits.append(clone.head())
    clone("checkout", "-q", "-b", f"work-{tag}", start)
    commits.append(clone.save(f"{tag}4"))
    clone("rebase", "-q", f"main-{tag}")
    commits.append(clone.head())
    pairs = [(commits[0], commits[1]), (commits[5], commits[6])]

    assert sorted(commits) == sorted(record["commit"] for record in records(clone) if record["commit"] not in known)
    assert pairs == [(old, new) for old, new, _, _ in rewrites(clone) if (old, new) not in [one[:2] for one in told]]
    refused = clone.commit("-q", "-m", "Say VETO here", ok=False).returncode
    if runs is not None:
        often = RUNS if "commit-msg" in clone.tool.hooks else RUNS_WITHOUT_VETO
        assert clone.ran() == (Counter({name: often[name] for name in clone.tool.hooks}) if runs else Counter())
        assert (refused != 0) == (runs and "commit-msg" in clone.tool.hooks)
    if runs and clone.tool.fed and "post-rewrite" in clone.tool.hooks:
        fed = (clone.path / ".git" / "fed").read_text().splitlines()
        assert [tuple(line.split()[:2]) for line in fed] == pairs


def hooks_alone(clone: Clone) -> None:
    """Check that the tool's hooks run without ours: they say so, refuse, and nothing is recorded."""
    before = len(records(clone))
    clone.ran()
    clone.save(f"alone-{before}", "-m", f"Amp-Thread-ID: {url(PARENT)}")
    refused = clone.commit("-q", "-m", "Say VETO here", ok=False).returncode
    assert (refused != 0) == ("commit-msg" in clone.tool.hooks)
    assert set(clone.ran()) == {"commit-msg", "post-commit"} & set(clone.tool.hooks)
    assert len(records(clone)) == before


def only_once(clone: Clone, *, known: str = "") -> None:
    """Check that ours stands nowhere but in its place, and never behind another of ours."""
    ours = {path.name for path in hook(clone, "").iterdir() if managers.is_ours(str(path))}
    assert ours == set(shim.HOOKS) - {known}
    assert status(str(clone.path)).works


# Any order.


_WHEREVER: dict[tuple[str, bool], Snapshot] = {}


def beside(made: Made, name: str, *, ours: bool = True) -> Snapshot:
    """Return the hooks of a clone in which the tool came first and ours second: what is lived through below."""
    if (name, ours) not in _WHEREVER:  # the same in every clone
        clone = made(name)
        clone.tool.install(clone)
        if ours:
            install(str(clone.path))
        _WHEREVER[name, ours] = snapshot(clone)
    return _WHEREVER[name, ours]


def alone(made: Made, name: str) -> Snapshot:
    """Return the hooks of a clone in which there is the tool alone."""
    return beside(made, name, ours=False)


@pytest.mark.parametrize("name", [*TOOLS, *LANGUAGES])
def test_ours_after_another_tool(made: Made, name: str) -> None:
    """E14: ours over a tool's: both work; ours gone again, all is as it was, byte for byte, and works."""
    clone = made(name)
    clone.tool.install(clone)
    before = snapshot(clone)
    install(str(clone.path))
    only_once(clone)
    lived(clone)
    uninstall(str(clone.path))

    assert snapshot(clone) == before
    hooks_alone(clone)


@every_tool
def test_another_tool_after_ours(made: Made, name: str) -> None:
    """E14: a tool over ours, then ours again, is the same as the tool first; out again leaves the tool alone."""
    clone = made(name)
    install(str(clone.path))
    clone.tool.install(clone)
    install(str(clone.path))
    only_once(clone)
    assert snapshot(clone) == beside(made, name)
    uninstall(str(clone.path))

    assert snapshot(clone) == alone(made, name)


@every_tool
def test_another_tool_again_after_ours(made: Made, name: str) -> None:
    """E10, E14: the tool, ours, the tool again, ours again: nothing runs in a circle, nothing is judged twice."""
    clone = made(name)
    for _ in range(3):
        clone.tool.install(clone)
        said = clone.commit("-m", "Too short").stderr.decode() if name in RUN_OURS else "AC201"
        assert said.count("AC201") <= 1
        install(str(clone.path))
        install(str(clone.path))
    only_once(clone)
    assert snapshot(clone) == beside(made, name)
    assert clone.commit("-m", "Too short").stderr.decode().count("AC201") == 1
    uninstall(str(clone.path))

    assert snapshot(clone) == alone(made, name)


@every_tool
def test_ours_of_another_version(made: Made, name: str) -> None:
    """E10: after an upgrade ours replaces its older self, wherever a tool has put that; it is nobody's earlier hook."""
    clone = made(name)
    for first in (True, False):
        install(str(clone.path))
        for path in hook(clone, "").iterdir():
            path.write_text(
                path.read_text(errors="surrogateescape").replace("# Written", "# Once"), errors="surrogateescape"
            )
        if first:
            clone.tool.install(clone)
        install(str(clone.path))

        only_once(clone)
        assert snapshot(clone) == beside(made, name)


@every_tool
def test_ours_goes_first_where_a_tool_stands_over_it(made: Made, name: str) -> None:
    """E14: ours can be taken out from under a tool, which then is all that is left."""
    clone = made(name)
    install(str(clone.path))
    clone.tool.install(clone)
    uninstall(str(clone.path))

    assert snapshot(clone) == alone(made, name)


@every_tool
def test_a_tool_goes_first_from_under_ours(made: Made, name: str) -> None:
    """E14: a tool that is uninstalled while ours stands over it leaves ours working, and goes for good after it."""
    clone = made(name)
    empty = snapshot(clone)
    clone.tool.install(clone)
    install(str(clone.path))
    clone.tool.uninstall(clone)
    only_once(clone)
    clone.save("one")
    assert len(records(clone)) == 1
    uninstall(str(clone.path))
    clone.tool.install(clone)
    clone.tool.uninstall(clone)

    assert snapshot(clone) == empty


@pytest.mark.parametrize("name", ["pre-commit", "pre-commit's way", "lefthook", "lefthook's way"])
def test_a_tool_goes_first_from_over_ours(made: Made, name: str) -> None:
    """E14: a tool that put ours aside puts it back, and it works."""
    clone = made(name)
    install(str(clone.path))
    before = snapshot(clone)
    clone.tool.install(clone)
    clone.tool.uninstall(clone)

    assert snapshot(clone) == before
    lived(clone, runs=False)


# What the tools do to hooks that they find in their place.


@pytest.mark.parametrize("name", ["pre-commit", "pre-commit's way"])
@pytest.mark.parametrize("first", [False, True], ids=["ours first", "the tool first"])
def test_ours_works_while_the_framework_runs_it(made: Made, name: str, first: bool) -> None:
    """E14: the pre-commit framework runs ours as `.legacy`, unfed: all is recorded, and its own hooks run once."""
    clone = made(name)
    if first:
        clone.tool.install(clone)
    install(str(clone.path))
    clone.tool.install(clone)

    assert status(str(clone.path)).hooks[0].state == "foreign"
    lived(clone)
    assert {source for _, _, _, source in rewrites(clone)} == {"git", "reflog"}, "what is derived is marked"


@pytest.mark.parametrize("name", ["pre-commit", "pre-commit's way"])
def test_a_hook_before_ours_runs_while_the_framework_runs_ours(made: Made, name: str) -> None:
    """E09, E14: by hand, then ours, then the framework, then ours: the hook by hand runs all along, and comes back."""
    clone = made(name)
    put(hook(clone, "commit-msg"), "#!/bin/sh\necho hand >>.git/hand\n")
    before = snapshot(clone)
    install(str(clone.path))
    clone.tool.install(clone)
    clone.save("one")
    install(str(clone.path))
    only_once(clone)
    clone.save("two")
    install(str(clone.path))
    clone.tool.install(clone)
    clone.save("three")

    assert (clone.path / ".git" / "hand").read_text() == "hand\n" * 3
    assert clone.ran() == Counter({"commit-msg": 3, "post-commit": 3})
    assert len(records(clone)) == 3
    uninstall(str(clone.path))
    clone.tool.uninstall(clone)
    assert snapshot(clone) == before


@pytest.mark.parametrize(
    ("name", "links"),
    [
        *[(name, True) for name in ("pre-commit", "pre-commit's way", "lefthook", "lefthook's way")],
        *[(name, False) for name in ("pre-commit's way", "lefthook's way")],  # how ours is put in place is all the same
    ],
)
def test_a_hook_that_a_tool_put_aside_outlives_the_tool(
    made: Made, monkeypatch: pytest.MonkeyPatch, name: str, links: bool
) -> None:
    """E09, E14: by hand, the tool, ours, the tool again: it would put ours over the hook by hand, which is kept."""
    if not links:
        monkeypatch.setattr(os, "link", denied)
    clone = made(name)
    put(hook(clone, "commit-msg"), "#!/bin/sh\necho hand >>.git/hand\n", 0o744)
    before = snapshot(clone)
    clone.tool.install(clone)
    both = snapshot(clone)
    for _ in range(2):
        install(str(clone.path))
        install(str(clone.path))
        assert clone.save(clone.head()[:9])
        clone.tool.install(clone)
        assert clone.save(clone.head()[:9])
    install(str(clone.path))
    uninstall(str(clone.path))
    assert snapshot(clone) == both
    if name in RUN_OURS:
        assert (clone.path / ".git" / "hand").read_text() == "hand\n" * 4
        assert len(records(clone)) == 4
    clone.tool.uninstall(clone)
    assert snapshot(clone) == before


@pytest.mark.parametrize("name", ["pre-commit", "pre-commit's way"])
def test_a_tool_that_leaves_in_between_takes_no_hook_along(made: Made, name: str) -> None:
    """E09, E14: by hand, the tool, ours, the tool again and out: the next install has the hook by hand back."""
    clone = made(name)
    put(hook(clone, "commit-msg"), "#!/bin/sh\necho hand >>.git/hand\n")
    clone.tool.install(clone)
    install(str(clone.path))
    before = snapshot(clone)
    clone.tool.install(clone)
    clone.tool.uninstall(clone)
    install(str(clone.path))

    assert snapshot(clone) == before


def test_a_hook_that_somebody_gave_up_does_not_come_back(made: Made) -> None:
    """E11: what the framework was told to forget (`pre-commit install -f`) is not woken."""
    clone = made("pre-commit's way")
    put(hook(clone, "commit-msg"), "#!/bin/sh\necho hand >>.git/hand\n")
    clone.tool.install(clone)
    install(str(clone.path))
    clone.tool.install(clone)
    hook(clone, "commit-msg.legacy").unlink()
    install(str(clone.path))
    clone.save("one")

    assert not (clone.path / ".git" / "hand").exists()
    assert {path.name.partition(".")[2] for path in hook(clone, "").iterdir()} == {"", "before-ampcommit"}


def denied(*_: object, **__: object) -> NoReturn:
    """Fail, as a system call that somebody forbids."""
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("name", ["lefthook", "lefthook's way"])
def test_a_tool_that_comes_back_by_itself_is_not_kept_quiet(made: Made, name: str) -> None:
    """E14: lefthook puts its hooks in place again when its configuration changed; ours says so on its way out."""
    clone = made(name)
    clone.tool.install(clone)
    install(str(clone.path))
    config = clone.path / "lefthook.yml"
    config.write_text((config.read_text() if config.exists() else "") + "\nskip_lfs: true\n")
    os.utime(config, (4e9, 4e9))  # lefthook looks at it only once a second
    (clone.path / ".git" / "changed").touch()
    said = clone.commit("-m", "Change what lefthook does").stderr.decode()

    assert said.count("warning: ampcommit: another tool has just put a commit-msg of its own") == 1
    assert " hint: run `ampcommit install` again" in said
    assert status(str(clone.path)).hooks[0].state == "foreign"
    install(str(clone.path))
    only_once(clone)
    assert clone.commit("-q", "-m", "Do as it did before").returncode == 0
    assert records(clone)[-1]["commit"] == clone.head()


def test_a_hook_is_named_where_it_vetoes_and_comes_back(made: Made) -> None:
    """E14: also where the tool refuses the commit in the moment in which it puts ours aside."""
    clone = made("lefthook's way")
    clone.tool.install(clone)
    install(str(clone.path))
    (clone.path / ".git" / "changed").touch()
    done = clone.commit("-m", "Say VETO here", ok=False)

    assert (done.returncode != 0, b"another tool has just put" in done.stderr) == (True, True)
    install(str(clone.path))
    (clone.path / ".git" / "changed").touch()
    unheard = ["sh", "-c", "git commit --allow-empty -m 'Say VETO here' >&- 2>&-"]
    assert subprocess.run(unheard, cwd=clone.path, check=False).returncode != 0


def test_a_replaced_hook_of_a_person_is_never_dropped(made: Made) -> None:
    """E09: where two hooks of people would have to be one, nothing is done."""
    clone = made("sh")
    clone.tool.install(clone)
    install(str(clone.path))
    put(hook(clone, "commit-msg"), "#!/bin/sh\n# git lfs, lefthook, pre-commit.com\n")
    before = snapshot(clone)

    for act in (install, install):
        with pytest.raises(InstallError, match="is already there"):
            act(str(clone.path))
    assert snapshot(clone) == before
    uninstall(str(clone.path))
    assert hook(clone, "commit-msg.before-ampcommit").exists()


def test_two_dead_links_are_two_hooks(made: Made) -> None:
    """E11: what cannot be read is not taken for the same."""
    clone = made("sh")
    hook(clone, "commit-msg").symlink_to("/nonexistent/a")
    hook(clone, "commit-msg.before-ampcommit").symlink_to("/nonexistent/b")

    with pytest.raises(InstallError, match="is already there"):
        install(str(clone.path))


def test_what_was_put_aside_comes_back_where_nothing_stands_in_its_place(made: Made) -> None:
    """E09: somebody removes our script; uninstall still puts back what was there before."""
    clone = made("sh")
    clone.tool.install(clone)
    before = snapshot(clone)
    install(str(clone.path))
    for name in shim.HOOKS:
        hook(clone, name).unlink()
    uninstall(str(clone.path))

    assert snapshot(clone) == before


def test_git_lfs_leaves_ours_alone(made: Made) -> None:
    """E14: git-lfs does not write over ours unasked; ours goes on alone."""
    clone = made("git-lfs")
    install(str(clone.path))
    before = snapshot(clone)

    assert run_in(clone, "git", "lfs", "install", "--local", ok=False) == 2
    assert before.items() <= snapshot(clone).items()
    lived(clone, runs=False)


@pytest.mark.parametrize("name", ["git-lfs", "git-lfs's way"])
def test_pre_push_is_left_to_git_lfs(made: Made, name: str) -> None:
    """E14: the hook that git-lfs has for itself gets what git feeds it."""
    clone = made(name)
    clone.tool.install(clone)
    install(str(clone.path))
    clone.save("one")
    subprocess.run(["git", "init", "-q", "--bare", str(clone.path.parent / "server.git")], check=True)
    clone("push", "-q", str(clone.path.parent / "server.git"), "main")

    assert (clone.path / ".git" / "pushed").read_text().split() == [
        "refs/heads/main",
        clone.head(),
        "refs/heads/main",
        "0" * 40,
    ]


def test_a_change_id_and_a_link_are_one_block(made: Made) -> None:
    """E14, P53: with ours behind it, a hook that adds a trailer hides nothing."""
    clone = made("gerrit")
    clone.tool.install(clone)
    install(str(clone.path))
    clone.save("one")

    assert [line.split(":")[0] for line in clone.head("%(trailers)").split("\n") if line] == [
        "Change-Id",
        "Amp-Thread-ID",
    ]


# Whether somebody calls us.


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('ampcommit hook commit-msg "$@"', True),
        ('  /opt/ampcommit/bin/ampcommit hook --parent "$PPID" commit-msg "$@"', True),
        ('exec "$HOME/bin/ampcommit" hook commit-msg "$1"', True),
        ("sh tools/ampcommit/commit-msg", True),
        ("sh vendor/ampcommit/hooks/commit-msg", True),
        ("    - id: ampcommit-commit-msg", True),
        ("# ampcommit hook commit-msg", False),
        ("\t# ampcommit hook commit-msg", False),
        ("ampcommit hook commit-msg-later", False),
        ("ampcommit hook post-commit", False),
        ("noampcommit hook commit-msg", False),
        ("ampcommit verify commit-msg", False),
        ("", False),
    ],
)
def test_a_call_of_ours_is_recognised(text: str, calls: bool) -> None:
    """What calls us is known, however it is written; what only speaks of us is not taken for it."""
    assert managers.calls_us(f"#!/bin/sh\n{text}\n".encode(), "commit-msg") == calls


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('ampcommit hook pre-push "$@" || :', True),
        ("sh tools/ampcommit/pre-push", True),
        ("      - id: ampcommit-share", True),
        ("      - id: ampcommit-verify", False),
        ("      - id: ampcommit-shared", False),
        ("ampcommit share", False),
        ("ampcommit verify", False),
    ],
)
def test_a_call_at_a_push_is_recognised(text: str, calls: bool) -> None:
    """What publishes records at a push is known, and not taken for what checks the commits there."""
    assert managers.calls_us(f"#!/bin/sh\n{text}\n".encode(), "pre-push") == calls
    assert not managers.calls_us(b"- id: ampcommit-share\n", "commit-msg")


# Hooks that git's configuration names (git 2.54 and newer).


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the command `ampcommit` on PATH."""
    monkeypatch.setenv("PATH", command_on_path(tmp_path)["PATH"])


@pytest.fixture
def configurable() -> None:
    """Skip the test where git does not know hooks in its configuration."""
    if version(Git()) < (2, 54):
        pytest.skip("this git knows no hooks in its configuration: they came with 2.54")


def configure(repo: Repo, command: str, *names: str, scope: str = "--local") -> None:
    """Let git's configuration run a command as hooks."""
    for name in names or shim.HOOKS:
        repo("config", scope, f"hook.ours-{name}.event", name)
        repo("config", scope, f"hook.ours-{name}.command", command.format(name))


@pytest.mark.usefixtures("configurable", "on_path")
@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_hook_in_the_configuration_is_not_installed_again(repo: Repo, agent: Enter, scope: str) -> None:
    """E44: where git's configuration calls us, install writes no script, and each commit is recorded once."""
    agent(PARENT)
    configure(repo, "ampcommit hook {}", scope=scope)
    before = snapshot(repo)
    setup = install(str(repo.path))

    assert ([found.state for found in setup.hooks], setup.works) == (["by hand"] * 4, True)
    assert snapshot(repo) == before
    repo.commit("-q", "-m", "Add the parser")
    repo.commit("-q", "--amend", "-m", "Add the parser again")
    assert (len(records(repo)), len(rewrites(repo))) == (2, 1)


@pytest.mark.usefixtures("configurable", "on_path")
def test_a_hook_in_the_configuration_needs_no_folder(repo: Repo, agent: Enter) -> None:
    """E12, E44: git runs it whatever core.hooksPath says, so nothing is refused."""
    agent(PARENT)
    configure(repo, "ampcommit hook {}")
    repo("config", "core.hooksPath", "/dev/null")

    assert install(str(repo.path)).works
    repo.commit("-q", "-m", "Add the parser")
    assert len(records(repo)) == 1


@pytest.mark.usefixtures("configurable", "on_path")
def test_what_the_configuration_leaves_out_is_installed(repo: Repo, agent: Enter) -> None:
    """E44: a script is written for each hook that the configuration does not call us as."""
    agent(PARENT)
    configure(repo, "ampcommit hook {}", "commit-msg")
    assert [found.state for found in install(str(repo.path)).hooks] == ["by hand"] + ["installed"] * 3
    assert not hook(repo, "commit-msg").exists()
    repo.commit("-q", "-m", "Add the parser")
    assert len(records(repo)) == 1


@pytest.mark.usefixtures("configurable", "on_path")
def test_a_push_in_the_configuration_shares(repo: Repo, tmp_path: Path, agent: Enter) -> None:
    """E44: where git's configuration calls us at a push, no script is written, and records are published."""
    agent(PARENT)
    server = Repo(tmp_path / "server.git")
    subprocess.run(["git", "init", "-q", "--bare", str(server.path)], check=True)
    repo("remote", "add", "origin", str(server.path))
    configure(repo, "ampcommit hook {}", *shim.HOOKS, "pre-push")
    setup = install(str(repo.path), sharing=True)
    assert (setup.pushing.state, setup.works, hook(repo, "pre-push").exists()) == ("by hand", True, False)
    repo.commit("-q", "-m", "Add the parser")
    repo("push", "-q", "origin", "main")

    assert repo.head() in server("notes", "--ref=ampcommit", "list")


@pytest.mark.usefixtures("configurable")
def test_two_ways_at_once_are_named(repo: Repo) -> None:
    """E44: where scripts of ours are there as well, install says so and changes nothing; uninstall is the way out."""
    install(str(repo.path))
    before = snapshot(repo)
    configure(repo, "ampcommit hook {}", "post-commit")
    with pytest.raises(InstallError, match="calls ampcommit as post-commit, and so do our scripts"):
        install(str(repo.path))

    assert snapshot(repo) == before
    uninstall(str(repo.path))
    assert [found.state for found in install(str(repo.path)).hooks] == [
        "installed",
        "by hand",
        "installed",
        "installed",
    ]


@pytest.mark.usefixtures("configurable")
@pytest.mark.parametrize(
    ("command", "extra", "counts"),
    [
        ("sh {scripts}/{{}}", {}, True),
        ("sh ~/{{}}", {}, True),
        ("ampcommit hook {{}}", {"hook.ours-commit-msg.enabled": "false"}, False),
        ("ampcommit hook {{}}", {"hook.ours-commit-msg.command": "linter"}, False),
        ("ampcommit hook other", {}, False),
        ("sh 'unbalanced", {}, False),
    ],
    ids=["portable script", "in the home", "switched off", "overridden", "another", "garbled"],
)
def test_what_in_the_configuration_calls_us(repo: Repo, command: str, extra: dict[str, str], counts: bool) -> None:
    """E44: the command that git would run decides, and whether it would run it."""
    scripts = repo.path.parent / "scripts"
    for folder in (scripts, Path.home()):
        put(folder / "commit-msg", shim.portable("commit-msg"))
    configure(repo, command.format(scripts=shlex.quote(str(scripts))), "commit-msg")
    for key, value in extra.items():
        repo("config", key, value)

    assert (status(str(repo.path)).hooks[0].state == "by hand") == counts


@pytest.mark.parametrize(
    ("knows", "command", "states"),
    [
        ("2.55.0", "ampcommit hook {}", ["by hand"] * 4),
        ("2.55.0", "sh 'unbalanced", ["absent"] * 4),
        ("2.53.0", "ampcommit hook {}", ["absent"] * 4),
    ],
    ids=["called", "garbled", "older"],
)
def test_what_a_newer_git_says_of_its_hooks_is_heard(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, knows: str, command: str, states: list[str]
) -> None:
    """E44: the same with a stand-in for what a newer git adds, wherever the tests run."""
    script = f"""\
#!/bin/sh
for last; do :; done
case $* in
*" version") echo git version {knows} ;;
*" hook list -z "*) printf 'ours-%s\\0' "$last" ;;
*) exec {found("git")} "$@" ;;
esac
"""
    put(repo.path.parent / "bin" / "git", script)
    configure(repo, command)
    monkeypatch.setenv("PATH", f"{repo.path.parent / 'bin'}{os.pathsep}{os.environ['PATH']}")

    assert [found.state for found in status(str(repo.path)).hooks] == states
    if knows == "2.55.0" and "unbalanced" not in command:
        put(hook(repo, "post-commit"), shim.portable("post-commit"))
        with pytest.raises(InstallError, match="calls ampcommit as post-commit, and so do our scripts"):
            install(str(repo.path))


def test_an_older_git_runs_no_hook_of_the_configuration(repo: Repo) -> None:
    """E44: what git does not run does not count."""
    if version(Git()) >= (2, 54):
        pytest.skip("this git runs hooks of its configuration")
    configure(repo, "ampcommit hook {}")

    assert [found.state for found in install(str(repo.path)).hooks] == ["installed"] * 4


@pytest.mark.parametrize(
    "content", [b"\n" * 1_000_000, b"#!/bin/sh\n" + b"call_lefthook()\n" * 60_000, b" " * 1_000_000]
)
def test_a_long_script_takes_no_longer_than_its_length(content: bytes) -> None:
    """Scripts and configurations of others, which a repository may bring along, are read once from end to end."""
    assert (managers.made_by(content), managers.calls_us(content, "commit-msg")) == (None, False)
