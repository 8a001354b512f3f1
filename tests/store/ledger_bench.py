"""A ledger to test on: warehouses, channels, SKUs and orders in a few words, and a clock that moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.levels import PushPlan, PushPolicy, plan_pushes
from sellersync.domain.listings import Effect, LevelAnswer, PushOutcome, RemoteListing, TargetKey
from sellersync.domain.orders import Excluded, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.stock import CountResult
from sellersync.domain.times import to_epoch_ms
from sellersync.store import listings, pushes, schema, stock, work
from sellersync.store.engine import open_writer
from sellersync.store.ledger import Ledger
from sellersync.store.orders import ChannelRules, Recorded, record_orders
from sellersync.store.seals import verify
from sellersync.store.target_facts import target_facts
from sellersync.store.vault import Vault

T = TypeVar("T")
START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
VAULT_KEY = "5a" * 32
ALL_EFFECTS = frozenset(Effect)


class HandClock:
    """`domain.times.Clock` that stands still until a test moves it; sleeping moves it too."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, *, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0) -> datetime:
        self._seconds += seconds + 60 * minutes + 3600 * hours
        self._now += timedelta(seconds=seconds, minutes=minutes, hours=hours)
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds=seconds)
        await asyncio.sleep(0)


def open_ledger(url: str, clock: Any = None, *, busy_timeout_s: float | None = None) -> Ledger:
    return Ledger(url, clock=clock or HandClock(), vault=Vault.from_hex(VAULT_KEY), busy_timeout_s=busy_timeout_s)


# ---------------------------------------------------------------------------------------------------------------------------- orders


def units(count: int, stage: UnitStage = UnitStage.OPEN, excluded: Excluded = Excluded.YES) -> Unit:
    """`count` units that are only counted."""
    return Unit(stage, count, "", excluded)


def unit(key: str, stage: UnitStage = UnitStage.OPEN) -> Unit:
    """One unit with the provider's own id."""
    return Unit(stage, 1, key, Excluded.YES)


def line(listing: str, *what: Unit | int, key: str = "", **more: Any) -> OrderLine:
    """A line of a listing: units, or a number of open ones."""
    made = tuple(units(one) if isinstance(one, int) else one for one in what)
    return OrderLine(key=key or f"line-{listing}", listing=listing, units=made, **more)


def order(
    remote_id: str,
    *lines: OrderLine,
    at: datetime = START,
    state: OrderState = OrderState.READY,
    created_at: datetime | None = None,
    **more: Any,
) -> Order:
    """A version of an order that the provider changed at `at`; placed then too unless told otherwise."""
    return Order(
        remote_id=remote_id,
        state=state,
        remote_status=state.value.upper(),
        created_at=created_at or at,
        updated_at=at,
        lines=lines,
        **more,
    )


def parcel(remote_id: str, order_id: str, state: ParcelState, *contents: tuple[str, int], **more: Any) -> RemoteParcel:
    """A package of the marketplace with counted units of these line keys."""
    return RemoteParcel(
        remote_id=remote_id, order_ids=(order_id,), state=state, remote_status=state.value, units=contents, **more
    )


# ----------------------------------------------------------------------------------------------------------------------------- bench


@dataclass
class Bench:
    """A ledger under test. Every write is one transaction through the ledger's own seam."""

    ledger: Ledger
    clock: HandClock
    warehouse: int
    channels: dict[str, int]
    skus: dict[str, int] = field(default_factory=dict)
    certain: frozenset[Effect] = ALL_EFFECTS
    locations: dict[str, int] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, url: str) -> Iterator[Bench]:
        clock = HandClock()
        ledger = open_ledger(url, clock)
        try:
            schema.begin_ledger(ledger, "install")
            warehouse = ledger.write_now(lambda session: work.ensure_warehouse(session, "main", "Gudang"))
            bench = cls(ledger, clock, warehouse, {})
            for slug in ("shopee", "lazada"):
                bench.add_channel(slug)
            yield bench
        finally:
            ledger.close()

    def add_channel(self, slug: str, *, kind: str = "channel") -> int:
        self.channels[slug] = self.write(
            lambda session: work.ensure_channel(
                session,
                provider=slug,
                remote_shop_id=f"shop-{slug}",
                slug=slug,
                kind=kind,
                warehouse_id=self.warehouse if kind == "channel" else None,
                now_ms=self.now_ms(),
            )
        )
        return self.channels[slug]

    def now_ms(self) -> int:
        return self.ledger.now_ms()

    def write(self, fn: Callable[[Session], T]) -> T:
        return self.ledger.write_now(fn)

    def read(self, fn: Callable[[Session], T]) -> T:
        return self.ledger.read_now(fn)

    def query(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.read(lambda session: [tuple(row) for row in session.execute(text(sql), values)])

    def value(self, sql: str, **values: Any) -> Any:
        rows = self.query(sql, **values)
        assert len(rows) == 1, rows
        return rows[0][0]

    def execute(self, sql: str, **values: Any) -> None:
        """A statement past the product's own code: what a person with an SQL prompt can do."""
        engine = open_writer(self.ledger.url)
        try:
            with engine.begin() as connection:
                connection.execute(text(sql), values)
        finally:
            engine.dispose()

    # ------------------------------------------------------------------------------------------------------------------ catalogue

    def sku(self, code: str) -> int:
        if code not in self.skus:
            self.skus[code] = self.write(lambda session: stock.ensure_sku(session, code, now_ms=self.now_ms()))
        return self.skus[code]

    def listing(
        self, key: str, recipe: Mapping[str, int] | None = None, *, channel: str = "shopee", **more: Any
    ) -> None:
        """A listing with its own number; `recipe` is SKU code -> units, `None` leaves it unmapped."""
        targets = more.pop("targets", (TargetKey(key),))
        listing = RemoteListing(key=key, seller_sku="", title=f"Barang {key}", targets=targets, **more)
        channel_id = self.channels[channel]
        self.write(
            lambda session: listings.record_listings(
                session, channel_id, [listing], now_ms=self.now_ms(), adopt_skus=False
            )
        )
        if recipe is not None:
            self.map(key, recipe, channel=channel)

    def map(self, key: str, recipe: Mapping[str, int], *, channel: str = "shopee") -> int:
        components = {self.sku(code): quantity for code, quantity in recipe.items()}
        return self.write(
            lambda session: listings.map_listing(
                session, self.channels[channel], key, components, now_ms=self.now_ms(), who="test"
            )
        )

    def count(self, code: str, counted: int, *, at: datetime | None = None) -> CountResult:
        entry = stock.CountEntry(self.sku(code), self.warehouse, counted)
        at_ms = to_epoch_ms(at or self.clock.now())
        return self.write(
            lambda session: stock.record_count(session, [entry], at_ms=at_ms, now_ms=self.now_ms(), who="test")
        )[0]

    def receive(self, code: str, quantity: int, *, at: datetime | None = None) -> int:
        at_ms = to_epoch_ms(at or self.clock.now())
        return self.write(
            lambda session: stock.record_receipt(
                session, self.sku(code), self.warehouse, quantity, at_ms=at_ms, now_ms=self.now_ms(), who="test"
            )
        )

    def stocked(self, code: str, counted: int, *, channel: str = "shopee") -> None:
        """A SKU with a first count and a listing of the same name."""
        self.listing(code, {code: 1}, channel=channel)
        self.count(code, counted)

    # --------------------------------------------------------------------------------------------------------------------- orders

    def rules(self, channel: str = "shopee") -> ChannelRules:
        return ChannelRules(self.channels[channel], self.warehouse, self.locations, self.certain)

    def record(self, *orders: Order, channel: str = "shopee", read_at: datetime | None = None) -> Recorded:
        """One page of orders, in one transaction."""
        return self.write(
            lambda session: record_orders(
                session,
                self.rules(channel),
                orders,
                read_started_at=read_at or self.clock.now(),
                now_ms=self.now_ms(),
                vault=self.ledger.vault,
            )
        )

    def order_id(self, remote_id: str) -> int:
        return int(self.value("SELECT id FROM sales_order WHERE remote_id = :r", r=remote_id))

    def position(self, remote_id: str, code: str) -> tuple[int, int]:
        """(reserved, shipped) units of a SKU because of an order."""
        rows = self.query(
            "SELECT reserved, shipped FROM order_position JOIN sales_order ON sales_order.id = order_id "
            "JOIN sku ON sku.id = sku_id WHERE remote_id = :r AND code = :c",
            r=remote_id,
            c=code,
        )
        return (rows[0][0], rows[0][1]) if rows else (0, 0)

    # ---------------------------------------------------------------------------------------------------------------- what is true

    def balances(self, code: str) -> dict[str, int]:
        """Account -> units of a SKU, without the zeros."""
        rows = self.query(
            "SELECT account, SUM(quantity) FROM balance JOIN sku ON sku.id = sku_id WHERE code = :c GROUP BY account",
            c=code,
        )
        return {account: int(quantity) for account, quantity in rows if quantity}

    def available(self, code: str) -> int:
        return self.balances(code).get("available", 0)

    def movements(self) -> int:
        return int(self.value("SELECT COUNT(*) FROM movement"))

    def findings(self, kind: str) -> list[str]:
        """Subjects of the open findings of a kind."""
        return [row[0] for row in self.query(
            "SELECT subject FROM finding WHERE kind = :k AND closed_ms IS NULL ORDER BY subject", k=kind
        )]  # fmt: skip

    def assert_proven(self) -> None:
        """The ledger proves itself."""
        assert self.read(verify).problems == ()

    # --------------------------------------------------------------------------------------------------------------------- pushes

    def plan(
        self,
        *,
        channel: str = "shopee",
        fresh: bool = True,
        policy: PushPolicy | None = None,
        pots: bool = False,
        **facts: Any,
    ) -> PushPlan:
        return self.read(
            lambda session: plan_pushes(
                target_facts(session, self.channels[channel], now_ms=self.now_ms(), pots=pots, **facts),
                policy or PushPolicy(),
                fresh=fresh,
            )
        )

    def send(self, plan: PushPlan, *, window_from: datetime | None = None) -> list[pushes.Sent]:
        return self.write(
            lambda session: pushes.mark_sent(session, plan.send, now_ms=self.now_ms(), window_from=window_from)
        )

    def answer(
        self,
        sent: Sequence[pushes.Sent],
        outcome: PushOutcome = PushOutcome.APPLIED,
        *,
        channel: str = "shopee",
        visibility_delay_s: float = 0.0,
        **more: Any,
    ) -> None:
        answers = [(one, LevelAnswer(one.want.target, outcome, **more)) for one in sent]
        self.write(
            lambda session: pushes.record_answers(
                session,
                self.channels[channel],
                answers,
                now_ms=self.now_ms(),
                provider_now=self.clock.now(),
                visibility_delay_s=visibility_delay_s,
                write_settles_s=60.0,
            )
        )

    def push(self, *, channel: str = "shopee", **more: Any) -> dict[str, int]:
        """A whole push that the channel applies: remote key -> level sent. The clock moves on by a second before the answer."""
        sent = self.send(self.plan(channel=channel, **more))
        self.clock.advance(seconds=1)
        self.answer(sent, channel=channel)
        self.clock.advance(seconds=1)
        return {one.want.target.remote_key: one.want.level for one in sent}

    def target(self, key: str, *, column: str = "expected") -> Any:
        return self.value(f"SELECT {column} FROM target WHERE remote_key = :k", k=key)


def keys_of(what: Iterable[Any]) -> list[str]:
    """Remote keys of decisions."""
    return [decision.key.remote_key for decision in what]
