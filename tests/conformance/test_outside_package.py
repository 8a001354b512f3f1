"""A stranger's package, installed with pip into a directory of its own, is found, certified and run; this tree is not touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300

DAY = '''
import subprocess, sys, time
from pathlib import Path
from random import Random
from sellersync.connector.registry import simulator_class
from sellersync.sandbox.mount import Mounted

def sellersync(*words):
    subprocess.run([sys.executable, "-m", "sellersync", *words], check=True)

shop = simulator_class("bukapasar")(clock=time.time, rng=Random(1))
coffee = shop.add_product("KOPI-250", "Kopi", price=58_000, stock=3)
with Mounted(shop) as mount:
    Path("credentials").mkdir()
    Path("credentials/toko.api_key").write_text(shop.api_key)
    Path("sellersync.toml").write_text(f"""
secrets_dir = "credentials"
shop = {{ name = "Toko" }}
ledger = {{ url = "sqlite:///ledger.db", state_dir = "state" }}
sender = {{ name = "Sari", phone = "081234567890", address = "Jalan Braga 12", postal_code = "40111" }}
[channels.toko]
provider = "bukapasar"
remote_shop_id = "S-1"
base_url = "{mount.base_url}"
""")
    sellersync("init")
    sellersync("listings", "pull", "--adopt")
    sellersync("stock", "count", "KOPI-250", "12", "--yes")
    order = shop.place_order([(coffee.remote_key, 2)])
    sellersync("sync")
    print("arranged", len(shop.arranged_parcels()), "shown", shop.shown(coffee.remote_key))
'''


def test_an_outside_package_is_found_certified_and_run(tmp_path: Path) -> None:
    site = tmp_path / "site"
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("SELLERSYNC", "PYTEST"))}
    environ["PYTHONPATH"] = str(site)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    run("-m", "sellersync", "connectors", "new", "bukapasar", "--kind", "channel")
    quiet = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    run("-m", "pip", "install", *quiet, "--target", str(site), str(tmp_path / "sellersync-bukapasar"))
    assert (site / "sellersync_bukapasar" / "py.typed").exists()

    listed = {row["provider"]: row for row in json.loads(run("-m", "sellersync", "--json", "connectors", "list"))}
    assert listed["bukapasar"]["kind"] == "channel"
    assert listed["shopee"]["kind"] == "channel"

    certified = json.loads(
        run("-m", "sellersync", "--json", "connectors", "certify", "bukapasar", "--out", str(tmp_path / "results"))
    )
    assert certified["failed"] == 0
    assert certified["passed"] > 50
    [result] = (tmp_path / "results").glob("bukapasar-*.json")
    assert json.loads(result.read_text())["provider"] == "bukapasar"

    (tmp_path / "day.py").write_text(DAY)
    assert "arranged 1 shown 10" in run("day.py")
    traces = [path for base in ("sellersync", "connectors") for path in (ROOT / base).rglob("*bukapasar*")]
    assert not traces, "this tree was touched"
