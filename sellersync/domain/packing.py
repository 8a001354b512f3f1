"""The pack check: what was scanned against what the parcel holds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Scan(StrEnum):
    """What became of one scanned unit."""

    OK = "ok"
    WRONG = "wrong"  # does not belong into this parcel
    TOO_MANY = "too_many"


class PackCheck:
    """One parcel being packed. `wanted` is SKU code -> units, all above 0; only what fits is counted."""

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self.wanted = dict(wanted)
        self._done: dict[str, int] = {}

    def scan(self, sku: str) -> Scan:
        """Count one unit of a SKU, if it belongs here and is still missing."""
        if sku not in self.wanted:
            return Scan.WRONG
        if self.done(sku) >= self.wanted[sku]:
            return Scan.TOO_MANY
        self._done[sku] = self.done(sku) + 1
        return Scan.OK

    def done(self, sku: str) -> int:
        """Units of a SKU that are in the parcel already."""
        return self._done.get(sku, 0)

    @property
    def missing(self) -> dict[str, int]:
        """SKU code -> units that are still to come."""
        return {sku: count - self.done(sku) for sku, count in self.wanted.items() if count > self.done(sku)}

    @property
    def complete(self) -> bool:
        return not self.missing
