"""What every trip needs: the ledger, the clock, the channels, and the frame around a run (lease, row, trouble)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta

from sellersync.connector.contract import Channel, Courier, Handover, Place
from sellersync.connector.quota import background
from sellersync.domain.courier_rules import Rule, Terms
from sellersync.domain.differences import DEFAULT_POLICIES, Difference, DifferencePolicy
from sellersync.domain.errors import (
    AuthNeeded,
    ConfigError,
    Held,
    LeaseLost,
    QuotaSpent,
    RateLimited,
    SellersyncError,
    Temporary,
)
from sellersync.domain.levels import PushPolicy
from sellersync.domain.queue import DeskRules
from sellersync.domain.times import Clock, to_epoch_ms
from sellersync.domain.watching import WatchRules
from sellersync.notify.contract import Mailer, Sender
from sellersync.store import requests, work
from sellersync.store.ledger import Ledger, Session
from sellersync.store.orders import ChannelRules

log = logging.getLogger("sellersync.jobs")
WAIT_S = 0.2
CAN_WAIT = frozenset(
    {
        "check_health",
        "compare_stock",
        "fetch_labels",
        "prove_orders",
        "pull_listings",
        "pull_settlements",
        "track_parcels",
    }
)
"""Jobs whose reads stop first when the calls of a day run out."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The seller's choices and the waits of the trips, from the configuration."""

    buffer: int = 0
    zero_guard_share: float = 0.2
    zero_guard_min: int = 10
    blind_after_s: float = 300.0
    held_reread_s: float = 60.0
    open_reread_s: float = 86_400.0
    settle_margin_s: float = 5.0
    call_deadline_s: float = 60.0
    track_every_s: float = 300.0
    track_fresh_s: float = 86_400.0
    courier_terms: Terms = field(default_factory=lambda: Terms(companies=()))
    courier_rules: tuple[Rule, ...] = ()
    quote_cache_s: float = 3_600.0
    handover: Handover = Handover.PICKUP
    sender: Place | None = None
    default_weight_g: int = 1_000
    differences: Mapping[Difference, DifferencePolicy] = field(default_factory=lambda: dict(DEFAULT_POLICIES))
    desk: DeskRules = field(default_factory=DeskRules)
    watch: WatchRules = field(default_factory=WatchRules)
    note_to_buyer: bool = True
    language: str = "id"
    """Of what buyers are told."""


@dataclass(frozen=True, slots=True)
class Shop:
    """One channel at work."""

    id: int
    slug: str
    channel: Channel
    rules: ChannelRules
    first_walk: timedelta

    def push_policy(self, policy: Policy) -> PushPolicy:
        capabilities = self.channel.capabilities
        return PushPolicy(
            level_max=capabilities.level_max,
            can_decrease=capabilities.can_decrease,
            zero_guard_share=policy.zero_guard_share,
            zero_guard_min=policy.zero_guard_min,
            whole_item_writes=capabilities.whole_item_writes,
        )


@dataclass(frozen=True, slots=True)
class CourierAccount:
    """One courier account at work."""

    id: int
    slug: str
    courier: Courier


@dataclass(frozen=True, slots=True)
class Post:
    """Mail: how it goes out and in whose name. `buyers`: those of the own site are written to; a mail that is put off is tried for
    `retry_s`."""

    mailer: Mailer
    sender: Sender
    language: str
    buyers: bool
    retry_s: float


@dataclass(slots=True)
class World:
    """Everything the trips share. `owner` names this process in leases and claims; `turns` holds one lock a lease for the trips of
    this process, since a lease tells processes apart and not their tasks."""

    ledger: Ledger
    clock: Clock
    owner: str
    install_id: str
    policy: Policy
    shops: list[Shop] = field(default_factory=list)
    couriers: list[CourierAccount] = field(default_factory=list)
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    post: Post | None = None
    """`None`: no mail is sent."""
    stopping: bool = False
    """The process is about to end: a trip of many calls ends before its next one."""

    def shop(self, slug: str) -> Shop:
        """A channel by its slug. Raises `ConfigError`."""
        for shop in self.shops:
            if shop.slug == slug:
                return shop
        raise ConfigError(
            [f"no channel {slug!r} is configured; there are: {', '.join(shop.slug for shop in self.shops) or 'none'}"]
        )


@dataclass(slots=True)
class Run:
    """A run under way: its lease, and what it counted."""

    lease: work.HeldLease
    counts: dict[str, int] = field(default_factory=dict)
    outcome: str = "ok"
    error: str = ""
    at_end: list[Callable[[Session], None]] = field(default_factory=list)
    """What a run that went well still writes, in the transaction that ends it."""

    def count(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@asynccontextmanager
async def running(world: World, job: str, channel_id: int, slug: str, *, wait_s: float = 0.0) -> AsyncIterator[Run]:
    """The frame around a trip on one channel: take the lease, keep a row, turn trouble into the channel's own state (L8).

    Errors with a next step end the run and are kept; they never reach another channel. A bug of ours is kept too and raised. Raises
    `Held` when another process, or another task of this one, does this work and does not finish within `wait_s`.
    """
    name = f"{job}:{channel_id}"
    give_up = world.clock.monotonic() + wait_s
    turn = world.turns.setdefault(name, asyncio.Lock())
    try:
        async with asyncio.timeout(wait_s):
            await turn.acquire()
    except TimeoutError:
        raise Held(name, world.owner, world.clock.now()) from None
    try:
        async with _leased(world, job, name, channel_id, slug, give_up) as run:
            with background(job in CAN_WAIT):
                yield run
    finally:
        turn.release()


@asynccontextmanager
async def _leased(world: World, job: str, name: str, channel_id: int, slug: str, give_up: float) -> AsyncIterator[Run]:
    ledger = world.ledger
    while True:
        try:
            run_id, run = await ledger.write(
                lambda session: _start(session, world, job, name, channel_id), name=f"{job}_start"
            )
            break
        except Held:
            if world.clock.monotonic() >= give_up:
                raise
            await world.clock.sleep(WAIT_S)
        except asyncio.CancelledError:
            # A queued write runs to its end: the lease was taken although nobody will work under it.
            await ledger.write(lambda session: work.free_lease(session, name, world.owner), name=f"{job}_unstart")
            raise
    trouble: Exception | None = None
    try:
        yield run
    except QuotaSpent as spent:  # the channel itself is well, and what may still be sent must not wait
        run.outcome, run.error = "rate_limited", str(spent)
        await _note_spent(world, channel_id, spent)
        log.warning("%s on %s: %s", job, slug, spent)
    except (Temporary, RateLimited, AuthNeeded) as failure:
        trouble = failure
        run.error = str(failure)
    except LeaseLost as lost:
        run.outcome, run.error = "temporary", str(lost)
    except SellersyncError as failure:
        trouble = failure
        run.error = f"{type(failure).__name__}: {failure}"
    except asyncio.CancelledError:
        run.outcome = "interrupted"
        await ledger.write(lambda session: _end(session, world, run_id, run, channel_id, None), name=f"{job}_end")
        raise
    except Exception as bug:
        run.outcome, run.error = "error", f"{type(bug).__name__}: {bug}"
        log.exception("%s on %s failed", job, slug)
        await ledger.write(lambda session: _end(session, world, run_id, run, channel_id, None), name=f"{job}_end")
        raise
    if trouble is not None:
        run.outcome = outcome_of(trouble)
        log.warning("%s on %s: %s", job, slug, trouble)
    await ledger.write(lambda session: _end(session, world, run_id, run, channel_id, trouble), name=f"{job}_end")


def _start(session: Session, world: World, job: str, name: str, channel_id: int) -> tuple[int, Run]:
    now_ms = world.ledger.now_ms()
    lease = work.take_lease(session, name, world.owner, now_ms=now_ms, ttl_ms=work.LEASE_MS)
    return work.start_run(session, job, channel_id, now_ms=now_ms), Run(lease)


def _end(session: Session, world: World, run_id: int, run: Run, channel_id: int, trouble: Exception | None) -> None:
    now_ms = world.ledger.now_ms()
    for write in run.at_end if run.ok else ():
        write(session)
    work.end_run(session, run_id, run.outcome, now_ms=now_ms, counts=run.counts, error=run.error)
    work.release_lease(session, run.lease)
    if trouble is not None:
        until = to_epoch_ms(trouble.until) if isinstance(trouble, RateLimited) else None
        work.note_trouble(
            session,
            channel_id,
            str(trouble),
            now_ms=now_ms,
            needs_authorisation=isinstance(trouble, AuthNeeded),
            until_ms=until,
        )


async def _note_spent(world: World, channel_id: int, spent: QuotaSpent) -> None:
    now_ms, day = world.ledger.now_ms(), world.clock.now().astimezone(UTC).date()
    await world.ledger.write(
        lambda session: requests.note_spent(session, channel_id, day, spent.why, now_ms=now_ms), name="requests_spent"
    )


def outcome_of(trouble: Exception) -> str:
    """The word for an error with a next step in a run's row."""
    if isinstance(trouble, RateLimited):
        return "rate_limited"
    if isinstance(trouble, AuthNeeded):
        return "auth_needed"
    return "temporary" if isinstance(trouble, Temporary) else "refused"


async def paused(world: World, channel_id: int) -> bool:
    """Is this channel backing off right now?"""
    states = await world.ledger.read(work.channels)
    now = world.clock.now()
    return any(
        state.id == channel_id and state.paused_until is not None and state.paused_until > now for state in states
    )
