"""Shopee's words into the domain's: every documented status, unknown ones, odd fields. Samples: see payloads/."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sellersync_shopee
from sellersync.connector.contract import Handover, PushOutcome, TargetKey, Want
from sellersync.domain.errors import RejectClass, Unrecognised
from sellersync.domain.orders import Excluded, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import ReturnState
from sellersync_shopee.fields import remote_key, split_key
from sellersync_shopee.mapping import ORDER_STATES, Policy, read_order, read_orders
from sellersync_shopee.mapping_parcels import PARCEL_STATES, ParcelFacts
from sellersync_shopee.mapping_returns import RETURN_STATES, read_return
from sellersync_shopee.mapping_shipping import ship_body
from sellersync_shopee.mapping_stock import read_level, read_stock_answers

PAYLOADS = Path(sellersync_shopee.__file__).parent / "payloads"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = Policy(now=NOW, booking_wait=timedelta(hours=1))


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def cod_order(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = copy.deepcopy(payload("get_order_detail_cod")["response"]["order_list"][0])
    return {**row, **changes}


def stages(row: dict[str, Any]) -> list[dict[UnitStage, int]]:
    return [{unit.stage: unit.count for unit in line.units} for line in read_order(row, POLICY).lines]


def test_every_sample_names_its_source() -> None:
    files = sorted(PAYLOADS.glob("*.json"))
    assert files
    for path in files:
        assert json.loads(path.read_text())["_provenance"], path.name


def test_the_sample_cod_order() -> None:
    order = read_order(cod_order(), POLICY)
    assert (order.remote_id, order.state, order.cod, order.paid_at) == ("261121AB12CD34", OrderState.READY, True, None)
    assert (order.total, order.shipping_fee, order.goods_total) == (128_500, 11_500, 117_000)
    assert order.ship_by == datetime.fromtimestamp(1795391999, UTC)
    assert [(line.listing, line.quantity, line.seller_sku, line.unit_price) for line in order.lines] == [
        ("24000011122:150000222333", 2, "KOPI-RB-250-H", 45_000),
        ("24000011199:0", 1, "SARING-01", 27_000),
    ]
    assert order.lines[0].aliases == (
        "line:24000011122",
        "24000011122:24000011122:150000222333",
        "24000011122:150000222333",
    )
    assert {unit.excluded for line in order.lines for unit in line.units} == {Excluded.YES}
    (parcel,) = order.parcels
    assert (parcel.remote_id, parcel.state) == ("OFG230000111222333", ParcelState.READY)
    assert parcel.units == ((order.lines[0].key, 2), (order.lines[1].key, 1))
    assert order.buyer is not None
    assert (order.buyer.masked, order.buyer.postal_code) == (True, "40132")
    assert order.problems == ()
    assert "S******i" not in repr(order)


def test_the_reference_sample_of_a_delivered_cod_order_from_another_country() -> None:
    order = read_order(payload("get_order_detail_reference")["response"]["order_list"][0], POLICY)
    assert (order.remote_id, order.state, order.cod) == ("2404098R48U37H", OrderState.COMPLETED, True)
    assert [(line.listing, line.units[0].stage, line.quantity) for line in order.lines] == [
        ("23620853561:221404189791", UnitStage.DELIVERED, 1)
    ]
    assert order.paid_at is not None
    assert order.shipped_at is not None
    assert order.paid_at > order.shipped_at, "a COD order is paid after it was collected"
    assert (order.total, order.problems) == (None, ("amounts in VND, not in rupiah",))
    assert order.parcels[0].state is ParcelState.DELIVERED


def test_a_dash_is_no_waybill() -> None:
    detail = {"package_number": "OFG230000111222333", "fulfillment_status": "LOGISTICS_READY", "tracking_number": "-"}
    order = read_order(cod_order(), POLICY, ParcelFacts(details={"OFG230000111222333": detail}))
    assert order.parcels[0].waybill == ""


def test_an_arranged_sample_parcel_reads_as_booked() -> None:
    detail = payload("get_package_detail")["response"]["package_list"][0]
    facts = ParcelFacts(details={detail["package_number"]: detail})
    order = read_order(cod_order(), POLICY, facts)
    assert (order.state, order.parcels[0].state) == (OrderState.BOOKED, ParcelState.BOOKED)
    assert order.parcels[0].ship_by == datetime.fromtimestamp(1795391999, UTC)


@pytest.mark.parametrize(
    ("status", "state", "stage"),
    [
        ("UNPAID", OrderState.UNPAID, UnitStage.OPEN),
        ("PENDING", OrderState.HELD, UnitStage.OPEN),
        ("INVOICE_PENDING", OrderState.HELD, UnitStage.OPEN),
        ("READY_TO_SHIP", OrderState.HELD, UnitStage.OPEN),  # without a package nothing can be booked
        ("PROCESSED", OrderState.BOOKED, UnitStage.OPEN),
        ("RETRY_SHIP", OrderState.BOOKED, UnitStage.OPEN),
        ("IN_CANCEL", OrderState.CANCEL_REQUESTED, UnitStage.OPEN),
        ("SHIPPED", OrderState.SHIPPED, UnitStage.LEFT),
        ("TO_CONFIRM_RECEIVE", OrderState.DELIVERED, UnitStage.DELIVERED),
        ("COMPLETED", OrderState.COMPLETED, UnitStage.DELIVERED),
        ("TO_RETURN", OrderState.RETURNING, UnitStage.LEFT),
        ("CANCELLED", OrderState.CANCELLED, UnitStage.CANCELLED),
    ],
)
def test_order_statuses_without_packages(status: str, state: OrderState, stage: UnitStage) -> None:
    order = read_order(cod_order(order_status=status, package_list=[]), POLICY)
    assert (order.state, order.remote_status, order.problems) == (state, status, ())
    assert [unit.stage for line in order.lines for unit in line.units] == [stage, stage]


def test_every_documented_status_is_in_the_tables() -> None:
    assert len(ORDER_STATES) == 12
    assert len(set(PARCEL_STATES) - {"LOGISTICS_NOT_STARTED", "LOGISTICS_REQUEST_CANCELLED"}) == 13
    assert len(RETURN_STATES) == 7


@pytest.mark.parametrize(
    ("order_status", "package_status", "parcel", "stage"),
    [
        ("UNPAID", "LOGISTICS_NOT_START", ParcelState.WAITING, UnitStage.OPEN),
        ("READY_TO_SHIP", "LOGISTICS_PENDING_ARRANGE", ParcelState.WAITING, UnitStage.OPEN),
        ("READY_TO_SHIP", "LOGISTICS_READY", ParcelState.READY, UnitStage.OPEN),
        ("IN_CANCEL", "LOGISTICS_READY", ParcelState.WAITING, UnitStage.OPEN),
        ("PROCESSED", "LOGISTICS_REQUEST_CREATED", ParcelState.BOOKED, UnitStage.OPEN),
        ("RETRY_SHIP", "LOGISTICS_PICKUP_RETRY", ParcelState.PICKUP_RETRY, UnitStage.OPEN),
        ("SHIPPED", "LOGISTICS_PICKUP_DONE", ParcelState.PICKED_UP, UnitStage.LEFT),
        ("TO_CONFIRM_RECEIVE", "LOGISTICS_DELIVERY_DONE", ParcelState.DELIVERED, UnitStage.DELIVERED),
        ("TO_RETURN", "LOGISTICS_DELIVERY_DONE", ParcelState.DELIVERED, UnitStage.DELIVERED),
        ("CANCELLED", "LOGISTICS_INVALID", ParcelState.CANCELLED, UnitStage.CANCELLED),
        ("CANCELLED", "LOGISTICS_REQUEST_CANCELED", ParcelState.CANCELLED, UnitStage.CANCELLED),
        ("CANCELLED", "LOGISTICS_PICKUP_FAILED", ParcelState.FAILED, UnitStage.CANCELLED),
        ("READY_TO_SHIP", "LOGISTICS_PICKUP_FAILED", ParcelState.FAILED, UnitStage.OPEN),
        ("CANCELLED", "LOGISTICS_DELIVERY_FAILED", ParcelState.RETURNING, UnitStage.COMING_BACK),
        ("CANCELLED", "LOGISTICS_COD_REJECTED", ParcelState.RETURNING, UnitStage.COMING_BACK),
        ("CANCELLED", "LOGISTICS_PICKUP_DONE", ParcelState.PICKED_UP, UnitStage.COMING_BACK),
        ("CANCELLED", "LOGISTICS_LOST", ParcelState.LOST, UnitStage.LOST),
        ("SHIPPED", "LOGISTICS_REQUEST_CREATED", ParcelState.BOOKED, UnitStage.LEFT),
    ],
)
def test_package_statuses(order_status: str, package_status: str, parcel: ParcelState, stage: UnitStage) -> None:
    row = cod_order(order_status=order_status)
    row["package_list"][0]["logistics_status"] = package_status
    order = read_order(row, POLICY)
    assert (order.parcels[0].state, order.parcels[0].remote_status) == (parcel, package_status)
    assert {unit.stage for line in order.lines for unit in line.units} == {stage}
    assert order.problems == ()


def test_b9_an_unknown_order_status_is_loud_and_holds_its_units() -> None:
    order = read_order(cod_order(order_status="TELEPORTED"), POLICY)
    assert (order.state, order.remote_status) == (OrderState.UNKNOWN, "TELEPORTED")
    assert stages(cod_order(order_status="TELEPORTED")) == [{UnitStage.UNKNOWN: 2}, {UnitStage.UNKNOWN: 1}]
    assert any("TELEPORTED" in problem for problem in order.problems)


def test_an_unknown_package_status_is_loud() -> None:
    row = cod_order()
    row["package_list"][0]["logistics_status"] = "LOGISTICS_BEAMED"
    order = read_order(row, POLICY)
    assert (order.state, order.parcels[0].state) == (OrderState.HELD, ParcelState.UNKNOWN)
    assert stages(row) == [{UnitStage.UNKNOWN: 2}, {UnitStage.UNKNOWN: 1}]
    assert any("LOGISTICS_BEAMED" in problem for problem in order.problems)


def test_units_of_a_dead_package_are_not_counted_twice_after_a_split() -> None:
    row = cod_order()
    dead = copy.deepcopy(row["package_list"][0])
    dead.update(package_number="OLD", logistics_status="LOGISTICS_INVALID")
    row["package_list"].insert(0, dead)
    order = read_order(row, POLICY)
    assert stages(row) == [{UnitStage.OPEN: 2}, {UnitStage.OPEN: 1}]
    assert {parcel.remote_id: len(parcel.units) for parcel in order.parcels} == {"OLD": 0, "OFG230000111222333": 2}


def test_cancelled_units_of_an_order_that_had_left_are_coming_back() -> None:
    row = cod_order(order_status="CANCELLED")
    row["item_list"][0].update(active_qty=0, cancelled_qty=2)
    row["package_list"][0]["logistics_status"] = "LOGISTICS_DELIVERY_FAILED"
    assert stages(row) == [{UnitStage.COMING_BACK: 2}, {UnitStage.COMING_BACK: 1}]


def test_lines_of_a_bundle_deal_stay_apart() -> None:
    row = cod_order()
    twin = {
        **row["item_list"][0],
        "model_discounted_price": 0,
        "line_item_id": 77,
        "model_quantity_purchased": 1,
        "active_qty": 1,
    }
    row["item_list"].append(twin)
    row["package_list"][0]["item_list"].append({**row["package_list"][0]["item_list"][0], "model_quantity": 1})
    order = read_order(row, POLICY)
    assert len({line.key for line in order.lines}) == 3
    assert order.lines[2].unit_price is None
    assert order.goods_total is None, "an unknown price is not 0"
    assert dict(order.parcels[0].units) == {line.key: line.quantity for line in order.lines}


def test_an_order_of_shopees_own_warehouse_is_not_ours_and_never_booked() -> None:
    order = read_order(cod_order(fulfillment_flag="fulfilled_by_shopee"), POLICY)
    assert order.state is OrderState.HELD
    assert not any(line.ours for line in order.lines)
    assert read_order(cod_order(fulfillment_flag="fulfilled_by_robots"), POLICY).problems


@pytest.mark.parametrize(
    "change",
    [
        {"pending_terms": ["ARRANGE_SHIPMENT_PENDING"]},
        {"advance_package": True},
        {"create_time": int(NOW.timestamp()) - 60},
    ],
)
def test_what_holds_an_order_back(change: dict[str, Any]) -> None:
    order = read_order(cod_order(**change), POLICY)
    assert (order.state, order.parcels[0].state) == (OrderState.HELD, ParcelState.WAITING)
    assert order.meta["held"]


@pytest.mark.parametrize("amount", [128500, 128500.0, "128500", "128500.00"])
def test_amounts_in_every_spelling(amount: object) -> None:
    assert read_order(cod_order(total_amount=amount), POLICY).total == 128_500


def test_an_unreadable_amount_or_time_is_a_problem_and_not_a_crash() -> None:
    order = read_order(cod_order(total_amount="x", pay_time="soon", currency="IDR"), POLICY)
    assert (order.total, order.paid_at, len(order.problems)) == (None, None, 2)
    foreign = read_order(cod_order(currency="SGD"), POLICY)
    assert foreign.total is None
    assert foreign.problems


def test_an_order_that_cannot_be_read_does_not_sink_the_others() -> None:
    broken = [cod_order(item_list=None), cod_order(update_time="?"), cod_order(order_sn="")]
    negative = cod_order()
    negative["item_list"][0]["model_quantity_purchased"] = -1
    orders, unreadable = read_orders([*broken, negative, cod_order()], POLICY)
    assert len(orders) == 1
    assert len(unreadable) == 4


def test_odd_warnings_and_locations() -> None:
    row = cod_order()
    row["package_list"][0]["item_list"][0]["product_location_id"] = ["IDG"]
    several = Policy(now=NOW, booking_wait=timedelta(0), multi_location=True)
    assert [line.location for line in read_order(row, several).lines] == ["IDG", "IDZ"]
    assert [line.location for line in read_order(row, POLICY).lines] == ["", ""]


def test_keys() -> None:
    assert remote_key("24000011122", None) == "24000011122:0"
    assert split_key("24000011122:150000222333") == (24000011122, 150000222333)
    for bad in ("", "1", "1:", "a:b", "1:2:3"):
        with pytest.raises(Unrecognised):
            split_key(bad)


def test_the_sample_model_list() -> None:
    model = payload("get_model_list")["response"]["model"][0]
    level = read_level(TargetKey("24000011122:150000222333"), model, NOW)
    assert (level.shown, level.held_aside, level.floor) == (20, 5, None)
    textual = {**model, "stock_info_v2": {"seller_stock": [{"location_id": "IDZ", "stock": "7"}]}}
    assert read_level(TargetKey("1:2"), textual, NOW).shown == 7
    assert read_level(TargetKey("1:2"), textual, NOW).held_aside is None


def test_the_sample_of_a_partly_refused_stock_call() -> None:
    wants = [Want(TargetKey(f"24000011122:{model}"), 1, None, "k") for model in (150000222333, 150000222334, 9)]
    answers = read_stock_answers(wants, payload("update_stock_partial")["response"])
    assert [answer.outcome for answer in answers] == [PushOutcome.APPLIED, PushOutcome.REJECTED, PushOutcome.UNCLEAR]
    assert answers[0].shown == 18
    assert answers[1].reject is RejectClass.BELOW_RESERVED


def test_the_sample_shipping_parameter() -> None:
    parameter = payload("get_shipping_parameter")["response"]
    body = ship_body("261121AB12CD34", "", parameter, Handover.PICKUP, sender_real_name="")
    assert body == {
        "order_sn": "261121AB12CD34",
        "pickup": {"address_id": 118454205, "pickup_time_id": "1795280400_1"},
    }
    address = {**parameter["pickup"]["address_list"][0], "time_slot_list": None}
    bare = {**parameter, "pickup": {"address_list": [address]}}
    assert ship_body("X", "P1", bare, Handover.PICKUP, sender_real_name="") == {
        "order_sn": "X",
        "pickup": {"address_id": 118454205},
        "package_number": "P1",
    }


def test_the_sample_return() -> None:
    row = payload("get_return_list")["response"]["return"][0]
    found = read_return(row)
    assert (found.state, found.lines, found.refund_amount) == (
        ReturnState.REQUESTED,
        (("24000011122:150000222333", 1),),
        45_000,
    )
    assert found.respond_by == datetime.fromtimestamp(1795559200, UTC)
    assert read_return({**row, "status": "DANCING"}).state is ReturnState.UNKNOWN
    with pytest.raises(Unrecognised):
        read_return({**row, "item": ["?"]})
