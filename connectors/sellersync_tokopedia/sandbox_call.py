"""One checked call to the simulator, and the refusals it may end in (codes and HTTP statuses as observed or documented)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from sellersync.sandbox.kit import Refusal

Json = dict[str, Any]

HTTP_STATUS = {105002: 401, 106001: 401, 36009004: 400, 36009009: 404, 36009002: 429, 36009043: 401}


def refusal(code: int, message: str) -> Refusal:
    body = {"code": code, "message": message, "request_id": "20261121060000SANDBOX", "data": None}
    return Refusal(str(code), httpx.Response(HTTP_STATUS.get(code, 200), json=body))


def bad_parameter(what: str) -> Refusal:
    return refusal(36009004, f"Invalid parameter: {what}")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that passed the common checks: path parameters, query without the common ones, body (`None` when there is none)."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json | None
    origin: str
    """scheme://host of the simulator, for pre-signed document links."""

    def known_fields(self, *names: str) -> Json:
        """The body, which may hold only these fields."""
        body = self.body if self.body is not None else {}
        for name in body:
            if name not in names:
                raise bad_parameter(f"body field {name} is not expected")
        return body

    def page_size(self, least: int, most: int, default: int) -> int:
        text = self.query.get("page_size", str(default))
        if not text.isdigit() or not least <= int(text) <= most:
            raise bad_parameter(f"page_size must be between {least} and {most}")
        return int(text)

    def choice(self, name: str, *choices: str) -> str:
        """A query value out of `choices`, the first being the default."""
        value = self.query.get(name, choices[0])
        if value not in choices:
            raise bad_parameter(f"{name} {value!r}")
        return value


def whole_seconds(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not 1_000_000_000 <= value < 10_000_000_000:
        raise bad_parameter(f"{name} must be unix seconds")
    return value


def id_list(body: Json, name: str, most: int) -> list[str]:
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, str) for item in value):
        raise bad_parameter(f"{name} must be a list of at most {most} strings")
    return value


def page_token(filters: str, position: list[Any]) -> str:
    """An opaque token that is good for the same filters only; it may contain + / =."""
    return base64.b64encode(json.dumps([filters, position]).encode()).decode()


def read_page_token(token: str, filters: str) -> list[Any]:
    try:
        made_for, position = json.loads(base64.b64decode(token, validate=True))
    except (ValueError, binascii.Error, TypeError):
        raise bad_parameter("page_token") from None
    if made_for != filters:
        raise bad_parameter("page_token does not belong to these filters")
    return list(position)


def cut_page(
    rows: list[tuple[int, str]], call: Call, *, size: int, kind: str, descending: bool = False, results_max: int = 0
) -> tuple[list[str], str, int]:
    """(ids of this page, next token, total) of rows in their final order.

    `kind` "keyset" continues behind the last row seen; "offset" counts rows, so rows that leave shift the rest. `results_max` is a
    cap behind which nothing is delivered (0: none).
    """
    filters = json.dumps([call.body, sorted((k, v) for k, v in call.query.items() if k != "page_token")])
    token = call.query.get("page_token", "")
    start = 0
    if token:
        position = read_page_token(token, filters)
        start = int(position[2])
        if kind == "keyset":
            last = (int(position[0]), str(position[1]))
            start = next((n for n, row in enumerate(rows) if (row < last if descending else row > last)), len(rows))
    end = start + size
    if results_max:
        end = min(end, results_max)
    page = rows[start:end]
    more = end < len(rows) and bool(page) and not (results_max and end >= results_max)
    following = page_token(filters, [page[-1][0], page[-1][1], end]) if more else ""
    return [row[1] for row in page], following, len(rows)


Handler = Callable[[Any, Call], Json | None]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: its query parameters beside the common ones, and whether it belongs to a shop (takes `shop_cipher`)."""

    handler: Handler
    query: frozenset[str] = frozenset()
    shop: bool = True
    body_required: bool = False
