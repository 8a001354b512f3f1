"""Tokopedia: the lines of daily statements. What every channel's settlements must do is the conformance suite's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Mark, Stream
from sellersync.domain.errors import AuthNeeded, SellersyncError, Temporary, Unrecognised
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.testing.conformance import ChannelConformance
from sellersync.testing.conformance.bench import ChannelBench, build_bench
from sellersync.testing.conformance.tap import json_of, rebuilt
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START, VirtualLoop, run_virtual
from sellersync_tokopedia import mapping_finance, statements
from sellersync_tokopedia.mapping_finance import Statement, settlement, statement

Env = Rig[Any, Any]
DAY_S = 86_400.0
DAY = Statement("3700000000000000001", datetime(2026, 11, 22, tzinfo=UTC))

# Names of the fields: generated SDK models of the Partner Center documents (2026-10); the amounts are invented.
SALE = {
    "id": "3710000000000000001",
    "type": "ORDER",
    "order_id": "580000000000000001",
    "settlement_amount": "115885",
    "revenue_amount": "130150",
    "shipping_cost_amount": "-1500",
    "fee_tax_amount": "-12765",
    "fee_tax_breakdown": {
        "fee": {"platform_commission_amount": "-7809", "dynamic_commission_amount": "-4956"},
        "tax": {"vat_amount": "0"},
    },
}


def line(**changes: Any) -> Any:
    row = {name: value for name, value in {**SALE, **changes}.items() if value is not ...}
    return settlement(row, DAY)


async def pull(rig: Env, since: datetime = START) -> list[Any]:
    return [page async for page in rig.connector.pages(Stream.SETTLEMENTS, Mark(since))]


def rows(pages: list[Any]) -> list[Any]:
    return [row for page in pages for row in page.rows]


async def settled(rig: Any, count: int = 1) -> list[str]:
    product = rig.sim.add_product("KOPI-250", "Kopi 250 g", price=70_000, stock=count + 5)
    placed = [rig.sim.place_order([(product.remote_key, 1)]) for _ in range(count)]
    for order_id in placed:
        rig.sim.settle_order(order_id)
    return placed


# ---------------------------------------------------------------------------------------------------------------------- mapping


@pytest.mark.parametrize("sign", [1, -1], ids=["costs_negative", "costs_positive"])
def test_a_sale_is_explained_fee_by_fee_whatever_the_sign_of_costs(sign: int) -> None:
    fees = {
        name: str(sign * -amount)
        for name, amount in (("platform_commission_amount", 7809), ("dynamic_commission_amount", 4956))
    }
    row = line(
        shipping_cost_amount=str(sign * -1500), fee_tax_amount=str(sign * -12765), fee_tax_breakdown={"fee": fees}
    )
    assert (row.remote_id, row.order_id, row.settled_at, row.net) == (
        SALE["id"],
        SALE["order_id"],
        DAY.settled_at,
        115_885,
    )
    assert dict(row.parts) == {
        "revenue_amount": 130_150,
        "shipping_cost_amount": -1_500,
        "platform_commission_amount": -7_809,
        "dynamic_commission_amount": -4_956,
    }


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"fee_tax_breakdown": ...},
            {"revenue_amount": 130_150, "shipping_cost_amount": -1_500, "fee_tax_amount": -12_765},
        ),
        (  # a breakdown that does not add up explains nothing
            {"fee_tax_breakdown": {"fee": {"platform_commission_amount": "-7809"}}},
            {"revenue_amount": 130_150, "shipping_cost_amount": -1_500, "fee_tax_amount": -12_765},
        ),
        (
            {
                "fee_tax_breakdown": {
                    "fee": {"affiliate_commission_amount": "-12765", "affiliate_commission_amount_before_pit": "-12765"}
                }
            },
            {"revenue_amount": 130_150, "shipping_cost_amount": -1_500, "affiliate_commission_amount": -12_765},
        ),
        ({"settlement_amount": "100000"}, {"revenue_amount": 130_150, "unexplained": -30_150}),
        ({"fee_tax_amount": "-12765.50"}, {"revenue_amount": 130_150, "unexplained": -14_265}),
        ({"revenue_amount": "much"}, {"unexplained": 115_885}),
        (  # shipping inside the fees, as in the sums of a statement
            {"shipping_cost_amount": "0", "fee_tax_amount": "-14265", "fee_tax_breakdown": ...},
            {"revenue_amount": 130_150, "fee_tax_amount": -14_265},
        ),
        (
            {"settlement_amount": "115385", "adjustment_amount": "-500", "fee_tax_breakdown": ...},
            {
                "revenue_amount": 130_150,
                "shipping_cost_amount": -1_500,
                "fee_tax_amount": -12_765,
                "adjustment_amount": -500,
            },
        ),
    ],
)
def test_what_does_not_add_up_is_unexplained(changes: dict[str, Any], parts: dict[str, int]) -> None:
    row = line(**changes)
    assert dict(row.parts) == parts
    assert sum(parts.values()) == row.net


@pytest.mark.parametrize(
    ("changes", "order_id", "name"),
    [
        ({"type": "LOGISTICS_REIMBURSEMENT", "adjustment_order_id": "58"}, "58", "logistics_reimbursement"),
        ({"type": "RESERVE", "associated_order_id": "59"}, "59", "reserve"),
        ({"type": "GMV_PAYMENT_FOR_ADS"}, "", "gmv_payment_for_ads"),
        ({"type": "Bill payment （negative balance）"}, "", "bill_payment_negative_balance"),
    ],
)
def test_adjustments_are_settlements_of_their_own(changes: dict[str, Any], order_id: str, name: str) -> None:
    """Ads and penalties belong to no order; the money counts all the same."""
    row = line(order_id=..., revenue_amount=..., **{"settlement_amount": "-2500", **changes})
    assert (row.order_id, row.net, row.parts) == (order_id, -2_500, ((name, -2_500),))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ...},
        {"order_id": ...},
        {"order_id": ..., "type": ...},
        {"settlement_amount": ...},
        {"settlement_amount": "115885.5"},
        {"settlement_amount": "115.885"},
    ],
)
def test_a_line_without_ids_or_net_is_told_and_not_made_up(changes: dict[str, Any]) -> None:
    with pytest.raises(Unrecognised):
        line(**changes)


@pytest.mark.parametrize(
    "row",
    [
        {"statement_time": 1795305600},
        {"id": "37", "currency": "IDR"},
        {"id": "37", "statement_time": 1795305600, "currency": "SGD"},
        {"id": "37/../38", "statement_time": 1795305600},
    ],
)
def test_a_statement_without_id_time_or_rupiah_is_told(row: dict[str, Any]) -> None:
    with pytest.raises(Unrecognised):
        statement(row)


# ------------------------------------------------------------------------------------------------------------------------ walks


def test_lines_come_with_the_statement_of_the_next_midnight() -> None:
    async def test(rig: Env) -> None:
        [order_id] = await settled(rig)
        assert rows(await pull(rig)) == []
        midnight = (START + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        await rig.clock.sleep((midnight - rig.clock.now()).total_seconds() + 60)
        [row] = rows(await pull(rig))
        assert (row.order_id, row.settled_at) == (order_id, midnight)

    on_rig("tokopedia", test)


def test_a_statement_that_can_be_read_two_days_late_is_not_lost() -> None:
    async def test(rig: Env) -> None:
        await settled(rig)
        held, rig.sim.finance.lines = rig.sim.finance.lines, []
        await rig.clock.sleep(2 * DAY_S)
        closed = (await pull(rig))[-1].closes
        assert closed is not None
        assert closed > START + timedelta(days=1, hours=23)
        rig.sim.finance.lines = held
        assert len(rows(await pull(rig, closed))) == 1

    on_rig("tokopedia", test)


def test_a_statement_of_several_pages_is_read_whole() -> None:
    async def test(rig: Env) -> None:
        placed = await settled(rig, 230)
        await rig.clock.sleep(DAY_S)
        found = rows(await pull(rig))
        assert sorted(row.order_id for row in found) == sorted(placed)
        paths = [request.url.path for request in rig.requests]
        assert sum(path.endswith("/statement_transactions") for path in paths) == 3

    on_rig("tokopedia", test)


def test_a_statement_that_breaks_off_closes_no_window() -> None:
    async def body() -> None:
        bench = build_bench(ChannelBench, "tokopedia")
        await settled(bench, 130)
        await bench.clock.sleep(DAY_S)

        def torn(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            value = json_of(response)
            if "transactions" not in (value or {}).get("data", {}):
                return response
            return rebuilt(response, {**value, "data": {**value["data"], "next_page_token": ""}})

        bench.tap.edits = [torn]
        pages: list[Any] = []

        async def walk() -> None:
            async for page in bench.connector.pages(Stream.SETTLEMENTS, Mark(START)):
                pages.append(page)

        with pytest.raises(Temporary, match="100 of 130"):
            await walk()
        assert not rows(pages)
        midnight = (START + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        assert all(page.closes <= midnight for page in pages), "the window of the statement stays open"
        await bench.wire.close()

    run_virtual(body(), VirtualLoop())


# ------------------------------------------------------------------------------------------------------------------- permission


def test_without_the_permission_settlements_are_left_out_and_health_says_so() -> None:
    async def test(rig: Env) -> None:
        [order_id] = await settled(rig)
        await rig.clock.sleep(DAY_S)
        rig.sim.finance_allowed = False
        assert await pull(rig) == [], "no window closes: with the permission nothing is missing"
        assert [note for note in (await rig.connector.health()).notes if "settlements" in note]
        orders = [page async for page in rig.connector.pages(Stream.ORDERS, Mark(START))]
        assert rows(orders)
        rig.sim.finance_allowed = True
        assert [row.order_id for row in rows(await pull(rig))] == [order_id]
        assert (await rig.connector.health()).notes == ()

    on_rig("tokopedia", test)


def test_a_lost_authorisation_is_never_taken_for_a_missing_permission() -> None:
    async def test(rig: Env) -> None:
        await settled(rig)
        rig.sim.expire_access_tokens()
        rig.sim.expire_refresh_tokens()
        with pytest.raises(AuthNeeded):
            await pull(rig)

    on_rig("tokopedia", test)


def test_a_warehouse_on_holiday_is_a_note() -> None:
    async def test(rig: Env) -> None:
        second = rig.sim.add_warehouse()
        rig.sim.world.effect_status[second] = "DISABLED"
        assert (await rig.connector.health()).notes == (), "one of two may be switched off on purpose"
        rig.sim.world.effect_status[second] = "RESTRICTED"
        assert (await rig.connector.health()).notes == ("the warehouse Gudang 2 is on holiday or at its limit",)
        rig.sim.world.effect_status = dict.fromkeys(rig.sim.world.warehouses, "DISABLED")
        assert (await rig.connector.health()).notes == ("no sales warehouse is enabled",)

    on_rig("tokopedia", test)


def test_a_passing_trouble_costs_nothing() -> None:
    async def test(rig: Env) -> None:
        [order_id] = await settled(rig)
        await rig.clock.sleep(DAY_S)
        for kind in (FaultKind.HTTP_500, FaultKind.DROP_AFTER, FaultKind.HTTP_429):
            rig.sim.faults = [Fault(kind, lambda method, path: path.startswith("/finance/"), times=1)]
            assert [row.order_id for row in rows(await pull(rig))] == [order_id]

    on_rig("tokopedia", test)


# -------------------------------------------------------------------------------------------------- the suite can fail


class Suite(ChannelConformance):
    provider = "tokopedia"


async def _first_page(api: Any, statement_id: str) -> list[Any]:
    return list((await api.statement_transactions(statement_id, page_token="")).rows("transactions"))


BREAKS: dict[str, tuple[Any, str, Any, str, dict[str, Any]]] = {
    "the first page of a statement is enough": (
        statements, "_lines", _first_page,
        "test_settled_orders_arrive_exactly_once_with_the_providers_net", {"many": 130},
    ),
    "costs are always shown as negative": (
        mapping_finance, "COSTS", (),
        "test_settlements_hold_in_every_position", {"switches": {"costs_shown": "positive"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", BREAKS)
def test_a_broken_promise_is_noticed(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, broken, behaviour, arguments = BREAKS[title]
    getattr(Suite(), behaviour)(**arguments)
    monkeypatch.setattr(module, name, broken)
    with pytest.raises((AssertionError, SellersyncError)):
        getattr(Suite(), behaviour)(**arguments)
