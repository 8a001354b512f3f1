"""Why a unit was sold twice, in a sentence for staff and what to do about it, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sellersync.domain.oversell import Cause, Oversell

from .model import Language


class CauseWords(NamedTuple):
    """`name` for a table, `why` with the values of the case, `todo` for a person."""

    name: str
    why: str
    todo: str


CAUSES: Mapping[Language, Mapping[Cause, CauseWords]] = {
    "en": {
        Cause.UNPAID_HOLD: CauseWords(
            "hold ran out",
            "Order {second} on {second_channel} was paid after its hold had run out and its unit was sold.",
            "A longer hold keeps units for those who pay late; decide who gets it.",
        ),
        Cause.COUNT_ERROR: CauseWords(
            "count",
            "A count or adjustment took away what order {second} on {second_channel} had bought: it did not lie there.",
            "Look for the unit, then count again; a buffer helps where counts are often wrong.",
        ),
        Cause.MAPPING: CauseWords(
            "not mapped",
            "A listing without a SKU was sold: {sku} was taken from the shelf only once it was mapped.",
            "Map listings before they go on sale: sellersync listings unmapped",
        ),
        Cause.EDITED_BY_HAND: CauseWords(
            "edited by hand",
            "Somebody had raised the number on {second_channel} before order {second} was placed.",
            "Change stock here and not in the seller centre; the next comparison puts such numbers right.",
        ),
        Cause.CAMPAIGN_LOCK: CauseWords(
            "campaign",
            "{second_channel} did not let the number be lowered, or sold from units set aside, when order {second} was placed.",
            "Take the listing off the campaign, or keep a buffer for it.",
        ),
        Cause.PULL_LAG: CauseWords(
            "read too late",
            "Order {first} on {first_channel} took the unit and had not been read yet when order {second} came on {second_channel}.",
            "Pull {first_channel} more often (poll_s), or keep a buffer for what sells fast.",
        ),
        Cause.PUSH_LAG: CauseWords(
            "sent too late",
            "Order {first} on {first_channel} had been read; {second_channel} had not accepted the lower number when order {second} came.",
            "See why {second_channel} answers late; a buffer bridges it.",
        ),
        Cause.UNKNOWN: CauseWords(
            "unknown",
            "What the ledger knows does not say why {second_channel} could sell order {second}.",
            "See what the channel showed then in its seller centre; count the SKU.",
        ),
    },
    "id": {
        Cause.UNPAID_HOLD: CauseWords(
            "batas bayar lewat",
            "Pesanan {second} di {second_channel} dibayar setelah batas waktunya lewat dan unitnya sudah terjual.",
            "Batas bayar yang lebih lama menahan unit bagi pembayar lambat; putuskan siapa yang mendapatkannya.",
        ),
        Cause.COUNT_ERROR: CauseWords(
            "hitungan stok",
            "Hitungan atau koreksi mengambil unit yang sudah dibeli pesanan {second} di {second_channel}: barangnya tidak ada.",
            "Cari barangnya lalu hitung lagi; stok cadangan membantu bila hitungan sering meleset.",
        ),
        Cause.MAPPING: CauseWords(
            "belum dipetakan",
            "Listing tanpa SKU terjual: {sku} baru diambil dari stok setelah dipetakan.",
            "Petakan listing sebelum dijual: sellersync listings unmapped",
        ),
        Cause.EDITED_BY_HAND: CauseWords(
            "diubah manual",
            "Seseorang menaikkan angka di {second_channel} sebelum pesanan {second} masuk.",
            "Ubah stok di sini, jangan di seller center; pembandingan berikutnya membetulkan angka seperti itu.",
        ),
        Cause.CAMPAIGN_LOCK: CauseWords(
            "kampanye",
            "{second_channel} tidak mengizinkan angka diturunkan, atau menjual dari unit yang disisihkan, saat pesanan {second} masuk.",
            "Keluarkan listing dari kampanye, atau beri stok cadangan.",
        ),
        Cause.PULL_LAG: CauseWords(
            "terlambat dibaca",
            "Pesanan {first} di {first_channel} mengambil unit itu dan belum terbaca saat pesanan {second} masuk di {second_channel}.",
            "Baca {first_channel} lebih sering (poll_s), atau beri stok cadangan untuk barang yang cepat laku.",
        ),
        Cause.PUSH_LAG: CauseWords(
            "terlambat dikirim",
            "Pesanan {first} di {first_channel} sudah terbaca; {second_channel} belum menerima angka baru saat pesanan {second} masuk.",
            "Periksa mengapa {second_channel} terlambat menjawab; stok cadangan menjembataninya.",
        ),
        Cause.UNKNOWN: CauseWords(
            "tidak diketahui",
            "Catatan di sini tidak menjelaskan mengapa {second_channel} bisa menjual pesanan {second}.",
            "Lihat di seller center apa yang ditampilkan kanal saat itu; hitung SKU itu.",
        ),
    },
}
STEPS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "first_paid": "first paid",
        "first_seen": "first read",
        "ledger_moved": "taken from stock",
        "push_wanted": "new level wanted",
        "push_sent": "level sent",
        "push_accepted": "level accepted",
        "second_paid": "second paid",
        "second_seen": "second read",
    },
    "id": {
        "first_paid": "pertama dibayar",
        "first_seen": "pertama terbaca",
        "ledger_moved": "diambil dari stok",
        "push_wanted": "angka baru diperlukan",
        "push_sent": "angka dikirim",
        "push_accepted": "angka diterima",
        "second_paid": "kedua dibayar",
        "second_seen": "kedua terbaca",
    },
}


def why(one: Oversell, language: Language) -> str:
    """The cause of a case as a sentence."""
    return _filled(CAUSES[language][one.cause].why, one)


def todo(one: Oversell, language: Language) -> str:
    """What a person can do so that it does not happen again."""
    return _filled(CAUSES[language][one.cause].todo, one)


def _filled(template: str, one: Oversell) -> str:
    first = one.first
    return template.format(
        sku=one.sku,
        units=one.units,
        first="–" if first is None else first.name,
        first_channel="–" if first is None else first.channel,
        second=one.second.name,
        second_channel=one.second.channel,
    )
