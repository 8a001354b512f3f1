"""Reading single fields of Shopee's objects: keys, quantities, times, amounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none
from sellersync.domain.times import from_epoch_s

Json = Mapping[str, Any]


def remote_key(item_id: object, model_id: object) -> str:
    """The key of a listing and of its number: item and model, model 0 where there are no variations. Raises `Unrecognised`."""
    if type(item_id) is int and type(model_id) is int:
        return f"{item_id}:{model_id}"
    try:
        return f"{int(str(item_id))}:{int(str(model_id or 0))}"
    except ValueError:
        raise Unrecognised("item_id and model_id: numbers were expected", f"{item_id!r}:{model_id!r}") from None


def split_key(key: str) -> tuple[int, int]:
    """(item_id, model_id) of a remote key. Raises `Unrecognised` for another shape."""
    item, colon, model = key.partition(":")
    if not (colon and item.isdigit() and model.isdigit()):
        raise Unrecognised("a Shopee key is item_id:model_id", key)
    return int(item), int(model)


def item_id_of(row: Json) -> int:
    """The number of an item. Raises `Unrecognised`."""
    return split_key(remote_key(row.get("item_id"), 0))[0]


def text_of(value: object) -> str:
    """A scalar as text without stray blanks; absent, null, objects and lists are ""."""
    if type(value) is str:
        return value.strip()
    return str(value).strip() if isinstance(value, str | int | float) else ""


class Reader:
    """Reads optional fields of one object; what is unreadable becomes a problem, not an exception."""

    def __init__(self, row: Json, problems: list[str] | None = None) -> None:
        self.row = row
        self.problems: list[str] = [] if problems is None else problems

    def text(self, name: str) -> str:
        return text_of(self.row.get(name))

    def moment(self, name: str) -> datetime | None:
        value = self.row.get(name)
        if value in (None, "", 0, "0"):
            return None
        try:
            return from_epoch_s(value, where=name)
        except Unrecognised as unreadable:
            self.problems.append(str(unreadable))
            return None

    def amount(self, name: str) -> int | None:
        try:
            return rupiah_or_none(self.row.get(name), where=name)
        except Unrecognised as unreadable:
            self.problems.append(str(unreadable))
            return None

    def objects(self, name: str) -> list[Json]:
        value = self.row.get(name) or []
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            return value
        self.problems.append(f"{name} is no list of objects")
        return []


def quantity(item: Json, name: str) -> int:
    """A quantity, 0 where it is absent. Raises `Unrecognised`."""
    value = item.get(name) or 0
    if type(value) is int and value >= 0:
        return value
    try:
        count = int(str(value))
    except ValueError:
        raise Unrecognised(f"{name}: a quantity was expected", repr(value)) from None
    if count < 0:
        raise Unrecognised(f"{name}: a negative quantity", repr(value))
    return count
