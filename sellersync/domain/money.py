"""Money is whole rupiah, an `int` (L12). The wire spells it in many ways; all of them come through `rupiah`."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from .errors import Unrecognised

AMOUNT_MAX = 10**15
DIGITS_MAX = 15
_THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")


def rupiah(value: object, *, where: str) -> int:
    """Read an amount as whole rupiah.

    Accepts `48000`, `48000.0`, `"48000"`, `"48000.00"`. Raises `Unrecognised` naming `where` for text that is no number, for
    fractions of a rupiah (a sum that does not add up must be seen, not rounded), for `"48.000"` (48 with three decimals, or 48
    thousand as Indonesia writes it) and for amounts beyond any trade.
    """
    if type(value) is int and abs(value) < AMOUNT_MAX:
        return value
    if type(value) is str:
        digits = value.removesuffix(".00")
        if len(digits) <= DIGITS_MAX and digits.isascii() and digits.isdigit():
            return int(digits)
    if isinstance(value, bool) or value is None:
        raise Unrecognised(f"{where}: an amount in rupiah was expected", repr(value))
    text = str(value).strip()
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise Unrecognised(f"{where}: an amount in rupiah was expected", repr(value)) from None
    if not amount.is_finite() or not -AMOUNT_MAX < amount < AMOUNT_MAX or _THOUSANDS.fullmatch(text):
        raise Unrecognised(f"{where}: an amount in rupiah was expected", repr(value))
    if amount != amount.to_integral_value():
        raise Unrecognised(f"{where}: whole rupiah were expected", repr(value))
    return int(amount)


def rupiah_or_none(value: object, *, where: str) -> int | None:
    """Like `rupiah`, but absent, null and blank text are `None` (unknown, which is never 0)."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return rupiah(value, where=where)
