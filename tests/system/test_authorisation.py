"""The seller's consent at the command line: caught on a port, days left, and the warning before it ends."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from premises import WAIT_S_MAX, Premises, until


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    with Premises(
        tmp_path, {"shopee": "shopee", "lazada": "lazada", "toko": "woocommerce"}, {"biteship": "biteship"}
    ) as place:
        place.run("init")
        yield place


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_login_catches_the_browser(premises: Premises) -> None:
    shop: Any = premises.shops["shopee"]
    port, told = free_port(), premises.folder / "login.txt"
    command = [
        sys.executable,
        "-m",
        "sellersync",
        "auth",
        "login",
        "shopee",
        "--catch",
        str(port),
        "--config",
        str(premises.config),
    ]
    with told.open("wb") as err, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err) as login:
        page = until(lambda: re.search(r"https?://\S+auth_type=seller\S*", told.read_text()), what="the consent link")[
            0
        ]
        until(lambda: "Waiting up to 5 minutes" in told.read_text(), what="the port is open")
        assert f"localhost%3A{port}" in page
        state = re.search(r"state=(\w+)", page)
        assert state is not None
        shop_id = shop.configuration("http://x")["remote_shop_id"]
        answer = f"http://127.0.0.1:{port}/sellersync?code={shop.consent()}&shop_id={shop_id}"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{answer}&state=of-another", timeout=5)
        with urllib.request.urlopen(f"{answer}&state={state[1]}", timeout=5) as page_shown:
            assert page_shown.status == 200
        out, _ = login.communicate(timeout=WAIT_S_MAX)
    assert login.returncode == 0, told.read_text()
    assert b"Authorised: " in out
    assert re.search(rb"\((299|300) days\)", out)
    [row] = [row for row in premises.json("auth", "status", expect=4) if row["channel"] == "shopee"]
    assert (row["authorised"], row["ending"]) == (True, False)
    assert row["days_left"] in (299, 300)


def test_a_consent_that_ends_soon_is_warned_of(premises: Premises) -> None:
    for slug in ("shopee", "lazada"):
        grant = premises.shops[slug].first_grant()
        assert grant is not None
        (premises.folder / f"{slug}.json").write_bytes(grant)
        premises.run("auth", "import", slug, str(premises.folder / f"{slug}.json"))
    assert "authorise it before" not in premises.run("auth", "status")
    answer = premises.json("sync", "health")
    assert [row["channel"] for row in answer["results"]] == ["shopee", "lazada", "toko", "biteship"]
    assert {row["channel"]: row["counts"] for row in answer["results"]}["lazada"] == {"authorisation_ending": 1}
    out = premises.run("auth", "status")
    assert re.search(r"lazada ends in 1[34] days; authorise it before: sellersync auth login lazada", out)
    assert "shopee ends" not in out
    report = premises.run("report")
    assert "sellersync auth login lazada" in report
    assert "sellersync sync health --channel biteship" in report
    premises.run("sync", "health", "--channel", "biteship")
    premises.run("sync", "health", "--channel", "nowhere", expect=2)
