"""What was seen on a channel against what is expected: evidence, findings, and the adoption that a person agrees to (L4)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.differences import Difference, DifferencePolicy
from sellersync.domain.errors import BadInput, Temporary
from sellersync.domain.listings import ShownLevel
from sellersync.domain.listings import TargetKey as TargetKey
from sellersync.domain.times import from_epoch_ms

from .findings import close_finding, raise_finding
from .posting import in_list
from .stock import record_adjustment

KIND = "difference"


@dataclass(frozen=True, slots=True)
class Watched:
    """A target as far as a comparison needs it."""

    id: int
    key: TargetKey
    expected: int | None
    blocked: str
    pot: int | None

    @property
    def subject(self) -> str:
        return f"{self.key.remote_key}@{self.key.location}".rstrip("@")


def targets_of(session: Session, channel_id: int) -> list[Watched]:
    """All targets of a channel that were ever set or have a level."""
    rows = session.execute(text("SELECT * FROM target WHERE channel_id = :c ORDER BY id"), {"c": channel_id})
    return [
        Watched(row.id, TargetKey(row.remote_key, row.location), row.expected, row.blocked, row.pot) for row in rows
    ]


def watch(session: Session, channel_id: int, ids: Sequence[int]) -> dict[int, Watched]:
    """The given targets as they are now."""
    if not ids:
        return {}
    rows = session.execute(text(f"SELECT * FROM target WHERE id IN ({in_list(ids)}) ORDER BY id"))
    return {
        row.id: Watched(row.id, TargetKey(row.remote_key, row.location), row.expected, row.blocked, row.pot)
        for row in rows
    }


def note_seen(session: Session, target_id: int, level: ShownLevel, *, now_ms: int) -> None:
    """Keep what the channel shows and holds aside, with the time."""
    session.execute(
        text("UPDATE target SET seen = :s, seen_ms = :now WHERE id = :t"),
        {"s": level.shown, "now": now_ms, "t": target_id},
    )
    if level.held_aside is not None:
        session.execute(
            text("UPDATE target SET pot = :p, pot_ms = :now, floor = :f WHERE id = :t"),
            {"p": level.held_aside, "now": now_ms, "f": level.floor, "t": target_id},
        )


def forget_expected(session: Session, target_id: int) -> None:
    """The number is not what we thought: the next push writes ours over it, after a fresh pull and whatever was refused before."""
    session.execute(
        text("UPDATE target SET expected = NULL, blocked = '', blocked_level = NULL, blocked_ms = NULL WHERE id = :t"),
        {"t": target_id},
    )


def note(
    session: Session,
    channel_id: int,
    target: Watched,
    difference: Difference,
    policy: DifferencePolicy,
    *,
    shown: int | None,
    now_ms: int,
) -> None:
    """Open or refresh the finding of a difference."""
    raise_finding(
        session,
        KIND,
        target.subject,
        channel_id=channel_id,
        now_ms=now_ms,
        details={"class": difference.value, "policy": policy.value, "shown": shown, "expected": target.expected},
    )


def close(session: Session, channel_id: int, target: Watched, *, now_ms: int) -> None:
    """The channel shows what is expected (again)."""
    close_finding(session, KIND, target.subject, channel_id=channel_id, now_ms=now_ms)


@dataclass(frozen=True, slots=True)
class Adoptable:
    """A number on a channel that can become a correction of the shelf: one SKU in single units stands behind it."""

    target: Watched
    sku_id: int
    sku: str
    warehouse_id: int
    warehouse: str
    expected: int


def targets_of_key(session: Session, channel_id: int, remote_key: str) -> list[Watched]:
    """The numbers of a remote key, one a location. Raises `BadInput` when the channel has none of that key."""
    ids = session.execute(
        text("SELECT id FROM target WHERE channel_id = :c AND remote_key = :k ORDER BY id"),
        {"c": channel_id, "k": remote_key},
    ).scalars()
    found = list(watch(session, channel_id, list(ids)).values())
    if not found:
        raise BadInput(f"no number of {remote_key!r} is known on this channel; see `sellersync stock differences`")
    return found


def adoptable(session: Session, channel_id: int, remote_key: str) -> Adoptable:
    """What stands behind a number. Raises `BadInput` with what to do instead, where it is not one SKU in single units, and `Temporary`
    while the expected number is unknown."""
    found = targets_of_key(session, channel_id, remote_key)
    if len(found) != 1:
        raise BadInput(
            f"{remote_key!r} has {len(found)} numbers on this channel; count the SKU instead: sellersync stock count"
        )
    further = text("SELECT COUNT(*) FROM further_warehouse WHERE channel_id = :c")
    if not found[0].key.location and session.execute(further, {"c": channel_id}).scalar_one():
        raise BadInput(
            f"the number of {remote_key!r} is of several warehouses; count the SKU in each instead: sellersync stock count"
        )
    parts = session.execute(
        text(
            "SELECT recipe_item.sku_id, recipe_item.quantity, sku.code, warehouse.id AS warehouse_id, warehouse.code AS warehouse "
            "FROM target JOIN channel ON channel.id = target.channel_id "
            "JOIN listing_target ON listing_target.target_id = target.id JOIN listing ON listing.id = listing_target.listing_id "
            "JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id JOIN sku ON sku.id = recipe_item.sku_id "
            "LEFT JOIN location_map ON location_map.channel_id = target.channel_id AND location_map.location = target.location "
            "JOIN warehouse ON warehouse.id = COALESCE(location_map.warehouse_id, channel.warehouse_id) WHERE target.id = :t"
        ),
        {"t": found[0].id},
    ).all()
    if len(parts) != 1 or parts[0].quantity != 1:
        raise BadInput(f"{remote_key!r} is not one SKU in single units; count its SKUs instead: sellersync stock count")
    part = parts[0]
    expected = found[0].expected
    if expected is None:
        raise Temporary(f"what {remote_key!r} should show is not certain now: an order or a push is under way")
    return Adoptable(found[0], part.sku_id, part.code, part.warehouse_id, part.warehouse, expected)


def adopt(
    session: Session,
    channel_id: int,
    remote_key: str,
    *,
    shown: int,
    now_ms: int,
    who: str,
    agreed_expected: int | None = None,
) -> int:
    """A person agrees that the number shown on the channel is right: an adjustment by the difference. Returns the document id.

    `agreed_expected` is the expected number that the person saw: where an order changed it since, `Temporary` is raised and nothing is
    adjusted. Raises `BadInput` where there is nothing to adopt, or where `adoptable` does.
    """
    found = adoptable(session, channel_id, remote_key)
    if agreed_expected is not None and found.expected != agreed_expected:
        raise Temporary(f"{remote_key!r} was sold or pushed meanwhile, so the number is out of date")
    if shown == found.expected:
        raise BadInput(f"there is no difference to adopt for {remote_key!r}")
    document = record_adjustment(
        session,
        found.sku_id,
        found.warehouse_id,
        shown - found.expected,
        reason=f"adopted from the channel: shown {shown}, expected {found.expected}",
        at_ms=now_ms,
        now_ms=now_ms,
        who=who,
    )
    session.execute(text("UPDATE target SET expected = :s WHERE id = :t"), {"s": shown, "t": found.target.id})
    close(session, channel_id, found.target, now_ms=now_ms)
    return document


def overwrite(session: Session, channel_id: int, remote_key: str) -> int:
    """A person decides for our number: the next push writes it over what the channel shows. Returns how many numbers.

    The finding stays open until a comparison has seen the right number.
    """
    found = targets_of_key(session, channel_id, remote_key)
    for target in found:
        forget_expected(session, target.id)
    return len(found)


@dataclass(frozen=True, slots=True)
class OpenDifference:
    """A difference that stands open. `shown` is `None` where the channel does not know the listing, `expected` where it is unknown."""

    channel: str
    remote_key: str
    location: str
    title: str
    difference: Difference
    policy: DifferencePolicy
    shown: int | None
    expected: int | None
    since: datetime


def open_differences(session: Session, *, channel: str | None = None) -> list[OpenDifference]:
    """The differences that the comparisons found and that are not gone, the oldest first."""
    rows = session.execute(
        text(
            "SELECT channel.slug, finding.subject, finding.details, finding.since_ms FROM finding "
            "JOIN channel ON channel.id = finding.channel_id WHERE finding.kind = :k AND finding.closed_ms IS NULL "
            "AND (CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT)) ORDER BY finding.since_ms, finding.id"
        ),
        {"k": KIND, "c": channel},
    ).all()
    titles = _titles(session)
    found: list[OpenDifference] = []
    for row in rows:
        details = json.loads(row.details)
        key, _, location = row.subject.partition("@")
        found.append(
            OpenDifference(
                row.slug, key, location, titles.get((row.slug, key), ""), Difference(details["class"]),
                DifferencePolicy(details["policy"]), details["shown"], details["expected"],
                from_epoch_ms(row.since_ms, where="finding"),
            )
        )  # fmt: skip
    return found


def _titles(session: Session) -> dict[tuple[str, str], str]:
    rows = session.execute(
        text(
            "SELECT channel.slug, target.remote_key, MIN(listing.title) AS title FROM target "
            "JOIN channel ON channel.id = target.channel_id JOIN listing_target ON listing_target.target_id = target.id "
            "JOIN listing ON listing.id = listing_target.listing_id GROUP BY channel.slug, target.remote_key"
        )
    )
    return {(row.slug, row.remote_key): row.title for row in rows}
