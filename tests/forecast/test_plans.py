"""Plans are replaced, costs are dated and stay."""

from __future__ import annotations

import pytest
from ledger_bench import Bench

from sellersync.domain.errors import BadInput
from sellersync.store import plans
from sellersync.store.plans import Cost, Plan


def add(bench: Bench, *costs: tuple[int, Cost]) -> int:
    return bench.write(lambda session: plans.add_costs(session, costs, now_ms=9_000, who="ani"))


def test_a_cost_holds_from_its_moment_until_the_next(bench: Bench) -> None:
    kopi, teh = bench.sku("KOPI"), bench.sku("TEH")
    assert add(bench, (kopi, Cost(5_000, 100)), (kopi, Cost(6_000, 200)), (teh, Cost(0, 150))) == 3

    def cost(at_ms: int) -> object:
        return bench.read(lambda session: plans.cost_of(session, kopi, at_ms))

    assert [cost(at) for at in (99, 100, 199, 200, 10**12)] == [None, 5_000, 5_000, 6_000, 6_000]
    assert bench.read(lambda session: plans.costs_at(session, 120)) == {kopi: Cost(5_000, 100)}
    assert bench.read(lambda session: plans.costs_at(session, 200)) == {kopi: Cost(6_000, 200), teh: Cost(0, 150)}
    assert bench.query("SELECT DISTINCT recorded_ms, who FROM cost") == [(9_000, "ani")]


def test_a_recorded_cost_is_never_changed(bench: Bench) -> None:
    kopi = bench.sku("KOPI")
    add(bench, (kopi, Cost(5_000, 100)))
    assert add(bench, (kopi, Cost(5_000, 100))) == 0
    with pytest.raises(BadInput, match="never changed"):
        add(bench, (bench.sku("TEH"), Cost(1, 100)), (kopi, Cost(5_500, 100)))
    assert bench.query("SELECT sku_id, amount FROM cost") == [(kopi, 5_000)]


@pytest.mark.parametrize("amount", [-1, plans.COST_MAX + 1])
def test_impossible_costs_are_refused(bench: Bench, amount: int) -> None:
    with pytest.raises(BadInput, match="not possible"):
        add(bench, (bench.sku("KOPI"), Cost(amount, 100)))


def test_a_plan_is_replaced_as_a_whole(bench: Bench) -> None:
    kopi = bench.sku("KOPI")
    assert bench.read(lambda session: plans.plan_of(session, kopi)) == plans.UNPLANNED
    for plan in (Plan("PT Gayo", 10, 30, 12, 24, 5, True), Plan("Toko Teh", reorder_point=0)):
        bench.write(lambda session, plan=plan: plans.save_plan(session, kopi, plan))
        assert bench.read(lambda session: plans.plan_of(session, kopi)) == plan
        assert bench.read(plans.plans) == {kopi: plan}


@pytest.mark.parametrize(
    "plan",
    [
        Plan(lead_days=-1),
        Plan(lead_days=366),
        Plan(cover_days=0),
        Plan(order_multiple=0),
        Plan(order_min=-1),
        Plan(reorder_point=-1),
    ],
)
def test_numbers_that_no_supplier_has(bench: Bench, plan: Plan) -> None:
    with pytest.raises(BadInput, match="expected is a whole number"):
        bench.write(lambda session: plans.save_plan(session, bench.sku("KOPI"), plan))
