"""The Markdown reference of the schema: one page per signal, as in OpenTelemetry's own documentation.

Comes in: the registry, the rules of checker and diff, and the example files of `examples/`, which come from a real
run. Goes out: the text of every page under docs/schema/.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from streamgauge import names
from streamgauge.schema.check.findings import RULES as CHECKS
from streamgauge.schema.diff import RULES as CHANGES
from streamgauge.schema.diff import Change, Level, changes, edition, released
from streamgauge.schema.generate import RECORDS, identifier, render
from streamgauge.schema.model import HERE, OURS, RECONCILIATION_SPAN, STREAM_SPAN, Attribute, Registry, Signal, Use

EXAMPLES = HERE / "examples"
TARGET = Path("docs/schema")
PAGES = ("README", "span", "events", "metrics", "attributes", "records", "checks", "versioning", "changelog")

_LEVELS = {
    "required": "Required",
    "recommended": "Recommended",
    "opt_in": "Opt-In",
    "conditionally_required": "Conditionally required",
}


def pages(registry: Registry, examples: Path = EXAMPLES) -> dict[str, str]:
    """File name -> text of every page."""
    context: dict[str, Any] = {
        "registry": registry,
        "span": registry.spans[STREAM_SPAN],
        "reconciliation": registry.spans[RECONCILIATION_SPAN],
        "events": ours(registry.events),
        "metrics": ours(registry.metrics),
        "standard_metrics": [metric for metric in registry.metrics.values() if not metric.name.startswith(OURS)],
        "attributes": ours(registry.attributes),
        "checks": CHECKS,
        "changes": CHANGES,
        "examples": _examples(examples),
        "history": _history(),
        "prometheus": {metric.name: metric.prometheus for metric in names.METRICS},
        "vocabularies": {setting: _vocabulary(vocabulary) for setting, vocabulary in names.VOCABULARIES.items()},
        "carriers": _carriers(registry),
        "records": [_record(path) for path in sorted(RECORDS.glob("*.schema.json"))],
    }
    filters: dict[str, Callable[..., str]] = {
        "type": _type,
        "level": _level,
        "example": _example,
        "cell": _cell,
        "anchor": _anchor,
        "identifier": identifier,
        "bounds": _bounds,
    }
    return {f"{page}.md": _tidy(render(f"docs/{page}.md.j2", filters, **context)) for page in PAGES}


def _tidy(text: str) -> str:
    """One blank line where the templates left several, one newline at the end."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def ours(entries: Mapping[str, Any]) -> list[Any]:
    """Those of our namespace, in the registry's order."""
    return [entry for name, entry in entries.items() if name.startswith(OURS)]


def _history() -> list[tuple[str, bool, list[Change] | None]]:
    """Version, whether it was released, and its changes since the one before (None: there was none); newest first."""
    versions = released()
    editions = [edition(version) for version in versions]
    if edition("current").registry.version not in versions:
        editions.append(edition("current"))
    rows: list[tuple[str, bool, list[Change] | None]] = []
    for before, after in zip([None, *editions], editions, strict=False):
        found = None if before is None else [c for c in changes(before, after) if c.level is not Level.PATCH]
        rows.append((after.registry.version, after.registry.version in versions, found))
    return rows[::-1]


def _vocabulary(vocabulary: names.Vocabulary) -> dict[str, str]:
    roles = [getattr(vocabulary, field.name) for field in dataclasses.fields(vocabulary) if field.name != "cache_write"]
    metrics = [metric.name for role in roles for metric in role]
    return {"metrics": _coded(metrics), "cache_write": _coded(vocabulary.cache_write)}


def _carriers(registry: Registry) -> dict[str, str]:
    """Attribute -> the signals that list it, in words."""
    found: dict[str, list[str]] = {key: [] for key in registry.attributes}
    for signal in registry.signals():
        for use in signal.uses:
            found[use.attribute.key].append(f"{signal.kind} {signal.name}")
    return {key: ", ".join(signals) for key, signals in found.items()}


def _record(path: Path) -> dict[str, Any]:
    schema = json.loads(path.read_text("utf-8"))
    fields = [
        {"name": name, "type": _json_type(field), "brief": field.get("description", "")}
        for name, field in _flat(schema)
    ]
    return {"file": path.name, "example": path.name.replace(".schema", ""), "fields": fields, **schema}


def _flat(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in schema.get("properties", {}).items():
        yield prefix + name, field
        yield from _flat(field, f"{prefix}{name}.")
        yield from _flat(field.get("items", {}), f"{prefix}{name}[].")


def _json_type(field: Mapping[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{value or 'null'}`" for value in field["enum"])
    words = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return " or ".join(words)


def _coded(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _examples(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8").rstrip() for path in sorted(folder.glob("*.*"))}


def _type(attribute: Attribute) -> str:
    unit = attribute.annotations.get("unit")
    return attribute.wire_type + (f" ({unit})" if unit else "")


def _level(use: Use) -> str:
    word = f"`{_LEVELS[use.level]}`"
    return f"{word} {_cell(use.condition)}" if use.condition else word


def _example(attribute: Attribute) -> str:
    shown = (example if isinstance(example, str) else json.dumps(example) for example in attribute.examples)
    return "; ".join(f"`{_cell(example)}`" for example in shown)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _bounds(signal: Signal) -> str:
    return ", ".join(f"{bound:g}" if bound < 1e6 else str(int(bound)) for bound in signal.buckets)


def stray(folder: Path, expected: Iterable[str]) -> list[str]:
    """Markdown files of the folder that no page is written to."""
    return sorted(path.name for path in folder.glob("*.md") if path.name not in set(expected))
