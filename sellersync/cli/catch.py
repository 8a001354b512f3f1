"""Catches the browser after the consent page: one answer on a loopback port, then the port is closed."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from sellersync.clock import SystemClock
from sellersync.domain.errors import BadInput

CATCH_S_MAX = 300
REQUEST_S_MAX = 5.0
ANSWERS = {
    True: (200, "Thank you. You may close this page and go back to the terminal."),
    False: (400, "This is not the answer to the login that is waiting. Nothing was taken."),
}


class Catcher:
    """Listens on 127.0.0.1 while it is open. Only an address with the `state` of this login is taken: any page in the browser can
    send it somewhere, and a code of somebody else's shop must not get in."""

    def __init__(self, port: int, challenge: str) -> None:
        self._challenge = challenge
        self._caught: dict[str, str] = {}
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_S_MAX

            def do_GET(self) -> None:
                code, words = ANSWERS[catcher.take(self.path)]
                body = words.encode()
                self.send_response(code)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """The address holds the code: it is never printed."""

        try:
            self._server = HTTPServer(("127.0.0.1", port), Handler)
        except OSError as failure:
            raise BadInput(f"port {port} cannot be used ({failure.strerror}); name another one with --catch") from None

    def __enter__(self) -> Catcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.server_close()

    def take(self, path: str) -> bool:
        """Keep the parameters of an address that answers this login; `False` for any other."""
        parameters = dict(parse_qsl(urlsplit(path).query))
        if parameters.get("state") != self._challenge:
            return False
        self._caught = parameters
        return True

    def wait(self, timeout_s: float = CATCH_S_MAX) -> dict[str, str]:
        """The parameters that the consent page sent back. Raises `BadInput` when nobody came in time."""
        clock = SystemClock()
        deadline = clock.monotonic() + timeout_s
        while not self._caught:
            left_s = deadline - clock.monotonic()
            if left_s <= 0:
                raise BadInput(
                    f"the browser did not come back within {timeout_s:g} s with this login's state; begin again, "
                    "or without --catch paste the address yourself"
                )
            self._server.timeout = min(left_s, 1.0)
            self._server.handle_request()
        return self._caught
