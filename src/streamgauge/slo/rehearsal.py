"""A real Prometheus over a replayed month: load history, compute recording rules over it, ask what alerts would have
done.

Paths of the binaries and an OpenMetrics file come in, query results go out. The one place of this room that starts
processes and opens sockets; used by tests and by anybody who wants to see a rule file fire before it is deployed.
"""

import json
import math
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamgauge.errors import StreamgaugeError
from streamgauge.slo.render import as_document, document
from streamgauge.slo.rules import Alert, Group, Rule

POINTS = 10_000
LOOKBACK = 300
_DERIVED = 3
_EMPTY = "global: {}\n"


class RehearsalError(StreamgaugeError):
    """A binary failed, or a query was refused."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that fired: its labels, and from when to when (epoch seconds)."""

    labels: Mapping[str, str]
    start: int
    end: int


class Rehearsal:
    """A Prometheus server over a directory of its own; `with` starts and stops it."""

    def __init__(self, prometheus: str, promtool: str, directory: Path) -> None:
        self._prometheus, self._promtool, self._directory = prometheus, promtool, directory.resolve()
        self._data = self._directory / "data"
        self._data.mkdir(parents=True, exist_ok=True)
        (self._directory / "empty.yml").write_text(_EMPTY, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where the server listens while it runs."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def load(self, openmetrics: Path) -> None:
        """Turn an OpenMetrics file into blocks; the server must not run. Long blocks make this 70 times faster."""
        self._tool("tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=768h", openmetrics, self._data)

    def backfill(self, groups: Iterable[Group], start: int, end: int, coarser: Mapping[str, int] | None = None) -> None:
        """Compute recording rules over history, pass by pass: a rule that reads recorded series needs their blocks
        first.

        `coarser` maps the last part of a group's name (`30d`), or `burn` for what is derived from sums, to an interval
        in seconds that replaces the group's own: a month is long.
        """
        groups = list(groups)
        levels = sorted({rule.level for group in groups for rule in group.rules if isinstance(rule, Rule)})
        for level in levels:
            self._pass(_at_level(groups, level, coarser or {}), start, end)

    def start(self, lookback: int = LOOKBACK) -> None:
        """Start the server and wait until it answers; `lookback` is how many seconds old a sample may be."""
        self._port = _free_port()
        with (self._directory / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the binary that the caller named
                [
                    self._prometheus,
                    f"--config.file={self._directory / 'empty.yml'}",
                    f"--storage.tsdb.path={self._data}",
                    "--storage.tsdb.retention.time=400d",
                    "--query.max-samples=500000000",
                    f"--query.lookback-delta={lookback}s",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        for _ in range(300):
            if self._ready():
                return
            time.sleep(0.05)
        raise RehearsalError((self._directory / "prometheus.log").read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def query(self, expr: str, at: float) -> list[dict[str, Any]]:
        """Result vector of an instant query."""
        result: list[dict[str, Any]] = self._ask("query", {"query": expr, "time": f"{at}"})["result"]
        return result

    def value(self, expr: str, at: float) -> float:
        """The value of a query that gives exactly one sample."""
        result = self.query(expr, at)
        if len(result) != 1:
            raise RehearsalError(f"{len(result)} samples instead of one: {expr}")
        return float(result[0]["value"][1])

    def query_range(
        self, expr: str, start: int, end: int, step: int = 60
    ) -> list[tuple[dict[str, str], dict[int, float]]]:
        """Labels and samples by epoch second of every series, asked in pieces below the server's cap on points."""
        merged: dict[str, tuple[dict[str, str], dict[int, float]]] = {}
        for begin in range(start, end + 1, POINTS * step):
            last = min(begin + (POINTS - 1) * step, end)
            asked = self._ask("query_range", {"query": expr, "start": str(begin), "end": str(last), "step": str(step)})
            for series in asked["result"]:
                key = json.dumps(series["metric"], sort_keys=True)
                samples = merged.setdefault(key, (series["metric"], {}))[1]
                samples.update((int(at), float(value)) for at, value in series["values"])
        return list(merged.values())

    def firings(self, alert: Alert, start: int, end: int, step: int = 60) -> list[Firing]:
        """When the alert would have fired: its expression over time, with `for` applied."""
        found = []
        for labels, samples in self.query_range(alert.expr, start, end, step):
            own = {**{name: value for name, value in labels.items() if name != "__name__"}, **alert.labels}
            for first, last in _stretches(sorted(samples), step):
                if last - first >= alert.pending:
                    found.append(Firing(own, first + alert.pending, last))
        return found

    def _pass(self, groups: list[Group], start: int, end: int) -> None:
        output = Path(tempfile.mkdtemp(dir=self._directory))
        # every group is evaluated at an offset of its own, up to its interval away from what it reads
        self.start(max(LOOKBACK, *(group.interval + 60 for group in groups)))
        try:
            for number, group in enumerate(groups):
                # a group's offset is a hash of its name and its file's path: named alike, every run computes the same
                rules = self._directory / f"pass-{number}.yaml"
                rules.write_text(document(as_document([group])), encoding="utf-8")
                hours = max(2, math.floor(POINTS * group.interval / 3_600))
                sizes = (f"--max-block-duration={hours}h", f"--eval-interval={group.interval}s")
                range_ = (f"--url={self.url}", f"--start={start}", f"--end={end}")
                self._tool("tsdb", "create-blocks-from", "rules", *sizes, *range_, f"--output-dir={output}", rules.name)
        finally:
            self.stop()
        for block in output.iterdir():
            shutil.move(str(block), self._data / block.name)

    def _tool(self, *arguments: str | Path) -> None:
        command = [self._promtool, *(str(argument) for argument in arguments)]
        done = subprocess.run(  # noqa: S603 - as above
            command, capture_output=True, text=True, check=False, cwd=self._directory
        )
        if done.returncode:
            raise RehearsalError(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _ask(self, endpoint: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        data = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{endpoint}", data=data, timeout=100) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)["data"]
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise RehearsalError(f"{parameters['query']}: {error.read().decode(errors='replace')}") from error


def _at_level(groups: Iterable[Group], level: int, coarser: Mapping[str, int]) -> list[Group]:
    chosen = []
    for group in groups:
        rules = tuple(rule for rule in group.rules if isinstance(rule, Rule) and rule.level == level)
        derived = coarser.get("burn", 0) if level >= _DERIVED else 0
        interval = max(derived, coarser.get(group.name.rsplit("-", 1)[-1], group.interval))
        if rules:
            chosen.append(replace(group, rules=rules, interval=interval))
    return chosen


def _stretches(times: list[int], step: int) -> Iterable[tuple[int, int]]:
    """First and last moment of every unbroken run."""
    begin = 0
    for index in range(1, len(times) + 1):
        if index == len(times) or times[index] - times[index - 1] > step:
            yield times[begin], times[index - 1]
            begin = index


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
