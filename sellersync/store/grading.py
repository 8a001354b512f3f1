"""The desk: what people do with goods that come back. Received units lie in `inspect` until they are graded; a grading is never undone.

Goods that this ledger never shipped come in with a document of their own, out of `adjustment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.returns import DocumentState, Grade, ReturnCause, ReturnDocument
from sellersync.domain.stock import Account, Leg

from .findings import close_finding
from .posting import LineWork, OrderWork, load_works, post_document
from .returns import legs_of, note_due, open_document, post_opening, post_revision, state_of_goods
from .tables import Document

_DOCUMENT = Document.__table__  # type: ignore[attr-defined]
RETURN_OPEN = "return_open"


@dataclass(frozen=True, slots=True)
class _Case:
    """A document with its line, and what was graded of it."""

    row: Any
    work: OrderWork
    line: LineWork
    graded: int

    @property
    def name(self) -> str:
        return f"R{self.row.id}"

    @property
    def awaited(self) -> int:
        return int(self.row.quantity - self.row.received) if self.row.state == DocumentState.OPEN else 0

    @property
    def ungraded(self) -> int:
        return int(self.row.received - self.graded)


def _case(session: Session, return_id: int) -> _Case:
    row = session.execute(text("SELECT * FROM return_document WHERE id = :i"), {"i": return_id}).first()
    if row is None:
        raise BadInput(f"no return R{return_id}; see `sellersync returns list`")
    work = load_works(session, [row.order_id])[row.order_id]
    line = next(line for line in work.lines if line.id == row.line_id)
    graded = session.execute(
        text("SELECT COALESCE(SUM(quantity), 0) FROM return_grade WHERE return_id = :i"), {"i": return_id}
    ).scalar_one()
    return _Case(row, work, line, int(graded))


def receive(
    session: Session, return_id: int, units: int | None, *, warehouse_id: int | None, now_ms: int, who: str
) -> int:
    """Units of a return came in (all that are awaited unless told): `returning` -> `inspect`. Returns how many.

    Raises `BadInput` for more than is awaited, for a line without a recipe, or for a second warehouse.
    """
    case = _case(session, return_id)
    units = case.awaited if units is None else units
    if units <= 0 or units > case.awaited:
        raise BadInput(f"{case.name}: {case.awaited} units are awaited, not {units}")
    _require_posted(session, case, now_ms=now_ms, who=who)
    place = _place(session, case, warehouse_id)
    steps = legs_of(case.line, units, Account.RETURNING, Account.INSPECT, "came back", warehouse_id=place)
    post_revision(session, return_id, steps, now_ms=now_ms, who=who)
    received = case.row.received + units
    session.execute(
        text(
            "UPDATE return_document SET received = :r, state = :s, received_ms = COALESCE(received_ms, :now), received_by = :who "
            "WHERE id = :i"
        ),
        {"i": return_id, "r": received, "now": now_ms, "who": who,
         "s": state_of_goods(case.row.quantity, received, case.graded).value},
    )  # fmt: skip
    note_due(session, case.work.id, case.line.id, case.line.line.title, now_ms=now_ms)
    return units


def receive_unexpected(session: Session, order_id: int, line_id: int, units: int, *, now_ms: int, who: str) -> int:
    """A person brings units of an order that nobody announced: a document for them, not received yet. Returns its id.

    Raises `BadInput` beyond what the line shipped and has in no other document.
    """
    work = load_works(session, [order_id])[order_id]
    line = next(line for line in work.lines if line.id == line_id)
    known = session.execute(
        text(
            "SELECT COALESCE(SUM(CASE WHEN state <> 'withdrawn' THEN quantity ELSE 0 END), 0) AS units, "
            "COALESCE(MAX(number), 0) AS number FROM return_document WHERE line_id = :l"
        ),
        {"l": line_id},
    ).one()
    room = line.left.count + len(line.left.keys) - known.units
    if units <= 0 or units > room:
        raise BadInput(
            f"{line.line.title or line.line.listing}: {room} shipped units can still come back, not {units}; goods that were never "
            "shipped come in with `sellersync returns receive --sku SKU QTY`"
        )
    document = ReturnDocument(0, units, DocumentState.OPEN, ReturnCause.PERSON)
    return open_document(session, work, line, document, known.number + 1, now_ms=now_ms, who=who)


def _require_posted(session: Session, case: _Case, *, now_ms: int, who: str) -> None:
    row = case.row
    if row.posted_rev or post_opening(session, case.work, case.line, row.id, row.quantity, now_ms=now_ms, who=who):
        return
    raise BadInput(
        f"{case.name}: the listing {case.line.line.listing} stands for no SKU yet; map it first: sellersync listings unmapped"
    )


def _place(session: Session, case: _Case, wanted: int | None) -> int:
    """The warehouse where the units of a document lie: the first receipt decides, else the one they were sold from."""
    held = _inspected(session, "return", case.row.id)
    if held is not None:
        if wanted not in (None, held):
            raise BadInput(
                f"{case.name}: its other units lie in another warehouse; receive all of a return in one place"
            )
        return held
    assert case.line.warehouse_id is not None  # posted lines have one
    return wanted or case.line.warehouse_id


def _inspected(session: Session, kind: str, cause_id: int) -> int | None:
    """The warehouse into whose `inspect` a document brought units."""
    found = session.execute(
        text(
            "SELECT MIN(destination_warehouse_id) FROM movement WHERE cause_kind = :k AND cause_id = :i AND destination = 'inspect'"
        ),
        {"k": kind, "i": cause_id},
    ).scalar()
    return None if found is None else int(found)


# -------------------------------------------------------------------------------------------------------------------------- grading


@dataclass(frozen=True, slots=True)
class Grading:
    """What a grading will post; `given_up` units never came in."""

    return_id: int
    grade: Grade
    units: int
    given_up: int
    steps: tuple[Leg, ...]


def plan_grading(session: Session, return_id: int, grade: Grade, units: int | None) -> Grading:
    """What grading units of a return does: `inspect` -> available, damaged or lost. Nothing is written.

    Without `units` everything that is here is graded; `lost` also takes what is still awaited, and that first: a parcel that got lost
    on its way back never comes in. Raises `BadInput` for more than there is.
    """
    case = _case(session, return_id)
    most = case.ungraded + (case.awaited if grade is Grade.LOST else 0)
    units = most if units is None else units
    if units <= 0 or units > most:
        raise BadInput(_too_many(case, units, most))
    given_up = min(units, case.awaited) if grade is Grade.LOST else 0
    steps: list[Leg] = []
    if given_up:
        steps += legs_of(case.line, given_up, Account.RETURNING, Account.LOST, "never came back")
    if units > given_up:
        place = _inspected(session, "return", return_id)
        graded = legs_of(
            case.line, units - given_up, Account.INSPECT, grade.account, f"graded {grade.value}", warehouse_id=place
        )
        steps += graded
    return Grading(return_id, grade, units, given_up, tuple(steps))


def _too_many(case: _Case, units: int, most: int) -> str:
    if most == 0 and case.awaited:
        return f"{case.name} has not come in yet: sellersync returns receive {case.name}"
    if most == 0:
        return f"{case.name} is settled: nothing of it waits for a grade"
    return f"{case.name}: {most} units can be graded, not {units}"


def grade(session: Session, planned: Grading, *, note: str, now_ms: int, who: str) -> None:
    """Post a grading that a person has seen. Raises `BadInput` when the return has changed since."""
    if plan_grading(session, planned.return_id, planned.grade, planned.units) != planned:
        raise BadInput(f"R{planned.return_id} has changed meanwhile; look again: sellersync returns list")
    case = _case(session, planned.return_id)
    if planned.given_up:
        _require_posted(session, case, now_ms=now_ms, who=who)
    post_revision(session, planned.return_id, planned.steps, now_ms=now_ms, who=who)
    session.execute(
        text(
            "INSERT INTO return_grade (return_id, grade, quantity, graded_ms, who, note) VALUES (:i, :g, :q, :now, :who, :note)"
        ),
        {"i": planned.return_id, "g": planned.grade.value, "q": planned.units, "now": now_ms, "who": who, "note": note},
    )
    received, graded = case.row.received + planned.given_up, case.graded + planned.units
    _set_state(session, case, case.row.quantity, received, graded, now_ms=now_ms)
    note_due(session, case.work.id, case.line.id, case.line.line.title, now_ms=now_ms)
    _close_remote(session, case.row.order_id, case.row.remote_id, now_ms=now_ms)


def keep(session: Session, return_id: int, *, now_ms: int, who: str) -> int:
    """The buyer keeps what is still awaited: `returning` -> `shipped`. Returns how many units. Raises `BadInput` when none is awaited.

    Units that came in stay in the document; the others become one of their own, so that facts which announced them open no new one.
    """
    case = _case(session, return_id)
    units = case.awaited
    if units == 0:
        raise BadInput(f"{case.name}: nothing of it is awaited")
    if case.row.posted_rev:
        post_revision(
            session, return_id, legs_of(case.line, units, Account.RETURNING, Account.SHIPPED, "kept by the buyer"),
            now_ms=now_ms, who=who,
        )  # fmt: skip
    if case.row.received == 0:
        session.execute(
            text("UPDATE return_document SET state = 'kept', closed_ms = :now, received_by = :who WHERE id = :i"),
            {"i": return_id, "now": now_ms, "who": who},
        )
    else:
        _set_state(session, case, case.row.received, case.row.received, case.graded, now_ms=now_ms)
        session.execute(_KEPT_REST, {"i": return_id, "q": units, "now": now_ms, "who": who})
    note_due(session, case.work.id, case.line.id, case.line.line.title, now_ms=now_ms)
    _close_remote(session, case.row.order_id, case.row.remote_id, now_ms=now_ms)
    return units


def _set_state(session: Session, case: _Case, quantity: int, received: int, graded: int, *, now_ms: int) -> None:
    state = state_of_goods(quantity, received, graded)
    session.execute(
        text("UPDATE return_document SET quantity = :q, received = :r, state = :s, closed_ms = :c WHERE id = :i"),
        {"i": case.row.id, "q": quantity, "r": received, "s": state.value, "c": now_ms if state.settled else None},
    )


def _close_remote(session: Session, order_id: int, remote_id: str, *, now_ms: int) -> None:
    """The provider's return waits for no goods any more once all its documents are settled; a newer version of it may still ask."""
    if not remote_id:
        return
    waiting = session.execute(
        text(
            "SELECT COUNT(*) FROM return_document WHERE order_id = :o AND remote_id = :r AND state IN ('open', 'received')"
        ),
        {"o": order_id, "r": remote_id},
    ).scalar_one()
    if waiting == 0:
        channel_id = session.execute(
            text("SELECT channel_id FROM sales_order WHERE id = :o"), {"o": order_id}
        ).scalar_one()
        close_finding(session, RETURN_OPEN, remote_id, channel_id=channel_id, now_ms=now_ms)


def replace_with(session: Session, return_id: int, order_id: int) -> None:
    """Another order replaces the goods of a return. Raises `BadInput` when it is the same order."""
    case = _case(session, return_id)
    if case.work.id == order_id:
        raise BadInput(f"{case.name} is a return of that very order")
    session.execute(
        text("UPDATE return_document SET replacement_order_id = :o WHERE id = :i"), {"o": order_id, "i": return_id}
    )


# ------------------------------------------------------------------------------------------------------ goods that were never shipped


def receive_unknown(
    session: Session, sku_id: int, warehouse_id: int, units: int, *, note: str, now_ms: int, who: str
) -> int:
    """Goods came back that this ledger never shipped: `adjustment` -> `inspect`. Returns the document's id.

    Raises `BadInput` unless there is at least one unit and a note on where they came from.
    """
    if units <= 0:
        raise BadInput(f"a receipt needs a positive number of units, not {units}")
    if not note.strip():
        raise BadInput("goods that this ledger never shipped need a --note on where they came from")
    document_id = int(
        session.execute(
            insert(_DOCUMENT).returning(_DOCUMENT.c.id),
            {"kind": "return", "warehouse_id": warehouse_id, "at_ms": now_ms, "created_ms": now_ms, "who": who, "note": note,
             "source": "person"},
        ).scalar_one()
    )  # fmt: skip
    leg = Leg(sku_id, units, Account.ADJUSTMENT, Account.INSPECT, None, warehouse_id, "came back, never shipped")
    post_document(session, document_id, [leg], occurred_ms=now_ms, now_ms=now_ms, who=who)
    return document_id


def plan_unknown_grading(session: Session, document_id: int, grade: Grade, units: int | None) -> Leg:
    """What grading goods that were never shipped does. Nothing is written. Raises `BadInput` for more than is left of the document."""
    row = session.execute(
        text(
            "SELECT sku_id, SUM(CASE WHEN movement.destination = 'inspect' THEN quantity ELSE 0 END) "
            "- SUM(CASE WHEN movement.source = 'inspect' THEN quantity ELSE 0 END) AS units FROM movement "
            "JOIN document ON document.id = movement.cause_id WHERE cause_kind = 'document' AND cause_id = :i "
            "AND document.kind = 'return' GROUP BY sku_id"
        ),
        {"i": document_id},
    ).first()
    if row is None:
        raise BadInput(f"no return D{document_id}; see `sellersync returns list`")
    units = int(row.units) if units is None else units
    if row.units == 0:
        raise BadInput(f"D{document_id} is settled: nothing of it waits for a grade")
    if units <= 0 or units > row.units:
        raise BadInput(f"D{document_id}: {row.units} units can be graded, not {units}")
    place = _inspected(session, "document", document_id)
    to = place if grade.account.in_warehouse else None
    return Leg(row.sku_id, units, Account.INSPECT, grade.account, place, to, f"graded {grade.value}")


def grade_unknown(session: Session, document_id: int, grade: Grade, planned: Leg, *, note: str, now_ms: int, who: str) -> None:  # fmt: skip
    """Post a grading that a person has seen. Raises `BadInput` when the document has changed since."""
    leg = plan_unknown_grading(session, document_id, grade, planned.quantity)
    if note:
        leg = Leg(leg.sku_id, leg.quantity, leg.source, leg.destination, leg.source_warehouse_id,
                  leg.destination_warehouse_id, f"{leg.reason}: {note}")  # fmt: skip
    revision = session.execute(
        text("SELECT MAX(revision) + 1 FROM movement WHERE cause_kind = 'document' AND cause_id = :i"),
        {"i": document_id},
    ).scalar_one()
    post_document(session, document_id, [leg], occurred_ms=now_ms, now_ms=now_ms, who=who, revision=revision)


_KEPT_REST = text(
    "INSERT INTO return_document (order_id, line_id, number, quantity, state, why, remote_id, parcel_id, waybill, opened_ms, closed_ms, "
    "received_by, posted_rev) SELECT order_id, line_id, (SELECT MAX(number) FROM return_document AS other "
    "WHERE other.line_id = return_document.line_id) + 1, :q, 'kept', why, remote_id, parcel_id, waybill, opened_ms, :now, :who, 0 "
    "FROM return_document WHERE id = :i"
)
