"""
What the environment of a CI system, or of the pre-commit framework, says is to be checked.

Nothing here asks git. Ids and names are well formed when they leave this module, and no more
than that: whether such a commit is here is for the caller to see.
"""

import os

from ampcommit.errors import SetupError
from ampcommit.files import read_regular
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVENT_LIMIT = 32 * 1024 * 1024
"""Bytes of GitHub's event file that we read; GitHub itself sends no event of more than 25 MB."""

_BY_HAND = "name the commits yourself: ampcommit verify main..HEAD"
_EVENT_HINT = f"GITHUB_EVENT_PATH must name the JSON file of the event; or {_BY_HAND}"
_CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
# What git allows in no ref. Behind the name of a branch some of it would name another commit: main~5, main^{tree}.
_NO_REF = _CONTROLS | frozenset(" ~^:?*[\\")


class Request:
    """
    What is to be checked, as the surroundings name it.

    `head`    the commit to check up to: a full id (of a tag, where one was pushed), `HEAD`, or with
              pre-commit the revision that is pushed; empty: a branch was deleted, nothing is to be checked
    `base`    the commit that the range starts from, an id or a revision; None where none is named, as for a new branch
    `target`  full names of refs where the tip of the receiving branch may be, in order; none if it is unknown
    `own`     whether the branch that was pushed is the receiving one itself
    `bot`     the login of the bot that the forge's event names as the author of the request
    `fork`    whether the forge says that the commits come from another repository than the one that receives them
    `source`  who says all this, for people
    """

    __slots__ = ("base", "bot", "fork", "head", "own", "source", "target")

    def __init__(
        self,
        source: str,
        head: str,
        base: str | None = None,
        *,
        target: tuple[str, ...] = (),
        own: bool = False,
        bot: str | None = None,
        fork: bool = False,
    ) -> None:
        self.source = source
        self.head = head
        self.base = base
        self.target = target
        self.own = own
        self.bot = bot
        self.fork = fork


def requested(environ: "Mapping[str, str]") -> Request | None:
    """Return what the surroundings ask to check: None if nothing, `SetupError` if it cannot be used."""
    # pre-commit may run inside a CI system, and then it knows better what is meant.
    for asked in (_pre_commit, _github, _gitlab, _buildkite):
        request = asked(environ)
        if request is not None:
            return request
    return None


def _pre_commit(environ: "Mapping[str, str]") -> Request | None:
    start, end = environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", "")
    if not start and not environ.get("PRE_COMMIT_REMOTE_BRANCH"):
        return None
    if environ.get("PRE_COMMIT_REMOTE_BRANCH", "").startswith("refs/notes/"):
        return Request("pre-commit", "")  # notes are no work
    # It names no commits where all of a history is new to the remote.
    head = _commit_or_head(end, "PRE_COMMIT_TO_REF") if end else environ.get("PRE_COMMIT_LOCAL_BRANCH") or "HEAD"
    if not _sane(head):
        raise _refused(head, "PRE_COMMIT_LOCAL_BRANCH", "revision")
    remote = environ.get("PRE_COMMIT_REMOTE_NAME") or "origin"
    # Who pushes to a URL has it here as the name of the remote, and such a remote has no refs here.
    target = (f"refs/remotes/{remote}/HEAD",) if _may_be_in_ref(remote) else ()
    return Request("pre-commit", head, _base(start, "PRE_COMMIT_FROM_REF"), target=target)


def _github(environ: "Mapping[str, str]") -> Request | None:
    name = environ.get("GITHUB_EVENT_NAME", "")
    read = _EVENTS.get(name) if environ.get("GITHUB_ACTIONS") == "true" else None
    if read is None:
        return None  # a schedule, a button: nothing that a branch could receive
    return read(f"GitHub Actions, {name}", _Event(environ.get("GITHUB_EVENT_PATH", "")))


def _gitlab(environ: "Mapping[str, str]") -> Request | None:
    if environ.get("GITLAB_CI") != "true":
        return None
    if environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"):
        # In a pipeline for merged results CI_COMMIT_SHA is a merge that nobody wrote, and that is in no branch.
        merged = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")
        projects = {environ.get(f"CI_MERGE_REQUEST_{end}_ID", "") for end in ("SOURCE_PROJECT", "PROJECT")}
        return Request(
            "GitLab CI, merge request",
            _commit(merged, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") if merged else _commit_in(environ, "CI_COMMIT_SHA"),
            _commit_in(environ, "CI_MERGE_REQUEST_DIFF_BASE_SHA"),
            target=_tips_in(environ, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
            fork=len(projects - {""}) == 2,
        )
    if (environ.get("CI_PIPELINE_SOURCE") or "push") not in ("push", "merge_request_event"):
        return None  # a schedule, a button: nothing that a branch could receive
    default = environ.get("CI_DEFAULT_BRANCH", "")
    return Request(
        "GitLab CI",
        _commit_in(environ, "CI_COMMIT_SHA"),
        _base(environ.get("CI_COMMIT_BEFORE_SHA", ""), "CI_COMMIT_BEFORE_SHA") if default else None,
        target=_tips_in(environ, "CI_DEFAULT_BRANCH"),
        own=bool(default) and environ.get("CI_COMMIT_BRANCH") == default,
    )


def _buildkite(environ: "Mapping[str, str]") -> Request | None:
    if environ.get("BUILDKITE") != "true":
        return None
    head = _commit_or_head(environ.get("BUILDKITE_COMMIT", ""), "BUILDKITE_COMMIT")
    if environ.get("BUILDKITE_PULL_REQUEST", "") not in ("", "false"):
        target = _tips_in(environ, "BUILDKITE_PULL_REQUEST_BASE_BRANCH")
        return Request("Buildkite, pull request", head, target=target)
    default = environ.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH", "")
    # For a tag BUILDKITE_BRANCH has the name of the tag.
    own = bool(default) and environ.get("BUILDKITE_BRANCH") == default and not environ.get("BUILDKITE_TAG")
    base = f"{head}^1" if own else None  # where the push began is not told: what HEAD brought at least
    return Request("Buildkite", head, base, target=_tips_in(environ, "BUILDKITE_PIPELINE_DEFAULT_BRANCH"), own=own)


class _Event:
    """GitHub's event file; a field is named by the way to it, as in `pull_request.base.sha`."""

    def __init__(self, path: str) -> None:
        if not path:
            raise SetupError("GITHUB_EVENT_PATH is not set", hint=_EVENT_HINT)
        text = read_regular(path, EVENT_LIMIT)
        if text is None:
            what = f"is not there, or is no regular file of at most {EVENT_LIMIT >> 20} MiB"
            raise SetupError(f"the event file {path!a} {what}", hint=_EVENT_HINT)
        self._fields = _decoded(text)

    def field(self, name: str) -> object:
        """Return the field *name*; None if there is none."""
        found = self._fields
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def text(self, name: str) -> str:
        """Return the field *name*, which must be a text that is not empty."""
        found = self.field(name)
        if not isinstance(found, str) or not found:
            raise SetupError(f"the event file says nothing as {name}", hint=_EVENT_HINT)
        return found

    def commit(self, name: str) -> Sha:
        """Return the id of a commit that stands in the field *name*."""
        return _commit(self.text(name), name)


def _decoded(text: bytes) -> object:
    from ampcommit.jsontext import decoded  # only where GitHub asks

    try:
        return decoded(text, object_pairs_hook=_unambiguous)
    except ValueError as error:
        raise SetupError("the event file is not JSON", hint=_EVENT_HINT) from error


def _unambiguous(pairs: "list[tuple[str, object]]") -> dict[str, object]:
    """Return the fields of a JSON object; `ValueError` if two have one name, because readers differ in which counts."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is there twice")
    return fields


def _pull_request(source: str, event: _Event) -> Request:
    return Request(
        source,
        event.commit("pull_request.head.sha"),
        event.commit("pull_request.base.sha"),
        target=_tips(event.text("pull_request.base.ref"), "pull_request.base.ref"),
        bot=_bot(event),
        fork=_from_fork(event),
    )


def _from_fork(event: _Event) -> bool:
    """Say whether the head of the pull request is in another repository, which may be gone, than its base."""
    base = event.field("pull_request.base.repo.id")
    return base is not None and event.field("pull_request.head.repo.id") != base


def _bot(event: _Event) -> str | None:
    """Return the login of the author of the pull request if that is a bot."""
    if event.field("pull_request.user") is None:
        return None  # the account is gone
    login = event.text("pull_request.user.login")
    if not login.isprintable():
        raise _refused(login, "pull_request.user.login", "login")
    # No person's login can have brackets.
    return login if login.endswith("[bot]") or event.field("pull_request.user.type") == "Bot" else None


def _push(source: str, event: _Event) -> Request:
    """Return what a push to a branch or to a tag asks for; what stands there `after` a deletion is all zeros."""
    default = event.text("repository.default_branch")
    return Request(
        source,
        _base(event.text("after"), "after") or "",
        _base(event.text("before"), "before"),
        target=_tips(default, "repository.default_branch"),
        own=event.text("ref") == f"refs/heads/{default}",
    )


def _merge_group(source: str, event: _Event) -> Request:
    branch = event.text("merge_group.base_ref").removeprefix("refs/heads/")
    return Request(
        source,
        event.commit("merge_group.head_sha"),
        event.commit("merge_group.base_sha"),
        target=_tips(branch, "merge_group.base_ref"),
    )


_EVENTS: "dict[str, Callable[[str, _Event], Request]]" = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "pull_request_review": _pull_request,
    "pull_request_review_comment": _pull_request,
    "push": _push,
    "merge_group": _merge_group,
}


def _commit(text: str, name: str) -> Sha:
    """Return *text*, which *name* holds, as the id of a commit that exists somewhere."""
    found = _base(text, name)
    if found is None:
        raise SetupError(f"{name} names no commit", hint=_BY_HAND)
    return found


def _base(text: str, name: str) -> Sha | None:
    """Return *text* as an id; None where it is empty or all zeros, which is how git says that there is none."""
    if not text:
        return None
    found = Sha.maybe(text)
    if found is None:
        raise _refused(text, name, "full commit id")
    return found if found.strip("0") else None


def _commit_or_head(text: str, name: str) -> str:
    return text if text == "HEAD" else _commit(text, name)


def _commit_in(environ: "Mapping[str, str]", name: str) -> Sha:
    return _commit(environ.get(name, ""), name)


def _tips_in(environ: "Mapping[str, str]", name: str) -> tuple[str, ...]:
    """Return where the tip of the branch that the variable *name* holds may be; nowhere if it holds none."""
    branch = environ.get(name)
    return _tips(branch, name) if branch else ()


def _tips(branch: str, name: str) -> tuple[str, ...]:
    if not _may_be_in_ref(branch):
        raise _refused(branch, name, "name of a branch")
    return (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}")


def _may_be_in_ref(text: str) -> bool:
    return _sane(text) and _NO_REF.isdisjoint(text) and "@{" not in text and not text.startswith("/")


def _sane(text: str) -> bool:
    """Say whether *text* can be given to git as one revision, and is taken for no option and no range."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # JSON can spell characters that are none
        return False
    return len(text) < 1024 and _CONTROLS.isdisjoint(text) and ".." not in text and not text.startswith("-")


def _refused(text: str, name: str, what: str) -> SetupError:
    return SetupError(f"{name} is no {what}: {text[:80]!a}", hint=_BY_HAND)
