"""What mails say, and that nothing a stranger wrote becomes a header or markup."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.notify.contract import Sender
from sellersync.notify.letters import BadAddress, Item, Kind, Letter, compose, masked, message_id, plain_address

SENDER = Sender("toko@example.com", "Kopi “Gayo”", "tanya@example.com")
AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HEADERS = {"From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language",
           "MIME-Version", "Content-Type"}  # fmt: skip


def written(letter: Letter, to: str = "siti@example.com") -> EmailMessage:
    """The mail as the buyer's program reads it from the wire."""
    wire = compose(letter, SENDER, to, message_id="<1@example.com>", written_at=AT).as_bytes(policy=policy.SMTP)
    message = message_from_bytes(wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def letter(kind: Kind = Kind.ORDER_CONFIRMATION, language: str = "id", **more: object) -> Letter:
    values: dict[str, object] = {
        "kind": kind, "language": language, "shop": "Kopi Gayo", "order": "INV-9", "buyer": "Siti Nurhaliza",
        "items": (Item("Kopi 250 g", 2, 96_000), Item("Filter", 1)), "courier": "JNE REG", "waybill": "JX123",
        "shipping_fee": 10_000, "total": 106_000,
    }  # fmt: skip
    return Letter(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "subject", "said"),
    [
        ("id", "Pesanan INV-9 kami terima", ("Halo Siti Nurhaliza,", "Ongkos kirim", "Rp106.000", "2 x Kopi 250 g")),
        ("en", "We have received your order INV-9", ("Hello Siti Nurhaliza,", "Shipping", "Rp106.000", "2 x Kopi 250 g")),
    ],
)  # fmt: skip
def test_a_confirmation_in_both_languages(language: str, subject: str, said: tuple[str, ...]) -> None:
    message = written(letter(language=language))
    assert message["Subject"] == subject
    assert message["Content-Language"] == language
    for words in said:
        assert words in part(message, "plain")
    assert "Rp106.000" in part(message, "html")


@pytest.mark.parametrize(("language", "word"), [("id", "Nomor resi"), ("en", "Waybill")])
def test_a_shipping_notice_names_courier_and_waybill(language: str, word: str) -> None:
    message = written(letter(Kind.SHIPPING_NOTICE, language, total=None))
    for form in ("plain", "html"):
        said = part(message, form)
        assert word in said
        assert "JX123" in said
        assert "JNE REG" in said
        assert "Rp" not in said


def test_cash_on_delivery_is_named() -> None:
    assert "COD" in part(written(letter(cod=True)), "plain")
    notice = part(written(letter(Kind.SHIPPING_NOTICE, cod=True, total=106_000)), "plain")
    assert "Siapkan Rp106.000" in notice


def test_what_is_unknown_is_left_out() -> None:
    said = part(written(letter(shipping_fee=None, total=None, buyer="", items=())), "plain")
    assert said.startswith("Halo,")
    assert "Rp" not in said
    assert "None" not in said


def test_umlauts_and_emoji_arrive_in_names_subjects_and_texts() -> None:
    message = written(letter(buyer="Zoë Ñandú 李", order="ПО-1 🎁"))
    assert message["To"].addresses[0].display_name == "Zoë Ñandú 李"
    assert message["From"].addresses[0].display_name == "Kopi “Gayo”"
    assert message["Subject"] == "Pesanan ПО-1 🎁 kami terima"
    assert "Zoë Ñandú 李" in part(message, "plain")


def test_markup_is_text() -> None:
    message = written(letter(buyer="<script>alert(1)</script>", items=(Item("<img src=x>", 1),)))
    html = part(message, "html")
    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;img src=x&gt;" in html


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_name_and_no_order_number_makes_a_header(name: str, order: str) -> None:
    evil = "\r\nBcc: someone@example.org\r\n\r\nbody"
    message = written(letter(buyer=name + evil, order=order + evil))
    assert set(message.keys()) == HEADERS
    assert [address.addr_spec for address in message["To"].addresses] == ["siti@example.com"]


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@b", "@b.co", "a@@b.co", "a b@c.co", "a@b.co, c@d.co", "a@b.co\r\nRCPT TO:<c@d.co>", "<a@b.co>",
     "a@b .co", "sité@b.co", "a@" + "b" * 260 + ".co"],
)  # fmt: skip
def test_what_is_no_address_is_not_written_to(address: str) -> None:
    with pytest.raises(BadAddress) as raised:
        plain_address(address)
    if "@" in address:
        assert address not in str(raised.value)


def test_addresses_as_the_wire_wants_them() -> None:
    assert plain_address(" siti.n+kopi@example.com ") == "siti.n+kopi@example.com"
    assert plain_address("a@bücher.example") == "a@xn--bcher-kva.example"
    assert masked("siti@example.com") == "s***@example.com"


def test_the_id_of_a_mail_is_its_own_and_stays() -> None:
    one = message_id("install", "901", Kind.ORDER_CONFIRMATION, 0, SENDER)
    assert one == message_id("install", "901", Kind.ORDER_CONFIRMATION, 0, SENDER)
    assert one.endswith("@example.com>")
    others = {
        message_id("other", "901", Kind.ORDER_CONFIRMATION, 0, SENDER),
        message_id("install", "902", Kind.ORDER_CONFIRMATION, 0, SENDER),
        message_id("install", "901", Kind.SHIPPING_NOTICE, 0, SENDER),
        message_id("install", "901", Kind.ORDER_CONFIRMATION, 1, SENDER),
    }
    assert len({one, *others}) == 5


def test_no_buyer_in_a_repr() -> None:
    assert "Siti" not in repr(letter())
