"""SIGKILL around the cancellation of a booking that is to be booked anew: cancelled once, booked once more, and the ledger knows it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from kill_place import Ambush, KillPlace
from premises import until

from sellersync.app import open_ledger
from sellersync.settings import load
from sellersync.store import cancels

soak = pytest.mark.soak


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillPlace]:
    with KillPlace(tmp_path_factory.mktemp("kill")) as place:
        place.open_shop()
        yield place


def parcels(place: KillPlace, order: str) -> list[tuple[str, str]]:
    """(state, what became of the wish to cancel) of an order's parcels."""
    rows = place.query(
        "SELECT parcel.state, parcel.cancel FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
        f"WHERE sales_order.remote_id = '{order}' ORDER BY parcel.id"
    )
    return [(str(state), str(cancel)) for state, cancel in rows]


def to_be_rebooked(place: KillPlace) -> str:
    """An order of the own site that is booked, and whose booking staff want to have cancelled and made anew; no daemon runs."""
    order = place.order("toko", "KOPI-250")
    place.begin()
    until(lambda: parcels(place, order) == [("booked", "")], what="the parcel is booked")
    place.end(signal.SIGKILL)
    ledger = open_ledger(load(place.config, environ=os.environ))
    [(parcel_id,)] = place.query(
        f"SELECT parcel.id FROM parcel JOIN sales_order ON sales_order.id = order_id WHERE sales_order.remote_id = '{order}'"
    )
    ledger.write_now(
        lambda session: cancels.ask_cancel(
            session, parcel_id, reason="pickup_delay", rebook=True, now_ms=ledger.now_ms()
        )
    )
    ledger.close()
    return order


def assert_rebooked(place: KillPlace, order: str) -> None:
    """A living daemon brings it to an end, and the courier's books say the same."""
    place.begin()
    until(lambda: parcels(place, order) == [("cancelled", "done"), ("booked", "")], what="booked anew")
    place.end(signal.SIGKILL)
    references = {
        row[0]
        for row in place.query(
            "SELECT claim.reference FROM claim JOIN parcel ON parcel.id = parcel_id "
            f"JOIN sales_order ON sales_order.id = parcel.order_id WHERE sales_order.remote_id = '{order}'"
        )
    }
    bookings = place.couriers["biteship"].bookings().values()
    statuses = sorted(str(shown["status"]) for shown in bookings if shown["reference"] in references)
    assert statuses == ["cancelled", "confirmed"]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("cancel_sent:in", marks=soak),
        "cancel_sent:done",
        "cancel_done:in",
        pytest.param("cancel_done:done", marks=soak),
    ],
)
def test_killed_at(place: KillPlace, step: str) -> None:
    order = to_be_rebooked(place)
    place.begin(die_at=step)
    assert place.death() == -signal.SIGKILL, "the step was never reached"
    assert_rebooked(place, order)


@pytest.mark.parametrize(
    "processed", [pytest.param(False, id="before it acts", marks=soak), pytest.param(True, id="before it answers")]
)
def test_killed_while_the_courier_is_told(place: KillPlace, processed: bool) -> None:
    order = to_be_rebooked(place)
    with Ambush(
        place, place.couriers["biteship"], lambda request: request.url.path.endswith("/cancel"), processed
    ) as ambush:
        place.begin()
        assert place.death() == -signal.SIGKILL
    assert ambush.struck == 1
    assert_rebooked(place, order)
