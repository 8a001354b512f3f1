"""The demo: the product's real daemon against four marketplaces and a courier on loopback sockets, and a judge at the end.

Buyers order until the last second, staff settle what the ledger's findings ask of them; then the daemon may settle for at most
`SETTLE_S_MAX`, is stopped with SIGTERM, prints its daily report, and the judge compares the marketplaces' journals with the ledger.
"""

from __future__ import annotations

import json as jsonlib
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.live import Live

from .books import open_ledger
from .house import House, HouseError
from .judge import Verdict, judge
from .scenario import CHANNELS, LEDGER_NAME, Scenario
from .screen import Glance, draw, look, plain_line, self_check
from .staff import Staff

SETTLE_S_MAX = 20.0
LOOK_S = 0.5
PLAIN_LOOK_S = 5.0
JUDGE_S = 1.0
PLAIN_WIDTH = 140
INTERRUPTED = 130
REPORT_NAME = "demo-report.html"


def run_demo(
    seconds: int = 30, seed: int = 1, json: bool = False, keep: Path | None = None, off: str | None = None
) -> int:
    """Run the demo; returns 0 when the self-check passes, else 1.

    `json` prints the verdict as one JSON object and nothing else. `keep` is a directory for the ledger, configuration, log and
    report (else a temporary one, and the report lands in the working directory). `off` is a channel that nobody can reach.
    """
    console = Console(quiet=json)
    if not console.is_terminal:
        console = Console(quiet=json, width=PLAIN_WIDTH)
    report_path = (keep or Path.cwd()).absolute() / REPORT_NAME
    with _directory(keep) as directory:
        try:
            verdict, report, errands = _play(console, directory, seconds, seed, off, report_path)
        except HouseError as failure:
            Console(stderr=True).print(f"The demo could not run: {failure}", style="red", markup=False)
            return 1
        except KeyboardInterrupt:
            Console(stderr=True).print("Interrupted: the daemon was stopped, nothing was judged.")
            return INTERRUPTED
        if json:
            print(jsonlib.dumps(verdict.as_json(), indent=2))  # noqa: T201 - the output that a script reads
        else:
            for errand in errands:
                console.print(f"Staff: {errand}", markup=False, highlight=False, soft_wrap=True)
            console.print(report, markup=False, highlight=False, soft_wrap=True)
            console.print(self_check(verdict))
            console.print(f"The report as HTML: {report_path}", markup=False)
            console.print("All invariants hold." if verdict.ok else "An invariant is broken.", style="bold")
    return 0 if verdict.ok else 1


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="sellersync-demo-") as temporary:
        yield Path(temporary)


def _play(
    console: Console, directory: Path, seconds: int, seed: int, off: str | None, report_path: Path
) -> tuple[Verdict, str, list[str]]:
    """The verdict, the report, and what staff did."""
    logging.getLogger("sellersync.sandbox").addHandler(logging.NullHandler())
    closed = {off} if off else set()
    if not closed <= CHANNELS.keys():
        raise HouseError(f"there is no channel {off} to switch off; there are {', '.join(CHANNELS)}")
    if (directory / LEDGER_NAME).exists():
        raise HouseError(f"{directory} holds the ledger of an earlier run; name another directory")
    with Scenario(directory, seed=seed, seconds=float(seconds), clock=time.time, off=closed) as scenario:
        house = House(scenario.config_path)
        console.print(f"Opening the shop in {directory}: authorising, reading listings, counting the shelf ...")
        house.open_shop(
            grants={slug: path for slug in scenario.channels if (path := scenario.grant_path(slug)) is not None},
            counts=scenario.counts_path,
            bundles=scenario.bundle_listings(),
            all_reachable=not closed,
        )
        house.start()
        staff = Staff(house, scenario.ledger_path, time.monotonic)
        try:
            with staff:
                _live(console, scenario, house, staff)
        finally:
            exit_code = house.stop()
        report = house.run("report", "--html", str(report_path))
        return _final(scenario, exit_code, house), report, staff.done


def _live(console: Console, scenario: Scenario, house: House, staff: Staff) -> None:
    """Buyers until the last second, then the settling."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def walk() -> None:
        try:
            scenario.street.walk(time.monotonic, stop)
        except Exception as failure:
            failures.append(failure)

    start = time.monotonic()
    buyers = threading.Thread(target=walk, name="buyers", daemon=True)
    buyers.start()
    with _screen(console, scenario) as show:
        try:
            while not scenario.street.done and not failures and time.monotonic() - start < scenario.seconds + 5.0:
                show(look(scenario, time.monotonic() - start), "buyers order")
                _check_alive(house)
                stop.wait(LOOK_S)
        finally:
            stop.set()
            buyers.join(5.0)
        if failures:
            raise HouseError(f"the buyers stumbled: {failures[0]!r}") from failures[0]
        deadline = time.monotonic() + SETTLE_S_MAX
        while not _judge(scenario).ok and time.monotonic() < deadline:
            show(look(scenario, time.monotonic() - start), "the daemon settles")
            _check_alive(house)
            if staff.failure is not None:
                raise staff.failure
            time.sleep(JUDGE_S)
        show(look(scenario, time.monotonic() - start), "done")


def _check_alive(house: House) -> None:
    if house.exit_code is not None:
        raise HouseError(f"the daemon ended by itself with {house.exit_code}:\n{house.last_words()}")


def _judge(scenario: Scenario) -> Verdict:
    with open_ledger(scenario.ledger_path) as connection:
        return judge(scenario.evidence(), connection)


def _final(scenario: Scenario, exit_code: int, house: House) -> Verdict:
    """The verdict after the daemon has gone, with what no journal shows."""
    verdict = _judge(scenario)
    problems = [*verdict.problems, *(f"the simulator failed: {crash}" for crash in scenario.crashes())]
    if exit_code != 0:
        problems.append(f"the daemon ended with {exit_code} after SIGTERM: {house.last_words()}")
    return replace(verdict, ok=not problems, problems=problems)


@contextmanager
def _screen(console: Console, scenario: Scenario) -> Iterator[Callable[[Glance, str], None]]:
    """A live screen on a terminal, a line every few seconds elsewhere."""
    if console.is_terminal and not console.quiet:
        with Live(console=console, refresh_per_second=4, transient=False) as live:
            yield lambda glance, phase: live.update(draw(scenario, glance, phase))
        return
    last = [-PLAIN_LOOK_S]

    def plain(glance: Glance, phase: str) -> None:
        if glance.elapsed_s - last[0] >= PLAIN_LOOK_S or phase == "done":
            last[0] = glance.elapsed_s
            console.print(plain_line(glance), highlight=False, markup=False, soft_wrap=True)

    yield plain
