"""Arranging a shipment in two steps: pack (creates the package, with courier and tracking number), then ready-to-ship (calls the
courier).

Both steps are decided by a live read of the order's items, and a row that is refused because its state forbids the step is judged by
reading again: the lost answer of an earlier call looks exactly like that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sellersync.connector.contract import Arranged, Arrangement, ParcelRequest
from sellersync.domain.errors import RejectClass, Rejected, SellersyncError, Temporary, Uncertain, Unrecognised
from sellersync.domain.orders import UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .api import LazadaApi
from .codes import ROW_DONE
from .envelope import row_refusal
from .mapping import PACKABLE, PACKED, Item, items_of, parcels_of
from .values import text, truth
from .warehouses import Warehouses

STEP_PACK = "pack"
STEP_READY_TO_SHIP = "ready_to_ship"
MUST_WAIT = frozenset({"unpaid"})


async def live_items(api: LazadaApi, order_id: str, *, warehouses: Warehouses) -> tuple[Item, ...]:
    """The order's units as the platform shows them now. Raises `Rejected` UNKNOWN_ORDER, `Temporary`."""
    try:
        return items_of(await api.order_items_get(order_id), warehouses=warehouses)
    except Unrecognised as unreadable:
        raise Temporary(f"order {order_id}: {unreadable}") from None


def next_step(request: ParcelRequest, items: Sequence[Item]) -> Arrangement:
    """Which step comes next for these units. Pure. Raises `Rejected` with the reason why there is none, `Temporary` while the
    platform does not show a package that it made."""
    wanted = _wanted(request, items)
    order = f"order {request.order_id}"
    alive = [item for item in wanted if item.stage is not UnitStage.CANCELLED]
    if not alive:
        raise Rejected(order, "all its units are cancelled", RejectClass.CANCELLED)
    if any(item.cancel_asked for item in alive):
        raise Rejected(order, "the buyer asked to cancel; answer that first", RejectClass.NOT_NOW)
    unknown = [item.status for item in alive if item.stage is UnitStage.UNKNOWN]
    if unknown:
        raise Rejected(order, f"unknown status {unknown[0]!r}", RejectClass.NOT_NOW)
    ours = [item for item in alive if not item.not_booked]
    if not ours:
        only_platform = all(not item.ours for item in alive)
        reject = RejectClass.NOT_OURS if only_platform else RejectClass.NOT_SUPPORTED
        raise Rejected(order, f"nothing to book: {alive[0].not_booked}", reject)
    if any(item.status in MUST_WAIT for item in ours):
        raise Rejected(order, "not paid yet", RejectClass.NOT_NOW)
    packable = [item for item in ours if item.status in PACKABLE]
    if packable:
        if request.parcel is not None and not any(item.package_id or item.status == "repacked" for item in packable):
            raise Temporary(f"{order}: package {request.parcel.remote_id} is not visible yet")
        return _pack(request, packable)
    packed = [item for item in ours if item.status == PACKED]
    if packed:
        return _ready_to_ship(request, packed)
    raise Rejected(order, f"already {ours[0].status}", RejectClass.ALREADY_DONE)


def _wanted(request: ParcelRequest, items: Sequence[Item]) -> list[Item]:
    """The items that a request means: by unit id, else by line; of a named package only."""
    keys = {key for _, unit_keys, _ in request.units for key in unit_keys}
    lines = {line for line, unit_keys, _ in request.units if not unit_keys}
    wanted = [item for item in items if item.item_id in keys or item.line_key in lines]
    if request.parcel is not None:
        of_package = [item for item in wanted if item.package_id == request.parcel.remote_id]
        return of_package or [item for item in wanted if item.status in PACKABLE] or wanted
    return wanted


def _pack(request: ParcelRequest, items: Sequence[Item]) -> Arrangement:
    """A package leaves from one warehouse (700029); the units of another wait for a package of their own."""
    together = [item for item in items if item.location == items[0].location]
    payload = {"order_id": request.order_id, "items": {item.item_id: item.line_key for item in together}}
    return Arrangement(request, STEP_PACK, payload)


def _ready_to_ship(request: ParcelRequest, packed: Sequence[Item]) -> Arrangement:
    package_id = packed[0].package_id
    mine = [item for item in packed if item.package_id == package_id]
    payload = {
        "order_id": request.order_id,
        "package_id": package_id,
        "waybill": mine[0].waybill,
        "courier": mine[0].courier,
        "items": {item.item_id: item.line_key for item in mine},
    }
    return Arrangement(request, STEP_READY_TO_SHIP, payload)


async def send_pack(api: LazadaApi, arrangement: Arrangement, *, warehouses: Warehouses) -> Arranged:
    """Pack, once. Several packages may come of it (different shipping types): the first is returned, reading shows all."""
    payload, reference = arrangement.payload, arrangement.request.reference
    lines: Mapping[str, str] = payload["items"]
    rows = await api.pack(payload["order_id"], list(lines), reference=reference)
    packages: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if text(row.get("item_err_code")) == "0" and text(row.get("package_id")):
            packages.setdefault(text(row.get("package_id")), []).append(row)
    if packages:
        package_id, packed = next(iter(packages.items()))
        ids = [text(row.get("order_item_id")) for row in packed]
        parcel = _parcel(
            payload["order_id"],
            package_id,
            {item_id: lines[item_id] for item_id in ids if item_id in lines},
            state=ParcelState.PACKED,
            status=PACKED,
            waybill=text(packed[0].get("tracking_number")),
            courier=text(packed[0].get("shipment_provider")),
        )
        return Arranged(parcel, more=True)
    return await _after_refusal(api, arrangement, rows, warehouses=warehouses)


async def send_ready_to_ship(api: LazadaApi, arrangement: Arrangement, *, warehouses: Warehouses) -> Arranged:
    """Ready-to-ship for one package, once: the courier is called, the waybill is the one from packing."""
    payload, reference = arrangement.payload, arrangement.request.reference
    rows = await api.ready_to_ship(payload["package_id"], reference=reference)
    mine = [row for row in rows if text(row.get("package_id")) in ("", payload["package_id"])]
    if any(text(row.get("item_err_code")) == "0" for row in mine):
        parcel = _parcel(
            payload["order_id"],
            payload["package_id"],
            payload["items"],
            state=ParcelState.BOOKED,
            status="ready_to_ship",
            waybill=payload["waybill"],
            courier=payload["courier"],
        )
        return Arranged(_kept(parcel, arrangement.request.parcel))
    return await _after_refusal(api, arrangement, mine, warehouses=warehouses)


async def _after_refusal(
    api: LazadaApi, arrangement: Arrangement, rows: Sequence[Mapping[str, Any]], *, warehouses: Warehouses
) -> Arranged:
    """No row succeeded. Where the state forbade the step, reading tells whether it had been done before."""
    request = arrangement.request
    if not rows or not all(text(row.get("item_err_code")) for row in rows):
        raise Uncertain(request.reference, f"{arrangement.step}: an answer that does not tell what became of each item")
    refusal = _refusal_of(rows[0], arrangement)
    if not any(text(row.get("item_err_code")) in ROW_DONE for row in rows):
        raise refusal
    try:
        items = await live_items(api, request.order_id, warehouses=warehouses)
    except (Temporary, Rejected) as failure:
        raise Uncertain(request.reference, f"{arrangement.step} was refused and reading failed: {failure}") from None
    mine = [item for item in items if item.item_id in arrangement.payload["items"]]
    alive = [item for item in mine if item.stage is not UnitStage.CANCELLED]
    if not alive:
        raise Rejected(f"order {request.order_id}", "cancelled meanwhile", RejectClass.CANCELLED)
    for parcel in parcels_of(request.order_id, alive):
        if parcel.state.booked or (parcel.state is ParcelState.PACKED and arrangement.step == STEP_PACK):
            return Arranged(parcel, more=parcel.state is ParcelState.PACKED)
    if any(item.status in PACKABLE for item in alive):
        # Refused as already packed, shown as not packed: what is shown is behind.
        raise Uncertain(request.reference, f"{refusal}; the items still read as {alive[0].status}")
    raise refusal


def _refusal_of(row: Mapping[str, Any], arrangement: Arrangement) -> SellersyncError:
    code = text(row.get("item_err_code"))
    retry = truth(row.get("retry")) if text(row.get("retry")).lower() in ("true", "1") else False
    return row_refusal(
        f"order {arrangement.request.order_id}", code, text(row.get("msg")) or "no reason given", retry=retry
    )


def _parcel(
    order_id: str,
    package_id: str,
    lines: Mapping[str, str],
    *,
    state: ParcelState,
    status: str,
    waybill: str,
    courier: str,
) -> RemoteParcel:
    counts: dict[str, int] = {}
    for line_key in lines.values():
        counts[line_key] = counts.get(line_key, 0) + 1
    return RemoteParcel(
        remote_id=package_id,
        order_ids=(order_id,),
        state=state,
        remote_status=status,
        units=tuple(counts.items()),
        unit_keys=tuple(sorted(lines)),
        waybill=waybill,
        courier=courier,
    )


def _kept(parcel: RemoteParcel, known: RemoteParcel | None) -> RemoteParcel:
    """The parcel with what was known of it before (deadline, a waybill that the last read lacked)."""
    if known is None or known.remote_id != parcel.remote_id:
        return parcel
    return replace(
        parcel,
        waybill=parcel.waybill or known.waybill,
        courier=parcel.courier or known.courier,
        ship_by=known.ship_by,
    )
