"""B26: an unmapped location is an error that is seen; mapped later, the waiting lines reserve in the right warehouse."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from simulation import in_virtual_time, simulate

from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.store import listings, orders, work

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def order_from(listing: str, location: str) -> Order:
    line = OrderLine(key="l1", listing=listing, units=(Unit(UnitStage.OPEN, 2),), location=location)
    return Order("9001", OrderState.READY, "READY_TO_SHIP", NOW, NOW, (line,))


def test_b26_a_location_mapped_later(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops({"KOPI-250": 10})
            shop, ledger = s.shop("shopee"), s.app.ledger
            now_ms = ledger.now_ms()

            def setup(session: orders.Session) -> orders.ChannelRules:
                second = work.ensure_warehouse(session, "second", "Gudang dua")
                work.set_locations(session, shop.id, {"IDZ": second})
                return work.rules_of(session, shop.id, frozenset())

            rules = ledger.write_now(setup)
            order = order_from(s.keys["shopee"]["KOPI-250"], "IDG")
            ledger.write_now(
                lambda session: orders.record_orders(
                    session, rules, [order], read_started_at=NOW, now_ms=now_ms, vault=ledger.vault
                )
            )
            assert s.balances("KOPI-250") == {"available": 10, "adjustment": -10}
            assert s.query("SELECT subject FROM finding WHERE kind = 'unmapped_location' AND closed_ms IS NULL") == [
                ("IDG",)
            ]

            def later(session: orders.Session) -> int:
                second = work.ensure_warehouse(session, "second", "Gudang dua")
                work.set_locations(session, shop.id, {"IDZ": second, "IDG": second})
                return listings.resolve_locations(session, shop.id, now_ms=now_ms)

            assert ledger.write_now(later) == 1
            assert s.query("SELECT subject FROM finding WHERE kind = 'unmapped_location' AND closed_ms IS NULL") == []
            rows = s.query(
                "SELECT warehouse.code, account, quantity FROM balance JOIN warehouse ON warehouse.id = warehouse_id WHERE quantity <> 0"
            )
            assert ("second", "reserved", 2) in {tuple(row) for row in rows}

    in_virtual_time(body)
