"""A simulator behind a real socket answers, drops and refuses as a server on the network would."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from random import Random

import httpx
import pytest

from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.sandbox.mount import LoopThread, Mounted

from .shop import TinyShop

CLOCK_S = 1_795_219_200.0


@pytest.fixture
def shop() -> TinyShop:
    return TinyShop(clock=lambda: CLOCK_S, rng=Random(1))


@pytest.fixture
def mounted(shop: TinyShop) -> Iterator[Mounted]:
    with Mounted(shop) as mount:
        yield mount


def test_request_arrives_as_it_was_sent(shop: TinyShop, mounted: Mounted) -> None:
    headers = [("X-Sign", "a b=c"), ("x-twice", "1"), ("X-Twice", "2"), ("content-type", "application/json")]
    target = "/api/v2/a%2Fb/c%20d?q=1%2B1&ids[]=%5B1%5D&empty=&x=a+b"
    answer = httpx.post(mounted.base_url + target, headers=headers, content=b'{"n": "\xc3\xa9"}', trust_env=False)
    seen = shop.seen[0]
    assert answer.status_code == 200
    assert seen.method == "POST"
    assert seen.url.raw_path == target.encode()
    assert seen.content == b'{"n": "\xc3\xa9"}'
    assert seen.headers.get_list("x-twice") == ["1", "2"]
    assert seen.headers["x-sign"] == "a b=c"
    assert str(seen.url).startswith(mounted.base_url)
    assert seen.headers["content-length"] == "11"


def test_date_header_is_the_simulators(mounted: Mounted) -> None:
    answer = httpx.get(mounted.base_url + "/x", trust_env=False)
    assert answer.headers.get_list("date") == ["Sat, 21 Nov 2026 00:00:00 GMT"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_drop_closes_the_connection_without_an_answer(shop: TinyShop, mounted: Mounted, kind: FaultKind) -> None:
    shop.faults.append(Fault(kind))
    with httpx.Client(base_url=mounted.base_url, trust_env=False) as client:
        with pytest.raises(httpx.TransportError) as caught:
            client.get("/x", timeout=5)
        assert isinstance(caught.value, httpx.ReadError | httpx.RemoteProtocolError)
        assert client.get("/x").status_code == 200
    assert len(shop.seen) == (2 if kind is FaultKind.DROP_AFTER else 1)


def test_spoilt_answers_cross_the_wire(shop: TinyShop, mounted: Mounted) -> None:
    shop.faults += [Fault(FaultKind.HTTP_429, retry_after_s=7), Fault(FaultKind.EMPTY), Fault(FaultKind.TRUNCATED)]
    with httpx.Client(base_url=mounted.base_url, trust_env=False) as client:
        slow, empty, cut = (client.get("/x") for _ in range(3))
    assert (slow.status_code, slow.headers["retry-after"]) == (429, "7")
    assert (empty.status_code, empty.content) == (200, b"")
    with pytest.raises(ValueError):
        cut.json()


def test_off_refuses_connections_and_on_resumes_at_the_same_port(mounted: Mounted) -> None:
    url = mounted.base_url
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/x").status_code == 200  # leaves a kept-alive connection behind
        mounted.switch(on=False)
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                client.get("/x")
        mounted.switch(on=True)
        assert mounted.base_url == url
        assert client.get("/x").status_code == 200


def test_the_socket_follows_the_simulators_own_switch(shop: TinyShop, mounted: Mounted) -> None:
    shop.off = True
    deadline = time.monotonic() + 5
    while True:
        try:
            socket.create_connection(("127.0.0.1", mounted.port), timeout=1).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not shop.journal.entries(Event.REQUEST)


def test_a_simulator_that_starts_switched_off(shop: TinyShop) -> None:
    shop.off = True
    with Mounted(shop) as mount:
        with pytest.raises(httpx.ConnectError):
            httpx.get(mount.base_url + "/x", trust_env=False)
        mount.switch(on=True)
        assert httpx.get(mount.base_url + "/x", trust_env=False).status_code == 200


def test_latency_is_added_after_the_effect(shop: TinyShop) -> None:
    with Mounted(shop, latency_s=0.15) as mount:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(mount.base_url + "/x", timeout=0.05, trust_env=False)
        assert len(shop.seen) == 1
        began = time.monotonic()
        httpx.get(mount.base_url + "/x", trust_env=False)
        assert time.monotonic() - began >= 0.15


def test_one_thread_serves_several_mounts(shop: TinyShop) -> None:
    other = TinyShop(clock=lambda: CLOCK_S, rng=Random(2))
    thread = LoopThread()
    try:
        with Mounted(shop, thread=thread) as first, Mounted(other, thread=thread) as second:
            assert httpx.get(first.base_url + "/a", trust_env=False).status_code == 200
            assert httpx.get(second.base_url + "/b", trust_env=False).status_code == 200
    finally:
        thread.close()
    assert [len(shop.seen), len(other.seen)] == [1, 1]


def test_stop_is_bounded_and_frees_the_port(shop: TinyShop) -> None:
    mount = Mounted(shop).start()
    port = mount.port
    with httpx.Client(base_url=mount.base_url, trust_env=False) as client:
        client.get("/x")
        began = time.monotonic()
        mount.stop()
        assert time.monotonic() - began < 2
    mount.stop()
    with Mounted(shop, port=port) as again:
        assert again.port == port


def test_a_bug_of_the_simulator_is_loud(shop: TinyShop, mounted: Mounted, caplog: pytest.LogCaptureFixture) -> None:
    assert httpx.get(mounted.base_url + "/bug", trust_env=False).status_code == 500
    assert mounted.crashes == ["GET /bug: RuntimeError: a bug of the simulator"]
    assert "the simulator failed at GET" in caplog.text


def test_no_log_noise(shop: TinyShop, mounted: Mounted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    shop.faults.append(Fault(FaultKind.DROP_BEFORE))
    with pytest.raises(httpx.TransportError):
        httpx.get(mounted.base_url + "/x", trust_env=False)
    mounted.switch(on=False)
    assert [r for r in caplog.records if r.name.startswith(("uvicorn", "sellersync", "asyncio"))] == []
