"""What a CI system or pre-commit says is to be checked is understood, and nothing else is believed."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.errors import SetupError
from ampcommit.forge.ci import EVENT_LIMIT, Request, requested
from ampcommit.record import Sha
from tests.test_record import values

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

BASE, HEAD, MERGE, WIDE = "a1" * 20, "b2" * 20, "c3" * 20, "d4" * 32
NOTHING = "0" * 40
MAIN = ("refs/remotes/origin/main", "refs/heads/main")
GONE = object()
"""Stands for a field, or a variable, that is not there."""


def said(request: Request | None) -> dict[str, object]:
    """Return every field of *request*."""
    assert request is not None
    return {name: getattr(request, name) for name in Request.__slots__}


def expected(source: str, head: str = HEAD, base: str | None = BASE, **others: object) -> dict[str, object]:
    """Return the fields of a request, with *others* where they are not the usual ones."""
    usual = {"target": MAIN, "own": False, "bot": None, "fork": False}
    return {"source": source, "head": head, "base": base} | usual | others


def refusal(environ: dict[str, str]) -> str:
    """Return the message about *environ*, whose hint says what can be done instead."""
    with pytest.raises(SetupError) as caught:
        requested(environ)

    assert caught.value.exit_code == 3
    assert "ampcommit verify main..HEAD" in caught.value.hint
    return str(caught.value) + "\n" + caught.value.hint


def variables(usual: dict[str, str], changes: dict[str, object]) -> dict[str, str]:
    """Return the variables *usual* with *changes*."""
    return {name: str(value) for name, value in (usual | changes).items() if value is not GONE}


# --- no such surroundings


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CI": "true"},
        {"GITHUB_ACTIONS": "false", "GITHUB_EVENT_NAME": "push"},
        {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "/nowhere"},
        {"GITLAB_CI": "", "CI_COMMIT_SHA": HEAD},
        {"BUILDKITE": "false", "BUILDKITE_COMMIT": HEAD},
        {"PRE_COMMIT": "1"},
        {"PRE_COMMIT": "1", "PRE_COMMIT_TO_REF": HEAD, "PRE_COMMIT_REMOTE_NAME": "origin"},
    ],
)
def test_a_plain_shell_asks_for_nothing(environ: dict[str, str]) -> None:
    """Where no CI system says that it is one, its variables mean nothing."""
    assert requested(environ) is None


def test_the_tests_know_of_no_ci(sealed: Path) -> None:
    """Whoever runs these tests, in whichever CI system, no test sees its variables."""
    assert sealed.is_dir()
    assert requested(os.environ) is None


# --- GitHub Actions


def put(path: Path, event: object) -> dict[str, str]:
    """Write the event file *path* (bytes as they are) and return the variables that GitHub sets beside it."""
    path.write_bytes(event if isinstance(event, bytes) else json.dumps(event).encode())
    return {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)}


def asked_by(path: Path, name: str, event: object) -> Request | None:
    """Return what GitHub's event *name* asks for."""
    return requested(put(path / "event.json", event) | {"GITHUB_EVENT_NAME": name})


def changed(event: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    """Return *event* with another value in the field *name* (`a.b.c`)."""
    first, _, rest = name.partition(".")
    fields = dict(event)
    if rest:
        fields[first] = changed(fields[first], rest, value)
    elif value is GONE:
        del fields[first]
    else:
        fields[first] = value
    return fields


REPOSITORY = {"id": 186853002, "full_name": "octo-org/octo-repo", "fork": False, "default_branch": "main"}
USER = {"login": "octocat", "id": 21031067, "type": "User", "site_admin": False}
PULL_REQUEST = {
    "action": "synchronize",
    "number": 2,
    "pull_request": {
        "url": "https://api.github.com/repos/octo-org/octo-repo/pulls/2",
        "number": 2,
        "state": "open",
        "title": "Update the README with new information.",
        "user": USER,
        "body": None,
        "merge_commit_sha": MERGE,
        "head": {"label": "octocat:changes", "ref": "changes", "sha": HEAD, "user": USER, "repo": REPOSITORY},
        "base": {"label": "octo-org:main", "ref": "main", "sha": BASE, "user": USER, "repo": REPOSITORY},
        "draft": False,
    },
    "before": MERGE,
    "after": HEAD,
    "repository": REPOSITORY,
    "sender": USER,
}
PUSH = {
    "ref": "refs/heads/changes",
    "before": BASE,
    "after": HEAD,
    "created": False,
    "deleted": False,
    "forced": False,
    "base_ref": None,
    "compare": "https://github.com/octo-org/octo-repo/compare/a1a1a1a1a1a1...b2b2b2b2b2b2",
    "commits": [{"id": HEAD, "message": "Say what changes"}],
    "head_commit": {"id": HEAD, "message": "Say what changes"},
    "repository": REPOSITORY,
    "pusher": {"name": "octocat", "email": "octocat@example.com"},
    "sender": USER,
}
MERGE_GROUP = {
    "action": "checks_requested",
    "merge_group": {
        "head_sha": HEAD,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-104-{BASE}",
        "base_sha": BASE,
        "base_ref": "refs/heads/main",
        "head_commit": {"id": HEAD, "message": "Merge pull request #104"},
    },
    "repository": REPOSITORY,
    "sender": USER,
}
EVENTS: dict[str, dict[str, Any]] = {"pull_request": PULL_REQUEST, "push": PUSH, "merge_group": MERGE_GROUP}


@pytest.mark.parametrize(
    "name", ["pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"]
)
def test_a_pull_request_is_what_lies_between_its_ends(tmp_path: Path, name: str) -> None:
    """The commits of a pull request are checked, not the merge that GitHub tries."""
    assert said(asked_by(tmp_path, name, PULL_REQUEST)) == expected(f"GitHub Actions, {name}")


def test_the_target_of_a_pull_request_need_not_be_the_default_branch(tmp_path: Path) -> None:
    """A pull request is received by the branch that it names."""
    request = asked_by(tmp_path, "pull_request", changed(PULL_REQUEST, "pull_request.base.ref", "release/1.x"))

    assert said(request)["target"] == ("refs/remotes/origin/release/1.x", "refs/heads/release/1.x")


@pytest.mark.parametrize(
    ("user", "bot"),
    [
        ({"login": "dependabot[bot]", "type": "Bot"}, "dependabot[bot]"),
        ({"login": "renovate", "type": "Bot"}, "renovate"),
        ({"login": "renovate[bot]", "type": "User"}, "renovate[bot]"),
        ({"login": "renovate[bot]"}, "renovate[bot]"),
        ({"login": "dependabot", "type": "User"}, None),
        ({"login": "dependabot"}, None),
        ({"login": "dependabot[bot]x", "type": None}, None),
        (None, None),
    ],
)
def test_only_the_author_of_a_request_is_its_bot(tmp_path: Path, user: object, bot: str | None) -> None:
    """A bot is whom GitHub calls one, and somebody's name is no proof."""
    event = changed(PULL_REQUEST, "pull_request.user", user)

    assert said(asked_by(tmp_path, "pull_request", event))["bot"] == bot


@pytest.mark.parametrize(
    ("repository", "fork"),
    [
        (REPOSITORY, False),
        ({**REPOSITORY, "full_name": "octo-org/renamed", "fork": True}, False),
        ({**REPOSITORY, "id": 1, "full_name": "octocat/octo-repo"}, True),
        ({**REPOSITORY, "id": str(REPOSITORY["id"])}, True),
        ({}, True),
        (None, True),
        (GONE, True),
    ],
)
def test_a_fork_is_another_repository(tmp_path: Path, repository: object, fork: bool) -> None:
    """A request is of a fork where GitHub names another repository at its head, or none any more."""
    event = changed(PULL_REQUEST, "pull_request.head.repo", repository)

    assert said(asked_by(tmp_path, "pull_request", event))["fork"] == fork


@pytest.mark.parametrize("repository", [GONE, None, {}, {"id": None}])
def test_without_a_base_nobody_is_a_fork(tmp_path: Path, repository: object) -> None:
    """Where the event does not say which repository receives, it says nothing of a fork either."""
    event = changed(PULL_REQUEST, "pull_request.base.repo", repository)

    assert said(asked_by(tmp_path, "pull_request", event))["fork"] is False


@pytest.mark.parametrize("name", ["sender", "pull_request.head.user"])
def test_a_bot_that_only_pushed_frees_nobody(tmp_path: Path, name: str) -> None:
    """Who set the event off, or owns the branch, is not the author of the request."""
    event = changed(PULL_REQUEST, name, {"login": "renovate[bot]", "type": "Bot"})

    assert said(asked_by(tmp_path, "pull_request", event))["bot"] is None


def test_a_push_is_what_came_after(tmp_path: Path) -> None:
    """A push is checked from the old tip of the branch, which may be gone, by the policy of the default branch."""
    assert said(asked_by(tmp_path, "push", PUSH)) == expected("GitHub Actions, push")


def test_a_push_to_the_default_branch_is_its_own(tmp_path: Path) -> None:
    """The default branch receives what is pushed to it."""
    event = changed(PUSH, "ref", "refs/heads/main")

    assert said(asked_by(tmp_path, "push", event)) == expected("GitHub Actions, push", own=True)


@pytest.mark.parametrize("zeros", [NOTHING, "0" * 64])
def test_a_new_branch_has_no_base(tmp_path: Path, zeros: str) -> None:
    """Nothing was there before a branch was made, whichever hash the repository uses."""
    event = changed(changed(PUSH, "before", zeros), "created", value=True)

    assert said(asked_by(tmp_path, "push", event)) == expected("GitHub Actions, push", base=None)


def test_a_deleted_branch_leaves_nothing_to_check(tmp_path: Path) -> None:
    """A push that deletes has an empty head."""
    event = changed(changed(PUSH, "after", NOTHING), "deleted", value=True)

    assert said(asked_by(tmp_path, "push", event)) == expected("GitHub Actions, push", head="")


def test_that_a_branch_was_deleted_is_not_just_said(tmp_path: Path) -> None:
    """Where there is a commit after the push, that commit is checked."""
    assert said(asked_by(tmp_path, "push", changed(PUSH, "deleted", value=True)))["head"] == HEAD


def test_a_pushed_tag_is_not_the_receiving_branch(tmp_path: Path) -> None:
    """A tag with the name of the default branch is a tag."""
    event = changed(changed(PUSH, "ref", "refs/tags/main"), "before", NOTHING)

    assert said(asked_by(tmp_path, "push", event)) == expected("GitHub Actions, push", base=None)


def test_a_merge_group_is_what_the_queue_puts_on_top(tmp_path: Path) -> None:
    """A merge queue checks its commits against the branch that it will merge them into."""
    found = said(asked_by(tmp_path, "merge_group", MERGE_GROUP))

    assert found == expected("GitHub Actions, merge_group")


def test_ids_may_be_of_either_length(tmp_path: Path) -> None:
    """A repository with SHA-256 ids is as good as any."""
    event = changed(changed(PUSH, "after", WIDE), "before", WIDE)

    request = asked_by(tmp_path, "push", event)

    assert said(request)["head"] == said(request)["base"] == WIDE


@pytest.mark.parametrize(
    "name", ["schedule", "workflow_dispatch", "workflow_run", "issue_comment", "pull_request_x", ""]
)
def test_other_events_ask_for_nothing(tmp_path: Path, name: str) -> None:
    """Where no branch receives anything, what git says is taken, and the event file is not even read."""
    assert asked_by(tmp_path, name, b"no event") is None


PLANTED: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path,
    "folder": lambda path: path.mkdir(),
    "FIFO": os.mkfifo,
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    "link": lambda path: path.symlink_to(path.with_name("real")),
    "32 MiB": lambda path: path.open("wb").truncate(EVENT_LIMIT + 1),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", PLANTED)
def test_an_event_that_is_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What is no regular file of bounded size is not read, and the message names variable and way out."""
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    Path("real").write_text(json.dumps(PUSH))
    PLANTED[kind](Path("event"))

    text = refusal({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "event"})

    assert "'event'" in text
    assert "GITHUB_EVENT_PATH" in text


@pytest.mark.parametrize("path", ["", "\0", "\ud800"])
def test_an_event_without_a_path_is_refused(path: str) -> None:
    """A path that is none is no reason to crash, nor to check something else."""
    text = refusal({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": path})

    assert "GITHUB_EVENT_PATH" in text


TEXT = json.dumps(PUSH)
NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "cut off": TEXT.encode()[:-5],
    "two": TEXT.encode() * 2,
    "nested": b"[" * 1_000_000,
    "NaN": TEXT.replace('"forced": false', '"forced": NaN').encode(),
    "infinite": TEXT.replace('"forced": false', '"forced": -Infinity').encode(),
    "twice": TEXT.replace('"forced"', '"after": "' + MERGE + '", "forced"').encode(),
    "Latin-1": TEXT.replace("octocat", "\\u00e9").encode().replace(b"\\u00e9", b"\xe9"),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, unmarked": TEXT.encode("utf-16-le"),
    "UTF-32": TEXT.encode("utf-32"),
    "marked UTF-8": TEXT.encode("utf-8-sig"),
    "NUL": TEXT.encode() + b"\0",
}


@pytest.mark.parametrize("kind", NOT_JSON)
def test_an_event_that_is_not_json_is_refused(tmp_path: Path, kind: str) -> None:
    """Nothing is guessed from a broken file, nor from one that two readers would read differently."""
    text = refusal(put(tmp_path / "event", NOT_JSON[kind]) | {"GITHUB_EVENT_NAME": "push"})

    assert "not JSON" in text
    assert "GITHUB_EVENT_PATH" in text


@pytest.mark.parametrize("event", [None, [], [PUSH], "refs/heads/main", 1, {}, {"repository": []}])
def test_an_event_of_another_shape_is_refused(tmp_path: Path, event: object) -> None:
    """What is no object, or not the one that GitHub documents, is no event."""
    for name in EVENTS:
        assert "says nothing" in refusal(put(tmp_path / "event", event) | {"GITHUB_EVENT_NAME": name})


IDS = {
    "pull_request": ["pull_request.head.sha", "pull_request.base.sha"],
    "push": ["before", "after"],
    "merge_group": ["merge_group.head_sha", "merge_group.base_sha"],
}
NAMES = {
    "pull_request": ["pull_request.base.ref"],
    "push": ["repository.default_branch"],
    "merge_group": ["merge_group.base_ref"],
}
TEXTS = {name: [*IDS[name], *NAMES[name]] for name in EVENTS}
TEXTS["push"] += ["ref"]
TEXTS["pull_request"] += ["pull_request.user.login"]


def each(fields: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return every event with each of its *fields*."""
    return [(event, name) for event, names in fields.items() for name in names]


@pytest.mark.parametrize(("event", "name"), each(TEXTS))
@pytest.mark.parametrize("value", [GONE, None, True, 7, 1.5, [], [HEAD], {}, {"sha": HEAD}, ""])
def test_a_field_of_the_wrong_type_is_refused(tmp_path: Path, event: str, name: str, value: object) -> None:
    """A field that is missing, or no text, is named in the refusal."""
    environ = put(tmp_path / "event", changed(EVENTS[event], name, value)) | {"GITHUB_EVENT_NAME": event}

    text = refusal(environ)

    assert name in text
    assert "GITHUB_EVENT_PATH" in text


NO_IDS = ["HEAD", "main", HEAD[:39], HEAD + "0", HEAD.upper(), f" {HEAD}", f"{HEAD}\n", "0", "-" + HEAD[1:]]
NO_IDS += [f"{HEAD}^", f"{HEAD[:20]}..{HEAD[:20]}", "--all", "\ud800" * 40, "\0" * 40, "٣" * 40, "x" * 1_000_000]


@pytest.mark.parametrize(("event", "name"), each(IDS))
def test_an_id_that_is_none_is_refused(tmp_path: Path, event: str, name: str) -> None:
    """Whatever stands where GitHub writes a full id, nothing else reaches git."""
    for value in NO_IDS:
        environ = put(tmp_path / "event", changed(EVENTS[event], name, value)) | {"GITHUB_EVENT_NAME": event}
        text = refusal(environ)
        assert f"{name} is no full commit id" in text
        assert text.isascii()
        assert len(text) < 1500


@pytest.mark.parametrize(("event", "name"), each({name: ids for name, ids in IDS.items() if name != "push"}))
def test_a_request_has_two_ends(tmp_path: Path, event: str, name: str) -> None:
    """All zeros mean a new or a deleted branch; a request has neither."""
    environ = put(tmp_path / "event", changed(EVENTS[event], name, NOTHING)) | {"GITHUB_EVENT_NAME": event}

    assert f"{name} names no commit" in refusal(environ)


NO_BRANCHES = ["-main", "--upload-pack=x", "main..other", "..", "main\0", "ma\nin", "\x7f", "\x85", "\t", "a b"]
NO_BRANCHES += ["main~5", "main^{tree}", "main@{1}", "main:file", "ma*n", "ma?n", "[m]ain", "ma\\in", "/main", "\ud800"]
NO_BRANCHES += ["x" * 5000]


@pytest.mark.parametrize(("event", "name"), each(NAMES))
@pytest.mark.parametrize("value", NO_BRANCHES)
def test_a_branch_that_can_be_none_is_refused(tmp_path: Path, event: str, name: str, value: str) -> None:
    """The name of a branch is data: it cannot become an option, a range, or another commit than its tip."""
    environ = put(tmp_path / "event", changed(EVENTS[event], name, value)) | {"GITHUB_EVENT_NAME": event}

    assert f"{name} is no name of a branch" in refusal(environ)


@pytest.mark.parametrize(
    "value", ["main", "feature/x", "release-1.x", "fix#12", "@", "größe", "機能", "a%0Ab", "$(id)", "HEAD"]
)
def test_a_branch_is_called_as_git_allows(tmp_path: Path, value: str) -> None:
    """A name that git allows is kept as it is, whatever a shell would make of it."""
    event = changed(PULL_REQUEST, "pull_request.base.ref", value)

    assert said(asked_by(tmp_path, "pull_request", event))["target"] == (
        f"refs/remotes/origin/{value}",
        f"refs/heads/{value}",
    )


@pytest.mark.parametrize("login", ["x\n[bot]", "\x1b[31m[bot]", "\u202e[bot]", "\ud800[bot]", "\0[bot]"])
def test_a_login_shows_what_it_is(tmp_path: Path, login: str) -> None:
    """No bot is called by what a terminal acts on."""
    environ = put(tmp_path / "event", changed(PULL_REQUEST, "pull_request.user.login", login))

    assert "no login" in refusal(environ | {"GITHUB_EVENT_NAME": "pull_request"})


def test_an_author_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    """An author is an object, or nobody."""
    environ = put(tmp_path / "event", changed(PULL_REQUEST, "pull_request.user", ["renovate[bot]"]))

    assert "pull_request.user.login" in refusal(environ | {"GITHUB_EVENT_NAME": "pull_request"})


# --- GitLab

GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": HEAD,
    "CI_COMMIT_BEFORE_SHA": BASE,
    "CI_COMMIT_BRANCH": "changes",
    "CI_DEFAULT_BRANCH": "main",
    "CI_PIPELINE_SOURCE": "push",
}
GITLAB_REQUEST = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": HEAD,
    "CI_COMMIT_BEFORE_SHA": NOTHING,
    "CI_DEFAULT_BRANCH": "trunk",
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "7",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE,
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "changes",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
}


def test_a_merge_request_is_what_it_adds() -> None:
    """A merge request is checked from the base of its diff, by the branch it goes to."""
    assert said(requested(GITLAB_REQUEST)) == expected("GitLab CI, merge request")


def test_a_merged_result_is_not_what_was_written() -> None:
    """In a pipeline for merged results the source branch is checked, not GitLab's own merge."""
    environ = GITLAB_REQUEST | {"CI_COMMIT_SHA": MERGE, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD}

    assert said(requested(environ)) == expected("GitLab CI, merge request")


@pytest.mark.parametrize(
    ("source", "target", "fork"),
    [("7", "7", False), ("8", "7", True), ("8", "", False), ("", "7", False), ("8", GONE, False), (GONE, "7", False)],
)
def test_a_fork_is_another_project(source: object, target: object, fork: bool) -> None:
    """A merge request is of a fork where GitLab names two projects."""
    changes = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": source, "CI_MERGE_REQUEST_PROJECT_ID": target}

    assert said(requested(variables(GITLAB_REQUEST, changes)))["fork"] == fork
    assert said(requested(variables(GITLAB, changes)))["fork"] is False


def test_a_gitlab_push_is_what_came_after() -> None:
    """A branch pipeline is checked from the commit before, by the policy of the default branch."""
    assert said(requested(GITLAB)) == expected("GitLab CI")


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"CI_COMMIT_BRANCH": "main"}, {"own": True}),
        ({"CI_COMMIT_BEFORE_SHA": NOTHING}, {"base": None}),
        ({"CI_COMMIT_BEFORE_SHA": ""}, {"base": None}),
        ({"CI_COMMIT_BEFORE_SHA": GONE}, {"base": None}),
        ({"CI_COMMIT_BRANCH": GONE, "CI_COMMIT_TAG": "main", "CI_COMMIT_BEFORE_SHA": NOTHING}, {"base": None}),
        ({"CI_COMMIT_BRANCH": GONE, "CI_DEFAULT_BRANCH": GONE}, {"target": (), "base": None}),
        ({"CI_COMMIT_BRANCH": "", "CI_DEFAULT_BRANCH": ""}, {"target": (), "base": None}),
        ({"CI_MERGE_REQUEST_DIFF_BASE_SHA": ""}, {}),
        ({"CI_PIPELINE_SOURCE": GONE}, {}),
        ({"CI_PIPELINE_SOURCE": ""}, {}),
        ({"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BEFORE_SHA": NOTHING}, {"base": None}),
    ],
)
def test_a_gitlab_pipeline_says_less(changes: dict[str, object], differs: dict[str, object]) -> None:
    """New branches, tags and old GitLabs name no commit before; what is unknown leaves nothing out."""
    assert said(requested(variables(GITLAB, changes))) == expected("GitLab CI") | differs


@pytest.mark.parametrize(
    "source", ["schedule", "web", "api", "trigger", "pipeline", "parent_pipeline", "chat", "webide", "PUSH", " push"]
)
def test_a_pipeline_without_a_push_asks_for_nothing(source: str) -> None:
    """A schedule, a button: no branch receives anything."""
    assert requested(GITLAB | {"CI_PIPELINE_SOURCE": source}) is None
    assert said(requested(GITLAB_REQUEST | {"CI_PIPELINE_SOURCE": source}))["base"] == BASE


def test_a_merge_request_without_its_target_has_none() -> None:
    """An old GitLab does not name the target, and no other branch is put in its place."""
    environ = variables(GITLAB_REQUEST, {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": GONE})

    assert said(requested(environ))["target"] == ()


# --- Buildkite

BUILDKITE = {
    "CI": "true",
    "BUILDKITE": "true",
    "BUILDKITE_COMMIT": HEAD,
    "BUILDKITE_BRANCH": "changes",
    "BUILDKITE_TAG": "",
    "BUILDKITE_PULL_REQUEST": "false",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "",
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main",
}
BUILDKITE_REQUEST = BUILDKITE | {
    "BUILDKITE_PULL_REQUEST": "123",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main",
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "trunk",
}


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, {}),
        ({"BUILDKITE_COMMIT": "HEAD"}, {"head": "HEAD"}),
        ({"BUILDKITE_PULL_REQUEST": GONE}, {}),
        ({"BUILDKITE_BRANCH": "main"}, {"own": True, "base": f"{HEAD}^1"}),
        ({"BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "HEAD"}, {"own": True, "head": "HEAD", "base": "HEAD^1"}),
        ({"BUILDKITE_BRANCH": "main", "BUILDKITE_TAG": "main"}, {}),
        ({"BUILDKITE_PIPELINE_DEFAULT_BRANCH": ""}, {"target": ()}),
        ({"BUILDKITE_PIPELINE_DEFAULT_BRANCH": GONE, "BUILDKITE_BRANCH": GONE}, {"target": ()}),
        ({"BUILDKITE_PIPELINE_DEFAULT_BRANCH": "", "BUILDKITE_BRANCH": ""}, {"target": ()}),
    ],
)
def test_a_build_names_its_commit_alone(changes: dict[str, object], differs: dict[str, object]) -> None:
    """Buildkite names a commit and the default branch, not where the range starts: there, at the first parent."""
    assert said(requested(variables(BUILDKITE, changes))) == expected("Buildkite", base=None) | differs


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, {}),
        ({"BUILDKITE_BRANCH": "trunk"}, {}),
        ({"BUILDKITE_BRANCH": "main"}, {}),
        ({"BUILDKITE_PULL_REQUEST_BASE_BRANCH": ""}, {"target": ()}),
    ],
)
def test_a_build_of_a_pull_request_goes_to_its_base(changes: dict[str, object], differs: dict[str, object]) -> None:
    """A pull request is received by its base branch, and is never the receiving branch itself."""
    found = said(requested(variables(BUILDKITE_REQUEST, changes)))

    assert found == expected("Buildkite, pull request", base=None) | differs


# --- pre-commit: the variables as pre-commit 4 sets them

PRE_PUSH = {
    "PRE_COMMIT": "1",
    "PRE_COMMIT_ORIGIN": BASE,
    "PRE_COMMIT_SOURCE": HEAD,
    "PRE_COMMIT_FROM_REF": BASE,
    "PRE_COMMIT_TO_REF": HEAD,
    "PRE_COMMIT_LOCAL_BRANCH": "refs/heads/changes",
    "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/changes",
    "PRE_COMMIT_REMOTE_NAME": "origin",
    "PRE_COMMIT_REMOTE_URL": "https://example.com/demo.git",
}
WHOLE_HISTORY: dict[str, object] = {f"PRE_COMMIT_{name}": GONE for name in ("ORIGIN", "SOURCE", "FROM_REF", "TO_REF")}
REMOTE_HEAD = ("refs/remotes/origin/HEAD",)


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, {}),
        ({"PRE_COMMIT_FROM_REF": NOTHING}, {"base": None}),
        ({"PRE_COMMIT_TO_REF": "HEAD"}, {"head": "HEAD"}),
        ({"PRE_COMMIT_LOCAL_BRANCH": GONE, "PRE_COMMIT_REMOTE_BRANCH": GONE, "PRE_COMMIT_REMOTE_NAME": GONE}, {}),
        ({"PRE_COMMIT_REMOTE_NAME": "up/stream"}, {"target": ("refs/remotes/up/stream/HEAD",)}),
        ({"PRE_COMMIT_REMOTE_NAME": "https://example.com/demo.git"}, {"target": ()}),
        ({"PRE_COMMIT_REMOTE_NAME": "git@example.com:demo.git"}, {"target": ()}),
        ({"PRE_COMMIT_REMOTE_NAME": "../demo.git"}, {"target": ()}),
        ({"PRE_COMMIT_REMOTE_NAME": "/srv/demo.git"}, {"target": ()}),
        ({"PRE_COMMIT_REMOTE_NAME": "-x\n"}, {"target": ()}),
    ],
)
def test_a_push_through_pre_commit_is_what_it_names(changes: dict[str, object], differs: dict[str, object]) -> None:
    """pre-commit names both ends; the receiving branch is what the remote's HEAD points to, if it has one here."""
    found = said(requested(variables(PRE_PUSH, changes)))

    assert found == expected("pre-commit", target=REMOTE_HEAD) | differs


@pytest.mark.parametrize("local", ["refs/heads/main", "refs/tags/v1", "HEAD", "HEAD~", "HEAD@{1 day ago}", HEAD])
def test_a_whole_history_has_only_a_head(local: str) -> None:
    """Where the remote has nothing of a history, pre-commit names no commits, only what is pushed."""
    found = said(requested(variables(PRE_PUSH, WHOLE_HISTORY | {"PRE_COMMIT_LOCAL_BRANCH": local})))

    assert found == expected("pre-commit", head=local, base=None, target=REMOTE_HEAD)


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({"PRE_COMMIT_LOCAL_BRANCH": GONE}, "HEAD"),
        ({"PRE_COMMIT_LOCAL_BRANCH": ""}, "HEAD"),
        ({"PRE_COMMIT_TO_REF": HEAD}, HEAD),
    ],
)
def test_a_whole_history_ends_somewhere(changes: dict[str, object], head: str) -> None:
    """What is not named is HEAD."""
    found = said(requested(variables(PRE_PUSH, WHOLE_HISTORY | changes)))

    assert found == expected("pre-commit", head=head, base=None, target=REMOTE_HEAD)


@pytest.mark.parametrize("ref", ["refs/notes/commits", "refs/notes/x/y"])
@pytest.mark.parametrize("changes", [{}, WHOLE_HISTORY, {"PRE_COMMIT_TO_REF": "x"}], ids=["new", "whole", "garbage"])
def test_a_push_of_notes_brings_nothing(ref: str, changes: dict[str, object]) -> None:
    """Notes are no work, whatever else is named."""
    found = said(requested(variables(PRE_PUSH, changes | {"PRE_COMMIT_REMOTE_BRANCH": ref})))

    assert found == expected("pre-commit", head="", base=None, target=())


def test_a_branch_with_the_name_of_notes_is_a_branch() -> None:
    """Only what lies under refs/notes/ is taken for notes."""
    for ref in ("refs/heads/refs/notes/x", "refs/notesx", "notes/x"):
        assert said(requested(PRE_PUSH | {"PRE_COMMIT_REMOTE_BRANCH": ref}))["head"] == HEAD


@pytest.mark.parametrize("local", ["-x", "--all", "main..other", "main\n", "\0", "\ud800", "x" * 5000])
def test_what_is_pushed_is_one_revision(local: str) -> None:
    """What pre-commit hands on from git is no option and no range."""
    environ = variables(PRE_PUSH, WHOLE_HISTORY | {"PRE_COMMIT_LOCAL_BRANCH": local})

    assert "PRE_COMMIT_LOCAL_BRANCH is no revision" in refusal(environ)


def test_pre_commit_counts_before_the_ci_around_it(tmp_path: Path) -> None:
    """Where pre-commit runs inside a CI system, what pre-commit names is checked."""
    ci = put(tmp_path / "event", b"no event") | {"GITHUB_EVENT_NAME": "push"} | GITLAB | BUILDKITE

    assert said(requested(ci | PRE_PUSH))["source"] == "pre-commit"


# --- bad values in variables


@pytest.mark.parametrize(
    ("usual", "name"),
    [
        (GITLAB, "CI_COMMIT_SHA"),
        (GITLAB, "CI_COMMIT_BEFORE_SHA"),
        (GITLAB_REQUEST, "CI_COMMIT_SHA"),
        (GITLAB_REQUEST, "CI_MERGE_REQUEST_DIFF_BASE_SHA"),
        (GITLAB_REQUEST, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"),
        (BUILDKITE, "BUILDKITE_COMMIT"),
        (BUILDKITE_REQUEST, "BUILDKITE_COMMIT"),
        (PRE_PUSH, "PRE_COMMIT_FROM_REF"),
        (PRE_PUSH, "PRE_COMMIT_TO_REF"),
    ],
)
def test_a_variable_that_holds_no_id_is_refused(usual: dict[str, str], name: str) -> None:
    """Names, abbreviations and ranges are refused by the name of the variable: they could mean anything here."""
    may_be_head = name in ("BUILDKITE_COMMIT", "PRE_COMMIT_TO_REF")
    for value in NO_IDS[may_be_head:]:
        assert f"{name} is no full commit id" in refusal(usual | {name: value})


@pytest.mark.parametrize("value", [NOTHING, "0" * 64])
@pytest.mark.parametrize(
    ("usual", "name"),
    [
        (GITLAB, "CI_COMMIT_SHA"),
        (GITLAB_REQUEST, "CI_COMMIT_SHA"),
        (GITLAB_REQUEST, "CI_MERGE_REQUEST_DIFF_BASE_SHA"),
        (GITLAB_REQUEST, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"),
        (BUILDKITE, "BUILDKITE_COMMIT"),
        (PRE_PUSH, "PRE_COMMIT_TO_REF"),
    ],
)
def test_zeros_are_no_commit_to_check(usual: dict[str, str], name: str, value: str) -> None:
    """Only the start of a range may be missing."""
    assert f"{name} names no commit" in refusal(usual | {name: value})


@pytest.mark.parametrize(
    ("usual", "name"), [(GITLAB, "CI_COMMIT_SHA"), (GITLAB_REQUEST, "CI_COMMIT_SHA"), (BUILDKITE, "BUILDKITE_COMMIT")]
)
def test_a_ci_system_names_its_commit(usual: dict[str, str], name: str) -> None:
    """A CI system that names no commit is not taken for a plain shell."""
    assert f"{name} names no commit" in refusal(variables(usual, {name: GONE}))


@pytest.mark.parametrize("value", NO_BRANCHES)
@pytest.mark.parametrize(
    ("usual", "name"),
    [
        (GITLAB, "CI_DEFAULT_BRANCH"),
        (GITLAB_REQUEST, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        (BUILDKITE, "BUILDKITE_PIPELINE_DEFAULT_BRANCH"),
        (BUILDKITE_REQUEST, "BUILDKITE_PULL_REQUEST_BASE_BRANCH"),
    ],
)
def test_a_variable_that_can_hold_no_branch_is_refused(usual: dict[str, str], name: str, value: str) -> None:
    """The name of a branch in a variable is as much data as one in a file."""
    assert f"{name} is no name of a branch" in refusal(usual | {name: value})


def test_a_branch_need_not_be_utf8() -> None:
    """What git calls a branch is bytes, and they come as Python hands them on."""
    name = os.fsdecode(b"m\xe4in")

    assert said(requested(GITLAB | {"CI_DEFAULT_BRANCH": name}))["target"] == (
        f"refs/remotes/origin/{name}",
        f"refs/heads/{name}",
    )


# --- whatever comes

texts = st.sampled_from(["", "HEAD", HEAD, NOTHING, "main", "-x", "a..b", "false", "true"]) | st.text(max_size=50)


def understood_or_refused(environ: dict[str, str]) -> bool:
    """Say whether everything in the answer to *environ* that could reach git is what it is taken for."""
    try:
        request = requested(environ)
    except SetupError as error:
        return error.hint != ""
    if request is None:
        return False
    refs = (request.head, *request.target)
    return (
        (request.base is None or Sha.maybe(request.base.removesuffix("^1").replace("HEAD", HEAD)) is not None)
        and not any(".." in ref or "\0" in ref or "\n" in ref or ref.startswith("-") for ref in refs)
        and all(ref.startswith("refs/") for ref in request.target)
    )


@relaxed
@given(
    usual=st.sampled_from([GITLAB, GITLAB_REQUEST, BUILDKITE, BUILDKITE_REQUEST, PRE_PUSH]),
    data=st.data(),
)
def test_variables_are_understood_or_refused(usual: dict[str, str], data: st.DataObject) -> None:
    """Whatever the variables hold, the answer is well formed, or a failure that is explained."""
    names = sorted(set(usual) - {"GITLAB_CI", "CI_PIPELINE_SOURCE", "BUILDKITE", "PRE_COMMIT_REMOTE_BRANCH"})
    environ = usual | data.draw(st.dictionaries(st.sampled_from(names), texts, max_size=3))

    assert understood_or_refused(environ)


@relaxed
@given(event=st.sampled_from(sorted(EVENTS)), data=st.data())
def test_events_are_understood_or_refused(tmp_path: Path, event: str, data: st.DataObject) -> None:
    """Whatever stands in an event, the answer is well formed, or a failure that is explained."""
    fields = EVENTS[event]
    for name in data.draw(st.lists(st.sampled_from(TEXTS[event]), max_size=2, unique=True)):
        fields = changed(fields, name, data.draw(texts | values))

    assert understood_or_refused(put(tmp_path / "event.json", fields) | {"GITHUB_EVENT_NAME": event})
