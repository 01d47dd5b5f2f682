"""The configurations of the collector: valid in a real one, described, and no more than one truth in several files."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.pipeline.tools import CONFIGURATION, OVERLAYS, REPOSITORY, collector_program

GATEWAY = OVERLAYS / "gateway.yaml"
BALANCER = OVERLAYS / "load-balancer.yaml"
STANDALONE = (CONFIGURATION, GATEWAY, BALANCER)
COMBINATIONS = {
    "single": (CONFIGURATION,),
    "remote write": (CONFIGURATION, OVERLAYS / "remote-write.yaml"),
    "logs": (CONFIGURATION, OVERLAYS / "logs-otlp.yaml"),
    "both": (CONFIGURATION, OVERLAYS / "remote-write.yaml", OVERLAYS / "logs-otlp.yaml"),
    "gateway": (GATEWAY,),
}
VARIABLE = re.compile(r"\$\{env:(\w+)(?::-([^}]*))?\}")


def validate(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [collector_program(), "validate", *(f"--config={file}" for file in files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("files", COMBINATIONS.values(), ids=COMBINATIONS)
def test_the_collector_takes_every_combination_as_it_is(files: tuple[Path, ...]):
    done = validate(*files)
    assert done.returncode == 0, done.stderr


def test_a_misspelled_setting_is_refused(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(CONFIGURATION.read_text().replace("decision_wait", "decision_weight"))
    done = validate(wrong)
    assert done.returncode != 0
    assert "decision_weight" in done.stderr


def test_the_load_balancer_differs_from_what_can_be_run_by_its_exporter_alone(tmp_path):
    """The exporter cannot be built here; with another in its place the rest of the file is valid."""
    document = yaml.safe_load(BALANCER.read_text())
    refused = validate(BALANCER)
    assert refused.returncode != 0
    assert re.findall(r'unknown type: "(\w+)"', refused.stderr) == ["load_balancing"]
    document["exporters"] = dict.fromkeys(document["exporters"])
    text = yaml.safe_dump(document).replace("load_balancing/", "debug/")
    stand_in = tmp_path / "stand-in.yaml"
    stand_in.write_text(text)
    assert validate(stand_in).returncode == 0, validate(stand_in).stderr


def test_the_gateway_hides_and_keeps_what_the_single_collector_does():
    single, gateway = (yaml.safe_load(VARIABLE.sub("", file.read_text())) for file in (CONFIGURATION, GATEWAY))
    for processor in ("redaction", "transform/content", "transform/schema_url"):
        assert gateway["processors"][processor] == single["processors"][processor]
    assert gateway["processors"]["tail_sampling"]["policies"] == single["processors"]["tail_sampling"]["policies"]
    for pipeline in ("traces", "logs"):
        assert "redaction" in gateway["service"]["pipelines"][pipeline]["processors"]


@pytest.mark.parametrize("file", [*sorted(OVERLAYS.glob("*.yaml")), CONFIGURATION], ids=lambda file: file.name)
def test_every_variable_has_a_default_and_is_described(file: Path):
    text = file.read_text()
    header = text[: text.index("\n\n")]
    used = dict(VARIABLE.findall(text))
    assert all(used.values()), used
    described = re.sub(r"# (COLLECTOR_\w+), (_\w+) ", lambda m: f"# {m[1]} {m[1].rpartition('_')[0]}{m[2]} ", header)
    assert sorted(name for name in used if name not in described) == []
    assert sorted(name for name, default in used.items() if default not in header) == []


def test_the_collector_of_the_tests_has_the_components_that_the_files_name_and_no_others():
    manifest = yaml.safe_load((REPOSITORY / ".ci" / "collector" / "manifest.yaml").read_text())
    built = {
        kind: {_component(entry["gomod"]) for entry in manifest[kind]}
        for kind in ("receivers", "processors", "exporters", "extensions")
    }
    documents = [yaml.safe_load(file.read_text()) for file in (CONFIGURATION, *OVERLAYS.glob("*.yaml"))]
    for kind, components in built.items():
        named = {name.partition("/")[0].replace("_", "") for each in documents for name in each.get(kind, {})}
        assert {_short(name) for name in named} - {"loadbalancing"} == components - {"debug"}, kind


def _component(module: str) -> str:
    return re.sub(r"(receiver|processor|exporter|extension)$", "", module.split()[0].rsplit("/", 1)[1])


def _short(name: str) -> str:
    return {"otlpgrpc": "otlp"}.get(name, name)


def test_versions_of_the_manifest_are_those_of_the_module_file():
    folder = REPOSITORY / ".ci" / "collector"
    manifest: dict[str, Any] = yaml.safe_load((folder / "manifest.yaml").read_text())
    wanted = {entry["gomod"] for kind, entries in manifest.items() if kind != "dist" for entry in entries}
    required = {line.strip().removesuffix(" // indirect") for line in (folder / "go.mod").read_text().splitlines()}
    assert wanted - required == set()
