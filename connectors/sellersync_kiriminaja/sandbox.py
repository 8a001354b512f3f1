"""A strict stand-in for KiriminAja's Mitra API: addresses, rates, pickups, tracking, cancelling, a prepaid balance.

Written from the provider's published documentation and its own shop plugin, apart from the connector. It serves the paths in `_ROUTES`;
everything else is an unknown path. Business refusals come as HTTP 200 with `status: false`. In the journal `parcel_id` is the order id
(with a number behind it where an order id was booked again) and `order_id` the order id as sent.

Attributes to tune: `balance` (KA Credit, whole rupiah), `terms` (a terms-of-payment account), `waybill_delay_s`, `auto_advance` ((status,
seconds after booking), ...; none by default), `booking_read_lag_s` (how long tracking does not know a new booking), `cancel_delay_s`,
`holidays` (local dates), `unknown_postal_codes`, `rate_limits` (one call a second to each path), `busy` (a
pickup is being made: a second one is refused).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

import httpx

from sellersync.sandbox.kit import CourierSimulator, NoHand, Refusal

from .sandbox_checks import pickup_fault, rates_fault
from .sandbox_parcels import CANCELLABLE, STATUSES, WIB, Depot, Parcel, tracking_answer
from .sandbox_services import SERVICES, VILLAGES, Service, find_service, price_row

PIN_ATTEMPTS_MAX = 3
SEARCH_LENGTH_MIN = 3
CALLS_PER_S_MAX = 1  # of each path, where `rate_limits` is on
WINDOWS = ((time(8), time(11)), (time(14), time(16)))  # pickup windows of every day, local time
DAYS_OFFERED = 2

Json = dict[str, Any]


class KiriminAjaSandbox(CourierSimulator):
    """See the module. `switches` are the facts that no source settles."""

    provider = "kiriminaja"
    SWITCHES: Mapping[str, Sequence[Any]] = {
        "repeated_order_id": ("refused", "accepted"),
        "cancelled_frees_order_id": (False, True),
        "tracking_unknown": ("200_text", "404"),
        "refusal_codes": ("numbers", "names"),  # the documentation's numbers, or the names that the shop plugin reads
        "validation_status": (200, 422),
        "cod_with_credit": ("refused", "ignored"),
        "cod_fee_vat": (True, False),
        "insurance_least_fee": (True, False),
        "cancel_arguments": ("body", "query"),
        "code_402": ("warehouse", "sender"),  # the 2026 and the 2024 documentation
        "history_codes": ("always_100", "real"),
        "retry_after": ("sent", "absent"),
    }

    def __init__(self, *, clock: Callable[[], float], rng: Random, switches: Mapping[str, Any] | None = None) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.api_key = f"kaj{rng.getrandbits(160):040x}"
        self.pin = f"{rng.randrange(1_000_000):06d}"
        self.balance = 10_000_000
        self.terms = False
        self.waybill_delay_s = 4.0
        self.auto_advance: tuple[tuple[str, float], ...] = ()
        self.booking_read_lag_s = 0.0
        self.cancel_delay_s = 48 * 3600.0
        self.refuse_cancellations = False
        self.holidays: frozenset[date] = frozenset()
        self.unknown_postal_codes: frozenset[str] = frozenset()
        self.rate_limits = False
        self.busy = False
        self._pin_attempts = 0
        self._used_order_ids: dict[str, str] = {}  # order id -> the newest parcel's id
        self._depot = Depot(
            clock, self.record, return_at_402=self.switches["code_402"] == "sender", refund=self._refund
        )
        self._number = rng.randrange(1_000_000)
        self._calls: Counter[tuple[str, int]] = Counter()

    # -- the outside world

    def configuration(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "api_key": self.api_key,
            "payment": "terms" if self.terms else "credit",
            "pin": self.pin,
            "cancel_arguments": self.switches["cancel_arguments"],
            "rate_per_s": 20.0,
            "burst": 10,
        }

    def bookings(self) -> Mapping[str, Mapping[str, Any]]:
        """parcel id -> reference, waybill, status, company, service, price, items, cod_amount, request."""
        with self.lock:
            self._depot.settle()
            return {
                parcel.id: {
                    "reference": parcel.order_id,
                    "waybill": parcel.awb,
                    "status": str(parcel.code),
                    "company": parcel.request["service"],
                    "service": parcel.request["service_type"],
                    "price": parcel.request["shipping_cost"],
                    "items": parcel.items,
                    "cod_amount": parcel.request["cod"] or None,
                    "request": {**parcel.sender, "packages": [parcel.request]},
                }
                for parcel in self._depot.parcels.values()
            }

    def advance(self, booking_id: str, status: str) -> None:
        """Move a booking to one of KiriminAja's status numbers, as the courier does."""
        if not status.isdecimal() or int(status) not in STATUSES:
            raise ValueError(f"KiriminAja has no status {status!r}; there are {', '.join(map(str, STATUSES))}")
        with self.lock:
            self._depot.settle()
            self._depot.move(self._depot.parcels[booking_id], int(status), self.clock())

    def collect(self, booking_id: str) -> None:
        self.advance(booking_id, "106")

    def deliver(self, booking_id: str) -> None:
        self.advance(booking_id, "200")

    def change_waybill(self, booking_id: str) -> str:
        raise NoHand("change_waybill: KiriminAja gives a parcel one waybill, late")

    def answer_cancellations(self, how: str) -> None:
        if how == "done":
            raise NoHand("answer_cancellations done: prepaid parcels are cancelled up to 48 hours later")
        self.refuse_cancellations = how == "refused"

    def set_balance(self, amount: int) -> None:
        self.balance = amount

    def pay(self, pickup_number: str) -> None:
        """Somebody pays the QR code of an unpaid pickup; its waybill is asked for then."""
        with self.lock:
            for parcel in self._depot.parcels.values():
                if parcel.pickup_number == pickup_number and not parcel.paid:
                    parcel.paid = True
                    self._depot.later(parcel, self.clock() + self.waybill_delay_s, "awb")

    def reweigh(self, booking_id: str, correction: int) -> None:
        """The courier weighed the parcel: the difference is charged."""
        with self.lock:
            self._depot.parcels[booking_id].correction = correction
            self.balance -= correction

    # -- requests

    def answer(self, request: httpx.Request) -> httpx.Response:
        self._depot.settle()
        route = _ROUTES.get(request.url.path)
        if route is None:
            raise self._http(404, "Not found")
        method, name = route
        self._limit(request.url.path)
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            raise self._http(401, "Unauthenticated.")
        if request.method != method:
            raise self._http(405, "The method is not supported for this route.")
        body = self._body(request) if method == "POST" else {}
        return httpx.Response(200, json=getattr(self, name)(body, request))

    def _couriers(self, _body: Json, _request: httpx.Request) -> Json:
        codes = dict.fromkeys(service.company for service in SERVICES)
        return {"status": True, "method": "couriers", "text": "Success", "datas": [{"code": code} for code in codes]}

    def _credit_balance(self, _body: Json, _request: httpx.Request) -> Json:
        if self.terms:
            raise self._no("credit_balance", "Fitur tidak tersedia untuk akun Term of Payment")
        return {"status": True, "text": "Success load credit balance", "results": {"balance": self.balance}}

    def _address_by_name(self, body: Json, _request: httpx.Request) -> Json:
        search = self._search("get_address_by_name", body.get("search"))
        found = {one.district_id: one.district_text for one in VILLAGES if search in one.district.lower()}
        rows = [{"id": identity, "text": text} for identity, text in found.items()]
        return {"status": True, "text": "Success", "method": "get_address_by_name", "data": rows}

    def _addresses(self, _body: Json, request: httpx.Request) -> Json:
        """A loose search: it also finds what shares only the first three digits of a postal code."""
        search = self._search("getAddresses", request.url.params.get("search"))
        rows = [
            {
                "province_id": 1,
                "city_id": one.district_id // 100,
                "district_id": one.district_id,
                "subdistrict_id": 30_000 + number,
                "full_address": one.full_address,
            }
            for number, one in enumerate(VILLAGES)
            if one.postal_code not in self.unknown_postal_codes
            if search in one.full_address.lower() or (search.isdecimal() and one.postal_code.startswith(search[:3]))
        ]
        return {"status": True, "text": "Success", "data": rows, "method": "getAddresses"}

    def _shipping_price(self, body: Json, _request: httpx.Request) -> Json:
        fault = rates_fault(body)
        if fault is not None:
            raise self._invalid("shipping_price", fault)
        asked = body.get("courier")
        rows = [self._price_row(one, body) for one in SERVICES if asked is None or one.company in asked]
        return {"status": True, "method": "shipping_price", "text": "Success", "details": body, "results": rows}

    def _price_row(self, service: Service, body: Json) -> Mapping[str, Any]:
        return price_row(
            service,
            weight_g=body["weight"],
            item_value=body["item_value"],
            insured=bool(body.get("insurance")),
            least_insurance=self.switches["insurance_least_fee"],
            vat=self.switches["cod_fee_vat"],
        )

    def _schedules(self, _body: Json, _request: httpx.Request) -> Json:
        """The windows of today and tomorrow that may still be chosen: until 90 minutes after their end."""
        now = self._local_now()
        rows = []
        for days in range(DAYS_OFFERED):
            day = (now + timedelta(days=days)).date()
            for opens, closes in WINDOWS:
                expired = datetime.combine(day, closes, WIB) + timedelta(minutes=90)
                if expired > now:
                    rows.append(
                        {
                            "clock": datetime.combine(day, opens, WIB).strftime("%Y-%m-%d %H:%M:%S"),
                            "until": closes.strftime("%H:%M"),
                            "expired": int(expired.timestamp()),
                            "libur": day in self.holidays,
                        }
                    )
        return {"status": True, "method": "schedules", "text": "Success", "schedules": rows}

    def _pickup_v61(self, body: Json, request: httpx.Request) -> Json:
        return self._request_pickup(body, "v6.1")

    def _pickup_v62(self, body: Json, request: httpx.Request) -> Json:
        return self._request_pickup(body, "v6.2")

    def _request_pickup(self, body: Json, version: str) -> Json:
        if self.busy:
            raise self._http(409, "Another pickup request of this account is being processed.")
        fault = pickup_fault(body, version, self._local_now())
        if fault is not None:
            raise self._invalid("request_pickup", fault)
        packages = body["packages"]
        order_ids = [package["order_id"] for package in packages]
        if len(set(order_ids)) < len(order_ids):
            raise self._invalid("request_pickup", "The order_id field has a duplicate value.")
        if self.switches["repeated_order_id"] == "refused" and any(self._taken(one) for one in order_ids):
            raise self._invalid("request_pickup", "The packages.0.order_id has already been taken.")
        method = self._charge(body, packages)
        paid = method == "credit" or self.terms or all(package["cod"] for package in packages)
        pickup_number = f"XID-{self.rng.randrange(10**9, 10**10)}"
        sender = {name: value for name, value in body.items() if name not in ("packages", "pin")}
        parcels = [self._book(package, sender, pickup_number, paid, method == "credit") for package in packages]
        answer: Json = {
            "status": True,
            "text": "Request pickup berhasil",
            "method": "request_pickup",
            "payment_status": "paid" if paid else "unpaid",
            "qr_url": None if paid else "00020101021226570011ID.DANA.xxxxxxxx",
            "details": [
                {
                    "order_id": parcel.order_id,
                    "kj_order_id": parcel.kj_order_id,
                    "awb": None,
                    "service": parcel.request["service"],
                    "service_type": parcel.request["service_type"],
                }
                for parcel in parcels
            ],
            "pickup_number": pickup_number,
        }
        return answer | (
            {"payment_method": "credit", "credit_balance_after": self.balance} if method == "credit" else {}
        )

    def _charge(self, body: Json, packages: Sequence[Json]) -> str:
        """Check PIN and balance of a payment by credit and take the shipping costs; returns "credit" or ""."""
        if body.get("payment_method") != "credit":
            return ""
        if any(package["cod"] for package in packages):
            if self.switches["cod_with_credit"] == "refused":
                raise self._no("request_pickup", "Paket COD tidak dapat dibayar dengan KA Credit.", 4003)
            return ""
        if body.get("pin") != self.pin or self._pin_attempts >= PIN_ATTEMPTS_MAX:
            self._pin_attempts += 1
            name = "PIN_INVALID" if self._pin_attempts < PIN_ATTEMPTS_MAX else "PIN_MAX_ATTEMPT_REACHED"
            raise self._no("request_pickup", "PIN KA Credit tidak valid.", 4001, name)
        self._pin_attempts = 0
        costs = sum(package["shipping_cost"] for package in packages)
        if costs > self.balance:
            text = f"Saldo KA Credit tidak mencukupi. Saldo saat ini Rp{self.balance}. Total kebutuhan Rp{costs}."
            raise self._no("request_pickup", text, 4002, "BALANCE_NOT_ENOUGH")
        self.balance -= costs
        return "credit"

    def _book(self, package: Json, sender: Json, pickup_number: str, paid: bool, by_credit: bool) -> Parcel:
        self._number += 1
        order_id = package["order_id"]
        again = sum(parcel.order_id == order_id for parcel in self._depot.parcels.values()) + 1
        service = find_service(package["service"], package["service_type"])
        assert service is not None
        row = self._price_row(service, {**package, "insurance": 1 if package.get("insurance_amount") else 0})
        parcel = Parcel(
            id=order_id if again == 1 else f"{order_id}#{again}",
            kj_order_id=f"OKA{self._number:09d}",
            pickup_number=pickup_number,
            request=package,
            sender=sender,
            booked_at=self.clock(),
            number=self._number,
            paid=paid,
            add_cost=row["setting"]["cod_fee_amount"] if package["cod"] else 0,
            paid_from_balance=package["shipping_cost"] if by_credit else 0,
        )
        self._used_order_ids[order_id] = parcel.id
        self._depot.book(parcel, awb_after_s=self.waybill_delay_s, moves=self.auto_advance)
        return parcel

    def _tracking(self, body: Json, _request: httpx.Request) -> Json:
        asked = body.get("order_id")
        if not isinstance(asked, str) or not 0 < len(asked) <= 20:
            raise self._invalid("shTracking", "The order id field is required.")
        parcel = self._depot.parcels.get(self._used_order_ids.get(asked, "")) or self._by_awb(asked)
        if parcel is None or self.clock() < parcel.booked_at + self.booking_read_lag_s:
            if self.switches["tracking_unknown"] == "404":
                raise self._http(404, "Order tidak ditemukan")
            raise self._no("shTracking", "Order tidak ditemukan")
        return tracking_answer(parcel, real_codes=self.switches["history_codes"] == "real")

    def _cancel_shipment(self, body: Json, request: httpx.Request) -> Json:
        values = body if self.switches["cancel_arguments"] == "body" else dict(request.url.params)
        reason = values.get("reason")
        if not isinstance(reason, str) or not 5 <= len(reason) <= 200:
            raise self._invalid("cancel_shipment", "The reason must be between 5 and 200 characters.")
        parcel = self._by_awb(str(values.get("awb", "")))
        if parcel is None:
            raise self._no("cancel_shipment", "AWB tidak ditemukan")
        if parcel.code not in CANCELLABLE or self.refuse_cancellations:
            raise self._no("cancel_shipment", "Paket tidak dapat dibatalkan")
        now = self.clock()
        if parcel.request["cod"]:
            self._depot.move(parcel, 300, now)
            data = {"success": True, "date": self._local_now().strftime("%Y-%m-%d %H:%M:%S")}
            return {"status": True, "method": "cancel_shipment", "text": "Paket dibatalkan", "data": data}
        self._depot.move(parcel, 350, now)
        self._depot.later(parcel, now + self.cancel_delay_s, "300")
        done = datetime.fromtimestamp(now + self.cancel_delay_s, WIB).strftime("%Y-%m-%d %H:%M:%S")
        data = {"success": "pending", "date": done}
        text = "Paket akan dibatalkan dalam 2x24jam"
        return {"status": True, "method": "cancel_shipment", "text": text, "data": data}

    # -- inside

    def _refund(self, parcel: Parcel) -> None:
        self.balance += parcel.paid_from_balance
        parcel.paid_from_balance = 0

    def _taken(self, order_id: str) -> bool:
        parcel = self._depot.parcels.get(self._used_order_ids.get(order_id, ""))
        return parcel is not None and not (parcel.code == 300 and self.switches["cancelled_frees_order_id"])

    def _by_awb(self, awb: str) -> Parcel | None:
        return next((parcel for parcel in self._depot.parcels.values() if awb and parcel.awb == awb), None)

    def _local_now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), WIB)

    def _search(self, method: str, search: object) -> str:
        if not isinstance(search, str) or len(search) < SEARCH_LENGTH_MIN:
            raise self._invalid(method, "The search must be at least 3 characters.")
        return search.lower()

    def _limit(self, path: str) -> None:
        if not self.rate_limits:
            return
        second = self.now_s()
        self._calls[path, second] += 1
        if self._calls[path, second] > CALLS_PER_S_MAX:
            headers = {"retry-after": "1"} if self.switches["retry_after"] == "sent" else {}
            body = {"status": False, "text": "Too Many Attempts."}
            raise Refusal("429", httpx.Response(429, json=body, headers=headers))

    def _body(self, request: httpx.Request) -> Json:
        try:
            body = json.loads(request.content or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._http(400, "Bad request")
        return body

    def _invalid(self, method: str, text: str) -> Refusal:
        body = {"status": False, "code": 422, "text": text, "method": method}
        return Refusal("422", httpx.Response(self.switches["validation_status"], json=body))

    def _no(self, method: str, text: str, code: int | None = None, name: str = "") -> Refusal:
        body: Json = {"status": False, "text": text, "method": method}
        if self.switches["refusal_codes"] == "names" and name:
            body["results"] = {"error": name}
        elif code is not None:
            body["code"] = code
        return Refusal(str(code or text), httpx.Response(200, json=body))

    def _http(self, status: int, text: str) -> Refusal:
        return Refusal(str(status), httpx.Response(status, json={"status": False, "text": text}))


_ROUTES: Mapping[str, tuple[str, str]] = {
    "/api/mitra/couriers": ("POST", "_couriers"),
    "/api/mitra/v6.2/credit/balance": ("GET", "_credit_balance"),
    "/api/mitra/v2/get_address_by_name": ("POST", "_address_by_name"),
    "/api/mitra/v6.1/addresses": ("GET", "_addresses"),
    "/api/mitra/v6.1/shipping_price": ("POST", "_shipping_price"),
    "/api/mitra/v2/schedules": ("POST", "_schedules"),
    "/api/mitra/v6.1/request_pickup": ("POST", "_pickup_v61"),
    "/api/mitra/v6.2/request_pickup": ("POST", "_pickup_v62"),
    "/api/mitra/tracking": ("POST", "_tracking"),
    "/api/mitra/v3/cancel_shipment": ("POST", "_cancel_shipment"),
}
