"""Shopee's refusal codes, as tables, and what each asks of the caller (API reference, 2025-2026).

The same code comes with and without a module prefix, sometimes with stray blanks, and `error_auth`, `error_param` and
`error_limit` are overloaded: their text decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum, auto
from types import MappingProxyType

from sellersync.domain.errors import RejectClass


class Verdict(Enum):
    """What a refusal is, before anybody knows whether the call was a read or a write."""

    TOKEN_DEAD = auto()
    CONSENT = auto()  # the seller must agree again
    CONFIGURATION = auto()  # the app, its key or its permissions
    STALE_CLOCK = auto()  # refused at the gate; signed anew it may pass
    TOO_FAST = auto()
    QUOTA = auto()  # the app's calls of the day are used up
    TROUBLE = auto()  # server side; whether a write happened is not known
    ALREADY_DONE = auto()
    REJECTED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused call in the provider's words: `code` without blanks, `bare` without its module prefix."""

    code: str
    message: str

    @property
    def bare(self) -> str:
        return self.code.rpartition(".")[2]

    @property
    def text(self) -> str:
        return self.message.lower()


@dataclass(frozen=True, slots=True)
class Rules:
    """An endpoint's own refusals, tried before the gateway's.

    `texts` are (code, part of the lower-case message, reading), for codes whose text decides; `codes` are plain.
    """

    texts: Sequence[tuple[str, str, Verdict | RejectClass]] = ()
    codes: Mapping[str, Verdict | RejectClass] = field(default_factory=dict)


NO_RULES = Rules()

_GATEWAY_TEXTS: Sequence[tuple[str, str, Verdict]] = (
    ("error_auth", "access_token", Verdict.TOKEN_DEAD),
    ("error_auth", "partner_id or shopid", Verdict.CONSENT),
    ("error_auth", "system error", Verdict.TROUBLE),
    ("error_auth", "no permission", Verdict.CONFIGURATION),
    ("error_param", "timestamp", Verdict.STALE_CLOCK),
    ("error_param", "not from gateway", Verdict.TROUBLE),
    ("error_data", "parse data failed", Verdict.TROUBLE),
)
_GATEWAY_CODES: Mapping[str, Verdict] = MappingProxyType(
    {
        "invalid_acceess_token": Verdict.TOKEN_DEAD,  # spelt so on the wire
        "invalid_access_token": Verdict.TOKEN_DEAD,
        "partner_shop_no_link": Verdict.CONSENT,
        "shop_no_linked": Verdict.CONSENT,
        "shop_access_expired": Verdict.CONSENT,
        "error_sign": Verdict.CONFIGURATION,
        "error_api_permission": Verdict.CONFIGURATION,
        "error_permission": Verdict.CONFIGURATION,
        "source_ip_undeclared": Verdict.CONFIGURATION,
        "error_api_call_restricted": Verdict.CONFIGURATION,
        "error_partner_key_expired": Verdict.CONFIGURATION,
        "shop_banned": Verdict.CONFIGURATION,
        "error_kyc_auth": Verdict.CONFIGURATION,
        "api_suspended": Verdict.CONFIGURATION,
        "error_rate_limit": Verdict.TOO_FAST,
        "request_limit_exceeded": Verdict.TOO_FAST,
        "frequency_limited": Verdict.TOO_FAST,
        "error_server": Verdict.TROUBLE,
        "error_network": Verdict.TROUBLE,
        "error_system_busy": Verdict.TROUBLE,
        "error_inner": Verdict.TROUBLE,
    }
)
CONFIGURATION_TODO: Mapping[str, str] = MappingProxyType(
    {
        "error_sign": "Check partner_id and partner_key of the channel.",
        "source_ip_undeclared": "Add this server's address to the app's IP whitelist in the Shopee Open Platform console.",
        "error_partner_key_expired": "Renew the partner key in the console and put it into the credential file.",
        "shop_banned": "Shopee has banned the shop; look into Seller Centre.",
    }
)
CONFIGURATION_TODO_DEFAULT = (
    "Look at the app's page in the Shopee Open Platform console: permissions, status, penalties."
)

ORDER_RULES = Rules(
    codes={
        "error_not_found": RejectClass.UNKNOWN_ORDER,
        "order.order_list_invalid_time": RejectClass.BAD_DATA,
        "error_param": RejectClass.BAD_DATA,
        "order.error_limit": RejectClass.NOT_NOW,
        "order.cancel_order_invalid_status": RejectClass.ALREADY_DONE,
        "order.order_status_invalid": RejectClass.ALREADY_DONE,
    }
)

STOCK_RULES = Rules(
    texts=(
        ("error_auth", "reserved stock", RejectClass.BELOW_RESERVED),
        ("error_auth", "reserve stock", RejectClass.BELOW_RESERVED),
        ("error_param", "reserved stock", RejectClass.BELOW_RESERVED),
        ("error_param", "reserve stock", RejectClass.BELOW_RESERVED),
        ("error.param", "reserved stock", RejectClass.BELOW_RESERVED),
        ("error.param", "reserve stock", RejectClass.BELOW_RESERVED),
        ("error_auth", "location", RejectClass.LOCATION),
        ("error_busi", "multi warehouse", RejectClass.LOCATION),
        ("error_param", "repeat model_id", RejectClass.BAD_DATA),
        ("error_param", "wrong model_id", RejectClass.UNKNOWN_LISTING),
    ),
    codes={
        "error_cannt_edit_stock_in_promotion": RejectClass.CAMPAIGN_LOCKED,
        "error_promotion_cantnot_update_stock": RejectClass.CAMPAIGN_LOCKED,
        "error_model_update_stock_model_in_promotion": RejectClass.CAMPAIGN_LOCKED,
        "error_edit_item_stock_for_item_has_model": RejectClass.UNKNOWN_LISTING,
        "error_in_item_promotion_nomodel_to_models": RejectClass.UNKNOWN_LISTING,
        "error_holiday_mode_change_stock": RejectClass.HOLIDAY,
        "error_wms_shop_block_upate_stock": RejectClass.NOT_MANAGED,
        "error_seller_under_penalty": RejectClass.SELLER_MUST_ACT,
        "error_item_uneditable": RejectClass.SELLER_MUST_ACT,
        "error_item_not_found": RejectClass.UNKNOWN_LISTING,
        "error_item_not_belong_shop": RejectClass.UNKNOWN_LISTING,
        "error_not_found": RejectClass.UNKNOWN_LISTING,
    },
)

SHIP_RULES = Rules(
    texts=(
        ("error_param", "has been shipped", Verdict.ALREADY_DONE),
        ("error_param", "being allocated", RejectClass.NOT_NOW),
        ("error_param", "not ready to ship", RejectClass.NOT_NOW),
        ("error_param", "pickup time", RejectClass.STALE_CHOICE),
        ("error_param", "timeslot", RejectClass.STALE_CHOICE),
        ("error_param", "pickup_time_id", RejectClass.STALE_CHOICE),
        ("error_param", "system error", Verdict.TROUBLE),
        ("error_limit", "", RejectClass.NOT_NOW),
    ),
    codes={
        "package_already_shipped": Verdict.ALREADY_DONE,
        "ship_order_not_ready_to_ship": RejectClass.NOT_NOW,
        "error_status": RejectClass.NOT_NOW,
        "order_finalized": RejectClass.NOT_NOW,
        "error_order_state": RejectClass.NOT_NOW,
        "ship_order_pickup_time_invalid": RejectClass.STALE_CHOICE,
        "ship_order_need_address_pickup_time": RejectClass.STALE_CHOICE,
        "update_shipping_order_no_param_change": RejectClass.STALE_CHOICE,
        "ship_order_only_support_one_type": RejectClass.STALE_CHOICE,
        "ship_order_unsupport_pickup": RejectClass.STALE_CHOICE,
        "ship_order_unsupport_dropoff": RejectClass.STALE_CHOICE,
        "ship_order_unsupport_non_integrated": RejectClass.STALE_CHOICE,
        "ship_order_need_branch_id": RejectClass.STALE_CHOICE,
        "ship_order_need_sender_real_name": RejectClass.SELLER_MUST_ACT,
        "ship_order_need_tracking_number": RejectClass.SELLER_MUST_ACT,
        "ship_order_need_pacakge_number": RejectClass.STALE_CHOICE,  # both spelt so on the wire
        "ship_order_not_need_pacakge_number": RejectClass.STALE_CHOICE,
        "ship_order_pff_init": RejectClass.NOT_OURS,
        "error_booking_order": RejectClass.NOT_OURS,
        "order_prescription_unchecked": RejectClass.SELLER_MUST_ACT,
        "error_timeout": Verdict.TROUBLE,
        "error_third_party_server": Verdict.TROUBLE,
        "error_connection": Verdict.TROUBLE,
        "error_too_many_invoke_function": Verdict.TROUBLE,
        "logistic_order_is_locked_on_creating": Verdict.TROUBLE,
        "error_unknown": Verdict.TROUBLE,
        "unknown_error": Verdict.TROUBLE,
        "error_other": Verdict.TROUBLE,
        "error_sender_address": RejectClass.SELLER_MUST_ACT,
        "default_warehouse_not_set": RejectClass.SELLER_MUST_ACT,
        "invalid_address_version": RejectClass.SELLER_MUST_ACT,
        "warehouse_stock_insufficient": RejectClass.SELLER_MUST_ACT,
        "can_not_update_combine_order": RejectClass.SELLER_MUST_ACT,
        "error_not_found": RejectClass.UNKNOWN_ORDER,
        "order_not_exist": RejectClass.UNKNOWN_ORDER,
        "package_number_not_exist": RejectClass.STALE_CHOICE,
    },
)

DOCUMENT_RULES = Rules(
    codes={
        "download_later": RejectClass.NOT_NOW,
        "shipping_document_should_print_first": RejectClass.NOT_NOW,
        "tracking_number_invalid": RejectClass.NOT_NOW,
        "package_can_not_print": RejectClass.NOT_NOW,
        "order_status_error": RejectClass.NOT_NOW,
        "packages_can_not_download_together": RejectClass.BAD_DATA,
        "can_not_print_jit_order": RejectClass.SELLER_MUST_ACT,
        "can_not_print_combine_order": RejectClass.SELLER_MUST_ACT,
        "error_booking_order": RejectClass.NOT_OURS,
        "invalid_address_version": RejectClass.SELLER_MUST_ACT,
        "order_not_exist": RejectClass.UNKNOWN_ORDER,
        "package_number_not_exist": RejectClass.STALE_CHOICE,
        "unknown_error": Verdict.TROUBLE,
    }
)

RETURN_RULES = Rules(
    texts=(("error_data", "core server error", Verdict.TROUBLE),),
    codes={"error_param": RejectClass.BAD_DATA, "error_data": RejectClass.BAD_DATA},
)

_OPTIONAL_TEXTS = (("error_auth", "no permission", RejectClass.NOT_SUPPORTED),)
_OPTIONAL_CODES = {"error_api_permission": RejectClass.NOT_SUPPORTED, "error_permission": RejectClass.NOT_SUPPORTED}
OPTIONAL_RULES = Rules(texts=_OPTIONAL_TEXTS, codes=_OPTIONAL_CODES)
"""Calls without which the channel still works: a missing permission is about that call, not about the seller's consent."""

PAYMENT_RULES = Rules(
    texts=_OPTIONAL_TEXTS,
    codes={
        **_OPTIONAL_CODES,
        "error_param": RejectClass.BAD_DATA,
        "exceed_max_limit": RejectClass.BAD_DATA,
        "error_not_found": RejectClass.UNKNOWN_ORDER,
        "order_not_found": RejectClass.UNKNOWN_ORDER,
        "income_not_found": RejectClass.UNKNOWN_ORDER,
        "income_error_server": Verdict.TROUBLE,
        "internal_error_server": Verdict.TROUBLE,
        "get_item_error_server": Verdict.TROUBLE,
        "return_info_error_server": Verdict.TROUBLE,
    },
)


def read_refusal(refusal: Refusal, rules: Rules = NO_RULES) -> Verdict | RejectClass:
    """What a refusal means: the endpoint's texts, the gateway's texts, then codes in full and bare form; else `UNKNOWN`."""
    if refusal.code == "error_limit" and "daily" in refusal.text:
        return Verdict.QUOTA  # with a module prefix the code means something else
    names = (refusal.code, refusal.bare)
    for texts in (rules.texts, _GATEWAY_TEXTS):
        for code, part, reading in texts:
            if code in names and part in refusal.text:
                return reading
    for name in names:
        for codes in (rules.codes, _GATEWAY_CODES):
            if name in codes:
                return codes[name]
    return Verdict.UNKNOWN


def quota_wait_s(now: datetime) -> float:
    """Seconds until the daily quota starts anew, at 00:00 UTC+8."""
    there = now.astimezone(timezone(timedelta(hours=8)))
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - there).total_seconds()
