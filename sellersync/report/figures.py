"""Every figure of a report under a stable name, so that it can be kept, compared and explained.

A name is section, scope and measure: `orders.units` over all channels, `orders.shopee.units` of one, and of one storefront
`orders.tokopedia.tiktok-shop.units`; `money.sku.KOPI-250.margin` of one SKU. Values are whole numbers; `None` is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from .model import ChannelSales, Latency, Orders, Report, Sales, StorefrontSales
from .model_money import Amount

Unit = Literal["count", "units", "rupiah", "ms", "bp"]

ORDERS = ("orders", "units", "revenue", "revenue_unknown", "cancelled", "unpaid", "cancelled_from_before", "returned")
PARCEL_EVENTS = ("booked", "handed_over", "handed_over_late", "delivered")
PARCELS_NOW = ("waiting_waybill", "trouble", "late", "due_today")
RETURN_EVENTS = ("opened", "received", "sellable", "damaged", "lost")
RETURNS_NOW = ("awaited", "ungraded")
PUSHES = ("sent", "applied", "refused", "unclear", "open")
MONEY = ("net", "sale", "shipping", "fees", "refunds", "other", "unexplained")
COMPARED = ("compared", "not_comparable", "found")
COUNTED_AGAIN = ("on_channel", "in_ledger", "missing", "repaired")
HELD = ("movements", "balances", "sealed", "orders", "order_lines", "skus", "listings", "counts")
SKU = "sku"


@dataclass(frozen=True, slots=True)
class Figure:
    """`kept`: it is about the period, so that it must not change once it was given out; the others stand as they are at the moment."""

    section: str
    scope: tuple[str, ...]
    measure: str
    unit: Unit
    value: int | None
    kept: bool = False

    @property
    def name(self) -> str:
        return ".".join((self.section, *self.scope, self.measure))

    @property
    def meaning(self) -> str:
        """What its definition is found by."""
        return f"{self.section}.{self.measure}"


def figures(report: Report) -> tuple[Figure, ...]:
    """Every figure of a report, in the order of the page."""
    found: dict[str, Figure] = {}
    for part in (_needs, _health, _orders, _parcels, _returns, _stock, _money, _review, _differences, _pushes, _proof):
        for figure in part(report):
            found.setdefault(figure.name, figure)
    return tuple(found.values())


def _needs(report: Report) -> Iterator[Figure]:
    yield Figure("needs", (), "total", "count", report.needs.total)
    yield Figure("needs", (), "opened", "count", report.needs.opened, True)
    yield Figure("needs", (), "closed", "count", report.needs.closed, True)


def _health(report: Report) -> Iterator[Figure]:
    health = report.health
    yield from _latency((), "exposed", health.exposed)
    yield from _latency((), "heard", health.heard)
    yield from _latency((), "posted", health.posted)
    yield from _latency((), "accepted", health.accepted)
    yield Figure("health", (), "not_needed", "count", health.not_needed)
    for channel in health.channels:
        if channel.kind == "channel":
            yield from _latency((channel.slug,), "exposed", channel.exposed)
            yield from _latency((channel.slug,), "heard", channel.heard)
        yield Figure("health", (channel.slug,), "requests", "count", channel.requests)


def _latency(scope: tuple[str, ...], what: str, latency: Latency) -> Iterator[Figure]:
    yield Figure("health", scope, f"{what}_p50", "ms", latency.p50_ms, True)
    yield Figure("health", scope, f"{what}_p95", "ms", latency.p95_ms, True)
    if what == "exposed":
        yield Figure("health", scope, "waiting", "count", latency.waiting)


def _orders(report: Report) -> Iterator[Figure]:
    orders = report.orders
    yield from _sales((), orders.total, _beside(orders))
    for channel in orders.channels:
        yield from _sales((channel.channel,), channel.sales, _beside(channel))
        for row in orders.rows:
            if row.channel == channel.channel and row.storefront:
                yield from _sales((row.channel, storefront_name(row.storefront)), row.sales, _beside(row))


def _beside(row: ChannelSales | StorefrontSales | Orders) -> dict[str, int]:
    return {"cancelled_from_before": row.cancelled_from_before, "returned": row.returned}


def storefront_name(storefront: str) -> str:
    """A storefront as part of a figure's name."""
    return storefront.replace(" ", "-")


def _sales(scope: tuple[str, ...], sales: Sales, extra: Mapping[str, int]) -> Iterator[Figure]:
    values: dict[str, int | None] = {
        "orders": sales.orders,
        "units": sales.units,
        "revenue": sales.goods.known,
        "revenue_unknown": sales.goods.unknown,
        "cancelled": sales.cancelled,
        "unpaid": sales.unpaid,
        **extra,
    }
    units: dict[str, Unit] = {"units": "units", "returned": "units", "revenue": "rupiah"}
    for name in ORDERS:
        yield Figure("orders", scope, name, units.get(name, "count"), values[name], True)


def _parcels(report: Report) -> Iterator[Figure]:
    parcels = report.parcels
    for scope, row in [((), parcels.total), *(((row.channel,), row) for row in parcels.rows)]:
        for name in (*PARCEL_EVENTS, *PARCELS_NOW):
            yield Figure("parcels", scope, name, "count", getattr(row, name), name in PARCEL_EVENTS)
    yield Figure("parcels", (), "stuck", "count", parcels.stuck_total)
    yield Figure("parcels", (), "troubled", "count", parcels.troubled_total)


NO_CHANNEL = "-"
"""Stands for "belongs to no channel" in a name."""


def _returns(report: Report) -> Iterator[Figure]:
    returns = report.returns
    for scope, row in [((), returns.total), *(((row.channel or NO_CHANNEL,), row) for row in returns.rows)]:
        for name in (*RETURN_EVENTS, *RETURNS_NOW):
            yield Figure("returns", scope, name, "units", getattr(row, name), name in RETURN_EVENTS)
    yield Figure("returns", (), "open", "count", returns.open_total)
    yield Figure("returns", (), "ageing", "count", returns.ageing)


def _stock(report: Report) -> Iterator[Figure]:
    stock, outlook = report.stock, report.stock.outlook
    yield Figure("stock", (), "skus", "count", stock.skus)
    yield Figure("stock", (), "short", "count", stock.short_total)
    yield Figure("stock", (), "short_units", "units", stock.short_units)
    yield Figure("stock", (), "sold_out", "count", stock.sold_out_total)
    if outlook is not None:
        yield Figure("stock", (), "below_reorder", "count", outlook.below_reorder_total)
        yield Figure("stock", (), "overstock", "count", outlook.overstock_total)
        yield Figure("stock", (), "dead", "count", outlook.dead_total)
        yield from _amount("stock", (), "value", outlook.value, kept=False)
        for sku in (*outlook.below_reorder, *outlook.overstock, *outlook.dead):
            yield Figure("stock", (SKU, sku.code), "available", "units", sku.available)
    for level in (*stock.sold_out, *stock.lowest):
        yield Figure("stock", (SKU, level.code), "available", "units", level.available)
        yield Figure("stock", (SKU, level.code), "sold", "units", level.sold)
    for work in stock.hand_work:
        for name, value in (("documents", work.documents), ("units_in", work.units_in), ("units_out", work.units_out)):
            yield Figure("entered", (work.kind,), name, "count" if name == "documents" else "units", value, True)


def _money(report: Report) -> Iterator[Figure]:
    money = report.money
    rows = [((), money.total), *(((row.channel,), row) for row in money.rows)]
    for scope, row in rows:
        yield Figure("money", scope, "settlements", "count", row.settlements, True)
        for name in MONEY:
            yield Figure("money", scope, name, "rupiah", getattr(row, name), True)
        yield from _amount("money", scope, "cost", row.cost)
        yield from _amount("money", scope, "margin", row.margin)
    for courier in money.couriers:
        scope = (courier.channel,)
        yield Figure("money", scope, "courier_parcels", "count", courier.parcels, True)
        yield from _amount("money", scope, "courier_paid", courier.paid)
        yield from _amount("money", scope, "courier_charged", courier.charged)
    for sku in money.skus:
        scope = (SKU, sku.code)
        yield Figure("money", scope, "units", "units", sku.units)
        for name in ("net", "cost", "margin"):
            yield Figure("money", scope, name, "rupiah", getattr(sku, name))


def _amount(section: str, scope: tuple[str, ...], name: str, amount: Amount, *, kept: bool = True) -> Iterator[Figure]:
    yield Figure(section, scope, name, "rupiah", amount.known, kept)
    yield Figure(section, scope, f"{name}_unknown", "count", amount.unknown, kept)


def _review(report: Report) -> Iterator[Figure]:
    if report.products is not None:
        yield Figure("products", (), "sold", "count", report.products.sold, True)
        yield Figure("products", (), "unpriced", "units", report.products.unpriced, True)
        for row in (*report.products.best, *report.products.slow):
            yield Figure("products", (SKU, row.code), "units", "units", row.units)
    for score in report.scorecard or ():
        for name in ("margin_bp", "fees_bp", "cancelled_bp", "returned_bp"):
            yield Figure("scorecard", (score.channel,), name.removesuffix("_bp"), "bp", getattr(score, name))
    if report.routine is not None:
        for field in fields(report.routine):
            yield Figure("routine", (), field.name, "count", getattr(report.routine, field.name))


def _differences(report: Report) -> Iterator[Figure]:
    found = report.differences
    for scope, row in [((), found.total), *(((row.channel,), row) for row in found.rows)]:
        for name in (*COMPARED, "open"):
            yield Figure("differences", scope, name, "count", getattr(row, name), name in COMPARED)


def _pushes(report: Report) -> Iterator[Figure]:
    pushes = report.pushes
    for scope, row in [((), pushes.total), *(((row.channel,), row) for row in pushes.rows)]:
        for name in PUSHES:
            yield Figure("pushes", scope, name, "count", getattr(row, name), name == "sent")


def _proof(report: Report) -> Iterator[Figure]:
    proof: Any = report.proof
    for name in HELD:
        yield Figure("proof", (), name, "count", getattr(proof, name))
    for row in report.proof.orders_counted:
        if row.days_counted:
            for name in COUNTED_AGAIN:
                value = row.missing_total if name == "missing" else getattr(row, name)
                yield Figure("proof", (row.channel,), name, "count", value)
    if report.proof.oversold is not None:
        yield Figure("proof", (), "oversold_units", "units", report.proof.oversold_units)
