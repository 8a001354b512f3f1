"""What is known of the listings on a page of orders: recipes, components and targets, read in a statement a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from sellersync.domain.orders import Order, OrderLine
from sellersync.domain.stock import Component

from .bulk import select_in
from .posting import load_components


@dataclass(slots=True)
class PageCatalogue:
    """Listings, recipes and targets of the lines on a page."""

    recipe_of: dict[str, int | None]
    components: dict[int, tuple[Component, ...]]
    target_of: dict[tuple[str, str], int]

    @classmethod
    def load(cls, session: Session, channel_id: int, orders: Sequence[Order]) -> PageCatalogue:
        lines = [line for order in orders for line in order.lines]
        keys = sorted({line.listing for line in lines} | {line.target or line.listing for line in lines})
        recipe_of: dict[str, int | None] = {}
        target_of: dict[tuple[str, str], int] = {}
        listings = "SELECT remote_key, recipe_id FROM listing WHERE channel_id = ? AND remote_key IN"
        for row in select_in(session, listings, keys, channel_id):
            recipe_of[row.remote_key] = row.recipe_id
        targets = "SELECT id, remote_key, location FROM target WHERE channel_id = ? AND remote_key IN"
        for row in select_in(session, targets, keys, channel_id):
            target_of[(row.remote_key, row.location)] = row.id
        components = load_components(session, {recipe for recipe in recipe_of.values() if recipe is not None})
        return cls(recipe_of, components, target_of)

    def target(self, line: OrderLine) -> int | None:
        key = line.target or line.listing
        return self.target_of.get((key, line.location), self.target_of.get((key, "")))
