"""
What threads cost, and which commits have to pay for it: each amount counts once.

A thread that another one contains is paid for by that one, whose cost includes it.
"""

from collections import Counter, defaultdict
from contextlib import closing
from decimal import Context, Decimal
from fractions import Fraction

from ampcommit.amp.store import existing
from ampcommit.amp.usage import Cost
from ampcommit.errors import SetupError
from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ampcommit.amp.store import Store

    Links = tuple[ThreadId, ...]
    About = dict[str, str | None]

_UNKNOWN = Cost(None, expired=False, within=None)
_FINEST, _WIDE = Decimal("1e-18"), Context(prec=60)


class Row:
    """
    Commits that have something in common, what they are `about`, and how many of them are `linked`.

    `usd` is what their `threads` cost, as far as that is known and belongs to this row alone; None: nothing is known,
    `at_least`: Amp does not tell all of it any more. Of the threads, `unknown` have no known cost; those that are
    `shared` have one, and commits in other rows, too.
    """

    __slots__ = ("about", "at_least", "commits", "linked", "shared", "threads", "unknown", "usd")

    def __init__(self, about: "About", tally: "Mapping[Links, int]") -> None:
        self.about = about
        self.commits = sum(tally.values())
        self.linked = self.commits - tally.get((), 0)
        self.threads = len({thread for links in tally for thread in links})
        self.usd: Fraction | None = None
        self.at_least = False
        self.shared = self.unknown = 0

    @property
    def share(self) -> float | None:
        """The percentage of linked commits; None where there are no commits."""
        return 100 * self.linked / self.commits if self.commits else None

    def add(self, usd: Fraction, *, at_least: bool) -> None:
        """Add what a thread cost."""
        self.usd = (self.usd or Fraction()) + usd
        self.at_least = self.at_least or at_least


class Book:
    """
    What the threads of commits cost, told in rows.

    *total* says how many commits each set of threads has in all. What a thread cost belongs to a row if all of its
    commits do; with *split* each of its commits gets an equal part.
    """

    def __init__(self, total: "Mapping[Links, int]", costs: "Mapping[ThreadId, Cost]", *, split: bool) -> None:
        self._split = split
        self._costs = costs
        self._total = total
        self._payers = {thread: self._payer(thread) for links in total for thread in links}
        self._commits = self._paid(total)

    def _cost(self, thread: ThreadId) -> Cost:
        return self._costs.get(thread, _UNKNOWN)

    def _payer(self, thread: ThreadId) -> ThreadId:
        path = [thread]
        while within := self._cost(path[-1]).within:
            if within in path:  # a circle: nobody knows who contains whom, and it must be one of them for all
                return min(path[path.index(within) :])
            path.append(within)
        return path[-1]

    def _paid(self, tally: "Mapping[Links, int]") -> Counter[ThreadId]:
        """Return how many commits of *tally* each thread pays for."""
        found: Counter[ThreadId] = Counter()
        for links, count in tally.items():
            for payer in {self._payers[thread] for thread in links}:
                found[payer] += count
        return found

    def row(self, about: "About", tally: "Mapping[Links, int]") -> Row:
        """Return the row of the commits in *tally*."""
        row = Row(about, tally)
        paid = self._paid(tally)
        apart = set()
        for payer, count in paid.items():
            cost = self._cost(payer)
            if cost.usd is None:
                continue
            if self._split or count == self._commits[payer]:
                row.add(_exact(cost.usd) * count / self._commits[payer], at_least=cost.expired)
            else:
                apart.add(payer)
        payers = [self._payers[thread] for thread in {thread for links in tally for thread in links}]
        row.shared = sum(payer in apart for payer in payers)
        row.unknown = sum(self._cost(payer).usd is None for payer in payers)
        return row

    def threads(self, titles: "Mapping[ThreadId, str | None]") -> "Iterator[Row]":
        """Yield a row for each thread that has commits, or pays for one that has."""
        tallies: defaultdict[ThreadId, Counter[Links]] = defaultdict(Counter)
        for links, count in self._total.items():
            for thread in links:
                tallies[thread][(thread,)] += count
        for payer in self._commits:
            tallies.setdefault(payer, Counter())
        for thread, tally in sorted(tallies.items(), key=lambda one: (-sum(one[1].values()), one[0])):
            payer = self._payers.get(thread, thread)
            within = None if payer == thread else payer
            row, cost = Row({"thread": thread, "title": titles.get(thread), "within": within}, tally), self._cost(payer)
            if cost.usd is None:
                row.unknown = 1
            elif not within:
                row.add(_exact(cost.usd), at_least=cost.expired)
            yield row


def known(
    threads: set[ThreadId], environ: "Mapping[str, str]", notices: list[str], *, titled: str
) -> "tuple[dict[ThreadId, Cost], dict[ThreadId, str | None]]":
    """Return what is known of *threads*, and why it is nothing as one of the *notices*; titles for rows of them."""
    if not threads:
        return {}, {}
    said: list[str] = []
    store = existing(environ, said)
    if store:
        try:
            with closing(store):
                costs = _costs(store, threads)
                named = costs if titled == "thread" else ()
                return costs, {thread: known.title for thread in named if (known := store.known(thread))}
        except SetupError as error:
            said.append(f"{error} (hint: {error.hint})")
    why = next(iter(said), "nothing is known of threads here; run `ampcommit sync`")
    notices.append(f"what threads cost is unknown: {why}")
    return {}, {}


def _costs(store: "Store", threads: set[ThreadId]) -> dict[ThreadId, Cost]:
    """Return what *threads* cost, and those that contain them."""
    found: dict[ThreadId, Cost] = {}
    waiting = list(threads)
    while waiting:
        thread = waiting.pop()
        if thread not in found:
            cost = found[thread] = store.usage.cost(thread)
            waiting += [cost.within] if cost.within else []
    return found


def _exact(usd: Decimal) -> Fraction:
    """Return *usd* as a number that can be divided and put together again without a loss."""
    return Fraction(usd.quantize(_FINEST, context=_WIDE))  # many more digits would take memory, and no price has them
