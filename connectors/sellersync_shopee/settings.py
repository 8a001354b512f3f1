"""The keys of a Shopee channel's table in the configuration file."""

from __future__ import annotations

from pydantic import Field, SecretStr

from sellersync.connector.contract import ConnectorSettings

LIVE_URL = "https://partner.shopeemobile.com"
LIVE_CONSENT_URL = "https://open.shopee.com/auth"


class ShopeeSettings(ConnectorSettings):
    """What a seller fills in for one Shopee shop."""

    partner_id: int = Field(
        gt=0, description="Partner ID of your app, from the app list of the Shopee Open Platform console"
    )
    partner_key: SecretStr = Field(
        min_length=16,
        description="Partner key of your app (live key for the live shop), kept as the text that the console shows",
    )
    remote_shop_id: str = Field(
        pattern=r"^[0-9]+$", description="Shop ID: the number after shop_id= when you agree to the app"
    )
    base_url: str = Field(LIVE_URL, pattern=r"^https?://", description="API host; change it only for the sandbox")
    consent_page_url: str = Field(
        LIVE_CONSENT_URL,
        pattern=r"^https?://",
        description="Page on which the seller agrees; change it only for the sandbox",
    )
    rate_per_s: float = Field(
        5.0,
        gt=0,
        le=100,
        description="Calls per second on average; Shopee publishes no number, so this is a careful one",
    )
    burst: int = Field(4, ge=1, le=100, description="Calls that may go out at once")
    overlap_s: int = Field(
        300, ge=0, le=86_400, description="Seconds by which each order window reaches back behind the one before"
    )
    booking_wait_s: int = Field(
        3600,
        ge=0,
        le=86_400,
        description="Seconds after ordering before a courier is booked: in the first hour the buyer may cancel without asking",
    )
    booking_read_lag_s: int = Field(
        1200,
        ge=0,
        le=7200,
        description="Longest seconds until a booked parcel is shown as booked (up to 20 minutes were seen)",
    )
    settlement_reread_days: int = Field(
        15,
        ge=1,
        le=90,
        description="Days for which a released order's money is read again: corrections do not move its place in Shopee's list",
    )
    sender_real_name: str = Field(
        "", max_length=64, description="Sender's name for couriers that ask for it at a drop-off (JOB channels)"
    )
    label_type: str = Field(
        "",
        pattern=r"^(NORMAL_AIR_WAYBILL|THERMAL_AIR_WAYBILL|NORMAL_JOB_AIR_WAYBILL|THERMAL_JOB_AIR_WAYBILL|THERMAL_UNPACKAGED_LABEL)?$",
        description="Label format, for example THERMAL_AIR_WAYBILL; empty takes Shopee's own choice",
    )
