"""What is wrong with a configuration, in one sentence a problem: file, key, what is expected. Never the value: it may be a secret."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_BY_TYPE = {
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "finite_number": "an ordinary number is expected",
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "string_type": "text in quotes is expected",
    "path_type": "a path in quotes is expected",
    "list_type": "a list in [ ] is expected",
    "tuple_type": "a list in [ ] is expected",
    "dict_type": "a table is expected",
    "model_type": "a table is expected",
    "time_type": 'a time of day such as "07:00" is expected',
    "time_parsing": 'a time of day such as "07:00" is expected',
}
_BY_BOUND = {
    "greater_than_equal": ("ge", "at least {} is expected"),
    "greater_than": ("gt", "more than {} is expected"),
    "less_than_equal": ("le", "at most {} is expected"),
    "less_than": ("lt", "less than {} is expected"),
    "string_too_short": ("min_length", "at least {} characters are expected"),
    "string_too_long": ("max_length", "at most {} characters are expected"),
    "too_short": ("min_length", "at least {} entries are expected"),
    "too_long": ("max_length", "at most {} entries are expected"),
    "literal_error": ("expected", "{} is expected"),
    "enum": ("expected", "{} is expected"),
    "value_error": ("error", "{}"),
    "assertion_error": ("error", "{}"),
}
_BY_ANNOTATION: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    SecretStr: "text",
}


def table_name(place: Iterable[str]) -> str:
    """`[channels.shopee-main]`, as it stands in the file."""
    return f"[{'.'.join(place)}]"


def key_at(where: str, place: tuple[str, ...]) -> str:
    """`sellersync.toml: [jobs] push_s`; `where` is the file, the last part of `place` the key."""
    return f"{where}: {table_name(place[:-1])} {place[-1]}" if len(place) > 1 else f"{where}: {place[-1]}"


def unknown_key(at: str, key: str, known: Iterable[str]) -> str:
    """A key that nobody reads: most often a misspelt one."""
    names = sorted(known)
    near = get_close_matches(key, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"
    return f"{at} is unknown; {hint}"


def expected(error: ErrorDetails) -> str:
    """What the error's place expects."""
    kind = error["type"]
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    if kind in _BY_BOUND:
        name, words = _BY_BOUND[kind]
        value = error.get("ctx", {}).get(name)
        return words.format(f"{value:g}" if isinstance(value, int | float) else value)
    if kind == "string_pattern_mismatch":
        return "text of another form is expected"
    return error["msg"]


def kind_of(field: FieldInfo) -> str:
    """The kind of value a field holds, in words; "a value" where that says nothing."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next((arm for arm in get_args(annotation) if arm is not type(None)), None)
    return _BY_ANNOTATION.get(annotation, "a value")


def described(field: FieldInfo | None) -> str:
    return f" ({field.description})" if field is not None and field.description else ""


def about(
    problem: ValidationError,
    model: type[BaseModel],
    at: Callable[[str], str],
    *,
    table: str,
    known: Iterable[str] = (),
    skip: Collection[str] = (),
) -> list[str]:
    """One sentence an error. `at` tells where a key stands, `table` names the whole, `known` are the keys that a misspelt one may
    have meant (without it the model's own), `skip` are keys about which everything is said already."""
    result: list[str] = []
    for error in problem.errors(include_input=False, include_url=False):
        if not error["loc"]:
            result.append(f"{table}: {expected(error)}")
            continue
        key = str(error["loc"][0])
        if key in skip:
            continue
        field = model.model_fields.get(key)
        here = at(key) + "".join(f".{part}" for part in error["loc"][1:])
        if error["type"] == "missing":
            kind = kind_of(field) if field is not None else "a value"
            result.append(f"{here} is missing: {kind} is expected{described(field)}")
        elif error["type"] == "extra_forbidden":
            result.append(unknown_key(here, key, known or model.model_fields))
        else:
            result.append(f"{here}: {expected(error)}{described(field)}")
    return result


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """Names of a model's secret fields (`SecretStr`, also when optional)."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    )
