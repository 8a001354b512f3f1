"""Shopee on its simulator: signing, pulls, levels, booking, labels, returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sellersync.connector.contract import Handover, Mark, ParcelRequest, PushOutcome, Stream, TargetKey, Want
from sellersync.domain.errors import RejectClass, Rejected, Temporary
from sellersync.domain.orders import OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import ReturnState
from sellersync.sandbox.kit import Event
from sellersync.testing.rig import on_rig
from sellersync.testing.virtual import START
from sellersync_shopee.auth import PushForm, sign, sign_public, sign_shop, verify_push

KEY = "6d616465757073656c6c657273796e6b65796e6f74666f7270726f6430303031"
STAMP = 1795219200
ACCESS = "6b6d7a5166415a784c505972534e4467"


def calls(rig: Any, endpoint: str) -> list[Any]:
    return [request for request in rig.requests if request.url.path.endswith("/" + endpoint)]


async def walk(rig: Any, stream: Stream = Stream.ORDERS, since: datetime = START) -> list[Any]:
    return [page async for page in rig.connector.pages(stream, Mark(since))]


def wants(*levels: tuple[str, int]) -> list[Want]:
    return [Want(TargetKey(key), level, None, f"k{index}") for index, (key, level) in enumerate(levels)]


async def arranged(rig: Any, order_id: str, handover: Handover = Handover.PICKUP) -> Any:
    request = ParcelRequest(order_id, "SSREF-1", (), handover=handover)
    return await rig.connector.arrange(await rig.connector.prepare(request))


# ---------------------------------------------------------------------------------------------------------------------- signing


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v2/auth/access_token/get", "90b52559b9565297c58a217db6a212c4d2354f1fe64dc0479e1da4e1d09be138"),
        ("/api/v2/auth/token/get", "62b2e4d1dd4e9855434febb2936436eb6585074c4cee2e41d42fb13066a0875d"),
        ("/api/v2/shop/auth_partner", "b37321b9db99907b6b8689c13f34b2d97c5adf5eecc13b79b33e96ae71cbc668"),
    ],
)
def test_public_signature_vectors(path: str, expected: str) -> None:
    assert sign_public(KEY, 2009999, path, STAMP) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v2/order/get_order_list", "f27c217bdd960ed771c886936334fb0da78d8148ff27a4638da6fe0c9cca3e8e"),
        ("/api/v2/logistics/ship_order", "35b04a6c1dc30e5cb9c670ffa0e774eefb1a93919cc59cca475ad3a33fb59df4"),
    ],
)
def test_shop_signature_vectors(path: str, expected: str) -> None:
    assert sign_shop(KEY, 2009999, path, STAMP, ACCESS, "700000001") == expected


def test_merchant_signature_vector() -> None:
    expected = "764c3d6912a7c4271e7028b3ffe861c3d81dbb46df372fc4226d02af055df07b"
    assert sign(KEY, "2009999", "/api/v2/merchant/get_merchant_info", str(STAMP), ACCESS, "1200345") == expected


PUSH_KEY = "70757368706172746e65726b657973656c6c657273796e6d6164657570303030"
PUSH_URL = "https://toko.example.id/hooks/shopee"
PUSH_BODY = (
    b'{"msg_id":"9f1c2d3e4a5b60718293a4b5c6d7e8f9","data":{"items":[],"ordersn":"261121AB12CD34","status":"READY_TO_SHIP",'
    b'"completed_scenario":"","update_time":1795219180},"shop_id":700000001,"code":3,"timestamp":1795219181}'
)


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("03c0fa7740dad2fac7ff6dabc80bbe8623cb8a9fc85b45fce6ff2724ff6c248b", PushForm.URL_AND_BODY),
        ("4b531ffca02323c7c005e2b3fc63f62085beab046a8ca999b29a97b72700cfc6", PushForm.BODY),
        ("4b531ffca02323c7c005e2b3fc63f62085beab046a8ca999b29a97b72700cfc7", None),
        ("", None),
    ],
)
def test_push_signature_in_both_observed_forms(header: str, form: PushForm | None) -> None:
    assert verify_push(header, PUSH_BODY, callback_url=PUSH_URL, push_keys=[KEY, PUSH_KEY]) is form


# ------------------------------------------------------------------------------------------------------------------------ pulls


@pytest.mark.parametrize("list_order", ["ascending", "descending"])
def test_orders_of_one_second_cross_the_page_border_without_loss(list_order: str) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=1_000)
        placed = {rig.sim.place_order([(product.remote_key, 1)]) for _ in range(230)}
        await rig.clock.sleep(5)
        pages = await walk(rig)
        assert [len(page.rows) for page in pages] == [100, 100, 30]
        assert {order.remote_id for page in pages for order in page.rows} == placed
        assert [page.closes is None for page in pages] == [True, True, False]
        assert len(calls(rig, "get_order_detail")) == 5, "fifty orders a detail call"

    on_rig("shopee", body, switches={"list_order": list_order})


def test_a_long_pause_is_walked_in_windows_of_at_most_fifteen_days() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        pages = await walk(rig, since=START - timedelta(days=40))
        spans = [
            int(request.url.params["time_to"]) - int(request.url.params["time_from"])
            for request in calls(rig, "get_order_list")
        ]
        assert max(spans) == 15 * 86_400
        assert [order.remote_id for page in pages for order in page.rows] == [order_id]
        closes = [page.closes for page in pages]
        assert closes == sorted(closes), "each window ends with its own bound, oldest first"
        assert closes[-1] == START

    on_rig("shopee", body)


def test_restart_from_the_mark_sees_changes_and_repeats_the_overlap() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        early = rig.sim.place_order([(product.remote_key, 1)])
        await rig.clock.sleep(1_000)
        first = await walk(rig)
        await rig.clock.sleep(50)
        late = rig.sim.place_order([(product.remote_key, 1)], paid=False)
        await rig.clock.sleep(1)
        rig.sim.pay(late)
        pages = await walk(rig, since=first[-1].closes)
        assert [order.remote_id for page in pages for order in page.rows] == [late]
        assert early in {order.remote_id for order in first[-1].rows}
        again = await walk(rig, since=first[-1].closes)
        assert again[-1].rows == pages[-1].rows, "the same order pulled twice is equal"

    on_rig("shopee", body)


def test_a_change_that_becomes_visible_late_is_inside_the_overlap() -> None:
    async def body(rig: Any) -> None:
        rig.sim.visibility_delay_s = 20.0
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        await rig.clock.sleep(600)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        first = await walk(rig)
        assert first[-1].rows == ()
        await rig.clock.sleep(30)
        assert [order.remote_id for order in (await walk(rig, since=first[-1].closes))[-1].rows] == [order_id]

    on_rig("shopee", body)


def test_an_empty_window_closes() -> None:
    async def body(rig: Any) -> None:
        await rig.clock.sleep(100)
        pages = await walk(rig)
        assert [(page.rows, page.closes) for page in pages] == [((), START + timedelta(seconds=100))]

    on_rig("shopee", body)


@pytest.mark.parametrize("detail_batch_one_bad", ["fails", "omits"])
def test_one_unknown_id_does_not_sink_a_detail_batch(detail_batch_one_bad: str) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=100)
        placed = [rig.sim.place_order([(product.remote_key, 1)]) for _ in range(60)]
        answer = await rig.connector.orders_by_id([*placed[:20], "NOSUCHORDER", *placed[20:]])
        assert {order.remote_id for order in answer.found} == set(placed)
        assert answer.gone == ("NOSUCHORDER",)

    on_rig("shopee", body, switches={"detail_batch_one_bad": detail_batch_one_bad})


def test_b18_a_cursor_that_stands_still_is_a_clean_error() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=1_000)
        for _ in range(150):
            rig.sim.place_order([(product.remote_key, 1)])
        rig.sim._after = lambda rows, cursor: rows  # a provider that gives page one for ever
        with pytest.raises(Temporary, match="cursor"):
            await walk(rig)
        assert len(calls(rig, "get_order_list")) == 2

    on_rig("shopee", body)


# ----------------------------------------------------------------------------------------------------------------- order life


def test_an_unpaid_order_is_held_and_a_cod_order_is_ready_without_pay_time() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        unpaid = rig.sim.place_order([(product.remote_key, 1)], paid=False)
        cod = rig.sim.place_order([(product.remote_key, 2)], cod=True)
        found = {order.remote_id: order for order in (await rig.connector.orders_by_id([unpaid, cod])).found}
        assert found[unpaid].state is OrderState.UNPAID
        assert found[unpaid].total is None
        assert (found[cod].state, found[cod].paid_at, found[cod].cod) == (OrderState.READY, None, True)
        assert found[cod].total == 2 * 45_000 + 11_500

    on_rig("shopee", body)


@pytest.mark.parametrize(
    ("switch", "after_order", "after_cancel"), [(True, 7, 10), (False, 10, 10)], ids=["at_checkout", "at_payment"]
)
def test_when_the_number_falls_for_an_unpaid_order(switch: bool, after_order: int, after_cancel: int) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 3)], paid=False)
        assert rig.sim.shown(product.remote_key) == after_order
        order = (await rig.connector.orders_by_id([order_id])).found[0]
        assert [unit.stage for unit in order.lines[0].units] == [UnitStage.OPEN], "reserved either way"
        rig.sim.cancel(order_id)
        assert rig.sim.shown(product.remote_key) == after_cancel

    on_rig("shopee", body, switches={"unpaid_leaves_number": switch})


@pytest.mark.parametrize(("gives_back", "shown"), [(True, 10), (False, 7)])
def test_cancellation_is_read_alike_whether_or_not_the_number_comes_back(gives_back: bool, shown: int) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 3)])
        rig.sim.cancel(order_id)
        order = (await rig.connector.orders_by_id([order_id])).found[0]
        assert order.state is OrderState.CANCELLED
        assert [(unit.stage, unit.count) for unit in order.lines[0].units] == [(UnitStage.CANCELLED, 3)]
        assert [parcel.state for parcel in order.parcels] == [ParcelState.CANCELLED]
        level = (await rig.connector.levels([TargetKey(product.remote_key)]))[0]
        assert level.shown == shown

    on_rig("shopee", body, switches={"cancel_gives_back": gives_back})


@pytest.mark.parametrize("purchased", ["kept", "reduced"])
def test_partial_cancellation_keeps_the_rest_open(purchased: str) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 3)])
        rig.sim.cancel(order_id, by="seller", items=[(product.remote_key, 1)])
        order = (await rig.connector.orders_by_id([order_id])).found[0]
        assert {unit.stage: unit.count for unit in order.lines[0].units} == {
            UnitStage.OPEN: 2,
            UnitStage.CANCELLED: 1,
        }
        assert order.state is OrderState.READY
        assert order.parcels[0].units == ((order.lines[0].key, 2),)

    on_rig("shopee", body, switches={"purchased_after_partial_cancel": purchased})


def test_a_cancellation_request_is_never_booked_and_can_be_answered() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        whole, part = (rig.sim.place_order([(product.remote_key, 2)]) for _ in range(2))
        rig.sim.request_cancel(whole)
        rig.sim.request_cancel(part, [(product.remote_key, 1)])
        for order in (await rig.connector.orders_by_id([whole, part])).found:
            assert order.state is OrderState.CANCEL_REQUESTED
            assert sum(unit.count for unit in order.lines[0].units if unit.stage is UnitStage.OPEN) == 2
        with pytest.raises(Rejected) as refused:
            await arranged(rig, whole)
        assert refused.value.reject is RejectClass.NOT_NOW
        assert not calls(rig, "ship_order")
        await rig.connector.answer_cancellation(whole, whole, accept=False, key="a")
        assert (await rig.connector.orders_by_id([whole])).found[0].state is OrderState.READY
        with pytest.raises(Rejected) as twice:
            await rig.connector.answer_cancellation(whole, whole, accept=True, key="b")
        assert twice.value.reject is RejectClass.ALREADY_DONE

    on_rig("shopee", body)


def test_the_free_cancel_hour_holds_an_order() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        await rig.clock.sleep(3_590)
        assert (await rig.connector.orders_by_id([order_id])).found[0].state is OrderState.HELD
        with pytest.raises(Rejected) as refused:
            await arranged(rig, order_id)
        assert refused.value.reject is RejectClass.NOT_NOW
        await rig.clock.sleep(11)
        assert (await rig.connector.orders_by_id([order_id])).found[0].state is OrderState.READY
        assert (await arranged(rig, order_id)).parcel.state is ParcelState.BOOKED

    on_rig("shopee", body, settings={"booking_wait_s": 3600})


def test_goods_lost_on_the_way_do_not_come_back_by_the_cancellation() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        stages = {}
        for status in ("LOGISTICS_DELIVERY_FAILED", "LOGISTICS_LOST", "LOGISTICS_COD_REJECTED"):
            order_id = rig.sim.place_order([(product.remote_key, 1)])
            parcel = (await arranged(rig, order_id)).parcel
            rig.sim.hand_over(parcel.remote_id)
            rig.sim.fail_delivery(parcel.remote_id, status)
            order = (await rig.connector.orders_by_id([order_id])).found[0]
            assert order.state is OrderState.CANCELLED
            stages[status] = order.lines[0].units[0].stage
        assert stages == {
            "LOGISTICS_DELIVERY_FAILED": UnitStage.COMING_BACK,
            "LOGISTICS_LOST": UnitStage.LOST,
            "LOGISTICS_COD_REJECTED": UnitStage.COMING_BACK,
        }

    on_rig("shopee", body)


# ----------------------------------------------------------------------------------------------------------- listings and levels


def test_listings_name_items_and_variations() -> None:
    async def body(rig: Any) -> None:
        plain = rig.sim.add_product("SARING", "Saringan", price=27_000, stock=4, weight_g=100)
        fine = rig.sim.add_product("KOPI-H", "Kopi", price=45_000, stock=20, item="kopi", variation="Halus")
        whole = rig.sim.add_product("KOPI-B", "Kopi", price=45_000, stock=0, item="kopi", variation="Biji")
        found = {listing.key: listing async for page in rig.connector.listings() for listing in page}
        assert set(found) == {plain.remote_key, fine.remote_key, whole.remote_key}
        assert plain.remote_key.endswith(":0")
        listing = found[fine.remote_key]
        assert (listing.seller_sku, listing.variation, listing.shown, listing.price) == ("KOPI-H", "Halus", 20, 45_000)
        assert found[plain.remote_key].weight_g == 100
        assert listing.targets == (TargetKey(fine.remote_key),)

    on_rig("shopee", body)


def test_levels_go_out_in_one_call_an_item_and_fifty_models() -> None:
    async def body(rig: Any) -> None:
        models = [
            rig.sim.add_product(f"K{n}", "Kopi", price=1_000, stock=5, item="kopi", variation=str(n)) for n in range(60)
        ]
        plain = rig.sim.add_product("S", "Saringan", price=1_000, stock=5)
        asked = wants(*[(product.remote_key, n) for n, product in enumerate(models)], (plain.remote_key, 0))
        batches = rig.connector.level_batches(asked)
        assert [len(batch) for batch in batches] == [50, 10, 1]
        for batch in batches:
            answers = await rig.connector.set_levels(batch)
            assert [answer.target for answer in answers] == [want.target for want in batch]
            assert {answer.outcome for answer in answers} == {PushOutcome.APPLIED}
        assert [rig.sim.shown(product.remote_key) for product in models] == list(range(60))
        assert rig.sim.shown(plain.remote_key) == 0

    on_rig("shopee", body)


@pytest.mark.parametrize("stock_failure", ["failure_list", "whole_call"])
def test_one_refused_model_does_not_sink_the_others(stock_failure: str) -> None:
    async def body(rig: Any) -> None:
        models = [
            rig.sim.add_product(f"K{n}", "Kopi", price=1_000, stock=9, item="kopi", variation=str(n)) for n in range(5)
        ]
        rig.sim.start_promotion(models[1].remote_key, 4)
        rig.sim.lock_stock(models[3].remote_key)
        answers = await rig.connector.set_levels(wants(*[(product.remote_key, 2) for product in models]))
        assert [answer.outcome for answer in answers] == [
            PushOutcome.APPLIED,
            PushOutcome.REJECTED,
            PushOutcome.APPLIED,
            PushOutcome.REJECTED,
            PushOutcome.APPLIED,
        ]
        assert (answers[1].reject, answers[1].floor) == (RejectClass.BELOW_RESERVED, 4)
        assert answers[3].reject is RejectClass.CAMPAIGN_LOCKED
        assert [rig.sim.shown(product.remote_key) for product in models] == [2, 9, 2, 9, 2]
        assert rig.tokens.refreshes == 0, "error_auth of a stock call is no dead token"

    on_rig("shopee", body, switches={"stock_failure": stock_failure})


def test_an_item_locked_as_a_whole_costs_a_bounded_number_of_calls() -> None:
    async def body(rig: Any) -> None:
        models = [
            rig.sim.add_product(f"K{n}", "Kopi", price=1_000, stock=9, item="kopi", variation=str(n)) for n in range(50)
        ]
        for product in models:
            rig.sim.lock_stock(product.remote_key)
        answers = await rig.connector.set_levels(wants(*[(product.remote_key, 2) for product in models]))
        assert {answer.reject for answer in answers} == {RejectClass.CAMPAIGN_LOCKED}
        assert len(calls(rig, "update_stock")) < 30

    on_rig("shopee", body, switches={"stock_failure": "whole_call"})


@pytest.mark.parametrize(("reserved", "shown", "applied"), [("inside", 10, False), ("outside", 4, True)])
def test_the_promotion_pot_is_told_apart_from_the_number(reserved: str, shown: int, applied: bool) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        rig.sim.start_promotion(product.remote_key, 6)
        level = (await rig.connector.levels([TargetKey(product.remote_key)]))[0]
        assert (level.shown, level.held_aside) == (shown, 6)
        answer = (await rig.connector.set_levels(wants((product.remote_key, 3))))[0]
        assert (answer.outcome is PushOutcome.APPLIED) is applied
        assert rig.sim.shown(product.remote_key) == (3 if applied else 10)

    on_rig("shopee", body, switches={"reserved_stock": reserved})


def test_unknown_targets_are_told_and_not_guessed() -> None:
    async def body(rig: Any) -> None:
        known = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        targets = [TargetKey("999:0"), TargetKey(known.remote_key), TargetKey("998:7")]
        assert [level.shown for level in await rig.connector.levels(targets)] == [None, 10, None]
        answer = (await rig.connector.set_levels(wants(("998:7", 3))))[0]
        assert (answer.outcome, answer.reject) == (PushOutcome.REJECTED, RejectClass.UNKNOWN_LISTING)

    on_rig("shopee", body)


def test_a_shop_with_several_locations_gets_one_number_each() -> None:
    async def body(rig: Any) -> None:
        rig.sim.locations = ("IDZ", "IDG")
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        listing = next(iter([listing async for page in rig.connector.listings() for listing in page]))
        assert listing.targets == (TargetKey(product.remote_key, "IDZ"), TargetKey(product.remote_key, "IDG"))
        asked = [Want(target, level, None, "k") for target, level in zip(listing.targets, (3, 8), strict=True)]
        (batch,) = rig.connector.level_batches(asked)
        assert {answer.outcome for answer in await rig.connector.set_levels(batch)} == {PushOutcome.APPLIED}
        assert [rig.sim.shown(product.remote_key, place) for place in rig.sim.locations] == [3, 8]
        order_id = rig.sim.place_order([(product.remote_key, 5)])
        assert (await rig.connector.orders_by_id([order_id])).found[0].lines[0].location == "IDG"

    on_rig("shopee", body)


# ---------------------------------------------------------------------------------------------------------------------- booking


@pytest.mark.parametrize("tracking_in_package_detail", [True, False])
def test_a_parcel_is_arranged_gets_its_waybill_and_its_label(tracking_in_package_detail: bool) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 2)])
        done = await arranged(rig, order_id)
        assert (done.parcel.state, done.more) == (ParcelState.BOOKED, False)
        with pytest.raises(Temporary, match="no waybill"):
            await rig.connector.label(done.parcel)
        await rig.clock.sleep(5)
        (parcel,) = await rig.connector.parcels([order_id])
        assert (parcel.state, parcel.remote_status) == (ParcelState.BOOKED, "LOGISTICS_REQUEST_CREATED")
        assert parcel.waybill.startswith("SPXID")
        label = await rig.connector.label(parcel)
        assert label.media_type == "application/pdf"
        assert parcel.waybill.encode() in label.content
        assert (await rig.connector.orders_by_id([order_id])).found[0].state is OrderState.BOOKED
        rig.sim.hand_over(parcel.remote_id)
        rig.sim.deliver(parcel.remote_id)
        order = (await rig.connector.orders_by_id([order_id])).found[0]
        assert (order.state, order.lines[0].units[0].stage) == (OrderState.DELIVERED, UnitStage.DELIVERED)

    on_rig("shopee", body, switches={"tracking_in_package_detail": tracking_in_package_detail})


def test_the_recommended_slot_of_the_pickup_address_is_taken() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 2)])
        arrangement = await rig.connector.prepare(ParcelRequest(order_id, "SSREF-1", ()))
        assert arrangement.step == "ship_order"
        slots = rig.sim._slots()
        assert arrangement.payload["body"] == {
            "order_sn": order_id,
            "pickup": {"address_id": 118454205, "pickup_time_id": slots[1]["pickup_time_id"]},
        }
        assert slots[1]["flags"] == ["recommended"]

    on_rig("shopee", body)


def test_hand_over_is_honoured_and_falls_back_to_what_is_offered() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        first, second, third = (rig.sim.place_order([(product.remote_key, 1)]) for _ in range(3))
        shop = rig.connector
        wished = await shop.prepare(ParcelRequest(first, "SSREF-1", (), handover=Handover.DROP_OFF))
        assert wished.payload["body"] == {"order_sn": first, "dropoff": {}}
        assert (await shop.arrange(wished)).parcel.state is ParcelState.BOOKED
        rig.sim.shipping_modes = {"dropoff": ["sender_real_name", "tracking_no"]}
        only = await shop.prepare(ParcelRequest(second, "SSREF-2", ()))
        assert only.payload["body"] == {"order_sn": second, "dropoff": {"sender_real_name": "Sari"}}
        assert (await shop.arrange(only)).parcel.state is ParcelState.BOOKED
        rig.sim.shipping_modes = {"non_integrated": ["tracking_no"]}
        with pytest.raises(Rejected) as refused:
            await shop.prepare(ParcelRequest(third, "SSREF-3", ()))
        assert refused.value.reject is RejectClass.SELLER_MUST_ACT

    on_rig("shopee", body, settings={"sender_real_name": "Sari"})


def test_a_split_order_is_booked_package_by_package() -> None:
    async def body(rig: Any) -> None:
        one, two = (rig.sim.add_product(name, name, price=10_000, stock=10) for name in ("A", "B"))
        order_id = rig.sim.place_order([(one.remote_key, 1), (two.remote_key, 2)])
        rig.sim.split(order_id)
        parcels = await rig.connector.parcels([order_id])
        assert [count for parcel in parcels for _, count in parcel.units] == [1, 2]
        for parcel in parcels:
            request = ParcelRequest(order_id, "SSREF-" + parcel.remote_id, (), parcel=parcel)
            assert (
                await rig.connector.arrange(await rig.connector.prepare(request))
            ).parcel.remote_id == parcel.remote_id
        await rig.clock.sleep(5)
        rig.sim.hand_over(parcels[0].remote_id)
        order = (await rig.connector.orders_by_id([order_id])).found[0]
        assert [line.units[0].stage for line in order.lines] == [UnitStage.LEFT, UnitStage.OPEN]
        assert len(rig.sim.journal.entries(Event.PARCEL_ARRANGED)) == 2

    on_rig("shopee", body)


def test_a_missed_pickup_is_rescheduled_not_booked_again() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        parcel = (await arranged(rig, order_id)).parcel
        rig.sim.miss_pickup(parcel.remote_id)
        (missed,) = await rig.connector.parcels([order_id])
        assert missed.state is ParcelState.PICKUP_RETRY
        await rig.clock.sleep(86_400)
        arrangement = await rig.connector.prepare(ParcelRequest(order_id, "SSREF-2", (), parcel=missed))
        assert arrangement.step == "update_shipping_order"
        await rig.connector.arrange(arrangement)
        assert (await rig.connector.parcels([order_id]))[0].state is ParcelState.BOOKED
        assert len(rig.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1

    on_rig("shopee", body)


@pytest.mark.parametrize(
    ("spoil", "reject"),
    [
        (lambda order: setattr(order, "pending_terms", ["ARRANGE_SHIPMENT_PENDING"]), RejectClass.NOT_NOW),
        (lambda order: setattr(order, "advance", True), RejectClass.NOT_OURS),
        (lambda order: setattr(order, "fulfillment_flag", "fulfilled_by_shopee"), RejectClass.NOT_OURS),
        (lambda order: setattr(order, "status", "PENDING"), RejectClass.NOT_NOW),
    ],
    ids=["pending_terms", "advance", "by_shopee", "screening"],
)
def test_orders_that_must_not_be_shipped_are_refused_before_the_call(spoil: Any, reject: RejectClass) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        spoil(rig.sim.orders[order_id])
        order = (await rig.connector.orders_by_id([order_id])).found[0]
        assert order.state is OrderState.HELD
        with pytest.raises(Rejected) as refused:
            await arranged(rig, order_id)
        assert refused.value.reject is reject
        assert not calls(rig, "ship_order")

    on_rig("shopee", body)


# ---------------------------------------------------------------------------------------------------------------------- returns


@pytest.mark.parametrize("first_page", ["0", "1_refuses_0", "1_empty_0", "1_same_0"])
def test_returns_are_walked_whatever_the_first_page_is_called(first_page: str) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=1_000)
        opened = set()
        for _ in range(230):
            order_id = rig.sim.place_order([(product.remote_key, 1)])
            opened.add(rig.sim.open_return(order_id, [(product.remote_key, 1)]))
            await rig.clock.sleep(7)
        pages = await walk(rig, Stream.RETURNS)
        assert {found.remote_id for page in pages for found in page.rows} == opened
        closes = [page.closes for page in pages]
        assert None not in closes
        assert closes == sorted(closes)

    on_rig("shopee", body, switches={"returns_first_page": first_page})


def test_more_returns_in_one_second_than_a_page_holds() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=1_000)
        opened = {
            rig.sim.open_return(rig.sim.place_order([(product.remote_key, 1)]), [(product.remote_key, 1)])
            for _ in range(150)
        }
        await rig.clock.sleep(60)
        pages = await walk(rig, Stream.RETURNS)
        assert {found.remote_id for page in pages for found in page.rows} == opened

    on_rig("shopee", body)


def test_a_return_is_mapped_with_its_goods() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
        order_id = rig.sim.place_order([(product.remote_key, 2)])
        back = rig.sim.open_return(order_id, [(product.remote_key, 2)])
        money = rig.sim.open_return(order_id, [(product.remote_key, 1)], refund_only=True)
        rig.sim.move_return(back, "ACCEPTED", tracking="SPXRET1")
        rig.sim.move_return(money, "ACCEPTED")
        found = {row.remote_id: row for page in await walk(rig, Stream.RETURNS) for row in page.rows}
        assert (found[back].state, found[back].goods_come_back) == (ReturnState.APPROVED, True)
        assert found[back].lines == ((product.remote_key, 2),)
        assert (found[back].refund_amount, found[back].waybill) == (90_000, "SPXRET1")
        assert (found[money].state, found[money].goods_come_back) == (ReturnState.REFUND_ONLY, False)

    on_rig("shopee", body)


# ------------------------------------------------------------------------------------------------------------------------ health


def test_health_names_the_shop_and_the_end_of_the_authorisation() -> None:
    async def body(rig: Any) -> None:
        health = await rig.connector.health()
        assert (health.remote_shop_id, health.shop_name, health.notes) == ("700000001", "Toko Uji", ())
        assert health.authorisation_ends_at == START + timedelta(days=300)

    on_rig("shopee", body)


def test_consent_page_and_code_exchange() -> None:
    async def body(rig: Any) -> None:
        authoriser = rig.connector.authoriser
        url = authoriser.consent_url(state="abc", redirect_url="https://toko.example.id/back")
        assert parse_qs(urlsplit(url).query) == {
            "partner_id": ["2009999"],
            "auth_type": ["seller"],
            "redirect_uri": ["https://toko.example.id/back"],
            "response_type": ["code"],
            "state": ["abc"],
        }
        raw = await authoriser.exchange({"code": rig.sim.consent(), "shop_id": "700000001"})
        token = authoriser.read_grant(raw, now=rig.clock.now(), previous=None)
        assert token.access_ends_at == START + timedelta(hours=4)
        assert authoriser.refresh_at(token) == START + timedelta(hours=3, minutes=30)
        assert token.refresh_ends_at == datetime(2026, 12, 21, tzinfo=UTC)

    on_rig("shopee", body)
