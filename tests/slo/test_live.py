"""Layer C: sixty times faster than life. The demo's streams, scraped by a real Prometheus and paged by Alertmanager.

The very generator that makes the shipped rules divides every duration by 60. The fault is a second process whose
streams are cut off politely behind a status of 200; switching it on and off is starting and stopping it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamgauge import slo
from streamgauge.slo import alertmanager, alerts, render, rules

SCALE = 60
FILE = """
service: live
owner: tests
runbooks: https://runbooks.example.com
objectives:
  - {name: streams-end-well, kind: availability, target: 99}
  - {name: http-status, kind: http_status, target: 99.9}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def asked(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def served(port: int) -> bool:
    """Whether a process answers scrapes."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return b"streamgauge_slo_events" in answer.read()
    except OSError:
        return False


def until(what: str, found: Callable[[], Any], seconds: float = 90) -> Any:
    """The first truthy value of `found`; it is an error when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"not in {seconds} s: {what}")


class Received(ThreadingHTTPServer):
    """A webhook that keeps what Alertmanager sends, by receiver, with the second of arrival."""

    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[tuple[str, float, dict[str, Any]]] = []
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.messages.append((self.path.strip("/"), time.monotonic(), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def alerts(self, receiver: str, status: str) -> list[tuple[float, dict[str, Any]]]:
        told = [(at, each) for place, at, body in list(self.messages) if place == receiver for each in body["alerts"]]
        return [(at, each) for at, each in told if each["status"] == status]


@contextmanager
def webhook() -> Iterator[Received]:
    with Received() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(*command: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def traffic(port: int, directory: Path, *faults: str) -> Any:
    """A process whose streams are measured and scraped; the one place that knows where streams come from."""
    command = (*_STREAMGAUGE, "demo", "--serve", "--prometheus-port", str(port), *faults)
    return running(*command, log=directory / f"traffic-{port}.log", STREAMGAUGE_SLO_FILE=str(directory / "slo.yaml"))


_STREAMGAUGE = (sys.executable, "-c", "from streamgauge.cli import main; main()")


def configured(directory: Path, targets: list[int], alertmanager_port: int, webhook_port: int) -> None:
    """Everything that a user would have written or generated, in one directory."""
    (directory / "slo.yaml").write_text(FILE)
    render.write(render.files(slo.loads(FILE), scale=SCALE), directory / "rules")
    (directory / "alertmanager.yml").write_text(alertmanager.text(f"http://127.0.0.1:{webhook_port}", SCALE))
    prometheus = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(directory / "rules" / "*.yaml")],
        "scrape_configs": [
            {"job_name": "demo", "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in targets]}]}
        ],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]},
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(prometheus))


@pytest.mark.timeout(420)
def test_a_fault_pages_within_seconds_mutes_its_ticket_and_resolves(tools, tmp_path):
    healthy, faulty, prometheus, pager = (free_port() for _ in range(4))
    with ExitStack() as stack:
        hook = stack.enter_context(webhook())
        configured(tmp_path, [healthy, faulty], pager, hook.server_port)
        tools.run(tools.amtool, "check-config", tmp_path / "alertmanager.yml")
        stack.enter_context(traffic(healthy, tmp_path, "--bad-share", "0"))
        until("its metrics", lambda: served(healthy))  # ten seconds without them are ten minutes here, and page
        stack.enter_context(
            running(
                tools.alertmanager,
                f"--config.file={tmp_path / 'alertmanager.yml'}",
                f"--storage.path={tmp_path / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{pager}",
                "--cluster.listen-address=",
                log=tmp_path / "alertmanager.log",
            )
        )
        stack.enter_context(
            running(
                tools.prometheus,
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{prometheus}",
                "--rules.alert.resend-delay=1s",
                log=tmp_path / "prometheus.log",
            )
        )

        def value(metric: str, **labels: str) -> float:
            inside = ",".join(f'{name}="{label}"' for name, label in labels.items())
            query = urllib.parse.urlencode({"query": f"{metric}{{{inside}}}"})
            answer = asked(f"http://127.0.0.1:{prometheus}/api/v1/query?{query}")
            result = answer["data"]["result"] if answer else []
            return float(result[0]["value"][1]) if result else 0.0

        until("healthy traffic", lambda: value(rules.TOTAL, slo="streams-end-well", window="1h") >= 30)
        good = value(rules.TOTAL, slo="streams-end-well", window="1h") - value(
            rules.BAD, slo="streams-end-well", window="1h"
        )
        assert good >= 25  # on a machine that has no time for them, streams stall in truth
        assert hook.messages == []

        fault = stack.enter_context(traffic(faulty, tmp_path, "--faults", "truncated", "--bad-share", "1"))
        until("the fault is measured", lambda: value(rules.BAD, slo="streams-end-well", window="5m") > 0)
        began = time.monotonic()
        at, page = until("a page", lambda: hook.alerts("pager", "firing"))[0]
        assert page["labels"] == {
            "alertname": alerts.BURN, "severity": "page", "slo": "streams-end-well", "service": "live",
            "owner": "tests",
        }  # fmt: skip
        assert page["annotations"]["cause"].startswith("outcome-truncated (")
        assert page["annotations"]["cause_runbook_url"] == "https://runbooks.example.com/outcome-truncated.md"
        assert "unknown" not in page["annotations"]["description"]
        assert value(rules.BURN_RATE, slo="http-status", window="1h") == 0

        def suppressed() -> list[Any]:
            found = asked(f"http://127.0.0.1:{pager}/api/v2/alerts?inhibited=true&active=false") or []
            return [each for each in found if each["labels"]["severity"] == "ticket" and each["status"]["inhibitedBy"]]

        assert until("the ticket, muted by the page", suppressed)
        assert hook.alerts("tickets", "firing") == []

        stop(fault)
        ended = time.monotonic()
        resolved, _ = until("the page resolves", lambda: hook.alerts("pager", "resolved"))[0]
        assert all(told >= ended for told, _ in hook.alerts("tickets", "firing"))
        print(f"\npaged {at - began:.1f} s after the fault, resolved {resolved - ended:.1f} s after its end")
