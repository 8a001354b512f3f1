"""Settlements from the platform's bookings: one for each order and day.

The finance call takes days without a zone, its rows are dated by day, and the reference says neither which zone is meant nor whether the
last day belongs to a range. So every range is asked for with a day more on each side, and only days inside are told: under either
reading those are complete. The days before the mark are read again, because a booking may show later than its date; rows that come twice
are the same settlement, and one that grew is its newer version.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sellersync.connector.contract import Mark, Page, Settlement
from sellersync.connector.http import Reply
from sellersync.domain.errors import CapExceeded, Temporary, Unrecognised
from sellersync.domain.money import rupiah
from sellersync.domain.settlements import UNEXPLAINED

from .api import FINANCE_PAGE_SIZE_MAX, LazadaApi
from .values import WIB, moment, text

WireRow = Mapping[str, Any]
Booking = tuple[str, int]
"""Name of the fee ("" when it has none) and whole rupiah."""

DAY = timedelta(days=1)
WINDOW_DAYS = 7
"""Days of one window: far below the platform's span of 180, so that offsets stay low."""
REREAD_DAYS = 3
"""How many days before the mark are read again (how late a booking may show is not documented)."""
PAGE_STEP = FINANCE_PAGE_SIZE_MAX * 4 // 5
"""Pages overlap by a fifth: equal rows there prove that nothing shifted between two calls."""
PAGES_MAX = 1_000
RESTARTS_MAX = 5
MIDDAY = time(12)
"""A booking has a day and no time: its middle lies in that day by the clocks of Indonesia and by UTC."""
_WORDS = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3})[a-z]*[ -](\d{4})\b.*")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")


async def walk_settlements(api: LazadaApi, mark: Mark, *, now: datetime) -> AsyncIterator[Page]:
    """All bookings since some days before `mark`, in windows of days, oldest first. `now` is the platform's clock as far as it is known.
    Raises `Rejected` NOT_SUPPORTED when the app lacks the finance permission."""
    first, today = _local_day(mark.at) - REREAD_DAYS * DAY, _local_day(now)
    while True:
        last = min(first + (WINDOW_DAYS - 1) * DAY, today)
        yield await _window(api, first, last, today)
        if last >= today:
            return
        first = last + DAY


async def _window(api: LazadaApi, first: date, last: date, today: date) -> Page:
    rows, opened = await _bookings(api, first - DAY, min(last + DAY, today))
    skipped: list[str] = []
    settlements = settlements_of(rows, first=first, last=last, skipped=skipped)
    return Page(
        rows=tuple(settlements),
        read_started_at=opened.started_at,
        closes=min(opened.provider_now, _midnight(last + DAY)),
        skipped=tuple(skipped),
    )


async def _bookings(api: LazadaApi, first: date, last: date) -> tuple[list[WireRow], Reply]:
    """All rows of some days. There is no total and no promised order, so each page must begin with the end of the one before."""
    for _ in range(RESTARTS_MAX):
        rows, opened = await api.transaction_details(first_day=first, last_day=last, offset=0)
        full = len(rows) >= FINANCE_PAGE_SIZE_MAX
        for page_no in range(1, PAGES_MAX + 1):
            if not full:
                return rows, opened
            offset = page_no * PAGE_STEP
            found, _reply = await api.transaction_details(first_day=first, last_day=last, offset=offset)
            known = rows[offset:]
            if found[: len(known)] != known:
                break  # the list moved
            rows += found[len(known) :]
            full = len(found) >= FINANCE_PAGE_SIZE_MAX
        else:
            raise CapExceeded(f"more than {PAGES_MAX * PAGE_STEP} bookings from {first} to {last}")
    raise Temporary("the list of bookings changes faster than it can be read")


def settlements_of(rows: Sequence[WireRow], *, first: date, last: date, skipped: list[str]) -> list[Settlement]:
    """Bookings -> one settlement for each order and day from `first` to `last`. Pure.

    What belongs to no order is left out. A sum without one of its rows would be wrong: an order with a row that cannot be read is told
    in `skipped` and left out as a whole, and so is a day with a row that does not say whose it is.
    """
    groups: dict[tuple[date, str], list[Booking]] = {}
    bad_orders: dict[str, str] = {}
    bad_days: dict[date, str] = {}
    for row in rows:
        number, order_id = text(row.get("transaction_number")), text(row.get("order_no"))
        try:
            day = booking_day(row.get("transaction_date"))
            if not first <= day <= last:
                continue
            if order_id:
                groups.setdefault((day, order_id), []).append(_booking(row))
            elif row.get("order_no") != "":
                bad_days.setdefault(day, f"bookings of {day}: {number or 'one'} does not say to which order it belongs")
        except Unrecognised as failure:
            bad_orders.setdefault(order_id, f"settlement of order {order_id or '?'}: {failure}")
    skipped.extend([*bad_orders.values(), *bad_days.values()])
    return [
        _settlement(order_id, day, bookings)
        for (day, order_id), bookings in sorted(groups.items())
        if order_id not in bad_orders and day not in bad_days
    ]


def _booking(row: WireRow) -> Booking:
    return part_name(row.get("fee_name")), rupiah(row.get("amount"), where="amount")


def _settlement(order_id: str, day: date, bookings: Sequence[Booking]) -> Settlement:
    net = sum(amount for _, amount in bookings)
    parts: dict[str, int] = {}
    for name, amount in bookings:
        parts[name] = parts.get(name, 0) + amount
    if "" in parts:  # one without a name may belong to any part
        parts = {UNEXPLAINED: net}
    return Settlement(
        remote_id=f"{order_id}:{day.isoformat()}",
        order_id=order_id,
        settled_at=datetime.combine(day, MIDDAY, WIB).astimezone(UTC),
        net=net,
        parts=tuple(sorted(parts.items())),
    )


def part_name(fee_name: object) -> str:
    """The platform's own name of a fee in snake case ("Item Price Credit" -> item_price_credit); "" where it has none."""
    return _NOT_A_WORD.sub("_", text(fee_name).lower()).strip("_")


def booking_day(value: object) -> date:
    """The day of a booking: `2026-11-20`, `20 Nov 2026`, or a time with its offset. The form is not documented. Raises `Unrecognised`."""
    word = text(value)
    found = _WORDS.fullmatch(word)
    try:
        if found:
            return date(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1]))
        if len(word) == len("2026-11-20"):
            return date.fromisoformat(word)
        return _local_day(moment(value, where="transaction_date"))
    except Unrecognised:
        return _written_day(word)
    except ValueError:
        raise Unrecognised("transaction_date: a day was expected", repr(value)) from None


def _written_day(word: str) -> date:
    try:
        return datetime.fromisoformat(word).date()
    except ValueError:
        raise Unrecognised("transaction_date: a day was expected", repr(word)) from None


def _local_day(instant: datetime) -> date:
    return instant.astimezone(WIB).date()


def _midnight(day: date) -> datetime:
    """When the shop's day begins, in UTC."""
    return datetime.combine(day, time(), WIB).astimezone(UTC)
