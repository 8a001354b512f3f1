"""Quoting, booking, cancelling and rebooking by hand, against an own site and two courier services on real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from premises import Premises

RULE = '\n[[booking.rules]]\nname = "laju"\nvalue_min = 90000\nprefer = "fastest"\ninsure = true\n'


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Premises]:
    """An open shop whose dear orders go by the fastest courier."""
    shops = {"toko": "woocommerce", "shopee": "shopee"}
    with Premises(tmp_path, shops, {"biteship": "biteship", "kiriminaja": "kiriminaja"}) as place:
        with place.config.open("a") as config:
            config.write(RULE)
        place.open_shop()
        yield place


def ordered(place: Premises, slug: str = "toko", quantity: int = 1) -> str:
    order = place.order(slug, "KOPI-250", quantity)
    time.sleep(1.1)  # shops tell times in whole seconds
    place.run("sync", "pull")
    return order


def said(place: Premises, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The sentence with which a command refuses."""
    from sellersync.cli import main

    assert main([*words, "--config", str(place.config)]) == 2
    return capsys.readouterr().err


def statuses(place: Premises) -> list[str]:
    return sorted(str(booking["status"]) for booking in place.couriers["biteship"].bookings().values())


def test_a_quote_shows_what_would_be_booked_and_books_nothing(place: Premises) -> None:
    cheap, dear = ordered(place), ordered(place, quantity=2)
    out = place.run("parcels", "quote", cheap)
    assert next(line for line in out.splitlines() if line.startswith("*")).split()[:4] == [
        "*",
        "biteship",
        "sicepat",
        "reg",
    ]
    assert "Chosen: the cheapest of 3 offers" in out
    assert "kiriminaja offers nothing: origin" in out
    told = place.json("parcels", "quote", dear)
    assert (told["rule"], told["insured"], told["chosen"]["service"]) == ("laju", 100_000, "yes")
    assert told["why"] == "fastest offers=3 of=3 rule=laju"
    assert place.couriers["biteship"].bookings() == {}
    assert place.query("SELECT COUNT(*) FROM parcel") == [(0,)]


def test_book_cancel_and_rebook(place: Premises, capsys: pytest.CaptureFixture[str]) -> None:
    order = ordered(place)
    out = place.run("parcels", "book", order)
    assert f"Parcel 1 of order {order}: booked, sicepat, waybill 00" in out
    assert "Parcel 1 went to the cheapest of 3 offers (of 3 in all)." in place.run("orders", "show", order)
    assert "nothing was cancelled: this is about parcel" in said(place, capsys, "parcels", "cancel", order)
    assert "cancelled." in place.run("parcels", "cancel", f"{order}/1", "--yes")
    assert statuses(place) == ["cancelled"]
    place.run("sync", "book")
    assert "was cancelled; to send its goods after all" in said(place, capsys, "parcels", "book", order)
    assert "has no such parcel" in said(place, capsys, "parcels", "cancel", order, "--yes")
    assert statuses(place) == ["cancelled"]
    place.run("parcels", "rebook", order, "--yes")  # its booking is dead already: only booked anew
    assert statuses(place) == ["cancelled", "confirmed"]
    told = place.json("parcels", "rebook", order, "--yes")
    assert [parcel["number"] for parcel in told["parcels"]] == [3]
    assert statuses(place) == ["cancelled", "cancelled", "confirmed"]


def test_a_refused_cancellation_says_so_and_the_report_has_the_command(place: Premises) -> None:
    order = ordered(place)
    place.run("parcels", "book", order)
    place.couriers["biteship"].answer_cancellations("refused")
    assert "NOT cancelled" in place.run("parcels", "cancel", order, "--yes", expect=1)
    assert f"sellersync parcels cancel {order}/1" in place.run("report")
    assert statuses(place) == ["confirmed"]


def test_an_order_cancelled_after_booking_is_settled_with_the_command_of_the_report(place: Premises) -> None:
    order = ordered(place)
    place.run("parcels", "book", order)
    place.shops["toko"].cancel(order)
    time.sleep(1.1)
    place.run("sync", "pull")
    assert f"sellersync parcels cancel {order}/1" in place.run("report")
    said = place.run("parcels", "cancel", f"{order}/1", "--yes")
    assert "after all" not in said  # the order is over: nothing would be sent again
    assert statuses(place) == ["cancelled"]
    place.run("sync", "book")
    assert f"sellersync parcels cancel {order}/1" not in place.run("report")
    assert "it is cancelled" in place.run("parcels", "rebook", order, "--yes", expect=1)
    assert statuses(place) == ["cancelled"]


def test_marketplace_parcels_have_their_own_couriers(place: Premises, capsys: pytest.CaptureFixture[str]) -> None:
    order = ordered(place, "shopee")
    assert "nothing to choose" in said(place, capsys, "parcels", "quote", order)
    assert "booked" in place.run("parcels", "book", order)
    assert "in the seller centre of shopee" in said(place, capsys, "parcels", "cancel", order, "--yes")


def test_an_empty_account_is_shown_with_what_it_told(place: Premises) -> None:
    for courier in place.couriers.values():
        courier.set_balance(0)
    order = ordered(place)
    assert "the balance of a courier account is too low" in place.run("parcels", "book", order, expect=1)
    rows = {row["account"]: row for row in place.json("parcels", "balance", expect=1)}
    assert rows["kiriminaja"]["balance"] == 0
    assert "sufficient balance" in rows["biteship"]["empty"]
    assert "kiriminaja: balance Rp 0" in place.run("status", expect=1)
    assert place.json("status", expect=1)["balances"]["kiriminaja"]["amount"] == 0
    assert "sellersync parcels balance biteship" in place.run("report")
    place.couriers["biteship"].set_balance(1_000_000)
    place.run("parcels", "balance", "biteship", "--topped-up")
    assert "booked" in place.run("parcels", "book", order)
    place.run("status")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("parcels", "cancel", "nowhere", "--yes"), "no order 'nowhere'"),
        (("parcels", "quote", "nowhere/2"), "no order 'nowhere/2'"),
        (("parcels", "balance", "nowhere"), "there are: biteship, kiriminaja"),
        (("parcels", "balance", "--topped-up"), "name the account"),
    ],
)
def test_what_is_not_there(
    place: Premises, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in said(place, capsys, *words)
