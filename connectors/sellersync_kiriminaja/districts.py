"""From an address to KiriminAja's district id (kecamatan): read once, kept, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sellersync.connector.contract import Place
from sellersync.domain.errors import RejectClass, Rejected, Unrecognised
from sellersync.domain.times import Clock

from .api import SEARCH_LENGTH_MIN, Api

CACHE_AGE_S_MAX = 7 * 86_400.0
CACHE_SIZE_MAX = 5_000
CANDIDATES_TOLD_MAX = 5

_KINDS = re.compile(r"\b(kecamatan|kec|kabupaten|kab|kotamadya|kota|administrasi|adm)\b\.?")


@dataclass(frozen=True, slots=True)
class District:
    """A candidate. `postal_code` is "" where the search does not tell it."""

    id: int
    name: str
    city: str
    province: str
    postal_code: str = ""

    def __str__(self) -> str:
        return ", ".join(part for part in (self.name, self.city, self.province) if part)


def plain(text: str) -> str:
    """A place name for comparing: lower case, without "Kec.", "Kota", "Kabupaten" and the like."""
    return " ".join(re.findall(r"[a-z0-9]+", _KINDS.sub(" ", text.lower())))


def districts_by_name(raw: dict[str, Any]) -> tuple[District, ...]:
    """`{"id": 5789, "text": "Ngemplak, Kabupaten Sleman, DI Yogyakarta"}` rows."""
    found = []
    for row in _rows(raw):
        parts = _parts(row.get("text"))
        if type(row.get("id")) is int and parts:
            name, city, province = (*parts, "", "")[:3]
            found.append(District(row["id"], name, city, province))
    return tuple(found)


def districts_by_postal_code(raw: dict[str, Any], postal_code: str) -> tuple[District, ...]:
    """`{"district_id": 2275, "full_address": "Sidokerto, Mojowarno, Jombang, Jawa Timur, 61475"}` rows, one a village: only those of
    exactly this postal code (the search is a loose one), each district once."""
    found: dict[int, District] = {}
    for row in _rows(raw):
        parts = _parts(row.get("full_address"))
        if type(row.get("district_id")) is int and len(parts) == 5 and parts[4] == postal_code:
            found.setdefault(
                row["district_id"], District(row["district_id"], parts[1], parts[2], parts[3], postal_code)
            )
    return tuple(found.values())


def matching(candidates: Iterable[District], place: Place) -> tuple[District, ...]:
    """The candidates that contradict nothing in the address: the district's own name where the address has one, the city (some shops
    ask for the district there), and the province as far as it tells candidates apart."""
    left = list(candidates)
    if plain(place.district):
        left = [one for one in left if plain(one.name) == plain(place.district)]
    if plain(place.city):
        exact = [one for one in left if one.city.strip().lower() == place.city.strip().lower()]
        left = exact or [one for one in left if _within(one.city, place.city) or _within(one.name, place.city)]
    if plain(place.province):
        left = [one for one in left if plain(one.province) == plain(place.province)] or left
    return tuple(left)


def _within(one: str, other: str) -> bool:
    """One name is the other, or stands in it as whole words ("Coblong, Bandung" names Bandung)."""
    return f" {plain(one)} " in f" {plain(other)} " or f" {plain(other)} " in f" {plain(one)} "


class Districts:
    """Looks districts up. Answers are kept, empty ones too: a bad address is tried again every few minutes, and KiriminAja suspends
    keys that search too often."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._kept: dict[str, tuple[float, tuple[District, ...]]] = {}

    async def id_of(self, place: Place, side: str) -> int:
        """The district id of a place: its own where it carries one, else by district name, else by postal code.

        Raises `Rejected` BAD_DATA naming the candidates where the address fits none or several; `side` names the field.
        """
        if place.area_id.isdecimal():
            return int(place.area_id)
        if len(plain(place.district)) < SEARCH_LENGTH_MIN and not place.postal_code:
            raise _unclear(side, "a district (kecamatan) of three letters or more, or a postal code is needed")
        seen: tuple[District, ...] = ()
        matched: tuple[District, ...] = ()
        if len(plain(place.district)) >= SEARCH_LENGTH_MIN:
            seen = await self._by_name(plain(place.district))
            matched = matching(seen, place)
            if len(matched) == 1:
                return matched[0].id
        if place.postal_code:
            coded = await self._by_postal_code(place.postal_code)
            seen = matched or coded or seen
            named = {one.id for one in matched}
            matched = tuple(one for one in matching(coded, place) if not named or one.id in named)
            if len(matched) == 1:
                return matched[0].id
        raise _unclear(side, _candidates(matched or seen, several=len(matched) > 1))

    async def _by_name(self, name: str) -> tuple[District, ...]:
        known = self._known(name)
        return self._keep(name, districts_by_name(await self._api.address_by_name(name))) if known is None else known

    async def _by_postal_code(self, postal_code: str) -> tuple[District, ...]:
        known = self._known(postal_code)
        if known is not None:
            return known
        return self._keep(postal_code, districts_by_postal_code(await self._api.addresses(postal_code), postal_code))

    def _known(self, key: str) -> tuple[District, ...] | None:
        until, found = self._kept.get(key, (0.0, ()))
        return found if self._clock.monotonic() < until else None

    def _keep(self, key: str, found: tuple[District, ...]) -> tuple[District, ...]:
        self._kept.pop(key, None)
        if len(self._kept) >= CACHE_SIZE_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._clock.monotonic() + CACHE_AGE_S_MAX, found)
        return found


def _candidates(found: Sequence[District], *, several: bool) -> str:
    if not found:
        return "KiriminAja knows no such district or postal code"
    told = "; ".join(str(one) for one in found[:CANDIDATES_TOLD_MAX])
    more = f" and {len(found) - CANDIDATES_TOLD_MAX} more" if len(found) > CANDIDATES_TOLD_MAX else ""
    if several:
        return f"the address fits several districts: {told}{more}; name the district (kecamatan) and the city"
    return f"the district, city and postal code do not fit together; KiriminAja knows: {told}{more}"


def _unclear(side: str, sentence: str) -> Rejected:
    return Rejected(side, f"{side}: {sentence}", RejectClass.BAD_DATA, details={f"{side}.district": sentence})


def _rows(raw: dict[str, Any]) -> list[dict[str, Any]]:
    rows = raw.get("data")
    if not isinstance(rows, list):
        raise Unrecognised("addresses without a list", str(sorted(raw)))
    return [row for row in rows if isinstance(row, dict)]


def _parts(text: object) -> list[str]:
    return [part.strip() for part in text.split(",")] if isinstance(text, str) and text.strip() else []
