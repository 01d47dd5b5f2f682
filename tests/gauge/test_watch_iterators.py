"""`watch(iterator)`: text, dicts or objects, sync and async; the caller gets the same chunks and the same errors."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.capture.watching import TickingClock, Watch, watching

import streamgauge
from streamgauge import ConfigError
from streamgauge.gauge import Gauge
from streamgauge.names import Initiator, Outcome

TEXT: list[Any] = ["a", "b", "c"]
DICTS: list[Any] = [{"text": "a"}, {"text": "b"}]
OBJECTS: list[Any] = [SimpleNamespace(content="a"), SimpleNamespace(content=None)]
CHUNKS = {"text": TEXT, "dicts": DICTS, "objects": OBJECTS}


def stop(finish: str | None) -> dict[str, Any]:
    return {"id": "x", "model": "m2", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": finish}]}


async def later(chunks: list[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


@pytest.mark.parametrize("kind", CHUNKS)
def test_sync_iterator_gives_the_same_chunks_and_is_told(gauge: Watch, kind: str) -> None:
    given = CHUNKS[kind]
    got = list(streamgauge.watch(iter(given), provider="acme", model="m1", operation="text_completion"))
    assert all(one is two for one, two in zip(got, given, strict=True))
    report = gauge.one(Outcome.COMPLETED)
    assert (report.provider, report.model, report.operation) == ("acme", "m1", "text_completion")
    assert report.chunks == len(given)


@pytest.mark.parametrize("kind", CHUNKS)
async def test_async_iterator_gives_the_same_chunks_and_is_told(gauge: Watch, kind: str) -> None:
    given = CHUNKS[kind]
    got = [chunk async for chunk in streamgauge.watch(later(given), provider="acme", model="m1")]
    assert all(one is two for one, two in zip(got, given, strict=True))
    assert gauge.one(Outcome.COMPLETED).chunks == len(given)


def test_list_is_an_iterator_too(gauge: Watch) -> None:
    assert list(streamgauge.watch(TEXT)) == TEXT
    gauge.one(Outcome.COMPLETED)


@pytest.mark.parametrize(
    "chunks,outcome",
    [
        ([stop(None), stop("stop")], Outcome.COMPLETED),
        ([stop(None), stop("length")], Outcome.LENGTH_LIMITED),
        ([stop(None), stop(None)], Outcome.TRUNCATED),
    ],
)
def test_shape_with_end_markers_is_held_to_them(gauge: Watch, chunks: list[Any], outcome: Outcome) -> None:
    assert list(streamgauge.watch(iter(chunks))) == chunks
    assert gauge.one(outcome).response_model == "m2"


def test_error_of_the_iterator_is_the_callers_and_told(gauge: Watch) -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise ConnectionResetError("private")

    watched = streamgauge.watch(broken())
    assert next(watched) == "a"
    with pytest.raises(ConnectionResetError, match="private"):
        next(watched)
    assert gauge.one(Outcome.FAILED).failure_mode == "network_mid_stream"


def test_left_iterator_is_abandoned_and_a_closed_one_too(gauge: Watch) -> None:
    watched = streamgauge.watch(iter(TEXT))
    next(watched)
    del watched
    gauge.settle()
    gauge.one(Outcome.ABANDONED)


def test_iterator_is_watched_once(gauge: Watch) -> None:
    watched = streamgauge.watch(iter(TEXT))
    assert streamgauge.watch(watched) is watched
    assert list(watched) == TEXT
    gauge.one(Outcome.COMPLETED)


def test_never_read_iterator_is_told(gauge: Watch) -> None:
    streamgauge.watch(iter(TEXT))
    gauge.settle()
    gauge.one(Outcome.ABANDONED)


def test_source_is_closed_when_the_watched_one_is(gauge: Watch) -> None:
    closed = []

    def source() -> Iterator[str]:
        try:
            yield from TEXT
        finally:
            closed.append(True)

    held = source()
    watched: Any = streamgauge.watch(held)
    next(watched)
    watched.close()
    assert closed == [True]
    assert list(held) == []
    gauge.settle()
    assert len(gauge.reports) == 1


def test_cancelled_iterator_says_who(gauge: Watch) -> None:
    watched = streamgauge.watch(iter(TEXT))
    next(watched)
    assert streamgauge.cancel(watched, "guardrail") is None
    assert list(watched) == []
    gauge.settle()
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.GUARDRAIL


async def test_cancelled_async_iterator_says_who(gauge: Watch) -> None:
    watched = streamgauge.watch(later(TEXT))
    await anext(watched)
    closing = streamgauge.cancel(watched, "deadline")
    assert closing is not None
    await closing
    assert [chunk async for chunk in watched] == []
    gauge.settle()
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.DEADLINE


def test_what_cannot_be_watched_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="a client of a known SDK, or a sync or async iterator"):
        streamgauge.watch(42)


def test_stall_of_a_blocked_iterator_is_told_while_it_lasts() -> None:
    clock, found = TickingClock(), []
    gauge = Gauge(streamgauge.Settings(), clock=clock, on_finding=lambda stream, word: found.append((stream.id, word)))

    def source() -> Iterator[str]:
        yield "a"
        clock.turn(11)
        gauge.look_around()
        gauge.look_around()
        yield "b"

    watched = streamgauge.watch(source(), gauge=gauge)
    assert list(watched) == ["a", "b"]
    assert [word for _, word in found] == ["stalled"]
    gc.collect()
    streamgauge.gauge.patching.unregister(gauge)


def test_gauge_of_ones_own_takes_no_notice_of_the_global_one(gauge: Watch) -> None:
    with watching(client=()) as own:
        assert list(streamgauge.watch(iter(TEXT), gauge=own.gauge)) == TEXT
        own.one(Outcome.COMPLETED)
    assert gauge.reports == []
