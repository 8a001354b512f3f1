"""Biteship, the courier aggregator for parcels of the own site: two-step bookings with drafts.

`Booking.booking_id` is Biteship's order id and `DraftState.draft_id` its draft id. Biteship's `reference_id` is our booking reference;
it must be unique there, so a used one is refused and never books twice.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from sellersync.connector.contract import (
    Booking,
    BookingRequest,
    ConnectorSettings,
    Context,
    Courier,
    CourierCancel,
    CourierCapabilities,
    DraftState,
    Health,
    Quote,
    QuoteRequest,
    SettleBy,
)
from sellersync.domain.errors import RateLimited, RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.parcels import ParcelState

from . import mapping
from .api import CANCEL_CODES, Api
from .auth import LIVE_KEY_PREFIX, TEST_KEY_PREFIX, AuthScheme, authorization
from .checks import REFERENCE_LENGTH_MAX, refuse_bad_booking, refuse_bad_quote

log = logging.getLogger("sellersync.biteship")

DRAFT_NOT_FOUND = "40411007"


class BiteshipSettings(ConnectorSettings):
    """Keys of a Biteship table in the configuration file."""

    api_key: SecretStr = Field(
        min_length=8,
        description="API key from the Biteship dashboard (Integrations). A key that begins with biteship_test. books nothing real.",
    )
    auth_scheme: AuthScheme = Field(
        "raw", description='How the key is sent: "raw" as it is, or "bearer" if Biteship answers that the key is wrong.'
    )
    remote_shop_id: str = Field(
        "biteship",
        min_length=1,
        description="Your own name for this Biteship account (Biteship shows none); it must differ between two accounts.",
    )
    brand: str = Field("", description="Shop name printed on the label; empty: the sender's name.")
    cod_payout: Literal["7_days", "5_days", "3_days"] = Field(
        "7_days", description="When cash on delivery is paid out to you after delivery; sooner costs a higher fee."
    )
    base_url: str = Field("https://api.biteship.com", description="Address of Biteship's API; leave as it is.")
    booking_read_lag_s: float = Field(
        10.0,
        ge=0,
        le=3_600,
        description="Seconds until a confirmed draft is certainly shown as confirmed when read back.",
    )
    rate_per_s: float = Field(4.0, gt=0, description="Calls per second on average; a test key is allowed 5.")
    burst: int = Field(1, ge=1, description="Calls that may be sent at once.")


class Biteship(Courier):
    """Bookings through Biteship's drafts: a draft is free and its id is stored first; confirming it books and pays."""

    provider: ClassVar[str] = "biteship"
    title: ClassVar[str] = "Biteship"
    Settings: ClassVar[type[ConnectorSettings]] = BiteshipSettings
    capabilities = CourierCapabilities(
        settle_by=SettleBy.TWO_STEP,
        reference_length_max=REFERENCE_LENGTH_MAX,
        booking_read_lag_s=10.0,
        cod=True,
        balance=False,
        verified="simulator only",
        unsupported={
            "balance": "the API does not tell it; the dashboard does",
            "label": "the API delivers none: labels are drawn from the booking",
            "search by reference": "no endpoint; an open claim is settled by reading its draft",
            "scheduled delivery": "bookings are made for now",
            "update": "refused once an order is confirmed: cancel and book again",
            "webhooks": "unsigned; bookings are read instead",
        },
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings: BiteshipSettings = context.settings
        self._settings = settings
        # The account's own bound replaces the declared one on this instance.
        self.capabilities = replace(type(self).capabilities, booking_read_lag_s=settings.booking_read_lag_s)
        context.wire.redact.add(settings.api_key.get_secret_value())
        self._api = Api(
            context.wire,
            settings.base_url,
            lambda: authorization(settings.api_key.get_secret_value(), settings.auth_scheme),
        )

    async def health(self) -> Health:
        await self._api.couriers()
        return Health(
            remote_shop_id=self._settings.remote_shop_id,
            shop_name=self.title,
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=_key_notes(self._settings.api_key.get_secret_value()),
        )

    async def quote(self, request: QuoteRequest) -> tuple[Quote, ...]:
        refuse_bad_quote(request)
        raw = await self._api.rates(mapping.rates_body(request, cod_payout=self._settings.cod_payout))
        offers, problems = mapping.quotes(raw, request.companies)
        for problem in problems:
            log.warning("%s: an offer was left out: %s", self.context.slug, problem)
        return offers

    async def draft(self, request: BookingRequest) -> DraftState:
        refuse_bad_booking(request)
        body = mapping.draft_body(request, cod_payout=self._settings.cod_payout, brand=self._settings.brand)
        raw = await self._api.create_draft(body, reference=request.reference)
        return mapping.draft_state(raw)

    async def read_draft(self, draft_id: str) -> DraftState:
        """What became of a draft. Only Biteship's own "draft not found" says that it does not exist."""
        try:
            return mapping.draft_state(await self._api.draft(draft_id))
        except Rejected as refused:
            if refused.code != DRAFT_NOT_FOUND:
                raise
            return DraftState(draft_id, confirmed=False, exists=False)

    async def confirm(self, draft_id: str, reference: str) -> Booking:
        """Books and pays. Raises `Rejected` INSUFFICIENT_BALANCE (the draft stays: confirm it again after a top-up) and
        REFERENCE_USED with `details["booking_id"]`; a draft confirmed before, and every answer that the published error list does
        not explain, is `Uncertain`: read the draft."""
        raw = await self._api.confirm_draft(draft_id, reference=reference)
        return mapping.booking(raw, booking_id=raw["id"], reference=reference)

    async def booking(self, booking_id: str) -> Booking:
        return mapping.booking(await self._api.order(booking_id), booking_id=booking_id)

    async def cancel(self, booking_id: str, reason: str) -> CourierCancel:
        """Cancel until the courier has the parcel. `reason` is one of Biteship's codes or free text. A refusal is checked against
        the order itself, because a repeated cancellation is refused too."""
        code = reason if reason in CANCEL_CODES else "others"
        body = {"cancellation_reason_code": code, "cancellation_reason": reason.strip() or "cancelled by the seller"}
        try:
            raw = await self._api.cancel_order(booking_id, body)
        except Rejected as refused:
            if refused.reject is RejectClass.UNKNOWN_ORDER:
                raise
            why = refused.why
        else:
            if mapping.parcel_state(raw.get("status")) is ParcelState.CANCELLED:
                return CourierCancel(done=True)
            why = str(raw.get("message") or "Biteship did not cancel it")
        try:
            shown = await self.booking(booking_id)
        except (Temporary, RateLimited) as unread:
            raise Uncertain(booking_id, f"cancel: {why}, and the order could not be read: {unread.why}") from None
        done = shown.state is ParcelState.CANCELLED
        return CourierCancel(done=done, why="" if done else why)


def _key_notes(key: str) -> tuple[str, ...]:
    if key.startswith(TEST_KEY_PREFIX):
        return ("This is a test key: bookings reach no courier, and their status is moved by hand in the dashboard.",)
    if not key.startswith(LIVE_KEY_PREFIX):
        return (f"The key begins neither with {LIVE_KEY_PREFIX} nor with {TEST_KEY_PREFIX}: is it a Biteship API key?",)
    return ()
