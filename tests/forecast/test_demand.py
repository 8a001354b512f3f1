"""From orders and movements to the demand report, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from ledger_bench import Bench, line, order, units

from sellersync.domain.orders import OrderState, UnitStage
from sellersync.domain.reorder import Advice
from sellersync.domain.times import day_bounds, to_epoch_ms
from sellersync.forecast import DemandPolicy, DemandReport, Method, SkuDemand, Unknown, demand_report
from sellersync.store import plans, stock, work
from sellersync.store.plans import Cost, Plan
from sellersync.store.reads_demand import first_order_ms, shelves, sku_states, units_sold

JAKARTA = ZoneInfo("Asia/Jakarta")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 20)  # the bench's clock stands at 10 in the morning of the day after


def wib(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=JAKARTA).astimezone(UTC)


def ago(days: int) -> date:
    """0 is the last whole day."""
    return DAY - timedelta(days=days)


def bounds(first: date, count: int, zone: ZoneInfo = JAKARTA) -> list[tuple[int, int]]:
    days = [day_bounds(first + timedelta(days=number), zone) for number in range(count)]
    return [(to_epoch_ms(start), to_epoch_ms(end)) for start, end in days]


def sold(bench: Bench, days: list[tuple[int, int]]) -> dict[str, dict[int, int]]:
    names = {sku_id: code for code, sku_id in bench.skus.items()}
    return {names[sku_id]: found for sku_id, found in bench.read(lambda session: units_sold(session, days)).items()}


def sell(bench: Bench, listing: str, days_ago: int, count: int = 1, *, state: OrderState = OrderState.READY) -> None:
    at = wib(ago(days_ago))
    stage = UnitStage.CANCELLED if state is OrderState.CANCELLED else UnitStage.OPEN
    remote = f"{listing}-{days_ago}-{state}"
    bench.record(order(remote, line(listing, units(count, stage)), at=at, state=state))


def report(bench: Bench, **more: int) -> DemandReport:
    return demand_report(bench.ledger, JAKARTA, DAY, bench.clock.now(), policy=DemandPolicy(**more))


def of(found: DemandReport, code: str) -> SkuDemand:
    return next(sku for sku in found.skus if sku.code == code)


# ------------------------------------------------------------------------------------------------------------------------- reading


def test_an_order_counts_on_the_shop_s_day_and_bundles_as_their_parts(bench: Bench) -> None:
    bench.listing("KOPI", {"KOPI": 1})
    bench.listing("PAKET", {"KOPI": 2, "TEH": 1})
    late, early = wib(ago(1), 23, 59), wib(ago(0), 0, 0)
    bench.record(order("1", line("KOPI", 1), at=late), order("2", line("PAKET", 3), line("KOPI", 1), at=early))
    assert sold(bench, bounds(ago(1), 2)) == {"KOPI": {0: 1, 1: 7}, "TEH": {1: 3}}
    assert sold(bench, bounds(ago(0), 1)) == {"KOPI": {0: 7}, "TEH": {0: 3}}
    assert bench.read(first_order_ms) == to_epoch_ms(late)


def test_a_changed_recipe_leaves_old_orders_as_they_were(bench: Bench) -> None:
    bench.listing("PAKET", {"KOPI": 2})
    bench.record(order("1", line("PAKET", 1), at=wib(ago(0))))
    bench.map("PAKET", {"TEH": 5})
    assert sold(bench, bounds(ago(0), 1)) == {"KOPI": {0: 2}}


def test_what_nobody_takes_is_no_demand(bench: Bench) -> None:
    bench.listing("KOPI", {"KOPI": 1})
    for state in (OrderState.UNPAID, OrderState.CANCELLED, OrderState.COMPLETED, OrderState.RETURNING):
        sell(bench, "KOPI", 1, {OrderState.COMPLETED: 4, OrderState.RETURNING: 8}.get(state, 100), state=state)
    partly = line("KOPI", units(2), units(50, UnitStage.CANCELLED))
    bench.record(order("partly", partly, at=wib(ago(0))))
    assert sold(bench, bounds(ago(1), 2)) == {"KOPI": {0: 12, 1: 2}}


def test_days_that_are_no_24_hours(bench: Bench) -> None:
    """Berlin, end of summer time on 25 October 2026: that day has 25 hours, and every order still falls on its own day."""
    bench.listing("KOPI", {"KOPI": 1})
    first = date(2026, 10, 23)
    for number in range(5):
        day = first + timedelta(days=number)
        for hour, minute in ((0, 0), (23, 59)):
            at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(UTC)
            bench.record(order(f"{day}-{hour}", line("KOPI", number + 1), at=at))
    days = bounds(first, 5, BERLIN)
    assert [(end - start) // 3_600_000 for start, end in days] == [24, 24, 25, 24, 24]
    assert sold(bench, days) == {"KOPI": {number: 2 * (number + 1) for number in range(5)}}


def test_when_the_shelf_was_empty_is_reckoned_from_the_movements(bench: Bench) -> None:
    bench.listing("KOPI", {"KOPI": 1})
    bench.count("KOPI", 2, at=wib(ago(9)))
    sell(bench, "KOPI", 6, 2)
    bench.receive("KOPI", 5, at=wib(ago(3)))
    sku = bench.sku("KOPI")

    def read(since: datetime) -> tuple[bool, tuple[int, ...]]:
        (found,) = bench.read(lambda session: shelves(session, since_ms=to_epoch_ms(since)))[sku]
        return found.at_start, found.turns

    came, went, back = (to_epoch_ms(wib(ago(days))) for days in (9, 6, 3))
    assert read(wib(ago(10))) == (False, (came, went, back))
    assert read(wib(ago(7))) == (True, (went, back))
    assert read(wib(ago(5))) == (False, (back,))
    assert read(wib(ago(1))) == (True, ())


def test_units_in_any_warehouse_count(bench: Bench) -> None:
    second = bench.write(lambda session: work.ensure_warehouse(session, "garut", "Garut"))
    bench.listing("KOPI", {"KOPI": 1})
    bench.count("KOPI", 1, at=wib(ago(9)))
    at_ms = to_epoch_ms(wib(ago(8)))
    bench.write(
        lambda session: stock.record_receipt(
            session, bench.sku("KOPI"), second, 7, at_ms=at_ms, now_ms=bench.now_ms(), who="test"
        )
    )
    sell(bench, "KOPI", 5, 3)
    assert len(bench.read(lambda session: shelves(session, since_ms=0))[bench.sku("KOPI")]) == 2
    (state,) = bench.read(sku_states)
    assert (state.available, state.short) == (7, 2)


# ------------------------------------------------------------------------------------------------------------------------ the report


@pytest.fixture
def trade(bench: Bench) -> Bench:
    """Three months: KOPI sells 3 a day and was sold out for two weeks, TEH is new, GULA lies there, SUSU was never counted."""
    for code in ("KOPI", "TEH", "GULA", "SUSU"):
        bench.listing(code, {code: 1})
    bench.count("KOPI", 300, at=wib(ago(100), 6))
    bench.count("GULA", 40, at=wib(ago(100), 6))
    bench.count("TEH", 40, at=wib(ago(5), 6))
    out = range(20, 34)
    orders = [order(f"k{days}", line("KOPI", 3), at=wib(ago(days))) for days in range(100, -1, -1) if days not in out]
    bench.record(*orders)
    bench.record(order("t", line("TEH", 30), at=wib(ago(2))))
    return bench


def empty_between(bench: Bench, code: str, first: int, last: int) -> None:
    """A SKU leaves the shelf and comes back, by hand."""
    sku, warehouse = bench.sku(code), bench.warehouse
    units = bench.available(code) + 3 * (first - last) + 200

    def adjust(change: int, day: date, hour: int) -> None:
        at_ms = to_epoch_ms(wib(day, hour))
        bench.write(
            lambda session: stock.record_adjustment(
                session, sku, warehouse, change, reason="test", at_ms=at_ms, now_ms=bench.now_ms(), who="test"
            )
        )

    adjust(-units, ago(first), 1)
    adjust(units, ago(last), 1)


def test_the_report_of_a_small_shop(trade: Bench) -> None:
    empty_between(trade, "KOPI", 33, 19)
    found = report(trade)
    assert [sku.code for sku in found.skus] == ["GULA", "KOPI", "SUSU", "TEH"]
    kopi = of(found, "KOPI")
    assert (kopi.forecast.known_days, kopi.forecast.left_out_days) == (86, 14)
    assert kopi.forecast.naive is not None
    assert kopi.forecast.chosen is not None
    assert (kopi.forecast.naive.per_day, kopi.forecast.naive.error) == (3.0, 0.0)
    assert kopi.advice.cover is not None
    assert kopi.advice.cover.days == pytest.approx(kopi.stock.available / 3)
    assert of(found, "TEH").forecast.unknown is Unknown.NEW
    assert of(found, "TEH").advice.quantity is None
    assert (of(found, "SUSU").counted, of(found, "SUSU").sold_out) == (False, False)


def test_left_in_the_zeros_would_have_been_demand(trade: Bench) -> None:
    """The same trade without the gap on the shelf: two weeks without a sale are two weeks without demand."""
    chosen = of(report(trade), "KOPI").forecast.chosen
    assert chosen is not None
    assert chosen.error > 0.3


def test_dead_stock_and_its_value(trade: Bench) -> None:
    gula = trade.sku("GULA")
    assert [sku.code for sku in report(trade).dead] == ["GULA"]
    assert of(report(trade), "GULA").value is None
    cost = [(gula, Cost(12_500, to_epoch_ms(wib(ago(50)))))]
    trade.write(lambda session: plans.add_costs(session, cost, now_ms=trade.now_ms(), who="test"))
    assert of(report(trade), "GULA").value == 40 * 12_500
    assert report(trade, dead_after_days=101).dead == ()
    sell(trade, "GULA", 30)
    assert report(trade).dead == ()


def test_a_plan_decides_when_and_how_much(trade: Bench) -> None:
    """39 of 300 are left, 3 a day exactly. Lead time 10, cover 20, packs of 24."""
    empty_between(trade, "KOPI", 33, 19)
    sku = trade.sku("KOPI")

    def advised(plan: Plan) -> Advice:
        trade.write(lambda session: plans.save_plan(session, sku, plan))
        return of(report(trade), "KOPI").advice

    plan = Plan("PT Gayo", lead_days=10, cover_days=20, order_multiple=24)
    found = advised(plan)
    assert (found.position, found.reorder_point, found.due, found.quantity) == (39, 30, False, 0)
    by_hand = advised(replace(plan, reorder_point=39))
    assert (by_hand.reorder_point, by_hand.due, by_hand.quantity) == (39, True, 72)  # 39 + 60 - 39, in packs of 24
    assert [one.code for one in report(trade).to_buy] == ["KOPI"]
    sell(trade, "KOPI", 0, 12)
    trade.write(lambda session: plans.save_plan(session, sku, plan))
    assert of(report(trade), "KOPI").advice.position == 27
    assert [one.code for one in report(trade).to_buy] == ["KOPI"]
    assert advised(replace(plan, discontinued=True)).due is False
    assert report(trade).to_buy == ()


def test_sold_out_and_overstock(trade: Bench) -> None:
    empty_between(trade, "KOPI", 33, 19)
    sell(trade, "TEH", 0, 10)
    found = report(trade, overstock_days=12)
    assert [sku.code for sku in found.sold_out] == ["TEH"]
    assert [(sku.code, sku.surplus) for sku in found.overstock] == [("KOPI", 3)]
    assert of(found, "GULA").surplus == 40  # dead stock is named once, as that
    assert report(trade, overstock_days=13).overstock == ()


def test_the_same_ledger_gives_the_same_report(trade: Bench) -> None:
    assert report(trade) == report(trade)


def test_beyond_the_limit_the_best_sellers_have_all_methods(trade: Bench) -> None:
    found = demand_report(trade.ledger, JAKARTA, DAY, trade.clock.now(), skus_max=1)
    assert found.simple_only == 3
    assert len(of(found, "KOPI").forecast.candidates) > 2
    assert {one.method for one in of(found, "GULA").forecast.candidates} == {Method.FOUR_WEEKS, Method.SAME_WEEKDAY}


def test_an_empty_ledger_has_an_empty_report(bench: Bench) -> None:
    found = report(bench)
    assert (found.skus, found.to_buy, found.sold_out, found.dead) == ((), (), (), ())


def test_progress_is_told(trade: Bench) -> None:
    told: list[tuple[int, int]] = []
    demand_report(
        trade.ledger, JAKARTA, DAY, trade.clock.now(), progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
