"""The figures of reports as they were first given out, so that a changed past can be seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Figure name -> value, `None` unknown."""

    made_ms: int
    digest: str
    figures: Mapping[str, int | None]


def first_given(session: Session, kind: str, name: str) -> Snapshot | None:
    """The figures of a day, week or month (by its name) as they were first given out."""
    row = session.execute(
        text("SELECT made_ms, digest, figures FROM report_snapshot WHERE kind = :k AND day = :d"),
        {"k": kind, "d": name},
    ).first()
    return None if row is None else Snapshot(row.made_ms, row.digest, json.loads(row.figures))


def keep_first(session: Session, kind: str, name: str, figures: Mapping[str, int | None], *, made_ms: int) -> bool:
    """Keep what is given out now, unless something was before. Returns whether it was the first."""
    packed = json.dumps(dict(sorted(figures.items())), separators=(",", ":"), ensure_ascii=False)
    new = session.execute(
        text(
            "INSERT INTO report_snapshot (kind, day, made_ms, digest, figures) VALUES (:k, :d, :at, :h, :f) "
            "ON CONFLICT (kind, day) DO NOTHING RETURNING id"
        ),
        {"k": kind, "d": name, "at": made_ms, "h": hashlib.sha256(packed.encode()).hexdigest(), "f": packed},
    ).first()
    return new is not None
