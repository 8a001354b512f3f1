"""`sellersync connectors`: what is installed, what it can do, whether it keeps the contract, and how to begin a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sellersync.clock import SystemClock
from sellersync.connector.contract import Channel, Courier
from sellersync.connector.registry import connector_class, installed
from sellersync.domain.errors import ConfigError

from .codes import Code
from .out import as_json, say, table
from .state import state_of

app = typer.Typer(help="Installed connectors: list, certify, begin a new one.", no_args_is_help=True)

Results = Annotated[Path | None, typer.Option("--results", help="Folder with result files of `connectors certify`.")]


@app.command("list")
def list_(context: typer.Context, results: Results = None) -> None:
    """Channels and couriers that this installation can speak to, how and when each was verified, and what it leaves out."""
    from sellersync.testing.certify import newest_result

    state = state_of(context)
    rows: list[dict[str, Any]] = []
    for provider in installed():
        try:
            cls = connector_class(provider)
        except ConfigError as broken:
            nothing: dict[str, Any] = {"certified": None, "offers": [], "unsupported": {}}
            rows.append({"provider": provider, "title": provider, "kind": "broken", "verified": str(broken), **nothing})
            continue
        assert issubclass(cls, Channel | Courier)
        result = newest_result(provider, results) if results else None
        rows.append(
            {
                "provider": provider,
                "title": cls.title,
                "kind": "channel" if issubclass(cls, Channel) else "courier",
                "verified": cls.capabilities.verified,
                "certified": result["at"] if result and not result["failed"] else None,
                "offers": _offers(cls),
                "unsupported": dict(cls.capabilities.unsupported),
            }
        )
    if state.json:
        as_json(rows)
        return
    cells = [
        (row["provider"], row["kind"], row["verified"], (row["certified"] or "-")[:10], ", ".join(row["offers"]) or "-",
         ", ".join(row["unsupported"]) or "-")
        for row in rows
    ]  # fmt: skip
    table(("provider", "kind", "verified", "certified", "offers", "leaves out"), cells)


def _offers(cls: type[Channel] | type[Courier]) -> list[str]:
    """The declared capabilities in words."""
    can = cls.capabilities
    if issubclass(cls, Courier):
        return [str(can.settle_by), *(name for name in ("cod", "balance") if getattr(can, name))]
    flags = (
        "own_site",
        "locations",
        "campaign_pots",
        "arranges",
        "labels",
        "answers_cancellations",
        "counts_placed",
        "hands_back",
        "consent",
    )
    return [*sorted(cls.capabilities.streams), *(name.replace("_", " ") for name in flags if getattr(can, name))]


@app.command()
def certify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Provider, as `connectors list` shows it.")],
    out: Annotated[Path | None, typer.Option(help="Write a dated result file into this folder.")] = None,
    large: Annotated[bool, typer.Option("--large", help="Also 5,001 orders in a window and more seeds.")] = False,
) -> None:
    """Run the conformance suite against the connector's own simulator; ends with 1 when a behaviour fails."""
    from sellersync.testing import certify as suite

    certificate = suite.certify(name, at=SystemClock().now(), size=suite.SIZES[large])
    path = suite.write_result(certificate, out) if out else None
    if state_of(context).json:
        as_json(certificate.as_plain())
    else:
        rows = [
            (behaviour.area, behaviour.name, behaviour.checks, _shown(behaviour.outcome), behaviour.why)
            for behaviour in certificate.behaviours
        ]
        table(("area", "behaviour", "checks", "result", "why"), rows, title=f"{certificate.title} ({certificate.kind})")
        counts = ", ".join(f"{certificate.count(outcome)} {outcome.value}" for outcome in suite.Outcome)
        say(f"{counts}." + (f" Written to {path}." if path else ""))
    if not certificate.good:
        raise typer.Exit(Code.ATTENTION)


def _shown(outcome: str) -> str:
    """A failure is seen at once in a long table."""
    return outcome.upper() if outcome == "failed" else outcome


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Provider: lower-case letters, digits and _.")],
    kind: Annotated[str, typer.Option(help="channel or courier.")],
    to: Annotated[Path, typer.Option(help="Folder in which the package is made.")] = Path(),
) -> None:
    """Write a connector package that passes the suite at once, against a tiny simulator of its own."""
    from sellersync.testing.scaffold import write_package

    written = write_package(name, kind, to)
    for path in written:
        say(str(path))
    say(f"\nNext:\n  pip install --editable {written[0].parent}\n  sellersync connectors certify {name}")
