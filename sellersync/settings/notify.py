"""[notify.NAME] and [alerts]: whom the report and alerts reach, and which findings are told at once."""

from __future__ import annotations

from datetime import time
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sellersync.connector.contract import ConnectorSettings

from .table import Table

ALERT_KINDS = (
    "needs_authorisation",
    "renewal_refused",
    "authorisation_ending",
    "channel_trouble",
    "shortage",
    "sudden_zero",
    "push_refused",
    "kept_back",
    "shipment_late",
    "parcel_uncollected",
    "parcel_stuck",
    "parcel_lost",
    "parcel_overdue",
    "parcel_returning",
    "courier_balance",
    "booking_unsettled",
    "booking_refused",
    "booking_ended",
    "cancelled_but_booked",
    "cancellation_pending",
    "unit_in_two_parcels",
    "order_unreadable",
    "orders_missing",
    "unmapped_listing",
    "return_due",
    "clock_offset",
    "mail_down",
    "bug",
)
"""Kinds of findings that can be told at once. Those about messages themselves are not among them: an alert that cannot be sent would
send alerts."""
ALERT_KINDS_DEFAULT = (
    "needs_authorisation",
    "channel_trouble",
    "shortage",
    "shipment_late",
    "courier_balance",
    "orders_missing",
    "bug",
)


class NotifyTable(Table):
    """The keys of [notify.NAME] that every notifier has; all others belong to its kind."""

    kind: str = Field(
        min_length=1, description="how it reaches its reader: mail, telegram, webhook, or one that you installed"
    )
    enabled: bool = Field(
        default=True, description="false: nothing is sent this way and its other keys are not checked"
    )
    attach: tuple[Literal["html", "xlsx"], ...] = Field(
        default=("html",), description="files that go along with a report: html, xlsx, both or none"
    )


class NotifySettings(Table):
    """A configured notifier, ready for use."""

    name: str
    kind: str
    attach: tuple[str, ...]
    own: ConnectorSettings


class AlertsSettings(Table):
    """[alerts]"""

    to: tuple[str, ...] = Field(default=(), description="names of the [notify.NAME] tables that alerts go to")
    kinds: tuple[str, ...] = Field(default=ALERT_KINDS_DEFAULT, description="kinds of findings that are told at once")
    min_age_s: float = Field(
        default=300.0, ge=0, le=86_400, description="seconds for which a finding must be open before it is told"
    )
    remind_after_h: float = Field(
        default=24.0, ge=1, le=720, description="hours after which a finding that is still open is told again"
    )
    quiet_from: time | None = Field(
        default=None, description='time of day in the shop\'s zone from which alerts wait, "HH:MM"'
    )
    quiet_until: time | None = Field(default=None, description="time of day until which they wait")
    group_over: int = Field(
        default=5,
        ge=1,
        le=100,
        description="when more findings of one kind are to be told at once, they become one message",
    )
    every_s: float = Field(default=30.0, ge=1, le=3600, description="seconds between two looks for messages to send")

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if kind not in ALERT_KINDS:
                raise ValueError(f"{kind!r} is no kind of finding that can be told; known are {', '.join(ALERT_KINDS)}")
        return kinds

    @field_validator("quiet_from", "quiet_until")
    @classmethod
    def _no_zone(cls, at: time | None) -> time | None:
        if at is not None and at.tzinfo is not None:
            raise ValueError('a time without a zone is expected, for example "22:00" (the zone is in [shop])')
        return at

    @model_validator(mode="after")
    def _fits_together(self) -> AlertsSettings:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet_from and quiet_until belong together")
        return self
