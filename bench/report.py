"""What a report costs on a long history, in seconds and peak memory, section by section.

    .venv/bin/python bench/history.py /tmp/shop.db
    .venv/bin/python bench/report.py /tmp/shop.db [--period day|week|month] [--no-forecast] [--first]

Without `--first` the chain of seals counts as checked up to its end, as after yesterday's report.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import sqlite3
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))

DAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--period", choices=("day", "week", "month"), default="day")
    parser.add_argument("--no-forecast", action="store_true")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()

    from sellersync.clock import SystemClock
    from sellersync.forecast import DemandPolicy
    from sellersync.report import build, render_html
    from sellersync.report.period import of_day, of_month, of_week
    from sellersync.store import seals
    from sellersync.store.ledger import Ledger
    from sellersync.store.vault import Vault

    ledger = Ledger(f"sqlite:///{options.file}", clock=SystemClock(), vault=Vault(bytes(32)), inline=True)
    if options.first:
        with sqlite3.connect(options.file) as database:
            database.execute("DELETE FROM meta WHERE key = 'verified'")
    else:
        head = ledger.read_now(lambda session: seals.verify(session, after=seals.last_verified(session))).head
        assert head is not None
        ledger.write_now(lambda session: seals.note_verified(session, head, now_ms=0))
    period = {"day": of_day, "week": of_week, "month": of_month}[options.period](DAY)
    demand = None if options.no_forecast else DemandPolicy()
    profile = cProfile.Profile()
    started, cpu = time.monotonic(), time.process_time()
    if options.profile:
        profile.enable()
    report = build(
        ledger, zone=ZoneInfo("Asia/Jakarta"), period=period, now=NOW, language="id", shop_name="Toko", demand=demand
    )
    profile.disable()
    built, cpu = time.monotonic(), time.process_time() - cpu
    page = render_html(report)
    drawn = time.monotonic()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.period}: {report.proof.orders} orders, {report.proof.movements} movements; built in {built - started:.2f} s "
        f"({cpu:.2f} s of one core), "
        f"drawn in {drawn - built:.2f} s ({len(page.encode()) / 1024:.0f} KiB), peak {peak_mib:.0f} MiB"
    )
    if options.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats("sellersync/(report|store|forecast)", 45)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
