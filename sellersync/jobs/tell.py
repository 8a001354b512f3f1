"""What people are to hear of: plan it, and when something is due let `sellersync notify send` send it in a process of its own."""

from __future__ import annotations

from functools import partial

from sellersync.settings import Settings
from sellersync.store import deliveries
from sellersync.store.ledger import Ledger

from . import alerts, send_report
from .command import run_command

JOB = "tell"
SEND_TIMEOUT_S = 3_600.0


def wanted(settings: Settings) -> bool:
    """Is anything ever told or made?"""
    return bool(settings.notify or send_report.readers(settings))


async def run(ledger: Ledger, settings: Settings) -> None:
    """Plan, and send what is due. Raises `Temporary` with what the sending process said when it fails."""
    await send_report.run(ledger, settings)
    await alerts.run(ledger, settings)
    quiet = alerts.quiet(settings, ledger.clock.now())
    due = partial(deliveries.due, now_ms=ledger.now_ms(), findings=not quiet, limit=1)
    if await ledger.read(due):
        await run_command(settings, ["notify", "send"], timeout_s=SEND_TIMEOUT_S)
