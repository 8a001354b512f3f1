"""Reads -> what was sent to the channels, where they differed, and the proofs."""

from __future__ import annotations

from collections.abc import Sequence

from sellersync.domain.times import from_epoch_ms, shop_day
from sellersync.store import reads_compared, reads_oversell, reads_report, seals

from .model import (
    ComparedRow,
    DifferenceRow,
    Differences,
    OrderCount,
    Oversold,
    Proof,
    Pushes,
)
from .reading import LISTED_MAX, Reading, at, clean
from .sums import add_up_compared, push_row


def pushes(reading: Reading) -> Pushes:
    """Levels sent in the period, by what became of them."""
    window = reading.window
    outcomes = reads_report.push_outcomes(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)
    rows = [push_row(channel.slug, [outcomes.get(channel.id, {})]) for channel in reading.selling]
    return Pushes(tuple(rows), push_row("", list(outcomes.values())))


# ---- differences


def difference_facts(reading: Reading) -> list[reads_compared.DifferenceFact]:
    window = reading.window
    return reads_compared.differences(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)


def compare_runs(reading: Reading) -> list[reads_compared.CompareRun]:
    window = reading.window
    return reads_compared.compare_runs(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)


def differences(reading: Reading) -> Differences:
    """Numbers that channels showed and should not have, and what was done."""
    found, runs = difference_facts(reading), compare_runs(reading)
    rows = [_compared_row(reading, channel.id, found, runs) for channel in reading.selling]
    return Differences(
        rows=tuple(rows),
        total=add_up_compared(rows),
        first=tuple(
            DifferenceRow(
                reading.slug(one.channel_id),
                clean(one.subject),
                one.cause,
                one.shown,
                one.expected,
                from_epoch_ms(one.since_ms, where="finding"),
                at(one.closed_ms),
                one.settled,
            )
            for one in found[:LISTED_MAX]
        ),
        first_total=len(found),
    )


def found_in_period(reading: Reading, one: reads_compared.DifferenceFact) -> bool:
    return reading.window.since_ms <= one.since_ms < reading.window.until_ms


def _compared_row(
    reading: Reading,
    channel_id: int,
    found: Sequence[reads_compared.DifferenceFact],
    runs: Sequence[reads_compared.CompareRun],
) -> ComparedRow:
    own = [one for one in found if one.channel_id == channel_id]
    return ComparedRow(
        channel=reading.slug(channel_id),
        compared=sum(run.compared for run in runs if run.channel_id == channel_id),
        not_comparable=sum(run.not_comparable for run in runs if run.channel_id == channel_id),
        found=sum(found_in_period(reading, one) for one in own),
        open=sum(one.closed_ms is None for one in own),
    )


# ---- proof


def proof(reading: Reading) -> Proof:
    """The ledger's own check and the second counts of orders. The hashes are computed from where a former check found them whole."""
    check = seals.verify(reading.session, after=seals.last_verified(reading.session))
    size = reads_report.ledger_size(reading.session)
    oversold = _oversold(reading)
    return Proof(
        ok=not check.problems,
        problems=tuple(clean(problem) for problem in check.problems[:LISTED_MAX]),
        problems_total=len(check.problems),
        movements=check.movements,
        balances=check.balances,
        sealed=check.sealed,
        last_sealed=at(size.last_sealed_ms),
        orders=size.orders,
        order_lines=size.order_lines,
        skus=size.skus,
        listings=size.listings,
        counts=size.counts,
        checked_from=1 if check.after is None else check.after.movement_id + 1,
        checked_before=None if check.after is None else at(check.after.at_ms),
        head=check.head,
        orders_counted=_orders_counted(reading),
        oversold=oversold,
        oversold_units=sum(one.units for one in oversold),
    )


def order_counts(reading: Reading) -> list[reads_compared.OrderCountFact]:
    """The newest second counts of the period's days."""
    days = (reading.period.first.isoformat(), reading.period.last.isoformat())
    return reads_compared.order_counts(reading.session, days)


def _orders_counted(reading: Reading) -> tuple[OrderCount, ...]:
    facts = order_counts(reading)
    over = [day for day in reading.period.days() if day < shop_day(reading.now, reading.zone)]
    rows = []
    for channel in reading.selling:
        own = [fact for fact in facts if fact.channel_id == channel.id]
        missing = [one for fact in own for one in fact.missing]
        rows.append(
            OrderCount(
                channel=channel.slug,
                days=len(over),
                days_counted=len(own),
                on_channel=sum(fact.on_channel for fact in own),
                in_ledger=sum(fact.in_ledger for fact in own),
                missing=tuple(clean(one) for one in missing[:LISTED_MAX]),
                missing_total=len(missing),
                repaired=sum(fact.repaired for fact in own),
                counted=at(min((fact.counted_ms for fact in own), default=None)),
            )
        )
    return tuple(rows)


def _oversold(reading: Reading) -> tuple[Oversold, ...]:
    window = reading.window
    found = reads_oversell.oversells(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)
    return tuple(
        Oversold(
            clean(one.sku),
            clean(one.title),
            one.units,
            one.cause,
            "" if one.first is None else one.first.channel,
            "" if one.first is None else clean(one.first.number or one.first.order),
            one.second.channel,
            clean(one.second.number or one.second.order),
            one.at,
        )
        for one in found
    )
