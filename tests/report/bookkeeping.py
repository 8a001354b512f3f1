"""A small real ledger for report tests, filled through the store's own functions at moments that the test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import text

from sellersync.domain.levels import PushPolicy, plan_pushes
from sellersync.domain.listings import LevelAnswer, PushOutcome, RemoteListing, TargetKey
from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.times import to_epoch_ms
from sellersync.store import bookings, listings, orders, pushes, reads_bookings, schema, seals, stock, tracking, work
from sellersync.store.findings import raise_finding
from sellersync.store.ledger import Ledger, Session
from sellersync.store.target_facts import target_facts
from sellersync.store.vault import Vault

JAKARTA = ZoneInfo("Asia/Jakarta")
MAIN = "bandung"


class SetClock:
    """A clock that stands where it was put."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def put(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def wib(day: int, hour: int = 0, minute: int = 0, second: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    """A moment on the shop's clock in November 2026, as UTC."""
    return datetime(year, month, day, hour, minute, second, tzinfo=JAKARTA).astimezone(UTC)


class Books:
    """A ledger, and short ways of filling it. Everything is recorded at `clock`."""

    def __init__(self, directory: Path, *, started: datetime, url: str = "") -> None:
        url = url or f"sqlite:///{directory / 'ledger.db'}"
        schema.upgrade(url)
        self.path = directory / "ledger.db"
        self.clock = SetClock(started)
        self.ledger = Ledger(url, clock=self.clock, vault=Vault(bytes(32)), inline=True)
        schema.begin_ledger(self.ledger, "0123456789abcdef")
        self.warehouse = self.ledger.write_now(lambda s: work.ensure_warehouse(s, MAIN, "Gudang Bandung"))
        self.channels: dict[str, int] = {}

    def close(self) -> None:
        self.ledger.close()

    @property
    def now_ms(self) -> int:
        return self.ledger.now_ms()

    def at(self, moment: datetime) -> Books:
        self.clock.put(moment)
        return self

    # -- set-up

    def channel(self, slug: str, *, provider: str = "", walked: bool = True, kind: str = "channel") -> int:
        """A channel or courier account, configured now; `walked`: its first walk is complete."""

        def make(session: Session) -> int:
            warehouse = self.warehouse if kind == "channel" else None
            channel_id = work.ensure_channel(
                session,
                provider=provider or slug,
                remote_shop_id=slug,
                slug=slug,
                kind=kind,
                warehouse_id=warehouse,
                now_ms=self.now_ms,
            )
            if walked and kind == "channel":
                work.note_first_walk(session, channel_id, now_ms=self.now_ms)
            return channel_id

        self.channels[slug] = self.ledger.write_now(make)
        return self.channels[slug]

    def listing(self, slug: str, key: str, sku: str, *, title: str = "", adopt: bool = True) -> None:
        listing = RemoteListing(key, sku, title or sku, (TargetKey(key),))
        self.ledger.write_now(
            lambda s: listings.record_listings(s, self.channels[slug], [listing], now_ms=self.now_ms, adopt_skus=adopt)
        )

    def bundle(self, slug: str, key: str, components: Mapping[str, int]) -> None:
        """Give a listing a recipe of several units or SKUs."""
        self.ledger.write_now(
            lambda s: listings.map_listing(
                s,
                self.channels[slug],
                key,
                {stock.find_sku(s, sku): quantity for sku, quantity in components.items()},
                now_ms=self.now_ms,
                who="test",
            )
        )

    def count(self, sku: str, units: int) -> None:
        self.ledger.write_now(
            lambda s: stock.record_count(
                s,
                [stock.CountEntry(stock.find_sku(s, sku), self.warehouse, units)],
                at_ms=self.now_ms,
                now_ms=self.now_ms,
                who="sari",
            )
        )

    # -- events

    def order(self, slug: str, order: Order) -> None:
        self.ledger.write_now(
            lambda s: orders.record_orders(
                s,
                work.rules_of(s, self.channels[slug], frozenset()),
                [order],
                read_started_at=self.clock.now(),
                now_ms=self.now_ms,
                vault=self.ledger.vault,
            )
        )

    def pulled(self, slug: str) -> None:
        self.ledger.write_now(lambda s: work.note_ok(s, self.channels[slug], now_ms=self.now_ms, pulled=True))

    def push(self, slug: str, *, seconds: float = 2.0, outcome: PushOutcome = PushOutcome.APPLIED) -> int:
        """One run of the push job: what the ledger wants is sent now and answered `seconds` later. Returns how many levels."""
        channel_id = self.channels[slug]
        run = self.ledger.write_now(lambda s: work.start_run(s, "push_stock", channel_id, now_ms=self.now_ms))

        def begin(session: Session) -> list[pushes.Sent]:
            facts = target_facts(session, channel_id, now_ms=self.now_ms, pots=False)
            plan = plan_pushes(facts, PushPolicy(), fresh=True)
            return pushes.mark_sent(session, plan.send, now_ms=self.now_ms, window_from=self.clock.now())

        sent = self.ledger.write_now(begin)
        self.clock.put(self.clock.now() + timedelta(seconds=seconds))

        def end(session: Session) -> None:
            answers = [(one, LevelAnswer(one.want.target, outcome)) for one in sent]
            if answers:
                pushes.record_answers(
                    session,
                    channel_id,
                    answers,
                    now_ms=self.now_ms,
                    provider_now=self.clock.now(),
                    visibility_delay_s=0,
                    write_settles_s=0,
                )
            if answers and outcome is PushOutcome.APPLIED:
                work.note_ok(session, channel_id, now_ms=self.now_ms, pushed=True)
            work.end_run(session, run, "ok", now_ms=self.now_ms, counts={outcome.value: len(answers)})

        self.ledger.write_now(end)
        return len(sent)

    def book(self, slug: str, *, reference: str, settle: bool = True) -> int:
        """Claim the most urgent bookable parcel of a channel; `settle`: the courier answered with a waybill."""
        channel_id = self.channels[slug]

        def claim(session: Session) -> tuple[int, reads_bookings.BookableParcel]:
            parcel = reads_bookings.bookable_parcels(session, channel_id, now_ms=self.now_ms, limit=10)[0]
            claim_id = bookings.open_claim(
                session,
                parcel_id=parcel.parcel_id,
                attempt=1,
                reference=reference,
                step="confirm",
                owner="test",
                request={},
                not_before_settle_ms=self.now_ms + 65_000,
                now_ms=self.now_ms,
                vault=self.ledger.vault,
            )
            return claim_id, parcel

        claim_id, parcel = self.ledger.write_now(claim)
        if settle:
            remote = RemoteParcel(
                f"P-{reference}", (parcel.order_remote_id,), ParcelState.BOOKED, "booked", waybill=f"W-{reference}"
            )
            self.ledger.write_now(lambda s: bookings.settle_booked(s, claim_id, remote, now_ms=self.now_ms))
        return claim_id

    def track(self, remote_id: str, shown: RemoteParcel) -> None:
        """The courier shows a parcel in a new state."""

        def look(session: Session) -> None:
            found = session.execute(text("SELECT id FROM parcel WHERE remote_id = :r"), {"r": remote_id})
            parcel = found.scalar_one()
            tracking.note_tracked(session, parcel, shown, now_ms=self.now_ms)

        self.ledger.write_now(look)

    def seal(self) -> None:
        self.ledger.write_now(lambda s: seals.seal_movements(s, now_ms=self.now_ms, settled_before_ms=self.now_ms + 1))


def line(sku: str, units: int, price: int | None = 10_000, *, key: str = "", cancelled: int = 0) -> OrderLine:
    """A line of `units`, `cancelled` of them cancelled. The listing's key is `key` or the SKU."""
    parts = [Unit(UnitStage.OPEN, units - cancelled)] if units > cancelled else []
    if cancelled:
        parts.append(Unit(UnitStage.CANCELLED, cancelled))
    return OrderLine(
        key=f"l-{key or sku}", listing=key or sku, units=tuple(parts), title=sku, seller_sku=sku, unit_price=price
    )


def an_order(
    remote_id: str,
    placed: datetime,
    lines: Sequence[OrderLine],
    *,
    state: OrderState = OrderState.READY,
    updated: datetime | None = None,
    cancelled_at: datetime | None = None,
    ship_by: datetime | None = None,
    parcels: Sequence[RemoteParcel] = (),
    storefront: str = "",
    goods_total: int | None = None,
) -> Order:
    paid = None if state is OrderState.UNPAID else placed
    return Order(
        remote_id=remote_id,
        state=state,
        remote_status=state.value.upper(),
        created_at=placed,
        updated_at=updated or placed,
        lines=tuple(lines),
        parcels=tuple(parcels),
        paid_at=paid,
        cancelled_at=cancelled_at,
        ship_by=ship_by,
        storefront=storefront,
        goods_total=goods_total,
    )


def finding(
    books: Books, kind: str, subject: str, slug: str = "", *, deadline: datetime | None = None, **details: object
) -> None:
    books.ledger.write_now(
        lambda s: raise_finding(
            s,
            kind,
            subject,
            now_ms=books.now_ms,
            channel_id=books.channels.get(slug, 0),
            details=details,
            deadline_ms=to_epoch_ms(deadline) if deadline else None,
        )
    )


def fill_day(books: Books) -> Books:
    """20 November: two channels, three orders, a SKU oversold, one request to cancel. Returns the ledger."""
    for slug in ("shopee", "web"):
        books.channel(slug)
        books.listing(slug, f"{slug}-A", "KOPI-250", title="Kopi Gayo 250 g")
    books.channel("biteship", kind="courier")
    books.count("KOPI-250", 3)
    books.at(wib(13, 9)).order("shopee", an_order("old", wib(13, 8), [line("KOPI-250", 1, key="shopee-A")]))
    books.at(wib(20, 8)).push("shopee")
    books.at(wib(20, 8)).push("web")
    books.at(wib(20, 9, 0, 30)).order(
        "shopee", an_order("S-1", wib(20, 9), [line("KOPI-250", 2, 48_000, key="shopee-A")], ship_by=wib(21, 15))
    )
    books.push("web", seconds=2)
    books.at(wib(20, 9, 30)).order(
        "web", an_order("W-1", wib(20, 9, 29), [line("KOPI-250", 1, None, key="web-A")], ship_by=wib(21, 12))
    )
    books.order("web", an_order("W-2", wib(20, 9, 29), [line("KOPI-250", 1, key="web-A")], state=OrderState.UNPAID))
    books.at(wib(20, 10))
    finding(books, "cancellation_pending", "S-1", "shopee", deadline=wib(21, 9), reason="salah alamat", by="buyer")
    for slug in ("shopee", "web"):
        books.at(wib(21, 6)).pulled(slug)
    books.seal()
    return books
