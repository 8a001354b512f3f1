"""Listings, recipes and stock targets: what is sold where and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.listings import RemoteListing
from sellersync.domain.matching import Candidate, Catalogue, Match, MatchedBy

from .findings import close_finding, raise_finding
from .posting import in_list, load_components, load_works, post_orders, save_lines
from .returns import settle_returns
from .stock import ensure_sku


@dataclass(slots=True)
class ListingsPulled:
    """What recording listings did."""

    seen: int = 0
    new: int = 0
    mapped: int = 0
    unmapped: int = 0
    orders_resolved: int = 0


def record_listings(
    session: Session, channel_id: int, listings: Sequence[RemoteListing], *, now_ms: int, adopt_skus: bool
) -> ListingsPulled:
    """Bring a page of listings into the ledger and map those that certainly are one SKU: by exact seller SKU, by the same code
    without case and separators, by barcode.

    `adopt_skus` makes a SKU for every seller SKU that is not known yet (the first import of a shop); without it an unknown seller SKU
    stays unmapped and becomes a finding (L7).
    """
    result = ListingsPulled()
    catalogue = catalogue_of(session)
    for listing in listings:
        result.seen += 1
        known = session.execute(
            text("SELECT id, recipe_id FROM listing WHERE channel_id = :c AND remote_key = :k"),
            {"c": channel_id, "k": listing.key},
        ).first()
        values = {
            "c": channel_id,
            "k": listing.key,
            "sku": listing.seller_sku,
            "title": listing.title,
            "variation": listing.variation,
            "barcode": listing.barcode,
            "price": listing.price,
            "weight": listing.weight_g,
            "active": listing.active,
            "managed": listing.managed,
            "now": now_ms,
        }
        if known is None:
            result.new += 1
            listing_id = int(session.execute(_INSERT_LISTING, values).scalar_one())
            recipe_id = None
        else:
            listing_id, recipe_id = known
            session.execute(_UPDATE_LISTING, {**values, "i": listing_id})
        _set_targets(session, channel_id, listing_id, listing)
        if recipe_id is None:
            result.orders_resolved += _map_by_match(
                session, channel_id, listing, catalogue, now_ms=now_ms, adopt=adopt_skus
            )
            recipe_id = session.execute(text("SELECT recipe_id FROM listing WHERE id = :i"), {"i": listing_id}).scalar()
        if recipe_id is None:
            result.unmapped += 1
            raise_finding(session, "unmapped_listing", listing.key, channel_id=channel_id, now_ms=now_ms,
                          details={"title": listing.title, "seller_sku": listing.seller_sku})  # fmt: skip
        else:
            result.mapped += 1
    return result


def _set_targets(session: Session, channel_id: int, listing_id: int, listing: RemoteListing) -> None:
    wanted: set[int] = set()
    for key in listing.targets if listing.managed else ():
        session.execute(
            text(
                "INSERT INTO target (channel_id, remote_key, location, pot_inside, agreed_zero, blocked) "
                "VALUES (:c, :k, :l, FALSE, FALSE, '') ON CONFLICT (channel_id, remote_key, location) DO NOTHING"
            ),
            {"c": channel_id, "k": key.remote_key, "l": key.location},
        )
        wanted.add(
            session.execute(
                text("SELECT id FROM target WHERE channel_id = :c AND remote_key = :k AND location = :l"),
                {"c": channel_id, "k": key.remote_key, "l": key.location},
            ).scalar_one()
        )
    held = set(
        session.execute(text("SELECT target_id FROM listing_target WHERE listing_id = :i"), {"i": listing_id}).scalars()
    )
    for target_id in sorted(held - wanted):
        session.execute(
            text("DELETE FROM listing_target WHERE listing_id = :i AND target_id = :t"),
            {"i": listing_id, "t": target_id},
        )
    for target_id in sorted(wanted - held):
        session.execute(
            text("INSERT INTO listing_target (listing_id, target_id) VALUES (:i, :t)"),
            {"i": listing_id, "t": target_id},
        )


def catalogue_of(session: Session) -> Catalogue:
    """All SKUs of the ledger, indexed for matching."""
    rows = session.execute(text("SELECT code, title, barcode FROM sku ORDER BY id"))
    return Catalogue(Candidate(row.code, row.title, row.barcode) for row in rows)


def _map_by_match(
    session: Session, channel_id: int, listing: RemoteListing, catalogue: Catalogue, *, now_ms: int, adopt: bool
) -> int:
    """Map a listing that certainly is one SKU; `adopt` makes a SKU of a seller SKU that the ledger does not know."""
    match = catalogue.certain_match(listing.seller_sku, listing.barcode)
    if match is None:
        code = listing.seller_sku.strip()
        if not adopt or not code:
            return 0
        ensure_sku(session, code, now_ms=now_ms, title=listing.title, weight_g=listing.weight_g)
        catalogue.add(Candidate(code, listing.title))
        match = Match(code, MatchedBy.EXACT)
    sku_id = session.execute(text("SELECT id FROM sku WHERE code = :c"), {"c": match.code}).scalar_one()
    return map_listing(session, channel_id, listing.key, {int(sku_id): 1}, now_ms=now_ms, who=f"{match.by.value} match")


def map_listing(
    session: Session, channel_id: int, remote_key: str, components: Mapping[int, int], *, now_ms: int, who: str
) -> int:
    """Give a listing a recipe (SKU id -> quantity): a new version beside the old ones.

    Waiting order lines of the listing are resolved in order-time sequence; resolved lines keep their resolution. Returns how many
    orders were resolved. Raises `BadInput` for an unknown listing or an empty recipe.
    """
    listing_id = session.execute(
        text("SELECT id FROM listing WHERE channel_id = :c AND remote_key = :k"), {"c": channel_id, "k": remote_key}
    ).scalar()
    if listing_id is None:
        raise BadInput(f"no listing {remote_key!r} on this channel; run `sellersync listings pull` first")
    if not components or min(components.values()) <= 0:
        raise BadInput("a recipe needs at least one SKU with a positive quantity, for example KOPI-250=1")
    version = session.execute(
        text("SELECT COALESCE(MAX(version), 0) + 1 FROM recipe WHERE listing_id = :l"), {"l": listing_id}
    ).scalar_one()
    recipe_id = session.execute(
        text("INSERT INTO recipe (listing_id, version, created_ms, who) VALUES (:l, :v, :now, :w) RETURNING id"),
        {"l": listing_id, "v": version, "now": now_ms, "w": who},
    ).scalar_one()
    for sku_id, quantity in sorted(components.items()):
        session.execute(
            text("INSERT INTO recipe_item (recipe_id, sku_id, quantity) VALUES (:r, :s, :q)"),
            {"r": recipe_id, "s": sku_id, "q": quantity},
        )
    session.execute(text("UPDATE listing SET recipe_id = :r WHERE id = :l"), {"r": recipe_id, "l": listing_id})
    close_finding(session, "unmapped_listing", remote_key, channel_id=channel_id, now_ms=now_ms)
    return resolve_waiting(session, channel_id, remote_key, int(recipe_id), now_ms=now_ms)


def resolve_waiting(session: Session, channel_id: int, remote_key: str, recipe_id: int, *, now_ms: int) -> int:
    """Freeze the recipe on order lines that waited for it and post them, the earliest order first (L7, B32)."""
    rows = session.execute(
        text(
            "SELECT order_line.id, order_line.order_id FROM order_line JOIN sales_order ON sales_order.id = order_line.order_id "
            "WHERE sales_order.channel_id = :c AND order_line.listing_key = :k AND order_line.recipe_id IS NULL AND order_line.ours "
            "ORDER BY sales_order.created_ms, sales_order.id, order_line.id"
        ),
        {"c": channel_id, "k": remote_key},
    ).all()
    if not rows:
        return 0
    components = load_components(session, [recipe_id])[recipe_id]
    target_id = session.execute(
        text("SELECT MIN(target_id) FROM listing_target JOIN listing ON listing.id = listing_target.listing_id "
             "WHERE listing.channel_id = :c AND listing.remote_key = :k"),
        {"c": channel_id, "k": remote_key},
    ).scalar()  # fmt: skip
    waiting = {row.id for row in rows}
    session.execute(
        text(
            f"UPDATE order_line SET recipe_id = :r, target_id = COALESCE(target_id, :t) WHERE id IN ({in_list(waiting)})"
        ),
        {"r": recipe_id, "t": target_id},
    )
    order_ids = list(dict.fromkeys(row.order_id for row in rows))
    works = load_works(session, order_ids)
    for order_id in order_ids:
        work = works[order_id]
        for line in work.lines:
            if line.id in waiting:
                line.components = components
        post_orders(session, [work], now_ms=now_ms)
        save_lines(session, work.lines)
        settle_returns(session, [work], now_ms=now_ms)
    return len(order_ids)


def resolve_locations(session: Session, channel_id: int, *, now_ms: int) -> int:
    """Order lines that waited for their location to be mapped to a warehouse are posted, the earliest order first. Returns how many."""
    rows = session.execute(
        text(
            "SELECT order_line.id, order_line.order_id, order_line.location, location_map.warehouse_id FROM order_line "
            "JOIN sales_order ON sales_order.id = order_line.order_id JOIN location_map "
            "ON location_map.channel_id = sales_order.channel_id AND location_map.location = order_line.location "
            "WHERE sales_order.channel_id = :c AND order_line.warehouse_id IS NULL "
            "ORDER BY sales_order.created_ms, sales_order.id, order_line.id"
        ),
        {"c": channel_id},
    ).all()
    if not rows:
        return 0
    places = {row.id: row.warehouse_id for row in rows}
    order_ids = list(dict.fromkeys(row.order_id for row in rows))
    works = load_works(session, order_ids)
    for order_id in order_ids:
        work = works[order_id]
        for line in work.lines:
            if line.id in places:
                line.warehouse_id = places[line.id]
                session.execute(
                    text("UPDATE order_line SET warehouse_id = :w WHERE id = :i"),
                    {"w": line.warehouse_id, "i": line.id},
                )
        post_orders(session, [work], now_ms=now_ms)
        save_lines(session, work.lines)
        settle_returns(session, [work], now_ms=now_ms)
    for location in sorted({row.location for row in rows}):
        close_finding(session, "unmapped_location", location, channel_id=channel_id, now_ms=now_ms)
    return len(order_ids)


_INSERT_LISTING = text(
    "INSERT INTO listing (channel_id, remote_key, seller_sku, title, variation, barcode, price, weight_g, active, managed, "
    "first_seen_ms, seen_ms) VALUES (:c, :k, :sku, :title, :variation, :barcode, :price, :weight, :active, :managed, :now, :now) "
    "RETURNING id"
)
_UPDATE_LISTING = text(
    "UPDATE listing SET seller_sku = :sku, title = :title, variation = :variation, barcode = :barcode, price = :price, "
    "weight_g = :weight, active = :active, managed = :managed, seen_ms = :now WHERE id = :i"
)
