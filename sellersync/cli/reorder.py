"""`sellersync reorder`: what will sell, how wrong that may be, what to buy; the purchase list as a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.times import shop_day

from .out import as_json, note, progress, rupiah, say, table
from .state import state_of

if TYPE_CHECKING:
    from sellersync.domain.reorder import Cover
    from sellersync.forecast import Candidate, DemandReport, SkuDemand

REASONS = {
    "new": "new: too few days to know",
    "sold_out": "sold out for most of the last weeks",
}


def register(app: typer.Typer) -> None:
    app.command("reorder")(reorder)


def reorder(
    context: typer.Context,
    supplier: Annotated[str | None, typer.Option(help="Only this supplier's SKUs.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the purchase list as CSV, too.")] = None,
    xlsx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as a spreadsheet, a sheet for each supplier.")
    ] = None,
    all_skus: Annotated[bool, typer.Option("--all", help="Show every SKU, not only what is to be bought.")] = False,
) -> None:
    """What to buy again: the forecast and its error beside the naive one and its error, cover, reorder point, quantity.

    A forecast is units a day; its error is by how much it missed on average over the last eight weeks. Days on which a SKU was sold
    out are left out of both.
    """
    from sellersync.forecast import demand_report, policy_of

    state = state_of(context)
    with state.ledger() as (settings, ledger):
        now = ledger.clock.now()
        day = shop_day(now, settings.shop.zone) - timedelta(days=1)
        with progress(quiet=state.json) as bar:
            task = bar.add("forecasting")
            report = demand_report(
                ledger,
                settings.shop.zone,
                day,
                now,
                policy=policy_of(settings.stock),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        language = settings.shop.language
    shown = _of_supplier(report, report.skus if all_skus else report.to_buy, supplier)
    to_buy = _of_supplier(report, report.to_buy, supplier)
    _write_lists(to_buy, language, report, csv=csv, xlsx=xlsx)
    if state.json:
        as_json(_document(report, shown))
        return
    if shown:
        _show(shown)
    else:
        say("Nothing is at its reorder point." if report.skus else "No SKU yet: sellersync listings pull")
    _remarks(report, shown, to_buy)
    for file in (csv, xlsx):
        if file is not None:
            say(f"{file}: {len(to_buy)} SKUs to buy.")


def _of_supplier(report: DemandReport, skus: Sequence[SkuDemand], supplier: str | None) -> list[SkuDemand]:
    """The SKUs of a supplier, whatever the case of the name. Raises `BadInput` naming those that there are."""
    if supplier is None:
        return list(skus)
    known = sorted({sku.supplier for sku in report.skus if sku.supplier})
    if supplier.casefold() not in {name.casefold() for name in known}:
        named = ", ".join(known) or "none yet: sellersync stock plan set SKU --supplier NAME"
        raise BadInput(f"no supplier {supplier!r}; there are: {named}")
    return [sku for sku in skus if sku.supplier.casefold() == supplier.casefold()]


def _write_lists(
    skus: Sequence[SkuDemand], language: str, report: DemandReport, *, csv: Path | None, xlsx: Path | None
) -> None:
    from .purchase_list import as_csv, as_xlsx

    if csv is not None:
        _write(csv, as_csv(skus, language))
    if xlsx is not None:
        _write(xlsx, as_xlsx(skus, language, day=report.day))


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as failure:
        raise BadInput(f"{file} cannot be written ({failure.strerror})") from None


# --------------------------------------------------------------------------------------------------------------------------- table


def _show(skus: Sequence[SkuDemand]) -> None:
    heads = ("SKU", "supplier", "stock", "sells a day", "method", "naive", "lasts days", "reorder at", "buy", "cost")
    table(
        heads,
        [
            (sku.code, sku.supplier or "-", sku.advice.position, _rate(sku.forecast.chosen), _method(sku),
             _rate(sku.forecast.naive), _lasts(sku.advice.cover), _point(sku), _quantity(sku), rupiah(sku.cost))
            for sku in skus
        ],
    )  # fmt: skip


def _rate(candidate: Candidate | None) -> str:
    return "unknown" if candidate is None else f"{candidate.per_day:.2f} ± {candidate.error:.2f}"


def _method(sku: SkuDemand) -> str:
    chosen = sku.forecast.chosen
    return "-" if chosen is None else chosen.method.value.replace("_", " ")


def _lasts(cover: Cover | None) -> str:
    """Days at the forecast, and in brackets at the forecast plus and minus its error."""
    if cover is None:
        return "unknown"
    days, least, most = (
        "for ever" if one is None else f"{one:.0f}" for one in (cover.days, cover.at_least, cover.at_most)
    )
    return days if days == least == most else f"{days} ({least} to {most})"


def _point(sku: SkuDemand) -> str:
    point = sku.advice.reorder_point
    if point is None:
        return "unknown"
    return f"{point} (set)" if sku.terms.reorder_point is not None else str(point)


def _quantity(sku: SkuDemand) -> str:
    if sku.terms.discontinued:
        return "discontinued"
    return "you decide" if sku.advice.quantity is None else str(sku.advice.quantity)


def _remarks(report: DemandReport, shown: Sequence[SkuDemand], to_buy: Sequence[SkuDemand]) -> None:
    say(
        f"Seen at the end of {report.day}; errors are units a day, missed on average over the last {report.error_days // 7} weeks."
    )
    reasons = Counter(sku.forecast.unknown.value for sku in report.skus if sku.forecast.unknown is not None)
    if reasons:
        named = ", ".join(f"{count} {REASONS[reason]}" for reason, count in sorted(reasons.items()))
        say(f"No forecast for {sum(reasons.values())} of {len(report.skus)} SKUs ({named}).")
    assumed = sum(sku.terms.lead_assumed for sku in shown)
    if assumed:
        say(
            f"Nobody said how long the supplier takes for {assumed} of these SKUs; {report.policy.lead_days} days are assumed: "
            "sellersync stock plan set SKU --lead-days N"
        )
    costs = [sku.amount for sku in to_buy]
    unknown = sum(cost is None for cost in costs)
    if costs:
        known = rupiah(sum(cost or 0 for cost in costs))
        say(
            f"To buy: {len(costs)} SKUs, {known}"
            + (f", and {unknown} of unknown cost or quantity." if unknown else ".")
        )
    if not report.all_methods:
        note(
            "Only the naive methods were tried: the others need the extra `forecast` (pip install 'sellersync[forecast]')."
        )
    elif report.simple_only:
        note(f"Only the naive methods were tried on the {report.simple_only} SKUs that sell least: there are too many.")


# ---------------------------------------------------------------------------------------------------------------------------- JSON


def _document(report: DemandReport, skus: Sequence[SkuDemand]) -> dict[str, Any]:
    return {
        "day": report.day,
        "made_at": report.made_at,
        "history_days": report.history_days,
        "error_days": report.error_days,
        "all_methods": report.all_methods,
        "simple_only": report.simple_only,
        "skus": [_fields(sku) for sku in skus],
    }


def _fields(sku: SkuDemand) -> dict[str, Any]:
    forecast, advice = sku.forecast, sku.advice
    return {
        "sku": sku.code,
        "title": sku.title,
        "supplier": sku.supplier,
        "available": sku.stock.available,
        "short": sku.stock.short,
        "forecast": forecast.chosen,
        "naive": forecast.naive,
        "tried": forecast.candidates,
        "unknown_because": forecast.unknown,
        "demand_class": forecast.kind,
        "known_days": forecast.known_days,
        "left_out_days": forecast.left_out_days,
        "error_horizon_days": forecast.horizon_days,
        "cover_days": advice.cover,
        "lead_days": sku.terms.lead_days,
        "lead_assumed": sku.terms.lead_assumed,
        "reorder_point": advice.reorder_point,
        "reorder_point_set": sku.terms.reorder_point is not None,
        "safety": advice.safety,
        "due": advice.due,
        "quantity": advice.quantity,
        "discontinued": sku.terms.discontinued,
        "cost": sku.cost,
        "amount": sku.amount,
        "sold_out": sku.sold_out,
        "surplus": sku.surplus,
        "dead": sku.dead,
        "last_sale": sku.last_sale,
    }
