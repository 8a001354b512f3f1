"""Listings and levels: Shopee's words into the domain's and back, pure (API reference, 2026-08)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sellersync.connector.contract import LevelAnswer, PushOutcome, RemoteListing, ShownLevel, TargetKey, Want
from sellersync.domain.errors import RejectClass, Rejected, Unrecognised
from sellersync.domain.money import rupiah_or_none

from .fields import remote_key, split_key, text_of
from .refusals import STOCK_RULES, Refusal, read_refusal

Json = Mapping[str, Any]

LISTED_STATUSES = ("NORMAL", "UNLIST", "BANNED", "REVIEWING")
ACTIVE = "NORMAL"
MODEL_ACTIVE = ("MODEL_NORMAL", "")


def read_item(item: Json, models: Sequence[Json] | None, *, multi_location: bool) -> list[RemoteListing]:
    """The listings of one item: one for each model, or one with model 0. Raises `Unrecognised` when it has no id."""
    item_id, status = item.get("item_id"), str(item.get("item_status") or "")
    title, weight = str(item.get("item_name") or ""), _grams(item.get("weight"))
    active = status == ACTIVE
    problem = "" if status in (ACTIVE, "UNLIST") else f"item status {status}"
    rows: Sequence[Json] = [{**item, "model_id": 0, "model_sku": item.get("item_sku")}] if models is None else models
    listings = []
    for row in rows:
        key = remote_key(item_id, row.get("model_id"))
        shown = shown_by_location(row)
        listings.append(
            RemoteListing(
                key=key,
                seller_sku=text_of(row.get("model_sku")) or text_of(item.get("item_sku")),
                title=title,
                variation=str(row.get("model_name") or ""),
                targets=tuple(TargetKey(key, place) for place in shown) if multi_location else (TargetKey(key),),
                active=active and str(row.get("model_status") or "") in MODEL_ACTIVE,
                managed=not row.get("is_fulfillment_by_shopee"),
                price=_price(row),
                weight_g=weight,
                shown=sum(shown.values()) if shown else None,
                problem=problem,
            )
        )
    return listings


def shown_by_location(row: Json) -> dict[str, int]:
    """The writable numbers of an item or model: location -> units. Empty when there is none."""
    info = row.get("stock_info_v2")
    entries = info.get("seller_stock") or [] if isinstance(info, dict) else []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unrecognised("seller_stock is no list of objects", repr(entries))
    return {text_of(entry.get("location_id")): _units(entry.get("stock"), "seller_stock") for entry in entries}


def reserved_units(row: Json) -> int | None:
    """Units in the promotion pot, `None` when the answer does not tell."""
    info = row.get("stock_info_v2")
    summary = info.get("summary_info") if isinstance(info, dict) else None
    value = summary.get("total_reserved_stock") if isinstance(summary, dict) else None
    return None if value is None else _units(value, "total_reserved_stock")


def read_level(target: TargetKey, row: Json | None, started_at: datetime) -> ShownLevel:
    """What a target shows; `row` is its item or model, `None` where Shopee does not know it.

    Whether the pot lies inside the number is not documented: it is given as held aside, and only a refusal "below reserved" proves
    otherwise.
    """
    if row is None:
        return ShownLevel(target, None, started_at, held_aside=None)
    shown = shown_by_location(row)
    number = shown.get(target.location) if target.location else sum(shown.values()) if shown else None
    return ShownLevel(target, number, started_at, held_aside=reserved_units(row))


def stock_list(wants: Sequence[Want]) -> list[dict[str, Any]]:
    """The `stock_list` of `update_stock` for wants of one item; a location is sent only where the target has one."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for want in wants:
        entry: dict[str, Any] = {"stock": want.level}
        if want.target.location:
            entry["location_id"] = want.target.location
        rows.setdefault(split_key(want.target.remote_key)[1], []).append(entry)
    return [{"model_id": model_id, "seller_stock": stock} for model_id, stock in rows.items()]


def read_stock_answers(wants: Sequence[Want], response: Json) -> list[LevelAnswer]:
    """One answer per want from `success_list` and `failure_list`. A want in neither list is UNCLEAR."""
    applied: dict[tuple[int, str], Json] = {}
    for row in response.get("success_list") or ():
        applied[_model(row), str(row.get("location_id") or "")] = row
    failed = {_model(row): str(row.get("failed_reason") or "") for row in response.get("failure_list") or ()}
    answers = []
    for want in wants:
        model_id, place = split_key(want.target.remote_key)[1], want.target.location
        row = applied.get((model_id, place))
        if row is None and not place:  # a shop with one location may still be told its name
            row = next((found for (model, _), found in applied.items() if model == model_id), None)
        if model_id in failed:
            answers.append(rejected(want, Refusal("", failed[model_id])))
        elif row is not None:
            shown = _units(row.get("stock"), "stock")
            answers.append(LevelAnswer(want.target, PushOutcome.APPLIED, shown=shown))
        else:
            answers.append(LevelAnswer(want.target, PushOutcome.UNCLEAR, why="Shopee's answer does not name it"))
    return answers


def rejected(want: Want, refusal: Refusal) -> LevelAnswer:
    """A refused want. Reasons in `failure_list` are texts without a code: they are read like those of `error_auth`."""
    reading = read_refusal(refusal if refusal.code else Refusal("error_auth", refusal.message), STOCK_RULES)
    reject = reading if isinstance(reading, RejectClass) else RejectClass.OTHER
    if reject is RejectClass.OTHER and "promotion" in refusal.text:
        reject = RejectClass.CAMPAIGN_LOCKED
    return LevelAnswer(want.target, PushOutcome.REJECTED, reject=reject, why=refusal.message or refusal.code)


def all_rejected(wants: Sequence[Want], refused: Rejected) -> list[LevelAnswer]:
    """The same refusal for every want of a call that was refused whole."""
    return [LevelAnswer(want.target, PushOutcome.REJECTED, reject=refused.reject, why=refused.why) for want in wants]


def _model(row: Json) -> int:
    try:
        return int(str(row.get("model_id") or 0))
    except ValueError:
        raise Unrecognised("model_id", repr(row.get("model_id"))) from None


def _units(value: object, where: str) -> int:
    """A number of units; one page of the reference writes it as text."""
    try:
        return int(str(value))
    except ValueError:
        raise Unrecognised(f"{where}: a number of units was expected", repr(value)) from None


def _price(row: Json) -> int | None:
    prices = row.get("price_info")
    first = prices[0] if isinstance(prices, list) and prices else None
    try:
        return rupiah_or_none(first.get("current_price"), where="current_price") if isinstance(first, dict) else None
    except Unrecognised:
        return None


def _grams(kilograms: object) -> int | None:
    try:
        grams = Decimal(str(kilograms)) * 1000
    except InvalidOperation:
        return None
    return int(grams) if grams.is_finite() and grams > 0 else None
