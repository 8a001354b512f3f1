"""`prove orders` against shops on real sockets: an order of yesterday that no walk delivered is named, then repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from premises import Premises

DAY_S = 86_400


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    with Premises(tmp_path, {"shopee": "shopee", "lazada": "lazada"}, {}) as place:
        place.open_shop()
        yield place


def test_an_order_of_yesterday_is_missed_named_and_repaired(premises: Premises) -> None:
    shop: Any = premises.shops["shopee"]
    order_id = premises.order("shopee", "KOPI-250", 2)
    shop.orders[order_id].created -= DAY_S
    shop.orders[order_id].updated -= 90 * DAY_S
    answer = premises.json("prove", "orders", expect=1)
    proofs = {proof["channel"]: proof for proof in answer["proofs"]}
    assert proofs["lazada"]["state"] == "complete"
    assert (proofs["shopee"]["state"], proofs["shopee"]["missing"]) == ("missing", [order_id])
    out = premises.run("prove", "orders", "--channel", "shopee", expect=1)
    assert f"missing are {order_id}" in out
    assert "--repair" in out
    answer = premises.json("prove", "orders", "--repair")
    [proof] = [proof for proof in answer["proofs"] if proof["channel"] == "shopee"]
    assert (proof["state"], proof["on_channel"], proof["in_ledger"], proof["repaired"]) == ("complete", 1, 1, 1)
    assert premises.json("orders", "show", order_id)[0]["head"]["remote_id"] == order_id
    [shopee] = [row for row in premises.json("status")["channels"] if row["state"]["slug"] == "shopee"]
    assert shopee["calls_today"] > 0
