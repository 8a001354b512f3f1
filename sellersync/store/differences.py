"""What was seen on a channel against what is expected: evidence, findings, and the adoption that a person agrees to (L4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.differences import Difference, DifferencePolicy
from sellersync.domain.errors import BadInput
from sellersync.domain.listings import TargetKey as TargetKey

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


def note_pot(session: Session, target_id: int, pot: int | None, floor: int | None, *, now_ms: int) -> None:
    """Keep what the channel holds aside, with its time."""
    if pot is not None:
        session.execute(
            text("UPDATE target SET pot = :p, pot_ms = :now, floor = :f WHERE id = :t"),
            {"p": pot, "now": now_ms, "f": floor, "t": target_id},
        )


def forget_expected(session: Session, target_id: int) -> None:
    """The number is not what we thought: the next push writes ours over it, after a fresh pull."""
    session.execute(text("UPDATE target SET expected = NULL WHERE id = :t"), {"t": target_id})


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


def adopt(session: Session, channel_id: int, remote_key: str, *, shown: int, now_ms: int, who: str) -> int:
    """A person agrees that the number shown on the channel is right: an adjustment by the difference. Returns the document id.

    Only where one listing of one SKU stands behind the number; raises `BadInput` with what to do instead.
    """
    target = session.execute(
        text("SELECT id, expected, acked FROM target WHERE channel_id = :c AND remote_key = :k"),
        {"c": channel_id, "k": remote_key},
    ).all()
    if len(target) != 1:
        raise BadInput(
            f"{remote_key!r} has {len(target)} numbers on this channel; count the SKU instead: sellersync stock count"
        )
    parts = session.execute(
        text(
            "SELECT recipe_item.sku_id, recipe_item.quantity, channel.warehouse_id FROM listing_target "
            "JOIN listing ON listing.id = listing_target.listing_id JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id "
            "JOIN channel ON channel.id = listing.channel_id WHERE listing_target.target_id = :t"
        ),
        {"t": target[0].id},
    ).all()
    if len(parts) != 1 or parts[0].quantity != 1:
        raise BadInput(f"{remote_key!r} is not one SKU in single units; count its SKUs instead: sellersync stock count")
    expected = target[0].expected if target[0].expected is not None else target[0].acked
    if expected is None or shown == expected:
        raise BadInput(f"there is no difference to adopt for {remote_key!r}")
    document = record_adjustment(
        session,
        parts[0].sku_id,
        parts[0].warehouse_id,
        shown - expected,
        reason=f"adopted from the channel: shown {shown}, expected {expected}",
        at_ms=now_ms,
        now_ms=now_ms,
        who=who,
    )
    session.execute(text("UPDATE target SET expected = :s WHERE id = :t"), {"s": shown, "t": target[0].id})
    close_finding(session, KIND, remote_key, channel_id=channel_id, now_ms=now_ms)
    return document
