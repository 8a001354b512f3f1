"""What the trips of parcels read: parcels that may be booked, claims that may be settled, parcels that are due for a look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import Buyer, UnitStage
from sellersync.domain.parcels import ParcelState

from .bookings import CLAIM_PURPOSE
from .cancels import FAILED_MAX
from .orders import BUYER_PURPOSE
from .parcels import make_parcels
from .posting import in_list, unpack_units
from .vault import Vault


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


def bookable_parcels(
    session: Session, channel_id: int, *, now_ms: int, limit: int, only: int | None = None
) -> list[BookableParcel]:
    """Parcels of this channel that may be booked now, the most urgent first; parcels that only we can make are made here.

    A parcel waits while its order may not be shipped, has problems, has an unmapped line, while a claim on it is open or with a person,
    and for a while after a refusal. Goods whose booking a person cancelled wait until somebody wants them sent again. `only` names one
    order (our own id) whose refusals are not waited for.
    """
    orders = session.execute(
        text(
            "SELECT sales_order.id FROM sales_order WHERE channel_id = :c AND state IN ('ready', 'booked') AND problems = '' "
            "AND NOT EXISTS (SELECT 1 FROM parcel WHERE parcel.order_id = sales_order.id AND parcel.state NOT IN ('cancelled', 'failed')) "
            "AND NOT EXISTS (SELECT 1 FROM parcel_unit JOIN order_line ON order_line.id = parcel_unit.line_id "
            "WHERE order_line.order_id = sales_order.id AND parcel_unit.live) "
            "AND NOT EXISTS (SELECT 1 FROM parcel WHERE parcel.order_id = sales_order.id AND parcel.cancel = 'done' "
            "AND NOT parcel.rebook) "
            "AND (SELECT COUNT(*) FROM parcel WHERE parcel.order_id = sales_order.id AND parcel.state = 'failed' "
            "AND NOT parcel.rebook) < :failed "
            "AND (CAST(:only AS BIGINT) IS NULL OR sales_order.id = CAST(:only AS BIGINT)) "
            "ORDER BY CASE WHEN ship_by_ms IS NULL THEN 1 ELSE 0 END, ship_by_ms, id LIMIT :n"
        ),
        {"c": channel_id, "n": limit, "failed": FAILED_MAX, "only": only},
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
            "AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.parcel_id = parcel.id AND (claim.state IN ('open', 'person') "
            "OR (claim.state = 'dead' AND claim.not_before_settle_ms > :now AND CAST(:only AS BIGINT) IS NULL))) "
            "AND (CAST(:only AS BIGINT) IS NULL OR sales_order.id = CAST(:only AS BIGINT)) "
            "AND NOT EXISTS (SELECT 1 FROM order_line WHERE order_line.order_id = sales_order.id AND order_line.ours "
            "AND (order_line.recipe_id IS NULL OR order_line.warehouse_id IS NULL)) "
            "ORDER BY CASE WHEN parcel.ship_by_ms IS NULL THEN 1 ELSE 0 END, parcel.ship_by_ms, parcel.id LIMIT :n"
        ),
        {"c": channel_id, "n": limit, "now": now_ms, "only": only},
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


def quotable_parcel(session: Session, order_id: int, number: int | None = None) -> BookableParcel | None:
    """What would be sent for an order, as couriers are asked about it: a parcel (the newest that lives, or `number`), else all its open
    units. `None` when there is nothing to send. Changes nothing."""
    order = session.execute(text("SELECT * FROM sales_order WHERE id = :o"), {"o": order_id}).one()
    parcel = session.execute(
        text(
            "SELECT * FROM parcel WHERE order_id = :o AND (CAST(:n AS BIGINT) IS NULL AND state NOT IN ('cancelled', 'failed') "
            "OR number = CAST(:n AS BIGINT)) ORDER BY id DESC"
        ),
        {"o": order_id, "n": number},
    ).first()
    if parcel is not None:
        lines = tuple(_lines_in(session, [parcel.id]).get(parcel.id, ()))
    elif number is None:
        lines = _open_lines(session, order_id)
    else:
        lines = ()
    if not lines:
        return None
    return BookableParcel(
        0 if parcel is None else parcel.id, 1 if parcel is None else parcel.number,
        ParcelState.READY if parcel is None else ParcelState(parcel.state), "" if parcel is None else parcel.remote_id,
        order.channel_id, order_id, order.remote_id, order.number, bool(order.cod), order.total, lines, 0,
    )  # fmt: skip


def _open_lines(session: Session, order_id: int) -> tuple[LineInParcel, ...]:
    rows = session.execute(
        text("SELECT * FROM order_line WHERE order_id = :o AND ours ORDER BY id"), {"o": order_id}
    ).all()
    weights = _recipe_weights(session, {row.recipe_id for row in rows if row.recipe_id is not None})
    counts = {row.id: sum(u.count for u in unpack_units(row.units) if u.stage is UnitStage.OPEN) for row in rows}
    return tuple(
        LineInParcel(row.id, row.line_key, row.title, row.seller_sku, (), counts[row.id], row.unit_price, weights.get(row.recipe_id))
        for row in rows
        if counts[row.id]
    )  # fmt: skip


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


def recipient(session: Session, order_id: int, vault: Vault) -> Buyer | None:
    """The buyer of an order, opened for one booking."""
    sealed = session.execute(text("SELECT sealed FROM buyer WHERE order_id = :o"), {"o": order_id}).scalar()
    return None if sealed is None else Buyer(**vault.open_json(sealed, BUYER_PURPOSE))


def why_not_booked(session: Session, order_id: int) -> str:
    """Why the booking of an order's parcel was refused last, or its outcome is not known; "" where neither is so."""
    claim = session.execute(
        text(
            "SELECT claim.detail FROM claim JOIN parcel ON parcel.id = claim.parcel_id WHERE parcel.order_id = :o "
            "AND claim.state IN ('open', 'person') ORDER BY claim.id DESC"
        ),
        {"o": order_id},
    ).first()
    if claim is not None:
        return f"its outcome is not known yet{': ' if claim.detail else ''}{claim.detail}"
    refused = session.execute(
        text(
            "SELECT finding.details FROM finding JOIN parcel ON finding.subject = CAST(parcel.id AS TEXT) "
            "WHERE finding.kind = 'booking_refused' AND finding.closed_ms IS NULL AND parcel.order_id = :o ORDER BY finding.id DESC"
        ),
        {"o": order_id},
    ).first()
    return "" if refused is None else str(json.loads(refused.details).get("why", ""))


def sends_of(session: Session, claim_id: int) -> int:
    """How often a claim's call was begun."""
    return int(session.execute(text("SELECT sends FROM claim WHERE id = :i"), {"i": claim_id}).scalar_one())
