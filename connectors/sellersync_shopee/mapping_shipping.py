"""Choosing how a parcel is arranged, pure: address, slot, mode (API reference, 2026-08)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sellersync.connector.contract import Handover
from sellersync.domain.errors import RejectClass, Rejected

Json = Mapping[str, Any]

SHIP = "ship_order"
RESCHEDULE = "update_shipping_order"

MODES: Mapping[Handover, Sequence[str]] = {
    Handover.PICKUP: ("pickup", "dropoff", "non_integrated"),
    Handover.DROP_OFF: ("dropoff", "pickup", "non_integrated"),
}


def ship_body(
    order_sn: str, package_number: str, parameter: Json, handover: Handover, *, sender_real_name: str
) -> dict[str, Any]:
    """The body of `ship_order`: the wished mode, or the one that the courier offers instead.

    `package_number` is "" unless the order is split. A mode that is offered with an empty list is sent as an empty object. Raises
    `Rejected` when no mode can be filled in.
    """
    offered = parameter.get("info_needed") or {}
    mode = next((mode for mode in MODES[handover] if mode in offered), None)
    if mode is None:
        # No mode can also mean that the parcel is shipped already or past its ship-by time.
        raise Rejected(order_sn, "Shopee offers no way to hand this parcel over now", RejectClass.NOT_NOW)
    needed = [str(name) for name in offered[mode] or ()]
    if mode == "pickup":
        filled = pickup_choice(order_sn, parameter, needed)
    else:
        filled = _other_choice(order_sn, mode, parameter, needed, sender_real_name)
    body: dict[str, Any] = {"order_sn": order_sn, mode: filled}
    if package_number:
        body["package_number"] = package_number
    return body


def pickup_choice(order_sn: str, parameter: Json, needed: Sequence[str]) -> dict[str, Any]:
    """Address and slot: the marked pickup address, else the first; the recommended slot, else the first."""
    if "tracking_number" in needed:
        raise Rejected(order_sn, "this courier wants a waybill number of yours", RejectClass.SELLER_MUST_ACT)
    addresses = (parameter.get("pickup") or {}).get("address_list") or []
    if not needed and not addresses:
        return {}
    if not addresses:
        raise Rejected(order_sn, "Shopee offers no pickup address now", RejectClass.NOT_NOW)
    address = next(
        (entry for entry in addresses if "pickup_address" in (entry.get("address_flag") or ())), addresses[0]
    )
    choice: dict[str, Any] = {"address_id": int(address["address_id"])}
    slots = address.get("time_slot_list") or []
    if slots:
        slot = next((entry for entry in slots if "recommended" in (entry.get("flags") or ())), slots[0])
        choice["pickup_time_id"] = str(slot["pickup_time_id"])
    return choice


def _other_choice(
    order_sn: str, mode: str, parameter: Json, needed: Sequence[str], sender_real_name: str
) -> dict[str, Any]:
    choice: dict[str, Any] = {}
    if "branch_id" in needed:
        branches = (parameter.get("dropoff") or {}).get("branch_list") or []
        if len(branches) != 1:
            raise Rejected(
                order_sn, "a branch must be chosen in Seller Centre for this drop-off", RejectClass.SELLER_MUST_ACT
            )
        choice["branch_id"] = int(branches[0]["branch_id"])
    # Channels that name both take exactly one of them: the name is what a shop without own waybills can give.
    if "sender_real_name" in needed and sender_real_name:
        choice["sender_real_name"] = sender_real_name
    elif "sender_real_name" in needed:
        raise Rejected(order_sn, "this courier wants sender_real_name (channel settings)", RejectClass.SELLER_MUST_ACT)
    elif "tracking_no" in needed:
        raise Rejected(
            order_sn, f"{mode} with this courier wants a waybill number of yours", RejectClass.SELLER_MUST_ACT
        )
    elif "slug" in needed:
        raise Rejected(order_sn, f"{mode} with this courier is not offered in Indonesia", RejectClass.NOT_SUPPORTED)
    return choice
