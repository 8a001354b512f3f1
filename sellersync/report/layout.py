"""Report -> page: in words and in order, top to bottom."""

from __future__ import annotations

from .layout_health import health_section, needs_section
from .layout_money import money_section
from .layout_proof import differences_section, proof_section, pushes_section, restated_sections
from .layout_review import review_sections
from .layout_stock import stock_section
from .layout_trade import orders_section, parcels_section, returns_section
from .model import (
    Report,
)
from .page import Page
from .words import Words

TITLES = {"day": "report", "week": "report_week", "month": "report_month"}


def lay_out(report: Report) -> Page:
    """The whole page, top to bottom."""
    words = Words(report.language, report.zone, report.now)
    scope = words.say(
        "as_of_running" if report.running else "as_of",
        zone=words.zone_name(report.since),
        now=words.full_moment(report.now),
    )
    total = report.attention
    verdict = words.say("nothing_needed")
    if total:
        verdict = words.say("needed_one") if total == 1 else words.say("needed", count=words.number(total))
    return Page(
        language=report.language,
        title=words.say(TITLES[report.period.kind]),
        shop_name=report.shop_name,
        day=words.period(report.period),
        scope=scope,
        verdict=verdict,
        verdict_tone="bad" if total else "good",
        sections=(
            needs_section(report, words),
            *restated_sections(report, words),
            health_section(report, words),
            orders_section(report, words),
            parcels_section(report, words),
            returns_section(report, words),
            stock_section(report, words),
            money_section(report, words),
            *review_sections(report, words),
            differences_section(report, words),
            pushes_section(report, words),
            proof_section(report, words),
        ),
        footer=words.say("footer"),
    )
