"""Orders between the wire and the domain, pure in both directions. Meanings of fields: Admin API reference 2026-07.

A unit is open while it is neither refunded nor removed nor in a fulfilment. Placing an order moves its units from `available` to
`committed`, so the number that is pushed already leaves them out, whatever becomes of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.orders import Buyer, Excluded, Order, OrderLine, OrderState, Unit, UnitStage

from .fields import count, inner, moment, money, needed_moment, nodes, number_of, readable, word
from .queries import FULFILMENTS_FIRST

PAID = frozenset({"PAID", "PARTIALLY_REFUNDED"})
FINANCIAL: Mapping[str, OrderState] = {
    "PAID": OrderState.READY,
    "PARTIALLY_REFUNDED": OrderState.READY,
    "AUTHORIZED": OrderState.HELD,  # to be captured first
    "PENDING": OrderState.UNPAID,
    "PARTIALLY_PAID": OrderState.UNPAID,
    "EXPIRED": OrderState.UNPAID,
    "VOIDED": OrderState.UNPAID,
    "REFUNDED": OrderState.HELD,  # nothing is owed, and yet not cancelled
}
"""`displayFinancialStatus` of an order with open units."""
FULFILMENT_HOLDS = frozenset(
    {"ON_HOLD", "SCHEDULED", "IN_PROGRESS", "PENDING_FULFILLMENT", "REQUEST_DECLINED"}
)  # the last three: somebody else was asked to ship, or has begun
FULFILMENT_OPEN = frozenset({"UNFULFILLED", "OPEN", "PARTIALLY_FULFILLED", "RESTOCKED"})
FULFILMENT_DONE = frozenset({"FULFILLED", "FULFILLMENT_NOT_REQUIRED"})
FULFILMENT_KNOWN = FULFILMENT_OPEN | FULFILMENT_DONE | FULFILMENT_HOLDS
DEAD_FULFILMENTS = frozenset({"CANCELLED", "ERROR", "FAILURE"})
LIVE_FULFILMENTS = frozenset({"SUCCESS", "OPEN", "PENDING"})
PAYMENT_KINDS = frozenset({"SALE", "CAPTURE"})


@dataclass(frozen=True, slots=True)
class _Status:
    """The order's own words about itself."""

    financial: str
    fulfilment: str
    cancelled: bool
    closed: bool

    @property
    def unknown(self) -> list[str]:
        """Words that the reference does not list."""
        found = [] if self.financial in FINANCIAL else [self.financial]
        return found if self.fulfilment in FULFILMENT_KNOWN else [*found, self.fulfilment]


@dataclass(frozen=True, slots=True)
class Rules:
    """What an order is read with. `location`: the only location of the shop, "" where it has several."""

    now: datetime
    location: str = ""
    cod_gateways: Collection[str] = ()
    booking_wait_s: float = 0.0


def order_id_of(row: Mapping[str, Any]) -> str:
    """The order's number. Raises `Unrecognised`."""
    return number_of(row.get("id"), "Order", where="order id")


def order(row: Mapping[str, Any], rules: Rules) -> Order:
    """One order. Raises `Unrecognised` when not even its id and times can be read."""
    order_id = order_id_of(row)
    problems: list[str] = []
    created, updated = needed_moment(row, "createdAt"), needed_moment(row, "updatedAt")
    cancelled_at = readable(lambda: moment(row.get("cancelledAt"), where="cancelledAt"), problems)
    closed_at = readable(lambda: moment(row.get("closedAt"), where="closedAt"), problems)
    status = _Status(
        word(row.get("displayFinancialStatus")),
        word(row.get("displayFulfillmentStatus")),
        cancelled=cancelled_at is not None,
        closed=closed_at is not None,
    )
    problems.extend(f"status {unknown!r} is not known" for unknown in status.unknown)
    shipped = _Shipped.read(row, problems)
    lines = _lines(row, status, rules, shipped, problems)
    gateways = [word(name) for name in row.get("paymentGatewayNames") or ()]
    # once the shop marks it as paid, there is nothing left to collect
    cod = status.financial not in PAID and _any_of(gateways, rules.cod_gateways)
    paid_at = readable(lambda: _paid_at(row), problems)
    state = _state(status, lines, cod=cod, problems=problems)
    since = (paid_at or created) + timedelta(seconds=rules.booking_wait_s)
    if state is OrderState.READY and rules.now < since:
        state = OrderState.HELD
    total = "totalOutstandingSet" if cod else "totalPriceSet"
    return Order(
        remote_id=order_id,
        state=state,
        remote_status=f"{status.financial}/{status.fulfilment}",
        created_at=created,
        updated_at=updated,
        lines=lines,
        paid_at=paid_at,
        cancelled_at=cancelled_at,
        shipped_at=shipped.first_at,
        number=str(row.get("name") or order_id),
        cod=cod,
        currency=str(row.get("currencyCode") or "IDR"),
        goods_total=readable(lambda: money(row.get("subtotalPriceSet"), where="subtotalPriceSet"), problems),
        shipping_fee=readable(lambda: money(row.get("totalShippingPriceSet"), where="totalShippingPriceSet"), problems),
        discount_total=readable(lambda: money(row.get("totalDiscountsSet"), where="totalDiscountsSet"), problems),
        total=readable(lambda: money(row.get(total), where=total), problems),
        payment_method=", ".join(gateways),
        courier_service=str(inner(row, "shippingLine", "title") or ""),
        cancel_reason=str(row.get("cancelReason") or ""),
        buyer=_buyer(row),
        problems=tuple(problems),
        meta={"waybill": shipped.waybill, "courier": shipped.courier} if shipped.waybill else {},
    )


def _any_of(names: Collection[str], wanted: Collection[str]) -> bool:
    return bool({name.strip().casefold() for name in names} & {name.strip().casefold() for name in wanted})


def _paid_at(row: Mapping[str, Any]) -> datetime | None:
    """The first payment that went through."""
    times = [
        moment(payment.get("processedAt"), where="processedAt")
        for payment in nodes(row.get("transactions"), where="transactions")
        if payment.get("status") == "SUCCESS" and word(payment.get("kind")) in PAYMENT_KINDS
    ]
    return min((at for at in times if at is not None), default=None)


# ------------------------------------------------------------------------------------------------------------------------- state


def _state(status: _Status, lines: tuple[OrderLine, ...], *, cod: bool, problems: list[str]) -> OrderState:
    """What may be done now. Unknown words and contradictions forbid booking."""
    stages = {unit.stage for line in lines for unit in line.units}
    if status.unknown:
        return OrderState.UNKNOWN
    if status.cancelled:
        return OrderState.CANCELLED
    if not stages or (status.fulfilment == "FULFILLED" and UnitStage.OPEN in stages):
        problems.append("no line can be read" if not stages else "fulfilled, and yet units seem to be waiting")
        return OrderState.UNKNOWN
    if UnitStage.UNKNOWN in stages:
        return OrderState.UNKNOWN
    if UnitStage.OPEN in stages:
        state = OrderState.READY if cod and status.financial == "PENDING" else FINANCIAL[status.financial]
        held = status.fulfilment in FULFILMENT_HOLDS and state is OrderState.READY
        return OrderState.HELD if held else state
    if stages <= {UnitStage.CANCELLED}:
        return OrderState.CANCELLED
    if status.closed:
        return OrderState.COMPLETED
    return OrderState.SHIPPED if UnitStage.LEFT in stages else OrderState.DELIVERED


# ------------------------------------------------------------------------------------------------------------------------- lines


@dataclass(slots=True)
class _Shipped:
    """What the order's live fulfilments hold: units per line, and how many of them were delivered. `unread` when one of them could
    not be read: then nobody knows which units wait."""

    units: dict[str, int]
    delivered: dict[str, int]
    unread: bool = False
    first_at: datetime | None = None
    waybill: str = ""
    courier: str = ""

    @classmethod
    def read(cls, row: Mapping[str, Any], problems: list[str]) -> _Shipped:
        found = cls({}, {})
        rows = readable(lambda: nodes(row.get("fulfillments"), where="fulfillments"), problems)
        if rows is None:
            found.unread = True
            return found
        if len(rows) >= FULFILMENTS_FIRST:
            problems.append("the order may have more fulfilments than are read: ship the rest by hand")
        for fulfilment in rows:
            status = word(fulfilment.get("status"))
            if status in DEAD_FULFILMENTS:
                continue
            if status not in LIVE_FULFILMENTS:
                problems.append(f"a fulfilment has the unknown status {status!r}")
            try:
                found._add(fulfilment)
            except Unrecognised as unreadable:
                found.unread = True
                problems.append(f"a fulfilment could not be read: {unreadable}")
        return found

    def _add(self, fulfilment: Mapping[str, Any]) -> None:
        at = moment(fulfilment.get("createdAt"), where="fulfilment createdAt")
        self.first_at = min(filter(None, (self.first_at, at)), default=None)
        for tracking in nodes(fulfilment.get("trackingInfo"), where="trackingInfo"):
            if not self.waybill and tracking.get("number"):
                self.waybill, self.courier = str(tracking["number"]), str(tracking.get("company") or "")
        for entry in nodes(fulfilment.get("fulfillmentLineItems"), where="fulfillmentLineItems"):
            line_id = number_of(inner(entry, "lineItem", "id"), "LineItem", where="fulfilled line")
            units = count(entry, "quantity")
            self.units[line_id] = self.units.get(line_id, 0) + units
            if fulfilment.get("displayStatus") == "DELIVERED":
                self.delivered[line_id] = self.delivered.get(line_id, 0) + units


def _lines(
    row: Mapping[str, Any], status: _Status, rules: Rules, shipped: _Shipped, problems: list[str]
) -> tuple[OrderLine, ...]:
    places = {} if rules.location else readable(lambda: _places(row, problems), problems) or {}
    found = []
    for line in readable(lambda: nodes(row.get("lineItems"), where="lineItems"), problems) or ():
        if line.get("variant") is None and line.get("requiresShipping") is False:
            continue  # a tip, a fee: nothing that lies on a shelf
        try:
            found.append(_line(line, status, rules, shipped, places, problems))
        except Unrecognised as unreadable:
            problems.append(f"a line could not be read: {unreadable}")
    return tuple(found)


def _line(
    line: Mapping[str, Any],
    status: _Status,
    rules: Rules,
    shipped: _Shipped,
    places: Mapping[str, list[str]],
    problems: list[str],
) -> OrderLine:
    line_id = number_of(line.get("id"), "LineItem", where="line id")
    item = inner(line, "variant", "inventoryItem", "id")
    listing = number_of(item, "InventoryItem", where=f"line {line_id}") if item is not None else ""
    where = [rules.location] if rules.location else places.get(line_id, [])
    if len(where) > 1:
        problems.append(f"line {line_id} is shipped from several locations: ship this order by hand")
    price = readable(lambda: money(line.get("originalUnitPriceSet"), where=f"line {line_id} price"), problems)
    return OrderLine(
        key=f"line{line_id}",
        listing=listing,
        units=_units(line, status, line_id, shipped),
        aliases=(f"line{line_id}", listing) if listing else (f"line{line_id}",),
        target=listing,
        seller_sku=str(line.get("sku") or "").strip(),
        title=str(line.get("name") or ""),
        unit_price=price,
        location=where[0] if where else "",
    )


def _units(line: Mapping[str, Any], status: _Status, line_id: str, shipped: _Shipped) -> tuple[Unit, ...]:
    """`currentQuantity` leaves refunded and removed units out; these are taken from what was not fulfilled first."""
    ordered, current = count(line, "quantity"), count(line, "currentQuantity")
    fulfilled, delivered = shipped.units.get(line_id, 0), shipped.delivered.get(line_id, 0)
    if fulfilled > ordered or current > ordered:
        raise Unrecognised("more units are fulfilled or left than were ordered", f"{fulfilled}, {current} of {ordered}")
    cancelled = ordered - current
    if status.cancelled:
        cancelled = max(cancelled, ordered - fulfilled)
    open_units = max(ordered - fulfilled - cancelled, 0)
    gone = ordered - cancelled - open_units
    delivered = min(delivered, gone)
    waiting = UnitStage.OPEN
    if status.fulfilment == "FULFILLMENT_NOT_REQUIRED" and line.get("requiresShipping") is False:
        waiting = UnitStage.DELIVERED  # nothing is ever shipped for it
    if shipped.unread or status.unknown:
        waiting = UnitStage.UNKNOWN
    counted = (
        (waiting, open_units),
        (UnitStage.LEFT, gone - delivered),
        (UnitStage.DELIVERED, delivered),
        (UnitStage.CANCELLED, cancelled),
    )
    merged: dict[UnitStage, int] = {}
    for stage, units in counted:
        merged[stage] = merged.get(stage, 0) + units
    return tuple(Unit(stage, units, excluded=Excluded.YES) for stage, units in merged.items() if units)


def _places(row: Mapping[str, Any], problems: list[str]) -> dict[str, list[str]]:
    """line -> locations that it is shipped from, by the fulfilment orders that are not cancelled."""
    found: dict[str, list[str]] = {}
    lapsed: dict[str, list[str]] = {}
    if inner(row, "fulfillmentOrders", "pageInfo", "hasNextPage"):
        problems.append("the order has more fulfilment orders than are read: ship it by hand")
    for work in nodes(row.get("fulfillmentOrders"), where="fulfillmentOrders"):
        place = inner(work, "assignedLocation", "location", "id")
        if place is None:
            problems.append("a fulfilment order names no location")
            continue
        location = number_of(place, "Location", where="assigned location")
        for entry in nodes(work.get("lineItems"), where="lines to be fulfilled"):
            line_id = number_of(inner(entry, "lineItem", "id"), "LineItem", where="line to be fulfilled")
            into = lapsed if work.get("status") == "CANCELLED" or entry.get("totalQuantity") == 0 else found
            if location not in into.setdefault(line_id, []):
                into[line_id].append(location)
    return {line_id: found.get(line_id) or places[:1] for line_id, places in (lapsed | found).items()}


def _buyer(row: Mapping[str, Any]) -> Buyer:
    """The recipient. `masked` where the app may not see buyer data: the shop withholds the whole address then."""
    place = row.get("shippingAddress")
    if not isinstance(place, Mapping):
        return Buyer(note=str(row.get("note") or ""), email=str(row.get("email") or ""), masked=True)
    street = [str(place[name]) for name in ("address1", "address2") if place.get(name)]
    return Buyer(
        name=str(place.get("name") or ""),
        phone=str(place.get("phone") or row.get("phone") or ""),
        email=str(row.get("email") or ""),
        address=", ".join(street),
        city=str(place.get("city") or ""),
        province=str(place.get("province") or ""),
        postal_code=str(place.get("zip") or ""),
        country=str(place.get("countryCodeV2") or "ID"),
        note=str(row.get("note") or ""),
    )
