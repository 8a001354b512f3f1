"""What the accounts say about themselves becomes findings, and is gone when it is gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulation import Simulation, in_virtual_time, simulate

from sellersync.connector.contract import Health
from sellersync.jobs import check_health
from sellersync.jobs.check_health import authorisation_end, findings_of
from sellersync.sandbox.kit import Fault, FaultKind

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def findings(s: Simulation) -> list[tuple[str, str, dict[str, Any]]]:
    rows = s.query(
        "SELECT kind, subject, details FROM finding WHERE closed_ms IS NULL "
        "AND kind IN ('authorisation_ending', 'clock_offset', 'shop_note') ORDER BY id"
    )
    return [(row.kind, row.subject, json.loads(row.details)) for row in rows]


def test_a_well_account_gives_no_finding() -> None:
    health = Health("7", "Toko", NOW + timedelta(days=31), clock_offset_s=-29)
    assert {kind for kind, found in findings_of(health, NOW).items() if found} == set()
    assert {kind for kind, found in findings_of(Health("7", "Toko"), NOW).items() if found} == set()


def test_each_trouble_has_its_kind() -> None:
    found = findings_of(Health("7", "Toko", NOW + timedelta(days=29.5), -31.4, ("Holiday mode is on.",)), NOW)
    assert found == {
        "authorisation_ending": {"authorisation": {"days": 29, "ends": "2026-05-31"}},
        "clock_offset": {"clock": {"seconds": -31}},
        "shop_note": {"Holiday mode is on.": {}},
    }
    over = findings_of(Health("7", "Toko", NOW - timedelta(days=3)), NOW)
    assert over["authorisation_ending"]["authorisation"]["days"] == 0


def test_a_consent_that_ends_soon_is_said_until_it_is_given_again(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "lazada")) as s:
            world = s.app.world
            for account in (*world.shops, *world.couriers):
                run = await check_health.run(world, account)
                assert run is not None
                assert run.ok, run.error
            assert ("authorisation_ending", "authorisation", {"days": 14, "ends": "2026-12-05"}) in findings(s)
            assert [kind for kind, _, _ in findings(s)].count("authorisation_ending") == 1  # Shopee's lasts 300 days
            assert [kind for kind, _, _ in findings(s)].count("shop_note") == 1  # the courier's test key
            sim: Any = s.sims["lazada"]
            sim.refresh_life_s = 180 * 86_400
            await s.app.keepers["lazada"].keep_consent(sim.first_grant())
            await check_health.run(world, s.shop("lazada"))
            assert [kind for kind, _, _ in findings(s)] == ["shop_note"]
            ends = s.app.ledger.read_now(lambda session: authorisation_end(session, s.shop("lazada").id))
            assert ends is not None
            assert (ends - s.clock.now()).days in (179, 180)

    in_virtual_time(body)


def test_a_channel_that_does_not_answer_keeps_what_was_known(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("lazada",), courier=False) as s:
            await check_health.run(s.app.world, s.shop("lazada"))
            known = findings(s)
            assert len(known) == 1
            s.sims["lazada"].faults.append(Fault(FaultKind.HTTP_500, times=99))
            run = await check_health.run(s.app.world, s.shop("lazada"))
            assert run is not None
            assert run.outcome == "temporary"
            assert findings(s) == known

    in_virtual_time(body)
