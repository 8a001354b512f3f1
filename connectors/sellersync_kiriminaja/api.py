"""KiriminAja's wire (Mitra API): one method an endpoint, the provider's own names and paths, its refusals.

Facts are from the API documentation and the provider's own WooCommerce plugin (2026) unless a line says otherwise. Business refusals
come as HTTP 200 with `status: false`; no endpoint lists bookings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal

import httpx

from sellersync.connector.http import Reply, Wire
from sellersync.domain.errors import AuthNeeded, RejectClass, Rejected, Temporary, Uncertain, Unrecognised

WHY_LENGTH_MAX = 200  # characters of the provider's text that go into an error
SEARCH_LENGTH_MIN = 3
CANCEL_REASON_LENGTH_MIN, CANCEL_REASON_LENGTH_MAX = 5, 200

Json = dict[str, Any]
CancelArguments = Literal["body", "query"]


class PinRefused(AuthNeeded):
    """The PIN of the balance is wrong or locked: every further try with it brings its lock nearer."""


class Kind(Enum):
    """What a refusal means for the caller."""

    AUTH = "the key is wrong or lacks access"
    PIN = "the PIN is wrong or locked"
    DATA = "the request cannot be fulfilled as it is"
    REFERENCE = "the order id is used"
    MONEY = "the balance is too low"
    COD_BY_BALANCE = "COD cannot be paid from the balance"
    SERVER = "server trouble"
    UNLISTED = "not in the published list"


CODES: Mapping[str, Kind] = {
    "401": Kind.AUTH,
    "403": Kind.AUTH,
    "4001": Kind.PIN,
    "4002": Kind.MONEY,
    "4003": Kind.COD_BY_BALANCE,
    "422": Kind.DATA,
    # the provider's own plugin reads these names in `results.error`
    "PIN_INVALID": Kind.PIN,
    "PIN_MAX_ATTEMPT_REACHED": Kind.PIN,
    "BALANCE_NOT_ENOUGH": Kind.MONEY,
}

_REJECT_CLASS = {
    Kind.DATA: RejectClass.BAD_DATA,
    Kind.REFERENCE: RejectClass.REFERENCE_USED,
    Kind.MONEY: RejectClass.INSUFFICIENT_BALANCE,
    Kind.COD_BY_BALANCE: RejectClass.NOT_SUPPORTED,
}

_NO_BALANCE = re.compile(r"(?i)saldo\b.*\b(tidak (men)?cukup|kurang)|insufficient\W+(\w+\W+){0,2}?balance")
_USED_ORDER_ID = re.compile(
    r"(?i)order.?id\b.*\b(already|taken|duplicate|exists?|sudah|terpakai|digunakan|unique|unik)"
)
_NOT_KNOWN = re.compile(r"(?i)tidak (ditemukan|terdaftar|dikenal)|not found|does ?n.t exist|unknown (order|awb)")
"""How a tracking call says that it does not know an order id (the wording is unconfirmed)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal. `code` is a number or a name as text, "" where the answer has none; `errors` are texts of field validation."""

    status: int
    code: str
    text: str
    errors: tuple[str, ...] = ()

    @staticmethod
    def read(reply: Reply, raw: Json) -> Refused:
        results = raw.get("results")
        named = results.get("error") if isinstance(results, dict) else None
        code = next((str(value) for value in (named, raw.get("code")) if value not in (None, "")), "")
        errors = tuple(_texts(raw.get("errors")))
        text = " ".join(str(raw.get("text") or raw.get("message") or f"HTTP {reply.status}").split())
        if errors and errors[0] not in text:
            text = f"{text}: {' '.join(errors)}"
        return Refused(reply.status, code, text[:WHY_LENGTH_MAX], errors)

    @property
    def kind(self) -> Kind:
        if self.status >= 500:
            return Kind.SERVER
        if self.status in (401, 403):
            return Kind.AUTH
        kind = CODES.get(self.code)
        if kind is None and (self.status == 422 or self.errors):
            kind = Kind.DATA
        if kind is Kind.DATA and _USED_ORDER_ID.search(self.text):
            return Kind.REFERENCE
        if kind is None and _NO_BALANCE.search(self.text):
            return Kind.MONEY
        return kind or Kind.UNLISTED

    def rejected(self, item: str) -> Rejected:
        reject = _REJECT_CLASS.get(self.kind, RejectClass.OTHER)
        details = {"booking_id": item} if self.kind is Kind.REFERENCE else {}
        return Rejected(item, self.text, reject, code=self.code, details=details)

    def auth_needed(self) -> AuthNeeded:
        if self.kind is Kind.PIN:
            return PinRefused(
                f"KiriminAja refuses the PIN of the KA Credit balance ({self.text})",
                todo="Correct pin in this courier's settings and restart; after three wrong tries KiriminAja locks it for a while.",
            )
        return AuthNeeded(
            f"KiriminAja refuses the API key ({self.text})",
            todo="Copy the key again from the KiriminAja dashboard (Integrasi) into api_key. A live key may be bound to your "
            "server's IP address, and a sandbox key works only with the sandbox's base_url.",
        )


def _envelope(reply: Reply) -> Json | Refused:
    raw = reply.json()
    if not isinstance(raw, dict):
        raise Unrecognised(f"HTTP {reply.status}: a JSON object was expected", reply.text(200))
    if reply.status == 200 and raw.get("status") is True:
        return raw
    if reply.status == 200 and raw.get("status") is not False:
        raise Unrecognised("an answer whose status is neither true nor false", reply.text(200))
    return Refused.read(reply, raw)


def check_read(reply: Reply, *, item: str) -> Json:
    """The answer of a call without effect. Raises `AuthNeeded`, `Rejected`, `Temporary`, `Unrecognised`."""
    answer = _envelope(reply)
    if not isinstance(answer, Refused):
        return answer
    if answer.kind is Kind.AUTH:
        raise answer.auth_needed()
    if answer.kind is Kind.SERVER:
        raise Temporary(f"{item}: {answer.text}")
    if answer.status not in (200, 400, 422):
        raise Unrecognised(f"{item}: HTTP {answer.status}", reply.text(200))
    raise answer.rejected(item)


def check_tracking(reply: Reply, *, order_id: str) -> Json | None:
    """A tracking answer, `None` only where KiriminAja says that it does not know the id; any other refusal proves nothing."""
    answer = _envelope(reply)
    if not isinstance(answer, Refused):
        return answer
    if answer.kind is Kind.AUTH:
        raise answer.auth_needed()
    if answer.kind is Kind.SERVER:
        raise Temporary(f"{order_id}: {answer.text}")
    if answer.status in (200, 404) and (_NOT_KNOWN.search(answer.text) or answer.status == 404):
        return None
    raise Unrecognised(f"{order_id}: tracking was refused for another reason than an unknown id", answer.text)


def check_pickup(reply: Reply, *, reference: str) -> Json:
    """The answer of a booking. Raises `Rejected` and `AuthNeeded` where the published list says that nothing was booked; every other
    refusal (409 for a parallel booking, too) is `Uncertain`."""
    answer = _envelope(reply)
    if not isinstance(answer, Refused):
        return answer
    if answer.kind in (Kind.AUTH, Kind.PIN):
        raise answer.auth_needed()
    if answer.kind in (Kind.SERVER, Kind.UNLISTED):
        raise Uncertain(reference, f"request pickup: {answer.text} [{answer.code or answer.status}]")
    raise answer.rejected(reference)


def check_cancel(reply: Reply, *, awb: str) -> Json | Refused:
    """The answer of a cancellation; a refusal is returned, because only the parcel itself tells whether it was cancelled before."""
    answer = _envelope(reply)
    if not isinstance(answer, Refused):
        return answer
    if answer.kind is Kind.AUTH:
        raise answer.auth_needed()
    if answer.kind is Kind.SERVER:
        raise Uncertain(awb, f"cancel: {answer.text}")
    return answer


class Api:
    """The endpoints. `reference` names a write in `Uncertain`."""

    def __init__(self, wire: Wire, base_url: str, authorization: Callable[[], str]) -> None:
        self._wire = wire
        self._base_url = base_url.rstrip("/")
        self._authorization = authorization

    async def couriers(self) -> Json:
        """`POST couriers`: the couriers that the account may use."""
        return await self._read("POST", "/api/mitra/couriers", {}, item="couriers")

    async def balance(self) -> Json:
        """`GET credit/balance`: the KA Credit balance; not for terms-of-payment accounts."""
        return await self._read("GET", "/api/mitra/v6.2/credit/balance", item="balance")

    async def address_by_name(self, search: str) -> Json:
        """`POST get_address_by_name`: districts by name, at least three characters. Calls too close together suspend the key."""
        return await self._read("POST", "/api/mitra/v2/get_address_by_name", {"search": search}, item="address by name")

    async def addresses(self, search: str) -> Json:
        """`GET addresses`: villages with their district by any part of the address, also by postal code."""
        return await self._read("GET", "/api/mitra/v6.1/addresses", params={"search": search}, item="addresses")

    async def shipping_price(self, body: Json) -> Json:
        """`POST shipping_price`: quotes. `cost` is echoed as `shipping_cost` when booking."""
        return await self._read("POST", "/api/mitra/v6.1/shipping_price", body, item="rates")

    async def schedules(self) -> Json:
        """`POST schedules`: the pickup windows of the next days."""
        return await self._read("POST", "/api/mitra/v2/schedules", {}, item="schedules")

    async def tracking(self, order_id: str) -> Json | None:
        """`POST tracking` by our own order id (or a waybill). `None` where KiriminAja does not know it."""
        return await self._wire.read(
            self._request("POST", "/api/mitra/tracking", {"order_id": order_id}),
            lambda reply: check_tracking(reply, order_id=order_id),
            what="tracking",
        )

    async def request_pickup(self, body: Json, *, version: str, reference: str) -> Json:
        """`POST request_pickup`: books and pays. v6.2 takes `payment_method` and `pin`. The answer has one row a package."""

        def check(reply: Reply) -> Json:
            raw = check_pickup(reply, reference=reference)
            rows = raw.get("details")
            booked = [row.get("order_id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
            if booked != [reference]:
                raise Unrecognised("the answer names other packages than the one that was sent", str(booked))
            return raw

        make = self._request("POST", f"/api/mitra/{version}/request_pickup", body)
        return await self._wire.write(make, check, what="request pickup", reference=reference, fresh=True)

    async def cancel_shipment(self, awb: str, reason: str, *, arguments: CancelArguments) -> Json | Refused:
        """`POST cancel_shipment` by waybill. The documentation and the plugin send a body, the Python SDK a query."""
        values = {"awb": awb, "reason": reason}
        make = self._request(
            "POST",
            "/api/mitra/v3/cancel_shipment",
            values if arguments == "body" else {},
            params=values if arguments == "query" else None,
        )
        return await self._wire.write(
            make, lambda reply: check_cancel(reply, awb=awb), what="cancel shipment", reference=awb, fresh=True
        )

    # -- inside

    async def _read(
        self, method: str, path: str, body: Json | None = None, *, params: dict[str, str] | None = None, item: str
    ) -> Json:
        make = self._request(method, path, body, params=params)
        return await self._wire.read(make, lambda reply: check_read(reply, item=item), what=item)

    def _request(
        self, method: str, path: str, body: Json | None = None, *, params: dict[str, str] | None = None
    ) -> Callable[[datetime], httpx.Request]:
        def make(_now: datetime) -> httpx.Request:
            headers = {"authorization": self._authorization(), "accept": "application/json"}
            return httpx.Request(method, self._base_url + path, headers=headers, json=body, params=params)

        return make


def _texts(errors: object) -> list[str]:
    """Laravel's `{field: [sentence, ...]}` as sentences."""
    groups = list(errors.values()) if isinstance(errors, dict) else errors if isinstance(errors, list) else []
    return [str(text) for group in groups for text in (group if isinstance(group, list) else [group])]
