"""Commits in numbers: how many are linked, to which threads, by author, repository and month, and what that cost."""

import time
from array import array
from collections import Counter, defaultdict

from ampcommit.amp.costs import Book, Row, known
from ampcommit.commits.history import opened
from ampcommit.commits.logged import Messages, Reader, gathered, named
from ampcommit.gitcmd import Git
from ampcommit.ledger import Ledger
from ampcommit.message import subject_and_body
from ampcommit.notes.noted import shelves
from ampcommit.notes.records import Records
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.rules import unique
from ampcommit.settings import read_settings, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ampcommit.amp.costs import About, Links
    from ampcommit.commits.logged import Told

    Key = tuple[str | bytes | None, ...]

_YEAR_10000 = 253_402_300_800


class Stats:
    """
    What was counted in the commits that *asked* names; `rows` can be read once.

    Each is about a month, a thread, an author, a repository or a commit, as *by* says.
    """

    def __init__(self, asked: str, by: str, summary: Row, rows: "Iterable[Row]", *, split: bool) -> None:
        self.asked = asked
        self.by = by
        self.split = split
        self.summary = summary
        self.rows = rows
        self.notices: list[str] = []


def stats(
    asked: str, environ: "Mapping[str, str]", folder: str = ".", *, by: str = "month", split: bool = False
) -> Stats:
    """
    Count the commits that *asked* names, a single revision with all before it; empty: those of `HEAD`.

    What a thread cost belongs to a row if all of its commits do. With *split* each of its commits gets an equal part.
    """
    git = Git(folder, environ)
    place = Place.of_folder(git)
    settings = read_settings(git, environ, top=place.top)
    tally = _Tally(by)
    with opened(place, environ) as history:
        range_, shallow = named(history, asked), history.shallow
        reader = Reader(place, environ, range_)
        records = Records(Ledger(place.ledger), shelves(place, environ))
        for told, links, repo in _linked(reader, Messages(history, settings), records, repository(settings.remotes)):
            tally.add(told, links, repo)
    notices = settings.warnings + settings.problems
    if shallow:
        notices.append("this clone is shallow: commits that it lacks are not counted")
    costs, titles = known({thread for links in tally.total for thread in links}, environ, notices, titled=by)
    book = Book(tally.total, costs, split=split)
    rows = book.threads(titles) if by == "thread" else tally.rows(book, reader)
    found = Stats(asked or "HEAD", by, book.row({}, tally.total), rows, split=split)
    found.notices = notices if tally.total else [*notices, f"there is no commit in {found.asked}"]
    return found


def _linked(
    told: "Iterable[list[Told]]", messages: Messages, records: Records, here: str | None
) -> "Iterator[tuple[Told, Links, str | None]]":
    """Yield each commit with its threads, as records and its message tell them, and its repository."""
    for piece in gathered(told) if records.noted else told:
        said = messages.of(piece)
        if records.noted:
            records.fetch(Sha(one[0].decode("ascii")) for one in piece)
        for one in piece:
            links, repo = said.get(one[0], ()), here
            if records.present and (recorded := records.of(Sha(one[0].decode("ascii")), every=True)):
                links = tuple(unique([*(link for found in recorded for link in found.links), *links]))
                repo = next((found.repo for found in reversed(recorded) if found.repo), repo)
            yield one, links, repo


class _Tally:
    """How many commits each set of threads has: in all, and in each group; the order only where each is a row."""

    def __init__(self, by: str) -> None:
        self._by = by
        self.total: Counter[Links] = Counter()
        self._groups: defaultdict[Key, Counter[Links]] = defaultdict(Counter)
        self._order = array("L")  # four or eight bytes for each commit are all that is kept of it
        self._numbers: dict[Links, int] = {}

    def add(self, told: "Told", links: "Links", repo: str | None) -> None:
        """Count one commit."""
        self.total[links] += 1
        if self._by == "commit":
            self._order.append(self._numbers.setdefault(links, len(self._numbers)))
        elif self._by == "author":
            self._groups[told[1], told[2]][links] += 1
        elif self._by == "repository":
            self._groups[(repo,)][links] += 1
        elif self._by == "month":
            self._groups[(_month(told[3]),)][links] += 1

    def rows(self, book: Book, reader: Reader) -> "Iterator[Row]":
        """Yield a row for each group: months in their order, else those with the most commits first."""
        if self._by == "commit":
            yield from self._each(book, reader)
            return
        names = ("author", "email") if self._by == "author" else (self._by,)
        rows = [book.row(dict(zip(names, map(_text, key), strict=True)), tally) for key, tally in self._groups.items()]
        if self._by == "month":
            rows.sort(key=lambda row: row.about["month"] or "~")
        else:
            rows.sort(key=lambda row: (-row.commits, *(row.about[name] or "~" for name in names)))
        yield from rows

    def _each(self, book: Book, reader: Reader) -> "Iterator[Row]":
        """Yield a row for each commit as git tells of them once more."""
        links = list(self._numbers)
        told = (one for piece in reader for one in piece)
        for (commit, *_, text), number in zip(told, self._order, strict=True):
            about: About = {"commit": _text(commit), "subject": subject_and_body(text)[0]}
            row = book.row(about, {links[number]: 1})
            if row.shared:  # a part of what a commit cost would be taken for the whole
                row.usd, row.at_least = None, False
            yield row


def _month(seconds: bytes) -> str | None:
    """Return the month of a date, in UTC; None where the commit tells no date that anybody could mean."""
    if not seconds.isdigit() or int(seconds) >= _YEAR_10000:
        return None
    return time.strftime("%Y-%m", time.gmtime(int(seconds)))


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
