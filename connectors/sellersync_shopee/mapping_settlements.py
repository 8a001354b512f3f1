"""Settlements: Shopee's words into the domain's, pure (API reference, 2026).

An order's income is documented as the sum of its prices, discounts, shipping and fees; fees are shown as positive numbers. The sign of
a row that is not documented is of no consequence for the sum: what the rows do not explain stands in "unexplained".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah, rupiah_or_none
from sellersync.domain.settlements import UNEXPLAINED, Settlement
from sellersync.domain.times import from_epoch_s

from .fields import Json, text_of

SALE = (
    ("order_original_price", 1),
    ("seller_discount", -1),
    ("voucher_from_seller", -1),
    ("buyer_paid_shipping_fee", 1),
)
"""What Shopee gives to the buyer itself (its discounts, vouchers, coins) is no part of the seller's income."""
SHIPPING = (("shopee_shipping_rebate", 1), ("shipping_fee_discount_from_3pl", 1), ("actual_shipping_fee", -1))
SHIPPING_IN_ONE = (("final_shipping_fee", 1),)
KEPT = (
    ("reverse_shipping_fee", -1),
    ("commission_fee", -1),
    ("service_fee", -1),
    ("seller_transaction_fee", -1),
    ("seller_order_processing_fee", -1),
    ("campaign_fee", -1),
    ("order_ams_commission_fee", -1),
    ("delivery_seller_protection_fee_premium_amount", -1),
    ("shipping_seller_protection_fee_amount", -1),
    ("withholding_tax", -1),
    ("escrow_tax", -1),
    ("seller_return_refund", -1),
)
VARIANTS = ((*SALE, *SHIPPING, *KEPT), (*SALE, *SHIPPING_IN_ONE, *KEPT))
"""Shipping is shown in its rows and in one sum; which of them an order's income counts is seen by which adds up."""


def read_settlement(listed: Json, detail: Json) -> Settlement:
    """A row of `get_escrow_list` with its order's escrow detail. Raises `Unrecognised` when an id, the time of release or the net
    amount cannot be read; a part that cannot be read is unexplained."""
    order_sn = text_of(listed.get("order_sn"))
    if not order_sn:
        raise Unrecognised("released money without order_sn", f"keys {sorted(listed)}")
    released = listed.get("escrow_release_time")
    if released in (None, "", 0, "0"):
        raise Unrecognised(f"{order_sn}: no escrow_release_time", repr(released))
    income = detail.get("order_income")
    if not isinstance(income, Mapping):
        raise Unrecognised(f"{order_sn}: no order_income", f"keys {sorted(detail)}")
    net = _net(order_sn, income)
    parts = _parts(income, net)
    rest = net - sum(parts.values())
    if rest:
        parts[UNEXPLAINED] = rest
    return Settlement(
        remote_id=order_sn,
        order_id=order_sn,
        settled_at=from_epoch_s(released, where="escrow_release_time"),
        net=net,
        parts=tuple(parts.items()),
    )


def _net(order_sn: str, income: Json) -> int:
    after = rupiah_or_none(
        income.get("escrow_amount_after_adjustment"), where=f"{order_sn} escrow_amount_after_adjustment"
    )
    if after is not None:
        return after
    return rupiah(income.get("escrow_amount"), where=f"{order_sn} escrow_amount") + _adjustments(income)


def _adjustments(income: Json) -> int:
    """The sum of later corrections. Raises `Unrecognised`."""
    rows = income.get("order_adjustment") or []
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise Unrecognised("order_adjustment is no list of objects", repr(rows))
    for row in rows:
        if text_of(row.get("currency")) not in ("", "IDR"):
            raise Unrecognised("an adjustment is not in rupiah", repr(row.get("currency")))
    return sum(rupiah(row.get("amount"), where="order_adjustment") for row in rows)


def _parts(income: Json, net: int) -> dict[str, int]:
    """The rows that explain the net amount; when no reading does, those of the first."""
    corrections = _readable(lambda: _adjustments(income)) or 0
    readings = []
    for variant in VARIANTS:
        amounts = {name: sign * (_amount(income, name) or 0) for name, sign in variant}
        readings.append({name: amount for name, amount in amounts.items() if amount})
    for parts in readings:
        if corrections:
            parts["order_adjustment"] = corrections
    return next((parts for parts in readings if sum(parts.values()) == net), readings[0])


def _amount(income: Json, name: str) -> int | None:
    return _readable(lambda: rupiah_or_none(income.get(name), where=name))


def _readable(read: Any) -> int | None:
    try:
        amount: int | None = read()
    except Unrecognised:
        return None
    return amount
