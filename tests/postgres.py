"""A real PostgreSQL server for the tests: started from the binaries on this machine, on a socket of its own, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_S_MAX = 30.0


def binaries() -> Path | None:
    """The newest directory with `initdb` and `postgres`, or `None`."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0,
    )
    candidates = [path for path in found if (path / "initdb").exists()]
    if candidates:
        return candidates[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Server:
    """One server for a test session; `new_url` makes a database."""

    def __init__(self, bin_dir: Path) -> None:
        self._bin = bin_dir
        self._user = self._run_as()
        self._home = Path(tempfile.mkdtemp(prefix="pg-"))
        os.chmod(self._home, 0o755)
        self._data = self._home / "data"
        self._data.mkdir()
        if self._user is not None:
            record = pwd.getpwnam(self._user)
            for path in (self._home, self._data):
                os.chown(path, record.pw_uid, record.pw_gid)
        self._port = _free_port()
        self._databases = 0
        self._call(
            "initdb", "-D", str(self._data), "-U", "tester", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"
        )
        options = [
            "-c",
            f"port={self._port}",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self._home}",
        ]
        fast = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self._data), *options, *fast],
                user=self._user,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
            )
        self._wait()

    def new_url(self) -> str:
        """The URL of a fresh, empty database."""
        self._databases += 1
        name = f"t{self._databases}"
        self._call("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "tester", name)
        return f"postgresql+psycopg://tester@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed any more
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def _run_as(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                pwd.getpwnam(name)
            except KeyError:
                continue
            return name
        raise RuntimeError("running as root without a user to run PostgreSQL as")

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    def _wait(self) -> None:
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until:
            ready = subprocess.run(
                [str(self._bin / "pg_isready"), "-h", "127.0.0.1", "-p", str(self._port)],
                capture_output=True,
                check=False,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start: {(self._home / 'log').read_text()[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
