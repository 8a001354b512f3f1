"""What the daily report reads of channels, findings, orders and pushes: read-only functions of a session that answer frozen values.

Windows are half open, [since, until), in unix milliseconds. Amounts are whole rupiah, `None` when unknown. Parcels and stock are read in
`reads_goods`, what tells how fast sales reached the other channels in `reads_exposure`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import UnitStage

from .posting import in_list, unpack_units

CHUNK_IDS_MAX = 500


# ------------------------------------------------------------------------------------------------------------------------- channels


@dataclass(frozen=True, slots=True)
class ChannelFact:
    """A channel or courier account as the ledger knows it."""

    id: int
    slug: str
    provider: str
    kind: str
    state: str
    trouble: str
    created_ms: int
    first_walk_done_ms: int | None
    trouble_since_ms: int | None
    last_pull_ms: int | None
    last_push_ms: int | None


def channels(session: Session) -> list[ChannelFact]:
    """Every channel and courier account ever configured, sales channels first, by slug."""
    rows = session.execute(
        text(
            "SELECT id, slug, provider, kind, state, trouble, created_ms, first_walk_done_ms, trouble_since_ms, last_pull_ms, "
            "last_push_ms FROM channel ORDER BY kind, slug"
        )
    )
    return [ChannelFact(*row) for row in rows]


# ------------------------------------------------------------------------------------------------------------------------- findings


@dataclass(frozen=True, slots=True)
class FindingFact:
    """One open finding. `channel` is a slug, "" when it concerns none."""

    kind: str
    channel: str
    subject: str
    details: Mapping[str, Any]
    since_ms: int
    deadline_ms: int | None


@dataclass(frozen=True, slots=True)
class FindingKind:
    """The open findings of one kind: how many per channel slug, and the first few, the nearest deadline and the oldest first."""

    kind: str
    total: int
    by_channel: tuple[tuple[str, int], ...]
    first: tuple[FindingFact, ...]


def open_findings(session: Session, *, per_kind_max: int) -> list[FindingKind]:
    """All open findings by kind, with the first `per_kind_max` of each in full."""
    counts: dict[str, list[tuple[str, int]]] = {}
    for row in session.execute(
        text(
            "SELECT finding.kind, COALESCE(channel.slug, '') AS slug, COUNT(*) AS open FROM finding "
            "LEFT JOIN channel ON channel.id = finding.channel_id WHERE finding.closed_ms IS NULL "
            "GROUP BY finding.kind, COALESCE(channel.slug, '') ORDER BY finding.kind, slug"
        )
    ):
        counts.setdefault(row.kind, []).append((row.slug, int(row.open)))
    first = _first_findings(session, per_kind_max)
    return [
        FindingKind(kind, sum(count for _, count in by_channel), tuple(by_channel), tuple(first.get(kind, ())))
        for kind, by_channel in counts.items()
    ]


def _first_findings(session: Session, per_kind_max: int) -> dict[str, list[FindingFact]]:
    rows = session.execute(
        text(
            "SELECT kind, slug, subject, details, since_ms, deadline_ms FROM (SELECT finding.kind, COALESCE(channel.slug, '') AS slug, "
            "finding.subject, finding.details, finding.since_ms, finding.deadline_ms, ROW_NUMBER() OVER (PARTITION BY finding.kind "
            "ORDER BY CASE WHEN finding.deadline_ms IS NULL THEN 1 ELSE 0 END, finding.deadline_ms, finding.since_ms, finding.id) AS place "
            "FROM finding LEFT JOIN channel ON channel.id = finding.channel_id WHERE finding.closed_ms IS NULL) AS ranked "
            "WHERE place <= :n ORDER BY kind, place"
        ),
        {"n": per_kind_max},
    ).all()
    found: dict[str, list[FindingFact]] = {}
    for row in rows:
        details = json.loads(row.details)
        slug, more = _named(session, row.kind, row.subject, details)
        fact = FindingFact(row.kind, row.slug or slug, row.subject, {**details, **more}, row.since_ms, row.deadline_ms)
        found.setdefault(row.kind, []).append(fact)
    return found


@dataclass(frozen=True, slots=True)
class ToldFinding:
    """A finding that somebody is told of; `closed_ms` is `None` while it is open."""

    fact: FindingFact
    closed_ms: int | None


def told_findings(session: Session, ids: Iterable[int]) -> list[ToldFinding]:
    """Findings by id, in that of their opening, named as people know them."""
    rows = session.execute(
        text(
            "SELECT finding.*, COALESCE(channel.slug, '') AS slug FROM finding LEFT JOIN channel ON channel.id = finding.channel_id "
            f"WHERE finding.id IN ({in_list(ids)}) ORDER BY finding.since_ms, finding.id"
        )
    ).all()
    found = []
    for row in rows:
        details = json.loads(row.details)
        slug, more = _named(session, row.kind, row.subject, details)
        fact = FindingFact(row.kind, row.slug or slug, row.subject, {**details, **more}, row.since_ms, row.deadline_ms)
        found.append(ToldFinding(fact, row.closed_ms))
    return found


_OWN_ORDER = re.compile(r"order (\d+) line \d+")


def _named(session: Session, kind: str, subject: str, details: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(channel slug, details) that people know a finding by, where it holds only the ledger's own row ids."""
    if kind == "return_due" and (own := _OWN_ORDER.fullmatch(subject)):
        row = session.execute(
            text(
                "SELECT channel.slug, sales_order.remote_id FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
                "WHERE sales_order.id = :o"
            ),
            {"o": int(own[1])},
        ).first()
        return (row.slug, {"order": row.remote_id}) if row else ("", {})
    if kind in ("booking_refused", "booking_unsettled") and subject.isdecimal():
        row = _parcel_names(session, int(subject))
        return (row.slug, {}) if row else ("", {})
    if kind == "unit_in_two_parcels" and isinstance(details.get("other_parcel"), int):
        row = _parcel_names(session, details["other_parcel"])
        return (
            (row.slug, {"order": row.order_remote, "other_parcel": row.remote_id or row.waybill}) if row else ("", {})
        )
    if kind == "cancelled_but_booked":
        order = subject.rpartition("/")[0]
        row = session.execute(
            text(
                "SELECT channel.slug FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
                "WHERE sales_order.remote_id = :o ORDER BY sales_order.id DESC"
            ),
            {"o": order},
        ).first()
        return (row.slug if row else "", {"order": order})
    return "", {}


def _parcel_names(session: Session, parcel_id: int) -> Any:
    return session.execute(
        text(
            "SELECT channel.slug, parcel.remote_id, parcel.waybill, sales_order.remote_id AS order_remote FROM parcel "
            "JOIN channel ON channel.id = parcel.channel_id JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.id = :p"
        ),
        {"p": parcel_id},
    ).first()


@dataclass(frozen=True, slots=True)
class FindingEvent:
    """A finding that was opened or closed at a moment."""

    id: int
    kind: str
    channel: str
    subject: str
    at_ms: int


def findings_opened(session: Session, *, since_ms: int, until_ms: int) -> list[FindingEvent]:
    """Findings opened in a window, the oldest first."""
    return _finding_events(session, "since_ms", since_ms, until_ms)


def findings_closed(session: Session, *, since_ms: int, until_ms: int) -> list[FindingEvent]:
    """Findings closed in a window, the oldest first."""
    return _finding_events(session, "closed_ms", since_ms, until_ms)


def _finding_events(session: Session, moment: str, since_ms: int, until_ms: int) -> list[FindingEvent]:
    rows = session.execute(
        text(
            f"SELECT finding.id, finding.kind, COALESCE(channel.slug, '') AS slug, finding.subject, finding.{moment} FROM finding "
            f"LEFT JOIN channel ON channel.id = finding.channel_id WHERE finding.{moment} >= :a AND finding.{moment} < :b "
            f"ORDER BY finding.{moment}, finding.id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [FindingEvent(*row) for row in rows]


# --------------------------------------------------------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True)
class OrderFact:
    """An order by when it was placed. `units` are those not cancelled; `goods` is their price without shipping, `None` when a price
    is unknown. `changed_ms`: when the ledger last recorded a newer version of it."""

    id: int
    channel_id: int
    order: str
    number: str
    storefront: str
    state: str
    placed_ms: int
    changed_ms: int
    units: int
    goods: int | None


def orders_placed(session: Session, *, since_ms: int, until_ms: int) -> list[OrderFact]:
    """Orders placed in a window, by the provider's time, as the ledger holds them now."""
    rows = session.execute(
        text(
            "SELECT id, channel_id, remote_id, number, storefront, state, created_ms, changed_ms, goods_total FROM sales_order "
            "WHERE created_ms >= :a AND created_ms < :b ORDER BY created_ms, id"
        ),
        {"a": since_ms, "b": until_ms},
    ).all()
    lines = _lines_of(session, [row.id for row in rows])
    facts = []
    for row in rows:
        units, goods = _goods(lines.get(row.id, []), row.goods_total)
        facts.append(
            OrderFact(
                row.id, row.channel_id, row.remote_id, row.number, row.storefront, row.state, row.created_ms, row.changed_ms, units, goods
            )
        )  # fmt: skip
    return facts


def _lines_of(session: Session, order_ids: Sequence[int]) -> dict[int, list[tuple[int | None, str]]]:
    lines: dict[int, list[tuple[int | None, str]]] = {}
    for chunk in _chunks(order_ids):
        query = f"SELECT order_id, unit_price, units FROM order_line WHERE order_id IN ({in_list(chunk)}) ORDER BY id"
        for row in session.execute(text(query)):
            lines.setdefault(row.order_id, []).append((row.unit_price, row.units))
    return lines


def _goods(lines: Sequence[tuple[int | None, str]], goods_total: int | None) -> tuple[int, int | None]:
    """(units not cancelled, their price). Where a line has no price the order's own total stands in, unless units were cancelled."""
    kept = cancelled = 0
    goods: int | None = 0
    for price, packed in lines:
        units = unpack_units(packed)
        wanted = sum(unit.count for unit in units if unit.stage is not UnitStage.CANCELLED)
        cancelled += sum(unit.count for unit in units) - wanted
        kept += wanted
        if wanted:
            goods = None if goods is None or price is None else goods + price * wanted
    if goods is None and not cancelled:
        goods = goods_total
    return kept, goods


@dataclass(frozen=True, slots=True)
class LateCancellation:
    """An order that was cancelled after the day of its placing."""

    id: int
    channel_id: int
    order: str
    number: str
    storefront: str
    cancelled_ms: int
    changed_ms: int


def cancelled_from_before(session: Session, *, since_ms: int, until_ms: int) -> list[LateCancellation]:
    """Orders cancelled in a window that had been placed before it."""
    rows = session.execute(
        text(
            "SELECT id, channel_id, remote_id, number, storefront, COALESCE(cancelled_ms, updated_ms) AS at_ms, changed_ms "
            "FROM sales_order WHERE state = 'cancelled' AND created_ms < :a "
            "AND COALESCE(cancelled_ms, updated_ms) >= :a AND COALESCE(cancelled_ms, updated_ms) < :b ORDER BY at_ms, id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [LateCancellation(*row) for row in rows]


# --------------------------------------------------------------------------------------------------------------- pushes and the proof


def push_outcomes(session: Session, *, since_ms: int, until_ms: int) -> dict[int, dict[str, int]]:
    """Channel id -> outcome -> levels sent in a window."""
    rows = session.execute(
        text(
            "SELECT target.channel_id, push.outcome, COUNT(*) AS levels FROM push JOIN target ON target.id = push.target_id "
            "WHERE push.sent_ms >= :a AND push.sent_ms < :b GROUP BY target.channel_id, push.outcome"
        ),
        {"a": since_ms, "b": until_ms},
    )
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.channel_id, {})[row.outcome] = int(row.levels)
    return found


@dataclass(frozen=True, slots=True)
class PushLine:
    """A level sent to a channel and what became of it."""

    id: int
    channel_id: int
    target: str
    level: int
    outcome: str
    sent_ms: int
    answered_ms: int | None


def pushes_sent(session: Session, *, since_ms: int, until_ms: int) -> list[PushLine]:
    """Levels sent in a window, one by one."""
    rows = session.execute(
        text(
            "SELECT push.id, target.channel_id, target.remote_key, push.level, push.outcome, push.sent_ms, push.answered_ms FROM push "
            "JOIN target ON target.id = push.target_id WHERE push.sent_ms >= :a AND push.sent_ms < :b ORDER BY push.id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [PushLine(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class LedgerSize:
    """How much the ledger holds, and when it was last sealed."""

    orders: int
    order_lines: int
    skus: int
    listings: int
    counts: int
    last_sealed_ms: int | None


def ledger_size(session: Session) -> LedgerSize:
    row = session.execute(
        text(
            "SELECT (SELECT COUNT(*) FROM sales_order), (SELECT COUNT(*) FROM order_line), (SELECT COUNT(*) FROM sku), "
            "(SELECT COUNT(*) FROM listing), (SELECT COUNT(*) FROM document WHERE kind = 'count'), (SELECT MAX(sealed_ms) FROM seal)"
        )
    ).one()
    return LedgerSize(*row)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + CHUNK_IDS_MAX] for start in range(0, len(ids), CHUNK_IDS_MAX))
