"""Numbers that somebody changed on a channel, from the comparison to a person's decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from premises import Premises

KOPI = "KOPI-250"


@pytest.fixture
def premises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Premises]:
    monkeypatch.setenv("SELLERSYNC_COMPARE__EDITED_BY_HAND", "adopt")
    with Premises(tmp_path, {"shopee": "shopee", "toko": "woocommerce"}, {}) as place:
        place.open_shop()
        place.run("sync", "pull")
        place.run("sync", "push")
        yield place


def edit(premises: Premises, number: int) -> None:
    """Somebody types a number into the own site's back office."""
    shop: Any = premises.shops["toko"]
    shop.edit_stock(premises.keys["toko", KOPI], number)


def test_a_person_adopts_a_number_that_was_changed_by_hand(premises: Premises) -> None:
    key = premises.keys["toko", KOPI]
    edit(premises, 25)
    answer = premises.json("sync", "compare")
    assert {row["channel"]: row["counts"].get("edited_by_hand", 0) for row in answer["results"]} == {
        "shopee": 0,
        "toko": 1,
    }
    [row] = premises.json("stock", "differences")
    assert (row["channel"], row["remote_key"], row["shown"], row["expected"], row["policy"]) == (
        "toko",
        key,
        25,
        20,
        "adopt",
    )
    assert premises.json("stock", "differences", "--channel", "shopee") == []
    assert f"sellersync stock adopt toko {key}" in premises.run("stock", "differences")
    assert f"sellersync stock adopt toko {key}" in premises.run("report")
    edit(premises, 26)  # what counts is the number at the time of the decision
    premises.run("stock", "adopt", "toko", key, expect=2)
    assert premises.query("SELECT COUNT(*) FROM document WHERE kind = 'adjustment'") == [(0,)]
    out = premises.run("stock", "adopt", "toko", key, "--yes")
    assert "Adjusted KOPI-250 by +6" in out
    assert premises.json("stock", "differences") == []
    premises.run("sync", "push")
    assert premises.shown(KOPI) == {"shopee": 26, "toko": 26}
    premises.run("stock", "adopt", "toko", key, "--yes", expect=2)  # as expected now
    premises.run("stock", "adopt", "toko", "no-such-key", "--yes", expect=2)
    premises.run("stock", "differences", "--channel", "nowhere", expect=2)


def test_a_person_decides_for_the_ledger(premises: Premises) -> None:
    key = premises.keys["toko", KOPI]
    edit(premises, 3)
    premises.run("sync", "compare")
    premises.run("sync", "push")
    assert premises.shown(KOPI)["toko"] == 3
    assert "sellersync sync push --channel toko" in premises.run("stock", "overwrite", "toko", key)
    premises.run("stock", "overwrite", "toko", "no-such-key", expect=2)
    premises.run("sync", "push")
    assert premises.shown(KOPI) == {"shopee": 20, "toko": 20}
    premises.run("sync", "compare")
    assert premises.run("stock", "differences").startswith("No difference is known")


def test_a_channel_that_cannot_be_read_adjusts_nothing(premises: Premises) -> None:
    edit(premises, 25)
    premises.mounts["toko"].switch(on=False)
    premises.run("stock", "adopt", "toko", premises.keys["toko", KOPI], "--yes", expect=3)
    assert premises.query("SELECT COUNT(*) FROM document WHERE kind = 'adjustment'") == [(0,)]
