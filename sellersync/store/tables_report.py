"""Tables behind the daily report: what was said and to whom, what was counted a second time, how goods are bought again."""

from __future__ import annotations

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from .tables import BigId, _id, _ms, _ref


class SkuPlan(SQLModel, table=True):
    """How a SKU is bought: who supplies it, how long that takes, how much is kept. `None`: the shop's default, or unknown."""

    __tablename__ = "sku_plan"
    sku_id: int = Field(sa_column=_ref("sku.id", primary_key=True))
    supplier: str = ""
    lead_days: int | None = None
    cover_days: int | None = None
    """Days of sales that an order should bring beyond its lead time."""
    order_multiple: int = 1
    order_min: int = 0
    reorder_point: int | None = None
    """Units at or below which it is bought again, set by a person; without it the forecast says."""
    discontinued: bool = False


class CostRow(SQLModel, table=True):
    """What one unit of a SKU costs from a moment on, whole rupiah; never updated, so that an old day's margin stays explained."""

    __tablename__ = "cost"
    __table_args__ = (UniqueConstraint("sku_id", "since_ms"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=_id())
    sku_id: int = Field(sa_column=_ref("sku.id"))
    since_ms: int = Field(sa_column=_ms())
    amount: int
    recorded_ms: int = Field(sa_column=_ms())
    who: str


class OrderProof(SQLModel, table=True):
    """One channel's orders of one shop day, counted a second time by another listing; the newest row of a day counts."""

    __tablename__ = "order_proof"
    __table_args__ = (Index("order_proof_day", "day", "channel_id"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    day: str
    counted_ms: int = Field(sa_column=_ms())
    by_field: str
    """The time field of the provider by which it was counted."""
    on_channel: int
    in_ledger: int
    missing: str = "[]"
    """JSON list of remote ids that the ledger does not have."""
    unlisted: str = "[]"
    """JSON list of [remote id, state, how it went] of the ledger's orders of the day that the channel does not list any more."""
    repaired: int = 0
    detail: str = ""


class ReportSnapshot(SQLModel, table=True):
    """The figures of a report as they were first given out; a later report of the same day says what was restated since."""

    __tablename__ = "report_snapshot"
    __table_args__ = (UniqueConstraint("kind", "day"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=_id())
    kind: str  # day | week | month
    day: str
    made_ms: int = Field(sa_column=_ms())
    digest: str
    figures: str
    """JSON: figure name -> value."""


class Delivery(SQLModel, table=True):
    """Something that is to reach a person through one notifier: a report, an alert, a reminder. Committed as being sent before it is."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notifier", "kind", "subject", "occasion"),
        Index("delivery_state", "state", "next_ms"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    notifier: str
    kind: str  # report | alert | reminder | solved | test
    subject: str
    """The report's kind and day, or the finding's id."""
    occasion: int = 0
    """Which time: 0 the first, n the n-th reminder."""
    state: str = "due"  # due | sending | sent | refused | unclear
    attempts: int = 0
    created_ms: int = Field(sa_column=_ms())
    next_ms: int = Field(sa_column=_ms())
    sent_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    finding_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, index=True))
    detail: str = ""
