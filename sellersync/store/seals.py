"""The seal: a hash chain over the movements in their order, written afterwards by one sealer so that it never serialises writers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

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
class LedgerCheck:
    """What `verify` found; `problems` is empty when the ledger proves itself."""

    movements: int
    sealed: int
    balances: int
    problems: tuple[str, ...]


def verify(session: Session) -> LedgerCheck:
    """Rebuild everything that can be rebuilt and compare: balances from movements, order positions, the sum of each SKU, the seals."""
    problems: list[str] = []
    rebuilt: dict[tuple[int, int, str], int] = {}
    positions: dict[tuple[int, int, int], list[int]] = {}
    count = 0
    rows = session.execute(text(f"SELECT {_COLUMNS} FROM movement ORDER BY id"))
    seals = {row.movement_id: row.hash for row in session.execute(text("SELECT movement_id, hash FROM seal"))}
    digest, broken, sealed, last_sealed = FIRST_HASH, False, 0, max(seals, default=0)
    for row in rows:
        count += 1
        _apply(rebuilt, positions, row)
        if row.id < last_sealed and row.id not in seals:
            problems.append(f"movement {row.id} was put in beside the chain of seals")
        elif row.id in seals and not broken:
            digest = link(digest, row)
            sealed += 1
            if digest != seals[row.id]:
                broken = True
                problems.append(f"movement {row.id} was changed after it was sealed")
    if sealed + (1 if broken else 0) < len(seals) and not broken:
        problems.append(f"{len(seals) - sealed} sealed movements are missing")
    kept = {
        (row.sku_id, row.warehouse_id, row.account): row.quantity
        for row in session.execute(text("SELECT * FROM balance"))
    }
    codes: dict[int, str] = {row.id: row.code for row in session.execute(text("SELECT id, code FROM sku"))}
    for key in sorted({*rebuilt, *kept}):
        if rebuilt.get(key, 0) != kept.get(key, 0):
            problems.append(
                f"{codes.get(key[0], key[0])}: {key[2]} is {kept.get(key, 0)}, its movements make {rebuilt.get(key, 0)}"
            )
    for sku_id in sorted({key[0] for key in kept}):
        total = sum(quantity for key, quantity in kept.items() if key[0] == sku_id)
        if total:
            problems.append(f"{codes.get(sku_id, sku_id)}: the sum over all accounts is {total}, not 0")
    held = {(row.order_id, row.sku_id, row.warehouse_id): [row.reserved, row.shipped]
            for row in session.execute(text("SELECT * FROM order_position"))}  # fmt: skip
    for position in sorted({*positions, *held}):
        if positions.get(position, [0, 0]) != held.get(position, [0, 0]):
            problems.append(
                f"order {position[0]}: its position of {codes.get(position[1], position[1])} differs from its movements"
            )
    return LedgerCheck(count, sealed, len(kept), tuple(problems))


def _apply(
    rebuilt: dict[tuple[int, int, str], int], positions: dict[tuple[int, int, int], list[int]], row: Any
) -> None:
    source = (row.sku_id, row.source_warehouse_id, row.source)
    destination = (row.sku_id, row.destination_warehouse_id, row.destination)
    rebuilt[source] = rebuilt.get(source, 0) - row.quantity
    rebuilt[destination] = rebuilt.get(destination, 0) + row.quantity
    if row.cause_kind != "order":
        return
    warehouse = row.source_warehouse_id or row.destination_warehouse_id
    position = positions.setdefault((row.cause_id, row.sku_id, warehouse), [0, 0])
    position[0] += (row.destination == "reserved") * row.quantity - (row.source == "reserved") * row.quantity
    position[1] += (row.destination == "shipped") * row.quantity
    if position == [0, 0]:
        del positions[(row.cause_id, row.sku_id, warehouse)]
