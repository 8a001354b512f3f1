"""Walks, reads by id, listings, waybills and health of a Shopify shop, against its strict simulator."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from sellersync.connector.contract import Health, Mark, OrdersById, Page, Stream, TargetKey
from sellersync.domain.errors import AuthNeeded, RejectClass, Rejected, Uncertain
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START

DAY = timedelta(days=1)


def run(test: Any, **options: Any) -> Any:
    return on_rig("shopify", test, **options)


def stocked(rig: Rig[Any, Any], sku: str = "A", stock: int = 100, **extra: Any) -> str:
    return str(rig.sim.add_product(sku, f"Barang {sku}", price=20_000, stock=stock, **extra).remote_key)


async def walk(rig: Rig[Any, Any], since: timedelta = timedelta(0)) -> list[Page]:
    return [page async for page in rig.connector.pages(Stream.ORDERS, Mark(START + since))]


async def pulled(rig: Rig[Any, Any], since: timedelta = timedelta(0)) -> dict[str, Order]:
    """The newest version of each order of one walk."""
    return {row.remote_id: row for page in await walk(rig, since) for row in page.rows if isinstance(row, Order)}


async def order(rig: Rig[Any, Any], order_id: str) -> Order:
    answer: OrdersById = await rig.connector.orders_by_id([order_id])
    [found] = answer.found
    return found


def stages(found: Order) -> dict[UnitStage, int]:
    units: dict[UnitStage, int] = {}
    for line in found.lines:
        for unit in line.units:
            units[unit.stage] = units.get(unit.stage, 0) + unit.count
    return units


def sent(rig: Rig[Any, Any], operation: str) -> list[dict[str, Any]]:
    """Variables of every call of an operation."""
    bodies = [json.loads(request.content) for request in rig.requests if request.url.path.endswith("graphql.json")]
    return [body["variables"] for body in bodies if f" {operation}" in body["query"]]


# -- walks


def test_orders_of_one_second_are_all_found() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(23)}
        assert set(await pulled(rig)) == placed
        assert len(sent(rig, "SellersyncOrders(")) > 2

    run(test, settings={"page_size": 5})


def test_orders_that_change_while_they_are_walked_are_all_found() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = []
        for _ in range(12):
            placed.append(rig.sim.place_order([(key, 1)], paid=False))
            await rig.clock.sleep(1)
        found: dict[str, Order] = {}
        async for page in rig.connector.pages(Stream.ORDERS, Mark(START)):
            found |= {row.remote_id: row for row in page.rows}
            if placed:
                rig.sim.pay(placed.pop(0))
                await rig.clock.sleep(2)
        assert len(found) == 12

    run(test, settings={"page_size": 3})


def test_a_long_absence_is_walked_week_by_week() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = []
        for _ in range(4):
            placed.append(rig.sim.place_order([(key, 1)]))
            await rig.clock.sleep(6 * 86_400)
        pages = await walk(rig)
        closes = [page.closes for page in pages if page.closes is not None]
        assert [row.remote_id for page in pages for row in page.rows] == placed
        assert len(closes) == 4
        assert closes == sorted(closes)
        assert closes[0] == START - timedelta(seconds=300) + 7 * DAY
        assert closes[-1] == START + 24 * DAY
        assert {row.remote_id for page in await walk(rig, 19 * DAY) for row in page.rows} == set()

    run(test)


def test_an_empty_window_closes_at_the_shops_clock() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.clock.skew = timedelta(minutes=20)
        await rig.clock.sleep(100)
        [page] = await walk(rig)
        assert page.rows == ()
        assert page.closes is not None
        assert abs(page.closes - (START + timedelta(seconds=100))) <= timedelta(seconds=1)

    run(test)


def test_the_overlap_covers_a_slow_index() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.visibility_delay_s = rig.connector.capabilities.visibility_delay_s
        placed = rig.sim.place_order([(stocked(rig), 1)])
        [hidden] = await walk(rig)
        assert hidden.rows == ()
        await rig.clock.sleep(20)
        assert hidden.closes is not None
        again = [page async for page in rig.connector.pages(Stream.ORDERS, Mark(hidden.closes))]
        assert [row.remote_id for page in again for row in page.rows] == [placed]

    run(test)


@pytest.mark.parametrize("cost", ["scaled", "per_row"])
def test_pages_shrink_until_the_question_is_cheap_enough(cost: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = [rig.sim.place_order([(key, 1)]) for _ in range(9)]
        assert len(await pulled(rig)) == 9
        dear = [e for e in rig.sim.journal.entries(Event.REQUEST) if e.data["refused"] == "MAX_COST_EXCEEDED"]
        assert dear
        assert len((await rig.connector.orders_by_id(placed)).found) == 9
        calls = len(rig.requests)
        await walk(rig)
        again = [e for e in rig.sim.journal.entries(Event.REQUEST)[calls:] if e.data["refused"]]
        assert again == [], "the size that fits is remembered"

    run(test, switches={"connection_cost": cost}, settings={"page_size": 250})


def test_more_lines_than_a_page_carries_are_read_on() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.add_location("Gudang dua")
        keys = [stocked(rig, f"SKU-{number}") for number in range(37)]
        order_id = rig.sim.place_order([(key, 2) for key in keys])
        found = await order(rig, order_id)
        assert [line.listing for line in found.lines] == keys
        assert {line.location for line in found.lines} == {rig.sim.main_location}
        assert found.problems == ()
        await rig.connector.hand_back(order_id, "JNE1", "JNE")
        assert stages(await order(rig, order_id)) == {UnitStage.LEFT: 74}

    run(test)


def test_orders_older_than_sixty_days_are_left_out_and_health_says_so() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        old = rig.sim.place_order([(stocked(rig), 1)])
        await rig.clock.sleep(61 * 86_400)
        rig.sim.touch(old)
        assert await pulled(rig) == {}
        assert (await rig.connector.orders_by_id([old])).gone == (old,)
        assert any("60 days" in note for note in (await rig.connector.health()).notes)
        rig.sim.scopes.add("read_all_orders")
        assert set(await pulled(rig)) == {old}
        assert not any("60 days" in note for note in (await rig.connector.health()).notes)

    run(test)


def test_reads_by_id_tell_what_is_not_there() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        placed = [rig.sim.place_order([(stocked(rig), 1)]) for _ in range(3)]
        answer = await rig.connector.orders_by_id([*placed, "42", "SO-7"])
        assert [found.remote_id for found in answer.found] == placed
        assert answer.gone == ("42", "SO-7")
        listed = await pulled(rig)
        assert {found.remote_id: found for found in answer.found} == listed

    run(test)


# -- what an order is


def test_paid_unpaid_and_cash_on_delivery() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        paid = await order(rig, rig.sim.place_order([(key, 2)]))
        unpaid_id = rig.sim.place_order([(key, 1)], paid=False)
        unpaid = await order(rig, unpaid_id)
        cash = await order(rig, rig.sim.place_order([(key, 1)], cod=True))
        assert (paid.state, paid.cod, paid.total) == (OrderState.READY, False, 58_000)
        assert paid.paid_at == START
        assert (unpaid.state, unpaid.cod, unpaid.paid_at) == (OrderState.UNPAID, False, None)
        assert (cash.state, cash.cod, cash.total) == (OrderState.READY, True, 38_000)
        rig.sim.pay(unpaid_id)
        assert (await order(rig, unpaid_id)).state is OrderState.READY

    run(test)


def test_another_gateway_is_not_cash_on_delivery() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        found = await order(rig, rig.sim.place_order([(stocked(rig), 1)], cod=True))
        assert (found.state, found.cod) == (OrderState.UNPAID, False)

    run(test, settings={"cod_gateways": ["Bayar di tempat"]})


def test_cash_on_delivery_collects_what_is_left_after_a_removal() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        order_id = rig.sim.place_order([(key, 3)], cod=True)
        rig.sim.cancel(order_id, items=[(key, 1)])
        found = await order(rig, order_id)
        assert found.total == 2 * 20_000 + 18_000
        assert stages(found) == {UnitStage.OPEN: 2, UnitStage.CANCELLED: 1}

    run(test)


def test_the_wait_before_booking_holds_a_paid_order() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.place_order([(stocked(rig), 1)])
        [held] = (await pulled(rig)).values()
        assert held.state is OrderState.HELD
        await rig.clock.sleep(3_601)
        [again] = (await pulled(rig, timedelta(seconds=3_000))).values()
        assert again.state is OrderState.READY, "the overlap reaches back over the wait"

    run(test, settings={"booking_wait_s": 3600})


def test_an_order_that_is_held_back_is_not_booked() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        rig.sim.hold(order_id)
        assert (await order(rig, order_id)).state is OrderState.HELD
        rig.sim.hold(order_id, "OPEN")
        assert (await order(rig, order_id)).state is OrderState.READY

    run(test)


@pytest.mark.parametrize("quantities", ["zero", "kept"])
@pytest.mark.parametrize("restocks", [True, False])
def test_a_cancelled_order_releases_all_its_units(quantities: str, restocks: bool) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        order_id = rig.sim.place_order([(key, 2)])
        rig.sim.cancel(order_id)
        found = await order(rig, order_id)
        assert found.state is OrderState.CANCELLED
        assert found.cancelled_at == START
        assert stages(found) == {UnitStage.CANCELLED: 2}
        assert rig.sim.shown(key) == (100 if restocks else 98)

    run(test, switches={"cancelled_quantities": quantities, "cancel_restocks": restocks})


def test_the_way_of_an_order() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 2)])
        await rig.clock.sleep(10)
        rig.sim.hand_over(order_id)
        shipped = await order(rig, order_id)
        assert (shipped.state, stages(shipped)) == (OrderState.SHIPPED, {UnitStage.LEFT: 2})
        assert shipped.shipped_at == START + timedelta(seconds=10)
        rig.sim.deliver(order_id)
        delivered = await order(rig, order_id)
        assert (delivered.state, stages(delivered)) == (OrderState.DELIVERED, {UnitStage.DELIVERED: 2})
        rig.sim.order_of(order_id).closed_s = rig.sim.now_s()
        assert (await order(rig, order_id)).state is OrderState.COMPLETED

    run(test)


def test_withheld_buyer_data_hides_nothing_else() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 2)])
        found = await order(rig, order_id)
        assert found.state is OrderState.READY
        assert found.buyer is not None
        assert (found.buyer.masked, found.buyer.name) == (True, "")
        assert set(await pulled(rig)) == {order_id}

    run(test, switches={"buyer_data": "withheld"})


# -- locations


def test_the_only_location_is_never_asked_for() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        found = await order(rig, rig.sim.place_order([(stocked(rig), 1)]))
        assert [line.location for line in found.lines] == [rig.sim.main_location]
        assert [call["located"] for call in sent(rig, "SellersyncOrdersById")] == [False]

    run(test)


def test_with_several_locations_each_line_tells_its_own() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        second = rig.sim.add_location("Gudang dua")
        key = stocked(rig, "A", 2, elsewhere={second: 5})
        here = await order(rig, rig.sim.place_order([(key, 2)]))
        there = await order(rig, rig.sim.place_order([(key, 3)]))
        assert [line.location for line in here.lines] == [rig.sim.main_location]
        assert [line.location for line in there.lines] == [second]
        [[listing]] = [page async for page in rig.connector.listings()]
        assert listing.targets == (TargetKey(key, rig.sim.main_location), TargetKey(key, second))
        assert listing.shown == 2
        levels = await rig.connector.levels([*listing.targets, TargetKey(key), TargetKey(key, "9")])
        assert [level.shown for level in levels] == [0, 2, None, None]

    run(test)


def test_a_line_that_is_split_between_locations_waits_for_a_person() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        second = rig.sim.add_location("Gudang dua")
        order_id = rig.sim.place_order([(stocked(rig, "A", 2, elsewhere={second: 2}), 4)])
        found = await order(rig, order_id)
        assert any("several locations" in problem for problem in found.problems)
        assert stages(found) == {UnitStage.OPEN: 4}
        with pytest.raises(Rejected) as refused:
            await rig.connector.hand_back(order_id, "JNE1", "JNE")
        assert refused.value.reject is RejectClass.LOCATION
        assert rig.sim.waybills(order_id) == []

    run(test)


def test_an_untracked_item_has_no_number() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, tracked=False)
        [[listing]] = [page async for page in rig.connector.listings()]
        assert not listing.managed
        [level] = await rig.connector.levels([TargetKey(key, rig.sim.main_location)])
        assert level.shown is None

    run(test)


# -- waybills


def test_a_waybill_is_handed_back_once() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 2)])
        for _ in range(3):
            await rig.connector.hand_back(order_id, "JNE123", "JNE", "dikirim hari ini")
        assert rig.sim.waybills(order_id) == [("JNE123", "JNE", True)]
        found = await order(rig, order_id)
        assert found.meta == {"waybill": "JNE123", "courier": "JNE"}
        assert found.state is OrderState.SHIPPED
        quiet = rig.sim.place_order([(stocked(rig, "B"), 1)])
        await rig.connector.hand_back(quiet, "JNE124", "")
        assert rig.sim.waybills(quiet) == [("JNE124", "", False)]

    run(test)


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY])
def test_a_lost_answer_to_a_waybill_is_settled_by_reading(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 2)])
        answer = rig.sim.answer

        def spoilt(request: Any) -> Any:
            if b"SellersyncFulfil(" in request.content and not rig.sim.waybills(order_id):
                rig.sim.faults.append(Fault(kind))
                response = answer(request)
                fault = rig.sim.faults.pop()
                return rig.sim._spoil_after(fault, response, request)
            return answer(request)

        rig.sim.answer = spoilt
        with pytest.raises(Uncertain):
            await rig.connector.hand_back(order_id, "JNE123", "JNE")
        await rig.connector.hand_back(order_id, "JNE123", "JNE")
        assert rig.sim.waybills(order_id) == [("JNE123", "JNE", False)]
        assert len(sent(rig, "SellersyncFulfil(")) == 1

    run(test)


def test_orders_that_cannot_take_a_waybill() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        cancelled, held, gone = (rig.sim.place_order([(key, 1)]) for _ in range(3))
        rig.sim.cancel(cancelled)
        rig.sim.hold(held)
        rig.sim.hand_over(gone)
        for order_id, expected in (
            (cancelled, RejectClass.CANCELLED),
            (held, RejectClass.NOT_NOW),
            (gone, RejectClass.ALREADY_DONE),
            ("77", RejectClass.UNKNOWN_ORDER),
            ("SO-7", RejectClass.UNKNOWN_ORDER),
        ):
            with pytest.raises(Rejected) as refused:
                await rig.connector.hand_back(order_id, "JNE1", "JNE")
            assert refused.value.reject is expected
        assert sent(rig, "SellersyncFulfil(") == []

    run(test)


def test_an_order_that_is_fulfilled_meanwhile_is_not_fulfilled_again() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        answer = rig.sim.answer

        def overtaken(request: Any) -> Any:
            if b"SellersyncFulfil(" in request.content:
                rig.sim.hand_over(order_id)
            return answer(request)

        rig.sim.answer = overtaken
        with pytest.raises(Rejected) as refused:
            await rig.connector.hand_back(order_id, "JNE1", "JNE")
        assert refused.value.reject is RejectClass.ALREADY_DONE
        assert rig.sim.waybills(order_id) == [("", "", False)]

    run(test)


# -- health


def test_health_names_what_will_hurt() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        healthy: Health = await rig.connector.health()
        assert (healthy.remote_shop_id, healthy.shop_name) == ("toko-uji.myshopify.com", "Toko Uji")
        assert len(healthy.notes) == 1
        rig.sim.scopes.discard("write_inventory")
        rig.sim.root.currency = "USD"
        notes = " | ".join((await rig.connector.health()).notes)
        assert "write_inventory" in notes
        assert "USD" in notes
        await rig.clock.sleep(190 * 86_400)
        assert "may end from 2027-07-01" in " | ".join((await rig.connector.health()).notes)

    run(test)


def test_another_version_than_the_pinned_one_is_told() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        await rig.connector.health()
        rig.sim.root.domain = "toko-lain.myshopify.com"
        answer = rig.sim.answer

        def newer(request: Any) -> Any:
            response = answer(request)
            response.headers["x-shopify-api-version"] = "2027-01"
            return response

        rig.sim.answer = newer
        notes = " | ".join((await rig.connector.health()).notes)
        assert "2027-01 answers instead" in notes
        assert "belongs to toko-lain" in notes

    run(test)


def test_a_missing_scope_needs_the_seller() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.scopes.discard("read_orders")
        with pytest.raises(AuthNeeded, match="read_orders") as told:
            await walk(rig)
        assert "Dev Dashboard" in told.value.todo

    run(test)
