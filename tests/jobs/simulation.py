"""The whole core against the simulators in one process, in virtual time: the same job functions and the same store, no daemon.

One seed replays one run: clock, random numbers, ids and jitter come from the virtual loop and the seed; the ledger writes inline.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from sellersync import app as application
from sellersync.app import App
from sellersync.connector.registry import connector_class, simulator_class
from sellersync.jobs import book_couriers, pull_listings, pull_orders, push_stock, seal, track_parcels
from sellersync.jobs.world import Shop
from sellersync.sandbox.kit import CourierSimulator, MarketplaceSimulator, Simulator, SoldOut
from sellersync.settings import Settings
from sellersync.settings.shape import (
    BookingSettings,
    ChannelSettings,
    CourierSettings,
    HttpSettings,
    JobsSettings,
    LedgerSettings,
    ReportSettings,
    SenderSettings,
    ShopSettings,
    StockSettings,
    WarehouseSettings,
)
from sellersync.store import schema, stock
from sellersync.store.ledger import Ledger
from sellersync.store.vault import Vault
from sellersync.testing.virtual import VirtualClock, VirtualLoop, run_virtual

MARKETPLACES = ("shopee", "tokopedia", "lazada", "woocommerce")
VAULT_KEY = "11" * 32


@dataclass
class Simulation:
    """A running simulation: the app, the simulators by slug, and the clock."""

    app: App
    sims: dict[str, MarketplaceSimulator]
    courier: CourierSimulator | None  # the first one
    clock: VirtualClock
    rng: Random
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    """slug -> seller SKU -> remote key"""
    placed: dict[str, list[str]] = field(default_factory=dict)

    def shop(self, slug: str) -> Shop:
        return self.app.world.shop(slug)

    async def start_shops(self, skus: Mapping[str, int], *, price: int = 50_000) -> None:
        """Products on every channel, listings pulled, a first count, a first pull and push."""
        for slug, sim in self.sims.items():
            for sku, shown in skus.items():
                product = sim.add_product(sku, f"Barang {sku}", price=price, stock=shown)
                self.keys.setdefault(slug, {})[sku] = product.remote_key
        for shop in self.app.world.shops:
            run = await pull_listings.run(self.app.world, shop, adopt_skus=True)
            assert run is not None
            assert run.ok, run.error
        self.count(skus)
        await self.settle()

    def count(self, skus: Mapping[str, int]) -> None:
        ledger = self.app.ledger

        def write(session: Any) -> None:
            warehouse = stock.find_warehouse(session, None)
            entries = [
                stock.CountEntry(stock.find_sku(session, sku), warehouse, number) for sku, number in skus.items()
            ]
            stock.record_count(session, entries, at_ms=ledger.now_ms(), now_ms=ledger.now_ms(), who="test")

        ledger.write_now(write)

    async def cycle(self, slugs: Sequence[str] | None = None) -> None:
        """One round of every job on every channel."""
        world = self.app.world
        shops = [shop for shop in world.shops if slugs is None or shop.slug in slugs]
        for shop in shops:
            await pull_orders.run(world, shop)
        for shop in shops:
            await push_stock.run(world, shop)
        for shop in shops:
            await book_couriers.run(world, shop)
        for shop in shops:
            await track_parcels.run(world, shop)

    async def settle(self, rounds: int = 6, pause_s: float = 20.0) -> None:
        """Rounds without buyers until nothing can be left to do."""
        for _ in range(rounds):
            await self.cycle()
            await self.clock.sleep(pause_s)
        await seal.run(self.app.world, settle_ms=-1)

    def order(self, slug: str, items: Mapping[str, int], **options: Any) -> str | None:
        """A buyer orders; `None` when the channel showed too little."""
        keys = self.keys[slug]
        try:
            order_id = self.sims[slug].place_order([(keys[sku], number) for sku, number in items.items()], **options)
        except SoldOut:
            return None
        self.placed.setdefault(slug, []).append(order_id)
        return order_id

    def levels(self, sku: str) -> dict[str, int]:
        """What every channel shows for a SKU."""
        return {slug: self.sims[slug].shown(self.keys[slug][sku]) for slug in self.sims}

    def query(self, sql: str, **values: Any) -> list[Any]:
        from sqlalchemy import text

        return self.app.ledger.read_now(lambda session: list(session.execute(text(sql), values).all()))

    def balances(self, sku: str) -> dict[str, int]:
        rows = self.query(
            "SELECT account, SUM(quantity) FROM balance JOIN sku ON sku.id = sku_id WHERE code = :c GROUP BY account ORDER BY account",
            c=sku,
        )
        return {row[0]: row[1] for row in rows if row[1]}

    def digest(self) -> str:
        """A digest of all movements: the same seed twice gives the same one."""
        rows = self.query(
            "SELECT id, sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, recorded_ms, "
            "cause_kind, cause_id, revision, leg, reason, who FROM movement ORDER BY id"
        )
        return hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()


def settings_for(folder: Path, url: str, sims: Mapping[str, Simulator], couriers: Mapping[str, Simulator]) -> Settings:
    """Settings as `load` would return them, pointing every connector at its simulator."""
    channels = {
        slug: ChannelSettings(
            slug=slug,
            provider=sim.provider,
            poll_s=5.0,
            push_s=5.0,
            jitter=0.0,
            warehouse="main",
            locations={},
            first_walk_days=1.0,
            connector=connector_class(sim.provider).Settings.model_validate(
                sim.configuration(f"http://{slug}.example")
            ),
        )
        for slug, sim in sims.items()
    }
    return Settings(
        path=folder / "sellersync.toml",
        shop=ShopSettings(name="Toko Uji"),
        ledger=LedgerSettings(url=url, state_dir=folder),
        warehouses={"main": WarehouseSettings(name="Gudang")},
        channels=channels,
        couriers={
            slug: CourierSettings(
                slug=slug,
                provider=sim.provider,
                connector=connector_class(sim.provider).Settings.model_validate(
                    sim.configuration(f"http://{slug}.example")
                ),
            )
            for slug, sim in couriers.items()
        },
        sender=SenderSettings(name="Toko Uji", phone="081200000001", address="Jalan Uji 12", postal_code="40132"),
        booking=BookingSettings(companies=("jne", "sicepat"), settle_margin_s=1.0),
        jobs=JobsSettings(held_reread_s=5.0, track_s=5.0),
        report=ReportSettings(),
        stock=StockSettings(),
        http=HttpSettings(write_deadline_s=10.0, read_deadline_s=10.0),
        vault_key=VAULT_KEY,  # type: ignore[arg-type]
    )


@contextlib.asynccontextmanager
async def simulate(
    folder: Path,
    *,
    seed: int = 1,
    marketplaces: Sequence[str] = MARKETPLACES,
    courier: bool = True,
    courier_providers: Sequence[str] = ("biteship",),
    switches: Mapping[str, Mapping[str, Any]] | None = None,
    url: str | None = None,
) -> AsyncIterator[Simulation]:
    """Build simulators and app on the running virtual loop."""
    clock = VirtualClock(asyncio.get_running_loop())
    rng = Random(seed)
    sims: dict[str, MarketplaceSimulator] = {
        name: simulator_class(name)(
            clock=clock.epoch_s, rng=Random(f"{seed}-{name}"), switches=(switches or {}).get(name)
        )
        for name in marketplaces
    }
    couriers: dict[str, CourierSimulator] = {
        name: simulator_class(name)(
            clock=clock.epoch_s, rng=Random(f"{seed}-{name}"), switches=(switches or {}).get(name)
        )
        for name in (courier_providers if courier else ())
    }
    url = url or f"sqlite:///{folder / 'ledger.db'}"
    settings = settings_for(folder, url, sims, couriers)
    schema.upgrade(url)
    ledger = Ledger(url, clock=clock, vault=Vault.from_hex(VAULT_KEY), inline=True)
    schema.begin_ledger(ledger, f"install-{seed}")
    ledger.close()
    transports = {slug: httpx.MockTransport(sim.transport_handler) for slug, sim in {**sims, **couriers}.items()}
    app = application.build(
        settings, clock=clock, rng=Random(seed + 1), transports=transports, owner="simulation", inline=True
    )
    for slug, sim in {**sims, **couriers}.items():
        grant = sim.first_grant()
        if grant is not None:
            await app.keepers[slug].keep_consent(grant)
    try:
        yield Simulation(app, sims, next(iter(couriers.values()), None), clock, rng)
    finally:
        await app.close()


def in_virtual_time(body: Any) -> Any:
    """Run a coroutine function in virtual time."""
    return run_virtual(body(), VirtualLoop())
