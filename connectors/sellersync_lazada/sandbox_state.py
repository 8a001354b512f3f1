"""What the simulated marketplace keeps: items, packages, orders, returns, and the switches for facts that no source confirms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sellersync.sandbox.kit import Product

SWITCHES: Mapping[str, Sequence[Any]] = {
    "partial_batch": (
        "none",
        "some",
        "all",
    ),  # what a 501 applied of the SKUs that were fine; some: those before the first bad
    "detail": ("sku", "field", "absent"),  # how 501 names the refused SKUs
    "refresh_reuse": ("dead", "once"),  # a used refresh token
    "refresh_extends": ("no", "yes"),  # does renewing move the refresh token's end
    "old_access": ("works", "dead"),  # the old access token after a refresh
    "read_lag_s": (0, 1200),  # until a booking shows in item reads (sets booking_read_lag_s)
    "unpaid_withhold": ("yes", "no"),  # an unpaid order leaves the number (documented: yes)
    "cancel_gives_back": ("yes", "no"),
    "oos_cancel_zeroes": ("yes", "no"),  # cancelling as out of stock zeroes the SKU (documented: yes)
    "cod_pending_at_once": ("yes", "no"),
    "item_change_moves_updated": ("yes", "no"),  # packing and partial cancellation move the order's updated_at
    "pot": ("inside", "outside"),  # campaign units are part of the number, or sold beside it
    "rts_repeat": ("700000", "0"),  # ready-to-ship again on a done package
    "items_product_id": ("absent", "present"),  # product_id on the multi-order items call
    "reverse_amounts": ("cents", "rupiah"),
    "window_days_max": (0, 15),  # server-side cap of an update window, 0: none
    "refusal_reason": ("optional", "required"),  # reason_code when a seller refuses a buyer's cancellation
    "direct_cancel_reverse": ("no", "yes"),  # a cancellation that nobody had to answer has a reverse order, too
    "multi_form": (
        "listed",
        "whole",
    ),  # an update of a SKU names some of its warehouses, or must name all (add_warehouse)
    "finance_zone": ("wib", "utc"),  # how the date-only bounds of the finance call are read
    "finance_date_zone": ("wib", "utc"),  # in which zone a booking's transaction_date is written
    "finance_dates": ("iso", "words"),  # 2026-11-20 or 20 Nov 2026
    "finance_end": ("inclusive", "exclusive"),  # does the last day of a finance call belong to it
    "finance_late_s": (0, 129_600),  # until a booking shows, under the date on which it was made
    "dates": ("traffic", "iso"),
    "scalars": ("typed", "quoted"),  # quoted: every number and boolean comes as text
}

UNPAID_LIFE_S = 1800.0
PACKABLE = ("pending", "repacked")
CANCELLABLE = ("unpaid", "pending", "repacked", "packed", "ready_to_ship_pending", "ready_to_ship")
DEFAULT_WAREHOUSE = "dropshipping"
COURIERS = (("J&T Express ID", "JNAP"), ("SiCepat", "SCPT"), ("Lazada Logistics ID", "LXAD"))


@dataclass(slots=True)
class View:
    """What a reader sees of an item from `visible_at` on."""

    visible_at: float
    status: str
    package_id: str


@dataclass(slots=True)
class Item:
    """One unit of an order."""

    item_id: int
    order_id: str
    product: Product
    price: int
    paid_price: int
    status: str
    updated_s: int
    package_id: str = ""
    withheld: bool = False
    """The number shown leaves this unit out."""
    occupied: bool = False
    from_pot: bool = False
    place: str = ""
    """The warehouse whose number it lowers; "" where the shop keeps one number."""
    cancel_trigger_at: float | None = None
    reverse_order_id: int = 0
    reason: str = ""
    initiator: str = ""
    views: list[View] = field(default_factory=list)

    def seen(self, now: float) -> View:
        for view in reversed(self.views):
            if view.visible_at <= now:
                return view
        return self.views[0]


@dataclass(slots=True)
class Package:
    package_id: str
    order_id: str
    item_ids: list[int]
    waybill: str
    waybill_at: float
    courier: str
    waybill_told: bool = False
    ready: bool = False
    handed_over: bool = False
    delivered: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class SimOrder:
    order_id: str
    created_s: int
    updated_s: int
    items: list[Item]
    cod: bool
    paid_at: float | None = None
    listed_s: int = -1
    """The change time under which the order is listed now; -1 while it is not visible yet."""


@dataclass(slots=True)
class Reverse:
    """A buyer's request to return units (RETURN, ONLY_REFUND), or a cancellation (CANCEL). All its lines share a status."""

    reverse_order_id: int
    order_id: str
    items: list[Item]
    request_type: str
    status: str
    created_at: float
    modified_at: float

    def line_id(self, position: int = 0) -> int:
        return self.reverse_order_id + 101 + position


@dataclass(slots=True)
class Booking:
    """One row of the finance books. Amounts are whole rupiah, negative when the platform takes them."""

    number: int
    booked_at: float
    order_id: str
    item: Item | None
    fee_type: str
    fee_name: str
    amount: int
