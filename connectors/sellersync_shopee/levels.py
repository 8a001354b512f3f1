"""Listings and levels on the wire: paging items, reading numbers, sending them, and sparing the good ones when one is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sellersync.connector.contract import LevelAnswer, PushOutcome, RemoteListing, ShownLevel, TargetKey, Want
from sellersync.domain.errors import (
    CapExceeded,
    RejectClass,
    Rejected,
    SellersyncError,
    Temporary,
    Uncertain,
    Unrecognised,
)

from .api import ITEM_BASE_IDS_MAX, STOCK_MODELS_MAX, ShopeeApi
from .fields import item_id_of, remote_key, split_key
from .mapping_stock import (
    LISTED_STATUSES,
    all_rejected,
    read_item,
    read_level,
    read_stock_answers,
    rejected,
    reserved_units,
    stock_list,
)
from .refusals import Refusal
from .walk import in_batches

Json = dict[str, Any]

ITEM_PAGES_MAX = 1_000
WHOLE_ITEM = frozenset(
    {RejectClass.HOLIDAY, RejectClass.NOT_MANAGED, RejectClass.SELLER_MUST_ACT, RejectClass.LOCATION}
)
WHOLE_ITEM_CODES = frozenset(
    {"error_item_not_found", "error_item_not_belong_shop", "error_edit_item_stock_for_item_has_model"}
)
"""Refusals that every model of an item meets alike: sending its models one by one would be refused again."""
NARROWING_CALLS_MAX = 16
"""A refused call is halved at most this often, so that an item whose every model is locked does not cost a hundred calls."""


async def listing_pages(api: ShopeeApi, *, multi_location: bool) -> AsyncIterator[tuple[RemoteListing, ...]]:
    """All listings, page by page. Models cost one call an item: there is no batch for them."""
    offset, seen = 0, {0}
    for _ in range(ITEM_PAGES_MAX):
        answer = await api.get_item_list(offset=offset, statuses=LISTED_STATUSES)
        items = await _items(api, [item_id_of(row) for row in answer.rows("item", always=True)])
        page: list[RemoteListing] = []
        for item in items:
            models = None
            if item.get("has_model"):
                models = (await api.get_model_list(item_id_of(item))).rows("model")
            page += read_item(item, models, multi_location=multi_location)
        yield tuple(page)
        if answer.response.get("has_next_page") is not True:
            return
        offset = int(answer.response.get("next_offset") or 0)
        if offset in seen:
            raise Temporary("Shopee get_item_list: the offset stands still")
        seen.add(offset)
    raise CapExceeded(f"Shopee get_item_list: more than {ITEM_PAGES_MAX} pages")


async def read_levels(api: ShopeeApi, targets: Sequence[TargetKey], started_at: datetime) -> tuple[ShownLevel, ...]:
    """What Shopee shows for each target: one call an item with models, fifty items a call without."""
    rows = await _stock_rows(api, targets)
    return tuple(read_level(target, rows.get(target.remote_key), started_at) for target in targets)


async def _stock_rows(api: ShopeeApi, targets: Sequence[TargetKey]) -> dict[str, Json]:
    """Item or model of each remote key that Shopee knows."""
    keys = [split_key(target.remote_key) for target in targets]
    plain = list(dict.fromkeys(item_id for item_id, model_id in keys if model_id == 0))
    rows = {remote_key(item.get("item_id"), 0): item for item in await _items(api, plain)}
    for item_id in dict.fromkeys(item_id for item_id, model_id in keys if model_id != 0):
        rows.update((remote_key(item_id, model.get("model_id")), model) for model in await _models(api, item_id))
    return rows


def batches(wants: Sequence[Want]) -> list[tuple[Want, ...]]:
    """Wants of one item together, at most fifty models a call; all locations of a model in the same call."""
    items: dict[int, dict[int, list[Want]]] = {}
    for want in wants:
        item_id, model_id = split_key(want.target.remote_key)
        items.setdefault(item_id, {}).setdefault(model_id, []).append(want)
    result = []
    for models in items.values():
        groups = list(models.values())
        for first in range(0, len(groups), STOCK_MODELS_MAX):
            result.append(tuple(want for group in groups[first : first + STOCK_MODELS_MAX] for want in group))
    return result


async def send(api: ShopeeApi, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
    """One answer per want. A refusal of the whole call is narrowed down by halving: the numbers are absolute and nothing was set."""
    answers: dict[TargetKey, LevelAnswer] = {}
    work, calls = [list(batch)], 0
    while work:
        part = work.pop()
        calls += 1
        try:
            found = await _send_part(api, part)
        except Rejected as refused:
            if len(part) > 1 and calls < NARROWING_CALLS_MAX and not _whole_item(refused):
                middle = len(part) // 2
                work += [part[middle:], part[:middle]]
                continue
            found = all_rejected(part, refused)
        except Uncertain as lost:
            found = _unclear(part, lost.why)
        except SellersyncError as failure:
            if not answers:
                raise  # nothing was sent at all
            found = _unclear([want for group in [part, *work] for want in group], str(failure))
            work = []
        answers.update((answer.target, answer) for answer in found)
    return await _with_floors(api, [answers[want.target] for want in batch])


def _whole_item(refused: Rejected) -> bool:
    return refused.reject in WHOLE_ITEM or refused.code.rpartition(".")[2] in WHOLE_ITEM_CODES


async def _send_part(api: ShopeeApi, part: Sequence[Want]) -> list[LevelAnswer]:
    item_id = split_key(part[0].target.remote_key)[0]
    answer = await api.update_stock(item_id, stock_list(part))
    response = answer.payload.get("response") or {}
    code = str(answer.payload.get("error") or "").strip()
    if code and not response.get("failure_list"):
        return [rejected(want, Refusal(code, str(answer.payload.get("message") or ""))) for want in part]
    try:
        return read_stock_answers(part, response)
    except (Unrecognised, AttributeError) as unreadable:
        return _unclear(part, f"unreadable answer: {unreadable}")


async def _with_floors(api: ShopeeApi, answers: Sequence[LevelAnswer]) -> tuple[LevelAnswer, ...]:
    """Add the lowest acceptable number to refusals "below reserved": the reserved units, read once more."""
    refused = [answer.target for answer in answers if answer.reject is RejectClass.BELOW_RESERVED]
    if not refused:
        return tuple(answers)
    try:
        rows = await _stock_rows(api, refused)
    except SellersyncError:
        return tuple(answers)
    return tuple(
        replace(answer, floor=reserved_units(rows.get(answer.target.remote_key, {})))
        if answer.target in refused
        else answer
        for answer in answers
    )


def _unclear(wants: Sequence[Want], why: str) -> list[LevelAnswer]:
    return [LevelAnswer(want.target, PushOutcome.UNCLEAR, why=why) for want in wants]


async def _items(api: ShopeeApi, item_ids: Sequence[int]) -> list[Json]:
    async def call(part: Sequence[int]) -> list[Json]:
        return (await api.get_item_base_info(part)).rows("item_list")

    rows, _ = await in_batches(item_ids, ITEM_BASE_IDS_MAX, call)
    return rows


async def _models(api: ShopeeApi, item_id: int) -> list[Json]:
    try:
        return (await api.get_model_list(item_id)).rows("model")
    except Rejected as refused:
        if refused.reject is not RejectClass.UNKNOWN_LISTING:
            raise
        return []
