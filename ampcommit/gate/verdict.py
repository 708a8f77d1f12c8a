"""What `verify` says of one commit, and of all of them: a stream that is counted as it passes."""

from ampcommit.message import BLANK
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ampcommit.record import Finding, ThreadId

COUNTS = ("checked", "passed", "failed", "exempt", "linked", "not_agent", "warnings")
"""The counts of a summary, as the JSON has them."""


class Verdict:
    """
    What the policy says of one commit; `commit` is None for a message that is none yet.

    `exempt_by` is the exemption that it needed, and None where it needed none; `agent` says whether
    a link was demanded of it at all.
    """

    __slots__ = ("_id", "_text", "agent", "exempt_by", "findings", "threads")

    def __init__(
        self,
        commit: Sha | bytes | None,
        text: bytes,
        threads: "Sequence[ThreadId]" = (),
        findings: "Sequence[Finding]" = (),
        *,
        exempt_by: str | None = None,
        agent: bool = True,
    ) -> None:
        self._id = commit
        self._text = text
        self.threads = threads
        self.findings = findings
        self.exempt_by = exempt_by
        self.agent = agent

    @property
    def commit(self) -> Sha | None:
        """The commit's full id."""
        return Sha(self._id.decode("ascii")) if isinstance(self._id, bytes) else self._id

    @property
    def status(self) -> str:
        """`fail` with a finding of level error, else `exempt` or `pass`."""
        if any(finding.level == "error" for finding in self.findings):
            return "fail"
        return "exempt" if self.exempt_by else "pass"

    @property
    def subject(self) -> str:
        """The first line of the message as it stands there: from outside, to be escaped."""
        line = self._text.lstrip(BLANK).partition(b"\n")[0][:1000]
        return line.rstrip(BLANK).decode("utf-8", "replace")


class Report:
    """
    The verdicts over a range of commits (`range` is None for a message), to be read once.

    Counts and exit code are those of the verdicts that were read. `policy_from` names where the policy
    stands (None: the defaults), `notices` are sentences for people, complete at the end. With
    *min_coverage* the run fails below so many percent of linked commits.

    Among the *verdicts* a number stands for so many linked commits without a finding that nobody wants to see.
    """

    def __init__(
        self,
        range_: str | None,
        mode: str,
        policy_from: str | None,
        verdicts: "Iterable[Verdict | int]",
        *,
        notices: list[str] | None = None,
        min_coverage: int | None = None,
    ) -> None:
        self.range = range_
        self.mode = mode
        self.policy_from = policy_from
        self.notices = [] if notices is None else notices
        self.min_coverage = min_coverage
        self._verdicts = verdicts
        self._fine = 0  # linked, without a finding: nearly all, and counted as fast as they come
        self._others = self._failed = self._exempt = self._linked = self._not_agent = self._warnings = 0
        self._asked = self._kept = 0  # of how many others a link was demanded, and how many of them have one

    def __iter__(self) -> "Iterator[Verdict]":
        """Yield every verdict, counting it."""
        for verdict in self._verdicts:
            if isinstance(verdict, int):
                self._fine += verdict
                continue
            if verdict.threads and not verdict.findings and not verdict.exempt_by and verdict.agent:
                self._fine += 1
            else:
                self._count(verdict)
            yield verdict

    def _count(self, verdict: Verdict) -> None:
        self._others += 1
        linked, status = bool(verdict.threads), verdict.status
        self._linked += linked
        if verdict.exempt_by is None and verdict.agent:
            self._asked += 1
            self._kept += linked
        self._failed += status == "fail"
        self._exempt += status == "exempt"
        self._not_agent += not verdict.agent
        self._warnings += sum(finding.level == "warning" for finding in verdict.findings)

    @property
    def checked(self) -> int:
        """How many commits were judged so far."""
        return self._fine + self._others

    @property
    def coverage(self) -> float | None:
        """The percentage of linked commits among those that need a link; None where there are none."""
        asked = self._fine + self._asked
        return 100 * (self._fine + self._kept) / asked if asked else None

    @property
    def short(self) -> bool:
        """Say whether the share of linked commits is below what was asked for."""
        return self.min_coverage is not None and self.coverage is not None and self.coverage < self.min_coverage

    @property
    def exit_code(self) -> int:
        """1 with a finding of level error, or too few links; else 0."""
        return int(self._failed > 0 or self.short)

    def summary(self) -> dict[str, int]:
        """Return the counts that the JSON promises."""
        passed, linked = self.checked - self._failed - self._exempt, self._fine + self._linked
        numbers = (self.checked, passed, self._failed, self._exempt, linked, self._not_agent, self._warnings)
        return dict(zip(COUNTS, numbers, strict=True))
