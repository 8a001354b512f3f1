"""What the work itself remembers: leases, marks, trouble, runs and findings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from ledger_bench import START, Bench, line, order
from sqlmodel import Session

from sellersync.connector.contract import ChannelCapabilities, Stream
from sellersync.domain.errors import BadInput, Held, LeaseLost
from sellersync.domain.listings import LevelAnswer, PushOutcome, RemoteListing, TargetKey, Want
from sellersync.jobs import push_stock
from sellersync.jobs.world import Policy, Shop, World
from sellersync.store import findings, listings, pages, work

TTL_MS = 60_000


def take(bench: Bench, owner: str, name: str = "walk:1") -> work.HeldLease:
    return bench.write(lambda session: work.take_lease(session, name, owner, now_ms=bench.now_ms(), ttl_ms=TTL_MS))


def check(bench: Bench, lease: work.HeldLease) -> None:
    bench.write(lambda session: work.check_lease(session, lease, now_ms=bench.now_ms(), ttl_ms=TTL_MS))


# ---------------------------------------------------------------------------------------------------------------------------- leases


def test_a_lease_belongs_to_one_owner_until_it_runs_out(bench: Bench) -> None:
    first = take(bench, "one")
    with pytest.raises(Held, match="walk:1 is being done by one"):
        take(bench, "two")
    take(bench, "two", "walk:2")
    bench.clock.advance(seconds=61)
    second = take(bench, "two")
    assert second.fence > first.fence
    with pytest.raises(LeaseLost):
        check(bench, first)
    check(bench, second)


def test_a_lease_that_is_checked_lives_on(bench: Bench) -> None:
    lease = take(bench, "one")
    for _ in range(3):
        bench.clock.advance(seconds=40)
        check(bench, lease)
    with pytest.raises(Held):
        take(bench, "two")


def test_a_lease_that_ran_out_and_that_nobody_took_is_still_ours(bench: Bench) -> None:
    lease = take(bench, "one")
    bench.clock.advance(minutes=10)
    check(bench, lease)


def test_a_former_holder_cannot_give_a_lease_back_that_it_lost(bench: Bench) -> None:
    first = take(bench, "one")
    bench.clock.advance(seconds=61)
    second = take(bench, "two")
    bench.write(lambda session: work.release_lease(session, first))
    check(bench, second)
    bench.write(lambda session: work.release_lease(session, second))
    take(bench, "one")


def test_leases_of_a_process_that_is_gone_are_freed_at_once(bench: Bench) -> None:
    take(bench, "host:77:abc")
    take(bench, "host:78:def", "walk:2")
    bench.write(lambda session: work.free_leases_of(session, "host:77:"))
    take(bench, "two")
    with pytest.raises(Held):
        take(bench, "two", "walk:2")


def test_a_page_under_a_lost_lease_leaves_nothing(bench: Bench) -> None:
    bench.stocked("KOPI", 10)
    lost = take(bench, "one")
    bench.clock.advance(seconds=61)
    take(bench, "two")

    def page(session: Session) -> None:
        pages.record_page(
            session, bench.ledger, bench.rules(), lost, "orders", [order("A", line("KOPI", 1))],
            mark_at=START, progress="", closes=START, read_started_at=START,
        )  # fmt: skip

    with pytest.raises(LeaseLost):
        bench.write(page)
    assert bench.value("SELECT COUNT(*) FROM sales_order") == 0
    assert bench.value("SELECT COUNT(*) FROM mark") == 0


class SlowChannel:
    """A channel that applies every level; `meanwhile` runs while its answer is on the way."""

    capabilities = ChannelCapabilities(streams=frozenset({Stream.ORDERS}))

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.shown: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def provider_now(self) -> Any:
        return self.bench.clock.now()

    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        return [(want,) for want in wants]

    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        self.shown.extend(want.level for want in batch)
        self.meanwhile()
        return tuple(LevelAnswer(want.target, PushOutcome.APPLIED, shown=want.level) for want in batch)


@pytest.mark.parametrize("lost", [False, True])
def test_an_answer_under_a_lost_lease_is_unclear_and_nothing_more_is_sent(bench: Bench, lost: bool) -> None:
    bench.certain = frozenset()
    for code in ("KOPI", "TEH"):
        bench.stocked(code, 10)
    bench.push()
    bench.count("KOPI", 6, at=bench.clock.advance(minutes=1))
    bench.count("TEH", 7)
    channel_id = bench.channels["shopee"]
    bench.write(lambda session: work.note_first_walk(session, channel_id, now_ms=bench.now_ms()))
    channel = SlowChannel(bench)
    shop = Shop(channel_id, "shopee", cast(Any, channel), bench.rules(), timedelta(days=1))
    world = World(bench.ledger, bench.clock, "one", "install", Policy(), [shop])

    def another_process() -> None:
        bench.clock.advance(hours=1)
        take(bench, "two", f"{push_stock.JOB}:{channel_id}")

    if lost:
        channel.meanwhile = another_process
    run = asyncio.run(push_stock.run(world, shop))
    assert run is not None
    pushed = bench.query("SELECT level, outcome FROM push ORDER BY id DESC LIMIT 2")
    if lost:
        assert channel.shown == [6]
        assert bench.target("KOPI") is None
        assert pushed[0] == (6, "unclear")
        assert run.outcome == "temporary"
    else:
        assert channel.shown == [6, 7]
        assert (bench.target("KOPI"), bench.target("TEH")) == (6, 7)
        assert pushed == [(7, "applied"), (6, "applied")]


# ----------------------------------------------------------------------------------------------------------------------------- marks


def move(bench: Bench, at_minutes: float, progress: str = "", *, closes: bool = False) -> None:
    at = START + timedelta(minutes=at_minutes)
    bench.write(
        lambda session: work.move_mark(
            session, 1, "orders", at=START, progress=progress, closes=at if closes else None, now_ms=bench.now_ms()
        )
    )


def mark(bench: Bench) -> tuple[float, str, int]:
    state = bench.read(lambda session: work.mark_of(session, 1, "orders", first_from=START - timedelta(minutes=60)))
    return ((state.at - START) / timedelta(minutes=1), state.progress, state.walks)


def test_a_mark_moves_only_with_the_last_page_of_its_window_and_never_back(bench: Bench) -> None:
    assert mark(bench) == (-60, "", 0)
    move(bench, 0, "page 2")
    assert mark(bench) == (0, "page 2", 0)
    move(bench, 30, closes=True)
    assert mark(bench) == (30, "", 1)
    move(bench, 10, closes=True)  # a window that another process had walked further
    assert mark(bench) == (30, "", 2)


# --------------------------------------------------------------------------------------------------------------- trouble and recovery


def channel_state(bench: Bench) -> work.ChannelState:
    found = bench.read(lambda session: work.channel_by_slug(session, "shopee"))
    assert found is not None
    return found


def trouble(bench: Bench, **more: Any) -> float:
    """Seconds for which the channel backs off."""
    bench.write(
        lambda session: work.note_trouble(
            session, bench.channels["shopee"], "no connection", now_ms=bench.now_ms(), **more
        )
    )
    until = channel_state(bench).paused_until
    assert until is not None
    return (until - bench.clock.now()).total_seconds()


def test_a_sick_channel_backs_off_doubling_and_bounded_and_recovers_by_itself(bench: Bench) -> None:
    pauses = [trouble(bench) for _ in range(10)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == pauses[-1] == 900
    assert bench.findings("channel_trouble") == ["channel"]
    assert channel_state(bench).trouble_since == bench.clock.now()
    bench.write(lambda session: work.note_ok(session, bench.channels["shopee"], now_ms=bench.now_ms(), pulled=True))
    state = channel_state(bench)
    assert (state.state, state.paused_until, state.last_pull) == ("ok", None, bench.clock.now())
    assert bench.findings("channel_trouble") == []
    assert trouble(bench) == 5


def test_a_pause_that_the_provider_asked_for_is_kept_within_an_hour(bench: Bench) -> None:
    assert trouble(bench, until_ms=bench.now_ms() + 77_000) == 77
    assert trouble(bench, until_ms=bench.now_ms() + 10**9) == 3600


def test_the_remote_shop_decides_which_channel_it_is(bench: Bench) -> None:
    """A slug may be renamed; an id is never given to another shop."""

    def ensure(slug: str, shop: str) -> int:
        return bench.write(
            lambda session: work.ensure_channel(
                session, provider="shopee", remote_shop_id=shop, slug=slug, kind="channel", warehouse_id=bench.warehouse,
                now_ms=bench.now_ms(),
            )
        )  # fmt: skip

    assert ensure("toko-baru", "shop-shopee") == bench.channels["shopee"]
    other = ensure("shopee", "another-shop")
    assert other not in (bench.channels["shopee"], bench.channels["lazada"])


# ------------------------------------------------------------------------------------------------------------------- runs, findings


def test_a_run_that_never_ended_is_shown_as_interrupted_by_the_next_one(bench: Bench) -> None:
    def start(channel_id: int | None) -> int:
        return bench.write(lambda session: work.start_run(session, "pull", channel_id, now_ms=bench.now_ms()))

    start(1)
    start(None)
    start(2)
    last = start(1)
    bench.write(lambda session: work.end_run(session, last, "ok", now_ms=bench.now_ms(), counts={"new": 2}))
    start(None)
    outcomes = [row[0] for row in bench.query("SELECT outcome FROM job_run ORDER BY id")]
    assert outcomes == ["interrupted", "interrupted", "running", "ok", "running"]


def test_old_runs_without_trouble_are_forgotten_and_the_last_of_each_job_is_kept(bench: Bench) -> None:
    def run(session: Session) -> None:
        for outcome in ("ok", "error", "ok"):
            work.end_run(
                session, work.start_run(session, "pull", 1, now_ms=bench.now_ms()), outcome, now_ms=bench.now_ms()
            )

    bench.write(run)
    bench.write(lambda session: work.prune_runs(session, before_ms=bench.now_ms() + 1))
    assert bench.query("SELECT outcome FROM job_run ORDER BY id") == [("error",), ("ok",)]


def test_a_finding_is_open_once_and_opens_again_after_it_was_closed(bench: Bench) -> None:
    def raised(**details: Any) -> bool:
        return bench.write(
            lambda session: findings.raise_finding(session, "late", "P1", now_ms=bench.now_ms(), details=details)
        )

    assert raised(hours=1) is True
    bench.clock.advance(hours=1)
    assert raised(hours=2) is False
    since, seen, details = bench.query("SELECT since_ms, seen_ms, details FROM finding")[0]
    assert (seen - since, details) == (3_600_000, '{"hours": 2}')
    bench.write(lambda session: findings.close_finding(session, "late", "P1", now_ms=bench.now_ms()))
    assert bench.findings("late") == []
    assert raised(hours=3) is True
    assert bench.value("SELECT COUNT(*) FROM finding") == 2


def test_the_findings_of_a_kind_are_made_exactly_what_is_wrong_now(bench: Bench) -> None:
    def keep(*subjects: str) -> list[str]:
        bench.write(
            lambda session: findings.keep_findings(
                session, "late", {one: {} for one in subjects}, now_ms=bench.now_ms()
            )
        )
        return bench.findings("late")

    assert keep("P1", "P2") == ["P1", "P2"]
    assert keep("P2", "P3") == ["P2", "P3"]
    assert keep() == []


# -------------------------------------------------------------------------------------------------------------------------- listings


def pull(bench: Bench, *found: RemoteListing, adopt: bool = False) -> listings.ListingsPulled:
    return bench.write(
        lambda session: listings.record_listings(
            session, bench.channels["shopee"], found, now_ms=bench.now_ms(), adopt_skus=adopt
        )
    )


def listed(key: str, seller_sku: str, **more: Any) -> RemoteListing:
    return RemoteListing(key, seller_sku, f"Barang {key}", (TargetKey(key),), **more)


def test_listings_are_mapped_by_their_seller_sku_and_others_are_named(bench: Bench) -> None:
    bench.sku("KOPI-250")
    pulled = pull(bench, listed("1", "KOPI-250"), listed("2", "TEH-100"), listed("3", ""))
    assert (pulled.new, pulled.mapped, pulled.unmapped) == (3, 1, 2)
    assert bench.findings("unmapped_listing") == ["2", "3"]
    again = pull(bench, listed("2", "TEH-100"), adopt=True)
    assert (again.new, again.mapped) == (0, 1)
    assert bench.findings("unmapped_listing") == ["3"]
    assert [row[0] for row in bench.query("SELECT code FROM sku ORDER BY code")] == ["KOPI-250", "TEH-100"]


def test_a_listing_that_is_mapped_while_its_orders_wait_resolves_them(bench: Bench) -> None:
    bench.record(order("A", line("1", 2)))
    assert pull(bench, listed("1", "KOPI-250"), adopt=True).orders_resolved == 1
    assert bench.position("A", "KOPI-250") == (2, 0)
    assert bench.value("SELECT target_id FROM order_line") == bench.value("SELECT id FROM target")


def test_a_listing_whose_number_moves_to_its_parent_changes_its_target(bench: Bench) -> None:
    pull(bench, listed("1", "KOPI"), adopt=True)
    pull(bench, RemoteListing("1", "KOPI", "Kopi", (TargetKey("parent"),)))
    bench.count("KOPI", 4)
    assert {one.key.remote_key: one.level for one in bench.plan().send} == {"parent": 4}


def test_a_recipe_of_nothing_and_an_unknown_listing_are_refused(bench: Bench) -> None:
    pull(bench, listed("1", "KOPI"), adopt=True)
    with pytest.raises(BadInput, match="no listing '9' on this channel"):
        bench.map("9", {"KOPI": 1})
    for recipe in ({}, {"KOPI": 0}):
        with pytest.raises(BadInput, match="at least one SKU with a positive quantity"):
            bench.map("1", recipe)
