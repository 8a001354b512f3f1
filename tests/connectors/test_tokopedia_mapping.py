"""Tokopedia: status tables and odd rows, from documented payloads."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import sellersync_tokopedia
from sellersync.connector.contract import TargetKey
from sellersync.domain.errors import Unrecognised
from sellersync.domain.orders import Excluded, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import CancellationState, ReturnState
from sellersync_tokopedia import mapping, mapping_aftersales, mapping_stock

PAYLOADS = Path(sellersync_tokopedia.__file__).parent / "payloads"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def payload(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())["data"]
    return data


def row(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(payload("order_search")["orders"][0])
    return found | changes


def with_items(status: str, **changes: Any) -> dict[str, Any]:
    """The documented order in a status, its units too."""
    result = row(status=status)
    for item in result["line_items"]:
        item["display_status"] = status
        item |= changes
    return result


def test_the_documented_order() -> None:
    order = mapping.order(row(), mapping.Facts())
    (line,) = order.lines
    assert order.problems == ()
    assert (line.key, line.quantity, line.listing) == (
        "580000000000010001",
        2,
        "1730000000000000001:1730000000000000101",
    )
    assert line.aliases == ("580000000000010001", "580000000000010002", line.listing)
    assert (order.goods_total, order.discount_total, order.shipping_fee, order.total) == (
        150_000,
        10_000,
        9_000,
        149_000,
    )
    assert order.ship_by == datetime.fromtimestamp(1795406399, UTC)


@pytest.mark.parametrize(
    ("status", "state", "stage"),
    [
        ("UNPAID", OrderState.UNPAID, UnitStage.OPEN),
        ("ON_HOLD", OrderState.HELD, UnitStage.OPEN),
        ("AWAITING_SHIPMENT", OrderState.READY, UnitStage.OPEN),
        ("AWAITING_COLLECTION", OrderState.BOOKED, UnitStage.OPEN),
        ("IN_TRANSIT", OrderState.SHIPPED, UnitStage.LEFT),
        ("DELIVERED", OrderState.DELIVERED, UnitStage.DELIVERED),
        ("COMPLETED", OrderState.COMPLETED, UnitStage.DELIVERED),
        ("CANCELLED", OrderState.CANCELLED, UnitStage.CANCELLED),
    ],
)
def test_every_documented_order_status(status: str, state: OrderState, stage: UnitStage) -> None:
    order = mapping.order(with_items(status), mapping.Facts())
    assert (order.state, order.remote_status, order.problems) == (state, status, ())
    assert {unit.stage for unit in order.lines[0].units} == {stage}


def test_partially_shipping_is_still_to_be_booked() -> None:
    result = row(status="PARTIALLY_SHIPPING")
    result["line_items"][0] |= {"display_status": "IN_TRANSIT", "package_status": "FULFILLING", "package_id": "9"}
    order = mapping.order(result, mapping.Facts())
    assert order.state is OrderState.READY
    assert {parcel.state for parcel in order.parcels} == {ParcelState.IN_TRANSIT, ParcelState.READY}
    assert [unit.stage for unit in order.lines[0].units] == [UnitStage.LEFT, UnitStage.OPEN]


def test_unknown_words_are_kept_and_reported() -> None:
    order = mapping.order(with_items("CANCEL", package_status="NEW_WORD"), mapping.Facts())
    assert (order.state, order.remote_status) == (OrderState.UNKNOWN, "CANCEL")
    assert {unit.stage for unit in order.lines[0].units} == {UnitStage.UNKNOWN}
    assert order.parcels[0].state is ParcelState.UNKNOWN
    assert len(order.problems) == 4
    strange = mapping.order(row(fulfillment_type="FULFILLMENT_BY_MOON"), mapping.Facts())
    assert (strange.state, strange.lines[0].ours) == (OrderState.UNKNOWN, True)
    assert "FULFILLMENT_BY_MOON" in strange.problems[0]


def test_a_cancelled_order_leaves_no_package_to_book() -> None:
    order = mapping.order(with_items("CANCELLED", package_status="TO_FULFILL"), mapping.Facts())
    assert [parcel.state for parcel in order.parcels] == [ParcelState.CANCELLED]


def test_a_cancelled_order_cancels_units_on_the_shelf_and_reports_those_that_left() -> None:
    result = row(status="CANCELLED")
    result["line_items"][1]["display_status"] = "IN_TRANSIT"
    order = mapping.order(result, mapping.Facts())
    assert [unit.stage for unit in order.lines[0].units] == [UnitStage.CANCELLED, UnitStage.LEFT]
    assert len(order.problems) == 1


def test_lines_are_grouped_by_sku_and_price_and_gifts_apart() -> None:
    result = row()
    result["line_items"][1] |= {"sale_price": "0", "is_gift": True}
    order = mapping.order(result, mapping.Facts())
    assert [(line.quantity, line.unit_price) for line in order.lines] == [(1, 70_000), (1, 0)]
    assert [line.key for line in order.lines] == ["580000000000010001", "580000000000010002"]


def test_bundles_are_exploded_into_their_components() -> None:
    result = row()
    result["line_items"] = result["line_items"][:1]
    result["line_items"][0]["combined_listing_skus"] = [
        {"sku_id": "11", "sku_count": 2, "product_id": "1", "seller_sku": "A"},
        {"sku_id": "22", "sku_count": 1, "product_id": "2", "seller_sku": "B"},
    ]
    order = mapping.order(result, mapping.Facts())
    assert [(line.listing, line.quantity, line.unit_price) for line in order.lines] == [
        ("1:11", 2, None),
        ("2:22", 1, None),
    ]
    assert order.lines[0].named
    assert len(order.parcels[0].unit_keys) == 3


def test_platform_fulfilment_and_storefronts() -> None:
    for kind in ("FULFILLMENT_BY_TIKTOK", "FULFILLMENT_BY_DILAYANI_TOKOPEDIA"):
        assert not mapping.order(row(fulfillment_type=kind), mapping.Facts()).lines[0].ours
    assert mapping.order(row(commerce_platform="TIKTOK_SHOP"), mapping.Facts()).storefront == "tiktok_shop"
    assert mapping.order(row(commerce_platform="NEW_PLACE"), mapping.Facts()).storefront == "new_place"


def test_locations_only_where_the_shop_has_several_warehouses() -> None:
    assert mapping.order(row(), mapping.Facts()).lines[0].location == ""
    assert mapping.order(row(), mapping.Facts(locations=True)).lines[0].location == "7400000000000000001"


def test_wobbling_types_and_bad_money() -> None:
    result = row(id=580000000000000001, update_time="1795230161")
    result["payment"]["total_amount"] = 149000.0
    assert mapping.order(result, mapping.Facts()) == mapping.order(row(), mapping.Facts())
    result["payment"]["total_amount"] = "149000.50"
    order = mapping.order(result, mapping.Facts())
    assert order.total is None
    assert len(order.problems) == 1
    foreign = row()
    foreign["payment"]["currency"] = "USD"
    order = mapping.order(foreign, mapping.Facts())
    assert (order.total, order.currency) == (None, "USD")
    assert order.problems


def test_an_unpaid_unit_may_or_may_not_be_left_out_of_the_number() -> None:
    unpaid = mapping.order(with_items("UNPAID"), mapping.Facts())
    assert {unit.excluded for unit in unpaid.lines[0].units} == {Excluded.UNKNOWN}


def test_rows_without_identity_are_refused() -> None:
    for name in ("id", "status", "update_time", "create_time"):
        broken = row()
        del broken[name]
        with pytest.raises(Unrecognised):
            mapping.order(broken, mapping.Facts())
    assert mapping.order(row(line_items=[]), mapping.Facts()).problems


@pytest.mark.parametrize(
    ("status", "sub", "waybill", "state"),
    [
        ("TO_FULFILL", "", "", ParcelState.READY),
        ("TO_FULFILL", "CREATED", "", ParcelState.READY),
        ("TO_FULFILL", "STOCKING", "", ParcelState.READY),
        ("TO_FULFILL", "RTSING", "", ParcelState.BOOKED),
        ("TO_FULFILL", "STOCKING", "JX1", ParcelState.BOOKED),
        ("TO_FULFILL", "ISSUE", "", ParcelState.WAITING),
        ("PROCESSING", "RTSING", "", ParcelState.BOOKED),
        ("PROCESSING", "RTS", "JX1", ParcelState.BOOKED),
        ("PROCESSING", "ISSUE", "JX1", ParcelState.PROBLEM),
        ("PROCESSING", "TTS", "JX1", ParcelState.PICKED_UP),
        ("FULFILLING", "", "JX1", ParcelState.IN_TRANSIT),
        ("FULFILLING", "TTS", "JX1", ParcelState.PICKED_UP),
        ("FULFILLING", "SHIP_EXCEPTION", "JX1", ParcelState.PROBLEM),
        ("FULFILLING", "HBWING", "JX1", ParcelState.IN_TRANSIT),
        ("COMPLETED", "DELIVERED", "JX1", ParcelState.DELIVERED),
        ("COMPLETED", "PART_DELIVERED_AND_EXCEPTION", "JX1", ParcelState.PROBLEM),
        ("CANCELLED", "RTS", "JX1", ParcelState.CANCELLED),
        ("SOMETHING", "RTS", "JX1", ParcelState.UNKNOWN),
    ],
)
def test_package_states(status: str, sub: str, waybill: str, state: ParcelState) -> None:
    assert mapping_stock.package_state(status, sub, waybill) is state


def test_levels_of_the_documented_answer() -> None:
    by_sku = mapping_stock.inventory_by_sku(payload("inventory_search")["inventory"])
    target = TargetKey("1730000000000000001:1730000000000000101")
    level = mapping_stock.shown_level(target, by_sku["1730000000000000101"], NOW)
    assert (level.shown, level.held_aside, level.floor) == (7, 0, None)
    elsewhere = TargetKey(target.remote_key, "7400000000000000002")
    assert mapping_stock.shown_level(elsewhere, by_sku["1730000000000000101"], NOW).shown is None


def test_listing_states_of_both_platforms() -> None:
    product = {
        "id": "1",
        "title": "Kopi",
        "integrated_platform_statuses": [{"platform": "TOKOPEDIA", "status": "FREEZE"}],
        "skus": [{"id": "2", "price": {"sale_price": "70000"}, "inventory": [{"warehouse_id": "7", "quantity": 3}]}],
    }
    (listing,) = mapping_stock.listings(product, locations=False)
    assert (listing.active, listing.problem, listing.price) == (False, "FREEZE on TOKOPEDIA", 70_000)
    assert (
        mapping_stock.listings(product | {"integrated_platform_statuses": [], "status": "DELETED"}, locations=False)
        == []
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CANCELLATION_REQUEST_PENDING", CancellationState.PENDING),
        ("CANCELLATION_REQUEST_SUCCESS", CancellationState.ACCEPTED),
        ("CANCELLATION_REQUEST_COMPLETE", CancellationState.ACCEPTED),
        ("CANCELLATION_REQUEST_CANCEL", CancellationState.WITHDRAWN),
        ("CANCELLATION_REQUEST_CANCELLED", CancellationState.WITHDRAWN),
        ("SOMETHING", CancellationState.UNKNOWN),
    ],
)
def test_cancellation_states(status: str, state: CancellationState) -> None:
    found = mapping_aftersales.cancellation(
        {"cancel_id": "1", "order_id": "2", "cancel_status": status, "update_time": 1795230161}
    )
    assert (found.state, found.remote_status) == (state, status)


@pytest.mark.parametrize("word", ["REFUND_OR_RETURN_REQUEST_REJECT", "RETURN_OR_REFUND_REQUEST_REJECT"])
def test_both_spellings_of_a_rejected_return(word: str) -> None:
    found = mapping_aftersales.returned(
        {"return_id": "1", "order_id": "2", "return_status": word, "return_type": "REFUND", "update_time": 1795230161}
    )
    assert found.state is ReturnState.WITHDRAWN
