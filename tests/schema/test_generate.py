import ast
import dataclasses

import pytest
from click.testing import CliRunner

from streamgauge import names
from streamgauge.cli.schema import command
from streamgauge.errors import SchemaError
from streamgauge.schema import generate, model


def test_what_is_generated_is_what_is_committed():
    for path, text in generate.outputs(model.current()).items():
        assert path.read_text("utf-8") == text, f"{path.name}: run `streamgauge schema generate`"


def test_the_command_says_that_nothing_differs():
    run = CliRunner().invoke(command, ["generate", "--check"])
    assert (run.exit_code, "differs" in run.output) == (0, False)


def test_a_drifted_file_is_seen_and_left_alone(tmp_path):
    target = tmp_path / "names.py"
    target.write_text("old")
    assert not generate.write_or_compare(target, "new", check=True)
    assert target.read_text() == "old"
    assert not generate.write_or_compare(target, "new", check=False)
    assert generate.write_or_compare(target, "new", check=True)


def test_names_imports_two_modules_of_the_standard_library_and_nothing_else():
    tree = ast.parse(generate.NAMES.read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [getattr(node, "module", None) for node in imports] == ["dataclasses", "enum"]


def test_every_constant_of_names_is_of_the_registry():
    registry = model.current()
    known = {*registry.attributes, *registry.events, *registry.metrics}
    constants = {value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}
    assert constants - known == {names.SCHEMA_VERSION, names.SCHEMA_URL, names.SCOPE}
    assert {metric.name for metric in names.METRICS} == set(registry.metrics)


def test_a_metric_has_the_labels_and_buckets_of_the_registry():
    for metric in names.METRICS:
        entry = model.current().metrics[metric.name]
        assert (metric.instrument, metric.unit, metric.brief) == (entry.instrument, entry.unit, entry.brief)
        assert set(metric.attributes) == entry.keys
        assert metric.buckets == entry.buckets


def test_prometheus_names_end_as_the_exporters_write_them():
    assert names.STREAMS.prometheus == "streamgauge_streams_total"
    assert names.TTFT_SECONDS.prometheus == "streamgauge_ttft_seconds"
    assert names.STREAMS_ACTIVE.prometheus == "streamgauge_streams_active"
    assert names.TOKEN_USAGE.prometheus == "gen_ai_client_token_usage"


def test_both_vocabularies_together_are_both():
    old, new, both = (names.VOCABULARIES[setting] for setting in ("v1.41", "genai-main", "both"))
    for field in dataclasses.fields(names.Vocabulary):
        parts = (*getattr(old, field.name), *getattr(new, field.name))
        assert sorted(map(str, parts)) == sorted(map(str, getattr(both, field.name))), field.name
    assert old.duration == (names.OPERATION_DURATION,)
    assert new.duration == (names.INFERENCE_DURATION,)
    assert old.cache_write == (names.USAGE_CACHE_CREATION_INPUT_TOKENS,)
    assert (old.input_tokens, new.token_usage) == ((), ())


def test_two_entries_that_claim_one_constant_are_refused():
    registry = model.current()
    outcome = registry.attributes[names.OUTCOME]
    twin = dataclasses.replace(outcome, key="streamgauge.other", annotations={"python": "OUTCOME"})
    doubled = dataclasses.replace(registry, attributes={**registry.attributes, twin.key: twin})
    with pytest.raises(SchemaError, match="OUTCOME would stand for two entries"):
        generate.names(doubled)


def test_a_name_that_is_no_constant_is_refused():
    odd = dataclasses.replace(model.current().attributes[names.OUTCOME], annotations={"python": "out come"})
    with pytest.raises(SchemaError, match="no name for a constant"):
        generate.identifier(odd)


def test_a_metric_keeps_its_constant_under_another_name():
    """So code goes on to run, and the tests of dashboards and rules say what a renamed metric blanks."""
    assert [metric.name for metric in model.current().metrics.values() if not metric.annotations.get("python")] == []


def test_buckets_under_one_name_must_be_one_set():
    registry = model.current()
    gap = registry.metrics[names.GAP_MAX_SECONDS.name]
    other = dataclasses.replace(gap, annotations={**gap.annotations, "buckets": [1, 2]})
    changed = dataclasses.replace(registry, metrics={**registry.metrics, gap.name: other})
    with pytest.raises(SchemaError, match="its buckets differ"):
        generate.names(changed)


def test_texts_become_literals_that_python_reads_back():
    for text in ("plain", 'with "quotes"', "back\\slash"):
        assert ast.literal_eval(generate.quoted(text)) == text
    assert generate.literal([]) == "()"
    assert generate.literal(["1.0"]) == "(1.0,)"
    assert ast.literal_eval(generate.literal(range(60))) == tuple(range(60))
