"""Sending levels: one product per call, answers per SKU, and what to do where the provider refuses 0.

The documented range of a quantity is 1 to 99,999, though working connectors send 0 (unconfirmed). Where 0 is refused, a product none of
whose SKUs may be sold is taken off both storefronts, and shown again only when it is certain that we hid it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sellersync.connector.contract import LevelAnswer, PushOutcome, TargetKey, Want
from sellersync.domain.errors import (
    AuthNeeded,
    RateLimited,
    RejectClass,
    Rejected,
    SellersyncError,
    Temporary,
    Uncertain,
    Unrecognised,
)

from . import codes, mapping_stock
from .api import QUANTITY_MAX, UPDATE_SKUS_MAX, Api
from .mapping import text
from .mapping_stock import HIDDEN_STATUS, SHOWN_STATUS

QUANTITY_HIDDEN = 1
"""The lowest quantity that every position of the documentation allows: what a product hidden by us carries."""

Groups = dict[str, list[Want]]


def batches(wants: Sequence[Want]) -> list[tuple[Want, ...]]:
    """All wants of one product together, cut at 100 SKUs; the locations of a SKU are never parted."""
    products: dict[str, Groups] = {}
    for want in wants:
        by_sku = products.setdefault(mapping_stock.product_id_of(want.target.remote_key), {})
        by_sku.setdefault(mapping_stock.sku_id_of(want.target.remote_key), []).append(want)
    result = []
    for by_sku in products.values():
        skus = list(by_sku.values())
        for start in range(0, len(skus), UPDATE_SKUS_MAX):
            result.append(tuple(want for of_sku in skus[start : start + UPDATE_SKUS_MAX] for want in of_sku))
    return result


class Push:
    """One batch on its way; `answers` fills up."""

    def __init__(self, api: Api, batch: Sequence[Want], hidden: set[str]) -> None:
        self._api = api
        self._batch = batch
        self._hidden = hidden
        self._product_id = mapping_stock.product_id_of(batch[0].target.remote_key)
        self._answers: dict[TargetKey, LevelAnswer] = {}
        self._quantity_refused: Groups = {}
        self._sent = False

    async def run(self) -> tuple[LevelAnswer, ...]:
        """Raises `Temporary`, `RateLimited`, `AuthNeeded` only while nothing was sent."""
        groups: Groups = {}
        for want in self._batch:
            groups.setdefault(mapping_stock.sku_id_of(want.target.remote_key), []).append(want)
        hidden = await self._hidden_by_us()
        await self._send(groups)
        if self._quantity_refused:
            await self._explain_refusals()
        if hidden is not None and any(want.level > 0 and self._applied(want) for want in self._batch):
            await self._show_again(hidden)
        return tuple(self._answers[want.target] for want in self._batch)

    # -- sending

    async def _send(self, groups: Groups) -> None:
        try:
            errors = await self._api.update_inventory(self._product_id, mapping_stock.level_rows(groups, QUANTITY_MAX))
        except (Uncertain, Unrecognised) as lost:
            self._sent = True
            self._all(groups, PushOutcome.UNCLEAR, str(lost))
        except Rejected as refused:
            await self._send_apart(groups, refused)
        except (Temporary, RateLimited, AuthNeeded) as failure:
            if not self._sent:
                raise
            self._all(groups, PushOutcome.UNCLEAR, str(failure))
        else:
            self._sent = True
            self._read_errors(groups, errors)

    async def _send_apart(self, groups: Groups, refused: Rejected) -> None:
        """The whole call was refused: find the SKUs that are to blame and send the others."""
        self._sent = True
        code = int(refused.code or 0)
        zeros = {sku: wants for sku, wants in groups.items() if any(want.level == 0 for want in wants)}
        rest = {sku: wants for sku, wants in groups.items() if sku not in zeros}
        if code in codes.QUANTITY and zeros and rest:
            self._quantity_refused |= zeros
            await self._send(rest)
        elif code in codes.QUANTITY and (zeros or len(groups) == 1):
            self._quantity_refused |= groups
        elif code in codes.PRODUCT_LEVEL or len(groups) == 1:
            self._all(groups, PushOutcome.REJECTED, refused.why, refused.reject)
        else:
            skus = list(groups)
            for half in (skus[: len(skus) // 2], skus[len(skus) // 2 :]):
                await self._send({sku: groups[sku] for sku in half})

    def _read_errors(self, groups: Groups, errors: Sequence[Mapping[str, Any]]) -> None:
        """Code 0 can hide refusals of single SKUs. One that names no SKU leaves the others unclear."""
        by_sku: dict[str, Mapping[str, Any]] = {}
        nameless = ""
        for error in errors:
            detail = error.get("detail") if isinstance(error, Mapping) else None
            sku_id = text(detail, "sku_id") if isinstance(detail, Mapping) else ""
            if sku_id in groups:
                by_sku[sku_id] = error
            else:
                nameless = f"a refusal that names no SKU: {str(error)[:200]}"
        for sku_id, wants in groups.items():
            if sku_id in by_sku:
                self._refuse(sku_id, wants, by_sku[sku_id])
            elif nameless:
                self._all({sku_id: wants}, PushOutcome.UNCLEAR, nameless)
            else:
                for want in wants:
                    shown = min(want.level, QUANTITY_MAX)
                    self._answers[want.target] = LevelAnswer(want.target, PushOutcome.APPLIED, shown=shown)

    def _refuse(self, sku_id: str, wants: list[Want], error: Mapping[str, Any]) -> None:
        extra = {text(row, "warehouse_id"): row for row in (error.get("detail") or {}).get("extra_errors") or ()}
        if _code(error) in codes.QUANTITY:
            self._quantity_refused[sku_id] = wants
            return
        for want in wants:
            row = extra.get(want.target.location, error)
            reject = codes.REJECTED.get(_code(row), RejectClass.OTHER)
            why = f"{text(row, 'message')} [{_code(row)}]"
            self._answers[want.target] = LevelAnswer(want.target, PushOutcome.REJECTED, reject=reject, why=why)

    # -- refused quantities

    async def _explain_refusals(self) -> None:
        """A figure outside the limits: held by a campaign (read), or a 0 that the provider does not take."""
        try:
            answer = await self._api.search_inventory(list(self._quantity_refused))
            held = mapping_stock.inventory_by_sku(answer.rows("inventory"))
        except SellersyncError:
            held = {}
        zeros: Groups = {}
        for sku_id, wants in self._quantity_refused.items():
            pot = mapping_stock.pot_of(held.get(sku_id, {}))
            lowest = min(want.level for want in wants)
            if lowest < pot:
                why = f"a campaign or creator holds {pot} units"
                self._all({sku_id: wants}, PushOutcome.REJECTED, why, RejectClass.CAMPAIGN_LOCKED, floor=pot)
            elif lowest > 0:
                self._all({sku_id: wants}, PushOutcome.REJECTED, "quantity outside the limits", RejectClass.BAD_DATA)
            else:
                zeros[sku_id] = wants
        if zeros:
            await self._hide(zeros)

    async def _hide(self, zeros: Groups) -> None:
        """Take the product off both storefronts, if no SKU of it may be sold."""
        refused = "the provider refuses the level 0"
        try:
            product = await self._api.product(self._product_id)
            still_sold = [
                sku_id
                for sku_id, quantity in _quantities(product).items()
                if quantity > 0 and (sku_id not in zeros or any(want.level > 0 for want in zeros[sku_id]))
            ]
            if still_sold:
                why = f"{refused}, and the product cannot be hidden while its SKU {still_sold[0]} is sold"
                return self._all(zeros, PushOutcome.REJECTED, why, RejectClass.ZERO_REFUSED)
            platforms = _listed_as(product, SHOWN_STATUS)
            if platforms:
                errors = await self._api.set_listed(self._product_id, platforms, listed=False)
                if errors:
                    why = f"{refused} and to hide the product: {text(errors[0], 'message')}"
                    return self._all(zeros, PushOutcome.REJECTED, why, RejectClass.ZERO_REFUSED)
                self._hidden.add(self._product_id)
                await self._mark_hidden(zeros)
        except Uncertain as lost:
            return self._all(zeros, PushOutcome.UNCLEAR, str(lost))
        except SellersyncError as failure:
            return self._all(zeros, PushOutcome.REJECTED, f"{refused}; {failure}", RejectClass.ZERO_REFUSED)
        for wants in zeros.values():
            for want in wants:
                self._answers[want.target] = LevelAnswer(
                    want.target, PushOutcome.APPLIED, shown=0, why="the product is hidden"
                )
        return None

    async def _mark_hidden(self, zeros: Groups) -> None:
        """Leave one unit in each SKU of the hidden product: the sign by which a later process knows that we hid it."""
        marked = {
            sku_id: [Want(want.target, QUANTITY_HIDDEN, None, want.key) for want in wants]
            for sku_id, wants in zeros.items()
        }
        try:
            await self._api.update_inventory(self._product_id, mapping_stock.level_rows(marked, QUANTITY_MAX))
        except SellersyncError:
            return  # hidden all the same; this process still remembers it

    # -- showing again

    async def _hidden_by_us(self) -> Mapping[str, Any] | None:
        """The product, when this batch raises SKUs of it and it is certain that we hid it.

        Certain is: this process did, or the last acknowledged level was 0 and the hidden product carries our sign.
        """
        raised = [want for want in self._batch if want.level > 0]
        remembered = self._product_id in self._hidden
        from_zero = {mapping_stock.sku_id_of(want.target.remote_key) for want in raised if want.expected == 0}
        if not raised or not (remembered or from_zero):
            return None
        try:
            product = await self._api.product(self._product_id)
        except Rejected:
            return None
        if not _listed_as(product, HIDDEN_STATUS) or _listed_as(product, SHOWN_STATUS):
            self._hidden.discard(self._product_id)
            return None
        quantities = _quantities(product)
        signed = all(quantity <= QUANTITY_HIDDEN for quantity in quantities.values())
        signed = signed and all(quantities.get(sku) == QUANTITY_HIDDEN for sku in from_zero)
        return product if remembered or (from_zero and signed) else None

    async def _show_again(self, product: Mapping[str, Any]) -> None:
        """Activate a product that we hid, unless that would sell a SKU which has to stay at 0."""
        positive = {want.target for want in self._batch if want.level > 0}
        raised = {mapping_stock.sku_id_of(target.remote_key) for target in positive}
        blocking = [sku for sku, quantity in _quantities(product).items() if quantity > 0 and sku not in raised]
        if blocking:
            why = f"the product stays hidden: its SKU {blocking[0]} has to stay at 0, which the provider refuses"
            return self._override(positive, PushOutcome.REJECTED, why, RejectClass.ZERO_REFUSED)
        try:
            errors = await self._api.set_listed(self._product_id, _listed_as(product, HIDDEN_STATUS), listed=True)
        except SellersyncError as failure:
            return self._override(positive, PushOutcome.UNCLEAR, f"is the product shown? {failure}", None)
        if errors:
            why = f"the product stays hidden: {text(errors[0], 'message')}"
            return self._override(positive, PushOutcome.REJECTED, why, RejectClass.SELLER_MUST_ACT)
        self._hidden.discard(self._product_id)
        return None

    # -- answers

    def _applied(self, want: Want) -> bool:
        return self._answers[want.target].outcome is PushOutcome.APPLIED

    def _override(self, targets: set[TargetKey], outcome: PushOutcome, why: str, reject: RejectClass | None) -> None:
        for target in targets:
            if self._answers[target].outcome is PushOutcome.APPLIED:
                self._answers[target] = LevelAnswer(target, outcome, reject=reject, why=why)

    def _all(
        self,
        groups: Groups,
        outcome: PushOutcome,
        why: str,
        reject: RejectClass | None = None,
        floor: int | None = None,
    ) -> None:
        for wants in groups.values():
            for want in wants:
                self._answers[want.target] = LevelAnswer(want.target, outcome, reject=reject, why=why, floor=floor)


def _code(error: Mapping[str, Any]) -> int:
    value = text(error, "code")
    return int(value) if value.isdigit() else 0


def _quantities(product: Mapping[str, Any]) -> dict[str, int]:
    """The greatest number that a warehouse shows, per SKU of a product detail."""
    return {
        text(sku, "id"): max((int(row.get("quantity") or 0) for row in sku.get("inventory") or ()), default=0)
        for sku in product.get("skus") or ()
    }


def _listed_as(product: Mapping[str, Any], status: str) -> list[str]:
    return [platform for platform, shown in mapping_stock.statuses(product).items() if shown == status]
