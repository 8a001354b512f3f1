"""Queries about listings and their recipes. Read-only functions of a session, answering frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.matching import Match, normalised, suggestions

from .listings import catalogue_of
from .reads import at
from .reads_stock import UnmappedListing, unmapped_listings


@dataclass(frozen=True, slots=True)
class ListingRow:
    """A listing with its newest recipe (SKU code -> quantity; empty while unmapped)."""

    channel: str
    remote_key: str
    seller_sku: str
    title: str
    variation: str
    active: bool
    seen: datetime | None
    recipe: Mapping[str, int]


def listing_rows(session: Session, *, channel: str | None = None) -> list[ListingRow]:
    """All listings, of one channel where it is named, ordered by channel and key."""
    rows = session.execute(
        text(
            "SELECT channel.slug, listing.* FROM listing JOIN channel ON channel.id = listing.channel_id "
            "WHERE CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT) ORDER BY channel.slug, listing.remote_key"
        ),
        {"c": channel},
    ).all()
    recipes = _recipes(session)
    return [
        ListingRow(row.slug, row.remote_key, row.seller_sku, row.title, row.variation, bool(row.active), at(row.seen_ms),
                   recipes.get(row.recipe_id, {}))
        for row in rows
    ]  # fmt: skip


def _recipes(session: Session) -> dict[int, dict[str, int]]:
    """The newest recipe of every listing by its id."""
    found: dict[int, dict[str, int]] = {}
    for row in session.execute(
        text(
            "SELECT recipe_item.recipe_id, sku.code, recipe_item.quantity FROM listing "
            "JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id JOIN sku ON sku.id = recipe_item.sku_id ORDER BY sku.code"
        )
    ):
        found.setdefault(row.recipe_id, {})[row.code] = row.quantity
    return found


@dataclass(frozen=True, slots=True)
class Suggested:
    """An unmapped listing with the SKUs that it may be, the likeliest first."""

    listing: UnmappedListing
    candidates: tuple[Match, ...]


def suggested_skus(session: Session, *, channel: str | None = None, limit: int) -> list[Suggested]:
    """Unmapped listings, those with waiting orders first, each with what it may be. Nothing is mapped (L7)."""
    known = catalogue_of(session).candidates
    return [
        Suggested(row, tuple(suggestions(row.seller_sku, f"{row.title} {row.variation}", known)))
        for row in unmapped_listings(session, channel=channel)[:limit]
    ]


@dataclass(frozen=True, slots=True)
class ListingProblem:
    """What is odd about a listing. `kind`: duplicate (one seller SKU on several listings of a channel: `with_keys` are the others),
    blank (no seller SKU), orphan (the channel did not show it any more when its listings were last read in full)."""

    kind: str
    channel: str
    remote_key: str
    seller_sku: str
    title: str
    seen: datetime | None
    with_keys: tuple[str, ...] = ()


def listing_problems(session: Session, *, channel: str | None = None) -> list[ListingProblem]:
    """Duplicates, blanks and orphans, in that order. Orphans are left out of the other two."""
    last_full_read = {
        row.slug: at(row.started_ms)
        for row in session.execute(
            text(
                "SELECT channel.slug, MAX(job_run.started_ms) AS started_ms FROM job_run JOIN channel ON channel.id = job_run.channel_id "
                "WHERE job_run.job = 'pull_listings' AND job_run.outcome = 'ok' GROUP BY channel.slug"
            )
        )
    }
    rows = listing_rows(session, channel=channel)
    orphans = [row for row in rows if row.seen and (read := last_full_read.get(row.channel)) and row.seen < read]
    gone = {(row.channel, row.remote_key) for row in orphans}
    shown = [row for row in rows if (row.channel, row.remote_key) not in gone]
    same: dict[tuple[str, str], list[ListingRow]] = {}
    for row in shown:
        if row.seller_sku.strip():
            same.setdefault((row.channel, normalised(row.seller_sku)), []).append(row)
    found = [
        _problem("duplicate", row, tuple(other.remote_key for other in group if other is not row))
        for group in same.values()
        if len(group) > 1
        for row in group
    ]
    found += [_problem("blank", row) for row in shown if not row.seller_sku.strip()]
    return found + [_problem("orphan", row) for row in orphans]


def _problem(kind: str, row: ListingRow, with_keys: tuple[str, ...] = ()) -> ListingProblem:
    return ListingProblem(kind, row.channel, row.remote_key, row.seller_sku, row.title, row.seen, with_keys)
