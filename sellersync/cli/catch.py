"""Catches the answer of a provider's page on a loopback port, one answer, then the port is closed: the browser that comes back from a
consent page, or the keys that a key page sends."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from sellersync.clock import SystemClock
from sellersync.domain.errors import BadInput

T = TypeVar("T")

CATCH_S_MAX = 300
REQUEST_S_MAX = 5.0
BODY_BYTES_MAX = 64 * 1024
THANKS = "Thank you. You may close this page and go back to the terminal."
NOT_OURS = "This is not the answer to the login that is waiting. Nothing was taken."


class _Listener(Generic[T]):
    """Listens on 127.0.0.1 while it is open, until a request brought what is waited for."""

    waited_for = "nobody came"

    def __init__(self, port: int) -> None:
        self._caught: T | None = None
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_S_MAX

            def do_GET(self) -> None:
                self._answer(*listener.on_get(self.path))

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
                    self._answer(400, NOT_OURS)
                else:
                    self._answer(*listener.on_post(self.rfile.read(int(length))))

            def _answer(self, code: int, words: str) -> None:
                body = words.encode()
                self.send_response(code)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """The address may hold a code: it is never printed."""

        try:
            self._server = HTTPServer(("127.0.0.1", port), Handler)
        except OSError as failure:
            raise BadInput(f"port {port} cannot be used ({failure.strerror}); name another one with --catch") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.server_close()

    def on_get(self, path: str) -> tuple[int, str]:
        """HTTP status and words for the browser."""
        return 400, NOT_OURS

    def on_post(self, body: bytes) -> tuple[int, str]:
        return 400, NOT_OURS

    def wait(self, timeout_s: float = CATCH_S_MAX) -> T:
        """What was caught. Raises `BadInput` when nobody came in time."""
        clock = SystemClock()
        deadline = clock.monotonic() + timeout_s
        while self._caught is None:
            left_s = deadline - clock.monotonic()
            if left_s <= 0:
                raise BadInput(self.waited_for.format(timeout_s=timeout_s))
            self._server.timeout = min(left_s, 1.0)
            self._server.handle_request()
        return self._caught


class Catcher(_Listener[dict[str, str]]):
    """Takes the parameters of the address with the `state` of this login: any page in the browser can send it somewhere, and a code of
    somebody else's shop must not get in."""

    waited_for = (
        "the browser did not come back within {timeout_s:g} s with this login's state; begin again, "
        "or without --catch paste the address yourself"
    )

    def __init__(self, port: int, challenge: str) -> None:
        self._challenge = challenge
        super().__init__(port)

    def on_get(self, path: str) -> tuple[int, str]:
        parameters = dict(parse_qsl(urlsplit(path).query))
        if parameters.get("state") != self._challenge:
            return 400, NOT_OURS
        self._caught = parameters
        return 200, THANKS


class KeyCatcher(_Listener[T]):
    """Takes the body that `keep` accepts. The provider is told 200 once `keep` has returned, and never before: what is refused or could
    not be kept, it takes back. `keep` raises `BadInput` for either."""

    waited_for = (
        "no keys came within {timeout_s:g} s; was the page agreed to, and does the public address lead to this port?"
    )

    def __init__(self, port: int, keep: Callable[[bytes], T]) -> None:
        self._keep = keep
        self.refusals: list[str] = []
        super().__init__(port)

    def on_post(self, body: bytes) -> tuple[int, str]:
        try:
            self._caught = self._keep(body)
        except BadInput as refused:
            self.refusals.append(str(refused))
            return 400, NOT_OURS
        return 200, THANKS
