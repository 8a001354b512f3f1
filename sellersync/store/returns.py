"""Return documents. A unit that left the shelf and is no longer wanted opens one; only a person's receipt moves stock."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel import Session

from .findings import raise_finding
from .posting import OrderWork


def open_due_returns(session: Session, works: Sequence[OrderWork], *, now_ms: int) -> int:
    """Open return documents for units that left the shelf and are cancelled now, beyond those already opened. Returns how many."""
    opened = 0
    for work in works:
        for line in work.lines:
            if line.return_due <= 0:
                continue
            known = session.execute(
                text(
                    "SELECT COALESCE(SUM(quantity), 0), COUNT(*) FROM return_document WHERE line_id = :l AND state <> 'withdrawn'"
                ),
                {"l": line.id},
            ).one()
            missing = line.return_due - known[0]
            if missing <= 0:
                continue
            session.execute(
                text(
                    "INSERT INTO return_document (order_id, line_id, number, quantity, state, why, remote_id, opened_ms, posted_rev) "
                    "VALUES (:o, :l, :n, :q, 'open', 'cancelled after it left the shelf', '', :now, 0)"
                ),
                {"o": work.id, "l": line.id, "n": known[1] + 1, "q": missing, "now": now_ms},
            )
            raise_finding(session, "return_due", f"order {work.id} line {line.id}", now_ms=now_ms,
                          details={"units": line.return_due, "title": line.line.title})  # fmt: skip
            opened += missing
    return opened
