"""A simulator on a real socket of 127.0.0.1: what the demo and the system tests point the connectors at.

uvicorn speaks HTTP in a thread of its own; the simulator's `handle` decides everything else. A dropped connection is really
dropped, and a simulator that is off really refuses connections on its port.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar, cast

import httpx
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .kit import Simulator

log = logging.getLogger("sellersync.sandbox")
T = TypeVar("T")

HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
SWITCH_LOOK_S = 0.02  # how often `Simulator.off` is looked at
KEEP_ALIVE_S = 75  # the default of common web servers
GRACEFUL_S = 1

AsgiScope = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class LoopThread:
    """An event loop in a daemon thread; one may serve any number of mounts."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-sockets", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], *, timeout_s: float) -> T:
        """Run on the loop from another thread and wait for the result. Raises `TimeoutError`."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop; waits at most `STOP_TIMEOUT_S`."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


class Mounted:
    """One simulator at `base_url`, between `start()` and `stop()` or inside a `with`.

    `latency_s` is added between the effect of a request and its answer. `port` 0 takes a free one; the port stays the same while
    the simulator is switched off and on. `crashes` lists requests that ended in an exception of the simulator itself, which is a
    bug there and answered with a 500.
    """

    def __init__(
        self, simulator: Simulator, *, latency_s: float = 0.0, port: int = 0, thread: LoopThread | None = None
    ) -> None:
        self.simulator = simulator
        self.latency_s = latency_s
        self.crashes: list[str] = []
        self._wanted_port = port
        self._own_thread = thread is None
        self._thread = thread
        self._holder: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        self._listening = threading.Event()
        self._stopping = False

    # -- life

    @property
    def port(self) -> int:
        """The TCP port. Raises `RuntimeError` before `start()`."""
        if self._holder is None:
            raise RuntimeError("the mount is not started")
        return int(self._holder.getsockname()[1])

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> Mounted:
        """Begin to listen (or, while the simulator is off, only keep the port). Raises `OSError` when the port is taken."""
        if self._thread is None:
            self._thread = LoopThread()
        # A bound socket that never listens keeps the port while the simulator is off: nobody else can get it, and a client's
        # connection attempt cannot pick it as its own port and connect to itself.
        self._holder = _bound_socket(self._wanted_port)
        self._thread.run(self._start(), timeout_s=START_TIMEOUT_S)
        return self

    def stop(self) -> None:
        """Stop listening and drop open connections, within `STOP_TIMEOUT_S`; may be called twice."""
        if self._thread is None or self._holder is None:
            return
        try:
            self._thread.run(self._stop(), timeout_s=STOP_TIMEOUT_S)
        finally:
            self._holder.close()
            self._holder = None
            if self._own_thread:
                self._thread.close()
                self._thread = None

    def __enter__(self) -> Mounted:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def switch(self, *, on: bool) -> None:
        """Set `simulator.off` and wait until the socket follows. Raises `TimeoutError`."""
        self.simulator.off = not on
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._listening.is_set() != on:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.simulator.provider}: the socket did not switch {'on' if on else 'off'}")
            time.sleep(SWITCH_LOOK_S / 2)

    # -- on the loop

    async def _start(self) -> None:
        self._stopping = False
        if not self.simulator.off:
            await self._listen()
        self._watching = asyncio.create_task(self._follow_switch())

    async def _stop(self) -> None:
        # The watcher ends by itself: cancelling it could cut the server's own shutdown in the middle.
        self._stopping = True
        if self._watching is not None:
            await self._watching
        await self._refuse()

    async def _follow_switch(self) -> None:
        while not self._stopping:
            await asyncio.sleep(SWITCH_LOOK_S)
            if self.simulator.off and self._server is not None:
                await self._refuse()
            elif not self.simulator.off and self._server is None:
                await self._listen()

    async def _listen(self) -> None:
        config = uvicorn.Config(
            self._answer,
            http=self._protocol_class(),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACEFUL_S,
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[_bound_socket(self.port)]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("the server ended before it began")
            await asyncio.sleep(0.001)
        self._listening.set()

    async def _refuse(self) -> None:
        """Close the listening socket and every open connection."""
        if self._server is None or self._serving is None:
            return
        for server in self._server.servers:
            server.close()
        for transport in list(self._transports.values()):
            transport.abort()
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None
        self._listening.clear()

    def _protocol_class(self) -> type[asyncio.Protocol]:
        transports = self._transports

        class TrackedProtocol(H11Protocol):
            """Tells the mount which transport belongs to which client, so that it can be cut."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

        return TrackedProtocol

    # -- one request

    async def _answer(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        request = _to_httpx(scope, body, self.port)
        try:
            response = self.simulator.handle(request)
        except httpx.TransportError:
            await self._cut(scope, receive)
            return
        except Exception as bug:
            log.exception("%s: the simulator failed at %s %s", self.simulator.provider, request.method, request.url)
            self.crashes.append(f"{request.method} {request.url.path}: {type(bug).__name__}: {bug}")
            response = httpx.Response(500, text="the simulator failed")
        if self.latency_s > 0:
            await asyncio.sleep(self.latency_s)
        await _send(response, send)

    async def _cut(self, scope: AsgiScope, receive: AsgiReceive) -> None:
        """Close the client's connection without a byte of an answer."""
        transport = self._transports.get(tuple(scope["client"]))
        if transport is not None:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


async def _read_body(receive: AsgiReceive) -> bytes | None:
    """The whole body; `None` when the client went away before it was complete."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _to_httpx(scope: AsgiScope, body: bytes, port: int) -> httpx.Request:
    """The request as it came: raw path, raw query, header order, body bytes."""
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    authority = next((value for name, value in headers if name.lower() == b"host"), f"{HOST}:{port}".encode())
    target = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    url = f"http://{authority.decode('ascii')}{target.decode('ascii')}"
    return httpx.Request(scope["method"], url, headers=headers, content=body)


async def _send(response: httpx.Response, send: AsgiSend) -> None:
    # The stream holds the bytes as the simulator made them; `response.content` would undo a content encoding.
    body = b"".join(cast(httpx.ByteStream, response.stream))
    headers = [
        (name.lower(), value)
        for name, value in response.headers.raw
        if name.lower() not in (b"content-length", b"transfer-encoding", b"connection")
    ]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
