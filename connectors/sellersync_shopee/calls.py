"""A call to Shopee and the envelope that comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sellersync.domain.errors import Unrecognised

from .refusals import NO_RULES, Rules

Json = dict[str, Any]
Query = list[tuple[str, str | int | float | bool | None]]  # as httpx types it


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful envelope. `provider_now` and `started_at` as in `Reply`."""

    payload: Json
    provider_now: datetime
    started_at: datetime

    @property
    def response(self) -> Json:
        """The business data of calls that wrap it. Raises `Unrecognised` when it is missing or no object."""
        inner = self.payload.get("response")
        if not isinstance(inner, dict):
            raise Unrecognised("answer without a response object", f"keys {sorted(self.payload)}")
        return inner

    def rows(self, key: str, *, always: bool = False) -> list[Json]:
        """A list of objects inside `response`; null and absent are empty, or unreadable where the call `always` answers one."""
        found = self.response.get(key)
        found = [] if not found and not always else found
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise Unrecognised(f"{key} is no list of objects", repr(found))
        return found

    @property
    def listed(self) -> list[Any]:
        """The business data of calls whose `response` is itself a list. Raises `Unrecognised` for anything else."""
        inner = self.payload.get("response")
        if not isinstance(inner, list):
            raise Unrecognised("answer without a response list", f"keys {sorted(self.payload)}")
        return inner


@dataclass(frozen=True, slots=True)
class Call:
    """One call to be made: `item` is what a refusal is about; `reference` is set for calls with an effect."""

    method: str
    path: str
    query: Query = field(default_factory=list)
    body: Mapping[str, Any] | None = None
    rules: Rules = NO_RULES
    item: str = ""
    reference: str | None = None
    fresh: bool = False
    readable_refusals: frozenset[str] = frozenset()
    """Codes whose body still says what became of each part."""
    loose_success: bool = False
    """The reference samples "-" and " " as `error` of successful returns calls."""

    @property
    def what(self) -> str:
        return "Shopee " + self.path.rpartition("/")[2]
