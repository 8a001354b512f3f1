"""The simulator's token service: consent codes, access tokens, rotating refresh tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from .sandbox_call import Json, bad_parameter, refusal

INVALID_GRANT = 36004004
"""Seen for a bad code; the code for a bad refresh token is not documented."""
CODE_LIFE_S = 1800


class TokenOffice:
    """`refresh_uses` is how often a refresh token works: once, or once more (a switch of the simulator)."""

    def __init__(self, app_key: str, app_secret: str, now_s: Callable[[], int], rng: Random, refresh_uses: int) -> None:
        self.access_life_s = 7 * 86_400
        self.refresh_life_s = 365 * 86_400
        self.serial = 0
        self._keys = {"app_key": app_key, "app_secret": app_secret}
        self._now_s = now_s
        self._rng = rng
        self._refresh_uses = refresh_uses
        self._access: dict[str, int] = {}
        self._grants: dict[tuple[str, str], tuple[int, int]] = {}
        """(parameter, value) -> (end, uses left) of codes and refresh tokens."""

    def valid(self, access_token: str) -> bool:
        return self._access.get(access_token, 0) > self._now_s()

    def answer(self, kind: str, query: Mapping[str, str]) -> Json:
        """`get` exchanges a code, `refresh` a refresh token, both for a new pair."""
        given, grant_type = ("auth_code", "authorized_code") if kind == "get" else ("refresh_token", "refresh_token")
        if set(query) != {"app_key", "app_secret", "grant_type", given} or query["grant_type"] != grant_type:
            raise bad_parameter("grant_type or parameters")
        if any(query[name] != value for name, value in self._keys.items()):
            raise refusal(36009004, "Invalid app_key or app_secret")
        ends, uses = self._grants.get((given, query[given]), (0, 0))
        if ends <= self._now_s() or uses < 1:
            raise refusal(INVALID_GRANT, f"invalid {given}")
        self._grants[given, query[given]] = (ends, uses - 1)
        return self.pair()

    def pair(self) -> Json:
        """A new pair; both ends are absolute seconds in spite of their names."""
        self.serial += 1
        access = f"ROW_access{self.serial}_{self._rng.getrandbits(64):016x}"
        refresh = f"ROW_refresh{self.serial}_{self._rng.getrandbits(64):016x}"
        self._access[access] = self._now_s() + self.access_life_s
        refresh_ends = self._now_s() + self.refresh_life_s
        self._grants["refresh_token", refresh] = (refresh_ends, self._refresh_uses)
        return {
            "access_token": access,
            "access_token_expire_in": self._access[access],
            "refresh_token": refresh,
            "refresh_token_expire_in": refresh_ends,
            "open_id": "demoOpenId",
            "seller_name": "Toko Contoh",
            "seller_base_region": "ID",
            "user_type": 0,
            "granted_scopes": ["seller.order.info", "seller.product.basic", "seller.fulfillment.basic"],
        }

    def code(self) -> str:
        code = f"ROW_code_{self._rng.getrandbits(64):016x}"
        self._grants["auth_code", code] = (self._now_s() + CODE_LIFE_S, 1)
        return code

    def expire_access(self) -> None:
        self._access.clear()

    def expire_grants(self) -> None:
        self._grants.clear()
