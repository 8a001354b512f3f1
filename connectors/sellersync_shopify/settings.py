"""What a seller writes into the configuration for a Shopify shop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator

from sellersync.connector.contract import ConnectorSettings


class ShopifySettings(ConnectorSettings):
    """Keys of the channel's table."""

    remote_shop_id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$",
        description='The permanent name of the shop: "toko-anda.myshopify.com" (never the shop\'s own domain).',
    )
    base_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Where the shop is reached. Empty: https:// and the permanent name.",
    )
    client_id: str = Field(default="", description="Client ID of your app: Dev Dashboard > the app > Settings.")
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="Client secret of the same app; it signs webhooks, too."
    )
    access_token: SecretStr = Field(
        default=SecretStr(""),
        description="Only for a custom app that was made in the shop's admin before 2026: its token (begins with shpat_). "
        "Leave client_id empty then.",
    )
    api_version: str = Field(
        default="2026-07",
        pattern=r"^20[0-9]{2}-(01|04|07|10)$",
        description="Version of the Admin API. Each works for about a year; 2026-04 or newer.",
    )
    cod_gateways: tuple[str, ...] = Field(
        default=("Cash on Delivery (COD)",),
        description="Names of the payment methods that mean cash on delivery, as the shop shows them.",
    )
    booking_wait_s: float = Field(
        default=0.0, ge=0, le=86_400, description="Seconds to wait after payment before an order may be booked."
    )
    overlap_s: float = Field(
        default=300.0, ge=1, le=86_400, description="How far each walk reaches back behind the last one, in seconds."
    )
    page_size: int = Field(
        default=25,
        ge=1,
        le=250,
        description="Orders asked for at once; halved by itself when the shop finds the question too dear.",
    )
    rate_per_s: float = Field(default=2.0, gt=0, le=100, description="Calls per second on average.")
    burst: int = Field(default=4, ge=1, le=100, description="Calls that may go out at once.")

    @field_validator("base_url")
    @classmethod
    def _without_tail(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("api_version")
    @classmethod
    def _conditional_writes(cls, value: str) -> str:
        if value < "2026-04":
            raise ValueError("conditional stock writes in the form used here begin with 2026-04")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Any:
        has_app = bool(self.client_id and self.client_secret.get_secret_value())
        if has_app == bool(self.access_token.get_secret_value()):
            raise ValueError("give either client_id and client_secret, or access_token")
        return self

    @property
    def address(self) -> str:
        """Where the shop is reached."""
        return self.base_url or f"https://{self.remote_shop_id}"

    @property
    def version_ends_at(self) -> datetime:
        """When the pinned version stops being served: a stable version lives at least a year (API versioning page, 2026)."""
        year, month = self.api_version.split("-")
        return datetime(int(year) + 1, int(month), 1, tzinfo=UTC)
