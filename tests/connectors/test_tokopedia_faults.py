"""Tokopedia: what goes wrong on the wire, and how strict the simulator is."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Mark, Stream, TargetKey
from sellersync.connector.http import Reply
from sellersync.domain.errors import (
    AuthNeeded,
    CapExceeded,
    RateLimited,
    RejectClass,
    Rejected,
    Temporary,
    TokenDead,
    Uncertain,
    Unrecognised,
)
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync_tokopedia import windows
from sellersync_tokopedia.auth import sign

Env = Rig[Any, Any]
SECRET = "s3ll3rsync0demo0secret0not0real0000000001"


async def first_rows(rig: Env) -> list[Any]:
    mark = Mark(rig.clock.now() - timedelta(minutes=5))
    return [row async for page in rig.connector.pages(Stream.ORDERS, mark) for row in page.rows]


# ----------------------------------------------------------------------------------------------------------------- the provider


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTTP_429, FaultKind.HTTP_429_DATE]
)
def test_reads_survive_a_passing_trouble(kind: FaultKind) -> None:
    async def test(rig: Env) -> None:
        await rig.connector.health()
        rig.sim.faults.append(Fault(kind, retry_after_s=2))
        begun = rig.clock.monotonic()
        assert (await rig.connector.health()).shop_name == "Toko Contoh"
        if kind in (FaultKind.HTTP_429, FaultKind.HTTP_429_DATE):
            assert 1.0 <= rig.clock.monotonic() - begun <= 4.0

    on_rig("tokopedia", test)


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.EMPTY, FaultKind.TRUNCATED])
def test_nonsense_at_200_is_unrecognised_not_empty(kind: FaultKind) -> None:
    async def test(rig: Env) -> None:
        await rig.connector.health()
        rig.sim.faults.append(Fault(kind, times=9))
        with pytest.raises(Unrecognised):
            await first_rows(rig)

    on_rig("tokopedia", test)


def test_a_clock_ten_minutes_off_is_corrected_from_the_date_header() -> None:
    async def test(rig: Env) -> None:
        for skew in (timedelta(minutes=10), timedelta(minutes=-10)):
            rig.clock.skew = skew
            product = rig.sim.add_product("A", "a", price=1, stock=5)
            order_id = rig.sim.place_order([(product.remote_key, 1)])
            (*_, page) = [
                page
                async for page in rig.connector.pages(
                    Stream.ORDERS, Mark(rig.clock.now() - skew - timedelta(minutes=5))
                )
            ]
            assert order_id in {row.remote_id for row in page.rows}
            assert abs((await rig.connector.health()).clock_offset_s + skew.total_seconds()) < 2
        assert "36009004" in {entry.data["refused"] for entry in rig.sim.journal.entries(Event.REQUEST)}

    on_rig("tokopedia", test)


def reply(body: object, status: int = 200) -> Callable[[Env], Reply]:
    def build(rig: Env) -> Reply:
        content = json.dumps(body).encode()
        return Reply(status, httpx.Headers(), content, rig.clock.now(), rig.clock.now())

    return build


@pytest.mark.parametrize(
    ("code", "message", "on_read", "on_write"),
    [
        (36009002, "too many", RateLimited, RateLimited),
        (12052109, "too many", RateLimited, RateLimited),
        (36009037, "hourly quota", RateLimited, RateLimited),
        (36009003, "internal", Temporary, Uncertain),
        (36009007, "time-out", Temporary, Uncertain),
        (10002014, "order fetch failed", Temporary, Uncertain),
        (105002, "expired", TokenDead, TokenDead),
        (105005, "apply auth pkg", AuthNeeded, AuthNeeded),
        (101000, "wrong user", AuthNeeded, AuthNeeded),
        (106001, "signature", AuthNeeded, AuthNeeded),
        (106013, "cipher", AuthNeeded, AuthNeeded),
        (36009033, "ip", AuthNeeded, AuthNeeded),
        (36009043, "shop inactive", AuthNeeded, AuthNeeded),
        (36009044, "seller inactive", AuthNeeded, AuthNeeded),
        (12052994, "not a Tokopedia seller", AuthNeeded, AuthNeeded),
        (36009004, "Invalid 'timestamp'", Temporary, Temporary),
        (36009004, 'Invalid "app_key"', AuthNeeded, AuthNeeded),
        (36009004, "'x-tts-access-token' is missing", TokenDead, TokenDead),
        (36009004, "'shop_cipher' is not expected", AuthNeeded, AuthNeeded),
        (36009004, "page_size", Rejected, Rejected),
        (36009014, "retired version", Rejected, Rejected),
        (21008111, "not yours", Rejected, Rejected),
        (21008106, "not in this region", Rejected, Rejected),
        (77777777, "never seen", Unrecognised, Unrecognised),
    ],
)
def test_the_table_of_codes(code: int, message: str, on_read: type[Exception], on_write: type[Exception]) -> None:
    async def test(rig: Env) -> None:
        answer = reply({"code": code, "message": message, "request_id": "R1", "data": None})(rig)
        with pytest.raises(on_read):
            rig.connector.api._check("a read")(answer)
        with pytest.raises(on_write):
            rig.connector.api._check("a write", reference="ref")(answer)

    on_rig("tokopedia", test)


def test_the_hourly_quota_waits_for_the_next_hour() -> None:
    async def test(rig: Env) -> None:
        await rig.clock.sleep(1800)
        with pytest.raises(RateLimited) as limited:
            rig.connector.api._check("a read")(reply({"code": 36009037, "message": "quota"})(rig))
        assert limited.value.until == rig.clock.now() + timedelta(minutes=30)

    on_rig("tokopedia", test)


@pytest.mark.parametrize(
    "body", [[], {"message": "x"}, {"code": "zero"}, {"code": 0, "data": []}, {"code": 0, "data": [1]}]
)
def test_odd_envelopes(body: object) -> None:
    async def test(rig: Env) -> None:
        check = rig.connector.api._check("a read")
        if body == {"code": 0, "data": []}:
            assert check(reply(body)(rig)).data == {}
        else:
            with pytest.raises(Unrecognised):
                check(reply(body)(rig))

    on_rig("tokopedia", test)


def test_one_unreadable_order_is_skipped_by_name() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "a", price=1, stock=5)
        bad, good = [rig.sim.place_order([(product.remote_key, 1)]) for _ in range(2)]
        await first_rows(rig)
        del rig.sim.world.orders[bad].wire["update_time"]
        mark = Mark(rig.clock.now() - timedelta(minutes=5))
        (page,) = [page async for page in rig.connector.pages(Stream.ORDERS, mark)]
        assert [row.remote_id for row in page.rows] == [good]
        assert len(page.skipped) == 1
        assert page.skipped[0].startswith(bad)
        assert page.closes is not None

    on_rig("tokopedia", test)


# ------------------------------------------------------------------------------------------------------------------- the walk


async def walked(rig: Env, search: windows.Search, **options: Any) -> list[windows.Chunk]:
    now = rig.clock.now()
    return [c async for c in windows.walk(search, mark=now - timedelta(seconds=100), now=now, overlap_s=0, **options)]


def test_b18_a_repeated_page_token_ends_cleanly() -> None:
    async def test(rig: Env) -> None:
        async def search(first: int, end: int, token: str) -> windows.Found:
            return windows.Found([1], "same", None, rig.clock.now(), rig.clock.now())

        with pytest.raises(Temporary, match="repeats"):
            await walked(rig, search)

    on_rig("tokopedia", test)


def test_b18_pages_without_end_are_an_error() -> None:
    async def test(rig: Env) -> None:
        async def search(first: int, end: int, token: str) -> windows.Found:
            return windows.Found([1], token + "x", None, rig.clock.now(), rig.clock.now())

        with pytest.raises(CapExceeded, match="pages"):
            await walked(rig, search)

    on_rig("tokopedia", test)


def test_b19_one_second_beyond_the_cap_is_an_error_and_not_cut() -> None:
    async def test(rig: Env) -> None:
        async def search(first: int, end: int, token: str) -> windows.Found:
            return windows.Found([1], "", 6000, rig.clock.now(), rig.clock.now())

        with pytest.raises(CapExceeded, match="6000"):
            await walked(rig, search)

    on_rig("tokopedia", test)


def test_b18_an_empty_page_ends_the_window() -> None:
    async def test(rig: Env) -> None:
        async def search(first: int, end: int, token: str) -> windows.Found:
            return windows.Found([], "more", None, rig.clock.now(), rig.clock.now())

        (chunk,) = await walked(rig, search)
        assert chunk.closes is not None

    on_rig("tokopedia", test)


# --------------------------------------------------------------------------------------------------------------------- secrets


def test_no_secret_reaches_an_error_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    secrets: list[str] = [SECRET]

    async def test(rig: Env) -> None:
        token = await rig.tokens.current()
        secrets.extend((token.access, token.refresh))
        texts.extend((repr(token), repr(rig.connector.settings)))
        for kind in (FaultKind.DROP_AFTER, FaultKind.TRUNCATED, FaultKind.HTTP_500_AFTER, FaultKind.EMPTY):
            rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/token/refresh")))
            try:
                raw = await rig.connector.authoriser.refresh(token)
                rig.connector.authoriser.read_grant(raw, now=rig.clock.now(), previous=token)
            except (Uncertain, Unrecognised, AuthNeeded) as failure:
                texts.append(f"{failure} {failure!r}")
        rig.sim.expire_access_tokens()
        rig.sim.expire_refresh_tokens()
        with pytest.raises(AuthNeeded) as refused:
            await rig.connector.health()
        texts.append(str(refused.value))

    on_rig("tokopedia", test)
    told = "\n".join([*texts, *(record.getMessage() for record in caplog.records)])
    assert len(texts) == 7
    for secret in secrets:
        assert secret not in told


# --------------------------------------------------------------------------------------------------------- the simulator is strict


async def raw_call(
    rig: Env, method: str, path: str, *, body: bytes = b"", drop: str = "", **query: str
) -> tuple[int, int]:
    """(HTTP status, code) of a hand-made, correctly signed call, spoilt as asked."""
    token = await rig.tokens.current()
    all_query = {"app_key": "6demo0appkey", "timestamp": str(rig.sim.now_s()), **query}
    if path.startswith("/authorization") is False:
        all_query.setdefault("shop_cipher", "ROW_demoCipherAAAA1234")
    all_query = {name: value for name, value in all_query.items() if name != drop}
    all_query.setdefault("sign", sign(SECRET, path, all_query, body))
    headers = {"x-tts-access-token": token.access, "content-type": "application/json"}
    headers.pop(drop, None)
    request = httpx.Request(method, f"https://simulator.example{path}", params=all_query, headers=headers, content=body)
    answer = rig.sim.handle(request)
    return answer.status_code, answer.json()["code"]


SEARCH = "/order/202309/orders/search"
FILTER = b'{"update_time_ge":1795230000}'
REFUSED = [
    (("GET", "/nothing"), {}, 404, 36009009),
    (("GET", SEARCH), {}, 200, 36009010),
    (("POST", "/order/202301/orders/search"), {}, 200, 36009014),
    (("POST", SEARCH), {"sign": "0" * 64}, 401, 106001),
    (("POST", SEARCH), {"app_key": "other"}, 400, 36009004),
    (("POST", SEARCH), {"timestamp": "1795000000"}, 400, 36009004),
    (("POST", SEARCH), {"timestamp": "17952408000"}, 400, 36009004),
    (("POST", SEARCH), {"drop": "content-type"}, 200, 36009022),
    (("POST", SEARCH), {"drop": "x-tts-access-token"}, 400, 36009004),
    (("POST", SEARCH), {"drop": "shop_cipher"}, 200, 106013),
    (("POST", SEARCH), {"shop_cipher": "ROW_wrong"}, 200, 101000),
    (("GET", "/authorization/202309/shops"), {"shop_cipher": "ROW_demoCipherAAAA1234"}, 400, 36009004),
    (("POST", SEARCH), {"body": b"{}"}, 200, 36009023),
    (("POST", SEARCH), {"body": b"not json"}, 200, 36009023),
    (("POST", SEARCH), {"body": b""}, 200, 36009023),
    (("POST", SEARCH), {"body": b'{"page_size":50}'}, 400, 36009004),
    (("POST", SEARCH), {"body": FILTER, "page_size": "101"}, 400, 36009004),
    (("POST", SEARCH), {"body": FILTER, "page_size": "0"}, 400, 36009004),
    (("POST", SEARCH), {"body": FILTER, "sort_field": "id"}, 400, 36009004),
    (("POST", SEARCH), {"body": FILTER, "page_token": "aGVsbG8="}, 400, 36009004),
    (("POST", SEARCH), {"body": FILTER, "commerce_platform": "TOKOPEDIA"}, 400, 36009004),
    (("POST", SEARCH), {"body": b'{"update_time_ge":1795230000000}'}, 400, 36009004),
    (("GET", "/order/202507/orders"), {"ids": ",".join(["1"] * 51)}, 400, 36009004),
    (("POST", "/product/202309/inventory/search"), {"body": b'{"sku_ids":[]}'}, 400, 36009004),
    (("POST", "/product/202309/products/1/inventory/update"), {"body": b'{"skus":[{"id":"1"}]}'}, 200, 12052032),
    (("POST", "/return_refund/202602/returns/search"), {"body": FILTER, "page_size": "5"}, 400, 36009004),
    (("POST", "/fulfillment/202309/packages/5/ship"), {"body": b'{"handover_method":"PICKUP"}'}, 200, 21008111),
]


@pytest.mark.parametrize(("call", "options", "status", "code"), REFUSED)
def test_the_simulator_refuses(call: tuple[str, str], options: dict[str, Any], status: int, code: int) -> None:
    async def test(rig: Env) -> None:
        assert await raw_call(rig, *call, **options) == (status, code)
        assert rig.sim.journal.entries(Event.REQUEST)[-1].data["refused"] == str(code)

    on_rig("tokopedia", test)


def test_the_simulator_refuses_a_token_page_of_other_filters() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "a", price=1, stock=500)
        for _ in range(3):
            rig.sim.place_order([(product.remote_key, 1)])
        token = await rig.tokens.current()
        answer = await rig.connector.api.search_orders(first=1795000000, end=1795400000, page_token="")
        assert answer.data["next_page_token"] == ""
        assert token.access
        api = rig.connector.api
        page = await api._read("x", "POST", SEARCH, query={"page_size": "2"}, body={"update_time_ge": 1795000000})
        following = {"page_size": "2", "page_token": page.data["next_page_token"]}
        rest = await api._read("x", "POST", SEARCH, query=following, body={"update_time_ge": 1795000000})
        assert len(rest.rows("orders")) == 1
        with pytest.raises(Rejected) as refused:
            await api._read("x", "POST", SEARCH, query=following, body={"update_time_ge": 1795000001})
        assert refused.value.reject is RejectClass.BAD_DATA

    on_rig("tokopedia", test)


def test_an_expired_token_is_refused_by_the_simulator_after_seven_days() -> None:
    async def test(rig: Env) -> None:
        await rig.connector.health()
        await rig.clock.sleep(7 * 86_400 + 1)
        await rig.connector.levels([TargetKey("1:2")])
        assert rig.tokens.refreshes == 1

    on_rig("tokopedia", test)


def test_equal_seeds_make_equal_worlds() -> None:
    def events() -> list[tuple[float, Event, dict[str, Any]]]:
        async def test(rig: Env) -> list[tuple[float, Event, dict[str, Any]]]:
            product = rig.sim.add_product("A", "a", price=1, stock=5)
            rig.sim.place_order([(product.remote_key, 2)])
            await first_rows(rig)
            rig.sim.expire_access_tokens()
            await first_rows(rig)
            return [(entry.at, entry.event, dict(entry.data)) for entry in rig.sim.journal.entries()]

        return on_rig("tokopedia", test)

    assert events() == events()
