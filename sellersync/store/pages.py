"""A page of a walk into the ledger: rows, consequences and the mark in one transaction (L3, L6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import Order
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .cancellations import record_requests_in_orders
from .findings import close_finding, close_kind, raise_finding
from .ledger import Ledger
from .orders import ChannelRules, Recorded, record_orders
from .posting import in_list, load_works, post_orders, save_lines
from .work import LEASE_MS, HeldLease, check_lease, move_mark, note_first_walk, set_meta

REPLAY_MS_MIN = 60 * 60 * 1000
REPLAY_MS_MAX = 24 * 60 * 60 * 1000
"""Rows that could not be read are walked again after the first, then after ever longer waits up to the second."""
REPLAY_BACK_MS = 30 * 24 * 60 * 60 * 1000
ROW = "row_unreadable"
SETTLEMENT = "settlement_unreadable"


def record_page(
    session: Session,
    ledger: Ledger,
    rules: ChannelRules,
    lease: HeldLease,
    stream: str,
    orders: Sequence[Order],
    *,
    mark_at: datetime,
    progress: str,
    closes: datetime | None,
    read_started_at: datetime,
    skipped: Sequence[str] = (),
    requests_in_orders: bool = False,
) -> Recorded:
    """Record a page of orders with its progress. Raises `LeaseLost` when somebody else walks this stream by now.

    `requests_in_orders`: the channel shows requests to cancel only as a state of the order.
    """
    now_ms = ledger.now_ms()
    check_lease(session, lease, now_ms=now_ms, ttl_ms=LEASE_MS)
    recorded = record_orders(session, rules, orders, read_started_at=read_started_at, now_ms=now_ms, vault=ledger.vault)
    if requests_in_orders:
        record_requests_in_orders(session, rules.channel_id, [order.remote_id for order in orders], now_ms=now_ms)
    note_unreadable(session, rules.channel_id, skipped, mark_ms=to_epoch_ms(mark_at), now_ms=now_ms)
    move_mark(session, rules.channel_id, stream, at=mark_at, progress=progress, closes=closes, now_ms=now_ms)
    return recorded


def record_reread(
    session: Session,
    ledger: Ledger,
    rules: ChannelRules,
    orders: Sequence[Order],
    gone: Sequence[str],
    *,
    read_started_at: datetime,
    skipped: Sequence[str] = (),
    requests_in_orders: bool = False,
) -> Recorded:
    """Record orders that were read again by id; an order the provider no longer shows is a finding and releases nothing by itself."""
    now_ms = ledger.now_ms()
    recorded = record_orders(session, rules, orders, read_started_at=read_started_at, now_ms=now_ms, vault=ledger.vault)
    read_ms = to_epoch_ms(read_started_at)
    for order in orders:
        session.execute(
            text(
                "UPDATE sales_order SET read_started_ms = :r WHERE channel_id = :c AND remote_id = :o AND read_started_ms < :r"
            ),
            {"r": read_ms, "c": rules.channel_id, "o": order.remote_id},
        )
    if requests_in_orders:
        record_requests_in_orders(session, rules.channel_id, [order.remote_id for order in orders], now_ms=now_ms)
    note_unreadable(session, rules.channel_id, skipped, mark_ms=now_ms, now_ms=now_ms)
    for remote_id in gone:
        note_gone(session, rules.channel_id, remote_id, "not found by id", now_ms=now_ms, read_ms=read_ms)
    return recorded


def note_unreadable(
    session: Session, channel_id: int, sentences: Sequence[str], *, mark_ms: int, now_ms: int, kind: str = ROW
) -> None:
    """Rows that could not be read at all, each with the earliest mark from which a walk delivered it: its window closes, so only a
    walk from there sees it again. `kind` is the finding of the streams that are walked together."""
    known = {row.subject: row.mark_ms for row in _unreadable(session, channel_id, kind)} if sentences else {}
    for subject in dict.fromkeys(sentence[:200] for sentence in sentences):
        details = {"mark_ms": min(mark_ms, known.get(subject, mark_ms))}
        raise_finding(
            session,
            SETTLEMENT if kind == SETTLEMENT else ROW,
            subject,
            channel_id=channel_id,
            now_ms=now_ms,
            details=details,
        )


@dataclass(frozen=True, slots=True)
class _Unreadable:
    subject: str
    mark_ms: int
    since_ms: int
    seen_ms: int


def _unreadable(session: Session, channel_id: int, kind: str) -> list[_Unreadable]:
    rows = session.execute(
        text(
            "SELECT subject, details, since_ms, seen_ms FROM finding WHERE kind = :k AND channel_id = :c AND closed_ms IS NULL"
        ),
        {"k": kind, "c": channel_id},
    )
    return [
        _Unreadable(row.subject, json.loads(row.details).get("mark_ms", row.since_ms), row.since_ms, row.seen_ms)
        for row in rows
    ]


def replay_from(session: Session, channel_id: int, *, now_ms: int, at_once: bool, kind: str = ROW) -> datetime | None:
    """The mark from which rows that could not be read are to be walked again now; `None` when that is not due.

    Due after an hour, two, four and so on, at last daily, or at once; rows of windows older than `REPLAY_BACK_MS` are a person's matter.
    """
    due = [
        row.mark_ms
        for row in _unreadable(session, channel_id, kind)
        if row.mark_ms >= now_ms - REPLAY_BACK_MS and (at_once or now_ms - row.seen_ms >= _replay_wait_ms(row))
    ]
    return from_epoch_ms(min(due), where="finding") if due else None


def _replay_wait_ms(row: _Unreadable) -> int:
    return min(max(row.seen_ms - row.since_ms, REPLAY_MS_MIN), REPLAY_MS_MAX)


def close_readable(
    session: Session, channel_id: int, *, since: datetime, started_ms: int, now_ms: int, kind: str = ROW
) -> None:
    """After a complete walk from `since` that began at `started_ms`: what it did not find unreadable again is settled."""
    for row in _unreadable(session, channel_id, kind):
        if row.mark_ms >= to_epoch_ms(since) and row.seen_ms < started_ms:
            close_finding(session, kind, row.subject, channel_id=channel_id, now_ms=now_ms)


def forget_unreadable(session: Session, channel_id: int, *, now_ms: int, kind: str) -> None:
    """Close findings of rows that lie too far back to be walked again; for rows that no stock depends on."""
    for row in _unreadable(session, channel_id, kind):
        if row.mark_ms < now_ms - REPLAY_BACK_MS:
            close_finding(session, kind, row.subject, channel_id=channel_id, now_ms=now_ms)


def note_gone(session: Session, channel_id: int, remote_id: str, how: str, *, now_ms: int, read_ms: int) -> None:
    """An order that the provider no longer shows: evidence for a person (L4), with what it still holds."""
    found = session.execute(
        text(
            "UPDATE sales_order SET gone = :how, read_started_ms = :r WHERE channel_id = :c AND remote_id = :o AND state <> 'cancelled'"
        ),
        {"how": how, "r": read_ms, "c": channel_id, "o": remote_id},
    )
    if found.rowcount:  # type: ignore[attr-defined]
        raise_finding(session, "order_gone", remote_id, channel_id=channel_id, now_ms=now_ms, details={"how": how})


def expire_holds(session: Session, channel_id: int, *, now_ms: int) -> int:
    """Release unpaid holds whose time is over on channels that do not announce the release. Returns how many orders."""
    ids = list(
        session.execute(
            text(
                "SELECT id FROM sales_order WHERE channel_id = :c AND state = 'unpaid' AND NOT hold_expired "
                "AND hold_expires_ms IS NOT NULL AND hold_expires_ms <= :now"
            ),
            {"c": channel_id, "now": now_ms},
        ).scalars()
    )
    if not ids:
        return 0
    session.execute(text(f"UPDATE sales_order SET hold_expired = TRUE WHERE id IN ({in_list(ids)})"))
    works = load_works(session, ids)
    post_orders(session, list(works.values()), now_ms=now_ms)
    save_lines(session, (line for work in works.values() for line in work.lines))
    return len(ids)


def orders_to_reread(
    session: Session, channel_id: int, *, now_ms: int, held_ms: int, open_ms: int, limit: int
) -> list[str]:
    """Remote ids of open orders that are due to be read again by id: waiting ones often, all open ones at least daily."""
    rows = session.execute(
        text(
            "SELECT remote_id FROM sales_order WHERE channel_id = :c AND ("
            "(state IN ('held', 'cancel_requested', 'unknown') AND read_started_ms <= :held) OR "
            "(state NOT IN ('completed', 'cancelled', 'delivered') AND read_started_ms <= :open)) ORDER BY read_started_ms LIMIT :n"
        ),
        {"c": channel_id, "held": now_ms - held_ms, "open": now_ms - open_ms, "n": limit},
    )
    return [row.remote_id for row in rows]


def finish_walk(session: Session, channel_id: int, *, now_ms: int) -> bool:
    """After a complete walk: the first one opens the way for pushes, once no unreadable order is left unnamed.

    Returns whether the channel may be pushed to.
    """
    done = session.execute(text("SELECT first_walk_done_ms FROM channel WHERE id = :c"), {"c": channel_id}).scalar()
    if done is not None:
        return True
    unreadable = session.execute(
        text(
            "SELECT COUNT(*) FROM finding WHERE kind IN ('order_unreadable', 'row_unreadable') AND channel_id = :c AND closed_ms IS NULL"
        ),
        {"c": channel_id},
    ).scalar_one()
    if unreadable:
        raise_finding(
            session,
            "first_walk_unclear",
            "channel",
            channel_id=channel_id,
            now_ms=now_ms,
            details={"orders": unreadable},
        )
        return False
    accept_first_walk(session, channel_id, now_ms=now_ms)
    return True


def accept_first_walk(session: Session, channel_id: int, *, now_ms: int) -> None:
    """A person has looked at what could not be read (or there was nothing): pushes may begin, and rows that could not be read at all
    are no longer shown. Unreadable orders stay listed until they can be read."""
    note_first_walk(session, channel_id, now_ms=now_ms)
    close_finding(session, "first_walk_unclear", "channel", channel_id=channel_id, now_ms=now_ms)
    close_kind(session, "row_unreadable", channel_id=channel_id, now_ms=now_ms)


def new_epoch(session: Session, *, now_ms: int) -> int:
    """Begin a new epoch (first start, restore): every number that channels show becomes unknown."""
    current = session.execute(text("SELECT value FROM meta WHERE key = 'epoch'")).scalar()
    epoch = int(current or 0) + 1
    set_meta(session, "epoch", str(epoch))
    session.execute(text("UPDATE target SET expected = NULL"))
    set_meta(session, "epoch_ms", str(now_ms))
    return epoch


def blind_sales(session: Session, blind_ms: dict[int, int], *, now_ms: int) -> dict[int, int]:
    """Units per SKU that channels which cannot be pulled have probably sold meanwhile: last day's rate times the blind time."""
    if not blind_ms:
        return {}
    day = 24 * 60 * 60 * 1000
    expected: dict[int, float] = {}
    rows: Any = session.execute(
        text(
            "SELECT sales_order.channel_id, order_position.sku_id, SUM(order_position.reserved + order_position.shipped) AS units "
            "FROM order_position JOIN sales_order ON sales_order.id = order_position.order_id "
            f"WHERE sales_order.channel_id IN ({in_list(blind_ms)}) AND sales_order.created_ms > :since "
            "GROUP BY sales_order.channel_id, order_position.sku_id"
        ),
        {"since": now_ms - day - max(blind_ms.values())},
    )
    for row in rows:
        expected[row.sku_id] = expected.get(row.sku_id, 0.0) + float(row.units) * blind_ms[row.channel_id] / day
    return {sku_id: int(-(-units // 1)) for sku_id, units in expected.items() if units > 0}
