"""Settlements in: what each channel paid out or kept. Their trouble (a permission that is missing) is their own: orders go on."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sellersync.connector.contract import Mark, Page, Settlement, Stream
from sellersync.domain.errors import LeaseLost, SellersyncError
from sellersync.domain.times import to_epoch_ms
from sellersync.store import pages, settlements, work
from sellersync.store.findings import close_finding, raise_finding
from sellersync.store.ledger import Session
from sellersync.store.settlements import SettlementsRecorded

from .world import Run, Shop, World, log, outcome_of, paused, running

JOB = "pull_settlements"
UNREAD = "settlements_unread"


async def run(
    world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False, replay: bool = False
) -> Run | None:
    """Read what one channel settled since the last time. `None` when the channel is backing off (unless `force`), and where it has no
    settlements to show.

    Rows that could not be read are walked again from time to time, or now with `replay`.
    """
    if Stream.SETTLEMENTS not in shop.channel.capabilities.streams or (not force and await paused(world, shop.id)):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        started_ms = world.ledger.now_ms()
        since = await world.ledger.read(
            partial(pages.replay_from, channel_id=shop.id, now_ms=started_ms, at_once=replay, kind=pages.SETTLEMENT)
        )
        try:
            await _walk(world, shop, run, since)
        except LeaseLost:
            raise
        except SellersyncError as trouble:
            await _keep_trouble(world, shop, run, trouble)
            return run
        run.at_end.append(partial(_finish, world=world, shop=shop, since=since, started_ms=started_ms))
    return run


async def _walk(world: World, shop: Shop, run: Run, since: datetime | None) -> None:
    first_from = world.clock.now() - shop.first_walk
    state = await world.ledger.read(
        partial(work.mark_of, channel_id=shop.id, stream=Stream.SETTLEMENTS.value, first_from=first_from)
    )
    mark = Mark(state.at, state.progress) if since is None or since >= state.at else Mark(since)
    async for page in shop.channel.pages(Stream.SETTLEMENTS, mark):
        recorded = await world.ledger.write(
            partial(_record, world=world, shop=shop, page=page, mark_at=mark.at, run=run), name="record_settlements"
        )
        run.count("new", recorded.new)
        run.count("changed", recorded.changed)
        run.count("unchanged", recorded.same)
        run.count("of_unknown_orders", recorded.of_unknown_orders)


def _record(
    session: Session, *, world: World, shop: Shop, page: Page, mark_at: datetime, run: Run
) -> SettlementsRecorded:
    now_ms = world.ledger.now_ms()
    work.check_lease(session, run.lease, now_ms=now_ms, ttl_ms=work.LEASE_MS)
    rows = [row for row in page.rows if isinstance(row, Settlement)]
    recorded = settlements.record_settlements(session, shop.id, rows, now_ms=now_ms)
    mark_ms = to_epoch_ms(mark_at)
    pages.note_unreadable(session, shop.id, page.skipped, mark_ms=mark_ms, now_ms=now_ms, kind=pages.SETTLEMENT)
    work.move_mark(
        session,
        shop.id,
        Stream.SETTLEMENTS.value,
        at=mark_at,
        progress=page.progress,
        closes=page.closes,
        now_ms=now_ms,
    )
    return recorded


async def _keep_trouble(world: World, shop: Shop, run: Run, trouble: SellersyncError) -> None:
    """The run's row and a finding keep it; the channel itself does not back off for it."""
    run.outcome, run.error = outcome_of(trouble), str(trouble)
    log.warning("%s on %s: %s", JOB, shop.slug, trouble)
    now_ms = world.ledger.now_ms()
    await world.ledger.write(
        lambda session: raise_finding(
            session, UNREAD, "settlements", channel_id=shop.id, now_ms=now_ms, details={"why": str(trouble)[:500]}
        ),
        name="settlements_trouble",
    )


def _finish(session: Session, *, world: World, shop: Shop, since: datetime | None, started_ms: int) -> None:
    now_ms = world.ledger.now_ms()
    close_finding(session, UNREAD, "settlements", channel_id=shop.id, now_ms=now_ms)
    if since is not None:
        pages.close_readable(session, shop.id, since=since, started_ms=started_ms, now_ms=now_ms, kind=pages.SETTLEMENT)
    pages.forget_unreadable(session, shop.id, now_ms=now_ms, kind=pages.SETTLEMENT)
