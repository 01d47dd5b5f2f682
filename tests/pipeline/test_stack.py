"""The example stack: every file of it read by the tool that would read it, and its parts fit each other."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.sdk import environment_variables
from tests.pipeline.conftest import Run
from tests.pipeline.test_arrival import series_of
from tests.pipeline.test_configuration import VARIABLE, validate
from tests.pipeline.tools import (
    CONFIGURATION,
    REPOSITORY,
    Collector,
    Process,
    Prometheus,
    eventually,
    free_port,
    get,
    program,
    prometheus_program,
)

import streamgauge
from streamgauge import names, slo
from streamgauge.ledger import EffectState, Ledger
from streamgauge.ledger.current import VARIABLE as LEDGER_URL
from streamgauge.settings import PREFIX

STACK = REPOSITORY / "examples" / "stack"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file as the library of `docker compose` reads and resolves it."""
    reader = program("compose", "collector", ".ci/collector/build.sh .ci/cache")
    done = subprocess.run([reader, "-format", "json", "compose.yaml"], capture_output=True, text=True, cwd=STACK)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def mounted(compose: dict[str, Any], service: str, into: Path) -> Path:
    """The files of a service as it sees them: `into` stands for the root of its file system."""
    for volume in compose["services"][service]["volumes"]:
        target = into / volume["target"].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if volume["type"] == "bind":
            copy = shutil.copytree if Path(volume["source"]).is_dir() else shutil.copy
            copy(volume["source"], target)
    return into


def test_the_stack_has_all_its_parts_and_listens_on_this_machine_only(compose):
    parts = {"grafana", "prometheus", "alertmanager", "collector", "tempo", "postgres", "demo", "agent"}
    assert parts <= compose["services"].keys()
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_a_compose_file_with_a_wrong_key_is_refused(tmp_path):
    reader = program("compose", "collector", ".ci/collector/build.sh .ci/cache")
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((STACK / "compose.yaml").read_text().replace("depends_on:", "depending_on:", 1))
    done = subprocess.run([reader, wrong], capture_output=True, text=True)
    assert done.returncode != 0
    assert "depending_on" in done.stderr


def test_everything_that_is_mounted_or_copied_is_in_the_repository(compose):
    sources = [
        Path(volume["source"])
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    dockerfile = (STACK / "demo" / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
        sources += [REPOSITORY / each for each in line.split()]
    assert len(sources) > 12
    assert [str(source) for source in sources if not source.exists()] == []


def test_the_collector_takes_its_settings(compose, monkeypatch):
    settings = compose["services"]["collector"]["environment"]
    known = {name for name, _ in VARIABLE.findall(CONFIGURATION.read_text())}
    assert settings.keys() - known == set()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    done = validate(CONFIGURATION)
    assert done.returncode == 0, done.stderr


def test_every_variable_of_the_traffic_is_one_that_somebody_reads(compose):
    ours = {f"{PREFIX}{field.name.upper()}" for field in dataclasses.fields(streamgauge.Settings)} | {LEDGER_URL}
    standard = {value for name, value in vars(environment_variables).items() if name.startswith("OTEL_")}
    for traffic in ("demo", "agent"):
        settings = compose["services"][traffic]["environment"]
        assert settings.keys() - ours - standard == set()


def test_every_variable_of_grafana_is_read(compose):
    settings = compose["services"]["grafana"]["environment"]
    sources = (REPOSITORY / "dashboards/grafana/provisioning/datasources/streamgauge.yaml").read_text()
    unread = [name for name in settings if not name.startswith("GF_") and f"${name}\n" not in sources]
    assert unread == []
    sections = {"AUTH_ANONYMOUS", "DASHBOARDS"}  # GF_<SECTION>_<KEY> of its grafana.ini
    assert {name for name in settings if name.startswith("GF_") and not name[3:].startswith(tuple(sections))} == set()


def test_the_service_of_the_slo_file_is_the_job_of_all_telemetry(compose):
    service = slo.load().service
    for traffic in ("demo", "agent"):
        assert compose["services"][traffic]["environment"]["OTEL_SERVICE_NAME"] == service
    (job,) = yaml.safe_load((STACK / "prometheus" / "local.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == service
    (behind,) = (
        job
        for job in yaml.safe_load((STACK / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
        if job["job_name"] == "streamgauge"
    )
    assert behind["honor_labels"] is True  # else the name of the scrape job would hide the service


@pytest.mark.parametrize("major", [2, 3])
def test_promtool_takes_the_configuration_as_the_container_sees_it(compose, tmp_path, major):
    root = mounted(compose, "prometheus", tmp_path)
    promtool = prometheus_program("promtool", major)
    done = subprocess.run(
        [promtool, "check", "config", root / "etc/prometheus/prometheus.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rule files found" in done.stdout + done.stderr


@pytest.mark.parametrize("major", [2, 3])
def test_amtool_takes_the_configuration_of_alertmanager(compose, tmp_path, major):
    root = mounted(compose, "alertmanager", tmp_path)
    amtool = prometheus_program("amtool", major)
    done = subprocess.run(
        [amtool, "check-config", root / "etc/alertmanager/alertmanager.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_and_the_collector_find_each_other(compose):
    scraped = {
        target
        for job in yaml.safe_load((STACK / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    hosts = {target.partition(":")[0] for target in scraped} - {"localhost"}
    assert hosts <= compose["services"].keys()
    served = compose["services"]["collector"]["environment"]["COLLECTOR_PROMETHEUS"].rpartition(":")[2]
    assert f"collector:{served}" in scraped
    for traffic in ("demo", "agent"):
        settings = compose["services"][traffic]["environment"]
        assert settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def test_grafana_finds_its_dashboards_and_sources(compose, tmp_path):
    root = mounted(compose, "grafana", tmp_path)
    settings = compose["services"]["grafana"]["environment"]
    home = root / settings["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].lstrip("/")
    assert json.loads(home.read_text())["title"]
    sources = yaml.safe_load((root / "etc/grafana/provisioning/datasources/streamgauge.yaml").read_text())
    for source in sources["datasources"]:
        assert source["url"].lstrip("$") in settings, source["name"]
    providers = yaml.safe_load((root / "etc/grafana/provisioning/dashboards/streamgauge.yaml").read_text())
    for provider in providers["providers"]:
        assert list((root / provider["options"]["path"].lstrip("/")).glob("*.json"))


def test_tempo_listens_where_the_collector_and_grafana_look(compose):
    tempo = yaml.safe_load((STACK / "tempo" / "tempo.yaml").read_text())
    port = tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].rpartition(":")[2]
    assert compose["services"]["collector"]["environment"]["COLLECTOR_TRACES_ENDPOINT"] == f"tempo:{port}"
    query = f"http://tempo:{tempo['server']['http_listen_port']}"
    assert compose["services"]["grafana"]["environment"]["TEMPO_URL"] == query


def test_alerts_about_the_collector_read_what_it_tells_of_itself(run: Run):
    rules = yaml.safe_load((STACK / "prometheus" / "collector-alerts.yaml").read_text())["groups"][0]["rules"]
    told = series_of(get(f"http://127.0.0.1:{run.collector.ports['telemetry']}/metrics"))
    for rule in rules:
        plain = re.findall(r"\b(otelcol_\w+)(?!\w*\|)", re.sub(r'__name__=~"[^"]*"', "", rule["expr"]))
        patterns = re.findall(r'__name__=~"([^"]*)"', rule["expr"])
        assert [name for name in plain if name not in told] == [], rule["alert"]
        for pattern in patterns:
            if "receiver" in pattern:  # failures to send have no series before the first one
                assert [name for name in told if re.fullmatch(pattern, name)], rule["alert"]


def test_the_agent_leaves_effects_and_reconciliations_of_several_kinds(tmp_path):
    environment = {
        "STREAMGAUGE_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
        "OTEL_SERVICE_NAME": "agent",
    }
    agent = [sys.executable, str(STACK / "demo" / "agent.py"), "21", "0"]
    with Collector(tmp_path / "collector") as collector:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
        with Process(agent, tmp_path, environment) as running:
            assert running.process.wait(100) == 0, running.log.read_text()
        eventually(
            lambda: left_by_the_agent(collector.scrape()),
            lambda left: left["partial_commit"] == 3 and left["consistent"] >= 15 and left["unknown booking"] == 1,
        )


def test_the_agent_that_is_told_to_end_reconciles_what_it_did(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    agent = [sys.executable, str(STACK / "demo" / "agent.py"), "0", "0"]
    with (
        Process(agent, tmp_path, {"STREAMGAUGE_LEDGER_URL": url, "OTEL_SDK_DISABLED": "true"}) as running,
        Ledger(url) as ledger,
    ):
        eventually(ledger.entries, lambda entries: len(entries) > 12)
        running.process.terminate()
        assert running.process.wait(30) == 0, running.log.read_text()
        entries = ledger.entries()
        # told amid a tool, or a booking is still looked for
        open_ = {entry.stream_ref for entry in entries if not entry.settled}
        done = {entry.stream_ref for entry in entries if entry.state == EffectState.COMMITTED} - open_
        assert len(done) > 3
        assert done <= {record["stream"] for record in ledger.reconciliations()}


def left_by_the_agent(text: str) -> Counter[str]:
    """Reconciliations by verdict, and bookings of which nobody knows whether they happened."""
    told = re.findall(r'streamgauge_reconciliations_total{.*verdict="(\w+)"} (\d+)', text)
    unknown = re.findall(r'streamgauge_effects_total{.*class="booking".*state="(unknown)"} (\d+)', text)
    counts = [*told, *((f"{state} booking", count) for state, count in unknown)]
    return Counter({name: int(count) for name, count in counts})


def test_the_inbox_prints_a_line_for_each_alert(tmp_path):
    port = free_port()
    alert = {
        "status": "firing",
        "labels": {"alertname": "StreamErrorBudgetBurn", "service": "chat", "slo": "stream-availability"},
        "annotations": {"summary": "5% of chat streams do not end as they should"},
    }
    with Process([sys.executable, str(STACK / "inbox" / "inbox.py"), str(port)], tmp_path, {}) as inbox:
        eventually(inbox.log.read_text, lambda text: "waiting" in text)
        body = json.dumps({"alerts": [alert]}).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/pager", body), timeout=10
        ) as answer:
            assert answer.status == 204
        line = "pager    firing   StreamErrorBudgetBurn chat/stream-availability: 5% of chat streams"
        eventually(inbox.log.read_text, lambda text: line in text)
        inbox.process.terminate()
        assert inbox.process.wait(10) == 0


def test_without_containers_the_demo_fills_a_prometheus_on_the_shipped_configuration(tmp_path):
    port = free_port()
    local = (STACK / "prometheus" / "local.yaml").read_text()
    assert "127.0.0.1:9464" in local
    configuration = tmp_path / "local.yaml"
    adapted = local.replace("9464", str(port)).replace("../../..", str(REPOSITORY)).replace("15s", "1s")
    configuration.write_text(adapted)
    demo = [str(Path(sys.executable).with_name("streamgauge")), "demo", "--serve", "--prometheus-port", str(port)]
    with (
        Process(demo, tmp_path, {}),
        Prometheus(tmp_path / "prometheus", configuration=configuration) as prometheus,
    ):
        eventually(lambda: prometheus.query("sum(streamgauge_streams_total) > 20"))
        eventually(lambda: prometheus.query(f"sum(rate({names.SLO_EVENTS.prometheus}[1m])) > 0"))
        assert {found["metric"]["job"] for found in prometheus.query("streamgauge_streams_total")} == {"chat"}
        rules = prometheus.ask("rules")["groups"]
        assert {group["file"].rpartition("/")[2] for group in rules} == {"recording.yaml", "alerts.yaml"}
        assert [rule for group in rules for rule in group["rules"] if rule["health"] == "err"] == []
        ours = set(prometheus.ask("label/__name__/values")) & {metric.prometheus for metric in names.METRICS}
        assert names.STREAMS.prometheus in ours
