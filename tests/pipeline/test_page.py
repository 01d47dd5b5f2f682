"""From a broken stream to a page and back: SDK, collector, Prometheus, generated rules, Alertmanager, webhook.

Every duration of rules and routes is divided by 60, by the generators themselves; all else is what is shipped.
"""

import json
import sys
from pathlib import Path

import pytest
from tests.pipeline.conftest import SETTINGS
from tests.pipeline.test_stack import STACK
from tests.pipeline.tools import (
    Application,
    Collector,
    Process,
    Prometheus,
    eventually,
    free_port,
    get,
    prometheus_program,
)

from streamgauge import slo
from streamgauge.slo import alertmanager, render

pytestmark = pytest.mark.timeout(300)

SCALE = 60
PAGE = "pager    {:8} StreamErrorBudgetBurn chat/stream-availability"


def configured(directory: Path, collector: Collector, alerts: int) -> Path:
    """A Prometheus configuration with the generated rules of the default objectives, scaled."""
    objectives = slo.loads(slo.default_text())
    for name, text in render.files(objectives, scale=SCALE).items():
        (directory / name).write_text(text)
    quick = "500ms"
    document = {
        "global": {"scrape_interval": quick, "evaluation_interval": quick},
        "rule_files": [str(directory / "recording.yaml"), str(directory / "alerts.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "streamgauge",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{collector.ports['prometheus']}"]}],
            }
        ],
    }
    file = directory / "prometheus.yml"
    file.write_text(json.dumps(document))
    return file


def alerting(directory: Path, port: int, inbox: int) -> Process:
    """An Alertmanager with the generated routes, scaled."""
    file = directory / "alertmanager.yml"
    file.write_text(alertmanager.text(f"http://127.0.0.1:{inbox}", scale=SCALE))
    command = [
        prometheus_program("prometheus-alertmanager"),
        f"--config.file={file}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return Process(command, directory, {})


def test_broken_streams_page_somebody_and_healthy_ones_end_the_page(tmp_path):
    mail, alerts = free_port(), free_port()
    with (
        Process([sys.executable, str(STACK / "inbox" / "inbox.py"), str(mail)], tmp_path, {}) as inbox,
        alerting(tmp_path, alerts, mail),
        Collector(tmp_path / "collector") as collector,
        Prometheus(
            tmp_path / "prometheus",
            "--rules.alert.resend-delay=1s",
            configuration=configured(tmp_path, collector, alerts),
        ) as prometheus,
        Application(tmp_path / "application", collector.endpoint, **SETTINGS) as application,
    ):
        eventually(lambda: get(f"http://127.0.0.1:{alerts}/-/ready"))
        application.order("read", faults=["healthy"] * 5)
        eventually(lambda: prometheus.query("sum(streamgauge_slo_events_total)"))

        def told_while(fault: str) -> str:
            application.order("read", faults=[fault] * 10)
            return inbox.log.read_text()

        eventually(lambda: told_while("truncated"), lambda text: PAGE.format("firing") in text)
        eventually(lambda: told_while("healthy"), lambda text: PAGE.format("resolved") in text)
