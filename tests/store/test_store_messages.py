"""Findings as messages, on both databases: each told once, reminded of while open, settled once, and never while it waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_bench import Bench

from sellersync.domain.errors import BadInput
from sellersync.store import alerts, deliveries
from sellersync.store.alerts import AlertRules
from sellersync.store.findings import close_finding, raise_finding

HOUR_MS = 3_600_000
RULES = AlertRules(("shortage", "bug"), min_age_ms=300_000, remind_after_ms=24 * HOUR_MS)


def plan(bench: Bench, notifier: str = "staff", rules: AlertRules = RULES) -> int:
    return bench.write(lambda session: alerts.plan_alerts(session, notifier, rules, now_ms=bench.now_ms()))


def raised(bench: Bench, subject: str, kind: str = "shortage") -> None:
    bench.write(lambda session: raise_finding(session, kind, subject, now_ms=bench.now_ms()))


def closed(bench: Bench, subject: str, kind: str = "shortage") -> None:
    bench.write(lambda session: close_finding(session, kind, subject, now_ms=bench.now_ms()))


def send_all(bench: Bench, outcome: str = "sent") -> list[tuple[str, str, int]]:
    """Take and settle what is due. Returns (kind, finding id, occasion) of each."""
    rows = bench.read(lambda session: deliveries.due(session, now_ms=bench.now_ms(), limit=100))
    ids = [row.id for row in rows]
    now_ms = bench.now_ms()
    taken = bench.write(lambda session: deliveries.begin(session, ids, now_ms=now_ms, deadline_ms=now_ms + 60_000))
    assert taken == sorted(ids)
    if outcome == "sent":
        bench.write(lambda session: deliveries.note_sent(session, ids, now_ms=now_ms))
    elif outcome == "unclear":
        bench.write(lambda session: deliveries.note_unclear(session, ids, "?", now_ms=now_ms))
    elif outcome == "refused":
        bench.write(lambda session: deliveries.note_refused(session, ids, "no", now_ms=now_ms))
    return [(row.kind, row.subject, row.occasion) for row in rows]


def test_a_finding_is_told_once_then_reminded_of_then_settled(bench: Bench) -> None:
    raised(bench, "KOPI")
    assert plan(bench) == 0, "too young"
    bench.clock.advance(minutes=6)
    assert (plan(bench), plan(bench)) == (1, 0)
    assert send_all(bench) == [("alert", "1", 0)]
    bench.clock.advance(hours=23)
    assert plan(bench) == 0
    bench.clock.advance(hours=2)
    assert plan(bench) == 1
    assert send_all(bench) == [("reminder", "1", 1)]
    bench.clock.advance(hours=25)
    assert plan(bench) == 1
    assert send_all(bench) == [("reminder", "1", 2)]
    closed(bench, "KOPI")
    assert (plan(bench), plan(bench)) == (1, 0)
    assert send_all(bench) == [("solved", "1", 0)]
    raised(bench, "KOPI")
    bench.clock.advance(minutes=6)
    assert plan(bench) == 1, "a new crossing"


def test_what_passes_soon_is_told_to_nobody(bench: Bench) -> None:
    raised(bench, "KOPI")
    bench.clock.advance(minutes=1)
    closed(bench, "KOPI")
    bench.clock.advance(hours=1)
    assert plan(bench) == 0


def test_what_was_settled_before_its_alert_went_out_is_dropped(bench: Bench) -> None:
    raised(bench, "KOPI")
    bench.clock.advance(minutes=6)
    plan(bench)
    closed(bench, "KOPI")
    assert plan(bench) == 0
    assert send_all(bench) == []
    assert bench.value("SELECT state FROM delivery") == "dropped"


@pytest.mark.parametrize(("outcome", "told"), [("sent", 1), ("unclear", 1), ("refused", 0)])
def test_that_it_is_settled_is_told_to_those_who_may_have_heard_of_it(bench: Bench, outcome: str, told: int) -> None:
    raised(bench, "KOPI")
    bench.clock.advance(minutes=6)
    plan(bench)
    send_all(bench, outcome)
    closed(bench, "KOPI")
    assert plan(bench) == told


def test_a_reminder_waits_for_the_message_before_it(bench: Bench) -> None:
    raised(bench, "KOPI")
    bench.clock.advance(minutes=6)
    plan(bench)
    bench.clock.advance(hours=30)
    assert plan(bench) == 0, "the alert itself still waits"


def test_other_kinds_and_other_readers(bench: Bench) -> None:
    raised(bench, "KOPI")
    raised(bench, "x", "unmapped_listing")
    bench.clock.advance(minutes=6)
    assert (plan(bench), plan(bench, "owner")) == (1, 1)
    assert len(send_all(bench)) == 2


def test_a_message_that_may_have_arrived_is_never_sent_again_by_itself(bench: Bench) -> None:
    raised(bench, "KOPI")
    bench.clock.advance(minutes=6)
    plan(bench)
    now_ms = bench.now_ms()
    bench.write(lambda session: deliveries.begin(session, [1], now_ms=now_ms, deadline_ms=now_ms + 60_000))
    assert bench.write(lambda session: deliveries.settle_cut_off(session, now_ms=bench.now_ms())) == 0
    bench.clock.advance(minutes=2)
    assert bench.write(lambda session: deliveries.settle_cut_off(session, now_ms=bench.now_ms())) == 1
    assert send_all(bench) == []
    assert bench.read(deliveries.troubled) == {"unclear": 1}
    assert bench.write(lambda session: deliveries.send_again(session, 1, now_ms=bench.now_ms())) == "unclear"
    assert bench.read(deliveries.troubled) == {}
    assert send_all(bench) == [("alert", "1", 0)]
    with pytest.raises(BadInput, match="is sent"):
        bench.write(lambda session: deliveries.send_again(session, 1, now_ms=bench.now_ms()))


def test_a_person_closes_what_arrived_after_all(bench: Bench) -> None:
    raised(bench, "KOPI")
    bench.clock.advance(minutes=6)
    plan(bench)
    send_all(bench, "unclear")
    bench.write(lambda session: deliveries.close(session, 1, now_ms=bench.now_ms()))
    assert bench.read(deliveries.troubled) == {}
    with pytest.raises(BadInput, match="is dropped"):
        bench.write(lambda session: deliveries.close(session, 1, now_ms=bench.now_ms()))


def test_what_is_put_off_waits_longer_each_time_and_is_given_up(bench: Bench) -> None:
    raised(bench, "KOPI")
    raised(bench, "TEH")
    bench.clock.advance(minutes=6)
    plan(bench)
    waits = []
    for _ in range(3):
        now_ms = bench.now_ms()
        taken = bench.write(
            lambda session, at=now_ms: deliveries.begin(session, [1], now_ms=at, deadline_ms=at + 60_000)
        )  # type: ignore[misc]
        assert taken == [1]
        bench.write(
            lambda session, at=now_ms: deliveries.note_later(  # type: ignore[misc]
                session, [1], "down", now_ms=at, again_ms=0, give_up_after_ms=24 * HOUR_MS, down=True
            )
        )
        next_ms = bench.value("SELECT next_ms FROM delivery WHERE id = 1")
        assert bench.value("SELECT next_ms FROM delivery WHERE id = 2") == next_ms, "the others wait as long"
        waits.append(next_ms - now_ms)
        bench.clock.advance(seconds=(next_ms - now_ms) / 1000)
    assert waits == [60_000, 120_000, 240_000]
    assert bench.value("SELECT COUNT(*) FROM finding WHERE kind = 'notifier_down' AND closed_ms IS NULL") == 1
    bench.clock.advance(hours=25)
    bench.write(
        lambda session: deliveries.note_later(
            session, [1], "down", now_ms=bench.now_ms(), again_ms=0, give_up_after_ms=24 * HOUR_MS, down=True
        )
    )
    assert bench.value("SELECT state FROM delivery WHERE id = 1") == "refused"
    send_all(bench)
    assert bench.value("SELECT COUNT(*) FROM finding WHERE kind = 'notifier_down' AND closed_ms IS NULL") == 0


def test_a_report_goes_once_to_each_reader_and_only_after_its_file(bench: Bench) -> None:
    def planned(names: list[str], subject: str) -> int:
        now_ms = bench.now_ms()
        return bench.write(
            lambda session: deliveries.plan_report(session, names, "day", subject, due_ms=now_ms - 1000, now_ms=now_ms)
        )

    assert planned(["staff"], "day 1") == 0, "whoever is new gets the next one"
    bench.clock.advance(hours=24)
    assert (planned(["staff"], "day 2"), planned(["staff"], "day 2")) == (2, 0)
    rows = bench.read(lambda session: deliveries.due(session, now_ms=bench.now_ms(), limit=9))
    assert [row.notifier for row in rows] == ["file"]
    send_all(bench)
    rows = bench.read(lambda session: deliveries.due(session, now_ms=bench.now_ms(), limit=9))
    assert [(row.notifier, row.subject) for row in rows] == [("staff", "day 2")]
    assert planned(["staff", "owner"], "day 2") == 0, "owner came after it was due"


def test_old_messages_are_forgotten_but_not_those_of_open_findings(bench: Bench) -> None:
    raised(bench, "KOPI")
    raised(bench, "TEH")
    bench.clock.advance(minutes=6)
    plan(bench)
    send_all(bench)
    closed(bench, "TEH")
    plan(bench)
    send_all(bench)
    bench.clock.advance(hours=24 * 200)
    bench.write(lambda session: deliveries.prune(session, before_ms=bench.now_ms() - 180 * 24 * HOUR_MS))
    assert bench.query("SELECT kind, subject FROM delivery") == [("alert", "1")]
    assert plan(bench) == 1, "only the reminder"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from("AB")),
        st.tuples(st.just("close"), st.sampled_from("AB")),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 60, 60 * 12, 60 * 25])),
        st.tuples(st.just("pass"), st.sampled_from(["sent", "unclear", "refused"])),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(steps=STEPS)
def test_messages_of_a_finding_are_bounded(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
) -> None:
    """Whatever opens, closes and passes: one alert, one reminder an interval at most, one word that it is settled, in this order."""
    path = tmp_path_factory.mktemp("bounded") / "ledger.db"
    path.write_bytes(sqlite_template.read_bytes())
    sent: list[tuple[int, str, str, int]] = []
    with Bench.open(f"sqlite:///{path}") as bench:
        for step, what in steps:
            if step == "open":
                raised(bench, str(what))
            elif step == "close":
                closed(bench, str(what))
            elif step == "wait":
                assert isinstance(what, int)
                bench.clock.advance(minutes=what)
            else:
                plan(bench)
                now_ms = bench.now_ms()
                sent += [(now_ms, *message) for message in send_all(bench, str(what))]
        findings = bench.query("SELECT CAST(id AS TEXT), since_ms, closed_ms FROM finding WHERE kind = 'shortage'")
    assert len({message[1:] for message in sent}) == len(sent), "nothing twice"
    for finding, since_ms, closed_ms in findings:
        told = [(at_ms, kind) for at_ms, kind, subject, _ in sent if subject == finding]
        assert [kind for _, kind in told].count("alert") <= 1
        assert [kind for _, kind in told].count("solved") <= 1
        if not told:
            continue
        first_ms = told[0][0]
        assert told[0][1] == "alert"
        assert first_ms - since_ms >= RULES.min_age_ms
        reminders = [at_ms for at_ms, kind in told if kind == "reminder"]
        until_ms = closed_ms if closed_ms is not None else bench.now_ms()
        assert len(reminders) <= (until_ms - first_ms) // RULES.remind_after_ms
        assert all(closed_ms is None or at_ms <= closed_ms for at_ms in [first_ms, *reminders])
        if told[-1][1] == "solved":
            assert closed_ms is not None
            assert told[-1][0] >= closed_ms
        else:
            assert "solved" not in [kind for _, kind in told]
