"""The checks that need a commit, not only its message; a hook has none yet."""

from ampcommit.escape import terminal
from ampcommit.record import Finding
from ampcommit.rules import CHECKS as OF_MESSAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ampcommit.rules import Case, Check
    from ampcommit.settings import Settings


def merge_adds_nothing(case: "Case", settings: "Settings") -> "Iterator[Finding]":
    """AC108: a merge that lacks its link because merges are exempt brings no changes of its own."""
    unlinked = case.demanded and not (case.links or case.faults)
    if unlinked and "merge" in settings.exempt and case.grounds.merge and not case.exempt_by:
        text = "this merge adds changes that none of its parents has, so it is not exempt as a merge"
        yield Finding("AC108", "warning", text, "link it like a commit; or merge again and commit the changes apart")


def record_agrees(case: "Case", settings: "Settings") -> "Iterator[Finding]":
    """AC106: what was recorded when the commit was made names the thread that its message names last."""
    if case.links and case.records and case.links[-1] not in [said.thread for said in case.records]:
        text = f"the last link is {case.links[-1]}, but the commit was recorded with {case.records[-1].thread}"
        hint = "look with `ampcommit show` at both; a message that was changed after the commit needs its link back"
        yield Finding("AC106", "error" if settings["record"] else "warning", text, hint)


def is_recorded(case: "Case", settings: "Settings") -> "Iterator[Finding]":
    """AC301, AC302: with `record = true` a linked commit has a record, in a ledger that is whole."""
    if not settings["record"] or case.records is None or not case.links:
        return
    if (case.records and not case.damage) or case.exempt_by:
        return
    if not case.records:
        text = "the commit has a link, and no record in the ledger of this clone"
        yield Finding("AC301", "error", text, "check where the commit was made, with the hooks installed")
    else:
        text = f"the ledger is damaged, so that the record proves nothing: {terminal(case.damage or '')}"
        yield Finding("AC302", "error", text, "run `ampcommit ledger check`, and keep a copy of the ledger")


CHECKS: "tuple[Check, ...]" = (*OF_MESSAGES, merge_adds_nothing, record_agrees, is_recorded)
