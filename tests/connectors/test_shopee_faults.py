"""Shopee when things go wrong: lost replies, dead tokens, limits, nonsense; each on the simulator."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from sellersync.connector.contract import Mark, ParcelRequest, PushOutcome, Stream, TargetKey, Want
from sellersync.domain.errors import (
    AuthNeeded,
    BadInput,
    RateLimited,
    RejectClass,
    Rejected,
    Temporary,
    Uncertain,
    Unrecognised,
)
from sellersync.domain.parcels import ParcelState
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import on_rig
from sellersync.testing.virtual import START


def endpoint(name: str) -> Any:
    return lambda method, path: path.endswith("/" + name)


def calls(rig: Any, name: str) -> int:
    return sum(request.url.path.endswith("/" + name) for request in rig.requests)


async def walk(rig: Any, since: Any = START) -> list[Any]:
    return [page async for page in rig.connector.pages(Stream.ORDERS, Mark(since))]


async def prepared(rig: Any) -> tuple[str, Any]:
    product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
    order_id = rig.sim.place_order([(product.remote_key, 2)])
    return order_id, await rig.connector.prepare(ParcelRequest(order_id, "SSREF-1", ()))


def bookings(rig: Any) -> int:
    return len(rig.sim.journal.entries(Event.PARCEL_ARRANGED))


# ---------------------------------------------------------------------------------------------------------------------- booking


@pytest.mark.parametrize(
    "kind",
    [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE],
)
def test_a_booking_with_a_lost_reply_is_uncertain_and_settled_by_reading(kind: FaultKind) -> None:
    async def body(rig: Any) -> None:
        order_id, arrangement = await prepared(rig)
        rig.sim.faults.append(Fault(kind, endpoint("ship_order")))
        with pytest.raises(Uncertain) as lost:
            await rig.connector.arrange(arrangement)
        assert lost.value.reference == "SSREF-1"
        assert calls(rig, "ship_order") == 1, "never repeated by the connector"
        (parcel,) = await rig.connector.parcels([order_id])
        assert parcel.state is ParcelState.BOOKED
        assert (await rig.connector.arrange(arrangement)).parcel.state is ParcelState.BOOKED
        assert bookings(rig) == 1

    on_rig("shopee", body)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML])
def test_a_booking_that_never_arrived_is_uncertain_too_and_reads_as_ready(kind: FaultKind) -> None:
    async def body(rig: Any) -> None:
        order_id, arrangement = await prepared(rig)
        rig.sim.faults.append(Fault(kind, endpoint("ship_order")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(arrangement)
        assert (await rig.connector.parcels([order_id]))[0].state is ParcelState.READY
        assert (await rig.connector.arrange(arrangement)).parcel.state is ParcelState.BOOKED
        assert bookings(rig) == 1

    on_rig("shopee", body)


def test_a_booking_without_a_connection_is_temporary() -> None:
    async def body(rig: Any) -> None:
        _, arrangement = await prepared(rig)
        rig.sim.off = True
        with pytest.raises(Temporary):
            await rig.connector.arrange(arrangement)
        assert bookings(rig) == 0

    on_rig("shopee", body)


@pytest.mark.parametrize("lag_s", [0, 1200])
def test_a_booking_may_be_read_as_unbooked_for_twenty_minutes(lag_s: int) -> None:
    async def body(rig: Any) -> None:
        order_id, arrangement = await prepared(rig)
        assert rig.connector.capabilities.booking_read_lag_s == lag_s
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, endpoint("ship_order")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(arrangement)
        early = (await rig.connector.parcels([order_id]))[0].state
        assert early is (ParcelState.READY if lag_s else ParcelState.BOOKED)
        again = await rig.connector.arrange(arrangement)
        assert again.parcel.state is ParcelState.BOOKED, "the refusal proves the booking, whatever the read model says"
        await rig.clock.sleep(lag_s + 5)
        (parcel,) = await rig.connector.parcels([order_id])
        assert (parcel.state, bool(parcel.waybill)) == (ParcelState.BOOKED, True)
        assert bookings(rig) == 1

    on_rig("shopee", body, switches={"booking_read_lag_s": lag_s})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("logistics.error_timeout", ""),
        ("logistics.error_third_party_server", ""),
        ("logistics.error_too_many_invoke_function", "lock"),
        ("logistics.logistic_order_is_locked_on_creating", "lock"),
        ("logistics.unknown_error", ""),
        ("error_server", ""),
        ("error_other", ""),
        ("logistics.error_param", "System error, please try again."),
        ("error_auth", "System error, please try again later."),
        ("something.never_seen", "text"),
        ("logistics.error_param", "a text nobody has seen"),
    ],
)
def test_codes_of_unknown_outcome_are_uncertain(code: str, message: str) -> None:
    async def body(rig: Any) -> None:
        order_id, arrangement = await prepared(rig)
        rig.sim.inject("ship_order", code, message, processed=True)
        with pytest.raises(Uncertain):
            await rig.connector.arrange(arrangement)
        assert (await rig.connector.parcels([order_id]))[0].state is ParcelState.BOOKED

    on_rig("shopee", body)


@pytest.mark.parametrize(
    ("code", "message", "reject"),
    [
        ("logistics.ship_order_not_ready_to_ship", "", RejectClass.NOT_NOW),
        ("logistics.error_param", "The order is being allocated, wait.", RejectClass.NOT_NOW),
        ("logistics.ship_order_pickup_time_invalid", "", RejectClass.STALE_CHOICE),
        ("logistics.error_param", "Selected pickup timeslot is unavailable", RejectClass.STALE_CHOICE),
        ("logistics.ship_order_pff_init", "", RejectClass.NOT_OURS),
        ("logistics.invalid_address_version\t", "", RejectClass.SELLER_MUST_ACT),
    ],
)
def test_clear_refusals_of_a_booking(code: str, message: str, reject: RejectClass) -> None:
    async def body(rig: Any) -> None:
        _, arrangement = await prepared(rig)
        rig.sim.inject("ship_order", code, message)
        with pytest.raises(Rejected) as refused:
            await rig.connector.arrange(arrangement)
        assert refused.value.reject is reject
        assert bookings(rig) == 0

    on_rig("shopee", body)


@pytest.mark.parametrize(
    ("code", "message"),
    [(" logistics.package_already_shipped", ""), ("logistics.error_param", "Order has been shipped.")],
)
def test_already_shipped_is_success(code: str, message: str) -> None:
    async def body(rig: Any) -> None:
        _, arrangement = await prepared(rig)
        rig.sim.inject("ship_order", code, message, processed=True)
        assert (await rig.connector.arrange(arrangement)).parcel.state is ParcelState.BOOKED
        assert bookings(rig) == 1

    on_rig("shopee", body)


def test_an_arranged_parcel_is_not_prepared_again() -> None:
    async def body(rig: Any) -> None:
        order_id, arrangement = await prepared(rig)
        await rig.connector.arrange(arrangement)
        with pytest.raises(Rejected) as refused:
            await rig.connector.prepare(ParcelRequest(order_id, "SSREF-2", ()))
        assert refused.value.reject is RejectClass.ALREADY_DONE

    on_rig("shopee", body)


def test_an_order_cancelled_between_prepare_and_arrange() -> None:
    async def body(rig: Any) -> None:
        order_id, arrangement = await prepared(rig)
        rig.sim.cancel(order_id)
        with pytest.raises(Rejected):
            await rig.connector.arrange(arrangement)
        with pytest.raises(Rejected) as refused:
            await rig.connector.prepare(ParcelRequest(order_id, "SSREF-2", ()))
        assert refused.value.reject is RejectClass.CANCELLED
        assert bookings(rig) == 0

    on_rig("shopee", body)


# ----------------------------------------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize(
    "kind",
    [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTML],
)
def test_a_level_push_with_a_lost_reply_is_unclear(kind: FaultKind) -> None:
    async def body(rig: Any) -> None:
        models = [
            rig.sim.add_product(f"K{n}", "Kopi", price=1_000, stock=9, item="kopi", variation=str(n)) for n in range(3)
        ]
        rig.sim.faults.append(Fault(kind, endpoint("update_stock")))
        asked = [Want(TargetKey(product.remote_key), 0, None, "k") for product in models]
        answers = await rig.connector.set_levels(asked)
        assert [answer.outcome for answer in answers] == [PushOutcome.UNCLEAR] * 3
        assert calls(rig, "update_stock") == 1
        again = await rig.connector.set_levels(asked)
        assert {answer.outcome for answer in again} == {PushOutcome.APPLIED}
        assert [rig.sim.shown(product.remote_key) for product in models] == [0, 0, 0]

    on_rig("shopee", body)


def test_a_level_push_that_certainly_changed_nothing_raises() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=9)
        asked = [Want(TargetKey(product.remote_key), 3, None, "k")]
        rig.sim.faults.append(Fault(FaultKind.HTTP_429, endpoint("update_stock")))
        with pytest.raises(RateLimited):
            await rig.connector.set_levels(asked)
        await rig.clock.sleep(2)
        rig.sim.off = True
        with pytest.raises(Temporary):
            await rig.connector.set_levels(asked)
        assert rig.sim.shown(product.remote_key) == 9

    on_rig("shopee", body)


def test_an_answer_that_names_only_some_models_leaves_the_others_unclear() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=9)
        rig.sim._posts["/api/v2/product/update_stock"] = lambda request: rig.sim.update_stock(
            {**request, "stock_list": request["stock_list"][:1]}
        )
        other = rig.sim.add_product("K1", "Kopi", price=1_000, stock=9, item="kopi", variation="1")
        second = rig.sim.add_product("K2", "Kopi", price=1_000, stock=9, item="kopi", variation="2")
        asked = [Want(TargetKey(entry.remote_key), 3, None, "k") for entry in (other, second)]
        answers = await rig.connector.set_levels(asked)
        assert [answer.outcome for answer in answers] == [PushOutcome.APPLIED, PushOutcome.UNCLEAR]
        assert product.shown == {"": 9}

    on_rig("shopee", body)


@pytest.mark.parametrize(
    ("code", "message", "reject"),
    [
        ("error_auth", "Total stock must be more than reserved stock.", RejectClass.BELOW_RESERVED),
        ("error_auth", "Stock should be larger than reserved stock.", RejectClass.BELOW_RESERVED),
        ("error.param", "stock less than reserve stock", RejectClass.BELOW_RESERVED),
        ("product.error_param", "stock less than reserved stock", RejectClass.BELOW_RESERVED),
        ("error_auth", "Lack of location_id", RejectClass.LOCATION),
        ("error_busi", "item has multi warehouse", RejectClass.LOCATION),
        ("error_promotion_cantnot_update_stock", "", RejectClass.CAMPAIGN_LOCKED),
        ("error_holiday_mode_change_stock", "", RejectClass.HOLIDAY),
        ("error_wms_shop_block_upate_stock", "", RejectClass.NOT_MANAGED),
        ("product.error_item_not_found", "", RejectClass.UNKNOWN_LISTING),
    ],
)
def test_refusals_of_a_stock_call(code: str, message: str, reject: RejectClass) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=9)
        rig.sim.inject("update_stock", code, message)
        (answer,) = await rig.connector.set_levels([Want(TargetKey(product.remote_key), 3, None, "k")])
        assert (answer.outcome, answer.reject) == (PushOutcome.REJECTED, reject)
        assert rig.tokens.refreshes == 0

    on_rig("shopee", body)


# ----------------------------------------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize("status", [403, 200])
def test_a_token_that_dies_mid_run_is_renewed_once_and_the_call_repeated_once(status: int) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=1_000)
        for _ in range(120):
            rig.sim.place_order([(product.remote_key, 1)])
        pages = rig.connector.pages(Stream.ORDERS, Mark(START - timedelta(hours=1)))
        first = await anext(pages)
        rig.sim.expire_tokens()
        rest = [page async for page in pages]
        assert sum(len(page.rows) for page in [first, *rest]) == 120
        assert rig.tokens.refreshes == 1
        assert rig.sim.token_serial == 2

    on_rig("shopee", body, switches={"refused_status": status})


def test_a_dead_token_under_a_booking_does_not_book_twice() -> None:
    async def body(rig: Any) -> None:
        _, arrangement = await prepared(rig)
        rig.sim.expire_tokens()
        assert (await rig.connector.arrange(arrangement)).parcel.state is ParcelState.BOOKED
        assert (bookings(rig), calls(rig, "ship_order")) == (1, 2)

    on_rig("shopee", body)


def test_a_refused_refresh_says_what_the_seller_must_do() -> None:
    async def body(rig: Any) -> None:
        await rig.connector.health()
        rig.sim.expire_tokens()
        rig.sim.inject("get", "shop_access_expired", "Authorization is over.")
        with pytest.raises(AuthNeeded, match="auth login"):
            await rig.connector.health()

    on_rig("shopee", body)


@pytest.mark.parametrize("old", ["dead", "works_once"])
def test_a_refresh_with_a_lost_reply(old: str) -> None:
    async def body(rig: Any) -> None:
        authoriser = rig.connector.authoriser
        token = await rig.tokens.current()
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, lambda method, path: "access_token" in path))
        with pytest.raises(Uncertain):
            await authoriser.refresh(token)
        raw = await authoriser.refresh(token)
        if old == "works_once":
            assert authoriser.read_grant(raw, now=rig.clock.now(), previous=token).access != token.access
        else:
            with pytest.raises(AuthNeeded, match="error_shop_refresh_token"):
                authoriser.read_grant(raw, now=rig.clock.now(), previous=token)
        third = await authoriser.refresh(token)
        with pytest.raises(AuthNeeded):
            authoriser.read_grant(third, now=rig.clock.now(), previous=token)
        await rig.connector.health()  # the old access token works five minutes more

    on_rig("shopee", body, switches={"old_refresh_token": old})


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'{"error":"error_auth","message":"Invalid refresh_token."}', AuthNeeded),
        (b'{"error":"refresh_token_expired","message":""}', AuthNeeded),
        (b'{"error":"error_sign","message":"Wrong sign."}', AuthNeeded),
        (b'{"error":"error_server","message":""}', Temporary),
        (b'{"error":"error_param","message":"Timestamp is expired."}', Temporary),
        (b'{"error":"never_seen","message":""}', Unrecognised),
        (b'{"error":"","access_token":"a"}', Unrecognised),
        (b"<html>", Unrecognised),
        (b"[]", Unrecognised),
        (
            b'{"error":"","access_token":"a1b2c3d4","refresh_token":"e5f6a7b8","expire_in":14400,"shop_id":42}',
            AuthNeeded,
        ),
    ],
)
def test_answers_of_a_refresh_are_told_apart(raw: bytes, error: type[Exception]) -> None:
    async def body(rig: Any) -> None:
        with pytest.raises(error):
            rig.connector.authoriser.read_grant(raw, now=START, previous=None)

    on_rig("shopee", body)


@pytest.mark.parametrize("expire_in", ["14400", "99999", "1795233600", '"14400"', "null"])
def test_expire_in_is_read_defensively(expire_in: str) -> None:
    async def body(rig: Any) -> None:
        raw = f'{{"error":"","access_token":"a1","refresh_token":"b2","expire_in":{expire_in},"shop_id":700000001}}'
        token = rig.connector.authoriser.read_grant(raw.encode(), now=START, previous=None)
        assert token.access_ends_at == START + timedelta(hours=4)

    on_rig("shopee", body)


def test_an_exchange_without_a_code_or_for_another_shop_is_refused_before_the_call() -> None:
    async def body(rig: Any) -> None:
        with pytest.raises(BadInput):
            await rig.connector.authoriser.exchange({"shop_id": "700000001"})
        with pytest.raises(AuthNeeded, match="shop 42"):
            await rig.connector.authoriser.exchange({"code": "c", "shop_id": "42"})
        assert rig.requests == []

    on_rig("shopee", body)


# ---------------------------------------------------------------------------------------------------------------- gate and limits


def test_a_wrong_key_is_refused_by_the_simulator_and_names_the_setting() -> None:
    async def body(rig: Any) -> None:
        with pytest.raises(AuthNeeded, match="partner_key"):
            await rig.connector.health()
        assert rig.sim.journal.entries(Event.REQUEST)[-1].data["refused"] == "error_sign"

    on_rig("shopee", body, settings={"partner_key": "f" * 64})


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_wrong_clock_is_corrected_by_the_provider(minutes: int) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=9)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        await rig.clock.sleep(60)
        rig.clock.skew = timedelta(minutes=minutes)
        pages = await walk(rig, since=START - timedelta(hours=1))
        provider_now = START + timedelta(seconds=rig.clock.monotonic())
        assert pages[-1].closes <= provider_now, "a window never closes beyond the provider's clock"
        later = await walk(rig, since=pages[-1].closes)
        assert order_id in {order.remote_id for page in [*pages, *later] for order in page.rows}
        assert abs((await rig.connector.health()).clock_offset_s + minutes * 60) < 2

    on_rig("shopee", body)


@pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
def test_too_many_calls_shuts_the_gate_as_long_as_told(kind: FaultKind) -> None:
    async def body(rig: Any) -> None:
        rig.sim.faults.append(Fault(kind, retry_after_s=120))
        with pytest.raises(RateLimited) as limited:
            await walk(rig)
        assert 119 <= (limited.value.until - rig.clock.now()).total_seconds() <= 122
        with pytest.raises(RateLimited):
            await walk(rig)
        assert len(rig.requests) == 1, "nothing is sent while the gate is shut"
        await rig.clock.sleep(125)
        assert (await walk(rig))[-1].closes is not None

    on_rig("shopee", body)


def test_a_burst_limit_inside_the_envelope_is_waited_out_by_reads_and_told_by_writes() -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=9)
        rig.sim.inject("get_shop_info", "error_rate_limit", "too many requests")
        await rig.connector.health()
        assert rig.clock.monotonic() >= 5, "the gate was shut for a while"
        rig.sim.inject("update_stock", "error_rate_limit", "too many requests")
        with pytest.raises(RateLimited):
            await rig.connector.set_levels([Want(TargetKey(product.remote_key), 3, None, "k")])
        assert (calls(rig, "update_stock"), rig.sim.shown(product.remote_key)) == (1, 9)

    on_rig("shopee", body)


def test_the_daily_quota_stops_the_channel_until_midnight_in_singapore() -> None:
    async def body(rig: Any) -> None:
        rig.sim.inject("get_shop_info", "error_limit", "You have reached the daily API call limit.")
        with pytest.raises(RateLimited) as quota:
            await rig.connector.health()
        assert quota.value.until == START + timedelta(hours=16), "00:00 UTC+8"

    on_rig("shopee", body)


@pytest.mark.parametrize(
    "kind", [FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTTP_500, FaultKind.DROP_AFTER]
)
def test_reads_are_repeated_over_nonsense(kind: FaultKind) -> None:
    async def body(rig: Any) -> None:
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=9)
        order_id = rig.sim.place_order([(product.remote_key, 1)])
        rig.sim.faults += [Fault(kind, endpoint("get_order_list")), Fault(kind, endpoint("get_order_detail"))]
        assert [order.remote_id for page in await walk(rig) for order in page.rows] == [order_id]

    on_rig("shopee", body)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("source_ip_undeclared", "", AuthNeeded),
        ("error_auth", "No permission to current api.", AuthNeeded),
        ("error_auth", "Invalid partner_id or shopid.", AuthNeeded),
        ("error_partner_key_expired", "", AuthNeeded),
        ("error_system_busy", "", Temporary),
        ("error_data", "parse data failed", Temporary),
        ("error_param", "request not from gateway", Temporary),
        ("never_seen", "", Unrecognised),
    ],
)
def test_codes_of_the_gateway(code: str, message: str, error: type[Exception]) -> None:
    async def body(rig: Any) -> None:
        rig.sim.inject("get_shop_info", code, message, times=9)
        with pytest.raises(error):
            await rig.connector.health()

    on_rig("shopee", body)


def test_secrets_stay_out_of_errors_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    async def body(rig: Any) -> None:
        _, arrangement = await prepared(rig)
        token = await rig.tokens.current()
        rig.wire.redact.add(token.access)
        texts = []
        for kind in FaultKind:
            rig.sim.faults.append(Fault(kind, endpoint("ship_order")))
            try:
                await rig.connector.arrange(arrangement)
            except (Temporary, Uncertain, RateLimited, Rejected) as failure:
                texts.append(f"{failure!r} {failure}")
            await rig.clock.sleep(30)
        rig.sim.inject("get_shop_info", "never_seen", f"token {token.access} is odd")
        with pytest.raises(Unrecognised) as unknown:
            await rig.connector.health()
        texts.append(str(unknown.value))
        seen = " ".join(texts) + caplog.text + repr(rig.connector.settings)
        for secret in (token.access, token.refresh, rig.connector.settings.partner_key.get_secret_value(), "sign="):
            assert secret not in seen

    logging.getLogger("httpx").setLevel(logging.WARNING)
    with caplog.at_level(logging.INFO, logger="sellersync"):
        on_rig("shopee", body)
