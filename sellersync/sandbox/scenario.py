"""The demo's world: four marketplaces and a courier on loopback sockets, filled shelves, and a configuration that points there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

from pydantic import SecretStr

from sellersync.connector.registry import connector_class, simulator_class

from .buyers import Habits, Street, plan_deeds
from .judge import Evidence
from .kit import CourierSimulator, MarketplaceSimulator, Simulator
from .mount import LoopThread, Mounted
from .shelves import Catalogue, coffee_and_batik, fill_shelves

CHANNELS = {"tokopedia": "tokopedia", "shopee": "shopee", "lazada": "lazada", "toko": "woocommerce"}
COURIERS = {"biteship": "biteship"}
OWN_SITES = frozenset({"toko"})
LEDGER_NAME = "ledger.db"
LATENCY_S = 0.02
WAYBILL_DELAY_S = 1.0


@dataclass(frozen=True, slots=True)
class Wait:
    """A production wait that the demo shortens: the key in its table, the usual value and the demo's, with their unit."""

    table: str
    key: str
    usual: float
    here: float
    unit: str = "s"

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.usual:g} {self.unit} -> {self.here:g} {self.unit}"


POLL = Wait("channels.*", "poll_s", 60, 1)
JOBS = (
    Wait("jobs", "push_s", 5, 0.5),
    Wait("jobs", "book_s", 30, 1),
    Wait("jobs", "track_s", 300, 2),
    Wait("jobs", "seal_s", 60, 2),
)
SETTLE = Wait("booking", "settle_margin_s", 5, 1)
DEADLINE = Wait("http", "write_deadline_s", 60, 5)
READ_LAG_S = (
    1  # the simulators show a booking at once; of the connectors, those that let their read lag be set are told so
)
CALM = (
    "couriers collect after 2 to 5 s instead of hours, and deliver after 3 to 8 s instead of days",
    f"waybill numbers that come late come after {WAYBILL_DELAY_S:g} s",
)
CALLS_PER_S = 25.0  # the simulators allow it; production keeps to each connector's careful default


def shortened(tables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every wait and limit of production that the demo's configuration changes, as sentences for people.

    `tables` are the connectors' own tables as written into the configuration ("channels.shopee" -> keys).
    """
    lines = [str(wait) for wait in (POLL, *JOBS, SETTLE, DEADLINE)]
    for name, table in tables.items():
        fields = connector_class(str(table["provider"])).Settings.model_fields
        for key, here in table.items():
            usual = fields[key].default if key in fields else None
            if isinstance(usual, int | float) and not isinstance(usual, bool) and usual != here:
                lines.append(f"{name} {key}: {usual:g} -> {here:g}")
    return [*lines, *CALM]


@dataclass
class Scenario:
    """Everything around the product. `directory` gets the configuration, credential files, ledger and reports.

    `off` names channels that nobody can reach for the whole run; their buyers stay away too. `clock` gives unix seconds.
    """

    directory: Path
    seed: int
    seconds: float
    clock: Callable[[], float]
    off: Collection[str] = ()
    latency_s: float = LATENCY_S
    habits: Habits | None = None
    catalogue: Catalogue = field(default_factory=coffee_and_batik)

    def __post_init__(self) -> None:
        unknown = set(self.off) - CHANNELS.keys()
        if unknown:
            raise ValueError(f"no channel {', '.join(sorted(unknown))} in the demo; there are {', '.join(CHANNELS)}")
        self.channels: dict[str, MarketplaceSimulator] = {
            slug: self._simulator(slug, provider) for slug, provider in CHANNELS.items()
        }
        self.couriers: dict[str, CourierSimulator] = {
            slug: self._simulator(slug, provider) for slug, provider in COURIERS.items()
        }
        self.mounts: dict[str, Mounted] = {}
        self.tables: dict[str, dict[str, Any]] = {}
        self._thread: LoopThread | None = None
        fill_shelves(self.catalogue, self.channels)
        open_for_buyers = {slug: sim for slug, sim in self.channels.items() if slug not in self.off}
        deeds = plan_deeds(
            self.catalogue,
            open_for_buyers,
            seconds=self.seconds,
            seed=self.seed,
            own_sites=OWN_SITES,
            habits=self.habits,
        )
        self.street = Street(self.catalogue, open_for_buyers, self.couriers, deeds, self.seed, OWN_SITES)

    def _simulator(self, slug: str, provider: str) -> Any:
        simulator = simulator_class(provider)(clock=self.clock, rng=Random(f"{self.seed}:{slug}"))
        simulator.off = slug in self.off
        if getattr(simulator, "waybill_delay_s", 0.0) > WAYBILL_DELAY_S:
            simulator.waybill_delay_s = WAYBILL_DELAY_S
        return simulator

    # -- life

    def __enter__(self) -> Scenario:
        self._thread = LoopThread()
        for slug, simulator in self.simulators().items():
            self.mounts[slug] = Mounted(simulator, latency_s=self.latency_s, thread=self._thread).start()
        self.write_configuration()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for mount in self.mounts.values():
            mount.stop()
        if self._thread is not None:
            self._thread.close()

    def simulators(self) -> dict[str, Simulator]:
        return {**self.channels, **self.couriers}

    def crashes(self) -> list[str]:
        """Requests at which a simulator itself failed: bugs of the sandbox."""
        return [f"{slug}: {crash}" for slug, mount in self.mounts.items() for crash in mount.crashes]

    # -- files

    @property
    def config_path(self) -> Path:
        return self.directory / "sellersync.toml"

    @property
    def ledger_path(self) -> Path:
        return self.directory / LEDGER_NAME

    @property
    def counts_path(self) -> Path:
        return self.directory / "first-count.csv"

    def grant_path(self, slug: str) -> Path | None:
        """Where the answer of the channel's finished consent lies; `None` for channels with static keys."""
        path = self.directory / "grants" / f"{slug}.json"
        return path if path.exists() else None

    def write_configuration(self) -> None:
        """Configuration, credential files, first count and grants. The mounts must be up: their addresses go in."""
        credentials = self.directory / "credentials"
        grants = self.directory / "grants"
        for directory in (self.directory, credentials, grants):
            directory.mkdir(parents=True, exist_ok=True)
        _write_secret(credentials / "vault_key", secrets.token_hex(32))
        for kind, providers in (("channels", CHANNELS), ("couriers", COURIERS)):
            for slug, provider in providers.items():
                self.tables[f"{kind}.{slug}"] = self._table(slug, provider, credentials)
        for slug, simulator in self.channels.items():
            grant = simulator.first_grant()
            if grant is not None:
                _write_secret(grants / f"{slug}.json", grant.decode())
        self.config_path.write_text(self._toml(), "utf-8")
        rows = [f"{good.sku},{good.stock}" for good in self.catalogue.goods]
        self.counts_path.write_text("\n".join(["sku,counted", *rows]) + "\n", "utf-8")

    def _table(self, slug: str, provider: str, credentials: Path) -> dict[str, Any]:
        """The keys of one connector; its secrets go into credential files."""
        fields = connector_class(provider).Settings.model_fields
        values = {**self.simulators()[slug].configuration(self.mounts[slug].base_url)}
        if "rate_per_s" in fields:
            values |= {"rate_per_s": CALLS_PER_S, "burst": int(CALLS_PER_S)}
        if "booking_read_lag_s" in fields:
            values["booking_read_lag_s"] = READ_LAG_S
        table: dict[str, Any] = {"provider": provider}
        for key, value in values.items():
            if fields[key].annotation is SecretStr:
                _write_secret(credentials / f"{slug}.{key}", str(value))
            else:
                table[key] = value
        return table

    def _toml(self) -> str:
        tables: dict[str, dict[str, Any]] = {
            "": {"secrets_dir": "credentials"},
            "shop": {"name": "Toko Kopi & Batik Braga (demo)"},
            "ledger": {"url": f"sqlite:///{self.ledger_path.name}", "state_dir": "state"},
            "sender": {
                "name": "Sari Wulandari",
                "phone": "081234567890",
                "address": "Jalan Braga 12, rumah pagar hijau",
                "postal_code": "40111",
                "city": "Bandung",
                "province": "Jawa Barat",
            },
            "booking": {SETTLE.key: SETTLE.here},
            "http": {DEADLINE.key: DEADLINE.here},
            "jobs": {wait.key: wait.here for wait in JOBS},
            "report": {"dir": "reports"},
        }
        for name, table in self.tables.items():
            tables[name] = {**table, **({POLL.key: POLL.here} if name.startswith("channels.") else {})}
        return "\n".join(_toml_table(name, table) for name, table in tables.items())

    # -- for the judge

    def evidence(self) -> Evidence:
        return Evidence(
            channels=self.channels,
            couriers=self.couriers,
            world=self.catalogue.world(),
            own_sites=OWN_SITES,
            off=frozenset(self.off),
            shortened=shortened(self.tables),
        )

    def bundle_listings(self) -> list[tuple[str, str, Mapping[str, int]]]:
        """(channel slug, remote key, parts) of the listings that a person must map."""
        return [
            (slug, self.catalogue.keys[slug, bundle.seller_sku], bundle.parts)
            for bundle in self.catalogue.bundles
            for slug in self.channels
            if (slug, bundle.seller_sku) in self.catalogue.keys and slug not in self.off
        ]


def _toml_table(name: str, table: Mapping[str, Any]) -> str:
    # JSON's spelling of text, numbers, truth values and lists of them is TOML's too.
    lines = [f"[{name}]"] if name else []
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
