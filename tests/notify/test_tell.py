"""Reports by the clock and findings as alerts, to real servers: each once, never a flood, and what is unclear stays so."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mail_server import DROP, running
from news_shop import NewsShop
from test_send_mails import template as template

from sellersync.cli import main
from sellersync.domain.errors import Temporary
from sellersync.report.words_id import FINDINGS
from sellersync.sandbox.kit import Fault, FaultKind

REPORTS = """
[report]
at = "07:00"
send_to = ["owner", "staff", "office"]
"""
TO_STAFF = '[alerts]\nto = ["staff"]\n'


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> Iterator[NewsShop]:
    with NewsShop(tmp_path).open(template) as made:
        yield made


# --------------------------------------------------------------------------------------------------------------------------- alerts


def test_an_alert_reaches_every_reader_once(shop: NewsShop) -> None:
    shop.opens("shortage", "KOPI <250>", short=3)
    assert shop.tell() == {}, "too young"
    shop.wait(minutes=6)
    assert shop.tell() == {"sent": 3}
    assert shop.tell() == {}
    (told,) = shop.telegram.chat
    assert told.bold == "Kopi <Gayo>: Terjual lebih dari yang ada. KOPI <250>: kurang 3 unit"
    assert "sellersync stock count 'KOPI <250>' QTY" in told.text
    mail = shop.mail.mail()
    assert shop.mail.recipients == ["owner@example.com"]
    rich = mail.get_body(("html",))
    assert rich is not None
    assert "KOPI &lt;250&gt;: kurang 3 unit" in rich.get_content()
    assert "<script" not in rich.get_content()
    assert [(body["kind"], body["language"]) for body in shop.hook.got] == [("alert", "id")]


def test_reminder_and_settlement(shop: NewsShop) -> None:
    shop.configure(TO_STAFF + "[report]\nhtml = false")
    shop.opens("courier_balance", "x", why="saldo habis")
    shop.wait(minutes=6)
    shop.tell()
    shop.wait(hours=25)
    assert shop.tell() == {"sent": 1}
    shop.closes("courier_balance", "x")
    assert shop.tell() == {"sent": 1}
    assert shop.tell() == {}
    title = FINDINGS["courier_balance"].title
    heads = [told.bold.removeprefix("Kopi <Gayo>: ").partition(".")[0] for told in shop.telegram.chat]
    assert heads == [title, f"Belum selesai: {title}", f"Selesai: {title}"]
    assert "selesai setelah 1 hari 1 jam" in shop.telegram.chat[-1].text


def test_many_of_one_kind_are_one_message(shop: NewsShop) -> None:
    shop.configure(TO_STAFF)
    shop.opens("shortage", *(f"SKU-{number}" for number in range(40)), short=1)
    shop.opens("bug", "pull_orders", what="x")
    shop.wait(minutes=6)
    assert shop.tell() == {"sent": 2}
    assert shop.telegram.chat[0].bold == "Kopi <Gayo>: Terjual lebih dari yang ada (40)"
    assert shop.rows("staff") == [("alert", "sent")] * 41
    shop.closes("shortage", *(f"SKU-{number}" for number in range(40)))
    assert shop.tell() == {"sent": 1}


def test_quiet_hours(shop: NewsShop) -> None:
    shop.configure(TO_STAFF + 'quiet_from = "22:00"\nquiet_until = "06:00"')
    shop.at_wib(21, 23)
    shop.opens("shortage", "KOPI", "TEH", short=1)
    shop.at_wib(22, 0, 30)
    assert shop.tell() == {}
    shop.closes("shortage", "TEH")
    shop.at_wib(22, 5, 59)
    assert shop.tell() == {}
    shop.at_wib(22, 6, 0)
    assert shop.tell() == {"sent": 1}
    assert "KOPI" in shop.telegram.chat[0].text


def test_a_lost_answer_is_shown_and_not_repeated(shop: NewsShop) -> None:
    shop.mail.data = [DROP]
    shop.telegram.faults = [Fault(FaultKind.DROP_AFTER)]
    shop.hook.faults = [Fault(FaultKind.HTTP_500_AFTER)]
    shop.opens("shortage", "KOPI", short=1)
    shop.wait(minutes=6)
    assert shop.tell() == {"unclear": 3}
    for _ in range(3):
        shop.wait(hours=1)
        assert shop.tell() == {}
    assert (len(shop.mail.taken), len(shop.telegram.chat), len(shop.hook.got)) == (1, 1, 1)
    open_kinds = shop.query("SELECT kind FROM finding WHERE closed_ms IS NULL AND kind LIKE 'message%'")
    assert open_kinds == [("message_unclear",)] * 3


def test_a_reader_who_cannot_be_reached_holds_up_nobody_and_gets_everything_later(shop: NewsShop) -> None:
    shop.telegram_answers(False)
    shop.opens("shortage", "KOPI", "TEH", short=1)
    shop.wait(minutes=6)
    assert shop.tell() == {"down": 1, "sent": 4}
    assert shop.query("SELECT subject FROM finding WHERE kind = 'notifier_down' AND closed_ms IS NULL") == [("staff",)]
    shop.telegram_answers(True)
    shop.wait(minutes=2)
    assert shop.tell() == {"sent": 2}
    assert shop.query("SELECT subject FROM finding WHERE kind = 'notifier_down' AND closed_ms IS NULL") == []


def test_a_reader_who_is_configured_no_more_is_forgotten(shop: NewsShop) -> None:
    shop.clock.at = datetime.now(UTC) - timedelta(minutes=10)  # the command reads the machine's clock
    shop.telegram_answers(False)
    shop.opens("shortage", "KOPI", short=1)
    shop.wait(minutes=6)
    shop.tell()
    shop.more = '[alerts]\nto = ["office"]'
    config = shop.config.read_text().replace("[notify.staff]", "[notify.staff]\nenabled = false")
    shop.configure()
    shop.config.write_text(config.replace('to = ["owner", "staff", "office"]', 'to = ["office"]'))
    assert main(["notify", "send", "--config", str(shop.config)]) == 0
    assert shop.rows("staff") == [("alert", "dropped")]
    assert shop.query("SELECT 1 FROM finding WHERE kind = 'notifier_down' AND closed_ms IS NULL") == []


# -------------------------------------------------------------------------------------------------------------------------- reports


def test_the_report_goes_out_once_a_day_to_each_reader(shop: NewsShop) -> None:
    shop.configure(REPORTS)
    assert shop.tell() == {}, "today's seven o'clock was before anybody was to get it"
    shop.at_wib(22, 6, 59)
    assert shop.tell() == {}
    shop.at_wib(22, 7, 0)
    assert shop.tell() == {"made": 1, "sent": 3}
    assert shop.tell() == {}
    shop.wait(hours=3)
    assert shop.tell() == {}
    assert shop.made == ["day 2026-11-21"]
    text, file = shop.telegram.chat
    assert (text.bold, file.file) == ("Laporan day 2026-11-21", "report-2026-11-21.html")
    assert [part.get_filename() for part in shop.mail.mail().iter_attachments()] == [
        "report-2026-11-21.html",
        "report-2026-11-21.xlsx",
    ]
    assert shop.hook.got[0]["attachments"] == []
    shop.at_wib(23, 7, 1)
    assert shop.tell() == {"made": 1, "sent": 3}


def test_a_machine_that_slept_for_days_sends_the_newest_alone(shop: NewsShop) -> None:
    shop.configure(REPORTS)
    shop.tell()
    shop.at_wib(26, 3, 0)
    assert shop.tell() == {"made": 1, "sent": 3}
    assert shop.made == ["day 2026-11-24"], "the one of yesterday at seven; today's is not due yet"


def test_weeks_and_months(shop: NewsShop) -> None:
    shop.configure('[report]\nhtml = false\nweekly_to = ["staff"]\nmonthly_to = ["office"]')
    shop.tell()
    shop.at_wib(22, 12)
    assert shop.tell() == {}
    shop.at_wib(23, 7)  # a Monday
    assert shop.tell() == {"made": 1, "sent": 1}
    shop.at_wib(31, 7)  # 1 December, a Tuesday; the Monday between was slept over
    assert shop.tell() == {"made": 2, "sent": 2}
    assert shop.made == ["week 2026-W47", "week 2026-W48", "month 2026-11"]


@pytest.mark.parametrize("failure", [Temporary("the disk is full"), RuntimeError("sellersync report ended with 70")])
def test_a_report_that_cannot_be_made_is_tried_again_and_named(shop: NewsShop, failure: Exception) -> None:
    shop.configure(REPORTS + TO_STAFF)
    shop.tell()
    shop.opens("bug", "pull_orders", what="x")
    shop.at_wib(22, 7)
    shop.make_fails, shop.make_failure = 1, failure
    assert shop.tell() == {"sent": 1}, "the alert goes out"
    shop.closes("bug", "pull_orders")
    shop.tell()
    assert shop.query("SELECT kind, subject FROM finding WHERE closed_ms IS NULL") == [
        ("report_not_made", "day 2026-11-21")
    ]
    shop.wait(minutes=2)
    assert shop.tell() == {"made": 1, "sent": 3}
    assert shop.query("SELECT kind FROM finding WHERE closed_ms IS NULL") == []


def test_files_that_are_gone_are_made_again(shop: NewsShop) -> None:
    shop.configure(REPORTS)
    shop.tell()
    shop.at_wib(22, 7)
    shop.telegram_answers(False)
    shop.tell()
    shop.telegram_answers(True)
    for path in (shop.folder / "state" / "reports").iterdir():
        path.unlink()
    shop.wait(hours=1)
    assert shop.tell() == {}
    shop.wait(hours=1)
    assert shop.tell() == {"made": 1, "sent": 1}
    assert len(shop.telegram.chat) == 2


def test_a_new_reader_gets_no_old_report(shop: NewsShop) -> None:
    shop.configure('[report]\nsend_to = ["office"]')
    shop.tell()
    shop.at_wib(22, 8)
    shop.tell()
    shop.configure(REPORTS)
    assert shop.tell() == {}
    shop.at_wib(23, 8)
    assert shop.tell() == {"made": 1, "sent": 3}


# ----------------------------------------------------------------------------------------------------------------------------- kills


@pytest.mark.parametrize("reader", ["owner", "staff", "office"])
@pytest.mark.parametrize("place", ["begin_message:done", "settle_message:in"])
def test_a_process_killed_while_sending_floods_nobody(shop: NewsShop, reader: str, place: str) -> None:
    """Before the sending nothing arrives, after it one message; either way nobody knows, so nobody repeats it."""
    shop.configure(f'[alerts]\nto = ["{reader}"]')
    shop.opens("shortage", "KOPI", short=1)
    shop.wait(minutes=6)
    killed_while_telling(shop, place)
    arrived = len(shop.mail.taken) + len(shop.telegram.chat) + len(shop.hook.got)
    assert arrived == (1 if place.startswith("settle") else 0)
    assert shop.rows(reader) == [("alert", "sending")]
    assert shop.tell() == {}
    shop.wait(hours=1)
    assert shop.tell() == {}
    assert shop.rows(reader) == [("alert", "unclear")]
    assert len(shop.mail.taken) + len(shop.telegram.chat) + len(shop.hook.got) == arrived


def killed_while_telling(shop: NewsShop, place: str) -> None:
    """A look in a process of its own, which dies at a place."""

    async def go() -> int:
        async with running(shop.mail):
            shop.configure()
            worker = Path(__file__).with_name("news_worker.py")
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, str(worker), str(shop.config), shop.clock.at.isoformat()),
                env={**os.environ, "SELLERSYNC_DIE_AT": place, "PYTHONPATH": os.pathsep.join(sys.path)},
                stderr=subprocess.PIPE,
            )
            _, told = await asyncio.wait_for(child.communicate(), 30)
            assert child.returncode == -signal.SIGKILL, told.decode()
            return child.returncode

    asyncio.run(go())
