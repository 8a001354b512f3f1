"""Counted days and counted calls in the ledger, on both databases."""

from __future__ import annotations

from datetime import date, timedelta

from ledger_bench import START, Bench, line, order

from sellersync.domain.times import to_epoch_ms
from sellersync.store import proofs, requests
from sellersync.store.proofs import Proof, ProofState, Unlisted

DAY = date(2026, 11, 20)
COUNTING = {"lazada": True, "shopee": True, "toko": False}


def counted(channel: str, day: date = DAY, *, missing: tuple[str, ...] = (), repaired: int = 0) -> Proof:
    state = ProofState.MISSING if missing else ProofState.COMPLETE
    gone = (Unlisted("7", "cancelled", "binned"),)
    return Proof(channel, day, state, START, "create_time", 3, 3 - len(missing), missing, gone, repaired)


def record(bench: Bench, proof: Proof) -> None:
    bench.write(
        lambda session: proofs.record_proof(session, bench.channels[proof.channel], proof, now_ms=bench.now_ms())
    )


def uncounted(bench: Bench, channel: str, why: str) -> None:
    bench.write(
        lambda session: proofs.note_uncounted(session, bench.channels[channel], DAY, why, now_ms=bench.now_ms())
    )


def known(bench: Bench) -> dict[str, Proof]:
    found = bench.read(lambda session: proofs.proofs_of(session, DAY, COUNTING))
    return {proof.channel: proof for proof in found}


def findings(bench: Bench) -> list[tuple[str, str]]:
    return [
        (kind, subject)
        for kind, subject, *_ in bench.query("SELECT kind, subject FROM finding WHERE closed_ms IS NULL")
    ]


def test_the_newest_count_of_a_day_is_the_one_that_counts(bench: Bench) -> None:
    assert {proof.state for proof in known(bench).values()} == {ProofState.NOT_COUNTED, ProofState.NOT_OFFERED}
    assert known(bench)["toko"].state is ProofState.NOT_OFFERED
    record(bench, counted("shopee", missing=("9",)))
    assert known(bench)["shopee"] == counted("shopee", missing=("9",))
    assert findings(bench) == [("orders_missing", "2026-11-20")]
    record(bench, counted("shopee", repaired=1))
    assert known(bench)["shopee"] == counted("shopee", repaired=1)
    assert not findings(bench)
    assert known(bench)["lazada"].on_channel is None


def test_a_failed_count_says_since_when_and_never_replaces_one_that_stands(bench: Bench) -> None:
    uncounted(bench, "shopee", "no connection")
    began = bench.clock.now()
    bench.clock.advance(hours=2)
    uncounted(bench, "shopee", "HTTP 503")
    found = known(bench)["shopee"]
    assert (found.state, found.why, found.since) == (ProofState.NOT_COUNTED, "HTTP 503", began)
    record(bench, counted("shopee"))
    assert not findings(bench)
    uncounted(bench, "shopee", "no connection")
    assert known(bench)["shopee"].state is ProofState.COMPLETE
    assert not findings(bench)


def test_days_are_due_until_they_are_complete(bench: Bench) -> None:
    hour_ms = 3_600_000

    def due() -> list[date]:
        return bench.read(
            lambda session: proofs.due_days(
                session,
                bench.channels["shopee"],
                first=DAY - timedelta(days=2),
                last=DAY,
                now_ms=bench.now_ms(),
                retry_ms=hour_ms,
            )
        )

    everything = [DAY, DAY - timedelta(days=1), DAY - timedelta(days=2)]
    assert due() == everything
    record(bench, counted("lazada"))
    uncounted(bench, "shopee", "no connection")
    assert due() == everything[1:], "tried a moment ago"
    record(bench, counted("shopee", everything[1]))
    record(bench, counted("shopee", everything[2], missing=("9",)))
    assert due() == []
    bench.clock.advance(hours=1)
    assert due() == [everything[0], everything[2]]
    record(bench, counted("shopee", everything[2]))
    assert due() == [everything[0]]


def test_the_ledgers_side_of_a_count(bench: Bench) -> None:
    for number, minutes in enumerate((0, 10, 20)):
        at = START + timedelta(minutes=minutes)
        bench.record(order(str(number), line("L1", 1), at=at))
    channel = bench.channels["shopee"]
    ids = [str(number) for number in range(450)]
    assert bench.read(lambda session: proofs.known_ids(session, channel, ids)) == {"0", "1", "2"}
    since, until = to_epoch_ms(START), to_epoch_ms(START + timedelta(minutes=20))
    of_day = bench.read(lambda session: proofs.orders_of_day(session, channel, since_ms=since, until_ms=until))
    assert [one.remote_id for one in of_day] == ["0", "1"]


def test_calls_add_up_by_day(bench: Bench) -> None:
    shopee, lazada = bench.channels["shopee"], bench.channels["lazada"]
    for _ in range(2):
        bench.write(
            lambda session: requests.add_requests(
                session,
                {(shopee, DAY, "read"): 5, (shopee, DAY, "write"): 1, (lazada, DAY + timedelta(days=1), "read"): 2},
            )
        )
    assert bench.read(lambda session: requests.requests_of_day(session, DAY)) == {shopee: 12}
    used = bench.read(lambda session: requests.requests_used(session, since=DAY, until=DAY + timedelta(days=2)))
    assert [(row.channel, row.day, row.reads, row.writes) for row in used] == [
        ("shopee", DAY, 10, 2),
        ("lazada", DAY + timedelta(days=1), 4, 0),
    ]
    bench.write(lambda session: requests.prune_requests(session, today=DAY + timedelta(days=requests.KEPT_DAYS + 1)))
    assert bench.read(lambda session: requests.requests_of_day(session, DAY)) == {}
    assert bench.read(lambda session: requests.requests_of_day(session, DAY + timedelta(days=1))) == {lazada: 4}


def test_a_new_day_ends_yesterdays_finding(bench: Bench) -> None:
    shopee = bench.channels["shopee"]
    bench.write(lambda session: requests.note_spent(session, shopee, DAY, "all used", now_ms=bench.now_ms()))
    bench.write(lambda session: requests.close_spent(session, shopee, DAY, now_ms=bench.now_ms()))
    assert findings(bench) == [("requests_spent", "2026-11-20")]
    bench.write(lambda session: requests.close_spent(session, shopee, DAY + timedelta(days=1), now_ms=bench.now_ms()))
    assert not findings(bench)
