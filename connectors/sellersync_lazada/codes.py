"""The platform's error codes and what they mean for a caller (API reference and error code tables, 2026)."""

from __future__ import annotations

from collections.abc import Container, Mapping

from sellersync.domain.errors import RejectClass

from .auth import AUTHORISE_AGAIN

TOKEN_DEAD = frozenset({"IllegalAccessToken", "InvalidAccessToken"})
SELLER_MUST_ACT: Mapping[str, str] = {
    "IllegalRefreshToken": AUTHORISE_AGAIN,
    "InvalidCode": AUTHORISE_AGAIN,
    "AUTH_TYPE_UNSUPPORTED": AUTHORISE_AGAIN,
    "IncompleteSignature": "Check app_key and app_secret in the configuration.",
    "InsufficientPermission": "Give the app the missing permission in the app console.",
    "SellerNotVerified": "Finish the shop's verification in the seller centre.",
    "Mp3SellerApiLimit": "This kind of shop may not use the API; ask the platform's seller support.",
}
CALL_LIMITS = frozenset(
    {"ApiCallLimit", "SellerCallLimit", "AppCallLimit", "IopSystemFlowlimit", "ServiceCurrentlimit", "901", "1002"}
)
"""Throttles: the call was not processed. (`IopSystemFlowlimit`, `ServiceCurrentlimit`: unconfirmed.)"""
TRANSIENT = frozenset({"513", "6", "1000", "506", "ServiceTimeout"})
"""The platform is unwell; on a write nobody knows how far it came."""
SWITCHED_OFF = "998"  # during a mega campaign
NO_PERMISSION = frozenset({"InsufficientPermission"})
REJECTIONS: Mapping[str, RejectClass] = {
    "MissingParameter": RejectClass.BAD_DATA,
    "14": RejectClass.BAD_DATA,
    "17": RejectClass.BAD_DATA,
    "19": RejectClass.BAD_DATA,
    "36": RejectClass.BAD_DATA,
    "38": RejectClass.BAD_DATA,
    "56": RejectClass.BAD_DATA,
    "74": RejectClass.BAD_DATA,
    "75": RejectClass.BAD_DATA,
    "16": RejectClass.UNKNOWN_ORDER,
    "37": RejectClass.UNKNOWN_ORDER,
    "39": RejectClass.UNKNOWN_ORDER,
    "700021": RejectClass.UNKNOWN_ORDER,
    "700025": RejectClass.UNKNOWN_ORDER,
    "207": RejectClass.UNKNOWN_LISTING,
    "208": RejectClass.UNKNOWN_LISTING,
    "EDIT_ITEM_NOT_BELONG_SELLER": RejectClass.UNKNOWN_LISTING,
    "700040": RejectClass.NOT_NOW,
}
STOCK_REFUSALS: Mapping[str, RejectClass] = {
    "501": RejectClass.OTHER,
    "4170": RejectClass.CAMPAIGN_LOCKED,
    "4225": RejectClass.OTHER,
    "5": RejectClass.BAD_DATA,
    "30": RejectClass.BAD_DATA,
    "204": RejectClass.OTHER,
    "4171": RejectClass.OTHER,
    "207": RejectClass.UNKNOWN_LISTING,
    "208": RejectClass.UNKNOWN_LISTING,
}
"""Codes of a refused stock update as a whole; 501 is a summary of `detail`."""
ROW_BUSY = frozenset({"6", "40011", "700024"})
ROW_DONE = frozenset({"700000", "700026"})
"""The state forbids the step: often because it was done already; decided by reading the items."""
ROW_REFUSALS: Mapping[str, RejectClass] = {
    "1003": RejectClass.NO_ROUTE,
    "700000": RejectClass.ALREADY_DONE,
    "700004": RejectClass.BAD_DATA,
    "700017": RejectClass.BAD_DATA,
    "700018": RejectClass.BAD_DATA,
    "700019": RejectClass.BAD_DATA,
    "700021": RejectClass.UNKNOWN_ORDER,
    "700022": RejectClass.BAD_DATA,
    "700023": RejectClass.NOT_SUPPORTED,
    "700025": RejectClass.UNKNOWN_ORDER,
    "700026": RejectClass.ALREADY_DONE,
    "700027": RejectClass.NOT_OURS,
    "700028": RejectClass.NOT_SUPPORTED,
    "700029": RejectClass.LOCATION,
    "700030": RejectClass.NOT_SUPPORTED,
    "700031": RejectClass.NOT_NOW,
    "700040": RejectClass.NOT_NOW,
    "700009": RejectClass.NOT_SUPPORTED,
    "600001": RejectClass.UNKNOWN_ORDER,
    "600002": RejectClass.CANCELLED,
}
"""`item_err_code` of a pack or ready-to-ship row."""


class _OwnRefusals(Container[str]):
    """Codes that are one call's own matter: all but those that say that the platform, the token or the app as a whole is in trouble."""

    def __contains__(self, code: object) -> bool:
        general = TOKEN_DEAD | CALL_LIMITS | TRANSIENT | {SWITCHED_OFF} | set(SELLER_MUST_ACT)
        return code in NO_PERMISSION or (code != "" and code not in general)


OWN_REFUSALS = _OwnRefusals()
