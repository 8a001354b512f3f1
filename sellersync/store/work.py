"""Channels, warehouses, marks, leases and job runs: what the work itself needs to remember."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import Held, LeaseLost
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .findings import close_finding, raise_finding
from .orders import ChannelRules

LEASE_MS = 5 * 60 * 1000
"""How long a run keeps a channel's work without a sign of life."""
BACKOFF_MS_MIN = 5_000
BACKOFF_MS_MAX = 15 * 60 * 1000


# ------------------------------------------------------------------------------------------------------------ channels and warehouses


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel as the ledger knows it."""

    id: int
    slug: str
    provider: str
    remote_shop_id: str
    kind: str
    warehouse_id: int | None
    state: str
    trouble: str
    trouble_since: datetime | None
    paused_until: datetime | None
    last_pull: datetime | None
    last_push: datetime | None
    first_walk_done: bool


def channels(session: Session) -> list[ChannelState]:
    """All channels ever configured, by slug."""
    return [_channel(row) for row in session.execute(text("SELECT * FROM channel ORDER BY slug"))]


def channel_by_slug(session: Session, slug: str) -> ChannelState | None:
    row = session.execute(text("SELECT * FROM channel WHERE slug = :s"), {"s": slug}).first()
    return None if row is None else _channel(row)


def first_seen(session: Session, channel_id: int) -> datetime:
    """When the channel was configured for the first time."""
    row = session.execute(text("SELECT created_ms FROM channel WHERE id = :c"), {"c": channel_id})
    return from_epoch_ms(row.scalar_one(), where="channel")


def _channel(row: Any) -> ChannelState:
    return ChannelState(
        row.id,
        row.slug,
        row.provider,
        row.remote_shop_id,
        row.kind,
        row.warehouse_id,
        row.state,
        row.trouble,
        _at(row.trouble_since_ms),
        _at(row.paused_until_ms),
        _at(row.last_pull_ms),
        _at(row.last_push_ms),
        row.first_walk_done_ms is not None,
    )


def ensure_warehouse(session: Session, code: str, name: str) -> int:
    """The id of a warehouse, made when it is new."""
    session.execute(
        text(
            "INSERT INTO warehouse (code, name) VALUES (:c, :n) ON CONFLICT (code) DO UPDATE SET name = excluded.name"
        ),
        {"c": code, "n": name},
    )
    return int(session.execute(text("SELECT id FROM warehouse WHERE code = :c"), {"c": code}).scalar_one())


def ensure_channel(
    session: Session, *, provider: str, remote_shop_id: str, slug: str, kind: str, warehouse_id: int | None, now_ms: int
) -> int:
    """The id of a configured channel. The remote shop decides which channel it is; its slug may be renamed."""
    found = session.execute(
        text("SELECT id FROM channel WHERE provider = :p AND remote_shop_id = :r"), {"p": provider, "r": remote_shop_id}
    ).scalar()
    if found is None:
        session.execute(
            text(
                "INSERT INTO channel (provider, remote_shop_id, slug, kind, warehouse_id, created_ms, failures, state, trouble) "
                "VALUES (:p, :r, :s, :k, :w, :now, 0, 'ok', '')"
            ),
            {"p": provider, "r": remote_shop_id, "s": slug, "k": kind, "w": warehouse_id, "now": now_ms},
        )
        found = session.execute(text("SELECT id FROM channel WHERE slug = :s"), {"s": slug}).scalar_one()
    else:
        session.execute(
            text("UPDATE channel SET slug = :s, warehouse_id = :w WHERE id = :i"),
            {"s": slug, "w": warehouse_id, "i": found},
        )
    return int(found)


def set_locations(session: Session, channel_id: int, locations: Mapping[str, int]) -> None:
    """Replace the map from a channel's locations to our warehouses."""
    session.execute(text("DELETE FROM location_map WHERE channel_id = :c"), {"c": channel_id})
    for location, warehouse_id in sorted(locations.items()):
        session.execute(
            text("INSERT INTO location_map (channel_id, location, warehouse_id) VALUES (:c, :l, :w)"),
            {"c": channel_id, "l": location, "w": warehouse_id},
        )


def set_further_warehouses(session: Session, channel_id: int, warehouse_ids: Sequence[int]) -> None:
    """Replace the warehouses whose stock a channel shows beside that of its own."""
    session.execute(text("DELETE FROM further_warehouse WHERE channel_id = :c"), {"c": channel_id})
    for warehouse_id in warehouse_ids:
        session.execute(
            text("INSERT INTO further_warehouse (channel_id, warehouse_id) VALUES (:c, :w)"),
            {"c": channel_id, "w": warehouse_id},
        )


def rules_of(session: Session, channel_id: int, certain: frozenset[Any]) -> ChannelRules:
    """What recording this channel's orders needs to know."""
    warehouse = session.execute(text("SELECT warehouse_id FROM channel WHERE id = :c"), {"c": channel_id}).scalar_one()
    rows = session.execute(
        text("SELECT location, warehouse_id FROM location_map WHERE channel_id = :c"), {"c": channel_id}
    )
    return ChannelRules(channel_id, warehouse, {row.location: row.warehouse_id for row in rows}, certain)


def note_ok(session: Session, channel_id: int, *, now_ms: int, pulled: bool = False, pushed: bool = False) -> None:
    """The channel answered: it recovers by itself (L8)."""
    session.execute(
        text(
            "UPDATE channel SET state = 'ok', trouble = '', trouble_since_ms = NULL, failures = 0, paused_until_ms = NULL, "
            "last_pull_ms = CASE WHEN :pulled THEN :now ELSE last_pull_ms END, "
            "last_push_ms = CASE WHEN :pushed THEN :now ELSE last_push_ms END WHERE id = :c"
        ),
        {"c": channel_id, "now": now_ms, "pulled": pulled, "pushed": pushed},
    )
    close_finding(session, "channel_trouble", "channel", channel_id=channel_id, now_ms=now_ms)
    close_finding(session, "needs_authorisation", "channel", channel_id=channel_id, now_ms=now_ms)


def note_trouble(
    session: Session,
    channel_id: int,
    why: str,
    *,
    now_ms: int,
    needs_authorisation: bool = False,
    until_ms: int | None = None,
) -> None:
    """The channel is unwell: back off (doubling, bounded) and show it in the report; the others go on (L8)."""
    failures = session.execute(text("SELECT failures FROM channel WHERE id = :c"), {"c": channel_id}).scalar_one()
    pause = min(BACKOFF_MS_MIN * 2 ** min(failures, 20), BACKOFF_MS_MAX)
    session.execute(
        text(
            "UPDATE channel SET state = :state, trouble = :why, trouble_since_ms = COALESCE(trouble_since_ms, :now), "
            "failures = failures + 1, paused_until_ms = :until WHERE id = :c"
        ),
        {
            "c": channel_id,
            "state": "needs_authorisation" if needs_authorisation else "trouble",
            "why": why[:500],
            "now": now_ms,
            "until": now_ms + pause if until_ms is None else min(until_ms, now_ms + BACKOFF_MS_MAX * 4),
        },
    )
    kind = "needs_authorisation" if needs_authorisation else "channel_trouble"
    raise_finding(session, kind, "channel", channel_id=channel_id, now_ms=now_ms, details={"why": why[:500]})


# -------------------------------------------------------------------------------------------------------------------------- marks


@dataclass(frozen=True, slots=True)
class MarkState:
    """How far a stream was walked, and how long its last complete walk took."""

    at: datetime
    progress: str
    walks: int


def mark_of(session: Session, channel_id: int, stream: str, *, first_from: datetime) -> MarkState:
    """The mark of a stream; `first_from` where it was never walked."""
    row = session.execute(
        text("SELECT at_ms, progress, walks FROM mark WHERE channel_id = :c AND stream = :s"),
        {"c": channel_id, "s": stream},
    ).first()
    if row is None:
        return MarkState(first_from, "", 0)
    return MarkState(from_epoch_ms(row.at_ms, where="mark"), row.progress, row.walks)


def move_mark(
    session: Session, channel_id: int, stream: str, *, at: datetime, progress: str, closes: datetime | None, now_ms: int
) -> None:
    """Keep a page's progress; move the mark only when the page closes its window, and never back (L6)."""
    values = {
        "c": channel_id,
        "s": stream,
        "at": to_epoch_ms(closes if closes is not None else at),
        "progress": "" if closes is not None else progress,
        "walks": 1 if closes is not None else 0,
        "now": now_ms,
    }
    session.execute(
        text(
            "INSERT INTO mark (channel_id, stream, at_ms, progress, walk_started_ms, walks) VALUES (:c, :s, :at, :progress, :now, :walks) "
            "ON CONFLICT (channel_id, stream) DO UPDATE SET "
            "at_ms = CASE WHEN excluded.at_ms > mark.at_ms THEN excluded.at_ms ELSE mark.at_ms END, "
            "progress = excluded.progress, walks = mark.walks + excluded.walks"
        ),
        values,
    )


def note_first_walk(session: Session, channel_id: int, *, now_ms: int) -> None:
    """The first walk of the channel's orders is complete: levels may be pushed from now on."""
    session.execute(
        text("UPDATE channel SET first_walk_done_ms = :now WHERE id = :c AND first_walk_done_ms IS NULL"),
        {"c": channel_id, "now": now_ms},
    )


# ------------------------------------------------------------------------------------------------------------------------- leases


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease that we hold: `fence` grows with every taking."""

    name: str
    owner: str
    fence: int
    until_ms: int


def take_lease(session: Session, name: str, owner: str, *, now_ms: int, ttl_ms: int) -> HeldLease:
    """Take a lease or prolong our own. Raises `Held` while another owner's has not run out."""
    session.execute(
        text("INSERT INTO lease (name, owner, until_ms, fence) VALUES (:n, '', 0, 0) ON CONFLICT (name) DO NOTHING"),
        {"n": name},
    )
    row = session.execute(text("SELECT owner, until_ms, fence FROM lease WHERE name = :n"), {"n": name}).one()
    if row.owner and row.owner != owner and row.until_ms > now_ms:
        raise Held(name, row.owner, from_epoch_ms(row.until_ms, where="lease"))
    fence = row.fence + (0 if row.owner == owner and row.until_ms > now_ms else 1)
    session.execute(
        text("UPDATE lease SET owner = :o, until_ms = :u, fence = :f WHERE name = :n"),
        {"o": owner, "u": now_ms + ttl_ms, "f": fence, "n": name},
    )
    return HeldLease(name, owner, fence, now_ms + ttl_ms)


def check_lease(session: Session, lease: HeldLease, *, now_ms: int, ttl_ms: int) -> None:
    """Raises `LeaseLost` when somebody else took the lease; else prolongs it. Called in the very transaction that depends on it.

    One that ran out and that nobody took is still ours: nothing happened in between.
    """
    kept = session.execute(
        text("UPDATE lease SET until_ms = :u WHERE name = :n AND owner = :o AND fence = :f"),
        {"u": now_ms + ttl_ms, "n": lease.name, "o": lease.owner, "f": lease.fence},
    )
    if not kept.rowcount:  # type: ignore[attr-defined]
        raise LeaseLost(f"the lease on {lease.name} was lost")


def release_lease(session: Session, lease: HeldLease) -> None:
    """Give a lease back, if it is still ours."""
    session.execute(
        text("UPDATE lease SET owner = '', until_ms = 0 WHERE name = :n AND owner = :o AND fence = :f"),
        {"n": lease.name, "o": lease.owner, "f": lease.fence},
    )


def free_lease(session: Session, name: str, owner: str) -> None:
    """Give back a lease of which only the owner is known."""
    session.execute(
        text("UPDATE lease SET owner = '', until_ms = 0 WHERE name = :n AND owner = :o"), {"n": name, "o": owner}
    )


def free_leases_of(session: Session, owner_prefix: str) -> None:
    """Drop leases of a process that is certainly gone (its database lock was free)."""
    session.execute(text("UPDATE lease SET owner = '', until_ms = 0 WHERE owner LIKE :p"), {"p": owner_prefix + "%"})


# ----------------------------------------------------------------------------------------------------------------------- job runs


def start_run(session: Session, job: str, channel_id: int | None, *, now_ms: int) -> int:
    """A row for a job's run; runs of the same job that never ended (a kill) are marked interrupted."""
    session.execute(
        text(
            "UPDATE job_run SET outcome = 'interrupted', ended_ms = :now WHERE outcome = 'running' AND job = :j "
            "AND COALESCE(channel_id, 0) = COALESCE(:c, 0)"
        ),
        {"j": job, "c": channel_id, "now": now_ms},
    )
    row = session.execute(
        text(
            "INSERT INTO job_run (job, channel_id, started_ms, outcome, counts, error) "
            "VALUES (:j, :c, :now, 'running', '{}', '') RETURNING id"
        ),
        {"j": job, "c": channel_id, "now": now_ms},
    )
    return int(row.scalar_one())


def end_run(
    session: Session,
    run_id: int,
    outcome: str,
    *,
    now_ms: int,
    counts: Mapping[str, int] | None = None,
    error: str = "",
) -> None:
    session.execute(
        text("UPDATE job_run SET ended_ms = :now, outcome = :o, counts = :counts, error = :e WHERE id = :i"),
        {
            "i": run_id,
            "o": outcome,
            "now": now_ms,
            "counts": json.dumps(dict(counts or {}), sort_keys=True),
            "e": error[:500],
        },
    )


def prune_runs(session: Session, *, before_ms: int) -> None:
    """Forget runs without trouble that ended before a moment; the last run of each job is kept."""
    session.execute(
        text(
            "DELETE FROM job_run WHERE ended_ms < :b AND outcome = 'ok' AND id NOT IN "
            "(SELECT MAX(id) FROM job_run GROUP BY job, channel_id)"
        ),
        {"b": before_ms},
    )


# --------------------------------------------------------------------------------------------------------------------------- meta


def get_meta(session: Session, key: str, default: str = "") -> str:
    found = session.execute(text("SELECT value FROM meta WHERE key = :k"), {"k": key}).scalar()
    return default if found is None else str(found)


def set_meta(session: Session, key: str, value: str) -> None:
    session.execute(
        text("INSERT INTO meta (key, value) VALUES (:k, :v) ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
        {"k": key, "v": value},
    )


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_epoch_ms(ms, where="ledger")


def note_renewal_refused(session: Session, channel_id: int, why: str, *, now_ms: int) -> None:
    """The token can no longer be renewed but is still good: the seller should authorise again before it ends; work goes on."""
    raise_finding(
        session, "renewal_refused", "channel", channel_id=channel_id, now_ms=now_ms, details={"why": why[:500]}
    )


def clear_authorisation(session: Session, channel_id: int, *, now_ms: int) -> None:
    """A new token pair was stored: the channel may be called again."""
    session.execute(
        text(
            "UPDATE channel SET state = 'ok', paused_until_ms = NULL, failures = 0 WHERE id = :c AND state = 'needs_authorisation'"
        ),
        {"c": channel_id},
    )
    close_finding(session, "needs_authorisation", "channel", channel_id=channel_id, now_ms=now_ms)
    close_finding(session, "renewal_refused", "channel", channel_id=channel_id, now_ms=now_ms)
