"""Packages and the stages of units, pure.

Status meanings: Shopee data definition guide (2025-12) and API reference (2026-08). Units are only counted: Shopee gives them no ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sellersync.domain.errors import Unrecognised
from sellersync.domain.orders import UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .fields import Json, Reader, quantity, remote_key

ORDER_STAGES: Mapping[str, UnitStage] = MappingProxyType(
    {
        "UNPAID": UnitStage.OPEN,
        "PENDING": UnitStage.OPEN,
        "INVOICE_PENDING": UnitStage.OPEN,
        "READY_TO_SHIP": UnitStage.OPEN,
        "PROCESSED": UnitStage.OPEN,
        "RETRY_SHIP": UnitStage.OPEN,
        "IN_CANCEL": UnitStage.OPEN,
        "SHIPPED": UnitStage.LEFT,
        "TO_CONFIRM_RECEIVE": UnitStage.DELIVERED,
        "COMPLETED": UnitStage.DELIVERED,
        "TO_RETURN": UnitStage.LEFT,
        "CANCELLED": UnitStage.CANCELLED,
    }
)
"""Stage of units about which no package says more."""

PARCEL_STATES: Mapping[str, ParcelState] = MappingProxyType(
    {
        "LOGISTICS_NOT_START": ParcelState.WAITING,
        "LOGISTICS_NOT_STARTED": ParcelState.WAITING,
        "LOGISTICS_PENDING_ARRANGE": ParcelState.WAITING,
        "LOGISTICS_READY": ParcelState.READY,
        "LOGISTICS_REQUEST_CREATED": ParcelState.BOOKED,
        "LOGISTICS_PICKUP_RETRY": ParcelState.PICKUP_RETRY,
        "LOGISTICS_PICKUP_DONE": ParcelState.PICKED_UP,
        "LOGISTICS_DELIVERY_DONE": ParcelState.DELIVERED,
        "LOGISTICS_INVALID": ParcelState.CANCELLED,
        "LOGISTICS_REQUEST_CANCELED": ParcelState.CANCELLED,
        "LOGISTICS_REQUEST_CANCELLED": ParcelState.CANCELLED,
        "LOGISTICS_PICKUP_FAILED": ParcelState.FAILED,
        "LOGISTICS_DELIVERY_FAILED": ParcelState.RETURNING,
        "LOGISTICS_COD_REJECTED": ParcelState.RETURNING,
        "LOGISTICS_LOST": ParcelState.LOST,
    }
)

PARCEL_STAGES: Mapping[ParcelState, UnitStage] = MappingProxyType(
    {
        ParcelState.WAITING: UnitStage.OPEN,
        ParcelState.READY: UnitStage.OPEN,
        ParcelState.BOOKED: UnitStage.OPEN,
        ParcelState.PICKUP_RETRY: UnitStage.OPEN,
        ParcelState.FAILED: UnitStage.OPEN,
        ParcelState.PICKED_UP: UnitStage.LEFT,
        ParcelState.DELIVERED: UnitStage.DELIVERED,
        ParcelState.RETURNING: UnitStage.COMING_BACK,
        ParcelState.LOST: UnitStage.LOST,
        ParcelState.CANCELLED: UnitStage.CANCELLED,
        ParcelState.UNKNOWN: UnitStage.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class ParcelFacts:
    """What reads beyond the order detail say, by package number: package details, and rows of the tracking-number call."""

    details: Mapping[str, Json] = field(default_factory=dict)
    tracking: Mapping[str, Json] = field(default_factory=dict)


NO_FACTS = ParcelFacts()


@dataclass(slots=True)
class LineDraft:
    """A line while its units are being shared out."""

    item: Json
    base: str
    key: str
    left_over: int
    stages: dict[UnitStage, int] = field(default_factory=dict)
    location: str = ""

    def take(self, count: int, stage: UnitStage) -> int:
        taken = min(count, self.left_over)
        if taken:
            self.left_over -= taken
            self.stages[stage] = self.stages.get(stage, 0) + taken
        return taken


@dataclass(frozen=True, slots=True)
class Package:
    number: str
    status: str
    state: ParcelState
    items: Sequence[Json]
    detail: Reader
    carrier: str
    waybill: str
    pickup_code: str


def _base_key(item: Json) -> str:
    """What identifies a line in the order and in its packages alike (packages carry no line_item_id)."""
    return f"{item.get('order_item_id') or 0}:{remote_key(item.get('item_id'), item.get('model_id'))}"


def line_drafts(row: Json, order_sn: str) -> list[LineDraft]:
    items = row.get("item_list")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Unrecognised(f"{order_sn}: no readable item_list", repr(items))
    drafts: list[LineDraft] = []
    seen: dict[str, int] = {}
    for item in items:
        base = _base_key(item)
        seen[base] = seen.get(base, 0) + 1
        key = base if seen[base] == 1 else f"{base}#{seen[base]}"
        # Whether the purchased quantity shrinks with a partial cancellation is not documented: the larger reading is the order.
        ordered = max(
            quantity(item, "model_quantity_purchased"), quantity(item, "active_qty") + quantity(item, "cancelled_qty")
        )
        drafts.append(LineDraft(item, base, key, ordered))
    return drafts


def read_packages(reader: Reader, facts: ParcelFacts, *, bookable: bool) -> list[Package]:
    """The order's packages, those that live first: after a split a dead package may list units that a new one carries."""
    packages = []
    for row in reader.objects("package_list"):
        number = str(row.get("package_number") or "")
        detail, tracking = facts.details.get(number, {}), facts.tracking.get(number, {})
        status = str(detail.get("fulfillment_status") or row.get("logistics_status") or "").strip()
        if status not in PARCEL_STATES:
            reader.problems.append(f"package {number}: unknown status {status!r}")
        state = PARCEL_STATES.get(status, ParcelState.UNKNOWN)
        if state is ParcelState.READY:
            if detail.get("is_shipment_arranged"):
                state = ParcelState.BOOKED
            elif not bookable or detail.get("pending_terms"):
                state = ParcelState.WAITING
        packages.append(
            Package(
                number=number,
                status=status,
                state=state,
                items=Reader(row, reader.problems).objects("item_list"),
                detail=Reader(detail, reader.problems),
                carrier=str(detail.get("shipping_carrier") or row.get("shipping_carrier") or ""),
                waybill=waybill_of(tracking) or waybill_of(detail),
                pickup_code=str(tracking.get("pickup_code") or "").strip(),
            )
        )
    return sorted(packages, key=lambda package: not package.state.live)


def waybill_of(row: Json) -> str:
    """The waybill number, "" where there is none yet; the reference samples "-" for that too."""
    number = str(row.get("tracking_number") or "").strip()
    return "" if number == "-" else number


def share_out(
    status: str, drafts: Sequence[LineDraft], packages: Sequence[Package], order_sn: str
) -> list[RemoteParcel]:
    """Give every unit its stage: cancelled ones first, then package by package, the rest by the order's own status.

    In a cancelled order the packages come first, because `cancelled_qty` also counts units that had left the shelf.
    """
    if status != "CANCELLED":
        for draft in drafts:
            draft.take(quantity(draft.item, "cancelled_qty"), UnitStage.CANCELLED)
    parcels = []
    for package in packages:
        stage = _stage(status, package.state, alone=len(packages) == 1)
        units = []
        for item in package.items:
            base, wanted = _base_key(item), quantity(item, "model_quantity")
            for draft in drafts:
                if draft.base == base and (taken := draft.take(wanted, stage)):
                    wanted -= taken
                    units.append((draft.key, taken))
                    draft.location = draft.location or _location(item)
        parcels.append(_parcel(package, tuple(units), order_sn))
    for draft in drafts:
        draft.take(draft.left_over, ORDER_STAGES.get(status, UnitStage.UNKNOWN))
    return parcels


def _stage(status: str, state: ParcelState, *, alone: bool) -> UnitStage:
    """What a package's state means for its units, given the order's status."""
    by_order, by_package = ORDER_STAGES.get(status, UnitStage.UNKNOWN), PARCEL_STAGES[state]
    if by_order is UnitStage.UNKNOWN:
        return by_package if by_package.left_shelf else UnitStage.UNKNOWN
    if by_order is UnitStage.CANCELLED:
        if by_package is UnitStage.OPEN:
            return UnitStage.CANCELLED
        return UnitStage.COMING_BACK if by_package is UnitStage.LEFT else by_package
    if alone and by_order.left_shelf and by_package is UnitStage.OPEN:
        return by_order  # the order's word is newer; with several packages it speaks for one of them only
    return by_package


def _parcel(package: Package, units: tuple[tuple[str, int], ...], order_sn: str) -> RemoteParcel:
    detail = package.detail
    return RemoteParcel(
        remote_id=package.number,
        order_ids=(order_sn,),
        state=package.state,
        remote_status=package.status,
        units=units,
        waybill=package.waybill,
        courier=package.carrier,
        pickup_code=package.pickup_code,
        ship_by=detail.moment("ship_by_date"),
        picked_up_at=detail.moment("pickup_done_time"),
        updated_at=detail.moment("update_time"),
    )


def _location(item: Json) -> str:
    """Documented as text, sampled as a list."""
    value = item.get("product_location_id")
    if isinstance(value, list):
        value = value[0] if value else ""
    return str(value or "")
