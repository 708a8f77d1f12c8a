"""What of a ledger is shared: the lines that a share publishes, each with the commit in whose note it stands."""

import re

from ampcommit.notes.heads import START, head
from ampcommit.notes.shared import ON, shareable
from ampcommit.rewritten import MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from ampcommit.ledger import Ledger
    from ampcommit.notes.shared import Notes
    from ampcommit.record import Sha, ThreadId

    Pairs = list[tuple[Sha, bytes]]

_ABOUT = re.compile(rb'"(?:commit|new)":"([0-9a-f]+)"')
_LEARNED = b'{"v":1,"kind":"chain",'
# A rewriting that is a guess is not shared, so that it leads nowhere.
_BECAME = re.compile(
    rb'\{"v":1,"kind":(?:"rewrite","old":"(?P<old>[0-9a-f]+)","new":"(?P<new>[0-9a-f]+)"'
    rb'.*"source":"(?!tree"|patch-id")|"carry","new":"(?P<target>[0-9a-f]+)","commits":\[(?P<commits>[^\]]*)\])'
)


class Published:
    """
    What of *ledger* is shared, in its order, each line with the commit in whose note.

    Of *commits* only, if they are given, and of those that they were made of. `heads` and `oversized` are what was
    seen in notes on the way: how far ledgers had come, and the commits of ours whose note is too long to be read,
    which gets no line more.
    """

    def __init__(self, ledger: "Ledger", commits: "Collection[Sha] | None" = None) -> None:
        self._count, self._last = 0, b""
        wanted = None if commits is None else _with_olds(ledger, commits)
        self.lines = list(dict.fromkeys(_told(self._counted(ledger), wanted)))
        self.signable = commits is None and bool(self.lines)
        self.heads: set[bytes] = set()
        self.oversized: dict[Sha, None] = {}

    def beyond(self, *notes: "Notes") -> "Pairs":
        """Return those lines that none of *notes* has."""
        left, self.oversized = self.lines, {}
        for one in notes:
            known = {commit: set(lines) for commit, lines in self.noted(one, left)}
            left = [(commit, line) for commit, line in self.writable(left) if line not in known.get(commit, ())]
        return left

    def noted(self, notes: "Notes", asked: "Pairs") -> "Iterator[tuple[Sha, list[bytes]]]":
        """Yield the lines that *notes* have of the commits that are *asked* about."""
        commits = dict.fromkeys(commit for commit, _ in asked)
        for commit, lines in (notes.of(commits) if commits else {}).items():
            self.heads.update(line for line in lines if line.startswith(START))
            yield commit, lines
        self.oversized.update((commit, None) for commit in notes.oversized if commit in commits)

    def writable(self, pairs: "Pairs") -> "Pairs":
        """Return those of *pairs* whose note is not too long, as far as notes were looked at."""
        return [(commit, line) for commit, line in pairs if commit not in self.oversized] if self.oversized else pairs

    def head(self, clone: str) -> bytes:
        """Return the line that says how far the ledger of *clone* has come."""
        return head(clone, self._count, self._last)

    def notices(self) -> list[str]:
        """Return what keeps something of this from being shared, in sentences."""
        return [f"the note of {one} is too long: what is recorded of it is not shared" for one in self.oversized]

    def _counted(self, ledger: "Ledger") -> "Iterator[bytes]":
        for self._count, self._last in enumerate(ledger.lines(), 1):
            yield self._last


def _with_olds(ledger: "Ledger", commits: "Collection[Sha]") -> set[bytes]:
    """Return *commits* and those that they were made of, as *ledger* tells: rewritten ones, those of a branch."""
    into: dict[bytes, list[bytes]] = {}
    for told in filter(None, map(_BECAME.match, ledger.lines()) if commits else ()):
        olds = [told["old"]] if told["old"] else told["commits"].split(b'"')[1::2]
        into.setdefault(told["new"] or told["target"], []).extend(olds)
    waiting = [one.encode("ascii") for one in commits]
    found, most = set(waiting), len(waiting) + MOST
    for new in waiting:  # it grows meanwhile
        olds = [old for old in dict.fromkeys(into.get(new, ())) if old not in found][: most - len(found)]
        waiting += olds
        found.update(olds)
    return found


def _told(lines: "Iterator[bytes]", wanted: "set[bytes] | None") -> "Pairs":
    """Return what of the *lines* of a ledger is shared: all of it, or what tells of *wanted* commits."""
    learned = _Learned()
    found: Pairs = []
    for line in lines:
        is_chain = line.startswith(_LEARNED)
        told = shareable(line) if is_chain or wanted is None or _is_about(line, wanted) else None
        if told:
            fields, text = told
            placed = learned.take(fields["thread"], text) if is_chain else [(fields[ON[fields["kind"]]], text)]
            if fields["kind"] == "commit":
                placed += learned.meet(fields)
            found += placed
    if wanted is not None:  # which commit is a thread's newest, only the whole tells
        found = [(commit, line) for commit, line in found if not line.startswith(_LEARNED)]
    return [*learned.spread(), *found]  # the last pair is the newest commit


def _is_about(line: bytes, wanted: set[bytes]) -> bool:
    found = _ABOUT.search(line)
    return found is not None and found[1] in wanted


class _Learned:
    """
    What was learned of threads, and the notes in which it goes.

    Each line stands in the note of the newest commit of its thread at that time, or of the first one after it: there it
    stays, however many commits follow. The last one of a thread also goes to each commit whose record does not tell the
    whole chain: whoever asks about that commit reads its note alone.
    """

    def __init__(self) -> None:
        self._newest: dict[ThreadId, Sha] = {}
        self._early: dict[ThreadId, list[bytes]] = {}
        self._last: dict[ThreadId, bytes] = {}
        self._lacking: dict[ThreadId, dict[Sha, None]] = {}

    def take(self, thread: "ThreadId", text: bytes) -> "Pairs":
        """Take a line of kind `chain`, about *thread*; return it with its commit, if there is one yet."""
        self._last[thread] = text
        if thread in self._newest:
            return [(self._newest[thread], text)]
        self._early.setdefault(thread, []).append(text)
        return []

    def meet(self, fields: "dict[str, Any]") -> "Pairs":
        """Take the *fields* of the record of a commit; return what waited for it."""
        commit, found = fields["commit"], []
        for thread in fields["links"]:
            self._newest[thread] = commit
            if fields["chain_state"] != "complete" or thread not in fields["chain"]:
                self._lacking.setdefault(thread, {})[commit] = None
            found += [(commit, text) for text in self._early.pop(thread, ())]
        return found

    def spread(self) -> "Iterator[tuple[Sha, bytes]]":
        """Yield what was learned last of each thread, for each commit whose record does not tell it."""
        for thread, text in self._last.items():
            yield from ((commit, text) for commit in self._lacking.get(thread, ()))
