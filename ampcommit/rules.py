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
    from ampcommit.notes.records import Proof, Said
    from ampcommit.settings import Settings
    from ampcommit.threads import Chain

    Check = Callable[["Case", "Settings"], Iterator[Finding]]

_LINK_LIMIT = 2048
_SCHEME = "https://"
_OLDER_KEY = b"amp-thread"  # of clients before 2026; with `linkIn = message` it counts as ours
_FIXUPS = ("fixup! ", "squash! ", "amend! ")
_REVERTS = ('Revert "', 'Reapply "')


class Grounds:
    """
    What an exemption may stand on: whether it is a merge, and then whether it has `own_changes`; its changed `paths`.

    `exists` says of an id whether there is such a commit, `before` names the exemption `before:…` that covers this
    one, `bot` who the forge says is the author of the request.
    """

    __slots__ = ("before", "bot", "exists", "merge", "own_changes", "paths")

    def __init__(
        self,
        *,
        merge: bool = False,
        own_changes: "Callable[[], bool]" = bool,
        paths: "Callable[[], list[str]]" = list,
        exists: "Callable[[str], bool]" = lambda _: False,
        before: str | None = None,
        bot: str | None = None,
    ) -> None:
        self.merge = merge
        self.own_changes = own_changes
        self.paths = paths
        self.exists = exists
        self.before = before
        self.bot = bot


class Case:
    """
    One commit message before its judge: what git sees in it, and what is known around it.

    `links` are the accepted threads in order, each once, where it stands last; `faults` the values
    of our key that are not accepted. `demanded` says whether a missing link counts at all, `records`
    what is recorded of the commit (None: nobody looked), `proof` how far that counts.
    """

    __slots__ = (
        "_exempt",
        "_exemptions",
        "body",
        "chain_of",
        "current",
        "demanded",
        "displaced",
        "faults",
        "grounds",
        "inside",
        "links",
        "proof",
        "records",
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
        demanded: bool = True,
        grounds: Grounds | None = None,
        records: "list[Said] | None" = None,
        proof: "Proof | None" = None,
    ) -> None:
        self.subject, body = subject_and_body(text)
        self.body = body.replace("\r\n", "\n")
        if seen:  # the block is not prose
            self.body = _above_block(self.body)
        anywhere, visible = settings["linkIn"] == "message", sum(trailer.ours for trailer in seen)
        ours = [one.value for one in seen if one.ours or (anywhere and one.key.lower() == _OLDER_KEY)]
        values = [parse(value.decode("utf-8", "backslashreplace"), settings.hosts) for value in ours]
        links = [value for value in values if isinstance(value, ThreadId)]
        if anywhere:
            links = _anywhere(text, settings.hosts) + links
        self.links = unique(links)
        self.faults = [value for value in values if isinstance(value, Fault)]
        # With a trailer of ours there, only plain lines count as lost; git saw the last ones.
        carrying = displaced(text)
        plain = [line for line in carrying if line.lower().startswith(KEY.lower().encode())]
        self.displaced = plain[: max(0, len(plain) - visible)] if visible else carrying
        self.demanded = demanded
        self.grounds = grounds or Grounds()
        self.records = records
        self.proof = proof
        self._exemptions = settings.exempt
        self._exempt: list[str | None] = []
        self.inside = at_work is not None and at_work.inside
        # What a message says weighs more than what a person had set by hand.
        binding = at_work is not None and (at_work.source == "env" or not self.links)
        self.current = at_work.thread if at_work and binding else None
        self.chain_of = chain_of

    @property
    def exempt_by(self) -> str | None:
        """Which `exempt` of the policy frees this commit from carrying a link; git is asked only when this is."""
        if not self._exempt:
            kinds = sorted(self._exemptions, key="merge".__ne__)  # a merge is one, whatever else it may be
            self._exempt.append(self.grounds.before or next((kind for kind in kinds if _frees(kind, self)), None))
        return self._exempt[0]

    @property
    def excused(self) -> str | None:
        """The exemption that this commit needed; None if it needed none."""
        return self._exempt[0] if self._exempt else None


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
    fine = linked and not case.displaced
    if fine or not (case.demanded or linked) or case.exempt_by:
        return
    if case.displaced:
        line = terminal(case.displaced[-1].strip(), 120)
        yield Finding(
            "AC102",
            "warning" if linked else "error",
            f"the line “{line}” is no trailer for git",
            "put it into the last paragraph, at the start of its line, with nothing but trailers beside it",
        )
    else:
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
    if not case.demanded or case.grounds.merge or case.subject.startswith(_FIXUPS + _REVERTS):
        return
    findings = list(_measured(case, settings))
    if findings and not case.exempt_by:
        yield from findings


def _measured(case: Case, settings: "Settings") -> "Iterator[Finding]":
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
    said, found = text.decode("latin-1"), []  # a character for each byte: none moves when case is ignored
    lower = said.lower()
    at = lower.find(_SCHEME)
    while at >= 0:
        following = lower.find(_SCHEME, at + 1)
        most = min(at + _LINK_LIMIT, following if following > 0 else len(said))
        end = next((i for i in range(at, most) if said[i] not in PLAIN), most)
        link = parse(said[at:end].rstrip(".,;:!?)'*_~"), hosts)
        if isinstance(link, ThreadId):
            found.append(link)
        at = following
    return found


def _above_block(body: str) -> str:
    """Return *body* without its last paragraph."""
    lines = body.split("\n")
    blank = [at for at, line in enumerate(lines) if not line.strip(" \t")]
    return "\n".join(lines[: blank[-1]]) if blank else ""


def _frees(kind: str, case: Case) -> bool:
    """Say whether the exemption *kind* of the policy covers this commit."""
    grounds = case.grounds
    if kind == "merge":
        return grounds.merge and not grounds.own_changes()
    if kind == "fixup":
        return case.subject.startswith(_FIXUPS)
    if kind == "revert":
        reverted = _reverted(case.body)
        return bool(reverted) and case.subject.startswith(_REVERTS) and grounds.exists(reverted)
    if kind.startswith("path:"):
        return _all_match(grounds.paths(), kind[5:])
    if kind.startswith("bot:"):
        # The brackets belong to a bot's name; in a pattern they would stand for one letter.
        return grounds.bot is not None and _all_match([grounds.bot], kind[4:].replace("[bot]", "[[]bot]"))
    return False  # `before:…` is known already


def _reverted(body: str) -> str:
    """Return the id behind git's sentence in the message of a revert, or nothing."""
    word = body.partition("This reverts commit ")[2][:64].partition(".")[0].partition(",")[0].partition("\n")[0]
    return Sha.maybe(word) or ""


def _all_match(names: list[str], pattern: str) -> bool:
    """Say whether there are any *names* and every one matches *pattern*, in which `*` also crosses folders."""
    from fnmatch import fnmatchcase  # imports re; only for a policy that asks

    return bool(names) and all(fnmatchcase(name, pattern) for name in names)
