"""Mails at the command line."""

from __future__ import annotations

import socket
from typing import Any

from conftest import Desk

from sellersync.store import mails

MAIL = """
[mail]
enabled = {enabled}
buyers = true
host = "127.0.0.1"
port = {port}
security = "none"
from_address = "toko@example.com"
"""


def configure(desk: Desk, port: int, *, enabled: bool = True) -> None:
    text = desk.config.read_text().split("\n[mail]")[0]
    desk.config.write_text(text + MAIL.format(port=port, enabled=str(enabled).lower()))


def queued(desk: Desk, state: str) -> None:
    """A mail about order 901 in a state."""
    ledger = desk.ledger()

    def write(session: Any) -> None:
        mails.note_switch(session, on=True, now_ms=1)
        mails.queue_due(
            session, [1], language="en", message_id=lambda *parts: "<1@example.com>", now_ms=ledger.now_ms(), limit=5
        )

    desk.change("UPDATE channel SET created_ms = 1")
    ledger.write_now(write)
    ledger.close()
    desk.change(f"UPDATE mail SET state = '{state}', detail = 'said so'")


def test_without_mail_the_list_says_how_to_switch_it_on(desk: Desk) -> None:
    assert "[mail] enabled and buyers" in desk.run("mails", "list")[0]


def test_a_refused_mail_is_listed_and_sent_again(desk: Desk) -> None:
    configure(desk, 25)
    queued(desk, "refused")
    out, _ = desk.run("mails", "list")
    assert "order confirmation" in out
    assert "INV-901" in out
    assert "sellersync mails resend ID" in out
    assert desk.json("mails", "list", "--order", "INV-901")[0]["state"] == "refused"
    assert "was refused" in desk.run("mails", "resend", "1")[0]
    assert "is queued" in desk.run("mails", "resend", "1", expect=2)[1]
    assert "no mail 'x'" in desk.run("mails", "resend", "x", expect=2)[1]


def test_an_unclear_mail_is_not_sent_again_unasked(desk: Desk) -> None:
    configure(desk, 25)
    queued(desk, "unclear")
    assert "--yes" in desk.run("mails", "resend", "1", expect=2)[1]
    assert desk.json("mails", "resend", "1", "--yes") == {"mail": 1, "was": "unclear"}


def test_nothing_is_sent_again_while_mail_is_off(desk: Desk) -> None:
    configure(desk, 25, enabled=False)
    assert "enabled is false" in desk.run("mails", "resend", "1", expect=2)[1]


def test_a_test_mail_needs_a_server(desk: Desk) -> None:
    _, err = desk.run("mails", "test", "--to", "a@example.com", expect=2)
    assert "host and from_address are needed" in err


def test_mails_are_sent_now_by_hand(desk: Desk) -> None:
    """Nobody listens on the port: nothing is lost, and the answer says why."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # never listens
        configure(desk, taken.getsockname()[1])
        queued(desk, "queued")
        [row] = desk.json("sync", "mails", expect=3)["results"]
    assert (row["job"], row["channel"], row["outcome"], row["counts"]["down"]) == ("mails", "-", "temporary", 1)
    assert [mail["state"] for mail in desk.json("mails", "list")] == ["queued"]


def test_mails_that_are_switched_off_are_not_sent_by_hand(desk: Desk) -> None:
    configure(desk, 25, enabled=False)
    assert "[mail] enabled is false" in desk.run("sync", "mails", expect=2)[1]


def test_an_own_site_has_no_labels_to_fetch(desk: Desk) -> None:
    assert desk.json("sync", "labels") == {"ok": True, "results": []}
