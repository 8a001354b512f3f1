"""Biteship's wire (API v1): one method an endpoint, the provider's own names and paths, its error codes.

Facts are from the API reference and the help centre (2026) unless a line says otherwise. No endpoint lists orders, searches by
`reference_id`, prints a label or tells the balance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import quote

import httpx

from sellersync.connector.http import Reply, Wire
from sellersync.domain.errors import AuthNeeded, RejectClass, Rejected, Temporary, Uncertain, Unrecognised

DRAFT_STATUSES = frozenset({"placed", "ready", "confirmed"})
CANCEL_CODES = frozenset({"change_courier", "pickup_delay", "change_address", "others"})
COD_MAX = 15_000_000  # whole rupiah
WHY_LENGTH_MAX = 200  # characters of the provider's text that go into an error

Json = dict[str, Any]


class Kind(Enum):
    """What a refusal code means for the caller."""

    AUTH = "the key is wrong or lacks access"
    NOT_ACTIVATED = "the order API is not activated"
    DATA = "the request cannot be fulfilled as it is"
    NO_ROUTE = "no courier for the route"
    SELLER = "the account lacks a feature"
    MONEY = "payment failed"
    AMBIGUOUS = "may or may not have happened"
    DONE = "the draft is confirmed or paid already"
    STATE = "the order's state forbids it"
    REFERENCE = "the reference is used"
    NOT_FOUND = "unknown id"
    UNLISTED = "not in the published list"


CODES: Mapping[int, Kind] = {
    **dict.fromkeys((40000001, 40002001, 40002003, 40101001, 40101002, 40101003, 40301001, 40301002), Kind.AUTH),
    40002002: Kind.NOT_ACTIVATED,
    **dict.fromkeys((40000000, 40001001, 40001002, 40011001), Kind.DATA),
    **dict.fromkeys(range(40002004, 40002038), Kind.DATA),  # 40002021 and 40002031 mean more: see below
    **dict.fromkeys((40002061, 40002062), Kind.DATA),
    **dict.fromkeys((42211008, 42211010, 42211011, 42211013), Kind.DATA),
    **dict.fromkeys((40002031, 42211012), Kind.SELLER),  # COD of that courier is not enabled for the account
    40001010: Kind.NO_ROUTE,
    **dict.fromkeys((40002021, 40002038, 40002040, 40002041, 40002042, 40002999), Kind.AMBIGUOUS),
    **dict.fromkeys((40002039, 40009001, 40009002, 40009003, 40009004), Kind.MONEY),
    **dict.fromkeys(range(40002043, 40002057), Kind.STATE),
    **dict.fromkeys((40002058, 40002059), Kind.STATE),
    **dict.fromkeys((40002057, 40003001, 40003002, 40411007), Kind.NOT_FOUND),
    **dict.fromkeys((42211006, 42211009), Kind.DONE),
    **dict.fromkeys((40002060, 42211015), Kind.REFERENCE),
}

_REJECT_CLASS = {
    Kind.DATA: RejectClass.BAD_DATA,
    Kind.NO_ROUTE: RejectClass.NO_ROUTE,
    Kind.SELLER: RejectClass.SELLER_MUST_ACT,
    Kind.MONEY: RejectClass.INSUFFICIENT_BALANCE,
    Kind.STATE: RejectClass.NOT_NOW,
    Kind.REFERENCE: RejectClass.REFERENCE_USED,
    Kind.NOT_FOUND: RejectClass.UNKNOWN_ORDER,
}

_NO_BALANCE = re.compile(
    r"(?i)(no sufficient|insufficient|not enough|not sufficient)\W+(\w+\W+){0,3}?(balance|bitepoints?)"
    r"|(balance|bitepoints?)\W+(\w+\W+){0,3}?(insufficient|not enough|not sufficient)"
    r"|(saldo|bitepoints?)\W+(\w+\W+){0,3}?(tidak (men)?cukup|kurang)"
)
"""A refusal for lack of balance was seen without any code (log published by an integrator, 2025-12)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Biteship's refusal envelope. `code` and `details` are sometimes absent, and `code` is sometimes text."""

    status: int
    code: int | None
    text: str
    details: Mapping[str, str]

    @staticmethod
    def read(reply: Reply, raw: Json) -> Refused:
        code = raw.get("code")
        digits = code if isinstance(code, int) else int(code) if isinstance(code, str) and code.isdecimal() else None
        details = raw.get("details")
        plain = {key: str(value) for key, value in details.items() if value} if isinstance(details, dict) else {}
        text = " ".join(str(raw.get("error") or raw.get("message") or f"HTTP {reply.status}").split())
        if "field" in plain:
            text += f" ({plain['field']}: {plain.get('reason', 'refused')})"
        return Refused(reply.status, digits, text[:WHY_LENGTH_MAX], plain)

    @property
    def kind(self) -> Kind:
        if self.status >= 500:
            return Kind.AMBIGUOUS
        if self.code is not None and self.code in CODES:
            return CODES[self.code]
        if _NO_BALANCE.search(self.text):
            return Kind.MONEY
        if self.status in (401, 403):
            return Kind.AUTH
        return Kind.UNLISTED

    def rejected(self, item: str) -> Rejected:
        details = dict(self.details)
        if self.kind is Kind.REFERENCE:  # drafts refuse with 42211015, which names nobody
            named = {"booking_id": "order_id", "waybill": "waybill_id", "reference": "reference_id"}
            details = {ours: details[theirs] for ours, theirs in named.items() if theirs in details}
        reject = _REJECT_CLASS.get(self.kind, RejectClass.OTHER)
        return Rejected(item, self.text, reject, code=str(self.code or ""), details=details)

    def auth_needed(self) -> AuthNeeded:
        if self.kind is Kind.NOT_ACTIVATED:
            return AuthNeeded(
                f"Biteship's order API is not activated for this key ({self.text})",
                todo="Send the activation form in the Biteship dashboard (Integrations), or use a test key meanwhile.",
            )
        return AuthNeeded(
            f"Biteship refuses the API key ({self.text})",
            todo="Make a new key in the Biteship dashboard (Integrations) and store it as api_key; "
            "if the key is right, try the other auth_scheme.",
        )


def _accepted(reply: Reply) -> Json | Refused:
    raw = reply.json()
    if not isinstance(raw, dict):
        raise Unrecognised(f"HTTP {reply.status}: a JSON object was expected", reply.text(200))
    if reply.status < 300 and raw.get("success") is not False and not raw.get("error"):
        return raw
    return Refused.read(reply, raw)


def check_read(reply: Reply, *, item: str) -> Json:
    """The answer of a call without effect. Raises `AuthNeeded`, `Rejected`, `Temporary`, `Unrecognised`."""
    answer = _accepted(reply)
    if not isinstance(answer, Refused):
        return answer
    if answer.kind in (Kind.AUTH, Kind.NOT_ACTIVATED):
        raise answer.auth_needed()
    if answer.kind is Kind.AMBIGUOUS:
        raise Temporary(f"{item}: {answer.text}")
    if answer.kind is Kind.UNLISTED and answer.status not in (400, 422):
        raise Unrecognised(f"{item}: HTTP {answer.status}", reply.text(200))
    raise answer.rejected(item)


def check_write(reply: Reply, *, item: str, reference: str, pays: bool) -> Json:
    """The answer of a call with an effect.

    Raises `Rejected` and `AuthNeeded` when certainly nothing happened, else `Uncertain`. Where money is at stake (`pays`), a refusal
    that the published list does not explain is `Uncertain` too.
    """
    answer = _accepted(reply)
    if not isinstance(answer, Refused):
        return answer
    if answer.kind in (Kind.AUTH, Kind.NOT_ACTIVATED):
        raise answer.auth_needed()
    plain_no = answer.status in (400, 422) and not pays
    if answer.kind in (Kind.AMBIGUOUS, Kind.DONE) or (pays and answer.kind is Kind.STATE):
        raise Uncertain(reference, f"{item}: {answer.text} [{answer.code or answer.status}]")
    if answer.kind is Kind.UNLISTED and not plain_no:
        raise Uncertain(reference, f"{item}: {answer.text} [{answer.code or answer.status}]")
    raise answer.rejected(item)


def _with_id(raw: Json) -> Json:
    if not (isinstance(raw.get("id"), str) and raw["id"]):
        raise Unrecognised("an answer without id", str(sorted(raw)))
    return raw


def _draft(raw: Json, statuses: frozenset[str] = DRAFT_STATUSES) -> Json:
    if _with_id(raw).get("status") not in statuses:
        raise Unrecognised("a draft with a status outside the published ones", str(raw.get("status")))
    return raw


class Api:
    """The endpoints, in the order of the reference. Ids come from earlier answers; `reference` names a write in `Uncertain`."""

    def __init__(self, wire: Wire, base_url: str, authorization: Callable[[], str]) -> None:
        self._wire = wire
        self._base_url = base_url.rstrip("/")
        self._authorization = authorization

    async def couriers(self) -> Json:
        """`GET /v1/couriers`: every service the account may use."""
        return await self._read("GET", "/v1/couriers", item="couriers")

    async def rates(self, body: Json) -> Json:
        """`POST /v1/rates/couriers`: quotes. A read, but charged a few rupiah a call, and refused on an empty balance."""
        return await self._read("POST", "/v1/rates/couriers", body, item="rates")

    async def create_draft(self, body: Json, *, reference: str) -> Json:
        """`POST /v1/draft_orders`: nothing is charged and no waybill exists before it is confirmed."""

        def check(reply: Reply) -> Json:
            raw = check_write(reply, item=reference, reference=reference, pays=False)
            return _draft(raw, DRAFT_STATUSES - {"confirmed"})

        make = self._request("POST", "/v1/draft_orders", body)
        return await self._wire.write(make, check, what="create draft", reference=reference, fresh=True)

    async def draft(self, draft_id: str) -> Json:
        """`GET /v1/draft_orders/:id`. Raises `Rejected` UNKNOWN_ORDER for an id that Biteship does not know."""

        def check(reply: Reply) -> Json:
            return _draft(check_read(reply, item=draft_id))

        return await self._wire.read(self._request("GET", f"/v1/draft_orders/{_part(draft_id)}"), check, what="draft")

    async def confirm_draft(self, draft_id: str, *, reference: str) -> Json:
        """`POST /v1/draft_orders/:id/confirm`: books and pays; answers with an order. An answer about another draft or reference
        is `Uncertain`."""

        def check(reply: Reply) -> Json:
            order = _with_id(check_write(reply, item=reference, reference=reference, pays=True))
            if order.get("draft_order_id") not in (None, draft_id) or order.get("reference_id") not in (
                None,
                reference,
            ):
                raise Unrecognised("the answer names another draft or reference", order["id"])
            return order

        make = self._request("POST", f"/v1/draft_orders/{_part(draft_id)}/confirm", {})
        return await self._wire.write(make, check, what="confirm draft", reference=reference, fresh=True)

    async def order(self, order_id: str) -> Json:
        """`GET /v1/orders/:id`: every field is nullable."""

        def check(reply: Reply) -> Json:
            order = check_read(reply, item=order_id)
            if order.get("id") not in (None, order_id):
                raise Unrecognised("the answer is about another order", str(order["id"]))
            return order

        return await self._wire.read(self._request("GET", f"/v1/orders/{_part(order_id)}"), check, what="order")

    async def cancel_order(self, order_id: str, body: Json) -> Json:
        """`POST /v1/orders/:id/cancel`: allowed while confirmed, scheduled, allocated or picking_up."""

        def check(reply: Reply) -> Json:
            return check_write(reply, item=order_id, reference=order_id, pays=False)

        make = self._request("POST", f"/v1/orders/{_part(order_id)}/cancel", body)
        return await self._wire.write(make, check, what="cancel order", reference=order_id, fresh=True)

    # -- inside

    async def _read(self, method: str, path: str, body: Json | None = None, *, item: str) -> Json:
        return await self._wire.read(
            self._request(method, path, body), lambda reply: check_read(reply, item=item), what=item
        )

    def _request(self, method: str, path: str, body: Json | None = None) -> Callable[[datetime], httpx.Request]:
        def make(_now: datetime) -> httpx.Request:
            headers = {"authorization": self._authorization(), "accept": "application/json"}
            return httpx.Request(method, self._base_url + path, headers=headers, json=body)

        return make


def _part(identifier: str) -> str:
    return quote(identifier, safe="")
