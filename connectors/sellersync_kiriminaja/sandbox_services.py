"""The simulator's places and courier services. Service codes are those of the documentation's samples and courier lists (2026);
district ids, fees and percentages are invented, COD and insurance percentages of JNE REG23 are the published sample's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Village:
    """A kelurahan with its district (kecamatan): what an address search shows."""

    village: str
    district_id: int
    district: str
    city: str
    province: str
    postal_code: str

    @property
    def district_text(self) -> str:
        return f"{self.district}, {self.city}, {self.province}"

    @property
    def full_address(self) -> str:
        city = self.city.removeprefix("Kabupaten ").removeprefix("Kota ")
        return f"{self.village}, {self.district}, {city}, {self.province}, {self.postal_code}"


VILLAGES: tuple[Village, ...] = (
    Village("Lebak Gede", 1207, "Coblong", "Kota Bandung", "Jawa Barat", "40132"),
    Village("Dago", 1207, "Coblong", "Kota Bandung", "Jawa Barat", "40135"),
    Village("Citarum", 1203, "Bandung Wetan", "Kota Bandung", "Jawa Barat", "40115"),
    Village("Keputih", 6161, "Sukolilo", "Kota Surabaya", "Jawa Timur", "60111"),
    Village("Sukolilo", 4838, "Sukolilo", "Kabupaten Pati", "Jawa Tengah", "59172"),
    Village("Darmo", 6166, "Wonokromo", "Kota Surabaya", "Jawa Timur", "60241"),
    Village("Cilandak Barat", 2121, "Cilandak", "Kota Jakarta Selatan", "DKI Jakarta", "12430"),
    Village("Ngemplak", 1251, "Ngemplak", "Kabupaten Boyolali", "Jawa Tengah", "57375"),
    Village("Wedomartani", 5789, "Ngemplak", "Kabupaten Sleman", "DI Yogyakarta", "55584"),
    Village("Cikole", 2301, "Lembang", "Kabupaten Bandung Barat", "Jawa Barat", "40391"),
    Village("Jayagiri", 2302, "Parongpong", "Kabupaten Bandung Barat", "Jawa Barat", "40391"),
)
DISTRICT_IDS = frozenset(village.district_id for village in VILLAGES)


@dataclass(frozen=True, slots=True)
class Service:
    """One service. Whole rupiah; percentages are fractions. `insurance_fee_min` is a courier's least fee (unconfirmed)."""

    company: str
    type: str
    name: str
    fee_per_kg: int
    etd: str
    cod: bool = True
    drop: bool = False
    group: str = "regular"
    cod_percent: Decimal = Decimal("0.03")
    cod_fee_min: int = 2_500
    insurance_percent: Decimal = Decimal("0.002")
    insurance_fee_min: int = 2_500

    def cost(self, weight_g: int) -> int:
        """Shipping cost; up to 300 g above a whole kilogram are not charged."""
        return self.fee_per_kg * max(1, (weight_g + 699) // 1000)


SERVICES: tuple[Service, ...] = (
    Service("jne", "REG23", "JNE Express Reguler", 12_000, "2-3", drop=True),
    Service("jne", "YES23", "JNE Express YES", 19_000, "1-1", cod=False, group="next_day"),
    Service("sicepat", "REG", "SiCepat Reguler", 10_500, "1-2", drop=True),
    Service("jnt", "EZ", "J&T EZ", 11_500, "2-3"),
    Service("idx", "STD", "ID Express Standard", 10_000, "2-4", drop=True),
    Service("lion", "REGPACK", "Lion Parcel Regpack", 9_500, "2-4"),
)
COORDINATES_NEEDED = frozenset({"lion"})


def find_service(company: object, service_type: object) -> Service | None:
    return next((one for one in SERVICES if (one.company, one.type) == (company, service_type)), None)


def price_row(
    service: Service, *, weight_g: int, item_value: int, insured: bool, least_insurance: bool, vat: bool
) -> Mapping[str, Any]:
    """One row of `results` in an answer to rates. Money comes as text or number, as in the published sample."""
    cost = service.cost(weight_g)
    insurance = 0
    if insured:
        share = (Decimal(item_value) * service.insurance_percent / 100).to_integral_value(ROUND_CEILING) * 100
        insurance = max(int(share), service.insurance_fee_min if least_insurance else 0)
    percent = service.cod_percent * (Decimal("1.11") if vat else 1)
    fee = int((Decimal(item_value + cost + insurance) * percent).to_integral_value(ROUND_CEILING))
    return {
        "service": service.company,
        "service_name": service.name,
        "service_type": service.type,
        "cost": str(cost),
        "etd": service.etd,
        "cod": service.cod,
        "group": service.group,
        "drop": service.drop,
        "cut_off_time": None,
        "force_insurance": False,
        "use_geolocation": False,
        "discount_campaign": {"discount": 0, "discount_percentage": 0, "discount_campaign_id": 0, "discount_type": ""},
        "discount_amount": 0,
        "discount_percentage": 0,
        "discount_type": None,
        "setting": {
            "cod_fee": str(service.cod_percent),
            "minimum_cod_fee": str(service.cod_fee_min),
            "insurance_fee": str(service.insurance_percent),
            "insurance_add_cost": 0,
            "cod_fee_amount": max(fee, service.cod_fee_min),
        },
        "insurance": insurance,
    }
