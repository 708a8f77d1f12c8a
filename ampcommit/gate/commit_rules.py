"""The checks that need a commit, not only its message; a hook has none yet."""

from ampcommit.escape import terminal
from ampcommit.notes.noted import CLAIM, OWN
from ampcommit.notes.records import UNSIGNED
from ampcommit.record import Finding
from ampcommit.rules import CHECKS as OF_MESSAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ampcommit.notes.records import Proof, Said
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
    said = [one for one in case.records or () if one.fault is None]
    if case.links and said and case.links[-1] not in [one.thread for one in said]:
        proven = _signed(case) or (settings["record"] and any(one.known_by != CLAIM for one in said))
        text = f"the last link is {case.links[-1]}, but the commit was recorded with {said[-1].thread}"
        hint = "look with `ampcommit show` at both; a message that was changed after the commit needs its link back"
        yield Finding("AC106", "error" if proven else "warning", text, hint)


def linked_the_latest(case: "Case", _: "Settings") -> "Iterator[Finding]":
    """AC107: the work of the linked thread had not gone on in a later one when the commit was made."""
    if case.links and case.records and case.proof and (later := case.proof.later(case.links[-1])):
        text = f"the work of {case.links[-1]} had gone on in {later} when the commit was made"
        hint = f"look with `ampcommit chain --down {case.links[-1]}` which of them the commit is from"
        yield Finding("AC107", "warning", text, hint)


def is_recorded(case: "Case", settings: "Settings") -> "Iterator[Finding]":
    """AC301, AC302: with `record = true` a linked commit has a record, in a ledger that is whole, or a shared one."""
    proof = case.proof
    if case.records is None or not proof or not case.links or not (settings["record"] or proof.signed):
        return
    if not case.records:
        text = "the commit has a link, and no record, neither here nor a shared one"
        found = _unrecorded(text, "run `ampcommit share` where the commit was made, then run this again", proof)
    elif proof.signed or any(_trusted(one, proof) for one in case.records):
        return
    elif any(one.known_by == OWN for one in case.records):
        text = f"the ledger is damaged, so that the record proves nothing: {terminal(proof.damage or '')}"
        found = Finding("AC302", "error", text, "run `ampcommit ledger check`, and keep a copy of the ledger")
    else:
        text = f"the record of the commit is only a claim, fetched from {terminal(case.records[-1].remote or '', 80)}"
        hint = "if that is a remote of yours, let `ampcommit share` take it in, then run this again"
        found = _unrecorded(text, hint, proof)
    if not case.exempt_by:
        yield found


def is_signed(case: "Case", _: "Settings") -> "Iterator[Finding]":
    """AC303, AC304: with `--require-signed` the record of a linked commit, and what leads to it, has a signature."""
    faults = [one.fault for one in case.records or () if one.fault]
    if not faults or not case.links or case.exempt_by:
        return
    bad = next((fault for fault in faults if fault != UNSIGNED), None)
    if bad:
        text = f"a record of the commit, or a line that leads to it, is badly signed: {terminal(bad, 200)}"
        yield Finding("AC304", "error", text, "let somebody whose key is known sign and share it: docs/sharing.md")
    else:
        text = "no record of the commit is signed, with all that leads to it"
        hint = "set ampcommit.sign = true where the commit was made, run `ampcommit share` there, then run this again"
        yield Finding("AC303", "error", text, hint)


def _trusted(said: "Said", proof: "Proof") -> bool:
    """Say whether what a record says counts: it is no claim, and not in a ledger that is damaged."""
    return said.known_by != CLAIM and not (proof.damage and said.known_by == OWN)


def _signed(case: "Case") -> bool:
    """Say whether signatures are demanded: then no remote and no fork makes a difference."""
    return case.proof is not None and case.proof.signed


def _unrecorded(text: str, hint: str, proof: "Proof") -> Finding:
    if proof.fork and not proof.signed:
        return Finding("AC301", "warning", text, "share the records once the work is merged; a fork only claims them")
    return Finding("AC301", "error", text, hint)


CHECKS: "tuple[Check, ...]" = (
    *OF_MESSAGES,
    merge_adds_nothing,
    record_agrees,
    linked_the_latest,
    is_recorded,
    is_signed,
)
