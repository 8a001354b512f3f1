"""Settlements, returns and requests to cancel as providers show them; our answers to the requests."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, order, parcel

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import CancellationState, RemoteCancellation, RemoteReturn, ReturnState
from sellersync.domain.settlements import Settlement, whole_parts
from sellersync.domain.times import to_epoch_ms
from sellersync.store import cancellations, remote_returns, settlements
from sellersync.store.cancellations import ANSWER_SETTLES_MS, AnswerState, PendingRequest
from sellersync.store.settlements import Chosen, SettlementsRecorded

MINUTE = timedelta(minutes=1)


# ---------------------------------------------------------------------------------------------------------------------- settlements


def settled(remote_id: str, net: int, *parts: tuple[str, int], order_id: str = "A1", minutes: int = 0) -> Settlement:
    return Settlement(remote_id, order_id, START + minutes * MINUTE, net, parts)


def settle(bench: Bench, *rows: Settlement, channel: str = "shopee") -> SettlementsRecorded:
    return bench.write(
        lambda session: settlements.record_settlements(session, bench.channels[channel], rows, now_ms=bench.now_ms())
    )


def stored(bench: Bench) -> list[tuple[object, ...]]:
    return bench.query(
        "SELECT remote_id, net, seen_ms, changed_ms, name, amount FROM settlement LEFT JOIN settlement_part "
        "ON settlement_part.settlement_id = settlement.id ORDER BY remote_id, name"
    )


def test_parts_add_up_to_the_net_whatever_the_rows_say() -> None:
    row = settled("s", 80_000, ("sale", 100_000), ("fee", -5_000), ("fee", -7_000))
    assert whole_parts(row) == {"sale": 100_000, "fee": -12_000, "unexplained": -8_000}
    assert whole_parts(settled("s", 10, ("sale", 10))) == {"sale": 10}


def test_the_same_settlement_again_changes_nothing_and_another_net_replaces_it(bench: Bench) -> None:
    first = settled("s1", 90_000, ("sale", 100_000), ("commission", -10_000))
    assert settle(bench, first) == SettlementsRecorded(new=1, of_unknown_orders=1)
    before = stored(bench)
    bench.clock.advance(minutes=5)
    assert settle(bench, first) == SettlementsRecorded(same=1)
    assert stored(bench) == before
    second = settled("s1", 85_000, ("sale", 100_000), ("commission", -12_000), ("shipping", -3_000))
    assert settle(bench, second) == SettlementsRecorded(changed=1)
    now, then = to_epoch_ms(START + 5 * MINUTE), to_epoch_ms(START)
    assert stored(bench) == [
        ("s1", 85_000, then, now, "commission", -12_000),
        ("s1", 85_000, then, now, "sale", 100_000),
        ("s1", 85_000, then, now, "shipping", -3_000),
    ]


def test_another_split_of_the_same_net_is_a_change(bench: Bench) -> None:
    settle(bench, settled("s1", 90_000, ("sale", 100_000), ("fee", -10_000)))
    assert settle(bench, settled("s1", 90_000, ("sale", 95_000), ("fee", -5_000))).changed == 1
    assert [row[5] for row in stored(bench)] == [-5_000, 95_000]


def test_settlements_of_orders_nobody_knows_are_kept_counted_and_summed(bench: Bench) -> None:
    bench.record(order("A1", line("KOPI", 1), number="INV-1"))
    rows = [
        settled("s1", 90_000, ("sale", 100_000), ("fee", -10_000)),
        settled("s2", -20_000, ("refund", -20_000), minutes=10),
        settled("s3", 40_000, ("sale", 40_000), order_id="gone", minutes=20),
    ]
    assert settle(bench, *rows) == SettlementsRecorded(new=3, of_unknown_orders=1)
    settle(
        bench, settled("s1", 7, ("sale", 7)), channel="lazada"
    )  # the same id on another channel is another settlement
    of_order = bench.read(lambda session: settlements.settlements_of(session, bench.order_id("A1")))
    assert [(row.order, row.net, row.parts) for row in of_order] == [
        ("INV-1", 90_000, {"sale": 100_000, "fee": -10_000}),
        ("INV-1", -20_000, {"refund": -20_000}),
    ]
    shopee = Chosen(channel="shopee")
    listed = bench.read(lambda session: settlements.settlements(session, shopee, limit=2))
    assert [(row.order, row.known) for row in listed] == [("gone", False), ("INV-1", True)]
    [total] = bench.read(lambda session: settlements.settlement_sums(session, shopee))
    assert (total.settlements, total.unknown_orders, total.net) == (3, 1, 110_000)
    assert total.parts == {"sale": 140_000, "refund": -20_000, "fee": -10_000}
    window = Chosen(since_ms=to_epoch_ms(START), until_ms=to_epoch_ms(START + 10 * MINUTE))
    by_channel = bench.read(lambda session: settlements.settlement_sums(session, window))
    assert [(row.channel, row.net) for row in by_channel] == [("lazada", 7), ("shopee", 90_000)]


# -------------------------------------------------------------------------------------------------------------------------- returns


def shown_return(state: ReturnState, *, minutes: int = 0) -> RemoteReturn:
    return RemoteReturn(
        "R1",
        "A1",
        state,
        state.value.upper(),
        (("line-KOPI", 1),),
        50_000,
        True,
        START + minutes * MINUTE,
        reason="rusak",
    )


def test_returns_are_kept_as_the_provider_shows_them_last(bench: Bench) -> None:
    bench.record(order("A1", line("KOPI", 1)))

    def record(row: RemoteReturn) -> int:
        return bench.write(
            lambda session: remote_returns.record_remote_returns(
                session, bench.channels["shopee"], [row], now_ms=bench.now_ms()
            )
        )

    def known() -> tuple[RemoteReturn, ...]:
        return bench.read(lambda session: remote_returns.remote_returns_of(session, bench.order_id("A1")))

    coming = shown_return(ReturnState.COMING_BACK, minutes=5)
    assert record(shown_return(ReturnState.REQUESTED)) == 1
    assert record(coming) == 1
    assert record(coming) == 0
    assert record(shown_return(ReturnState.APPROVED, minutes=2)) == 0  # an older version
    assert known() == (coming,)
    assert bench.findings("return_open") == ["R1"]
    assert record(shown_return(ReturnState.CLOSED, minutes=9)) == 1
    assert bench.findings("return_open") == []


# -------------------------------------------------------------------------------------------------------------- requests to cancel


def request(state: CancellationState, *, minutes: int = 0, remote_id: str = "C1") -> RemoteCancellation:
    return RemoteCancellation(
        remote_id, "A1", state, state.value.upper(), (), START + minutes * MINUTE,
        respond_by=START + timedelta(hours=48), by="buyer", reason="salah alamat",
    )  # fmt: skip


def see(bench: Bench, *rows: RemoteCancellation) -> None:
    """The channel's stream of requests shows these now."""
    bench.write(
        lambda session: cancellations.record_cancellations(
            session, bench.channels["shopee"], rows, read_ms=bench.now_ms(), now_ms=bench.now_ms()
        )
    )


def pending(bench: Bench, name: str | None = None) -> list[PendingRequest]:
    return list(bench.read(lambda session: cancellations.pending_requests(session, name=name)))


def send(bench: Bench, *, accept: bool = True) -> PendingRequest:
    [row] = pending(bench)
    bench.write(
        lambda session: cancellations.begin_answer(
            session, row.id, accept=accept, key="k", now_ms=bench.now_ms(), who="Sari"
        )
    )
    return row


def end(bench: Bench, row: PendingRequest, state: AnswerState, detail: str = "") -> None:
    bench.write(
        lambda session: cancellations.end_answer(
            session, bench.channels["shopee"], row.id, state, detail=detail, now_ms=bench.now_ms()
        )
    )


def answer(bench: Bench) -> tuple[str, str, str]:
    row = bench.query("SELECT state, answer, answer_state FROM cancellation_request")[0]
    return (row[0], row[1], row[2])


def test_a_pending_request_is_a_finding_with_the_deadline_until_it_is_decided(bench: Bench) -> None:
    see(bench, request(CancellationState.PENDING))
    assert bench.findings("cancellation_pending") == ["A1"]
    assert bench.value("SELECT deadline_ms FROM finding") == to_epoch_ms(START + timedelta(hours=48))
    [row] = pending(bench)
    assert (row.order, row.reason, row.units, row.parcel) == ("A1", "salah alamat", None, "")
    see(bench, request(CancellationState.WITHDRAWN, minutes=5))
    see(bench, request(CancellationState.PENDING, minutes=2))  # an older version
    assert bench.findings("cancellation_pending") == []
    assert pending(bench) == []


def test_one_of_two_requests_answered_leaves_the_finding(bench: Bench) -> None:
    see(bench, request(CancellationState.PENDING), request(CancellationState.PENDING, remote_id="C2"))
    see(bench, request(CancellationState.ACCEPTED, minutes=1))
    assert bench.findings("cancellation_pending") == ["A1"]
    assert [row.request for row in pending(bench, "A1")] == ["C2"]
    assert [row.request for row in pending(bench, "C2")] == ["C2"]


def test_an_answer_is_committed_once_and_a_done_one_closes_the_finding(bench: Bench) -> None:
    see(bench, request(CancellationState.PENDING))
    row = send(bench)
    assert answer(bench) == ("pending", "accept", "sent")
    with pytest.raises(BadInput, match="no reply"):
        send(bench, accept=False)
    end(bench, row, AnswerState.DONE)
    assert bench.findings("cancellation_pending") == []
    assert pending(bench) == []
    see(bench, request(CancellationState.ACCEPTED, minutes=1))
    assert answer(bench) == ("accepted", "accept", "done")
    with pytest.raises(BadInput, match="accepted"):
        bench.write(
            lambda session: cancellations.begin_answer(session, row.id, accept=True, key="k", now_ms=0, who="Sari")
        )


@pytest.mark.parametrize(
    ("accept", "shown", "became"),
    [
        (True, CancellationState.ACCEPTED, "done"),
        (False, CancellationState.REJECTED, "done"),
        (True, CancellationState.REJECTED, "refused"),
        (False, CancellationState.ACCEPTED, "refused"),
        (True, CancellationState.WITHDRAWN, "refused"),
        (False, CancellationState.WITHDRAWN, "done"),
    ],
)
def test_a_lost_answer_is_settled_by_what_the_channel_shows(
    bench: Bench, accept: bool, shown: CancellationState, became: str
) -> None:
    see(bench, request(CancellationState.PENDING))
    end(bench, send(bench, accept=accept), AnswerState.UNCLEAR, "cut")
    assert bench.findings("cancellation_pending") == ["A1"]
    see(bench, request(shown, minutes=1))
    assert answer(bench) == (shown.value, "accept" if accept else "reject", became)
    assert bench.findings("cancellation_pending") == []


@pytest.mark.parametrize("state", [None, AnswerState.UNCLEAR, AnswerState.DONE])
def test_only_a_read_that_is_late_enough_proves_that_an_answer_did_not_arrive(
    bench: Bench, state: AnswerState | None
) -> None:
    """`None`: the process was killed between the call and its answer."""
    channel = bench.channels["shopee"]

    def unsettled() -> bool:
        return (
            bench.read(lambda session: cancellations.unsettled_since(session, channel, now_ms=bench.now_ms()))
            is not None
        )

    see(bench, request(CancellationState.PENDING))
    row = send(bench)
    if state is not None:
        end(bench, row, state)
    bench.clock.advance(seconds=ANSWER_SETTLES_MS / 1000 - 1)
    see(bench, request(CancellationState.PENDING))
    assert answer(bench)[2] == (state or AnswerState.SENT)
    assert not unsettled()
    bench.clock.advance(seconds=1)
    assert unsettled()
    see(bench, request(CancellationState.PENDING))
    assert answer(bench) == ("pending", "accept", "")
    assert not unsettled()
    assert bench.findings("cancellation_pending") == ["A1"]
    assert [one.detail for one in pending(bench)] == [cancellations.NOT_ARRIVED]
    send(bench)  # a person may answer again
    assert answer(bench)[2] == "sent"


def test_asked_again_after_a_refusal_the_old_answer_is_gone(bench: Bench) -> None:
    see(bench, request(CancellationState.PENDING))
    end(bench, send(bench, accept=False), AnswerState.DONE)
    see(bench, request(CancellationState.REJECTED, minutes=1))
    see(bench, request(CancellationState.PENDING, minutes=2))
    assert answer(bench) == ("pending", "", "")
    assert bench.findings("cancellation_pending") == ["A1"]


def test_what_reading_settled_is_not_overwritten_by_a_late_reply(bench: Bench) -> None:
    see(bench, request(CancellationState.PENDING))
    row = send(bench)
    see(bench, request(CancellationState.ACCEPTED, minutes=1))
    end(bench, row, AnswerState.UNCLEAR, "cut")
    assert answer(bench) == ("accepted", "accept", "done")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (ParcelState.READY, ("", "")),
        (ParcelState.BOOKED, ("booked", "JNE1")),
        (ParcelState.IN_TRANSIT, ("handed over", "JNE1")),
    ],
)
def test_a_request_tells_how_far_the_parcel_is(bench: Bench, state: ParcelState, told: tuple[str, str]) -> None:
    bench.stocked("KOPI", 5)
    package = parcel("P1", "A1", state, ("line-KOPI", 1), waybill="JNE1")
    bench.record(order("A1", line("KOPI", 1), parcels=(package,)))
    see(bench, request(CancellationState.PENDING))
    assert [(row.parcel, row.waybill) for row in pending(bench)] == [told]


# ------------------------------------------------------------------------------------------- requests that only the order's state shows


def in_order(bench: Bench, state: OrderState, *, minutes: int, cancelled: bool = False) -> None:
    version = order(
        "A1", line("KOPI", 1), state=state, at=START + minutes * MINUTE, created_at=START, cancel_reason="salah alamat",
        cancel_respond_by=START + timedelta(hours=24) if state is OrderState.CANCEL_REQUESTED else None,
    )  # fmt: skip
    bench.record(version, read_at=bench.clock.now())
    bench.write(
        lambda session: cancellations.record_requests_in_orders(
            session, bench.channels["shopee"], ["A1"], now_ms=bench.now_ms()
        )
    )


def test_an_order_that_goes_on_without_a_request_has_none(bench: Bench) -> None:
    in_order(bench, OrderState.READY, minutes=0)
    assert bench.query("SELECT 1 FROM cancellation_request") == []


@pytest.mark.parametrize(
    ("ours", "after", "state", "became"),
    [
        ("accept", OrderState.CANCELLED, "accepted", "done"),
        ("reject", OrderState.READY, "rejected", "done"),
        ("accept", OrderState.READY, "withdrawn", "refused"),
        ("reject", OrderState.CANCELLED, "accepted", "refused"),
        ("", OrderState.READY, "withdrawn", ""),
        ("", OrderState.CANCELLED, "accepted", ""),
    ],
)
def test_the_order_decides_a_request_that_stands_nowhere_else(
    bench: Bench, ours: str, after: OrderState, state: str, became: str
) -> None:
    in_order(bench, OrderState.CANCEL_REQUESTED, minutes=1)
    [row] = pending(bench)
    assert (row.request, row.reason, row.respond_by) == ("A1", "salah alamat", START + timedelta(hours=24))
    assert bench.findings("cancellation_pending") == ["A1"]
    if ours:
        end(bench, send(bench, accept=ours == "accept"), AnswerState.UNCLEAR)
    in_order(bench, OrderState.UNKNOWN, minutes=2)  # an unreadable version decides nothing
    assert bench.findings("cancellation_pending") == ["A1"]
    in_order(bench, after, minutes=3)
    assert answer(bench) == (state, ours, became)
    assert bench.findings("cancellation_pending") == []
