"""
What is checked, and under whose policy, in clones as CI systems make them.

One forge stands for all of them. Its commits have names, and all but `f1`, `s1` and the merges are linked:

    a1 - a2 - a3 - m1 - m2 - m3 - m4 - m5      main; m5 merges s2
                          |    |    ` n1 - n2  fresh
                          |    |` s1 - s2      gone, but for the merge
                          |    `-----.
                           ` f1 - f2 - f3 - f4 feature; f3 merges m3, f1 brings its own policy
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from ampcommit.commits.history import History, opened
from ampcommit.errors import MisuseError, SetupError
from ampcommit.gate import ranges
from ampcommit.gate.ranges import Asked
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.verbs.verify import commits
from tests.conftest import PARENT, url
from tests.test_forge_ci import (
    BUILDKITE,
    GITLAB,
    GITLAB_REQUEST,
    MERGE_GROUP,
    PRE_PUSH,
    PULL_REQUEST,
    PUSH,
    changed,
    put,
)

ZERO = "0" * 40
GONE = "dead" * 10
STRICT = "[ampcommit]\n\tmode = require\n"
WEAK = "[ampcommit]\n\tmode = off\n"
REQUEST = {"f1", "f2", "f3", "f4"}
MAIN = {"a1", "a2", "a3", "m1", "m2", "m3", "m4", "m5", "s1", "s2"}
ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{who}_DATE": "1500000000 +0000" for who in ("AUTHOR", "COMMITTER")},
}


def git(path: Path, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
    """Return what git printed at *path*, without the last line feed; fixtures of a module are made unsealed."""
    environ = {**ENVIRON, **(env or {})}
    done = subprocess.run(["git", *args], cwd=path, env=environ, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return os.fsdecode(done.stdout).removesuffix("\n")


# The forge.

HISTORY = dict[str, tuple[str, ...]](a1=(), a2=("a1",), a3=("a2",), m1=("a3",), m2=("m1",), m3=("m2",), m4=("m3",))
HISTORY |= dict[str, tuple[str, ...]](s1=("m3",), s2=("s1",), m5=("m4", "s2"))
HISTORY |= dict[str, tuple[str, ...]](f1=("m2",), f2=("f1",), old=("f1",), f3=("f2", "m3"), f4=("f3",))
HISTORY |= dict[str, tuple[str, ...]](n1=("m4",), n2=("n1",), pr=("m5", "f4"), queue=("m5", "f4"))
POLICIES = {"m1": STRICT, "f1": WEAK, "pr": WEAK, "queue": WEAK}
REFS = {
    "refs/heads/main": "m5",
    "refs/heads/feature": "f4",
    "refs/heads/fresh": "n2",
    "refs/heads/gh-readonly-queue/main/pr-7": "queue",
    "refs/pull/7/head": "f4",
    "refs/pull/7/merge": "pr",
    "refs/pipelines/99": "f4",
    "refs/pipelines/98": "pr",
    "refs/tags/v0": "m2",
    "refs/tags/rc": "f2",
}


def data(text: str) -> bytes:
    """Return *text* as fast-import takes it."""
    return b"data %d\n%s\n" % (len(text.encode()), text.encode())


def told(name: str, mark: Callable[[str], bytes]) -> bytes:
    """Return the commit *name* as fast-import takes it."""
    parents = HISTORY[name]
    link = "" if name in ("f1", "s1") or len(parents) > 1 else f"\nAmp-Thread-ID: {url(PARENT)}\n"
    lines = [b"commit refs/tmp/%s\nmark %s\n" % (name.encode(), mark(name))]
    lines += [b"committer T <t@example.com> 1500000000 +0000\n", data(f"Write down {name}\n{link}")]
    lines += [b"%s %s\n" % (b"merge" if at else b"from", mark(parent)) for at, parent in enumerate(parents)]
    lines += [b"M 100644 inline .ampcommit\n" + data(POLICIES[name])] if name in POLICIES else []
    return b"".join(lines)


class Forge:
    """A bare repository as a forge has it; `ids` has the id of each commit by its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        names = list(HISTORY)
        stream = b"".join(told(name, lambda one: b":%d" % (names.index(one) + 1)) for name in names)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], env=ENVIRON, check=True)
        git(path, "fast-import", "--quiet", "--export-marks=marks", stdin=stream)
        marks = sorted(
            (int(line[1:].split()[0]), line.split()[1]) for line in (path / "marks").read_text().split("\n")[:-1]
        )
        self.ids = dict(zip(names, (commit for _, commit in marks), strict=True))
        moved = [f"delete refs/tmp/{name}" for name in names]
        moved += [f"create {ref} {self.ids[name]}" for ref, name in REFS.items()]
        git(path, "update-ref", "--stdin", stdin="\n".join([*moved, ""]).encode())
        git(path, "tag", "-a", "-m", "Release", "v1", self.ids["m4"])
        git(path, "config", "uploadpack.allowAnySHA1InWant", "true")

    def named(self, commit: str | None) -> str | None:
        """Return the name of a commit."""
        return next((name for name, one in self.ids.items() if one == commit), commit)

    def clone(self, path: Path, *fetch: str, at: str, origin: Path | None = None) -> Path:
        """Return a clone at *path* that has what `git fetch *fetch` brings, detached at *at*."""
        subprocess.run(["git", "init", "-q", "-b", "main", str(path)], env=ENVIRON, check=True)
        git(path, "remote", "add", "origin", f"file://{origin or self.path}")
        git(path, "fetch", "-q", "--prune", *fetch)
        git(path, "checkout", "-q", "-f", self.ids.get(at, at))
        return path


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """The forge; no test changes it."""
    return Forge(tmp_path_factory.mktemp("forge") / "demo.git")


HEADS = "+refs/heads/*:refs/remotes/origin/*"
TAGS = "+refs/tags/*:refs/tags/*"
FEATURE = "+refs/heads/feature:refs/remotes/origin/feature"
MERGE_REF = "+refs/pull/7/merge:refs/remotes/pull/7/merge"


@pytest.fixture(scope="module")
def clones(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Clones as CI systems make them; no test changes them."""
    at = tmp_path_factory.mktemp("clones")
    made = {
        # actions/checkout
        "fetch-depth: 0": forge.clone(at / "0", "origin", HEADS, TAGS, MERGE_REF, at="pr"),
        "fetch-depth: 1": forge.clone(at / "1", "--no-tags", "--depth=1", "origin", MERGE_REF, at="pr"),
        "fetch-depth: 6": forge.clone(at / "6", "--no-tags", "--depth=6", "origin", MERGE_REF, at="pr"),
        "feature, fetch-depth: 1": forge.clone(at / "f1", "--no-tags", "--depth=1", "origin", FEATURE, at="f4"),
        "main, fetch-depth: 1": forge.clone(
            at / "m1", "--no-tags", "--depth=1", "origin", "+refs/heads/main:refs/remotes/origin/main", at="m5"
        ),
        # GitLab's runner
        "GIT_DEPTH: 0": forge.clone(at / "g0", "origin", "+refs/pipelines/99:refs/pipelines/99", HEADS, TAGS, at="f4"),
        "GIT_DEPTH: 20": forge.clone(
            *(at / "g20", "--depth=20", "origin", "+refs/pipelines/99:refs/pipelines/99"),
            *("+refs/pipelines/98:refs/pipelines/98", FEATURE),
            at="f4",
        ),
        # Buildkite's agent: a clone, a fetch of what is built
        "agent": at / "agent",
    }
    git(at, "clone", "-q", "--", f"file://{forge.path}", "agent")
    git(at / "agent", "fetch", "-q", "--", "origin", "refs/pull/7/head")
    git(at / "agent", "checkout", "-q", "-f", forge.ids["f4"])
    return made


class Outcome:
    """What `verify` said: the names of the commits it judged, where its policy was, and its notices."""

    def __init__(
        self, forge: Forge, asking: Callable[[History], Asked], path: Path, environ: Mapping[str, str]
    ) -> None:
        with commits(asking, os.environ | dict(environ), str(path)) as report:
            judged = [(forge.named(verdict.commit) or "", verdict.status) for verdict in report]
            self.names = {name for name, _ in judged}
            self.failed = {name for name, status in judged if status == "fail"}
            assert len(judged) == len(self.names)
            self.policy = forge.named(report.policy_from)
            self.notices = "\n".join(report.notices)
            self.code = report.exit_code
            self.range = report.range


Look = Callable[..., Outcome]


@pytest.fixture
def look(forge: Forge) -> Look:
    """Return a function that lets `verify` find out in a clone what the variables ask for."""

    def call(path: Path, environ: Mapping[str, str] | None = None) -> Outcome:
        environ = environ or {}
        return Outcome(forge, lambda history: ranges.surrounding(history, environ), path, environ)

    return call


def refused(call: Callable[[], object], kind: type[MisuseError | SetupError] = SetupError) -> str:
    """Return message and hint of the failure of *call*."""
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.exit_code == (3 if kind is SetupError else 2)
    assert caught.value.hint
    return f"{caught.value}\n{caught.value.hint}"


def copied(path: Path, to: Path) -> Path:
    """Return a copy of a clone, to be changed."""
    return Path(shutil.copytree(path, to, symlinks=True))


def test_a_run_about_no_push_and_no_request_says_so(look: Look, forge: Forge) -> None:
    """In CI a range that nobody asked for is named; at a desk it is what one expects."""
    said = "this run is about no push and no request: checked is HEAD"

    assert said in look(forge.path, {"CI": "true"}).notices
    assert said not in look(forge.path).notices


# GitHub Actions.


def github(path: Path, event: str, fields: Mapping[str, object], *changes: tuple[str, object]) -> dict[str, str]:
    """Write an event file with *changes*, and return the variables that go with it."""
    known = dict(fields)
    for name, value in changes:
        known = changed(known, name, value)
    return put(path / f"{event}.json", known) | {"GITHUB_EVENT_NAME": event}


@pytest.fixture
def pull_request(forge: Forge, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a function that makes the event of the request, whose base was a certain commit."""

    def make(base: str = "m3", *changes: tuple[str, object]) -> dict[str, str]:
        ends = (("pull_request.head.sha", forge.ids["f4"]), ("pull_request.base.sha", forge.ids.get(base, base)))
        return github(tmp_path, "pull_request", PULL_REQUEST, *ends, *changes)

    return make


@pytest.fixture
def push(forge: Forge, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a function that makes the event of a push."""

    def make(ref: str, before: str, after: str) -> dict[str, str]:
        ids = (("before", forge.ids.get(before, before)), ("after", forge.ids.get(after, after)))
        return github(tmp_path, "push", PUSH, ("ref", ref), *ids)

    return make


Event = Callable[..., dict[str, str]]
Clones = dict[str, Path]


@pytest.mark.parametrize("base", ["m2", "m3", "m4", "m5"])
def test_a_pull_request_is_exactly_its_commits(look: Look, clones: Clones, pull_request: Event, base: str) -> None:
    """Whether the base moved on or was merged into the branch meanwhile: all of the branch, none of the target."""
    found = look(clones["fetch-depth: 0"], pull_request(base))

    assert (found.names, found.failed, found.code) == (REQUEST, {"f1"}, 1)
    assert found.policy == "m5"
    assert "is gone" not in found.notices


def test_a_pull_request_whose_base_is_gone_is_what_the_target_lacks(
    look: Look, clones: Clones, pull_request: Event
) -> None:
    """After a forced push of the target the range begins where the branches part, and that is said."""
    found = look(clones["fetch-depth: 0"], pull_request(GONE))

    assert (found.names, found.policy, found.code) == (REQUEST, "m5", 1)
    assert f"{GONE} is gone: the range begins where the branches part" in found.notices


def test_the_policy_of_a_request_does_not_count_for_it(look: Look, clones: Clones, pull_request: Event) -> None:
    """S09: a request that turns everything off is judged by the target, and the change is reported."""
    found = look(clones["fetch-depth: 0"], pull_request())

    assert (found.failed, found.policy) == ({"f1"}, "m5")
    assert "changes .ampcommit: that counts for commits after it was merged" in found.notices


def test_the_bot_is_whom_the_event_names(clones: Clones, pull_request: Event) -> None:
    """What an event says of the author of a request goes to the judge."""
    bot = pull_request("m3", ("pull_request.user", {"login": "renovate[bot]", "type": "Bot"}))

    assert asked(clones["fetch-depth: 0"], lambda history: ranges.surrounding(history, bot)).bot == "renovate[bot]"
    assert asked(clones["fetch-depth: 0"], lambda history: ranges.surrounding(history, pull_request())).bot is None


def test_a_fork_is_what_the_event_names(clones: Clones, pull_request: Event) -> None:
    """What an event says of where a request comes from goes to the judge; a range that a person names is of no fork."""
    environ = pull_request("m3", ("pull_request.head.repo", None))
    path = clones["fetch-depth: 0"]

    assert asked(path, lambda history: ranges.surrounding(history, environ)).fork
    assert not asked(path, lambda history: ranges.surrounding(history, pull_request())).fork
    assert not asked(path, lambda history: ranges.named(history, "HEAD")).fork


def asked(path: Path, asking: Callable[[History], Asked]) -> Asked:
    """Return what *asking* finds in the clone at *path*."""
    with opened(Place.of_folder(Git(str(path), os.environ)), os.environ) as history:
        return asking(history)


@pytest.mark.parametrize(
    ("before", "names"),
    [(ZERO, REQUEST), ("f2", {"f3", "f4"}), ("old", REQUEST), (GONE, REQUEST), ("f4", set())],
)
def test_a_push_to_a_branch_is_what_is_new(
    look: Look, clones: Clones, push: Event, before: str, names: set[str]
) -> None:
    """A new branch, one that grew, one that a forced push replaced: all by the policy of the default branch."""
    found = look(clones["fetch-depth: 0"], push("refs/heads/feature", before, "f4"))

    assert (found.names, found.policy) == (names, "m5")
    assert ("is gone: the range begins where the branches part" in found.notices) == (before in ("old", GONE))
    assert ("nothing was checked" in found.notices) == (not names)


@pytest.mark.parametrize(
    ("before", "names", "policy"),
    [("m4", {"m5", "s1", "s2"}, "m4"), ("s2", {"m5", "m4"}, "s2"), (ZERO, MAIN, None), (GONE, MAIN, None)],
)
def test_a_push_to_the_default_branch_is_judged_by_what_stood_there(
    look: Look, clones: Clones, push: Event, *, before: str, names: set[str], policy: str | None
) -> None:
    """The default branch receives what is pushed to it: all since its old value counts, and so does that policy."""
    found = look(clones["fetch-depth: 0"], push("refs/heads/main", before, "m5"))

    assert (found.names, found.policy, found.code) == (names, policy, int("s1" in names))
    assert (f"{GONE} is gone: all of the branch is checked" in found.notices) == (before == GONE)
    assert ("the defaults hold" in found.notices) == (policy is None)


@pytest.mark.parametrize(("ref", "after", "names"), [("v0", "m2", set()), ("rc", "f2", {"f1", "f2"})])
def test_a_tag_is_what_the_default_branch_lacks(
    look: Look, clones: Clones, push: Event, *, ref: str, after: str, names: set[str]
) -> None:
    """A tag on the default branch brings nothing; one beside it brings what it stands on."""
    found = look(clones["fetch-depth: 0"], push(f"refs/tags/{ref}", ZERO, after))

    assert (found.names, found.policy) == (names, "m5")
    assert ("nothing was checked" in found.notices) == (not names)


def test_an_annotated_tag_is_the_commit_that_it_names(look: Look, clones: Clones, forge: Forge, push: Event) -> None:
    """Forges name a tag by its own id, and that is as good as the commit's."""
    found = look(clones["fetch-depth: 0"], push("refs/tags/v1", ZERO, git(forge.path, "rev-parse", "v1")))

    assert (found.names, found.policy) == (set(), "m5")


def test_a_deletion_brings_nothing(look: Look, clones: Clones, push: Event) -> None:
    """When a branch is deleted there is nothing to check, and nobody can take that for a pass."""
    found = look(clones["fetch-depth: 0"], push("refs/heads/feature", "f4", ZERO))

    assert (found.names, found.code) == (set(), 0)
    assert "there is no commit in GitHub Actions, push: nothing was checked" in found.notices


def test_a_merge_group_is_all_that_it_brings(look: Look, clones: Clones, forge: Forge, tmp_path: Path) -> None:
    """A merge queue's own merge is checked with the commits of the requests in it."""
    ends = (("merge_group.head_sha", forge.ids["queue"]), ("merge_group.base_sha", forge.ids["m5"]))
    found = look(clones["fetch-depth: 0"], github(tmp_path, "merge_group", MERGE_GROUP, *ends))

    assert (found.names, found.policy, found.code) == (REQUEST | {"queue"}, "m5", 1)


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_an_event_without_a_range_is_like_no_event(look: Look, clones: Clones, tmp_path: Path, event: str) -> None:
    """Where no branch receives anything, what stands at a detached HEAD is checked."""
    found = look(clones["fetch-depth: 0"], github(tmp_path, event, {}))

    assert (found.names, found.policy, found.range) == ({"pr"}, "pr", "HEAD")


# Branches that were not fetched, and shallow clones.


@pytest.mark.parametrize(("before", "names"), [(ZERO, REQUEST), ("f2", {"f3", "f4"}), ("old", REQUEST)])
def test_without_the_default_branch_a_push_is_not_judged(
    look: Look, forge: Forge, tmp_path: Path, push: Event, *, before: str, names: set[str]
) -> None:
    """What the author pushed before is no policy: exit 3, with a line that fixes it."""
    clone = forge.clone(tmp_path / "single", "--no-tags", "origin", FEATURE, at="f4")
    environ = push("refs/heads/feature", before, "f4")

    said = refused(lambda: look(clone, environ))
    assert "the receiving branch is not here: refs/remotes/origin/main" in said
    assert "fetch-depth: 0" in said
    command = re.search(r"git fetch .*?'\S+'", said)
    assert command
    subprocess.run(["sh", "-c", command[0]], cwd=clone, env=ENVIRON, check=True, capture_output=True)
    found = look(clone, environ)
    assert (found.names, found.policy) == (names, "m5")


def test_without_its_target_a_request_is_not_judged(look: Look, clones: Clones, pull_request: Event) -> None:
    """V03: where a request begins is for its author to choose: its base is no substitute, however deep the clone."""
    said = refused(lambda: look(clones["fetch-depth: 6"], pull_request("m3")))

    assert said.startswith("the receiving branch is not here: refs/remotes/origin/main\nfetch all branches: git fetch")


def test_a_request_without_base_and_target_is_not_judged(
    look: Look, forge: Forge, tmp_path: Path, pull_request: Event
) -> None:
    """In a clone that is complete but for the target nothing bounds the range: exit 3."""
    clone = forge.clone(tmp_path / "single", "origin", MERGE_REF, at="pr")
    git(clone, "update-ref", "-d", "refs/remotes/pull/7/merge")

    assert "the receiving branch is not here" in refused(lambda: look(clone, pull_request(GONE)))


@pytest.mark.parametrize("name", ["fetch-depth: 1", "feature, fetch-depth: 1", "main, fetch-depth: 1"])
@pytest.mark.parametrize("base", ["m3", "m5", GONE])
def test_a_shallow_clone_does_not_judge_a_request(
    look: Look, clones: Clones, pull_request: Event, name: str, base: str
) -> None:
    """V02: what was not fetched cannot be right: exit 3 with the line that fixes it, whatever else is there."""
    assert "fetch-depth: 0" in refused(lambda: look(clones[name], pull_request(base)))


@pytest.mark.parametrize("before", [ZERO, "f2", "f3", "m5", GONE])
@pytest.mark.parametrize("name", ["feature, fetch-depth: 1", "fetch-depth: 6"])
def test_a_shallow_clone_does_not_judge_a_push(look: Look, clones: Clones, push: Event, name: str, before: str) -> None:
    """V02: neither a new branch nor a known one."""
    assert "fetch-depth: 0" in refused(lambda: look(clones[name], push("refs/heads/feature", before, "f4")))


@pytest.mark.parametrize("before", [ZERO, "m4", GONE])
def test_a_shallow_clone_does_not_judge_the_default_branch(
    look: Look, clones: Clones, push: Event, before: str
) -> None:
    """V02: without the old value, or the beginning, of the branch there is no verdict."""
    environ = push("refs/heads/main", before, "m5")

    assert "git fetch --unshallow" in refused(lambda: look(clones["main, fetch-depth: 1"], environ))


def test_a_clone_that_was_mended_gives_a_verdict(look: Look, clones: Clones, tmp_path: Path, push: Event) -> None:
    """The line in the hint is the one that helps."""
    clone = copied(clones["main, fetch-depth: 1"], tmp_path / "copy")
    environ = push("refs/heads/main", "m4", "m5")
    command = re.search(r"git fetch --unshallow", refused(lambda: look(clone, environ)))
    assert command
    git(clone, *command[0].split()[1:])

    assert look(clone, environ).names == {"m5", "s1", "s2"}


def test_depth_enough_gives_a_verdict(look: Look, forge: Forge, tmp_path: Path, pull_request: Event) -> None:
    """V03: a shallow clone that has the whole range and the target is as good as a complete one."""
    main = "+refs/heads/main:refs/remotes/origin/main"
    clone = forge.clone(tmp_path / "deep", "--no-tags", "--depth=6", "origin", MERGE_REF, main, at="pr")
    found = look(clone, pull_request("m2"))

    assert (clone / ".git" / "shallow").read_text() == f"{forge.ids['a3']}\n"
    assert (found.names, found.policy, found.code) == (REQUEST, "m5", 1)


# Nobody talks around the gate.


def test_a_branch_here_is_not_the_branch_there(
    look: Look, clones: Clones, forge: Forge, tmp_path: Path, *, pull_request: Event, push: Event
) -> None:
    """A local branch with the target's name, as the author of a request may have made it, hides nothing."""
    clone = copied(clones["fetch-depth: 0"], tmp_path / "copy")
    for ref in ("refs/heads/main", "refs/heads/origin/main", "refs/tags/main", "refs/tags/origin/main"):
        git(clone, "update-ref", ref, forge.ids["f4"])
    for environ in (pull_request(), push("refs/heads/feature", ZERO, "f4")):
        found = look(clone, environ)
        assert (found.names, found.policy) == (REQUEST, "m5")


@pytest.mark.parametrize("kind", ["tags", "heads", "remotes"])
def test_a_tag_is_not_taken_for_the_receiving_branch(
    look: Look, forge: Forge, tmp_path: Path, push: Event, kind: str
) -> None:
    """Where the receiving branch is not here git takes a tag of its full name for it; anybody may push one."""
    clone = forge.clone(tmp_path / "single", "origin", FEATURE, at="f4")
    for name in ("refs/remotes/origin/main", "refs/heads/main", "HEAD"):
        git(clone, "update-ref", f"refs/{kind}/{name}", forge.ids["f4"])

    assert "is not here" in refused(lambda: look(clone, push("refs/heads/feature", "f2", "f4")))


def test_a_bare_repository_has_its_branches_itself(look: Look, forge: Forge, pull_request: Event, push: Event) -> None:
    """Where branches stand as the forge itself has them, they are the receiving ones."""
    for environ in (pull_request(), push("refs/heads/feature", ZERO, "f4")):
        found = look(forge.path, environ)
        assert (found.names, found.policy) == (REQUEST, "m5")


def test_what_stands_in_for_commits_changes_no_range(
    look: Look, clones: Clones, forge: Forge, tmp_path: Path, pull_request: Event
) -> None:
    """S13: replace refs and grafts are this clone's own, and neither hide a commit nor make a policy."""
    clone = copied(clones["fetch-depth: 0"], tmp_path / "copy")
    ids = forge.ids
    git(clone, "replace", ids["f1"], ids["f2"])
    git(clone, "replace", "--graft", ids["f3"], ids["m3"])
    git(clone, "replace", ids["m5"], ids["f4"])
    (clone / ".git" / "info").mkdir(exist_ok=True)
    (clone / ".git" / "info" / "grafts").write_text(f"{ids['f4']}\n{ids['m5']} {ids['f4']}\n")
    found = look(clone, pull_request())

    assert (found.names, found.failed, found.policy) == (REQUEST, {"f1"}, "m5")


POISON = {
    "GIT_REPLACE_REF_BASE": "refs/heads/",
    "GIT_GRAFT_FILE": "grafts",
    "GIT_SHALLOW_FILE": "grafts",
    "GIT_NAMESPACE": "other",
    "GIT_INDEX_FILE": "/nowhere",
    "GIT_DEFAULT_REF_FORMAT": "nonsense",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.warnAmbiguousRefs",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "ampcommit.mode",
    "GIT_CONFIG_VALUE_1": "off",
    "GIT_CONFIG_PARAMETERS": "'ampcommit.mode=off'",
    "GIT_NOTES_REF": "refs/heads/main",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TRACE_SETUP": "1",
    "AMPCOMMIT_MODE": "off",
}


def test_no_variable_of_git_changes_a_range(
    look: Look, clones: Clones, forge: Forge, tmp_path: Path, pull_request: Event
) -> None:
    """S12: a poisoned environment hides no commit and brings no policy."""
    (tmp_path / "grafts").write_text(f"{forge.ids['f4']}\n")
    poison = POISON | {name: str(tmp_path / "grafts") for name in ("GIT_GRAFT_FILE", "GIT_SHALLOW_FILE")}
    found = look(clones["fetch-depth: 0"], pull_request() | poison)

    assert (found.names, found.failed, found.policy) == (REQUEST, {"f1"}, "m5")


# GitLab.


def gitlab(forge: Forge, usual: Mapping[str, str], **ids: str) -> dict[str, str]:
    """Return GitLab's variables with the ids of some commits."""
    return {**usual, **{f"CI_{name}": forge.ids.get(commit, commit) for name, commit in ids.items()}}


def merge_request(forge: Forge, **ids: str) -> dict[str, str]:
    """Return the variables of a pipeline for the merge request."""
    usual = {"COMMIT_SHA": "f4", "MERGE_REQUEST_DIFF_BASE_SHA": "m3", "DEFAULT_BRANCH": "main"}
    return gitlab(forge, GITLAB_REQUEST, **usual | ids)


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"COMMIT_SHA": "pr", "MERGE_REQUEST_SOURCE_BRANCH_SHA": "f4"},
        {"MERGE_REQUEST_DIFF_BASE_SHA": "m2"},
        {"MERGE_REQUEST_DIFF_BASE_SHA": ""},
        {"MERGE_REQUEST_DIFF_BASE_SHA": GONE},
    ],
    ids=["plain", "merged results", "target merged since", "GitLab before 13.7", "target forced"],
)
def test_a_merge_request_is_exactly_its_commits(look: Look, clones: Clones, forge: Forge, ids: dict[str, str]) -> None:
    """With all branches fetched a merge request is judged by the tip of its target."""
    found = look(clones["GIT_DEPTH: 0"], merge_request(forge, **ids))

    assert (found.names, found.failed, found.policy, found.code) == (REQUEST, {"f1"}, "m5", 1)
    assert (f"{GONE} is gone" in found.notices) == (GONE in ids.values())


def test_a_merge_request_as_the_runner_fetches_it(look: Look, clones: Clones, forge: Forge) -> None:
    """The runner fetches no target: exit 3, with and without the base."""
    clone = clones["GIT_DEPTH: 20"]

    assert "refs/remotes/origin/main" in refused(lambda: look(clone, merge_request(forge)))
    gone = merge_request(forge, MERGE_REQUEST_DIFF_BASE_SHA=GONE)
    assert "refs/remotes/origin/main" in refused(lambda: look(clone, gone))
    assert "git fetch origin" in refused(lambda: look(clone, merge_request(forge, MERGE_REQUEST_DIFF_BASE_SHA="")))


@pytest.mark.parametrize(
    ("branch", "head", "before", "names", "policy"),
    [
        ("feature", "f4", ZERO, REQUEST, "m5"),
        ("feature", "f4", "f2", {"f3", "f4"}, "m5"),
        ("feature", "f4", "old", REQUEST, "m5"),
        ("main", "m5", "m4", {"m5", "s1", "s2"}, "m4"),
        ("main", "m5", ZERO, MAIN, None),
    ],
)
def test_a_gitlab_push_is_what_is_new(
    look: Look,
    clones: Clones,
    forge: Forge,
    *,
    branch: str,
    head: str,
    before: str,
    names: set[str],
    policy: str | None,
) -> None:
    """A branch pipeline is judged by the default branch, and the default branch by what stood there."""
    ids = {"COMMIT_SHA": head, "COMMIT_BEFORE_SHA": before, "COMMIT_BRANCH": branch}
    found = look(clones["GIT_DEPTH: 0"], gitlab(forge, GITLAB, **ids))

    assert (found.names, found.policy, found.code) == (names, policy, int(bool(found.failed)))
    assert bool(found.failed) == bool(names & {"f1", "s1"})


@pytest.mark.parametrize("before", [ZERO, "f2", "old"])
def test_a_gitlab_push_needs_the_default_branch(look: Look, clones: Clones, forge: Forge, before: str) -> None:
    """The runner fetches one branch alone; what its author pushed before is no policy."""
    environ = gitlab(forge, GITLAB, COMMIT_SHA="f4", COMMIT_BEFORE_SHA=before, COMMIT_BRANCH="feature")

    assert "git fetch origin" in refused(lambda: look(clones["GIT_DEPTH: 20"], environ))


def test_without_a_default_branch_nothing_is_left_out(look: Look, clones: Clones, forge: Forge) -> None:
    """Where nobody says which branch receives, all of the branch is judged, by the defaults."""
    environ = gitlab(forge, GITLAB, COMMIT_SHA="f4", COMMIT_BEFORE_SHA="f2", DEFAULT_BRANCH="")
    found = look(clones["GIT_DEPTH: 20"], environ)

    assert (found.names, found.policy) == (REQUEST | {"a1", "a2", "a3", "m1", "m2", "m3"}, None)
    assert "no .ampcommit at the receiving branch: the defaults hold" in found.notices


@pytest.mark.parametrize("source", ["schedule", "web", "api", "parent_pipeline"])
def test_a_pipeline_that_nothing_set_off_is_like_none(look: Look, clones: Clones, forge: Forge, source: str) -> None:
    """A schedule has no commit before: what the runner checked out is judged."""
    environ = gitlab(forge, GITLAB, COMMIT_SHA="f4", COMMIT_BEFORE_SHA=ZERO, PIPELINE_SOURCE=source)
    found = look(clones["GIT_DEPTH: 0"], environ)

    assert (found.names, found.range) == ({"f4"}, "HEAD")


# Buildkite.


def build(forge: Forge, commit: str = "f4", branch: str = "feature", **others: str) -> dict[str, str]:
    """Return Buildkite's variables."""
    return BUILDKITE | {"BUILDKITE_COMMIT": forge.ids.get(commit, commit), "BUILDKITE_BRANCH": branch} | others


OF_REQUEST = {"BUILDKITE_PULL_REQUEST": "7", "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main"}


@pytest.mark.parametrize("commit", ["f4", "HEAD"])
@pytest.mark.parametrize("others", [{}, OF_REQUEST], ids=["branch", "pull request"])
def test_a_build_is_what_the_receiving_branch_lacks(
    look: Look, clones: Clones, forge: Forge, commit: str, others: dict[str, str]
) -> None:
    """A pull request, and a branch without one, are judged from where they part, by the branch that receives them."""
    found = look(clones["agent"], build(forge, commit, **others))

    assert (found.names, found.failed, found.policy) == (REQUEST, {"f1"}, "m5")


def test_a_build_of_the_default_branch_is_what_its_tip_brought(look: Look, clones: Clones, forge: Forge) -> None:
    """A merge brings the commits of its side branch; the policy is that of the commit before."""
    found = look(clones["agent"], build(forge, "m5", "main"))

    assert (found.names, found.failed, found.policy) == ({"m5", "s1", "s2"}, {"s1"}, "m4")


def test_a_build_of_the_first_commit_is_that_commit(look: Look, clones: Clones, forge: Forge) -> None:
    """A default branch begins somewhere, and that needs no commit before."""
    found = look(clones["agent"], build(forge, "a1", "main"))

    assert (found.names, found.policy) == ({"a1"}, None)
    assert "is gone: all of the branch is checked" in found.notices


def test_a_build_without_its_branch_is_not_judged(look: Look, clones: Clones, forge: Forge) -> None:
    """A branch that is not there, or a clone that is cut off, is exit 3."""
    other = OF_REQUEST | {"BUILDKITE_PULL_REQUEST_BASE_BRANCH": "release"}
    assert "refs/remotes/origin/release" in refused(lambda: look(clones["agent"], build(forge, **other)))
    for name, commit in (("main, fetch-depth: 1", "m5"), ("main, fetch-depth: 1", "HEAD")):
        assert "fetch-depth: 0" in refused(partial(look, clones[name], build(forge, commit, "main")))


# The pre-commit framework, and no CI system at all.


@pytest.fixture
def here(clones: Clones, forge: Forge, tmp_path: Path) -> Path:
    """A person's clone, on `feature`, of which the remote has `f2`."""
    path = copied(clones["agent"], tmp_path / "here")
    git(path, "checkout", "-q", "-B", "feature", forge.ids["f4"])
    git(path, "branch", "-q", "--set-upstream-to=origin/feature")
    git(path, "update-ref", "refs/remotes/origin/feature", forge.ids["f2"])
    return path


def pre_push(forge: Forge, **others: str | None) -> dict[str, str]:
    """Return the variables of pre-commit's `pre-push` stage."""
    ids = {f"PRE_COMMIT_{name}": commit and forge.ids.get(commit, commit) for name, commit in others.items()}
    return {name: value for name, value in {**PRE_PUSH, **ids}.items() if value is not None}


@pytest.mark.parametrize(
    ("others", "names", "policy"),
    [
        ({"FROM_REF": "f2", "TO_REF": "f4"}, {"f3", "f4"}, "m5"),
        ({"FROM_REF": "m2", "TO_REF": "f4"}, REQUEST, "m5"),
        ({"FROM_REF": GONE, "TO_REF": "f4"}, REQUEST, "m5"),
        ({"FROM_REF": None, "TO_REF": None, "LOCAL_BRANCH": "refs/heads/feature"}, REQUEST, "m5"),
        ({"FROM_REF": None, "TO_REF": None, "LOCAL_BRANCH": None}, REQUEST, "m5"),
        ({"FROM_REF": "m4", "TO_REF": "m5", "REMOTE_NAME": "fork"}, {"m5", "s1", "s2"}, "m4"),
        ({"FROM_REF": "m4", "TO_REF": "m5", "REMOTE_NAME": "git@example.com:demo.git"}, {"m5", "s1", "s2"}, "m4"),
        ({"FROM_REF": "f2", "TO_REF": "f4", "REMOTE_BRANCH": "refs/notes/commits"}, set(), None),
    ],
    ids=["known", "new", "gone", "whole", "whole, HEAD", "remote without HEAD", "URL", "notes"],
)
def test_a_push_through_pre_commit_is_what_it_brings(
    look: Look, here: Path, forge: Forge, *, others: dict[str, str | None], names: set[str], policy: str | None
) -> None:
    """What pre-commit names is judged by the remote's own branch: the one at its HEAD, or else the one pushed to."""
    found = look(here, pre_push(forge, **others))

    assert (found.names, found.policy) == (names, policy)
    assert ("there is no commit in pre-commit: nothing was checked" in found.notices) == (not names)


def test_without_surroundings_it_is_what_the_upstream_lacks(look: Look, here: Path, forge: Forge) -> None:
    """A person is shown what is still to be pushed, by the policy of the upstream."""
    found = look(here)
    assert (found.names, found.policy, found.range) == ({"f3", "f4", "m3"}, "f2", "@{upstream}..HEAD")
    git(here, "update-ref", "refs/remotes/origin/feature", forge.ids["f4"])
    found = look(here)
    assert (found.names, found.code) == (set(), 0)
    assert "there is no commit in @{upstream}..HEAD: nothing was checked" in found.notices


def test_without_an_upstream_it_is_head(look: Look, here: Path, forge: Forge) -> None:
    """A branch without upstream, one whose upstream is gone, and a detached HEAD are judged by what stands there."""
    git(here, "update-ref", "-d", "refs/remotes/origin/feature")
    assert look(here).names == {"f4"}
    git(here, "branch", "-q", "--unset-upstream")
    assert look(here).names == {"f4"}
    git(here, "checkout", "-q", "--detach", forge.ids["n2"])
    found = look(here)
    assert (found.names, found.policy, found.range) == ({"n2"}, "n2", "HEAD")


def test_an_unborn_head_is_no_range(look: Look, tmp_path: Path) -> None:
    """Where there is no commit yet, that is said: exit 2."""
    git(tmp_path, "init", "-q", "-b", "main", "new")

    assert "there are no commits 'HEAD' here" in refused(lambda: look(tmp_path / "new"), MisuseError)


# Lines on standard input.


@pytest.fixture
def read(forge: Forge) -> Callable[..., Outcome]:
    """Return a function that lets `verify --stdin` read lines, in the forge itself if no clone is named."""

    def call(*lines: str | bytes, at: Path | None = None) -> Outcome:
        given = [line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines]
        return Outcome(forge, lambda history: ranges.listed(history, given), at or forge.path, {})

    return call


Read = Callable[..., Outcome]


@pytest.fixture
def received(forge: Forge) -> Callable[[str, str, str], str]:
    """Return a function that makes a line as git gives it to `pre-receive`."""

    def line(old: str, new: str, ref: str) -> str:
        return f"{forge.ids.get(old, old)} {forge.ids.get(new, new)} {ref}"

    return line


@pytest.fixture
def pushed(forge: Forge) -> Callable[..., str]:
    """Return a function that makes a line as git gives it to `pre-push`."""

    def line(new: str, old: str, ref: str = "refs/heads/feature", local: str = "refs/heads/feature") -> str:
        return f"{local} {forge.ids.get(new, new)} {ref} {forge.ids.get(old, old)}"

    return line


Line = Callable[..., str]


def test_ids_are_these_commits_alone(read: Read, forge: Forge) -> None:
    """Of ids each is one commit, judged once however often it is there, by the policy at HEAD."""
    ids = forge.ids
    found = read(ids["f1"], "", "  ", ids["s2"], f"\t{ids['f1']}  ", b"\r\n", ids["f1"].encode())

    assert (found.names, found.failed, found.policy, found.range) == ({"f1", "s2"}, {"f1"}, "m5", "--stdin")


def test_the_id_of_a_tag_is_its_commit(read: Read, forge: Forge) -> None:
    """An annotated tag is as good as what it names."""
    assert read(git(forge.path, "rev-parse", "v1")).names == {"m4"}


def test_nothing_on_standard_input_is_said(read: Read) -> None:
    """A list without lines passes, and nobody can take that for a list of good commits."""
    for lines in ((), ("",), (" \t", "\r")):
        found = read(*lines)
        assert (found.names, found.code) == (set(), 0)
        assert "there is no commit in --stdin: nothing was checked" in found.notices


def test_an_id_that_is_not_here_is_refused(read: Read, forge: Forge, clones: Clones) -> None:
    """What cannot be read is not left out: neither an unknown id, nor one of a tree; in a shallow clone with advice."""
    tree = git(forge.path, "rev-parse", "main^{tree}")
    for one in (GONE, ZERO, tree, "b" * 64):
        assert f"the commit {one} is not in this clone\nfetch it" in refused(partial(read, forge.ids["f2"], one))
    assert "fetch-depth: 0" in refused(lambda: read(forge.ids["a1"], at=clones["fetch-depth: 6"]))


@pytest.mark.parametrize(
    ("old", "new", "ref", "names", "policy"),
    [
        ("m4", "m5", "refs/heads/main", {"m5", "s1", "s2"}, "m4"),
        (ZERO, "m5", "refs/heads/main", MAIN, None),
        (GONE, "m5", "refs/heads/main", MAIN, None),
        (ZERO, "f4", "refs/heads/feature", REQUEST, "m5"),
        ("f2", "f4", "refs/heads/feature", {"f3", "f4"}, "m5"),
        (GONE, "f4", "refs/heads/feature", REQUEST, "m5"),
        (ZERO, "f2", "refs/tags/rc", {"f1", "f2"}, "m5"),
        (ZERO, "m2", "refs/tags/main", set(), "m5"),
    ],
)
def test_what_is_received_is_judged_by_the_default_branch(
    read: Read, received: Line, *, old: str, new: str, ref: str, names: set[str], policy: str | None
) -> None:
    """A line of `pre-receive` is from old to new; a new branch begins at the default branch, whose policy counts."""
    found = read(received(old, new, ref))

    assert (found.names, found.policy) == (names, policy)


def test_a_branch_cannot_hide_commits_from_the_default_branch(
    read: Read, received: Line, forge: Forge, tmp_path: Path
) -> None:
    """What the default branch gets is judged whole, though it was pushed before as a branch that nobody judged."""
    copy = copied(forge.path, tmp_path / "copy.git")
    git(copy, "update-ref", "refs/heads/first", forge.ids["s2"])
    git(copy, "update-ref", "refs/heads/main", forge.ids["m4"])

    found = read(received("m4", "m5", "refs/heads/main"), at=copy)
    assert (found.names, found.failed) == ({"m5", "s1", "s2"}, {"s1"})


def test_a_default_branch_need_not_be_utf8(read: Read, received: Line, forge: Forge, tmp_path: Path) -> None:
    """What git calls a branch is bytes, and the default branch is known by them."""
    copy = copied(forge.path, tmp_path / "copy.git")
    name = b"refs/heads/m\xe4in"
    (copy / "packed-refs").write_bytes(forge.ids["m5"].encode() + b" " + name + b"\n")
    (copy / "HEAD").write_bytes(b"ref: " + name + b"\n")
    line = received("m4", "m5", "").encode() + name + b"\n"

    assert (found := read(line, at=copy)).names == {"m5", "s1", "s2"}
    assert found.policy == "m4"


def test_two_refs_bring_a_commit_once(read: Read, received: Line) -> None:
    """What several refs share is judged and counted once; ids and lines may be mixed."""
    lines = [received(ZERO, "f4", "refs/heads/feature"), received(ZERO, "f2", "refs/tags/rc")]
    lines += [received("m4", "m5", "refs/heads/main"), received("m4", "m5", "refs/heads/copy")]
    found = read(*lines, lines[0].split()[1])

    assert (found.names, found.failed) == (REQUEST | {"m5", "s1", "s2"}, {"f1", "s1"})


@pytest.mark.parametrize("order", [1, -1])
def test_the_policy_does_not_depend_on_the_order(read: Read, received: Line, order: int) -> None:
    """Where the default branch is among what is pushed, its old value has the policy."""
    lines = [received("m4", "m5", "refs/heads/main"), received(ZERO, "f4", "refs/heads/feature")]

    assert read(*lines[::order]).policy == "m4"


def test_a_branch_is_no_policy_for_itself(read: Read, received: Line, forge: Forge, tmp_path: Path) -> None:
    """S09: where the server has branches and no default branch nobody can say whose policy counts: exit 3."""
    copy = copied(forge.path, tmp_path / "copy.git")
    git(copy, "symbolic-ref", "HEAD", "refs/heads/unborn")

    with pytest.raises(SetupError, match="whose policy counts") as caught:
        read(received("f2", "f4", "refs/heads/feature"), at=copy)
    assert "git symbolic-ref HEAD" in caught.value.hint


@pytest.mark.parametrize("kind", ["tags", "heads"])
def test_a_tag_is_not_taken_for_head(
    read: Read, received: Line, whole: Look, forge: Forge, tmp_path: Path, *, kind: str
) -> None:
    """Where HEAD is a branch that is not there git takes a tag or a branch called HEAD for it; that is no policy."""
    copy = copied(forge.path, tmp_path / "copy.git")
    git(copy, "symbolic-ref", "HEAD", "refs/heads/unborn")
    git(copy, "update-ref", f"refs/{kind}/HEAD", forge.ids["f1"])

    with pytest.raises(SetupError, match="whose policy counts"):
        read(received(ZERO, "f4", "refs/heads/x"), at=copy)
    assert read(forge.ids["f4"], at=copy).policy is None
    assert whole(copy).policy is None


BLANKS = ["\u00a0", "\u0085", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"]


@pytest.mark.parametrize("blank", BLANKS)
def test_a_ref_cannot_be_more_than_one_word(
    read: Read, received: Line, forge: Forge, tmp_path: Path, blank: str
) -> None:
    """A name that git allows holds blanks that are none for git, and an id behind one is no start of the range."""
    ref = f"refs/heads/feature{blank}{forge.ids['f4']}"
    git(tmp_path, "check-ref-format", ref)
    found = read(received(ZERO, "f4", ref))

    assert (found.names, found.failed, found.policy) == (REQUEST, {"f1"}, "m5")


@pytest.fixture
def recorded(here: Path, forge: Forge, tmp_path: Path) -> Callable[[str], tuple[Path, list[bytes]]]:
    """Return a function that pushes many refs and returns the lines that git gave to a hook, and where that ran."""
    server = copied(forge.path, tmp_path / "server.git")
    git(here, "remote", "set-url", "origin", str(server))
    git(here, "notes", "add", "-m", "x", "HEAD")
    git(here, "update-ref", "refs/notes/x", "refs/notes/commits")
    git(here, "tag", "blob", git(here, "hash-object", "-w", ".ampcommit"))
    for name in ("fresh", "gh-readonly-queue/main/pr-7"):
        git(here, "update-ref", "-d", f"refs/remotes/origin/{name}")
    specs = [f"{forge.ids['n2']}:refs/heads/x\u3000{ZERO}", "HEAD@{1 second ago}:refs/heads/again"]
    specs += ["refs/notes/x", "blob", ":refs/heads/fresh", f"+{forge.ids['m4']}:refs/heads/main"]

    def call(name: str) -> tuple[Path, list[bytes]]:
        place, hooks = (server, server / "hooks") if name == "pre-receive" else (here, here / ".git" / "hooks")
        (hooks / name).write_text(f"#!/bin/sh\ncat > '{tmp_path}/lines'\nexit 1\n")
        (hooks / name).chmod(0o755)
        subprocess.run(["git", "push", "-q", "origin", *specs], cwd=here, env=ENVIRON, capture_output=True, check=False)
        return place, (tmp_path / "lines").read_bytes().splitlines(keepends=True)

    return call


def test_what_git_tells_a_server_is_understood(read: Read, recorded: Callable[[str], tuple[Path, list[bytes]]]) -> None:
    """The lines of a real push of branches, notes, a blob, a deletion, and a rewind of the default branch."""
    server, lines = recorded("pre-receive")
    found = read(*[line for line in lines if b"refs/notes" not in line and b"blob" not in line], at=server)

    assert len(lines) == 6
    assert (found.names, found.policy) == (REQUEST | {"n1", "n2"}, "m5")


def test_what_git_tells_before_a_push_is_understood(
    read: Read, recorded: Callable[[str], tuple[Path, list[bytes]]]
) -> None:
    """The same push on the other side: a name with blanks in it, and only what no remote has."""
    here, lines = recorded("pre-push")
    found = read(*lines, at=here)

    assert len(lines) == 6
    assert any(line.startswith(b"HEAD@{1 second ago} ") for line in lines)
    assert (found.names, found.failed, found.policy) == ({"f3", "f4", "n1", "n2"}, set(), "m5")
    assert "refs/notes/x holds notes, no work: not checked" in found.notices
    assert "refs/tags/blob names no commit: not checked" in found.notices


@pytest.mark.parametrize(
    ("new", "old", "remotes", "names", "policy"),
    [
        ("f4", ZERO, {}, {"f3", "f4"}, "m5"),
        ("f4", "f2", {}, {"f3", "f4"}, "m5"),
        ("f4", GONE, {}, {"f3", "f4"}, "m5"),
        ("f4", ZERO, {"fork/mine": "f3"}, {"f4"}, "m5"),
        ("m5", "m4", {"origin/HEAD": None, "origin/main": "m4"}, {"m5", "s1", "s2"}, "m4"),
        ("f4", ZERO, {"origin/HEAD": None, "origin/feature": None}, REQUEST, None),
    ],
    ids=["new", "known", "gone", "another remote has some", "remote without HEAD", "new, remote without HEAD"],
)
def test_what_is_pushed_is_what_no_remote_has(
    read: Read,
    pushed: Line,
    here: Path,
    forge: Forge,
    *,
    new: str,
    old: str,
    remotes: dict[str, str | None],
    names: set[str],
    policy: str | None,
) -> None:
    """A line of `pre-push` is judged by the remote's HEAD; without one here, by what the branch was there."""
    git(here, "update-ref", "-d", "refs/remotes/origin/gh-readonly-queue/main/pr-7")
    for name, at in remotes.items():
        git(
            here,
            "update-ref",
            "--no-deref",
            *(["-d"] if at is None else []),
            f"refs/remotes/{name}",
            *([forge.ids[at]] if at else []),
        )
    found = read(pushed(new, old), at=here)

    assert (found.names, found.policy) == (names, policy)


@pytest.mark.parametrize("local", ["(delete)", "HEAD", "refs/heads/x"])
def test_a_deletion_on_standard_input_brings_nothing(read: Read, received: Line, pushed: Line, local: str) -> None:
    """What a ref was before it is removed is not judged, nor must it be here."""
    for line in (
        received("f4", ZERO, "refs/heads/feature"),
        pushed(ZERO, "f4", local=local),
        received(GONE, ZERO, "x"),
    ):
        found = read(line)
        assert (found.names, found.code) == (set(), 0)
        assert "nothing was checked" in found.notices


def test_notes_and_what_is_no_commit_are_left_out(read: Read, received: Line, forge: Forge) -> None:
    """Notes are no work, a blob has no message; both are said, and the rest is judged all the same."""
    blob, tree = (git(forge.path, "rev-parse", f"main{path}") for path in (":.ampcommit", "^{tree}"))
    lines = [received(ZERO, "f4", "refs/notes/ampcommit"), received(ZERO, blob, "refs/tags/blob")]
    lines += [received(ZERO, tree, "refs/tags/tree"), received("f2", "f4", "refs/heads/refs/notes/x")]
    found = read(*lines)

    assert found.names == {"f3", "f4"}
    assert found.notices.count("not checked") == 3


def test_a_commit_that_did_not_come_is_refused(read: Read, received: Line, pushed: Line) -> None:
    """A new value that is not here is exit 3, not a ref without commits."""
    for line in (received(ZERO, GONE, "refs/heads/main"), pushed(GONE, ZERO)):
        assert f"the commit {GONE} is not in this clone" in refused(partial(read, line))


ID = "a1" * 20
GARBAGE: dict[str, bytes] = {
    "short id": b"a1a1a1a\n",
    "name": b"main\n",
    "range": b"main..HEAD\n",
    "excluded": f"^{ID}\n".encode(),
    "capitals": ID.upper().encode() + b"\n",
    "two words": f"{ID} {ID}\n".encode(),
    "short old": f"a1a1 {ID} refs/heads/main\n".encode(),
    "short new": f"{ID} a1a1 refs/heads/main\n".encode(),
    "no ids": b"one two three\n",
    "no ids, four": b"one two three four\n",
    "pre-push without ids": f"refs/heads/x {ID} refs/heads/x y\n".encode(),
    "ids at wrong places": f"{ID} refs/heads/x {ID} refs/heads/x\n".encode(),
    "option": b"--all\n",
    "binary": bytes(range(1, 256)).replace(b"\n", b"") + b"\n",
    "NUL": f"{ID}\0\n".encode(),
    "NUL between": f"{ID}\0{ID}\0refs/heads/x\n".encode(),
    "UTF-16": f"{ID}\n".encode("utf-16"),
    "marked UTF-8": f"{ID}\n".encode("utf-8-sig"),
    "blank of Unicode": f"{ID}\u3000{ID}\u3000refs/heads/main\n".encode(),
    "digits of Unicode": ("\u0663" * 40 + "\n").encode(),
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("before", [[], ["", "\t"]], ids=["first", "third"])
def test_garbage_on_standard_input_is_a_misuse(read: Read, kind: str, before: list[str]) -> None:
    """What is no id and no line of git's is named by its number, and nothing is judged."""
    said = refused(lambda: read(*before, GARBAGE[kind]), MisuseError)

    assert f"line {len(before) + 1} of standard input is not understood" in said
    assert "pre-receive or pre-push" in said


def test_input_that_is_too_long_is_a_misuse(read: Read, forge: Forge) -> None:
    """A line of 10 MB, and a hundred thousand lines, are refused by number and not worked at."""
    said = refused(lambda: read(forge.ids["f1"], b"a" * 10_000_000), MisuseError)
    assert "standard input is too long at line 2" in said
    said = refused(lambda: read(*[f"{forge.ids['f1']}\n".encode()] * 100_001), MisuseError)
    assert "standard input is too long at line 100001" in said


def test_input_without_end_is_read_no_further(forge: Forge) -> None:
    """Of lines that never end no more is taken than there may be."""
    lines = iter(lambda: b"\n", b"")
    with pytest.raises(MisuseError, match="line 100001"):
        asked(forge.path, lambda history: ranges.listed(history, lines))


def test_many_ids_are_asked_for_at_once(
    read: Read, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of ids costs git processes by the list, not by the id."""
    count = tmp_path / "count"
    counting = tmp_path / "bin" / "git"
    counting.parent.mkdir()
    counting.write_text(f'#!/bin/sh\necho >> {count}\nexec {shutil.which("git")} "$@"\n')
    counting.chmod(0o755)
    monkeypatch.setenv("PATH", str(counting.parent), prepend=os.pathsep)
    spent = []
    for names in (["m1"], ["a1", "a2", "a3", "m1", "m2", "m3", "m4"]):
        count.write_text("")
        assert read(*[forge.ids[name] for name in names]).names == set(names)
        spent.append(len(count.read_text()))

    assert spent[0] == spent[1] > 0


# What a person names.


@pytest.fixture
def name(forge: Forge) -> Callable[..., Outcome]:
    """Return a function that lets `verify` judge what a person names."""

    def call(text: str, at: Path | None = None) -> Outcome:
        text = re.sub(r"(?<! )\b[amsfn]\d\b", lambda found: forge.ids[found[0]], text)
        return Outcome(forge, lambda history: ranges.named(history, text), at or forge.path, {})

    return call


@pytest.mark.parametrize(
    ("text", "names", "policy"),
    [
        ("m3..m5", {"m4", "m5", "s1", "s2"}, "m3"),
        ("m4...s2", {"m4", "s1", "s2"}, "m4"),
        ("s2...m4", {"m4", "s1", "s2"}, "s2"),
        ("main...feature", REQUEST | {"m4", "m5", "s1", "s2"}, "m5"),
        ("m2..", {"m3", "m4", "m5", "s1", "s2"}, "m2"),
        ("m5^!", {"m5"}, "m5"),
        ("f1^!", {"f1"}, "m5"),
        ("v1..main", {"m5", "s1", "s2"}, "m4"),
        ("v0..v1", {"m3", "m4"}, "m2"),
        ("refs/tags/v1", {"m4"}, "m5"),
        ("main~1", {"m4"}, "m5"),
        ("HEAD^2", {"s2"}, "m5"),
        (":/own n2", {"n2"}, "m5"),
        ("m5^-", {"m5", "s1", "s2"}, "m4"),
        ("HEAD..HEAD", set(), "m5"),
        ("main..m2", set(), "m5"),
    ],
)
def test_a_name_is_what_git_takes_it_for(name: Look, text: str, names: set[str], policy: str) -> None:
    """V01: two dots, three, one revision, both kinds of tags; the policy is where the range starts, or at HEAD."""
    found = name(text)

    assert (found.names, found.policy) == (names, policy)
    assert ("nothing was checked" in found.notices) == (not names)


NO_RANGES = ["", "-x", "--all", "--output=x", "--", "-", "^main", "nosuch", "nosuch..HEAD", "HEAD..nosuch", "HEAD^99"]
NO_RANGES += ["HEAD^{tree}", "HEAD:.ampcommit", "HEAD^@", "main..feature^{tree}", "main:.ampcommit..HEAD", "..nosuch"]
NO_RANGES += [
    "HEAD HEAD",
    "main feature",
    "\0",
    "main\n",
    "main\0..HEAD",
    "HEAD@{99}",
    "@{upstream}",
    GONE,
    f"{GONE}..HEAD",
]
NO_RANGES += [
    "x" * 10_000,
    "\udcff",
    "main..main..main",
    "*",
    "refs/heads/*",
    "--branches",
    "HEAD --all",
    "$(id)",
    "`id`",
]


@pytest.mark.parametrize("text", NO_RANGES)
def test_what_is_no_range_is_a_misuse(name: Look, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S05, S06, S07: exit 2, never a range without commits; no option, no shell, nothing written."""
    monkeypatch.chdir(tmp_path)
    assert refused(lambda: name(text), MisuseError).isascii()

    assert list(tmp_path.iterdir()) == []


# Everything.


@pytest.fixture
def whole(forge: Forge) -> Look:
    """Return a function that lets `verify --all` judge a clone."""

    def call(path: Path) -> Outcome:
        return Outcome(forge, ranges.everything, path, {})

    return call


EVERYTHING = MAIN | REQUEST | {"n1", "n2", "queue"}


def test_everything_is_branches_tags_and_head(
    whole: Look, clones: Clones, forge: Forge, here: Path, tmp_path: Path
) -> None:
    """V05, V10: in a bare repository, a clone, a folder of it, a work tree beside it; a detached HEAD counts, too."""
    assert whole(forge.path).names == EVERYTHING
    assert whole(clones["GIT_DEPTH: 0"]).names == EVERYTHING
    assert whole(clones["fetch-depth: 0"]).names == EVERYTHING | {"pr"}
    (here / "folder").mkdir()
    git(here, "worktree", "add", "-q", "--detach", str(tmp_path / "beside"), forge.ids["m1"])
    for path in (here / "folder", tmp_path / "beside"):
        assert whole(path).names == EVERYTHING
    assert whole(tmp_path / "beside").policy == "m1"


def test_notes_and_stashes_are_not_everything(whole: Look, here: Path) -> None:
    """Notes and stashes are no work; tags of trees and blobs hold no commits; all of them are passed over."""
    git(here, "notes", "add", "-m", "x", "HEAD")
    (here / ".ampcommit").write_text("[ampcommit]\n")
    git(here, "stash")
    git(here, "update-ref", "refs/other/x", git(here, "commit-tree", "-m", "Other", "HEAD^{tree}"))
    for kind, what in (("tree", "HEAD^{tree}"), ("blob", "HEAD:.ampcommit")):
        git(here, "tag", kind, what)
        git(here, "tag", "-a", "-m", "x", f"annotated-{kind}", what)
    found = whole(here)

    assert (found.names, found.policy) == (EVERYTHING, "f4")
    assert git(here, "stash", "list")


def test_everything_in_a_fresh_repository_is_nothing(whole: Look, tmp_path: Path) -> None:
    """Without commits there is nothing to judge, and that is said."""
    git(tmp_path, "init", "-q", "-b", "main", "new")
    found = whole(tmp_path / "new")

    assert (found.names, found.code) == (set(), 0)
    assert "there is no commit in --all: nothing was checked" in found.notices


def test_everything_in_a_shallow_clone_is_not_judged(whole: Look, clones: Clones) -> None:
    """V02: a part is not all."""
    assert "git fetch --unshallow" in refused(lambda: whole(clones["fetch-depth: 6"]))
