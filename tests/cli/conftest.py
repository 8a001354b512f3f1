"""An installation in a folder: configuration, credentials, and a ledger with a little trade in it. Nobody is on the network."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sellersync.cli import main
from sellersync.domain.listings import RemoteListing, TargetKey
from sellersync.domain.orders import Buyer, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.store import listings, orders, work
from sellersync.store.ledger import Ledger

CONFIG = """
secrets_dir = "credentials"

[shop]
name = "Toko Uji"
language = "en"

[ledger]
url = "{url}"
state_dir = "state"

[http]
read_attempts_max = 1

[channels.toko]
provider = "woocommerce"
remote_shop_id = "http://127.0.0.1:1"
base_url = "http://127.0.0.1:1"
"""
SECRET = "cs_0123456789abcdef0123456789abcdef01234567"
PLACED = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@dataclass
class Desk:
    """A person at the command line."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.folder / "sellersync.toml"

    def run(self, *words: str, expect: int = 0) -> tuple[str, str]:
        """(stdout, stderr) of a command that must end with `expect`."""
        code = main([*words, "--config", str(self.config)])
        said = self.capsys.readouterr()
        assert code == expect, f"{words} ended with {code}\n{said.out}\n{said.err}"
        return said.out, said.err

    def json(self, *words: str, expect: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", expect=expect)[0])

    def change(self, sql: str) -> None:
        """Change the database behind the product's back."""
        from sqlalchemy import create_engine, text

        ledger = self.ledger()
        engine = create_engine(ledger.url)
        with engine.begin() as connection:
            connection.execute(text(sql))
        engine.dispose()
        ledger.close()

    def ledger(self) -> Ledger:
        """The ledger itself, to be closed by the test."""
        from sellersync.app import open_ledger
        from sellersync.settings import load

        return open_ledger(load(self.config, environ={}))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def url() -> str:
    """The database; a module that wants both engines overrides it."""
    return "sqlite:///ledger.db"


@pytest.fixture
def fresh(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Configuration and the channel's keys; neither vault key nor ledger yet."""
    for name in ("SELLERSYNC_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "sellersync.toml").write_text(CONFIG.replace("{url}", url))
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "toko.consumer_key").write_text("ck_0123456789abcdef0123456789abcdef01234567")
    (tmp_path / "credentials" / "toko.consumer_secret").write_text(SECRET)
    return Desk(tmp_path, capsys)


@pytest.fixture
def desk(fresh: Desk) -> Desk:
    """After `init`, with two listings (KOPI is mapped, the bundle is not) and an order for both."""
    fresh.run("init")
    ledger = fresh.ledger()

    def fill(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        offered = [
            RemoteListing("11", "KOPI", "Kopi Gayo", (TargetKey("11"),)),
            RemoteListing("12", "", "Paket", (TargetKey("12"),)),
        ]
        listings.record_listings(session, channel.id, offered, now_ms=ledger.now_ms(), adopt_skus=True)
        order = Order(
            remote_id="901",
            number="INV-901",
            state=OrderState.READY,
            remote_status="processing",
            created_at=PLACED,
            updated_at=PLACED + timedelta(minutes=1),
            paid_at=PLACED,
            total=170_000,
            lines=(
                OrderLine("1", "11", (Unit(UnitStage.OPEN, 2),), target="11", seller_sku="KOPI", title="Kopi Gayo"),
                OrderLine("2", "12", (Unit(UnitStage.OPEN, 1),), target="12", title="Paket"),
            ),
            buyer=Buyer(
                name="Siti Rahmawati",
                phone="081299887766",
                address="Jalan Melati 4",
                city="Bandung",
                email="siti@example.com",
            ),
        )
        rules = work.rules_of(session, channel.id, frozenset())
        orders.record_orders(
            session, rules, [order], read_started_at=PLACED, now_ms=ledger.now_ms(), vault=ledger.vault
        )

    ledger.write_now(fill)
    ledger.close()
    fresh.capsys.readouterr()
    return fresh
