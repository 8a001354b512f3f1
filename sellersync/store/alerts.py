"""Findings become messages: each once when it is new, again as a reminder while it is open, and once when it is gone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from .deliveries import ALERT, REMINDER, SOLVED, affected

SOLVED_TOLD_MS_MAX = 7 * 86_400_000
"""What was solved longer ago is no news any more."""
PLANNED_MAX = 2_000


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Which findings are told, and when."""

    kinds: tuple[str, ...]
    min_age_ms: int
    remind_after_ms: int


def plan_alerts(session: Session, notifier: str, rules: AlertRules, *, now_ms: int) -> int:
    """Make the rows of what this notifier is to tell now. Returns how many.

    A finding is told once; a reminder follows the last telling by `remind_after_ms` while it is open; that it is gone is told once, and
    only when the alert went out. Old rows that wait for a finding that is gone are dropped.
    """
    values = {"n": notifier, "now": now_ms, "limit": PLANNED_MAX}
    drop_solved(session, notifier, now_ms=now_ms)
    planned = 0
    if rules.kinds:
        kinds = {f"k{number}": kind for number, kind in enumerate(rules.kinds)}
        of_kinds = f"finding.kind IN ({', '.join(f':{name}' for name in kinds)})"
        planned += affected(
            session,
            _insert_from(ALERT, "0")
            + f"FROM finding WHERE finding.closed_ms IS NULL AND {of_kinds} AND finding.since_ms <= :ripe "
            "AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.notifier = CAST(:n AS TEXT) AND delivery.kind = 'alert' "
            "AND delivery.finding_id = finding.id) ORDER BY finding.id LIMIT :limit",
            {**values, **kinds, "ripe": now_ms - rules.min_age_ms},
        )
        planned += affected(
            session,
            _insert_from(REMINDER, "told.tellings")
            + "FROM finding JOIN (SELECT finding_id, COUNT(*) AS tellings, MAX(created_ms) AS last_ms, "
            "SUM(CASE WHEN state IN ('due', 'sending') THEN 1 ELSE 0 END) AS waiting FROM delivery "
            "WHERE notifier = CAST(:n AS TEXT) AND kind IN ('alert', 'reminder') AND finding_id IS NOT NULL GROUP BY finding_id) AS told "
            f"ON told.finding_id = finding.id WHERE finding.closed_ms IS NULL AND {of_kinds} AND told.waiting = 0 "
            "AND told.last_ms <= :long_ago ORDER BY finding.id LIMIT :limit",
            {**values, **kinds, "long_ago": now_ms - rules.remind_after_ms},
        )
    planned += affected(
        session,
        _insert_from(SOLVED, "0")
        + "FROM finding JOIN delivery AS alert ON alert.finding_id = finding.id AND alert.notifier = CAST(:n AS TEXT) "
        "AND alert.kind = 'alert' "
        "WHERE alert.state IN ('sent', 'unclear') AND finding.closed_ms >= :recent AND NOT EXISTS (SELECT 1 FROM delivery "
        "WHERE delivery.notifier = CAST(:n AS TEXT) AND delivery.kind = 'solved' AND delivery.finding_id = finding.id) "
        "ORDER BY finding.id LIMIT :limit",
        {**values, "recent": now_ms - SOLVED_TOLD_MS_MAX},
    )
    return planned


def drop_solved(session: Session, notifier: str, *, now_ms: int) -> None:
    """Alerts and reminders that still wait, of findings that are gone: there is nothing to tell."""
    session.execute(
        text(
            "UPDATE delivery SET state = 'dropped', next_ms = :now, detail = 'it was settled before it was told' "
            "WHERE notifier = CAST(:n AS TEXT) AND kind IN ('alert', 'reminder') AND state = 'due' AND finding_id IN "
            "(SELECT id FROM finding WHERE closed_ms IS NOT NULL)"
        ),
        {"n": notifier, "now": now_ms},
    )


def _insert_from(kind: str, occasion: str) -> str:
    return (
        "INSERT INTO delivery (notifier, kind, subject, occasion, state, attempts, created_ms, next_ms, finding_id, detail) "
        f"SELECT CAST(:n AS TEXT), '{kind}', CAST(finding.id AS TEXT), {occasion}, 'due', 0, CAST(:now AS BIGINT), "
        "CAST(:now AS BIGINT), finding.id, '' "
    )
