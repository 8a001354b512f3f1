"""What pulling one order costs, against the bare floor in the same run, and what the idle process holds.

    .venv/bin/python bench/run.py [--orders 2000] [--rounds 5] [--only shopee]

CPU time of the process (not wall clock), medians of the rounds; floor and ours alternate. The ledger is a real SQLite file with
synchronous=FULL. Every order has two lines; replies are recorded once from the simulators and replayed byte for byte.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
from pathlib import Path
from statistics import median

import floor
from memory import idle_mib
from ours import Product

from sellersync.daemon import look_for_cycles_rarely

PROVIDERS = ("shopee", "tokopedia", "lazada", "woocommerce")
RATIO_MAX = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2_000, help="orders on each channel")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds; one more is run first to warm up")
    parser.add_argument("--only", choices=PROVIDERS, action="append", help="measure only this channel")
    parser.add_argument("--profile", type=int, metavar="LINES", help="print where our time goes instead")
    options = parser.parse_args()
    look_for_cycles_rarely()
    ratios: list[tuple[float, float]] = []
    if not options.profile:
        print(f"{'':<33} | {'us of CPU an order':^24} | ours is ... times")
        print(
            f"{'channel':<12} {'orders':>7} {'calls':>6} {'KiB':>6} | {'floor':>6} {'same rows':>10} {'ours':>6} |"
            f" {'the floor':>9} {'same rows':>10}"
        )
    for provider in options.only or PROVIDERS:
        with tempfile.TemporaryDirectory(prefix="sellersync-bench-") as folder:
            product = Product(provider, Path(folder), options.orders)
            if options.profile:
                _profile(product, options.profile)
                continue
            ratios.append(_measure(product, options.rounds))
    if not ratios:
        return 0
    if not options.only:
        print(f"idle daemon, four channels and a courier: {idle_mib():.0f} MiB resident")
    bare, rows = (max(column) for column in zip(*ratios, strict=True))
    print(
        f"worst: {bare:.2f} times the floor (allowed: {RATIO_MAX:g}), {rows:.2f} times a program that stores the same rows"
    )
    return int(bare > RATIO_MAX)


def _measure(product: Product, rounds: int) -> tuple[float, float]:
    """One row of the table. Returns ours / floor, for both floors."""
    before, tape = product.folder / "before.db", product.tape
    times: list[tuple[float, float, float]] = []
    for _ in range(rounds + 1):
        times.append((floor.pull(tape, before), floor.pull(tape, before, product.kept), product.pull()))
    bare, rows, ours = (median(column) / tape.orders * 1e6 for column in zip(*times[1:], strict=True))
    size = sum(len(call.body) for call in tape.calls) / 1024
    print(
        f"{product.provider:<12} {tape.orders:>7} {len(tape.calls):>6} {size:>6.0f} | {bare:>6.0f} {rows:>10.0f} {ours:>6.0f} |"
        f" {ours / bare:>9.2f} {ours / rows:>10.2f}",
        flush=True,
    )
    return ours / bare, ours / rows


def _profile(product: Product, lines: int) -> None:
    product.pull()
    profile = cProfile.Profile()
    profile.runcall(product.pull)
    stats = pstats.Stats(profile, stream=sys.stdout)
    stats.sort_stats("cumulative").print_stats(lines)
    stats.sort_stats("tottime").print_stats(lines)


if __name__ == "__main__":
    sys.exit(main())
