"""However the versions of an order arrive, late, twice or out of order, the ledger ends where the newest alone leads (L2, L3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_bench import START, Bench, line, order

from sellersync.domain.orders import Excluded, Order, OrderLine, Unit, UnitStage

OPEN, CANCELLED, LEFT = UnitStage.OPEN, UnitStage.CANCELLED, UnitStage.LEFT
NEXT = {
    OPEN: (OPEN, OPEN, LEFT, CANCELLED),
    LEFT: (LEFT, UnitStage.DELIVERED, UnitStage.COMING_BACK, UnitStage.LOST),
    UnitStage.DELIVERED: (UnitStage.DELIVERED, UnitStage.COMING_BACK),
}
"""What may become of a unit from one version to the next. A provider that lets goods leave never forgets that they left."""


@dataclass(frozen=True)
class Story:
    """An order's versions, oldest first, each a tuple of lines; and the deliveries: pages of version numbers, the newest among them."""

    versions: tuple[tuple[OrderLine, ...], ...]
    pages: tuple[tuple[int, ...], ...]
    mapped_before_page: int


@st.composite
def stories(draw: st.DrawFn) -> Story:
    listings = draw(st.lists(st.sampled_from(["KOPI", "PAKET", "LATER"]), min_size=1, max_size=3))
    named = [draw(st.booleans()) for _ in listings]
    stages = [[OPEN] * draw(st.integers(1, 3)) for _ in listings]
    versions: list[tuple[OrderLine, ...]] = []
    for _ in range(draw(st.integers(1, 5))):
        versions.append(
            tuple(
                line(
                    listing,
                    *(
                        Unit(stage, 1, f"u{number}-{place}" if ids else "", Excluded.YES)
                        for place, stage in enumerate(own)
                    ),
                    key=f"line{number}",
                )
                for number, (listing, own, ids) in enumerate(zip(listings, stages, named, strict=True))
            )
        )
        stages = [[draw(st.sampled_from(NEXT.get(stage, (stage,)))) for stage in own] for own in stages]
    newest = len(versions) - 1
    some = draw(st.lists(st.integers(0, newest), max_size=8))
    deliveries = draw(st.permutations([*some, newest]))
    pages: list[tuple[int, ...]] = []
    while deliveries:
        size = draw(st.integers(1, 3))
        pages.append(tuple(deliveries[:size]))
        deliveries = deliveries[size:]
    return Story(tuple(versions), tuple(pages), draw(st.integers(0, len(pages))))


@given(story=stories())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shuffled_and_doubled_deliveries_end_where_the_newest_version_alone_leads(bench: Bench, story: Story) -> None:
    serial = bench.value("SELECT COUNT(*) FROM sales_order")
    if not serial:
        bench.stocked("KOPI", 500)
        bench.listing("PAKET", {"KOPI": 2, "MADU": 1})
    later = f"LATER-{serial}"
    bench.listing(later)

    def version(remote_id: str, number: int) -> Order:
        lines = tuple(
            line(later if one.listing == "LATER" else one.listing, *one.units, key=one.key)
            for one in story.versions[number]
        )
        return order(remote_id, *lines, at=START + timedelta(minutes=number), created_at=START)

    shuffled, alone = f"shuffled-{serial}", f"alone-{serial}"
    for number, page in enumerate(story.pages):
        if number == story.mapped_before_page:
            bench.map(later, {"TEH": 3})
        bench.record(*(version(shuffled, which) for which in page), read_at=bench.clock.advance(seconds=1))
    if story.mapped_before_page >= len(story.pages):
        bench.map(later, {"TEH": 3})
    bench.record(version(alone, len(story.versions) - 1), read_at=bench.clock.advance(seconds=1))

    for code in ("KOPI", "MADU", "TEH"):
        assert bench.position(shuffled, code) == bench.position(alone, code)
    columns = "line_key, left_count, left_keys, return_due, on_shelf"
    kept = f"SELECT {columns} FROM order_line JOIN sales_order ON sales_order.id = order_id WHERE remote_id = :r ORDER BY line_key"
    assert bench.query(kept, r=shuffled) == bench.query(kept, r=alone)
    bench.assert_proven()


@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_page_ends_the_same_whether_it_comes_as_one_or_order_by_order(
    sqlite_bench: Bench, data: st.DataObject
) -> None:
    bench = sqlite_bench
    serial = bench.value("SELECT COUNT(*) FROM sales_order")
    if not serial:
        bench.stocked("KOPI", 500)
        bench.listing("PAKET", {"KOPI": 2, "MADU": 1})
    numbers = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=10))
    stages = st.sampled_from([OPEN, CANCELLED, LEFT])
    page = [
        (number, data.draw(st.sampled_from(["KOPI", "PAKET"])), data.draw(stages), minute)
        for minute, number in enumerate(numbers)
    ]

    def versions(prefix: str) -> list[Order]:
        return [
            order(
                f"{prefix}{number}-{serial}",
                line(listing, Unit(stage, 2, "", Excluded.YES), key="line"),
                at=START + timedelta(minutes=minute),
                created_at=START,
            )
            for number, listing, stage, minute in {one[0]: one for one in page}.values()
        ]

    together, single = versions("together"), versions("single")
    bench.record(*together)
    for one in single:
        bench.record(one)
    for first, second in zip(together, single, strict=True):
        for code in ("KOPI", "MADU"):
            assert bench.position(first.remote_id, code) == bench.position(second.remote_id, code)
    bench.assert_proven()
