"""Fault schedules: one parcel at a time is booked while anything may go wrong at any call and the process may die at any step.

A bench is one shop with its simulators; schedules run on it one after the other, each with an order of its own. A killed process is a
world thrown away in the middle of a step and built anew on the same ledger: what it had not committed is gone, what it had sent is not.
In the end the simulator's books hold exactly one living booking for the parcel, and the ledger says the same.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
from simulation import Simulation, simulate
from sqlalchemy import text

from sellersync import app as application
from sellersync.domain.errors import BadInput, SellersyncError
from sellersync.jobs import book_couriers, cancel_booking, pull_orders, settle_claim, track_parcels
from sellersync.jobs.world import Shop, World
from sellersync.sandbox.kit import Event, Fault, FaultKind, Simulator
from sellersync.store import work
from sellersync.store.claims import waiting_claims

SKUS = {"KOPI-250": 5_000}
FAULTS_MAX = 5
ROUNDS_MAX = 120
CHAOS_ROUNDS = 12
PULLS_SHARE = 0.1
"""Of the pulls between, so many are struck, too; the others leave the faults to the bookings."""
WAITS_S = (3.0, 20.0, 75.0, 200.0)
TOKEN_KILLERS = ("expire_tokens", "expire_access_tokens", "kill_access_tokens")
STUBBORN_SHARE = 0.03
STUBBORN_MAX = 12
BOOKING_CALLS = ("/confirm", "/request_pickup", "/rts", "/ship_order", "/ship")
"""How the paths of the calls end that book, over all providers."""
DEAD_STATUSES = ("cancelled", "rejected", "courier_not_found", "300")


class Killed(BaseException):
    """The process is gone in this very moment: nothing of it runs any more, not even what it would write about its end."""


@dataclass
class Figures:
    """What happened over all schedules."""

    schedules: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    bookings: int = 0
    cancellations: int = 0
    look_ups: int = 0
    persons: int = 0
    consents: int = 0

    def add(self, other: Figures) -> None:
        self.faults.update(other.faults)
        for name in ("schedules", "bookings", "cancellations", "look_ups", "persons", "consents"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def line(self, name: str) -> str:
        kills = sum(count for kind, count in self.faults.items() if kind.startswith("kill"))
        return (
            f"{name}: {self.schedules} schedules, {self.faults.total()} faults ({kills} of them kills), {self.bookings} bookings, "
            f"{self.cancellations} cancellations, {self.look_ups} look-ups, {self.persons} persons needed, {self.consents} consents"
        )


class Chaos:
    """Decides what goes wrong, and keeps count. One seed replays one schedule.

    In a `stubborn` one every booking call is lost on its way, again and again, until the product stops trying: a person decides.
    """

    def __init__(self, seed: object, figures: Figures) -> None:
        self.rng = Random(f"chaos-{seed}")
        self.on = False
        self.left = self.rng.randint(1, FAULTS_MAX)
        self.share = self.rng.choice((0.15, 0.35, 0.7))
        self.stubborn = Random(f"stubborn-{seed}").random() < STUBBORN_SHARE
        self.lost = 0
        self.happened: list[str] = []
        self._figures = figures

    def loses(self, request: httpx.Request) -> bool:
        """Is this booking call lost before anybody processes it?"""
        booking = request.method != "GET" and request.url.path.endswith(BOOKING_CALLS)
        if not (self.on and self.stubborn and booking and self.lost < STUBBORN_MAX):
            return False
        self.lost += 1
        self.happened.append(f"lost {request.method} {request.url.path}")
        self._figures.faults["lost"] += 1
        return True

    def strike(self, what: str, kinds: Sequence[str], share: float) -> str:
        """The fault that strikes here, or ""."""
        if not self.on or self.left <= 0 or self.rng.random() >= share:
            return ""
        kind = self.rng.choice(kinds)
        self.left -= 1
        self.happened.append(f"{kind} at {what}")
        self._figures.faults[kind] += 1
        return kind


CALL_FAULTS = (*(kind.value for kind in FaultKind), "refused", "token_dead", "kill_before", "kill_after", "kill_after")
STEP_FAULTS = ("kill_step_before", "kill_step_in", "kill_step_done")


class Life:
    """One process: an app on the ledger, until it is killed."""

    def __init__(self, bench: Bench, number: int) -> None:
        self.dead = False
        self.bench = bench
        transports = {slug: httpx.MockTransport(self._mount(slug, sim)) for slug, sim in bench.simulators.items()}
        owner = f"life-{bench.figures.schedules}-{number}"
        self.app = application.build(
            bench.s.app.settings,
            clock=bench.s.clock,
            rng=Random(owner),
            transports=transports,
            owner=owner,
            inline=True,
        )
        ledger = self.app.ledger
        ledger.write_now(lambda session: work.free_leases_of(session, "life-"))
        self._write, self._read = ledger.write, ledger.read
        ledger.write, ledger.read = self.write, self.read  # type: ignore[method-assign]

    @property
    def world(self) -> World:
        return self.app.world

    async def end(self) -> None:
        self.dead = True
        await self.app.close()

    def die(self) -> None:
        self.dead = True
        raise Killed

    # -- where it may be killed

    async def write(self, fn: Callable[[Any], Any], *, name: str = "write") -> Any:
        if self.dead:
            raise Killed
        kind = self.bench.chaos.strike(name, STEP_FAULTS, self.bench.chaos.share / 6)
        if kind == "kill_step_before":
            self.die()
        if kind == "kill_step_in":

            def cut(session: Any) -> None:
                fn(session)
                self.die()

            return await self._write(cut, name=name)
        value = await self._write(fn, name=name)
        if kind == "kill_step_done":
            self.die()
        return value

    async def read(self, fn: Callable[[Any], Any]) -> Any:
        if self.dead:
            raise Killed
        return await self._read(fn)

    def _mount(self, slug: str, sim: Simulator) -> Callable[[httpx.Request], httpx.Response]:
        def handle(request: httpx.Request) -> httpx.Response:
            if self.dead:
                raise Killed
            if self.bench.chaos.loses(request):
                sim.faults.append(Fault(FaultKind.DROP_BEFORE))
                return sim.transport_handler(request)
            kind = self.bench.chaos.strike(f"{request.method} {request.url.path}", CALL_FAULTS, self.bench.chaos.share)
            if kind == "refused":
                raise httpx.ConnectError("connection refused", request=request)
            if kind == "token_dead":
                for name in TOKEN_KILLERS:
                    getattr(sim, name, lambda: None)()
            elif kind == "kill_before":
                self.die()
            elif kind and not kind.startswith("kill"):
                sim.faults.append(Fault(FaultKind(kind)))
            response = sim.transport_handler(request)
            if kind == "kill_after":
                self.die()
            return response

        return handle


@dataclass
class Bench:
    """A shop with one channel, and a courier where it is an own site."""

    s: Simulation
    provider: str
    simulators: dict[str, Simulator]
    database: sqlite3.Connection
    booker: Any
    """The simulator in whose books the parcels stand."""
    figures: Figures = field(default_factory=Figures)
    chaos: Chaos = field(init=False)
    life: Life = field(init=False)
    lives: int = 0

    @property
    def own_site(self) -> bool:
        return self.booker is not self.s.sims[self.provider]

    def shop(self) -> Shop:
        return self.life.world.shop(self.provider)

    async def reborn(self) -> None:
        if self.lives:
            await self.life.end()
        self.lives += 1
        self.life = Life(self, self.lives)

    # -- one schedule

    async def run(self, seed: object) -> None:
        """Raises `AssertionError` with all that happened when the books disagree."""
        self.chaos = Chaos(seed, self.figures)
        rng = self.chaos.rng
        self.figures.schedules += 1
        if not self.lives or rng.random() < 0.1:
            await self.reborn()
        policy = self.life.world.policy
        self.life.world.policy = replace(policy, quote_cache_s=0.0 if rng.random() < 0.5 else 3_600.0)
        order_id = self.s.order(self.provider, {"KOPI-250": rng.randint(1, 2)}, cod=rng.random() < 0.3)
        assert order_id is not None
        await self.s.clock.sleep(130.0)  # longer than any list takes to show it
        self.chaos.on = True
        await self._until(lambda: bool(self._parcel_rows(order_id)) or self._ready(order_id), order_id, first_pull=True)
        self.chaos.on = True
        await self._until(lambda: self._booked(order_id), order_id)
        if self.own_site and rng.random() < 0.25:
            await self._cancel(order_id, rebook=rng.random() < 0.5)
        self.chaos.on = False
        self._judge(order_id)
        # Delivered: nothing looks at it any more, and the next schedule is as quick as this one.
        self.s.app.ledger.write_now(
            lambda session: session.execute(text("UPDATE parcel SET state = 'delivered' WHERE state = 'booked'"))
        )

    async def _until(self, over: Callable[[], bool], order_id: str, *, first_pull: bool = False) -> None:
        rng = self.chaos.rng
        for number in range(ROUNDS_MAX):
            if number >= CHAOS_ROUNDS:
                self.chaos.on = False
            try:
                await self._round(pull=first_pull or rng.random() < 0.2, book=not first_pull)
            except Killed:
                await self.reborn()
            if over():
                return
            await self._person()
            await self.s.clock.sleep(rng.choice(WAITS_S) if rng.random() < 0.3 else self._idle_s())
        raise AssertionError(f"not settled after {ROUNDS_MAX} rounds\n{self._told(order_id)}")

    def _idle_s(self) -> float:
        """How long nothing can happen: a claim is not looked at before its time, and a channel that backs off is let alone."""
        [row] = self.rows(
            "SELECT (SELECT MIN(not_before_settle_ms) FROM claim WHERE state IN ('open', 'dead') "
            "AND not_before_settle_ms > :now) AS claim, (SELECT MAX(paused_until_ms) FROM channel) AS channel",
            now=self.s.app.ledger.now_ms(),
        )
        until_ms = max(row.claim or 0, row.channel or 0)
        return max((until_ms - self.s.app.ledger.now_ms()) / 1000, 0.0) + 3.0

    async def _round(self, *, pull: bool, book: bool) -> None:
        world, shop = self.life.world, self.shop()
        if pull:
            on, self.chaos.on = self.chaos.on, self.chaos.on and self.chaos.rng.random() < PULLS_SHARE
            await pull_orders.run(world, shop)
            self.chaos.on = on
        if book:
            run = await book_couriers.run(world, shop)
            self.figures.look_ups += run.counts.get("looked_up", 0) if run is not None else 0
        if self.chaos.rng.random() < 0.1:
            await track_parcels.run(world, shop)

    async def _cancel(self, order_id: str, *, rebook: bool) -> None:
        """Staff cancel the courier while things go wrong, wait for the outcome, and look."""
        self.figures.cancellations += 1
        self.chaos.left = max(self.chaos.left, self.chaos.rng.randint(0, FAULTS_MAX))
        for _ in range(20):  # a waybill may be needed first
            await self.s.clock.sleep(30)
            try:
                await track_parcels.run(self.life.world, self.shop())
            except Killed:
                await self.reborn()
            if self._live(order_id)[0].waybill:
                break
        parcel_id = self._live(order_id)[0].id
        asked = False
        for _ in range(20):
            try:
                answer = await cancel_booking.cancel(
                    self.life.world, self.shop(), parcel_id, reason="change_courier", rebook=rebook, wait_s=5
                )
                asked = True
                if answer.state != "refused":
                    break
            except Killed:
                await self.reborn()
            except BadInput:  # it was cancelled before the process died
                break
            except SellersyncError:
                pass
            await self.s.clock.sleep(30)
            if asked:
                break
        await self._until(lambda: self._cancelled(order_id, parcel_id, rebook=rebook), order_id)

    def _cancelled(self, order_id: str, parcel_id: int, *, rebook: bool) -> bool:
        [row] = self.rows("SELECT cancel, rebook FROM parcel WHERE id = :p", p=parcel_id)
        if row.cancel in ("", "refused"):
            return True
        return bool(row.cancel == "done" and (self._booked(order_id) if rebook else not self._live(order_id)))

    async def _person(self) -> None:
        """Staff do what the report asks of them: agree again, and look for a booking that no machine could find out."""
        on, self.chaos.on = self.chaos.on, False
        for row in self.rows("SELECT slug FROM channel WHERE state = 'needs_authorisation'"):
            grant = self.simulators[row.slug].first_grant()
            if grant is not None:
                self.figures.consents += 1
                await self.life.app.keepers[row.slug].keep_consent(grant)
        if not self.rows("SELECT 1 AS one FROM claim WHERE state = 'person'"):
            self.chaos.on = on
            return
        for claim in self.s.app.ledger.read_now(waiting_claims):
            if claim.state != "person":
                continue
            self.figures.persons += 1
            found = self._found(claim.order, claim.reference)
            if found is None:
                await settle_claim.not_booked(self.life.world, claim, who="Sari")
            else:
                await settle_claim.booked(self.life.world, claim, found, who="Sari")
        self.chaos.on = on

    def _found(self, order_id: str, reference: str) -> str | None:
        """What a person finds in the provider's own pages: the courier's booking id, a marketplace's waybill."""
        if not self.own_site:
            arranged = self._arranged([order_id])
            return arranged[0] if arranged else None
        return next((one for one, shown in self.booker.bookings().items() if shown["reference"] == reference), None)

    # -- the ledger, with nothing of ours between

    def rows(self, sql: str, **values: Any) -> list[Any]:
        cursor = self.database.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]

    def _ready(self, order_id: str) -> bool:
        rows = self.rows("SELECT state FROM sales_order WHERE remote_id = :o", o=order_id)
        return bool(rows) and rows[0].state in ("ready", "booked")

    def _parcel_rows(self, order_id: str) -> list[Any]:
        return self.rows(
            "SELECT parcel.* FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE sales_order.remote_id = :o ORDER BY parcel.id",
            o=order_id,
        )

    def _live(self, order_id: str) -> list[Any]:
        return [row for row in self._parcel_rows(order_id) if row.state not in ("cancelled", "failed")]

    def _claims(self, order_id: str) -> list[Any]:
        return self.rows(
            "SELECT claim.* FROM claim JOIN parcel ON parcel.id = claim.parcel_id "
            "JOIN sales_order ON sales_order.id = parcel.order_id WHERE sales_order.remote_id = :o ORDER BY claim.id",
            o=order_id,
        )

    def _booked(self, order_id: str) -> bool:
        live = self._live(order_id)
        return (
            bool(live)
            and all(row.state == "booked" for row in live)
            and not any(claim.state in ("open", "person") for claim in self._claims(order_id))
        )

    # -- the judgement

    def _arranged(self, names: Sequence[str]) -> list[str]:
        """Parcel ids that the simulator arranged for these orders (references) and that are not cancelled."""
        alive: list[str] = []
        for entry in self.booker.journal.entries(Event.PARCEL_ARRANGED, Event.PARCEL_CANCELLED):
            if entry.data["order_id"] in names:
                if entry.event is Event.PARCEL_ARRANGED:
                    alive.append(entry.data["parcel_id"])
                else:
                    alive.remove(entry.data["parcel_id"])
        return alive

    def _judge(self, order_id: str) -> None:
        claims, live = self._claims(order_id), self._live(order_id)
        told = self._told(order_id)
        assert not [claim for claim in claims if claim.state in ("open", "person")], told
        names = [claim.reference for claim in claims] if self.own_site else [order_id]
        alive = self._arranged(names)
        wanted_none = any(row.cancel == "done" and not row.rebook for row in self._parcel_rows(order_id))
        assert len(alive) == (0 if wanted_none else 1), f"{alive}\n{told}"
        assert len(live) == len(alive), told
        self.figures.bookings += len(alive)
        for row in live:
            assert row.state == "booked", told
            assert row.remote_id == alive[0] or not self.own_site, told
            units = self.rows("SELECT COUNT(*) AS units FROM parcel_unit WHERE live AND parcel_id = :p", p=row.id)[
                0
            ].units
            ordered = self.rows("SELECT SUM(quantity) AS units FROM order_line JOIN sales_order ON sales_order.id = order_id "
                                   "WHERE remote_id = :o", o=order_id)[0].units  # fmt: skip
            assert units == ordered, told
            if row.waybill:
                waybills = {entry.data["waybill"] for entry in self.booker.journal.entries(Event.WAYBILL_ISSUED)
                            if entry.data["parcel_id"] == alive[0]}  # fmt: skip
                assert row.waybill in waybills, told

    def _told(self, order_id: str) -> str:
        claims = [(c.attempt, c.state, c.step, c.sends, c.looks, c.reference, c.detail) for c in self._claims(order_id)]
        rows = [(p.number, p.state, p.cancel, p.remote_id, p.waybill) for p in self._parcel_rows(order_id)]
        channels = [(row.slug, row.state, row.trouble) for row in self.rows("SELECT slug, state, trouble FROM channel")]
        happened = "\n  ".join(self.chaos.happened)
        return f"order {order_id}\nfaults:\n  {happened}\nclaims: {claims}\nparcels: {rows}\nchannels: {channels}"


async def run_schedules(
    folder: Path, provider: str, courier: str | None, seeds: Sequence[object], *, switches: Mapping[str, Any]
) -> Figures:
    """A fresh bench, and one schedule a seed on it."""
    booking = courier or provider
    lag_s = float(switches.get("_lag_s", 0.0))
    turned = {name: value for name, value in switches.items() if not name.startswith("_")}
    async with simulate(
        folder,
        seed=sum(map(ord, str(seeds[0]))),
        marketplaces=(provider,),
        courier=courier is not None,
        courier_providers=(courier,) if courier else (),
        switches={booking: turned},
    ) as s:
        await s.start_shops(SKUS)
        simulators: dict[str, Simulator] = {**s.sims}
        if courier is not None:
            assert s.courier is not None
            simulators[courier] = s.courier
            s.courier.booking_read_lag_s = lag_s  # type: ignore[attr-defined]
            if hasattr(s.courier, "cancel_delay_s"):
                s.courier.cancel_delay_s = 400.0
        database = sqlite3.connect(f"file:{folder / 'ledger.db'}?mode=ro", uri=True, isolation_level=None)
        bench = Bench(s, provider, simulators, database, simulators[booking])
        for seed in seeds:
            try:
                await bench.run(seed)
            except AssertionError as failure:
                raise AssertionError(
                    f"{provider} {courier or ''} seed {seed!r} switches {switches}: {failure}"
                ) from failure
        await bench.life.end()
        database.close()
        return bench.figures
