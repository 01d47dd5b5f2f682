"""What observing costs: bare SDK against observed SDK, interleaved in one run, in CPU time of this process.

A transport hands the real SDKs a ready body, one event per read, so that nothing but the client is measured. A bare
stream and an observed one are read in turns, 250 chunks of each, so that whatever else the machine does falls
on both; the cost per chunk is the mean of the middle half of these pairs, the cost per stream what a stream of ten
chunks costs beyond its chunks. Memory is the tracemalloc peak above the bare SDK's. The hooks are in the SDK for both:
a client that nobody watches pays for looking that up, once per call, on either side.

    python benchmarks/capture.py [--rounds N] [--api NAME] [--json]
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import anthropic
import httpx2
import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import streamgauge
from streamgauge.gauge.wiring import Gauge

SIZES = (10, 1000, 10000)
REPEATS = {10: 4, 1000: 6, 10000: 1}
BLOCK = 20
SEGMENT = 250
EVENTS = {"messages.stream": 2}
"""Events that a helper makes of one chunk; 1 for the others."""
END = object()
MESSAGE = [{"role": "user", "content": "hi"}]


def sse(event: str | None, payload: dict[str, Any]) -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(payload)}\n\n".encode()


PROSE = (
    "the quick brown fox jumps over a lazy dog while rain falls on seven quiet hills and nobody counts them twice "
    "because every answer that people wait for should say what it found, how sure it is, and where to look next"
)
WORDS = PROSE.split()


def words(count: int) -> list[str]:
    """Pieces of text in an order that never comes round, as an honest answer's: what comes round is a loop."""
    chance = random.Random(7)
    return [f" {word}" for _ in range(0, count, len(WORDS)) for word in chance.sample(WORDS, len(WORDS))][:count]


def chat_body(chunks: int) -> list[bytes]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    body = [
        sse(None, {**base, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
        for word in words(chunks)
    ]
    body.append(sse(None, {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    return [*body, b"data: [DONE]\n\n"]


def responses_body(chunks: int) -> list[bytes]:
    response = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [], "status": "completed",
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    body = [sse("response.created", {"type": "response.created", "sequence_number": 0, "response": response})]
    for number, word in enumerate(words(chunks), 1):
        delta = {
            "type": "response.output_text.delta", "sequence_number": number, "item_id": "msg_1", "output_index": 0,
            "content_index": 0, "delta": word, "logprobs": [],
        }  # fmt: skip
        body.append(sse(delta["type"], delta))  # type: ignore[arg-type]
    done = {"type": "response.completed", "sequence_number": chunks + 1, "response": response}
    return [*body, sse("response.completed", done)]


def messages_body(chunks: int) -> list[bytes]:
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1},
    }  # fmt: skip
    text = {"type": "text", "text": ""}
    body = [
        sse("message_start", {"type": "message_start", "message": message}),
        sse("content_block_start", {"type": "content_block_start", "index": 0, "content_block": text}),
    ]
    for word in words(chunks):
        delta = {"type": "text_delta", "text": word}
        body.append(sse("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}))
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        *body,
        sse("content_block_stop", {"type": "content_block_stop", "index": 0}),
        sse("message_delta", {"type": "message_delta", "delta": end, "usage": {"output_tokens": chunks}}),
        sse("message_stop", {"type": "message_stop"}),
    ]


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that is there already, one event per read."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class Canned(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Answers every request with the same body."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def _response(self, request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Body(self._parts), request=request)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._response(request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._response(request)


Call = Callable[[Any], Any]
Reader = Iterator[None]
"""Opens a stream, reads `SEGMENT` chunks of it each time it is asked, and closes it at its end."""


def in_segments(client: Any, call: Call) -> Reader:
    with call(client) as stream:
        chunks = iter(stream)
        for _ in chunks:
            for _ in islice(chunks, SEGMENT - 1):
                pass
            yield


def in_segments_async(client: Any, call: Call, loop: asyncio.AbstractEventLoop) -> Reader:
    async def segments() -> AsyncIterator[None]:
        answer = call(client)
        async with answer if hasattr(answer, "__aenter__") else await answer as stream:
            read = 0
            async for _ in stream:
                read += 1
                if read == SEGMENT:
                    yield
                    read = 0

    reading = segments()
    while loop.run_until_complete(anext(reading, END)) is not END:
        yield


OPENAI: dict[str, Call] = {
    "chat": lambda c: c.chat.completions.create(model="m", messages=MESSAGE, stream=True),
    "responses": lambda c: c.responses.create(model="m", input="hi", stream=True),
}
ANTHROPIC: dict[str, Call] = {
    "messages.create": lambda c: c.messages.create(model="m", max_tokens=9, messages=MESSAGE, stream=True),
    "messages.stream": lambda c: c.messages.stream(model="m", max_tokens=9, messages=MESSAGE),
}
BODIES = {
    "chat": chat_body,
    "responses": responses_body,
    "messages.create": messages_body,
    "messages.stream": messages_body,
}


KINDS = {
    ("openai", False): (openai.OpenAI, httpx2.Client),
    ("openai", True): (openai.AsyncOpenAI, httpx2.AsyncClient),
    ("anthropic", False): (anthropic.Anthropic, httpx2.Client),
    ("anthropic", True): (anthropic.AsyncAnthropic, httpx2.AsyncClient),
}


def make(api: str, asynchronous: bool, size: int) -> tuple[Any, Callable[[Any], Reader]]:
    """A client, and how a stream of `size` chunks is read from it."""
    kind, http = KINDS["openai" if api in OPENAI else "anthropic", asynchronous]
    transport = Canned(BODIES[api](size))
    client = kind(api_key="x", base_url="http://127.0.0.1/v1", http_client=http(transport=transport))
    call = OPENAI.get(api) or ANTHROPIC[api]
    if asynchronous:
        loop = asyncio.new_event_loop()
        return client, lambda chosen: in_segments_async(chosen, call, loop)
    return client, lambda chosen: in_segments(chosen, call)


def step(reader: Reader) -> tuple[bool, int]:
    """Whether there was a segment to read, and the nanoseconds of CPU that it took."""
    began = time.process_time_ns()
    ended = next(reader, END) is END
    return not ended, time.process_time_ns() - began


def pair(bare: Callable[[], Reader], observed: Callable[[], Reader], turn: int) -> list[tuple[int, int]]:
    """Both streams, read in turns, a segment of the one and a segment of the other; nanoseconds of each pair."""
    readers, times, more = [bare(), observed()], [], True
    while more:
        took = [0, 0]
        for which in (turn % 2, 1 - turn % 2):
            more, took[which] = step(readers[which])
        turn += 1
        times.append((took[0], took[1]))
    return times


def blocks(bare: Callable[[], Reader], observed: Callable[[], Reader]) -> tuple[int, int]:
    """Many whole streams of each, one after the other; nanoseconds per stream."""
    times = []
    for reader in (bare, observed):
        began = time.process_time_ns()
        for _ in range(BLOCK):
            for _ in reader():
                pass
        times.append((time.process_time_ns() - began) // BLOCK)
    return times[0], times[1]


def middle(values: Iterable[float]) -> float:
    """The mean of the middle half: what other tenants of the machine do falls on the ends."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    return statistics.fmean(ordered[cut : len(ordered) - cut])


def peak(reader: Callable[[], Reader]) -> int:
    gc.collect()
    tracemalloc.start()
    for _ in reader():
        pass
    high = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return high


def measure(api: str, asynchronous: bool, rounds: int, gauge: Gauge) -> dict[str, Any]:
    pairs: dict[int, list[list[tuple[int, int]]]] = {}
    streams: list[tuple[int, int]] = []
    memory = {}
    for size in SIZES:
        plain, read = make(api, asynchronous, size)
        observed = streamgauge.watch(make(api, asynchronous, size)[0], gauge=gauge)
        bare, ours = partial(read, plain), partial(read, observed)
        for turn in range(4):
            pair(bare, ours, turn)
        gc.collect()
        gc.freeze()
        if size < SEGMENT:
            streams = [blocks(bare, ours) for _ in range(rounds * REPEATS[size])]
        else:
            pairs[size] = [pair(bare, ours, turn) for turn in range(rounds * REPEATS[size])]
        memory[size] = peak(ours) - peak(bare)

    def chunk(size: int) -> tuple[float, float]:
        """Microseconds per chunk in the course of a stream of `size`: of the bare SDK, and on top of it."""
        # the first segment has the call in it, the last two the end
        inner = [each for segments in pairs[size] for each in segments[1:-2]]
        chunks = SEGMENT / EVENTS.get(api, 1)
        return middle(b for b, _ in inner) / chunks / 1000, middle(o - b for b, o in inner) / chunks / 1000

    bare_us, added_us = chunk(max(SIZES))
    short = middle(o - b for b, o in streams) / 1000
    long = middle(sum(o - b for b, o in segments) for segments in pairs[1000]) / 1000
    return {
        "api": api,
        "mode": "async" if asynchronous else "sync",
        "bare_us_per_chunk": round(bare_us, 2),
        "added_us_per_chunk": round(added_us, 3),
        "ratio": round(1 + added_us / bare_us, 4),
        "added_us_per_chunk_at_1000": round(chunk(1000)[1], 3),
        "added_us_per_stream": round(short - 10 * added_us, 1),
        "added_us_of_1000_chunks": round(long, 1),
        "added_peak_bytes": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--api", choices=sorted(BODIES), action="append")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    gauge = Gauge(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    rows = []
    for api in given.api or BODIES:
        for asynchronous in (False, True):
            rows.append(measure(api, asynchronous, given.rounds, gauge))
            if not given.json:
                print(row_text(rows[-1]), flush=True)
    if given.json:
        json.dump(rows, sys.stdout, indent=2)
        print()


def row_text(row: dict[str, Any]) -> str:
    return (
        f"{row['api']:16}{row['mode']:6} bare {row['bare_us_per_chunk']:6.2f} us/chunk"
        f"  added {row['added_us_per_chunk']:5.2f} (at 1000: {row['added_us_per_chunk_at_1000']:5.2f})"
        f"  ratio {row['ratio']:.3f}  per stream {row['added_us_per_stream']:5.0f} us"
        f"  memory {row['added_peak_bytes']}"
    )


if __name__ == "__main__":
    main()
