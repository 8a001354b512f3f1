"""The composition root: the only place that builds things. Takes fakes by keyword, so that a test replaces what it must and no more."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from random import Random

from sellersync.clock import SystemClock
from sellersync.connector.contract import Channel, Connector, ConnectorSettings, Context, Courier
from sellersync.connector.http import Transport, Wire, WireLimits
from sellersync.connector.quota import Quota
from sellersync.connector.rate import RateGate
from sellersync.connector.redact import Redactor
from sellersync.connector.registry import connector_class
from sellersync.domain.errors import ConfigError, SellersyncError
from sellersync.domain.queue import DeskRules
from sellersync.domain.times import Clock
from sellersync.domain.watching import WatchRules
from sellersync.jobs.tokens import TokenKeeper
from sellersync.jobs.world import CourierAccount, Policy, Post, Shop, World
from sellersync.notify.contract import Sender
from sellersync.settings import Settings
from sellersync.store import listings, mails, requests, schema, work
from sellersync.store.ledger import Ledger, Session
from sellersync.store.vault import Vault

log = logging.getLogger("sellersync.app")
DEFAULT_RATE_PER_S = 5.0
DEFAULT_BURST = 5


@dataclass(slots=True)
class App:
    """A whole product, built. `close` it when done."""

    settings: Settings
    ledger: Ledger
    world: World
    redactor: Redactor
    keepers: dict[str, TokenKeeper] = field(default_factory=dict)
    wires: dict[str, Wire] = field(default_factory=dict)
    connectors: dict[str, Connector] = field(default_factory=dict)
    quotas: dict[int, Quota] = field(default_factory=dict)
    """Channel or courier id -> its calls of the day."""

    async def keep_requests(self) -> None:
        """Write the calls down that were sent since the last time, and learn of those of other processes."""
        unsaved = self._unsaved_requests()
        try:
            known = await self.ledger.write(lambda session: self._keep(session, unsaved), name="keep_requests")
        except BaseException:
            for quota in self.quotas.values():
                quota.unsaved_again()
            raise
        self._learn(known)

    async def close(self) -> None:
        for wire in self.wires.values():
            await wire.close()
        if unsaved := self._unsaved_requests():
            try:
                self.ledger.write_now(lambda session: self._keep(session, unsaved), name="keep_requests")
            except SellersyncError as failure:
                log.warning("the calls of the last minutes were not counted: %s", failure)
        self.ledger.close()

    def learn_requests(self) -> None:
        """What the day's calls were before this process."""
        self._learn(self.ledger.write_now(lambda session: self._keep(session, {}), name="learn_requests"))

    def _unsaved_requests(self) -> dict[tuple[int, date, str], int]:
        return {
            (channel_id, day, kind): sent
            for channel_id, quota in self.quotas.items()
            for (day, kind), sent in quota.unsaved().items()
        }

    def _keep(self, session: Session, unsaved: Mapping[tuple[int, date, str], int]) -> tuple[date, dict[int, int]]:
        requests.add_requests(session, unsaved)
        today, now_ms = self.ledger.clock.now().astimezone(UTC).date(), self.ledger.now_ms()
        for channel_id in self.quotas:
            requests.close_spent(session, channel_id, today, now_ms=now_ms)
        return today, requests.requests_of_day(session, today)

    def _learn(self, known: tuple[date, dict[int, int]]) -> None:
        today, sent = known
        for channel_id, quota in self.quotas.items():
            quota.saved(today, sent.get(channel_id, 0))


def open_ledger(settings: Settings, *, clock: Clock | None = None, inline: bool = False) -> Ledger:
    """The ledger alone, for commands that call nobody. Raises `ConfigError` when it was never made or is of another version."""
    ledger = Ledger(
        settings.ledger.url,
        clock=clock or SystemClock(),
        vault=Vault(settings.vault_key_bytes()),
        inline=inline,
        busy_timeout_s=settings.ledger.busy_timeout_s,
    )
    try:
        schema.require_current(ledger)
    except ConfigError:
        ledger.close()
        raise
    return ledger


def new_install_id() -> str:
    """A fresh install id: part of every booking reference, so that two installs never share one."""
    return secrets.token_hex(8)


def process_name() -> str:
    """How this process signs its leases and claims."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    rng: Random | None = None,
    transports: Mapping[str, Transport] | None = None,
    owner: str | None = None,
    inline: bool = False,
) -> App:
    """Build everything from the configuration.

    `transports` replaces the network of a channel by slug; `inline` writes on the calling thread (virtual time has no threads).
    """
    clock = clock or SystemClock()
    rng = rng or Random()
    redactor = Redactor(settings.secret_values())
    ledger = open_ledger(settings, clock=clock, inline=inline)
    ids = ledger.write_now(lambda session: _register(session, settings, ledger), name="register")
    world = World(ledger, clock, owner or process_name(), ids.install_id, _policy(settings))
    world.post = build_post(settings) if settings.mail.enabled else None
    app = App(settings, ledger, world, redactor)
    for slug, channel in settings.channels.items():
        connector = _connect(app, slug, channel.provider, channel.connector, ids.channels[slug], clock, rng, transports)
        if not isinstance(connector, Channel):
            raise ConfigError(
                [
                    f"{settings.path}: channels.{slug}: {channel.provider} is a courier; it belongs under [couriers.{slug}]"
                ]
            )
        first_walk = connector.capabilities.first_walk
        if channel.first_walk_days is not None:
            first_walk = timedelta(days=channel.first_walk_days)
        rules = ledger.read_now(
            lambda session, slug=slug, connector=connector: work.rules_of(  # type: ignore[misc]
                session, ids.channels[slug], connector.capabilities.certain
            )
        )
        world.shops.append(Shop(ids.channels[slug], slug, connector, rules, first_walk))
    for slug, courier in settings.couriers.items():
        connector = _connect(app, slug, courier.provider, courier.connector, ids.channels[slug], clock, rng, transports)
        if not isinstance(connector, Courier):
            raise ConfigError(
                [
                    f"{settings.path}: couriers.{slug}: {courier.provider} is a channel; it belongs under [channels.{slug}]"
                ]
            )
        world.couriers.append(CourierAccount(ids.channels[slug], slug, connector))
    app.learn_requests()
    return app


def build_post(settings: Settings) -> Post:
    """How mail goes out, also while it is not enabled yet. Raises `ConfigError` without a server or a sender."""
    mail, password = settings.mail, settings.mail_password
    if not (mail.host and mail.from_address):
        raise ConfigError([f"{settings.path}: [mail] host and from_address are needed"])
    from sellersync.notify.smtp import SmtpMailer, SmtpServer

    server = SmtpServer(
        host=mail.host,
        port=mail.port,
        security=mail.security.value,
        user=mail.user,
        password=password.get_secret_value() if password else "",
        ca_file=mail.ca_file,
        connect_timeout_s=mail.connect_timeout_s,
        answer_timeout_s=mail.answer_timeout_s,
    )
    return Post(
        mailer=SmtpMailer(server, sender=mail.from_address),
        sender=Sender(mail.from_address, mail.from_name or settings.shop.name, mail.reply_to),
        language=settings.shop.language,
        buyers=mail.buyers,
        retry_s=mail.retry_h * 3600,
    )


@dataclass(frozen=True, slots=True)
class _Ids:
    install_id: str
    channels: dict[str, int]


def _register(session: Session, settings: Settings, ledger: Ledger) -> _Ids:
    """Warehouses and channels of the configuration, in the ledger."""
    now_ms = ledger.now_ms()
    mails.note_switch(session, on=settings.mail.enabled and settings.mail.buyers, now_ms=now_ms)
    warehouses = {
        code: work.ensure_warehouse(session, code, table.name or code) for code, table in settings.warehouses.items()
    }
    channels: dict[str, int] = {}
    for slug, channel in settings.channels.items():
        channels[slug] = work.ensure_channel(
            session,
            provider=channel.provider,
            remote_shop_id=_remote_shop_id(channel.connector, slug),
            slug=slug,
            kind="channel",
            warehouse_id=warehouses[channel.warehouse],
            now_ms=now_ms,
        )
        work.set_locations(
            session, channels[slug], {remote: warehouses[code] for remote, code in channel.locations.items()}
        )
        work.set_further_warehouses(session, channels[slug], [warehouses[code] for code in channel.more_warehouses])
        listings.resolve_locations(session, channels[slug], now_ms=now_ms)
    for slug, courier in settings.couriers.items():
        channels[slug] = work.ensure_channel(
            session,
            provider=courier.provider,
            remote_shop_id=_remote_shop_id(courier.connector, slug),
            slug=slug,
            kind="courier",
            warehouse_id=None,
            now_ms=now_ms,
        )
    return _Ids(work.get_meta(session, "install_id"), channels)


def _remote_shop_id(settings: ConnectorSettings, slug: str) -> str:
    return str(getattr(settings, "remote_shop_id", "") or slug)


def _connect(
    app: App,
    slug: str,
    provider: str,
    settings: ConnectorSettings,
    channel_id: int,
    clock: Clock,
    rng: Random,
    transports: Mapping[str, Transport] | None,
) -> Connector:
    http = app.settings.http
    quota = app.quotas[channel_id] = Quota(clock, per_day_max=getattr(settings, "calls_per_day_max", None))
    gate = RateGate(
        clock,
        rate_per_s=float(getattr(settings, "rate_per_s", DEFAULT_RATE_PER_S)),
        burst=int(getattr(settings, "burst", DEFAULT_BURST)),
        quota=quota,
    )
    limits = WireLimits(
        connect_timeout_s=http.connect_timeout_s,
        read_timeout_s=http.read_timeout_s,
        read_deadline_s=http.read_deadline_s,
        write_deadline_s=http.write_deadline_s,
        read_attempts_max=http.read_attempts_max,
        retry_wait_s_max=http.retry_wait_s_max,
        connections_max=http.connections_max,
        keepalive_s=http.keepalive_s,
    )
    seeded = Random(rng.random())
    transport = (transports or {}).get(slug)
    wire = Wire(slug, clock=clock, rng=seeded, gate=gate, limits=limits, redactor=app.redactor, transport=transport)
    keeper = TokenKeeper(app.ledger, channel_id, slug, owner=app.world.owner)
    context = Context(slug=slug, settings=settings, wire=wire, tokens=keeper, clock=clock, rng=seeded)
    connector = connector_class(provider)(context)
    keeper.authoriser = connector.authoriser
    app.wires[slug] = wire
    app.keepers[slug] = keeper
    app.connectors[slug] = connector
    return connector


def _policy(settings: Settings) -> Policy:
    sender = settings.sender
    return Policy(
        buffer=settings.stock.buffer,
        zero_guard_share=settings.stock.sudden_zero_share,
        zero_guard_min=settings.stock.sudden_zero_min,
        blind_after_s=max(300.0, 3 * max((channel.poll_s for channel in settings.channels.values()), default=60.0)),
        held_reread_s=settings.jobs.held_reread_s,
        open_reread_s=settings.jobs.reread_s,
        settle_margin_s=settings.booking.settle_margin_s,
        call_deadline_s=settings.http.write_deadline_s,
        track_every_s=settings.jobs.track_s,
        courier_terms=settings.booking.terms(),
        courier_rules=settings.booking.courier_rules(),
        quote_cache_s=settings.booking.quote_cache_s,
        handover=settings.booking.handover,
        sender=None if sender is None else sender.place(),
        differences=settings.compare.policies(),
        desk=desk_rules(settings),
        watch=watch_rules(settings),
        note_to_buyer=settings.desk.note_to_buyer,
        language=settings.shop.language,
    )


def desk_rules(settings: Settings) -> DeskRules:
    """What the packing desk promises, for every command and trip that reads its queue."""
    classes = {slug: connector_class(channel.provider) for slug, channel in settings.channels.items()}
    own_sites = {slug for slug, made in classes.items() if issubclass(made, Channel) and made.capabilities.own_site}
    desk = settings.desk
    return DeskRules(
        settings.shop.zone, timedelta(hours=desk.ship_within_h), desk.cut_off, desk.cut_offs, frozenset(own_sites)
    )


def watch_rules(settings: Settings) -> WatchRules:
    """When a silent parcel needs a person."""
    desk = settings.desk
    return WatchRules(timedelta(hours=desk.uncollected_after_h), timedelta(hours=desk.stuck_after_h))
