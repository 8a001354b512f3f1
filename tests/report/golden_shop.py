"""A small shop whose ledger fills every section of the report, the same every time.

A coffee seller in Bandung on four channels, from 1 to 21 November 2026. Nothing is by chance; what channels call their goods and shops
is as unpleasant as it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from sellersync.domain.differences import Difference
from sellersync.domain.listings import PushOutcome
from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.returns import Grade, RemoteReturn, ReturnState
from sellersync.domain.settlements import Settlement
from sellersync.domain.times import to_epoch_ms
from sellersync.forecast import DemandPolicy
from sellersync.report import Language, Report, build
from sellersync.report.period import Period, of_day
from sellersync.report.snapshot import keep
from sellersync.store import (
    bookings,
    grading,
    plans,
    proofs,
    reads_bookings,
    remote_returns,
    requests,
    settlements,
    stock,
    work,
)
from sellersync.store.ledger import Ledger, Session

from .bookkeeping import JAKARTA, Books, an_order, finding, line, wib

DAY = date(2026, 11, 20)
NOW = wib(21, 7)
SHIPPING = 12_000
"""What each buyer pays, rupiah."""
SHOP = 'Toko "Kopi & Teh" <Bandung>'
CHANNELS = ("tokopedia", "shopee", "lazada", "web")
GOODS = (
    # SKU, title on the channels, price, cost (None: nobody said), units on the shelf
    ("KOPI-GAYO-250", "Kopi Arabika Gayo 250 g", 89_000, 51_500, 60),
    ("KOPI-GAYO-1000", "Kopi Arabika Gayo 1 kg", 315_000, 198_000, 24),
    ("KOPI-TORAJA-250", "Kopi Toraja Sapan 250 g", 97_000, 56_000, 22),
    ("KOPI-LAMPUNG-500", "Kopi Robusta Lampung 500 g", 64_000, 34_250, 45),
    ("TEH-ROSELA", '=Teh <b>Rosela</b> & "Jahe" 20 kantong', 38_500, None, 11),
    ("TEH-MELATI", "@Teh Melati Slawi 100 g", 18_000, 9_400, 30),
    ("GULA-AREN-500", "+ Gula Aren Cair 500 ml 🍯", 42_000, 21_000, 9),
    ("DRIPPER-V60", "Dripper V60 plastik, 1–2 cangkir", 55_000, None, 6),
    ("FILTER-100", "Kertas saring V60 isi 100", 47_500, 26_000, 40),
    ("TUMBLER", "Tumbler kopi 350 ml", 129_000, 77_000, 3),
)


def fill_shop(directory: Path, *, url: str = "") -> Books:
    """A new ledger of this shop under `directory`; its clock stands at `NOW`."""
    books = Books(directory, started=wib(1), url=url)
    _open(books)
    for moment, happen in sorted([*_trade(books), *_last_day(books)], key=lambda event: event[0]):
        if moment < NOW:
            books.at(moment)
            happen()
    books.at(NOW).seal()
    return books


def golden_report(
    ledger: Ledger, language: Language, *, period: Period | None = None, demand: DemandPolicy | None = None
) -> Report:
    """The report of the shop's last whole day, or of another period."""
    return build(
        ledger, zone=JAKARTA, period=period or of_day(DAY), now=NOW, language=language, shop_name=SHOP, demand=demand
    )


Event = tuple[datetime, Callable[[], object]]


def _open(books: Books) -> None:
    for slug in CHANNELS:
        books.channel(slug, provider={"web": "woocommerce"}.get(slug, slug))
        for sku, title, _, _, _ in GOODS:
            books.listing(slug, f"{slug}:{sku}", sku, title=title)
    books.channel("biteship", kind="courier")
    for sku, _, _, _, units in GOODS:
        books.count(sku, units)
    books.ledger.write_now(_terms(books))


def _terms(books: Books) -> Callable[[Session], None]:
    """What goods cost, and how they are bought again."""

    def write(session: Session) -> None:
        for sku, point in (("KOPI-GAYO-1000", 5), ("TEH-ROSELA", 6), ("GULA-AREN-500", 4)):
            plan = plans.Plan(supplier="UD Sumber Rasa", lead_days=7, cover_days=21, reorder_point=point)
            plans.save_plan(session, stock.find_sku(session, sku), plan)
        known = [
            (stock.find_sku(session, sku), plans.Cost(cost, to_epoch_ms(wib(1))))
            for sku, _, _, cost, _ in GOODS
            if cost is not None
        ]
        plans.add_costs(session, known, now_ms=books.now_ms, who="sari")

    return write


# ------------------------------------------------------------------------------------------------------------ three weeks of selling


@dataclass(frozen=True)
class Sale:
    """An order, before it is known what becomes of it."""

    slug: str
    remote_id: str
    placed: datetime
    lines: tuple[OrderLine, ...]
    storefront: str = ""

    def as_order(
        self,
        state: OrderState,
        stage: UnitStage = UnitStage.OPEN,
        *,
        seen: datetime | None = None,
        parcel: ParcelState | None = None,
        ship_by: datetime | None = None,
    ) -> Order:
        """The order as the channel shows it at `seen`, with one parcel in the state given."""
        lines = [replace(one, units=tuple(Unit(stage, unit.count) for unit in one.units)) for one in self.lines]
        deadline = ship_by or self.placed + timedelta(days=2)
        parcels = []
        if parcel is not None:
            remote = RemoteParcel(
                f"P{self.remote_id}",
                (self.remote_id,),
                parcel,
                parcel.value,
                waybill=f"JP{self.remote_id[3:]}88" if parcel.booked else "",
                courier="J&T" if parcel.booked else "",
                ship_by=deadline,
                picked_up_at=seen if parcel.left_shelf else None,
                updated_at=seen,
            )
            parcels = [remote]
        order = an_order(
            self.remote_id,
            self.placed,
            lines,
            state=state,
            updated=seen,
            cancelled_at=seen if state is OrderState.CANCELLED else None,
            ship_by=deadline,
            storefront=self.storefront,
            parcels=parcels,
        )
        return replace(order, shipping_fee=SHIPPING)


def _line(slug: str, sku: str, units: int, *, priced: bool = True) -> OrderLine:
    title, price = next((title, price) for code, title, price, _, _ in GOODS if code == sku)
    return replace(line(sku, units, price if priced else None, key=f"{slug}:{sku}"), title=title)


def _sales() -> Iterator[Sale]:
    """Two or three orders a day from the 2nd to the 19th, over all channels and goods."""
    for day in range(2, 20):
        for number in range(2 + (day % 7 == 6)):
            nth = day * 3 + number
            slug = CHANNELS[nth * 5 % 4 if nth % 3 else 1]
            first, second = GOODS[nth % 4][0], GOODS[nth * 3 % 10][0]
            lines = [_line(slug, first, 1 + nth % 2)]
            if nth % 5 == 0 and second != first:
                lines.append(_line(slug, second, 1))
            storefront = ("tokopedia", "tiktok-shop")[nth % 2] if slug == "tokopedia" else ""
            placed = wib(day, 8 + nth * 7 % 13, nth * 11 % 60)
            yield Sale(slug, f"{slug[:2].upper()}-{day:02d}{number}", placed, tuple(lines), storefront)


def _trade(books: Books) -> Iterator[Event]:
    for sale in _sales():
        yield sale.placed + timedelta(minutes=1), _shown(books, sale, OrderState.READY)
        if sale.slug == "web":
            yield from _own_parcel(books, sale)
            continue
        booked, left, arrived = (sale.placed + timedelta(hours=hours) for hours in (2, 20, 44))
        yield booked, _shown(books, sale, OrderState.BOOKED, seen=booked, parcel=ParcelState.BOOKED)
        yield left, _shown(books, sale, OrderState.SHIPPED, UnitStage.LEFT, seen=left, parcel=ParcelState.PICKED_UP)
        yield (
            arrived,
            _shown(books, sale, OrderState.COMPLETED, UnitStage.DELIVERED, seen=arrived, parcel=ParcelState.DELIVERED),
        )
        yield arrived + timedelta(hours=9), _paid_out(books, sale)
    for day in range(2, 21):
        for slug in CHANNELS[:3]:
            yield wib(day, 6, 30), partial(books.push, slug)


def _shown(
    books: Books,
    sale: Sale,
    state: OrderState,
    stage: UnitStage = UnitStage.OPEN,
    *,
    seen: datetime | None = None,
    parcel: ParcelState | None = None,
    ship_by: datetime | None = None,
) -> Callable[[], object]:
    order = sale.as_order(state, stage, seen=seen, parcel=parcel, ship_by=ship_by)
    return lambda: books.order(sale.slug, order)


def _own_parcel(books: Books, sale: Sale, *, arrives: bool = True) -> Iterator[Event]:
    """A parcel of the own site: booked with the courier, collected, delivered."""
    reference = sale.remote_id
    parcel = RemoteParcel(
        f"P-{reference}", (reference,), ParcelState.PICKED_UP, "picked", waybill=f"W-{reference}", courier="jne"
    )
    yield sale.placed + timedelta(hours=1), lambda: _book(books, sale, reference)
    left = sale.placed + timedelta(hours=18)
    yield left, lambda: books.track(parcel.remote_id, replace(parcel, picked_up_at=left))
    if arrives:
        there = replace(parcel, state=ParcelState.DELIVERED, remote_status="delivered", picked_up_at=left)
        yield sale.placed + timedelta(hours=60), lambda: books.track(parcel.remote_id, there)


def _book(books: Books, sale: Sale, reference: str) -> None:
    """With a courier of the shop's own, who charges a little more than the buyer paid."""

    def claim(session: Session) -> int:
        parcels = reads_bookings.bookable_parcels(session, books.channels[sale.slug], now_ms=books.now_ms, limit=50)
        parcel = next(one for one in parcels if one.order_remote_id == sale.remote_id)
        return bookings.open_claim(
            session,
            parcel_id=parcel.parcel_id,
            attempt=1,
            reference=reference,
            step="confirm",
            owner="test",
            request={},
            not_before_settle_ms=books.now_ms + 65_000,
            now_ms=books.now_ms,
            vault=books.ledger.vault,
            courier_channel_id=books.channels["biteship"],
        )

    claim_id = books.ledger.write_now(claim)
    waybill = f"W-{reference}"
    remote = RemoteParcel(
        f"P-{reference}", (sale.remote_id,), ParcelState.BOOKED, "booked", waybill=waybill, courier="jne"
    )
    facts = bookings.CourierFacts(quoted=13_000, charged=SHIPPING + 1_500, service="reg", zone="local")
    books.ledger.write_now(lambda s: bookings.settle_booked(s, claim_id, remote, now_ms=books.now_ms, facts=facts))


def _paid_out(books: Books, sale: Sale) -> Callable[[], object]:
    """The channel keeps its fees; shipping costs a little more than the buyer paid."""
    goods = sum((one.unit_price or 0) * unit.count for one in sale.lines for unit in one.units)
    fee, service, shipping = goods * 65 // 1000, goods * 18 // 1000, 1_500
    parts = (
        ("original_price", goods),
        ("commission_fee", -fee),
        ("service_fee", -service),
        ("shipping_difference", -shipping),
    )
    row = Settlement(f"S{sale.remote_id}", sale.remote_id, books.clock.now(), sum(amount for _, amount in parts), parts)

    def record() -> None:
        paid = replace(row, settled_at=books.clock.now())
        channel_id = books.channels[sale.slug]
        books.ledger.write_now(lambda s: settlements.record_settlements(s, channel_id, [paid], now_ms=books.now_ms))

    return record


# ------------------------------------------------------------------------------------------------------------------- the last days


def _last_day(books: Books) -> Iterator[Event]:
    """The 19th to the 21st: something of everything that staff must act on."""
    yield from _open_orders(books)
    yield from _goods_back(books)
    yield from _by_hand(books)
    yield from _given_out_early(books)
    yield from _trouble(books)


def _open_orders(books: Books) -> Iterator[Event]:
    late = Sale("shopee", "SH-1901", wib(19, 9, 12), (_line("shopee", "KOPI-GAYO-250", 2),))
    yield wib(19, 9, 13), _shown(books, late, OrderState.READY, parcel=ParcelState.READY, ship_by=wib(20, 18))
    yield (
        wib(19, 10),
        _shown(books, late, OrderState.BOOKED, seen=wib(19, 10), parcel=ParcelState.BOOKED, ship_by=wib(20, 18)),
    )
    due = Sale(
        "lazada", "LA-2001", wib(20, 8, 41), (_line("lazada", "KOPI-GAYO-1000", 1), _line("lazada", "FILTER-100", 2))
    )
    yield wib(20, 8, 43), _shown(books, due, OrderState.READY, parcel=ParcelState.READY, ship_by=wib(21, 17))
    first = Sale("tokopedia", "TO-2001", wib(20, 9, 5), (_line("tokopedia", "TEH-ROSELA", 8),), "tokopedia")
    yield wib(20, 9, 6), _shown(books, first, OrderState.READY, parcel=ParcelState.READY, ship_by=wib(22, 9))
    second = Sale("tokopedia", "TO-2002", wib(20, 9, 40), (_line("tokopedia", "TUMBLER", 2),), "tiktok-shop")
    yield wib(20, 9, 41), _shown(books, second, OrderState.READY, parcel=ParcelState.READY, ship_by=wib(22, 9))
    more = Sale("shopee", "SH-2001", wib(20, 9, 44), (_line("shopee", "TUMBLER", 2), _line("shopee", "TEH-ROSELA", 3)))
    yield wib(20, 9, 45), _shown(books, more, OrderState.READY, parcel=ParcelState.READY, ship_by=wib(22, 9))
    big = Sale(
        "shopee",
        "SH-2002",
        wib(20, 13, 2),
        (_line("shopee", "KOPI-LAMPUNG-500", 12), _line("shopee", "TEH-MELATI", 10)),
    )
    yield wib(20, 13, 3), _shown(books, big, OrderState.CANCEL_REQUESTED)
    gone = Sale("lazada", "LA-2002", wib(20, 15, 30), (_line("lazada", "KOPI-TORAJA-250", 1),))
    yield wib(20, 15, 31), _shown(books, gone, OrderState.READY)
    yield wib(20, 16), _shown(books, gone, OrderState.CANCELLED, UnitStage.CANCELLED, seen=wib(20, 16))
    unpaid = Sale("web", "WE-2001", wib(20, 19, 20), (_line("web", "KOPI-GAYO-250", 1),))
    yield wib(20, 19, 20, 30), _shown(books, unpaid, OrderState.UNPAID)
    lost = Sale("web", "WE-1601", wib(16, 10, 10), (_line("web", "GULA-AREN-500", 2),))
    yield wib(16, 10, 11), _shown(books, lost, OrderState.READY)
    yield from _own_parcel(books, lost, arrives=False)
    unpriced = Sale("web", "WE-2002", wib(20, 20, 5), (_line("web", "FILTER-100", 1, priced=False),))
    yield wib(20, 20, 6), _shown(books, unpriced, OrderState.READY, ship_by=wib(22, 12))
    yield wib(20, 20, 30), lambda: books.book("web", reference="WE-2002-1", settle=False)
    for slug in CHANNELS:
        for moment in (wib(20, 8, 43), wib(20, 9, 6), wib(20, 9, 41), wib(20, 9, 45), wib(20, 10, 16), wib(20, 13, 3)):
            yield moment + timedelta(seconds=15), partial(books.push, slug)
        yield (wib(20, 21, 40) if slug == "web" else wib(21, 6, 45)), partial(books.pulled, slug)
    yield wib(20, 15, 32), partial(books.push, "shopee", outcome=PushOutcome.UNCLEAR)


def _goods_back(books: Books) -> Iterator[Event]:
    """Returns of delivered orders: one that waits for an answer, one on its way, two that came in and were graded."""
    sales = [sale for sale in _sales() if sale.slug == "shopee" and sale.placed.day >= 12]
    states = (ReturnState.COMING_BACK, ReturnState.COMING_BACK, ReturnState.COMING_BACK, ReturnState.REQUESTED)
    for number, (sale, state) in enumerate(zip(sales, states, strict=False)):
        seen = wib(19 + number // 2, 10 + number)
        shown = RemoteReturn(
            f"R-77{number}", sale.remote_id, state, state.value.upper(), ((sale.lines[0].listing, 1),), sale.lines[0].unit_price,
            True, seen, respond_by=wib(21, 11) if state is ReturnState.REQUESTED else None, waybill=f"RT{number}00418",
            reason="=kemasan sobek, kopi tumpah",
        )  # fmt: skip
        yield seen, partial(_show_return, books, shown)
    yield wib(20, 15), partial(_grade_first, books, Grade.SELLABLE)
    yield wib(20, 15, 5), partial(_grade_first, books, Grade.DAMAGED)


def _show_return(books: Books, shown: RemoteReturn) -> None:
    channel_id = books.channels["shopee"]
    books.ledger.write_now(lambda s: remote_returns.record_remote_returns(s, channel_id, [shown], now_ms=books.now_ms))


def _grade_first(books: Books, found: Grade) -> None:
    """The oldest open return comes in and is graded."""

    def at_desk(session: Session) -> None:
        stamp: dict[str, Any] = {"now_ms": books.now_ms, "who": "sari"}
        return_id = session.execute(text("SELECT MIN(id) FROM return_document WHERE state = 'open'")).scalar_one()
        grading.receive(session, return_id, None, warehouse_id=books.warehouse, **stamp)
        grading.grade(session, grading.plan_grading(session, return_id, found, None), note="", **stamp)

    books.ledger.write_now(at_desk)


def _by_hand(books: Books) -> Iterator[Event]:
    def receive(session: Session) -> None:
        sku = stock.find_sku(session, "KOPI-LAMPUNG-500")
        note = {"at_ms": books.now_ms, "now_ms": books.now_ms}
        stock.record_receipt(session, sku, books.warehouse, 24, who="sari", note="PO 118", **note)
        melati = stock.find_sku(session, "TEH-MELATI")
        stock.record_adjustment(session, melati, books.warehouse, -2, reason="kemasan rusak", who="sari", **note)

    yield wib(20, 10, 15), lambda: books.ledger.write_now(receive)
    yield wib(20, 17), lambda: books.count("FILTER-100", 36)


def _given_out_early(books: Books) -> Iterator[Event]:
    """The day's figures are given out at midnight; two hours later an order of that day is called off."""

    def give_out() -> None:
        books.seal()
        report = build(books.ledger, zone=JAKARTA, day=DAY, now=books.clock.now(), language="id", shop_name=SHOP)
        keep(books.ledger, report)

    yield wib(21, 0, 30), give_out
    late = Sale("tokopedia", "TO-2003", wib(20, 21, 5), (_line("tokopedia", "FILTER-100", 1),), "tokopedia")
    yield wib(20, 21, 6), _shown(books, late, OrderState.READY)
    yield wib(21, 2), _shown(books, late, OrderState.CANCELLED, UnitStage.CANCELLED, seen=wib(21, 2))


def _trouble(books: Books) -> Iterator[Event]:
    def raise_all() -> None:
        finding(
            books,
            "cancellation_pending",
            "SH-2002",
            "shopee",
            deadline=wib(21, 13),
            reason="+62 salah alamat",
            by="buyer",
        )
        for number in range(1, 8):
            finding(
                books, "unmapped_listing", f"78120{number}", "tokopedia", title=f"=PAKET hemat {number}", seller_sku=""
            )
        finding(books, "authorisation_ending", "channel", "lazada", deadline=wib(26), days=5, ends="26 Nov 2026")
        facts: dict[str, Any] = {
            "class": Difference.EDITED_BY_HAND.value,
            "policy": "report",
            "shown": 38,
            "expected": 36,
        }
        finding(books, "difference", "shopee:FILTER-100", "shopee", **facts)

    def compared(session: Session) -> None:
        for slug in CHANNELS:
            run = work.start_run(session, "compare_stock", books.channels[slug], now_ms=books.now_ms)
            counts = {"compared": len(GOODS), "not_comparable": 1 if slug == "shopee" else 0}
            work.end_run(session, run, "ok", now_ms=books.now_ms, counts=counts)

    def counted_again(session: Session) -> None:
        for number, slug in enumerate(CHANNELS[:3]):
            since, until = (to_epoch_ms(wib(day)) for day in (20, 21))
            held = proofs.orders_of_day(session, books.channels[slug], since_ms=since, until_ms=until)
            missing = ("2611209917",) if slug == "lazada" else ()
            counts = {
                "on_channel": len(held) + len(missing),
                "in_ledger": len(held),
                "missing": missing,
                "repaired": number // 2,
            }
            state = proofs.ProofState.MISSING if missing else proofs.ProofState.COMPLETE
            proof = proofs.Proof(slug, DAY, state, by_field="create_time", **counts)  # type: ignore[arg-type]
            proofs.record_proof(session, books.channels[slug], proof, now_ms=books.now_ms)
        calls = {
            (books.channels[slug], DAY, kind): 412 + 7 * len(slug) for slug in CHANNELS for kind in ("read", "write")
        }
        requests.add_requests(session, calls)

    def down(session: Session) -> None:
        work.note_trouble(session, books.channels["web"], "no answer within 30 s", now_ms=books.now_ms)

    yield wib(20, 13, 55), lambda: books.ledger.write_now(compared)
    yield wib(20, 14), raise_all
    yield wib(21, 4), lambda: books.ledger.write_now(counted_again)
    yield wib(21, 5, 10), lambda: books.ledger.write_now(down)
