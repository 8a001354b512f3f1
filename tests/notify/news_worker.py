"""One look for messages in a process of its own, to be killed: `news_worker.py CONFIG MOMENT`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from news_shop import FastClock

from sellersync.app import open_ledger
from sellersync.connector.redact import Redactor
from sellersync.jobs import alerts, deliver
from sellersync.outgoing import build_news
from sellersync.settings import load


async def main(config: Path, at: datetime) -> None:
    settings = load(config, environ={})
    clock = FastClock()
    clock.at = at
    ledger = open_ledger(settings, clock=clock)
    await alerts.run(ledger, settings)
    await deliver.run(build_news(settings, ledger, Redactor(settings.secret_values())))
    ledger.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])))
