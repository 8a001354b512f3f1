"""[desk]: what the packing desk promises, when its couriers collect, and when a parcel on its way needs a person."""

from __future__ import annotations

from datetime import time

from pydantic import Field, field_validator

from .table import Table


def _without_zone(at: time) -> time:
    if at.tzinfo is not None:
        raise ValueError('a time without a zone is expected, for example "16:00" (the zone is in [shop])')
    return at


class DeskSettings(Table):
    """[desk]"""

    ship_within_h: float = Field(
        default=24.0,
        gt=0,
        le=720,
        description="hours from payment (COD: from the order) within which own-site orders leave; marketplaces set their own deadlines",
    )
    cut_off: time = Field(
        default=time(16, 0), description='time of day in the shop\'s zone at which couriers collect, "HH:MM"'
    )
    cut_offs: dict[str, time] = Field(
        default={}, description='couriers that collect at another time, by name: { "J&T Express" = "14:00" }'
    )
    uncollected_after_h: float = Field(
        default=24.0,
        gt=0,
        le=720,
        description="hours after which a booked parcel that no courier collected is reported",
    )
    stuck_after_h: float = Field(
        default=72.0, gt=0, le=720, description="hours without a change after which a parcel on its way is reported"
    )
    labels_kept_days: int = Field(
        default=30, ge=1, le=180, description="days after a parcel's end for which its label is kept"
    )
    note_to_buyer: bool = Field(
        default=True, description="true: the own site tells its buyer the courier and the waybill"
    )

    @field_validator("cut_off")
    @classmethod
    def _no_zone(cls, at: time) -> time:
        return _without_zone(at)

    @field_validator("cut_offs")
    @classmethod
    def _no_zones(cls, times: dict[str, time]) -> dict[str, time]:
        return {courier.strip().lower(): _without_zone(at) for courier, at in times.items()}
