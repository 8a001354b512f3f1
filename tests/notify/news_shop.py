"""A shop that tells three readers: the owner by mail, the staff by Telegram, the office by webhook; all on servers of this machine."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from chat_server import CHAT, SECRET, TOKEN, HookSandbox, TelegramSandbox
from mail_server import MailServer, running
from mail_shop import KEY, START, Clock
from sqlalchemy import text

from sellersync.app import new_install_id, open_ledger
from sellersync.connector.redact import Redactor
from sellersync.domain.errors import Temporary
from sellersync.jobs import alerts, deliver, send_report
from sellersync.outgoing import build_news
from sellersync.sandbox.mount import LoopThread, Mounted
from sellersync.settings import Settings, load
from sellersync.store import schema
from sellersync.store.findings import close_finding, raise_finding
from sellersync.store.ledger import Ledger, Session
from sellersync.store.vault import Vault

T = TypeVar("T")
CONFIG = """
secrets_dir = "credentials"

[shop]
name = "Kopi <Gayo>"
language = "id"

[ledger]
url = "sqlite:///ledger.db"
state_dir = "state"

[mail]
enabled = true
host = "127.0.0.1"
port = {mail_port}
security = "none"
from_address = "toko@example.com"
connect_timeout_s = 1
answer_timeout_s = 1

[http]
connect_timeout_s = 1
read_timeout_s = 1
write_deadline_s = 2

[notify.owner]
kind = "mail"
to = "owner@example.com"
attach = ["html", "xlsx"]

[notify.staff]
kind = "telegram"
chat_id = {chat}
api_url = "{telegram}"

[notify.office]
kind = "webhook"
attach = []

{more}
"""


class FastClock(Clock):
    """`Clock` that moves by what it sleeps."""

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class NewsShop:
    """The folder of an installation, and the servers that it knows. The clock begins at 10:00 WIB on 21 November 2026, a Saturday."""

    folder: Path
    mail: MailServer = field(default_factory=MailServer)
    telegram: TelegramSandbox = field(default_factory=TelegramSandbox)
    hook: HookSandbox = field(default_factory=HookSandbox)
    clock: FastClock = field(default_factory=FastClock)
    more: str = '[alerts]\nto = ["owner", "staff", "office"]'
    made: list[str] = field(default_factory=list)
    """Reports whose files were made."""
    make_fails: int = 0
    make_failure: Exception = field(
        default_factory=lambda: Temporary("sellersync report ended with 1: the disk is full")
    )
    mounts: dict[str, Mounted] = field(default_factory=dict)

    @contextmanager
    def open(self, template: Path) -> Iterator[NewsShop]:
        """With its servers up and an empty ledger (a copy of `template`)."""
        thread = LoopThread()
        self.mounts = {"telegram": Mounted(self.telegram, thread=thread), "hook": Mounted(self.hook, thread=thread)}
        for mount in self.mounts.values():
            mount.start()
        folder = self.folder / "credentials"
        folder.mkdir()
        secrets = {
            "vault_key": KEY,
            "staff.token": TOKEN,
            "office.url": f"{self.mounts['hook'].base_url}/hook",
            "office.secret": SECRET,
        }
        for name, secret in secrets.items():
            (folder / name).write_text(secret)
        shutil.copy(template, self.folder / "ledger.db")
        ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}", clock=self.clock, vault=Vault.from_hex(KEY))
        schema.begin_ledger(ledger, new_install_id())
        ledger.close()
        try:
            self.configure()
            yield self
        finally:
            for mount in self.mounts.values():
                mount.stop()
            thread.close()

    @property
    def config(self) -> Path:
        return self.folder / "sellersync.toml"

    def configure(self, more: str | None = None) -> None:
        """`more`: the tables [alerts] and [report]."""
        self.more = self.more if more is None else more
        values = {"mail_port": self.mail.port or 1, "chat": CHAT, "telegram": self.mounts["telegram"].base_url}
        self.config.write_text(CONFIG.format(**values, more=self.more))

    def telegram_answers(self, up: bool) -> None:
        """Switch the chat's server off or on, and wait until it is."""
        self.telegram.off = not up
        deadline = time.monotonic() + 5
        while _listens(self.mounts["telegram"].port) != up:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    # -- the ledger

    def _with_ledger(self, errand: Callable[[Settings, Ledger], Awaitable[T]]) -> T:
        async def go() -> T:
            settings = load(self.config, environ={})
            ledger = open_ledger(settings, clock=self.clock)
            try:
                return await errand(settings, ledger)
            finally:
                ledger.close()

        return asyncio.run(go())

    def do(self, write: Callable[[Session], T]) -> T:
        async def errand(_: Settings, ledger: Ledger) -> T:
            return ledger.write_now(write)

        return self._with_ledger(errand)

    def opens(self, kind: str, *subjects: str, **details: Any) -> None:
        now_ms = round(self.clock.at.timestamp() * 1000)
        self.do(lambda session: [raise_finding(session, kind, one, now_ms=now_ms, details=details) for one in subjects])

    def closes(self, kind: str, *subjects: str) -> None:
        now_ms = round(self.clock.at.timestamp() * 1000)
        self.do(lambda session: [close_finding(session, kind, one, now_ms=now_ms) for one in subjects])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.do(lambda session: [tuple(row) for row in session.execute(text(sql))])

    def rows(self, notifier: str) -> list[tuple[Any, ...]]:
        return self.query(f"SELECT kind, state FROM delivery WHERE notifier = '{notifier}' ORDER BY id")

    def wait(self, **span: float) -> None:
        self.clock.at += timedelta(**span)

    def at_wib(self, day: int, hour: int, minute: int = 0) -> None:
        """Move the clock to a moment of November or December (day 31 and later) 2026 in Jakarta."""
        self.clock.at = datetime(2026, 11, 1, tzinfo=START.tzinfo) + timedelta(
            days=day - 1, hours=hour - 7, minutes=minute
        )

    # -- the trip

    def tell(self) -> dict[str, int]:
        """One look, with all servers up."""

        async def go(settings: Settings, ledger: Ledger) -> dict[str, int]:
            return await self.trip(settings, ledger)

        async def with_mail() -> dict[str, int]:
            async with running(self.mail):
                self.configure()
                return await asyncio.to_thread(self._with_ledger, go)

        return asyncio.run(with_mail())

    async def trip(self, settings: Settings, ledger: Ledger) -> dict[str, int]:
        news = build_news(settings, ledger, Redactor(settings.secret_values()), make=self._make)
        await send_report.run(ledger, settings)
        await alerts.run(ledger, settings)
        return await deliver.run(news)

    async def _make(self, subject: str) -> None:
        """The files of a report, as `sellersync report` writes them; another test makes real ones."""
        if self.make_fails:
            self.make_fails -= 1
            raise self.make_failure
        self.made.append(subject)
        folder = self.folder / "state" / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        base = f"report-{subject.partition(' ')[2]}"
        words = {
            "subject": f"Laporan {subject}",
            "text": "Isi laporan",
            "html": "<p>Isi</p>",
            "brief": f"Ringkas {subject}",
        }
        (folder / f"{base}.json").write_text(json.dumps(words))
        (folder / f"{base}.html").write_text("<p>Semua</p>")
        (folder / f"{base}.xlsx").write_bytes(b"PK")


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
