"""What will sell, how wrong that may be, and what to buy. `demand_report` is the door; nothing of it belongs into the daemon."""

from .build import DemandPolicy, DemandReport, SkuDemand, demand_report, policy_of
from .choose import Candidate, SkuForecast, Unknown
from .methods import Method
from .series import DemandClass

__all__ = [
    "Candidate",
    "DemandClass",
    "DemandPolicy",
    "DemandReport",
    "Method",
    "SkuDemand",
    "SkuForecast",
    "Unknown",
    "demand_report",
    "policy_of",
]
