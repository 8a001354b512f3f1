"""What tests run in processes of their own: `python worker.py COMMAND URL ...`. Prints one line when it is at work or done."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_S_MAX = 30.0


def start(command: str, *arguments: object, die_at: str = "") -> subprocess.Popen[str]:
    """Begin a command of this file in a process of its own. `die_at` is the step at which it is killed."""
    environment = {key: value for key, value in os.environ.items() if key != "SELLERSYNC_DIE_AT"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "connectors"), str(Path(__file__).parent)])
    if die_at:
        environment["SELLERSYNC_DIE_AT"] = die_at
    return subprocess.Popen(
        [sys.executable, str(Path(__file__)), command, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, code: int = 0, timeout_s: float = START_S_MAX) -> str:
    """Wait for the end and return what it printed; fails unless it ended with `code` (-9: killed)."""
    out, errors = process.communicate(timeout=timeout_s)
    assert process.returncode == code, (process.returncode, out, errors)
    return out


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait until the process says that it is at work."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


# -------------------------------------------------------------------------------------------------------------------------- commands


def increment(url: str, code: str, times: str) -> None:
    """Add one to a SKU's buffer, as read-change-commit through the write seam."""
    from ledger_bench import open_ledger
    from sqlmodel import Session, select

    from sellersync.clock import SystemClock
    from sellersync.store.tables import Sku

    ledger = open_ledger(url, SystemClock())

    def change(session: Session) -> None:
        sku = session.exec(select(Sku).where(Sku.code == code)).one()
        sku.buffer += 1

    for _ in range(int(times)):
        ledger.write_now(change)
    ledger.close()


def hold(url: str, seconds: str) -> None:
    """Hold the database's write lock (SQLite) or the row locks of all SKUs (PostgreSQL) for a while."""
    from sqlalchemy import text

    from sellersync.store.engine import open_writer, parse_url

    engine = open_writer(parse_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE sku SET title = title"))
        print("holding", flush=True)
        time.sleep(float(seconds))
    engine.dispose()


def hold_tokens(url: str, seconds: str) -> None:
    """Hold what a new token pair needs: the write lock (SQLite) or the table of pairs (PostgreSQL)."""
    from sqlalchemy import text

    from sellersync.store.engine import open_writer, parse_url

    engine = open_writer(parse_url(url))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE token, token_journal"))
        print("holding", flush=True)
        time.sleep(float(seconds))
    engine.dispose()


def upgrade(url: str, statement_max: str, versions: str = "", head: str = "") -> None:
    """Upgrade the schema and die before the given statement."""
    from sqlalchemy import Engine, event

    from sellersync.store import schema

    if versions:
        schema.MIGRATIONS, schema.HEAD = Path(versions), head
    passed = 0

    @event.listens_for(Engine, "before_cursor_execute")
    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        nonlocal passed
        passed += statement.lstrip().upper().startswith(("CREATE", "ALTER", "DROP", "INSERT", "UPDATE"))
        if passed > int(statement_max):
            os.kill(os.getpid(), 9)

    schema.upgrade(url)


def record(url: str, channel_id: str, warehouse_id: str, order_id: str) -> None:
    """Record one order of two units of the listing KOPI in one write named record_page."""
    from ledger_bench import line, open_ledger, order
    from sqlmodel import Session

    from sellersync.domain.times import from_epoch_ms
    from sellersync.store.orders import ChannelRules, record_orders
    from sellersync.store.work import move_mark

    ledger = open_ledger(url)
    rules = ChannelRules(int(channel_id), int(warehouse_id))

    def page(session: Session) -> None:
        now_ms = ledger.now_ms()
        now = from_epoch_ms(now_ms, where="")
        record_orders(
            session, rules, [order(order_id, line("KOPI", 2))], read_started_at=now, now_ms=now_ms, vault=ledger.vault
        )
        move_mark(session, rules.channel_id, "orders", at=now, progress="", closes=now, now_ms=now_ms)

    ledger.write_now(page, name="record_page")
    ledger.close()


def refresh(url: str, channel_id: str, server: str, owner: str) -> None:
    """Renew the stored token once and print the new access token."""
    import asyncio

    from ledger_bench import open_ledger
    from token_server import TokenServer

    from sellersync.clock import SystemClock
    from sellersync.connector.contract import Token
    from sellersync.jobs.tokens import TokenKeeper

    async def body() -> None:
        ledger = open_ledger(url, SystemClock())
        keeper = TokenKeeper(ledger, int(channel_id), "shopee", owner=owner)
        keeper.authoriser = TokenServer(Path(server), takes_s=0.3)
        print("started", flush=True)
        print((await keeper.renewed(Token("access-1", serial=1))).access)
        ledger.close()

    asyncio.run(body())


COMMANDS: dict[str, Callable[..., None]] = {
    "increment": increment, "hold": hold, "upgrade": upgrade, "record": record, "hold_tokens": hold_tokens, "refresh": refresh,
}  # fmt: skip

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
