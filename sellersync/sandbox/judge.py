"""The judge: compares what happened on the marketplaces (the simulators' journals) with the ledger (read by plain SQL).

It shares no code with the product except the simulators' kit, so that a mistake of the product cannot excuse itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .books import Books, broken_seals, read_books, rebuilt_balances, rebuilt_positions, wanted_level
from .exposure import replay
from .kit import CourierSimulator, MarketplaceSimulator
from .market import Market, OrderKey, World, read_market, truth
from .shipments import judge_parcels

NAMED_MAX = 5  # how many ids a sentence names


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the self-check found, ready for JSON. `problems` are sentences; `ok` is true without any."""

    orders: dict[str, Any]
    movements: dict[str, Any]
    levels: dict[str, Any]
    parcels: dict[str, Any]
    oversells: list[dict[str, Any]]
    exposure_ms: dict[str, Any]
    requests: dict[str, Any]
    shortened: list[str]
    ok: bool
    problems: list[str]

    def as_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the judge looks at. Keys of `channels` and `couriers` are the slugs of the configuration.

    `own_sites` are channels whose parcels are carried by the couriers, `off` channels that could not be reached: nothing is held
    against those.
    """

    channels: Mapping[str, MarketplaceSimulator]
    couriers: Mapping[str, CourierSimulator]
    world: World
    own_sites: Collection[str] = ()
    off: Collection[str] = ()
    shortened: Sequence[str] = ()


def judge(evidence: Evidence, connection: Any) -> Verdict:
    """Judge the present state. `connection` is a DB-API connection to the ledger that nobody else uses at the moment.

    The ledger is read before the journals are: an order placed in between counts as missing, never the other way round.
    """
    books = read_books(connection)
    market = read_market(evidence.channels, evidence.couriers)
    problems: list[str] = []
    orders = _judge_orders(evidence, market, books, problems)
    movements = _judge_movements(evidence, market, books, problems)
    levels = _judge_levels(evidence, books, problems)
    parcels = judge_parcels(evidence.own_sites, evidence.off, market, books, problems)
    exposure = replay(evidence.channels, evidence.world, evidence.off)
    for oversell in exposure.oversells:
        if not oversell["allowed"]:
            second = oversell["second"]
            problems.append(
                f"oversell of {oversell['units']} x {oversell['sku']} by order {second['order']} on {second['channel']}: "
                f"{oversell['why']}"
            )
    return Verdict(
        orders=orders,
        movements=movements,
        levels=levels,
        parcels=parcels,
        oversells=exposure.oversells,
        exposure_ms=exposure.summary(),
        requests=market.requests,
        shortened=list(evidence.shortened),
        ok=not problems,
        problems=problems,
    )


def _name(ids: Collection[Any]) -> str:
    shown = [" ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in sorted(ids)[:NAMED_MAX]]
    return ", ".join(shown) + (f" and {len(ids) - NAMED_MAX} more" if len(ids) > NAMED_MAX else "")


def _judge_orders(evidence: Evidence, market: Market, books: Books, problems: list[str]) -> dict[str, Any]:
    placed, imported, missing, duplicated, unknown = {}, {}, {}, {}, {}
    for slug in evidence.channels:
        there = {order.key[1] for order in market.placed_on(slug)}
        here = Counter(remote_id for _, channel, remote_id in books.orders if channel == slug)
        placed[slug], imported[slug] = len(there), sum(here.values())
        missing[slug] = sorted(there - here.keys())
        duplicated[slug] = sorted(remote_id for remote_id, count in here.items() if count > 1)
        unknown[slug] = sorted(here.keys() - there)
        if slug in evidence.off:
            continue
        if missing[slug]:
            problems.append(f"{slug}: placed but not in the ledger: {_name(missing[slug])}")
        if duplicated[slug]:
            problems.append(f"{slug}: more than once in the ledger: {_name(duplicated[slug])}")
        if unknown[slug]:
            problems.append(f"{slug}: in the ledger but never placed: {_name(unknown[slug])}")
    wrong_stock = _wrong_stock(evidence, market, books)
    problems += [
        f"{row['channel']}: order {row['order']} holds {row['ledger']} x {row['sku']}, the buyer's order wants {row['market']}"
        for row in wrong_stock[:NAMED_MAX]
    ]
    return {
        "placed": placed,
        "imported": imported,
        "missing": missing,
        "duplicated": duplicated,
        "unknown": unknown,
        "wrong_stock": wrong_stock,
    }


def _wrong_stock(evidence: Evidence, market: Market, books: Books) -> list[dict[str, Any]]:
    """Orders of which the ledger keeps another number of units from the shelf than the buyers still want."""
    kept: dict[OrderKey, Counter[str]] = {}
    key_of = {order_id: (slug, remote_id) for order_id, slug, remote_id in books.orders}
    for (order_id, sku_id, _), (reserved, shipped) in books.positions.items():
        kept.setdefault(key_of[order_id], Counter())[books.skus[sku_id][0]] += reserved + shipped
    wrong = []
    for key in sorted(key_of.values()):
        order = market.orders.get(key)
        if order is None or key[0] in evidence.off:
            continue
        wanted, here = order.stock(evidence.world), kept.get(key, Counter())
        for sku in sorted(wanted.keys() | here.keys()):
            if wanted[sku] != here[sku]:
                wrong.append(
                    {"channel": key[0], "order": key[1], "sku": sku, "market": wanted[sku], "ledger": here[sku]}
                )
    return wrong


def _judge_movements(evidence: Evidence, market: Market, books: Books, problems: list[str]) -> dict[str, Any]:
    rebuilt, kept = rebuilt_balances(books), books.balances
    code = {sku_id: code for sku_id, (code, _) in books.skus.items()}
    differing = [
        {
            "sku": code.get(key[0], key[0]),
            "warehouse": key[1],
            "account": key[2],
            "rebuilt": rebuilt[key],
            "kept": kept[key],
        }
        for key in sorted(rebuilt.keys() | kept.keys())
        if rebuilt[key] != kept[key]
    ]
    sums: Counter[int] = Counter()
    for (sku_id, _, _), quantity in kept.items():
        sums[sku_id] += quantity
    unbalanced = sorted(code.get(sku_id, str(sku_id)) for sku_id, total in sums.items() if total)
    positions, nothing = rebuilt_positions(books), (0, 0)
    wrong_positions = [
        key
        for key in positions.keys() | books.positions.keys()
        if positions.get(key, nothing) != books.positions.get(key, nothing)
    ]
    repeated = [cause for cause, count in Counter(m.cause for m in books.movements).items() if count > 1]
    seals = broken_seals(books)
    problems += [
        f"balance of {d['sku']} in {d['account']} is {d['kept']}, its movements make {d['rebuilt']}"
        for d in differing[:NAMED_MAX]
    ]
    if unbalanced:
        problems.append(f"accounts do not add up to zero: {_name(unbalanced)}")
    if wrong_positions:
        problems.append(f"order positions differ from their movements: orders {_name({k[0] for k in wrong_positions})}")
    if repeated:
        problems.append(f"posted more than once: {_name(repeated)}")
    problems += seals
    wrong_available = _wrong_available(evidence, market, books)
    problems += [
        f"{row['sku']}: the ledger has {row['ledger']} available, the sales leave {row['market']}"
        for row in wrong_available[:NAMED_MAX]
    ]
    return {
        "count": len(books.movements),
        "sealed": len(books.seals),
        "balances_equal": not differing,
        "differing": differing,
        "unbalanced": unbalanced,
        "wrong_positions": len(wrong_positions),
        "repeated": [list(cause) for cause in repeated],
        "broken_seals": seals,
        "wrong_available": wrong_available,
    }


def _wrong_available(evidence: Evidence, market: Market, books: Books) -> list[dict[str, Any]]:
    """SKUs of which the ledger has another number available than all sales together left."""
    left = truth(market, evidence.world, evidence.off)
    available: Counter[str] = Counter()
    for (sku_id, _, account), quantity in books.balances.items():
        if account == "available":
            available[books.skus[sku_id][0]] += quantity
    return [
        {"sku": sku, "market": left[sku], "ledger": available[sku]}
        for sku in sorted(evidence.world.stock)
        if left[sku] != available[sku]
    ]


def _judge_levels(evidence: Evidence, books: Books, problems: list[str]) -> dict[str, Any]:
    differing, unpushed, equal = [], [], 0
    for target in books.targets:
        simulator = evidence.channels.get(target.slug)
        if simulator is None or target.slug in evidence.off:
            continue
        wanted = wanted_level(books, target)
        where = {"channel": target.slug, "target": target.remote_key, "location": target.location}
        if wanted is None:
            unpushed.append(where)
            continue
        shown = _shown(simulator, target.remote_key, target.location)
        if shown == wanted:
            equal += 1
        else:
            differing.append({**where, "shown": shown, "wanted": wanted})
    known = {(target.slug, target.remote_key) for target in books.targets}
    never_pulled = [
        (slug, product.remote_key)
        for slug, simulator in evidence.channels.items()
        if slug not in evidence.off
        for product in simulator.products()
        if (slug, product.remote_key) not in known
    ]
    problems += [
        f"{row['channel']}: {row['target']} shows {row['shown']}, the ledger wants {row['wanted']}"
        for row in differing[:NAMED_MAX]
    ]
    if never_pulled:
        problems.append(f"listings that the ledger does not know: {_name(never_pulled)}")
    return {
        "targets": equal + len(differing),
        "equal": equal,
        "differing": differing,
        "unpushed": unpushed,
        "never_pulled": [list(one) for one in never_pulled],
    }


def _shown(simulator: MarketplaceSimulator, remote_key: str, location: str) -> int | None:
    """The number buyers see; a hidden listing shows none."""
    product = next((one for one in simulator.products() if one.remote_key == remote_key), None)
    if product is None:
        return None
    return simulator.shown(remote_key, location) if product.active else 0
