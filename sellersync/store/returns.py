"""Return documents: opened and taken back by facts, whichever is seen first, again and again with the same end.

A document moves its units from `shipped` to `returning`, and back when what announced it is called off. The goods themselves are a
person's matter (`grading`). A line without a recipe has a document too; its units move once the line is mapped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import (
    COMING,
    TAKEN_BACK,
    DocumentState,
    Evidence,
    ReturnCause,
    ReturnDocument,
    ReturnState,
    plan_documents,
)
from sellersync.domain.stock import NOTHING, Account, Leg

from .bulk import select_in
from .findings import close_finding, raise_finding
from .posting import LineWork, OrderWork, load_works, post_document

FINDING = "return_due"
ONWARD_PARCELS = frozenset(
    {ParcelState.PICKED_UP, ParcelState.IN_TRANSIT, ParcelState.OUT_FOR_DELIVERY, ParcelState.DELIVERED}
)
"""States in which a parcel that was on its way back is on its way to the buyer after all."""
WHO = "sync"


@dataclass(slots=True)
class _Facts:
    """What is known of the returns of some orders, by order id (parcels: by line id)."""

    documents: dict[int, list[Any]] = field(default_factory=dict)
    remote: dict[int, list[Any]] = field(default_factory=dict)
    parcels: dict[int, list[Any]] = field(default_factory=dict)
    revoked_parcels: frozenset[int] = frozenset()


def settle_returns(session: Session, works: Sequence[OrderWork], *, now_ms: int) -> int:
    """Bring the return documents of these orders to what the order, its parcels and the provider's returns say now.

    Returns how many units were newly announced.
    """
    if not works:
        return 0
    facts = _load(session, works)
    announced = 0
    for work in works:
        if not _concerned(work, facts):
            continue
        for line in work.lines:
            announced += _settle_line(session, work, line, facts, now_ms=now_ms)
    return announced


def settle_returns_of(session: Session, order_ids: Iterable[int], *, now_ms: int) -> int:
    """`settle_returns` for orders by id."""
    works = load_works(session, sorted(set(order_ids)))
    return settle_returns(session, list(works.values()), now_ms=now_ms)


def settle_returns_of_parcel(session: Session, parcel_id: int, *, now_ms: int) -> int:
    """`settle_returns` for the orders whose units are or were in a parcel."""
    rows = session.execute(
        text(
            "SELECT DISTINCT order_line.order_id FROM parcel_unit JOIN order_line ON order_line.id = parcel_unit.line_id "
            "WHERE parcel_unit.parcel_id = :p"
        ),
        {"p": parcel_id},
    )
    return settle_returns_of(session, rows.scalars().all(), now_ms=now_ms)


def settle_returns_of_remote(session: Session, channel_id: int, remote_ids: Sequence[str], *, now_ms: int) -> int:
    """`settle_returns` for orders of a channel by the provider's ids; those that the ledger does not know yet settle when it does."""
    rows = select_in(
        session,
        "SELECT id FROM sales_order WHERE channel_id = ? AND remote_id IN",
        sorted(set(remote_ids)),
        channel_id,
    )
    return settle_returns_of(session, [row.id for row in rows], now_ms=now_ms)


# ---------------------------------------------------------------------------------------------------------------------------- facts


def _load(session: Session, works: Sequence[OrderWork]) -> _Facts:
    facts = _Facts()
    ids = [work.id for work in works]
    known = [work.id for work in works if not work.new]
    for row in select_in(session, "SELECT * FROM return_document WHERE order_id IN", known):
        facts.documents.setdefault(row.order_id, []).append(row)
    for row in select_in(session, _REMOTE, ids):
        facts.remote.setdefault(row.order_id, []).append(row)
    for row in select_in(session, _PARCELS, ids):
        facts.parcels.setdefault(row.line_id, []).append(row)
    named = sorted({row.parcel_id for rows in facts.documents.values() for row in rows if row.parcel_id is not None})
    states = select_in(session, "SELECT id, state FROM parcel WHERE id IN", named)
    facts.revoked_parcels = frozenset(row.id for row in states if ParcelState(row.state) in ONWARD_PARCELS)
    return facts


def _concerned(work: OrderWork, facts: _Facts) -> bool:
    """Most orders never see a return."""
    return (
        work.id in facts.documents
        or work.id in facts.remote
        or any(
            line.return_due > 0
            or line.id in facts.parcels
            or any(unit.stage is UnitStage.COMING_BACK for unit in line.line.units)
            for line in work.lines
        )
    )


def _evidence(work: OrderWork, line: LineWork, facts: _Facts) -> Iterator[Evidence]:
    """Everything that says of units of this line that they come back."""
    if line.return_due > 0:
        gone = frozenset(unit.key for unit in line.line.units if unit.key and unit.stage is UnitStage.CANCELLED)
        names = gone & line.left.keys
        yield Evidence(ReturnCause.CANCELLED, names, max(line.return_due - len(names), 0))
    back = [unit for unit in line.line.units if unit.stage is UnitStage.COMING_BACK]
    if back:
        names = frozenset(unit.key for unit in back if unit.key)
        yield Evidence(ReturnCause.STATUS, names, sum(unit.count for unit in back if not unit.key))
    parcels: dict[int, list[Any]] = {}
    for row in facts.parcels.get(line.id, ()):
        parcels.setdefault(row.parcel_id, []).append(row)
    for parcel_id, rows in sorted(parcels.items()):
        names = frozenset(row.unit_key for row in rows if not row.unit_key.startswith("#"))
        yield Evidence(ReturnCause.FAILED_DELIVERY, names, len(rows) - len(names), parcel_id=parcel_id)
    for row in facts.remote.get(work.id, ()):
        if row.goods_come_back and ReturnState(row.state) in COMING:
            names, units = _units_of(work, line, json.loads(row.lines))
            yield Evidence(ReturnCause.BUYER, names, units, remote_id=row.remote_id, waybill=row.waybill)


def _units_of(work: OrderWork, line: LineWork, named: Sequence[tuple[str, int]]) -> tuple[frozenset[str], int]:
    """The units of one line in a provider's return: by name where it names them. One without lines is about the whole order.

    Where several lines share the key that it gives, the first lines take the units as far as they shipped.
    """
    if not named:
        return line.left.keys, line.left.count
    names: set[str] = set()
    count = 0
    for key, units in named:
        if any(unit.key == key for unit in line.line.units):
            names.add(key)
            continue
        left = units
        for other in work.lines:
            if left <= 0 or any(unit.key == key for unit in other.line.units):
                break
            if key in (other.line.key, other.line.listing, *other.line.aliases):
                taken = min(left, _shipped(other))
                left -= taken
                if other is line:
                    count += taken
    return frozenset(names), count


def _shipped(line: LineWork) -> int:
    return line.left.count + len(line.left.keys)


# ------------------------------------------------------------------------------------------------------------------------ documents


def document_of(row: Any) -> ReturnDocument:
    """A row of `return_document` as the plan sees it."""
    return ReturnDocument(
        row.id, row.quantity, DocumentState(row.state), _cause(row.why), row.received, row.remote_id, row.parcel_id, row.waybill
    )  # fmt: skip


def _cause(why: str) -> ReturnCause:
    return ReturnCause(why) if why in set(ReturnCause) else ReturnCause.STATUS


def _settle_line(session: Session, work: OrderWork, line: LineWork, facts: _Facts, *, now_ms: int) -> int:
    rows = {row.id: row for row in facts.documents.get(work.id, ()) if row.line_id == line.id}
    revoked = {row.remote_id for row in facts.remote.get(work.id, ()) if _called_off(row)}
    plan = plan_documents(
        _shipped(line),
        list(_evidence(work, line, facts)),
        [document_of(row) for row in rows.values()],
        revoked_returns=revoked,
        revoked_parcels=facts.revoked_parcels,
    )
    number = max((row.number for row in rows.values()), default=0)
    for document_id, units in plan.taken_back:
        _take_back(session, rows[document_id], line, units, now_ms=now_ms)
    for document in plan.learned:
        session.execute(_LEARN, {"r": document.remote_id, "p": document.parcel_id, "w": document.waybill, "i": document.id})  # fmt: skip
    for document in plan.opened:
        number += 1
        open_document(session, work, line, document, number, now_ms=now_ms, who=WHO)
    gone = {document_id for document_id, _ in plan.taken_back}
    for row in rows.values():  # a document older than its line's recipe
        if row.id not in gone and row.posted_rev == 0 and row.received == 0 and row.state == DocumentState.OPEN:
            post_opening(session, work, line, row.id, row.quantity, now_ms=now_ms, who=WHO)
    if plan.taken_back or plan.opened or plan.learned:
        note_due(session, work.id, line.id, line.line.title, now_ms=now_ms)
    return sum(document.quantity for document in plan.opened)


def _called_off(row: Any) -> bool:
    state = ReturnState(row.state)
    return state in TAKEN_BACK or (not row.goods_come_back and state in (ReturnState.REQUESTED, *COMING))


def open_document(
    session: Session, work: OrderWork, line: LineWork, document: ReturnDocument, number: int, *, now_ms: int, who: str
) -> int:
    """A new document, its units moved to `returning` where the line is resolved. Returns its id."""
    document_id = int(
        session.execute(
            _OPEN,
            {"o": work.id, "l": line.id, "n": number, "q": document.quantity, "why": document.cause.value,
             "r": document.remote_id, "p": document.parcel_id, "w": document.waybill, "now": now_ms},
        ).scalar_one()
    )  # fmt: skip
    post_opening(session, work, line, document_id, document.quantity, now_ms=now_ms, who=who)
    return document_id


def post_opening(
    session: Session, work: OrderWork, line: LineWork, document_id: int, units: int, *, now_ms: int, who: str
) -> bool:
    """`shipped` -> `returning` for a document. `False` while its line is parked, and nothing of it stands in `shipped`."""
    steps = legs_of(line, units, Account.SHIPPED, Account.RETURNING, "coming back")
    if not steps or line.warehouse_id is None:
        return False
    if any(work.posted.get((leg.sku_id, line.warehouse_id), NOTHING).shipped < leg.quantity for leg in steps):
        return False
    post_revision(session, document_id, steps, now_ms=now_ms, who=who)
    return True


def _take_back(session: Session, row: Any, line: LineWork, units: int, *, now_ms: int) -> None:
    if row.posted_rev:
        steps = legs_of(line, units, Account.RETURNING, Account.SHIPPED, "called off")
        post_revision(session, row.id, steps, now_ms=now_ms, who=WHO)
    left = row.quantity - units
    graded = session.execute(
        text("SELECT COALESCE(SUM(quantity), 0) FROM return_grade WHERE return_id = :i"), {"i": row.id}
    ).scalar_one()
    state = DocumentState.WITHDRAWN if left == 0 else state_of_goods(left, row.received, graded)
    session.execute(
        text("UPDATE return_document SET quantity = :q, state = :s, closed_ms = :c WHERE id = :i"),
        {"i": row.id, "q": left or row.quantity, "s": state.value, "c": now_ms if state.settled else None},
    )


def state_of_goods(quantity: int, received: int, graded: int) -> DocumentState:
    """Where a document of this many units stands when so many came in and so many were graded."""
    if received < quantity:
        return DocumentState.OPEN
    return DocumentState.GRADED if graded >= quantity else DocumentState.RECEIVED


def legs_of(
    line: LineWork,
    units: int,
    source: Account,
    destination: Account,
    reason: str,
    *,
    warehouse_id: int | None = None,
) -> list[Leg]:
    """Movements of units of a line, one for each component of its recipe; none for a line that is parked."""
    return [
        Leg(
            component.sku_id,
            component.quantity * units,
            source,
            destination,
            warehouse_id if source.in_warehouse else None,
            warehouse_id if destination.in_warehouse else None,
            reason,
        )
        for component in line.components or ()
    ]


def post_revision(
    session: Session,
    document_id: int,
    steps: Sequence[Leg],
    *,
    now_ms: int,
    who: str,
    occurred_ms: int | None = None,
) -> None:
    """Post what a document does to stock under its next revision."""
    revision = session.execute(
        text("UPDATE return_document SET posted_rev = posted_rev + 1 WHERE id = :i RETURNING posted_rev"),
        {"i": document_id},
    ).scalar_one()
    post_document(
        session, document_id, steps, occurred_ms=occurred_ms or now_ms, now_ms=now_ms, who=who, kind="return",
        revision=revision,
    )  # fmt: skip


def note_due(session: Session, order_id: int, line_id: int, title: str, *, now_ms: int) -> None:
    """The finding of a line: open while goods of it are awaited, or lie there without a grade."""
    subject = f"order {order_id} line {line_id}"
    rows = session.execute(
        text(
            "SELECT id, quantity, received, waybill, remote_id, (SELECT COALESCE(SUM(quantity), 0) FROM return_grade "
            "WHERE return_grade.return_id = return_document.id) AS graded FROM return_document "
            "WHERE line_id = :l AND state IN ('open', 'received') ORDER BY id"
        ),
        {"l": line_id},
    ).all()
    if not rows:
        close_finding(session, FINDING, subject, now_ms=now_ms)
        return
    here = [row for row in rows if row.received > row.graded]
    details: Mapping[str, Any] = {
        "units": sum(row.quantity - row.graded for row in rows),
        "title": title,
        "return": f"R{(here or rows)[0].id}",
        "here": sum(row.received - row.graded for row in rows),
    }
    raise_finding(session, FINDING, subject, now_ms=now_ms, details=details)


_REMOTE = (
    "SELECT sales_order.id AS order_id, remote_return.* FROM remote_return JOIN sales_order "
    "ON sales_order.channel_id = remote_return.channel_id AND sales_order.remote_id = remote_return.order_remote_id "
    "WHERE sales_order.id IN"
)
_PARCELS = (
    "SELECT parcel_unit.parcel_id, parcel_unit.line_id, parcel_unit.unit_key FROM order_line "
    "JOIN parcel_unit ON parcel_unit.line_id = order_line.id AND parcel_unit.live "
    "JOIN parcel ON parcel.id = parcel_unit.parcel_id AND parcel.state IN ('returning', 'returned') "
    "WHERE order_line.order_id IN"
)
_LEARN = text("UPDATE return_document SET remote_id = :r, parcel_id = :p, waybill = :w WHERE id = :i")
_OPEN = text(
    "INSERT INTO return_document (order_id, line_id, number, quantity, state, why, remote_id, parcel_id, waybill, opened_ms, posted_rev) "
    "VALUES (:o, :l, :n, :q, 'open', :why, :r, :p, :w, :now, 0) RETURNING id"
)
