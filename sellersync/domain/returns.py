"""Returns in normal form. Stock moves only when a person receives and grades the goods (semantics: returns are documents)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReturnState(StrEnum):
    """Where a return stands with the provider."""

    REQUESTED = "requested"
    APPROVED = "approved"
    COMING_BACK = "coming_back"
    ARRIVED = "arrived"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    REFUND_ONLY = "refund_only"
    UNKNOWN = "unknown"


class Grade(StrEnum):
    """What a person found in the returned parcel."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RemoteReturn:
    """A return as the provider shows it. `lines` lists (line key or remote listing, units); amounts are whole rupiah."""

    remote_id: str
    order_id: str
    state: ReturnState
    remote_status: str
    lines: tuple[tuple[str, int], ...]
    refund_amount: int | None
    goods_come_back: bool
    updated_at: datetime
    respond_by: datetime | None = None
    waybill: str = ""
    reason: str = ""


class CancellationState(StrEnum):
    """Where a buyer's or seller's cancellation request stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RemoteCancellation:
    """A cancellation request as the provider shows it; `respond_by` is the moment it is decided without us."""

    remote_id: str
    order_id: str
    state: CancellationState
    remote_status: str
    lines: tuple[tuple[str, int], ...]
    updated_at: datetime
    respond_by: datetime | None = None
    by: str = ""
    reason: str = ""
