"""Reads -> money: what channels settled in the period, what its goods cost, what couriers of our own charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sellersync.domain.settlements import PartGroup, part_group, share_out
from sellersync.store import reads_money
from sellersync.store.reads_money import Costs, Goods, SettlementFact

from .model_money import CourierMoney, Money, MoneyRow, SkuMoney
from .reading import Reading, clean
from .sums import add_up_amounts


@dataclass(frozen=True, slots=True)
class SkuShare:
    """One SKU's part of a settlement: units whose cost counts with it, its share of the net amount, what those units cost."""

    sku_id: int
    units: int
    net: int
    cost: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A settlement with what it means: its parts by group, the cost of its goods (0 with an order's later settlements), what is left.
    `shares` is `None` where its net amount cannot be shared out among SKUs."""

    fact: SettlementFact
    groups: Mapping[PartGroup, int]
    cost: int | None
    margin: int | None
    shares: tuple[SkuShare, ...] | None


def told(reading: Reading) -> list[Told]:
    """The settlements of the period."""
    window = reading.window
    facts = reads_money.settled(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)
    goods = reads_money.goods_of(reading.session, [fact.order_id for fact in facts if fact.order_id is not None])
    costs = Costs(reading.session)
    return [_told(fact, goods.get(fact.order_id or 0), costs) for fact in facts]


def _told(fact: SettlementFact, goods: Goods | None, costs: Costs) -> Told:
    groups: dict[PartGroup, int] = {}
    for name, amount in fact.parts.items():
        group = part_group(name)
        groups[group] = groups.get(group, 0) + amount
    cost = _cost(fact, goods, costs)
    margin = None if cost is None else fact.net - cost
    return Told(fact, groups, cost, margin, None if goods is None else _shares(fact, goods, costs))


def _cost(fact: SettlementFact, goods: Goods | None, costs: Costs) -> int | None:
    """What the goods cost that count with this settlement. Money of no order buys nothing; an unknown order may have bought anything."""
    if not fact.of_an_order or (goods is not None and not fact.first):
        return 0
    if goods is None or goods.taken is None:
        return None
    parts = [_times(costs.at(sku_id, goods.placed_ms), units) for sku_id, units in goods.taken.items() if units]
    return None if None in parts else sum(part for part in parts if part is not None)


def _times(each: int | None, units: int) -> int | None:
    return None if each is None else each * units


def _shares(fact: SettlementFact, goods: Goods, costs: Costs) -> tuple[SkuShare, ...] | None:
    """The net amount by what each line sold for, within a line by what its components cost; to the rupiah."""
    weights = _weights(goods, costs)
    if weights is None:
        return None
    counts = goods.taken if fact.first and goods.taken is not None else {}
    skus = sorted({*weights, *(sku_id for sku_id, units in counts.items() if units)})
    nets = share_out(fact.net, [weights.get(sku_id, 0) for sku_id in skus])
    found = []
    for sku_id, net in zip(skus, nets, strict=True):
        units = counts.get(sku_id, 0)
        found.append(SkuShare(sku_id, units, net, _times(costs.at(sku_id, goods.placed_ms), units) if units else 0))
    return tuple(found)


def _weights(goods: Goods, costs: Costs) -> dict[int, int] | None:
    """SKU id -> its weight in the order's value; `None` where a price, a cost or a SKU that decides is unknown."""
    skus = {sku_id for line in goods.lines for sku_id in line.components or {}}
    if not skus or any(line.components is None for line in goods.lines):
        return None
    if len(skus) == 1:
        return dict.fromkeys(skus, 1)
    weights: dict[int, int] = dict.fromkeys(skus, 0)
    for line in goods.lines:
        components = line.components or {}
        if line.value is None or not components:
            return None
        if len(components) == 1:
            weights[next(iter(components))] += line.value
            continue
        parts = [_times(costs.at(sku_id, goods.placed_ms), each) for sku_id, each in components.items()]
        if None in parts:
            return None
        for sku_id, part in zip(components, share_out(line.value, [part or 0 for part in parts]), strict=True):
            weights[sku_id] += part
    return weights


def money(reading: Reading) -> Money:
    """What the channels settled in the period, and what couriers of our own charged."""
    everything = told(reading)
    settle = reads_money.channels_that_settle(reading.session)
    rows = [
        _row(channel.slug, [one for one in everything if one.fact.channel_id == channel.id])
        for channel in reading.selling
        if channel.id in settle
    ]
    return Money(
        rows=tuple(rows),
        total=_row("", everything),
        silent=tuple(channel.slug for channel in reading.selling if channel.id not in settle),
        skus=_sku_rows(reading, everything),
        not_shared=sum(one.shares is None and one.fact.of_an_order for one in everything),
        couriers=_couriers(reading),
    )


def _row(slug: str, own: Sequence[Told]) -> MoneyRow:
    def group(name: PartGroup) -> int:
        return sum(one.groups.get(name, 0) for one in own)

    return MoneyRow(
        channel=slug,
        settlements=len(own),
        strangers=sum(one.fact.of_an_order and one.fact.order_id is None for one in own),
        net=sum(one.fact.net for one in own),
        sale=group(PartGroup.SALE),
        shipping=group(PartGroup.SHIPPING),
        fees=group(PartGroup.FEES),
        refunds=group(PartGroup.REFUNDS),
        other=group(PartGroup.OTHER),
        unexplained=group(PartGroup.UNEXPLAINED),
        cost=add_up_amounts([one.cost for one in own]),
        margin=add_up_amounts([one.margin for one in own]),
    )


def _sku_rows(reading: Reading, everything: Sequence[Told]) -> tuple[SkuMoney, ...]:
    names = reads_money.sku_names(reading.session)
    by_sku: dict[int, list[SkuShare]] = {}
    for one in everything:
        for share in one.shares or ():
            by_sku.setdefault(share.sku_id, []).append(share)
    rows = []
    for sku_id, shares in by_sku.items():
        code, title = names[sku_id]
        net = sum(share.net for share in shares)
        costs = [share.cost for share in shares]
        cost = None if None in costs else sum(cost or 0 for cost in costs)
        units = sum(share.units for share in shares)
        rows.append(SkuMoney(clean(code), clean(title), units, net, cost, None if cost is None else net - cost))
    rows.sort(key=lambda row: (row.margin is None, -(row.margin or 0), -row.net, row.code))
    return tuple(rows)


def courier_charges(reading: Reading) -> list[reads_money.CourierFact]:
    """Parcels booked in the period with couriers of our own."""
    window = reading.window
    return reads_money.courier_charges(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)


def _couriers(reading: Reading) -> tuple[CourierMoney, ...]:
    facts = courier_charges(reading)
    rows = []
    for channel in reading.selling:
        own = [fact for fact in facts if fact.channel_id == channel.id]
        if own:
            paid = add_up_amounts([fact.paid for fact in own if fact.first])
            rows.append(CourierMoney(channel.slug, len(own), paid, add_up_amounts([fact.charged for fact in own])))
    return tuple(rows)
