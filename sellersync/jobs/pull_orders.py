"""Orders in: from the mark, page by page, each page one transaction; the window's last page moves the mark (L6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sellersync.connector.contract import Gone, Mark, Page, Stream
from sellersync.domain.orders import Order
from sellersync.domain.returns import RemoteCancellation, RemoteReturn
from sellersync.domain.times import to_epoch_ms
from sellersync.store import cancellations, pages, remote_returns, work
from sellersync.store.ledger import Session
from sellersync.store.orders import Recorded

from .world import Run, Shop, World, paused, running

JOB = "pull_orders"
REREAD_MAX = 100
_ABOUT_AN_ORDER = (RemoteCancellation, RemoteReturn)
WALKED = (Stream.ORDERS, Stream.CANCELLATIONS, Stream.RETURNS, Stream.TRASH)


async def run(
    world: World,
    shop: Shop,
    *,
    wait_s: float = 0.0,
    force: bool = False,
    replay: bool = False,
    also: Sequence[str] = (),
) -> Run | None:
    """Pull everything that changed on one channel into the ledger. `None` when the channel is backing off (unless `force`).

    Rows that could not be read are walked again from time to time, or now with `replay`. Orders with the remote ids `also` are read
    again by id, whatever changed.
    """
    if not force and await paused(world, shop.id):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        started_ms = world.ledger.now_ms()
        since = await world.ledger.read(
            partial(pages.replay_from, channel_id=shop.id, now_ms=started_ms, at_once=replay)
        )
        for stream in WALKED:
            if stream in shop.channel.capabilities.streams:
                await _walk(world, shop, stream, run, since)
        await _reread(world, shop, run, also)
        if since is not None:
            run.at_end.append(
                partial(pages.close_readable, channel_id=shop.id, since=since, started_ms=started_ms, now_ms=started_ms)
            )
        run.at_end.append(partial(_finish, world=world, shop=shop, run=run))
    return run


async def _walk(world: World, shop: Shop, stream: Stream, run: Run, since: datetime | None) -> None:
    first_from = world.clock.now() - shop.first_walk
    state = await world.ledger.read(
        partial(work.mark_of, channel_id=shop.id, stream=stream.value, first_from=first_from)
    )
    mark = Mark(state.at, state.progress)
    if stream is Stream.CANCELLATIONS:
        since = await _unsettled(world, shop, since)
    if since is not None and since < state.at:
        mark = Mark(since)
    async for page in shop.channel.pages(stream, mark):
        recorded = await world.ledger.write(
            partial(_record, world=world, shop=shop, stream=stream, page=page, mark_at=mark.at, run=run),
            name="record_page",
        )
        _count(run, recorded)
        others = [row.order_id for row in page.rows if isinstance(row, _ABOUT_AN_ORDER)]
        if others:
            await read_by_id(world, shop, run, others)


async def _unsettled(world: World, shop: Shop, since: datetime | None) -> datetime | None:
    """Requests whose answer got no reply are read again even where nothing changed: only that settles the answer."""
    now_ms = world.ledger.now_ms()
    unsettled = await world.ledger.read(partial(cancellations.unsettled_since, channel_id=shop.id, now_ms=now_ms))
    return min((at for at in (since, unsettled) if at is not None), default=None)


def _record(
    session: Session, *, world: World, shop: Shop, stream: Stream, page: Page, mark_at: datetime, run: Run
) -> Recorded:
    now_ms = world.ledger.now_ms()
    recorded = pages.record_page(
        session,
        world.ledger,
        shop.rules,
        run.lease,
        stream.value,
        [row for row in page.rows if isinstance(row, Order)],
        mark_at=mark_at,
        progress=page.progress,
        closes=page.closes,
        read_started_at=page.read_started_at,
        skipped=page.skipped,
        requests_in_orders=_requests_in_orders(shop),
    )
    read_ms = to_epoch_ms(page.read_started_at)
    others = [row for row in page.rows if not isinstance(row, Order)]
    for row in others:
        if isinstance(row, Gone):
            pages.note_gone(session, shop.id, row.remote_id, row.how, now_ms=now_ms, read_ms=read_ms)
    asked = [row for row in others if isinstance(row, RemoteCancellation)]
    cancellations.record_cancellations(session, shop.id, asked, read_ms=read_ms, now_ms=now_ms)
    come_back = [row for row in others if isinstance(row, RemoteReturn)]
    remote_returns.record_remote_returns(session, shop.id, come_back, now_ms=now_ms)
    return recorded


def _requests_in_orders(shop: Shop) -> bool:
    return Stream.CANCELLATIONS not in shop.channel.capabilities.streams


async def _reread(world: World, shop: Shop, run: Run, also: Sequence[str]) -> None:
    """Orders that wait for a moment (a free-cancel hour, an answer) and orders not read for a day are read again by id."""
    policy = world.policy
    ids = await world.ledger.read(
        partial(
            pages.orders_to_reread,
            channel_id=shop.id,
            now_ms=world.ledger.now_ms(),
            held_ms=round(policy.held_reread_s * 1000),
            open_ms=round(policy.open_reread_s * 1000),
            limit=REREAD_MAX,
        )
    )
    if ids or also:
        await read_by_id(world, shop, run, [*also, *ids])


async def read_by_id(world: World, shop: Shop, run: Run, ids: list[str]) -> None:
    """Read orders by the provider's ids and record what it shows."""
    answer = await shop.channel.orders_by_id(list(dict.fromkeys(ids)))
    recorded = await world.ledger.write(
        lambda session: pages.record_reread(
            session,
            world.ledger,
            shop.rules,
            answer.found,
            answer.gone,
            read_started_at=answer.read_started_at,
            skipped=answer.skipped,
            requests_in_orders=_requests_in_orders(shop),
        ),
        name="record_reread",
    )
    run.count("reread", len(answer.found))
    _count(run, recorded)


def _count(run: Run, recorded: Recorded) -> None:
    run.count("new", recorded.first)
    run.count("changed", recorded.newer)
    run.count("unchanged", recorded.same)
    run.count("older_refused", recorded.older)
    run.count("movements", recorded.movements)
    run.count("parked_lines", recorded.parked_lines)


def _finish(session: Session, *, world: World, shop: Shop, run: Run) -> None:
    now_ms = world.ledger.now_ms()
    run.count("holds_expired", pages.expire_holds(session, shop.id, now_ms=now_ms))
    pages.finish_walk(session, shop.id, now_ms=now_ms)
    work.note_ok(session, shop.id, now_ms=now_ms, pulled=True)


def changed(run: Run | None) -> bool:
    """Did the pull change anything that other channels must hear of?"""
    return run is not None and bool(run.counts.get("movements") or run.counts.get("holds_expired"))
