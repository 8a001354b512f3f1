"""Parcels on their way: which of them are due for a look, and what a look showed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.parcels import ParcelState, RemoteParcel

from .cancels import note_shown
from .parcels import update_parcel

OLD_AFTER_MS = 7 * 86_400_000
RARELY, HARDLY = 12, 48
"""How much longer the time between two looks is once a parcel is not fresh any more, and once it is old."""


@dataclass(frozen=True, slots=True)
class TrackedParcel:
    """A booked parcel that is not at its end."""

    parcel_id: int
    order_remote_id: str
    remote_id: str
    state: ParcelState
    waybill: str
    booked_at_ms: int
    tracked_ms: int | None
    courier_channel_id: int | None


def parcels_to_track(
    session: Session, channel_id: int, *, now_ms: int, fresh_ms: int, every_ms: int, limit: int
) -> list[TrackedParcel]:
    """Booked parcels of this channel that are due for a look, those first that waited longest.

    Those booked less than `fresh_ms` ago are looked at every `every_ms`, and so are those whose waybill is still missing; others
    rarely, and once they are a week old hardly ever. What is at its end is not looked at again.
    """
    rows = session.execute(
        text(
            "SELECT id, order_remote_id, remote_id, state, waybill, booked_ms, tracked_ms, courier_channel_id FROM ("
            "SELECT parcel.id, sales_order.remote_id AS order_remote_id, parcel.remote_id, parcel.state, parcel.waybill, "
            "COALESCE(parcel.booked_ms, parcel.created_ms) AS booked_ms, parcel.tracked_ms, parcel.courier_channel_id "
            "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.channel_id = :c "
            "AND parcel.state IN ('booked', 'picked_up', 'in_transit', 'out_for_delivery', 'problem', 'pickup_retry', "
            "'returning', 'unknown') AND parcel.remote_id <> '') AS moving "
            "WHERE tracked_ms IS NULL OR tracked_ms <= :now - :every * (CASE WHEN booked_ms > :now - :fresh THEN 1 "
            "WHEN booked_ms <= :now - :old THEN :hardly WHEN waybill = '' THEN 1 ELSE :rarely END) "
            "ORDER BY COALESCE(tracked_ms, 0), id LIMIT :n"
        ),
        {
            "c": channel_id,
            "now": now_ms,
            "fresh": fresh_ms,
            "old": OLD_AFTER_MS,
            "every": every_ms,
            "rarely": RARELY,
            "hardly": HARDLY,
            "n": limit,
        },
    )
    return [
        TrackedParcel(row.id, row.order_remote_id, row.remote_id, ParcelState(row.state), row.waybill, row.booked_ms, row.tracked_ms,
                      row.courier_channel_id)
        for row in rows
    ]  # fmt: skip


def note_tracked(
    session: Session, parcel_id: int, remote: RemoteParcel | None, *, now_ms: int, price: int | None = None
) -> bool:
    """Keep what a look at a parcel showed (`None`: nothing was shown). Returns whether it changed.

    `price` is what the courier wants for it now, in whole rupiah: one that differs from what was charged at the booking is its
    adjusted price.
    """
    session.execute(text("UPDATE parcel SET tracked_ms = :now WHERE id = :p"), {"p": parcel_id, "now": now_ms})
    if price is not None:
        session.execute(_PRICE, {"p": parcel_id, "price": price})
    if remote is None:
        return False
    changed = update_parcel(session, parcel_id, remote, now_ms=now_ms)
    note_shown(session, parcel_id, remote, now_ms=now_ms)  # it may settle a cancellation
    return changed


_PRICE = text(
    "UPDATE parcel SET adjusted = CASE WHEN charged IS NULL OR charged = :price THEN NULL ELSE :price END, "
    "charged = COALESCE(charged, :price) WHERE id = :p"
)
