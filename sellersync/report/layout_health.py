"""The page, first part: what needs a person, and how the channels are."""

from __future__ import annotations

from datetime import timedelta

from .commands import command, listing
from .model import (
    ChannelHealth,
    Latency,
    NeedGroup,
    Report,
)
from .page import Block, Cell, Column, NeedBlock, NeedItem, Section, Sentence, Table, Tile, Tiles, Tone
from .words import NOTHING, Words

NEEDS_SHOWN_MAX = 5
NEEDS_SHOWN_MANY_KINDS_MAX = 2
MANY_KINDS = 8
AUTHORISATION_SHORT = timedelta(days=7)


def needs_section(report: Report, words: Words) -> Section:
    """Everything that waits for a person, each with what settles it."""
    needs = report.needs
    shown_max = NEEDS_SHOWN_MAX if len(needs.groups) <= MANY_KINDS else NEEDS_SHOWN_MANY_KINDS_MAX
    blocks: list[Block] = _own_checks(report, words)
    blocks += [_need_block(group, words, shown_max) for group in needs.groups]
    if not blocks:
        blocks.append(Sentence(words.say("nothing_needed"), "good"))
    in_period = words.in_period(report.period)
    opened, closed = words.number(needs.opened), words.number(needs.closed)
    blocks.append(Sentence(words.say("opened_closed", opened=opened, closed=closed, in_period=in_period), "dim"))
    return Section("needs", words.say("needs"), tuple(blocks), "bad" if report.attention else "good")


def _own_checks(report: Report, words: Words) -> list[Block]:
    """What needs a person and is no finding: it follows from figures of the report itself."""
    blocks: list[Block] = []
    if not report.proof.ok:
        count = words.number(report.proof.problems_total)
        title, effect, todo = (words.say(f"proof_{part}") for part in ("title", "effect", "todo"))
        items = tuple(NeedItem(problem, "", "", False, "") for problem in report.proof.problems[:NEEDS_SHOWN_MAX])
        blocks.append(NeedBlock(title, count, effect, todo, items, words.say("run"), "sellersync ledger verify"))
    return blocks


def _need_block(group: NeedGroup, words: Words, shown_max: int) -> NeedBlock:
    items = tuple(
        NeedItem(
            words.finding(need),
            words.age(need.since),
            words.deadline(need.deadline) if need.deadline else "",
            need.deadline is not None and need.deadline < words.now,
            command(need),
        )
        for need in group.first[:shown_max]
    )
    left_out = group.total - len(items)
    return NeedBlock(
        words.finding_title(group),
        words.number(group.total),
        words.finding_effect(group.kind),
        words.finding_todo(group.kind),
        items,
        words.say("more", count=words.number(left_out)) if left_out else "",
        listing(group.kind) if left_out else "",
    )


# ---- health


def health_section(report: Report, words: Words) -> Section:
    """How each channel is, and how fast the others learn of its sales."""
    health = report.health
    exposed = health.exposed
    blocks: list[Block] = []
    if exposed.samples:
        note = words.say("exposure_note", p95=words.milliseconds(exposed.p95_ms))
        if exposed.waiting:
            note += "; " + words.say("waiting", count=words.number(exposed.waiting))
        blocks.append(Tiles((Tile(words.say("exposure_tile"), words.milliseconds(exposed.p50_ms), note),)))
        blocks.append(
            Sentence(
                words.say(
                    "exposure_steps",
                    heard=words.milliseconds(health.heard.p50_ms),
                    posted=words.milliseconds(health.posted.p50_ms),
                    accepted=words.milliseconds(health.accepted.p50_ms),
                    not_needed=words.number(health.not_needed),
                ),
                "dim",
            )
        )
    elif not exposed.waiting:
        blocks.append(Sentence(words.say("exposure_none", in_period=words.in_period(report.period)), "dim"))
    columns = ("channel", "state", "last_pull", "last_push", "heard", "exposed", "authorisation_left", "requests")
    rows = tuple(_health_row(channel, words) for channel in health.channels)
    blocks.append(Table(tuple(Column(words.say(name)) for name in columns), rows))
    in_period = words.in_period(report.period)
    for channel in health.channels:
        if channel.trouble:
            blocks.append(Sentence(f"{channel.slug}: {channel.trouble}", "warn"))
        if channel.blind and channel.blind_since is None:
            blocks.append(Sentence(words.say("blind_all", channel=channel.slug, in_period=in_period), "bad"))
        elif channel.blind_since is not None:
            when = words.moment(channel.blind_since)
            blocks.append(Sentence(words.say("blind_since", channel=channel.slug, when=when), "bad"))
    unwell = any(channel.state != "ok" or channel.blind for channel in health.channels)
    return Section("health", words.say("health"), tuple(blocks), "bad" if unwell else "")


def _health_row(channel: ChannelHealth, words: Words) -> tuple[Cell, ...]:
    name = channel.slug if channel.kind == "channel" else f"{channel.slug} ({words.say('courier_suffix')})"
    if channel.state == "ok":
        state = Cell(words.say("state_ok"), "good")
    else:
        parts = [words.say(f"state_{channel.state}")]
        if channel.trouble_since is not None:
            parts.append(words.say("since_when", when=words.moment(channel.trouble_since)))
        state = Cell(" ".join(parts), "bad")
    if channel.kind != "channel":
        nothing = (Cell(NOTHING, "dim") for _ in range(4))
        return (Cell(name), state, *nothing, _authorised(channel, words), _requests(channel, words))
    pulled = words.moment(channel.last_pull) if channel.last_pull else words.say("never")
    pushed = words.moment(channel.last_push) if channel.last_push else words.say("never")
    return (
        Cell(name),
        state,
        Cell(pulled, "bad" if channel.blind else ""),
        Cell(pushed),
        _half_most(channel.heard, words),
        _half_most(channel.exposed, words),
        _authorised(channel, words),
        _requests(channel, words),
    )


def _authorised(channel: ChannelHealth, words: Words) -> Cell:
    """How long the stored permission still lasts."""
    if channel.authorisation_ends is None:
        return Cell(NOTHING, "dim")
    left = channel.authorisation_ends - words.now
    if left <= timedelta(0):
        return Cell(words.say("over", span=words.span(-left)), "bad")
    tone: Tone = "bad" if left < AUTHORISATION_SHORT else ""
    return Cell(words.say("left", span=words.span(timedelta(days=left.days) if left.days else left)), tone)


def _requests(channel: ChannelHealth, words: Words) -> Cell:
    return Cell(NOTHING, "dim") if channel.requests is None else Cell(words.number(channel.requests))


def _half_most(latency: Latency, words: Words) -> Cell:
    parts = []
    if latency.samples:
        half, most = words.milliseconds(latency.p50_ms), words.milliseconds(latency.p95_ms)
        parts.append(words.say("half_most", p50=half, p95=most))
    if latency.waiting:
        parts.append(words.say("waiting", count=words.number(latency.waiting)))
    return Cell("; ".join(parts), "warn" if latency.waiting else "") if parts else Cell(NOTHING, "dim")
