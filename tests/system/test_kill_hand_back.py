"""SIGKILL around a waybill's way back to the own site: the buyer hears of it once."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from kill_place import KillPlace
from premises import until


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillPlace]:
    with KillPlace(tmp_path_factory.mktemp("kill")) as place:
        place.open_shop()
        yield place


@pytest.mark.parametrize(
    "step", ["hand_back_due:done", "handed_back:in", pytest.param("handed_back:done", marks=pytest.mark.soak)]
)
def test_killed_at(place: KillPlace, step: str) -> None:
    place.buyer("toko")
    place.begin(die_at=step)
    assert place.death() == -signal.SIGKILL, "the step was never reached"
    place.begin()
    until(lambda: told(place) and all(state == "done" for _, state in told(place)), what="all waybills are handed back")
    place.assert_settles()
    assert place.end(signal.SIGKILL) == -signal.SIGKILL
    notes = {order: place.shops["toko"].customer_notes(order) for order, _ in told(place)}  # type: ignore[attr-defined]
    assert {order: len(said) for order, said in notes.items()} == dict.fromkeys(notes, 1)


def told(place: KillPlace) -> list[tuple[str, str]]:
    """(order, state of its hand-back) of all parcels of the own site with a waybill."""
    rows = place.query(
        "SELECT sales_order.remote_id, COALESCE(hand_back.state, 'unknown') FROM parcel "
        "JOIN sales_order ON sales_order.id = parcel.order_id JOIN channel ON channel.id = parcel.channel_id "
        "LEFT JOIN hand_back ON hand_back.parcel_id = parcel.id AND hand_back.waybill = parcel.waybill "
        "WHERE channel.slug = 'toko'"
    )
    return [(str(order), str(state)) for order, state in rows]
