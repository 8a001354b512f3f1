"""Orders and listings as pure functions: every documented status, and what is not documented."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sellersync.connector.contract import PushOutcome, TargetKey, Want
from sellersync.domain.errors import RejectClass, Unrecognised
from sellersync.domain.orders import Excluded, Order, OrderState, UnitStage
from sellersync_shopify import mapping, mapping_stock
from sellersync_shopify.mapping import Rules

PAYLOADS = Path(mapping.__file__).parent / "payloads"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RULES = Rules(now=NOW, location="70001", cod_gateways=("Cash on Delivery (COD)",))
OPEN, LEFT, GONE, UNKNOWN = UnitStage.OPEN, UnitStage.LEFT, UnitStage.CANCELLED, UnitStage.UNKNOWN


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def row(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = deepcopy(payload("order")["body"]["data"]["order"])
    return {**found, **changes}


def fulfilled(units: int, **changes: Any) -> dict[str, Any]:
    line = {"quantity": units, "lineItem": {"id": "gid://shopify/LineItem/466157049"}}
    return {
        "id": "gid://shopify/Fulfillment/1",
        "status": "SUCCESS",
        "displayStatus": "FULFILLED",
        "createdAt": "2026-11-21T10:00:00Z",
        "trackingInfo": [{"number": "JNE1", "company": "JNE"}],
        "fulfillmentLineItems": {"nodes": [line], "pageInfo": {"hasNextPage": False, "endCursor": None}},
        **changes,
    }


def stages(found: Order) -> dict[UnitStage, int]:
    return {unit.stage: unit.count for line in found.lines for unit in line.units}


def test_an_order() -> None:
    found = mapping.order(row(), RULES)
    assert (found.remote_id, found.number, found.state) == ("450789469", "#1001", OrderState.READY)
    [line] = found.lines
    assert (line.key, line.listing, line.target, line.location) == ("line466157049", "808950810", "808950810", "70001")
    assert (line.seller_sku, line.unit_price) == ("KOPI-250", 45_000)
    assert [(unit.stage, unit.count, unit.excluded) for unit in line.units] == [(OPEN, 3, Excluded.YES)]
    assert (found.goods_total, found.shipping_fee, found.discount_total, found.total) == (135_000, 18_000, 0, 153_000)
    assert found.paid_at == datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
    assert found.buyer is not None
    assert (found.buyer.name, found.buyer.postal_code, found.buyer.masked) == ("Rani Penguji", "40132", False)
    assert found.problems == ()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PAID", OrderState.READY),
        ("PARTIALLY_REFUNDED", OrderState.READY),
        ("AUTHORIZED", OrderState.HELD),
        ("PENDING", OrderState.UNPAID),
        ("PARTIALLY_PAID", OrderState.UNPAID),
        ("EXPIRED", OrderState.UNPAID),
        ("VOIDED", OrderState.UNPAID),
        ("REFUNDED", OrderState.HELD),
    ],
)
def test_every_financial_status(status: str, state: OrderState) -> None:
    found = mapping.order(row(displayFinancialStatus=status), RULES)
    assert (found.state, stages(found), found.problems) == (state, {OPEN: 3}, ())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("UNFULFILLED", OrderState.READY),
        ("OPEN", OrderState.READY),
        ("PARTIALLY_FULFILLED", OrderState.READY),
        ("RESTOCKED", OrderState.READY),
        ("ON_HOLD", OrderState.HELD),
        ("SCHEDULED", OrderState.HELD),
        ("IN_PROGRESS", OrderState.HELD),
        ("PENDING_FULFILLMENT", OrderState.HELD),
        ("REQUEST_DECLINED", OrderState.HELD),
    ],
)
def test_every_fulfilment_status_with_units_waiting(status: str, state: OrderState) -> None:
    found = mapping.order(row(displayFulfillmentStatus=status), RULES)
    assert (found.state, stages(found), found.problems) == (state, {OPEN: 3}, ())
    unpaid = mapping.order(row(displayFulfillmentStatus=status, displayFinancialStatus="PENDING"), RULES)
    assert unpaid.state is OrderState.UNPAID


def test_fulfilled_orders() -> None:
    shipped = row(displayFulfillmentStatus="FULFILLED", fulfillments=[fulfilled(3)])
    found = mapping.order(shipped, RULES)
    assert (found.state, stages(found)) == (OrderState.SHIPPED, {LEFT: 3})
    assert found.meta == {"waybill": "JNE1", "courier": "JNE"}
    shipped["fulfillments"] = [fulfilled(1, displayStatus="DELIVERED"), fulfilled(2)]
    assert stages(mapping.order(shipped, RULES)) == {LEFT: 2, UnitStage.DELIVERED: 1}
    assert mapping.order({**shipped, "closedAt": "2026-11-22T00:00:00Z"}, RULES).state is OrderState.COMPLETED


def test_a_fulfilled_order_whose_units_seem_to_wait_is_never_booked_again() -> None:
    found = mapping.order(row(displayFulfillmentStatus="FULFILLED"), RULES)
    assert found.state is OrderState.UNKNOWN
    assert found.problems


def test_nothing_to_ship() -> None:
    digital = row(displayFulfillmentStatus="FULFILLMENT_NOT_REQUIRED")
    digital["lineItems"]["nodes"][0]["requiresShipping"] = False
    found = mapping.order(digital, RULES)
    assert (found.state, stages(found)) == (OrderState.DELIVERED, {UnitStage.DELIVERED: 3})
    tip = deepcopy(digital["lineItems"]["nodes"][0])
    digital["lineItems"]["nodes"].append({**tip, "id": "gid://shopify/LineItem/2", "variant": None})
    assert len(mapping.order(digital, RULES).lines) == 1


@pytest.mark.parametrize("field", ["displayFinancialStatus", "displayFulfillmentStatus"])
@pytest.mark.parametrize("value", ["SOMETHING_NEW", None, {"torn": 1}])
def test_an_unknown_status_holds_everything_and_is_told(field: str, value: Any) -> None:
    found = mapping.order(row(**{field: value}), RULES)
    assert (found.state, stages(found)) == (OrderState.UNKNOWN, {UNKNOWN: 3})
    assert "is not known" in found.problems[0]


@pytest.mark.parametrize(
    ("current", "fulfilments", "expected"),
    [
        (3, [], {OPEN: 3}),
        (2, [], {OPEN: 2, GONE: 1}),
        (0, [], {GONE: 3}),
        (3, [fulfilled(1)], {OPEN: 2, LEFT: 1}),
        (2, [fulfilled(1)], {OPEN: 1, LEFT: 1, GONE: 1}),
        (1, [fulfilled(2)], {LEFT: 1, GONE: 2}),
        (2, [fulfilled(3)], {LEFT: 2, GONE: 1}),
        (3, [fulfilled(3, status="CANCELLED")], {OPEN: 3}),
        (3, [fulfilled(1), fulfilled(1, status="ERROR"), fulfilled(1)], {OPEN: 1, LEFT: 2}),
    ],
)
def test_refunded_and_fulfilled_units(current: int, fulfilments: list[Any], expected: dict[UnitStage, int]) -> None:
    order = row(fulfillments=fulfilments)
    order["lineItems"]["nodes"][0]["currentQuantity"] = current
    assert stages(mapping.order(order, RULES)) == expected


@pytest.mark.parametrize(
    "fulfilments",
    [None, "torn", [{"status": "SUCCESS"}], [fulfilled(1, fulfillmentLineItems=None)], [fulfilled(4)]],
)
def test_unreadable_fulfilments_release_and_book_nothing(fulfilments: Any) -> None:
    found = mapping.order(row(fulfillments=fulfilments), RULES)
    assert found.problems
    assert found.state is OrderState.UNKNOWN
    assert OPEN not in stages(found)
    assert GONE not in stages(found)


def test_cash_on_delivery() -> None:
    pending = row(displayFinancialStatus="PENDING", paymentGatewayNames=["cash on delivery (cod)"], transactions=[])
    found = mapping.order(pending, RULES)
    assert (found.state, found.cod, found.paid_at, found.total) == (OrderState.READY, True, None, 0)
    collected = mapping.order({**pending, "displayFinancialStatus": "PAID"}, RULES)
    assert (collected.cod, collected.total) == (False, 153_000)
    deposit = mapping.order({**pending, "displayFinancialStatus": "PARTIALLY_PAID"}, RULES)
    assert (deposit.state, deposit.cod) == (OrderState.UNPAID, True)


def test_a_cancelled_order() -> None:
    found = mapping.order(row(cancelledAt="2026-11-21T10:00:00Z", cancelReason="CUSTOMER"), RULES)
    assert (found.state, stages(found), found.cancel_reason) == (OrderState.CANCELLED, {GONE: 3}, "CUSTOMER")
    half = mapping.order(row(cancelledAt="2026-11-21T10:00:00Z", fulfillments=[fulfilled(1)]), RULES)
    assert stages(half) == {GONE: 2, LEFT: 1}


def test_a_deleted_variant_and_a_broken_line() -> None:
    order = row()
    line = order["lineItems"]["nodes"][0]
    order["lineItems"]["nodes"] = [{**line, "variant": None}, {**line, "id": "5"}, None]
    found = mapping.order(order, RULES)
    assert [(line.key, line.listing) for line in found.lines] == [("line466157049", "")]
    assert len(found.problems) == 2


def test_amounts_with_fractions_are_told_and_not_rounded() -> None:
    dollars = {"shopMoney": {"amount": "12.50", "currencyCode": "USD"}}
    found = mapping.order(row(totalPriceSet=dollars, currencyCode="USD"), RULES)
    assert (found.total, found.currency) == (None, "USD")
    assert found.problems


def test_an_order_without_id_or_times_cannot_be_read() -> None:
    for broken in (
        row(id="450789469"),
        row(updatedAt=None),
        row(createdAt="today"),
        row(updatedAt="2026-11-21T09:00:00"),
    ):
        with pytest.raises(Unrecognised):
            mapping.order(broken, RULES)


# -- locations


def work(place: str, units: int, status: str = "OPEN") -> dict[str, Any]:
    entry = {"totalQuantity": units, "lineItem": {"id": "gid://shopify/LineItem/466157049"}}
    return {
        "id": "gid://shopify/FulfillmentOrder/1",
        "status": status,
        "assignedLocation": {"location": {"id": f"gid://shopify/Location/{place}"}},
        "lineItems": {"nodes": [entry], "pageInfo": {"hasNextPage": False, "endCursor": None}},
    }


@pytest.mark.parametrize(
    ("rows", "location", "told"),
    [
        ([work("1", 3)], "1", False),
        ([work("1", 3, "CANCELLED"), work("2", 3)], "2", False),
        ([work("1", 0, "CLOSED"), work("2", 3)], "2", False),
        ([work("1", 3, "CANCELLED")], "1", False),
        ([work("1", 1), work("2", 2)], "1", True),
        ([], "", False),
        ([{**work("1", 3), "assignedLocation": {"location": None}}], "", True),
    ],
)
def test_the_location_of_a_line(rows: list[Any], location: str, told: bool) -> None:
    order = row(fulfillmentOrders={"nodes": rows, "pageInfo": {"hasNextPage": False}})
    found = mapping.order(order, Rules(now=NOW))
    assert found.lines[0].location == location
    assert bool(found.problems) is told


# -- listings and answers


def test_a_listing() -> None:
    [variant] = payload("variants")["body"]["data"]["productVariants"]["nodes"]
    found = mapping_stock.listing(variant, ["70001", "70002", "70003"])
    assert found.targets == (TargetKey("808950810", "70001"), TargetKey("808950810", "70002"))
    assert (found.key, found.seller_sku, found.title, found.variation) == ("808950810", "KOPI-250", "Kopi", "250 g")
    assert (found.price, found.weight_g, found.shown) == (45_000, 270, 9)
    assert (found.active, found.managed) == (True, True)
    variant["inventoryItem"]["tracked"] = False
    assert not mapping_stock.listing(variant, ["70001"]).managed
    variant["price"] = "12.50"
    assert mapping_stock.listing(variant, ["70001"]).problem


WANT = Want(TargetKey("1", "2"), 5, 7, "e1-t1-v1-1")


@pytest.mark.parametrize(
    ("code", "outcome", "reject"),
    [
        ("CHANGE_FROM_QUANTITY_STALE", PushOutcome.UNCLEAR, None),
        ("COMPARE_QUANTITY_STALE", PushOutcome.UNCLEAR, None),
        ("IDEMPOTENCY_CONCURRENT_REQUEST", PushOutcome.UNCLEAR, None),
        ("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", PushOutcome.UNCLEAR, None),
        ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", PushOutcome.UNCLEAR, None),
        ("SOMETHING_NEW", PushOutcome.UNCLEAR, None),
        (None, PushOutcome.UNCLEAR, None),
        ("INVALID_INVENTORY_ITEM", PushOutcome.REJECTED, RejectClass.UNKNOWN_LISTING),
        ("INVALID_LOCATION", PushOutcome.REJECTED, RejectClass.LOCATION),
        ("ITEM_NOT_STOCKED_AT_LOCATION", PushOutcome.REJECTED, RejectClass.LOCATION),
        ("NON_MUTABLE_INVENTORY_ITEM", PushOutcome.REJECTED, RejectClass.NOT_MANAGED),
        ("INVALID_QUANTITY_NEGATIVE", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("INVALID_QUANTITY_TOO_HIGH", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("INVALID_QUANTITY_TOO_LOW", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("INVALID_NAME", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("INVALID_REASON", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("INVALID_REFERENCE_DOCUMENT", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("COMPARE_QUANTITY_REQUIRED", PushOutcome.REJECTED, RejectClass.BAD_DATA),
        ("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", PushOutcome.REJECTED, RejectClass.BAD_DATA),
    ],
)
def test_every_error_of_a_level(code: str | None, outcome: PushOutcome, reject: RejectClass | None) -> None:
    answer = mapping_stock.refusal(WANT, {"code": code, "message": "said the shop", "field": None})
    assert (answer.target, answer.outcome, answer.reject) == (WANT.target, outcome, reject)
    assert "said the shop" in answer.why


def test_which_row_an_error_is_about() -> None:
    path = payload("set-quantities-stale")["body"]["data"]["inventorySetQuantities"]["userErrors"][0]
    assert mapping_stock.row_of(path, 3) == 0
    for other in (
        None,
        [],
        ["input"],
        ["input", "reason"],
        ["input", "quantities", "7", "x"],
        ["input", "quantities", "x"],
    ):
        assert mapping_stock.row_of({"field": other}, 3) is None


def test_named_changes() -> None:
    done = payload("set-quantities")["body"]["data"]["inventorySetQuantities"]
    assert mapping_stock.changed_rows(done) == {TargetKey("808950810", "70001"): -2}
    refused = payload("set-quantities-stale")["body"]["data"]["inventorySetQuantities"]
    assert mapping_stock.changed_rows(refused) is None


def test_idempotency_keys_belong_to_shop_wants_and_sending() -> None:
    other = Want(WANT.target, 5, 7, "e1-t1-v1-2")
    keys = [
        mapping_stock.idempotency_key("a", [WANT], 1),
        mapping_stock.idempotency_key("b", [WANT], 1),
        mapping_stock.idempotency_key("a", [WANT], 2),
        mapping_stock.idempotency_key("a", [other], 1),
        mapping_stock.idempotency_key("a", [WANT, other], 1),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == mapping_stock.idempotency_key("a", [WANT], 1)
