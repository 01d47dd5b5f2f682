"""What is bounded: memory per open stream, events per span; and what each mode of chunk events promises."""

import gc
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from tests.capture.surfaces import PLAIN, SURFACES, Surface
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import Watch, watching

import streamgauge
from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.names import Outcome
from streamgauge.providers import openai as reader

KIB = 1024


def chunk_of(text: str | None, finish: str | None = None) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return ChatCompletionChunk.model_validate(
        {"id": "c", "created": 0, "model": "m", "object": "chat.completion.chunk", "choices": [choice]}
    )


def chunks(count: int) -> Iterator[ChatCompletionChunk]:
    """As many chunks of words in an order without repetition, made before they are measured."""
    chance = random.Random(1)
    words = [chunk_of(f" {''.join(chance.choices('abcdefghij', k=5))}") for _ in range(500)]
    for _ in range(count):
        yield chance.choice(words)


def begun(watch: Watch) -> Any:
    api = next(api for api in reader._APIS if api.name == "chat_completions")
    observation = watch.gauge.begin(streamgauge.providers.Request(api, "openai", "m"))
    assert observation is not None
    observation.attempt()
    return observation


def held(watch: Watch, count: int) -> int:
    """Bytes that one open stream holds after so many chunks."""
    source = chunks(count)
    next(source)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        observation = begun(watch)
        stream = observation.wrap(source)
        for _ in range(count - 1):
            next(stream)
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert observation.counts["chunks"] == count - 1
    stream.close()
    watch.gauge.flush()
    return used


def test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib(gauge: Watch) -> None:
    held(gauge, 500)  # what is made once for all streams
    few, many = held(gauge, 1_000), held(gauge, 100_000)
    assert few <= 32 * KIB
    assert many <= 32 * KIB
    assert many <= few + KIB


@pytest.mark.parametrize("count", [1, 2, 60, 90, 95, 96, 97, 98, 200, 1_000, 9_999])
def test_events_keep_the_budget_and_their_counts_add_up(gauge: Watch, count: int) -> None:
    source = iter([*chunks(count - 1), chunk_of(None, "stop")])
    observation = begun(gauge)
    assert len(list(observation.wrap(source))) == count
    report = gauge.one(Outcome.COMPLETED)
    (span,) = gauge.stream_spans
    events = [event for event in span.events if event.name == names.EVENT_CHUNK]
    assert len(span.events) <= 96
    assert span.dropped_events == 0
    assert sum(event.attributes[names.CHUNK_COUNT] for event in events) == report.chunks == count
    assert sum(event.attributes[names.CHUNK_CHARACTERS] for event in events) == report.characters.text
    assert [event.attributes[names.CHUNK_INDEX] for event in events] == sorted(row.index for row in report.timeline)
    assert [event.timestamp for event in span.events] == sorted(event.timestamp for event in span.events)
    if count <= 90:
        assert len(events) == count
    if count > 100:
        assert len(events) > 30


def streamed(watch: Watch, clients: dict[str, Any], surface: Surface = SURFACES[0], pieces: int = 40) -> Any:
    script = {"extra_headers": {"x-streamgauge-script": f'{{"pieces": {pieces}}}'}}
    trial = run(exhaust, Trial(surface, clients[surface.sdk], options=script))
    report = watch.one(Outcome.COMPLETED)
    assert report.chunks == len(trial.seen)
    return watch.stream_spans[0], report


@pytest.mark.parametrize("surface", PLAIN, ids=str)
def test_mode_every_gives_each_chunk_an_event_of_its_own_time(clients: dict[str, Any], surface: Surface) -> None:
    tracers = TracerProvider(span_limits=SpanLimits(max_events=2000))
    with watching(settings={"chunk_events": "every"}, tracers=tracers) as watch:
        span, report = streamed(watch, clients, surface, 300)
        events = [event for event in span.events if event.name == names.EVENT_CHUNK]
        assert len(events) == report.chunks
        assert {event.attributes[names.CHUNK_COUNT] for event in events} == {1}
        assert events[0].timestamp < events[-1].timestamp


def test_mode_every_says_once_what_the_span_limit_drops(clients: dict[str, Any]) -> None:
    with watching(settings={"chunk_events": "every"}) as watch:
        span, report = streamed(watch, clients, pieces=200)
        assert span.dropped_events == report.chunks + 1 - 128
        run(exhaust, Trial(SURFACES[0], clients["openai"], options={"extra_headers": {}}))
        dropped = {p.attributes[names.DROP_REASON]: p.value for p in watch.points()[names.INTERNAL_DROPS.name]}
        assert dropped["span_event_limit"] == span.dropped_events
        (said,) = watch.complaints.said
        assert "128" in said
        assert str(span.dropped_events) in said
        watch.expected_complaints = 1


def test_mode_off_keeps_no_timeline_and_all_the_rest(clients: dict[str, Any]) -> None:
    with watching(settings={"chunk_events": "off"}) as watch:
        span, report = streamed(watch, clients)
        assert [event.name for event in span.events] == [names.EVENT_END]
        assert report.timeline == ()
        assert report.ttft_s is not None
        assert report.gap_max_s is not None


def test_timeline_goes_out_as_log_events_instead(clients: dict[str, Any]) -> None:
    with watching(settings={"timeline_signal": "log"}) as watch:
        span, report = streamed(watch, clients)
        assert names.EVENT_CHUNK not in {event.name for event in span.events}
        logged = [log.log_record for log in watch.logs if log.log_record.event_name == names.EVENT_CHUNK]
        assert sum(record.attributes[names.CHUNK_COUNT] for record in logged) == report.chunks
        assert {record.span_id for record in logged} == {span.context.span_id}


@pytest.mark.parametrize("switched_on", [False, True])
def test_sample_per_chunk_only_when_it_is_switched_on(clients: dict[str, Any], switched_on: bool) -> None:
    with watching(settings={"time_per_output_chunk": switched_on}) as watch:
        _, report = streamed(watch, clients, pieces=40)
        points = watch.points().get(names.OPERATION_PER_CHUNK.name, [])
        assert sum(point.count for point in points) == (39 if switched_on else 0)
        assert all(0 <= point.sum <= report.duration_s for point in points)


def test_model_names_beyond_the_limit_are_one_label(provider: Provider) -> None:
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="k") as client,
        watching(settings={"model_limit": 2}) as watch,
    ):
        for model in ("a", "b", "c", "d", "a"):
            list(SURFACES[0].call(client, model))
        points = watch.points()[names.STREAMS.name]
        assert {point.attributes[names.REQUEST_MODEL] for point in points} == {"a", "b", "other"}
        assert [span.attributes[names.REQUEST_MODEL] for span in watch.stream_spans] == ["a", "b", "c", "d", "a"]
