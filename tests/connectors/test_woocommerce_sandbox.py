"""The simulator against the recordings: shapes, error bodies, stock moves, holds, lists with their traps."""

from __future__ import annotations

from typing import Any

import pytest
from woocommerce_bench import NOW_S, ask, bare_shop, payload, recording

from sellersync.sandbox.kit import Event, SoldOut

ERRORS = recording("errors")["errors"]


def shape(value: Any) -> Any:
    """Keys and JSON types; a list is as its first element. Numbers are one type, as in JSON."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__


def filled_shop() -> Any:
    shop, clock = bare_shop()
    shop.add_product("KOPI-250", "Kopi Gayo 250g", price=65000, stock=10)
    for size, stock in (("S", 5), ("M", 5)):
        shop.add_product(f"KAOS-{size}", "Kaos Batik", price=120000, stock=stock, parent="Kaos Batik", option=size)
    shop.add_product("KAOS-L", "Kaos Batik", price=125000, stock=0, parent="Kaos Batik", option="L", managed=False)
    return shop, clock


# -- shapes and errors


def test_an_order_is_worded_as_recorded() -> None:
    shop, _ = filled_shop()
    order_id = shop.place_order([("11", 2), ("12:14", 1)])
    assert shape(ask(shop, f"orders/{order_id}").json()) == shape(payload("order-get"))
    assert shape(ask(shop, "orders").json()[0]) == shape(payload("order-get"))
    line = ask(shop, f"orders/{order_id}").json()["line_items"][1]
    recorded = payload("order-get")["line_items"][1]
    for name in ("name", "quantity", "total", "sku", "price", "parent_name"):
        assert line[name] == recorded[name]
    assert [row["key"] for row in line["meta_data"]] == [row["key"] for row in recorded["meta_data"]]


def test_cod_and_bank_transfer_orders_are_as_recorded() -> None:
    shop, _ = filled_shop()
    shop.checkout = "store-api"
    cod = ask(shop, f"orders/{shop.place_order([('11', 1)], cod=True)}").json()
    bacs = ask(shop, f"orders/{shop.place_bank_transfer([('11', 1)])}").json()
    for found, name in ((cod, "order-checkout-cod"), (bacs, "order-checkout-bacs")):
        for key in ("status", "created_via", "payment_method", "date_paid_gmt", "is_editable", "needs_payment"):
            assert found[key] == payload(name)[key], key
        assert shape(found["line_items"]) == shape(payload(name)["line_items"])


def test_refunds_are_worded_as_recorded() -> None:
    shop, clock = filled_shop()
    order_id = shop.place_order([("11", 2), ("12:14", 1)])
    clock.at_s += 1
    shop.refund(order_id, [("11", 1)])
    clock.at_s += 1
    shop.refund_money(order_id, 1000)
    order = ask(shop, f"orders/{order_id}").json()
    recorded = payload("order-after-refund")
    assert [row["total"] for row in order["refunds"]] == [row["total"] for row in recorded["refunds"]]
    assert order["status"] == recorded["status"]
    for line, known in zip(order["line_items"], recorded["line_items"], strict=True):
        assert line["quantity"] == known["quantity"]
        assert [(m["key"], m["value"]) for m in line["meta_data"]] == [
            (m["key"], m["value"]) for m in known["meta_data"]
        ]
    reply = ask(shop, f"orders/{order_id}/refunds")
    assert [shape(row) for row in reply.json()] == [shape(row) for row in payload("refunds-list")]
    assert reply.headers["x-wp-total"] == "2"


def test_deleted_products_leave_the_recorded_holes() -> None:
    shop, _ = filled_shop()
    order_id = shop.place_order([("11", 1), ("12:13", 1)])
    shop.shop.delete_item(11)
    shop.shop.delete_item(13)
    lines = ask(shop, f"orders/{order_id}").json()["line_items"]
    recorded = payload("order-deleted-products")["line_items"]
    for line, known in zip(lines, recorded, strict=True):
        assert (line["sku"], line["variation_id"], line["parent_name"]) == (
            known["sku"],
            known["variation_id"],
            known["parent_name"],
        )
    assert [bool(line["product_id"]) for line in lines] == [bool(known["product_id"]) for known in recorded]


def test_products_and_variations_are_worded_as_recorded() -> None:
    shop, _ = filled_shop()
    shop.add_product("KM", "Kaos", price=1000, stock=18, parent="Kaos", option="M", inherits=True)
    assert shape(ask(shop, "products/11").json()) == shape(payload("product-get"))
    variable = ask(shop, "products/12").json()
    assert shape(variable) == shape(payload("variable-product-get")) | {"related_ids": []}
    assert (variable["manage_stock"], variable["stock_quantity"]) == (False, None)
    reply = ask(shop, "products/12/variations", {"orderby": "id", "order": "desc"})
    assert [shape(row) for row in reply.json()] == [shape(row) for row in payload("variations-list")]
    inherited = ask(shop, "products/16/variations").json()[0]
    recorded = payload("variation-inherits-parent-stock")
    assert shape(inherited) == shape(recorded)
    assert (inherited["manage_stock"], inherited["stock_quantity"]) == ("parent", 18)


def test_variations_are_in_the_product_list_only_by_sku() -> None:
    shop, _ = filled_shop()
    assert [row["type"] for row in ask(shop, "products", {"orderby": "id", "order": "asc"}).json()] == [
        "simple",
        "variable",
    ]
    found = ask(shop, "products", {"sku": "kopi-250,KAOS-M"}).json()
    assert {row["type"]: row["parent_id"] for row in found} == {"simple": 0, "variation": 12}


def test_status_totals_and_notes_are_worded_as_recorded() -> None:
    shop, _ = filled_shop()
    order_id = shop.place_order([("11", 3)])
    for status in ("pending", "processing"):
        shop.set_status(order_id, status)
    totals = ask(shop, "reports/orders/totals").json()
    assert [(row["slug"], row["name"]) for row in totals] == [
        (row["slug"], row["name"]) for row in payload("order-status-totals")
    ]
    notes = ask(shop, f"orders/{order_id}/notes").json()
    assert shape(notes) == shape(payload("order-notes-list"))
    texts = [note["note"] for note in notes]
    assert "Order status changed from Processing to Pending payment." in texts
    assert "Stock levels increased: Kopi Gayo 250g (KOPI-250) 7&rarr;10" in texts


def test_errors_are_the_recorded_ones() -> None:
    shop, _ = filled_shop()
    order_id = shop.place_order([("11", 1)])
    gone = shop.place_order([("11", 1)])
    shop.delete(gone)
    made: dict[str, Any] = {
        "bad-json": ("products/11", "PUT", '{"stock_quantity": 3,'),
        "bad-type": ("products/11", "PUT", {"stock_quantity": "banyak"}),
        "batch-too-many": ("products/batch", "POST", {"update": [{"id": 11, "stock_quantity": 12}] * 101}),
        "no-route": ("ordres", "GET", None),
        "order-gone": (f"orders/{gone}", "GET", None),
        "refund-too-big": (f"orders/{order_id}/refunds", "POST", {"amount": "9999999", "api_refund": False}),
        "unknown-order": ("orders/999999", "GET", None),
        "unknown-product": ("products/999999", "PUT", {"stock_quantity": 1}),
        "unknown-variation": ("products/12/variations/999999", "PUT", {"stock_quantity": 1}),
        "wrong-parent": ("products/11/variations/13", "PUT", {"stock_quantity": 1}),
    }
    for kind, (path, method, body) in made.items():
        reply = ask(shop, path, method=method, body=body)
        assert (reply.status_code, reply.json()) == (ERRORS[kind]["status"], ERRORS[kind]["body"]), kind
    reply = ask(shop, "orders", {"per_page": "101", "status": "bogus"})
    assert (reply.status_code, reply.json()) == (400, ERRORS["invalid-param"]["body"])


def test_batches_tolerate_nonsense_as_recorded() -> None:
    shop, _ = filled_shop()
    shop.add_product("TEH-1", "Teh Tubruk", price=20000, stock=7)  # 16
    shop.add_product("BRG-03", "Barang 3", price=1000, stock=1, managed=False)  # 17
    recorded = recording("products-batch-update")
    answers = ask(shop, "products/batch", method="POST", body=recorded["request"]["body"]).json()["update"]
    for found, known in zip(answers, recorded["body"]["update"], strict=True):
        assert found["id"] == known["id"]
        assert found.get("error") == known.get("error")
        for name in ("manage_stock", "stock_quantity", "stock_status"):
            assert found.get(name) == known.get(name), (found["id"], name)
    recorded = recording("variations-batch-update")
    answers = ask(shop, "products/12/variations/batch", method="POST", body=recorded["request"]["body"]).json()[
        "update"
    ]
    for found, known in zip(answers, recorded["body"]["update"], strict=True):
        keys = ("id", "error", "manage_stock", "stock_quantity")
        assert [found.get(key) for key in keys] == [known.get(key) for key in keys]


@pytest.mark.parametrize(
    ("value", "single", "batch"),
    [(5, 5, 5), ("5", 5, 5), (-4, -4, -4), (3.7, 400, 3), ("banyak", 400, 0), (None, 0, 10)],
)
def test_what_a_pushed_value_becomes(value: Any, single: int, batch: int) -> None:
    shop, _ = filled_shop()
    reply = ask(shop, "products/11", method="PUT", body={"stock_quantity": value})
    assert (reply.json()["stock_quantity"] if single != 400 else reply.status_code) == single
    shop.edit_stock("11", 10)
    row = {"update": [{"id": 11, "stock_quantity": value}]}
    echoed = ask(shop, "products/batch", method="POST", body=row).json()["update"][0]
    assert echoed["stock_quantity"] == batch
    assert echoed["stock_status"] == ("instock" if batch > 0 else "outofstock")


def test_fields_empty_the_body_of_a_batch() -> None:
    shop, _ = filled_shop()
    row = {"update": [{"id": 11, "stock_quantity": 3}]}
    assert ask(shop, "products/batch", {"_fields": "id"}, method="POST", body=row).json() == []
    assert shop.shown("11") == 3


# -- stock


def test_status_moves_change_the_number_as_measured() -> None:
    shop, _ = bare_shop()
    key = shop.add_product("A", "A", price=1, stock=8).remote_key
    order_id = shop.place_order([(key, 3)], paid=False)
    seen = []
    for status in [
        "on-hold",
        "pending",
        "processing",
        "cancelled",
        "processing",
        "completed",
        "failed",
        "refunded",
        "pending",
    ]:
        shop.set_status(order_id, status)
        seen.append(shop.shown(key))
    assert seen == [5, 8, 5, 8, 5, 5, 5, 5, 8]
    levels = [entry.data["level"] for entry in shop.journal.entries(Event.SHOWN_CHANGED)]
    assert levels == [5, 8, 5, 8, 5, 8]


def test_a_checkout_hold_is_not_in_the_number_but_stops_another_buyer() -> None:
    shop, clock = bare_shop()
    key = shop.add_product("A", "A", price=1, stock=3).remote_key
    order_id = shop.place_order([(key, 2)], paid=False)
    assert ask(shop, f"products/{key}").json()["stock_quantity"] == 3
    with pytest.raises(SoldOut):
        shop.place_order([(key, 2)])
    assert shop.journal.entries(Event.SOLD_OUT)[0].data == {
        "remote_key": key,
        "seller_sku": "A",
        "wanted": 2,
        "shown": 1,
    }
    shop.place_order([(key, 1)])
    ask(shop, f"products/{key}", method="PUT", body={"stock_quantity": 0})
    shop.pay(order_id)
    assert shop.shown(key) == -2
    assert ask(shop, f"products/{key}").json()["stock_status"] == "outofstock"
    clock.at_s += 1


@pytest.mark.parametrize(
    ("checkout", "sweeps_blocks", "status"),
    [("checkout", False, "cancelled"), ("store-api", False, "pending"), ("store-api", True, "cancelled")],
)
def test_an_unpaid_hold_ends(checkout: str, sweeps_blocks: bool, status: str) -> None:
    shop, clock = bare_shop(switches={"cancels_store_api": sweeps_blocks})
    shop.checkout = checkout
    key = shop.add_product("A", "A", price=1, stock=1).remote_key
    order_id = shop.place_order([(key, 1)], paid=False)
    clock.at_s += 3599
    with pytest.raises(SoldOut):
        shop.place_order([(key, 1)])
    clock.at_s += 1
    assert ask(shop, f"orders/{order_id}").json()["status"] == status
    assert shop.place_order([(key, 1)])


def test_drafts_and_rest_orders_hold_nothing() -> None:
    shop, _ = bare_shop()
    key = shop.add_product("A", "A", price=1, stock=2).remote_key
    shop.start_checkout([(key, 2)])
    shop.place_order([(key, 5)], storefront="rest-api")
    assert shop.shown(key) == -3


def test_the_bin_gives_nothing_back_and_hides_the_order() -> None:
    shop, clock = bare_shop()
    key = shop.add_product("A", "A", price=1, stock=5).remote_key
    order_id = shop.place_order([(key, 2)])
    clock.at_s += 5
    ask(shop, f"orders/{order_id}", method="DELETE")
    assert shop.shown(key) == 3
    assert ask(shop, "orders").json() == []
    assert ask(shop, "orders", {"status": "any,trash"}).json() == []
    assert [row["id"] for row in ask(shop, "orders", {"status": "processing,trash"}).json()] == [int(order_id)]
    assert [row["id"] for row in ask(shop, "orders", {"status[0]": "trash"}).json()] == [int(order_id)]
    ask(shop, f"orders/{order_id}", {"force": "true"}, method="DELETE")
    assert ask(shop, f"orders/{order_id}").status_code == 404


def test_partial_cancellation_before_and_after_payment() -> None:
    shop, _ = bare_shop()
    key = shop.add_product("A", "A", price=1000, stock=9).remote_key
    paid, waiting = shop.place_order([(key, 3)]), shop.place_bank_transfer([(key, 3)])
    shop.cancel(paid, items=[(key, 1)])
    assert shop.shown(key) == 4
    assert ask(shop, f"orders/{paid}").json()["line_items"][0]["quantity"] == 3
    shop.cancel(waiting, items=[(key, 2)])
    assert shop.shown(key) == 6
    assert ask(shop, f"orders/{waiting}").json()["line_items"][0]["quantity"] == 1
    shop.cancel(waiting, items=[(key, 1)])
    assert shop.shown(key) == 7
    assert ask(shop, f"orders/{waiting}").json()["line_items"] == []


def test_refunding_the_whole_sum_makes_it_refunded_without_restocking() -> None:
    shop, _ = bare_shop()
    key = shop.add_product("A", "A", price=1000, stock=9).remote_key
    order_id = shop.place_order([(key, 3)])
    shop.refund_money(order_id, 3000 + 18000)
    assert ask(shop, f"orders/{order_id}").json()["status"] == "refunded"
    assert shop.shown(key) == 6


def test_a_variation_on_its_parents_stock_sells_the_parents() -> None:
    shop, _ = bare_shop()
    one = shop.add_product("KS", "Kaos", price=1, stock=20, parent="Kaos", option="S", inherits=True)
    two = shop.add_product("KM", "Kaos", price=1, stock=20, parent="Kaos", option="M", inherits=True)
    shop.place_order([(one.remote_key, 2)])
    assert (one.shown, two.shown) == ({"": 18}, {"": 18})
    changed = shop.journal.entries(Event.SHOWN_CHANGED)[0].data
    assert (changed["remote_key"], changed["level"]) == (one.remote_key.partition(":")[0], 18)
    with pytest.raises(SoldOut):
        shop.place_order([(one.remote_key, 10), (two.remote_key, 9)])


# -- lists


@pytest.mark.parametrize(
    ("sent", "gmt", "found"),
    [
        ("2026-11-21T19:06:32", "true", ["after"]),
        ("2026-11-21T19:06:32Z", "", ["after"]),
        ("2026-11-22T02:06:32+07:00", "", ["after"]),
        ("2026-11-22T02:06:32", "", ["after"]),
        ("2026-11-21T19:06:32", "", ["at", "after"]),  # read as shop time: 7 hours too much
        ("2026-11-21T19:06:32Z", "true", []),  # shifted by the zone a second time
        ("2026-11-22T02:06:32+07:00", "true", []),
    ],
)
def test_time_filters_as_measured(sent: str, gmt: str, found: list[str]) -> None:
    shop, clock = bare_shop()
    assert clock.at_s == NOW_S
    key = shop.add_product("A", "A", price=1, stock=5).remote_key
    names = {shop.place_order([(key, 1)]): "at"}
    clock.at_s += 1
    names[shop.place_order([(key, 1)])] = "after"
    query = {"modified_after": sent, "orderby": "id", "order": "asc", **({"dates_are_gmt": gmt} if gmt else {})}
    reply = ask(shop, "orders", query)
    assert reply.status_code == 200
    assert [names[str(row["id"])] for row in reply.json()] == found


@pytest.mark.parametrize("sent", ["kemarin", "1795288000"])
def test_unreadable_times_are_refused(sent: str) -> None:
    shop, _ = bare_shop()
    reply = ask(shop, "orders", {"modified_after": sent})
    assert reply.status_code == 400
    assert reply.json()["data"]["details"]["modified_after"]["code"] == "rest_invalid_date"


def _ids_paged(shop: Any, collection: str, query: dict[str, str]) -> list[int]:
    ids: list[int] = []
    for page in range(1, 100):
        rows = ask(shop, collection, {**query, "page": str(page)})
        if not rows.json():
            assert rows.headers["x-wp-total"] == "0"
            return ids
        ids += [row["id"] for row in rows.json()]
    raise AssertionError("no end")


def _shop_of_one_second(*, tie_break: bool = False) -> Any:
    shop, _ = bare_shop(switches={"tie_break": tie_break})
    keys = [shop.add_product(f"P{n}", "P", price=1, stock=9).remote_key for n in range(14)]
    for _ in range(128):
        shop.place_order([(keys[0], 1)], storefront="rest-api")
    return shop


@pytest.mark.parametrize("walk", recording("paging-same-second-loss")["walks"], ids=lambda walk: str(walk["params"]))
def test_rows_of_one_second_get_lost_where_they_were_recorded_to(walk: dict[str, Any]) -> None:
    query = {name: str(value) for name, value in walk["params"].items()}
    ids = _ids_paged(_shop_of_one_second(), walk["endpoint"], query)
    assert len(ids) == walk["rows_returned"]
    assert (len(set(ids)) < len(ids)) == (walk["distinct"] < walk["rows_returned"])


def test_later_releases_lose_no_rows() -> None:
    shop = _shop_of_one_second(tie_break=True)
    for collection, query in (("orders", {"orderby": "modified", "per_page": "7"}), ("products", {"per_page": "3"})):
        ids = _ids_paged(shop, collection, query)
        assert len(ids) == len(set(ids))


def test_list_headers() -> None:
    shop, _ = bare_shop()
    for number in range(15):
        shop.add_product(f"P{number}", "P", price=1, stock=9)
    query = {"per_page": "3", "page": "2", "_fields": "id,sku,stock_quantity,type"}
    reply = ask(shop, "products", query)
    assert (reply.headers["x-wp-total"], reply.headers["x-wp-totalpages"]) == ("15", "5")
    assert set(reply.json()[0]) == {"id", "sku", "stock_quantity", "type"}
    assert 'rel="prev"' in reply.headers["link"]
    assert "page=3" in reply.headers["link"]


def test_an_order_put_changes_meta_in_place_and_the_change_time() -> None:
    shop, clock = bare_shop()
    key = shop.add_product("A", "A", price=1, stock=5).remote_key
    order_id = shop.place_order([(key, 1)])
    body = {"meta_data": [{"key": "_sellersync_waybill", "value": "JNE1"}]}
    first = ask(shop, f"orders/{order_id}", method="PUT", body=body).json()
    clock.at_s += 1
    body["meta_data"][0]["value"] = "JNE2"
    second = ask(shop, f"orders/{order_id}", {"_method": "PUT"}, method="POST", body=body).json()
    assert [row["id"] for row in second["meta_data"]] == [row["id"] for row in first["meta_data"]]
    assert second["date_modified_gmt"] > first["date_modified_gmt"]
    clock.at_s += 1
    ask(shop, f"orders/{order_id}/notes", method="POST", body={"note": "halo", "customer_note": True})
    assert ask(shop, f"orders/{order_id}").json()["date_modified_gmt"] == second["date_modified_gmt"]
