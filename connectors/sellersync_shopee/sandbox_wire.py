"""Envelopes, refusals and parameter checks of the simulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import httpx

from sellersync.sandbox.kit import Refusal

Query = Mapping[str, list[str]]
REQUEST_ID = "b1c2d3e4f5a60718293a4b5c6d7e8f90"
SIGNED = frozenset({"partner_id", "timestamp", "access_token", "shop_id", "sign"})


def reply(payload: Mapping[str, Any], status: int = 200) -> httpx.Response:
    content = json.dumps({"error": "", "message": "", "request_id": REQUEST_ID, **payload}, separators=(",", ":"))
    return httpx.Response(status, headers={"content-type": "application/json"}, content=content.encode())


def ok(response: Any = None, **extra: Any) -> httpx.Response:
    """A successful envelope; `response` is left out where the endpoint has none."""
    return reply(extra if response is None else {"response": response, **extra})


def refuse(code: str, message: str, *, status: int = 200, **extra: Any) -> NoReturn:
    raise Refusal(code.strip(), reply({"error": code, "message": message, **extra}, status))


def text(query: Query, name: str, default: str | None = None) -> str:
    """A parameter that is given once; without a default it is required."""
    values = query.get(name, [])
    if len(values) > 1:
        refuse("error_param", f"{name} is given {len(values)} times")
    if not values:
        if default is None:
            refuse("error_param", f"Wrong parameters, detail: {name} is a required field.")
        return default
    return values[0]


def number(query: Query, name: str) -> int:
    value = text(query, name)
    if not value.isdigit():
        refuse("error_param", f"Wrong parameters, detail: {name} must be a number.")
    return int(value)


def ids(query: Query, name: str, count_max: int) -> list[str]:
    """A comma-joined list of 1 to `count_max` ids."""
    values = [value for value in text(query, name).split(",") if value]
    if not 1 <= len(values) <= count_max:
        refuse("error_param", f"{name} must hold 1 to {count_max} ids")
    return values


def rows(body: Mapping[str, Any], name: str, count_max: int) -> list[dict[str, Any]]:
    """A list of 1 to `count_max` objects in a body."""
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        refuse("error_param", f"Wrong parameters, detail: {name} is a required field.")
    if not 1 <= len(value) <= count_max:
        refuse("error_param", f"{name} must hold 1 to {count_max} entries")
    return value


def restrict(query: Query, allowed: str) -> None:
    """Refuse a parameter that the endpoint does not have, so that a slip of the pen is seen."""
    unknown = set(query) - set(allowed.split()) - SIGNED
    if unknown:
        refuse("error_param", f"Wrong parameters, detail: unknown {sorted(unknown)}.")
