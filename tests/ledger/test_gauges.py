"""Several gauges and one ledger: every effect finds its stream, and is counted once."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from tests.capture.watching import Watch

import streamgauge
from streamgauge import Gauge, names
from streamgauge.demo import Provider
from streamgauge.demo.reading import call
from streamgauge.ledger import Ledger, close_ledger, use_ledger


class Other:
    """A gauge of its own, with a client that it alone observes."""

    def __init__(self, client: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.meters, self.tracers, self.loggers = MeterProvider([self.reader]), TracerProvider(), LoggerProvider()
        self.gauge = Gauge(
            streamgauge.Settings(),
            meter_provider=self.meters,
            tracer_provider=self.tracers,
            logger_provider=self.loggers,
        )
        self.client = streamgauge.watch(client, gauge=self.gauge)

    def close(self) -> None:
        streamgauge.unwatch(self.client)
        for provider in (self.meters, self.tracers, self.loggers):
            provider.shutdown()


@pytest.fixture
def other(gauge: Watch, provider: Provider) -> Iterator[Other]:
    """Made after `instrument()`."""
    with openai.OpenAI(base_url=provider.base_url(), api_key="k", max_retries=0) as client:
        made = Other(client)
        yield made
        made.close()


@pytest.fixture
def ledger(other: Other, url: str) -> Iterator[Ledger]:
    yield use_ledger(url)
    close_ledger()


def counted(reader: InMemoryMetricReader) -> dict[str, int]:
    """Effects by state, and `open`: what the gauge of unreconciled effects says, if it says anything."""
    data: Any = reader.get_metrics_data()
    found: dict[str, int] = {}
    for metric in [m for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for m in s.metrics]:
        for point in metric.data.data_points:
            if metric.name == names.EFFECTS_TOTAL.name and point.value:
                found[point.attributes[names.EFFECT_STATE]] = point.value
            if metric.name == names.UNRECONCILED.name:
                found["open"] = point.value
    return found


def effect_in(client: Any) -> None:
    """One effect while a stream of this client is open."""
    stream = call("chat", client)
    next(stream)
    with streamgauge.effect("send"):
        pass
    list(stream)


def test_instrument_and_watch_together_count_an_effect_once(
    clients: dict[str, Any], gauge: Watch, other: Other, ledger: Ledger
) -> None:
    effect_in(clients["openai"])
    effect_in(other.client)
    assert counted(gauge.reader) == {"intended": 2, "started": 2, "committed": 2, "open": 0}
    assert counted(other.reader) == {}
    assert [(record["outcome"], record["verdict"]) for record in ledger.reconciliations()] == [
        ("completed", "consistent")
    ] * 2


def test_after_uninstrument_the_gauge_that_is_left_has_the_effects(
    clients: dict[str, Any], gauge: Watch, other: Other, ledger: Ledger
) -> None:
    effect_in(clients["openai"])
    streamgauge.uninstrument()
    effect_in(other.client)
    assert counted(gauge.reader) == {"intended": 1, "started": 1, "committed": 1}
    assert counted(other.reader) == {"intended": 1, "started": 1, "committed": 1, "open": 0}


def test_a_stream_of_any_gauge_is_found_by_its_id(gauge: Watch, other: Other, ledger: Ledger) -> None:
    stream = call("chat", other.client)
    next(stream)
    handle = streamgauge.of(stream)
    assert handle is not None
    with streamgauge.effect("send", stream=handle.id):
        pass
    list(stream)
    (row,) = ledger.streams()
    assert (row.ref, row.outcome) == (handle.id, "completed")
    assert row.owner is not None, "its death would have been noticed"
