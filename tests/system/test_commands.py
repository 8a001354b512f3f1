"""Commands that speak to channels, against simulators on real sockets; no daemon runs."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from premises import SHELF, Premises, until

from sellersync.sandbox.kit import Event

SHOPS = {"shopee": "shopee", "toko": "woocommerce"}


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Premises]:
    """Nothing was done yet."""
    with Premises(tmp_path, SHOPS, {"biteship": "biteship"}) as place:
        yield place


@pytest.fixture
def premises(closed: Premises) -> Premises:
    closed.open_shop()
    return closed


def test_login_takes_the_pasted_address(closed: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    closed.run("init")
    [shopee] = [row for row in closed.json("auth", "status", expect=4) if row["channel"] == "shopee"]
    assert (shopee["authorised"], shopee["static_keys"]) == (False, False)
    shop = closed.shops["shopee"]
    code = shop.consent()  # type: ignore[attr-defined]
    shop_id = shop.configuration("http://x")["remote_shop_id"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"https://localhost/sellersync?code={code}&shop_id={shop_id}\n"))
    assert closed.json("auth", "login", "shopee")["channel"] == "shopee"
    closed.run("auth", "status")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"https://localhost/sellersync?code={code}&shop_id={shop_id}\n"))
    closed.run("auth", "login", "shopee", expect=4)  # a code works once
    for pasted in ("", "https://localhost/?code=1&state=of-another-login\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(pasted))
        closed.run("auth", "login", "shopee", expect=2)


def test_what_is_no_grant_is_not_stored(closed: Premises) -> None:
    closed.run("init")
    file = closed.folder / "grant.json"
    file.write_text("not json")
    closed.run("auth", "import", "shopee", str(file), expect=1)
    assert closed.query("SELECT COUNT(*) FROM token") == [(0,)]
    closed.run("listings", "pull", "--channel", "shopee", expect=4)


def test_skus_are_made_only_while_there_is_none(premises: Premises) -> None:
    assert {row["sku"] for row in premises.json("stock", "show")} == set(SHELF)
    premises.shops["toko"].add_product("TEH-01", "Teh", price=20_000, stock=4)
    answer = premises.json("listings", "pull", "--channel", "toko")
    assert answer["adopted"] is False
    assert answer["channels"][0]["counts"]["unmapped"] == 1
    assert [row["seller_sku"] for row in premises.json("listings", "unmapped")] == ["TEH-01"]
    premises.run("listings", "pull", "--channel", "toko", "--adopt")
    assert premises.json("listings", "unmapped") == []


def test_one_pass_brings_an_order_through(premises: Premises) -> None:
    order = premises.order("shopee", "KOPI-250", 2)
    answer = premises.json("sync")
    assert answer["ok"] is True
    assert [(row["job"], row["channel"]) for row in answer["results"]] == [
        *((job, slug) for job in ("pull", "push", "book", "track") for slug in SHOPS),
        ("hand-back", "toko"),
    ]
    assert premises.shown("KOPI-250") == {"shopee": 18, "toko": 18}
    time.sleep(0.6)  # the waybill comes late
    premises.run("sync", "track", "--channel", "shopee")
    premises.run("sync", "pull", "--channel", "shopee")
    [parcel] = premises.shops["shopee"].arranged_parcels()
    [found] = premises.json("orders", "show", order)
    assert found["head"]["state"] == "booked"
    assert [row["state"] for row in found["claims"]] == ["booked"]
    assert {row["channel"]: (row["level"], row["outcome"]) for row in found["pushes"]} == {
        "shopee": (18, "applied"),
        "toko": (18, "applied"),
    }
    assert premises.json("orders", "show", parcel)[0]["head"]["remote_id"] == order
    assert "Levels sent because of it" in premises.run("orders", "show", order)


def test_a_first_count_from_a_channel(closed: Premises) -> None:
    """What the channel shows, and what its open orders hold on the shelf beside that number."""
    closed.run("init")
    (closed.folder / "grant.json").write_bytes(closed.shops["shopee"].first_grant() or b"")
    closed.run("auth", "import", "shopee", "--file", str(closed.folder / "grant.json"))
    closed.order("shopee", "KOPI-250", 3)  # 20 lay there, 17 are shown now
    closed.run("listings", "pull")
    out = closed.run("stock", "count", "--from-channel", "shopee", "--yes")
    assert "Recorded 2 counts." in out
    stock = {row["sku"]: (row["available"], row["reserved"]) for row in closed.json("stock", "show")}
    assert stock == {"KOPI-250": (17, 3), "TEKO-01": (9, 0)}
    assert closed.query("SELECT DISTINCT source FROM document") == [("channel shopee",)]
    closed.run("sync", "pull")
    closed.run("sync", "push")
    assert closed.shown("KOPI-250") == {"shopee": 17, "toko": 17}


def test_a_count_from_a_channel_that_cannot_be_read_records_nothing(premises: Premises) -> None:
    premises.mounts["shopee"].switch(on=False)
    counts = premises.query("SELECT COUNT(*) FROM count_line")
    premises.run("stock", "count", "--from-channel", "shopee", "--yes", expect=3)
    premises.run("stock", "count", "--from-channel", "nowhere", "--yes", expect=2)
    assert premises.query("SELECT COUNT(*) FROM count_line") == counts


def test_looking_asks_no_channel(premises: Premises) -> None:
    before = {slug: len(shop.journal.entries(Event.REQUEST)) for slug, shop in premises.shops.items()}
    premises.run("status", expect=0)
    premises.run("orders", "list")
    premises.run("stock", "show")
    premises.run("auth", "status")
    premises.run("report")
    assert {slug: len(shop.journal.entries(Event.REQUEST)) for slug, shop in premises.shops.items()} == before


def test_a_bundle_tells_nothing_about_its_parts(premises: Premises) -> None:
    """And a channel whose listings of one SKU differ is not believed."""
    shop = premises.shops["toko"]
    shop.add_product("PAKET", "Paket", price=90_000, stock=50)
    premises.run("listings", "pull", "--channel", "toko", "--no-adopt")
    premises.run("listings", "map", "toko", shop.products()[-1].remote_key, "KOPI-250=2", "TEKO-01")
    answer = premises.json("stock", "count", "--from-channel", "toko", "--yes")
    assert {row["sku"]: row["counted"] for row in answer["rows"]} == SHELF
    shop.add_product("KOPI-250", "Kopi, hemat", price=45_000, stock=3)
    premises.run("listings", "pull", "--channel", "toko")
    answer = premises.json("stock", "count", "--from-channel", "toko", "--yes")
    assert [row["sku"] for row in answer["rows"]] == ["TEKO-01"]


def listen_to_interrupts() -> None:
    """A test run in the background of a shell inherits that Ctrl-C is ignored; a person's terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_command_gives_its_lease_back(premises: Premises) -> None:
    premises.mounts["shopee"].latency_s = 20.0
    command = [
        sys.executable,
        "-m",
        "sellersync",
        "sync",
        "pull",
        "--channel",
        "shopee",
        "--config",
        str(premises.config),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=listen_to_interrupts
    ) as sync:
        held = "SELECT 1 FROM lease WHERE name LIKE 'pull_orders:%' AND owner <> ''"
        until(lambda: premises.query(held), what="the command's pull under way")
        sync.send_signal(signal.SIGINT)
        assert sync.wait(10) == 130
        assert sync.stderr is not None
        assert b"Traceback" not in sync.stderr.read()
    assert premises.query(held) == []
