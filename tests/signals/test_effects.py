"""What the ledger tells, as metrics: tool calls that ran in the dark, and a ledger that cannot be read."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from opentelemetry._logs import NoOpLogger
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracer
from tests.schema.records import RECORD

from streamgauge import names
from streamgauge.ledger import StoreUnavailable
from streamgauge.ledger.facts import Reconciled
from streamgauge.signals.effects import Effects


@dataclass
class Statistics:
    """What a ledger says of itself; nothing while it is `away`."""

    unreconciled = 2
    unreconciled_oldest_age = 7.5
    away = False

    def __call__(self) -> "Statistics":
        if self.away:
            raise StoreUnavailable("sqlite:///gone.db", "it is gone")
        return self


class Told:
    """Effects over a real meter."""

    def __init__(self) -> None:
        self.reader, self.statistics = InMemoryMetricReader(), Statistics()
        self.meters = MeterProvider([self.reader])
        self.effects = Effects(self.meters.get_meter("test"), NoOpLogger("test"), NoOpTracer(), self.statistics)

    def points(self, metric: names.Metric) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric.name
            for point in each.data.data_points
        ]

    def counted(self) -> Counter[tuple[str, str]]:
        """Effects by class and state, those at 0 left out."""
        found: Counter[tuple[str, str]] = Counter()
        for point in self.points(names.EFFECTS_TOTAL):
            labels = point.attributes
            found[labels[names.EFFECT_CLASS], labels[names.EFFECT_STATE]] += point.value
        return +found


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.meters.shutdown()


def test_a_tool_call_without_an_effect_is_counted_as_undeclared_once(told: Told) -> None:
    for revision in (1, 2, 3):
        told.effects.listen(Reconciled(replace(RECORD, revision=revision)))
    assert told.counted() == {("destructive", "undeclared"): 1}


def test_a_tool_call_that_never_became_whole_ran_nowhere(told: Told) -> None:
    (call,) = RECORD.undeclared
    told.effects.listen(Reconciled(replace(RECORD, undeclared=(replace(call, complete=False),))))
    assert told.counted() == {}


def test_a_ledger_that_cannot_be_read_gives_no_value_and_no_noise(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    assert [point.value for point in told.points(names.UNRECONCILED_AGE)] == [7.5]
    told.statistics.away = True
    assert told.points(names.UNRECONCILED_AGE) == told.points(names.UNRECONCILED) == []
    told.statistics.away = False
    assert [point.value for point in told.points(names.UNRECONCILED)] == [2]
    assert caplog.text == ""
