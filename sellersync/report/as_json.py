"""The report as plain values for scripts: every figure, and each finding with its sentence and command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from .commands import command
from .model import Need, Report
from .words import Words

VERSION = 1
"""Rises when a key changes its meaning or goes away."""


def render_json(report: Report) -> dict[str, Any]:
    """JSON-ready values. Times are ISO 8601 in UTC, amounts whole rupiah, unknown is `None`."""
    words = Words(report.language, report.zone, report.now)
    return {"version": VERSION, "running": report.running, "attention": report.attention, **_fields(report, words)}


def _fields(value: Any, words: Words) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name), words) for field in fields(value)}


def _plain(value: Any, words: Words) -> Any:
    if isinstance(value, Need):
        return {**_fields(value, words), "sentence": words.finding(value), "command": command(value)}
    if is_dataclass(value):
        return _fields(value, words)
    if isinstance(value, ZoneInfo):
        return value.key
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item, words) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, words) for item in value]
    return value
