"""A shop grants its own keys: the page is agreed to, the keys come through a public address, and land in the credential files."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest

from sellersync.cli import main
from sellersync.cli.catch import BODY_BYTES_MAX, KeyCatcher
from sellersync.domain.errors import BadInput
from sellersync.sandbox.mount import Mounted
from sellersync_woocommerce.sandbox import WooCommerceSandbox

CALLBACK = "https://keys.example.com/sellersync"
TIMEOUT_S = 60
CONFIG = """
secrets_dir = "credentials"
[shop]
name = "Toko Uji"
[ledger]
url = "sqlite:///ledger.db"
state_dir = "state"
[sender]
name = "Sari"
phone = "081234567890"
address = "Jalan Braga 12"
postal_code = "40111"
[channels.toko]
provider = "woocommerce"
remote_shop_id = "{base_url}"
base_url = "{base_url}"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Tunnel:
    """The public address: what comes to CALLBACK goes to the port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[bytes] = []

    def post(self, address: str, headers: dict[str, str], body: bytes) -> int:
        assert address == CALLBACK
        self.seen.append(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/sellersync", body, headers)
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture
def shop() -> Iterator[tuple[WooCommerceSandbox, str]]:
    simulator = WooCommerceSandbox(clock=time.time, rng=Random(1))
    with Mounted(simulator) as mount:
        simulator.home = mount.base_url
        yield simulator, mount.base_url


def configured(folder: Path, base_url: str) -> Path:
    (folder / "credentials").mkdir()
    path = folder / "sellersync.toml"
    path.write_text(CONFIG.format(base_url=base_url))
    return path


class Login:
    """`auth login` as a process of its own, waiting for the keys."""

    def __init__(self, config: Path, port: int) -> None:
        command = [sys.executable, "-m", "sellersync", "--config", str(config), "auth", "login", "toko"]
        command += ["--callback", CALLBACK, "--catch", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said = ""
        self.page = ""
        for line in self.process.stderr:
            self.said += line
            if "/wc-auth/" in line:
                self.page = line.strip()
            if "Waiting" in line:
                return
        raise AssertionError(self.said)

    def end(self) -> tuple[int, str]:
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        self.said += out + err
        return self.process.returncode, self.said


def test_the_shop_s_own_keys_come_into_the_credential_files(
    tmp_path: Path, shop: tuple[WooCommerceSandbox, str]
) -> None:
    simulator, base_url = shop
    config, tunnel = configured(tmp_path, base_url), Tunnel(free_port())
    login = Login(config, tunnel.port)
    query = {name: values[0] for name, values in parse_qs(urlsplit(login.page).query).items()}
    assert (query["scope"], query["callback_url"]) == ("read_write", CALLBACK)
    with pytest.raises(ValueError, match="unable to send"):  # somebody else's login, through the same public address
        simulator.grants.agree(login.page.replace(query["user_id"], "another"), tunnel.post)
    with pytest.raises(ValueError, match="unable to send"):
        simulator.grants.agree(login.page.replace("scope=read_write", "scope=read"), tunnel.post)
    assert len(simulator.doorman.keys) == 1, "what was refused, the shop takes back"
    assert not list((tmp_path / "credentials").glob("toko.*"))
    back = simulator.grants.agree(login.page, tunnel.post)
    assert back.startswith(f"{base_url}/wp-admin/")
    granted = simulator.doorman.keys[-1]
    code, said = login.end()
    files = {path.name: path for path in (tmp_path / "credentials").glob("toko.*")}
    assert {name: path.read_text() for name, path in files.items()} == {
        "toko.consumer_key": granted.consumer_key, "toko.consumer_secret": granted.consumer_secret,
    }  # fmt: skip
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files.values())
    assert code == 0, said
    assert "toko has its keys. Next: sellersync init" in said
    assert "answers another login" in said
    assert "may not read and write" in said
    for secret in (granted.consumer_key, granted.consumer_secret):
        assert secret not in said
    assert main(["--config", str(config), "init"]) == 0
    simulator.doorman.keys.remove(granted)  # the owner revokes it, and grants another one
    login = Login(config, tunnel.port)
    simulator.grants.agree(login.page, tunnel.post)
    code, said = login.end()
    assert (code, "Authorised: Toko Contoh" in said) == (0, True), said


def test_what_cannot_be_kept_is_never_acknowledged() -> None:
    def keep(body: bytes) -> str:
        if body != b"ours":
            raise BadInput("no room")
        return "kept"

    port, statuses = free_port(), []

    def internet() -> None:
        for method, body in (
            ("GET", b""),
            ("POST", b"theirs"),
            ("POST", b"x" * (BODY_BYTES_MAX + 1)),
            ("POST", b"ours"),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request(method, "/?success=1", body)
                statuses.append(connection.getresponse().status)
            except (BrokenPipeError, ConnectionResetError):
                statuses.append(400)  # refused before the whole of it was read
            connection.close()

    with KeyCatcher(port, keep) as catcher:
        caller = threading.Thread(target=internet)
        caller.start()
        assert catcher.wait(10) == "kept"
        caller.join()
    assert statuses == [400, 400, 400, 200]
    assert catcher.refusals == ["no room"]


def test_nobody_agreed() -> None:
    with KeyCatcher(free_port(), lambda body: body) as catcher, pytest.raises(BadInput, match=r"within 0\.2 s"):
        catcher.wait(0.2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--callback", CALLBACK], "--catch PORT"),
        (["--callback", "http://keys.example.com/", "--catch", "8787"], "https address"),
        (["--callback", "https://keys.example.com/%2e", "--catch", "8787"], "https address"),
        (["--callback", CALLBACK, "--catch", "8787"], "can be written"),
    ],
)
def test_nothing_is_asked_for_that_could_not_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    path = tmp_path / "sellersync.toml"
    path.write_text(CONFIG.format(base_url="http://127.0.0.1:1"))
    assert main(["--config", str(path), "auth", "login", "toko", *options]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert "wc-auth" not in told.err + told.out


def test_without_a_folder_for_secrets_the_files_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "sellersync.toml"
    path.write_text(CONFIG.format(base_url="http://127.0.0.1:1").replace('secrets_dir = "credentials"', ""))
    words = ["--config", str(path), "auth", "login"]
    assert main([*words, "toko", "--callback", CALLBACK, "--catch", "8787"]) == 2
    assert "toko.FIELD" in capsys.readouterr().err
    assert main([*words, "nowhere", "--callback", CALLBACK, "--catch", "8787"]) == 2
    assert "there are: toko" in capsys.readouterr().err
    path.write_text(path.read_text().replace('"woocommerce"', '"shopee"'))
    assert main([*words, "toko", "--callback", CALLBACK, "--catch", "8787"]) == 2
    assert "grants no keys" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["sellersync.toml"]
