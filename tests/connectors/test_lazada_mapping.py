"""Lazada: what every documented value becomes, and what happens to one that is not documented."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import sellersync_lazada
from sellersync.domain.errors import RejectClass, Rejected, Temporary, Unrecognised
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import CancellationState, ReturnState
from sellersync_lazada.cancellations import cancellation_of
from sellersync_lazada.envelope import row_refusal
from sellersync_lazada.finance import settlements_of
from sellersync_lazada.mapping import PARCEL_STATES, STAGES, items_of, order_from, parcels_of
from sellersync_lazada.mapping_stock import listing_of, refused_rows, reject_class, skus_of
from sellersync_lazada.returns import returns_of
from sellersync_lazada.values import moment, request_time, truth, whole
from sellersync_lazada.warehouses import Warehouses, warehouses_of

ONE = Warehouses("dropshipping")
TWO = Warehouses("dropshipping", ("dropshipping", "ID1AB2C-WH-10002"))

PAYLOADS = Path(sellersync_lazada.__file__).parent / "payloads"


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def sample_order(*statuses: str, header: Mapping[str, Any] | None = None, **change: Any) -> Order:
    head = {**payload("orders_get")["data"]["orders"][0], "items_count": len(statuses), **(header or {})}
    first = payload("order_items_get")["data"][0]
    rows = [{**first, "order_item_id": 1000 + n, "status": status, **change} for n, status in enumerate(statuses)]
    return order_from(head, rows, warehouses=ONE)


def test_every_sample_tells_where_it_comes_from() -> None:
    files = list(PAYLOADS.glob("*.json"))
    assert len(files) >= 5
    assert all(json.loads(file.read_text())["_provenance"] for file in files)


def test_the_documented_order() -> None:
    order = order_from(payload("orders_get")["data"]["orders"][0], payload("order_items_get")["data"], warehouses=ONE)
    assert order.remote_id == "1234567890123456"
    assert order.created_at == datetime(2026, 11, 20, 2, 14, 3, tzinfo=UTC)
    assert order.updated_at == datetime(2026, 11, 20, 2, 20, 41, tzinfo=UTC)
    assert (order.goods_total, order.discount_total, order.shipping_fee, order.total) == (
        150_000,
        10_000,
        9_000,
        149_000,
    )
    # The second row is a second unit of the same SKU; it names no product and borrows it from its sister.
    (line,) = order.lines
    assert line.listing == "7000000001:13000000001"
    assert [unit.key for unit in line.units] == ["1234567890223456", "1234567890323456"]
    assert line.title == "Kopi Gayo 250 g (Giling: Halus)"
    assert order.problems == ()


STAGE_OF = {
    UnitStage.OPEN: ["unpaid", "pending", "repacked", "packed", "ready_to_ship_pending", "ready_to_ship"],
    UnitStage.LEFT: ["shipped", "shipping"],
    UnitStage.DELIVERED: ["delivered", "confirmed"],
    UnitStage.COMING_BACK: [
        "failed",
        "failed_delivery",
        "shipped_back",
        "shipped_back_success",
        "shipped_back_failed",
        "returned",
    ],
    UnitStage.CANCELLED: ["canceled"],
    UnitStage.LOST: ["lost", "lost_by_3pl", "damaged_by_3pl", "package_scrapped"],
}


def test_every_documented_item_status_has_its_stage() -> None:
    documented = {status: stage for stage, statuses in STAGE_OF.items() for status in statuses}
    assert documented == STAGES
    for status, stage in documented.items():
        order = sample_order(status)
        assert [unit.stage for unit in order.lines[0].units] == [stage]
        assert order.problems == ()
        assert order.remote_status == status
        assert order.state is not OrderState.UNKNOWN


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("unpaid",), OrderState.UNPAID),
        (("pending",), OrderState.READY),
        (("repacked",), OrderState.READY),
        (("packed",), OrderState.READY),
        (("packed", "ready_to_ship"), OrderState.READY),
        (("ready_to_ship_pending",), OrderState.BOOKED),
        (("ready_to_ship", "shipped"), OrderState.BOOKED),
        (("pending", "shipped"), OrderState.READY),
        (("pending", "canceled"), OrderState.READY),
        (("shipped", "canceled"), OrderState.SHIPPED),
        (("shipped", "delivered"), OrderState.SHIPPED),
        (("delivered", "confirmed"), OrderState.DELIVERED),
        (("confirmed",), OrderState.COMPLETED),
        (("confirmed", "canceled"), OrderState.COMPLETED),
        (("failed_delivery",), OrderState.RETURNING),
        (("delivered", "returned"), OrderState.RETURNING),
        (("lost_by_3pl",), OrderState.SHIPPED),
        (("canceled", "canceled"), OrderState.CANCELLED),
    ],
)
def test_the_state_of_an_order_follows_from_its_units(statuses: tuple[str, ...], state: OrderState) -> None:
    assert sample_order(*statuses).state is state


@pytest.mark.parametrize(
    "status", ["INFO_ST_DOMESTIC_RETURN_AT_TRANSIT_HUB", "LOST_BY_3PL", "topack", "toship", "", "cancelled"]
)
def test_an_unknown_status_is_kept_and_parks_the_order(status: str) -> None:
    order = sample_order("pending", status)
    assert order.state is OrderState.UNKNOWN
    assert [unit.stage for unit in order.lines[0].units] == [UnitStage.OPEN, UnitStage.UNKNOWN]
    assert any(repr(status) in problem for problem in order.problems)


def test_parcel_states_of_every_status_that_a_package_can_have() -> None:
    assert PARCEL_STATES.keys() == STAGES.keys() - {"unpaid", "pending"}
    for status, state in PARCEL_STATES.items():
        (parcel,) = sample_order(status, package_id="FP1", tracking_code="JNAP-1").parcels
        assert (parcel.remote_id, parcel.state, parcel.waybill) == ("FP1", state, "JNAP-1")
    (odd,) = sample_order("pending", package_id="FP1").parcels
    assert odd.state is ParcelState.UNKNOWN


def test_cancelled_units_leave_their_package() -> None:
    (parcel,) = sample_order("canceled", "packed", package_id="FP1").parcels
    assert parcel.state is ParcelState.PACKED
    assert parcel.unit_keys == ("1001",)
    assert parcel.units[0][1] == 1


def test_a_cancellation_request_on_a_shipped_unit_does_not_stop_the_order() -> None:
    assert sample_order("shipped", need_cancel_confirm=True).state is OrderState.SHIPPED
    assert sample_order("pending", need_cancel_confirm="true").state is OrderState.CANCEL_REQUESTED
    assert sample_order("pending", is_cancel_pending=1).state is OrderState.CANCEL_REQUESTED
    assert sample_order("pending", header={"need_cancel_confirm": True}).state is OrderState.CANCEL_REQUESTED


def test_one_sku_at_two_prices_is_two_lines() -> None:
    head = {**payload("orders_get")["data"]["orders"][0], "items_count": 2}
    first = payload("order_items_get")["data"][0]
    rows = [{**first, "order_item_id": n, "item_price": price} for n, price in ((1, 75_000), (2, "60000.00"))]
    order = order_from(head, rows, warehouses=ONE)
    assert [(line.key, line.unit_price) for line in order.lines] == [
        ("13000000001@75000", 75_000),
        ("13000000001@60000", 60_000),
    ]
    assert all(line.aliases == (line.key, "7000000001:13000000001") for line in order.lines)


def test_unreadable_parts_become_sentences_and_not_guesses() -> None:
    order = sample_order("pending", item_price="75000.50", sla_time_stamp="soon", need_cancel_confirm="maybe")
    assert order.lines[0].unit_price is None
    assert order.ship_by is None
    assert len(order.problems) == 3
    missing = sample_order("pending", header={"items_count": 2})
    assert any("announces 2 units" in problem for problem in missing.problems)
    for header in ({"order_id": None}, {"updated_at": "2026-11-20 09:20:41"}, {"created_at": ""}):
        with pytest.raises(Unrecognised):
            sample_order("pending", header=header)
    with pytest.raises(Unrecognised):
        sample_order("pending", order_item_id="")


def test_what_is_not_booked_by_us() -> None:
    assert sample_order("pending", is_fbl="1").lines[0].ours is False
    assert sample_order("pending", is_fbl=None, shipping_type="Own Warehouse").lines[0].ours is False
    assert sample_order("pending", is_fbl=0, shipping_type="Own Warehouse").lines[0].ours is True
    changes: list[dict[str, Any]] = [
        {"is_digital": "1"},
        {"delivery_option_sof": "1"},
        {"shipping_provider_type": "pickup_in_store"},
    ]
    for change in changes:
        order = sample_order("pending", **change)
        assert order.state is OrderState.HELD
        assert order.lines[0].ours
        assert order.meta["not_booked"]


# --------------------------------------------------------------------------------------------------------------- stock and returns


def test_the_documented_product() -> None:
    product = payload("products_get")["data"]["products"][0]
    (sku,) = skus_of(product, warehouses=ONE)
    listing = listing_of(sku, ONE)
    assert (listing.key, listing.seller_sku, listing.shown, listing.price) == (
        "7000000001:13000000001",
        "KOPI-GAYO-250",
        12,
        75_000,
    )
    assert sku.held_aside == 0


def test_products_with_several_warehouses_are_reported_and_not_read() -> None:
    product = payload("products_get")["data"]["products"][0]
    stock = product["skus"][0]["multiWarehouseInventories"]
    product["skus"][0]["multiWarehouseInventories"] = stock * 2
    (sku,) = skus_of(product, warehouses=ONE)
    assert sku.shown == {}
    assert "several warehouses" in listing_of(sku, ONE).problem


def test_units_locked_in_campaigns_are_summed() -> None:
    product = payload("products_get")["data"]["products"][0]
    product["skus"][0]["channelInventories"] = [{"sellableQuantity": 3}, {"sellableQuantity": "4"}]
    (sku,) = skus_of(product, warehouses=ONE)
    assert (sku.shown, sku.held_aside) == ({"": 12}, 7)


def test_the_documented_refusal_names_its_sku() -> None:
    (row,) = refused_rows(payload("stock_update_refused"))
    assert "KOPI-GAYO-250" in row.names
    assert reject_class(row.code, row.message) is RejectClass.BELOW_RESERVED
    assert refused_rows({"code": "501", "detail": "nothing useful"}) == ()
    assert refused_rows({"code": "501"}) == ()


@pytest.mark.parametrize(
    ("code", "message", "reject"),
    [
        ("4170", "x", RejectClass.CAMPAIGN_LOCKED),
        ("501", "Campaign period", RejectClass.CAMPAIGN_LOCKED),
        ("501", "SKU not found", RejectClass.UNKNOWN_LISTING),
        ("501", "something else", RejectClass.OTHER),
        ("208", "x", RejectClass.UNKNOWN_LISTING),
    ],
)
def test_classes_of_refused_levels(code: str, message: str, reject: RejectClass) -> None:
    assert reject_class(code, message) is reject


@pytest.mark.parametrize(
    ("code", "reject"),
    [
        ("1003", RejectClass.NO_ROUTE),
        ("700021", RejectClass.UNKNOWN_ORDER),
        ("700023", RejectClass.NOT_SUPPORTED),
        ("700027", RejectClass.NOT_OURS),
        ("700029", RejectClass.LOCATION),
        ("700030", RejectClass.NOT_SUPPORTED),
        ("700031", RejectClass.NOT_NOW),
        ("600002", RejectClass.CANCELLED),
        ("999999", RejectClass.OTHER),
    ],
)
def test_classes_of_refused_rows(code: str, reject: RejectClass) -> None:
    error = row_refusal("order 1", code, "why", retry=False)
    assert isinstance(error, Rejected)
    assert (error.reject, error.code) == (reject, code)


def test_rows_that_may_be_tried_again_are_temporary() -> None:
    for code in ("6", "40011", "700024"):
        assert isinstance(row_refusal("order 1", code, "busy", retry=False), Temporary)
    assert isinstance(row_refusal("order 1", "1003", "no courier", retry=True), Temporary)
    assert isinstance(row_refusal("order 1", "700026", "packed", retry=True), Rejected)


def test_the_documented_return() -> None:
    (row,) = payload("reverse_orders")["result"]["items"]
    units = {item.item_id: item for item in items_of(payload("order_items_get")["data"], warehouses=ONE)}
    (seen,) = returns_of(row, units)
    assert (seen.remote_id, seen.order_id, seen.state) == ("880000000000101", "1234567890123456", ReturnState.REQUESTED)
    assert seen.refund_amount == 70_000
    assert seen.lines == (("13000000001@75000", 1),)
    assert seen.respond_by == datetime(2026, 11, 23, 18, 40, tzinfo=UTC)
    (unknown,) = returns_of(row, {})
    assert unknown.refund_amount is None
    assert unknown.lines == (("1234567890223456", 1),)


def test_the_documented_cancellation() -> None:
    (row,) = payload("reverse_cancel")["result"]["items"]
    units = {item.item_id: item for item in items_of(payload("order_items_get")["data"], warehouses=ONE)}
    seen = cancellation_of(row, units)
    assert (seen.remote_id, seen.order_id, seen.state) == (
        "880000000000002",
        "1234567890123456",
        CancellationState.PENDING,
    )
    assert seen.lines == (("13000000001@75000", 2),)
    assert seen.respond_by == datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
    assert cancellation_of(row, {}).lines == (("1234567890223456", 1), ("1234567890323456", 1))


def test_the_documented_bookings() -> None:
    skipped: list[str] = []
    day = date(2026, 11, 20)
    (seen,) = settlements_of(payload("transaction_details")["data"], first=day, last=day, skipped=skipped)
    assert (seen.remote_id, seen.order_id, seen.net) == (
        "1234567890123456:2026-11-20",
        "1234567890123456",
        78_750,
    )
    assert sum(amount for _, amount in seen.parts) == seen.net
    assert skipped == []


def test_the_documented_warehouses_and_a_sku_in_both() -> None:
    found = warehouses_of(payload("warehouse_get")["result"]["module"], own="dropshipping")
    assert found == TWO
    (sku,) = skus_of(payload("product_two_warehouses")["data"], warehouses=found)
    listing = listing_of(sku, found)
    assert sku.shown == {"dropshipping": 4, "ID1AB2C-WH-10002": 9}
    assert [target.location for target in listing.targets] == ["dropshipping", "ID1AB2C-WH-10002"]
    assert listing.shown == 13


@pytest.mark.parametrize(
    ("warehouses", "code", "location"),
    [
        (ONE, "", ""),
        (ONE, "Dropshipping", ""),
        (ONE, "ID1AB2C-WH-10002", "ID1AB2C-WH-10002"),
        (TWO, "", "dropshipping"),
        (TWO, "DROPSHIPPING", "dropshipping"),
        (TWO, "id1ab2c-wh-10002", "ID1AB2C-WH-10002"),
        (TWO, "ELSEWHERE", "ELSEWHERE"),
    ],
)
def test_locations_of_warehouse_codes(warehouses: Warehouses, code: str, location: str) -> None:
    assert warehouses.location_of(code) == location


def test_a_shop_with_one_listed_warehouse_has_one() -> None:
    rows = payload("warehouse_get")["result"]["module"]
    assert not warehouses_of(rows[:1], own="dropshipping").several
    assert not warehouses_of([], own="dropshipping").several
    assert not warehouses_of([{"name": "without a code"}, rows[0]], own="dropshipping").several


def test_a_sku_without_a_warehouse_in_a_shop_with_two_is_reported() -> None:
    product = payload("products_get")["data"]["products"][0]
    product["skus"][0]["multiWarehouseInventories"] = []
    (sku,) = skus_of(product, warehouses=TWO)
    listing = listing_of(sku, TWO)
    assert (listing.shown, len(listing.targets)) == (None, 2)
    assert "no warehouse" in listing.problem


def test_the_documented_pack_row_becomes_the_parcel_that_reading_shows() -> None:
    rows = payload("order_items_get")["data"]
    packed = payload("pack")["result"]["data"]["pack_order_list"][0]["order_item_list"][0]
    row = {
        **rows[0],
        "status": "packed",
        "package_id": packed["package_id"],
        "tracking_code": packed["tracking_number"],
    }
    (parcel,) = parcels_of("1234567890123456", items_of([row], warehouses=ONE))
    assert (parcel.remote_id, parcel.waybill, parcel.state) == (
        "FP001234567890123",
        "JNAP-0000000001",
        ParcelState.PACKED,
    )


# -------------------------------------------------------------------------------------------------------------------------- values


def test_times_in_every_documented_form() -> None:
    expected = datetime(2026, 11, 20, 2, 14, 3, tzinfo=UTC)
    for text in ("2026-11-20 09:14:03 +0700", "2026-11-20T09:14:03+07:00", "2026-11-20T10:14:03+0800", "1795140843000"):
        assert moment(text, where="t") == expected
    assert request_time(expected) == "2026-11-20T09:14:03+07:00"
    for bad in ("2026-11-20 09:14:03", "", "yesterday"):
        with pytest.raises(Unrecognised):
            moment(bad, where="t")


def test_flags_and_numbers_in_every_spelling() -> None:
    assert [truth(value) for value in (1, "1", True, "true", "TRUE")] == [True] * 5
    assert [truth(value) for value in (0, "0", False, "false", None, "")] == [False] * 6
    with pytest.raises(Unrecognised):
        truth("perhaps")
    assert [whole(value, where="n") for value in (12, "12", 12.0, "12.0")] == [12] * 4
    for bad in ("", "12.5", None, "twelve", "inf"):
        with pytest.raises(Unrecognised):
            whole(bad, where="n")
