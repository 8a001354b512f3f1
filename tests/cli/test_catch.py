"""The browser that comes back from the consent page is caught on a loopback port."""

from __future__ import annotations

import http.client
import socket
import threading

import pytest

from sellersync.cli.catch import Catcher
from sellersync.domain.errors import BadInput


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_only_the_answer_to_this_login_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    port, statuses = free_port(), []
    paths = (
        "/favicon.ico",
        "/sellersync?code=theirs",
        "/sellersync?code=theirs&state=other",
        "/sellersync?code=ours&state=s3&shop_id=7",
    )

    def browse() -> None:
        statuses.extend(get(port, path) for path in paths)

    with Catcher(port, "s3") as catcher:
        browser = threading.Thread(target=browse)
        browser.start()
        assert catcher.wait(10) == {"code": "ours", "state": "s3", "shop_id": "7"}
        browser.join()
    assert statuses == [400, 400, 400, 200]
    said = capfd.readouterr()
    assert "code" not in said.out + said.err
    with pytest.raises(OSError):
        get(port, "/")  # the port is closed again


def test_nobody_came() -> None:
    with Catcher(free_port(), "s3") as catcher, pytest.raises(BadInput, match=r"within 0\.2 s"):
        catcher.wait(0.2)


def test_a_port_in_use() -> None:
    port = free_port()
    with Catcher(port, "a"), pytest.raises(BadInput, match="cannot be used"):
        Catcher(port, "b")
