"""The part of JSON Schema that our record schemas use, compiled into plain functions: no library on the way of a
record.

Understood: `$ref` into `$defs`, `type` (one or several), `enum`, `const`, `required`, `properties`,
`additionalProperties` (false or a schema), `items`, `minimum`, `maximum`. Everything else is refused when the schema
is compiled, so that nothing is silently not checked.
"""

import json
from collections.abc import Callable
from typing import Any

from streamgauge.errors import SchemaError
from streamgauge.schema.check.attributes import Report
from streamgauge.schema.model import HERE

Check = Callable[[Any, Report, str], None]

_KNOWN = frozenset(
    {
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "$schema",
        "$id",
        "$defs",
        "$ref",
        "title",
        "description",
        "minimum",
        "maximum",
        "examples",
    }
)
_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def record_shape(name: str) -> Check:
    """The check of one of our record schemas, `stream` or `reconciliation`."""
    schema = json.loads((HERE / "json" / f"{name}.schema.json").read_text("utf-8"))
    return compile_shape(schema, schema.get("$defs", {}))


def compile_shape(schema: dict[str, Any], definitions: dict[str, Any]) -> Check:
    """A function that tells of every place where a value does not fit `schema`."""
    foreign = schema.keys() - _KNOWN
    if foreign:
        raise SchemaError(f"JSON Schema keyword {min(foreign)!r} is not understood by this checker")
    if "$ref" in schema:
        return compile_shape(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    parts = [make(schema, definitions) for key, make in _PARTS.items() if key in schema]

    def check(value: Any, report: Report, path: str) -> None:
        for part in parts:
            part(value, report, path)

    return check


def _type(schema: dict[str, Any], _: dict[str, Any]) -> Check:
    words = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    tests = [_TYPES[word] for word in words]

    def check(value: Any, report: Report, path: str) -> None:
        if not any(test(value) for test in tests):
            report("record.field", path, f"{json.dumps(value)[:80]} is not {' or '.join(words)}")

    return check


def _enum(schema: dict[str, Any], _: dict[str, Any]) -> Check:
    allowed = schema["enum"] if "enum" in schema else [schema["const"]]

    def check(value: Any, report: Report, path: str) -> None:
        if value not in allowed:
            report("record.field", path, f"{json.dumps(value)[:80]} is not one of {', '.join(map(str, allowed))}")

    return check


def _required(schema: dict[str, Any], _: dict[str, Any]) -> Check:
    wanted = frozenset(schema["required"])

    def check(value: Any, report: Report, path: str) -> None:
        if isinstance(value, dict) and not value.keys() >= wanted:
            for key in sorted(wanted - value.keys()):
                report("record.field", f"{path}.{key}", f"{key} is missing")

    return check


def _properties(schema: dict[str, Any], definitions: dict[str, Any]) -> Check:
    inner = {key: compile_shape(part, definitions) for key, part in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties")
    rest = compile_shape(others, definitions) if isinstance(others, dict) else None

    def check(value: Any, report: Report, path: str) -> None:
        for key, item in value.items() if isinstance(value, dict) else ():
            known = inner.get(key, rest)
            if known is not None:
                known(item, report, f"{path}.{key}")
            elif inner:
                report("record.unknown_field", f"{path}.{key}", f"{key} is not in the schema")

    return check


def _items(schema: dict[str, Any], definitions: dict[str, Any]) -> Check:
    inner = compile_shape(schema["items"], definitions)

    def check(value: Any, report: Report, path: str) -> None:
        for position, item in enumerate(value if isinstance(value, list) else ()):
            inner(item, report, f"{path}[{position}]")

    return check


def _bounds(schema: dict[str, Any], _: dict[str, Any]) -> Check:
    low, high = schema.get("minimum"), schema.get("maximum")

    def check(value: Any, report: Report, path: str) -> None:
        if not _TYPES["number"](value):
            return
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            report("record.field", path, f"{value} is outside of {low} to {high}")

    return check


_PARTS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Check]] = {
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "required": _required,
    "properties": _properties,
    "items": _items,
    "minimum": _bounds,
}
