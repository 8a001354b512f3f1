"""The product's own pull: the connector, the HTTP layer, the job and the ledger, with the network replaced by a tape."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import httpx
from floor import NOTHING_MORE, Kept
from sqlalchemy import text
from tape import Player, Recorder, Tape

from sellersync import app as application
from sellersync.connector.registry import simulator_class
from sellersync.jobs import pull_listings, pull_orders
from sellersync.sandbox.kit import MarketplaceSimulator
from sellersync.settings import Settings
from sellersync.store import schema, stock
from sellersync.store.ledger import Ledger
from sellersync.store.vault import Vault
from sellersync.testing.virtual import START, VirtualClock, VirtualLoop, run_virtual

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "jobs"))

from simulation import VAULT_KEY, settings_for

SKUS = tuple(f"SKU-{number:03}" for number in range(50))
STOCK = 100_000
ORDER_EVERY_S = 8.0
PULL_AT = START + timedelta(hours=12)


class Product:
    """One channel of the product: its ledger before the pull, and the tape of that pull."""

    def __init__(self, provider: str, folder: Path, orders: int) -> None:
        self.provider = provider
        self.folder = folder
        self.tape = Tape()
        self.kept = NOTHING_MORE
        self._settings: Settings | None = None
        self._round = 0
        run_virtual(self._prepare(orders), VirtualLoop())

    def pull(self) -> float:
        """Pull everything into a copy of the ledger. Returns CPU seconds, without opening and closing."""
        return run_virtual(self._replay(), VirtualLoop())

    async def _prepare(self, orders: int) -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        sim: MarketplaceSimulator = simulator_class(self.provider)(clock=clock.epoch_s, rng=Random(1))
        self._settings = settings_for(self.folder, self._url(self.folder / "before.db"), {self.provider: sim}, {})
        self._settings.channels[self.provider].connector.__dict__.update(rate_per_s=100_000.0, burst=100_000)
        schema.upgrade(self._settings.ledger.url)
        ledger = Ledger(self._settings.ledger.url, clock=clock, vault=Vault.from_hex(VAULT_KEY), inline=True)
        schema.begin_ledger(ledger, "bench")
        ledger.close()
        keys = [sim.add_product(sku, f"Barang {sku}", price=48_000, stock=STOCK).remote_key for sku in SKUS]
        transport = httpx.MockTransport(sim.transport_handler)
        async with self._opened(self.folder / "before.db", clock, transport) as app:
            grant = sim.first_grant()
            if grant is not None:
                await app.keepers[self.provider].keep_consent(grant)
            shop = app.world.shop(self.provider)
            listed = await pull_listings.run(app.world, shop, adopt_skus=True)
            assert listed is not None
            assert listed.ok, listed.error
            app.ledger.write_now(lambda session: _count(session, app.ledger))
        rng = Random(2)
        for _ in range(orders):
            await clock.sleep(ORDER_EVERY_S)
            one, other = rng.sample(keys, 2)
            sim.place_order([(one, 1), (other, 1)])
        await clock.sleep((PULL_AT - clock.now()).total_seconds())
        await self._record(clock, sim)
        assert self.tape.orders == orders, f"{self.provider}: {self.tape.orders} of {orders} orders pulled"

    async def _record(self, clock: VirtualClock, sim: MarketplaceSimulator) -> None:
        """One pull against the simulator itself, to have it on tape."""
        copy = self._copy()
        async with self._opened(copy, clock, Recorder(sim.transport_handler, self.tape)) as app:
            write = app.ledger.write

            async def noted(fn: Any, *, name: str = "write") -> Any:
                value = await write(fn, name=name)
                if name == "record_page":
                    self.tape.steps.append(value.first)
                return value

            app.ledger.write = noted  # type: ignore[method-assign]
            await self._pull(app)
            self.kept = app.ledger.read_now(_kept)

    async def _replay(self) -> float:
        clock = VirtualClock(asyncio.get_running_loop(), start=PULL_AT)
        async with self._opened(self._copy(), clock, Player(self.tape)) as app:
            begun = process_time()
            run = await self._pull(app)
            spent = process_time() - begun
        assert run.counts["new"] == self.tape.orders, run.counts
        return spent

    async def _pull(self, app: application.App) -> Any:
        run = await pull_orders.run(app.world, app.world.shop(self.provider))
        assert run is not None
        assert run.ok, run.error
        return run

    @contextlib.asynccontextmanager
    async def _opened(
        self, ledger: Path, clock: VirtualClock, transport: httpx.AsyncBaseTransport
    ) -> AsyncIterator[application.App]:
        assert self._settings is not None
        settings = self._settings.model_copy(
            update={"ledger": self._settings.ledger.model_copy(update={"url": self._url(ledger)})}
        )
        app = application.build(
            settings, clock=clock, rng=Random(3), transports={self.provider: transport}, owner="bench", inline=True
        )
        try:
            yield app
        finally:
            await app.close()

    def _copy(self) -> Path:
        """The ledger as it was before the pull; the file of the round before goes."""
        (self.folder / f"round-{self._round}.db").unlink(missing_ok=True)
        self._round += 1
        return Path(shutil.copy(self.folder / "before.db", self.folder / f"round-{self._round}.db"))

    @staticmethod
    def _url(file: Path) -> str:
        return f"sqlite:///{file}"


def _count(session: Any, ledger: Ledger) -> None:
    """The first count of every SKU."""
    warehouse = stock.find_warehouse(session, None)
    entries = [stock.CountEntry(stock.find_sku(session, sku), warehouse, STOCK) for sku in SKUS]
    stock.record_count(session, entries, at_ms=ledger.now_ms(), now_ms=ledger.now_ms(), who="bench")


def _kept(session: Any) -> Kept:
    """What the pull left behind besides orders, lines and movements."""
    parcels, buyers = (
        session.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one() for name in ("parcel", "buyer")
    )
    return Kept(parcels=parcels > 0, buyers=buyers > 0)
