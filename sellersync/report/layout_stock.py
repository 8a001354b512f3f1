"""The page: stock as it stands, and what will become of it."""

from __future__ import annotations

from collections.abc import Sequence

from .lists import cut, listed
from .model import (
    HandWork,
    Outlook,
    Report,
    Short,
    SkuLevel,
    SkuOutlook,
)
from .page import Block, Cell, Column, Section, Sentence, Table, Tile, Tiles
from .words import NOTHING, Words

ORDERS_SHOWN_MAX = 6


def stock_section(report: Report, words: Words) -> Section:
    """What is oversold, sold out, or will be next."""
    stock = report.stock
    if not stock.skus:
        blocks: tuple[Block, ...] = (Sentence(words.say("nothing_counted"), "warn"),)
        return Section("stock", words.say("stock"), blocks, "warn")
    found: list[Block] = [
        Tiles(
            (
                Tile(words.say("short"), words.number(stock.short_total), tone="bad" if stock.short_total else "good"),
                Tile(
                    words.say("sold_out"),
                    words.number(stock.sold_out_total),
                    tone="warn" if stock.sold_out_total else "",
                ),
                Tile(words.say("skus_counted"), words.number(stock.skus)),
                *_outlook_tiles(stock.outlook, words),
            )
        )
    ]
    if stock.short:
        found.append(_short_table(report, words))
    sold = Column(words.say("sold_young"), numeric=True)
    if stock.window_days is not None:
        sold = Column(words.say("sold_in", days=words.decimal(stock.window_days)), numeric=True)
    if stock.sold_out:
        columns = (Column(words.say("sku")), Column(words.say("title")), sold, Column(words.say("sold_out_since")))
        found.append(_level_table(columns, stock.sold_out, stock.sold_out_total, words, "sold_out_list"))
    if stock.lowest:
        lowest = (
            Column(words.say("sku")),
            Column(words.say("title")),
            Column(words.say("available"), numeric=True),
            sold,
            Column(words.say("cover"), numeric=True),
        )
        found.append(_level_table(lowest, stock.lowest, 0, words, "lowest_list"))
        if stock.window_days is None:
            found.append(Sentence(words.say("no_cover"), "dim"))
    if stock.outlook is not None:
        found += _outlook(stock.outlook, words)
    if stock.hand_work:
        entered = "; ".join(_hand_work(work, words) for work in stock.hand_work)
        in_period = words.in_period(report.period)
        found.append(Sentence(words.say("hand_work", list=entered, in_period=in_period), "dim"))
    found.append(Sentence(words.say("stock_as_of", now=words.full_moment(report.now)), "dim"))
    return Section("stock", words.say("stock"), tuple(found), "bad" if stock.short_total else "")


def _short_table(report: Report, words: Words) -> Table:
    stock = report.stock
    rows = tuple(
        (
            Cell(short.code),
            Cell(short.title),
            Cell(short.warehouse),
            Cell(words.number(short.units), "bad"),
            Cell(_orders_of(short, words)),
        )
        for short in stock.short
    )
    names = ("sku", "title", "warehouse", "short_units", "orders_concerned")
    return listed(words, names, ("short_units",), rows, words.say("short_list"), stock.short_total)


def _orders_of(short: Short, words: Words) -> str:
    shown = [
        f"{order.number or order.order} ({order.channel}) ×{words.number(order.units)}"
        for order in short.orders[:ORDERS_SHOWN_MAX]
    ]
    left_out = len(short.orders) - len(shown)
    if left_out:
        shown.append(words.say("more_rows", count=words.number(left_out)))
    return ", ".join(shown) or NOTHING


def _level_table(columns: tuple[Column, ...], levels: Sequence[SkuLevel], total: int, words: Words, name: str) -> Table:
    rows = []
    for level in levels:
        cells = [Cell(level.code), Cell(level.title)]
        if name == "sold_out_list":
            cells += [Cell(words.number(level.sold)), Cell(words.moment(level.changed) if level.changed else NOTHING)]
        else:
            cover = words.say("unknown") if level.cover_days is None else words.decimal(level.cover_days)
            cells += [Cell(words.number(level.available)), Cell(words.number(level.sold)), Cell(cover)]
        rows.append(tuple(cells))
    return cut(words, columns, tuple(rows), words.say(name), total)


def _hand_work(work: HandWork, words: Words) -> str:
    name = f"hand_{work.kind}" if work.kind in ("receipt", "count", "adjustment") else "hand_other"
    numbers = {
        "documents": words.number(work.documents),
        "units_in": words.number(work.units_in),
        "units_out": words.number(work.units_out),
    }
    return words.say(name, kind=work.kind, **numbers)


# ---- what will become of it


def _outlook_tiles(outlook: Outlook | None, words: Words) -> tuple[Tile, ...]:
    if outlook is None:
        return ()
    unknown = words.say("unknown_amounts", count=words.number(outlook.value.unknown)) if outlook.value.unknown else ""
    below = outlook.below_reorder_total
    return (
        Tile(words.say("below_reorder"), words.number(below), tone="warn" if below else ""),
        Tile(words.say("overstock"), words.number(outlook.overstock_total)),
        Tile(words.say("dead"), words.number(outlook.dead_total)),
        Tile(words.say("stock_value"), words.rupiah(outlook.value.known), unknown, "warn" if unknown else ""),
    )


def _outlook(outlook: Outlook, words: Words) -> list[Block]:
    blocks: list[Block] = []
    if outlook.below_reorder:
        columns = ("available", "per_day_error", "cover_range", "reorder_at", "buy")
        rows = tuple(
            (
                *_sku(sku),
                Cell(words.number(sku.available)),
                _rate(sku, words),
                _cover(sku, words),
                Cell(words.say("unknown") if sku.reorder_point is None else words.number(sku.reorder_point)),
                Cell(words.say("buy_decide") if sku.buy is None else words.number(sku.buy)),
            )
            for sku in outlook.below_reorder
        )
        blocks.append(_listed(columns, rows, words.say("below_reorder_list"), outlook.below_reorder_total, words))
    if outlook.overstock:
        rows = tuple((*_sku(sku), *_idle(sku, words), _cover(sku, words), Cell(words.number(sku.surplus)))
                     for sku in outlook.overstock)  # fmt: skip
        caption = words.say("overstock_list", days=words.number(outlook.overstock_days))
        blocks.append(
            _listed(("available", "value", "cover_range", "surplus"), rows, caption, outlook.overstock_total, words)
        )
    if outlook.dead:
        rows = tuple((*_sku(sku), *_idle(sku, words), _last_sale(sku, words)) for sku in outlook.dead)
        caption = words.say("dead_list", days=words.number(outlook.dead_after_days))
        blocks.append(_listed(("available", "value", "last_sale"), rows, caption, outlook.dead_total, words))
    if outlook.unknown:
        unknown = words.say("outlook_unknown", count=words.number(outlook.unknown), skus=words.number(outlook.skus))
        blocks.append(Sentence(unknown, "dim"))
    if outlook.unknown < outlook.skus:
        blocks.append(Sentence(words.say("outlook_note", weeks=words.number(outlook.error_days // 7)), "dim"))
        if not outlook.all_methods:
            blocks.append(Sentence(words.say("outlook_naive"), "dim"))
    return blocks


def _listed(
    columns: Sequence[str], rows: tuple[tuple[Cell, ...], ...], caption: str, total: int, words: Words
) -> Table:
    return listed(words, ("sku", "title", *columns), columns, rows, caption, total)


def _sku(sku: SkuOutlook) -> tuple[Cell, ...]:
    return Cell(sku.code), Cell(sku.title)


def _idle(sku: SkuOutlook, words: Words) -> tuple[Cell, ...]:
    return Cell(words.number(sku.available)), Cell(words.rupiah(sku.value), "warn" if sku.value is None else "")


def _rate(sku: SkuOutlook, words: Words) -> Cell:
    if sku.per_day is None or sku.error is None:
        return Cell(words.say("unknown"), "warn")
    return Cell(f"{words.decimal(sku.per_day)} ± {words.decimal(sku.error)}")


def _cover(sku: SkuOutlook, words: Words) -> Cell:
    """Days at the forecast, and in brackets at the forecast plus and minus its error."""
    if sku.per_day is None:
        return Cell(words.say("unknown"), "warn")
    days, least, most = (
        words.say("cover_for_ever") if one is None else words.number(round(one))
        for one in (sku.cover_days, sku.cover_at_least, sku.cover_at_most)
    )
    return Cell(days if days == least == most else words.say("cover_between", days=days, least=least, most=most))


def _last_sale(sku: SkuOutlook, words: Words) -> Cell:
    return Cell(words.say("last_sale_before") if sku.last_sale is None else words.short_day(sku.last_sale))
