"""The demo's live traffic, scraped by a real Prometheus with the shipped rules at sixty times their speed: panels fill.

What reaches Prometheus here has gone through the real SDKs, the capture and OpenTelemetry's Prometheus exporter: names
and labels are those that users will have.
"""

import contextlib
import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.dashboards import asking, reading
from tests.slo.conftest import find_tools

from streamgauge import slo
from streamgauge.slo import render

SCALE, PATIENCE, PAUSE = 60, 90, 2
FASTER = {
    **reading.FILLED,
    "__rate_interval": "30s",
    "__range": "60s",
    "__interval": "1s",
    "slo": "stream-availability",
}
CONFIG = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules/*.yaml"]}


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(*command: str, cwd: Path) -> Iterator[None]:
    """A program for as long as it is needed."""
    with (cwd / "programs.log").open("ab") as log:
        program = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
        try:
            yield
        finally:
            program.terminate()
            program.wait(timeout=30)


@pytest.fixture
def url(tmp_path) -> Iterator[str]:
    metrics, prometheus = port(), port()
    render.write(render.files(slo.load(), scale=SCALE), tmp_path / "rules")
    jobs = [{"job_name": "chat", "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}]}]
    (tmp_path / "prometheus.yml").write_text(json.dumps({**CONFIG, "scrape_configs": jobs}))
    program = Path(sys.executable).with_name("streamgauge")
    demo = (str(program), "demo", "--serve", "--bad-share", "0.4", "--prometheus-port", str(metrics))
    server = (find_tools(3).prometheus, "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{prometheus}")
    with (
        running(*demo, cwd=tmp_path),
        running(*server, "--storage.tsdb.path=data", cwd=tmp_path),
    ):
        yield f"http://127.0.0.1:{prometheus}"


def answered(url: str, target: reading.Target) -> bool:
    """Whether a query gives something now; what it gives is a number."""
    moment = int(time.time())
    expr = reading.filled(target.expr, FASTER)
    values = asking.query(url, target.place, expr, asking.Span(moment - 60, moment), instant=True).values
    assert all(map(math.isfinite, values)), target.place
    return bool(values)


@pytest.mark.timeout(200)
def test_live_traffic_fills_every_panel_of_every_dashboard(url):
    waiting, deadline = reading.targets(reading.load()), time.monotonic() + PATIENCE
    assert len(waiting) > 100
    while waiting and time.monotonic() < deadline:
        time.sleep(PAUSE)
        with contextlib.suppress(OSError):
            waiting = [target for target in waiting if not answered(url, target)]
    assert [target.place for target in waiting] == []
