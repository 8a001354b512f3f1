"""The simulator's courier services and what they cost. Company and type codes are from a stored copy of `GET /v1/couriers`; fees are
invented, COD percentages and bounds from an integrator's copy of Biteship's table (2026-05)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COD_PERCENT_EXTRA = {"7_days": 0, "5_days": 1, "3_days": 2}
INSTANT_FEE_BASE = 9_000


@dataclass(frozen=True, slots=True)
class CodRule:
    """Percent of the amount for a payout after seven days, the least fee, and the amounts allowed, in whole rupiah."""

    percent: int
    fee_min: int = 0
    amount_min: int = 1
    amount_max: int = 15_000_000


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `fee_per_kg` in whole rupiah; `instant` services carry by coordinates and cost a flat fee."""

    company: str
    type: str
    company_name: str
    name: str
    fee_per_kg: int
    days: str
    instant_waybill: bool
    cod: CodRule | None = None
    collection: tuple[str, ...] = ("pickup", "drop_off")
    instant: bool = False

    def price(self, weight_g: int) -> int:
        """Shipping fee for a parcel of `weight_g` chargeable grams."""
        return INSTANT_FEE_BASE + self.fee_per_kg if self.instant else self.fee_per_kg * chargeable_kg(weight_g)

    def cod_fee(self, amount: int, payout: str) -> int:
        if self.cod is None or not amount:
            return 0
        percent = self.cod.percent + COD_PERCENT_EXTRA[payout]
        return max(self.cod.fee_min, -(-amount * percent // 100))


SERVICES: tuple[Service, ...] = (
    Service("jne", "reg", "JNE", "Reguler", 11_000, "2 - 3", True, CodRule(4, 3_500, 25_000, 5_000_000)),
    Service("jne", "yes", "JNE", "Yakin Esok Sampai", 19_000, "1 - 1", True, collection=("pickup",)),
    Service("sicepat", "reg", "SiCepat", "Reguler", 10_500, "1 - 2", True, CodRule(4, 2_000, 1_000, 2_500_000)),
    Service("jnt", "ez", "J&T", "EZ", 11_500, "2 - 3", True, CodRule(3)),
    Service("anteraja", "reg", "AnterAja", "Reguler", 10_000, "2 - 4", True, CodRule(3, 5_000, 5_000, 2_500_000)),
    Service("sap", "reg", "SAP", "Reguler", 10_200, "2 - 4", True, CodRule(3, 0, 1, 10_000_000)),
    Service("lion", "reg_pack", "Lion Parcel", "REGPACK", 9_500, "2 - 4", False),
    Service("ninja", "standard", "Ninja", "Standard", 9_800, "2 - 4", False),
    Service("pos", "reguler", "Pos Indonesia", "Reguler", 9_000, "3 - 5", False),
    Service("wahana", "normal", "Wahana", "Normal", 7_000, "3 - 6", False, collection=("drop_off",)),
    Service("gojek", "instant", "Gojek", "Instant", 25_000, "1 - 3", True, collection=("pickup",), instant=True),
)


def find_service(company: object, service_type: object) -> Service | None:
    return next((one for one in SERVICES if (one.company, one.type) == (company, service_type)), None)


def chargeable_kg(weight_g: int) -> int:
    """At least one kilogram; up to 300 g above a whole one are not charged."""
    return max(1, (weight_g + 699) // 1000)


def parcel_weight_g(items: Sequence[Mapping[str, Any]]) -> int:
    """The larger of weight and volume (divisor 6000), item weights being per unit (unconfirmed)."""
    actual = sum(item["weight"] * item["quantity"] for item in items)
    volume = sum(
        item.get("length", 0) * item.get("width", 0) * item.get("height", 0) * item["quantity"] for item in items
    )
    return int(max(actual, volume * 1000 // 6000))


def pricing_row(service: Service, *, weight_g: int, insured: int, cod: int, payout: str) -> dict[str, Any]:
    """One row of `pricing` in an answer to rates."""
    fee, insurance = service.price(weight_g), insurance_fee(insured)
    cod_fee = service.cod_fee(cod, payout)
    return {
        "company": service.company,
        "courier_code": service.company,
        "courier_name": service.company_name,
        "courier_service_code": service.type,
        "courier_service_name": service.name,
        "type": service.type,
        "description": "",
        "duration": f"{service.days} {'hours' if service.instant else 'days'}",
        "shipment_duration_range": service.days,
        "shipment_duration_unit": "hours" if service.instant else "days",
        "service_type": "instant" if service.instant else "standard",
        "shipping_type": "parcel",
        "available_collection_method": list(service.collection),
        "available_for_cash_on_delivery": service.cod is not None,
        "available_for_proof_of_delivery": False,
        "available_for_instant_waybill_id": service.instant_waybill,
        "available_for_insurance": not service.instant,
        "currency": "IDR",
        "shipping_fee": fee,
        "shipping_fee_discount": 0,
        "shipping_fee_surcharge": 0,
        "insurance_fee": insurance,
        "cash_on_delivery_fee": cod_fee,
        "tax_lines": [],
        "price": fee + insurance + cod_fee,
    }


def insurance_fee(insured: int) -> int:
    """0.2 % of the insured amount, rounded up to the rupiah."""
    return -(-insured * 2 // 1000)
