"""Two versions of the schema compared: what changed, and which version number that calls for.

Comes in: two `Edition`s (registry and record schemas). Goes out: changes, each with the level that it needs. The
levels are the promise of docs/schema/versioning.md, and RULES is its table.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from streamgauge.errors import SchemaError
from streamgauge.schema.model import CONVENTIONS, HERE, REGISTRY, RELEASED, Attribute, Registry, Signal, load

T = TypeVar("T")


class Level(IntEnum):
    """How far a change reaches: only words, more than there was, or something that readers or writers relied on."""

    PATCH = 0
    MINOR = 1
    MAJOR = 2


RULES: dict[str, Level] = {
    "attribute added": Level.MINOR,
    "attribute removed": Level.MAJOR,
    "attribute type": Level.MAJOR,
    "attribute unit": Level.MAJOR,
    "enum member added": Level.MINOR,
    "enum member removed": Level.MAJOR,
    "signal added": Level.MINOR,
    "signal removed": Level.MAJOR,
    "metric instrument": Level.MAJOR,
    "metric unit": Level.MAJOR,
    "metric label added": Level.MAJOR,
    "metric label removed": Level.MAJOR,
    "bucket added": Level.MINOR,
    "bucket removed": Level.MAJOR,
    "signal attribute added": Level.MINOR,
    "signal attribute removed": Level.MAJOR,
    "requirement from or to required": Level.MAJOR,
    "requirement level": Level.MINOR,
    "record field added": Level.MINOR,
    "record field removed": Level.MAJOR,
    "record field changed": Level.MAJOR,
    "wording": Level.PATCH,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: its kind (a key of RULES), what it happened to, and the two sides in words."""

    kind: str
    subject: str
    detail: str = ""

    @property
    def level(self) -> Level:
        """That of its kind."""
        return RULES[self.kind]


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of the schema: the registry, and the record schemas by name."""

    registry: Registry
    records: Mapping[str, Any]


def edition(where: str) -> Edition:
    """`current`, a released version such as 0.1.0, or a folder that holds `registry/`, `conventions/` and `json/`."""
    folder = HERE if where == "current" else RELEASED / where
    if not folder.is_dir():
        folder = Path(where)
    if not (folder / "registry").is_dir():
        known = ", ".join(["current", *released()])
        raise SchemaError(f"{where}: neither one of {known} nor a folder with a registry/ in it")
    records = {path.name: json.loads(path.read_text("utf-8")) for path in sorted((folder / "json").glob("*.json"))}
    return Edition(load(folder / "registry", folder / "conventions"), records)


def released() -> list[str]:
    """Versions that were frozen, oldest first."""
    return sorted((path.name for path in RELEASED.glob("*") if path.is_dir()), key=_numbers)


def freeze(target: Path = RELEASED) -> Path:
    """Keep a copy of the schema as it stands, under its version; SchemaError if that version was frozen and differs."""
    version = edition("current").registry.version
    folder = target / version
    if folder.exists():
        if list(changes(edition(str(folder)), edition("current"))):
            raise SchemaError(f"{version} was released and differs: raise the version in {REGISTRY.name}/manifest.yaml")
        return folder
    for source in (REGISTRY, CONVENTIONS, HERE / "json"):
        shutil.copytree(source, folder / source.name)
    return folder


def allowed(old: str, new: str, level: Level) -> bool:
    """Whether going from version `old` to `new` allows a change of this level."""
    return _numbers(new) >= _numbers(needed(old, level))


def needed(old: str, level: Level) -> str:
    """The lowest version after `old` that may carry a change of `level`; before 1.0.0 each is one place lower."""
    major, minor, patch = _numbers(old)
    if level is Level.PATCH:
        return old
    place = level - 1 if major == 0 else level
    return [f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0"][place]


def _numbers(version: str) -> tuple[int, int, int]:
    try:
        major, minor, patch = (int(part) for part in version.split("."))
    except ValueError:
        raise SchemaError(f"{version!r} is not a version: expected MAJOR.MINOR.PATCH") from None
    return major, minor, patch


def changes(old: Edition, new: Edition) -> Iterator[Change]:
    """All differences, in the order of the old edition."""
    yield from _between(old.registry.attributes, new.registry.attributes, "attribute", _attribute)
    for kind in ("spans", "events", "metrics"):
        yield from _between(getattr(old.registry, kind), getattr(new.registry, kind), "signal", _signal)
    for name in dict.fromkeys((*old.records, *new.records)):
        yield from _record(name, old.records.get(name, {}), new.records.get(name, {}))


def _between(
    old: Mapping[str, T], new: Mapping[str, T], word: str, inner: Callable[[T, T], Iterable[Change]]
) -> Iterator[Change]:
    yield from (Change(f"{word} removed", name) for name in old if name not in new)
    for name in old:
        if name in new:
            yield from inner(old[name], new[name])
    yield from (Change(f"{word} added", name) for name in new if name not in old)


def _attribute(old: Attribute, new: Attribute) -> Iterator[Change]:
    if old.wire_type != new.wire_type:
        yield Change("attribute type", old.key, f"{old.wire_type} -> {new.wire_type}")
    if old.annotations.get("unit") != new.annotations.get("unit"):
        yield Change("attribute unit", old.key, f"{old.annotations.get('unit')} -> {new.annotations.get('unit')}")
    yield from _sets(old.key, "enum member", [m.value for m in old.members], [m.value for m in new.members])
    if (old.brief, old.stability, old.examples) != (new.brief, new.stability, new.examples):
        yield Change("wording", old.key)


def _signal(old: Signal, new: Signal) -> Iterator[Change]:
    if old.instrument != new.instrument:
        yield Change("metric instrument", old.name, f"{old.instrument} -> {new.instrument}")
    if old.unit != new.unit:
        yield Change("metric unit", old.name, f"{old.unit} -> {new.unit}")
    yield from _sets(old.name, "bucket", old.buckets, new.buckets)
    word = "metric label" if old.kind == "metric" else "signal attribute"
    before, after = ({use.attribute.key: use.level for use in side.uses} for side in (old, new))
    yield from _sets(old.name, word, before, after)
    for key in before.keys() & after.keys():
        if before[key] != after[key]:
            required = "required" in (before[key], after[key])
            kind = "requirement from or to required" if required else "requirement level"
            yield Change(kind, f"{old.name} / {key}", f"{before[key]} -> {after[key]}")
    if (old.brief, old.stability, old.level) != (new.brief, new.stability, new.level):
        yield Change("wording", old.name)


def _sets(subject: str, word: str, old: Iterable[object], new: Iterable[object]) -> Iterator[Change]:
    before, after = list(old), list(new)
    yield from (Change(f"{word} removed", subject, str(item)) for item in before if item not in after)
    yield from (Change(f"{word} added", subject, str(item)) for item in after if item not in before)


def _record(path: str, old: Any, new: Any) -> Iterator[Change]:
    """Fields of a JSON Schema, down to the leaves; anything else that differs is a change of its field."""
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    yield from (Change("record field removed", f"{path}/{field}") for field in old_fields if field not in new_fields)
    for field in old_fields:
        if field in new_fields:
            yield from _record(f"{path}/{field}", old_fields[field], new_fields[field])
    yield from (Change("record field added", f"{path}/{field}") for field in new_fields if field not in old_fields)
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _record(f"{path}[]", old["items"], new["items"])
    yield from _enum(path, old.get("enum"), new.get("enum"))
    handled = {"properties", "required", "items", "enum", "description", "title", "$id", "$schema"}
    if {key: old[key] for key in old.keys() - handled} != {key: new[key] for key in new.keys() - handled}:
        yield Change("record field changed", path)
    if (old.get("description"), old.get("title")) != (new.get("description"), new.get("title")):
        yield Change("wording", path)


def _enum(path: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[Change]:
    if (old is None) != (new is None):
        yield Change("record field changed", path)
    else:
        yield from _sets(path, "enum member", old or (), new or ())
