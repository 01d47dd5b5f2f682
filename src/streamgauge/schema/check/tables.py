"""What the registry says, compiled into the plain dicts that the hot loop looks things up in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from streamgauge.schema.model import OURS, RECONCILIATION_SPAN, STREAM_SPAN, Attribute, Registry, Signal

_FIELD = {"string": "stringValue", "int": "intValue", "double": "doubleValue", "boolean": "boolValue"}
_NUMBER: dict[str, Callable[[Any], int | float]] = {"int": int, "double": float}
_SIGNED = "signed"
ITEM_FIELD = {f"{kind}[]": field for kind, field in _FIELD.items()}
"""Array type of the registry -> OTLP field of its items."""


class Value(NamedTuple):
    """How one attribute's value must look. A named tuple, because the hot loop unpacks it.

    `field` is OTLP's, `convert` makes a number of it, `allowed` is the closed set, `unsigned` refuses what is below 0.
    """

    field: str
    convert: Callable[[Any], int | float] | None
    allowed: frozenset[str] | None
    unsigned: bool
    type: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What one signal may and must carry; `on_log` is required when it is a log event.

    `conditional` is (key, other key, the other's values that call for the key; None for any value).
    """

    name: str
    known: frozenset[str]
    required: frozenset[str]
    conditional: tuple[tuple[str, str, frozenset[str] | None], ...]
    on_log: frozenset[str] = frozenset()
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
    reconciliation: Shape
    events: Mapping[str, Shape]
    metrics: Mapping[str, Shape]


def compiled(registry: Registry) -> Tables:
    """The tables of one registry."""
    return Tables(
        registry.version,
        registry.url,
        {key: _value(attribute) for key, attribute in registry.attributes.items()},
        _shape(registry.spans[STREAM_SPAN]),
        _shape(registry.spans[RECONCILIATION_SPAN]),
        {name: _shape(event) for name, event in registry.events.items()},
        {name: _shape(metric) for name, metric in registry.metrics.items()},
    )


def _value(attribute: Attribute) -> Value:
    kind = attribute.wire_type
    return Value(
        "arrayValue" if kind in ITEM_FIELD else _FIELD[kind],
        _NUMBER.get(kind),
        _allowed(attribute),
        kind in _NUMBER and attribute.key.startswith(OURS) and not attribute.annotations.get(_SIGNED, False),
        kind,
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
        frozenset(use.attribute.key for use in signal.uses if use.annotations.get("required_on") == "log"),
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
