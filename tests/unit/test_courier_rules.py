"""Which courier's offer is taken: the rules as stories, and as properties of every choice."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.courier_rules import (
    Choice,
    Offer,
    ParcelFacts,
    Prefer,
    Refusal,
    Rule,
    Terms,
    When,
    choose,
    pick,
    read_why,
    terms_for,
    why_text,
    zone_of,
)
from sellersync.settings import BookingRule, BookingSettings

BOTH = ("pickup", "drop_off")
JNE_REG = Offer("biteship", "jne", "reg", "JNE Reguler", 19_000, (2, 3), cod=True, handovers=BOTH)
JNE_YES = Offer("biteship", "jne", "yes", "JNE YES", 38_000, (1, 1))
SICEPAT = Offer("biteship", "sicepat", "reg", "SiCepat Reguler", 17_500, (2, 4), cod=True)
KAJ = Offer("kiriminaja", "jne", "REG23", "JNE Reguler", 18_000, None, cod=True)
OFFERS = (JNE_REG, JNE_YES, SICEPAT, KAJ)
BASE = Terms(companies=("jne", "sicepat"))
PARCEL = ParcelFacts("site", False, 900, 150_000, "Jawa Barat", "Kota Bandung", "40132")


def chosen(
    *rules: Rule, base: Terms = BASE, parcel: ParcelFacts = PARCEL, offers: tuple[Offer, ...] = OFFERS
) -> Choice:
    found = choose(offers, parcel, base, rules)
    assert isinstance(found, Choice), found
    return found


def refused(*rules: Rule, base: Terms = BASE, parcel: ParcelFacts = PARCEL) -> str:
    found = choose(OFFERS, parcel, base, rules)
    assert isinstance(found, Refusal), found
    return found.why


def rule(name: str = "r", when: When | None = None, **more: object) -> Rule:
    return Rule(name=name, when=when or When(), **more)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------------------ stories


def test_without_rules_the_cheapest_is_taken() -> None:
    found = chosen()
    assert (found.offer, found.handover) == (SICEPAT, "pickup")
    assert read_why(found.why) == ("cheapest", {"offers": "4", "of": "4"})


def test_a_promise_leaves_only_those_that_keep_it_and_an_unknown_one_keeps_none() -> None:
    in_time = replace(BASE, promise_days_max=3)
    assert chosen(base=in_time).offer == JNE_REG
    assert read_why(chosen(base=in_time).why) == ("cheapest", {"offers": "2", "of": "4", "days": "3"})
    assert (
        refused(base=replace(BASE, promise_days_max=0)) == "no offer will do: 4 slower than 0 days or without a promise"
    )


def test_the_fastest_and_then_the_cheaper_of_two_as_fast() -> None:
    assert chosen(rule(prefer=Prefer.FASTEST)).offer == JNE_YES
    assert chosen(rule(prefer=Prefer.FASTEST, price_max=20_000)).offer == JNE_REG
    as_fast = replace(JNE_YES, company="sicepat", price=30_000)
    assert chosen(rule(prefer=Prefer.FASTEST), offers=(*OFFERS, as_fast)).offer == as_fast


def test_the_first_rule_that_fits_counts_and_keeps_the_defaults_that_it_does_not_name() -> None:
    bandung = rule("bandung", When(cities=("bandung",)), companies=("jne",))
    west_java = rule("jabar", When(provinces=("JAWA  BARAT",)), companies=("sicepat",))
    assert chosen(bandung, west_java).offer == KAJ
    assert read_why(chosen(bandung, west_java).why)[1]["rule"] == "bandung"
    assert chosen(west_java, bandung).offer == SICEPAT
    assert terms_for(PARCEL, replace(BASE, promise_days_max=3, insure=True), [bandung]).promise_days_max == 3
    assert terms_for(PARCEL, replace(BASE, insure=True), [bandung]).insure is True
    assert terms_for(PARCEL, BASE, [rule(when=When(cod=True))]) == BASE


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        (When(), True),
        (When(cod=False), True),
        (When(cod=True), False),
        (When(weight_g_min=900, weight_g_max=900), True),
        (When(weight_g_min=901), False),
        (When(weight_g_max=899), False),
        (When(value_min=150_000, value_max=150_000), True),
        (When(value_max=149_999), False),
        (When(provinces=("jawa barat",)), True),
        (When(provinces=("Jawa Timur", "Jawa Barat")), True),
        (When(provinces=("Jawa",)), False),
        (When(cities=("Bandung",)), True),
        (When(cities=("KOTA BANDUNG",)), True),
        (When(cities=("Kab. Bandung",)), False),
        (When(postal_prefixes=("41", "401")), True),
        (When(postal_prefixes=("0132",)), False),
        (When(channels=("site",)), True),
        (When(channels=("other",)), False),
        (When(cod=False, channels=("other",)), False),
    ],
)
def test_all_conditions_of_a_rule_must_hold(when: When, fits: bool) -> None:
    assert when.fits(PARCEL) is fits


def test_a_kabupaten_is_not_the_city_inside_it() -> None:
    around = replace(PARCEL, city="Kabupaten Bandung")
    assert When(cities=("kab bandung",)).fits(around)
    assert not When(cities=("Bandung",)).fits(around)


def test_services_are_named_with_or_without_their_company() -> None:
    assert chosen(rule(services=("reg",))).offer == SICEPAT
    assert chosen(rule(services=("jne:reg",))).offer == JNE_REG


def test_cod_takes_only_offers_with_cod() -> None:
    cod = replace(PARCEL, cod=True)
    assert chosen(rule(services=("yes", "jne:reg")), parcel=cod).offer == JNE_REG
    assert refused(rule("kilat", services=("yes",)), parcel=cod) == (
        "no offer will do under the rule kilat: 3 of another company or service, 1 without COD"
    )


def test_a_handover_of_the_defaults_is_wished_for_and_one_of_a_rule_is_demanded() -> None:
    drop_off = replace(BASE, handover="drop_off")
    assert (chosen(base=drop_off).offer, chosen(base=drop_off).handover) == (SICEPAT, "pickup")
    found = chosen(rule(handover="drop_off"))
    assert (found.offer, found.handover) == (JNE_REG, "drop_off")


def test_without_an_offer_the_refusal_says_so() -> None:
    found = choose((), replace(PARCEL, cod=True), BASE, [rule("kilat")])
    assert found == Refusal("no allowed courier offers this route with COD under the rule kilat")
    assert "4 dearer than Rp 1" in refused(rule(price_max=1))


def test_a_zone_is_a_province_or_the_first_digits_of_the_postal_code() -> None:
    assert zone_of("Jawa  Barat", "40132") == "JAWA BARAT"
    assert zone_of("", "40132") == "40"
    assert zone_of("", "") == ""


def test_a_reason_is_read_back() -> None:
    assert read_why(why_text("fastest", {"offers": 2, "rule": "bandung"})) == (
        "fastest",
        {"offers": "2", "rule": "bandung"},
    )
    assert read_why("") == ("", {})


# --------------------------------------------------------------------------------------------------------------------- properties

offers = st.builds(
    Offer,
    account=st.sampled_from(["a", "b"]),
    company=st.sampled_from(["jne", "sicepat", "jnt"]),
    service=st.sampled_from(["reg", "yes", "oke"]),
    name=st.just(""),
    price=st.integers(5_000, 50_000),
    days=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 5)).map(lambda d: (min(d), max(d))),
    cod=st.booleans(),
    handovers=st.sampled_from([("pickup",), ("drop_off",), BOTH]),
)
parcels = st.builds(
    ParcelFacts,
    channel=st.sampled_from(["site", "other"]),
    cod=st.booleans(),
    weight_g=st.integers(1, 5_000),
    value=st.integers(0, 500_000),
    province=st.sampled_from(["Jawa Barat", "Bali", ""]),
    city=st.sampled_from(["Kota Bandung", "Kab. Bandung", "Denpasar", ""]),
    postal_code=st.sampled_from(["40132", "80111", ""]),
)
maybe = st.none() | st.integers(0, 5_000)
whens = st.builds(
    When,
    cod=st.none() | st.booleans(),
    weight_g_min=maybe,
    weight_g_max=maybe,
    cities=st.lists(st.sampled_from(["Bandung", "Denpasar"])).map(tuple),
    postal_prefixes=st.lists(st.sampled_from(["4", "80"])).map(tuple),
)
rules = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["one", "two", "three"]),
        when=whens,
        companies=st.lists(st.sampled_from(["jne", "sicepat", "jnt"])).map(tuple),
        services=st.lists(st.sampled_from(["reg", "jne:yes"])).map(tuple),
        prefer=st.none() | st.sampled_from(Prefer),
        price_max=st.none() | st.integers(5_000, 50_000),
        promise_days_max=st.none() | st.integers(0, 5),
        handover=st.none() | st.sampled_from(BOTH),
    ),
    max_size=3,
)


def meets(offer: Offer, terms: Terms, parcel: ParcelFacts) -> bool:
    return (
        offer.company in terms.companies
        and (
            not terms.services
            or offer.service in terms.services
            or f"{offer.company}:{offer.service}" in terms.services
        )
        and (offer.cod or not parcel.cod)
        and (terms.price_max is None or offer.price <= terms.price_max)
        and (terms.promise_days_max is None or (offer.days is not None and offer.days[1] <= terms.promise_days_max))
        and (not terms.handover_needed or terms.handover in offer.handovers)
    )


@given(st.lists(offers, max_size=8), parcels, rules)
def test_a_choice_meets_every_term_and_nothing_that_meets_them_is_better(
    made: list[Offer], parcel: ParcelFacts, some: list[Rule]
) -> None:
    terms = terms_for(parcel, BASE, some)
    fitting = [offer for offer in made if meets(offer, terms, parcel)]
    found = pick(made, terms, parcel)
    if isinstance(found, Refusal):
        assert fitting == []
        assert found.why
        return
    assert found.offer in fitting
    assert found.handover in found.offer.handovers
    if terms.prefer is Prefer.CHEAPEST:
        assert found.offer.price == min(offer.price for offer in fitting)
    else:
        known = [offer.days[1] for offer in fitting if offer.days is not None]
        assert found.offer.days is None or found.offer.days[1] == min(known)
        assert (found.offer.days is None) == (not known)
    key, values = read_why(found.why)
    assert (key, int(values["offers"]), int(values["of"])) == (terms.prefer.value, len(fitting), len(made))
    assert values.get("rule", "") == terms.rule


@given(st.lists(offers, max_size=8), parcels, rules, st.randoms(use_true_random=False))
def test_the_order_of_the_offers_decides_nothing(
    made: list[Offer], parcel: ParcelFacts, some: list[Rule], random: object
) -> None:
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(made, parcel, BASE, some) == choose(shuffled, parcel, BASE, some)


@given(parcels, rules)
def test_the_first_rule_that_fits_names_the_terms(parcel: ParcelFacts, some: list[Rule]) -> None:
    fitting = [one for one in some if one.when.fits(parcel)]
    assert terms_for(parcel, BASE, some) == (fitting[0].applied(BASE) if fitting else BASE)


# ------------------------------------------------------------------------------------------------------------------- configuration

EXAMPLE = Path(__file__).parents[2] / "config" / "sellersync.example.toml"


def test_the_rule_shown_in_the_example_has_every_key_and_loads() -> None:
    text = EXAMPLE.read_text("utf-8")
    lines = text[text.index("# [[booking.rules]]") :].split("\n\n")[0].splitlines()
    shown = tomllib.loads("\n".join(line.removeprefix("#").strip() for line in lines))
    settings = BookingSettings.model_validate(shown["booking"])
    [raw] = shown["booking"]["rules"]
    assert set(raw) == set(BookingRule.model_fields)
    [made] = settings.courier_rules()
    assert made.when.fits(ParcelFacts("site", True, 1_000, 100_000, "Jawa Barat", "Bandung", "40111"))
    assert made.applied(settings.terms()).handover_needed


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "x", "weight_g_min": 2, "weight_g_max": 1}, "weight_g_min is above weight_g_max"),
        ({"name": "x y"}, "name"),
        ({"name": "x", "postal_prefixes": ["4o"]}, "postal_prefixes"),
        ({"name": "x", "weight": 3}, "weight"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BookingSettings.model_validate({"rules": [rule]})


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="twin stands twice"):
        BookingSettings.model_validate({"rules": [{"name": "twin"}, {"name": "twin"}]})
