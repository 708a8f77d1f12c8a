"""The policy over commits: what `ampcommit verify` asks of a range."""

from contextlib import contextmanager, nullcontext
from itertools import chain

from ampcommit.batch import LACKING, PATIENCE
from ampcommit.commits.history import WHOLE, History, Range, opened
from ampcommit.commits.plain import Plain
from ampcommit.errors import GitError, MisuseError, PolicyError, SetupError
from ampcommit.gate.commit_rules import CHECKS
from ampcommit.gate.evidence import Evidence, allowed_signers
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.gitcmd import Git
from ampcommit.link import KEY, parse
from ampcommit.message import BLANK, Trailer, displaced
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId
from ampcommit.rules import Case, Grounds, judged
from ampcommit.settings import POLICY_FILE, Settings, read_committed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ampcommit.batch import Commit, Told
    from ampcommit.gate.ranges import Asked

    Also = Callable[[Iterator[Verdict | int], list[str]], Iterator[Verdict | int]]

AGENT = b"amp <amp@ampcode.com>"
"""The co-author that Amp's own rewrite of a commit names, in lower case."""

BATCH = 16_384
"""Verdicts that wait while git is asked about some of them."""

_DOUBTFUL = 512  # the same where nobody waits for the others
_TEXT = 8 * 1024 * 1024  # bytes of messages that wait with them


@contextmanager
def reading(environ: "Mapping[str, str]", folder: str = ".") -> "Iterator[tuple[Place, History]]":
    """Open the history of the clone at *folder*; both are told, the place and its history."""
    place = Place.of_folder(Git(folder, environ))
    with opened(place, environ) as history:
        yield place, history


@contextmanager
def commits(
    asking: "Callable[[History], Asked]",
    environ: "Mapping[str, str]",
    folder: str = ".",
    *,
    begun: "tuple[Place, History] | None" = None,
    allow_fixup: bool = False,
    policy_from: str = "",
    min_coverage: int | None = None,
    every: bool = True,
    also: "Also | None" = None,
    signers: str | None = None,
) -> "Iterator[Report]":
    """
    Judge the commits that *asking* finds in the clone's history; the verdicts can be read in the `with` block.

    The policy is the committed one of the branch that receives them, or the one at *policy_from*; what this
    clone, its configuration and its environment say does not count. *allow_fixup* lets the policy exempt fixups,
    which belong into no branch that others build on. With *min_coverage* only the share of linked commits counts.
    Without *every* the verdicts of commits that pass beyond doubt are counted, and not there to be read. Who has
    begun with `reading` hands that over. *also* is what adds findings of its own to the verdicts, if they are judged.
    With *signers* only records count that are signed by whom that file names; empty: the committed one.
    """
    with nullcontext(begun) if begun else reading(environ, folder) as (place, history):
        asked = asking(history)
        source = _named(history, policy_from) if policy_from else asked.policy_at
        settings = _committed(history, source)
        if not allow_fixup:
            settings.values["exempt"] = tuple(kind for kind in settings.exempt if kind != "fixup")
        notices = [*asked.notices, *settings.warnings, *_changes(history, asked.ranges, source)]
        allowed = None if signers is None else allowed_signers(place, environ, history, source, signers)
        evidence = Evidence(place, environ, settings, allowed, fork=asked.fork)
        judge = _Judge(history, settings, evidence, asked.bot, lenient=min_coverage is not None)
        verdicts = judge.verdicts(asked.ranges, every=every)
        if also and settings.mode != "off":
            verdicts = also(verdicts, notices)
        told, at = _noted(verdicts, asked, notices, evidence), source if settings.file else None
        yield Report(asked.name, settings.mode, at, told, notices=notices, min_coverage=min_coverage)


def refuse_problems(settings: Settings) -> None:
    """Raise `PolicyError` for a policy that asks for what this version cannot do."""
    if settings.problems:
        raise PolicyError("; ".join(settings.problems), hint="mend the policy; docs/policy.md lists keys and values")


def by_agent(text: bytes, seen: list[Trailer], settings: Settings) -> bool:
    """Say whether the agent wrote this message: it is its co-author, or somebody wrote our key."""
    if settings["linkIn"] == "message":  # then the key has two spellings
        text = text.lower().replace(b"amp-thread:", b"amp-thread-id:")
    co_authored = any(one.key.lower() == b"co-authored-by" and one.value.lower() == AGENT for one in seen)
    return co_authored or bool(displaced(text))


def _named(history: History, name: str) -> "Sha":
    history.refuse_ambiguous(name)
    found = history.commit(name)
    if found is None:
        raise MisuseError(f"--policy-from {name!a} names no commit here", hint="name one, for example HEAD")
    return found


def _committed(history: History, source: "Sha | None") -> Settings:
    """Return the policy that *source* holds; the defaults, with a word about it, where it holds none."""
    try:
        settings = read_committed(history.objects, source) if source else Settings()
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error
    refuse_problems(settings)
    if settings.mode == "off":
        settings.warnings.append("the policy says mode = off: nothing is judged")
    if settings.file is None:
        settings.warnings.append(f"no {POLICY_FILE} at {source or 'the receiving branch'}: the defaults hold")
    return settings


def _changes(history: History, ranges: list[Range], source: "Sha | None") -> "Iterator[str]":
    """Say where commits bring another policy than the one they are judged by."""
    tips = dict.fromkeys(tip for range_ in ranges if range_.bounded for tip in range_.tips)
    if source and tips:
        now = history.blob(source, POLICY_FILE)
        for tip in tips:
            brought = history.blob(tip, POLICY_FILE)
            if brought != now and not _had_before(history, source, tip, brought):
                _try_out(history, tip)
                yield f"{tip} changes {POLICY_FILE}: that counts for commits after it was merged, not for these"


def _try_out(history: History, tip: "Sha") -> None:
    """Refuse commits that bring a policy nobody could be judged by: once merged, not even its repair would pass."""
    try:
        refuse_problems(read_committed(history.objects, tip))
    except PolicyError as error:
        raise PolicyError(f"the policy that {tip} brings cannot be used: {error}", hint=error.hint) from error


def _had_before(history: History, source: "Sha", tip: "Sha", policy: "Sha | None") -> bool:
    """Say whether *policy* stood already where *tip* parted from *source*: then it is *source* that changed it."""
    # 128: in a shallow clone the place may be out of reach.
    found = history.objects("merge-base", "--all", source, tip, ok=(0, 1, 128), deadline=PATIENCE)
    parted = [Sha(one) for one in found.decode("ascii").split()]
    return bool(parted) and all(history.blob(one, POLICY_FILE) == policy for one in parted)


def _noted(
    verdicts: "Iterator[Verdict | int]", asked: "Asked", notices: list[str], evidence: Evidence
) -> "Iterator[Verdict | int]":
    """Pass on the *verdicts*, and note where there are none, and what could not be read for them."""
    first = next(verdicts, None)
    if first is None:
        notices.append(f"there is no commit in {asked.name}: nothing was checked")
        return
    yield first
    yield from verdicts
    notices += evidence.passed_over()


class _Judge:
    """The verdicts of one run, under one policy; *lenient* makes warnings of links that are missing or lost."""

    def __init__(
        self, history: History, settings: Settings, evidence: Evidence, bot: str | None, *, lenient: bool
    ) -> None:
        self._history = history
        self._settings = settings
        self._evidence = evidence
        self._lenient = lenient
        self._bot = bot
        self._everyone = settings["authors"] == "everyone"
        self._plain = Plain(settings)
        self._linked = (lambda _: None) if evidence.doubts else self._plain.linked
        self._merges = self._everyone and "merge" in settings.exempt and settings.mode != "off" and not evidence.doubts

    def verdicts(self, ranges: list[Range], *, every: bool) -> "Iterator[Verdict | int]":
        """Yield the verdict of each commit of the *ranges*, once; without *every* a number where all is well."""
        many = len(ranges) > 1
        parts = (part for range_ in ranges for part in self._parts(range_))
        found = chain.from_iterable(self._of(*part, every=every or many) for part in parts)
        if not many:
            yield from found
            return
        seen: set[Sha | None] = set()
        for verdict in found:
            if isinstance(verdict, Verdict) and verdict.commit not in seen:
                seen.add(verdict.commit)
                yield verdict

    def _parts(self, range_: Range) -> "Iterator[tuple[Range, str | None]]":
        """Yield *range_* in parts: what no exemption `before:<commit>` covers, then what each one does."""
        covered = []
        for kind in self._settings.exempt:
            if kind.startswith("before:"):
                end = self._history.commit(kind[7:])
                if end is None and self._history.shallow:
                    raise SetupError(f"exempt {kind!a} names no commit of this shallow clone", hint=WHOLE)
                if end is None:
                    raise PolicyError(f"exempt {kind!a} names no commit here", hint="write the id of a commit in full")
                range_, older = self._history.parted(range_, end)
                covered.append((older, kind))
        yield range_, None
        yield from covered

    def _of(self, range_: Range, before: str | None, *, every: bool) -> "Iterator[Verdict | int]":
        linked, most = self._linked, BATCH if every or self._evidence.noted else _DOUBTFUL
        waiting: list[Verdict | Told] = []
        asked: Iterable[Verdict] = ()  # git is at work on these while the next are read
        size = 0
        for piece in self._history.told(range_):
            wanted = piece if every else [told for told in piece if linked(told[2]) is None]
            if len(wanted) < len(piece):
                yield len(piece) - len(wanted)
            waiting += [self._at_once(told, before) or told for told in wanted]
            size += sum(len(told[2]) for told in wanted)
            if size > _TEXT or len(waiting) > most:
                settled, asked = asked, self._settled(waiting, before)
                yield from settled
                waiting, size = [], 0
        last = self._settled(waiting, before)
        yield from asked
        yield from last

    def _at_once(self, told: "Told", before: str | None) -> Verdict | None:
        """Return the verdict of a commit that is beyond doubt; None for all others."""
        commit, _, text = told
        if thread := self._linked(text):
            return Verdict(commit, text, (thread,))
        if (before or not self._everyone) and not self._evidence.doubts and self._plain.silent(text):
            needed = before if self._everyone and self._settings.mode != "off" else None
            return Verdict(commit, text, exempt_by=needed, agent=self._everyone)
        return None

    def _settled(self, waiting: "list[Verdict | Told]", before: str | None) -> "Iterator[Verdict]":
        """Return the verdicts of all that are waiting, in order; git is asked about all of them at once."""
        batch = self._history.batch([one for one in waiting if not isinstance(one, Verdict)])
        if self._merges:
            batch.begin()
        return self._in_order(batch.commits, waiting, before)

    def _in_order(
        self, doubtful: "list[Commit]", waiting: "list[Verdict | Told]", before: str | None
    ) -> "Iterator[Verdict]":
        self._evidence.fetch(one.id for one in doubtful)  # not before those of the last batch are judged
        following = iter(doubtful)
        yield from (one if isinstance(one, Verdict) else self._soon(next(following), before) for one in waiting)

    def _soon(self, commit: "Commit", before: str | None) -> Verdict:
        """Return the verdict of a commit about which git has been asked: a mere merge is one at a glance."""
        if self._merges and commit.merge and self._plain.silent(commit.message) and not commit.own_changes():
            return Verdict(commit.name, commit.message, exempt_by=before or "merge")
        return self._judged(commit, before)

    def _judged(self, commit: "Commit", before: str | None) -> Verdict:
        settings, seen = self._settings, commit.trailers
        records = self._evidence.of(commit.id)
        case = Case(
            commit.message,
            seen,
            settings,
            demanded=self._everyone
            or by_agent(commit.message, seen, settings)
            or any(said.source == "env" for said in records),
            grounds=Grounds(
                merge=commit.merge,
                own_changes=commit.own_changes,
                paths=commit.paths,
                exists=commit.exists,
                before=before,
                bot=self._bot,
            ),
            records=records,
            proof=self._evidence.proof(commit.id),
        )
        findings = [] if settings.mode == "off" else judged(case, settings, CHECKS)
        for finding in findings:
            if finding.code == "AC102" and (self._lenient or self._forgiven(case)):
                finding.level = "warning"
            if finding.code == "AC101" and self._lenient:
                finding.level = "warning"
        return Verdict(commit.id, commit.message, case.links, findings, exempt_by=case.excused, agent=case.demanded)

    def _forgiven(self, case: Case) -> bool:
        """Say whether an accepted link that git does not see is enough: forges that squash move trailers."""
        if self._settings.given("linkIn"):
            return False  # who asks for trailers gets them
        # What a forge moves it indents at most; whoever quotes a line says that it is somebody else's.
        bare = [line for line in map(bytes.strip, case.displaced) if line.lower().startswith(KEY.lower().encode())]
        values = [line.partition(b":")[2].strip(BLANK) for line in bare]
        found = [parse(value.decode("utf-8", "replace"), self._settings.hosts) for value in values]
        return any(isinstance(link, ThreadId) for link in found)
