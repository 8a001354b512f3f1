"""Bookings: a claim is committed before every call, and an answer settles it (L9).

The database holds the rest: one open claim a parcel, and a reference is used once (L3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.errors import LeaseLost
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import RemoteParcel

from .findings import close_finding, raise_finding
from .parcels import update_parcel
from .tables import Claim
from .vault import Vault

_CLAIM = Claim.__table__  # type: ignore[attr-defined]
CLAIM_PURPOSE = "claim"
SHIPPABLE_STATES = ("ready", "booked")
"""Order states in which a parcel may be booked; BOOKED because one of several parcels may still wait."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierFacts:
    """What is known of a booking that we made ourselves; money is whole rupiah. `quoted` is the offer's price, `charged` the courier's
    at booking; `promised_days` count from the sending. `weight_g` and `zone` are ours."""

    quoted: int | None = None
    charged: int | None = None
    service: str = ""
    routing_code: str = ""
    why_chosen: str = ""
    cod_amount: int | None = None
    insured: int | None = None
    weight_g: int | None = None
    handover: str = ""
    zone: str = ""
    promised_days: int | None = None


def open_claim(
    session: Session,
    *,
    parcel_id: int,
    attempt: int,
    reference: str,
    step: str,
    owner: str,
    request: Any,
    not_before_settle_ms: int,
    now_ms: int,
    vault: Vault,
    courier_channel_id: int | None = None,
    cod_amount: int | None = None,
) -> int:
    """Commit an attempt before its call. The database refuses a second open claim of the parcel and a used reference.

    Raises `LeaseLost` when the parcel may not be booked any more, or a courier of ours would collect another amount (`cod_amount`) than
    the order's.
    """
    order = session.execute(
        text(
            "SELECT sales_order.state, sales_order.cod, sales_order.total FROM parcel "
            "JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE parcel.id = :p AND parcel.state IN ('ready', 'packed', 'pickup_retry')"
        ),
        {"p": parcel_id},
    ).first()
    if order is None or order.state not in SHIPPABLE_STATES:
        raise LeaseLost(f"parcel {parcel_id} may not be booked any more")
    if courier_channel_id is not None and cod_amount != (order.total if order.cod else None):
        raise LeaseLost(f"what the buyer of parcel {parcel_id} owes has changed")
    claim_id = session.execute(
        insert(_CLAIM).returning(_CLAIM.c.id),
        {
            "parcel_id": parcel_id,
            "attempt": attempt,
            "reference": reference,
            "state": "open",
            "step": step,
            "sends": 1,
            "draft_id": "",
            "booking_id": "",
            "owner": owner,
            "sealed": vault.seal_json(request, CLAIM_PURPOSE),
            "created_ms": now_ms,
            "sent_ms": now_ms,
            "not_before_settle_ms": not_before_settle_ms,
            "looks": 0,
            "detail": "",
        },
    ).scalar_one()
    if courier_channel_id is not None:
        session.execute(
            text("UPDATE parcel SET courier_channel_id = :k WHERE id = :p"), {"k": courier_channel_id, "p": parcel_id}
        )
    return int(claim_id)


def advance_claim(
    session: Session,
    claim_id: int,
    *,
    step: str,
    not_before_settle_ms: int,
    draft_id: str = "",
    booking_id: str = "",
    sending: bool = False,
    request: Any = None,
    vault: Vault | None = None,
    detail: str = "",
    now_ms: int,
) -> None:
    """Commit the next step of an open claim, before it is sent (`sending`) or as the result of the last one."""
    session.execute(
        text(
            "UPDATE claim SET step = :step, draft_id = CASE WHEN :d <> '' THEN :d ELSE draft_id END, "
            "booking_id = CASE WHEN :b <> '' THEN :b ELSE booking_id END, sends = sends + :sends, "
            "sent_ms = CASE WHEN :sends > 0 THEN :now ELSE sent_ms END, not_before_settle_ms = :nb, detail = :detail "
            "WHERE id = :i AND state = 'open'"
        ),
        {
            "i": claim_id,
            "step": step,
            "d": draft_id,
            "b": booking_id,
            "sends": 1 if sending else 0,
            "now": now_ms,
            "nb": not_before_settle_ms,
            "detail": detail[:300],
        },
    )
    if request is not None and vault is not None:
        session.execute(
            text("UPDATE claim SET sealed = :s WHERE id = :i"),
            {"i": claim_id, "s": vault.seal_json(request, CLAIM_PURPOSE)},
        )


def settle_booked(
    session: Session,
    claim_id: int,
    remote: RemoteParcel,
    *,
    now_ms: int,
    booking_id: str = "",
    facts: CourierFacts | None = None,
) -> None:
    """The booking exists: settle the claim and bring the parcel to what the provider shows. `facts` belong to couriers of ours."""
    row = session.execute(
        text(
            "SELECT parcel.id, parcel.number, parcel.channel_id, claim.sent_ms, sales_order.remote_id, sales_order.state, "
            "sales_order.cod, sales_order.total FROM claim "
            "JOIN parcel ON parcel.id = claim.parcel_id JOIN sales_order ON sales_order.id = parcel.order_id WHERE claim.id = :i"
        ),
        {"i": claim_id},
    ).one()
    parcel_id: int = row.id
    if row.state == OrderState.CANCELLED.value:  # cancelled while the call was under way
        raise_finding(session, "cancelled_but_booked", f"{row.remote_id}/{row.number}", now_ms=now_ms)
    session.execute(
        text(
            "UPDATE claim SET state = 'booked', settled_ms = :now, booking_id = :b, detail = '' WHERE id = :i AND state <> 'booked'"
        ),
        {"i": claim_id, "now": now_ms, "b": booking_id or remote.remote_id},
    )
    update_parcel(session, parcel_id, remote, now_ms=now_ms)
    if facts is not None:
        _keep_facts(session, parcel_id, facts, sent_ms=row.sent_ms)
        due = row.total if row.cod else None
        if row.state != OrderState.CANCELLED.value and (facts.cod_amount or 0) != (due or 0):
            raise_finding(
                session, "cod_differs", f"{row.remote_id}/{row.number}", now_ms=now_ms, channel_id=row.channel_id,
                details={"order": row.remote_id, "collects": facts.cod_amount or 0, "due": due or 0},
            )  # fmt: skip
    close_finding(session, "booking_refused", str(parcel_id), now_ms=now_ms)
    close_finding(session, "booking_unsettled", str(parcel_id), now_ms=now_ms)
    close_finding(session, "booking_ended", row.remote_id, channel_id=row.channel_id, now_ms=now_ms)


def _keep_facts(session: Session, parcel_id: int, facts: CourierFacts, *, sent_ms: int) -> None:
    promised_ms = None if facts.promised_days is None else sent_ms + facts.promised_days * DAY_MS
    session.execute(
        text(
            "UPDATE parcel SET charged = COALESCE(:charged, charged), quoted = COALESCE(:quoted, quoted), "
            "service = CASE WHEN :service <> '' THEN :service ELSE service END, "
            "routing_code = CASE WHEN :routing <> '' THEN :routing ELSE routing_code END, "
            "why_chosen = CASE WHEN :why <> '' THEN :why ELSE why_chosen END, cod_amount = COALESCE(:cod, cod_amount), "
            "insured = COALESCE(:insured, insured), weight_g = COALESCE(:weight, weight_g), "
            "handover = CASE WHEN :handover <> '' THEN :handover ELSE handover END, "
            "zone = CASE WHEN :zone <> '' THEN :zone ELSE zone END, promised_ms = COALESCE(:promised, promised_ms) WHERE id = :p"
        ),
        {"p": parcel_id, "charged": facts.charged, "quoted": facts.quoted, "service": facts.service, "routing": facts.routing_code,
         "why": facts.why_chosen, "cod": facts.cod_amount, "insured": facts.insured, "weight": facts.weight_g,
         "handover": facts.handover, "zone": facts.zone, "promised": promised_ms},
    )  # fmt: skip


def settle_dead(
    session: Session, claim_id: int, why: str, *, now_ms: int, parcel: RemoteParcel | None = None, wait_ms: int = 0
) -> None:
    """The attempt certainly led to no booking: the parcel may be claimed again, by the trips not before `wait_ms` are over."""
    row = session.execute(text("SELECT parcel_id FROM claim WHERE id = :i"), {"i": claim_id}).one()
    session.execute(
        text(
            "UPDATE claim SET state = 'dead', settled_ms = :now, not_before_settle_ms = :again, detail = :d "
            "WHERE id = :i AND state = 'open'"
        ),
        {"i": claim_id, "now": now_ms, "again": now_ms + wait_ms, "d": why[:300]},
    )
    if parcel is not None:
        update_parcel(session, row.parcel_id, parcel, now_ms=now_ms)


def settle_by_person(session: Session, claim_id: int, why: str, *, now_ms: int) -> None:
    """Nobody can tell by machine: the parcel waits for a person."""
    row = session.execute(
        text(
            "SELECT claim.parcel_id, claim.reference, sales_order.remote_id FROM claim JOIN parcel ON parcel.id = claim.parcel_id "
            "JOIN sales_order ON sales_order.id = parcel.order_id WHERE claim.id = :i"
        ),
        {"i": claim_id},
    ).one()
    session.execute(
        text("UPDATE claim SET state = 'person', detail = :d WHERE id = :i"), {"i": claim_id, "d": why[:300]}
    )
    raise_finding(session, "booking_unsettled", str(row.parcel_id), now_ms=now_ms,
                  details={"order": row.remote_id, "reference": row.reference, "why": why})  # fmt: skip


def note_refusal(session: Session, parcel_id: int, why: str, *, now_ms: int, order: str, reject: str) -> None:
    """A booking was refused for a reason that a person must remove."""
    raise_finding(
        session, "booking_refused", str(parcel_id), now_ms=now_ms, details={"order": order, "why": why, "class": reject}
    )


def postpone_claim(session: Session, claim_id: int, *, not_before_settle_ms: int, detail: str) -> None:
    """Looked and did not see it yet: look again later."""
    session.execute(
        text("UPDATE claim SET looks = looks + 1, not_before_settle_ms = :nb, detail = :d WHERE id = :i"),
        {"i": claim_id, "nb": not_before_settle_ms, "d": detail[:300]},
    )
