"""The policy over commits, and over one message: what `ampcommit verify` asks."""

import os
import sys

from ampcommit.current import Current, current
from ampcommit.errors import GitError, MisuseError, PolicyError, SetupError
from ampcommit.gitcmd import Git
from ampcommit.history import LACKING, WHOLE, Commit, History, Range, opened
from ampcommit.link import parse
from ampcommit.message import BLANK, Draft, Trailer, displaced, trailers
from ampcommit.note import LIMIT
from ampcommit.place import Place
from ampcommit.record import Finding, Sha, ThreadId
from ampcommit.rules import Case, judged
from ampcommit.settings import POLICY_FILE, Settings, read_committed, read_settings
from ampcommit.threads import Offline, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT = b"amp <amp@ampcode.com>"
"""The co-author that Amp's own rewrite of a commit names, in lower case."""


class Verdict:
    """What the policy says of one commit; `commit` is None for a message that is none yet."""

    def __init__(self, commit: Sha | None, case: Case, findings: list[Finding]) -> None:
        self.commit = commit
        self.threads: list[ThreadId] = case.links
        self.findings = findings
        self.exempt_by = case.exempt_by
        self.agent = case.demanded
        failed = any(finding.level == "error" for finding in findings)
        self.status = "fail" if failed else "exempt" if case.exempt_by else "pass"


class Report:
    """Verdicts over a range of commits (`range` is None for a message) under one policy."""

    def __init__(
        self, range_: str | None, settings: Settings, policy_from: str | None, verdicts: list[Verdict]
    ) -> None:
        self.range = range_
        self.mode = settings.mode
        self.policy_from = policy_from
        self.warnings = settings.warnings
        self.verdicts = verdicts

    @property
    def exit_code(self) -> int:
        """1 with a finding of level error, else 0."""
        return int(any(verdict.status == "fail" for verdict in self.verdicts))

    def summary(self) -> dict[str, int]:
        """Return the counts that the JSON promises."""
        counted = {status: sum(v.status == status for v in self.verdicts) for status in ("pass", "fail", "exempt")}
        return {
            "checked": len(self.verdicts),
            "passed": counted["pass"],
            "failed": counted["fail"],
            "exempt": counted["exempt"],
            "linked": sum(bool(verdict.threads) for verdict in self.verdicts),
            "not_agent": sum(not verdict.agent for verdict in self.verdicts),
            "warnings": sum(finding.level == "warning" for v in self.verdicts for finding in v.findings),
        }


def message(path: str, environ: "Mapping[str, str]") -> Report:
    """
    Judge the message in the file *path* (`-`: standard input) as the text of a commit, nothing cleaned away.

    The policy is the one a hook would use here, except that a value which cannot be used is
    exit 2: who asks for a verdict must not get one by half a policy.
    """
    text = _read(path)
    git = Git(environ=environ)
    place = Place.of_folder(git)
    index = environ.get("GIT_INDEX_FILE") or os.path.join(place.git_dir, "index")
    settings = read_settings(git, environ, top=place.top, index=index)
    refuse_problems(settings)
    at_work = current(environ, place)
    case = _case(text, settings, git, at_work, environ)
    findings = [] if settings.mode == "off" else judged(case, settings)
    return Report(None, settings, settings.file, [Verdict(None, case, findings)])


def commits(range_: str, environ: "Mapping[str, str]", folder: str = ".", *, allow_fixup: bool = False) -> Report:
    """
    Judge the commits of *range_* (`A..B`, `A...B`, or one revision: that commit alone).

    The policy is the one committed where the range starts, at `HEAD` for a commit alone; what this
    clone, its configuration and its environment say does not count. *allow_fixup* lets the policy
    exempt fixups, which belong into no branch that others build on.
    """
    with opened(Place.of_folder(Git(folder, environ)), environ) as history:
        asked = history.named(range_)
        source = asked.base or history.commit("HEAD")
        settings = _committed(history, source)
        refuse_problems(settings)
        if not allow_fixup:
            settings.values["exempt"] = tuple(kind for kind in settings.exempt if kind != "fixup")
        if not asked.ids:
            settings.warnings.append(f"there is no commit in {range_}: nothing was checked")
        freed = _freed(history, asked, settings)
        verdicts = [_verdict(commit, settings, history, freed) for commit in history.commits(asked)]
    return Report(range_, settings, source if settings.file else None, verdicts)


def refuse_problems(settings: Settings) -> None:
    """Raise `PolicyError` for a policy that asks for what this version cannot do."""
    if settings.problems:
        raise PolicyError("; ".join(settings.problems), hint="mend the policy; docs/policy.md lists keys and values")


def _committed(history: History, source: Sha | None) -> Settings:
    """Return the policy that *source* holds; the defaults, with a word about it, where it holds none."""
    try:
        settings = read_committed(history.objects, source) if source else Settings()
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error
    if settings.file is None:
        settings.warnings.append(f"no {POLICY_FILE} at {source or 'HEAD'}: the defaults hold")
    return settings


def _freed(history: History, asked: Range, settings: Settings) -> dict[str, set[Sha]]:
    """Return for each exemption `before:<commit>` which of the commits it frees."""
    found = {}
    for kind in settings.exempt:
        if kind.startswith("before:"):
            end = history.commit(kind[7:])
            if end is None and history.shallow:
                raise SetupError(f"exempt {kind!a} names no commit of this shallow clone", hint=WHOLE)
            if end is None:
                raise PolicyError(f"exempt {kind!a} names no commit here", hint="write the id of a commit in full")
            found[kind] = history.up_to(end, asked)
    return found


def _verdict(commit: Commit, settings: Settings, history: History, freed: dict[str, set[Sha]]) -> Verdict:
    free_merge = commit.merge and "merge" in settings.exempt and not commit.own_changes()
    case = Case(
        commit.message,
        commit.trailers,
        settings,
        merge=free_merge,
        demanded=settings["authors"] == "everyone" or _by_agent(commit.message, commit.trailers),
        exists=history.objects.has_commit,
        paths=commit.paths,
    )
    case.merge = commit.merge  # no merge is measured, a free one or not
    case.exempt_by = case.exempt_by or next((kind for kind, ids in freed.items() if commit.id in ids), None)
    findings = [] if settings.mode == "off" else judged(case, settings)
    if not settings.given("linkIn") and _lost_link(case, settings):
        for finding in findings:
            if finding.code == "AC102":
                finding.level = "warning"  # forges that squash move trailers; only who asks for more gets it
    return Verdict(commit.id, case, findings)


def _lost_link(case: Case, settings: Settings) -> bool:
    """Say whether a line with our key that is no trailer has an accepted link all the same."""
    values = [line.partition(b":")[2].strip(BLANK + b"*_`") for line in case.displaced]
    return any(isinstance(parse(value.decode("utf-8", "replace"), settings.hosts), ThreadId) for value in values)


def _by_agent(text: bytes, seen: list[Trailer]) -> bool:
    """Say whether the agent wrote this message: it is its co-author, or somebody wrote our key."""
    co_authored = any(one.key.lower() == b"co-authored-by" and one.value.lower() == AGENT for one in seen)
    return co_authored or bool(displaced(text))


def _case(text: bytes, settings: Settings, git: Git, at_work: Current, environ: "Mapping[str, str]") -> Case:
    seen = trailers(text, environ)
    offline = Offline(environ)
    return Case(
        text,
        seen,
        settings,
        at_work=at_work,
        chain_of=lambda thread: walk(thread, offline),
        demanded=settings["authors"] == "everyone" or at_work.inside or _by_agent(text, seen),
        exists=git.has_commit,
    )


def _read(path: str) -> bytes:
    try:
        text = _read_some(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MisuseError(f"cannot read {path!a}: {reason}", hint="name a file, or - for standard input") from error
    if len(text) > LIMIT:
        raise MisuseError("the message is longer than 16 MiB", hint="nothing was checked")
    if not Draft(text, cleanup="verbatim").kept().strip(BLANK):
        raise MisuseError("the message is empty", hint="nothing was checked")
    return text


def _read_some(path: str) -> bytes:
    if path == "-":
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return sys.stdin.buffer.read(LIMIT + 1)
    with open(path, "rb") as stream:  # a person names this file: it may be a link or a pipe
        return stream.read(LIMIT + 1)
