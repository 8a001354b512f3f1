"""The bare floor: the same requests over the same client, `json.loads`, and inserts of ready rows, one commit a page.

It does what any program in this language must do, and nothing that makes the answer right: no signature, no reading of fields, no
look whether an order is known, no balance, no finding. The rows are an order, its lines, a movement and a position a line, and the
mark; with `Kept`, also the parcels, their units and the buyers that the channel's replies hold.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import httpx
from sqlalchemy import insert, text
from tape import Call, Player, Tape

from sellersync.store.engine import open_writer, parse_url
from sellersync.store.tables import BuyerRow, Movement, OrderLineRow, OrderPosition, OrderRow, ParcelRow, ParcelUnit
from sellersync.testing.virtual import VirtualLoop, run_virtual

_ORDER, _LINE, _MOVEMENT, _POSITION, _PARCEL, _UNIT, _BUYER = (
    table.__table__  # type: ignore[attr-defined]
    for table in (OrderRow, OrderLineRow, Movement, OrderPosition, ParcelRow, ParcelUnit, BuyerRow)
)
_MARK = text(
    "INSERT INTO mark (channel_id, stream, at_ms, progress, walks) VALUES (1, 'orders', :at, '', 1) "
    "ON CONFLICT (channel_id, stream) DO UPDATE SET at_ms = excluded.at_ms"
)
NOW_MS = 1_795_262_400_000
LINES = 2
SEALED = bytes(300)


@dataclass(frozen=True, slots=True)
class Kept:
    """Does a channel's order bring a parcel with its units, and a buyer's address?"""

    parcels: bool = False
    buyers: bool = False


NOTHING_MORE = Kept()


def pull(tape: Tape, before: Path, kept: Kept = NOTHING_MORE) -> float:
    """Send, parse and insert everything on the tape into a copy of the ledger `before`. Returns CPU seconds."""
    ledger = Path(shutil.copy(before, before.with_name("floor.db")))
    try:
        return run_virtual(_pull(tape, ledger, kept), VirtualLoop())
    finally:
        ledger.unlink()


async def _pull(tape: Tape, ledger: Path, kept: Kept) -> float:
    engine = open_writer(parse_url(f"sqlite:///{ledger}"))
    with engine.connect() as connection:
        connection.rollback()
        async with httpx.AsyncClient(transport=Player(tape)) as client:
            begun = process_time()
            first_id = 1
            for step in tape.steps:
                if isinstance(step, Call):
                    request = client.build_request(
                        step.method, step.url, headers=step.request_headers, content=step.request_body
                    )
                    json.loads((await client.send(request)).content)
                    continue
                with connection.begin():
                    _insert(connection, range(first_id, first_id + step), kept)
                first_id += step
            spent = process_time() - begun
    engine.dispose()
    return spent


def _insert(connection: Any, ids: range, kept: Kept) -> None:
    connection.execute(_MARK, {"at": NOW_MS})
    if not ids:
        return
    lines = [(order, LINES * order + number, number) for order in ids for number in range(LINES)]
    connection.execute(insert(_ORDER), [_order(order) for order in ids])
    connection.execute(insert(_LINE), [_line(order, line, number) for order, line, number in lines])
    connection.execute(insert(_MOVEMENT), [_movement(order, number) for order, _, number in lines])
    connection.execute(
        insert(_POSITION),
        [
            {"order_id": order, "sku_id": 1 + number, "warehouse_id": 1, "reserved": 1, "shipped": 0}
            for order, _, number in lines
        ],
    )
    if kept.parcels:
        units = [{"parcel_id": order, "line_id": line, "unit_key": "#1", "live": True} for order, line, _ in lines]
        connection.execute(insert(_PARCEL), [_parcel(order) for order in ids])
        connection.execute(insert(_UNIT), units)
    if kept.buyers:
        rows = [{"order_id": order, "sealed": SEALED, "masked": True, "stored_ms": NOW_MS} for order in ids]
        connection.execute(insert(_BUYER), rows)


def _order(order: int) -> dict[str, Any]:
    return {
        "id": order, "channel_id": 1, "remote_id": f"2611210000{order:06}", "number": f"2611210000{order:06}", "storefront": "",
        "state": "ready", "remote_status": "READY_TO_SHIP", "created_ms": NOW_MS, "updated_ms": NOW_MS, "read_started_ms": NOW_MS,
        "digest": "0123456789abcdef01234567", "paid_ms": NOW_MS, "seen_ms": NOW_MS, "changed_ms": NOW_MS, "cancelled_ms": None,
        "shipped_ms": None, "ship_by_ms": None, "cancel_respond_by_ms": None, "hold_expires_ms": None, "hold_expired": False,
        "cod": False, "goods_total": 144_000, "shipping_fee": 9_000, "discount_total": None, "total": 153_000,
        "payment_method": "", "courier_service": "JNE", "cancel_by": "", "cancel_reason": "", "problems": "", "posted_rev": 1,
        "gone": "",
    }  # fmt: skip


def _parcel(order: int) -> dict[str, Any]:
    return {
        "id": order, "channel_id": 1, "order_id": order, "number": 1, "state": "ready", "remote_status": "LOGISTICS_READY",
        "remote_id": f"OFG{order:09}", "courier_channel_id": None, "adopted": True, "waybill": "", "pickup_code": "", "courier": "JNE",
        "service": "", "why_chosen": "", "quoted": None, "charged": None, "cod_amount": None, "routing_code": "", "ship_by_ms": None,
        "created_ms": NOW_MS, "booked_ms": None, "waybill_ms": None, "picked_up_ms": None, "delivered_ms": None, "tracked_ms": None,
        "updated_ms": NOW_MS,
    }  # fmt: skip


def _line(order: int, line: int, number: int) -> dict[str, Any]:
    return {
        "id": line, "order_id": order, "line_key": f"key-{number}", "aliases": '["key"]', "listing_key": f"1000{number}",
        "target_key": f"1000{number}", "location": "", "seller_sku": "SKU-001", "title": "Barang SKU-001", "quantity": 1,
        "unit_price": 48_000, "ours": True, "units": '[["open",1,"","yes"]]', "left_count": 0, "left_keys": "[]", "return_due": 0,
        "recipe_id": 1 + number, "warehouse_id": 1, "target_id": 1 + number, "held_outside": 0, "on_shelf": 1,
    }  # fmt: skip


def _movement(order: int, number: int) -> dict[str, Any]:
    return {
        "sku_id": 1 + number, "quantity": 1, "source": "available", "source_warehouse_id": 1, "destination": "reserved",
        "destination_warehouse_id": 1, "occurred_ms": NOW_MS, "recorded_ms": NOW_MS, "cause_kind": "order", "cause_id": order,
        "revision": 1, "leg": number, "reason": "ordered", "who": "sync",
    }  # fmt: skip
