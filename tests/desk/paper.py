"""Paper as a camera and a scanner see it: pages as pictures, decoded by a library that shares no code with the one that draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2
import zxingcpp
from PIL import Image

from sellersync.domain.desk import Address, LabelFacts, LabelItem

DPI = 203
"""The usual thermal printer."""

SENDER = Address(
    "Toko Kopi Gayo",
    "081234567890",
    "Jalan Braga 12, rumah pagar hijau",
    "Sumur Bandung",
    "Bandung",
    "Jawa Barat",
    "40111",
)
RECIPIENT = Address(
    "Rani Puspitasari", "081200000002", "Jl. Misal 3 RT 2 RW 4", "Sukolilo", "Surabaya", "Jawa Timur", "60243"
)
ITEMS = (LabelItem("Kopi Gayo 250 g", "KOPI-250", 2), LabelItem("Teh Melati", "TEH-100", 1))


def facts(**more: Any) -> LabelFacts:
    """A paid parcel of two kinds of goods."""
    values: dict[str, Any] = {
        "number": "004412345678",
        "pickup_code": False,
        "courier": "sicepat",
        "service": "reg",
        "drop_off": False,
        "routing_code": "",
        "cod_amount": None,
        "insured": None,
        "weight_g": 540,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "items": ITEMS,
        "reference": "INV-901",
    }
    return LabelFacts(**{**values, **more})


@contextmanager
def opened(pdf: bytes) -> Iterator[Any]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


def picture(pdf: bytes, page: int = 0, *, dpi: int = DPI) -> Image.Image:
    """A page in black and white dots, as the printer burns it."""
    with opened(pdf) as document:
        image: Image.Image = document[page].render(scale=dpi / 72).to_pil().convert("1")
        return image


def barcodes(pdf: bytes, page: int = 0) -> list[tuple[str, str]]:
    """(symbology, text) of every barcode on a page."""
    found = zxingcpp.read_barcodes(picture(pdf, page).convert("L"))
    return [(str(code.format).rpartition(".")[2].replace(" ", ""), code.text) for code in found]


def pages(pdf: bytes) -> int:
    with opened(pdf) as document:
        return len(document)


def words(pdf: bytes, page: int = 0) -> str:
    """The text of a page, in one line."""
    with opened(pdf) as document:
        text = document[page].get_textpage().get_text_range()
    return " ".join(str(text).split())


def boxes(pdf: bytes, page: int = 0) -> list[tuple[float, float, float, float]]:
    """(left, bottom, right, top) in points of every run of text on a page."""
    with opened(pdf) as document:
        text = document[page].get_textpage()
        return [tuple(text.get_rect(index)) for index in range(text.count_rects())]


def size_mm(pdf: bytes, page: int = 0) -> tuple[float, float]:
    with opened(pdf) as document:
        across, up = document[page].get_size()
    return round(across / 72 * 25.4, 1), round(up / 72 * 25.4, 1)
