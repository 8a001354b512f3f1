"""What stands behind a figure: the rows of the ledger that make it, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from sellersync.domain.errors import BadInput
from sellersync.domain.settlements import PartGroup
from sellersync.domain.times import from_epoch_ms
from sellersync.forecast import DemandPolicy, DemandReport
from sellersync.store import reads_goods, reads_money, reads_report, reads_returned, reads_trace
from sellersync.store.reads_compared import ADOPTED

from . import build_money, build_proof, build_review, build_stock, build_trade
from .build_health import requests_used
from .figures import (
    NO_CHANNEL,
    SKU,
    Figure,
    figures,
    storefront_name,
)
from .model import Report
from .reading import Reading, at, clean

How = Literal["sum", "rank", "share"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row behind a figure. `kind`: order | parcel | return | movement | settlement | push | finding | document | sku | ...;
    `amount` is its part of the figure, in the figure's unit; `happened` and `recorded` in the ledger."""

    kind: str
    name: str
    channel: str
    amount: int
    happened: datetime | None = None
    recorded: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A figure and its rows. `how`: their amounts sum to it, it is the rank of one among them, or the share of the first in the second
    (in basis points)."""

    figure: Figure
    rows: tuple[Row, ...]
    how: How

    @property
    def total(self) -> int:
        return sum(row.amount for row in self.rows)


def explain(reading: Reading, report: Report, name: str, *, demand: DemandPolicy | None = None) -> Explanation:
    """The rows behind a figure of a report. Raises `BadInput` naming near misses."""
    known = {figure.name: figure for figure in figures(report)}
    figure = known.get(name)
    if figure is None:
        near = get_close_matches(name, known, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; all of them: sellersync report explain"
        raise BadInput(f"this report has no figure {name!r}{hint}")
    return Explanation(figure, tuple(Tracer(reading, report, demand).rows(figure)), how_of(figure))


def how_of(figure: Figure) -> How:
    """How the rows of a figure make it."""
    if figure.unit == "ms":
        return "rank"
    return "share" if figure.unit == "bp" else "sum"


class Tracer:
    """Finds rows. What several figures need is read once."""

    def __init__(self, reading: Reading, report: Report, demand: DemandPolicy | None = None) -> None:
        self.reading = reading
        self.report = report
        self.policy = demand

    def rows(self, figure: Figure) -> list[Row]:
        """The rows behind a figure, in the order of the ledger."""
        find: Callable[[Figure], Iterable[Row]] = getattr(self, f"_{figure.section}")
        return list(find(figure))

    # ------------------------------------------------------------------------------------------------------------ what is read once

    @cached_property
    def _told(self) -> list[build_money.Told]:
        return build_money.told(self.reading)

    @cached_property
    def _events(self) -> list[reads_returned.ReturnEvent]:
        return build_trade.return_events(self.reading)

    @cached_property
    def _parcel_events(self) -> list[reads_goods.ParcelEvent]:
        window = self.reading.window
        return reads_goods.parcel_events(self.reading.session, since_ms=window.since_ms, until_ms=window.until_ms)

    @cached_property
    def _order_names(self) -> dict[int, tuple[str, str, int]]:
        ids = sorted({sample.order_id for sample in self.reading.measured.samples})
        return reads_trace.order_names(self.reading.session, ids)

    @cached_property
    def _demand(self) -> DemandReport:
        return build_stock.demand(self.reading, self.policy or DemandPolicy())

    def _at(self, ms: int) -> datetime:
        return from_epoch_ms(ms, where="ledger")

    def _of(self, figure: Figure, channel_id: int | None) -> bool:
        """Is a row of this channel part of the figure?"""
        return not figure.scope or figure.scope[0] == (self.reading.slug(channel_id) or NO_CHANNEL)

    # -------------------------------------------------------------------------------------------------------------- needs and health

    def _needs(self, figure: Figure) -> Iterator[Row]:
        session, window = self.reading.session, self.reading.window
        if figure.measure == "total":
            for group in self.report.needs.groups:
                for need in group.first:
                    yield Row("finding", f"{need.kind} {need.subject}", need.channel, 1, need.since, need.since)
            return
        read = reads_report.findings_opened if figure.measure == "opened" else reads_report.findings_closed
        for event in read(session, since_ms=window.since_ms, until_ms=window.until_ms):
            moment = self._at(event.at_ms)
            yield Row("finding", f"{event.kind} {clean(event.subject)}", event.channel, 1, moment, moment)

    def _health(self, figure: Figure) -> Iterator[Row]:
        if figure.measure == "requests":
            for used in requests_used(self.reading):
                if used.channel == figure.scope[0]:
                    yield Row("requests", used.day.isoformat(), used.channel, used.reads + used.writes)
            return
        what = figure.measure.removesuffix("_p50").removesuffix("_p95")
        for sample in self.reading.measured.samples:
            if sample.what == what and self._of(figure, sample.channel_id):
                order, number, changed_ms = self._order_names[sample.order_id]
                amount = sample.ms if figure.unit == "ms" else 1
                yield Row(
                    "order", clean(number or order), self.reading.slug(sample.channel_id), amount, None, at(changed_ms)
                )

    # ------------------------------------------------------------------------------------------------------------------------ orders

    def _orders(self, figure: Figure) -> Iterator[Row]:
        if figure.measure == "returned":
            yield from self._return_rows(figure, "opened", with_storefront=True)
            return
        if figure.measure == "cancelled_from_before":
            window = self.reading.window
            for late in reads_report.cancelled_from_before(
                self.reading.session, since_ms=window.since_ms, until_ms=window.until_ms
            ):
                if self._of(figure, late.channel_id) and _of_storefront(figure, late.storefront):
                    yield Row(
                        "order", clean(late.number or late.order), self.reading.slug(late.channel_id), 1,
                        at(late.cancelled_ms), at(late.changed_ms),
                    )  # fmt: skip
            return
        for fact in self.reading.orders:
            amount = _order_part(fact, figure.measure)
            if amount is not None and self._of(figure, fact.channel_id) and _of_storefront(figure, fact.storefront):
                yield Row(
                    "order", clean(fact.number or fact.order), self.reading.slug(fact.channel_id), amount,
                    at(fact.placed_ms), at(fact.changed_ms), fact.state,
                )  # fmt: skip

    # ----------------------------------------------------------------------------------------------------------- parcels and returns

    def _parcels(self, figure: Figure) -> Iterator[Row]:
        reading, measure = self.reading, figure.measure
        if measure in ("booked", "handed_over", "handed_over_late", "delivered"):
            what = "picked_up" if measure.startswith("handed_over") else measure
            for event in self._parcel_events:
                if (
                    event.what == what
                    and self._of(figure, event.channel_id)
                    and (event.late or measure != "handed_over_late")
                ):
                    yield Row(
                        "parcel", clean(event.waybill or event.number or event.order), reading.slug(event.channel_id), 1,
                        at(event.at_ms), at(event.at_ms), clean(event.number or event.order),
                    )  # fmt: skip
        elif measure in ("late", "due_today"):
            late, still = build_trade.waiting_parcels(reading)
            for entry in late if measure == "late" else still:
                if not figure.scope or figure.scope[0] == entry.channel:
                    yield Row(
                        "order",
                        clean(entry.number or entry.order),
                        entry.channel,
                        1,
                        entry.deadline,
                        None,
                        clean(entry.waybill),
                    )
        elif measure == "stuck":
            for claim in build_trade.stuck_claims(reading):
                yield Row(
                    "claim",
                    clean(claim.reference),
                    reading.slug(claim.channel_id),
                    1,
                    at(claim.opened_ms),
                    at(claim.opened_ms),
                )
        elif measure == "troubled":
            for one in self.report.parcels.troubled:
                yield Row("parcel", one.waybill or one.order, one.channel, 1, one.since, one.since, one.trouble.value)
        else:
            for standing in reads_goods.standing_parcels(reading.session):
                if standing.what == measure and self._of(figure, standing.channel_id):
                    yield Row(
                        "parcel", clean(standing.waybill or standing.number or standing.order), reading.slug(standing.channel_id), 1,
                        at(standing.since_ms), at(standing.since_ms),
                    )  # fmt: skip

    def _return_rows(self, figure: Figure, what: str, *, with_storefront: bool = False) -> Iterator[Row]:
        for event in self._events:
            if event.what != what or not self._of(figure, event.channel_id):
                continue
            if with_storefront and (event.channel_id is None or not _of_storefront(figure, event.storefront)):
                continue
            moment = self._at(event.at_ms)
            yield Row(
                "return",
                event.name,
                self.reading.slug(event.channel_id),
                event.units,
                moment,
                moment,
                clean(event.order),
            )

    def _returns(self, figure: Figure) -> Iterator[Row]:
        if figure.measure in ("awaited", "ungraded", "open", "ageing"):
            old_ms = self.reading.now_ms - self.report.returns.ageing_days * 86_400_000
            for one in reads_returned.waiting_returns(self.reading.session):
                if not self._of(figure, one.channel_id) or (figure.measure == "ageing" and one.opened_ms >= old_ms):
                    continue
                amount = getattr(one, figure.measure) if figure.measure in ("awaited", "ungraded") else 1
                if amount:
                    moment = self._at(one.opened_ms)
                    yield Row(
                        "return", one.name, self.reading.slug(one.channel_id), amount, moment, moment, clean(one.title)
                    )
            return
        yield from self._return_rows(figure, figure.measure)

    # ------------------------------------------------------------------------------------------------------------------------- stock

    def _stock(self, figure: Figure) -> Iterator[Row]:
        measure = figure.measure
        if figure.scope and figure.scope[0] == SKU:
            yield from self._sku(figure)
        elif measure in ("skus", "sold_out"):
            for fact in build_stock.sku_facts(self.reading):
                if measure == "skus" or build_stock.is_sold_out(fact):
                    yield Row(
                        "sku",
                        clean(fact.code),
                        "",
                        1,
                        at(fact.changed_ms or None),
                        at(fact.changed_ms or None),
                        clean(fact.title),
                    )
        elif measure in ("short", "short_units"):
            for short in self.report.stock.short:
                yield Row("sku", short.code, "", 1 if measure == "short" else short.units, None, None, short.warehouse)
        elif measure in ("value", "value_unknown"):
            for sku in self._demand.skus:
                value = sku.value
                if sku.stock.available > 0 and (value is None) == (measure == "value_unknown"):
                    yield Row(
                        "sku",
                        clean(sku.code),
                        "",
                        1 if value is None else value,
                        None,
                        None,
                        f"{sku.stock.available} × {sku.cost}",
                    )
        else:
            chosen = {
                "below_reorder": self._demand.to_buy,
                "overstock": self._demand.overstock,
                "dead": self._demand.dead,
            }
            for sku in chosen[measure]:
                yield Row("sku", clean(sku.code), "", 1, None, None, clean(sku.title))

    def _sku(self, figure: Figure) -> Iterator[Row]:
        code = figure.scope[1]
        if figure.measure == "available":
            for move in reads_trace.shelf_movements(self.reading.session, code):
                yield Row(
                    "movement", str(move.id), "", move.units, at(move.occurred_ms), at(move.recorded_ms),
                    f"{move.source} -> {move.destination}: {clean(move.reason)} ({move.cause_kind} {move.cause_id}, {clean(move.who)})",
                )  # fmt: skip
            return
        until_ms = min(self.reading.window.until_ms, self.reading.now_ms)
        since_ms = until_ms - build_stock.sales_window_ms(self.reading)
        for sold in reads_trace.sold_units(self.reading.session, code, since_ms=since_ms, until_ms=until_ms):
            yield self._sold(sold)

    def _sold(self, sold: reads_trace.SoldUnits) -> Row:
        return Row(
            "order", clean(sold.number or sold.order), self.reading.slug(sold.channel_id), sold.units, at(sold.placed_ms),
            at(sold.changed_ms),
        )  # fmt: skip

    def _entered(self, figure: Figure) -> Iterator[Row]:
        window, seen = self.reading.window, set()
        for one in reads_goods.entered(self.reading.session, since_ms=window.since_ms, until_ms=window.until_ms):
            if one.kind != figure.scope[0]:
                continue
            amount = {"units_in": max(one.units, 0), "units_out": max(-one.units, 0)}.get(figure.measure, 1)
            if not amount or (figure.measure == "documents" and one.document_id in seen):
                continue
            seen.add(one.document_id)
            moment = self._at(one.at_ms)
            yield Row(
                "document",
                str(one.document_id),
                "",
                amount,
                moment,
                moment,
                f"{clean(one.code)}: {clean(one.reason)} ({clean(one.who)})",
            )

    # ------------------------------------------------------------------------------------------------------------------------- money

    def _money(self, figure: Figure) -> Iterator[Row]:
        if figure.measure.startswith("courier_"):
            yield from self._courier(figure)
        elif figure.scope and figure.scope[0] == SKU:
            yield from self._sku_money(figure)
        else:
            for one in self._told:
                if not self._of(figure, one.fact.channel_id):
                    continue
                amount = _settlement_part(one, figure.measure)
                if amount is not None:
                    yield self._settlement(one, amount)

    def _settlement(self, one: build_money.Told, amount: int) -> Row:
        fact = one.fact
        parts = ", ".join(f"{name} {part}" for name, part in sorted(fact.parts.items()))
        return Row(
            "settlement", clean(fact.remote_id), self.reading.slug(fact.channel_id), amount, at(fact.settled_ms), at(fact.changed_ms),
            clean(f"{fact.order}: {parts}" if fact.order else parts),
        )  # fmt: skip

    def _sku_money(self, figure: Figure) -> Iterator[Row]:
        names = reads_money.sku_names(self.reading.session)
        for one in self._told:
            for share in one.shares or ():
                if clean(names[share.sku_id][0]) != figure.scope[1]:
                    continue
                values = {"units": share.units, "net": share.net, "cost": share.cost}
                values["margin"] = None if share.cost is None else share.net - share.cost
                amount = values[figure.measure]
                if figure.value is not None and amount is not None:
                    yield self._settlement(one, amount)
                elif figure.value is None and amount is None:
                    yield self._settlement(one, 0)  # what makes it unknown

    def _courier(self, figure: Figure) -> Iterator[Row]:
        what = figure.measure.removeprefix("courier_")
        for fact in build_money.courier_charges(self.reading):
            if not self._of(figure, fact.channel_id) or (what.startswith("paid") and not fact.first):
                continue
            value = fact.paid if what.startswith("paid") else fact.charged
            amount: int | None = 1 if what == "parcels" else value
            if what.endswith("_unknown"):
                amount = 1 if value is None else None
            if amount is not None:
                yield Row(
                    "parcel", clean(fact.waybill or fact.order), self.reading.slug(fact.channel_id), amount, at(fact.booked_ms),
                    at(fact.booked_ms), clean(fact.number or fact.order),
                )  # fmt: skip

    # ------------------------------------------------------------------------------------------------------------------------ review

    def _products(self, figure: Figure) -> Iterator[Row]:
        units, unpriced = build_review.sold_lines(self.reading)
        names = reads_money.sku_names(self.reading.session)
        if figure.scope:
            for line in units:
                if clean(names[line.sku_id][0]) == figure.scope[1]:
                    yield self._line(line, line.units)
        elif figure.measure == "unpriced":
            for line in unpriced:
                yield self._line(line, line.units)
        else:
            for sku_id in dict.fromkeys(line.sku_id for line in units):
                yield Row("sku", clean(names[sku_id][0]), "", 1)

    def _line(self, line: build_review.SoldLine, amount: int) -> Row:
        fact = line.order
        return Row(
            "order",
            clean(fact.number or fact.order),
            self.reading.slug(fact.channel_id),
            amount,
            at(fact.placed_ms),
            at(fact.changed_ms),
        )

    def _scorecard(self, figure: Figure) -> Iterator[Row]:
        """The two figures that it is made of."""
        slug = figure.scope[0]
        parts = {
            "margin": (f"money.{slug}.margin", f"money.{slug}.sale"),
            "fees": (f"money.{slug}.fees", f"money.{slug}.sale"),
            "cancelled": (f"orders.{slug}.cancelled", f"orders.{slug}.orders"),
            "returned": (f"orders.{slug}.returned", f"orders.{slug}.units"),
        }[figure.measure]
        known = {one.name: one.value for one in figures(self.report)}
        for name in parts:
            yield Row("figure", name, slug, known.get(name) or 0)

    def _routine(self, figure: Figure) -> Iterator[Row]:
        window, measure = self.reading.window, figure.measure
        simple = {
            "handed_over": ("parcels", "handed_over"),
            "handed_over_late": ("parcels", "handed_over_late"),
            "late_now": ("parcels", "late"),
            "ageing_returns": ("returns", "ageing"),
        }
        if measure in simple:
            section, name = simple[measure]
            yield from self.rows(Figure(section, (), name, "count", figure.value))
        elif measure in ("counts", "adjustments"):
            yield from self.rows(Figure("entered", (measure.removesuffix("s"),), "documents", "count", figure.value))
        elif measure == "adopted":
            for row in self.rows(Figure("entered", ("adjustment",), "documents", "count", None)):
                if f": {ADOPTED}" in row.note:
                    yield row
        elif measure == "zero_agreed":
            for event in reads_report.findings_closed(
                self.reading.session, since_ms=window.since_ms, until_ms=window.until_ms
            ):
                if event.kind == "sudden_zero":
                    yield Row("finding", clean(event.subject), event.channel, 1, at(event.at_ms), at(event.at_ms))
        else:
            for one in build_proof.difference_facts(self.reading):
                if one.settled == "overwritten":
                    yield Row(
                        "finding",
                        clean(one.subject),
                        self.reading.slug(one.channel_id),
                        1,
                        at(one.since_ms),
                        at(one.closed_ms),
                    )

    # ------------------------------------------------------------------------------------------------------------------------ proofs

    def _differences(self, figure: Figure) -> Iterator[Row]:
        if figure.measure in ("compared", "not_comparable"):
            for run in build_proof.compare_runs(self.reading):
                if self._of(figure, run.channel_id) and getattr(run, figure.measure):
                    moment = self._at(run.started_ms)
                    yield Row(
                        "run",
                        str(run.id),
                        self.reading.slug(run.channel_id),
                        getattr(run, figure.measure),
                        moment,
                        moment,
                    )
            return
        for one in build_proof.difference_facts(self.reading):
            counts = (
                one.closed_ms is None if figure.measure == "open" else build_proof.found_in_period(self.reading, one)
            )
            if counts and self._of(figure, one.channel_id):
                yield Row(
                    "finding", clean(one.subject), self.reading.slug(one.channel_id), 1, at(one.since_ms), at(one.since_ms),
                    f"{one.cause}: {one.shown}, {one.expected}",
                )  # fmt: skip

    def _pushes(self, figure: Figure) -> Iterator[Row]:
        window = self.reading.window
        outcome = {"refused": "rejected", "open": "sent", "sent": ""}.get(figure.measure, figure.measure)
        for line in reads_report.pushes_sent(self.reading.session, since_ms=window.since_ms, until_ms=window.until_ms):
            if self._of(figure, line.channel_id) and outcome in ("", line.outcome):
                yield Row(
                    "push", str(line.id), self.reading.slug(line.channel_id), 1, at(line.sent_ms), at(line.answered_ms),
                    f"{clean(line.target)} = {line.level}: {line.outcome}",
                )  # fmt: skip

    def _proof(self, figure: Figure) -> Iterator[Row]:
        if figure.measure == "oversold_units":
            for one in self.report.proof.oversold or ():
                yield Row("order", one.order, one.channel, one.units, None, None, f"{one.code}: {one.cause}")
        elif not figure.scope:
            for part in reads_trace.held(self.reading.session, figure.measure):
                yield Row("rows", clean(part.name), "", part.rows)
        else:
            for fact in build_proof.order_counts(self.reading):
                amount = len(fact.missing) if figure.measure == "missing" else getattr(fact, figure.measure)
                if amount and self._of(figure, fact.channel_id):
                    missing = ", ".join(clean(one) for one in fact.missing)
                    moment = self._at(fact.counted_ms)
                    yield Row("count", fact.day, self.reading.slug(fact.channel_id), amount, moment, moment, missing)


def _of_storefront(figure: Figure, storefront: str) -> bool:
    return len(figure.scope) < 2 or figure.scope[1] == storefront_name(clean(storefront))


def _order_part(fact: reads_report.OrderFact, measure: str) -> int | None:
    """An order's part of a figure, `None` when it is no part of it."""
    sold = fact.state not in ("cancelled", "unpaid")
    if measure == "orders":
        return 1
    if measure in ("cancelled", "unpaid"):
        return 1 if fact.state == measure else None
    if measure == "units":
        return fact.units if sold else None
    if measure == "revenue":
        return fact.goods if sold else None
    return 1 if sold and fact.goods is None else None


def _settlement_part(one: build_money.Told, measure: str) -> int | None:
    """A settlement's part of a figure, `None` when it is no part of it."""
    if measure == "settlements":
        return 1
    if measure == "net":
        return one.fact.net
    if measure in ("cost", "margin"):
        return one.cost if measure == "cost" else one.margin
    if measure.endswith("_unknown"):
        return 1 if _settlement_part(one, measure.removesuffix("_unknown")) is None else None
    return one.groups.get(PartGroup(measure))
