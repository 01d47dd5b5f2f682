"""names.py and the record schemas from the registry: the one place where an outside name becomes a Python identifier.

Comes in: a Registry and `templates/`. Goes out: the text of names.py, formatted as `ruff format` leaves it, and of
`json/`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from streamgauge.errors import ConfigError, SchemaError
from streamgauge.schema.model import HERE, OURS, Attribute, Registry, Signal

RECORD_NAMES = ("stream", "reconciliation", "demo")
NAMES, RECORDS = HERE.parent / "names.py", HERE / "json"
WIDTH = 120
_IDENTIFIER = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_PREFIXES = (OURS, "gen_ai.client.", "gen_ai.")


def outputs(registry: Registry) -> dict[Path, str]:
    """Every generated file of the package, with its text."""
    records = {RECORDS / f"{name}.schema.json": record_schema(registry, name) for name in RECORD_NAMES}
    return {NAMES: names(registry), **records}


def record_schema(registry: Registry, name: str) -> str:
    """The JSON Schema of one of our records; its enums are those of the registry."""

    def members(key: str, *, null: bool = False) -> str:
        values: list[str | None] = [member.value for member in registry.attributes[key].members]
        return json.dumps({"enum": [*values, None] if null else values})

    text = render(f"{name}.schema.json.j2", {}, registry=registry, members=members)
    return json.dumps(json.loads(text), indent=2) + "\n"


def names(registry: Registry) -> str:
    """The text of names.py for this registry; SchemaError when two entries claim one identifier."""
    attributes = [attribute for attribute in registry.attributes.values() if _named(attribute)]
    standard = [attribute for attribute in attributes if not attribute.key.startswith(OURS)]
    ours = [attribute for attribute in attributes if attribute not in standard]
    metrics, events = list(registry.metrics.values()), list(registry.events.values())
    _refuse_clashes([*attributes, *events, *metrics])
    return render(
        "names.py.j2",
        {"identifier": identifier, "literal": literal, "text": quoted},
        registry=registry,
        enums=[attribute for attribute in attributes if "enum" in attribute.annotations],
        standard=standard,
        closed=[attribute for attribute in ours if attribute.closed],
        ours=ours,
        events=events,
        metrics=metrics,
        labels=lambda metric: [identifier(use.attribute) for use in metric.uses],
        bucket_sets=_bucket_sets(metrics),
        vocabularies=_vocabularies(registry),
    )


def identifier(entry: Attribute | Signal) -> str:
    """The constant for an entry: its `python` annotation, else its key in capitals without the namespace."""
    name = entry.key if isinstance(entry, Attribute) else entry.name
    given = entry.annotations.get("python")
    prefix = "EVENT_" if isinstance(entry, Signal) and entry.kind == "event" else ""
    bare = next((name.removeprefix(start) for start in _PREFIXES if name.startswith(start)), name)
    constant = given or prefix + bare.upper().replace(".", "_")
    if not _IDENTIFIER.match(constant):
        raise SchemaError(f"{name}: {constant!r} is no name for a constant (capitals, digits and underscores)")
    return constant


def quoted(text: str) -> str:
    """A Python string literal as ruff writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(items: Iterable[object], indent: int = 0, taken: int = 0) -> str:
    """A Python tuple as ruff writes it: on one line if it fits beside `taken` columns, else one item a line."""
    shown = [str(item) for item in items]
    flat = "(" + ", ".join(shown) + ("," if len(shown) == 1 else "") + ")"
    if taken + len(flat) <= WIDTH:
        return flat
    pad = " " * (indent + 4)
    return "(\n" + "".join(f"{pad}{item},\n" for item in shown) + " " * indent + ")"


def render(name: str, filters: Mapping[str, Callable[..., Any]], **context: object) -> str:
    """A template of `templates/`, strictly: ConfigError with the extra to install when Jinja2 is missing."""
    try:
        import jinja2
    except ImportError:
        raise ConfigError("jinja2", None, "an installed Jinja2: pip install 'streamgauge[schema]'") from None
    environment = jinja2.Environment(  # noqa: S701 - Python and Markdown, not HTML
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name).render(**context)


def _named(attribute: Attribute) -> bool:
    return attribute.annotations.get("python", "") is not None


def _refuse_clashes(entries: Iterable[Attribute | Signal]) -> None:
    seen: dict[str, Attribute | Signal] = {}
    for entry in entries:
        other = seen.setdefault(identifier(entry), entry)
        if other is not entry:
            raise SchemaError(f"{identifier(entry)} would stand for two entries: give one a `python` annotation")


def _bucket_sets(metrics: Iterable[Signal]) -> dict[str, tuple[float, ...]]:
    sets: dict[str, tuple[float, ...]] = {}
    for metric in metrics:
        if metric.buckets and sets.setdefault(metric.annotations["bucket_set"], metric.buckets) != metric.buckets:
            name = metric.annotations["bucket_set"]
            raise SchemaError(f"metric {metric.name}: its buckets differ from the others of {name}")
    return sets


def _vocabularies(registry: Registry) -> dict[str, dict[str, list[str]]]:
    """Setting -> role -> constants, from the annotations `vocabulary` and `role`; `both` joins all."""
    entries: list[Attribute | Signal] = [*registry.attributes.values(), *registry.metrics.values()]
    switched = [entry for entry in entries if "vocabulary" in entry.annotations]
    settings = list(dict.fromkeys(entry.annotations["vocabulary"] for entry in switched))
    table: dict[str, dict[str, list[str]]] = {}
    for setting, allowed in [*((name, {name}) for name in sorted(settings, reverse=True)), ("both", set(settings))]:
        roles = table.setdefault(setting, {})
        for entry in (entry for entry in switched if entry.annotations["vocabulary"] in allowed):
            roles.setdefault(entry.annotations["role"], []).append(identifier(entry))
    return table


def write_or_compare(target: Path, text: str, *, check: bool) -> bool:
    """Whether `target` already held `text`; writes it when it did not and `check` is off."""
    same = target.exists() and target.read_text("utf-8") == text
    if not same and not check:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return same
