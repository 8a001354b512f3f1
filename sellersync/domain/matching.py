"""Which SKU is a listing? Exact first, then normalised, then by barcode; anything less is a suggestion for a person (L7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def certain_match(seller_sku: str, barcode: str, candidates: Sequence[Candidate]) -> Match | None:
    """The one SKU that a listing certainly is; `None` when there is none or more than one of a kind."""
    wanted = seller_sku.strip()
    if wanted:
        if any(candidate.code == wanted for candidate in candidates):
            return Match(wanted, MatchedBy.EXACT)
        near = [candidate.code for candidate in candidates if normalised(candidate.code) == normalised(wanted)]
        if len(near) == 1:
            return Match(near[0], MatchedBy.NORMALISED)
    code = barcode.strip()
    if code:
        same = [candidate.code for candidate in candidates if candidate.barcode == code]
        if len(same) == 1:
            return Match(same[0], MatchedBy.BARCODE)
    return None


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
