"""The real daemon tells people: an alert when a channel goes, and the report, over a real socket."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

from premises import Premises, rss_mb, until

sys.path.insert(0, str(Path(__file__).parents[1] / "notify"))

from chat_server import SECRET, HookSandbox

from sellersync.sandbox.mount import Mounted

TABLES = """
[notify.office]
kind = "webhook"
attach = ["html"]

[alerts]
to = ["office"]
kinds = ["channel_trouble"]
min_age_s = 0
every_s = 1

[report]
at = "00:00"
send_to = ["office"]
"""


def switched_on_long_ago(ledger: Path) -> None:
    """The report was to be sent since before its last due moment, as on a machine that slept over it."""
    with sqlite3.connect(ledger) as connection:
        since = json.dumps({"day file": 1, "day office": 1})
        connection.execute("INSERT INTO meta (key, value) VALUES ('report_since', ?)", (since,))
    connection.close()


def test_the_daemon_tells(tmp_path: Path) -> None:
    hook = HookSandbox()
    with Premises(tmp_path, {"site": "woocommerce"}, {}) as premises, Mounted(hook) as mounted:
        premises.open_shop()
        premises.config.write_text(premises.config.read_text() + TABLES)
        (tmp_path / "credentials" / "office.url").write_text(f"{mounted.base_url}/hook")
        (tmp_path / "credentials" / "office.secret").write_text(SECRET)
        switched_on_long_ago(tmp_path / "ledger.db")
        daemon = premises.start()
        report = until(lambda: [got for got in hook.got if got["kind"] == "report"], what="the report")[0]
        assert report["subject"].startswith("Toko Uji: Daily report")
        assert report["attachments"][0]["name"].startswith("report-20")
        assert list((tmp_path / "state" / "reports").glob("report-*.part")) == []
        premises.shops["site"].off = True
        alert = until(lambda: [got for got in hook.got if got["kind"] == "alert"], what="the alert")[0]
        assert "sellersync sync pull --channel site" in alert["text"]
        assert rss_mb(daemon) < 120
        assert premises.stop(daemon)[0] == 0
        kinds = [got["kind"] for got in hook.got]
        assert kinds.count("report") == 1
        assert kinds.count("alert") == 1
        listed = premises.json("notify", "list")
        assert {row["state"] for row in listed} == {"sent"}
        assert {row["notifier"] for row in listed} == {"file", "office"}
