"""A strict stand-in for Biteship (API v1) with test-mode behaviour: drafts, orders, a prepaid balance, couriers.

Written from the provider's published rules, apart from the connector. It serves the couriers list, rates, drafts (create, read,
confirm) and orders (read, cancel); everything else is an unknown path. In the journal `parcel_id` is the order id and `order_id` the
`reference_id`.

Attributes to tune: `balance` (whole rupiah), `activated`, `waybill_delay_s` (services that number late), `auto_advance` ((status,
seconds after booking), ...; none by default), `booking_read_lag_s` (how long a confirmed draft still reads as ready),
`unknown_postal_codes`, `refuse_cancellations`, `rate_limits` (5 calls a second for each family of endpoints, as test keys have).
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from sellersync.sandbox.kit import CourierSimulator, NoHand, Refusal

from .sandbox_checks import Fault, draft_fault, rates_fault, serviceable
from .sandbox_parcels import CANCELLABLE, STATUSES, Depot, Parcel, order_object
from .sandbox_services import SERVICES, find_service, insurance_fee, parcel_weight_g, pricing_row

RATES_CHARGE = 5  # rupiah a call, even in test mode
CALLS_PER_S_MAX = 5  # test mode, each family
CANCEL_CODES = ("change_courier", "pickup_delay", "change_address", "others")

# Cancel refusals: 40002043 to 40002056 are listed together; which number belongs to which reason is our choice.
ALREADY_CANCELLED, CANCEL_REASON_MISSING, NOT_CANCELLABLE = 40002048, 40002053, 40002050


@dataclass
class Draft:
    """A draft order: `placed` without a courier, `ready` with one, `confirmed` with an order."""

    id: str
    request: dict[str, Any]
    order_id: str = ""
    confirmed_at: float = 0.0


class BiteshipSandbox(CourierSimulator):
    """See the module. `switches` are the facts that no source settles."""

    provider = "biteship"
    SWITCHES: Mapping[str, Sequence[Any]] = {
        "auth": ("both", "raw", "bearer"),  # how the key may be sent
        "reference_checked_at": ("draft", "confirm"),  # 42211015 for a second draft, or 40002060 for a second order
        "cancelled_frees_reference": (False, True),
        "failed_create_uses_reference": (False, True),
        "instant_waybill": ("at_booking", "late"),  # whether available_for_instant_waybill_id is kept
        "balance_refusal": ("402_coded", "400_coded", "400_text"),
        "code_type": ("number", "text"),
        "status_spelling": ("snake", "camel"),
        "retry_after": ("sent", "absent"),
    }

    def __init__(self, *, clock: Callable[[], float], rng: Random, switches: Mapping[str, Any] | None = None) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.api_key = f"biteship_test.{rng.getrandbits(160):040x}"
        self.balance = 10_000_000
        self.activated = True
        self.waybill_delay_s = 4.0
        self.auto_advance: tuple[tuple[str, float], ...] = ()
        self.booking_read_lag_s = 0.0
        self.unknown_postal_codes: frozenset[int] = frozenset({99_999})
        self.refuse_cancellations = False
        self.rate_limits = False
        self._drafts: dict[str, Draft] = {}
        self._used_references: dict[str, str] = {}  # reference -> order id, "" while only a draft holds it
        self._depot = Depot(clock, self.record)
        self._number = rng.randrange(1_000_000)
        self._calls: Counter[tuple[str, int]] = Counter()

    # -- the outside world

    def configuration(self, base_url: str) -> dict[str, Any]:
        scheme = "bearer" if self.switches["auth"] == "bearer" else "raw"
        return {"base_url": base_url, "api_key": self.api_key, "auth_scheme": scheme, "rate_per_s": 20.0, "burst": 10}

    def bookings(self) -> Mapping[str, Mapping[str, Any]]:
        """order id -> reference, order_number, waybill, status, company, service, price, items, cod_amount, draft_id."""
        with self.lock:
            self._depot.settle()
            return {
                parcel.id: {
                    "reference": parcel.reference,
                    "order_number": str((parcel.request.get("metadata") or {}).get("order_number") or ""),
                    "waybill": parcel.waybill,
                    "status": parcel.status,
                    "company": parcel.request["courier_company"],
                    "service": parcel.request["courier_type"],
                    "price": parcel.price,
                    "items": parcel.items,
                    "cod_amount": parcel.request.get("destination_cash_on_delivery"),
                    "draft_id": parcel.draft_id,
                }
                for parcel in self._depot.parcels.values()
            }

    def drafts(self) -> Mapping[str, str]:
        """draft id -> status."""
        with self.lock:
            return {draft.id: self._draft_status(draft) for draft in self._drafts.values()}

    def advance(self, booking_id: str, status: str) -> None:
        """Move a booking to one of Biteship's statuses, as a person does in the dashboard of a test key."""
        if status not in STATUSES:
            raise ValueError(f"Biteship has no status {status!r}; there are {', '.join(STATUSES)}")
        with self.lock:
            self._depot.settle()
            parcel = self._depot.parcels[booking_id]
            self._depot.move(parcel, status, self.clock())
            self._free_if_cancelled(parcel)

    def change_waybill(self, booking_id: str) -> str:
        """The courier gives a booked parcel another number; returns it."""
        with self.lock:
            parcel = self._depot.parcels[booking_id]
            self._depot.issue_waybill(parcel)
            return parcel.waybill

    def collect(self, booking_id: str) -> None:
        self.advance(booking_id, "picked")

    def deliver(self, booking_id: str) -> None:
        self.advance(booking_id, "delivered")

    def answer_cancellations(self, how: str) -> None:
        if how == "pending":
            raise NoHand("answer_cancellations pending: Biteship decides at once")
        self.refuse_cancellations = how == "refused"

    def set_balance(self, amount: int) -> None:
        self.balance = amount

    def reweigh(self, booking_id: str, price: int) -> None:
        """The courier weighed the parcel: its price changes and the difference comes from the balance."""
        with self.lock:
            parcel = self._depot.parcels[booking_id]
            self.balance -= price - parcel.price
            parcel.price = price

    # -- requests

    def answer(self, request: httpx.Request) -> httpx.Response:
        self._depot.settle()
        path = request.url.path
        for pattern, handlers in _ROUTES:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            self._limit(path.split("/")[2])
            self._authenticate(request)
            if request.method not in handlers:
                raise self._refusal(405, None, "Method not allowed")
            name = handlers[request.method]
            body = self._body(request) if request.method == "POST" else {}
            return httpx.Response(200, json=getattr(self, name)(body, *match.groups()))
        raise self._refusal(404, None, "Route not found")

    def _couriers(self, _body: dict[str, Any]) -> dict[str, Any]:
        rows = [
            {
                "courier_name": service.company_name,
                "courier_code": service.company,
                "courier_service_name": service.name,
                "courier_service_code": service.type,
                "available_for_cash_on_delivery": False,  # the stored list says so even where quotes say true
                "available_for_instant_waybill_id": service.instant_waybill,
            }
            for service in SERVICES
        ]
        return {"success": True, "object": "courier", "couriers": rows}

    def _rates(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.balance < RATES_CHARGE:
            raise self._refusal(
                400, None, "Failed due to no sufficient balance to call rates API. Please top up your balance."
            )
        fault = rates_fault(body, self.unknown_postal_codes)
        if fault is not None:
            raise self._field_refusal(fault)
        self.balance -= RATES_CHARGE
        cod = body.get("destination_cash_on_delivery") or 0
        rows = [
            pricing_row(
                service,
                weight_g=parcel_weight_g(body["items"]),
                insured=body.get("courier_insurance") or 0,
                cod=cod,
                payout=body.get("destination_cash_on_delivery_type", "7_days"),
            )
            for service in SERVICES
            if service.company in body["couriers"].split(",") and serviceable(service, body)
        ]
        if not rows:
            raise self._refusal(400, 40001010, "No courier available for the requested route")
        places = {
            side: {"postal_code": body.get(f"{side}_postal_code"), "area_id": body.get(f"{side}_area_id")}
            for side in ("origin", "destination")
        }
        return {"success": True, "object": "courier_pricing", "code": 20001003, **places, "pricing": rows}

    def _create_draft(self, body: dict[str, Any]) -> dict[str, Any]:
        self._need_activation()
        reference = body.get("reference_id")
        if reference and reference in self._used_references and self.switches["reference_checked_at"] == "draft":
            raise self._refusal(422, 42211015, "Reference ID has been used")
        fault = draft_fault(body, self.unknown_postal_codes)
        if fault is not None:
            if reference and self.switches["failed_create_uses_reference"]:
                self._used_references.setdefault(reference, "")
            raise self._field_refusal(fault)
        draft = Draft(str(uuid.UUID(int=self.rng.getrandbits(128), version=4)), body)
        self._drafts[draft.id] = draft
        if reference:
            self._used_references.setdefault(reference, "")
        return self._draft_object(draft)

    def _read_draft(self, _body: dict[str, Any], draft_id: str) -> dict[str, Any]:
        return self._draft_object(self._known_draft(draft_id))

    def _confirm_draft(self, _body: dict[str, Any], draft_id: str) -> dict[str, Any]:
        self._need_activation()
        draft = self._known_draft(draft_id)
        if draft.order_id:
            raise self._refusal(422, 42211006, "Draft order has already been confirmed")
        service = find_service(draft.request.get("courier_company"), draft.request.get("courier_type"))
        if service is None:
            raise self._refusal(422, 42211008, "Draft order is not ready to be confirmed")
        reference = draft.request.get("reference_id") or ""
        holder = self._used_references.get(reference)
        if holder:
            details = {
                "order_id": holder,
                "waybill_id": self._depot.parcels[holder].waybill or None,
                "reference_id": reference,
            }
            raise self._refusal(400, 40002060, "Reference ID has been used by another order", details)
        cod = draft.request.get("destination_cash_on_delivery") or 0
        cod_fee = service.cod_fee(cod, draft.request.get("destination_cash_on_delivery_type", "7_days"))
        weight_g = parcel_weight_g(draft.request["items"])
        price = service.price(weight_g) + cod_fee + insurance_fee(draft.request.get("courier_insurance") or 0)
        if price > self.balance:
            raise self._balance_refusal()
        self.balance -= price
        self._number += 1
        now = self.clock()
        parcel = Parcel(
            id=f"{self.rng.getrandbits(96):024x}",
            tracking_id=f"{self.rng.getrandbits(96):024x}",
            draft_id=draft.id,
            request=draft.request,
            price=price,
            cod_fee=cod_fee,
            booked_at=now,
            number=self._number,
        )
        draft.order_id, draft.confirmed_at = parcel.id, now
        if reference:
            self._used_references[reference] = parcel.id
        at_once = service.instant_waybill and self.switches["instant_waybill"] == "at_booking"
        self._depot.book(parcel, waybill_after_s=None if at_once else self.waybill_delay_s, moves=self.auto_advance)
        return self._order_object(parcel)

    def _read_order(self, _body: dict[str, Any], order_id: str) -> dict[str, Any]:
        return self._order_object(self._known_parcel(order_id))

    def _cancel_order(self, body: dict[str, Any], order_id: str) -> dict[str, Any]:
        parcel = self._known_parcel(order_id)
        code = body.get("cancellation_reason_code")
        if code not in CANCEL_CODES or (code == "others" and not body.get("cancellation_reason")):
            raise self._refusal(400, CANCEL_REASON_MISSING, "Cancellation reason is required")
        if parcel.status == "cancelled":
            raise self._refusal(400, ALREADY_CANCELLED, "Order has already been cancelled")
        if parcel.status not in CANCELLABLE:
            raise self._refusal(400, NOT_CANCELLABLE, "Order is in process and can not be cancelled")
        if not self.refuse_cancellations:
            if parcel.status != "picking_up":  # some couriers charge once the driver is on the way
                self.balance += parcel.price
            self._depot.move(parcel, "cancelled", self.clock())
            self._free_if_cancelled(parcel)
        return {
            "success": True,
            "message": "Cancellation processed",
            "object": "order",
            "id": parcel.id,
            "status": "rejected" if self.refuse_cancellations else "cancelled",
            "cancellation_reason_code": code,
            "cancellation_reason": body.get("cancellation_reason"),
        }

    # -- inside

    def _draft_status(self, draft: Draft) -> str:
        if draft.order_id and self.clock() >= draft.confirmed_at + self.booking_read_lag_s:
            return "confirmed"
        return "ready" if draft.request.get("courier_company") else "placed"

    def _draft_object(self, draft: Draft) -> dict[str, Any]:
        status = self._draft_status(draft)
        return {
            "success": True,
            "object": "draft_order",
            "id": draft.id,
            "status": status,
            "order_id": draft.order_id if status == "confirmed" else None,
            "reference_id": draft.request.get("reference_id"),
            "courier": {"company": draft.request.get("courier_company"), "type": draft.request.get("courier_type")},
            "items": draft.request["items"],
            "metadata": draft.request.get("metadata"),
        }

    def _order_object(self, parcel: Parcel) -> dict[str, Any]:
        return order_object(parcel, camel=self.switches["status_spelling"] == "camel")

    def _known_draft(self, draft_id: str) -> Draft:
        draft = self._drafts.get(draft_id)
        if draft is None:
            raise self._refusal(404, 40411007, "Draft order not found")
        return draft

    def _known_parcel(self, order_id: str) -> Parcel:
        parcel = self._depot.parcels.get(order_id)
        if parcel is None or self.clock() < parcel.booked_at + self.booking_read_lag_s:
            raise self._refusal(400, 40002057, "Order not found")
        return parcel

    def _free_if_cancelled(self, parcel: Parcel) -> None:
        if parcel.status == "cancelled" and self.switches["cancelled_frees_reference"]:
            self._used_references.pop(parcel.reference, None)

    def _authenticate(self, request: httpx.Request) -> None:
        accepted = {"raw": [self.api_key], "bearer": [f"Bearer {self.api_key}"]}
        accepted["both"] = accepted["raw"] + accepted["bearer"]
        if request.headers.get("authorization") not in accepted[self.switches["auth"]]:
            raise self._refusal(401, 40101001, "Authentication failed")

    def _need_activation(self) -> None:
        if not self.activated:
            raise self._refusal(400, 40002002, "Your account is not activated for the order API")

    def _limit(self, family: str) -> None:
        if not self.rate_limits:
            return
        second = self.now_s()
        self._calls[family, second] += 1
        if self._calls[family, second] > CALLS_PER_S_MAX:
            headers = {"retry-after": "1"} if self.switches["retry_after"] == "sent" else {}
            body = {"success": False, "error": "Too many requests"}
            raise Refusal("429", httpx.Response(429, json=body, headers=headers))

    def _body(self, request: httpx.Request) -> dict[str, Any]:
        try:
            body = json.loads(request.content or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._refusal(400, 40011001, "Bad request")
        return body

    def _balance_refusal(self) -> Refusal:
        text = "Failed due to no sufficient balance to create order. Please top up your balance."
        shape = self.switches["balance_refusal"]
        if shape == "402_coded":
            return self._refusal(402, 40009003, "Transaction could not be created")
        return self._refusal(400, 40002039 if shape == "400_coded" else None, text)

    def _field_refusal(self, fault: Fault) -> Refusal:
        code, name, reason = fault
        return self._refusal(int(str(code)[:3]), code, "Bad request", {"field": name, "reason": reason})

    def _refusal(self, status: int, code: int | None, text: str, details: Mapping[str, Any] | None = None) -> Refusal:
        body: dict[str, Any] = {"success": False, "error": text}
        if code is not None:
            body["code"] = str(code) if self.switches["code_type"] == "text" else code
        if details is not None:
            body["details"] = dict(details)
        return Refusal(str(code or status), httpx.Response(status, json=body))


_ROUTES: Sequence[tuple[re.Pattern[str], Mapping[str, str]]] = (
    (re.compile(r"/v1/couriers"), {"GET": "_couriers"}),
    (re.compile(r"/v1/rates/couriers"), {"POST": "_rates"}),
    (re.compile(r"/v1/draft_orders"), {"POST": "_create_draft"}),
    (re.compile(r"/v1/draft_orders/([^/]+)"), {"GET": "_read_draft"}),
    (re.compile(r"/v1/draft_orders/([^/]+)/confirm"), {"POST": "_confirm_draft"}),
    (re.compile(r"/v1/orders/([^/]+)"), {"GET": "_read_order"}),
    (re.compile(r"/v1/orders/([^/]+)/cancel"), {"POST": "_cancel_order"}),
)
