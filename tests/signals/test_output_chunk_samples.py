"""The convention's time per output chunk: a sample per content chunk after the first, only when switched on."""

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from streamgauge import names
from streamgauge.gauge import Gauge, watch
from streamgauge.settings import Settings


def samples(reader: InMemoryMetricReader) -> int:
    data: Any = reader.get_metrics_data()
    return sum(
        point.count
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == names.OPERATION_PER_CHUNK.name
        for point in metric.data.data_points
    )


@pytest.mark.parametrize(("switched_on", "expected"), [(True, 4), (False, 0)])
def test_five_content_chunks_give_four_samples_when_switched_on(switched_on: bool, expected: int) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    gauge = Gauge(Settings(time_per_output_chunk=switched_on), meter_provider=provider)
    assert list(watch(iter(["a", "b", "", "c", "d", "e"]), model="m", gauge=gauge)) == ["a", "b", "", "c", "d", "e"]
    assert samples(reader) == expected
    assert not gauge.guard.errors
    provider.shutdown()
