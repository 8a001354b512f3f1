"""Logistics endpoints of the simulator: arranging, tracking numbers, labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sellersync.sandbox.kit import small_pdf

from .sandbox_market import Market
from .sandbox_shelf import SimOrder, SimPackage
from .sandbox_wire import Query, ok, refuse, reply, restrict, rows, text

MODES = ("pickup", "dropoff", "non_integrated")
PACKAGES_MAX = 50
DOCUMENTS_MAX = 50
DOCUMENT_TYPES = (
    "NORMAL_AIR_WAYBILL",
    "THERMAL_AIR_WAYBILL",
    "NORMAL_JOB_AIR_WAYBILL",
    "THERMAL_JOB_AIR_WAYBILL",
    "THERMAL_UNPACKAGED_LABEL",
)
ADDRESS_ID = 118454205
SLOT_HOURS = ((9, 12, "09:00 - 12:00"), (13, 17, "13:00 - 17:00"))
SLOT_DAYS = 2


class LogisticsEndpoints(Market):
    """What `/api/v2/logistics/*` answers."""

    def get_shipping_parameter(self, query: Query) -> httpx.Response:
        restrict(query, "order_sn package_number")
        package = self._package_for(text(query, "order_sn"), text(query, "package_number", ""))
        if package.status not in ("LOGISTICS_READY", "LOGISTICS_PICKUP_RETRY"):
            refuse("logistics.ship_order_not_ready_to_ship", "The package is not ready to ship.")
        address = {
            "address_id": ADDRESS_ID,
            "region": "ID",
            "state": "JAWA BARAT",
            "city": "KOTA BANDUNG",
            "district": "COBLONG",
            "town": "",
            "address": "Jl. Contoh No. 7",
            "zipcode": "40132",
            "address_flag": ["default_address", "pickup_address"],
            "time_slot_list": self._slots(),
        }
        other = {**address, "address_id": ADDRESS_ID - 1, "address_flag": ["return_address"]}
        response = {"info_needed": self.shipping_modes, "dropoff": {"branch_list": None}}
        if "pickup" in self.shipping_modes:
            return ok({**response, "pickup": {"address_list": [other, address]}})
        return ok({**response, "pickup": {"address_list": None}})

    def ship_order(self, body: Mapping[str, Any]) -> httpx.Response:
        _no_blanks(body)
        order = self._order_for(body)
        package = self._package_for(order.sn, str(body.get("package_number", "")), strict=True)
        self._refuse_shipping(order, package)
        mode = self._mode(body)
        choice = body[mode]
        if mode == "pickup":
            self._check_pickup(choice)
        self.arrange(package, choice)
        return ok()

    def update_shipping_order(self, body: Mapping[str, Any]) -> httpx.Response:
        _no_blanks(body)
        order = self._order_for(body)
        package = self._package_for(order.sn, str(body.get("package_number", "")), strict=True)
        if package.status != "LOGISTICS_PICKUP_RETRY":
            refuse("logistics.error_status", "The package needs no new pickup.")
        choice = body.get("pickup")
        if not isinstance(choice, dict):
            refuse("error_param", "Wrong parameters, detail: pickup is a required field.")
        self._check_pickup(choice)
        if choice == package.choice:
            refuse("logistics.update_shipping_order_no_param_change", "Nothing would change.")
        package.choice = dict(choice)
        self._move_package(package, "LOGISTICS_REQUEST_CREATED")
        self._follow(package, "PROCESSED", ("LOGISTICS_READY", "LOGISTICS_PICKUP_RETRY"))
        return ok()

    def get_tracking_number(self, query: Query) -> httpx.Response:
        restrict(query, "order_sn package_number response_optional_fields")
        package = self._package_for(text(query, "order_sn"), text(query, "package_number", ""))
        return ok({"tracking_number": package.waybill, "hint": "", "pickup_code": ""})

    def get_mass_tracking_number(self, body: Mapping[str, Any]) -> httpx.Response:
        wanted = [str(row.get("package_number")) for row in rows(body, "package_list", PACKAGES_MAX)]
        if len(set(wanted)) < len(wanted):
            refuse("logistics.error_param", "Duplicate package number")
        known = [self.packages[name] for name in wanted if name in self.packages]
        return ok(
            {
                "success_list": [
                    {
                        "package_number": package.number,
                        "tracking_number": package.waybill,
                        "hint": "",
                        "pickup_code": "",
                    }
                    for package in known
                ],
                "fail_list": [
                    {"package_number": name, "fail_reason": "The information you queried is not found."}
                    for name in wanted
                    if name not in self.packages
                ],
            }
        )

    # -- labels

    def create_shipping_document(self, body: Mapping[str, Any]) -> httpx.Response:
        return self._for_each_document(body, self._create_document)

    def get_shipping_document_result(self, body: Mapping[str, Any]) -> httpx.Response:
        return self._for_each_document(body, self._document_status)

    def download_shipping_document(self, body: Mapping[str, Any]) -> httpx.Response:
        wanted = rows(body, "order_list", DOCUMENTS_MAX)
        kind = _document_type(body)
        numbers = []
        for row in wanted:
            package = self._package_for(str(row.get("order_sn")), str(row.get("package_number", "")))
            created = package.documents.get(kind)
            if created is None:
                refuse("logistics.shipping_document_should_print_first", "Please create shipping document first.")
            if self.clock() < created + self.document_delay_s:
                refuse("logistics.download_later", "The document is being made.")
            numbers.append(package.waybill)
        return httpx.Response(200, headers={"content-type": "application/pdf"}, content=small_pdf(numbers))

    def _for_each_document(self, body: Mapping[str, Any], act: Any) -> httpx.Response:
        results, warnings = [], []
        for row in rows(body, "order_list", DOCUMENTS_MAX):
            sn = str(row.get("order_sn"))
            package = self._package_for(sn, str(row.get("package_number", "")))
            outcome = act(package, row)
            if "fail_error" in outcome:
                warnings.append({"order_sn": sn, "package_number": ""})
                results.append({"order_sn": sn, **outcome})
            else:
                results.append({"order_sn": sn, "package_number": package.number, **outcome})
        payload: dict[str, Any] = {"response": {"result_list": results}, "warning": warnings}
        if len(warnings) == len(results):
            payload.update(
                error="common.batch_api_all_failed", message="Failed, please check result_list for more details."
            )
        return reply(payload)

    def _create_document(self, package: SimPackage, row: Mapping[str, Any]) -> dict[str, str]:
        if self.orders[package.order_sn].status != "PROCESSED":
            return _failed("logistics.order_status_error", "The order status does not allow printing.")
        if not package.waybill or row.get("tracking_number") != package.waybill:
            return _failed("logistics.tracking_number_invalid", "The tracking number is invalid.")
        package.documents.setdefault(_document_type(row), self.clock())
        return {}

    def _document_status(self, package: SimPackage, row: Mapping[str, Any]) -> dict[str, str]:
        created = package.documents.get(_document_type(row))
        if created is None:
            return _failed(
                "logistics.shipping_document_should_print_first",
                "The package can not print now, please create shipping document first.",
            )
        return {"status": "READY" if self.clock() >= created + self.document_delay_s else "PROCESSING"}

    # -- inside

    def _slots(self) -> list[dict[str, Any]]:
        """Slots of the next days, Jakarta time; the second is the recommended one."""
        today = datetime.fromtimestamp(self.now_s(), UTC) + timedelta(hours=7)
        slots: list[dict[str, Any]] = []
        for ahead in range(1, SLOT_DAYS + 1):
            day = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=ahead) - timedelta(hours=7)
            date = int(day.timestamp())
            for index, (_, _, hours) in enumerate(SLOT_HOURS, start=1):
                slots.append({"date": date, "time_text": hours, "pickup_time_id": f"{date}_{index}"})
        slots[1]["flags"] = ["recommended"]
        return slots

    def _order_for(self, body: Mapping[str, Any]) -> SimOrder:
        order = self.orders.get(str(body.get("order_sn")))
        if order is None:
            refuse("error_not_found", "the order is not found")
        return order

    def _package_for(self, order_sn: str, package_number: str, *, strict: bool = False) -> SimPackage:
        order = self.orders.get(order_sn)
        if order is None:
            refuse("logistics.order_not_exist", f"The order_sn {order_sn} is not exist.")
        if order.split_up and not package_number:
            refuse("logistics.ship_order_need_pacakge_number", "Package number is needed for a split order.")
        if strict and not order.split_up and package_number:
            refuse("logistics.ship_order_not_need_pacakge_number", "Package number is not needed.")
        found = [package for package in order.packages if package_number in ("", package.number)]
        if not found:
            refuse("logistics.package_number_not_exist", "The package does not exist.")
        return found[0]

    def _refuse_shipping(self, order: SimOrder, package: SimPackage) -> None:
        if order.status in ("CANCELLED", "IN_CANCEL"):
            refuse("error_status", "The order is cancelled.")
        if package.arranged_at is not None:
            refuse(" logistics.package_already_shipped", "The package has been shipped.")
        if order.fulfillment_flag == "fulfilled_by_shopee":
            refuse("logistics.ship_order_pff_init", "The order is fulfilled by Shopee.")
        if order.advance:
            refuse("logistics.error_booking_order", "The order is matched to a booking.")
        if order.pending_terms or package.status != "LOGISTICS_READY":
            refuse("logistics.ship_order_not_ready_to_ship", "The package is not ready to ship.")

    def _mode(self, body: Mapping[str, Any]) -> str:
        given = [mode for mode in MODES if mode in body]
        if len(given) != 1:
            refuse("logistics.ship_order_only_support_one_type", "Exactly one of pickup, dropoff, non_integrated.")
        mode = given[0]
        if mode not in self.shipping_modes:
            refuse(f"logistics.ship_order_unsupport_{mode}", f"{mode} is not supported.")
        if not isinstance(body[mode], dict):
            refuse("error_param", f"Wrong parameters, detail: {mode} must be an object.")
        if (
            mode == "dropoff"
            and "sender_real_name" in self.shipping_modes[mode]
            and not body[mode].get("sender_real_name")
        ):
            refuse("logistics.ship_order_need_sender_real_name", "Sender's name is needed.")
        return mode

    def _check_pickup(self, choice: Mapping[str, Any]) -> None:
        if "address_id" not in choice or "pickup_time_id" not in choice:
            refuse("logistics.ship_order_need_address_pickup_time", "Address and pickup time are needed.")
        if choice["address_id"] not in (ADDRESS_ID, ADDRESS_ID - 1):
            refuse("logistics.error_sender_address", "The address is unknown.")
        if choice["pickup_time_id"] not in [slot["pickup_time_id"] for slot in self._slots()]:
            refuse("logistics.ship_order_pickup_time_invalid", "Invalid pickup time.")


def _no_blanks(body: Mapping[str, Any]) -> None:
    if body.get("package_number") == "":
        refuse("error_param", "Wrong parameters, detail: package_number is empty.")


def _failed(code: str, message: str) -> dict[str, str]:
    return {"fail_error": code, "fail_message": message}


def _document_type(row: Mapping[str, Any]) -> str:
    kind = row.get("shipping_document_type", DOCUMENT_TYPES[0])
    if kind not in DOCUMENT_TYPES:
        refuse("error_param", "shipping_document_type is invalid")
    return str(kind)
