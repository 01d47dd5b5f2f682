"""What observing costs: bare SDK against observed SDK, interleaved in one run, in CPU time of this process.

A transport hands the real SDKs a ready body, one event per read, so that nothing but the client is measured. Slope
between chunk counts is the cost per chunk, the intercept the cost per stream; memory is the tracemalloc peak above
the bare SDK's.

    python benchmarks/capture.py [--rounds N] [--json]
"""

import argparse
import asyncio
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import streamgauge

SIZES = (10, 1000, 10000)
MESSAGE = [{"role": "user", "content": "hi"}]


def sse(event: str | None, payload: dict[str, Any]) -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(payload)}\n\n".encode()


WORDS = [
    "The",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "rain",
    "falls",
    "on",
    "seven",
    "quiet",
    "hills",
    "and",
    "nobody",
    "counts",
    "them",
    "twice",
]


def word(index: int) -> str:
    return f" {WORDS[(index * 7 + index // 13) % len(WORDS)]}{index % 89}"


def chat_body(chunks: int) -> list[bytes]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    body = [
        sse(None, {**base, "choices": [{"index": 0, "delta": {"content": word(i)}, "finish_reason": None}]})
        for i in range(chunks)
    ]
    body.append(sse(None, {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    return [*body, b"data: [DONE]\n\n"]


def responses_body(chunks: int) -> list[bytes]:
    response = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [], "status": "completed",
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    body = [sse("response.created", {"type": "response.created", "sequence_number": 0, "response": response})]
    for i in range(chunks):
        delta = {
            "type": "response.output_text.delta", "sequence_number": i + 1, "item_id": "msg_1", "output_index": 0,
            "content_index": 0, "delta": word(i), "logprobs": [],
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
    for i in range(chunks):
        delta = {"type": "text_delta", "text": word(i)}
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


Run = Callable[[Any], Any]


def drain(stream: Any) -> None:
    for _ in stream:
        pass


def drain_helper(manager: Any) -> None:
    with manager as stream:
        for _ in stream:
            pass


async def adrain(stream: Any) -> None:
    async for _ in await stream:
        pass


async def adrain_helper(manager: Any) -> None:
    async with manager as stream:
        async for _ in stream:
            pass


OPENAI: dict[str, Run] = {
    "chat": lambda c: c.chat.completions.create(model="m", messages=MESSAGE, stream=True),
    "responses": lambda c: c.responses.create(model="m", input="hi", stream=True),
}
ANTHROPIC: dict[str, Run] = {
    "messages.create": lambda c: c.messages.create(model="m", max_tokens=9, messages=MESSAGE, stream=True),
    "messages.stream": lambda c: c.messages.stream(model="m", max_tokens=9, messages=MESSAGE),
}
BODIES = {
    "chat": chat_body,
    "responses": responses_body,
    "messages.create": messages_body,
    "messages.stream": messages_body,
}


def make(api: str, asynchronous: bool, size: int) -> Callable[[], None]:
    transport = Canned(BODIES[api](size))
    call = OPENAI.get(api) or ANTHROPIC[api]
    kind = (
        (openai.AsyncOpenAI if asynchronous else openai.OpenAI)
        if api in OPENAI
        else (anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic)
    )
    if asynchronous:
        client = kind(api_key="x", base_url="http://127.0.0.1/v1", http_client=httpx2.AsyncClient(transport=transport))
        reading = adrain_helper if api == "messages.stream" else adrain
        loop = asyncio.new_event_loop()
        return lambda: loop.run_until_complete(reading(call(client)))
    client = kind(api_key="x", base_url="http://127.0.0.1/v1", http_client=httpx2.Client(transport=transport))
    read = drain_helper if api == "messages.stream" else drain
    return lambda: read(call(client))


def cpu(run: Callable[[], None], repeat: int) -> float:
    began = time.process_time()
    for _ in range(repeat):
        run()
    return (time.process_time() - began) / repeat


def peak(run: Callable[[], None]) -> int:
    gc.collect()
    tracemalloc.start()
    run()
    high = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return high


def switched(observed: bool, providers: dict[str, Any], run: Callable[[], Any]) -> Any:
    if observed:
        streamgauge.instrument(**providers)
    try:
        return run()
    finally:
        if observed:
            streamgauge.uninstrument()


def measure(api: str, asynchronous: bool, rounds: int, providers: dict[str, Any]) -> dict[str, Any]:
    runs = {size: make(api, asynchronous, size) for size in SIZES}
    repeats = {10: 60, 1000: 3, 10000: 1}
    samples: dict[tuple[int, bool], list[float]] = {(size, on): [] for size in SIZES for on in (False, True)}
    gc.collect()
    gc.freeze()
    for turn in range(rounds + 1):
        for size, run in runs.items():
            for on in (False, True) if turn % 2 else (True, False):
                took = switched(on, providers, lambda run=run, size=size: (run(), cpu(run, repeats[size]))[1])  # type: ignore[misc]
                if turn:
                    samples[size, on].append(took)

    def slope(on: bool, low: int, high: int) -> float:
        pairs = zip(samples[high, on], samples[low, on], strict=True)
        return statistics.median((a - b) / (high - low) for a, b in pairs) * 1e6

    def added(low: int, high: int) -> float:
        four = zip(samples[high, True], samples[high, False], samples[low, True], samples[low, False], strict=True)
        return statistics.median((a - b - c + d) / (high - low) for a, b, c, d in four) * 1e6

    bare, per_chunk = slope(False, 10, 10000), added(10, 10000)
    fixed = (
        statistics.median(a - b for a, b in zip(samples[10, True], samples[10, False], strict=True)) * 1e6
        - 10 * per_chunk
    )
    memory = {
        size: switched(True, providers, lambda size=size: peak(runs[size])) - peak(runs[size])  # type: ignore[misc]
        for size in SIZES
    }
    return {
        "api": api,
        "mode": "async" if asynchronous else "sync",
        "bare_us_per_chunk": round(bare, 2),
        "added_us_per_chunk": round(per_chunk, 3),
        "ratio": round(1 + per_chunk / bare, 4),
        "added_us_per_chunk_10_to_1000": round(added(10, 1000), 3),
        "added_us_per_chunk_1000_to_10000": round(added(1000, 10000), 3),
        "added_us_per_stream": round(fixed, 1),
        "added_peak_bytes": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--api", choices=sorted(BODIES), action="append")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    providers = {"tracer_provider": TracerProvider(), "meter_provider": MeterProvider()}
    rows = []
    for api in given.api or BODIES:
        for asynchronous in (False, True):
            rows.append(measure(api, asynchronous, given.rounds, providers))
            if not given.json:
                print(row_text(rows[-1]), flush=True)
    if given.json:
        json.dump(rows, sys.stdout, indent=2)
        print()


def row_text(row: dict[str, Any]) -> str:
    return (
        f"{row['api']:16}{row['mode']:6} bare {row['bare_us_per_chunk']:7.2f} us/chunk"
        f"  added {row['added_us_per_chunk']:6.3f}"
        f"  ratio {row['ratio']:.3f}  per stream {row['added_us_per_stream']:6.1f} us  memory {row['added_peak_bytes']}"
    )


if __name__ == "__main__":
    main()
