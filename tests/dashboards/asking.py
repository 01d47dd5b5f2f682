"""A dashboard's queries put to a real Prometheus as Grafana would: same range, same step, variables filled in."""

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.dashboards.reading import FILLED, Json, Target, filled, label_values

SCRAPE, WIDTH = 60, 500
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True)
class Span:
    """The time that a dashboard shows: from and to in epoch seconds."""

    start: int
    end: int
    least: int = SCRAPE

    @property
    def step(self) -> int:
        """Grafana's step for a panel of middling width."""
        return max(self.least, math.ceil((self.end - self.start) / WIDTH / SCRAPE) * SCRAPE)

    def of(self, panel: Json) -> "Span":
        """The same time, in the steps that the panel asks for."""
        return replace(self, least=max(SCRAPE, seconds(panel["interval"]))) if "interval" in panel else self

    def variables(self) -> dict[str, str]:
        """What Grafana fills in by itself."""
        rate = max(self.step + SCRAPE, 4 * SCRAPE)
        return {"__rate_interval": f"{rate}s", "__range": f"{self.end - self.start}s", "__interval": f"{self.step}s"}


@dataclass
class Answer:
    """What came back: series with their samples, and how many samples Prometheus had to look at."""

    place: str
    expr: str
    result: list[Json] = field(default_factory=list)
    looked_at: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def series(self) -> int:
        return len(self.result)

    @property
    def values(self) -> list[float]:
        """All values of all series."""
        return [float(value) for series in self.result for _, value in series.get("values", [series.get("value")])]


def seconds(duration: str) -> int:
    """Seconds of a Grafana duration."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def span_of(board: Json, end: int) -> Span:
    """The dashboard's own time range, ending at `end`."""
    return Span(end - seconds(board["time"]["from"].removeprefix("now-")), end)


def ask(url: str, target: Target, span: Span, chosen: Mapping[str, str]) -> Answer:
    """One query of one panel."""
    span = span.of(target.panel)
    expr = filled(target.expr, {**FILLED, **span.variables(), **chosen})
    return query(url, target.place, expr, span, instant=target.target["instant"])


def query(url: str, place: str, expr: str, span: Span, *, instant: bool) -> Answer:
    """An instant query at the end of the span, or a range query over it."""
    times = {"time": span.end} if instant else {"start": span.start, "end": span.end, "step": span.step}
    answer = _post(
        f"{url}/api/v1/{'query' if instant else 'query_range'}", {"query": expr, "stats": "all", **times}, place
    )
    looked_at = answer["data"].get("stats", {}).get("samples", {}).get("totalQueryableSamples", 0)
    return Answer(place, expr, answer["data"]["result"], looked_at, tuple(answer.get("warnings", ())))


def values_of(url: str, variable: Json, span: Span, chosen: Mapping[str, str]) -> list[str]:
    """The values that a variable offers."""
    selector, label = label_values(variable["query"])
    asked = {"match[]": filled(selector, {**FILLED, **chosen}), "start": span.start, "end": span.end}
    with urllib.request.urlopen(f"{url}/api/v1/label/{label}/values?{urllib.parse.urlencode(asked)}") as answer:
        found: list[str] = json.load(answer)["data"]
        return found


def _post(url: str, parameters: Mapping[str, object], place: str) -> Any:
    try:
        with urllib.request.urlopen(url, data=urllib.parse.urlencode(parameters).encode(), timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{place}: {error.read().decode()}") from error


def table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> str:
    """Rows as aligned text."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
