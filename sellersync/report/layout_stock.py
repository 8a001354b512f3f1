"""The page, last part: stock, what was sent to the channels, and the proof."""

from __future__ import annotations

from collections.abc import Sequence

from .lists import ROWS_SHOWN_MAX, cut, listed
from .model import (
    HandWork,
    PushRow,
    Report,
    Short,
    SkuLevel,
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
    if stock.hand_work:
        entered = "; ".join(_hand_work(work, words) for work in stock.hand_work)
        found.append(Sentence(words.say("hand_work", list=entered), "dim"))
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


# ---- pushes


def pushes_section(report: Report, words: Words) -> Section:
    """Levels sent in the day, by what became of them."""
    pushes = report.pushes
    if not pushes.total.sent:
        return Section("pushes", words.say("pushes"), (Sentence(words.say("no_pushes"), "dim"),))
    names = ("sent", "applied", "refused", "unclear", "open")
    columns = (Column(words.say("channel")), *(Column(words.say(name), numeric=True) for name in names))
    rows = [_push_row(row.channel, row, words) for row in pushes.rows]
    rows.append(_push_row(words.say("total"), pushes.total, words))
    return Section("pushes", words.say("pushes"), (Table(columns, tuple(rows), total=True),))


def _push_row(name: str, row: PushRow, words: Words) -> tuple[Cell, ...]:
    return (
        Cell(name),
        Cell(words.number(row.sent)),
        Cell(words.number(row.applied)),
        Cell(words.number(row.refused), "bad" if row.refused else ""),
        Cell(words.number(row.unclear), "warn" if row.unclear else ""),
        Cell(words.number(row.open), "warn" if row.open else ""),
    )


def proof_section(report: Report, words: Words) -> Section:
    """The ledger's own check, and how much it holds."""
    proof = report.proof
    blocks: list[Block] = []
    if proof.ok:
        blocks.append(Sentence(words.say("proof_ok", movements=words.number(proof.movements)), "good"))
    else:
        blocks.append(Sentence(words.say("proof_bad", count=words.number(proof.problems_total)), "bad"))
        blocks += [Sentence(problem, "bad") for problem in proof.problems[:ROWS_SHOWN_MAX]]
    sealed = (
        words.say("last_sealed", when=words.moment(proof.last_sealed)) if proof.last_sealed else words.say("not_sealed")
    )
    figures = (
        ("movements", proof.movements, ""),
        ("sealed", proof.sealed, sealed),
        ("balances", proof.balances, ""),
        ("ledger_orders", proof.orders, ""),
        ("listings", proof.listings, ""),
        ("counts", proof.counts, ""),
    )
    blocks.append(Tiles(tuple(Tile(words.say(name), words.number(count), note) for name, count, note in figures)))
    return Section("proof", words.say("proof"), tuple(blocks), "" if proof.ok else "bad")
