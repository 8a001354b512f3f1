"""Which SKU is a listing? Exact first, then normalised, then by barcode; anything less is a suggestion for a person (L7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

_SEPARATORS = re.compile(r"[\s\-_./+]+")
_WORDS = re.compile(r"[a-z0-9]+")
SUGGESTIONS_MAX = 3
SCORE_MIN = 0.55


class MatchedBy(StrEnum):
    """How certain a match is, best first. Only the first three are taken without a person."""

    EXACT = "exact"
    NORMALISED = "normalised"
    BARCODE = "barcode"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A SKU of the ledger as matching sees it."""

    code: str
    title: str = ""
    barcode: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A SKU code with how it was found; `score` is 1.0 for certain matches."""

    code: str
    by: MatchedBy
    score: float = 1.0


def normalised(code: str) -> str:
    """Case, blanks and separators aside: "Kopi-250 " and "KOPI_250" are one."""
    return _SEPARATORS.sub("", code.casefold())


class Catalogue:
    """The ledger's SKUs, indexed for matching."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates: list[Candidate] = []
        self._codes: set[str] = set()
        self._normalised: dict[str, list[str]] = {}
        self._barcodes: dict[str, list[str]] = {}
        for candidate in candidates:
            self.add(candidate)

    def add(self, candidate: Candidate) -> None:
        """A new SKU."""
        self.candidates.append(candidate)
        self._codes.add(candidate.code)
        self._normalised.setdefault(normalised(candidate.code), []).append(candidate.code)
        if candidate.barcode:
            self._barcodes.setdefault(candidate.barcode, []).append(candidate.code)

    def certain_match(self, seller_sku: str, barcode: str) -> Match | None:
        """The one SKU that a listing certainly is; `None` when there is none or more than one of a kind."""
        wanted = seller_sku.strip()
        if wanted in self._codes:
            return Match(wanted, MatchedBy.EXACT)
        near = self._normalised.get(normalised(wanted), []) if wanted else []
        if len(near) == 1:
            return Match(near[0], MatchedBy.NORMALISED)
        same = self._barcodes.get(barcode.strip(), []) if barcode.strip() else []
        return Match(same[0], MatchedBy.BARCODE) if len(same) == 1 else None


def suggestions(seller_sku: str, title: str, candidates: Sequence[Candidate]) -> list[Match]:
    """Likely SKUs for a person to confirm, best first, at most three. Never taken without one."""
    scored = [
        Match(candidate.code, MatchedBy.SUGGESTION, _score(seller_sku, title, candidate)) for candidate in candidates
    ]
    good = [match for match in scored if match.score >= SCORE_MIN]
    return sorted(good, key=lambda match: (-match.score, match.code))[:SUGGESTIONS_MAX]


def _score(seller_sku: str, title: str, candidate: Candidate) -> float:
    by_code = (
        SequenceMatcher(None, normalised(seller_sku), normalised(candidate.code)).ratio() if seller_sku.strip() else 0.0
    )
    ours, theirs = set(_WORDS.findall(candidate.title.casefold())), set(_WORDS.findall(title.casefold()))
    by_words = len(ours & theirs) / len(ours | theirs) if ours and theirs else 0.0
    return round(max(by_code, by_words), 3)
