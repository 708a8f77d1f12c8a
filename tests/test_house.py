"""Promises of the repository itself: what hooks load, who may import whom, what docs and code say of each other."""

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ampcommit
from ampcommit import __version__, errors, shim
from ampcommit.errors import AmpcommitError
from ampcommit.gate import commit_rules
from ampcommit.verbs import install
from ampcommit.verbs.online import Online
from tests.conftest import AMP, CHILD, ROOT, Repo

PACKAGE = Path(ampcommit.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__"))
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in FILES}
TESTS = sorted((ROOT / "tests").glob("test_*.py"))
README = (ROOT / "README.md").read_text()

# What each hook may load beside an interpreter that does nothing; each entry was weighed in milliseconds.
OF_BOTH = {"call", "errors", "escape", "files", "gitcmd", "hook", "note", "place", "record"}
OF_COMMIT_MSG = OF_BOTH | {"current", "link", "linking", "message", "policy", "rules", "settings"}
OF_COMMIT_MSG |= {"threads"}
OF_POST_COMMIT = OF_BOTH | {"ledger", "recording"}
OF_POST_REWRITE = {"link", "message", "policy", "rewriting", "rewritten", "rules", "settings"}
STANDARD = {"_collections_abc", "_stat", "fcntl", "genericpath", "os", "os.path", "posixpath", "select", "stat"}
DIGESTS = {"_sha2", "_sha256"}

COMMANDS = ["install", "uninstall", "status", "doctor", "hook", "verify", "show", "demo"]
COMMANDS += ["chain", "resolve", "use", "current", "sync", "stats"]
COMMANDS += ["log", "share", "carry"]
COMMANDS += ["ledger check", "ledger list", "ledger path", "ledger rebuild", "ledger export", "ledger import"]


def loaded(repo: Repo, name: str, *args: str, fed: str = "") -> set[str]:
    """Run the hook *name* as its script does and return the modules it loaded beyond an idle interpreter's."""
    code = (
        "import sys; before = set(sys.modules); sys.path.append(sys.argv[1]); import os; "
        "from ampcommit.hook import main; assert main(sys.argv[2], 0, sys.argv[3:]) == 0; "
        "print(*(set(sys.modules) - before))"
    )
    argv = [install.interpreter(), "-I", "-S", "-c", code, install.package(), name, *args]
    done = subprocess.run(argv, cwd=repo.path, input=fed, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    return set(done.stdout.split())


def ours(names: set[str]) -> set[str]:
    """Keep our own modules, without the name of the package."""
    return {name.removeprefix("ampcommit.") for name in names if name.startswith("ampcommit.")}


def functions() -> "Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]":
    """Yield every function of the package with where it is."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}.{node.name}", node


def test_commit_msg_loads_what_was_weighed_and_no_more(repo: Repo, agent: Callable[[str], None]) -> None:
    """A linked and validated commit pays for no module that it does not need."""
    agent(CHILD)
    (repo.path / "MSG").write_text("Say what changes\n")

    names = loaded(repo, "commit-msg", "MSG")

    assert CHILD in (repo.path / "MSG").read_text()
    assert ours(names) == OF_COMMIT_MSG
    assert names - {f"ampcommit.{name}" for name in OF_COMMIT_MSG} - {"ampcommit"} <= STANDARD


def test_post_commit_loads_what_was_weighed_and_no_more(installed: Repo, agent: Callable[[str], None]) -> None:
    """A recorded commit whose note fits pays for no module that it does not need."""
    agent(CHILD)
    installed.commit("-m", "Say what changes")
    (installed.path / "MSG").write_text("Say what changes\n")
    loaded(installed, "commit-msg", "MSG")
    installed("-c", "core.hooksPath=/dev/null", "commit", "--allow-empty", "-qF", "MSG")

    names = loaded(installed, "post-commit")

    assert ours(names) == OF_POST_COMMIT
    assert {name for name in names if not name.startswith("ampcommit")} <= STANDARD | DIGESTS


def test_post_merge_loads_what_post_commit_does(installed: Repo) -> None:
    """A fast-forward, which every pull may be, pays for no module that it does not need."""
    installed.commit("-q", "--no-verify", "-m", "Say what changes")

    names = loaded(installed, "post-merge", "0")

    assert ours(names) <= OF_POST_COMMIT | {"current", "link", "message", "policy", "rules", "settings"}
    assert {name for name in names if not name.startswith("ampcommit")} <= STANDARD | DIGESTS


def test_post_rewrite_loads_what_was_weighed_and_no_more(installed: Repo) -> None:
    """An amend pays for no regular expressions, no JSON and no library."""
    link = f"Amp-Thread-ID: https://ampcode.com/threads/{CHILD}"
    installed.commit("-q", "-m", "Say what changes", "-m", link)
    installed.commit("-q", "--amend", "-m", "Say it better", "-m", link)
    (installed.path / ".git" / "hooks" / "post-rewrite").unlink()
    old = installed("rev-parse", "HEAD@{1}")

    names = loaded(installed, "post-rewrite", "amend", fed=f"{old} {installed.head()}\n")

    assert ours(names) == OF_POST_COMMIT | OF_POST_REWRITE
    assert {name for name in names if not name.startswith("ampcommit")} <= STANDARD | DIGESTS | {"mmap"}


def test_contracts_hold() -> None:
    """Nobody imports from a floor above, and a library has one room."""
    done = subprocess.run(["lint-imports", "--no-cache"], cwd=ROOT, env=tooled(), capture_output=True, check=False)

    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("record", "import ampcommit.hook"),
        ("rules", "import typer"),
        ("verbs/show", "import rich"),
        ("ledger", "import git"),
        ("amp/client", "import httpx"),
        ("amp/store", "import pydantic"),
    ],
)
def test_contracts_break_when_they_should(tmp_path: Path, module: str, line: str) -> None:
    """An import that the floors forbid is found: the contracts are no decoration."""
    shutil.copytree(PACKAGE, tmp_path / "ampcommit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "ampcommit" / f"{module}.py").open("a") as file:
        file.write(f"\n{line}\n")

    environ = tooled() | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(["lint-imports", "--no-cache"], cwd=tmp_path, env=environ, capture_output=True, check=False)

    assert done.returncode == 1, done.stdout.decode()


def tooled() -> dict[str, str]:
    """Return an environment in which this interpreter's own tools come first."""
    folder = os.path.dirname(sys.executable)
    return dict(os.environ) | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_broad_excepts_are_these() -> None:
    """Only three places catch everything: the hook, the command line, and the clean-up of an atomic write."""
    found = []
    for where, function in functions():
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler):
                kind = ast.unparse(node.type) if node.type else "everything"
                found += [where] if kind in ("Exception", "BaseException", "everything") else []

    assert sorted(found) == ["cli.app.main", "files.write_atomic", "hook.main"]


def test_rooms_and_functions_stay_small() -> None:
    """A module has at most 300 lines, the command line 250, a function 40."""
    lines = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    long = [where for where, node in functions() if (node.end_lineno or 0) - node.lineno + 1 > 40]

    assert [module for module, count in lines.items() if count > (250 if module == "cli.app" else 300)] == []
    assert long == []


def test_the_table_of_rooms_is_the_contract() -> None:
    """docs/architecture.md shows each module on the floor on which `lint-imports` holds it, or its package."""
    (floors,) = [
        contract["layers"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        if contract["id"] == "floors"
    ]
    names = ["ground", *map(str, range(len(floors) - 1))][::-1]
    contract = [(name, room.strip()) for name, floor in zip(names, floors, strict=True) for room in floor.split("|")]

    text = (ROOT / "docs" / "architecture.md").read_text()
    table = re.findall(r"^\| (\w+) \| `(\w+)(?:/\w+)?\.py` \|", text, re.MULTILINE)
    shown = re.findall(r"^\| \w+ \| `([\w/]+)\.py` \|", text, re.MULTILINE)
    assert list(dict.fromkeys(table)) == contract
    assert sorted(name.replace("/", ".") for name in shown if name != "__main__") == sorted(MODULES)


def test_every_module_has_its_tests() -> None:
    """What a module promises is found in the test file of the same name, or of its package's name and its own."""
    tests = {path.stem for path in TESTS}
    untested = [
        module
        for module in MODULES
        if not tests & {f"test_{module.rpartition('.')[2]}", f"test_{module.replace('.', '_')}"}
    ]

    assert untested == ["errors"]  # its tree is held below


def test_every_test_says_what_it_promises() -> None:
    """Each test has a sentence, and none replaces a piece of ours by a fake."""
    silent = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node):
                silent.append(f"{path.stem}.{node.name}")

    assert silent == []
    assert not [path.stem for path in TESTS if re.search(r"mock\.patch\b|\bMagicMock\(", path.read_text())]


def test_the_tree_of_failures_is_the_truth() -> None:
    """Every failure stands in the picture at the top of errors.py, with its exit code."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AmpcommitError)]

    assert len(kinds) == 9
    for kind in kinds:
        assert re.search(rf"{kind.__name__} +{kind.exit_code} ", errors.__doc__ or ""), kind


@pytest.mark.parametrize("name", shim.HOOKS)
def test_the_portable_hooks_are_the_template(name: str) -> None:
    """What stands in hooks/ is what the package says, and it can be executed."""
    path = ROOT / "hooks" / name

    assert path.read_text() == shim.portable(name)
    assert os.access(path, os.X_OK)


def test_the_changelog_opens_with_this_version() -> None:
    """A release cannot forget its notes."""
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[0] == __version__


@functools.cache
def helps() -> dict[str, str]:
    """Return what `--help` of every command prints, all in one process."""
    code = (
        "import contextlib, io, json, sys\nfrom ampcommit.cli.app import main\nsaid = {}\n"
        "for name in sys.argv[1:]:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):\n"
        "        main([*name.split(), '--help'])\n"
        "    said[name] = out.getvalue()\n"
        "print(json.dumps(said))"
    )
    environ = dict(os.environ) | {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    argv = [sys.executable, "-c", code, *COMMANDS]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    printed: dict[str, str] = json.loads(done.stdout)
    return printed


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_shows_the_help_of_every_command(command: str) -> None:
    """What the README says of a command is what its --help prints."""
    section = README.partition(f"<!-- help: {command} -->")[2].partition("<!-- /help -->")[0]

    assert clean_lines(helps()[command]) == clean_lines(section.replace("```text", "").replace("```", ""))


def clean_lines(text: str) -> list[str]:
    """Return the lines of *text* that show something, without trailing blanks."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_every_command_is_explained() -> None:
    """No command is left out of the README."""
    from ampcommit.cli.app import app
    from ampcommit.cli.ledger import app as ledger_app

    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    names += [f"ledger {command.name}" for command in ledger_app.registered_commands]

    assert sorted(names) == sorted(COMMANDS)


def test_every_finding_has_its_page() -> None:
    """A code that a check can yield is explained in docs/findings.md."""
    pages = set(re.findall(r"^## (AC\d+)", (ROOT / "docs" / "findings.md").read_text(), re.MULTILINE))
    checks = [*commit_rules.CHECKS, Online]
    yielded = {code for check in checks for code in re.findall(r"AC\d+", check.__doc__ or "")}

    assert yielded == pages


def test_samples_are_what_the_client_wrote() -> None:
    """The test data holds every generation of the client's samples."""
    assert {path.name for path in AMP.iterdir()} == {"2026-01", "2026-05", "2026-09"}
    assert (AMP / "2026-01" / "threads-agent-handoff" / f"{CHILD}.json").stat().st_size == 3077
