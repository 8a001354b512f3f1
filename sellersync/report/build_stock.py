"""Reads -> stock: what is short, sold out, next to be, to be bought again, or there in too large a number."""

from __future__ import annotations

from datetime import timedelta

from sellersync.forecast import DemandPolicy, DemandReport, SkuDemand
from sellersync.forecast.build import demand_in
from sellersync.store import reads_goods

from .model import HandWork, Outlook, Short, ShortOrder, SkuLevel, SkuOutlook, Stock
from .reading import LISTED_MAX, Reading, at, clean, ms_of
from .sums import add_up_amounts

ORDERS_PER_SHORTAGE_MAX = 200
COVER_WINDOW = timedelta(days=7)
COVER_WINDOW_MIN = timedelta(days=1)


def stock(reading: Reading, policy: DemandPolicy | None) -> Stock:
    """Stock as it stands now. Without a `policy` no forecast is made."""
    window_ms = sales_window_ms(reading)
    skus = sku_facts(reading)
    old_enough = window_ms >= ms_of(COVER_WINDOW_MIN)
    levels = [(fact, _level(fact, window_ms if old_enough else None)) for fact in skus]
    sold_out = [(fact, level) for fact, level in levels if is_sold_out(fact)]
    sold_out.sort(key=lambda pair: (-pair[0].sold, pair[0].code))
    lowest = [(fact, level) for fact, level in levels if fact.available > 0 and fact.sold > 0]
    lowest.sort(key=lambda pair: (pair[0].available / pair[0].sold, pair[0].available, pair[0].code))
    short_total, short = reads_goods.shortages(reading.session, limit=LISTED_MAX, orders_max=ORDERS_PER_SHORTAGE_MAX)
    work = reads_goods.hand_work(reading.session, since_ms=reading.window.since_ms, until_ms=reading.window.until_ms)
    return Stock(
        skus=len(skus),
        short=tuple(_short(reading, one) for one in short),
        short_total=short_total,
        sold_out=tuple(level for _, level in sold_out[:LISTED_MAX]),
        sold_out_total=len(sold_out),
        lowest=tuple(level for _, level in lowest[:LISTED_MAX]),
        window_days=window_ms / (24 * 3_600_000) if old_enough else None,
        hand_work=tuple(HandWork(one.kind, one.documents, one.units_in, one.units_out) for one in work),
        short_units=sum(one.short for one in short),
        outlook=None if policy is None else _outlook(demand(reading, policy)),
    )


def sku_facts(reading: Reading) -> list[reads_goods.SkuFact]:
    """Every counted SKU with what it sold in the last days of the period."""
    until_ms = min(reading.window.until_ms, reading.now_ms)
    return reads_goods.skus(reading.session, sold_since_ms=until_ms - sales_window_ms(reading), sold_until_ms=until_ms)


def is_sold_out(fact: reads_goods.SkuFact) -> bool:
    return fact.available == 0 and fact.on_sale


def sales_window_ms(reading: Reading) -> int:
    """The last days up to the end of the period, as far as this ledger has been watching."""
    until_ms = min(reading.window.until_ms, reading.now_ms)
    watched_since = min((channel.created_ms for channel in reading.channels), default=until_ms)
    return min(ms_of(COVER_WINDOW), max(until_ms - watched_since, 0))


def _level(fact: reads_goods.SkuFact, window_ms: int | None) -> SkuLevel:
    cover = None
    if window_ms is not None and fact.sold > 0:
        cover = round(max(fact.available, 0) * window_ms / (fact.sold * 24 * 3_600_000), 1)
    return SkuLevel(clean(fact.code), clean(fact.title), fact.available, fact.sold, cover, at(fact.changed_ms or None))


def _short(reading: Reading, one: reads_goods.Shortage) -> Short:
    orders = tuple(
        ShortOrder(reading.slug(order.channel_id), clean(order.order), clean(order.number), order.units)
        for order in one.orders
    )
    return Short(clean(one.code), clean(one.title), one.warehouse, one.short, orders)


# -------------------------------------------------------------------------------------------------------------------------- outlook


def demand(reading: Reading, policy: DemandPolicy) -> DemandReport:
    """What will sell, seen from the end of yesterday."""
    return demand_in(reading.session, reading.zone, reading.today - timedelta(days=1), reading.now, policy=policy)


def _outlook(report: DemandReport) -> Outlook:
    below, over, dead = report.to_buy, _by_surplus(report.overstock), _by_value(report.dead)
    return Outlook(
        below_reorder=tuple(map(_sku, sorted(below, key=_urgency)[:LISTED_MAX])),
        below_reorder_total=len(below),
        overstock=tuple(map(_sku, over[:LISTED_MAX])),
        overstock_total=len(over),
        dead=tuple(map(_sku, dead[:LISTED_MAX])),
        dead_total=len(dead),
        skus=len(report.skus),
        unknown=len(report.unknown),
        all_methods=report.all_methods,
        error_days=report.error_days,
        overstock_days=report.policy.overstock_days,
        dead_after_days=report.policy.dead_after_days,
        value=add_up_amounts([sku.value for sku in report.skus if sku.stock.available > 0]),
    )


def _urgency(sku: SkuDemand) -> tuple[bool, float, str]:
    """What runs out first, then what nobody can tell."""
    cover = sku.advice.cover
    lasts = None if cover is None else cover.days
    return lasts is None, lasts or 0.0, sku.code


def _by_surplus(skus: tuple[SkuDemand, ...]) -> list[SkuDemand]:
    return sorted(skus, key=lambda sku: (-(sku.cost or 0) * sku.surplus, -sku.surplus, sku.code))


def _by_value(skus: tuple[SkuDemand, ...]) -> list[SkuDemand]:
    return sorted(skus, key=lambda sku: (-(sku.value or 0), -sku.stock.available, sku.code))


def _sku(sku: SkuDemand) -> SkuOutlook:
    chosen, cover = sku.forecast.chosen, sku.advice.cover
    return SkuOutlook(
        code=clean(sku.code),
        title=clean(sku.title),
        available=sku.stock.available - sku.stock.short,
        per_day=None if chosen is None else chosen.per_day,
        error=None if chosen is None else chosen.error,
        method="" if chosen is None else chosen.method.value,
        cover_days=None if cover is None else cover.days,
        cover_at_least=None if cover is None else cover.at_least,
        cover_at_most=None if cover is None else cover.at_most,
        reorder_point=sku.advice.reorder_point,
        buy=sku.advice.quantity,
        surplus=sku.surplus,
        value=sku.value,
        last_sale=sku.last_sale,
    )
