"""Lazada: tokens, clocks, limits, broken answers, and a simulator that refuses what the platform refuses."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from sellersync.connector.contract import Mark, Stream, TargetKey, Token, Want
from sellersync.domain.errors import AuthNeeded, RateLimited, Temporary, Uncertain, Unrecognised
from sellersync.sandbox.kit import Event, Fault, FaultKind, SoldOut
from sellersync.testing.rig import BASE_URL, Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_lazada import Lazada
from sellersync_lazada.auth import LazadaAuthoriser, signed_request
from sellersync_lazada.sandbox import LazadaSandbox

LazadaRig = Rig[Lazada, LazadaSandbox]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


async def walk(rig: LazadaRig) -> int:
    mark = Mark(rig.clock.now() - timedelta(hours=1))
    return sum([len(page.rows) async for page in rig.connector.pages(Stream.ORDERS, mark)])


def refusals(rig: LazadaRig) -> list[str]:
    return [entry.data["refused"] for entry in rig.sim.journal.entries(Event.REQUEST) if entry.data["refused"]]


# -------------------------------------------------------------------------------------------------------------------------- tokens


def test_a_token_that_dies_mid_run_is_renewed_once_and_the_call_repeated_once() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        assert await walk(rig) == 0
        rig.requests.clear()
        rig.sim.place_order([(coffee.remote_key, 1)])
        rig.sim.kill_access_tokens()
        assert await walk(rig) == 1
        assert rig.tokens.refreshes == 1
        assert refusals(rig) == ["IllegalAccessToken"]
        assert len([r for r in rig.requests if r.url.path == "/rest/orders/get"]) == 2

    on_rig("lazada", body)


def test_a_push_with_a_dead_token_is_sent_again_after_the_refresh() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.kill_access_tokens()
        await rig.connector.set_levels([Want(TargetKey(coffee.remote_key), 3, None, "k")])
        assert rig.sim.shown(coffee.remote_key) == 3
        assert len(rig.sim.journal.entries(Event.LEVEL_SET)) == 1

    on_rig("lazada", body)


def test_a_withdrawn_consent_tells_the_seller_what_to_do() -> None:
    async def body(rig: LazadaRig) -> None:
        rig.sim.kill_all_tokens()
        with pytest.raises(AuthNeeded) as needed:
            await walk(rig)
        assert "auth login" in needed.value.todo

    on_rig("lazada", body)


@pytest.mark.parametrize(("reuse", "works"), [("dead", False), ("once", True)])
def test_a_used_refresh_token(reuse: str, works: bool) -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        authoriser = rig.connector.authoriser
        authoriser.read_grant(await authoriser.refresh(token), now=rig.clock.now(), previous=token)
        second = await authoriser.refresh(token)
        if works:
            assert authoriser.read_grant(second, now=rig.clock.now(), previous=token).access
            second = await authoriser.refresh(token)  # but only once
        with pytest.raises(AuthNeeded):
            authoriser.read_grant(second, now=rig.clock.now(), previous=token)

    on_rig("lazada", body, switches={"refresh_reuse": reuse})


@pytest.mark.parametrize(("old", "refreshes"), [("works", 1), ("dead", 1)])
def test_the_old_access_token_after_a_refresh(old: str, refreshes: int) -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        await rig.tokens.renewed(token)
        assert await walk(rig) == 0
        assert rig.tokens.refreshes == refreshes

    on_rig("lazada", body, switches={"old_access": old})


@pytest.mark.parametrize("extends", ["no", "yes"])
def test_the_end_of_the_authorisation_is_what_the_answer_says(extends: str) -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        await rig.clock.sleep(5 * 86_400)
        renewed = await rig.tokens.renewed(token)
        moved = timedelta(days=5) if extends == "yes" else timedelta(0)
        assert renewed.refresh_ends_at == START + timedelta(days=14) + moved
        assert renewed.remote_shop_id == rig.sim.seller_id
        assert (await rig.connector.health()).authorisation_ends_at == renewed.refresh_ends_at

    on_rig("lazada", body, switches={"refresh_extends": extends})


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER])
def test_a_lost_refresh_is_uncertain_and_not_repeated(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/refresh")))
        with pytest.raises(Uncertain):
            await rig.connector.authoriser.refresh(token)
        assert len(rig.sim.journal.entries(Event.TOKEN_ROTATED)) == 1

    on_rig("lazada", body)


def test_a_refresh_answer_that_is_no_answer_is_not_taken_for_a_refusal() -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        rig.sim.faults.append(Fault(FaultKind.TRUNCATED, lambda method, path: path.endswith("/refresh")))
        raw = await rig.connector.authoriser.refresh(token)
        with pytest.raises(Unrecognised) as unreadable:
            rig.connector.authoriser.read_grant(raw, now=NOW, previous=token)
        assert "50000700a" not in str(unreadable.value)

    on_rig("lazada", body)


def test_renewing_begins_48_hours_ahead_or_at_half_life() -> None:
    async def body(rig: LazadaRig) -> LazadaAuthoriser:
        return rig.connector.authoriser  # type: ignore[return-value]

    authoriser = on_rig("lazada", body)

    def at(life: timedelta, refresh: str = "r") -> datetime | None:
        return authoriser.refresh_at(Token("a", refresh, access_ends_at=NOW + life, issued_at=NOW))

    assert at(timedelta(days=30)) == NOW + timedelta(days=28)
    assert at(timedelta(days=7)) == NOW + timedelta(days=5)
    assert at(timedelta(hours=4)) == NOW + timedelta(hours=2)
    assert at(timedelta(days=7), refresh="") is None


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidCode", AuthNeeded),
        ("AUTH_TYPE_UNSUPPORTED", AuthNeeded),
        ("IncompleteSignature", AuthNeeded),
        ("ServiceTimeout", Temporary),
        ("ApiCallLimit", Temporary),
        ("SomethingNew", Unrecognised),
    ],
)
def test_every_refused_token_call_has_its_class(code: str, error: type[Exception]) -> None:
    async def body(rig: LazadaRig) -> None:
        raw = json.dumps({"type": "ISP", "code": code, "message": "m", "request_id": "r"}).encode()
        with pytest.raises(error):
            rig.connector.authoriser.read_grant(raw, now=NOW, previous=None)

    on_rig("lazada", body)


def test_a_token_of_a_subscription_without_refresh_says_so() -> None:
    async def body(rig: LazadaRig) -> None:
        grant = {**json.loads(rig.sim.first_grant()), "refresh_expires_in": "0", "expires_in": "604800"}
        token = rig.connector.authoriser.read_grant(json.dumps(grant).encode(), now=NOW, previous=None)
        assert rig.connector.authoriser.refresh_at(token) is None
        assert token.access_ends_at == NOW + timedelta(days=7)

    on_rig("lazada", body)


def test_the_consent_page_leads_to_the_first_token() -> None:
    async def body(rig: LazadaRig) -> None:
        authoriser = rig.connector.authoriser
        url = authoriser.consent_url(state="s1", redirect_url="https://toko.example/back")
        assert url.startswith(f"{BASE_URL}/oauth/authorize?")
        reply = rig.sim.transport_handler(httpx.Request("GET", url))
        back = parse_qs(urlsplit(reply.headers["location"]).query)
        assert back["state"] == ["s1"]
        token = authoriser.read_grant(await authoriser.exchange({"code": back["code"][0]}), now=NOW, previous=None)
        assert token.remote_shop_id == rig.sim.seller_id
        with pytest.raises(AuthNeeded):  # the code is single-use
            authoriser.read_grant(await authoriser.exchange({"code": back["code"][0]}), now=NOW, previous=None)
        with pytest.raises(AuthNeeded):
            await authoriser.exchange({"error": "denied"})

    on_rig("lazada", body)


# ---------------------------------------------------------------------------------------------------------------- clocks and limits


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_hours_off_is_corrected_by_the_platform_s(hours: int) -> None:
    async def body(rig: LazadaRig) -> None:
        rig.clock.skew = timedelta(hours=hours)
        assert await walk(rig) == 0
        assert refusals(rig) == ["IncompleteSignature"]
        assert abs((await rig.connector.health()).clock_offset_s + hours * 3600) < 2

    on_rig("lazada", body)


def test_a_push_with_a_wrong_clock_certainly_changed_nothing() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.clock.skew = timedelta(hours=3)
        want = Want(TargetKey(coffee.remote_key), 3, None, "k")
        with pytest.raises(Temporary):
            await rig.connector.set_levels([want])
        await rig.connector.set_levels([want])
        assert rig.sim.shown(coffee.remote_key) == 3

    on_rig("lazada", body)


def test_a_wrong_secret_is_a_matter_for_the_seller() -> None:
    async def body(rig: LazadaRig) -> None:
        with pytest.raises(AuthNeeded, match="app_secret"):
            await walk(rig)
        assert refusals(rig) == ["IncompleteSignature"]

    on_rig("lazada", body, settings={"app_secret": SecretStr("another-made-up-secret")})


def test_a_ban_in_the_envelope_shuts_the_gate_for_as_long_as_it_says() -> None:
    async def body(rig: LazadaRig) -> None:
        rig.sim.throttle_next = 1
        before = rig.clock.now()
        assert await walk(rig) == 0  # a ban of one second is waited out
        assert timedelta(seconds=1) <= rig.clock.now() - before < timedelta(seconds=2)
        rig.sim.throttle_next, rig.sim.ban_s = 1, 90
        before = rig.clock.now()
        with pytest.raises(RateLimited) as limited:
            await walk(rig)
        assert limited.value.until == before + timedelta(seconds=90)
        asked = len(rig.requests)
        with pytest.raises(RateLimited):
            await walk(rig)
        assert len(rig.requests) == asked  # nobody knocks meanwhile

    on_rig("lazada", body)


@pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
def test_http_429_in_both_forms(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        rig.sim.faults.append(Fault(kind, retry_after_s=60))
        with pytest.raises(RateLimited) as limited:
            await walk(rig)
        assert 59 <= (limited.value.until - rig.clock.now()).total_seconds() <= 62

    on_rig("lazada", body)


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.HTML,
        FaultKind.TRUNCATED,
        FaultKind.EMPTY,
        FaultKind.PHP_NOTICE,
        FaultKind.HTTP_500,
        FaultKind.DROP_BEFORE,
        FaultKind.DROP_AFTER,
    ],
)
def test_a_read_survives_one_broken_answer_and_gives_up_on_many(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.place_order([(coffee.remote_key, 1)])
        rig.sim.faults.append(Fault(kind))
        assert await walk(rig) == 1
        rig.sim.faults.append(Fault(kind, times=50))
        with pytest.raises(Temporary):
            await walk(rig)
        rig.sim.faults.clear()
        assert await walk(rig) == 1

    on_rig("lazada", body)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InsufficientPermission", AuthNeeded),
        ("SellerCallLimit", RateLimited),
        ("AppCallLimit", RateLimited),
        ("901", RateLimited),
        ("998", RateLimited),
        ("513", Temporary),
        ("ServiceTimeout", Temporary),
        ("NeverSeenBefore", Temporary),
    ],
)
def test_every_refused_read_has_its_class(code: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(rig: LazadaRig) -> None:
        reply = {"type": "ISP", "code": code, "message": "m", "request_id": "r"}
        monkeypatch.setattr(rig.sim, "answer", lambda request: httpx.Response(200, json=reply))
        with pytest.raises(error):
            await walk(rig)

    on_rig("lazada", body)


@pytest.mark.parametrize("code", ["513", "ServiceTimeout", "NeverSeenBefore"])
def test_an_unclear_refusal_of_a_push_is_unclear(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(rig: LazadaRig) -> str:
        reply = {"type": "ISP", "code": code, "message": "m", "request_id": "r"}
        monkeypatch.setattr(rig.sim, "answer", lambda request: httpx.Response(200, json=reply))
        (answer,) = await rig.connector.set_levels([Want(TargetKey("1:2"), 3, None, "k")])
        return str(answer.outcome)

    assert on_rig("lazada", body) == "unclear"


def test_no_secret_reaches_an_error_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.place_order([(coffee.remote_key, 1)])
        secrets = [rig.sim.app_secret, (await rig.tokens.current()).access, (await rig.tokens.current()).refresh]
        texts = []
        for kind in FaultKind:
            rig.sim.faults = [Fault(kind, times=4)]
            for errand in (walk(rig), rig.connector.authoriser.refresh(await rig.tokens.current())):
                try:
                    await errand
                except Exception as failure:  # every class at once: only the texts matter here
                    texts.append(f"{failure!r} {failure} {failure.__cause__}")
            await rig.clock.sleep(60)
        assert len(texts) > 10
        for text in [*texts, caplog.text, repr(rig.connector.context.settings)]:
            assert "sign=" not in text
            for secret in secrets:
                assert secret not in text

    with caplog.at_level(logging.DEBUG, logger="sellersync"):
        on_rig("lazada", body)


@pytest.mark.parametrize(
    ("status", "verified", "word"), [("INACTIVE", True, "INACTIVE"), ("ACTIVE", False, "not verified")]
)
def test_health_tells_the_state_of_the_shop(status: str, verified: bool, word: str) -> None:
    async def body(rig: LazadaRig) -> None:
        assert (await rig.connector.health()).notes == ()
        rig.sim.seller_status, rig.sim.verified = status, verified
        (note,) = (await rig.connector.health()).notes
        assert word in note

    on_rig("lazada", body)


def test_health_tells_a_token_of_another_shop() -> None:
    async def body(rig: LazadaRig) -> tuple[str, ...]:
        return (await rig.connector.health()).notes

    assert on_rig("lazada", body) == ()
    assert "700100200300" in on_rig("lazada", body, settings={"remote_shop_id": "1"})[0]


# ------------------------------------------------------------------------------------------------------- the simulator is strict


async def raw(rig: LazadaRig, method: str, path: str, business: dict[str, str], **change: Any) -> dict[str, Any]:
    token = await rig.tokens.current()
    options = {"app_key": "900100", "secret": rig.sim.app_secret, "now": rig.clock.now(), "access_token": token.access}
    request = signed_request(method, f"{BASE_URL}/rest", path, business, **{**options, **change})
    return json.loads(rig.sim.transport_handler(request).content)  # type: ignore[no-any-return]


WINDOW = {"update_after": "2026-11-20T00:00:00+07:00"}


@pytest.mark.parametrize(
    ("method", "path", "business", "code"),
    [
        ("GET", "/orders/get", {}, "MissingParameter"),
        ("GET", "/orders/get", {**WINDOW, "limit": "101"}, "19"),
        ("GET", "/orders/get", {**WINDOW, "offset": "5001"}, "14"),
        ("GET", "/orders/get", {"update_after": "2026-11-20"}, "17"),
        ("GET", "/orders/get", {**WINDOW, "status": "all"}, "36"),
        ("GET", "/orders/get", {**WINDOW, "sort_by": "price"}, "74"),
        ("GET", "/orders/get", {**WINDOW, "sort_direction": "asc"}, "75"),
        ("GET", "/orders/get", {**WINDOW, "status": ""}, "IncompleteSignature"),
        ("GET", "/order/get", {"order_id": "1"}, "16"),
        ("GET", "/orders/items/get", {"order_ids": "1,2"}, "56"),
        ("GET", "/orders/items/get", {"order_ids": "[1,2]"}, "39"),
        ("GET", "/orders/items/get", {"order_ids": str(list(range(51)))}, "38"),
        ("GET", "/products/get", {"limit": "51"}, "19"),
        ("GET", "/product/item/get", {"item_id": "1"}, "208"),
        ("POST", "/product/stock/sellable/update", {"payload": "nonsense"}, "5"),
        ("POST", "/product/stock/sellable/update", {"payload": "{}"}, "30"),
        ("GET", "/product/stock/sellable/update", {"payload": "{}"}, "UnsupportedHTTPMethod"),
        ("POST", "/order/pack", {}, "InvalidApiPath"),
        ("GET", "/seller/warehouse/get", {}, "MissingParameter"),
        ("GET", "/order/reverse/cancel/seller/decide", {"reverse_order_id": "1", "agree_cancel": "true"}, "105"),
        ("GET", "/order/reverse/cancel/seller/decide", {"reverse_order_id": "1", "agree_cancel": "yes"}, "100"),
        ("GET", "/finance/transaction/details/get", {"start_time": "2026-11-20"}, "MissingParameter"),
        (
            "GET",
            "/finance/transaction/details/get",
            {"start_time": "2026-01-01", "end_time": "2026-06-30"},
            "1000012",
        ),
        (
            "GET",
            "/finance/transaction/details/get",
            {"start_time": "2026-11-20", "end_time": "2026-11-21", "limit": "501"},
            "19",
        ),
        ("GET", "/order/fulfill/delivered", {}, "InvalidApiPath"),
    ],
)
def test_bad_calls_are_refused_with_the_platform_s_codes(
    method: str, path: str, business: dict[str, str], code: str
) -> None:
    async def body(rig: LazadaRig) -> None:
        answer = await raw(rig, method, path, business)
        assert answer["code"] == code
        assert set(answer) >= {"type", "message", "request_id"}
        assert refusals(rig) == [code]

    on_rig("lazada", body)


def test_one_wrong_id_refuses_the_items_of_all() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        order_id = rig.sim.place_order([(coffee.remote_key, 1)])
        answer = await raw(rig, "GET", "/orders/items/get", {"order_ids": f"[{order_id},1]"})
        assert answer["code"] == "37"

    on_rig("lazada", body)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, "IncompleteSignature"),
        ({"now": NOW - timedelta(seconds=7300)}, "IncompleteSignature"),
        ({"app_key": "1"}, "IncompleteSignature"),
        ({"access_token": "50000700a-unknown"}, "IllegalAccessToken"),
        ({"access_token": ""}, "MissingParameter"),
    ],
)
def test_bad_credentials_are_refused(change: dict[str, Any], code: str) -> None:
    async def body(rig: LazadaRig) -> None:
        assert (await raw(rig, "GET", "/seller/get", {}, **change))["code"] == code

    on_rig("lazada", body)


def test_a_plus_that_was_not_encoded_arrives_as_a_space_and_breaks_the_signature() -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        good = signed_request(
            "GET",
            f"{BASE_URL}/rest",
            "/orders/get",
            WINDOW,
            app_key="900100",
            secret=rig.sim.app_secret,
            now=rig.clock.now(),
            access_token=token.access,
        )
        assert b"%2B07%3A00" in good.url.query
        bad = httpx.Request("GET", str(good.url).replace("%2B", "+"))
        assert json.loads(rig.sim.transport_handler(bad).content)["code"] == "IncompleteSignature"

    on_rig("lazada", body)


def test_access_tokens_end_when_they_said_they_would() -> None:
    async def body(rig: LazadaRig) -> None:
        token = await rig.tokens.current()
        await rig.clock.sleep(604_801)
        assert (await raw(rig, "GET", "/seller/get", {}, access_token=token.access))["code"] == "IllegalAccessToken"

    on_rig("lazada", body)


def test_stock_updates_take_json_too_and_at_most_fifty_skus() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        item, _, sku = coffee.remote_key.partition(":")
        row = {"ItemId": item, "SkuId": sku, "SellableQuantity": 4}
        path = "/product/stock/sellable/update"
        payload = {"Request": {"Product": {"Skus": {"Sku": [row]}}}}
        assert (await raw(rig, "POST", path, {"payload": json.dumps(payload)}))["code"] == "0"
        assert rig.sim.shown(coffee.remote_key) == 4
        payload = {"Request": {"Product": {"Skus": {"Sku": [row] * 51}}}}
        assert (await raw(rig, "POST", path, {"payload": json.dumps(payload)}))["code"] == "204"
        payload = {"Request": {"Product": {"Skus": {"Sku": [{**row, "SellableQuantity": -1}]}}}}
        assert (await raw(rig, "POST", path, {"payload": json.dumps(payload)}))["code"] == "501"

    on_rig("lazada", body)


@pytest.mark.parametrize(
    ("request_body", "code"),
    [
        ({"delivery_type": "pickup"}, "700017"),
        ({"shipping_allocate_type": "NTFS"}, "700018"),
        ({"shipment_provider_code": "FM50"}, "700019"),
        ({"pack_order_list": []}, "700004"),
        ({"pack_order_list": [{"order_id": "1", "order_item_list": [1]}]}, "700004"),
        ({"pack_order_list": [{"order_id": 1, "order_item_list": [1]}] * 21}, "700022"),
    ],
)
def test_bad_pack_requests_fail_as_a_whole(request_body: dict[str, Any], code: str) -> None:
    async def body(rig: LazadaRig) -> None:
        good = {
            "pack_order_list": [{"order_id": 1, "order_item_list": [1]}],
            "delivery_type": "dropship",
            "shipping_allocate_type": "TFS",
        }
        packed = json.dumps({**good, **request_body})
        answer = await raw(rig, "POST", "/order/fulfill/pack", {"packReq": packed})
        assert answer["result"]["success"] is False
        assert answer["result"]["error_code"] == code

    on_rig("lazada", body)


# ---------------------------------------------------------------------------------------------------- the simulated shop's stock


def levels_after(change: Any, **switches: str) -> list[int]:
    async def body(rig: LazadaRig) -> list[int]:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        order_id = rig.sim.place_order([(coffee.remote_key, 3)], paid=False)
        result = [rig.sim.shown(coffee.remote_key)]
        change(rig.sim, order_id)
        await rig.clock.sleep(0)
        return [*result, rig.sim.shown(coffee.remote_key)]

    return on_rig("lazada", body, switches=switches)


def test_what_an_order_does_to_the_number_shown() -> None:
    def paid(sim: LazadaSandbox, order_id: str) -> None:
        sim.pay(order_id)

    def cancelled(sim: LazadaSandbox, order_id: str) -> None:
        sim.cancel(order_id)

    def sold_out(sim: LazadaSandbox, order_id: str) -> None:
        sim.cancel(order_id, by="seller", reason="Out of Stock")

    assert levels_after(paid) == [7, 7]
    assert levels_after(paid, unpaid_withhold="no") == [10, 7]
    assert levels_after(cancelled) == [7, 10]
    assert levels_after(cancelled, cancel_gives_back="no") == [7, 7]
    assert levels_after(sold_out) == [7, 0]
    assert levels_after(sold_out, oos_cancel_zeroes="no") == [7, 10]


def test_an_unpaid_order_is_released_after_half_an_hour() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.place_order([(coffee.remote_key, 3)], paid=False)
        await rig.clock.sleep(1801)
        assert rig.sim.shown(coffee.remote_key) == 10
        assert [entry.data["by"] for entry in rig.sim.journal.entries(Event.ORDER_CANCELLED)] == ["system"]

    on_rig("lazada", body)


def test_an_unanswered_cancellation_happens_by_itself() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        order_id = rig.sim.place_order([(coffee.remote_key, 3)])
        rig.sim.request_cancel(order_id, respond_within_s=60)
        await rig.clock.sleep(61)
        (order,) = (await rig.connector.orders_by_id([order_id])).found
        assert order.state == "cancelled"
        assert rig.sim.shown(coffee.remote_key) == 10

    on_rig("lazada", body)


def test_a_buyer_who_wants_too_much_is_turned_away() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=2)
        with pytest.raises(SoldOut):
            rig.sim.place_order([(coffee.remote_key, 1), (coffee.remote_key, 2)])
        assert rig.sim.shown(coffee.remote_key) == 2
        assert rig.sim.orders == {}

    on_rig("lazada", body)


def test_the_outside_world_cannot_do_the_impossible() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        order = rig.sim.orders[rig.sim.place_order([(coffee.remote_key, 1)])]
        package = rig.sim.new_package(order, order.items)
        for move in (rig.sim.hand_over, rig.sim.deliver):
            with pytest.raises(ValueError, match="cannot become"):
                move(package.package_id)
        rig.sim.cancel(order.order_id)
        with pytest.raises(ValueError, match="nothing left"):
            rig.sim.cancel(order.order_id)
        assert rig.sim.shown(coffee.remote_key) == 10
        assert rig.sim.journal.entries(Event.HANDED_OVER, Event.DELIVERED, Event.PARCEL_ARRANGED) == []

    on_rig("lazada", body)


@pytest.mark.parametrize(("moves", "found"), [("yes", 1), ("no", 0)])
def test_packing_may_leave_the_order_s_change_time_alone(moves: str, found: int) -> None:
    """Then only a read by id shows the package; the core re-reads open orders for this."""

    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        order_id = rig.sim.place_order([(coffee.remote_key, 1)])
        await rig.clock.sleep(600)
        order = rig.sim.orders[order_id]
        rig.sim.new_package(order, order.items)
        mark = Mark(rig.clock.now())
        assert sum([len(page.rows) async for page in rig.connector.pages(Stream.ORDERS, mark)]) == found
        (seen,) = (await rig.connector.orders_by_id([order_id])).found
        assert len(seen.parcels) == 1

    on_rig("lazada", body, switches={"item_change_moves_updated": moves})
