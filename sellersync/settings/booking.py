"""[booking] and [[booking.rules]]: which courier's offer is taken for a parcel of the own site."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from sellersync.connector.contract import Handover
from sellersync.domain.courier_rules import Prefer, Rule, Terms, When

from .table import Table

Prefix = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}$")]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class BookingRule(Table):
    """[[booking.rules]]: conditions (all that are named must hold), and what is chosen then; the first rule that fits counts."""

    name: RuleName = Field(
        description="the rule's own name of lower-case letters, digits and hyphens; it is kept as the reason"
    )
    cod: bool | None = Field(default=None, description="true: only parcels paid on delivery; false: only the others")
    weight_g_min: int | None = Field(default=None, ge=0, description="lightest parcel in grams")
    weight_g_max: int | None = Field(default=None, ge=0, description="heaviest parcel in grams")
    value_min: int | None = Field(default=None, ge=0, description="least value of the goods in whole rupiah")
    value_max: int | None = Field(default=None, ge=0, description="greatest value of the goods in whole rupiah")
    provinces: tuple[str, ...] = Field(default=(), description="names of provinces that the parcel goes to")
    cities: tuple[str, ...] = Field(
        default=(), description='names of cities; "Bandung" is the kota, "Kab. Bandung" the kabupaten around it'
    )
    postal_prefixes: tuple[Prefix, ...] = Field(default=(), description="first digits of the postal code")
    channels: tuple[str, ...] = Field(default=(), description="names of own-site channels")
    companies: tuple[str, ...] = Field(
        default=(), description="courier companies to choose from; without it those of [booking]"
    )
    services: tuple[str, ...] = Field(
        default=(), description='services to choose from: "reg" of any company, "jne:reg" of one; without it all'
    )
    prefer: Prefer | None = Field(default=None, description="cheapest or fastest; without it `rule` of [booking]")
    price_max: int | None = Field(default=None, gt=0, description="most that may be paid, in whole rupiah")
    promise_days_max: int | None = Field(
        default=None, ge=0, description="most days that the courier may promise; without it promise_days of [booking]"
    )
    handover: Handover | None = Field(
        default=None, description="pickup or drop_off, and only offers with it; without it handover of [booking]"
    )
    insure: bool | None = Field(default=None, description="true: insure the goods; without it insure of [booking]")

    @model_validator(mode="after")
    def _ranges(self) -> BookingRule:
        for name in ("weight_g", "value"):
            least, most = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if least is not None and most is not None and least > most:
                raise ValueError(f"{name}_min is above {name}_max: no parcel would fit")
        return self

    def rule(self) -> Rule:
        """The rule as the domain knows it."""
        return Rule(
            name=self.name,
            when=When(
                cod=self.cod,
                weight_g_min=self.weight_g_min,
                weight_g_max=self.weight_g_max,
                value_min=self.value_min,
                value_max=self.value_max,
                provinces=self.provinces,
                cities=self.cities,
                postal_prefixes=self.postal_prefixes,
                channels=self.channels,
            ),
            companies=self.companies,
            services=self.services,
            prefer=self.prefer,
            price_max=self.price_max,
            promise_days_max=self.promise_days_max,
            handover=None if self.handover is None else self.handover.value,
            insure=self.insure,
        )


class BookingSettings(Table):
    """[booking]"""

    companies: tuple[str, ...] = Field(
        default=("jne", "sicepat"),
        min_length=1,
        description="courier companies that may carry own-site parcels, by courier code",
    )
    rule: Literal["cheapest", "fastest"] = Field(
        default="cheapest", description="which offer of these companies is booked where no rule below says otherwise"
    )
    promise_days: int | None = Field(
        default=None, ge=0, le=60, description="only offers that promise delivery within so many days; without it all"
    )
    insure: bool = Field(default=False, description="true: parcels are insured for the value of their goods")
    handover: Handover = Field(
        default=Handover.PICKUP, description="pickup: the courier collects; drop_off: staff bring the parcels"
    )
    quote_cache_s: float = Field(
        default=3600.0, ge=0, le=86400, description="seconds for which an offer of a courier is believed"
    )
    settle_margin_s: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="seconds added to the courier's known read lag before a booking without an answer is looked up",
    )
    rules: tuple[BookingRule, ...] = Field(default=(), description="the rules, in the order in which they are tried")

    @model_validator(mode="after")
    def _names(self) -> BookingSettings:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: {', '.join(twice)} stands twice; each rule needs a name of its own")
        return self

    def terms(self) -> Terms:
        """What counts where no rule fits."""
        return Terms(
            companies=self.companies,
            prefer=Prefer(self.rule),
            promise_days_max=self.promise_days,
            handover=self.handover.value,
            insure=self.insure,
        )

    def courier_rules(self) -> tuple[Rule, ...]:
        return tuple(rule.rule() for rule in self.rules)
