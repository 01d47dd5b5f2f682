"""Switching on and off: twice is once, a watched client alone, copies of it, and SDKs as they were afterwards."""

import os
from collections.abc import Iterator
from typing import Any

import openai
import openai._base_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tests.capture.surfaces import SURFACES
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import Watch, watching

import streamgauge
from streamgauge import ConfigError, Settings, names
from streamgauge.demo import Provider
from streamgauge.gauge.instrumentor import StreamgaugeInstrumentor
from streamgauge.names import Outcome

CHAT, MESSAGES = SURFACES[0], SURFACES[4]


def hooked() -> object:
    return vars(openai._base_client.SyncAPIClient)["request"]


def test_instrumenting_twice_is_instrumenting_once(clients: dict[str, Any], gauge: Watch) -> None:
    before = hooked()
    assert streamgauge.instrument(settings=Settings(idle_limit=1)) is gauge.gauge
    assert hooked() is before
    run(exhaust, Trial(CHAT, clients["openai"]))
    gauge.one(Outcome.COMPLETED)


def test_uninstrumenting_twice_is_harmless_and_leaves_nothing_observed(clients: dict[str, Any]) -> None:
    plain = hooked()
    with watching() as watch:
        assert hooked() is not plain
        streamgauge.uninstrument()
        streamgauge.uninstrument()
        assert hooked() is plain
        run(exhaust, Trial(CHAT, clients["openai"]))
        assert watch.reports == []


def test_stream_that_is_open_while_uninstrumented_is_observed_to_its_end(clients: dict[str, Any]) -> None:
    with watching() as watch:
        trial = Trial(CHAT, clients["openai"])
        stream = trial.open()
        trial.read(stream, 3)
        streamgauge.uninstrument()
        assert streamgauge.of(stream) is not None
        trial.read(stream)
        watch.one(Outcome.COMPLETED)


def test_instrumented_again_after_uninstrument_is_observed_again(clients: dict[str, Any]) -> None:
    for _ in range(2):
        with watching() as watch:
            run(exhaust, Trial(CHAT, clients["openai"]))
            watch.one(Outcome.COMPLETED)


def test_watching_a_watched_client_counts_once(clients: dict[str, Any], gauge: Watch) -> None:
    client = clients["openai"].copy()
    assert streamgauge.watch(streamgauge.watch(client)) is client
    try:
        run(exhaust, Trial(CHAT, client))
        gauge.one(Outcome.COMPLETED)
    finally:
        streamgauge.unwatch(client)


def test_watched_client_and_its_copies_are_observed_and_no_other(provider: Provider) -> None:
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as mine,
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as other,
        watching(client=mine) as watch,
    ):
        run(exhaust, Trial(CHAT, other))
        assert watch.reports == []
        run(exhaust, Trial(CHAT, mine))
        run(exhaust, Trial(CHAT, mine.with_options(timeout=5)))
        run(exhaust, Trial(CHAT, mine.copy(max_retries=1)))
        assert [report.outcome for report in watch.reports] == [Outcome.COMPLETED] * 3


@pytest.fixture
def default_meters(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """A global meter provider, and no gauge left of another test."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", meters)
    monkeypatch.setattr(streamgauge.gauge._wiring, "single", None)
    yield reader
    streamgauge.uninstrument()
    meters.shutdown()


def values(reader: InMemoryMetricReader, name: str) -> float:
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    return sum(getattr(point, "value", 0) for m in metrics if m.name == name for point in m.data.data_points)


@pytest.mark.parametrize("watched_first", [True, False])
def test_watched_client_and_all_others_are_told_by_one_gauge(
    provider: Provider, default_meters: InMemoryMetricReader, watched_first: bool
) -> None:
    """`watch()` and `instrument()` in any order: one stream is one report, to the sinks of `instrument()`."""
    told: list[Any] = []
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as mine,
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as other,
    ):
        if watched_first:
            streamgauge.watch(mine)
            run(exhaust, Trial(CHAT, mine))
            assert values(default_meters, names.STREAMS.name) == 1
        gauge = streamgauge.instrument(sinks=[told.append])
        if not watched_first:
            streamgauge.watch(mine)
        before = values(default_meters, names.STREAMS.name)
        streams = [Trial(CHAT, client).open() for client in (mine, other)]
        assert values(default_meters, names.STREAMS_ACTIVE.name) == gauge.open_count == 2
        for stream in streams:
            list(stream)
        assert [report.outcome for report in told] == [Outcome.COMPLETED] * 2
        assert values(default_meters, names.STREAMS.name) - before == 2
        assert values(default_meters, names.STREAMS_ACTIVE.name) == 0
        streamgauge.uninstrument()
        run(exhaust, Trial(CHAT, mine))
        assert len(told) == 2
        assert values(default_meters, names.STREAMS.name) - before == 3  # still watched
        streamgauge.unwatch(mine)


def test_streams_of_two_gauges_on_the_same_meters_are_all_counted_as_open(
    provider: Provider, default_meters: InMemoryMetricReader
) -> None:
    with openai.OpenAI(base_url=provider.base_url(), api_key="k") as mine:
        streamgauge.watch(mine)
        early = Trial(CHAT, mine).open()
        streamgauge.instrument()
        late = Trial(CHAT, mine).open()
        assert values(default_meters, names.STREAMS_ACTIVE.name) == 2
        early.close()
        late.close()
        assert values(default_meters, names.STREAMS_ACTIVE.name) == 0
        streamgauge.unwatch(mine)


def test_unwatched_client_is_as_it_was_and_twice_is_harmless(provider: Provider) -> None:
    plain = hooked()
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as mine,
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as other,
        watching(client=(mine, other)) as watch,
    ):
        trial = Trial(CHAT, mine)
        stream = trial.open()
        trial.read(stream, 3)
        streamgauge.unwatch(mine)
        streamgauge.unwatch(mine)
        assert hooked() is not plain  # the other one is still watched
        trial.read(stream)
        watch.one(Outcome.COMPLETED)  # it was open: observed to its end
        run(exhaust, Trial(CHAT, mine.with_options(timeout=5)))
        watch.one(Outcome.COMPLETED)
        streamgauge.unwatch(other)
        assert hooked() is plain
        assert streamgauge.of(stream) is None
        streamgauge.unwatch("no client at all")
        streamgauge.watch(mine, gauge=watch.gauge)
        run(exhaust, Trial(CHAT, mine))
        assert [report.outcome for report in watch.reports] == [Outcome.COMPLETED] * 2


def test_enabled_false_leaves_every_sdk_untouched(clients: dict[str, Any]) -> None:
    plain = hooked()
    with watching(settings={"enabled": False}) as watch:
        assert hooked() is plain
        run(exhaust, Trial(CHAT, clients["openai"]))
        assert watch.reports == []


def test_entry_point_of_opentelemetry_switches_on_and_off(clients: dict[str, Any]) -> None:
    plain = hooked()
    reports: list[Any] = []
    instrumentor = StreamgaugeInstrumentor()
    instrumentor.instrument(sinks=[reports.append], settings=Settings())
    try:
        run(exhaust, Trial(CHAT, clients["openai"]))
        assert [report.outcome for report in reports] == [Outcome.COMPLETED]
    finally:
        instrumentor.uninstrument()
    assert hooked() is plain


# settings


@pytest.mark.parametrize(
    "given,says",
    [
        ({"chunk_events": "some"}, "chunk_events='some' (Settings) is not valid: expected one of adaptive, every, off"),
        ({"chunk_event_budget": 7}, "chunk_event_budget=7 (Settings) is not valid: expected a whole number from 8"),
        ({"chunk_event_budget": 96.5}, "chunk_event_budget=96.5"),
        ({"idle_limit": 0}, "idle_limit=0"),
        ({"idle_limit": float("nan")}, "idle_limit=nan"),
        ({"stall_planning": "10"}, "stall_planning='10'"),
        ({"log_events": ("end", "middle")}, "expected a comma-separated list of begin, stall, cancel, end"),
        ({"log_events": "end"}, "log_events='end'"),
        ({"enabled": 1}, "enabled=1 (Settings) is not valid: expected true or false"),
        ({"provider": ""}, "provider='' (Settings) is not valid: expected a non-empty text"),
        ({"model_limit": True}, "model_limit=True"),
    ],
)
def test_wrong_setting_in_code_is_named_with_what_is_allowed(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(**given)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["chunk_events", "idle_limit", "enabled", "log_events", "model_limit"])
def test_none_is_no_value_where_a_setting_needs_one(name: str) -> None:
    given: dict[str, Any] = {name: None}
    with pytest.raises(ConfigError, match=name):
        Settings(**given)


@pytest.mark.parametrize(
    "variable,text,says",
    [
        ("STREAMGAUGE_IDLE_LIMIT", "soon", "IDLE_LIMIT='soon' (environment) is not valid: expected a number"),
        ("STREAMGAUGE_CHUNK_EVENTS", "all", "STREAMGAUGE_CHUNK_EVENTS='all' (environment)"),
        ("STREAMGAUGE_ENABLED", "maybe", "expected true or false"),
        ("STREAMGAUGE_LOG_EVENTS", "end,middle", "begin, stall, cancel, end"),
        ("STREAMGAUGE_CHUNK_EVENT_BUDGET", "12.5", "a whole number from 8 to 4096"),
    ],
)
def test_wrong_variable_is_named_when_the_gauge_is_made(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, says: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError) as caught:
        streamgauge.instrument()
    assert says in str(caught.value)
    assert vars(openai._base_client.SyncAPIClient)["request"].__class__.__name__ == "function"


def test_variables_are_read_and_code_wins_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "idle_limit": "12.5",
        "enabled": "off",
        "log_events": "begin, end",
        "models": "a,b",
        "chunk_events": "every",
        "provider": "",
    }.items():
        monkeypatch.setenv(f"STREAMGAUGE_{name.upper()}", text)
    read = Settings.from_env(chunk_events="off")
    assert (read.idle_limit, read.enabled, read.log_events, read.models) == (12.5, False, ("begin", "end"), ("a", "b"))
    assert (read.chunk_events, read.provider) == ("off", None)


def test_unknown_setting_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"idle_limits.*idle_limit"):
        Settings.from_env({}, idle_limits=3)


def test_variable_reaches_a_stream(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGAUGE_PROVIDER", "my-gateway")
    assert os.environ["STREAMGAUGE_PROVIDER"]
    reports: list[Any] = []
    streamgauge.instrument(sinks=[reports.append])
    try:
        run(exhaust, Trial(MESSAGES, clients["anthropic"]))
    finally:
        streamgauge.uninstrument()
    assert [report.provider for report in reports] == ["my-gateway"]
