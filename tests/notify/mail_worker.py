"""One trip of the mails in a process of its own, to be killed: `mail_worker.py CONFIG`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mail_shop import Clock

from sellersync.app import build
from sellersync.jobs import send_mails
from sellersync.settings import load


async def main(config: Path) -> None:
    app = build(load(config, environ={}), clock=Clock())
    try:
        await send_mails.run(app.world)
    finally:
        await app.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
