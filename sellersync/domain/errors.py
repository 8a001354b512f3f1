"""Errors, named by what the caller must do.

Every failure that a person or a job can do something about is one of these. Anything else is a bug of ours and stays loud.
`cli/sentences.py` turns them into sentences with the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum


class SellersyncError(Exception):
    """Base of every error that has a next step."""


class Temporary(SellersyncError):
    """The other side is unwell; the same call may work later, and nothing was changed by this one."""

    def __init__(self, why: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after_s = retry_after_s


class RateLimited(SellersyncError):
    """The provider asked us to wait; nothing was changed by the call."""

    def __init__(self, why: str, *, until: datetime) -> None:
        super().__init__(f"{why} (until {until.isoformat()})")
        self.why = why
        self.until = until


class QuotaSpent(RateLimited):
    """Our own count says that the provider's calls of this day are used up, for this kind of call; others may still go out."""


class AuthNeeded(SellersyncError):
    """Only the seller can help: consent again, enable a permission, or correct a key."""

    def __init__(self, why: str, *, todo: str) -> None:
        super().__init__(f"{why}. {todo}")
        self.why = why
        self.todo = todo


class TokenDead(SellersyncError):
    """The access token was refused before anything was processed; renew it once and repeat the call once."""


class RejectClass(StrEnum):
    """Why a provider refused one item; decides what the job does next."""

    CAMPAIGN_LOCKED = "campaign_locked"
    CANNOT_DECREASE = "cannot_decrease"
    BELOW_RESERVED = "below_reserved"
    UNKNOWN_LISTING = "unknown_listing"
    UNKNOWN_ORDER = "unknown_order"
    LOCATION = "location"
    NOT_MANAGED = "not_managed"
    ZERO_REFUSED = "zero_refused"
    HOLIDAY = "holiday"
    ALREADY_DONE = "already_done"
    NOT_NOW = "not_now"
    STALE_CHOICE = "stale_choice"
    CANCELLED = "cancelled"
    NOT_OURS = "not_ours"
    REFERENCE_USED = "reference_used"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    NO_ROUTE = "no_route"
    SELLER_MUST_ACT = "seller_must_act"
    BAD_DATA = "bad_data"
    NOT_SUPPORTED = "not_supported"
    OTHER = "other"


class Rejected(SellersyncError):
    """The provider understood and said no. Repeating the same call is useless.

    `item` names what was refused in the provider's words, `why` is the provider's text, `details` what it added (for example the
    booking that already holds a used reference).
    """

    def __init__(
        self,
        item: str,
        why: str,
        reject: RejectClass = RejectClass.OTHER,
        *,
        code: str = "",
        details: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{item}: {why}" + (f" [{code}]" if code else ""))
        self.item = item
        self.why = why
        self.reject = reject
        self.code = code
        self.details = details or {}


class Uncertain(SellersyncError):
    """A write was sent and its outcome is not known. It must be settled by reading before anything is sent again (L9)."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f"{reference}: {why}")
        self.reference = reference
        self.why = why


class Unrecognised(SellersyncError):
    """The provider said something that the wire contract does not list. Kept as it came, never guessed (L7)."""

    def __init__(self, what: str, raw: str) -> None:
        super().__init__(f"{what}: {raw[:300]!r}")
        self.what = what
        self.raw = raw


class CapExceeded(SellersyncError):
    """A provider's hard cap was hit while walking a window; the window must be split, never cut (L6)."""


class NotSupported(SellersyncError):
    """The connector does not declare this capability; refused before any call."""


class ConfigError(SellersyncError):
    """The configuration is wrong. Carries every problem found, one sentence each, so that one run shows them all."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class BadInput(SellersyncError):
    """A person's input (argument, CSV row) cannot be used; the sentence names the place and the next step."""


class LeaseLost(SellersyncError):
    """Another process took over this work while we held it; stop without writing."""


class Held(SellersyncError):
    """Another process does this work right now; come back after `until`."""

    def __init__(self, what: str, owner: str, until: datetime) -> None:
        super().__init__(f"{what} is being done by {owner} until {until.isoformat()}")
        self.what = what
        self.owner = owner
        self.until = until
