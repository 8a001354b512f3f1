"""Alerts: findings that a person should hear of at once become rows to be sent. Sending is `deliver`."""

from __future__ import annotations

from datetime import datetime

from sellersync.domain.report_times import in_quiet_hours
from sellersync.settings import Settings
from sellersync.store import alerts, deliveries
from sellersync.store.alerts import AlertRules
from sellersync.store.ledger import Ledger, Session


async def run(ledger: Ledger, settings: Settings) -> int:
    """Find what is to be told now, by whom. Returns how many messages were planned; in quiet hours none."""
    hushed = quiet(settings, ledger.clock.now())
    return await ledger.write(lambda session: _plan(session, ledger, settings, hushed), name="plan_alerts")


def quiet(settings: Settings, now: datetime) -> bool:
    """Do alerts wait at this moment?"""
    table = settings.alerts
    return in_quiet_hours(table.quiet_from, table.quiet_until, settings.shop.zone, now)


def _plan(session: Session, ledger: Ledger, settings: Settings, hushed: bool) -> int:
    now_ms, table = ledger.now_ms(), settings.alerts
    deliveries.settle_cut_off(session, now_ms=now_ms)
    deliveries.drop_strangers(session, settings.notify, now_ms=now_ms)
    rules = AlertRules(table.kinds, round(table.min_age_s * 1000), round(table.remind_after_h * 3_600_000))
    if hushed:
        for name in settings.notify:
            alerts.drop_solved(session, name, now_ms=now_ms)
        return 0
    return sum(alerts.plan_alerts(session, name, rules, now_ms=now_ms) for name in table.to)
