"""Claims that are not settled, and a person's word about those that no machine can settle. `bookings` has what the trips do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.parcels import RemoteParcel
from sellersync.domain.times import from_epoch_ms

from . import bookings
from .bookings import CourierFacts
from .findings import close_finding
from .parcels import tidy_own_parcels
from .posting import load_works
from .vault import Vault

PERSON = "person"


@dataclass(frozen=True, slots=True)
class WaitingClaim:
    """An attempt to book whose outcome is not known. `state`: open (looked up by itself from `look_at` on) or person.

    `courier` is the slug of the courier account for an own-site parcel, "" where the channel arranges the shipment.
    """

    id: int
    state: str
    channel: str
    order: str
    order_number: str
    parcel: int
    parcel_remote_id: str
    courier: str
    reference: str
    attempt: int
    step: str
    begun: datetime
    look_at: datetime
    detail: str


def waiting_claims(session: Session, *, channel: str | None = None, order_id: int | None = None) -> list[WaitingClaim]:
    """All of them, those that wait for a person first, then the oldest first."""
    rows = session.execute(
        text(
            "SELECT claim.*, channel.slug, sales_order.remote_id, sales_order.number AS order_number, parcel.number, "
            "parcel.remote_id AS parcel_remote_id, COALESCE(courier.slug, '') AS courier FROM claim "
            "JOIN parcel ON parcel.id = claim.parcel_id JOIN sales_order ON sales_order.id = parcel.order_id "
            "JOIN channel ON channel.id = parcel.channel_id LEFT JOIN channel AS courier ON courier.id = parcel.courier_channel_id "
            "WHERE claim.state IN ('open', 'person') AND (CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT)) "
            "AND (CAST(:o AS BIGINT) IS NULL OR sales_order.id = CAST(:o AS BIGINT)) "
            "ORDER BY CASE WHEN claim.state = 'person' THEN 0 ELSE 1 END, claim.created_ms, claim.id"
        ),
        {"c": channel, "o": order_id},
    )
    return [
        WaitingClaim(
            row.id, row.state, row.slug, row.remote_id, row.order_number, row.number, row.parcel_remote_id, row.courier,
            row.reference, row.attempt, row.step, from_epoch_ms(row.created_ms, where="claim"),
            from_epoch_ms(row.not_before_settle_ms, where="claim"), row.detail,
        )
        for row in rows
    ]  # fmt: skip


def sealed_request(session: Session, claim_id: int, *, vault: Vault) -> Any:
    """What was asked for, as the claim keeps it."""
    sealed = session.execute(text("SELECT sealed FROM claim WHERE id = :i"), {"i": claim_id}).scalar_one()
    return vault.open_json(sealed, bookings.CLAIM_PURPOSE)


def person_says_booked(
    session: Session, claim_id: int, remote: RemoteParcel, *, now_ms: int, who: str, booking_id: str = "",
    facts: CourierFacts | None = None,
) -> None:  # fmt: skip
    """A person found the booking: the claim is settled with it.

    Raises `BadInput` when the claim does not wait for a person (any more), or when the booking belongs to another parcel.
    """
    parcel_id = _waits_for_a_person(session, claim_id)
    other = session.execute(
        text(
            "SELECT sales_order.remote_id FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
            "JOIN parcel AS mine ON mine.id = :p WHERE parcel.id <> mine.id AND parcel.remote_id = :r AND :r <> '' "
            "AND parcel.channel_id = mine.channel_id AND COALESCE(parcel.courier_channel_id, 0) = COALESCE(mine.courier_channel_id, 0) "
            "AND parcel.state NOT IN ('cancelled', 'failed')"
        ),
        {"p": parcel_id, "r": remote.remote_id},
    ).scalar()
    if other is not None:
        raise BadInput(f"{remote.remote_id} is the booking of order {other}")
    bookings.settle_booked(session, claim_id, remote, now_ms=now_ms, booking_id=booking_id, facts=facts)
    session.execute(
        text("UPDATE claim SET detail = :d WHERE id = :i"), {"i": claim_id, "d": f"booked, says {who}"[:300]}
    )


def person_says_not_booked(session: Session, claim_id: int, *, now_ms: int, who: str) -> None:
    """A person looked and there is no booking: the parcel may be booked again, under a new reference.

    Raises `BadInput` when the claim does not wait for a person (any more).
    """
    parcel_id = _waits_for_a_person(session, claim_id)
    session.execute(
        text(
            "UPDATE claim SET state = 'dead', settled_ms = :now, not_before_settle_ms = :now, detail = :d WHERE id = :i"
        ),
        {"i": claim_id, "now": now_ms, "d": f"not booked, says {who}"[:300]},
    )
    close_finding(session, "booking_unsettled", str(parcel_id), now_ms=now_ms)
    order_id = session.execute(text("SELECT order_id FROM parcel WHERE id = :p"), {"p": parcel_id}).scalar_one()
    works = load_works(session, [order_id])  # the order may have been cancelled while the claim held its parcel
    tidy_own_parcels(session, list(works.values()), now_ms=now_ms)


def _waits_for_a_person(session: Session, claim_id: int) -> int:
    """The parcel of a claim that waits for a person."""
    row = session.execute(text("SELECT state, parcel_id FROM claim WHERE id = :i"), {"i": claim_id}).one()
    if row.state != PERSON:
        raise BadInput(f"this booking does not wait for a person any more (it is {row.state})")
    return int(row.parcel_id)
