"""The pack check in the ledger: what a scanned word is, and that a parcel was packed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.desk import SHIPPABLE, DeskParcel
from sellersync.domain.errors import BadInput
from sellersync.domain.orders import OrderState

from .reads_desk import parcels_by_id


def known_codes(session: Session) -> dict[str, str]:
    """Everything that a scanner may read on goods -> SKU code: SKU codes, their barcodes, and the barcodes of listings that sell
    exactly one unit of one SKU. A barcode of two SKUs decides nothing and is left out."""
    found: dict[str, set[str]] = {}
    rows = session.execute(
        text(
            "SELECT code, barcode FROM sku UNION SELECT sku.code, listing.barcode FROM listing "
            "JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id JOIN sku ON sku.id = recipe_item.sku_id "
            "WHERE listing.barcode <> '' AND recipe_item.quantity = 1 "
            "AND (SELECT COUNT(*) FROM recipe_item AS other WHERE other.recipe_id = listing.recipe_id) = 1"
        )
    ).all()
    for row in rows:
        if row.barcode.strip():
            found.setdefault(row.barcode.strip().upper(), set()).add(row.code)
    codes = {word: next(iter(skus)) for word, skus in found.items() if len(skus) == 1}
    return codes | {row.code.upper(): row.code for row in rows}


def why_not_packed(parcel: DeskParcel) -> str:
    """Why this parcel must not be packed: a key of the desk's sentences, "" when it may be."""
    if parcel.order_state.value == "cancelled" or not parcel.state.live:
        return "cancelled"
    if parcel.order_state.value == "cancel_requested":
        return "cancel_requested"
    if parcel.cancel in ("asked", "sent", "pending", "done"):
        return "booking_cancelled"
    if parcel.gone:
        return "gone"
    if parcel.order_state in (OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED, OrderState.RETURNING):
        return "shipped"
    if parcel.order_state not in SHIPPABLE:
        return "not_yet"
    if not parcel.mapped or not parcel.lines:
        return "unmapped"
    return ""


def note_packed(session: Session, parcel_id: int, contents: Mapping[str, int], *, who: str, now_ms: int) -> None:
    """A person scanned all of a parcel. Raises `BadInput` when it changed meanwhile: cancelled, gone, or other contents."""
    parcel = next(iter(parcels_by_id(session, [parcel_id])), None)
    why = "gone" if parcel is None else why_not_packed(parcel)
    if parcel is not None and not why and parcel.contents != dict(contents):
        why = "changed"
    if why:
        raise BadInput(why)
    session.execute(
        text("UPDATE parcel SET packed_ms = :now, packed_by = :w, packed_as = :c WHERE id = :p"),
        {"p": parcel_id, "now": now_ms, "w": who, "c": json.dumps(dict(contents), sort_keys=True)},
    )


def packed_by(session: Session, parcel_id: int) -> str:
    """Who packed a parcel, "" when nobody did."""
    return str(session.execute(text("SELECT packed_by FROM parcel WHERE id = :p"), {"p": parcel_id}).scalar_one())
