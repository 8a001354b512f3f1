"""Which courier's offer is taken for a parcel: the seller's rules, as a pure function of the offers and the parcel.

`terms_for` says what counts for a parcel (the first rule that fits, else the defaults): it decides what couriers are asked for. `pick`
takes one of their offers, or says why none will do. The same offers in any order give the same choice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

PICKUP = "pickup"


class Prefer(StrEnum):
    """What decides between several offers that will do."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"


@dataclass(frozen=True, slots=True)
class Offer:
    """One service of one courier account. `price` is whole rupiah, `days` the promised (fastest, slowest) or `None`."""

    account: str
    company: str
    service: str
    name: str
    price: int
    days: tuple[int, int] | None = None
    cod: bool = False
    handovers: tuple[str, ...] = (PICKUP,)


@dataclass(frozen=True, slots=True)
class ParcelFacts:
    """What rules look at: weight in grams, value of the goods in whole rupiah, where it goes."""

    channel: str
    cod: bool
    weight_g: int
    value: int
    province: str = ""
    city: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions of a rule: all that are set must hold; of a list, one entry must."""

    cod: bool | None = None
    weight_g_min: int | None = None
    weight_g_max: int | None = None
    value_min: int | None = None
    value_max: int | None = None
    provinces: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    postal_prefixes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def fits(self, parcel: ParcelFacts) -> bool:
        return (
            self.cod in (None, parcel.cod)
            and _within(parcel.weight_g, self.weight_g_min, self.weight_g_max)
            and _within(parcel.value, self.value_min, self.value_max)
            and (not self.provinces or folded(parcel.province) in map(folded, self.provinces))
            and (not self.cities or folded_city(parcel.city) in map(folded_city, self.cities))
            and (not self.postal_prefixes or (parcel.postal_code.startswith(self.postal_prefixes)))
            and (not self.channels or parcel.channel in self.channels)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an offer must be like. `handover` is wished for, and demanded where `handover_needed`; `rule` is the rule's name or ""."""

    companies: tuple[str, ...]
    services: tuple[str, ...] = ()
    prefer: Prefer = Prefer.CHEAPEST
    price_max: int | None = None
    promise_days_max: int | None = None
    handover: str = PICKUP
    handover_needed: bool = False
    insure: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Conditions, and what is chosen where they hold; what is not set stays as the defaults have it."""

    name: str
    when: When
    companies: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    prefer: Prefer | None = None
    price_max: int | None = None
    promise_days_max: int | None = None
    handover: str | None = None
    insure: bool | None = None

    def applied(self, base: Terms) -> Terms:
        return replace(
            base,
            rule=self.name,
            companies=self.companies or base.companies,
            services=self.services or base.services,
            prefer=self.prefer or base.prefer,
            price_max=base.price_max if self.price_max is None else self.price_max,
            promise_days_max=base.promise_days_max if self.promise_days_max is None else self.promise_days_max,
            handover=self.handover or base.handover,
            handover_needed=base.handover_needed or self.handover is not None,
            insure=base.insure if self.insure is None else self.insure,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """The offer that is taken, how the parcel is handed over, and why (see `why_text`)."""

    offer: Offer
    handover: str
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """No offer will do. `why` is a sentence for the seller."""

    why: str


def terms_for(parcel: ParcelFacts, base: Terms, rules: Sequence[Rule]) -> Terms:
    """What counts for this parcel: the first rule that fits, else `base`."""
    rule = next((rule for rule in rules if rule.when.fits(parcel)), None)
    return base if rule is None else rule.applied(base)


def pick(offers: Iterable[Offer], terms: Terms, parcel: ParcelFacts) -> Choice | Refusal:
    """The offer that the terms prefer among those that meet them. Ties go to the lower price, then to the quicker, then by name."""
    offers = list(offers)
    failings = [_failing(offer, terms, parcel) for offer in offers]
    fitting = [offer for offer, failing in zip(offers, failings, strict=True) if failing is None]
    if not fitting:
        return Refusal(_refusal([failing for failing in failings if failing], terms, parcel))
    by_price = terms.prefer is Prefer.CHEAPEST
    best = min(fitting, key=_by_price if by_price else _by_days)
    values: dict[str, object] = {"offers": len(fitting), "of": len(offers)}
    if terms.promise_days_max is not None:
        values["days"] = terms.promise_days_max
    if terms.rule:
        values["rule"] = terms.rule
    handover = terms.handover if terms.handover in best.handovers else best.handovers[0]
    return Choice(best, handover, why_text(terms.prefer.value, values))


def choose(offers: Iterable[Offer], parcel: ParcelFacts, base: Terms, rules: Sequence[Rule]) -> Choice | Refusal:
    """`pick` under `terms_for`."""
    return pick(offers, terms_for(parcel, base, rules), parcel)


# ------------------------------------------------------------------------------------------------------------------------- the reason


def why_text(key: str, values: Mapping[str, object]) -> str:
    """A reason as it is kept with the booking: a key and its values, to be worded in the reader's language."""
    return " ".join([key, *(f"{name}={value}" for name, value in values.items())])


def read_why(text: str) -> tuple[str, dict[str, str]]:
    """Key and values of a kept reason."""
    key, *rest = text.split() or [""]
    return key, dict(part.split("=", 1) for part in rest if "=" in part)


# ---------------------------------------------------------------------------------------------------------------------------- places


def folded(name: str) -> str:
    return " ".join(name.casefold().split())


def folded_city(name: str) -> str:
    """A city's name without its "kota"; a kabupaten stays apart from the city inside it."""
    text = folded(name).replace(".", " ")
    text = re.sub(r"^(kabupaten|kab)\s+", "kab ", text)
    return folded(re.sub(r"^kota\s+(?!.*administrasi)", "", text))


def zone_of(province: str, postal_code: str) -> str:
    """Where a parcel goes, as coarse as a province; without one the first two digits of the postal code; "" when nobody knows."""
    return folded(province).upper() or postal_code[:2]


# ---------------------------------------------------------------------------------------------------------------------------- inside


def _within(value: int, least: int | None, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _by_price(offer: Offer) -> tuple[object, ...]:
    return offer.price, *_speed(offer), *_names(offer)


def _by_days(offer: Offer) -> tuple[object, ...]:
    return *_speed(offer), offer.price, *_names(offer)


def _names(offer: Offer) -> tuple[object, ...]:
    return offer.company, offer.service, offer.account, offer.name, offer.cod, offer.handovers


def _speed(offer: Offer) -> tuple[bool, int, int]:
    """A promise that nobody gave is slower than any."""
    fastest, slowest = offer.days or (0, 0)
    return offer.days is None, slowest, fastest


_OTHER_SERVICE, _NO_COD, _TOO_SLOW, _TOO_DEAR, _NO_HANDOVER = "service", "cod", "days", "price", "handover"


def _failing(offer: Offer, terms: Terms, parcel: ParcelFacts) -> str | None:
    """The first of the terms that an offer does not meet."""
    if offer.company not in terms.companies or (
        terms.services and not {offer.service, f"{offer.company}:{offer.service}"} & set(terms.services)
    ):
        return _OTHER_SERVICE
    if parcel.cod and not offer.cod:
        return _NO_COD
    if terms.promise_days_max is not None and (offer.days is None or offer.days[1] > terms.promise_days_max):
        return _TOO_SLOW
    if terms.price_max is not None and offer.price > terms.price_max:
        return _TOO_DEAR
    if terms.handover_needed and terms.handover not in offer.handovers:
        return _NO_HANDOVER
    return None


def _refusal(failings: Sequence[str], terms: Terms, parcel: ParcelFacts) -> str:
    by_rule = f" under the rule {terms.rule}" if terms.rule else ""
    if not failings:
        return f"no allowed courier offers this route{' with COD' if parcel.cod else ''}{by_rule}"
    words = {
        _OTHER_SERVICE: "of another company or service",
        _NO_COD: "without COD",
        _TOO_SLOW: f"slower than {terms.promise_days_max} days or without a promise",
        _TOO_DEAR: f"dearer than Rp {terms.price_max}",
        _NO_HANDOVER: f"without {terms.handover.replace('_', '-')}",
    }
    counted = Counter(failings)
    reasons = ", ".join(f"{counted[key]} {text}" for key, text in words.items() if counted[key])
    return f"no offer will do{by_rule}: {reasons}"
