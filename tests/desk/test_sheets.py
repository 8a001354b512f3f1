"""Pick lists, manifests and the rules behind them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import barcodes, pages, size_mm, words

from sellersync.desk import sheets
from sellersync.desk.text import MARK, REGULAR, cut, printable, width, wrapped
from sellersync.desk.words import LANGUAGES
from sellersync.domain.desk import (
    DeskLine,
    DeskParcel,
    DeskPart,
    ManifestHead,
    bin_key,
    parts_of,
    pick_order,
    pick_rows,
    to_pick,
)
from sellersync.domain.orders import OrderState
from sellersync.domain.packing import PackCheck, Scan
from sellersync.domain.parcels import ParcelState

JAKARTA = ZoneInfo("Asia/Jakarta")
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
SHOP: dict[str, Any] = {"shop": "Toko Kopi Gayo", "language": "id", "zone": JAKARTA}


def part(sku: str, quantity: int = 1, bin: str = "", warehouse: str = "bandung") -> DeskPart:
    return DeskPart(sku, f"Barang {sku}", "", quantity, warehouse, bin)


def parcel(number: int, *parts: DeskPart, **more: Any) -> DeskParcel:
    values: dict[str, Any] = {
        "id": number, "channel_id": 1, "channel": "shopee", "order": f"261121ORDER{number:04d}", "order_number": "", "number": 1,
        "state": ParcelState.BOOKED, "order_state": OrderState.BOOKED, "own": False, "remote_id": f"OFG{number}",
        "remote_status": "", "courier": "SPX Standard", "service": "", "waybill": f"SPXID{number:011d}A", "pickup_code": "",
        "cod": False, "cod_amount": None, "ship_by": NOW + timedelta(hours=number), "weight_g": 250, "packed_at": None,
        "packed_as": None,
        "manifest_id": None, "gone": False, "claim": "", "cancel": "",
    }  # fmt: skip
    lines = (DeskLine("Barang", "SKU", 1, tuple(parts or (part("KOPI"),))),)
    return DeskParcel(**{**values, "lines": lines, **more})


# ------------------------------------------------------------------------------------------------------------------------- the rules


def test_pickers_walk_in_the_order_of_the_numbers() -> None:
    walk = sorted(["B-1", "A-10", "", "A-2", "a-2-b", "A"], key=bin_key)
    assert walk == ["A", "A-2", "a-2-b", "A-10", "B-1", ""]


def test_parcels_come_in_the_order_of_their_first_bin() -> None:
    made = [
        parcel(1, part("X")),
        parcel(2, part("Y", bin="B-1")),
        parcel(3, part("Z", bin="A-10")),
        parcel(4, part("Z", bin="A-9")),
    ]
    assert [one.id for one in sorted(made, key=pick_order)] == [4, 3, 2, 1]


contents = st.lists(
    st.builds(
        part, st.sampled_from(["A", "B", "C"]), st.integers(1, 5), st.just(""), st.sampled_from(["bandung", "jakarta"])
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(contents, max_size=8))
def test_a_pick_list_fetches_what_the_parcels_hold_and_no_more(all_contents: list[list[DeskPart]]) -> None:
    made = [parcel(number, *parts) for number, parts in enumerate(all_contents)]
    wanted: dict[tuple[str, str], int] = {}
    for one in (one for parts in all_contents for one in parts):
        wanted[one.warehouse, one.sku] = wanted.get((one.warehouse, one.sku), 0) + one.quantity
    rows = pick_rows(made)
    assert {(row.warehouse, row.sku): row.quantity for row in rows} == wanted
    assert len(rows) == len(wanted)
    for one, parts in zip(made, all_contents, strict=True):
        assert sum(held.quantity for held in parts_of(one)) == sum(held.quantity for held in parts)


@pytest.mark.parametrize(
    ("more", "picked"),
    [
        ({}, True),
        ({"state": ParcelState.READY, "order_state": OrderState.READY}, True),
        ({"state": ParcelState.WAITING}, False),
        ({"order_state": OrderState.CANCEL_REQUESTED}, False),
        ({"order_state": OrderState.HELD}, False),
        ({"cancel": "pending"}, False),
        ({"cancel": "refused"}, True),
        ({"packed_at": NOW}, False),
        ({"gone": True}, False),
        ({"lines": (DeskLine("?", "", 1, ()),)}, False),
    ],
)
def test_what_may_be_fetched(more: dict[str, Any], picked: bool) -> None:
    assert to_pick(parcel(1, **more)) is picked


@given(
    st.dictionaries(st.sampled_from("ABC"), st.integers(1, 4), min_size=1),
    st.lists(st.sampled_from("ABCD"), max_size=20),
)
def test_the_pack_check_counts_what_fits_and_nothing_else(wanted: dict[str, int], scans: list[str]) -> None:
    check = PackCheck(wanted)
    counted: dict[str, int] = {}
    for sku in scans:
        said = check.scan(sku)
        room = counted.get(sku, 0) < wanted.get(sku, 0)
        assert said is (Scan.OK if room else Scan.TOO_MANY if sku in wanted else Scan.WRONG)
        counted[sku] = counted.get(sku, 0) + room
    assert check.missing == {
        sku: count - counted.get(sku, 0) for sku, count in wanted.items() if count > counted.get(sku, 0)
    }
    assert check.complete is (not check.missing)


# -------------------------------------------------------------------------------------------------------------------------- the paper


def test_a_pick_list_shows_every_bin_and_then_every_parcel() -> None:
    made = [
        parcel(n, part(f"SKU-{n % 40:02d}", n % 3 + 1, f"A-{n % 7}"), part("GULA & TEH <5>", 1)) for n in range(1, 61)
    ]
    rows = pick_rows(made)
    pdf = sheets.pick_list(rows, sorted(made, key=pick_order), now=NOW, **SHOP)
    said = " ".join(words(pdf, page) for page in range(pages(pdf)))
    assert size_mm(pdf) == (210.0, 297.0)
    for row in rows:
        assert row.sku in said, row
    for one in made:
        assert one.order in said
        assert one.waybill in said
    assert "Gudang bandung" in said
    assert "GULA & TEH <5>" in said
    assert f"60 paket, {sum(row.quantity for row in rows)} unit" in said
    assert pdf == sheets.pick_list(rows, sorted(made, key=pick_order), now=NOW, **SHOP)


def test_a_manifest_names_every_parcel_and_adds_them_up() -> None:
    made = [parcel(n, cod=n % 3 == 0, cod_amount=100_000 + n if n % 3 == 0 else None) for n in range(1, 91)]
    head = ManifestHead(12, "SPX Standard", NOW, "sari", None, len(made))
    pdf = sheets.manifest(head, made, **SHOP)
    said = " ".join(words(pdf, page) for page in range(pages(pdf)))
    for one in made:
        assert one.waybill in said
    total = sum(one.cod_amount or 0 for one in made)
    for shown in (
        "Serah terima paket",
        "90 paket",
        "22.500 g",
        "COD 30: Rp " + f"{total:,}".replace(",", "."),
        "Diterima kurir",
    ):
        assert shown in said, shown
    assert barcodes(pdf) == [("Code128", "M-12")]
    assert pdf == sheets.manifest(head, made, **SHOP)


def test_unknown_weights_and_amounts_are_said_and_not_zero() -> None:
    made = [parcel(1, weight_g=None), parcel(2, cod=True, cod_amount=None), parcel(3, cod=True, cod_amount=5_000)]
    said = words(sheets.manifest(ManifestHead(1, "JNE", NOW, "a", None, 3), made, **SHOP))
    assert "Berat tidak diketahui" in said
    assert "COD 2: Rp 5.000 + tidak diketahui" in said


def test_tables_for_spreadsheets_compute_nothing() -> None:
    evil = parcel(1, order="=1+1", waybill="@SUM(A1)")
    [row] = csv.DictReader(io.StringIO(sheets.manifest_csv(ManifestHead(3, "JNE", NOW, "a", None, 1), [evil])))
    assert (row["order"], row["waybill"], row["weight_g"], row["cod"], row["manifest"]) == (
        "'=1+1",
        "'@SUM(A1)",
        "250",
        "",
        "3",
    )
    [picked] = csv.DictReader(io.StringIO(sheets.pick_csv(pick_rows([parcel(1, part("-5"))]))))
    assert picked["sku"] == "'-5"


# -------------------------------------------------------------------------------------------------------------------------- the words


def test_both_languages_have_the_same_words() -> None:
    from string import Formatter

    indonesian, english = LANGUAGES["id"], LANGUAGES["en"]
    assert indonesian.keys() == english.keys()
    for key in indonesian:
        fields = [
            {name for _, name, _, _ in Formatter().parse(text) if name} for text in (indonesian[key], english[key])
        ]
        assert fields[0] == fields[1], key
        for text in (indonesian[key], english[key]):
            text.encode("cp1252")


@given(st.text(max_size=80))
def test_everything_printed_has_a_letter_and_nothing_vanishes_unsaid(text: str) -> None:
    shown = printable(text)
    shown.text.encode("cp1252")
    assert not any(ord(char) < 32 for char in shown.text)
    assert (MARK in shown.text) or not shown.lost
    assert printable(shown.text).text == shown.text


@given(st.text(st.characters(codec="cp1252", exclude_categories=["Cc", "Cf", "Zs"]), max_size=60), st.floats(30, 200))
def test_wrapped_lines_fit_and_keep_every_letter(text: str, room: float) -> None:
    lines = wrapped(text, REGULAR, 9, room)
    assert all(width(line, REGULAR, 9) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert width(cut(text, REGULAR, 9, room), REGULAR, 9) <= room
