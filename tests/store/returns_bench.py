"""Returns in a few words: what providers say of them, and what the desk does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger_bench import START, Bench

from sellersync.domain.returns import Grade, RemoteReturn, ReturnState
from sellersync.store import grading, remote_returns
from sellersync.store.parcels import update_parcel


def announced(
    remote_id: str, order_id: str, *lines: tuple[str, int], at: datetime = START, state: ReturnState = ReturnState.APPROVED, **more: Any
) -> RemoteReturn:  # fmt: skip
    """A provider's return whose goods come back."""
    return RemoteReturn(
        **{"remote_id": remote_id, "order_id": order_id, "state": state, "remote_status": state.value, "lines": lines,
           "refund_amount": None, "goods_come_back": True, "updated_at": at, **more}
    )  # fmt: skip


def tell(shop: Bench, *rows: RemoteReturn) -> None:
    """The provider's returns, as a pull records them."""
    shop.write(
        lambda session: remote_returns.record_remote_returns(
            session, shop.channels["shopee"], rows, now_ms=shop.now_ms()
        )
    )


def track(shop: Bench, remote: Any) -> None:
    """A look at a parcel that the ledger knows by its number."""
    parcel_id = shop.value("SELECT id FROM parcel WHERE remote_id = :r", r=remote.remote_id)
    shop.write(lambda session: update_parcel(session, parcel_id, remote, now_ms=shop.now_ms()))


def documents(shop: Bench, order_id: str = "A") -> list[tuple[int, str]]:
    """(units, state) of each document of an order, the oldest first."""
    return [
        (row[0], row[1])
        for row in shop.query(
            "SELECT quantity, return_document.state FROM return_document JOIN sales_order ON sales_order.id = order_id "
            "WHERE sales_order.remote_id = :o ORDER BY return_document.id",
            o=order_id,
        )
    ]


def newest(shop: Bench) -> int:
    """The document opened last."""
    return int(shop.value("SELECT MAX(id) FROM return_document"))


def receive(shop: Bench, return_id: int | None = None, units: int | None = None) -> int:
    chosen = newest(shop) if return_id is None else return_id
    return shop.write(
        lambda session: grading.receive(session, chosen, units, warehouse_id=None, now_ms=shop.now_ms(), who="test")
    )


def grade(shop: Bench, verdict: Grade, units: int | None = None, return_id: int | None = None) -> None:
    chosen = newest(shop) if return_id is None else return_id

    def write(session: Any) -> None:
        planned = grading.plan_grading(session, chosen, verdict, units)
        grading.grade(session, planned, note="", now_ms=shop.now_ms(), who="test")

    shop.write(write)


def keep(shop: Bench, return_id: int | None = None) -> int:
    chosen = newest(shop) if return_id is None else return_id
    return shop.write(lambda session: grading.keep(session, chosen, now_ms=shop.now_ms(), who="test"))
