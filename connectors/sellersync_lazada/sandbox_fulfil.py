"""Fulfilment endpoints of the simulator: pack, ready-to-ship, label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from sellersync.sandbox.kit import Refusal, small_pdf

from .sandbox_market import LazadaMarket
from .sandbox_replies import failed_result, json_parameter
from .sandbox_state import PACKABLE, Item, Package, SimOrder

Parameters = Mapping[str, str]

BATCH_MAX = 20
LINK_LIFE_S = 600


def pack(sim: LazadaMarket, parameters: Parameters) -> Any:
    """`result.data`: every row is judged for itself; the rows that may be packed share a package per shipping type."""
    request = _object(json_parameter(parameters, "packReq", code="700004"))
    if request.get("delivery_type") != "dropship":
        raise failed_result("700017", "delivery_type is invalid")
    if request.get("shipping_allocate_type") != "TFS":
        raise failed_result("700018", "shipping_allocate_type is invalid")
    if "shipment_provider_code" in request:
        raise failed_result("700019", "a local seller does not choose the shipment provider")
    orders = request.get("pack_order_list")
    if not isinstance(orders, list) or not orders:
        raise failed_result("700004", "pack_order_list is empty")
    if len(orders) > BATCH_MAX:
        raise failed_result("700022", "too many orders")
    return {"pack_order_list": [_pack_order(sim, _object(order)) for order in orders]}


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise failed_result("700004", "an object was expected")
    return value


def _pack_order(sim: LazadaMarket, wanted: Mapping[str, Any]) -> dict[str, Any]:
    order_id, ids = wanted.get("order_id"), wanted.get("order_item_list")
    if type(order_id) is not int or not isinstance(ids, list) or not all(type(item_id) is int for item_id in ids):
        raise failed_result("700004", "order_id and order_item_list must be numbers")
    sim.tick()
    order = sim.orders.get(str(order_id))
    if order is None:
        return {"order_id": order_id, "order_item_list": [_row(i, "700021", "order not found") for i in ids]}
    by_id = {item.item_id: item for item in order.items}
    faults = {item_id: _pack_fault(by_id.get(item_id)) for item_id in ids}
    if len({by_id[item_id].place for item_id in ids if item_id in by_id}) > 1:
        faults = dict.fromkeys(ids, ("700029", "items of several warehouses can not be packed together"))
    good = [by_id[item_id] for item_id in ids if faults[item_id] is None]
    packages = _packages(sim, order, good)
    rows = []
    for item_id in ids:
        fault = faults[item_id]
        rows.append(_row(item_id, *fault) if fault else _packed_row(sim, item_id, packages[item_id]))
    return {"order_id": order_id, "order_item_list": rows}


def _pack_fault(item: Item | None) -> tuple[str, str] | None:
    if item is None:
        return "700025", "order item not found"
    if item.product.extra.get("fbl"):
        return "700027", "FBL item can not be packed"
    if item.product.extra.get("digital"):
        return "700030", "digital item can not be packed"
    if item.status == "unpaid":
        return "700031", "order is not ready to fulfil"
    if item.status not in PACKABLE or item.cancel_trigger_at is not None:
        return "700026", "item current status not allow to pack"
    return None


def _packages(sim: LazadaMarket, order: SimOrder, items: list[Item]) -> dict[int, Package]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.product.extra.get("provider_type", "standard"), []).append(item)
    result: dict[int, Package] = {}
    for group in groups.values():
        package = sim.new_package(order, group)
        result.update((item.item_id, package) for item in group)
    return result


def _row(item_id: int, code: str, message: str) -> dict[str, Any]:
    return {"order_item_id": item_id, "item_err_code": code, "msg": message, "retry": False}


def _packed_row(sim: LazadaMarket, item_id: int, package: Package) -> dict[str, Any]:
    return {
        "order_item_id": item_id,
        "item_err_code": "0",
        "msg": "success",
        "package_id": package.package_id,
        "tracking_number": package.waybill if sim.clock() >= package.waybill_at else "",
        "shipment_provider": package.courier,
        "retry": False,
    }


def _requested_packages(request: Any) -> list[str]:
    packages = _object(request).get("packages")
    if not isinstance(packages, list) or not packages:
        raise failed_result("700004", "packages is empty")
    if len(packages) > BATCH_MAX:
        raise failed_result("700022", "too many packages")
    return [str(_object(package).get("package_id", "")) for package in packages]


def ready_to_ship(sim: LazadaMarket, parameters: Parameters) -> Any:
    sim.tick()
    ids = _requested_packages(json_parameter(parameters, "readyToShipReq", code="700004"))
    rows = []
    for package_id in ids:
        code, message = _ready(sim, package_id)
        rows.append({"package_id": package_id, "item_err_code": code, "msg": message, "retry": False})
    return {"packages": rows}


def _ready(sim: LazadaMarket, package_id: str) -> tuple[str, str]:
    package = sim.packages.get(package_id)
    if package is None:
        return "600001", "package not found"
    if package.cancelled:
        return "600002", "package is already cancelled"
    if package.ready:
        code = str(sim.switches["rts_repeat"])
        return code, "success" if code == "0" else "package status not allow to ready to ship"
    if any(item.product.extra.get("own_fleet") for item in sim.items_of(package)):
        return "700000", "package status not allow to ready to ship"
    sim.mark_ready(package)
    return "0", "success"


def print_awb(sim: LazadaMarket, parameters: Parameters, *, origin: str) -> Any:
    """`file` is base64 of HTML with a relative iframe, `pdf_url` a link that lives ten minutes."""
    request = json_parameter(parameters, "getDocumentReq", code="700004")
    ids = _requested_packages(request)
    if request.get("doc_type") != "PDF":
        raise failed_result("700004", "doc_type is invalid")
    for package_id in ids:
        package = sim.packages.get(package_id)
        if package is None or package.cancelled:
            raise failed_result("700040", "no package can be printed")
    expires = sim.now_s() + LINK_LIFE_S
    return {
        "doc_type": "PDF",
        "file": "PGlmcmFtZSBzcmM9Ii9vc3MvcHJveHkvY29udG9oLnBkZiI+PC9pZnJhbWU+",
        "pdf_url": f"{origin}/oss/proxy/{'_'.join(ids)}.pdf?Expires={expires}&Signature={_link_key(sim, ids, expires)}",
    }


def _link_key(sim: LazadaMarket, ids: list[str], expires: int) -> str:
    return f"{sim.seller_id}.{'.'.join(ids)}.{expires}"


def download(sim: LazadaMarket, path: str, query: Mapping[str, str]) -> httpx.Response:
    """The label behind the link."""
    ids = path.removeprefix("/oss/proxy/").removesuffix(".pdf").split("_")
    expires = query.get("Expires", "0")
    good = expires.isdigit() and query.get("Signature") == _link_key(sim, ids, int(expires))
    if not good or int(expires) < sim.now_s():
        raise Refusal("AccessDenied", httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>"))
    lines = [f"{package_id} {sim.packages[package_id].waybill}" for package_id in ids]
    return httpx.Response(200, headers={"content-type": "application/pdf"}, content=small_pdf(lines))
