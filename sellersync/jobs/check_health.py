"""How is each account? Authorisation that ends soon, a clock that is wrong, and what the provider says about the shop, as findings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sellersync.connector.contract import Health
from sellersync.domain.times import from_epoch_ms, to_epoch_ms
from sellersync.store import work
from sellersync.store.findings import keep_findings
from sellersync.store.ledger import Session

from .world import CourierAccount, Run, Shop, World, paused, running

JOB = "check_health"
AUTHORISATION_WARNING = timedelta(days=30)
_META = "authorisation_ends:{}"
CLOCK_OFFSET_S_MAX = 30.0
"""Signatures are corrected by the provider's clock, but times in reports and deadlines are ours."""


async def run(world: World, account: Shop | CourierAccount, *, wait_s: float = 0.0, force: bool = False) -> Run | None:
    """Ask one channel or courier how it is. `None` when it is backing off (unless `force`)."""
    if not force and await paused(world, account.id):
        return None
    connector = account.channel if isinstance(account, Shop) else account.courier
    async with running(world, JOB, account.id, account.slug, wait_s=wait_s) as run:
        health = await connector.health()
        now = world.clock.now()
        found = findings_of(health, now)
        for kind, subjects in found.items():
            run.count(kind, len(subjects))
        run.at_end.append(partial(_finish, world=world, account_id=account.id, found=found))
        run.at_end.append(partial(keep_authorisation_end, channel_id=account.id, ends=health.authorisation_ends_at))
    return run


def findings_of(health: Health, now: datetime) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind -> subject -> details of what a person should know; an empty kind closes its findings."""
    found: dict[str, dict[str, dict[str, Any]]] = {"authorisation_ending": {}, "clock_offset": {}, "shop_note": {}}
    ends = health.authorisation_ends_at
    if ends is not None and ends - now <= AUTHORISATION_WARNING:
        days = max((ends - now).days, 0)
        found["authorisation_ending"]["authorisation"] = {"days": days, "ends": f"{ends:%Y-%m-%d}"}
    if abs(health.clock_offset_s) > CLOCK_OFFSET_S_MAX:
        found["clock_offset"]["clock"] = {"seconds": round(health.clock_offset_s)}
    found["shop_note"] = {note: {} for note in health.notes}
    return found


def keep_authorisation_end(session: Session, *, channel_id: int, ends: datetime | None) -> None:
    """Remember until when the seller's consent lasts, as the provider says. A token pair that renews itself ends earlier, without harm."""
    work.set_meta(session, _META.format(channel_id), "" if ends is None else str(to_epoch_ms(ends)))


def authorisation_end(session: Session, channel_id: int) -> datetime | None:
    """Until when the seller's consent lasts, as the provider said last; `None` when it did not say."""
    kept = work.get_meta(session, _META.format(channel_id))
    return from_epoch_ms(int(kept), where="authorisation") if kept else None


def _finish(
    session: Session, *, world: World, account_id: int, found: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> None:
    now_ms = to_epoch_ms(world.clock.now())
    keep_findings(session, "authorisation_ending", found["authorisation_ending"], now_ms=now_ms, channel_id=account_id)
    keep_findings(session, "clock_offset", found["clock_offset"], now_ms=now_ms, channel_id=account_id)
    keep_findings(session, "shop_note", found["shop_note"], now_ms=now_ms, channel_id=account_id)
    work.note_ok(session, account_id, now_ms=now_ms)
