"""What to buy, how SKUs are bought and what they cost: at the command line and through files."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Desk

from sellersync.cli.purchase_list import as_csv, as_xlsx
from sellersync.domain.listings import RemoteListing, TargetKey
from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.reorder import BuyingTerms, Demand, Stock, advise
from sellersync.domain.times import day_bounds, shop_day, to_epoch_ms
from sellersync.forecast import Candidate, DemandClass, Method, SkuDemand, SkuForecast
from sellersync.store import listings, orders, stock, work

JAKARTA = ZoneInfo("Asia/Jakarta")
DAY = date(2026, 11, 21)
PLAN_HEAD = "sku,title,supplier,lead_days,cover_days,order_multiple,order_min,reorder_point,discontinued"


@pytest.fixture
def shop(fresh: Desk) -> Desk:
    """KOPI sold 4 a day for 60 days and 10 are left; TEH came 3 days ago."""
    fresh.run("init")
    ledger = fresh.ledger()
    now = ledger.clock.now()
    yesterday = shop_day(now, JAKARTA) - timedelta(days=1)
    noon = day_bounds(yesterday, JAKARTA)[0] + timedelta(hours=12)

    def fill(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        offered = [
            RemoteListing(key, sku, title, (TargetKey(key),))
            for key, sku, title in (("11", "KOPI", "Kopi Gayo"), ("12", "TEH", "=Teh"))
        ]
        listings.record_listings(session, channel.id, offered, now_ms=ledger.now_ms(), adopt_skus=True)
        warehouse = stock.find_warehouse(session, None)
        for code, count, days in (("KOPI", 254, 62), ("TEH", 7, 3)):
            entry = stock.CountEntry(stock.find_sku(session, code), warehouse, count)
            at_ms = to_epoch_ms(noon - timedelta(days=days))
            stock.record_count(session, [entry], at_ms=at_ms, now_ms=ledger.now_ms(), who="test")
        placed = [noon - timedelta(days=days) for days in range(61)]
        sold = [
            Order(
                remote_id=str(number),
                state=OrderState.READY,
                remote_status="processing",
                created_at=at,
                updated_at=at,
                paid_at=at,
                lines=(OrderLine("1", "11", (Unit(UnitStage.OPEN, 4),), target="11", seller_sku="KOPI", title="Kopi"),),
            )
            for number, at in enumerate(placed)
        ]
        rules = work.rules_of(session, channel.id, frozenset())
        orders.record_orders(session, rules, sold, read_started_at=now, now_ms=ledger.now_ms(), vault=ledger.vault)

    ledger.write_now(fill)
    ledger.close()
    fresh.capsys.readouterr()
    return fresh


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


# ------------------------------------------------------------------------------------------------------------------------- reorder


def test_what_to_buy_stands_beside_its_error_and_the_naive_forecast(shop: Desk) -> None:
    out, err = shop.run("reorder")
    head, kopi, *remarks = out.splitlines()
    assert head.split()[:3] == ["SKU", "supplier", "stock"]
    assert "4.00 ± 0.00" in kopi
    assert "four weeks" in kopi
    assert "TEH" not in kopi
    assert kopi.split()[-3:] == ["28", "74", "unknown"]  # 4 * 7; 4 * 21 - 10; no cost
    assert any("No forecast for 1 of 2 SKUs (1 new" in line for line in remarks)
    assert any("7 days are assumed" in line for line in remarks)
    assert err == ""


def test_the_same_as_json(shop: Desk) -> None:
    found = shop.json("reorder", "--all")
    kopi, teh = found["skus"]
    assert found["all_methods"] is True
    assert found["error_days"] == 56
    assert kopi["forecast"] == {"method": "four_weeks", "per_day": 4.0, "error": 0.0, "bias": 0.0}
    assert [one["method"] for one in kopi["tried"]] == ["four_weeks", "same_weekday", "theta", "damped_trend"]
    assert (kopi["quantity"], kopi["due"], kopi["cost"]) == (74, True, None)
    assert (teh["forecast"], teh["unknown_because"], teh["quantity"]) == (None, "new", None)


def test_a_plan_and_a_cost_change_the_list(shop: Desk) -> None:
    out, _ = shop.run("stock", "plan", "set", "KOPI", "--supplier", "PT Gayo", "--lead-days", "3", "--multiple", "12")
    assert "supplier PT Gayo, arrives after 3 days, for 14 (default) days" in out
    shop.run("stock", "cost", "set", "KOPI", "45000")
    shop.run("stock", "plan", "set", "TEH", "--reorder-point", "10", "--supplier", "Kebun")
    file = shop.folder / "buy.csv"
    out, _ = shop.run("reorder", "--csv", str(file))
    kebun, gayo = rows_of(file)
    assert (kebun["SKU"], kebun["Quantity"], kebun["Forecast per day"], kebun["Title"]) == ("TEH", "", "", "'=Teh")
    assert (gayo["Supplier"], gayo["Quantity"], gayo["Amount"]) == ("PT Gayo", "60", "2700000")  # 4 * 17 - 10 = 58
    assert (gayo["Forecast per day"], gayo["Mean error per day"], gayo["Lead time (days)"]) == ("4.0", "0.0", "3")
    assert "To buy: 2 SKUs, Rp 2.700.000, and 1 of unknown cost or quantity." in out
    assert "you decide" in out
    only, _ = shop.run("reorder", "--supplier", "pt gayo", "--csv", str(file))
    assert [row["SKU"] for row in rows_of(file)] == ["KOPI"]
    assert "TEH" not in only.partition("Seen at")[0]
    _, err = shop.run("reorder", "--supplier", "PT Kopi", expect=2)
    assert "Kebun, PT Gayo" in err
    shop.run("stock", "plan", "set", "KOPI", "--discontinued")
    assert "discontinued" in shop.run("reorder", "--all")[0]


def test_files_that_cannot_be_written_are_named(shop: Desk) -> None:
    for option in ("--csv", "--xlsx"):
        assert "cannot be written" in shop.run("reorder", option, str(shop.folder / "no" / "file"), expect=2)[1]


def test_a_ledger_without_skus_says_what_to_do(fresh: Desk) -> None:
    fresh.run("init")
    assert "listings pull" in fresh.run("reorder")[0]


# ------------------------------------------------------------------------------------------------------------------- purchase list


def sku(code: str, supplier: str, *, cost: int | None = 1_000, title: str = "Barang") -> SkuDemand:
    one = Candidate(Method.THETA, 2.345678, 0.5, 0.1)
    naive = Candidate(Method.FOUR_WEEKS, 2.0, 0.9, -0.3)
    forecast = SkuForecast(DemandClass.SMOOTH, 100, 0, 21, 6, (naive, one), naive, one, None)
    terms = BuyingTerms(7, 14)
    advice = advise(Demand(2.345678, 0.5, 21), Stock(3), terms)
    return SkuDemand(code, title, "899", supplier, True, Stock(3), forecast, terms, advice, 0, False, DAY, cost)


def sheets(content: bytes) -> dict[str, str]:
    """Sheet name -> its XML with shared strings put in; read with nothing but the standard library."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        shared = re.findall(r"<si><t[^>]*>(.*?)</t></si>", book.read("xl/sharedStrings.xml").decode())
        names = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        texts = [book.read(f"xl/worksheets/sheet{number}.xml").decode() for number in range(1, len(names) + 1)]
    fill = [re.sub(r't="s"><v>(\d+)</v>', lambda found: f">{shared[int(found[1])]}<", text) for text in texts]
    return dict(zip(names, fill, strict=True))


def test_the_spreadsheet_has_a_sheet_for_each_supplier() -> None:
    rows = [sku("A", ""), sku("B", "PT Gayo", title="=1+1"), sku("C", "PT Gayo"), sku("D", "pt gayo", cost=None)]
    found = sheets(as_xlsx(rows, "id", day=DAY))
    assert list(found) == ["Tanpa pemasok", "PT Gayo", "pt gayo 2"]
    assert ">Jumlah beli<" in found["PT Gayo"]
    assert ">=1+1<" in found["PT Gayo"]  # a string, not a formula
    assert "<f>" not in "".join(found.values())
    quantity = rows[1].advice.quantity
    assert quantity is not None
    assert f"<v>{2 * quantity * 1_000}</v>" in found["PT Gayo"]
    assert ">Jumlah<" in found["PT Gayo"]
    assert ">Jumlah<" not in found["pt gayo 2"]  # a total without a cost would be too low


@pytest.mark.parametrize("supplier", ["x" * 40, "CV: A/B [1]?*\\", "'quoted'", "History", "***"])
def test_every_supplier_gets_a_sheet(supplier: str) -> None:
    found = sheets(as_xlsx([sku("A", supplier), sku("B", supplier + " ")], "en", day=DAY))
    assert len(found) == 2


def test_the_same_list_gives_the_same_bytes() -> None:
    rows = [sku("A", ""), sku("B", "PT Gayo")]
    assert as_xlsx(rows, "id", day=DAY) == as_xlsx(rows, "id", day=DAY)
    assert as_csv(rows, "id") == as_csv(rows, "id")
    with zipfile.ZipFile(io.BytesIO(as_xlsx(rows, "id", day=DAY))) as book:
        assert {entry.date_time for entry in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        times = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+Z", book.read("docProps/core.xml").decode())
    assert set(times) == {"2026-11-21T00:00:00Z"}


def test_an_empty_list_is_a_file_all_the_same() -> None:
    assert ">Quantity<" in next(iter(sheets(as_xlsx([], "en", day=DAY)).values()))


# ------------------------------------------------------------------------------------------------------------------ plans and costs


def test_plans_out_to_a_spreadsheet_and_in_again(shop: Desk) -> None:
    file = shop.folder / "plans.csv"
    shop.run("stock", "plan", "set", "KOPI", "--supplier", "PT Gayo", "--lead-days", "10", "--reorder-point", "5")
    assert "2 SKUs, 1 with a plan" in shop.run("stock", "plan", "export", str(file))[0]
    assert file.read_text("utf-8-sig").splitlines() == [
        PLAN_HEAD,
        "KOPI,Kopi Gayo,PT Gayo,10,,1,0,5,",
        "TEH,'=Teh,,,,1,0,,",
    ]
    assert "Recorded 0 plans, 2 unchanged." in shop.run("stock", "plan", "import", str(file))[0]
    file.write_text(f"{PLAN_HEAD}\nKOPI,,PT Gayo,,21,12,24,,ya\n".replace(",", ";"))
    out, err = shop.run("stock", "plan", "import", str(file), expect=2)
    assert "lead_days 10 -> default" in out
    assert "--yes" in err
    shop.run("stock", "plan", "import", str(file), "--yes")
    assert shop.json("stock", "plan", "set", "KOPI") == {
        "sku": "KOPI", "supplier": "PT Gayo", "lead_days": None, "cover_days": 21, "order_multiple": 12,
        "order_min": 24, "reorder_point": None, "discontinued": True,
    }  # fmt: skip
    file.write_text("sku,lead_days\nKOPI,4\n")  # columns that are left out stay
    shop.run("stock", "plan", "import", str(file), "--yes")
    assert shop.json("stock", "plan", "set", "KOPI", "--lead-days", "default")["cover_days"] == 21


def test_every_bad_row_is_named_and_nothing_is_half_done(shop: Desk) -> None:
    file = shop.folder / "plans.csv"
    head = "sku,lead_days,order_multiple,discontinued\n"
    file.write_text(head + "TEH,5,,\nKOPL,5,,\nKOPI,1.5,,\nTEH,6,,\n,1,,\nKOPI,1,0,\nKOPI,1,1,perhaps\nKOPI,1,1,no,9\n")
    _, err = shop.run("stock", "plan", "import", str(file), "--yes", expect=2)
    for line, why in {
        3: "did you mean KOPI",
        4: "without points",
        5: "TEH stands in line 2",
        6: "the SKU is missing",
        7: "KOPI stands in line 4",
        9: "more cells than columns",
    }.items():
        assert any(f"line {line}: " in said and why in said for said in err.splitlines()), (line, err)
    assert "Nothing was recorded" in err
    assert shop.json("stock", "plan", "set", "TEH")["lead_days"] is None
    for row, why in (("KOPI,1,0,", "order_multiple is 0"), ("KOPI,1,1,perhaps", "expected is yes or no")):
        file.write_text(head + row)
        assert why in shop.run("stock", "plan", "import", str(file), "--yes", expect=2)[1]


@pytest.mark.parametrize(
    "words", [("--lead-days", "soon"), ("--lead-days", "400"), ("--multiple", "0"), ("--min", "-1")]
)
def test_plans_that_no_supplier_has(shop: Desk, words: tuple[str, str]) -> None:
    assert "whole number" in shop.run("stock", "plan", "set", "KOPI", *words, expect=2)[1]


def test_costs_by_file_are_dated(shop: Desk) -> None:
    file = shop.folder / "costs.csv"
    file.write_text("sku,cost,since\nKOPI,45000,2026-01-01\nTEH,,\n")
    assert "Recorded 1 costs, 1 unchanged." in shop.run("stock", "cost", "import", str(file), "--yes")[0]
    assert "1 without a cost" in shop.run("stock", "cost", "export", str(file))[0]
    assert file.read_text("utf-8-sig").splitlines()[1:] == ["KOPI,Kopi Gayo,45000,2026-01-01", "TEH,'=Teh,,"]
    assert "Recorded 0 costs, 2 unchanged." in shop.run("stock", "cost", "import", str(file))[0]
    file.write_text("sku,cost\nKOPI,47000\nTEH,9000\n")
    out, _ = shop.run("stock", "cost", "import", str(file), "--yes")
    assert out.splitlines()[1].split()[:5] == ["KOPI", "Rp", "45.000", "Rp", "47.000"]
    assert shop.json("reorder")["skus"][0]["cost"] == 47_000


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("KOPI,45.000,", "without points"),
        ("KOPI,-5,", "without points"),
        ("KOPI,2000000000,", "not possible"),
        ("KOPI,5,01/02/2026", "YYYY-MM-DD"),
        ("KOPI,5,2026-01-01", "never changed"),
        ("GULA,5,", "no SKU"),
    ],
)
def test_bad_costs(shop: Desk, row: str, why: str) -> None:
    shop.run("stock", "cost", "set", "KOPI", "45000", "--since", "2026-01-01")
    file = shop.folder / "costs.csv"
    file.write_text(f"sku,cost,since\nTEH,9000,\n{row}\n")
    _, err = shop.run("stock", "cost", "import", str(file), "--yes", expect=2)
    assert "line 3: " in err
    assert why in err
    assert [sku["cost"] for sku in shop.json("reorder", "--all")["skus"]] == [45_000, None]


def test_a_cost_is_set_once(shop: Desk) -> None:
    words = ("stock", "cost", "set", "KOPI", "45000", "--since", "2026-01-01")
    assert "from 2026-01-01 on." in shop.run(*words)[0]
    assert "as recorded before" in shop.run(*words)[0]
    assert "never changed" in shop.run("stock", "cost", "set", "KOPI", "1", "--since", "2026-01-01", expect=2)[1]


def test_only_this_command_loads_the_library() -> None:
    """The other commands, and the daemon with them, do without its memory."""
    heavy = ("statsforecast", "numpy", "pandas", "xlsxwriter")
    code = f"import sys, sellersync.cli, sellersync.daemon; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
