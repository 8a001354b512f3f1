"""Were all parcels booked, once? The marketplaces' and couriers' view against the ledger's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

from .books import Books, ParcelRow
from .market import Arranged, Market, OrderKey

NAMED_MAX = 5
UnitKey = tuple[str, str, str]  # (channel slug, remote order id, remote key)


def judge_parcels(
    own_sites: Collection[str], off: Collection[str], market: Market, books: Books, problems: list[str]
) -> dict[str, Any]:
    """Every unit that may be shipped is in exactly one live parcel, booked once; parcels and waybills agree on both sides."""
    bookable = _bookable(market, off)
    in_parcels = _units_in_parcels(books)
    arranged = _units_arranged(own_sites, market, books)
    uncovered = sorted(key for key, count in bookable.items() if in_parcels[key] < count)
    unbooked = sorted(key for key, count in bookable.items() if arranged[key] < count)
    ordered = {
        (*order.key, remote_key): count for order in market.orders.values() for remote_key, count in order.units.items()
    }
    crowded = sorted(key for key, count in in_parcels.items() if count > ordered.get(key, 0) and key[0] not in off)
    doubled = sorted(key for key, count in arranged.items() if count > ordered.get(key, 0) and key[0] not in off)
    repeated = sorted((parcel.slug, parcel.parcel_id) for parcel in market.parcels.values() if parcel.times > 1)

    here: defaultdict[tuple[str, str], list[ParcelRow]] = defaultdict(list)
    for row in books.parcels:
        if row.remote_id:
            here[row.carrier, row.remote_id].append(row)
    live = {key: parcel for key, parcel in market.parcels.items() if parcel.live and key[0] not in off}
    unknown_here = sorted(key for key in live if not any(row.booked for row in here.get(key, ())))
    twice_here = sorted(key for key in live if len(here.get(key, ())) > 1)
    unknown_there = sorted(
        key for key, rows in here.items() if key not in live and key[0] not in off and any(row.booked for row in rows)
    )
    waybills, wrong_waybills = _compare_waybills(live, here)
    rebooked = _booked_again(own_sites, market)
    unwanted = _booked_for_nobody(own_sites, market, books)
    dead = {row.id: (row.slug, str(row.order_id)) for row in books.parcels if not row.live}
    held_by_dead = sorted({dead[parcel_id] for parcel_id, _, _ in books.parcel_units if parcel_id in dead})
    shared_waybills = _shared_waybills(own_sites, books)

    for what, keys in (
        ("bookable but in no parcel", uncovered),
        ("bookable but never arranged with the carrier", unbooked),
        ("in more parcels than were ordered", crowded),
        ("booked more than once", doubled),
        ("arranged again while already arranged", repeated),
        ("booked at the courier for more units than were ordered", rebooked),
        ("booked at the courier although the buyer cancelled", unwanted),
        ("units held by a parcel that was given up", held_by_dead),
        ("one waybill for several parcels", shared_waybills),
        ("parcels that the ledger does not know as booked", unknown_here),
        ("parcels that the ledger has twice", twice_here),
        ("booked in the ledger, unknown to the carrier", unknown_there),
        ("waybills that differ", wrong_waybills),
    ):
        if keys:
            named = "; ".join(" ".join(key) for key in keys[:NAMED_MAX])
            more = f" and {len(keys) - NAMED_MAX} more" if len(keys) > NAMED_MAX else ""
            problems.append(f"{what}: {named}{more}")
    return {
        "bookable_units": sum(bookable.values()),
        "in_parcels": sum(min(in_parcels[key], count) for key, count in bookable.items()),
        "arranged": sum(min(arranged[key], count) for key, count in bookable.items()),
        "at_carriers": len(live),
        "cancelled": sum(not parcel.live for parcel in market.parcels.values()),
        "in_ledger": sum(row.booked for row in books.parcels),
        "waybills": waybills,
        "unbooked": [list(key) for key in sorted({*uncovered, *unbooked})],
        "doubled": [list(key) for key in [*sorted({*crowded, *doubled}), *repeated, *rebooked, *shared_waybills]],
        "unwanted": [list(key) for key in [*unwanted, *held_by_dead]],
        "unknown_to_ledger": [list(key) for key in unknown_here],
        "unknown_to_carrier": [list(key) for key in unknown_there],
        "wrong_waybills": [list(key) for key in wrong_waybills],
    }


def _bookable(market: Market, off: Collection[str]) -> Counter[UnitKey]:
    """Paid (or to be paid on delivery), not cancelled."""
    return Counter(
        {
            (*order.key, remote_key): count
            for order in market.orders.values()
            if order.shippable and order.key[0] not in off
            for remote_key, count in order.wanted.items()
        }
    )


def _units_in_parcels(books: Books) -> Counter[UnitKey]:
    """Units in the ledger's live parcels, by the order that they belong to."""
    order_of: dict[int, OrderKey] = {order_id: (slug, remote_id) for order_id, slug, remote_id in books.orders}
    alive = {row.id for row in books.parcels if row.live}
    result: Counter[UnitKey] = Counter()
    for parcel_id, line_id, _ in books.parcel_units:
        order_id, remote_key = books.lines[line_id]
        if parcel_id in alive:
            result[(*order_of[order_id], remote_key)] += 1
    return result


def _units_arranged(own_sites: Collection[str], market: Market, books: Books) -> Counter[UnitKey]:
    """Units in live parcels as the carriers know them.

    A marketplace's journal names the units. A courier knows only its booking: its units are those that the ledger put into the
    parcel with this booking id.
    """
    result: Counter[UnitKey] = Counter()
    for parcel in market.parcels.values():
        if parcel.live and parcel.slug not in own_sites and (parcel.slug, parcel.order_id) in market.orders:
            for remote_key, count in parcel.units.items():
                result[parcel.slug, parcel.order_id, remote_key] += count
    order_of: dict[int, OrderKey] = {order_id: (slug, remote_id) for order_id, slug, remote_id in books.orders}
    booked = {
        row.id
        for row in books.parcels
        if row.slug in own_sites
        and (parcel_there := market.parcels.get((row.carrier, row.remote_id))) is not None
        and parcel_there.live
    }
    for parcel_id, line_id, _ in books.parcel_units:
        if parcel_id in booked:
            order_id, remote_key = books.lines[line_id]
            result[(*order_of[order_id], remote_key)] += 1
    return result


def _booked_again(own_sites: Collection[str], market: Market) -> list[OrderKey]:
    """Own-site orders with more units in living bookings than their buyers ordered, by the couriers' own books alone: a booking that
    carries the shop's number of the order needs no ledger to be found."""
    booked: Counter[str] = Counter()
    for parcel in market.parcels.values():
        if parcel.live and parcel.order_number:
            booked[parcel.order_number] += parcel.units.total()
    orders = [order for order in market.orders.values() if order.key[0] in own_sites]
    ordered: Counter[str] = Counter()
    for order in orders:  # two sites may have an order of one number
        ordered[order.key[1]] += order.units.total()
    return sorted(order.key for order in orders if booked[order.key[1]] > ordered[order.key[1]])


def _booked_for_nobody(own_sites: Collection[str], market: Market, books: Books) -> list[tuple[str, ...]]:
    """Living bookings that no courier has collected, of orders that were cancelled as a whole."""
    order_of: dict[int, OrderKey] = {order_id: (slug, remote_id) for order_id, slug, remote_id in books.orders}
    found = []
    for row in books.parcels:
        order = market.orders.get(order_of[row.order_id])
        there = market.parcels.get((row.carrier, row.remote_id))
        if row.slug not in own_sites or order is None or there is None:
            continue
        if not order.wanted and there.live and not there.collected:
            found.append((*order.key, row.remote_id))
    return sorted(found)


def _shared_waybills(own_sites: Collection[str], books: Books) -> list[tuple[str, str]]:
    """(courier, waybill) of numbers that several booked own-site parcels have in the ledger."""
    count = Counter(
        (row.carrier, row.waybill) for row in books.parcels if row.booked and row.waybill and row.slug in own_sites
    )
    return sorted(key for key, parcels in count.items() if parcels > 1)


def _compare_waybills(
    live: dict[tuple[str, str], Arranged], here: dict[tuple[str, str], list[ParcelRow]]
) -> tuple[int, list[tuple[str, str]]]:
    """How many waybills the carriers issued, and the parcels of which the ledger has another one or none."""
    issued = {key: parcel.waybill for key, parcel in live.items() if parcel.waybill}
    wrong = [key for key, waybill in issued.items() if [row.waybill for row in here.get(key, ())] != [waybill]]
    invented = [
        key for key, rows in here.items() if key in live and not live[key].waybill and any(row.waybill for row in rows)
    ]
    return len(issued), sorted(wrong + invented)
