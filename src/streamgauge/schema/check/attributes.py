"""Attribute lists of OTLP JSON against the registry: the hottest loop of the checker, one dict look-up a key."""

from collections.abc import Callable, Mapping
from typing import Any

from streamgauge.schema.check.tables import ITEM_FIELD, Shape, Value
from streamgauge.schema.model import OURS

Report = Callable[[str, str, str], None]
"""How a finding is told: rule, path, message."""


def read(pairs: list[Any], values: Mapping[str, Value], report: Report, path: str) -> dict[str, Any]:
    """Key -> plain value of the keys that the registry knows; tells of unknown names, wrong types and values."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key = pair["key"]
        spec = values.get(key)
        if spec is None:
            if key.startswith(OURS):
                report("attribute.unknown", f"{path}.attributes[{key}]", f"{key} is not in the registry")
            continue
        field, convert, allowed, unsigned, _ = spec
        value = pair["value"].get(field)
        if value is None:
            report(
                "attribute.type", f"{path}.attributes[{key}]", f"{key} is {_seen(pair['value'])}, expected {spec.type}"
            )
            continue
        if convert is not None:
            value = convert(value)
            if unsigned and not value >= 0:
                report("attribute.negative", f"{path}.attributes[{key}]", f"{key}={value}")
        elif field == "arrayValue":
            value = _items(key, value, spec, report, path)
        elif allowed is not None and value not in allowed:
            _outside(key, value, spec, report, path)
        if key in found:
            report("attribute.duplicate", f"{path}.attributes[{key}]", f"{key} appears twice")
        found[key] = value
    return found


def complete(found: dict[str, Any], shape: Shape, report: Report, path: str) -> None:
    """Tell of attributes that the signal must carry and does not, or carries and may not."""
    keys = found.keys()
    if not keys >= shape.required:
        for key in sorted(shape.required - keys):
            report("attribute.missing", f"{path}.attributes[{key}]", f"{shape.name} requires {key}")
    if not keys <= shape.known:
        for key in sorted(keys - shape.known):
            if key.startswith(OURS):
                report("attribute.misplaced", f"{path}.attributes[{key}]", f"{shape.name} does not list {key}")
    for key, other, calling in shape.conditional:
        if key not in found and other in found and (calling is None or found[other] in calling):
            report("attribute.conditional", f"{path}.attributes[{key}]", f"{other}={found[other]} calls for {key}")


def _items(key: str, value: dict[str, Any], spec: Value, report: Report, path: str) -> tuple[Any, ...]:
    field = ITEM_FIELD[spec.type]
    items = tuple(item.get(field) for item in value.get("values", ()))
    if None in items:
        report("attribute.type", f"{path}.attributes[{key}]", f"{key} has items that are not of type {spec.type}")
    for item in items:
        if item is not None and spec.allowed is not None and item not in spec.allowed:
            _outside(key, item, spec, report, path)
    return items


def _outside(key: str, value: Any, spec: Value, report: Report, path: str) -> None:
    known = ", ".join(sorted(spec.allowed or ()))
    report("attribute.value", f"{path}.attributes[{key}]", f"{key}={value!r} is not one of {known}")


def _seen(holder: dict[str, Any]) -> str:
    return ", ".join(str(field).removesuffix("Value") for field in holder) or "empty"
