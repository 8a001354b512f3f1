"""The simulator's booked parcels: statuses, late waybills, queued cancellations, and what happens by itself as time passes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from sellersync.sandbox.kit import Event

WIB = timezone(timedelta(hours=7))
STATUSES: Mapping[int, str] = {
    100: "Paket dibuat oleh KiriminAja",
    101: "Permintaan pickup",
    102: "Paket divalidasi petugas",
    103: "Paket diambil driver KiriminAja",
    104: "Paket diterima di DC KiriminAja",
    105: "Menunggu AWB",
    106: "Paket bersama kurir",
    107: "Dilaporkan driver",
    110: "Menunggu pickup langsung",
    152: "Pengiriman ulang",
    200: "Paket diterima",
    210: "Melebihi SLA",
    211: "Pelanggaran diselesaikan",
    300: "Paket dibatalkan",
    301: "Penerima menolak paket",
    302: "Pickup dibatalkan penjual",
    310: "Ditolak, penerima tidak memesan",
    311: "Ditolak, penerima tidak mau membayar",
    333: "Paket dimusnahkan",
    350: "Permintaan pembatalan pickup",
    400: "Paket berhasil diretur",
    401: "Informasi retur dari DC",
    402: "Tiba di gudang KiriminAja",
    403: "Permintaan retur",
    404: "Kurir mengantar retur",
    405: "Retur ditolak penjual",
    406: "Pelanggaran retur",
    500: "Paket bermasalah",
    555: "Disita bea cukai",
    701: "Paket hilang",
    702: "Paket rusak",
    703: "Klaim hilang selesai",
    704: "Klaim rusak selesai",
    901: "Pickup bermasalah",
    902: "Bermasalah di gudang",
    903: "Bermasalah di kurir",
    904: "Retur bermasalah",
    905: "Data tidak lengkap",
}
HAPPY_PATH = (100, 101, 102, 105, 103, 104, 106, 200)
CANCELLABLE = frozenset({100, 101, 102, 105, 110})
FINAL = frozenset({200, 300, 333, 400, 703, 704})
SHIPPED = frozenset({103, 104, 106, 152, 200, 301, 310, 311, 400, 401, 402, 403, 404})

AWB_SHAPES = {
    "jne": "01{:014d}",
    "sicepat": "00{:010d}",
    "jnt": "JP{:010d}",
    "idx": "IDE{:010d}",
    "lion": "88LP{:013d}",
}


@dataclass
class Parcel:
    """One booked package. `request` is its package as sent, `sender` the rest of the request; `steps` are (code, unix seconds).

    `id` is the order id, with a number behind it where an order id was booked again.
    """

    id: str
    kj_order_id: str
    pickup_number: str
    request: Mapping[str, Any]
    sender: Mapping[str, Any]
    booked_at: float
    number: int
    paid: bool
    add_cost: int
    code: int = 100
    awb: str = ""
    shipped_at: float | None = None
    delivered_at: float | None = None
    refunded_at: float | None = None
    correction: int = 0
    paid_from_balance: int = 0
    steps: list[tuple[int, float]] = field(default_factory=list)

    @property
    def order_id(self) -> str:
        return str(self.request["order_id"])

    @property
    def items(self) -> list[tuple[str, str, int]]:
        """(remote key, seller SKU, quantity): KiriminAja knows nothing but the names of what is inside."""
        return [(self.request["item_name"], self.request["item_name"], self.request.get("qty", 1))]


class Depot:
    """All parcels, and a queue of what is due. `record` is the simulator's journal, `clock` its seconds since the epoch, `refund` gets
    a parcel that was paid from the balance and cancelled."""

    def __init__(
        self,
        clock: Callable[[], float],
        record: Callable[..., None],
        *,
        return_at_402: bool,
        refund: Callable[[Parcel], None],
    ) -> None:
        self.parcels: dict[str, Parcel] = {}
        self._clock = clock
        self._record = record
        self._return_at_402 = return_at_402
        self._refund = refund
        self._due: list[tuple[float, int, str, str]] = []
        self._sequence = 0

    def book(self, parcel: Parcel, *, awb_after_s: float, moves: tuple[tuple[str, float], ...]) -> None:
        """Take over a parcel; its waybill is asked for once it is paid."""
        self.parcels[parcel.id] = parcel
        parcel.steps.append((parcel.code, parcel.booked_at))
        self._journal(Event.PARCEL_ARRANGED, parcel, items=parcel.items, waybill="")
        if parcel.paid:
            self.later(parcel, parcel.booked_at + awb_after_s, "awb")
        for code, after_s in moves:
            self.later(parcel, parcel.booked_at + after_s, code)

    def settle(self) -> None:
        """Do everything that is due by now."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            at, _, parcel_id, what = heapq.heappop(self._due)
            parcel = self.parcels[parcel_id]
            if parcel.code in FINAL:
                continue
            if what == "awb":
                self._issue_awb(parcel, at)
            elif what == "300" or _ahead(int(what), parcel.code):
                self.move(parcel, int(what), at)

    def later(self, parcel: Parcel, at: float, what: str) -> None:
        """Have a status (as text) or the waybill ("awb") come at a time."""
        self._sequence += 1
        heapq.heappush(self._due, (at, self._sequence, parcel.id, what))

    def move(self, parcel: Parcel, code: int, at: float) -> None:
        """Set a status and keep the journal: the goods leave the shelf with the first status that needs them to."""
        parcel.code = code
        parcel.steps.append((code, at))
        if code in SHIPPED and parcel.shipped_at is None:
            parcel.shipped_at = at
            self._journal(Event.HANDED_OVER, parcel)
        if code == 200:
            parcel.delivered_at = at
            self._journal(Event.DELIVERED, parcel)
        if code == 400 or (code == 402 and self._return_at_402):
            parcel.refunded_at = at
        if code == 300:
            self._refund(parcel)
            self._journal(Event.PARCEL_CANCELLED, parcel)

    def _issue_awb(self, parcel: Parcel, at: float) -> None:
        parcel.awb = AWB_SHAPES[parcel.request["service"]].format(parcel.number)
        if _ahead(105, parcel.code):
            self.move(parcel, 105, at)
        self._journal(Event.WAYBILL_ISSUED, parcel, waybill=parcel.awb)

    def _journal(self, event: Event, parcel: Parcel, **data: Any) -> None:
        self._record(event, parcel_id=parcel.id, order_id=parcel.order_id, **data)


def tracking_answer(parcel: Parcel, *, real_codes: bool) -> dict[str, Any]:
    """A parcel as tracking shows it."""
    request, sender = parcel.request, parcel.sender
    newest_first = sorted(parcel.steps, key=lambda step: -step[1])
    return {
        "status": True,
        "text": STATUSES[parcel.code],
        "method": "shTracking",
        "status_code": parcel.code,
        "details": {
            "awb": parcel.awb or None,
            "signature_code": "",
            "sorting_code": "BDG-BDG1000-SUB2000" if parcel.awb else None,
            "order_id": parcel.order_id,
            "status_code": None,
            "estimation": "-",
            "service": request["service"],
            "service_name": request["service_type"],
            "drop": request.get("drop", False),
            "shipped_at": _wib(parcel.shipped_at),
            "delivered": parcel.delivered_at is not None,
            "delivered_at": _wib(parcel.delivered_at),
            "refunded": parcel.refunded_at is not None,
            "refunded_at": _wib(parcel.refunded_at) or "",
            "images": {"camera_img": None, "signature_img": None, "pop_img": None},
            "costs": {
                "add_cost": parcel.add_cost,
                "currency": "IDR",
                "cod": request["cod"],
                "insurance_amount": request.get("insurance_amount", 0),
                "insurance_percent": 0,
                "discount_amount": 0,
                "subsidi_amount": 0,
                "shipping_cost": request["shipping_cost"],
                "correction": parcel.correction,
            },
            "origin": _end(sender["name"], sender["address"], sender["phone"], sender.get("zipcode")),
            "destination": _end(
                request["destination_name"],
                request["destination_address"],
                request["destination_phone"],
                request.get("destination_zipcode"),
            ),
        },
        "histories": [
            {
                "created_at": _wib(at),
                "status": STATUSES[code],
                "status_code": code if real_codes or code == 200 else 100,
                "driver": "",
                "receiver": "",
            }
            for code, at in newest_first
        ],
    }


def _end(name: str, address: str, phone: str, zip_code: object) -> dict[str, Any]:
    return {"name": name, "address": address, "phone": phone, "city": "", "zip_code": zip_code}


def _wib(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, WIB).strftime("%Y-%m-%d %H:%M:%S")


def _ahead(code: int, present: int) -> bool:
    if present not in HAPPY_PATH or code not in HAPPY_PATH:
        return False
    return HAPPY_PATH.index(code) > HAPPY_PATH.index(present)
