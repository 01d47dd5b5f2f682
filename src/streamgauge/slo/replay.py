"""A synthetic month of telemetry as OpenMetrics text, for proving rules, alerts and dashboard queries on real
binaries.

Scenarios come in (so many streams a minute, these faults then), lines come out: one series after the other, each in
time order, as `promtool tsdb create-blocks-from openmetrics` wants them. Series are spelled as one of the two ways
into Prometheus spells them. Deterministic: the same month is the same bytes.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import EnumMeta
from pathlib import Path
from typing import Any

from streamgauge import names
from streamgauge.names import Metric
from streamgauge.slo import promql

Rate = Callable[[int], float]
"""Events in the minute that has this number, counted from the start of the month."""

MINUTES_A_DAY = 1_440


@dataclass(frozen=True, slots=True)
class Spelling:
    """How series arrive: labels that the way adds, and whether a bound of one second reads `1` or `1.0`."""

    labels: Mapping[str, str]
    whole_bounds: bool

    def bound(self, value: float) -> str:
        """The value of `le`."""
        if math.isinf(value):
            return "+Inf"
        return promql.number(value) if self.whole_bounds else repr(float(value))


EXPORTER = Spelling({"job": "chat", "instance": "10.0.0.1:9464"}, whole_bounds=False)
COLLECTOR = Spelling(
    {
        "job": "chat",
        "instance": "chat-1",
        "otel_scope_name": names.SCOPE,
        "otel_scope_version": names.SCHEMA_VERSION,
        "otel_scope_schema_url": names.SCHEMA_URL,
    },
    whole_bounds=True,
)


@dataclass(frozen=True, slots=True)
class Month:
    """When the telemetry was written: `start` in epoch seconds, so many days, a sample each minute."""

    start: int
    days: float = 31

    @property
    def minutes(self) -> int:
        """Number of samples of a series that lives all month."""
        return int(self.days * MINUTES_A_DAY)

    @property
    def end(self) -> int:
        """Epoch seconds of the last sample."""
        return self.start + (self.minutes - 1) * 60

    def at(self, day: float) -> int:
        """Epoch seconds of a moment, in days from the start."""
        return self.start + int(day * MINUTES_A_DAY) * 60


@dataclass(frozen=True, slots=True)
class Series:
    """One time series, a sample `every` so many minutes: cumulative when it counts, alive from minute `born` until
    `gone`; `resets` are the minutes of restarts.
    """

    metric: str
    kind: str
    suffix: str
    labels: Mapping[str, str]
    rate: Rate
    counts: bool = True
    born: int = 0
    gone: int | None = None
    resets: tuple[int, ...] = ()
    every: int = 1

    def lines(self, month: Month) -> Iterator[str]:
        """The samples as OpenMetrics lines."""
        prefix = f"{promql.selector(self.metric + self.suffix, promql.equals(self.labels))} "
        end, level = self.gone if self.gone is not None else month.minutes, 0.0
        for minute in range(self.born, end):
            if minute in self.resets:
                level = 0.0
            value = self.rate(minute)
            if self.counts and minute > self.born:
                level += value
            if minute % self.every:
                continue
            yield f"{prefix}{math.floor(level + 1e-9) if self.counts else value} {month.start + minute * 60}\n"


def write(series: Iterable[Series], month: Month, path: Path) -> int:
    """Write all series to `path`, family by family; returns the number of samples."""
    samples = 0
    with path.open("w", encoding="utf-8") as file:
        ordered = sorted(series, key=lambda each: each.metric)
        for (family, kind), members in itertools.groupby(ordered, key=lambda each: (each.metric, each.kind)):
            file.write(f"# TYPE {family} {kind}\n")
            for each in members:
                for line in each.lines(month):
                    file.write(line)
                    samples += 1
        file.write("# EOF\n")
    return samples


def counter(metric: Metric, labels: Mapping[str, str], rate: Rate, spelling: Spelling = EXPORTER) -> Series:
    """A counter's series; attributes become labels."""
    return Series(metric.prometheus.removesuffix("_total"), "counter", "_total", _labels(labels, spelling), rate)


def gauge(metric: Metric, labels: Mapping[str, str], value: Rate, spelling: Spelling = EXPORTER) -> Series:
    """A gauge's series."""
    return Series(metric.prometheus, "gauge", "", _labels(labels, spelling), value, counts=False)


def histogram(
    metric: Metric,
    labels: Mapping[str, str],
    rate: Rate,
    median: float,
    spelling: Spelling = EXPORTER,
    bounds: tuple[float, ...] = (),
) -> list[Series]:
    """A histogram's buckets, count and sum, with values spread around `median`."""
    own = _labels(labels, spelling)
    made = [
        Series(
            metric.prometheus,
            "histogram",
            "_bucket",
            {**own, "le": spelling.bound(bound)},
            _scaled(rate, _share(bound, median)),
        )
        for bound in (*(bounds or metric.buckets), math.inf)
    ]
    made.append(Series(metric.prometheus, "histogram", "_count", own, rate))
    made.append(Series(metric.prometheus, "histogram", "_sum", own, _scaled(rate, median * 1.2)))
    return made


def steady(per_minute: float) -> Rate:
    """The same number of events every minute."""
    return lambda _minute: per_minute


def daily(day: float, night: float) -> Rate:
    """`day` events a minute from 07:00 to 23:00, `night` otherwise."""
    return lambda minute: day if 420 <= minute % MINUTES_A_DAY < 1_380 else night


def everything(spelling: Spelling = EXPORTER, slos: Iterable[str] = (), per_minute: float = 30) -> list[Series]:
    """Every metric of `names.METRICS` with all its labels and values, for two providers; `slos` name the verdict
    counters."""
    made: list[Series] = []
    for metric in names.METRICS:
        for number, labels in enumerate(_label_sets(metric, tuple(slos))):
            rate = daily(per_minute / (1 + number % 7), per_minute / 10 / (1 + number % 7))
            if metric.instrument == "histogram":
                made += histogram(metric, labels, rate, _median(metric), spelling)
            elif metric.instrument == "counter":
                made.append(counter(metric, labels, rate, spelling))
            else:
                made.append(gauge(metric, labels, rate, spelling))
    return made


_MODELS = (
    {names.PROVIDER_NAME: "openai", names.REQUEST_MODEL: "model-a", names.SERVER_ADDRESS: "api.openai.example"},
    {names.PROVIDER_NAME: "anthropic", names.REQUEST_MODEL: "model-b", names.SERVER_ADDRESS: "api.anthropic.example"},
)
_FIXED = {
    names.OPERATION_NAME: "chat",
    names.SERVER_PORT: "443",
    names.ERROR_TYPE: "overloaded_error",
    names.TOKEN_MODALITY: "text",
}
_VARIED: Mapping[str, tuple[str, ...]] = {
    names.TOKEN_TYPE: ("input", "output"),
    names.HOOK: ("tap",),
    names.DROP_REASON: ("queue_full",),
    names.EFFECT_CLASS: ("email",),
}


def _label_sets(metric: Metric, slos: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """One attribute varies at a time, so that every value appears and their number stays small."""
    models = _MODELS if names.REQUEST_MODEL in metric.attributes else ({},)
    for model in models:
        base = {name: _first(name, model, slos) for name in metric.attributes}
        yield base
        for name in metric.attributes:
            for value in _values(name, slos)[1:]:
                yield {**base, name: value}


def _first(attribute: str, model: Mapping[str, str], slos: tuple[str, ...]) -> str:
    if attribute == names.RESPONSE_MODEL:
        return model[names.REQUEST_MODEL]
    return model.get(attribute) or _FIXED.get(attribute) or _values(attribute, slos)[0]


def _values(attribute: str, slos: tuple[str, ...]) -> tuple[str, ...]:
    if attribute == names.SLO:
        return slos or ("stream-availability",)
    return _VARIED.get(attribute) or _ENUMS.get(attribute) or ("",)


def _enumerated() -> dict[str, tuple[str, ...]]:
    """Values of the attributes that are closed sets: the enum class has the attribute's last word as its name."""
    classes: dict[str, tuple[Any, ...]] = {
        name.lower(): tuple(cls) for name, cls in vars(names).items() if isinstance(cls, EnumMeta) and len(cls)
    }
    found = {}
    for attribute in {name for metric in names.METRICS for name in metric.attributes}:
        words = attribute.removeprefix("streamgauge.").replace("_", "").split(".")
        for key in ("".join(words), words[-1]):
            if key in classes:
                found[attribute] = tuple(str(value) for value in classes[key])
                break
    return found


_ENUMS = _enumerated()


def _labels(attributes: Mapping[str, str], spelling: Spelling) -> dict[str, str]:
    return {**spelling.labels, **{promql.label(name): str(value) for name, value in attributes.items()}}


def _median(metric: Metric) -> float:
    return metric.buckets[len(metric.buckets) // 2] if metric.buckets else 1.0


def _share(bound: float, median: float) -> float:
    return 1.0 if math.isinf(bound) else 1 / (1 + (median / bound) ** 3) if bound > 0 else 0.0


def _scaled(rate: Rate, factor: float) -> Rate:
    return lambda minute: rate(minute) * factor


@dataclass(frozen=True, slots=True)
class Fault:
    """A share of streams that counts as bad, from minute `start` on for `minutes`."""

    start: int
    minutes: int
    share: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """The verdicts of one objective over a month: traffic, a background share of failures, faults, and accidents."""

    slo: str
    traffic: Rate = field(default_factory=lambda: steady(60))
    background: float = 0.0
    faults: tuple[Fault, ...] = ()
    excluded: Rate | None = None
    gone: int | None = None
    resets: tuple[int, ...] = ()
    bad_born: int = 0
    newcomer: int | None = None

    def bad(self, minute: int) -> float:
        """Bad streams in a minute."""
        share = max(
            (fault.share for fault in self.faults if 0 <= minute - fault.start < fault.minutes), default=self.background
        )
        return self.traffic(minute) * share

    def good(self, minute: int) -> float:
        """Good streams in a minute."""
        return self.traffic(minute) - self.bad(minute)

    def series(self, spelling: Spelling = EXPORTER) -> list[Series]:
        """The verdict counters; a newcomer is a second instance that joins in mid-month with the same traffic."""
        rows: list[tuple[names.Verdict, Rate, int]] = [
            (names.Verdict.GOOD, self.good, 0),
            (names.Verdict.BAD, self.bad, self.bad_born),
        ]
        if self.excluded is not None:
            rows.append((names.Verdict.EXCLUDED, self.excluded, 0))
        made = [self._counter(verdict, rate, born, spelling) for verdict, rate, born in rows]
        if self.newcomer is not None:
            second = Spelling({**spelling.labels, "instance": "10.0.0.2:9464"}, spelling.whole_bounds)
            made += [self._counter(verdict, rate, self.newcomer, second) for verdict, rate, _ in rows[:2]]
        return made

    def _counter(self, verdict: names.Verdict, rate: Rate, born: int, spelling: Spelling) -> Series:
        labels = {names.SLO: self.slo, names.VERDICT: verdict}
        made = counter(names.SLO_EVENTS, labels, rate, spelling)
        return replace(made, born=born, gone=self.gone, resets=self.resets)
