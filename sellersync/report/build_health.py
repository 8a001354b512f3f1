"""Reads -> what needs a person, and how the channels are."""

from __future__ import annotations

from datetime import timedelta

from sellersync.domain.times import from_epoch_ms
from sellersync.store import reads_report, requests, tokens
from sellersync.store.reads import at as moment

from .commands import urgency
from .exposure import latency
from .model import ChannelHealth, Health, Need, NeedGroup, Needs
from .reading import Reading, at, clean, clean_details, ms_of

FINDINGS_PER_KIND_MAX = 10_000


def needs(reading: Reading) -> Needs:
    """Every open finding, the most urgent kind first."""
    session, window = reading.session, reading.window
    kinds = reads_report.open_findings(session, per_kind_max=FINDINGS_PER_KIND_MAX)
    groups = [NeedGroup(kind.kind, kind.total, kind.by_channel, tuple(map(_need, kind.first))) for kind in kinds]
    groups.sort(
        key=lambda group: (urgency(group.kind), group.deadline is None, group.deadline or reading.now, group.kind)
    )
    opened = reads_report.findings_opened(session, since_ms=window.since_ms, until_ms=window.until_ms)
    closed = reads_report.findings_closed(session, since_ms=window.since_ms, until_ms=window.until_ms)
    return Needs(sum(group.total for group in groups), len(opened), len(closed), tuple(groups))


def _need(fact: reads_report.FindingFact) -> Need:
    since = from_epoch_ms(fact.since_ms, where="finding")
    subject, details = clean(fact.subject), clean_details(fact.details)
    return Need(fact.kind, fact.channel, subject, details, since, at(fact.deadline_ms))


def requests_used(reading: Reading) -> list[requests.RequestsUsed]:
    """Calls on the days of the providers' quota clocks (UTC) that begin in the period, by day and channel."""
    since, until = (
        from_epoch_ms(ms + ms_of(timedelta(days=1)) - 1, where="period").date()
        for ms in (reading.window.since_ms, reading.window.until_ms)
    )
    return requests.requests_used(reading.session, since=since, until=until)


def health(reading: Reading) -> Health:
    """How each channel is, and where the time of the period's sales went."""
    measured = reading.measured
    calls: dict[str, int] = {}
    for used in requests_used(reading):
        calls[used.channel] = calls.get(used.channel, 0) + used.reads + used.writes
    rows = []
    for channel in reading.channels:
        blind, blind_since = reading.blind[channel.id]
        pair = tokens.newest_pair(reading.session, reading.ledger, channel.id)
        ends = None if pair is None else moment(pair.fields["refresh_ends_at"] or pair.fields["access_ends_at"])
        rows.append(
            ChannelHealth(
                slug=channel.slug,
                provider=channel.provider,
                kind=channel.kind,
                state=channel.state,
                trouble=clean(channel.trouble),
                trouble_since=at(channel.trouble_since_ms),
                last_pull=at(channel.last_pull_ms),
                last_push=at(channel.last_push_ms),
                heard=latency(measured.seen.get(channel.id, ())),
                exposed=latency(measured.exposed.get(channel.id, ()), measured.waiting.get(channel.id, 0)),
                blind=blind,
                blind_since=at(blind_since),
                authorisation_ends=ends,
                requests=calls.get(channel.slug),
            )
        )
    exposed = [sample for samples in measured.exposed.values() for sample in samples]
    heard = [sample for samples in measured.seen.values() for sample in samples]
    return Health(
        channels=tuple(rows),
        exposed=latency(exposed, sum(measured.waiting.values())),
        heard=latency(heard),
        posted=latency(measured.posted),
        accepted=latency(measured.accepted),
        not_needed=measured.not_needed,
    )
