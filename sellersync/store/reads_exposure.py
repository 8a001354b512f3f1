"""What tells how long other channels showed too high a number after a sale: read-only functions that answer frozen values.

A sale is an order's first posting per SKU. Times are unix milliseconds; when an order was placed is the provider's clock, in whole
seconds on most of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class SaleFact:
    """Units of one SKU leave the shelf because of one order: placed, seen, posted as movement `version`."""

    order_id: int
    channel_id: int
    sku_id: int
    placed_ms: int
    seen_ms: int
    moved_ms: int
    version: int


def sales(session: Session, *, since_ms: int, until_ms: int) -> list[SaleFact]:
    """Sales by orders placed in a window that were seen after their channel's first walk (before it no level is ever sent)."""
    rows = session.execute(
        text(
            "SELECT sales_order.id, sales_order.channel_id, movement.sku_id, sales_order.created_ms, sales_order.seen_ms, "
            "MIN(movement.recorded_ms), MAX(movement.id) FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
            "JOIN movement ON movement.cause_kind = 'order' AND movement.cause_id = sales_order.id AND movement.revision = 1 "
            "AND movement.source = 'available' WHERE sales_order.created_ms >= :a AND sales_order.created_ms < :b "
            "AND sales_order.seen_ms > channel.first_walk_done_ms "
            "GROUP BY sales_order.id, sales_order.channel_id, movement.sku_id, sales_order.created_ms, sales_order.seen_ms "
            "ORDER BY sales_order.id, movement.sku_id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [SaleFact(*row) for row in rows]


def targets_of_skus(session: Session) -> dict[int, list[tuple[int, int]]]:
    """SKU id -> (target id, channel id) of every number that a sale of it may lower."""
    rows = session.execute(
        text(
            "SELECT DISTINCT recipe_item.sku_id, target.id, target.channel_id FROM recipe_item "
            "JOIN listing ON listing.recipe_id = recipe_item.recipe_id JOIN listing_target ON listing_target.listing_id = listing.id "
            "JOIN target ON target.id = listing_target.target_id WHERE listing.managed AND listing.active "
            "ORDER BY recipe_item.sku_id, target.id"
        )
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for sku_id, target_id, channel_id in rows:
        found.setdefault(sku_id, []).append((target_id, channel_id))
    return found


@dataclass(frozen=True, slots=True)
class PushFact:
    """A level sent to a target; it includes every movement up to `version`."""

    target_id: int
    version: int
    sent_ms: int
    answered_ms: int | None
    outcome: str


def pushes(session: Session, *, since_ms: int, until_ms: int) -> list[PushFact]:
    """Levels sent in a window, in the order of sending."""
    rows = session.execute(
        text(
            "SELECT target_id, ledger_version, sent_ms, answered_ms, outcome FROM push WHERE sent_ms >= :a AND sent_ms < :b ORDER BY id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [PushFact(*row) for row in rows]


def complete_push_runs(session: Session, *, since_ms: int, until_ms: int) -> dict[int, list[tuple[int, int]]]:
    """Channel id -> (started, ended) of the push runs that left nothing waiting: after them the channel shows what it should, but for
    levels that were sent and not applied."""
    rows = session.execute(
        text(
            "SELECT channel_id, started_ms, ended_ms, counts FROM job_run WHERE job = 'push_stock' AND outcome = 'ok' "
            "AND channel_id IS NOT NULL AND started_ms >= :a AND started_ms < :b AND ended_ms IS NOT NULL ORDER BY id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for channel_id, started_ms, ended_ms, counts in rows:
        if "waiting_for_pull" not in json.loads(counts):
            found.setdefault(channel_id, []).append((started_ms, ended_ms))
    return found
