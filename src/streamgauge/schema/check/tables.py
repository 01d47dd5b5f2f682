"""What the registry says, compiled into the plain dicts that the hot loop looks things up in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamgauge.schema.model import OURS, Attribute, Registry, Signal

_FIELD = {"string": "stringValue", "int": "intValue", "double": "doubleValue", "boolean": "boolValue"}
_SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Value:
    """How one attribute's value must look: OTLP field, field of its items if it is an array, allowed values, sign."""

    field: str
    item: str
    allowed: frozenset[str] | None
    unsigned: bool
    type: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What one signal may and must carry; `conditional` is (key, other key, its values that call for the key)."""

    name: str
    known: frozenset[str]
    required: frozenset[str]
    conditional: tuple[tuple[str, str, frozenset[str] | None], ...]
    instrument: str = ""
    unit: str = ""
    bounds: frozenset[float] = frozenset()


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything the checker looks up."""

    version: str
    url: str
    values: Mapping[str, Value]
    stream: Shape
    events: Mapping[str, Shape]
    metrics: Mapping[str, Shape]


def compiled(registry: Registry) -> Tables:
    """The tables of one registry."""
    return Tables(
        registry.version,
        registry.url,
        {key: _value(attribute) for key, attribute in registry.attributes.items()},
        _shape(registry.spans["streamgauge.stream"]),
        {name: _shape(event) for name, event in registry.events.items()},
        {name: _shape(metric) for name, metric in registry.metrics.items()},
    )


def _value(attribute: Attribute) -> Value:
    scalar = attribute.wire_type.removesuffix("[]")
    array = attribute.wire_type.endswith("[]")
    number = scalar in ("int", "double")
    return Value(
        "arrayValue" if array else _FIELD[scalar],
        _FIELD[scalar] if array else "",
        _allowed(attribute),
        number and attribute.key.startswith(OURS) and not attribute.annotations.get(_SIGNED, False),
        attribute.wire_type,
    )


def _allowed(attribute: Attribute) -> frozenset[str] | None:
    if not attribute.closed:
        return None
    return frozenset(
        {*(member.value for member in attribute.members), *attribute.annotations.get("absent_label", "").split()}
    )


def _shape(signal: Signal) -> Shape:
    return Shape(
        signal.name,
        signal.keys,
        signal.required,
        tuple(_conditions(signal)),
        signal.instrument,
        signal.unit,
        frozenset(signal.buckets),
    )


def _conditions(signal: Signal) -> list[tuple[str, str, frozenset[str] | None]]:
    """From `required_when: {KEY: [VALUES]}` on a reference; `true` in place of the values stands for any value."""
    found: list[tuple[str, str, frozenset[str] | None]] = []
    for use in signal.uses:
        when: Mapping[str, Any] = use.annotations.get("required_when", {})
        found += [
            (use.attribute.key, key, None if values is True else frozenset(values)) for key, values in when.items()
        ]
    return found
