"""Adding up: orders, parcels and pushes to one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from .model import ComparedRow, ParcelRow, PushRow, ReturnRow, Sales
from .model_money import Amount


class Sold(Protocol):
    """What adding up needs to know of an order; `goods` in whole rupiah, `None` when unknown."""

    @property
    def state(self) -> str: ...
    @property
    def units(self) -> int: ...
    @property
    def goods(self) -> int | None: ...


def add_up_sales(facts: Iterable[Sold]) -> Sales:
    """Sum orders; the money of orders with an unknown price is unknown, not zero."""
    orders = cancelled = unpaid = units = goods = known = unknown = 0
    for fact in facts:
        orders += 1
        if fact.state == "cancelled":
            cancelled += 1
        elif fact.state == "unpaid":
            unpaid += 1
        else:
            units += fact.units
            if fact.goods is None:
                unknown += 1
            else:
                known += 1
                goods += fact.goods
    return Sales(orders, cancelled, unpaid, units, Amount(None if unknown and not known else goods, unknown))


def add_up_parcels(rows: Sequence[ParcelRow]) -> ParcelRow:
    """The sum over all selling channels; its channel is ""."""
    return ParcelRow(
        channel="",
        booked=sum(row.booked for row in rows),
        handed_over=sum(row.handed_over for row in rows),
        handed_over_late=sum(row.handed_over_late for row in rows),
        delivered=sum(row.delivered for row in rows),
        waiting_waybill=sum(row.waiting_waybill for row in rows),
        trouble=sum(row.trouble for row in rows),
        late=sum(row.late for row in rows),
        due_today=sum(row.due_today for row in rows),
    )


def add_up_returns(rows: Sequence[ReturnRow]) -> ReturnRow:
    """The sum over all channels; its channel is ""."""
    return ReturnRow(
        channel="",
        opened=sum(row.opened for row in rows),
        received=sum(row.received for row in rows),
        sellable=sum(row.sellable for row in rows),
        damaged=sum(row.damaged for row in rows),
        lost=sum(row.lost for row in rows),
        awaited=sum(row.awaited for row in rows),
        ungraded=sum(row.ungraded for row in rows),
    )


def add_up_amounts(amounts: Iterable[int | None]) -> Amount:
    """Whole rupiah, with how many of them are unknown."""
    known, unknown, total = 0, 0, 0
    for amount in amounts:
        if amount is None:
            unknown += 1
        else:
            known += 1
            total += amount
    return Amount(None if unknown and not known else total, unknown)


def add_up_compared(rows: Sequence[ComparedRow]) -> ComparedRow:
    """The sum over all channels; its channel is ""."""
    return ComparedRow(
        channel="",
        compared=sum(row.compared for row in rows),
        not_comparable=sum(row.not_comparable for row in rows),
        found=sum(row.found for row in rows),
        open=sum(row.open for row in rows),
    )


def push_row(slug: str, outcomes: Iterable[Mapping[str, int]]) -> PushRow:
    """Levels sent, added up over mappings of outcome to number."""
    total: dict[str, int] = {}
    for one in outcomes:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    applied, refused, unclear, waiting = (total.get(name, 0) for name in ("applied", "rejected", "unclear", "sent"))
    return PushRow(slug, applied + refused + unclear + waiting, applied, refused, unclear, waiting)
