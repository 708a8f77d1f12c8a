"""Where `ampcommit verify` plugs in: action, templates, pre-commit and a server's hook, run as their hosts would."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml

import ampcommit
from ampcommit import shim
from tests.conftest import CHILD, OTHER, PARENT, ROOT, Repo, command, url
from tests.test_carry import Forge

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
INSTALL, FETCH, VERIFY = ACTION["runs"]["steps"]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
}
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "ci" / "gitlab-ci.yml").read_text())["ampcommit"]
LOCK = ROOT / "docs" / "ci" / "requirements.txt"
GUIDE = (ROOT / "docs" / "ci.md").read_text()
BLOCKS = [textwrap.dedent(block) for block in re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```", GUIDE)]

LINK = f"Amp-Thread-ID: {url(CHILD)}"
PIN = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
NOTHING = "0" * 40


def executable(path: Path, *lines: str) -> Path:
    """Write the shell script *lines* to *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the command `ampcommit` of this interpreter on PATH; return its folder."""
    argv = [sys.executable, "-I", *command()[1:]]
    folder = executable(tmp_path / "bin" / "ampcommit", f'exec {shlex.join(argv)} "$@"').parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a forge would check out of ampcommit: the package that is tested, and the files beside it."""
    path = tmp_path / "project"
    package = Path(ampcommit.__file__).parent
    shutil.copytree(package, path / "ampcommit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs" / "ci", path / "docs" / "ci")
    for name in ("pyproject.toml", "README.md", "LICENSE", "action.yml", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, path)
    return path


@pytest.fixture
def index(tmp_path: Path) -> None:
    """Skip the test where pip reaches no package index."""
    asked = [sys.executable, "-I", "-m", "pip", "download", "-q", "--no-deps", "--retries=0", "--timeout=10"]
    asked += ["-d", str(tmp_path / "index"), "mdurl==0.1.2"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip reaches no package index: {done.stderr.strip().splitlines()[-1:]}")


def committed(path: Path) -> str:
    """Make a repository of what is in *path*; return the id of its commit."""
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    repo = Repo(path)
    repo("add", ".")
    repo("commit", "-qm", "All of it")
    return repo.head()


# --- what is pinned


def steps() -> Iterator[dict[str, Any]]:
    """Yield every step of the action, of the project's own workflow, and of the guide."""
    yield from ACTION["runs"]["steps"]
    for job in WORKFLOW["jobs"].values():
        yield from job["steps"]
    for block in BLOCKS:
        parsed = yaml.safe_load(block)
        if isinstance(parsed, list):
            yield from parsed
        for job in parsed["jobs"].values() if isinstance(parsed, dict) and "jobs" in parsed else ():
            yield from job["steps"]


def test_no_script_is_put_together_from_what_others_wrote() -> None:
    """What comes from an event or an input reaches a shell as a variable, never as text of the script."""
    scripts = [step["run"] for step in steps() if "run" in step]

    assert len(scripts) >= 6
    assert not [script for script in scripts if "${{" in script]


def test_every_action_is_named_by_the_id_of_a_commit() -> None:
    """No tag that can be moved decides what runs."""
    texts = [(ROOT / ".github" / "workflows" / "ci.yml").read_text(), GUIDE]
    used = [line.strip(" -") for text in texts for line in text.splitlines() if line.strip(" -").startswith("uses:")]
    ours = ("uses: ./", "uses: <owner>/ampcommit@<full commit id> # vX.Y.Z")

    assert len(used) >= 12
    assert [line for line in used if line not in ours and not PIN.fullmatch(line)] == []
    assert len({line for line in used if "actions/checkout@" in line}) == 1
    assert len({line for line in used if "actions/setup-python@" in line}) == 1
    assert not [step for step in ACTION["runs"]["steps"] if "uses" in step]


def test_our_workflow_may_read_and_no_more() -> None:
    """No job gets a token that can write, and none leaves the one that it has lying about."""
    assert WORKFLOW["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in WORKFLOW["jobs"].values())
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) >= 5
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def locked() -> dict[str, tuple[str, int]]:
    """Return what the list of digests pins: version and number of digests by package."""
    lines = LOCK.read_text().replace("\\\n", " ").splitlines()
    pinned = [line for line in lines if not line.lstrip().startswith("#")]
    assert all(re.match(r"[a-z0-9-]+==[\w.]+ ", line) for line in pinned)
    return {line.partition("==")[0]: (re.split("==| ", line)[1], line.count("--hash=sha256:")) for line in pinned}


def behind(names: set[str]) -> set[str]:
    """Return *names* with all that they need in turn on this machine."""
    for name in sorted(names):
        for line in requires(name) or ():
            needed = re.split(r"[^\w-]", line)[0].lower()
            if ";" not in line and needed not in names:
                names = behind(names | {needed})
    return names


def test_every_package_of_the_action_has_its_digests() -> None:
    """The list of digests holds all that ampcommit and its build need, and each entry has digests."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*data["project"]["dependencies"], *data["build-system"]["requires"]]
    floors = dict(line.split(">=") for line in asked)
    lock = locked()

    assert behind({name for name in floors if name != "hatchling"}) | {"hatchling"} <= set(lock)
    assert all(number >= 1 for _, number in lock.values())
    for name, floor in floors.items():
        assert [int(part) for part in lock[name][0].split(".")] >= [int(part) for part in floor.split(".")]
    assert {f"{name}=={lock[name][0]}" for name in ("rich", "typer")} <= set(data["dependency-groups"]["dev"])


# --- the action


SERVER = "https://github.example"


def evaluated(expression: str, known: Mapping[str, Any]) -> str:
    """Return what a runner makes of an *expression*: a path into what is *known*, where nothing is an empty text."""
    path = re.fullmatch(r"\$\{\{ ([\w.-]+) \}\}", expression)
    assert path
    value: Any = known
    for name in path[1].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value)


class PullRequest:
    """A clone as a runner has it: the request merged into its target is checked out, and an event file tells of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp = tmp_path
        self.origin = tmp_path / "origin.git"
        subprocess.run(["git", "init", "-q", "--bare", str(self.origin)], check=True)
        subprocess.run(["git", "init", "-q", str(tmp_path / "author")], check=True)
        self.author = Repo(tmp_path / "author")
        self.author("remote", "add", "origin", str(self.origin))
        self.author.commit("-m", "Begin with a link", "-m", LINK)
        self.base = self.author.head()
        self.runner = Repo(tmp_path / "workspace")
        self.page = tmp_path / "summary.md"
        self.room = tmp_path / "runner temp"
        argv = shlex.join([sys.executable])
        executable(self.room / "ampcommit" / "bin" / "python", f'exec {argv} "$@"')

    def write(self, name: str, text: str) -> None:
        """Stage the file *name* of the author's clone."""
        (self.author.path / name).write_text(text)
        self.author("add", name)

    def opened(self, *, event: str = "pull_request", user: str = "somebody") -> dict[str, str]:
        """Push what the author has as request 1, check it out, and return what GitHub would say of it."""
        head = self.author.head()
        self.author("push", "-q", "origin", f"{self.base}:refs/heads/main", "HEAD:refs/pull/1/head")
        self.author("checkout", "-q", "--detach", self.base)
        self.author("merge", "-q", "--no-ff", "-m", f"Merge {head} into {self.base}", head)
        self.author("push", "-q", "origin", "HEAD:refs/pull/1/merge")
        subprocess.run(["git", "init", "-q", str(self.runner.path)], check=True)
        self.runner("remote", "add", "origin", str(self.origin))
        merged = event == "pull_request"
        brought = ["+refs/heads/*:refs/remotes/origin/*", *["+refs/pull/1/merge:refs/merge"] * merged]
        self.runner("fetch", "-q", "origin", *brought)
        self.runner("checkout", "-q", "--detach", "refs/merge" if merged else "origin/main")
        request = {
            "head": {"sha": head},
            "base": {"sha": self.base, "ref": "main"},
            "user": {"login": user, "type": "User"},
        }
        return self.told(event, {"number": 1, "pull_request": request, "repository": {"default_branch": "main"}})

    def told(self, name: str, event: dict[str, object]) -> dict[str, str]:
        """Return the environment of a step for *event*."""
        file = self.tmp / "event.json"
        file.write_text(json.dumps(event))
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_STEP_SUMMARY": str(self.page),
            "GITHUB_ACTION_PATH": str(self.tmp / "project"),
            "RUNNER_TEMP": str(self.room),
        }

    def step(
        self, step: Mapping[str, Any], environ: Mapping[str, str], **inputs: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a step of the action as a runner would, with *inputs* beside the defaults."""
        given = {name: about["default"] for name, about in ACTION["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        assert set(given) == set(ACTION["inputs"])
        event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text())
        known = {"inputs": given, "github": {"event": event, "server_url": SERVER}}
        variables = {name: evaluated(value, known) for name, value in step["env"].items()}
        return self.script(step["run"], {**environ, **variables})

    def script(self, text: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run *text* in the checkout as `shell: bash` does."""
        file = self.tmp / "step.sh"
        file.write_text(text)
        argv = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(file)]
        return subprocess.run(
            argv, cwd=self.runner.path, env={**os.environ, **environ}, capture_output=True, text=True, check=False
        )


@pytest.fixture
def request_1(tmp_path: Path) -> PullRequest:
    """A pull request that nobody has opened yet."""
    return PullRequest(tmp_path)


def test_the_action_refuses_a_request_without_a_link(request_1: PullRequest) -> None:
    """One commit without a link is an annotation, a row of the summary page, and status 1."""
    request_1.author.commit("-m", "Forget the link here")
    head = request_1.author.head()

    done = request_1.step(VERIFY, request_1.opened())

    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"::error title=AC101 {head[:12]}::")
    assert "1 commit checked: 0 passed, 1 failed" in done.stdout
    assert head[:12] in request_1.page.read_text()


def test_the_action_accepts_a_request_whose_commits_are_linked(request_1: PullRequest) -> None:
    """The merge that GitHub made for the check is no commit of the request."""
    request_1.author.commit("-m", "Say where this comes from", "-m", LINK)

    done = request_1.step(VERIFY, request_1.opened())

    assert done.returncode == 0, done.stderr
    assert "1 commit checked: 1 passed" in done.stdout


def test_a_request_cannot_relax_its_own_policy(request_1: PullRequest) -> None:
    """S09: the target's policy judges, and the attempt is told; `policy-from` is the way out, for who owns the file."""
    request_1.write(".ampcommit", "[ampcommit]\n\tmode = off\n")
    request_1.author.commit("-m", "Switch the check off")

    environ = request_1.opened()
    done = request_1.step(VERIFY, environ)

    assert done.returncode == 1
    assert "changes .ampcommit" in done.stderr
    assert request_1.step(VERIFY, environ, policy_from="HEAD").returncode == 0


def test_the_inputs_of_the_action_are_options_of_verify(request_1: PullRequest) -> None:
    """Coverage, fixups, a format, a range and further words reach the command."""
    request_1.author.commit("-m", "Say where this comes from", "-m", LINK)
    request_1.author.commit("-m", "fixup! Say where this comes from")

    environ = request_1.opened()

    assert request_1.step(VERIFY, environ).returncode == 1
    assert request_1.step(VERIFY, environ, allow_fixup="true").returncode == 0
    assert request_1.step(VERIFY, environ, min_coverage="50").returncode == 0
    assert request_1.step(VERIFY, environ, min_coverage="51").returncode == 1
    assert request_1.step(VERIFY, environ, range="HEAD^2~1").returncode == 0
    words = request_1.step(VERIFY, environ, format="json", args="--max-findings 0\n\t--output report.json")
    assert words.returncode == 1
    report = json.loads((request_1.runner.path / "report.json").read_text())
    assert report["summary"]["failed"] == 1


def test_an_input_is_never_a_script(request_1: PullRequest) -> None:
    """S07: what stands in an input is handed over as it is, and a wrong one is status 2."""
    request_1.author.commit("-m", "Say where this comes from", "-m", LINK)
    environ = request_1.opened()
    evil = "$(touch owned) `touch owned` ; touch owned \" ' * | & > owned"

    for name in ("range", "args", "format", "policy_from", "min_coverage", "allow_fixup", "records"):
        done = request_1.step(FETCH if name == "records" else VERIFY, environ, **{name: evil})
        assert done.returncode == 2, (name, done.stdout, done.stderr)
    assert request_1.step(VERIFY, environ, range="--output=owned").returncode == 2
    assert request_1.step(INSTALL, environ, python=evil).returncode == 3
    assert not (request_1.runner.path / "owned").exists()


def test_files_of_the_checkout_are_no_modules(request_1: PullRequest) -> None:
    """S19: a request that brings a `json.py` or a `venv.py` does not run it, not even if PYTHONPATH asks for that."""
    for name in ("json", "rich", "venv", "ensurepip", "pip", "ampcommit", "sitecustomize", "usercustomize"):
        request_1.write(f"{name}.py", "open('owned', 'w')\nraise SystemExit(0)\n")
    request_1.author.commit("-m", "Bring modules of our own")

    environ = request_1.opened() | {"PYTHONPATH": "."}
    installed = request_1.step(INSTALL, environ | {"PIP_NO_INDEX": "1"})
    done = request_1.step(VERIFY, environ_with_stand_in(request_1, environ))

    assert installed.returncode != 0
    assert done.returncode == 1
    assert not (request_1.runner.path / "owned").exists()


def environ_with_stand_in(request: PullRequest, environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with a fresh folder in which this interpreter stands for the one that would be installed."""
    room = request.tmp / "fresh"
    executable(room / "ampcommit" / "bin" / "python", f'exec {shlex.join([sys.executable])} "$@"')
    return {**environ, "RUNNER_TEMP": str(room)}


def test_a_shallow_checkout_is_told_what_it_lacks(request_1: PullRequest) -> None:
    """V02: without `fetch-depth: 0` there is no verdict, and the line says so."""
    request_1.author.commit("-m", "Forget the link here")
    environ = request_1.opened()
    shallow = Repo(request_1.tmp / "shallow")
    argv = ["git", "clone", "-q", "--depth=1", f"file://{request_1.origin}", str(shallow.path)]
    subprocess.run(argv, check=True)
    request_1.runner = shallow

    done = request_1.step(VERIFY, environ)

    assert done.returncode == 3
    assert "fetch-depth: 0" in done.stderr


def test_the_target_s_workflow_can_check_a_request_that_it_does_not_check_out(request_1: PullRequest) -> None:
    """The guide's steps for `pull_request_target` bring the commits, and the verdict is the same."""
    request_1.author.commit("-m", "Forget the link here")
    environ = request_1.opened(event="pull_request_target")
    fetch = next(step for step in steps() if "refs/pull/" in step.get("run", ""))

    assert request_1.step(VERIFY, environ).returncode == 3
    assert request_1.script(fetch["run"], {"NUMBER": "1"}).returncode == 0
    assert request_1.step(VERIFY, environ).returncode == 1


def test_a_push_to_the_default_branch_is_judged_by_what_it_was(request_1: PullRequest) -> None:
    """What a squash left behind on the target is found when it is pushed."""
    request_1.author.commit("-m", "Squash all of it (#1)")
    request_1.opened()
    after = request_1.runner("rev-parse", "HEAD^2")
    request_1.runner("update-ref", "refs/remotes/origin/main", after)
    event = {"before": request_1.base, "after": after, "ref": "refs/heads/main"}
    environ = request_1.told("push", {**event, "repository": {"default_branch": "main"}})

    done = request_1.step(VERIFY, environ)

    assert done.returncode == 1
    assert "1 commit checked" in done.stdout


@pytest.mark.parametrize("python", ["old", "absent", "broken"])
def test_a_python_that_is_too_old_is_told_what_to_do(request_1: PullRequest, python: str) -> None:
    """Where there is no Python 3.11 with venv, the annotation names the step that brings one."""
    environ = request_1.opened()
    executable(request_1.tmp / "old", "exit 1")
    executable(request_1.tmp / "broken", "echo 'No module named ensurepip' >&2", "exit 1")

    done = request_1.step(INSTALL, environ, python=str(request_1.tmp / python))

    assert done.returncode == 3
    assert done.stdout.startswith("::error title=ampcommit::Python 3.11 or newer is needed")
    assert "actions/setup-python" in done.stdout


def test_a_package_that_was_swapped_is_refused(request_1: PullRequest, project: Path) -> None:
    """S20: a file of the right name and version with other bytes is not installed."""
    lock = project / "docs" / "ci" / "requirements.txt"
    (entry,) = re.findall(r"(?m)^mdurl==.*(?:\n {4}--hash.*)+", lock.read_text())
    lock.write_text(f"{entry}\n")
    (request_1.tmp / "wheels").mkdir()
    swapped = request_1.tmp / "wheels" / f"mdurl-{locked()['mdurl'][0]}-py3-none-any.whl"
    swapped.write_bytes(b"PK\x05\x06" + bytes(18))
    environ = request_1.opened() | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(swapped.parent)}

    done = request_1.step(INSTALL, environ)

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.usefixtures("index")
def test_the_action_installs_and_verifies(request_1: PullRequest, project: Path) -> None:
    """Both steps in a row, with an environment of their own, and nothing is left in the action's folder."""
    request_1.author.commit("-m", "Forget the link here")
    environ = request_1.opened()
    before = sorted(project.rglob("*"))

    installed = request_1.step(INSTALL, environ, python=sys.executable)
    assert installed.returncode == 0, installed.stderr
    done = request_1.step(VERIFY, environ)

    assert done.returncode == 1, done.stderr
    assert "::error title=AC101" in done.stdout
    assert sorted(project.rglob("*")) == before
    assert list((request_1.room / "ampcommit").glob("lib/*/site-packages/ampcommit/verbs/verify.py"))


# --- shared records

NOTES = "refs/notes/ampcommit"
CLAIMS = "refs/notes/ampcommit-remote/fork"
HELD = "https://bot:s3@cret@forge.example/team/provenance.git"


class Forked:
    """A request of a fork, whose repository the server knows by the address *url*; both can have notes."""

    def __init__(self, request: PullRequest) -> None:
        self.request = request
        self.url = f"{SERVER}/somebody/fork.git"
        self.fork = request.tmp / "somebody" / "fork.git"
        subprocess.run(["git", "init", "-q", "--bare", str(self.fork)], check=True)
        request.author("config", "--global", f"url.{request.tmp}/.insteadOf", f"{SERVER}/")
        request.author.commit("-m", "Say where this comes from", "-m", LINK)

    def note(self, where: Path, text: str) -> str:
        """Publish a note of the newest commit at *where*; return the id of the notes."""
        self.request.author("notes", "--ref=ampcommit", "add", "-f", "-m", text)
        self.request.author("push", "-q", str(where), f"+{NOTES}:{NOTES}")
        return self.request.author("rev-parse", NOTES)

    def held(self) -> Path:
        """Return another repository for records, which the server has at the address HELD."""
        path = self.request.tmp / "provenance.git"
        subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
        self.request.author("config", "--global", f"url.{path}.insteadOf", HELD)
        return path

    def opened(self, fork: object = None) -> dict[str, str]:
        """Open the request and return what GitHub says of it; *fork* is what it says of its repository."""
        environ = self.request.opened()
        event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text())
        event["pull_request"]["head"]["repo"] = {"clone_url": self.url} if fork is None else fork
        event["pull_request"]["base"]["repo"] = {"clone_url": f"{SERVER}/origin.git"}
        return self.request.told("pull_request", event)

    def refs(self) -> dict[str, str]:
        """Return the notes that the runner has."""
        listed = self.request.runner("for-each-ref", "--format=%(refname) %(objectname)", "refs/notes")
        return dict(line.split() for line in listed.splitlines())


@pytest.fixture
def forked(request_1: PullRequest) -> Forked:
    """A request of a fork that nobody has opened yet."""
    return Forked(request_1)


def test_the_action_fetches_records_and_the_claims_of_a_fork(forked: Forked) -> None:
    """With `records` each kind has its own ref, and nothing that a former run left counts; without it nothing comes."""
    shared, claimed = forked.note(forked.request.origin, "shared"), forked.note(forked.fork, "claimed")
    environ = forked.opened()
    assert forked.request.step(FETCH, environ).returncode == 0
    assert forked.refs() == {}
    for ref in (NOTES, CLAIMS):
        forked.request.runner("update-ref", ref, "HEAD")

    done = forked.request.step(FETCH, environ, records="true")

    assert (done.returncode, done.stdout) == (0, "")
    assert forked.refs() == {NOTES: shared, CLAIMS: claimed}
    assert forked.request.step(VERIFY, environ).returncode == 0


def test_a_request_of_the_repository_itself_makes_no_claims(forked: Forked) -> None:
    """Where both ends are one repository its own records come, and what a fork's run left is removed."""
    shared = forked.note(forked.request.origin, "shared")
    environ = forked.opened(fork={"clone_url": f"{SERVER}/origin.git"})
    forked.request.runner("update-ref", CLAIMS, "HEAD")

    assert forked.request.step(FETCH, environ, records="true").returncode == 0
    assert forked.refs() == {NOTES: shared}


def test_where_nobody_has_shared_the_check_goes_on(forked: Forked) -> None:
    """Missing records are a warning of the step; what a policy makes of that is for `verify` to say."""
    environ = forked.opened()

    done = forked.request.step(FETCH, environ, records="true")

    assert done.returncode == 0
    assert [line.partition(" came from ")[2].partition(";")[0] for line in done.stdout.splitlines()] == [
        "this repository",
        "the fork",
    ]
    assert forked.refs() == {}


def test_a_push_has_no_fork(forked: Forked) -> None:
    """An event without a request brings the repository's own records."""
    shared = forked.note(forked.request.origin, "shared")
    forked.opened()
    environ = forked.request.told("push", {"before": forked.request.base, "ref": "refs/heads/main"})

    done = forked.request.step(FETCH, environ, records="true")

    assert (done.returncode, done.stdout, forked.refs()) == (0, "", {NOTES: shared})


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% owned",
        "--upload-pack=touch owned",
        "https://elsewhere.example/somebody/fork.git",
        f"{SERVER}.elsewhere.example/fork.git",
        f"{SERVER}/$(touch owned)/fork.git",
        f"{SERVER}/`touch owned`; touch owned #",
        f"{SERVER}/a\n::set-output name=x::y\ntouch owned",
        "/somebody/fork.git",
        "",
    ],
)
def test_an_event_is_never_a_script(forked: Forked, url: str) -> None:
    """S07: whatever an event calls a fork, nothing is run, no other server is asked, and the check goes on."""
    shared = forked.note(forked.request.origin, "shared")
    forked.note(forked.fork, "claimed")
    environ = forked.opened(fork={"clone_url": url})

    done = forked.request.step(FETCH, environ, records="true")

    assert done.returncode == 0
    assert forked.refs() == {NOTES: shared}
    assert url not in done.stdout or not url
    assert all(line.startswith("git: ") for line in done.stderr.splitlines())
    assert not (forked.request.runner.path / "owned").exists()


def test_records_may_lie_in_another_repository(forked: Forked) -> None:
    """The address of who holds the records is the input; a password in it is used, and shown nowhere."""
    forked.note(forked.request.origin, "of this repository")
    shared, claimed = forked.note(forked.held(), "shared"), forked.note(forked.fork, "claimed")
    environ = forked.opened()

    done = forked.request.step(FETCH, environ, records=HELD)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert forked.refs() == {NOTES: shared, CLAIMS: claimed}
    nowhere = "https://bot:s3@cret@127.0.0.1:9/team/provenance.git"
    done = forked.request.step(FETCH, environ, records=nowhere)
    assert (done.returncode, forked.refs()) == (0, {CLAIMS: claimed})
    assert "No shared records came from the repository that holds them" in done.stdout
    assert "https://127.0.0.1:9/team/provenance.git" in done.stderr
    assert "cret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "records",
    ["yes", "https://", "ext::sh -c touch% owned", "--upload-pack=x@y:z", "git@host:a b", "../x", "/x", "x@y:"],
)
def test_what_is_no_address_holds_no_records(forked: Forked, records: str) -> None:
    """S07: a word that is neither yes nor no nor an address by https or ssh is status 2, and nothing is run."""
    done = forked.request.step(FETCH, forked.opened(), records=records)

    assert (done.returncode, forked.refs()) == (2, {})
    assert "must be true, false, or an address" in done.stdout
    assert not (forked.request.runner.path / "owned").exists()


def test_records_by_ssh(forked: Forked) -> None:
    """An address as scp writes it will do, too."""
    executable(forked.request.tmp / "ssh", f'test "$1" != -G || exit 0; exec git upload-pack {forked.held()}')
    shared = forked.note(forked.held(), "shared")
    environ = forked.opened() | {"GIT_SSH_COMMAND": str(forked.request.tmp / "ssh")}
    for address in ("git@host.invalid:team/provenance.git", "ssh://git@host.invalid/team/provenance.git"):
        done = forked.request.step(FETCH, environ, records=address)
        assert (done.returncode, forked.refs()) == (0, {NOTES: shared}), done.stderr
        forked.request.runner("update-ref", "-d", NOTES)


@pytest.mark.parametrize("fork", [[], "", 7, {}, {"clone_url": None}])
def test_a_fork_that_is_gone_has_no_claims(forked: Forked, fork: object) -> None:
    """Of a fork that was removed the event says nothing."""
    shared = forked.note(forked.request.origin, "shared")
    environ = forked.opened(fork=fork)

    assert forked.request.step(FETCH, environ, records="true").returncode == 0
    assert forked.refs() == {NOTES: shared}


def test_the_guide_shows_the_refspecs_that_work(forked: Forked) -> None:
    """What the guide tells to type fetches the same as the action."""
    shared, claimed = forked.note(forked.request.origin, "shared"), forked.note(forked.fork, "claimed")
    forked.opened()
    (lines,) = re.findall(r"(?s)```sh\n(git fetch --no-tags origin .*?)```", GUIDE)

    assert forked.request.script(lines, {"fork": str(forked.fork)}).returncode == 0
    assert forked.refs() == {NOTES: shared, CLAIMS: claimed}


# --- GitLab and Buildkite


def gitlab(request: PullRequest) -> dict[str, str]:
    """Return what GitLab says of a merge request, which is checked out without its target."""
    request.opened()
    head = request.runner("rev-parse", "HEAD^2")
    request.runner("checkout", "-q", "--detach", head)
    request.runner("update-ref", "-d", "refs/remotes/origin/main")
    return {
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": head,
        "CI_DEFAULT_BRANCH": "main",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": request.base,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_PROJECT_URL": str(request.origin).removesuffix(".git"),
        "CI_PIPELINE_SOURCE": "merge_request_event",
    }


def stand_in(request: PullRequest) -> dict[str, str]:
    """Return variables with which the guide's scripts find this interpreter where they would install one."""
    room = request.tmp / "gitlab"
    executable(room / "venv" / "bin" / "python", f'exec {shlex.join([sys.executable])} "$@"')
    return {"room": str(room)}


def test_the_gitlab_template_checks_a_merge_request(request_1: PullRequest) -> None:
    """The target is fetched, the report is written, the log is readable, and the status is that of the check."""
    request_1.author.commit("-m", "Forget the link here")
    environ = gitlab(request_1) | stand_in(request_1)
    fetch, (check,) = GITLAB["before_script"][0], GITLAB["script"]

    done = request_1.script(f"{fetch}\n{check}", environ)

    assert done.returncode == 1, done.stderr
    assert "AC101" in done.stdout
    report = json.loads((request_1.runner.path / GITLAB["artifacts"]["reports"]["codequality"]).read_text())
    assert [entry["check_name"] for entry in report] == ["AC101"]
    assert GITLAB["artifacts"]["when"] == "always"
    assert GITLAB["variables"]["GIT_DEPTH"] == "0"


def test_the_gitlab_template_fetches_from_the_project_that_receives(request_1: PullRequest) -> None:
    """In the pipeline of a fork the target branch, and with it the policy, is not the fork's."""
    request_1.write(".ampcommit", "[ampcommit]\n\tmode = off\n")
    request_1.author.commit("-m", "Switch the check off")
    environ = gitlab(request_1) | stand_in(request_1) | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}
    fork = request_1.tmp / "fork.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(request_1.runner.path), str(fork)], check=True)
    request_1.runner("push", "-q", str(fork), "+HEAD:refs/heads/main")
    request_1.runner("remote", "set-url", "origin", str(fork))

    done = request_1.script("\n".join([GITLAB["before_script"][0], *GITLAB["script"]]), environ)

    assert done.returncode == 1, done.stderr
    assert request_1.runner("rev-parse", "origin/main") == request_1.base
    gone = environ | {"CI_MERGE_REQUEST_PROJECT_URL": "/nowhere"}
    assert request_1.script(GITLAB["before_script"][0], gone).returncode not in (0, 1)


def test_the_gitlab_template_fetches_records(forked: Forked) -> None:
    """Where they are wanted: the records of the project that receives, and the claims of the fork."""
    fetch, records = GITLAB["before_script"][0], GITLAB["before_script"][2]
    environ = gitlab(forked.request) | {"CI_MERGE_REQUEST_SOURCE_PROJECT_URL": str(forked.fork).removesuffix(".git")}
    environ["VERIFY_RECORDS"] = GITLAB["variables"]["VERIFY_RECORDS"]
    forked.request.runner("push", "-q", str(forked.fork), "HEAD:refs/heads/main")
    script = f"{fetch}\n{records}"
    silent = forked.request.script(script, environ | {"VERIFY_RECORDS": "true", "CI_MERGE_REQUEST_PROJECT_ID": "2"})
    assert (silent.returncode, silent.stdout.count("no shared records came from")) == (0, 2), silent.stderr
    shared, claimed = forked.note(forked.request.origin, "shared"), forked.note(forked.fork, "claimed")

    assert forked.request.script(script, environ).returncode == 0
    assert forked.refs() == {}
    forked.request.runner("update-ref", CLAIMS, "HEAD")
    assert forked.request.script(script, environ | {"VERIFY_RECORDS": "true"}).returncode == 0
    assert forked.refs() == {NOTES: shared}
    environ |= {"VERIFY_RECORDS": "true", "CI_MERGE_REQUEST_PROJECT_ID": "2"}
    assert forked.request.script(script, environ).returncode == 0
    assert forked.refs() == {NOTES: shared, CLAIMS: claimed}


def test_the_gitlab_template_fetches_records_from_another_repository(forked: Forked) -> None:
    """Where the variable is an address the records come from there, and no password is in the log."""
    forked.note(forked.request.origin, "of this repository")
    shared, claimed = forked.note(forked.held(), "shared"), forked.note(forked.fork, "claimed")
    script = GITLAB["before_script"][2]
    environ = gitlab(forked.request) | {"CI_MERGE_REQUEST_SOURCE_PROJECT_URL": str(forked.fork).removesuffix(".git")}
    environ |= {"VERIFY_RECORDS": HELD, "from": str(forked.request.origin)}

    done = forked.request.script(script, environ)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert forked.refs() == {NOTES: shared, CLAIMS: claimed}
    done = forked.request.script(script, environ | {"VERIFY_RECORDS": "https://bot:s3@cret@127.0.0.1:9/x.git"})
    assert (done.returncode, forked.refs()) == (0, {CLAIMS: claimed})
    assert done.stdout.startswith("no shared records came from https://127.0.0.1:9/x.git: ")
    assert "cret" not in done.stdout + done.stderr


# --- what carries records after a merge

CARRY_GITLAB: str = yaml.safe_load((ROOT / "docs" / "ci" / "carry-gitlab.yml").read_text())["ampcommit-carry"][
    "script"
][0]
CARRY_GITHUB: str = yaml.safe_load((ROOT / "docs" / "ci" / "carry-github.yml").read_text())["jobs"]["carry"]["steps"][
    -1
]["run"]


@pytest.mark.parametrize(
    "server", ["https://gitlab.example", "https://gitlab.example:8443", "https://x.example/gitlab"]
)
def test_the_token_is_for_this_server_alone(repo: Repo, server: str) -> None:
    """Whoever else asks git for a password, a submodule's or a redirect's host, does not get CARRY_TOKEN."""
    (line,) = [line for line in CARRY_GITLAB.splitlines() if line.startswith("git config ")]
    environ = {**os.environ, "CI_SERVER_URL": server, "CARRY_TOKEN": "glpat-secret", "GIT_TERMINAL_PROMPT": "0"}
    subprocess.run(["sh", "-e", "-c", line], cwd=repo.path, env=environ, check=True)

    def told(url: str) -> str:
        return subprocess.run(
            ["git", "credential", "fill"],
            cwd=repo.path,
            env=environ,
            input=f"url={url}\n\n",
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    assert "password=glpat-secret" in told(f"{server}/team/demo.git")
    others = [
        "https://elsewhere.example",
        f"http{server[5:]}",
        "https://gitlab.example.evil.example",
        "https://x.example",
    ]
    assert [told(f"{other}/team/demo.git") for other in others] == [""] * 4
    assert "secret" not in (repo.path / ".git" / "config").read_text()


def ssh_key(file: Path) -> str:
    """Make a key, and return its line for a file of allowed signers."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    return f'{file.name}@example.com namespaces="ampcommit" {Path(f"{file}.pub").read_text()}'


@pytest.mark.parametrize("where", ["GitHub", "GitLab"])
def test_a_job_with_a_key_signs_what_it_carries(repo: Repo, tmp_path: Path, where: str) -> None:
    """AC303: what a job carries is unsigned, and with CARRY_KEY signed; nobody else can read the key's file."""
    forge, key = Forge(repo, tmp_path), tmp_path / "ci"
    allowed = tmp_path / "signers"
    allowed.write_text(ssh_key(tmp_path / "alice") + ssh_key(key))
    repo("config", "user.signingKey", str(tmp_path / "alice"))
    repo("config", "ampcommit.sign", "true")
    links = "\n".join(f"Amp-Thread-ID: {url(thread)}" for thread in (PARENT, OTHER))
    ref, number = ("refs/pull/12/head", "#12") if where == "GitHub" else ("refs/merge-requests/12/head", "!12")
    _, new = forge.merged(ref, f"Add the topic to it ({number})\n\n{links}")
    forge.pushed()
    event = tmp_path / "event.json"
    told = {"before": forge.before, "after": new, "ref": "refs/heads/main", "repository": {"default_branch": "main"}}
    event.write_text(json.dumps(told))
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(event)}
    environ["BEFORE"] = forge.before
    if where == "GitLab":
        environ = {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main"}
        environ |= {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": new, "CI_COMMIT_BEFORE_SHA": forge.before}
        environ |= {"CI_PROJECT_URL": str(forge.origin).removesuffix(".git"), "CI_SERVER_URL": SERVER}
        environ["CARRY_TOKEN"] = "x"  # noqa: S105  # nobody's
    script = CARRY_GITHUB if where == "GitHub" else CARRY_GITLAB

    def verified() -> str:
        argv = command("verify", "--require-signed", "--allowed-signers", str(allowed), new)
        around = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(argv, cwd=forge.job.path, env=around, capture_output=True, text=True, check=False).stdout

    forge.ran(["bash", "-e"], script, environ)
    assert "AC303" in verified()
    given = key.read_text() if where == "GitHub" else str(key)
    forge.ran(["bash", "-e"], script, environ | {"CARRY_KEY": given})
    assert "1 commit checked: 1 passed" in verified()
    (kept,) = forge.room.rglob("key")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_gitlab_template_installs_what_the_action_installs(request_1: PullRequest, project: Path) -> None:
    """The source is taken at the commit that is named, and what it needs as the action does, by digest."""
    sha = committed(project)
    Repo(project).commit("-m", "Work that is not released")
    lines = GITLAB["before_script"][1].splitlines()
    begin = next(number for number, line in enumerate(lines) if "venv" in line)
    script = "\n".join([*lines[:begin], 'git -C "$room/source" rev-parse HEAD'])
    subprocess.run(["git", "init", "-q", str(request_1.runner.path)], check=True)

    done = request_1.script(script, {"VERIFY_SOURCE": f"file://{project}", "VERIFY_COMMIT": sha})

    assert done.stdout.strip() == sha, done.stderr
    options = [line.partition(" install ")[2].split('"')[0] for line in lines if " install " in line]
    assert options == [line.partition(" install ")[2].split('"')[0] for line in INSTALL["run"].splitlines()[-2:]]


def test_the_buildkite_snippet_checks_a_pull_request(request_1: PullRequest) -> None:
    """What the guide shows is a script that runs, once Buildkite has made `$` of `$$`."""
    (step,) = next(yaml.safe_load(block)["steps"] for block in BLOCKS if block.startswith("steps:"))
    lines = step["command"].replace("$$", "$").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("room="))
    script = "\n".join([*lines[:begin], lines[-1]])
    request_1.author.commit("-m", "Forget the link here")
    head = gitlab(request_1)["CI_COMMIT_SHA"]
    environ = {"BUILDKITE": "true", "BUILDKITE_COMMIT": head, "BUILDKITE_PULL_REQUEST": "1"}
    environ |= {"BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main", "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main"}

    done = request_1.script(script, environ | stand_in(request_1))

    assert done.returncode == 1, done.stderr
    assert "1 commit checked: 0 passed, 1 failed" in done.stdout
    assert [line.replace("$pip", "$pip ").split() for line in lines[begin:-1]] == [
        line.replace("$pip", "$pip ").split() for line in GITLAB["before_script"][1].splitlines()[1:]
    ]


# --- the pre-commit framework


def test_the_hooks_for_pre_commit_are_what_the_guide_names() -> None:
    """Each hook has its stage, and the line without which none of them would be installed is in the guide."""
    config = next(yaml.safe_load(block) for block in BLOCKS if "default_install_hook_types" in block)
    stages = {name: hook["stages"] for name, hook in HOOKS.items()}

    assert stages == {
        "ampcommit-commit-msg": ["commit-msg"],
        "ampcommit-post-commit": ["post-commit"],
        "ampcommit-post-merge": ["post-merge"],
        "ampcommit-post-rewrite": ["post-rewrite"],
        "ampcommit-verify": ["pre-push"],
        "ampcommit-share": ["pre-push"],
    }
    assert config["default_install_hook_types"] == list(dict.fromkeys(stage for (stage,) in stages.values()))
    assert [hook["id"] for hook in config["repos"][0]["hooks"]] == list(HOOKS)
    assert {hook["language"] for hook in HOOKS.values()} == {"python"}
    for name in set(HOOKS) - {"ampcommit-commit-msg"}:
        assert HOOKS[name]["always_run"] is True
        assert HOOKS[name]["pass_filenames"] is False


@pytest.mark.usefixtures("on_path")
def test_the_entries_for_pre_commit_do_their_work(repo: Repo, agent: Callable[[str], None]) -> None:
    """Each entry, called as pre-commit would, refuses, links, records and checks."""
    for name in ("commit-msg", "post-commit"):
        entry = HOOKS[f"ampcommit-{name}"]["entry"]
        # As pre-commit does it, git's own arguments are handed on, and another process stands between git and us.
        executable(repo.path / ".git" / "hooks" / name, f'sh -c \'{entry} "$@"; exit $?\' pre-commit "$@"')
    verify = HOOKS["ampcommit-verify"]["entry"].split()

    assert repo.commit("-m", "Forget the link here", ok=False).returncode == 1
    agent(CHILD)
    repo.commit("-m", "Let the hook do it")
    assert repo.links() == [url(CHILD)]
    (record,) = (repo.path / ".git" / "ampcommit" / "ledger.jsonl").read_text().splitlines()
    assert json.loads(record)["commit"] == repo.head()
    first = repo.head()
    repo.commit("--no-verify", "-m", "Slip past the hook")

    for start, end, status in ((NOTHING, first, 0), (first, repo.head(), 1)):
        ours = {"PRE_COMMIT": "1", "PRE_COMMIT_FROM_REF": start, "PRE_COMMIT_TO_REF": end}
        ours |= {"PRE_COMMIT_REMOTE_NAME": "origin", "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/main"}
        done = subprocess.run(verify, cwd=repo.path, env={**os.environ, **ours}, capture_output=True, check=False)
        assert done.returncode == status, done.stderr


@pytest.mark.usefixtures("index")
@pytest.mark.skipif(not shutil.which("pre-commit"), reason="pre-commit is not on PATH")
def test_pre_commit_itself_runs_the_hooks(repo: Repo, project: Path, agent: Callable[[str], None]) -> None:
    """The framework installs from a clone of this project; commits and pushes go through it."""
    config = next(yaml.safe_load(block) for block in BLOCKS if "default_install_hook_types" in block)
    config["repos"][0] |= {"repo": str(project), "rev": committed(project)}
    (repo.path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    repo("add", ".")
    server = repo.path.parent / "server.git"
    subprocess.run(["git", "init", "-q", "--bare", str(server)], check=True)
    repo("remote", "add", "origin", str(server))
    installed = subprocess.run(["pre-commit", "install", "--install-hooks"], cwd=repo.path, check=False)
    assert installed.returncode == 0

    refused = repo.commit("-m", "Forget the link here", ok=False)
    assert refused.returncode == 1
    assert b"AC101" in refused.stderr
    agent(CHILD)
    repo.commit("-m", "Let the hook do it")
    assert repo.links() == [url(CHILD)]
    record = json.loads((repo.path / ".git" / "ampcommit" / "ledger.jsonl").read_text())
    assert (record["commit"], record["validated"]) == (repo.head(), True)
    repo("push", "-q", "origin", "main")
    repo.commit("--no-verify", "-m", "Slip past the hook")
    slipped = repo.run("push", "origin", "main", ok=False)
    assert slipped.returncode != 0
    assert b"AC101" in slipped.stdout + slipped.stderr


# --- a server of one's own


class Server:
    """A bare repository with our hook in place, and a clone that pushes to it."""

    def __init__(self, tmp_path: Path, *options: str) -> None:
        self.bare = Repo(tmp_path / "server.git")
        subprocess.run(["git", "init", "-q", "--bare", *options, str(self.bare.path)], check=True)
        self.hook = self.bare.path / "hooks" / "pre-receive"
        shutil.copy(ROOT / "hooks" / "pre-receive", self.hook)
        self.clone = Repo(tmp_path / "clone")
        subprocess.run(["git", "init", "-q", *options, str(self.clone.path)], check=True)
        self.clone("remote", "add", "origin", str(self.bare.path))

    def linked(self, subject: str = "Say where this comes from") -> str:
        """Make a commit that may pass."""
        self.clone.commit("-m", subject, "-m", LINK)
        return self.clone.head()

    def bad(self) -> str:
        """Make a commit that may not."""
        self.clone.commit("-m", "Forget the link here")
        return self.clone.head()

    def accepts(self, *what: str) -> str:
        """Push, which must go well; return what the server said."""
        return self.clone.run("push", "origin", *what).stderr.decode()

    def refuses(self, *what: str) -> str:
        """Push, which must fail and change nothing; return what the server said."""
        before = self.bare("for-each-ref")
        done = self.clone.run("push", "origin", *what, ok=False)
        assert done.returncode == 1
        assert b"pre-receive hook declined" in done.stderr
        assert self.bare("for-each-ref") == before
        return done.stderr.decode()


@pytest.fixture
def server(tmp_path: Path, on_path: Path) -> Server:
    """A server that has a first, linked commit on its default branch."""
    assert on_path.is_dir()
    made = Server(tmp_path)
    made.linked("Begin with a link")
    made.accepts("main")
    return made


def test_the_server_s_hook_stands_beside_the_template_s() -> None:
    """hooks/ holds the portable hooks, and a recipe for servers that `install` takes for none of its own."""
    assert {path.name for path in (ROOT / "hooks").iterdir()} == {*shim.HOOKS, *shim.SHARING, "pre-receive"}
    assert os.access(ROOT / "hooks" / "pre-receive", os.X_OK)
    assert not shim.is_ours((ROOT / "hooks" / "pre-receive").read_bytes())


def test_a_refused_push_leaves_nothing_behind(server: Server) -> None:
    """What is refused is judged in quarantine: the pusher reads why, and no object stays."""
    count = server.bare("count-objects", "-v")
    sha = server.bad()

    said = server.refuses("main")

    assert f"remote: {sha} error AC101" in said
    assert server.bare.run("cat-file", "-e", sha, ok=False).returncode != 0
    assert server.bare("count-objects", "-v") == count


def test_a_good_push_is_accepted(server: Server) -> None:
    """Only what is new is judged, and the pusher reads how it went."""
    sha = server.linked()

    assert "remote: 1 commit checked: 1 passed" in server.accepts("main")
    assert server.bare("rev-parse", "main") == sha


def test_a_new_branch_is_judged_from_where_it_left_the_default_one(server: Server) -> None:
    """Neither the history of the default branch nor a deletion is judged."""
    server.clone("checkout", "-q", "-b", "topic")
    server.linked()
    server.linked()

    assert "2 commits checked: 2 passed" in server.accepts("topic")
    server.bad()
    server.refuses("topic")
    server.refuses("topic:another")
    server.accepts(":topic")
    assert server.bare("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_tags_are_judged_by_the_commits_that_they_bring(server: Server) -> None:
    """A tag of what is there passes, a tag that brings bad commits does not, and one of a blob is no work."""
    server.clone("tag", "light")
    server.clone("tag", "-a", "-m", "Annotated", "heavy")
    blob = server.clone("hash-object", "-w", "--stdin", stdin=b"x")
    server.clone("tag", "blob", blob)

    server.accepts("light", "heavy")
    assert "refs/tags/blob names no commit: not checked" in server.accepts("blob")
    sha = server.bad()
    server.clone("tag", "bad")
    server.clone("tag", "-a", "-m", "Annotated", "worse")
    assert sha in server.refuses("bad")
    assert sha in server.refuses("worse")


def test_notes_are_no_work(server: Server) -> None:
    """The commits in which git keeps notes need no link; the same commits on a branch do."""
    server.clone("notes", "add", "-m", "A note")

    assert "holds notes, no work: not checked" in server.accepts("refs/notes/commits")
    server.refuses("refs/notes/commits:refs/heads/notes")


def test_a_forced_push_is_judged_for_what_it_brings(server: Server) -> None:
    """A rewritten branch is new work."""
    server.linked()
    server.accepts("main")
    server.clone("reset", "-q", "--hard", "HEAD^")
    server.linked("Say it in other words")

    assert "1 commit checked: 1 passed" in server.accepts("+main")
    server.clone("reset", "-q", "--hard", "HEAD^")
    server.bad()
    server.refuses("+main")


@pytest.mark.usefixtures("on_path")
def test_a_first_push_is_judged_by_the_defaults(tmp_path: Path) -> None:
    """In an empty repository there is no policy yet, and all that comes is judged."""
    empty = Server(tmp_path)
    empty.linked()
    empty.bad()

    assert "the defaults hold" in empty.refuses("main")
    empty.clone("reset", "-q", "--hard", "HEAD^")
    empty.accepts("main")


def test_the_default_branch_s_policy_decides(server: Server) -> None:
    """S09: neither a branch nor the push that brings it relaxes the policy; the next push is judged by it."""
    (server.clone.path / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")
    server.clone("add", ".")
    server.bad()

    assert "changes .ampcommit" in server.refuses("main")
    server.refuses("main:topic")
    server.clone("commit", "-q", "--amend", "-m", "Switch the check off", "-m", LINK)
    server.accepts("main")
    server.bad()
    server.accepts("main:topic")


def test_one_bad_ref_refuses_them_all(server: Server) -> None:
    """Of several refs none is taken if one may not be."""
    good = server.linked()
    server.clone("branch", "topic")
    bad = server.bad()
    server.clone("tag", "v1", good)

    said = server.refuses("topic", "v1", "main")

    assert bad in said
    assert good not in said
    server.accepts("topic", "v1")


@pytest.mark.usefixtures("on_path")
def test_a_server_may_use_sha256(tmp_path: Path) -> None:
    """Ids of 64 digits are ids."""
    wide = Server(tmp_path, "--object-format=sha256")
    wide.linked()
    wide.accepts("main")
    sha = wide.bad()

    assert len(sha) == 64
    assert sha in wide.refuses("main")


def test_a_push_over_the_network_is_the_same(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through `git daemon` the pusher reads the same lines, and the same is refused."""
    if not Path(server.bare("--exec-path"), "git-daemon").exists():
        pytest.skip("this git has no daemon")
    daemon = f"exec git daemon --inetd --export-all --enable=receive-pack --base-path={server.bare.path.parent}"
    monkeypatch.setenv("GIT_PROXY_COMMAND", str(executable(server.bare.path.parent / "daemon", daemon)))
    server.clone("remote", "set-url", "origin", "git://localhost/server.git")
    server.linked()
    assert "remote: 1 commit checked: 1 passed" in server.accepts("main")
    sha = server.bad()

    assert f"remote: {sha} error AC101" in server.refuses("main")


def test_hostile_configuration_of_the_pusher_s_push_does_not_count(server: Server) -> None:
    """S10, S12: push options and the server's own configuration change no verdict."""
    server.bare("config", "receive.advertisePushOptions", "true")
    server.bare("config", "ampcommit.mode", "off")
    server.bad()

    server.refuses("-o", "ampcommit.mode=off", "main")


@pytest.mark.parametrize("status", [2, 3, 4, 5, 33, 70, 126, 127, 130])
def test_a_check_that_cannot_be_made_refuses(server: Server, on_path: Path, status: int) -> None:
    """The gate does not fail open: every status but 0 refuses, and the pusher reads that nothing was checked."""
    executable(on_path / "ampcommit", f"exit {status}")
    server.linked()

    said = server.refuses("main")

    missing = "cannot be run on the server"
    assert (
        missing if status in (126, 127) else f"the check could not be made: ampcommit ended with status {status}"
    ) in said
    assert "nothing was accepted" in said


def test_a_server_without_the_command_refuses(server: Server) -> None:
    """Where ampcommit was taken away, pushes stop, and the line names the command."""
    text = server.hook.read_text()
    assert "\nampcommit=ampcommit\n" in text
    server.hook.write_text(text.replace("ampcommit=ampcommit", "ampcommit='/no where/ampcommit'"))
    server.linked()

    assert "error: the command /no where/ampcommit cannot be run on the server" in server.refuses("main")


def test_a_server_whose_policy_is_broken_refuses(server: Server) -> None:
    """Half a policy is none: nothing passes until the file is mended, by somebody who can reach the server."""
    (server.clone.path / ".ampcommit").write_text("[ampcommit]\n\tmode = perhaps\n")
    server.clone("add", ".")
    server.linked()
    assert "brings cannot be used" in server.refuses("main")
    server.bare("fetch", "-q", str(server.clone.path), "main:main")
    server.linked()

    said = server.refuses("main")

    assert "mode must be" in said
    assert "ended with status 2" in said


# --- the guide


def test_the_guide_names_every_exit_code_and_input() -> None:
    """Whoever makes the check required finds each status and each input of the action explained."""
    table = GUIDE.partition("## Exit codes")[2]

    assert re.findall(r"(?m)^\| (\d+) \|", table) == ["0", "1", "2", "3", "4", "5", "70", "130"]
    assert re.findall(r"(?m)^\| `([\w-]+)` \| ", GUIDE.partition("## GitLab")[0]) == list(ACTION["inputs"])


def test_the_guide_s_links_lead_somewhere() -> None:
    """Files and headings that the guide points to are there."""
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall(r"(?m)^#+(.*)", GUIDE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        file, _, heading = target.partition("#")
        assert file == "" or (ROOT / "docs" / file).exists(), target
        assert file or heading in headings, target


def test_the_guide_s_way_to_begin_is_a_policy(request_1: PullRequest) -> None:
    """What the guide tells to write into `.ampcommit` exempts the past and nothing else."""
    request_1.author.commit("-m", "Forget the link here")
    old = request_1.author.head()
    (lines,) = re.findall(r"(?s)```sh\n(git config -f .ampcommit --add .*?)git add", GUIDE)
    script = lines.replace("origin/main", "HEAD")
    subprocess.run(["sh", "-ec", script], cwd=request_1.author.path, check=True)
    request_1.author("add", ".ampcommit")
    request_1.author.commit("-m", "Bring the policy", "-m", f"Amp-Thread-ID: {url(OTHER)}")

    done = subprocess.run(
        command("verify", "--all", "--json"), cwd=request_1.author.path, capture_output=True, check=True
    )

    seen = {one["commit"]: one["exempt_by"] for one in json.loads(done.stdout)["commits"]}
    assert seen[old] == f"before:{old}"
    assert seen[request_1.author.head()] is None
