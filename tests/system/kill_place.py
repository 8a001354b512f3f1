"""A shop on all four marketplaces with a courier, whose daemon is killed and started again, and the judge's word on what is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from premises import Premises, until

from sellersync.sandbox.books import open_ledger
from sellersync.sandbox.judge import Evidence, judge
from sellersync.sandbox.kit import Simulator
from sellersync.sandbox.market import World

SHOPS = {"shopee": "shopee", "tokopedia": "tokopedia", "lazada": "lazada", "toko": "woocommerce"}
COURIERS = {"biteship": "biteship"}
SHELF = {"KOPI-250": 2_000, "TEKO-01": 1_000}
JOBS = {"push_s": 0.2, "book_s": 0.2, "track_s": 0.4, "seal_s": 0.5, "listings_s": 2.0, "held_reread_s": 1.0}
CALL_DEADLINE_S = 1.0
DEATH_S_MAX = 15.0
SETTLE_S_MAX = 25.0
LOOK_S = 0.1


class KillPlace(Premises):
    """Premises with all marketplaces, short waits, and a zygote that starts their daemon quickly."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SHOPS, COURIERS, jobs=JOBS, poll_s=0.2)
        self.rng = random.Random(1)
        self._zygote: subprocess.Popen[str] | None = None
        self.pid = 0

    def __enter__(self) -> KillPlace:
        super().__enter__()
        with self.config.open("a") as config:
            config.write(f"\n[http]\nwrite_deadline_s = {CALL_DEADLINE_S}\nread_deadline_s = 5.0\n")
        script = Path(__file__).with_name("kill_zygote.py")
        self._zygote = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._heard() == {"ready": True}
        return self

    def __exit__(self, *error: Any) -> None:
        if self._zygote is not None:
            if self.pid:
                self.end(signal.SIGKILL)
            assert self._zygote.stdin is not None
            self._zygote.stdin.close()
            self._zygote.wait(DEATH_S_MAX)
            assert self._zygote.stdout is not None
            self._zygote.stdout.close()
        super().__exit__(*error)

    def _own_keys(self, slug: str, simulator: Any) -> dict[str, Any]:
        own = super()._own_keys(slug, simulator)
        own["booking_read_lag_s"] = 0
        if slug in COURIERS:
            own |= {"rate_per_s": 4.0, "burst": 1}
        if slug == "toko":
            del own["booking_read_lag_s"]
        return own

    def open_shop(self) -> None:
        """The first day, with a shelf that outlasts all tests."""
        super().open_shop()
        count = self.folder / "more.csv"
        count.write_text("sku,counted\n" + "".join(f"{sku},{number}\n" for sku, number in SHELF.items()))
        self.run("stock", "count", "--file", str(count), "--yes")

    def authorise(self, slug: str) -> None:
        """A person agrees again, and the answer of the consent is imported."""
        grant = self.shops[slug].first_grant()
        assert grant is not None
        path = self.folder / f"{slug}-again.json"
        path.write_bytes(grant)
        self.run("auth", "import", slug, str(path))

    def state_of(self, slug: str) -> str:
        return str(self.query(f"SELECT state FROM channel WHERE slug = '{slug}'")[0][0])

    # -- the daemon

    def begin(self, *, die_at: str = "") -> None:
        """Start a daemon that dies at a step, or lives."""
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert not self.pid, "the one before still lives"
        order = {"config": str(self.config), "log": str(self.log), "die_at": die_at}
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        said = self._said()
        self.pid = int(self._heard()["pid"])
        if not die_at:
            until(lambda: self._said() > said, what="the daemon runs")

    def death(self) -> int:
        """Wait until the daemon has ended and return its exit code, negative for a signal. Raises `AssertionError` when it lives on."""
        heard: list[dict[str, Any]] = []
        waiter = threading.Thread(target=lambda: heard.append(self._heard()), daemon=True)
        waiter.start()
        waiter.join(DEATH_S_MAX)
        if not heard:
            os.kill(self.pid, signal.SIGKILL)
            waiter.join()
            self.pid = 0
            raise AssertionError(f"the daemon lived on for {DEATH_S_MAX:g} s:\n{self.last_words()}")
        self.pid = 0
        return int(heard[0]["code"])

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        os.kill(self.pid, sign)
        return self.death()

    def _heard(self) -> dict[str, Any]:
        assert self._zygote is not None
        assert self._zygote.stdout is not None
        line = self._zygote.stdout.readline()
        return json.loads(line) if line else {"code": None}

    def last_words(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-30:]) if self.log.exists() else ""

    # -- the outside

    def buyers(self) -> None:
        """One paid order on every channel."""
        for slug in self.shops:
            self.buyer(slug)

    def buyer(self, slug: str) -> None:
        """One paid order."""
        self.order(slug, self.rng.choice(list(SHELF)))

    def couriers_collect(self) -> None:
        """Every arranged marketplace parcel is collected."""
        for shop in self.shops.values():
            for parcel in shop.arranged_parcels():
                shop.hand_over(parcel)

    def problems(self) -> list[str]:
        """What the judge finds wrong now: marketplaces against ledger."""
        world = World(stock=dict(SHELF))
        evidence = Evidence(channels=self.shops, couriers=self.couriers, world=world, own_sites=("toko",))
        with open_ledger(self.folder / "ledger.db") as connection:
            return judge(evidence, connection).problems

    def assert_settles(self, timeout_s: float = SETTLE_S_MAX) -> None:
        """Without buyers, a living daemon brings everything in order: no order lost or doubled, every parcel booked once, all levels
        equal, the ledger proven."""
        begin = time.monotonic()
        while problems := self.problems():
            assert time.monotonic() - begin < timeout_s, "\n".join([*problems, self.last_words()])
            time.sleep(LOOK_S)
        crashes = {slug: mount.crashes for slug, mount in self.mounts.items() if mount.crashes}
        assert not crashes


@dataclass
class Ambush:
    """Kills the daemon when a request reaches a simulator: before it is processed, or after, with its answer still unsent."""

    place: KillPlace
    simulator: Simulator
    matches: Callable[[httpx.Request], bool]
    processed: bool
    struck: int = 0

    def __enter__(self) -> Ambush:
        self._answer = self.simulator.handle
        self.simulator.handle = self._handle  # type: ignore[method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        self.simulator.handle = self._answer  # type: ignore[method-assign]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self.struck or not self.matches(request):
            return self._answer(request)
        self.struck += 1
        if self.processed:
            self._answer(request)
        os.kill(self.place.pid, signal.SIGKILL)
        raise httpx.ReadError("the client died", request=request)
