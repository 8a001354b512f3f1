"""Pure, both ways: parcels -> KiriminAja's request for rates, its answer -> offers with what a booking must send back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sellersync.connector.contract import Handover, ParcelItem, Quote, QuoteRequest
from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah, rupiah_or_none

from .checks import NEEDS_COORDINATES
from .money import cod_fee, insurance_amount

Json = dict[str, Any]

ITEM_VALUE_MIN = 1_000  # whole rupiah: the least that may be declared for a parcel
GRAMS_PER_CM3_DIVISOR = 6  # regular services; trucking has 4 on one page of the documentation and 6 or 5 on another

COMPANIES: Mapping[str, str] = {"idexpress": "idx", "pos": "posindonesia", "sentralcargo": "sentral"}
"""Company codes as the configuration spells them -> KiriminAja's; all others are the same."""
OURS: Mapping[str, str] = {theirs: ours for ours, theirs in COMPANIES.items()}
SEPARATE_API = frozenset({"pos", "rpx", "paxel"})
"""Companies that KiriminAja books through another API, on request."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One service's offer with what a booking must send back. `insurance` and `cod_fee` are whole rupiah, 0 without."""

    company: str
    service: str
    name: str
    cost: int
    insurance: int
    cod_fee: int
    cod: bool
    drop_off: bool
    days: tuple[int, int] | None

    def quote(self, *, with_cod: bool) -> Quote:
        return Quote(
            company=self.company,
            service=self.service,
            name=self.name,
            price=self.cost + self.insurance + (self.cod_fee if with_cod else 0),
            days=self.days,
            cod=self.cod,
            cod_fee=self.cod_fee if with_cod else None,
            insurance_fee=self.insurance or None,
            handovers=(Handover.PICKUP, Handover.DROP_OFF) if self.drop_off else (Handover.PICKUP,),
        )


@dataclass(frozen=True, slots=True)
class Box:
    """The parcel around all items: chargeable grams and whole centimetres."""

    weight_g: int
    length_cm: int
    width_cm: int
    height_cm: int


def box_around(items: Sequence[ParcelItem], *, side_cm: int) -> Box:
    """Items stacked in the one of three directions that makes the smallest box; `side_cm` for sizes that nobody knows. The weight is
    the larger of the real one and the volume."""
    sizes = [(one.length_cm or side_cm, one.width_cm or side_cm, one.height_cm or side_cm) for one in items]
    counts = [one.quantity for one in items]
    boxes = []
    for stacked in (2, 1, 0):
        box = [max(size[axis] for size in sizes) for axis in range(3)]
        box[stacked] = sum(size[stacked] * count for size, count in zip(sizes, counts, strict=True))
        boxes.append(box)
    length, width, height = min(boxes, key=lambda box: (box[0] * box[1] * box[2], max(box)))
    actual = sum(one.weight_g * one.quantity for one in items)
    return Box(max(actual, -(-length * width * height // GRAMS_PER_CM3_DIVISOR)), length, width, height)


def item_value(items: Iterable[ParcelItem]) -> int:
    """The declared value of a parcel, at least the least that KiriminAja takes."""
    return max(sum(one.value * one.quantity for one in items), ITEM_VALUE_MIN)


def couriers(companies: Sequence[str]) -> list[str]:
    """KiriminAja's codes of the companies that this API books."""
    return [COMPANIES.get(company, company) for company in dict.fromkeys(companies) if company not in SEPARATE_API]


def rates_body(request: QuoteRequest, *, origin: int, destination: int, side_cm: int) -> Json:
    box = box_around(request.items, side_cm=side_cm)
    return {
        "origin": origin,
        "destination": destination,
        "weight": box.weight_g,
        "length": box.length_cm,
        "width": box.width_cm,
        "height": box.height_cm,
        "item_value": request.insured_amount or item_value(request.items),
        "insurance": int(request.insured_amount is not None),
        "courier": couriers(request.companies),
    }


def offers(raw: Json, request: QuoteRequest) -> tuple[tuple[Offer, ...], tuple[str, ...]]:
    """(offers of the companies asked, cheapest first; sentences about rows that could not be read)."""
    rows = raw.get("results")
    if not isinstance(rows, list):
        raise Unrecognised("rates without a list of results", str(sorted(raw)))
    found: list[Offer] = []
    problems: list[str] = []
    for row in rows:
        try:
            offer = _offer(row, request)
        except Unrecognised as unreadable:
            problems.append(str(unreadable))
            continue
        located = request.origin.latitude is not None or offer.company not in NEEDS_COORDINATES
        if offer.company in request.companies and located:
            found.append(offer)
    if problems and not found:
        raise Unrecognised("rates of which no row can be read", problems[0])
    return tuple(sorted(found, key=lambda one: (one.cost + one.insurance, one.company, one.service))), tuple(problems)


def _offer(row: object, request: QuoteRequest) -> Offer:
    if not isinstance(row, dict) or not row.get("service") or not row.get("service_type"):
        raise Unrecognised("an offer without service or service type", repr(row))
    company, service = OURS.get(str(row["service"]), str(row["service"])), str(row["service_type"])
    where = f"rates of {company} {service}"
    told = row.get("setting")
    setting: Json = told if isinstance(told, dict) else {}
    cost = rupiah(row.get("cost"), where=where)
    value = request.insured_amount or item_value(request.items)
    insurance = 0
    if request.insured_amount is not None or row.get("force_insurance") is True:
        # The published sample charges more than its percentage: couriers have a least fee.
        quoted = rupiah_or_none(row.get("insurance"), where=where) or 0
        insurance = max(quoted, insurance_amount(value, _fraction(setting.get("insurance_fee"), where)))
    fee = 0
    if request.cod_amount is not None and row.get("cod") is True:
        least = rupiah_or_none(setting.get("minimum_cod_fee"), where=where) or 0
        quoted = rupiah_or_none(setting.get("cod_fee_amount"), where=where) or 0
        fee = max(quoted, least, cod_fee(value, cost, insurance, _fraction(setting.get("cod_fee"), where)))
    return Offer(
        company=company,
        service=service,
        name=str(row.get("service_name") or f"{company} {service}"),
        cost=cost,
        insurance=insurance,
        cod_fee=fee,
        cod=row.get("cod") is True,
        drop_off=row.get("drop") is True,
        days=_days(row.get("etd")),
    )


def _fraction(value: object, where: str) -> Decimal:
    """`"0.03"` is 3 %; absent is none."""
    try:
        fraction = Decimal(str(value)) if value not in (None, "") else Decimal(0)
    except InvalidOperation:
        fraction = Decimal(-1)
    if not 0 <= fraction < 1:
        raise Unrecognised(f"{where}: a fraction was expected", repr(value))
    return fraction


def _days(etd: object) -> tuple[int, int] | None:
    numbers = [int(number) for number in re.findall(r"\d+", str(etd or ""))]
    return (min(numbers), max(numbers)) if numbers else None
