"""Whole rupiah, read exactly or refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import AMOUNT_MAX, rupiah, rupiah_or_none

amounts = st.integers(-AMOUNT_MAX + 1, AMOUNT_MAX - 1)


@pytest.mark.parametrize("wire", [48000, 48000.0, "48000", "48000.00", " 48000 ", "48000.0", "4.8E+4"])
def test_all_spellings_of_one_amount(wire: object) -> None:
    assert rupiah(wire, where="total") == 48000


@pytest.mark.parametrize(
    "wire",
    [
        "48000.50",
        0.5,
        "48,000",
        "Rp48000",
        "48.000",
        "-1.500",
        "",
        "   ",
        None,
        True,
        False,
        "NaN",
        "sNaN",
        "Infinity",
        float("inf"),
        float("nan"),
        "1e999999999",
        AMOUNT_MAX,
        [],
        {},
    ],
)
def test_what_is_no_whole_amount_is_refused_by_name(wire: object) -> None:
    with pytest.raises(Unrecognised, match="escrow total: "):
        rupiah(wire, where="escrow total")


@pytest.mark.parametrize("wire", [None, "", "  "])
def test_unknown_is_never_zero(wire: object) -> None:
    assert rupiah_or_none(wire, where="fee") is None


def test_zero_is_zero() -> None:
    assert rupiah_or_none("0.00", where="fee") == 0
    assert rupiah_or_none(0, where="fee") == 0


@given(amounts)
def test_every_amount_survives_every_spelling(amount: int) -> None:
    for wire in (amount, str(amount), f"{amount}.00", f" {amount}.0"):
        assert rupiah(wire, where="total") == amount


@given(amounts, st.integers(1, 99))
def test_a_fraction_is_never_rounded(amount: int, cents: int) -> None:
    with pytest.raises(Unrecognised):
        rupiah(f"{amount}.{cents:02d}", where="total")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unrecognised):
        assert isinstance(rupiah(text, where="total"), int)
