"""L7: a line that became unreadable keeps its reservation; a line that was really removed gives it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sellersync.clock import SystemClock
from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.store import listings, orders, schema, stock, work
from sellersync.store.ledger import Ledger
from sellersync.store.vault import Vault

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(("problems", "reserved"), [((), 1), (("line b cannot be read",), 3)])
def test_a_missing_line(ledger_url: str, tmp_path: Path, problems: tuple[str, ...], reserved: int) -> None:
    schema.upgrade(ledger_url)
    ledger = Ledger(ledger_url, clock=SystemClock(), vault=Vault.from_hex("22" * 32))
    try:
        schema.begin_ledger(ledger, "install")

        def setup(session: Any) -> orders.ChannelRules:
            warehouse = work.ensure_warehouse(session, "main", "Gudang")
            channel = work.ensure_channel(
                session, provider="p", remote_shop_id="1", slug="toko", kind="channel", warehouse_id=warehouse, now_ms=1
            )
            for key in ("a", "b"):
                stock.ensure_sku(session, key, now_ms=1)
                session.execute(
                    orders.text(
                        "INSERT INTO listing (channel_id, remote_key, seller_sku, title, variation, barcode, active, managed, "
                        "first_seen_ms, seen_ms) "
                        "VALUES (:c, :k, :k, '', '', '', TRUE, TRUE, 1, 1)"
                    ),
                    {"c": channel, "k": key},
                )
                listings.map_listing(session, channel, key, {stock.find_sku(session, key): 1}, now_ms=1, who="test")
            return work.rules_of(session, channel, frozenset())

        rules = ledger.write_now(setup)
        lines = (OrderLine("a", "a", (Unit(UnitStage.OPEN, 1),)), OrderLine("b", "b", (Unit(UnitStage.OPEN, 2),)))
        first = Order("77", OrderState.READY, "READY", NOW, NOW, lines)
        later = replace(first, lines=lines[:1], updated_at=NOW + timedelta(minutes=1), problems=problems)
        for order in (first, later):
            ledger.write_now(
                lambda session, order=order: orders.record_orders(
                    session, rules, [order], read_started_at=order.updated_at, now_ms=2, vault=ledger.vault
                )
            )
        held = ledger.read_now(
            lambda session: session.execute(
                orders.text("SELECT SUM(quantity) FROM balance WHERE account = 'reserved'")
            ).scalar()
        )
        assert held == reserved
    finally:
        ledger.close()
