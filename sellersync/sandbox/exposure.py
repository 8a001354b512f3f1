"""How long the numbers shown to buyers were too high, and whether an oversell could still have been prevented.

All journals are replayed in time order. For every number shown, the replay keeps the sales that no accepted level has included yet:
a level that a channel accepts must be explained by the stock left at that moment plus the newest of those sales; the older ones
are thereby included, which ends their exposure. An oversell is excusable only while such a sale explains the excess shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .kit import Entry, Event, MarketplaceSimulator
from .market import OrderKey, World, items_of

_ORDER_EVENTS = frozenset({Event.ORDER_PLACED, Event.ORDER_PAID, Event.ORDER_CANCELLED})
_LEVEL_EVENTS = frozenset({Event.LEVEL_SET, Event.SHOWN_CHANGED})
TargetId = tuple[str, str]  # (channel slug, remote key)


@dataclass(slots=True, eq=False)
class _Sale:
    """`units` is SKU -> units still sold; cancellations lower it."""

    order: OrderKey
    at: float
    units: Counter[str]
    sold: Counter[str]
    """Remote key -> units, on the order's own channel."""
    held: Counter[str] = field(default_factory=Counter)
    """Units that the channel withholds from other buyers without lowering its number."""


@dataclass(slots=True, eq=False)
class _Number:
    """One number shown to buyers, summed over its locations."""

    id: TargetId
    parts: Mapping[str, int]
    shown: dict[str, int]
    held: int = 0
    unconfirmed: list[_Sale] = field(default_factory=list)
    """Sales that no accepted level includes yet, oldest first."""
    overwritten: set[int] = field(default_factory=set)
    """Own sales (by identity) that lowered the number and were then overwritten by a level that did not include them."""
    waiting: dict[int, _Sale] = field(default_factory=dict)
    excess: int = 0
    since: float = 0.0

    def buyable(self) -> int:
        return sum(self.shown.values()) - self.held

    def level(self, stock: Mapping[str, int], given_back: Iterable[_Sale] = ()) -> int:
        """Units of the listing that the stock allows, as if the given sales had not happened."""
        back: Counter[str] = Counter()
        for sale in given_back:
            back.update(sale.units)
        return max(0, min((stock[sku] + back[sku]) // quantity for sku, quantity in self.parts.items()))

    def pending(self) -> list[_Sale]:
        """Sales that the number shown does not reflect."""
        return [s for s in self.unconfirmed if self.id[1] not in s.sold or s.order[0] != self.id[0] or self._lost(s)]

    def _lost(self, sale: _Sale) -> bool:
        return id(sale) in self.overwritten


@dataclass(frozen=True, slots=True)
class _Moment:
    at: float
    slug: str
    entry: Entry
    moved: frozenset[str]
    """For an order event: the remote keys whose number the channel changed together with it."""


@dataclass(slots=True)
class Exposure:
    """The replay's findings. `samples_ms` holds one value per (order, other channel)."""

    samples_ms: list[float] = field(default_factory=list)
    open: int = 0
    unit_seconds: float = 0.0
    oversells: list[dict[str, Any]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Milliseconds, and unit-seconds over all numbers shown."""
        return {
            "p50": percentile(self.samples_ms, 50),
            "p95": percentile(self.samples_ms, 95),
            "max": percentile(self.samples_ms, 100),
            "samples": len(self.samples_ms),
            "open": self.open,
            "unit_seconds": round(self.unit_seconds, 3),
        }


def percentile(values: Iterable[float], percent: int) -> float | None:
    """Nearest rank; `None` without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * percent // 100))
    return round(ordered[rank - 1], 1)


def replay(channels: Mapping[str, MarketplaceSimulator], world: World, off: Collection[str] = ()) -> Exposure:
    """Replay the journals of all channels that are not off."""
    watched = {slug: simulator for slug, simulator in channels.items() if slug not in off}
    journals = {slug: simulator.journal.entries() for slug, simulator in watched.items()}
    run = _Replay(world, _numbers(watched, journals, world))
    moments = [moment for slug, entries in journals.items() for moment in _moments(slug, entries)]
    for moment in sorted(moments, key=lambda moment: moment.at):
        run.step(moment)
    return run.finish()


def _numbers(
    channels: Mapping[str, MarketplaceSimulator], journals: Mapping[str, list[Entry]], world: World
) -> list[_Number]:
    result = []
    for slug, simulator in channels.items():
        first: dict[tuple[str, str], int] = {}
        for entry in journals[slug]:
            if entry.event in _LEVEL_EVENTS:
                place = (str(entry.data["remote_key"]), str(entry.data.get("location", "")))
                first.setdefault(place, int(entry.data["before"]))
        for product in simulator.products():
            key = product.remote_key
            shown = {place: first.get((key, place), number) for place, number in product.shown.items()}
            result.append(_Number((slug, key), world.parts(product.seller_sku), shown))
    return result


def _moments(slug: str, entries: list[Entry]) -> Iterator[_Moment]:
    for index, entry in enumerate(entries):
        if entry.event in _ORDER_EVENTS:
            yield _Moment(entry.at, slug, entry, frozenset(_changed_with(entries, index)))
        elif entry.event in _LEVEL_EVENTS:
            yield _Moment(entry.at, slug, entry, frozenset())


def _changed_with(entries: list[Entry], index: int) -> Iterator[str]:
    """A simulator journals an order event and then, under the same lock, the numbers that it changed."""
    for entry in entries[index + 1 :]:
        if entry.event is Event.SHOWN_CHANGED:
            yield str(entry.data["remote_key"])
        elif entry.event is not Event.REQUEST:
            return


class _Replay:
    def __init__(self, world: World, numbers: list[_Number]) -> None:
        self._world = world
        self._stock = Counter(dict(world.stock))
        self._changes = sorted(world.changes)
        self._numbers = {number.id: number for number in numbers}
        self._by_sku: defaultdict[str, list[_Number]] = defaultdict(list)
        for number in numbers:
            for sku in number.parts:
                self._by_sku[sku].append(number)
        self._sales: dict[OrderKey, _Sale] = {}
        self._seller_skus: dict[TargetId, str] = {}
        self._excused: list[tuple[_Sale, _Number, dict[str, Any]]] = []
        self._worst_ms: dict[tuple[OrderKey, str], float] = {}
        self._found = Exposure()

    def step(self, moment: _Moment) -> None:
        while self._changes and self._changes[0][0] <= moment.at:
            at, sku, units = self._changes.pop(0)
            self._stock[sku] += units
            self._measure([sku], at)
        event = moment.entry.event
        if event is Event.ORDER_PLACED:
            self._placed(moment)
        elif event is Event.ORDER_PAID:
            self._paid(moment)
        elif event is Event.ORDER_CANCELLED:
            self._cancelled(moment)
        else:
            self._level(moment)

    def finish(self) -> Exposure:
        self._found.open = sum(len(number.waiting) for number in self._numbers.values() if number.excess > 0)
        self._found.samples_ms = list(self._worst_ms.values())
        return self._found

    # -- events

    def _placed(self, moment: _Moment) -> None:
        data = moment.entry.data
        units, sold = self._units(items_of(moment.entry)), Counter[str]()
        for remote_key, _, count in items_of(moment.entry):
            sold[remote_key] += count
        sale = _Sale((moment.slug, str(data["order_id"])), moment.at, units, sold)
        self._sales[sale.order] = sale
        for sku, count in units.items():
            beyond = count - max(0, self._stock[sku])
            if beyond > 0:
                self._oversold(sale, sku, beyond)
        self._stock.subtract(units)
        if not data["paid"]:
            sale.held = Counter({key: count for key, count in sold.items() if key not in moment.moved})
            self._hold(moment.slug, sale.held, +1)
        for number in self._touched(units):
            number.unconfirmed.append(sale)
            if number.id[0] != moment.slug and number.buyable() > number.level(self._stock):
                number.waiting[id(sale)] = sale
        self._measure(units, moment.at)

    def _paid(self, moment: _Moment) -> None:
        sale = self._sales[moment.slug, str(moment.entry.data["order_id"])]
        lowered = Counter({key: count for key, count in sale.held.items() if key in moment.moved})
        sale.held -= lowered
        self._hold(moment.slug, lowered, -1)

    def _cancelled(self, moment: _Moment) -> None:
        sale = self._sales[moment.slug, str(moment.entry.data["order_id"])]
        items = items_of(moment.entry)
        units = self._units(items)
        self._stock.update(units)
        sale.units -= units
        freed = Counter({key: min(count, sale.held[key]) for key, _, count in items if sale.held[key]})
        sale.held -= freed
        self._hold(moment.slug, freed, -1)
        for number in self._touched(units):
            if not sale.units and sale in number.unconfirmed:
                number.unconfirmed.remove(sale)
                number.waiting.pop(id(sale), None)
            if number.buyable() <= number.level(self._stock):
                number.waiting.clear()
        self._measure(units, moment.at)

    def _level(self, moment: _Moment) -> None:
        data = moment.entry.data
        number = self._numbers.get((moment.slug, str(data["remote_key"])))
        if number is None:
            return
        number.shown[str(data.get("location", ""))] = int(data["level"])
        if moment.entry.event is Event.LEVEL_SET:
            self._accepted(number, moment.at)
        self._measure(number.parts, moment.at)

    def _accepted(self, number: _Number, at: float) -> None:
        """Find the fewest newest sales that explain the level; every older one is included in it."""
        for kept in range(len(number.unconfirmed) + 1):
            newest = number.unconfirmed[len(number.unconfirmed) - kept :]
            if number.level(self._stock, newest) >= number.buyable():
                break
        else:
            newest = number.unconfirmed
        included = number.unconfirmed[: len(number.unconfirmed) - len(newest)]
        number.unconfirmed = list(newest)
        number.overwritten = {id(sale) for sale in newest if sale.order[0] == number.id[0]}
        for sale in included:
            if number.waiting.pop(id(sale), None) is not None:
                place = (sale.order, number.id[0])
                self._worst_ms[place] = max(self._worst_ms.get(place, 0.0), (at - sale.at) * 1000)
            for first, where, oversell in self._excused:
                if first is sale and where is number and oversell["accepted_ms"] is None:
                    oversell["accepted_ms"] = round((at - sale.at) * 1000, 1)

    # -- helpers

    def _units(self, items: Iterable[tuple[str, str, int]]) -> Counter[str]:
        units: Counter[str] = Counter()
        for _, seller_sku, count in items:
            for sku, quantity in self._world.parts(seller_sku).items():
                units[sku] += count * quantity
        return units

    def _touched(self, skus: Iterable[str]) -> list[_Number]:
        return list({id(number): number for sku in skus for number in self._by_sku[sku]}.values())

    def _hold(self, slug: str, held: Mapping[str, int], sign: int) -> None:
        for remote_key, count in held.items():
            if (slug, remote_key) in self._numbers:
                self._numbers[slug, remote_key].held += sign * count

    def _measure(self, skus: Iterable[str], at: float) -> None:
        for number in self._touched(skus):
            self._found.unit_seconds += number.excess * (at - number.since)
            number.excess = max(0, number.buyable() - number.level(self._stock))
            number.since = at

    def _oversold(self, sale: _Sale, sku: str, units: int) -> None:
        bought = [self._numbers[sale.order[0], key] for key in sale.sold if (sale.order[0], key) in self._numbers]
        bought = [number for number in bought if sku in number.parts]
        oversell: dict[str, Any] = {
            "sku": sku,
            "units": units,
            "first": None,
            "second": {"channel": sale.order[0], "order": sale.order[1], "after_ms": 0.0},
            "accepted_ms": None,
            "allowed": False,
            "why": "nothing explains the number that was shown",
        }
        self._found.oversells.append(oversell)
        for number in bought:
            pending = number.pending()
            if pending and number.level(self._stock, pending) >= number.buyable() > number.level(self._stock):
                first = pending[0]
                oversell["first"] = {"channel": first.order[0], "order": first.order[1], "after_ms": 0.0}
                oversell["second"]["after_ms"] = round((sale.at - first.at) * 1000, 1)
                oversell["allowed"] = True
                oversell["why"] = "the second sale came before the channel accepted a level that includes the first"
                self._excused.append((first, number, oversell))
                return
        if len(bought) > 1 and all(number.buyable() <= number.level(self._stock) for number in bought):
            oversell["first"] = dict(oversell["second"])
            oversell["allowed"] = True
            oversell["why"] = "one order took the same SKU through two listings"
            return
        earlier = [s for s in self._sales.values() if s is not sale and s.units[sku] > 0]
        if earlier:
            last = earlier[-1]
            oversell["first"] = {"channel": last.order[0], "order": last.order[1], "after_ms": 0.0}
            oversell["second"]["after_ms"] = round((sale.at - last.at) * 1000, 1)
            oversell["why"] = "a level that includes the first sale had been accepted before the second"
