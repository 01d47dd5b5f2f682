"""The committed files are what the generator writes, byte for byte; the command says so."""

import json
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.dashboards.reading import OUTPUT

from streamgauge import dashboards
from streamgauge.cli import main
from streamgauge.errors import ConfigError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["dashboards", *map(str, arguments)])


@pytest.fixture
def written(tmp_path):
    dashboards.write(dashboards.files(), tmp_path)
    return tmp_path


def test_the_committed_files_are_the_generated_ones():
    assert dashboards.drift(dashboards.files(), OUTPUT) == [], "run: streamgauge dashboards --out dashboards/grafana"


def test_two_processes_write_the_same_bytes():
    code = "import hashlib, streamgauge.dashboards as d; print(hashlib.sha256(repr(d.files()).encode()).hexdigest())"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda out: (out / "streams.json").unlink(), "missing: streams.json"),
        (lambda out: (out / "old.json").write_text("{}"), "stray: old.json"),
        (lambda out: (out / "provisioning" / "x.yaml").write_text(""), "stray: provisioning/x.yaml"),
        (lambda out: (out / "effects.json").write_text("{}"), "changed: effects.json"),
    ],
)
def test_check_names_what_drifted(written, change, said):
    assert run("--check", written).exit_code == 0
    change(written)
    result = run("--check", written)
    assert (result.exit_code, result.output.strip()) == (1, said)


def test_out_writes_what_check_accepts(tmp_path):
    assert run("--out", tmp_path / "new").exit_code == 0
    assert run("--check", tmp_path / "new").exit_code == 0


def test_list_names_the_five_dashboards():
    lines = run("--list").output.splitlines()
    assert [line.split()[0] for line in lines] == [
        "slo-overview.json", "slo-detail.json", "streams.json", "effects.json", "compare.json",
    ]  # fmt: skip


def test_the_datasource_is_the_one_asked_for(tmp_path):
    run("--out", tmp_path, "--datasource", "mimir-eu")
    variables = json.loads((tmp_path / "streams.json").read_text())["templating"]["list"]
    assert variables[0]["current"] == {"text": "mimir-eu", "value": "mimir-eu"}
    sources = yaml.safe_load((tmp_path / "provisioning" / "datasources" / "streamgauge.yaml").read_text())
    assert sources["datasources"][0]["uid"] == "mimir-eu"


def test_the_schema_version_is_the_one_asked_for():
    texts = dashboards.files(dashboards.Options(schema_version=40))
    assert {json.loads(text)["schemaVersion"] for name, text in texts.items() if name.endswith(".json")} == {40}


def test_a_schema_version_that_grafana_would_migrate_is_refused():
    with pytest.raises(ConfigError, match=r"schema_version=12 .*expected 39 to 42"):
        dashboards.Options(schema_version=12)
    result = run("--list", "--schema-version", "12")
    assert (result.exit_code, "39 to 42" in result.output) == (2, True)


def test_without_anything_to_do_the_command_says_what_it_needs():
    result = run()
    assert (result.exit_code, "--out, --check and --list" in result.output) == (2, True)


def test_runbooks_lead_where_the_user_keeps_them():
    texts = dashboards.files(dashboards.Options(runbooks="https://wiki.example/runbooks"))
    assert "https://wiki.example/runbooks/UnreconciledSideEffects.md" in texts["effects.json"]


def test_provisioning_is_yaml_that_names_folder_and_sources():
    files = dashboards.files()
    provider = yaml.safe_load(files["provisioning/dashboards/streamgauge.yaml"])["providers"][0]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    sources = yaml.safe_load(files["provisioning/datasources/streamgauge.yaml"])["datasources"]
    assert [(source["type"], source["uid"]) for source in sources] == [("prometheus", "prometheus"), ("tempo", "tempo")]
