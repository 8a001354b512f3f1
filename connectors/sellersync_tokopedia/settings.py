"""The keys of a Tokopedia channel's table in the configuration file."""

from __future__ import annotations

from pydantic import Field, SecretStr

from sellersync.connector.contract import ConnectorSettings


class TokopediaSettings(ConnectorSettings):
    """Keys of a Tokopedia table in the configuration file."""

    app_key: str = Field(
        min_length=1, description="App key from your app's page in the Partner Center (partner.tokopedia.com)."
    )
    app_secret: SecretStr = Field(min_length=1, description="App secret from the same page. Never share it.")
    service_id: str = Field(
        "", description="Service id from the same page; needed for the link on which you authorise the shop."
    )
    remote_shop_id: str = Field(
        "", description="The shop's id. May stay empty while the authorisation covers a single Indonesian shop."
    )
    base_url: str = Field("https://open-api.tiktokglobalshop.com", description="Address of the API; leave as it is.")
    auth_base_url: str = Field(
        "https://auth.tiktok-shops.com", description="Address of the token service; leave as it is."
    )
    consent_base_url: str = Field(
        "https://services.tiktokshop.com", description="Address of the consent page; leave as it is."
    )
    rate_per_s: float = Field(2.0, gt=0, description="Calls per second on average; quotas are dynamic, so stay low.")
    burst: int = Field(5, ge=1, description="Calls that may go out at once.")
    overlap_s: float = Field(
        900.0, ge=1, description="How far each look at changed orders reaches back, in seconds; lists may lag."
    )
    booking_read_lag_s: float = Field(
        60.0, ge=0, description="How long a booking may stay invisible when it is read back, in seconds."
    )
    label_size: str = Field("A6", pattern="^A[56]$", description='Paper size of labels: "A6" or "A5".')
