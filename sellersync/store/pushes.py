"""Pushes: wants are committed as sent before the call, answers afterwards; what the channel should show is kept per target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.errors import RejectClass
from sellersync.domain.ids import push_key
from sellersync.domain.levels import Decision, TargetFacts
from sellersync.domain.listings import LevelAnswer, PushOutcome, ShownLevel, TargetKey, Want
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .findings import close_finding, raise_finding
from .posting import in_list
from .tables import Push
from .work import get_meta

_PUSH = Push.__table__  # type: ignore[attr-defined]
BLOCKED_RETRY_MS = 60 * 60 * 1000
"""A level that was refused is tried again after this long, or at once when another level is wanted."""
POT_STALE_MS = 30 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """A want that is committed as sent."""

    push_id: int
    target_id: int
    want: Want


def target_facts(
    session: Session,
    channel_id: int,
    *,
    now_ms: int,
    pots: bool,
    extra_buffer: int = 0,
    blind_sold: Mapping[int, int] | None = None,
    only: Sequence[int] | None = None,
) -> list[TargetFacts]:
    """Everything that decides about the channel's targets, read in a handful of statements.

    `pots` says that the channel may hold units aside, so an unread or stale pot forbids raising; `blind_sold` are units per SKU that
    channels which cannot be pulled have probably sold meanwhile. `only` are the targets of one batch: what it costs must not grow with
    the assortment.
    """
    places = _Places.of(session, channel_id)
    recipes = _recipes(session, channel_id, only)
    concerned = (
        None if only is None else {sku_id for found in recipes.values() for one in found for sku_id, _ in one or ()}
    )
    available, changed, counted = _balances(session, concerned)
    held = session.execute(
        text(
            "SELECT order_line.target_id, SUM(order_line.held_outside) AS units FROM order_line JOIN sales_order "
            "ON sales_order.id = order_line.order_id WHERE sales_order.channel_id = :c AND order_line.held_outside > 0 "
            f"AND order_line.target_id IS NOT NULL {_among('order_line.target_id', only)} GROUP BY order_line.target_id"
        ),
        {"c": channel_id},
    )
    outside: dict[int, int] = {row.target_id: int(row.units) for row in held}
    skus_of = session.execute(text(f"SELECT id, buffer FROM sku WHERE 1 = 1 {_among('id', concerned)}"))
    buffers: dict[int, int] = {row.id: row.buffer for row in skus_of}
    rows = session.execute(
        text(f"SELECT * FROM target WHERE channel_id = :c {_among('id', only)} ORDER BY id"), {"c": channel_id}
    ).all()
    facts: list[TargetFacts] = []
    for row in rows:
        place = places.of_location(row.location)
        listings = recipes.get(row.id, [])
        skus = {sku_id for recipe in listings for sku_id, _ in recipe or ()}
        levels = [_makeable(recipe, place, available, counted) for recipe in listings]
        sellable = (
            None
            if not levels or any(level is None for level in levels)
            else min(level for level in levels if level is not None)
        )
        newest = max(
            (changed.get((sku, place), (0, 0)) for sku in skus if place is not None),
            default=(0, 0),
            key=lambda pair: pair[1],
        )
        stale = row.pot_ms is None or now_ms - row.pot_ms > POT_STALE_MS
        retry = row.blocked_ms is not None and now_ms - row.blocked_ms > BLOCKED_RETRY_MS
        facts.append(
            TargetFacts(
                target_id=row.id,
                key=TargetKey(row.remote_key, row.location),
                sellable=sellable,
                expected=row.expected,
                acked=row.acked,
                held_outside=outside.get(row.id, 0),
                pot=row.pot if pots else row.pot or 0,
                pot_stale=pots and stale,
                pot_inside=bool(row.pot_inside),
                buffer=extra_buffer + max((buffers.get(sku, 0) for sku in skus), default=0),
                floor=row.floor,
                caused=newest[1] > row.acked_version,
                agreed_zero=bool(row.agreed_zero),
                blind_buffer=max(((blind_sold or {}).get(sku, 0) for sku in skus), default=0),
                blocked=RejectClass(row.blocked) if row.blocked and not retry else None,
                blocked_level=row.blocked_level,
                wanted_at=from_epoch_ms(newest[0], where="ledger") if newest[0] else None,
                version=newest[1],
            )
        )
    return facts


@dataclass(frozen=True, slots=True)
class _Places:
    """Which warehouse serves which location of a channel."""

    own: int
    mapped: Mapping[str, int]
    locations: int
    """How many locations its targets have."""

    @classmethod
    def of(cls, session: Session, channel_id: int) -> _Places:
        values = {"c": channel_id}
        own = session.execute(text("SELECT warehouse_id FROM channel WHERE id = :c"), values).scalar_one()
        mapped = session.execute(text("SELECT location, warehouse_id FROM location_map WHERE channel_id = :c"), values)
        locations = session.execute(
            text("SELECT COUNT(DISTINCT location) FROM target WHERE channel_id = :c AND location <> ''"), values
        )
        return cls(own, {row.location: row.warehouse_id for row in mapped}, locations.scalar_one())

    def of_location(self, location: str) -> int | None:
        """The channel's own warehouse serves a location while it is the only one; several need a map, else stock would be shown twice."""
        if location and (self.mapped or self.locations > 1):
            return self.mapped.get(location)
        return self.own


def _among(column: str, ids: Collection[int] | None) -> str:
    """A further condition; `None` means all."""
    return "" if ids is None else f"AND {column} IN ({in_list(ids)})"


def _balances(
    session: Session, skus: Collection[int] | None
) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], tuple[int, int]], set[tuple[int, int]]]:
    available: dict[tuple[int, int], int] = {}
    changed: dict[tuple[int, int], tuple[int, int]] = {}
    for row in session.execute(
        text(
            "SELECT sku_id, warehouse_id, quantity, changed_ms, movement_id FROM balance "
            f"WHERE account = 'available' {_among('sku_id', skus)}"
        )
    ):
        available[(row.sku_id, row.warehouse_id)] = row.quantity
        changed[(row.sku_id, row.warehouse_id)] = (row.changed_ms, row.movement_id)
    counted = {
        (row.sku_id, row.warehouse_id)
        for row in session.execute(
            text(f"SELECT DISTINCT sku_id, warehouse_id FROM count_line WHERE 1 = 1 {_among('sku_id', skus)}")
        )
    }
    return available, changed, counted


def _recipes(
    session: Session, channel_id: int, only: Collection[int] | None
) -> dict[int, list[list[tuple[int, int]] | None]]:
    """Target -> the recipes of its active listings (`None` for an unmapped one)."""
    found: dict[int, dict[int, list[tuple[int, int]] | None]] = {}
    rows = session.execute(
        text(
            "SELECT listing_target.target_id, listing.id AS listing_id, recipe_item.sku_id, recipe_item.quantity "
            "FROM listing_target JOIN listing ON listing.id = listing_target.listing_id "
            "LEFT JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id "
            f"WHERE listing.channel_id = :c AND listing.managed {_among('listing_target.target_id', only)}"
        ),
        {"c": channel_id},
    )
    for row in rows:
        recipe = found.setdefault(row.target_id, {}).setdefault(row.listing_id, None if row.sku_id is None else [])
        if recipe is not None:
            recipe.append((row.sku_id, row.quantity))
    return {target_id: list(by_listing.values()) for target_id, by_listing in found.items()}


def _makeable(
    recipe: list[tuple[int, int]] | None,
    place: int | None,
    available: Mapping[tuple[int, int], int],
    counted: set[tuple[int, int]],
) -> int | None:
    """What can be made of the components in one warehouse; `None` when it is not known or one was never counted there."""
    if not recipe or place is None or any((sku_id, place) not in counted for sku_id, _ in recipe):
        return None
    return min(available.get((sku_id, place), 0) // quantity for sku_id, quantity in recipe)


def mark_sent(
    session: Session, decisions: Sequence[Decision], *, now_ms: int, window_from: datetime | None
) -> list[Sent]:
    """Commit these wants as sent, before the call: from now on the number is unknown until an answer comes.

    The order of `decisions` is kept. `window_from`: the provider's time up to which its orders are in the ledger.
    """
    epoch = int(get_meta(session, "epoch", "1"))
    sent: list[Sent] = []
    for decision in decisions:
        key = push_key(epoch, decision.target_id, decision.version)
        attempt = session.execute(
            text("SELECT COUNT(*) + 1 FROM push WHERE target_id = :t AND key = :k"), {"t": decision.target_id, "k": key}
        ).scalar_one()
        push_id = session.execute(
            insert(_PUSH).returning(_PUSH.c.id),
            {
                "target_id": decision.target_id,
                "level": decision.level,
                "expected": decision.expected,
                "ledger_version": decision.version,
                "key": key,
                "attempt": attempt,
                "wanted_ms": to_epoch_ms(decision.wanted_at) if decision.wanted_at else now_ms,
                "sent_ms": now_ms,
                "outcome": "sent",
                "detail": "",
            },
        ).scalar_one()
        session.execute(
            text(
                "UPDATE target SET expected = NULL, window_from_ms = COALESCE(:w, window_from_ms), window_to_ms = NULL WHERE id = :t"
            ),
            {"t": decision.target_id, "w": to_epoch_ms(window_from) if window_from else None},
        )
        want = Want(decision.key, decision.level, decision.expected, f"{key}-{attempt}")
        sent.append(Sent(push_id, decision.target_id, want))
    return sent


def record_answers(
    session: Session,
    channel_id: int,
    answers: Sequence[tuple[Sent, LevelAnswer]],
    *,
    now_ms: int,
    provider_now: datetime,
    visibility_delay_s: float,
    write_settles_s: float,
) -> None:
    """Record what became of wants. An applied level is expected to be shown, unless one of the channel's own orders changed between
    the pull before the push and the acknowledgement: then the push may have swallowed it, and the number is unknown."""
    window_to = to_epoch_ms(provider_now) + round(visibility_delay_s * 1000)
    overtaken = _touched_since(session, channel_id, [sent.push_id for sent, _ in answers])
    for sent, answer in answers:
        session.execute(
            text("UPDATE push SET answered_ms = :now, outcome = :o, shown = :shown, detail = :d WHERE id = :i"),
            {"i": sent.push_id, "now": now_ms, "o": answer.outcome.value, "shown": answer.shown, "d": answer.why[:300]},
        )
        subject = f"{sent.want.target.remote_key}@{sent.want.target.location}".rstrip("@")
        if answer.outcome is PushOutcome.APPLIED:
            _applied(session, sent, answer, window_to=window_to, now_ms=now_ms, certain=sent.target_id not in overtaken)
            close_finding(session, "push_refused", subject, channel_id=channel_id, now_ms=now_ms)
        elif answer.outcome is PushOutcome.UNCLEAR:
            session.execute(
                text("UPDATE target SET expected = NULL, window_to_ms = NULL, read_back_ms = :r WHERE id = :t"),
                {"t": sent.target_id, "r": now_ms + round(write_settles_s * 1000)},
            )
        else:
            _rejected(session, sent, answer, now_ms=now_ms, certain=sent.target_id not in overtaken)
            details = {"level": sent.want.level, "why": answer.why, "class": (answer.reject or RejectClass.OTHER).value}
            raise_finding(session, "push_refused", subject, channel_id=channel_id, now_ms=now_ms, details=details)


def _touched_since(session: Session, channel_id: int, push_ids: Sequence[int]) -> set[int]:
    """Targets touched by an order of this channel that was recorded while these pushes were under way."""
    rows = session.execute(
        text(
            "SELECT DISTINCT order_line.target_id FROM sales_order JOIN order_line ON order_line.order_id = sales_order.id "
            "WHERE sales_order.channel_id = :c AND order_line.target_id IS NOT NULL AND sales_order.changed_ms >= "
            f"(SELECT MIN(sent_ms) FROM push WHERE id IN ({in_list(push_ids)}))"
        ),
        {"c": channel_id},
    )
    return {row.target_id for row in rows}


def _applied(session: Session, sent: Sent, answer: LevelAnswer, *, window_to: int, now_ms: int, certain: bool) -> None:
    session.execute(
        text(
            "UPDATE target SET expected = CASE WHEN :certain THEN :e ELSE NULL END, acked = :e, acked_ms = :now, "
            "window_to_ms = :w, blocked = '', blocked_level = NULL, "
            "blocked_ms = NULL, agreed_zero = FALSE, held_level = NULL, floor = NULL, "
            "acked_version = (SELECT ledger_version FROM push WHERE id = :p) WHERE id = :t"
        ),
        {
            "t": sent.target_id,
            "certain": certain,
            "e": sent.want.level if answer.shown is None else answer.shown,
            "now": now_ms,
            "w": window_to,
            "p": sent.push_id,
        },
    )


def _rejected(session: Session, sent: Sent, answer: LevelAnswer, *, now_ms: int, certain: bool) -> None:
    below_reserved = answer.reject is RejectClass.BELOW_RESERVED
    session.execute(
        text(
            "UPDATE target SET expected = :e, blocked = :b, blocked_level = :l, blocked_ms = :now, floor = COALESCE(:f, floor), "
            "pot_inside = (pot_inside OR :inside) WHERE id = :t"
        ),
        {
            "t": sent.target_id,
            "e": sent.want.expected if certain else None,
            "b": (answer.reject or RejectClass.OTHER).value,
            "l": sent.want.level,
            "now": now_ms,
            "f": answer.floor,
            "inside": below_reserved,
        },
    )


def record_shown(
    session: Session, channel_id: int, levels: Sequence[ShownLevel], *, now_ms: int, clear_after_ms: int
) -> int:
    """Numbers read back from the channel: pots are noted, and a number other than the expected one makes it unknown.

    A target whose last write was unclear and lies further back than `clear_after_ms` is settled by what is shown. Returns how many
    targets differed.
    """
    differed = 0
    for level in levels:
        row = session.execute(
            text(
                "SELECT id, expected, read_back_ms FROM target WHERE channel_id = :c AND remote_key = :k AND location = :l"
            ),
            {"c": channel_id, "k": level.target.remote_key, "l": level.target.location},
        ).first()
        if row is None:
            continue
        expected = row.expected
        if level.shown is not None and expected is not None and level.shown != expected:
            differed += 1
            expected = None
        settled = row.read_back_ms is not None and row.read_back_ms <= clear_after_ms
        session.execute(
            text(
                "UPDATE target SET expected = :e, pot = COALESCE(:p, pot), pot_ms = CASE WHEN :p IS NULL THEN pot_ms ELSE :now END, "
                "floor = :f, read_back_ms = CASE WHEN :settled THEN NULL ELSE read_back_ms END WHERE id = :t"
            ),
            {"t": row.id, "e": expected, "p": level.held_aside, "now": now_ms, "f": level.floor, "settled": settled},
        )
    return differed


def due_read_backs(session: Session, channel_id: int, *, now_ms: int) -> list[TargetKey]:
    """Targets whose unclear write is old enough to be read back."""
    rows = session.execute(
        text(
            "SELECT remote_key, location FROM target WHERE channel_id = :c AND read_back_ms IS NOT NULL AND read_back_ms <= :now"
        ),
        {"c": channel_id, "now": now_ms},
    )
    return [TargetKey(row.remote_key, row.location) for row in rows]


def forget_unanswered(session: Session, channel_id: int, *, now_ms: int, write_settles_s: float) -> int:
    """Wants that were sent and never answered (a kill) are unclear. Called by whoever holds the channel's push lease."""
    values = {"c": channel_id, "now": now_ms, "r": now_ms + round(write_settles_s * 1000)}
    unanswered = (
        "SELECT {} FROM push WHERE outcome = 'sent' AND target_id IN (SELECT id FROM target WHERE channel_id = :c)"
    )
    session.execute(
        text(f"UPDATE target SET expected = NULL, read_back_ms = :r WHERE id IN ({unanswered.format('target_id')})"),
        values,
    )
    forgotten = session.execute(
        text(
            "UPDATE push SET outcome = 'unclear', answered_ms = :now, detail = 'no answer was recorded' "
            f"WHERE id IN ({unanswered.format('id')})"
        ),
        values,
    )
    return int(forgotten.rowcount)  # type: ignore[attr-defined]


def hold_zeroes(session: Session, channel_id: int, decisions: Sequence[Decision], *, now_ms: int) -> None:
    """Levels stopped by the suddenly-zero guard wait for a person (L11)."""
    if not decisions:
        close_finding(session, "sudden_zero", "targets", channel_id=channel_id, now_ms=now_ms)
        return
    for decision in decisions:
        session.execute(
            text("UPDATE target SET held_level = :l WHERE id = :t"), {"l": decision.level, "t": decision.target_id}
        )
    raise_finding(session, "sudden_zero", "targets", channel_id=channel_id, now_ms=now_ms,
                  details={"targets": [decision.key.remote_key for decision in decisions[:50]], "count": len(decisions)})  # fmt: skip


def agree_zeroes(session: Session, channel_id: int) -> int:
    """A person agrees that the held targets go to zero. Returns how many."""
    agreed = session.execute(
        text(
            "UPDATE target SET agreed_zero = TRUE, held_level = NULL WHERE channel_id = :c AND held_level IS NOT NULL"
        ),
        {"c": channel_id},
    )
    return int(agreed.rowcount)  # type: ignore[attr-defined]


def names_of(session: Session, target_ids: Sequence[int]) -> list[str]:
    """Remote keys of targets, in the given order."""
    if not target_ids:
        return []
    rows = session.execute(text(f"SELECT id, remote_key FROM target WHERE id IN ({in_list(target_ids)})"))
    names = {row.id: row.remote_key for row in rows}
    return [names[target_id] for target_id in target_ids]
