"""Orders between the wire and the domain, pure in both directions. Facts: measured on WooCommerce 10.0.2 unless said."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sellersync.connector.contract import Gone
from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah, rupiah_or_none
from sellersync.domain.orders import Buyer, Excluded, Order, OrderLine, OrderState, Unit, UnitStage

from .mapping_stock import listing_key
from .provinces import PROVINCES

T = TypeVar("T")
WAYBILL_META = "_sellersync_waybill"
COURIER_META = "_sellersync_courier"
DISTRICT_METAS = ("_shipping_district", "shipping_district", "_billing_district", "billing_district")
CHECKOUTS = frozenset({"checkout", "store-api"})
NO_ORDERS = frozenset({"checkout-draft", "auto-draft"})  # a basket at the checkout page, a form open in the back office

STATUSES: Mapping[str, tuple[OrderState, UnitStage]] = {
    "pending": (OrderState.UNPAID, UnitStage.OPEN),
    "on-hold": (OrderState.UNPAID, UnitStage.OPEN),
    "processing": (OrderState.READY, UnitStage.OPEN),
    "completed": (OrderState.COMPLETED, UnitStage.LEFT),
    "cancelled": (OrderState.CANCELLED, UnitStage.CANCELLED),
    "refunded": (OrderState.CANCELLED, UnitStage.CANCELLED),
    "failed": (OrderState.CANCELLED, UnitStage.CANCELLED),
    "checkout-draft": (OrderState.CANCELLED, UnitStage.CANCELLED),
    "auto-draft": (OrderState.CANCELLED, UnitStage.CANCELLED),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What an order is read with: the shop's clock, its hold time, and the seller's own words.

    `hold_minutes` is `None` when the shop did not tell it and 0 when it holds nothing.
    """

    now: datetime
    hold_minutes: int | None = None
    hold_fallback_minutes: int = 60
    cod_methods: Collection[str] = ("cod",)
    paid_statuses: Collection[str] = ()
    shipped_statuses: Collection[str] = ()
    booking_wait_s: float = 0.0
    district_in_address_2: bool = False


@dataclass(frozen=True, slots=True)
class Inherits:
    """Which variations show their parent's number: (product id, variation id) -> yes or no."""

    known: Mapping[tuple[int, int], bool] = field(default_factory=dict)

    def target(self, product_id: int, variation_id: int) -> str:
        """The key of the number that a sale lowers."""
        own = self.known.get((product_id, variation_id)) is not True
        return listing_key(product_id, variation_id if own else 0)


def order_number(order_id: str) -> int | None:
    """Our order id as the shop's number; `None` for an id that is not the shop's."""
    return int(order_id) if order_id.isascii() and order_id.isdecimal() and len(order_id) <= 18 else None


def moment(value: object, *, where: str) -> datetime | None:
    """A `_gmt` field: whole seconds in UTC without a zone mark; null is `None`."""
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise Unrecognised(f"{where}: a time was expected", repr(value)) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _needed_moment(row: Mapping[str, Any], name: str) -> datetime:
    found = moment(row.get(name), where=name)
    if found is None:
        raise Unrecognised(f"order {row.get('id')}: {name} is missing", "")
    return found


def _count(value: object, where: str) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise Unrecognised(f"{where}: a whole number was expected", repr(value)) from None
    return number


def _meta(rows: object, *keys: str) -> Any:
    """The value of the first of these meta keys that is set."""
    found = (
        {row.get("key"): row.get("value") for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    )
    return next((found[key] for key in keys if found.get(key) not in (None, "")), None)


# ------------------------------------------------------------------------------------------------------------------------ orders


def variations_in(rows: Iterable[Mapping[str, Any]]) -> set[tuple[int, int]]:
    """(product id, variation id) of all lines that bought a variation."""
    return {
        (line["product_id"], line["variation_id"])
        for row in rows
        for line in (row["line_items"] if isinstance(row.get("line_items"), list) else ())
        if isinstance(line, dict) and _is_id(line.get("product_id")) and _is_id(line.get("variation_id"))
    }


def _is_id(value: object) -> bool:
    return type(value) is int and value > 0


def refunded_units(refunds: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """line id -> units that refunds cancelled. A refund of money alone names no units."""
    units: dict[int, int] = {}
    for refund in refunds:
        for line in refund.get("line_items") or ():
            line_id = _meta(line.get("meta_data"), "_refunded_item_id")
            count = -_count(line.get("quantity", 0), "refund line quantity")
            if line_id is not None and count > 0:
                key = _count(line_id, "refunded line id")
                units[key] = units.get(key, 0) + count
    return units


def created_at(row: Mapping[str, Any]) -> datetime:
    """When an order was placed. Raises `Unrecognised`."""
    return _needed_moment(row, "date_created_gmt")


def order(
    row: Mapping[str, Any], rules: Rules, *, refunds: Iterable[Mapping[str, Any]] = (), inherits: Inherits | None = None
) -> Order:
    """One order. Raises `Unrecognised` when not even its id, status and times can be read."""
    if type(row.get("id")) is not int or not isinstance(row.get("status"), str):
        raise Unrecognised("an order without id or status", repr(row.get("id")))
    problems: list[str] = []
    created, updated = _needed_moment(row, "date_created_gmt"), _needed_moment(row, "date_modified_gmt")
    status = str(row["status"])
    state, stage = _status(status, rules, problems)
    cod = row.get("payment_method") in rules.cod_methods
    paid_at = _readable(lambda: moment(row.get("date_paid_gmt"), where="date_paid_gmt"), problems)
    reader = _LineReader(row, rules, stage, created, inherits or Inherits(), refunded_units(refunds), problems)
    lines = reader.lines()
    waybill = _meta(row.get("meta_data"), WAYBILL_META)
    if state is OrderState.READY:
        state = _ready(row, rules, cod=cod, paid_at=paid_at, created=created, problems=problems)
        if waybill is not None:
            state = OrderState.BOOKED
        if lines and all(unit.stage is UnitStage.CANCELLED for line in lines for unit in line.units):
            state = OrderState.CANCELLED
    if row.get("currency", "IDR") != "IDR":
        problems.append(f"the order is in {row['currency']}, not in rupiah")
    meta = {"created_via": str(row.get("created_via", ""))}
    if waybill is not None:
        meta["waybill"] = str(waybill)
        meta["courier"] = str(_meta(row.get("meta_data"), COURIER_META) or "")
    return Order(
        remote_id=str(row["id"]),
        state=state,
        remote_status=status,
        created_at=created,
        updated_at=updated,
        lines=lines,
        paid_at=paid_at if stage in (UnitStage.OPEN, UnitStage.LEFT) and state is not OrderState.UNPAID else None,
        shipped_at=_readable(lambda: moment(row.get("date_completed_gmt"), where="date_completed_gmt"), problems)
        if stage is UnitStage.LEFT
        else None,
        hold_expires_at=_hold_end(updated, rules) if status == "pending" else None,
        number=str(row.get("number") or row["id"]),
        cod=cod,
        currency=str(row.get("currency", "IDR")),
        goods_total=_goods_total(row),
        shipping_fee=_amount(row, "shipping_total", problems),
        discount_total=_amount(row, "discount_total", problems),
        total=_total(row, problems, cod=cod),
        payment_method=str(row.get("payment_method_title") or row.get("payment_method") or ""),
        courier_service=", ".join(
            str(line["method_title"]) for line in row.get("shipping_lines") or () if line.get("method_title")
        ),
        buyer=_buyer(row, rules),
        problems=tuple(problems),
        meta=meta,
    )


def gone(row: Mapping[str, Any]) -> Gone:
    """A row of the bin. Its stock was not given back."""
    return Gone(str(row["id"]), "moved to the bin", moment(row.get("date_modified_gmt"), where="date_modified_gmt"))


def _status(status: str, rules: Rules, problems: list[str]) -> tuple[OrderState, UnitStage]:
    if status in rules.paid_statuses:
        return OrderState.READY, UnitStage.OPEN
    if status in rules.shipped_statuses:
        return OrderState.SHIPPED, UnitStage.LEFT
    known = STATUSES.get(status)
    if known is None:
        problems.append(f"status {status!r} is not known: name it in paid_statuses or shipped_statuses")
        return OrderState.UNKNOWN, UnitStage.UNKNOWN
    return known


def _ready(
    row: Mapping[str, Any],
    rules: Rules,
    *,
    cod: bool,
    paid_at: datetime | None,
    created: datetime,
    problems: list[str],
) -> OrderState:
    """`processing` does not mean paid: cash on delivery gets there without a payment date, and so do gateways we do not know."""
    if not cod and paid_at is None:
        method = row.get("payment_method") or "(none)"
        problems.append(
            f"status {row['status']} without a payment date: if {method!r} is paid on delivery, name it in cod_methods"
        )
        return OrderState.HELD
    since = paid_at or created
    return OrderState.READY if rules.now >= since + timedelta(seconds=rules.booking_wait_s) else OrderState.HELD


def _hold_end(updated: datetime, rules: Rules) -> datetime:
    """When an unpaid order stops counting here. The block checkout never announces its end, so it is counted from the last change."""
    return updated + timedelta(minutes=rules.hold_minutes or rules.hold_fallback_minutes)


@dataclass(slots=True)
class _LineReader:
    """Reads the lines of one order; an unreadable one becomes a problem and sinks nothing."""

    row: Mapping[str, Any]
    rules: Rules
    stage: UnitStage
    created: datetime
    inherits: Inherits
    refunded: Mapping[int, int]
    problems: list[str]

    def lines(self) -> tuple[OrderLine, ...]:
        found = []
        lines = self.row.get("line_items")
        if not isinstance(lines, list):
            self.problems.append("the order came without its lines")
            return ()
        for line in lines:
            try:
                found.append(self._line(line))
            except (Unrecognised, KeyError, TypeError, AttributeError) as unreadable:
                self.problems.append(f"a line could not be read: {unreadable}")
        return tuple(found)

    def _line(self, line: Mapping[str, Any]) -> OrderLine:
        line_id = _count(line["id"], "line id")
        quantity = _count(line["quantity"], f"line {line_id} quantity")
        product, variation = int(line.get("product_id") or 0), int(line.get("variation_id") or 0)
        reduced = _count(_meta(line.get("meta_data"), "_reduced_stock") or 0, f"line {line_id} _reduced_stock")
        listing = listing_key(product, variation)
        key = f"line{line_id}"
        total = rupiah_or_none(line.get("total"), where=f"line {line_id} total")
        return OrderLine(
            key=key,
            listing=listing,
            units=self._units(line_id, quantity, reduced),
            aliases=(key, listing) if listing else (key,),
            target=self.inherits.target(product, variation),
            seller_sku=str(line.get("sku") or "").strip(),
            title=str(line.get("name") or ""),
            unit_price=total // quantity if total is not None and quantity > 0 and total % quantity == 0 else None,
        )

    def _units(self, line_id: int, quantity: int, reduced: int) -> tuple[Unit, ...]:
        cancelled = quantity if self.stage is UnitStage.CANCELLED else min(self.refunded.get(line_id, 0), quantity)
        units = []
        if quantity - cancelled > 0:
            units.append(Unit(self.stage, quantity - cancelled, excluded=self._excluded(reduced)))
        if cancelled > 0:
            units.append(Unit(UnitStage.CANCELLED, cancelled, excluded=Excluded.YES))
        return tuple(units)

    def _excluded(self, reduced: int) -> Excluded:
        """Does `stock_quantity` already leave the units out?

        `_reduced_stock` says so exactly. Without it only an unpaid checkout inside its hold time is kept from other buyers outside
        the number (NO: it is added to a push); any other line must add nothing, which YES does.
        """
        at_checkout = self.row.get("status") == "pending" and self.row.get("created_via") in CHECKOUTS
        if reduced > 0 or not at_checkout:
            return Excluded.YES
        if self.rules.hold_minutes is None:
            return Excluded.UNKNOWN
        held = self.rules.now < self.created + timedelta(minutes=self.rules.hold_minutes)
        return Excluded.NO if held else Excluded.YES


def _readable(read: Callable[[], T | None], problems: list[str]) -> T | None:
    try:
        return read()
    except Unrecognised as unreadable:
        problems.append(str(unreadable))
        return None


def _amount(row: Mapping[str, Any], name: str, problems: list[str]) -> int | None:
    return _readable(lambda: rupiah_or_none(row.get(name), where=name), problems)


def _total(row: Mapping[str, Any], problems: list[str], *, cod: bool) -> int | None:
    """What the buyer pays; for cash on delivery what the courier still has to collect (refunds carry negative totals)."""
    total = _amount(row, "total", problems)
    refunds = [_amount(refund, "total", problems) for refund in row.get("refunds") or ()]
    return total + sum(refund or 0 for refund in refunds) if total is not None and cod else total


def _goods_total(row: Mapping[str, Any]) -> int | None:
    """Goods before discounts, `None` when a line's amount cannot be read (its problem is already noted)."""
    try:
        return sum(rupiah(line["subtotal"], where="subtotal") for line in row["line_items"])
    except (Unrecognised, KeyError, TypeError):
        return None


def _buyer(row: Mapping[str, Any], rules: Rules) -> Buyer:
    """The recipient: shipping, or billing where shipping is empty (the buyer shipped to the billing address)."""
    billing = row.get("billing") or {}
    shipping = row.get("shipping") or {}
    place = shipping if shipping.get("address_1") else billing
    second = str(place.get("address_2") or "")
    district = str(_meta(row.get("meta_data"), *DISTRICT_METAS) or "")
    if rules.district_in_address_2 and not district:
        district, second = second, ""
    state = str(place.get("state") or "")
    return Buyer(
        name=" ".join(part for part in (place.get("first_name"), place.get("last_name")) if part),
        phone=str(place.get("phone") or billing.get("phone") or ""),
        email=str(billing.get("email") or ""),
        address=", ".join(part for part in (place.get("address_1"), second) if part),
        district=district,
        city=str(place.get("city") or ""),
        province=PROVINCES.get(state, state),
        postal_code=str(place.get("postcode") or ""),
        country=str(place.get("country") or "ID"),
        note=str(row.get("customer_note") or ""),
    )


# ----------------------------------------------------------------------------------------------------------------------- waybills


def waybill_change(
    row: Mapping[str, Any], waybill: str, courier: str, *, status_after: str, from_statuses: Collection[str]
) -> dict[str, Any]:
    """The body that brings an order's meta (and status) to this waybill; {} when nothing differs. Every PUT moves the order's
    change time, also one that changes nothing."""
    wanted = {key: value for key, value in ((WAYBILL_META, waybill), (COURIER_META, courier)) if value}
    meta = [{"key": key, "value": value} for key, value in wanted.items() if _meta(row.get("meta_data"), key) != value]
    change: dict[str, Any] = {"meta_data": meta} if meta else {}
    if status_after and row.get("status") in from_statuses and row.get("status") != status_after:
        change["status"] = status_after
    return change
