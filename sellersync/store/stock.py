"""What people do to stock: receipts, counts, adjustments. Each is a document with its own movements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.stock import Account, CountResult, Leg, count_legs

from .posting import post_document
from .tables import CountLine, Document

_DOCUMENT = Document.__table__  # type: ignore[attr-defined]
_COUNT = CountLine.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class CountEntry:
    """A person found `counted` units of a SKU on the shelf of a warehouse (packed parcels not yet handed over included)."""

    sku_id: int
    warehouse_id: int
    counted: int


def ensure_sku(
    session: Session, code: str, *, now_ms: int, title: str = "", weight_g: int | None = None, buffer: int = 0
) -> int:
    """The id of a SKU, made when it is new."""
    session.execute(
        text(
            "INSERT INTO sku (code, title, barcode, weight_g, buffer, created_ms) VALUES (:c, :t, '', :w, :b, :now) "
            "ON CONFLICT (code) DO NOTHING"
        ),
        {"c": code, "t": title, "w": weight_g, "b": buffer, "now": now_ms},
    )
    return int(session.execute(text("SELECT id FROM sku WHERE code = :c"), {"c": code}).scalar_one())


def find_sku(session: Session, code: str) -> int:
    """The id of a SKU. Raises `BadInput` naming near misses."""
    found = session.execute(text("SELECT id FROM sku WHERE code = :c"), {"c": code}).scalar()
    if found is not None:
        return int(found)
    codes = {known.casefold(): known for known in session.execute(text("SELECT code FROM sku")).scalars()}
    hint = ", ".join(codes[near] for near in get_close_matches(code.casefold(), codes, n=3))
    raise BadInput(
        f"no SKU {code!r} in this ledger" + (f"; did you mean {hint}?" if hint else "; see `sellersync stock show`")
    )


def find_warehouse(session: Session, code: str | None) -> int:
    """The id of a warehouse by code, or the first one. Raises `BadInput`."""
    if code is None:
        found = session.execute(text("SELECT MIN(id) FROM warehouse")).scalar()
    else:
        found = session.execute(text("SELECT id FROM warehouse WHERE code = :c"), {"c": code}).scalar()
    if found is None:
        codes = ", ".join(session.execute(text("SELECT code FROM warehouse ORDER BY id")).scalars())
        raise BadInput(f"no warehouse {code!r}; there are: {codes or 'none (see [warehouses] in the configuration)'}")
    return int(found)


def record_count(
    session: Session,
    entries: Sequence[CountEntry],
    *,
    at_ms: int,
    now_ms: int,
    who: str,
    note: str = "",
    source: str = "person",
) -> list[CountResult]:
    """Record what lies on the shelf at a moment and post the differences against the ledger as of that moment.

    Raises `BadInput` for a moment in the future or a SKU counted twice in one document.
    """
    if at_ms > now_ms:
        raise BadInput("a count cannot be dated in the future")
    seen: set[tuple[int, int]] = set()
    for entry in entries:
        if (entry.sku_id, entry.warehouse_id) in seen:
            raise BadInput(f"SKU {_code(session, entry.sku_id)} is counted twice in one document; add the rows up")
        seen.add((entry.sku_id, entry.warehouse_id))
    results: list[CountResult] = []
    by_warehouse: dict[int, list[CountEntry]] = {}
    for entry in entries:
        by_warehouse.setdefault(entry.warehouse_id, []).append(entry)
    for warehouse_id, group in sorted(by_warehouse.items()):
        document_id = _document(
            session, "count", warehouse_id, at_ms=at_ms, now_ms=now_ms, who=who, note=note, source=source
        )
        found = [
            count_legs(entry.sku_id, warehouse_id, entry.counted, shelf_at(session, entry.sku_id, warehouse_id, at_ms))
            for entry in group
        ]
        session.execute(
            insert(_COUNT),
            [
                {
                    "document_id": document_id,
                    "sku_id": result.sku_id,
                    "warehouse_id": warehouse_id,
                    "at_ms": at_ms,
                    "counted": result.counted,
                    "expected": result.expected,
                }
                for result in found
            ],
        )
        post_document(
            session,
            document_id,
            [leg for result in found for leg in result.legs],
            occurred_ms=at_ms,
            now_ms=now_ms,
            who=who,
        )
        results.extend(found)
    return results


def record_receipt(
    session: Session,
    sku_id: int,
    warehouse_id: int,
    quantity: int,
    *,
    at_ms: int,
    now_ms: int,
    who: str,
    note: str = "",
) -> int:
    """Goods came in from a supplier. Returns the document id. Raises `BadInput` unless quantity > 0."""
    if quantity <= 0:
        raise BadInput(f"a receipt needs a positive quantity, not {quantity}; to take stock away use `stock adjust`")
    document_id = _document(
        session, "receipt", warehouse_id, at_ms=at_ms, now_ms=now_ms, who=who, note=note, source="person"
    )
    leg = Leg(sku_id, quantity, Account.SUPPLIER, Account.AVAILABLE, None, warehouse_id, "received")
    post_document(session, document_id, [leg], occurred_ms=at_ms, now_ms=now_ms, who=who)
    return document_id


def record_adjustment(
    session: Session, sku_id: int, warehouse_id: int, change: int, *, reason: str, at_ms: int, now_ms: int, who: str
) -> int:
    """A person corrects the shelf by a signed number, with a reason. Returns the document id. Raises `BadInput`."""
    if change == 0:
        raise BadInput("an adjustment of 0 changes nothing")
    if not reason.strip():
        raise BadInput("an adjustment needs a reason (--reason), so that the report can name it")
    document_id = _document(
        session, "adjustment", warehouse_id, at_ms=at_ms, now_ms=now_ms, who=who, note=reason, source="person"
    )
    if change > 0:
        leg = Leg(sku_id, change, Account.ADJUSTMENT, Account.AVAILABLE, None, warehouse_id, reason)
    else:
        leg = Leg(sku_id, -change, Account.AVAILABLE, Account.ADJUSTMENT, warehouse_id, None, reason)
    post_document(session, document_id, [leg], occurred_ms=at_ms, now_ms=now_ms, who=who)
    return document_id


def shelf_at(session: Session, sku_id: int, warehouse_id: int, at_ms: int) -> int:
    """Units of `available` + `reserved` as of a moment, by when the movements happened."""
    row = session.execute(
        text(
            "SELECT COALESCE(SUM(CASE WHEN destination IN ('available', 'reserved') AND destination_warehouse_id = :w THEN quantity "
            "ELSE 0 END), 0) - COALESCE(SUM(CASE WHEN source IN ('available', 'reserved') AND source_warehouse_id = :w THEN quantity "
            "ELSE 0 END), 0) FROM movement WHERE sku_id = :s AND occurred_ms <= :at"
        ),
        {"s": sku_id, "w": warehouse_id, "at": at_ms},
    )
    return int(row.scalar_one())


def _document(
    session: Session, kind: str, warehouse_id: int, *, at_ms: int, now_ms: int, who: str, note: str, source: str
) -> int:
    return int(
        session.execute(
            insert(_DOCUMENT).returning(_DOCUMENT.c.id),
            {
                "kind": kind,
                "warehouse_id": warehouse_id,
                "at_ms": at_ms,
                "created_ms": now_ms,
                "who": who,
                "note": note,
                "source": source,
            },
        ).scalar_one()
    )


def _code(session: Session, sku_id: int) -> str:
    return str(session.execute(text("SELECT code FROM sku WHERE id = :i"), {"i": sku_id}).scalar_one())
