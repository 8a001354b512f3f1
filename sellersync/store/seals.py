"""The seal: a hash chain over the movements in their order, written afterwards by one sealer so that it never serialises writers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from .work import get_meta, set_meta

FIRST_HASH = "sellersync"
BATCH_ROWS_MAX = 2_000
GAP_SETTLE_MS = 10 * 60 * 1000
"""How long a missing id is waited for: PostgreSQL gives ids out before the commit, so it may still be on its way."""
_COLUMNS = (
    "id, sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, recorded_ms, "
    "cause_kind, cause_id, revision, leg, reason, who"
)


def seal_movements(session: Session, *, now_ms: int, settled_before_ms: int) -> int:
    """Seal the next movements that were recorded before `settled_before_ms`, up to the first id that may still be on its way.

    Returns how many were sealed; call again while it returns `BATCH_ROWS_MAX`.
    """
    last = session.execute(text("SELECT movement_id, hash FROM seal ORDER BY movement_id DESC LIMIT 1")).first()
    after, digest = (last.movement_id, last.hash) if last else (0, FIRST_HASH)
    rows = session.execute(
        text(f"SELECT {_COLUMNS} FROM movement WHERE id > :a AND recorded_ms < :b ORDER BY id LIMIT :n"),
        {"a": after, "b": settled_before_ms, "n": BATCH_ROWS_MAX},
    ).all()
    sealed = []
    for row in rows:
        if row.id != after + 1 and row.recorded_ms > now_ms - GAP_SETTLE_MS:
            break
        after = row.id
        digest = link(digest, row)
        sealed.append({"m": row.id, "h": digest, "now": now_ms})
    if sealed:
        session.execute(text("INSERT INTO seal (movement_id, hash, sealed_ms) VALUES (:m, :h, :now)"), sealed)
    return len(sealed)


def link(previous: str, row: Any) -> str:
    """The hash of one movement after the previous one."""
    return hashlib.sha256((previous + "\n" + "|".join(str(value) for value in row)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """The chain was found whole up to `movement_id` at `at_ms`."""

    movement_id: int
    hash: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What `verify` found; `problems` is empty when the ledger proves itself.

    Balances, positions and sums were rebuilt from movement one, and every seal has its movement. The hashes were computed again of the
    movements after `after`; those up to it were whole when it was noted. `head` is the newest seal.
    """

    movements: int
    sealed: int
    balances: int
    problems: tuple[str, ...]
    after: Verified | None = None
    head: tuple[int, str] | None = None


def last_verified(session: Session) -> Verified | None:
    """Up to where a former check found the chain whole."""
    kept = get_meta(session, _VERIFIED)
    return Verified(*json.loads(kept)) if kept else None


def note_verified(session: Session, head: tuple[int, str], *, now_ms: int) -> None:
    """Keep how far the chain was found whole: the `head` of a check that found no problem."""
    set_meta(session, _VERIFIED, json.dumps([*head, now_ms]))


def verify(session: Session, *, after: Verified | None = None) -> LedgerCheck:
    """Rebuild everything that can be rebuilt and compare: balances from movements, order positions, the sum of each SKU, the seals.

    With `after` the hashes are computed from there on; all else is always checked from movement one.
    """
    codes: dict[int, str] = {row.id: row.code for row in session.execute(text("SELECT id, code FROM sku"))}
    balances, balance_problems = _check_balances(session, codes)
    problems = [*_check_chain(session, after), *balance_problems, *_check_positions(session, codes)]
    sizes = session.execute(text("SELECT (SELECT COUNT(*) FROM movement), (SELECT COUNT(*) FROM seal)")).one()
    head = session.execute(text("SELECT movement_id, hash FROM seal ORDER BY movement_id DESC LIMIT 1")).first()
    return LedgerCheck(
        sizes[0], sizes[1], balances, tuple(problems), after, None if head is None else (head.movement_id, head.hash)
    )


def _check_chain(session: Session, after: Verified | None) -> list[str]:
    problems = [f"movement {row.id} was put in beside the chain of seals" for row in session.execute(_BESIDE).all()]
    digest, start = FIRST_HASH, 0
    if after is not None:
        digest, start = after.hash, after.movement_id
        kept = session.execute(text("SELECT hash FROM seal WHERE movement_id = :m"), {"m": start}).scalar()
        if kept != digest:
            problems.append(f"the seal of movement {start} is not the one that was checked before")
    chain = session.execute(_CHAIN, {"a": start}, execution_options={"yield_per": BATCH_ROWS_MAX})
    for row in chain:
        digest = link(digest, row[:-1])
        if digest != row.hash:
            problems.append(f"movement {row.id} was changed after it was sealed")
            break
    chain.close()
    missing = session.execute(_MISSING).scalar_one()
    if missing:
        problems.append(f"{missing} sealed movements are missing")
    return problems


def _check_balances(session: Session, codes: dict[int, str]) -> tuple[int, list[str]]:
    """(how many balances are kept, problems)."""
    rebuilt: dict[tuple[int, int, str], int] = {}
    for row in session.execute(_SUMS):
        for key, change in (
            ((row.sku_id, row.source_warehouse_id, row.source), -int(row.units)),
            ((row.sku_id, row.destination_warehouse_id, row.destination), int(row.units)),
        ):
            rebuilt[key] = rebuilt.get(key, 0) + change
    kept = {
        (row.sku_id, row.warehouse_id, row.account): row.quantity
        for row in session.execute(text("SELECT sku_id, warehouse_id, account, quantity FROM balance"))
    }
    problems = [
        f"{codes.get(key[0], key[0])}: {key[2]} is {kept.get(key, 0)}, its movements make {rebuilt.get(key, 0)}"
        for key in sorted({*rebuilt, *kept})
        if rebuilt.get(key, 0) != kept.get(key, 0)
    ]
    totals: dict[int, int] = {}
    for key, quantity in kept.items():
        totals[key[0]] = totals.get(key[0], 0) + quantity
    problems += [
        f"{codes.get(sku_id, sku_id)}: the sum over all accounts is {total}, not 0"
        for sku_id, total in sorted(totals.items())
        if total
    ]
    return len(kept), problems


def _check_positions(session: Session, codes: dict[int, str]) -> list[str]:
    wrong = {tuple(row) for query in (_POSITIONS_DIFFER, _POSITIONS_ALONE) for row in session.execute(query)}
    return [
        f"order {order_id}: its position of {codes.get(sku_id, sku_id)} differs from its movements"
        for order_id, sku_id, _ in sorted(wrong)
    ]


_VERIFIED = "verified"
_BESIDE = text(
    "SELECT id FROM movement WHERE id < (SELECT MAX(movement_id) FROM seal) "
    "AND NOT EXISTS (SELECT 1 FROM seal WHERE seal.movement_id = movement.id) ORDER BY id"
)
_MISSING = text(
    "SELECT COUNT(*) FROM seal WHERE NOT EXISTS (SELECT 1 FROM movement WHERE movement.id = seal.movement_id)"
)
_CHAIN = text(
    f"SELECT {', '.join(f'movement.{name.strip()}' for name in _COLUMNS.split(','))}, seal.hash FROM movement "
    "JOIN seal ON seal.movement_id = movement.id WHERE movement.id > :a ORDER BY movement.id"
)
_SUMS = text(
    "SELECT sku_id, source, source_warehouse_id, destination, destination_warehouse_id, SUM(quantity) AS units FROM movement "
    "GROUP BY sku_id, source, source_warehouse_id, destination, destination_warehouse_id"
)
_REBUILT = (
    "SELECT cause_id AS order_id, sku_id, "
    "CASE WHEN source_warehouse_id <> 0 THEN source_warehouse_id ELSE destination_warehouse_id END AS warehouse_id, "
    "SUM(CASE WHEN destination = 'reserved' THEN quantity WHEN source = 'reserved' THEN -quantity ELSE 0 END) AS reserved, "
    "SUM(CASE WHEN destination = 'shipped' THEN quantity ELSE 0 END) AS shipped FROM movement WHERE cause_kind = 'order' "
    "GROUP BY cause_id, sku_id, CASE WHEN source_warehouse_id <> 0 THEN source_warehouse_id ELSE destination_warehouse_id END"
)
_POSITIONS_DIFFER = text(
    f"SELECT rebuilt.order_id, rebuilt.sku_id, rebuilt.warehouse_id FROM ({_REBUILT}) AS rebuilt "
    "LEFT JOIN order_position AS held ON held.order_id = rebuilt.order_id AND held.sku_id = rebuilt.sku_id "
    "AND held.warehouse_id = rebuilt.warehouse_id "
    "WHERE COALESCE(held.reserved, 0) <> rebuilt.reserved OR COALESCE(held.shipped, 0) <> rebuilt.shipped"
)
_POSITIONS_ALONE = text(
    "SELECT order_id, sku_id, warehouse_id FROM order_position AS held WHERE (reserved <> 0 OR shipped <> 0) AND NOT EXISTS "
    "(SELECT 1 FROM movement WHERE movement.cause_kind = 'order' AND movement.cause_id = held.order_id "
    "AND movement.sku_id + 0 = held.sku_id AND CASE WHEN movement.source_warehouse_id <> 0 THEN movement.source_warehouse_id "
    "ELSE movement.destination_warehouse_id END = held.warehouse_id)"
)
"""Positions of which no movement tells at all. `+ 0` keeps SQLite from walking all movements of the SKU instead of the order's own."""
