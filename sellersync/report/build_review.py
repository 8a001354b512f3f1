"""Reads -> what weeks and months are looked at for: products, channels, and whether people kept to their routine."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sellersync.domain.settlements import share_out
from sellersync.domain.times import day_bounds, to_epoch_ms
from sellersync.store import reads_demand, reads_goods, reads_money, reads_report
from sellersync.store.reads_compared import ADOPTED

from .build_proof import difference_facts
from .model import Health, Orders, Parcels, Returns, Stock
from .model_money import Amount, Money
from .model_review import ChannelScore, ProductRow, Products, Routine
from .period import Period
from .reading import Reading, clean

ROWS_MAX = 20
WEEKS = 8
WEEKS_MIN = 4
A_SHARE, B_SHARE = 0.80, 0.95
X_SPREAD, Y_SPREAD = 0.5, 1.0
"""Standard deviation of the weeks over their mean, at most."""


def products(reading: Reading) -> Products:
    """Every SKU by its share of the value sold (ABC) and by how evenly it sells (XYZ)."""
    lines, unpriced = sold_lines(reading)
    units: dict[int, int] = {}
    values: dict[int, int] = {}
    for line in lines:
        units[line.sku_id] = units.get(line.sku_id, 0) + line.units
        if line.value is not None:
            values[line.sku_id] = values.get(line.sku_id, 0) + line.value
    before = _units(reading, reading.period.before())
    watched = all(
        channel.created_ms <= to_epoch_ms(reading.period.before().bounds(reading.zone)[0])
        for channel in reading.selling
    )
    weeks = _weeks(reading)
    classes_abc = _abc(values)
    rows = [
        ProductRow(
            clean(sku.code),
            clean(sku.title),
            units.get(sku.id, 0),
            before.get(sku.id, 0) if watched else None,
            values.get(sku.id),
            sku.available,
            classes_abc.get(sku.id, ""),
            _xyz([week.get(sku.id, 0) for week in weeks]) if units.get(sku.id) else "",
        )
        for sku in reads_demand.sku_states(reading.session)
    ]
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.abc:
            counts[row.abc, row.xyz] = counts.get((row.abc, row.xyz), 0) + 1
    best = sorted((row for row in rows if row.units), key=lambda row: (-row.units, row.code))
    slow = sorted(
        (row for row in rows if row.available > 0 and row.available >= 2 * row.units),
        key=lambda row: (row.units / row.available, -row.available, row.code),
    )
    return Products(
        classes=tuple((abc, xyz, count) for (abc, xyz), count in sorted(counts.items())),
        best=tuple(best[:ROWS_MAX]),
        slow=tuple(slow[:ROWS_MAX]),
        slow_total=len(slow),
        sold=len(best),
        unpriced=sum(line.units for line in unpriced),
        weeks=len(weeks),
    )


@dataclass(frozen=True, slots=True)
class SoldLine:
    """Units of one SKU that an order line sold, with their part of its price, `None` unknown."""

    order: reads_report.OrderFact
    sku_id: int
    units: int
    value: int | None


def sold_lines(reading: Reading) -> tuple[list[SoldLine], list[SoldLine]]:
    """(all lines, those of unknown price) of the period's orders that are neither cancelled nor unpaid. The price of a bundle is shared
    out by how many units of each SKU are in it."""
    wanted = {fact.id: fact for fact in reading.orders if fact.state not in reads_demand.NOT_WANTED}
    lines = []
    for order_id, goods in reads_money.goods_of(reading.session, list(wanted)).items():
        for line in goods.lines:
            components = line.components or {}
            shares: Sequence[int | None] = [None] * len(components)
            if line.value is not None:
                shares = share_out(line.value, list(components.values()))
            for (sku_id, each), share in zip(components.items(), shares, strict=True):
                if line.kept:
                    lines.append(SoldLine(wanted[order_id], sku_id, each * line.units, share))
    return lines, [line for line in lines if line.value is None]


def _units(reading: Reading, period: Period) -> dict[int, int]:
    """SKU id -> units wanted in a period."""
    days = [_bounds(reading, day) for day in period.days()]
    return {sku_id: sum(own.values()) for sku_id, own in reads_demand.units_sold(reading.session, days).items()}


def _weeks(reading: Reading) -> list[Mapping[int, int]]:
    """Units of each SKU in the last whole weeks before the period's end, the newest first; none when too few are known."""
    first_order = reads_demand.first_order_ms(reading.session)
    last = min(reading.period.last, reading.today - timedelta(days=1))
    days = [last - timedelta(days=back) for back in range(7 * WEEKS)]
    known = [day for day in days if first_order is not None and _bounds(reading, day)[0] >= first_order]
    whole = len(known) // 7
    if whole < WEEKS_MIN:
        return []
    ordered = sorted(known[: 7 * whole])
    sold = reads_demand.units_sold(reading.session, [_bounds(reading, day) for day in ordered])
    weeks: list[dict[int, int]] = [{} for _ in range(whole)]
    for sku_id, by_day in sold.items():
        for number, units in by_day.items():
            week = weeks[number // 7]
            week[sku_id] = week.get(sku_id, 0) + units
    return list(weeks)


def _bounds(reading: Reading, day: date) -> tuple[int, int]:
    start, end = day_bounds(day, reading.zone)
    return to_epoch_ms(start), to_epoch_ms(end)


def _abc(values: Mapping[int, int]) -> dict[int, str]:
    total = sum(values.values())
    found: dict[int, str] = {}
    before = 0
    for sku_id, value in sorted(values.items(), key=lambda pair: (-pair[1], pair[0])):
        share = before / total if total else 1.0
        found[sku_id] = "A" if share < A_SHARE else ("B" if share < B_SHARE else "C")
        before += value
    return found


def _xyz(weeks: Sequence[int]) -> str:
    if not weeks or not sum(weeks):
        return ""
    spread = statistics.pstdev(weeks) / statistics.fmean(weeks)
    return "X" if spread <= X_SPREAD else ("Y" if spread <= Y_SPREAD else "Z")


# -------------------------------------------------------------------------------------------------------------------------- channels


def scorecard(orders: Orders, money: Money, health: Health) -> tuple[ChannelScore, ...]:
    """Each channel in a row."""
    settled = {row.channel: row for row in money.rows}
    rows = []
    for channel in health.channels:
        if channel.kind != "channel":
            continue
        own = next(row for row in orders.channels if row.channel == channel.slug)
        paid = settled.get(channel.slug)
        rows.append(
            ChannelScore(
                channel=channel.slug,
                orders=own.sales.orders,
                margin=Amount(None, 0) if paid is None else paid.margin,
                margin_bp=None if paid is None or paid.margin.unknown else _bp(paid.margin.known, paid.sale),
                fees_bp=None if paid is None else _bp(-paid.fees, paid.sale),
                cancelled_bp=_bp(own.sales.cancelled, own.sales.orders),
                returned_bp=_bp(own.returned, own.sales.units),
                exposed_p50_ms=channel.exposed.p50_ms,
                exposed_p95_ms=channel.exposed.p95_ms,
            )
        )
    return tuple(rows)


def _bp(part: int | None, whole: int) -> int | None:
    """A share in basis points, rounded half up."""
    if part is None or whole <= 0:
        return None
    return (part * 20_000 + whole) // (2 * whole)


# -------------------------------------------------------------------------------------------------------------------------- routine


def routine(reading: Reading, parcels: Parcels, returns: Returns, stock: Stock) -> Routine:
    """Late parcels, corrections by hand, returns that nobody settles."""
    window = reading.window
    entered = reads_goods.entered(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)
    closed = reads_report.findings_closed(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)
    by_kind = {work.kind: work.documents for work in stock.hand_work}
    return Routine(
        handed_over=parcels.total.handed_over,
        handed_over_late=parcels.total.handed_over_late,
        late_now=parcels.late_total,
        counts=by_kind.get("count", 0),
        adjustments=by_kind.get("adjustment", 0),
        adopted=sum(one.kind == "adjustment" and one.reason.startswith(ADOPTED) for one in entered),
        zero_agreed=sum(one.kind == "sudden_zero" for one in closed),
        overwritten=sum(one.settled == "overwritten" for one in difference_facts(reading)),
        ageing_returns=returns.ageing,
    )
