"""The policy over one message: what `ampcommit verify --message` asks."""

import os
import sys

from ampcommit.current import Current, current
from ampcommit.errors import MisuseError, PolicyError
from ampcommit.gitcmd import Git
from ampcommit.message import BLANK, Draft, displaced, trailers
from ampcommit.note import LIMIT
from ampcommit.place import Place
from ampcommit.record import Finding, Sha, ThreadId
from ampcommit.rules import Case, judged
from ampcommit.settings import Settings, read_settings
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


def refuse_problems(settings: Settings) -> None:
    """Raise `PolicyError` for a policy that asks for what this version cannot do."""
    if settings.problems:
        raise PolicyError("; ".join(settings.problems), hint="mend the policy; docs/policy.md lists keys and values")


def _case(text: bytes, settings: Settings, git: Git, at_work: Current, environ: "Mapping[str, str]") -> Case:
    seen = trailers(text, environ)
    co_authored = any(one.key.lower() == b"co-authored-by" and one.value.lower() == AGENT for one in seen)
    demanded = settings["authors"] == "everyone" or at_work.inside or co_authored or bool(displaced(text))
    offline = Offline(environ)
    return Case(
        text,
        seen,
        settings,
        at_work=at_work,
        chain_of=lambda thread: walk(thread, offline),
        demanded=demanded,
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
