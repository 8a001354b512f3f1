"""The suite can fail: each row breaks one promise of a good connector, and the behaviour that watches over it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sellersync.domain.errors import SellersyncError
from sellersync.sandbox.kit import FaultKind
from sellersync.testing.conformance import ChannelConformance, CourierConformance, damage

from .packages import install

BREAKS: dict[str, tuple[tuple[str, str, str], str, dict[str, Any]]] = {
    "an unknown status is guessed": (
        ("mapping", "STATUSES.get(status, (OrderState.UNKNOWN, UnitStage.UNKNOWN))",
         "STATUSES.get(status, (OrderState.READY, UnitStage.OPEN))"),
        "test_an_unknown_status_reserves_in_full_and_is_shown",
        {},
    ),
    "every page closes the window": (
        ("__init__", "None if cursor else closes", "closes"),
        "test_resuming_after_any_page_loses_nothing",
        {"many": 130},
    ),
    "the walk ends after its first page": (
        ("__init__", "cursor = found.next_cursor\n            yield Page(tuple", 'cursor = ""\n            yield Page(tuple'),
        "test_orders_of_one_second_arrive_exactly_once",
        {"many": 130},
    ),
    "the mark is our own clock, a minute ahead": (
        ("__init__", "closes = closes or found.provider_now", "closes = found.provider_now + timedelta(seconds=660)"),
        "test_the_very_second_of_the_mark_loses_nothing",
        {},
    ),
    "a repeated cursor is followed for ever": (
        (
            "__init__",
            'if cursor in seen:\n                raise Temporary("the provider repeats a cursor")\n            seen.add(cursor)\n'
            '        raise CapExceeded(f"more than {PAGES_MAX} pages in one walk")',
            'seen.add(cursor)\n        raise CapExceeded(f"more than {PAGES_MAX} pages in one walk")',
        ),
        "test_a_repeated_page_ends_cleanly",
        {"many": 230},
    ),
    "an answer without its list is empty": (
        ("api", 'raise Unrecognised(f"{name}: a list was expected", repr(sorted(body)))', "return []"),
        "test_a_damaged_field_is_never_guessed",
        {"harm": damage.missing},
    ),
    "amounts are rounded": (
        ("mapping", "return rupiah_or_none(row.get(name), where=name)",
         'return round(float(str(row.get(name)).strip("Rp") or 0))'),
        "test_what_is_no_whole_amount_is_never_rounded",
        {"spell": lambda number: f"{number}.50"},
    ),
    "what is not refused counts as applied": (
        ("mapping", 'if status == "ok" and text(rows[0].get("stock")) == str(want.level):', "if status not in REFUSED_ROWS:"),
        "test_a_damaged_answer_to_a_push_is_never_guessed",
        {"harm": damage.wrong_kind},
    ),
    "writes are repeated like reads": (
        ("api", "return await self._wire.write(make, check, what=path, reference=reference, fresh=True)",
         "return await self._wire.read(make, check, what=path)"),
        "test_a_booking_with_a_lost_answer_is_settled_by_reading",
        {"kind": FaultKind.DROP_AFTER},
    ),
    "a lost level is reported as refused": (
        ("__init__", "PushOutcome.UNCLEAR, why=lost.why", "PushOutcome.REJECTED, why=lost.why"),
        "test_a_lost_answer_is_unclear_and_nothing_is_repeated",
        {"kind": FaultKind.DROP_AFTER},
    ),
    "the key is logged": (
        ("api", "return {\"x-api-key\": self._api_key.get_secret_value()}",
         "headers = {\"x-api-key\": self._api_key.get_secret_value()}\n"
         "        __import__(\"logging\").getLogger(__name__).debug(\"%s\", headers)\n        return headers"),
        "test_secrets_are_never_shown_under_faults",
        {},
    ),
    "mapping an order takes its time": (
        ("mapping", "    found, skipped = [], []\n", "    found, skipped = [], []\n    __import__(\"time\").sleep(0.12)\n"),
        "test_the_loop_is_never_blocked",
        {},
    ),
    "a task is left behind": (
        ("__init__", "        shop = await self._api.shop()\n",
         "        import asyncio\n        self._kept = asyncio.ensure_future(asyncio.sleep(1e6))\n        shop = await self._api.shop()\n"),
        "test_a_cancelled_call_leaves_nothing_open",
        {},
    ),
    "an unpaid order is shipped": (
        ("__init__", "if state is not OrderState.READY:", "if state is OrderState.UNKNOWN:"),
        "test_what_may_not_be_shipped_is_refused",
        {},
    ),
    "an undeclared stream is walked": (
        ("__init__", "if stream not in self.capabilities.streams:", "if stream is None:"),
        "test_streams_that_are_not_declared_are_refused_before_any_call",
        {},
    ),
}  # fmt: skip

COURIER_BREAKS: dict[str, tuple[tuple[str, str, str], str, dict[str, Any]]] = {
    "a booking is never found again": (
        ("__init__", "return mapping.booking(rows[0]) if rows else None", "return None"),
        "test_a_booking_without_an_answer_is_settled_to_one",
        {"kind": FaultKind.DROP_AFTER},
    ),
    "bookings are repeated like reads": (
        ("api", "return await self._wire.write(make, check, what=path, reference=reference, fresh=True)",
         "return await self._wire.read(make, check, what=path)"),
        "test_a_booking_without_an_answer_is_settled_to_one",
        {"kind": FaultKind.HTTP_500_AFTER},
    ),
    "a refused cancellation counts as done": (
        ("__init__", "return CourierCancel(done=False, why=refused.why)", "return CourierCancel(done=True)"),
        "test_a_refused_cancellation_says_why",
        {},
    ),
    "an unknown event is a delivery": (
        ("mapping", "STATES.get(status, ParcelState.UNKNOWN)", "STATES.get(status, ParcelState.DELIVERED)"),
        "test_an_unknown_event_moves_nothing",
        {},
    ),
    "an empty balance is any refusal": (
        ("api", '"no_balance": RejectClass.INSUFFICIENT_BALANCE', '"no_balance": RejectClass.OTHER'),
        "test_an_empty_balance_books_nothing_and_is_told",
        {},
    ),
    "the dearest comes first": (
        ("__init__", "key=lambda offer: offer.price", "key=lambda offer: -offer.price"),
        "test_quotes_come_cheapest_first",
        {},
    ),
    "what the courier says is quoted": (
        ("api", '"an unlisted refusal")', "reply.text(2000))"),
        "test_secrets_are_not_quoted_from_error_pages",
        {"shape": "json", "status": 400},
    ),
}  # fmt: skip

ROWS = [
    *((kind, title) for kind, rows in (("channel", BREAKS), ("courier", COURIER_BREAKS)) for title in rows),
]


@pytest.mark.parametrize(("kind", "title"), ROWS, ids=[title.replace(" ", "_") for _, title in ROWS])
def test_a_broken_promise_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, title: str) -> None:
    change, behaviour, arguments = (BREAKS if kind == "channel" else COURIER_BREAKS)[title]
    number = ROWS.index((kind, title))
    base = ChannelConformance if kind == "channel" else CourierConformance
    for name, changes in ((f"good{number}", ()), (f"broken{number}", (change,))):
        install(tmp_path, name, kind, monkeypatch, *changes)
        suite: Any = type("Suite", (base,), {"provider": name})()
        check = getattr(suite, behaviour)
        if not changes:
            check(**arguments)
        else:
            with pytest.raises((AssertionError, SellersyncError, pytest.fail.Exception)):
                check(**arguments)
