"""Queries about orders. Read-only functions of a session, answering frozen values; buyer data leaves this module masked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import OrderState
from sellersync.domain.returns import RemoteReturn
from sellersync.domain.times import from_epoch_ms

from .cancellations import RequestOfOrder, requests_of
from .orders import BUYER_PURPOSE
from .posting import unpack_units
from .reads import at
from .reads_order_desk import SeenState, tracking_of_order
from .reads_returns import ReturnCase, returns_of_order
from .reads_stock import MovementLine, order_movements
from .remote_returns import remote_returns_of
from .settlements import SettlementLine, settlements_of
from .vault import Vault


@dataclass(frozen=True, slots=True)
class OrderHead:
    """An order in a list. `units` are all units of its lines; amounts are whole rupiah, `None` when unknown."""

    id: int
    channel: str
    remote_id: str
    number: str
    storefront: str
    state: str
    remote_status: str
    created: datetime
    paid: datetime | None
    ship_by: datetime | None
    units: int
    total: int | None
    cod: bool
    parked: bool


_HEADS = (
    "SELECT sales_order.*, channel.slug, "
    "(SELECT COALESCE(SUM(quantity), 0) FROM order_line WHERE order_line.order_id = sales_order.id) AS units, "
    "(SELECT COUNT(*) FROM order_line WHERE order_line.order_id = sales_order.id AND order_line.ours "
    "AND (order_line.recipe_id IS NULL OR order_line.warehouse_id IS NULL)) AS parked_lines "
    "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
)


def orders(
    session: Session,
    *,
    channel: str | None = None,
    state: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    limit: int,
) -> list[OrderHead]:
    """The newest orders placed in [since_ms, until_ms), newest first. Raises `BadInput` for an unknown state."""
    if state is not None and state not in set(OrderState):
        raise BadInput(f"no order state {state!r}; there are: {', '.join(OrderState)}")
    rows = session.execute(
        text(
            f"{_HEADS} WHERE (CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT)) "
            "AND (CAST(:s AS TEXT) IS NULL OR sales_order.state = CAST(:s AS TEXT)) "
            "AND (CAST(:since AS BIGINT) IS NULL OR sales_order.created_ms >= CAST(:since AS BIGINT)) "
            "AND (CAST(:until AS BIGINT) IS NULL OR sales_order.created_ms < CAST(:until AS BIGINT)) "
            "ORDER BY sales_order.created_ms DESC, sales_order.id DESC LIMIT :n"
        ),
        {"c": channel, "s": state, "since": since_ms, "until": until_ms, "n": limit},
    )
    return [_head(row) for row in rows]


def _head(row: object) -> OrderHead:
    found = row._mapping  # type: ignore[attr-defined]
    return OrderHead(
        found["id"],
        found["slug"],
        found["remote_id"],
        found["number"],
        found["storefront"],
        found["state"],
        found["remote_status"],
        from_epoch_ms(found["created_ms"], where="order"),
        at(found["paid_ms"]),
        at(found["ship_by_ms"]),
        int(found["units"]),
        found["total"],
        bool(found["cod"]),
        bool(found["parked_lines"]) or bool(_problems(found["problems"])),
    )


def _problems(packed: str) -> tuple[str, ...]:
    return tuple(json.loads(packed)) if packed else ()


# ------------------------------------------------------------------------------------------------------------------------ one order


@dataclass(frozen=True, slots=True)
class LineOfOrder:
    """A line: `stages` says how many units stand where, `made_of` is its frozen recipe (empty: the line is parked)."""

    listing: str
    seller_sku: str
    title: str
    quantity: int
    unit_price: int | None
    stages: dict[str, int]
    made_of: dict[str, int]
    warehouse: str
    ours: bool


@dataclass(frozen=True, slots=True)
class PositionOfOrder:
    """What the order holds of a SKU."""

    sku: str
    warehouse: str
    reserved: int
    shipped: int


@dataclass(frozen=True, slots=True)
class ParcelOfOrder:
    """A parcel: `quoted` is the offer's price, `charged` the courier's at booking, `adjusted` what it became; `why` as
    `domain.courier_rules.read_why` reads it, `cancel` what became of a wish to cancel it."""

    number: int
    state: str
    remote_id: str
    courier: str
    service: str
    waybill: str
    adopted: bool
    quoted: int | None
    charged: int | None
    adjusted: int | None
    why: str
    cancel: str
    booked: datetime | None
    picked_up: datetime | None
    delivered: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimOfOrder:
    """An attempt to book a parcel."""

    parcel: int
    attempt: int
    reference: str
    state: str
    step: str
    sends: int
    created: datetime
    settled: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class PushOfOrder:
    """The first level sent to a target that knew of one of the order's movements."""

    channel: str
    target: str
    level: int
    sent: datetime
    answered: datetime | None
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class FindingOfOrder:
    kind: str
    since: datetime
    closed: datetime | None


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """Everything about one order. `buyer` is masked; `seen` is when the ledger first recorded it."""

    head: OrderHead
    seen: datetime
    changed: datetime
    cancelled: datetime | None
    cancel_reason: str
    payment_method: str
    courier_service: str
    gone: str
    problems: tuple[str, ...]
    buyer: str
    lines: tuple[LineOfOrder, ...]
    positions: tuple[PositionOfOrder, ...]
    parcels: tuple[ParcelOfOrder, ...]
    claims: tuple[ClaimOfOrder, ...]
    returns: tuple[ReturnCase, ...]
    movements: tuple[MovementLine, ...]
    pushes: tuple[PushOfOrder, ...]
    findings: tuple[FindingOfOrder, ...]
    cancellations: tuple[RequestOfOrder, ...]
    remote_returns: tuple[RemoteReturn, ...]
    """As the provider shows them."""
    settlements: tuple[SettlementLine, ...]
    tracking: tuple[SeenState, ...]


def find_orders(session: Session, name: str) -> list[OrderHead]:
    """Orders by anything a person may hold in hand: the provider's order id or number, a parcel's id, a waybill, our reference."""
    rows = session.execute(
        text(
            f"{_HEADS} WHERE sales_order.remote_id = :n OR sales_order.number = :n OR sales_order.id IN ("
            "SELECT order_id FROM parcel WHERE remote_id = :n OR waybill = :n) OR sales_order.id IN ("
            "SELECT parcel.order_id FROM claim JOIN parcel ON parcel.id = claim.parcel_id WHERE claim.reference = :n) "
            "ORDER BY sales_order.id"
        ),
        {"n": name},
    )
    return [_head(row) for row in rows]


def whole_order(session: Session, order_id: int, *, vault: Vault) -> WholeOrder:
    """One order with all that belongs to it."""
    row = session.execute(text(f"{_HEADS} WHERE sales_order.id = :o"), {"o": order_id}).one()
    found = row._mapping
    return WholeOrder(
        head=_head(row),
        seen=from_epoch_ms(found["seen_ms"], where="order"),
        changed=from_epoch_ms(found["changed_ms"], where="order"),
        cancelled=at(found["cancelled_ms"]),
        cancel_reason=found["cancel_reason"],
        payment_method=found["payment_method"],
        courier_service=found["courier_service"],
        gone=found["gone"],
        problems=_problems(found["problems"]),
        buyer=_masked_buyer(session, order_id, vault),
        lines=_lines(session, order_id),
        positions=_positions(session, order_id),
        parcels=_parcels(session, order_id),
        claims=_claims(session, order_id),
        returns=returns_of_order(session, order_id),
        movements=tuple(order_movements(session, order_id)),
        pushes=_pushes(session, order_id),
        findings=_findings(session, found["channel_id"], found["remote_id"]),
        cancellations=requests_of(session, order_id),
        remote_returns=remote_returns_of(session, order_id),
        settlements=settlements_of(session, order_id),
        tracking=tracking_of_order(session, order_id),
    )


def _masked_buyer(session: Session, order_id: int, vault: Vault) -> str:
    """First letters, the end of the number, the city: enough to recognise a caller, not enough to find one."""
    sealed = session.execute(text("SELECT sealed FROM buyer WHERE order_id = :o"), {"o": order_id}).scalar()
    if sealed is None:
        return ""
    buyer = vault.open_json(sealed, BUYER_PURPOSE)
    name = " ".join(f"{word[0]}***" for word in str(buyer.get("name") or "").split())
    phone = str(buyer.get("phone") or "")
    parts = [name, f"***{phone[-3:]}" if len(phone) > 6 else "", str(buyer.get("city") or "")]
    return ", ".join(part for part in parts if part) or "sealed"


def _lines(session: Session, order_id: int) -> tuple[LineOfOrder, ...]:
    rows = session.execute(
        text(
            "SELECT order_line.*, warehouse.code FROM order_line LEFT JOIN warehouse ON warehouse.id = order_line.warehouse_id "
            "WHERE order_line.order_id = :o ORDER BY order_line.id"
        ),
        {"o": order_id},
    ).all()
    recipes = session.execute(
        text(
            "SELECT order_line.id, sku.code, recipe_item.quantity FROM order_line "
            "JOIN recipe_item ON recipe_item.recipe_id = order_line.recipe_id JOIN sku ON sku.id = recipe_item.sku_id "
            "WHERE order_line.order_id = :o ORDER BY order_line.id, sku.code"
        ),
        {"o": order_id},
    )
    made_of: dict[int, dict[str, int]] = {}
    for item in recipes:
        made_of.setdefault(item.id, {})[item.code] = item.quantity
    lines = []
    for row in rows:
        stages: dict[str, int] = {}
        for unit in unpack_units(row.units):
            stages[unit.stage.value] = stages.get(unit.stage.value, 0) + unit.count
        lines.append(
            LineOfOrder(
                row.listing_key,
                row.seller_sku,
                row.title,
                row.quantity,
                row.unit_price,
                stages,
                made_of.get(row.id, {}),
                row.code or "",
                bool(row.ours),
            )
        )
    return tuple(lines)


def _positions(session: Session, order_id: int) -> tuple[PositionOfOrder, ...]:
    rows = session.execute(
        text(
            "SELECT sku.code, warehouse.code AS warehouse, order_position.reserved, order_position.shipped FROM order_position "
            "JOIN sku ON sku.id = order_position.sku_id JOIN warehouse ON warehouse.id = order_position.warehouse_id "
            "WHERE order_position.order_id = :o ORDER BY sku.code, warehouse.id"
        ),
        {"o": order_id},
    )
    return tuple(PositionOfOrder(row.code, row.warehouse, row.reserved, row.shipped) for row in rows)


_OF_ORDER = (
    "(parcel.order_id = :o OR parcel.id IN (SELECT parcel_unit.parcel_id FROM parcel_unit "
    "JOIN order_line ON order_line.id = parcel_unit.line_id WHERE order_line.order_id = :o))"
)


def _parcels(session: Session, order_id: int) -> tuple[ParcelOfOrder, ...]:
    rows = session.execute(text(f"SELECT * FROM parcel WHERE {_OF_ORDER} ORDER BY parcel.id"), {"o": order_id})
    return tuple(
        ParcelOfOrder(
            row.number,
            row.state,
            row.remote_id,
            row.courier,
            row.service,
            row.waybill,
            bool(row.adopted),
            row.quoted,
            row.charged,
            row.adjusted,
            row.why_chosen,
            row.cancel,
            at(row.booked_ms),
            at(row.picked_up_ms),
            at(row.delivered_ms),
        )
        for row in rows
    )


def _claims(session: Session, order_id: int) -> tuple[ClaimOfOrder, ...]:
    rows = session.execute(
        text(
            "SELECT claim.*, parcel.number FROM claim JOIN parcel ON parcel.id = claim.parcel_id "
            f"WHERE {_OF_ORDER} ORDER BY claim.id"
        ),
        {"o": order_id},
    )
    return tuple(
        ClaimOfOrder(
            row.number,
            row.attempt,
            row.reference,
            row.state,
            row.step,
            row.sends,
            from_epoch_ms(row.created_ms, where="claim"),
            at(row.settled_ms),
            row.detail,
        )
        for row in rows
    )


def _pushes(session: Session, order_id: int) -> tuple[PushOfOrder, ...]:
    """Per target and posting of the order: the first push whose ledger version includes that posting."""
    rows = session.execute(
        text(
            "SELECT channel.slug, target.remote_key, push.level, push.sent_ms, push.answered_ms, push.outcome, push.detail "
            "FROM push JOIN target ON target.id = push.target_id JOIN channel ON channel.id = target.channel_id "
            "WHERE push.id IN (SELECT MIN(later.id) FROM ("
            "SELECT sku_id, revision, MAX(id) AS version FROM movement WHERE cause_kind = 'order' AND cause_id = :o "
            "AND 'available' IN (source, destination) GROUP BY sku_id, revision) AS posting "
            "JOIN recipe_item ON recipe_item.sku_id = posting.sku_id "
            "JOIN listing ON listing.recipe_id = recipe_item.recipe_id "
            "JOIN listing_target ON listing_target.listing_id = listing.id "
            "JOIN push AS later ON later.target_id = listing_target.target_id AND later.ledger_version >= posting.version "
            "GROUP BY listing_target.target_id, posting.revision) ORDER BY push.id"
        ),
        {"o": order_id},
    )
    return tuple(
        PushOfOrder(
            row.slug,
            row.remote_key,
            row.level,
            from_epoch_ms(row.sent_ms, where="push"),
            at(row.answered_ms),
            row.outcome,
            row.detail,
        )
        for row in rows
    )


def _findings(session: Session, channel_id: int, remote_id: str) -> tuple[FindingOfOrder, ...]:
    rows = session.execute(
        text(
            "SELECT kind, since_ms, closed_ms FROM finding WHERE channel_id = :c AND (subject = :s "
            "OR details LIKE :d) ORDER BY id"
        ),
        {"c": channel_id, "s": remote_id, "d": f'%"order": {json.dumps(remote_id)}%'},
    )
    return tuple(
        FindingOfOrder(row.kind, from_epoch_ms(row.since_ms, where="finding"), at(row.closed_ms)) for row in rows
    )
