"""One batch of levels: a conditional write under an idempotency key, believed where the shop names the change.

A row that is refused sinks its whole call, as far as documented: nothing was written then, and the other rows are sent again under a key
of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from sellersync.connector.contract import LevelAnswer, PushOutcome, TargetKey, Want
from sellersync.domain.errors import AuthNeeded, RateLimited, RejectClass, Rejected, Temporary, Uncertain, Unrecognised

from .api import NODES_MAX, Api
from .mapping_stock import (
    changed_rows,
    idempotency_key,
    item_level,
    quantity_row,
    refusal,
    refused_beforehand,
    rejected,
    row_of,
    unclear,
)

SENDINGS_MAX = 3


class Push:
    """Sends the wants of one batch and keeps one answer for each."""

    def __init__(self, api: Api, shop: str, wants: Sequence[Want]) -> None:
        self._api = api
        self._shop = shop
        self._wants = wants
        self._answers: dict[int, LevelAnswer] = {}

    async def run(self) -> tuple[LevelAnswer, ...]:
        """One answer per want, in order. Raises only before anything can have been written."""
        pending: list[int] = []
        for index, want in enumerate(self._wants):
            refused = refused_beforehand(want)
            if refused is None:
                pending.append(index)
            else:
                self._answers[index] = refused
        unproved: list[int] = []
        for sending in range(1, SENDINGS_MAX + 1):
            if not pending:
                break
            pending = await self._send(pending, sending, unproved)
        for index in pending:
            self._answers[index] = unclear(self._wants[index], "the shop refused the whole call because of other rows")
        await self._prove(unproved)
        return tuple(self._answers[index] for index in range(len(self._wants)))

    async def _send(self, pending: list[int], sending: int, unproved: list[int]) -> list[int]:
        """One call; returns the rows that certainly were not written and may be sent again."""
        wants = [self._wants[index] for index in pending]
        key = idempotency_key(self._shop, wants, sending)
        try:
            payload = await self._api.inventory_set_quantities([quantity_row(want) for want in wants], key=key)
            changes = changed_rows(payload)
        except (Uncertain, Unrecognised) as lost:
            self._all_unclear(pending, str(lost))
            return []
        except Rejected as refused:
            for index in pending:
                self._answers[index] = rejected(self._wants[index], refused.reject, str(refused))
            return []
        except (Temporary, RateLimited, AuthNeeded) as stopped:
            if sending == 1:
                raise
            self._all_unclear(pending, f"not sent again: {stopped}")
            return []
        errors = payload["userErrors"]
        if errors:
            for error in errors:
                row = row_of(error, len(pending))
                for index in pending if row is None else [pending[row]]:
                    self._answers[index] = refusal(self._wants[index], error)
        rest = [index for index in pending if index not in self._answers]
        if errors and changes is None:
            return rest
        for index in rest:
            self._believe(index, changes or {}, unproved)
        return []

    def _believe(self, index: int, changes: dict[TargetKey, int], unproved: list[int]) -> None:
        """A named change proves the write; a row without one was right already, or was passed over in silence."""
        want = self._wants[index]
        delta = changes.get(want.target)
        if delta is None or (want.expected is not None and delta != want.level - want.expected):
            unproved.append(index)
        else:
            self._answers[index] = LevelAnswer(want.target, PushOutcome.APPLIED, shown=want.level)

    async def _prove(self, unproved: Sequence[int]) -> None:
        """Read the numbers whose change the shop did not name."""
        by_place: dict[str, list[int]] = {}
        for index in unproved:
            by_place.setdefault(self._wants[index].target.location, []).append(index)
        for place, indices in by_place.items():
            for at in range(0, len(indices), NODES_MAX):
                await self._prove_at(place, indices[at : at + NODES_MAX])

    async def _prove_at(self, place: str, indices: Sequence[int]) -> None:
        try:
            rows = await self._api.inventory_items([self._wants[index].target.remote_key for index in indices], place)
        except (Temporary, RateLimited, AuthNeeded, Unrecognised, Rejected) as failed:
            self._all_unclear(indices, f"accepted, and could not be read back: {failed}")
            return
        for index, row in zip(indices, rows, strict=True):
            want, shown = self._wants[index], item_level(row)
            if shown == want.level:
                self._answers[index] = LevelAnswer(want.target, PushOutcome.APPLIED, shown=shown)
            elif shown is None:
                why = "the shop keeps no number for it here: track its quantity and stock it at the location"
                self._answers[index] = rejected(want, RejectClass.NOT_MANAGED, why)
            else:
                self._answers[index] = unclear(want, f"{want.level} was accepted, the shop shows {shown}")

    def _all_unclear(self, indices: Sequence[int], why: str) -> None:
        for index in indices:
            self._answers[index] = unclear(self._wants[index], why)
