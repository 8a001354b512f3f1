"""Tables of what a sale leads to besides stock: requests to cancel, returns as the provider shows them, settlements.

Their rows keep the order's remote id beside the reference to our row: a provider may tell of an order that the ledger never saw.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from .tables import _id, _ms, _ref


class CancellationRow(SQLModel, table=True):
    """A buyer's or seller's request to cancel, and our answer to it (committed before it is sent)."""

    __tablename__ = "cancellation_request"
    __table_args__ = (
        UniqueConstraint("channel_id", "remote_id"),
        Index("cancellation_order", "channel_id", "order_remote_id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    remote_id: str
    order_remote_id: str
    state: str
    remote_status: str
    lines: str = "[]"
    """JSON list of [line key, units]."""
    by_whom: str = ""
    reason: str = ""
    respond_by_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    updated_ms: int = Field(sa_column=_ms())
    seen_ms: int = Field(sa_column=_ms())
    answer: str = ""  # "" | accept | reject
    answer_state: str = ""  # "" | sent | done | refused | unclear
    answer_key: str = ""
    answered_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    answered_by: str = ""
    detail: str = ""


class RemoteReturnRow(SQLModel, table=True):
    """A return as the provider shows it. Stock moves only by a return document."""

    __tablename__ = "remote_return"
    __table_args__ = (
        UniqueConstraint("channel_id", "remote_id"),
        Index("remote_return_order", "channel_id", "order_remote_id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    remote_id: str
    order_remote_id: str
    state: str
    remote_status: str
    lines: str = "[]"
    """JSON list of [line key or remote listing, units]."""
    refund_amount: int | None = None
    goods_come_back: bool
    waybill: str = ""
    reason: str = ""
    respond_by_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    updated_ms: int = Field(sa_column=_ms())
    seen_ms: int = Field(sa_column=_ms())


class SettlementRow(SQLModel, table=True):
    """What a provider paid out or kept for one order, as it shows it now; `net` is whole rupiah, negative when it took money."""

    __tablename__ = "settlement"
    __table_args__ = (
        UniqueConstraint("channel_id", "remote_id"),
        Index("settlement_order", "channel_id", "order_remote_id"),
        Index("settlement_settled", "settled_ms"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    remote_id: str
    order_remote_id: str
    settled_ms: int = Field(sa_column=_ms())
    net: int = Field(sa_column=Column(BigInteger, nullable=False))
    seen_ms: int = Field(sa_column=_ms())
    changed_ms: int = Field(sa_column=_ms())


class SettlementPart(SQLModel, table=True):
    """One named part of a settlement; the parts of a settlement sum to its net."""

    __tablename__ = "settlement_part"
    settlement_id: int = Field(sa_column=_ref("settlement.id", primary_key=True))
    name: str = Field(primary_key=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
