"""Shopee: released money, order by order. What every channel's settlements must do is the conformance suite's."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from sellersync.connector.contract import Mark, Stream
from sellersync.domain.errors import AuthNeeded, Rejected, SellersyncError, Unrecognised
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.testing.conformance import ChannelConformance
from sellersync.testing.rig import on_rig
from sellersync.testing.virtual import START
from sellersync_shopee import mapping_settlements, walk
from sellersync_shopee.mapping_settlements import read_settlement

DAY_S = 86_400.0

# Shape and names: sample of get_escrow_detail in the API reference (2026-08), with invented amounts that add up.
INCOME = json.loads(
    '{"escrow_amount":104820,"escrow_amount_after_adjustment":104820,"buyer_total_amount":128500,"order_original_price":127000,'
    '"order_discounted_price":117000,"seller_discount":10000,"shopee_discount":0,"voucher_from_seller":0,"voucher_from_shopee":0,'
    '"coins":0,"buyer_paid_shipping_fee":11500,"actual_shipping_fee":11500,"shopee_shipping_rebate":0,"commission_fee":9360,'
    '"service_fee":1570,"seller_order_processing_fee":1250,"withholding_tax":0}'
)
LISTED = {"order_sn": "261110ZX98YW76", "payout_amount": 104820, "escrow_release_time": 1795400000}


def settled(**changes: Any) -> Any:
    income = {name: value for name, value in {**INCOME, **changes}.items() if value is not ...}
    return read_settlement(LISTED, {"order_sn": LISTED["order_sn"], "order_income": income})


async def walked(rig: Any, since: datetime = START) -> list[Any]:
    return [page async for page in rig.connector.pages(Stream.SETTLEMENTS, Mark(since))]


def rows(pages: list[Any]) -> dict[str, int]:
    return {row.order_id: row.net for page in pages for row in page.rows}


async def one_settled(rig: Any) -> str:
    product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=50)
    order_id: str = rig.sim.place_order([(product.remote_key, 2)])
    await rig.clock.sleep(60)
    rig.sim.settle_order(order_id)
    await rig.clock.sleep(60)
    return order_id


# ---------------------------------------------------------------------------------------------------------------------- mapping


def test_the_sample_of_the_reference_is_explained_to_the_rupiah() -> None:
    row = settled()
    assert (row.remote_id, row.order_id, row.net) == ("261110ZX98YW76", "261110ZX98YW76", 104_820)
    assert row.settled_at.timestamp() == 1795400000
    assert dict(row.parts) == {
        "order_original_price": 127_000,
        "seller_discount": -10_000,
        "buyer_paid_shipping_fee": 11_500,
        "actual_shipping_fee": -11_500,
        "commission_fee": -9_360,
        "service_fee": -1_570,
        "seller_order_processing_fee": -1_250,
    }


@pytest.mark.parametrize(
    ("changes", "net", "unexplained"),
    [
        ({"escrow_amount_after_adjustment": 103_000}, 103_000, -1_820),
        ({"escrow_amount_after_adjustment": ...}, 104_820, 0),
        ({"escrow_amount": 1, "escrow_amount_after_adjustment": "104820.00"}, 104_820, 0),
        ({"commission_fee": "9360.50"}, 104_820, -9_360),
        ({"commission_fee": ...}, 104_820, -9_360),
        ({"a_new_fee": 500, "escrow_amount_after_adjustment": 104_320}, 104_320, -500),
        # what Shopee gives to the buyer is no part of the seller's income
        ({"shopee_discount": 9_000, "voucher_from_shopee": 5_000, "coins": 300}, 104_820, 0),
        ({"escrow_amount_after_adjustment": -2_000, "seller_return_refund": 106_820}, -2_000, 0),
        ({"escrow_amount_after_adjustment": -2_000, "seller_return_refund": -106_820}, -2_000, -213_640),
    ],
)
def test_what_the_rows_do_not_explain_is_named(changes: dict[str, Any], net: int, unexplained: int) -> None:
    row = settled(**changes)
    assert row.net == net
    assert dict(row.parts).get("unexplained", 0) == unexplained
    assert sum(amount for _, amount in row.parts) == net


def test_shipping_is_taken_from_its_rows_or_from_its_sum_whichever_adds_up() -> None:
    one_sum = settled(actual_shipping_fee=..., shopee_shipping_rebate=..., final_shipping_fee=-11_500)
    assert ("final_shipping_fee", -11_500) in one_sum.parts
    both = settled(final_shipping_fee=-11_500)
    assert ("actual_shipping_fee", -11_500) in both.parts
    assert "final_shipping_fee" not in dict(both.parts)
    assert "unexplained" not in dict(one_sum.parts) | dict(both.parts)


def adjustment(amount: Any, currency: str = "IDR") -> dict[str, Any]:
    return {"amount": amount, "date": 1795500000, "currency": currency, "adjustment_reason": "Ongkos kirim"}


def test_corrections_change_the_net_and_are_a_part() -> None:
    row = settled(escrow_amount_after_adjustment=103_320, order_adjustment=[adjustment(-2_000), adjustment(500.0)])
    assert (row.net, dict(row.parts)["order_adjustment"]) == (103_320, -1_500)
    assert "unexplained" not in dict(row.parts)
    unsummed = settled(escrow_amount_after_adjustment=..., order_adjustment=[adjustment(-2_000)])
    assert (unsummed.net, dict(unsummed.parts)["order_adjustment"]) == (102_820, -2_000)
    foreign = settled(escrow_amount_after_adjustment=103_320, order_adjustment=[adjustment(-2, "SGD")])
    assert (foreign.net, dict(foreign.parts)["unexplained"]) == (103_320, -1_500)


@pytest.mark.parametrize(
    "changes",
    [
        {"escrow_amount": ..., "escrow_amount_after_adjustment": ...},
        {"escrow_amount_after_adjustment": "104820.5"},
        {"escrow_amount_after_adjustment": "104.820"},
        {"escrow_amount_after_adjustment": ..., "order_adjustment": [adjustment(-2, "SGD")]},
        {"escrow_amount_after_adjustment": ..., "order_adjustment": [adjustment("much")]},
        {"escrow_amount_after_adjustment": ..., "order_adjustment": "none"},
    ],
)
def test_a_net_that_cannot_be_read_is_told_and_not_made_up(changes: dict[str, Any]) -> None:
    with pytest.raises(Unrecognised):
        settled(**changes)


@pytest.mark.parametrize("released", [None, 0, "", "yesterday"])
def test_without_a_time_of_release_there_is_no_settlement(released: Any) -> None:
    with pytest.raises(Unrecognised):
        read_settlement({**LISTED, "escrow_release_time": released}, {"order_income": INCOME})


# ------------------------------------------------------------------------------------------------------------------------ walks


def test_details_are_read_in_the_advised_batches_and_windows_stay_small() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=500)
        placed = [rig.sim.place_order([(product.remote_key, 1)]) for _ in range(45)]
        for order_id in placed:
            rig.sim.settle_order(order_id)
        await rig.clock.sleep(3_600)
        assert set(rows(await walked(rig))) == set(placed)
        bodies = [json.loads(r.content) for r in rig.requests if r.url.path.endswith("/get_escrow_detail_batch")]
        assert [len(body["order_sn_list"]) for body in bodies] == [20, 20, 5]
        windows = [
            parse_qs(request.url.query.decode())
            for request in rig.requests
            if request.url.path.endswith("/get_escrow_list")
        ]
        spans = [int(window["release_time_to"][0]) - int(window["release_time_from"][0]) for window in windows]
        assert max(spans) <= 86_400

    on_rig("shopee", body)


@pytest.mark.parametrize(("days", "seen"), [(7, False), (30, True)])
def test_corrections_are_seen_as_long_as_released_orders_are_read_again(days: int, seen: bool) -> None:
    async def body(rig: Any) -> None:
        order_id = await one_settled(rig)
        pages = await walked(rig)
        before = rows(pages)[order_id]
        await rig.clock.sleep(20 * DAY_S)
        pages = await walked(rig, pages[-1].closes)
        rig.sim.correct_settlement(order_id, -4_000)
        await rig.clock.sleep(DAY_S)
        again = rows(await walked(rig, pages[-1].closes))
        assert again == ({order_id: before - 4_000} if seen else {})

    on_rig("shopee", body, settings={"settlement_reread_days": days})


def test_a_window_never_closes_before_the_mark() -> None:
    async def body(rig: Any) -> None:
        await rig.clock.sleep(20 * DAY_S)
        since = rig.clock.now() - timedelta(hours=1)
        closes = [page.closes for page in await walked(rig, since)]
        assert min(closes) >= since
        assert closes == sorted(closes)
        assert closes[-1] >= rig.clock.now() - timedelta(seconds=2)

    on_rig("shopee", body)


def test_a_window_that_is_refused_for_another_reason_is_not_halved_for_ever() -> None:
    async def body(rig: Any) -> None:
        rig.sim.inject("get_escrow_list", "error_param", "shop_id required", times=1_000)
        with pytest.raises(Rejected, match="shop_id required"):
            await walked(rig)
        assert len(rig.requests) < 10

    on_rig("shopee", body)


# ------------------------------------------------------------------------------------------------------------------- permission

REFUSALS = [
    ("error_auth", "No permission to current api."),
    ("error_api_permission", ""),
    ("error_permission", ""),
    ("payment.error_permission", ""),
]


@pytest.mark.parametrize(("code", "message"), REFUSALS)
def test_without_the_permission_settlements_are_left_out_and_health_says_so(code: str, message: str) -> None:
    async def body(rig: Any) -> None:
        order_id = await one_settled(rig)
        rig.sim.inject("get_escrow_list", code, message, times=2)
        assert await walked(rig) == [], "no window closes: with the permission nothing is missing"
        health = await rig.connector.health()
        assert [note for note in health.notes if "settlements" in note]
        assert [page async for page in rig.connector.pages(Stream.ORDERS, Mark(START))][-1].rows
        assert list(rows(await walked(rig))) == [order_id]
        assert (await rig.connector.health()).notes == ()

    on_rig("shopee", body)


@pytest.mark.parametrize("endpoint", ["get_escrow_list", "get_escrow_detail_batch"])
def test_other_refusals_still_need_the_seller(endpoint: str) -> None:
    async def body(rig: Any) -> None:
        await one_settled(rig)
        rig.sim.inject(endpoint, "shop_access_expired")
        with pytest.raises(AuthNeeded):
            await walked(rig)

    on_rig("shopee", body)


def test_holiday_mode_is_a_note_and_its_permission_is_no_must() -> None:
    async def body(rig: Any) -> None:
        rig.sim.holiday_mode = 0
        assert (await rig.connector.health()).notes == ("Shopee shows the shop in holiday mode.",)
        rig.sim.holiday_mode = 1
        assert "for part of the listings" in (await rig.connector.health()).notes[0]
        rig.sim.inject("get_shop_holiday_mode", "error_permission")
        rig.sim.inject("get_escrow_list", "a_new_code")
        assert (await rig.connector.health()).notes == ()

    on_rig("shopee", body)


def test_a_passing_trouble_costs_nothing() -> None:
    async def body(rig: Any) -> None:
        order_id = await one_settled(rig)
        for kind in (FaultKind.HTTP_500, FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.DROP_AFTER):
            rig.sim.faults = [
                Fault(kind, lambda method, path: path.endswith("/get_escrow_list")),
                Fault(kind, lambda method, path: path.endswith("/get_escrow_detail_batch")),
            ]
            assert list(rows(await walked(rig))) == [order_id]

    on_rig("shopee", body)


# -------------------------------------------------------------------------------------------------- the suite can fail


class Suite(ChannelConformance):
    provider = "shopee"


def _rounded(value: Any, *, where: str) -> int:
    return round(float(str(value or 0)))


BREAKS: dict[str, tuple[Any, str, Any, str, dict[str, Any]]] = {
    "amounts are rounded": (
        mapping_settlements, "rupiah_or_none", _rounded,
        "test_a_settled_amount_that_is_not_whole_is_never_rounded", {"spell": lambda number: number + 0.25},
    ),
    "corrections are forgotten": (
        mapping_settlements, "_net", lambda sn, income: int(income["escrow_amount"]),
        "test_a_later_change_of_a_settlement_arrives", {},
    ),
    "costs are gains": (
        mapping_settlements, "VARIANTS", (((("order_original_price", 1), ("commission_fee", 1))),),
        "test_the_parts_of_a_settlement_sum_to_its_net", {},
    ),
    "one page of a second is enough": (
        walk, "NUMBERED_PAGES_MAX", 0,
        "test_settled_orders_arrive_exactly_once_with_the_providers_net", {"many": 130},
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", BREAKS)
def test_a_broken_promise_is_noticed(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, broken, behaviour, arguments = BREAKS[title]
    getattr(Suite(), behaviour)(**arguments)
    monkeypatch.setattr(module, name, broken)
    with pytest.raises((AssertionError, SellersyncError)):
        getattr(Suite(), behaviour)(**arguments)
