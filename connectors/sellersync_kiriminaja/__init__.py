"""KiriminAja, a courier aggregator for parcels of the own site: one-step bookings, looked up by our own reference.

`Booking.booking_id` is our booking reference, which is KiriminAja's `order_id` and what its tracking is asked by; `Booking.tracking_id`
is KiriminAja's own id until there is a waybill. The waybill is never there at booking and is read later.
"""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from sellersync.connector.contract import (
    Booking,
    BookingRequest,
    ConnectorSettings,
    Context,
    Courier,
    CourierCancel,
    CourierCapabilities,
    Handover,
    Health,
    Quote,
    QuoteRequest,
    SettleBy,
)
from sellersync.domain.errors import RateLimited, RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.parcels import ParcelState

from . import mapping, rates
from .api import CANCEL_REASON_LENGTH_MAX, CANCEL_REASON_LENGTH_MIN, Api, CancelArguments, PinRefused, Refused
from .auth import authorization
from .checks import REFERENCE_LENGTH_MAX, refuse_bad_booking, refuse_bad_quote
from .districts import Districts
from .rates import Json, Offer

log = logging.getLogger("sellersync.kiriminaja")

SANDBOX_HOST = "tdev.kiriminaja.com"
READ_LAG_S = 60.0  # until tracking knows a new booking (unconfirmed)
PREPARE_S_MAX = 30.0  # for the reads before a booking: a booking sent late could meet its own settling


class KiriminAjaSettings(ConnectorSettings):
    """Keys of a KiriminAja table in the configuration file."""

    api_key: SecretStr = Field(min_length=8, description="API key from the KiriminAja dashboard (Integrasi).")
    payment: Literal["credit", "terms"] = Field(
        "credit",
        description='How parcels without COD are paid: "credit" from your KA Credit balance, or "terms" if KiriminAja sends you '
        "invoices (terms of payment). Otherwise a QR code would have to be paid by hand for each parcel.",
    )
    pin: SecretStr = Field(
        SecretStr(""), description='The six digits of your KA Credit PIN; only for payment = "credit".'
    )
    remote_shop_id: str = Field(
        "kiriminaja",
        min_length=1,
        description="Your own name for this KiriminAja account; it must differ between two accounts.",
    )
    platform_name: str = Field("sellersync", description="Name that KiriminAja's messages about your parcels carry.")
    default_side_cm: int = Field(
        10, ge=1, le=200, description="Length, width and height in cm of an article whose sizes are not known."
    )
    cancel_arguments: CancelArguments = Field(
        "body", description='How a cancellation is sent; "query" only if KiriminAja says that awb or reason is missing.'
    )
    base_url: str = Field(
        "https://client.kiriminaja.com",
        description="Address of KiriminAja's API; https://tdev.kiriminaja.com is its sandbox, with keys of its own.",
    )
    rate_per_s: float = Field(2.0, gt=0, description="Calls per second on average; KiriminAja publishes no number.")
    burst: int = Field(2, ge=1, description="Calls that may be sent at once.")

    @model_validator(mode="after")
    def _pin_for_credit(self) -> KiriminAjaSettings:
        pin = self.pin.get_secret_value()
        if self.payment == "credit" and not (len(pin) == 6 and pin.isdecimal()):
            raise ValueError('payment = "credit" needs pin, the six digits of your KA Credit PIN')
        return self


class KiriminAja(Courier):
    """One call books and pays. Whether a used order id is refused is unconfirmed, so it is looked up before every booking."""

    provider: ClassVar[str] = "kiriminaja"
    title: ClassVar[str] = "KiriminAja"
    Settings: ClassVar[type[ConnectorSettings]] = KiriminAjaSettings
    capabilities = CourierCapabilities(
        settle_by=SettleBy.LOOKUP,
        reference_length_max=REFERENCE_LENGTH_MAX,
        booking_read_lag_s=PREPARE_S_MAX + READ_LAG_S,
        cod=True,
        balance=True,
        verified="simulator only",
        unsupported={
            "label": "labels are drawn from the booking once it has a waybill",
            "instant couriers": "another API with coordinates",
            "Pos Indonesia, RPX, Paxel": "KiriminAja books them through another API, on request",
            "payment by QR code": "somebody would have to pay each parcel by hand",
            "cancelling without a waybill": "KiriminAja cancels by waybill only",
            "webhooks": "bookings are read instead",
        },
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings: KiriminAjaSettings = context.settings
        self._settings = settings
        context.wire.redact.add(settings.api_key.get_secret_value())
        if settings.pin.get_secret_value():
            context.wire.redact.add(settings.pin.get_secret_value())
        self._api = Api(context.wire, settings.base_url, lambda: authorization(settings.api_key.get_secret_value()))
        self._districts = Districts(self._api, context.clock)
        self._one_pickup = asyncio.Lock()
        self._pin_refused = ""

    async def health(self) -> Health:
        await self._api.couriers()
        sandbox = SANDBOX_HOST in self._settings.base_url
        return Health(
            remote_shop_id=self._settings.remote_shop_id,
            shop_name=self.title,
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=("This is KiriminAja's sandbox: bookings reach no courier.",) if sandbox else (),
        )

    async def quote(self, request: QuoteRequest) -> tuple[Quote, ...]:
        """Offers of the companies that this API books; none when it books none of them."""
        refuse_bad_quote(request)
        with_cod = request.cod_amount is not None
        quotes = [offer.quote(with_cod=with_cod) for offer in await self._offers(request, *await self._ends(request))]
        return tuple(sorted(quotes, key=lambda quote: (quote.price, quote.company, quote.service)))

    async def book(self, request: BookingRequest) -> Booking:
        """Look the reference up, then book and pay. Raises `Rejected` (certainly not booked), `AuthNeeded`, `Uncertain`, and
        `Temporary` when nothing was sent (a read failed, or the reads took longer than `PREPARE_S_MAX`)."""
        refuse_bad_booking(request)
        begun = self.context.clock.monotonic()
        shown = await self.find(request.reference)
        if shown is not None:
            return shown
        version, payment = self._payment(request)
        wanted = _as_quote_request(request)
        origin, destination = await self._ends(wanted)
        offer = _offer_of(request, await self._offers(wanted, origin, destination))
        body = payment | mapping.pickup_body(
            request,
            offer,
            origin=origin,
            destination=destination,
            schedule=await self._schedule(request.handover),
            side_cm=self._settings.default_side_cm,
            version=version,
            platform=self._settings.platform_name,
        )
        async with self._one_pickup:  # pickups of one account in parallel are refused (409, an integrator's guide)
            if self.context.clock.monotonic() - begun > PREPARE_S_MAX:
                raise Temporary(f"{request.reference}: KiriminAja answered too slowly, nothing was booked")
            raw = await self._request_pickup(body, version=version, reference=request.reference)
        booking = mapping.booked(raw, request, offer)
        if booking.state is ParcelState.PROBLEM:
            log.warning(
                "%s: %s is booked and %s: pay it in the dashboard",
                self.context.slug,
                booking.reference,
                booking.remote_status,
            )
        return booking

    async def find(self, reference: str) -> Booking | None:
        raw = await self._api.tracking(reference)
        return None if raw is None else mapping.tracked(raw, reference)

    async def booking(self, booking_id: str) -> Booking:
        found = await self.find(booking_id)
        if found is None:
            raise Rejected(booking_id, "KiriminAja does not know this order id", RejectClass.UNKNOWN_ORDER)
        return found

    async def cancel(self, booking_id: str, reason: str) -> CourierCancel:
        """Cancel before the courier has the parcel: COD at once, others pending up to 48 hours. Without a waybill there is nothing to
        cancel by. A refusal is checked against the parcel itself, because a repeated cancellation may be refused, too."""
        shown = await self.booking(booking_id)
        before = _cancelled(shown)
        if before is not None:
            return before
        if not shown.waybill:
            return CourierCancel(done=False, why="KiriminAja cancels by waybill, and this parcel has none yet")
        text = mapping.cancel_reason(reason, least=CANCEL_REASON_LENGTH_MIN, most=CANCEL_REASON_LENGTH_MAX)
        answer = await self._api.cancel_shipment(shown.waybill, text, arguments=self._settings.cancel_arguments)
        if not isinstance(answer, Refused) and mapping.cancel_pending(answer):
            return CourierCancel(done=False, pending=True)
        try:
            after = await self.booking(booking_id)
        except (Temporary, RateLimited) as unread:
            raise Uncertain(booking_id, f"cancel: the parcel could not be read afterwards: {unread.why}") from None
        why = answer.text if isinstance(answer, Refused) else "KiriminAja did not cancel it"
        return _cancelled(after) or CourierCancel(done=False, why=why)

    async def balance(self) -> int:
        """The KA Credit balance in whole rupiah. Raises `Rejected` for terms-of-payment accounts, which have none."""
        return mapping.balance(await self._api.balance())

    # -- inside

    async def _ends(self, request: QuoteRequest) -> tuple[int, int]:
        origin = await self._districts.id_of(request.origin, "origin")
        return origin, await self._districts.id_of(request.destination, "destination")

    async def _offers(self, request: QuoteRequest, origin: int, destination: int) -> tuple[Offer, ...]:
        if not rates.couriers(request.companies):
            return ()
        body = rates.rates_body(request, origin=origin, destination=destination, side_cm=self._settings.default_side_cm)
        offers, problems = rates.offers(await self._api.shipping_price(body), request)
        for problem in problems:
            log.warning("%s: an offer was left out: %s", self.context.slug, problem)
        return offers

    async def _schedule(self, handover: Handover) -> str:
        if handover is Handover.DROP_OFF:
            return mapping.drop_off_schedule(self.provider_now())
        raw = await self._api.schedules()
        return mapping.pickup_schedule(raw, self.provider_now())

    def _payment(self, request: BookingRequest) -> tuple[str, Json]:
        """(version of the call, its payment fields): COD pays for itself and is refused with a balance payment."""
        if self._settings.payment == "terms" or request.cod_amount:
            return "v6.1", {}
        if self._pin_refused:  # every further try with the same PIN would bring its lock nearer
            raise PinRefused(self._pin_refused, todo="Correct pin in this courier's settings and restart.")
        return "v6.2", {"payment_method": "credit", "pin": self._settings.pin.get_secret_value()}

    async def _request_pickup(self, body: Json, *, version: str, reference: str) -> Json:
        try:
            return await self._api.request_pickup(body, version=version, reference=reference)
        except PinRefused as refused:
            self._pin_refused = refused.why
            raise


def _as_quote_request(request: BookingRequest) -> QuoteRequest:
    return QuoteRequest(
        origin=request.sender,
        destination=request.recipient,
        items=request.items,
        companies=(request.company,),
        cod_amount=request.cod_amount,
        insured_amount=request.insured_amount,
    )


def _offer_of(request: BookingRequest, offers: tuple[Offer, ...]) -> Offer:
    """The offer to book. Raises `Rejected` when the service is not offered (with COD) or COD would not pay for itself."""
    item = request.reference
    offer = next((one for one in offers if (one.company, one.service) == (request.company, request.service)), None)
    if offer is None:
        raise Rejected(item, f"{request.company} {request.service} is not offered on this route", RejectClass.NO_ROUTE)
    if request.cod_amount is None:
        return offer
    if not offer.cod:
        raise Rejected(item, f"{request.company} {request.service} takes no COD", RejectClass.NO_ROUTE)
    least = offer.cost + offer.insurance + offer.cod_fee
    if request.cod_amount < least:
        why = f"the COD amount is below what shipping, insurance and COD fee cost together (Rp{least})"
        raise Rejected(item, why, RejectClass.BAD_DATA, details={"cod_amount": why})
    return offer


def _cancelled(shown: Booking) -> CourierCancel | None:
    if shown.state is ParcelState.CANCELLED:
        return CourierCancel(done=True)
    if shown.remote_status == str(mapping.CANCELLING):
        return CourierCancel(done=False, pending=True)
    return None
