"""Settings: one TOML file, the environment (`SELLERSYNC_...`) and a directory of credential files, checked as a whole.

`load` is the only entrance. `shape` holds the models, `sources` reads the three places, `sentences` words what is wrong. The channels'
and couriers' own keys are validated by the connectors themselves; this package knows the shape, not the channels.
"""

from .booking import BookingRule, BookingSettings
from .load import load
from .shape import (
    ChannelSettings,
    CompareSettings,
    CourierSettings,
    HttpSettings,
    JobsSettings,
    LedgerSettings,
    ReportSettings,
    SenderSettings,
    Settings,
    ShopSettings,
    StockSettings,
    WarehouseSettings,
)

__all__ = [
    "BookingRule",
    "BookingSettings",
    "ChannelSettings",
    "CompareSettings",
    "CourierSettings",
    "HttpSettings",
    "JobsSettings",
    "LedgerSettings",
    "ReportSettings",
    "SenderSettings",
    "Settings",
    "ShopSettings",
    "StockSettings",
    "WarehouseSettings",
    "load",
]
