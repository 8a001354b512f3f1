"""The page of weeks and months: products, channels, routine."""

from __future__ import annotations

from collections.abc import Sequence

from .lists import listed
from .model import Report
from .model_review import ChannelScore, ProductRow, Products, Routine
from .page import Block, Cell, Column, Section, Sentence, Table
from .words import NOTHING, Words

ABC = ("A", "B", "C")
XYZ = ("X", "Y", "Z", "")


def review_sections(report: Report, words: Words) -> tuple[Section, ...]:
    """None for a day."""
    sections = []
    if report.products is not None:
        sections.append(_products_section(report, report.products, words))
    if report.scorecard is not None:
        sections.append(_scorecard_section(report.scorecard, words))
    if report.routine is not None:
        sections.append(_routine_section(report, report.routine, words))
    return tuple(sections)


def _products_section(report: Report, products: Products, words: Words) -> Section:
    blocks: list[Block] = []
    if not products.sold:
        blocks.append(Sentence(words.say("products_none", in_period=words.in_period(report.period)), "dim"))
    else:
        blocks.append(_classes(products, words))
        known = (
            words.say("weeks_known", weeks=words.number(products.weeks)) if products.weeks else words.say("weeks_few")
        )
        blocks.append(Sentence(known, "dim"))
        blocks.append(_rows(products.best, products.sold, "best_list", words))
        if products.unpriced:
            blocks.append(Sentence(words.say("unpriced", count=words.number(products.unpriced)), "warn"))
    if products.slow:
        blocks.append(_rows(products.slow, products.slow_total, "slow_list", words))
    return Section("products", words.say("products"), tuple(blocks))


def _classes(products: Products, words: Words) -> Table:
    counts = {(abc, xyz): count for abc, xyz, count in products.classes}
    shown = [xyz for xyz in XYZ if any(counts.get((abc, xyz)) for abc in ABC)]
    columns = (
        Column(words.say("class")),
        *(Column(words.say(f"class_{xyz.lower() or 'unknown'}"), numeric=True) for xyz in shown),
    )
    rows = tuple(
        (
            Cell(words.say(f"class_{abc.lower()}")),
            *(Cell(words.number(counts.get((abc, xyz), 0))) for xyz in shown),
        )
        for abc in ABC
    )
    return Table(columns, rows, words.say("classes_list"))


def _rows(rows: Sequence[ProductRow], total: int, caption: str, words: Words) -> Table:
    cells = tuple(
        (
            Cell(row.code),
            Cell(row.title),
            Cell(words.number(row.units)),
            Cell(words.say("unknown") if row.units_before is None else words.number(row.units_before)),
            Cell(words.rupiah(row.value) if row.value is not None or row.units else words.rupiah(0)),
            Cell(words.number(row.available)),
            Cell(row.abc + row.xyz if row.abc else NOTHING),
        )
        for row in rows
    )
    numeric = ("units", "units_before", "revenue", "available")
    return listed(words, ("sku", "title", *numeric, "class"), numeric, cells, words.say(caption), total)


def _scorecard_section(scores: Sequence[ChannelScore], words: Words) -> Section:
    rows = tuple(
        (
            Cell(score.channel),
            Cell(words.number(score.orders)),
            Cell(words.money(score.margin), "warn" if score.margin.known is None or score.margin.unknown else ""),
            Cell(words.share(score.margin_bp)),
            Cell(words.share(score.fees_bp)),
            Cell(words.share(score.cancelled_bp)),
            Cell(words.share(score.returned_bp)),
            Cell(words.say(
                "half_most", p50=words.milliseconds(score.exposed_p50_ms), p95=words.milliseconds(score.exposed_p95_ms)
            )),
        )
        for score in scores
    )  # fmt: skip
    numeric = ("orders", "net_margin", "margin_share", "fee_share", "cancel_share", "return_share")
    table = listed(words, ("channel", *numeric, "exposed"), numeric, rows, "", len(rows))
    return Section("scorecard", words.say("scorecard"), (table,))


def _routine_section(report: Report, routine: Routine, words: Words) -> Section:
    in_period = words.in_period(report.period)
    late = routine.handed_over_late or routine.late_now
    number = words.number
    blocks: list[Block] = [
        Sentence(
            words.say(
                "routine_late",
                late=number(routine.handed_over_late),
                all=number(routine.handed_over),
                now=number(routine.late_now),
            ),
            "warn",
        )
        if late
        else Sentence(words.say("routine_none_late", all=number(routine.handed_over)), "good"),
        Sentence(
            words.say(
                "routine_overrides",
                adjustments=number(routine.adjustments),
                adopted=number(routine.adopted),
                zero=number(routine.zero_agreed),
                overwritten=number(routine.overwritten),
            )
        ),
        Sentence(words.say("routine_counts", count=number(routine.counts)))
        if routine.counts
        else Sentence(words.say("routine_no_counts", in_period=in_period), "warn"),
    ]
    if routine.ageing_returns:
        days = number(report.returns.ageing_days)
        blocks.append(Sentence(words.say("routine_ageing", count=number(routine.ageing_returns), days=days), "warn"))
    return Section("routine", words.say("routine"), tuple(blocks))
