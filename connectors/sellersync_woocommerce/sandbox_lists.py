"""Parameters, time filters, order and paging of the simulated lists, with their measured traps (WooCommerce 10.0.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx

from sellersync.sandbox.kit import Refusal

from .sandbox_json import ZONE_S

PER_PAGE_MAX = 100
_DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$")
_ORDERBY = {
    "orders": ("date", "id", "include", "title", "slug", "modified"),
    "products": ("date", "id", "include", "title", "slug", "modified", "price", "popularity", "rating", "menu_order"),
}


class Row(Protocol):
    """What paging needs to know of an order, product or variation."""

    id: int
    created_s: int
    modified_s: int


@dataclass(slots=True)
class Query:
    """A list call's parameters, checked. Times are (cutoff in seconds, against the UTC column)."""

    page: int = 1
    per_page: int = 10
    offset: int | None = None
    ascending: bool = False
    orderby: str = "date"
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    kind: str = ""
    bounds: dict[str, int] = field(default_factory=dict)


def invalid_parameters(found: Mapping[str, tuple[str, str, Any]], home: str) -> Refusal:
    """400 `rest_invalid_param` with all wrong parameters at once; name -> (detail code, text, detail data)."""
    body = {
        "code": "rest_invalid_param",
        "message": f"Invalid parameter(s): {', '.join(found)}",
        "data": {
            "status": 400,
            "params": {name: text for name, (_, text, _) in found.items()},
            "details": {
                name: {"code": code, "message": text, "data": data} for name, (code, text, data) in found.items()
            },
        },
    }
    headers = {
        "link": f'<{home}/wp-json/>; rel="https://api.w.org/"',
        "content-type": "application/json; charset=UTF-8",
    }
    return Refusal("rest_invalid_param", httpx.Response(400, headers=headers, json=body))


def parse(query: Sequence[tuple[str, str]], *, collection: str, known_statuses: Iterable[str], home: str) -> Query:
    """Read and check the parameters of a list. Raises `Refusal` naming every wrong one."""
    wrong: dict[str, tuple[str, str, Any]] = {}
    given: dict[str, str] = {}
    statuses: list[str] = []
    for name, value in query:
        if name == "status" or re.fullmatch(r"status\[\d*\]", name):
            statuses += [part for part in value.split(",") if part]
        else:
            given[name] = value
    result = Query()
    result.per_page = _integer(given, "per_page", 10, 1, PER_PAGE_MAX, wrong)
    result.page = _integer(given, "page", 1, 1, None, wrong)
    if "offset" in given:
        result.offset = _integer(given, "offset", 0, 0, None, wrong)
    result.orderby = _choice(
        given, "orderby", "date", _ORDERBY["orders" if collection == "orders" else "products"], wrong
    )
    result.ascending = _choice(given, "order", "desc", ("asc", "desc"), wrong) == "asc"
    result.include = _ids(given, "include", wrong)
    result.exclude = _ids(given, "exclude", wrong)
    result.skus = tuple(part.strip().lower() for part in given.get("sku", "").split(",") if part.strip())
    result.fields = tuple(part.strip() for part in given.get("_fields", "").split(",") if part.strip())
    result.kind = given.get("type", "")
    known = ("any", "trash", "auto-draft", *known_statuses)
    for index, status in enumerate(statuses):
        if status not in known:
            listed = ", ".join(known[:-1]) + f", and {known[-1]}"
            wrong["status"] = ("rest_not_in_enum", f"status[{index}] is not one of {listed}.", None)
            break
    result.statuses = tuple(statuses)
    gmt = given.get("dates_are_gmt", "").lower() in ("true", "1")
    for name in ("modified_after", "modified_before", "after", "before"):
        if name in given:
            cutoff = _moment(given[name], gmt=gmt)
            if cutoff is None:
                wrong[name] = ("rest_invalid_date", "Invalid date.", {"param": name})
            else:
                result.bounds[name] = cutoff
    if wrong:
        raise invalid_parameters(wrong, home)
    return result


def _integer(
    given: Mapping[str, str],
    name: str,
    default: int,
    low: int,
    high: int | None,
    wrong: dict[str, tuple[str, str, Any]],
) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?\d+", text):
        wrong[name] = ("rest_invalid_type", f"{name} is not of type integer.", {"param": name})
        return default
    value = int(text)
    if value < low or (high is not None and value > high):
        if high is None:
            words = f"{name} must be greater than or equal to {low}"
        else:
            words = f"{name} must be between {low} (inclusive) and {high} (inclusive)"
        wrong[name] = ("rest_out_of_bounds", words, None)
        return default
    return value


def _choice(
    given: Mapping[str, str], name: str, default: str, choices: Sequence[str], wrong: dict[str, tuple[str, str, Any]]
) -> str:
    value = given.get(name, default)
    if value not in choices:
        listed = ", ".join(choices[:-1]) + f", and {choices[-1]}"
        wrong[name] = ("rest_not_in_enum", f"{name} is not one of {listed}.", None)
        return default
    return value


def _ids(given: Mapping[str, str], name: str, wrong: dict[str, tuple[str, str, Any]]) -> tuple[int, ...]:
    parts = [part for part in given.get(name, "").split(",") if part]
    if any(not part.isdigit() for part in parts):
        wrong[name] = ("rest_invalid_type", f"{name}[0] is not of type integer.", {"param": f"{name}[0]"})
        return ()
    return tuple(int(part) for part in parts)


def _moment(text: str, *, gmt: bool) -> int | None:
    """The cutoff in UTC seconds as the shop understands it.

    A value with a zone mark is turned into shop time first. `dates_are_gmt` then reads whatever stands there as UTC, also what was
    just turned: a marked value moves by the zone a second time.
    """
    if not _DATE.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    zone = timedelta(seconds=ZONE_S)
    written = moment if moment.tzinfo is None else (moment.astimezone(UTC) + zone).replace(tzinfo=None)
    as_utc = written if gmt else written - zone
    return int(as_utc.replace(tzinfo=UTC).timestamp())


@dataclass(slots=True)
class Cut:
    """One page of rows with the totals its headers tell."""

    rows: list[Any]
    total: int
    pages: int


def cut(rows: list[Any], query: Query, *, tie_break: bool) -> Cut:
    """Sort and cut. Without a tie-break rows of one second come in another order on every page, so some repeat and some never come."""
    if query.orderby == "include":
        place = {row_id: index for index, row_id in enumerate(query.include)}
        rows = sorted(rows, key=lambda row: place.get(row.id, len(place)))
    else:
        rows = sorted(rows, key=_sort_key(query, tie_break), reverse=not query.ascending)
    total = len(rows)
    start = query.offset if query.offset is not None else (query.page - 1) * query.per_page
    page = rows[start : start + query.per_page]
    if not page:
        return Cut([], 0, 0)
    return Cut(page, total, -(-total // query.per_page))


def _sort_key(query: Query, tie_break: bool) -> Callable[[Row], tuple[int, int]]:
    if query.orderby not in ("date", "modified"):
        return lambda row: (row.id, 0)
    by_change = query.orderby == "modified"
    place = query.page if query.offset is None else query.offset

    def key(row: Row) -> tuple[int, int]:
        second = row.modified_s if by_change else row.created_s
        return second, row.id if tie_break else (row.id * 2654435761 + place * 40503 * row.id) & 0xFFFF

    return key


def page_headers(
    found: Cut, query: Query, path: str, home: str, parameters: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """`X-WP-Total`, `X-WP-TotalPages` and a `Link` with the neighbours."""
    headers = {"x-wp-total": str(found.total), "x-wp-totalpages": str(found.pages)}
    kept = [(name, value) for name, value in parameters if name != "page"]
    neighbours = []
    for rel, number in (("prev", query.page - 1), ("next", query.page + 1)):
        if 1 <= number <= found.pages:
            url = httpx.URL(f"{home}{path}", params=[*kept, ("page", str(number))])
            neighbours.append(f'<{url}>; rel="{rel}"')
    if neighbours:
        headers["link"] = ", ".join(neighbours)
    return headers
