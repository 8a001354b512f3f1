"""Reads -> one frozen Report for a shop day, week or month. Each section stands in a `build_*` module of its own.

Only these, `reading`, `explain` and `snapshot` read the ledger; whoever turns a report into text or HTML gets a frozen value.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from sellersync.domain.errors import BadInput
from sellersync.domain.queue import DeskRules
from sellersync.domain.times import shop_day
from sellersync.domain.watching import WatchRules
from sellersync.forecast import DemandPolicy
from sellersync.store.ledger import Ledger, Session

from .build_health import health, needs
from .build_money import money
from .build_proof import differences, proof, pushes
from .build_review import products, routine, scorecard
from .build_stock import stock
from .build_trade import orders, parcels, returns
from .explain import Explanation, explain
from .model import Language, Report
from .period import Period, of_day
from .reading import Reading, clean
from .snapshot import restated

T = TypeVar("T")


def build(
    ledger: Ledger,
    *,
    zone: ZoneInfo,
    now: datetime,
    language: Language,
    shop_name: str,
    day: date | None = None,
    period: Period | None = None,
    desk: DeskRules | None = None,
    watch: WatchRules | None = None,
    demand: DemandPolicy | None = None,
) -> Report:
    """The report of a shop day in `zone` (or of a whole `period`), as the ledger stands at `now` (aware UTC).

    `desk` and `watch` are the seller's own promises and patience (their defaults where not given), `demand` how the forecast is made
    (without it there is none). What happened is counted in [local midnight of the first day, local midnight after the last); what needs a
    person, stock and open parcels are as of `now`. Everything is read from one snapshot. Raises `BadInput` for a period that has not
    begun.
    """
    period = period or of_day(shop_day(now, zone) if day is None else day)
    return look(
        ledger,
        lambda reading: _report(reading, language, clean(shop_name), demand),
        zone=zone,
        now=now,
        period=period,
        desk=desk,
        watch=watch,
    )


def trace(
    ledger: Ledger,
    name: str,
    *,
    zone: ZoneInfo,
    now: datetime,
    period: Period,
    desk: DeskRules | None = None,
    watch: WatchRules | None = None,
    demand: DemandPolicy | None = None,
) -> Explanation:
    """A figure of that report by its name (`figures`), and the rows of the ledger behind it, from one snapshot. Raises `BadInput`."""

    def ask(reading: Reading) -> Explanation:
        return explain(reading, _report(reading, "id", "", demand), name, demand=demand)

    return look(ledger, ask, zone=zone, now=now, period=period, desk=desk, watch=watch)


def look(
    ledger: Ledger,
    ask: Callable[[Reading], T],
    *,
    zone: ZoneInfo,
    now: datetime,
    period: Period,
    desk: DeskRules | None = None,
    watch: WatchRules | None = None,
) -> T:
    """Ask something of one snapshot of the ledger. Raises `BadInput` for a period that has not begun."""
    if period.first > shop_day(now, zone):
        raise BadInput(f"{period.name} has not begun yet in {zone.key}; choose an earlier {period.kind}")
    desk, watch = desk or DeskRules(zone=zone), watch or WatchRules()

    def read(session: Session) -> T:
        return ask(Reading(session, ledger, zone, period, now, desk, watch))

    return ledger.read_now(read)


def _report(reading: Reading, language: Language, shop_name: str, demand: DemandPolicy | None) -> Report:
    since, until = reading.period.bounds(reading.zone)
    long = reading.period.kind != "day"
    own_orders, own_health, own_money = orders(reading), health(reading), money(reading)
    own_parcels, own_returns, own_stock = parcels(reading), returns(reading), stock(reading, demand)
    report = Report(
        shop_name=shop_name,
        language=language,
        zone=reading.zone,
        period=reading.period,
        day=reading.period.first,
        since=since,
        until=until,
        now=reading.now,
        needs=needs(reading),
        health=own_health,
        orders=own_orders,
        parcels=own_parcels,
        returns=own_returns,
        stock=own_stock,
        money=own_money,
        products=products(reading) if long else None,
        scorecard=scorecard(own_orders, own_money, own_health) if long else None,
        routine=routine(reading, own_parcels, own_returns, own_stock) if long else None,
        differences=differences(reading),
        pushes=pushes(reading),
        proof=proof(reading),
    )
    return restated(reading, report)
