"""What the simulated shop shows, as values of the schema's types. Long lists are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from .sandbox_graphql import Connection
from .sandbox_shop import Fulfilment, Item, Line, Shop, ShopOrder, Work, WorkLine, cash

Row = dict[str, Any]


def gid(kind: str, number: int | str) -> str:
    return f"gid://shopify/{kind}/{number}"


def stamp(at_s: int | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def listed(rows: Sequence[Any], render: Callable[[Any], Row]) -> Callable[..., Connection]:
    """A connection whose rows do not move: cursors are places in it."""
    places = list(enumerate(rows))
    return lambda **_: Connection(places, lambda place: place[0], lambda place: render(place[1]))


def location_row(shop: Shop, number: str) -> Row:
    name, active = shop.locations[number]
    return {"id": gid("Location", number), "name": name, "isActive": active}


def level_row(shop: Shop, item: Item, location: str) -> Row:
    level = item.levels[location]
    numbers = {"available": level.available, "committed": level.committed, "on_hand": level.on_hand}

    def quantities(names: list[str]) -> list[Row]:
        return [{"name": name, "quantity": numbers[name]} for name in names if name in numbers]

    return {"location": location_row(shop, location), "quantities": quantities}


def item_row(shop: Shop, item: Item) -> Row:
    def level(locationId: str) -> Row | None:
        number = locationId.rpartition("/")[2]
        return level_row(shop, item, number) if number in item.levels else None

    return {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", item.number),
        "tracked": item.tracked,
        "measurement": {"weight": {"value": float(item.weight_g), "unit": "GRAMS"}},
        "inventoryLevel": level,
        "inventoryLevels": listed(sorted(item.levels), lambda place: level_row(shop, item, place)),
    }


def variant_row(shop: Shop, item: Item) -> Row:
    return {
        "id": gid("ProductVariant", item.variant),
        "sku": item.sku,
        "title": "Default Title",
        "barcode": None,
        "price": f"{item.price}.00",
        "product": {
            "id": gid("Product", item.product),
            "title": item.title,
            "status": "ACTIVE" if item.active else "DRAFT",
        },
        "inventoryItem": item_row(shop, item),
    }


def order_row(shop: Shop, order: ShopOrder, currency: str) -> Row:
    def line_row(line: Line) -> Row:
        return {
            "id": gid("LineItem", line.id),
            "name": line.item.title,
            "sku": line.item.sku,
            "quantity": line.quantity,
            "currentQuantity": line.current,
            "requiresShipping": True,
            "originalUnitPriceSet": cash(line.price, currency),
            "variant": None if line.deleted_variant else variant_row(shop, line.item),
        }

    def fulfilments(first: int = 250) -> list[Row]:
        return [fulfilment_row(found, line_row) for found in order.fulfilments[:first]]

    def transactions(first: int = 250) -> list[Row]:
        kind, status = "SALE", "PENDING" if order.paid_s is None else "SUCCESS"
        return [{"kind": kind, "status": status, "processedAt": stamp(order.paid_s or order.created_s)}][:first]

    return {
        "__typename": "Order",
        "id": gid("Order", order.id),
        "legacyResourceId": str(order.id),
        "name": order.name,
        "createdAt": stamp(order.created_s),
        "updatedAt": stamp(order.updated_s),
        "cancelledAt": stamp(order.cancelled_s),
        "cancelReason": order.cancel_reason,
        "closedAt": stamp(order.closed_s),
        "currencyCode": currency,
        "note": None,
        "email": order.email,
        "phone": None,
        "displayFinancialStatus": order.financial,
        "displayFulfillmentStatus": order.fulfilment_status,
        "paymentGatewayNames": [order.gateway],
        "subtotalPriceSet": cash(order.goods, currency),
        "totalShippingPriceSet": cash(order.shipping_fee, currency),
        "totalDiscountsSet": cash(0, currency),
        "totalPriceSet": cash(order.goods + order.shipping_fee, currency),
        "totalOutstandingSet": cash(order.outstanding, currency),
        "transactions": transactions,
        "shippingAddress": order.address,
        "shippingLine": {"title": "JNE REG"},
        "lineItems": listed(order.lines, line_row),
        "fulfillments": fulfilments,
        "fulfillmentOrders": listed(order.work, lambda work: work_row(shop, work, line_row)),
    }


def work_row(shop: Shop, work: Work, line_row: Callable[[Line], Row]) -> Row:
    def work_line_row(row: WorkLine) -> Row:
        return {
            "id": gid("FulfillmentOrderLineItem", row.id),
            "totalQuantity": row.total,
            "remainingQuantity": row.remaining,
            "lineItem": line_row(row.line),
        }

    return {
        "id": gid("FulfillmentOrder", work.id),
        "status": work.status,
        "assignedLocation": {"location": location_row(shop, work.location)},
        "lineItems": listed(work.lines, work_line_row),
    }


def line_id_row(line: Line) -> Row:
    """A line of which only the id is asked for."""
    return {"id": gid("LineItem", line.id)}


def fulfilment_row(found: Fulfilment, line_row: Callable[[Line], Row]) -> Row:
    return {
        "id": gid("Fulfillment", found.id),
        "status": found.status,
        "displayStatus": found.display,
        "createdAt": stamp(found.created_s),
        "trackingInfo": [{"number": found.number, "company": found.company}] if found.number else [],
        "fulfillmentLineItems": listed(
            found.lines, lambda entry: {"quantity": entry[1], "lineItem": line_row(entry[0])}
        ),
    }
