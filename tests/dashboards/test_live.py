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

SCALE, PATIENCE, PAUSE = 60, 150, 2
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
            try:
                program.wait(timeout=30)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    tmp_path, metrics, prometheus = tmp_path_factory.mktemp("live"), port(), port()
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


def values(url: str, target: reading.Target) -> list[float]:
    """What a query gives now; all of it numbers."""
    moment = int(time.time())
    expr = reading.filled(target.expr, FASTER)
    found = asking.query(url, target.place, expr, asking.Span(moment - 60, moment), instant=True).values
    assert all(map(math.isfinite, found)), target.place
    return found


STAYS_AT_ZERO = {
    "Errors kept from the application": "nothing fails inside us",
    "Errors in this time": "nothing fails inside us",
    "Dropped": "nothing is dropped",
    "Dropped in this time": "nothing is dropped",
    "Text after the stop": "the provider next door is closed before it can send more",
    "Text after the cancel": "as above",
    "Text after each cancel, mean": "as above",
    "Exhausted in": "so many streams are bad that the budget is gone",
    "Soonest exhausted": "as above",
    "Answers longer than a minute": "the demo's answers take seconds",
    "Overflow of the histograms": "as above",
}
"""Panels that say 0 about this traffic, rightly so."""


@pytest.mark.timeout(300)
def test_live_traffic_fills_every_panel_of_every_dashboard(url):
    waiting, deadline = reading.targets(reading.load()), time.monotonic() + PATIENCE
    assert len(waiting) > 100
    while waiting and time.monotonic() < deadline:
        time.sleep(PAUSE)
        with contextlib.suppress(OSError):
            waiting = [target for target in waiting if not values(url, target)]
    assert [target.place for target in waiting] == []


@pytest.mark.timeout(300)
def test_live_traffic_moves_every_panel_but_those_that_rightly_say_zero(url):
    targets, deadline = reading.targets(reading.load()), time.monotonic() + PATIENCE
    still = {(target.board, target.panel["title"]) for target in targets if target.panel["title"] not in STAYS_AT_ZERO}
    while still and time.monotonic() < deadline:
        time.sleep(PAUSE)
        with contextlib.suppress(OSError):
            for target in targets:
                panel = (target.board, target.panel["title"])
                if panel in still and any(values(url, target)):
                    still.remove(panel)
    assert still == set()
