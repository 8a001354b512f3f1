"""How the simulated shop words its objects: every key of the recorded replies (WooCommerce 10.0.2), with the recorded types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .sandbox_rows import Item, Line, Note, Refund, ShopOrder
from .sandbox_shop import Shop

ZONE_S = 7 * 3600  # Asia/Jakarta; it has no summer time
VERSION = "10.0.2"


def gmt(at_s: int | None) -> str | None:
    """Whole seconds without any zone mark, in UTC."""
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def local(at_s: int | None) -> str | None:
    """The same in shop time."""
    return None if at_s is None else gmt(at_s + ZONE_S)


def links(home: str, path: str, *, up: str = "", collection: str = "", deletable: bool = False) -> dict[str, Any]:
    """`_links` of one object. Notes and refunds can only be read and deleted."""
    base = f"{home}/wp-json/wc/v3"
    allow = ["GET", "DELETE"] if deletable else ["GET", "POST", "PUT", "PATCH", "DELETE"]
    found: dict[str, Any] = {
        "self": [{"href": f"{base}/{path}", "targetHints": {"allow": allow}}],
        "collection": [{"href": f"{base}/{collection or path.rpartition('/')[0]}"}],
    }
    if up:
        found["up"] = [{"href": f"{base}/{up}"}]
    return found


def order_json(shop: Shop, order: ShopOrder, home: str) -> dict[str, Any]:
    """An order, single or in a list."""
    total = str(order.total)
    base = f"{home}/wp-json/wc/v3"
    own_links = links(home, f"orders/{order.id}")
    own_links["email_templates"] = [{"embeddable": True, "href": f"{base}/orders/{order.id}/actions/email_templates"}]
    return {
        "id": order.id,
        "parent_id": 0,
        "status": order.status,
        "currency": "IDR",
        "version": VERSION,
        "prices_include_tax": False,
        "date_created": local(order.created_s),
        "date_modified": local(order.modified_s),
        "discount_total": "0",
        "discount_tax": "0",
        "shipping_total": str(order.shipping_total),
        "shipping_tax": "0",
        "cart_tax": "0",
        "total": total,
        "total_tax": "0",
        "customer_id": 0,
        "order_key": order.key,
        "billing": order.billing,
        "shipping": order.shipping,
        "payment_method": order.payment_method,
        "payment_method_title": order.payment_title,
        "transaction_id": order.transaction_id,
        "customer_ip_address": "",
        "customer_user_agent": "",
        "created_via": order.created_via,
        "customer_note": order.customer_note,
        "date_completed": local(order.completed_s),
        "date_paid": local(order.paid_s),
        "cart_hash": "",
        "number": str(order.id),
        "meta_data": order.meta,
        "line_items": [_line_json(shop, line) for line in order.lines],
        "tax_lines": [],
        "shipping_lines": [_shipping_line(order)] if order.shipping_title else [],
        "fee_lines": [],
        "coupon_lines": [],
        "refunds": [
            {"id": refund.id, "reason": refund.reason, "total": str(-refund.amount)}
            for refund in reversed(order.refunds)
        ],
        "payment_url": f"{home}/checkout/order-pay/{order.id}/?pay_for_order=true&key={order.key}",
        "is_editable": order.status in ("pending", "on-hold", "auto-draft"),
        "needs_payment": order.status in ("pending", "failed") and order.total > 0,
        "needs_processing": True,
        "date_created_gmt": gmt(order.created_s),
        "date_modified_gmt": gmt(order.modified_s),
        "date_completed_gmt": gmt(order.completed_s),
        "date_paid_gmt": gmt(order.paid_s),
        "currency_symbol": "Rp",
        "_links": own_links,
    }


def _line_meta(row: dict[str, Any]) -> dict[str, Any]:
    shown = row["key"] if row["key"].startswith("_") else row["key"].capitalize()
    return {**row, "display_key": shown, "display_value": row["value"]}


def _line_json(shop: Shop, line: Line) -> dict[str, Any]:
    """A line; `sku` is read live: null once the product is gone, "" once only the variation is."""
    product = shop.items.get(line.product_id)
    variation = shop.items.get(line.variation_id) if line.variation_id else None
    sku: str | None
    if product is None:
        sku = None
    elif line.variation_id:
        sku = variation.sku if variation else ""
    else:
        sku = product.sku
    return {
        "id": line.id,
        "name": line.name,
        "product_id": line.product_id if product else 0,
        "variation_id": line.variation_id if variation else 0,
        "quantity": line.quantity,
        "tax_class": "",
        "subtotal": str(line.total),
        "subtotal_tax": "0",
        "total": str(line.total),
        "total_tax": "0",
        "taxes": [],
        "meta_data": [_line_meta(row) for row in line.meta],
        "sku": sku,
        "price": _per_unit(line.total, line.quantity),
        "image": {"id": 0, "src": ""} if variation else {"id": "", "src": ""},
        "parent_name": product.name if product and variation else None,
    }


def _per_unit(total: int, quantity: int) -> int | float:
    return total // quantity if total % quantity == 0 else total / quantity


def _shipping_line(order: ShopOrder) -> dict[str, Any]:
    return {
        "id": order.shipping_line_id,
        "method_title": order.shipping_title,
        "method_id": "flat_rate",
        "instance_id": "",
        "total": str(order.shipping_total),
        "total_tax": "0",
        "taxes": [],
        "tax_status": "taxable",
        "meta_data": [],
    }


def refund_json(shop: Shop, order: ShopOrder, refund: Refund, home: str) -> dict[str, Any]:
    """A refund: its lines carry negative quantities and `_refunded_item_id`."""
    rows = []
    for line_id, line, units, money in refund.lines:
        row = _line_json(shop, line)
        row |= {"id": line_id, "quantity": -units, "subtotal": str(-money), "total": str(-money)}
        meta = {"id": line_id + 84, "key": "_refunded_item_id", "value": str(line.id)}
        row["meta_data"] = [_line_meta(meta)]
        rows.append(row)
    path = f"orders/{order.id}/refunds/{refund.id}"
    return {
        "id": refund.id,
        "date_created": local(refund.created_s),
        "date_created_gmt": gmt(refund.created_s),
        "amount": str(refund.amount),
        "reason": refund.reason,
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [],
        "line_items": rows,
        "shipping_lines": [],
        "tax_lines": [],
        "fee_lines": [],
        "_links": links(home, path, up=f"orders/{order.id}", deletable=True),
    }


def note_json(order: ShopOrder, note: Note, home: str) -> dict[str, Any]:
    """An order note, for the customer or for staff."""
    return {
        "id": note.id,
        "author": "WooCommerce",
        "date_created": local(note.at_s),
        "date_created_gmt": gmt(note.at_s),
        "note": note.text,
        "customer_note": note.customer,
        "_links": links(home, f"orders/{order.id}/notes/{note.id}", up=f"orders/{order.id}", deletable=True),
    }


def _common(shop: Shop, item: Item) -> dict[str, Any]:
    """What products and variations word alike."""
    number = shop.number(item)
    if number is None or number > 0:
        stock_status = "instock"
    else:
        stock_status = "outofstock" if item.backorders == "no" else "onbackorder"
    return {
        "id": item.id,
        "type": item.type,
        "date_created": local(item.created_s),
        "date_created_gmt": gmt(item.created_s),
        "date_modified": local(item.modified_s),
        "date_modified_gmt": gmt(item.modified_s),
        "description": "",
        "sku": item.sku,
        "global_unique_id": "",
        "price": str(item.price),
        "regular_price": "" if item.type == "variable" else str(item.price),
        "sale_price": "",
        "date_on_sale_from": None,
        "date_on_sale_from_gmt": None,
        "date_on_sale_to": None,
        "date_on_sale_to_gmt": None,
        "on_sale": False,
        "status": item.status,
        "purchasable": True,
        "virtual": False,
        "downloadable": False,
        "downloads": [],
        "download_limit": -1,
        "download_expiry": -1,
        "tax_status": "taxable",
        "tax_class": "",
        "manage_stock": shop.managed(item),
        "stock_quantity": number,
        "stock_status": stock_status,
        "backorders": item.backorders,
        "backorders_allowed": item.backorders != "no",
        "backordered": stock_status == "onbackorder",
        "low_stock_amount": None,
        "weight": item.weight,
        "dimensions": {"length": "", "width": "", "height": ""},
        "shipping_class": "",
        "shipping_class_id": 0,
        "menu_order": 0,
        "meta_data": [],
        "parent_id": item.parent_id,
    }


def _slug(name: str) -> str:
    return "-".join(name.lower().split())


def product_json(shop: Shop, item: Item, home: str) -> dict[str, Any]:
    """A row of `/products`; a variation appears here only when it was looked up by SKU."""
    parent = shop.items.get(item.parent_id)
    name = f"{parent.name} - {item.option}" if parent else item.name
    slug = _slug(name)
    children = [shop.items[child] for child in item.variations]
    if parent:
        attributes: list[dict[str, Any]] = [{"id": 0, "name": "Ukuran", "slug": "ukuran", "option": item.option}]
    elif children:
        options = [child.option for child in children]
        attributes = [
            {
                "id": 0,
                "name": "Ukuran",
                "slug": "Ukuran",
                "position": 0,
                "visible": True,
                "variation": True,
                "options": options,
            }
        ]
    else:
        attributes = []
    return _common(shop, item) | {
        "name": name,
        "slug": slug,
        "permalink": f"{home}/product/{slug}/",
        "featured": False,
        "catalog_visibility": "visible",
        "short_description": "",
        "total_sales": 0,
        "external_url": "",
        "button_text": "",
        "sold_individually": False,
        "shipping_required": True,
        "shipping_taxable": True,
        "reviews_allowed": True,
        "average_rating": "0.00",
        "rating_count": 0,
        "upsell_ids": [],
        "cross_sell_ids": [],
        "purchase_note": "",
        "categories": [] if parent else [{"id": 15, "name": "Uncategorized", "slug": "uncategorized"}],
        "brands": [],
        "tags": [],
        "images": [],
        "attributes": attributes,
        "default_attributes": [],
        "variations": list(item.variations),
        "grouped_products": [],
        "price_html": f'<span class="woocommerce-Price-amount amount">Rp{item.price:,}</span>',
        "related_ids": [],
        "has_options": item.type == "variable",
        "post_password": "",
        "_links": links(home, f"products/{item.id}"),
    }


def variation_json(shop: Shop, item: Item, home: str) -> dict[str, Any]:
    """A row of `/products/P/variations`; its `name` is the option alone."""
    parent = shop.items[item.parent_id]
    return _common(shop, item) | {
        "permalink": f"{home}/product/{_slug(parent.name)}/?attribute_ukuran={item.option}",
        "image": None,
        "attributes": [{"id": 0, "name": "Ukuran", "slug": "ukuran", "option": item.option}],
        "name": item.option,
        "_links": links(home, f"products/{parent.id}/variations/{item.id}", up=f"products/{parent.id}"),
    }
