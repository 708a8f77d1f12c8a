"""What somebody else's ledger or trace says: the ledger's kind `import`, a claim beside our own; see docs/record.md."""

import re

from ampcommit.carried import Carry
from ampcommit.errors import RecordError
from ampcommit.record import (
    BY,
    VERSION,
    Record,
    Sha,
    ThreadId,
    as_list,
    as_text,
    as_text_or_none,
    canonical,
    moment,
    parsed,
)
from ampcommit.resolved import Resolved
from ampcommit.rewritten import MOST, Rewrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from ampcommit.ledger import Ledger

TRACE = "trace"
"""What is said of a commit in an Agent Trace record (`of`); the others are kinds of our own lines."""

_NOUNS: "dict[str, type[Record | Resolved | Rewrite | Carry]]" = {
    "commit": Record,
    "chain": Resolved,
    "rewrite": Rewrite,
    "carry": Carry,
}
_OWN_END = b',"prev":null}'
_BRANCH = re.compile(rb',"branch":(?:null|"(?:[^"\\]|\\.)*")(?=,"repo":)')


class Imported:
    """
    What a file said, word for word in `said`, and which file that was.

    `of` is the kind of what was said, `about` the commit that it is about (None: about threads alone), `links` the
    threads that it names for that. `form` is the format of the file, `origin` its name without folders. The words are
    kept as text: no search for a record of our own may ever hit them.
    """

    __slots__ = ("about", "by", "form", "links", "of", "origin", "prev", "said", "time")

    def __init__(
        self,
        *,
        of: str,
        about: Sha | None,
        links: list[ThreadId],
        said: bytes,
        form: str,
        origin: str | None,
        time: str | None = None,
        by: str = BY,
        prev: str | None = None,
    ) -> None:
        self.of = of
        self.about = about
        self.links = links
        self.said = said
        self.form = form
        self.origin = origin
        self.time = moment() if time is None else time
        self.by = by
        self.prev = prev

    @classmethod
    def of_line(cls, line: bytes, form: str, origin: str | None) -> "Self | None":
        """
        Return what a ledger's or a note's *line* says; None for a kind of no use here, `RecordError` for a damaged one.

        What was imported there already stays what it is: whose word it was is not forgotten.
        """
        fields = parsed(line)
        if fields.get("v") != VERSION or isinstance(fields["v"], bool):
            raise RecordError("a newer ampcommit wrote it" if _is_newer(fields.get("v")) else "it is no record")
        kind = as_text(fields.get("kind"))
        # Lines of notes lack both; of a name that comes twice, JSON takes the last.
        whole = b'{"prev":null,"branch":null,' + line.lstrip()[1:]
        if kind == "import":
            told = cls.from_bytes(whole)
            told.prev = None
            return told
        if kind not in _NOUNS:
            return None
        noun = _NOUNS[kind].from_bytes(whole)
        noun.prev = None
        about, links = _subject(noun)
        said = noun.to_bytes().removesuffix(_OWN_END) + b"}"
        return cls(of=kind, about=about, links=links, said=said, form=form, origin=origin)

    @property
    def told(self) -> "dict[str, Any]":
        """What was said, as an object."""
        return parsed(self.said)

    @property
    def chain(self) -> list[ThreadId]:
        """The last of `links` and the threads that it came from, nearest first; empty if this is not about threads."""
        return [ThreadId(as_text(thread)) for thread in as_list(self.told.get("chain", []))]

    @property
    def chain_state(self) -> str:
        """How far the chain got."""
        return as_text(self.told.get("chain_state", "unknown"))

    @property
    def key(self) -> bytes:
        """What makes two of these the same: an agent leaves a trace of each edit, and all of them say one thing."""
        if self.of != TRACE:
            return identity(self.said)
        words = {name: value for name, value in self.told.items() if name not in ("id", "timestamp")}
        return canonical({"about": self.about, **words})

    def to_bytes(self) -> bytes:
        """Return the one line that stands for this, without its line feed."""
        fields = {
            "v": VERSION,
            "kind": "import",
            "of": self.of,
            "about": self.about,
            "links": list(self.links),
            "said": self.said.decode("utf-8"),
            "format": self.form,
            "from": self.origin,
            "time": self.time,
            "by": self.by,
            "prev": self.prev,
        }
        return canonical(fields)

    def repeats(self, recent: bytes) -> bool:
        """Say whether one of the *recent* lines tells the same words."""
        return self.to_bytes().partition(b'"format"')[0] in recent

    @classmethod
    def from_bytes(cls, line: bytes) -> "Self":
        """Read one line of kind `import`; fields that this version does not know are ignored."""
        fields = parsed(line)
        try:
            if fields["kind"] != "import":
                raise RecordError("a line is of another kind")
            about = as_text_or_none(fields["about"])
            told = cls(
                of=as_text(fields["of"]),
                about=None if about is None else Sha(about),
                links=[ThreadId(as_text(link)) for link in as_list(fields["links"])],
                said=as_text(fields["said"]).encode("utf-8", "backslashreplace"),
                form=as_text(fields["format"]),
                origin=as_text_or_none(fields["from"]),
                time=as_text(fields["time"]),
                by=as_text(fields["by"]),
                prev=as_text_or_none(fields["prev"]),
            )
        except KeyError as error:
            raise RecordError(f"a record lacks the field {error}") from error
        told._insist()
        return told

    def _insist(self) -> None:
        """Refuse words that do not say what they are said to be."""
        if self.of in _NOUNS:
            said = _NOUNS[self.of].from_bytes(self.said.removesuffix(b"}") + _OWN_END)
            sound = (self.about, self.links) == _subject(said)
        else:
            sound = self.of == TRACE and self.about is not None and bool(self.links) and self._is_flat()
            sound = sound and bool(self.chain_state) and self.chain[:1] == self.links[-1:]
        if not sound:
            raise RecordError("an import does not hold what it names")

    def _is_flat(self) -> bool:
        """Say whether what was said holds only what a trace says: texts, lists of them, flags and nothing."""
        values = list(self.told.values())
        texts = [one for value in values if isinstance(value, list) for one in value]
        single = (value for value in values if not isinstance(value, list))
        return all(isinstance(one, str) for one in texts) and all(
            value is None or isinstance(value, str | bool) for value in single
        )


def identity(line: bytes) -> bytes:
    """Return what makes two lines without `prev` the same: a branch is not told to others, and changes nothing."""
    return _BRANCH.sub(b"", line, count=1)


def claims(ledger: "Ledger", commit: Sha) -> list[Imported]:
    """
    Return what imports say of *commit* and its threads, and of the commits that they say it was made from.

    What it was made from comes first. None of it is more than a claim.
    """
    found: list[Imported] = []
    waiting, seen = [commit], {commit}
    for one in waiting:  # it grows meanwhile
        here = []
        for line, _ in ledger.records("about", one):
            try:
                told = Imported.from_bytes(line)
            except RecordError:
                continue  # `ledger check` reports it
            if told.links:
                here.append(told)
            olds = [old for old in _olds(told) if old not in seen][: MOST - len(seen)]
            seen.update(olds)
            waiting += olds
        found = here + found
    return found


def _olds(told: Imported) -> list[Sha]:
    if told.of == "rewrite":
        return [Sha(told.told["old"])]
    return list(dict.fromkeys(Sha(old) for old in told.told["commits"])) if told.of == "carry" else []


def _subject(noun: Record | Resolved | Rewrite | Carry) -> tuple[Sha | None, list[ThreadId]]:
    """Return the commit that a line is about, and the threads that it names for it."""
    if isinstance(noun, Record):
        return noun.commit, noun.links
    if isinstance(noun, Resolved):
        return None, [noun.thread]
    return noun.new, []


def _is_newer(version: object) -> bool:
    return isinstance(version, int) and version > VERSION
