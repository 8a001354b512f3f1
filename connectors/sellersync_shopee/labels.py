"""Labels: a document task is created, becomes ready, and is downloaded. Every call is safe to repeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sellersync.connector.contract import Label
from sellersync.domain.errors import RejectClass, Rejected, Temporary, Unrecognised
from sellersync.domain.parcels import RemoteParcel

from .api import ShopeeApi
from .calls import Answer
from .mapping_parcels import waybill_of
from .refusals import DOCUMENT_RULES, Refusal, read_refusal

POLLS_MAX = 6
POLL_EVERY_S = 2.0
WAYBILL_EVERY_S = 300.0

MEDIA_TYPES = ((b"%PDF", "application/pdf"), (b"PK", "application/zip"))


async def fetch(
    api: ShopeeApi, parcel: RemoteParcel, *, document_type: str, sleep: Callable[[float], Awaitable[None]]
) -> Label:
    """The label of an arranged parcel. Raises `Temporary` while its waybill or its document is being made, `Rejected`."""
    row: dict[str, Any] = {"order_sn": parcel.order_ids[0], "package_number": parcel.remote_id}
    waybill = parcel.waybill or await _waybill(api, parcel.remote_id)
    if not waybill:
        raise Temporary(f"parcel {parcel.remote_id} has no waybill yet", retry_after_s=WAYBILL_EVERY_S)
    typed = {**row, "shipping_document_type": document_type} if document_type else row
    created = False
    for _ in range(POLLS_MAX):
        status = _status(await api.get_shipping_document_result(typed), row)
        if status == "READY":
            content, media_type = await api.download_shipping_document(row, document_type)
            return Label(content, _media_type(content, media_type))
        if status != "PROCESSING" and not created:
            _status(await api.create_shipping_document({**typed, "tracking_number": waybill}), row)
            created = True
        elif status == "FAILED":
            raise Rejected(parcel.remote_id, "Shopee could not make the label", RejectClass.OTHER)
        else:
            await sleep(POLL_EVERY_S)
    raise Temporary(f"the label of parcel {parcel.remote_id} is still being made", retry_after_s=POLL_EVERY_S)


async def _waybill(api: ShopeeApi, package_number: str) -> str:
    rows = (await api.get_mass_tracking_number([package_number])).rows("success_list")
    return next((waybill_of(row) for row in rows if row.get("package_number") == package_number), "")


def _status(answer: Answer, wanted: dict[str, Any]) -> str:
    """Status of our row ("" when there is no task yet). Failed rows may lack the package number. Raises `Rejected`, `Temporary`."""
    for row in answer.rows("result_list"):
        if row.get("order_sn") != wanted["order_sn"]:
            continue
        if row.get("package_number") not in (None, "", wanted["package_number"]):
            continue
        code = str(row.get("fail_error") or "").strip()
        if not code:
            return str(row.get("status") or "PROCESSING")
        if code.endswith("shipping_document_should_print_first"):
            return ""
        reading = read_refusal(Refusal(code, str(row.get("fail_message") or "")), DOCUMENT_RULES)
        if isinstance(reading, RejectClass):
            raise Rejected(wanted["package_number"], str(row.get("fail_message") or code), reading, code=code)
        raise Temporary(f"label of parcel {wanted['package_number']}: {code}")
    raise Unrecognised("document answer without our row", repr(wanted))


def _media_type(content: bytes, declared: str) -> str:
    """By the file's first bytes, else as declared."""
    return next((media for magic, media in MEDIA_TYPES if content.startswith(magic)), declared or "text/html")
