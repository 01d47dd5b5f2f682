"""The convention's time per output chunk: a sample per content chunk after the first, only when switched on."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from openai import OpenAI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.gauge import Gauge, uninstrument, watch
from streamgauge.settings import Settings


def points(reader: InMemoryMetricReader) -> list[Any]:
    data: Any = reader.get_metrics_data()
    return [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == names.OPERATION_PER_CHUNK.name
        for point in metric.data.data_points
    ]


def samples(reader: InMemoryMetricReader) -> int:
    return sum(point.count for point in points(reader))


@pytest.mark.parametrize(("switched_on", "expected"), [(True, 4), (False, 0)])
def test_five_content_chunks_give_four_samples_when_switched_on(switched_on: bool, expected: int) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    gauge = Gauge(Settings(time_per_output_chunk=switched_on), meter_provider=provider)
    assert list(watch(iter(["a", "b", "", "c", "d", "e"]), model="m", gauge=gauge)) == ["a", "b", "", "c", "d", "e"]
    assert samples(reader) == expected
    assert not gauge.guard.errors
    provider.shutdown()


def test_the_samples_say_where_the_provider_answered(provider: Provider) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader])
    gauge = Gauge(Settings(time_per_output_chunk=True), meter_provider=meters)
    with OpenAI(base_url=provider.base_url(), api_key="k", max_retries=0) as client:
        watch(client, gauge=gauge)
        stream = client.chat.completions.create(
            model="demo-healthy", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert len(list(stream)) > 2
    (point,) = points(reader)
    address = urlsplit(provider.url)
    assert (point.attributes[names.SERVER_ADDRESS], point.attributes[names.SERVER_PORT]) == (
        address.hostname,
        address.port,
    )
    uninstrument()
    meters.shutdown()
