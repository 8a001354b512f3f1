"""What follows a sale on the simulated marketplace: requests to cancel, returns, and the finance books."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from random import Random
from typing import Any

from .sandbox_market import LazadaMarket
from .sandbox_replies import JAKARTA
from .sandbox_state import CANCELLABLE, Booking, Item, Reverse, SimOrder

ASKED = "REQUEST_INITIATE"


class LazadaAfterSales(LazadaMarket):
    """Buyers who change their minds, and what the platform pays out."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: Random,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.reverses: list[Reverse] = []
        self._requests: dict[str, list[Reverse]] = {}  # order id -> its requests to cancel
        self.books: list[Booking] = []
        self.finance_allowed = True
        """False: the app lacks the finance permission."""

    def _open_reverse(self, order_id: str, items: Sequence[Item], request_type: str, status: str) -> Reverse:
        self._counter += 1
        now = self.clock()
        number = 880_000_000_000_000 + self._counter * 1000
        reverse = Reverse(number, order_id, list(items), request_type, status, now, now)
        self.reverses.append(reverse)
        return reverse

    def _move_reverse(self, reverse: Reverse, status: str) -> None:
        reverse.status, reverse.modified_at = status, self.clock()

    # -- requests to cancel

    def request_cancel(
        self, order_id: str, *, respond_within_s: float = 86_400.0, items: Sequence[tuple[str, int]] | None = None
    ) -> str:
        """The buyer asks to cancel all that may be cancelled, or only [(remote_key, quantity)]; without an answer it happens by itself.
        Gives the id of the request."""
        with self.lock:
            order = self.orders[order_id]
            chosen = [item for item in order.items if item.status in CANCELLABLE]
            if items is not None:
                wanted = dict(items)
                chosen = [item for item in chosen if self._one_of(wanted, item.product.remote_key)]
            for item in chosen:
                item.cancel_trigger_at = self.clock() + respond_within_s
                self._asked.append(item)
            reverse = self._open_reverse(order_id, chosen, "CANCEL", ASKED)
            self._requests.setdefault(order_id, []).append(reverse)
            for item in chosen:
                item.reverse_order_id = reverse.reverse_order_id
            self.touch(order)
            return str(reverse.reverse_order_id)

    @staticmethod
    def _one_of(wanted: dict[str, int], remote_key: str) -> bool:
        wanted[remote_key] = wanted.get(remote_key, 0) - 1
        return wanted[remote_key] >= 0

    def withdraw_cancel(self, request_id: str) -> None:
        """The buyer keeps the order after all."""
        with self.lock:
            reverse = self.reverse(request_id)
            assert reverse is not None
            self._end_request(reverse, "REQUEST_CANCEL")

    def reverse(self, reverse_order_id: str) -> Reverse | None:
        self.tick()
        return next((known for known in self.reverses if str(known.reverse_order_id) == reverse_order_id), None)

    def decide(self, reverse: Reverse, *, agree: bool) -> None:
        """The seller answers a request that waits."""
        if agree:
            waiting = [item for item in reverse.items if item.cancel_trigger_at is not None]
            packages = {item.package_id for item in waiting if item.package_id}
            order = self.orders[reverse.order_id]
            along = [item for item in order.items if item.package_id in packages and item not in waiting]
            self._move_reverse(reverse, "AGREE_CANCEL_ORDER")
            self._cancel_items(order, [*waiting, *along], by="buyer", reason="")
        else:
            self._end_request(reverse, "REJECT_CANCEL_ORDER")

    def _end_request(self, reverse: Reverse, status: str) -> None:
        for item in reverse.items:
            item.cancel_trigger_at = None
        self._move_reverse(reverse, status)
        self.touch(self.orders[reverse.order_id])

    def _cancel_items(self, order: SimOrder, items: Sequence[Item], *, by: str, reason: str) -> None:
        super()._cancel_items(order, items, by=by, reason=reason)
        for reverse in self._requests.get(order.order_id, ()):
            if reverse.status == ASKED and all(item.status == "canceled" for item in reverse.items):
                self._move_reverse(reverse, "CANCEL_SUCCESS")
        if items and self.switches["direct_cancel_reverse"] == "yes" and not any(i.reverse_order_id for i in items):
            self._open_reverse(order.order_id, items, "CANCEL", "CANCEL_SUCCESS")

    # -- returns

    def open_return(self, order_id: str, *, request_type: str = "RETURN", status: str = ASKED, unit: int = 0) -> str:
        """The buyer asks to send one unit back; gives the id of the return line."""
        with self.lock:
            return str(
                self._open_reverse(order_id, [self.orders[order_id].items[unit]], request_type, status).line_id()
            )

    def set_return_status(self, line_id: str, status: str) -> None:
        """Move a return to a status in the platform's words."""
        with self.lock:
            for reverse in self.reverses:
                if str(reverse.line_id()) == line_id:
                    self._move_reverse(reverse, status)

    # -- finance

    def settle_order(self, order_id: str) -> None:
        """The platform books what it pays out for the units of an order that were not cancelled."""
        with self.lock:
            self.book(order_id, "8", "Shipping Fee (Paid By Customer)", 9_000)
            for item in self.orders[order_id].items:
                if item.status != "canceled":
                    self.book(order_id, "13", "Item Price Credit", item.price, item=item)
                    self.book(order_id, "16", "Commission", -item.price // 20, item=item)
                    self.book(order_id, "3", "Payment Fee", -item.price // 50, item=item)

    def correct_settlement(self, order_id: str, amount: int) -> None:
        """A booking more for a settled order: it belongs to the settlement of its own day."""
        with self.lock:
            fee = ("15", "Reversal Commission") if amount > 0 else ("14", "Reversal Item Price")
            self.book(order_id, *fee, amount, item=self.orders[order_id].items[0])

    def book(self, order_id: str, fee_type: str, fee_name: str, amount: int, *, item: Item | None = None) -> None:
        """One row of the books, now; `order_id` "" for what belongs to no order."""
        with self.lock:
            self._counter += 1
            self.books.append(
                Booking(90_000_000 + self._counter, self.clock(), order_id, item, fee_type, fee_name, amount)
            )

    def settlements(self) -> Mapping[str, tuple[str, int]]:
        """Order and day, as the connector names a settlement -> (order id, net)."""
        with self.lock:
            result: dict[str, tuple[str, int]] = {}
            for row in self.books:
                if row.order_id:
                    key = f"{row.order_id}:{self.booked_day(row).isoformat()}"
                    result[key] = (row.order_id, result.get(key, ("", 0))[1] + row.amount)
            return result

    def booked_day(self, row: Booking) -> date:
        """The day under which a booking is shown."""
        return datetime.fromtimestamp(row.booked_at, self.zone("finance_date_zone")).date()

    def zone(self, switch: str) -> tzinfo:
        return JAKARTA if self.switches[switch] == "wib" else UTC
