"""The daemon: when which trip runs, signals, drain and watchdog. No rule of the trade stands here.

Every channel has its own trips at its own intervals; a pull that changed what is on the shelf sends the pushes of all channels off
at once. A trip's failure is its own: the schedule goes on.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from sellersync.app import App, build, process_name
from sellersync.connector.contract import Stream
from sellersync.desk.files import purge_files
from sellersync.domain.errors import Held, SellersyncError
from sellersync.jobs import (
    book_couriers,
    check_health,
    compare_stock,
    fetch_labels,
    hand_back,
    prove_orders,
    pull_listings,
    pull_orders,
    pull_settlements,
    push_stock,
    seal,
    tell,
    track_parcels,
)
from sellersync.jobs.world import CourierAccount, Run, Shop
from sellersync.settings import Settings
from sellersync.store import deliveries, labels, reads, requests, work
from sellersync.store.findings import close_finding, raise_finding
from sellersync.store.instance import AlreadyRunning, Instance
from sellersync.store.ledger import Session

log = logging.getLogger("sellersync.daemon")

STOPPED, ALREADY_RUNNING = 0, 75
OWNER_PREFIX = "daemon:"
LEASE = "daemon"
LEASE_MS = 60_000
HEARTBEAT_S = 10.0
START_SPREAD_S_MAX = 1.0
MISFIRE_GRACE_S = 3_600
PRUNE_S = 86_400.0
HEALTH_S = 86_400.0
LABELS_S = 60.0
PROVE_S = 600.0
REQUESTS_S = 300.0
HEALTH_JITTER = 0.1
RUNS_KEPT_MS = 14 * 86_400_000
MESSAGES_KEPT_MS = 180 * 86_400_000
BUG = "bug"
QUIET_COUNTS = frozenset({"unchanged", "reread", "read_back", "looked", "uncounted", "seen", "mapped", "unmapped"})
"""Counts of a run that are no news."""
YOUNG_OBJECTS_MAX = 10_000


def run(settings: Settings) -> int:
    """Build everything, serve until a signal, and return the exit code: 0 stopped as asked, 75 another daemon has this ledger."""
    return asyncio.run(_build_and_serve(settings))


async def _build_and_serve(settings: Settings) -> int:
    app = build(settings, owner=OWNER_PREFIX + process_name())
    look_for_cycles_rarely()
    try:
        return await serve(app)
    finally:
        await app.close()


def look_for_cycles_rarely() -> None:
    """A page of orders is many objects that die by themselves; looking among them for cycles took a tenth of a pull's CPU time.

    What the start built stays for good and is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)


async def serve(app: App) -> int:
    """Run all trips of `app` until SIGTERM or SIGINT, then let running ones finish within `jobs.drain_s`. Returns the exit code."""
    try:
        instance = Instance(app.settings.ledger.url)
    except AlreadyRunning as other:
        log.error("the daemon of this ledger runs already (%s); stop it first, or let it work", other)
        return ALREADY_RUNNING
    try:
        return await Daemon(app, instance).serve()
    finally:
        instance.release()


class Every(BaseTrigger):  # type: ignore[misc]
    """Fires every `period_s`, varied by a random share, so that channels do not march in step. The first time soon."""

    def __init__(self, period_s: float, jitter: float, rng: Random) -> None:
        self._period_s = period_s
        self._jitter = jitter
        self._rng = rng

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        if previous_fire_time is None:
            return now + timedelta(seconds=self._rng.uniform(0, min(self._period_s, START_SPREAD_S_MAX)))
        return now + timedelta(seconds=self._period_s * (1 + self._rng.uniform(-self._jitter, self._jitter)))


class Trip:
    """One job on one channel (or on none): never twice at a time, and a kick during a run is answered by one more run."""

    def __init__(self, name: str, errand: Callable[[], Awaitable[object]], on_bug: Callable[[str], Awaitable[None]]):
        self.name = name
        self.task: asyncio.Task[None] | None = None
        self.closing = False
        self._errand = errand
        self._on_bug = on_bug
        self._again = False

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()

    async def tick(self) -> None:
        """The schedule says that it is time; a run under way counts."""
        if not self.busy:
            self.kick()

    def kick(self) -> None:
        """There is something to do: run now, or once more after the present run."""
        if self.closing:
            return
        if self.busy:
            self._again = True
        else:
            self.task = asyncio.create_task(self._go(), name=self.name)

    async def _go(self) -> None:
        while True:
            self._again = False
            try:
                self._tell(await self._errand())
            except Held as held:
                log.debug("%s: %s", self.name, held)
            except SellersyncError as failure:
                log.warning("%s: %s", self.name, failure)
            except Exception as bug:
                log.exception("%s: a bug", self.name)
                with suppress(Exception):
                    await self._on_bug(f"{type(bug).__name__}: {bug}")
            if self.closing or not self._again:
                return

    def _tell(self, result: object) -> None:
        """What a run did, for the log; trouble was logged where it happened."""
        if isinstance(result, Run) and result.ok:
            told = {name: number for name, number in result.counts.items() if name not in QUIET_COUNTS}
            if told:
                words = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in sorted(told.items()))
                log.info("%s: %s", self.name, words)


class Daemon:
    """The schedule of one app. `instance` is the right to be its only daemon."""

    def __init__(self, app: App, instance: Instance) -> None:
        self._app = app
        self._world = app.world
        self._instance = instance
        self._rng = Random(app.world.owner)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._trips: dict[tuple[str, int], Trip] = {}
        self._unlisted: set[int] = set()
        self._uncompared = {shop.id for shop in app.world.shops}
        self._shelf_version = 0
        self._changed_ms: dict[int, int] = {}
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._exit_code = STOPPED

    async def serve(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, signal.Signals(number).name)
        await self._take_over()
        self._schedule()
        self._scheduler.start()
        keepers = [asyncio.create_task(self._heartbeat()), asyncio.create_task(self._watchdog())]
        notify("READY=1")
        log.info("running: %s", ", ".join(shop.slug for shop in self._world.shops) or "no channel is configured")
        try:
            await self._stop.wait()
        finally:
            notify("STOPPING=1")
            await self._drain()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            self._scheduler.shutdown(wait=False)
            with suppress(SellersyncError):
                await self._world.ledger.write(self._resign, name="daemon_end")
        log.info("stopped")
        return self._exit_code

    # -- the start

    async def _take_over(self) -> None:
        """The lock of the instance is ours, so a former daemon is gone and nothing that it held is held by anybody."""
        await self._world.ledger.write(self._begin, name="daemon_begin")
        listed = await self._world.ledger.read(reads.channels_with_listings)
        self._unlisted = {shop.id for shop in self._world.shops} - listed

    def _begin(self, session: Session) -> None:
        now_ms = self._world.ledger.now_ms()
        work.free_leases_of(session, OWNER_PREFIX)
        work.take_lease(session, LEASE, self._world.owner, now_ms=now_ms, ttl_ms=LEASE_MS)
        for channel_id, subject in reads.open_findings_of_kind(session, BUG):
            close_finding(session, BUG, subject, channel_id=channel_id, now_ms=now_ms)

    def _resign(self, session: Session) -> None:
        work.free_leases_of(session, self._world.owner)

    def _schedule(self) -> None:
        jobs = self._app.settings.jobs
        for shop in self._world.shops:
            channel = self._app.settings.channels[shop.slug]
            self._add(pull_orders.JOB, shop, partial(self._pull, shop), channel.poll_s, channel.jitter)
            self._add(push_stock.JOB, shop, partial(self._push, shop), channel.push_s, channel.jitter)
            self._add(
                book_couriers.JOB, shop, partial(book_couriers.run, self._world, shop), jobs.book_s, channel.jitter
            )
            self._add(track_parcels.JOB, shop, partial(self._track, shop), jobs.track_s, channel.jitter)
            if fetch_labels.offers_labels(shop):
                self._add(
                    fetch_labels.JOB, shop, partial(fetch_labels.run, self._world, shop), LABELS_S, channel.jitter
                )
            if shop.channel.capabilities.hands_back:
                self._add(hand_back.JOB, shop, partial(hand_back.run, self._world, shop), jobs.book_s, channel.jitter)
            self._add(pull_listings.JOB, shop, partial(self._listings, shop), jobs.listings_s, channel.jitter)
            if Stream.SETTLEMENTS in shop.channel.capabilities.streams:
                self._add(
                    pull_settlements.JOB,
                    shop,
                    partial(pull_settlements.run, self._world, shop),
                    jobs.settlements_s,
                    channel.jitter,
                )
            if shop.channel.capabilities.counts_placed:
                self._add(prove_orders.JOB, shop, partial(self._prove, shop), PROVE_S, channel.jitter)
            self._add(
                compare_stock.JOB,
                shop,
                partial(self._compare, shop),
                self._app.settings.compare.every_s,
                channel.jitter,
            )
        accounts: list[Shop | CourierAccount] = [*self._world.shops, *self._world.couriers]
        for account in accounts:
            self._add(
                check_health.JOB, account, partial(check_health.run, self._world, account), HEALTH_S, HEALTH_JITTER
            )
        self._add(seal.JOB, None, partial(seal.run, self._world), jobs.seal_s, 0.0)
        if self._world.post is not None:
            from sellersync.jobs import send_mails  # what it loads is of no use to shops that send no mail

            every_s = self._app.settings.mail.every_s
            self._add(send_mails.JOB, None, partial(send_mails.run, self._world), every_s, 0.0)
        if tell.wanted(self._app.settings):
            errand = partial(tell.run, self._world.ledger, self._app.settings)
            self._add(tell.JOB, None, errand, self._app.settings.alerts.every_s, 0.0)
        self._add("keep_requests", None, self._app.keep_requests, REQUESTS_S, 0.0)
        self._add("prune_runs", None, self._prune, PRUNE_S, 0.0)

    def _add(
        self,
        job: str,
        shop: Shop | CourierAccount | None,
        errand: Callable[[], Awaitable[object]],
        period_s: float,
        jitter: float,
    ) -> None:
        channel_id = 0 if shop is None else shop.id
        name = job if shop is None else f"{job} {shop.slug}"
        trip = Trip(name, errand, partial(self._keep_bug, job, channel_id))
        self._trips[job, channel_id] = trip
        self._scheduler.add_job(
            trip.tick,
            Every(period_s, jitter, self._rng),
            id=name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=MISFIRE_GRACE_S,
        )

    # -- the trips

    async def _pull(self, shop: Shop) -> Run | None:
        if shop.id in self._unlisted:
            await self._first_listings(shop)
        run = await self._spread(shop, await pull_orders.run(self._world, shop))
        if shop.id in self._uncompared:  # until the first walk is complete there is nothing to compare
            self._trips[compare_stock.JOB, shop.id].kick()
        return run

    async def _push(self, shop: Shop) -> Run | None:
        return await self._spread(
            shop, await push_stock.run(self._world, shop)
        )  # its fresh pull may have brought orders

    async def _track(self, shop: Shop) -> Run | None:
        return await self._spread(shop, await track_parcels.run(self._world, shop))

    async def _listings(self, shop: Shop) -> Run | None:
        if shop.id in self._unlisted:
            return None
        return await self._spread(shop, await pull_listings.run(self._world, shop))

    async def _compare(self, shop: Shop) -> Run | None:
        run = await compare_stock.run(self._world, shop)
        if run is not None and run.outcome not in ("temporary", "rate_limited"):
            self._uncompared.discard(shop.id)
        return await self._spread(shop, run)

    async def _prove(self, shop: Shop) -> Run | None:
        zone = self._app.settings.shop.zone
        return await self._spread(shop, await prove_orders.run_due(self._world, shop, zone))

    async def _first_listings(self, shop: Shop) -> None:
        """A channel without listings has them read before its first orders. No SKU is made: that is a person's decision."""
        run: Run | None = await pull_listings.run(self._world, shop)
        if run is not None and run.ok:
            self._unlisted.discard(shop.id)

    async def _spread(self, shop: Shop, run: Run | None) -> Run | None:
        """What a trip changed is passed on at once: new numbers to all channels, new orders of this channel to the couriers."""
        shelf, changed_ms = await self._world.ledger.read(partial(reads.pulse, channel_id=shop.id))
        if shelf > self._shelf_version:
            self._shelf_version = shelf
            for other in self._world.shops:
                self._trips[push_stock.JOB, other.id].kick()
        if changed_ms > self._changed_ms.get(shop.id, 0):
            self._changed_ms[shop.id] = changed_ms
            self._trips[book_couriers.JOB, shop.id].kick()
        return run

    async def _prune(self) -> None:
        before_ms = self._world.ledger.now_ms() - RUNS_KEPT_MS
        await self._world.ledger.write(partial(work.prune_runs, before_ms=before_ms), name="prune_runs")
        today = self._world.clock.now().astimezone(UTC).date()
        await self._world.ledger.write(partial(requests.prune_requests, today=today), name="prune_requests")
        before_ms = self._world.ledger.now_ms() - MESSAGES_KEPT_MS
        await self._world.ledger.write(partial(deliveries.prune, before_ms=before_ms), name="prune_messages")
        await self._forget_labels()

    async def _forget_labels(self) -> None:
        """Labels hold names and addresses: what is no longer needed of them goes, in the ledger and in the desk's folder."""
        settings, ledger = self._app.settings, self._world.ledger
        kept_days = settings.desk.labels_kept_days
        await ledger.write(
            partial(labels.purge_labels, kept_days=kept_days, now_ms=ledger.now_ms()), name="labels_purge"
        )
        purge_files(settings.label_dir, kept_days=kept_days, now=self._world.clock.now())

    async def _keep_bug(self, job: str, channel_id: int, what: str) -> None:
        """A bug of ours is a finding until the next start: a person should know of it, whatever it broke."""
        details = {"what": self._app.redactor(what)[:300]}
        await self._world.ledger.write(
            lambda session: raise_finding(
                session, BUG, job, channel_id=channel_id, details=details, now_ms=self._world.ledger.now_ms()
            ),
            name="keep_bug",
        )

    # -- life

    async def _heartbeat(self) -> None:
        while True:
            await self._world.clock.sleep(HEARTBEAT_S)
            try:
                await self._beat()
            except Exception:
                log.exception("heartbeat")

    async def _beat(self) -> None:
        """Show that this daemon lives; stop when the database is not ours any more."""
        try:
            await self._world.ledger.write(self._prolong, name="heartbeat")
            ours = await asyncio.to_thread(self._instance.held)
        except Held as other:
            log.error("another daemon took over: %s", other)
            ours = False
        if not ours:
            log.error("this database is not ours any more: stopping")
            self._exit_code = ALREADY_RUNNING
            self._stop.set()
        states = await self._world.ledger.read(work.channels)
        unwell = [state.slug for state in states if state.state != "ok"]
        notify(f"STATUS={len(self._world.shops)} channels, {'trouble: ' + ', '.join(unwell) if unwell else 'all well'}")

    def _prolong(self, session: Session) -> None:
        work.take_lease(session, LEASE, self._world.owner, now_ms=self._world.ledger.now_ms(), ttl_ms=LEASE_MS)

    async def _watchdog(self) -> None:
        """Ping systemd while the loop turns."""
        usec = int(os.environ.get("WATCHDOG_USEC", "0") or 0)
        while usec > 0:
            notify("WATCHDOG=1")
            await self._world.clock.sleep(usec / 2_000_000)

    def _on_signal(self, name: str) -> None:
        if self._stop.is_set():
            log.warning("%s again: stopping at once", name)
            self._hurry.set()
        else:
            log.info("%s: finishing what runs", name)
        self._stop.set()

    async def _drain(self) -> None:
        """Nothing new begins; what runs may finish within `drain_s`, then it is cut (the ledger settles it at the next start)."""
        self._scheduler.pause()
        self._world.stopping = True
        running = [trip.task for trip in self._trips.values() if trip.task is not None and trip.busy]
        for trip in self._trips.values():
            trip.closing = True
        if not running:
            return
        finished: asyncio.Future[Any] = asyncio.ensure_future(asyncio.wait(running))
        hurry = asyncio.create_task(self._hurry.wait())
        drain_s = self._app.settings.jobs.drain_s
        await asyncio.wait({finished, hurry}, timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for task in running:
            if task.cancel():
                log.warning("%s was cut; the next start settles it", task.get_name())
        await asyncio.gather(*running, finished, return_exceptions=True)


def notify(message: str) -> None:
    """Tell systemd about our state (sd_notify); does nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.connect("\0" + address[1:] if address.startswith("@") else address)
        listener.sendall(message.encode())
