"""Bookings: a claim is committed before every call, and an answer settles it (L9).

The database holds the rest: one open claim a parcel, and a reference is used once (L3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.errors import LeaseLost
from sellersync.domain.orders import Buyer, OrderState
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.times import from_epoch_ms

from .findings import close_finding, raise_finding
from .orders import BUYER_PURPOSE
from .parcels import make_parcels, update_parcel
from .posting import in_list
from .tables import Claim
from .vault import Vault

_CLAIM = Claim.__table__  # type: ignore[attr-defined]
CLAIM_PURPOSE = "claim"
SHIPPABLE_STATES = ("ready", "booked")
"""Order states in which a parcel may be booked; BOOKED because one of several parcels may still wait."""


@dataclass(frozen=True, slots=True)
class LineInParcel:
    """Units of one order line in a parcel; `weight_g` of one listing unit, `None` when unknown."""

    line_id: int
    line_key: str
    title: str
    seller_sku: str
    unit_keys: tuple[str, ...]
    count: int
    unit_price: int | None
    weight_g: int | None


@dataclass(frozen=True, slots=True)
class BookableParcel:
    """A parcel that may be booked now, with all that a booking needs to know."""

    parcel_id: int
    number: int
    state: ParcelState
    remote_id: str
    channel_id: int
    order_id: int
    order_remote_id: str
    order_number: str
    cod: bool
    order_total: int | None
    lines: tuple[LineInParcel, ...]
    last_attempt: int
    waybill: str = ""
    courier_service: str = ""


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """An attempt whose outcome is open."""

    id: int
    parcel_id: int
    channel_id: int
    order_remote_id: str
    parcel_remote_id: str
    parcel_number: int
    courier_channel_id: int | None
    attempt: int
    reference: str
    step: str
    sends: int
    looks: int
    draft_id: str
    booking_id: str
    not_before_settle_ms: int
    request: Any


def bookable_parcels(session: Session, channel_id: int, *, now_ms: int, limit: int) -> list[BookableParcel]:
    """Parcels of this channel that may be booked now, the most urgent first; parcels that only we can make are made here.

    A parcel waits while its order may not be shipped, has problems, has an unmapped line, or while a claim on it is open or with a
    person.
    """
    orders = session.execute(
        text(
            "SELECT sales_order.id FROM sales_order WHERE channel_id = :c AND state IN ('ready', 'booked') AND problems = '' "
            "AND NOT EXISTS (SELECT 1 FROM parcel WHERE parcel.order_id = sales_order.id AND parcel.state NOT IN ('cancelled', 'failed')) "
            "AND NOT EXISTS (SELECT 1 FROM parcel_unit JOIN order_line ON order_line.id = parcel_unit.line_id "
            "WHERE order_line.order_id = sales_order.id AND parcel_unit.live) "
            "ORDER BY CASE WHEN ship_by_ms IS NULL THEN 1 ELSE 0 END, ship_by_ms, id LIMIT :n"
        ),
        {"c": channel_id, "n": limit},
    )
    make_parcels(session, channel_id, [row.id for row in orders], now_ms=now_ms)
    rows = session.execute(
        text(
            "SELECT parcel.id, parcel.number, parcel.state, parcel.remote_id, parcel.order_id, parcel.waybill, parcel.courier_channel_id, "
            "sales_order.remote_id AS order_remote_id, sales_order.number AS order_number, sales_order.cod, sales_order.total, "
            "sales_order.courier_service, "
            "(SELECT COALESCE(MAX(attempt), 0) FROM claim WHERE claim.parcel_id = parcel.id) AS last_attempt "
            "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE parcel.channel_id = :c AND parcel.state IN ('ready', 'packed', 'pickup_retry') "
            "AND sales_order.state IN ('ready', 'booked') AND sales_order.problems = '' "
            "AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.parcel_id = parcel.id AND claim.state IN ('open', 'person')) "
            "AND NOT EXISTS (SELECT 1 FROM order_line WHERE order_line.order_id = sales_order.id AND order_line.ours "
            "AND (order_line.recipe_id IS NULL OR order_line.warehouse_id IS NULL)) "
            "ORDER BY CASE WHEN parcel.ship_by_ms IS NULL THEN 1 ELSE 0 END, parcel.ship_by_ms, parcel.id LIMIT :n"
        ),
        {"c": channel_id, "n": limit},
    ).all()
    lines = _lines_in(session, [row.id for row in rows])
    return [
        BookableParcel(
            row.id,
            row.number,
            ParcelState(row.state),
            row.remote_id,
            channel_id,
            row.order_id,
            row.order_remote_id,
            row.order_number,
            bool(row.cod),
            row.total,
            tuple(lines.get(row.id, ())),
            row.last_attempt,
            row.waybill,
            row.courier_service,
        )
        for row in rows
        if lines.get(row.id) or row.remote_id
    ]


def _lines_in(session: Session, parcel_ids: Sequence[int]) -> dict[int, list[LineInParcel]]:
    if not parcel_ids:
        return {}
    rows = session.execute(
        text(
            "SELECT parcel_unit.parcel_id, parcel_unit.unit_key, order_line.id AS line_id, order_line.line_key, order_line.title, "
            "order_line.seller_sku, order_line.unit_price, order_line.recipe_id FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id "
            f"WHERE parcel_unit.live AND parcel_unit.parcel_id IN ({in_list(parcel_ids)}) ORDER BY order_line.id, parcel_unit.unit_key"
        )
    ).all()
    weights = _recipe_weights(session, {row.recipe_id for row in rows if row.recipe_id is not None})
    grouped: dict[int, dict[int, list[Any]]] = {}
    for row in rows:
        grouped.setdefault(row.parcel_id, {}).setdefault(row.line_id, []).append(row)
    return {
        parcel_id: [
            LineInParcel(
                line_id,
                units[0].line_key,
                units[0].title,
                units[0].seller_sku,
                tuple(unit.unit_key for unit in units if not unit.unit_key.startswith("#")),
                len(units),
                units[0].unit_price,
                weights.get(units[0].recipe_id),
            )
            for line_id, units in by_line.items()
        ]
        for parcel_id, by_line in grouped.items()
    }


def _recipe_weights(session: Session, recipe_ids: set[int]) -> dict[int, int | None]:
    if not recipe_ids:
        return {}
    rows = session.execute(
        text(
            "SELECT recipe_id, SUM(sku.weight_g * quantity) AS grams, SUM(CASE WHEN sku.weight_g IS NULL THEN 1 ELSE 0 END) AS unknown "
            f"FROM recipe_item JOIN sku ON sku.id = recipe_item.sku_id WHERE recipe_id IN ({in_list(recipe_ids)}) GROUP BY recipe_id"
        )
    )
    return {row.recipe_id: None if row.unknown else int(row.grams) for row in rows}


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
) -> int:
    """Commit an attempt before its call. The database refuses a second open claim of the parcel and a used reference."""
    state = session.execute(
        text(
            "SELECT sales_order.state FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE parcel.id = :p AND parcel.state IN ('ready', 'packed', 'pickup_retry')"
        ),
        {"p": parcel_id},
    ).scalar()
    if state not in SHIPPABLE_STATES:
        raise LeaseLost(f"parcel {parcel_id} may not be booked any more")
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
    charged: int | None = None,
    quoted: int | None = None,
    service: str = "",
    routing_code: str = "",
    why_chosen: str = "",
    cod_amount: int | None = None,
) -> None:
    """The booking exists: settle the claim and bring the parcel to what the provider shows."""
    row = session.execute(
        text(
            "SELECT parcel.id, parcel.number, sales_order.remote_id, sales_order.state FROM claim "
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
    session.execute(
        text(
            "UPDATE parcel SET charged = COALESCE(:charged, charged), quoted = COALESCE(:quoted, quoted), "
            "service = CASE WHEN :service <> '' THEN :service ELSE service END, "
            "routing_code = CASE WHEN :routing <> '' THEN :routing ELSE routing_code END, "
            "why_chosen = CASE WHEN :why <> '' THEN :why ELSE why_chosen END, cod_amount = COALESCE(:cod, cod_amount) WHERE id = :p"
        ),
        {"p": parcel_id, "charged": charged, "quoted": quoted, "service": service, "routing": routing_code, "why": why_chosen,
         "cod": cod_amount},
    )  # fmt: skip
    close_finding(session, "booking_refused", str(parcel_id), now_ms=now_ms)
    close_finding(session, "booking_unsettled", str(parcel_id), now_ms=now_ms)


def settle_dead(session: Session, claim_id: int, why: str, *, now_ms: int, parcel: RemoteParcel | None = None) -> None:
    """The attempt certainly led to no booking: the parcel may be claimed again."""
    row = session.execute(text("SELECT parcel_id FROM claim WHERE id = :i"), {"i": claim_id}).one()
    session.execute(
        text("UPDATE claim SET state = 'dead', settled_ms = :now, detail = :d WHERE id = :i AND state = 'open'"),
        {"i": claim_id, "now": now_ms, "d": why[:300]},
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


def due_claims(session: Session, channel_id: int, *, now_ms: int, vault: Vault) -> list[OpenClaim]:
    """Open claims of this channel's parcels that may be settled now; nobody touches one before its time."""
    rows = session.execute(
        text(
            "SELECT claim.*, parcel.channel_id, parcel.remote_id AS parcel_remote_id, parcel.number, parcel.courier_channel_id, "
            "sales_order.remote_id AS order_remote_id FROM claim JOIN parcel ON parcel.id = claim.parcel_id "
            "JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE claim.state = 'open' AND parcel.channel_id = :c AND claim.not_before_settle_ms <= :now ORDER BY claim.id"
        ),
        {"c": channel_id, "now": now_ms},
    )
    return [
        OpenClaim(
            row.id, row.parcel_id, row.channel_id, row.order_remote_id, row.parcel_remote_id, row.number, row.courier_channel_id,
            row.attempt, row.reference, row.step, row.sends, row.looks, row.draft_id, row.booking_id, row.not_before_settle_ms,
            vault.open_json(row.sealed, CLAIM_PURPOSE),
        )
        for row in rows
    ]  # fmt: skip


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
    """Booked parcels of this channel that are due for a look: fresh ones and those without a waybill often, old ones rarely."""
    rows = session.execute(
        text(
            "SELECT parcel.id, sales_order.remote_id AS order_remote_id, parcel.remote_id, parcel.state, parcel.waybill, "
            "COALESCE(parcel.booked_ms, parcel.created_ms) AS booked_ms, parcel.tracked_ms, parcel.courier_channel_id "
            "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.channel_id = :c "
            "AND parcel.state IN ('booked', 'picked_up', 'in_transit', 'out_for_delivery', 'problem', 'pickup_retry', "
            "'returning', 'unknown') "
            "AND parcel.remote_id <> '' AND (parcel.tracked_ms IS NULL OR parcel.tracked_ms <= :now - :every * "
            "(CASE WHEN parcel.waybill = '' OR COALESCE(parcel.booked_ms, parcel.created_ms) > :now - :fresh THEN 1 ELSE 12 END)) "
            "ORDER BY COALESCE(parcel.tracked_ms, 0), parcel.id LIMIT :n"
        ),
        {"c": channel_id, "now": now_ms, "fresh": fresh_ms, "every": every_ms, "n": limit},
    )
    return [
        TrackedParcel(row.id, row.order_remote_id, row.remote_id, ParcelState(row.state), row.waybill, row.booked_ms, row.tracked_ms,
                      row.courier_channel_id)
        for row in rows
    ]  # fmt: skip


def note_tracked(session: Session, parcel_id: int, remote: RemoteParcel | None, *, now_ms: int) -> bool:
    """Keep what a look at a parcel showed (`None`: nothing was shown). Returns whether it changed."""
    session.execute(text("UPDATE parcel SET tracked_ms = :now WHERE id = :p"), {"p": parcel_id, "now": now_ms})
    return update_parcel(session, parcel_id, remote, now_ms=now_ms) if remote is not None else False


def recipient(session: Session, order_id: int, vault: Vault) -> Buyer | None:
    """The buyer of an order, opened for one booking."""
    sealed = session.execute(text("SELECT sealed FROM buyer WHERE order_id = :o"), {"o": order_id}).scalar()
    return None if sealed is None else Buyer(**vault.open_json(sealed, BUYER_PURPOSE))


def claim_age_ms(session: Session, claim_id: int, *, now_ms: int) -> int:
    """How long ago a claim was opened."""
    created = session.execute(text("SELECT created_ms FROM claim WHERE id = :i"), {"i": claim_id}).scalar_one()
    return int(now_ms - created)


def next_settle(session: Session, channel_id: int) -> Any:
    """When the next open claim of a channel may be settled, or `None`."""
    ms = session.execute(
        text(
            "SELECT MIN(not_before_settle_ms) FROM claim JOIN parcel ON parcel.id = claim.parcel_id "
            "WHERE claim.state = 'open' AND parcel.channel_id = :c"
        ),
        {"c": channel_id},
    ).scalar()
    return None if ms is None else from_epoch_ms(ms, where="claim")


def sends_of(session: Session, claim_id: int) -> int:
    """How often a claim's call was begun."""
    return int(session.execute(text("SELECT sends FROM claim WHERE id = :i"), {"i": claim_id}).scalar_one())
