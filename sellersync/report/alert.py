"""An alert in words: findings of one kind as a page of one section, drawn as mail and for chats like the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from .commands import command, listing
from .mail import Letter, letter
from .model import Language, Need, NeedGroup
from .page import NeedBlock, NeedItem, Page, Section, Sentence, Tone
from .words import Words

Occasion = Literal["alert", "reminder", "solved"]
ITEMS_SHOWN_MAX = 10
SUBJECT_ITEM_CHARS_MAX = 90


@dataclass(frozen=True, slots=True)
class Told:
    """A finding that is told; `closed` says when it was settled."""

    need: Need
    closed: datetime | None = None


def alert_letter(
    occasion: Occasion, told: Sequence[Told], *, language: Language, zone: ZoneInfo, now: datetime, shop_name: str
) -> Letter:
    """Findings of one kind (at least one) as a message."""
    words = Words(language, zone, now)
    kind = told[0].need.kind
    group = NeedGroup(kind, len(told), (), tuple(one.need for one in told))
    title = words.finding_title(group)
    if len(told) > 1:
        title = words.say("alert_several", title=title, count=words.number(len(told)))
    headline = {
        "alert": title,
        "reminder": words.say("alert_open", title=title),
        "solved": words.say("alert_solved", title=title),
    }[occasion]
    first = words.finding(told[0].need)
    subject = f"{shop_name}: {headline}" + (f". {_short(first)}" if len(told) == 1 else "")
    tone: Tone = "good" if occasion == "solved" else "bad"
    if occasion == "solved":
        lines = _solved(told, words)
        section = Section("alert", words.say("settled"), tuple(map(Sentence, lines)), "good")
    else:
        block = _open(group, told, words)
        lines = _brief(block)
        section = Section("alert", words.say("needs"), (block,), "bad")
    page = Page(
        language=language,
        title=words.say("alert"),
        shop_name=shop_name,
        day=words.full_moment(now),
        scope="",
        verdict=headline,
        verdict_tone=tone,
        sections=(section,),
        footer=words.say("alert_footer"),
    )
    return letter(page, subject=subject, in_brief="\n".join(lines))


def test_letter(*, language: Language, zone: ZoneInfo, now: datetime, shop_name: str) -> Letter:
    """A message that says that it arrives."""
    words = Words(language, zone, now)
    page = Page(
        language=language,
        title=words.say("alert"),
        shop_name=shop_name,
        day=words.full_moment(now),
        scope="",
        verdict=words.say("test_message"),
        verdict_tone="good",
        sections=(),
        footer=words.say("alert_footer"),
    )
    return letter(page, subject=f"{shop_name}: {words.say('test_message')}")


def _open(group: NeedGroup, told: Sequence[Told], words: Words) -> NeedBlock:
    needs = [one.need for one in told[:ITEMS_SHOWN_MAX]]
    items = tuple(
        NeedItem(
            words.finding(need),
            words.age(need.since),
            words.deadline(need.deadline) if need.deadline else "",
            need.deadline is not None and need.deadline < words.now,
            command(need),
        )
        for need in needs
    )
    left_out = len(told) - len(items)
    return NeedBlock(
        words.finding_title(group),
        words.number(len(told)),
        words.finding_effect(group.kind),
        words.finding_todo(group.kind),
        items,
        words.say("more", count=words.number(left_out)) if left_out else "",
        listing(group.kind) if left_out else "",
    )


def _brief(block: NeedBlock) -> list[str]:
    """For chats: what is wrong and what settles it; its title stands in the subject."""
    lines = []
    for item in block.items:
        lines += [f"– {item.text}", *(f"   {part}" for part in (item.due or item.when, item.command) if part)]
    more = [block.more, f"   {block.more_command}"] if block.more else []
    return [*lines, *more, "", block.todo, block.effect]


def _solved(told: Sequence[Told], words: Words) -> list[str]:
    lines = []
    for one in told[:ITEMS_SHOWN_MAX]:
        text = words.finding(one.need)
        if one.closed is not None:
            text = words.say("alert_after", item=text, span=words.span(one.closed - one.need.since))
        lines.append(text)
    left_out = len(told) - len(lines)
    return [*lines, words.say("more_rows", count=words.number(left_out))] if left_out else lines


def _short(text: str) -> str:
    return text if len(text) <= SUBJECT_ITEM_CHARS_MAX else f"{text[: SUBJECT_ITEM_CHARS_MAX - 1]}…"
