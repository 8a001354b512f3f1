"""`sellersync status`: how the work goes, at a glance. Only looks; the daemon may run meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import typer

from sellersync.store import deliveries, reads, requests
from sellersync.store.balances import told_balances
from sellersync.store.reads import ChannelStatus, LedgerStatus

from .codes import Code
from .out import ago, as_json, rupiah, say, table, when
from .state import state_of


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(context: typer.Context) -> None:
    """Channels, queues and what is open. Exit code 4 when a channel must be authorised, 1 when something else needs you."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        found = ledger.read_now(lambda session: reads.ledger_status(session, ledger, buffer=settings.stock.buffer))
        told = ledger.read_now(told_balances)
        messages = ledger.read_now(deliveries.troubled)
        today = ledger.clock.now().astimezone(UTC).date()
        sent = ledger.read_now(partial(requests.requests_of_day, day=today))
        connectors = {slug: channel.connector for slug, channel in settings.channels.items()}
        connectors |= {slug: courier.connector for slug, courier in settings.couriers.items()}
        limits = {slug: getattr(connector, "calls_per_day_max", None) for slug, connector in connectors.items()}
        now, zone = ledger.clock.now(), settings.shop.zone
        configured = {*settings.channels, *settings.couriers}
    code = _code(found)
    if state.json:
        as_json({"ok": code is Code.OK, "now": now, "open_findings": found.open_findings, **_fields(found), "balances": told,
                 "messages": messages,
                 "channels": [{**_fields(row), "configured": row.state.slug in configured,
                               "calls_today": sent.get(row.state.id, 0), "calls_per_day_max": limits.get(row.state.slug)}
                              for row in found.channels]})  # fmt: skip
        raise typer.Exit(code)
    say(f"Daemon: runs as {found.daemon}." if found.daemon else "Daemon: NOT running (sellersync run).")
    rows = [row for row in found.channels if row.state.slug in configured]
    if rows:
        table(
            (
                "channel",
                "state",
                "last pull",
                "last push",
                "authorised",
                "unsent",
                "parcels waiting",
                "claims open",
                "findings",
                "calls today",
            ),
            [(*_row(row, now), _calls(sent.get(row.state.id, 0), limits.get(row.state.slug))) for row in rows],
        )
    else:
        say("No channel is configured.")
    for row in rows:
        if row.state.state != "ok":
            say(f"{row.state.slug}: since {when(row.state.trouble_since, zone)}: {state.redactor(row.state.trouble)}")
        if row.unmapped:
            say(
                f"{row.state.slug}: {row.unmapped} of {row.listings} listings are unmapped: sellersync listings unmapped"
            )
        if row.uncounted:
            say(f"{row.state.slug}: {row.uncounted} listings get no level before a first count: sellersync stock count")
        if row.state.kind == "channel" and not row.state.first_walk_done:
            say(f"{row.state.slug}: no level is pushed before its first pull of orders is complete")
    for slug, balance in told.items():
        if slug in configured and balance.amount is not None:
            say(f"{slug}: balance {rupiah(balance.amount)} ({ago(balance.asked, now)})")
    say(f"{found.skus} SKUs ({found.counted} counted, {found.short} short), {found.movements} movements "
        f"({found.unsealed} not sealed yet), {found.open_findings} open findings.")  # fmt: skip
    if messages:
        counted = ", ".join(f"{count} {state}" for state, count in sorted(messages.items()))
        say(f"Reports and alerts: {counted} (sellersync notify list)")
    if found.open_findings:
        say("What needs you, with the commands: sellersync report")
    raise typer.Exit(code)


def _row(row: ChannelStatus, now: datetime) -> tuple[object, ...]:
    courier = row.state.kind == "courier"
    unsent = "-" if courier else str(row.unsent)
    if row.unsent_since is not None:
        unsent += f" ({ago(row.unsent_since, now)})"
    return (
        row.state.slug,
        row.state.state.replace("_", " "),
        "-" if courier else ago(row.state.last_pull, now),
        "-" if courier else ago(row.state.last_push, now),
        _authorised(row, now),
        unsent,
        "-" if courier else row.parcels_waiting,
        "-" if courier else row.claims_open,
        sum(row.findings.values()),
    )


def _calls(sent: int, per_day_max: int | None) -> str:
    """Calls of this UTC day as last written down, every few minutes."""
    return str(sent) if per_day_max is None else f"{sent} of {per_day_max}"


def _authorised(row: ChannelStatus, now: datetime) -> str:
    if not row.authorised:
        return "NO" if row.state.state == "needs_authorisation" else "-"
    return "yes" if row.authorisation_ends is None else f"{(row.authorisation_ends - now).days} days"


def _code(found: LedgerStatus) -> Code:
    if any(row.state.state == "needs_authorisation" for row in found.channels):
        return Code.AUTHORISE
    return Code.ATTENTION if found.open_findings else Code.OK


def _fields(value: ChannelStatus | LedgerStatus) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__slots__}
