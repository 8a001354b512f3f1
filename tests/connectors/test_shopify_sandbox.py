"""The simulated shop is as strict as the real one; tried without the connector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx
import pytest

from sellersync.sandbox.kit import Event, SoldOut
from sellersync_shopify.sandbox import ShopifySandbox

START_S = 1_795_219_200.0
ORDER_IDS = 'query { orders(first: 50, query: "%s", sortKey: UPDATED_AT) { nodes { id } } }'
SET = """mutation S($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta quantityAfterChange } } userErrors { code field message }
  }
}"""


class Bench:
    """A simulator with its own clock, and calls in the shop's own words."""

    def __init__(self, **switches: Any) -> None:
        self.now_s = START_S
        self.sim = ShopifySandbox(clock=lambda: self.now_s, rng=Random(1), switches=switches)
        self.token = json.loads(self.sim.first_grant())["access_token"]

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        request = httpx.Request(method, f"https://toko.example{path}", **options)
        request.read()
        return self.sim.handle(request)

    def ask(self, query: str, variables: Any = None, *, version: str = "2026-07", token: str | None = None) -> Any:
        headers = {"x-shopify-access-token": self.token if token is None else token}
        body = {"query": query, "variables": variables or {}}
        return self.send("POST", f"/admin/api/{version}/graphql.json", json=body, headers=headers)

    def code(self, query: str, variables: Any = None) -> str:
        """The code of a refusal."""
        answer = self.ask(query, variables).json()
        assert not any((answer.get("data") or {}).values())
        return str(answer["errors"][0]["extensions"]["code"])

    def set(self, rows: Sequence[dict[str, Any]], key: str = "k1", **changes: Any) -> Any:
        given = {"name": "available", "reason": "correction", "quantities": list(rows), **changes}
        return self.ask(SET, {"input": given, "key": key}).json()

    def row(self, remote_key: str, quantity: int, expected: int | None = None) -> dict[str, Any]:
        return {
            "inventoryItemId": f"gid://shopify/InventoryItem/{remote_key}",
            "locationId": f"gid://shopify/Location/{self.sim.main_location}",
            "quantity": quantity,
            "changeFromQuantity": expected,
        }

    def product(self, stock: int = 10) -> str:
        return self.sim.add_product("A", "Teh", price=20_000, stock=stock).remote_key


def test_doors() -> None:
    bench = Bench()
    assert bench.ask("{ shop { name } }").json()["data"] == {"shop": {"name": "Toko Uji"}}
    assert bench.ask("{ shop { name } }", token="shpat_other").status_code == 401
    assert bench.ask("{ shop { name } }", token="").status_code == 401
    assert bench.send("POST", "/admin/api/2026-07/orders.json").status_code == 404
    headers = {"x-shopify-access-token": bench.token}
    assert bench.send("GET", "/admin/api/2026-07/graphql.json", headers=headers).status_code == 405
    assert bench.send("POST", "/admin/api/2026-07/graphql.json", headers=headers, content=b"{").status_code == 400
    assert bench.send("GET", "/admin/oauth/access_token").status_code == 404
    bench.now_s += 86_399
    assert bench.ask("{ shop { name } }").status_code == 401


@pytest.mark.parametrize(
    ("asked", "served"), [("2026-07", "2026-07"), ("2026-04", "2026-04"), ("2025-01", "2025-10"), ("2027-01", "")]
)
def test_versions(asked: str, served: str) -> None:
    answer = Bench().ask("{ shop { name } }", version=asked)
    assert (answer.status_code, answer.headers.get("x-shopify-api-version", "")) == (200 if served else 404, served)


def test_tokens() -> None:
    bench = Bench(old_token="dies")
    right = {
        "grant_type": "client_credentials",
        "client_id": bench.sim.client_id,
        "client_secret": bench.sim.client_secret,
    }
    answer = bench.send("POST", "/admin/oauth/access_token", data=right)
    assert answer.json()["expires_in"] == 86_399
    assert bench.ask("{ shop { name } }").status_code == 401, "the old one is dead in this position"
    bench.token = bench.send("POST", "/admin/oauth/access_token", json=right).json()["access_token"]
    assert bench.ask("{ shop { name } }").status_code == 200
    for wrong in ({"grant_type": "refresh_token"}, {"client_id": "x"}, {"client_secret": "x"}):
        assert bench.send("POST", "/admin/oauth/access_token", data={**right, **wrong}).status_code == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ shop { name", "parse"),
        ("subscription { shop { name } }", "parse"),
        ("{ shop { nickname } }", "undefinedField"),
        ("{ customers(first: 1) { nodes { id } } }", "undefinedField"),
        ("{ shop }", "selectionMismatch"),
        ("{ shop { name { first } } }", "selectionMismatch"),
        ("{ orders { nodes { id } } }", "BAD_REQUEST"),
        ("{ orders(first: 251) { nodes { id } } }", "BAD_REQUEST"),
        ("{ orders(first: 1, page: 2) { nodes { id } } }", "argumentNotAccepted"),
        ("{ orders(first: 1, sortKey: PRICE) { nodes { id } } }", "argumentLiteralsIncompatible"),
        ("{ orders(first: $first) { nodes { id } } }", "variableNotDefined"),
        ('{ orders(first: 1, after: "???") { nodes { id } } }', "BAD_REQUEST"),
        ('{ orders(first: 1, query: "status:open") { nodes { id } } }', "BAD_REQUEST"),
        ("{ nodes { id } }", "missingRequiredArguments"),
        ('{ nodes(ids: ["12"]) { id } }', "argumentLiteralsIncompatible"),
        ('{ nodes(ids: ["gid://shopify/Order/1"]) { ... on Basket { id } } }', "undefinedType"),
        ("{ shop @cached { name } }", "undefinedDirective"),
        ("query Q($a: Int!) { shop { name } }", "INVALID_VARIABLE"),
    ],
)
def test_documents_that_are_refused(query: str, code: str) -> None:
    assert Bench().code(query) == code


def test_more_than_250_rows_are_refused() -> None:
    bench = Bench()
    ids = [f"gid://shopify/Order/{number}" for number in range(251)]
    assert bench.code("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids}) == "MAX_INPUT_SIZE_EXCEEDED"
    key = bench.product()
    answer = bench.set([bench.row(key, 1)] * 251)
    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


def test_scopes() -> None:
    bench = Bench()
    bench.sim.scopes.clear()
    assert bench.code("{ orders(first: 1) { nodes { id } } }") == "ACCESS_DENIED"
    assert bench.code("{ locations(first: 1) { nodes { id } } }") == "ACCESS_DENIED"


def test_points() -> None:
    bench = Bench(connection_cost="per_row")
    deep = "{ orders(first: 250) { nodes { lineItems(first: 10) { nodes { id } } } } }"
    assert bench.code(deep) == "MAX_COST_EXCEEDED"
    wide = "{ orders(first: 250) { nodes { shippingLine { title } } } }"
    cost = bench.ask(wide).json()["extensions"]["cost"]
    assert cost["requestedQueryCost"] == 2 + 250 * 2
    assert cost["throttleStatus"]["currentlyAvailable"] == 2_000 - cost["actualQueryCost"]
    bench.sim.drain()
    throttled = bench.ask(wide)
    assert throttled.status_code == 200
    assert "data" not in throttled.json()
    assert throttled.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    bench.now_s += 5.03
    assert "errors" not in bench.ask(wide).json()


def test_the_observed_cost_of_a_connection() -> None:
    """25 points for 250 variants with their items, one of them for the product around (public report, 2025)."""
    cost = (
        Bench()
        .ask("{ productVariants(first: 250) { nodes { inventoryItem { id tracked } } } }")
        .json()["extensions"]["cost"]
    )
    assert cost["requestedQueryCost"] == 2 + 24


def test_a_stock_write_without_its_duties_is_refused() -> None:
    bench = Bench()
    key = bench.product()
    bare = SET.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    given = {"name": "available", "reason": "correction", "quantities": [bench.row(key, 5)]}
    assert bench.code(bare, {"input": given}) == "BAD_REQUEST"
    misplaced = bare.replace("mutation S(", "mutation S(").replace(") {\n  inv", ') @idempotent(key: "k") {\n  inv', 1)
    assert bench.code(misplaced, {"input": given}) == "directiveCannotBeApplied"
    without = {name: value for name, value in bench.row(key, 5).items() if name != "changeFromQuantity"}
    assert bench.set([without])["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    old = {**bench.row(key, 5), "compareQuantity": 10}
    assert bench.set([old])["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert bench.set([{**bench.row(key, 5), "quantity": "5"}])["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert bench.sim.shown(key) == 10
    assert bench.sim.journal.entries(Event.LEVEL_SET) == []


@pytest.mark.parametrize("bad_row", ["sinks_the_call", "alone"])
def test_compare_and_set(bad_row: str) -> None:
    bench = Bench(one_bad_row=bad_row)
    one, two = bench.product(), bench.product()
    payload = bench.set([bench.row(one, 5, 9), bench.row(two, 5, 10)])["data"]["inventorySetQuantities"]
    assert [error["code"] for error in payload["userErrors"]] == ["CHANGE_FROM_QUANTITY_STALE"]
    assert payload["userErrors"][0]["field"] == ["input", "quantities", "0", "changeFromQuantity"]
    assert (bench.sim.shown(one), bench.sim.shown(two)) == (10, 10 if bad_row == "sinks_the_call" else 5)
    unchecked = bench.set([bench.row(one, 7, None)], "k2")["data"]["inventorySetQuantities"]
    assert unchecked["userErrors"] == []
    assert {change["quantityAfterChange"] for change in unchecked["inventoryAdjustmentGroup"]["changes"]} == {None}
    assert bench.sim.shown(one) == 7


def test_keys_are_remembered_for_a_day() -> None:
    bench = Bench()
    key = bench.product()
    first = bench.set([bench.row(key, 5, 10)])
    bench.sim.edit_stock(key, 8)
    assert bench.set([bench.row(key, 5, 10)])["data"] == first["data"]
    assert bench.sim.shown(key) == 8
    clash = bench.set([bench.row(key, 6, 8)])["data"]["inventorySetQuantities"]["userErrors"]
    assert [error["code"] for error in clash] == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    bench.now_s += 86_000
    bench.token = json.loads(bench.sim.first_grant())["access_token"]
    bench.now_s += 500
    assert bench.set([bench.row(key, 6, 8)])["data"]["inventorySetQuantities"]["userErrors"] == []
    assert bench.sim.shown(key) == 6


def test_orders_move_units_between_states() -> None:
    bench = Bench()
    key = bench.product(10)
    item = bench.sim.shop.items[int(key)]
    level = item.levels[bench.sim.main_location]
    order_id = bench.sim.place_order([(key, 4)])
    assert (level.available, level.committed, level.on_hand) == (6, 4, 10)
    bench.sim.cancel(order_id, items=[(key, 1)])
    assert (level.available, level.committed, level.on_hand) == (7, 3, 10)
    bench.sim.hand_over(order_id)
    assert (level.available, level.committed, level.on_hand) == (7, 0, 7)
    with pytest.raises(ValueError, match="cannot be cancelled"):
        bench.sim.cancel(order_id)
    with pytest.raises(SoldOut):
        bench.sim.place_order([(key, 8)])
    assert [entry.data["level"] for entry in bench.sim.journal.entries(Event.SHOWN_CHANGED)] == [6, 7]
    on_hand = bench.set([bench.row(key, 9, 7)], name="on_hand")["data"]["inventorySetQuantities"]
    assert on_hand["userErrors"] == []
    assert level.available == 9


def test_the_time_filter_needs_its_quotation_marks() -> None:
    bench = Bench()
    key = bench.product()
    early = bench.sim.place_order([(key, 1)])
    bench.now_s += 100
    late = bench.sim.place_order([(key, 1)])
    since = "2026-11-21T00:01:00Z"

    def ids(query: str) -> list[str]:
        rows = bench.ask(ORDER_IDS % query).json()["data"]["orders"]["nodes"]
        return [row["id"].rpartition("/")[2] for row in rows]

    assert ids(f"updated_at:>='{since}'") == [late]
    assert ids(f"updated_at:<'{since}'") == [early]
    assert ids(f"updated_at:>={since}") == [early, late], "a bare time matches everything"


def test_fulfilments() -> None:
    bench = Bench()
    key = bench.product()
    order_id = bench.sim.place_order([(key, 1)])
    work = bench.sim.order_of(order_id).work[0]
    mutation = """mutation F($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) {
      fulfillment { id status } userErrors { field message } } }"""
    given = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": f"gid://shopify/FulfillmentOrder/{work.id}"}]}
    made = bench.ask(mutation, {"f": given}).json()["data"]["fulfillmentCreate"]
    assert made["fulfillment"]["status"] == "SUCCESS"
    again = bench.ask(mutation, {"f": given}).json()["data"]["fulfillmentCreate"]
    assert again["fulfillment"] is None
    assert again["userErrors"][0]["message"] == f"Fulfillment order {work.id} has an unfulfillable status= closed."
    other = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": "gid://shopify/FulfillmentOrder/1"}]}
    assert bench.ask(mutation, {"f": other}).json()["data"]["fulfillmentCreate"]["userErrors"]


def test_switches_are_checked() -> None:
    with pytest.raises(ValueError, match="no switch"):
        Bench(one_bad_row="perhaps")
