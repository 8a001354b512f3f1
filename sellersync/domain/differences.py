"""Why a channel shows another number than expected, as a pure function. Nothing seen there becomes a movement by itself (L4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Difference(StrEnum):
    """Classes of differences, by what is to be done about them."""

    PUSH_IN_FLIGHT = "push_in_flight"  # a write is under way or unclear: not a difference yet
    ORDER_NOT_SEEN = "order_not_seen"  # an own order changed it while we looked: settled by the pull
    PUSH_REFUSED = "push_refused"  # the channel refuses the number that we want
    CAMPAIGN_RETURN = "campaign_return"  # units came back from a campaign pot
    EDITED_BY_HAND = "edited_by_hand"  # somebody changed it on the channel
    UNKNOWN_TARGET = "unknown_target"  # the channel does not know the listing any more


class DifferencePolicy(StrEnum):
    """What to do about a class: only tell, write our number over it, or offer to adopt it as a person's adjustment."""

    REPORT = "report"
    OVERWRITE = "overwrite"
    ADOPT = "adopt"


DEFAULT_POLICIES = {
    Difference.EDITED_BY_HAND: DifferencePolicy.OVERWRITE,
    Difference.CAMPAIGN_RETURN: DifferencePolicy.OVERWRITE,
    Difference.PUSH_REFUSED: DifferencePolicy.REPORT,
    Difference.UNKNOWN_TARGET: DifferencePolicy.REPORT,
}
"""What is done about a class unless the seller says otherwise."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One target at one look.

    `expected_before` and `expected_after` are what the ledger expected to be shown before and after the look (each after a pull of
    the channel's orders, `None` unknown); `shown` is what the channel showed in between; `pot_before` and `pot_now` the units beside
    the number, `None` unread.
    """

    shown: int | None
    expected_before: int | None
    expected_after: int | None
    refused: bool = False
    pot_before: int | None = None
    pot_now: int | None = None


def classify(seen: Seen) -> Difference | None:
    """The class of the difference, or `None` where the channel shows what is expected."""
    if seen.shown is None:
        return Difference.UNKNOWN_TARGET
    if seen.expected_before is None:
        return Difference.PUSH_REFUSED if seen.refused else Difference.PUSH_IN_FLIGHT
    if seen.expected_after != seen.expected_before:
        return None if seen.shown == seen.expected_before else Difference.ORDER_NOT_SEEN
    if seen.shown == seen.expected_before:
        return None
    if seen.refused:
        return Difference.PUSH_REFUSED
    returned = 0 if seen.pot_now is None else (seen.pot_before or 0) - seen.pot_now
    if returned and seen.shown - seen.expected_before == returned:
        return Difference.CAMPAIGN_RETURN if returned > 0 else None  # units that went into a pot are known from the pot
    return Difference.EDITED_BY_HAND
