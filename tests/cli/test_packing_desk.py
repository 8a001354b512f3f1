"""The packing desk at the command line: bins, pick list, labels, pack check, manifest and hand-over of an own-site order."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import PLACED, Desk

from sellersync.domain.orders import Buyer, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import bookings, orders, work
from sellersync.store.reads_bookings import bookable_parcels

PLACE = {
    "name": "Siti Rahmawati",
    "phone": "081299887766",
    "address": "Jalan Melati 4",
    "postal_code": "40115",
    "city": "Bandung",
}
REQUEST = {
    "request": {
        "sender": {**PLACE, "name": "Toko Uji"}, "recipient": PLACE, "company": "jne", "service": "reg", "handover": "pickup",
        "items": [{"name": "Kopi", "sku": "KOPI", "quantity": 2, "value": 85_000, "weight_g": 250}], "cod_amount": None,
    }
}  # fmt: skip


def order(remote_id: str, state: OrderState, stage: UnitStage = UnitStage.OPEN, *, minute: int = 1) -> Order:
    """Two KOPI and one bundle of three KOPI and a TEH."""
    return Order(
        remote_id=remote_id, number=f"INV-{remote_id}", state=state, remote_status=state.value, created_at=PLACED,
        updated_at=PLACED.replace(minute=minute), paid_at=PLACED, total=170_000,
        lines=(
            OrderLine("1", "11", (Unit(stage, 2),), target="11", seller_sku="KOPI", title="Kopi Gayo"),
            OrderLine("2", "12", (Unit(stage, 1),), target="12", title="Paket hemat"),
        ),
        buyer=Buyer(name="Siti Rahmawati", phone="081299887766", address="Jalan Melati 4", city="Bandung"),
    )  # fmt: skip


def record(desk: Desk, *versions: Order) -> None:
    ledger = desk.ledger()

    def write(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        rules = work.rules_of(session, channel.id, frozenset())
        orders.record_orders(
            session, rules, versions, read_started_at=PLACED, now_ms=ledger.now_ms(), vault=ledger.vault
        )

    ledger.write_now(write)
    ledger.close()


def book(desk: Desk, waybill: str = "8800123456789{n:02d}") -> None:
    """Every parcel that may be booked is, with a waybill (or without one)."""
    ledger = desk.ledger()

    def write(session: Any) -> None:
        now_ms = ledger.now_ms()
        courier = work.ensure_channel(
            session,
            provider="biteship",
            remote_shop_id="b",
            slug="biteship",
            kind="courier",
            warehouse_id=None,
            now_ms=now_ms,
        )
        for number, found in enumerate(bookable_parcels(session, 1, now_ms=now_ms, limit=9), start=1):
            claim = bookings.open_claim(
                session, parcel_id=found.parcel_id, attempt=1, reference=f"R-{found.parcel_id}", step="book", owner="test",
                request=REQUEST, not_before_settle_ms=0, now_ms=now_ms, vault=ledger.vault, courier_channel_id=courier,
            )  # fmt: skip
            remote = RemoteParcel(
                f"BK{found.parcel_id}", (found.order_remote_id,), ParcelState.BOOKED, "confirmed",
                waybill=waybill.format(n=number), courier="jne",
            )  # fmt: skip
            bookings.settle_booked(session, claim, remote, now_ms=now_ms, facts=bookings.CourierFacts(service="reg"))

    ledger.write_now(write)
    ledger.close()


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """Three paid orders, all booked; KOPI and TEH are counted."""
    ledger = desk.ledger()
    from sellersync.store.stock import ensure_sku

    ledger.write_now(lambda session: ensure_sku(session, "TEH", now_ms=ledger.now_ms()))
    ledger.close()
    desk.run("listings", "map", "toko", "12", "KOPI=3", "TEH=1")
    record(desk, order("902", OrderState.READY), order("903", OrderState.READY))
    book(desk)
    desk.capsys.readouterr()
    return desk


@pytest.fixture
def scan(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A scanner that types these lines into the next command."""

    def typed(*codes: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{code}\n" for code in codes)))

    return typed


# -------------------------------------------------------------------------------------------------------------------- bins and picking


def test_bins_by_hand_and_by_file(shop: Desk, tmp_path: Path) -> None:
    assert shop.run("stock", "bins", "list")[0] == "No bin yet: sellersync stock bins set SKU BIN\n"
    assert shop.run("stock", "bins", "set", "KOPI", "a-10")[0] == "KOPI lies in A-10.\n"
    file = tmp_path / "bins.csv"
    shop.run("stock", "bins", "export", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))
    assert [(row["sku"], row["bin"], row["warehouse"]) for row in rows] == [
        ("KOPI", "A-10", "main"),
        ("TEH", "", "main"),
    ]
    file.write_text(file.read_text("utf-8-sig").replace("TEH,,", "TEH,A-2,"))
    assert shop.run("stock", "bins", "import", str(file))[0] == "Recorded 2 bins.\n"
    assert [row["sku"] for row in shop.json("stock", "bins", "list")] == ["TEH", "KOPI"]
    file.write_text("sku;bin\nKOPI;B-1\nGHOST;B-2\nTEH;" + "x" * 30 + "\nKOPI;B-3\n")
    _, err = shop.run("stock", "bins", "import", str(file), expect=2)
    assert [part in err for part in ("line 3", "line 4", "line 5", "line 2:")] == [True, True, True, False]
    assert [row["bin"] for row in shop.json("stock", "bins", "list")] == ["A-2", "A-10"]
    assert shop.run("stock", "bins", "set", "TEH", "")[0] == "TEH has no bin any more.\n"


def test_a_pick_list_on_the_terminal_and_on_paper(shop: Desk, tmp_path: Path) -> None:
    shop.run("stock", "bins", "set", "TEH", "A-2")
    out, _ = shop.run("parcels", "pick")
    assert "Pick 18 units for 3 parcels" in out
    assert [(row["bin"], row["sku"], row["quantity"]) for row in shop.json("parcels", "pick")["rows"]] == [
        ("A-2", "TEH", 3),
        ("", "KOPI", 15),
    ]
    assert "5 x KOPI" in out
    for name in ("list.pdf", "list.csv"):
        shop.run("parcels", "pick", "--out", str(tmp_path / name))
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "list.pdf").read_bytes().startswith(b"%PDF-")
    assert "main,A-2,TEH,,3,3" in (tmp_path / "list.csv").read_text("utf-8-sig")
    assert "ends in .pdf or .csv" in shop.run("parcels", "pick", "--out", "x.txt", expect=2)[1]
    assert shop.run("parcels", "pick", "--courier", "lion") == ("Nothing to pick.\n", "")
    assert shop.json("parcels", "pick", "--due", "2031-01-01")["rows"] == []
    assert len(shop.json("parcels", "pick", "--due", "today")["parcels"]) == 3  # late ones too
    record(shop, order("902", OrderState.CANCEL_REQUESTED, minute=5))
    assert len(shop.json("parcels", "pick")["parcels"]) == 2


# -------------------------------------------------------------------------------------------------------------------------------- labels


def test_labels_are_printed_once_and_again_only_when_asked(shop: Desk) -> None:
    record(shop, order("904", OrderState.READY))
    book(shop, waybill="")
    out, err = shop.run("parcels", "labels")
    [file] = (shop.folder / "state" / "labels").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in out
    assert "the courier has given no waybill yet" in out
    assert "Siti" not in out + err
    again = shop.json("parcels", "labels")
    assert (again["files"], again["printed_before"]) == ([], 3)
    reprint = shop.json("parcels", "labels", "--reprint", "INV-902", "--out", str(shop.folder / "again"))
    assert [sheet["parcels"] for sheet in reprint["files"]] == [1]
    _, err = shop.run("parcels", "labels", "--reprint", "904", expect=2)
    assert err == "nothing was printed: INV-904: the courier has given no waybill yet\n"
    assert "no parcel of 'X'" in shop.run("parcels", "labels", "--reprint", "X", expect=2)[1]
    record(shop, order("902", OrderState.CANCELLED, UnitStage.CANCELLED, minute=9))
    assert "do not ship" in shop.run("parcels", "labels", "--reprint", "902", expect=2)[1]


def test_two_people_do_not_print_the_same_labels(shop: Desk) -> None:
    ledger = shop.ledger()

    def lease(until_ms: int) -> Any:
        return lambda session: work.take_lease(session, "print_labels", "ani", now_ms=until_ms - 9_000, ttl_ms=9_000)

    ledger.write_now(lease(ledger.now_ms() + 9_000))
    _, err = shop.run("parcels", "labels", expect=75)
    assert "ani" in err
    assert not (shop.folder / "state" / "labels").exists()
    shop.run("parcels", "labels", "--reprint", "902")
    shop.change("UPDATE lease SET until_ms = 1")
    ledger.close()
    assert sum(sheet["parcels"] for sheet in shop.json("parcels", "labels")["files"]) == 2
    assert shop.json("parcels", "labels")["printed_before"] == 3


def test_old_labels_are_purged(shop: Desk) -> None:
    shop.run("parcels", "labels")
    assert shop.json("parcels", "labels", "--purge") == {"labels": 0, "files": 0}
    shop.change("UPDATE parcel SET delivered_ms = 1, state = 'delivered' WHERE order_id = 1")
    assert shop.run("parcels", "labels", "--purge")[0] == "Deleted 1 stored labels and 0 files.\n"


# ---------------------------------------------------------------------------------------------------------------------------- pack check


def test_a_parcel_is_packed_scan_by_scan(shop: Desk, scan: Any) -> None:
    shop.change("UPDATE sku SET barcode = '8991002' WHERE code = 'TEH'")
    scan("INV-901", "kopi", "KOPI", "8991002", "GHOST", "TEH", "KOPI", "KOPI", "KOPI", "INV-902")
    out, _ = shop.run("parcels", "pack", expect=1)
    lines = out.splitlines()
    assert lines[:3] == ["INV-901 (JNE): 6 units, 2 SKUs.", "  5 x KOPI  Kopi Gayo", "  1 x TEH"]
    assert lines[3:6] == ["OK  KOPI: 1 of 5", "OK  KOPI: 2 of 5", "OK  TEH: 1 of 1"]
    assert lines[6] == "Not known: GHOST. It is no goods, no order and no waybill."
    assert lines[7] == "ONE TOO MANY: 1 of TEH are enough."
    assert lines[11] == "DONE  INV-901 is complete."
    assert lines[-1] == "NOT COMPLETE  INV-902: missing 5 x KOPI, 1 x TEH."
    [head] = [one for one in shop.json("parcels", "list") if one["number"] == "INV-901"]
    assert head["packed"] is True
    assert len(shop.json("parcels", "pick")["parcels"]) == 2
    scan()
    assert "was packed" in shop.run("parcels", "pack", "901")[0]


def test_wrong_goods_and_other_parcels_are_said_at_once(shop: Desk, scan: Any) -> None:
    ledger = shop.ledger()
    from sellersync.store.stock import ensure_sku

    ledger.write_now(lambda session: ensure_sku(session, "GULA", now_ms=ledger.now_ms()))
    ledger.close()
    scan("GULA", "INV-902", "901", "901", "BATAL")
    answer = shop.json("parcels", "pack", "INV-901", expect=1)
    assert answer["unknown"] == []
    assert answer["parcels"] == [
        {
            "parcel": "INV-901",
            "result": "put_aside",
            "why": "",
            "scanned": 1,
            "wrong": 1,
            "missing": {"KOPI": 5, "TEH": 1},
        }
    ]
    scan("GULA", "INV-902", "901")
    out, _ = shop.run("parcels", "pack", "INV-901", expect=1)
    assert "WRONG ITEM: GULA does not belong into parcel INV-901." in out
    assert "Parcel INV-901 is not finished, missing 5 x KOPI, 1 x TEH." in out


@pytest.mark.parametrize(
    ("state", "stage", "said"),
    [
        (OrderState.CANCELLED, UnitStage.CANCELLED, "DO NOT SHIP: ORDER INV-901 IS CANCELLED."),
        (OrderState.CANCEL_REQUESTED, UnitStage.OPEN, "DO NOT SHIP: THE BUYER OF INV-901 ASKS FOR A CANCELLATION."),
    ],
)
def test_a_cancelled_order_is_not_packed(shop: Desk, scan: Any, state: OrderState, stage: UnitStage, said: str) -> None:
    record(shop, order("901", state, stage, minute=9))
    scan("880012345678901", "KOPI")
    out, _ = shop.run("parcels", "pack", expect=1)
    assert out.splitlines()[0] == said
    assert "OK" not in out


def test_a_parcel_whose_order_shrinks_after_it_was_packed_is_opened_again(shop: Desk, scan: Any) -> None:
    """Its goods are for sale again: they must not leave in it."""
    scan("INV-901", *["KOPI"] * 5, "TEH")
    shop.run("parcels", "pack")
    less = order("901", OrderState.READY, minute=9)
    fewer = replace(less.lines[0], units=(Unit(UnitStage.CANCELLED, 1), Unit(UnitStage.OPEN, 1)))
    record(shop, replace(less, lines=(fewer, less.lines[1])))
    assert "CHANGED since it was packed" in shop.run("parcels", "list")[0]
    assert "pack it again" in shop.run("parcels", "manifest", "--courier", "jne")[1]
    scan("INV-901", *["KOPI"] * 4, "TEH")
    lines = shop.run("parcels", "pack")[0].splitlines()
    assert lines[0].startswith("OPEN IT AGAIN: ORDER INV-901 CHANGED AFTER IT WAS PACKED (in it: 5 x KOPI, 1 x TEH).")
    assert lines[-1] == "DONE  INV-901 is complete."
    assert "CHANGED" not in shop.run("parcels", "list")[0]
    shop.run("parcels", "handover", "1", "--void")
    assert shop.json("parcels", "manifest", "--courier", "jne")["left_out"] == []


def test_a_packed_parcel_on_a_manifest_does_not_leave_after_its_order_changed(shop: Desk, scan: Any) -> None:
    scan("INV-901", *["KOPI"] * 5, "TEH")
    shop.run("parcels", "pack")
    shop.run("parcels", "manifest", "--courier", "jne", "--packed")
    less = order("901", OrderState.READY, minute=9)
    record(shop, replace(less, lines=(replace(less.lines[0], units=(Unit(UnitStage.CANCELLED, 2),)), less.lines[1])))
    assert "INV-901 (its order changed after it was packed" in shop.run("parcels", "handover", "1", expect=2)[1]


def test_what_its_channel_counts_as_shipped_is_not_packed(shop: Desk, scan: Any) -> None:
    record(shop, order("902", OrderState.COMPLETED, UnitStage.LEFT, minute=9))
    scan("INV-902")
    assert "counts as shipped already" in shop.run("parcels", "pack", expect=1)[0]


def test_an_order_without_a_parcel_is_told_from_a_strange_code(shop: Desk, scan: Any) -> None:
    record(shop, order("905", OrderState.UNPAID), order("906", OrderState.CANCELLED, UnitStage.CANCELLED))
    scan("INV-905", "INV-906", "905-X")
    out, _ = shop.run("parcels", "pack", expect=1)
    assert out.splitlines() == [
        "INV-905 has no parcel: it is not paid, is still held, or is over. See: sellersync parcels list",
        "DO NOT SHIP: ORDER INV-906 IS CANCELLED.",
        "Not known: 905-X. It is no goods, no order and no waybill.",
    ]


def test_the_desk_speaks_indonesian(shop: Desk, scan: Any) -> None:
    shop.config.write_text(shop.config.read_text().replace('language = "en"', 'language = "id"'))
    scan("INV-901", *["KOPI"] * 5, "TEH")
    assert shop.run("parcels", "pack")[0].splitlines()[-1] == "SELESAI  INV-901 lengkap."


# ------------------------------------------------------------------------------------------------------------- manifest and hand-over


def test_parcels_go_onto_a_manifest_and_out_of_the_house(shop: Desk) -> None:
    out, _ = shop.run("parcels", "manifest", "--courier", "jne")
    assert out.splitlines()[0] == "Manifest 1 for JNE: 3 parcels."
    files = sorted((shop.folder / "state" / "labels").glob("manifest-1-jne.*"))
    assert [(file.suffix, file.stat().st_mode & 0o777) for file in files] == [(".csv", 0o600), (".pdf", 0o600)]
    rows = list(csv.DictReader(io.StringIO(files[0].read_text("utf-8-sig"))))
    assert [(row["order"], row["waybill"][:4], row["cod"]) for row in rows] == [
        (f"INV-90{n}", "8800", "") for n in (1, 2, 3)
    ]
    assert "on manifest 1" in shop.run("parcels", "manifest", "--courier", "jne", expect=2)[1]
    _, err = shop.run("parcels", "manifest", "--courier", "lion", expect=2)
    assert err == "no parcel of 'lion' is ready for a manifest; on the desk lie those of: JNE (3)\n"
    record(shop, order("902", OrderState.CANCELLED, UnitStage.CANCELLED, minute=9))
    assert "INV-902 (cancelled)" in shop.run("parcels", "handover", "1", expect=2)[1]
    assert "no parcel of '999'" in shop.run("parcels", "handover", "1", "--without", "999", expect=2)[1]
    answer = shop.json("parcels", "handover", "M-1", "--without", "INV-902", "--note", "Pak Budi")
    assert answer == {"manifest_id": 1, "parcels": 2, "before": 0}
    stock = {row["sku"]: row for row in shop.json("stock", "show")}
    assert (stock["KOPI"]["reserved"], stock["TEH"]["reserved"]) == (0, 0)
    [head] = shop.json("parcels", "manifests")
    assert (head["parcels"], head["note"], head["handed_at"] is not None) == (2, "Pak Budi", True)
    shown = shop.json("parcels", "manifests", "1", "--out", str(shop.folder / "again"))
    assert [(row["parcel"], row["left"]) for row in shown["parcels"]] == [("INV-901", True), ("INV-903", True)]
    assert len(shown["files"]) == 2
    assert "confirmed before" in shop.run("parcels", "handover", "1", expect=2)[1]
    shop.run("ledger", "verify")


def test_a_manifest_may_be_withdrawn(shop: Desk, scan: Any) -> None:
    scan("INV-901", *["KOPI"] * 5, "TEH")
    shop.run("parcels", "pack")
    assert shop.json("parcels", "manifest", "--courier", "JNE", "--packed")["manifest"]["parcels"] == 1
    assert shop.run("parcels", "handover", "1", "--void")[0].startswith("Manifest 1 is withdrawn; 1 parcel free")
    assert shop.json("parcels", "manifests") == []
    assert "no manifest 1" in shop.run("parcels", "handover", "1", expect=2)[1]
    assert "number of a manifest" in shop.run("parcels", "handover", "satu", expect=2)[1]
    shop.run("parcels", "manifest", "--courier", "jne")
    assert "future" in shop.run("parcels", "handover", "2", "--at", "2099-01-01T10:00", expect=2)[1]
    assert "HH:MM" in shop.run("parcels", "handover", "2", "--at", "kemarin", expect=2)[1]
