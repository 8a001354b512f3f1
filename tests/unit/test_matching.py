"""Only what is certain is mapped by itself; the rest is suggested."""

from __future__ import annotations

import pytest

from sellersync.domain.matching import Candidate, Catalogue, Match, MatchedBy, suggestions

SKUS = [
    Candidate("KOPI-GAYO-250", "Kopi Gayo Arabika 250 g", "8990001"),
    Candidate("KOPI-GAYO-500", "Kopi Gayo Arabika 500 g", "8990002"),
    Candidate("TEH_100", "Teh Melati 100 g"),
    Candidate("TEH.100", "Teh Hijau 100 g", "8990003"),
    Candidate("GULA", "Gula Aren", "8990003"),
]


@pytest.mark.parametrize(
    ("seller_sku", "barcode", "expected"),
    [
        ("KOPI-GAYO-250", "", Match("KOPI-GAYO-250", MatchedBy.EXACT)),
        (" kopi gayo 250 ", "", Match("KOPI-GAYO-250", MatchedBy.NORMALISED)),
        ("KOPI_GAYO_500", "8990001", Match("KOPI-GAYO-500", MatchedBy.NORMALISED)),
        ("", "8990001", Match("KOPI-GAYO-250", MatchedBy.BARCODE)),
        ("TEH-100", "", None),  # two SKUs look the same without their separators
        ("TEH_100", "", Match("TEH_100", MatchedBy.EXACT)),
        ("", "8990003", None),  # two SKUs share the barcode
        ("", "", None),
        ("KOPI-GAYO-251", "", None),
    ],
)
def test_certain_matches(seller_sku: str, barcode: str, expected: Match | None) -> None:
    assert Catalogue(SKUS).certain_match(seller_sku, barcode) == expected


def test_suggestions_are_ordered_and_never_certain() -> None:
    found = suggestions("KOPI-GAYO-25O", "Kopi Gayo Arabika 250 gram", SKUS)
    assert found[0].code == "KOPI-GAYO-250"
    assert all(match.by is MatchedBy.SUGGESTION for match in found)
    assert len(found) <= 3
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)


def test_nothing_alike_gives_no_suggestion() -> None:
    assert suggestions("ZZZ", "Sepeda Lipat", SKUS) == []
