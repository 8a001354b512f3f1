"""The shape of the configuration: one frozen model a table of the file. Every field's description is shown when its value is wrong."""

from __future__ import annotations

import base64
import binascii
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, StringConstraints, field_validator

from sellersync.connector.contract import ConnectorSettings, Place
from sellersync.domain.differences import DEFAULT_POLICIES, Difference, DifferencePolicy

from .booking import BookingSettings as BookingSettings
from .desk import DeskSettings as DeskSettings
from .mail import MailSettings as MailSettings
from .notify import AlertsSettings as AlertsSettings
from .notify import NotifySettings as NotifySettings
from .table import Table as Table

SLUG_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
Code = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]


class ShopSettings(Table):
    """[shop]"""

    name: str = Field(min_length=1, description="the shop's name, as it stands on the report")
    timezone: str = Field(default="Asia/Jakarta", description="the shop's time zone; the report's day is a day there")
    language: Literal["id", "en"] = Field(
        default="id", description="language of the report: id (Indonesian) or en (English)"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{name!r} is not a time zone; Indonesia has Asia/Jakarta, Asia/Pontianak, Asia/Makassar and Asia/Jayapura"
            ) from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class LedgerSettings(Table):
    """[ledger]"""

    url: str = Field(
        default="sqlite:////var/lib/sellersync/ledger.db",
        repr=False,
        description="where the ledger is: sqlite:///FILE (relative to this file; four slashes for an absolute path) or "
        "postgresql+psycopg://USER@HOST/DATABASE",
    )
    state_dir: Path = Field(
        default=Path("/var/lib/sellersync"),
        description="directory for what must survive beside the ledger: token journal, restore epoch, reports",
    )
    busy_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="seconds that a command waits while another process writes"
    )

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("a URL beginning with sqlite:/// or postgresql+psycopg:// is expected")
        urlsplit(url)
        return url


class WarehouseSettings(Table):
    """[warehouses.CODE]"""

    name: str = Field(default="", description="the warehouse's name, as staff call it")


class ChannelTable(Table):
    """The keys of [channels.SLUG] that every channel has; all others belong to its connector."""

    provider: str = Field(min_length=1, description="which connector speaks to this channel")
    enabled: bool = Field(
        default=True, description="false: the channel is left alone and its other keys are not checked"
    )
    poll_s: float = Field(default=60.0, ge=0.2, le=3600, description="seconds between two pulls of orders")
    push_s: float | None = Field(
        default=None,
        ge=0.2,
        le=3600,
        description="seconds between two pushes of stock levels; without it [jobs] push_s",
    )
    jitter: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="random share by which each interval is varied, so that channels do not march",
    )
    warehouse: tuple[str, ...] | None = Field(
        default=None,
        description="code of the warehouse that this channel sells from, or a list of codes; without it the first one",
    )
    locations: dict[str, str] = Field(
        default={}, description="the channel's own location ids mapped to warehouse codes, where it has several"
    )
    first_walk_days: float | None = Field(
        default=None,
        gt=0,
        le=90,
        description="how many days back the first pull goes; without it what the connector declares",
    )

    @field_validator("warehouse", mode="before")
    @classmethod
    def _one_or_several(cls, codes: object) -> object:
        if codes is not None and not isinstance(codes, str | list | tuple):
            raise ValueError("a code in quotes, or a list of codes, is expected")
        return (codes,) if isinstance(codes, str) else codes


class ChannelSettings(Table):
    """A configured channel, ready for use: defaults filled in, `connector` is the connector's own validated settings."""

    slug: str
    provider: str
    poll_s: float
    push_s: float
    jitter: float
    warehouse: str
    """Where its orders are taken from."""
    more_warehouses: tuple[str, ...] = ()
    """Those whose stock it shows besides."""
    locations: dict[str, str]
    first_walk_days: float | None
    connector: ConnectorSettings


class CourierTable(Table):
    """The keys of [couriers.SLUG] that every courier has; all others belong to its connector."""

    provider: str = Field(min_length=1, description="which connector speaks to this courier service")
    enabled: bool = Field(
        default=True, description="false: the courier is left alone and its other keys are not checked"
    )


class CourierSettings(Table):
    """A configured courier service, ready for use."""

    slug: str
    provider: str
    connector: ConnectorSettings


class SenderSettings(Table):
    """[sender]: where own-site parcels are collected. Marketplaces use the pickup address of their own seller centre."""

    name: str = Field(min_length=1, description="who hands the parcels over")
    phone: str = Field(min_length=5, description="the phone number that the courier calls, for example 0812...")
    address: str = Field(min_length=5, description="street, number, and how to find the door")
    postal_code: str = Field(
        pattern=r"^[0-9]{5}$", description='the five-digit postal code in quotes, for example "40115"'
    )
    district: str = Field(default="", description="kecamatan")
    city: str = Field(default="", description="kota or kabupaten")
    province: str = Field(default="", description="provinsi")
    email: str = Field(default="", description="address for the courier's messages")
    note: str = Field(default="", description="a hint for the courier")
    latitude: float | None = Field(
        default=None, ge=-90, le=90, description="degrees; instant couriers need the exact point"
    )
    longitude: float | None = Field(
        default=None, ge=-180, le=180, description="degrees; instant couriers need the exact point"
    )

    def place(self) -> Place:
        """The sender as couriers want it."""
        return Place(**self.model_dump())


class JobsSettings(Table):
    """[jobs]: how often the daemon does what, in seconds. Pulling orders is set per channel (`poll_s`)."""

    push_s: float = Field(
        default=5.0, ge=0.2, le=3600, description="seconds between two pushes of changed stock levels"
    )
    book_s: float = Field(default=30.0, ge=0.2, le=3600, description="seconds between two looks for parcels to book")
    track_s: float = Field(
        default=300.0, ge=0.2, le=86400, description="seconds between two looks at parcels on their way"
    )
    listings_s: float = Field(
        default=21600.0, ge=0.2, le=86400, description="seconds between two readings of all listings"
    )
    settlements_s: float = Field(
        default=21600.0, ge=1, le=604800, description="seconds between two readings of what the channels paid out"
    )
    held_reread_s: float = Field(
        default=60.0,
        ge=0.2,
        le=3600,
        description="seconds between two readings of an order that waits (a free-cancel hour, an answer to a cancellation)",
    )
    reread_s: float = Field(
        default=86400.0,
        ge=1,
        le=86400,
        description="seconds after which an open order is read again, whatever its times say",
    )
    seal_s: float = Field(default=60.0, ge=0.2, le=3600, description="seconds between two runs that seal new movements")
    drain_s: float = Field(
        default=20.0,
        ge=0,
        le=80,
        description="seconds that a stopping daemon gives its running work; systemd allows 90",
    )


class ReportSettings(Table):
    """[report]"""

    at: time = Field(
        default=time(7, 0), description='time of day in the shop\'s zone at which the report is made, "HH:MM"'
    )
    dir: Path | None = Field(
        default=None, description="directory of the report files; without it `reports` in state_dir"
    )
    html: bool = Field(default=True, description="true: write the report as an HTML file")
    send_to: tuple[str, ...] = Field(
        default=(), description="names of the [notify.NAME] tables that the daily report goes to"
    )
    weekly_to: tuple[str, ...] = Field(
        default=(), description="names of those that the report of the week before goes to, on Mondays"
    )
    monthly_to: tuple[str, ...] = Field(
        default=(),
        description="names of those that the report of the month before goes to, on the first day of a month",
    )

    @field_validator("at")
    @classmethod
    def _no_zone(cls, at: time) -> time:
        if at.tzinfo is not None:
            raise ValueError('a time without a zone is expected, for example "07:00" (the zone is in [shop])')
        return at


class StockSettings(Table):
    """[stock]"""

    buffer: int = Field(default=0, ge=0, le=10_000, description="units of every listing kept back from all channels")
    sudden_zero_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="share of the levels that may go to zero without a cause before a person must agree",
    )
    sudden_zero_min: int = Field(
        default=10, ge=1, description="and the number of levels below which nobody is asked, whatever their share"
    )
    lead_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="days from an order to a supplier until it arrives, where `stock plan` does not say",
    )
    cover_days: int = Field(
        default=14,
        ge=1,
        le=365,
        description="days of sales that an order should bring beyond that, where `stock plan` does not say",
    )
    overstock_days: int = Field(
        default=120, ge=1, le=3650, description="stock that lasts more days than this is named as too much"
    )
    dead_after_days: int = Field(
        default=90,
        ge=7,
        le=730,
        description="stock that nobody bought on this many days on which it was there is named as dead",
    )


class CompareSettings(Table):
    """[compare]: what is done about a number on a channel that is not the expected one, by why it differs."""

    every_s: float = Field(
        default=21600.0,
        ge=1,
        le=604800,
        description="seconds between two comparisons of what a channel shows with what is expected",
    )
    edited_by_hand: DifferencePolicy = Field(
        default=DEFAULT_POLICIES[Difference.EDITED_BY_HAND],
        description="somebody changed the number on the channel: report, overwrite or adopt",
    )
    campaign_return: DifferencePolicy = Field(
        default=DEFAULT_POLICIES[Difference.CAMPAIGN_RETURN],
        description="units came back from a campaign: report, overwrite or adopt",
    )
    push_refused: DifferencePolicy = Field(
        default=DEFAULT_POLICIES[Difference.PUSH_REFUSED],
        description="the channel refuses our number: report, overwrite (try again) or adopt",
    )
    unknown_target: DifferencePolicy = Field(
        default=DEFAULT_POLICIES[Difference.UNKNOWN_TARGET],
        description="the channel does not know the listing any more: report or overwrite (try again)",
    )

    @field_validator("unknown_target")
    @classmethod
    def _has_no_number(cls, policy: DifferencePolicy) -> DifferencePolicy:
        if policy is DifferencePolicy.ADOPT:
            raise ValueError("there is no number to adopt; report or overwrite is expected")
        return policy

    def policies(self) -> dict[Difference, DifferencePolicy]:
        """Difference -> what is done about it; the classes that are not here settle themselves."""
        return {difference: getattr(self, difference.value) for difference in DEFAULT_POLICIES}


class HttpSettings(Table):
    """[http]: bounds of the traffic with one channel (`connector.http.WireLimits` has the same names)."""

    connect_timeout_s: float = Field(default=5.0, gt=0, le=60, description="seconds to wait for a connection")
    read_timeout_s: float = Field(
        default=30.0, gt=0, le=300, description="seconds to wait for the next piece of an answer"
    )
    read_deadline_s: float = Field(default=60.0, gt=0, le=600, description="seconds that a whole reading call may take")
    write_deadline_s: float = Field(
        default=60.0, gt=0, le=600, description="seconds that a whole writing call may take"
    )
    read_attempts_max: int = Field(default=3, ge=1, le=10, description="how often a reading call is tried")
    retry_wait_s_max: float = Field(
        default=8.0, gt=0, le=300, description="longest wait in seconds before trying again"
    )
    connections_max: int = Field(default=6, ge=1, le=10, description="connections open at once to one channel")
    keepalive_s: float = Field(default=90.0, ge=0, le=600, description="seconds that an idle connection is kept")


class Settings(Table):
    """The whole configuration, as `load` returns it. `path` is the file it came from."""

    path: Path
    shop: ShopSettings
    ledger: LedgerSettings
    warehouses: dict[str, WarehouseSettings]
    channels: dict[str, ChannelSettings]
    couriers: dict[str, CourierSettings]
    sender: SenderSettings | None
    booking: BookingSettings
    jobs: JobsSettings
    report: ReportSettings
    stock: StockSettings
    http: HttpSettings
    compare: CompareSettings = CompareSettings()
    desk: DeskSettings = DeskSettings()
    mail: MailSettings = MailSettings()
    notify: dict[str, NotifySettings] = Field(default={})
    alerts: AlertsSettings = AlertsSettings()
    mail_password: SecretStr | None = None
    vault_key: SecretStr
    disabled: frozenset[str] = frozenset()
    """Slugs of the channels, couriers and notifiers that are switched off."""
    credentials_dir: Path | None = None
    """Where the credential files were read, for commands that start another one."""

    @property
    def report_dir(self) -> Path:
        return self.report.dir or self.ledger.state_dir / "reports"

    @property
    def label_dir(self) -> Path:
        """Where labels, manifests and pick lists go unless a person says otherwise."""
        return self.ledger.state_dir / "labels"

    def vault_key_bytes(self) -> bytes:
        """The 32 bytes behind `vault_key`."""
        return read_vault_key(self.vault_key.get_secret_value())

    def secret_values(self) -> list[str]:
        """Every secret of the configuration in clear, for the redactor of logs and error texts and for nothing else."""
        values = [self.vault_key.get_secret_value()]
        if password := urlsplit(self.ledger.url).password:
            values.append(password)
        if self.mail_password is not None:
            values.append(self.mail_password.get_secret_value())
        connectors = [channel.connector for channel in self.channels.values()]
        connectors += [courier.connector for courier in self.couriers.values()]
        connectors += [notifier.own for notifier in self.notify.values()]
        for connector in connectors:
            for name in type(connector).model_fields:
                value = getattr(connector, name)
                if isinstance(value, SecretStr):
                    values.append(value.get_secret_value())
        return values


def read_vault_key(text: str) -> bytes:
    """32 bytes written as 64 hexadecimal digits or in base64. Raises `ValueError` (without the text)."""
    try:
        key = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 32:
        raise ValueError("32 random bytes are expected, written as 64 hexadecimal digits or in base64")
    return key


SECTIONS: dict[str, type[Table]] = {
    "shop": ShopSettings,
    "ledger": LedgerSettings,
    "sender": SenderSettings,
    "booking": BookingSettings,
    "jobs": JobsSettings,
    "report": ReportSettings,
    "alerts": AlertsSettings,
    "stock": StockSettings,
    "compare": CompareSettings,
    "desk": DeskSettings,
    "mail": MailSettings,
    "http": HttpSettings,
}
"""Tables that stand once in the file."""
