"""What every simulator is made of: a journal, faults, and one `handle(request) -> response`.

A simulator is written from the provider's wire contract, never from the connector. It is the judge of the demo, so its journal holds
what really happened on the "marketplace": orders placed, levels accepted, parcels arranged, requests and refusals.

One handler serves three mounts: `httpx.MockTransport(sim.transport_handler)`, respx `side_effect`, and a socket on 127.0.0.1
(`sandbox/mount.py`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from random import Random
from typing import Any

import httpx


class Event(StrEnum):
    """Kinds of journal entries. The data keys in brackets are the same for every simulator."""

    ORDER_PLACED = "order_placed"  # order_id, items: [(remote_key, seller_sku, quantity)], paid: bool, cod: bool
    ORDER_PAID = "order_paid"  # order_id
    ORDER_CANCELLED = "order_cancelled"  # order_id, items (as above: what was cancelled), by
    SOLD_OUT = "sold_out"  # remote_key, seller_sku, wanted, shown: a buyer was turned away
    LEVEL_SET = "level_set"  # remote_key, location, seller_sku, level (number shown from now on), before
    SHOWN_CHANGED = (
        "shown_changed"  # remote_key, location, seller_sku, level, before: by an order or cancellation, not by a push
    )
    PARCEL_ARRANGED = "parcel_arranged"  # parcel_id, order_id, items, waybill ("" if late)
    PARCEL_CANCELLED = "parcel_cancelled"  # parcel_id, order_id
    WAYBILL_ISSUED = "waybill_issued"  # parcel_id, order_id, waybill
    HANDED_OVER = "handed_over"  # parcel_id, order_id
    DELIVERED = "delivered"  # parcel_id, order_id
    TOKEN_ROTATED = "token_rotated"  # serial
    REQUEST = "request"  # method, path, status, refused ("" or the provider's code), fault ("" or its kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal line. `at` is seconds since the epoch on the simulator's clock (ms precision or better)."""

    at: float
    event: Event
    data: Mapping[str, Any]


class Journal:
    """Append-only and thread-safe; read by the judge, which shares nothing else with the product."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, at: float, event: Event, **data: Any) -> None:
        with self._lock:
            self._entries.append(Entry(at, event, data))

    def entries(self, *events: Event) -> list[Entry]:
        """A copy, in order; only the given kinds when any are named."""
        with self._lock:
            return [entry for entry in self._entries if not events or entry.event in events]


class FaultKind(StrEnum):
    """What may go wrong with one request. BEFORE: the effect does not happen; AFTER: it happens and the answer is spoilt."""

    DROP_BEFORE = "drop_before"  # connection closed before the request is processed
    DROP_AFTER = "drop_after"  # processed, then no answer (read time-out / connection closed)
    HTTP_500 = "http_500"  # not processed
    HTTP_500_AFTER = "http_500_after"  # processed, then HTML 500
    HTTP_429 = "http_429"  # not processed, Retry-After in seconds
    HTTP_429_DATE = "http_429_date"  # not processed, Retry-After as an HTTP date
    HTML = "html"  # 200 with an HTML page, not processed
    TRUNCATED = "truncated"  # processed, body cut in the middle
    EMPTY = "empty"  # processed, empty 200
    PHP_NOTICE = "php_notice"  # processed, a PHP warning printed before the JSON


@dataclass(slots=True)
class Fault:
    """Strike the next `times` requests for which `matches(method, path)` is true. `retry_after_s` for the 429 kinds."""

    kind: FaultKind
    matches: Callable[[str, str], bool] = lambda method, path: True
    times: int = 1
    retry_after_s: int = 1


class Refusal(Exception):
    """Raised inside a simulator to answer a refusal: `response` as the provider words it, `code` for the journal."""

    def __init__(self, code: str, response: httpx.Response) -> None:
        super().__init__(code)
        self.code = code
        self.response = response


class SoldOut(Exception):
    """The channel shows too few units; the buyer was turned away (journalled as SOLD_OUT)."""


class NoHand(NotImplementedError):
    """This simulator cannot bring that about; a test that needs it says so instead of guessing."""


@dataclass(slots=True)
class Product:
    """A sellable thing in a simulator. `shown` is the number buyers see, per location ("" where the provider has one number)."""

    remote_key: str
    seller_sku: str
    title: str
    price: int
    weight_g: int
    shown: dict[str, int]
    active: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


class Simulator(ABC):
    """Base of every simulator.

    `clock` returns seconds since the epoch on the simulator's side; `switches` are the named unconfirmed facts (each simulator lists
    its own in `SWITCHES` with the default first); unknown switch names are refused.
    """

    provider: str = ""
    SWITCHES: Mapping[str, Sequence[Any]] = {}
    OMITS_WHEN_EMPTY: frozenset[str] = frozenset()
    """JSON fields that the provider leaves out or sends as null when they hold nothing (documented): without them an answer is empty,
    not damaged."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: Random,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.journal = Journal()
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.off = False
        """True: nobody answers (connection refused)."""
        self.switches = {name: choices[0] for name, choices in self.SWITCHES.items()}
        for name, value in (switches or {}).items():
            if name not in self.SWITCHES or value not in self.SWITCHES[name]:
                raise ValueError(f"{self.provider}: no switch {name}={value!r}; there are {dict(self.SWITCHES)}")
            self.switches[name] = value

    # -- what a subclass writes

    @abstractmethod
    def answer(self, request: httpx.Request) -> httpx.Response:
        """Check and process one request as the provider would. May raise `Refusal`. The body is already read."""

    def configuration(self, base_url: str) -> dict[str, Any]:
        """The connector's settings (keys of its table in the configuration file) that point it at this simulator at `base_url`,
        with its test credentials in clear."""
        raise NotImplementedError

    def first_grant(self) -> bytes | None:
        """The raw token answer that a finished consent would have given, in the provider's own shape; `None` for static keys."""
        return None

    # -- mounts

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, with faults applied and the journal kept. Raises httpx transport errors for dropped connections."""
        method, path = request.method, request.url.path
        if self.off:
            raise httpx.ConnectError("simulator is off", request=request)
        with self.lock:
            fault = self._take_fault(method, path)
            if fault is not None and fault.kind in _NOT_PROCESSED:
                self.journal.add(
                    self.clock(), Event.REQUEST, method=method, path=path, status=0, refused="", fault=fault.kind
                )
                return self._dated(self._spoil_before(fault, request))
            refused = ""
            try:
                response = self.answer(request)
            except Refusal as refusal:
                response, refused = refusal.response, refusal.code
            self.journal.add(
                self.clock(),
                Event.REQUEST,
                method=method,
                path=path,
                status=response.status_code,
                refused=refused,
                fault=fault.kind if fault else "",
            )
            if fault is not None:
                response = self._spoil_after(fault, response, request)
            return self._dated(response)

    def transport_handler(self, request: httpx.Request) -> httpx.Response:
        """For `httpx.MockTransport`: reads the body first, as a socket would."""
        request.read()
        return self.handle(request)

    # -- helpers for subclasses

    def record(self, event: Event, **data: Any) -> None:
        """Add a journal line at the present moment."""
        self.journal.add(self.clock(), event, **data)

    def now_s(self) -> int:
        """The provider's clock in whole seconds."""
        return int(self.clock())

    # -- inside

    def _take_fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.matches(method, path):
                fault.times -= 1
                return fault
        return None

    def _spoil_before(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        if fault.kind is FaultKind.DROP_BEFORE:
            raise httpx.ReadError("connection closed", request=request)
        if fault.kind is FaultKind.HTTP_429:
            return httpx.Response(429, headers={"retry-after": str(fault.retry_after_s)}, text="slow down")
        if fault.kind is FaultKind.HTTP_429_DATE:
            at = datetime.fromtimestamp(int(self.clock()) + fault.retry_after_s + 1, UTC)
            return httpx.Response(429, headers={"retry-after": format_datetime(at, usegmt=True)}, text="slow down")
        if fault.kind is FaultKind.HTML:
            return httpx.Response(
                200, headers={"content-type": "text/html"}, text="<html><body>checking you</body></html>"
            )
        return httpx.Response(500, headers={"content-type": "text/html"}, text="<html>Internal Server Error</html>")

    def _spoil_after(self, fault: Fault, response: httpx.Response, request: httpx.Request) -> httpx.Response:
        if fault.kind is FaultKind.DROP_AFTER:
            raise httpx.ReadTimeout("no answer", request=request)
        if fault.kind is FaultKind.HTTP_500_AFTER:
            return httpx.Response(500, headers={"content-type": "text/html"}, text="<html>Internal Server Error</html>")
        if fault.kind is FaultKind.TRUNCATED:
            return httpx.Response(
                response.status_code, headers=_plain(response), content=response.content[: len(response.content) // 2]
            )
        if fault.kind is FaultKind.EMPTY:
            return httpx.Response(response.status_code, headers=_plain(response), content=b"")
        if fault.kind is FaultKind.PHP_NOTICE:
            notice = b"<br />\n<b>Warning</b>:  Undefined array key in <b>/srv/plugin.php</b> on line <b>7</b><br />\n"
            return httpx.Response(response.status_code, headers=_plain(response), content=notice + response.content)
        return response

    def _dated(self, response: httpx.Response) -> httpx.Response:
        response.headers["date"] = format_datetime(datetime.fromtimestamp(int(self.clock()), UTC), usegmt=True)
        return response


_NOT_PROCESSED = frozenset(
    {FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTTP_429, FaultKind.HTTP_429_DATE, FaultKind.HTML}
)


def _plain(response: httpx.Response) -> dict[str, str]:
    return {"content-type": response.headers.get("content-type", "application/json")}


class MarketplaceSimulator(Simulator):
    """A simulator with buyers: the hands of the demo and of the tests.

    All of these act as the outside world acts (no request involved) and keep the journal. `remote_key` is the key under which the
    connector will know the listing's target (its documentation says how it is built).
    """

    @abstractmethod
    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        """Create a listing that shows `stock`."""

    @abstractmethod
    def products(self) -> Sequence[Product]:
        """All products, in creation order."""

    @abstractmethod
    def place_order(
        self,
        items: Sequence[tuple[str, int]],
        *,
        paid: bool = True,
        cod: bool = False,
        storefront: str = "",
    ) -> str:
        """A buyer orders [(remote_key, quantity)]; returns the remote order id. Raises `SoldOut` when a number shown is too low,
        after journalling SOLD_OUT; nothing is taken then."""

    @abstractmethod
    def pay(self, order_id: str) -> None:
        """The buyer pays an unpaid order."""

    @abstractmethod
    def cancel(self, order_id: str, *, by: str = "buyer", items: Sequence[tuple[str, int]] | None = None) -> None:
        """Cancel the whole order, or only [(remote_key, quantity)], before shipping; the number shown comes back as the provider's
        rules (and switches) say."""

    @abstractmethod
    def hand_over(self, parcel_id: str) -> None:
        """The courier collects an arranged parcel."""

    @abstractmethod
    def deliver(self, parcel_id: str) -> None:
        """The buyer receives a collected parcel."""

    @abstractmethod
    def shown(self, remote_key: str, location: str = "") -> int:
        """The number buyers see now."""

    def arranged_parcels(self) -> list[str]:
        """Ids of parcels that are arranged and not yet handed over (none where another service ships the parcels)."""
        return []


class CourierSimulator(Simulator):
    """A courier service's outside world."""

    @abstractmethod
    def bookings(self) -> Mapping[str, Mapping[str, Any]]:
        """booking id -> at least reference, waybill, status; order_number too where a booking carries the shop's number of the order."""

    @abstractmethod
    def advance(self, booking_id: str, status: str) -> None:
        """Move a booking to a status in the courier's own vocabulary."""

    # Hands that a simulator may leave out.

    def collect(self, booking_id: str) -> None:
        """The courier collects the parcel."""
        raise NoHand("collect")

    def deliver(self, booking_id: str) -> None:
        """The buyer receives the parcel."""
        raise NoHand("deliver")

    def change_waybill(self, booking_id: str) -> str:
        """The courier gives a booked parcel another number; returns it."""
        raise NoHand("change_waybill")

    def answer_cancellations(self, how: str) -> None:
        """From now on cancellations are "done" at once, "pending" or "refused"."""
        raise NoHand(f"answer_cancellations {how}")

    def set_balance(self, amount: int) -> None:
        """The prepaid balance becomes `amount` whole rupiah."""
        raise NoHand("set_balance")


def small_pdf(lines: list[str]) -> bytes:
    """A label as simulators deliver it: a valid PDF of one page that says `lines` (without parentheses)."""
    text = " ".join(f"({line}) Tj 0 -14 Td" for line in lines)
    stream = f"BT /F1 11 Tf 20 380 Td {text} ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 283 425] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for index, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (index, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
