"""Lazada: signatures, pulls, levels and bookings against its own simulator."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from sellersync.connector.contract import Mark, Page, Stream
from sellersync.domain.errors import Temporary
from sellersync.domain.orders import Excluded, Order, OrderState, UnitStage
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_lazada import Lazada
from sellersync_lazada.auth import sign, verify_push
from sellersync_lazada.sandbox import LazadaSandbox

LazadaRig = Rig[Lazada, LazadaSandbox]
OWN_SECRET = "s3llersync-made-up-secret"
OWN = {
    "app_key": "900100",
    "sign_method": "sha256",
    "timestamp": "1795219200000",
    "access_token": "50000700a-made-up-token",
}


# ---------------------------------------------------------------------------------------------------------------------- signatures


def test_published_signature_vector() -> None:
    # Developer guide, "HTTP request sample" (2026).
    parameters = {
        "access_token": "test",
        "app_key": "123456",
        "order_id": "1234",
        "sign_method": "sha256",
        "timestamp": "1517820392000",
    }
    expected = "4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A"
    assert sign("/order/get", parameters, "helloworld") == expected


@pytest.mark.parametrize(
    ("path", "business", "expected"),
    [
        (
            "/orders/get",
            {
                "update_after": "2026-11-20T00:00:00+07:00",
                "update_before": "2026-11-20T12:00:00+07:00",
                "sort_by": "updated_at",
                "sort_direction": "ASC",
                "offset": "0",
                "limit": "100",
            },
            "69C7ACA2F2295A62FDD1C295793659DA410134805C0E10E007FAE7EB435B9689",
        ),
        (
            "/order/fulfill/pack",
            {
                "packReq": '{"pack_order_list":[{"order_id":1234567890123456,"order_item_list":'
                '[1234567890223456,1234567890323456]}],"delivery_type":"dropship","shipping_allocate_type":"TFS"}'
            },
            "926937CC06092F84686FC77BBE696FCFE26C5DFEBB75077D7CCBE15797B33AAA",
        ),
        (
            "/product/stock/sellable/update",
            {
                "payload": "<Request><Product><Skus><Sku><ItemId>7000000001</ItemId><SkuId>13000000001</SkuId>"
                "<SellerSku>KOPI-ACÉH-250</SellerSku><SellableQuantity>7</SellableQuantity></Sku></Skus></Product></Request>"
            },
            "A53B1746A1D6067CD689FBD7F21F62E3376C34794525349462944CF37A381CD7",
        ),
    ],
)
def test_signatures_that_three_implementations_agree_on(path: str, business: dict[str, str], expected: str) -> None:
    assert sign(path, {**OWN, **business}, OWN_SECRET) == expected


def test_signature_of_a_token_call_has_no_access_token() -> None:
    parameters = {name: value for name, value in OWN.items() if name != "access_token"}
    expected = "FC7DC799ECC1DB90D37A7594A7A102B7E6B0096A633F557B90312F27436735E3"
    assert sign("/auth/token/create", {**parameters, "code": "0_900100_madeupcode"}, OWN_SECRET) == expected


def test_signatures_of_other_published_clients() -> None:
    # xKeNcHii/lazada-sdk packages/sdk-ts/src/__tests__/signature.test.ts and branch8/lazada-open-platform-sdk (Jest snapshot).
    parameters = {"foo": "1", "bar": "2", "foo_bar": "3", "foobar": "4"}
    assert sign("/test/api", parameters, "secret") == "C9E42CE09BA9FE95ECCB17111AA4E3F41D1C82F000435219C75936A427D9C945"
    assert sign("/test/api", parameters, "1234") == "988085883BF9D32D251478D23122C7ECC91518CDF63BA22F792000A378F52409"


def test_upper_case_parameters_sort_before_lower_case() -> None:
    ordered = ["QC_Decision", "ReverseOrderLineModifiedTimeRangeStart", "access_token", "app_key", "getDocumentReq"]
    ordered += ["packReq", "page_no"]
    assert sorted(ordered) == ordered
    swapped = sign("/x", dict.fromkeys(reversed(ordered), "1"), "k")
    assert swapped == sign("/x", dict.fromkeys(ordered, "1"), "k")


def test_push_signature_is_over_the_raw_body() -> None:
    body = (
        b'{"seller_id":"1000000001","message_type":0,"data":{"order_status":"pending","trade_order_id":"1234567890123456",'
        b'"trade_order_line_id":"1234567890223456","status_update_time":1795219100},"timestamp":1795219101234,'
        b'"site":"lazada_id"}'
    )
    header = "ffea0c8e86fb93d5697fdadd4b59c16e1f843669fd0b935a3e77f007abe133de"
    assert verify_push("900100", OWN_SECRET, body, header)
    assert not verify_push("900100", OWN_SECRET, body + b" ", header)


# --------------------------------------------------------------------------------------------------------------------------- pulls


async def pull(rig: LazadaRig, mark: Mark | None = None, stream: Stream = Stream.ORDERS) -> list[Page]:
    mark = mark or Mark(rig.clock.now() - timedelta(days=1))
    return [page async for page in rig.connector.pages(stream, mark)]


def orders_in(pages: list[Page]) -> list[Order]:
    return [row for page in pages for row in page.rows if isinstance(row, Order)]


def calls(rig: LazadaRig, path: str) -> list[httpx.Request]:
    return [request for request in rig.requests if request.url.path == "/rest" + path]


def query(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.url.query.decode()))


def test_a_paid_order_arrives_whole() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10, voucher=5_000)
        order_id = rig.sim.place_order([(coffee.remote_key, 2)])
        (page,) = await pull(rig)
        (order,) = orders_in([page])
        assert order.remote_id == order_id
        assert order.state is OrderState.READY
        assert (order.goods_total, order.discount_total, order.shipping_fee, order.total) == (
            150_000,
            10_000,
            9_000,
            149_000,
        )
        assert order.created_at == START
        assert order.paid_at == START
        assert order.ship_by == START + timedelta(days=2)
        assert order.problems == ()
        (line,) = order.lines
        assert line.listing == line.target == coffee.remote_key
        assert line.seller_sku == "KOPI-250"
        assert line.unit_price == 75_000
        assert line.quantity == 2
        assert line.named
        assert {unit.stage for unit in line.units} == {UnitStage.OPEN}
        assert {unit.excluded for unit in line.units} == {Excluded.YES}
        assert order.buyer is not None
        assert order.buyer.masked
        assert order.buyer.city == "Kota Bandung"
        assert page.closes is not None
        assert page.closes <= rig.clock.now()

    on_rig("lazada", body)


@pytest.mark.parametrize(
    "switches",
    [
        {"dates": "iso"},
        {"scalars": "quoted"},
        {"items_product_id": "present"},
        {"scalars": "quoted", "dates": "iso", "items_product_id": "present"},
    ],
)
def test_every_spelling_of_an_order_gives_the_same_order(switches: dict[str, Any]) -> None:
    async def body(rig: LazadaRig) -> list[Order]:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.place_order([(coffee.remote_key, 2)])
        return orders_in(await pull(rig))

    assert on_rig("lazada", body, switches=switches) == on_rig("lazada", body)


def test_pulling_twice_gives_equal_orders_and_the_mark_leaves_old_ones_behind() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.place_order([(coffee.remote_key, 1)])
        first = await pull(rig)
        assert orders_in(first) == orders_in(await pull(rig))
        closes = first[-1].closes
        assert closes is not None
        await rig.clock.sleep(600)
        later = rig.sim.place_order([(coffee.remote_key, 1)])
        assert [order.remote_id for order in orders_in(await pull(rig, Mark(closes + timedelta(minutes=5))))] == [later]

    on_rig("lazada", body)


def test_an_empty_window_closes_on_the_platform_s_clock() -> None:
    async def body(rig: LazadaRig) -> None:
        rig.clock.skew = timedelta(minutes=30)
        (page,) = await pull(rig, Mark(START - timedelta(hours=1)))
        assert page.rows == ()
        assert page.closes == START

    on_rig("lazada", body)


def test_more_than_a_page_in_one_second_is_read_without_loss() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1000)
        placed = {rig.sim.place_order([(coffee.remote_key, 1)]) for _ in range(250)}
        await rig.clock.sleep(5)
        placed.add(rig.sim.place_order([(coffee.remote_key, 1)]))
        pages = await pull(rig)
        seen = [order.remote_id for order in orders_in(pages)]
        assert set(seen) == placed
        assert len(seen) == len(set(seen))
        assert [page.closes is not None for page in pages] == [False] * (len(pages) - 1) + [True]
        # 251 orders, 50 a call, and the pages of 100: not one call per order.
        assert len(calls(rig, "/orders/items/get")) <= 8
        assert calls(rig, "/order/items/get") == []

    on_rig("lazada", body)


@pytest.mark.parametrize("seed", range(12))
def test_orders_that_change_while_being_paged_are_not_lost(seed: int) -> None:
    """Orders are placed, packed and cancelled between any two pages, which shifts every offset; lists lag by up to three seconds."""

    async def body(rig: LazadaRig) -> None:
        chance = Random(seed)
        rig.sim.visibility_delay_s = chance.choice([0.0, 1.0, 3.0])
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10_000)
        placed = []
        for _ in range(420):
            placed.append(rig.sim.place_order([(coffee.remote_key, 1)]))
            if chance.random() < 0.1:
                await rig.clock.sleep(1)
        await rig.clock.sleep(30)
        seen: dict[str, str] = {}
        mark = Mark(START - timedelta(hours=1))
        for _ in range(3):
            async for page in rig.connector.pages(Stream.ORDERS, mark):
                seen.update((order.remote_id, order.remote_status) for order in orders_in([page]))
                mark = Mark(page.closes) if page.closes else mark
                for _ in range(chance.randrange(12)):
                    order = rig.sim.orders[chance.choice(placed)]
                    if chance.random() < 0.5:
                        if order.items[0].status != "canceled":
                            rig.sim.cancel(order.order_id)
                    elif order.items[0].status == "pending":
                        rig.sim.new_package(order, order.items)
                placed.append(rig.sim.place_order([(coffee.remote_key, 1)]))
                await rig.clock.sleep(chance.random())
        await rig.clock.sleep(5)
        seen.update((order.remote_id, order.remote_status) for order in orders_in(await pull(rig, mark)))
        assert seen == {order_id: rig.sim.orders[order_id].items[0].status for order_id in placed}

    on_rig("lazada", body, settings={"overlap_s": 10})


def test_a_walk_goes_on_where_it_was_cut_off() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1000)
        placed = []
        for _ in range(350):
            placed.append(rig.sim.place_order([(coffee.remote_key, 1)]))
            await rig.clock.sleep(1)
        mark = Mark(START - timedelta(hours=1))
        seen: list[str] = []
        progress = ""
        async for page in rig.connector.pages(Stream.ORDERS, mark):
            seen += [order.remote_id for order in orders_in([page])]
            progress = page.progress
            if len(seen) >= 200:
                break
        before = len(rig.requests)
        rest = await pull(rig, Mark(mark.at, progress))
        assert set(seen) | {order.remote_id for order in orders_in(rest)} == set(placed)
        assert rest[-1].closes is not None
        first_again = query(rig.requests[before])
        assert datetime.fromisoformat(first_again["update_after"]) > START + timedelta(seconds=100)

    on_rig("lazada", body)


def test_a_long_absence_is_walked_in_windows_of_fifteen_days() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1000)
        old = rig.sim.place_order([(coffee.remote_key, 1)])
        rig.sim.backdate(old, seconds=40 * 86_400)
        new = rig.sim.place_order([(coffee.remote_key, 1)])
        pages = await pull(rig, Mark(START - timedelta(days=42)))
        assert [order.remote_id for order in orders_in(pages)] == [old, new]
        closes = [page.closes for page in pages if page.closes]
        assert closes == sorted(closes)
        assert len(closes) == 3
        assert closes[-1] == rig.clock.now().replace(microsecond=0)

    on_rig("lazada", body, switches={"window_days_max": 15})


def test_a_server_that_never_moves_on_is_an_error_and_not_a_loop() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10_000)
        for _ in range(130):
            rig.sim.place_order([(coffee.remote_key, 1)])

        async def walk_while_everything_changes() -> None:
            async for _ in rig.connector.pages(Stream.ORDERS, Mark(START - timedelta(hours=1))):
                for _ in range(130):  # the whole second is replaced between two pages
                    rig.sim.place_order([(coffee.remote_key, 1)])
                for order_id in list(rig.sim.orders)[:-130]:
                    rig.sim.backdate(order_id, seconds=100_000)

        with pytest.raises(Temporary, match="changes faster"):
            await walk_while_everything_changes()

    on_rig("lazada", body)


def test_an_order_that_cannot_be_read_does_not_sink_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        bad = rig.sim.place_order([(coffee.remote_key, 1)])
        good = rig.sim.place_order([(coffee.remote_key, 1)])
        rig.sim.orders[bad].items.clear()
        (page,) = await pull(rig)
        assert [order.remote_id for order in orders_in([page])] == [good]
        assert len(page.skipped) == 1
        assert bad in page.skipped[0]

    on_rig("lazada", body)


def test_orders_by_id_tells_found_from_gone() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=100)
        ids = [rig.sim.place_order([(coffee.remote_key, 1)]) for _ in range(60)]
        answer = await rig.connector.orders_by_id([*ids, "1234567890123456"])
        assert [order.remote_id for order in answer.found] == ids
        assert answer.gone == ("1234567890123456",)
        assert len(calls(rig, "/orders/items/get")) == 2

    on_rig("lazada", body)


def test_late_visible_changes_are_found_within_the_overlap() -> None:
    async def body(rig: LazadaRig) -> None:
        rig.sim.visibility_delay_s = 5.0
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=100)
        await rig.clock.sleep(100)
        order_id = rig.sim.place_order([(coffee.remote_key, 1)])
        await rig.clock.sleep(2)
        (page,) = await pull(rig, Mark(rig.clock.now() - timedelta(seconds=30)))
        assert page.rows == ()
        assert page.closes is not None
        await rig.clock.sleep(10)
        assert [order.remote_id for order in orders_in(await pull(rig, Mark(page.closes)))] == [order_id]

    on_rig("lazada", body)


# --------------------------------------------------------------------------------------------------------------- what orders become


def order_after(change: Any, **options: Any) -> Order:
    async def body(rig: LazadaRig) -> Order:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10, **options.get("extra", {}))
        order_id = rig.sim.place_order([(coffee.remote_key, 2)], **options.get("order", {}))
        change(rig.sim, order_id, coffee)
        (order,) = orders_in(await pull(rig))
        return order

    return on_rig("lazada", body, switches=options.get("switches"))


def test_unpaid_then_paid() -> None:
    assert order_after(lambda *_: None, order={"paid": False}).state is OrderState.UNPAID
    assert order_after(lambda sim, order_id, _: sim.pay(order_id), order={"paid": False}).state is OrderState.READY


@pytest.mark.parametrize(("at_once", "state"), [("yes", OrderState.READY), ("no", OrderState.UNPAID)])
def test_cash_on_delivery(at_once: str, state: OrderState) -> None:
    order = order_after(lambda *_: None, order={"paid": False, "cod": True}, switches={"cod_pending_at_once": at_once})
    assert order.cod
    assert order.state is state
    assert order.paid_at is None


def test_partial_cancellation_names_its_units() -> None:
    order = order_after(lambda sim, order_id, coffee: sim.cancel(order_id, items=[(coffee.remote_key, 1)]))
    assert order.state is OrderState.READY
    assert sorted(unit.stage for unit in order.lines[0].units) == [UnitStage.CANCELLED, UnitStage.OPEN]
    assert order.cancel_by == "buyer"


def test_a_cancellation_request_stops_booking_and_tells_its_deadline() -> None:
    order = order_after(lambda sim, order_id, _: sim.request_cancel(order_id, respond_within_s=3600))
    assert order.state is OrderState.CANCEL_REQUESTED
    assert order.cancel_respond_by == START + timedelta(hours=1)


def test_lazada_s_own_warehouse_is_recorded_and_not_ours() -> None:
    order = order_after(lambda *_: None, extra={"fbl": True})
    assert [line.ours for line in order.lines] == [False]
    assert order.state is OrderState.HELD
    assert order.meta["not_booked"] == "shipped by Lazada's warehouse"


def test_another_warehouse_is_named_as_the_line_s_location() -> None:
    order = order_after(lambda *_: None, extra={"warehouse_code": "ID1AB2C-WH-10002"})
    assert [line.location for line in order.lines] == ["ID1AB2C-WH-10002"]


def test_a_row_without_product_is_parked_with_a_sentence() -> None:
    order = order_after(lambda *_: None, extra={"drop_shop_sku": True})
    assert order.lines[0].listing.startswith(":13")
    assert any("KOPI-250" in problem for problem in order.problems)
