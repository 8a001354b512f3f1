"""The demand report: one frozen value about every SKU, from one reading of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sellersync.domain.reorder import Advice, BuyingTerms, Stock, advise, surplus
from sellersync.domain.times import day_bounds, to_epoch_ms
from sellersync.settings.shape import StockSettings
from sellersync.store import plans, reads_demand
from sellersync.store.ledger import Ledger, Session

from .choose import ERROR_DAYS, NO_HISTORY, SkuForecast, choose
from .methods import library
from .series import Series, make_series

HISTORY_DAYS = 180
SKUS_MAX = 2_000
"""SKUs on which the library's methods are tried, those that sell most; all others have the naive ones."""


@dataclass(frozen=True, slots=True)
class DemandPolicy:
    """The shop's defaults, in days: a supplier's lead time, what an order should last, when stock is too much, when it is dead."""

    lead_days: int = 7
    cover_days: int = 14
    overstock_days: int = 120
    dead_after_days: int = 90


def policy_of(stock: StockSettings) -> DemandPolicy:
    """The policy that [stock] of the configuration asks for."""
    return DemandPolicy(stock.lead_days, stock.cover_days, stock.overstock_days, stock.dead_after_days)


@dataclass(frozen=True, slots=True)
class SkuDemand:
    """One SKU: its stock, its forecast, what to do. Units, days, whole rupiah.

    `counted`: it was counted at least once, so that its stock means something. `last_sale`: within the history that was read.
    `surplus`: units beyond what sells in the policy's `overstock_days` even if demand is above the forecast by its error. `dead`: it
    is there and nobody bought it on the last `dead_after_days` days on which it could be bought. `cost` of one unit, `None` unknown.
    """

    code: str
    title: str
    barcode: str
    supplier: str
    counted: bool
    stock: Stock
    forecast: SkuForecast
    terms: BuyingTerms
    advice: Advice
    surplus: int
    dead: bool
    last_sale: date | None
    cost: int | None

    @property
    def sold_out(self) -> bool:
        return self.counted and self.stock.available == 0 and not self.terms.discontinued

    @property
    def value(self) -> int | None:
        """What lies on the shelf at cost."""
        return None if self.cost is None else self.cost * self.stock.available

    @property
    def amount(self) -> int | None:
        """What the suggested quantity costs."""
        quantity = self.advice.quantity
        return None if self.cost is None or quantity is None else self.cost * quantity


@dataclass(frozen=True, slots=True)
class DemandReport:
    """Every SKU by code, seen at the end of `day`; stock and costs are those of `made_at`.

    Errors are of the last `error_days`. `all_methods`: the extra `forecast` is installed; without it only the naive methods were tried.
    `simple_only`: how many SKUs had only those because there are too many.
    """

    day: date
    made_at: datetime
    history_days: int
    error_days: int
    all_methods: bool
    simple_only: int
    policy: DemandPolicy
    skus: tuple[SkuDemand, ...]

    @property
    def to_buy(self) -> tuple[SkuDemand, ...]:
        """At or below the reorder point, by supplier and code; the quantity is `None` where only a person can say."""
        due = (sku for sku in self.skus if sku.advice.due)
        return tuple(sorted(due, key=lambda sku: (sku.supplier.casefold(), sku.supplier, sku.code)))

    @property
    def sold_out(self) -> tuple[SkuDemand, ...]:
        return tuple(sku for sku in self.skus if sku.sold_out)

    @property
    def overstock(self) -> tuple[SkuDemand, ...]:
        return tuple(sku for sku in self.skus if sku.surplus > 0 and not sku.dead)

    @property
    def dead(self) -> tuple[SkuDemand, ...]:
        return tuple(sku for sku in self.skus if sku.dead)

    @property
    def unknown(self) -> tuple[SkuDemand, ...]:
        return tuple(sku for sku in self.skus if sku.forecast.unknown is not None)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the ledger says, in one snapshot."""

    skus: list[reads_demand.SkuState]
    first_order_ms: int | None
    sold: Mapping[int, Mapping[int, int]]
    shelves: Mapping[int, list[reads_demand.Shelf]]
    plan_of: Mapping[int, plans.Plan]
    cost_of: Mapping[int, plans.Cost]


def demand_report(
    ledger: Ledger,
    zone: ZoneInfo,
    day: date,
    now: datetime,
    *,
    policy: DemandPolicy | None = None,
    skus_max: int = SKUS_MAX,
    progress: Callable[[int, int], None] | None = None,
) -> DemandReport:
    """What sold until the end of `day` (a complete day of the shop), what will, and what to buy now.

    Reads one snapshot of the ledger. Takes 10 to 20 ms a SKU with the library (and 200 MB once), in the caller's process and one
    thread; `progress` is told (SKUs done, SKUs in all). The same ledger, day and moment give the same value.
    """
    policy = policy or DemandPolicy()
    days = _history(zone, day, policy)
    found = ledger.read_now(lambda session: _read(session, days, now))
    return _report(found, days, day, now, policy, skus_max, progress)


def demand_in(
    session: Session, zone: ZoneInfo, day: date, now: datetime, *, policy: DemandPolicy, skus_max: int = SKUS_MAX
) -> DemandReport:
    """The same from a snapshot that somebody else reads, too."""
    days = _history(zone, day, policy)
    return _report(_read(session, days, now), days, day, now, policy, skus_max, None)


def _history(zone: ZoneInfo, day: date, policy: DemandPolicy) -> list[tuple[int, int]]:
    """The bounds of the days that are read, the last of them `day`."""
    history = max(HISTORY_DAYS, policy.dead_after_days + ERROR_DAYS)
    return [_bounds(day - timedelta(days=back), zone) for back in range(history - 1, -1, -1)]


def _read(session: Session, days: list[tuple[int, int]], now: datetime) -> _Read:
    return _Read(
        reads_demand.sku_states(session),
        reads_demand.first_order_ms(session),
        reads_demand.units_sold(session, days),
        reads_demand.shelves(session, since_ms=days[0][0]),
        plans.plans(session),
        plans.costs_at(session, to_epoch_ms(now)),
    )


def _report(
    found: _Read,
    days: list[tuple[int, int]],
    day: date,
    now: datetime,
    policy: DemandPolicy,
    skus_max: int,
    progress: Callable[[int, int], None] | None,
) -> DemandReport:
    history = len(days)
    first = day - timedelta(days=history - 1)
    known_from = _first_whole_day(days, found.first_order_ms)
    totals = sorted(found.skus, key=lambda sku: (-sum(found.sold.get(sku.id, {}).values()), sku.code))
    wanted = {sku.id for sku in totals[:skus_max]}
    rows = []
    for number, sku in enumerate(found.skus):
        if progress is not None:
            progress(number, len(found.skus))
        series = make_series(
            first,
            days,
            found.sold.get(sku.id, {}),
            found.shelves.get(sku.id, ()),
            first_count_ms=sku.first_count_ms,
            known_from=known_from,
        )
        plan = found.plan_of.get(sku.id, plans.UNPLANNED)
        rows.append(_sku(sku, plan, found.cost_of.get(sku.id), series, policy, simple_only=sku.id not in wanted))
    if progress is not None:
        progress(len(rows), len(rows))
    return DemandReport(
        day=day,
        made_at=now,
        history_days=history,
        error_days=ERROR_DAYS,
        all_methods=library() is not None,
        simple_only=max(len(rows) - skus_max, 0),
        policy=policy,
        skus=tuple(rows),
    )


def _sku(
    sku: reads_demand.SkuState,
    plan: plans.Plan,
    cost: plans.Cost | None,
    series: Series | None,
    policy: DemandPolicy,
    *,
    simple_only: bool,
) -> SkuDemand:
    terms = BuyingTerms(
        lead_days=policy.lead_days if plan.lead_days is None else plan.lead_days,
        cover_days=policy.cover_days if plan.cover_days is None else plan.cover_days,
        order_multiple=plan.order_multiple,
        order_min=plan.order_min,
        reorder_point=plan.reorder_point,
        discontinued=plan.discontinued,
        lead_assumed=plan.lead_days is None,
    )
    stock = Stock(sku.available, sku.short)
    forecast = NO_HISTORY
    if series is not None:
        forecast = choose(series, period_days=terms.lead_days + terms.cover_days, simple_only=simple_only)
    return SkuDemand(
        code=sku.code,
        title=sku.title,
        barcode=sku.barcode,
        supplier=plan.supplier,
        counted=sku.first_count_ms is not None,
        stock=stock,
        forecast=forecast,
        terms=terms,
        advice=advise(forecast.demand, stock, terms),
        surplus=surplus(forecast.demand, stock.position, days=policy.overstock_days),
        dead=stock.available > 0 and series is not None and series.quiet_days >= policy.dead_after_days,
        last_sale=None if series is None else series.last_sale,
        cost=None if cost is None else cost.amount,
    )


def _bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    start, end = day_bounds(day, zone)
    return to_epoch_ms(start), to_epoch_ms(end)


def _first_whole_day(days: list[tuple[int, int]], first_order_ms: int | None) -> int:
    """Number of the first day of which the ledger knows all orders: the one after its oldest order, past all days when it has none."""
    if first_order_ms is None:
        return len(days)
    return next((number for number, (start, _) in enumerate(days) if first_order_ms <= start), len(days))
