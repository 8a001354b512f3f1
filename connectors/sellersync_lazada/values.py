"""Tolerant reading of the platform's scalars.

The documentation's samples quote every scalar (`"count": "10"`, `"success": "true"`), recorded traffic has real numbers and booleans,
and one field may come in both forms, so nothing here relies on the JSON type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.times import from_epoch_ms

WIB = timezone(timedelta(hours=7))
_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"", "0", "0.0", "false", "no", "null", "none"})
_EPOCH_MS = re.compile(r"\d{12,14}")
_SPACE_BEFORE_OFFSET = re.compile(r"\s+([+-]\d)")
TIMES_KEPT_MAX = 1024  # the rows of an order repeat its times


def text(value: object) -> str:
    """A scalar as text; absent, null, objects and lists are ""."""
    if type(value) is str:
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def truth(value: object) -> bool:
    """A flag in any of its spellings: 1, "1", true, "true". Raises `Unrecognised` for anything else than yes or no."""
    if type(value) is bool:
        return value
    if type(value) is int and 0 <= value <= 1:
        return value == 1
    word = text(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Unrecognised("a yes/no value was expected", repr(value))


def whole(value: object, *, where: str) -> int:
    """A count as a number or text, `"12"` or `12.0`. Raises `Unrecognised`."""
    if type(value) is int:
        return value
    try:
        number = Decimal(text(value))
    except InvalidOperation:
        raise Unrecognised(f"{where}: a whole number was expected", repr(value)) from None
    if not number.is_finite() or number != number.to_integral_value():
        raise Unrecognised(f"{where}: a whole number was expected", repr(value))
    return int(number)


def mapping_of(value: object, *, where: str) -> Mapping[str, Any]:
    """A JSON object. Raises `Unrecognised`."""
    if isinstance(value, dict):
        return value
    raise Unrecognised(f"{where}: an object was expected", repr(value))


def rows_of(value: object, *, where: str) -> list[Mapping[str, Any]]:
    """A JSON array of objects; null is an empty one. Raises `Unrecognised`."""
    if value is None or value == "":
        return []
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return value
    raise Unrecognised(f"{where}: a list of objects was expected", repr(value))


def first(row: Mapping[str, Any], *names: str) -> Any:
    """The first of several spellings of a key that holds something."""
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            return value
    return None


def moment(value: object, *, where: str) -> datetime:
    """A time of an answer: `2026-11-20 09:14:03 +0700` (traffic), `2018-02-09T22:44:30+08:00` (reference) or epoch milliseconds.

    Raises `Unrecognised`, also for a time without an offset: guessing a zone would shift orders by hours.
    """
    if type(value) is int and 10**11 <= value < 10**14:
        return from_epoch_ms(value, where=where)
    try:
        parsed = _time(value if type(value) is str else text(value))
    except ValueError:
        raise Unrecognised(f"{where}: a time with its offset was expected", repr(value)) from None
    if parsed.tzinfo is None:
        raise Unrecognised(f"{where}: a time without its offset", repr(value))
    return parsed


@lru_cache(maxsize=TIMES_KEPT_MAX)
def _time(word: str) -> datetime:
    """In UTC, or as it stands where the offset is missing. Raises `ValueError`."""
    word = word.strip()
    if _EPOCH_MS.fullmatch(word):
        return from_epoch_ms(word, where="")
    parsed = datetime.fromisoformat(_SPACE_BEFORE_OFFSET.sub(r"\1", word))
    return parsed if parsed.tzinfo is None else parsed.astimezone(UTC)


def moment_or_none(value: object, *, where: str) -> datetime | None:
    """Like `moment`; absent, empty and zero are `None`."""
    return None if value is None or text(value) in ("", "0") else moment(value, where=where)


def request_time(instant: datetime) -> str:
    """A time of a request: ISO 8601 with a colon in the zone, whole seconds."""
    return instant.astimezone(WIB).isoformat(timespec="seconds")
