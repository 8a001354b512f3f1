"""The page: orders, parcels and returns."""

from __future__ import annotations

from collections.abc import Sequence

from sellersync.domain.watching import Trouble

from .lists import listed
from .model import (
    Due,
    OpenReturn,
    ParcelRow,
    Report,
    ReturnRow,
    Sales,
    StorefrontSales,
    Troubled,
)
from .model_money import Amount
from .page import Bar, Bars, Block, Cell, Column, Section, Sentence, Table, Tile, Tiles, Tone
from .words import NOTHING, Words


def orders_section(report: Report, words: Words) -> Section:
    """Orders of the day per channel and storefront, against the same weekday before."""
    orders, total = report.orders, report.orders.total
    before = words.say("before_unknown", day=words.short_period(orders.before_period))
    if orders.before is not None:
        before = words.say(
            "before_known", day=words.short_period(orders.before_period), orders=words.number(orders.before.orders)
        )
    tiles = Tiles(
        (
            Tile(words.say("orders_on_day"), words.number(total.orders), before),
            _revenue_tile(total.goods, words),
            Tile(words.say("units"), words.number(total.units)),
            Tile(words.say("cancelled"), words.number(total.cancelled)),
        )
    )
    blocks: list[Block] = [tiles]
    if not total.orders:
        blocks.append(Sentence(words.say("no_orders", in_period=words.in_period(report.period)), "dim"))
    columns = (
        Column(words.say("channel")),
        Column(words.say("storefront")),
        *(Column(words.say(name), numeric=True) for name in ("orders", "units", "revenue", "cancelled", "unpaid")),
        Column(words.say("cancelled_before"), numeric=True),
        Column(words.say("returned"), numeric=True),
        Column(words.say("before", day=words.short_period(orders.before_period)), numeric=True),
    )
    most = max((row.sales.goods.known or 0 for row in orders.rows), default=0)
    rows = [_order_row(row, words, most) for row in orders.rows]
    rows.append(
        (
            Cell(words.say("total")),
            Cell("", "dim"),
            *_sales_cells(total, words, None),
            Cell(words.number(orders.cancelled_from_before)),
            Cell(words.number(orders.returned)),
            Cell(_versus(total, orders.before, words)),
        )
    )
    blocks.append(Table(columns, tuple(rows), total=True))
    if total.orders:
        blocks.append(_hours(orders.per_hour, words) if len(orders.per_day) == 1 else _days(report, words))
    blocks.append(Sentence(words.say("revenue_note"), "dim"))
    return Section("orders", words.say("orders"), tuple(blocks))


def _revenue_tile(goods: Amount, words: Words) -> Tile:
    note = words.say("unknown_count", count=words.number(goods.unknown)) if goods.unknown else ""
    return Tile(words.say("revenue"), words.rupiah(goods.known), note, _unknown_tone(goods))


def _order_row(row: StorefrontSales, words: Words, most: int) -> tuple[Cell, ...]:
    channel = Cell(f"{row.channel} ({words.say('incomplete')})", "bad") if row.blind else Cell(row.channel)
    return (
        channel,
        _or_nothing(row.storefront),
        *_sales_cells(row.sales, words, most),
        Cell(words.number(row.cancelled_from_before)),
        Cell(words.number(row.returned)),
        Cell(_versus(row.sales, row.before, words)),
    )


def _sales_cells(sales: Sales, words: Words, most: int | None) -> tuple[Cell, ...]:
    share = None
    if most:
        share = (sales.goods.known or 0) / most
    return (
        Cell(words.number(sales.orders)),
        Cell(words.number(sales.units)),
        Cell(words.money(sales.goods), _unknown_tone(sales.goods), share),
        Cell(words.number(sales.cancelled)),
        Cell(words.number(sales.unpaid)),
    )


def _or_nothing(text: str) -> Cell:
    return Cell(text) if text else Cell(NOTHING, "dim")


def _unknown_tone(amount: Amount) -> Tone:
    return "warn" if amount.unknown else ""


def _versus(sales: Sales, before: Sales | None, words: Words) -> str:
    if before is None:
        return words.say("unknown")
    return f"{words.number(before.orders)} ({words.change(sales.orders, before.orders)})"


def _hours(per_hour: Sequence[int], words: Words) -> Bars:
    most = max(per_hour)
    bars = tuple(
        Bar(
            f"{hour:02d}",
            count / most,
            words.say("hour_title", hour=f"{hour:02d}–{hour + 1:02d}", count=words.number(count)),
            words.number(count),
        )
        for hour, count in enumerate(per_hour)
    )
    return Bars(words.say("per_hour"), bars)


def _days(report: Report, words: Words) -> Bars:
    counts = report.orders.per_day
    most = max(counts)
    bars = tuple(
        Bar(
            f"{day.day:02d}",
            count / most,
            words.say("hour_title", hour=words.short_day(day), count=words.number(count)),
            words.number(count),
        )
        for day, count in zip(report.period.days(), counts, strict=True)
    )
    return Bars(words.say("per_day"), bars)


# ---- parcels


def parcels_section(report: Report, words: Words) -> Section:
    """Parcels of the day, and what is late, due or stuck now."""
    parcels, total = report.parcels, report.parcels.total
    tiles = Tiles(
        (
            Tile(words.say("late"), words.number(parcels.late_total), tone="bad" if parcels.late_total else "good"),
            Tile(words.say("due_today"), words.number(parcels.due_today_total), words.short_day(parcels.today)),
            Tile(words.say("booked"), words.number(total.booked)),
            Tile(words.say("handed_over"), words.number(total.handed_over)),
            Tile(words.say("stuck"), words.number(parcels.stuck_total), tone="bad" if parcels.stuck_total else ""),
            Tile(
                words.say("troubled"),
                words.number(parcels.troubled_total),
                tone="bad" if parcels.troubled_total else "",
            ),
        )
    )
    names = ("booked", "handed_over", "handed_over_late", "delivered", "waiting_waybill", "parcel_trouble")
    columns = (
        Column(words.say("channel")),
        *(Column(words.say(name), numeric=True) for name in (*names, "late", "due_today")),
    )
    rows = [_parcel_row(row.channel, row, words) for row in parcels.rows]
    rows.append(_parcel_row(words.say("total"), total, words))
    blocks: list[Block] = [tiles, Table(columns, tuple(rows), total=True)]
    if parcels.late:
        blocks.append(_due_table(words.say("late_list"), parcels.late, parcels.late_total, words, "bad"))
    if parcels.due_today:
        caption = words.say("due_list", day=words.short_day(parcels.today))
        blocks.append(_due_table(caption, parcels.due_today, parcels.due_today_total, words, ""))
    if parcels.stuck:
        stuck_rows = tuple(
            (
                Cell(claim.channel),
                Cell(claim.order),
                Cell(claim.reference),
                Cell(
                    words.say("stuck_person" if claim.for_person else "stuck_machine"),
                    "bad" if claim.for_person else "",
                ),
                Cell(words.moment(claim.since)),
            )
            for claim in parcels.stuck
        )
        heads = ("channel", "order", "reference", "state", "opened")
        blocks.append(listed(words, heads, (), stuck_rows, words.say("stuck_list"), parcels.stuck_total))
    if parcels.troubled:
        blocks.append(_troubled_table(parcels.troubled, parcels.troubled_total, words))
    return Section("parcels", words.say("parcels"), tuple(blocks), "bad" if parcels.late_total else "")


def _parcel_row(name: str, row: ParcelRow, words: Words) -> tuple[Cell, ...]:
    counts = (row.booked, row.handed_over, row.handed_over_late, row.delivered, row.waiting_waybill, row.trouble)
    return (
        Cell(name),
        *(Cell(words.number(count)) for count in counts),
        Cell(words.number(row.late), "bad" if row.late else ""),
        Cell(words.number(row.due_today), "warn" if row.due_today else ""),
    )


TROUBLES = {
    Trouble.LOST: "trouble_lost",
    Trouble.RETURNING: "trouble_returning",
    Trouble.UNCOLLECTED: "trouble_uncollected",
    Trouble.STUCK: "trouble_stuck",
    Trouble.OVERDUE: "trouble_overdue",
}


def _troubled_table(troubled: Sequence[Troubled], total: int, words: Words) -> Table:
    rows = tuple(
        (
            Cell(words.say(TROUBLES[one.trouble]), "bad" if one.trouble is Trouble.LOST else ""),
            Cell(one.channel),
            Cell(one.order),
            _or_nothing(one.contents),
            _or_nothing(" ".join(filter(None, (one.courier, one.waybill)))),
            Cell(words.moment(one.since)),
        )
        for one in troubled
    )
    heads = ("state", "channel", "order", "contents", "waybill", "opened")
    return listed(words, heads, (), rows, words.say("troubled_list"), total)


def _due_table(caption: str, due: Sequence[Due], total: int, words: Words, tone: Tone) -> Table:
    rows = tuple(
        (
            Cell(one.channel),
            Cell(one.number or one.order),
            Cell(words.say(f"parcel_{one.state or 'none'}")),
            _or_nothing(one.waybill),
            Cell(words.moment(one.ship_by), tone),
        )
        for one in due
    )
    return listed(words, ("channel", "order", "state", "waybill", "ship_by"), (), rows, caption, total)


# ---- returns


RETURN_EVENTS = ("opened", "received", "sellable", "damaged", "lost")


def returns_section(report: Report, words: Words) -> Section:
    """What came back, what the desk found, and what is still awaited."""
    returns, total = report.returns, report.returns.total
    if not returns.open_total and not any(getattr(total, name) for name in RETURN_EVENTS):
        none = words.say("returns_none", in_period=words.in_period(report.period))
        return Section("returns", words.say("returns"), (Sentence(none, "dim"),))
    note = ""
    if returns.ageing:
        note = words.say("ret_ageing", days=words.number(returns.ageing_days), count=words.number(returns.ageing))
    tone: Tone = "warn" if returns.ageing else ""
    names = (*RETURN_EVENTS, "awaited", "ungraded")
    columns = (Column(words.say("channel")), *(Column(words.say(f"ret_{name}"), numeric=True) for name in names))
    rows = [_return_row(row.channel or words.say("returns_of_no_order"), row, words) for row in returns.rows]
    rows.append(_return_row(words.say("total"), total, words))
    blocks: list[Block] = [
        Tiles((Tile(words.say("ret_open"), words.number(returns.open_total), note, tone),)),
        Table(columns, tuple(rows), total=True),
    ]
    if returns.open:
        cells = tuple(_open_return(one, words) for one in returns.open)
        heads = ("ret_name", "channel", "order", "title", "ret_awaited", "ret_ungraded", "waybill", "opened")
        caption = words.say("ret_list")
        blocks.append(listed(words, heads, ("ret_awaited", "ret_ungraded"), cells, caption, returns.open_total))
    blocks.append(Sentence(words.say("ret_note"), "dim"))
    return Section("returns", words.say("returns"), tuple(blocks), tone)


def _return_row(name: str, row: ReturnRow, words: Words) -> tuple[Cell, ...]:
    counts = (row.opened, row.received, row.sellable, row.damaged, row.lost, row.awaited)
    return (
        Cell(name),
        *(Cell(words.number(count)) for count in counts),
        Cell(words.number(row.ungraded), "warn" if row.ungraded else ""),
    )


def _open_return(one: OpenReturn, words: Words) -> tuple[Cell, ...]:
    return (
        Cell(one.name),
        _or_nothing(one.channel),
        _or_nothing(one.order),
        _or_nothing(one.title),
        Cell(words.number(one.awaited)),
        Cell(words.number(one.ungraded), "warn" if one.ungraded else ""),
        _or_nothing(one.waybill),
        Cell(words.moment(one.since)),
    )
