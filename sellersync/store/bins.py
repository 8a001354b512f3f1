"""Bins: where a SKU lies in a warehouse."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.desk import bin_key
from sellersync.domain.errors import BadInput

BIN_LENGTH_MAX = 20


@dataclass(frozen=True, slots=True)
class BinRow:
    """A SKU's bin in a warehouse, "" where none is said; `on_shelf` are the units that lie there by the ledger."""

    sku: str
    title: str
    warehouse: str
    bin: str
    on_shelf: int


def check_bin(code: str) -> str:
    """A bin's code as it is stored. Raises `BadInput`."""
    cleaned = " ".join(code.split()).upper()
    if len(cleaned) > BIN_LENGTH_MAX or not cleaned.isprintable():
        raise BadInput(
            f"bin {code!r}: at most {BIN_LENGTH_MAX} characters on one line are expected, for example A-03-2"
        )
    return cleaned


def set_bin(session: Session, sku_id: int, warehouse_id: int, code: str) -> None:
    """Say in which bin a SKU lies in a warehouse; "" forgets it. Raises `BadInput`."""
    code = check_bin(code)
    values = {"s": sku_id, "w": warehouse_id, "c": code}
    if not code:
        session.execute(text("DELETE FROM bin WHERE sku_id = :s AND warehouse_id = :w"), values)
        return
    session.execute(
        text(
            "INSERT INTO bin (sku_id, warehouse_id, code) VALUES (:s, :w, :c) "
            "ON CONFLICT (sku_id, warehouse_id) DO UPDATE SET code = excluded.code"
        ),
        values,
    )


def bin_rows(session: Session) -> list[BinRow]:
    """Every SKU in every warehouse where it has a bin or stock, in walking order; SKUs without either stand in the first warehouse."""
    rows = session.execute(
        text(
            "SELECT sku.code, sku.title, warehouse.code AS warehouse, COALESCE(bin.code, '') AS bin, "
            "COALESCE((SELECT SUM(quantity) FROM balance WHERE balance.sku_id = sku.id AND balance.warehouse_id = warehouse.id "
            "AND account IN ('available', 'reserved')), 0) AS on_shelf FROM sku CROSS JOIN warehouse "
            "LEFT JOIN bin ON bin.sku_id = sku.id AND bin.warehouse_id = warehouse.id WHERE bin.code IS NOT NULL "
            "OR warehouse.id = (SELECT MIN(id) FROM warehouse) OR EXISTS (SELECT 1 FROM balance WHERE balance.sku_id = sku.id "
            "AND balance.warehouse_id = warehouse.id AND account IN ('available', 'reserved') AND quantity <> 0)"
        )
    )
    found = [BinRow(row.code, row.title, row.warehouse, row.bin, int(row.on_shelf)) for row in rows]
    return sorted(found, key=lambda row: (row.warehouse, bin_key(row.bin), row.sku))
