"""Prepaid balances of courier accounts: asked before a batch of bookings, and an account that cannot pay is let alone until it can.

Parcels paid on delivery pay for themselves where a courier tells its balance (KiriminAja refuses to take them from it); a courier that
tells none may need the balance even to quote (Biteship, 2026), so nothing of it goes on.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from sellersync.domain.errors import Rejected
from sellersync.store import balances
from sellersync.store.balances import Balance, EmptyAccount
from sellersync.store.ledger import Session

from .courier_call import CourierTrouble, calling
from .world import CourierAccount, World

ASK_EVERY_S = 900.0
"""Balances are asked for at most so often; an account that tells none is tried again after so long."""


@dataclass(slots=True)
class Funds:
    """What the accounts can pay, for one batch of bookings."""

    world: World
    told: dict[int, int | None] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    """Accounts that cannot pay now."""

    @classmethod
    async def look(cls, world: World) -> Funds:
        """Ask the accounts whose balance is due. One that cannot be read keeps what it told last."""
        funds = cls(world)
        for account in world.couriers:
            kept, empty = await world.ledger.read(lambda session, account=account: _known(session, account.id))  # type: ignore[misc]
            if account.courier.capabilities.balance:
                if kept is None or world.ledger.now_ms() - kept.asked_ms >= ASK_EVERY_S * 1000:
                    with suppress(CourierTrouble):
                        await ask(world, account)
                    kept, empty = await world.ledger.read(lambda session, account=account: _known(session, account.id))  # type: ignore[misc]
                funds.told[account.id] = None if kept is None else kept.amount
                if empty is not None:
                    funds.closed.add(account.id)
            elif empty is not None and world.ledger.now_ms() - empty.refused_ms < ASK_EVERY_S * 1000:
                funds.closed.add(account.id)
        return funds

    def open_for(self, account: CourierAccount, *, cod: bool) -> bool:
        """May this account be asked to carry such a parcel?"""
        return account.id not in self.closed or (cod and account.courier.capabilities.balance)

    def can_pay(self, account: CourierAccount, price: int, *, cod: bool) -> bool:
        amount = self.told.get(account.id)
        return cod or amount is None or amount >= price

    async def empty(self, account: CourierAccount, why: str, *, needed: int) -> None:
        """The account cannot pay: one finding, and no further booking of it in this batch."""
        self.closed.add(account.id)
        now_ms = self.world.ledger.now_ms()
        await self.world.ledger.write(
            lambda session: balances.note_empty(session, account.id, why, needed=needed, now_ms=now_ms),
            name="courier_balance",
        )

    async def paid(self, account: CourierAccount, price: int | None, *, cod: bool) -> None:
        """The account paid for a parcel: nothing waits for it any more."""
        if cod and account.courier.capabilities.balance:
            return
        amount = self.told.get(account.id)
        if amount is not None and price is not None:
            self.told[account.id] = amount - price
        if account.id in self.closed or not account.courier.capabilities.balance:
            self.closed.discard(account.id)
            now_ms = self.world.ledger.now_ms()
            await self.world.ledger.write(
                lambda session: balances.note_paid(session, account.id, now_ms=now_ms), name="courier_paid"
            )


async def ask(world: World, account: CourierAccount) -> Balance | None:
    """Ask one account and keep what it tells. `None` amount: it has no balance. Raises `CourierTrouble`."""
    async with calling(world, account):
        try:
            amount: int | None = await account.courier.balance()
        except Rejected:  # an account that gets invoices
            amount = None
    now_ms = world.ledger.now_ms()
    await world.ledger.write(
        lambda session: balances.keep_balance(session, account.id, amount, now_ms=now_ms), name="courier_balance"
    )
    return await world.ledger.read(lambda session: balances.balance(session, account.id))


def _known(session: Session, channel_id: int) -> tuple[Balance | None, EmptyAccount | None]:
    return balances.balance(session, channel_id), balances.empty_account(session, channel_id)
