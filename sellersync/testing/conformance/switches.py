"""Unconfirmed facts of a provider are switches of its simulator: the core behaviours hold in every position."""

from __future__ import annotations

from typing import Any

import pytest

from sellersync.connector.contract import PushOutcome
from sellersync.domain.errors import Rejected, Temporary, Uncertain
from sellersync.domain.orders import OrderState, UnitStage
from sellersync.sandbox.kit import Event, Fault, FaultKind

from .base import Conformance, on_bench
from .bench import ChannelBench, open_units
from .faults import nth
from .levels import stranger
from .shipping import arranged
from .walks import latest


class Switches(Conformance):
    """Pull, levels, bookings and tokens, once for each position of each switch."""

    @on_bench()
    async def test_pulls_hold_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        first, second = bench.products(2)
        paid = bench.sim.place_order([(first.remote_key, 2), (second.remote_key, 1)])
        unpaid = bench.sim.place_order([(second.remote_key, 1)], paid=False)
        whole = bench.sim.place_order([(first.remote_key, 1)])
        partly = bench.sim.place_order([(first.remote_key, 3)])
        await bench.clock.sleep(5)
        bench.sim.cancel(whole)
        bench.sim.cancel(partly, by="seller", items=[(first.remote_key, 1)])
        await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s + 30)
        found = latest(await bench.walk())
        assert set(found) == {paid, unpaid, whole, partly}
        assert open_units(found[paid]) == {first.remote_key: 2, second.remote_key: 1}
        assert open_units(found[unpaid]) == {second.remote_key: 1}
        assert found[unpaid].state is OrderState.UNPAID
        assert open_units(found[whole]) == {first.remote_key: 0}
        assert found[whole].state is OrderState.CANCELLED
        assert open_units(found[partly]) == {first.remote_key: 2}
        cancelled = [unit for line in found[partly].lines for unit in line.units if unit.stage is UnitStage.CANCELLED]
        assert sum(unit.count for unit in cancelled) in (0, 1), "a reduced line may forget what was cancelled"
        assert not [problem for order in found.values() for problem in order.problems]
        again = {order.remote_id: order for order in (await bench.connector.orders_by_id(list(found))).found}
        assert {key: open_units(order) for key, order in again.items()} == {
            key: open_units(order) for key, order in found.items()
        }

    @on_bench()
    async def test_levels_hold_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        keys = [product.remote_key for product in bench.products(4, stock=10)]
        bench.sim.place_order([(keys[0], 2)], paid=False)
        bench.sim.cancel(bench.sim.place_order([(keys[1], 3)]))
        for round_levels in ([0, 5, 12], [7, 0, 3], [7, 9, 0]):
            levels = dict(zip(keys, round_levels, strict=False)) | {stranger(keys[0]): 3}
            before = {key: bench.sim.shown(key) for key in keys}
            answers = await bench.push(levels)
            bench.check_answers(levels, before, answers)
            assert answers[stranger(keys[0])].outcome is not PushOutcome.APPLIED
            [shown] = await bench.connector.levels([answers[keys[0]].target])
            assert shown.shown == bench.sim.shown(keys[0])
        bench.tap.edits = []
        bench.sim.faults = [Fault(FaultKind.DROP_AFTER, nth(0))]
        before = {key: bench.sim.shown(key) for key in keys}
        try:
            bench.check_answers({keys[3]: 4}, before, await bench.push({keys[3]: 4}))
        except Temporary:
            assert bench.sim.shown(keys[3]) == before[keys[3]], "nothing was sent, it said"
        bench.sim.faults = []
        answers = await bench.push({keys[3]: 6})
        bench.check_answers({keys[3]: 6}, {keys[3]: bench.sim.shown(keys[3])}, answers)
        assert answers[keys[3]].outcome is PushOutcome.APPLIED

    @on_bench()
    async def test_shipments_hold_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        if not bench.connector.capabilities.arranges:
            pytest.skip("not offered: the channel arranges no shipments")
        order = await bench.ready_order()
        parcel = None
        for _ in range(6):
            try:
                arrangement = await bench.connector.prepare(bench.parcel_request(order, parcel=parcel))
            except Rejected:
                break  # it is arranged
            except Temporary:
                await bench.clock.sleep(60)
                continue
            bench.sim.faults = [Fault(FaultKind.DROP_AFTER, nth(0))]
            with pytest.raises(Uncertain):
                await bench.connector.arrange(arrangement)
            bench.sim.faults = []
            parcel = await bench.shown_parcel(order.remote_id)
            if parcel is not None and parcel.state.booked:
                break
        assert arranged(bench, order.remote_id) == 1
        assert len(bench.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1
        shown = await bench.shown_parcel(order.remote_id)
        assert shown is not None
        assert shown.state.booked

    @on_bench()
    async def test_tokens_hold_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        if bench.connector.authoriser is None:
            pytest.skip("not offered: its keys are static: nothing is renewed")
        await bench.connector.health()
        for _ in range(3):
            new = await bench.tokens.renewed(await bench.tokens.current())
            assert (await bench.connector.health()).remote_shop_id
            assert (await bench.tokens.current()).access == new.access
        assert bench.tokens.refreshes == 3
