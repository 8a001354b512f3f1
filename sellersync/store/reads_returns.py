"""Queries about returns. Read-only functions of a session, answering frozen values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.returns import DocumentState, Grade
from sellersync.domain.times import from_epoch_ms

from .reads import at

OWN_NAME = re.compile(r"([RD])(\d+)", re.IGNORECASE)
NEVER_SHIPPED = "never shipped by this ledger"


@dataclass(frozen=True, slots=True)
class GradeOfReturn:
    """A grading: `units` of the listing (of the SKU where the goods belong to no order)."""

    grade: str
    units: int
    at: datetime
    who: str
    note: str


@dataclass(frozen=True, slots=True)
class ReturnCase:
    """Goods that come back or came back. `name` is R and the document's number; D where they belong to no order of this ledger.

    `waybill` is the one on the parcel that comes back: the buyer's new one, else the one it went out with. `remote_id` and
    `remote_state` are the provider's return, `parcel_state` what the courier says of a parcel that could not be delivered.
    """

    name: str
    channel: str
    order: str
    order_id: int | None
    listing: str
    title: str
    units: int
    received: int
    state: str
    why: str
    waybill: str
    remote_id: str
    remote_state: str
    parcel_state: str
    opened: datetime
    received_at: datetime | None
    closed: datetime | None
    replacement: str
    grades: tuple[GradeOfReturn, ...]

    @property
    def graded(self) -> int:
        return sum(grade.units for grade in self.grades)

    @property
    def awaited(self) -> int:
        return self.units - self.received if self.state == DocumentState.OPEN else 0

    @property
    def ungraded(self) -> int:
        return self.received - self.graded


def grades_of(case: ReturnCase) -> list[str]:
    """ "1 sellable", "2 damaged": one entry a grading."""
    return [f"{grade.units} {grade.grade}" for grade in case.grades]


_CASES = (
    "SELECT return_document.*, channel.slug, sales_order.remote_id AS order_remote, sales_order.number AS order_number, "
    "order_line.listing_key, order_line.title, COALESCE(parcel.waybill, '') AS parcel_waybill, "
    "COALESCE(parcel.state, '') AS parcel_state, COALESCE(remote_return.state, '') AS remote_state, "
    "COALESCE(instead.number, '') AS instead_number, COALESCE(instead.remote_id, '') AS instead_remote FROM return_document "
    "JOIN sales_order ON sales_order.id = return_document.order_id JOIN channel ON channel.id = sales_order.channel_id "
    "JOIN order_line ON order_line.id = return_document.line_id LEFT JOIN parcel ON parcel.id = return_document.parcel_id "
    "LEFT JOIN remote_return ON remote_return.channel_id = channel.id AND remote_return.remote_id = return_document.remote_id "
    "AND return_document.remote_id <> '' "
    "LEFT JOIN sales_order AS instead ON instead.id = return_document.replacement_order_id "
)


def returns(
    session: Session, *, state: DocumentState | None = None, channel: str | None = None, limit: int
) -> list[ReturnCase]:
    """Returns, the oldest first: those that wait for goods or for a grade, or all in one state. Goods of no order are among them."""
    rows = session.execute(
        text(
            f"{_CASES} WHERE (CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT)) AND "
            "((CAST(:s AS TEXT) IS NULL AND return_document.state IN ('open', 'received')) "
            "OR return_document.state = CAST(:s AS TEXT)) ORDER BY return_document.opened_ms, return_document.id LIMIT :n"
        ),
        {"c": channel, "s": state.value if state else None, "n": limit},
    ).all()
    found = list(_cases(session, rows))
    if channel is None:
        found += [case for case in _unshipped(session) if (case.state == state if state else not _settled(case))]
    return sorted(found, key=lambda case: (case.opened, case.name))[:limit]


def returns_of_order(session: Session, order_id: int) -> tuple[ReturnCase, ...]:
    """The returns of one order, the oldest first."""
    rows = session.execute(
        text(f"{_CASES} WHERE return_document.order_id = :o ORDER BY return_document.id"), {"o": order_id}
    ).all()
    return tuple(_cases(session, rows))


def find_return(session: Session, name: str) -> ReturnCase:
    """One return by its own name (R7, D7). Raises `BadInput`."""
    own = OWN_NAME.fullmatch(name.strip())
    found: list[ReturnCase] = []
    if own and own[1].upper() == "R":
        rows = session.execute(text(f"{_CASES} WHERE return_document.id = :i"), {"i": int(own[2])}).all()
        found = list(_cases(session, rows))
    elif own:
        found = list(_unshipped(session, document_id=int(own[2])))
    if not found:
        raise BadInput(f"no return {name!r}; see `sellersync returns list`")
    return found[0]


def find_returns(session: Session, name: str) -> list[ReturnCase]:
    """The returns that a person may mean: by a return's own name, the waybill on the parcel, or the provider's return id."""
    name = name.strip()
    if OWN_NAME.fullmatch(name) and (found := _named(session, name)):
        return found
    rows = session.execute(
        text(
            f"{_CASES} WHERE return_document.state <> 'withdrawn' AND (return_document.waybill = :n OR return_document.remote_id = :n "
            "OR parcel.waybill = :n OR return_document.order_id IN (SELECT told.id FROM remote_return AS announced "
            "JOIN sales_order AS told ON told.channel_id = announced.channel_id AND told.remote_id = announced.order_remote_id "
            "WHERE announced.waybill = :n OR announced.remote_id = :n)) ORDER BY return_document.id"
        ),
        {"n": name},
    ).all()
    return list(_cases(session, rows))


def _named(session: Session, name: str) -> list[ReturnCase]:
    try:
        return [find_return(session, name)]
    except BadInput:
        return []


def shipped_lines(session: Session, order_id: int) -> list[tuple[int, str, str, int]]:
    """(line id, listing key, title, units that can still come back unannounced) of an order's lines that shipped any."""
    rows = session.execute(
        text(
            "SELECT id, listing_key, title, left_count, left_keys, (SELECT COALESCE(SUM(quantity), 0) FROM return_document "
            "WHERE return_document.line_id = order_line.id AND return_document.state <> 'withdrawn') AS known "
            "FROM order_line WHERE order_id = :o ORDER BY id"
        ),
        {"o": order_id},
    )
    found = [(row, row.left_count + row.left_keys.count('"') // 2) for row in rows]
    return [(row.id, row.listing_key, row.title, left - row.known) for row, left in found if left]


def _cases(session: Session, rows: Any) -> Iterator[ReturnCase]:
    for row in rows:
        grades = session.execute(text("SELECT * FROM return_grade WHERE return_id = :i ORDER BY id"), {"i": row.id})
        yield ReturnCase(
            f"R{row.id}",
            row.slug,
            row.order_number or row.order_remote,
            row.order_id,
            row.listing_key,
            row.title,
            row.quantity,
            row.received,
            row.state,
            row.why,
            row.waybill or row.parcel_waybill,
            row.remote_id,
            row.remote_state,
            row.parcel_state,
            from_epoch_ms(row.opened_ms, where="return"),
            at(row.received_ms),
            at(row.closed_ms),
            row.instead_number or row.instead_remote,
            tuple(
                GradeOfReturn(
                    grade.grade, grade.quantity, from_epoch_ms(grade.graded_ms, where="grade"), grade.who, grade.note
                )
                for grade in grades
            ),
        )


def _unshipped(session: Session, *, document_id: int | None = None) -> Iterator[ReturnCase]:
    """Goods that this ledger never shipped: documents of their own, graded out of `inspect` like any other."""
    rows = session.execute(
        text(
            "SELECT document.id, document.created_ms, document.note, sku.code, sku.title, movement.quantity FROM document "
            "JOIN movement ON movement.cause_kind = 'document' AND movement.cause_id = document.id "
            "AND movement.destination = 'inspect' JOIN sku ON sku.id = movement.sku_id WHERE document.kind = 'return' "
            "AND (CAST(:i AS BIGINT) IS NULL OR document.id = CAST(:i AS BIGINT)) ORDER BY document.id"
        ),
        {"i": document_id},
    ).all()
    for row in rows:
        graded = session.execute(
            text(
                "SELECT destination, quantity, recorded_ms, who, reason FROM movement WHERE cause_kind = 'document' AND cause_id = :i "
                "AND source = 'inspect' ORDER BY id"
            ),
            {"i": row.id},
        )
        grades = tuple(
            GradeOfReturn(
                _grade_of(one.destination),
                one.quantity,
                from_epoch_ms(one.recorded_ms, where="movement"),
                one.who,
                one.reason.partition(": ")[2],
            )
            for one in graded
        )
        over = sum(grade.units for grade in grades) >= row.quantity
        came = from_epoch_ms(row.created_ms, where="document")
        state = DocumentState.GRADED if over else DocumentState.RECEIVED
        yield ReturnCase(
            f"D{row.id}", "", "", None, row.code, row.note, row.quantity, row.quantity, state.value, NEVER_SHIPPED, "", "", "", "",
            came, came, grades[-1].at if over else None, "", grades,
        )  # fmt: skip


def _grade_of(account: str) -> str:
    return next(grade.value for grade in Grade if grade.account.value == account)


def _settled(case: ReturnCase) -> bool:
    return DocumentState(case.state).settled
