"""JSON that others wrote, read without surprises."""

import json
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DIGITS = 4000  # of a whole number; Python itself refuses more than 4300


def decoded(text: bytes, **how: "Any") -> object:
    """
    Return what the JSON *text* says, decimal numbers with all their digits; *how* is as for `json.loads`.

    `ValueError` for anything that is no JSON in UTF-8, and for nesting that goes too deep. Numbers so long that
    nothing is counted or paid in them are None: they may stand in a field that is not our business.
    """
    try:
        return json.loads(text.decode("utf-8"), parse_float=_real, parse_int=_whole, parse_constant=_none, **how)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _real(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent beyond everything
        return None


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _DIGITS else None


def _none(constant: str) -> "NoReturn":
    raise ValueError(f"{constant} is not JSON")
