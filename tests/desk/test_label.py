"""The own-site label: read back from its picture by an independent decoder, with every string that buyers type."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper import DPI, ITEMS, RECIPIENT, barcodes, boxes, facts, pages, picture, size_mm, words

from sellersync.desk.label import render, unprintable
from sellersync.domain.desk import LabelItem
from sellersync.domain.errors import BadInput

SHAPES = (
    r"J[A-Z][0-9]{10}",
    r"J[A-Z]{2}[0-9]{12}",
    r"JT[0-9]{11}",
    r"CM[0-9]{11}",
    r"[0-9]{15,16}",
    r"00[0-9]{10}",
    r"[0-9]{14}",
    r"TSA-[0-9]{11}",
    r"ID[A-Z][0-9]{13}",
    r"IDE[0-9]{10}",
    r"(88|77)LP[0-9]{13}",
    r"SPXID[0-9]{11}[A-Z0-9]",
    r"[A-Z]{4}-[0-9]{10}",
    r"SHPE[A-Z0-9]{18}",
    r"(NLIDAP|NV)[0-9]{8,12}",
    r"GK-[0-9]{2}-[0-9]{4,12}",
)
"""Waybill shapes of the couriers (notes on 38 real labels, 2026; documentation samples)."""

ODD = {
    "chinese": replace(RECIPIENT, name="王小明", address="北京路 12 号"),
    "emoji": replace(RECIPIENT, name="Siti 🌸🌸 Rahma", address="Jl. Mawar 🏠 5"),
    "vietnamese": replace(RECIPIENT, name="Đặng Thị Ngọc"),
    "arabic": replace(RECIPIENT, name="أحمد", city="مكة"),
    "long": replace(RECIPIENT, address="Jalan Panjang Blok Cempaka Putih Tengah Nomor 27 " * 6),
    "endless": replace(
        RECIPIENT, name="X" * 200, address="A" * 1000, phone="0" * 40, city="K" * 100, postal_code="1" * 20
    ),
    "empty": replace(RECIPIENT, name="", phone="", district="", city="", province="", postal_code="", address="-"),
    "control": replace(RECIPIENT, name="Budi\x00\n\tSantoso\u200b", address="Jl. A\r\nRT 1\u2028RW 2"),
    "markup": replace(RECIPIENT, name="<b>Ani</b> & (Co) \\", address="100% \\n <i>"),
    "note": replace(RECIPIENT, note="titip di satpam " * 20),
}


@given(st.one_of([st.from_regex(shape, fullmatch=True) for shape in SHAPES]))
@settings(max_examples=48, deadline=None)
def test_the_barcode_of_every_waybill_reads_as_the_waybill(number: str) -> None:
    assert barcodes(render(facts(number=number), "id")) == [("Code128", number)]


def test_a_label_says_what_couriers_ask_for() -> None:
    pdf = render(facts(cod_amount=204_500, insured=185_000, routing_code="CGK-10203"), "id")
    said = words(pdf)
    for part in (
        "SiCepat", "REG", "COD", "Rp 204.500", "No. Resi 004412345678", "CGK-10203", "BANDUNG", "SURABAYA",
        "Rani Puspitasari", "081200000002", "Jl. Misal 3 RT 2 RW 4", "Sukolilo, Surabaya, Jawa Timur", "60243",
        "Toko Kopi Gayo", "081234567890", "Jalan Braga 12, rumah pagar hijau", "40111", "540 g", "3 pcs", "Rp 185.000",
        "INV-901", "2 x Kopi Gayo 250 g [KOPI-250]", "1 x Teh Melati [TEH-100]",
    ):  # fmt: skip
        assert part in said, part
    assert "NON-COD" not in said
    assert (pages(pdf), size_mm(pdf)) == (1, (100.0, 150.0))


def test_it_speaks_the_shops_language() -> None:
    assert "PENERIMA" in words(render(facts(), "id"))
    assert "Waybill 004412345678" in words(render(facts(), "en"))


@pytest.mark.parametrize(
    ("more", "said", "not_said"),
    [
        ({}, "NON-COD", "CASHLESS"),
        ({"courier": "jne", "drop_off": True}, "CASHLESS NON-COD", "Rp"),
        ({"courier": "jne", "drop_off": True, "cod_amount": 1_000}, "CASHLESS COD Rp 1.000", "NON-COD"),
        ({"courier": "jnt", "drop_off": True}, "NON-COD", "CASHLESS"),
        ({"courier": "jne"}, "NON-COD", "CASHLESS"),
    ],
)
def test_how_the_parcel_is_paid(more: dict[str, Any], said: str, not_said: str) -> None:
    text = words(render(facts(**more), "id"))
    assert said in text
    assert not_said not in text


def test_an_instant_courier_has_a_pickup_code_instead() -> None:
    pdf = render(facts(number="GK-11-2903912", pickup_code=True, courier="gojek", service="instant"), "id")
    assert barcodes(pdf) == [("Code128", "GK-11-2903912")]
    assert "Kode ambil GK-11-2903912" in words(pdf)
    assert "Resi" not in words(pdf)


@pytest.mark.parametrize("number", ["", "   ", "ÄÖ123", "12\n34", "9" * 200])
def test_no_label_without_a_number_that_a_barcode_can_carry(number: str) -> None:
    with pytest.raises(BadInput):
        render(facts(number=number), "id")


def test_the_same_facts_make_the_same_bytes() -> None:
    assert render(facts(), "id") == render(facts(), "id")
    assert render(facts(), "id") != render(facts(number="004412345679"), "id")


# ------------------------------------------------------------------------------------------------------------------- what buyers type


@pytest.mark.parametrize("kind", ODD)
def test_odd_buyers_get_a_label_on_which_nothing_overlaps(kind: str) -> None:
    many = tuple(LabelItem(f"Barang {n} " + "dengan nama panjang " * (n % 7), f"SKU-{n}", n + 1) for n in range(12))
    for more in ({}, {"items": many, "cod_amount": 15_000_000, "insured": 15_000_000, "routing_code": "SUB-10-A-20-XYZ",
                      "reference": "PESANAN/2026/11/000000000001234567"}):  # fmt: skip
        pdf = render(facts(recipient=ODD[kind], **more), "id")
        assert pages(pdf) == 1
        assert barcodes(pdf) == [("Code128", "004412345678")]
        _nothing_overlaps(pdf)


def _nothing_overlaps(pdf: bytes) -> None:
    """Every run of text lies inside the frame, and no two cover each other by more than the air around letters."""
    runs = boxes(pdf)
    edge = 3 / 25.4 * 72
    for left, bottom, right, top in runs:
        assert left >= edge
        assert right <= 283.47 - edge + 0.5
        assert bottom >= edge
        assert top <= 425.2 - edge
    for index, (left, bottom, right, top) in enumerate(runs):
        for other in runs[index + 1 :]:
            across = min(right, other[2]) - max(left, other[0])
            up = min(top, other[3]) - max(bottom, other[1])
            assert across <= 0.5 or up <= 0.25 * min(top - bottom, other[3] - other[1]), (runs[index], other)


@pytest.mark.parametrize(
    ("kind", "shown", "marked"),
    [
        ("chinese", "[?]", True),
        ("emoji", "Siti [?] Rahma", True),
        ("vietnamese", "Dang Thi Ngoc", False),
        ("arabic", "[?]", True),
        ("control", "Budi Santoso", False),
        ("markup", "<b>Ani</b> & (Co) \\", False),
    ],
)
def test_letters_that_cannot_be_printed_are_marked(kind: str, shown: str, marked: bool) -> None:
    wanted = facts(recipient=ODD[kind])
    said = words(render(wanted, "id"))
    assert shown in said
    assert ("huruf yang tidak dapat dicetak" in said) is marked
    assert unprintable(wanted) is marked


def test_a_long_address_is_set_smaller_and_not_cut() -> None:
    said = words(render(facts(recipient=ODD["long"]), "id"))
    assert said.count("Cempaka Putih Tengah Nomor 27") == 6
    assert "Sukolilo, Surabaya, Jawa Timur" in said


def test_items_that_do_not_fit_are_counted() -> None:
    many = tuple(LabelItem(f"Barang nomor {n}", f"SKU-{n}", 2) for n in range(60))
    said = words(render(facts(items=many), "id"))
    shown = sum(f"Barang nomor {n} [SKU-{n}]" in said for n in range(60))
    assert 5 < shown < 60
    assert f"+{2 * (60 - shown)} lagi" in said
    assert "lagi" not in words(render(facts(items=ITEMS), "id"))


def test_bars_are_whole_dots() -> None:
    """A bar that covers a part of a dot is blurred by a thermal printer: along one row of dots, every bar is 2 or more dots wide."""
    image = picture(render(facts(number="SPXID046512345678"), "id"), dpi=DPI)
    row = round((150 - 135) / 25.4 * DPI) + round(12 / 25.4 * DPI)
    dots = [image.getpixel((x, row)) == 0 for x in range(30, image.width - 30)]
    runs = [1]
    for before, now in itertools.pairwise(dots):
        if before == now:
            runs[-1] += 1
        else:
            runs.append(1)
    assert len(runs) > 50
    unit = min(runs[1:-1])
    assert unit >= 2
    assert all(abs(run / unit - round(run / unit)) <= 1 / unit for run in runs[1:-1])
