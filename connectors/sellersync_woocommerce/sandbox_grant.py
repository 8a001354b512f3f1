"""The simulated shop's page `/wc-auth/v1/authorize`: what it checks, and what happens when the owner agrees.

Facts: read in the source of WooCommerce 10.0.2, the request that it posts was measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from urllib.parse import parse_qs, unquote, urlsplit

from .sandbox_auth import Key

Post = Callable[[str, dict[str, str], bytes], int]
NEEDED = ("app_name", "user_id", "return_url", "callback_url", "scope")


class Grants:
    """Grants keys. `keys` is the list that the shop's doorman looks at."""

    def __init__(self, keys: list[Key], rng: Random) -> None:
        self._keys = keys
        self._rng = rng
        self._serial = 1

    def agree(self, page: str, post: Post) -> str:
        """The owner opens `page` and agrees; `post(address, headers, body)` is the internet and returns the status. The result is where
        the browser is sent. Raises `ValueError` with the words of the error page; the key is gone then."""
        split = urlsplit(page)
        if split.path != "/wc-auth/v1/authorize":
            raise ValueError("404")
        given = {name: values[0] for name, values in parse_qs(split.query).items()}
        for name in NEEDED:
            if not given.get(name):
                raise ValueError(f"Missing parameter {name}")
        if given["scope"] not in ("read", "write", "read_write"):
            raise ValueError(f"Invalid scope {given['scope']}")
        callback, back = unquote(given["callback_url"]), unquote(given["return_url"])
        for address in (callback, back):
            if not urlsplit(address).netloc:
                raise ValueError(f"The {address} is not a valid URL")
        if not callback.lower().startswith("https://"):
            raise ValueError("The callback_url needs to be over SSL")
        self._serial += 1
        key = Key(f"ck_{self._rng.getrandbits(160):040x}", f"cs_{self._rng.getrandbits(160):040x}", given["scope"])  # type: ignore[arg-type]
        self._keys.append(key)
        body = {
            "key_id": self._serial,
            "user_id": given["user_id"],
            "consumer_key": key.consumer_key,
            "consumer_secret": key.consumer_secret,
            "key_permissions": given["scope"],
        }
        if post(callback, {"Content-Type": "application/json;charset=UTF-8"}, json.dumps(body).encode()) != 200:
            self._keys.remove(key)
            raise ValueError("An error occurred in the request and at the time were unable to send the consumer data")
        return f"{back}{'&' if '?' in back else '?'}success=1&user_id={given['user_id']}"
