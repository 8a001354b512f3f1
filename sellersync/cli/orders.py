"""`sellersync orders`: the order book. Buyer data is masked everywhere."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.times import day_bounds, shop_day, to_epoch_ms
from sellersync.store import pages, reads_order_desk, reads_orders
from sellersync.store.ledger import Ledger, Session
from sellersync.store.reads_order_desk import PhoneSearch
from sellersync.store.reads_orders import OrderHead, ParcelOfOrder, WholeOrder

from . import cancellations, returns, settlements
from .booking import why_sentence
from .days import day_named
from .out import as_json, rupiah, say, table, when
from .settlements import in_words
from .state import state_of
from .stock import channel_named

app = typer.Typer(help="Orders of all channels.", no_args_is_help=True)
one = typer.Typer(help="One order.", no_args_is_help=True)
settlements.register(app)
cancellations.register(app)
LIST_MAX = 50


@app.command("list")
def list_(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    state: Annotated[str | None, typer.Option(help="Only this state: ready, held, unpaid, ...")] = None,
    day: Annotated[str | None, typer.Option(help="Placed on this day (YYYY-MM-DD or today) of the shop.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = LIST_MAX,
) -> None:
    """Orders, the newest first."""
    options = state_of(context)
    with options.ledger() as (settings, ledger):
        zone = settings.shop.zone
        since_ms = until_ms = None
        if day is not None:
            since, until = day_bounds(day_named(day, shop_day(ledger.clock.now(), zone), option="--day"), zone)
            since_ms, until_ms = to_epoch_ms(since), to_epoch_ms(until)

        def read(session: Session) -> list[OrderHead]:
            if channel is not None:
                channel_named(session, channel)
            return reads_orders.orders(
                session, channel=channel, state=state, since_ms=since_ms, until_ms=until_ms, limit=limit
            )

        rows = ledger.read_now(read)
    if options.json:
        as_json(rows)
        return
    if not rows:
        say("No such order.")
        return
    table(
        ("channel", "order", "state", "placed", "ship by", "units", "total", ""),
        [
            (row.channel, row.number or row.remote_id, row.state, when(row.created, zone), when(row.ship_by, zone),
             row.units, rupiah(row.total), " ".join(["COD"] * row.cod + ["PARKED"] * row.parked))
            for row in rows
        ],
    )  # fmt: skip
    if len(rows) == limit:
        say(f"There may be more than these {limit}: --limit N")


@app.command("show")
@one.command("show")
def show(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Order id or number, parcel id, waybill or reference; or the last digits of the buyer's phone, at least "
            f"{reads_order_desk.PHONE_DIGITS_MIN}.",
        ),
    ],
    phone: Annotated[
        bool, typer.Option("--phone", help="It is the end of a phone number, whatever else it may be.")
    ] = False,
) -> None:
    """One order with its payment, lines, stock, parcels, tracking, booking attempts, movements, requests to cancel, returns, settlements
    and the pushes that it caused. Of several buyers whose phone ends so, the orders are listed."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        zone = settings.shop.zone

        def read(session: Session) -> tuple[list[WholeOrder], PhoneSearch | None]:
            ids = [] if phone else [head.id for head in reads_orders.find_orders(session, name)]
            searched = None if ids else _by_phone(session, ledger, name, sure=phone)
            if searched is not None:
                ids = list(searched.order_ids[:LIST_MAX])
            return [reads_orders.whole_order(session, one_id, vault=ledger.vault) for one_id in ids], searched

        found, searched = ledger.read_now(read)
    if not found:
        raise BadInput(_unknown(name, searched, zone))
    if state.json:
        as_json(found)
    elif searched is not None and len(found) > 1:
        _list_found(found, len(searched.order_ids), zone)
    else:
        for order in found:
            _tell(order, zone)


def _by_phone(session: Session, ledger: Ledger, name: str, *, sure: bool) -> PhoneSearch | None:
    """Orders of buyers whose phone ends with `name`; `None` where it cannot be the end of one. Raises `BadInput` when it must be."""
    digits = reads_order_desk.phone_digits(name)
    if digits:
        return reads_order_desk.orders_by_phone(session, digits, now_ms=ledger.now_ms(), vault=ledger.vault)
    if sure:
        raise BadInput(f"{name!r}: the end of a phone number is at least {reads_order_desk.PHONE_DIGITS_MIN} digits")
    return None


def _unknown(name: str, searched: PhoneSearch | None, zone: ZoneInfo) -> str:
    told = f"no order {name!r} in the ledger"
    if searched is not None:
        told += (
            f", and no phone ends so among the newest {searched.searched} orders with buyer data since "
            f"{searched.since.astimezone(zone):%Y-%m-%d} (marketplaces mask most of a phone)"
        )
    return f"{told}; if it is new, fetch it with: sellersync sync pull"


def _list_found(found: list[WholeOrder], number: int, zone: ZoneInfo) -> None:
    table(
        ("channel", "order", "state", "placed", "units", "total", "buyer"),
        [
            (order.head.channel, order.head.number or order.head.remote_id, order.head.state,
             when(order.head.created, zone), order.head.units, rupiah(order.head.total), order.buyer)
            for order in found
        ],
    )  # fmt: skip
    if number > len(found):
        say(f"These are the newest {len(found)} of {number}.")
    say("One of them in full: sellersync order show ID")


def _tell(order: WholeOrder, zone: ZoneInfo) -> None:
    head = order.head
    say(
        f"Order {head.number or head.remote_id} on {head.channel}"
        + (f" ({head.storefront})" if head.storefront else "")
    )
    if head.number and head.number != head.remote_id:
        say(f"  id        {head.remote_id}")
    say(f"  state     {head.state} ({head.remote_status})" + (", gone: " + order.gone if order.gone else ""))
    say(f"  placed    {when(head.created, zone)}, paid {when(head.paid, zone)}, seen {when(order.seen, zone)}")
    if head.ship_by:
        say(f"  ship by   {when(head.ship_by, zone)}")
    if order.cancelled:
        say(f"  cancelled {when(order.cancelled, zone)}: {order.cancel_reason or 'no reason told'}")
    say(f"  total     {rupiah(head.total)}" + (", cash on delivery" if head.cod else ""))
    say(f"  payment   {_payment(order)}")
    if order.buyer:
        say(f"  buyer     {order.buyer}")
    for problem in order.problems:
        say(f"  problem   {problem}")
    for finding in order.findings:
        if finding.closed is None:
            say(f"  open      {finding.kind.replace('_', ' ')} since {when(finding.since, zone)}")
    _section("Lines", ("listing", "seller SKU", "title", "units", "stages", "made of", "warehouse"), [
        (line.listing, line.seller_sku, line.title, line.quantity, _counts(line.stages),
         _recipe(line.made_of) if line.ours else "shipped by the platform", line.warehouse) for line in order.lines
    ])  # fmt: skip
    _section("Stock", ("SKU", "warehouse", "reserved", "shipped"), [
        (row.sku, row.warehouse, row.reserved, row.shipped) for row in order.positions
    ])  # fmt: skip
    _section("Parcels", ("no", "state", "courier", "waybill", "id", "booked", "picked up", "price"), [
        (row.number, row.state, f"{row.courier} {row.service}".strip(), row.waybill or "-", row.remote_id or "-",
         when(row.booked, zone), when(row.picked_up, zone), _price(row))
        for row in order.parcels
    ])  # fmt: skip
    _section("Tracking", ("parcel", "state", "told as", "seen"), [
        (row.parcel, row.state, row.status or "-", when(row.seen, zone)) for row in order.tracking
    ])  # fmt: skip
    for row in order.parcels:
        if row.why:
            say(f"Parcel {row.number} went to {why_sentence(row.why)}.")
        if row.cancel in ("asked", "sent", "pending", "refused"):
            say(f"Parcel {row.number} is to be cancelled with the courier: {row.cancel}.")
    _section("Booking attempts", ("parcel", "attempt", "reference", "state", "step", "begun", "detail"), [
        (row.parcel, row.attempt, row.reference, row.state, row.step, when(row.created, zone), row.detail)
        for row in order.claims
    ])  # fmt: skip
    if order.returns:
        say()
        returns.tell(order.returns, zone, title="Returns")
    _section("Movements", ("when", "SKU", "units", "from", "to", "reason"), [
        (when(row.occurred, zone), row.sku, row.quantity, row.source, row.destination, row.reason) for row in order.movements
    ])  # fmt: skip
    _section("Requests to cancel", ("by", "state", "reason", "decided without you", "answer", "became", "answered"), [
        (row.by or "-", row.state, row.reason or "-", when(row.respond_by, zone), row.answer or "-",
         f"{row.answer_state.value} {row.detail}".strip() or "-", f"{when(row.answered, zone)} {row.answered_by}".rstrip())
        for row in order.cancellations
    ])  # fmt: skip
    _section("Returns on the channel", ("id", "state", "goods", "units", "refund", "waybill", "reason", "changed"), [
        (row.remote_id, f"{row.state.value} ({row.remote_status})", "come back" if row.goods_come_back else "stay",
         sum(units for _, units in row.lines), rupiah(row.refund_amount), row.waybill or "-", row.reason or "-",
         when(row.updated_at, zone))
        for row in order.remote_returns
    ])  # fmt: skip
    _section("Settlements", ("settled", "parts", "net"), [
        (when(row.settled, zone), in_words(row.parts), rupiah(row.net)) for row in order.settlements
    ])  # fmt: skip
    _section("Levels sent because of it", ("channel", "listing", "level", "sent", "answered", "outcome"), [
        (row.channel, row.target, row.level, when(row.sent, zone), when(row.answered, zone), row.outcome) for row in order.pushes
    ])  # fmt: skip


def _section(title: str, heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        say()
        table(heads, rows, title=title)


def _payment(order: WholeOrder) -> str:
    """How and whether it was paid, as far as the channel tells."""
    paid = "paid" if order.head.paid else "collected on delivery" if order.head.cod else "not paid"
    return f"{order.payment_method}, {paid}" if order.payment_method else paid


def _counts(stages: dict[str, int]) -> str:
    return ", ".join(f"{number} {stage.replace('_', ' ')}" for stage, number in stages.items())


def _recipe(made_of: dict[str, int]) -> str:
    return " + ".join(f"{number} x {sku}" for sku, number in made_of.items()) or "UNMAPPED"


@app.command("accept")
def accept(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel's name.")],
) -> None:
    """You have looked at the unreadable orders of a channel's first pull: levels may be pushed to it from now on."""
    state = state_of(context)
    with state.ledger() as (_, ledger):

        def write(session: Session) -> bool:
            known = channel_named(session, channel)
            if known.last_pull is None:
                raise BadInput(f"{channel} was never pulled: sellersync sync pull --channel {channel}")
            pages.accept_first_walk(session, known.id, now_ms=ledger.now_ms())
            return known.first_walk_done

        before = ledger.write_now(write, name="accept_first_walk")
    if state.json:
        as_json({"channel": channel, "was_accepted": before})
    else:
        say(f"{channel} was accepted already." if before else f"Accepted: levels are pushed to {channel} from now on.")


def _price(parcel: ParcelOfOrder) -> str:
    """What the courier charged at booking (before that its offer), and what that became."""
    price = rupiah(parcel.charged if parcel.charged is not None else parcel.quoted)
    return price if parcel.adjusted is None else f"{price}, now {rupiah(parcel.adjusted)}"
