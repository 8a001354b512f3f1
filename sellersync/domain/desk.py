"""What lies on the packing desk, as values: parcels with their contents, what to pick where, what a label must say.

Weights are grams, amounts whole rupiah, times aware UTC. Only `Address` and `LabelFacts` hold buyer data, and neither has a repr.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .orders import OrderState
from .parcels import ParcelState

PICKABLE = frozenset({ParcelState.READY, ParcelState.PACKED, ParcelState.BOOKED, ParcelState.PICKUP_RETRY})
SHIPPABLE = frozenset({OrderState.READY, OrderState.BOOKED})
_NUMBERS = re.compile(r"(\d+)")
_PLAIN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class DeskPart:
    """Units of one SKU in a line of a parcel. `bin` is "" where nobody said in which bin the SKU lies."""

    sku: str
    title: str
    barcode: str
    quantity: int
    warehouse: str
    bin: str


@dataclass(frozen=True, slots=True)
class DeskLine:
    """A line as the buyer sees it: `units` of a listing. `parts` says what they are made of; empty while the listing is unmapped."""

    title: str
    seller_sku: str
    units: int
    parts: tuple[DeskPart, ...]


@dataclass(frozen=True, slots=True)
class DeskParcel:
    """A parcel at the desk, or one that was there (`gone`: it left the shelf).

    `own` says that we booked its courier ourselves, so that its label is ours to print. `claim` is open or person while a booking has
    no known outcome, `cancel` what became of a wish to cancel the booking. `ship_by` is the provider's deadline, else paid time plus
    the shop's own promise. `packed_as` is what was scanned into it (SKU -> units), `None` where nobody did.
    """

    id: int
    channel_id: int
    channel: str
    order: str
    order_number: str
    number: int
    state: ParcelState
    order_state: OrderState
    own: bool
    remote_id: str
    remote_status: str
    courier: str
    service: str
    waybill: str
    pickup_code: str
    cod: bool
    cod_amount: int | None
    ship_by: datetime
    weight_g: int | None
    packed_at: datetime | None
    packed_as: Mapping[str, int] | None
    manifest_id: int | None
    gone: bool
    claim: str
    cancel: str
    lines: tuple[DeskLine, ...]

    @property
    def name(self) -> str:
        """How people name it: the order's number, with the parcel's own behind a slash where an order has several."""
        order = self.order_number or self.order
        return order if self.number == 1 else f"{order}/{self.number}"

    @property
    def printed_number(self) -> str:
        """What its label carries as a barcode: the waybill, for instant couriers the pickup code; "" before either is known."""
        return self.waybill or self.pickup_code

    @property
    def units(self) -> int:
        return sum(line.units for line in self.lines)

    @property
    def contents(self) -> dict[str, int]:
        """SKU -> units, bundles taken apart."""
        units: dict[str, int] = {}
        for part in (part for line in self.lines for part in line.parts):
            units[part.sku] = units.get(part.sku, 0) + part.quantity
        return units

    @property
    def outdated(self) -> bool:
        """It was packed, and other contents are wanted since: somebody must open it before it goes."""
        return self.packed_as is not None and not self.gone and self.packed_as != self.contents

    @property
    def mapped(self) -> bool:
        return all(line.parts for line in self.lines)

    @property
    def called_off(self) -> bool:
        """The order was cancelled, its buyer asks for that, or its booking is being cancelled: it must not go out."""
        return (
            self.order_state in (OrderState.CANCELLED, OrderState.CANCEL_REQUESTED)
            or self.state is ParcelState.CANCELLED
            or self.cancel in ("asked", "sent", "pending", "done")
        )


def bin_key(code: str) -> tuple[bool, tuple[tuple[int, int, str], ...]]:
    """The order in which pickers walk: A2 before A10, goods without a bin last."""
    parts = (part for part in _NUMBERS.split(code.upper()) if part)
    return code == "", tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def pick_order(parcel: DeskParcel) -> tuple[object, ...]:
    """Sorts parcels by the bin of their first line, then by order."""
    first = parcel.lines[0].parts if parcel.lines else ()
    return (
        first[0].warehouse if first else "",
        min((bin_key(part.bin) for part in first), default=bin_key("")),
        parcel.order_number or parcel.order,
        parcel.id,
    )


def courier_key(courier: str) -> str:
    """A courier's name for comparing and for file names: "SPX Standard" is spx-standard."""
    return _PLAIN.sub("-", courier.lower()).strip("-")


def to_pick(parcel: DeskParcel) -> bool:
    """May somebody fetch its goods now? Not while it may be cancelled, waits for something, or was packed already."""
    return (
        parcel.state in PICKABLE
        and parcel.order_state in SHIPPABLE
        and not parcel.called_off
        and parcel.packed_at is None
        and parcel.mapped
        and not parcel.gone
    )


@dataclass(frozen=True, slots=True)
class PickRow:
    """One stop of a picker: so many units of a SKU for all parcels together."""

    warehouse: str
    bin: str
    sku: str
    title: str
    quantity: int
    parcels: int


def pick_rows(parcels: Iterable[DeskParcel]) -> list[PickRow]:
    """What to fetch, in walking order. Components of bundles are summed with the units sold singly."""
    quantity: dict[tuple[str, str, str], int] = {}
    held: dict[tuple[str, str, str], set[int]] = {}
    titles: dict[str, str] = {}
    for parcel in parcels:
        for part in (part for line in parcel.lines for part in line.parts):
            key = (part.warehouse, part.bin, part.sku)
            quantity[key] = quantity.get(key, 0) + part.quantity
            held.setdefault(key, set()).add(parcel.id)
            titles[part.sku] = part.title
    rows = [PickRow(*key, titles[key[2]], count, len(held[key])) for key, count in quantity.items()]
    return sorted(rows, key=lambda row: (row.warehouse, bin_key(row.bin), row.sku))


def parts_of(parcel: DeskParcel) -> list[DeskPart]:
    """A parcel's contents, one part a SKU and warehouse, in walking order."""
    summed: dict[tuple[str, str, str], DeskPart] = {}
    for part in (part for line in parcel.lines for part in line.parts):
        key = (part.warehouse, part.bin, part.sku)
        before = summed[key].quantity if key in summed else 0
        summed[key] = DeskPart(part.sku, part.title, part.barcode, before + part.quantity, part.warehouse, part.bin)
    return sorted(summed.values(), key=lambda part: (part.warehouse, bin_key(part.bin), part.sku))


# --------------------------------------------------------------------------------------------------------------------------- labels


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Who sends or receives. Never in a repr."""

    name: str
    phone: str
    address: str
    district: str = ""
    city: str = ""
    province: str = ""
    postal_code: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class LabelItem:
    name: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, repr=False)
class LabelFacts:
    """Everything that an own-site label says. `number` is the waybill, or the pickup code where `pickup_code` is true; `cod_amount`
    is `None` for a parcel that is paid, `insured` `None` without insurance."""

    number: str
    pickup_code: bool
    courier: str
    service: str
    drop_off: bool
    routing_code: str
    cod_amount: int | None
    insured: int | None
    weight_g: int
    sender: Address
    recipient: Address
    items: tuple[LabelItem, ...]
    reference: str

    @property
    def units(self) -> int:
        return sum(item.quantity for item in self.items)


# ------------------------------------------------------------------------------------------------------------------------- manifests


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """One hand-over of parcels to one courier; `handed_at` is `None` while it is only prepared."""

    id: int
    courier: str
    created_at: datetime
    who: str
    handed_at: datetime | None
    parcels: int
    note: str = ""


def weight_of(parcels: Sequence[DeskParcel]) -> int | None:
    """Grams of all parcels together, `None` as soon as one is unknown."""
    weights = [parcel.weight_g for parcel in parcels]
    return None if None in weights else sum(weight for weight in weights if weight is not None)
