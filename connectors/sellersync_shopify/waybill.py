"""Handing a waybill back: one fulfilment of everything that is still to be shipped, read before it is written.

`fulfillmentCreate` takes no idempotency key as far as documented, so the order's own fulfilments decide whether it was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sellersync.domain.errors import RejectClass, Rejected, Unrecognised

from .api import Api, Row
from .fields import inner, moment, nodes, number_of, word

SHIPPABLE = frozenset({"OPEN", "IN_PROGRESS"})
WAITING = frozenset({"ON_HOLD", "SCHEDULED"})
OVER = frozenset({"CLOSED", "CANCELLED", "INCOMPLETE"})
"""The three are all states of a fulfilment order (API reference, 2026-07)."""
DEAD = frozenset({"CANCELLED", "ERROR", "FAILURE"})


class Waybill:
    """One order's waybill."""

    def __init__(self, api: Api, order_id: str, number: str, courier: str) -> None:
        self._api = api
        self._order_id = order_id
        self._number = number
        self._courier = courier

    async def hand_back(self, note: str) -> None:
        order = await self._order()
        if self._named_in(order):
            return
        work = self._work(order)
        tracking = {"number": self._number, **({"company": self._courier} if self._courier else {})}
        fulfilment: Row = {
            "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": work_id} for work_id in work],
            "trackingInfo": tracking,
            "notifyCustomer": bool(note),
        }
        reference = f"waybill of order {self._order_id}"
        payload = await self._api.fulfillment_create(fulfilment, note[:255], reference=reference)
        errors = payload["userErrors"]
        if errors and not self._named_in(await self._order()):
            why = "; ".join(str(error.get("message", ""))[:200] for error in errors)
            raise self._rejected(why, RejectClass.ALREADY_DONE if "closed" in why else RejectClass.OTHER)

    async def _order(self) -> Row:
        order = await self._api.shipping(self._order_id)
        if order is None:
            raise self._rejected("the shop does not show it", RejectClass.UNKNOWN_ORDER)
        return order

    def _named_in(self, order: Mapping[str, Any]) -> bool:
        """Does a live fulfilment carry this waybill?"""
        return any(
            tracking.get("number") == self._number
            for fulfilment in nodes(order.get("fulfillments"), where="fulfillments")
            if word(fulfilment.get("status")) not in DEAD
            for tracking in nodes(fulfilment.get("trackingInfo"), where="trackingInfo")
        )

    def _work(self, order: Mapping[str, Any]) -> list[str]:
        """The fulfilment orders that this waybill ships. Raises `Unrecognised` rather than refuse what cannot be read."""
        if moment(order.get("cancelledAt"), where="cancelledAt") is not None:
            raise self._rejected("it was cancelled", RejectClass.CANCELLED)
        rows = nodes(inner(order, "fulfillmentOrders", "nodes"), where="fulfillmentOrders")
        states = [word(row.get("status")) for row in rows]
        strange = set(states) - SHIPPABLE - WAITING - OVER
        if strange:
            raise Unrecognised("a fulfilment order in an unknown state", ", ".join(sorted(strange)))
        ready = [row for row, state in zip(rows, states, strict=True) if state in SHIPPABLE]
        if not ready:
            if WAITING.intersection(states):
                raise self._rejected("the shop holds it back", RejectClass.NOT_NOW)
            raise self._rejected("nothing in it waits for shipping", RejectClass.ALREADY_DONE)
        if len({word(inner(row, "assignedLocation", "location", "id")) for row in ready}) > 1:
            raise self._rejected("it is shipped from several locations", RejectClass.LOCATION)
        work = [number_of(row.get("id"), "FulfillmentOrder", where="fulfillmentOrders") for row in ready]
        return [f"gid://shopify/FulfillmentOrder/{number}" for number in work]

    def _rejected(self, why: str, reject: RejectClass) -> Rejected:
        return Rejected(f"order {self._order_id}", why, reject)
