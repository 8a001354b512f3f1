"""One refresher per shop across all processes; the raw answer is durable before it is parsed, the pair is stored before it is used."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sellersync.connector.contract import Authoriser, Token
from sellersync.domain.errors import AuthNeeded, Held, Temporary, Uncertain
from sellersync.domain.times import from_epoch_ms, to_epoch_ms
from sellersync.store import tokens, work
from sellersync.store.ledger import Ledger, step

REFRESH_DEADLINE_S = 60.0
WAIT_FOR_OTHER_S_MAX = 90.0
POLL_S = 0.5
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
        try:
            return await self.renewed(token)
        except Temporary:
            if token.access_ends_at is None or token.access_ends_at > now:
                return token  # still good; the next call tries again
            raise

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
                    return await self._refresh(await self._stored(), dead)
                finally:
                    await self._ledger.write(partial(work.release_lease, lease=lease), name="token_release")

    async def _refresh(self, token: Token, dead: Token) -> Token:
        if token.serial > dead.serial:
            return token
        recovered = await self._from_journal(token)
        if recovered is not None:
            return recovered
        assert self.authoriser is not None
        made_from = tokens.digest_of(token.refresh)
        step("token_refresh:in")
        try:
            raw = await self.authoriser.refresh(token)
        except Uncertain:
            # The answer was lost; whether the refresh token is spent is not known, and asking once more tells.
            try:
                raw = await self.authoriser.refresh(token)
            except Uncertain as again:
                raise Temporary(f"{self._slug}: no answer to the token refresh ({again.why})") from None
        self._journal.append(self._channel_id, made_from, raw)
        step("token_refresh:journaled")
        return await self._keep(raw, token)

    async def _from_journal(self, token: Token) -> Token | None:
        """An answer to a refresh with this very token that was journaled and never stored (a crash in between)."""
        made_from = tokens.digest_of(token.refresh)
        for raw in reversed(self._journal.answers_made_from(self._channel_id, made_from)):
            try:
                return await self._keep(raw, token)
            except (AuthNeeded, Temporary):
                continue
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
        self._journal.append(self._channel_id, "", raw)
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
            work.clear_authorisation(session, self._channel_id, now_ms=now_ms)
            return serial

        serial = await self._ledger.write(store, name="token_store")
        return replace(grant, serial=serial) if serial is not None else await self._stored()

    async def _stored(self) -> Token:
        pair = await self._ledger.read(lambda session: tokens.newest_pair(session, self._ledger, self._channel_id))
        if pair is None:
            raise AuthNeeded(f"{self._slug} was never authorised", todo=CONSENT.format(slug=self._slug))
        return _from_fields(pair)

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
