"""Error codes of the TikTok Shop Open API and what they mean for the caller.

Common codes: Partner Center "common errors" (2026-07-06); inventory codes from the Create and Update Product pages; order and
after-sales codes from mirrors of those pages (medium confidence). A code that is not here is `Unrecognised`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sellersync.domain.errors import RejectClass

RATE_LIMITED = frozenset({36009002, 12052109})
HOURLY_QUOTA = 36009037
INTERNAL = frozenset({36009003, 36009007})
ORDER_FETCH_FAILED = frozenset({10002014, 10002015, 10037002, 10037003, 10037004, 10006402})
TOKEN_EXPIRED = 105002
NO_PERMISSION = 105005
MANY_MEANINGS = 36009004
RETIRED = frozenset({36009009, 36009010, 36009014, 36009022, 36009023})
QUANTITY = frozenset({12019024, 12052055})
"""The stock figure is outside the limits: 0 where it is refused, or below what a campaign holds."""
PRODUCT_LEVEL = frozenset({12052031, 12052032, 12052048, 12052050, 21008111, 21008106})
"""Refusals that hold for every SKU of the call: sending the SKUs one by one is useless."""

SELLER_MUST_ACT: Mapping[int, tuple[str, str]] = {
    NO_PERMISSION: (
        "the app lacks a permission",
        "Enable the order, product, fulfilment, logistics and return permissions of the app in the Partner Center, then authorise again.",
    ),
    101000: ("the token does not belong to this shop", "Log in with the shop's main account and authorise again."),
    106001: ("the signature is refused", "Compare app_secret with the app's page in the Partner Center."),
    106013: ("the call lacks the shop's cipher", "Authorise the shop again."),
    36009033: (
        "this machine's address is not on the app's IP list",
        "Add the server's IP address in the Partner Center.",
    ),
    36009043: ("the shop is inactive", "Open Seller Center and make the shop active again."),
    36009044: ("the seller account is inactive", "Open Seller Center and make the account active again."),
    12052994: ("the seller is not a Tokopedia seller", "Bind the Tokopedia shop in Seller Center."),
    12052995: ("the seller has not finished onboarding", "Finish the Tokopedia onboarding in Seller Center."),
    12052332: ("the seller center is locked", "Open Seller Center and see why it is locked."),
}

REJECTED: Mapping[int, RejectClass] = {
    21008111: RejectClass.NOT_OURS,
    21008106: RejectClass.NOT_SUPPORTED,
    12019022: RejectClass.LOCATION,
    12019024: RejectClass.BAD_DATA,
    12019028: RejectClass.LOCATION,
    12052031: RejectClass.UNKNOWN_LISTING,
    12052032: RejectClass.UNKNOWN_LISTING,
    12052036: RejectClass.UNKNOWN_LISTING,
    12052037: RejectClass.LOCATION,
    12052048: RejectClass.UNKNOWN_LISTING,
    12052050: RejectClass.BAD_DATA,
    12052055: RejectClass.BAD_DATA,
    12052094: RejectClass.LOCATION,
    12052097: RejectClass.LOCATION,
    12052144: RejectClass.NOT_MANAGED,
    **dict.fromkeys((25001001, 11050001, 25001003, 25011012, 25011013, 25020004, 25020005), RejectClass.NOT_NOW),
    **dict.fromkeys(RETIRED, RejectClass.NOT_SUPPORTED),
}
