"""The core with a Lazada shop: lost answers to cancellations, and two warehouses."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

from simulation import Simulation, in_virtual_time, simulate

from sellersync.jobs import answer_cancellation, pull_listings, pull_settlements
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.store import cancellations, stock, work
from sellersync.store.cancellations import AnswerState

DECIDE = "/order/reverse/cancel/seller/decide"
SECOND = "ID1AB2C-WH-10002"


def test_the_core_settles_a_lost_answer_by_reading(tmp_path: Path) -> None:
    """The answer was taken, its reply was lost: the next pulls find out, and nothing is sent twice."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("lazada",), courier=False) as s:
            await s.start_shops({"KOPI-250": 10})
            sim: Any = s.sims["lazada"]
            order_id = s.order("lazada", {"KOPI-250": 2})
            assert order_id is not None
            sim.request_cancel(order_id)
            await s.settle(2)
            (request,) = s.app.ledger.read_now(
                lambda session: cancellations.pending_requests(session, channel="lazada")
            )
            sim.faults.append(Fault(FaultKind.DROP_AFTER, lambda method, path: path.endswith(DECIDE)))
            answered = await answer_cancellation.run(s.app.world, s.shop("lazada"), request, accept=True, who="sari")
            assert answered.state is AnswerState.UNCLEAR
            await s.settle(4)
            rows = s.query("SELECT state, answer_state FROM cancellation_request")
            assert [tuple(row) for row in rows] == [("accepted", "done")]
            assert s.balances("KOPI-250").get("available") == 10
            assert s.levels("KOPI-250") == {"lazada": 10}
            sent = [entry for entry in sim.journal.entries() if entry.data.get("path", "").endswith(DECIDE)]
            assert len(sent) == 1

    in_virtual_time(body)


def count_at(s: Simulation, warehouse: str, sku: str, number: int) -> None:
    ledger = s.app.ledger

    def write(session: Any) -> None:
        entry = stock.CountEntry(stock.find_sku(session, sku), stock.find_warehouse(session, warehouse), number)
        stock.record_count(session, [entry], at_ms=ledger.now_ms(), now_ms=ledger.now_ms(), who="test")

    ledger.write_now(write)


def balances_at(s: Simulation) -> set[tuple[str, str, int]]:
    rows = s.query(
        "SELECT warehouse.code, account, quantity FROM balance JOIN warehouse ON warehouse.id = warehouse_id "
        "WHERE quantity <> 0"
    )
    return {tuple(row) for row in rows}


def test_two_warehouses_each_with_its_own_number(tmp_path: Path) -> None:
    """Levels follow each warehouse's count, an order lowers the one it is served from, and both numbers stay true (B26)."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("lazada",), courier=False) as s:
            sim: Any = s.sims["lazada"]
            sim.add_warehouse()
            product = sim.add_product("KOPI-250", "Kopi", price=50_000, stock=0, shown={"dropshipping": 3, SECOND: 5})
            s.keys["lazada"] = {"KOPI-250": product.remote_key}
            unmapped = s.shop("lazada")

            def mapped(session: Any) -> Any:
                second = work.ensure_warehouse(session, "second", "Gudang dua")
                places = {"dropshipping": stock.find_warehouse(session, None), SECOND: second}
                work.set_locations(session, unmapped.id, places)
                return work.rules_of(session, unmapped.id, frozenset())

            shop = replace(unmapped, rules=s.app.ledger.write_now(mapped))
            s.app.world.shops[:] = [shop]
            run = await pull_listings.run(s.app.world, shop, adopt_skus=True)
            assert run is not None
            assert run.ok, run.error
            count_at(s, "main", "KOPI-250", 4)
            count_at(s, "second", "KOPI-250", 6)
            await s.settle()
            assert product.shown == {"dropshipping": 4, SECOND: 6}
            assert s.order("lazada", {"KOPI-250": 5})
            await s.settle()
            assert ("second", "available", 1) in balances_at(s)
            assert ("main", "available", 4) in balances_at(s)
            assert product.shown == {"dropshipping": 4, SECOND: 1}
            count_at(s, "main", "KOPI-250", 9)
            await s.settle()
            assert product.shown == {"dropshipping": 9, SECOND: 1}
            assert len(sim.journal.entries(Event.PARCEL_ARRANGED)) == 1

    in_virtual_time(body)


def test_settlements_grow_and_a_missing_permission_is_their_own_trouble(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("lazada",), courier=False) as s:
            await s.start_shops({"KOPI-250": 10})
            sim: Any = s.sims["lazada"]
            order_id = s.order("lazada", {"KOPI-250": 2})
            await s.settle(2)
            world, shop = s.app.world, s.shop("lazada")
            sim.finance_allowed = False
            await pull_settlements.run(world, shop)
            assert s.query("SELECT COUNT(*) FROM settlement")[0][0] == 0
            assert [tuple(row) for row in s.query("SELECT state FROM channel WHERE slug = 'lazada'")] == [("ok",)]
            open_findings = "SELECT kind FROM finding WHERE kind LIKE 'settlement%' AND closed_ms IS NULL"
            assert s.query(open_findings)
            sim.finance_allowed = True
            sim.settle_order(order_id)
            await s.clock.sleep(60)
            await pull_settlements.run(world, shop, replay=True)
            assert s.query(open_findings) == []
            sim.correct_settlement(order_id, -1_000)
            for _ in range(2):
                await s.clock.sleep(6 * 3600)
                await pull_settlements.run(world, shop)
            kept = s.query("SELECT remote_id, order_remote_id, net FROM settlement ORDER BY remote_id")
            assert {row[0]: (row[1], row[2]) for row in kept} == sim.settlements()
            parts = s.query("SELECT settlement_id, SUM(amount) FROM settlement_part GROUP BY settlement_id")
            assert sorted(row[1] for row in parts) == sorted(row[2] for row in kept)

    in_virtual_time(body)
