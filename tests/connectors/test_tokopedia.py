"""Tokopedia: signing, tokens, orders in, listings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Mark, Page, Stream
from sellersync.domain.errors import AuthNeeded, Temporary, Unrecognised
from sellersync.domain.orders import Excluded, Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import CancellationState, ReturnState
from sellersync.testing.rig import Rig, on_rig
from sellersync_tokopedia.auth import sign, verify_webhook

SECRET = "s3ll3rsync0demo0secret0not0real0000000001"
COMMON = {"app_key": "6demo0appkey", "timestamp": "1795240800"}
SHOP = {**COMMON, "shop_cipher": "ROW_demoCipherAAAA1234"}

Env = Rig[Any, Any]


async def pull(rig: Env, since: datetime | None = None, stream: Stream = Stream.ORDERS) -> list[Page]:
    mark = Mark(since or rig.clock.now() - timedelta(minutes=5))
    return [page async for page in rig.connector.pages(stream, mark)]


def rows(pages: list[Page]) -> list[Any]:
    return [row for page in pages for row in page.rows]


async def one_order(rig: Env, **facts: Any) -> Order:
    product = rig.sim.add_product("KOPI-250", "Kopi 250 g", price=70_000, stock=10)
    rig.sim.place_order([(product.remote_key, 2)], **facts)
    (order,) = rows(await pull(rig))
    assert isinstance(order, Order)
    return order


# ----------------------------------------------------------------------------------------------------------------- signatures

# The first row is the vector of the provider's signing page; the others were computed with three independent implementations
# (official Node SDK, hsib19/tiktok-shop-sdk, Python tiktok-shop-api 0.1.0), which agree.
VECTORS = [
    (
        "e59af819cc",
        "/authorization/202309/shops",
        {"app_key": "29a39d", "timestamp": "1623812664"},
        b"",
        "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8",
    ),
    (
        SECRET,
        "/authorization/202309/shops",
        COMMON,
        b"",
        "54c62c0f3ce508d2a27e60ac301501f639ddfb4c8faac4c640fd7cc84505053a",
    ),
    (
        SECRET,
        "/order/202507/orders",
        {**SHOP, "ids": "580000000000000001,580000000000000002"},
        b"",
        "55b4b310be67582bae360a68f82657bdfbec3e531339e609e53824208c21113e",
    ),
    (
        SECRET,
        "/order/202309/orders/search",
        {
            **SHOP,
            "page_size": "50",
            "sort_field": "update_time",
            "sort_order": "ASC",
            "page_token": "aB+c/D==",
            "sign": "x",
            "access_token": "y",
        },
        b'{"update_time_ge":1795230000,"update_time_lt":1795240800}',
        "7893213be4b879ffc57ed875b30ea4c5af9aadb978be84130425ac2b475e2236",
    ),
    (
        SECRET,
        "/product/202309/products/1730000000000000001/inventory/update",
        SHOP,
        b'{"skus":[{"id":"1730000000000000101","inventory":[{"warehouse_id":"7400000000000000001","quantity":7}]}]}',
        "19345db1345e11965181974412b4d995619f555a18814c791c731ceb12384876",
    ),
    (
        SECRET,
        "/fulfillment/202309/packages/1150000000000000001/ship",
        SHOP,
        b'{"handover_method":"PICKUP","pickup_slot":{"start_time":1795312800,"end_time":1795327200}}',
        "3e9c6f94d22ac3bfad8cda89f34272edcecfad8c8a8f4928f15fee6a76962810",
    ),
]


@pytest.mark.parametrize(("secret", "path", "query", "body", "expected"), VECTORS)
def test_signature_vectors(secret: str, path: str, query: dict[str, str], body: bytes, expected: str) -> None:
    assert sign(secret, path, query, body) == expected


def test_a_multipart_body_is_not_signed() -> None:
    signature = sign(SECRET, "/product/202309/images/upload", COMMON, b"anything", multipart=True)
    assert signature == "b2ec171d258d2b41e65f97262ab60a62303d245ab037635aa7de97850875a179"


@pytest.mark.parametrize(
    ("app_key", "secret", "body", "authorization"),
    [
        (  # published vector
            "abcdef",
            "123",
            b'{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507","timestamp":1718305585,'
            b'"data":{"is_on_hold_order":true,"order_id":"576653688135258178","order_status":"UNPAID","update_time":1718305585}}',
            "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05",
        ),
        (
            "6demo0appkey",
            SECRET,
            b'{"type":1,"tts_notification_id":"7500000000000000001","shop_id":"7490000000000000001","timestamp":1795240800,'
            b'"data":{"order_id":"580000000000000001","order_status":"AWAITING_SHIPMENT","is_on_hold_order":false,'
            b'"update_time":1795240799}}',
            "0f8708212187bbafbf03c8365fba984e93bd5bbe9d20cce94025e8f8b953a147",
        ),
    ],
)
def test_webhook_vectors(app_key: str, secret: str, body: bytes, authorization: str) -> None:
    assert verify_webhook(app_key, secret, body, authorization)
    assert not verify_webhook(app_key, secret, body + b" ", authorization)


def test_a_page_token_with_plus_slash_and_equals_survives_the_query() -> None:
    async def test(rig: Env) -> None:
        make = rig.connector.api._maker("GET", "/x", {"page_token": "aB+c/D=="}, None, "", await rig.tokens.current())
        request = make(rig.clock.now())
        assert request.url.params["page_token"] == "aB+c/D=="
        assert "aB+c" not in str(request.url)

    on_rig("tokopedia", test)


# --------------------------------------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize("status", [401, 200])
def test_an_expired_token_is_renewed_once_and_the_call_repeated_once(status: int) -> None:
    async def test(rig: Env) -> None:
        await rig.connector.health()
        rig.sim.expire_access_tokens()
        before = len(rig.requests)
        assert (await rig.connector.health()).shop_name == "Toko Contoh"
        paths = [request.url.path for request in rig.requests[before:]]
        assert paths[:3] == ["/authorization/202309/shops", "/api/v2/token/refresh", "/authorization/202309/shops"]
        assert paths.count("/api/v2/token/refresh") == 1

    on_rig("tokopedia", test, switches={"expired_http_status": status})


def test_a_refused_refresh_says_what_the_seller_must_do() -> None:
    async def test(rig: Env) -> None:
        await rig.connector.health()
        rig.sim.expire_access_tokens()
        rig.sim.expire_refresh_tokens()
        with pytest.raises(AuthNeeded) as refused:
            await rig.connector.health()
        assert "sellersync auth login" in refused.value.todo

    on_rig("tokopedia", test)


@pytest.mark.parametrize(("switch", "again_works"), [("dead", False), ("works_once", True)])
def test_a_used_refresh_token(switch: str, again_works: bool) -> None:
    async def test(rig: Env) -> None:
        authoriser, token = rig.connector.authoriser, await rig.tokens.current()
        await authoriser.refresh(token)
        raw = await authoriser.refresh(token)
        if again_works:
            assert authoriser.read_grant(raw, now=rig.clock.now(), previous=token).access != token.access
            raw = await authoriser.refresh(token)
        with pytest.raises(AuthNeeded):
            authoriser.read_grant(raw, now=rig.clock.now(), previous=token)

    on_rig("tokopedia", test, switches={"old_refresh_token": switch})


def test_the_ends_of_tokens_are_absolute_and_the_renewal_is_early() -> None:
    async def test(rig: Env) -> None:
        token = await rig.tokens.current()
        assert token.access_ends_at == rig.clock.now() + timedelta(days=7)
        assert token.refresh_ends_at == rig.clock.now() + timedelta(days=365)
        assert rig.connector.authoriser.refresh_at(token) == rig.clock.now() + timedelta(days=3.5)
        health = await rig.connector.health()
        assert health.authorisation_ends_at == token.refresh_ends_at

    on_rig("tokopedia", test)


def test_consent_and_exchange() -> None:
    async def test(rig: Env) -> None:
        authoriser = rig.connector.authoriser
        url = httpx.URL(authoriser.consent_url(state="abc", redirect_url="https://shop.example/back"))
        assert (url.host, url.path) == ("services.tiktokshop.com", "/open/authorize")
        assert dict(url.params) == {"service_id": "7412345678901234567", "state": "abc"}
        raw = await authoriser.exchange({"code": rig.sim.consent(), "state": "abc"})
        token = authoriser.read_grant(raw, now=rig.clock.now(), previous=None)
        assert token.extra["region"] == "ID"
        with pytest.raises(AuthNeeded):
            await authoriser.exchange({"code": "null", "error": "auth_denied"})

    on_rig("tokopedia", test)


def test_unreadable_and_foreign_grants() -> None:
    async def test(rig: Env) -> None:
        authoriser, now = rig.connector.authoriser, rig.clock.now()
        raw = rig.sim.first_grant()
        with pytest.raises(Unrecognised) as cut:
            authoriser.read_grant(raw[:150], now=now, previous=None)
        assert "ROW_access" not in str(cut.value)
        with pytest.raises(AuthNeeded, match="not a seller"):
            authoriser.read_grant(raw.replace(b'"user_type": 0', b'"user_type": 1'), now=now, previous=None)
        with pytest.raises(Temporary):
            authoriser.read_grant(b'{"code":36009003,"message":"internal"}', now=now, previous=None)

    on_rig("tokopedia", test)


def test_several_fitting_shops_are_not_guessed() -> None:
    async def test(rig: Env) -> None:
        rig.sim.shops.append({"id": "7490000000000000002", "name": "Lain", "region": "ID", "cipher": "ROW_other"})
        with pytest.raises(AuthNeeded, match="7490000000000000002"):
            await rig.connector.health()

    on_rig("tokopedia", test, settings={"remote_shop_id": ""})


def test_the_cipher_is_read_once() -> None:
    async def test(rig: Env) -> None:
        await one_order(rig)
        await pull(rig)
        assert [r.url.path for r in rig.requests].count("/authorization/202309/shops") == 1

    on_rig("tokopedia", test)


# --------------------------------------------------------------------------------------------------------------------- orders


def test_an_order_in_normal_form() -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig)
        (line,), (parcel,) = order.lines, order.parcels
        assert (order.state, order.storefront, order.problems) == (OrderState.READY, "tokopedia", ())
        assert (line.quantity, line.named, line.unit_price, line.seller_sku) == (2, True, 70_000, "KOPI-250")
        assert line.listing == line.target == rig.sim.products()[0].remote_key
        assert line.location == ""
        assert {unit.excluded for unit in line.units} == {Excluded.YES}
        assert {unit.key for unit in line.units} <= set(line.aliases)
        assert (parcel.unit_keys, parcel.units) == (tuple(u.key for u in line.units), ((line.key, 2),))
        assert (order.goods_total, order.shipping_fee, order.total) == (140_000, 9_000, 149_000)
        assert order.ship_by == parcel.ship_by
        assert order.ship_by is not None
        assert order.buyer is not None
        assert order.buyer.masked

    on_rig("tokopedia", test)


def test_both_storefronts_come_in_one_stream_and_lower_one_number() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=10)
        rig.sim.place_order([(product.remote_key, 1)], storefront="tokopedia")
        rig.sim.place_order([(product.remote_key, 2)], storefront="tiktok_shop")
        found = rows(await pull(rig))
        assert [(order.storefront, order.lines[0].quantity) for order in found] == [
            ("tokopedia", 1),
            ("tiktok_shop", 2),
        ]
        assert rig.sim.shown(product.remote_key) == 7

    on_rig("tokopedia", test)


@pytest.mark.parametrize("counted", [True, False])
def test_unpaid_then_paid(counted: bool) -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig, paid=False)
        key = order.lines[0].target
        assert (order.state, order.paid_at, order.parcels) == (OrderState.UNPAID, None, ())
        assert {unit.excluded for unit in order.lines[0].units} == {Excluded.UNKNOWN}
        assert rig.sim.shown(key) == (8 if counted else 10)
        await rig.clock.sleep(5)
        rig.sim.pay(order.remote_id)
        (paid,) = rows(await pull(rig))
        assert (paid.state, paid.paid_at, len(paid.parcels)) == (OrderState.READY, rig.clock.now(), 1)
        assert rig.sim.shown(key) == 8

    on_rig("tokopedia", test, switches={"unpaid_counted": counted})


def test_cod_is_ready_without_payment_and_on_hold_is_not() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=10)
        rig.sim.place_order([(product.remote_key, 1)], cod=True)
        held = rig.sim.place_order([(product.remote_key, 1)], on_hold=True)
        first, second = rows(await pull(rig))
        assert (first.state, first.cod, first.paid_at) == (OrderState.READY, True, None)
        assert (second.state, second.lines[0].units[0].stage) == (OrderState.HELD, UnitStage.OPEN)
        rig.sim.release_hold(held)
        assert rows(await pull(rig))[1].state is OrderState.READY

    on_rig("tokopedia", test)


def test_partial_cancellation_names_its_units() -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig)
        rig.sim.cancel(order.remote_id, items=[(order.lines[0].target, 1)])
        (after,) = rows(await pull(rig))
        assert sorted(unit.stage for unit in after.lines[0].units) == [UnitStage.CANCELLED, UnitStage.OPEN]
        assert (after.lines[0].key, after.state) == (order.lines[0].key, OrderState.READY)
        (case,) = rows(await pull(rig, stream=Stream.CANCELLATIONS))
        cancelled = [unit.key for unit in after.lines[0].units if unit.stage is UnitStage.CANCELLED]
        assert (case.state, case.lines) == (CancellationState.ACCEPTED, ((cancelled[0], 1),))

    on_rig("tokopedia", test)


def test_platform_fulfilled_orders_are_not_ours() -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig, fulfillment_type="FULFILLMENT_BY_DILAYANI_TOKOPEDIA")
        assert not order.lines[0].ours
        assert order.problems == ()
        assert rig.sim.shown(order.lines[0].target) == 10

    on_rig("tokopedia", test)


@pytest.mark.parametrize("moves_time", [True, False])
@pytest.mark.parametrize("sticks", [True, False])
def test_a_cancellation_request_blocks_until_it_is_answered(moves_time: bool, sticks: bool) -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig)
        await rig.clock.sleep(10)
        request_id = rig.sim.request_cancel(order.remote_id)
        (asked,) = (await rig.connector.orders_by_id([order.remote_id])).found
        assert asked.state is OrderState.CANCEL_REQUESTED
        assert {parcel.state for parcel in asked.parcels} == {ParcelState.WAITING}
        assert asked.cancel_respond_by == rig.clock.now() + timedelta(days=2)
        assert asked.updated_at == (rig.clock.now() if moves_time else order.updated_at)
        (case,) = rows(await pull(rig, stream=Stream.CANCELLATIONS))
        assert (case.remote_id, case.state, case.by) == (request_id, CancellationState.PENDING, "buyer")
        await rig.connector.answer_cancellation(order.remote_id, request_id, accept=False, key="k1")
        await rig.connector.answer_cancellation(order.remote_id, request_id, accept=False, key="k1")
        (after,) = (await rig.connector.orders_by_id([order.remote_id])).found
        assert after.state is OrderState.READY

    switches = {"cancel_request_moves_update_time": moves_time, "request_flag_sticks": sticks}
    on_rig("tokopedia", test, switches=switches)


@pytest.mark.parametrize("restocks", [True, False])
def test_an_accepted_cancellation(restocks: bool) -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig)
        request_id = rig.sim.request_cancel(order.remote_id)
        await rig.connector.answer_cancellation(order.remote_id, request_id, accept=True, key="k1")
        (after,) = rows(await pull(rig))
        assert (after.state, after.cancel_by) == (OrderState.CANCELLED, "buyer")
        assert {unit.stage for unit in after.lines[0].units} == {UnitStage.CANCELLED}
        assert rig.sim.shown(order.lines[0].target) == (10 if restocks else 8)

    on_rig("tokopedia", test, switches={"cancel_restocks": restocks})


def test_returns() -> None:
    async def test(rig: Env) -> None:
        order = await one_order(rig)
        back = rig.sim.open_return(order.remote_id)
        rig.sim.open_return(order.remote_id, kind="REFUND")
        first, second = rows(await pull(rig, stream=Stream.RETURNS))
        assert (first.state, first.goods_come_back, first.refund_amount) == (ReturnState.REQUESTED, True, 70_000)
        assert (second.state, second.goods_come_back) == (ReturnState.REFUND_ONLY, False)
        assert first.lines == ((order.lines[0].units[0].key, 1),)
        rig.sim.advance_return(back, "BUYER_SHIPPED_ITEM")
        states = {row.remote_id: row.state for row in rows(await pull(rig, stream=Stream.RETURNS))}
        assert states[back] is ReturnState.COMING_BACK
        rig.sim.advance_return(back, "SOMETHING_NEW")
        states = {row.remote_id: row.state for row in rows(await pull(rig, stream=Stream.RETURNS))}
        assert states[back] is ReturnState.UNKNOWN

    on_rig("tokopedia", test)


# ---------------------------------------------------------------------------------------------------------------------- walks


def test_more_than_a_page_in_one_second_and_equal_when_pulled_twice() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=1000)
        placed = {rig.sim.place_order([(product.remote_key, 1)]) for _ in range(230)}
        first, second = await pull(rig), await pull(rig)
        assert {order.remote_id for order in rows(first)} == placed
        assert rows(first) == rows(second)
        assert [page.closes is not None for page in first] == [False, False, True]

    on_rig("tokopedia", test)


def test_a_long_absence_is_walked_day_by_day_and_the_mark_continues() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=1000)
        begin, placed = rig.clock.now(), []
        for _ in range(40):
            placed.append(rig.sim.place_order([(product.remote_key, 1)]))
            await rig.clock.sleep(3 * 3600)
        pages = await pull(rig, begin)
        closes = [page.closes for page in pages if page.closes is not None]
        assert closes == sorted(closes)
        assert len(closes) == 6
        assert closes[-1] == rig.clock.now().replace(microsecond=0)
        assert [order.remote_id for order in rows(pages)] == placed
        bodies = [request.content for request in rig.requests if request.url.path.endswith("/orders/search")]
        spans = [int(body[-11:-1]) - int(body[18:28]) for body in bodies]
        assert max(spans) <= 86_400
        again = await pull(rig, closes[2])
        assert {order.remote_id for order in rows(again)} >= set(placed[24:])

    on_rig("tokopedia", test)


@pytest.mark.parametrize("kind", ["keyset", "offset"])
def test_orders_that_change_while_they_are_paged_are_not_lost(kind: str) -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=5000)
        placed = []
        for _ in range(350):
            placed.append(rig.sim.place_order([(product.remote_key, 1)], paid=False))
            await rig.clock.sleep(1)
        found: set[str] = set()
        pages = 0
        async for page in rig.connector.pages(Stream.ORDERS, Mark(rig.clock.now() - timedelta(minutes=10))):
            found |= {order.remote_id for order in page.rows}
            await rig.clock.sleep(2)
            if pages < 2:  # orders of the pages already read move behind the window: the rest shifts forward
                for order_id in placed[pages * 30 : pages * 30 + 30]:
                    rig.sim.pay(order_id)
            pages += 1
        assert found == set(placed)

    on_rig("tokopedia", test, switches={"page_token": kind})


def test_b19_a_search_that_delivers_5000_at_most_is_split_before() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=9000)
        placed = set()
        for number in range(5200):
            placed.add(rig.sim.place_order([(product.remote_key, 1)]))
            if number % 100 == 0:
                await rig.clock.sleep(1)
        assert {order.remote_id for order in rows(await pull(rig))} == placed

    on_rig("tokopedia", test, switches={"search_results_max": 5000})


def test_an_empty_window_closes() -> None:
    async def test(rig: Env) -> None:
        (page,) = await pull(rig)
        assert (page.rows, page.closes) == ((), rig.clock.now())

    on_rig("tokopedia", test)


def test_orders_by_id_in_batches_of_fifty() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=1000)
        placed = [rig.sim.place_order([(product.remote_key, 1)]) for _ in range(60)]
        answer = await rig.connector.orders_by_id([*placed, "999"])
        assert ([order.remote_id for order in answer.found], answer.gone) == (placed, ("999",))

    on_rig("tokopedia", test)
    on_rig("tokopedia", test, switches={"bad_id_fails_batch": True})


def test_combined_packages_name_all_their_orders() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=1000)
        ids = [rig.sim.place_order([(product.remote_key, 1)]) for _ in range(2)]
        package_id = rig.sim.combine(ids)
        first, second = rows(await pull(rig))
        assert first.parcels[0].remote_id == second.parcels[0].remote_id == package_id
        assert set(first.parcels[0].order_ids) == set(second.parcels[0].order_ids) == set(ids)
        assert first.parcels[0].unit_keys != second.parcels[0].unit_keys
        reads = [request for request in rig.requests if request.url.path.endswith(f"/packages/{package_id}")]
        assert len(reads) == 1

    on_rig("tokopedia", test)


def test_a_visibility_lag_within_the_overlap_loses_nothing() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=1000, stock=1000)
        rig.sim.visibility_delay_s = 4.0
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        await rig.clock.sleep(2)
        first = await pull(rig)
        assert rows(first) == []
        await rig.clock.sleep(5)
        mark = first[-1].closes
        assert mark is not None
        assert [order.remote_id for order in rows(await pull(rig, mark))] == [order_id]

    on_rig("tokopedia", test, settings={"overlap_s": 10})


# -------------------------------------------------------------------------------------------------------------------- listings


def test_listings_of_both_storefronts() -> None:
    async def test(rig: Env) -> None:
        first = rig.sim.add_product("A", "Kaos", price=50_000, stock=3)
        second = rig.sim.add_product("A-L", "Kaos L", price=50_000, stock=4, variant_of=first.remote_key)
        only = rig.sim.add_product("B", "Topi", price=20_000, stock=5, platforms=("TOKOPEDIA",))
        found = [listing async for page in rig.connector.listings() for listing in page]
        assert [(row.key, row.seller_sku, row.shown, row.active) for row in found] == [
            (first.remote_key, "A", 3, True),
            (second.remote_key, "A-L", 4, True),
            (only.remote_key, "B", 5, True),
        ]
        assert {target.location for row in found for target in row.targets} == {""}

    on_rig("tokopedia", test)


def test_several_warehouses_make_locations() -> None:
    async def test(rig: Env) -> None:
        second = rig.sim.add_warehouse()
        first = rig.sim.world.warehouses[0]
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=0, shown={first: 1, second: 4})
        rig.sim.place_order([(product.remote_key, 2)])
        (order,) = rows(await pull(rig))
        assert order.lines[0].location == second
        ((listing,),) = [page async for page in rig.connector.listings()]
        assert [target.location for target in listing.targets] == [first, second]
        levels = await rig.connector.levels(listing.targets)
        assert [level.shown for level in levels] == [1, 2]

    on_rig("tokopedia", test)


def test_the_clock_of_the_simulator_is_utc() -> None:
    async def test(rig: Env) -> None:
        (page,) = await pull(rig)
        assert page.closes is not None
        assert page.closes.tzinfo is UTC

    on_rig("tokopedia", test)
