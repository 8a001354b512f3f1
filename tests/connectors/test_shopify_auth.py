"""Tokens of the client-credentials grant and webhook signatures."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from sellersync.connector.contract import Token
from sellersync.domain.errors import AuthNeeded, NotSupported, Temporary, Unrecognised
from sellersync.sandbox.kit import Event
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_shopify import auth
from sellersync_shopify.auth import ShopifyAuthoriser, webhook_is_genuine
from sellersync_shopify.settings import ShopifySettings

PAYLOADS = Path(auth.__file__).parent / "payloads"
SECRET = "shpss_rahasia-uji"
BODY = b'{"id":820982911946154508,"note":"Terima kasih"}'
SIGNATURE = "A4j+RUAvCQpGly7sQYw4b2YZRIWQyobxxSn41Q8xacc="
"""Made up; computed with `openssl dgst -sha256 -hmac SECRET -binary | openssl base64`."""
OLD_SIGNATURE = "YTl2Me7p8A4nXPo7jbyTyiLm8m3BBEP+wK8qIAx5Lhc="  # of {"id":1}, secret "lama", the same way


def by_hand(body: bytes, secret: str) -> str:
    """HMAC-SHA256 in base64 as RFC 2104 writes it down, without the hmac module."""
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inside = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + body).digest()
    return base64.b64encode(hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inside).digest()).decode()


def run(test: Any, **options: Any) -> Any:
    return on_rig("shopify", test, **options)


def token_calls(rig: Rig[Any, Any]) -> list[httpx.Request]:
    return [request for request in rig.requests if request.url.path == "/admin/oauth/access_token"]


# -- webhooks


def test_webhook_signature() -> None:
    assert by_hand(BODY, SECRET) == SIGNATURE
    assert webhook_is_genuine(BODY, SIGNATURE, [SECRET])
    assert webhook_is_genuine(BODY, f" {SIGNATURE}\n", [SECRET])
    assert not webhook_is_genuine(BODY.replace(b" ", b""), SIGNATURE, [SECRET])
    assert not webhook_is_genuine(BODY, SIGNATURE.lower(), [SECRET])
    assert not webhook_is_genuine(BODY, "", [SECRET])
    assert not webhook_is_genuine(BODY, "ä", [SECRET])
    assert not webhook_is_genuine(BODY, SIGNATURE, [])


def test_the_old_secret_signs_for_a_while() -> None:
    assert webhook_is_genuine(b'{"id":1}', OLD_SIGNATURE, ["baru", "lama"])
    assert not webhook_is_genuine(b'{"id":1}', OLD_SIGNATURE, ["baru"])


# -- tokens


@pytest.mark.parametrize("old_token", ["lives_on", "dies"])
def test_a_token_that_ends_in_the_middle_is_had_again_once(old_token: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        await rig.connector.health()
        rig.sim.expire_tokens()
        assert (await rig.connector.health()).shop_name == "Toko Uji"
        assert rig.tokens.refreshes == 1
        [call] = token_calls(rig)
        form = dict(pair.split("=") for pair in call.content.decode().split("&"))
        assert form == {
            "grant_type": "client_credentials",
            "client_id": rig.sim.client_id,
            "client_secret": rig.sim.client_secret,
        }

    run(test, switches={"old_token": old_token})


def test_a_write_that_met_a_dead_token_is_sent_once_more() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(rig.sim.add_product("A", "Teh", price=1, stock=3).remote_key, 1)])
        answer = rig.sim.answer

        def dies_before_the_write(request: httpx.Request) -> httpx.Response:
            if b"SellersyncFulfil(" in request.content and not rig.tokens.refreshes:
                rig.sim.expire_tokens()
            response: httpx.Response = answer(request)
            return response

        rig.sim.answer = dies_before_the_write
        await rig.connector.hand_back(order_id, "JNE1", "JNE")
        assert len(rig.sim.waybills(order_id)) == 1

    run(test)


def test_a_grant_is_renewed_at_half_its_life() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        token = await rig.tokens.current()
        authoriser = rig.connector.authoriser
        assert not authoriser.rotating
        assert token.access_ends_at == START + timedelta(seconds=86_399)
        assert authoriser.refresh_at(token) == START + timedelta(seconds=86_399 / 2)
        assert authoriser.refresh_at(Token("old")) is None
        again = authoriser.read_grant(await authoriser.exchange({}), now=START, previous=None)
        assert again.refresh != token.refresh, "two grants of one second are told apart"

    run(test)


def test_the_documented_answer() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        raw = json.dumps(json.loads((PAYLOADS / "token.json").read_text())["body"]).encode()
        token = rig.connector.authoriser.read_grant(raw, now=START, previous=None)
        assert token.access.startswith("shpat_0123")
        assert token.access_ends_at == START + timedelta(seconds=86_399)

    run(test)


def test_there_is_no_consent_page() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        assert not rig.connector.capabilities.consent
        with pytest.raises(NotSupported):
            rig.connector.authoriser.consent_url(state="x", redirect_url="https://localhost/")

    run(test)


@pytest.mark.parametrize(
    ("spoil", "todo"),
    [
        (lambda sim: setattr(sim, "installed", False), "Install the app"),
        (lambda sim: setattr(sim, "client_secret", "another"), "client_secret"),
        (lambda sim: setattr(sim, "client_id", "another"), "client_id"),
    ],
)
def test_a_refused_grant_needs_the_seller(spoil: Any, todo: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        await rig.connector.health()
        rig.sim.expire_tokens()
        spoil(rig.sim)
        with pytest.raises(AuthNeeded) as told:
            await rig.connector.health()
        assert todo in told.value.todo

    run(test)


def test_a_new_token_that_is_refused_too_needs_the_seller() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.token_life_s = 0
        rig.sim.expire_tokens()
        answer = rig.sim.answer

        def lying(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("access_token"):
                return httpx.Response(200, json={"access_token": "shpat_dead", "scope": "", "expires_in": 86_399})
            response: httpx.Response = answer(request)
            return response

        rig.sim.answer = lying
        with pytest.raises(AuthNeeded):
            await rig.connector.health()
        assert rig.tokens.refreshes == 1

    run(test)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (
            b"<html>Oauth error shop_not_permitted: Client credentials cannot be performed on this shop.</html>",
            AuthNeeded,
        ),
        (b'{"error":"app_not_installed","error_description":"x"}', AuthNeeded),
        (b'{"error":"something_new"}', AuthNeeded),
        (b"<html>checking your browser</html>", Temporary),
        (b"", Temporary),
        (b"[1]", Unrecognised),
        (b'{"access_token":"","expires_in":86399}', Unrecognised),
        (b'{"access_token":"shpat_1","expires_in":"soon"}', Unrecognised),
        (b'{"access_token":"shpat_1","expires_in":0}', Unrecognised),
    ],
)
def test_answers_of_the_token_endpoint(raw: bytes, error: type[Exception]) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        with pytest.raises(error) as told:
            rig.connector.authoriser.read_grant(raw, now=START, previous=None)
        assert "shpat_1" not in str(told.value)
        if b"shop_not_permitted" in raw:
            assert "same organisation" in str(told.value)

    run(test)


def test_an_old_custom_app_needs_no_grant() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        static = json.loads(rig.sim.first_grant())["access_token"]
        settings = ShopifySettings(remote_shop_id="toko-uji.myshopify.com", access_token=static, base_url="https://x")
        assert not settings.client_id
        connector = type(rig.connector)(_with(rig, settings))
        assert connector.authoriser is None
        assert (await connector.health()).shop_name == "Toko Uji"
        rig.sim.expire_tokens()
        with pytest.raises(AuthNeeded, match="access_token"):
            await connector.health()
        assert token_calls(rig) == []

    run(test)


def _with(rig: Rig[Any, Any], settings: ShopifySettings) -> Any:
    return replace(rig.connector.context, settings=settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"remote_shop_id": "toko.example"},
        {"api_version": "2026-01"},
        {"api_version": "latest"},
        {"client_secret": ""},
        {"access_token": "shpat_1"},
    ],
)
def test_wrong_settings_are_told(wrong: dict[str, str]) -> None:
    right = {"remote_shop_id": "toko-uji.myshopify.com", "client_id": "id", "client_secret": "secret-of-the-app"}
    assert ShopifySettings.model_validate(right).address == "https://toko-uji.myshopify.com"
    with pytest.raises(ValidationError) as told:
        ShopifySettings.model_validate({**right, **wrong})
    assert "secret-of-the-app" not in str(told.value)


def test_secrets_stay_out_of_errors_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        caplog.set_level(logging.DEBUG)
        token = await rig.tokens.current()
        echo = f"{rig.sim.client_secret} {token.access}"
        rig.sim.answer = lambda request: httpx.Response(
            200, json={"errors": [{"message": echo, "extensions": {"code": "ACCESS_DENIED"}}]}
        )
        with pytest.raises(AuthNeeded) as told:
            await rig.connector.health()
        for text in (str(told.value), repr(token), repr(rig.connector.context.settings), caplog.text):
            assert rig.sim.client_secret not in text
            assert token.access not in text

    run(test)


def test_the_simulator_notes_every_grant() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        authoriser: ShopifyAuthoriser = rig.connector.authoriser
        before = len(rig.sim.journal.entries(Event.TOKEN_ROTATED))
        await authoriser.exchange({})
        assert len(rig.sim.journal.entries(Event.TOKEN_ROTATED)) == before + 1

    run(test)
