"""The simulator's booked parcels: statuses, waybills, and what the courier does by itself as time passes."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from sellersync.sandbox.kit import Event

WIB = timezone(timedelta(hours=7))
HAPPY_PATH = ("confirmed", "scheduled", "allocated", "picking_up", "picked", "dropping_off", "delivered")
OFF_THE_PATH = ("on_hold", "return_in_transit", "returned", "rejected", "courier_not_found", "cancelled", "disposed")
STATUSES = HAPPY_PATH + OFF_THE_PATH
CANCELLABLE = frozenset({"confirmed", "scheduled", "allocated", "picking_up"})
DEAD = frozenset({"cancelled", "rejected", "courier_not_found"})
FINAL = DEAD | {"delivered", "returned", "disposed"}
WITH_THE_COURIER = frozenset({"picked", "dropping_off", "return_in_transit", "delivered", "returned"})

WAYBILL_SHAPES = {
    "jne": "01{:014d}",
    "sicepat": "00{:010d}",
    "jnt": "JP{:010d}",
    "anteraja": "1000{:010d}",
    "lion": "88LP{:013d}",
    "gojek": "GK-11-{:07d}",
}


@dataclass
class Parcel:
    """One booked order. `request` holds the fields of its draft; `steps` are (status, unix seconds)."""

    id: str
    tracking_id: str
    draft_id: str
    request: Mapping[str, Any]
    price: int
    cod_fee: int
    booked_at: float
    number: int
    status: str = "confirmed"
    waybill: str = ""
    waybills_given: int = 0
    handed_over: bool = False
    steps: list[tuple[str, float]] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return str(self.request.get("reference_id") or "")

    @property
    def items(self) -> list[tuple[str, str, int]]:
        """(remote key, seller SKU, quantity): a courier knows nothing but the SKU."""
        return [(item.get("sku", ""), item.get("sku", ""), item["quantity"]) for item in self.request["items"]]


class Depot:
    """All parcels, and a queue of what is due. `record` is the simulator's journal, `clock` its seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], record: Callable[..., None]) -> None:
        self.parcels: dict[str, Parcel] = {}
        self._clock = clock
        self._record = record
        self._due: list[tuple[float, int, str, str]] = []
        self._sequence = 0

    def book(self, parcel: Parcel, *, waybill_after_s: float | None, moves: tuple[tuple[str, float], ...]) -> None:
        """Take over a parcel. `waybill_after_s` is `None` where it is numbered at once; `moves` are (status, seconds after)."""
        self.parcels[parcel.id] = parcel
        parcel.steps.append((parcel.status, parcel.booked_at))
        if waybill_after_s is None:
            parcel.waybill = self._new_waybill(parcel)
        else:
            self._later(parcel, waybill_after_s, "waybill")
        for status, after_s in moves:
            self._later(parcel, after_s, status)
        self._record(
            Event.PARCEL_ARRANGED,
            parcel_id=parcel.id,
            order_id=parcel.reference,
            items=parcel.items,
            waybill=parcel.waybill,
        )
        if parcel.waybill:
            self._journal(Event.WAYBILL_ISSUED, parcel, waybill=parcel.waybill)

    def settle(self) -> None:
        """Do everything that is due by now."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            at, _, parcel_id, what = heapq.heappop(self._due)
            parcel = self.parcels[parcel_id]
            if parcel.status in FINAL:
                continue
            if what == "waybill":
                self.issue_waybill(parcel)
            elif _ahead(what, parcel.status):
                self.move(parcel, what, at)

    def issue_waybill(self, parcel: Parcel) -> None:
        """Number a parcel, or give it another number (a courier may change it)."""
        parcel.waybill = self._new_waybill(parcel)
        self._journal(Event.WAYBILL_ISSUED, parcel, waybill=parcel.waybill)

    def move(self, parcel: Parcel, status: str, at: float) -> None:
        """Set a status and keep the journal: the goods leave the shelf with the first status that needs them to."""
        parcel.status = status
        parcel.steps.append((status, at))
        if status in WITH_THE_COURIER and not parcel.handed_over:
            parcel.handed_over = True
            self._journal(Event.HANDED_OVER, parcel)
        if status == "delivered":
            self._journal(Event.DELIVERED, parcel)
        if status in DEAD:
            self._journal(Event.PARCEL_CANCELLED, parcel)

    def _journal(self, event: Event, parcel: Parcel, **data: Any) -> None:
        self._record(event, parcel_id=parcel.id, order_id=parcel.reference, **data)

    def _later(self, parcel: Parcel, after_s: float, what: str) -> None:
        self._sequence += 1
        heapq.heappush(self._due, (parcel.booked_at + after_s, self._sequence, parcel.id, what))

    def _new_waybill(self, parcel: Parcel) -> str:
        number = parcel.number * 10 + parcel.waybills_given
        parcel.waybills_given += 1
        return WAYBILL_SHAPES.get(parcel.request["courier_company"], "7{:011d}").format(number)


def order_object(parcel: Parcel, *, camel: bool) -> dict[str, Any]:
    """The order as `GET /v1/orders/:id` and a confirm show it."""
    request = parcel.request
    cod = request.get("destination_cash_on_delivery")
    cash = {
        "id": parcel.id[::-1],
        "amount": cod,
        "amount_currency": "IDR",
        "fee": parcel.cod_fee,
        "fee_currency": "IDR",
        "note": None,
        "type": request.get("destination_cash_on_delivery_type", "7_days"),
    }
    places = {
        side: {
            "contact_name": request[f"{side}_contact_name"],
            "contact_phone": request[f"{side}_contact_phone"],
            "address": request[f"{side}_address"],
            "note": request.get(f"{side}_note"),
            "postal_code": request.get(f"{side}_postal_code"),
            "coordinate": request.get(f"{side}_coordinate"),
        }
        for side in ("origin", "destination")
    }
    return {
        "success": True,
        "message": "Order successfully retrieved",
        "object": "order",
        "id": parcel.id,
        "draft_order_id": parcel.draft_id,
        "short_id": parcel.id[-6:].upper(),
        "shipper": {
            "name": request.get("shipper_contact_name"),
            "phone": request.get("shipper_contact_phone"),
            "organization": request.get("shipper_organization"),
        },
        "origin": places["origin"],
        "destination": {**places["destination"], "cash_on_delivery": cash if cod else None},
        "courier": {
            "tracking_id": parcel.tracking_id,
            "waybill_id": parcel.waybill or None,
            "company": request["courier_company"],
            "type": request["courier_type"],
            "link": None,
            "driver_name": None,
            "driver_phone": None,
            "routing_code": None,
            "history": [
                {
                    "status": _spelled(status, camel),
                    "note": "",
                    "updated_at": datetime.fromtimestamp(at, WIB).isoformat(),
                }
                for status, at in parcel.steps
            ],
        },
        "delivery": {"datetime": None, "type": request.get("delivery_type"), "note": None, "distance": None},
        "reference_id": request.get("reference_id"),
        "items": list(request["items"]),
        "extra": [],
        "currency": "IDR",
        "tax_lines": [],
        "price": parcel.price,
        "metadata": request.get("metadata"),
        "note": request.get("order_note"),
        "status": _spelled(parcel.status, camel),
        "ticket_status": None,
    }


def _spelled(status: str, camel: bool) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), status) if camel else status


def _ahead(status: str, present: str) -> bool:
    if present not in HAPPY_PATH or status not in HAPPY_PATH:
        return False
    return HAPPY_PATH.index(status) > HAPPY_PATH.index(present)
