"""What is printed for hooks of other people: it is exact, and who follows it is recorded, once."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from ampcommit import shim
from ampcommit.setup import managers, recipes
from ampcommit.verbs.install import install, status
from tests.conftest import PARENT, ROOT, Repo, Run
from tests.test_commits import put, records, rewrites
from tests.test_managers import TOOLS, Clone, Enter, Old, Tool, found, hook, lived, run_in, snapshot
from tests.test_places import command_on_path

# Folders of others.


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the command `ampcommit` on PATH."""
    monkeypatch.setenv("PATH", command_on_path(tmp_path)["PATH"])


def refused(repo: Repo, *, sharing: bool = False) -> recipes.Elsewhere:
    """Try to install where that is refused, with nothing written in the clone's own folder."""
    before = snapshot(repo)
    with pytest.raises(recipes.Elsewhere) as caught:
        install(str(repo.path), sharing=sharing)
    assert (caught.value.exit_code, snapshot(repo)) == (3, before)
    assert "nothing was written" in str(caught.value)
    return caught.value


def follow(repo: Repo, recipe: str) -> None:
    """Put the lines of a *recipe* for scripts into the files that it names."""
    for block in recipe.split("\n\n"):
        where, line = block.rstrip("\n").split("\n")
        if line:
            path = repo.path / where.removeprefix("# ").partition(",")[0]
            put(path, (path.read_text() if path.exists() else "#!/bin/sh\n") + f"{line}\n")


class Husky(Tool):
    """husky, or a stand-in for it: a folder of its own calls the scripts in the one above."""

    SCRIPT = '#!/bin/sh\ns="$(dirname "$(dirname "$0")")/$(basename "$0")"\n[ ! -f "$s" ] || exec sh -e "$s" "$@"\n'

    def __init__(self, program: str) -> None:
        self.program = program

    def install(self, repo: Repo) -> None:
        if self.program:
            run_in(repo, found(self.program))
            return
        repo("config", "core.hooksPath", ".husky/_")
        for name in (*shim.HOOKS, "pre-push"):
            put(repo.path / ".husky" / "_" / name, self.SCRIPT)

    def uninstall(self, repo: Repo) -> None:
        repo("config", "--unset", "core.hooksPath")


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(
    ("program", "first"), [("husky", True), ("", False)], ids=["husky after ours", "husky's way before ours"]
)
def test_husky_is_told_to_call_us(tmp_path: Path, agent: Enter, program: str, first: bool) -> None:
    """E12, E14: with husky nothing is written and the recipe is printed; who follows it has both, in any order."""
    agent(PARENT)
    clone = Clone(tmp_path / "repo", Husky(program))
    if first:
        install(str(clone.path))
    clone.tool.install(clone)
    for name in shim.HOOKS:
        put(clone.path / ".husky" / name, f'sh .git/job {name} "$@"\n', 0o644)
    error = refused(clone)
    assert "which is husky's" in str(error)
    assert [found.state for found in status(str(clone.path)).hooks] == ["foreign"] * 4

    hand = {name: (clone.path / ".husky" / name).read_text() for name in shim.HOOKS}
    follow(clone, error.recipe)
    for name in ("post-rewrite",):  # what reads standard input comes after ours, and finds nothing there
        put(clone.path / ".husky" / name, f'{recipes.LINES[name]}\nsh .git/job {name} "$@"\n', 0o644)
    clone.tool.fed = False
    assert [found.state for found in install(str(clone.path)).hooks] == ["by hand"] * 4
    clone("add", ".")
    clone("commit", "-q", "-n", "-m", "Call ampcommit")
    lived(clone)

    for name, text in hand.items():
        put(clone.path / ".husky" / name, text, 0o644)
    clone.tool.uninstall(clone)
    assert status(str(clone.path)).works == first


def test_husky_without_its_own_scripts_runs_nothing(repo: Repo) -> None:
    """E12: a clone in which husky was not installed yet has no hooks, whatever stands in `.husky`."""
    repo("config", "core.hooksPath", ".husky/_")
    put(repo.path / ".husky" / "commit-msg", f"{recipes.LINES['commit-msg']}\n")

    assert [found.state for found in status(str(repo.path)).hooks] == ["absent"] * 4


def test_husky_in_a_folder_of_another_name(repo: Repo) -> None:
    """E12: husky can be told to use another folder."""
    repo("config", "core.hooksPath", "config/hooks/_")
    put(repo.path / "config" / "hooks" / "_" / "h", "#!/bin/sh\n")

    assert "# config/hooks/post-merge\nampcommit hook post-merge" in refused(repo).recipe


@pytest.mark.usefixtures("on_path")
def test_a_folder_of_scripts_is_told_to_call_us(repo: Repo, agent: Enter) -> None:
    """E12: who manages hooks in a folder of his own adds the lines there; what is there already is not asked for."""
    agent(PARENT)
    repo("config", "core.hooksPath", ".githooks")
    put(repo.path / ".githooks" / "commit-msg", shim.portable("commit-msg"))
    error = refused(repo)
    assert "a folder of the work tree" in str(error)
    assert "commit-msg" not in error.recipe
    lines = error.recipe.partition("\n# A script")[0]
    follow(repo, lines.replace(f"# {repo.path}/", "# "))

    assert [found.state for found in install(str(repo.path)).hooks] == ["installed"] + ["by hand"] * 3
    repo.commit("-q", "-m", "Add the parser")
    assert len(records(repo)) == 1


def test_a_call_that_git_would_not_run_is_broken(repo: Repo) -> None:
    """E20: a script that is not executable is not run, whatever it says."""
    put(hook(repo, "post-commit"), f"#!/bin/sh\n{recipes.LINES['post-commit']}\n", 0o644)

    assert status(str(repo.path)).hooks[1].state == "broken"


@pytest.mark.parametrize("scope", ["local", "global"])
def test_a_folder_outside_is_named(repo: Repo, tmp_path: Path, scope: str) -> None:
    """E12: a folder for many clones is not written to; the way to have one's own is named."""
    repo("config", f"--{scope}", "core.hooksPath", str(tmp_path / "shared"))
    error = refused(repo)

    assert ("for all your clones" in str(error)) == (scope == "global")
    assert f"git config core.hooksPath '{repo.path}/.git/hooks'" in error.hint
    repo("config", "core.hooksPath", f"{repo.path}/.git/hooks")
    assert install(str(repo.path)).works


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("name", ["lefthook", "lefthook's way"])
def test_lefthook_is_told_to_call_us(tmp_path: Path, agent: Enter, name: str) -> None:
    """E12, E14: where lefthook owns the folder, what is printed is its configuration, and works as it is."""
    agent(PARENT)
    clone = Clone(tmp_path / "repo", TOOLS[name]())
    clone.tool.install(clone)
    shutil.copytree(hook(clone, ""), tmp_path / "hooks")
    clone("config", "core.hooksPath", str(tmp_path / "hooks"))
    error = refused(clone)
    assert "lefthook" in str(error)
    jobs = yaml.safe_load(error.recipe)
    assert {hook: [job["name"] for job in jobs[hook]["jobs"]] for hook in jobs} == {
        hook: ["ampcommit"] for hook in shim.HOOKS
    }
    if name != "lefthook":
        return

    clone("config", "--unset", "core.hooksPath")
    (clone.path / "lefthook.yml").write_text(error.recipe)
    clone("add", ".")
    clone.tool.install(clone)
    assert [found.state for found in install(str(clone.path)).hooks] == ["by hand"] * 4
    assert not managers.is_ours(str(hook(clone, "commit-msg")))
    clone("commit", "-q", "-n", "-m", "Call ampcommit")
    lived(clone, runs=False)
    assert clone.commit("-q", "-m", "No link", env=nobody(), ok=False).returncode == 1


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("name", ["pre-commit", "pre-commit's way"])
def test_pre_commit_is_told_to_call_us(tmp_path: Path, agent: Enter, name: str) -> None:
    """E12, E14: where the pre-commit framework put its scripts, what is printed is its configuration, and works."""
    agent(PARENT)
    clone = Clone(tmp_path / "repo", TOOLS[name]())
    clone.tool.install(clone)
    shutil.copytree(hook(clone, ""), tmp_path / "hooks")
    clone("config", "core.hooksPath", str(tmp_path / "hooks"))
    error = refused(clone)
    assert "pre-commit" in str(error)
    config = yaml.safe_load(error.recipe)
    assert [entry["stages"] for entry in config["repos"][0]["hooks"]] == [[name] for name in shim.HOOKS]
    clone("config", "--unset", "core.hooksPath")
    under_pre_commit(clone, name, error.recipe)


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("name", ["pre-commit", "pre-commit's way"])
def test_the_entries_that_we_offer_to_pre_commit(tmp_path: Path, agent: Enter, name: str) -> None:
    """E14: as a `repo:` of ours in its configuration, all four hooks do their work, the pairs derived and marked."""
    offered = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    entries = [entry | {"language": "system"} for entry in offered if entry["stages"] != ["pre-push"]]
    assert [entry["stages"] for entry in entries] == [[name] for name in shim.HOOKS]
    for entry in entries:
        del entry["minimum_pre_commit_version"]
    config = {"default_install_hook_types": list(shim.HOOKS), "repos": [{"repo": "local", "hooks": entries}]}
    agent(PARENT)
    clone = Clone(tmp_path / "repo", TOOLS[name]())
    under_pre_commit(clone, name, yaml.safe_dump(config))
    if name == "pre-commit":
        lived(clone, runs=False)
        assert {source for _, _, _, source in rewrites(clone)} == {"git", "reflog"}


def under_pre_commit(clone: Clone, name: str, config: str) -> None:
    """Let the framework alone call us, by this configuration; with the stand-in, look only at what is seen of it."""
    (clone.path / ".pre-commit-config.yaml").write_text(config)
    clone("add", ".")
    clone.tool.install(clone)
    assert [found.state for found in install(str(clone.path)).hooks] == ["by hand"] * 4
    assert not managers.is_ours(str(hook(clone, "commit-msg")))
    if name == "pre-commit":
        assert clone.commit("-q", "-m", "No link", env=nobody(), ok=False).returncode == 1
        clone.commit("-q", "-m", "Add the parser")
        assert len(records(clone)) == 1


def nobody() -> Mapping[str, str]:
    """Return the environment of a person, for whom no thread is at work."""
    return dict.fromkeys(("AGENT", "AGENT_THREAD_ID", "AMP_CURRENT_THREAD_ID"), "")


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("name", ["lefthook", "pre-commit", "offered to pre-commit"])
def test_a_manager_that_is_told_to_share_does(tmp_path: Path, agent: Enter, name: str) -> None:
    """E12, E14: the lines that are printed for a push publish the records of what is pushed, also as we offer them."""
    agent(PARENT)
    clone = Clone(tmp_path / "repo", TOOLS[name.rpartition(" ")[2]]())
    server = Repo(tmp_path / "server.git")
    subprocess.run(["git", "init", "-q", "--bare", str(server.path)], check=True)
    clone("remote", "add", "origin", str(server.path))
    clone.tool.install(clone)
    shutil.copytree(hook(clone, ""), tmp_path / "hooks")
    clone("config", "core.hooksPath", str(tmp_path / "hooks"))
    recipe = refused(clone, sharing=True).recipe
    clone("config", "--unset", "core.hooksPath")
    if name.startswith("offered"):
        offered = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
        entries = [entry | {"language": "system"} for entry in offered if entry["id"] != "ampcommit-verify"]
        types = list(recipes.LINES)
        recipe = yaml.safe_dump(
            {"default_install_hook_types": types, "repos": [{"repo": "local", "hooks": entries}]}
        ).replace("minimum_pre_commit_version: 3.2.0", "minimum_pre_commit_version: '0'")
    (clone.path / ("lefthook.yml" if name == "lefthook" else ".pre-commit-config.yaml")).write_text(recipe)
    clone("add", ".")
    clone.tool.install(clone)
    setup = install(str(clone.path), sharing=True)
    assert (setup.pushing.state, setup.works, setup.fetched) == ("by hand", True, ["origin"])
    clone("commit", "-q", "-m", "Call ampcommit")
    clone("push", "-q", "origin", "HEAD:refs/heads/main")
    clone.commit("-q", "-m", "Add the parser")
    clone("push", "-q", "origin", "HEAD:refs/heads/main")

    noted = {line.split()[1] for line in server("notes", "--ref=ampcommit", "list").splitlines()}
    assert clone.head() in noted


@pytest.mark.usefixtures("on_path")
def test_husky_is_told_to_share(tmp_path: Path, agent: Enter) -> None:
    """E12: the line for husky's `pre-push` publishes the records of what is pushed."""
    agent(PARENT)
    clone = Clone(tmp_path / "repo", Husky(""))
    server = Repo(tmp_path / "server.git")
    subprocess.run(["git", "init", "-q", "--bare", str(server.path)], check=True)
    clone("remote", "add", "origin", str(server.path))
    clone.tool.install(clone)
    follow(clone, refused(clone, sharing=True).recipe)
    assert install(str(clone.path), sharing=True).pushing.state == "by hand"
    clone.commit("-q", "-m", "Add the parser")
    clone("push", "-q", "origin", "HEAD:refs/heads/main")

    assert clone.head() in server("notes", "--ref=ampcommit", "list")


# The command line.


def test_the_lines_are_printed_and_nothing_is_written(run: Run, repo: Repo) -> None:
    """Who manages hooks himself gets four lines, ready to paste; in any folder."""
    before = snapshot(repo)
    done = run("install", "--print")

    assert (done.status, done.err, snapshot(repo)) == (0, "", before)
    lines = [line for line in done.out.split("\n") if line and not line.startswith("# ")]
    assert lines == [recipes.LINES[name] for name in shim.HOOKS]
    assert recipes.LINES["pre-push"] in run("install", "--print", "--share").out.split("\n")
    assert not (repo.path / ".git" / "ampcommit").exists()
    shutil.rmtree(repo.path / ".git")
    assert run("install", "--print").out == done.out


def test_the_lines_as_json(run: Run) -> None:
    """Machines get each line under the name of its hook."""
    four = {name: recipes.LINES[name] for name in shim.HOOKS}
    assert run("install", "--print", "--json").data == {"schema": "ampcommit.hooks/1", "hooks": four}
    assert run("install", "--print", "--share", "--json").data["hooks"] == recipes.LINES


def test_a_recipe_is_printed_and_the_status_is_three(run: Run, repo: Repo) -> None:
    """E12: what to add goes to stdout, why and where to stderr, in two lines; nothing in it acts on a terminal."""
    repo("config", "core.hooksPath", "../\x1b[2J")
    done = run("install")

    assert done.status == 3
    assert [line[:7] for line in done.err.splitlines()] == ["error: ", " hint: "]
    four = {name: recipes.LINES[name] for name in shim.HOOKS}
    assert all(line in done.out.split("\n") for line in four.values())
    assert "\x1b" not in done.out + done.err
    assert run("install", "--json").parsed == {"schema": "ampcommit.hooks/1", "hooks": four}
    assert recipes.LINES["pre-push"] in run("install", "--share").out.split("\n")


def test_who_installs_over_lefthook_is_told(run: Run, repo: Repo) -> None:
    """E14: it would put ours aside some day; there is a better way, and machines are not talked to."""
    for name in shim.HOOKS:
        put(hook(repo, name), Old.SCRIPT.format(name))

    assert run("install").err.startswith("note: when lefthook.yml changes, ")
    assert run("install", "--json").data["works"]


@pytest.mark.parametrize("line", recipes.LINES.values(), ids=recipes.LINES)
@pytest.mark.parametrize(("code", "refuses"), [(0, False), (33, True), (130, True), (70, False), (127, False)])
def test_a_line_refuses_only_what_the_policy_refuses(tmp_path: Path, line: str, code: int, refuses: bool) -> None:
    """The line lets no failure of ours cost a commit, also under `sh -e`; a missing command is one of those."""
    put(tmp_path / "ampcommit", f"#!/bin/sh\nexit {code}\n")
    shell = [found("sh"), "-e", "-c", line]
    done = subprocess.run(shell, env={"PATH": str(tmp_path)}, stderr=subprocess.DEVNULL, check=False)

    assert (done.returncode != 0) == (refuses and "commit-msg" in line)


def test_who_installs_beside_nobody_is_told_nothing(run: Run) -> None:
    """Where none is needed, there is no advice."""
    assert run("install").err == ""
