"""What the couriers' scorecard reads of parcels: own-site couriers and those of the marketplaces alike, as far as each is known."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.scorecard import Ride
from sellersync.domain.times import from_epoch_ms, to_epoch_ms


def rides(session: Session, *, since: datetime, until: datetime) -> list[Ride]:
    """Parcels booked in [since, until) that were not cancelled before they left.

    A parcel that was first seen as picked up or delivered has no known moment of it: only what changed while it was watched counts.
    """
    rows = session.execute(_RIDES, {"a": to_epoch_ms(since), "b": to_epoch_ms(until)})
    return [
        Ride(
            courier=row.courier,
            service=row.service or row.courier_service,
            zone=row.zone,
            quoted=row.quoted,
            charged=row.charged,
            adjusted=row.adjusted,
            picked_up=_at(row.picked_up_ms),
            delivered=_at(row.delivered_ms),
            promised=_at(row.promised_ms),
            lost=row.state == "lost",
            returned=row.state in ("returning", "returned"),
            stuck=bool(row.stuck),
        )
        for row in rows
    ]


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_epoch_ms(ms, where="parcel")


_RIDES = text(
    "SELECT parcel.state, parcel.courier, parcel.service, sales_order.courier_service, parcel.zone, parcel.quoted, parcel.charged, "
    "parcel.adjusted, parcel.promised_ms, "
    "CASE WHEN parcel.picked_up_ms = parcel.created_ms THEN NULL ELSE parcel.picked_up_ms END AS picked_up_ms, "
    "CASE WHEN parcel.delivered_ms = parcel.created_ms THEN NULL ELSE parcel.delivered_ms END AS delivered_ms, "
    "CASE WHEN EXISTS (SELECT 1 FROM finding WHERE finding.kind = 'parcel_stuck' AND finding.channel_id = parcel.channel_id "
    "AND finding.subject = CAST(parcel.id AS TEXT)) THEN 1 ELSE 0 END AS stuck "
    "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
    "WHERE parcel.booked_ms >= :a AND parcel.booked_ms < :b AND parcel.courier <> '' "
    "AND parcel.state NOT IN ('cancelled', 'failed', 'waiting', 'ready', 'packed') ORDER BY parcel.id"
)
