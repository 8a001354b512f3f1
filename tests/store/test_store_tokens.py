"""Tokens: sealed, three pairs kept, raw answers durable before they are read, and one refresh for all who ask (L10)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import worker
from ledger_bench import Bench, open_ledger
from token_server import LIFETIME, TokenServer

from sellersync.clock import SystemClock
from sellersync.connector.contract import Token
from sellersync.domain.errors import AuthNeeded, ConfigError, Temporary, Unrecognised
from sellersync.jobs import tokens as jobs
from sellersync.jobs.tokens import TokenKeeper
from sellersync.store import tokens, work
from sellersync.store.ledger import Ledger
from sellersync.store.vault import Vault

COMMAND = "sellersync auth login shopee"


# ----------------------------------------------------------------------------------------------------------------------- pairs at rest


def store(bench: Bench, number: int, *, made_from: str) -> int | None:
    fields: dict[str, Any] = {"access": f"access-{number}", "refresh": f"refresh-{number}", "issued_at": bench.now_ms()}
    fields |= dict.fromkeys(("access_ends_at", "refresh_ends_at"))
    return bench.write(
        lambda session: tokens.store_pair(
            session,
            bench.ledger,
            bench.channels["shopee"],
            fields,
            made_from=tokens.digest_of(made_from) if made_from else "",
            refresh_token=f"refresh-{number}",
            now_ms=bench.now_ms(),
        )
    )


def newest(bench: Bench) -> Any:
    return bench.read(lambda session: tokens.newest_pair(session, bench.ledger, bench.channels["shopee"]))


def test_a_pair_is_stored_only_if_it_was_made_from_the_stored_one(bench: Bench) -> None:
    assert newest(bench) is None
    assert store(bench, 1, made_from="") == 1
    assert store(bench, 2, made_from="refresh-1") == 2
    assert store(bench, 9, made_from="refresh-1") is None  # an answer that came too late
    assert (newest(bench).serial, newest(bench).fields["access"]) == (2, "access-2")
    assert store(bench, 5, made_from="") == 3  # a person consented anew


def test_the_newest_three_pairs_are_kept(bench: Bench) -> None:
    store(bench, 1, made_from="")
    for number in range(2, 7):
        store(bench, number, made_from=f"refresh-{number - 1}")
    assert [row[0] for row in bench.query("SELECT serial FROM token ORDER BY serial")] == [4, 5, 6]


def test_no_token_lies_in_the_database_or_the_journal_readable(bench: Bench) -> None:
    store(bench, 1, made_from="")
    tokens.Journal(bench.ledger).append(bench.channels["shopee"], "", b'{"access": "access-1", "refresh": "refresh-1"}')
    kept = repr(bench.query("SELECT * FROM token")) + repr(bench.query("SELECT * FROM token_journal"))
    if bench.ledger.sqlite:
        for path in Path(str(bench.ledger.url.database)).parent.iterdir():
            kept += path.read_bytes().decode("latin-1")
    assert "access-1" not in kept
    assert "refresh-1" not in kept


def test_another_vault_key_opens_nothing_and_says_so(bench: Bench) -> None:
    store(bench, 1, made_from="")
    other = Ledger(
        bench.ledger.url.render_as_string(hide_password=False), clock=bench.clock, vault=Vault.from_hex("77" * 32)
    )
    try:
        with pytest.raises(ConfigError, match="vault key does not open"):
            other.read_now(lambda session: tokens.newest_pair(session, other, bench.channels["shopee"]))
    finally:
        other.close()


# --------------------------------------------------------------------------------------------------------------------------- the journal


def test_the_journal_gives_back_the_answers_made_from_a_token_oldest_first(bench: Bench) -> None:
    journal = tokens.Journal(bench.ledger)
    for channel, made_from, raw in [(1, "a", b"one"), (1, "b", b"two"), (2, "a", b"three"), (1, "a", b"four")]:
        journal.append(channel, made_from, raw)
    again = tokens.Journal(bench.ledger)
    assert again.answers_made_from(1, "a") == [b"one", b"four"]
    assert again.answers_made_from(2, "b") == []


def journal_file(bench: Bench) -> Path:
    return Path(f"{bench.ledger.url.database}.token-journal")


@pytest.mark.parametrize("torn", [b'{"channel": 1, "made_f', b"\x00\x00\x00\x00", b"\xff\xfe{"])
def test_a_line_torn_by_a_power_loss_hides_neither_the_lines_before_nor_after_it(
    sqlite_bench: Bench, torn: bytes
) -> None:
    journal = tokens.Journal(sqlite_bench.ledger)
    journal.append(1, "a", b"one")
    with journal_file(sqlite_bench).open("ab") as file:
        file.write(torn)
    journal.append(1, "a", b"two")
    assert journal.answers_made_from(1, "a") == [b"one", b"two"]


def test_the_journal_is_for_its_owner_alone(sqlite_bench: Bench) -> None:
    tokens.Journal(sqlite_bench.ledger).append(1, "a", b"one")
    assert journal_file(sqlite_bench).stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------------------------------------------------------------------ keepers


@pytest.fixture
def server(tmp_path: Path) -> TokenServer:
    return TokenServer(tmp_path / "provider.json")


@pytest.fixture
def shop(bench: Bench, server: TokenServer) -> Bench:
    """A channel whose first pair was consented to."""
    asyncio.run(keeper(bench, server).keep_consent(server.grant()))
    return bench


def keeper(bench: Bench, server: TokenServer, *, owner: str = "one", ledger: Ledger | None = None) -> TokenKeeper:
    made = TokenKeeper(ledger or bench.ledger, bench.channels["shopee"], "shopee", owner=owner)
    made.authoriser = server
    return made


@contextlib.contextmanager
def in_real_time(bench: Bench, *, busy_timeout_s: float | None = None) -> Iterator[Ledger]:
    """A ledger of another process, as far as the database can tell."""
    url = bench.ledger.url.render_as_string(hide_password=False)
    ledger = open_ledger(url, SystemClock(), busy_timeout_s=busy_timeout_s)
    try:
        yield ledger
    finally:
        ledger.close()


def renew(bench: Bench, server: TokenServer, *, dead: int = 1) -> Token:
    return asyncio.run(keeper(bench, server).renewed(Token("", serial=dead)))


def test_a_channel_that_was_never_authorised_names_the_command(bench: Bench, server: TokenServer) -> None:
    with pytest.raises(AuthNeeded, match=COMMAND):
        asyncio.run(keeper(bench, server).current())


def test_a_token_is_renewed_early_and_stored_before_it_is_used(shop: Bench, server: TokenServer) -> None:
    assert asyncio.run(keeper(shop, server).current()).access == "access-1"
    shop.clock.advance(seconds=LIFETIME.total_seconds() / 2 + 1)
    token = asyncio.run(keeper(shop, server).current())
    assert (token.access, token.serial, server.asked) == ("access-2", 2, 1)
    assert newest(shop).fields["refresh"] == "refresh-2"


@pytest.mark.parametrize(("late", "access"), [(timedelta(hours=3), "access-1"), (timedelta(hours=5), None)])
def test_while_the_refresh_fails_the_old_token_serves_to_its_end(
    shop: Bench, server: TokenServer, late: timedelta, access: str | None
) -> None:
    shop.clock.advance(seconds=late.total_seconds())
    server.faults = ["temporary"]
    if access is None:
        with pytest.raises(Temporary):
            asyncio.run(keeper(shop, server).current())
    else:
        assert asyncio.run(keeper(shop, server).current()).access == access
    assert asyncio.run(keeper(shop, server).current()).access == "access-2"


def test_b12_ten_callers_with_a_dead_token_cause_one_refresh(shop: Bench, server: TokenServer) -> None:
    server.takes_s = 0.05

    async def body() -> list[Token]:
        one = keeper(shop, server)
        dead = await one.current()
        return await asyncio.gather(*(one.renewed(dead) for _ in range(10)))

    assert {token.access for token in asyncio.run(body())} == {"access-2"}
    assert server.asked == 1


def test_b12_two_keepers_on_one_ledger_cause_one_refresh(shop: Bench, server: TokenServer) -> None:
    server.takes_s = 0.2

    async def body() -> list[Token]:
        with in_real_time(shop) as first, in_real_time(shop) as second:
            both = [keeper(shop, server, owner=name, ledger=where) for name, where in (("one", first), ("two", second))]
            return await asyncio.gather(*(one.renewed(Token("", serial=1)) for one in both for _ in range(3)))

    assert {token.access for token in asyncio.run(body())} == {"access-2"}
    assert server.asked == 1


def test_b12_two_processes_cause_one_refresh(shop: Bench, server: TokenServer) -> None:
    url = shop.ledger.url.render_as_string(hide_password=False)
    processes = [worker.start("refresh", url, shop.channels["shopee"], server.path, f"process-{n}") for n in range(2)]
    assert [worker.finish(process).split() for process in processes] == [["started", "access-2"]] * 2
    assert server.asked == 1


def test_b11_a_pair_that_another_process_stored_is_used_without_a_refresh(shop: Bench, server: TokenServer) -> None:
    here = keeper(shop, server)
    assert asyncio.run(here.current()).access == "access-1"
    renew(shop, server)
    assert asyncio.run(here.current()).access == "access-2"
    assert asyncio.run(here.renewed(Token("", serial=1))).access == "access-2"
    assert server.asked == 1


@pytest.mark.parametrize(
    ("step", "asked"),
    [("token_refresh:in", 0), ("token_refresh:journaled", 1), ("token_store:in", 1), ("token_store:done", 1)],
)
def test_a_kill_between_the_answer_and_the_store_loses_no_pair(
    shop: Bench, server: TokenServer, step: str, asked: int
) -> None:
    url = shop.ledger.url.render_as_string(hide_password=False)
    process = worker.start("refresh", url, shop.channels["shopee"], server.path, "killed", die_at=step)
    worker.finish(process, code=-9)
    assert server.asked == asked
    shop.write(lambda session: work.free_leases_of(session, "killed"))
    assert renew(shop, server).access == "access-2"
    assert server.asked == 1
    assert newest(shop).fields == {**newest(shop).fields, "access": "access-2", "refresh": "refresh-2"}


def test_a_refresh_that_was_begun_is_finished_although_its_caller_is_cancelled(
    shop: Bench, server: TokenServer
) -> None:
    server.takes_s = 0.2

    async def body() -> None:
        under_way = asyncio.Event()
        server.during = under_way.set
        task = asyncio.create_task(keeper(shop, server).renewed(Token("", serial=1)))
        await under_way.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert newest(shop).fields["access"] == "access-2"


def test_a_refused_refresh_names_the_command_and_keeps_what_is_stored(shop: Bench, server: TokenServer) -> None:
    server.faults = ["revoked"]
    with pytest.raises(AuthNeeded, match=COMMAND):
        renew(shop, server)
    assert newest(shop).fields["access"] == "access-1"
    assert shop.value("SELECT owner FROM lease WHERE name LIKE 'token:%'") == ""  # the next try need not wait


def test_a_renewal_refused_ahead_of_time_leaves_hours_to_authorise_again(shop: Bench, server: TokenServer) -> None:
    """The seller at 2 a.m.: the refresh token is dead, the access token is good for two more hours, and work goes on."""

    async def body() -> None:
        one = keeper(shop, server)
        shop.clock.advance(hours=2, minutes=1)
        server.faults = ["revoked", "revoked"]
        for _ in range(3):
            assert (await one.current()).access == "access-1"
        assert server.asked == 1  # not asked again with every call
        assert shop.value("SELECT COUNT(*) FROM finding WHERE kind = 'renewal_refused' AND closed_ms IS NULL") == 1
        shop.clock.advance(hours=2)
        with pytest.raises(AuthNeeded, match=COMMAND):
            await one.current()
        await one.keep_consent(server.grant())
        assert shop.value("SELECT COUNT(*) FROM finding WHERE kind = 'renewal_refused' AND closed_ms IS NULL") == 0

    asyncio.run(body())


def test_a_lost_answer_is_asked_for_once_more(shop: Bench, server: TokenServer) -> None:
    server.faults = ["dropped"]
    assert renew(shop, server).access == "access-2"
    assert server.asked == 2


def test_a_lost_answer_of_a_spent_token_needs_a_new_consent(shop: Bench, server: TokenServer) -> None:
    server.faults = ["lost"]
    with pytest.raises(AuthNeeded, match=COMMAND):
        renew(shop, server)
    assert server.asked == 2
    asyncio.run(keeper(shop, server).keep_consent(server.grant()))
    assert asyncio.run(keeper(shop, server).current()).access == "access-2"


def test_two_lost_answers_are_tried_again_later(shop: Bench, server: TokenServer) -> None:
    server.faults = ["dropped", "dropped"]
    with pytest.raises(Temporary, match="no answer to the token refresh"):
        renew(shop, server)
    assert server.asked == 2
    assert renew(shop, server).access == "access-2"


def test_an_unreadable_answer_does_not_block_the_next_refresh(shop: Bench, server: TokenServer) -> None:
    server.faults = ["html"]
    with pytest.raises(Unrecognised):
        renew(shop, server)
    server.path.write_text('{"number": 1, "asked": 0}')  # the maintenance page had processed nothing
    assert renew(shop, server).access == "access-2"


def test_a_provider_that_never_changes_its_refresh_token_is_asked_each_time(bench: Bench, tmp_path: Path) -> None:
    server = TokenServer(tmp_path / "steady.json", rotating=False)
    asyncio.run(keeper(bench, server).keep_consent(server.grant()))
    assert [renew(bench, server, dead=serial).access for serial in (1, 2, 3)] == ["access-2", "access-3", "access-4"]
    assert server.asked == 3


def test_an_answer_to_a_former_holder_serves_when_ours_is_refused(shop: Bench, server: TokenServer) -> None:
    """A process that stood still over the end of its lease was answered after all; our own refresh came second."""
    journal = tokens.Journal(shop.ledger)

    def former() -> None:
        raw = b'{"access": "access-2", "refresh": "refresh-2"}'
        journal.append(shop.channels["shopee"], tokens.digest_of("refresh-1"), raw)

    server.faults = ["revoked"]
    server.during = former
    assert renew(shop, server).access == "access-2"


def test_no_refresh_is_begun_that_could_outlive_its_lease(shop: Bench, server: TokenServer) -> None:
    server.faults = ["dropped"]

    def slow() -> None:
        shop.clock.advance(seconds=2 * jobs.REFRESH_DEADLINE_S)

    server.during = slow
    with pytest.raises(Temporary, match="too late"):
        renew(shop, server)
    assert server.asked == 1


def test_where_the_journal_cannot_be_written_the_pair_is_stored_all_the_same(
    sqlite_bench: Bench, server: TokenServer
) -> None:
    bench = sqlite_bench
    asyncio.run(keeper(bench, server).keep_consent(server.grant()))
    journal_file(bench).unlink()
    journal_file(bench).mkdir()
    one = keeper(bench, server)
    with pytest.raises(IsADirectoryError):  # reading it is refused first, before anything was sent
        asyncio.run(one.renewed(Token("", serial=1)))
    assert server.asked == 0
    journal_file(bench).rmdir()
    server.during = journal_file(bench).mkdir  # the disk breaks while the answer is on its way
    assert asyncio.run(one.renewed(Token("", serial=1))).access == "access-2"


def test_a_pair_that_could_not_be_stored_is_recovered_without_a_second_refresh(
    shop: Bench, server: TokenServer
) -> None:
    """The database is busy just when the answer has come: on SQLite the journal has it, on PostgreSQL the process."""
    url = shop.ledger.url.render_as_string(hide_password=False)

    async def body() -> Token:
        with in_real_time(shop, busy_timeout_s=0.3) as ledger:
            one = keeper(shop, server, ledger=ledger)
            holders: list[Any] = []

            def busy() -> None:
                holders.append(worker.start("hold_tokens", url, 2.5))
                assert worker.first_line(holders[0]) == "holding"

            server.during = busy
            with pytest.raises(Temporary):
                await one.renewed(Token("", serial=1))
            worker.finish(holders[0])
            server.during = lambda: None
            shop.write(lambda session: work.free_leases_of(session, "one"))
            return await one.renewed(Token("", serial=1))

    assert asyncio.run(body()).access == "access-2"
    assert server.asked == 1


def needs_authorisation(shop: Bench) -> None:
    channel = shop.channels["shopee"]
    shop.write(
        lambda session: work.note_trouble(session, channel, "refused", now_ms=shop.now_ms(), needs_authorisation=True)
    )


def test_a_new_pair_ends_the_need_of_authorisation(shop: Bench, server: TokenServer) -> None:
    needs_authorisation(shop)
    assert shop.findings("needs_authorisation") == ["channel"]
    renew(shop, server)
    assert shop.findings("needs_authorisation") == []
    assert shop.value("SELECT state FROM channel WHERE slug = 'shopee'") == "ok"


def test_an_outdated_pair_is_dropped_and_ends_nothing(shop: Bench, server: TokenServer) -> None:
    """A person consented while the refresh was under way, and the provider refused that too."""

    def consent() -> None:
        store(shop, 7, made_from="")
        needs_authorisation(shop)

    server.during = consent
    assert renew(shop, server).access == "access-7"
    assert shop.findings("needs_authorisation") == ["channel"]
