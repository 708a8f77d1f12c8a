"""`ledger export`: what the ledger says, as lines that another clone or another program can read."""

import json
import re
from itertools import islice

from ampcommit.batch import LACKING
from ampcommit.commits.changes import heads
from ampcommit.commits.history import Range, opened
from ampcommit.commits.touched import touched
from ampcommit.errors import GitError, MisuseError, RecordError, SetupError
from ampcommit.gitcmd import Git, clean
from ampcommit.interchange import agent_trace, statement
from ampcommit.interchange.facts import Facts
from ampcommit.ledger import Ledger
from ampcommit.place import Place
from ampcommit.record import Sha, canonical, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ampcommit.commits.changes import Head
    from ampcommit.commits.history import History
    from ampcommit.interchange.facts import Fact

LINES = "jsonl"
FORMS = (LINES, agent_trace.FORM, statement.FORM)

_AT_ONCE = 200
"""Commits that git is asked about in one question."""

_END = re.compile(rb',"prev":(?:null|"sha256:[0-9a-f]{64}")\}\Z')
_ABOUT = {"commit": "commit", "rewrite": "new", "carry": "new", "import": "about"}
"""For each kind of line about a commit, which field names that."""

_DAMAGED = "of the ledger's lines are damaged and left out: `ampcommit ledger check` tells which"
_UNNAMED = "names of files are not UTF-8 and left out: JSON has no way to write them"
_CUT = "of the commits are told without files: what they were made from is not in this clone"


class Export:
    """What is exported: `lines`, once, and `notices` that are complete behind the last of them."""

    def __init__(self, asked: str, form: str, environ: "Mapping[str, str]", folder: str = ".") -> None:
        if form not in FORMS:
            raise MisuseError(f"there is no format {form!a}", hint=f"the formats are {', '.join(FORMS)}")
        self.notices: list[str] = []
        self._asked = asked
        self._form = form
        self._environ = environ
        self._place = Place.of_folder(Git(folder, environ))
        self._ledger = Ledger(self._place.ledger)
        self._damaged = self._unnamed = self._cut = 0

    def lines(self) -> "Iterator[bytes]":
        """Yield each line without its line feed; a name that means nothing is refused before the first one."""
        if self._form == LINES and not self._asked:
            yield from self._moved(self._parsed())
        else:
            with opened(self._place, self._environ) as history:
                commits = self._commits(history)
                facts = Facts(self._ledger, commits)
                yield from (
                    self._about(commits, facts)
                    if self._form == LINES
                    else self._foreign(commits, facts, history.objects)
                )
        counts = {_DAMAGED: self._damaged, _UNNAMED: self._unnamed, _CUT: self._cut}
        self.notices += [f"{count} {what}" for what, count in counts.items() if count]

    def _commits(self, history: "History") -> list[Sha]:
        """Return the commits that are asked for, oldest first, as far back as a shallow clone goes."""
        head = history.commit("HEAD")
        if self._asked:
            range_ = history.named(self._asked)
        else:
            range_ = Range([*filter(None, [head]), *history.under("refs/heads/")])
        if range_.alone:
            return [Sha(one) for one in range_.revisions]
        git = Git(self._place.git_dir, clean(self._environ, self._place.git_dir))
        question = "\n".join([*range_.revisions, ""]).encode("ascii")
        try:
            # What a commit-graph says of parents is not asked.
            listed = git.stream("-c", "core.commitGraph=false", "rev-list", "--reverse", "--stdin", stdin=question)
            return [Sha(one) for one in b"".join(listed).decode("ascii").split()]
        except GitError as error:
            raise SetupError(str(error), hint=LACKING) from error

    def _parsed(self) -> "Iterator[tuple[bytes, dict[str, Any]]]":
        """Yield the lines of the ledger, raw and parsed; what is no JSON is counted."""
        for line in self._ledger.lines():
            try:
                yield line, parsed(line)
            except RecordError:
                self._damaged += 1

    def _moved(self, lines: "Iterator[tuple[bytes, dict[str, Any]]]") -> "Iterator[bytes]":
        """Yield *lines* as they are, but for the digest of the line before, which there is none any more."""
        for line, fields in lines:
            if alone := unlinked(line):
                yield alone
                continue
            fields.pop("prev", None)
            try:
                yield canonical(fields)
            except RecordError:
                yield json.dumps(fields).encode("ascii")  # another program's line

    def _about(self, commits: list[Sha], facts: Facts) -> "Iterator[bytes]":
        """Yield the lines about *commits*, about those that they were made from, and about their threads."""
        wanted: set[object] = set()
        threads: set[object] = set()
        for commit in commits:
            wanted.update(facts.origins(commit))
            if fact := facts.of(commit):
                threads.update(fact.links)

        def is_about(fields: "dict[str, Any]") -> bool:
            kind = fields.get("kind")
            name = _ABOUT.get(kind) if isinstance(kind, str) else None
            subject = fields.get("thread" if kind == "chain" else name or "")
            return isinstance(subject, str) and subject in (threads if kind == "chain" else wanted)

        yield from self._moved((line, fields) for line, fields in self._parsed() if is_about(fields))

    def _foreign(self, commits: list[Sha], facts: Facts, git: Git) -> "Iterator[bytes]":
        """Yield what is known of each of *commits* in the form of another program."""
        known = filter(None, map(facts.of, commits))
        while some := list(islice(known, _AT_ONCE)):
            made = self._stated(some, git) if self._form == statement.FORM else self._traced(some, git)
            for one in made:
                yield json.dumps(one, separators=(",", ":")).encode("ascii")

    def _traced(self, facts: "list[Fact]", git: Git) -> "Iterator[dict[str, object]]":
        paths = touched(git, [fact.commit for fact in facts])
        for fact, head in _made(facts, git):
            names = []
            for path in paths.get(fact.commit, ()):
                try:
                    names.append(path.decode("utf-8"))
                except UnicodeDecodeError:
                    self._unnamed += 1
            self._cut += fact.commit not in paths
            yield agent_trace.trace(fact, head.made, names)

    def _stated(self, facts: "list[Fact]", git: Git) -> "Iterator[dict[str, object]]":
        for fact, head in _made(facts, git):
            yield statement.statement(fact, head.tree.decode("ascii"))


def _made(facts: "list[Fact]", git: Git) -> "Iterator[tuple[Fact, Head]]":
    """Yield each of *facts* with what git has of the commit."""
    told = heads(git, [fact.commit.encode("ascii") for fact in facts])
    yield from ((fact, head) for fact, head in zip(facts, told, strict=True) if head)


def unlinked(line: bytes) -> bytes | None:
    """Return a *line* of the ledger without the digest of the one before; None for one that does not end with that."""
    end = _END.search(line)
    return line[: end.start()] + b"}" if end else None
