"""What is bounded: memory per open stream, events per span; and what each mode of chunk events promises."""

import gc
import random
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall, ChoiceDeltaToolCallFunction
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from tests.capture.surfaces import PLAIN, SURFACES, Surface
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import TickingClock, Watch, watching

import streamgauge
from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.names import Initiator, Outcome
from streamgauge.providers import openai as reader
from streamgauge.recording.intake import BATCH

KIB = 1024


def chunk_of(text: str | None, finish: str | None = None) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return ChatCompletionChunk.model_validate(
        {"id": "c", "created": 0, "model": "m", "object": "chat.completion.chunk", "choices": [choice]}
    )


def thought_of(text: str) -> ChatCompletionChunk:
    chunk = chunk_of(None)
    chunk.choices[0].delta.reasoning_content = text  # type: ignore[attr-defined] # as gateways send it
    return chunk


def argument_of(text: str) -> ChatCompletionChunk:
    chunk = chunk_of(None)
    function = ChoiceDeltaToolCallFunction(arguments=text)
    chunk.choices[0].delta.tool_calls = [ChoiceDeltaToolCall(index=0, id="call_1", function=function)]
    return chunk


KINDS: dict[str, Callable[[str], ChatCompletionChunk]] = {
    "text": chunk_of,
    "reasoning": thought_of,
    "tool arguments": argument_of,
}


def chunks(count: int, made: Callable[[str], ChatCompletionChunk] = chunk_of) -> Iterator[ChatCompletionChunk]:
    """As many chunks of words in an order without repetition, made before they are measured."""
    chance = random.Random(1)
    words = [made(f" {''.join(chance.choices('abcdefghij', k=5))}") for _ in range(500)]
    for _ in range(count):
        yield chance.choice(words)


def begun(watch: Watch) -> Any:
    api = next(api for api in reader._APIS if api.name == "chat_completions")
    observation = watch.gauge.begin(streamgauge.providers.Request(api, "openai", "m"))
    assert observation is not None
    observation.attempt()
    return observation


def held(
    watch: Watch, counts: tuple[int, ...], kind: str = "text", source: Iterator[ChatCompletionChunk] | None = None
) -> list[int]:
    """Bytes that one open stream holds after each of these numbers of chunks."""
    source = source or chunks(counts[-1] + 1, KINDS[kind])
    next(source)
    gc.collect()
    used: list[int] = []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        observation = begun(watch)
        stream = observation.wrap(source)
        for count in range(1, counts[-1] + 1):
            next(stream)
            if count in counts:
                gc.collect()
                used.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()
    assert observation.counts["chunks"] == counts[-1]
    stream.close()
    watch.gauge.flush()
    return used


@pytest.mark.parametrize("kind", KINDS)
def test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib(
    gauge: Watch, kind: str
) -> None:
    held(gauge, (500,), kind)  # what is made once for all streams
    # each time with as many pieces in the open batch
    few, *many = held(gauge, tuple(count + (1_000 - count) % BATCH for count in (1_000, 10_000, 40_000, 100_000)), kind)
    assert few <= 32 * KIB
    assert max(many) <= min(32 * KIB, few + 4 * KIB)  # rows come and go
    assert max(held(gauge, tuple(range(2_000, 2_000 + BATCH, BATCH // 4)), kind)) <= 32 * KIB


@pytest.mark.parametrize("size", [1, 5, 25, 100, 400, 1_600])
def test_open_stream_holds_at_most_32_kib_however_long_its_pieces_are(gauge: Watch, size: int) -> None:
    chance = random.Random(1)

    def source() -> Iterator[ChatCompletionChunk]:
        while True:
            yield chunk_of("".join(chance.choices("abcdefghij   ", k=size)))

    moments = tuple(range(1_000, 1_000 + BATCH, 7))
    held(gauge, (300,), source=source())  # what is made once for all streams
    assert max(held(gauge, moments, source=source())) <= 32 * KIB


@pytest.mark.parametrize("surface", PLAIN, ids=str)  # the SDKs' own helpers go round in circles
def test_a_sealed_stream_is_freed_without_the_garbage_collector(
    gauge: Watch, clients: dict[str, Any], surface: Surface
) -> None:
    gc.collect()
    gc.disable()
    try:
        seen = []
        for _ in range(2):  # the latest one is still the current stream of this context
            run(exhaust, Trial(surface, clients[surface.sdk]))
            current = streamgauge.current()
            assert current is not None
            seen.append(weakref.ref(current.latest))
            del current
        assert [each() is None for each in seen] == [True, False]
    finally:
        gc.enable()


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


@pytest.mark.parametrize("count", [84, 90, 95, 96, 200, 5_000])
def test_stalls_and_a_cancel_take_their_events_from_the_same_budget(count: int) -> None:
    clock = TickingClock()
    with watching(client=(), clock=clock) as watch:

        def stalling() -> Iterator[ChatCompletionChunk]:
            for number, chunk in enumerate(chunks(count)):
                clock.turn(11 if number % (count // 9) == 5 else 0)
                yield chunk

        observation = begun(watch)
        stream = observation.wrap(stalling())
        assert len(list(islice(stream, count))) == count
        observation.cancel(Initiator.USER_STOP)
        stream.close()
        watch.settle()
        report = watch.one(Outcome.CANCELLED)
        (span,) = watch.stream_spans
        found = Counter(event.name for event in span.events)
        assert (found[names.EVENT_STALL], found[names.EVENT_CANCEL], found[names.EVENT_END]) == (8, 1, 1)
        assert len(span.events) <= 96
        events = [event for event in span.events if event.name == names.EVENT_CHUNK]
        assert sum(event.attributes[names.CHUNK_COUNT] for event in events) == report.chunks == count


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
