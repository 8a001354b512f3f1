"""What a seller writes into the configuration for a WooCommerce shop."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator

from sellersync.connector.contract import ConnectorSettings


class WooCommerceSettings(ConnectorSettings):
    """Keys of the channel's table."""

    base_url: str = Field(
        pattern=r"^https?://[^\s?#]+$",
        description='Where the shop is reached: "https://toko.example". The part before /wp-json, without it.',
    )
    remote_shop_id: str = Field(
        pattern=r"^https?://[^\s?#]+$",
        description="The shop's own idea of its address: Settings > General > Site Address (with or without www, http or https, "
        "exactly as written there). Signatures over plain http are made for this address.",
    )
    consumer_key: SecretStr = Field(
        description="WooCommerce > Settings > Advanced > REST API: the key that begins with ck_."
    )
    consumer_secret: SecretStr = Field(description="The secret that belongs to the key; it begins with cs_.")
    query_keys: bool = Field(
        default=False,
        description="Send the credentials in the address instead of a header. Only for hosts that strip the Authorization header: "
        "addresses end up in access logs.",
    )
    oauth_over_https: bool = Field(
        default=False,
        description="Sign requests although the address is https: for a shop behind a proxy that does not tell PHP about TLS.",
    )
    cod_methods: tuple[str, ...] = Field(default=("cod",), description="Payment method ids that mean cash on delivery.")
    paid_statuses: tuple[str, ...] = Field(
        default=(), description="Own order statuses (slugs) that mean paid and to be shipped, beside processing."
    )
    shipped_statuses: tuple[str, ...] = Field(
        default=(), description="Own order statuses (slugs) that mean the goods have left, beside completed."
    )
    status_after_waybill: str = Field(
        default="",
        description="Status to set when the waybill is handed back (for example completed, or your own shipped status). "
        "Empty: the status is left alone.",
    )
    district_in_address_2: bool = Field(
        default=False,
        description="The second address line holds the kecamatan (some Indonesian shipping plugins do that).",
    )
    booking_wait_s: float = Field(
        default=0.0, ge=0, le=86_400, description="Seconds to wait after payment before an order may be booked."
    )
    overlap_s: float = Field(
        default=300.0, ge=1, le=86_400, description="How far each walk reaches back behind the last one, in seconds."
    )
    hold_fallback_minutes: int = Field(
        default=60,
        ge=1,
        le=100_000,
        description="How long an unpaid order keeps its units here when the shop names no hold time.",
    )
    rate_per_s: float = Field(
        default=2.0, gt=0, le=100, description="Requests per second; small hosting has few PHP workers."
    )
    burst: int = Field(default=4, ge=1, le=100, description="Requests that may go out at once.")

    @field_validator("base_url", "remote_shop_id")
    @classmethod
    def _without_tail(cls, value: str) -> str:
        return value.rstrip("/").removesuffix("/wp-json")

    @field_validator("paid_statuses", "shipped_statuses", mode="after")
    @classmethod
    def _slugs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(slug.removeprefix("wc-") for slug in value)

    @field_validator("status_after_waybill")
    @classmethod
    def _slug(cls, value: str) -> str:
        return value.removeprefix("wc-")

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Any:
        both = set(self.paid_statuses) & set(self.shipped_statuses)
        if both:
            raise ValueError(f"{', '.join(sorted(both))}: a status means either paid or shipped, not both")
        return self

    @property
    def signs(self) -> bool:
        """OAuth 1.0a instead of plain keys: the shop looks at plain keys over TLS only."""
        return self.oauth_over_https or self.base_url.startswith("http://")
