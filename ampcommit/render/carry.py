"""What `carry` shows."""

from ampcommit.escape import terminal
from ampcommit.render.paper import Paper, print_json, warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.verbs.carry import Outcome, Transfer

_REF = 1000
_KNOWN_BY = {
    "range": "by its range",
    "message": "by the links of both",
    "tree": "by the same tree",
    "patch-id": "by the same change",
    "ref": "by the request that its message names",
}


def carried(found: "Outcome", *, as_json: bool) -> None:
    """Show what `carry` did, or would do."""
    warnings(terminal(notice, _REF) for notice in found.notices)
    if as_json:
        print_json(_json(found))
        return
    out = Paper()
    written = "would be written" if found.dry_run else "written"
    count = sum(one.new for one in found.carried)
    parts = [f"{_counted(found.checked, 'commit')} looked at", f"{count} {written}"]
    parts += [f"{found.known} known already"] * bool(found.known)
    parts += [f"{len(found.ambiguous)} ambiguous"] * bool(found.ambiguous)
    parts += [f"{len(found.unknown)} of which nothing was found"] * bool(found.unknown)
    out.say(", ".join(parts))
    for one in found.carried:
        _say(out, one, found)
    for commit, refs in found.ambiguous.items():
        out.say((commit, "bold"), " is left alone, several branches fit: ", terminal(", ".join(refs), _REF))
    left = sum(one.copies.claims for one in found.carried)
    if left and not found.claims:
        out.say(f"{_counted(left, 'record')} of a fork left out, which nobody here made; --claims takes them")


def _say(out: Paper, one: "Transfer", found: "Outcome") -> None:
    made = "is one commit of a branch, rebased:" if one.rebased else "was made of"
    on = f" of {', '.join(one.refs)}" if one.refs else ""
    out.say((one.target, "bold"), f" {made} {_counted(len(one.commits), 'commit')}{terminal(on, _REF)}")
    known = "" if one.new else "; this was known already"
    out.say(f"  known {_KNOWN_BY[one.source]}{known}")
    copies = one.copies
    records = [f"{copies.own} own", f"{copies.shared} shared"]
    records += [f"{copies.claims} claimed by a fork"] * bool(copies.claims and found.claims)
    out.say(f"  records: {', '.join(records)}")
    if copies.unrecorded:
        out.say(
            f"  {_counted(len(copies.unrecorded), 'commit')} without a record, {one.linked} with links of their own"
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _json(found: "Outcome") -> dict[str, object]:
    return {
        "schema": "ampcommit.carry/1",
        "dry_run": found.dry_run,
        "checked": found.checked,
        "known": found.known,
        "carried": [
            {
                "commit": one.target,
                "commits": one.commits,
                "source": one.source,
                "refs": one.refs,
                "rebased": one.rebased,
                "new": one.new,
                "records": {"own": one.copies.own, "shared": one.copies.shared, "claims": one.copies.claims},
                "unrecorded": len(one.copies.unrecorded),
                "linked": one.linked,
            }
            for one in found.carried
        ],
        "ambiguous": [{"commit": commit, "refs": refs} for commit, refs in found.ambiguous.items()],
        "unknown": found.unknown,
        "claims": found.claims,
        "notices": found.notices,
    }
