"""A shop with an own site and a marketplace, its mail going to a server on this machine; run by hand, with a clock that stands still."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from mail_server import MailServer, running
from sqlalchemy import text

from sellersync.app import App, build, new_install_id
from sellersync.domain.orders import Buyer, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.jobs import send_mails
from sellersync.settings import load
from sellersync.store import orders, schema, work
from sellersync.store.ledger import Ledger, Session
from sellersync.store.vault import Vault

T = TypeVar("T")
START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
KEY = "5a" * 32
CONFIG = """
secrets_dir = "credentials"

[shop]
name = "Kopi Gayo"
language = "{language}"

[ledger]
url = "{url}"
state_dir = "state"

[channels.site]
provider = "woocommerce"
remote_shop_id = "http://127.0.0.1:1"
base_url = "http://127.0.0.1:1"

[channels.shopee]
provider = "shopee"
remote_shop_id = "12"
partner_id = 34

[mail]
enabled = {enabled}
buyers = {buyers}
host = "127.0.0.1"
port = {port}
security = "none"
from_address = "toko@example.com"
connect_timeout_s = 1
answer_timeout_s = {answer_timeout_s}
retry_h = 2
"""


class Clock:
    """`domain.times.Clock` that a test moves."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class MailShop:
    """The folder of an installation and the mail server that it knows."""

    folder: Path
    url: str
    server: MailServer = field(default_factory=MailServer)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        (self.folder / "credentials").mkdir(exist_ok=True)
        for name in ("site.consumer_key", "site.consumer_secret", "shopee.partner_key"):
            (self.folder / "credentials" / name).write_text("made-up-secret-of-the-test")
        (self.folder / "credentials" / "vault_key").write_text(KEY)
        self.configure()

    @property
    def config(self) -> Path:
        return self.folder / "sellersync.toml"

    def configure(
        self, *, enabled: bool = True, buyers: bool = True, language: str = "id", answer_timeout_s: float = 1.0
    ) -> None:
        values = {"enabled": enabled, "buyers": buyers}
        self.config.write_text(
            CONFIG.format(
                url=self.url, port=self.server.port or 1, language=language, answer_timeout_s=answer_timeout_s,
                **{name: str(value).lower() for name, value in values.items()},
            )
        )  # fmt: skip

    def init(self, template: Path) -> None:
        """A ledger with the newest schema (a copy of `template`), and the channels in it."""
        shutil.copy(template, self.folder / "ledger.db")
        ledger = Ledger(self.url_here, clock=self.clock, vault=Vault.from_hex(KEY))
        schema.begin_ledger(ledger, new_install_id())
        ledger.close()
        asyncio.run(self._with_app(_nothing))

    @property
    def url_here(self) -> str:
        return self.url.replace("sqlite:///", f"sqlite:///{self.folder}/")

    async def _with_app(self, errand: Callable[[App], Awaitable[T]]) -> T:
        app = build(load(self.config, environ={}), clock=self.clock)
        try:
            return await errand(app)
        finally:
            await app.close()

    def do(self, write: Callable[[Session, Ledger], T]) -> T:
        """One write to the ledger."""

        async def errand(app: App) -> T:
            return app.ledger.write_now(lambda session: write(session, app.ledger))

        return asyncio.run(self._with_app(errand))

    def send(self, **settings: Any) -> dict[str, int]:
        """One trip with the server up."""

        async def go() -> dict[str, int]:
            async with running(self.server):
                self.configure(**settings)
                return await self.trip()

        return asyncio.run(go())

    async def trip(self) -> dict[str, int]:
        return await self._with_app(lambda app: send_mails.run(app.world))

    def send_without_server(self) -> dict[str, int]:
        async def go() -> dict[str, int]:
            async with running(self.server):
                pass
            self.configure()
            return await self.trip()

        return asyncio.run(go())

    def rows(self, columns: str = "kind, state") -> list[tuple[Any, ...]]:
        return self.do(
            lambda session, _: [tuple(row) for row in session.execute(text(f"SELECT {columns} FROM mail ORDER BY id"))]
        )

    def findings(self) -> list[tuple[str, str]]:
        """(kind, details) of the open findings about mail."""
        query = text("SELECT kind, details FROM finding WHERE closed_ms IS NULL AND kind LIKE 'mail%' ORDER BY id")
        return self.do(lambda session, _: [(row.kind, row.details) for row in session.execute(query)])

    def order(
        self,
        remote_id: str = "901",
        *,
        channel: str = "site",
        state: OrderState = OrderState.READY,
        placed: datetime | None = None,
        email: str = "siti@example.com",
        name: str = "Siti",
        waybills: tuple[str, ...] = (),
        parcel_state: ParcelState = ParcelState.BOOKED,
        stage: UnitStage = UnitStage.OPEN,
        version: int = 0,
    ) -> None:
        """A version of an order of two units."""
        at = placed or self.clock.at
        found = Order(
            remote_id=remote_id,
            number=f"INV-{remote_id}",
            state=state,
            remote_status=state.value,
            created_at=at,
            updated_at=at + timedelta(seconds=version),
            paid_at=at,
            total=106_000,
            shipping_fee=10_000,
            lines=(OrderLine("1", "11", (Unit(stage, 2),), target="11", title="Kopi 250 g", unit_price=48_000),),
            parcels=tuple(
                RemoteParcel(f"P{number}", (remote_id,), parcel_state, "x", (("1", 1),), waybill=waybill, courier="jne")
                for number, waybill in enumerate(waybills, start=1)
            ),
            buyer=Buyer(name=name, email=email, phone="0812"),
        )

        def write(session: Session, ledger: Ledger) -> None:
            known = work.channel_by_slug(session, channel)
            assert known is not None
            orders.record_orders(
                session, work.rules_of(session, known.id, frozenset()), [found], read_started_at=at,
                now_ms=ledger.now_ms(), vault=ledger.vault,
            )  # fmt: skip

        self.do(write)


async def _nothing(app: App) -> None:
    return None
