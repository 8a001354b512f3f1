"""Recorded and hostile order rows to the domain: stages, states, what the shop's number leaves out, buyers, money."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from woocommerce_bench import payload, recording

from sellersync.connector.contract import LevelAnswer, PushOutcome, TargetKey, Want
from sellersync.domain.errors import RejectClass, Unrecognised
from sellersync.domain.orders import Excluded, Order, OrderState, Unit, UnitStage
from sellersync_woocommerce import mapping, mapping_stock
from sellersync_woocommerce.mapping import Inherits, Rules

AT = datetime(2026, 11, 21, 19, 20, tzinfo=UTC)
RULES = Rules(now=AT, hold_minutes=60)


def read(name: str, rules: Rules = RULES, **changed: Any) -> Order:
    refunds = payload("refunds-list") if name == "order-after-refund" else ()
    return mapping.order({**payload(name), **changed}, rules, refunds=refunds)


def units(order: Order) -> list[list[tuple[str, int, str]]]:
    return [[(unit.stage.value, unit.count, unit.excluded.value) for unit in line.units] for line in order.lines]


# -- recorded orders


def test_a_paid_order() -> None:
    order = read("order-get")
    assert (order.remote_id, order.number, order.state) == ("29", "29", OrderState.READY)
    assert order.created_at == datetime(2026, 11, 21, 19, 6, 27, tzinfo=UTC)
    assert order.updated_at == datetime(2026, 11, 21, 19, 6, 28, tzinfo=UTC)
    assert order.paid_at == order.created_at
    assert not order.cod
    assert (order.goods_total, order.shipping_fee, order.discount_total, order.total) == (250_000, 18_000, 0, 268_000)
    assert (order.payment_method, order.courier_service) == ("Transfer bank", "JNE REG")
    assert units(order) == [[("open", 2, "yes")], [("open", 1, "yes")]]
    first, second = order.lines
    assert (first.key, first.listing, first.target, first.seller_sku) == ("line1", "11", "11", "KOPI-250")
    assert (second.listing, second.target, second.aliases) == ("12:14", "12:14", ("line2", "12:14"))
    assert (first.unit_price, second.title) == (65_000, "Kaos Batik - M")
    assert order.problems == ()
    assert order.hold_expires_at is None


def test_cash_on_delivery_is_ready_without_a_payment_date() -> None:
    order = read("order-checkout-cod")
    assert (order.state, order.cod, order.paid_at, order.total) == (OrderState.READY, True, None, 65_000)


def test_bank_transfer_waits_and_reserves() -> None:
    order = read("order-checkout-bacs")
    assert (order.state, order.paid_at, order.hold_expires_at) == (OrderState.UNPAID, None, None)
    assert units(order) == [[("open", 1, "yes")]]


def test_refunded_units_are_cancelled_and_money_alone_cancels_none() -> None:
    order = read("order-after-refund")
    assert order.state is OrderState.READY
    assert units(order) == [[("open", 1, "yes"), ("cancelled", 1, "yes")], [("open", 1, "yes")]]
    assert order.total == 268_000


def test_cash_on_delivery_collects_what_is_left_after_refunds() -> None:
    order = read("order-after-refund", payment_method="cod", date_paid_gmt=None)
    assert order.total == 268_000 - 66_000


def test_an_order_whose_units_are_all_refunded_is_not_booked() -> None:
    lines = payload("order-after-refund")["line_items"][:1]
    order = read("order-after-refund", line_items=[{**lines[0], "quantity": 1}])
    assert (order.state, units(order)) == (OrderState.CANCELLED, [[("cancelled", 1, "yes")]])


def test_deleted_products_keep_their_line_key_and_name_no_listing() -> None:
    order = read("order-deleted-products")
    gone, orphan = order.lines
    assert (gone.key, gone.listing, gone.target, gone.aliases, gone.seller_sku) == ("line130", "", "", ("line130",), "")
    assert (orphan.listing, orphan.seller_sku) == ("12", "")
    assert order.problems == ()


def test_a_completed_order_has_left_and_shows_its_waybill() -> None:
    order = read("order-complete-with-waybill")
    assert order.state is OrderState.COMPLETED
    assert units(order) == [[("left", 2, "yes")]]
    assert order.shipped_at == datetime(2026, 11, 21, 19, 26, 54, tzinfo=UTC)
    assert order.meta["waybill"] == "JNE0123456789"


def test_a_waybill_in_the_meta_means_booked() -> None:
    meta = payload("order-complete-with-waybill")["meta_data"]
    assert read("order-get", meta_data=meta).state is OrderState.BOOKED


# -- statuses


@pytest.mark.parametrize(
    ("status", "state", "stage"),
    [
        ("pending", OrderState.UNPAID, UnitStage.OPEN),
        ("on-hold", OrderState.UNPAID, UnitStage.OPEN),
        ("processing", OrderState.READY, UnitStage.OPEN),
        ("completed", OrderState.COMPLETED, UnitStage.LEFT),
        ("cancelled", OrderState.CANCELLED, UnitStage.CANCELLED),
        ("refunded", OrderState.CANCELLED, UnitStage.CANCELLED),
        ("failed", OrderState.CANCELLED, UnitStage.CANCELLED),
        ("checkout-draft", OrderState.CANCELLED, UnitStage.CANCELLED),
        ("auto-draft", OrderState.CANCELLED, UnitStage.CANCELLED),
    ],
)
def test_every_core_status(status: str, state: OrderState, stage: UnitStage) -> None:
    order = read("order-get", status=status)
    assert order.state is state
    assert order.remote_status == status
    assert {unit.stage for line in order.lines for unit in line.units} == {stage}
    assert order.problems == ()
    # neither cancelling nor failing clears the payment date
    assert (order.paid_at is not None) == (status in ("processing", "completed"))


def test_an_unknown_status_holds_its_units_and_is_told() -> None:
    order = read("order-get", status="dikirim-sebagian")
    assert order.state is OrderState.UNKNOWN
    assert units(order) == [[("unknown", 2, "yes")], [("unknown", 1, "yes")]]
    assert "dikirim-sebagian" in order.problems[0]


def test_own_statuses_mean_what_the_seller_says() -> None:
    rules = replace(RULES, paid_statuses=("dikemas",), shipped_statuses=("dikirim",))
    assert read("order-get", rules, status="dikemas").state is OrderState.READY
    shipped = read("order-get", rules, status="dikirim")
    assert (shipped.state, shipped.lines[0].units[0].stage) == (OrderState.SHIPPED, UnitStage.LEFT)


def test_processing_of_an_unknown_gateway_is_held_and_told() -> None:
    order = read("order-get", payment_method="bayar_di_tempat", date_paid_gmt=None)
    assert order.state is OrderState.HELD
    assert "'bayar_di_tempat'" in order.problems[0]
    rules = replace(RULES, cod_methods=("cod", "bayar_di_tempat"))
    cod = read("order-get", rules, payment_method="bayar_di_tempat", date_paid_gmt=None)
    assert (cod.state, cod.cod, cod.problems) == (OrderState.READY, True, ())


def test_booking_waits_after_the_payment() -> None:
    paid = datetime(2026, 11, 21, 19, 6, 27, tzinfo=UTC)
    for seconds, state in ((599, OrderState.HELD), (600, OrderState.READY)):
        rules = Rules(now=paid + timedelta(seconds=seconds), hold_minutes=60, booking_wait_s=600)
        assert read("order-get", rules).state is state


# -- what the shop's number leaves out


def _pending(rules: Rules = RULES, *, reduced: str = "", **changed: Any) -> tuple[Excluded, datetime | None]:
    line = payload("order-checkout-bacs")["line_items"][0]
    line["meta_data"] = [{"id": 1, "key": "_reduced_stock", "value": reduced}] if reduced else []
    order = read("order-checkout-bacs", rules, **{"status": "pending", "line_items": [line], **changed})
    return order.lines[0].units[0].excluded, order.hold_expires_at


def test_an_unpaid_checkout_is_outside_the_number_inside_its_hold_time() -> None:
    placed = datetime(2026, 11, 21, 19, 6, 59, tzinfo=UTC)
    ends = placed + timedelta(minutes=60)
    assert _pending() == (Excluded.NO, ends)
    assert _pending(created_via="checkout") == (Excluded.NO, ends)
    assert _pending(replace(RULES, now=ends - timedelta(seconds=1))) == (Excluded.NO, ends)
    assert _pending(replace(RULES, now=ends)) == (Excluded.YES, ends)
    assert _pending(replace(RULES, hold_minutes=5)) == (Excluded.YES, placed + timedelta(minutes=5))


@pytest.mark.parametrize("via", ["admin", "rest-api", ""])
def test_unpaid_orders_made_elsewhere_are_held_by_nobody(via: str) -> None:
    assert _pending(created_via=via)[0] is Excluded.YES


def test_reduced_units_are_inside_the_number_whatever_the_status() -> None:
    assert _pending(reduced="1")[0] is Excluded.YES


@pytest.mark.parametrize("status", ["on-hold", "processing", "completed", "dikemas"])
def test_unreduced_lines_in_other_states_add_nothing(status: str) -> None:
    line = {**payload("order-checkout-bacs")["line_items"][0], "meta_data": []}
    order = read("order-checkout-bacs", status=status, line_items=[line])
    assert order.lines[0].units[0].excluded is Excluded.YES


def test_a_shop_that_holds_nothing_and_one_that_does_not_tell() -> None:
    placed = datetime(2026, 11, 21, 19, 6, 59, tzinfo=UTC)
    fallback = placed + timedelta(minutes=45)
    assert _pending(replace(RULES, hold_minutes=0, hold_fallback_minutes=45)) == (Excluded.YES, fallback)
    assert _pending(replace(RULES, hold_minutes=None, hold_fallback_minutes=45)) == (Excluded.UNKNOWN, fallback)


def test_a_variation_on_its_parents_stock_has_the_parents_target() -> None:
    order = mapping.order(payload("order-get"), RULES, inherits=Inherits({(12, 14): True}))
    assert (order.lines[1].listing, order.lines[1].target) == ("12:14", "12")


# -- buyers


def test_the_recipient_is_read_from_shipping() -> None:
    buyer = read("order-get").buyer
    assert buyer is not None
    assert (buyer.name, buyer.phone, buyer.email) == ("Siti Rahma", "081200000001", "siti@example.test")
    assert buyer.address == "Jl. Melati 5, RT 02/RW 03"
    assert (buyer.city, buyer.province, buyer.postal_code) == ("Bandung", "Jawa Barat", "40115")
    assert "Siti" not in repr(read("order-get"))


def test_an_empty_shipping_address_falls_back_to_billing() -> None:
    empty = dict.fromkeys(payload("order-get")["shipping"], "")
    buyer = read("order-checkout-cod", shipping=empty).buyer
    assert buyer is not None
    assert (buyer.name, buyer.address, buyer.phone) == ("Budi Santoso", "Jl. Kenanga 9", "081200000002")
    assert buyer.note == "titip satpam"


def test_a_missing_phone_falls_back_alone() -> None:
    shipping = {**payload("order-get")["shipping"], "first_name": "Ibu", "phone": ""}
    buyer = read("order-get", shipping=shipping).buyer
    assert buyer is not None
    assert (buyer.name, buyer.phone) == ("Ibu Rahma", "081200000001")


def test_the_district_comes_from_meta_or_from_the_second_line_where_the_seller_says_so() -> None:
    meta = [{"id": 1, "key": "_shipping_district", "value": "Coblong"}]
    named = read("order-get", meta_data=meta).buyer
    second = read("order-get", replace(RULES, district_in_address_2=True)).buyer
    assert named is not None
    assert named.district == "Coblong"
    assert second is not None
    assert (second.district, second.address) == ("RT 02/RW 03", "Jl. Melati 5")


def test_php_empty_arrays_are_not_objects() -> None:
    order = read("order-get", billing=[], shipping=[], shipping_lines=None, refunds=None)
    assert order.buyer is not None
    assert order.buyer.name == ""


# -- what cannot be read


@pytest.mark.parametrize("missing", ["id", "status", "date_modified_gmt", "date_created_gmt"])
def test_without_id_status_or_times_an_order_is_unreadable(missing: str) -> None:
    with pytest.raises(Unrecognised):
        mapping.order({**payload("order-get"), missing: None}, RULES)


def test_an_unreadable_line_is_a_problem_and_sinks_no_other() -> None:
    good, bad = payload("order-get")["line_items"]
    order = read("order-get", line_items=[good, {**bad, "quantity": "1.5"}])
    assert [line.key for line in order.lines] == ["line1"]
    assert "line 2 quantity" in order.problems[0]


def test_money_wobbles_are_read_and_fractions_are_told() -> None:
    assert read("order-get", total="268000.00").total == 268_000
    odd = read("order-get", total="268000.50")
    assert (odd.total, len(odd.problems)) == (None, 1)
    assert "USD" in read("order-get", currency="USD").problems[0]


# -- listings and levels


def test_listings_of_recorded_products() -> None:
    simple = mapping_stock.simple_listing(payload("product-get"), "g")
    assert (simple.key, simple.seller_sku, simple.shown, simple.price, simple.weight_g) == (
        "11",
        "KOPI-250",
        10,
        65_000,
        250,
    )
    assert mapping_stock.simple_listing(payload("product-get"), "kg").weight_g == 250_000
    assert mapping_stock.simple_listing(payload("product-get"), "").weight_g is None
    parent = payload("variable-product-get")
    large, medium, _ = (mapping_stock.variation_listing(row, parent, "g") for row in payload("variations-list"))
    assert (medium.key, medium.title, medium.variation, medium.shown) == ("12:14", "Kaos Batik", "M", 5)
    assert (large.managed, large.shown, large.targets) == (False, None, (TargetKey("12:15"),))
    inherited = mapping_stock.variation_listing(payload("variation-inherits-parent-stock"), {**parent, "id": 17}, "g")
    assert (inherited.key, inherited.targets, inherited.shown) == ("17:19", (TargetKey("17"),), 18)
    assert not mapping_stock.variation_listing(payload("variations-list")[0], {**parent, "status": "draft"}, "g").active


def _answers(name: str, parent: int = 0) -> list[LevelAnswer]:
    recorded = recording(name)
    found = []
    for row, echoed in zip(recorded["request"]["body"]["update"], recorded["body"]["update"], strict=True):
        if isinstance(row.get("id"), int) and isinstance(row["stock_quantity"], int):
            key = f"{parent}:{row['id']}" if parent else str(row["id"])
            found.append(mapping_stock.level_answer(Want(TargetKey(key), row["stock_quantity"], None, "k"), echoed))
    return found


def test_recorded_batch_replies_are_judged_by_the_echo() -> None:
    answers = _answers("products-batch-update")
    assert [(answer.outcome.value, answer.shown, answer.reject) for answer in answers] == [
        ("applied", 12, None),
        ("applied", 0, None),
        ("rejected", None, RejectClass.UNKNOWN_LISTING),
        ("rejected", None, RejectClass.NOT_MANAGED),
        ("rejected", None, RejectClass.UNKNOWN_LISTING),  # a variation on the products route
        ("rejected", None, RejectClass.NOT_MANAGED),  # the parent of variations
    ]
    assert "/products/<product_id>/" in answers[4].why
    answers = _answers("variations-batch-update", parent=12)
    assert [(answer.outcome.value, answer.shown) for answer in answers] == [
        ("applied", 4),
        ("rejected", None),
        ("applied", 9),
        ("rejected", None),
        ("rejected", None),
    ]


def test_an_echo_of_another_number_or_another_row_is_unclear() -> None:
    want = Want(TargetKey("11"), 12, None, "k")
    row = {"id": 11, "manage_stock": True, "stock_quantity": 11}
    echoes: tuple[object, ...] = (
        row,
        {**row, "id": 12, "stock_quantity": 12},
        {**row, "stock_quantity": "12"},
        None,
        [],
    )
    for echoed in echoes:
        assert mapping_stock.level_answer(want, echoed).outcome is PushOutcome.UNCLEAR


@pytest.mark.parametrize("key", ["", "x", "12:", ":3", "12:x", "-4", "1:2:3", "١٢"])
def test_foreign_keys_are_recognised(key: str) -> None:
    assert mapping_stock.split_key(key) is None


def test_units_stay_plain_counts() -> None:
    line = read("order-get").lines[0]
    assert line.units == (Unit(UnitStage.OPEN, 2, "", Excluded.YES),)
    assert not line.named
