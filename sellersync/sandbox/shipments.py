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

    for what, keys in (
        ("bookable but in no parcel", uncovered),
        ("bookable but never arranged with the carrier", unbooked),
        ("in more parcels than were ordered", crowded),
        ("booked more than once", doubled),
        ("arranged again while already arranged", repeated),
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
        "in_ledger": sum(row.booked for row in books.parcels),
        "waybills": waybills,
        "unbooked": [list(key) for key in sorted({*uncovered, *unbooked})],
        "doubled": [list(key) for key in sorted({*crowded, *doubled})] + [list(key) for key in repeated],
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
        if parcel.live and parcel.order_id and parcel.slug not in own_sites:
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
