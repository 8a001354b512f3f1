"""Lazada: signatures, pulls, levels and bookings against its own simulator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from sellersync.connector.contract import Handover, Mark, Page, ParcelRequest, PushOutcome, Stream, TargetKey, Want
from sellersync.domain.errors import RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.orders import Excluded, Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.sandbox.kit import Event, Fault, FaultKind
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


def test_orders_that_change_while_being_paged_are_not_lost() -> None:
    """Between two pages the oldest orders change and leave their place, which shifts every offset."""

    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1000)
        placed = []
        for index in range(400):
            placed.append(rig.sim.place_order([(coffee.remote_key, 1)]))
            if index % 3 == 0 and index > 220:
                await rig.clock.sleep(1)
        victims = iter(placed)
        seen: set[str] = set()
        mark = Mark(START - timedelta(hours=1))
        async for page in rig.connector.pages(Stream.ORDERS, mark):
            seen |= {order.remote_id for order in orders_in([page])}
            for _ in range(7):
                rig.sim.cancel(next(victims))
            await rig.clock.sleep(0.3)
            closes = page.closes
        assert closes is not None
        seen |= {order.remote_id for order in orders_in(await pull(rig, Mark(closes)))}
        assert seen == set(placed)

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


# -------------------------------------------------------------------------------------------------------------------------- levels


def want(key: str, level: int) -> Want:
    return Want(TargetKey(key), level, None, "k")


def test_levels_are_absolute_and_read_back() -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=5) for n in range(3)]
        wants = [want(product.remote_key, level) for product, level in zip(products, (7, 0, 3), strict=True)]
        (batch,) = rig.connector.level_batches(wants)
        answers = await rig.connector.set_levels(batch)
        assert [(answer.outcome, answer.shown) for answer in answers] == [(PushOutcome.APPLIED, n) for n in (7, 0, 3)]
        assert [rig.sim.shown(product.remote_key) for product in products] == [7, 0, 3]
        levels = await rig.connector.levels([one.target for one in wants])
        assert [level.shown for level in levels] == [7, 0, 3]
        assert [level.held_aside for level in levels] == [0, 0, 0]
        assert query(calls(rig, "/product/stock/sellable/update")[0]).keys() == {
            "app_key",
            "timestamp",
            "sign_method",
            "access_token",
            "sign",
        }

    on_rig("lazada", body)


def test_batches_hold_twenty_skus_and_never_more_than_fifty() -> None:
    async def body(rig: LazadaRig) -> list[int]:
        wants = [want(f"{n}:{n}", 1) for n in range(1, 111)]
        return [len(batch) for batch in rig.connector.level_batches(wants)]

    assert on_rig("lazada", body) == [20, 20, 20, 20, 20, 10]
    assert on_rig("lazada", body, settings={"skus_per_push": 50}) == [50, 50, 10]
    with pytest.raises(ValueError, match="50"):
        on_rig("lazada", body, settings={"skus_per_push": 51})


@pytest.mark.parametrize("partial", ["none", "some", "all"])
@pytest.mark.parametrize("detail", ["sku", "field", "absent"])
def test_one_refused_sku_does_not_sink_its_batch(partial: str, detail: str) -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=50) for n in range(8)]
        rig.sim.set_campaign(products[3].remote_key, no_lowering=True)
        answers = await rig.connector.set_levels([want(product.remote_key, 20) for product in products])
        outcomes = [answer.outcome for answer in answers]
        assert outcomes == [PushOutcome.REJECTED if n == 3 else PushOutcome.APPLIED for n in range(8)]
        assert answers[3].reject is RejectClass.CAMPAIGN_LOCKED
        assert [rig.sim.shown(product.remote_key) for product in products] == [50 if n == 3 else 20 for n in range(8)]

    on_rig("lazada", body, switches={"partial_batch": partial, "detail": detail})


def test_many_refused_skus_without_names_end_within_a_bound_of_calls() -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=50) for n in range(20)]
        for product in products:
            rig.sim.set_campaign(product.remote_key, no_lowering=True)
        answers = await rig.connector.set_levels([want(product.remote_key, 20) for product in products])
        assert len(calls(rig, "/product/stock/sellable/update")) <= 12
        assert {answer.outcome for answer in answers} == {PushOutcome.REJECTED, PushOutcome.UNCLEAR}

    on_rig("lazada", body, switches={"detail": "absent"})


def test_below_the_campaign_s_units_is_a_class_of_its_own() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=50)
        rig.sim.set_campaign(coffee.remote_key, units=30)
        (level,) = await rig.connector.levels([TargetKey(coffee.remote_key)])
        assert (level.shown, level.held_aside) == (50, 30)
        (answer,) = await rig.connector.set_levels([want(coffee.remote_key, 10)])
        assert answer.reject is RejectClass.BELOW_RESERVED
        (answer,) = await rig.connector.set_levels([want(coffee.remote_key, 30)])
        assert answer.outcome is PushOutcome.APPLIED

    on_rig("lazada", body)


def test_campaign_units_beside_the_number_leave_it_free() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=50)
        rig.sim.set_campaign(coffee.remote_key, units=30)
        (answer,) = await rig.connector.set_levels([want(coffee.remote_key, 0)])
        assert answer.outcome is PushOutcome.APPLIED
        rig.sim.place_order([(coffee.remote_key, 30)])
        (level,) = await rig.connector.levels([TargetKey(coffee.remote_key)])
        assert (level.shown, level.held_aside) == (0, 0)

    on_rig("lazada", body, switches={"pot": "outside"})


def test_an_unknown_listing_is_told_apart() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=5)
        answers = await rig.connector.set_levels(
            [want(coffee.remote_key, 4), want("7999999999:13999999999", 1), want("not-a-key", 1)]
        )
        assert [answer.outcome for answer in answers] == [
            PushOutcome.APPLIED,
            PushOutcome.REJECTED,
            PushOutcome.REJECTED,
        ]
        assert [answer.reject for answer in answers[1:]] == [RejectClass.UNKNOWN_LISTING, RejectClass.BAD_DATA]
        levels = await rig.connector.levels([TargetKey("7999999999:13999999999")])
        assert levels[0].shown is None

    on_rig("lazada", body)


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTML]
)
def test_a_lost_answer_to_a_push_is_unclear_for_each_target(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=5) for n in range(2)]
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/sellable/update")))
        answers = await rig.connector.set_levels([want(product.remote_key, 2) for product in products])
        assert [answer.outcome for answer in answers] == [PushOutcome.UNCLEAR] * 2
        assert len(calls(rig, "/product/stock/sellable/update")) == 1

    on_rig("lazada", body)


def test_many_levels_are_read_by_walking_the_list() -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=n) for n in range(70)]
        levels = await rig.connector.levels([TargetKey(product.remote_key) for product in products])
        assert [level.shown for level in levels] == list(range(70))
        assert len(calls(rig, "/products/get")) == 2
        assert calls(rig, "/product/item/get") == []

    on_rig("lazada", body)


def test_listings_name_every_sku_that_is_not_deleted() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=5)
        rig.sim.add_product("KOPI-500", "Kopi Gayo", price=140_000, stock=2, variant_of=coffee.remote_key)
        rig.sim.add_product("OLD", "Lama", price=1, stock=0, status="deleted")
        rig.sim.add_product("HIDDEN", "Disembunyikan", price=1, stock=1, status="inactive")
        found = [listing async for page in rig.connector.listings() for listing in page]
        assert [listing.seller_sku for listing in found] == ["KOPI-250", "KOPI-500", "HIDDEN"]
        assert [listing.active for listing in found] == [True, True, False]
        assert found[0].targets == (TargetKey(coffee.remote_key),)
        assert (found[0].price, found[0].shown, found[0].problem) == (75_000, 5, "")

    on_rig("lazada", body)


# ------------------------------------------------------------------------------------------------------------------------ bookings


def request_for(order: Order, **more: Any) -> ParcelRequest:
    units = tuple((line.key, tuple(unit.key for unit in line.units), line.quantity) for line in order.lines)
    return ParcelRequest(order.remote_id, "SSREF-1", units, handover=Handover.PICKUP, **more)


async def one_order(rig: LazadaRig, quantity: int = 2, **extra: Any) -> Order:
    coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10, **extra)
    order_id = rig.sim.place_order([(coffee.remote_key, quantity)])
    (order,) = (await rig.connector.orders_by_id([order_id])).found
    return order


async def book(rig: LazadaRig, order: Order) -> Any:
    step = await rig.connector.prepare(request_for(order))
    packed = await rig.connector.arrange(step)
    assert packed.more
    step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
    return await rig.connector.arrange(step)


def test_a_booking_in_two_steps_to_waybill_and_label() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        assert step.step == "pack"
        packed = await rig.connector.arrange(step)
        assert packed.more
        assert packed.parcel.state is ParcelState.PACKED
        assert packed.parcel.waybill
        assert packed.parcel.units == ((order.lines[0].key, 2),)
        step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        assert step.step == "ready_to_ship"
        done = await rig.connector.arrange(step)
        assert not done.more
        assert done.parcel.state is ParcelState.BOOKED
        assert rig.sim.arranged_parcels() == [done.parcel.remote_id]
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert (parcel.remote_id, parcel.state, parcel.waybill) == (
            done.parcel.remote_id,
            ParcelState.BOOKED,
            done.parcel.waybill,
        )
        assert set(parcel.unit_keys) == {unit.key for unit in order.lines[0].units}
        label = await rig.connector.label(parcel)
        assert label.content.startswith(b"%PDF-")
        assert parcel.waybill.encode() in label.content
        with pytest.raises(Rejected) as repeated:
            await rig.connector.prepare(request_for(order, parcel=parcel))
        assert repeated.value.reject is RejectClass.ALREADY_DONE

    on_rig("lazada", body)


def test_a_parcel_on_its_way() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        parcel = (await book(rig, order)).parcel
        states = []
        for move in (None, rig.sim.hand_over, rig.sim.deliver):
            if move:
                move(parcel.remote_id)
            (seen,) = (await rig.connector.orders_by_id([order.remote_id])).found
            states.append((seen.state, seen.parcels[0].state, seen.lines[0].units[0].stage))
        assert states == [
            (OrderState.BOOKED, ParcelState.BOOKED, UnitStage.OPEN),
            (OrderState.SHIPPED, ParcelState.IN_TRANSIT, UnitStage.LEFT),
            (OrderState.DELIVERED, ParcelState.DELIVERED, UnitStage.DELIVERED),
        ]

    on_rig("lazada", body)


def test_a_late_waybill_is_read_later() -> None:
    async def body(rig: LazadaRig) -> None:
        rig.sim.waybill_delay_s = 20.0
        done = await book(rig, await one_order(rig))
        assert done.parcel.waybill == ""
        await rig.clock.sleep(30)
        (parcel,) = await rig.connector.parcels(done.parcel.order_ids)
        assert parcel.waybill
        assert len(rig.sim.journal.entries(Event.WAYBILL_ISSUED)) == 1

    on_rig("lazada", body)


LOST = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY]


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_to_pack_is_settled_by_reading(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/pack")))
        with pytest.raises(Uncertain) as lost:
            await rig.connector.arrange(step)
        assert lost.value.reference == "SSREF-1"
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert parcel.state is ParcelState.PACKED
        again = await rig.connector.arrange(step)  # a repeat of the same step finds the same package
        assert again.more
        assert again.parcel.remote_id == parcel.remote_id
        assert len(rig.sim.packages) == 1

    on_rig("lazada", body)


@pytest.mark.parametrize("repeat", ["700000", "0"])
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_to_ready_to_ship_is_settled_by_reading(kind: FaultKind, repeat: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/rts")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(step)
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert parcel.state is ParcelState.BOOKED
        again = await rig.connector.arrange(step)
        assert again.parcel.state is ParcelState.BOOKED
        assert len(rig.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1

    on_rig("lazada", body, switches={"rts_repeat": repeat})


def test_bookings_go_out_once_when_the_connection_drops_before() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.faults.append(Fault(FaultKind.DROP_BEFORE, lambda method, path: path.endswith("/pack")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(step)
        assert len(calls(rig, "/order/fulfill/pack")) == 1
        assert await rig.connector.parcels([order.remote_id]) == ()
        assert (await rig.connector.arrange(step)).parcel.state is ParcelState.PACKED

    on_rig("lazada", body)


def test_a_package_that_is_not_visible_yet_is_never_packed_again() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, lambda method, path: path.endswith("/pack")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(step)
        assert await rig.connector.parcels([order.remote_id]) == ()  # the read is behind
        with pytest.raises(Uncertain, match="still read as pending"):
            await rig.connector.arrange(step)
        await rig.clock.sleep(1300)
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert parcel.state is ParcelState.PACKED
        assert len(rig.sim.packages) == 1

    on_rig("lazada", body, switches={"read_lag_s": 1200})


def test_ready_to_ship_waits_until_the_package_can_be_read() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        with pytest.raises(Temporary, match="not visible yet"):
            await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        await rig.clock.sleep(1300)
        assert (await rig.connector.prepare(request_for(order, parcel=packed.parcel))).step == "ready_to_ship"

    on_rig("lazada", body, switches={"read_lag_s": 1200})


def test_what_may_not_be_booked_is_refused_with_its_class() -> None:
    async def refused(rig: LazadaRig, change: Any = None, **extra: Any) -> RejectClass:
        order = await one_order(rig, **extra)
        if change:
            change(order.remote_id)
        with pytest.raises(Rejected) as refusal:
            await rig.connector.prepare(request_for(order))
        return refusal.value.reject

    async def body(rig: LazadaRig) -> None:
        sim = rig.sim
        assert await refused(rig, sim.cancel) is RejectClass.CANCELLED
        assert await refused(rig, sim.request_cancel) is RejectClass.NOT_NOW
        assert await refused(rig, lambda order_id: sim.force_status(order_id, "unpaid")) is RejectClass.NOT_NOW
        assert await refused(rig, lambda order_id: sim.force_status(order_id, "shipped")) is RejectClass.ALREADY_DONE
        assert await refused(rig, lambda order_id: sim.force_status(order_id, "INFO_ST_X")) is RejectClass.NOT_NOW
        assert await refused(rig, fbl=True) is RejectClass.NOT_OURS
        assert await refused(rig, digital=True) is RejectClass.NOT_SUPPORTED
        assert await refused(rig, own_fleet=True) is RejectClass.NOT_SUPPORTED
        assert await refused(rig, provider_type="PICKUP_IN_STORE") is RejectClass.NOT_SUPPORTED
        assert calls(rig, "/order/fulfill/pack") == []

    on_rig("lazada", body)


def test_cancelled_between_the_decision_and_the_call() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.cancel(order.remote_id)
        with pytest.raises(Rejected) as refusal:
            await rig.connector.arrange(step)
        assert refusal.value.reject is RejectClass.CANCELLED

    on_rig("lazada", body)


def test_a_unit_cancelled_meanwhile_stays_out_of_the_package() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig, quantity=3)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.cancel(order.remote_id, items=[(order.lines[0].listing, 1)])
        packed = await rig.connector.arrange(step)
        assert packed.parcel.units == ((order.lines[0].key, 2),)
        assert len(packed.parcel.unit_keys) == 2

    on_rig("lazada", body)


def test_units_of_two_shipping_types_become_two_packages() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        mill = rig.sim.add_product("GILING", "Penggiling", price=900_000, stock=10, provider_type="economy")
        order_id = rig.sim.place_order([(coffee.remote_key, 1), (mill.remote_key, 1)])
        (order,) = (await rig.connector.orders_by_id([order_id])).found
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        parcels = await rig.connector.parcels([order_id])
        assert len(parcels) == 2
        assert packed.parcel.remote_id in {parcel.remote_id for parcel in parcels}
        for parcel in parcels:
            step = await rig.connector.prepare(request_for(order, parcel=parcel))
            assert step.payload["package_id"] == parcel.remote_id
            await rig.connector.arrange(step)
        assert set(rig.sim.arranged_parcels()) == {parcel.remote_id for parcel in parcels}

    on_rig("lazada", body)


def test_a_repacked_order_is_packed_again() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        rig.sim.repack(packed.parcel.remote_id)
        step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        assert step.step == "pack"
        assert (await rig.connector.arrange(step)).parcel.remote_id != packed.parcel.remote_id

    on_rig("lazada", body)


def test_a_label_before_packing_is_refused_and_an_old_link_is_dead() -> None:
    async def body(rig: LazadaRig) -> None:
        done = await book(rig, await one_order(rig))
        url = await rig.connector._api.print_awb(done.parcel.remote_id)
        await rig.clock.sleep(700)
        with pytest.raises(Temporary) as dead:
            await rig.connector._api.download(url)
        assert "Signature" not in str(dead.value)
        rig.sim.cancel(done.parcel.order_ids[0])
        with pytest.raises(Rejected) as refusal:
            await rig.connector.label(done.parcel)
        assert refusal.value.reject is RejectClass.NOT_NOW

    on_rig("lazada", body)


# ------------------------------------------------------------------------------------------------------------------------- returns


@pytest.mark.parametrize("unit", ["cents", "rupiah"])
def test_a_return_is_read_in_whole_rupiah_either_way(unit: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig, voucher=5_000)
        line_id = rig.sim.open_return(order.remote_id)
        (page,) = await pull(rig, stream=Stream.RETURNS)
        (seen,) = page.rows
        assert isinstance(seen, RemoteReturn)
        assert (seen.remote_id, seen.order_id, seen.state) == (line_id, order.remote_id, ReturnState.REQUESTED)
        assert seen.refund_amount == 70_000
        assert seen.lines == ((order.lines[0].key, 1),)
        assert seen.goods_come_back
        rig.sim.set_return_status(line_id, "BRAND_NEW_WORD")
        (page,) = await pull(rig, stream=Stream.RETURNS)
        assert [(row.state, row.remote_status) for row in page.rows if isinstance(row, RemoteReturn)] == [
            (ReturnState.UNKNOWN, "BRAND_NEW_WORD")
        ]

    on_rig("lazada", body, switches={"reverse_amounts": unit})


def test_many_returns_are_paged_and_cancellations_left_out() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig, quantity=5)
        wanted = {rig.sim.open_return(order.remote_id, unit=n % 5) for n in range(23)}
        rig.sim.open_return(order.remote_id, request_type="CANCEL", status="CANCEL_SUCCESS")
        (page,) = await pull(rig, stream=Stream.RETURNS)
        assert {row.remote_id for row in page.rows if isinstance(row, RemoteReturn)} == wanted
        assert page.closes == START.replace(tzinfo=UTC)

    on_rig("lazada", body)
