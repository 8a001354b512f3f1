"""What providers paid out or kept per order. A settlement is kept as it is shown now; one of an order that the ledger does not know
is kept too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.settlements import Settlement, whole_parts
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .bulk import select_in


@dataclass(slots=True)
class SettlementsRecorded:
    """What recording settlements did. `of_unknown_orders` of the new ones belong to orders that the ledger does not hold."""

    new: int = 0
    changed: int = 0
    same: int = 0
    of_unknown_orders: int = 0


def record_settlements(
    session: Session, channel_id: int, rows: Sequence[Settlement], *, now_ms: int
) -> SettlementsRecorded:
    """Keep these settlements. The same row again changes nothing; another net or other parts replace the known ones."""
    result = SettlementsRecorded()
    newest = {row.remote_id: row for row in rows}
    known = _known(session, channel_id, list(newest))
    for row in newest.values():
        incoming = _Content.of(row)
        stored = known.get(row.remote_id)
        if stored is not None and stored[1] == incoming:
            result.same += 1
            continue
        values = {
            "c": channel_id,
            "r": row.remote_id,
            "o": row.order_id,
            "at": incoming.settled_ms,
            "net": row.net,
            "now": now_ms,
        }
        if stored is None:
            result.new += 1
            settlement_id = int(session.execute(_INSERT, values).scalar_one())
        else:
            result.changed += 1
            settlement_id = stored[0]
            session.execute(_UPDATE, {**values, "i": settlement_id})
            session.execute(text("DELETE FROM settlement_part WHERE settlement_id = :i"), {"i": settlement_id})
        for name, amount in incoming.parts.items():
            session.execute(_INSERT_PART, {"i": settlement_id, "n": name, "a": amount})
    fresh = [row.order_id for row in newest.values() if row.remote_id not in known]
    result.of_unknown_orders = len(fresh) - _held(session, channel_id, fresh)
    return result


@dataclass(frozen=True, slots=True)
class _Content:
    """What decides whether a settlement changed."""

    order_id: str
    settled_ms: int
    net: int
    parts: dict[str, int]

    @classmethod
    def of(cls, row: Settlement) -> _Content:
        return cls(row.order_id, to_epoch_ms(row.settled_at), row.net, whole_parts(row))


def _known(session: Session, channel_id: int, remote_ids: Sequence[str]) -> dict[str, tuple[int, _Content]]:
    """Remote id -> (our id, content) of the settlements that the ledger holds."""
    query = (
        "SELECT id, remote_id, order_remote_id, settled_ms, net FROM settlement WHERE channel_id = ? AND remote_id IN"
    )
    rows = list(select_in(session, query, remote_ids, channel_id))
    parts = _parts(session, [row.id for row in rows])
    return {
        row.remote_id: (row.id, _Content(row.order_remote_id, row.settled_ms, row.net, parts.get(row.id, {})))
        for row in rows
    }


def _parts(session: Session, settlement_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    parts: dict[int, dict[str, int]] = {}
    query = "SELECT settlement_id, name, amount FROM settlement_part WHERE settlement_id IN"
    for row in sorted(select_in(session, query, settlement_ids), key=lambda row: (-abs(row.amount), row.name)):
        parts.setdefault(row.settlement_id, {})[row.name] = row.amount
    return parts


def _held(session: Session, channel_id: int, order_ids: Sequence[str]) -> int:
    """How many of these mentions are of orders that the ledger holds."""
    query = "SELECT remote_id FROM sales_order WHERE channel_id = ? AND remote_id IN"
    held = {row.remote_id for row in select_in(session, query, list(dict.fromkeys(order_ids)), channel_id)}
    return sum(order_id in held for order_id in order_ids)


# ------------------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """A settlement with its parts (name -> whole rupiah, negative = kept, largest first). `known`: the ledger holds its order.
    `changed` is when the ledger last saw it change."""

    channel: str
    order: str
    remote_id: str
    settled: datetime
    net: int
    parts: dict[str, int]
    known: bool
    changed: datetime


@dataclass(frozen=True, slots=True)
class SettlementSum:
    """A channel's settlements added up: whole rupiah by part and in all. `unknown_orders` of its settlements belong to orders that the
    ledger does not hold."""

    channel: str
    settlements: int
    unknown_orders: int
    net: int
    parts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which settlements: of one channel (by its name), settled in [since_ms, until_ms); `None` does not restrict."""

    channel: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def values(self) -> dict[str, object]:
        return {"channel": self.channel, "since": self.since_ms, "until": self.until_ms}


_JOINED = (
    "FROM settlement JOIN channel ON channel.id = settlement.channel_id LEFT JOIN sales_order "
    "ON sales_order.channel_id = settlement.channel_id AND sales_order.remote_id = settlement.order_remote_id "
)
_CHOSEN = (
    "WHERE (CAST(:channel AS TEXT) IS NULL OR channel.slug = CAST(:channel AS TEXT)) "
    "AND (CAST(:since AS BIGINT) IS NULL OR settlement.settled_ms >= CAST(:since AS BIGINT)) "
    "AND (CAST(:until AS BIGINT) IS NULL OR settlement.settled_ms < CAST(:until AS BIGINT)) "
)


def settlements_of(session: Session, order_id: int) -> tuple[SettlementLine, ...]:
    """The settlements of an order of ours (by our id), the oldest first."""
    return _lines(
        session, f"{_JOINED} WHERE sales_order.id = :o ORDER BY settlement.settled_ms, settlement.id", o=order_id
    )


def settlements(session: Session, chosen: Chosen, *, limit: int) -> tuple[SettlementLine, ...]:
    """The newest of the chosen settlements, the newest first."""
    tail = f"{_JOINED} {_CHOSEN} ORDER BY settlement.settled_ms DESC, settlement.id DESC LIMIT :n"
    return _lines(session, tail, **chosen.values(), n=limit)


def settlement_sums(session: Session, chosen: Chosen) -> tuple[SettlementSum, ...]:
    """All chosen settlements, added up per channel."""
    values = chosen.values()
    parts: dict[str, dict[str, int]] = {}
    by_part = session.execute(
        text(
            f"SELECT channel.slug, settlement_part.name, SUM(settlement_part.amount) AS amount {_JOINED} "
            f"JOIN settlement_part ON settlement_part.settlement_id = settlement.id {_CHOSEN} "
            "GROUP BY channel.slug, settlement_part.name"
        ),
        values,
    )
    for row in sorted(by_part, key=lambda row: (-abs(row.amount), row.name)):
        parts.setdefault(row.slug, {})[row.name] = int(row.amount)
    rows = session.execute(
        text(
            "SELECT channel.slug, COUNT(*) AS settlements, SUM(settlement.net) AS net, "
            f"SUM(CASE WHEN sales_order.id IS NULL THEN 1 ELSE 0 END) AS strangers {_JOINED} {_CHOSEN} "
            "GROUP BY channel.slug ORDER BY channel.slug"
        ),
        values,
    )
    return tuple(
        SettlementSum(row.slug, int(row.settlements), int(row.strangers), int(row.net), parts.get(row.slug, {}))
        for row in rows
    )


def _lines(session: Session, tail: str, **values: object) -> tuple[SettlementLine, ...]:
    query = f"SELECT settlement.*, channel.slug, sales_order.number, sales_order.id AS order_id {tail}"
    rows = session.execute(text(query), values).all()
    parts = _parts(session, [row.id for row in rows])
    return tuple(
        SettlementLine(
            row.slug,
            row.number or row.order_remote_id,
            row.remote_id,
            from_epoch_ms(row.settled_ms, where="settlement"),
            row.net,
            parts.get(row.id, {}),
            row.order_id is not None,
            from_epoch_ms(row.changed_ms, where="settlement"),
        )
        for row in rows
    )


_INSERT = text(
    "INSERT INTO settlement (channel_id, remote_id, order_remote_id, settled_ms, net, seen_ms, changed_ms) "
    "VALUES (:c, :r, :o, :at, :net, :now, :now) RETURNING id"
)
_UPDATE = text(
    "UPDATE settlement SET order_remote_id = :o, settled_ms = :at, net = :net, changed_ms = :now WHERE id = :i"
)
_INSERT_PART = text("INSERT INTO settlement_part (settlement_id, name, amount) VALUES (:i, :n, :a)")
