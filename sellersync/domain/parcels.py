"""Parcels and bookings in normal form, the same for every channel and courier."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ParcelState(StrEnum):
    """Where a parcel stands. `rank` orders the happy path; states may be skipped between two looks."""

    WAITING = "waiting"  # exists, may not be booked yet (pending terms, unpaid, courier capacity hold)
    READY = "ready"  # may be booked now
    PACKED = "packed"  # first of two booking steps done (Lazada: packed, courier not called yet)
    BOOKED = "booked"  # courier booked
    PICKED_UP = "picked_up"  # left the shelf
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    PROBLEM = "problem"  # stopped for any reason; not final
    PICKUP_RETRY = "pickup_retry"  # courier did not come; must be arranged again
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"
    CANCELLED = "cancelled"  # will never move; its units are free for another parcel
    FAILED = "failed"  # courier gave up before pickup; rebook
    UNKNOWN = "unknown"

    @property
    def left_shelf(self) -> bool:
        """True once the goods are certainly no longer with the seller."""
        return self in _LEFT

    @property
    def live(self) -> bool:
        """A live parcel claims its units; a cancelled or failed one frees them."""
        return self not in (ParcelState.CANCELLED, ParcelState.FAILED)

    @property
    def booked(self) -> bool:
        """A courier was booked for it (whatever happened afterwards), and it is live."""
        return self.live and self not in (
            ParcelState.WAITING,
            ParcelState.READY,
            ParcelState.PACKED,
            ParcelState.UNKNOWN,
        )

    @property
    def final(self) -> bool:
        """Nothing more is expected to happen."""
        return self in (
            ParcelState.DELIVERED,
            ParcelState.RETURNED,
            ParcelState.LOST,
            ParcelState.CANCELLED,
            ParcelState.FAILED,
        )


_LEFT = frozenset(
    {
        ParcelState.PICKED_UP,
        ParcelState.IN_TRANSIT,
        ParcelState.OUT_FOR_DELIVERY,
        ParcelState.DELIVERED,
        ParcelState.RETURNING,
        ParcelState.RETURNED,
        ParcelState.LOST,
    }
)


@dataclass(frozen=True, slots=True)
class RemoteParcel:
    """A parcel as the provider shows it.

    `units` lists (line key, number of units) in it; `unit_keys` names them where the provider gives units ids. `remote_id` is the
    provider's own package number.
    """

    remote_id: str
    order_ids: tuple[str, ...]
    state: ParcelState
    remote_status: str
    units: tuple[tuple[str, int], ...] = ()
    unit_keys: tuple[str, ...] = ()
    waybill: str = ""
    courier: str = ""
    pickup_code: str = ""
    ship_by: datetime | None = None
    picked_up_at: datetime | None = None
    updated_at: datetime | None = None
    self_shipped: bool = False
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def left_shelf(self) -> bool:
        """True once the goods are certainly no longer with the seller: by its state, or because it was stopped after its pickup."""
        return self.state.left_shelf or (self.state is ParcelState.PROBLEM and self.picked_up_at is not None)
