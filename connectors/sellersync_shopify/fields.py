"""Reading single values of Shopify's answers: global ids, times, counts, money."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none

T = TypeVar("T")
_GID = re.compile(r"gid://shopify/([A-Za-z]+)/([0-9]{1,20})(?:\?.*)?")
_NUMBER = re.compile(r"[0-9]{1,20}")


def number_of(gid: object, kind: str, *, where: str) -> str:
    """The number inside "gid://shopify/KIND/NUMBER". Raises `Unrecognised`."""
    match = _GID.fullmatch(gid) if isinstance(gid, str) else None
    if match is None or match[1] != kind:
        raise Unrecognised(f"{where}: an id of {kind} was expected", repr(gid))
    return match[2]


def is_number(text: str) -> bool:
    """May `text` be a number inside a global id?"""
    return _NUMBER.fullmatch(text) is not None


def moment(value: object, *, where: str) -> datetime | None:
    """An ISO 8601 time with its zone; null is `None`. Raises `Unrecognised`."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise Unrecognised(f"{where}: a time was expected", repr(value)) from None
    if found.tzinfo is None:
        raise Unrecognised(f"{where}: a time with its zone was expected", repr(value))
    return found.astimezone(UTC)


def needed_moment(row: Mapping[str, Any], name: str) -> datetime:
    found = moment(row.get(name), where=name)
    if found is None:
        raise Unrecognised(f"{name} is missing", repr(row.get("id")))
    return found


def count(row: Mapping[str, Any], name: str) -> int:
    """A whole number >= 0. Raises `Unrecognised`."""
    value = row.get(name)
    if type(value) is not int or value < 0:
        raise Unrecognised(f"{name}: a count was expected", repr(value))
    return value


def money(bag: object, *, where: str) -> int | None:
    """`shopMoney` of a MoneyBag as whole rupiah; absent is `None`."""
    amount = inner(bag, "shopMoney", "amount")
    return rupiah_or_none(amount, where=where)


def word(value: object) -> str:
    """An enum's value; anything else as it looks, so that no table knows it."""
    return value if isinstance(value, str) else repr(value)


def inner(value: object, *names: str) -> Any:
    """A value inside objects, `None` where one of them is missing."""
    for name in names:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def nodes(value: object, *, where: str) -> list[Mapping[str, Any]]:
    """The rows of a connection or of a plain list; a row that is no object is an empty one, so that reading it fails. Raises
    `Unrecognised` where there is no list."""
    rows = value.get("nodes") if isinstance(value, Mapping) else value
    if not isinstance(rows, list):
        raise Unrecognised(f"{where}: a list was expected", type(value).__name__)
    return [row if isinstance(row, Mapping) else {} for row in rows]


def readable(read: Callable[[], T | None], problems: list[str]) -> T | None:
    """What `read` returns; where it cannot be read, `None` and a problem."""
    try:
        return read()
    except Unrecognised as unreadable:
        problems.append(str(unreadable))
        return None
