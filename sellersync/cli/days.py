"""Days as people write them in options."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sellersync.domain.errors import BadInput

_AWAY = {"yesterday": -1, "today": 0, "tomorrow": 1}


def day_named(text: str, today: date, *, option: str, words: Sequence[str] = ("today",)) -> date:
    """YYYY-MM-DD, or one of `words` (yesterday, today, tomorrow) seen from the shop's `today`. Raises `BadInput`."""
    if text in words:
        return today + timedelta(days=_AWAY[text])
    try:
        return date.fromisoformat(text)
    except ValueError:
        known = " or ".join([", ".join(["YYYY-MM-DD", *words[:-1]]), words[-1]])
        raise BadInput(f"{option} {text!r}: expected is {known}") from None
