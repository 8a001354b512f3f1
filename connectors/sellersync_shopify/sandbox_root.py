"""The fields of Query and Mutation over the simulated shop, each with the checks and refusals of the real one."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sellersync.sandbox.kit import Event

from .sandbox_document import GraphQLError, Selection
from .sandbox_graphql import Connection, Request
from .sandbox_rows import (
    Row,
    fulfilment_row,
    gid,
    item_row,
    line_id_row,
    listed,
    location_row,
    order_row,
    variant_row,
    work_row,
)
from .sandbox_shop import HISTORY_S, Item, Shop, ShopOrder, Work

KEY_LIFE_S = 24 * 3600
QUANTITY_MAX = 1_000_000_000
REASONS = frozenset(
    {"correction", "cycle_count_available", "damaged", "movement_created", "other", "received", "restock"}
)
SHIPPABLE = frozenset({"OPEN", "IN_PROGRESS"})
_GID = re.compile(r"gid://shopify/([A-Za-z]+)/([0-9]+)")
_TERM = re.compile(r"(updated_at|created_at):(>=|>|<=|<)(?:'([^']*)'|(\S+))")
_DIRECTIVE = "The @idempotent directive is required for this mutation but was not provided."
_ARGUMENT = "InventoryQuantityInput must include the following argument: changeFromQuantity."


class Root:
    """Resolvers. `switches` are the simulator's; `scopes` what the app may do."""

    def __init__(self, shop: Shop, switches: Mapping[str, Any], scopes: set[str]) -> None:
        self.shop = shop
        self.switches = switches
        self.scopes = scopes
        self.name, self.domain, self.currency = "Toko Uji", "toko-uji.myshopify.com", "IDR"
        self.visibility_delay_s = 0.0
        self._replies: dict[str, tuple[int, str, Row]] = {}

    def fields(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "shop": self._shop,
            "currentAppInstallation": self._installation,
            "locations": self._scoped("read_locations", self._locations),
            "orders": self._scoped("read_orders", self._orders),
            "order": self._scoped("read_orders", self._order),
            "fulfillment": self._scoped("read_orders", self._fulfilment),
            "fulfillmentOrder": self._scoped("read_merchant_managed_fulfillment_orders", self._work_order),
            "nodes": self._nodes,
            "productVariants": self._scoped("read_products", self._variants),
            "inventorySetQuantities": self._scoped("write_inventory", self._set_quantities),
            "fulfillmentCreate": self._scoped("write_merchant_managed_fulfillment_orders", self._fulfil),
        }

    def _scoped(self, scope: str, resolve: Callable[..., Any]) -> Callable[..., Any]:
        def resolver(request: Request, selection: Selection, **arguments: Any) -> Any:
            if scope not in self.scopes:
                raise GraphQLError(
                    f"Access denied for {selection.name} field. Required access: `{scope}` access scope.",
                    "ACCESS_DENIED",
                )
            return resolve(request, selection, **arguments)

        return resolver

    # -- reads

    def _shop(self, request: Request, selection: Selection) -> Row:
        return {"name": self.name, "myshopifyDomain": self.domain, "currencyCode": self.currency}

    def _installation(self, request: Request, selection: Selection) -> Row:
        return {"accessScopes": [{"handle": scope} for scope in sorted(self.scopes)]}

    def _locations(self, request: Request, selection: Selection, **_: Any) -> Connection:
        return listed(sorted(self.shop.locations), lambda number: location_row(self.shop, number))()

    def _variants(self, request: Request, selection: Selection, **_: Any) -> Connection:
        return listed(list(self.shop.items.values()), lambda item: variant_row(self.shop, item))()

    def _created_after_s(self) -> int:
        return 0 if "read_all_orders" in self.scopes else self.shop.now_s() - HISTORY_S

    def _row(self, order: ShopOrder) -> Row:
        return order_row(self.shop, order, self.currency)

    def _orders(
        self,
        request: Request,
        selection: Selection,
        query: str = "",
        sortKey: str = "PROCESSED_AT",
        reverse: bool = False,
        **_: Any,
    ) -> Connection:
        bounds = _bounds(query)
        created = bounds["created_at"]
        rows = self.shop.changed(
            *bounds["updated_at"],
            seen_until=self.shop.clock() - self.visibility_delay_s,
            created_after_s=self._created_after_s(),
        )
        rows = [
            row for row in rows if created[0] <= row.created_s and (created[1] is None or row.created_s < created[1])
        ]

        def value(order: ShopOrder) -> int:
            return order.updated_s if sortKey == "UPDATED_AT" else order.created_s

        rows.sort(key=lambda order: (value(order), order.id), reverse=reverse)

        def place(order: ShopOrder) -> list[int]:
            return [value(order), order.id]

        def start(cursor: Any) -> int:
            if not isinstance(cursor, list) or len(cursor) != 2:
                return -1
            if reverse:
                return sum(place(order) >= cursor for order in rows)
            return bisect_right(rows, cursor, key=place)

        return Connection(rows, place, self._row, start)

    def _order(self, request: Request, selection: Selection, id: str) -> Row | None:
        order = self.shop.orders.get(_number(id, "Order"))
        return (
            self._row(order) if order and self.shop.shown_in(order, created_after_s=self._created_after_s()) else None
        )

    def _fulfilment(self, request: Request, selection: Selection, id: str) -> Row | None:
        number = _number(id, "Fulfillment")
        for order in self.shop.orders.values():
            for found in order.fulfilments:
                if found.id == number:
                    return fulfilment_row(found, line_id_row)
        return None

    def _work_order(self, request: Request, selection: Selection, id: str) -> Row | None:
        known = self._work(_number(id, "FulfillmentOrder"))
        return work_row(self.shop, known[1], line_id_row) if known else None

    def _nodes(self, request: Request, selection: Selection, ids: list[str]) -> list[Row | None]:
        found: list[Row | None] = []
        for node_id in ids:
            match = _GID.fullmatch(node_id)
            if match is None:
                raise GraphQLError(f"Invalid global id '{node_id}'", "argumentLiteralsIncompatible")
            if match[1] == "Order":
                found.append(self._order(request, selection, node_id) if "read_orders" in self.scopes else None)
            elif match[1] == "InventoryItem":
                item = self.shop.items.get(int(match[2])) if "read_inventory" in self.scopes else None
                found.append(item_row(self.shop, item) if item else None)
            else:
                found.append(None)
        return found

    # -- stock

    def _set_quantities(self, request: Request, selection: Selection, input: Row) -> Row:
        directive = request.directive(selection, "idempotent")
        if directive is None:
            raise GraphQLError(_DIRECTIVE, "BAD_REQUEST")
        key = directive.get("key")
        if not isinstance(key, str) or not key.strip():
            raise GraphQLError("Directive 'idempotent' is missing required arguments: key", "missingRequiredArguments")
        if any("changeFromQuantity" not in row for row in input["quantities"]):
            raise GraphQLError(_ARGUMENT, "INVALID_FIELD_ARGUMENTS")
        now_s, asked = self.shop.now_s(), repr(input)
        known = self._replies.get(key)
        if known is not None and now_s - known[0] < KEY_LIFE_S:
            if known[1] != asked:
                text = "The same idempotency key cannot be used with different operation parameters."
                return _refused([_user_error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", text, [])])
            return known[2]
        reply = self._quantities_set(input)
        self._replies[key] = (now_s, asked, reply)
        return reply

    def _quantities_set(self, input: Row) -> Row:
        if input["name"] not in ("available", "on_hand"):
            return _refused(
                [_user_error("INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'.", ["name"])]
            )
        if input["reason"] not in REASONS:
            return _refused([_user_error("INVALID_REASON", "The specified reason is invalid.", ["reason"])])
        errors: list[Row] = []
        good: list[tuple[Item, str, int]] = []
        seen: set[tuple[str, str]] = set()
        for index, row in enumerate(input["quantities"]):
            path = ["quantities", str(index)]
            found = self._checked(row, path, seen, on_hand=input["name"] == "on_hand")
            if isinstance(found, tuple):
                good.append(found)
            elif found is not None:
                errors.append(found)
        if errors and self.switches["one_bad_row"] == "sinks_the_call":
            return _refused(errors)
        changes: list[Row] = []
        for item, location, level in good:
            before = self.shop.set_available(item, location, level)
            self.shop.record(
                Event.LEVEL_SET, remote_key=item.key, location=location, seller_sku=item.sku, level=level, before=before
            )
            if before != level or self.switches["unchanged_level"] == "zero_delta":
                changes += [self._change(name, level - before, item, location) for name in ("available", "on_hand")]
        group = {"id": gid("InventoryAdjustmentGroup", self.shop.next_id()), "changes": changes} if good else None
        return {"inventoryAdjustmentGroup": group, "userErrors": errors}

    def _checked(
        self, row: Row, path: list[str], seen: set[tuple[str, str]], *, on_hand: bool
    ) -> tuple[Item, str, int] | Row | None:
        """The write, a refusal, or `None` for a row that is passed over in silence."""
        item = self.shop.items.get(_number_or_0(row["inventoryItemId"], "InventoryItem"))
        location = str(_number_or_0(row["locationId"], "Location"))
        pair = (row["inventoryItemId"], row["locationId"])
        if pair in seen:
            text = "The combination of inventoryItemId and locationId must be unique."
            return _user_error("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", text, path)
        seen.add(pair)
        if item is None:
            text = "The specified inventory item could not be found."
            return _user_error("INVALID_INVENTORY_ITEM", text, [*path, "inventoryItemId"])
        if location not in self.shop.locations:
            return _user_error("INVALID_LOCATION", "The specified location could not be found.", [*path, "locationId"])
        if row["quantity"] < 0:
            return _user_error("INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.", [*path, "quantity"])
        if row["quantity"] > QUANTITY_MAX:
            text = "The total quantity can't be higher than 1,000,000,000."
            return _user_error("INVALID_QUANTITY_TOO_HIGH", text, [*path, "quantity"])
        if location not in item.levels or not item.tracked:
            if self.switches["unstocked"] == "ignored":
                return None
            text = "The specified inventory item is not stocked at the location."
            return _user_error("ITEM_NOT_STOCKED_AT_LOCATION", text, [*path, "locationId"])
        expected = row["changeFromQuantity"]
        level = item.levels[location]
        if expected is not None and expected != (level.on_hand if on_hand else level.available):
            text = "The changeFromQuantity argument no longer matches the persisted quantity."
            return _user_error("CHANGE_FROM_QUANTITY_STALE", text, [*path, "changeFromQuantity"])
        return item, location, row["quantity"] - (level.committed if on_hand else 0)

    def _change(self, name: str, delta: int, item: Item, location: str) -> Row:
        """The number after the change comes as null, as in the reference's own example."""
        return {
            "name": name,
            "delta": delta,
            "quantityAfterChange": None,
            "item": item_row(self.shop, item),
            "location": location_row(self.shop, location),
        }

    # -- shipping

    def _fulfil(self, request: Request, selection: Selection, fulfillment: Row, message: str | None = None) -> Row:
        if "idempotent" in selection.directives:
            raise GraphQLError("Directive @idempotent is not supported on this mutation", "BAD_REQUEST")
        found: list[tuple[ShopOrder, Work]] = []
        for row in fulfillment["lineItemsByFulfillmentOrder"]:
            known = self._work(_number_or_0(row["fulfillmentOrderId"], "FulfillmentOrder"))
            if known is None:
                return _not_fulfilled("Fulfillment order does not exist.")
            if known[1].status not in SHIPPABLE:
                status = known[1].status.lower()
                return _not_fulfilled(f"Fulfillment order {known[1].id} has an unfulfillable status= {status}.")
            if row.get("fulfillmentOrderLineItems"):
                return _not_fulfilled("Invalid fulfillment order line item quantity requested.")
            found.append(known)
        if not found or len({order.id for order, _ in found}) > 1 or len({work.location for _, work in found}) > 1:
            return _not_fulfilled("All fulfillment orders must be of one order and assigned to the same location.")
        order, tracking = found[0][0], fulfillment.get("trackingInfo") or {}
        made = self.shop.fulfil(
            order,
            [work for _, work in found],
            number=str(tracking.get("number") or ""),
            company=str(tracking.get("company") or ""),
            notify=fulfillment.get("notifyCustomer") is True,
        )
        row = fulfilment_row(made, line_id_row)
        return {"fulfillment": row, "userErrors": []}

    def _work(self, number: int) -> tuple[ShopOrder, Work] | None:
        for order in self.shop.orders.values():
            for work in order.work:
                if work.id == number:
                    return order, work
        return None


def _bounds(query: str) -> dict[str, tuple[int, int | None]]:
    """Field -> [since, until) in seconds. A time without quotation marks is cut at its colon and matches everything (public report,
    2019)."""
    found: dict[str, tuple[int, int | None]] = {"updated_at": (0, None), "created_at": (0, None)}
    rest = _TERM.sub("", query).replace("AND", "").strip()
    if rest:
        raise GraphQLError(f"the simulator knows no search term {rest!r}", "BAD_REQUEST")
    for field, sign, quoted, bare in _TERM.findall(query):
        if bare:
            continue
        try:
            at = int(datetime.fromisoformat(quoted).timestamp())
        except ValueError:
            continue
        since_s, until_s = found[field]
        if sign in (">=", ">"):
            since_s = at + (sign == ">")
        else:
            until_s = at + (sign == "<=")
        found[field] = since_s, until_s
    return found


def _number_or_0(value: str, kind: str) -> int:
    match = _GID.fullmatch(value)
    return int(match[2]) if match and match[1] == kind else 0


def _number(value: str, kind: str) -> int:
    if _GID.fullmatch(value) is None:
        raise GraphQLError(f"Invalid global id '{value}'", "argumentLiteralsIncompatible")
    return _number_or_0(value, kind)


def _user_error(code: str, message: str, path: list[str]) -> Row:
    return {"code": code, "field": ["input", *path], "message": message}


def _refused(errors: list[Row]) -> Row:
    return {"inventoryAdjustmentGroup": None, "userErrors": errors}


def _not_fulfilled(message: str) -> Row:
    return {"fulfillment": None, "userErrors": [{"field": ["fulfillment"], "message": message}]}
