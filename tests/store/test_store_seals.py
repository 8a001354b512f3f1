"""The ledger proves itself: the chain of seals and everything that can be rebuilt (L1)."""

from __future__ import annotations

import pytest
from ledger_bench import START, Bench, line, order, units
from sqlmodel import Session

from sellersync.domain.orders import UnitStage
from sellersync.store import seals
from sellersync.store.seals import verify


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """A day's trade, sealed."""
    bench.stocked("KOPI", 10)
    bench.stocked("TEH", 4)
    bench.record(order("A", line("KOPI", 2), line("TEH", 1)), order("B", line("KOPI", 3)))
    later = bench.clock.advance(minutes=5)
    bench.record(order("B", line("KOPI", units(3, UnitStage.LEFT)), at=later, created_at=START))
    bench.receive("TEH", 6)
    bench.clock.advance(minutes=5)
    assert seal(bench) == bench.movements() == 7
    return bench


def seal(bench: Bench, *, settle_ms: int = 0) -> int:
    now_ms = bench.now_ms()
    return bench.write(
        lambda session: seals.seal_movements(session, now_ms=now_ms, settled_before_ms=now_ms - settle_ms)
    )


def problems(bench: Bench) -> str:
    return " | ".join(bench.read(verify).problems)


def test_an_untouched_ledger_verifies(shop: Bench) -> None:
    check = shop.read(verify)
    assert (check.movements, check.sealed, check.problems) == (7, 7, ())


def test_sealing_goes_on_where_it_stopped_and_seals_nothing_twice(shop: Bench) -> None:
    assert seal(shop) == 0
    shop.receive("KOPI", 1)
    assert seal(shop) == 0  # recorded this very moment: ids of other writers may still be filling in
    shop.clock.advance(seconds=1)
    assert seal(shop, settle_ms=2_000) == 0
    shop.clock.advance(seconds=2)
    assert seal(shop, settle_ms=2_000) == 1
    assert shop.read(verify).sealed == 8


def test_sealing_in_batches_makes_the_same_chain(shop: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shop.query("SELECT movement_id, hash FROM seal ORDER BY movement_id")
    shop.execute("DELETE FROM seal")
    monkeypatch.setattr(seals, "BATCH_ROWS_MAX", 3)
    assert [seal(shop) for _ in range(4)] == [3, 3, 1, 0]
    assert shop.query("SELECT movement_id, hash FROM seal ORDER BY movement_id") == whole


FIRST_SALE = "(SELECT MIN(id) FROM movement WHERE cause_kind = 'order')"


@pytest.mark.parametrize(
    ("tampering", "noticed"),
    [
        (f"UPDATE movement SET quantity = quantity + 1 WHERE id = {FIRST_SALE}", "was changed after it was sealed"),
        (f"UPDATE movement SET destination = 'shipped' WHERE id = {FIRST_SALE}", "was changed after it was sealed"),
        (f"UPDATE movement SET who = 'nobody' WHERE id = {FIRST_SALE}", "was changed after it was sealed"),
        (f"UPDATE movement SET reason = 'other' WHERE id = {FIRST_SALE}", "was changed after it was sealed"),
        (f"UPDATE movement SET occurred_ms = occurred_ms - 1 WHERE id = {FIRST_SALE}", "was changed after it was sealed"),
        (f"DELETE FROM movement WHERE id = {FIRST_SALE}", "was changed after it was sealed"),
        ("DELETE FROM movement WHERE id = (SELECT MAX(id) FROM movement)", "1 sealed movements are missing"),
        ("UPDATE balance SET quantity = quantity + 1 WHERE account = 'available'", "its movements make"),
        ("DELETE FROM balance WHERE account = 'shipped'", "its movements make"),
        ("UPDATE order_position SET reserved = reserved + 1 WHERE reserved > 0", "its position of KOPI differs"),
        ("DELETE FROM order_position WHERE shipped > 0", "its position of KOPI differs"),
        ("UPDATE seal SET hash = 'forged' WHERE movement_id = (SELECT MAX(movement_id) FROM seal)", "was changed after"),
        (f"DELETE FROM seal WHERE movement_id = {FIRST_SALE}", "was changed after it was sealed"),
    ],
)  # fmt: skip
def test_every_tampering_is_noticed(shop: Bench, tampering: str, noticed: str) -> None:
    shop.execute(tampering)
    assert noticed in problems(shop)


def test_a_movement_that_was_slipped_in_beside_the_chain_is_noticed(shop: Bench) -> None:
    """Balances and all: only its missing seal betrays it."""
    shop.execute("UPDATE movement SET id = id + 100 WHERE id > 3")
    shop.execute("DELETE FROM seal")
    shop.clock.advance(minutes=20)
    assert seal(shop) == 7
    assert problems(shop) == ""
    shop.execute(
        "INSERT INTO movement (id, sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, "
        "recorded_ms, cause_kind, cause_id, revision, leg, reason, who) SELECT 50, sku_id, 1, 'supplier', 0, 'available', "
        "destination_warehouse_id, occurred_ms, recorded_ms, 'document', 999, 1, 0, 'received', who FROM movement WHERE id = 1"
    )
    shop.execute(
        "UPDATE balance SET quantity = quantity + 1 WHERE account = 'available' AND sku_id = (SELECT sku_id FROM movement WHERE id = 50)"
    )
    shop.execute(
        "INSERT INTO balance (sku_id, warehouse_id, account, quantity) SELECT sku_id, 0, 'supplier', -1 FROM movement WHERE id = 50"
    )
    assert problems(shop) == "movement 50 was put in beside the chain of seals"


# -------------------------------------------------------------------------------------------------- from where it was last found whole


def note(bench: Bench) -> None:
    """Keep that the chain is whole up to now."""
    head = bench.read(verify).head
    assert head is not None
    bench.write(lambda session: seals.note_verified(session, head, now_ms=bench.now_ms()))


def problems_since(bench: Bench) -> str:
    def ask(session: Session) -> seals.LedgerCheck:
        after = seals.last_verified(session)
        assert after is not None
        return verify(session, after=after)

    return " | ".join(bench.read(ask).problems)


@pytest.fixture
def later(shop: Bench) -> Bench:
    """The day's trade was found whole; another order and a receipt came after it."""
    note(shop)
    shop.record(order("C", line("KOPI", 1)))
    shop.receive("TEH", 2)
    shop.clock.advance(minutes=5)
    assert seal(shop) == 2
    return shop


def test_a_later_check_goes_on_from_there(later: Bench) -> None:
    def ask(session: Session) -> seals.LedgerCheck:
        return verify(session, after=seals.last_verified(session))

    check = later.read(ask)
    assert (check.movements, check.sealed, check.problems) == (9, 9, ())
    assert check.after is not None
    assert (check.after.movement_id, check.after.at_ms < later.now_ms()) == (7, True)
    assert check.head == (9, later.value("SELECT hash FROM seal WHERE movement_id = 9"))


NEW = "(SELECT MAX(id) FROM movement)"


@pytest.mark.parametrize(
    ("tampering", "noticed"),
    [
        (f"UPDATE movement SET who = 'nobody' WHERE id = {NEW}", "was changed after it was sealed"),
        (f"UPDATE movement SET quantity = quantity + 1 WHERE id = {NEW}", "was changed after it was sealed"),
        (f"DELETE FROM movement WHERE id = {NEW}", "1 sealed movements are missing"),
        # what is rebuilt is rebuilt from movement one
        (f"UPDATE movement SET quantity = quantity + 1 WHERE id = {FIRST_SALE}", "its movements make"),
        (f"UPDATE movement SET destination = 'shipped' WHERE id = {FIRST_SALE}", "its movements make"),
        (f"DELETE FROM movement WHERE id = {FIRST_SALE}", "1 sealed movements are missing"),
        (f"DELETE FROM seal WHERE movement_id = {FIRST_SALE}", "put in beside the chain"),
        ("UPDATE balance SET quantity = quantity + 1 WHERE account = 'available'", "its movements make"),
        ("UPDATE order_position SET reserved = reserved + 1 WHERE reserved > 0", "its position of KOPI differs"),
        ("INSERT INTO order_position (order_id, sku_id, warehouse_id, reserved, shipped) "
         "SELECT MIN(sales_order.id), MAX(sku.id), 1, 0, 4 FROM sales_order, sku WHERE sku.code = 'TEH' AND sales_order.remote_id = 'B'",
         "its position of TEH differs"),
        # the place itself
        ("UPDATE seal SET hash = 'forged' WHERE movement_id = 7", "is not the one that was checked before"),
        ("DELETE FROM seal WHERE movement_id = 7", "is not the one that was checked before"),
        ("UPDATE seal SET hash = 'forged' WHERE movement_id = 8", "was changed after it was sealed"),
    ],
)  # fmt: skip
def test_tampering_is_found_where_a_later_check_claims_to_look(later: Bench, tampering: str, noticed: str) -> None:
    later.execute(tampering)
    assert noticed in problems_since(later)


def test_a_word_changed_before_that_is_found_by_the_whole_check_alone(later: Bench) -> None:
    later.execute(f"UPDATE movement SET reason = 'other' WHERE id = {FIRST_SALE}")
    assert problems_since(later) == ""
    assert "was changed after it was sealed" in problems(later)


def test_a_missing_id_is_waited_for_because_it_may_be_on_its_way(shop: Bench) -> None:
    for code in ("KOPI", "TEH"):
        shop.receive(code, 1)
    shop.execute("UPDATE movement SET id = 10 WHERE id = 9")
    shop.clock.advance(minutes=5)
    assert seal(shop) == 1
    shop.execute("UPDATE movement SET id = 9 WHERE id = 10")  # the one in between was committed late
    assert seal(shop) == 1
    shop.receive("KOPI", 1)
    shop.execute("UPDATE movement SET id = 12 WHERE id = 10")
    shop.clock.advance(minutes=9)
    assert seal(shop) == 0
    shop.clock.advance(minutes=2)
    assert seal(shop) == 1  # a write that was rolled back leaves its id unused for ever
    assert problems(shop) == ""


def test_balances_that_agree_with_forged_movements_still_break_the_chain(shop: Bench) -> None:
    shop.execute(f"UPDATE movement SET quantity = quantity + 1 WHERE id = {FIRST_SALE}")
    shop.execute("UPDATE balance SET quantity = quantity - 1 WHERE account = 'available' AND sku_id = (SELECT sku_id FROM sku "
                 "JOIN movement ON sku.id = sku_id WHERE movement.id = 1)")  # fmt: skip
    shop.execute(
        "UPDATE balance SET quantity = quantity + 1 WHERE account = 'reserved' AND sku_id = (SELECT sku_id FROM movement WHERE id = 1)"
    )
    shop.execute(
        "UPDATE order_position SET reserved = reserved + 1 WHERE sku_id = (SELECT sku_id FROM movement WHERE id = 1) AND order_id = 1"
    )
    assert "was changed after it was sealed" in problems(shop)
