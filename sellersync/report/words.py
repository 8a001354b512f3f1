"""Values into words: sentences, rupiah, numbers, dates and spans as Indonesians write them. The only home of babel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal

from sellersync.domain.oversell import Cause

from . import words_en, words_id
from .model import Language, Need, NeedGroup
from .model_money import Amount
from .oversell_words import CAUSES
from .page import Shown
from .period import Period

_LANGUAGES: dict[Language, ModuleType] = {"id": words_id, "en": words_en}
NOTHING = "–"
LISTED_MAX = 5


class _Values(dict[str, Any]):
    """Values for a template; what is missing stands as a dash, so that an older finding still has its sentence."""

    def __missing__(self, key: str) -> str:
        return NOTHING


class Words:
    """One language and one zone. Everything it returns is plain text."""

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self.language = language
        self.zone = zone
        self.now = now
        self._own = _LANGUAGES[language]
        self._locale: str = self._own.LOCALE

    def say(self, key: str, **values: Any) -> str:
        """A label or sentence. Raises `KeyError` for a key without words: a bug."""
        template: str = self._own.LABELS[key]
        return template.format(**values) if values else template

    # ------------------------------------------------------------------------------------------------------------------- numbers

    def number(self, value: int) -> str:
        return Shown(format_decimal(value, locale=self._locale), value, "count")

    def decimal(self, value: float) -> str:
        """At most one digit behind the comma."""
        return Shown(format_decimal(value, format="#,##0.#", locale=self._locale), value, "decimal")

    def rupiah(self, amount: int | None) -> str:
        """Whole rupiah; unknown is said, never 0."""
        if amount is None:
            return self.say("unknown")
        text = format_currency(amount, "IDR", format="¤#,##0", currency_digits=False, locale=self._locale)
        return Shown(text, amount, "rupiah")

    def money(self, amount: Amount) -> str:
        """A sum with what is missing from it."""
        if amount.known is not None and amount.unknown:
            return self.say("money_partly", known=self.rupiah(amount.known), count=self.number(amount.unknown))
        return self.rupiah(amount.known)

    def change(self, now: int | None, before: int | None) -> str:
        """By how many percent a figure changed; a dash where one of them is unknown or there was nothing before."""
        if now is None or not before:
            return NOTHING
        percent = (abs(now - before) * 200 + before) // (2 * before)
        sign = "+" if now >= before else "−"
        return f"{sign}{self.number(percent)}%" if percent else "0%"

    # --------------------------------------------------------------------------------------------------------------------- times

    def day(self, day: date) -> str:
        """Sabtu, 21 November 2026."""
        return Shown(format_date(day, "full", locale=self._locale), day, "day")

    def short_day(self, day: date) -> str:
        """Sab 14 Nov."""
        return Shown(format_date(day, "EEE d MMM", locale=self._locale), day, "day")

    def period(self, period: Period) -> str:
        """What a report is about, as its heading."""
        if period.kind == "month":
            return str(format_date(period.first, "MMMM y", locale=self._locale))
        if period.kind == "week":
            first, last = (format_date(day, "d MMM", locale=self._locale) for day in (period.first, period.last))
            return self.say("week_of", week=period.week, year=period.name[:4], first=first, last=last)
        return self.day(period.first)

    def short_period(self, period: Period) -> str:
        """The same as the heading of a column."""
        if period.kind == "week":
            return self.say("week_short", week=period.week)
        return self.short_day(period.first) if period.kind == "day" else self.period(period)

    def in_period(self, period: Period) -> str:
        """On that day, in that week, in that month."""
        return self.say(f"in_{period.kind}")

    def share(self, basis_points: int | None) -> str:
        """A share of a hundred with one digit behind the comma."""
        if basis_points is None:
            return self.say("unknown")
        return Shown(f"{self.decimal(basis_points / 100)}%", basis_points / 10_000, "share")

    def figure(self, name: str) -> str:
        """What a figure is called on the page: section, channel or SKU, measure."""
        section, _, rest = name.partition(".")
        scope, _, measure = rest.rpartition(".")
        scope = scope.removeprefix("sku.")
        words = self._own.FIGURES.get(f"{section}.{measure}")
        label = words.label if words else measure
        return " · ".join(filter(None, (self._own.SECTIONS.get(section, section), scope.replace(".", " / "), label)))

    def definition(self, meaning: str) -> str:
        """What a figure counts, by section and measure."""
        words = self._own.FIGURES.get(meaning)
        return str(words.definition) if words else ""

    def valued(self, unit: str, value: int | None) -> str:
        """A figure's value by its unit."""
        if value is None:
            return self.say("unknown")
        if unit == "rupiah":
            return self.rupiah(value)
        if unit == "ms":
            return self.milliseconds(value)
        return self.share(value) if unit == "bp" else self.number(value)

    def moment(self, instant: datetime) -> str:
        """The clock alone on the day of the report's making, with the date on other days."""
        local = instant.astimezone(self.zone)
        shown = str(format_time(local, "short", tzinfo=self.zone, locale=self._locale))
        if local.date() != self.now.astimezone(self.zone).date():
            pattern = "d MMM" if local.year == self.now.astimezone(self.zone).year else "d MMM y"
            shown = f"{format_datetime(local, pattern, tzinfo=self.zone, locale=self._locale)} {shown}"
        return Shown(shown, local.replace(tzinfo=None), "moment")

    def full_moment(self, instant: datetime) -> str:
        """21 Nov 2026 21.05 WIB."""
        local = instant.astimezone(self.zone)
        clock = format_time(local, "short", tzinfo=self.zone, locale=self._locale)
        return f"{format_date(local.date(), 'd MMM y', locale=self._locale)} {clock} {self.zone_name(instant)}"

    def zone_name(self, instant: datetime) -> str:
        """WIB, WITA, WIT."""
        return instant.astimezone(self.zone).strftime("%Z")

    def span(self, span: timedelta) -> str:
        """A duration in its two largest units."""
        seconds = max(int(span / timedelta(seconds=1)), 0)
        days, rest = divmod(seconds, 86_400)
        hours, rest = divmod(rest, 3_600)
        minutes, left = divmod(rest, 60)
        parts = [("days", days), ("hours", hours), ("minutes", minutes), ("seconds", left)]
        first = next((place for place, (_, count) in enumerate(parts) if count), 3)
        shown = [(unit, count) for unit, count in parts[first : first + 2] if count] or [("seconds", 0)]
        return " ".join(self.say(unit, count=self.number(count)) for unit, count in shown)

    def milliseconds(self, ms: int | None) -> str:
        """A measured time: tenths of a second below a minute."""
        if ms is None:
            return NOTHING
        if ms < 60_000:
            return self.say("seconds", count=self.decimal(ms / 1000))
        return self.span(timedelta(milliseconds=ms))

    def age(self, since: datetime) -> str:
        return self.say("since", when=self.moment(since), ago=self.say("ago", span=self.span(self.now - since)))

    def deadline(self, deadline: datetime) -> str:
        over = deadline < self.now
        left = self.say("over" if over else "left", span=self.span(abs(deadline - self.now)))
        return self.say("deadline", when=self.moment(deadline), left=left)

    # ------------------------------------------------------------------------------------------------------------------ findings

    def finding_title(self, group: NeedGroup) -> str:
        known = self._own.FINDINGS.get(group.kind)
        return str(known.title) if known else f"{self.say('unknown_kind_title')}: {group.kind}"

    def finding_todo(self, kind: str) -> str:
        known = self._own.FINDINGS.get(kind)
        return str(known.todo) if known else ""

    def finding_effect(self, kind: str) -> str:
        known = self._own.FINDINGS.get(kind)
        return str(known.effect) if known else ""

    def finding(self, need: Need) -> str:
        """One finding as a sentence."""
        known = self._own.FINDINGS.get(need.kind)
        template = known.item if known else "{channel}: {subject}"
        return template.format_map(self._values(need))

    def difference(self, cause: str) -> str:
        """The class of a difference in words."""
        return str(self._own.DIFFERENCES.get(cause, NOTHING))

    def oversell_cause(self, cause: Cause) -> str:
        """Why a unit could be sold twice, in a word or two."""
        return CAUSES[self.language][cause].name

    def _values(self, need: Need) -> Mapping[str, Any]:
        values = _Values(
            {key: shown for key, value in need.details.items() if (shown := self._value(value)) != ""},
            channel=need.channel or NOTHING,
            subject=self._value(need.subject) or NOTHING,
        )
        why, state = need.details.get("class"), need.details.get("state")
        values["reject"] = self._own.REJECTS.get(why, self._own.REJECTS["other"])
        values["difference"] = self._own.DIFFERENCES.get(why, NOTHING)
        values["return_state"] = self._own.RETURN_STATES.get(state, self._own.RETURN_STATES["unknown"])
        return values

    def _value(self, value: Any) -> str:
        if isinstance(value, bool) or value is None:
            return ""
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, list):
            shown = ", ".join(self._value(item) for item in value[:LISTED_MAX])
            return shown + (", …" if len(value) > LISTED_MAX else "")
        day = _as_day(str(value))
        return str(value) if day is None else str(format_date(day, "d MMM y", locale=self._locale))


def _as_day(text: str) -> date | None:
    """The day that a finding's value names in ISO 8601."""
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-20") else None
    except ValueError:
        return None
