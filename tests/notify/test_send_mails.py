"""The trip of the mails with a real ledger and a real mail server: each mail once, and none that nobody should get."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from mail_server import DROP, running
from mail_shop import START, MailShop

from sellersync.domain.errors import BadInput, ConfigError
from sellersync.domain.orders import OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.store import mails, schema

MAILS = "order_confirmation", "shipping_notice"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and nothing in it."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> MailShop:
    made = MailShop(tmp_path, "sqlite:///ledger.db")
    made.init(template)
    made.clock.at += timedelta(minutes=1)
    return made


def test_confirmation_and_notice_go_out_once(shop: MailShop) -> None:
    shop.order()
    assert shop.send() == {"queued": 1, "sent": 1}
    shop.order(waybills=("JX1", "JX2"), version=1)
    assert shop.send() == {"queued": 2, "sent": 2}
    shop.order(waybills=("JX1", "JX2"), parcel_state=ParcelState.DELIVERED, state=OrderState.DELIVERED,
               stage=UnitStage.DELIVERED, version=2)  # fmt: skip
    assert shop.send() == {}
    assert shop.rows() == [(MAILS[0], "sent"), (MAILS[1], "sent"), (MAILS[1], "sent")]
    assert shop.server.recipients == ["siti@example.com"] * 3
    assert shop.server.mail(0)["Subject"] == "Pesanan INV-901 kami terima"
    notice = shop.server.mail(1).get_body(("plain",))
    assert notice is not None
    assert "JX1" in notice.get_content()
    assert "1 x Kopi 250 g" in notice.get_content()
    assert "JNE" in notice.get_content()


def test_mails_speak_the_language_of_the_shop(shop: MailShop) -> None:
    shop.order()
    shop.send(language="en")
    assert shop.server.mail()["Subject"] == "We have received your order INV-901"


def test_nothing_goes_out_while_it_is_switched_off(shop: MailShop) -> None:
    shop.order()
    assert shop.send(buyers=False) == {}
    with pytest.raises(ConfigError, match="enabled is false"):
        shop.send(enabled=False)
    assert shop.server.taken == []


def test_marketplace_buyers_are_never_written_to(shop: MailShop) -> None:
    shop.order("77", channel="shopee", waybills=("SPX1",))
    assert shop.send() == {}


@pytest.mark.parametrize("state", [OrderState.UNPAID, OrderState.CANCELLED, OrderState.CANCEL_REQUESTED, OrderState.UNKNOWN])  # fmt: skip
def test_an_order_that_is_not_accepted_is_not_confirmed(shop: MailShop, state: OrderState) -> None:
    shop.order(state=state)
    assert shop.send() == {}


def test_orders_from_before_the_switch_or_before_the_channel_are_not_mailed_about(shop: MailShop) -> None:
    """A first pull brings weeks of old orders."""
    shop.order("1", placed=START - timedelta(days=3), waybills=("JX1",))
    assert shop.send() == {}
    shop.clock.at += timedelta(hours=1)
    shop.send(buyers=False)
    shop.order("2", placed=shop.clock.at)
    shop.clock.at += timedelta(hours=1)
    assert shop.send() == {}, "an order of the pause"
    shop.order("3")
    assert shop.send() == {"queued": 1, "sent": 1}


def test_without_an_address_nobody_is_written_to(shop: MailShop) -> None:
    shop.order("1", email="")
    shop.order("2", email="a@b.co, c@d.co")
    assert shop.send() == {"queued": 2, "skipped": 2}
    assert shop.rows("state, detail") == [
        ("skipped", "the order has no mail address"),
        ("skipped", "it is no mail address"),
    ]


def test_an_order_cancelled_before_its_mail_went_out_is_not_confirmed(shop: MailShop) -> None:
    shop.order()
    shop.send_without_server()
    shop.order(state=OrderState.CANCELLED, stage=UnitStage.CANCELLED, version=1)
    shop.clock.at += timedelta(minutes=5)
    assert shop.send() == {"skipped": 1}


def test_a_mail_that_is_put_off_goes_out_later_with_growing_waits(shop: MailShop) -> None:
    shop.order()
    shop.server.rcpt = ["451 greylisted", "451 greylisted"]
    assert shop.send() == {"queued": 1, "later": 1}
    assert shop.send() == {}
    shop.clock.at += timedelta(seconds=61)
    assert shop.send() == {"later": 1}
    shop.clock.at += timedelta(seconds=61)
    assert shop.send() == {}
    shop.clock.at += timedelta(seconds=61)
    assert shop.send() == {"sent": 1}
    assert len(shop.server.taken) == 1
    assert shop.findings() == []


def test_a_mail_that_is_always_put_off_ends_as_a_finding(shop: MailShop) -> None:
    shop.order()
    shop.server.rcpt = ["451 greylisted"] * 50
    while shop.rows() != [(MAILS[0], "refused")]:
        shop.send()
        shop.clock.at += timedelta(minutes=30)
        assert shop.clock.at < START + timedelta(hours=5)
    assert [kind for kind, _ in shop.findings()] == ["mail_not_sent"]


def test_a_refused_mail_is_a_finding_with_the_address_masked_and_can_be_sent_again(shop: MailShop) -> None:
    shop.order()
    shop.server.rcpt = ["550 5.1.1 <siti@example.com> unknown"]
    assert shop.send() == {"queued": 1, "refused": 1}
    assert shop.send() == {}
    ((kind, details),) = shop.findings()
    assert kind == "mail_not_sent"
    assert "s***@example.com" in details
    assert "siti@" not in details + str(shop.rows("detail"))
    shop.do(lambda session, ledger: mails.send_again(session, 1, now_ms=ledger.now_ms()))
    assert shop.send() == {"sent": 1}
    assert shop.findings() == []


def test_a_lost_answer_is_never_sent_again_by_itself(shop: MailShop) -> None:
    shop.order()
    shop.server.data = [DROP]
    assert shop.send() == {"queued": 1, "unclear": 1}
    shop.clock.at += timedelta(days=1)
    assert shop.send() == {}
    assert [kind for kind, _ in shop.findings()] == ["mail_unclear"]
    assert len(shop.server.taken) == 1
    shop.do(lambda session, ledger: mails.send_again(session, 1, now_ms=ledger.now_ms()))
    assert shop.send() == {"sent": 1}
    assert shop.server.mail(0)["Message-ID"] == shop.server.mail(1)["Message-ID"]
    with pytest.raises(BadInput, match="is sent"):
        shop.do(lambda session, ledger: mails.send_again(session, 1, now_ms=ledger.now_ms()))


def test_a_server_that_is_down_is_one_finding_and_one_call_a_trip(shop: MailShop) -> None:
    for number in range(3):
        shop.order(str(number))
    assert shop.send_without_server() == {"queued": 3, "down": 1}
    assert [kind for kind, _ in shop.findings()] == ["mail_down"]
    shop.clock.at += timedelta(minutes=5)
    assert shop.send() == {"sent": 3}
    assert shop.findings() == []


@pytest.mark.parametrize(("place", "taken"), [("begin_mail:done", 0), ("settle_mail:in", 1)])
def test_a_mail_whose_process_was_killed_is_not_sent_twice(shop: MailShop, place: str, taken: int) -> None:
    """Killed between the commit and the call, and after the server took it: nobody can know, so nobody sends it again."""
    shop.order()

    async def killed() -> int:
        async with running(shop.server):
            shop.configure()
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(Path(__file__).parent / "mail_worker.py"), str(shop.config),
                env={**os.environ, "SELLERSYNC_DIE_AT": place, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
            return await process.wait()

    assert asyncio.run(killed()) == -signal.SIGKILL
    shop.clock.at = START + timedelta(
        seconds=10
    )  # before the deadline of that sending, by the clock of the process that died
    assert shop.rows() == [(MAILS[0], "sending")]
    assert shop.send() == {}
    shop.clock.at += timedelta(minutes=10)
    assert shop.send() == {"unclear": 1}
    assert shop.rows() == [(MAILS[0], "unclear")]
    assert len(shop.server.taken) == taken


def test_two_trips_at_once_send_each_mail_once(shop: MailShop) -> None:
    for number in range(6):
        shop.order(str(number))

    async def both() -> None:
        async with running(shop.server):
            shop.configure()
            await asyncio.gather(*(shop.trip() for _ in range(2)))

    asyncio.run(both())
    assert len(shop.server.taken) == 6
    assert len({shop.server.mail(index)["Message-ID"] for index in range(6)}) == 6
