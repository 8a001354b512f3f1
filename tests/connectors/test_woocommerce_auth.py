"""Signatures and keys: the vectors, what the shop refuses, and that secrets stay secret."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from woocommerce_bench import HTTP, ask, bare_shop, paths, recording, walk

from sellersync.domain.errors import AuthNeeded
from sellersync.testing.rig import Rig, on_rig
from sellersync_woocommerce import auth
from sellersync_woocommerce.sandbox_auth import Key
from sellersync_woocommerce.settings import WooCommerceSettings

VECTORS = recording("vectors")
ERRORS = recording("errors")["errors"]


@pytest.mark.parametrize("vector", VECTORS["oauth1"], ids=lambda vector: vector["url"].rpartition("/")[2])
def test_oauth_vectors(vector: dict[str, Any]) -> None:
    oauth = {name: value for name, value in vector.items() if name in ("oauth_timestamp", "oauth_nonce")}
    parameters = {
        **vector["query"],
        **oauth,
        "oauth_consumer_key": vector["consumer_key"],
        "oauth_signature_method": vector["oauth_signature_method"],
    }
    assert auth.base_string(vector["method"], vector["url"], parameters) == vector["base_string"]
    made = auth.oauth_parameters(
        vector["method"],
        vector["url"],
        vector["query"],
        consumer_key=vector["consumer_key"],
        consumer_secret=vector["consumer_secret"],
        now=datetime.fromtimestamp(int(vector["oauth_timestamp"]), UTC),
        nonce=vector["oauth_nonce"],
    )
    assert made["oauth_signature"] == vector["oauth_signature"]


@pytest.mark.parametrize("vector", VECTORS["webhook"], ids=["special characters", "plain"])
def test_webhook_vectors(vector: dict[str, str]) -> None:
    raw = vector["raw_body"].encode()
    assert auth.webhook_is_genuine(raw, vector["signature"], vector["secret"])
    assert not auth.webhook_is_genuine(raw + b" ", vector["signature"], vector["secret"])
    assert not auth.webhook_is_genuine(raw, vector["signature"], vector["secret"] + "x")


def test_recorded_webhook_delivery_is_genuine() -> None:
    delivery = recording("webhook-delivery")
    assert auth.webhook_is_genuine(delivery["raw_body"].encode(), delivery["signature"], "rahasia-webhook-123")


# -- the simulator accepts what the real shop accepted, and refuses in its words


def _signed_vector(vector: dict[str, Any], *, scheme: str = "http", **changed: str) -> httpx.Request:
    given = {
        "oauth_consumer_key": vector["consumer_key"],
        **{
            name: vector[name]
            for name in ("oauth_timestamp", "oauth_nonce", "oauth_signature_method", "oauth_signature")
        },
        **changed,
    }
    query = auth.encode_query({**vector["query"], **given})
    return httpx.Request("GET", f"{vector['url'].replace('http:', scheme + ':')}?{query}")


def _vector_shop() -> Any:
    vector = VECTORS["oauth1"][0]
    shop, clock = bare_shop()
    shop.home = "http://toko.example"
    shop.doorman.keys.append(Key(vector["consumer_key"], vector["consumer_secret"]))
    clock.at_s = int(vector["oauth_timestamp"])
    return shop, clock, vector


def test_simulator_takes_the_vector_once() -> None:
    shop, _, vector = _vector_shop()
    assert shop.transport_handler(_signed_vector(vector)).status_code == 200
    replay = shop.transport_handler(_signed_vector(vector))
    assert (replay.status_code, replay.json()) == (401, ERRORS["oauth1-nonce"]["body"])


@pytest.mark.parametrize(
    ("change", "late_s", "kind"),
    [
        ({"oauth_signature": "AAAA"}, 0, "oauth1-signature"),
        ({}, 901, "oauth1-old-timestamp"),
        ({}, -901, "oauth1-old-timestamp"),
    ],
)
def test_simulator_refuses_signatures_in_the_recorded_words(change: dict[str, str], late_s: int, kind: str) -> None:
    shop, clock, vector = _vector_shop()
    clock.at_s += late_s
    reply = shop.transport_handler(_signed_vector(vector, **change))
    assert (reply.status_code, reply.json()) == (ERRORS[kind]["status"], ERRORS[kind]["body"])


def test_simulator_knows_its_own_address_only() -> None:
    shop, _, vector = _vector_shop()
    shop.home = "http://www.toko.example"
    assert shop.transport_handler(_signed_vector(vector)).json() == ERRORS["oauth1-signature"]["body"]


def test_simulator_names_a_missing_oauth_parameter() -> None:
    shop, _, vector = _vector_shop()
    request = _signed_vector(vector)
    query = [pair for pair in request.url.query.decode().split("&") if not pair.startswith("oauth_nonce")]
    reply = shop.transport_handler(httpx.Request("GET", f"{vector['url']}?{'&'.join(query)}"))
    assert (reply.status_code, reply.json()["code"]) == (401, "woocommerce_rest_authentication_missing_parameter")


def test_keys_are_looked_at_over_tls_only() -> None:
    shop, _ = bare_shop()
    assert ask(shop, "orders").status_code == 200
    unread = ask(shop, "orders", scheme="http")
    assert (unread.status_code, unread.json()) == (401, ERRORS["basic-over-http"]["body"])
    query = {"consumer_key": shop.key.consumer_key, "consumer_secret": shop.key.consumer_secret}
    assert ask(shop, "orders", query, auth=("x", "y")).status_code == 200
    assert ask(shop, "orders", query, auth=("x", "y"), scheme="http").status_code == 401


def test_wrong_keys_are_refused_in_the_recorded_words() -> None:
    shop, _ = bare_shop()
    product = shop.add_product("KOPI", "Kopi", price=1, stock=1)
    assert ask(shop, "orders", auth=("ck_x", "cs_x")).json() == ERRORS["bad-key"]["body"]
    assert ask(shop, "orders", auth=(shop.key.consumer_key, "cs_x")).json() == ERRORS["bad-secret"]["body"]
    shop.key.permissions = "read"
    refused = ask(shop, f"products/{product.remote_key}", method="PUT", body={"stock_quantity": 3})
    assert (refused.status_code, refused.json()) == (401, ERRORS["read-only-key"]["body"])


# -- the connector


@pytest.mark.parametrize("query_keys", [False, True])
@pytest.mark.parametrize("plain_http", [False, True])
def test_connector_speaks_all_four_ways(query_keys: bool, plain_http: bool) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = HTTP["base_url"] if plain_http else rig.sim.home
        rig.sim.place_order([(rig.sim.add_product("A", "A", price=1, stock=1).remote_key, 1)])
        assert len((await walk(rig))[0].rows) == 1
        in_address = [b"consumer_key=" in request.url.query for request in rig.requests]
        assert in_address == [query_keys] * len(in_address)
        kinds = {request.headers.get("authorization", "").partition(" ")[0] for request in rig.requests}
        assert kinds == {"" if query_keys else "OAuth" if plain_http else "Basic"}

    on_rig("woocommerce", test, settings={**(HTTP if plain_http else {}), "query_keys": query_keys})


def test_signing_over_tls_for_a_shop_that_thinks_it_has_none() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = "http://toko.example"
        rig.sim.doorman._by_basic_or_query = lambda *_: None  # PHP behind the proxy sees no TLS
        assert (await walk(rig))[-1].closes is not None

    settings = {"remote_shop_id": "http://toko.example", "oauth_over_https": True}
    on_rig("woocommerce", test, settings=settings)


def test_every_retry_is_signed_anew() -> None:
    from sellersync.sandbox.kit import Fault, FaultKind

    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = HTTP["base_url"]
        rig.sim.faults.append(Fault(FaultKind.TRUNCATED, times=2))
        await walk(rig)
        headers = [request.headers["authorization"] for request in rig.requests]
        assert len(headers) == len(set(headers)) == 4

    on_rig("woocommerce", test, settings=HTTP)


@pytest.mark.parametrize("skew_min", [-40, 40])
def test_a_wrong_clock_is_corrected_from_the_date_header(skew_min: int) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = HTTP["base_url"]
        rig.clock.skew = timedelta(minutes=skew_min)
        pages = await walk(rig)
        assert pages[-1].closes is not None
        refused = [entry.data["refused"] for entry in rig.sim.journal.entries() if entry.data.get("refused")]
        assert refused == ["woocommerce_rest_authentication_error"]
        assert abs(rig.wire.clock_offset_s + 60 * skew_min) < 5
        assert abs((pages[-1].closes - rig.clock.now()).total_seconds() + 60 * skew_min) < 15

    on_rig("woocommerce", test, settings=HTTP)


@pytest.mark.parametrize("settings", [{}, HTTP], ids=["tls", "plain http"])
def test_wrong_secret_needs_the_seller_and_is_not_tried_again(
    settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "cs_wrong-and-secret-wrong-and-secret"

    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = settings.get("base_url", rig.sim.home)
        with caplog.at_level(logging.DEBUG), pytest.raises(AuthNeeded) as refused:
            await walk(rig)
        assert len(rig.requests) == 1
        assert "REST API" in refused.value.todo
        assert secret not in str(refused.value) + caplog.text
        assert rig.sim.key.consumer_key not in str(refused.value) + caplog.text

    on_rig("woocommerce", test, settings={**settings, "consumer_secret": secret})


def test_read_only_key_stops_a_push() -> None:
    from sellersync.connector.contract import TargetKey, Want

    async def test(rig: Rig[Any, Any]) -> None:
        product = rig.sim.add_product("A", "A", price=1, stock=9)
        rig.sim.key.permissions = "read"
        with pytest.raises(AuthNeeded):
            await rig.connector.set_levels([Want(TargetKey(product.remote_key), 3, None, "k")])
        assert rig.sim.shown(product.remote_key) == 9
        assert paths(rig) == ["POST products/batch"]

    on_rig("woocommerce", test)


def test_settings_say_what_is_wrong_and_hide_secrets() -> None:
    good = {**HTTP, "consumer_key": "ck_1234567890", "consumer_secret": "cs_1234567890"}
    settings = WooCommerceSettings.model_validate({**good, "base_url": "https://toko.example/toko/wp-json/"})
    assert settings.base_url == "https://toko.example/toko"
    assert not settings.signs
    assert "1234567890" not in repr(settings)
    for wrong in ({"base_url": "toko.example"}, {"paid_statuses": ["wc-x"], "shipped_statuses": ["x"]}):
        with pytest.raises(ValidationError) as failure:
            WooCommerceSettings.model_validate({**good, **wrong})
        assert "1234567890" not in str(failure.value)


def test_nonces_come_from_the_given_chance() -> None:
    assert auth.new_nonce(Random(7)) == auth.new_nonce(Random(7))
    assert len(auth.new_nonce(Random(7))) == 32
