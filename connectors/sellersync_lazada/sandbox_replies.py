"""How the simulated platform words its answers and refusals, and reads its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx

from sellersync.sandbox.kit import Refusal

JAKARTA = timezone(timedelta(hours=7))


def refuse(code: str, message: str, *, kind: str = "ISP", **more: Any) -> Refusal:
    """An error envelope: HTTP 200, as every recorded one."""
    body = {"code": code, "type": kind, "message": message, **more, "request_id": "0a1b2c3d00000000"}
    return Refusal(code, httpx.Response(200, json=body))


def quoted(value: Any) -> Any:
    """Every scalar as text, as the reference renders its samples."""
    if isinstance(value, dict):
        return {key: quoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [quoted(inner) for inner in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def number(parameters: Mapping[str, str], name: str, default: int, *, low: int, high: int, code: str) -> int:
    """A bounded integer parameter, refused with `code`."""
    raw = parameters.get(name, str(default))
    if not raw.isdigit() or not low <= int(raw) <= high:
        raise refuse(code, f"E{code}: Invalid {name}")
    return int(raw)


def instant(parameters: Mapping[str, str], name: str) -> float | None:
    """An ISO 8601 time with its zone as unix seconds, refused with 17."""
    raw = parameters.get(name)
    if raw is None:
        return None
    try:
        parsed = datetime.fromisoformat(raw)
    except ValueError:
        raise refuse("17", f"E017: Invalid Date Format {name}") from None
    if parsed.tzinfo is None:
        raise refuse("17", f"E017: Invalid Date Format {name}")
    return parsed.timestamp()


def required(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise refuse("MissingParameter", f'The input parameter "{name}" that is mandatory is missing', kind="ISV")
    return parameters[name]


def json_parameter(parameters: Mapping[str, str], name: str, *, code: str) -> Any:
    try:
        return json.loads(required(parameters, name))
    except ValueError:
        raise refuse(code, f"E{code}: {name} is no JSON") from None


def failed_result(code: str, message: str) -> Refusal:
    """A fulfilment envelope whose `result` failed as a whole."""
    result = {"success": False, "error_code": code, "error_msg": message}
    return Refusal(code, httpx.Response(200, json={"code": "0", "result": result, "request_id": "0a1b2c3d00000000"}))


def time_text(epoch_s: float, form: str) -> str:
    """A time in an answer: `2026-11-20 09:14:03 +0700` in traffic, ISO 8601 in the reference's samples."""
    local = datetime.fromtimestamp(int(epoch_s), JAKARTA)
    return local.isoformat() if form == "iso" else local.strftime("%Y-%m-%d %H:%M:%S %z")
