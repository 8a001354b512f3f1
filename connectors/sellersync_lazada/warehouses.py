"""Which warehouses a shop sells from, and under which location the core knows each.

A shop with one warehouse has no locations. One with several keeps a number for each SKU in each warehouse; the location is the
platform's warehouse code, spelled as the list of warehouses spells it (other calls vary its case).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .values import text, truth


@dataclass(frozen=True, slots=True)
class Warehouses:
    """`own` is the code of the one warehouse (from the configuration), `codes` those of a shop with several, the default one first."""

    own: str
    codes: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        return len(self.codes) > 1

    def location_of(self, code: str) -> str:
        """The location of what the platform says lies in warehouse `code`. Without several warehouses only a foreign code is one;
        with several a row that names none belongs to the default warehouse, and an unknown code stays as it is, to be mapped."""
        if not self.several:
            return "" if code.lower() in ("", self.own.lower()) else code
        return next((known for known in self.codes if known.lower() == code.lower()), code or self.codes[0])


def warehouses_of(rows: Sequence[Mapping[str, Any]], *, own: str) -> Warehouses:
    """The rows of `/seller/warehouse/get`. More than one makes a shop with several warehouses (multi-warehouse guide, 2026); the words
    of their `status` are not documented, so none is left out. Raises `Unrecognised`."""
    named = [(text(row.get("code")), truth(row.get("defaultAddress"))) for row in rows]
    ordered = sorted((entry for entry in named if entry[0]), key=lambda entry: not entry[1])
    return Warehouses(own, tuple(dict.fromkeys(code for code, _ in ordered)))
