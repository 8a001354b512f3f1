"""Report -> what stands on the page, in words and in order: sections of figures, tables, bars and sentences.

Terminal and HTML draw the same page and decide nothing but looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .commands import command, listing
from .model import (
    Amount,
    ChannelHealth,
    Due,
    HandWork,
    Latency,
    NeedGroup,
    ParcelRow,
    PushRow,
    Report,
    Sales,
    SkuLevel,
    StorefrontSales,
)
from .words import NOTHING, Words

Tone = Literal["", "good", "warn", "bad", "dim"]
NEEDS_SHOWN_MAX = 5
NEEDS_SHOWN_MANY_KINDS_MAX = 2
MANY_KINDS = 8
ROWS_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """`share` (0 to 1) draws a bar behind the text."""

    text: str
    tone: Tone = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`total`: the last row is a sum. `more`: a sentence about rows left out."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    total: bool = False
    more: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is read first."""

    label: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """`share` of the highest bar, 0 to 1; `title` says the figure in words."""

    label: str
    share: float
    title: str


@dataclass(frozen=True, slots=True)
class Bars:
    caption: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class NeedItem:
    """`when`: its age, and its deadline in `due` (`overdue` when it has passed)."""

    text: str
    when: str
    due: str
    overdue: bool
    command: str


@dataclass(frozen=True, slots=True)
class NeedBlock:
    """One kind of finding. `more` ends in a colon and is followed by `more_command`; both are "" when all are shown."""

    title: str
    count: str
    effect: str
    todo: str
    items: tuple[NeedItem, ...]
    more: str
    more_command: str


Block = Tiles | Table | Bars | Sentence | NeedBlock


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    """Stable and language-free: an anchor."""
    title: str
    blocks: tuple[Block, ...]
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Page:
    language: str
    title: str
    shop_name: str
    day: str
    scope: str
    verdict: str
    verdict_tone: Tone
    sections: tuple[Section, ...]
    footer: str


def lay_out(report: Report) -> Page:
    """The whole page, top to bottom."""
    words = Words(report.language, report.zone, report.now)
    scope = words.say(
        "as_of_running" if report.running else "as_of",
        zone=words.zone_name(report.since),
        now=words.full_moment(report.now),
    )
    total = report.needs.total
    verdict = words.say("nothing_needed")
    if total:
        verdict = words.say("needed_one") if total == 1 else words.say("needed", count=words.number(total))
    return Page(
        language=report.language,
        title=words.say("report"),
        shop_name=report.shop_name,
        day=words.day(report.day),
        scope=scope,
        verdict=verdict,
        verdict_tone="bad" if total or not report.proof.ok else "good",
        sections=(
            _needs(report, words),
            _health(report, words),
            _orders(report, words),
            _parcels(report, words),
            _stock(report, words),
            _pushes(report, words),
            _proof(report, words),
        ),
        footer=words.say("footer"),
    )


# -------------------------------------------------------------------------------------------------------------------------- needs you


def _needs(report: Report, words: Words) -> Section:
    needs = report.needs
    shown_max = NEEDS_SHOWN_MAX if len(needs.groups) <= MANY_KINDS else NEEDS_SHOWN_MANY_KINDS_MAX
    blocks: list[Block] = [_need_block(group, words, shown_max) for group in needs.groups]
    if not blocks:
        blocks.append(Sentence(words.say("nothing_needed"), "good"))
    day = words.say("opened_closed", opened=words.number(needs.opened), closed=words.number(needs.closed))
    blocks.append(Sentence(day, "dim"))
    return Section("needs", words.say("needs"), tuple(blocks), "bad" if needs.total else "good")


def _need_block(group: NeedGroup, words: Words, shown_max: int) -> NeedBlock:
    items = tuple(
        NeedItem(
            words.finding(need),
            words.age(need.since),
            words.deadline(need.deadline) if need.deadline else "",
            need.deadline is not None and need.deadline < words.now,
            command(need),
        )
        for need in group.first[:shown_max]
    )
    left_out = group.total - len(items)
    return NeedBlock(
        words.finding_title(group),
        words.number(group.total),
        words.finding_effect(group.kind),
        words.finding_todo(group.kind),
        items,
        words.say("more", count=words.number(left_out)) if left_out else "",
        listing(group.kind) if left_out else "",
    )


# ----------------------------------------------------------------------------------------------------------------------------- health


def _health(report: Report, words: Words) -> Section:
    health = report.health
    exposed = health.exposed
    blocks: list[Block] = []
    if exposed.samples:
        note = words.say("exposure_note", p95=words.milliseconds(exposed.p95_ms))
        if exposed.waiting:
            note += "; " + words.say("waiting", count=words.number(exposed.waiting))
        blocks.append(Tiles((Tile(words.say("exposure_tile"), words.milliseconds(exposed.p50_ms), note),)))
        blocks.append(
            Sentence(
                words.say(
                    "exposure_steps",
                    heard=words.milliseconds(health.heard.p50_ms),
                    posted=words.milliseconds(health.posted.p50_ms),
                    accepted=words.milliseconds(health.accepted.p50_ms),
                    not_needed=words.number(health.not_needed),
                ),
                "dim",
            )
        )
    columns = ("channel", "state", "last_pull", "last_push", "heard", "exposed")
    rows = tuple(_health_row(channel, words) for channel in health.channels)
    blocks.append(Table(tuple(Column(words.say(name)) for name in columns), rows))
    for channel in health.channels:
        if channel.blind and channel.blind_since is None:
            blocks.append(Sentence(words.say("blind_all", channel=channel.slug), "bad"))
        elif channel.blind_since is not None:
            when = words.moment(channel.blind_since)
            blocks.append(Sentence(words.say("blind_since", channel=channel.slug, when=when), "bad"))
    unwell = any(channel.state != "ok" or channel.blind for channel in health.channels)
    return Section("health", words.say("health"), tuple(blocks), "bad" if unwell else "")


def _health_row(channel: ChannelHealth, words: Words) -> tuple[Cell, ...]:
    name = channel.slug if channel.kind == "channel" else f"{channel.slug} ({words.say('courier_suffix')})"
    if channel.state == "ok":
        state = Cell(words.say("state_ok"), "good")
    else:
        parts = [words.say(f"state_{channel.state}")]
        if channel.trouble_since is not None:
            parts.append(words.say("since_when", when=words.moment(channel.trouble_since)))
        text = " ".join(parts) + (f": {channel.trouble}" if channel.trouble else "")
        state = Cell(text, "bad")
    if channel.kind != "channel":
        return (Cell(name), state, *(Cell(NOTHING, "dim") for _ in range(4)))
    pulled = words.moment(channel.last_pull) if channel.last_pull else words.say("never")
    pushed = words.moment(channel.last_push) if channel.last_push else words.say("never")
    return (
        Cell(name),
        state,
        Cell(pulled, "bad" if channel.blind else ""),
        Cell(pushed),
        Cell(_half_most(channel.heard, words)),
        Cell(_half_most(channel.exposed, words)),
    )


def _half_most(latency: Latency, words: Words) -> str:
    parts = []
    if latency.samples:
        half, most = words.milliseconds(latency.p50_ms), words.milliseconds(latency.p95_ms)
        parts.append(words.say("half_most", p50=half, p95=most))
    if latency.waiting:
        parts.append(words.say("waiting", count=words.number(latency.waiting)))
    return "; ".join(parts) or NOTHING


# ----------------------------------------------------------------------------------------------------------------------------- orders


def _orders(report: Report, words: Words) -> Section:
    orders, total = report.orders, report.orders.total
    before = words.say("before_unknown", day=words.short_day(orders.before_day))
    if orders.before is not None:
        before = words.say(
            "before_known", day=words.short_day(orders.before_day), orders=words.number(orders.before.orders)
        )
    tiles = Tiles(
        (
            Tile(words.say("orders_on_day"), words.number(total.orders), before),
            Tile(words.say("revenue"), words.money(total.goods)),
            Tile(words.say("units"), words.number(total.units)),
            Tile(words.say("cancelled"), words.number(total.cancelled)),
        )
    )
    blocks: list[Block] = [tiles]
    if not total.orders:
        blocks.append(Sentence(words.say("no_orders"), "dim"))
    columns = (
        Column(words.say("channel")),
        Column(words.say("storefront")),
        *(Column(words.say(name), numeric=True) for name in ("orders", "units", "revenue", "cancelled", "unpaid")),
        Column(words.say("cancelled_before"), numeric=True),
        Column(words.say("before", day=words.short_day(orders.before_day)), numeric=True),
    )
    most = max((row.sales.goods.known or 0 for row in orders.rows), default=0)
    rows = [_order_row(row, words, most) for row in orders.rows]
    rows.append(
        (
            Cell(words.say("total")),
            Cell(""),
            *_sales_cells(total, words, None),
            Cell(words.number(orders.cancelled_from_before)),
            Cell(_versus(total, orders.before, words)),
        )
    )
    blocks.append(Table(columns, tuple(rows), total=True))
    if total.orders:
        blocks.append(_hours(orders.per_hour, words))
    blocks.append(Sentence(words.say("revenue_note"), "dim"))
    return Section("orders", words.say("orders"), tuple(blocks))


def _order_row(row: StorefrontSales, words: Words, most: int) -> tuple[Cell, ...]:
    channel = Cell(f"{row.channel} ({words.say('incomplete')})", "bad") if row.blind else Cell(row.channel)
    return (
        channel,
        Cell(row.storefront or NOTHING),
        *_sales_cells(row.sales, words, most),
        Cell(words.number(row.cancelled_from_before)),
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
        )
        for hour, count in enumerate(per_hour)
    )
    return Bars(words.say("per_hour"), bars)


# ---------------------------------------------------------------------------------------------------------------------------- parcels


def _parcels(report: Report, words: Words) -> Section:
    parcels, total = report.parcels, report.parcels.total
    tiles = Tiles(
        (
            Tile(words.say("late"), words.number(parcels.late_total), tone="bad" if parcels.late_total else "good"),
            Tile(words.say("due_today"), words.number(parcels.due_today_total), words.short_day(parcels.today)),
            Tile(words.say("booked"), words.number(total.booked)),
            Tile(words.say("handed_over"), words.number(total.handed_over)),
            Tile(words.say("stuck"), words.number(parcels.stuck_total), tone="bad" if parcels.stuck_total else ""),
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
            for claim in parcels.stuck[:ROWS_SHOWN_MAX]
        )
        heads = ("channel", "order", "reference", "state", "opened")
        blocks.append(_table(words, heads, (), stuck_rows, words.say("stuck_list"), parcels.stuck_total))
    return Section("parcels", words.say("parcels"), tuple(blocks), "bad" if parcels.late_total else "")


def _parcel_row(name: str, row: ParcelRow, words: Words) -> tuple[Cell, ...]:
    counts = (row.booked, row.handed_over, row.handed_over_late, row.delivered, row.waiting_waybill, row.trouble)
    return (
        Cell(name),
        *(Cell(words.number(count)) for count in counts),
        Cell(words.number(row.late), "bad" if row.late else ""),
        Cell(words.number(row.due_today), "warn" if row.due_today else ""),
    )


def _due_table(caption: str, due: Sequence[Due], total: int, words: Words, tone: Tone) -> Table:
    rows = tuple(
        (
            Cell(one.channel),
            Cell(one.number or one.order),
            Cell(words.say(f"parcel_{one.state or 'none'}")),
            Cell(one.waybill or NOTHING),
            Cell(words.moment(one.ship_by), tone),
        )
        for one in due[:ROWS_SHOWN_MAX]
    )
    return _table(words, ("channel", "order", "state", "waybill", "ship_by"), (), rows, caption, total)


def _table(
    words: Words,
    names: Iterable[str],
    numeric: Iterable[str],
    rows: tuple[tuple[Cell, ...], ...],
    caption: str,
    total: int,
) -> Table:
    columns = tuple(Column(words.say(name), name in numeric) for name in names)
    left_out = total - len(rows)
    more = words.say("more_rows", count=words.number(left_out)) if left_out > 0 else ""
    return Table(columns, rows, caption, more=more)


# ------------------------------------------------------------------------------------------------------------------------------ stock


def _stock(report: Report, words: Words) -> Section:
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
            Cell(
                ", ".join(
                    words.say(
                        "order_units",
                        order=order.number or order.order,
                        channel=order.channel,
                        units=words.number(order.units),
                    )
                    for order in short.orders
                )
                or NOTHING
            ),
        )
        for short in stock.short[:ROWS_SHOWN_MAX]
    )
    names = ("sku", "title", "warehouse", "short_units", "orders_concerned")
    return _table(words, names, ("short_units",), rows, words.say("short_list"), stock.short_total)


def _level_table(columns: tuple[Column, ...], levels: Sequence[SkuLevel], total: int, words: Words, name: str) -> Table:
    rows = []
    for level in levels[:ROWS_SHOWN_MAX]:
        cells = [Cell(level.code), Cell(level.title)]
        if name == "sold_out_list":
            cells += [Cell(words.number(level.sold)), Cell(words.moment(level.changed) if level.changed else NOTHING)]
        else:
            cover = words.say("unknown") if level.cover_days is None else words.decimal(level.cover_days)
            cells += [Cell(words.number(level.available)), Cell(words.number(level.sold)), Cell(cover)]
        rows.append(tuple(cells))
    left_out = total - len(rows)
    more = words.say("more_rows", count=words.number(left_out)) if left_out > 0 else ""
    return Table(columns, tuple(rows), words.say(name), more=more)


def _hand_work(work: HandWork, words: Words) -> str:
    name = f"hand_{work.kind}" if work.kind in ("receipt", "count", "adjustment") else "hand_other"
    numbers = {
        "documents": words.number(work.documents),
        "units_in": words.number(work.units_in),
        "units_out": words.number(work.units_out),
    }
    return words.say(name, kind=work.kind, **numbers)


# ------------------------------------------------------------------------------------------------------------------- pushes and proof


def _pushes(report: Report, words: Words) -> Section:
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


def _proof(report: Report, words: Words) -> Section:
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
