"""Pushing sellable quantities: one call for a batch, and what to do when the platform refuses a part of it.

A refused batch (501) names the refused SKUs in `detail`, mostly; which of the others were applied is not documented (unconfirmed).
The number is absolute, so the others are sent again without the refused ones. Where nothing is named the batch is halved until the
culprit stands alone. All within a fixed number of calls; what is still open then is UNCLEAR.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sellersync.connector.contract import LevelAnswer, PushOutcome, Want
from sellersync.domain.errors import (
    AuthNeeded,
    RateLimited,
    RejectClass,
    Rejected,
    Temporary,
    Uncertain,
)

from .api import LazadaApi
from .codes import ROW_BUSY, TRANSIENT
from .mapping_stock import RefusedRow, refused_rows, reject_class, split_key

PUSH_CALLS_MAX = 12
NamesOf = Callable[[Sequence[Want]], Awaitable[Mapping[str, frozenset[str]]]]
"""Gives for each remote key the names under which the platform may speak of it (seller SKU, shop SKU, SKU id)."""


@dataclass(slots=True)
class Push:
    """One batch on its way. `answers` fills by remote key."""

    api: LazadaApi
    names_of: NamesOf
    calls: int = 0
    answers: dict[str, LevelAnswer] = field(default_factory=dict)

    async def run(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        """Send the batch; one answer per want, in the same order."""
        sendable = []
        for want in batch:
            if split_key(want.target.remote_key) is None or want.target.location:
                self._reject(want, RejectClass.BAD_DATA, "not a key of this channel: <item_id>:<sku_id> was expected")
            elif want.level < 0:
                self._reject(want, RejectClass.BAD_DATA, "a level below zero")
            else:
                sendable.append(want)
        if sendable:
            await self._send(sendable)
        return tuple(self.answers[want.target.remote_key] for want in batch)

    async def _send(self, wants: Sequence[Want]) -> None:
        if self.calls >= PUSH_CALLS_MAX:
            self._unclear(wants, f"not settled within {PUSH_CALLS_MAX} calls")
            return
        self.calls += 1
        first_call = self.calls == 1
        skus = [(*_parts(want), want.level) for want in wants]
        try:
            answer = await self.api.sellable_update(skus)
        except Uncertain as lost:
            self._unclear(wants, lost.why)
            return
        except Rejected as refused:
            for want in wants:
                self._reject(want, refused.reject, f"{refused.why} [{refused.code}]")
            return
        except (Temporary, RateLimited, AuthNeeded) as failure:
            if first_call:
                raise
            self._unclear(wants, str(failure))  # an earlier call of this batch may have set them
            return
        if answer.code == "0":
            for want in wants:
                self.answers[want.target.remote_key] = LevelAnswer(want.target, PushOutcome.APPLIED, shown=want.level)
            return
        await self._after_refusal(wants, answer.code, answer.message, refused_rows(answer.body))

    async def _after_refusal(self, wants: Sequence[Want], code: str, message: str, rows: Sequence[RefusedRow]) -> None:
        if len(wants) == 1:
            row = rows[0] if rows else RefusedRow(frozenset(), code, message)
            self._settle_row(wants[0], row, code)
            return
        names = await self.names_of(wants) if rows else {}
        rest = []
        for want in wants:
            mine = names.get(want.target.remote_key, frozenset()) | {_parts(want)[1]}
            named = next((row for row in rows if row.names & mine), None)
            if named is None:
                rest.append(want)
            else:
                self._settle_row(want, named, code)
        if len(rest) == len(wants):
            middle = len(rest) // 2
            await self._send(rest[:middle])
            await self._send(rest[middle:])
        elif rest:
            await self._send(rest)

    def _settle_row(self, want: Want, row: RefusedRow, summary: str) -> None:
        if row.code in TRANSIENT or row.code in ROW_BUSY or row.code == "901":
            self._unclear([want], f"{row.message} [{row.code}]")
            return
        code = row.code or summary
        self._reject(want, reject_class(code, row.message), f"{row.message} [{code}]")

    def _reject(self, want: Want, reject: RejectClass, why: str) -> None:
        answer = LevelAnswer(want.target, PushOutcome.REJECTED, reject=reject, why=why)
        self.answers[want.target.remote_key] = answer

    def _unclear(self, wants: Sequence[Want], why: str) -> None:
        for want in wants:
            self.answers[want.target.remote_key] = LevelAnswer(want.target, PushOutcome.UNCLEAR, why=why)


def _parts(want: Want) -> tuple[str, str]:
    parts = split_key(want.target.remote_key)
    assert parts is not None
    return parts
