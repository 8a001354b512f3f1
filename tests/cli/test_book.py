"""Orders, stock, listings and the ledger at the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Desk

from sellersync.store import work


def sku(desk: Desk, code: str) -> dict[str, Any]:
    [row] = desk.json("stock", "show", code)
    return dict(row)


# ---------------------------------------------------------------------------------------------------------------------------- stock


def test_a_receipt_an_adjustment_and_their_history(desk: Desk) -> None:
    out, _ = desk.run("stock", "receive", "KOPI", "10", "--note", "SJ-17")
    assert "8 available, 2 reserved in main" in out
    assert "never counted" in out
    out, _ = desk.run("stock", "adjust", "KOPI", "-3", "--reason", "fell down")
    assert "5 available" in out
    desk.run("stock", "adjust", "KOPI", "+1", "--reason", "found one")
    assert sku(desk, "KOPI")["available"] == 6
    assert sku(desk, "KOPI")["on_hand"] == 8
    history = desk.json("stock", "history", "KOPI")
    assert [(row["quantity"], row["change"], row["cause"]) for row in history] == [
        (1, 1, "adjustment: found one"),
        (3, -3, "adjustment: fell down"),
        (10, 10, "receipt: SJ-17"),
        (2, 0, "order INV-901 on toko"),
    ]
    assert len(desk.json("stock", "history", "KOPI", "--limit", "2")) == 2


def test_a_count_shows_the_difference_first_and_asks(desk: Desk) -> None:
    out, err = desk.run("stock", "count", "KOPI", "12", expect=2)
    assert out.splitlines()[1].split() == ["KOPI", "main", "0", "12", "+12"]
    assert "--yes" in err
    assert sku(desk, "KOPI")["counted_at"] is None
    answer = desk.json("stock", "count", "KOPI", "12", "--yes")
    assert answer["rows"] == [{"sku": "KOPI", "warehouse": "main", "expected": 0, "counted": 12, "difference": 12}]
    row = sku(desk, "KOPI")
    assert (row["available"], row["reserved"], row["on_hand"]) == (10, 2, 12)
    assert row["counted_at"] is not None


def test_a_count_from_a_file(desk: Desk) -> None:
    desk.run("listings", "map", "toko", "12", "KOPI")
    file = desk.folder / "count.csv"
    file.write_bytes("\ufeffSKU;Counted;Warehouse\r\nKOPI;7;main\r\n\r\n".encode())
    out, _ = desk.run("stock", "count", "--file", str(file), "--yes")
    assert "Recorded 1 counts." in out
    assert sku(desk, "KOPI")["on_hand"] == 7


def test_every_bad_row_is_named_and_nothing_is_recorded(desk: Desk) -> None:
    file = desk.folder / "count.csv"
    file.write_text(
        "sku,counted,warehouse\nKOPI,7\nkopi,3\nKOPI,7\nKOPI,1.000\nKOPI,-2\nKOPI,5,atas\n,4\nKOPI,1,main,x\n"
    )
    _, err = desk.run("stock", "count", "--file", str(file), "--yes", expect=2)
    lines = err.splitlines()
    assert [int(line.split("line ")[1].split(":")[0]) for line in lines[:-1]] == [3, 4, 5, 6, 7, 8, 9]
    assert "did you mean KOPI" in lines[0]
    assert lines[-1].startswith("Nothing was recorded")
    assert sku(desk, "KOPI")["counted_at"] is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("code,number\nKOPI,1\n", "line 1"),
        ("sku,counted\n", "holds no count"),
        ("", "line 1"),
    ],
)
def test_a_file_that_is_no_count(desk: Desk, text: str, says: str) -> None:
    file = desk.folder / "count.csv"
    file.write_text(text)
    assert says in desk.run("stock", "count", "--file", str(file), "--yes", expect=2)[1]


def test_a_count_at_an_earlier_moment(desk: Desk) -> None:
    """Units that came in after the counted moment are no difference."""
    desk.run("stock", "count", "KOPI", "5", "--yes", "--at", "2026-03-02T09:00")  # 02:00 UTC, before the order
    desk.run("stock", "receive", "KOPI", "10")
    answer = desk.json("stock", "count", "KOPI", "5", "--yes", "--at", "2026-03-02T09:30")
    assert answer["rows"][0]["difference"] == 0
    assert sku(desk, "KOPI")["on_hand"] == 15
    for wrong in ("noon", "25:00", "2999-01-01T00:00"):
        desk.run("stock", "count", "KOPI", "5", "--yes", "--at", wrong, expect=2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("receive", "TEH", "1"), "no SKU 'TEH'"),
        (("receive", "KOPI", "0"), "positive quantity"),
        (("receive", "KOPI", "1", "--warehouse", "atas"), "there are: main"),
        (("adjust", "KOPI", "-1"), "--reason"),
        (("adjust", "KOPI", "1", "--reason", "x"), "with its sign"),
        (("adjust", "KOPI", "+0", "--reason", "x"), "changes nothing"),
        (("count",), "count one SKU"),
        (("count", "KOPI"), "count one SKU"),
        (("count", "KOPI", "1", "--file", "x.csv"), "count one SKU"),
        (("count", "--file", "gone.csv"), "cannot be read"),
        (("history", "TEH"), "no SKU 'TEH'"),
        (("show", "TEH"), "no SKU 'TEH'"),
        (("agree-zero", "nowhere"), "there are: toko"),
    ],
)
def test_bad_input_is_a_sentence(desk: Desk, words: tuple[str, ...], says: str) -> None:
    out, err = desk.run("stock", *words, expect=2)
    assert says in err
    assert "Traceback" not in out + err
    assert desk.json("stock", "history", "KOPI")[0]["reason"] == "ordered"  # nothing has moved since


def test_short_lists_what_was_sold_beyond_the_shelf(desk: Desk) -> None:
    assert [row["available"] for row in desk.json("stock", "show", "--short")] == [-2]
    desk.run("stock", "receive", "KOPI", "2")
    assert desk.json("stock", "show", "--short") == []
    assert desk.run("stock", "show", "--short")[0] == "Nothing is short.\n"


# ------------------------------------------------------------------------------------------------------------------------- listings


def test_mapping_resolves_the_waiting_orders(desk: Desk) -> None:
    [row] = desk.json("listings", "unmapped")
    assert (row["remote_key"], row["orders_waiting"]) == ("12", 1)
    answer = desk.json("listings", "map", "toko", "12", "KOPI=3")
    assert answer["orders_resolved"] == 1
    assert sku(desk, "KOPI")["reserved"] == 5
    assert desk.run("listings", "unmapped")[0] == "Every listing is mapped.\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("toko", "12", "KOPI=0"), "at least 1"),
        (("toko", "12", "KOPI=two"), "SKU=QUANTITY"),
        (("toko", "12", "KOPI", "KOPI=2"), "named twice"),
        (("toko", "12", "TEH"), "no SKU 'TEH'"),
        (("toko", "99", "KOPI"), "no listing '99'"),
        (("nowhere", "12", "KOPI"), "there are: toko"),
    ],
)
def test_a_bad_recipe_is_a_sentence(desk: Desk, words: tuple[str, ...], says: str) -> None:
    assert says in desk.run("listings", "map", *words, expect=2)[1]


# --------------------------------------------------------------------------------------------------------------------------- orders


def test_orders_are_listed_and_filtered(desk: Desk) -> None:
    [row] = desk.json("orders", "list")
    assert (row["remote_id"], row["units"], row["total"], row["parked"]) == ("901", 3, 170_000, True)
    assert desk.json("orders", "list", "--day", "2026-03-02") == [row]  # 10:00 in Jakarta
    assert desk.json("orders", "list", "--day", "2026-03-01") == []
    assert desk.json("orders", "list", "--state", "shipped") == []
    assert desk.json("orders", "list", "--channel", "toko", "--state", "ready", "--limit", "1") == [row]
    assert "Rp 170.000" in desk.run("orders", "list")[0]
    for words in (("--state", "lost"), ("--channel", "nowhere"), ("--day", "1.3."), ("--limit", "0")):
        desk.run("orders", "list", *words, expect=2)


@pytest.mark.parametrize("name", ["901", "INV-901"])
def test_an_order_shows_everything_and_no_buyer(desk: Desk, name: str) -> None:
    out, _ = desk.run("orders", "show", name)
    assert "S*** R***, ***766, Bandung" in out
    for private in ("Siti", "Rahmawati", "0812", "Melati"):
        assert private not in out
    assert "UNMAPPED" in out
    [order] = desk.json("orders", "show", name)
    assert [line["made_of"] for line in order["lines"]] == [{"KOPI": 1}, {}]
    assert order["positions"] == [{"sku": "KOPI", "warehouse": "main", "reserved": 2, "shipped": 0}]
    assert [(row["source"], row["destination"], row["quantity"]) for row in order["movements"]] == [
        ("available", "reserved", 2)
    ]


def test_an_order_that_is_not_there(desk: Desk) -> None:
    assert "sellersync sync pull" in desk.run("orders", "show", "902", expect=2)[1]


def test_a_channel_is_accepted_only_after_it_was_pulled(desk: Desk) -> None:
    assert "never pulled" in desk.run("orders", "accept", "toko", expect=2)[1]
    ledger = desk.ledger()
    ledger.write_now(lambda session: work.note_ok(session, 1, now_ms=ledger.now_ms(), pulled=True))
    ledger.close()
    assert desk.json("orders", "accept", "toko") == {"channel": "toko", "was_accepted": False}
    assert desk.json("orders", "accept", "toko")["was_accepted"] is True


# ----------------------------------------------------------------------------------------------------------------- ledger, status, sync


def test_verify_notices_a_changed_movement(desk: Desk) -> None:
    desk.run("sync", "seal")
    assert desk.json("ledger", "verify")["ok"] is True
    desk.change("UPDATE movement SET quantity = 1 WHERE id = 1")
    out, _ = desk.run("ledger", "verify", expect=1)
    assert "does NOT prove itself" in out
    assert desk.json("ledger", "verify", expect=1)["problems"]


def test_status_says_what_is_open(desk: Desk) -> None:
    status = desk.json("status", expect=1)
    assert (status["daemon"], status["skus"], status["counted"], status["short"]) == ("", 1, 0, 1)
    [channel] = status["channels"]
    assert channel["findings"] == {"unmapped_listing": 1}
    assert (channel["listings"], channel["unmapped"], channel["uncounted"], channel["parcels_waiting"]) == (2, 1, 2, 1)
    out, _ = desk.run("status", expect=1)
    assert "NOT running" in out
    assert "1 of 2 listings are unmapped" in out


def test_status_counts_levels_that_were_not_sent(desk: Desk) -> None:
    desk.run("stock", "count", "KOPI", "12", "--yes")
    [channel] = desk.json("status", expect=1)["channels"]
    assert (channel["unsent"], channel["uncounted"]) == (1, 1)
    assert channel["unsent_since"] is not None


def test_status_asks_for_authorisation_with_its_own_code(desk: Desk) -> None:
    ledger = desk.ledger()
    ledger.write_now(
        lambda session: work.note_trouble(session, 1, "dead", now_ms=ledger.now_ms(), needs_authorisation=True)
    )
    ledger.close()
    assert desk.json("status", expect=4)["channels"][0]["state"]["state"] == "needs_authorisation"


def test_sync_says_what_is_wrong_with_a_channel(desk: Desk) -> None:
    answer = desk.json("sync", "pull", expect=3)
    [row] = answer["results"]
    assert (row["channel"], row["outcome"], answer["ok"]) == ("toko", "temporary", False)
    assert "no connection" in row["error"]
    assert "there are: toko" in desk.run("sync", "--channel", "nowhere", expect=2)[1]


def test_sync_gives_up_waiting_for_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = desk.ledger()
    ledger.write_now(
        lambda session: work.take_lease(session, "pull_orders:1", "other:1", now_ms=ledger.now_ms(), ttl_ms=60_000)
    )
    ledger.close()
    monkeypatch.setattr("sellersync.cli.sync.TURN_S_MAX", 0.3)
    [row] = desk.json("sync", "pull", expect=75)["results"]
    assert row["outcome"] == "held"
    assert "other:1" in row["error"]


def test_a_push_before_the_first_walk_is_not_yet(desk: Desk) -> None:
    [row] = desk.json("sync", "push")["results"]
    assert row["outcome"] == "not yet"


def test_static_keys_need_no_login(desk: Desk) -> None:
    _, err = desk.run("auth", "login", "toko", expect=2)
    assert "static keys" in err
    assert "toko.consumer_key and toko.consumer_secret" in err
    assert "README of sellersync_woocommerce" in err
    assert "there are: toko" in desk.run("auth", "login", "nowhere", expect=2)[1]
    assert desk.json("auth", "status")[0]["static_keys"] is True
    desk.run("auth", "import", "toko", expect=2)
    desk.run("auth", "import", "toko", "gone.json", expect=2)


def test_the_report_in_its_three_forms(desk: Desk, tmp_path: Path) -> None:
    html = tmp_path / "report.html"
    out, _ = desk.run("report", "--date", "2026-03-02", "--html", str(html))
    assert "Daily report" in out
    assert "<html" in html.read_text("utf-8")
    assert desk.json("report", "--date", "2026-03-02", "--lang", "id")["version"] >= 1
    for words in (
        ("--date", "yesteryear"),
        ("--date", "2999-01-01"),
        ("--html", "/nonexistent/x.html"),
        ("--lang", "fr"),
    ):
        desk.run("report", *words, expect=2)
