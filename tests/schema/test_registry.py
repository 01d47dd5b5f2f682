import itertools
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.schema.conftest import ROOT

from streamgauge.errors import SchemaError
from streamgauge.ledger.entry import UNDECLARED, Position, Verdict
from streamgauge.ledger.states import EffectState
from streamgauge.schema import model

DEFINITIONS = sorted(
    path
    for folder in (model.REGISTRY, model.CONVENTIONS)
    for path in folder.glob("*.yaml")
    if path.name != "manifest.yaml"
)
MANIFESTS = [model.REGISTRY / "manifest.yaml", model.CONVENTIONS / "manifest.yaml"]
WEAVER_NAME = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*\Z")


def raw(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_definition_file_keeps_the_formats_json_schema(path, weaver_schemas):
    schema = json.loads((weaver_schemas / "semconv.schema.v2.json").read_text("utf-8"))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(raw(path))] == []
    assert raw(path)["file_format"] == "definition/2"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_a_manifest_keeps_the_formats_json_schema(path, weaver_schemas):
    schema = json.loads((weaver_schemas / "definition-manifest.v2.json").read_text("utf-8"))
    manifest = raw(path)
    # The published schema describes the parsed URL, an object; the files of every registry hold the plain string.
    wrapped = {
        **manifest,
        "schema_url": {"url": manifest["schema_url"]},
        "dependencies": [{**one, "schema_url": {"url": one["schema_url"]}} for one in manifest.get("dependencies", [])],
    }
    jsonschema.Draft202012Validator(schema).validate(wrapped)


def test_the_dependency_that_the_manifest_names_lies_where_it_says():
    (dependency,) = raw(MANIFESTS[0])["dependencies"]
    assert ROOT / dependency["registry_path"] == model.CONVENTIONS
    assert dependency["schema_url"] == raw(MANIFESTS[1])["schema_url"]


def test_every_entry_says_what_it_is():
    registry = model.current()
    for attribute in registry.attributes.values():
        assert attribute.brief and attribute.stability and attribute.examples, attribute.key
        assert all(member.brief for member in attribute.members), attribute.key
    for signal in registry.signals():
        assert signal.brief and signal.stability and signal.level in ("recommended", "opt_in"), signal.name
    for metric in registry.metrics.values():
        assert metric.instrument in ("counter", "gauge", "histogram") and metric.unit, metric.name
        assert bool(metric.buckets) == (metric.instrument == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name


def test_nothing_of_ours_stands_in_the_conventions_namespace():
    own = [path for path in DEFINITIONS if path.parent == model.REGISTRY]
    keys = [entry["key"] for path in own for entry in raw(path).get("attributes", [])]
    signals = [entry["name"] for path in own for kind in ("events", "metrics") for entry in raw(path).get(kind, [])]
    assert {name for name in keys + signals if not name.startswith("streamgauge.")} == set()


def test_no_attribute_is_the_namespace_of_another():
    # weaver's live check calls it `illegal_namespace`, a violation
    keys = set(model.current().attributes)
    namespaces = {".".join(key.split(".")[:depth]) for key in keys for depth in range(1, key.count(".") + 1)}
    assert keys & namespaces == set()


def test_every_name_has_the_form_that_weaver_asks_for():
    registry = model.current()
    names = [*registry.attributes, *registry.events, *registry.metrics]
    assert [name for name in names if not WEAVER_NAME.match(name)] == []


def test_examples_are_of_the_type_of_their_attribute():
    kinds: dict[str, tuple[type, ...]] = {"string": (str,), "int": (int,), "double": (float, int), "boolean": (bool,)}
    for attribute in model.current().attributes.values():
        values = attribute.examples
        if attribute.wire_type.endswith("[]"):
            values = tuple(itertools.chain.from_iterable(values))
        assert all(isinstance(value, kinds[attribute.wire_type.removesuffix("[]")]) for value in values), attribute.key
        if attribute.closed:
            assert set(values) <= {member.value for member in attribute.members}, attribute.key


def test_the_ledgers_words_are_the_registrys():
    attributes = model.current().attributes
    words: dict[str, set[str]] = defaultdict(set)
    for key in ("streamgauge.effect.state", "streamgauge.effect.position", "streamgauge.reconciliation.verdict"):
        words[key] = {member.value for member in attributes[key].members}
    assert words == {
        "streamgauge.effect.state": {*EffectState, UNDECLARED},
        "streamgauge.effect.position": set(Position),
        "streamgauge.reconciliation.verdict": set(Verdict),
    }


BROKEN = {
    "attribute that nobody defined": (
        "events",
        [{"name": "a.b", "brief": "x", "stability": "stable", "attributes": [{"ref": "no.such"}]}],
    ),
    "refines no.span": ("span_refinements", [{"id": "s", "ref": "no.span"}]),
    "defined twice": (
        "attributes",
        [{"key": "streamgauge.outcome", "type": "string", "brief": "x", "stability": "stable"}] * 2,
    ),
    "values_of names": (
        "attributes",
        [
            {
                "key": "a.c",
                "type": "string",
                "brief": "x",
                "stability": "stable",
                "annotations": {"values_of": "no.such"},
            }
        ],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_registry_that_does_not_fit_together_is_a_schema_error(case, tmp_path):
    section, entries = BROKEN[case]
    (tmp_path / "manifest.yaml").write_text("schema_url: https://example.org/schemas/1.0.0\n")
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump({"file_format": "definition/2", section: entries}))
    with pytest.raises(SchemaError):
        model.load(tmp_path, tmp_path)


def test_a_file_that_is_missing_or_no_yaml_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"manifest\.yaml: no such registry file"):
        model.load(tmp_path, tmp_path)
    (tmp_path / "manifest.yaml").write_text("a: [")
    with pytest.raises(SchemaError, match="not readable as YAML"):
        model.load(tmp_path, tmp_path)
    (tmp_path / "manifest.yaml").write_text("- a\n")
    with pytest.raises(SchemaError, match="expected a mapping"):
        model.load(tmp_path, tmp_path)
