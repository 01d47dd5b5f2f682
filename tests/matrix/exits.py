"""Runs inside an environment of the matrix: every way out of a stream, on every surface there, with and without us.

    python exits.py PROVIDER_URL [FAULT_OR_EXIT...]

Prints one JSON object: what holds for the whole run, and for each case what the caller saw (bare and observed) and what
we told. Nothing is judged here; the test that starts this compares it with its table.
"""

import asyncio
import gc
import inspect
import json
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import streamgauge
from streamgauge import names

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
READ = 3
_NUMBERED = re.compile(r"[0-9a-f]{8,}|\d{9,}\.?\d*")


class OwnError(Exception):
    """What the application raises."""


# surfaces: model -> stream, or for a helper the manager of one


def chat(clients: Any, model: str) -> Any:
    return clients[0].chat.completions.create(
        model=model, messages=PROMPT, stream=True, stream_options={"include_usage": True}
    )


def chat_raw(clients: Any, model: str) -> Any:
    return clients[0].chat.completions.with_raw_response.create(
        model=model, messages=PROMPT, stream=True, stream_options={"include_usage": True}
    )


def chat_helper(clients: Any, model: str) -> Any:
    return _helper(clients[0])(model=model, messages=PROMPT, stream_options={"include_usage": True})


def _helper(client: Any) -> Any:
    stable = getattr(client.chat.completions, "stream", None)
    return stable or getattr(getattr(getattr(client.beta, "chat", None), "completions", None), "stream", None)


def responses(clients: Any, model: str) -> Any:
    return clients[0].responses.create(model=model, input="Which gauge?", stream=True)


def responses_helper(clients: Any, model: str) -> Any:
    return clients[0].responses.stream(model=model, input="Which gauge?")


def messages(clients: Any, model: str) -> Any:
    return clients[1].messages.create(model=model, messages=PROMPT, max_tokens=64, stream=True)


def messages_raw(clients: Any, model: str) -> Any:
    return clients[1].messages.with_raw_response.create(model=model, messages=PROMPT, max_tokens=64, stream=True)


def messages_helper(clients: Any, model: str) -> Any:
    return clients[1].messages.stream(model=model, messages=PROMPT, max_tokens=64)


def surfaces() -> dict[str, Callable[..., Any]]:
    """Those that the installed versions have."""
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:1")
    of_responses = getattr(client, "responses", None)
    return {
        "chat": chat,
        "chat raw": chat_raw,
        **({"chat helper": chat_helper} if _helper(client) else {}),
        **({"responses": responses} if of_responses else {}),
        **({"responses helper": responses_helper} if hasattr(of_responses, "stream") else {}),
        "messages": messages,
        "messages raw": messages_raw,
        "messages helper": messages_helper,
    }


@dataclass(frozen=True)
class Call:
    """A call that is about to be made; a `helper` gives a manager, anything else a stream or a raw response."""

    surface: Callable[..., Any]
    clients: Any
    model: str

    def __call__(self) -> Any:
        return self.surface(self.clients, self.model)

    @property
    def helper(self) -> bool:
        return self.surface.__name__.endswith("_helper")


# ways out; `see` is told every chunk


def _read(stream: Any, see: Callable[[Any], None], limit: int = 10_000) -> None:
    for number, chunk in enumerate(stream, 1):
        see(chunk)
        if number == limit:
            break


async def _aread(stream: Any, see: Callable[[Any], None], limit: int = 10_000) -> None:
    number = 0
    async for chunk in stream:
        see(chunk)
        number += 1
        if number == limit:
            break


def _open(call: Any) -> Any:
    made = call()
    if call.helper:
        return made.__enter__()
    return made.parse() if hasattr(made, "parse") else made


async def _aopen(call: Any) -> Any:
    made = call()
    if call.helper:
        return await made.__aenter__()
    made = await made
    if hasattr(made, "parse"):
        parsed = made.parse()
        return await parsed if inspect.isawaitable(parsed) else parsed
    return made


def exhaust(call: Any, see: Any) -> None:
    _read(_open(call), see)


def drop(call: Any, see: Any) -> None:
    _read(_open(call), see, READ)


def break_in_with(call: Any, see: Any) -> None:
    made = call()
    with made.parse() if hasattr(made, "parse") and not call.helper else made as stream:
        _read(stream, see, READ)


def close(call: Any, see: Any) -> None:
    stream = _open(call)
    _read(stream, see, READ)
    stream.close()


def read_on(call: Any, see: Any) -> None:
    stream = _open(call)
    _read(stream, see, READ)
    _read(stream, see)


def error_in_body(call: Any, see: Any) -> None:
    for chunk in _open(call):
        see(chunk)
        raise OwnError


async def aexhaust(call: Any, see: Any) -> None:
    await _aread(await _aopen(call), see)


async def adrop(call: Any, see: Any) -> None:
    await _aread(await _aopen(call), see, READ)


async def abreak_in_with(call: Any, see: Any) -> None:
    made = call()
    if not call.helper:
        made = await made
        parsed = made.parse() if hasattr(made, "parse") else made
        made = await parsed if inspect.isawaitable(parsed) else parsed
    async with made as stream:
        await _aread(stream, see, READ)


async def aclose(call: Any, see: Any) -> None:
    stream = await _aopen(call)
    await _aread(stream, see, READ)
    await stream.close()


async def aread_on(call: Any, see: Any) -> None:
    stream = await _aopen(call)
    await _aread(stream, see, READ)
    await _aread(stream, see)


async def aerror_in_body(call: Any, see: Any) -> None:
    async for chunk in await _aopen(call):
        see(chunk)
        raise OwnError


async def task_cancel(call: Any, see: Any) -> None:
    seen: list[int] = []

    def both(chunk: Any) -> None:
        seen.append(1)
        see(chunk)

    async def read() -> None:
        stream = await _aopen(call)
        await _aread(stream, both)

    task = asyncio.create_task(read())
    before, still = -1, 0
    while still < 8:
        still = still + 1 if seen and len(seen) == before else 0
        before = len(seen)
        await asyncio.sleep(0.003)
    task.cancel()
    await task


EXITS: dict[str, tuple[Any, Any, str]] = {
    "exhaust": (exhaust, aexhaust, "healthy"),
    "drop": (drop, adrop, "healthy"),
    "with": (break_in_with, abreak_in_with, "healthy"),
    "close": (close, aclose, "healthy"),
    "read on": (read_on, aread_on, "healthy"),
    "exception": (error_in_body, aerror_in_body, "healthy"),
    "task cancel": (None, task_cancel, "stall_forever"),
    **{
        fault: (exhaust, aexhaust, fault)
        for fault in (
            "reset",
            "error_event",
            "truncated",
            "rate_limited_then_ok",
            "server_error",
            "refused",
            "read_timeout",
        )
    },
}
"""Name -> how it is done sync and async, and what the provider does meanwhile."""
LEFT_TO_THE_COLLECTOR = (drop, adrop, error_in_body, aerror_in_body)


class Watched:
    """Our gauge in this process and everything that left it."""

    def __init__(self, tracers: TracerProvider | None = None) -> None:
        self.spans, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.reports: list[Any] = []
        self.tracers = tracers or TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters, self.loggers = MeterProvider([self.reader]), LoggerProvider()
        self.gauge = streamgauge.instrument(
            tracer_provider=self.tracers,
            meter_provider=self.meters,
            logger_provider=self.loggers,
            sinks=[self.reports.append],
        )

    def settled(self) -> bool:
        """Whether every stream so far is sealed."""
        streamgauge.flush()
        return not self.gauge.open_count

    def told(self) -> dict[str, Any]:
        """Everything that was emitted since this was asked last; to be asked when all is settled."""
        spans = self.spans.get_finished_spans()
        reports = list(self.reports)
        self.spans.clear()
        self.reports.clear()
        ours = [span for span in spans if _scope(span) == names.SCOPE]
        return {
            "outcomes": [report.outcome.value for report in reports],
            "errors": [report.error_type for report in reports],
            "attempts": [report.attempts for report in reports],
            "tokens": [[report.usage.input_tokens, report.usage.output_tokens] for report in reports],
            "spans": [(span.attributes or {})[names.OUTCOME] for span in ours],
            "others": sorted(f"{_scope(span)}: {span.name}" for span in spans if span not in ours),
        }

    def totals(self) -> dict[str, float]:
        """Sums over all samples: streams, durations, tokens."""
        found = {"streams": 0.0, "durations": 0.0, "input_tokens": 0.0, "output_tokens": 0.0}
        for point in self._points(names.STREAMS.name):
            found["streams"] += point.value
        for point in self._points(names.OPERATION_DURATION.name):
            found["durations"] += point.count
        for point in self._points(names.TOKEN_USAGE.name):
            found[f"{point.attributes['gen_ai.token.type']}_tokens"] += point.sum
        return found

    def _points(self, name: str) -> Iterator[Any]:
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                if scope.scope.name == names.SCOPE:
                    for metric in scope.metrics:
                        if metric.name == name:
                            yield from metric.data.data_points

    def close(self) -> None:
        """Take the hooks out."""
        streamgauge.uninstrument()
        for provider in (self.tracers, self.meters, self.loggers):
            provider.shutdown()


class Complaints(logging.Handler):
    """Everything of WARNING and above from these loggers."""

    def __init__(self, *loggers: str) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        for name in loggers:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _scope(span: Any) -> str:
    return str(span.instrumentation_scope.name)


def clients_of(url: str, fault: str, kinds: tuple[Any, Any] = (openai.OpenAI, anthropic.Anthropic)) -> tuple[Any, Any]:
    """Clients of both SDKs; with the options that a fault needs."""
    options: dict[str, Any] = {"api_key": "k", "max_retries": 2 if fault == "rate_limited_then_ok" else 0}
    options["timeout"] = 0.3 if fault == "read_timeout" else 20
    if fault == "refused":
        url = f"http://127.0.0.1:{_closed_port()}"
    return kinds[0](base_url=f"{url}/v1", **options), kinds[1](base_url=url, **options)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _caught(seen: list[str], error: BaseException) -> None:
    seen.append(f"{type(error).__module__}.{type(error).__qualname__} {shown(error.args)}")
    error.__traceback__ = None


def shown(value: object) -> str:
    return _NUMBERED.sub("#", repr(value))


def played(way: Any, call: Any) -> list[str]:
    """What the caller saw, with the exception that it got."""
    seen: list[str] = []
    try:
        way(call, lambda chunk: seen.append(shown(chunk)))
    except Exception as error:
        _caught(seen, error)
    if way in LEFT_TO_THE_COLLECTOR:
        gc.collect()
    return seen


async def aplayed(way: Any, call: Any) -> list[str]:
    """What the caller saw, with the exception that it got."""
    seen: list[str] = []
    try:
        await way(call, lambda chunk: seen.append(shown(chunk)))
    except (Exception, asyncio.CancelledError) as error:
        _caught(seen, error)
    if way in LEFT_TO_THE_COLLECTOR:
        gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    return seen


def cases(wanted: set[str], *, asynchronous: bool) -> Iterator[tuple[str, Any, Any, str]]:
    """Name, way, surface and fault of every case."""
    for place, surface in surfaces().items():
        for name, (way, away, fault) in EXITS.items():
            chosen = away if asynchronous else way
            if chosen is not None and (not wanted or name in wanted):
                yield f"{place} / {name} / {'async' if asynchronous else 'sync'}", chosen, surface, fault


def play_all(url: str, wanted: set[str], watched: "Watched | None" = None) -> dict[str, tuple[list[str], Any]]:
    """All cases, sync and async: what the caller saw, and what `watched` told of it."""
    found: dict[str, tuple[list[str], Any]] = {}

    def told() -> Any:
        return watched.told() if watched is not None and watched.settled() else None

    for name, way, surface, fault in cases(wanted, asynchronous=False):
        clients = _sync_clients(url, fault)
        found[name] = played(way, Call(surface, clients, f"demo-{fault}")), told()

    async def asynchronous() -> None:
        made: dict[str, Any] = {}
        for name, way, surface, fault in cases(wanted, asynchronous=True):
            key = fault if fault in SPECIAL else ""
            if key not in made:
                made[key] = clients_of(url, key, (openai.AsyncOpenAI, anthropic.AsyncAnthropic))
            seen = await aplayed(way, Call(surface, made[key], f"demo-{fault}"))
            for _ in range(200):  # a dropped async stream is finalised in several steps of loop and collector
                if watched is None or watched.settled():
                    break
                gc.collect()
                await asyncio.sleep(0.002)
            found[name] = seen, told()
        for clients in made.values():
            for client in clients:
                await client.close()
        gc.collect()
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run(asynchronous())
    return found


SPECIAL = {"rate_limited_then_ok", "read_timeout", "refused"}
_made: dict[str, tuple[Any, Any]] = {}


def _sync_clients(url: str, fault: str) -> tuple[Any, Any]:
    key = fault if fault in SPECIAL else ""
    if key not in _made:
        _made[key] = clients_of(url, key)
    return _made[key]


def hooks() -> list[object]:
    """The methods that we replace, as they are now."""
    kinds, sdks = ("SyncAPIClient", "AsyncAPIClient"), (openai, anthropic)
    places = [getattr(sdk._base_client, kind) for sdk in sdks for kind in kinds]
    places += [getattr(sdk, kind) for sdk in sdks for kind in ("Stream", "AsyncStream")]
    methods = ("request", "_build_request", "__stream__", "_iter_events", "_tracer")
    return [inspect.getattr_static(place, method, None) for place in places for method in methods]


def main(url: str, *wanted: str) -> dict[str, Any]:
    """Everything, bare first."""
    before, complaints, loop = hooks(), Complaints("streamgauge", "opentelemetry"), Complaints("asyncio")
    play_all(url, {"exhaust"})  # SDKs import and build much on first use
    gc.freeze()  # collections look at what the cases made, not at the modules of two SDKs
    bare = play_all(url, set(wanted))
    loop_bare = loop.said[:]
    watched = Watched()
    hooked = sum(now is not then for now, then in zip(hooks(), before, strict=True))
    observed = play_all(url, set(wanted), watched)
    current = trace.get_current_span() is trace.INVALID_SPAN
    facts = {
        "versions": {"openai": openai.__version__, "anthropic": anthropic.__version__},
        "surfaces": list(surfaces()),
        "hooked": hooked,
        "open": watched.gauge.open_count,
        "own_errors": dict(watched.gauge.guard.errors),
        "totals": watched.totals(),
        "no_span_left_current": current,
    }
    watched.close()
    return {
        **facts,
        "restored": all(now is then for now, then in zip(hooks(), before, strict=True)),
        "complaints": complaints.said,
        "loop_complaints": [len(loop_bare), len(loop.said) - len(loop_bare)],
        "cases": {
            name: {"bare": bare[name][0], "seen": seen, **(told or {})} for name, (seen, told) in observed.items()
        },
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
