"""
The policy as small checks that yield findings; the hook and `verify` share them.

Each check has the code of its finding in its docstring; docs/findings.md has a page for each.
"""

from ampcommit.escape import terminal
from ampcommit.link import KEY, PLAIN, Fault, parse
from ampcommit.message import displaced, subject_and_body
from ampcommit.record import Finding, Sha, ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ampcommit.current import Current
    from ampcommit.message import Trailer
    from ampcommit.settings import Settings
    from ampcommit.threads import Chain

    Check = Callable[["Case", "Settings"], Iterator[Finding]]

_LINK_LIMIT = 2048
_FIXUPS = ("fixup! ", "squash! ", "amend! ")
_REVERTS = ('Revert "', 'Reapply "')


class Case:
    """
    One commit message before its judge: what git sees in it, and what is known around it.

    `links` are the accepted threads in order, each once, where it stands last; `faults` the values
    of our key that are not accepted. `demanded` says whether a missing link counts at all.
    """

    __slots__ = (
        "body",
        "chain_of",
        "current",
        "demanded",
        "displaced",
        "exempt_by",
        "faults",
        "inside",
        "links",
        "merge",
        "subject",
    )

    def __init__(
        self,
        text: bytes,
        seen: "list[Trailer]",
        settings: "Settings",
        *,
        at_work: "Current | None" = None,
        chain_of: "Callable[[ThreadId], Chain] | None" = None,
        merge: bool = False,
        demanded: bool = True,
        exists: "Callable[[str], bool]" = lambda _: False,
        paths: "Callable[[], list[str]]" = list,
    ) -> None:
        self.subject, body = subject_and_body(text)
        self.body = body.replace("\r\n", "\n")
        if seen:  # the block is not prose
            self.body = self.body.rpartition("\n\n")[0]
        ours = [trailer.value.decode("utf-8", "backslashreplace") for trailer in seen if trailer.ours]
        values = [parse(value, settings.hosts) for value in ours]
        links = [value for value in values if isinstance(value, ThreadId)]
        if settings["linkIn"] == "message":
            links = _anywhere(text, settings.hosts) + links
        self.links = unique(links)
        self.faults = [value for value in values if isinstance(value, Fault)]
        # With a trailer of ours there, only plain lines count as lost; git saw the last ones.
        carrying = displaced(text)
        plain = [line for line in carrying if line.lower().startswith(KEY.lower().encode())]
        self.displaced = plain[: max(0, len(plain) - len(values))] if values else carrying
        self.merge = merge
        self.demanded = demanded
        self.inside = at_work is not None and at_work.inside
        self.exempt_by = _exemption(self, settings, exists, paths)
        # What a message says weighs more than what a person had set by hand.
        binding = at_work is not None and (at_work.source == "env" or not self.links)
        self.current = at_work.thread if at_work and binding else None
        self.chain_of = chain_of


def judged(case: Case, settings: "Settings", checks: "tuple[Check, ...] | None" = None) -> list[Finding]:
    """Ask every check; asking none is a mistake, not a success. With mode `warn` every finding is a warning."""
    checks = CHECKS if checks is None else checks
    if not checks:
        raise ValueError("nothing was checked")
    found = [finding for check in checks for finding in check(case, settings)]
    if settings.mode == "warn":
        for finding in found:
            finding.level = "warning"
    return found


def has_link(case: Case, _: "Settings") -> "Iterator[Finding]":
    """AC101, AC102: the commit carries a link to its thread, where git sees it."""
    linked = bool(case.links or case.faults)
    if case.exempt_by or not (case.demanded or linked):
        return
    if case.displaced:
        line = terminal(case.displaced[-1].strip(), 120)
        yield Finding(
            "AC102",
            "warning" if linked else "error",
            f"the line “{line}” is no trailer for git",
            "put it into the last paragraph, at the start of its line, with nothing but trailers beside it",
        )
    elif not linked:
        yield Finding("AC101", "error", "the message has no link to an Amp thread", _how_to_link(case))


def links_are_sound(case: Case, _: "Settings") -> "Iterator[Finding]":
    """AC103, AC104: every value of our key is an accepted link; one good link does not excuse a bad one."""
    for fault in case.faults:
        if fault.meant:
            hint = f"write {KEY}: {fault.meant.url}"
        elif fault.code == "AC104":
            hint = "links lead to https://ampcode.com; a team's own host goes into .ampcommit as `host`"
        else:
            hint = f"write {KEY}: https://ampcode.com/threads/T-… with the id of the thread"
        # ASCII only: a look-alike must not look alike here.
        shown = terminal(fault.value, 120).encode("ascii", "backslashreplace").decode("ascii")
        yield Finding(fault.code, "error", f"{fault.reason}: {shown}", hint)


def current_is_last(case: Case, _: "Settings") -> "Iterator[Finding]":
    """AC105: the last link is the thread at work, unless that thread handed off to the one linked."""
    if case.current is None or case.chain_of is None or not case.links or case.links[-1] == case.current:
        return
    last = case.chain_of(case.links[-1])
    later = case.current in last.threads  # a variable that leaked from an older session
    known = last.state == "complete" or case.links[-1] in case.chain_of(case.current).threads
    if known and not later:
        yield Finding(
            "AC105",
            "error",
            f"the last link is {case.links[-1]}, but the thread at work is {case.current}",
            f"add as the last trailer {KEY}: {case.current.url}",
        )


def is_detailed(case: Case, settings: "Settings") -> "Iterator[Finding]":
    """AC201, AC202: subject and body have the length that the policy asks for; a built-in limit only warns."""
    if case.exempt_by or case.merge or case.subject.startswith(_FIXUPS + _REVERTS):
        return
    length, least, most = len(case.subject), settings.number("minSubject"), settings.number("maxSubject")
    if length < least:
        text = f"the subject has {length} characters, fewer than {least}"
        yield Finding("AC201", _level(settings, "minSubject"), text, "say in the subject what the commit changes")
    if length > most:
        text = f"the subject has {length} characters, more than {most}"
        yield Finding("AC201", _level(settings, "maxSubject"), text, "move details into the body")
    least = settings.number("minBody")
    written = len(case.body)
    if written < least:
        text = f"the body has {written} characters, fewer than {least}"
        yield Finding("AC202", _level(settings, "minBody"), text, "say in the body why, and what was considered")


CHECKS: "tuple[Check, ...]" = (has_link, links_are_sound, current_is_last, is_detailed)


def unique(threads: list[ThreadId]) -> list[ThreadId]:
    """Return each thread once, where it stands last."""
    return list(dict.fromkeys(reversed(threads)))[::-1]


def _level(settings: "Settings", name: str) -> str:
    return "error" if settings.given(name) else "warning"


def _how_to_link(case: Case) -> str:
    if case.current:
        return f"add as the last paragraph {KEY}: {case.current.url}"
    if case.inside:
        return "Amp did not say which thread this is: commit from its ordinary shell tool, not from a background shell"
    return f"let Amp commit, or add as the last paragraph {KEY}: https://ampcode.com/threads/T-…"


def _anywhere(text: bytes, hosts: "tuple[str, ...]") -> list[ThreadId]:
    """Return the threads of all accepted links in *text*, as `linkIn = message` counts them."""
    said, found = text.decode("utf-8", "replace"), []
    lower, at = said.lower(), 0
    while (at := lower.find("https://", at)) >= 0:
        most = min(len(said), at + _LINK_LIMIT)
        end = next((i for i in range(at, most) if said[i] not in PLAIN), most)
        link = parse(said[at:end].rstrip(".,;:!?)'*_~"), hosts)
        if isinstance(link, ThreadId):
            found.append(link)
        at += len("https://")
    return found


def _exemption(
    case: Case, settings: "Settings", exists: "Callable[[str], bool]", paths: "Callable[[], list[str]]"
) -> str | None:
    """Return which `exempt` of the policy frees this commit from carrying a link."""
    for kind in settings.exempt:
        if kind == "merge" and case.merge:
            return kind
        if kind == "fixup" and case.subject.startswith(_FIXUPS):
            return kind
        if kind == "revert" and case.subject.startswith(_REVERTS) and exists(_reverted(case.body)):
            return kind
        if kind.startswith("path:") and _all_match(paths(), kind[5:]):
            return kind
    return None


def _reverted(body: str) -> str:
    """Return the id behind git's sentence in the message of a revert, or nothing."""
    word = body.partition("This reverts commit ")[2][:64].partition(".")[0].partition(",")[0].partition("\n")[0]
    return Sha.maybe(word) or ""


def _all_match(paths: list[str], pattern: str) -> bool:
    """Say whether there are *paths* and every one matches *pattern*, in which `*` also crosses folders."""
    from fnmatch import fnmatchcase  # imports re; only for a policy that asks

    return bool(paths) and all(fnmatchcase(path, pattern) for path in paths)
