"""Simulated package and after-sales endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sellersync.sandbox.kit import Refusal

from .sandbox_call import Call, Json, Route, bad_parameter, cut_page, id_list, refusal, whole_seconds
from .sandbox_rows import CaseRow, PackageRow

if TYPE_CHECKING:
    from .sandbox import TokopediaSandbox

ALREADY_SHIPPED = 21011030
SLOT_GONE = 21011031
NOT_SHIPPABLE = 21011032
LABEL_NOT_READY = 21011033
"""No source lists the codes of these refusals; the numbers are invented, a connector must not rely on them."""

SLOT_S = 4 * 3600
LABEL_DOCUMENTS = (
    "SHIPPING_LABEL",
    "PACKING_SLIP",
    "SHIPPING_LABEL_AND_PACKING_SLIP",
    "SHIPPING_LABEL_PICTURE",
    "HAZMAT_LABEL",
)


def _package(sim: TokopediaSandbox, package_id: str) -> PackageRow:
    package = sim.world.packages.get(package_id)
    if package is None:
        raise refusal(21008111, "order or package does not belong to the seller")
    return package


def detail(sim: TokopediaSandbox, call: Call) -> Json:
    package = _package(sim, call.path["package_id"])
    units = sim.world.units_in(package)
    row: Json = {
        "package_id": package.id,
        "package_status": package.status,
        "package_sub_status": package.sub_status,
        "orders": [{"id": order_id} for order_id in package.order_ids],
        "order_line_item_ids": [unit.id for unit in units],
        "warehouse_id": sim.world.orders[package.order_ids[0]].warehouse_id,
        "update_time": package.updated,
        "shipping_provider_name": "J&T Express",
        "shipping_provider_id": "6617675000000000001",
    }
    if package.tracking:
        row["tracking_number"] = package.tracking
    if package.status not in ("TO_FULFILL", "CANCELLED"):
        row["handover_method"] = package.handover
        if package.slot:
            row["pickup_slot"] = package.slot
    return row


def slots(sim: TokopediaSandbox, call: Call) -> Json:
    """Three pickup slots, the first of which is full. The key is misspelt on the real wire, too."""
    _package(sim, call.path["package_id"])
    first = (sim.now_s() // 3600 + 2) * 3600
    return {
        "can_pickup": sim.can_pickup,
        "can_drop_off": sim.can_drop_off,
        "can_van_collection": False,
        "pickup_slots": [
            {"start_time": first + n * SLOT_S, "end_time": first + (n + 1) * SLOT_S, "avaliable": n > 0}
            for n in range(3 if sim.can_pickup else 0)
        ],
    }


def ship(sim: TokopediaSandbox, call: Call) -> Json:
    body = call.known_fields("handover_method", "pickup_slot", "self_shipment")
    _ship(sim, _package(sim, call.path["package_id"]), body)
    return {}


def ship_many(sim: TokopediaSandbox, call: Call) -> Json:
    """Batch ship: refusals of single packages hide in `data.errors` at code 0."""
    errors: list[Json] = []
    rows = call.known_fields("packages").get("packages")
    if not isinstance(rows, list) or not rows:
        raise bad_parameter("packages")
    for row in rows:
        if set(row) - {"id", "handover_method", "pickup_slot", "self_shipment"}:
            raise bad_parameter("packages[]")
        try:
            _ship(sim, _package(sim, str(row.get("id"))), row)
        except Refusal as refused:
            message = refused.response.json()["message"]
            errors.append({"code": int(refused.code), "message": message, "detail": {"package_id": str(row.get("id"))}})
    return {"errors": errors} if errors else {}


def _ship(sim: TokopediaSandbox, package: PackageRow, body: Json) -> None:
    if package.arranged:
        raise refusal(ALREADY_SHIPPED, "the package was shipped already")
    orders = [sim.world.orders[order_id] for order_id in package.order_ids]
    if package.status != "TO_FULFILL" or any(
        order.status not in ("AWAITING_SHIPMENT", "PARTIALLY_SHIPPING")
        or (order.cancel_requested and sim.world.pending_cancellation(order.id))
        for order in orders
    ):
        raise refusal(NOT_SHIPPABLE, "the package cannot be shipped in its present status")
    if any(order.fulfillment_type != "FULFILLMENT_BY_SELLER" for order in orders):
        raise refusal(21008106, "not supported for this business type")
    if any(order.shipping_type == "SELLER" for order in orders) != ("self_shipment" in body):
        raise bad_parameter("self_shipment")
    method, slot = body.get("handover_method", "DROP_OFF"), body.get("pickup_slot")
    if method not in ("PICKUP", "DROP_OFF"):
        raise bad_parameter("handover_method")
    if slot is not None:
        if set(slot) != {"start_time", "end_time"} or method != "PICKUP":
            raise bad_parameter("pickup_slot")
        if slot["start_time"] <= sim.now_s() or slot["end_time"] - slot["start_time"] != SLOT_S:
            raise refusal(SLOT_GONE, "the pickup slot is no longer available")
    sim.world.ship(package, method, slot)


def documents(sim: TokopediaSandbox, call: Call) -> Json:
    package = _package(sim, call.path["package_id"])
    if call.query.get("document_type") not in LABEL_DOCUMENTS:
        raise bad_parameter("document_type")
    call.choice("document_size", "A6", "A5")
    if not package.tracking:
        raise refusal(LABEL_NOT_READY, "the document is not ready")
    if not package.label_at:
        package.label_at = sim.clock() + sim.label_delay_s
    if sim.clock() < package.label_at:
        return {"doc_url": "", "tracking_number": package.tracking}
    return {
        "doc_url": f"{call.origin}/labels/{package.id}.pdf?expires={sim.now_s() + 86_400}",
        "tracking_number": package.tracking,
    }


def cancellations(sim: TokopediaSandbox, call: Call) -> Json:
    size = call.page_size(1, 50, 10)
    rows = _cases(call, sim.world.cancellations, "cancel_status")
    ids, following, total = cut_page(
        rows, call, size=size, kind=sim.switches["page_token"], descending=_descending(call)
    )
    found = [_wire_cancellation(sim, sim.world.cancellations[case_id]) for case_id in ids]
    return {"cancellations": found, "next_page_token": following, "total_count": total}


def returns(sim: TokopediaSandbox, call: Call) -> Json:
    size = call.page_size(10, 50, 10)
    rows = _cases(call, sim.world.returns, "return_status")
    ids, following, total = cut_page(
        rows, call, size=size, kind=sim.switches["page_token"], descending=_descending(call)
    )
    found = [_wire_return(sim, sim.world.returns[case_id]) for case_id in ids]
    return {"return_orders": found, "next_page_token": following, "total_count": total}


def _cases(call: Call, cases: dict[str, CaseRow], status_field: str) -> list[tuple[int, str]]:
    """(sorting second, id) of the cases that the filters let through, in the asked order."""
    body = call.known_fields(
        "cancel_ids",
        "return_ids",
        "order_ids",
        "buyer_user_ids",
        "cancel_types",
        status_field,
        "create_time_ge",
        "create_time_lt",
        "update_time_ge",
        "update_time_lt",
    )
    by = call.choice("sort_field", "create_time", "update_time")
    order_ids = id_list(body, "order_ids", 50)
    statuses = id_list(body, status_field, 20)
    bounds = {name: whole_seconds(body, name) for name in body if name.endswith(("_ge", "_lt"))}

    def inside(case: CaseRow) -> bool:
        for field, value in (("create_time", case.created), ("update_time", case.updated)):
            first, end = bounds.get(f"{field}_ge"), bounds.get(f"{field}_lt")
            if (first is not None and value < first) or (end is not None and value >= end):
                return False
        return (not order_ids or case.order_id in order_ids) and (not statuses or case.status in statuses)

    rows = [(case.updated if by == "update_time" else case.created, case.id) for case in cases.values() if inside(case)]
    return sorted(rows, reverse=_descending(call))


def _descending(call: Call) -> bool:
    return call.choice("sort_order", "ASC", "DESC") == "DESC"


def _units(sim: TokopediaSandbox, case: CaseRow) -> list[Json]:
    units = {unit.id: unit for unit in sim.world.orders[case.order_id].units}
    return [
        {
            "order_line_item_id": unit_id,
            "sku_id": units[unit_id].sku.extra["sku_id"],
            "seller_sku": units[unit_id].sku.seller_sku,
        }
        for unit_id in case.unit_ids
    ]


def _wire_cancellation(sim: TokopediaSandbox, case: CaseRow) -> Json:
    row: Json = {
        "cancel_id": case.id,
        "order_id": case.order_id,
        "cancel_type": case.kind,
        "cancel_status": case.status,
        "role": case.role,
        "cancel_reason": "change of mind",
        "cancel_line_items": _units(sim, case),
        "should_replenish_stock": bool(sim.switches["cancel_restocks"]),
        "create_time": case.created,
        "update_time": case.updated,
    }
    if case.deadline:
        row["seller_next_action_response"] = [{"action": "SELLER_RESPOND_BUYER_CANCEL", "deadline": case.deadline}]
    return row


def _wire_return(sim: TokopediaSandbox, case: CaseRow) -> Json:
    price = sum(u.sku.price for u in sim.world.orders[case.order_id].units if u.id in case.unit_ids)
    row: Json = {
        "return_id": case.id,
        "order_id": case.order_id,
        "return_type": case.kind,
        "return_status": case.status,
        "return_line_items": _units(sim, case),
        "refund_amount": {"currency": "IDR", "refund_total": str(price)},
        "create_time": case.created,
        "update_time": case.updated,
    }
    if case.tracking:
        row["return_tracking_number"] = case.tracking
    if case.deadline:
        row["seller_next_action_response"] = [{"action": "SELLER_RESPOND_RETURN", "deadline": case.deadline}]
    return row


def approve(sim: TokopediaSandbox, call: Call) -> Json:
    return _answer(sim, call, accept=True)


def reject(sim: TokopediaSandbox, call: Call) -> Json:
    if not call.known_fields("reject_reason", "comment", "images").get("reject_reason"):
        raise refusal(25001001, "reject_reason is missing")
    return _answer(sim, call, accept=False)


def _answer(sim: TokopediaSandbox, call: Call, *, accept: bool) -> Json:
    """Answer a buyer's cancellation; repeating with the same idempotency key repeats the answer."""
    case = sim.world.cancellations.get(call.path["cancel_id"])
    if case is None:
        raise refusal(25001001, "unknown cancel_id")
    key = call.query.get("idempotency_key", "")
    if len(key) > 255:
        raise bad_parameter("idempotency_key")
    if key and sim.answered.get(case.id) == (key, accept):
        return {}
    if case.status != "CANCELLATION_REQUEST_PENDING":
        raise refusal(11050001, "the cancellation is not in a status that can be answered")
    sim.answered[case.id] = (key, accept)
    order = sim.world.orders[case.order_id]
    if accept:
        units = [unit for unit in order.units if unit.id in case.unit_ids and unit.status != "CANCELLED"]
        sim.world.cancel_units(order, units, "buyer")
        sim.world.close_cancellation(case, "CANCELLATION_REQUEST_SUCCESS")
    else:
        sim.world.close_cancellation(case, "CANCELLATION_REQUEST_CANCEL")
    return {}


SEARCH_QUERY = frozenset({"page_size", "page_token", "sort_field", "sort_order"})
PACKAGE = "/fulfillment/202309/packages/{package_id}"
CANCELLATION = "/return_refund/202309/cancellations/{cancel_id}"
ROUTES = {
    ("GET", PACKAGE): Route(detail),
    ("GET", f"{PACKAGE}/handover_time_slots"): Route(slots),
    ("POST", f"{PACKAGE}/ship"): Route(ship, body_required=True),
    ("POST", "/fulfillment/202309/packages/ship"): Route(ship_many, body_required=True),
    ("GET", f"{PACKAGE}/shipping_documents"): Route(documents, frozenset({"document_type", "document_size"})),
    ("POST", "/return_refund/202602/cancellations/search"): Route(cancellations, SEARCH_QUERY, body_required=True),
    ("POST", f"{CANCELLATION}/approve"): Route(approve, frozenset({"idempotency_key"})),
    ("POST", f"{CANCELLATION}/reject"): Route(reject, frozenset({"idempotency_key"}), body_required=True),
    ("POST", "/return_refund/202602/returns/search"): Route(returns, SEARCH_QUERY, body_required=True),
}
