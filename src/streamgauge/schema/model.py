"""The registry as objects: YAML folders in, frozen dataclasses out; a reference that leads nowhere is a SchemaError."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from streamgauge.errors import SchemaError

HERE = Path(__file__).parent
REGISTRY, CONVENTIONS, RELEASED = HERE / "registry", HERE / "conventions", HERE / "released"
OURS = "streamgauge."
STREAM_SPAN, RECONCILIATION_SPAN = "streamgauge.stream", "streamgauge.reconciliation"


@dataclass(frozen=True, slots=True)
class Member:
    """One allowed value of an enum."""

    id: str
    value: str
    brief: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute or label: `type` is the format's word, or `enum`; `members` are its allowed values, if any."""

    key: str
    type: str
    brief: str
    stability: str
    examples: tuple[Any, ...]
    members: tuple[Member, ...]
    annotations: Mapping[str, Any]

    @property
    def wire_type(self) -> str:
        """The type of the value on the wire: an enum travels as a string."""
        return "string" if self.type == "enum" else self.type

    @property
    def closed(self) -> bool:
        """Whether other values than the members are wrong; the conventions' own enums are open."""
        return bool(self.members) and self.key.startswith(OURS)


@dataclass(frozen=True, slots=True)
class Use:
    """An attribute on a signal, with its requirement level and, for a conditional one, the condition."""

    attribute: Attribute
    level: str
    condition: str = ""
    annotations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """A span, an event or a metric; `kind` says which. Metrics have an instrument, a unit and perhaps buckets."""

    kind: str
    name: str
    brief: str
    stability: str
    level: str
    uses: tuple[Use, ...]
    annotations: Mapping[str, Any]
    instrument: str = ""
    unit: str = ""
    refines: str = ""

    @property
    def buckets(self) -> tuple[float, ...]:
        """Advised explicit bucket bounds, in the metric's unit."""
        return tuple(float(bound) for bound in self.annotations.get("buckets", ()))

    @property
    def required(self) -> frozenset[str]:
        """Keys that every instance of the signal carries."""
        return frozenset(use.attribute.key for use in self.uses if use.level == "required")

    @property
    def keys(self) -> frozenset[str]:
        """All keys that the signal may carry."""
        return frozenset(use.attribute.key for use in self.uses)


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that one schema version defines or borrows, by name and in the order of the files."""

    url: str
    attributes: Mapping[str, Attribute]
    spans: Mapping[str, Signal]
    events: Mapping[str, Signal]
    metrics: Mapping[str, Signal]

    @property
    def version(self) -> str:
        """The last segment of the schema URL."""
        return self.url.rsplit("/", 1)[-1]

    def signals(self) -> Iterator[Signal]:
        """Spans, events and metrics, in this order."""
        for kind in (self.spans, self.events, self.metrics):
            yield from kind.values()


@cache
def current() -> Registry:
    """The registry that this package was built with."""
    return load(REGISTRY, CONVENTIONS)


def load(registry: Path, conventions: Path) -> Registry:
    """Read a registry folder and the folder of conventions it depends on; SchemaError where something does not fit."""
    manifest = _yaml(registry / "manifest.yaml")
    files = [_yaml(path) for folder in (conventions, registry) for path in _definitions(folder)]
    attributes = _attributes(files)
    groups = {group["id"]: group.get("attributes", []) for group in _all(files, "attribute_groups")}
    reader = _Reader(attributes, groups)
    spans = {raw["type"]: reader.signal("span", raw["type"], raw) for raw in _all(files, "spans")}
    for raw in _all(files, "span_refinements"):
        spans[raw["id"]] = reader.refinement(raw, spans)
    events = {raw["name"]: _widened(reader.signal("event", raw["name"], raw), spans) for raw in _all(files, "events")}
    metrics = {raw["name"]: reader.signal("metric", raw["name"], raw) for raw in _all(files, "metrics")}
    return Registry(manifest["schema_url"], attributes, spans, events, metrics)


def _all(files: list[dict[str, Any]], section: str) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from file.get(section, [])


def _definitions(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if path.name != "manifest.yaml")


def _yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except FileNotFoundError:
        raise SchemaError(f"{path}: no such registry file") from None
    except yaml.YAMLError as error:
        raise SchemaError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(loaded, dict):
        raise SchemaError(f"{path}: expected a mapping, found {type(loaded).__name__}")
    return loaded


def _attributes(files: list[dict[str, Any]]) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {}
    for raw in _all(files, "attributes"):
        if raw["key"] in attributes:
            raise SchemaError(f"attribute {raw['key']} is defined twice")
        attributes[raw["key"]] = _attribute(raw)
    return {key: _with_values(attribute, attributes) for key, attribute in attributes.items()}


def _attribute(raw: Mapping[str, Any]) -> Attribute:
    annotations = raw.get("annotations", {})
    is_enum = isinstance(raw["type"], dict)
    members = raw["type"]["members"] if is_enum else annotations.get("members", [])
    return Attribute(
        raw["key"],
        "enum" if is_enum else raw["type"],
        raw["brief"].strip(),
        raw["stability"],
        tuple(raw.get("examples", ())),
        tuple(Member(member["id"], member["value"], member["brief"].strip()) for member in members),
        annotations,
    )


def _with_values(attribute: Attribute, attributes: Mapping[str, Attribute]) -> Attribute:
    source = attribute.annotations.get("values_of")
    if source is None:
        return attribute
    if source not in attributes:
        raise SchemaError(f"attribute {attribute.key}: values_of names {source}, which is not defined")
    return replace(attribute, members=attributes[source].members)


def _widened(event: Signal, spans: Mapping[str, Signal]) -> Signal:
    """An event annotated `attributes_of: SPAN` may carry whatever that span may carry, never required by it."""
    source = event.annotations.get("attributes_of")
    if source is None:
        return event
    extra = [Use(use.attribute, "recommended") for use in spans[source].uses if use.attribute.key not in event.keys]
    return replace(event, uses=(*event.uses, *extra))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Resolves references of signals against the attributes and groups of all files."""

    attributes: Mapping[str, Attribute]
    groups: Mapping[str, list[dict[str, Any]]]

    def signal(self, kind: str, name: str, raw: Mapping[str, Any]) -> Signal:
        return Signal(
            kind,
            name,
            raw["brief"].strip(),
            raw["stability"],
            raw.get("requirement_level", "recommended"),
            tuple(self.uses(name, raw.get("attributes", []))),
            raw.get("annotations", {}),
            raw.get("instrument", ""),
            raw.get("unit", ""),
        )

    def refinement(self, raw: Mapping[str, Any], spans: Mapping[str, Signal]) -> Signal:
        if raw["ref"] not in spans:
            raise SchemaError(f"span {raw['id']}: refines {raw['ref']}, which is not defined")
        base, own = spans[raw["ref"]], tuple(self.uses(raw["id"], raw.get("attributes", [])))
        refined = {use.attribute.key: use for use in own}
        kept = tuple(refined.pop(use.attribute.key, use) for use in base.uses)
        return Signal(
            "span",
            raw["id"],
            raw.get("brief", base.brief).strip(),
            raw.get("stability", base.stability),
            base.level,
            (*kept, *refined.values()),
            raw.get("annotations", {}),
            refines=base.name,
        )

    def uses(self, owner: str, refs: list[dict[str, Any]]) -> Iterator[Use]:
        for ref in refs:
            if "ref_group" in ref:
                yield from self.uses(owner, self._found(self.groups, ref["ref_group"], owner))
            else:
                level = ref.get("requirement_level", "recommended")
                word, condition = next(iter(level.items())) if isinstance(level, dict) else (level, "")
                yield Use(self._found(self.attributes, ref["ref"], owner), word, condition, ref.get("annotations", {}))

    @staticmethod
    def _found(shelf: Mapping[str, Any], name: str, owner: str) -> Any:
        try:
            return shelf[name]
        except KeyError:
            raise SchemaError(f"{owner}: refers to {name}, which is not defined") from None
