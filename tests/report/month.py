"""A month of a shop by chance: orders, cancellations, parcels, returns, payouts, counts, findings and levels, one seed one history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import text

from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.returns import Grade, RemoteReturn, ReturnState
from sellersync.domain.settlements import Settlement
from sellersync.domain.times import to_epoch_ms
from sellersync.store import grading, plans, proofs, remote_returns, requests, settlements, stock, work
from sellersync.store.findings import close_finding
from sellersync.store.ledger import Session

from .bookkeeping import Books, an_order, finding, wib

SKUS = ("KOPI", "TEH", "GULA", "SUSU", "GELAS", "TUTUP")
SHOPS = {"shopee": ("",), "tokopedia": ("tiktok-shop", "tokopedia"), "web": ("",)}
PRICES = {"KOPI": 48_000, "TEH": 21_500, "GULA": 17_000, "SUSU": None, "GELAS": 9_000, "TUTUP": 3_333, "PAKET": 57_001}
COSTS = {"KOPI": 30_500, "TEH": 11_000, "GULA": 16_999, "GELAS": 4_000}  # nobody knows what SUSU and TUTUP cost
PARTS = (
    "order_original_price",
    "commission_fee",
    "shipping_fee_paid_by_customer",
    "seller_return_refund",
    "logistics_reimbursement",
    "mystery",
)
ENDS = wib(2, 7, month=12)
"""When the history ends."""


def fill_month(directory: Path, seed: int, *, orders: int, url: str = "") -> Books:
    """A new ledger with the history of November 2026; its clock stands at `ENDS`."""
    books = Books(directory, started=wib(1), url=url)
    _Month(books, Random(seed)).run(orders)
    return books


class _Month:
    def __init__(self, books: Books, rng: Random) -> None:
        self.books = books
        self.rng = rng
        self.orders: dict[str, tuple[str, Order]] = {}

    def run(self, orders: int) -> None:
        self._open()
        moments = sorted(wib(1) + timedelta(seconds=self.rng.randrange(60, 30 * 86_400 - 60)) for _ in range(orders))
        for number, moment in enumerate(moments):
            self._order(f"o{number}", moment)
            for act in self.rng.sample(self.acts, self.rng.choice((0, 1, 2))):
                moment += timedelta(seconds=self.rng.randrange(1, 600))
                self.books.at(moment)
                act(self)
        self.books.at(ENDS)
        for slug in SHOPS:
            self.books.pulled(slug)
        self.books.seal()

    def _open(self) -> None:
        books = self.books
        for slug in SHOPS:
            books.channel(slug)
            for sku in SKUS:
                books.listing(slug, f"{slug}-{sku}", sku, title=f"{sku} asli")
            books.listing(slug, f"{slug}-PAKET", "", title="Paket hemat")
            books.bundle(slug, f"{slug}-PAKET", {"KOPI": 1, "GULA": 2})
        for sku in SKUS[:-1]:
            books.count(sku, self.rng.randrange(5, 60))
        since = to_epoch_ms(wib(1))
        books.ledger.write_now(
            lambda s: plans.add_costs(
                s,
                [(stock.find_sku(s, sku), plans.Cost(cost, since)) for sku, cost in COSTS.items()]
                + [(stock.find_sku(s, "KOPI"), plans.Cost(33_000, to_epoch_ms(wib(15))))],
                now_ms=books.now_ms,
                who="sari",
            )
        )

    # -- orders

    def _order(self, remote_id: str, placed: datetime) -> None:
        rng = self.rng
        slug = rng.choice(list(SHOPS))
        lines = []
        for name in rng.sample((*SKUS, "PAKET"), rng.choice((1, 1, 2))):
            units, gone = rng.choice((1, 1, 2, 3)), 0
            if rng.random() < 0.1:
                gone = rng.randrange(units + 1)
            parts = [Unit(UnitStage.OPEN, units - gone)] if units > gone else []
            parts += [Unit(UnitStage.CANCELLED, gone)] if gone else []
            lines.append(OrderLine(f"l-{name}", f"{slug}-{name}", tuple(parts), title=name, unit_price=PRICES[name]))
        state = rng.choices([OrderState.READY, OrderState.UNPAID, OrderState.CANCELLED], [8, 1, 1])[0]
        if state is OrderState.CANCELLED:
            lines = [replace(one, units=(Unit(UnitStage.CANCELLED, sum(u.count for u in one.units)),)) for one in lines]
        order = an_order(
            remote_id,
            placed,
            lines,
            state=state,
            storefront=rng.choice(SHOPS[slug]),
            ship_by=placed + timedelta(hours=rng.choice((8, 40))),
            cancelled_at=placed if state is OrderState.CANCELLED else None,
        )
        self.orders[remote_id] = (slug, order)
        self._record(remote_id, order, placed + timedelta(seconds=rng.randrange(1, 300)))

    def _record(self, remote_id: str, order: Order, at: datetime) -> None:
        slug, _ = self.orders[remote_id]
        self.orders[remote_id] = (slug, order)
        self.books.at(at).order(slug, order)

    def _any(self, *states: OrderState) -> str | None:
        found = [name for name, (_, order) in self.orders.items() if order.state in states]
        return self.rng.choice(found) if found else None

    def cancel(self) -> None:
        name = self._any(OrderState.READY)
        if name:
            order, now = self.orders[name][1], self.books.clock.now()
            lines = [
                replace(one, units=(Unit(UnitStage.CANCELLED, sum(u.count for u in one.units)),)) for one in order.lines
            ]
            gone = replace(order, state=OrderState.CANCELLED, lines=tuple(lines), updated_at=now, cancelled_at=now)
            self._record(name, gone, now)

    def ship(self) -> None:
        name = self._any(OrderState.READY)
        if name:
            _, order = self.orders[name]
            now = self.books.clock.now()
            lines = [
                replace(
                    one,
                    units=tuple(
                        replace(u, stage=UnitStage.LEFT) if u.stage is UnitStage.OPEN else u for u in one.units
                    ),
                )
                for one in order.lines
            ]
            booked = RemoteParcel(f"P-{name}", (name,), ParcelState.BOOKED, "booked", waybill=f"W-{name}")
            self._record(name, replace(order, parcels=(booked,), updated_at=now), now)
            later = now + timedelta(minutes=self.rng.randrange(1, 90))
            gone = replace(booked, state=ParcelState.PICKED_UP, remote_status="picked", picked_up_at=later)
            state = OrderState.SHIPPED
            self._record(
                name, replace(order, state=state, lines=tuple(lines), parcels=(gone,), updated_at=later), later
            )

    def deliver(self) -> None:
        name = self._any(OrderState.SHIPPED)
        if name:
            order, now = self.orders[name][1], self.books.clock.now()
            done = replace(order.parcels[0], state=ParcelState.DELIVERED, remote_status="done")
            self._record(name, replace(order, state=OrderState.COMPLETED, parcels=(done,), updated_at=now), now)

    # -- returns

    def goods_back(self) -> None:
        name = self._any(OrderState.COMPLETED)
        if name is None:
            return
        slug, order = self.orders[name]
        sold = [one for one in order.lines if any(unit.stage is UnitStage.LEFT for unit in one.units)]
        if sold:
            row = RemoteReturn(
                f"R-{name}",
                name,
                ReturnState.APPROVED,
                "approved",
                ((sold[0].key, 1),),
                None,
                True,
                self.books.clock.now(),
            )
            self.books.ledger.write_now(
                lambda s: remote_returns.record_remote_returns(
                    s, self.books.channels[slug], [row], now_ms=self.books.now_ms
                )
            )

    def at_the_desk(self) -> None:
        """The oldest return comes in, or is graded."""
        open_ones = self.books.ledger.read_now(
            lambda s: s.execute(
                text("SELECT id, state FROM return_document WHERE state IN ('open', 'received') ORDER BY id")
            ).all()
        )
        if not open_ones:
            return
        row, now_ms = open_ones[0], self.books.now_ms

        def settle(session: Session) -> None:
            if row.state == "open":
                grading.receive(session, row.id, None, warehouse_id=None, now_ms=now_ms, who="budi")
            else:
                verdict = self.rng.choice(list(Grade))
                planned = grading.plan_grading(session, row.id, verdict, None)
                grading.grade(session, planned, note="", now_ms=now_ms, who="budi")

        self.books.ledger.write_now(settle)

    def unknown_goods_back(self) -> None:
        self.books.ledger.write_now(
            lambda s: grading.receive_unknown(
                s, stock.find_sku(s, "TEH"), self.books.warehouse, 2, note="tanpa nama", now_ms=self.books.now_ms, who="budi"
            )
        )  # fmt: skip

    # -- money, shelf, channels

    def pay_out(self) -> None:
        rng = self.rng
        slug = rng.choice(("shopee", "tokopedia"))
        own = [name for name, (of, _) in self.orders.items() if of == slug]
        name = rng.choice([*own, "", "stranger"])
        parts = tuple((part, rng.randrange(-20_000, 60_000)) for part in rng.sample(PARTS, rng.randrange(1, 5)))
        net = sum(amount for _, amount in parts) + rng.choice((0, 0, 777))
        row = Settlement(f"S{rng.randrange(10**6)}", name, self.books.clock.now(), net, parts)
        self.books.ledger.write_now(
            lambda s: settlements.record_settlements(s, self.books.channels[slug], [row], now_ms=self.books.now_ms)
        )

    def count(self) -> None:
        self.books.count(self.rng.choice(SKUS[:-1]), self.rng.randrange(0, 40))

    def receive(self) -> None:
        sku, units = self.rng.choice(SKUS), self.rng.randrange(1, 30)
        self.books.ledger.write_now(
            lambda s: stock.record_receipt(
                s, stock.find_sku(s, sku), self.books.warehouse, units, at_ms=self.books.now_ms, now_ms=self.books.now_ms, who="sari"
            )
        )  # fmt: skip

    def adjust(self) -> None:
        sku, change = self.rng.choice(SKUS), self.rng.choice((-2, -1, 1, 3))
        why = self.rng.choice(("broken", "adopted from the channel: shown 3, expected 4"))
        self.books.ledger.write_now(
            lambda s: stock.record_adjustment(
                s, stock.find_sku(s, sku), self.books.warehouse, change, reason=why, at_ms=self.books.now_ms,
                now_ms=self.books.now_ms, who="sari",
            )
        )  # fmt: skip

    def push(self) -> None:
        self.books.push(self.rng.choice(list(SHOPS)), seconds=self.rng.randrange(1, 5))

    def compare(self) -> None:
        books, slug = self.books, self.rng.choice(list(SHOPS))
        counts = {"compared": self.rng.randrange(20), "not_comparable": self.rng.randrange(2)}

        def write(session: Session) -> None:
            run = work.start_run(session, "compare_stock", books.channels[slug], now_ms=books.now_ms)
            work.end_run(session, run, "ok", now_ms=books.now_ms, counts=counts)

        books.ledger.write_now(write)
        if self.rng.random() < 0.3:
            cause = {"class": "edited_by_hand", "policy": "overwrite"}
            finding(books, "difference", f"{slug}-{self.rng.choice(SKUS)}", slug, shown=3, expected=4, **cause)

    def find(self) -> None:
        kind = self.rng.choice(("order_unreadable", "sudden_zero", "difference"))
        details = {"class": "edited_by_hand", "policy": "report", "shown": 1, "expected": 2}
        finding(self.books, kind, f"x{self.rng.randrange(4)}", "shopee", **details)

    def settle(self) -> None:
        kind = self.rng.choice(("order_unreadable", "sudden_zero", "difference"))
        channel_id = self.books.channels["shopee"]
        self.books.ledger.write_now(
            lambda s: close_finding(
                s, kind, f"x{self.rng.randrange(4)}", now_ms=self.books.now_ms, channel_id=channel_id
            )
        )

    def call(self) -> None:
        day = self.books.clock.now().date()
        channel_id = self.books.channels[self.rng.choice(list(SHOPS))]
        self.books.ledger.write_now(
            lambda s: requests.add_requests(s, {(channel_id, day, "read"): self.rng.randrange(1, 50)})
        )

    def prove(self) -> None:
        day = (self.books.clock.now() - timedelta(days=1)).date()
        slug = self.rng.choice(list(SHOPS))
        missing = tuple(f"m{number}" for number in range(self.rng.choice((0, 0, 2))))
        proof = proofs.Proof(slug, day, proofs.ProofState.COMPLETE, None, "created", 9, 9 - len(missing), missing)
        self.books.ledger.write_now(
            lambda s: proofs.record_proof(s, self.books.channels[slug], proof, now_ms=self.books.now_ms)
        )

    acts = (
        *(
            cancel,
            cancel,
            cancel,
            ship,
            ship,
            ship,
            ship,
            deliver,
            deliver,
            deliver,
            goods_back,
            goods_back,
            at_the_desk,
            at_the_desk,
            at_the_desk,
        ),
        *(
            unknown_goods_back,
            pay_out,
            pay_out,
            pay_out,
            pay_out,
            count,
            receive,
            receive,
            adjust,
            push,
            push,
            compare,
            find,
            settle,
        ),
        *(call, prove),
    )
