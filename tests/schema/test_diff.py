import copy
import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from streamgauge import names
from streamgauge.cli.schema import command
from streamgauge.errors import SchemaError
from streamgauge.schema import diff, model
from streamgauge.schema.diff import Level

NOW = diff.edition("current")


def _replaced(kind: str, entries: Any) -> model.Registry:
    changed: dict[str, Any] = {kind: entries}
    return dataclasses.replace(NOW.registry, **changed)


def registry_with(kind: str, name: str, **fields: Any) -> diff.Edition:
    entries: Any = dict(getattr(NOW.registry, kind))
    entries[name] = dataclasses.replace(entries[name], **fields)
    return dataclasses.replace(NOW, registry=_replaced(kind, entries))


def without(kind: str, name: str) -> diff.Edition:
    entries: Any = {key: value for key, value in getattr(NOW.registry, kind).items() if key != name}
    return dataclasses.replace(NOW, registry=_replaced(kind, entries))


def record_with(change: Callable[[dict[str, Any]], object]) -> diff.Edition:
    records = copy.deepcopy(dict(NOW.records))
    change(records["stream.schema.json"])
    return dataclasses.replace(NOW, records=records)


OUTCOME = NOW.registry.attributes[names.OUTCOME]
STREAMS = NOW.registry.metrics[names.STREAMS.name]
TTLT = NOW.registry.metrics[names.TTLT_SECONDS.name]
CHUNK = NOW.registry.events[names.EVENT_CHUNK]
FEWER = {**TTLT.annotations, "buckets": TTLT.buckets[1:]}
LESS_STRICT = tuple(
    dataclasses.replace(use, level="recommended") if use.attribute.key == names.CHUNK_COUNT else use
    for use in CHUNK.uses
)

# edition after the change -> kind seen from NOW to it, kind seen from it back to NOW
PAIRS = {
    "attribute": (without("attributes", names.OUTCOME), "attribute removed", "attribute added"),
    "type": (registry_with("attributes", names.CHUNKS, type="string"), "attribute type", "attribute type"),
    "unit": (registry_with("attributes", names.TTFT, annotations={"unit": "ms"}), "attribute unit", "attribute unit"),
    "member": (
        registry_with("attributes", names.OUTCOME, members=OUTCOME.members[1:]),
        "enum member removed",
        "enum member added",
    ),
    "signal": (without("events", names.EVENT_STALL), "signal removed", "signal added"),
    "instrument": (
        registry_with("metrics", STREAMS.name, instrument="gauge"),
        "metric instrument",
        "metric instrument",
    ),
    "metric unit": (registry_with("metrics", STREAMS.name, unit="1"), "metric unit", "metric unit"),
    "label": (
        registry_with("metrics", STREAMS.name, uses=STREAMS.uses[1:]),
        "metric label removed",
        "metric label added",
    ),
    "bucket": (registry_with("metrics", TTLT.name, annotations=FEWER), "bucket removed", "bucket added"),
    "event attribute": (
        registry_with("events", CHUNK.name, uses=CHUNK.uses[1:]),
        "signal attribute removed",
        "signal attribute added",
    ),
    "required": (
        registry_with("events", CHUNK.name, uses=LESS_STRICT),
        "requirement from or to required",
        "requirement from or to required",
    ),
    "wording": (registry_with("attributes", names.OUTCOME, brief="Other words."), "wording", "wording"),
    "field": (
        record_with(lambda schema: schema["properties"].pop("outcome")),
        "record field removed",
        "record field added",
    ),
    "field type": (
        record_with(lambda schema: schema["properties"]["chunks"].update(type="string")),
        "record field changed",
        "record field changed",
    ),
    "inner field": (
        record_with(lambda schema: schema["properties"]["timeline"]["items"]["properties"].pop("marks")),
        "record field removed",
        "record field added",
    ),
    "enum or not": (
        record_with(lambda schema: schema["properties"]["outcome"].pop("enum")),
        "record field changed",
        "record field changed",
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_a_change_is_seen_in_both_directions(case):
    other, forwards, backwards = PAIRS[case]
    assert {change.kind for change in diff.changes(NOW, other)} == {forwards}
    assert {change.kind for change in diff.changes(other, NOW)} == {backwards}


def test_a_level_that_changes_without_required_is_minor():
    span = NOW.registry.spans["streamgauge.stream"]
    uses = tuple(dataclasses.replace(use, level="opt_in") if use.level == "recommended" else use for use in span.uses)
    assert {change.kind for change in diff.changes(NOW, registry_with("spans", span.name, uses=uses))} == {
        "requirement level"
    }


def test_every_kind_of_change_is_shown_by_a_test():
    shown = {kind for _, *kinds in PAIRS.values() for kind in kinds} | {"requirement level"}
    assert shown == set(diff.RULES)


def test_nothing_changed_is_no_change():
    assert list(diff.changes(NOW, diff.edition("current"))) == []


@pytest.mark.parametrize(
    ("old", "level", "version"),
    [
        ("0.1.0", Level.PATCH, "0.1.0"),
        ("0.1.0", Level.MINOR, "0.1.1"),
        ("0.1.0", Level.MAJOR, "0.2.0"),
        ("1.4.2", Level.PATCH, "1.4.2"),
        ("1.4.2", Level.MINOR, "1.5.0"),
        ("1.4.2", Level.MAJOR, "2.0.0"),
    ],
)
def test_a_level_needs_a_version(old, level, version):
    assert diff.needed(old, level) == version
    assert diff.allowed(old, version, level)
    assert level is Level.PATCH or not diff.allowed(old, old, level)


def test_the_schema_as_it_stands_keeps_the_promise_of_the_last_release():
    for version in diff.released()[-1:]:
        for change in diff.changes(diff.edition(version), NOW):
            assert diff.allowed(version, NOW.registry.version, change.level), (
                f"{change.kind}: {change.subject} {change.detail} needs {diff.needed(version, change.level)}"
            )


def test_the_command_refuses_a_version_that_is_too_low(tmp_path):
    for part in ("registry", "conventions", "json"):
        shutil.copytree(model.HERE / part, tmp_path / part)
    attributes = tmp_path / "registry" / "attributes.yaml"
    attributes.write_text(attributes.read_text("utf-8").replace("value: crashed", "value: died"), "utf-8")
    run = CliRunner().invoke(command, ["diff", "current", str(tmp_path)])
    version = names.SCHEMA_VERSION
    needed = diff.needed(version, Level.MAJOR)
    assert (run.exit_code, f"needs version {needed} or later, but it is {version}" in run.output) == (1, True)
    shown = json.loads(CliRunner().invoke(command, ["diff", "--json", "current", str(tmp_path)]).output)
    assert shown["fits"] is False
    assert {row["kind"] for row in shown["changes"]} == {"enum member added", "enum member removed"}


def test_a_version_is_frozen_once(tmp_path):
    folder = diff.freeze(tmp_path)
    assert folder == diff.freeze(tmp_path)
    assert list(diff.changes(diff.edition(str(folder)), NOW)) == []
    events = folder / "registry" / "events.yaml"
    events.write_text(events.read_text("utf-8").replace("brief: A gap", "brief: The gap"), "utf-8")
    with pytest.raises(SchemaError, match=f"{re.escape(names.SCHEMA_VERSION)} was released and differs"):
        diff.freeze(tmp_path)


@pytest.mark.parametrize("where", ["9.9.9", "/nowhere"])
def test_an_edition_that_is_not_there_is_named(where):
    with pytest.raises(SchemaError, match="neither one of current"):
        diff.edition(where)


def test_a_version_that_is_no_version_is_named():
    with pytest.raises(SchemaError, match=r"expected MAJOR\.MINOR\.PATCH"):
        diff.needed("0.1", Level.MINOR)
