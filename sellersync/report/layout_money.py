"""The page: money."""

from __future__ import annotations

from collections.abc import Sequence

from .lists import ROWS_SHOWN_MAX, listed
from .model import Report
from .model_money import Amount, CourierMoney, MoneyRow, SkuMoney
from .page import Block, Cell, Column, Section, Sentence, Table, Tile, Tiles, Tone
from .words import Words

PARTS = ("sale", "shipping", "fees", "refunds", "other", "unexplained")


def money_section(report: Report, words: Words) -> Section:
    """What the channels settled, what they kept, and what is left after the cost of the goods."""
    money, total = report.money, report.money.total
    in_period = words.in_period(report.period)
    blocks: list[Block] = []
    if total.settlements:
        blocks.append(_tiles(total, words))
        blocks.append(_channels(money.rows, total, words))
        if total.strangers:
            blocks.append(Sentence(words.say("strangers", count=words.number(total.strangers)), "warn"))
        if total.cost.unknown:
            blocks.append(Sentence(words.say("cost_unknown", count=words.number(total.cost.unknown)), "warn"))
        blocks += _sku_tables(money.skus, words)
        if money.not_shared:
            blocks.append(Sentence(words.say("not_shared", count=words.number(money.not_shared)), "dim"))
        blocks.append(Sentence(words.say("money_note", in_period=in_period), "dim"))
    else:
        blocks.append(Sentence(words.say("money_none", in_period=in_period), "dim"))
    if money.couriers:
        blocks.append(_couriers(money.couriers, words.say("courier_list", in_period=in_period), words))
    if money.silent:
        blocks.append(Sentence(words.say("money_silent", channels=", ".join(money.silent)), "dim"))
    return Section("money", words.say("money"), tuple(blocks))


def _tiles(total: MoneyRow, words: Words) -> Tiles:
    unknown = words.say("unknown_amounts", count=words.number(total.margin.unknown)) if total.margin.unknown else ""
    return Tiles(
        (
            Tile(words.say("net"), words.rupiah(total.net)),
            Tile(words.say("fees"), words.rupiah(total.fees)),
            Tile(words.say("margin"), words.rupiah(total.margin.known), unknown, _tone(total.margin)),
        )
    )


def _tone(amount: Amount) -> Tone:
    if amount.unknown:
        return "warn"
    return "bad" if (amount.known or 0) < 0 else ""


def _channels(rows: Sequence[MoneyRow], total: MoneyRow, words: Words) -> Table:
    """A part that is 0 everywhere has no column."""
    parts = [part for part in PARTS if part in ("sale", "fees") or any(getattr(row, part) for row in rows)]
    names = ("settlements", *parts, "net", "cost", "margin")
    columns = (Column(words.say("channel")), *(Column(words.say(name), numeric=True) for name in names))
    lines = [_channel(row.channel, row, parts, words) for row in rows]
    lines.append(_channel(words.say("total"), total, parts, words))
    return Table(columns, tuple(lines), total=True)


def _channel(name: str, row: MoneyRow, parts: Sequence[str], words: Words) -> tuple[Cell, ...]:
    return (
        Cell(name),
        Cell(words.number(row.settlements)),
        *(Cell(words.rupiah(getattr(row, part))) for part in parts),
        Cell(words.rupiah(row.net)),
        Cell(words.money(row.cost), "warn" if row.cost.unknown else ""),
        Cell(words.money(row.margin), _tone(row.margin)),
    )


def _sku_tables(skus: Sequence[SkuMoney], words: Words) -> list[Block]:
    """The best and the worst; one table where they are few. Those of unknown cost stand at the end of it."""
    known = [sku for sku in skus if sku.margin is not None]
    if len(skus) <= ROWS_SHOWN_MAX:
        return [_skus(skus, "sku_best", words)] if skus else []
    return [_skus(known, "sku_best", words), _skus(known[::-1][:ROWS_SHOWN_MAX], "sku_worst", words)] if known else []


def _skus(skus: Sequence[SkuMoney], caption: str, words: Words) -> Table:
    rows = tuple(
        (
            Cell(sku.code),
            Cell(sku.title),
            Cell(words.number(sku.units)),
            Cell(words.rupiah(sku.net)),
            Cell(words.rupiah(sku.cost), "warn" if sku.cost is None else ""),
            Cell(words.rupiah(sku.margin), "bad" if (sku.margin or 0) < 0 else ("warn" if sku.margin is None else "")),
        )
        for sku in skus
    )
    numeric = ("units", "sku_share", "cost", "margin")
    return listed(words, ("sku", "title", *numeric), numeric, rows, words.say(caption), len(skus))


def _couriers(couriers: Sequence[CourierMoney], caption: str, words: Words) -> Table:
    rows = tuple(
        (
            Cell(one.channel),
            Cell(words.number(one.parcels)),
            Cell(words.money(one.paid), "warn" if one.paid.unknown else ""),
            Cell(words.money(one.charged), "warn" if one.charged.unknown else ""),
            _rest(one, words),
        )
        for one in couriers
    )
    numeric = ("courier_parcels", "courier_paid", "courier_charged", "courier_rest")
    return listed(words, ("channel", *numeric), numeric, rows, caption, len(rows))


def _rest(one: CourierMoney, words: Words) -> Cell:
    """What is left of the buyers' shipping; unknown as soon as a part of it is."""
    if one.paid.unknown or one.charged.unknown or one.paid.known is None or one.charged.known is None:
        return Cell(words.say("unknown"), "warn")
    rest = one.paid.known - one.charged.known
    return Cell(words.rupiah(rest), "bad" if rest < 0 else "")
