"""The command that settles each kind of finding, and which kinds come first. Sentences stand in `words_id` and `words_en`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from .model import Need

EVERYTHING = "sellersync report --json"
"""Lists every open finding."""


@dataclass(frozen=True, slots=True)
class Settled:
    """`command` settles one finding, or shows what a person needs in order to settle it elsewhere; `listing` shows all of its kind."""

    command: Callable[[Need], str]
    listing: str = EVERYTHING


def _q(need: Need, key: str = "") -> str:
    """A value of the finding, quoted for a shell; the CLI's own name of the argument where the value is not known."""
    value = str(need.details.get(key) or "") if key else need.subject
    return shlex.quote(value) if value else (key or "subject").upper()


def _channel(need: Need) -> str:
    return shlex.quote(need.channel) if need.channel else "CHANNEL"


def _order(need: Need) -> str:
    return f"sellersync orders show {_q(need, 'order')}"


def _map(need: Need) -> str:
    return f"sellersync listings map {_channel(need)} {_q(need)} SKU=1"


def _difference(need: Need) -> str:
    """By the seller's policy: our number goes out by itself, a person may adopt theirs, or a person looks and decides."""
    policy = need.details.get("policy")
    if policy == "overwrite":
        return f"sellersync sync push --channel {_channel(need)}"
    if policy == "adopt":
        key = shlex.quote(need.subject.partition("@")[0]) or "LISTING"
        return f"sellersync stock adopt {_channel(need)} {key}"
    return f"sellersync stock differences --channel {_channel(need)}"


def _return_announced(need: Need) -> str:
    """A return whose goods are on their way is received at the desk; before that somebody must answer it."""
    coming = need.details.get("goods_come_back") and need.details.get("state") in ("approved", "coming_back", "arrived")
    return f"sellersync returns receive {_q(need)}" if coming else _order(need)


def _return_due(need: Need) -> str:
    """What is here waits for a grade; what is not waits for the parcel."""
    if not need.details.get("return"):
        return _order(need)
    return f"sellersync returns {'grade' if need.details.get('here') else 'receive'} {_q(need, 'return')}" + (
        " GRADE" if need.details.get("here") else ""
    )


SETTLED: dict[str, Settled] = {
    "needs_authorisation": Settled(lambda need: f"sellersync auth login {_channel(need)}", "sellersync auth status"),
    "renewal_refused": Settled(lambda need: f"sellersync auth login {_channel(need)}", "sellersync auth status"),
    "authorisation_ending": Settled(lambda need: f"sellersync auth login {_channel(need)}", "sellersync auth status"),
    "cancellation_pending": Settled(lambda need: "sellersync orders cancellations", "sellersync orders cancellations"),
    "shortage": Settled(lambda need: f"sellersync stock count {_q(need)} QTY", "sellersync stock show --short"),
    "booking_unsettled": Settled(
        lambda need: f"sellersync parcels settle {_q(need, 'order')} --booked WAYBILL", "sellersync parcels claims"
    ),
    "booking_refused": Settled(_order),
    "cancelled_but_booked": Settled(lambda need: f"sellersync parcels cancel {_q(need)}"),
    "courier_balance": Settled(
        lambda need: f"sellersync parcels balance {_channel(need)}", "sellersync parcels balance"
    ),
    "booking_ended": Settled(lambda need: f"sellersync parcels rebook {_q(need, 'order')}"),
    "cancel_refused": Settled(lambda need: f"sellersync parcels cancel {_q(need)}"),
    "cod_differs": Settled(lambda need: f"sellersync parcels rebook {_q(need)}"),
    "shipment_late": Settled(_order, "sellersync parcels list"),
    "parcel_uncollected": Settled(_order, "sellersync parcels trouble"),
    "parcel_stuck": Settled(_order, "sellersync parcels trouble"),
    "parcel_lost": Settled(_order, "sellersync parcels trouble"),
    "parcel_overdue": Settled(_order, "sellersync parcels trouble"),
    "parcel_returning": Settled(_order, "sellersync parcels trouble"),
    "hand_back_refused": Settled(_order),
    "label_refused": Settled(_order),
    "unit_in_two_parcels": Settled(_order),
    "sudden_zero": Settled(lambda need: f"sellersync stock agree-zero {_channel(need)}"),
    "channel_trouble": Settled(lambda need: f"sellersync sync pull --channel {_channel(need)}", "sellersync status"),
    "first_walk_unclear": Settled(lambda need: f"sellersync orders accept {_channel(need)}"),
    "order_unreadable": Settled(lambda need: f"sellersync orders show {_q(need)}"),
    "row_unreadable": Settled(lambda need: f"sellersync sync pull --channel {_channel(need)}"),
    "unmapped_listing": Settled(_map, "sellersync listings unmapped"),
    "unmapped_location": Settled(lambda need: f"sellersync sync pull --channel {_channel(need)}"),
    "order_gone": Settled(lambda need: f"sellersync orders show {_q(need)}"),
    "orders_missing": Settled(
        lambda need: f"sellersync prove orders --date {_q(need)} --channel {_channel(need)} --repair"
    ),
    "orders_uncounted": Settled(lambda need: f"sellersync prove orders --date {_q(need)} --channel {_channel(need)}"),
    "requests_spent": Settled(lambda need: "sellersync status", "sellersync status"),
    "push_refused": Settled(lambda need: f"sellersync sync push --channel {_channel(need)}", "sellersync status"),
    "cannot_decrease": Settled(lambda need: f"sellersync sync push --channel {_channel(need)}"),
    "below_floor": Settled(lambda need: f"sellersync sync push --channel {_channel(need)}"),
    "kept_back": Settled(lambda need: f"sellersync sync push --channel {_channel(need)}"),
    "difference": Settled(_difference, "sellersync stock differences"),
    "uncounted": Settled(lambda need: f"sellersync stock count --from-channel {_channel(need)}"),
    "clock_offset": Settled(lambda need: "sellersync sync health"),
    "shop_note": Settled(lambda need: f"sellersync sync health --channel {_channel(need)}"),
    "return_open": Settled(_return_announced, "sellersync returns list"),
    "return_due": Settled(_return_due, "sellersync returns list"),
    "settlements_unread": Settled(lambda need: f"sellersync sync settlements --channel {_channel(need)}"),
    "settlement_unreadable": Settled(lambda need: f"sellersync sync settlements --channel {_channel(need)}"),
    "mail_down": Settled(lambda need: "sellersync mails test --to ADDRESS", "sellersync mails list"),
    "mail_not_sent": Settled(lambda need: f"sellersync mails resend {_q(need)}", "sellersync mails list"),
    "mail_unclear": Settled(lambda need: f"sellersync mails resend {_q(need)}", "sellersync mails list"),
    "notifier_down": Settled(lambda need: f"sellersync notify test {_q(need)}", "sellersync notify list"),
    "message_not_sent": Settled(lambda need: f"sellersync notify resend {_q(need)}", "sellersync notify list"),
    "message_unclear": Settled(lambda need: f"sellersync notify resend {_q(need)}", "sellersync notify list"),
    "report_not_made": Settled(lambda need: "sellersync report"),
    "bug": Settled(lambda need: "sellersync status", "sellersync status"),
}
"""Finding kind -> how it is settled, the most urgent kind first."""

_UNKNOWN_KIND = Settled(lambda need: "sellersync status", "sellersync status")
_PLACES = {kind: place for place, kind in enumerate(SETTLED)}


def urgency(kind: str) -> int:
    """Place of a kind on the page; a kind that this version does not know comes first, because nobody can say what it means."""
    return _PLACES.get(kind, -1)


def command(need: Need) -> str:
    """The command line that settles a finding."""
    return SETTLED.get(need.kind, _UNKNOWN_KIND).command(need)


def listing(kind: str) -> str:
    """The command line that shows all findings of a kind."""
    return SETTLED.get(kind, _UNKNOWN_KIND).listing
