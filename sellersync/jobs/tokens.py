"""One refresher per shop across all processes; the raw answer is durable before it is parsed, the pair is stored before it is used."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sellersync.connector.contract import Authoriser, Token
from sellersync.domain.errors import AuthNeeded, Held, Temporary, Uncertain, Unrecognised
from sellersync.domain.times import from_epoch_ms, to_epoch_ms
from sellersync.store import tokens, work
from sellersync.store.ledger import Ledger, Session, step

log = logging.getLogger("sellersync.jobs")
REFRESH_DEADLINE_S = 60.0
WAIT_FOR_OTHER_S_MAX = 90.0
POLL_S = 0.5
EARLY_AGAIN_S = 300.0
"""A renewal ahead of time that failed is tried again after this long, while the token is still good."""
CONSENT = "Authorise it: sellersync auth login {slug}"


class TokenKeeper:
    """The `TokenSource` of one channel. `authoriser` is set by the composition root once the connector exists."""

    def __init__(self, ledger: Ledger, channel_id: int, slug: str, *, owner: str) -> None:
        self._ledger = ledger
        self._channel_id = channel_id
        self._slug = slug
        self._owner = owner
        self._journal = tokens.Journal(ledger)
        self._lock = asyncio.Lock()
        self._unstored: tuple[str, bytes] | None = None
        self._early_again = float("-inf")
        self.authoriser: Authoriser | None = None

    async def current(self) -> Token:
        """The newest stored token, renewed early when its time has come."""
        if self.authoriser is None:
            return Token("")
        token = await self._stored()
        now = self._ledger.clock.now()
        due = self.authoriser.refresh_at(token)
        if due is None or now < due or not token.refresh:
            return token
        still_good = token.access_ends_at is None or token.access_ends_at > now
        if still_good and self._ledger.clock.monotonic() < self._early_again:
            return token
        try:
            return await self.renewed(token)
        except Temporary:
            self._early_again = self._ledger.clock.monotonic() + EARLY_AGAIN_S
            if not still_good:
                raise
        except AuthNeeded as refused:
            # The seller has until the token's end to authorise again: work goes on, and the report says so now.
            self._early_again = self._ledger.clock.monotonic() + EARLY_AGAIN_S
            if not still_good:
                raise
            await self._ledger.write(partial(self._note_refused, why=str(refused)), name="token_refused")
        return token

    def _note_refused(self, session: Session, why: str) -> None:
        work.note_renewal_refused(session, self._channel_id, why, now_ms=self._ledger.now_ms())

    async def renewed(self, dead: Token) -> Token:
        """A token newer than `dead`. Two callers cause one refresh, in this process and across processes."""
        assert self.authoriser is not None
        async with self._lock:
            waited_until = self._ledger.clock.monotonic() + WAIT_FOR_OTHER_S_MAX
            while True:
                token = await self._stored()
                if token.serial > dead.serial:
                    return token
                if not token.refresh or not self.authoriser.refreshable:
                    raise AuthNeeded(
                        f"{self._slug}: the token is dead and cannot be renewed", todo=CONSENT.format(slug=self._slug)
                    )
                try:
                    lease = await self._lease()
                except Held as held:
                    if self._ledger.clock.monotonic() > waited_until:
                        raise Temporary(f"{self._slug}: {held}") from None
                    await self._ledger.clock.sleep(POLL_S)
                    continue
                try:
                    return await _to_the_end(self._refresh(await self._stored(), dead, lease))
                finally:
                    await self._ledger.write(partial(work.release_lease, lease=lease), name="token_release")

    async def _refresh(self, token: Token, dead: Token, lease: work.HeldLease) -> Token:
        if token.serial > dead.serial:
            return token
        recovered = await self._from_journal(token)
        if recovered is not None:
            return recovered
        step("token_refresh:in")
        try:
            raw = await self._ask(token, lease)
        except Uncertain:
            # The answer was lost; whether the refresh token is spent is not known, and asking once more tells.
            try:
                raw = await self._ask(token, lease)
            except Uncertain as again:
                raise Temporary(f"{self._slug}: no answer to the token refresh ({again.why})") from None
        self._keep_raw(tokens.digest_of(token.refresh), raw)
        step("token_refresh:journaled")
        try:
            return await self._keep(raw, token)
        except AuthNeeded:
            # Refused, perhaps because a process that held the lease before was answered after all.
            newest = await self._stored()
            found = newest if newest.serial > token.serial else await self._from_journal(token)
            if found is None:
                raise
            return found

    async def _ask(self, token: Token, lease: work.HeldLease) -> bytes:
        """Send one refresh, never one that could outlive the lease."""
        assert self.authoriser is not None
        if self._ledger.now_ms() + REFRESH_DEADLINE_S * 1000 > lease.until_ms:
            raise Temporary(f"{self._slug}: too late to refresh the token under this lease")
        return await self.authoriser.refresh(token)

    def _keep_raw(self, made_from: str, raw: bytes) -> None:
        """Make an answer durable. Where that fails the pair is still stored if it can be, and remembered by this process if not."""
        self._unstored = (made_from, raw)
        try:
            self._journal.append(self._channel_id, made_from, raw)
        except (OSError, Temporary) as failure:
            log.error("%s: the answer to the token refresh could not be journaled: %s", self._slug, failure)

    async def _from_journal(self, token: Token) -> Token | None:
        """The newest answer to a refresh with this very token that was never stored (a crash in between)."""
        assert self.authoriser is not None
        made_from = tokens.digest_of(token.refresh)
        answers = self._journal.answers_made_from(self._channel_id, made_from)
        if self._unstored is not None and self._unstored[0] == made_from and self._unstored[1] not in answers:
            answers.append(self._unstored[1])
        for raw in reversed(answers):
            try:
                grant = self.authoriser.read_grant(raw, now=self._ledger.clock.now(), previous=token)
            except (AuthNeeded, Temporary, Unrecognised):
                continue
            if (
                grant.access == token.access
            ):  # stored already: a provider that does not rotate gives the same refresh token
                return None
            return await self._store(grant, made_from=made_from)
        return None

    async def _keep(self, raw: bytes, previous: Token) -> Token:
        assert self.authoriser is not None
        now = self._ledger.clock.now()
        try:
            grant = self.authoriser.read_grant(raw, now=now, previous=previous)
        except AuthNeeded as refused:
            raise AuthNeeded(refused.why, todo=CONSENT.format(slug=self._slug)) from None
        return await self._store(grant, made_from=tokens.digest_of(previous.refresh))

    async def keep_consent(self, raw: bytes) -> Token:
        """Store the first pair after a person's consent. Raises what `read_grant` raises."""
        assert self.authoriser is not None
        self._keep_raw("", raw)
        grant = self.authoriser.read_grant(raw, now=self._ledger.clock.now(), previous=None)
        return await self._store(grant, made_from="")

    async def _store(self, grant: Token, *, made_from: str) -> Token:
        fields = _to_fields(grant)
        now_ms = self._ledger.now_ms()

        def store(session: Any) -> int | None:
            serial = tokens.store_pair(
                session,
                self._ledger,
                self._channel_id,
                fields,
                made_from=made_from,
                refresh_token=grant.refresh,
                now_ms=now_ms,
            )
            if serial is not None:
                work.clear_authorisation(session, self._channel_id, now_ms=now_ms)
            return serial

        serial = await self._ledger.write(store, name="token_store")
        self._unstored = None
        return replace(grant, serial=serial) if serial is not None else await self._stored()

    async def _stored(self) -> Token:
        pair = await self._ledger.read(lambda session: tokens.newest_pair(session, self._ledger, self._channel_id))
        if pair is not None:
            return _from_fields(pair)
        if self.authoriser is not None and self.authoriser.own_keys:
            return await self.keep_consent(await self.authoriser.exchange({}))
        raise AuthNeeded(f"{self._slug} was never authorised", todo=CONSENT.format(slug=self._slug))

    async def _lease(self) -> work.HeldLease:
        return await self._ledger.write(
            lambda session: work.take_lease(
                session,
                f"token:{self._channel_id}",
                self._owner,
                now_ms=self._ledger.now_ms(),
                ttl_ms=round(timedelta(seconds=2 * REFRESH_DEADLINE_S + 10) / timedelta(milliseconds=1)),
            ),
            name="token_lease",
        )


async def _to_the_end(refresh: Coroutine[Any, Any, Token]) -> Token:
    """A refresh once begun is finished and its pair stored; a cancellation follows afterwards."""
    task = asyncio.create_task(refresh)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else will look at it
        raise


_TIMES = ("access_ends_at", "refresh_ends_at", "issued_at")


def _to_fields(token: Token) -> dict[str, Any]:
    fields = asdict(token)
    del fields["serial"]
    for name in _TIMES:
        fields[name] = None if fields[name] is None else to_epoch_ms(fields[name])
    return fields


def _from_fields(pair: tokens.StoredPair) -> Token:
    fields = dict(pair.fields)
    for name in _TIMES:
        fields[name] = _at(fields[name])
    return Token(**fields, serial=pair.serial)


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_epoch_ms(ms, where="token")
