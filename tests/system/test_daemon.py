"""The real daemon in a process of its own, against simulators on real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from premises import SHELF, Premises, rss_mb, until

SHOPS = {"shopee": "shopee", "toko": "woocommerce"}
RSS_MB_MAX = 100.0


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    """A shop on a marketplace and on its own site, open for business; no daemon runs yet."""
    with Premises(tmp_path, SHOPS, {"biteship": "biteship"}) as place:
        place.open_shop()
        yield place


def test_orders_flow_in_levels_go_out_and_parcels_are_booked(premises: Premises) -> None:
    daemon = premises.start()
    until(lambda: set(premises.shown("KOPI-250").values()) == {20}, what="the first levels")
    placed = {premises.order("shopee", "KOPI-250", 3), premises.order("toko", "TEKO-01")}
    until(lambda: premises.imported() == placed, what="both orders in the ledger")
    until(lambda: set(premises.shown("KOPI-250").values()) == {17}, what="the sale on the other channel")
    until(lambda: set(premises.shown("TEKO-01").values()) == {8}, what="the sale of the own site on the marketplace")
    until(lambda: premises.shops["shopee"].arranged_parcels(), what="the marketplace parcel arranged")
    until(lambda: premises.couriers["biteship"].bookings(), what="the own site's parcel booked")
    status = premises.json("status", expect=1)
    assert status["daemon"].startswith("daemon:")
    assert {row["state"]["slug"]: row["findings"] for row in status["channels"]} == {
        "shopee": {},
        "toko": {},
        "biteship": {"shop_note": 1},  # a test key
    }
    assert {row["state"]["slug"]: row["state"]["state"] for row in status["channels"]} == {
        "shopee": "ok",
        "toko": "ok",
        "biteship": "ok",
    }
    code, seconds = premises.stop(daemon)
    assert code == 0
    assert seconds < 5
    assert premises.json("status", expect=1)["daemon"] == ""
    assert premises.json("ledger", "verify")["ok"] is True
    assert "Traceback" not in premises.log.read_text()


def test_a_second_daemon_refuses_and_the_first_works_on(premises: Premises) -> None:
    first = premises.start()
    second = premises.start(wait=False)
    assert second.wait(10) == 75
    assert f"process {first.pid}" in premises.log.read_text()
    order = premises.order("toko", "KOPI-250")
    until(lambda: premises.imported() == {order}, what="the first daemon's pull")


def test_a_killed_daemon_is_followed_by_one_that_continues(premises: Premises) -> None:
    """Leases of the dead process hold nobody up, and nothing is done twice."""
    daemon = premises.start()
    placed = {premises.order("shopee", "KOPI-250"), premises.order("toko", "KOPI-250")}
    until(lambda: premises.imported(), what="the first order")
    premises.mounts["shopee"].latency_s = 1.0  # the kill falls into a call
    time.sleep(0.7)
    assert premises.stop(daemon, signal.SIGKILL)[0] == -signal.SIGKILL
    held = premises.query("SELECT COUNT(*) FROM lease WHERE owner <> ''")[0][0]
    assert held >= 1
    premises.mounts["shopee"].latency_s = 0.0
    placed.add(premises.order("shopee", "TEKO-01"))
    premises.start()
    until(lambda: premises.imported() == placed, what="all three orders")
    until(lambda: set(premises.shown("KOPI-250").values()) == {18}, what="the levels")
    until(lambda: len(premises.shops["shopee"].arranged_parcels()) == 2, what="the parcels")
    assert premises.json("ledger", "verify")["ok"] is True


def test_b29_a_command_waits_while_the_daemon_does_the_same(premises: Premises) -> None:
    premises.start()
    premises.mounts["shopee"].latency_s = 1.0
    until(
        lambda: premises.query("SELECT 1 FROM lease WHERE name LIKE 'pull_orders:%' AND owner LIKE 'daemon:%'"),
        what="the daemon's pull under way",
    )
    premises.order("shopee", "KOPI-250")
    begin = time.monotonic()
    answer = premises.json("sync", "pull", "--channel", "shopee")
    assert [row["outcome"] for row in answer["results"]] == ["ok"]
    assert time.monotonic() - begin >= 1.0
    outcomes = {row[0] for row in premises.query("SELECT DISTINCT outcome FROM job_run WHERE job = 'pull_orders'")}
    assert outcomes <= {"ok", "running"}


def test_the_same_on_postgresql(tmp_path: Path, postgres_server: Any) -> None:
    """The lock, the leases and the queries of the other database: orders flow, a second daemon refuses, a kill is survived."""
    with Premises(tmp_path, SHOPS, {"biteship": "biteship"}, url=postgres_server.new_url()) as place:
        place.open_shop()
        daemon = place.start()
        placed = {place.order("shopee", "KOPI-250"), place.order("toko", "TEKO-01")}
        until(lambda: place.imported() == placed, what="both orders")
        assert place.start(wait=False).wait(10) == 75
        place.stop(daemon, signal.SIGKILL)
        placed.add(place.order("toko", "KOPI-250"))
        again = place.start()
        until(lambda: place.imported() == placed, what="the third order")
        until(lambda: set(place.shown("KOPI-250").values()) == {18}, what="the levels")
        status = place.json("status", expect=1)  # the courier's test key
        assert status["daemon"].startswith("daemon:")
        assert place.stop(again)[0] == 0
        assert place.json("ledger", "verify")["ok"] is True


def test_what_hangs_is_cut_after_the_drain(tmp_path: Path) -> None:
    with Premises(tmp_path, {"toko": "woocommerce"}, {}, jobs={"drain_s": 1.0}) as place:
        place.open_shop()
        daemon = place.start()
        place.mounts["toko"].latency_s = 30.0
        time.sleep(1.0)
        code, seconds = place.stop(daemon)
        assert code == 0
        assert 0.5 < seconds < 4
        assert "was cut" in place.log.read_text()
        assert place.query("SELECT name FROM lease WHERE owner <> ''") == []


def test_a_second_signal_does_not_wait_for_the_drain(tmp_path: Path) -> None:
    with Premises(tmp_path, {"toko": "woocommerce"}, {}, jobs={"drain_s": 60.0}) as place:
        place.open_shop()
        daemon = place.start()
        place.mounts["toko"].latency_s = 30.0
        time.sleep(1.0)
        daemon.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert daemon.poll() is None
        code, seconds = place.stop(daemon, signal.SIGINT)
        assert code == 0
        assert seconds < 3


def test_one_channel_off_leaves_the_other_alone(premises: Premises) -> None:
    premises.mounts["shopee"].switch(on=False)
    premises.start()
    order = premises.order("toko", "KOPI-250")
    until(lambda: premises.imported() == {order}, what="the own site's order")
    until(lambda: premises.query("SELECT 1 FROM channel WHERE state = 'trouble'"), what="the dead channel's trouble")
    states = {row["state"]["slug"]: row["state"] for row in premises.json("status", expect=1)["channels"]}
    assert states["toko"]["state"] == "ok"
    assert states["shopee"]["state"] == "trouble"
    premises.run("sync", "pull", "--channel", "shopee", expect=3)
    premises.run("sync", "pull", "--channel", "toko")


def test_the_first_start_reads_listings_and_makes_no_sku(tmp_path: Path) -> None:
    with Premises(tmp_path, {"toko": "woocommerce"}, {}) as place:
        place.run("init")
        place.order("toko", "KOPI-250")
        place.start()
        until(lambda: place.query("SELECT 1 FROM sales_order"), what="the order")
        assert place.query("SELECT COUNT(*) FROM listing")[0][0] == len(SHELF)
        assert place.query("SELECT COUNT(*) FROM sku")[0][0] == 0
        rows = place.json("listings", "unmapped")
        assert {row["seller_sku"]: row["orders_waiting"] for row in rows} == {"KOPI-250": 1, "TEKO-01": 0}


def test_systemd_hears_ready_watchdog_and_stopping(premises: Premises, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        address = tmp_path / "notify"
        systemd.bind(str(address))
        systemd.settimeout(10)
        daemon = premises.start(environ={"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "400000"})
        heard: list[str] = []
        while heard.count("WATCHDOG=1") < 3:
            heard.append(systemd.recv(1000).decode())
        assert "READY=1" in heard
        premises.stop(daemon)
        while "STOPPING=1" not in heard:
            heard.append(systemd.recv(1000).decode())


def test_an_idle_daemon_with_four_channels_is_small(tmp_path: Path) -> None:
    channels = {"shopee": "shopee", "tokopedia": "tokopedia", "lazada": "lazada", "toko": "woocommerce"}
    with Premises(tmp_path, channels, {"biteship": "biteship"}) as place:
        place.open_shop()
        daemon = place.start(environ={"MALLOC_ARENA_MAX": "1"})
        until(lambda: set(place.shown("KOPI-250").values()) == {20}, what="the first levels")
        time.sleep(2)
        assert rss_mb(daemon) < RSS_MB_MAX, rss_mb(daemon)


def test_the_daemon_loads_nothing_that_it_does_not_need() -> None:
    code = "import sys, sellersync.daemon; print(sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    for heavy in ("alembic", "typer", "jinja2", "babel", "uvicorn"):  # httpx itself loads rich where it is installed
        assert f"'{heavy}'" not in done.stdout


def test_the_command_line_keeps_out_what_httpx_would_load() -> None:
    code = (
        "import sys, sellersync.cli; print('rich' in sys.modules, 'pygments' in sys.modules, 'alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"] * 3
