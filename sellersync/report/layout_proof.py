"""The page, last part: what was sent to the channels, where they differed, the proofs, and what was restated."""

from __future__ import annotations

from collections.abc import Sequence

from .lists import ROWS_SHOWN_MAX, listed
from .model import ComparedRow, DifferenceRow, OrderCount, Oversold, PushRow, Report, Restated
from .page import Block, Cell, Column, Section, Sentence, Table, Tile, Tiles
from .words import NOTHING, Words

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
    if proof.checked_before is not None:
        when, first = words.full_moment(proof.checked_before), words.number(proof.checked_from)
        blocks.append(Sentence(words.say("chain_part", first=first, when=when), "dim"))
    blocks += _orders_counted(proof.orders_counted, words)
    blocks += _oversold(proof.oversold, words)
    return Section("proof", words.say("proof"), tuple(blocks), "" if proof.ok else "bad")


def _orders_counted(rows: Sequence[OrderCount], words: Words) -> list[Block]:
    """A channel that nobody counted is said to be so; its zeros would be lies."""
    if not any(row.days for row in rows):
        return []
    cells = tuple(_order_count(row, words) for row in rows)
    numeric = ("on_channel", "in_ledger", "missing", "repaired")
    caption = words.say("orders_counted_list")
    blocks: list[Block] = [listed(words, ("channel", "counted_at", *numeric), numeric, cells, caption, len(rows))]
    for row in rows:
        if row.missing:
            shown = ", ".join(row.missing[:ROWS_SHOWN_MAX])
            left_out = row.missing_total - len(row.missing[:ROWS_SHOWN_MAX])
            named = f"{shown}, {words.say('more_rows', count=words.number(left_out))}" if left_out else shown
            blocks.append(Sentence(words.say("missing_named", channel=row.channel, list=named), "bad"))
    return blocks


def _order_count(row: OrderCount, words: Words) -> tuple[Cell, ...]:
    if not row.days_counted or row.counted is None:
        return (Cell(row.channel), Cell(words.say("not_counted"), "warn"), *(Cell(NOTHING, "dim") for _ in range(4)))
    when = Cell(words.moment(row.counted))
    if row.days > 1 or row.days_counted < row.days:
        days = words.say("counted_partly", days=words.number(row.days_counted), all=words.number(row.days))
        when = Cell(days, "warn" if row.days_counted < row.days else "")
    return (
        Cell(row.channel),
        when,
        Cell(words.number(row.on_channel)),
        Cell(words.number(row.in_ledger)),
        Cell(words.number(row.missing_total), "bad" if row.missing_total else "good"),
        Cell(words.number(row.repaired)),
    )


def _oversold(oversold: Sequence[Oversold] | None, words: Words) -> list[Block]:
    if oversold is None:
        return []
    if not oversold:
        return [Sentence(words.say("oversold_none"), "good")]
    rows = tuple(
        (
            Cell(one.code),
            Cell(one.title),
            Cell(words.number(one.units), "bad"),
            Cell(f"{one.first_order} ({one.first_channel})" if one.first_order else NOTHING),
            Cell(f"{one.order} ({one.channel})"),
            Cell(words.oversell_cause(one.cause)),
        )
        for one in oversold
    )
    names = ("sku", "title", "units", "oversold_first", "oversold_second", "cause")
    return [listed(words, names, ("units",), rows, words.say("oversold_list"), len(rows))]


# ---- differences


SETTLED = {
    "open": "settled_open",
    "sent": "settled_sent",
    "overwritten": "settled_overwritten",
    "adopted": "settled_adopted",
    "gone": "settled_gone",
}


def differences_section(report: Report, words: Words) -> Section:
    """Numbers that channels showed and should not have, and what was done."""
    found = report.differences
    if not found.total.compared and not found.total.not_comparable and not found.first:
        none = words.say("differences_none", in_period=words.in_period(report.period))
        return Section("differences", words.say("differences"), (Sentence(none, "dim"),))
    names = ("compared", "not_comparable", "found", "still_open")
    columns = (Column(words.say("channel")), *(Column(words.say(name), numeric=True) for name in names))
    rows = [_compared(row.channel, row, words) for row in found.rows]
    rows.append(_compared(words.say("total"), found.total, words))
    blocks: list[Block] = [Table(columns, tuple(rows), total=True)]
    if found.first:
        cells = tuple(_difference(one, words) for one in found.first)
        heads = ("channel", "subject", "shown", "expected", "cause", "opened", "settled_how")
        caption = words.say("differences_list")
        blocks.append(listed(words, heads, ("shown", "expected"), cells, caption, found.first_total))
    return Section("differences", words.say("differences"), tuple(blocks), "warn" if found.total.open else "")


def _compared(name: str, row: ComparedRow, words: Words) -> tuple[Cell, ...]:
    return (
        Cell(name),
        Cell(words.number(row.compared)),
        Cell(words.number(row.not_comparable), "warn" if row.not_comparable else ""),
        Cell(words.number(row.found), "warn" if row.found else ""),
        Cell(words.number(row.open), "bad" if row.open else ""),
    )


def _difference(one: DifferenceRow, words: Words) -> tuple[Cell, ...]:
    return (
        Cell(one.channel),
        Cell(one.subject),
        Cell(NOTHING if one.shown is None else words.number(one.shown)),
        Cell(NOTHING if one.expected is None else words.number(one.expected)),
        Cell(words.difference(one.cause)),
        Cell(words.moment(one.since)),
        Cell(words.say(SETTLED[one.state]), "bad" if one.state == "open" else ""),
    )


# ---- restated


def restated_sections(report: Report, words: Words) -> tuple[Section, ...]:
    """None while nothing has changed since it was first given out."""
    if not report.restated or report.first_given is None:
        return ()
    rows = tuple(_restated(one, words) for one in report.restated)
    names = ("figure", "was", "is_now", "restated_since")
    count = words.number(len(rows))
    when = words.full_moment(report.first_given)
    blocks = (
        Sentence(words.say("restated_intro", when=when, count=count)),
        listed(words, names, ("was", "is_now"), rows, "", len(rows)),
    )
    return (Section("restated", words.say("restated"), blocks, "warn"),)


def _restated(one: Restated, words: Words) -> tuple[Cell, ...]:
    return (
        Cell(words.figure(one.figure)),
        Cell(words.valued(one.unit, one.was)),
        Cell(words.valued(one.unit, one.now)),
        Cell(NOTHING if one.since is None else words.moment(one.since)),
    )
