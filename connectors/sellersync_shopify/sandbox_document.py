"""GraphQL texts for a strict simulator: a parser of documents and of a schema. Nothing here knows shops."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"(?P<skip>[\s,]+|#[^\n]*)|(?P<spread>\.\.\.)|(?P<punct>[!$()\[\]{}:=@|&])|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r'|(?P<number>-?[0-9]+(?:\.[0-9]+)?)|(?P<string>"(?:[^"\\]|\\.)*")'
)


class GraphQLError(Exception):
    """A refusal as it stands in `errors`."""

    def __init__(self, message: str, code: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.path = tuple(path)

    def entry(self) -> dict[str, Any]:
        found: dict[str, Any] = {"message": self.message, "locations": [{"line": 1, "column": 1}]}
        if self.path:
            found["path"] = list(self.path)
        found["extensions"] = {"code": self.code}
        return found


# -------------------------------------------------------------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A type as written: `name`, how deep in lists, and whether each level must be there (outermost first)."""

    name: str
    required: tuple[bool, ...]

    @property
    def lists(self) -> int:
        return len(self.required) - 1


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class EnumValue:
    name: str


@dataclass(frozen=True, slots=True)
class Selection:
    """A field, or (with `on`) an inline fragment."""

    name: str
    alias: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    directives: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    selections: tuple[Selection, ...] = ()
    on: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    name: str
    variables: Mapping[str, TypeRef]
    directives: Mapping[str, Mapping[str, Any]]
    selections: tuple[Selection, ...]


class Parser:
    """Recursive descent over one text: a document with one operation, or a schema."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise GraphQLError(f"syntax error, unexpected {text[at]!r}", "parse")
            if match.lastgroup != "skip":
                self._tokens.append(match[0])
            at = match.end()
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise GraphQLError(f"syntax error, unexpected {token or 'end of file'!r}", "parse")
        self._at += 1
        return token

    def had(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._at += 1
        return True

    def operation(self) -> Operation:
        if self.peek() == "{":
            return Operation("query", "", {}, {}, self._selections())
        kind = self.take()
        if kind not in ("query", "mutation"):
            raise GraphQLError(f"syntax error, unexpected {kind!r}", "parse")
        name = "" if self.peek() in ("(", "{", "@") else self.take()
        variables: dict[str, TypeRef] = {}
        if self.had("("):
            while not self.had(")"):
                self.take("$")
                variable = self.take()
                self.take(":")
                variables[variable] = self.type_ref()
        found = Operation(kind, name, variables, self._directives(), self._selections())
        if self.peek():
            raise GraphQLError("An operation name is required", "parse")
        return found

    def type_ref(self) -> TypeRef:
        if self.had("["):
            inside = self.type_ref()
            self.take("]")
            return TypeRef(inside.name, (self.had("!"), *inside.required))
        name = self.take()
        return TypeRef(name, (self.had("!"),))

    def _selections(self) -> tuple[Selection, ...]:
        if not self.had("{"):
            return ()
        found: list[Selection] = []
        while not self.had("}"):
            if self.had("..."):
                self.take("on")
                on = self.take()
                found.append(Selection("", on=on, selections=self._selections()))
                continue
            name, alias = self.take(), ""
            if self.had(":"):
                alias, name = name, self.take()
            arguments = self._arguments()
            found.append(Selection(name, alias, arguments, self._directives(), self._selections()))
        return tuple(found)

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.had("("):
            while not self.had(")"):
                name = self.take()
                self.take(":")
                found[name] = self._value()
        return found

    def _directives(self) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        while self.had("@"):
            name = self.take()
            found[name] = self._arguments()
        return found

    def _value(self) -> Any:
        token = self.take()
        if token == "$":
            return Variable(self.take())
        if token == "[":
            rows = []
            while not self.had("]"):
                rows.append(self._value())
            return rows
        if token == "{":
            fields: dict[str, Any] = {}
            while not self.had("}"):
                name = self.take()
                self.take(":")
                fields[name] = self._value()
            return fields
        if token[0] == '"' or token[0] == "-" or token[0].isdigit():
            return json.loads(token)
        return {"true": True, "false": False, "null": None}.get(token, EnumValue(token))


# ----------------------------------------------------------------------------------------------------------------------- schema


@dataclass(frozen=True, slots=True)
class FieldDef:
    type: TypeRef
    arguments: Mapping[str, TypeRef]


@dataclass(slots=True)
class Schema:
    """Types, inputs and enums of a text in the schema language. `XConnection` comes into being where it is named."""

    types: dict[str, dict[str, FieldDef]] = field(default_factory=dict)
    inputs: dict[str, dict[str, TypeRef]] = field(default_factory=dict)
    enums: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Schema:
        schema, parser = cls(), Parser(text)
        while parser.peek():
            kind, name = parser.take(), parser.take()
            parser.take("{")
            if kind == "enum":
                values = []
                while not parser.had("}"):
                    values.append(parser.take())
                schema.enums[name] = frozenset(values)
                continue
            fields: dict[str, FieldDef] = {}
            while not parser.had("}"):
                field_name, arguments = parser.take(), {}
                if parser.had("("):
                    while not parser.had(")"):
                        argument = parser.take()
                        parser.take(":")
                        arguments[argument] = parser.type_ref()
                parser.take(":")
                fields[field_name] = FieldDef(parser.type_ref(), arguments)
            if kind == "input":
                schema.inputs[name] = {key: found.type for key, found in fields.items()}
            else:
                schema.types[name] = fields
        schema._connect()
        return schema

    def _connect(self) -> None:
        named = {found.type.name for fields in self.types.values() for found in fields.values()}
        for connection in sorted(name for name in named if name.endswith("Connection")):
            node = connection.removesuffix("Connection")
            self.types[connection] = {
                "nodes": FieldDef(TypeRef(node, (True, True)), {}),
                "edges": FieldDef(TypeRef(f"{node}Edge", (True, True)), {}),
                "pageInfo": FieldDef(TypeRef("PageInfo", (True,)), {}),
            }
            self.types[f"{node}Edge"] = {
                "node": FieldDef(TypeRef(node, (True,)), {}),
                "cursor": FieldDef(TypeRef("String", (True,)), {}),
            }
        self.types["PageInfo"] = {
            name: FieldDef(TypeRef(kind, (False,)), {})
            for name, kind in {"hasNextPage": "Boolean", "hasPreviousPage": "Boolean", "endCursor": "String"}.items()
        }
