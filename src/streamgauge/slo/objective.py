"""What all objectives share: name, target, filter, alerting; one subclass per kind lives in
`streamgauge.slo.objectives`.

A stream report comes in (attributes are only read), a verdict goes out. Nothing here knows files, rules or Prometheus'
text, except that a kind may give a PromQL form of itself for those who keep histograms instead of verdicts.
"""

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo import promql
from streamgauge.slo.fields import Fields
from streamgauge.slo.policy import ABORTS, Policy

NOTHING: Mapping[str, tuple[float, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which streams an objective is about; patterns may hold `*`, an empty tuple means all."""

    provider: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    operation: tuple[str, ...] = ()
    prompt_tokens: tuple[int, int | None] | None = None

    def matches(self, report: Any) -> bool:
        """Whether the stream belongs; one of unknown prompt size belongs to no size class."""
        return (
            _matches(self.provider, report.provider)
            and _matches(self.model, report.model)
            and _matches(self.operation, report.operation)
            and self._in_size_class(report)
        )

    def matchers(self) -> tuple[str, ...]:
        """The same filter as PromQL label matchers; prompt size is no label."""
        by_label = (
            (names.PROVIDER_NAME, self.provider),
            (names.REQUEST_MODEL, self.model),
            (names.OPERATION_NAME, self.operation),
        )
        return tuple(promql.matcher(promql.label(attribute), patterns) for attribute, patterns in by_label if patterns)

    def _in_size_class(self, report: Any) -> bool:
        if self.prompt_tokens is None:
            return True
        low, high = self.prompt_tokens
        tokens = report.usage.input_tokens
        return tokens is not None and low <= tokens and (high is None or tokens < high)


@dataclass(frozen=True, slots=True)
class Alerting:
    """Which alerts an objective raises, and how many streams and failures make one worth a person's time."""

    page: bool = True
    ticket: bool = True
    min_events: int = 10
    min_failures: int = 5
    low_traffic_failures: int = 3

    @property
    def any(self) -> bool:
        """Whether the objective alerts at all."""
        return self.page or self.ticket


@dataclass(frozen=True, slots=True)
class Sli:
    """Bad and total events as PromQL over `$range` (sampled at `$step` where a subquery is needed), aggregated to one
    series."""

    bad: str
    total: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Objective(ABC):
    """One objective: `target` percent of its streams are good over `period` seconds."""

    kind: ClassVar[str]
    fails: ClassVar[str] = "{service} streams miss the objective"
    burn_alert: ClassVar[str] = "StreamErrorBudgetBurn"
    unit: ClassVar[str] = "streams"
    counted: ClassVar[bool] = True
    by_outcome: ClassVar[bool] = False
    aborts_default: ClassVar[str] = "excluded"
    alerting_default: ClassVar[Alerting] = Alerting()

    name: str
    target: Decimal
    period: int
    owner: str
    description: str = ""
    count_aborts: bool = False
    filter: Filter = field(default_factory=Filter)
    alerting: Alerting = field(default_factory=Alerting)
    policy: Policy = field(default_factory=Policy)
    place: str = ""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """The kind's own fields, validated."""

    @abstractmethod
    def judge(self, report: Any) -> Verdict:
        """The verdict on a stream that belongs to the objective."""

    @property
    def objective(self) -> Decimal:
        """The target as a ratio."""
        return (self.target / 100).normalize()

    @property
    def budget(self) -> Decimal:
        """The share of streams that may be bad."""
        return (1 - self.target / 100).normalize()

    def verdict(self, report: Any) -> Verdict | None:
        """good, bad or excluded; None when the stream is none of this objective's or reports no such thing."""
        if not self.counted or not self.filter.matches(report):
            return None
        return Verdict.EXCLUDED if self._excludes(report.outcome) else self.judge(report)

    @property
    def limit(self) -> Decimal:
        """The threshold in seconds, for kinds that measure against one; 0 for others."""
        return Decimal(getattr(self, "threshold", 0))

    def bounds(self) -> Mapping[str, tuple[float, ...]]:
        """Histogram bounds, by metric name, that this objective needs."""
        return NOTHING

    def sli(self, form: str, selector: tuple[str, ...]) -> Sli | None:  # noqa: ARG002 - kinds with a histogram override it
        """The SLI from other series than the verdict counter, for `form` histogram or native; None where only verdicts
        tell."""
        return None

    def _excludes(self, outcome: str) -> bool:
        return outcome in ABORTS and not self.count_aborts and self.policy.verdict(outcome) is Verdict.EXCLUDED


def within(value: float | None, threshold: Decimal) -> Verdict:
    """good up to the threshold, bad above it, excluded when unknown."""
    if value is None:
        return Verdict.EXCLUDED
    return Verdict.GOOD if value <= float(threshold) else Verdict.BAD  # as a float, like the histogram's bound


def outlasted(seconds: float | None, threshold: Decimal) -> Verdict:
    """bad when it already took longer than the threshold; otherwise nobody knows how long it would have taken."""
    return Verdict.BAD if seconds is not None and seconds > float(threshold) else Verdict.EXCLUDED


def histogram_sli(form: str, metric: names.Metric, threshold: Decimal, matchers: tuple[str, ...]) -> Sli | None:
    """Streams above a threshold out of a histogram: classic buckets, or a native histogram's fraction."""
    family = metric.prometheus
    if form == "native":
        rates = f"sum(increase({promql.selector(family, *matchers)}[$range]))"
        total = f"histogram_count({rates})"
        bad = f"({total} * (1 - histogram_fraction(0, {promql.number(threshold)}, {rates}))) >= 0 or {total} * 0"
        return Sli(bad, total, promql.selector(family, *matchers))
    if form == "histogram":
        count = promql.selector(f"{family}_count", *matchers)
        bucket = promql.selector(f"{family}_bucket", *matchers, promql.bound(threshold))
        total = f"sum(increase({count}[$range]))"
        return Sli(f"{total} - sum(increase({bucket}[$range]))", total, count)
    return None


def _matches(patterns: tuple[str, ...], value: str | None) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(value or "", pattern) for pattern in patterns)
