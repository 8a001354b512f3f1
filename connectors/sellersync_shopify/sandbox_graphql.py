"""A GraphQL request against a schema: validation, cost, and a walk over ready-made values. Nothing here knows shops.

Error texts and codes are those of public reports and recordings of the Admin API (2026).
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .sandbox_document import EnumValue, FieldDef, GraphQLError, Operation, Schema, Selection, TypeRef, Variable

PAGE_MAX = 250


@dataclass(slots=True)
class Connection:
    """Rows of a connection. `cursor_of` names a row for paging, `render` turns it into its fields, `start_of` finds where the rows
    after a cursor begin (where rows may have moved on since)."""

    rows: Sequence[Any]
    cursor_of: Callable[[Any], Any]
    render: Callable[[Any], Mapping[str, Any]] = dict
    start_of: Callable[[Any], int] | None = None


def encode_cursor(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def decode_cursor(text: str) -> Any:
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.", "BAD_REQUEST") from None


def size_cost(count: int, *, per_row: bool) -> int:
    """How many times a connection counts what is inside it.

    Observed (public report, 2025): `product { variants(first: 250) { nodes { inventoryItem } } }` costs 25, so 250 rows of two objects
    count twelve times. Before, every row counted.
    """
    return count if per_row else min(count, math.ceil(1.5 * math.log2(max(count, 2))))


@dataclass(slots=True)
class Request:
    """One operation against a schema. `root` resolves the fields of Query and Mutation; `withheld` names fields not given away."""

    schema: Schema
    operation: Operation
    variables: Mapping[str, Any]
    root: Mapping[str, Callable[..., Any]]
    per_row: bool = False
    withheld: frozenset[tuple[str, str]] = frozenset()
    errors: list[GraphQLError] = field(default_factory=list)
    objects: int = 0

    # -- before anything runs

    def check(self) -> int:
        """Validate the whole document and its variables; returns what it costs at most."""
        for directive in self.operation.directives:
            raise GraphQLError(f"'@{directive}' can't be applied to {self.operation.kind}s", "directiveCannotBeApplied")
        self._check_variables()
        root = "Mutation" if self.operation.kind == "mutation" else "Query"
        return self._check(self.operation.selections, root)

    def _check_variables(self) -> None:
        for name in self.variables:
            if name not in self.operation.variables:
                continue  # passed over in silence, as GraphQL servers do
        for name, ref in self.operation.variables.items():
            if ref.required[0] and self.variables.get(name) is None:
                raise GraphQLError(
                    f"Variable ${name} of type {ref.name}! was provided invalid value", "INVALID_VARIABLE"
                )
            if self.variables.get(name) is not None:
                self._check_value(self.variables[name], ref, f"${name}")

    def _check_value(self, value: Any, ref: TypeRef, where: str, depth: int = 0) -> None:
        if value is None:
            if ref.required[depth]:
                raise GraphQLError(f"Variable {where}: Expected value to not be null", "INVALID_VARIABLE")
            return
        if depth < ref.lists:
            rows = value if isinstance(value, list) else [value]
            if len(rows) > PAGE_MAX:
                raise GraphQLError(
                    f"The input array size of {len(rows)} is greater than the maximum allowed of {PAGE_MAX}.",
                    "MAX_INPUT_SIZE_EXCEEDED",
                )
            for index, row in enumerate(rows):
                self._check_value(row, ref, f"{where}.{index}", depth + 1)
            return
        if ref.name in self.schema.inputs:
            fields = self.schema.inputs[ref.name]
            if not isinstance(value, dict):
                raise GraphQLError(f"Variable {where}: Expected {ref.name} to be an object", "INVALID_VARIABLE")
            for name in value:
                if name not in fields:
                    why = f"invalid value for {name} (Field is not defined on {ref.name})"
                    raise GraphQLError(f"Variable {where} of type {ref.name} was provided {why}", "INVALID_VARIABLE")
            for name, inside in fields.items():
                self._check_value(value.get(name), inside, f"{where}.{name}")
            return
        kinds: dict[str, tuple[type, ...]] = {
            "Int": (int,),
            "Float": (int, float),
            "Boolean": (bool,),
        }
        allowed = kinds.get(ref.name, (str,))
        wrong = not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
        if wrong or (ref.name in self.schema.enums and value not in self.schema.enums[ref.name]):
            raise GraphQLError(f"Variable {where} of type {ref.name} was provided invalid value", "INVALID_VARIABLE")

    def _check(self, selections: Sequence[Selection], type_name: str) -> int:
        fields = self.schema.types[type_name]
        cost = 0
        for selection in selections:
            if selection.on:
                if selection.on not in self.schema.types:
                    raise GraphQLError(
                        f"No such type {selection.on}, so it can't be a fragment condition", "undefinedType"
                    )
                cost += self._check(selection.selections, selection.on)
                continue
            found = fields.get(selection.name)
            if found is None:
                raise GraphQLError(
                    f"Field '{selection.name}' doesn't exist on type '{type_name}'", "undefinedField", [selection.name]
                )
            self._check_arguments(selection, found, type_name)
            if not self._included(selection):
                continue
            cost += self._field_cost(selection, found, type_name)
        return cost

    def _check_arguments(self, selection: Selection, found: FieldDef, type_name: str) -> None:
        for name, value in selection.arguments.items():
            if name not in found.arguments:
                raise GraphQLError(
                    f"Field '{selection.name}' doesn't accept argument '{name}'",
                    "argumentNotAccepted",
                    [selection.name],
                )
            if isinstance(value, Variable) and value.name not in self.operation.variables:
                raise GraphQLError(f"Variable ${value.name} is used but not declared", "variableNotDefined")
            enum = self.schema.enums.get(found.arguments[name].name)
            if enum is not None and not isinstance(value, Variable) and getattr(value, "name", "") not in enum:
                raise GraphQLError(
                    f"Argument '{name}' on Field '{selection.name}' has an invalid value",
                    "argumentLiteralsIncompatible",
                )
        for name, ref in found.arguments.items():
            if ref.required[0] and name not in selection.arguments:
                raise GraphQLError(
                    f"Field '{selection.name}' is missing required arguments: {name}", "missingRequiredArguments"
                )
        composite = found.type.name in self.schema.types
        if composite != bool(selection.selections):
            raise GraphQLError(
                f"Field '{selection.name}' of type {type_name}: selections on it do not fit", "selectionMismatch"
            )
        if found.type.name.endswith("Connection"):
            self._first(selection)
        for directive in selection.directives:
            if directive not in ("include", "skip", "idempotent"):
                raise GraphQLError(f"Directive @{directive} is not defined", "undefinedDirective")

    def _field_cost(self, selection: Selection, found: FieldDef, type_name: str) -> int:
        if not selection.selections:
            return 0
        inside = self._check(selection.selections, found.type.name)
        if type_name == "Mutation":
            return 10
        if found.type.name.endswith("Connection"):
            return 2 + size_cost(self._first(selection), per_row=self.per_row) * inside
        if type_name.endswith(("Connection", "Edge")):
            return inside + (1 if selection.name in ("nodes", "node") else 0)
        ids = self.arguments(selection).get("ids")
        rows = len(ids) if isinstance(ids, list) else self.arguments(selection).get("first") or 1
        return size_cost(int(rows), per_row=self.per_row) * (1 + inside)

    def _first(self, selection: Selection) -> int:
        first = self.arguments(selection).get("first")
        if type(first) is not int or not 1 <= first <= PAGE_MAX:
            raise GraphQLError(
                f"you must provide one of first or last, from 1 to {PAGE_MAX}, on '{selection.name}'", "BAD_REQUEST"
            )
        return first

    # -- running

    def arguments(self, selection: Selection) -> dict[str, Any]:
        """Arguments with variables filled in; a variable that was not given is left out."""
        found: dict[str, Any] = {}
        for name, value in selection.arguments.items():
            if isinstance(value, Variable):
                if value.name in self.variables:
                    found[name] = self.variables[value.name]
            else:
                found[name] = value.name if isinstance(value, EnumValue) else value
        return found

    def directive(self, selection: Selection, name: str) -> dict[str, Any] | None:
        """The arguments of a directive on a field, `None` where it is not there."""
        if name not in selection.directives:
            return None
        return self.arguments(Selection(name, arguments=selection.directives[name]))

    def _included(self, selection: Selection) -> bool:
        include, skip = self.directive(selection, "include"), self.directive(selection, "skip")
        return (include is None or include.get("if") is True) and (skip is None or skip.get("if") is not True)

    def run(self) -> dict[str, Any]:
        """`data`. Refusals of single fields are collected in `errors`."""
        type_name = "Mutation" if self.operation.kind == "mutation" else "Query"
        data: dict[str, Any] = {}
        for selection in self.operation.selections:
            key = selection.alias or selection.name
            try:
                value = self.root[selection.name](self, selection, **self.arguments(selection))
                data[key] = self._complete(
                    value, self.schema.types[type_name][selection.name].type.name, selection, [key]
                )
            except GraphQLError as refused:
                self.errors.append(GraphQLError(refused.message, refused.code, refused.path or [key]))
                data[key] = None
        return data

    def _complete(self, value: Any, type_name: str, selection: Selection, path: list[str | int]) -> Any:
        if value is None or not selection.selections:
            return value
        if isinstance(value, list | tuple):
            return [self._complete(row, type_name, selection, [*path, at]) for at, row in enumerate(value)]
        if isinstance(value, Connection):
            value = self._paged(value, selection)
        self.objects += 1
        return self._object(value, type_name, selection.selections, path)

    def _object(
        self, value: Mapping[str, Any], type_name: str, selections: Sequence[Selection], path: list[str | int]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        actual = str(value.get("__typename", type_name))
        for selection in selections:
            if selection.on:
                if selection.on == actual:
                    found |= self._object(value, actual, selection.selections, path)
                continue
            if not self._included(selection):
                continue
            key = selection.alias or selection.name
            if (actual, selection.name) in self.withheld:
                self.errors.append(
                    GraphQLError(
                        f"This app is not approved to access the {actual} object's {selection.name}",
                        "ACCESS_DENIED",
                        [*path, key],
                    )
                )
                found[key] = None
                continue
            held = value[selection.name]
            if callable(held):
                held = held(**self.arguments(selection))
            kind = self.schema.types[actual][selection.name].type.name
            found[key] = self._complete(held, kind, selection, [*path, key])
        return found

    def _paged(self, connection: Connection, selection: Selection) -> dict[str, Any]:
        arguments = self.arguments(selection)
        first, after = int(arguments["first"]), arguments.get("after")
        start = 0
        if after is not None:
            cursor = decode_cursor(after)
            if connection.start_of is not None:
                start = connection.start_of(cursor)
            else:
                start = next(
                    (at + 1 for at, row in enumerate(connection.rows) if connection.cursor_of(row) == cursor), -1
                )
            if start < 0:
                raise GraphQLError("Invalid cursor for current pagination sort.", "BAD_REQUEST")
        rows = connection.rows[start : start + first]
        end = encode_cursor(connection.cursor_of(rows[-1])) if rows else None
        return {
            "nodes": [connection.render(row) for row in rows],
            "edges": [
                {"node": connection.render(row), "cursor": encode_cursor(connection.cursor_of(row))}
                for row in (rows if any(inside.name == "edges" for inside in selection.selections) else ())
            ],
            "pageInfo": {
                "hasNextPage": start + first < len(connection.rows),
                "hasPreviousPage": start > 0,
                "endCursor": end,
            },
        }
