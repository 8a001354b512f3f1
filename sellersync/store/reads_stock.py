"""Queries about stock and listings. Read-only functions of a session, answering frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.listings import TargetKey
from sellersync.domain.times import from_epoch_ms

from .reads import at
from .stock import find_sku

# ---------------------------------------------------------------------------------------------------------------------------- SKUs


@dataclass(frozen=True, slots=True)
class SkuStock:
    """Units of a SKU in one warehouse. `incoming` units are with buyers on their way back; `counted_at` is its newest count there."""

    sku: str
    title: str
    warehouse: str
    available: int
    reserved: int
    inspect: int
    damaged: int
    counted_at: datetime | None

    @property
    def on_hand(self) -> int:
        return self.available + self.reserved + self.inspect + self.damaged


def has_no_sku(session: Session) -> bool:
    """Is this a ledger without any SKU?"""
    return session.execute(text("SELECT 1 FROM sku LIMIT 1")).first() is None


def stock_levels(session: Session, *, skus: Sequence[str] = (), short: bool = False) -> list[SkuStock]:
    """Stock per SKU and warehouse, by code. `skus`: only these codes. `short`: only where available is below zero.

    Raises `BadInput` for a code that is not in the ledger. A SKU without movements and counts has one row in the first warehouse.
    """
    wanted = {find_sku(session, code) for code in skus}
    rows = session.execute(
        text(
            "SELECT sku.id, sku.code, sku.title, warehouse.code AS warehouse, "
            "SUM(CASE WHEN balance.account = 'available' THEN balance.quantity ELSE 0 END) AS available, "
            "SUM(CASE WHEN balance.account = 'reserved' THEN balance.quantity ELSE 0 END) AS reserved, "
            "SUM(CASE WHEN balance.account = 'inspect' THEN balance.quantity ELSE 0 END) AS inspect, "
            "SUM(CASE WHEN balance.account = 'damaged' THEN balance.quantity ELSE 0 END) AS damaged, "
            "(SELECT MAX(at_ms) FROM count_line WHERE count_line.sku_id = sku.id AND count_line.warehouse_id = warehouse.id) AS counted_ms "
            "FROM sku CROSS JOIN warehouse "
            "LEFT JOIN balance ON balance.sku_id = sku.id AND balance.warehouse_id = warehouse.id "
            "WHERE balance.sku_id IS NOT NULL OR warehouse.id = (SELECT MIN(id) FROM warehouse) "
            "OR EXISTS (SELECT 1 FROM count_line WHERE count_line.sku_id = sku.id AND count_line.warehouse_id = warehouse.id) "
            "GROUP BY sku.id, sku.code, sku.title, warehouse.id, warehouse.code ORDER BY sku.code, warehouse.id"
        )
    )
    return [
        SkuStock(
            row.code,
            row.title,
            row.warehouse,
            int(row.available),
            int(row.reserved),
            int(row.inspect),
            int(row.damaged),
            at(row.counted_ms),
        )
        for row in rows
        if (not wanted or row.id in wanted) and (not short or row.available < 0)
    ]


@dataclass(frozen=True, slots=True)
class MovementLine:
    """A movement with its cause in words. `change` is what it did to available plus reserved."""

    id: int
    occurred: datetime
    recorded: datetime
    sku: str
    quantity: int
    source: str
    destination: str
    change: int
    cause: str
    reason: str
    who: str


_MOVEMENTS = (
    "SELECT movement.*, sku.code, channel.slug, sales_order.remote_id, sales_order.number, document.kind AS document_kind, document.note, "
    "returned.remote_id AS returned_order FROM movement JOIN sku ON sku.id = movement.sku_id "
    "LEFT JOIN sales_order ON movement.cause_kind = 'order' AND sales_order.id = movement.cause_id "
    "LEFT JOIN channel ON channel.id = sales_order.channel_id "
    "LEFT JOIN document ON movement.cause_kind = 'document' AND document.id = movement.cause_id "
    "LEFT JOIN return_document ON movement.cause_kind = 'return' AND return_document.id = movement.cause_id "
    "LEFT JOIN sales_order AS returned ON returned.id = return_document.order_id "
)
_SHELF = ("available", "reserved")


def sku_history(session: Session, sku: str, *, limit: int) -> list[MovementLine]:
    """The newest movements of a SKU, newest first. Raises `BadInput` for an unknown SKU."""
    rows = session.execute(
        text(f"{_MOVEMENTS} WHERE movement.sku_id = :s ORDER BY movement.id DESC LIMIT :n"),
        {"s": find_sku(session, sku), "n": limit},
    )
    return [movement_line(row) for row in rows]


def order_movements(session: Session, order_id: int) -> list[MovementLine]:
    """The movements of one order and of its returns, oldest first."""
    rows = session.execute(
        text(
            f"{_MOVEMENTS} WHERE (movement.cause_kind = 'order' AND movement.cause_id = :o) "
            "OR return_document.order_id = :o ORDER BY movement.id"
        ),
        {"o": order_id},
    )
    return [movement_line(row) for row in rows]


def movement_line(row: object) -> MovementLine:
    """A row of `_MOVEMENTS` as a value."""
    found = row._mapping  # type: ignore[attr-defined]
    quantity = int(found["quantity"])
    change = (found["destination"] in _SHELF) * quantity - (found["source"] in _SHELF) * quantity
    return MovementLine(
        found["id"],
        from_epoch_ms(found["occurred_ms"], where="movement"),
        from_epoch_ms(found["recorded_ms"], where="movement"),
        found["code"],
        quantity,
        found["source"],
        found["destination"],
        change,
        _cause(found),
        found["reason"],
        found["who"],
    )


def _cause(found: Mapping[str, object]) -> str:
    kind = found["cause_kind"]
    if kind == "order":
        return f"order {found['number'] or found['remote_id']} on {found['slug']}"
    if kind == "return":
        return f"return of order {found['returned_order']}"
    if kind == "document":
        return f"{found['document_kind']}" + (f": {found['note']}" if found["note"] else "")
    return str(kind)


# --------------------------------------------------------------------------------------------------------------------------- counts


@dataclass(frozen=True, slots=True)
class Names:
    """Codes of all SKUs and warehouses by id."""

    skus: Mapping[int, str]
    warehouses: Mapping[int, str]


def names(session: Session) -> Names:
    return Names(
        {row.id: row.code for row in session.execute(text("SELECT id, code FROM sku"))},
        {row.id: row.code for row in session.execute(text("SELECT id, code FROM warehouse"))},
    )


@dataclass(frozen=True, slots=True)
class CountableTarget:
    """A number of a channel that tells the stock of one SKU: its listings are single units of that SKU.

    `held_by_orders`: units of the channel's own open orders on this target that still lie on the shelf and that the channel's number
    leaves out already (unknown counts as left out).
    """

    key: TargetKey
    sku_id: int
    sku: str
    warehouse_id: int
    warehouse: str
    held_by_orders: int


def countable_targets(session: Session, channel_id: int) -> tuple[list[CountableTarget], list[str]]:
    """The targets of a channel that a first count can be taken from, and the keys of those that tell nothing (bundles, unmapped,
    numbers that are the sum of several warehouses)."""
    rows = session.execute(
        text(
            "SELECT target.id, target.remote_key, target.location, MIN(recipe_item.sku_id) AS sku_id, "
            "COUNT(DISTINCT recipe_item.sku_id) AS skus, MAX(COALESCE(recipe_item.quantity, 0)) AS quantity, "
            "SUM(CASE WHEN listing.recipe_id IS NULL THEN 1 ELSE 0 END) AS unmapped "
            "FROM target JOIN listing_target ON listing_target.target_id = target.id "
            "JOIN listing ON listing.id = listing_target.listing_id "
            "LEFT JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id "
            "WHERE target.channel_id = :c GROUP BY target.id, target.remote_key, target.location ORDER BY target.id"
        ),
        {"c": channel_id},
    ).all()
    places = _places(session, channel_id)
    named = names(session)
    open_units = session.execute(
        text(
            "SELECT order_line.target_id, SUM(order_line.on_shelf - order_line.held_outside) AS units FROM order_line "
            "JOIN sales_order ON sales_order.id = order_line.order_id "
            "WHERE sales_order.channel_id = :c AND order_line.target_id IS NOT NULL GROUP BY order_line.target_id"
        ),
        {"c": channel_id},
    )
    held = {row.target_id: int(row.units) for row in open_units}
    several = session.execute(
        text("SELECT COUNT(*) FROM further_warehouse WHERE channel_id = :c"), {"c": channel_id}
    ).scalar_one()
    countable: list[CountableTarget] = []
    silent: list[str] = []
    for row in rows:
        if row.unmapped or row.skus != 1 or row.quantity != 1 or (several and not row.location):
            silent.append(row.remote_key)
            continue
        warehouse_id = places.get(row.location, places[""])
        countable.append(
            CountableTarget(
                TargetKey(row.remote_key, row.location),
                row.sku_id,
                named.skus[row.sku_id],
                warehouse_id,
                named.warehouses[warehouse_id],
                held.get(row.id, 0),
            )
        )
    return countable, silent


def _places(session: Session, channel_id: int) -> dict[str, int]:
    """Location -> warehouse id; "" is the channel's own warehouse."""
    own = session.execute(text("SELECT warehouse_id FROM channel WHERE id = :c"), {"c": channel_id}).scalar_one()
    rows = session.execute(
        text("SELECT location, warehouse_id FROM location_map WHERE channel_id = :c"), {"c": channel_id}
    )
    return {"": own, **{row.location: row.warehouse_id for row in rows}}


# ------------------------------------------------------------------------------------------------------------------------- listings


@dataclass(frozen=True, slots=True)
class UnmappedListing:
    """A listing without a recipe, and how many orders wait for it."""

    channel: str
    remote_key: str
    seller_sku: str
    title: str
    variation: str
    orders_waiting: int


def unmapped_listings(session: Session, *, channel: str | None = None) -> list[UnmappedListing]:
    """Listings without a recipe, those with waiting orders first; order lines of listings that were never read are among them."""
    rows = session.execute(
        text(
            "SELECT channel.slug, found.remote_key, MAX(found.seller_sku) AS seller_sku, MAX(found.title) AS title, "
            "MAX(found.variation) AS variation, SUM(found.waiting) AS waiting FROM ("
            "SELECT channel_id, remote_key, seller_sku, title, variation, 0 AS waiting FROM listing WHERE recipe_id IS NULL "
            "UNION ALL SELECT sales_order.channel_id, order_line.listing_key, order_line.seller_sku, order_line.title, '', 1 "
            "FROM order_line JOIN sales_order ON sales_order.id = order_line.order_id "
            "WHERE order_line.recipe_id IS NULL AND order_line.ours AND sales_order.state NOT IN ('completed', 'cancelled')"
            ") AS found JOIN channel ON channel.id = found.channel_id "
            "WHERE CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT) "
            "GROUP BY channel.slug, found.remote_key ORDER BY SUM(found.waiting) DESC, channel.slug, found.remote_key"
        ),
        {"c": channel},
    )
    return [
        UnmappedListing(row.slug, row.remote_key, row.seller_sku, row.title, row.variation, int(row.waiting))
        for row in rows
    ]


def listings_of(session: Session, channel_id: int) -> int:
    """How many listings of a channel are known."""
    found = session.execute(text("SELECT COUNT(*) FROM listing WHERE channel_id = :c"), {"c": channel_id})
    return int(found.scalar_one())


def channel_slugs(session: Session) -> list[str]:
    """Names of all channels (couriers not among them)."""
    return list(session.execute(text("SELECT slug FROM channel WHERE kind = 'channel' ORDER BY slug")).scalars())
