"""Whatever orders, parcels, providers' returns and people say, in whatever order: no unit is invented, and none comes back twice."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_bench import START, Bench, line, order, parcel, unit, units
from returns_bench import announced, grade, keep, receive, tell, track

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import Unit, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import Grade, ReturnState
from sellersync.store.returns import settle_returns_of

SHIPPED_UNITS = 3
STAGES = st.sampled_from(
    [UnitStage.OPEN, UnitStage.LEFT, UnitStage.DELIVERED, UnitStage.COMING_BACK, UnitStage.CANCELLED, UnitStage.LOST]
)
PARCEL_STATES = st.sampled_from(
    [ParcelState.BOOKED, ParcelState.IN_TRANSIT, ParcelState.RETURNING, ParcelState.RETURNED, ParcelState.DELIVERED, ParcelState.LOST]
)  # fmt: skip

versions = st.tuples(st.just("version"), st.lists(STAGES, min_size=SHIPPED_UNITS, max_size=SHIPPED_UNITS))
looks = st.tuples(st.just("parcel"), PARCEL_STATES)
returns = st.tuples(
    st.just("return"), st.integers(1, 2), st.sampled_from(ReturnState), st.integers(1, SHIPPED_UNITS), st.booleans()
)
receipts = st.tuples(st.just("receive"), st.integers(0, 3), st.integers(1, SHIPPED_UNITS))
gradings = st.tuples(st.just("grade"), st.integers(0, 3), st.sampled_from(Grade), st.integers(1, SHIPPED_UNITS))
keepings = st.tuples(st.just("keep"), st.integers(0, 3))
STEPS = st.lists(st.one_of(versions, looks, returns, receipts, gradings, keepings), min_size=3, max_size=14)


class Story:
    """One order of three units, told step by step."""

    def __init__(self, shop: Bench, *, named: bool) -> None:
        self.shop = shop
        self.named = named
        self.minute = 0
        shop.stocked("KOPI", 10)
        self.version([UnitStage.LEFT] * SHIPPED_UNITS)

    def units(self, stages: list[UnitStage]) -> list[Unit]:
        if self.named:
            return [unit(f"u{number}", stage) for number, stage in enumerate(stages, start=1)]
        return [units(stages.count(stage), stage) for stage in sorted(set(stages))]

    def version(self, stages: list[UnitStage]) -> None:
        self.minute += 1
        contents: dict[str, Any] = {"unit_keys": ("u1", "u2")} if self.named else {}
        counted = () if self.named else (("line-KOPI", 2),)
        state = ParcelState.IN_TRANSIT if self.minute == 1 else None
        parcels = () if state is None else (parcel("P1", "A", state, *counted, **contents),)
        self.shop.record(
            order("A", line("KOPI", *self.units(stages)), at=START + timedelta(minutes=self.minute), parcels=parcels)
        )

    def step(self, what: tuple[Any, ...]) -> None:
        self.shop.clock.advance(minutes=1)
        kind, *more = what
        documents = [row[0] for row in self.shop.query("SELECT id FROM return_document ORDER BY id")]
        if kind == "version":
            self.version(more[0])
        elif kind == "parcel":
            contents: dict[str, Any] = {"unit_keys": ("u1", "u2")} if self.named else {}
            track(self.shop, parcel("P1", "A", more[0], *(() if self.named else (("line-KOPI", 2),)), **contents))
        elif kind == "return":
            self.minute += 1
            number, state, count, comes_back = more
            lines = [(f"u{index + 1}", 1) for index in range(count)] if self.named else [("line-KOPI", count)]
            at = START + timedelta(minutes=self.minute)
            tell(self.shop, announced(f"R{number}", "A", *lines, at=at, state=state, goods_come_back=comes_back))
        elif documents:
            chosen = documents[more[0] % len(documents)]
            try:
                if kind == "receive":
                    receive(self.shop, chosen, more[1])
                elif kind == "grade":
                    grade(self.shop, more[1], more[2], chosen)
                else:
                    keep(self.shop, chosen)
            except BadInput:
                pass  # more than there is: refused, and nothing changes

    def check(self) -> None:
        shop = self.shop
        balances = shop.balances("KOPI")
        assert sum(balances.values()) == 0
        shop.assert_proven()
        _, shipped = shop.position("A", "KOPI")
        covered, open_units, here = shop.query(
            "SELECT COALESCE(SUM(CASE WHEN state <> 'withdrawn' THEN quantity ELSE 0 END), 0), "
            "COALESCE(SUM(CASE WHEN state = 'open' THEN quantity - received ELSE 0 END), 0), "
            "COALESCE(SUM(CASE WHEN state <> 'withdrawn' THEN received ELSE 0 END), 0) FROM return_document"
        )[0]
        assert covered <= shipped <= SHIPPED_UNITS
        graded = dict(shop.query("SELECT grade, SUM(quantity) FROM return_grade GROUP BY grade"))
        assert balances.get("returning", 0) == open_units
        assert balances.get("inspect", 0) == here - sum(graded.values())
        assert balances.get("damaged", 0) == graded.get("damaged", 0)
        assert balances.get("lost", 0) == graded.get("lost", 0)
        assert balances.get("shipped", 0) == shipped - open_units - here
        due = [row[0] for row in shop.query("SELECT id FROM return_document WHERE state IN ('open', 'received')")]
        assert bool(shop.findings("return_due")) == bool(due)

    def replay_changes_nothing(self) -> None:
        """The newest version and the newest returns told once more, a minute later: nothing moves."""
        before = self.shop.movements(), self.shop.query("SELECT * FROM return_document ORDER BY id")
        self.shop.write(
            lambda session: settle_returns_of(session, [self.shop.order_id("A")], now_ms=self.shop.now_ms())
        )
        assert (self.shop.movements(), self.shop.query("SELECT * FROM return_document ORDER BY id")) == before


@given(STEPS, st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_unit_is_invented_and_none_comes_back_twice(
    sqlite_template: Path, tmp_path: Path, steps: list[tuple[Any, ...]], named: bool
) -> None:
    path = tmp_path / "story.db"
    for leftover in tmp_path.glob("story.db*"):
        leftover.unlink()
    shutil.copy(sqlite_template, path)
    with Bench.open(f"sqlite:///{path}") as shop:
        story = Story(shop, named=named)
        for step in steps:
            story.step(step)
            story.check()
        story.replay_changes_nothing()


def test_the_same_on_both_engines(bench: Bench) -> None:
    """A long story on each engine: every kind of step, twice."""
    story = Story(bench, named=False)
    steps: list[tuple[Any, ...]] = [
        ("parcel", ParcelState.RETURNING),
        ("return", 1, ReturnState.COMING_BACK, 1, True),
        ("receive", 0, 1),
        ("version", [UnitStage.COMING_BACK, UnitStage.DELIVERED, UnitStage.DELIVERED]),
        ("grade", 0, Grade.SELLABLE, 1),
        ("return", 2, ReturnState.APPROVED, 2, True),
        ("version", [UnitStage.CANCELLED] * 3),
        ("receive", 1, 1),
        ("grade", 1, Grade.LOST, 2),
        ("return", 2, ReturnState.WITHDRAWN, 2, True),
        ("keep", 0),
        ("parcel", ParcelState.DELIVERED),
        ("version", [UnitStage.DELIVERED] * 3),
    ]
    for step in [*steps, *steps]:
        story.step(step)
        story.check()
    story.replay_changes_nothing()
