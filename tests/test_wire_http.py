"""The HTTP layer over real sockets: what a read and a write make of every way in which an answer can go wrong."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, TypeVar

import httpx
import pytest

from sellersync.clock import SystemClock
from sellersync.connector.http import BODY_BYTES_MAX, Reply, Wire, WireLimits
from sellersync.connector.rate import RETRY_AFTER_S_MAX, RateGate, retry_after_s
from sellersync.connector.redact import SECRETS_KEPT, SECRETS_RECENT_MAX, RedactingFilter, Redactor
from sellersync.domain.errors import RateLimited, SellersyncError, Temporary, Uncertain, Unrecognised
from sellersync.testing.virtual import VirtualClock, VirtualLoop, run_virtual

T = TypeVar("T")
SECRET = "s3cr3t-access-token"
DATE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------------ the fault server


@dataclass
class Exchange:
    """One request that reached the server, and the socket to answer on. `over` is set when the test is over."""

    sock: socket.socket
    request: bytes
    over: threading.Event

    def reply(self, body: bytes, *, status: str = "200 OK", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


Answer = Callable[[Exchange], bool]
"""Answers one request; True keeps the connection open for the next."""


@dataclass
class FaultServer:
    """Listens on 127.0.0.1; the n-th request gets the n-th answer, later ones the last."""

    answers: list[Answer]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5.0)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(2.0)
        with sock, suppress(OSError):
            while (request := _read_request(sock)) is not None:
                with self._lock:
                    answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
                    self.requests.append(request)
                if not answer(Exchange(sock, request, self._over)):
                    return


def _read_request(sock: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def good(exchange: Exchange) -> bool:
    exchange.reply(b'{"ok": true}', content_type="application/json")
    return True


def good_then_closed(exchange: Exchange) -> bool:
    """Promises keep-alive and closes, as a server does at its idle limit."""
    good(exchange)
    return False


def closed(exchange: Exchange) -> bool:
    return False


def silent(exchange: Exchange) -> bool:
    exchange.over.wait(5.0)
    return False


def reset(exchange: Exchange) -> bool:
    exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def reset_in_the_body(exchange: Exchange) -> bool:
    exchange.sock.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"ok": ')
    time.sleep(0.05)
    return reset(exchange)


def cut(exchange: Exchange) -> bool:
    exchange.sock.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"ok":')
    return False


def half_json(exchange: Exchange) -> bool:
    exchange.reply(b'{"ok": tr')
    return True


def broken_gzip(exchange: Exchange) -> bool:
    exchange.reply(gzip.compress(b'{"ok": true}')[:5] + b"garbage garbage", content_encoding="gzip")
    return True


def nonsense(exchange: Exchange) -> bool:
    exchange.sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    return False


def drip(exchange: Exchange) -> bool:
    """One byte every 50 ms: never longer silent than any read time-out."""
    exchange.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        exchange.sock.sendall(b" ")
        if exchange.over.wait(0.05):
            break
    return False


def oversized(exchange: Exchange) -> bool:
    exchange.sock.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode())
    block = b" " * (1024 * 1024)
    for _ in range(BODY_BYTES_MAX // len(block) + 1):
        exchange.sock.sendall(block)
    return False


def maintenance(exchange: Exchange) -> bool:
    exchange.reply(b"<html>503</html>", status="503 Service Unavailable", content_type="text/html")
    return True


def refused(status: str, body: bytes = b"", **headers: str) -> Answer:
    def answer(exchange: Exchange) -> bool:
        exchange.reply(body, status=status, **headers)
        return True

    return answer


# ------------------------------------------------------------------------------------------------------------------- the bench


class SkippingClock(SystemClock):
    """The machine's clock, on which sleeping takes no time: it jumps ahead instead."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


LIMITS = WireLimits(connect_timeout_s=0.5, read_timeout_s=0.3, read_deadline_s=0.6, write_deadline_s=0.6)


@dataclass
class Bench:
    """A wire to a fault server. `read` and `write` send a secret in the URL, as signed calls do."""

    server: FaultServer
    wire: Wire
    clock: SkippingClock
    url: str

    def request(self, method: str) -> httpx.Request:
        params = {"access_token": SECRET, "sign": "abcdef0123456789"}
        return httpx.Request(method, f"{self.url}/orders", params=params, json={"n": 1} if method == "POST" else None)

    async def read(self, check: Callable[[Reply], Any] = Reply.json) -> Any:
        return await self.wire.read(lambda now: self.request("GET"), check, what="orders")

    async def write(self, *, fresh: bool = False, check: Callable[[Reply], Any] = Reply.json) -> Any:
        return await self.wire.write(lambda now: self.request("POST"), check, what="book", reference="R-1", fresh=fresh)


def on_sockets(
    answers: list[Answer], test: Callable[[Bench], Awaitable[T]], *, limits: WireLimits = LIMITS, url: str = ""
) -> T:
    server = FaultServer(answers)

    async def body() -> T:
        clock = SkippingClock()
        gate = RateGate(clock, rate_per_s=1000.0, burst=1000)
        wire = Wire("bench", clock=clock, rng=Random(1), gate=gate, limits=limits, redactor=Redactor([SECRET]))
        try:
            return await test(Bench(server, wire, clock, url or server.url))
        finally:
            await wire.close()

    try:
        return asyncio.run(body())
    finally:
        server.close()


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address on which nobody listens: bound, never listening, so that nobody else can take it either."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


# --------------------------------------------------------------------------------------------------------- answers that fail

NO_ANSWER = [silent, closed, reset, reset_in_the_body, cut, broken_gzip, nonsense, drip, maintenance]


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_a_read_is_repeated_and_then_temporary(fault: Answer) -> None:
    async def test(bench: Bench) -> None:
        began = time.monotonic()
        with pytest.raises(Temporary):
            await bench.read()
        assert len(bench.server.requests) == LIMITS.read_attempts_max
        assert time.monotonic() - began < LIMITS.read_attempts_max * LIMITS.read_deadline_s + 1.0

    on_sockets([fault], test)


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_a_read_recovers_when_the_second_answer_is_good(fault: Answer) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.read() == {"ok": True}
        assert len(bench.server.requests) == 2

    on_sockets([fault, good], test)


@pytest.mark.parametrize("fault", [*NO_ANSWER, half_json])
@pytest.mark.parametrize("fresh", [False, True])
def test_a_write_is_sent_once_and_uncertain(fault: Answer, fresh: bool) -> None:
    async def test(bench: Bench) -> None:
        began = time.monotonic()
        with pytest.raises(Uncertain) as unclear:
            await bench.write(fresh=fresh)
        assert unclear.value.reference == "R-1"
        assert len(bench.server.requests) == 1
        assert time.monotonic() - began < LIMITS.write_deadline_s + 1.0

    on_sockets([fault, good], test)


def test_a_refused_connection_is_temporary_for_both(closed_port: str) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(Temporary, match="ConnectError"):
            await bench.read()
        assert bench.wire.calls == LIMITS.read_attempts_max
        for fresh in (False, True):
            with pytest.raises(Temporary, match="ConnectError"):
                await bench.write(fresh=fresh)

    on_sockets([good], test, url=closed_port)


def test_an_address_without_a_scheme_is_no_connection() -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(Temporary, match="UnsupportedProtocol"):
            await bench.write()

    on_sockets([good], test, url="shop.example")


def test_a_write_waits_no_longer_than_its_deadline_for_a_dripping_answer() -> None:
    async def test(bench: Bench) -> None:
        began = time.monotonic()
        with pytest.raises(Uncertain, match="TimeoutError"):
            await bench.write()
        assert 0.5 < time.monotonic() - began < 1.5

    on_sockets([drip], test)


def test_an_answer_over_the_bound_is_dropped() -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(Temporary, match="answer over"):
            await bench.read()
        with pytest.raises(Uncertain, match="answer over"):
            await bench.write()

    limits = WireLimits(read_attempts_max=1, read_deadline_s=20.0, write_deadline_s=20.0)
    on_sockets([oversized], test, limits=limits)


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"\xff\xfe", b"[" * 200_000])
def test_a_body_that_is_no_json_is_unrecognised_for_reads_and_uncertain_for_writes(body: bytes) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(Unrecognised):
            await bench.read()
        assert len(bench.server.requests) == 1, "repeating would not help"
        with pytest.raises(Uncertain):
            await bench.write()

    on_sockets([refused("200 OK", body)], test)


def test_a_server_error_in_json_is_left_to_the_connector() -> None:
    async def test(bench: Bench) -> None:
        assert await bench.read() == {"code": "E1"}
        assert await bench.write() == {"code": "E1"}

    on_sockets([refused("500 Internal Server Error", b' {"code": "E1"}')], test)


def test_a_redirect_is_not_followed() -> None:
    async def test(bench: Bench) -> None:
        assert await bench.read(lambda reply: reply.status) == 302
        assert len(bench.server.requests) == 1

    on_sockets([refused("302 Found", location="/elsewhere"), good], test)


# ------------------------------------------------------------------------------------------------------------- connections


def test_reads_share_a_connection_and_bookings_take_their_own() -> None:
    async def test(bench: Bench) -> None:
        for _ in range(3):
            await bench.read()
        assert bench.server.connections == 1
        await bench.write()
        assert bench.server.connections == 1
        await bench.write(fresh=True)
        await bench.write(fresh=True)
        assert bench.server.connections == 3

    on_sockets([good], test)


def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    async def test(bench: Bench) -> None:
        await bench.read()
        await asyncio.sleep(0.1)
        assert await bench.read() == {"ok": True}
        assert (len(bench.server.requests), bench.server.connections) == (2, 2)

    on_sockets([good_then_closed, good], test)


def test_a_connection_closed_under_a_request_repeats_a_read_and_leaves_a_write_uncertain() -> None:
    async def reading(bench: Bench) -> None:
        await bench.read()
        assert await bench.read() == {"ok": True}
        assert len(bench.server.requests) == 3

    async def writing(bench: Bench) -> None:
        await bench.read()
        with pytest.raises(Uncertain):
            await bench.write()
        assert len(bench.server.requests) == 2

    on_sockets([good, closed, good], reading)
    on_sockets([good, closed, good], writing)


def test_every_request_names_the_caller_and_keeps_its_own_headers() -> None:
    async def test(bench: Bench) -> None:
        await bench.read()
        own = httpx.Request("GET", bench.url, headers={"accept": "application/json"})
        await bench.wire.read(lambda now: own, Reply.json, what="own")
        first, second = (request.lower() for request in bench.server.requests)
        assert b"user-agent: sellersync" in first
        assert b"accept: */*" in first
        assert b"accept: application/json" in second
        assert b"*/*" not in second

    on_sockets([good], test)


def test_compressed_answers_are_unpacked() -> None:
    async def test(bench: Bench) -> None:
        assert await bench.read() == {"ok": True}

    on_sockets([refused("200 OK", gzip.compress(b'{"ok": true}'), content_encoding="gzip")], test)


# ----------------------------------------------------------------------------------------------------------------- rate limits

IN_3_S = format_datetime(DATE + timedelta(seconds=3), usegmt=True)
AT = format_datetime(DATE, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": IN_3_S, "date": AT}, 3.0),
        ({}, 5.0),
        ({"retry_after": "soon"}, 5.0),
    ],
)
def test_too_many_calls(headers: dict[str, str], wait_s: float) -> None:
    limit = refused("429 Too Many Requests", b"slow down", **headers)

    async def reading(bench: Bench) -> None:
        assert await bench.read() == {"ok": True}
        assert sum(bench.clock.slept) == pytest.approx(wait_s, abs=0.1)

    async def writing(bench: Bench) -> None:
        with pytest.raises(RateLimited) as limited:
            await bench.write()
        assert (limited.value.until - bench.clock.now()).total_seconds() == pytest.approx(wait_s, abs=0.1)
        assert len(bench.server.requests) == 1
        assert await bench.read() == {"ok": True}, "the gate made the next call wait"
        assert sum(bench.clock.slept) == pytest.approx(wait_s, abs=0.1)

    on_sockets([limit, good], reading)
    on_sockets([limit, good], writing)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_long_wait_is_left_to_the_job_and_shuts_the_gate(status: str) -> None:
    async def test(bench: Bench) -> None:
        for _ in range(2):
            with pytest.raises(RateLimited) as limited:
                await bench.read()
            assert (limited.value.until - bench.clock.now()).total_seconds() == pytest.approx(600, abs=1)
        assert (len(bench.server.requests), bench.clock.slept) == (1, [])

    on_sockets([refused(status, b"<html>", retry_after="600")], test)


def test_a_wait_that_the_connector_reads_from_an_envelope_is_kept_within_the_bound() -> None:
    async def test(bench: Bench) -> None:
        def busy(reply: Reply) -> None:
            raise Temporary("busy", retry_after_s=3600.0)

        with pytest.raises(Temporary):
            await bench.read(busy)
        assert (len(bench.server.requests), bench.clock.slept) == (1, [])

    on_sockets([good], test)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("-3", 0.0),
        ("1e9", RETRY_AFTER_S_MAX),
        ("inf", RETRY_AFTER_S_MAX),
        ("nan", None),
        (IN_3_S, 3.0),
        (format_datetime(DATE - timedelta(hours=1), usegmt=True), 0.0),
        ("Sat, 21 Nov 2026 12:00:03 -0000", 3.0),
        ("Sat, 21 Nov 99999999999 00:00:00 GMT", None),
        ("tomorrow", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, now=DATE) == seconds


# ----------------------------------------------------------------------------------------------------------------- clock


def test_the_providers_clock_is_learned_from_its_date() -> None:
    ahead = datetime.now(UTC) + timedelta(seconds=600)

    async def test(bench: Bench) -> None:
        shown = await bench.read(lambda reply: reply.provider_now)
        assert shown == ahead.replace(microsecond=0)
        assert bench.wire.clock_offset_s == pytest.approx(600, abs=3)
        signed_at: list[datetime] = []

        def make(now: datetime) -> httpx.Request:
            signed_at.append(now)
            return bench.request("GET")

        await bench.wire.read(make, Reply.json, what="orders")
        assert abs(signed_at[0] - ahead) < timedelta(seconds=5)

    on_sockets([refused("200 OK", b"{}", date=format_datetime(ahead, usegmt=True))], test)


def test_a_slow_answer_is_no_wrong_clock() -> None:
    clocks: list[SkippingClock] = []

    def slow(exchange: Exchange) -> bool:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        exchange.sock.sendall(f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: 2\r\n\r\n".encode())
        time.sleep(0.1)
        clocks[0].slept.append(20.0)  # the body takes so long
        exchange.sock.sendall(b"{}")
        return True

    async def test(bench: Bench) -> None:
        clocks.append(bench.clock)
        assert await bench.read() == {}
        assert bench.wire.clock_offset_s == 0.0

    on_sockets([slow], test)


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 21 Nov 99999999999 00:00:00 GMT"])
def test_an_answer_without_a_readable_date_leaves_the_clock_alone(date: str) -> None:
    async def test(bench: Bench) -> None:
        before = bench.clock.now()
        shown = await bench.read(lambda reply: reply.provider_now)
        assert before <= shown <= bench.clock.now()
        assert bench.wire.clock_offset_s == 0.0

    on_sockets([refused("200 OK", b"{}", date=date)], test)


# --------------------------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize("fault", [*NO_ANSWER, half_json, refused("429 Too Many Requests")])
def test_no_secret_in_any_message_or_log(fault: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def test(bench: Bench) -> None:
        for call in (bench.read, bench.write):
            with pytest.raises(SellersyncError) as failure:
                await call()
            assert SECRET not in f"{failure.value!s} {failure.value!r}"
            assert failure.value.__cause__ is None
            assert failure.value.__suppress_context__ or failure.value.__context__ is None

    on_sockets([fault], test, limits=WireLimits(0.5, 0.2, 0.2, 0.2, read_attempts_max=1))
    assert SECRET not in caplog.text


def test_an_error_page_that_repeats_the_url_is_redacted() -> None:
    page = f"<pre>Cannot GET /orders?access_token={SECRET}&sign=abcdef0123456789</pre>".encode()

    async def test(bench: Bench) -> None:
        with pytest.raises(Unrecognised, match="Cannot GET") as unreadable:
            await bench.read()
        assert SECRET not in unreadable.value.raw
        assert "abcdef0123456789" not in unreadable.value.raw
        with pytest.raises(Uncertain) as unclear:
            await bench.write()
        assert SECRET not in str(unclear.value)

    on_sockets([refused("404 Not Found", page)], test)


def test_urls_are_not_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def test(bench: Bench) -> None:
        await bench.read()

    on_sockets([good], test)
    assert "/orders" not in caplog.text


def test_the_log_filter_cleans_urls_even_if_somebody_turns_httpx_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    redacting = RedactingFilter(Redactor())
    caplog.handler.addFilter(redacting)
    try:
        on_sockets([good], lambda bench: bench.read())
    finally:
        caplog.handler.removeFilter(redacting)
    assert "/orders?access_token=***&sign=***" in caplog.text
    assert SECRET not in caplog.text


def test_the_log_filter_cleans_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    redacting = RedactingFilter(Redactor([SECRET]))
    caplog.handler.addFilter(redacting)
    try:
        try:
            raise ValueError(f"bad {SECRET}")
        except ValueError:
            logging.getLogger("test").exception("it failed with %s", SECRET)
    finally:
        caplog.handler.removeFilter(redacting)
    assert "ValueError: bad ***" in caplog.text
    assert "it failed with ***" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/x?sign=ab12&shop_id=7", "/x?sign=***&shop_id=7"),
        ('{"access_token": "abc", "expire_in": 14400}', '{"access_token": "***", "expire_in": 14400}'),
        ("{'x-tts-access-token': 'abc', 'a': 'b'}", "{'x-tts-access-token': '***', 'a': 'b'}"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("callback?code=4f6d7a&state=1", "callback?code=***&state=1"),
        ('{"code": 40002060, "error": "used"}', '{"code": 40002060, "error": "used"}'),
        ('{"code": "-1", "error": "no"}', '{"code": "-1", "error": "no"}'),
        ("password=12345678", "password=***"),
    ],
)
def test_parameters_that_are_secret_by_name(text: str, clean: str) -> None:
    assert Redactor()(text) == clean


def test_rotating_tokens_do_not_push_out_the_first_secrets() -> None:
    redact = Redactor()
    redact.add("short-app-secret")
    tokens = [f"a much longer rotating token {number:04d}" for number in range(SECRETS_KEPT + 2 * SECRETS_RECENT_MAX)]
    for token in tokens:
        redact.add(token)
    assert redact(f"short-app-secret {tokens[-1]} {tokens[-SECRETS_RECENT_MAX]}") == "*** *** ***"
    redact.add("word")
    assert redact("a word") == "a word"


# ---------------------------------------------------------------------------------------------------------------- the rate gate


def on_gate(test: Callable[[RateGate, VirtualClock], Awaitable[T]], **options: Any) -> T:
    async def body() -> T:
        clock = VirtualClock(asyncio.get_running_loop())
        return await test(RateGate(clock, **options), clock)

    return run_virtual(body(), VirtualLoop())


async def passing_times(gate: RateGate, clock: VirtualClock, callers: int) -> list[tuple[int, float]]:
    """(caller, second of passing), in the order of passing."""
    passed: list[tuple[int, float]] = []

    async def call(number: int) -> None:
        await gate.enter()
        passed.append((number, round(clock.monotonic(), 6)))

    await asyncio.gather(*(call(number) for number in range(callers)))
    return passed


def test_a_burst_passes_at_once_and_the_rest_at_the_rate_in_order() -> None:
    async def test(gate: RateGate, clock: VirtualClock) -> None:
        assert await passing_times(gate, clock, 7) == [
            (0, 0.0),
            (1, 0.0),
            (2, 0.0),
            (3, 0.5),
            (4, 1.0),
            (5, 1.5),
            (6, 2.0),
        ]
        await clock.sleep(100)
        assert [at - 102 for _, at in await passing_times(gate, clock, 4)] == [0.0, 0.0, 0.0, 0.5], "a burst, no more"

    on_gate(test, rate_per_s=2.0, burst=3)


def test_a_caller_that_would_wait_too_long_is_told_so_and_takes_no_place() -> None:
    async def test(gate: RateGate, clock: VirtualClock) -> None:
        waiting = [asyncio.create_task(gate.enter()) for _ in range(5)]
        await clock.sleep(0)
        for _ in range(3):
            with pytest.raises(RateLimited) as limited:
                await gate.enter()
            assert (limited.value.until - clock.now()).total_seconds() == 5.0
        await asyncio.gather(*waiting)
        assert clock.monotonic() == 4.0

    on_gate(test, rate_per_s=1.0, burst=1, wait_s_max=4.0)


def test_a_shut_gate_holds_everybody_and_does_not_let_a_crowd_through() -> None:
    async def test(gate: RateGate, clock: VirtualClock) -> None:
        gate.shut_until(clock.now() + timedelta(seconds=5))
        gate.shut_until(clock.now() + timedelta(seconds=2))  # never earlier
        assert [at for _, at in await passing_times(gate, clock, 4)] == [5.0, 5.0, 5.5, 6.0]
        gate.shut_until(clock.now() + timedelta(seconds=60))
        with pytest.raises(RateLimited, match="asked us to wait"):
            await gate.enter()

    on_gate(test, rate_per_s=2.0, burst=2)


def test_a_gate_shut_while_callers_queue_holds_those_too() -> None:
    async def test(gate: RateGate, clock: VirtualClock) -> None:
        passing = asyncio.create_task(passing_times(gate, clock, 3))
        await clock.sleep(0.5)
        gate.shut_until(clock.now() + timedelta(seconds=5))
        assert [at for _, at in await passing] == [0.0, 5.5, 6.5]

    on_gate(test, rate_per_s=1.0, burst=1)
