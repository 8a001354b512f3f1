"""Pushing sellable quantities: one call for a batch, and what to do when the platform refuses a part of it.

A refused batch (501) names the refused SKUs in `detail`, mostly; which of the others were applied is not documented (unconfirmed).
The number is absolute, so the others are sent again without the refused ones. Where nothing is named the batch is halved until the
culprit stands alone. All within a fixed number of calls; what is still open then is UNCLEAR.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sellersync.connector.contract import LevelAnswer, PushOutcome, ShownLevel, TargetKey, Want
from sellersync.domain.errors import (
    AuthNeeded,
    RateLimited,
    RejectClass,
    Rejected,
    SellersyncError,
    Temporary,
    Uncertain,
)

from .api import LazadaApi
from .codes import ROW_BUSY, TRANSIENT
from .mapping_stock import RefusedRow, refused_rows, reject_class, split_key

PUSH_CALLS_MAX = 12
NamesOf = Callable[[Sequence[Want]], Awaitable[Mapping[str, frozenset[str]]]]
"""Gives for each remote key the names under which the platform may speak of it (seller SKU, shop SKU, SKU id)."""
ReadLevels = Callable[[Sequence[TargetKey]], Awaitable[Sequence[ShownLevel]]]
OneSku = tuple[Want, ...]
"""All wants of one SKU: one, or one for each of its warehouses."""


def by_sku(wants: Sequence[Want]) -> list[OneSku]:
    """Wants grouped by their SKU, in the order of the first want of each: one update carries all warehouses of a SKU."""
    groups: dict[str, list[Want]] = {}
    for want in wants:
        groups.setdefault(want.target.remote_key, []).append(want)
    return [tuple(group) for group in groups.values()]


def batches(wants: Sequence[Want], *, skus_max: int) -> list[tuple[Want, ...]]:
    """Cut wants into calls of at most `skus_max` SKUs; the warehouses of a SKU are never parted."""
    skus = by_sku(wants)
    return [
        tuple(want for sku in skus[start : start + skus_max] for want in sku) for start in range(0, len(skus), skus_max)
    ]


@dataclass(slots=True)
class Push:
    """One batch on its way. `answers` fills by target."""

    api: LazadaApi
    names_of: NamesOf
    read_levels: ReadLevels
    calls: int = 0
    answers: dict[TargetKey, LevelAnswer] = field(default_factory=dict)

    async def run(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        """Send the batch; one answer per want, in the same order."""
        sendable = []
        for sku in by_sku(batch):
            if split_key(sku[0].target.remote_key) is None:
                self._reject(sku, RejectClass.BAD_DATA, "not a key of this channel: <item_id>:<sku_id> was expected")
            elif any(want.level < 0 for want in sku):
                self._reject(sku, RejectClass.BAD_DATA, "a level below zero")
            elif len(sku) > 1 and any(not want.target.location for want in sku):
                self._reject(sku, RejectClass.LOCATION, "numbers with and without a warehouse for one SKU")
            else:
                sendable.append(sku)
        if sendable:
            await self._send(sendable)
        return tuple(self.answers[want.target] for want in batch)

    async def _send(self, skus: Sequence[OneSku]) -> None:
        wants = [want for sku in skus for want in sku]
        if self.calls >= PUSH_CALLS_MAX:
            self._unclear(wants, f"not settled within {PUSH_CALLS_MAX} calls")
            return
        self.calls += 1
        first_call = self.calls == 1
        rows = [(*_parts(sku), {want.target.location: want.level for want in sku}) for sku in skus]
        try:
            answer = await self.api.sellable_update(rows)
        except Uncertain as lost:
            self._unclear(wants, lost.why)
            return
        except Rejected as refused:
            self._reject(wants, refused.reject, f"{refused.why} [{refused.code}]")
            return
        except (Temporary, RateLimited, AuthNeeded) as failure:
            if first_call:
                raise
            self._unclear(wants, str(failure))  # an earlier call of this batch may have set them
            return
        if answer.code == "0":
            for want in wants:
                self._applied(want)
            return
        await self._after_refusal(skus, answer.code, answer.message, refused_rows(answer.body))

    async def _after_refusal(self, skus: Sequence[OneSku], code: str, message: str, rows: Sequence[RefusedRow]) -> None:
        if len(skus) == 1:
            row = rows[0] if rows else RefusedRow(frozenset(), code, message)
            await self._settle_sku(skus[0], row, code)
            return
        names = await self.names_of([sku[0] for sku in skus]) if rows else {}
        rest = []
        for sku in skus:
            mine = names.get(sku[0].target.remote_key, frozenset()) | {_parts(sku)[1]}
            named = next((row for row in rows if row.names & mine), None)
            if named is None:
                rest.append(sku)
            else:
                await self._settle_sku(sku, named, code)
        if len(rest) == len(skus):
            middle = len(rest) // 2
            await self._send(rest[:middle])
            await self._send(rest[middle:])
        elif rest:
            await self._send(rest)

    async def _settle_sku(self, sku: OneSku, row: RefusedRow, summary: str) -> None:
        if row.code in TRANSIENT or row.code in ROW_BUSY or row.code == "901":
            self._unclear(sku, f"{row.message} [{row.code}]")
            return
        code = row.code or summary
        reject, why = reject_class(code, row.message), f"{row.message} [{code}]"
        if len(sku) == 1:
            self._reject(sku, reject, why)
        else:
            await self._tell_warehouses_apart(sku, reject, why)

    async def _tell_warehouses_apart(self, sku: OneSku, reject: RejectClass, why: str) -> None:
        """A refusal names a SKU, not its warehouses, and some of them may have been set (unconfirmed): reading tells."""
        try:
            levels = await self.read_levels([want.target for want in sku])
        except SellersyncError as failure:
            self._unclear(sku, f"{why}; reading back failed: {failure}")
            return
        for want, level in zip(sku, levels, strict=True):
            if level.shown == want.level:
                self._applied(want)
            else:
                self._reject([want], reject, why)

    def _applied(self, want: Want) -> None:
        self.answers[want.target] = LevelAnswer(want.target, PushOutcome.APPLIED, shown=want.level)

    def _reject(self, wants: Sequence[Want], reject: RejectClass, why: str) -> None:
        for want in wants:
            self.answers[want.target] = LevelAnswer(want.target, PushOutcome.REJECTED, reject=reject, why=why)

    def _unclear(self, wants: Sequence[Want], why: str) -> None:
        for want in wants:
            self.answers[want.target] = LevelAnswer(want.target, PushOutcome.UNCLEAR, why=why)


def _parts(sku: OneSku) -> tuple[str, str]:
    parts = split_key(sku[0].target.remote_key)
    assert parts is not None
    return parts
