"""The real parts of the pipeline as processes, started on free ports and stopped by their ids."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = REPOSITORY / "otel-collector.yaml"
OVERLAYS = REPOSITORY / "examples" / "collector"
PATIENCE = 60.0

T = TypeVar("T")


def program(name: str, directory: str, how: str) -> str:
    """Path of a binary of the cache or of PATH; without it the test is skipped, or fails where everything must run."""
    cached = REPOSITORY / ".ci" / "cache" / directory
    path = shutil.which(name, path=str(cached)) or shutil.which(name)
    if path is None:
        reason = f"{name} is missing: run {how}"
        if os.environ.get("STREAMGAUGE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def collector_program() -> str:
    return program("otelcol", "collector", ".ci/collector/build.sh .ci/cache")


def prometheus_program(name: str = "prometheus", major: int = 3) -> str:
    return program(name, f"prometheus-{major}/usr/bin", ".ci/prometheus.sh .ci/cache")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def get(url: str) -> str:
    """Body of a page; OSError when there is none."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def eventually(look: Callable[[], T], wanted: Callable[[T], Any] = bool) -> T:
    """What `look` sees once it is as wanted; fails with the last thing seen. Nothing to see yet may be an OSError."""
    deadline, seen = time.monotonic() + PATIENCE, None
    while time.monotonic() < deadline:
        try:
            seen = look()
            if wanted(seen):
                return seen
        except OSError as error:
            seen = error  # type: ignore[assignment]
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE:g} s; last seen: {seen!r:.4000}")


class Process:
    """A program that is running; ended by its own id, its output kept."""

    def __init__(self, command: list[str], directory: Path, environment: Mapping[str, str], **pipes: Any) -> None:
        self.log = directory / f"{Path(command[0]).name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=directory, env={**os.environ, **environment}, stderr=log, **({"stdout": log} | pipes)
            )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Collector(Process):
    """A collector with its own ports; `endpoint` takes OTLP over HTTP, `grpc` over gRPC."""

    def __init__(self, directory: Path, *files: Path, ports: Mapping[str, int] | None = None, **settings: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.ports = dict(
            ports or {name: free_port() for name in ("grpc", "http", "prometheus", "health", "telemetry")}
        )
        command = [collector_program(), *(f"--config={file}" for file in files or (CONFIGURATION,))]
        super().__init__(command, directory, self._environment() | {f"COLLECTOR_{k}": v for k, v in settings.items()})
        eventually(lambda: self.process.poll() or get(f"http://127.0.0.1:{self.ports['health']}/"), self._up)

    def _environment(self) -> dict[str, str]:
        address = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return {
            "COLLECTOR_OTLP_GRPC": address["grpc"],
            "COLLECTOR_OTLP_HTTP": address["http"],
            "COLLECTOR_PROMETHEUS": address["prometheus"],
            "COLLECTOR_HEALTH": address["health"],
            "COLLECTOR_TELEMETRY_PORT": str(self.ports["telemetry"]),
        }

    def _up(self, seen: object) -> bool:
        assert not isinstance(seen, int), f"the collector ended: {self.log.read_text()[-3000:]}"
        return "available" in str(seen)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.ports['grpc']}"

    def scrape(self) -> str:
        """The applications' metrics, as Prometheus would get them."""
        return get(f"http://127.0.0.1:{self.ports['prometheus']}/metrics")

    def own(self, metric: str, **labels: str) -> float:
        """Sum of the samples of one of the collector's own metrics."""
        total = 0.0
        for line in get(f"http://127.0.0.1:{self.ports['telemetry']}/metrics").splitlines():
            if line.startswith(metric) and all(f'{name}="{value}"' in line for name, value in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total

    def pass_on(self, exporter: str) -> None:
        """Wait until an exporter has sent all metric points that came in before now, in however many batches."""
        taken = self.own("otelcol_receiver_accepted_metric_points")
        assert taken > 0
        sent = "otelcol_exporter_sent_metric_points"
        eventually(lambda: self.own(sent, exporter=exporter), lambda seen: seen >= taken)


class Application(Process):
    """The application of `application.py`, sending to a collector."""

    def __init__(self, directory: Path, endpoint: str, **environment: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        standard = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
            "OTEL_SERVICE_NAME": "chat",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
        }
        command = [sys.executable, str(Path(__file__).with_name("application.py"))]
        super().__init__(
            command, directory, standard | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == "ready"

    def order(self, do: str, **what: Any) -> Any:
        """What came of an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the application ended: {self.log.read_text()[-3000:]}"
        return json.loads(line)


class Prometheus(Process):
    """A Prometheus that scrapes what it is told to, every second."""

    def __init__(self, directory: Path, *arguments: str, configuration: Path, major: int = 3) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = [
            prometheus_program(major=major),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *arguments,
        ]
        super().__init__(command, directory, {})
        eventually(lambda: get(f"http://127.0.0.1:{self.port}/-/ready"))

    def ask(self, path: str, **parameters: str | list[str]) -> Any:
        """The data of an answer of its API."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        answer = json.loads(get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """Samples of an expression, now or at a moment in epoch seconds."""
        moment = {} if at is None else {"time": str(at)}
        found: list[dict[str, Any]] = self.ask("query", query=expr, **moment)["result"]
        return found
