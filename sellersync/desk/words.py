"""Words on paper and at the pack check, in both languages of the shop."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

Language = Literal["id", "en"]

_ID = {
    # label
    "recipient": "PENERIMA",
    "sender": "PENGIRIM",
    "waybill": "No. Resi",
    "pickup_code": "Kode ambil",
    "routing": "Kode sortir",
    "origin": "Asal",
    "destination": "Tujuan",
    "weight": "Berat",
    "units": "Jumlah",
    "insurance": "Asuransi",
    "no_insurance": "Tanpa",
    "order": "Pesanan",
    "contents": "Isi paket",
    "more": "+{count} lagi",
    "phone": "Telp.",
    "not_cod": "NON-COD",
    "lost": "[?] = huruf yang tidak dapat dicetak; lihat pesanan",
    "pieces": "{count} pcs",
    # pick list
    "pick_list": "Daftar ambil barang",
    "sort_list": "Bagi ke paket",
    "made": "Dibuat {when}",
    "warehouse": "Gudang",
    "bin": "Rak",
    "no_bin": "–",
    "sku": "SKU",
    "goods": "Barang",
    "quantity": "Jml",
    "for_parcels": "Paket",
    "done": "OK",
    "courier": "Kurir",
    "parcel": "Paket",
    "ship_by": "Batas kirim",
    "summary": "{parcels} paket, {units} unit, {rows} baris",
    # manifest
    "manifest": "Serah terima paket",
    "number": "No.",
    "total": "Jumlah",
    "parcels_total": "{count} paket",
    "handed_by": "Diserahkan oleh",
    "taken_by": "Diterima kurir",
    "name_and_sign": "Nama, tanda tangan, waktu",
    "vehicle": "No. kendaraan",
    "unknown": "tidak diketahui",
    "cod": "COD",
    "prepared": "Disiapkan {when} oleh {who}",
    "of_pages": "Halaman {page}",
    # pack check
    "scan_parcel": "Pindai pesanan atau resi.",
    "begin": "{parcel} ({courier}): {units} unit, {skus} SKU.",
    "wants": "{quantity} x {sku}  {title}",
    "ok": "OK  {sku}: {done} dari {quantity}",
    "wrong": "SALAH BARANG: {sku} bukan isi paket {parcel}.",
    "too_many": "TERLALU BANYAK: {sku} cukup {quantity}.",
    "unknown_code": "Tidak dikenal: {code}. Bukan barang, pesanan, atau resi.",
    "packed": "SELESAI  {parcel} lengkap.",
    "missing": "BELUM LENGKAP  {parcel}: kurang {missing}.",
    "in_hand": "Paket {parcel} belum selesai, kurang {missing}. Selesaikan dulu, atau ketik BATAL.",
    "put_aside": "{parcel} disisihkan, tidak dicatat.",
    "already": "{parcel} sudah dikemas {when} oleh {who}.",
    "several": "{code}: beberapa paket, pindai resinya atau tulis {names}.",
    "cancelled": "JANGAN DIKIRIM: PESANAN {parcel} DIBATALKAN.",
    "cancel_requested": "JANGAN DIKIRIM: PEMBELI {parcel} MEMINTA PEMBATALAN.",
    "booking_cancelled": "JANGAN DIKIRIM: KURIR {parcel} DIBATALKAN.",
    "gone": "{parcel} sudah diserahkan ke kurir.",
    "not_yet": "{parcel} belum boleh dikirim.",
    "outdated": "BUKA LAGI: PESANAN {parcel} BERUBAH SETELAH DIKEMAS (isinya {was}). Pindai semua isinya dari awal.",
    "shipped": "{parcel} sudah dianggap terkirim: begitu statusnya di kanalnya.",
    "no_parcel": "{parcel} belum punya paket: belum dibayar, masih ditahan, atau sudah selesai. Lihat: sellersync parcels list",
    "unmapped": "{parcel}: ada barang tanpa SKU; petakan dulu.",
    "changed": "{parcel} berubah selama dikemas; pindai lagi dari awal.",
}

_EN = {
    # label
    "recipient": "TO",
    "sender": "FROM",
    "waybill": "Waybill",
    "pickup_code": "Pickup code",
    "routing": "Sort code",
    "origin": "Origin",
    "destination": "Destination",
    "weight": "Weight",
    "units": "Items",
    "insurance": "Insurance",
    "no_insurance": "None",
    "order": "Order",
    "contents": "Contents",
    "more": "+{count} more",
    "phone": "Tel.",
    "not_cod": "NON-COD",
    "lost": "[?] = letters that cannot be printed; see the order",
    "pieces": "{count} pcs",
    # pick list
    "pick_list": "Pick list",
    "sort_list": "Sort to parcels",
    "made": "Made {when}",
    "warehouse": "Warehouse",
    "bin": "Bin",
    "no_bin": "–",
    "sku": "SKU",
    "goods": "Goods",
    "quantity": "Qty",
    "for_parcels": "Parcels",
    "done": "OK",
    "courier": "Courier",
    "parcel": "Parcel",
    "ship_by": "Ship by",
    "summary": "{parcels} parcels, {units} units, {rows} rows",
    # manifest
    "manifest": "Hand-over manifest",
    "number": "No.",
    "total": "Total",
    "parcels_total": "{count} parcels",
    "handed_by": "Handed over by",
    "taken_by": "Taken by the courier",
    "name_and_sign": "Name, signature, time",
    "vehicle": "Vehicle no.",
    "unknown": "unknown",
    "cod": "COD",
    "prepared": "Prepared {when} by {who}",
    "of_pages": "Page {page}",
    # pack check
    "scan_parcel": "Scan an order or a waybill.",
    "begin": "{parcel} ({courier}): {units} units, {skus} SKUs.",
    "wants": "{quantity} x {sku}  {title}",
    "ok": "OK  {sku}: {done} of {quantity}",
    "wrong": "WRONG ITEM: {sku} does not belong into parcel {parcel}.",
    "too_many": "ONE TOO MANY: {quantity} of {sku} are enough.",
    "unknown_code": "Not known: {code}. It is no goods, no order and no waybill.",
    "packed": "DONE  {parcel} is complete.",
    "missing": "NOT COMPLETE  {parcel}: missing {missing}.",
    "in_hand": "Parcel {parcel} is not finished, missing {missing}. Finish it, or type CANCEL.",
    "put_aside": "{parcel} was put aside, nothing is recorded.",
    "already": "{parcel} was packed {when} by {who}.",
    "several": "{code}: several parcels, scan a waybill or write {names}.",
    "cancelled": "DO NOT SHIP: ORDER {parcel} IS CANCELLED.",
    "cancel_requested": "DO NOT SHIP: THE BUYER OF {parcel} ASKS FOR A CANCELLATION.",
    "booking_cancelled": "DO NOT SHIP: THE COURIER OF {parcel} IS CANCELLED.",
    "gone": "{parcel} was handed to the courier before.",
    "not_yet": "{parcel} may not be shipped yet.",
    "outdated": "OPEN IT AGAIN: ORDER {parcel} CHANGED AFTER IT WAS PACKED (in it: {was}). Scan all of it from the start.",
    "shipped": "{parcel} counts as shipped already: so says its channel.",
    "no_parcel": "{parcel} has no parcel: it is not paid, is still held, or is over. See: sellersync parcels list",
    "unmapped": "{parcel} holds goods without a SKU; map them first.",
    "changed": "{parcel} changed while it was packed; scan it again from the start.",
}

LANGUAGES: dict[Language, dict[str, str]] = {"id": _ID, "en": _EN}

COURIERS = {
    "jne": "JNE",
    "jnt": "J&T Express",
    "sicepat": "SiCepat",
    "anteraja": "AnterAja",
    "ninja": "Ninja Xpress",
    "lion": "Lion Parcel",
    "pos": "Pos Indonesia",
    "tiki": "TIKI",
    "idexpress": "ID Express",
    "idx": "ID Express",
    "sap": "SAP Express",
    "rpx": "RPX",
    "wahana": "Wahana",
    "paxel": "Paxel",
    "gojek": "GoSend",
    "gosend": "GoSend",
    "grab": "GrabExpress",
    "grab_express": "GrabExpress",
    "lalamove": "Lalamove",
    "borzo": "Borzo",
    "spx": "SPX",
    "jtcargo": "J&T Cargo",
    "posindonesia": "Pos Indonesia",
}
"""Courier code of the aggregators -> the name that stands on its vans."""


def word(language: Language, key: str, **values: object) -> str:
    """A sentence or label. Raises `KeyError` for a key without words: a bug."""
    template = LANGUAGES[language][key]
    return template.format(**values) if values else template


def courier_name(courier: str) -> str:
    """A courier as people write it; a marketplace's own name stays as it is."""
    return COURIERS.get(courier.lower(), courier)


def rupiah(amount: int) -> str:
    """Rp 204.500, in both languages: it is what Indonesians read on a label."""
    return f"Rp {amount:,}".replace(",", ".")


def kilos(grams: int) -> str:
    """Grams, as couriers ask for, with the thousands apart."""
    return f"{grams:,} g".replace(",", ".")


def moment(instant: datetime, zone: ZoneInfo) -> str:
    """22/11/2026 09:30 WIB."""
    return f"{instant.astimezone(zone):%d/%m/%Y %H:%M %Z}"
