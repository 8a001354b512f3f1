"""What decides about the number of each target, read from the ledger in a handful of statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import RejectClass
from sellersync.domain.levels import LOCKS, TargetFacts, units_beyond
from sellersync.domain.listings import TargetKey
from sellersync.domain.times import from_epoch_ms

from .posting import in_list

BLOCKED_RETRY_MS = 60 * 60 * 1000
"""A level that was refused is tried again after this long, or at once when another level is wanted."""
POT_STALE_MS = 30 * 60 * 1000
NAMED_MAX = 500
"""More targets than this are not named in a query of their recipes: all of the channel are read, which is faster."""
SkuPlace = tuple[int, int]  # (SKU id, warehouse id)
Recipe = list[tuple[int, int]]  # (SKU id, units in one listing)


@dataclass(frozen=True, slots=True)
class Beyond:
    """A target whose number cannot be lowered to its level: buyers can take `units` (of the listing) more than that, which are
    `skus` units of each SKU at the warehouse that its orders are taken from."""

    target_id: int
    channel_id: int
    key: TargetKey
    shown: int | None
    level: int | None
    units: int
    skus: Mapping[SkuPlace, int]


def target_facts(
    session: Session,
    channel_id: int,
    *,
    now_ms: int,
    pots: bool,
    extra_buffer: int = 0,
    blind_sold: Mapping[int, int] | None = None,
    only: Sequence[int] | None = None,
    sellers: Mapping[int, bool] | None = None,
) -> list[TargetFacts]:
    """Everything that decides about the channel's targets.

    `pots` says that the channel may hold units aside, so an unread or stale pot forbids raising; `blind_sold` are units per SKU that
    channels which cannot be pulled have probably sold meanwhile. `only` are the targets of one batch: what it costs must not grow with
    the assortment. `sellers` are the channels that sell now, and whether their numbers can be lowered; without it all channels of the
    ledger, and they can. What a locked one of them shows beyond its level is at risk everywhere else.
    """
    recipes = _recipes(session, channel_id, only)
    skus = None if only is None else _skus_of(recipes)
    beyond = units_beyond_levels(session, sellers, now_ms=now_ms, extra_buffer=extra_buffer, skus=skus)
    shelf = _Shelf.load(session, skus)
    return _facts(
        session, channel_id, recipes, shelf, only, beyond,
        now_ms=now_ms, pots=pots, extra_buffer=extra_buffer, blind_sold=blind_sold or {},
    )  # fmt: skip


def units_beyond_levels(
    session: Session,
    sellers: Mapping[int, bool] | None,
    *,
    now_ms: int,
    extra_buffer: int,
    skus: Collection[int] | None = None,
) -> list[Beyond]:
    """All targets of the `sellers` that show more than their level and cannot be lowered to it. `skus`: only those that concern one of
    these."""
    if sellers is None:
        sellers = dict.fromkeys(session.execute(text("SELECT id FROM channel WHERE kind = 'channel'")).scalars(), True)
    found: list[Beyond] = []
    for channel_id, ids in _maybe_stuck(session, sellers, skus).items():
        recipes = _recipes(session, channel_id, ids)
        places, shelf = _Places.of(session, channel_id), _Shelf.load(session, _skus_of(recipes))
        facts = _facts(
            session, channel_id, recipes, shelf, sorted(recipes), (),
            now_ms=now_ms, pots=False, extra_buffer=extra_buffer, blind_sold={},
        )  # fmt: skip
        for one in facts:
            units = units_beyond(one, can_decrease=sellers[channel_id])
            if units.at_risk:
                place = places.of_location(one.key.location)[0]
                at_stake = _at_stake(recipes[one.target_id], place, units.at_risk)
                found.append(
                    Beyond(one.target_id, channel_id, one.key, units.shown, units.level, units.at_risk, at_stake)
                )
    return found


def _maybe_stuck(session: Session, sellers: Mapping[int, bool], skus: Collection[int] | None) -> dict[int, list[int]]:
    """Channel id -> targets that may show more than they should: refused as locked, with a floor, with a pot, or not to be lowered."""
    locks = ", ".join(f"'{lock.value}'" for lock in sorted(LOCKS))
    rigid = in_list(channel_id for channel_id, can_decrease in sellers.items() if not can_decrease)
    rows = session.execute(
        text(
            f"SELECT id, channel_id FROM target WHERE channel_id IN ({in_list(sellers)}) "
            f"AND (blocked IN ({locks}) OR floor IS NOT NULL OR pot > 0 OR channel_id IN ({rigid})) ORDER BY id"
        )
    ).all()
    if rows and skus is not None:
        made_of = text(
            "SELECT DISTINCT listing_target.target_id FROM listing_target JOIN listing ON listing.id = listing_target.listing_id "
            "JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id "
            f"WHERE listing_target.target_id IN ({in_list(row.id for row in rows)}) AND recipe_item.sku_id IN ({in_list(skus)})"
        )
        concerned = set(session.execute(made_of).scalars())
        rows = [row for row in rows if row.id in concerned]
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(row.channel_id, []).append(row.id)
    return found


def _at_stake(recipes: Sequence[Recipe | None], place: int, units: int) -> dict[SkuPlace, int]:
    """Units of each SKU in so many units of a target; of its several listings the one that needs most."""
    most: dict[SkuPlace, int] = {}
    for recipe in recipes:
        for sku_id, quantity in recipe or ():
            most[sku_id, place] = max(most.get((sku_id, place), 0), quantity * units)
    return most


def _facts(
    session: Session,
    channel_id: int,
    recipes: Mapping[int, Sequence[Recipe | None]],
    shelf: _Shelf,
    only: Sequence[int] | None,
    beyond: Sequence[Beyond],
    *,
    now_ms: int,
    pots: bool,
    extra_buffer: int,
    blind_sold: Mapping[int, int],
) -> list[TargetFacts]:
    places = _Places.of(session, channel_id)
    outside = _held_outside(session, channel_id, only)
    skus_of = session.execute(
        text(f"SELECT id, buffer FROM sku WHERE 1 = 1 {_among('id', None if only is None else _skus_of(recipes))}")
    )
    buffers: dict[int, int] = {row.id: row.buffer for row in skus_of}
    rows = session.execute(
        text(f"SELECT * FROM target WHERE channel_id = :c {_among('id', only)} ORDER BY id"), {"c": channel_id}
    )
    risks = _Risks.of(beyond)
    facts: list[TargetFacts] = []
    for row in rows:
        here = places.of_location(row.location)
        listings = recipes.get(row.id, [])
        skus = {sku_id for recipe in listings for sku_id, _ in recipe or ()}
        sellable = _lowest(listings, here, shelf, {})
        at_risk = 0
        if sellable is not None and beyond:
            elsewhere = risks.elsewhere(row.id, [(sku, place) for sku in skus for place in here])
            at_risk = sellable - (_lowest(listings, here, shelf, elsewhere) or 0)
        newest = max(
            (shelf.changed.get((sku, place), (0, 0)) for sku in skus for place in here),
            default=(0, 0),
            key=lambda pair: pair[1],
        )
        stale = row.pot_ms is None or now_ms - row.pot_ms > POT_STALE_MS
        retry = row.blocked_ms is not None and now_ms - row.blocked_ms > BLOCKED_RETRY_MS
        facts.append(
            TargetFacts(
                target_id=row.id,
                key=TargetKey(row.remote_key, row.location),
                sellable=sellable,
                expected=row.expected,
                acked=row.acked,
                last_shown=_last_shown(row),
                held_outside=outside.get(row.id, 0),
                pot=row.pot if pots else row.pot or 0,
                pot_stale=pots and stale,
                pot_inside=bool(row.pot_inside),
                buffer=extra_buffer + max((buffers.get(sku, 0) for sku in skus), default=0),
                at_risk=at_risk,
                floor=row.floor,
                caused=newest[1] > row.acked_version,
                agreed_zero=bool(row.agreed_zero),
                blind_buffer=max((blind_sold.get(sku, 0) for sku in skus), default=0),
                blocked=RejectClass(row.blocked) if row.blocked and not retry else None,
                blocked_level=row.blocked_level,
                locked=row.blocked in LOCKS,
                wanted_at=from_epoch_ms(newest[0], where="ledger") if newest[0] else None,
                version=newest[1],
            )
        )
    return facts


def _last_shown(row: Any) -> int | None:
    """What the channel showed when it last confirmed or told its number."""
    if row.seen is not None and (row.acked_ms is None or row.seen_ms >= row.acked_ms):
        return int(row.seen)
    return None if row.acked is None else int(row.acked)


@dataclass(frozen=True, slots=True)
class _Risks:
    """Units at risk in all, and by the target that they are at risk because of."""

    total: Mapping[SkuPlace, int]
    own: Mapping[int, Mapping[SkuPlace, int]]

    @classmethod
    def of(cls, beyond: Sequence[Beyond]) -> _Risks:
        total: dict[SkuPlace, int] = {}
        for one in beyond:
            for key, units in one.skus.items():
                total[key] = total.get(key, 0) + units
        return cls(total, {one.target_id: one.skus for one in beyond})

    def elsewhere(self, target_id: int, keys: Sequence[SkuPlace]) -> dict[SkuPlace, int]:
        """Units at risk because of all other targets; a target's own number is not kept back from itself."""
        own = self.own.get(target_id, {})
        return {key: self.total.get(key, 0) - own.get(key, 0) for key in keys}


def _skus_of(recipes: Mapping[int, Sequence[Recipe | None]]) -> set[int]:
    return {sku_id for found in recipes.values() for recipe in found for sku_id, _ in recipe or ()}


def _among(column: str, ids: Collection[int] | None) -> str:
    """A further condition; `None` means all."""
    return "" if ids is None else f"AND {column} IN ({in_list(ids)})"


def _held_outside(session: Session, channel_id: int, only: Sequence[int] | None) -> dict[int, int]:
    """Target -> units of the channel's own open orders that it keeps from other buyers outside its number."""
    rows = session.execute(
        text(
            "SELECT order_line.target_id, SUM(order_line.held_outside) AS units FROM order_line JOIN sales_order "
            "ON sales_order.id = order_line.order_id WHERE sales_order.channel_id = :c AND order_line.held_outside > 0 "
            f"AND order_line.target_id IS NOT NULL {_among('order_line.target_id', only)} GROUP BY order_line.target_id"
        ),
        {"c": channel_id},
    )
    return {row.target_id: int(row.units) for row in rows}


# ----------------------------------------------------------------------------------------------------------- shelf, places, recipes


@dataclass(frozen=True, slots=True)
class _Places:
    """Which warehouses serve which location of a channel; orders are taken from the first of them."""

    own: tuple[int, ...]
    mapped: Mapping[str, int]
    locations: int
    """How many locations its targets have."""

    @classmethod
    def of(cls, session: Session, channel_id: int) -> _Places:
        values = {"c": channel_id}
        first = session.execute(text("SELECT warehouse_id FROM channel WHERE id = :c"), values).scalar_one()
        further = session.execute(
            text("SELECT warehouse_id FROM further_warehouse WHERE channel_id = :c ORDER BY warehouse_id"), values
        ).scalars()
        mapped = session.execute(text("SELECT location, warehouse_id FROM location_map WHERE channel_id = :c"), values)
        locations = session.execute(
            text("SELECT COUNT(DISTINCT location) FROM target WHERE channel_id = :c AND location <> ''"), values
        )
        own = () if first is None else (first, *(place for place in further if place != first))
        return cls(own, {row.location: row.warehouse_id for row in mapped}, locations.scalar_one())

    def of_location(self, location: str) -> tuple[int, ...]:
        """The channel's own warehouses serve a location while it is the only one; several need a map, else stock would be shown
        twice."""
        if location and (self.mapped or self.locations > 1):
            return (self.mapped[location],) if location in self.mapped else ()
        return self.own


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What is available where, when it last changed (time, movement), and where it was ever counted."""

    available: Mapping[SkuPlace, int]
    changed: Mapping[SkuPlace, tuple[int, int]]
    counted: Collection[SkuPlace]

    @classmethod
    def load(cls, session: Session, skus: Collection[int] | None) -> _Shelf:
        available: dict[SkuPlace, int] = {}
        changed: dict[SkuPlace, tuple[int, int]] = {}
        for row in session.execute(
            text(
                "SELECT sku_id, warehouse_id, quantity, changed_ms, movement_id FROM balance "
                f"WHERE account = 'available' {_among('sku_id', skus)}"
            )
        ):
            available[row.sku_id, row.warehouse_id] = row.quantity
            changed[row.sku_id, row.warehouse_id] = (row.changed_ms, row.movement_id)
        lines = session.execute(
            text(f"SELECT DISTINCT sku_id, warehouse_id FROM count_line WHERE 1 = 1 {_among('sku_id', skus)}")
        )
        return cls(available, changed, {(row.sku_id, row.warehouse_id) for row in lines})


def _recipes(session: Session, channel_id: int, only: Collection[int] | None) -> dict[int, list[Recipe | None]]:
    """Target -> the recipes of its active listings (`None` for an unmapped one)."""
    found: dict[int, dict[int, Recipe | None]] = {}
    many = only is not None and len(only) > NAMED_MAX
    rows = session.execute(
        text(
            "SELECT listing_target.target_id, listing.id AS listing_id, recipe_item.sku_id, recipe_item.quantity "
            "FROM listing_target JOIN listing ON listing.id = listing_target.listing_id "
            "LEFT JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id "
            f"WHERE listing.channel_id = :c AND listing.managed {_among('listing_target.target_id', None if many else only)}"
        ),
        {"c": channel_id},
    )
    for row in rows:
        recipe = found.setdefault(row.target_id, {}).setdefault(row.listing_id, None if row.sku_id is None else [])
        if recipe is not None:
            recipe.append((row.sku_id, row.quantity))
    wanted = found if only is None else set(only)
    return {target_id: list(by_listing.values()) for target_id, by_listing in found.items() if target_id in wanted}


def _lowest(
    recipes: Sequence[Recipe | None], places: Sequence[int], shelf: _Shelf, risks: Mapping[SkuPlace, int]
) -> int | None:
    """What the target's listings can be made of, the lowest of them; `None` when one is unmapped or uncounted, or there is none."""
    levels = [_makeable(recipe, places, shelf, risks) for recipe in recipes]
    known = [level for level in levels if level is not None]
    return min(known) if known and len(known) == len(levels) else None


def _makeable(recipe: Recipe | None, places: Sequence[int], shelf: _Shelf, risks: Mapping[SkuPlace, int]) -> int | None:
    """What can be made of the components, summed over the warehouses; `None` when it is not known or one was never counted in the
    first of them. A further warehouse adds nothing to what was never counted there."""
    if not recipe or not places or any((sku_id, places[0]) not in shelf.counted for sku_id, _ in recipe):
        return None
    total = 0
    for place in places:
        if all((sku_id, place) in shelf.counted for sku_id, _ in recipe):
            total += min(
                (shelf.available.get((sku_id, place), 0) - risks.get((sku_id, place), 0)) // quantity
                for sku_id, quantity in recipe
            )
    return total
