"""The number that a channel should show now, after changes of its own orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.levels import OwnOrderChange, expected_after
from sellersync.domain.listings import Effect
from sellersync.domain.times import from_epoch_ms

from .bulk import select_in


def move_expected(
    session: Session, changes: Mapping[int, Sequence[OwnOrderChange]], *, certain: frozenset[Effect]
) -> None:
    """Move or forget the numbers that a channel is expected to show, after changes of its own orders (target id -> changes)."""
    if not changes:
        return
    updates = []
    for row in select_in(session, "SELECT id, expected, window_to_ms FROM target WHERE id IN", list(changes)):
        window_to = from_epoch_ms(row.window_to_ms, where="") if row.window_to_ms is not None else None
        expected = expected_after(row.expected, changes[row.id], certain=certain, window_to=window_to)
        if expected is not None and expected < 0:
            expected = None
        if expected != row.expected:
            updates.append({"i": row.id, "e": expected})
    if updates:
        session.connection().execute(text("UPDATE target SET expected = :e WHERE id = :i"), updates)
