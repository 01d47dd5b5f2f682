"""Attribute lists of OTLP JSON against the registry: the hottest loop of the checker, one dict look-up a key."""

from collections.abc import Callable, Mapping
from typing import Any

from streamgauge.schema.check.tables import Shape, Value
from streamgauge.schema.model import OURS

Report = Callable[[str, str, str], None]
"""How a finding is told: rule, path, message."""


def read(pairs: list[Any], values: Mapping[str, Value], report: Report, path: str) -> dict[str, Any]:
    """Key -> plain value of the keys that the registry knows; tells of unknown names, wrong types and values."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, holder = pair["key"], pair["value"]
        spec = values.get(key)
        if spec is None:
            if key.startswith(OURS):
                report("attribute.unknown", f"{path}[{key}]", f"{key} is not in the registry")
            continue
        if key in found:
            report("attribute.duplicate", f"{path}[{key}]", f"{key} appears twice")
        value = holder.get(spec.field)
        if value is None:
            report("attribute.type", f"{path}[{key}]", f"{key} is {_seen(holder)}, expected {spec.type}")
            continue
        found[key] = _plain(key, value, spec, report, path)
    return found


def complete(found: dict[str, Any], shape: Shape, report: Report, path: str) -> None:
    """Tell of attributes that the signal must carry and does not, or carries and may not."""
    keys = found.keys()
    if not keys >= shape.required:
        for key in sorted(shape.required - keys):
            report("attribute.missing", f"{path}[{key}]", f"{shape.name} requires {key}")
    if not keys <= shape.known:
        for key in sorted(keys - shape.known):
            if key.startswith(OURS):
                report("attribute.misplaced", f"{path}[{key}]", f"{shape.name} does not list {key}")
    for key, other, calling in shape.conditional:
        if key not in found and other in found and (calling is None or found[other] in calling):
            report("attribute.conditional", f"{path}[{key}]", f"{other}={found[other]} calls for {key}")


def _plain(key: str, value: Any, spec: Value, report: Report, path: str) -> Any:
    field = spec.item or spec.field
    if spec.item:
        items = value.get("values", ())
        if any(item.get(field) is None for item in items):
            report("attribute.type", f"{path}[{key}]", f"{key} has items that are not of type {spec.type}")
            return ()
        read_values = tuple(item[field] for item in items)
        outside = [item for item in read_values if spec.allowed is not None and item not in spec.allowed]
        value = read_values
    elif field == "stringValue":
        outside = [value] if spec.allowed is not None and value not in spec.allowed else []
    else:
        return _number(key, value, spec, report, path) if field != "boolValue" else value
    for word in outside:
        report(
            "attribute.value", f"{path}[{key}]", f"{key}={word!r} is not one of {', '.join(sorted(spec.allowed or ()))}"
        )
    return value


def _number(key: str, value: Any, spec: Value, report: Report, path: str) -> int | float:
    number: int | float = int(value) if spec.field == "intValue" else float(value)
    if spec.unsigned and not number >= 0:
        report("attribute.negative", f"{path}[{key}]", f"{key}={number}")
    return number


def _seen(holder: dict[str, Any]) -> str:
    return ", ".join(str(field).removesuffix("Value") for field in holder) or "empty"
