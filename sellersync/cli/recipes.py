"""Recipes as people write them: `KOPI-250=2+TEH-100=1`, or the parts as separate words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sellersync.domain.errors import BadInput

_PART = re.compile(r"\s*(?P<sku>.+?)\s*=\s*(?P<quantity>[^=+]*?)\s*(?:\+|$)")
EXPECTED = "expected is SKU=QUANTITY, several joined with +, for example KOPI-250=2+TEH-100=1"


def parse_parts(parts: Iterable[str]) -> dict[str, int]:
    """SKU code -> quantity from words `SKU` or `SKU=QTY`. Raises `BadInput`."""
    recipe: dict[str, int] = {}
    for part in parts:
        sku, equals, number = part.rpartition("=")
        if not equals:
            sku, number = part, "1"
        _add(recipe, sku, number, part)
    return recipe


def parse_recipe(text: str) -> dict[str, int]:
    """SKU code -> quantity from one cell. A text without `=` is one SKU in single units. Raises `BadInput`."""
    if "=" not in text:
        return parse_parts([text.strip()])
    recipe: dict[str, int] = {}
    end = 0
    while end < len(text):
        part = _PART.match(text, end)
        if part is None:
            raise BadInput(f"recipe {text!r}: {EXPECTED}")
        _add(recipe, part["sku"], part["quantity"], part[0].removesuffix("+").strip())
        end = part.end()
    return recipe


def _add(recipe: dict[str, int], sku: str, number: str, part: str) -> None:
    if not sku or not (number.isascii() and number.isdecimal()) or int(number) < 1:
        raise BadInput(f"{part!r}: expected is SKU or SKU=QUANTITY with a quantity of at least 1")
    if sku in recipe:
        raise BadInput(f"{sku} is named twice; add the quantities up")
    recipe[sku] = int(number)


def recipe_text(recipe: Mapping[str, int]) -> str:
    """The recipe as `parse_recipe` reads it; "" for none."""
    return "+".join(f"{sku}={quantity}" for sku, quantity in recipe.items())
