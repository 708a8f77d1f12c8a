"""What the user sees of `stats`: a table, one JSON object, or CSV for a spreadsheet."""

import csv
import json
import sys
from decimal import Decimal

from ampcommit.escape import defused, defused_json, terminal
from ampcommit.render.formats import floored
from ampcommit.render.paper import Paper, warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ampcommit.amp.costs import Row
    from ampcommit.verbs.stats import Stats

    Cell = str | int | float | bool | Decimal | None
    Column = tuple[str, int, Callable[[Row], str]]

_ABOUT = {
    "month": ("month",),
    "thread": ("thread", "title", "within"),
    "author": ("author", "email"),
    "repository": ("repository",),
    "commit": ("commit", "subject"),
}
_COUNTS = ("commits", "linked", "share", "threads", "usd", "at_least", "threads_without_usd", "shared_threads")
_CENT = Decimal("0.01")
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")  # what makes a formula of a cell


def shown(found: "Stats", *, as_json: bool, as_csv: bool) -> None:
    """Show what was counted."""
    warnings(terminal(notice, 1000) for notice in found.notices)
    if as_json:
        _json(found)
    elif as_csv:
        _csv(found)
    else:
        _table(found)


def _fields(row: "Row") -> "dict[str, Cell]":
    share = floored(row.share)
    counts = (row.commits, row.linked, share, row.threads, _usd(row), row.at_least, row.unknown, row.shared)
    return {**row.about, **dict(zip(_COUNTS, counts, strict=True))}


def _usd(row: "Row") -> Decimal | None:
    return None if row.usd is None else Decimal(row.usd.numerator) / Decimal(row.usd.denominator)


def _json(found: "Stats") -> None:
    """Print one object, row by row: there may be one for each commit."""
    head = _object(schema="ampcommit.stats/1", range=found.asked, by=found.by, split=found.split)
    sys.stdout.write(f'{head[:-1]}, "summary": {_object(**_fields(found.summary))}, "rows": [')
    between = ""
    for row in found.rows:
        sys.stdout.write(between + _object(**_fields(row)))
        between = ", "
    sys.stdout.write("]}\n")


def _object(**fields: "Cell") -> str:
    # The module json knows no decimals, and a float could not hold all of their digits.
    members = (f'"{name}": {_plain(value) or defused_json(json.dumps(value))}' for name, value in fields.items())
    return f"{{{', '.join(members)}}}"


def _plain(value: "Cell") -> str:
    """Return a decimal in digits; of all else nothing."""
    return f"{value:f}" if isinstance(value, Decimal) else ""


def _csv(found: "Stats") -> None:
    """Print lines as RFC 4180 has them; an empty cell is unknown."""
    names = [*_ABOUT[found.by], *_COUNTS]
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    for row in found.rows:
        fields = _fields(row)
        writer.writerow([_cell(fields[name]) for name in names])


def _cell(value: "Cell") -> str:
    """Return what stands for *value*; text is never a formula, and nothing that a terminal acts on."""
    if isinstance(value, str):
        text = defused(terminal(value, len(value)))
        return f"'{text}" if value.startswith(_ACTIVE) else text
    if isinstance(value, bool):
        return str(value).lower()
    return _plain(value) or ("" if value is None else str(value))


def _table(found: "Stats") -> None:
    """Print the sum and a line for each row, none of them wrapped: ids must survive a pipe."""
    out = Paper()
    row = found.summary
    plural = ["" if count == 1 else "s" for count in (row.commits, row.threads)]
    counted = f"{row.commits} commit{plural[0]} in {terminal(found.asked)}: {row.linked} linked"
    share = f" ({_share(row)})" if row.commits else ""
    out.say((f"{counted}{share}, {row.threads} thread{plural[1]}{_cost(row)}", "bold"))
    columns = _COLUMNS[found.by]
    for number, one in enumerate(found.rows):
        if not number:
            out.say(("  ".join(_fitted(head, width) for head, width, _ in columns).rstrip(), "bold"))
        line = "  ".join(_fitted(text(one), width) for _, width, text in columns).rstrip()
        sys.stdout.write(f"{line}\n")  # rich would take ten times as long


def _fitted(text: str, width: int) -> str:
    """Return *text* with blanks before it, or behind it where *width* is negative."""
    return text.ljust(-width) if width < 0 else text.rjust(width)


def _cost(row: "Row") -> str:
    """Return what all of it cost, with a comma before it."""
    if not row.threads:
        return ""
    if row.usd is None:
        return ", USD unknown"
    lacking = f" ({row.unknown} thread{'' if row.unknown == 1 else 's'} of unknown cost)" if row.unknown else ""
    return f", USD {_money(row)}{lacking}"


def _share(row: "Row") -> str:
    """Return the share of linked commits, in words that never say 0 % or 100 % of what only comes close."""
    share = row.share or 0
    return "<0.1 %" if 0 < share < 0.1 else f"{floored(share):g} %"


def _money(row: "Row") -> str:
    usd = _usd(row)
    if usd is not None:
        shown = "<0.01" if 0 < usd < _CENT else f"{usd:.2f}"
        return f"at least {shown}" if row.at_least else shown
    return "shared" if row.shared else "unknown" if row.unknown else "-"


def _foreign(*texts: str | None) -> str:
    return defused(" ".join(terminal(text) for text in texts if text))


def _thread_text(row: "Row") -> str:
    within = row.about["within"]
    return _foreign(f"in {within}" if within else None, row.about["title"])


_TOTALS: "tuple[Column, ...]" = (
    ("commits", 7, lambda row: str(row.commits)),
    ("linked", 7, lambda row: str(row.linked)),
    ("share", 6, _share),
    ("threads", 7, lambda row: str(row.threads)),
    ("USD", 12, _money),
    ("shared", 6, lambda row: str(row.shared)),
    ("unknown", 7, lambda row: str(row.unknown)),
)
# Text of any length stands at the end, so that it moves nothing.
_COLUMNS: "dict[str, tuple[Column, ...]]" = {
    "month": (("month", -7, lambda row: _foreign(row.about["month"] or "unknown")), *_TOTALS),
    "thread": (
        ("thread", -38, lambda row: str(row.about["thread"])),
        _TOTALS[0],
        _TOTALS[4],
        ("title", -1, _thread_text),
    ),
    "author": (
        *_TOTALS,
        ("author", -1, lambda row: _foreign(row.about["author"], f"<{row.about['email']}>")),
    ),
    "repository": (*_TOTALS, ("repository", -1, lambda row: _foreign(row.about["repository"] or "unknown"))),
    "commit": (
        ("commit", -40, lambda row: str(row.about["commit"])),
        _TOTALS[3],
        _TOTALS[4],
        ("subject", -1, lambda row: _foreign(row.about["subject"])),
    ),
}
