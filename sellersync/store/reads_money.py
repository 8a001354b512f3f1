"""What the report reads of money: settlements of a window with the goods that they paid for, and what couriers of our own charged.

Read-only functions of a session that answer frozen values. Amounts are whole rupiah, `None` when unknown; windows are half open,
[since, until), in unix milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import UnitStage

from .bulk import select_in
from .posting import unpack_units


@dataclass(frozen=True, slots=True)
class SettlementFact:
    """A settlement with its parts. `order_id` is our row, `None` when the ledger does not hold the order; `first`: it is the order's
    first settlement, with which the cost of the goods counts."""

    id: int
    channel_id: int
    remote_id: str
    order: str
    order_id: int | None
    settled_ms: int
    net: int
    changed_ms: int
    first: bool
    parts: Mapping[str, int]

    @property
    def of_an_order(self) -> bool:
        """Some, like those of advertising, belong to no order."""
        return self.order != ""


def settled(session: Session, *, since_ms: int, until_ms: int) -> list[SettlementFact]:
    """Settlements of a window, the oldest first."""
    rows = session.execute(
        text(
            "SELECT settlement.id, settlement.channel_id, settlement.remote_id, settlement.order_remote_id, sales_order.id AS order_id, "
            "settlement.settled_ms, settlement.net, settlement.changed_ms, CASE WHEN EXISTS (SELECT 1 FROM settlement AS earlier "
            "WHERE earlier.channel_id = settlement.channel_id AND earlier.order_remote_id = settlement.order_remote_id "
            "AND (earlier.settled_ms < settlement.settled_ms OR (earlier.settled_ms = settlement.settled_ms "
            "AND earlier.id < settlement.id))) THEN 0 ELSE 1 END AS is_first FROM settlement LEFT JOIN sales_order "
            "ON sales_order.channel_id = settlement.channel_id AND sales_order.remote_id = settlement.order_remote_id "
            "WHERE settlement.settled_ms >= :a AND settlement.settled_ms < :b ORDER BY settlement.settled_ms, settlement.id"
        ),
        {"a": since_ms, "b": until_ms},
    ).all()
    parts: dict[int, dict[str, int]] = {}
    query = "SELECT settlement_id, name, amount FROM settlement_part WHERE settlement_id IN"
    for part in select_in(session, query, [row.id for row in rows]):
        parts.setdefault(part.settlement_id, {})[part.name] = part.amount
    return [
        SettlementFact(
            row.id, row.channel_id, row.remote_id, row.order_remote_id, row.order_id, row.settled_ms, row.net, row.changed_ms,
            bool(row.is_first), parts.get(row.id, {}),
        )
        for row in rows
    ]  # fmt: skip


def channels_that_settle(session: Session) -> set[int]:
    """Ids of the channels that ever told of a settlement."""
    return set(session.execute(text("SELECT DISTINCT channel_id FROM settlement")).scalars())


# ------------------------------------------------------------------------------------------------------------------------- goods


@dataclass(frozen=True, slots=True)
class LineGoods:
    """What one line of an order sold: SKU id -> units in one unit of the listing, `None` while nobody mapped it. `units` are those not
    cancelled, or all where none is `kept`; `value` is their price, `None` when unknown."""

    components: Mapping[int, int] | None
    units: int
    value: int | None
    kept: bool


@dataclass(frozen=True, slots=True)
class Goods:
    """What an order took. `taken`: SKU id -> units that left the shelf or will, less those that came back sellable; `None` while a line
    of it stands for no SKU."""

    placed_ms: int
    lines: tuple[LineGoods, ...]
    taken: Mapping[int, int] | None


def goods_of(session: Session, order_ids: Sequence[int]) -> dict[int, Goods]:
    """Order id -> what it took."""
    wanted = sorted(set(order_ids))
    placed = {
        row.id: row.created_ms
        for row in select_in(session, "SELECT id, created_ms FROM sales_order WHERE id IN", wanted)
    }
    raw: dict[int, list[tuple[int | None, str, int | None, bool]]] = {}
    query = "SELECT order_id, unit_price, units, recipe_id, ours FROM order_line WHERE order_id IN"
    for row in select_in(session, query, wanted):
        raw.setdefault(row.order_id, []).append((row.unit_price, row.units, row.recipe_id, bool(row.ours)))
    recipes = _recipes(session, {recipe for lines in raw.values() for _, _, recipe, _ in lines if recipe is not None})
    taken = _taken(session, wanted)
    found = {}
    for order_id, placed_ms in placed.items():
        lines, known, own = [], True, dict(taken.get(order_id, {}))
        for price, packed, recipe_id, ours in raw.get(order_id, []):
            units = unpack_units(packed)
            kept = sum(unit.count for unit in units if unit.stage is not UnitStage.CANCELLED)
            counted = kept or sum(unit.count for unit in units)
            components = None if recipe_id is None else recipes.get(recipe_id, {})
            lines.append(LineGoods(components, counted, None if price is None else price * counted, kept > 0))
            known = known and (components is not None or kept == 0)
            if not ours:  # shipped by the platform: it stands in no account of ours
                for sku_id, each in (components or {}).items():
                    own[sku_id] = own.get(sku_id, 0) + each * kept
        found[order_id] = Goods(placed_ms, tuple(lines), own if known else None)
    return found


def _recipes(session: Session, recipe_ids: set[int]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    query = "SELECT recipe_id, sku_id, quantity FROM recipe_item WHERE recipe_id IN"
    for row in sorted(select_in(session, query, sorted(recipe_ids))):
        found.setdefault(row.recipe_id, {})[row.sku_id] = row.quantity
    return found


def _taken(session: Session, order_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    taken: dict[int, dict[int, int]] = {}
    query = "SELECT order_id, sku_id, reserved + shipped AS units FROM order_position WHERE order_id IN"
    for row in select_in(session, query, order_ids):
        own = taken.setdefault(row.order_id, {})
        own[row.sku_id] = own.get(row.sku_id, 0) + row.units
    back = (
        "SELECT return_document.order_id, movement.sku_id, movement.quantity FROM movement "
        "JOIN return_document ON return_document.id = movement.cause_id WHERE movement.cause_kind = 'return' "
        "AND movement.source = 'inspect' AND movement.destination = 'available' AND return_document.order_id IN"
    )
    for row in select_in(session, back, order_ids):
        own = taken.setdefault(row.order_id, {})
        own[row.sku_id] = own.get(row.sku_id, 0) - row.quantity
    return taken


class Costs:
    """What one unit of a SKU cost at a moment."""

    def __init__(self, session: Session) -> None:
        self._since: dict[int, list[int]] = {}
        self._amounts: dict[int, list[int]] = {}
        for row in session.execute(text("SELECT sku_id, since_ms, amount FROM cost ORDER BY sku_id, since_ms")):
            self._since.setdefault(row.sku_id, []).append(row.since_ms)
            self._amounts.setdefault(row.sku_id, []).append(row.amount)

    def at(self, sku_id: int, moment_ms: int) -> int | None:
        """Whole rupiah, `None` when nobody said."""
        place = bisect_right(self._since.get(sku_id, ()), moment_ms)
        return self._amounts[sku_id][place - 1] if place else None


def sku_names(session: Session) -> dict[int, tuple[str, str]]:
    """SKU id -> (code, title)."""
    return {row.id: (row.code, row.title) for row in session.execute(text("SELECT id, code, title FROM sku"))}


# ----------------------------------------------------------------------------------------------------------------------- couriers


@dataclass(frozen=True, slots=True)
class CourierFact:
    """A parcel booked with a courier of our own. `charged`: what the courier takes, after weighing it again; `paid`: what the buyer paid
    for shipping, with the first parcel of an order (`first`) alone."""

    parcel_id: int
    channel_id: int
    order: str
    number: str
    waybill: str
    booked_ms: int
    charged: int | None
    paid: int | None
    first: bool


def courier_charges(session: Session, *, since_ms: int, until_ms: int) -> list[CourierFact]:
    """Parcels booked in a window with couriers of our own and not cancelled."""
    rows = session.execute(
        text(
            "SELECT parcel.id, parcel.channel_id, sales_order.remote_id, sales_order.number, parcel.waybill, parcel.booked_ms, "
            "COALESCE(parcel.adjusted, parcel.charged) AS charged, sales_order.shipping_fee, "
            "CASE WHEN EXISTS (SELECT 1 FROM parcel AS earlier WHERE earlier.order_id = parcel.order_id AND earlier.id < parcel.id "
            "AND earlier.courier_channel_id IS NOT NULL AND earlier.booked_ms IS NOT NULL "
            "AND earlier.state NOT IN ('cancelled', 'failed')) THEN 0 ELSE 1 END AS is_first "
            "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.courier_channel_id IS NOT NULL "
            "AND parcel.booked_ms >= :a AND parcel.booked_ms < :b AND parcel.state NOT IN ('cancelled', 'failed') ORDER BY parcel.id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [CourierFact(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], bool(row[8])) for row in rows]
