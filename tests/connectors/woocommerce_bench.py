"""Common to the WooCommerce tests: recorded replies, a bare simulator with a hand clock, and raw calls to it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from random import Random
from typing import Any

import httpx

from sellersync.connector.contract import Mark, Page, Stream
from sellersync.domain.orders import Order
from sellersync.testing.rig import Rig
from sellersync.testing.virtual import START
from sellersync_woocommerce.sandbox import WooCommerceSandbox

HTTP = {"base_url": "http://toko.example", "remote_shop_id": "http://toko.example"}
NOW_S = int(datetime(2026, 11, 21, 19, 6, 32, tzinfo=UTC).timestamp())


def payload(name: str) -> Any:
    """The body of a recorded reply."""
    return recording(name)["body"]


def recording(name: str) -> Any:
    return json.loads((files("sellersync_woocommerce") / "payloads" / f"{name}.json").read_text())


class HandClock:
    """Seconds that only a test moves."""

    def __init__(self, at_s: float = NOW_S) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        return self.at_s


def bare_shop(**options: Any) -> tuple[WooCommerceSandbox, HandClock]:
    clock = HandClock()
    shop = WooCommerceSandbox(clock=clock, rng=Random(1), **options)
    shop.configuration("https://toko.example")
    return shop, clock


def ask(
    shop: WooCommerceSandbox,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: Any = None,
    auth: tuple[str, str] | None = None,
    scheme: str = "https",
) -> httpx.Response:
    """One raw call with HTTP Basic keys, as any client would make it."""
    key = auth or (shop.key.consumer_key, shop.key.consumer_secret)
    header = "Basic " + base64.b64encode(":".join(key).encode()).decode()
    content = body if isinstance(body, str) else json.dumps(body) if body is not None else None
    request = httpx.Request(
        method,
        f"{scheme}://toko.example/wp-json/wc/v3/{path}",
        params=query,
        headers={"authorization": header},
        content=content,
    )
    return shop.transport_handler(request)


async def walk(rig: Rig[Any, Any], stream: Stream = Stream.ORDERS, since: datetime = START) -> list[Page]:
    pages: AsyncIterator[Page] = rig.connector.pages(stream, Mark(since))
    return [page async for page in pages]


async def pulled(rig: Rig[Any, Any], since: datetime = START) -> dict[str, Order]:
    """Orders of one walk by id; nothing may be skipped."""
    pages = await walk(rig, since=since)
    assert [sentence for page in pages for sentence in page.skipped] == []
    return {row.remote_id: row for page in pages for row in page.rows if isinstance(row, Order)}


def paths(rig: Rig[Any, Any]) -> list[str]:
    """What the simulator saw: "GET orders", in order."""
    return [f"{r.method} {r.url.path.removeprefix('/wp-json/wc/v3/')}" for r in rig.requests]
