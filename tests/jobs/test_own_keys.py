"""A channel whose token is had with our own keys needs nobody's consent: the first call gets it."""

from __future__ import annotations

from pathlib import Path

from simulation import in_virtual_time, simulate


def test_the_first_token_is_asked_for_by_itself(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopify",), courier=False) as s:
            s.app.ledger.write_now(lambda session: session.connection().exec_driver_sql("DELETE FROM token"))
            await s.start_shops({"KOPI-250": 5})
            s.order("shopify", {"KOPI-250": 2})
            await s.settle(2)
            assert s.query("SELECT COUNT(*) FROM token")[0][0] == 1
            assert s.balances("KOPI-250") == {"available": 3, "reserved": 2, "adjustment": -5}

    in_virtual_time(body)
