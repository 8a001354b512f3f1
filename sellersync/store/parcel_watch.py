"""Parcels and shipments that need a person: found by looking at how things stand, so that each finding ends when its cause does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.parcels import ParcelState
from sellersync.domain.queue import CHANNEL_WAITS, DeskRules
from sellersync.domain.times import from_epoch_ms, to_epoch_ms
from sellersync.domain.watching import OLD_NEWS_AFTER, Trouble, Watched, WatchRules, trouble

from .findings import keep_findings
from .posting import in_list
from .reads_queue import QueueEntry, queue

CONTENTS_CHARS_MAX = 120


@dataclass(frozen=True, slots=True)
class TroubledParcel:
    """A parcel that needs a person. `contents` says what is in it, as far as the ledger knows. `since`: when it last changed,
    was booked or handed over (uncollected), or was to be delivered (overdue)."""

    parcel_id: int
    channel: str
    order: str
    number: str
    parcel: int
    state: ParcelState
    remote_status: str
    courier: str
    service: str
    waybill: str
    contents: str
    trouble: Trouble
    since: datetime
    promised: datetime | None


def watch(session: Session, channel_id: int, rules: WatchRules, desk: DeskRules, *, now_ms: int) -> None:
    """Make the open findings about one channel's parcels exactly what is wrong with them now."""
    now = from_epoch_ms(now_ms, where="now")
    found = troubled_parcels(session, rules, now=now, channel_id=channel_id)

    def of(kind: Trouble) -> dict[str, dict[str, Any]]:
        return {str(parcel.parcel_id): _details(parcel, now) for parcel in found if parcel.trouble is kind}

    keep_findings(session, "parcel_lost", of(Trouble.LOST), now_ms=now_ms, channel_id=channel_id)
    keep_findings(session, "parcel_returning", of(Trouble.RETURNING), now_ms=now_ms, channel_id=channel_id)
    keep_findings(session, "parcel_uncollected", of(Trouble.UNCOLLECTED), now_ms=now_ms, channel_id=channel_id)
    keep_findings(session, "parcel_stuck", of(Trouble.STUCK), now_ms=now_ms, channel_id=channel_id)
    keep_findings(session, "parcel_overdue", of(Trouble.OVERDUE), now_ms=now_ms, channel_id=channel_id)
    late = late_shipments(session, desk, now=now, channel_id=channel_id)
    deadlines_ms = {entry.subject: to_epoch_ms(entry.deadline) for entry in late if entry.deadline is not None}
    details = {entry.subject: {"order": entry.order, "waybill": entry.waybill} for entry in late}
    keep_findings(session, "shipment_late", details, now_ms=now_ms, channel_id=channel_id, deadlines_ms=deadlines_ms)


def late_shipments(
    session: Session, desk: DeskRules, *, now: datetime, channel_id: int | None = None
) -> list[QueueEntry]:
    """What lies on the shelf after its deadline, although the channel would let it go."""
    entries = queue(session, desk, now=now, channel_id=channel_id)
    return [entry for entry in entries if entry.late and entry.reason not in CHANNEL_WAITS]


def troubled_parcels(
    session: Session, rules: WatchRules, *, now: datetime, channel_id: int | None = None
) -> list[TroubledParcel]:
    """Parcels on their way that need a person, by kind of trouble, the longest silent first."""
    rows = session.execute(_WATCHED, {"c": channel_id, "after": to_epoch_ms(now - OLD_NEWS_AFTER)}).all()
    judged = [(row, wrong) for row in rows if (wrong := trouble(_watched(row), rules, now)) is not None]
    contents = _contents(session, [row.id for row, _ in judged])
    found = [
        TroubledParcel(
            parcel_id=row.id,
            channel=row.slug,
            order=row.order_remote,
            number=row.order_number,
            parcel=row.number,
            state=ParcelState(row.state),
            remote_status=row.remote_status,
            courier=row.courier,
            service=row.service,
            waybill=row.waybill,
            contents=contents.get(row.id, ""),
            trouble=wrong,
            since=_since(row, wrong),
            promised=None if row.promised_ms is None else _at(row.promised_ms),
        )
        for row, wrong in judged
    ]
    places = {one: place for place, one in enumerate(Trouble)}
    found.sort(key=lambda parcel: (places[parcel.trouble], parcel.since, parcel.parcel_id))
    return found


def _since(row: Any, wrong: Trouble) -> datetime:
    if wrong is Trouble.UNCOLLECTED:
        return _at(row.waits_ms)
    return _at(row.promised_ms if wrong is Trouble.OVERDUE else max(row.changed_ms, row.handed_ms or 0))


def _watched(row: Any) -> Watched:
    return Watched(
        ParcelState(row.state),
        changed_at=_at(max(row.changed_ms, row.handed_ms or 0)),
        waits_since=_at(row.waits_ms),
        left_shelf=row.picked_up_ms is not None or row.handed_ms is not None,
        promised_at=None if row.promised_ms is None else _at(row.promised_ms),
        settled=bool(row.settled) or not row.news,
    )


def _details(parcel: TroubledParcel, now: datetime) -> dict[str, Any]:
    return {
        "order": parcel.order,
        "parcel": parcel.parcel,
        "courier": parcel.courier,
        "waybill": parcel.waybill or parcel.remote_status,
        "contents": parcel.contents,
        "hours": int((now - parcel.since).total_seconds() // 3600),
    }


def _contents(session: Session, parcel_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(
        text(
            "SELECT parcel_unit.parcel_id, order_line.title, order_line.seller_sku, COUNT(*) AS units FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id "
            f"WHERE parcel_unit.live AND parcel_unit.parcel_id IN ({in_list(parcel_ids)}) "
            "GROUP BY parcel_unit.parcel_id, order_line.id, order_line.title, order_line.seller_sku ORDER BY order_line.id"
        )
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.parcel_id, []).append(f"{row.units} × {row.title or row.seller_sku}")
    return {parcel_id: _cut(", ".join(parts)) for parcel_id, parts in found.items()}


def _cut(words: str) -> str:
    return words if len(words) <= CONTENTS_CHARS_MAX else words[: CONTENTS_CHARS_MAX - 1].rstrip() + "…"


def _at(ms: int) -> datetime:
    return from_epoch_ms(ms, where="parcel")


_WATCHED = text(
    "SELECT parcel.id, channel.slug, sales_order.remote_id AS order_remote, sales_order.number AS order_number, parcel.number, "
    "parcel.state, parcel.remote_status, parcel.courier, parcel.service, parcel.waybill, parcel.picked_up_ms, parcel.handed_ms, "
    "parcel.promised_ms, "
    "COALESCE((SELECT MAX(seen_ms) FROM parcel_event WHERE parcel_event.parcel_id = parcel.id), parcel.state_since_ms, "
    "parcel.picked_up_ms, parcel.booked_ms, parcel.created_ms) AS changed_ms, "
    "COALESCE(parcel.booked_ms, parcel.created_ms) AS waits_ms, "
    "CASE WHEN sales_order.state = 'cancelled' OR EXISTS (SELECT 1 FROM return_document "
    "WHERE return_document.order_id = parcel.order_id) THEN 1 ELSE 0 END AS settled, "
    # what was already over when the channel was first read is none of this ledger's business
    "CASE WHEN parcel.state_since_ms IS NULL OR parcel.state_since_ms > parcel.created_ms "
    "OR parcel.created_ms > channel.first_walk_done_ms THEN 1 ELSE 0 END AS news "
    "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id JOIN channel ON channel.id = parcel.channel_id "
    "WHERE (CAST(:c AS BIGINT) IS NULL OR parcel.channel_id = CAST(:c AS BIGINT)) AND "
    "(parcel.state IN ('booked', 'picked_up', 'in_transit', 'out_for_delivery', 'problem', 'pickup_retry', 'returning', 'unknown') "
    "OR (parcel.state IN ('returned', 'lost') AND COALESCE(parcel.state_since_ms, parcel.updated_ms) > :after)) ORDER BY parcel.id"
)
